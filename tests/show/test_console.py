"""The picture in characters, line by line."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from seq2drum.errors import OptionError
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.music.song_plan import PlannedSection
from seq2drum.show import console

NO_DRUMS = Part.of([], is_drums=True)
RIFF = Part.of(
    [Note(0, 240, 40, 90), Note(0, 240, 47, 90), Note(480, 240, 58, 90), Note(960, 240, 64, 90)], name="Riff"
)
BEAT = Part.of(
    [
        *(Note(at, 60, 42, 60) for at in range(0, 1920, 240)),
        *(Note(at, 60, 38, 127) for at in (480, 1440)),
        *(Note(at, 60, 36, velocity) for at, velocity in ((0, 99), (960, 100), (1080, 47))),
    ],
    is_drums=True,
)
SONG = Song(480, tempos=(Tempo(0, 600_000),), length=1920)


def lines(duet: Duet, **options: Any) -> list[str]:
    return console.picture(duet, **options).splitlines()


def drums(*notes: tuple[int, int], velocity: int = 90) -> Part:
    return Part.of([Note(tick, 60, pitch, velocity) for tick, pitch in notes], is_drums=True)


def test_a_bar_in_full() -> None:
    assert lines(Duet(SONG, (RIFF,), BEAT)) == [
        "           4/4  ♩=100",
        "           [A] 1",
        "      Riff│▃   ▆   █   ┊   │",
        "    lowest│E   B♭  E   ┊   │",
        "          │1   2   3   4   │",
        "closed hat│x x x x x x x x │",
        "     snare│┊   ●   ┊   ●   │",
        "      kick│o   ┊   ●◦  ┊   │",
        "",
        "drum ◦ o ●   cymbal · x X   soft to loud   guitar ▁ E2 to █ E4",
    ]


def test_a_plan_stands_below_the_drums_hatched_where_they_wait() -> None:
    song, beat = replace(SONG, length=4 * 1920), drums(*((at, 36) for at in range(1920, 4 * 1920, 480)))
    first = PlannedSection(1, 2, "A", 2, "ride", 0.5, 1.0)
    shown = lines(Duet(song, (), beat), width=120, plan=(first, PlannedSection(3, 3, "B", 3, None, 1.8, 1.1)))
    assert [line for line in shown if "plan" in line] == [
        "  plan│////////////////│0.50 ride ▂▂▂▂▂▂│1.80 ███████████│                │",
    ]
    even = first._replace(enters=1, level=1.0)
    assert not any("plan" in line for line in lines(Duet(song, (), beat), plan=(even,)))


def test_swing_has_a_column_for_each_triplet() -> None:
    swung = drums(*((at, 51) for at in (0, 480, 800, 960, 1440, 1760)))
    assert "ride│x  x xx  x x│" in lines(Duet(SONG, (), swung))[3]


def test_a_bar_of_triplets_among_sixteenths_has_triplet_columns_and_a_bar_with_one_stray_hit_has_not() -> None:
    straight = [(at, 42) for at in range(0, 3 * 1920, 120)]
    fill = [(3 * 1920 + at, 38) for at in range(0, 1920, 160)]
    both = [(4 * 1920 + at, 38) for at in (0, 120, 240, 320, 480, 640)]
    stray = [(5 * 1920 + at, 38) for at in (0, 160, 480)]
    text = "\n".join(lines(Duet(Song(480, length=6 * 1920), (), drums(*straight, *fill, *both, *stray)), width=200))
    assert "snare│" + "┊   ┊   ┊   ┊   │" * 3 + "o" * 12 + "│oo oo o o   ┊     ┊     │" in text
    assert "│oo  o   ┊   ┊   │" in text


def test_an_odd_metre_counts_where_its_groups_begin_and_six_eight_counts_two() -> None:
    song = Song(480, metres=(Metre(0, 7, 8), Metre(1680, 6, 8), Metre(3120, 15, 16)), length=3120 + 1800)
    shown = lines(Duet(song, (), drums((0, 36), (1680, 36), (3120, 36))), width=100)
    assert shown[0].split() == ["7/8", "(2+2+3)", "♩=120", "6/8", "♩.=80", "15/16", "♩=120"]
    assert shown[2].strip() == "│1   3   5     │1     2     │1  2  3  4  5  │"
    assert shown[3].strip() == "kick│o   ┊   ┊     │o     ┊     │o  ┊  ┊  ┊  ┊  │"


def test_lines_are_no_wider_than_the_terminal_and_have_a_good_number_of_bars() -> None:
    many = Duet(Song(480, length=40 * 1920), (RIFF,), drums(*((bar * 1920, 36) for bar in range(40))))
    for width, count in ((80, 4), (100, 4), (120, 6), (300, 16), (40, 1), (1, 1)):
        shown = lines(many, width=width)
        assert max(map(len, shown)) <= max(width, 40)
        kicks = [line for line in shown if line.lstrip().startswith("kick")]
        assert kicks[0].count("o") == count, width


def test_a_bar_that_is_wider_than_the_terminal_is_cut_between_beats() -> None:
    song = Song(480, metres=(Metre(0, 16, 4),), length=7680)
    shown = lines(Duet(song, (), drums(*((at, 36) for at in range(0, 7680, 480)))), width=60)
    kicks = [line.partition("│")[2] for line in shown if "kick" in line]
    assert kicks == ["o   " * 13 + "│", "o   " * 3 + "│"]
    assert [line.partition("│")[2] for line in shown if line.strip(" ").startswith("│")] == [
        "1   2   3   4   5   6   7   8   9   10  11  12  13  │",
        "14  15  16  │",
    ]


def test_only_the_pieces_that_a_line_uses_have_a_row_the_feet_below() -> None:
    hits = drums((0, 49), (0, 36), (1920, 54), (1920, 3), (3840, 44), (3840, 38))
    shown = lines(Duet(Song(480, length=3 * 1920), (), hits), width=40)
    names = [line.partition("│")[0].strip() for line in shown if "│" in line]
    assert names == ["", "crash", "kick", "", "other", "tambourine", "", "snare", "pedal hat"]


def test_the_loudest_of_two_hits_in_one_column_is_shown() -> None:
    flam = Part.of([Note(470, 10, 38, 30), Note(480, 60, 38, 120)], is_drums=True)
    assert "snare│┊   ●   ┊   ┊   │" in lines(Duet(SONG, (), flam))[3]


def test_fills_and_passages_stand_over_their_bars() -> None:
    beat = [(at, 36 if at % 960 == 0 else 42) for at in range(0, 16 * 1920, 240) if at // 1920 != 11]
    fill = [(11 * 1920 + at, 45) for at in range(0, 1920, 120)]
    riff = Part.of([Note(at, 200, 52 if at < 8 * 1920 else 57 + at // 480 % 3, 90) for at in range(0, 16 * 1920, 480)])
    shown = lines(Duet(Song(480, length=16 * 1920), (riff,), drums(*beat, *fill)))
    heads = [line.split() for line in shown if "│" not in line and line]
    assert heads[1:-1] == [
        ["[A]", "1", "2", "3", "4"],
        ["5", "6", "7", "8"],
        ["[B]", "9", "10", "11", "12", "fill"],
        ["13", "14", "15", "16"],
    ]
    assert next(line for line in shown if "fill" in line).index("fill") == 11 + 4 * 17 - 5


def test_of_many_guitars_the_last_row_has_the_rest() -> None:
    guitars = tuple(Part.of([Note(120 * number, 60, 40 + number, 90)], name=f"Number {number}") for number in range(5))
    shown = lines(Duet(SONG, guitars, NO_DRUMS))
    assert [line.partition("│")[0].strip() for line in shown[2:5]] == ["Number 0", "Number 1", "3 more"]
    assert shown[4].endswith("│┊ ▅▆█   ┊   ┊   │")


@pytest.mark.parametrize(
    "duet",
    [
        Duet(Song(480), (), NO_DRUMS),
        Duet(Song(480), (Part.of([]),), NO_DRUMS),
        Duet(SONG, (), BEAT),
        Duet(SONG, (RIFF,), NO_DRUMS),
        Duet(Song(480, metres=(Metre(0, 64, 1),), length=480), (RIFF,), BEAT),
        Duet(Song(1, metres=(Metre(0, 1, 64),), length=200), (Part.of([Note(3, 0, 127, 1)]),), NO_DRUMS),
    ],
    ids=["nothing", "silence", "no guitar", "no drums", "64/1", "tiny bars"],
)
def test_every_odd_song_can_be_shown(duet: Duet) -> None:
    shown = lines(duet)
    assert any("1" in line for line in shown)
    assert max(map(len, shown)) <= 80


def test_colours_add_only_escape_sequences() -> None:
    duet = Duet(SONG, (RIFF,), BEAT)
    coloured = console.picture(duet, colour=True)
    assert "\x1b[1m●\x1b[0m" in coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in plain.splitlines()] == lines(duet)
    assert "\x1b" not in console.picture(duet)


def test_a_terminal_without_the_signs_gets_ascii() -> None:
    text = console.ascii_only(console.picture(Duet(SONG, (RIFF,), BEAT)))
    assert text.isascii()
    assert "?" not in text
    assert "kick|o   :   @,  :   |" in text


def test_bars_that_are_not_there_are_refused() -> None:
    with pytest.raises(OptionError, match="bars 1 to 1"):
        console.picture(Duet(SONG, (), BEAT), first_bar=1)


def test_control_characters_of_a_name_are_not_printed() -> None:
    named = Part.of(RIFF.rows, name="\x1b[2J\nbad\x07 name")
    text = console.picture(Duet(SONG, (named,), BEAT))
    assert "\x1b" not in text
    assert "\x07" not in text
