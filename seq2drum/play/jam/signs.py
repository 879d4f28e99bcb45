"""The signs that a guitarist gives to a drummer who plays along."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from seq2drum.errors import OptionError
from seq2drum.music.options import check

FILL, SECTION, STOP, INTENSITY, TEMPO = SIGNS = ("fill", "section", "stop", "intensity", "tempo")
SLOWEST, FASTEST = 30.0, 300.0  # quarters a minute


class Sign(NamedTuple):
    """A sign to the drummer, for the next undecided bar. quarter: its time.

    what: "fill": that bar is one; "section": it is a fill, and leads into another passage, `value` its letter or None
    for a new one; "stop": it is the last, struck on its first beat; "intensity": from it on, `value` 0..1; "tempo":
    from it on, `value` quarters a minute.
    """

    quarter: float
    what: str
    value: float | str | None = None

    @property
    def number(self) -> float:
        """Its value, a number.

        Raises:
            OptionError: it has none.
        """
        if isinstance(self.value, int | float):
            return float(self.value)
        raise OptionError(f"the sign {self.what!r} comes with {self.value!r}, wanted a number")

    def check(self, known: Sequence[str] = SIGNS) -> None:
        """Raise OptionError if it is invalid or unknown."""
        if self.what not in known:
            raise OptionError(f"there is no sign {self.what!r}; wanted one of {', '.join(known)}")
        if self.what == INTENSITY:
            check("intensity", self.number)
        if self.what == TEMPO and not SLOWEST <= self.number <= FASTEST:
            raise OptionError(f"the tempo is {self.value}, wanted {SLOWEST:g} to {FASTEST:g} quarters a minute")
