"""The REAPER action: the real script in a Lua of its own, in a modelled project, with a stand-in for the program that
plays, and with the real one and a real server."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from seq2drum import Drummer, Options
from seq2drum.formats.midi import midi
from seq2drum.music import choices, drum_maps
from seq2drum.music.explanation import in_words
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part, Song, Tempo
from seq2drum.music.song_plan import changes, is_drawn
from tests.conftest import ROOT
from tests.fake_reaper import SCRIPT, TICKS, Item, Marker, Reaper, Track

GUIDE = ROOT / "docs" / "reaper.md"
INDEX = ROOT / "client" / "reaper" / "index.xml"
SOURCE = SCRIPT.read_text(encoding="utf-8")

# A program that keeps to the contract of the status file, or breaks it. It keeps a copy of the song and its arguments.
STAND_IN = """#!{python}
import json, os, shutil, sys, time
from pathlib import Path

keep, behaviour = Path({keep!r}), {behaviour!r}
words = sys.argv[1:]
asked = {{word: words[at + 1] for at, word in enumerate(words[:-1]) if word.startswith("-")}}
status, cancel, output = (Path(asked[flag]) for flag in ("--status-file", "--cancel-file", "-o"))
shutil.copy(words[0], keep / "song.mid")
(keep / "words.json").write_text(json.dumps(words))
count, seed = int(asked.get("--takes", 1)), int(asked["--seed"])


def tell(state, done=0, total=0, message="", outputs=(), seeds=(), grooves=(), plans=(), code=None):
    line = dict(state=state, bars_done=done, bars_total=total, message=message, outputs=[str(path) for path in outputs],
                seeds=list(seeds), grooves=list(grooves), plans=list(plans), code=code)
    part = status.with_name("status.part")
    part.write_text(json.dumps(line) + "\\n")
    part.replace(status)


if behaviour == "never":
    sys.exit(1)
if behaviour == "babbles":
    status.write_bytes(b'\\xff{{"state": ')
    time.sleep(60)
tell("starting")
if behaviour in ("refuses", "lingers"):
    if behaviour == "lingers":  # it tells of the song first, works on in the folder, and ends then
        tell("failed", message="no model")
        for _ in range(100):
            status.with_name("status.part").touch()
            time.sleep(0.01)
    tell("failed", message=f"{{words[0]}}: the server could not be started:\\nno such \\"model\\" \\u266a", code=3)
    sys.exit(3)
tell("waiting")
if behaviour in ("dies", "stubborn"):
    tell("playing", 1, 8)
    time.sleep(0 if behaviour == "dies" else 60)
    sys.exit(9)
if behaviour == "endless":
    for bar in range(10**6):
        if cancel.exists():
            tell("failed", message="stopped", code=130)
            (keep / "stopped").touch()
            sys.exit(130)
        tell("playing", min(bar, 7), 8)
        time.sleep(0.02)
from seq2drum.formats.midi import midi
from seq2drum.music.notes import Note, Part, Song

song = midi.read(words[0])
outputs = [output] if count == 1 else [output.with_name(f"drums.{{take}}.mid") for take in range(1, count + 1)]
for take, path in enumerate(outputs):
    # Hits on ticks of all kinds, from the first tick of the file to the last.
    ticks = sorted({{*range(take, song.end, 97), song.end - 1}})
    notes = [Note(tick, min(50, song.end - tick), 36 + tick % 12, 1 + tick % 127) for tick in ticks]
    parts = {{"Drums": notes}} if "--split" not in words else {{"Kick": notes[::2], "Snare": notes[1::2]}}
    drums = tuple(Part.of(own, name=name, is_drums=True) for name, own in parts.items())
    data = midi.serialise(Song(960, drums, song.tempos, song.metres, song.end))
    path.write_bytes(data[:-9] if behaviour == "torn" else data)
    shutil.copy(path, keep / path.name)
for bar in range(9 if behaviour == "slow" else 1):
    tell("playing", bar, 8)
    time.sleep(0.15 if behaviour == "slow" else 0)
grooves = [asked.get("--groove", "")] * count
if os.path.isfile(grooves[0]):
    shutil.copy(grooves[0], keep / "groove.mid")
