"""The contents of a picture, apart from its drawing."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.errors import OptionError
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.show import chart
from seq2drum.show.chart import Row

NO_DRUMS = Part.of([], is_drums=True)
BAR = 1920


def kit(*notes: tuple[int, int]) -> Part:
    return Part.of([Note(tick, 60, pitch, 90) for tick, pitch in notes], is_drums=True)


def guitar(*notes: tuple[int, int, int], name: str = "") -> Part:
    return Part.of([Note(tick, length, pitch, 90) for tick, length, pitch in notes], program=27, name=name)


def test_rows_are_the_pieces_that_are_struck_beginning_with_the_feet() -> None:
    shown = chart.of(Duet(Song(480), (), kit((0, 49), (0, 36), (0, 63), (0, 44), (0, 5), (0, 38), (0, 42), (0, 41))))
    assert shown.rows == (
        Row("kick", False),
        Row("pedal hat", True),
        Row("snare", False),
        Row("low tom", False),
        Row("closed hat", True),
        Row("crash", True),
        Row("high conga", False),
        Row("other", False),
    )


def test_every_piece_of_the_kit_has_a_place() -> None:
    shown = chart.of(Duet(Song(480), (), kit(*((0, pitch) for pitch in range(128)))))
    assert len(shown.rows) == len({row.name for row in shown.rows}) == 25


def test_hits_know_their_row_their_place_and_how_late_they_are() -> None:
    hits = chart.of(Duet(Song(480, length=BAR), (), kit((0, 36), (130, 42), (310, 42), (480, 38)))).hits
    assert hits.tick.tolist() == [0, 130, 310, 480]
    assert hits.row.tolist() == [0, 2, 2, 1]
    assert hits.step.tolist() == [0, 1, 4, 6]  # of the six places of a quarter: 0, 120, 160, 240, 320, 360
    assert hits.late.tolist() == [0, 10, -10, 0]


def test_a_note_just_before_a_barline_belongs_to_the_bar_after_it() -> None:
    shown = chart.of(
        Duet(Song(480, length=2 * BAR), (guitar((BAR - 30, 400, 52)),), kit((BAR - 59, 36), (BAR - 61, 38)))
    )
    first, second = shown.measures
    assert shown.hits_of([first]).tick.tolist() == [BAR - 61]
    assert shown.hits_of([second]).tick.tolist() == [BAR - 59]
    assert [len(shown.notes_of(shown.guitars[0], [bar])) for bar in (first, second)] == [0, 1]
    shown = chart.of(Duet(Song(480, length=BAR), (), kit((BAR - 10, 36))))
    assert shown.hits_of(shown.measures).tick.tolist() == [BAR - 10]  # nothing follows


def test_a_note_that_sounds_on_is_in_all_its_bars_and_one_that_only_laps_over_is_not() -> None:
    shown = chart.of(Duet(Song(480, length=4 * BAR), (guitar((0, 2 * BAR + 70, 40), (0, BAR + 50, 52)),), NO_DRUMS))
    sounding = [shown.notes_of(shown.guitars[0], [bar]).pitch.tolist() for bar in shown.measures]
    assert sounding == [[40, 52], [40], [40], []]


def test_only_what_sounds_in_the_bars_asked_for_counts() -> None:
    guitars = (guitar((0, 480, 40), name="Early"), guitar((BAR, 480, 60), name="Late"))
    shown = chart.of(Duet(Song(480, length=3 * BAR), guitars, kit((0, 36), (BAR, 38))), first_bar=1, last_bar=2)
    assert [measure.number for measure in shown.measures] == [2]
    assert shown.names == ("Late",)
    assert shown.pitches == (60, 60)
    assert [row.name for row in shown.rows] == ["snare"]
    assert shown.hits.step.tolist() == [0]


def test_names_are_one_line_and_distinct() -> None:
    note = (0, 480, 52)
    names = ("", " Lead\n\x1b Guitar ", "", "Lead Guitar", "Bass")
    shown = chart.of(Duet(Song(480, length=BAR), tuple(guitar(note, name=name) for name in names), NO_DRUMS))
    assert shown.names == ("guitar 1", "Lead Guitar 1", "guitar 2", "Lead Guitar 2", "Bass")


def test_metre_and_tempo_stand_where_they_begin_or_change() -> None:
    song = Song(
        480,
        tempos=(Tempo(0, 500_000), Tempo(2 * BAR, 505_000), Tempo(3 * BAR, 600_000)),
        metres=(Metre(0, 4, 4), Metre(BAR, 4, 4), Metre(4 * BAR, 7, 8), Metre(4 * BAR + 1680, 12, 8)),
        length=4 * BAR + 1680 + 2 * 2880,
    )
    changes = [(measure.metre, measure.tempo) for measure in chart.of(Duet(song, (), NO_DRUMS)).measures]
    assert changes == [
        ("4/4", "♩=120"),
        ("", ""),
        ("", ""),
        ("", "♩=100"),
        ("7/8 (2+2+3)", ""),
        ("12/8", "♩.=67"),
        ("", ""),
    ]
    changes = [(bar.metre, bar.tempo) for bar in chart.of(Duet(song, (), NO_DRUMS), first_bar=5).measures]
    assert changes == [("12/8", "♩.=67"), ("", "")]


def song_with_a_fill(fills: set[int], bars: int = 24) -> Duet:
    beat = [(bar * BAR + at, 36 if at % 960 == 0 else 42) for bar in range(bars) for at in range(0, BAR, 240)]
    filled = [(bar * BAR + at, 45) for bar in fills for at in range(0, BAR, 120)]
    riff = guitar(*((at, 200, 52 if at < 8 * BAR else 57 + at // 480 % 3) for at in range(0, bars * BAR, 480)))
    return Duet(
        Song(480, length=bars * BAR), (riff,), kit(*(hit for hit in beat if hit[0] // BAR not in fills), *filled)
    )


def test_fills_and_passages_are_those_of_the_whole_song() -> None:
    duet = song_with_a_fill({11})
    for first, last in ((0, None), (8, 12), (11, 12)):
        measures = chart.of(duet, first_bar=first, last_bar=last).measures
        assert [measure.number for measure in measures if measure.sign] == [12]
        assert {measure.number: measure.section for measure in measures if measure.section} == {
            number: letter for number, letter in ((1, "A"), (9, "B")) if first < number <= (last or 24)
        }


def test_the_first_and_the_last_bar_that_is_struck_are_no_fills() -> None:
    measures = chart.of(song_with_a_fill({0, 12, 39}, 40)).measures
    assert [measure.number for measure in measures if measure.sign] == [13]


def test_without_drums_there_is_no_fill_and_without_a_guitar_no_passage() -> None:
    duet = song_with_a_fill({11})
    assert not any(measure.sign for measure in chart.of(duet._replace(drums=NO_DRUMS)).measures)
    alone = chart.of(duet._replace(guitars=()))
    assert not any(measure.section for measure in alone.measures)
    assert alone.pitches == (0, 0)
    assert sum(bool(measure.sign) for measure in alone.measures) == 1


def test_of_thousands_of_bars_of_one_tick_only_the_first_has_a_sign() -> None:
    metres = tuple(Metre(BAR + tick, 64, 1) for tick in range(4000))  # bars of one tick, but for one of 64 whole notes
    song = Song(480, metres=metres, length=2 * BAR + 4000)
    shown = chart.of(Duet(song, (guitar((0, 480, 52)),), kit((0, 36))))
    assert [measure.number for measure in shown.measures if measure.sign or measure.section] == [1]
    assert len(shown.measures) == 4001


def test_in_a_song_of_tens_of_thousands_of_bars_no_fills_and_passages_are_looked_for() -> None:
    song = Song(480, metres=(Metre(0, 1, 64),), length=30 * 22_000)
    shown = chart.of(Duet(song, (guitar((0, 480, 52)),), kit((0, 36))))
    assert not any(measure.sign or measure.section for measure in shown.measures)


def test_a_bar_that_is_counted_in_pieces_has_the_fill_that_is_in_one_of_them() -> None:
    duet = song_with_a_fill({11})
    long = duet._replace(song=Song(480, metres=(Metre(0, 16, 4),), length=24 * BAR))
    assert [measure.number for measure in chart.of(long).measures if measure.sign] == [3]
    assert [measure.section for measure in chart.of(long).measures] == ["A", "", "B", "", "", ""]


@pytest.mark.parametrize("bars", [(-1, None), (2, None), (0, 0), (1, 1)])
def test_bars_that_are_not_there_are_refused(bars: tuple[int, int | None]) -> None:
    with pytest.raises(OptionError, match="the song has bars 1 to 2"):
        chart.of(Duet(Song(480, length=2 * BAR), (), NO_DRUMS), first_bar=bars[0], last_bar=bars[1])


def test_lines_hold_as_many_bars_as_there_is_room_for() -> None:
    widths = [3.0, 3.0, 3.0, 9.0, 1.0, 1.0, 1.0]
    assert chart.wrap(widths, 6.0) == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 7)]
    assert chart.wrap(widths, 6.0, 2) == [slice(0, 2), slice(2, 3), slice(3, 4), slice(4, 6), slice(6, 7)]
    assert chart.wrap([5.0], 1.0) == [slice(0, 1)]
    assert np.concatenate([np.arange(7)[cut] for cut in chart.wrap(widths, 4.0)]).tolist() == list(range(7))
