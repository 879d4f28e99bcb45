"""Drum maps: a sampler's notes for the pieces of the kit, and the way back.

Parts inside the project are General MIDI's standard kit. A map is for the last step, before a part is written for a
sampler with another layout, and for the first, where a part comes from one. It knows notes and voices; it knows
neither files of music nor the sampler in use.

Each file of `tables/drum_maps/` is a map; it names its product, the source of its notes (the maker's document, or
collections that agree), and whether it was tried in the product. Products that follow General MIDI are "gm". A map of
one's own is such a file, or its notes alone: {"kick": 36, "snare": [38, 40], "clap": null}.

On the drum channel of General MIDI the program is the kit, and some kits have other pieces on some notes: brushes
have a slap where the standard kit has a clap. Maps with programs are such kits: those of Roland GS and General MIDI
2, and of Yamaha XG, which differ. A program outside them is the standard kit.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from seq2drum.errors import InputError, OptionError
from seq2drum.music import choices, theory
from seq2drum.music.explanation import Swap
from seq2drum.music.kit import FULL
from seq2drum.music.notes import NO_PEDAL, IntArray, Part, Song, loudest
from seq2drum.music.shown import Shown
from seq2drum.system import files

GM = "gm"
SILENT = -1  # in place of a note: the piece is missing
BRUSHES = 40  # the program of the brush kit
_DRUM_SETS = (0, 8, 16, 24, 25, 32, BRUSHES)  # standard, room, power, electronic, analog, jazz: in all standards
_MOST_BYTES = 1 << 20  # of a user's file
_SUCH_AS = 'a table such as {"kick": 36, "snare": [38, 40]}'
_KITS = ("gs-", "xg-")  # prefixes of the names of kits with programs
_TABLES = Path(__file__).parent / "tables" / "drum_maps"
_CONGAS = ("high conga", "low conga", "mute conga", "high bongo", "low bongo")
_BONGOS = ("high bongo", "low bongo", "high conga", "low conga", "mute conga")
_NEAREST = MappingProxyType(
    {
        "side stick": ("snare",),
        "low tom": ("mid tom", "high tom"),
        "mid tom": ("high tom", "low tom"),
        "high tom": ("mid tom", "low tom"),
        "bell": ("ride",),
        "ride": ("bell",),
        "open hat": ("closed hat",),
        "closed hat": ("pedal hat",),
        "pedal hat": ("closed hat",),
        "shaker": ("cabasa",),
        "cabasa": ("shaker",),
        "high conga": _CONGAS,
        "low conga": ("low conga", *_CONGAS),
        "mute conga": _CONGAS,
        "high bongo": _BONGOS,
        "low bongo": ("low bongo", *_BONGOS),
    }
)
"""The substitutes of a missing piece, the nearest first. Pieces without an entry are left out."""
_HATS = tuple(FULL.names.index(name) for name in ("open hat", "closed hat", "pedal hat"))


@dataclass(frozen=True, slots=True)
class Pedal:
    """The values of controller 4, the hi-hat's pedal, for the closed and the open hat.

    steers: the notes that are a closed or an open hat depending on the pedal; they are listed with the open hat's.
    sent: the pedal is written with each hit of a hat.
    """

    closed: int
    open: int
    steers: tuple[int, ...] = ()
    sent: bool = False


@dataclass(frozen=True)
class DrumMap(Shown):
    """A sampler's notes for the voices of `kit.FULL`, in their order.

    notes: by voice, the note it is written as, then the others that are read as it; empty if the sampler lacks the
    piece. programs: of a kit of General MIDI's, GS's or XG's (is_xg), its programs. about: the product. source: of the
    notes. tried: whether in the product itself.
    """

    name: str
    notes: tuple[tuple[int, ...], ...]
    pedal: Pedal | None = None
    programs: tuple[int, ...] = ()
    is_xg: bool = False
    about: str = ""
    source: str = ""
    tried: bool = False

    def apply(self, part: Part) -> Part:
        """A General MIDI part for the sampler. Pitches change, and the program if the map is a kit's.

        Hits of a piece that the sampler lacks go to the nearest piece that it has, or are left out, see `swaps`. The
        softer of two on one note at one tick is left out. A note outside the kit stays as it is, unless the sampler has
        a piece there. In General MIDI, the part's program selects the kit.
        """
        kit = self.of(part)
        program, is_xg = (self.programs[0], self.is_xg) if self.programs else (part.program, part.is_xg)
        moved = _moved(part, kit._written[part.pitch], program, is_xg)
        return replace(moved, pedal=kit._sent(moved)) if self.pedal and self.pedal.sent else moved

    def read(self, part: Part) -> Part:
        """A part for the sampler as General MIDI: the way back, exact for notes written as each voice's first note.

        A note shared by several voices is read as the first of them in the kit, preferring those that are moved. In
        General MIDI, the part's program selects the kit. It stays the part's program if the pieces of a drum set are on
        the standard notes; else the part is one for the standard kit.
        """
        kit = self.of(part)
        program, is_xg = (part.program, part.is_xg) if kit.is_standard else (0, False)
        read = _moved(part, self.meant(part), program, is_xg)
        return read if self.name == GM or not len(read.pedal) else replace(read, pedal=NO_PEDAL)

    def of(self, part: Part) -> DrumMap:
        """The map of a part: a sampler's own, or General MIDI's kit of the part's program."""
        return kit_of(part.program, xg=part.is_xg) if self.name == GM else self

    def meant(self, part: Part) -> IntArray:
        """(notes,): the General MIDI note of each note of a part, SILENT outside the kit."""
        kit = self.of(part)
        notes: IntArray = kit.standard[part.pitch]
        if kit.pedal is None or not (kit.pedal.steers and len(part.pedal)):
            return notes
        latest = np.searchsorted(part.pedal[:, 0], part.onset, side="right") - 1
        position = np.where(latest < 0, kit.pedal.open, part.pedal[latest, 1])
        closed = np.abs(position - kit.pedal.closed) < np.abs(position - kit.pedal.open)
        steered = np.isin(part.pitch, kit.pedal.steers)
        return np.where(steered & closed, FULL.voices[FULL.names.index("closed hat")].notes[0], notes)

    def voices(self, part: Part) -> IntArray:
        """(notes,): the voice of the full kit of each note of a part, -1 without one."""
        meant = self.meant(part)
        voices: IntArray = np.where(meant == SILENT, -1, FULL.voice_of[meant])
        return voices

    def swaps(self, part: Part) -> tuple[Swap, ...]:
        """The hits of a General MIDI part whose piece the sampler lacks, by piece in the kit's order."""
        players = {voice: player for voice, player in enumerate(self.of(part)._players) if player != voice}
        if not players:
            return ()
        voices = FULL.voice_of[part.pitch]
        counts = np.bincount(voices[voices >= 0], minlength=len(FULL)).tolist()
        return tuple(
            Swap(FULL.names[voice], "" if player is None else FULL.names[player], counts[voice])
            for voice, player in players.items()
            if counts[voice]
        )

    @property
    def is_standard(self) -> bool:
        """True if each piece of a drum set, percussion aside, is written as in General MIDI's standard kit."""
        pairs = zip(FULL.voices, self.notes, strict=True)
        return all(notes[:1] == voice.notes[:1] for voice, notes in pairs if voice.nine)

    def kit_to_play(self, song: Song, *, brushes: bool = False, stays: bool = False) -> tuple[int, bool]:
        """The kit for new drums of a song: its program, and whether it is one of Yamaha XG.

        Brushes if requested. Else the kit of most of the song's own drum notes, if it is standard for a drum set, or if
        some of those notes stay; else the standard kit, the only one of some synthesisers. A sampler has no programs; a
        requested kit has its own.
        """
        if self.name != GM:
            return (self.programs[0], self.is_xg) if self.programs else (0, False)
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
                player = self._players[voice]
                table[note] = SILENT if player is None else self.notes[player][0]
        return table

    @cached_property
    def _players(self) -> list[int | None]:
        """The voice that plays each: itself, or the nearest that the sampler has; None without one."""
        near = (FULL.voices_named((name, *_NEAREST.get(name, ()))) for name in FULL.names)
        return [next((voice for voice in voices if self.notes[voice]), None) for voices in near]

    def _sent(self, part: Part) -> IntArray:
        """(positions, 2): ticks and values of the pedal at each hit of a hat of a part for the sampler."""
        if self.pedal is None:
            return NO_PEDAL
        open_, *closed = (self.notes[hat][:1] for hat in _HATS)
        is_open = np.isin(part.pitch, open_)
        is_hat = is_open | np.isin(part.pitch, [note for notes in closed for note in notes])
        values = np.where(is_open, self.pedal.open, self.pedal.closed)
        ticks, first = np.unique(part.onset[is_hat], return_index=True)
        return np.column_stack([ticks, values[is_hat][first]])

    @cached_property
    def standard(self) -> IntArray:
        """(128,): the General MIDI note of each of the sampler's, SILENT without a piece of the kit."""
        table = np.where(FULL.voice_of < 0, np.arange(128), SILENT)
        claims = []
        for place, (voice, notes) in enumerate(zip(FULL.voices, self.notes, strict=True)):
            same = notes == voice.notes
            for rank, note in enumerate(notes):
                claims.append((same, rank > 0, place, note, note if same else voice.notes[0]))
        # The first claim is written last, and stays: moved notes win over those left in place,
        # and a voice's written note over another's extra note.
        for *_, note, meant in sorted(claims, reverse=True):
            table[note] = meant
        return table


