"""What a guitar is expected to play: what it played when it last came this way, told by what was before and no more."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from seq2drum.lattice.features import BARS, GuitarGrid, SongGrid, features
from seq2drum.lattice.form import lattice_of
from seq2drum.lattice.sections import FARTHEST_BACK as FARTHEST
from seq2drum.lattice.sections import NOWHERE, expected_bars, sources, without_future
from seq2drum.music.notes import Metre, Note, Part, Song
from tests.made import made_song

RIFFS = {"a": (0, 2, 3, 6), "b": (0, 4, 5), "c": (1, 3, 5, 7), "d": (0, 1, 2, 3, 4, 5, 6, 7), "-": ()}


def heard_of(bars: str, metre: tuple[int, int] = (4, 4)) -> GuitarGrid:
    """A guitar that plays the riff of each letter in a bar of eighths."""
    length = 1920 * metre[0] // metre[1]
    notes = [
        Note(length * bar + 240 * eighth, 200, 40 + 5 * "abcd".index(name) + eighth, 90)
        for bar, name in enumerate(bars)
        for eighth in RIFFS[name]
    ]
    song = Song(480, (Part.of(notes, program=27),), metres=(Metre(0, *metre),), length=length * len(bars))
    return SongGrid.of(song, [0], lattice_of(song)).guitar_grid


@pytest.mark.parametrize(
    ("bars", "like"),
    [("aaaa", "a"), ("abababa", "b"), ("aabcaab", "c"), ("abcdabcdabc", "d"), ("aaab" * 3 + "aaa", "b")],
)
def test_a_guitar_is_expected_to_go_on_as_it_did(bars: str, like: str) -> None:
    guitar_grid = heard_of(bars + "-")
    assert bars[sources(guitar_grid)[-1]] == like


def test_nothing_is_expected_of_the_first_bar_and_of_the_first_of_another_length() -> None:
    assert sources(heard_of("aaaa"))[0] == NOWHERE
    song = made_song(3)
    changes = np.flatnonzero(np.diff(song.guitar_grid.form.steps)) + 1
    like = sources(song.guitar_grid)
    steps = song.guitar_grid.form.steps
    assert all(steps[like[bar]] == steps[bar] for bar in range(len(steps)) if like[bar] != NOWHERE)
    assert all(like[bar] == NOWHERE for bar in changes.tolist() if steps[bar] not in steps[:bar])


def test_a_bar_is_expected_to_be_like_one_before_it_and_not_too_far_back() -> None:
    like = sources(heard_of("abcd" * 30))
    back = np.arange(len(like)) - like
    assert_array_equal(back[like == NOWHERE] - 1, 0)
    assert back[1:].min() >= 1
    assert back[1:].max() <= FARTHEST


@pytest.mark.parametrize("bar", [1, 3, 6])
def test_what_is_known_of_a_bar_before_it_is_played_does_not_depend_on_it_or_on_what_follows(bar: int) -> None:
    one, other = heard_of("abacabad"), heard_of("abacabad"[:bar] + "dcbdbdcb"[bar:])
    like = sources(one)
    assert_array_equal(like[: bar + 1], sources(other)[: bar + 1])
    known = [expected_bars(guitar_grid, features(guitar_grid), like)[: bar + 1] for guitar_grid in (one, other)]
    assert_array_equal(*known)


def test_a_bar_that_comes_as_expected_is_known_as_it_is_but_for_its_future() -> None:
    guitar_grid = heard_of("ab" * 6)
    known = features(guitar_grid)
    expected = expected_bars(guitar_grid, known, sources(guitar_grid))
    assert_array_equal(expected[4:], without_future(known.bars)[4:])
    assert not np.array_equal(expected, known.bars)


def test_what_is_hidden_of_a_bar_is_what_comes_after_it() -> None:
    guitar_grid = heard_of("abcd" * 4)
    longer = replace(
        guitar_grid,
        form=guitar_grid.form.between(0, 12),
        guitar=guitar_grid.form.notes_between(guitar_grid.guitar, 0, 12),
    )
    assert_array_equal(without_future(features(guitar_grid).bars)[:12], without_future(features(longer).bars))
    changed = np.flatnonzero((features(guitar_grid).bars != without_future(features(guitar_grid).bars)).any(axis=0))
    assert set(changed.tolist()) <= set(
        BARS.pick("until_end", "rhythm_after", "harmony_after", "onsets_of_next", "pitch_classes_of_next", "ended")
    )
