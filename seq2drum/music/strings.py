"""Pickups with a channel for each string: which parts of a song are the strings of one guitar."""

from __future__ import annotations

import re
from collections import defaultdict

import numpy as np

from seq2drum.music.notes import Part, Song

STRINGS = range(5, 8)
"""How many parts are the strings of one guitar: six, one more, or one that was never struck."""
_LOWEST, _HIGHEST = 28, 100  # MIDI pitches of seven strings, and of the last fret with a bend
_TOGETHER = 0.05  # the share of notes that may begin while another of the string sounds: converters are late at times
_NUMBER = re.compile(r"[\s#._-]*\d+$")


def hex_pickup(song: Song) -> tuple[int, ...]:
    """The parts that are the strings of one guitar, as indices into `Song.parts`; none where there is no such group.

    They have one name, but for a number behind it, and one program; each plays one note at a time, none of them below
    or above a guitar; and from each part to the next they go the same way, up or down.
    """
    groups = defaultdict[tuple[str, int], list[int]](list)
    for index, part in enumerate(song.parts):
        if len(part) and not part.is_drums:
            groups[_NUMBER.sub("", part.name.strip().casefold()), part.program].append(index)
    for indices in groups.values():
        strings = [song.parts[index] for index in indices]
        if len(strings) in STRINGS and all(map(_is_string, strings)) and _in_order(strings):
            return tuple(indices)
    return ()


def _is_string(part: Part) -> bool:
    """Whether a part sounds as one string does."""
    in_range = part.pitch.min() >= _LOWEST and part.pitch.max() <= _HIGHEST
    begun = part.onset[1:] < (part.onset + part.duration * 3 // 4)[:-1]  # a new note cuts the tail of the one before
    return bool(in_range and np.count_nonzero(begun) <= _TOGETHER * len(part))


def _in_order(strings: list[Part]) -> bool:
    steps = np.sign(np.diff([float(np.median(part.pitch)) for part in strings]))
    return bool((steps == steps[0]).all() and steps[0])
