"""The plan of a take, section by section: where the drums enter, how full and loud they are, and on which cymbal.

Only the standard library is imported, as the client has these as well.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Container, Mapping, Sequence
from typing import Any, NamedTuple

from seq2drum.errors import InputError, OptionError
from seq2drum.system import files

CYMBALS = ("closed hat", "open hat", "ride", "crash")
LEVELS, LOUDNESS = (0.25, 4.0), (0.5, 1.5)
MOST_SECTIONS = 2000
FORMAT, VERSION = "seq2drum plan", 1
_MOST_BYTES = 1 << 22
_STEEP = 0.9  # share of the height of a picture's strip for each e-fold of hits
_ADVICE = "write one with --plan-out and change that"


class PlannedSection(NamedTuple):
    """A section of a take as it is planned. Bars are those of the song, counted from 1.

    first, last: its bars. name: its letter, or its name in the file. enters: the bar in which the drums come in:
    `first` where they play all of it, None where they play nothing of it. cymbal: the piece that keeps time, one of
    CYMBALS, None without any. level: the ratio of its hits to the mean of the song. loudness: the factor of its
    velocities. groove: the name of its groove, None without any.
    """

    first: int
    last: int
    name: str
    enters: int | None
    cymbal: str | None
    level: float
    loudness: float
    groove: str | None = None

    @property
    def plays_all(self) -> bool:
        """True if the drums play from its first bar on."""
        return self.enters == self.first

    @property
    def is_even(self) -> bool:
        """True if it is as full and as loud as the mean of the song."""
        return self.level == 1.0 and self.loudness == 1.0

    @property
    def log_level(self) -> float:
        """The logarithm of its level, in hundredths, as it is arranged."""
        return round(math.log(self.level), 2)

    @property
    def words(self) -> str:
        """Its level and its cymbal in a few letters, as below a picture."""
        return f"{self.level:.2f} {self.cymbal or ''}".strip()

    @property
    def fullness(self) -> float:
        """How tall it is drawn, 0.1..1: half for the mean of the song, and more for each e-fold of hits."""
        return min(max(0.5 + _STEEP * math.log(self.level), 0.1), 1.0)

    def without(self, out: Container[int]) -> PlannedSection:
        """The section without drums in some bars: they come in with the first other bar."""
        bars = range(self.last + 1 if self.enters is None else self.enters, self.last + 1)
        return self._replace(enters=next((bar for bar in bars if bar not in out), None))

    def behind(self, bars: int) -> PlannedSection:
        """The section behind so many bars."""
        enters = None if self.enters is None else self.enters + bars
        return self._replace(first=self.first + bars, last=self.last + bars, enters=enters)


def fields_of(row: PlannedSection) -> dict[str, Any]:
    """Return a section by the names of the contract's fields; None is unset."""
    return {
        "first_bar": row.first,
        "last_bar": row.last,
        "name": row.name,
        "enters": row.enters,
        "cymbal": row.cymbal or "",
        "level": row.level,
        "loudness": row.loudness,
        "groove": row.groove or "",
    }


def of_fields(fields: Mapping[str, Any]) -> PlannedSection:
    """Return a section from the set fields of the contract, by their names; the others have its defaults."""
    return PlannedSection(
        fields.get("first_bar", 0),
        fields.get("last_bar", 0),
        fields.get("name", ""),
        fields.get("enters"),
        fields.get("cymbal") or None,
        fields.get("level", 1.0),
        fields.get("loudness", 1.0),
        fields.get("groove") or None,
    )


SongPlan = tuple[PlannedSection, ...]
"""The sections of a song in its order."""


def is_built(plan: Sequence[PlannedSection]) -> bool:
    """Return True if the sections of a plan differ in fullness, loudness or cymbal."""
    return any(not row.is_even or row.cymbal != plan[0].cymbal for row in plan)


def is_drawn(plan: Sequence[PlannedSection]) -> bool:
    """Return True if a picture shows a plan: its sections differ, or the drums wait in some."""
    return is_built(plan) or not all(row.plays_all for row in plan)


def changes(plan: Sequence[PlannedSection]) -> tuple[tuple[int, str], ...]:
    """Return the bars in which the drums enter a section or fall silent for it, with its name and what they do."""
    found = []
    for row in plan:
        if not row.plays_all:
            found.append((row.first, f"{row.name}: no drums"))
        if row.enters is not None:
            found.append((row.enters, f"{row.name}: {row.words}"))
    return tuple(found)


def check(plan: Sequence[PlannedSection]) -> None:
    """Refuse values that no section may have.

    Raises:
        OptionError: too many sections, or bars, a level, a loudness, a cymbal or an entry out of its range.
    """
    check_count(len(plan))
    for row in plan:
        where = f"the plan of bars {row.first!s:.20}-{row.last!s:.20} ({row.name:.60})"
        if not 1 <= row.first <= row.last:
            raise OptionError(f"{where} has impossible bars, wanted A-B with 1 <= A <= B")
        for name, value, (low, high) in (("level", row.level, LEVELS), ("loudness", row.loudness, LOUDNESS)):
            if not low <= value <= high:  # nor is it NaN
                raise OptionError(f"{where} has {name} {value!s:.20}, wanted {low:g} to {high:g}")
        if row.cymbal not in (*CYMBALS, None):
            raise OptionError(f"{where} has the cymbal {row.cymbal!r:.40}, wanted one of {', '.join(CYMBALS)}, or null")
        if row.enters is not None and not row.first <= row.enters <= row.last:
            raise OptionError(f"{where} has the drums enter in bar {row.enters!s:.20}, wanted one of its bars, or null")


