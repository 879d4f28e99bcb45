"""A musician's knowledge: guitar parts, drum parts, and the roots of chords.

The knowledge is music21's, extracted once by `tests/music/make_tables.py` into small tables; music21 is not imported
here.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import NoGuitarError, NoNotesError, PartNotFoundError
from seq2drum.music.notes import Part, Song
from seq2drum.music.shown import one_line

STRINGS = range(5, 8)
"""Numbers of parts that can be the strings of one guitar: six, one more, or without one that was never struck."""
_LOWEST, _HIGHEST = 28, 100  # MIDI pitches of seven strings, and of the last fret with a bend
_TOGETHER = 0.05  # share of notes that can begin while another of the string sounds: converters are sometimes late
_NAMED = range(2, 8)  # numbers of parts if the name is that of a pickup: a riff needs no more
_PICKUPS = re.compile(
    r"\b(gk(-?\d\w*)?|gr-?\d\d+|gi-?[12]0|gp-?10|vg-?\d+|sy-?(300|1000)|hex(aphonic)?|triple ?play|jamstik|axon)\b"
)
"""The names of pickups with a channel for each string, and of their synthesisers."""
_OPEN = (64, 59, 55, 50, 45, 40, 35)  # MIDI pitches of seven strings
_FRETS, _MOST_DOWN = 24, 5  # frets of a string, and semitones that it can be tuned down
_STRING = re.compile(
    r"(?<![^\W_])(([a-h][#b♯♭]?|\d+(st|nd|rd|th)?)\d?|low|high|tief|hoch|str(ing)?|saite|corde|corda|cuerda)(?![^\W_])"
    r"|\d+$"
)
"""What names a string, beside the name of its guitar: its number or note, and the word "string" in some languages."""
_SIGNS = re.compile(r"[\s#._()/:-]+")


def hex_pickup(song: Song) -> tuple[int, ...]:
    """The parts that are the strings of one guitar, as indices into `Song.parts`; empty without such a group.

    They have one name, except for the number or the note of a string, and one program, and none of them has notes below
    or above a guitar. If the name is that of a pickup or of its synthesiser, that is enough. Else each plays one note
    at a time, and from each part to the next they go the same way, up or down; or no program is chosen, and each stays
    on its string.
    """
    groups = defaultdict[tuple[str, int], list[int]](list)
    for index, part in enumerate(song.parts):
        if len(part) and not part.is_drums:
            groups[_SIGNS.sub("", _STRING.sub("", part.name.casefold())), part.program].append(index)
    for (_, program), indices in groups.items():
        strings = [song.parts[index] for index in indices]
        if any(part.pitch.min() < _LOWEST or part.pitch.max() > _HIGHEST for part in strings):
            continue
        is_named = bool(_PICKUPS.search(strings[0].name.casefold()))
        if is_named and len(strings) in _NAMED:
            return tuple(indices)
        if len(strings) not in STRINGS or not all(map(_is_string, strings)):
            continue
        steps = np.sign(np.diff([float(np.median(part.pitch)) for part in strings]))
        is_one_way = bool((steps == steps[0]).all() and steps[0])
        if is_one_way or (program == 0 and (_on_strings(strings) or _on_strings(strings[::-1]))):
            return tuple(indices)
    return ()


def _is_string(part: Part) -> bool:
    """Return whether a part sounds as one string does."""
    begun = part.onset[1:] < (part.onset + part.duration * 3 // 4)[:-1]  # a new note cuts the tail of the last
    return bool(np.count_nonzero(begun) <= _TOGETHER * len(part))


def _on_strings(strings: list[Part]) -> bool:
    """Return whether each part, the highest string first, is on the frets of its string, all tuned down alike."""
    return any(
        all(
            open_pitch - down <= part.pitch.min() and part.pitch.max() <= open_pitch - down + _FRETS
            for part, open_pitch in zip(strings, _OPEN, strict=False)
        )
        for down in range(_MOST_DOWN + 1)
    )


_TABLES = Path(__file__).parent / "tables"
GUITAR_PROGRAMS = range(24, 32)
BASS_PROGRAMS = range(32, 40)
PITCH_CLASSES = ("C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B")
# A part with a program of these is never a guitar, by any name: basses; percussive sounds and effects, where
# program 120 is "guitar fret noise".
NEVER_BY_NAME = frozenset({*BASS_PROGRAMS, *range(112, 128)})
_LETTERS = re.compile(r"[^\W\d_]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")
_LISTED = 16
_HOW = "--track N or NAME, several as 1,3,5-8"


@dataclass(frozen=True, slots=True)
class GuitarChoice:
    """The guitar's parts, as indices into `Song.parts`, and the reason for the choice."""

    parts: tuple[int, ...]
    reason: str


