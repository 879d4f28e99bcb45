from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest

from seq2drum.judge import metrics
from seq2drum.judge.metrics import FIGURES, Copies, Judge, tell, values
from seq2drum.lattice.form import Form
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.groove import Drums
from seq2drum.lattice.listening import Heard
from seq2drum.music.kit import NINE

VOICE = {voice.name: index for index, voice in enumerate(NINE.voices)}
QUARTER = 6
BACKBEAT = [(0, "kick"), (12, "kick"), (6, "snare"), (18, "snare"), *((step, "closed hat") for step in range(0, 24, 3))]


def form_of(*metres: tuple[int, int]) -> Form:
    numerator, denominator = np.array(metres).reshape(-1, 2).T
    steps = 4 * QUARTER * numerator // denominator
    return Form(steps, numerator, denominator, np.full(len(steps), 120.0))


def four(bars: int) -> Form:
    return form_of(*[(4, 4)] * bars)


def silent(form: Form) -> Drums:
    shape = (int(form.first[-1]), len(NINE))
    return Drums(form, np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.float32))


def drums(form: Form, *hits: tuple[int, int, str], velocity: int = 100) -> Drums:
    """Hits as (bar, step in the bar, voice)."""
    part = silent(form)
    for bar, step, voice in hits:
        part.velocity[form.first[bar] + step, VOICE[voice]] = velocity
    return part


def loop(form: Form, bar: list[tuple[int, str]]) -> Drums:
    steps = form.steps.tolist()
    return drums(form, *((at, step, voice) for at, size in enumerate(steps) for step, voice in bar if step < size))


def random_drums(form: Form, seed: int, density: float = 0.15) -> Drums:
    rng = np.random.default_rng(seed)
    part = silent(form)
    struck = rng.random(part.velocity.shape) < density
    struck[0, 0] = struck[-1, 0] = True
    part.velocity[struck] = rng.integers(1, 128, struck.sum())
    part.offset[struck] = rng.uniform(-0.5, 0.5, struck.sum())
    return part


def heard(form: Form, *notes: tuple[int, int, int]) -> Heard:
    """A guitar with notes as (bar, step in the bar, velocity)."""
    rows = np.array(notes, dtype=np.int64).reshape(-1, 3)
    ones = np.ones(len(rows), dtype=np.int64)
    grid = Grid(form.first[rows[:, 0]] + rows[:, 1], 40 * ones, rows[:, 2], 0 * ones, ones)
    return Heard(form, grid, np.zeros(9, dtype=np.int64), 1)


def random_guitar(form: Form, seed: int) -> Heard:
    rng = np.random.default_rng([seed, 1])
    return heard(
        form,
        *(
            (bar, step, int(rng.integers(1, 128)))
            for bar, steps in enumerate(form.steps.tolist())
            for step in range(steps)
            if rng.random() < 0.4
        ),
    )


def figures(real: Drums, made: Drums, guitar: Heard | None = None, copies: Copies | None = None) -> dict[str, float]:
    return values(tell(real, made, guitar or heard(real.form), copies))


MIXED = form_of(*[(4, 4)] * 5, *[(7, 8)] * 6, *[(3, 4)] * 6, (5, 4))


# --- cheats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [four(40), form_of(*[(3, 4)] * 40), form_of(*[(7, 8)] * 40), MIXED, four(1)])
def test_a_copy_of_the_real_drums_is_told_by_perfect_figures(form: Form) -> None:
    real = random_drums(form, 1)
    found = figures(real, Drums(*real), random_guitar(form, 1))
    for name, figure in FIGURES.items():
        wanted = {"high": 1.0, "low": 0.0}.get(figure.better)
        if wanted is not None and not (len(form.steps) == 1 and np.isnan(found[name])):
            assert found[name] == pytest.approx(wanted, abs=1e-6), name
    for name in ("hits made to real", "median of hits made to real", "velocity spread", "offset spread"):
        assert found[name] == pytest.approx(1), name


def test_the_real_drums_are_a_player_like_any_other() -> None:
    real, guitar = random_drums(four(30), 2), random_guitar(four(30), 2)
    judge = Judge(real, guitar)
    same, copied = judge.tell(real), judge.tell(Drums(*real))
    assert all(np.array_equal(same[name], copied[name]) for name in FIGURES)


