"""Scripts by which a shell completes a command line: modes, options, values and names of files. Written by shtab.

shtab knows commands within a command, but none that an option names, as --mode does. Its script for bash looks for the
name of a command among all words. So there a mode is such a command: behind `--mode infer` the options of infer are
offered. The other shells offer the options of all modes.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping

import shtab

from seq2drum.cli.arguments import Parser
from seq2drum.cli.terminal import standard_output
from seq2drum.music.choices import AUTO, CHOICES

_FOLDERS = frozenset({"DIR", "NAME|DIR", "IN", "OUT"})  # metavars
_FILES = frozenset({"SONG", "FILE", "FILE|DIR", "DIR|FILE", "NAME|FILE"})


def show(shell: str, prog: str, first: Parser, commands: Mapping[str, Parser]) -> None:
    """Print the script for one of `shared.SHELLS`.

    prog: the name of the program. first: what can be given without a command. commands: what can be given with each.

    Raises:
        StandardOutputError: standard output takes no more.
    """
    whole = (_nested if shell == "bash" else _flat)(prog, first, commands)
    with standard_output():
        print(shtab.complete(whole, shell), flush=True)


def _nested(prog: str, first: Parser, commands: Mapping[str, Parser]) -> argparse.ArgumentParser:
    """A parser with commands."""
    whole = argparse.ArgumentParser(prog, parents=[first], add_help=False)
    within = whole.add_subparsers()
    for name, parser in commands.items():
        within.add_parser(name, help=name, parents=[parser], add_help=False)
    _set_kinds(action for parser in (first, *commands.values()) for action in parser.actions)
    return whole


def _flat(prog: str, first: Parser, commands: Mapping[str, Parser]) -> argparse.ArgumentParser:
    """A parser with the options of all commands; of those of one name the first."""
    whole = argparse.ArgumentParser(prog, add_help=False)
    known: set[str] = set()
    for parser in (first, *commands.values()):
        for action in parser.actions:
            names = set(action.option_strings or (action.dest,))
            if not names & known:
                known |= names
                whole._add_action(action)
    _set_kinds(whole._actions)
    return whole


def _set_kinds(actions: Iterable[argparse.Action]) -> None:
    """Set what the values of each are, where shtab looks for it: names of files or folders, or one of a few words."""
    for action in actions:
        if words := _words(action.dest):
            action.choices = words
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]


def _words(name: str) -> tuple[str, ...]:
    """The words of which one can be chosen."""
    choice = CHOICES.get(name)
    if choice is None or choice.many:
        return ()
    return (*choice.words, AUTO) if name == "style" else choice.words
