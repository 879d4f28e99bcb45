import numpy as np
import pytest

from seq2drum.lattice import conditions as drumming
from seq2drum.lattice.conditions import Drums, breaks, drums_of, fills, hits_per_quarter, novelty, signs, syncopation
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.music.kit import FULL, NINE

KICK, SNARE, HAT = 0, 1, [voice.name for voice in NINE.voices].index("closed hat")


def form(bars: int, numerator: int = 4, denominator: int = 4) -> Form:
    steps = 24 * numerator // denominator // 4 * 1 if denominator == 4 else 3 * numerator
    steps = 6 * numerator if denominator == 4 else 3 * numerator
    return Form(*(np.full(bars, value) for value in (steps, numerator, denominator)), np.full(bars, 120.0))


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
    mixed = Form(*(np.array([a] * 12 + [b]) for a, b in ((24, 21), (4, 7), (4, 8))), np.full(13, 120.0))
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
def test_the_next_stronger_place_is_the_first_of_all_that_follow(seed: int) -> None:
    level = np.log2(
        np.random.default_rng(seed).choice([1, 1 / 2, 1 / 4, 1 / 8, 1 / 256], 60, p=[0.1, 0.2, 0.2, 0.2, 0.3])
    )
    wanted = [next((later for later in range(at, 60) if level[later] > level[at]), at) for at in range(60)]
    assert drumming._next_stronger(level).tolist() == wanted
