"""Guitar Pro 3 to 5: what is read of files that PyGuitarPro writes."""

from __future__ import annotations

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

pytest.importorskip("guitarpro", reason="PyGuitarPro is not installed: pip install 'seq2drum[guitarpro]'")

import guitarpro
from guitarpro import models

from seq2drum.errors import NotationError, OutputError
from seq2drum.formats.guitarpro.binary import write_guitarpro
from seq2drum.formats.guitarpro.fretting import BASS, GUITAR, tuning
from seq2drum.formats.opening import open_song
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo
from seq2drum.music.theory import program_name
from tests.commands import called
from tests.tabs import beat, multi_tempo_song, song, tempos_at_quarters, track, written

EXAMPLES = Path(__file__).parents[2] / "examples"
EIGHTHS = [beat((6, fret)) for fret in range(8)]
QUARTER = {"length": 4}


def read(made: Any, version: tuple[int, int, int] = (5, 1, 0)) -> Song:
    return open_song(written(made, version)).song


def heard(read: Song, part: int = 0) -> list[tuple[float, int]]:
    """(onset in quarters, pitch) of a part."""
    return [(note.onset / read.ticks_per_quarter, note.pitch) for note in read.parts[part]]


def pitches(read: Song) -> list[int]:
    return read.parts[0].pitch.tolist()


def whole(fret: int) -> list[Any]:
    return [beat((6, fret), length=1)]


@pytest.mark.parametrize("version", [(3, 0, 0), (4, 0, 6), (5, 0, 0), (5, 1, 0)])
def test_a_riff_is_read_from_all_versions(version) -> None:
    found = read(song(track([EIGHTHS, EIGHTHS], name="Lead", program=30), tempo=96), version)
    assert heard(found) == [(number / 2, 40 + number % 8) for number in range(16)]
    assert (found.parts[0].name, found.parts[0].program, found.parts[0].is_drums) == ("Lead", 30, False)
    assert found.tempos[0].bpm == pytest.approx(96)
    assert [bar.length / found.ticks_per_quarter for bar in found.bars()] == [4, 4]


def test_pitches_are_those_of_the_tuning_at_the_capo() -> None:
    tuning = (62, 57, 53, 48, 43, 38)
    found = read(song(track([[beat((6, 0), (1, 3), length=1)]], tuning=tuning, offset=2)))
    assert pitches(found) == [40, 67]


def test_repeats_and_their_endings_are_played_out() -> None:
    headers: dict[int, dict[str, Any]] = {
        0: {"isRepeatOpen": True},
        1: {"repeatClose": 2, "repeatAlternative": 0b011},
        2: {"repeatAlternative": 0b100},
    }
    for version in ((4, 0, 6), (5, 1, 0)):
        found = read(song(track([whole(0), whole(1), whole(2), whole(3)]), headers=headers), version)
        assert pitches(found) == [40, 41, 40, 41, 40, 42, 43]


