"""The whole service as its callers meet it: `python -m server` in a process of its own, called over the wire."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import io
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import mido
import numpy as np
import pretty_midi
import psutil
import pytest
from music21 import converter
from music21.midi import MidiFile
from symusic import Score

from bench import service
from bench.callers import SECONDS, Ask, Fault, drums, fault_of, streamed, stub_of
from bench.serving import Served, begin, serving
from client import RemoteDrummer
from seq2drum.errors import Seq2DrumError
from seq2drum.formats.midi import midi
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb
from server.statuses import REASONS
from tests import recordings
from tests.conftest import CORPUS, LONG, ROOT, corpus_files, some
from tests.mutants import damaged

pytestmark = (
    pytest.mark.slow
)  # a server in a process of its own, and many songs; test_server.py tries the same in this one

EXAMPLES = sorted((ROOT / "examples").glob("*.mid"))
SAMPLE = [*corpus_files("sample"), *corpus_files("black_metal")]
APRIL = CORPUS / "AprilInParis.mid"
NEEDS_CORPUS = pytest.mark.skipif(not APRIL.is_file(), reason="needs the corpus of real music in ../shared/corpus")
SHORT = (ROOT / "examples" / "funk.mid").read_bytes()
SEED = 5


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def stub(served: Served) -> Iterator[Any]:
    channel, stub = stub_of(served.address)
    with channel:
        yield stub


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


@pytest.fixture(scope="module")
def long() -> bytes:
    """128 bars."""
    return service.song("funk", 128)


def until(holds: Callable[[], Any], what: str, seconds: float = 20.0) -> None:
    """Wait until something holds; it fails if it does not come to hold."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def check_typed(fault: Fault) -> None:
    """A status of ours, as the table has it: never one of gRPC's own making, never a fault of the server."""
    assert fault.reason in REASONS, fault
    assert fault.code == REASONS[fault.reason][0].name, fault
    assert fault.code not in ("UNKNOWN", "INTERNAL"), fault
    assert (fault.retry is not None) == (fault.code in ("UNAVAILABLE", "RESOURCE_EXHAUSTED")), fault


def refused(call: Callable[[], Any]) -> Fault:
    """How a call fails, which it has to."""
    with pytest.raises(grpc.RpcError) as refusal:
        call()
    return fault_of(refusal.value)


# --- the same bytes ---------------------------------------------------------------------------------------------------


def outcome(work: Callable[[], bytes]) -> bytes | str:
    """The drums, or the words of what is the matter with the song."""
    try:
        return work()
    except Seq2DrumError as error:
        return str(error)


def plays_the_same(paths: Sequence[Path], served: Served, drummer: Drummer) -> dict[Path, bytes]:
    """The drums for songs, which are the same here, by one message, and by a stream of pieces."""
    with RemoteDrummer(served.address) as remote, ThreadPoolExecutor(4) as pool:

        def by_stream(path: Path) -> bytes:
            with remote.stream(path, seed=SEED) as stream:
                bars = list(stream)
            assert len(bars) == stream.timeline.bars
            return stream.take.to_bytes()

        unary = [pool.submit(outcome, lambda p=path: remote.accompany(p, seed=SEED).to_bytes()) for path in paths]  # type: ignore[misc]
        streams = [pool.submit(outcome, lambda p=path: by_stream(p)) for path in paths]  # type: ignore[misc]
        here = [outcome(lambda p=path: drummer.accompany(p, Options(seed=SEED)).to_bytes()) for path in paths]  # type: ignore[misc]
        for path, own, one, pieces in zip(paths, here, unary, streams, strict=True):
            assert own == one.result(), path.name
            assert own == pieces.result(), path.name
    return {path: own for path, own in zip(paths, here, strict=True) if isinstance(own, bytes)}


@pytest.mark.parametrize("groove", ["half-time", {"A": "brushes"}])
def test_a_family_of_grooves_is_the_same_groove_for_a_server(groove: Any, served: Served, drummer: Drummer) -> None:
    song = ROOT / "examples" / "rock_riff.mid"
    own = drummer.accompany(song, Options(groove=groove)).to_bytes()
    with RemoteDrummer(served.address) as remote:
        assert remote.accompany(song, groove=groove).to_bytes() == own


