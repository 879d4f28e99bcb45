"""What a musician can choose of a take: names, meanings, ranges and defaults, for playing and all command lines.

Only the standard library and the errors are imported, so that programs which never read a note know the same table.
"""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Any, NamedTuple

from seq2drum.errors import OptionError

STYLES = ("jazz", "shuffle", "latin", "metal", "dance", "reggae", "funk", "pop", "rock")
MOST_TAKES = 1000
AUTO = "auto"  # in place of a style: the model decides


class Choice(NamedTuple):
    """One thing that can be chosen.

    kind: int, float or str, or tuple for the numbers of a first and a last bar. metavar: how a value is written.
    default: what holds where nothing is said; None: the model or the song decides. least, most: the range of a number,
    both within it. wanted: the range in words. title: what a refusal calls it, where not by its name.
    """

    kind: type
    metavar: str
    help: str
    default: Any = None
    least: float = -math.inf
    most: float = math.inf
    wanted: str = ""
    title: str = ""


def _level(help: str) -> Choice:
    return Choice(float, "0..1", help, least=0, most=1, wanted="0 to 1")


CHOICES = MappingProxyType(
    {
        "style": Choice(str, "NAME", f"{', '.join(STYLES)}, or {AUTO} (default)"),
        "intensity": _level("how much is played and how loud; 0.5 is what half of all music stays below"),
        "complexity": _level("how much the drums lean against the beat, likewise"),
        "fills": _level("how often: 0 the fewest, 0.5 as drummers do, 1 twice as often"),
        "seed": Choice(int, "N", "which take (default: 0)", 0, least=0, wanted="0 or more", title="the seed"),
        "takes": Choice(
            int,
            "N",
            "make N takes, SONG.drums.1.mid being the best (default: 1)",
            1,
            least=1,
            most=MOST_TAKES,
            wanted=f"1 to {MOST_TAKES}",
        ),
        "temperature": Choice(
            float,
            "T",
            "0 the most likely take, 1 as free as real music (default: 1)",
            1.0,
            least=0,
            most=2,
            wanted="0 (the most likely take) to 2 (wild)",
            title="the temperature",
        ),
        "top_p": Choice(
            float,
            "P",
            "keep this share of what is likely; lower is tamer (default: 0.99)",
            0.99,
            least=math.nextafter(0.5, 1),
            most=1,
            wanted="more than 0.5 and at most 1",
            title="top-p",
        ),
        "track": Choice(str, "N|NAME", "the guitar part, by number from 1 or by name (default: what looks like one)"),
        "humanize": _level("velocity and timing of human drummers: 0 stiff, 1 as they are"),
        "swing": _level("where the second eighth falls: 0 half way, 1 at two thirds"),
        "prime": Choice(
            int, "BARS", "play on from the first drum bars of the file", 0, least=0, wanted="a number of bars"
        ),
        "bars": Choice(tuple, "A:B", "play only these bars of the file's own drums anew, and keep the rest"),
        "drum_map": Choice(str, "NAME|FILE", "the notes of a sampler, or a JSON file of your own (default: gm)", "gm"),
    }
)
"""Each by the name that it has as a field of `Options`; `takes` is how many of them are made."""


def check(name: str, value: float | None, title: str = "") -> None:
    """Refuse a number that is out of its range. title: what the refusal calls it, if not as the table.

    None is in the range of what the model decides by default, and of nothing else.

    Raises:
        OptionError: it is out of its range.
    """
    choice = CHOICES[name]
    if value is None and choice.default is None:
        return
    if value is None or not choice.least <= value <= choice.most:
        raise OptionError(f"{title or choice.title or name} is {value}, wanted {choice.wanted}")
