"""The scripts of FL Studio and Ableton Live, against stand-ins of what these programs give to scripts."""

from __future__ import annotations

import ast
import json
import runpy
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from client.watch import ERROR_SUFFIX, OPTIONS_SUFFIX
from seq2drum import Drummer, Options
from seq2drum.formats.midi import midi
from seq2drum.music.choices import STYLES
from seq2drum.music.notes import Marker, Metre
from tests import fake_daws
from tests.conftest import ROOT
from tests.fake_daws import FL_SCRIPT, LIVE_SCRIPT, Clip, FlMarker, FlNote, FlStudio, LiveNote, Score, folder_of

midi_file: Any = types.SimpleNamespace(**runpy.run_path(str(LIVE_SCRIPT / "midi_file.py")))
RIFF = [(0, 90, 40, 100), (96, 90, 43, 64), (192, 90, 45, 1), (288, 96, 40, 127)]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def requests_in(home: Path) -> list[Path]:
    return sorted(path for path in folder_of(home).glob("*.mid") if not path.name.endswith(".drums.mid"))


def answer(home: Path, drummer: Drummer) -> None:
    """What a watch of the folder does: drums beside each song without, by its own options."""
    for song in requests_in(home):
        own = json.loads(Path(f"{song}{OPTIONS_SUFFIX}").read_bytes())
        options: dict[str, Any] = {name: value if name != "intensity" else float(value) for name, value in own.items()}
        take = drummer.accompany(song, Options(**options))
        song.with_suffix(".drums.mid").write_bytes(take.to_bytes())


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


# --- MIDI files -------------------------------------------------------------------------------------------------------


def test_a_guitar_is_written_as_other_programs_read_it() -> None:
    notes = [(tick * 240, 200 + tick, 40 + tick % 9, 1 + tick * 7 % 127) for tick in range(64)]
    data = midi_file.write_guitar(480, 97.5, [(0, 7, 8), (1680, 4, 4)], [(0, "Intro"), (1680, "Vers ä")], notes, 20_000)
    song = midi.parse(data, repair=False)
    assert [tuple(note) for note in song.parts[0]] == notes
    assert (song.parts[0].program, song.ticks_per_quarter, song.length) == (27, 480, 20_000)
    assert song.metres == (Metre(0, 7, 8), Metre(1680, 4, 4))
    assert song.markers == (Marker(0, "Intro"), Marker(1680, "Vers ä"))
    assert song.tempos[0].bpm == pytest.approx(97.5)


def test_drums_are_read_as_they_are(drummer: Drummer) -> None:
    for name in ("funk.mid", "seven_eight.mid", "jazz_comp.mid"):
        take = drummer.accompany(ROOT / "examples" / name) if (ROOT / "examples" / name).exists() else None
        if take is not None:
            ticks, notes = midi_file.read_notes(take.to_bytes())
            assert ticks == take.song.ticks_per_quarter
            assert notes == sorted(tuple(note) for note in take.part)
    with pytest.raises(ValueError, match="not a MIDI file"):
        midi_file.read_notes(b"RIFF")


def test_both_scripts_have_the_same_lines_for_midi_files() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (LIVE_SCRIPT / "midi_file.py", FL_SCRIPT)]
    blocks = [text[text.index("\n", text.index("# --- MIDI files")) :] for text in texts]
    assert blocks[0] == blocks[1] and len(blocks[0].splitlines()) > 80


@pytest.mark.parametrize("path", [FL_SCRIPT, LIVE_SCRIPT / "midi_file.py", LIVE_SCRIPT / "script.py"])
def test_scripts_run_in_the_old_pythons_of_these_programs_and_start_no_thread(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 7))
    named = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert named <= {"json", "os", "re", "time", "flpianoroll", "Live"}


# --- FL Studio --------------------------------------------------------------------------------------------------------


def guitar_roll() -> Score:
    notes = [
        FlNote(pitch, bar * 384 + tick, length, velocity / 127)
        for bar in range(8)
        for tick, length, pitch, velocity in RIFF
    ]
    return Score(notes=[*notes, FlNote(99, 5, 5, muted=True), FlNote(98, 5, 5, slide=True)])