def drum_parts(song: Song) -> tuple[int, ...]:
    """Indices of the parts on the drum channel, with or without notes."""
    return tuple(index for index, part in enumerate(song.parts) if part.is_drums)


def bass_parts(song: Song) -> tuple[int, ...]:
    """Indices of the parts that have notes and a General MIDI program of a bass."""
    return tuple(
        index
        for index, part in enumerate(song.parts)
        if len(part) and not part.is_drums and part.program in BASS_PROGRAMS
    )


def guitar_parts(song: Song) -> GuitarChoice:
    """The guitar's parts: by General MIDI program; else by name in any language; else the only pitched part.

    Or else the strings of a hex pickup, see `hex_pickup`. Parts without notes do not count. Many files give a singer's
    part a guitar's program: a part named as a voice is not a guitar by its program if another part is one by its
    program or name.

    Raises:
        NoNotesError: The song has no notes, or there are guitars and none of them has a note.
        NoGuitarError: No part, or more than one, is left to be the guitar. The message lists the parts.
    """
    if not any(len(part) for part in song.parts):
        raise NoNotesError("the file has no notes; wanted a guitar part with notes")
    pitched = [index for index, part in enumerate(song.parts) if not part.is_drums]
    sounding = tuple(index for index in pitched if len(song.parts[index]))
    if not sounding:
        raise NoGuitarError("all notes are drums (MIDI channel 10); wanted a guitar part to play along with")

    by_program = tuple(index for index in pitched if song.parts[index].program in GUITAR_PROGRAMS)
    sung = {index for index in by_program if is_named_voice(song.parts[index])}
    if chosen := tuple(index for index in by_program if index in sounding and index not in sung):
        return GuitarChoice(chosen, "General MIDI guitar program")
    by_name = tuple(index for index in pitched if is_named_guitar(song.parts[index]))
    if chosen := tuple(index for index in by_name if index in sounding):
        return GuitarChoice(chosen, f"named {_quoted(song.parts[chosen[0]].name)}")
    if chosen := tuple(index for index in by_program if index in sounding):
        return GuitarChoice(chosen, "General MIDI guitar program")
    if empty := by_program + by_name:
        raise NoNotesError(
            f"the guitar ({', '.join(str(index + 1) for index in dict.fromkeys(empty))}) has no notes; "
            f"choose another part with {_HOW}: {_listing(song)}"
        )
    if len(sounding) == 1:
        return GuitarChoice(sounding, "the only pitched part")
    if chosen := hex_pickup(song):
        return GuitarChoice(chosen, f"a hex pickup, {len(chosen)} strings")
    raise NoGuitarError(f"no part is a guitar by its program or name; choose with {_HOW}: {_listing(song)}")


def choose_parts(song: Song, wanted: str | None) -> GuitarChoice:
    """The parts of `--track`: numbers as listed, from 1, and pieces of names, separated by commas.

    None stands for the detected guitar, see `guitar_parts`.

    "1,3,5-8" are six parts; in the range, drums and parts without notes are left out. A piece of a name stands for all
    parts that have it in their names, or for those with exactly that name, if any. Case is ignored.

    Raises:
        PartNotFoundError: No such part, or nothing but drums. The message lists the parts.
        NoGuitarError: No guitar is detected.
        NoNotesError: The parts have no notes.
    """
    if wanted is None:
        return guitar_parts(song)
    names = [part.name.strip().casefold() for part in song.parts]
    whole = wanted.strip().casefold()
    pieces = [whole] if whole and any(whole in name for name in names) else whole.split(",")
    chosen = {index for piece in pieces for index in _parts_of(song, names, piece.strip(), wanted)}
    return GuitarChoice(tuple(sorted(chosen)), "chosen")


