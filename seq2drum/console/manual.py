"""A page of the manual, for `man`, made from the parsers of a program."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping

from seq2drum.console.arguments import Parser
from seq2drum.console.terminal import standard_output

EXIT_CODES = {"0": "all done", "2": "bad options or input, each told in one line", "130": "stopped by Ctrl-C"}


def show(prog: str, about: str, first: Parser, commands: Mapping[str, tuple[str, Parser]]) -> None:
    """Print the page of a program.

    prog: its name. about: what it is, in a line. first: its options without a command. commands: a line about each, and
    its options.

    Raises:
        StandardOutputError: standard output is closed.
    """
    with standard_output():
        print("\n".join(page(prog, about, first, commands)), flush=True)


def page(prog: str, about: str, first: Parser, commands: Mapping[str, tuple[str, Parser]]) -> Iterator[str]:
    """The lines of the page, in the macros of man(7)."""
    from seq2drum import __version__

    yield f'.TH {prog.upper()} 1 "" "seq2drum {__version__}" "User Commands"'
    yield from (".SH NAME", f"{_plain(prog)} \\- {_plain(about)}")
    yield ".SH SYNOPSIS"
    for parser in (first, *(parser for _, parser in commands.values())):
        for line in _usage(parser):
            yield from (f".B {_plain(line)}", ".br")
    yield from (".SH COMMANDS",) if commands else ()
    for name, (line, _) in commands.items():
        yield from (".TP", f".B {_plain(name)}", _plain(line))
    yield from _described(first, ".SH")
    for name, (_, parser) in commands.items():
        yield f".SH {_plain(name.upper())}"
        yield from _described(parser, ".SS")
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES.items():
        yield from (".TP", f".B {code}", _plain(meaning))


def _usage(parser: Parser) -> list[str]:
    """The lines of a parser's usage that it states; of one that states none, its name and `[options]`."""
    stated = (parser.usage or "%(prog)s [options]") % {"prog": parser.prog}
    return [line.strip() for line in stated.splitlines()]


def _described(parser: Parser, heading: str) -> Iterator[str]:
    """A parser's description, its groups of options and its examples."""
    told = {"prog": parser.prog}
    if parser.description:
        if heading == ".SH":
            yield ".SH DESCRIPTION"
        yield _plain(" ".join((parser.description % told).split()))
    for group in parser._action_groups:
        actions = [action for action in group._group_actions if _is_told(action, heading)]
        if actions:
            title = group.title or "options"
            yield f"{heading} {_plain(title.upper() if heading == '.SH' else title.capitalize())}"
        if actions and group.description:
            yield _plain(group.description % told)
        for action in actions:
            yield from (".TP", _option(action), _plain(_meaning(action, parser)))
    if parser.epilog:
        yield from (".PP", ".nf", *(_plain(line) for line in (parser.epilog % told).splitlines()), ".fi")


def _is_told(action: argparse.Action, heading: str) -> bool:
    """Return whether an option has a help; that of --help itself is told once."""
    return action.help is not argparse.SUPPRESS and (heading == ".SH" or "--help" not in action.option_strings)


def _option(action: argparse.Action) -> str:
    """The names of an option in bold, its value in italics."""
    value = _value(action)
    names = ", ".join(f"\\fB{_plain(name)}\\fR" for name in action.option_strings)
    return " ".join(filter(None, (names, f"\\fI{_plain(value)}\\fR" if value else "")))


def _value(action: argparse.Action) -> str:
    """What stands behind an option, or for a positional word."""
    if action.nargs == 0:
        return ""
    named = action.metavar or ("|".join(map(str, action.choices)) if action.choices else action.dest.upper())
    one = " ".join(named) if isinstance(named, tuple) else named
    many = f"{one} ..." if action.nargs in ("*", "+", argparse.REMAINDER) else one
    return f"[{many}]" if action.nargs in ("?", "*") else many


def _meaning(action: argparse.Action, parser: Parser) -> str:
    values = {name: value for name, value in vars(action).items() if value is not argparse.SUPPRESS}
    return " ".join(((action.help or "") % {**values, "prog": parser.prog}).split())


def _plain(text: str) -> str:
    """A text in which nothing is a macro or an escape of roff; hyphens stay what a terminal understands."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped
