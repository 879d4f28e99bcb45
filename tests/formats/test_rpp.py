"""REAPER projects, read back by a reader of another's making: the same notes, ticks, tempos, metres and names."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import rpp as reader
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2drum import Drummer, Options
from seq2drum.formats.midi import midi
from seq2drum.formats.rpp import DRUM_TRACK, write_rpp
from seq2drum.music.notes import DEFAULT_METRE, DEFAULT_TEMPO, Metre, Note, Part, Song, Tempo
from seq2drum.music.theory import program_name
from tests.commands import called
from tests.players import save_player, strummed
from tests.strategies import parts, songs

Run = Callable[..., tuple[int, str, str]]


class Take(NamedTuple):
    """The contents of a take of a project's item; end: the tick its source ends at."""

    name: str
    channels: set[int]
    program: int
    ticks_per_quarter: int
    notes: list[Note]
    end: int


class Point(NamedTuple):
    seconds: Fraction
    bpm: float
    metre: tuple[int, int] | None
    partial: bool


class Project(NamedTuple):
    """A project as REAPER's format says it: track names with their item's takes, and the tempo map."""

    tracks: list[tuple[str, list[Take]]]
    points: list[Point]
    lengths: list[Fraction]
    root: Any


def read(data: bytes) -> Project:
    root: Any = reader.loads(data.decode())
    assert root.tag == "REAPER_PROJECT"
    points = []
    for line in root.find("TEMPOENVEX").findall("PT"):
        seconds, bpm, shape, *metre = line[1:]
        assert shape == "1"  # the tempo holds until the next point
        assert [metre[1:2], metre[2:]] in ([["0"], ["1"]], [["0"], ["5"]], [[], []])
        packed = int(metre[0]) if metre else 0
        points.append(
            Point(Fraction(seconds), float(bpm), (packed & 0xFFFF, packed >> 16) if metre else None, metre[2:] == ["5"])
        )
    tracks, lengths = [], []
    for track in root.findall("TRACK"):
        (item,) = track.findall("ITEM")
        assert item.find("POSITION")[1] == "0"
        lengths.append(Fraction(item.find("LENGTH")[1]))
        names = [line[1] for line in item.findall("NAME")]
        sources = item.findall("SOURCE")
        assert sum(line == "TAKE" for line in item) == len(sources) - 1
        tracks.append((track.find("NAME")[1], list(map(_take, names, sources))))
    return Project(tracks, points, lengths, root)


def _take(name: str, source: Any) -> Take:
    assert source.attrib == ["MIDI"]
    assert source.find("IGNTEMPO")[1] == "0"  # the notes go with the project's tempo
    _, has, ticks, unit = source.find("HASDATA")
    assert (has, unit) == ("1", "QN")
    tick, program, channels, notes = 0, 0, set(), []
    sounding: dict[int, deque[tuple[int, int]]] = defaultdict(deque)
    for _, delta, *message in source.findall("E"):
        tick += int(delta)
        status, first, second = (int(byte, 16) for byte in message)
        kind = status & 0xF0
        if kind == 0x90:
            sounding[first].append((tick, second))
        elif kind == 0x80:
            begun, velocity = sounding[first].popleft()
            notes.append(Note(begun, tick - begun, first, velocity))
        elif kind == 0xC0:
            program = first
        else:
            assert (kind, first) == (0xB0, 123)
            continue
        channels.add(status & 0x0F)
    assert not any(sounding.values())
    return Take(name, channels, program, int(ticks), sorted(notes), tick)


def changes(song: Song) -> tuple[dict[int, Tempo], dict[int, Metre]]:
    """The tempos and metres that hold, by their ticks."""
    return (
        {0: DEFAULT_TEMPO} | {tempo.tick: tempo for tempo in song.tempos},
        {0: DEFAULT_METRE} | {metre.tick: metre for metre in song.metres},
    )


def ticks_of(points: list[Point], ticks_per_quarter: int) -> list[float]:
    """The ticks reached by a program that counts quarters by the points' seconds and tempos."""
    ticks, quarter = [0.0], 0.0
    for before, after in pairwise(points):
        quarter += float(after.seconds - before.seconds) * before.bpm / 60
        ticks.append(quarter * ticks_per_quarter)
    return ticks


