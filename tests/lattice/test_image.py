"""Pictures of drums: what they keep, and what they lose."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seq2drum.lattice.patterns import (
    BARS,
    NOTES,
    ROWS,
    TICKS,
    WIDTH,
    Pattern,
    part_of,
    pattern_of,
    picture_of,
    pictures_of,
)
from seq2drum.lattice.patterns import part_of_picture as part_of_picture
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part


@settings(deadline=None, max_examples=15)
@given(arrays.arrays(np.bool_, (ROWS, WIDTH), fill=st.just(False)))
def test_a_picture_comes_back_from_its_part(picture: np.ndarray) -> None:
    assert np.array_equal(picture_of(part_of_picture(picture)), picture)


@settings(deadline=None, max_examples=15)
@given(st.sets(st.tuples(st.integers(0, WIDTH - 1), st.sampled_from(NOTES))))
def test_hits_on_32nds_come_back_from_their_picture(struck: set[tuple[int, int]]) -> None:
    part = Part.of([Note(column * 60, 10, note, 50) for column, note in struck], is_drums=True)
    back = part_of_picture(picture_of(part))
    assert set(zip((back.onset // 60).tolist(), back.pitch.tolist(), strict=True)) == struck


def test_the_lowest_note_is_at_the_bottom_and_the_first_column_is_the_first_beat() -> None:
    picture = picture_of(Part.of([Note(0, 10, 36, 90), Note(60, 10, 60, 90)], is_drums=True))
    assert np.argwhere(picture).tolist() == [[0, 1], [ROWS - 1, 0]]


def test_every_row_is_a_piece_of_the_kit() -> None:
    assert (FULL.voice_of[list(NOTES)] >= 0).all()


def test_triplets_go_to_the_nearest_32nd_and_notes_without_a_row_are_lost() -> None:
    notes = [Note(160, 10, 38, 90), Note(0, 10, 35, 90), Note(0, 10, 61, 90), Note(BARS * 4 * TICKS, 10, 36, 90)]
    picture = picture_of(Part.of(notes, is_drums=True))
    assert np.argwhere(picture).tolist() == [[ROWS - 3, 3], [ROWS - 1, 0]]


def test_a_pattern_on_32_places_comes_back_from_its_pictures() -> None:
    rng = np.random.default_rng(3)
    pattern = Pattern((rng.random((11, 32, 9)) < 0.1).astype(np.float32))
    first, last = pictures_of(pattern)
    back = [pattern_of(part_of_picture(one), TICKS, 32, bars=BARS).velocity > 0 for one in (first, last)]
    assert np.array_equal(np.concatenate(back)[:11], pattern.velocity > 0)
    assert not back[1][3:].any()
    assert np.array_equal(picture_of(part_of(pattern)), first)
