"""Critics of bars and of songs: a copy passes, drums that no drummer plays do not."""

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
from seq2drum.evaluate.evaluate import song_critic_figures
from seq2drum.evaluate.song_critic import LEAST_BARS, Numbers, habits, is_of_velocity, song_critic_auc
from seq2drum.judge.baselines import baselines
from seq2drum.judge.intervals import Scores, Told, told
from seq2drum.judge.trial import Judge
from seq2drum.lattice.conditions import Drums, drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from tests.backbeats import song_of
from tests.drumming import BACKBEAT, MIXED, VOICE, drums, form_of, four, guitar_grid, loop, random_drums, random_guitar
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
            form = Form._make([*(np.full(bars, value) for value in (steps, 11, 4)), np.full(bars, 120.0)])
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


# --- habits of a song counted by hand, and a critic that knows nothing else: a copy passes, loops and fla -------------


WHOLE_SONGS = 24


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


def judged_songs(made: list[Drums], *, velocity: bool = True, groups: list[str] | None = None) -> Told:
    real = [habits_of(sometimes(seed, 0.3)) for seed in range(WHOLE_SONGS)]
    names = groups or [str(seed) for seed in range(WHOLE_SONGS)]
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
    assert judged_songs([sometimes(seed, 0.3) for seed in range(WHOLE_SONGS)]).auc == 0.5
    assert judged_songs([sometimes(seed, 0) for seed in range(WHOLE_SONGS)], velocity=False).auc > 0.95


def test_drummers_of_the_same_habits_are_hardly_told_apart() -> None:
    assert 0.2 < judged_songs([sometimes(seed + 100, 0.3) for seed in range(WHOLE_SONGS)]).auc < 0.8


def test_only_a_critic_that_knows_velocities_catches_flat_hits() -> None:
    flat = [sometimes(seed, 0.3) for seed in range(WHOLE_SONGS)]
    flat = [made._replace(velocity=np.minimum(made.velocity, 1) * 90) for made in flat]
    assert judged_songs(flat, velocity=False).auc == 0.5
    assert judged_songs(flat).auc > 0.95


def test_a_number_that_is_missing_is_a_number_like_another() -> None:
    crashing = [drums(four(32), *((bar, 0, "crash") for bar in range(0, 32, 2))) for _ in range(WHOLE_SONGS)]
    assert judged_songs(crashing, velocity=False).auc > 0.95


def test_too_few_groups_are_refused() -> None:
    with pytest.raises(CorpusError, match="found 2 groups of songs"):
        judged_songs(
            [sometimes(seed, 0.3) for seed in range(WHOLE_SONGS)],
            groups=[str(seed % 2) for seed in range(WHOLE_SONGS)],
        )


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
    real, made = ([habits_of(sometimes(seed, chance)) for seed in range(WHOLE_SONGS)] for chance in (0.3, 0.1))
    groups = [song_of(seed, bars=1).group for seed in range(WHOLE_SONGS)]
    name, figures, notes = song_critic_figures("plain", groups, real, made, 0, 3)
    assert (name, notes) == ("plain", [])
    for critic, velocity in (("song critic AUC", True), ("song critic AUC, no velocity", False)):
        result = judged_songs([sometimes(seed, 0.1) for seed in range(WHOLE_SONGS)], velocity=velocity, groups=groups)
        assert figures[critic].value == result.auc
        assert figures[f"{critic}, seeds apart"].value == result.apart > 0
    _, alone, _ = song_critic_figures("plain", groups, real, made, 0, 1)
    assert alone and not [critic for critic in alone if critic.endswith("apart")]
