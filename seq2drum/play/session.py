"""A take as a session wants it: with a count-in and a click, and with a track for each group of pieces.

It moves and sorts what a take has; it plays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from seq2drum.music import duet
from seq2drum.music.choices import FAMILIES, check_number
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.kit import FULL
from seq2drum.music.notes import NO_PEDAL, Metre, Part, Song
from seq2drum.music.options import SESSION, BaseSession
from seq2drum.music.shown import Shown

GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Kick": ("kick",),
        "Snare": ("snare", "side stick"),
        "Hats": FAMILIES["hats"],
        "Toms": FAMILIES["toms"],
        "Cymbals": FAMILIES["cymbals"],
        "Percussion": FAMILIES["percussion"],
    }
)
"""The pieces of each track of a take that is split, by the track's name. What is no piece is with the percussion."""

RING = 4.0
"""Seconds that a cymbal of the last bar is held."""
RINGING = (*FAMILIES["cymbals"], "open hat")

_GROUP_OF = np.array([next(at for at, names in enumerate(GROUPS.values()) if name in names) for name in FULL.names])


@dataclass(frozen=True, slots=True)
class Session(BaseSession, Shown):
    """Parts of a file beside the drums; `music.options.BaseSession` has the fields.

    split: each of GROUPS has a track of its own. tail: cymbals of the last bar ring on behind it, and the file lasts
    until they have rung out.
    """

    def __post_init__(self) -> None:
        check_number(SESSION["count_in"], self.count_in, "the count-in")


PLAIN = Session()
"""Nothing beside the drums."""


@dataclass(frozen=True)
class Delivery(Shown):
    """A song and its drums as they go into a file.

    song: moved behind the count-in, with its own parts. drums: one part, or one for each group that is played. click:
    the click, or none. shift: by how many ticks all was moved. metres: see `counting.Counted`.
    """

    song: Song
    drums: tuple[Part, ...]
    click: tuple[Part, ...] = ()
    shift: int = 0
    metres: tuple[Metre, ...] = ()


def delivered(song: Song, part: Part, drum_map: DrumMap, session: Session) -> Delivery:
    """Return the song and its drums, on the notes of a drum map, as a session delivers them."""
    shift, its_metres = 0, tuple[Metre, ...]()
    if session.count_in:
        counted = duet.counted_in(song, session.count_in)
        song, shift, its_metres = counted.song, counted.shift, counted.metres
        sticks = drum_map.apply(Part.of(counted.hits, program=part.program, is_drums=True, is_xg=part.is_xg))
        moved = duet.later(part, shift)
        part = replace(
            Part.of(np.concatenate([sticks.rows, moved.rows]), program=part.program, name=part.name, is_drums=True),
            is_xg=part.is_xg,
            pedal=moved.pedal,
        )
    click = (duet.click(song),) if session.click else ()
    if session.tail:
        part = ringing(song, part, drum_map)
        song = replace(song, length=max(song.end, part.end))
    drums = split(part, drum_map) if session.split else (part,)
    return Delivery(song, drums, click, shift, its_metres)


def ringing(song: Song, part: Part, drum_map: DrumMap) -> Part:
    """The drums with the cymbals that are struck in the last bar held for RING seconds."""
    tempo = song.tempo_at(song.end)
    held = round(RING * 1_000_000 / tempo.microseconds * song.ticks_per_quarter)
    cymbals = np.isin(drum_map.voices(part), FULL.voices_named(RINGING)) & (part.onset >= song.bars()[-1].start)
    longest = np.where(cymbals, np.maximum(part.duration, held), part.duration)
    return replace(part, duration=longest)


def split(part: Part, drum_map: DrumMap) -> tuple[Part, ...]:
    """Drums as a part for each of GROUPS that is played; together they have the notes of the part, and no others."""
    voices = drum_map.voices(part)
    groups = np.where(voices < 0, len(GROUPS) - 1, _GROUP_OF[voices])
    parts = []
    for group, name in enumerate(GROUPS):
        rows = part.rows[groups == group]
        if len(rows):
            pedal = part.pedal if name == "Hats" else NO_PEDAL
            own = Part.of(rows, program=part.program, name=name, is_drums=True, is_xg=part.is_xg)
            parts.append(replace(own, pedal=pedal))
    return tuple(parts)
