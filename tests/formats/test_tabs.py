"""Tabs of all versions: alphaTab's notes and ticks, the order of measures, and damaged files."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from guitarpro import models

from seq2drum.errors import NotationError, Seq2DrumError
from seq2drum.formats.guitarpro.binary import write_guitarpro
from seq2drum.formats.guitarpro.tab import Measure, played
from seq2drum.formats.opening import open_song
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Note, Part
from tests import gpif_files, tabs
from tests.mutants import damaged_tabs

pytest.importorskip("guitarpro", reason="PyGuitarPro is not installed: pip install 'seq2drum[guitarpro]'")
pytest.importorskip("defusedxml", reason="defusedxml is not installed: pip install 'seq2drum[guitarpro]'")


TICKS = 960  # a quarter, of alphaTab
VALUES = {4: "Quarter", 8: "Eighth", 16: "16th", 2: "Half"}


class Played(NamedTuple):
    """A beat, whatever it is written in: the how manieth of a whole note; strings, from the lowest, and frets."""

    length: int
    notes: tuple[tuple[int, int], ...] = ()
    dotted: bool = False
    tuplet: tuple[int, int] = (1, 1)
    is_tied: bool = False
    is_muted: bool = False
    rings: bool = False
    ghost: bool = False
    grace: int = -1  # the fret of a grace on the string of its one note; -1: none
    is_on_beat: bool = False


def made(seed: int) -> dict[str, Any]:
    """A tab made by chance: its bars, and what each measure has."""
    chance = random.Random(seed)
    metre = chance.choice([(4, 4), (3, 4), (7, 8), (6, 8)])
    count = chance.choice([3, 5, 8])
    muted, ringing = seed % 3 == 1, seed % 3 == 2
    ornaments = random.Random(1000 + seed)
    bars: list[Any] = []
    before: tuple[Any, ...] = ()
    for _ in range(count):
        bar, left = [], 16 * metre[0] // metre[1]
        while left:
            kinds = [
                ([Played(16)], 1),
                ([Played(8)], 2),
                ([Played(8)] * 2, 4),
                ([Played(4)], 4),
                ([Played(8, dotted=True)], 3),
            ]
            kinds += [([Played(8, tuplet=(3, 2))] * 3, 4), ([Played(2)], 8)]
            beats, length = chance.choice([kind for kind in kinds if kind[1] <= left])
            left -= length
            for beat in beats:
                rest, tied = chance.random() < 0.12, before and chance.random() < 0.15
                strings = chance.sample(range(6), chance.choice([1, 1, 1, 2, 3]))
                graced = not (rest or tied or ringing) and len(strings) == 1 and bar and bar[-1].grace < 0
                notes = () if rest else before if tied else tuple((string, chance.randrange(13)) for string in strings)
                bar.append(
                    beat._replace(
                        notes=notes,
                        is_tied=bool(tied and notes),
                        is_muted=muted and chance.random() < 0.3,
                        rings=ringing and not tied and chance.random() < 0.4,
                        ghost=not muted and chance.random() < 0.1,
                        grace=chance.randrange(13) if graced and ornaments.random() < 0.3 else -1,
                        is_on_beat=ornaments.random() < 0.3,
                    )
                )
                before = notes
        bars.append(bar)
    form: dict[int, str] = (
        {} if ringing else chance.choice([{}, {1: "open", 2: "close"}, {0: "open", 1: "first", 2: "second"}])
    )
    if form:  # no tie over a repeat sign: what it is tied to is not what was played before
        bars = [[bar[0]._replace(is_tied=False), *bar[1:]] for bar in bars]
    swings = not ringing and chance.random() < 0.4
    if swings:  # alphaTab's graces do not heed it
        bars = [[each._replace(grace=-1) for each in bar] for bar in bars]
    is_late = any(each.grace >= 0 and each.is_on_beat for bar in bars for each in bar)  # which Guitar Pro 4 has not
    return {
        "bars": bars,
        "metre": metre,
        "form": form,
        "swings": swings,
        "exact": not muted and not swings,
        "is_late": is_late,
    }


def as_guitarpro(tab: dict[str, Any]) -> Any:
    def beat(each: Played) -> Any:
        kind = "tie" if each.is_tied else "normal"
        effects = {"palmMute": each.is_muted, "letRing": each.rings, "ghostNote": each.ghost}
        notes = [(6 - string, fret) for string, fret in each.notes]
        if each.grace >= 0:
            effects["grace"] = models.GraceEffect(fret=each.grace, isOnBeat=each.is_on_beat)
        return tabs.beat(*notes, length=each.length, dotted=each.dotted, tuplet=each.tuplet, kind=kind, **effects)

    marks: dict[str, dict[str, Any]] = {
        "open": {"isRepeatOpen": True},
        "close": {"repeatClose": 2},
        "first": {"repeatAlternative": 1, "repeatClose": 1},
        "second": {"repeatAlternative": 2},
    }
    headers = {
        index: {"metre": tab["metre"]}
        | marks.get(tab["form"].get(index, ""), {})
        | ({"tripletFeel": models.TripletFeel.eighth} if tab["swings"] else {})
        for index in range(len(tab["bars"]))
    }
    return tabs.song(tabs.track([[beat(each) for each in bar] for bar in tab["bars"]], offset=2), headers=headers)


def as_gpif(tab: dict[str, Any]) -> bytes:
    def graces(each: Played) -> list[Any]:
        where = "OnBeat" if each.is_on_beat else "BeforeBeat"
        more = f"<Dynamic>F</Dynamic><GraceNotes>{where}</GraceNotes>"
        return [gpif_files.xbeat((each.notes[0][0], each.grace), value="32nd", more=more)] if each.grace >= 0 else []

    def beat(each: Played) -> Any:
        note = '<Tie origin="false" destination="true"/>' * each.is_tied + "<LetRing/>" * each.rings
        note += "<AntiAccent>Normal</AntiAccent>" * each.ghost
        properties = ["PalmMuted"] * each.is_muted
        return gpif_files.xbeat(
            *each.notes,
            value=VALUES[each.length],
            dots=int(each.dotted),
            tuplet=each.tuplet,
            note=note,
            properties=properties,
        )

    marks = {
        "open": '<Repeat start="true" end="false" count="0"/>',
        "close": '<Repeat start="false" end="true" count="3"/>',
        "first": '<AlternateEndings>1</AlternateEndings><Repeat start="false" end="true" count="2"/>',
        "second": "<AlternateEndings>2</AlternateEndings>",
    }
    measures = {
        index: f"<Time>{tab['metre'][0]}/{tab['metre'][1]}</Time>"
        + marks.get(tab["form"].get(index, ""), "")
        + "<TripletFeel>Triplet8th</TripletFeel>" * tab["swings"]
        for index in range(len(tab["bars"]))
    }
    return gpif_files.gpif(
        gpif_files.xtrack(
            [[one for each in bar for one in (*graces(each), beat(each))] for bar in tab["bars"]], capo=2
        ),
        measures=measures,
    )


class Heard(NamedTuple):
    """alphaTab's output: (tick, quarters a minute) of each tempo; of each track (tick, length, pitch, velocity)."""

    tempos: list[list[float]]
    tracks: list[list[list[float]]]


