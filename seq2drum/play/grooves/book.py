"""The groove book: the grooves of the package, and grooves from files.

`grooves/idioms.txt` has the grooves that every drummer knows, as tablature. `grooves/book.json`, if present, has those
found in songs: {"grooves": [...]}, each as in `grooves.to_json` with "popularity", the number of groups of songs that
it was found in. `grooves/beats.txt` has more idioms, of genres of beats: a guitar gets them only by name.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from seq2drum.errors import ModelError, OptionError, Seq2DrumError
from seq2drum.formats.opening import open_drums
from seq2drum.lattice.form import form_of, lattice_of
from seq2drum.lattice.grid import encode
from seq2drum.lattice.grooves import tabs
from seq2drum.lattice.grooves.fitting import beats_of
from seq2drum.lattice.grooves.grooves import Groove, of_json, typical
from seq2drum.lattice.grooves.styles import composed
from seq2drum.lattice.grooves.titles import slug_of, unique
from seq2drum.music import choices, drum_maps, theory
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Song
from seq2drum.music.shown import Shown
from seq2drum.play import asked

if TYPE_CHECKING:
    from seq2drum.play.checkpoint.band import Band

FOLDER = Path(__file__).parents[2] / "grooves"
IDIOMS, FOUND, BEATS = "idioms.txt", "book.json", "beats.txt"
FEW = 6  # the fewest grooves of a metre; below, some are composed
ODD: tuple[tuple[tuple[int, int], tuple[int, ...]], ...] = (
    ((5, 4), (3, 2)),
    ((5, 4), (2, 3)),
    ((6, 4), (2, 2, 2)),
    ((7, 4), (2, 2, 3)),
    ((5, 8), (3, 2)),
    ((5, 8), (2, 3)),
    ((7, 8), (2, 2, 3)),
    ((7, 8), (3, 2, 2)),
    ((8, 8), (3, 3, 2)),
    ((9, 8), (2, 2, 2, 3)),
    ((10, 8), (3, 3, 2, 2)),
    ((11, 8), (3, 3, 3, 2)),
    ((11, 8), (2, 2, 2, 2, 3)),
    ((13, 8), (3, 3, 3, 2, 2)),
)
"""Metres with groups of two and three, for which the book has composed grooves, and their groups."""
LIST = "--mode grooves lists them"
_STRUCK = frozenset(
    re.findall(r"\w+", f"{choices.PIECES} hat foot quarter quarters 16th eighths no on in the of and with every")
)
"""Words for pieces and rates: grooves of every kind have them in their names."""
_HALVES = ("beat", "double", "time")  # words that name a kind only together with another
_NEAR = 4  # similar names in an error


@dataclass(frozen=True)
class Book(Shown):
    """Grooves with unique names. popularity: the number of groups of songs in which each found groove occurs.

    beats: grooves that nobody chooses for a guitar; they are played by name, and to no guitar.
    band: whose own grooves are in it, the last ones; None in the book that all drummers have.
    """

    grooves: tuple[Groove, ...]
    popularity: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    beats: tuple[Groove, ...] = ()
    band: Band | None = None

    @staticmethod
    def load(folder: Path = FOLDER) -> Book:
        """The book in a folder, by default that of the package; read once.

        Raises:
            ModelError: it is damaged.
        """
        return _loaded(folder)

    @staticmethod
    def of(band: Band | None) -> Book:
        """The book of the package, with a band's own grooves, if there is one."""
        return _loaded(FOLDER) if band is None else _with_own(band)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Groove]:
        return iter(self._all)

    @property
    def _all(self) -> tuple[Groove, ...]:
        return self.grooves + self.beats

    def __getitem__(self, words: str) -> Groove:
        """The groove of a name or a title, ignoring case and signs between words.

        Raises:
            OptionError: there is none; the message lists similar ones.
        """
        place = self._places.get(_plain(words))
        if place is None:
            near = choices.near(_plain(words), self._places, most=3 * _NEAR, cutoff=0.5)
            names = list(dict.fromkeys(self._all[self._places[one]].name for one in near))[:_NEAR]
            meant = f"did you mean {' or '.join(names)}? " if names else ""
            raise OptionError(f"there is no groove {words!r}; {meant}{LIST}")
        return self._all[place]

    def meant(self, words: str) -> tuple[Groove, ...]:
        """The groove of a name or a title; otherwise the family of grooves with these words in theirs.

        Words such as "brushes" or "half-time" name a family; words for pieces and rates do not.

        Raises:
            OptionError: there is none, or they are of several kinds, which the message lists.
        """
        plain = _plain(words)
        places = {place for name, place in self._places.items() if plain and f" {plain} " in f" {name} "}
        if words in self or not places:
            return (self[words],)
        chosen = {place for place in places if place < len(self.grooves)}  # a guitar's, if there is one
        family = tuple(self._all[place] for place in sorted(chosen or places))
        if plain in _HALVES or all(word in _STRUCK or not word.isalpha() for word in plain.split()):
            kinds = {groove.name.partition("-")[0]: groove.name for groove in reversed(family)}
            some = [groove.name for groove in family if groove.name in kinds.values()][:_NEAR]
            raise OptionError(
                f"{words!r} is in the names of {len(family)} grooves of several kinds, such as {', '.join(some)};"
                f" name one of them: {LIST}"
            )
        return family

    def __contains__(self, words: object) -> bool:
        return isinstance(words, str) and _plain(words) in self._places

    @cached_property
    def _places(self) -> Mapping[str, int]:
        """Return the groove for each name and each title; of several with one title, the first."""
        places: dict[str, int] = {}
        for words in ([groove.name for groove in self], [groove.title for groove in self]):
            for place, one in enumerate(words):
                places.setdefault(_plain(one), place)
        return places

    def of_metre(self, numerator: int, denominator: int) -> tuple[Groove, ...]:
        """The grooves of a metre (for 2/2, also of 4/4), in the order of the book, with composed ones if they are few.

        Raises:
            ValueError: the metre is impossible.
        """
        metre, beats = (numerator, denominator), beats_of(numerator, denominator)
        alike = (groove for groove in self.grooves if beats_of(groove.numerator, groove.denominator) == beats)
        own = tuple(groove.fitted(*metre) for groove in alike)
        if len(own) >= FEW:
            return own
        names = {groove.name for groove in own}
        return own + tuple(groove for groove in composed(*metre) if groove.name not in names)


