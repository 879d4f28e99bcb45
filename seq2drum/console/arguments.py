"""How words on a command line become options: the mode first, then the options of that mode alone.

The command lines of the client and of the server are read by the same parser.
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
    """Leaves a text of several lines as it is."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


class Parser(argparse.ArgumentParser):
    """Errors are errors of the project, in one line that names the help."""

    def __init__(self, **keywords: Any) -> None:
        super().__init__(formatter_class=_Formatter, **keywords)

    @property
    def actions(self) -> tuple[argparse.Action, ...]:
        """What argparse knows of each option and of what is no option."""
        return tuple(self._actions)

    @property
    def option_names(self) -> frozenset[str]:
        """All spellings of all options, such as -o and --output."""
        return frozenset(self._option_string_actions)

    def parse(self, words: Sequence[str]) -> argparse.Namespace:
        """The options; what is no option may stand before, between and behind them.

        Raises:
            OptionError: a word has no place, or a value is not of its type.
        """
        options, unknown = self.parse_known(words)
        self.refuse(unknown)
        return options

    def parse_known(self, words: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """(the options, words that have no place). What is behind "--" is a name, whatever it begins with.

        argparse alone takes some of these names for options, and not with every version of Python the same.
        """
        behind = words.index("--") if "--" in words else len(words)
        names = [f"./{word}" if word.startswith("-") and word != "-" else word for word in words[behind + 1 :]]
        return self.parse_known_intermixed_args([*words[: behind + 1], *names])

    def refuse(self, unknown: Sequence[str]) -> None:
        """Raise an `OptionError` if there are words that have no place.

        It names options without what follows them: that may be a secret.
        """
        if unknown:
            names = names_of(unknown)
            like = choices.near(next(iter(names), ""), sorted(self.option_names), most=1, cutoff=0.75)
            message = f"unrecognized arguments: {' '.join(names or unknown)}"
            self.error(f"{message}; did you mean {like[0]}?" if like else message)

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse what is none of an option's choices, as what is none of a musician's."""
        if action.choices is not None and value not in action.choices:
            advice = choices.instead(str(value), [str(choice) for choice in action.choices])
            raise argparse.ArgumentError(action, f"there is no {value!r}; {advice}")

    def error(self, message: str) -> NoReturn:
        """Raise an `OptionError`."""
        raise OptionError(f"{message}{'' if message.endswith('?') else ';'} {self.prog} --help lists all options")


def in_full(name: str, known: Iterable[str]) -> list[str]:
    """The known options that the short form of a long one may stand for: the name itself is one of them."""
    return sorted(option for option in known if option.startswith(name)) if name.startswith("--") else []


def names_of(words: Sequence[str]) -> list[str]:
    """The names of the options among some words as they are written: of --name=value and -oVALUE only the name."""
    written = words[: words.index("--")] if "--" in words else words
    long = [word.partition("=")[0] if word.startswith("--") else word[:2] for word in written]
    return [name for name in long if len(name) > 1 and name.startswith("-")]


def split_mode(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """The mode that --mode names, and the other words. None: none is named; of several the last holds.

    What is behind "--" is no option. Of a --mode that is the last word, the mode is "".
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
    """A name of a file or a folder: not nothing, as what a script has not set would be, and Python takes for "here".

    Raises:
        ArgumentTypeError: it is nothing.
    """
    if not text:
        raise argparse.ArgumentTypeError("wanted the name of a file or a folder, found nothing")
    return text


def check_least(options: argparse.Namespace, **least: int) -> None:
    """Refuse counts that are too small; None is none.

    least: of each option the smallest number that it may be.

    Raises:
        OptionError: there is one.
    """
    for name, number in least.items():
        value = getattr(options, name)
        if value is not None and value < number:
            raise OptionError(f"--{name.replace('_', '-')} is {value}, wanted {number} or more")


_FOLDERS = frozenset({"DIR", "NAME|DIR", "IN", "OUT"})  # metavars
_FILES = frozenset({"SONG", "FILE", "FILE|DIR", "DIR|FILE", "NAME|FILE"})


def show(shell: str, prog: str, first: Parser, commands: Mapping[str, Parser]) -> None:
    """Print the script for one of `shared.SHELLS`.

    prog: the name of the program. first: what can be given without a command. commands: what can be given with each.

    Raises:
        StandardOutputError: standard output takes no more.
    """
    import shtab  # where a script is asked for alone: it takes time

    whole = (_nested if shell == "bash" else _flat)(prog, first, commands)
    with standard_output():
        print(shtab.complete(whole, shell), flush=True)


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
    import shtab

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
