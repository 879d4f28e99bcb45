"""Explanations of takes: made songs whose drums and guitar are known bar by bar."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from seq2drum.lattice.explain import explain
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.music.explanation import Explanation
from seq2drum.music.kit import FULL

VOICE = {voice.name: index for index, voice in enumerate(FULL.voices)}
Drumming = dict[str, Sequence[int]]
Strumming = dict[int, Sequence[int]]  # pitch -> steps

EIGHTHS = tuple(range(0, 24, 3))
BEAT: Drumming = {"kick": (0, 12), "snare": (6, 18), "closed hat": EIGHTHS}
RIDE: Drumming = {"kick": (0, 9, 12), "snare": (6, 18), "ride": (0, 6, 12, 18)}
FILL: Drumming = {"kick": (0,), "snare": (0, 2, 3, 5, 6, 8), "high tom": (9, 11, 12, 14), "low tom": (15, 17, 18, 21)}
REST: Drumming = {}
VERSE: Strumming = {40: EIGHTHS, 47: EIGHTHS}
CHORUS: Strumming = {45: (0, 12), 49: (0, 12), 52: (0, 12)}
STAB: Strumming = {40: (0, 9, 12, 21)}
QUIET: Strumming = {}


def with_crash(bar: Drumming) -> Drumming:
    return {**bar, "crash": (0,)}


def made(rows: Sequence[tuple[int, int, int]], length: int) -> Grid:
    """A grid of (step, key, velocity)."""
    table = np.array(sorted(set(rows)), dtype=np.int64).reshape(-1, 3)
    return Grid(
        table[:, 0], table[:, 1], table[:, 2], np.zeros(len(table), dtype=np.int64), np.full(len(table), length)
    )


def explained(
    drums: Sequence[Drumming],
    guitar: Sequence[Strumming],
    *,
    steps: int = 24,
    metre: tuple[int, int] = (4, 4),
    length: int = 12,
    grooves: Mapping[str, str] = MappingProxyType({}),
) -> list[str]:
    count = len(drums)
    form = Form._make([*(np.full(count, value) for value in (steps, *metre)), np.full(count, 120.0)])
    struck = [
        (steps * bar + at, VOICE[name], 90)
        for bar, held in enumerate(drums)
        for name, ats in held.items()
        for at in ats
    ]
    played = [
        (steps * bar + at, pitch, 90) for bar, held in enumerate(guitar) for pitch, ats in held.items() for at in ats
    ]
    guitar_grid = GuitarGrid(form, made(played, length), np.array([0, 0, 0, len(played), 0, 0, 0, 0, 0]), 1)
    return [str(said) for said in explain(made(struck, 3), guitar_grid, grooves=grooves)]


def about(word: str, lines: list[str]) -> list[str]:
    return [line for line in lines if word in line]


def test_a_passage_is_named_by_its_bars() -> None:
    assert str(Explanation(9, 16, "as bars 1-8")) == "bars 9-16: as bars 1-8"
    assert str(Explanation(3, 3, "fill")) == "bar 3: fill"


def test_a_loop_is_explained_once_with_the_guitar_that_repeats_too() -> None:
    assert explained([BEAT] * 8, [VERSE] * 8) == ["bars 2-8: as bar 1, and so does the guitar"]


def test_a_loop_under_a_guitar_that_does_not_repeat_is_not_said_to_follow_it() -> None:
    wandering: list[Strumming] = [{40 + bar: [(3 * bar) % 24, (5 * bar + 7) % 24]} for bar in range(8)]
    assert about("as bar", explained([BEAT] * 8, wandering)) == ["bars 2-8: as bar 1"]


def test_a_verse_that_comes_back_repeats_the_first_where_the_guitar_does() -> None:
    bars: list[Drumming] = [
        {"kick": (0, 3 * bar), "snare": (6, 18 + bar % 3), "ride": EIGHTHS[bar:]} for bar in range(1, 5)
    ]
    chords: list[Strumming] = [{40 + 2 * bar: EIGHTHS[bar:]} for bar in range(4)]
    lines = explained([*bars, *[RIDE] * 4, *bars], [*chords, *[CHORUS] * 4, *chords])
    assert "bars 9-12: as bars 1-4, where the guitar does the same" in lines
    assert "bars 6-8: as bar 5, and so does the guitar" in lines


def test_a_bar_with_one_stroke_more_is_nearly_the_same() -> None:
    other = {**BEAT, "kick": (0, 12, 15)}
    assert about("as bar", explained([BEAT, other, other], [VERSE] * 3)) == [
        "bars 2-3: nearly as bar 1, and so does the guitar"
    ]


def test_a_pattern_of_two_bars_goes_round() -> None:
    second = {**BEAT, "kick": (3, 9, 15, 21), "closed hat": (0, 6, 12)}
    assert about("as bar", explained([BEAT, second] * 4, [VERSE] * 8)) == [
        "bars 3-8: as bars 1-2, and so does the guitar"
    ]


def test_bars_of_another_length_are_no_repeat() -> None:
    steps = np.array([24, 18, 24])
    form = Form(steps, np.array([4, 3, 4]), np.full(3, 4), np.full(3, 120.0))
    struck = [(first + at, VOICE["kick"], 90) for first in (0, 24, 42) for at in (0, 12)]
    guitar_grid = GuitarGrid(form, made([], 1), np.zeros(9, dtype=np.int64), 1)
    lines = [str(said) for said in explain(made(struck, 3), guitar_grid)]
    assert about("as bar", lines) == ["bar 3: as bar 1"]


def test_a_fill_is_explained_by_what_follows_it_in_the_guitar() -> None:
    drums = [*[BEAT] * 7, FILL, with_crash(RIDE), *[RIDE] * 6, FILL, with_crash(BEAT), *[BEAT] * 7]
    lines = explained(drums, [*[VERSE] * 8, *[CHORUS] * 8, *[VERSE] * 8])
    assert "bar 8: fill with toms before bar 9, where the guitar plays something new" in lines
    assert "bar 9: crash on the downbeat after the fill, where the guitar plays something new" in lines
    assert "bar 16: fill with toms before bar 17, where the guitar plays again what it plays from bar 1" in lines
    assert len(about("fill with", lines)) == 2


def test_a_fill_in_the_middle_of_a_riff_is_a_fill_and_no_more() -> None:
    drums = [*[BEAT] * 6, FILL, *[BEAT] * 5]
    lines = explained(drums, [VERSE] * 12)
    assert about("fill", lines) == ["bar 7: fill with toms"]
    assert about("crash", lines) == []


def test_a_bar_that_leaves_room_is_a_break_and_not_a_fill() -> None:
    drums: list[Drumming] = [*[BEAT] * 11, {"kick": (0,), "low tom": (18,)}, with_crash(BEAT), *[BEAT] * 11]
    lines = explained(drums, [*[VERSE] * 12, *[CHORUS] * 12])
    assert about("fill", lines) == []
    assert "bar 12: break before bar 13, where the guitar plays something new" in lines
    assert "bar 13: crash on the downbeat after the break, where the guitar plays something new" in lines


def test_the_ending_is_no_fill() -> None:
    drums = [*[BEAT] * 11, FILL, *[BEAT] * 11, FILL]
    assert about("fill", explained(drums, [VERSE] * 24)) == ["bar 12: fill with toms"]


def test_bars_that_return_slightly_changed_are_explained_as_nearly_the_same() -> None:
    verse: list[Strumming] = [{40 + root: EIGHTHS, 47 + root: EIGHTHS} for root in (0, 5, 3, 7)]
    other: list[Strumming] = [{**verse[0], 59: (12,)}, verse[1], {45: (0, 3, 6, 12), 52: (0, 3, 6, 12)}, verse[3]]
    drums = [*[BEAT] * 15, FILL, *[BEAT] * 8]
    lines = explained(drums, [*verse * 2, *[CHORUS] * 8, *other * 2])
    assert about("fill", lines) == ["bar 16: fill with toms before bar 17, where the guitar plays much as from bar 1"]
    lines = explained(drums, [*verse * 2, *[CHORUS] * 8, *verse * 2])
    assert about("fill", lines) == [
        "bar 16: fill with toms before bar 17, where the guitar plays again what it plays from bar 1"
    ]


def test_a_phrase_that_begins_again_within_a_passage_is_explained() -> None:
    verse: list[Strumming] = [{40 + root: EIGHTHS, 47 + root: EIGHTHS} for root in (0, 5, 3, 7)]
    lines = explained([*[BEAT] * 7, FILL, *[BEAT] * 8], verse * 4)
    assert about("fill", lines) == [
        "bar 8: fill with toms before bar 9, where the guitar plays again what it plays from bar 1"
    ]


def test_after_a_bar_of_rest_the_guitar_comes_in() -> None:
    lines = explained([*[BEAT] * 8, FILL, *[BEAT] * 8], [*[VERSE] * 8, QUIET, *[CHORUS] * 8], length=3)
    assert about("fill", lines) == ["bar 9: fill with toms before bar 10, where the guitar comes in"]


def test_a_fill_is_not_called_nearly_another_bar() -> None:
    busy = {**FILL, "high tom": (9, 11, 12, 14, 23)}
    lines = explained([*[BEAT] * 9, FILL, *[BEAT] * 9, busy, *[BEAT] * 4], [VERSE] * 24)
    assert len(about("fill", lines)) == 2
    assert not [line for line in lines if line.startswith("bar 20: nearly")]


def test_crashes_in_consecutive_bars_are_explained_once() -> None:
    lines = explained([BEAT, BEAT, *[with_crash(BEAT)] * 4], [VERSE] * 6)
    assert about("crash", lines) == ["bars 3-6: crash on each downbeat"]


def test_kicks_with_the_guitars_accents_are_counted() -> None:
    three: Drumming = {"kick": (0, 9, 12), "closed hat": EIGHTHS}
    lines = explained([three] * 4, [STAB] * 4)
    assert about("accents", lines) == ["bars 1-4: kick with the guitar's accents, 12 of 16"]


def test_kicks_that_fall_everywhere_or_elsewhere_are_not_said_to_go_with_the_guitar() -> None:
    everywhere: Drumming = {"kick": tuple(range(24))}
    elsewhere: Drumming = {"kick": (3, 6, 15, 18)}
    for bar in (everywhere, elsewhere):
        assert about("accents", explained([bar] * 4, [STAB] * 4)) == []


def test_a_busier_passage_is_explained_by_the_guitar_only_where_that_is_busier_too() -> None:
    quiet: Drumming = {"kick": (0,), "closed hat": (0, 6, 12, 18)}
    loud: Drumming = {**BEAT, "tambourine": EIGHTHS}
    calm: Strumming = {40: (0, 12)}
    lines = explained([quiet] * 4 + [loud] * 4, [calm] * 4 + [VERSE] * 4)
    assert about("busier", lines) == [
        "bar 5: busier: 5.0 hits a quarter after 1.2, as the guitar with 2.0 strokes after 0.5"
    ]
    assert about("busier", explained([quiet] * 4 + [loud] * 4, [VERSE] * 8)) == [
        "bar 5: busier: 5.0 hits a quarter after 1.2"
    ]
    assert about("sparser", explained([loud] * 4 + [quiet] * 4, [VERSE] * 8)) == [
        "bar 5: sparser: 1.2 hits a quarter after 5.0"
    ]


def test_rests_are_explained_with_what_the_guitar_does() -> None:
    drums = [REST, BEAT, BEAT, REST, REST, BEAT, REST, BEAT]
    guitar = [QUIET, VERSE, VERSE, QUIET, QUIET, VERSE, VERSE, QUIET]
    lines = explained(drums, guitar, length=3)
    assert "bar 1: waits for the guitar" in lines
    assert "bars 4-5: rests, as the guitar does" in lines
    assert "bar 7: rests while the guitar plays" in lines
    assert "bar 8: plays on while the guitar rests" in lines


def test_a_chord_that_rings_on_is_no_rest() -> None:
    held: Strumming = {40: (0,)}
    lines = explained([BEAT] * 4, [held, QUIET, QUIET, QUIET], length=4 * 4 * 24)
    assert about("rests", lines) == []


def test_nothing_is_said_of_nothing() -> None:
    assert explained([REST], [VERSE]) == ["bar 1: rests while the guitar plays"]
    assert explained([BEAT], [VERSE]) == []
    assert explained([REST], [QUIET]) == ["bar 1: rests, as the guitar does"]


def test_bars_of_seven_eight_are_explained_as_those_of_any_metre() -> None:
    beat: Drumming = {"kick": (0, 12), "snare": (6,), "closed hat": (0, 3, 6, 9, 12, 15, 18)}
    lines = explained([beat] * 6, [{40: (0, 6, 12)}] * 6, steps=21, metre=(7, 8))
    assert about("as bar", lines) == ["bars 2-6: as bar 1, and so does the guitar"]


def test_explanations_are_in_the_order_of_the_bars_and_within_the_song() -> None:
    rng = np.random.default_rng(1)
    drums: list[Drumming] = [
        {name: rng.choice(24, 4).tolist() for name in ("kick", "snare", "ride", "crash")} for _ in range(40)
    ]
    guitar = [{int(rng.integers(40, 60)): rng.choice(24, 5).tolist()} for _ in range(40)]
    count = 40
    form = Form._make([*(np.full(count, value) for value in (24, 4, 4)), np.full(count, 120.0)])
    struck = [
        (24 * bar + at, VOICE[name], 90) for bar, held in enumerate(drums) for name, ats in held.items() for at in ats
    ]
    played = [
        (24 * bar + at, pitch, 90) for bar, held in enumerate(guitar) for pitch, ats in held.items() for at in ats
    ]
    explanations = explain(made(struck, 3), GuitarGrid(form, made(played, 6), np.zeros(9, dtype=np.int64), 1))
    assert [said.first for said in explanations] == sorted(said.first for said in explanations)
    assert all(1 <= said.first <= said.last <= count for said in explanations)


def test_a_thousand_bars_take_a_few_seconds() -> None:
    rng = np.random.default_rng(2)
    kinds = [{name: sorted(set(rng.choice(24, 4).tolist())) for name in ("kick", "snare", "ride")} for _ in range(4)]
    drums = [kinds[kind] for kind in rng.integers(0, 4, 1000)]
    begun = time.process_time()
    lines = explained(drums, [VERSE] * 1000)
    assert lines
    assert time.process_time() - begun < 20


def test_the_groove_of_a_passage_is_named_and_of_neighbours_that_share_it_once() -> None:
    def named(**grooves: str) -> list[str]:
        guitar = [*[VERSE] * 8, *[CHORUS] * 8, *[VERSE] * 8]
        return about("groove", explained([BEAT] * 24, guitar, grooves=grooves))

    assert named(A="rock", B="one drop") == [
        "bars 1-8: section A on the groove rock",
        "bars 9-16: section B on the groove one drop",
        "bars 17-24: section A on the groove rock",
    ]
    assert named(A="rock", B="rock") == ["bars 1-24: on the groove rock"]
    assert named(B="rock") == ["bars 9-16: section B on the groove rock"]
    assert named() == []