def test_fl_studio_listens_in_one_piano_roll_and_writes_in_another(home: Path, drummer: Drummer) -> None:
    guitar, drums = FlStudio(guitar_roll()), FlStudio(Score(notes=[FlNote(36, 0, 24)]))
    guitar.run(Tempo=96)
    assert (guitar.said, len(guitar.score.notes)) == ([], 34)
    waited = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        answer(home, drummer)

    values = {"Do": 1, "Style": 1 + STYLES.index("rock"), "Take": 3, "Choose intensity": True, "Intensity": 0.7}
    values["Style"] = guitar.script["STYLES"].index("rock")
    drums.run(wait, **values)
    assert (drums.said, len(waited)) == ([], 1)
    (song,) = requests_in(home)
    held = midi.read(song)
    assert (len(held.parts[0]), round(held.tempos[0].bpm), held.ticks_per_quarter) == (32, 96, 96)
    take = drummer.accompany(song, Options(seed=3, style="rock", intensity=0.7))
    written = sorted((note.time, note.length, note.number, round(note.velocity * 127)) for note in drums.score.notes)
    assert written == sorted(tuple(note) for note in take.part)
    drums.run(wait, **values)  # as with every turn of a knob: at once, and the same
    assert len(waited) == 1 and len(drums.score.notes) == len(written)


def test_fl_studio_gives_metres_and_markers(home: Path) -> None:
    score = guitar_roll()
    score.tsnum, score.tsden = 7, 8
    score.markers = [FlMarker(0, "Verse"), FlMarker(336, "", 8, 3, 4), FlMarker(336, "C major", 12)]
    FlStudio(score).run()
    song = midi.parse((folder_of(home) / ".fl-studio-guitar").read_bytes())
    assert song.metres == (Metre(0, 7, 8), Metre(336, 3, 4))
    assert song.markers == (Marker(0, "Verse"),)


@pytest.mark.parametrize("case", ["empty", "unheard", "own", "refused", "silent"])
def test_fl_studio_says_what_is_missing_and_leaves_the_notes(home: Path, case: str) -> None:
    wanted = {
        "empty": "There are no notes in this piano roll",
        "unheard": "has not listened yet",
        "own": "This is the guitar's piano roll",
        "refused": "the note says why",
        "silent": "does not answer. Start it with: seq2drum watch",
    }
    if case not in ("empty", "unheard"):
        FlStudio(guitar_roll()).run()
    roll = FlStudio(guitar_roll() if case == "own" else Score(notes=[] if case == "empty" else [FlNote(36, 0, 24)]))

    def wait(seconds: float) -> None:
        if case == "refused":
            (song,) = requests_in(home)
            Path(f"{song}{ERROR_SUFFIX}").write_text("the note says why\n\nThis note goes away.\n")
        else:
            roll.script["SECONDS"] = 0
            roll.script["time"].time = lambda: 1e12

    before = list(roll.score.notes)
    roll.run(wait, Do=0 if case == "empty" else 1)
    assert len(roll.said) == 1 and wanted[case] in roll.said[0]
    assert roll.score.notes == before


# --- Ableton Live -----------------------------------------------------------------------------------------------------


def riff(bars: int = 4, start: float = 0.0) -> list[LiveNote]:
    return [LiveNote(40 + eighth % 7, start + eighth / 2, 0.4, 90.0) for eighth in range(8 * bars)]


def a_set(name: str, **clip: object) -> fake_daws.Song:
    """A set with a guitar and its clip in front, in the first slot."""
    song = fake_daws.Song("Guitar", "Bass")
    slot = song.tracks[0].clip_slots[0]
    slot.clip = Clip(name, slot, riff())
    for field, value in clip.items():
        setattr(slot.clip, field, value)
    song.view.detail_clip = slot.clip
    return song


def ticked(surface: object, until: Callable[[], object], work: Callable[[], object]) -> None:
    """Live's ticks, with work between them."""
    for _ in range(20):
        surface.update_display()  # type: ignore[attr-defined]
        if until():
            return
        work()
    raise AssertionError("nothing has come")


