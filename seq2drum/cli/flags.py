"""Which mode has use for which flag: naming one that is not looked at is a mistake, and would be a silent one."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

from seq2drum.errors import OptionError

LEAST = {"workers": 1, "threads": 0}


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