def check_count(sections: int) -> None:
    """Refuse more sections than any song has.

    Raises:
        OptionError: there are more than MOST_SECTIONS.
    """
    if sections > MOST_SECTIONS:
        raise OptionError(f"the plan has {sections} sections, wanted at most {MOST_SECTIONS}")


def check_end(plan: Sequence[PlannedSection], bars: int) -> None:
    """Refuse a plan that is longer than a song, whose sections are not known.

    Raises:
        OptionError: its last section ends behind the song's bars.
    """
    if plan and (last := max(row.last for row in plan)) > bars:
        raise OptionError(f"the plan ends in bar {last!s:.20}, but the song has {bars}; give the plan of this song")


def check_fit(plan: Sequence[PlannedSection], sections: Sequence[tuple[int, int, str]]) -> None:
    """Refuse the plan of another song. sections: (first, last, name) of those of this one.

    Raises:
        OptionError: other sections.
    """
    found = [row[:3] for row in plan]
    if found == list(sections):
        return
    if len(found) != len(sections):
        what, wanted = f"{len(found)} sections", f"{len(sections)}"
    else:
        here, there = next(pair for pair in zip(found, sections, strict=True) if pair[0] != pair[1])
        what, wanted = (f"bars {first!s:.20}-{last!s:.20} ({name:.60})" for first, last, name in (here, there))
    raise OptionError(
        f"the plan has {what}, but the song has {wanted}; write a plan of this song with --plan-out and change that"
    )


# --- a file -----------------------------------------------------------------------------------------------------------


def as_json(plan: Sequence[PlannedSection]) -> bytes:
    """Return a plan as JSON: {"format", "version", "sections"}, a section with the fields of `PlannedSection`."""
    held = {"format": FORMAT, "version": VERSION, "sections": [row._asdict() for row in plan]}
    return (json.dumps(held, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def read(path: str | os.PathLike[str]) -> SongPlan:
    """Return the plan of a file that `as_json` wrote.

    Raises:
        OptionError: there is no such file, it is no plan, or it has impossible values.
    """
    name = files.named(path)
    try:
        held = json.loads(files.read_file(path, _MOST_BYTES, "plan").decode())
    except InputError as error:
        raise OptionError(f"the plan: {error}") from None
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the plan {name} is not a JSON file ({error}); {_ADVICE}") from None
    if not isinstance(held, Mapping) or held.get("format") != FORMAT or not isinstance(held.get("sections"), list):
        raise OptionError(f"{name} is not a plan; {_ADVICE}")
    if held.get("version") != VERSION:
        raise OptionError(f"the plan {name} has version {held.get('version')!r}, wanted {VERSION}; {_ADVICE}")
    return of_rows(held["sections"], f"the plan {name}")


def of_rows(rows: Sequence[object], title: str = "the plan") -> SongPlan:
    """Return the plan of the "sections" of JSON. title: of the plan, for messages.

    Raises:
        OptionError: there are none, or one is no section, or has impossible values.
    """
    if not rows:
        raise OptionError(f"{title} has no sections; {_ADVICE}")
    plan = tuple(_section(title, number, row) for number, row in enumerate(rows, start=1))
    check(plan)
    return plan


def _section(title: str, number: int, row: object) -> PlannedSection:
    """Return a section of JSON. number: its place, from 1."""
    if not isinstance(row, Mapping):
        raise OptionError(f"section {number} of {title} is not an object; {_ADVICE}")
    values: dict[str, Any] = {}
    for field, (kinds, wanted) in _FIELDS.items():
        value = row.get(field)
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise OptionError(f"section {number} of {title} has {field} {value!r:.40}, wanted {wanted}")
        values[field] = value
    if unknown := ", ".join(sorted(repr(field) for field in row if field not in _FIELDS)):
        raise OptionError(f"section {number} of {title} has {unknown:.80}; wanted {', '.join(_FIELDS)}")
    return PlannedSection(**values)


_NONE = type(None)
_FIELDS: Mapping[str, tuple[tuple[type, ...], str]] = {
    "first": ((int,), "the number of a bar"),
    "last": ((int,), "the number of a bar"),
    "name": ((str,), "a name"),
    "enters": ((int, _NONE), "the number of a bar, or null"),
    "cymbal": ((str, _NONE), f"one of {', '.join(CYMBALS)}, or null"),
    "level": ((int, float), "a number"),
    "loudness": ((int, float), "a number"),
    "groove": ((str, _NONE), "the name of a groove, or null"),
}
