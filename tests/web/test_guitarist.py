"""A guitarist's whole session with a song, as the bench goes through it."""

from __future__ import annotations

import pytest

from bench import guitarist
from tests.conftest import ROOT
from tests.web.browser import Page
from tests.web.test_song import ready

pytestmark = pytest.mark.slow


def test_every_step_of_a_session_comes_and_neither_page_nor_browser_complains(page: Page) -> None:
    ready(page)
    views: list[str] = []
    song = ROOT / "examples" / "rock_riff.mid"
    done = [name for name, _ in guitarist.sitting(page, song, 0, views.append)]
    assert done == ["dropped", *(name for name, *_ in guitarist.STEPS)]
    assert views == ["song new", "part", "song", "jam"]