def agrees(song: Song, takes: list[Part], name: str = "Drums") -> Project:
    """Read the project back and hold it against the song."""
    project = read(write_rpp(song, takes, name))
    pitched = [part for part in song.parts if not part.is_drums]
    assert len(project.tracks) == len(pitched) + 1
    *guitars, (drum_name, drums) = project.tracks
    assert drum_name == DRUM_TRACK
    for part, (_, (take,)) in zip(pitched, guitars, strict=True):
        assert take.notes == sorted(part)
        assert (take.program, take.channels, take.ticks_per_quarter) == (part.program, {0}, song.ticks_per_quarter)
        assert take.end == max(song.end, 1)
    for part, take in zip(takes, drums, strict=True):
        assert take.notes == sorted(part)
        assert take.channels <= {9}
        assert take.ticks_per_quarter == song.ticks_per_quarter
        assert take.end >= max(song.end, 1)
    tempos, metres = changes(song)
    where = sorted(tempos | metres)
    assert len(project.points) == len(where)
    ticks = ticks_of(project.points, song.ticks_per_quarter)
    for tick, point, heard in zip(where, project.points, ticks, strict=True):
        assert float(point.seconds) == pytest.approx(song.seconds(tick), abs=1e-9, rel=1e-12)
        assert abs(heard - tick) < 0.01  # no drift: the nearest tick is the right one
        assert point.bpm == pytest.approx(song.tempo_at(tick).bpm, abs=1e-9)
        assert (point.metre is not None) == (tick in metres)
        if point.metre is not None:
            assert point.metre == metres[tick][1:]
    assert all(
        float(length) == pytest.approx(song.seconds(take[0].end), abs=1e-9)
        for length, (_, take) in zip(project.lengths, project.tracks, strict=True)
    )
    return project


DRUMS = Part.of([Note(at, 60, 36 + at % 7, 90) for at in range(0, 14_000, 240)], name="Drums", is_drums=True)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(songs(max_parts=4, max_notes=12), st.lists(parts(5_000, max_notes=10), min_size=1, max_size=3))
@example(Song(960), [Part.of([], is_drums=True)])
def test_a_project_holds_the_notes_tempos_and_metres_of_any_song(song: Song, parts: list[Part]) -> None:
    takes = [replace(part, is_drums=True) for part in parts]
    agrees(song, takes)


def test_a_metre_change_off_the_barline_cuts_the_bar_before_it_and_others_do_not() -> None:
    metres = (Metre(0, 4, 4), Metre(1920 * 2, 7, 8), Metre(1920 * 2 + 1680, 6, 8), Metre(1920 * 2 + 1680 + 1000, 4, 4))
    song = strummed(4, metres, tempos=(Tempo(0, 500_000), Tempo(2000, 612_345)))
    project = agrees(song, [DRUMS])
    assert [(point.metre, point.partial) for point in project.points] == [
        ((4, 4), False),
        (None, False),
        ((7, 8), False),
        ((6, 8), False),
        ((4, 4), True),
    ]


def test_several_takes_are_takes_of_one_item_and_the_best_comes_first() -> None:
    soft = Part.of([note._replace(velocity=20) for note in DRUMS], name="Drums", is_drums=True)
    project = agrees(strummed(), [DRUMS, soft], "My Song")
    assert [take.name for take in project.tracks[-1][1]] == ["My Song 1", "My Song 2"]


def test_the_pedal_of_a_hat_stands_before_the_hit() -> None:
    hat = replace(Part.of([Note(240, 60, 46, 90)], is_drums=True), pedal=np.array([[240, 0]]))
    text = write_rpp(Song(480, (), length=480), [hat]).decode()
    assert [line.split() for line in text.splitlines() if line.strip().startswith("E ")] == [
        ["E", "240", "b9", "04", "00"],
        ["E", "0", "99", "2e", "5a"],
        ["E", "60", "89", "2e", "00"],
        ["E", "180", "b9", "7b", "00"],
    ]


def test_drums_on_brushes_say_so_and_those_of_the_standard_kit_say_nothing() -> None:
    for program in (0, 40):
        text = write_rpp(strummed(), [replace(DRUMS, program=program)])
        assert (b" c9 28 " in text) == (program == 40)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Guitar", "Guitar"),
        ("Strat 'dry' & \"wet\"", "Strat 'dry' & \"wet\""),
        ('12" single', '12" single'),
        ("it's", "it's"),
        ("all `three` 'of' \"them\"", "all 'three' 'of' \"them\""),
        ("  spaced  ", "  spaced  "),
        ("> <TRACK", "> <TRACK"),
        ("|bar", "|bar"),
        ("a\nNAME evil\r\n>\t\x00\u2028b", "a NAME evil  >   b"),
        ("Gitarre für Zoë \u30ae\u30bf\u30fc", "Gitarre für Zoë \u30ae\u30bf\u30fc"),
        ("half \ud800 pair", "half   pair"),
        ("", "1 Electric Guitar"),
    ],
)
def test_any_name_is_written_so_that_it_stays_a_name(name: str, shown: str) -> None:
    song = strummed()
    song = replace(song, parts=(replace(song.parts[0], name=name),))
    project = agrees(song, [DRUMS], name or "Drums")
    assert project.tracks[0][0] == shown
    assert project.tracks[0][1][0].name == shown


