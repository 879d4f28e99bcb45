"""Drum maps: on which notes a sampler has the pieces of the kit, and the way back.

Parts inside the project are General MIDI. A map is for the last step, before a part is written for a sampler that is
laid out otherwise, and for the first, where a part comes from one. It knows notes and voices; it does not know files of
music, nor which sampler is there.

The table `tables/drum_maps.json` holds only samplers whose note numbers their makers publish. Whatever follows General
MIDI is "gm". All else is a map of one's own, a JSON file such as {"kick": 36, "snare": [38, 40], "clap": null}.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray, Part, loudest
from seq2drum.music.shown import Shown

GM = "gm"
_TABLE = Path(__file__).parent / "tables" / "drum_maps.json"
_SILENT = -1


@dataclass(frozen=True)
class DrumMap(Shown):
    """A sampler's notes for the voices of `kit.FULL`, in their order.

    notes: of each voice, the note it is written as and after it the others that are read as it; none if the sampler has
    no such piece.
    """

    name: str
    notes: tuple[tuple[int, ...], ...]

    def apply(self, part: Part) -> Part:
        """A General MIDI part as the sampler wants it. Only pitches change.

        Left out are hits of pieces that the sampler does not have, and the softer of two that fall on one note at one
        tick. A note that is no piece of the kit stays as it is, unless the sampler has a piece there.
        """
        return _moved(part, self._written)

    def read(self, part: Part) -> Part:
        """A part for the sampler as General MIDI: the way back, exact for what was written as each voice's first note.

        Where voices share a note, it is read as the first of them in the kit; those that are moved go before.
        """
        return _moved(part, self.standard)

    @cached_property
    def _written(self) -> IntArray:
        """(128,): the sampler's note for each General MIDI note, _SILENT where it has none."""
        table = np.arange(128)
        for note in range(128):
            voice = int(FULL.voice_of[note])
            if voice < 0:
                table[note] = _SILENT if any(note in own for own in self.notes) else note
            elif self.notes[voice] != FULL.voices[voice].notes:
                table[note] = self.notes[voice][0] if self.notes[voice] else _SILENT
        return table

    @cached_property
    def standard(self) -> IntArray:
        """(128,): the General MIDI note for each of the sampler's, _SILENT where it has no piece of the kit."""
        table = np.where(FULL.voice_of < 0, np.arange(128), _SILENT)
        claims = []
        for place, (voice, notes) in enumerate(zip(FULL.voices, self.notes, strict=True)):
            same = notes == voice.notes
            for rank, note in enumerate(notes):
                claims.append((same, rank > 0, place, note, note if same else voice.notes[0]))
        # The first claim is written last, and stays: a note that the map moves goes before one that it leaves in place,
        # and what a voice is written as before what another is read as.
        for *_, note, meant in sorted(claims, reverse=True):
            table[note] = meant
        return table


def names() -> tuple[str, ...]:
    """The maps that there are, "gm" first."""
    return tuple(_table())


def load(name_or_path: str | os.PathLike[str]) -> DrumMap:
    """A map by its name, or from a JSON file of one's own: voices and their notes, those that are missing as in GM.

    Raises:
        OptionError: there is no such map, or the file is none.
    """
    name = os.fspath(name_or_path)
    if name in _table():
        return _parsed(name, _table()[name]["notes"])
    if not name.lower().endswith(".json"):
        raise OptionError(
            f"there is no drum map {name!r}; there are {', '.join(names())}, and files of your own: FILE.json"
        )
    try:
        held = json.loads(Path(name).read_text(encoding="utf-8"))
    except OSError as error:
        raise OptionError(f"the drum map {name!r} cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the drum map {name!r} is no JSON file: {error}") from None
    return _parsed(name, held)


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table


def _parsed(name: str, held: object) -> DrumMap:
    if not isinstance(held, Mapping):
        raise OptionError(f'the drum map {name!r} should be a table such as {{"kick": 36, "snare": [38, 40]}}')
    for key in held:
        if key not in FULL.names:
            near = difflib.get_close_matches(key, FULL.names, n=1)
            meant = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(FULL.names)}"
            raise OptionError(f"the drum map {name!r} names a voice {key!r}; {meant}")
    notes = (_notes(name, voice.name, held[voice.name]) if voice.name in held else voice.notes for voice in FULL.voices)
    return DrumMap(name, tuple(notes))


def _notes(name: str, voice: str, value: object) -> tuple[int, ...]:
    notes = [] if value is None else value if isinstance(value, list) else [value]
    for note in notes:
        if not isinstance(note, int) or isinstance(note, bool) or not 0 <= note <= 127:
            raise OptionError(
                f"the drum map {name!r} has {json.dumps(note)} for {voice!r}, wanted a note from 0 to 127, a list of "
                "them, or null for a piece that is not there"
            )
    return tuple(dict.fromkeys(notes))


def _moved(part: Part, table: IntArray) -> Part:
    moved = table[part.pitch]
    if np.array_equal(moved, part.pitch):
        return part
    rows = part.rows.copy()
    rows[:, 2] = moved
    return Part.of(loudest(rows[moved != _SILENT]), program=part.program, name=part.name, is_drums=part.is_drums)
