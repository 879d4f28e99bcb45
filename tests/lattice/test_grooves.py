"""Grooves: their JSON, names, fits to metres, tablature and features."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from seq2drum.errors import OptionError
from seq2drum.lattice.form import MAX_STEPS, Form
from seq2drum.lattice.grid import Grid, Lattice, encode
from seq2drum.lattice.grooves import tabs
from seq2drum.lattice.grooves.fitting import beats_of, playable, steps_of
from seq2drum.lattice.grooves.grooves import (
    GROOVE,
    Groove,
    grid_of,
    groove_features,
    hits_of,
    looped,
    of_json,
    to_json,
    typical,
)
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.section_features import BASS, SECTION, commonest_metre, letters_of, section_features
from seq2drum.lattice.grooves.tabs import drum_tab
from seq2drum.lattice.grooves.titles import slug_of, title_of, unique
from seq2drum.lattice.sections import Section, sections
from seq2drum.music.kit import FULL, NINE
from seq2drum.music.notes import Marker, Note, Part, Song, Tempo
from tests.backbeats import changing, song_of

VOICE = {name: index for index, name in enumerate(FULL.names)}
METRES = (
    (4, 4), (3, 4), (2, 4), (5, 4), (7, 4), (6, 8), (9, 8), (12, 8), (5, 8), (7, 8), (11, 8), (3, 8), (7, 16), (2, 2)
)  # fmt: skip


def groove(text: str, metre: str = "4/4") -> Groove:
    (made,) = tabs.parsed(f"made: made; {metre}; -; 90-120\n{text}")
    return made


def struck(bar: Grid, voice: str) -> list[int]:
    return bar.step[bar.key == VOICE[voice]].tolist()


ROCK = groove("closed hat |x.o.x.o.x.o.x.o.|\nsnare |....X.......X...|\nkick |X.......X.x.....|")
HALF = groove("ride |x.o.x.o.x.o.x.o.|\nsnare |........X.......|\nkick |X.....x.........|")
SHUFFLE = groove("closed hat |x.ox.ox.ox.o|\nsnare |...X.....X..|\nkick |X.....X.....|")


@st.composite
def grooves(draw: st.DrawFn) -> Groove:
    numerator, denominator = draw(st.sampled_from(METRES))
    steps = steps_of(numerator, denominator)
    velocity = st.sampled_from(list(tabs.VELOCITIES.values()))
    hits = st.dictionaries(st.tuples(st.integers(0, steps - 1), st.integers(0, len(FULL) - 1)), velocity, min_size=1)
    bars = draw(st.lists(hits, min_size=1, max_size=2))
    grids = tuple(grid_of([(*place, loud) for place, loud in bar.items()]) for bar in bars)
    style = draw(st.sampled_from(["rock", "jazz", None]))
    return Groove("a-groove", "a groove, made", numerator, denominator, grids, style, (80, 120.5))


@given(grooves())
def test_a_groove_is_the_same_after_it_was_written_and_read(made: Groove) -> None:
    assert tabs.parsed(tabs.written([made])) == (made,)
    assert of_json(to_json(made)) == made


@given(grooves())
def test_tablature_is_the_same_after_it_was_read_and_written(made: Groove) -> None:
    text = tabs.written([made, ROCK])
    assert tabs.written(tabs.parsed(text)) == text


def test_remarks_and_blank_lines_of_a_tablature_are_passed_over() -> None:
    text = tabs.written([ROCK])
    assert tabs.parsed(f"# a remark\n\n\n{text}\n\n# another\n") == (ROCK,)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("rock; 4/4", "line 1"),
        ("rock: rock; 4/4; rock; fast\nkick |X...............|", "line 1"),
        ("rock: rock; 4/5; rock; 90-120\nkick |X...............|", "no metre 4/5"),
        ("rock: rock; 4/4; polka; 90-120\nkick |X...............|", "style 'polka'"),
        ("Rock It: rock; 4/4; rock; 90-120\nkick |X...............|", "lower case"),
        ("rock: rock; 4/4; rock; 90-120\nkickdrum |X...............|", "line 2"),
        ("rock: rock; 4/4; rock; 90-120\nkick |X..............|", "16 or 12 or 24"),
        ("rock: rock; 4/4; rock; 90-120\nkick |Q...............|", "signs"),
        ("rock: rock; 4/4; rock; 90-120\nkick |X...............|X...............|X...............|", "3 bars"),
        ("rock: rock; 4/4; rock; 90-120", "0 bars"),
    ],
)
def test_a_tablature_that_is_none_says_where_and_what_is_wanted(text: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        tabs.parsed(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"bars": ()},
        {"bars": (grid_of([(24, 0, 90)]),)},
        {"bars": (grid_of([(0, 99, 90)]),)},
        {"bars": (grid_of([(0, 0, 128)]),)},
        {"tempo": (120, 90)},
        {"tempo": (0, 90)},
        {"denominator": 5},
        {"name": "Upper Case"},
    ],
)
def test_a_groove_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="groove"):
        replace(ROCK, **changes)


@pytest.mark.parametrize(
    "held", [{}, {**to_json(ROCK), "bars": [{"kick": [["x"]]}]}, {**to_json(ROCK), "metre": 4}, []]
)
def test_json_that_is_no_groove_is_refused(held: Any) -> None:
    with pytest.raises(OptionError, match="not a groove"):
        of_json(held)


def test_grooves_are_equal_by_what_they_hold() -> None:
    assert replace(ROCK) == ROCK and hash(replace(ROCK)) == hash(ROCK)
    assert replace(ROCK, bars=(HALF.bars[0],)) != ROCK


def test_the_bars_of_a_groove_come_again_and_again() -> None:
    two = replace(ROCK, bars=(ROCK.bars[0], HALF.bars[0]))
    assert [two.bar(index) is two.bars[index % 2] for index in range(5)] == [True] * 5


def test_a_loop_has_the_hits_of_the_groove_in_every_bar() -> None:
    song = looped(SHUFFLE, 3)
    grid = encode(song.parts[0], Lattice(song.bars(), song.ticks_per_quarter), FULL)
    for bar in range(3):
        assert np.array_equal(grid.between(24 * bar, 24 * bar + 24).step, SHUFFLE.bars[0].step)
    assert 90 <= song.tempo_map[0].bpm <= 120


# --- other metres -----------------------------------------------------------------------------------------------------


@given(grooves(), st.sampled_from(METRES))
def test_a_groove_fits_every_metre_and_one_drummer_can_play_it(made: Groove, metre: tuple[int, int]) -> None:
    played = replace(made, bars=tuple(map(playable, made.bars)))
    fitted = played.fitted(*metre)
    assert (fitted.numerator, fitted.denominator) == metre and 1 <= len(fitted.bars) <= 2
    if metre != (made.numerator, made.denominator):
        for bar in fitted.bars:
            assert len(playable(bar).step) == len(bar.step)
            assert np.array_equal(bar.step, np.sort(bar.step))


@pytest.mark.parametrize("metre", METRES)
@pytest.mark.parametrize("source", [ROCK, HALF, SHUFFLE])
def test_every_bar_keeps_its_downbeat_and_its_backbeat_in_another_metre(source: Groove, metre: tuple[int, int]) -> None:
    fitted = source.fitted(*metre)
    assert 0 in struck(fitted.bars[0], "kick")
    starts = [round(beat.start / 2) for beat in beats_of(*metre)]
    assert any(struck(bar, "snare") for bar in fitted.bars)
    if len(starts) > 1:
        assert 0 not in struck(fitted.bars[0], "snare")


def test_in_three_the_straight_beat_has_both_backbeats_and_half_time_ends_on_its_own() -> None:
    assert struck(ROCK.fitted(3, 4).bars[0], "snare") == [6, 12]
    assert struck(HALF.fitted(3, 4).bars[0], "snare") == [12]


def test_seven_eighths_are_four_quarters_without_the_last_eighth() -> None:
    seven = ROCK.fitted(7, 8).bars[0]
    assert struck(seven, "kick") == [0, 12, 15] and struck(seven, "snare") == [6, 18]
    assert struck(seven, "closed hat") == list(range(0, 21, 3))


def test_five_quarters_are_three_and_two() -> None:
    five = ROCK.fitted(5, 4).bars[0]
    assert struck(five, "snare") == [6, 12, 24] and {0, 18} <= set(struck(five, "kick"))


def test_straight_eighths_become_the_eighths_of_a_metre_in_threes_and_come_back_as_triplets() -> None:
    six = ROCK.fitted(6, 8)
    assert struck(six.bars[0], "closed hat") == [0, 3, 6, 9, 12, 15]
    assert struck(six.bars[0], "snare") == [9] and struck(six.bars[0], "kick") == [0]
    assert struck(six.fitted(4, 4).bars[0], "closed hat") == [0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22]


def test_swung_eighths_are_straight_between_groups_of_two_and_three() -> None:
    seven = SHUFFLE.fitted(7, 8).bars[0]
    assert struck(seven, "closed hat") == [0, 3, 6, 9, 12, 15, 18]


def test_a_groove_in_its_own_metre_is_itself_and_two_two_is_played_as_four_four() -> None:
    assert ROCK.fitted(4, 4) is ROCK
    assert struck(ROCK.fitted(2, 2).bars[0], "snare") == [6, 18]


def test_an_impossible_metre_is_refused() -> None:
    with pytest.raises(OptionError, match="4/5"):
        ROCK.fitted(4, 5)


# --- typical bars -----------------------------------------------------------------------------------------------------


def part(*bars: Grid, metres: list[tuple[int, int]] | None = None) -> tuple[Grid, Form]:
    kinds = metres or [(4, 4)] * len(bars)
    numerators, denominators = (np.array(column) for column in zip(*kinds, strict=True))
    form = Form(
        np.array([steps_of(*kind) for kind in kinds]),
        numerators,
        denominators,
        np.full(len(kinds), 100.0),
    )
    return Grid.join(bar.shift(int(start)) for bar, start in zip(bars, form.first[:-1], strict=True)), form


EMPTY = Grid.join([])
FILL = grid_of([(step, VOICE["low tom"], 100) for step in range(0, 24, 3)])


def test_the_typical_bar_is_the_one_that_most_others_are_like() -> None:
    rock, half = ROCK.bars[0], HALF.bars[0]
    found = typical(*part(FILL, rock, rock, rock, half, rock, rock, FILL, rock))
    assert len(found.bars) == 1 and np.array_equal(found.bars[0].step, rock.step)
    assert found.metre == "4/4" and found.tempo == (85, 115)


def test_where_two_bars_alternate_both_are_the_groove_in_their_order() -> None:
    one, two = ROCK.bars[0], HALF.bars[0]
    found = typical(*part(one, two, one, two, one, two, FILL, two))
    assert [bar.step.tolist() for bar in found.bars] == [one.step.tolist(), two.step.tolist()]


def test_the_typical_bar_is_looked_for_in_the_bars_that_are_asked_and_in_their_commonest_metre() -> None:
    three = ROCK.fitted(3, 4).bars[0]
    whole = part(ROCK.bars[0], ROCK.bars[0], three, three, three, metres=[(4, 4)] * 2 + [(3, 4)] * 3)
    assert typical(*whole).metre == "3/4"
    assert typical(*whole, [0, 2]).bars[0].step.tolist() == ROCK.bars[0].step.tolist()


def test_a_typical_bar_is_called_by_what_is_struck_unless_it_is_given_a_title() -> None:
    rock = part(ROCK.bars[0])
    usual, titled = typical(*rock), typical(*rock, title="Verse (2)")
    assert "backbeat" in usual.title and (titled.title, titled.name) == ("Verse (2)", "verse-2")
    assert all(map(np.array_equal, titled.bars[0], usual.bars[0]))


def test_bars_that_are_asked_as_they_are_are_the_groove() -> None:
    found = typical(*part(ROCK.bars[0], FILL, HALF.bars[0]), [1, 2], as_they_are=True)
    assert [len(bar.step) for bar in found.bars] == [len(FILL.step), len(HALF.bars[0].step)]


@pytest.mark.parametrize("bars", [None, [0], [7]])
def test_bars_without_a_hit_have_no_groove(bars: list[int] | None) -> None:
    with pytest.raises(OptionError, match="no hit"):
        typical(*part(EMPTY, EMPTY), bars)


def test_what_nobody_could_strike_is_left_out_of_a_typical_bar() -> None:
    four = grid_of([(0, VOICE[name], 90) for name in ("snare", "low tom", "high tom", "ride", "crash")])
    assert len(typical(*part(four)).bars[0].step) == 2


# --- titles -----------------------------------------------------------------------------------------------------------

NAMED = {
    "backbeat, hat, kick 1 3 3&": ROCK.bars,
    "half-time, ride, kick 1 2&": HALF.bars,
    "shuffle, hat": SHUFFLE.bars,
}


@pytest.mark.parametrize("title", NAMED)
def test_a_title_says_what_is_struck(title: str) -> None:
    assert title_of(NAMED[title], 4, 4) == title


KINDS = """
four on the floor, open hat offbeats | 4/4 | open hat ..x...x...x...x. | snare ....X.......X... | kick X...X...X...X...
one drop, hat, side stick | 4/4 | closed hat x.o.x.o.x.o.x.o. | side stick ........X....... | kick ........X.......
steppers | 4/4 | closed hat x.o.x.o.x.o.x.o. | side stick ........X....... | kick X...X...X...X...
swing, ride, foot hat | 4/4 | ride x..x.ox..x.o | pedal hat ...x.....x..
jazz waltz, ride | 3/4 | ride x..x.ox.. | kick X........
waltz, quarter hat | 3/4 | closed hat x...x...x... | snare ....x...x... | kick X...........
backbeat, hat | 6/8 | closed hat x.x.x.x.x.x. | snare ......X..... | kick X...........
train beat | 4/4 | snare gogXgogXgogXgogX | kick X.......X.......
bossa, hat, side stick | 4/4 | closed hat o.o.o.o.o.o.o.o. | side stick x.....x.....x... | kick x.....x.x.....x.
double-time | 4/4 | closed hat x.x.x.x.x.x.x.x. | snare ..X...X...X...X. | kick X...X...X...X...
blast beat | 4/4 | ride x.x.x.x.x.x.x.x. | snare .X.X.X.X.X.X.X.X | kick X.X.X.X.X.X.X.X.
gallop | 4/4 | closed hat x...x...x...x... | snare ....X.......X... | kick X.xx..xxX.xx..xx
snare 5 | 7/8 | closed hat x.x.x.x.x.x.x. | snare ........X..... | kick X.....x.......
silence | 4/4 | kick ................
"""


@pytest.mark.parametrize("line", KINDS.strip().splitlines())
def test_the_kind_of_a_groove_is_what_a_drummer_calls_it(line: str) -> None:
    begins, metre, *rows = (word.strip() for word in line.split("|"))
    made = groove("\n".join("{} |{}|".format(*row.rsplit(" ", 1)) for row in rows), metre)
    assert title_of(made.bars, made.numerator, made.denominator).startswith(begins)


def test_slugs_are_plain_and_short_and_none_is_there_twice() -> None:
    assert slug_of("Half-time, ride, kick 1 3&") == "half-time-ride-kick-1-3-and"
    assert slug_of("♩") == "groove"
    assert len(slug_of("kick " * 40)) <= 48 and not slug_of("kick " * 40).endswith("-")
    assert unique(["a", "a", "a-2", "b"]) == ("a", "a-2", "a-2-2", "b")


# --- what a ranker hears of a section and sees of a groove: the same in every key, a row a section, nothi -------------


KICK, SNARE, STICK = (FULL.names.index(name) for name in ("kick", "snare", "side stick"))


def test_each_letter_has_the_letter_s_bars_wherever_they_lie() -> None:
    guitar_grid = song_of(1, bars=12).guitar_grid
    passages = (Section(0, "A"), Section(4, "B"), Section(8, "A"))
    assert letters_of(passages[1:], 10).tolist() == [""] * 4 + ["B"] * 4 + ["A"] * 2
    rows = section_features(guitar_grid, passages)
    assert list(rows) == ["A", "B"]
    onsets = guitar_grid.form.by_bar((np.bincount(guitar_grid.guitar.step, minlength=12 * 24) * 0.3).astype(np.float32))
    steps = rows["B"].row[SECTION["guitar"]].reshape(MAX_STEPS, -1)
    assert_allclose(steps[:24, 0], onsets[4:8].mean(axis=0), rtol=1e-5)
    assert not steps[24:].any()


def test_nothing_heard_depends_on_the_key() -> None:
    guitar_grid = replace(song_of(2).guitar_grid, bass=song_of(3).guitar_grid.guitar)
    higher = [grid._replace(key=grid.key + 3) for grid in (guitar_grid.guitar, guitar_grid.bass)]
    up = replace(guitar_grid, guitar=higher[0], bass=higher[1])
    passages = sections(guitar_grid)
    for letter, (_, bpm, row) in section_features(guitar_grid, passages).items():
        assert bpm == 120
        moved = section_features(up, passages)[letter].row
        assert_array_equal(moved[BASS], row[BASS])
        assert_allclose(moved[SECTION["bars"]], row[SECTION["bars"]], atol=1e-6)
        steps, others = (one[SECTION["guitar"]].reshape(MAX_STEPS, -1) for one in (moved, row))
        rhythm = [0, 1, 2, 5]  # onsets, loudness, sounding, played; how high the guitar plays is no key
        assert_array_equal(steps[:, rhythm], others[:, rhythm])


def test_where_there_is_no_bass_nothing_is_known_of_it() -> None:
    guitar_grid = song_of(4).guitar_grid
    ((*_, alone),) = list(section_features(guitar_grid, (Section(0, "A"),)).values())
    ((*_, both),) = list(section_features(replace(guitar_grid, bass=guitar_grid.guitar), (Section(0, "A"),)).values())
    assert not alone[BASS].any()
    assert both[SECTION["has_bass"]] == 1 and both[SECTION["bass"]].any()
    assert_array_equal(alone[: BASS.start], both[: BASS.start])


def test_of_bars_in_several_metres_the_commonest_is_the_section_s() -> None:
    guitar_grid = changing().guitar_grid
    metre, bars = commonest_metre(guitar_grid.form, np.arange(3, len(guitar_grid.form.steps)))
    assert metre == (7, 8) or metre == (3, 4)
    assert set(guitar_grid.form.steps[bars].tolist()) == {21 if metre == (7, 8) else 18}


def plain_groove(*bars: list[tuple[int, int, int]]) -> Groove:
    return Groove.of_bars([grid_of(bar) for bar in bars], 4, 4, (80, 120))


def test_a_groove_of_two_bars_is_seen_as_the_share_of_its_bars_that_strike() -> None:
    two = plain_groove([(0, KICK, 100), (6, SNARE, 90)], [(0, KICK, 100)])
    (row,) = groove_features([two])
    hits = row[GROOVE["hits"]].reshape(MAX_STEPS, len(FULL))
    assert (hits[0, KICK], hits[6, SNARE], hits.sum()) == (1, 0.5, 1.5)


def test_grooves_are_as_alike_as_the_f1_of_their_hits_on_nine_voices() -> None:
    one, other = (
        plain_groove([(0, KICK, 100), (6, SNARE, 90)]),
        plain_groove([(0, KICK, 100), (6, STICK, 90)], [(0, KICK, 90)]),
    )
    hits = hits_of([one, other], 24)
    assert hits.shape == (2, 2, 24, len(NINE))
    assert_allclose(likeness(hits, hits), [[1, 6 / 7], [6 / 7, 1]], rtol=1e-6)


# --- drums as tablature in letters ------------------------------------------------------------------------------------


def tab(hits: list[tuple[int, int, int]], bars: int = 1, **about: object) -> list[str]:
    part = Part.of([Note(tick, 30, pitch, velocity) for tick, pitch, velocity in hits], is_drums=True)
    song = Song(480, (part,), (Tempo(0, 500_000),), length=1920 * bars)
    return drum_tab(song, part, "Song", **about).splitlines()  # type: ignore[arg-type]


ROCK_TAB = [(at, 42, 80) for at in range(0, 1920, 240)] + [
    (0, 36, 90),
    (480, 38, 120),
    (960, 36, 90),
    (1440, 38, 30),
]


def test_sixteenths_have_a_column_each_and_a_line_says_how_they_are_counted() -> None:
    lines = tab(ROCK_TAB)
    assert lines[:2] == ["Song", "120 BPM, 4/4"]
    assert lines[-4:] == [
        "HH|x-x-x-x-x-x-x-x-|",
        "SD|----O-------g---|",
        "BD|o-------o-------|",
        "   1e+a2e+a3e+a4e+a",
    ]


def test_a_shuffle_is_counted_in_triplets() -> None:
    lines = tab([(0, 51, 80), (320, 51, 80), (480, 51, 80), (800, 53, 80)])
    assert lines[-2:] == ["RD|x-xx-b------|", "   1+a2+a3+a4+a"]


def test_lines_are_as_wide_as_a_page_and_sections_begin_a_new_one() -> None:
    hits = [(tick + 1920 * bar, pitch, velocity) for bar in range(8) for tick, pitch, velocity in ROCK_TAB]
    lines = tab(hits, 8, sections=(Marker(0, "Intro"), Marker(1920 * 2, "Verse")))
    assert max(map(len, lines[4:])) <= 80
    assert [line for line in lines if line.startswith(("[", "bar"))] == [
        "[Intro]",
        "bar 1",
        "[Verse]",
        "bar 3",
        "bar 7",
    ]


def test_percussion_has_a_line_of_its_own() -> None:
    assert tab([(0, 54, 80), (960, 39, 80)])[-2] == "Pc|x-------x-------|"


def test_silence_is_a_line_of_counts() -> None:
    assert tab([])[-1] == "   1e+a2e+a3e+a4e+a"