def test_a_track_without_a_name_is_called_by_its_number_in_the_song_and_its_sound() -> None:
    notes = [Note(0, 480, 40, 90)]
    parts = (Part.of(notes, is_drums=True), Part.of(notes, program=25), Part.of(notes, program=33, name="  "))
    project = read(write_rpp(Song(480, parts, length=1920), [Part.of(notes, is_drums=True)]))
    sounds = [program_name(program) for program in (25, 33)]
    assert [name for name, _ in project.tracks] == [f"2 {sounds[0]}", f"3 {sounds[1]}", DRUM_TRACK]


def test_the_same_music_gives_the_same_bytes_and_other_music_other_ids() -> None:
    song = strummed()
    assert write_rpp(song, [DRUMS]) == write_rpp(song, [DRUMS])
    one, other = (set(_ids(write_rpp(song, [part]))) for part in (DRUMS, song.parts[0]))
    assert not one & other
    ids = _ids(write_rpp(song, [DRUMS, DRUMS]))
    assert len(ids) == len(set(ids))


def _ids(data: bytes) -> list[str]:
    return [word for word in data.decode().split() if word.startswith("{") and word.endswith("}")]


def test_a_long_song_of_many_tempos_does_not_drift() -> None:
    tempos = tuple(Tempo(index * 997, 400_000 + index * 7919 % 300_000) for index in range(3000))
    agrees(Song(960, strummed().parts, tempos, length=997 * 3000), [DRUMS])


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"))


@pytest.fixture
def run(player: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        words = ["--mode", "infer", *map(str, arguments), "--model", str(player)]
        return called(words, capsys)

    return run


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "a.mid"
    path.write_bytes(midi.serialise(strummed(metres=(Metre(0, 7, 8),), ticks_per_quarter=960)))
    return path


def test_a_project_is_written_beside_the_drums_and_holds_them(run: Run, song: Path, player: Path) -> None:
    target = song.with_name("a.rpp")
    code, out, err = run(song, "--rpp", target)
    assert (code, err) == (0, "")
    assert out.count("\n") == 1  # it goes without saying, as the score does
    take = Drummer.load(player).accompany(song)
    assert target.read_bytes() == write_rpp(replace(take.song, markers=take.markers), [take.part], "a")
    assert song.with_name("a.drums.mid").read_bytes() == take.to_bytes()
    agrees(take.song, [take.part])


def test_the_takes_of_a_run_are_the_takes_of_its_project(run: Run, song: Path, player: Path) -> None:
    target = song.with_name("a.rpp")
    assert run(song, "--takes", 3, "--seed", 4, "--drum-map", "avl-drumkits", "--rpp", target)[0] == 0
    takes = Drummer.load(player).takes(song, Options(seed=4, drum_map="avl-drumkits"), 3)
    song_then = replace(takes[0].song, markers=takes[0].markers)
    assert target.read_bytes() == write_rpp(song_then, [take.part for take in takes], "a")


def test_a_project_from_standard_input_to_standard_output_is_called_drums(
    run: Run, song: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with song.open("rb") as held:
        monkeypatch.setattr("sys.stdin", type("In", (), {"buffer": held}))
        assert run("-", "-o", tmp_path / "x.mid", "--rpp", tmp_path / "x.rpp")[0] == 0
    assert b'NAME "Drums"' in (tmp_path / "x.rpp").read_bytes()


def test_a_project_is_not_written_over_unless_that_is_asked_for(run: Run, song: Path) -> None:
    target = song.with_name("a.rpp")
    target.write_bytes(b"mine")
    refused(run(song, "--rpp", target), "a.rpp exists already", "--force")
    assert not song.with_name("a.drums.mid").exists()  # both or none
    assert run(song, "--rpp", target, "--force")[0] == 0
    assert target.read_bytes() != b"mine"


def test_a_project_is_one_file_of_its_own(run: Run, song: Path) -> None:
    other = song.with_name("b.mid")
    other.write_bytes(song.read_bytes())
    refused(run(song, other, "--rpp", song.with_name("a.rpp")), "--rpp names one file", "2 songs")
    refused(run(song, "--rpp", "-"), "--rpp needs a separate file")
    target = song.with_name("x.rpp")
    refused(run(song, "-o", target, "--rpp", target), "-o names the MIDI file", "--rpp x.rpp")
    refused(run(song, "--score", target, "--rpp", target), "--score writes")
    both = song.with_name("x.svg")
    refused(run(song, "--score", both, "--picture", both), "--picture needs a separate file")
    refused(run(song, "--rpp", song, "--force"), "--rpp writes .rpp")
    assert sorted(path.name for path in song.parent.iterdir()) == ["a.mid", "b.mid"]


def refused(result: tuple[int, str, str], *words: str) -> None:
    code, out, err = result
    assert (code, out, err.count("\n")) == (2, "", 1)
    for word in words:
        assert word in err
