"""Loops combined: whose lines they have, and copies counted."""

from __future__ import annotations

import numpy as np

from seq2drum.data.drums.beats import Beats
from seq2drum.data.drums.loops import LINES, combined, joined
from seq2drum.music.kit import NINE


def loops(*lines: tuple[str, int], bpm: float = 85.0, bars: int = 2) -> Beats:
    """Loops of one voice each, struck at one place."""
    made = []
    for number, (name, place) in enumerate(lines):
        velocity = np.zeros((bars, 24, 9), dtype=np.float32)
        velocity[:, place, NINE.names.index(name)] = (number + 1) / 10
        about = np.zeros(bars, dtype=np.int64)
        none = about.astype(bool)
        made.append(
            Beats(velocity, about, np.arange(bars), about, np.full(bars, bpm), none, about, (f"{number}_{name}.mid",))
        )
    return joined(*made)


def test_kick_snare_and_hats_of_loops_are_put_together() -> None:
    beats = loops(("kick", 0), ("kick", 3), ("snare", 6), ("closed hat", 2), ("closed hat", 5))
    made = combined(beats, 50, np.random.default_rng(0))
    assert made.loops == 4  # two kicks, one snare, two hats
    assert made.tried == made.copies + made.loops
    for number in range(4):
        bar = made.beats.velocity[made.beats.performance == number][0]
        assert (bar > 0).sum(axis=0)[NINE.voices_named(["kick", "snare", "closed hat"])].tolist() == [1, 1, 1]
    assert set(np.unique(made.beats.velocity).round(1)) <= {np.float32(value / 10) for value in range(6)}


def test_loops_of_another_tempo_do_not_go_together() -> None:
    beats = joined(loops(("kick", 0), ("snare", 6)), loops(("kick", 3), ("snare", 9), bpm=120.0))
    made = combined(beats, 20, np.random.default_rng(0)).beats
    placed = {tuple(np.flatnonzero(bar.any(axis=1)).tolist()) for bar in made.velocity}
    assert placed == {(0, 6), (3, 9)}
    assert {float(bpm) for bpm in made.bpm} == {85.0, 120.0}


def test_what_is_made_is_as_long_as_the_shortest_and_is_no_copy() -> None:
    beats = joined(loops(("kick", 0), bars=4), loops(("snare", 6), bars=2))
    made = combined(beats, 5, np.random.default_rng(0))
    assert (made.loops, len(made.beats.number)) == (1, 2)
    alone = combined(loops(("kick", 0)), 5, np.random.default_rng(0))
    assert (alone.loops, alone.copies, alone.tried) == (0, 20, 20)


def test_only_the_train_side_and_no_fills_are_taken() -> None:
    beats = loops(("kick", 0), ("snare", 6))
    assert combined(beats._replace(side=beats.side + 1), 5, np.random.default_rng(0)).tried == 0
    assert combined(beats._replace(fill=~beats.fill), 5, np.random.default_rng(0)).loops == 0


def test_the_same_draws_make_the_same_loops() -> None:
    beats = loops(*((name, place) for name in ("kick", "snare", "closed hat") for place in range(6)))
    first, again, other = (combined(beats, 30, np.random.default_rng(seed)).beats.velocity for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_every_voice_is_of_one_line() -> None:
    assert sorted(name for names in LINES.values() for name in names) == sorted(NINE.names)


def test_bars_are_joined_with_their_own_names() -> None:
    one, two = loops(("kick", 0), ("snare", 6)), loops(("kick", 3))
    both = joined(one, two)
    assert both.names == (*one.names, *two.names)
    assert [both.names[index] for index in both.performance] == [
        *(one.names[index] for index in one.performance),
        *(two.names[index] for index in two.performance),
    ]
