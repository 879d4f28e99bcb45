"""Conditions of drums: style, levels, novelty, fills, breaks, syncopation."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import (
    CONDITIONS,
    Controls,
    Drums,
    breaks,
    drums_of,
    fills,
    hits_per_quarter,
    novelty,
    signs,
    syncopation,
)
from seq2drum.lattice.form import CLOCK, Form, clock_of
from seq2drum.lattice.grid import Grid
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL, NINE

NAMES = [voice.name for voice in FULL.voices]


def form(bars: int, numerator: int = 4, denominator: int = 4) -> Form:
    steps = 6 * numerator if denominator == 4 else 3 * numerator
    return Form._make([*(np.full(bars, value) for value in (steps, numerator, denominator)), np.full(bars, 120.0)])


def full(bars: int, places: dict[str, list[int]], velocity: int = 90) -> Drums:
    velocities = np.zeros((24 * bars, len(FULL)), dtype=np.int64)
    for name, at in places.items():
        for place in at:
            velocities[place::24, NAMES.index(name)] = velocity
    return Drums(form(bars), velocities, np.zeros(velocities.shape, dtype=np.float32))


EIGHTHS, SWUNG = list(range(0, 24, 3)), [0, 6, 10, 12, 18, 22]


@pytest.mark.parametrize(
    ("style", "places"),
    [
        ("jazz", {"ride": SWUNG, "pedal hat": [6, 18]}),
        ("shuffle", {"kick": [0, 12], "snare": [6, 18], "closed hat": SWUNG}),
        ("latin", {"side stick": [6, 18], "cabasa": EIGHTHS, "kick": [0, 12]}),
        ("metal", {"kick": EIGHTHS, "snare": [6, 18], "crash": [0]}),
        ("dance", {"kick": [0, 6, 12, 18], "snare": [6, 18], "closed hat": EIGHTHS}),
        ("reggae", {"kick": [12], "side stick": [12], "closed hat": EIGHTHS}),
        ("funk", {"kick": [0, 5, 17], "snare": [6, 11, 18], "closed hat": EIGHTHS}),
        ("pop", {"kick": [0, 12], "side stick": [6, 18], "closed hat": [0, 6, 12, 18]}),
        ("rock", {"kick": [0, 12], "snare": [6, 18], "closed hat": EIGHTHS}),
    ],
)
def test_a_style_is_derived_from_the_pieces_and_places_of_hits(style: str, places: dict[str, list[int]]) -> None:
    assert conditions.style_of(full(8, places)) == style


def test_louder_or_denser_is_more_intense() -> None:
    quarters, eighths = {"closed hat": EIGHTHS[::2]}, {"closed hat": EIGHTHS}
    soft, loud = (conditions.intensity_of(full(4, eighths, velocity)).mean() for velocity in (40, 120))
    sparse = conditions.intensity_of(full(4, quarters, 120)).mean()
    assert soft < loud and sparse < loud


def test_a_level_is_steady_over_a_loop_and_looks_past_silent_bars() -> None:
    loop = full(16, {"kick": [0, 12], "closed hat": EIGHTHS})
    level = conditions.intensity_of(loop)
    assert np.ptp(level) < 1e-6
    loop.velocity[24:48] = 0
    assert conditions.intensity_of(loop) == pytest.approx(level)


def test_cymbals_alone_are_not_complex() -> None:
    nine = np.zeros((96, len(NINE)), dtype=np.int64)
    nine[3::6, 7] = 90  # off-beats on a cymbal
    steady = Drums(form(4), nine, np.zeros(nine.shape, dtype=np.float32))
    assert not conditions.complexity_of(steady).any()
    nine[9::24, 0] = 90
    assert conditions.complexity_of(steady).all()


def test_what_was_measured_is_in_its_own_columns() -> None:
    intensity, complexity, change = np.array([0.25, 0.5]), np.array([0.1, 0.9]), np.array([0, 0.5])
    measured = conditions.Measured("funk", intensity, complexity, np.array([False, True]), change)
    table = conditions.of_measured(measured)
    assert table.shape == (2, CONDITIONS.size)
    assert table[:, CONDITIONS["style"]].argmax(axis=1).tolist() == [STYLES.index("funk")] * 2
    assert table[:, CONDITIONS["intensity"]].tolist() == [[0.25, 1], [0.5, 1]]
    assert table[:, CONDITIONS["complexity"]] == pytest.approx(np.array([[0.1, 1], [0.9, 1]]))
    assert table[:, CONDITIONS["fill"]].tolist() == [[0, 1], [1, 1]]
    assert table[:, CONDITIONS["change"]].tolist() == [[0, 1], [0.5, 1]]


def test_nothing_asked_for_is_all_zero() -> None:
    assert not conditions.of_controls(Controls(), 5).any()
    some = conditions.of_controls(Controls(style="jazz", intensity=0.0), 5)
    assert some.sum(axis=1).tolist() == [2] * 5  # a style, and a level that is known to be zero


def test_a_third_of_the_pairs_is_given_no_condition_and_fills_and_changes_are_given_most() -> None:
    keep = conditions.given(np.random.default_rng(0).random((20_000, 6)))
    assert np.mean(~keep.any(axis=1)) == pytest.approx(0.35 + 0.65 * 0.6**3 * 0.25**2, abs=0.02)
    for name in ("fill", "change"):
        assert keep[:, CONDITIONS[name]].mean() == pytest.approx(0.65 * 0.75, abs=0.02)
    assert keep[:, CONDITIONS["intensity"]].mean() == pytest.approx(0.65 * 0.4, abs=0.02)


def test_measures_agree_with_the_groove_they_are_made_of() -> None:
    drums = full(20, {"kick": [0, 12], "snare": [6, 18], "closed hat": EIGHTHS})
    step, voice = np.nonzero(drums.velocity)
    from seq2drum.lattice.grid import Grid

    grid = Grid(step, voice, drums.velocity[step, voice], np.zeros_like(step), np.full_like(step, 3))
    measured = conditions.measure(grid, drums.form)
    assert measured.style == "rock"
    assert measured.fill.tolist() == fills(drums_of(grid, drums.form)).tolist()
    assert measured.change.tolist() == [1.0, *19 * [0.0]]


# --- drums ------------------------------------------------------------------------------------------------------------


KICK, SNARE, HAT = 0, 1, [voice.name for voice in NINE.voices].index("closed hat")


def drums(bars: list[dict[int, list[int]]], metre: Form) -> Drums:
    velocity = np.zeros((int(metre.first[-1]), len(NINE)), dtype=np.int64)
    for first, bar in zip(metre.first.tolist(), bars, strict=False):
        for voice, places in bar.items():
            velocity[[first + place for place in places], voice] = 90
    return Drums(metre, velocity, np.zeros(velocity.shape, dtype=np.float32))


BEAT = {KICK: [0, 12], SNARE: [6, 18], HAT: list(range(0, 24, 3))}
BREAK = {KICK: [0], SNARE: [0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 23]}


def test_of_voices_that_merge_the_louder_is_kept() -> None:
    names = [voice.name for voice in FULL.voices]
    keys = np.array([names.index("closed hat"), names.index("pedal hat"), names.index("clap")])
    drums = drums_of(Grid(np.array([3, 3, 3]), keys, np.array([90, 20, 99]), np.array([0, 127, 0]), keys), form(1))
    assert drums.velocity[3, HAT] == 90 and drums.offset[3, HAT] == 0
    assert np.count_nonzero(drums.velocity) == 1


def test_a_loop_has_no_novelty_and_no_fill() -> None:
    loop = drums([BEAT] * 16, form(16))
    assert not novelty(loop).any() and not fills(loop).any()


def test_the_bar_that_breaks_the_pattern_is_the_fill() -> None:
    broken = drums([*[BEAT] * 7, BREAK, *[BEAT] * 8], form(16))
    assert np.flatnonzero(fills(broken)).tolist() == [7]
    assert novelty(broken).argmax() == 7


def test_at_most_a_tenth_of_the_bars_are_fills() -> None:
    often = drums([BEAT, BEAT, BREAK] * 10, form(30))
    assert fills(often).sum() == 3


def test_a_silent_bar_is_no_fill() -> None:
    assert not fills(drums([*[BEAT] * 7, {}, *[BEAT] * 8], form(16))).any()


def test_bars_of_another_length_are_not_compared() -> None:
    mixed = Form._make([*(np.array([a] * 12 + [b]) for a, b in ((24, 21), (4, 7), (4, 8))), np.full(13, 120.0)])
    assert novelty(drums([*[BEAT] * 12, {KICK: [0]}], mixed))[12] == 0


def test_a_break_is_a_fill_that_leaves_room() -> None:
    song = drums([*[BEAT] * 7, BREAK, *[BEAT] * 7, {KICK: [0], SNARE: [3]}, *[BEAT] * 8], form(24))
    assert np.flatnonzero(fills(song)).tolist() == [7, 15]
    assert np.flatnonzero(breaks(song)).tolist() == [15]
    assert {bar: name for bar, name in enumerate(signs(song)) if name} == {7: "fill", 15: "break"}


def test_half_of_the_hits_around_are_a_break_and_one_more_is_none() -> None:
    usual = {HAT: list(range(0, 24, 3))}
    for hits, is_break in ((4, True), (5, False)):
        song = drums([*[usual] * 7, {SNARE: list(range(hits))}, *[usual] * 8], form(16))
        assert fills(song)[7] and breaks(song)[7] == is_break


def test_a_break_is_detected_by_the_bars_around_it_and_not_by_fills_and_silence() -> None:
    quiet = {SNARE: [0, 6, 12, 18]}
    song = drums([*[quiet] * 8, {KICK: [3, 9, 15]}, {}, *[quiet] * 6, *[BREAK] * 24], form(40))
    assert fills(song)[8] and not breaks(song)[8]


def test_over_the_first_and_the_last_bar_that_is_struck_nothing_is_written() -> None:
    song = drums([BREAK, *[BEAT] * 19, BREAK, *[BEAT] * 19, {KICK: [0]}], form(41))
    assert np.flatnonzero(fills(song)).tolist() == [0, 20, 40]
    assert np.flatnonzero(signs(song) != "").tolist() == [20]
    assert signs(drums([{}] * 3, form(3))).tolist() == ["", "", ""]


@pytest.mark.parametrize("bars", [1, 2])
def test_a_song_of_few_bars_has_no_fill(bars: int) -> None:
    assert not fills(drums([BEAT, BREAK][:bars], form(bars))).any()


def test_hits_are_counted_by_the_quarter_in_any_metre() -> None:
    assert hits_per_quarter(drums([BEAT], form(1))).tolist() == [3.0]
    assert hits_per_quarter(drums([{KICK: [0, 6, 12]}], form(1, 7, 8))) == pytest.approx([3 / 3.5])


def test_hits_on_the_beat_are_not_syncopated() -> None:
    steady = {KICK: [0, 12], HAT: [0, 6, 12, 18]}
    assert syncopation(drums([steady, steady], form(2))).tolist() == [0, 0]


def test_a_backbeat_without_the_strong_beats_is_syncopated() -> None:
    assert syncopation(drums([{SNARE: [6, 18]}] * 2, form(2))).tolist() == [0.75, 0.25]


def test_a_hit_before_a_rest_on_a_stronger_place_is_syncopated() -> None:
    pushed = drums([{KICK: [0, 21]}, {SNARE: [0]}], form(2))  # the kick anticipates a downbeat that it leaves out
    assert syncopation(pushed)[0] > 0
    landed = drums([{KICK: [0, 21]}, {KICK: [0]}], form(2))
    assert syncopation(landed)[0] == 0


def test_the_weights_are_those_of_the_metre() -> None:
    # 7/8 as 2+2+3: the groups begin at steps 0, 6 and 12. What begins a group is not syncopated, what precedes it is.
    assert syncopation(drums([{KICK: [0, 6, 12]}] * 2, form(2, 7, 8)))[0] == 0
    assert syncopation(drums([{KICK: [0, 9]}, {KICK: [0]}], form(2, 7, 8)))[0] > 0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("metre", [(4, 4), (7, 8), (5, 4)])
def test_syncopation_is_that_of_each_hit_up_to_the_first_stronger_place(metre: tuple[int, int], seed: int) -> None:
    bars = form(4, *metre)
    struck = np.random.default_rng(seed).random((int(bars.first[-1]), len(NINE))) < 0.2
    level = np.log2(np.maximum(clock_of(bars)[:, CLOCK.at("weight")], 1 / 256))
    wanted = np.zeros(4)
    for step, voice in np.argwhere(struck).tolist():
        stronger = next((later for later in range(step, len(level)) if level[later] > level[step]), step)
        if not struck[step + 1 : stronger + 1, voice].any():
            wanted[step // int(bars.steps[0])] += (level[stronger] - level[step]) / bars.quarters[0]
    found = syncopation(Drums(bars, struck * 90, np.zeros(struck.shape, dtype=np.float32)))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)
    assert wanted.any()
