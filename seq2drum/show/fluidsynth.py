"""FluidSynth as a child process: a song with a tick of a millisecond becomes sound.

FluidSynth reads only files written here from parsed notes, never a file from elsewhere; its time, its output and the
soundfont are checked.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from seq2drum.errors import MissingExtraError, OptionError, OutputError
from seq2drum.formats.midi import midi
from seq2drum.music.notes import IntArray, Part, Song, Tempo
from seq2drum.music.theory import GUITAR_PROGRAMS
from seq2drum.show.loudness import RATE, Sound
from seq2drum.system import packages

VARIABLE = "SEQ2DRUM_SOUNDFONT"
"""The environment variable for the path of a soundfont."""

_BEST = ("default", "fluidr3", "generaluser", "ms basic", "musescore", "timgm")  # the start of names, best first
_MOST_FILES = 200  # files checked in a folder


def installed() -> Iterator[Path]:
    """Possible soundfonts in the usual places, those known to be General MIDI first."""
    paths: list[Path] = []
    for folder in folders():
        try:
            inside = sorted(folder.iterdir())[:_MOST_FILES]
        except OSError:
            continue
        paths += [path for path in inside if path.suffix.lower() in (".sf2", ".sf3")]
    rank = {name: place for place, name in enumerate(_BEST)}
    yield from sorted(
        paths, key=lambda path: next((rank[name] for name in _BEST if path.name.lower().startswith(name)), len(rank))
    )


def folders() -> list[Path]:
    """The usual places of soundfonts on this platform."""
    try:
        home = Path.home()
    except RuntimeError:  # the user has no home
        home = Path("/nonexistent")
    if sys.platform == "darwin":
        shared = ("/Library/Audio/Sounds/Banks", "/opt/homebrew/share/soundfonts", "/usr/local/share/soundfonts")
        musescore = _musescore("/Applications", "{}.app/Contents/Resources")
        return [home / "Library/Audio/Sounds/Banks", *map(Path, shared), *musescore]
    if sys.platform == "win32":
        data = Path(os.environ.get("PROGRAMDATA", "C:/ProgramData"), "soundfonts")
        return [Path("C:/soundfonts"), data, *_musescore(os.environ.get("PROGRAMFILES", "C:/Program Files"), "{}")]
    kinds = ("soundfonts", "sounds/sf2", "sounds/sf3")
    return [Path(top, kind) for top in (home / ".local/share", "/usr/local/share", "/usr/share") for kind in kinds]


def _musescore(top: str, folder: str) -> list[Path]:
    """MuseScore's folder of soundfonts: widely installed, and General MIDI."""
    return [Path(top, folder.format(f"MuseScore {number}"), "sound") for number in (4, 3)]


DRUM_BANK = 128
"""The bank of a soundfont's drum kits."""
_MOST_PRESETS = 1 << 20  # bytes


def soundfont_trouble(path: Path, *, guitars: bool = True) -> str | None:
    """The fault of a soundfont, or None. guitars: whether it needs some.

    Its list of presets is read (SoundFont 2.04, section 7.2): FluidSynth itself silently replaces a file that it cannot
    read.
    """
    if not path.is_file():
        return "there is no such file"
    try:
        with path.open("rb") as file:
            presets = _presets(file)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if presets is None:
        return "it is not a soundfont"
    if not any(bank == DRUM_BANK for bank, _ in presets):
        return "it has no drums"
    if guitars and not any(bank == 0 and program in GUITAR_PROGRAMS for bank, program in presets):
        return "it has no guitars"
    return None


def drum_programs(path: Path) -> list[int]:
    """The programs of a soundfont's drum kits, in order; empty for another kind of file."""
    with path.open("rb") as file:
        return sorted(program for bank, program in _presets(file) or () if bank == DRUM_BANK)


def presets_of(path: Path) -> set[tuple[int, int]] | None:
    """The presets of a soundfont, (bank, program); None for another kind of file, or one that cannot be read."""
    try:
        with path.open("rb") as file:
            return _presets(file)
    except OSError:
        return None


