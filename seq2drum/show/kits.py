"""Kits: soundfonts, or SFZ files, of drums alone, which sound in place of General MIDI's.

A kit is named by its file, or by its name among those in the usual places: Debian's avldrums.lv2-soundfont has two,
Black Pearl and Red Zeppelin, with several samples for each piece by how hard it is struck. Pieces that a kit lacks
sound from the General MIDI soundfont. SFZ files are rendered by sfizz_render, where it is installed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from seq2drum.errors import MissingExtraError, OptionError, OutputError
from seq2drum.formats.midi import midi
from seq2drum.music import drum_maps
from seq2drum.music.notes import Part, Song
from seq2drum.show import fluidsynth
from seq2drum.show.loudness import RATE, Sound

VARIABLE = "SEQ2DRUM_KIT"
"""The environment variable for a kit, by its name or its file."""
GENERAL_MIDI = "gm"
"""The name of the General MIDI soundfont's own kit."""
AVL = "avl-drumkits"
_AVL = re.compile(r"(black_?pearl|red_?zeppelin|blonde_?bop)", re.IGNORECASE)
_ENDS = re.compile(r"[_ -]?4[_ -]?lv2$|[_ -]?lv2$", re.IGNORECASE)
_LV2 = Path("/usr/lib/lv2/avldrums.lv2")
_MOST_FILES = 200
_SFIZZ = "sfizz_render"


class Sounds(NamedTuple):
    """What sound is made with. soundfont: a file, see `fluidsynth.find`. kit: see `find`. dry: without room and bus."""

    soundfont: str | os.PathLike[str] | None = None
    kit: str | None = None
    dry: bool = False


class Kit(NamedTuple):
    """A kit. name: as it is chosen. path: of a .sf2, .sf3 or .sfz file. drum_map: the notes of its pieces.

    preset: (bank, program) in a soundfont.
    """

    name: str
    path: Path
    drum_map: str = drum_maps.GM
    preset: tuple[int, int] = (0, 0)

    @property
    def is_sfz(self) -> bool:
        """True if it is an SFZ file."""
        return self.path.suffix.lower() == ".sfz"


def installed() -> Iterator[Kit]:
    """The kits in the usual places that hold drums alone."""
    seen = set[str]()
    for folder in (*fluidsynth.folders(), _LV2):
        try:
            inside = sorted(folder.iterdir())[:_MOST_FILES]
        except OSError:
            continue
        for path in inside:
            if _AVL.search(path.stem) and path.suffix.lower() in (".sf2", ".sf3") and name_of(path) not in seen:
                seen.add(name_of(path))
                yield of_file(path)


def name_of(path: Path) -> str:
    """The name of a kit by its file: "black-pearl" of Black_Pearl_4_LV2.sf2."""
    return re.sub(r"[^a-z0-9]+", "-", _ENDS.sub("", path.stem).lower()).strip("-")


def of_file(path: Path) -> Kit:
    """The kit in a file.

    Raises:
        OptionError: there is none, or it is no soundfont.
    """
    drum_map = AVL if _AVL.search(path.stem) else drum_maps.GM
    if path.suffix.lower() == ".sfz":
        if not path.is_file():
            raise OptionError(f"--kit names {str(path)!r}, and there is no such file")
        return Kit(name_of(path), path.absolute(), drum_map)
    presets = fluidsynth.presets_of(path) if path.is_file() else None
    if not presets:
        trouble = "it is not a soundfont" if path.is_file() else "there is no such file"
        raise OptionError(f"--kit names {str(path)!r}, and {trouble}; wanted a kit, .sf2, .sf3 or .sfz")
    preset = min(presets, key=lambda one: (one[0] != fluidsynth.DRUM_BANK, one))
    return Kit(name_of(path), path.absolute(), drum_map, preset)