def check_playable(path: Path, data: bytes) -> None:
    """Four readers of other people read it, all notes are drums, and its bars, tempos and metres are the song's."""
    song, made = midi.parse(path.read_bytes()), midi.parse(data)
    assert (len(made.bars()), made.tempos, made.metres) == (len(song.bars()), song.tempos, song.metres)
    messages = [message for track in mido.MidiFile(file=io.BytesIO(data)).tracks for message in track]
    notes = [message for message in messages if message.type in ("note_on", "note_off")]
    assert {message.channel for message in notes} <= {9}
    assert all(1 <= message.velocity <= 127 for message in notes if message.type == "note_on")
    count = sum(message.type == "note_on" for message in notes)
    assert all(instrument.is_drum for instrument in pretty_midi.PrettyMIDI(io.BytesIO(data)).instruments)
    score: Any = Score.from_midi(data)
    assert all(track.is_drum for track in score.tracks)
    assert sum(len(track.notes) for track in score.tracks) == count
    file = MidiFile()
    file.readstr(data)
    assert sum(event.isNoteOn() for track in file.tracks for event in track.events) == count


def test_examples_get_from_the_server_byte_for_byte_what_they_get_here_and_all_readers_read_it(
    served: Served, drummer: Drummer
) -> None:
    answers = plays_the_same(EXAMPLES, served, drummer)
    assert list(answers) == EXAMPLES
    for path, data in answers.items():
        check_playable(path, data)
    assert converter.parseData(answers[EXAMPLES[0]], format="midi").flatten().notes


@NEEDS_CORPUS
def test_real_songs_get_from_the_server_byte_for_byte_what_they_get_here(served: Served, drummer: Drummer) -> None:
    shortest = sorted(corpus_files("sample"), key=lambda path: path.stat().st_size)[:6]
    for path, data in plays_the_same([APRIL, *shortest], served, drummer).items():
        check_playable(path, data)


@NEEDS_CORPUS
@pytest.mark.slow
def test_real_songs_of_all_kinds_get_from_the_server_byte_for_byte_what_they_get_here(
    served: Served, drummer: Drummer
) -> None:
    songs = some(SAMPLE, 6)
    answers = plays_the_same(songs, served, drummer)
    assert len(answers) == len(songs) > 0
    for path, data in answers.items():
        check_playable(path, data)


@pytest.mark.parametrize(
    "path", [EXAMPLES[0], pytest.param(APRIL, marks=NEEDS_CORPUS)], ids=["an example", "April in Paris"]
)
def test_the_client_writes_what_main_py_writes(path: Path, served: Served, tmp_path: Path) -> None:
    here, there = tmp_path / "here.mid", tmp_path / "there.mid"
    seed = ["--seed", str(SEED)]
    for words in (
        ["main.py", "--mode", "infer", str(path), "-o", str(here), *seed],
        ["-m", "client", str(path), "-o", str(there), "--server", served.address, *seed],
    ):
        subprocess.run([sys.executable, *words], cwd=ROOT, check=True, capture_output=True, timeout=120)
    assert here.read_bytes() == there.read_bytes()
    assert midi.read(here).parts


# --- any bytes --------------------------------------------------------------------------------------------------------


def few(path: Path) -> bytes:
    """The first two bars of an example, so that a mutant that can be played is played soon."""
    return service.song(path.stem, 2)


def test_damaged_files_by_the_hundred_are_each_answered_in_a_known_way_and_the_server_goes_on() -> None:
    sources = [few(ROOT / "examples" / f"{name}.mid") for name in service.SONGS]
    sources += [path.read_bytes() for path in corpus_files("torture") if path.stat().st_size < 2000]
    outcomes: Counter[str] = Counter()
    count = 2000 if LONG else 600
    with serving("--max-bars", "40") as served:
        before = served.workers("parser"), served.workers("player")
        channel, stub = stub_of(served.address)

        def call(turn: int) -> str:
            ask = Ask(damaged(sources[turn % len(sources)], turn))
            try:
                if turn % 3 == 0:
                    stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=ask.midi), timeout=SECONDS)
                elif turn % 3 == 1:
                    midi.parse(drums(stub, ask))
                else:
                    midi.parse(streamed(stub, ask)[0])
            except grpc.RpcError as error:
                fault = fault_of(error)
                check_typed(fault)
                return fault.reason
            return "OK"

        with channel, ThreadPoolExecutor(8) as pool:
            outcomes.update(pool.map(call, range(count)))
        assert outcomes["OK"] > count / 10, outcomes
        assert outcomes["INVALID_MIDI"] > count / 10, outcomes
        assert len(outcomes) >= 4, outcomes
        assert served.health() == "SERVING"
        assert (served.workers("parser"), served.workers("player")) == before, "a worker did not survive"
        assert not served.lines("fault")