def test_metres_and_tempos_change_where_they_do_in_the_tab() -> None:
    bars = [
        [beat((6, 0), length=2, dotted=True)],
        [beat((6, 0), **QUARTER), beat((6, 1), length=8, tempo=90)],
        whole(2),
    ]
    headers: dict[int, dict[str, Any]] = {0: {"metre": (3, 4)}, 1: {"metre": (3, 8)}, 2: {"metre": (4, 4)}}
    found = read(song(track(bars), tempo=150, headers=headers))
    ticks = found.ticks_per_quarter
    assert found.metres == (Metre(0, 3, 4), Metre(3 * ticks, 3, 8), Metre(9 * ticks // 2, 4, 4))
    assert [(tempo.tick / ticks, round(tempo.bpm)) for tempo in found.tempos] == [(0, 150), (4, 90)]


def test_triplet_feel_is_swing() -> None:
    found = read(song(track([EIGHTHS]), headers={0: {"tripletFeel": models.TripletFeel.eighth}}))
    assert [onset for onset, _ in heard(found)] == pytest.approx([q + o for q in range(4) for o in (0, 2 / 3)])


def test_tied_notes_are_one() -> None:
    bars = [[beat((6, 3), length=1)], [beat((6, 3), length=2, kind="tie"), beat((6, 5), length=2)]]
    found = read(song(track(bars)))
    assert [(note.onset, note.duration, note.pitch) for note in found.parts[0]] == [
        (0, 6 * found.ticks_per_quarter, 43),
        (6 * found.ticks_per_quarter, 2 * found.ticks_per_quarter, 45),
    ]


def test_dead_palm_muted_ghost_and_slurred_notes_are_softer_and_accents_louder() -> None:
    bar = [
        beat((6, 0), **QUARTER),
        beat((6, 0), **QUARTER, kind="dead"),
        beat((6, 0), **QUARTER, palmMute=True),
        beat((6, 0), **QUARTER, ghostNote=True),
    ]
    other = [
        beat((6, 0), **QUARTER, accentuatedNote=True),
        beat((6, 0), **QUARTER, heavyAccentuatedNote=True),
        beat((6, 0), **QUARTER, hammer=True),
        beat((6, 2), **QUARTER),
    ]
    velocities = read(song(track([bar, other]))).parts[0].velocity.tolist()
    assert velocities == [95, 63, 79, 79, 111, 127, 95, 79]


def test_what_rings_sounds_until_its_string_is_struck_or_a_rest_comes_or_a_bar_is_over() -> None:
    rung = [
        beat((6, 0), letRing=True),
        beat((5, 2), letRing=True),
        beat((4, 2), letRing=True),
        beat((5, 3), letRing=True),
    ]
    found = read(song(track([[*rung, beat(length=2)], [beat((1, 0), letRing=True)] + [beat((2, 0))] * 7, EIGHTHS])))
    ticks = found.ticks_per_quarter
    assert [note.duration / ticks for note in list(found.parts[0])[:4]] == [2, 1, 1, 0.5]
    assert list(found.parts[0])[4].duration == 4 * ticks


def test_sections_are_markers_each_time_they_are_played() -> None:
    headers: dict[int, dict[str, Any]] = {
        0: {"section": "Verse 1", "isRepeatOpen": True, "repeatClose": 1},
        1: {"section": "Chorus"},
    }
    found = read(song(track([whole(0), whole(1)]), headers=headers))
    bar = 4 * found.ticks_per_quarter
    assert found.markers == (
        Marker(0, "Verse 1", True),
        Marker(bar, "Verse 1", True),
        Marker(2 * bar, "Chorus", True),
    )


def test_a_drum_track_has_general_midi_notes() -> None:
    kit = track(
        [[beat((1, 42), (5, 36), **QUARTER), beat((1, 42), (4, 38), **QUARTER)] * 2],
        name="Drums",
        program=0,
        isPercussionTrack=True,
        tuning=(0,) * 6,
    )
    found = read(song(track([EIGHTHS]), kit))
    assert found.parts[1].is_drums
    assert heard(found, 1) == [(0, 36), (0, 42), (1, 38), (1, 42), (2, 36), (2, 42), (3, 38), (3, 42)]


def test_tremolo_is_played_stroke_by_stroke() -> None:
    effect = models.TremoloPickingEffect(models.Duration(16))
    found = read(song(track([[beat((6, 0), length=2, tremoloPicking=effect), beat(length=2)]])))
    assert [onset for onset, _ in heard(found)] == [number / 4 for number in range(8)]


def graced(*notes: tuple[int, int], fret: int = 5, length: int = 4, **more: Any) -> Any:
    """A beat whose notes have a grace each. more: of the grace."""
    return beat(*notes, length=length, grace=models.GraceEffect(fret=fret, **more))


def timed(read: Song, part: int = 0) -> list[tuple[float, float, int]]:
    """(onset, duration, pitch) of a part, in quarters."""
    ticks = read.ticks_per_quarter
    return [(note.onset / ticks, note.duration / ticks, note.pitch) for note in read.parts[part]]


def test_a_grace_is_a_32nd_of_the_beat_before_it_or_of_its_own() -> None:
    early = read(song(track([[beat((6, 0), **QUARTER), graced((6, 7)), beat(length=2)]])))
    assert timed(early) == [(0, 0.875, 40), (0.875, 0.125, 45), (1, 1, 47)]
    late = read(song(track([[beat((6, 0), **QUARTER), graced((6, 7), isOnBeat=True), beat(length=2)]])))
    assert timed(late) == [(0, 1, 40), (1, 0.125, 45), (1.125, 0.875, 47)]
    twice = read(song(track([whole(0), [graced((6, 7), (5, 7), length=1)]])))
    assert timed(twice)[1:] == [(3.875, 0.125, 45), (3.875, 0.125, 50), (4, 4, 47), (4, 4, 52)]


def test_a_grace_finds_room_where_there_is_little_and_where_the_song_begins() -> None:
    short = read(song(track([[beat((6, 0), length=64), graced((6, 7), length=64), beat((6, 0), length=2)]])))
    assert timed(short)[:3] == [(0, 1 / 32, 40), (1 / 32, 1 / 32, 45), (1 / 16, 1 / 16, 47)]
    first = read(song(track([[graced((6, 7), length=1)]])))
    assert timed(first) == [(0, 0.125, 45), (0.125, 3.875, 47)]


def test_a_grace_has_a_loudness_of_its_own_and_may_be_dead_or_hammered_from() -> None:
    def velocities(version: tuple[int, int, int] = (5, 1, 0), **more: Any) -> list[int]:
        made = song(track([[beat((6, 0), **QUARTER), graced((6, 7), **more), beat(length=2)]]))
        return read(made, version).parts[0].velocity.tolist()

    assert velocities(velocity=47) == [95, 47, 95]
    assert velocities((4, 0, 6), velocity=47) == [95, 47, 95]
    assert velocities(isDead=True) == [95, 63, 95]
    assert velocities(transition=models.GraceEffectTransition.hammer) == [95, 95, 79]


def test_a_drum_with_a_grace_is_a_flam() -> None:
    kit = track([[beat((1, 36), **QUARTER), graced((1, 38), fret=38), beat(length=2)]], isPercussionTrack=True)
    assert timed(read(song(kit))) == [(0, 0.875, 36), (0.875, 0.125, 38), (1, 1, 38)]


def test_a_tremolo_of_a_kind_that_there_is_not_is_not_heard() -> None:
    def picked(value: int) -> bytes:
        tremolo = models.TremoloPickingEffect(models.Duration(value))
        return written(song(track([[beat((6, 3), length=1, tremoloPicking=tremolo)]])))

    eighths, thirty_seconds = picked(8), picked(32)
    (at,) = [place for place, (one, two) in enumerate(zip(eighths, thirty_seconds, strict=True)) if one != two]
    odd = eighths[:at] + b"\x09" + eighths[at + 1 :]
    assert [len(open_song(data).song.parts[0]) for data in (eighths, thirty_seconds, odd)] == [8, 32, 1]


def test_notes_beyond_midis_range_are_left_out_and_said() -> None:
    high = (100, 59, 55, 50, 45, 40)
    bar = [beat((1, 48), (6, 0), **QUARTER), graced((1, 48), fret=30), beat((1, 5), length=2)]
    found = read(song(track([EIGHTHS, bar], name="Lead", tuning=high)))
    assert heard(found)[8:] == [(4, 40), (6, 105)]
    assert found.remarks == ("notes beyond MIDI's range: 3 left out, the first (pitch 148) in measure 2 of 'Lead'",)
    assert read(song(track([EIGHTHS]))).remarks == ()


def test_a_measure_is_as_long_as_its_header_says_and_what_is_beyond_is_said() -> None:
    over = [*EIGHTHS, beat((6, 9), **QUARTER), beat(length=8), beat((6, 9), **QUARTER)]
    held = [beat((6, 0), length=2, dotted=True), beat((6, 1), length=2)]
    found = read(song(track([over, held, EIGHTHS, over], name="Bass")))
    assert len(found.bars()) == 4
    assert found.end == 16 * found.ticks_per_quarter
    steady = [(number / 2, 40 + number) for number in range(8)]
    assert heard(found) == [
        *steady,
        (4, 40),
        (7, 41),
        *((8 + onset, pitch) for onset, pitch in steady),
        *((12 + onset, pitch) for onset, pitch in steady),
    ]
    assert timed(found)[9] == (7, 1, 41)
    assert found.remarks == (
        "notes beyond the end of their measure: 5 cut or left out, the first in measure 1 of 'Bass'",
    )


def test_the_command_line_says_what_was_left_out_of_a_tab(tmp_path, capsys) -> None:
    tab = tmp_path / "song.gp5"
    tab.write_bytes(written(song(track([[*EIGHTHS, *whole(9)], EIGHTHS], name="Lead"))))
    code, _, err = called(["--mode", "infer", str(tab), "-o", str(tmp_path / "d.mid")], capsys)
    assert code == 0, err
    assert f"{tab}: notes beyond the end of their measure: 1 cut or left out, the first in measure 1 of 'Lead'\n" in err


def test_a_tie_over_the_end_of_an_overfull_measure_goes_on() -> None:
    over = [beat((6, 0), length=2, dotted=True), beat((6, 3), length=2)]
    found = read(song(track([over, [beat((6, 3), length=1, kind="tie")]])))
    assert timed(found) == [(0, 3, 40), (3, 5, 43)]


def in_code_page(page: str, *names: str) -> tuple[str, ...]:
    """The names of the tracks of a tab that was written on a machine with a code page."""
    tracks = [track([EIGHTHS], name=name.encode(page).decode("latin-1")) for name in names]
    headers: dict[int, dict[str, Any]] = {0: {"section": names[0].encode(page).decode("latin-1")}}
    data = io.BytesIO()
    guitarpro.write(song(*tracks, headers=headers), data, version=(5, 1, 0), encoding="latin-1")
    found = open_song(data.getvalue()).song
    assert found.markers[0].text == names[0]
    return tuple(part.name for part in found.parts)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("cp1252", ("Gitarre für Übungen", "Señor à la Mañana", "Où es-tu", "Don’t – 2")),
        ("cp1251", ("Дорожка 1", "Гитара и бас", "УДАРНЫЕ")),
        ("cp1251", ("Соло",)),
        ("utf-8", ("Дорожка 1", "Übung")),
        ("cp932", ("ギター 1", "ベース", "音")),
        ("gbk", ("吉他 1", "贝斯", "鼓")),
        ("ascii", ("Track 1",)),
    ],
)
def test_names_are_read_in_the_code_page_of_their_country(page, names) -> None:
    assert in_code_page(page, *names) == names