def test_silence_is_told_from_playing() -> None:
    real = random_drums(four(20), 3)
    found = figures(real, silent(real.form), random_guitar(real.form, 3))
    hits = [name for name in FIGURES if FIGURES[name].group == "hits"]
    assert len(hits) == 14
    assert all(found[name] == 0 for name in hits)
    assert (found["voice JSD"], found["position JSD"], found["density overlap"]) == (1, 1, 0)
    assert (found["hits a bar"], found["hits made to real"], found["median of hits made to real"]) == (0, 0, 0)
    assert (found["fill rate"], found["accents with the guitar"]) == (0, 0)
    assert figures(with_fills(7, 15), silent(four(32)))["fill F1"] == 0
    assert np.isnan(found["velocity error"])
    assert np.isnan(found["kicks with the guitar"])


def test_a_loop_is_told_from_a_drummer() -> None:
    real, guitar = random_drums(four(40), 4), random_guitar(four(40), 4)
    found = figures(real, loop(real.form, BACKBEAT), guitar)
    assert found["groove similarity"] == 1
    assert found["distinct bars"] == pytest.approx(1 / 40)
    assert found["groove similarity error"] > 0.2
    assert found["bar similarity error"] > 0.5
    assert found["kicks with the guitar"] == pytest.approx(0, abs=1e-12)
    assert found["accents with the guitar"] == pytest.approx(0, abs=1e-12)
    assert found["fill rate"] == 0
    assert found["velocity spread"] == found["offset spread"] == 0


def test_striking_everything_everywhere_has_the_f1_of_the_base_rate() -> None:
    real = loop(four(8), BACKBEAT)
    made = silent(real.form)
    made.velocity[:] = 100
    base = 12 / (24 * 9)
    found = figures(real, made)
    assert found["hit F1"] == pytest.approx(2 * base / (1 + base))
    assert found["hits made to real"] == pytest.approx(18)
    assert found["density overlap"] == 0


def test_drums_that_follow_the_guitar_are_told_from_the_deaf() -> None:
    form = four(40)
    guitar = random_guitar(form, 5)
    follower = silent(form)
    follower.velocity[guitar.guitar.step, VOICE["kick"]] = guitar.guitar.velocity
    real = random_drums(form, 5)
    follows, deaf = figures(real, follower, guitar), figures(real, random_drums(form, 6), guitar)
    assert follows["kicks with the guitar"] > 0.5 > 0.1 > abs(deaf["kicks with the guitar"])
    assert follows["accents with the guitar"] > 0.9 > 0.1 > abs(deaf["accents with the guitar"])


# --- which bars count -------------------------------------------------------------------------------------------------


def test_bars_before_the_first_and_after_the_last_real_hit_and_long_rests_do_not_count() -> None:
    played = [2, 3, 7, 12]  # rests of 2, 3 and 4 bars, and 1 at the end
    real = drums(four(14), *((bar, 0, "kick") for bar in played))
    wanted = [2, 3, 4, 5, 6, 7, 12]
    assert np.flatnonzero(metrics.counted_bars(real)).tolist() == wanted


def test_real_drums_without_a_hit_have_no_bars_that_count() -> None:
    assert not metrics.counted_bars(silent(four(6))).any()


def test_what_is_made_where_the_real_drummer_is_not_at_work_changes_nothing() -> None:
    form, guitar = four(16), random_guitar(four(16), 7)
    real = silent(form)
    real.velocity[4 * 24 : 12 * 24] = random_drums(four(8), 7).velocity
    made = random_drums(form, 8)
    other = Drums(form, made.velocity.copy(), made.offset)
    other.velocity[: 4 * 24] = 0
    other.velocity[12 * 24 :] = 127
    one, two = tell(real, made, guitar), tell(real, other, guitar)
    assert all(np.array_equal(one[name], two[name]) for name in FIGURES)


def test_cutting_keeps_the_bars_asked_for_with_their_metres() -> None:
    part = random_drums(MIXED, 9)
    bars = np.arange(len(MIXED.steps)) % 3 == 1
    cut = metrics.cut(part, bars)
    assert cut.form.numerator.tolist() == MIXED.numerator[bars].tolist()
    assert len(cut.velocity) == len(cut.offset) == MIXED.steps[bars].sum()
    second = np.flatnonzero(bars)[1]
    begin = MIXED.first[second]
    assert np.array_equal(
        cut.velocity[cut.form.first[1] : cut.form.first[2]], part.velocity[begin : begin + MIXED.steps[second]]
    )


