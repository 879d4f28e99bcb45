"""The sounds of the page: one-shots of a kit and of three guitars, rendered from FluidR3_GM.sf2 and coded as MP3.

`python -m server.web.make_sounds` writes them, and the list of them, into `page/sounds`. It needs FluidSynth, LAME and
FluidR3 (Debian: fluidsynth lame fluid-soundfont-gm), and the same versions of these make the same bytes. The soundfont
has one layer for each piece of the kit: from velocity 40 to 127 only the loudness changes, as the square of the
velocity, so one strike of each is kept.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import MissingExtraError, OutputError
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Part, Song, Tempo
from seq2drum.show import fluidsynth, loudness
from seq2drum.show.loudness import RATE, factor

FOLDER = Path(__file__).parent / "page" / "sounds"
LIST = "sounds.json"
SOUNDFONT = Path("/usr/share/sounds/sf2/FluidR3_GM.sf2")

GUITARS = MappingProxyType({"steel": 25, "clean": 27, "distorted": 30})
"""The guitars by name, and their General MIDI programs."""
PITCHES = tuple(range(36, 84, 4))
"""The pitches rendered for each guitar; the page shifts the nearest one for those between."""

DRUM_VELOCITY, GUITAR_VELOCITY = 112, 100
_DRUM_PEAK = 1.15  # of the loudest piece; the others keep their ratio to it
_GUITAR_PEAK = MappingProxyType({"steel": 0.45, "clean": 0.66, "distorted": 0.42})
"""The same for the loudest note of each guitar, which makes it about as loud as the drums (in LUFS, over five songs).
"""
_FILE_PEAK = 0.9  # in a file
_LONGEST = MappingProxyType({"crash": 2.2, "bell": 1.6, "ride": 1.5, "open hat": 1.3})  # seconds; of the others:
_LONGEST_DRUM, _LONGEST_NOTE = 1.0, 2.4
_LEFT = factor(-48)  # of its peak: where a sound ends
_AUDIBLE = factor(-34)  # and where it begins
_BEFORE = RATE // 1000  # frames kept before its beginning
_FADE = 0.15  # of a sound, at its end
_APART = 4000  # milliseconds between notes

_LAME = ("--quiet", "-m", "m", "--resample", "32", "-q", "0", "--noreplaygain")
_QUALITY = MappingProxyType({"drums": "-V5", "guitars": "-V6"})

Mono = NDArray[np.float32]


class Shot(NamedTuple):
    """One sound: the name of its file, its entry in the list, and its samples, (frames,)."""

    file: str
    about: dict[str, Any]
    sound: Mono


def main(argv: Sequence[str] | None = None) -> int:
    """Render, encode and write all sounds; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m server.web.make_sounds", description=__doc__)
    parser.add_argument("--soundfont", type=Path, default=SOUNDFONT, help=f"FluidR3 (default: {SOUNDFONT})")
    write(parser.parse_args(argv).soundfont, FOLDER)
    return 0


def write(soundfont: Path, folder: Path) -> None:
    """Write all sounds of a soundfont and their list into a folder, replacing the old ones.

    Raises:
        MissingExtraError: FluidSynth, LAME or the soundfont is missing.
        OutputError: one of them failed.
    """
    lame = shutil.which("lame")
    if lame is None:
        raise MissingExtraError("sounds are coded by LAME, and the program 'lame' was not found: sudo apt install lame")
    synthesiser = fluidsynth.find(soundfont)
    kits = {"drums": drums(synthesiser), "guitars": guitars(synthesiser)}
    for old in folder.glob("*.mp3"):
        old.unlink()
    for kind, names in kits.items():
        for shot in (shot for shots in names.values() for shot in shots):
            (folder / shot.file).write_bytes(coded(lame, shot.sound, _QUALITY[kind]))
    listed = {
        kind: {name: [{"file": shot.file, **shot.about} for shot in shots] for name, shots in names.items()}
        for kind, names in kits.items()
    }
    (folder / LIST).write_text(json.dumps(listed, indent=1) + "\n", encoding="utf-8")


