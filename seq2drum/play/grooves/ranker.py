"""The ranker: how well each groove of the book fits each section of a guitar.

A learnt net embeds the section and each groove (`guitar.onnx`, `groove.onnx`; see `models/ranker.py`). Their product
plus the popularity of the groove gives a distribution over the grooves of the section's metre, from which to draw a
groove, take the safest, or offer several.

Letters of shapes: n grooves, S steps of a bar, V voices, E dimensions of the embedding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import CheckpointError
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.grooves.fitting import beats_of
from seq2drum.lattice.grooves.grooves import GROOVE, Groove, groove_features, hits_of
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.section_features import SECTION, Metre, section_features
from seq2drum.lattice.sections import Section
from seq2drum.play.checkpoint.folder import CONFIG, upgraded, verify
from seq2drum.play.checkpoint.runtime import UNUSABLE, LoadedGraph, read_json, session
from seq2drum.play.grooves.book import Book

if TYPE_CHECKING:
    from seq2drum.play.checkpoint.band import Band

Shares = NDArray[np.float64]

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "ranker"
KIND = "ranker"
FORMAT = 1
GRAPHS = ("guitar", "groove")
FILES = (CONFIG, *(f"{graph}.onnx" for graph in GRAPHS))

IDIOM = 6  # groups of songs that an idiom counts as, although found in none: notebooks/LOG.md, 2026-11-22
OUT_OF_TEMPO = 4.0  # nats that an idiom loses for each octave of tempo outside its range
TAUGHT = 200  # the fewest training sections of a metre for which the ranker is used
SAME = 0.8  # F1 above which two grooves are hardly different
_LIKELY = 200  # grooves from which several are chosen


@dataclass(frozen=True, eq=False)
class Shelf:
    """The grooves of one metre, and their data of a ranker.

    popularity (n,): the number of groups of songs that each was found in, 0 for an idiom. points (n, E): their
    embeddings. prices (n,): the F1 that each loses so that over many songs it is chosen as often as by drummers.
    style_prices: likewise the nats that each style loses, by its name; 0 for others. songs (n,): of a
    band's drummer, how many of the band's songs are played on each; None of any other. taste: how many songs the
    drummer's own taste counts as beside these.
    """

    grooves: tuple[Groove, ...]
    popularity: Shares
    points: FloatArray = field(repr=False)
    prices: Shares = field(repr=False)
    style_prices: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    songs: Shares | None = field(default=None, repr=False)
    taste: float = 1.0

    @cached_property
    def own(self) -> NDArray[np.bool_]:
        """(n,): the grooves of the drummer's band; none of any other drummer."""
        mine: NDArray[np.bool_] = np.zeros(len(self.grooves), dtype=bool) if self.songs is None else self.songs > 0
        return mine

    @cached_property
    def hits(self) -> FloatArray:
        """(n, bars, S, V): the hits of each groove, on nine voices."""
        return hits_of(self.grooves, self.grooves[0].steps)

    @cached_property
    def likeness(self) -> FloatArray:
        """(n, n): the F1 of the hits of each two grooves."""
        return likeness(self.hits, self.hits)

    @cached_property
    def alike(self) -> Shares:
        """The same as float32, so that a product with shares does not convert the whole table each time."""
        return self.likeness.astype(np.float64)

    @cached_property
    def _tempos(self) -> Shares:
        """(2, n): the slowest and the fastest tempo of each groove."""
        return np.array([groove.tempo for groove in self.grooves], dtype=np.float64).T

    def beyond(self, bpm: float) -> Shares:
        """(n,): how many octaves a tempo is slower or faster than those of each groove."""
        slowest, fastest = self._tempos
        octaves: Shares = np.maximum(np.log2(slowest / bpm), np.log2(bpm / fastest)).clip(min=0)
        return octaves

    def prior(self, bpm: float) -> Shares:
        """(n,): the log prior of each at a tempo, whatever the guitar plays; up to a constant.

        The tempos of an idiom were written by hand. Those of found grooves were counted, and say less than the ranker.
        """
        idiom = np.log(IDIOM) - OUT_OF_TEMPO * self.beyond(bpm)
        prior: Shares = np.where(self.popularity > 0, np.log(np.maximum(self.popularity, 1)), idiom)
        if self.songs is None:
            return prior
        usual = np.where(self.songs > 0, 0.0, np.exp(prior - prior.max()))
        shares = self.taste * usual / usual.sum() + self.songs
        with np.errstate(divide="ignore"):
            moved: Shares = np.log(shares / shares.sum())
        return moved