def find(sounds: Sounds) -> Kit | None:
    """The kit that drums are played on; None for that of the General MIDI soundfont.

    It is the named one, or that of the environment variable, or the first that is installed, unless a soundfont is
    named.

    Raises:
        OptionError: there is no such kit.
        MissingExtraError: it is an SFZ file, and sfizz_render is not installed.
    """
    named = sounds.kit if sounds.kit is not None else os.environ.get(VARIABLE)
    if not named:
        is_asked = sounds.soundfont is not None or os.environ.get(fluidsynth.VARIABLE)
        return None if is_asked else next(installed(), None)
    if named.casefold() == GENERAL_MIDI:
        return None
    here = {kit.name: kit for kit in installed()}
    kit = here.get(re.sub(r"[^a-z0-9]+", "-", named.casefold()).strip("-"))
    if kit is None and Path(named).suffix.lower() not in (".sf2", ".sf3", ".sfz"):
        names = ", ".join((*here, GENERAL_MIDI))
        raise OptionError(f"there is no kit {named[:60]!r} here; there are {names}, or name a file, .sf2, .sf3 or .sfz")
    kit = kit or of_file(Path(named))
    if kit.is_sfz and shutil.which(_SFIZZ) is None:
        raise MissingExtraError(
            f"the kit {kit.path.name} is an SFZ file, which {_SFIZZ} plays, and that program was not found; install"
            " sfizz, or name a soundfont, .sf2 or .sf3"
        )
    return kit


# --- drums on a kit ---------------------------------------------------------------------------------------------------


def divided(part: Part, kit: Kit) -> tuple[Part, Part]:
    """A drum part on the notes of General MIDI -> the notes of the kit, and those of pieces that it lacks."""
    drum_map = drum_maps.load(kit.drum_map)
    voices = drum_maps.load(drum_maps.GM).voices(part)
    has = np.array([voice >= 0 and bool(drum_map.notes[voice]) for voice in voices.tolist()], dtype=np.bool_)
    own, rest = (
        Part.of(part.rows[which], program=part.program, name=part.name, is_drums=True) for which in (has, ~has)
    )
    mapped = drum_map.apply(own) if len(own) else own
    bank, program = kit.preset
    is_drums = bank == fluidsynth.DRUM_BANK or kit.is_sfz
    on_kit = Part.of(mapped.rows, program=program, is_drums=is_drums, name=part.name)
    return on_kit, rest


def render_sfz(kit: Kit, song: Song) -> Sound:
    """A song of drums on an SFZ kit, by sfizz_render; silence without notes.

    Raises:
        OutputError: the program failed.
    """
    if not song.parts:
        return np.zeros((0, 2), np.float32)
    with tempfile.TemporaryDirectory(prefix="seq2drum-", ignore_cleanup_errors=True) as name:
        source, target = Path(name) / "in.mid", Path(name) / "out.wav"
        source.write_bytes(midi.serialise(song))
        words = [_SFIZZ, "--sfz", str(kit.path), "--midi", str(source), "--wav", str(target), "--samplerate", str(RATE)]
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, timeout=fluidsynth.PATIENCE + song.end / 1000
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise OutputError(f"no sound could be made: {_SFIZZ} failed ({type(error).__name__})") from None
        if done.returncode or not target.is_file():
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise OutputError(f"no sound could be made: {_SFIZZ} failed" + (f" ({said[-1][:200]})" if said else ""))
        return _read(target)


def _read(path: Path) -> Sound:
    """The sound of a WAV file of 16 bits, as sfizz_render writes it.

    Raises:
        OutputError: it is of another kind.
    """
    try:
        with wave.open(str(path)) as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise OutputError(f"no sound could be made: {_SFIZZ} wrote no WAV file ({error})") from None
    if (channels, width, rate) != (2, 2, RATE):
        raise OutputError(f"no sound could be made: {_SFIZZ} wrote {channels} channels of {8 * width} bits at {rate}")
    return np.frombuffer(data, "<i2").reshape(-1, 2).astype(np.float32) / np.float32(1 << 15)
