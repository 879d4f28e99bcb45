"""The ten examples, and some ways to ask for drums to them."""

from __future__ import annotations

import pytest

from seq2drum import Options
from tests.conftest import ROOT

SONGS = sorted((ROOT / "examples").glob("*.mid"))
QUICK = {"ballad", "seven_eight"}
each_song = pytest.mark.parametrize(
    "song", [pytest.param(path, id=path.stem, marks=[] if path.stem in QUICK else pytest.mark.slow) for path in SONGS]
)
WAYS = {
    "as it comes": Options(seed=0),
    "struck again": Options(seed=3, humanize=0.7, intensity=0.6, swing=0.5),
    "on a groove": Options(seed=1, groove="half-time rock, ride", fills=0.9),
    "the likeliest": Options(seed=2, style="rock", temperature=0),
}