seeds = [seed + take for take in range(count)]
plans = [[[1, "A: no drums"], [2, "A: 0.90 ride"], [4, f"B: 1.{{own % 10}}0"]] for own in seeds]
tell("done", 8, 8, outputs=outputs, seeds=seeds, grooves=grooves, plans=plans, code=0)
"""

RIFF = [(at / 4, 0.2, 40 + at % 12, 60 + at % 60) for at in range(0, 64, 3)]
PLAIN = [Marker(0, 120, (4, 4))]
RAMP = [Marker(0, 90, (4, 4)), Marker(6, 100, None, True), Marker(15.5, 171.3, None, False), Marker(20, 140)]
METRES = [Marker(0, 120, (4, 4)), Marker(8, 97, (7, 8)), Marker(8 + 7, 130, (6, 8)), Marker(8 + 7 + 12, 77, (4, 4))]
CUT = [Marker(0, 120, (4, 4)), Marker(10.5, 120, (3, 4)), Marker(16.5, 90, (4, 4))]
CUT_AND_ON = [Marker(0, 120, (4, 4)), Marker(10.5, 120, (4, 4))]
ALL = [
    Marker(0, 83.7, (4, 4)),
    Marker(5, 90, None, True),
    Marker(12, 141, (7, 8), True),
    Marker(12 + 7, 66, (6, 8)),
    Marker(12 + 7 + 9, 66, None, True),
    Marker(40, 200, (5, 4)),
]
BAR_3_BEAT_2_AND_A_HALF = 2 * 4 + 1.5


KEYS = (
    *("style", "intensity", "complexity", "out", "enter", "half_time", "groove", "daring", "fills", "ending", "swing"),
    *("seed", "takes", "drum_map", "count_in", "split"),
)


def answers(**given: str) -> list[str]:
    """What the user writes into the fields of the dialog, in its order; the others stay empty."""
    assert given.keys() <= set(KEYS)
    return [given.get(key, "") for key in KEYS]


class Studio:
    """A project with one guitar, and the stand-in."""

    def __init__(self, folder: Path, behaviour: str = "", markers: list[Marker] | None = None, **keywords: Any) -> None:
        self.folder, self.keep = folder, folder / "kept"
        self.keep.mkdir()
        self.reaper = Reaper(markers, **keywords)
        self.guitar = self.reaper.add_track("Guitar")
        client = folder / "bin" / "seq2drum-client"
        client.parent.mkdir()
        client.write_text(
            STAND_IN.format(python=sys.executable, keep=str(self.keep), behaviour=behaviour), encoding="utf-8"
        )
        client.chmod(0o755)
        self.client = client
        self.reaper.state["seq2drum", "client"] = str(client)
        self.answers = answers(seed="7")
        self.reaper.answers = [self.answers]

    def item(self, first: float = 0, last: float = 16, **keywords: Any) -> Item:
        return self.reaper.add_item(self.guitar, first, last, RIFF, **keywords)

    def run(self, **keywords: Any) -> None:
        self.reaper.run(**keywords)
        assert self.reaper.faults == []

    @property
    def song(self) -> Song:
        """What the script wrote."""
        return midi.read(self.keep / "song.mid")

    @property
    def words(self) -> list[str]:
        words: list[str] = json.loads((self.keep / "words.json").read_text())
        return words

    def drums(self, name: str = "drums.mid") -> Part:
        """What the stand-in wrote."""
        return midi.read(self.keep / name).parts[0]

    @property
    def drum_track(self) -> Track:
        (track,) = (track for track in self.reaper.tracks if track.name == "Drums (seq2drum)")
        return track

    @property
    def drum_item(self) -> Item:
        (item,) = self.drum_track.items
        return item

    def unchanged(self, *phrases: str) -> None:
        """Nothing was done to the project, and one message was shown."""
        assert self.reaper.writes == 0
        assert len(self.reaper.boxes) == 1
        assert "\n" not in self.reaper.boxes[0]
        for phrase in phrases:
            assert phrase in self.reaper.boxes[0]
        self.left_clean()

    def left_clean(self) -> None:
        assert list((self.folder / "tmp").glob("seq2drum*")) == []
        assert ("seq2drum", "running") not in self.reaper.state
        assert ("seq2drum", "leftover") not in self.reaper.state


@pytest.fixture
def studio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Studio]]:
    made: list[Studio] = []
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def make(behaviour: str = "", markers: list[Marker] | None = None, **keywords: Any) -> Studio:
        folder = tmp_path / f"studio {len(made)}"  # with a space, as folders have
        folder.mkdir()
        (folder / "tmp").symlink_to(tmp_path / "tmp", target_is_directory=True)
        made.append(Studio(folder, behaviour, markers, **keywords))
        return made[-1]

    yield make
    for one in made:
        one.reaper.close()


def exact(reaper: Reaper, item: Item, origin: float, drums: Part, take: int = 0) -> None:
    """Every note of the file is in the take, at its own quarter: not a tick of 960 beside it."""
    held = reaper.quarters(item.takes[take])
    assert len(held) == len(drums)
    for note, (first, last, pitch, velocity) in zip(drums, held, strict=True):
        assert abs((first - origin) * TICKS - note.onset) < 1e-3
        assert abs((last - origin) * TICKS - note.onset - note.duration) < 1e-3
        assert (pitch, velocity) == (note.pitch, note.velocity)
    assert {row[2] for row in item.takes[take].notes} == {9}


def same_bars(song: Song, reaper: Reaper, origin: float, last: float) -> None:
    """The file's bars and clock are the project's."""
    bars = [bar for bar in _measures(reaper, last) if bar.first >= origin - 1e-9]
    assert [(bar.start, bar.numerator, bar.denominator) for bar in song.bars()] == [
        (round((bar.first - origin) * TICKS), bar.numerator, bar.denominator) for bar in bars
    ]
    assert song.length == round((last - origin) * TICKS)
    begun = reaper.clock.seconds(origin)
    for tick in {*range(0, song.length, 111), *(tempo.tick for tempo in song.tempos), song.length}:
        # Within a 16th of a gradual change the file's clock is the nearest straight one.
        near = 1e-4 if song.tempo_at(tick).tick == tick else 5e-3
        assert song.seconds(tick) == pytest.approx(reaper.clock.seconds(origin + tick / TICKS) - begun, abs=near)


def _measures(reaper: Reaper, last: float) -> list[Any]:
    bars = []
    for bar in reaper.clock.measures():
        if bar.first >= last - 1e-9:
            return bars
        bars.append(bar)
    raise AssertionError


def sounding(
    first: float, last: float, *, rate: float = 1, offset: float = 0, source: float | None = None
) -> list[tuple[float, float, int, int]]:
    """The riff as an item plays it, worked out by hand: onset and end in quarters of the project, pitch, velocity."""
    span = ((last - first) * rate if source is None else source) / rate
    notes = []
    for at, length, pitch, velocity in RIFF:
        for again in range(-1, 50):
            begin = first + (at - offset) / rate + again * span
            end = min(begin + length / rate, first - offset / rate + (again + 1) * span, last)
            if again >= 0 and first <= round(begin, 9) < last and at < (source or 1e9):
                notes.append((begin, end, pitch, velocity))
    return sorted(notes)


# --- to the tick ------------------------------------------------------------------------------------------------------

PLACES: dict[str, tuple[list[Marker], float, float, dict[str, Any], float]] = {
    "plain": (PLAIN, 0, 16, {}, 0),
    "a tempo ramp": (RAMP, 4, 24, {}, 4),
    "4/4 to 7/8 to 6/8": (METRES, 4, 31, {}, 4),
    "bar 3 beat 2.5": (PLAIN, BAR_3_BEAT_2_AND_A_HALF, 16, {}, 8),
    "play rate 0.9": (PLAIN, 4, 20, {"rate": 0.9}, 4),
    "a take offset": (PLAIN, 4, 16, {"offset": 2.25, "source": 16}, 4),
    "a looped source": (PLAIN, 4, 16, {"source": 3.85}, 4),
    "a looped source with offset and rate": (RAMP, 4, 19, {"source": 4.5, "offset": 1.3, "rate": 1.1}, 4),
    "a source of 480 ticks": (RAMP, 4, 19, {"ticks": 480}, 4),
    "a bar cut short": (CUT, 5.25, 24, {}, 4),
    "a bar cut short and the same metre again": (CUT_AND_ON, 5.25, 24, {}, 4),
    "after a bar cut short": (CUT, 17, 24, {}, 16.5),
    "no line of the grid": (PLAIN, 4.123456, 13.987654, {}, 4),
    "all at once": (ALL, BAR_3_BEAT_2_AND_A_HALF, 44.3, {"rate": 0.9, "offset": 0.75, "source": 5}, 8),
}


@pytest.mark.parametrize(
    ("place", "unit"),
    [
        *((place, "tempo") for place in PLACES),
        *((place, unit) for place in ("bar 3 beat 2.5", "all at once") for unit in ("project", "fixed")),
    ],
)
def test_drums_are_where_the_file_has_them_to_the_tick(studio: Callable[..., Studio], place: str, unit: str) -> None:
    markers, first, last, how, origin = PLACES[place]
    here = studio(markers=markers, offset_unit=unit)
    guitar = here.item(first, last, **how)
    here.run()
    assert here.reaper.boxes == []
    song, reaper, item = here.song, here.reaper, here.drum_item
    same_bars(song, reaper, origin, last)
    rows = {key: value for key, value in how.items() if key != "ticks"}
    heard = sounding(first, last, **rows)
    assert [(note.onset, note.pitch, note.velocity) for note in song.parts[0]] == sorted(
        (round((begin - origin) * TICKS), pitch, velocity) for begin, _, pitch, velocity in heard
    )
    for note, (_, stop, *_) in zip(song.parts[0], heard, strict=True):
        assert abs(note.onset + note.duration - (stop - origin) * TICKS) <= 1
    assert (song.parts[0].program, song.parts[0].name, song.parts[0].is_drums) == (27, "Guitar", False)
    exact(reaper, item, origin, here.drums())
    assert item.end == pytest.approx(guitar.end, abs=1e-9)
    left = reaper.clock.quarter(item.position)
    assert first - 0.25 < left <= first + 1e-9  # with the guitar's, or less than a 16th before
    early = [origin + tick / TICKS for tick in here.drums().onset if first - 0.25 < origin + tick / TICKS < first]
    assert left == pytest.approx(min([first, *early]), abs=1e-6)
    here.left_clean()


def test_if_reaper_keeps_no_offset_the_item_begins_at_the_barline_and_no_note_moves(
    studio: Callable[..., Studio],
) -> None:
    here = studio(offset_unit="stubborn")
    here.item(BAR_3_BEAT_2_AND_A_HALF, 16)
    here.reaper.answers = [answers(seed="7", takes="3")]
    here.run()
    assert here.reaper.clock.quarter(here.drum_item.position) == pytest.approx(8)
    for take in range(3):
        exact(here.reaper, here.drum_item, 8, here.drums(f"drums.{take + 1}.mid"), take)


def test_muted_notes_and_the_drum_channel_are_left_out(studio: Callable[..., Studio]) -> None:
    here = studio()
    notes = here.item().take.notes
    notes[0][5], notes[1][2] = True, 9
    for note in notes[2:]:
        note[2] = note[0] % 6  # a channel for each string makes one guitar
    here.run()
    assert len(here.song.parts) == 1
    assert len(here.song.parts[0]) == len(RIFF) - 2


@pytest.mark.parametrize("region", [True, False])
def test_regions_and_markers_of_the_project_name_the_sections(studio: Callable[..., Studio], region: bool) -> None:
    here = studio()
    here.item(4, 16)
    here.reaper.marks = [
        (region, 0, 3, "Count"),
        (region, 2, 8, "Intro"),
        (region, 8, 12, "Vers\u00e9"),
        (False, 9, 9, ""),
        (region, 20, 24, "Outro"),
    ]
    here.run()
    assert [tuple(marker[:2]) for marker in here.song.markers] == [(0, "Intro"), (4 * 960, "Vers\u00e9")]


def test_where_there_are_regions_markers_do_not_count(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item(0, 16)
    here.reaper.marks = [(False, 1, 1, "mix this louder"), (True, 0, 8, "Verse"), (False, 9, 9, "x")]
    here.run()
    assert [tuple(marker[:2]) for marker in here.song.markers] == [(0, "Verse")]


def test_a_count_in_is_before_the_item_and_the_song_stays_where_it_is(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item(8, 24)
    here.answers[:] = answers(seed="7", count_in="2")
    here.run()
    assert here.words[-2:] == ["--count-in", "2"]
    exact(here.reaper, here.drum_item, 0, here.drums())
    assert here.drum_item.position == 0


def test_pieces_get_a_track_each_under_the_guitar_and_further_takes_in_them(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item(4, 16)
    for run in (1, 2):
        here.reaper.answers = [answers(seed="7", split="Yes")]
        here.run()
        assert "--split" in here.words
        assert [track.name for track in here.reaper.tracks] == ["Guitar", "Kick (seq2drum)", "Snare (seq2drum)"]
        for track, part in zip(here.reaper.tracks[1:], midi.read(here.keep / "drums.mid").parts, strict=True):
            (item,) = track.items
            assert len(item.takes) == run
            exact(here.reaper, item, 4, part, run - 1)


def test_a_count_in_for_which_there_is_no_room_is_refused(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item(4, 16)
    here.answers[:] = answers(seed="7", count_in="2")
    here.run()
    here.unchanged("no room for the count-in")
    assert here.reaper.commands == []


def test_a_note_that_crosses_the_items_edge_is_cut_there(studio: Callable[..., Studio]) -> None:
    here = studio()
    notes = [(0.0, 9.0, 50, 80), (1.0, 1.0, 52, 80), (3.0, 9.0, 53, 80)]
    here.reaper.add_item(here.guitar, 1, 4, notes, offset=0.5, source=9, loops=False)
    here.reaper.add_item(here.guitar, 6, 8, [(0, 1, 55, 80)])
    here.run()
    # The first note begins before the edge and does not sound, as in REAPER.
    assert list(here.song.parts[0]) == [
        Note(round(1.5 * TICKS), TICKS, 52, 80),
        Note(round(3.5 * TICKS), TICKS // 2, 53, 80),
        Note(6 * TICKS, TICKS, 55, 80),
    ]


@pytest.mark.parametrize("first_measure", [-1, 0, 1])
def test_bars_are_found_by_where_they_are_and_not_by_how_they_are_numbered(
    studio: Callable[..., Studio], first_measure: int
) -> None:
    here = studio(markers=METRES, first_measure=first_measure)
    here.item(10, 31)
    here.run()
    same_bars(here.song, here.reaper, 8, 31)


# --- what is selected -------------------------------------------------------------------------------------------------


def test_several_items_of_a_track_are_one_passage(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item(2, 6)
    here.item(8, 12)
    here.run()
    assert here.song.length == 12 * TICKS
    assert 1.75 < here.reaper.clock.quarter(here.drum_item.position) <= 2
    onsets = [begin for span in ((2, 6), (8, 12)) for begin, *_ in sounding(*span)]
    assert here.song.parts[0].onset.tolist() == [round(onset * TICKS) for onset in onsets]


def test_without_a_selected_item_the_time_selection_counts(studio: Callable[..., Studio]) -> None:
    here = studio(markers=METRES)
    here.item(0, 12, selected=False)
    here.item(14, 30, selected=False)
    here.guitar.selected = True
    clock = here.reaper.clock
    here.reaper.time_selection = (clock.seconds(3), clock.seconds(19))
    here.run()
    same_bars(here.song, here.reaper, 0, 19)
    assert here.song.parts[0].onset.min() >= 3 * TICKS
    assert 2.75 < clock.quarter(here.drum_item.position) <= 3
    assert clock.quarter(here.drum_item.end) == pytest.approx(19)


def test_items_that_cannot_be_played_to_are_reported_in_one_line(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.run()
    here.unchanged("Nothing is selected")

    here = studio()
    here.item().take.midi = False
    here.run()
    here.unchanged("is audio")

    here = studio()
    here.item()
    here.reaper.add_item(here.reaper.add_track("Bass"), 0, 4, RIFF)
    here.run()
    here.unchanged("several tracks")

    here = studio()
    for note in here.item().take.notes:
        note[5] = True
    here.run()
    here.unchanged("no notes")

    here = studio()
    here.item().ext["P_EXT:seq2drum"] = "drums"
    here.run()
    here.unchanged("is the drums'")

    here = studio()
    here.reaper.add_item(here.guitar, 0, 40_000, [(0.01 * at, 0.01, 50, 80) for at in range(40)], source=0.4)
    here.run()
    here.unchanged("too many notes")


def test_an_audio_item_beside_midi_items_does_not_matter(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item(0, 8)
    here.item(8, 16).take.midi = False
    here.run()
    assert here.song.length == 8 * TICKS


# --- the program that plays -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "phrase"),
    [
        ("never", "fallen silent"),
        ("babbles", "fallen silent"),
        ("dies", "fallen silent"),
        ("refuses", 'the server could not be started: no such "model" ♪'),
        ("lingers", 'the server could not be started: no such "model" ♪'),
        ("torn", "no drum file"),
    ],
)
def test_a_program_that_fails_is_reported_and_the_project_is_unchanged(
    studio: Callable[..., Studio], behaviour: str, phrase: str
) -> None:
    here = studio(behaviour, speed=20)
    here.item()
    here.run()
    silent = phrase == "fallen silent"
    if silent:  # it may still run: it is asked to stop, and the next run removes its folder
        (folder,) = (here.folder / "tmp").iterdir()
        assert (folder / "cancel").exists()
        assert folder.samefile(here.reaper.state["seq2drum", "leftover"])
        here.reaper.close()
        here.reaper.boxes.clear()
        here.reaper.answers = [None]
        here.run()
        here.left_clean()
        assert here.reaper.boxes == []
    else:
        assert here.reaper.boxes == [here.reaper.boxes[0]]
        here.unchanged(phrase)
        assert "guitar.mid" not in here.reaper.boxes[0]


def test_esc_stops_the_program_and_the_project_is_unchanged(studio: Callable[..., Studio]) -> None:
    here = studio("endless")
    here.item()
    here.reaper.keys = lambda: 27 if any("Bar" in text for text in here.reaper.drawn) else 0
    here.run()
    here.unchanged("Cancelled")
    assert (here.keep / "stopped").exists()


def test_closing_the_window_stops_the_program_as_esc_does(studio: Callable[..., Studio]) -> None:
    here = studio("endless")
    here.item()
    here.reaper.keys = lambda: -1 if here.reaper.drawn else 0
    here.run()
    here.unchanged("Cancelled")


def test_a_program_that_ignores_esc_is_soon_left_behind(studio: Callable[..., Studio]) -> None:
    here = studio("stubborn", speed=10)
    here.item()
    here.reaper.keys = lambda: 27 if "Bar 1 of 8" in here.reaper.drawn else 0
    here.run()
    assert here.reaper.boxes == ["Cancelled. Nothing was changed."]
    assert here.reaper.writes == 0


@pytest.mark.slow
def test_the_window_counts_bars_and_no_call_blocks_reaper(studio: Callable[..., Studio]) -> None:
    here = studio("slow")
    here.item()
    here.run()
    shown = [text for text in here.reaper.drawn if text.startswith("Bar")]
    assert {"Bar 2 of 8", "Bar 6 of 8"} <= set(shown)
    assert "Esc cancels" in here.reaper.drawn
    # A call that reads the state makes a handful of calls to REAPER; the last one makes all changes to the project.
    assert len(here.reaper.calls) > 20
    assert max(here.reaper.calls[:-1]) < 20
    assert [len(boxes) for boxes in (here.reaper.boxes, here.reaper.undo)] == [0, 1]


def test_the_script_works_without_a_window(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    runtime = here.reaper.runtime

    def without_window() -> Any:
        made = runtime()
        made.execute("gfx = nil")
        return made

    here.reaper.runtime = without_window  # type: ignore[method-assign]
    here.run()
    exact(here.reaper, here.drum_item, 0, here.drums())


def test_a_second_run_while_one_is_going_on_says_so(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    here.reaper.state["seq2drum", "running"] = str(here.reaper.time_precise() - 1)
    here.run()
    assert "at work already" in here.reaper.boxes[0]
    assert here.reaper.commands == []
    here.reaper.state["seq2drum", "running"] = str(here.reaper.time_precise() - 10)  # left by a REAPER that crashed
    here.run()
    assert here.drum_item


def test_a_script_that_is_ended_in_mid_run_stops_the_program(studio: Callable[..., Studio]) -> None:
    here = studio("endless")
    here.item()
    here.run(until=lambda: "Bar 7 of 8" in here.reaper.drawn)
    for _ in range(100):
        if (here.keep / "stopped").exists():
            break
        time.sleep(0.05)
    assert (here.keep / "stopped").exists()
    assert here.reaper.boxes == []


def test_the_program_is_found_on_the_path_or_asked_for_once(
    studio: Callable[..., Studio], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = studio()
    here.item()
    del here.reaper.state["seq2drum", "client"]
    here.run()
    assert here.reaper.boxes[0].startswith("seq2drum was not found")
    assert (here.reaper.writes, here.reaper.commands) == (0, [])

    here.reaper.shown_file = str(here.client)
    here.run()
    assert here.reaper.commands[0][0] == str(here.client)
    assert here.reaper.state["seq2drum", "client"] == str(here.client)
    assert ("seq2drum", "client") in here.reaper.kept

    here.reaper.state["seq2drum", "client"] = str(here.folder / "moved away")
    here.reaper.shown_file = None
    monkeypatch.setenv("PATH", os.pathsep.join(["/nowhere", str(here.client.parent)]))
    boxes = len(here.reaper.boxes)
    here.run()
    assert here.reaper.commands[1][0] == str(here.client)
    assert len(here.reaper.boxes) == boxes


def test_on_windows_the_program_is_found_where_python_puts_it(
    studio: Callable[..., Studio], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = r"C:\Users\Zoe Q\AppData\Local\Programs\Python\Python312\Scripts\seq2drum-client.exe"
    here = studio()
    here.item()
    del here.reaper.state["seq2drum", "client"]
    here.reaper.windows = True
    monkeypatch.setenv("LOCALAPPDATA", r"C:\Users\Zoe Q\AppData\Local")
    monkeypatch.setattr(here.reaper, "file_exists", lambda path: path == place)
    here.run()
    assert here.reaper.commands[0][0] == place
    assert here.reaper.boxes == [SOURCE.split('not_started = "')[1].split('"')[0]]  # there is no such file here


def test_a_program_that_cannot_be_started_is_asked_for_again(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    here.client.chmod(0o644)
    here.run()
    here.unchanged("could not be started")
    assert ("seq2drum", "client") not in here.reaper.state


def test_a_python_is_asked_to_run_the_program_as_a_module(studio: Callable[..., Studio]) -> None:
    runtime, script = studio().reaper.library()
    files = runtime.table_from({name: f"/t m/{name}" for name in ("song", "drums", "status", "cancel")})
    wanted = runtime.table_from({control.key: "" for control in script.CONTROLS.values()})
    start = '-o" "/t m/drums" "--start-server" "--status-file" "/t m/status" "--cancel-file" "/t m/cancel"'
    for client, words in (
        ("/a b/seq2drum-client", '"/a b/seq2drum-client" "/t m/song" "'),
        ("/usr/bin/python3.12", '"/usr/bin/python3.12" "-m" "client" "/t m/song" "'),
        ("C:\\Py\\python.exe", '"C:\\Py\\python.exe" "-m" "client" "/t m/song" "'),
        ("C:\\Windows\\py.exe", '"C:\\Windows\\py.exe" "-m" "client" "/t m/song" "'),
    ):
        assert script.command(client, wanted, files) == words + start


# --- what is asked for ------------------------------------------------------------------------------------------------


def test_the_answers_of_the_dialog_reach_the_program_and_are_remembered(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    written = [
        "Funk",
        "0,9",
        "0.25",
        *[""] * 3,
        "Half-time rock, ride",
        "0,5",
        "1",
        "choke",
        " 0 ",
        "12",
        "2",
        "SSD5",
        "0",
        "no",
    ]
    here.reaper.answers = [written]
    here.run()
    flags = here.words[here.words.index("--style") :]
    assert flags == [
        *("--style", "funk", "--intensity", "0.9", "--complexity", "0.25"),
        *("--groove", "half-time rock, ride", "--daring", "0.5", "--fills", "1", "--ending", "choke", "--swing", "0"),
        *("--seed", "12", "--takes", "2", "--drum-map", "ssd5"),
    ]
    names = [f"Drums, seed {seed}, half-time rock, ride" for seed in (12, 13)]
    assert [take.name for take in here.drum_item.takes] == names
    here.reaper.answers = [None]
    here.run()
    assert here.reaper.dialogs[-1][1] == written
    assert len(here.reaper.commands) == 1


def test_levels_of_places_are_typed_in_the_dialog(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    written = ["", "0.5,Chorus=.9,9-16=0.2", "verse 2=0", *[""] * 13]
    here.reaper.answers = [written]
    here.run()
    flags = dict(zip(here.words, here.words[1:], strict=False))
    assert (flags["--intensity"], flags["--complexity"]) == ("0.5,chorus=.9,9-16=0.2", "verse 2=0")


def test_places_without_drums_an_entry_and_half_time_are_typed_in_the_dialog(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    here.reaper.answers = [answers(out="Intro, 1-8", enter="9", half_time="Chorus,9-16")]
    here.run()
    flags = dict(zip(here.words, here.words[1:], strict=False))
    assert (flags["--out"], flags["--enter"], flags["--half-time"]) == ("intro, 1-8", "9", "chorus,9-16")


def test_empty_answers_set_no_option_and_each_run_has_a_new_seed(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    seeds = set()
    for _ in range(3):
        here.reaper.answers = [[""] * len(KEYS)]
        here.run()
        flags = here.words[here.words.index("--cancel-file") + 2 :]
        assert [*flags[:5], *flags[6:]] == ["--style", "auto", "--ending", "auto", "--seed", "--drum-map", "gm"]
        seeds.add(int(flags[5]))
    assert len(seeds) == 3
    assert all(0 <= seed < 1_000_000 for seed in seeds)


@pytest.mark.parametrize(
    ("key", "answer", "phrases"),
    [
        ("style", "polka", ["no style polka", "shuffle"]),
        ("intensity", "1.5", ["Intensity: 1.5", "0 to 1"]),
        ("complexity", "loud", ["Complexity: loud"]),
        ("fills", "-0.1", ["Fills: -0.1"]),
        ("fills", 'a=0.1" --force "', ["Fills: ", "is no list such as chorus=0.9"]),
        ("daring", "a=0.1", ["Daring: a=0.1 is no number"]),
        ("swing", "nan", ["Swing: nan"]),
        ("drum_map", 'gm" --force "', ["no drum map gm"]),
        ("drum_map", "ezdrummer", ["no drum map ezdrummer", "ezdrummer-2, ezdrummer-3"]),
        ("drum_map", "?", ["Drum map: there are gm, ", "superior-drummer-3"]),
        ("style", "?", ["Style: there are auto, jazz"]),
        ("seed", "1.5", ["Seed: 1.5", "whole number"]),
        ("seed", "-1", ["Seed: -1"]),
        ("takes", "9", ["Takes: 9", "from 1 to 8"]),
        ("takes", "9 lanes", ["Takes: 9 lanes", "from 1 to 8"]),
        ("takes", "3 tracks", ["Takes: 3 tracks", "from 1 to 8"]),
        ("groove", 'rock" --force "', ["Groove", "no name"]),
        ("daring", "2", ["Daring: 2", "0 to 1"]),
        ("ending", "fade", ["no ending fade", "ritard"]),
        ("enter", "0", ["Drums enter in bar: 0", "from 1 to 9999"]),
        ("out", 'intro" --force "', ["No drums in", "no name"]),
        ("count_in", "9", ["Bars counted in before the item: 9", "from 0 to 8"]),
    ],
)
def test_an_invalid_answer_is_asked_for_again(
    studio: Callable[..., Studio], key: str, answer: str, phrases: list[str]
) -> None:
    here = studio()
    here.item()
    wrong = answers(**{key: answer})
    here.reaper.answers = [wrong, None]
    here.run()
    here.unchanged(*phrases)
    assert here.reaper.dialogs[1][1] == wrong
    assert here.reaper.commands == []


def test_the_styles_endings_and_drum_maps_are_those_of_the_drummer() -> None:
    reaper = Reaper()
    _, script = reaper.library()
    assert [control.key.replace("-", "_") for control in script.CONTROLS.values()] == list(KEYS)
    words = {control.key: list(control.words.values()) for control in script.CONTROLS.values() if control.words}
    assert words["style"] == ["auto", *choices.STYLES]
    assert words["ending"] == list(choices.ENDINGS)
    assert words["drum-map"] == list(drum_maps.names())


def test_every_piece_of_the_kit_has_a_name_on_its_key() -> None:
    _, script = Reaper().library()
    names = dict(script.DRUM_NAMES.items())
    assert {note for voice in FULL.voices for note in voice.notes if 35 <= note <= 81} <= set(names)
    for piece, note in (("Kick", 36), ("Snare", 38), ("Closed hat", 42), ("Ride", 51), ("Crash", 49)):
        assert names[note] == piece


# --- the drums' track and item ----------------------------------------------------------------------------------------


def test_the_drums_appear_under_the_guitar_in_one_undo_step_and_selection_and_cursor_stay(
    studio: Callable[..., Studio],
) -> None:
    here = studio()
    bass = here.reaper.add_track("Bass")
    bass.selected = True
    item = here.item()
    here.run()
    reaper = here.reaper
    assert [track.name for track in reaper.tracks] == ["Guitar", "Drums (seq2drum)", "Bass"]
    assert reaper.undo == ["seq2drum: drums for the guitar"]
    assert [track for track in reaper.tracks if track.selected] == [bass]
    assert [one for one in reaper.items if one.selected] == [item]
    assert reaper.cursor == 3.25
    assert here.drum_track.note_names[9, 36] == "Kick"
    assert not here.drum_item.loops


def test_drums_of_a_guitar_that_holds_a_folder_come_behind_the_folder(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.guitar.depth = 1
    for name, depth in (("Amp", 1), ("Cab", -2), ("Bass", 0)):
        here.reaper.add_track(name, depth=depth)
    here.item()
    here.run()
    assert [track.name for track in here.reaper.tracks] == ["Guitar", "Amp", "Cab", "Drums (seq2drum)", "Bass"]


@pytest.mark.parametrize("first", [4, BAR_3_BEAT_2_AND_A_HALF])
def test_another_run_adds_a_take_to_the_item_and_plays_it(studio: Callable[..., Studio], first: float) -> None:
    here = studio(markers=RAMP)
    guitar = here.item(first, 24)
    origin = 4 * (first // 4)
    here.run()
    drums = [here.drums()]
    here.reaper.answers = [answers(seed="8", takes="3")]
    here.run()
    drums += [here.drums(f"drums.{take}.mid") for take in (1, 2, 3)]
    item = here.drum_item
    assert len(item.takes) == 4
    assert item.active == 1  # the best of the new takes
    for index, part in enumerate(drums):
        exact(here.reaper, item, origin, part, index)
    assert item.end == pytest.approx(guitar.end)
    assert [take.name for take in item.takes] == ["Drums, seed 7", *(f"Drums, seed {seed}" for seed in (8, 9, 10))]
    assert len(here.reaper.undo) == 2
    assert here.drum_track.ext["P_EXT:seq2drum"] == here.guitar.guid
    assert len({take.guid for take in item.takes}) == 4


@pytest.mark.parametrize("place", ["metres", "count-in", "mid-bar"])
def test_texts_in_each_take_say_how_its_sections_are_built(studio: Callable[..., Studio], place: str) -> None:
    here = studio(markers=METRES if place == "metres" else PLAIN)
    first, count_in = {"metres": (0, ""), "count-in": (8, "2"), "mid-bar": (9.5, "")}[place]
    here.item(first, 36)
    quarters = {"metres": (0, 4, 8 + 3.5), "count-in": (8, 12, 20), "mid-bar": (8, 12, 20)}[place]
    for run, (seed, takes) in enumerate((("7", "1"), ("8", "2"))):
        here.reaper.answers = [answers(seed=seed, takes=takes, count_in=count_in)]
        here.run()
        assert len(here.drum_item.takes) == 1 + 2 * run
    for take, number in zip(here.drum_item.takes, (7, 8, 9), strict=True):
        told = here.reaper.texts(take)
        assert [text for _, text in told] == ["A: no drums", "A: 0.90 ride", f"B: 1.{number}0"]
        assert [quarter for quarter, _ in told] == pytest.approx(quarters, abs=1e-3)


def test_of_a_track_for_each_piece_the_first_has_the_texts(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item(4, 16)
    here.reaper.answers = [answers(seed="7", split="Yes")]
    here.run()
    assert [len(track.items[0].take.texts) for track in here.reaper.tracks[1:]] == [3, 0]


def test_a_bar_is_found_by_the_metres_also_behind_one_that_is_cut_short() -> None:
    lua, script = Reaper().library()
    metres = lua.table_from([lua.table_from(row) for row in ((0, 4, 4), (7680, 3, 4), (7680 + 2880 + 960, 7, 8))])
    ticks = [script.bar_tick(metres, bar) for bar in range(1, 8)]
    assert ticks == [0, 3840, 7680, 10560, 11520, 11520 + 3360, 11520 + 2 * 3360]


def test_takes_that_reaper_does_not_join_stay_as_muted_items(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    here.reaper.chunks_fail = True
    here.reaper.answers = [answers(seed="7", takes="3")]
    here.run()
    items = here.drum_track.items
    assert [item.muted for item in items] == [False, True, True]
    for index, item in enumerate(items):
        exact(here.reaper, item, 0, here.drums(f"drums.{index + 1}.mid"))


def test_drums_at_another_position_are_another_item_and_overlapped_items_are_muted(
    studio: Callable[..., Studio],
) -> None:
    here = studio()
    verse = here.item(0, 8)
    here.run()
    verse.selected = False
    chorus = here.item(8, 16)
    here.reaper.answers = [here.answers]
    here.run()
    first, second = here.drum_track.items
    assert not first.muted
    assert not second.muted
    chorus.selected = False
    here.item(4, 12)
    here.reaper.answers = [here.answers]
    here.run()
    muted = {item.position: item.muted for item in here.drum_track.items}
    assert muted == {first.position: True, second.position: True, here.reaper.clock.seconds(4): False}


def on_lanes(here: Studio, quarter: float, track: Track | None = None) -> tuple[list[str], list[str]]:
    """The names of the takes at a quarter in the order of their lanes, and of those that play."""
    track = track or here.drum_track
    now = here.reaper.clock.seconds(quarter)
    there = sorted((item for item in track.items if item.position <= now < item.end), key=lambda item: item.lane)
    assert [len(item.takes) for item in there] == [1] * len(there)
    assert len({item.lane for item in there}) == len(there)
    return [item.take.name[-1] for item in there], [take.name[-1] for take in here.reaper.sounding(track, quarter)]


@pytest.mark.parametrize("first", [4, BAR_3_BEAT_2_AND_A_HALF])
def test_takes_on_lanes_are_items_on_fixed_lanes_of_one_track_and_the_best_plays(
    studio: Callable[..., Studio], first: float
) -> None:
    here = studio(markers=RAMP)
    guitar = here.item(first, 24)
    here.reaper.answers = [answers(seed="1", takes="3 Lanes")]
    here.run()
    assert here.words[here.words.index("--takes") + 1] == "3"
    assert here.drum_track.lanes == 3
    assert on_lanes(here, 16) == (["1", "2", "3"], ["1"])
    for index, item in enumerate(sorted(here.drum_track.items, key=lambda item: item.lane)):
        assert item.lane == index
        exact(here.reaper, item, 4 * (first // 4), here.drums(f"drums.{index + 1}.mid"))
        assert item.end == pytest.approx(guitar.end) and not item.muted
    assert here.reaper.undo == ["seq2drum: drums for the guitar"]


def test_another_run_puts_its_takes_under_those_that_are_there_and_plays_the_best(
    studio: Callable[..., Studio],
) -> None:
    here = studio()
    here.item()
    here.reaper.answers = [answers(seed="1", takes="2 lanes"), answers(seed="3"), answers(seed="4", takes="lanes")]
    for run, played in enumerate("134"):
        here.run()
        assert on_lanes(here, 8)[1] == [played]
        assert len(here.reaper.undo) == run + 1
    assert on_lanes(here, 8)[0] == ["1", "2", "3", "4"]
    assert [track.name for track in here.reaper.tracks] == ["Guitar", "Drums (seq2drum)"]


def test_takes_of_an_item_stay_there_when_the_next_ones_are_asked_for_on_lanes(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    here.reaper.answers = [answers(seed="1", takes="2"), answers(seed="3", takes="2 lanes")]
    here.run()
    here.run()
    assert [(item.lane, len(item.takes)) for item in here.drum_track.items] == [(0, 2), (1, 1), (2, 1)]
    assert [take.name for take in here.reaper.sounding(here.drum_track, 8)] == ["Drums, seed 3"]


def test_lanes_of_one_passage_leave_the_drums_of_another_playing(studio: Callable[..., Studio]) -> None:
    here = studio()
    verse, chorus = here.item(0, 8), here.item(8, 16)
    plan = [(verse, "1", "2 lanes"), (chorus, "3", "2"), (verse, "5", "1")]
    for item, seed, takes in plan:
        verse.selected, chorus.selected = item is verse, item is chorus
        here.reaper.answers = [answers(seed=seed, takes=takes)]
        here.run()
    assert on_lanes(here, 4) == (["1", "2", "5"], ["1"])  # to play 5 would silence the chorus
    assert on_lanes(here, 12) == (["3", "4"], ["3"])
    for item in here.drum_track.items:
        item.lane, chosen = (1 - item.lane, {1}) if item.lane < 2 else (2, {1})
    here.drum_track.playing = chosen
    chorus.selected, verse.selected = False, False
    here.item(16, 24)
    here.reaper.answers = [answers(seed="6")]
    here.run()
    assert on_lanes(here, 20) == (["6"], ["6"])  # on the lane that plays, and that is free there


def test_each_piece_has_its_lanes(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    here.reaper.answers = [answers(seed="1", takes="2 lanes", split="yes")]
    here.run()
    pieces = here.reaper.tracks[1:]
    assert [track.name for track in pieces] == ["Kick (seq2drum)", "Snare (seq2drum)"]
    assert [on_lanes(here, 8, track) for track in pieces] == [(["1", "2"], ["1"])] * 2


def test_a_reaper_without_lanes_makes_takes_of_one_item(studio: Callable[..., Studio]) -> None:
    here = studio(has_lanes=False)
    here.item()
    here.reaper.answers = [answers(seed="1", takes="3 lanes")]
    here.run()
    assert [take.name for take in here.drum_item.takes] == [f"Drums, seed {seed}" for seed in (1, 2, 3)]
    assert here.drum_item.active == 0


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("AddTakeToLane(track)", AttributeError),
        ('GetMediaTrackInfo_Value(track, "I_LANES")', KeyError),
        ('SetMediaTrackInfo_Value(track, "C_LANEPLAYS", 1)', AssertionError),
        ('SetMediaItemInfo_Value(item, "C_LANEPLAYS", 1)', KeyError),
    ],
)
def test_what_reaper_does_not_have_or_does_not_let_be_written_is_an_error_of_the_model(
    call: str, error: type[Exception]
) -> None:
    reaper = Reaper()
    runtime = reaper.runtime()
    names = runtime.globals()
    names.track = reaper.add_track("Drums")
    names.item = reaper.add_item(names.track, 0, 4, RIFF)
    reaper.undo_depth = 1
    reaper.SetMediaTrackInfo_Value(names.track, "I_FREEMODE", 2)
    with pytest.raises(error):
        runtime.execute(f"reaper.{call}")


BEAT = [(at / 2, 0.1, 36 if at % 4 == 0 else 42, 90 + at) for at in range(16)]


def test_selected_drums_are_the_groove_where_that_is_asked_for(studio: Callable[..., Studio]) -> None:
    one = studio(markers=METRES)
    one.item()
    drums = one.reaper.add_item(one.reaper.add_track("My drums"), 8, 15, BEAT, loops=False)
    for row in drums.takes[0].notes:
        row[2] = 9
    one.reaper.answers = [answers(seed="7", groove="selected")]
    one.run()
    assert one.words[one.words.index("--groove") + 1].endswith("groove.mid")
    groove = midi.read(one.keep / "groove.mid")
    assert [(part.is_drums, part.name) for part in groove.parts] == [(True, "Drums")]
    assert [(note.onset / TICKS, note.pitch, note.velocity) for note in groove.parts[0]] == [
        (at, pitch, velocity) for at, _, pitch, velocity in BEAT if at < 7
    ]
    assert [metre[1:] for metre in groove.metres] == [(7, 8)]
    assert len(one.song.parts) == 1 and len(one.song.parts[0]) == len([at for at, *_ in RIFF if at < 16])
    assert one.drum_item.takes


def test_drums_of_an_earlier_run_can_be_the_groove_and_without_the_word_they_are_none(
    studio: Callable[..., Studio],
) -> None:
    one = studio()
    one.item()
    one.run()
    one.drum_item.selected = True
    one.reaper.answers = [answers(seed="8"), answers(seed="9", groove="selected")]
    one.run()
    assert "--groove" not in one.words
    one.run()
    assert len(midi.read(one.keep / "groove.mid").parts[0]) == len(one.drums())
    assert len(one.drum_item.takes) == 3


def test_a_groove_may_be_a_file_that_is_shown(studio: Callable[..., Studio], tmp_path: Path) -> None:
    one = studio()
    one.item()
    beat = tmp_path / "a beat.mid"
    beat.write_bytes(midi.serialise(Song(960, (Part.of([Note(0, 9, 36, 9)], is_drums=True),))))
    one.reaper.shown_file = str(beat)
    one.reaper.answers = [answers(seed="7", groove="file")]
    one.run()
    assert one.words[one.words.index("--groove") + 1] == str(beat)
    other = studio()
    other.item()
    other.reaper.answers = [answers(groove="file")]
    other.run()  # no file is chosen: nothing happens
    assert other.reaper.writes == 0 and other.reaper.boxes == []


def test_selected_without_drums_is_refused(studio: Callable[..., Studio]) -> None:
    one = studio()
    one.item()
    one.reaper.answers = [answers(groove="selected")]
    one.run()
    one.unchanged("No drums are selected for the groove")


def test_each_guitar_has_its_own_drums(studio: Callable[..., Studio]) -> None:
    here = studio()
    one = here.item()
    here.run()
    one.selected = False
    other = here.reaper.add_track("Other guitar")
    here.reaper.add_item(other, 0, 8, RIFF)
    here.reaper.answers = [here.answers]
    here.run()
    assert [track.name for track in here.reaper.tracks] == [
        *("Guitar", "Drums (seq2drum)", "Other guitar", "Drums (seq2drum)"),
    ]


def test_names_of_notes_are_left_alone_for_another_drum_map(studio: Callable[..., Studio]) -> None:
    here = studio()
    here.item()
    here.reaper.answers = [answers(drum_map="avl-drumkits")]
    here.run()
    assert here.drum_track.note_names == {}


@pytest.mark.slow
def test_a_guitar_track_that_is_deleted_meanwhile_is_reported(studio: Callable[..., Studio]) -> None:
    here = studio("slow")
    here.item()
    here.run(until=lambda: not here.reaper.tracks.clear() and False)
    here.unchanged("track is gone")


# --- the real program and a real server -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the state files of servers; a server that a test started is ended."""
    folder = tmp_path_factory.mktemp("state")
    before = {name: os.environ.get(name) for name in ("XDG_STATE_HOME", "SEQ2DRUM_SERVER", "SEQ2DRUM_STATE_FILE")}
    os.environ["XDG_STATE_HOME"] = str(folder)
    for name in ("SEQ2DRUM_SERVER", "SEQ2DRUM_STATE_FILE"):
        os.environ.pop(name, None)
    yield folder
    for name, value in before.items():
        os.environ.pop(name, None)
        if value is not None:
            os.environ[name] = value
    end_server(folder)


