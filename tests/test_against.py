"""`bench/against.py`: which figures of two outputs are compared."""

from __future__ import annotations

from bench.against import compared, figures


def test_lines_are_the_same_if_they_differ_in_numbers_alone() -> None:
    assert figures("2 worker(s): 21.1 s\nsame\n2 worker(s): 9 s\n| a |  1,024 MB |") == {
        "# worker(s): # s": [2.0, 21.1],
        "| a | # MB |": [1024.0],
    }


def test_medians_of_rounds_are_compared_in_lines_that_both_have() -> None:
    pairs = [("x 1 s, 5 MB\nours 3", "x 2 s, 5 MB"), ("x 3 s, 5 MB", "x 4 s, 6 MB"), ("x 2 s, 5 MB", "x 9 s, 7 MB")]
    assert compared(pairs) == [("x # s, # MB", [(2.0, 4.0), (5.0, 6.0)])]
