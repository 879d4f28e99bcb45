"""A take as a session needs it: with a count-in and a click, and with a track for each group of pieces.

It moves and sorts the notes of a take, and plays nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.music import duet
from seq2drum.music.choices import FAMILIES, check_number
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.file_options import SESSION, BaseSession
from seq2drum.music.kit import FULL
from seq2drum.music.notes import NO_PEDAL, Metre, Part, Song
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
"""The pieces of each track of a split take, by the track's name. Other notes go with the percussion."""

RING = 4.0
"""Seconds that the cymbals of the last bar ring."""
RINGING = (*FAMILIES["cymbals"], "open hat")

_GROUP_OF = np.array([next(at for at, names in enumerate(GROUPS.values()) if name in names) for name in FULL.names])


@dataclass(frozen=True, slots=True)
class Session(BaseSession, Shown):
    """Parts of a file beside the drums; `music.file_options.BaseSession` has the fields.

    split: one track for each of GROUPS. channels: these are not on the drum channel, but on one each. tail: the cymbals
    of the last bar ring out, and the file lasts as long.
    """

    def __post_init__(self) -> None:
        check_number(SESSION["count_in"], self.count_in, "the count-in")
        if self.channels and not self.split:
            raise OptionError("channels are for the tracks of a split take; add --split")


PLAIN = Session()
"""True if the session adds nothing to the drums."""


@dataclass(frozen=True)
class Delivery(Shown):
    """A song and its drums as they go into a file.

    song: its own parts, moved behind the count-in. drums: one part, or one for each group with notes. click: the click
    or None. shift: the length of the count-in in ticks. metres: see `counting.Counted`.
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
    """The drums with the cymbals of the last bar held for RING seconds."""
    tempo = song.tempo_at(song.end)
    held = round(RING * 1_000_000 / tempo.microseconds * song.ticks_per_quarter)
    cymbals = np.isin(drum_map.voices(part), FULL.voices_named(RINGING)) & (part.onset >= song.bars()[-1].start)
    longest = np.where(cymbals, np.maximum(part.duration, held), part.duration)
    return replace(part, duration=longest)


def split(part: Part, drum_map: DrumMap) -> tuple[Part, ...]:
    """Drums as one part for each of GROUPS with notes, which together have all notes."""
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