@dataclass(frozen=True, eq=False)
class Fit:
    """The probability that drummers play each groove of a shelf to a section: shares (n,), which sum to 1."""

    shelf: Shelf
    shares: Shares

    @staticmethod
    def of(shelf: Shelf, nats: Shares) -> Fit:
        """The same from logarithms (n,), up to a constant."""
        shares = np.exp(nats - nats.max())
        return Fit(shelf, shares / shares.sum())

    @property
    def grooves(self) -> tuple[Groove, ...]:
        """(n,): the grooves of the shelf."""
        return self.shelf.grooves

    def safest(self) -> int:
        """The index of the safest groove: the one with the highest expected F1 with what a drummer would play."""
        return int(np.argmax(self.shelf.likeness @ self.shares.astype(np.float32)))

    def best(self, count: int) -> tuple[int, ...]:
        """The indices of `count` grooves to offer: the safest, then always the one that adds most.

        One with an F1 above SAME to an offered one comes only after all others. The value of an offer is the expected
        F1 of its best groove with what a drummer would play. Source of the greedy choice: G. Nemhauser, L. Wolsey, M.
        Fisher, An analysis of approximations for maximizing submodular set functions (1978).
        """
        likely = np.argsort(-self.shares, kind="stable")[:_LIKELY]
        alike, weight = self.shelf.likeness[:, likely], self.shares[likely].astype(np.float32)
        covered = np.zeros(len(likely), dtype=np.float32)
        chosen = list[int]()
        for _ in range(min(count, len(self.shares))):
            gain = np.maximum(alike - covered, 0) @ weight
            gain[(self.shelf.likeness[chosen] >= SAME).any(axis=0)] -= 1
            gain[chosen] -= 1
            chosen.append(int(np.argmax(gain)))
            covered = np.maximum(covered, alike[chosen[-1]])
        return tuple(chosen)


@dataclass(frozen=True, eq=False)
class Ranker:
    """A learnt ranker.

    metres: the number of training sections in each metre ("4/4"). prices, style_prices: of grooves and of styles, by
    metre.
    """

    guitar: LoadedGraph = field(repr=False)
    groove: LoadedGraph = field(repr=False)
    metres: Mapping[str, int]
    prices: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    style_prices: Mapping[str, Mapping[str, float]] = field(default_factory=lambda: MappingProxyType({}), repr=False)
    _shelves: dict[tuple[int, Metre], tuple[Book, Shelf]] = field(default_factory=dict, repr=False)

    @staticmethod
    def load(path: Path | None = None) -> Ranker:
        """Load the ranker of a folder, by default the shipped one; a folder is read once.

        Raises:
            CheckpointError: the folder is damaged, or of another kind or version.
        """
        return _load((path or SHIPPED).resolve())

    def shelf(self, book: Book, numerator: int, denominator: int) -> Shelf:
        """The grooves of a book in a metre, in the book's order; cached by book and metre.

        Those of a band's book lose less of their prices: prices are for the variety of many bands' songs.

        Raises:
            ValueError: the metre is impossible.
        """
        key = id(book), (numerator, denominator)
        if key not in self._shelves:
            grooves = book.of_metre(numerator, denominator)
            popularity = np.array([book.popularity.get(groove.name, 0) for groove in grooves], dtype=np.float64)
            (points,) = self.groove.run({"rows": groove_features(grooves)})
            metre = f"{numerator}/{denominator}"
            known, style_prices = self.prices.get(metre, {}), self.style_prices.get(metre, {})
            prices = np.array([known.get(groove.name, 0.0) for groove in grooves], dtype=np.float64)
            shelf = Shelf(grooves, popularity, points, prices, style_prices)
            self._shelves[key] = book, shelf if book.band is None else _of_band(shelf, book.band)
        return self._shelves[key][1]

    def fit(self, guitar_grid: GuitarGrid, sections: Sequence[Section], book: Book) -> dict[str, Fit]:
        """Return how likely drummers play each groove of a book to each section, by its letter.

        The grooves are those of the metre that most bars of the section have.
        """
        found = section_features(guitar_grid, sections)
        if not found:
            return {}
        (points,) = self.guitar.run({"rows": np.stack([wanting.row for wanting in found.values()])})
        fits = {}
        for (letter, wanting), point in zip(found.items(), points, strict=True):
            shelf = self.shelf(book, *wanting.metre)
            nats = shelf.prior(wanting.bpm)
            # Sections of a metre with the same beats count as training sections, too, such as 2/2 and 4/4.
            beats = beats_of(*wanting.metre)
            metres = ((tuple(map(int, name.split("/"))), count) for name, count in self.metres.items())
            if sum(count for metre, count in metres if beats_of(*metre) == beats) >= TAUGHT:
                nats = nats + shelf.points @ point
            fits[letter] = Fit.of(shelf, nats)
        return fits


def _of_band(shelf: Shelf, band: Band) -> Shelf:
    """Return a shelf whose last grooves are a band's own."""
    songs = np.array([band.by_name[one.name].share if one.name in band.by_name else 0.0 for one in shelf.grooves])
    style_prices = {name: price * band.trust for name, price in shelf.style_prices.items()}
    return replace(shelf, prices=shelf.prices * band.trust, style_prices=style_prices, songs=songs, taste=band.prior)


# --- the folder -------------------------------------------------------------------------------------------------------


@cache
def _load(folder: Path) -> Ranker:
    try:
        about: dict[str, Any] = read_json(folder / CONFIG)
        about = upgraded(about, KIND, FORMAT, {})
        sizes = {"guitar": SECTION.size, "groove": GROOVE.size}
        if about["inputs"] != sizes:
            raise ValueError(f"its inputs are {about['inputs']}, wanted {sizes}")
        metres = {str(metre): int(count) for metre, count in about["metres"].items()}
        prices, style_prices = (
            {
                str(metre): {str(name): float(price) for name, price in of_metre.items()}
                for metre, of_metre in about.get(column, {}).items()
            }
            for column in ("prices", "style_prices")
        )
    except UNUSABLE as error:
        raise CheckpointError(f"{str(folder)!r} holds no usable ranker: {error}") from None
    verify(folder, FILES)
    guitar, groove = (session(folder / f"{graph}.onnx", 1) for graph in GRAPHS)
    return Ranker(guitar, groove, metres, prices, style_prices)