def test_the_odd_files_of_the_world_are_each_answered_in_a_known_way(served: Served, stub: Any) -> None:
    files = corpus_files("torture")
    if not files:
        pytest.skip("needs the corpus of real music in ../shared/corpus")

    def call(path: Path) -> str:
        try:
            stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=path.read_bytes()), timeout=SECONDS)
        except grpc.RpcError as error:
            check_typed(fault_of(error))
            return fault_of(error).reason
        return "OK"

    with ThreadPoolExecutor(8) as pool:
        outcomes = Counter(pool.map(call, files))
    assert outcomes["OK"] > 50, outcomes
    assert len(outcomes) >= 3, outcomes
    assert served.health() == "SERVING"


# --- nothing is left behind -------------------------------------------------------------------------------------------


def left_behind(served: Served) -> dict[str, Any]:
    """What a call could leave: processes, threads and open files of each, temporary files, calls that are inside."""
    tree = served.tree()
    figures = served.figures()
    return {
        "processes": sorted(process.pid for process in tree),
        "threads": sum(process.num_threads() for process in tree),
        "files": sum(process.num_fds() for process in tree) if hasattr(psutil.Process, "num_fds") else 0,
        "temporary": sorted(str(path) for path in (served.folder / "tmp").rglob("*")),
        "inside": sum(figures[name,] for name in ("waiting", "playing", "uploading")),
    }


def counts(served: Served, method: str) -> tuple[float, Counter[str]]:
    """Calls of a method that began, and by status those that are over."""
    figures = served.figures()
    ended: Counter[str] = Counter()
    for key, value in figures.items():
        if key[:2] == ("calls_total", method):
            ended[key[-1]] += int(value)
    return figures.get(("calls_started_total", method), 0), ended


def call_ok(stub: Any, method: str, song: bytes) -> None:
    (drums if method == "GenerateDrums" else streamed)(stub, Ask(SHORT))


def call_cancel(stub: Any, method: str, song: bytes) -> None:
    if method == "GenerateDrums":
        future = stub.GenerateDrums.future(Ask(song).request, timeout=SECONDS)
        time.sleep(0.15)
        future.cancel()
        return
    stream = stub.StreamGenerateDrums(Ask(song).pieces(bars=True), timeout=SECONDS)
    next(piece for piece in stream if piece.WhichOneof("piece") == "bar_events")
    stream.cancel()


def call_timeout(stub: Any, method: str, song: bytes) -> None:
    ask = Ask(song)
    if method == "GenerateDrums":
        fault = refused(lambda: stub.GenerateDrums(ask.request, timeout=0.15))
    else:
        fault = refused(lambda: list(stub.StreamGenerateDrums(ask.pieces(), timeout=0.15)))
    assert fault.code == "DEADLINE_EXCEEDED"


def call_error(stub: Any, method: str, song: bytes) -> None:
    ask = Ask(b"MThd, and then nothing of the kind")
    call = drums if method == "GenerateDrums" else streamed
    assert refused(lambda: call(stub, ask)) == Fault("INVALID_ARGUMENT", "INVALID_MIDI", None, ("midi",))


