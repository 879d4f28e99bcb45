"""Drum maps: on which notes a sampler has the pieces of the kit, and the way back.

Parts inside the project are General MIDI's standard kit. A map is for the last step, before a part is written for a
sampler that is laid out otherwise, and for the first, where a part comes from one. It knows notes and voices; it does
not know files of music, nor which sampler is there.

The table `tables/drum_maps.json` holds only samplers whose note numbers their makers publish. Whatever follows General
MIDI is "gm". All else is a map of one's own, a JSON file such as {"kick": 36, "snare": [38, 40], "clap": null}.

On the drum channel of General MIDI the program is the kit, and some kits have other pieces on some notes: brushes have
a slap where the standard kit has a clap. `tables/drum_kits.json` has these kits as maps: those of Roland GS and General
MIDI 2, and of Yamaha XG, which differ. A program that is not in it is the standard kit.
"""

from __future__ import annotations

import difflib
import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.music import theory
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray, Part, Song, loudest
from seq2drum.music.shown import Shown

GM = "gm"
SILENT = -1  # in place of a note: there is none
BRUSHES = 40  # the program of the kit that is struck with brushes
_DRUM_SETS = (0, 8, 16, 24, 25, 32, BRUSHES)  # standard, room, power, electronic, analog, jazz: in all standards
_TABLES = Path(__file__).parent / "tables"


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
        tick. A note that is no piece of the kit stays as it is, unless the sampler has a piece there. Of General MIDI,
        the part's program says which kit.
        """
        return _moved(part, self.of(part)._written, part.program, part.is_xg)

    def read(self, part: Part) -> Part:
        """A part for the sampler as General MIDI: the way back, exact for what was written as each voice's first note.

        Where voices share a note, it is read as the first of them in the kit; those that are moved go before. Of
        General MIDI, the part's program says which kit. It stays the part's program where the pieces of a drum set are
        on the standard notes; else the part is one for the standard kit.
        """
        kit = self.of(part)
        program, is_xg = (part.program, part.is_xg) if kit.is_standard else (0, False)
        return _moved(part, kit.standard, program, is_xg)

    def of(self, part: Part) -> DrumMap:
        """The map of a part: a sampler's is itself, General MIDI's that of the kit which the part's program is."""
        return kit_of(part.program, xg=part.is_xg) if self.name == GM else self

    def voices(self, part: Part) -> IntArray:
        """(notes,): the voice of the full kit that each note of a part is, -1 where it is none."""
        standard = self.of(part).standard[part.pitch]
        voices: IntArray = np.where(standard == SILENT, -1, FULL.voice_of[standard])
        return voices

    @property
    def is_standard(self) -> bool:
        """Whether each piece of a drum set, percussion aside, is written as in General MIDI's standard kit."""
        pairs = zip(FULL.voices, self.notes, strict=True)
        return all(notes[:1] == voice.notes[:1] for voice, notes in pairs if voice.nine)

    def kit_to_play(self, song: Song, *, brushes: bool = False, stays: bool = False) -> tuple[int, bool]:
        """The kit that new drums of a song are played on: its program, and whether it is one of Yamaha XG.

        Brushes where they are asked for. Else the kit of most of the song's own drum notes, if a drum set has the
        standard notes in it, or some of those notes stay; else the standard kit, which is all that some synthesisers
        have. A sampler has no programs.
        """
        if self.name != GM:
            return 0, False
        if brushes and not stays:
            return BRUSHES, False
        notes = Counter[tuple[int, bool]]()
        for index in theory.drum_parts(song):
            part = song.parts[index]
            notes[part.program, part.is_xg] += len(part)
        program, xg = max(notes, key=lambda kit: notes[kit], default=(0, False))
        return (program, xg) if stays or program in _DRUM_SETS else (0, False)

    @cached_property
    def _written(self) -> IntArray:
        """(128,): the sampler's note for each General MIDI note, SILENT where it has none."""
        table = np.arange(128)
        for note in range(128):
            voice = int(FULL.voice_of[note])
            if voice < 0:
                table[note] = SILENT if any(note in own for own in self.notes) else note
            elif self.notes[voice] != FULL.voices[voice].notes:
                table[note] = self.notes[voice][0] if self.notes[voice] else SILENT
        return table

    @cached_property
    def standard(self) -> IntArray:
        """(128,): the General MIDI note for each of the sampler's, SILENT where it has no piece of the kit."""
        table = np.where(FULL.voice_of < 0, np.arange(128), SILENT)
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
    return tuple(_table("drum_maps.json"))


def load(name_or_path: str | os.PathLike[str]) -> DrumMap:
    """A map by its name, or from a JSON file of one's own: voices and their notes, those that are missing as in GM.

    Raises:
        OptionError: there is no such map, or the file is none.
    """
    name = os.fspath(name_or_path)
    if name in (table := _table("drum_maps.json")):
        return _parsed(name, table[name]["notes"])
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
def kit_of(program: int, *, xg: bool = False) -> DrumMap:
    """The kit that a program is on the drum channel: of Yamaha XG, or of Roland GS and General MIDI 2."""
    rows = _table("drum_kits.json").items()
    found = (name for name, row in rows if row["xg"] == xg and program in row["programs"])
    name = next(found, None)
    return load(GM) if name is None else _parsed(name, _table("drum_kits.json")[name]["notes"])


def drum_parts(song: Song, drum_map: DrumMap | None = None) -> list[Part]:
    """A song's parts on the drum channel, on the notes of the standard kit; the map they are on is General MIDI's."""
    return [(drum_map or load(GM)).read(song.parts[index]) for index in theory.drum_parts(song)]


@cache
def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = json.loads((_TABLES / name).read_text(encoding="utf-8"))
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


def _moved(part: Part, table: IntArray, program: int, is_xg: bool) -> Part:
    moved = table[part.pitch]
    if np.array_equal(moved, part.pitch):
        same = (part.program, part.is_xg) == (program, is_xg)
        return part if same else replace(part, program=program, is_xg=is_xg)
    rows = part.rows.copy()
    rows[:, 2] = moved
    rows = loudest(rows[moved != SILENT])
    return Part.of(rows, program=program, name=part.name, is_drums=part.is_drums, is_xg=is_xg)
