"""Which pieces a take may be played on, by what is wished."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from seq2drum.lattice.grid import Grid
from seq2drum.music.choices import FAMILIES
from seq2drum.music.kit import FULL, NINE, Kit
from seq2drum.play.decode.memory import Pieces, pieces_for

PERCUSSION = {voice.name for voice in FULL.voices if voice.limb == "percussion"}


def played(wished: Pieces, kit: Kit = FULL) -> set[str]:
    """The voices that can be drawn where all are equally likely."""
    logits = wished.logits(np.zeros((2, len(kit))))
    assert (logits[0] == logits[1]).all()
    return {kit.names[voice] for voice in np.flatnonzero(np.isfinite(logits[0]))}


def grid(*hits: tuple[int, str, int]) -> Grid:
    """(step, voice, velocity)."""
    rows = np.array([(step, FULL.names.index(name), velocity, 0, 3) for step, name, velocity in hits], dtype=np.int64)
    return Grid(*rows.reshape(-1, 5).T)


def hits(grid: Grid) -> list[tuple[int, str, int]]:
    return [
        (step, FULL.names[key], velocity)
        for step, key, velocity in zip(grid.step.tolist(), grid.key.tolist(), grid.velocity.tolist(), strict=True)
    ]


@pytest.mark.parametrize(
    ("wish", "percussion"),
    [
        ({}, set()),
        ({"groove": [FULL.names.index("shaker"), FULL.names.index("kick")]}, {"shaker"}),
        ({"style": "latin"}, PERCUSSION),
        ({"style": "rock"}, set()),
        ({"pieces": "all"}, PERCUSSION),
        ({"pieces": "kit", "style": "latin", "groove": [FULL.names.index("shaker")]}, set()),
        ({"pieces": "all", "without": FAMILIES["percussion"]}, set()),
    ],
)
def test_hand_percussion_is_played_where_the_groove_or_the_style_has_it_or_it_is_wished(
    wish: dict[str, Any], percussion: set[str]
) -> None:
    assert played(pieces_for(FULL, **wish)) & PERCUSSION == percussion


def test_of_what_is_forbidden_none_is_played() -> None:
    wished = pieces_for(FULL, without={"crash", "clap"}, pieces="all")
    assert played(wished) == set(FULL.names) - {"crash", "clap"}
    assert hits(wished.hits(grid((0, "crash", 100), (0, "kick", 90), (6, "snare", 80)))) == [
        (0, "kick", 90),
        (6, "snare", 80),
    ]


def test_time_on_the_ride_moves_the_hat_of_the_hand_and_not_that_of_the_foot() -> None:
    wished = pieces_for(FULL, time="ride")
    assert set(FULL.names) - played(wished) - PERCUSSION == {"closed hat", "open hat"}
    groove = grid((0, "kick", 90), (0, "closed hat", 70), (3, "open hat", 60), (3, "ride", 65), (6, "pedal hat", 50))
    assert hits(wished.hits(groove)) == [(0, "kick", 90), (0, "ride", 70), (3, "ride", 65), (6, "pedal hat", 50)]
    logits = np.full(len(FULL), -5.0)
    logits[FULL.names.index("closed hat")] = 2.0
    assert wished.logits(logits)[FULL.names.index("ride")] == 2.0


def test_time_on_the_hat_moves_ride_and_bell() -> None:
    wished = pieces_for(FULL, time="hat")
    assert set(FULL.names) - played(wished) - PERCUSSION == {"ride", "bell"}
    assert hits(wished.hits(grid((0, "ride", 70), (3, "bell", 60)))) == [(0, "closed hat", 70), (3, "closed hat", 60)]


def test_where_a_line_is_forbidden_time_is_kept_on_the_other() -> None:
    without_hats = pieces_for(FULL, without=FAMILIES["hats"])
    assert hits(without_hats.hits(grid((0, "closed hat", 70), (6, "pedal hat", 50)))) == [(0, "ride", 70)]
    without_cymbals = pieces_for(FULL, without=FAMILIES["cymbals"])
    assert hits(without_cymbals.hits(grid((0, "ride", 70), (0, "crash", 90)))) == [(0, "closed hat", 70)]
    neither = pieces_for(FULL, without={"closed hat", "open hat", "ride", "bell"})
    assert hits(neither.hits(grid((0, "ride", 70), (0, "closed hat", 90), (0, "kick", 90)))) == [(0, "kick", 90)]


def test_without_wishes_a_kit_without_percussion_is_played_as_it_comes() -> None:
    assert pieces_for(NINE).are_all
    assert pieces_for(FULL, pieces="all").are_all
    assert not pieces_for(FULL).are_all
    assert not pieces_for(NINE, time="ride").are_all
    assert played(pieces_for(NINE, time="ride"), NINE) == set(NINE.names) - {"closed hat", "open hat"}
