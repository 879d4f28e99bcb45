"""Songs of a corpus as notes again: the same bars, the same places."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.data import corpus
from seq2drum.data.corpus import Prepared
from seq2drum.data.excerpts import TICKS, bars_between, duet_of, heard_between, shortened
from seq2drum.lattice.form import form_of
from seq2drum.lattice.grid import Grid, Lattice, encode
from seq2drum.music.kit import FULL
from tests.made import made_song

CACHE = Path(__file__).parents[3] / "cache.s2d"


def back(song: Prepared) -> tuple[Lattice, Grid, Grid]:
    """The notes of a song put on the lattice once more."""
    duet = duet_of(song.heard, song.drums)
    lattice = Lattice(duet.song.bars(), TICKS)
    (guitar,) = duet.guitars
    return lattice, encode(guitar, lattice), encode(duet.drums, lattice, FULL)


@pytest.mark.parametrize("cut", [(0, 14), (3, 9), (5, 6), (9, 14)])
def test_notes_of_an_excerpt_lie_where_they_lay_on_the_lattice(cut: tuple[int, int]) -> None:
    song = bars_between(made_song(3), *cut)
    lattice, guitar, drums = back(song)
    assert lattice.counts.tolist() == song.heard.form.steps.tolist()
    for found, own in ((guitar, song.heard.guitar), (drums, song.drums)):
        for column in ("step", "key", "velocity", "offset"):
            assert np.array_equal(getattr(found, column), getattr(own, column)), column


def test_metres_and_tempos_of_an_excerpt_are_those_of_its_bars() -> None:
    song = made_song(0)
    form = song.heard.form._replace(bpm=np.where(np.arange(14) < 7, 120.0, 90.0))
    duet = duet_of(replace(song.heard, form=form), song.drums)
    found = form_of(duet.song, Lattice(duet.song.bars(), TICKS))
    assert found.numerator.tolist() == form.numerator.tolist()
    assert found.denominator.tolist() == form.denominator.tolist()
    assert found.bpm == pytest.approx(form.bpm, rel=1e-5)
    assert len(duet.song.tempos) == 2 and len(duet.song.metres) == 3


def test_bars_that_were_cut_short_stay_short() -> None:
    """A bar of 4/4 that a change of metre cut after 7 of its 24 places; the next is whole again."""
    song = bars_between(made_song(1), 0, 4)
    form = song.heard.form._replace(steps=np.array([24, 7, 24, 24]))
    inside = [grid.select(grid.step < form.first[-1]) for grid in (song.heard.guitar, song.drums)]
    lattice, guitar, _ = back(replace(song, heard=replace(song.heard, form=form, guitar=inside[0]), drums=inside[1]))
    assert lattice.counts.tolist() == [24, 7, 24, 24]
    assert np.array_equal(guitar.step, inside[0].step)


def test_an_excerpt_without_notes_is_bars_without_notes() -> None:
    song = bars_between(made_song(1), 0, 2)
    none = np.zeros(0, dtype=np.int64)
    bare = replace(
        song, heard=replace(song.heard, guitar=song.heard.guitar.select(none)), drums=song.drums.select(none)
    )
    lattice, guitar, drums = back(bare)
    assert len(lattice.bars) == 2 and not len(guitar.step) and not len(drums.step)


def test_a_shortened_song_begins_where_both_play() -> None:
    song = made_song(2)
    late = replace(song, drums=song.drums.select(song.drums.step >= song.heard.form.first[3]))
    cut = shortened(late, 4)
    assert cut.heard.form.steps.tolist() == song.heard.form.steps[3:7].tolist()
    assert np.array_equal(heard_between(song.heard, 3, 7).guitar.step, cut.heard.guitar.step)
    assert len(shortened(song, 99).heard.form.steps) == 14


def test_real_songs_become_notes_and_are_the_same_on_the_lattice() -> None:
    if not CACHE.is_file():
        pytest.skip("needs a prepared corpus beside the repository")
    for song in corpus.load(CACHE)[::97]:
        lattice, guitar, drums = back(song)
        assert lattice.counts.tolist() == song.heard.form.steps.tolist(), song.path
        assert np.array_equal(guitar.step, song.heard.guitar.step), song.path
        assert np.array_equal(drums.step, song.drums.step), song.path