def test_names_are_written_in_a_code_page_that_has_them() -> None:
    for name in ("Гитара", "Übung", "Guitar"):
        given = Song(480, (Part.of([Note(0, 480, 50, 95)], program=27, name=name),), length=1920)
        assert open_song(write_guitarpro(given, kit([Note(0, 60, 36, 95)]))).song.parts[0].name == name


def test_a_track_without_a_name_is_called_by_its_number_in_the_song_and_its_sound() -> None:
    parts = (kit([Note(0, 60, 36, 95)]), Part.of([Note(0, 480, 50, 95)], program=29))
    found = open_song(write_guitarpro(Song(480, parts, length=1920), parts[0])).song
    assert [part.name for part in found.parts] == [f"2 {program_name(29)}", "Drums"]


def test_both_voices_are_heard() -> None:
    found = read(song(track([(whole(0), EIGHTHS)])))
    assert len(found.parts[0]) == 9


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:200], "PyGuitarPro cannot read this tab"),
        (lambda data: data.replace(b"v5.10", b"v1.02"), "this is not a file of Guitar Pro 3 to 5"),
    ],
)
def test_a_damaged_tab_is_told_in_one_line(change, message) -> None:
    with pytest.raises(NotationError, match=message) as caught:
        open_song(change(written(song(track([EIGHTHS])))))
    assert "\n" not in str(caught.value)