METHODS = ("GenerateDrums", "StreamGenerateDrums")
CALLS = 6
SLACK = {"threads": 2, "files": 2}  # gRPC and the page with the figures have some more or fewer as they like
ENDS = {"OK": call_ok, "CANCELLED": call_cancel, "DEADLINE_EXCEEDED": call_timeout, "INVALID_ARGUMENT": call_error}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("status", ENDS)
def test_a_call_leaves_nothing_behind_however_it_ends(
    status: str, method: str, served: Served, long: bytes, stub: Any
) -> None:
    for _ in range(3):  # what is made once and kept is there by then
        ENDS[status](stub, method, long)
    settled(served, method)
    before, (started, ended) = left_behind(served), counts(served, method)
    for _ in range(CALLS):
        ENDS[status](stub, method, long)
    settled(served, method)
    begun, over = counts(served, method)
    assert begun - started == CALLS
    assert over - ended == {status: CALLS}
    after: dict[str, Any] = {}

    def same() -> bool:
        after.update(left_behind(served))
        return all(
            after[name] <= before[name] + SLACK[name] if name in SLACK else after[name] == before[name]
            for name in before
        )

    with contextlib.suppress(AssertionError):
        until(same, "")
    assert same(), (before, after)


def settled(served: Served, method: str) -> None:
    """Wait until all calls of a method that began are over."""

    def over() -> bool:
        begun, ended = counts(served, method)
        return begun == sum(ended.values())

    until(over, "a call that began is not over")


@pytest.mark.slow
@pytest.mark.slow
def test_a_recording_of_several_mebibytes_gets_drums() -> None:
    recordings.needs_audio()
    sound = recordings.riff([at / 4 for at in range(64)], 16.0)
    data = recordings.as_file(np.stack([sound, sound], axis=1), subtype="PCM_24")
    assert len(data) > 2 << 20
    with serving() as own, RemoteDrummer(own.address) as remote:
        take = remote.accompany(data, seed=SEED)
    drums = midi.parse(take.to_bytes())
    assert drums.seconds(drums.end) > 14


@pytest.mark.parametrize("grace", ["30", "0"], ids=["in time", "at once"])
@pytest.mark.parametrize("method", METHODS)
def test_a_server_that_is_asked_to_stop_ends_its_calls_and_leaves_nothing_behind(
    method: str, grace: str, long: bytes
) -> None:
    with serving("--grace-seconds", grace) as served:
        channel, stub = stub_of(served.address)
        tree = served.tree()
        outcomes: list[Any] = []

        def call() -> None:
            try:
                outcomes.append((drums if method == "GenerateDrums" else streamed)(stub, Ask(long)))
            except grpc.RpcError as error:
                outcomes.append(fault_of(error))

        with channel:
            callers = [threading.Thread(target=call) for _ in range(3)]
            for caller in callers:
                caller.start()
            until(lambda: served.figures()["playing",] == 3, "the calls are not played")
            assert served.end() == 0
            for caller in callers:
                caller.join()
        assert len(served.lines("call")) == 3
        assert [process for process in tree if process.is_running()] == []
        assert list((served.folder / "tmp").iterdir()) == []
        assert not (served.folder / "server.json").exists()
        if grace == "0":
            assert {fault.reason for fault in outcomes} == {"SHUTTING_DOWN"}
            check_typed(outcomes[0])
        else:
            assert not any(isinstance(outcome, Fault) for outcome in outcomes)
            assert {line["status"] for line in served.lines("call")} == {"OK"}


def test_while_it_finishes_its_calls_it_takes_no_others_and_says_so(long: bytes) -> None:
    with serving("--engines", "1") as served:
        channel, stub = stub_of(served.address)
        with channel:
            stream = stub.StreamGenerateDrums(Ask(long).pieces(bars=True), timeout=SECONDS)
            next(piece for piece in stream if piece.WhichOneof("piece") == "bar_events")
            served.process.terminate()
            served.wait("NOT_SERVING")
            fault = refused(lambda: drums(stub, Ask(SHORT)))
            assert fault.reason == "SHUTTING_DOWN"
            check_typed(fault)
            assert [piece.WhichOneof("piece") for piece in stream][-1] == "summary"
            assert served.end() == 0


# --- workers that are killed ------------------------------------------------------------------------------------------


@pytest.fixture
def lean() -> Iterator[Served]:
    """A server with one worker of each kind."""
    with serving("--screens", "1", "--engines", "1") as running:
        yield running