def test_a_song_in_which_the_real_drummer_never_plays_changes_no_sum() -> None:
    real = random_drums(four(8), 10)
    told = tell(real, random_drums(four(8), 11), heard(four(8)))
    nothing = tell(silent(four(8)), random_drums(four(8), 11), heard(four(8)))
    assert {name: row.shape for name, row in told.items()} == {name: row.shape for name, row in nothing.items()}
    assert not any(row.any() for row in nothing.values())


def test_a_take_over_other_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="5 bars of 120 steps, the real drums have 4 of 96"):
        tell(random_drums(four(4), 1), random_drums(four(5), 1), heard(four(4)))


# --- hits -------------------------------------------------------------------------------------------------------------


def test_the_hit_f1s_are_those_computed_by_hand() -> None:
    form = four(1)
    real = drums(form, (0, 0, "kick"), (0, 6, "snare"), (0, 0, "closed hat"), (0, 12, "low tom"))
    made = drums(form, (0, 0, "kick"), (0, 7, "snare"), (0, 0, "ride"), (0, 12, "high tom"), (0, 12, "kick"))
    found = figures(real, made)
    assert found["hit F1"] == pytest.approx(2 * 1 / (5 + 4))  # the kick
    assert found["kick and snare F1"] == pytest.approx(2 * 1 / (3 + 2))
    assert found["onset F1"] == pytest.approx(2 * 2 / (3 + 3))  # steps 0 and 12, of 0 7 12 and 0 6 12
    assert found["family F1"] == pytest.approx(2 * 3 / (5 + 4))  # kick, cymbal, tom
    assert found["F1 kick"] == pytest.approx(2 * 1 / (2 + 1))
    assert found["F1 snare"] == found["F1 ride"] == found["F1 low tom"] == 0
    assert found["F1 crash"] == 1  # nobody struck one


def test_pooled_hits_weigh_by_hits_and_songs_weigh_the_same() -> None:
    long, short = loop(four(9), BACKBEAT), loop(four(1), BACKBEAT)
    rng = np.random.default_rng(0)
    right, wrong = tell(long, long, heard(long.form)), tell(short, silent(short.form), heard(short.form))
    found = metrics.summarise([right, wrong], rng)
    assert found["hit F1 per song"].value == pytest.approx(1 / 2)
    assert found["hit F1"].value == pytest.approx(2 * 9 / (9 + 10))


@pytest.mark.parametrize(
    ("both", "made", "real", "wanted"), [(0, 0, 0, 1.0), (0, 3, 0, 0.0), (0, 0, 3, 0.0), (2, 4, 2, 2 / 3), (3, 3, 3, 1)]
)
def test_f1_is_one_of_two_empty_sides_and_none_of_one(both: int, made: int, real: int, wanted: float) -> None:
    assert metrics.f1(both, made, real) == pytest.approx(wanted)


# --- density and distribution -----------------------------------------------------------------------------------------


def test_hits_a_bar_are_counted_for_four_quarters_in_any_metre() -> None:
    for metre in ((4, 4), (3, 4), (7, 8)):
        form = form_of(*[metre] * 4)
        quarters = 4 * metre[0] / metre[1]
        real = drums(form, *((bar, step, "snare") for bar in range(4) for step in (0, 6, 12)))
        assert figures(real, real)["hits a bar"] == pytest.approx(3 * 4 / quarters)


def test_density_overlap_is_the_share_of_bars_with_the_same_density() -> None:
    real = drums(four(4), *((bar, 0, "kick") for bar in range(4)))
    made = drums(four(4), *((bar, 0, "kick") for bar in range(4)), (2, 6, "snare"))
    assert figures(real, made)["density overlap"] == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("ratios", "wanted"), [((1, 1, 1), 1), ((1, 2, 8), 2), ((0, 1, 1), 1), ((0, 0, 1), 0), ((4,), 4)]
)
def test_the_median_of_ratios_is_that_of_the_middle_song(ratios: tuple[int, ...], wanted: float) -> None:
    real = drums(four(1), (0, 0, "kick"))
    songs = []
    for count in ratios:
        made = drums(four(1), *((0, step, "snare") for step in range(count)))
        songs.append(tell(real, made, heard(real.form)))
    found = metrics.summarise(songs, np.random.default_rng(0))
    assert found["median of hits made to real"].value == pytest.approx(wanted)
    assert found["hits made to real"].value == pytest.approx(sum(ratios) / len(ratios))


