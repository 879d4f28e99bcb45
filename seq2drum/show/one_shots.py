"""The one-shots of the drum kits of a soundfont: each piece struck at some velocities, rendered once by FluidSynth."""

from __future__ import annotations

import os
from types import MappingProxyType

import numpy as np

from seq2drum.data.loops import LEAD, LEVELS, SHOT, Shots
from seq2drum.errors import OptionError
from seq2drum.lattice.loops import RATE, resampled
from seq2drum.music.kit import NINE
from seq2drum.music.notes import Part, Song, Tempo
from seq2drum.show import fluidsynth, samples, soundfonts

KITS = MappingProxyType({0: "standard", 16: "power", 24: "electronic", 25: "808"})
"""The kits of General MIDI that are rendered, by their programs. Of another soundfont, those of them that it has."""

_APART = 1500  # milliseconds from hit to hit
_BEFORE = 100  # milliseconds before the first one
_AUDIBLE = 0.02  # of its peak: where a one-shot begins
_FADE = 800  # frames at the end of a one-shot


def kits_of(synthesiser: fluidsynth.Synthesiser) -> dict[int, str]:
    """The kits of a soundfont that are rendered, by program: those of KITS that it has, or else its first one.

    Raises:
        OptionError: it has no kit.
    """
    programs = soundfonts.drum_programs(synthesiser.soundfont)
    if not programs:
        raise OptionError(f"{str(synthesiser.soundfont)!r} has no drums; wanted is a soundfont (.sf2) with a drum kit")
    known = {program: name for program, name in KITS.items() if program in programs}
    return known or {programs[0]: synthesiser.soundfont.stem}


def one_shots(synthesiser: fluidsynth.Synthesiser, programs: list[int]) -> Shots:
    """The nine pieces of some kits at the velocities LEVELS: (kits, 9, levels, SHOT), without reverberation."""
    hits = [(note, velocity) for note in NINE.note_of for velocity in LEVELS]
    onset = _BEFORE + _APART * np.arange(len(hits))
    pitch, velocity = np.array(hits).T
    end = _BEFORE + _APART * (len(hits) + 1)
    songs = []
    for program in programs:
        part = Part.of_columns(onset, np.full_like(onset, 100), pitch, velocity, program=program, is_drums=True)
        songs.append(Song(1000, (part,), (Tempo(0, 1_000_000), Tempo(end, 1_000_000)), length=end))
    shots = np.empty((len(programs), len(hits), SHOT), dtype=np.float32)
    for kit, sound in enumerate(fluidsynth.render(synthesiser, songs, lambda share: None, dry=True)):
        for hit in range(len(hits)):
            first = onset[hit] * samples.RATE // 1000
            shots[kit, hit] = _cut(sound[first : first + _APART * samples.RATE // 1000].mean(axis=1))
    return shots.reshape(len(programs), len(NINE), len(LEVELS), SHOT)


def _cut(sound: samples.Sound) -> samples.Sound:
    """One hit at RATE frames a second, from where it begins, with an end that fades; silence stays silence."""
    padded = np.zeros(_APART * samples.RATE // 1000, dtype=np.float32)
    padded[: len(sound)] = sound
    slow = resampled(padded, _APART * RATE // 1000)
    heard = np.flatnonzero(np.abs(slow) > np.abs(slow).max() * _AUDIBLE)
    first = max(int(heard[0]) - LEAD, 0) if len(heard) else 0
    shot = slow[first : first + SHOT].copy()
    shot[-_FADE:] *= np.linspace(1, 0, _FADE, dtype=np.float32)
    return shot


def find(soundfont: str | os.PathLike[str] | None = None) -> fluidsynth.Synthesiser:
    """FluidSynth and a soundfont of which only drums are wanted; see `fluidsynth.find`."""
    return fluidsynth.find(soundfont, guitars=False)