def killed(served: Served, kind: str, call: Callable[[], Any], started: Callable[[], Any]) -> tuple[Fault, float]:
    """How a call fails whose worker is killed once it has started, and how many seconds after that."""
    (worker,) = served.workers(kind)
    if kind == "parser":
        worker.suspend()  # it would be done too soon
    failures: list[tuple[Fault, float]] = []

    def caller() -> None:
        fault = refused(call)
        failures.append((fault, time.perf_counter()))

    thread = threading.Thread(target=caller)
    thread.start()
    until(started, "the call is not worked on")
    at = time.perf_counter()
    worker.kill()
    thread.join()
    fault, ended = failures[0]
    return fault, ended - at


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["parser", "player"])
def test_when_a_worker_is_killed_its_call_fails_within_a_second_and_the_next_is_served(
    kind: str, lean: Served, long: bytes, drummer: Drummer
) -> None:
    channel, stub = stub_of(lean.address)
    pids = [process.pid for process in lean.workers(kind)]
    other = "player" if kind == "parser" else "parser"
    kept = [process.pid for process in lean.workers(other)]
    healths: list[str] = []
    watching = threading.Event()

    def watch() -> None:
        while not watching.is_set():
            healths.append(lean.health())

    watcher = threading.Thread(target=watch)
    with channel:
        if kind == "parser":
            begun = time.monotonic()
            call: Callable[[], Any] = lambda: drums(stub, Ask(SHORT))  # noqa: E731
            started: Callable[[], Any] = lambda: time.monotonic() > begun + 0.5  # noqa: E731
        else:
            bars: list[Any] = []
            stream = stub.StreamGenerateDrums(Ask(long).pieces(bars=True), timeout=SECONDS)
            call = lambda: [bars.append(piece) for piece in stream]  # noqa: E731
            started = lambda: len(bars) > 2  # noqa: E731
        watcher.start()
        fault, seconds = killed(lean, kind, call, started)
        until(lambda: lean.workers(kind) and lean.health() == "SERVING", "the worker is not replaced")
        watching.set()
        watcher.join()
        assert fault.reason == "WORKER_DIED"
        check_typed(fault)
        assert seconds < 1.0
        assert [process.pid for process in lean.workers(kind)] != pids
        assert [process.pid for process in lean.workers(other)] == kept
        assert drums(stub, Ask(SHORT, SEED)) == drummer.accompany(SHORT, Options(seed=SEED)).to_bytes()
        assert "NOT_SERVING" in healths, "its health did not follow"
        assert lean.total("worker_restarts_total", {"parser": "screen"}.get(kind, kind)) == 1  # as dashboards know it


def test_drums_to_an_excerpt_are_those_to_a_song_of_these_bars(stub: Any, drummer: Drummer) -> None:
    from seq2drum.music.excerpt import excerpt

    song = midi.parse(SHORT)
    config = pb.GenerationConfig(seed=SEED, excerpt=pb.BarRange(first_bar=3, last_bar=6), arrange="off")
    reply = stub.GenerateDrums(pb.GenerateDrumsRequest(midi=SHORT, config=config), timeout=SECONDS)
    guitars = drummer.accompany(SHORT).guitar.parts
    alone, count = excerpt(song, (3, 6), guitars)
    assert count == len(guitars) == len(reply.guitar.tracks)
    same = drummer.accompany(midi.serialise(alone), Options(seed=SEED, arrange="off", track=f"1-{count}"))
    assert reply.takes[0].midi == same.to_bytes()


# --- nobody holds up the others ---------------------------------------------------------------------------------------