def end_server(folder: Path) -> None:
    """End the server of the state file, and wait until its process is gone."""
    note = folder / "seq2drum" / "server.json"
    if not note.exists():
        return
    server = psutil.Process(json.loads(note.read_text())["pid"])
    there = [server, *server.children(recursive=True)]
    server.send_signal(signal.SIGTERM)
    _, alive = psutil.wait_procs(there, timeout=20)
    for process in alive:
        process.kill()
    psutil.wait_procs(alive, timeout=5)
    note.unlink(missing_ok=True)


def real(here: Studio) -> Studio:
    """The same studio with the real program, which also keeps a copy of the song."""
    here.client.write_text(
        f"#!{sys.executable}\nimport shutil, subprocess, sys\n"
        f"shutil.copy(sys.argv[1], {str(here.keep / 'song.mid')!r})\n"
        "sys.exit(subprocess.call([sys.executable, '-m', 'client', *sys.argv[1:]]))\n",
        encoding="utf-8",
    )
    return here


@pytest.mark.parametrize(
    "place",
    [
        "all at once",
        *(pytest.param(p, marks=pytest.mark.slow) for p in ("a tempo ramp", "4/4 to 7/8 to 6/8", "bar 3 beat 2.5")),
    ],
)
def test_the_real_drummer_plays_in_the_project_to_the_tick(
    studio: Callable[..., Studio], home: Path, place: str
) -> None:
    markers, first, last, how, origin = PLACES[place]
    here = real(studio(markers=markers))
    guitar = here.item(first, last, **how)
    here.reaper.answers = [answers(style="rock", seed="7", takes="2")]
    here.run(seconds=120)
    assert here.reaper.boxes == []
    same_bars(here.song, here.reaper, origin, last)
    takes = Drummer.load().takes(here.keep / "song.mid", Options(seed=7, style="rock"), 2)
    assert [take.name for take in here.drum_item.takes] == [
        f"Drums, seed {take.options.seed}, {in_words(take.grooves)}" for take in takes
    ]
    for index, take in enumerate(takes):
        assert len(take.part) > 10
        exact(here.reaper, here.drum_item, origin, take.part, index)
        told = changes(take.plan) if is_drawn(take.plan) else ()
        assert [text for _, text in here.drum_item.takes[index].texts] == [text for _, text in told]
    assert here.drum_item.active == 0
    assert here.drum_item.end == pytest.approx(guitar.end)
    here.left_clean()