def test_the_divergence_of_histograms_is_that_computed_by_hand() -> None:
    def of(made: list[float], real: list[float]) -> float:
        return metrics.divergence(np.array(made), np.array(real))

    # middle (3/4, 1/4): half of log2(4/3), and half of 1/2 log2(2/3) + 1/2 log2(2)
    assert of([7, 0], [5, 5]) == pytest.approx((np.log2(4 / 3) + (np.log2(2 / 3) + 1) / 2) / 2)
    assert of([1, 0], [0, 9]) == pytest.approx(1)
    assert of([1, 3], [2, 6]) == pytest.approx(0, abs=1e-12)
    assert (of([0, 0], [0, 0]), of([0, 0], [1, 0]), of([1, 0], [0, 0])) == (0, 1, 1)


def test_the_overlap_of_histograms_is_that_computed_by_hand() -> None:
    def of(made: list[float], real: list[float]) -> float:
        return metrics.overlap(np.array(made), np.array(real))

    assert of([7, 0], [5, 5]) == pytest.approx(1 / 2)
    assert (of([0, 0], [0, 0]), of([0, 0], [1, 0]), of([1, 0], [0, 2])) == (1, 0, 0)


def test_voices_are_compared_wherever_they_fall_and_positions_where_they_do() -> None:
    real = drums(four(2), (0, 0, "kick"), (1, 0, "kick"))
    late = drums(four(2), (0, 3, "kick"), (1, 3, "kick"))
    found = figures(real, late)
    assert (found["voice JSD"], found["position JSD"]) == (pytest.approx(0), pytest.approx(1))
    other = figures(real, drums(four(2), (0, 0, "snare"), (1, 0, "snare")))
    assert (other["voice JSD"], other["position JSD"]) == (pytest.approx(1), pytest.approx(1))


def test_positions_are_counted_from_the_barline_of_bars_of_any_length() -> None:
    form = form_of((3, 4), (7, 8), (4, 4), (12, 4))
    real = drums(form, *((bar, 17, "snare") for bar in range(4)))
    one, other = figures(real, real), figures(real, drums(form, *((0, step, "snare") for step in (17,))))
    assert one["position JSD"] == other["position JSD"] == 0
    # Beyond eight quarters, places are not told apart.
    beyond = drums(form, (0, 0, "kick"), (3, 50, "kick"))
    assert figures(beyond, drums(form, (0, 0, "kick"), (3, 70, "kick")))["position JSD"] == 0


# --- structure --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("metre", "steps"), [((4, 4), 24), ((3, 4), 18), ((7, 8), 21)])
def test_groove_similarity_falls_by_the_share_of_steps_that_differ(metre: tuple[int, int], steps: int) -> None:
    form = form_of(metre, metre)
    part = drums(form, (0, 0, "kick"), (1, 0, "snare"), (0, 6, "kick"), (1, 9, "kick"))
    assert metrics.groove_similarity(part) == pytest.approx(1 - 2 / steps)


def test_groove_similarity_is_the_mean_over_all_pairs_of_bars_of_one_length() -> None:
    part = random_drums(MIXED, 12, 0.05)
    bars = [(part.velocity[begin:end] > 0).any(axis=1) for begin, end in pairwise(MIXED.first)]
    pairs = [1 - (one != other).mean() for one, other in combinations(bars, 2) if len(one) == len(other)]
    assert metrics.groove_similarity(part) == pytest.approx(np.mean(pairs))
    assert np.isnan(metrics.groove_similarity(random_drums(form_of((4, 4), (3, 4)), 1)))


