"""Habits of a song counted by hand, and a critic that knows nothing else: a copy passes, loops and flat hits do not."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.errors import CorpusError
from seq2drum.evaluate.song_critic import LEAST_BARS, Numbers, habits, is_of_velocity, song_critic_auc
from seq2drum.evaluate.tables import song_critic_figures
from seq2drum.judge.intervals import Scores, Told, told
from seq2drum.judge.trial import Judge
from seq2drum.lattice.conditions import Drums
from seq2drum.lattice.features import GuitarGrid
from tests.backbeats import song_of
from tests.drumming import BACKBEAT, MIXED, VOICE, drums, form_of, four, guitar_grid, loop, random_drums, random_guitar

SONGS = 24


def habits_of(made: Drums, guitar: GuitarGrid | None = None) -> Numbers:
    found = habits(Judge(made, guitar or guitar_grid(made.form)).trial(made).made)
    assert found is not None
    return found


def sometimes(form_seed: int, chance: float) -> Drums:
    """A backbeat in which each bar has, by chance, a kick more; loudness varies."""
    rng, made = np.random.default_rng(form_seed), loop(four(32), BACKBEAT)
    more = made.form.first[:-1][rng.random(32) < chance] + 9
    made.velocity[more, VOICE["kick"]] = 90
    made.velocity[made.velocity > 0] += rng.integers(-20, 20, size=int((made.velocity > 0).sum()))
    return made


def judged(made: list[Drums], *, velocity: bool = True, groups: list[str] | None = None) -> Told:
    real = [habits_of(sometimes(seed, 0.3)) for seed in range(SONGS)]
    names = groups or [str(seed) for seed in range(SONGS)]
    some = [habits_of(one) for one in made]
    return song_critic_auc(real, some, groups=names, seed=0, velocity=velocity, resamples=50)


def test_the_habits_of_a_loop_are_those_counted_by_hand() -> None:
    numbers = habits_of(loop(four(16), BACKBEAT))
    assert numbers["any: differs from 1 before"] == numbers["any: differs from 4 before"] == 0
    assert numbers["kick: distinct"] == 1 / 16
    assert (numbers["kick on one"], numbers["snare on two and four"], numbers["snare elsewhere"]) == (1, 1, 0)
    assert (numbers["bars without kick"], numbers["bars without toms"], numbers["crashes a bar"]) == (0, 1, 0)
    assert numbers["kick velocity: same at one place"] == 1


def test_a_hit_that_no_bar_around_has_is_a_stray_and_one_that_all_have_is_missed() -> None:
    made = loop(four(16), BACKBEAT)
    bar = made.form.first[8]
    made.velocity[bar + 5, VOICE["kick"]] = 90
    made.velocity[bar + 6, VOICE["snare"]] = 0
    numbers = habits_of(made)
    assert numbers["kick: stray"] > 0 and numbers["snare: missing"] > 0
    assert numbers["snare: stray"] == numbers["kick: missing"] == 0


@pytest.mark.parametrize("form", [form_of(*[(7, 8)] * 20), MIXED, four(LEAST_BARS)])
def test_songs_of_any_metre_have_the_same_numbers(form) -> None:
    made = random_drums(form, 1)
    found = habits(Judge(made, random_guitar(form, 1)).trial(made).made)
    if found is not None:
        assert found.keys() == habits_of(loop(four(16), BACKBEAT)).keys()
        assert not any(np.isinf(value) for value in found.values())


def test_a_short_song_has_no_habits() -> None:
    made = random_drums(four(LEAST_BARS - 1), 1)
    assert habits(Judge(made, guitar_grid(made.form)).trial(made).made) is None


def test_a_copy_passes_exactly_and_a_loop_is_caught() -> None:
    assert judged([sometimes(seed, 0.3) for seed in range(SONGS)]).auc == 0.5
    assert judged([sometimes(seed, 0) for seed in range(SONGS)], velocity=False).auc > 0.95


def test_drummers_of_the_same_habits_are_hardly_told_apart() -> None:
    assert 0.2 < judged([sometimes(seed + 100, 0.3) for seed in range(SONGS)]).auc < 0.8


def test_only_a_critic_that_knows_velocities_catches_flat_hits() -> None:
    flat = [sometimes(seed, 0.3) for seed in range(SONGS)]
    flat = [made._replace(velocity=np.minimum(made.velocity, 1) * 90) for made in flat]
    assert judged(flat, velocity=False).auc == 0.5
    assert judged(flat).auc > 0.95


def test_a_number_that_is_missing_is_a_number_like_another() -> None:
    crashing = [drums(four(32), *((bar, 0, "crash") for bar in range(0, 32, 2))) for _ in range(SONGS)]
    assert judged(crashing, velocity=False).auc > 0.95


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(CorpusError, match="found 2 groups of songs"):
        judged([sometimes(seed, 0.3) for seed in range(SONGS)], groups=[str(seed % 2) for seed in range(SONGS)])


def test_the_numbers_that_are_of_velocity_are_left_out_together() -> None:
    names = list(habits_of(loop(four(16), BACKBEAT)))
    assert sum(map(is_of_velocity, names)) == 13


def test_what_critics_tell_is_the_mean_of_their_areas_over_the_same_groups() -> None:
    group = np.arange(4)
    good = Scores(np.zeros(4), np.ones(4), group)
    deaf = Scores(np.zeros(4), np.zeros(4), group)
    result = told([good, deaf], 4, np.random.default_rng(0), 20)
    assert (result.auc, result.low, result.high, result.apart) == (0.75, 0.75, 0.75, 0.5)


def test_a_row_has_the_mean_of_three_critics_and_how_far_they_lie_apart_with_velocity_and_without() -> None:
    real, made = ([habits_of(sometimes(seed, chance)) for seed in range(SONGS)] for chance in (0.3, 0.1))
    groups = [song_of(seed, bars=1).group for seed in range(SONGS)]
    name, figures, notes = song_critic_figures("plain", groups, real, made, 0, 3)
    assert (name, notes) == ("plain", [])
    for critic, velocity in (("song critic AUC", True), ("song critic AUC, no velocity", False)):
        result = judged([sometimes(seed, 0.1) for seed in range(SONGS)], velocity=velocity, groups=groups)
        assert figures[critic].value == result.auc
        assert figures[f"{critic}, seeds apart"].value == result.apart > 0
    _, alone, _ = song_critic_figures("plain", groups, real, made, 0, 1)
    assert alone and not [critic for critic in alone if critic.endswith("apart")]
