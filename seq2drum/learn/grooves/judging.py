"""Figures of a ranker on songs that it has not learnt from, and the time that it takes.

    python -m seq2drum.learn.grooves.judging --cache FILE                 # validation side
    python -m seq2drum.learn.grooves.judging --cache FILE --split test    # the other one, for final figures

Of each section with guitar and drums: the F1 (hits on nine voices) of grooves of the book with the typical groove of
the section's own drums, and with all its bars. The book is the package's, idioms included. Means over songs, of each
the mean of its sections; intervals (95 %) by resampling groups of songs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import Seq2DrumError
from seq2drum.lattice.form import MAX_STEPS
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.grooves import hits_of
from seq2drum.lattice.sections import sections
from seq2drum.learn.grooves.book import Example, examples_of
from seq2drum.learn.grooves.ranker import add_figures
from seq2drum.music.kit import FULL, NINE, to_kit
from seq2drum.play.grooves.book import Book
from seq2drum.play.grooves.ranker import SHIPPED, Fit, Ranker

Values = dict[str, float]
OFFERED = 10
DRAWS = 1000  # of groups, for intervals


class Judged(NamedTuple):
    """A section: its song's group, its figures, and the name of its safest groove."""

    group: str
    values: Values
    safest: str


def all_bars(song: Prepared, example: Example, fit: Fit) -> NDArray[np.float64]:
    """(n,): the F1 of each groove, played through the section, with the section's drums."""
    form, steps, hits = song.guitar_grid.form, fit.grooves[0].steps, fit.shelf.hits
    voice = to_kit(NINE, FULL)
    both, total = np.zeros(len(hits)), np.zeros(len(hits))
    for number, bar in enumerate(example.bars.tolist()):
        grid: Grid = form.notes_between(song.drums, bar, bar + 1)
        kept = (voice[grid.key] >= 0) & (grid.step < steps)
        real = np.zeros((steps, len(NINE)), dtype=np.float32)
        real[grid.step[kept], voice[grid.key[kept]]] = 1
        played = hits[:, number % hits.shape[1]]
        both += (played * real).sum(axis=(1, 2))
        total += played.sum(axis=(1, 2)) + real.sum()
    return 2 * both / np.maximum(total, 1)


def judge(song: Prepared, ranker: Ranker, book: Book, *, bass: bool) -> list[Judged]:
    """The sections of a song."""
    heard = song.guitar_grid if bass else replace(song.guitar_grid, bass=Grid.join([]))
    fits = ranker.fit(heard, sections(heard), book)
    judged = []
    for example in examples_of(song):
        fit = fits[example.letter]
        own = hits_of([example.groove], fit.grooves[0].steps)
        values: Values = {}
        safest, offered = fit.safest(), list(fit.best(OFFERED))
        common = int(np.argmax(fit.shelf.popularity))
        typical = likeness(own, fit.shelf.hits)[0]
        for name, f1 in (("typical bar", typical), ("all bars", all_bars(song, example, fit))):
            values |= {
                f"{name}: commonest": float(f1[common]),
                f"{name}: drawn": float(f1 @ fit.shares),
                f"{name}: safest": float(f1[safest]),
                f"{name}: best of ten": float(f1[offered].max()),
                f"{name}: best of the book": float(f1.max()),
            }
        judged.append(Judged(song.group, values, fit.grooves[safest].name))
    return judged


def mean_of(songs: Sequence[list[Judged]], rng: np.random.Generator) -> dict[str, tuple[float, float, float]]:
    """Mean over songs, and the 95 % interval by groups."""
    group = np.unique([judged[0].group for judged in songs], return_inverse=True)[1]
    draws = rng.integers(0, group.max() + 1, size=(DRAWS, group.max() + 1))
    weight = np.stack([np.bincount(draw, minlength=group.max() + 1)[group] for draw in draws])
    found = {}
    for name in songs[0][0].values:
        each = np.array([np.mean([one.values[name] for one in judged]) for judged in songs])
        drawn = weight @ each / weight.sum(axis=1)
        found[name] = float(each.mean()), *np.quantile(drawn, [0.025, 0.975]).tolist()
    return found


def speed(songs: Sequence[Prepared], ranker: Ranker, book: Book) -> str:
    """Milliseconds of processor time a song, of the first and of the others."""
    taken = []
    for song in songs:
        begun = time.process_time()
        fits = ranker.fit(song.guitar_grid, sections(song.guitar_grid), book)
        for fit in fits.values():
            fit.safest()
        taken.append(1000 * (time.process_time() - begun))
    most = np.quantile(taken, 0.95)
    return f"a song: {np.median(taken):.1f} ms, 95 % below {most:.1f} ms, the first {taken[0]:.0f} ms"


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a ranker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, metavar="FILE")
    parser.add_argument("ranker", type=Path, nargs="?", metavar="FOLDER", help="by default the shipped one")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--write", action="store_true", help="write the figures into the ranker's folder")
    options = parser.parse_args(arguments)
    try:
        begun = time.process_time()
        ranker = Ranker.load(options.ranker)
        loading, book = time.process_time() - begun, Book.load()
        songs = [one for one in load(options.cache) if one.split == options.split]
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    songs = [one for one in songs if one.guitar_grid.form.steps.max() <= MAX_STEPS]
    print(f"processor time, loading: {1000 * loading:.0f} ms; {speed(songs, ranker, book)}")
    figures = {}
    for name, bass in (("with bass", True), ("without bass", False)):
        judged = [found for found in (judge(song, ranker, book, bass=bass) for song in songs) if found]
        names = {one.safest for found in judged for one in found}
        count = sum(map(len, judged))
        print(f"\n{name}: {len(judged)} songs, {count} sections, {len(names)} different safest grooves\n")
        for what, (mean, low, high) in mean_of(judged, np.random.default_rng(0)).items():
            figures[f"{options.split}, {name}: {what}"] = value = f"{mean:.3f} ({low:.3f} to {high:.3f})"
            print(f"| {what} | {value} |")
    if options.write:
        add_figures(options.ranker or SHIPPED, figures)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
