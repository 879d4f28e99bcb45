"""Flags that several modes share, and which mode has use for which.

Naming one that is not looked at is a mistake, and would be a silent one.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from seq2drum.errors import OptionError

LEAST = {"workers": 1, "threads": 0}


def add_bars(parser: argparse.ArgumentParser) -> None:
    """Add --bars where it is bars by number."""
    parser.add_argument("--bars", type=_bars, metavar="A:B")


def _bars(text: str) -> tuple[int, int]:
    """A:B, or one bar alone, as numbers."""
    first, colon, last = text.partition(":")
    try:
        return int(first), int(last if colon else first)
    except ValueError:
        raise argparse.ArgumentTypeError(f"wanted A:B such as 9:16, found {text!r}") from None


def check(parser: argparse.ArgumentParser, options: argparse.Namespace, uses: Mapping[str, Sequence[str]]) -> None:
    """Refuse flags that the mode has no use for, and counts that are too small.

    uses: of each mode, the names of the flags that it looks at.

    Raises:
        OptionError: there is such a flag; the message names the modes that look at it.
    """
    mine = uses[options.mode]
    strange = [name for name in vars(options) if name not in ("mode", *mine) and _given(parser, options, name)]
    # One sort of them at a time, as each has an advice of its own.
    owners = [mode for mode in uses if strange and strange[0] in uses[mode]]
    strange = [name for name in strange if [mode for mode in uses if name in uses[mode]] == owners]
    if strange:
        told = ", ".join("a song" if name == "files" else "--" + name.replace("_", "-") for name in strange)
        advice = f"did you mean --mode {' or '.join(owners)}?"
        if "files" in mine and "data" in strange:
            advice = "name the songs themselves"
        raise OptionError(f"--mode {options.mode} has no use for {told}; {advice}")
    for name, least in LEAST.items():
        value = getattr(options, name)
        if value is not None and value < least:
            raise OptionError(f"--{name} is {value}, wanted {least} or more")


def _given(parser: argparse.ArgumentParser, options: argparse.Namespace, name: str) -> bool:
    return getattr(options, name) not in (parser.get_default(name), [])