def test_a_refusal_of_the_real_server_is_reported_in_one_line(studio: Callable[..., Studio], home: Path) -> None:
    here = real(studio())
    here.item()
    here.reaper.answers = [answers(seed="7", groove="nonesuch")]
    here.run(seconds=120)
    here.unchanged("nonesuch")


@pytest.mark.slow
def test_esc_stops_the_real_program(studio: Callable[..., Studio], home: Path) -> None:
    here = real(studio())
    here.reaper.add_item(here.guitar, 0, 2000, [(at / 2, 0.4, 40 + at % 12, 80) for at in range(4000)])
    here.reaper.answers = [answers(seed="7", takes="8")]
    here.reaper.keys = lambda: 27 if any(text.startswith("Bar ") for text in here.reaper.drawn) else 0
    here.run(seconds=120)
    here.unchanged("Cancelled")


@pytest.mark.slow
def test_a_server_that_dies_during_a_song_is_reported_in_one_line(studio: Callable[..., Studio], home: Path) -> None:
    here = real(studio())
    here.reaper.add_item(here.guitar, 0, 2000, [(at / 2, 0.4, 40 + at % 12, 80) for at in range(4000)])
    here.reaper.answers = [answers(seed="7", takes="8")]
    note = home / "seq2drum" / "server.json"

    def kill_when_it_plays() -> bool:
        if note.exists() and any(text.startswith("Bar ") for text in here.reaper.drawn):
            server = psutil.Process(json.loads(note.read_text())["pid"])
            there = [server, *server.children(recursive=True)]
            for process in there:
                process.kill()
            psutil.wait_procs(there, timeout=10)
            note.unlink()
        return False

    here.run(seconds=120, until=kill_when_it_plays)
    here.unchanged()
    assert "fallen silent" not in here.reaper.boxes[0]


