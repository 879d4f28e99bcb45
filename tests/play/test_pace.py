"""No take is faster than a drummer's limbs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2drum import Drummer, Options
from seq2drum.lattice.grid import quarters_into
from seq2drum.music.kit import FULL, HAND, HANDS, TWO_FEET
from seq2drum.music.notes import Note, Part, Song, Tempo
from seq2drum.play.grooves.book import Book
from seq2drum.play.take import Take
from tests.players import BY_HAND, save_player, strummed

KICKS = FULL.voices[FULL.places["kick"]].notes
CLOSE = 1e-5  # less than a tick


def too_fast(take: Take) -> list[float]:
    """The times, in seconds, of strokes that come sooner than the limb that has them is ready."""
    part, song = take.standard_part, take.song
    found = []
    for pitches, limbs, least in ((KICKS, 1, TWO_FEET), (BY_HAND, HANDS, HAND)):
        at = [song.seconds(note.onset) for note in part if note.pitch in pitches]
        found += [later for one, later in zip(at, at[limbs:], strict=False) if later - one < least - CLOSE]
    return found


def sextuplets(bpm: float, bars: int = 8) -> Song:
    """A guitar that plays six notes a quarter."""
    notes = [Note(at, 70, 40 + at // 480 % 3, 90) for at in range(0, bars * 1920, 80)]
    return Song(480, (Part.of(notes, program=30),), (Tempo(0, round(6e7 / bpm)),), length=bars * 1920)


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


@pytest.fixture(scope="module")
def eager(tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    """A model of random weights that strikes whatever it can."""
    return Drummer.load(save_player(tmp_path_factory.mktemp("player")))


@pytest.mark.parametrize("groove", ["metal-half-time-double-kick", "half-time-double-kick-open-hat"])
def test_no_foot_plays_a_groove_s_sixteenths_and_the_guitar_s_sextuplets_at_once(drummer: Drummer, groove: str) -> None:
    for seed in (0, 2):
        take = drummer.accompany(sextuplets(85), Options(seed=seed, groove=groove))
        assert too_fast(take) == []
        assert sum(note.pitch in KICKS for note in take.standard_part) > 8


@settings(max_examples=12)
@given(
    st.floats(30, 300),
    st.integers(0, 2**31),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1),
    st.floats(0, 1.5),
)
def test_no_take_has_strokes_that_come_sooner_than_their_limb_is_ready(
    eager: Drummer, bpm: float, seed: int, humanize: float | None, swing: float | None, temperature: float
) -> None:
    song = strummed(3, tempos=[Tempo(0, round(6e7 / bpm)), Tempo(2500, round(4.5e7 / bpm))])
    options = Options(seed=seed, humanize=humanize, swing=swing, temperature=temperature)
    assert too_fast(eager.accompany(song, options)) == []


def test_the_kicks_of_the_groove_book_can_be_played_or_those_that_cannot_are_left_out(drummer: Drummer) -> None:
    hurried, book = [], Book.load()
    for groove in book:
        for bar in groove.bars:
            quarters = quarters_into(groove.steps)[bar.step[bar.key == FULL.places["kick"]]]
            if len(quarters) > 1 and np.diff(quarters).min() * 60 / groove.tempo[1] < TWO_FEET - CLOSE:
                hurried.append(groove)
    assert len(hurried) < len(book) / 100
    for groove in hurried:
        song = strummed(4, tempos=[Tempo(0, round(6e7 / groove.tempo[1]))])
        assert too_fast(drummer.accompany(song, Options(groove=groove))) == []