def alphatab(files: list[Path]) -> list[Heard]:
    """alphaTab's output for each file; skips the test where there is no Node or no alphaTab."""
    modules = os.environ.get("SEQ2DRUM_NODE_MODULES", "")
    if not shutil.which("node") or not Path(modules, "@coderline", "alphatab").is_dir():
        pytest.skip("needs Node and @coderline/alphatab: npm install, and SEQ2DRUM_NODE_MODULES=.../node_modules")
    script = Path(__file__).with_name("alphatab.mjs")
    command = ["node", str(script), modules, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return [Heard(**played) for played in json.loads(done.stdout)]


def rows(file: Path, exact: bool) -> list[tuple[float, ...]]:
    """Our output for the first track: (tick, pitch), and length and velocity where those are compared."""
    song = open_song(file).song
    part = song.parts[0]
    scale = TICKS / song.ticks_per_quarter
    table = [(n.onset * scale, n.pitch, *((n.duration * scale, n.velocity) if exact else ())) for n in part]
    return sorted(tuple(map(float, row)) for row in table)


def compare(seeds: range, folder: Path) -> int:
    """Compare the notes of tabs made by chance; returns how many there were."""
    files, exact = [], []
    for seed in seeds:
        tab = made(seed)
        song, text = as_guitarpro(tab), as_gpif(tab)
        written = {
            ".gp5": tabs.written(song),
            ".gp4": b"" if tab["swings"] or tab["is_late"] else tabs.written(song, (4, 0, 6)),
            ".gp": gpif_files.gp(text),
            ".gpx": gpif_files.bcfz(text) if seed % 5 == 0 else gpif_files.bcfs(text),
        }
        for suffix, data in written.items():
            if data:
                files.append(folder / f"{seed}{suffix}")
                files[-1].write_bytes(data)
                exact.append(tab["exact"])
    count = 0
    for file, heard, is_exact in zip(files, alphatab(files), exact, strict=True):
        theirs = [
            (tick, pitch, *((length, velocity) if is_exact else ()))
            for tick, length, pitch, velocity in heard.tracks[0]
        ]
        ours = rows(file, is_exact)
        assert ours == sorted(tuple(map(float, row)) for row in theirs), file.name
        count += len(ours)
    return count


def test_what_is_played_of_a_tab_is_what_alphatab_plays(tmp_path) -> None:
    assert compare(range(6), tmp_path) > 300


@pytest.mark.slow
def test_what_is_played_of_many_tabs_is_what_alphatab_plays(tmp_path) -> None:
    assert compare(range(100, 200), tmp_path) > 5000


def nested(seed: int) -> Any:
    """A tab whose measures are its frets, with repeats in repeats, made by chance; some are opened and never closed."""
    chance = random.Random(seed)
    headers, opened = {}, 0
    for index in range(chance.randint(3, 9)):
        opens = chance.random() < 0.4
        closes = opened + opens > 0 and chance.random() < 0.4
        opened += opens - closes
        headers[index] = {"isRepeatOpen": opens, "repeatClose": chance.choice([1, 1, 2]) if closes else -1}
    return tabs.song(tabs.track([[tabs.beat((6, index), length=1)] for index in headers]), headers=headers)


def test_repeats_in_repeats_are_played_as_alphatab_plays_them(tmp_path) -> None:
    files = [tmp_path / f"{seed}.gp5" for seed in range(60)]
    for seed, file in enumerate(files):
        file.write_bytes(tabs.written(nested(seed)))
    longest = 0
    for file, heard in zip(files, alphatab(files), strict=True):
        theirs = sorted((float(tick), float(pitch)) for tick, _, pitch, _ in heard.tracks[0])
        assert rows(file, False) == theirs, file.name
        longest = max(longest, len(theirs))
    assert longest > 20


def test_the_tempos_of_a_tab_that_we_write_are_the_songs_where_alphatab_plays_it(tmp_path) -> None:
    songs = {tmp_path / f"{seed}.gp5": tabs.multi_tempo_song(seed) for seed in range(20)}
    for file, song in songs.items():
        file.write_bytes(write_guitarpro(song, Part.of([Note(0, 60, 36, 95)], is_drums=True)))
    count = 0
    for (file, song), heard in zip(songs.items(), alphatab(list(songs)), strict=True):
        by_tick = sorted(heard.tempos, key=lambda tempo: tempo[0])  # a bar's first is told after its others
        for at, bpm in tabs.tempos_at_quarters(song):
            *_, (_, found) = [tempo for tempo in by_tick if tempo[0] <= at * TICKS]
            assert found == bpm, (file.name, at)
            count += 1
    assert count > 150


# --- the order of measures: forms that nobody writes are finished or refused in no time -------------------------------


MOST = TAB_LIMITS.measures


def measure(**more: Any) -> Measure:
    return Measure(4, 4, Fraction(4), **more)


def deep(depth: int) -> list[Measure]:
    return [measure(opens=True)] * depth + [measure(repeats=1)] * depth


def left_out() -> list[Measure]:
    """Two passages, one in the other, of whose measures nearly all are of an ending that comes last."""
    passes = frozenset(range(1, 63))
    ends = [measure(endings=passes, repeats=62), measure(endings=passes, repeats=126)]
    return [measure(opens=True)] * 2 + [measure(endings=frozenset({63}))] * (MOST - 4) + ends


FORMS = [
    ("opened, never closed", [measure(opens=True)] * MOST, MOST),
    ("jump after jump", [measure(jump="dasegno", sign="segno" if at < 10 else "") for at in range(MOST)], None),
    ("all codas", [measure(jump="dacapoalcoda" if at % 2 else "dacoda", sign="coda") for at in range(MOST)], 0),
    ("nested 1,000 deep", deep(1000), 0),
    ("nested 2,500 deep", deep(MOST // 2), 0),
    ("left out again and again", left_out(), 0),
]


@pytest.mark.parametrize(("measures", "count"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_a_form_that_nobody_writes_is_finished_or_refused_soon(measures: list[Measure], count: int | None) -> None:
    began = time.process_time()
    if count == 0:
        with pytest.raises(NotationError, match="more than 10,000 measures; write fewer repeats"):
            played(measures)
    else:
        assert 0 < len(played(measures)) <= TAB_LIMITS.played
        assert count is None or len(played(measures)) == count
    assert time.process_time() - began < 2


def test_so_many_measures_may_be_played_and_no_more() -> None:
    once = [measure()] * (TAB_LIMITS.played // 2 - 1)
    assert len(played([measure(opens=True), *once[:-1], measure(repeats=1)])) == TAB_LIMITS.played
    with pytest.raises(NotationError, match="more than 10,000 measures"):
        played([measure(opens=True), *once, measure(repeats=1)])


# --- damaged tabs: each is a song or one clear line, in seconds and within bounds of memory ---------------------------


SECONDS = 3.0  # of processor time for one file, at the most


def try_all(count: int, seed: int) -> tuple[int, float]:
    """Open damaged files; returns how many were songs, and the most processor time of one."""
    songs, slowest = 0, 0.0
    for data in damaged_tabs(count, seed):
        before = time.process_time()
        try:
            song = open_song(data).song
        except Seq2DrumError as error:
            assert "\n" not in str(error)
            assert 20 < len(str(error)) < 500
        else:
            songs += 1
            assert all(0 <= pitch <= 127 for part in song.parts for pitch in part.pitch.tolist())
            assert song.bars()
        slowest = max(slowest, time.process_time() - before)
    return songs, slowest


def test_each_damaged_tab_is_a_song_or_one_line() -> None:
    songs, slowest = try_all(60, 1)
    assert 5 < songs < 55
    assert slowest < SECONDS


@pytest.mark.slow
def test_each_of_two_thousand_damaged_tabs_is_a_song_or_one_line() -> None:
    songs, slowest = try_all(2000, 2)
    assert songs > 200
    assert slowest < SECONDS
