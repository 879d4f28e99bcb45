"""Patterns: each grid and the way back, as pictures, as drum text and as audio loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from seq2drum.errors import NotationError, OptionError
from seq2drum.formats.midi import midi
from seq2drum.lattice.patterns import (
    BAR,
    BARS,
    BPM,
    COUNT,
    FRAMES,
    GRIDS,
    NOTES,
    ORDER,
    RATE,
    ROWS,
    SLICE,
    SLICES,
    TICKS,
    VELOCITY,
    WIDTH,
    Pattern,
    Samples,
    hits_of,
    ids_of,
    led_in,
    part_of,
    pattern_of,
    pattern_of_song,
    pattern_of_text,
    picture_of,
    pictures_of,
    regridded,
    resampled,
    respaced,
    song_of_part,
    spacing,
    text_of,
    text_of_song,
    ticks_of,
)
from seq2drum.lattice.patterns import part_of_picture as part_of_picture
from seq2drum.music.kit import FULL, NINE
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

KICK, SNARE, HAT = 36, 38, 42


@st.composite
def patterns(draw: st.DrawFn, places: int | None = None) -> Pattern:
    """Bars on a grid; on 24 places each beat is in sixteenths or in triplets."""
    count = draw(st.sampled_from(GRIDS)) if places is None else places
    bars = draw(st.integers(1, 3))
    struck = draw(arrays.arrays(np.int64, (bars, count, 9), elements=st.integers(0, 127), fill=st.just(0)))
    if count == 24:
        triplets = draw(arrays.arrays(np.bool_, (bars, 4)))
        steps = np.arange(6)
        allowed = np.where(triplets[..., None], np.isin(steps, [0, 2, 4]), np.isin(steps, [0, 1, 3, 5]))
        struck = struck * allowed.reshape(bars, 24, 1)
    return Pattern((struck / 127).astype(np.float32))


@settings(deadline=None)
@given(patterns())
def test_a_pattern_comes_back_from_its_notes(pattern: Pattern) -> None:
    back = pattern_of(part_of(pattern), TICKS, pattern.places, bars=pattern.bars)
    assert np.array_equal(back.velocity, pattern.velocity)


@pytest.mark.parametrize("places", GRIDS)
def test_places_of_a_bar_rise_from_its_first_tick_and_stay_inside(places: int) -> None:
    ticks = ticks_of(places)
    assert ticks[0] == 0
    assert np.all(np.diff(ticks) > 0)
    assert ticks[-1] < 4 * TICKS


def test_a_hit_that_was_struck_early_stays_on_the_sixteenth_it_was_meant_for() -> None:
    straight = [Note(int(TICKS * at), 10, HAT, 80) for at in (0, 0.25, 0.5, 0.75)]
    late = Note(int(TICKS * 0.3), 10, KICK, 80)  # nearer to a third than to a quarter of the beat
    pattern = pattern_of(Part.of([*straight, late], is_drums=True), TICKS)
    assert np.flatnonzero(pattern.velocity[0, :, NINE.voice_of[KICK]]).tolist() == [1]


def test_a_beat_in_triplets_is_on_the_triplets() -> None:
    part = Part.of([Note(TICKS * at // 3, 10, HAT, 80) for at in range(3)], is_drums=True)
    assert np.flatnonzero(pattern_of(part, TICKS).velocity.any(axis=(0, 2))).tolist() == [0, 2, 4]


def test_of_two_hits_at_one_place_the_louder_stays() -> None:
    part = Part.of([Note(0, 10, 38, 20), Note(5, 10, 40, 127)], is_drums=True)
    assert pattern_of(part, TICKS, 16).velocity[0, 0, NINE.voice_of[SNARE]] == 1


def test_a_coarser_grid_keeps_what_has_a_place_there() -> None:
    velocity = np.zeros((1, 32, 9), dtype=np.float32)
    velocity[0, [0, 2, 3]] = 1
    assert np.flatnonzero(regridded(Pattern(velocity), 16).velocity.any(axis=(0, 2))).tolist() == [0, 1, 2]


def test_a_grid_that_there_is_not_is_refused() -> None:
    with pytest.raises(OptionError, match="20 places a bar, wanted 16, 24 or 32"):
        ticks_of(20)


def test_drums_in_another_metre_are_refused() -> None:
    part = Part.of([Note(0, 10, KICK, 80)], is_drums=True)
    song = Song(TICKS, (part,), (Tempo(0, 500_000),), (Metre(0, 7, 8),), 4 * TICKS)
    with pytest.raises(OptionError, match="in 7/8, wanted 4/4"):
        pattern_of_song(song, part)


def test_a_fill_is_led_in_by_the_groove_which_goes_on_behind_it() -> None:
    fill, groove = np.zeros((2, 24, 9), dtype=np.float32)
    groove[::3, 8], fill[[13, 15], 3] = 0.5, 1
    bar = led_in(fill, groove)
    assert np.array_equal(bar[:12], groove[:12]) and np.array_equal(bar[18:], groove[18:])
    assert np.array_equal(bar[12:18], fill[12:18])
    assert np.array_equal(led_in(np.zeros_like(fill), groove), groove)


# --- pictures of drums: what they keep, and what they lose ------------------------------------------------------------


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


# --- drum text: both ways on every grid, and where it is wrong --------------------------------------------------------


REST = "0b000000000"
WORD = "0b100000000"


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
@example(np.eye(32, dtype=np.int64)[[27]] | np.eye(32, dtype=np.int64)[[31]])  # its last hit is nearer to the next bar
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
    pattern = pattern_of_text(" ".join([WORD, "0b000000001", "0b000010000"] + [REST] * 13))
    assert [NINE.names[np.flatnonzero(place)[0]] for place in pattern.velocity[0, :3]] == ["kick", "crash", "low tom"]


def test_a_quarter_is_a_line_and_a_bar_ends_with_its_word() -> None:
    lines = text_of(Pattern(np.zeros((2, 24, 9), dtype=np.float32))).splitlines()
    assert lines == [*[" ".join([REST] * 6)] * 4, BAR] * 2


def test_blank_lines_and_a_missing_last_barline_do_not_matter() -> None:
    bar = "\n\n ".join([WORD] * 16)
    assert text_of(pattern_of_text(f"{bar} {BAR}\t{bar}")) == text_of(pattern_of_text(f"{bar}\n{BAR}\n{bar}\n{BAR}\n"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{WORD} {WORD}\n{WORD}  0b1000000000", r"line 2, column 14: a word of 10 bits, '0b1000000000'; wanted 0b"),
        (f"{WORD} kick", r"line 1, column 13: 'kick' is not a word of drum text; wanted .* for kick, snare"),
        (f"{WORD} 0b10000000x", r"line 1, column 13: '0b10000000x' is not a word"),
        (f"{WORD} 0b", r"line 1, column 13: a word of 0 bits"),
        (f"{WORD}\n{BAR}", r"line 2, column 1: bar 1 has 1 words, wanted 16, 24 or 32"),
        (f"{BAR}", r"line 1, column 1: bar 1 has 0 words"),
        (f"{' '.join([WORD] * 33)}", r"line 1, column 385: a bar has more than 32 words"),
        (f"{' '.join([WORD] * 16)} {BAR} {' '.join([WORD] * 24)}", r"bar 2 has 24 words, and those before it 16"),
        (f"{' '.join([WORD] * 16)} {BAR} {WORD}", r"line 1, column 197: bar 2 has 1 words"),
        ((" ".join([WORD] * 16) + f" {BAR}\n") * 1025, r"has 1025 bars, wanted at most 1024"),
        (" \n ", "the text has no words"),
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
    part = part_of(pattern_of_text(" ".join([WORD] * 16)))
    assert set(part.velocity.tolist()) == {VELOCITY}


# --- loops ------------------------------------------------------------------------------------------------------------


def tone(cycles: int, frames: int) -> Samples:
    return np.sin(2 * np.pi * cycles * np.arange(frames) / frames).astype(np.float32)


def test_a_sixteenth_at_the_tempo_of_a_loop_is_a_slice() -> None:
    assert spacing(BPM) == SLICE
    assert spacing(60) == RATE // 4


@pytest.mark.parametrize("frames", [88_200, 1000, 777])
def test_a_tone_in_another_number_of_frames_is_the_same_tone(frames: int) -> None:
    np.testing.assert_allclose(resampled(tone(50, 4000), frames), tone(50, frames), atol=1e-5)


def test_what_fewer_frames_cannot_hold_is_filtered_out_and_not_heard_as_something_else() -> None:
    assert np.abs(resampled(tone(1450, 4000), 1000)).max() < 1e-5
    assert np.abs(tone(1450, 4000)[::4]).max() > 0.9  # every fourth sample: another tone


@pytest.mark.parametrize("frames", [600, 1024, 1999, SLICE, 2500, 4096, 9000])
def test_slices_begin_where_they_are_set_and_nothing_is_louder_than_before(frames: int) -> None:
    slices = np.zeros((SLICES, SLICE), dtype=np.float32)
    slices[:, 8] = np.arange(1, SLICES + 1) / SLICES
    spaced = respaced(slices, frames)
    assert spaced.shape == (SLICES * frames,)
    np.testing.assert_allclose(spaced[8::frames], slices[:, 8], atol=1e-6)
    assert np.abs(spaced).max() <= 1


def test_a_slice_that_rings_has_no_gap_before_the_next_and_no_click() -> None:
    slices = tone(16 * 32, FRAMES).reshape(SLICES, SLICE)
    wider = respaced(slices, 3000)
    power = np.convolve(wider**2, np.ones(256) / 256, mode="valid")
    assert power.min() > 0.005
    assert np.abs(np.diff(wider)).max() < 3 * np.abs(np.diff(slices.reshape(-1))).max()
