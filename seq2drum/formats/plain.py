"""Notation that is plain text, ABC and Humdrum: checked before music21 makes a score of it.

A number of a few digits, a long chord or a long bar can make music21 count for hours or fill the memory; honest ones
are small.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Any

from seq2drum.errors import NotationError
from seq2drum.music import metres
from seq2drum.music.limits import SCORE_LIMITS

_METRE = re.compile(r"(?:\bM:|\*M)\s*([\d+() ]+)/(\d+)")
_LARGE = re.compile(r"\d{4,}")
_COMMENT = re.compile(r"^(?:%|!|=|[A-LN-PR-Z]:).*$", re.MULTILINE)  # fields of ABC that say nothing of times, barlines
_WORDS = re.compile(r'"[^"]*"')
_FIELD = re.compile(r"^[A-Za-z]:|\[[A-Za-z]:", re.MULTILINE)
_NOTE_LINE = re.compile(r"^(?![A-Za-z]:|%).*$", re.MULTILINE)  # of ABC
_UNHEARD = re.compile(r'(\[[A-Za-z]:[^\]]*\])|"[^"]*"|\((?!\d)|\)')  # a field, which stays; chord symbols and slurs


def abc_text(data: bytes) -> str:
    """The first tune in the bytes of a file in ABC, without chord symbols and slurs, which are not heard.

    Raises:
        NotationError: as `plain_text`; or it has more fields than SCORE_LIMITS.text_fields.
    """
    tune = _first_tune(plain_text(data, "ABC"))
    if (fields := len(_FIELD.findall(tune))) > SCORE_LIMITS.text_fields:
        raise _too_many(fields, "fields", SCORE_LIMITS.text_fields)
    return _NOTE_LINE.sub(lambda line: _UNHEARD.sub(lambda found: found[1] or "", line[0]), tune)


def check_abc(handler: Any) -> None:
    """Check the tokens that music21 has read of a tune, before it makes measures of them.

    handler: an `ABCHandler`.

    Raises:
        NotationError: it has more voices, bars, notes in a bar or a chord than SCORE_LIMITS allows, or a longer bar.
    """
    first, *others = handler.splitByVoice()
    if len(others) > SCORE_LIMITS.parts:
        raise _too_many(len(others), "voices", SCORE_LIMITS.parts)
    # What stands before the first voice is read again for each.
    voices = [_Bars().add([*first.tokens, *voice.tokens]) for voice in others] or [_Bars().add(first.tokens)]
    if (bars := sum(voice.count for voice in voices)) > SCORE_LIMITS.text_bars:
        raise _too_many(bars, "bars", SCORE_LIMITS.text_bars)
    if (overfull := sum(voice.overfull for voice in voices)) > SCORE_LIMITS.text_overfull:
        raise _too_many(overfull, "bars that are longer than their metre", SCORE_LIMITS.text_overfull)


def humdrum_text(data: bytes) -> str:
    """The text of a file in Humdrum.

    Raises:
        NotationError: as `plain_text`; or it has more spines, or notes in a chord, than SCORE_LIMITS allows.
    """
    text = plain_text(data, "Humdrum")
    for line in text.splitlines():
        if line.startswith("!"):
            continue
        spines = line.split("\t")
        if len(spines) > SCORE_LIMITS.parts:
            raise _too_many(len(spines), "spines", SCORE_LIMITS.parts)
        if (notes := max(spine.count(" ") for spine in spines) + 1) > SCORE_LIMITS.chord:
            raise _too_many(notes, "notes in a chord", SCORE_LIMITS.chord)
    return text


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


def _first_tune(text: str) -> str:
    """The first tune of a book in ABC: up to the second field that numbers one."""
    starts = [found.start() for found in re.finditer(r"^X:", text, re.MULTILINE)]
    return text[: starts[1]] if len(starts) > 1 else text


@dataclass
class _Bars:
    """The bars of a voice in ABC, and how many of them are longer than their metre; music21 writes each of those anew.

    metre: what the bar that is read may last, in quarters; None where no metre is known.
    """

    count: int = 0
    overfull: int = 0
    metre: Fraction | None = None

    def add(self, tokens: Iterable[Any]) -> _Bars:
        """Count the bars of these tokens as well, and check each."""
        items = notes = 0
        length = Fraction(0)
        for token in chain(tokens, (None,)):
            kind = type(token).__name__
            if kind == "ABCMetadata" and token.isMeter():
                beats = token.getTimeSignatureParameters()
                self.metre = Fraction(4 * beats[0], beats[1]) if beats else None
            if kind in ("ABCBar", "NoneType"):
                self.count += bool(notes)
                self.overfull += self.metre is not None and length > self.metre
                items, notes, length = 0, 0, Fraction(0)
                continue
            heads = 1
            if kind in ("ABCNote", "ABCChord"):
                heads = len(token.subTokens) if kind == "ABCChord" else 1
                if heads > SCORE_LIMITS.chord:
                    raise _too_many(heads, "notes in a chord", SCORE_LIMITS.chord)
                notes += heads
                length += 0 if token.inGrace else Fraction(token.quarterLength)
            items += heads
            if items > SCORE_LIMITS.text_bar_items:
                raise NotationError(
                    f"a bar has more than {SCORE_LIMITS.text_bar_items:,} notes and signs; are its barlines missing?"
                )
            if length > SCORE_LIMITS.text_bar_quarters:
                raise NotationError(
                    f"a bar is longer than {SCORE_LIMITS.text_bar_quarters} quarters; are its barlines missing?"
                )
        return self


def _too_many(count: int, what: str, most: int) -> NotationError:
    return NotationError(f"the file has {count:,} {what}; wanted are at most {most:,}")
