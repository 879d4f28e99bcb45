"""Requests for grooves: the words that name them, and the sections of a song that they are for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from seq2drum.errors import OptionError
from seq2drum.music import choices
from seq2drum.music.choices import WHOLE, range_of
from seq2drum.music.limits import OPENED_SUFFIXES

if TYPE_CHECKING:  # the client reads the words, and has no numpy
    from seq2drum.lattice.grooves.grooves import Groove

Named = TypeVar("Named")
One: TypeAlias = "str | Groove"
Grooves: TypeAlias = "One | Mapping[str, One]"
"""A groove (its name, its file or itself), or one for each section."""

_FILE = re.compile(rf"(.+(?:{'|'.join(map(re.escape, OPENED_SUFFIXES))}))(?::(.*))?", re.IGNORECASE | re.DOTALL)
_BARS = re.compile(r"(\d{1,9})(?:[-:](\d{1,9}))?")
_SECTION = r"[^\s=,:/\\.][^=,:/\\.]*="  # a name before "=": paths and titles have none of these signs


class Reference(NamedTuple):
    """A groove by name: of the groove book, or a file with drums.

    bars: (first, last) of the file, counted from 1; None: the typical bar of the whole file.
    """

    name: str
    is_file: bool = False
    bars: tuple[int, int] | None = None


def reference(text: str) -> Reference:
    """Return the reference that NAME, FILE, FILE:BAR or FILE:FIRST-LAST stands for. Suffixes of songs mark a file.

    Raises:
        OptionError: it is empty, or its bars are invalid.
    """
    if not text.strip():
        raise OptionError("the groove has no name; wanted a name of the groove book, or a file with drums")
    file = _FILE.fullmatch(text.strip())
    if file is None:
        return Reference(text.strip())
    name, bars = file.groups()
    if bars is None:
        return Reference(name, is_file=True)
    numbers = _BARS.fullmatch(bars)
    if numbers is None:
        raise OptionError(f"the groove's bars are {bars!r}, wanted FILE:BAR or FILE:FIRST-LAST, such as {name}:5-8")
    first, last = int(numbers[1]), int(numbers[2] or numbers[1])
    choices.check_bars((first, last), "the groove's bars are")
    return Reference(name, is_file=True, bars=(first, last))


def by_section(groove: Grooves) -> dict[str, One]:
    """The groove of each named section, in order; under `WHOLE`, that of all others.

    A text may be one groove, or several as "verse=NAME,chorus=FILE". A comma without a section after it belongs to a
    title.

    Raises:
        OptionError: a section has two grooves, or a groove has no name.
    """
    pairs: list[tuple[str, One]]
    if isinstance(groove, str):
        pairs = [_split(part) for part in re.split(rf",\s*(?={_SECTION})", groove)]
    else:
        pairs = list(groove.items()) if isinstance(groove, Mapping) else [(WHOLE, groove)]
    found: dict[str, One] = {}
    for section, one in pairs:
        if section in found:
            raise OptionError(f"two grooves are requested in {section or 'the whole song'!r}; wanted one")
        if isinstance(one, str):
            reference(one)
        found[section] = one
    return found


def letters_of(names: Iterable[str], letters: Sequence[str]) -> dict[str, str]:
    """Return the letter of each named section of a song; `WHOLE` stays.

    A name is a letter of the song, or a name that its file has for one, in any case. If the file names no sections, any
    other name stands for the next free letter: "verse" is A, then "chorus" is B. letters: in the order in which they
    first come.

    Raises:
        OptionError: there are more names than the song has sections, or there is no such letter or name.
    """
    names, known = list(names), {letter.casefold(): letter for letter in letters} | {WHOLE: WHOLE}
    requested = {name.casefold() for name in names}
    unnamed = all(len(letter) == 1 for letter in letters)
    free = [letter for letter in letters if unnamed and letter.casefold() not in requested]
    for name in names:
        if name.casefold() not in known:
            if not free or len(name) == 1:
                raise OptionError(f"the song has no section {name!r}; it has {', '.join(letters)}")
            known[name.casefold()] = free.pop(0)
    return {name: known[name.casefold()] for name in names}


def by_letter(grooves: Mapping[str, Named], letters: Sequence[str], names: Iterable[str] = ()) -> dict[str, Named]:
    """Return requests by place as requests with sections by letter. letters: see `letters_of`.

    names: of the sections in other options, as a name means the same section in all of them.

    Raises:
        OptionError: there are two for one section, or as `letters_of`.
    """
    own = [place for place in grooves if range_of(place) is None]
    return lettered(grooves, letters_of([*own, *names], letters))


def lettered(requested: Mapping[str, Named], letter_of: Mapping[str, str], what: str = "grooves") -> dict[str, Named]:
    """Return requests by place with sections by their letters, and bars as FIRST-LAST.

    letter_of: of each name of a section, see `letters_of`; `WHOLE` stays. what: is requested, for the message.

    Raises:
        OptionError: there are two for one place.
    """
    found = dict[str, Named]()
    for place, one in requested.items():
        bars = range_of(place)
        own = letter_of.get(place, WHOLE) if bars is None else f"{bars[0]}-{bars[1]}"
        if own in found:
            raise OptionError(f"two {what} are requested in {own!r}; wanted one")
        found[own] = one
    return found


def _split(part: str) -> tuple[str, str]:
    if re.match(rf"\s*{_SECTION}", part):
        section, _, groove = part.partition("=")
        return section.strip(), groove
    return WHOLE, part
