"""The worker that plays: frames in, frames out."""

from __future__ import annotations

import hashlib
import io
import itertools
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

import pytest
from google.rpc import error_details_pb2, status_pb2

from seq2drum.errors import CheckpointError
from seq2drum.formats.midi import midi
from seq2drum.music.limits import DEFAULT_LIMITS
from seq2drum.music.notes import Note, Part, Song
from seq2drum.play.checkpoint.folder import WEIGHTS, find
from seq2drum.play.drummer import Drummer
from seq2drum.play.generators import composer
from seq2drum.play.generators.composer import Brief, Composer
from seq2drum.play.grooves import choosing
from seq2drum.play.grooves.book import Book
from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb
from server import convert, ipc, parser, player, statuses
from server.ipc import Frame
from tests.players import strummed

ROOT = Path(__file__).parents[2]
BLUES = (ROOT / "examples" / "blues_shuffle.mid").read_bytes()
BOSSA = (ROOT / "examples" / "bossa_nova.mid").read_bytes()


class Worker:
    """A worker that plays, and whoever speaks to it."""

    def __init__(self, **start: Any) -> None:
        self._start = start
        self.process = subprocess.Popen(
            [sys.executable, "-m", "server.player"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
        )

    def say(self, head: dict[str, Any], body: bytes = b"") -> None:
        stdin: Any = self.process.stdin
        ipc.write_frame(stdin, Frame(head, body))

    def hear(self) -> Frame:
        stdout: Any = self.process.stdout
        frame = ipc.read_frame(stdout)
        assert frame is not None
        return frame

    def begin(self, **models: str) -> Frame:
        models = models or {"default": str(find("default"))}
        limits = asdict(DEFAULT_LIMITS)
        self.say(
            {
                "what": "start",
                "limits": limits,
                "max_bars": 2000,
                "max_takes": 8,
                "models": models,
                "default": next(iter(models)),
                "threads": 1,
                **self._start,
            }
        )
        return self.hear()

    def end(self) -> None:
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        assert self.process.wait(10) == 0
        self.process.stdout.close()

    def play(self, job: int, midi: bytes, *, bars: bool = False, **config: Any) -> None:
        request = pb.GenerateDrumsRequest(midi=midi, config=pb.GenerationConfig(**config), request_id=f"r{job}")
        self.say({"what": "play", "job": job, "bars": bars}, request.SerializeToString())

    def until_done(self, *jobs: int) -> dict[int, list[Frame]]:
        """All that is said of some jobs until each is done, failed or left."""
        said: dict[int, list[Frame]] = {job: [] for job in jobs}
        open_jobs = set(jobs)
        while open_jobs:
            frame = self.hear()
            if frame.head["what"] in ("taken", "alive"):
                continue
            said[frame.head["job"]].append(frame)
            if frame.head["what"] in ("done", "failed", "left"):
                open_jobs.discard(frame.head["job"])
        return said


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    running = Worker()
    running.ready = running.begin()  # type: ignore[attr-defined]
    yield running
    running.end()


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def reply(said: list[Frame]) -> pb.GenerateDrumsResponse:
    assert said[-1].head["what"] == "done"
    return pb.GenerateDrumsResponse.FromString(said[-1].body)


def test_grooves_that_fit_a_song_are_offered_with_what_is_expected_of_them(worker: Worker, drummer: Drummer) -> None:
    guitar, options = drummer.listen(BLUES, Options(style="jazz"))
    expected = choosing.offered(guitar.song_grid.guitar_grid, guitar.sections, options)
    request = pb.GenerateDrumsRequest(midi=BLUES, config=pb.GenerationConfig(style="jazz"))
    worker.say({"what": "grooves", "job": 70}, request.SerializeToString())
    said = worker.until_done(70)[70]
    assert said[-1].head["what"] == "done"
    listed = pb.ListGroovesResponse.FromString(said[-1].body).grooves
    assert [(groove.name, groove.expected_f1) for groove in listed] == [(own.name, f1) for own, f1 in expected]
    assert 1 < len(listed) <= 10
    worker.say({"what": "grooves", "job": 71}, pb.GenerateDrumsRequest(midi=b"x").SerializeToString())
    assert worker.until_done(71)[71][-1].head["what"] == "failed"


def test_when_ready_it_sends_its_models_drum_maps_grooves_and_generators(worker: Worker) -> None:
    ready: Frame = worker.ready  # type: ignore[attr-defined]
    first, second, third, fourth = itertools.accumulate(ready.head["sizes"])
    models = pb.ListModelsResponse.FromString(ready.body[:first])
    maps = pb.ListDrumMapsResponse.FromString(ready.body[first:second])
    grooves = pb.ListGroovesResponse.FromString(ready.body[second:third])
    assert models.default_model == "default" and [model.id for model in models.models] == ["default"]
    weights = find("default") / WEIGHTS
    assert models.models[0].sha256 == hashlib.sha256(weights.read_bytes()).digest()
    assert maps.maps[0].id == "gm"
    assert [groove.name for groove in grooves.grooves] == [groove.name for groove in Book.load()]
    generators = pb.ListGeneratorsResponse.FromString(ready.body[third:fourth])
    assert [info.id for info in generators.generators] == composer.available()
    assert fourth == len(ready.body)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows the limits of a process")
def test_it_leaves_no_core_file_which_would_have_the_music_in_it(worker: Worker) -> None:
    limits = Path(f"/proc/{worker.process.pid}/limits").read_text(encoding="ascii")
    assert re.search(r"Max core file size +0 +0 ", limits)


def test_it_plays_what_a_drummer_plays_in_the_same_process(worker: Worker, drummer: Drummer) -> None:
    worker.play(1, BLUES, seed=7, style="jazz")
    answer = reply(worker.until_done(1)[1])
    assert answer.takes[0].midi == drummer.accompany(BLUES, Options(seed=7, style="jazz")).to_bytes()
    assert answer.takes[0].seed == 7 and answer.effective_config.top_p == 0.99
    assert answer.timing.batch_size == 1 and 0 < answer.timing.first_bar_ms <= answer.timing.generate_ms


def test_calls_at_once_share_the_model_and_change_nothing(worker: Worker, drummer: Drummer) -> None:
    asked = {
        10: (BLUES, Options()),
        11: (BOSSA, Options(seed=1, intensity=0.9)),
        12: (BLUES, Options(seed=2, temperature=0.0)),
        13: (BOSSA, Options(seed=3, humanize=0.5)),
    }
    for job, (song, options) in asked.items():
        given: dict[str, Any] = {"seed": options.seed, "temperature": options.temperature}
        given |= {name: value for name in ("intensity", "humanize") if (value := getattr(options, name)) is not None}
        worker.play(job, song, **given)
    said = worker.until_done(*asked)
    for job, (song, options) in asked.items():
        assert reply(said[job]).takes[0].midi == drummer.accompany(song, options).to_bytes()
    assert max(reply(said[job]).timing.batch_size for job in asked) > 1


def test_bars_come_as_they_are_made_and_are_the_bars_of_the_file(worker: Worker, drummer: Drummer) -> None:
    worker.play(20, BOSSA, bars=True)
    said = worker.until_done(20)[20]
    bars = [
        pb.StreamGenerateDrumsResponse.FromString(frame.body).bar_events
        for frame in said
        if frame.head["what"] == "bar"
    ]
    song = midi.parse(BOSSA)
    assert [bar.bar for bar in bars] == list(range(1, len(song.bars()) + 1))
    take = drummer.accompany(BOSSA)
    hits = sorted((hit.tick, hit.length_ticks, hit.note, hit.velocity) for bar in bars for hit in bar.hits)
    assert hits == sorted(tuple(row) for row in take.part.rows.tolist())


def test_a_plan_is_played_as_a_drummer_plays_it_and_comes_with_its_bars(worker: Worker, drummer: Drummer) -> None:
    plan = drummer.accompany(BLUES, Options(seed=2)).plan
    plan = (plan[0]._replace(level=1.5, loudness=1.2, cymbal="crash"), *plan[1:])
    worker.play(25, BLUES, bars=True, seed=2, plan=map(convert.planned_section, plan))
    said = worker.until_done(25)[25]
    take = drummer.accompany(BLUES, Options(seed=2), plan=plan)
    answer = reply(said)
    assert answer.takes[0].midi == take.to_bytes() != drummer.accompany(BLUES, Options(seed=2)).to_bytes()
    assert convert.plan_of(pb.GenerationConfig(plan=answer.takes[0].plan)) == take.plan
    assert convert.plan_of(answer.effective_config) == plan
    pieces = [pb.StreamGenerateDrumsResponse.FromString(frame.body) for frame in said if frame.head["what"] == "bar"]
    assert [row for piece in pieces for row in piece.bar_events.plan] == list(answer.takes[0].plan)
    worker.play(26, BLUES, arrange="off", plan=map(convert.planned_section, plan))
    assert b"the plan builds the song" in worker.until_done(26)[26][-1].body


def test_takes_are_ranked_and_the_same_as_in_one_process(worker: Worker, drummer: Drummer) -> None:
    worker.play(30, BLUES, takes=3, explain=True)
    answer = reply(worker.until_done(30)[30])
    takes = drummer.takes(BLUES, Options(), 3)
    assert [take.seed for take in answer.takes] == [take.options.seed for take in takes]
    assert [take.midi for take in answer.takes] == [take.to_bytes() for take in takes]
    assert [take.score for take in answer.takes] == pytest.approx([take.score for take in takes])
    texts = [(passage.first_bar, passage.last_bar, passage.text) for passage in answer.takes[0].explanations]
    assert texts == [(passage.first, passage.last, passage.text) for passage in takes[0].explain()]


def test_the_whole_file_comes_back_with_its_guitar(worker: Worker, drummer: Drummer) -> None:
    worker.play(40, BOSSA, with_guitar=True)
    assert reply(worker.until_done(40)[40]).takes[0].midi == drummer.accompany(BOSSA).to_bytes(with_guitar=True)


def test_what_is_cancelled_is_played_no_further_and_the_others_do_not_notice(worker: Worker, drummer: Drummer) -> None:
    long = midi.serialise(strummed(8))
    worker.play(50, long, bars=True, takes=8)
    worker.play(51, BLUES, seed=4)
    first = worker.hear()
    worker.say({"what": "cancel", "job": 50})
    said = {50: [first], 51: []} if first.head["job"] == 50 else {50: [], 51: [first]}
    for job, more in worker.until_done(50, 51).items():
        said[job] += more
    assert said[50][-1].head["what"] == "left"
    assert reply(said[51]).takes[0].midi == drummer.accompany(BLUES, Options(seed=4)).to_bytes()
    worker.say({"what": "cancel", "job": 50})  # who is not there can be cancelled, too
    assert worker.hear().head == {"what": "left", "job": 50}


@pytest.mark.parametrize(
    ("song", "config", "reason"),
    [
        (b"no midi", {}, "INVALID_MIDI"),
        (BLUES, {"model": "none-such"}, "UNKNOWN_MODEL"),
        (BLUES, {"temperature": 3.0}, "INVALID_OPTION"),
        (BLUES, {"prime_bars": 2}, "INVALID_OPTION"),
        (BLUES, {"takes": 9}, "INVALID_OPTION"),
        (BLUES, {"track": "bagpipe"}, "TRACK_NOT_FOUND"),
    ],
)
def test_a_call_that_cannot_be_played_fails_with_a_status(
    worker: Worker, song: bytes, config: dict[str, Any], reason: str
) -> None:
    worker.play(60, song, **config)
    (frame,) = worker.until_done(60)[60]
    assert frame.head["what"] == "failed"
    status = status_pb2.Status.FromString(frame.body)
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.reason == reason


def test_a_model_whose_steps_round_otherwise_in_a_batch_plays_one_call_after_another(
    drummer: Drummer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[Frame] = []
    scheduler = player.load_scheduler("default", "default")
    assert scheduler.can_batch
    scheduler.can_batch = False
    playing = player.Player({"default": scheduler}, {}, DEFAULT_LIMITS, 8, sent.append)
    for job in (1, 2):
        request = pb.GenerateDrumsRequest(midi=BLUES)
        playing.receive(Frame({"what": "play", "job": job}, request.SerializeToString()))
    while playing.busy:
        playing.advance()
        assert len(scheduler.calls) <= 1
    done = [frame for frame in sent if frame.head["what"] == "done"]
    assert [frame.head["job"] for frame in done] == [1, 2]
    assert all(reply([frame]).timing.batch_size == 1 for frame in done)


def test_a_call_is_said_to_be_taken_before_all_else_and_its_cost_is_told_at_its_end(worker: Worker) -> None:
    worker.play(65, BLUES)
    heard = [worker.hear()]
    while heard[-1].head["what"] != "done":
        heard.append(worker.hear())
    assert heard[0].head == {"what": "taken", "job": 65}
    assert 0 < heard[-1].head["seconds"] < 60 and heard[-1].head["mebibytes"] > 0


def test_a_player_that_works_says_each_second_that_it_does(drummer: Drummer, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Frame] = []
    monkeypatch.setattr(player, "ALIVE_SECONDS", 0.0)
    monkeypatch.setattr(player, "PROGRESS_SECONDS", 1e9)
    playing = player.Player(
        {"default": player.load_scheduler("default", "default")}, {}, DEFAULT_LIMITS, 8, sent.append
    )
    playing.receive(Frame({"what": "play", "job": 1}, pb.GenerateDrumsRequest(midi=BLUES).SerializeToString()))
    for _ in range(20):
        playing.advance()
    assert [frame.head["what"] for frame in sent[-10:]] == ["alive"] * 10


def test_a_parser_and_a_player_parse_a_file_once_each(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []
    parse = midi.parse

    def counted(data: bytes, **given: Any) -> Song:
        parsed.append(data)
        return parse(data, **given)

    sent: list[Frame] = []
    playing = player.Player(
        {"default": player.load_scheduler("default", "default")}, {}, DEFAULT_LIMITS, 8, sent.append
    )
    request = pb.GenerateDrumsRequest(midi=BLUES).SerializeToString()
    monkeypatch.setattr(midi, "parse", counted)
    parser.analyze(request, parser.RequestRules(DEFAULT_LIMITS, 2000, 8, ("default",), "default"))
    assert parsed == [BLUES]
    playing.receive(Frame({"what": "play", "job": 1}, request))
    while playing.busy:
        playing.advance()
    assert sent[-1].head["what"] == "done" and parsed == [BLUES, BLUES]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits of memory are those of Linux")
def test_a_song_for_which_there_is_no_memory_fails_alone() -> None:
    worker = Worker(player_mebibytes=128)
    worker.begin()
    notes = [Note(480 * quarter, 480, 40 + quarter * 5 % 12, 80) for quarter in range(14_000)]
    worker.play(1, midi.serialise(Song(480, (Part.of(notes, program=27, name="Guitar"),))), takes=8)
    worker.play(2, BLUES)
    said = worker.until_done(1, 2)
    assert said[1][-1].head["what"] == "failed"
    assert statuses.reason_of(status_pb2.Status.FromString(said[1][-1].body)) == "MIDI_TOO_COMPLEX"
    assert reply(said[2]).takes[0].midi
    worker.end()


@pytest.mark.parametrize("fault", [MemoryError(), IndexError("7"), CheckpointError("it is damaged")])
def test_models_are_loaded_under_the_limits_and_whatever_is_wrong_with_one_is_a_status(
    fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[object] = []

    def opened(name: str, folder: str, *, threads: int) -> NoReturn:
        done.append(folder)
        raise fault

    monkeypatch.setattr(player, "bound_memory", done.append)
    monkeypatch.setattr(player, "load_scheduler", opened)
    start = Frame({"what": "start", "models": {"mine": "a folder"}, "default": "mine"})
    source, sink = io.BytesIO(ipc.pack_frame(start)), io.BytesIO()
    assert player.serve(source, sink) == 2
    assert done == [player.LOADING_MEBIBYTES, "a folder"]
    said = ipc.read_frame(io.BytesIO(sink.getvalue()))
    assert said is not None
    status = status_pb2.Status.FromString(said.body)
    assert statuses.reason_of(status) == "MODEL_UNUSABLE"
    assert "'mine' cannot be served: it" in status.message


def test_a_checkpoint_that_cannot_be_used_ends_the_worker_with_a_status(tmp_path: Path) -> None:
    worker = Worker()
    worker.process.stderr = None
    (tmp_path / "config.json").write_text("{}")
    assert worker.process.stdin and worker.process.stdout
    worker.say(
        {
            "what": "start",
            "limits": asdict(DEFAULT_LIMITS),
            "max_bars": 2000,
            "max_takes": 8,
            "models": {"bad": str(tmp_path)},
            "default": "bad",
            "threads": 1,
        }
    )
    frame = worker.hear()
    worker.process.stdin.close()
    assert frame.head["what"] == "failed"
    assert status_pb2.Status.FromString(frame.body).message
    assert worker.process.wait(10) == 2
    worker.process.stdout.close()


# --- beats without a guitar -------------------------------------------------------------------------------------------


def compose(worker: Worker, job: int, **brief: Any) -> None:
    worker.say({"what": "compose", "job": job}, pb.ComposeRequest(brief=pb.Brief(**brief)).SerializeToString())


def test_beats_made_beside_each_other_and_beside_a_song_are_those_that_the_composer_makes_alone(worker: Worker) -> None:
    asked: list[dict[str, Any]] = [
        {"genres": [pb.GenreShare(name="funk", weight=2), pb.GenreShare(name="jazz")], "bpm": 96, "takes": 2},
        {"model": "words", "bars": 3, "fill": 2, "seed": 7, "meter": "7/8", "grid": 16},
    ]
    worker.play(51, BLUES)
    for job, brief in enumerate(asked, start=52):
        compose(worker, job, **brief)
    said = worker.until_done(51, 52, 53)
    made = [pb.ComposeResponse.FromString(said[job][-1].body) for job in (52, 53)]
    funk, words = Brief("funk:2,jazz:1", 96), Brief(bars=3, fill=2, metre="7/8", grid=16)
    alone = Composer.load()
    assert [beat.midi for beat in made[0].beats] == [alone.compose(funk, seed).to_bytes() for seed in (0, 1)]
    assert [beat.seed for beat in made[0].beats] == [0, 1]
    assert made[1].beats[0].midi == Composer.load("words").compose(words, 7).to_bytes()
    assert (made[0].generator.id, made[1].generator.id) == ("book", "words")
    assert reply(said[51]).takes[0].midi


def test_a_beat_that_is_cancelled_is_made_no_further_and_one_that_makes_no_sense_fails_alone(worker: Worker) -> None:
    compose(worker, 61, bars=1024, takes=8)
    worker.say({"what": "cancel", "job": 61})
    compose(worker, 62, bars=0)
    compose(worker, 63, bars=1)
    said = worker.until_done(61, 62, 63)
    assert said[61][-1].head["what"] == "left"
    assert "1 to 1024" in status_pb2.Status.FromString(said[62][-1].body).message
    assert pb.ComposeResponse.FromString(said[63][-1].body).timeline.bars == 1


def test_a_beat_without_an_end_goes_on_from_message_to_message_until_it_is_forgotten(worker: Worker) -> None:
    def more(job: int) -> list[int]:
        worker.say({"what": "more", "job": job, "held": 9}, pb.StreamComposeRequest(bars=2).SerializeToString())
        frames = worker.until_done(job)[job][:-1]
        return [pb.StreamComposeResponse.FromString(frame.body).bar for frame in frames]

    assert more(71) + more(72) == [1, 2, 3, 4]
    worker.say({"what": "forget", "job": 0, "held": 9})
    assert more(73) == [1, 2]
    worker.say({"what": "forget", "job": 0, "held": 9})
