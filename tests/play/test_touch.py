"""How the hits of a take are struck, whatever model has chosen them."""

from __future__ import annotations

from typing import Any

import numpy as np

from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import form_of, lattice_of
from seq2drum.lattice.grid import Grid
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray, Part, Song
from seq2drum.play.feel.feel import Feel
from seq2drum.play.feel.humanise import Dynamics, humanise_song
from seq2drum.play.options import Options
from tests.players import strummed

BARS = 40
STEPS = np.repeat(np.arange(8) * 3, 2)
VOICES = np.tile([FULL.names.index("snare"), FULL.names.index("closed hat")], 8)
PLAIN = np.where(STEPS % 12 == 6, 110, 80) + 10 * (VOICES == 1)


def struck(velocity: IntArray = PLAIN, **options: Any) -> IntArray:
    """(BARS, N): the velocities of one bar of hits, played over and over."""
    song = strummed(BARS)
    guitar_grid = SongGrid.of(song, [0]).guitar_grid
    assert len(form_of(song, lattice_of(song)).steps) == BARS
    touch = Dynamics(Options(**options), guitar_grid, FULL)
    hits = Grid(STEPS, VOICES, velocity, np.zeros_like(STEPS), np.full_like(STEPS, 3))
    return np.array([touch.strike(bar, hits).velocity for bar in range(BARS)])


def test_velocities_change_from_bar_to_bar_as_drummers_change_them_and_some_repeat() -> None:
    change = np.abs(np.diff(struck(), axis=0))
    assert 7 < np.mean(change) < 15
    assert 0.1 < np.mean(change == 0) < 0.27


def test_nothing_is_clipped_however_loud() -> None:
    loud = np.full_like(PLAIN, 127)
    for options in ({}, {"humanize": 1.0}, {"intensity": 1.0}, {"humanize": 1.0, "intensity": 1.0}):
        velocity = struck(loud, **options)
        assert velocity.max() < 127
        assert velocity.min() >= 1


def test_a_human_feel_is_as_loud_as_what_it_strikes() -> None:
    stiff, human = struck(humanize=0.0), struck(humanize=1.0)
    assert abs(np.mean(stiff) - np.mean(human)) < 2
    assert np.array_equal(stiff[0], stiff[1])
    assert np.std(human[:, 3]) > 3


def test_intensity_moves_loudness_in_one_direction() -> None:
    means = [np.mean(struck(intensity=level)) for level in (0.0, 0.25, 0.5, 0.75, 1.0)]
    assert (np.diff(means) > 4).all()


def test_a_bar_is_struck_alike_whatever_follows_and_another_seed_strikes_otherwise() -> None:
    assert np.array_equal(struck(seed=3), struck(seed=3))
    assert not np.array_equal(struck(seed=3), struck(seed=4))


def test_the_most_likely_take_does_not_vary() -> None:
    assert np.array_equal(struck(temperature=0.0, seed=1), struck(temperature=0.0, seed=2))
    assert (struck(temperature=0.0)[0] == struck(temperature=0.0)[-1]).all()


def test_a_humanised_file_has_no_more_than_its_drummers_accents() -> None:
    rows = [
        (bar * 1920 + step * 120, 60, note, 127) for bar in range(40) for step in range(16) for note in (36, 38, 42)
    ]
    part = Part.of(np.array(rows), is_drums=True)
    human = humanise_song(Feel.load(), Song(480, (part,), length=40 * 1920)).parts[0]
    assert human.velocity.max() < 127
    assert np.std(human.velocity) > 10