def test_the_similarity_curve_shows_the_period_of_a_song() -> None:
    form = four(12)
    odd = [(bar, step, "closed hat") for bar in range(1, 12, 2) for step in (0, 6, 12)]
    even = [(bar, step, "closed hat") for bar in range(0, 12, 2) for step in (0,)]
    part = drums(form, *odd, *even)
    made, real = metrics.curve(tell(part, loop(form, BACKBEAT), heard(form))["bar similarity error"])
    assert made[:11] == pytest.approx(np.ones(11))
    assert real[:11] == pytest.approx([0.5, 1] * 5 + [0.5])  # 1 - |3 - 1| / (3 + 1)
    assert np.isnan(made[11:]).all()
    assert figures(part, loop(form, BACKBEAT))["bar similarity error"] == pytest.approx(0.5 * 6 / 11)


def test_two_silent_bars_are_alike_and_a_silent_one_is_like_no_other() -> None:
    part = drums(four(4), (0, 0, "kick"), (3, 0, "kick"))
    alike, pairs = metrics.likeness(part)
    assert alike[:3].tolist() == [1, 0, 1]
    assert pairs[:4].tolist() == [3, 2, 1, 0]


def test_the_similarity_curve_compares_bars_of_one_length() -> None:
    part = random_drums(MIXED, 30)
    rows = [part.velocity[begin:end] > 0 for begin, end in pairwise(MIXED.first.tolist())]
    alike, pairs = metrics.likeness(part)
    for lag in (1, 3, 8):
        found = [
            1 - (one != other).sum() / (one.sum() + other.sum())
            for one, other in zip(rows, rows[lag:], strict=False)
            if len(one) == len(other)
        ]
        assert pairs[lag - 1] == len(found)
        assert alike[lag - 1] == pytest.approx(sum(found))


def test_distinct_bars_are_counted_by_hits_and_metre_not_by_loudness() -> None:
    form = form_of((4, 4), (4, 4), (4, 4), (3, 4), (3, 4))
    part = drums(form, *((bar, 0, "kick") for bar in range(5)), (2, 6, "snare"))
    part.velocity[0, 0] = 20
    assert figures(part, part)["distinct bars"] == pytest.approx(3 / 5)


# --- fills ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "real", "wanted"),
    [
        ([], [], (0, 0, 0)),
        ([3], [], (0, 1, 0)),
        ([3], [4], (1, 1, 1)),
        ([3], [5], (0, 1, 1)),
        ([3, 5], [4], (1, 2, 1)),  # one real fill is found once
        ([4], [3, 5], (1, 1, 2)),
        ([3, 4], [4, 5], (2, 2, 2)),
        ([0, 7, 15], [6, 10, 15], (2, 3, 3)),
    ],
)
def test_fills_are_matched_one_to_one_within_a_bar(
    found: list[int], real: list[int], wanted: tuple[int, int, int]
) -> None:
    masks = [np.isin(np.arange(20), bars) for bars in (found, real)]
    assert tuple(metrics.match_fills(*masks)) == wanted


def with_fills(*bars: int, crash: bool = True) -> Drums:
    """32 bars of backbeat; in some, the last half is toms, with a crash after them."""
    part = loop(four(32), BACKBEAT)
    for bar in bars:
        part.velocity[24 * bar + 12 : 24 * bar + 24] = 0
        part.velocity[24 * bar + 12 : 24 * bar + 24, VOICE["low tom"]] = 110
        if crash and bar < 31:
            part.velocity[24 * (bar + 1), VOICE["crash"]] = 110
    return part


def test_fills_are_counted_compared_and_described() -> None:
    real, made = with_fills(7, 15, 23), with_fills(8, 19, 23, crash=False)
    same, found = figures(real, real), figures(real, made)
    assert same["fill rate"] == found["fill rate"] == pytest.approx(3 / 32)
    assert found["fill F1"] == pytest.approx(2 * 2 / (3 + 3))
    assert same["fill F1 of every eighth bar"] == pytest.approx(2 * 3 / (3 + 4))
    assert (same["crash after a fill"], found["crash after a fill"]) == (1, 0)
    # In a fill's first half: two hits on the beats and four hats; then twelve toms.
    assert same["toms in fills"] == pytest.approx(12 / 18)


def test_every_eighth_bar_is_the_last_of_eight() -> None:
    assert np.flatnonzero(metrics.every_eighth(four(20))).tolist() == [7, 15]
    assert not metrics.every_eighth(form_of((7, 8))).any()


# --- feel -------------------------------------------------------------------------------------------------------------


