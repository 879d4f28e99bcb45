"""Fixtures of tests of several tables."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import ROOT, run_script

MAKER = ROOT / "tests" / "music" / "make_tables.py"


@pytest.fixture(scope="session")
def maker() -> dict[str, Any]:
    """The names of the script that asks music21 for the tables; the test is skipped where it cannot run."""
    pytest.importorskip("music21")
    if not MAKER.exists():
        pytest.skip("the generator is not part of this installation")
    return run_script(MAKER)
