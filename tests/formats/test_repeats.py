"""The order of measures: forms that nobody writes are finished or refused in no time."""

from __future__ import annotations

import time
from fractions import Fraction
from typing import Any

import pytest

from seq2drum.errors import NotationError
from seq2drum.formats.guitarpro.tab import Measure, played
from seq2drum.music.limits import TAB_LIMITS

MOST = TAB_LIMITS.measures


def measure(**more: Any) -> Measure:
    return Measure(4, 4, Fraction(4), **more)


def nested(depth: int) -> list[Measure]:
    return [measure(opens=True)] * depth + [measure(repeats=1)] * depth


def left_out() -> list[Measure]:
    """Two passages, one in the other, of whose measures nearly all are of an ending that comes last."""
    passes = frozenset(range(1, 63))
    ends = [measure(endings=passes, repeats=62), measure(endings=passes, repeats=126)]
    return [measure(opens=True)] * 2 + [measure(endings=frozenset({63}))] * (MOST - 4) + ends


FORMS = [
    ("opened, never closed", [measure(opens=True)] * MOST, MOST),
    ("jump after jump", [measure(jump="dasegno", sign="segno" if at < 10 else "") for at in range(MOST)], None),
    ("all codas", [measure(jump="dacapoalcoda" if at % 2 else "dacoda", sign="coda") for at in range(MOST)], 0),
    ("nested 1,000 deep", nested(1000), 0),
    ("nested 2,500 deep", nested(MOST // 2), 0),
    ("left out again and again", left_out(), 0),
]


@pytest.mark.parametrize(("measures", "count"), [form[1:] for form in FORMS], ids=[form[0] for form in FORMS])
def test_a_form_that_nobody_writes_is_finished_or_refused_soon(measures: list[Measure], count: int | None) -> None:
    began = time.process_time()
    if count == 0:
        with pytest.raises(NotationError, match="more than 10,000 measures; write fewer repeats"):
            played(measures)
    else:
        assert 0 < len(played(measures)) <= TAB_LIMITS.played
        assert count is None or len(played(measures)) == count
    assert time.process_time() - began < 2


def test_so_many_measures_may_be_played_and_no_more() -> None:
    once = [measure()] * (TAB_LIMITS.played // 2 - 1)
    assert len(played([measure(opens=True), *once[:-1], measure(repeats=1)])) == TAB_LIMITS.played
    with pytest.raises(NotationError, match="more than 10,000 measures"):
        played([measure(opens=True), *once, measure(repeats=1)])