def test_syncopation_is_a_mean_over_songs_and_its_error_the_distance() -> None:
    form = four(8)
    on, off = ([(step, "kick") for step in steps] for steps in ((0, 6, 12, 18), (3, 9, 15, 21)))
    straight, leaning = loop(form, on), loop(form, off)
    found, same = figures(straight, leaning), figures(straight, straight)
    assert same["syncopation"] == 0 < found["syncopation"]
    assert found["syncopation error"] == pytest.approx(found["syncopation"])


def test_velocities_and_offsets_are_compared_where_both_sides_strike() -> None:
    form = four(1)
    real, made = (drums(form, *((0, step, "snare") for step in (0, 6, 12))) for _ in range(2))
    real.velocity[[0, 6, 12], 1] = [40, 60, 80]
    made.velocity[[0, 6, 12], 1] = [50, 60, 90]
    made.velocity[18, 1] = 127  # a wrong hit
    real.offset[[0, 6, 12], 1] = [0.1, -0.1, 0.0]
    made.offset[[0, 6, 12], 1] = [0.1, 0.2, 0.0]
    found = figures(real, made)
    assert VOICE["snare"] == 1
    assert found["velocity error"] == pytest.approx(20 / 3)
    assert found["velocity r"] == pytest.approx(np.corrcoef([40, 60, 80], [50, 60, 90])[0, 1])
    assert found["offset error"] == pytest.approx(0.1)


def test_spread_is_around_the_mean_of_each_voice_so_that_a_flat_voice_has_none() -> None:
    form = four(4)
    real, flat = random_drums(form, 13), loop(form, BACKBEAT)
    flat.velocity[:, VOICE["kick"]] = np.where(flat.velocity[:, VOICE["kick"]], 120, 0)  # kick and hat differ
    assert figures(real, flat)["velocity spread"] == 0
    part = drums(form, (0, 0, "kick"), (1, 0, "kick"), (0, 6, "snare"), (1, 6, "snare"))
    half = drums(form, (0, 0, "kick"), (1, 0, "kick"), (0, 6, "snare"), (1, 6, "snare"))
    part.velocity[[0, 24], 0], part.velocity[[6, 30], 1] = [60, 100], [30, 30]
    half.velocity[[0, 24], 0], half.velocity[[6, 30], 1] = [70, 90], [90, 90]
    part.offset[[0, 24], 0], half.offset[[0, 24], 0] = [-0.1, 0.1], [-0.3, 0.3]
    assert figures(part, half)["velocity spread"] == pytest.approx(1 / 2)
    assert figures(part, half)["offset spread"] == pytest.approx(3)


def test_a_voice_that_is_struck_once_says_nothing_of_spread() -> None:
    part = drums(four(1), (0, 0, "kick"), (0, 6, "kick"))
    part.velocity[[0, 6], 0] = [60, 100]
    once = Drums(part.form, part.velocity.copy(), part.offset)
    once.velocity[12, VOICE["snare"]] = 90
    assert figures(part, once)["velocity spread"] == pytest.approx(1)


def test_a_spread_without_a_real_one_to_compare_with_has_no_answer() -> None:
    flat = loop(four(8), BACKBEAT)
    assert np.isnan(figures(flat, random_drums(flat.form, 14))["velocity spread"])
    assert figures(flat, flat)["velocity spread"] == 1


@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [([1, 2, 3], [2, 4, 6], 1.0), ([1, 2, 3], [3, 2, 1], -1.0), ([5, 5], [1, 2], 0.0), ([1], [2], 0)],
)
def test_correlation_is_read_off_the_sums_and_is_none_where_a_side_is_flat(
    x: list[int], y: list[int], wanted: float
) -> None:
    a, b = np.array(x, float), np.array(y, float)
    assert metrics.pearson(np.array([len(a), a.sum(), b.sum(), a @ a, b @ b, a @ b])) == pytest.approx(wanted)


def test_correlation_of_nothing_has_no_answer() -> None:
    assert np.isnan(metrics.pearson(np.zeros(6)))


# --- the guitar -------------------------------------------------------------------------------------------------------


