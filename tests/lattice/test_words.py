"""Drum text: both ways on every grid, and where it is wrong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seq2drum.errors import NotationError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.lattice import patterns
from seq2drum.lattice.patterns import (
    BAR,
    COUNT,
    GRIDS,
    ORDER,
    Pattern,
    hits_of,
    ids_of,
    part_of,
    pattern_of_song,
    pattern_of_text,
    song_of_part,
    text_of,
    text_of_song,
)
from seq2drum.music.kit import NINE
from seq2drum.music.notes import Metre, Note, Part, Song

REST = "0b000000000"
KICK = "0b100000000"


@st.composite
def bars_of_ids(draw: st.DrawFn) -> np.ndarray:
    """The words of some bars, any word at any place."""
    shape = draw(st.integers(1, 4)), draw(st.sampled_from(GRIDS))
    return draw(arrays.arrays(np.int64, shape, elements=st.integers(0, COUNT - 1), fill=st.just(0)))


@settings(deadline=None, max_examples=25)
@given(bars_of_ids())
def test_text_comes_back_from_its_pattern_and_its_hits_from_the_text(ids: np.ndarray) -> None:
    pattern = Pattern(hits_of(ids).astype(np.float32))
    text = text_of(pattern)
    back = pattern_of_text(text)
    assert np.array_equal(back.velocity > 0, pattern.velocity > 0)
    assert np.array_equal(ids_of(back.velocity), ids)
    assert text_of(back) == text


@settings(deadline=None, max_examples=15)
@given(bars_of_ids())
def test_text_comes_back_from_a_midi_file(ids: np.ndarray) -> None:
    pattern = pattern_of_text(text_of(Pattern(hits_of(ids).astype(np.float32))))
    song = midi.parse(midi.serialise(song_of_part(part_of(pattern), pattern.bars)))
    drums = song.parts[0] if song.parts else Part.of([], is_drums=True)
    back = ids_of(pattern_of_text(text_of_song(song, drums)).velocity)
    # A text on 24 or 32 places whose hits are all sixteenths is written with 16.
    here, there = (np.argwhere(hits_of(one)) * [1, 96 // one.shape[1], 1] for one in (ids, back))
    if ids.shape[1] == 24:
        there, here = (np.argwhere(pattern_on_24(one)) for one in (back, ids))
    assert len(back) == len(ids)
    assert np.array_equal(here, there)


def pattern_on_24(ids: np.ndarray) -> np.ndarray:
    """Hits on 24 places, of 24 places or of sixteenths."""
    hits = hits_of(ids)
    if ids.shape[1] == 24:
        return hits
    out = np.zeros((len(ids), 4, 6, 9), dtype=bool)
    out[:, :, [0, 1, 3, 5]] = hits.reshape(len(ids), 4, 4, 9)
    return out.reshape(len(ids), 24, 9)


def test_the_bits_are_in_the_order_of_the_literature() -> None:
    notes = {"kick": 36, "snare": 38, "closed hat": 42, "open hat": 46, "low tom": 41, "mid tom": 45, "high tom": 48}
    notes |= {"ride": 51, "crash": 49}
    assert [NINE.names[NINE.voice_of[notes[name]]] for name in ORDER] == list(ORDER)
    pattern = pattern_of_text(" ".join([KICK, "0b000000001", "0b000010000"] + [REST] * 13))
    assert [NINE.names[np.flatnonzero(place)[0]] for place in pattern.velocity[0, :3]] == ["kick", "crash", "low tom"]


def test_a_quarter_is_a_line_and_a_bar_ends_with_its_word() -> None:
    lines = text_of(Pattern(np.zeros((2, 24, 9), dtype=np.float32))).splitlines()
    assert lines == [*[" ".join([REST] * 6)] * 4, BAR] * 2


def test_blank_lines_and_a_missing_last_barline_do_not_matter() -> None:
    bar = "\n\n ".join([KICK] * 16)
    assert text_of(pattern_of_text(f"{bar} {BAR}\t{bar}")) == text_of(pattern_of_text(f"{bar}\n{BAR}\n{bar}\n{BAR}\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{KICK} {KICK}\n{KICK}  0b1000000000", r"line 2, column 14: a word of 10 bits, '0b1000000000'; wanted 0b"),
        (f"{KICK} kick", r"line 1, column 13: 'kick' is no word of drum text; wanted .* for kick, snare, closed hat"),
        (f"{KICK} 0b10000000x", r"line 1, column 13: '0b10000000x' is no word"),
        (f"{KICK} 0b", r"line 1, column 13: a word of 0 bits"),
        (f"{KICK}\n{BAR}", r"line 2, column 1: bar 1 has 1 words, wanted 16, 24 or 32"),
        (f"{BAR}", r"line 1, column 1: bar 1 has 0 words"),
        (f"{' '.join([KICK] * 33)}", r"line 1, column 385: a bar has more than 32 words"),
        (f"{' '.join([KICK] * 16)} {BAR} {' '.join([KICK] * 24)}", r"bar 2 has 24 words, and those before it 16"),
        (f"{' '.join([KICK] * 16)} {BAR} {KICK}", r"line 1, column 197: bar 2 has 1 words"),
        ((" ".join([KICK] * 16) + f" {BAR}\n") * 1025, r"has 1025 bars, wanted at most 1024"),
        (" \n ", "there is no word in this text"),
    ],
)  # fmt: skip
def test_a_wrong_word_is_told_with_its_line_and_its_column(text: str, said: str) -> None:
    with pytest.raises(NotationError, match=said):
        pattern_of_text(text)


def test_what_lies_on_no_grid_goes_to_24_places() -> None:
    late = Part.of([Note(7, 10, 36, 80), Note(490, 10, 38, 80)], is_drums=True)
    song = Song(480, (late,), length=1920)
    assert np.array_equal(
        pattern_of_text(text_of_song(song, late)).velocity > 0, pattern_of_song(song, late).velocity > 0
    )


def test_drums_in_another_metre_have_no_text() -> None:
    drums = Part.of([Note(0, 10, 36, 80)], is_drums=True)
    with pytest.raises(OptionError, match="in 3/4, wanted 4/4"):
        text_of_song(Song(480, (drums,), metres=(Metre(0, 3, 4),)), drums)


def test_a_hit_of_a_text_is_struck_with_the_velocity_that_is_told() -> None:
    part = part_of(pattern_of_text(" ".join([KICK] * 16)))
    assert set(part.velocity.tolist()) == {patterns.VELOCITY}