@cache
def names() -> tuple[str, ...]:
    """All maps: "gm", samplers and modules, and the kits of General MIDI's, GS's and XG's programs."""
    stems = [file.stem for file in _TABLES.glob("*.json")]
    return tuple(sorted(stems, key=lambda name: (name != GM, name.startswith(_KITS), name)))


def load(name_or_path: str | os.PathLike[str]) -> DrumMap:
    """A map by its name, or from a user's JSON file: in the package's format, or its notes alone.

    Voices missing in it are as in General MIDI.

    Raises:
        OptionError: no such map, or not a drum map.
    """
    name = os.fspath(name_or_path)
    if name == GM or name in names():
        return _shipped(name)
    if not name.lower().endswith(".json"):
        there = choices.instead(name, names())
        stop = "" if there.endswith("?") else "."
        raise OptionError(f"there is no drum map {name!r}; {there}{stop} A file of your own is FILE.json")
    try:
        held = json.loads(files.read_file(name, _MOST_BYTES, "drum map").decode())
    except InputError as error:
        raise OptionError(f"the drum map: {error}") from None
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the drum map {name!r} is not a JSON file ({error}); wanted {_SUCH_AS}") from None
    return _parsed(name, held)


@cache
def kit_of(program: int, *, xg: bool = False) -> DrumMap:
    """The kit of a program on the drum channel: of Yamaha XG, or of Roland GS and General MIDI 2."""
    kits = (_shipped(name) for name in names() if name.startswith(_KITS[xg]))
    return next((kit for kit in kits if program in kit.programs), _shipped(GM))


