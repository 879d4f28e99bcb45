"""Drum text: a word for each place of a bar, and the word BAR at each barline.

    0b101000000 0b000000000 0b001000000 0b000000000
    0b011000000 0b000000000 0b001000000 0b000000000
    0b101000000 0b000000000 0b101000000 0b000000000
    0b011000000 0b000000000 0b001000000 0b000100000
    BAR

A word is nine bits, one for each piece of ORDER: 1 where it is struck. A bar has 16, 24 or 32 words, as a pattern has
places, and BAR stands at its end; after the last bar it may be missing. Blanks and line ends may stand between any two
words. A line for each quarter is how this module writes. The idea of words: K. Choi, G. Fazekas, M. Sandler, Text-based
LSTM networks for automatic music composition (2016).

The laws: `text_of(pattern_of_text(text)) == text` for text as this module writes it, and `pattern_of_text(text_of(p))`
has the hits of `p`. Text has no velocities and no tempo: what is read is struck with VELOCITY.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import NotationError
from seq2drum.lattice.patterns import GRIDS, QUARTERS, TICKS, WANTED, Pattern, pattern_of, pattern_of_song, ticks_of
from seq2drum.music.kit import NINE
from seq2drum.music.notes import IntArray, Part, Song

ORDER = ("kick", "snare", "closed hat", "open hat", "low tom", "mid tom", "high tom", "ride", "crash")
"""The piece of each bit, the first bit first."""

BAR = "BAR"
COUNT = 1 << len(ORDER)
"""How many words there are without BAR."""

VELOCITY = 96
"""How hard a hit is that was read from text."""

_MARK = "0b"
_VOICES = np.array([NINE.names.index(name) for name in ORDER])
_VALUES = 1 << np.arange(len(ORDER))[::-1]
_WORD = re.compile(rf"{_MARK}[01]{{{len(ORDER)}}}")
_MOST_BARS = 1024
_SHOWN = 24  # letters of a word that is none


def ids_of(velocity: NDArray[np.floating]) -> IntArray:
    """Velocities (..., 9) in the order of a pattern -> the numbers (...) whose bits are the words."""
    ids: IntArray = ((velocity[..., _VOICES] > 0) * _VALUES).sum(axis=-1)
    return ids


def hits_of(ids: IntArray) -> NDArray[np.bool_]:
    """The numbers (...) of words -> hits (..., 9) in the order of a pattern."""
    hits = np.zeros((*np.shape(ids), len(NINE)), dtype=bool)
    hits[..., _VOICES] = (np.asarray(ids)[..., None] & _VALUES) > 0
    return hits


def text_of(pattern: Pattern) -> str:
    """A pattern as drum text."""
    lines = []
    for bar in ids_of(pattern.velocity).reshape(pattern.bars, QUARTERS, -1):
        lines += [" ".join(f"{_MARK}{word:0{len(ORDER)}b}" for word in quarter) for quarter in bar.tolist()]
        lines.append(BAR)
    return "".join(line + "\n" for line in lines)


def pattern_of_text(text: str) -> Pattern:
    """The bars of drum text.

    Raises:
        NotationError: it is none; the line, the column, what is there and what was wanted.
    """
    bars: list[list[int]] = []
    bar: list[int] = []
    where = _Place(1, 1)
    for where, word in _words(text):
        if word == BAR:
            _check(bar, bars, where)
            bars.append(bar)
            bar = []
        elif _WORD.fullmatch(word):
            bar.append(int(word, 2))
        else:
            raise NotationError(f"{where}: {_wrong(word)}")
        if len(bar) > GRIDS[-1]:
            raise NotationError(f"{where}: a bar has more than {GRIDS[-1]} words; wanted {BAR} after {WANTED} of them")
    if bar:
        _check(bar, bars, where)
        bars.append(bar)
    if not bars:
        raise NotationError(f"there is no word in this text; wanted such as {_MARK}101000000, and {BAR} after a bar")
    if len(bars) > _MOST_BARS:
        raise NotationError(f"the text has {len(bars)} bars, wanted at most {_MOST_BARS}; cut it")
    return Pattern(hits_of(np.array(bars)) * np.float32(VELOCITY / 127))


def text_of_song(song: Song, drums: Part) -> str:
    """The drums of a song in 4/4 as drum text, on the coarsest grid on which they lie; if on none, on 24 places.

    Raises:
        OptionError: the song is not in 4/4 throughout.
    """
    bars = max(pattern_of_song(song, drums).bars, song.end // (QUARTERS * song.ticks_per_quarter))
    exact = _exact(drums, song.ticks_per_quarter, bars)
    return text_of(exact or pattern_of(drums, song.ticks_per_quarter, bars=bars))


def _exact(part: Part, ticks_per_quarter: int, bars: int) -> Pattern | None:
    """A drum part as the coarsest pattern on which all its hits lie exactly; None if there is none.

    `patterns.pattern_of` decides of each beat whether it is in sixteenths or triplets. A text may have both in one.
    """
    voice = NINE.voice_of[part.pitch]
    known = voice >= 0
    bar, within = np.divmod(part.onset[known] * TICKS, QUARTERS * TICKS * ticks_per_quarter)
    for places in GRIDS:
        ticks = ticks_of(places) * ticks_per_quarter
        place = np.searchsorted(ticks, within).clip(max=places - 1)
        if (ticks[place] == within).all():
            velocity = np.zeros((bars, places, len(NINE)), dtype=np.float32)
            velocity[bar, place, voice[known]] = 1
            return Pattern(velocity)
    return None


class _Place(NamedTuple):
    """Where a word stands, counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def _words(text: str) -> Iterator[tuple[_Place, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        for match in re.finditer(r"\S+", line):
            yield _Place(number, match.start() + 1), match[0]


def _check(bar: list[int], bars: list[list[int]], where: _Place) -> None:
    """Refuse a bar of a length that none has, or that the bars before it do not have."""
    if len(bar) not in GRIDS:
        raise NotationError(f"{where}: bar {len(bars) + 1} has {len(bar)} words, wanted {WANTED} in each bar")
    if bars and len(bar) != len(bars[0]):
        raise NotationError(
            f"{where}: bar {len(bars) + 1} has {len(bar)} words, and those before it {len(bars[0])}; wanted one number"
        )


def _wrong(word: str) -> str:
    wanted = f"{_MARK} and nine bits, for {', '.join(ORDER)}, or {BAR}"
    bits = word.removeprefix(_MARK)
    if word.startswith(_MARK) and not set(bits) - {"0", "1"}:
        return f"a word of {len(bits)} bits, {word[:_SHOWN]!r}; wanted {wanted}"
    return f"{word[:_SHOWN]!r} is no word of drum text; wanted {wanted}"
