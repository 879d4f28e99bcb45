"""The panel of figures, by hand, against cheats, and its vocabulary."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.judge import intervals, measures, panel
from seq2drum.judge.measures import Copies, typical
from seq2drum.judge.panel import FIGURES, crashes_by_place, statistics, values
from seq2drum.judge.trial import Judge, Side, Trial, trial_of
from seq2drum.lattice.conditions import Drums
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import Form
from tests.drumming import (
    BACKBEAT,
    MIXED,
    VOICE,
    drums,
    form_of,
    four,
    guitar_grid,
    loop,
    random_drums,
    random_guitar,
    silent,
)


def counted(real: Drums, made: Drums, guitar: GuitarGrid, copies: Copies | None = None) -> dict[str, np.ndarray]:
    return panel.statistics(trial_of(real, made, guitar, copies))


def figures(
    real: Drums, made: Drums, guitar: GuitarGrid | None = None, copies: Copies | None = None
) -> dict[str, float]:
    return values(counted(real, made, guitar or guitar_grid(real.form), copies))


# --- cheats -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [four(40), form_of(*[(3, 4)] * 40), form_of(*[(7, 8)] * 40), MIXED, four(1)])
def test_a_copy_of_the_real_drums_has_perfect_figures(form: Form) -> None:
    real = random_drums(form, 1)
    score = figures(real, Drums(*real), random_guitar(form, 1))
    for name, figure in FIGURES.items():
        wanted = {"high": 1.0, "low": 0.0}.get(figure.better)
        if wanted is not None and not (len(form.steps) == 1 and np.isnan(score[name])):
            assert score[name] == pytest.approx(wanted, abs=1e-6), name
    for name in ("hits made to real", "median of hits made to real", "velocity spread", "offset spread"):
        assert score[name] == pytest.approx(1), name


def test_the_real_drums_are_a_player_like_any_other() -> None:
    real, guitar = random_drums(four(30), 2), random_guitar(four(30), 2)
    judge = Judge(real, guitar)
    same, copied = panel.statistics(judge.trial(real)), panel.statistics(judge.trial(Drums(*real)))
    assert all(np.array_equal(same[name], copied[name]) for name in FIGURES)


def test_silence_scores_nothing_and_has_no_answer_where_nothing_can_be_compared() -> None:
    real = random_drums(four(20), 3)
    score = figures(real, silent(real.form), random_guitar(real.form, 3))
    hits = [name for name in FIGURES if FIGURES[name].group == "hits"]
    assert len(hits) == 14
    assert all(score[name] == 0 for name in hits)
    assert (score["voice JSD"], score["position JSD"], score["density overlap"]) == (1, 1, 0)
    assert (score["hits a bar"], score["hits made to real"], score["median of hits made to real"]) == (0, 0, 0)
    assert (score["fill rate"], score["accents with the guitar"]) == (0, 0)
    assert figures(with_fills(7, 15), silent(four(32)))["fill F1"] == 0
    assert np.isnan(score["velocity error"])
    assert np.isnan(score["kicks with the guitar"])


def test_a_loop_has_neither_fills_nor_form() -> None:
    real, guitar = random_drums(four(40), 4), random_guitar(four(40), 4)
    score = figures(real, loop(real.form, BACKBEAT), guitar)
    assert score["groove similarity"] == 1
    assert score["distinct bars"] == pytest.approx(1 / 40)
    assert score["groove similarity error"] > 0.2
    assert score["bar similarity error"] > 0.5
    assert score["kicks with the guitar"] == pytest.approx(0, abs=1e-12)
    assert score["accents with the guitar"] == pytest.approx(0, abs=1e-12)
    assert score["fill rate"] == 0
    assert score["velocity spread"] == score["offset spread"] == 0


def test_striking_everything_everywhere_has_the_f1_of_the_base_rate() -> None:
    real = loop(four(8), BACKBEAT)
    made = silent(real.form)
    made.velocity[:] = 100
    base = 12 / (24 * 9)
    score = figures(real, made)
    assert score["hit F1"] == pytest.approx(2 * base / (1 + base))
    assert score["hits made to real"] == pytest.approx(18)
    assert score["density overlap"] == 0


def test_drums_that_follow_the_guitar_score_above_drums_that_do_not_hear_it() -> None:
    form = four(40)
    guitar = random_guitar(form, 5)
    follower = silent(form)
    follower.velocity[guitar.guitar.step, VOICE["kick"]] = guitar.guitar.velocity
    real = random_drums(form, 5)
    follows, deaf = figures(real, follower, guitar), figures(real, random_drums(form, 6), guitar)
    assert follows["kicks with the guitar"] > 0.5 > 0.1 > abs(deaf["kicks with the guitar"])
    assert follows["accents with the guitar"] > 0.9 > 0.1 > abs(deaf["accents with the guitar"])


# --- which bars count -------------------------------------------------------------------------------------------------


def test_what_is_made_where_the_real_drummer_is_not_at_work_changes_nothing() -> None:
    form, guitar = four(16), random_guitar(four(16), 7)
    real = silent(form)
    real.velocity[4 * 24 : 12 * 24] = random_drums(four(8), 7).velocity
    made = random_drums(form, 8)
    other = Drums(form, made.velocity.copy(), made.offset)
    other.velocity[: 4 * 24] = 0
    other.velocity[12 * 24 :] = 127
    one, two = counted(real, made, guitar), counted(real, other, guitar)
    assert all(np.array_equal(one[name], two[name]) for name in FIGURES)


def test_a_song_in_which_the_real_drummer_never_plays_changes_no_sum() -> None:
    real = random_drums(four(8), 10)
    some = counted(real, random_drums(four(8), 11), guitar_grid(four(8)))
    nothing = counted(silent(four(8)), random_drums(four(8), 11), guitar_grid(four(8)))
    assert {name: row.shape for name, row in some.items()} == {name: row.shape for name, row in nothing.items()}
    assert not any(row.any() for row in nothing.values())


def test_a_take_over_other_bars_is_refused() -> None:
    with pytest.raises(ValueError, match="5 bars of 120 steps, the real drums have 4 of 96"):
        counted(random_drums(four(4), 1), random_drums(four(5), 1), guitar_grid(four(4)))


# --- hits -------------------------------------------------------------------------------------------------------------


def test_the_hit_f1s_are_those_computed_by_hand() -> None:
    form = four(1)
    real = drums(form, (0, 0, "kick"), (0, 6, "snare"), (0, 0, "closed hat"), (0, 12, "low tom"))
    made = drums(form, (0, 0, "kick"), (0, 7, "snare"), (0, 0, "ride"), (0, 12, "high tom"), (0, 12, "kick"))
    score = figures(real, made)
    assert score["hit F1"] == pytest.approx(2 * 1 / (5 + 4))  # the kick
    assert score["kick and snare F1"] == pytest.approx(2 * 1 / (3 + 2))
    assert score["onset F1"] == pytest.approx(2 * 2 / (3 + 3))  # steps 0 and 12, of 0 7 12 and 0 6 12
    assert score["family F1"] == pytest.approx(2 * 3 / (5 + 4))  # kick, cymbal, tom
    assert score["F1 kick"] == pytest.approx(2 * 1 / (2 + 1))
    assert score["F1 snare"] == score["F1 ride"] == score["F1 low tom"] == 0
    assert score["F1 crash"] == 1  # nobody struck one


def test_pooled_hits_weigh_by_hits_and_songs_weigh_the_same() -> None:
    long, short = loop(four(9), BACKBEAT), loop(four(1), BACKBEAT)
    rng = np.random.default_rng(0)
    right, wrong = (
        counted(long, long, guitar_grid(long.form)),
        counted(short, silent(short.form), guitar_grid(short.form)),
    )
    summary = intervals.summarise([right, wrong], rng)
    assert summary["hit F1 per song"].value == pytest.approx(1 / 2)
    assert summary["hit F1"].value == pytest.approx(2 * 9 / (9 + 10))


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
        songs.append(counted(real, made, guitar_grid(real.form)))
    summary = intervals.summarise(songs, np.random.default_rng(0))
    assert summary["median of hits made to real"].value == pytest.approx(wanted)
    assert summary["hits made to real"].value == pytest.approx(sum(ratios) / len(ratios))


def test_voices_are_compared_wherever_they_fall_and_positions_where_they_do() -> None:
    real = drums(four(2), (0, 0, "kick"), (1, 0, "kick"))
    late = drums(four(2), (0, 3, "kick"), (1, 3, "kick"))
    score = figures(real, late)
    assert (score["voice JSD"], score["position JSD"]) == (pytest.approx(0), pytest.approx(1))
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


def test_the_similarity_curve_shows_the_period_of_a_song() -> None:
    form = four(12)
    odd = [(bar, step, "closed hat") for bar in range(1, 12, 2) for step in (0, 6, 12)]
    even = [(bar, step, "closed hat") for bar in range(0, 12, 2) for step in (0,)]
    part = drums(form, *odd, *even)
    made, real = measures.curve(counted(part, loop(form, BACKBEAT), guitar_grid(form))["bar similarity error"])
    assert made[:11] == pytest.approx(np.ones(11))
    assert real[:11] == pytest.approx([0.5, 1] * 5 + [0.5])  # 1 - |3 - 1| / (3 + 1)
    assert np.isnan(made[11:]).all()
    assert figures(part, loop(form, BACKBEAT))["bar similarity error"] == pytest.approx(0.5 * 6 / 11)


def test_distinct_bars_are_counted_by_hits_and_metre_not_by_loudness() -> None:
    form = form_of((4, 4), (4, 4), (4, 4), (3, 4), (3, 4))
    part = drums(form, *((bar, 0, "kick") for bar in range(5)), (2, 6, "snare"))
    part.velocity[0, 0] = 20
    assert figures(part, part)["distinct bars"] == pytest.approx(3 / 5)


# --- fills ------------------------------------------------------------------------------------------------------------


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
    same, score = figures(real, real), figures(real, made)
    assert same["fill rate"] == score["fill rate"] == pytest.approx(3 / 32)
    assert score["fill F1"] == pytest.approx(2 * 2 / (3 + 3))
    assert same["fill F1 of every eighth bar"] == pytest.approx(2 * 3 / (3 + 4))
    assert (same["crash after a fill"], score["crash after a fill"]) == (1, 0)
    # In a fill's first half: two hits on the beats and four hats; then twelve toms.
    assert same["toms in fills"] == pytest.approx(12 / 18)


# --- feel -------------------------------------------------------------------------------------------------------------


def test_syncopation_is_a_mean_over_songs_and_its_error_the_distance() -> None:
    form = four(8)
    on, off = ([(step, "kick") for step in steps] for steps in ((0, 6, 12, 18), (3, 9, 15, 21)))
    straight, leaning = loop(form, on), loop(form, off)
    score, same = figures(straight, leaning), figures(straight, straight)
    assert same["syncopation"] == 0 < score["syncopation"]
    assert score["syncopation error"] == pytest.approx(score["syncopation"])


def test_velocities_and_offsets_are_compared_where_both_sides_strike() -> None:
    form = four(1)
    real, made = (drums(form, *((0, step, "snare") for step in (0, 6, 12))) for _ in range(2))
    real.velocity[[0, 6, 12], 1] = [40, 60, 80]
    made.velocity[[0, 6, 12], 1] = [50, 60, 90]
    made.velocity[18, 1] = 127  # a wrong hit
    real.offset[[0, 6, 12], 1] = [0.1, -0.1, 0.0]
    made.offset[[0, 6, 12], 1] = [0.1, 0.2, 0.0]
    score = figures(real, made)
    assert VOICE["snare"] == 1
    assert score["velocity error"] == pytest.approx(20 / 3)
    assert score["velocity r"] == pytest.approx(np.corrcoef([40, 60, 80], [50, 60, 90])[0, 1])
    assert score["offset error"] == pytest.approx(0.1)


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


# --- the guitar -------------------------------------------------------------------------------------------------------


def test_kicks_with_the_guitar_are_those_computed_by_hand() -> None:
    form = four(2)
    guitar = guitar_grid(form, (0, 0, 100), (0, 3, 100), (1, 0, 100), (1, 9, 100))
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
    score = figures(part, part)
    assert np.isnan(score["accents with the guitar"])
    assert score["kicks with the guitar"] == 0


# --- copies -----------------------------------------------------------------------------------------------------------


def test_copies_are_windows_that_the_training_set_has_in_the_same_metre() -> None:
    trained = random_drums(four(6), 18)
    copies = Copies.of([trained, random_drums(form_of((3, 4)), 18)])
    made = random_drums(four(6), 19)
    made.velocity[24 : 3 * 24] = np.where(trained.velocity[:48] > 0, 1, 0)  # two bars, moved, and played softly
    score = figures(made, made, copies=copies)
    assert score["copies of 1 bar"] == pytest.approx(2 / 6)
    assert score["copies of 2 bars"] == pytest.approx(1 / 5)
    assert score["copies of 4 bars"] == 0
    assert [
        values(counted(trained, trained, guitar_grid(trained.form), copies))[f"copies of {n}"]
        for n in ("1 bar", "4 bars")
    ] == [1, 1]
    waltz = drums(form_of((3, 4), (6, 8)), (0, 0, "kick"), (1, 0, "kick"))
    only = Copies.of([measures.cut(waltz, np.array([True, False]))])
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


def test_what_a_player_repeats_are_windows_that_its_other_take_has_wherever_they_are() -> None:
    form = four(6)
    one, other = random_drums(form, 18), random_drums(form, 19)
    other.velocity[24 : 5 * 24] = one.velocity[: 4 * 24]
    trial = trial_of(one, one, guitar_grid(form))
    score = values(panel.statistics(trial._replace(another=trial_of(one, other, guitar_grid(form)).made)))
    assert [score[f"repeats of {n}"] for n in ("1 bar", "2 bars", "4 bars")] == pytest.approx([4 / 6, 3 / 5, 1 / 3])
    assert np.isnan(values(panel.statistics(trial))["repeats of 1 bar"])


def test_some_figures_are_counted_as_all_of_them_are() -> None:
    form, names = four(6), ("hit F1", "fill rate")
    for real in (random_drums(form, 22), silent(form)):
        trial = trial_of(real, random_drums(form, 23), guitar_grid(form))
        every, some = panel.statistics(trial), panel.statistics(trial, names)
        assert tuple(some) == names
        assert all(np.array_equal(some[name], every[name]) for name in names)


# --- retrieval --------------------------------------------------------------------------------------------------------


# --- intervals --------------------------------------------------------------------------------------------------------


def test_a_song_weighs_the_same_however_many_takes_it_has() -> None:
    form = four(12)
    one, other = (
        counted(random_drums(form, seed), random_drums(form, 20 + seed), guitar_grid(form)) for seed in (1, 2)
    )
    doubled = panel.mean_of([one, one, one])
    assert all(np.allclose(doubled[name], one[name]) for name in FIGURES)
    both = panel.mean_of([one, other])
    assert both["hit F1"] == pytest.approx((one["hit F1"] + other["hit F1"]) / 2)


def test_every_figure_makes_a_vector_of_one_length_and_says_what_it_means() -> None:
    forms = (four(1), four(30), MIXED, form_of((7, 8), (7, 8)))
    songs = [counted(random_drums(form, 1), random_drums(form, 2), random_guitar(form, 1)) for form in forms]
    for name, figure in FIGURES.items():
        assert figure.name == name
        assert figure.meaning
        assert len({row[name].shape for row in songs}) == 1, name
        assert all(row[name].dtype == np.float64 and np.isfinite(row[name]).all() for row in songs), name


# --- the vocabulary: counted by hand on loops, on loops with one change, and on drums whose sections are  -------------


HELD = ("groove held early", "groove held late", "one groove held early", "one groove held late")


def vocabulary(made: Drums, letters: str = "") -> dict[str, float]:
    """The figures of drums beside themselves; letters: the section of each bar."""
    side = side_of(made, letters or "A" * len(made.form.steps))
    return values(statistics(Trial(side, side)))


def side_of(made: Drums, letters: str) -> Side:
    letter = np.array([ord(name) for name in letters])
    begins = np.diff(letter, prepend=0) != 0
    return Side(made, np.zeros(len(made.velocity)), letter, begins)


def struck(made: Drums, *hits: tuple[int, int, str]) -> Drums:
    """The same, with some more hits: bar, step, voice."""
    velocity = made.velocity.copy()
    for bar, step, voice in hits:
        velocity[made.form.first[bar] + step, VOICE[voice]] = 100
    return made._replace(velocity=velocity)


def test_a_loop_changes_never_and_holds_its_groove() -> None:
    score = vocabulary(loop(four(40), BACKBEAT))
    assert (score["distinct bars"], score["distinct bars a section"]) == (1 / 40, 1 / 40)
    assert score["change at four bars"] == 0
    assert [score[name] for name in HELD] == [1, 1, 1, 1]


def test_a_bar_that_is_played_in_two_sections_counts_in_both() -> None:
    made = loop(four(16), BACKBEAT)
    assert vocabulary(made, "AAAABBBBAAAACCCC")["distinct bars a section"] == 3 / 16
    assert vocabulary(made, "AAAABBBBAAAACCCC")["distinct bars"] == 1 / 16


def test_one_bar_that_changes_differs_from_the_one_before_and_the_one_after_it() -> None:
    made = struck(loop(four(16), BACKBEAT), (7, 9, "snare"))
    assert vocabulary(made)["change at four bars"] == 2 / 12
    assert np.isnan(vocabulary(loop(four(4), BACKBEAT))["change at four bars"])


def test_a_groove_that_is_lost_is_held_early_and_not_late() -> None:
    form = four(64)
    made = loop(form, BACKBEAT)
    made.velocity[form.first[48] :] = random_drums(four(16), 1).velocity
    score = vocabulary(made)
    assert score["groove held early"] == 1
    assert score["groove held late"] < 0.5


def test_each_section_has_a_typical_bar_of_its_own() -> None:
    form = four(40)
    made = loop(form, BACKBEAT)
    made.velocity[form.first[24] :] = loop(four(16), [(0, "crash"), (12, "low tom")]).velocity
    assert [vocabulary(made, "A" * 24 + "B" * 16)[name] for name in HELD] == [1, 1, 1, 0]
    assert [vocabulary(made, "A" * 40)[name] for name in HELD] == [1, 0, 1, 0]


def test_how_far_a_groove_is_held_is_the_f1_of_the_bars_counted_together() -> None:
    made = loop(four(40), [(0, "kick"), (12, "snare")])
    made = struck(made, *((bar, 6, "snare") for bar in range(24, 40)))  # two hits of three are those of the groove
    assert vocabulary(made)["groove held late"] == pytest.approx(2 * 2 / (3 + 2))


def test_of_a_short_song_nobody_says_whether_its_groove_is_held() -> None:
    score = vocabulary(loop(four(39), BACKBEAT))
    assert np.isnan([score[name] for name in HELD]).all()


@pytest.mark.parametrize("count", [1, 5, 600])
def test_the_typical_bar_is_the_one_that_is_most_like_the_others(count: int) -> None:
    bars = np.zeros((count, 24, 9))
    bars[:, 0, 0] = 1
    bars[: count // 3, :, 5] = 1
    assert typical(bars) == count // 3


def test_toms_are_counted_where_no_fill_is() -> None:
    fill = [(15, step, "low tom") for step in range(0, 24, 3)]
    made = struck(loop(four(32), BACKBEAT), (2, 21, "mid tom"), *fill)
    assert vocabulary(made)["toms outside fills"] == pytest.approx(1 / 31)


def test_crashes_are_counted_by_where_they_fall() -> None:
    made = drums(four(12), (0, 0, "crash"), (4, 0, "crash"), (5, 0, "crash"), (6, 6, "crash"), (8, 0, "crash"))
    assert crashes_by_place(side_of(made, "AAAABBBBCCCC")) == (3, 1, 1)
    score = vocabulary(made, "AAAABBBBCCCC")
    names = ("crashes on a section's one", "crashes on another one", "crashes elsewhere")
    assert [score[name] for name in names] == [0.6, 0.2, 0.2]
    assert score["crashes a bar"] == 5 / 12


def test_sections_are_those_of_the_guitar_and_only_of_bars_that_count() -> None:
    form = four(24)
    real = random_drums(form, 3)
    real.velocity[: form.first[4]] = 0
    trial = Judge(real, random_guitar(form, 3)).trial(real)
    assert len(trial.made.letter) == len(trial.made.begins) == 20
    silent = Judge(real, guitar_grid(form)).trial(real)
    assert set(silent.made.letter.tolist()) == {-1}
    assert not silent.made.begins.any()


def test_bars_of_two_lengths_have_two_typical_bars() -> None:
    form = Form(np.array([24, 18] * 20), np.array([4, 3] * 20), np.full(40, 4), np.full(40, 120.0))
    made = loop(form, [(0, "kick")])
    made.velocity[form.first[:-1][form.steps == 18], VOICE["crash"]] = 100
    assert vocabulary(made)["groove held early"] == vocabulary(made)["one groove held late"] == 1


# --- intervals over songs ---------------------------------------------------------------------------------------------


def made_songs(count: int, seed: int) -> list[dict[str, np.ndarray]]:
    """Songs in which a random part of the hits is right."""
    rng = np.random.default_rng([seed, count])
    songs = []
    for song in range(count):
        real = random_drums(four(12), 100 + song)
        right = rng.random(real.velocity.shape) < rng.uniform(0.2, 0.9)
        made = Drums(real.form, np.where(right, real.velocity, random_drums(four(12), song).velocity), real.offset)
        songs.append(statistics(trial_of(real, made, random_guitar(real.form, song))))
    return songs


def test_an_interval_holds_its_value_and_narrows_with_more_songs() -> None:
    few, many = (intervals.summarise(made_songs(count, 1), np.random.default_rng(0), 300) for count in (6, 60))
    for summary in (few, many):
        for name, (value, low, high) in summary.items():
            assert np.isnan(value) or low <= value <= high, name
    for name in ("hit F1", "voice JSD", "kicks with the guitar"):
        assert many[name].high - many[name].low < 0.6 * (few[name].high - few[name].low), name
        assert few[name].low < few[name].high


def test_the_same_seed_gives_the_same_interval() -> None:
    songs = made_songs(5, 2)
    one, other = (intervals.summarise(songs, np.random.default_rng([3, 4]), 50) for _ in range(2))
    assert np.array_equal(np.array(list(one.values())), np.array(list(other.values())), equal_nan=True)


def test_one_song_has_an_interval_of_no_width() -> None:
    summary = intervals.summarise(made_songs(1, 3), np.random.default_rng(0), 20)
    assert summary["hit F1"].low == summary["hit F1"].value == summary["hit F1"].high


def test_an_interval_is_near_that_of_the_normal_distribution() -> None:
    songs = made_songs(200, 4)
    each = np.array([values(song)["hit F1 per song"] for song in songs])
    value, low, high = intervals.summarise(songs, np.random.default_rng(0))["hit F1 per song"]
    assert value == pytest.approx(each.mean())
    assert (high - low) / 2 == pytest.approx(1.96 * each.std() / np.sqrt(200), rel=0.12)


def test_a_comparison_over_the_same_songs_is_narrower_than_two_intervals() -> None:
    songs = made_songs(30, 5)
    worse = [{**song, "hit F1": song["hit F1"] - [song["hit F1"][0] * 0.05, 0, 0]} for song in songs]
    rng = np.random.default_rng(0)
    gain = intervals.compare(songs, worse, rng)["hit F1"]
    alone = intervals.summarise(songs, rng)["hit F1"]
    assert gain.value == pytest.approx(0.05 * alone.value)
    assert 0 < gain.low < gain.value < gain.high
    assert gain.high - gain.low < 0.1 * (alone.high - alone.low)
    assert intervals.compare(songs, songs, rng)["hit F1"] == (0, 0, 0)


def test_no_songs_and_unequal_songs_are_refused() -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="no song"):
        intervals.summarise([], rng)
    with pytest.raises(ValueError, match="2 songs here and 1 there"):
        intervals.compare(made_songs(2, 7), made_songs(1, 7), rng)


def test_means_over_windows_have_intervals_over_songs() -> None:
    rng = np.random.default_rng(0)
    assert intervals.over_songs(np.full(6, 2.0), np.array([0, 0, 1, 1, 2, 2]), rng) == (2, 2, 2)
    assert np.isnan(intervals.over_songs(np.zeros(0), np.zeros(0, dtype=np.int64), rng)).all()
    value, low, high = intervals.over_songs(np.array([0.0, 0.0, 0.0, 4.0]), np.array([0, 0, 0, 1]), rng)
    assert (value, low, high) == (1, 0, 4)


def test_a_median_over_windows_is_not_carried_by_one_song() -> None:
    rng = np.random.default_rng(0)
    values, song = np.array([3.0, 1.0, 2.0, 90.0, 80.0]), np.array([0, 1, 2, 3, 3])
    value, low, high = intervals.over_songs(values, song, rng, read=intervals.weighted_median)
    assert value == 3 and 1 <= low <= 3 <= high <= 90
    weights = np.array([[1.0, 1, 1, 0, 0], [5, 1, 1, 0, 0], [0, 0, 0, 1, 1]])
    assert intervals.weighted_median(values, weights).tolist() == [2, 3, 80]  # of two, the lower
    assert intervals.weighted_mean(values, weights).tolist() == [2, 18 / 7, 85]


def test_a_mean_over_songs_leaves_out_those_without_an_answer() -> None:
    value, low, high = intervals.mean_over_songs([0.0, np.nan, 1.0, 1.0])
    assert value == pytest.approx(2 / 3) and 0 <= low < value < high <= 1
    assert intervals.mean_over_songs([0.0, np.nan, 1.0, 1.0]) == (value, low, high)
    assert intervals.mean_over_songs([0.5])[0] == 0.5 and np.isnan(intervals.mean_over_songs([0.5])[1:]).all()
    assert np.isnan(intervals.mean_over_songs([])).all() and np.isnan(intervals.mean_over_songs([np.nan] * 2)).all()
