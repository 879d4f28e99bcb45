"""Data of the ranker: the sections of each side of the split, and the book of their grooves.

Letters of shapes: N sections of a side, n of a batch, m grooves of the book.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.grooves import groove_features, hits_of
from seq2drum.lattice.grooves.section_features import BASS, Metre
from seq2drum.learn.grooves.book import Example, Found, book_of, examples
from seq2drum.music.notes import IntArray
from seq2drum.play.grooves.ranker import Fit, Shelf

OTHERS = 99  # other sections among which the own groove is searched
OFFERED = 10  # grooves
NATS = "nats_per_section"


class Batch(NamedTuple):
    """A batch of sections.

    heard (n, SECTION.size), seen (n, GROOVE.size): guitar and groove. uncounted (n, n): mask of grooves that are not
    negatives, being of the same group of songs or of another metre. aim (n, m): target distribution over the book;
    foreign (n, m): mask of its grooves of another metre. weight (n,).
    """

    heard: FloatArray
    seen: FloatArray
    uncounted: NDArray[np.bool_]
    aim: FloatArray
    foreign: NDArray[np.bool_]
    weight: FloatArray


class Book(NamedTuple):
    """The grooves (m,) that several training songs have, as arrays; see `Batch`."""

    found: tuple[Found, ...]
    seen: FloatArray
    popularity: FloatArray
    metre: IntArray


class Side:
    """The sections of one side of the split as arrays over all of them; see `Batch`."""

    def __init__(self, sections: Sequence[Example], book: Book, metres: Mapping[Metre, int], near: float) -> None:
        grooves = [one.groove for one in sections]
        self.sections = tuple(sections)
        self.heard = np.stack([one.heard for one in sections])
        self.seen = groove_features(grooves).astype(np.float16)
        self.group = np.unique([one.group for one in sections], return_inverse=True)[1]
        self.song = np.unique([one.song for one in sections], return_inverse=True)[1]
        self.metre = np.array([metres.get((groove.numerator, groove.denominator), -1) for groove in grooves])
        # The weight of a song grows with the root of its number of sections.
        weight = np.bincount(self.group)[self.group] ** -0.5
        self.weight = (weight / weight.mean()).astype(np.float32)
        # How alike each groove is to those of the book, of its own metre: (N, m).
        hits = hits_of([one.groove for one in book.found], MAX_STEPS)
        alike = np.concatenate(
            [likeness(hits_of(grooves[at : at + 1024], MAX_STEPS), hits) for at in range(0, len(grooves), 1024)]
        )
        self.alike = np.where(self.metre[:, None] == book.metre, alike, 0).astype(np.float16)
        self.near = near

    def batch(self, rows: IntArray, book: Book, without_bass: NDArray[np.bool_]) -> Batch:
        """A batch of sections; without_bass (n,): mask of hidden basses."""
        heard = self.heard[rows].astype(np.float32)
        heard[without_bass, BASS] = 0
        group, metre = self.group[rows], self.metre[rows]
        uncounted = (group[:, None] == group) | (metre[:, None] != metre)
        np.fill_diagonal(uncounted, False)
        alike = self.alike[rows].astype(np.float32)
        aim = np.exp((alike - alike.max(axis=1, keepdims=True)) / self.near) * (alike > 0)
        aim /= np.maximum(aim.sum(axis=1, keepdims=True), 1e-9)
        foreign = metre[:, None] != book.metre
        return Batch(heard, self.seen[rows].astype(np.float32), uncounted, aim, foreign, self.weight[rows])


def sides_of(
    songs: Sequence[Prepared], near: float, say: Callable[[str], None] = lambda line: None
) -> tuple[dict[str, Side], Book]:
    """The train and validation sides of a corpus, and the book of the training songs. near: see `ranker.Recipe`.

    Raises:
        CorpusError: a side has no section with guitar and drums, or no groove is played in several songs.
    """
    held = {side: examples([song for song in songs if song.split == side]) for side in ("train", "validation")}
    for side, sections in held.items():
        if not sections:
            raise CorpusError(f"the {side} side has no section in which guitar and drums play; prepare more songs")
    found, left = book_of(held["train"])
    say(str(left))
    if not found:
        raise CorpusError("no groove is played in several groups of songs; prepare more songs")
    metres = {metre: at for at, metre in enumerate(dict.fromkeys(_metre(one) for one in held["train"]))}
    book = Book(
        tuple(found),
        groove_features([one.groove for one in found]),
        np.array([one.groups for one in found], dtype=np.float32),
        np.array([metres[one.groove.numerator, one.groove.denominator] for one in found]),
    )
    return {side: Side(sections, book, metres, near) for side, sections in held.items()}, book


def _metre(one: Example) -> Metre:
    return one.groove.numerator, one.groove.denominator


# --- figures ----------------------------------------------------------------------------------------------------------


def figures(side: Side, book: Book, among: FloatArray, inside: FloatArray) -> dict[str, float]:
    """Figures of a ranking: means over the songs of a side, each the mean of its sections.

    among (N, N): fit of the side's grooves to its sections. inside (N, m): fit of the book's, with popularity.
    nats_per_section: of the book's groove most like the section's own. first_of_100: how often the own groove fits
    better than those of 99 sections of other songs in its metre. F1 with the own groove: of the safest groove, of a
    drawn one (expected), and of the best of OFFERED.
    """
    alike = side.alike.astype(np.float64)
    values: dict[str, NDArray[np.float64]] = {name: np.full(len(alike), np.nan) for name in FIGURES}
    for metre in np.unique(book.metre).tolist():
        here, own = np.flatnonzero(book.metre == metre), np.flatnonzero(side.metre == metre)
        shelf = Shelf(tuple(book.found[at].groove for at in here), book.popularity[here].astype(float), book.seen[here])
        for row in own.tolist():
            fit, f1 = Fit.of(shelf, inside[row, here].astype(np.float64)), alike[row, here]
            values[NATS][row] = -np.log(max(fit.shares[f1.argmax()], 1e-12))
            values["f1_safest"][row] = f1[fit.safest()]
            values["f1_drawn"][row] = fit.shares @ f1
            values["f1_best_of_ten"][row] = f1[list(fit.best(OFFERED))].max()
    rng = np.random.default_rng(0)
    for row in range(len(alike)):
        able = np.flatnonzero((side.metre == side.metre[row]) & (side.song != side.song[row]))
        others = rng.permutation(able)[:OTHERS]
        if len(others) == OTHERS:
            values["first_of_100"][row] = float(among[row, row] > among[row, others].max())
    weight = 1 / np.bincount(side.song)[side.song]
    return {name: _mean(one, weight) for name, one in values.items()}


FIGURES = (NATS, "f1_safest", "f1_drawn", "f1_best_of_ten", "first_of_100")


def _mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    known = np.isfinite(values)
    return float(np.average(values[known], weights=weight[known])) if known.any() else float("nan")
