"""Tokens by which callers are known: each with a name that may be told, and how many calls it may have at once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from seq2drum.errors import OptionError

NAME = re.compile(r"[a-z0-9._-]{1,64}")
SECRET = re.compile(r"[!-~]{16,512}")
_LINE = "NAME TOKEN, or NAME TOKEN CALLS where it may have no more than so many calls at once"


@dataclass(frozen=True, slots=True)
class Token:
    """A token. name: "" if it is the only one. calls: how many it may have at once; 0: as many as there is room for."""

    name: str
    secret: str = field(repr=False)
    calls: int = 0


def read(path: str) -> tuple[Token, ...]:
    """The tokens of a file: one alone, or a line for each, with its name and what it may have. "#" begins a comment.

    Raises:
        OptionError: the file cannot be read, or is none of the two. The message quotes no token.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise OptionError(f"{path!r} cannot be read ({why})") from error
    lines = {number: line.partition("#")[0].split() for number, line in enumerate(text.splitlines(), start=1)}
    found = {number: words for number, words in lines.items() if words}
    if not found:
        raise OptionError(f"{path!r} is empty; wanted one line with the token, or lines of {_LINE}")
    if len(found) == 1 and len(words := next(iter(found.values()))) == 1:
        return (Token("", words[0]),)
    return tuple(_token(path, number, words) for number, words in found.items())


def check(tokens: Iterable[Token]) -> None:
    """Refuse what is easily guessed, what no header can carry, and what is there twice.

    Raises:
        OptionError: the message quotes no token.
    """
    names, secrets = set[str](), set[str]()
    for token in tokens:
        called = f"the token {token.name!r}" if token.name else "the token"
        if not SECRET.fullmatch(token.secret):
            raise OptionError(
                f"{called} has {len(token.secret)} characters or odd ones, wanted 16 to 512 of ASCII without spaces; "
                "python -c 'import secrets; print(secrets.token_hex())' makes one"
            )
        if token.name in names or token.secret in secrets:
            raise OptionError(f"{called} or its name is there twice, wanted each once")
        names.add(token.name)
        secrets.add(token.secret)


def _token(path: str, number: int, words: list[str]) -> Token:
    calls = words[2] if len(words) == 3 else "0"
    if len(words) not in (2, 3) or not NAME.fullmatch(words[0]) or not re.fullmatch(r"\d{1,5}", calls):
        raise OptionError(
            f"line {number} of {path!r} is no token; wanted {_LINE}, the name of a-z, 0-9, '.', '_' and '-'"
        )
    return Token(words[0], words[1], int(calls))
