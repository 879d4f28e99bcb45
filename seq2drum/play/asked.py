"""Requests for grooves: the words that name them, and the sections of a song that they are for."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

from seq2drum.errors import OptionError
from seq2drum.music import choices
from seq2drum.music.limits import OPENED_SUFFIXES

if TYPE_CHECKING:  # the client reads the words, and has no numpy
    from seq2drum.lattice.grooves.grooves import Groove

Named = TypeVar("Named")
One: TypeAlias = "str | Groove"
Grooves: TypeAlias = "One | Mapping[str, One]"
"""A groove, by its name or file or as it is, or one for each section."""

WHOLE = ""  # in place of a section: all that have none of their own

_FILE = re.compile(rf"(.+(?:{'|'.join(map(re.escape, OPENED_SUFFIXES))}))(?::(.*))?", re.IGNORECASE | re.DOTALL)
_BARS = re.compile(r"(\d{1,9})(?:[-:](\d{1,9}))?")
_SECTION = r"[^\s=,:/\\.][^=,:/\\.]*="  # a name before "=": a path or a title has none of these signs


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
        OptionError: it is empty, or the bars are none.
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
    """The groove of each section that is named, in their order; of `WHOLE` the groove of all others.

    A text may be one groove, or several as "verse=NAME,chorus=FILE". A comma that no section follows is of a title.

    Raises:
        OptionError: a section has two grooves, or something names no groove.
    """
    pairs: list[tuple[str, One]]
    if isinstance(groove, str):
        pairs = [_split(part) for part in re.split(rf",\s*(?={_SECTION})", groove)]
    else:
        pairs = list(groove.items()) if isinstance(groove, Mapping) else [(WHOLE, groove)]
    found: dict[str, One] = {}
    for section, one in pairs:
        if section in found:
            raise OptionError(f"two grooves are asked for in {section or 'the whole song'!r}; wanted one")
        if isinstance(one, str):
            reference(one)
        found[section] = one
    return found


def by_letter(grooves: Mapping[str, Named], letters: Sequence[str]) -> dict[str, Named]:
    """Return requests for sections by name as requests by the letters of a song's sections; `WHOLE` stays.

    A name is one of the song's letters, or of the names that its file has in their place, in upper or lower case. Where
    the file names none, another name stands for the first letter that is not taken: of "verse" and "chorus" verse is A
    and chorus is B. letters: in the order in which they first come.

    Raises:
        OptionError: the request names more sections than the song has, or there is no such letter or name.
    """
    known = {letter.casefold(): letter for letter in letters} | {WHOLE: WHOLE}
    asked = {section.casefold() for section in grooves}
    unnamed = all(len(letter) == 1 for letter in letters)
    free = [letter for letter in letters if unnamed and letter.casefold() not in asked]
    found: dict[str, Named] = {}
    for section, one in grooves.items():
        letter = known.get(section.casefold())
        if letter is None:
            if not free or len(section) == 1:
                raise OptionError(f"the song has no section {section!r}; it has {', '.join(letters)}")
            letter = free.pop(0)
        if letter in found:
            raise OptionError(f"two grooves are asked for in {letter!r}; wanted one")
        found[letter] = one
    return found


def _split(part: str) -> tuple[str, str]:
    if re.match(rf"\s*{_SECTION}", part):
        section, _, groove = part.partition("=")
        return section.strip(), groove
    return WHOLE, part