def _plain(words: str) -> str:
    """Words in the form in which they are compared."""
    return re.sub(r"[\W_]+", " ", words.casefold().replace("&", " and ")).strip()


def _numbered(titles: Iterable[str]) -> list[str]:
    """Unique titles: a repeated title gets a number."""
    times = Counter[str]()
    numbered = []
    for title in titles:
        times[title] += 1
        numbered.append(title if times[title] == 1 else f"{title} ({times[title]})")
    return numbered


@cache
def _loaded(folder: Path) -> Book:
    try:
        idioms = tabs.parsed((folder / IDIOMS).read_text(encoding="utf-8"))
        grooves, popularity = list(idioms), [0] * len(idioms)
        beats = tabs.parsed((folder / BEATS).read_text(encoding="utf-8")) if (folder / BEATS).exists() else ()
        if (folder / FOUND).exists():
            for held in json.loads((folder / FOUND).read_text(encoding="utf-8"))["grooves"]:
                grooves.append(of_json(held))
                popularity.append(int(held.get("popularity", 0)))
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OptionError) as error:
        raise ModelError(f"the groove book in {folder} is damaged ({error}); install seq2drum again") from None
    for metre, groups in ODD:
        grooves += composed(*metre, groups)
    popularity += [0] * (len(grooves) - len(popularity))
    # The title of an idiom means the idiom: no groove found in songs takes it as its name.
    taken = sorted({slug_of(idiom.title) for idiom in idioms} - {idiom.name for idiom in idioms})
    names = unique([*taken, *(groove.name for groove in grooves)])[len(taken) :]
    titles = _numbered(groove.title for groove in grooves)
    named = tuple(
        groove if (groove.name, groove.title) == (name, title) else replace(groove, name=name, title=title)
        for groove, name, title in zip(grooves, names, titles, strict=True)
    )
    counts = {name: count for name, count in zip(names, popularity, strict=True) if count}
    return Book(named, MappingProxyType(counts), beats)


@lru_cache(maxsize=8)  # bands
def _with_own(band: Band) -> Book:
    book = _loaded(FOLDER)
    names = unique([*(groove.name for groove in book), *(each.groove.name for each in band.grooves)])[len(book) :]
    own = tuple(
        each._replace(groove=replace(each.groove, name=name)) for each, name in zip(band.grooves, names, strict=True)
    )
    popularity = {**book.popularity, **dict.fromkeys(names, 1)}
    grooves = (*book.grooves, *(each.groove for each in own))
    return Book(grooves, MappingProxyType(popularity), book.beats, replace(band, grooves=own))


# --- grooves from files -----------------------------------------------------------------------------------------------


def read_groove(text: str, *, book: Book | None = None, drum_map: DrumMap | None = None) -> Groove:
    """The groove of NAME, FILE, FILE:BAR or FILE:A-B; the first of a family, see `read_grooves`.

    Raises:
        OptionError: as `read_grooves`.
    """
    return read_grooves(text, book=book, drum_map=drum_map)[0]


def read_grooves(text: str, *, book: Book | None = None, drum_map: DrumMap | None = None) -> tuple[Groove, ...]:
    """The groove or the family of NAME, FILE, FILE:BAR or FILE:A-B; see `Book.meant`.

    For a file with drums, it is the typical groove, see `grooves.typical`; for one bar or two, the bars themselves.
    Bars count from 1. drum_map: the notes of the file's drums, if not General MIDI's.

    Raises:
        OptionError: there is no such groove, file or bar, the file cannot be read, or there are no drums in it.
    """
    book = Book.load() if book is None else book
    meant = asked.reference(text)
    if not meant.is_file:
        return book.meant(meant.name)
    try:
        song = open_drums(meant.name).song
    except Seq2DrumError as error:
        raise OptionError(f"the groove {text!r} cannot be read: {error}") from None
    try:
        return (groove_of(song, meant.bars, drum_map),)
    except OptionError as error:
        raise OptionError(f"the groove {text!r}: {error}") from None


def groove_of(song: Song, bars: tuple[int, int] | None = None, drum_map: DrumMap | None = None) -> Groove:
    """The typical groove of a song's drums in some bars, (first, last) counted from 1, or in all.

    Raises:
        OptionError: there is no such bar, or there are no drums in these bars.
    """
    lattice = lattice_of(song)
    grid, form = encode(drum_maps.joined(song, drum_map), lattice, FULL), form_of(song, lattice)
    if not len(grid.step):
        raise OptionError(theory.no_drums(song))
    if bars is None:
        return typical(grid, form)
    (first, last), count = bars, len(song.bars())
    if not 1 <= first <= last <= count:
        raise OptionError(f"the bars are {first}-{last}, and the file has bars 1 to {count}")
    numbers = np.array([bar.index + 1 for bar in lattice.bars])
    chosen = np.flatnonzero((numbers >= first) & (numbers <= last))
    where = f"bar {first} has" if first == last else f"bars {first} to {last} have"
    if not np.isin(form.bar_of(grid.step), chosen).any():
        raise OptionError(f"{where} no drums; choose bars in which they play")
    return typical(grid, form, chosen, as_they_are=True)
