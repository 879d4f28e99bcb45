import numpy as np
import pytest

from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import CONDITIONS, Controls, Drums, drums_of, fills
from seq2drum.lattice.form import Form
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL, NINE

NAMES = [voice.name for voice in FULL.voices]


def form(bars: int) -> Form:
    return Form(*(np.full(bars, value) for value in (24, 4, 4)), np.full(bars, 120.0))


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
    measured = conditions.Measured("funk", np.array([0.25, 0.5]), np.array([0.1, 0.9]), np.array([False, True]))
    table = conditions.of_measured(measured)
    assert table.shape == (2, CONDITIONS.size)
    assert table[:, CONDITIONS["style"]].argmax(axis=1).tolist() == [STYLES.index("funk")] * 2
    assert table[:, CONDITIONS["intensity"]].tolist() == [[0.25, 1], [0.5, 1]]
    assert table[:, CONDITIONS["complexity"]] == pytest.approx(np.array([[0.1, 1], [0.9, 1]]))
    assert table[:, CONDITIONS["fill"]].tolist() == [[0, 1], [1, 1]]


def test_nothing_asked_for_is_all_zero() -> None:
    assert not conditions.of_controls(Controls(), 5).any()
    some = conditions.of_controls(Controls(style="jazz", intensity=0.0), 5)
    assert some.sum(axis=1).tolist() == [2] * 5  # a style, and a level that is known to be zero


def test_a_third_of_the_pairs_is_given_no_condition_and_fills_are_given_most() -> None:
    keep = conditions.given(np.random.default_rng(0).random((20_000, 5)))
    assert np.mean(~keep.any(axis=1)) == pytest.approx(0.35 + 0.65 * 0.6**3 * 0.25, abs=0.02)
    assert keep[:, CONDITIONS["fill"]].mean() == pytest.approx(0.65 * 0.75, abs=0.02)
    assert keep[:, CONDITIONS["intensity"]].mean() == pytest.approx(0.65 * 0.4, abs=0.02)


def test_measures_agree_with_the_groove_they_are_made_of() -> None:
    drums = full(20, {"kick": [0, 12], "snare": [6, 18], "closed hat": EIGHTHS})
    step, voice = np.nonzero(drums.velocity)
    from seq2drum.lattice.grid import Grid

    grid = Grid(step, voice, drums.velocity[step, voice], np.zeros_like(step), np.full_like(step, 3))
    measured = conditions.measure(grid, drums.form)
    assert measured.style == "rock"
    assert measured.fill.tolist() == fills(drums_of(grid, drums.form)).tolist()
