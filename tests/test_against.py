"""`bench/against.py`: which figures of two outputs are compared."""

from __future__ import annotations

import sys

import pytest

from bench.against import compared, figures, main


def test_lines_are_the_same_if_they_differ_in_numbers_alone() -> None:
    assert figures("2 worker(s): 21.1 s\nsame\n2 worker(s): 9 s\n| a |  1,024 MB |") == {
        "# worker(s): # s": [2.0, 21.1],
        "| a | # MB |": [1024.0],
    }


def test_medians_of_rounds_are_compared_in_lines_that_both_have() -> None:
    pairs = [("x 1 s, 5 MB\nours 3", "x 2 s, 5 MB"), ("x 3 s, 5 MB", "x 4 s, 6 MB"), ("x 2 s, 5 MB", "x 9 s, 7 MB")]
    assert compared(pairs) == [("x # s, # MB", [(2.0, 4.0), (5.0, 6.0)])]


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["no-such-commit", "midi"], "there is no commit 'no-such-commit'; git log --oneline lists them"),
        (["HEAD", "no-such-bench"], "invalid choice: 'no-such-bench'"),
        (["--rounds", "0", "HEAD", "midi"], "--rounds is 0, wanted 1 or more"),
    ],
)
def test_words_that_make_no_sense_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], phrase: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["against.py", *words])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 2 and phrase in capsys.readouterr().err