def _presets(file: BinaryIO) -> set[tuple[int, int]] | None:
    """The presets of a soundfont, (bank, program); None for another kind of file."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        return None
    while len(chunk := file.read(12)) == 12:
        size = int.from_bytes(chunk[4:8], "little")
        if chunk[:4] == b"LIST" and chunk[8:] == b"pdta":
            kind, size = file.read(4), int.from_bytes(file.read(4), "little")
            records = file.read(min(size, _MOST_PRESETS)) if kind == b"phdr" else b""
            table = np.frombuffer(records[: len(records) // 38 * 38], np.uint8).reshape(-1, 38)[
                :-1
            ]  # the last is a terminator
            words = np.ascontiguousarray(table[:, 20:24]).view("<u2")
            return {(int(bank), int(program)) for program, bank in words}
        file.seek(size + size % 2 - 4, os.SEEK_CUR)
    return None


# --- where to find it -------------------------------------------------------------------------------------------------


class Synthesiser(NamedTuple):
    """The means of making sound: the paths of FluidSynth and of a General MIDI soundfont."""

    program: str
    soundfont: Path


def find(soundfont: str | os.PathLike[str] | None = None, *, guitars: bool = True) -> Synthesiser:
    """The FluidSynth on the path, and a soundfont.

    The soundfont is the named one, or that of the environment variable, or the best in the usual places. guitars:
    whether it needs guitars beside drums.

    Raises:
        MissingExtraError: no FluidSynth or no soundfont; the message has the command that installs it here.
        OptionError: the named soundfont is another kind of file, or lacks guitars or drums.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise MissingExtraError(f"sound needs FluidSynth, and the program 'fluidsynth' was not found: {how_to_get()}")
    named = os.fspath(soundfont) if soundfont is not None else os.environ.get(VARIABLE)
    if named:
        if trouble := soundfont_trouble(Path(named), guitars=guitars):
            whence = "--soundfont" if soundfont is not None else VARIABLE
            raise OptionError(f"{whence} names {named!r}, and {trouble}; wanted a General MIDI soundfont, .sf2 or .sf3")
        return Synthesiser(program, Path(named).absolute())
    for path in installed():
        if soundfont_trouble(path) is None:
            return Synthesiser(program, path)
    raise MissingExtraError(
        f"sound needs a General MIDI soundfont, and none was found: {how_to_get()};"
        f" or name one (.sf2 or .sf3) with --soundfont or {VARIABLE}"
    )


_LINUX = "~/.local/share/soundfonts"


def how_to_get() -> str:
    """The installation of FluidSynth and a soundfont on this machine, in a few words."""
    if command := packages.install("fluidsynth", "soundfont"):
        return command
    usual = {"darwin": "brew install fluid-synth", "win32": "winget install FluidSynth.FluidSynth"}
    program = packages.install("fluidsynth") or usual.get(sys.platform, "install fluidsynth")
    return f"{program}, and put {a_soundfont()}"


def a_soundfont() -> str:
    """What to put where, for FluidSynth to have a soundfont on this system."""
    places = {"darwin": "~/Library/Audio/Sounds/Banks", "win32": "C:/soundfonts"}
    return f"a General MIDI soundfont such as FluidR3_GM.sf2 or GeneralUser GS in {places.get(sys.platform, _LINUX)}"


# --- from ticks to milliseconds ---------------------------------------------------------------------------------------


TAIL = 6.0  # seconds for the last note to ring on


def timed(song: Song, parts: Sequence[Part], span: tuple[int, int] | None, most_seconds: float) -> Song:
    """The parts in a song whose tick is a millisecond, long enough for them to ring out.

    FluidSynth restarts its count of whole ticks at each change of tempo, so a rubato song would drift apart. In this
    song the tempo never changes.
    """
    first, last = span or (0, song.end + 1)
    begin = milliseconds(song, np.array([first]))[0]
    stop = round(most_seconds * 1000)
    timed = []
    for part in parts:
        onset, end = milliseconds(song, part.onset) - begin, milliseconds(song, part.onset + part.duration) - begin
        kept = (part.onset >= first) & (part.onset < last) & (onset < stop)
        onset, end = onset[kept], np.minimum(end[kept], stop)
        length = np.maximum(end - onset, 1)
        timed.append(
            Part.of_columns(
                onset, length, part.pitch[kept], part.velocity[kept], program=part.program, is_drums=part.is_drums
            )
        )
    end = max((part.end for part in timed), default=0) + round(TAIL * 1000)
    # The tempo event at the end keeps FluidSynth playing up to it.
    second = 1_000_000
    return Song(1000, tuple(part for part in timed if len(part)), (Tempo(0, second), Tempo(end, second)), length=end)


def milliseconds(song: Song, ticks: IntArray) -> IntArray:
    """`Song.seconds` of an array of ticks, in milliseconds."""
    starts, lengths = np.array(song.tempo_map).T
    elapsed = np.concatenate([[0], np.cumsum(np.diff(starts) * lengths[:-1])])
    place = np.searchsorted(starts, ticks, side="right") - 1
    microseconds = (elapsed[place] + (ticks - starts[place]) * lengths[place]) / song.ticks_per_quarter
    rounded: IntArray = np.rint(microseconds / 1000).astype(np.int64)
    return rounded


# --- rendering --------------------------------------------------------------------------------------------------------


_SETTINGS = (
    "synth.dynamic-sample-loading=1",  # only the instruments in use
    "synth.cpu-cores=1",
    "synth.midi-bank-select=gs",
    "synth.chorus.active=0",
    "synth.reverb.room-size=0.4",
    "synth.reverb.damp=0.3",
    "synth.reverb.width=0.8",
    "synth.reverb.level=0.5",
    "synth.gain=0.2",  # low: a build without float output clips
    f"synth.sample-rate={RATE}",
    "audio.file.type=wav",
    "audio.file.format=float",
)
PATIENCE = 60.0  # seconds of a timeout, plus the length of the sound