def test_a_tab_that_says_it_has_too_much_is_refused_before_it_is_read() -> None:
    headers: dict[int, dict[str, Any]] = {0: {"isRepeatOpen": True}}
    bars = [EIGHTHS for _ in range(20)]
    headers |= {index: {"repeatClose": 99, "isRepeatOpen": True} for index in range(1, 20)}
    headers[10] = {"metre": (65, 4)}
    with pytest.raises(NotationError, match="measure 11 is in 65/4"):
        read(song(track(bars), headers=headers))
    nested: dict[int, dict[str, Any]] = {index: {"isRepeatOpen": True} for index in range(10)} | {
        index: {"repeatClose": 99} for index in range(10, 20)
    }
    with pytest.raises(NotationError, match="more than 10,000 measures"):
        read(song(track(bars), headers=nested))


def test_tracks_of_more_measures_than_can_be_are_refused_before_they_are_read() -> None:
    data = bytearray(written(song(track([[]] * 5000))))
    at = data.index((5000).to_bytes(4, "little") + (1).to_bytes(4, "little"))
    data[at + 4] = 21
    with pytest.raises(NotationError, match="105,000 measures in all tracks together; wanted at most 100,000"):
        open_song(bytes(data))


def test_a_voice_of_more_beats_than_can_be_is_refused() -> None:
    with pytest.raises(NotationError, match="600 beats of a voice in a measure; wanted at most 512"):
        read(song(track([[beat((6, 0), length=64)] * 600])))


