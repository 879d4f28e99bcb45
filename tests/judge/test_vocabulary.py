"""The vocabulary: counted by hand on loops, on loops with one change, and on drums whose sections are known."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.judge.figures import crashes_by_place
from seq2drum.judge.measures import typical
from seq2drum.judge.panel import statistics, values
from seq2drum.judge.trial import Judge, Side, Trial
from seq2drum.lattice.conditions import Drums
from seq2drum.lattice.form import Form
from tests.drumming import BACKBEAT, VOICE, drums, four, guitar_grid, loop, random_drums, random_guitar

HELD = ("groove held early", "groove held late", "one groove held early", "one groove held late")


def figures(made: Drums, letters: str = "") -> dict[str, float]:
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
    score = figures(loop(four(40), BACKBEAT))
    assert (score["distinct bars"], score["distinct bars a section"]) == (1 / 40, 1 / 40)
    assert score["change at four bars"] == 0
    assert [score[name] for name in HELD] == [1, 1, 1, 1]


def test_a_bar_that_is_played_in_two_sections_counts_in_both() -> None:
    made = loop(four(16), BACKBEAT)
    assert figures(made, "AAAABBBBAAAACCCC")["distinct bars a section"] == 3 / 16
    assert figures(made, "AAAABBBBAAAACCCC")["distinct bars"] == 1 / 16


def test_one_bar_that_changes_differs_from_the_one_before_and_the_one_after_it() -> None:
    made = struck(loop(four(16), BACKBEAT), (7, 9, "snare"))
    assert figures(made)["change at four bars"] == 2 / 12
    assert np.isnan(figures(loop(four(4), BACKBEAT))["change at four bars"])


def test_a_groove_that_is_lost_is_held_early_and_not_late() -> None:
    form = four(64)
    made = loop(form, BACKBEAT)
    made.velocity[form.first[48] :] = random_drums(four(16), 1).velocity
    score = figures(made)
    assert score["groove held early"] == 1
    assert score["groove held late"] < 0.5


def test_each_section_has_a_typical_bar_of_its_own() -> None:
    form = four(40)
    made = loop(form, BACKBEAT)
    made.velocity[form.first[24] :] = loop(four(16), [(0, "crash"), (12, "low tom")]).velocity
    assert [figures(made, "A" * 24 + "B" * 16)[name] for name in HELD] == [1, 1, 1, 0]
    assert [figures(made, "A" * 40)[name] for name in HELD] == [1, 0, 1, 0]


def test_how_far_a_groove_is_held_is_the_f1_of_the_bars_counted_together() -> None:
    made = loop(four(40), [(0, "kick"), (12, "snare")])
    made = struck(made, *((bar, 6, "snare") for bar in range(24, 40)))  # two hits of three are those of the groove
    assert figures(made)["groove held late"] == pytest.approx(2 * 2 / (3 + 2))


def test_of_a_short_song_nobody_says_whether_its_groove_is_held() -> None:
    score = figures(loop(four(39), BACKBEAT))
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
    assert figures(made)["toms outside fills"] == pytest.approx(1 / 31)


def test_crashes_are_counted_by_where_they_fall() -> None:
    made = drums(four(12), (0, 0, "crash"), (4, 0, "crash"), (5, 0, "crash"), (6, 6, "crash"), (8, 0, "crash"))
    assert crashes_by_place(side_of(made, "AAAABBBBCCCC")) == (3, 1, 1)
    score = figures(made, "AAAABBBBCCCC")
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
    assert figures(made)["groove held early"] == figures(made)["one groove held late"] == 1