def drum_parts(song: Song, drum_map: DrumMap | None = None) -> list[Part]:
    """A song's drums on the notes of the standard kit. drum_map: the song's; General MIDI's by default."""
    return [(drum_map or load(GM)).read(song.parts[index]) for index in theory.drum_parts(song)]


def joined(song: Song, drum_map: DrumMap | None = None) -> Part:
    """All parts as one."""
    rows = [part.rows for part in drum_parts(song, drum_map)]
    return Part.of(np.concatenate([np.empty((0, 4), np.int64), *rows]), is_drums=True)


@cache
def _shipped(name: str) -> DrumMap:
    return _parsed(name, json.loads((_TABLES / f"{name}.json").read_text(encoding="utf-8")))


# --- a file -----------------------------------------------------------------------------------------------------------


def _parsed(name: str, held: object) -> DrumMap:
    """The map of a file: {"notes": {...}} with other fields, or the notes alone."""
    if not isinstance(held, Mapping):
        raise OptionError(f"the drum map {name!r} should be {_SUCH_AS}")
    if not isinstance(held.get("notes"), Mapping):
        return DrumMap(name, _all_notes(name, held))
    wanted = {
        "for": str,
        "source": str,
        "tried": bool,
        "programs": list,
        "xg": bool,
        "pedal": Mapping,
        "notes": Mapping,
    }
    for key, value in held.items():
        _check_field(name, key, value, wanted)
    notes, programs = _all_notes(name, held["notes"]), _notes(name, "programs", held.get("programs"))
    facts = {
        field: held[key] for key, field in (("for", "about"), ("source", "source"), ("tried", "tried")) if key in held
    }
    return DrumMap(name, notes, _pedal(name, held.get("pedal")), programs, held.get("xg", False), **facts)


