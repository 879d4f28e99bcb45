"""The critic: a copy passes, and whatever no drummer plays does not."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from seq2drum.data.corpus import build as learning
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.evaluate.critic import CriticResult, critic_auc
from seq2drum.judge.baselines import baselines
from seq2drum.lattice.conditions import Drums, drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from tests.made import made_song

SONGS = [made_song(seed, bars=40) for seed in range(12)]

Change = Callable[[Prepared, Drums], Drums]


def real_of(songs: Sequence[Prepared]) -> list[Drums]:
    return [drums_of(song.drums, song.guitar_grid.form) for song in songs]


def judged(change: Change, songs: Sequence[Prepared] = SONGS, **options: object) -> CriticResult:
    real = real_of(songs)
    made = [change(song, drums) for song, drums in zip(songs, real, strict=True)]
    chosen = {
        "groups": [song.group for song in songs],
        "seed": 3,
        "critics": 1,
        "epochs": 6,
        "resamples": 100,
        **options,
    }
    guitar_grid = [song.guitar_grid for song in songs]
    return critic_auc(list(zip(guitar_grid, real, strict=True)), made, **chosen)  # type: ignore[arg-type]


def copied(song: Prepared, drums: Drums) -> Drums:
    return drums


def silent(song: Prepared, drums: Drums) -> Drums:
    return drums._replace(velocity=np.zeros_like(drums.velocity), offset=np.zeros_like(drums.offset))


def looped(song: Prepared, drums: Drums) -> Drums:
    """The first bar of each metre, again and again."""
    velocity, first = drums.velocity.copy(), drums.form.first
    for steps in dict.fromkeys(drums.form.steps.tolist()):
        bars = np.flatnonzero(drums.form.steps == steps)
        velocity[first[bars][:, None] + np.arange(steps)] = velocity[first[bars[0]] : first[bars[0]] + steps]
    return drums._replace(velocity=velocity)


def deaf(song: Prepared, drums: Drums) -> Drums:
    """The drums of a song like this one, played to another guitar."""
    other = made_song(int(song.sha256) + 100, bars=40)
    return drums_of(other.drums, other.guitar_grid.form)


def flat(song: Prepared, drums: Drums) -> Drums:
    """The right hits, all of one loudness and on the lattice."""
    return drums._replace(velocity=np.minimum(drums.velocity, 1) * 90, offset=np.zeros_like(drums.offset))


@pytest.mark.slow
@pytest.mark.parametrize("hear", ["hits", "all"])
def test_a_copy_of_the_real_drums_passes_exactly(hear: str) -> None:
    result = judged(copied, hear=hear)
    assert (result.auc, result.low, result.high) == (0.5, 0.5, 0.5)
    assert result.songs == len(SONGS)


@pytest.mark.slow
def test_silence_is_caught() -> None:
    assert judged(silent).auc > 0.99


def test_a_loop_is_caught() -> None:
    result = judged(looped)
    assert result.auc > 0.9 and result.low > 0.8


def test_drums_that_do_not_listen_are_caught_by_one_who_hears_the_guitar() -> None:
    """As drums alone these are as good as the real ones: only the guitar tells."""
    result = judged(deaf)
    assert result.auc > 0.8 and result.low > 0.6


def test_only_a_critic_with_loudness_and_timing_recognises_flat_hits() -> None:
    assert judged(flat).auc == 0.5
    assert judged(flat, hear="all", epochs=12).auc > 0.99


def test_the_interval_holds_the_area_and_narrows_with_songs() -> None:
    few, many = judged(deaf, SONGS[:6], epochs=2), judged(deaf, epochs=2)
    assert few.low <= few.auc <= few.high and many.low <= many.auc <= many.high
    assert many.windows > few.windows


def test_the_same_seed_judges_the_same_and_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(7)
    before = torch.random.get_rng_state()
    first = judged(looped, SONGS[:6], epochs=2)
    assert torch.equal(torch.random.get_rng_state(), before)
    torch.manual_seed(8)
    assert judged(looped, SONGS[:6], epochs=2) == first


@pytest.mark.slow
def test_songs_of_one_group_are_judged_by_a_critic_that_heard_none_of_them() -> None:
    """Real and made loops drawn alike can be told apart only by one who has heard the very song."""
    rng = np.random.default_rng(0)
    names = [str(i // 2) for i in range(16)]
    pairs: list[tuple[GuitarGrid, Drums]] = []
    made: list[Drums] = []
    for number in range(8):
        song = made_song(number, bars=40)
        form = song.guitar_grid.form
        place = np.arange(form.first[-1]) - form.first[form.bar_of(np.arange(form.first[-1]))]
        loops = [np.where(rng.random((24, 9)) < 0.1, 90, 0)[place] for _ in range(2)]
        real, other = (Drums(form, loop, np.zeros(loop.shape, dtype=np.float32)) for loop in loops)
        pairs += [(song.guitar_grid, real)] * 2
        made += [other] * 2
    apart = critic_auc(pairs, made, groups=names, seed=0, critics=1, epochs=8, resamples=10)
    leaking = critic_auc(pairs, made, groups=[str(i) for i in range(16)], seed=0, critics=1, epochs=8, resamples=10)
    assert apart.auc < 0.8 and leaking.auc > 0.9


def test_bars_of_rest_are_not_judged() -> None:
    def half(drums: Drums) -> Drums:
        keep = (np.arange(len(drums.velocity)) < drums.form.first[len(drums.form.steps) // 2])[:, None]
        return drums._replace(velocity=drums.velocity * keep)

    real = [half(drums) for drums in real_of(SONGS[:4])]
    pairs = list(zip([song.guitar_grid for song in SONGS[:4]], real, strict=True))
    options = {"groups": list("abcd"), "seed": 0, "critics": 1, "epochs": 1, "resamples": 10}
    assert critic_auc(pairs, real, **options).windows < 0.6 * judged(copied, SONGS[:4], epochs=1).windows  # type: ignore[arg-type]


def test_too_few_groups_to_learn_stop_and_judge_by_end_in_a_clear_error() -> None:
    with pytest.raises(CorpusError, match="0 groups"):
        critic_auc([], [], groups=[], seed=0)
    with pytest.raises(CorpusError, match="2 groups"):
        judged(copied, groups=[str(i % 2) for i in range(len(SONGS))])


@pytest.mark.slow
def test_bars_of_any_length_are_judged_together() -> None:
    """Made songs have 4/4, 7/8 and 3/4 bars; here every other one is in 11/4 instead, longer than what is heard."""
    pairs, made = [], []
    for number, song in enumerate(SONGS[:6]):
        drums = drums_of(song.drums, song.guitar_grid.form)
        if number % 2:
            bars, steps = int(drums.form.first[-1]) // 66, 66
            form = Form(*(np.full(bars, value) for value in (steps, 11, 4)), np.full(bars, 120.0))
            inside = song.guitar_grid.guitar.step < bars * steps
            guitar_grid = replace(song.guitar_grid, form=form, guitar=song.guitar_grid.guitar.select(inside))
            drums = Drums(form, drums.velocity[: bars * steps], drums.offset[: bars * steps])
        else:
            guitar_grid = song.guitar_grid
        pairs.append((guitar_grid, drums))
        made.append(silent(song, drums))
    result = critic_auc(pairs, made, groups=list("abcdef"), seed=0, critics=1, epochs=6, resamples=10)
    assert result.songs == 6 and result.auc > 0.9


@pytest.mark.slow
def test_on_real_songs_a_loop_is_a_machine_and_another_songs_drums_nearly_pass(sample: list[Path]) -> None:
    songs, _ = learning.prepare(sample)
    table = {one.name: one for one in baselines(songs)}

    def by(name: str) -> Change:
        return lambda song, drums: drums_of(table[name].play(song, 0), song.guitar_grid.form)

    loop, other = judged(by("common bar"), songs), judged(by("random song"), songs)
    assert loop.auc > 0.9 and other.auc < loop.auc - 0.1