def test_repeats_that_multiply_beats_beyond_the_limit_are_refused() -> None:
    headers: dict[int, dict[str, Any]] = {0: {"isRepeatOpen": True, "metre": (16, 4)}, 7: {"repeatClose": 100}}
    with pytest.raises(NotationError, match="more than 400,000 beats"):
        read(song(track([[beat((6, 0), length=128)] * 512] * 8), headers=headers))


# --- and back ---------------------------------------------------------------------------------------------------------


def kit(notes: list[Note]) -> Part:
    return Part.of(notes, name="Drums", is_drums=True)


@pytest.mark.parametrize("name", ["rock_riff_1", "blues_shuffle_1", "seven_eight_1", "waltz_1"])
def test_a_song_that_is_written_has_all_its_notes_and_drums(name) -> None:
    given = open_song(EXAMPLES / "training" / f"{name}.mid").song
    drums = next(part for part in given.parts if part.is_drums)
    found = open_song(write_guitarpro(given, drums)).song
    assert len(found.bars()) == len(given.bars())
    assert found.tempos[0].bpm == pytest.approx(given.tempos[0].bpm, abs=0.51)
    for before, after in zip([part for part in given.parts if not part.is_drums] + [drums], found.parts, strict=True):
        moved = before.onset / given.ticks_per_quarter - after.onset / found.ticks_per_quarter
        assert np.abs(moved).max() < 0.07
        assert sorted(before.pitch.tolist()) == sorted(after.pitch.tolist())
        assert (before.program, before.is_drums) == (after.program, after.is_drums)


def test_what_lies_on_the_grid_comes_back_as_it_was() -> None:
    steps = [0, 120, 240, 480, 640, 800, 960, 1320, 1440, 1620, 1920]
    notes = [Note(at, until - at, 40 + number, 95) for number, (at, until) in enumerate(pairwise(steps))]
    given = Song(480, (Part.of(notes, program=30, name="Guitar"),), metres=(Metre(0, 4, 4),), length=3840)
    drums = kit([Note(at, 60, 36 + 2 * (at % 480 != 0), 111) for at in steps])
    found = open_song(write_guitarpro(given, drums)).song
    assert found.ticks_per_quarter == 480
    assert list(found.parts[0]) == notes
    assert found.parts[1].onset.tolist() == steps
    assert found.parts[1].pitch.tolist() == drums.pitch.tolist()
    assert found.parts[1].velocity.tolist() == drums.velocity.tolist()


def test_a_note_that_sounds_beyond_others_is_tied() -> None:
    notes = [Note(0, 1920, 40, 95), Note(480, 480, 64, 95), Note(960, 240, 62, 95)]
    given = Song(480, (Part.of(notes, program=27),), length=1920)
    assert list(open_song(write_guitarpro(given, kit([Note(0, 60, 36, 95)]))).song.parts[0]) == notes


