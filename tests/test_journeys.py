"""A newcomer who follows one job through the code has no longer way to go than before: see `python -m bench journeys`.

The bounds fall. A change that makes a way longer is redesigned; one that makes it shorter lowers its bound. They rose
thrice, when something came in: from (336, 46), (489, 64) and (834, 89) for the sections of a song and their plan; from
(377, 48), (530, 66) and (871, 92) for the style that a guitar sounds like, and for the learnt arranger, which is one
file more on each way and seven functions when training. A band's own drummer is one file more, and four functions. The
page that opens by itself and the reader of MIDI are nine functions of a command line. Teaching is a file of the
service, and one function of each call.
"""

from __future__ import annotations

import pytest

from bench.journeys import JOBS, Journey, journey

BOUNDS = {
    "accompany": Journey(419, 53),  # with the law of repeats, and phrases in long sections
    "infer": Journey(565, 70),
    "train": Journey(935, 97),
    "call": Journey(110, 12),
}
SLACK = 6  # functions: a way differs a little with the machine and the versions of libraries


def test_each_journey_has_a_bound() -> None:
    assert BOUNDS.keys() == JOBS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", BOUNDS)
def test_a_journey_is_no_longer_than_it_was(name: str) -> None:
    found, bound = journey(name), BOUNDS[name]
    assert found.functions <= bound.functions + SLACK and found.files <= bound.files
    assert found.functions >= bound.functions - SLACK and found.files == bound.files, f"shorter: lower it to {found}"