def _parts_of(song: Song, names: Sequence[str], piece: str, wanted: str) -> Sequence[int]:
    """The parts of one number, range or piece of a name. wanted: the whole option."""
    numbers = _RANGE.fullmatch(piece)
    if numbers:
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        matches = list(range(first - 1, last)) if 1 <= first <= last <= len(song.parts) else []
    else:
        exact = [index for index, name in enumerate(names) if piece and name == piece]
        matches = exact or [index for index, name in enumerate(names) if piece and piece in name]
    problem, there = f"--track {_quoted(wanted)}", f"there are: {_listing(song)}"
    if not matches:
        if piece != wanted.strip().casefold():
            problem += f": {_quoted(piece)}"
        raise PartNotFoundError(f"{problem} fits no part; {there}")
    pitched = [index for index in matches if not song.parts[index].is_drums]
    if not pitched:
        raise PartNotFoundError(f"{problem} is a drum part, wanted a guitar; {there}")
    sounding = [index for index in pitched if len(song.parts[index])]
    if not sounding:
        raise NoNotesError(f"{problem} has no notes; {there}")
    return sounding


def no_drums(song: Song) -> str:
    """The message for a song without drums where some are needed."""
    return (
        f"there are no drums in it: {_listing(song) or 'it is empty'};"
        " wanted notes on MIDI channel 10, or a drum track of a tab or a score"
    )


def describe_parts(song: Song) -> list[str]:
    """One line a part: number from 1, name, program (or drums), number of notes, and range."""
    lines = []
    for number, part in enumerate(song.parts, start=1):
        sound = "drums" if part.is_drums else f"{program_name(part.program)} (program {part.program})"
        count = f"{len(part)} note{'s' * (len(part) != 1)}"
        named = f"{number} {_quoted(part.name)}" if part.name.strip() else f"{number}"
        lines.append(", ".join([named, sound, count, *_span(part)]))
    return lines


def part_name(part: Part, number: int) -> str:
    """The name of a part in a file; without one, its number in the song, from 1, and its sound."""
    return part.name if part.name.strip() else f"{number} {program_name(part.program)}"


def _span(part: Part) -> list[str]:
    """The lowest and highest pitch of a part; empty for drums and silence."""
    if part.is_drums or not len(part):
        return []
    low, high = pitch_name(int(part.pitch.min())), pitch_name(int(part.pitch.max()))
    return [low if low == high else f"{low} to {high}"]


def is_named_guitar(part: Part) -> bool:
    """Return whether the name means guitar in some language, without bass guitar, and the program fits."""
    if part.program in NEVER_BY_NAME:
        return False
    named = set(words(part.name))
    return bool(named & _word_set("guitar_words.txt")) and not named & _word_set("bass_words.txt")


def is_named_voice(part: Part) -> bool:
    """Return whether the name means a sung part in some language, without being a guitar's."""
    return not is_named_guitar(part) and not _word_set("voice_words.txt").isdisjoint(words(part.name))


def words(text: str) -> list[str]:
    """The words of a name, without case, accents, digits or signs: "E-Gitarre2" is ["e", "gitarre"]."""
    plain = unicodedata.normalize("NFKD", _HUMP.sub(" ", text).casefold())
    return _LETTERS.findall("".join(letter for letter in plain if not unicodedata.combining(letter)))


def program_name(program: int) -> str:
    """music21's English name of a General MIDI program, 0 to 127."""
    return _lines("programs.txt")[program]


def pitch_name(pitch: int) -> str:
    """The name of a MIDI pitch with its octave: 60 is "C4"."""
    return f"{PITCH_CLASSES[pitch % 12]}{pitch // 12 - 1}"


def chord_root(pitch_classes: int) -> int:
    """The root, 0 (C) to 11, of a set of pitch classes given as 12 bits (bit 0 is C); -1 for the empty set."""
    return int(_roots()[pitch_classes])


def chord_roots(masks: NDArray[np.integer]) -> NDArray[np.int64]:
    """`chord_root` of every element of an integer array, of the same shape; each from 0 to 4095."""
    roots: NDArray[np.int64] = _roots()[masks]
    return roots


@cache
def _lines(name: str) -> tuple[str, ...]:
    lines = (_TABLES / name).read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


@cache
def _word_set(name: str) -> frozenset[str]:
    return frozenset(_lines(name))


@cache
def _roots() -> NDArray[np.int64]:
    roots = np.array(["0123456789ab".find(digit) for digit in "".join(_lines("chord_roots.txt"))], dtype=np.int64)
    roots.setflags(write=False)
    return roots


def _listing(song: Song) -> str:
    lines = describe_parts(song)
    more = [f"and {len(lines) - _LISTED} more"] if len(lines) > _LISTED else []
    return "; ".join([*lines[:_LISTED], *more])


def _quoted(text: str) -> str:
    """The text in quotes on one line, at most 40 characters."""
    return f"'{one_line(text, 40)}'"
