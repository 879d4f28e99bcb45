"""Notation that is plain text, ABC and Humdrum: checked before music21 reads it.

A number of a few digits can make music21 count for hours or fill the memory. Honest ones are small.
"""

from __future__ import annotations

import re

from seq2drum.errors import NotationError
from seq2drum.music import metres
from seq2drum.music.limits import SCORE_LIMITS

_METRE = re.compile(r"(?:\bM:|\*M)\s*([\d+() ]+)/(\d+)")
_LARGE = re.compile(r"\d{4,}")
_COMMENT = re.compile(r"^(?:%|!|=|[A-LN-PR-Z]:).*$", re.MULTILINE)  # fields of ABC that say nothing of times, barlines
_WORDS = re.compile(r'"[^"]*"')


def plain_text(data: bytes, what: str) -> str:
    """The text of a file, UTF-8 or Latin-1.

    what: the notation, for messages.

    Raises:
        NotationError: it is too large, no text, or has numbers that no music has.
    """
    if len(data) > SCORE_LIMITS.text_bytes:
        raise NotationError(
            f"the file has more than {SCORE_LIMITS.text_bytes:,} bytes; wanted is one piece in {what} of at most that"
        )
    if (bars := max(data.count(b"|"), data.count(b"\n="))) > SCORE_LIMITS.text_bars:
        raise NotationError(f"the file has some {bars:,} bars; wanted are at most {SCORE_LIMITS.text_bars:,} in {what}")
    if b"\0" in data:
        raise NotationError(f"the file is no text, as {what} is")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    for beats, unit in _METRE.findall(text):
        count = sum(int(digits) for digits in re.findall(r"\d{1,4}", beats))
        if count not in metres.NUMERATORS or int(unit[:4]) not in metres.DENOMINATORS:
            raise NotationError(f"the metre {beats[:20]}/{unit[:20]} is beyond the limit of 64/64")
    if large := _LARGE.search(_WORDS.sub("", _COMMENT.sub("", text))):
        raise NotationError(f"the file has the number {large[0][:20]}, which no length of a note in {what} is")
    return text


def first_tune(text: str) -> str:
    """The first tune of a book in ABC: up to the second field that numbers one."""
    starts = [found.start() for found in re.finditer(r"^X:", text, re.MULTILINE)]
    return text[: starts[1]] if len(starts) > 1 else text