def test_live_puts_drums_beside_the_clip_and_further_takes_below(home: Path, drummer: Drummer) -> None:
    song = a_set("Riff +drums style=funk")
    clip = song.view.detail_clip
    with fake_daws.live(song) as surface:
        surface.update_display()
        assert clip.name == "Riff" and len(song.tracks) == 2
        ticked(surface, lambda: len(song.tracks) == 3, lambda: answer(home, drummer))
        drums = song.tracks[1]
        assert [track.name for track in song.tracks] == ["Guitar", "Drums (seq2drum)", "Bass"]
        made = drums.clip_slots[0].clip
        assert made is not None and (made.name, made.length) == ("Riff, seed 1", 16.0)
        (asked,) = requests_in(home)
        take = drummer.accompany(asked, Options(style="funk", seed=1))
        assert [(note.pitch, round(note.start_time * 960), note.velocity) for note in made.notes] == [
            (note.pitch, note.onset, note.velocity) for note in sorted(take.part, key=tuple)
        ]
        for number in (2, 3):
            clip.name = "Riff +DRUMS"
            wanted = lambda number=number: len([slot for slot in drums.clip_slots if slot.clip]) == number  # noqa: E731
            ticked(surface, wanted, lambda: answer(home, drummer))
        assert [slot.clip.name for slot in drums.clip_slots if slot.clip] == [f"Riff, seed {at}" for at in (1, 2, 3)]
        assert len(song.tracks) == 3 and len(song.tracks[0].clip_slots) == 3  # a scene more
        assert "Riff, seed 3 is on the track Drums (seq2drum)" in surface.said[-1]


def test_live_plays_to_the_loop_in_the_clips_metre_and_tempo(home: Path) -> None:
    song = a_set("x +drums seed=9", loop_start=7.0, length=14.0, signature_numerator=7, signature_denominator=8)
    song.tempo = 91.0
    places = [(6.9, 9.0), (7.0, 1.0), (20.5, 4.0), (21.0, 1.0)]
    song.view.detail_clip.notes = [LiveNote(40 + at, *place) for at, place in enumerate(places)]
    with fake_daws.live(song) as surface:
        surface.update_display()
    (asked,) = requests_in(home)
    held = midi.read(asked)
    assert [tuple(note)[:3] for note in held.parts[0]] == [(0, 960, 41), (12_960, 480, 42)]
    assert (held.metres, held.length) == ((Metre(0, 7, 8),), 14 * 960)
    assert held.tempos[0].bpm == pytest.approx(91, abs=1e-3)
    assert json.loads(Path(f"{asked}.json").read_bytes()) == {"seed": "9"}


def test_live_puts_drums_into_the_arrangement_where_the_clip_lies(home: Path, drummer: Drummer) -> None:
    song = a_set("Riff +drums", is_arrangement_clip=True, start_time=32.0)
    song.view.detail_clip.canonical_parent = song.tracks[0]
    with fake_daws.live(song) as surface:
        ticked(surface, lambda: len(song.tracks) == 3, lambda: answer(home, drummer))
    (made,) = song.tracks[1].arrangement_clips
    assert (made.start_time, made.length) == (32.0, 16.0) and made.notes


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("a +drums", {"is_midi_clip": False}, "this clip is audio; convert it to MIDI first"),
        ("a +drums", {"notes": []}, "there are no notes in this clip"),
        ("a +drums seed=x", {}, 'the seed is "x"; wanted a number'),
        ("a +drums rock", {}, '"rock" is no option; wanted NAME=VALUE, such as style=rock'),
    ],
)
def test_live_says_what_is_wrong_once(home: Path, name: str, changes: dict[str, object], said: str) -> None:
    song = a_set(name, **changes)
    with fake_daws.live(song) as surface:
        for _ in range(3):
            surface.update_display()
        assert [text for text in surface.said if said in text] == [surface.said[-1]]
    assert requests_in(home) == [] and len(song.tracks) == 2


def test_live_says_why_there_are_no_drums(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    song = a_set("a +drums style=polka")
    with fake_daws.live(song) as surface:
        surface.update_display()
        (asked,) = requests_in(home)
        Path(f"{asked}{ERROR_SUFFIX}").write_text(f"{asked.name}: there is no style 'polka'\n\nThis note\n")
        surface.update_display()
        assert surface.said[-1] == "seq2drum: there is no style 'polka'"
        song.view.detail_clip.name = "a +drums"
        surface.update_display()
        monkeypatch.setattr("time.time", lambda: 1e12)
        surface.update_display()
        assert surface.said[-1].startswith("seq2drum: no answer; start it with: seq2drum watch")
    assert len(song.tracks) == 2


def test_live_leaves_other_clips_and_no_clip_alone(home: Path) -> None:
    song = a_set("Riff + drumsticks")
    with fake_daws.live(song) as surface:
        surface.update_display()
        song.view.detail_clip = None
        surface.update_display()
    assert not folder_of(home).exists()
