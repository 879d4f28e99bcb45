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
_NAMED = range(2, 8)  # likewise where the name is that of a pickup: a riff needs no more
_PICKUPS = re.compile(
    r"\b(gk(-?\d\w*)?|gr-?\d\d+|gi-?[12]0|gp-?10|vg-?\d+|sy-?(300|1000)|hex(aphonic)?|triple ?play|jamstik|axon)\b"
)
"""The names of pickups with a channel for each string, and of what is played by them."""
_OPEN = (64, 59, 55, 50, 45, 40, 35)  # MIDI pitches of seven strings
_FRETS, _MOST_DOWN = 24, 5  # semitones that a string goes up, and that it is tuned down
_NUMBER = re.compile(r"[\s#._-]*\d+$")


def hex_pickup(song: Song) -> tuple[int, ...]:
    """The parts that are the strings of one guitar, as indices into `Song.parts`; none where there is no such group.

    They have one name, but for a number behind it, and one program, and none of them has notes below or above a guitar.
    If the name is that of a pickup or of its synthesiser, that is enough. Else each plays one note at a time, and from
    each part to the next they go the same way, up or down; or no program is chosen, and each stays on its string.
    """
    groups = defaultdict[tuple[str, int], list[int]](list)
    for index, part in enumerate(song.parts):
        if len(part) and not part.is_drums:
            groups[_NUMBER.sub("", part.name.strip().casefold()), part.program].append(index)
    for (_, program), indices in groups.items():
        strings = [song.parts[index] for index in indices]
        if not all(map(_is_in_range, strings)):
            continue
        is_named = bool(_PICKUPS.search(strings[0].name.casefold()))
        if is_named and len(strings) in _NAMED:
            return tuple(indices)
        if len(strings) not in STRINGS or not all(map(_is_string, strings)):
            continue
        if _in_order(strings) or (program == 0 and (_on_strings(strings) or _on_strings(strings[::-1]))):
            return tuple(indices)
    return ()


def _is_in_range(part: Part) -> bool:
    return bool(part.pitch.min() >= _LOWEST and part.pitch.max() <= _HIGHEST)


def _is_string(part: Part) -> bool:
    """Whether a part sounds as one string does."""
    begun = part.onset[1:] < (part.onset + part.duration * 3 // 4)[:-1]  # a new note cuts the tail of the one before
    return bool(np.count_nonzero(begun) <= _TOGETHER * len(part))


def _in_order(strings: list[Part]) -> bool:
    steps = np.sign(np.diff([float(np.median(part.pitch)) for part in strings]))
    return bool((steps == steps[0]).all() and steps[0])


def _on_strings(strings: list[Part]) -> bool:
    """Whether each part, the highest string first, is on the frets of its string, all tuned down alike."""
    return any(
        all(
            open_pitch - down <= part.pitch.min() and part.pitch.max() <= open_pitch - down + _FRETS
            for part, open_pitch in zip(strings, _OPEN, strict=False)
        )
        for down in range(_MOST_DOWN + 1)
    )