def test_chance_is_the_mean_over_all_shifts_by_whole_bars_of_one_length() -> None:
    rng = np.random.default_rng(15)
    form = form_of(*[(4, 4)] * 3, *[(7, 8)] * 4, (5, 4))
    here, there = rng.random(form.first[-1]), rng.random(form.first[-1])
    common, chance, used = metrics.above_chance(here, there, form)
    assert used.tolist() == [True] * 7 + [False]
    four_four, seven = slice(0, 72), slice(72, 72 + 84)
    assert common == pytest.approx(here[:156] @ there[:156])
    shifted = 0.0
    for piece, steps, bars in ((four_four, 24, 3), (seven, 21, 4)):
        shifts = [here[piece] @ np.roll(there[piece], steps * by) for by in range(1, bars)]
        shifted += float(np.mean(shifts))
    assert chance == pytest.approx(shifted)


def test_kicks_with_the_guitar_are_those_computed_by_hand() -> None:
    form = four(2)
    guitar = heard(form, (0, 0, 100), (0, 3, 100), (1, 0, 100), (1, 9, 100))
    part = drums(form, (0, 0, "kick"), (0, 3, "kick"), (1, 0, "kick"), (1, 6, "kick"))
    # 3 of 4 fall together; shifted by a bar, only the two downbeats do.
    assert figures(part, part, guitar)["kicks with the guitar"] == pytest.approx(3 / 4 - 2 / 4)


def test_accents_with_the_guitar_are_a_correlation_above_that_of_shifted_drums() -> None:
    form = form_of(*[(3, 4)] * 6)
    guitar, part = random_guitar(form, 16), random_drums(form, 16)
    loud = np.zeros(len(part.velocity))
    loud[guitar.guitar.step] = guitar.guitar.velocity
    struck = part.velocity.sum(axis=1)
    shifted = [np.corrcoef(loud, np.roll(struck, 18 * by))[0, 1] for by in range(1, 6)]
    wanted = np.corrcoef(loud, struck)[0, 1] - np.mean(shifted)
    assert figures(part, part, guitar)["accents with the guitar"] == pytest.approx(wanted)


def test_without_a_guitar_there_is_nothing_to_agree_with() -> None:
    part = random_drums(four(6), 17)
    found = figures(part, part)
    assert np.isnan(found["accents with the guitar"])
    assert found["kicks with the guitar"] == 0


# --- copies -----------------------------------------------------------------------------------------------------------


def test_copies_are_windows_that_the_training_set_has_in_the_same_metre() -> None:
    trained = random_drums(four(6), 18)
    copies = Copies.of([trained, random_drums(form_of((3, 4)), 18)])
    made = random_drums(four(6), 19)
    made.velocity[24 : 3 * 24] = np.where(trained.velocity[:48] > 0, 1, 0)  # two bars, moved, and played softly
    found = figures(made, made, copies=copies)
    assert found["copies of 1 bar"] == pytest.approx(2 / 6)
    assert found["copies of 2 bars"] == pytest.approx(1 / 5)
    assert found["copies of 4 bars"] == 0
    assert [
        values(tell(trained, trained, heard(trained.form), copies))[f"copies of {n}"] for n in ("1 bar", "4 bars")
    ] == [1, 1]
    waltz = drums(form_of((3, 4), (6, 8)), (0, 0, "kick"), (1, 0, "kick"))
    only = Copies.of([metrics.cut(waltz, np.array([True, False]))])
    assert only.rate(waltz)[0].tolist() == [1, 2]


def test_bars_in_another_order_are_no_copy() -> None:
    trained = random_drums(four(2), 20)
    turned = Drums(trained.form, np.roll(trained.velocity, 24, axis=0), trained.offset)
    assert Copies.of([trained]).rate(turned).tolist() == [[2, 2], [0, 1], [0, 0]]


def test_silent_windows_are_nobodys() -> None:
    part = drums(four(4), (0, 0, "kick"), (3, 0, "kick"))
    assert Copies.of([part, silent(four(9))]).rate(part).tolist() == [[2, 2], [2, 2], [1, 1]]
    assert Copies.of([]).rate(part).tolist() == [[0, 2], [0, 2], [0, 1]]


def test_without_a_training_set_the_rate_of_copies_has_no_answer() -> None:
    part = random_drums(four(6), 21)
    assert np.isnan(figures(part, part)["copies of 1 bar"])


# --- retrieval --------------------------------------------------------------------------------------------------------