def drums(synthesiser: fluidsynth.Synthesiser) -> dict[str, list[Shot]]:
    """Return one hit of each piece of the kit."""
    struck = list(_played(synthesiser, 0, [int(note) for note in FULL.note_of], DRUM_VELOCITY, is_drums=True))
    loudest = max(float(np.abs(sound).max()) for sound in struck)
    return {
        name: [_shot(name, {"velocity": DRUM_VELOCITY}, sound, _DRUM_PEAK / loudest, _LONGEST.get(name, _LONGEST_DRUM))]
        for name, sound in zip(FULL.names, struck, strict=True)
    }


def guitars(synthesiser: fluidsynth.Synthesiser) -> dict[str, list[Shot]]:
    """Return some notes of each guitar."""
    made = {}
    for name, program in GUITARS.items():
        notes = list(_played(synthesiser, program, PITCHES, GUITAR_VELOCITY, is_drums=False))
        scale = _GUITAR_PEAK[name] / max(float(np.abs(sound).max()) for sound in notes)
        made[name] = [
            _shot(f"{name} {pitch}", {"pitch": pitch}, sound, scale, _LONGEST_NOTE)
            for pitch, sound in zip(PITCHES, notes, strict=True)
        ]
    return made


def coded(lame: str, sound: Mono, quality: str) -> bytes:
    """Return one channel (frames,) as an MP3 file.

    Raises:
        OutputError: LAME failed.
    """
    with tempfile.TemporaryDirectory(prefix="seq2drum-") as name:
        source, target = Path(name) / "in.wav", Path(name) / "out.mp3"
        source.write_bytes(loudness.mono_wav(sound))
        done = subprocess.run([lame, *_LAME, quality, source, target], capture_output=True, text=True, check=False)
        if done.returncode:
            raise OutputError(f"a sound could not be coded: LAME says {done.stderr.strip()[:200]!r}")
        return target.read_bytes()


def _played(
    synthesiser: fluidsynth.Synthesiser, program: int, pitches: Sequence[int], velocity: int, *, is_drums: bool
) -> Iterator[Mono]:
    """Yield each note on its own, without reverb, (frames,)."""
    onset = 100 + _APART * np.arange(len(pitches))
    held = np.full_like(onset, 200 if is_drums else _APART - 800)
    part = Part.of_columns(
        onset, held, np.array(pitches), np.full_like(onset, velocity), program=program, is_drums=is_drums
    )
    second, end = 1_000_000, 100 + _APART * len(pitches)
    song = Song(1000, (part,), (Tempo(0, second), Tempo(end, second)), length=end)
    (sound,) = fluidsynth.render(synthesiser, [song], lambda share: None, dry=True)
    for begin in onset * RATE // 1000:
        yield sound[begin : begin + _APART * RATE // 1000].mean(axis=1)


def _shot(name: str, about: dict[str, Any], sound: Mono, scale: float, seconds: float) -> Shot:
    """Return a sound trimmed to its audible part, up to a number of seconds.

    scale: from its peak to the one in the list.
    """
    size = np.abs(sound)
    audible = np.flatnonzero(size >= size.max() * _AUDIBLE)
    first = max(int(audible[0]) - _BEFORE, 0)
    last = min(int(np.flatnonzero(size >= size.max() * _LEFT)[-1]), first + round(seconds * RATE))
    cut = sound[first:last] * np.float32(_FILE_PEAK / size.max())
    fade = round(_FADE * len(cut))
    cut[-fade:] *= np.linspace(1, 0, fade, dtype=np.float32) ** 2
    peak = {"peak": round(float(size.max()) * scale, 4)}
    return Shot(f"{name.replace(' ', '_')}.mp3", about | peak, cut)


if __name__ == "__main__":
    raise SystemExit(main())
