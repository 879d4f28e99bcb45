"""Tiny drummers and songs for the tests of playing: an untrained model that plays a lot breaks every rule it can."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from seq2drum.models import checkpoint
from seq2drum.models.families import family
from seq2drum.music.kit import FULL, KITS
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

SIZES: dict[str, dict[str, Any]] = {
    "attention": {"hidden": 24, "reader": 8, "mixed": 16, "bar": 12, "played": 10, "heads": 2},
    "lstm": {"hidden": 24, "reader": 8},
    "transformer": {
        **{"hidden": 24, "reader": 8, "bar": 12, "played": 10, "heads": 2},
        **{"across": 2, "units": 16, "kept": 16, "token": 12},
    },
}
NAMES = {note: voice.name for voice in FULL.voices for note in voice.notes}
BY_HAND = {note for voice in FULL.voices if voice.limb != "foot" for note in voice.notes}
HATS = {note for voice in FULL.voices if "hat" in voice.name for note in voice.notes}


def save_player(folder: Path, name: str = "attention", kit: str = "full", *, eagerness: float = 2.5) -> Path:
    """Save a model of random weights whose hits are made likelier; returns its folder."""
    torch.manual_seed(0)
    kind: Any = family(name)
    model = kind(kind.config_type(voices=len(KITS[kit]), dropout=0.0, **SIZES.get(name, {})))
    with torch.no_grad():
        model.heads.order.normal_(0, 0.3)
        model.heads.hits.bias += eagerness
        if hasattr(model, "sketch_hits"):
            model.sketch_hits.bias += eagerness
    checkpoint.save(model, folder, {"kit": kit, "max_notes": 150})
    return folder


def strummed(
    bars: int = 8,
    metres: Sequence[Metre] = (Metre(0, 4, 4),),
    *,
    ticks_per_quarter: int = 480,
    tempos: Sequence[Tempo] = (Tempo(0, 500_000),),
    pitch: int = 52,
) -> Song:
    """A guitar that plays eighths with a rest now and then, in that many bars of the last metre given."""
    last = metres[-1]
    length = last.tick + bars * 4 * last.numerator * ticks_per_quarter // last.denominator
    eighth = max(ticks_per_quarter // 2, 1)
    onsets = [at for index, at in enumerate(range(0, length, eighth)) if index % 7 != 3]
    notes = [Note(at, min(eighth, length - at), pitch + index % 5, 70 + index % 40) for index, at in enumerate(onsets)]
    guitar = Part.of(notes, program=27, name="Guitar")
    return Song(ticks_per_quarter, (guitar,), tuple(tempos), tuple(metres), length)


def faults(drums: Part, song: Song) -> list[str]:
    """What no drummer could play or no take may hold: empty for a good take."""
    faults, end = [], song.end
    if not drums.is_drums:
        faults.append("the part is not on the drum channel")
    at: dict[int, list[int]] = {}
    for note in drums:
        at.setdefault(note.onset, []).append(note.pitch)
        if note.onset < 0 or note.onset >= end or note.onset + note.duration > end or note.duration < 1:
            faults.append(f"{note} is not within the song, which ends at {end}")
        if not 1 <= note.velocity <= 127 or note.pitch not in NAMES:
            faults.append(f"{note} is no hit")
    for tick, pitches in at.items():
        names = ", ".join(NAMES.get(pitch, "?") for pitch in pitches)
        if len(set(pitches)) < len(pitches):
            faults.append(f"tick {tick}: doubled: {names}")
        if sum(pitch in BY_HAND for pitch in pitches) > 2:
            faults.append(f"tick {tick}: too many limbs: {names}")
        if len(HATS.intersection(pitches)) > 1:
            faults.append(f"tick {tick}: two states of one hi-hat: {names}")
    return faults