def test_the_true_guitar_is_first_where_no_other_has_fewer_nats_and_ties_are_shared() -> None:
    assert metrics.rank_of_true([[1, 2, 3], [3, 1, 2], [1, 1, 2], [5, 9, 7]]) == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert metrics.rank_of_true(np.full((7, 20), 3.0)) == pytest.approx(1 / 20)
    assert np.isnan(metrics.rank_of_true(np.zeros((0, 20))))


# --- intervals --------------------------------------------------------------------------------------------------------


def made_songs(count: int, seed: int) -> list[dict[str, np.ndarray]]:
    """Songs in which a random part of the hits is right."""
    rng = np.random.default_rng([seed, count])
    songs = []
    for song in range(count):
        real = random_drums(four(12), 100 + song)
        right = rng.random(real.velocity.shape) < rng.uniform(0.2, 0.9)
        made = Drums(real.form, np.where(right, real.velocity, random_drums(four(12), song).velocity), real.offset)
        songs.append(tell(real, made, random_guitar(real.form, song)))
    return songs


def test_an_interval_holds_its_value_and_narrows_with_more_songs() -> None:
    few, many = (metrics.summarise(made_songs(count, 1), np.random.default_rng(0), 300) for count in (6, 60))
    for found in (few, many):
        for name, (value, low, high) in found.items():
            assert np.isnan(value) or low <= value <= high, name
    for name in ("hit F1", "voice JSD", "kicks with the guitar"):
        assert many[name].high - many[name].low < 0.6 * (few[name].high - few[name].low), name
        assert few[name].low < few[name].high


def test_the_same_seed_gives_the_same_interval() -> None:
    songs = made_songs(5, 2)
    one, other = (metrics.summarise(songs, np.random.default_rng([3, 4]), 50) for _ in range(2))
    assert np.array_equal(np.array(list(one.values())), np.array(list(other.values())), equal_nan=True)


def test_one_song_has_an_interval_of_no_width() -> None:
    found = metrics.summarise(made_songs(1, 3), np.random.default_rng(0), 20)
    assert found["hit F1"].low == found["hit F1"].value == found["hit F1"].high


def test_an_interval_is_near_that_of_the_normal_distribution() -> None:
    songs = made_songs(200, 4)
    each = np.array([values(song)["hit F1 per song"] for song in songs])
    value, low, high = metrics.summarise(songs, np.random.default_rng(0))["hit F1 per song"]
    assert value == pytest.approx(each.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * each.std() / np.sqrt(200), rel=0.12)


def test_a_comparison_over_the_same_songs_is_narrower_than_two_intervals() -> None:
    songs = made_songs(30, 5)
    worse = [{**song, "hit F1": song["hit F1"] - [song["hit F1"][0] * 0.05, 0, 0]} for song in songs]
    rng = np.random.default_rng(0)
    gain = metrics.compare(songs, worse, rng)["hit F1"]
    alone = metrics.summarise(songs, rng)["hit F1"]
    assert gain.value == pytest.approx(0.05 * alone.value)
    assert 0 < gain.low < gain.value < gain.high
    assert gain.high - gain.low < 0.1 * (alone.high - alone.low)
    assert metrics.compare(songs, songs, rng)["hit F1"] == (0, 0, 0)


def test_a_song_weighs_the_same_however_many_takes_it_has() -> None:
    one, other = made_songs(2, 6)
    doubled = metrics.mean_of([one, one, one])
    assert all(np.allclose(doubled[name], one[name]) for name in FIGURES)
    both = metrics.mean_of([one, other])
    assert both["hit F1"] == pytest.approx((one["hit F1"] + other["hit F1"]) / 2)


def test_no_songs_and_unequal_songs_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no song"):
        metrics.summarise([], rng)
    with pytest.raises(ValueError, match="2 songs here and 1 there"):
        metrics.compare(made_songs(2, 7), made_songs(1, 7), rng)


def test_every_figure_tells_a_vector_of_one_length_and_says_what_it_means() -> None:
    forms = (four(1), four(30), MIXED, form_of((7, 8), (7, 8)))
    told = [tell(random_drums(form, 1), random_drums(form, 2), random_guitar(form, 1)) for form in forms]
    for name, figure in FIGURES.items():
        assert figure.name == name
        assert figure.meaning
        assert len({row[name].shape for row in told}) == 1, name
        assert all(row[name].dtype == np.float64 and np.isfinite(row[name]).all() for row in told), name
