"""How soon one drummer's limbs can strike again."""

from __future__ import annotations

import pytest

from seq2drum.music.kit import FULL, HAND, ONE_FOOT, TWO_FEET, Limbs, Strokes, feet_for

KICK, SNARE, HAT, PEDAL = (FULL.places[name] for name in ("kick", "snare", "closed hat", "pedal hat"))


@pytest.mark.parametrize(("feet", "least"), [(1, ONE_FOOT), (2, TWO_FEET)])
def test_a_kick_waits_for_its_foot_and_the_other_foot_for_nothing(feet: int, least: float) -> None:
    strokes = Strokes(Limbs(FULL), feet)
    strokes.strike(KICK, 1.0)
    assert strokes.wait(KICK, 1.0 + least / 4) == pytest.approx(3 * least / 4)
    assert strokes.wait(KICK, 1.0 + least) == strokes.wait(PEDAL, 1.0) == strokes.wait(SNARE, 1.0) == 0


def test_two_hands_roll_twice_as_fast_as_one() -> None:
    strokes = Strokes(Limbs(FULL))
    for stroke in range(20):
        assert not strokes.wait(SNARE, stroke * HAND / 2)
        strokes.strike(SNARE, stroke * HAND / 2)
    assert strokes.wait(SNARE, 19.5 * HAND / 2) == pytest.approx(HAND / 4)
    strokes.strike(HAT, 2.0)
    assert not strokes.wait(SNARE, 2.01)
    strokes.strike(SNARE, 2.01)
    assert strokes.wait(HAT, 2.02) == pytest.approx(HAND - 0.02)


def test_a_copy_goes_on_by_itself() -> None:
    strokes = Strokes(Limbs(FULL))
    other = strokes.copy()
    other.strike(KICK, 1.0)
    other.strike(SNARE, 1.0)
    other.strike(SNARE, 1.0)
    assert strokes.wait(KICK, 1.0) == strokes.wait(SNARE, 1.0) == 0 < min(other.wait(KICK, 1.0), other.wait(SNARE, 1.0))


def test_double_kicks_take_two_feet_and_a_kick_before_the_beat_takes_one() -> None:
    assert feet_for([]) == feet_for([0.0, 0.125, 0.5]) == 1
    assert feet_for([0.0, 0.125, 0.25]) == feet_for([0.0, 0.07]) == 2
