"""Drums that only their names tell: "01_Kick.mid", "Hi_Hat 2.mid", a track "Snare" on any channel and note.

Whoever makes loops saves a file or a track for each piece, on whatever note the sampler wants. RULES say which words
mean which piece; so such files become drums on the notes of General MIDI.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

import numpy as np

from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song, loudest

RULES: tuple[tuple[str, str], ...] = (
    ("open hat", r"open (hi )?hats?|(hi )?hats? open|open hh|hh open|ohh?|open"),
    ("pedal hat", r"(foot|pedal) (hi )?hats?|(hi )?hats? (foot|pedal)|hh (foot|pedal)|phh|pedal"),
    ("closed hat", r"(hi )?hats?|hihats?|hh|chh?|closed"),
    ("side stick", r"side ?sticks?|cross ?sticks?|rim ?(shots?)?|xstick"),
    ("snare", r"snares?( drum)?|sd|snr|sn"),
    ("clap", r"(hand ?)?claps?|cp|clp"),
    ("kick", r"kicks?( drum)?|kik|bass ?drums?|bd|kd"),
    ("high tom", r"(hi|high) toms?|toms? (hi|high)|toms? 0?1|rack toms?|ht|t1"),
    ("low tom", r"(lo|low|floor) toms?|toms? (lo|low|floor)|toms? 0?3|lt|ft|t3"),
    ("mid tom", r"(mid|middle) toms?|toms? (mid|middle)|toms? 0?2|toms?|mt|t2"),
    ("bell", r"(ride )?bells?"),
    ("ride", r"rides?( cymbal)?|rd|rc"),
    ("crash", r"crash(es)?( cymbal)?|cymbals?|cym|chinas?|splash(es)?|cr|cc"),
    ("cowbell", r"cow ?bells?|cb"),
    ("tambourine", r"tamb(ourines?)?"),
    ("shaker", r"shakers?|maracas?"),
    ("cabasa", r"cabasas?"),
    ("high conga", r"congas?"),
    ("high bongo", r"bongos?"),
    ("block", r"(wood ?)?blocks?"),
    ("triangle", r"triangles?"),
)
"""The piece of the full kit, and the words that name it. The first that fits holds; a word fits as a whole only."""

_COMPILED = tuple((piece, re.compile(rf"\b({words})\b")) for piece, words in RULES)
_BETWEEN = re.compile(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z]{2})(?=\d)|(?<=\d)(?=[A-Za-z])|[^A-Za-z0-9]+")
_BPM = re.compile(r"\b(\d{2,3}(?:\.\d+)?) ?bpm\b", re.IGNORECASE)
_FEW = 6  # notes that a loop of one piece may be on
_PIECES = 2  # at the least that tracks of a song are named after


def piece_of(name: str) -> str | None:
    """The piece of the full kit that a name means, if it means one."""
    words = _BETWEEN.sub(" ", name).lower()
    return next((piece for piece, rule in _COMPILED if rule.search(words)), None)


def piece_of_file(path: str) -> str | None:
    """The piece that the name of a file means, or else that of the nearest folder around it that means one."""
    steps = PurePosixPath(path)
    return next(filter(None, map(piece_of, [steps.stem, *reversed(steps.parts[:-1])])), None)


def bpm_of(path: str) -> float | None:
    """The tempo that the name of a file says, such as snare_85bpm.mid."""
    found = _BPM.search(PurePosixPath(path).stem.replace("_", " "))
    return float(found[1]) if found and float(found[1]) else None


def named_drums(song: Song, path: str | None = None) -> Part | None:
    """The drums of a song that are not on channel 10, or are but on a single note, by names; None if it has no such.

    A part is the piece that its own name means. If it is the only one and on few notes, the name of the file counts,
    too. Without that name, parts of at least two pieces must be there: one part that is called "Ride" may be anything.
    """
    if len({pitch for part in song.parts if part.is_drums for pitch in part.pitch.tolist()}) > 1:
        return None
    played = [part for part in song.parts if len(part)]
    few = len(played) == 1 and len(set(played[0].pitch.tolist())) <= _FEW
    of_file = piece_of_file(path) if few and path is not None else None
    rows, pieces = [], set()
    for part in played:
        if piece := piece_of(part.name) or of_file:
            pieces.add(piece)
            moved = part.rows.copy()
            moved[:, 2] = FULL.note_of[FULL.names.index(piece)]
            rows.append(moved)
    if not rows or (of_file is None and len(pieces) < _PIECES):
        return None
    return Part.of(loudest(np.concatenate(rows)), name="Drums", is_drums=True)