def test_a_server_that_cannot_be_started_is_reported_in_one_line(
    studio: Callable[..., Studio], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = real(studio())
    here.item()
    state = here.folder / "other state"
    (state / "seq2drum").mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    monkeypatch.setenv("SEQ2DRUM_MAX_BARS", "a lot")  # a server with that in its settings does not start
    try:
        here.run(seconds=120)
    finally:
        end_server(state)
    here.unchanged("could not be started", "a lot")


# --- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rest", [0, 1, 2, 5000])
def test_the_midi_file_of_the_script_has_the_length_tempos_metres_and_notes_given(rest: int) -> None:
    runtime, script = Reaper().library()
    make = runtime.eval(
        """function(write, rest)
             local bytes = write({length = 300 + rest, tempos = {{0, 500000}}, metres = {{0, 7, 8}, {300, 3, 16}},
               notes = {{100, 200, 60, 90}, {100, 50, 60, 91}}})
             return (bytes:gsub(".", function(sign) return ("%02x"):format(sign:byte()) end))
           end"""
    )
    song = midi.parse(bytes.fromhex(make(script.write_smf, rest)), repair=False)
    assert song.length == 300 + rest
    assert song.tempos == (Tempo(0, 500_000),)
    assert [tuple(metre) for metre in song.metres] == [(0, 7, 8), (300, 3, 16)]
    assert [(note.onset, note.pitch) for note in song.parts[0]] == [(100, 60), (100, 60)]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, -2.5e1, "x"], "b": null, "c": true, "d": {}}', "1|-25.0|x|nil|true|table"),
        (
            '{"a": [], "b": "\\u00e9\\ud83e\\udd41\\n\\"\\\\\\/", "c": false, "d": ""}',
            'nil|nil|nil|é🥁\n"\\/|false|string',
        ),
        ("", None),
        ("{", None),
        ('{"a"', None),
        ('{"a": }', None),
        ('{"a": 1 "b": 2}', None),
        ('["a', None),
        ('{"a": "\\', None),
        ("7", None),
    ],
)
def test_the_json_reader_returns_the_value_or_nil(text: str, value: str | None) -> None:
    runtime, script = Reaper().library()
    show = runtime.eval(
        """function(t) if t == nil then return nil end
             local a = t.a or {}
             local found = {a[1] or "nil", a[2] or "nil", a[3] or "nil", t.b or "nil", tostring(t.c), type(t.d)}
             return table.concat(found, "|")
           end"""
    )
    assert show(script.read_json(text)) == value


