"""The command line, called in the process of the test."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from seq2drum import cli


def called(words: Sequence[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """The exit code, what was written to standard output, and what to standard error."""
    try:
        code = cli.main(words)
    except SystemExit as stop:
        code = int(stop.code or 0)
    out, err = capsys.readouterr()
    return code, out, err
