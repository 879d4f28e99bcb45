"""The grooves of sections, as models are given them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from seq2drum.data.batches import batches
from seq2drum.data.batches.batches import Data
from seq2drum.data.batches.draws import NEAR, Given, section_grooves
from seq2drum.lattice.grooves.grooves import likeness, typical
from seq2drum.lattice.grooves.section_features import letters_of
from seq2drum.lattice.sections import sections
from seq2drum.music.kit import FULL, NINE
from tests.made import made_song

SONGS = [made_song(seed) for seed in range(6)]


@pytest.fixture(scope="module")
def data() -> Data:
    return batches.flatten(SONGS)


def rows(data: Data, given: Given, draws: list[float]) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    """Of the first four bars of as many songs as there are draws, which say what is hidden or replaced."""
    bars = data.first_bar[: len(draws), None] + np.arange(4)
    table = np.stack([draws, np.full(len(draws), 0.3)], axis=1)
    return data.grooves.rows(bars, data.steps[bars], table, int(data.steps[bars].max()), given)


def test_the_groove_of_a_bar_is_the_typical_one_of_its_section(data: Data) -> None:
    velocity, grooved = rows(data, Given(hidden=0), [0.5])
    song = SONGS[0]
    form = song.guitar_grid.form
    letters = letters_of(sections(song.guitar_grid), len(form.steps))
    struck = np.unique(form.bar_of(song.drums.step))
    groove = typical(song.drums, form, struck[letters[struck] == letters[0]])
    assert grooved.tolist() == [[1, 1, 1, 1]]
    for bar in range(4):
        hits = groove.bar(bar)
        step, voice = np.nonzero(velocity[0, bar])
        assert set(zip(step.tolist(), voice.tolist(), strict=True)) == set(
            zip(hits.step.tolist(), hits.key.tolist(), strict=True)
        )
        assert np.rint(velocity[0, bar, hits.step, hits.key] * 127).tolist() == hits.velocity.tolist()


def test_hidden_grooves_are_silence(data: Data) -> None:
    velocity, grooved = rows(data, Given(hidden=0.5), [0.2, 0.7])
    assert not velocity[0].any() and not grooved[0].any()
    assert velocity[1].any() and grooved[1].all()


def test_near_grooves_are_near(data: Data) -> None:
    grooves = data.grooves
    for number, near in enumerate(grooves.near):
        for other in near[near >= 0].tolist():
            hits = (grooves.velocity[[number, other]] > 0).reshape(2, -1).astype(np.float32)
            assert NEAR[0] <= float(likeness(hits)[0, 1]) <= NEAR[1]
            assert grooves.steps[number] == grooves.steps[other]
    assert (grooves.near >= 0).any()
    own, _ = rows(data, Given(hidden=0), [0.9] * 6)
    near, _ = rows(data, Given(hidden=0, near=1), [0.9] * 6)
    assert (own > 0).tolist() != (near > 0).tolist()


def test_no_bar_has_a_hit_beyond_its_end(data: Data) -> None:
    velocity, _ = data.grooves.rows(np.array([[0]]), np.array([[12]]), np.full((1, 2), 0.5), 24, Given(hidden=0))
    assert velocity[0, 0, :12].any() and not velocity[0, 0, 12:].any()


def test_in_a_smaller_kit_voices_of_one_piece_are_one() -> None:
    full, nine = section_grooves(SONGS, FULL), section_grooves(SONGS, NINE)
    assert full.of_bar.tolist() == nine.of_bar.tolist()
    assert nine.velocity.shape[2] == len(NINE)
    kick = FULL.names.index("kick"), NINE.names.index("kick")
    assert np.array_equal(full.velocity[..., kick[0]], nine.velocity[..., kick[1]])


def test_bars_in_which_no_groove_is_known_are_given_none() -> None:
    silent = replace(SONGS[0], drums=SONGS[0].drums.select(np.zeros(0, dtype=np.int64)))
    grooves = section_grooves([silent], FULL)
    assert set(grooves.of_bar.tolist()) == {-1} and not len(grooves.velocity)
    assert grooves.near.shape[0] == 0
    velocity, grooved = grooves.rows(
        np.array([[0, 1]]), np.array([[24, 24]]), np.full((1, 2), 0.5), 24, Given(0.0, 1.0)
    )
    assert not velocity.any() and not grooved.any()