# --- as it is shipped -------------------------------------------------------------------------------------------------


def test_the_script_calls_only_functions_of_reaper_that_do_not_block() -> None:
    assert not re.search(r"os\.execute|io\.popen|require|SNM_|BR_|JS_|CF_|ImGui|InsertMedia\b", SOURCE)
    assert all(waits == "-2" for waits in re.findall(r"ExecProcess\(.*?, (-?\d+)\)", SOURCE))


def test_every_message_is_explained_in_the_guide() -> None:
    _, script = Reaper().library()
    guide = " ".join(GUIDE.read_text(encoding="utf-8").split())
    for message in script.MESSAGES.values():
        assert message.split(". ")[0].rstrip(".") in guide


def test_the_index_of_reapack_names_the_script_as_it_is() -> None:
    root = ElementTree.parse(INDEX).getroot()
    assert (root.tag, root.get("version")) == ("index", "1")
    (package,) = root.findall("category/reapack")
    header = dict(re.findall(r"^-- @(\w+) (.+)$", SOURCE, re.MULTILINE))
    assert (package.get("name"), package.get("type"), package.get("desc")) == (
        SCRIPT.name,
        "script",
        header["description"],
    )
    *_, version = package.findall("version")
    assert (version.get("name"), version.get("author")) == (header["version"], header["author"])
    (source,) = version.findall("source")
    assert (source.get("main") or "").split() == re.findall(r"main=([\w,]+)", header["provides"])[0].split(",")
    assert (source.text or "").strip().endswith("/client/reaper/seq2drum.lua")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{header["version"]}"' in project