class Job(NamedTuple):
    """A song to render with a soundfont. dry: without reverberation."""

    synthesiser: Synthesiser
    song: Song
    dry: bool = False


def render(
    synthesiser: Synthesiser, songs: Sequence[Song], show: Callable[[float], None], *, dry: bool = False
) -> list[Sound]:
    """Each song as sound with one soundfont, see `render_jobs`."""
    return render_jobs([Job(synthesiser, song, dry) for song in songs], show)


def render_jobs(jobs: Sequence[Job], show: Callable[[float], None]) -> list[Sound]:
    """Each job as sound, in parallel; silence for a song without notes."""
    with tempfile.TemporaryDirectory(prefix="seq2drum-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "settings").touch()  # instead of the user's own
        running: list[_Running] = []
        try:
            for number, job in enumerate(jobs):
                if job.song.parts:
                    running.append(_start(job, folder, str(number)))
            _wait(running, show)
        finally:
            for one in running:
                one.end()
        rendered = {one.name: _read(one) for one in running}
    return [rendered.get(str(number), np.zeros((0, 2), np.float32)) for number in range(len(jobs))]


class _Running(NamedTuple):
    """A FluidSynth process on a song of so many seconds, in a folder: NAME.mid to NAME.wav, errors to NAME.log."""

    process: subprocess.Popen[bytes]
    folder: Path
    name: str
    seconds: float

    def end(self) -> None:
        """End it and, if it is a script, its children, which would go on writing."""
        if sys.platform != "win32":
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    @property
    def size(self) -> int:
        """The number of bytes written."""
        try:
            return (self.folder / f"{self.name}.wav").stat().st_size
        except OSError:
            return 0

    @property
    def expected(self) -> float:
        """The number of bytes of the whole sound."""
        return self.seconds * RATE * 8

    def failed(self, how: str) -> OutputError:
        log = (self.folder / f"{self.name}.log").read_text(errors="replace").strip().splitlines()
        words = f" (it says: {log[-1][:200]})" if log else ""
        return OutputError(f"no sound could be made: FluidSynth {how}{words}; 2.0 or newer is needed")


def _start(job: Job, folder: Path, name: str) -> _Running:
    synthesiser, song, dry = job
    (folder / f"{name}.mid").write_bytes(midi.serialise(song))
    settings = [word for setting in (*_SETTINGS, f"synth.reverb.active={int(not dry)}") for word in ("-o", setting)]
    # Names without a folder: on Windows FluidSynth cannot open every letter of the folder's.
    command = [synthesiser.program, "-n", "-i", "-q", "-f", "settings", *settings, "-F", f"{name}.wav"]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(synthesiser.soundfont), f"{name}.mid"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,  # Ctrl-C goes to this program, which ends FluidSynth
        )
    return _Running(process, folder, name, song.end / 1000)


def _wait(running: Sequence[_Running], show: Callable[[float], None]) -> None:
    """Wait until all are done, within limits of time and bytes."""
    begun = time.monotonic()
    expected = sum(one.expected for one in running)
    while any(one.process.poll() is None for one in running):
        for one in running:
            if time.monotonic() - begun > PATIENCE + one.seconds:
                raise one.failed(f"was not done after {PATIENCE + one.seconds:.0f} seconds")
            if one.size > 2 * one.expected + (1 << 26):
                raise one.failed("does not end")
        show(min(sum(one.size for one in running) / expected, 1.0))
        time.sleep(0.02)
    for one in running:
        if one.process.returncode:
            raise one.failed(f"ended with code {one.process.returncode}")
        if not one.size:
            raise one.failed("wrote nothing")


def _read(one: _Running) -> Sound:
    """The sound that FluidSynth wrote: a WAV file of floats, or bare 16 bits where it was built without libsndfile."""
    path, most = one.folder / f"{one.name}.wav", round(one.expected)
    with path.open("rb") as file:
        if file.read(12)[:4] != b"RIFF":
            numbers = np.fromfile(path, "<i2", most // 8 * 2)
            return numbers[: len(numbers) // 2 * 2].reshape(-1, 2).astype(np.float32) / np.float32(1 << 15)
        kind = 0
        while len(chunk := file.read(8)) == 8:
            size = int.from_bytes(chunk[4:], "little")
            if chunk[:4] == b"data":
                if kind != 3:
                    raise one.failed("wrote a WAV file that is not of floats")
                # Read in place, without a second copy of ten minutes.
                samples = np.fromfile(path, "<f4", min(size, most) // 8 * 2, offset=file.tell())
                return samples[: len(samples) // 2 * 2].reshape(-1, 2)
            body = file.read(size + size % 2)
            if chunk[:4] == b"fmt ":
                kind = int.from_bytes(body[:2], "little")
    raise one.failed("wrote a WAV file without sound")
