"""The client and the real server: what comes back is byte for byte what `Drummer` plays."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from client import AsyncRemoteDrummer, RemoteBeat, RemoteBrief, RemoteDrummer, cli, discovery
from seq2drum.cli import main
from seq2drum.errors import LimitError, OptionError, Seq2DrumError, UnknownModelError
from seq2drum.formats.midi import midi
from seq2drum.music.song_plan import PlannedSection
from seq2drum.play.decode import engine
from seq2drum.play.drummer import Drummer
from seq2drum.play.generators.composer import Brief, Composer, available
from seq2drum.play.jam.guitarist import jammed, strikes
from seq2drum.play.options import Options
from tests.conftest import ROOT
from tests.fake_server import real_server
from tests.servers import gone

pytestmark = pytest.mark.usefixtures("alone")

Run = Callable[..., int]
SONG = (ROOT / "examples" / "funk.mid").read_bytes()


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.mid"
    path.write_bytes(SONG)
    return path


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_server(tmp_path_factory.mktemp("server")) as where:
        yield where


@pytest.mark.parametrize(
    ("wanted", "with_guitar", "count"),
    [
        (Options(), False, 1),
        (Options(seed=5, style="rock", intensity=0.8), False, 1),
        pytest.param(Options(humanize=0.5, swing=0.5), True, 1, marks=pytest.mark.slow),
        pytest.param(Options(seed=2), False, 3, marks=pytest.mark.slow),
        (Options(drum_map="addictive-drums-2"), True, 2),
        (Options(groove="verse=half-time rock, ride,chorus=one drop", ending="choke", without=("crash",)), False, 1),
        (Options(groove=f"{ROOT}/examples/training/funk_1.mid:5-8", fill_at=(8,), daring=0.5), False, 2),
        (Options(like=ROOT / "examples" / "training" / "blues_shuffle_1.mid"), False, 1),
    ],
    ids=["plain", "style", "with guitar", "takes", "all", "grooves", "groove of a file", "like"],
)
def test_takes_of_the_real_server_have_the_bytes_of_drummer(
    real: str, drummer: Drummer, wanted: Options, with_guitar: bool, count: int
) -> None:
    data = (ROOT / "examples" / "rock_riff.mid").read_bytes()
    takes = [take.to_bytes(with_guitar=with_guitar) for take in drummer.takes(data, wanted, count)]
    with RemoteDrummer(real) as remote:
        for on_progress in (None, lambda *_: None):
            received = remote.takes(data, wanted, count, with_guitar=with_guitar, on_progress=on_progress)
            assert [take.midi for take in received] == takes
        if count == 1:
            with remote.stream(data, wanted, with_guitar=with_guitar) as stream:
                bars = {bar.number: bar.hits for bar in stream}
                assert [stream.take.midi] == takes
            made = {bar.bar.index + 1: bar.part for bar in drummer.stream(data, wanted)}
            assert {number: [hit.tick for hit in hits] for number, hits in bars.items()} == {
                number: [note.onset for note in part] for number, part in made.items()
            }


@pytest.mark.slow
def test_eight_takes_of_a_file_as_large_as_is_taken_come_back_with_its_guitar(real: str, drummer: Drummer) -> None:
    size = 1_000_000
    text = b"\x00\xff\x01" + bytes((0x80 | size >> 14, 0x80 | size >> 7 & 0x7F, size & 0x7F)) + bytes(size)
    tracks = int.from_bytes(SONG[10:12], "big") + 1
    one_more = b"MTrk" + (len(text) + 4).to_bytes(4, "big") + text + b"\x00\xff\x2f\x00"
    large = SONG[:10] + tracks.to_bytes(2, "big") + SONG[12:] + one_more
    takes = [take.to_bytes(with_guitar=True) for take in drummer.takes(large, Options(), 8)]
    assert sum(map(len, takes)) > 8 * size  # gRPC's own limit of a message is half of that
    with RemoteDrummer(real) as remote:
        for on_progress in (None, lambda *_: None):
            received = remote.takes(large, count=8, with_guitar=True, on_progress=on_progress)
            assert [take.midi for take in received] == takes


@pytest.mark.slow
def test_real_songs_through_the_real_command_line_are_what_infer_writes(
    real: str, drummer: Drummer, sample: list[Path], tmp_path: Path
) -> None:
    songs = [path for path in sample if path.stat().st_size < 60_000][:6]
    words = [*map(str, songs), "-o", str(tmp_path / "drums"), "--server", real, "--seed", "3"]
    assert cli.main(words) == 0
    for path in songs:
        made = (tmp_path / "drums" / (path.stem + ".drums.mid")).read_bytes()
        assert made == drummer.accompany(path, Options(seed=3)).to_bytes(), path.name


def test_the_real_server_refuses_with_the_messages_of_drummer(real: str, drummer: Drummer) -> None:
    with RemoteDrummer(real) as remote:
        cases: list[tuple[bytes, dict[str, Any]]] = [
            (b"", {}),
            (b"no music", {}),
            (SONG[:300], {}),
            (SONG, {"style": "polka"}),
            (SONG, {"track": "9"}),
            (SONG, {"bars": (1, 4)}),
            (SONG, {"fills": 3.0}),
            (SONG, {"groove": "rok"}),
            (SONG, {"groove": "A=one drop,verse=one drop,chorus=one drop"}),
            (SONG, {"like": SONG}),
            (SONG, {"fill_at": (900,)}),
            (SONG, {"without": ("gong",)}),
            (SONG, {"plan": (PlannedSection(1, 8, "Z", 1, None, 1.0, 1.0),)}),
            (SONG, {"plan": (PlannedSection(1, 8, "A", 1, None, 9.0, 1.0),)}),
            (SONG, {"plan": (PlannedSection(1, 8, "A", 3, None, 1.0, 1.0),), "arrange": "off"}),
        ]
        for data, wanted in cases:
            with pytest.raises(Seq2DrumError) as there:
                remote.accompany(data, **wanted)
            if data:
                plan, chosen = wanted.get("plan", ()), {name: one for name, one in wanted.items() if name != "plan"}
                with pytest.raises(type(there.value)) as here:
                    drummer.accompany(data, Options(**chosen), plan=plan)
                assert str(there.value) == str(here.value)
            with pytest.raises(type(there.value), match=re.escape(str(there.value))):
                remote.accompany(data, **wanted, on_progress=print)
        with pytest.raises(UnknownModelError, match="default"):
            remote.accompany(SONG, model="nothing")
        with pytest.raises(OptionError, match="gm"):
            remote.accompany(SONG, drum_map="/etc/passwd")
        with pytest.raises(LimitError, match="1,048,576"):
            remote.accompany(bytes(2_000_000))
        assert remote.server_info().limits.max_takes == 8


def test_beats_of_the_real_server_have_the_bytes_of_the_composer(real: str) -> None:
    wanted = Brief(genre="funk:2,jazz:1,rock:.3", bpm=96, bars=5, fill=4, change=(3,), variability=0.4)
    book, words = Composer.load(), Composer.load("words")
    with RemoteDrummer(real) as remote:
        beats = remote.beats(wanted, 2, seed=4)
        assert [beat.midi for beat in beats] == [book.compose(wanted, seed).to_bytes() for seed in (4, 5)]
        other = remote.compose(genre="rock", bars=2, model="words", metre="6/8")
        assert other.midi == words.compose(Brief(genre="rock", bars=2, metre="6/8")).to_bytes()
        assert remote.beats(RemoteBrief(genre={"jazz": 1.0}))[0].midi == book.compose(Brief("jazz")).to_bytes()
        song = remote.beats(RemoteBrief("rock", form="verse:4 chorus:2"))[0]
        assert song.midi == book.compose(Brief("rock", form="verse:4 chorus:2")).to_bytes()
        assert song.timeline.bars == 7
        assert [info.id for info in remote.generators()] == available()
        assert [info.id for info in remote.models()] == ["default", "live"]
        with pytest.raises(OptionError, match="words has not learnt trap"):
            remote.compose(genre="trap", model="words")
        for bad in (
            {"genre": "polka"},
            {"bpm": 10.0},
            {"bars": 0},
            {"form": "verse"},
            {"change": (9,)},
            {"grid": 17},
            {"metre": "7/7"},
        ):
            with pytest.raises(OptionError) as there:
                remote.compose(**bad)
            with pytest.raises(OptionError) as here:
                Brief(**bad)
            assert str(there.value) == str(here.value)
        with pytest.raises(UnknownModelError, match="step, words"):
            remote.compose(model="default")
        with pytest.raises(OptionError, match="guitar=FILE"):
            remote.compose(options=Options())


def struck(hits: Iterable[Any]) -> list[tuple[int, int, int]]:
    return [(hit.tick, hit.note, hit.velocity) for hit in hits]


def test_a_beat_without_an_end_has_the_bars_of_the_composer_and_heeds_new_wishes_from_the_next_bar_on(
    real: str,
) -> None:
    composer, asked = Composer.load(), Brief(genre="funk", bpm=96, bars=1024)
    made = composer.parts(lambda: asked, 3)
    first = [next(made) for _ in range(3)]
    asked = Brief(genre="jazz", bpm=140, bars=1024, variability=0.6)
    local = [*first, *(next(made) for _ in range(2))]
    wanted = [[(note.onset, note.pitch, note.velocity) for note in part] for part in local]
    changed = {"genre": "jazz", "bpm": 140.0, "variability": 0.6}
    with RemoteDrummer(real) as remote, remote.stream_compose(genre="funk", bpm=96.0, seed=3) as beat:
        bars = [*beat.bars(2), *beat.bars(1), *beat.bars(2, **changed)]
        with pytest.raises(OptionError, match="20 to 400"):
            list(beat.bars(1, bpm=1.0))
    assert [struck(bar.hits) for bar in bars] == wanted
    assert [(bar.number, bar.bpm) for bar in bars] == [(1, 96), (2, 96), (3, 96), (4, 140), (5, 140)]

    async def ask() -> list[Any]:
        async with AsyncRemoteDrummer(real) as drummer, drummer.stream_compose(genre="funk", bpm=96.0, seed=3) as beat:
            async for _ in beat.bars(2):
                break  # what is not taken is passed over
            taken = [bar async for bar in beat.bars(1)] + [bar async for bar in beat.bars(2, **changed)]
            with pytest.raises(OptionError, match="1 to 1019"):
                async for _ in beat.bars(2000):
                    pass
        return taken

    assert [struck(bar.hits) for bar in asyncio.run(ask())] == wanted[2:]


def test_a_beat_is_played_to_a_guitar_as_its_file_would_be_as_a_groove(
    real: str, drummer: Drummer, tmp_path: Path
) -> None:
    async def ask() -> RemoteBeat:
        async with AsyncRemoteDrummer(real) as remote:
            return await remote.compose(genre="rock", seed=2, guitar=SONG, options=Options(seed=1))

    beat = asyncio.run(ask())
    file = beat.save(tmp_path / "beat.mid")
    assert beat.drums and beat.drums.midi == drummer.accompany(SONG, Options(seed=1, groove=str(file))).to_bytes()


def test_compose_writes_what_generate_writes(
    real: str, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    here, there = tmp_path / "here.mid", tmp_path / "there.mid"
    asked = ["--genre", "funk", "--bpm", "96", "--bars", "4", "--seed", "2"]
    assert main(["--mode", "generate", *asked, "-o", str(here)]) == 0
    words = ["compose", *asked, "-o", str(there), "--server", real]
    assert cli.main(words) == 0
    assert here.read_bytes() == there.read_bytes()
    assert f"{there}: 4 bars" in capsys.readouterr().out
    assert cli.main(words) == 2  # nothing is written over
    assert cli.main([*words, "--force", "--json", "--guitar", str(song)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["also"] == [str(tmp_path / "there.drums.mid")] and midi.read(told["also"][0]).parts
    for bad, said in ((["--genre", "polka"], "afrobeat"), (["--takes", "2", "--guitar", str(song)], "--takes")):
        assert cli.main(["compose", *bad, "-o", str(tmp_path / "new.mid"), "--server", real]) == 2
        assert said in capsys.readouterr().err
    assert cli.main(["--list-generators", "--server", real]) == 0
    assert capsys.readouterr().out.startswith("book: ")


@pytest.mark.slow
def test_the_real_server_wants_its_token(
    tmp_path: Path, song: Path, capsys: pytest.CaptureFixture[str], drummer: Drummer
) -> None:
    token, file = "s3cret-enough-for-a-test-0123456789", tmp_path / "token"
    with real_server(tmp_path, SEQ2DRUM_TOKEN=token) as where:
        words = [str(song), "--server", where]
        assert cli.main(words) == 2
        file.write_text("another-token-that-is-long-enough-0123456789")
        assert cli.main([*words, "--token-file", str(file)]) == 2
        assert capsys.readouterr().err.count("token") >= 2
        file.write_text(token + "\n")
        assert cli.main([*words, "--token-file", str(file)]) == 0
        with RemoteDrummer(where, token=token) as remote, remote.stream(SONG) as stream:
            assert len(list(stream)) == stream.timeline.bars
            assert stream.take.midi == drummer.accompany(SONG).to_bytes()


@pytest.mark.slow
def test_the_real_server_is_started_where_none_runs(
    song: Path, drummer: Drummer, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        assert cli.main([str(song), "--start-server"]) == 0
        assert song.with_name("song.drums.mid").read_bytes() == drummer.accompany(SONG).to_bytes()
        capsys.readouterr()
        assert cli.main(["--status"]) == 0
        assert json.loads(capsys.readouterr().out)["serving"] is True
    finally:
        pid = json.loads(discovery.state_file().read_text())["pid"]
        os.kill(pid, signal.SIGTERM)
        gone(pid)


def test_a_jam_is_that_of_the_command_line_however_it_is_told(real: str) -> None:
    song = midi.parse(SONG)
    take = jammed(engine.load("live"), song, Options(seed=3))
    guitar = [song.parts[index] for index in take.guitar.parts]
    stop = take.song.bars()[-1].start / song.ticks_per_quarter
    told = [(one.quarter, one) for one in strikes(guitar, song.ticks_per_quarter) if one.quarter <= stop]
    about: Any = {"bpm": song.tempo_map[0].bpm, "program": guitar[0].program, "seed": 3}
    with RemoteDrummer(real) as remote, remote.jam(**about) as jam:
        for quarter, one in sorted([*told, (stop - 4, None)], key=lambda each: each[0]):
            if one is None:
                jam.show("stop", quarter)
            else:
                jam.hear([one])
        jam.hear(until=stop)
        bars = list(jam)
    hits = [(hit.tick, hit.length, hit.note, hit.velocity) for bar in bars for hit in bar.hits]
    assert sorted(hits) == sorted(tuple(row) for row in take.part.rows.tolist())
    assert bars[-1].last and [bar.number for bar in bars] == list(range(1, len(bars) + 1))

    async def ask() -> list[Any]:
        async with AsyncRemoteDrummer(real) as drummer, drummer.jam(**about) as jam:
            for at in range(16):
                await jam.hear([(at, 40, 90)], until=at)
            await jam.end()
            return [bar async for bar in jam]

    assert [bar.number for bar in asyncio.run(ask())] == [1, 2, 3, 4]
    with (
        RemoteDrummer(real) as remote,
        remote.jam(model="default") as jam,
        pytest.raises(OptionError, match="cannot play along"),
    ):
        list(jam)
