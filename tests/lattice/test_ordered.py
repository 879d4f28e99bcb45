"""What sorting tells of numbers is what numpy tells."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from seq2drum.lattice.columns import distinct, median, quantile

NUMBERS = st.one_of(
    arrays(np.int64, st.integers(0, 9), elements=st.integers(-4, 4)),
    arrays(np.float64, st.integers(0, 9), elements=st.floats(-1e9, 1e9)),
)


@given(NUMBERS)
def test_each_number_is_there_once_as_numpy_has_it(values: np.ndarray) -> None:
    found = distinct(values)
    assert (found.dtype, found.tolist()) == (values.dtype, np.unique(values).tolist())


@given(NUMBERS.filter(len))
def test_the_middle_is_bit_by_bit_that_of_numpy(values: np.ndarray) -> None:
    assert median(values) == float(np.median(values))


@given(NUMBERS.filter(len), st.sampled_from([0.0, 0.05, 0.25, 0.5, 0.75, 0.9, 0.95, 1.0]))
def test_a_share_is_below_what_numpy_says_bit_by_bit(values: np.ndarray, share: float) -> None:
    assert quantile(values, share) == float(np.quantile(values, share))


def test_no_numbers_have_no_middle_and_no_share_of_them_is_below_any() -> None:
    with pytest.raises(IndexError):
        median(np.zeros(0))
    with pytest.raises(IndexError):
        quantile(np.zeros(0), 0.5)
