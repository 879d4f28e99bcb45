"""The parser of command lines: the mode first, then the options of that mode alone.

The command lines of the client and of the server use the same parser.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NoReturn

from seq2drum.console.terminal import standard_output
from seq2drum.errors import OptionError
from seq2drum.music import choices
from seq2drum.music.choices import AUTO
from seq2drum.music.options import CHOICES


class _Formatter(argparse.HelpFormatter):
    """A formatter that keeps the lines of a text."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """A parser whose errors are the project's, in one line that points to the help."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(formatter_class=_Formatter, **keywords)

    @property
    def actions(self) -> tuple[argparse.Action, ...]:
        """argparse's actions of all options and positional words."""
        return tuple(self._actions)

    @property
    def option_names(self) -> frozenset[str]:
        """All spellings of all options, such as -o and --output."""
        return frozenset(self._option_string_actions)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The options; positional words can stand before, between and behind them.

        Raises:
            OptionError: a word without a place, or a value of another type.
        """
        options, unknown = self.parse_known(words)
        self.refuse(unknown)
        return options

    def parse_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """(the options, words without a place). A word behind "--" is a name, whatever it begins with.

        argparse alone takes some of these names for options, differently by Python version.
        """
        behind = words.index("--") if "--" in words else len(words)
        names = [f"./{word}" if word.startswith("-") and word != "-" else word for word in words[behind + 1 :]]
        return self.parse_known_intermixed_args([*words[: behind + 1], *names])

    def refuse(self, unknown: Sequence[str]) -> None:
        """Raise an `OptionError` if there are words without a place.

        It names options without their values, which can be secrets.
        """
        if unknown:
            names = names_of(unknown)
            like = choices.near(next(iter(names), ""), sorted(self.option_names), most=1, cutoff=0.75)
            message = f"unrecognized arguments: {' '.join(names or unknown)}"
            self.error(f"{message}; did you mean {like[0]}?" if like else message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a value outside an option's choices with the same message as a musician's choice."""
        if action.choices is not None and value not in action.choices:
            advice = choices.instead(str(value), [str(choice) for choice in action.choices])
            raise argparse.ArgumentError(action, f"there is no {value!r}; {advice}")

    def error(self, message: str) -> NoReturn:
        """Raise an `OptionError`."""
        raise OptionError(f"{message}{'' if message.endswith('?') else ';'} {self.prog} --help lists all options")


def names_of(words: Sequence[str]) -> list[str]:
    """The option names among some words as written: for --name=value and -oVALUE the name alone."""
    written = words[: words.index("--")] if "--" in words else words
    long = [word.partition("=")[0] if word.startswith("--") else word[:2] for word in written]
    return [name for name in long if len(name) > 1 and name.startswith("-")]


def split_mode(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The mode of --mode, and the other words. None without a mode; the last of several holds.

    A word behind "--" is never an option. If --mode is the last word, the mode is "".
    """
    mode: str | None = None
    others: list[str] = []
    left = iter(words)
    for word in left:
        if word == "--":
            return mode, [*others, word, *left]
        name, equals, value = word.partition("=")
        if name == "--mode":
            mode = value if equals else next(left, "")
        else:
            others.append(word)
    return mode, others


def named(text: str) -> str:
    """The name of a file or a folder; refuses "", an unset variable of a script, which Python takes for "here".

    Raises:
        ArgumentTypeError: it is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("wanted the name of a file or a folder, found nothing")
    return text


def check_least(options: argparse.Namespace, **least: int) -> None:
    """Refuse counts that are too small; None passes.

    least: the smallest value of each option.

    Raises:
        OptionError: one is smaller.
    """
    for name, number in least.items():
        value = getattr(options, name)
        if value is not None and value < number:
            raise OptionError(f"--{name.replace('_', '-')} is {value}, wanted {number} or more")


_FOLDERS = frozenset({"DIR", "NAME|DIR", "IN", "OUT"})  # metavars
_FILES = frozenset({"SONG", "FILE", "FILE|DIR", "DIR|FILE", "NAME|FILE"})


def show(shell: str, prog: str, first: Parser, commands: Mapping[str, Parser]) -> None:
    """Print the script for one of `shared.SHELLS`.

    prog: the name of the program. first: options without a command. commands: options of each.

    Raises:
        StandardOutputError: standard output is closed.
    """
    import shtab  # imported on use: it is slow

    whole = (_nested if shell == "bash" else _flat)(prog, first, commands)
    script = shtab.complete(whole, shell)
    if shell == "fish":  # a command stands where a file can stand
        script += f"\ncomplete -c {prog} -n __fish_use_subcommand -a '{' '.join(commands)}'"
    with standard_output():
        print(script, flush=True)


def _nested(prog: str, first: Parser, commands: Mapping[str, Parser]) -> argparse.ArgumentParser:
    """A parser with commands."""
    import shtab

    whole = argparse.ArgumentParser(prog, parents=[first], add_help=False)
    within = whole.add_subparsers()
    for name, parser in commands.items():
        within.add_parser(name, help=name, parents=[parser], add_help=False)
    _set_kinds(action for parser in (first, *commands.values()) for action in parser.actions)
    for action in first.actions:
        if not action.option_strings:  # a command stands where a file can stand
            del action.complete  # type: ignore[attr-defined]
            action.choices = [*commands, *shtab.Required.FILE]
    return whole


def _flat(prog: str, first: Parser, commands: Mapping[str, Parser]) -> argparse.ArgumentParser:
    """A parser with the options of all commands, the first of those with one name."""
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
    """Set the kinds of values for shtab: names of files or folders, or one of a few words."""
    import shtab

    for action in actions:
        if words := _words(action.dest):
            action.choices = words
        elif action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _FOLDERS:
            action.complete = shtab.DIRECTORY  # type: ignore[attr-defined]


def _words(name: str) -> tuple[str, ...]:
    """The allowed words of an action."""
    choice = CHOICES.get(name)
    if choice is None or choice.many:
        return ()
    return (*choice.words, AUTO) if name == "style" else choice.words