def _check_field(name: str, key: str, value: object, wanted: Mapping[str, type]) -> None:
    if key not in wanted:
        raise OptionError(f"the drum map {name!r} has a field {key!r}; there are {', '.join(wanted)}")
    if not isinstance(value, wanted[key]):
        kinds = {str: "a text", bool: "true or false", list: "a list of numbers", Mapping: "a table"}
        raise OptionError(f"the drum map {name!r} has {json.dumps(value)} for {key!r}, wanted {kinds[wanted[key]]}")


def _pedal(name: str, held: Mapping[str, Any] | None) -> Pedal | None:
    if held is None:
        return None
    wanted = {"closed": int, "open": int, "steers": list, "sent": bool}
    if not {"closed", "open"} <= held.keys() <= wanted.keys():
        raise OptionError(f"the pedal of the drum map {name!r} has {', '.join(held)}; there are {', '.join(wanted)}")
    (closed,), (opened,) = (_notes(name, key, [held[key]]) for key in ("closed", "open"))
    return Pedal(closed, opened, _notes(name, "steers", held.get("steers")), held.get("sent", False) is True)


def _all_notes(name: str, held: Mapping[str, Any]) -> tuple[tuple[int, ...], ...]:
    """The notes of each voice; General MIDI's for missing voices."""
    for key in held:
        if key not in FULL.names:
            raise OptionError(f"the drum map {name!r} names a voice {key!r}; {choices.instead(key, FULL.names)}")
    return tuple(
        _notes(name, voice.name, held[voice.name]) if voice.name in held else voice.notes for voice in FULL.voices
    )


def _notes(name: str, voice: str, value: object) -> tuple[int, ...]:
    notes = [] if value is None else value if isinstance(value, list) else [value]
    for note in notes:
        if not isinstance(note, int) or isinstance(note, bool) or not 0 <= note <= 127:
            raise OptionError(
                f"the drum map {name!r} has {json.dumps(note)} for {voice!r}, wanted a note from 0 to 127, a list of "
                "them, or null for a piece that is not there"
            )
    return tuple(dict.fromkeys(notes))


def _moved(part: Part, pitch: IntArray, program: int, is_xg: bool) -> Part:
    if np.array_equal(pitch, part.pitch):
        same = (part.program, part.is_xg) == (program, is_xg)
        return part if same else replace(part, program=program, is_xg=is_xg)
    rows = part.rows.copy()
    rows[:, 2] = pitch
    rows = loudest(rows[pitch != SILENT])
    moved = Part.of(rows, program=program, name=part.name, is_drums=part.is_drums, is_xg=is_xg)
    return replace(moved, pedal=part.pedal) if len(part.pedal) else moved
