"""The values of a written score, before they become MusicXML. The bytes are tried in `test_notation`."""

from __future__ import annotations

from seq2drum.formats.score import score
from seq2drum.formats.score.score import Chord
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

KICK, SNARE, HAT, CONGA = 36, 38, 42, 63


def song(bars: int = 1, *metres: Metre, tempos: tuple[Tempo, ...] = ()) -> Song:
    return Song(480, tempos=tempos, metres=metres, length=bars * 1920)


def drums(*hits: tuple[float, int]) -> Part:
    """Hits as (quarter, pitch)."""
    return Part.of([Note(round(480 * quarter), 60, pitch, 80) for quarter, pitch in hits], is_drums=True)


def lengths(chords: tuple[Chord, ...]) -> list[int]:
    return [chord.length for chord in chords]


def test_the_chords_of_each_voice_fill_the_measure() -> None:
    (staff,) = score.written(song(), drums((0, KICK), (0.5, HAT), (1.75, HAT), (2, SNARE))).staves
    (measure,) = staff.measures
    assert sum(lengths(measure.hands)) == sum(lengths(measure.feet)) == measure.length == 192


def test_hits_at_one_place_are_heads_of_one_chord_from_the_lowest_to_the_highest() -> None:
    (staff,) = score.written(song(), drums((0, HAT), (0, SNARE))).staves
    first = staff.measures[0].hands[0]
    assert [head.pitch for head in first.heads] == [SNARE, HAT]


def test_eighths_of_a_beat_are_beamed_and_those_of_two_beats_are_not() -> None:
    (staff,) = score.written(song(), drums((0, HAT), (0.5, HAT), (1.5, HAT), (2, HAT))).staves
    hands = staff.measures[0].hands
    assert [chord.beams for chord in hands if chord.heads] == [("begin",), ("end",), (), ()]


def test_a_triplet_lasts_two_thirds_of_how_it_looks_and_has_a_start_and_a_stop() -> None:
    (staff,) = score.written(song(), drums((0, HAT), (1 / 3, HAT), (2 / 3, HAT))).staves
    triplet = staff.measures[0].hands[:3]
    assert [(chord.length, chord.value, chord.tuplet) for chord in triplet] == [
        (16, 24, "start"),
        (16, 24, ""),
        (16, 24, "stop"),
    ]
    assert not any(chord.bracket for chord in triplet)


def test_a_rest_that_hands_and_feet_share_is_hidden_in_the_feet() -> None:
    (staff,) = score.written(song(), drums((0, KICK), (0, HAT))).staves
    measure = staff.measures[0]
    assert [chord.hidden for chord in measure.hands if not chord.heads] == [False, False]
    assert [chord.hidden for chord in measure.feet if not chord.heads] == [True, True]
    assert {chord.rest for chord in (*measure.hands, *measure.feet) if not chord.heads} == {"B4"}


def test_a_metre_is_printed_where_it_changes_and_a_bar_that_is_cut_says_so() -> None:
    metres = (Metre(0, 4, 4), Metre(1920, 3, 4), Metre(1920 + 3 * 480 + 480, 4, 4))
    (staff,) = score.written(song(4, *metres), drums((0, KICK))).staves
    assert [(measure.metre, measure.cut) for measure in staff.measures][:4] == [
        ((4, 4), False),
        ((3, 4), False),
        (None, True),
        ((4, 4), False),
    ]


def test_a_tempo_is_printed_if_it_differs_by_4_percent_from_the_last_that_was() -> None:
    tempos = (Tempo(0, 500_000), Tempo(480, 495_000), Tempo(960, 470_000))
    (staff,) = score.written(song(tempos=tempos), drums((0, KICK))).staves
    marks = staff.measures[0].tempos
    assert [(mark.place, mark.printed) for mark in marks] == [(0, True), (48, False), (96, True)]


def test_a_tempo_that_changes_just_before_a_barline_is_written_there() -> None:
    tempos = (Tempo(0, 750_000), Tempo(1920 - 10, 375_000), Tempo(2 * 1920 + 475, 500_000), Tempo(2 * 1920 + 485, 1))
    (staff,) = score.written(song(3, tempos=tempos), drums((0, KICK))).staves
    marks = [[(mark.place, mark.bpm) for mark in measure.tempos] for measure in staff.measures]
    assert marks == [[(0, 80)], [(0, 160)], [(48, 60e6)]]
    late = (Tempo(0, 500_000), Tempo(3 * 1920 - 5, 400_000))
    (staff,) = score.written(song(3, tempos=late), drums((0, KICK))).staves
    assert not staff.measures[2].tempos


def test_of_tempos_at_one_place_the_last_is_printed_if_it_shows() -> None:
    tempos = (Tempo(0, 500_000), Tempo(1915, 400_000), Tempo(1920, 398_000))
    (staff,) = score.written(song(2, tempos=tempos), drums((0, KICK))).staves
    assert [(mark.place, mark.printed) for mark in staff.measures[1].tempos] == [(0, True)]


def test_tempos_stand_above_the_first_staff_alone() -> None:
    kit, percussion = score.written(song(), drums((0, KICK), (1, CONGA))).staves
    assert kit.measures[0].tempos and not percussion.measures[0].tempos
    assert percussion.measures[0].names == ((48, "high conga"),)