def test_pickups_sections_and_tempos_are_written() -> None:
    notes = [Note(0, 480, 50, 95), Note(480, 1920, 52, 95), Note(2400, 1920, 53, 95)]
    given = Song(
        480,
        (Part.of(notes, program=27, name="Гитара"),),
        tempos=(Tempo(0, 600_000), Tempo(2400, 500_000)),
        metres=(Metre(0, 4, 4), Metre(480, 4, 4)),
        length=4320,
        markers=(Marker(480, "Verse"), Marker(2400, "Chorus")),
    )
    found = open_song(write_guitarpro(given, kit([Note(480, 60, 36, 95)]))).song
    ticks = found.ticks_per_quarter
    assert [bar.length / ticks for bar in found.bars()] == [1, 4, 4]
    assert [(tempo.tick / ticks, round(tempo.bpm)) for tempo in found.tempos] == [(0, 100), (5, 120)]
    assert [(marker.tick / ticks, marker.text) for marker in found.markers] == [(1, "Verse"), (5, "Chorus")]


def test_a_tempo_that_changes_just_before_a_barline_changes_there() -> None:
    guitar = Part.of([Note(0, 480, 40, 95), Note(4 * 1920, 1920, 45, 95)], program=27)
    given = Song(480, (guitar,), (Tempo(0, 750_000), Tempo(4 * 1920 - 10, 375_000)), (Metre(0, 4, 4),), 8 * 1920)
    found = open_song(write_guitarpro(given, kit([Note(0, 60, 36, 95)]))).song
    assert [(tempo.tick / found.ticks_per_quarter, round(tempo.bpm)) for tempo in found.tempos] == [(0, 80), (16, 160)]
    assert list(found.parts[0]) == list(guitar)


@settings(deadline=None, max_examples=20)
@examples(st.integers(0, 10**6).map(multi_tempo_song))
def test_the_tempo_is_the_songs_at_each_quarter_of_each_bar(given: Song) -> None:
    drums = kit([Note(0, 60, 36, 95)])
    found = open_song(write_guitarpro(given, drums)).song
    for at, bpm in tempos_at_quarters(given):
        assert round(found.tempo_at(round(at * found.ticks_per_quarter)).bpm) == bpm, at
    steady = open_song(write_guitarpro(replace(given, tempos=given.tempos[:1]), drums)).song
    assert timed(found) == timed(steady)


def test_a_bass_and_low_guitars_get_strings_that_reach_their_notes() -> None:
    def strings(program: int, lowest: int) -> tuple[int, ...]:
        return tuning(Part.of([Note(0, 480, lowest, 90)], program=program))

    assert strings(30, 40) == GUITAR
    assert strings(30, 38) == (*GUITAR[:-1], 38)
    assert strings(30, 35) == (*GUITAR, 35)
    assert strings(33, 28) == BASS
    assert strings(33, 23) == (*BASS, 23)


def test_a_bar_that_is_longer_than_guitar_pro_has_is_refused() -> None:
    long = Song(480, (Part.of([Note(0, 480, 40, 90)]),), metres=(Metre(0, 128, 4),), length=128 * 480)
    with pytest.raises(OutputError, match="bar 1 is 128/4 long; Guitar Pro holds up to 64"):
        write_guitarpro(long, kit([Note(0, 60, 36, 90)]))
    cut = Song(
        480, (Part.of([Note(0, 480, 40, 90)]),), metres=(Metre(0, 40, 4), Metre(9 * 480 + 60, 4, 4)), length=5000
    )
    with pytest.raises(OutputError, match="bar 1 is 73/32 long"):
        write_guitarpro(cut, kit([Note(0, 60, 36, 90)]))


def test_the_command_line_writes_a_tab_beside_the_drums(tmp_path, capsys) -> None:
    def run(*words: object) -> tuple[int, str, str]:
        return called(["--mode", "infer", *map(str, words)], capsys)

    target = tmp_path / "song.gp5"
    code, _, err = run(EXAMPLES / "waltz.mid", "-o", tmp_path / "d.mid", "--gp", target)
    assert code == 0, err
    found = open_song(target).song
    drums = open_song(tmp_path / "d.mid").song
    assert [part.is_drums for part in found.parts] == [False, True]
    assert len(found.parts[1]) == len(drums.parts[0])
    assert "--gp writes .gp5" in run(EXAMPLES / "waltz.mid", "-o", tmp_path / "e.mid", "--gp", tmp_path / "x.gp")[2]
