"""Songs of a corpus as notes again: the same bars, the same places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.excerpts import TICKS, duet_of, lay_over, others_guitar, shortened
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.form import form_of
from seq2drum.lattice.grid import Grid, Lattice, encode
from seq2drum.music.kit import FULL
from tests.backbeats import changing, song_of
from tests.made import made_song

CACHE = Path(__file__).parents[3] / "cache.s2d"


def back(song: Prepared) -> tuple[Lattice, Grid, Grid]:
    """The notes of a song put on the lattice once more."""
    duet = duet_of(song.guitar_grid, song.drums)
    lattice = Lattice(duet.song.bars(), TICKS)
    (guitar,) = duet.guitars
    return lattice, encode(guitar, lattice), encode(duet.drums, lattice, FULL)


@pytest.mark.parametrize("cut", [(0, 14), (3, 9), (5, 6), (9, 14)])
def test_notes_of_an_excerpt_lie_where_they_lay_on_the_lattice(cut: tuple[int, int]) -> None:
    song = made_song(3).between(*cut)
    lattice, guitar, drums = back(song)
    assert lattice.counts.tolist() == song.guitar_grid.form.steps.tolist()
    for read, own in ((guitar, song.guitar_grid.guitar), (drums, song.drums)):
        for column in ("step", "key", "velocity", "offset"):
            assert np.array_equal(getattr(read, column), getattr(own, column)), column


def test_metres_and_tempos_of_an_excerpt_are_those_of_its_bars() -> None:
    song = made_song(0)
    form = song.guitar_grid.form._replace(bpm=np.where(np.arange(14) < 7, 120.0, 90.0))
    duet = duet_of(replace(song.guitar_grid, form=form), song.drums)
    read = form_of(duet.song, Lattice(duet.song.bars(), TICKS))
    assert read.numerator.tolist() == form.numerator.tolist()
    assert read.denominator.tolist() == form.denominator.tolist()
    assert read.bpm == pytest.approx(form.bpm, rel=1e-5)
    assert len(duet.song.tempos) == 2 and len(duet.song.metres) == 3


def test_bars_that_were_cut_short_stay_short() -> None:
    """A bar of 4/4 that a change of metre cut after 7 of its 24 places; the next is whole again."""
    song = made_song(1).between(0, 4)
    form = song.guitar_grid.form._replace(steps=np.array([24, 7, 24, 24]))
    inside = [grid.select(grid.step < form.first[-1]) for grid in (song.guitar_grid.guitar, song.drums)]
    lattice, guitar, _ = back(
        replace(song, guitar_grid=replace(song.guitar_grid, form=form, guitar=inside[0]), drums=inside[1])
    )
    assert lattice.counts.tolist() == [24, 7, 24, 24]
    assert np.array_equal(guitar.step, inside[0].step)


def test_an_excerpt_without_notes_is_bars_without_notes() -> None:
    song = made_song(1).between(0, 2)
    none = np.zeros(0, dtype=np.int64)
    bare = replace(
        song,
        guitar_grid=replace(song.guitar_grid, guitar=song.guitar_grid.guitar.select(none)),
        drums=song.drums.select(none),
    )
    lattice, guitar, drums = back(bare)
    assert len(lattice.bars) == 2 and not len(guitar.step) and not len(drums.step)


def test_a_shortened_song_begins_where_both_play() -> None:
    song = made_song(2)
    late = replace(song, drums=song.drums.select(song.drums.step >= song.guitar_grid.form.first[3]))
    cut = shortened(late, 4)
    assert cut.guitar_grid.form.steps.tolist() == song.guitar_grid.form.steps[3:7].tolist()
    assert np.array_equal(song.guitar_grid.between(3, 7).guitar.step, cut.guitar_grid.guitar.step)
    assert len(shortened(song, 99).guitar_grid.form.steps) == 14


def test_real_songs_become_notes_and_are_the_same_on_the_lattice() -> None:
    if not CACHE.is_file():
        pytest.skip("needs a prepared corpus beside the repository")
    for song in load(CACHE)[::97]:
        lattice, guitar, drums = back(song)
        assert lattice.counts.tolist() == song.guitar_grid.form.steps.tolist(), song.path
        assert np.array_equal(guitar.step, song.guitar_grid.guitar.step), song.path
        assert np.array_equal(drums.step, song.drums.step), song.path


def test_bars_of_a_song_in_sevens_are_a_song_of_their_own() -> None:
    part = song_of(1, metre=(7, 8)).between(2, 5)
    assert part.guitar_grid.form.steps.tolist() == [21] * 3
    assert part.drums.step.min() >= 0 and part.drums.step.max() < 63


def test_the_guitar_sounds_from_its_first_bar_to_the_bar_its_last_note_ends_in() -> None:
    guitar_grid = song_of(1).guitar_grid
    assert guitar_grid.sounding == (0, 12)
    some = guitar_grid.guitar.select((guitar_grid.guitar.step >= 30) & (guitar_grid.guitar.step < 60))
    assert replace(guitar_grid, guitar=some).sounding == (1, 3)
    held = some._replace(length=np.full_like(some.length, 24 * 6))
    assert replace(guitar_grid, guitar=held).sounding == (1, 4)
    assert replace(guitar_grid, guitar=some.select(some.step < 0)).sounding == (0, 0)


def test_another_guitar_is_of_the_same_metre_and_tempo_and_of_another_group() -> None:
    slow, twin = song_of(20, bpm=70), replace(song_of(21), group=song_of(0).group)
    others = others_guitar([song_of(0), twin, slow, song_of(9, metre=(3, 4)), changing()])
    assert others == [None] * 5
    known = others_guitar([song_of(0), slow], [song_of(22, bpm=130)])
    assert known[0] is not None and known[1] is None


def test_another_guitar_begins_with_the_own_and_again_when_it_is_over() -> None:
    own, other = song_of(1, bars=7).guitar_grid, song_of(2, bars=3).guitar_grid
    own = replace(own, guitar=own.guitar.select(own.guitar.step >= 24))
    other = replace(other, bass=other.guitar)
    laid = lay_over(other, own)
    assert laid.form is own.form
    assert laid.sounding == (1, 7)
    bars = [laid.form.notes_between(laid.guitar, bar, bar + 1) for bar in range(1, 7)]
    assert all(np.array_equal(a, b) for a, b in zip(bars[0], bars[3], strict=True))
    assert all(np.array_equal(one, two) for one, two in zip(laid.bass, laid.guitar, strict=True))
    assert np.array_equal(bars[1].key, other.form.notes_between(other.guitar, 1, 2).key)