def test_a_caller_that_is_slow_to_send_or_to_read_delays_no_other(
    served: Served, stub: Any, long: bytes, drummer: Drummer
) -> None:
    go = threading.Event()

    def slowly(data: bytes) -> Iterator[pb.StreamGenerateDrumsRequest]:
        pieces = Ask(data).pieces()
        yield next(pieces)
        yield pb.StreamGenerateDrumsRequest(midi_chunk=data[:100])
        go.wait()
        yield pb.StreamGenerateDrumsRequest(midi_chunk=data[100:])

    def much(data: bytes) -> Iterator[pb.StreamGenerateDrumsRequest]:
        config = pb.GenerationConfig(takes=4, explain=True)
        yield pb.StreamGenerateDrumsRequest(config=pb.StreamConfig(config=config, send_bar_events=True))
        yield pb.StreamGenerateDrumsRequest(midi_chunk=data)

    channels = [stub_of(served.address) for _ in range(5)]
    want = drummer.accompany(SHORT).to_bytes()
    try:
        senders = [way.StreamGenerateDrums(slowly(SHORT), timeout=SECONDS) for _, way in channels[:3]]
        readers = [way.StreamGenerateDrums(much(long), timeout=SECONDS) for _, way in channels[3:]]
        for reader in readers:  # it reads a little, and then no more
            next(piece for piece in reader if piece.WhichOneof("piece") == "bar_events")
        for _ in range(3):
            assert drums(stub, Ask(SHORT)) == want
            assert streamed(stub, Ask(SHORT))[0] == want
        go.set()
        for sender in senders:
            assert b"".join(piece.file_chunk.data for piece in sender) == want
        for reader in readers:
            files = Counter[int]()
            for piece in reader:
                files[piece.file_chunk.take] += len(piece.file_chunk.data)
                last = piece
            assert last.WhichOneof("piece") == "summary"
            assert len(last.summary.takes) == 4 == len(files)
    finally:
        go.set()
        for channel, _ in channels:
            channel.close()


# --- what it promises of itself ---------------------------------------------------------------------------------------


def test_a_call_gives_the_same_bytes_alone_and_beside_others(served: Served, stub: Any, drummer: Drummer) -> None:
    asks = [
        Ask(data, seed, hashlib.sha256(drummer.accompany(data, Options(seed=seed)).to_bytes()).hexdigest())
        for data in (SHORT, EXAMPLES[-1].read_bytes())
        for seed in (0, 1, 1 << 63)
    ]
    with ThreadPoolExecutor(12) as pool:
        assert all(pool.map(lambda ask: ask.is_right(drums(stub, ask)), asks * 4))


def test_nothing_of_the_music_gets_into_the_log_or_onto_the_disk(tmp_path: Path) -> None:
    name = "a name that nobody else has"
    plain = midi.parse(service.song("funk", 2))
    song = midi.serialise(dataclasses.replace(plain, parts=(dataclasses.replace(plain.parts[0], name=name),)))
    at = song.index(name.encode())
    with serving() as served:
        channel, stub = stub_of(served.address)
        with channel:
            analysis = stub.AnalyzeGuitar(pb.AnalyzeGuitarRequest(midi=song), timeout=SECONDS)
            assert name in [part.name for part in analysis.tracks]
            drums(stub, Ask(song))
            for bad in (song[:-20], song[: at + len(name)], song[:at] + b"\xff" * 9 + song[at:]):
                with contextlib.suppress(grpc.RpcError):
                    drums(stub, Ask(bad))
            track_of = pb.GenerateDrumsRequest(midi=song, config=pb.GenerationConfig(track=name[:20] + "?"))
            assert refused(lambda: stub.GenerateDrums(track_of, timeout=SECONDS)).reason == "TRACK_NOT_FOUND"
        assert served.end() == 0
        written = [path for path in served.folder.rglob("*") if path.is_file()]
        assert [path.name for path in written] == ["log"]
        assert name[:20] not in served.log
        assert "call" in served.log


def test_a_second_server_on_the_port_ends_at_once_and_names_the_first(served: Served, tmp_path: Path) -> None:
    state = str(served.folder / "server.json")
    words = ["-m", "server", "--port", str(served.state["port"]), "--state-file", state]
    second = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert second.returncode == 2
    assert len(second.stderr.splitlines()) == 1
    assert str(served.state["port"]) in second.stderr
    assert str(served.process.pid) in second.stderr
    assert "--port 0" in second.stderr
    assert served.health() == "SERVING"


def test_it_is_not_ready_before_it_has_played(tmp_path: Path) -> None:
    started = begin(tmp_path)
    try:
        first = started.health()
        started.wait()
        assert first == "NOT_SERVING"
        channel, stub = stub_of(started.address)
        with channel:
            assert len(drums(stub, Ask(SHORT))) > 0
    finally:
        started.kill()
