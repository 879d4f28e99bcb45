"""A duet as sound, rendered by FluidSynth with a General MIDI soundfont.

FluidSynth is the program of that name, run beside this one; the soundfont is a file. Guitars and drums are rendered
apart, brought to equal loudness, and mixed. What FluidSynth gets to read is what is written here from parsed notes,
never a file that came from elsewhere; its time, its output and the soundfont are checked.

It knows nothing of loudspeakers: a WAV file comes out.
"""

from __future__ import annotations

import math
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import MissingExtraError, OptionError, OutputError
from seq2drum.formats import midi
from seq2drum.music.duet import Duet
from seq2drum.music.notes import DEFAULT_TEMPO, IntArray, Part, Song, Tempo

RATE = 44_100
"""Frames a second."""
MOST_SECONDS = 600.0
"""Longer songs are cut here: ten minutes are 106 MB of WAV, and need 0.7 GB of memory while they are made."""
LOUDNESS = -16.0
"""How loud the mix is, in LUFS, as music for listening at a desk commonly is."""
DRUMS_OVER_GUITAR = 0.0
"""How much louder the drums are than the guitars, in LU."""
CEILING = -1.0
"""The highest sample, in dB below full scale."""
VARIABLE = "SEQ2DRUM_SOUNDFONT"
"""The environment variable that may name a soundfont."""

Sound = NDArray[np.float32]
"""Stereo sound, shape (frames, 2), full scale at 1."""

_TAIL = 6.0  # seconds that the last note may ring on
_FADE = 0.3  # seconds, at the very end
_SILENCE = 10 ** (-66 / 20)  # what ends in less than this has ended
_GAIN = 0.2  # of FluidSynth. Small: a build of it that knows no floats clips


class Synthesiser(NamedTuple):
    """What sound is made with: the path of FluidSynth, and of a General MIDI soundfont."""

    program: str
    soundfont: Path


def check(soundfont: str | os.PathLike[str] | None = None) -> None:
    """Refuse what `wav` would refuse for want of a synthesiser; see `find`."""
    find(soundfont)


def find(soundfont: str | os.PathLike[str] | None = None) -> Synthesiser:
    """The FluidSynth of the path, and a soundfont.

    The soundfont is the one that is named, or that of the environment variable, or the best that lies where soundfonts
    lie.

    Raises:
        MissingExtraError: there is no FluidSynth or no soundfont; the message says how to get it here.
        OptionError: the soundfont that was named is none, or lacks guitars or drums.
    """
    program = shutil.which("fluidsynth")
    if program is None:
        raise MissingExtraError(f"sound needs FluidSynth, and the program 'fluidsynth' was not found: {how_to_get()}")
    named = os.fspath(soundfont) if soundfont is not None else os.environ.get(VARIABLE)
    if named:
        if trouble := _trouble(Path(named)):
            whence = "--soundfont" if soundfont is not None else VARIABLE
            raise OptionError(
                f"{whence} names {named!r}, and {trouble}; wanted is a General MIDI soundfont, .sf2 or .sf3"
            )
        return Synthesiser(program, Path(named).absolute())
    for path in _soundfonts():
        if _trouble(path) is None:
            return Synthesiser(program, path)
    raise MissingExtraError(
        f"sound needs a General MIDI soundfont, and none was found: {how_to_get()};"
        f" or name one (.sf2 or .sf3) with --soundfont or {VARIABLE}"
    )


def seconds(duet: Duet, span: tuple[int, int] | None = None) -> float:
    """How long a duet lasts until its last note ends: all of it, or from one tick on what begins before another."""
    first, last = span or (0, duet.song.end + 1)
    ends = [
        int((part.onset + part.duration)[(part.onset >= first) & (part.onset < last)].max(initial=first))
        for part in (*duet.guitars, duet.drums)
    ]
    return duet.song.seconds(max(ends)) - duet.song.seconds(first)


def wav(
    duet: Duet,
    *,
    soundfont: str | os.PathLike[str] | None = None,
    span: tuple[int, int] | None = None,
    most_seconds: float = MOST_SECONDS,
    show: Callable[[float], None] = lambda share: None,
) -> bytes:
    """A WAV file, 16 bits, stereo: guitars and drums by the song's tempo map, until the last of them has rung out.

    The same duet with the same FluidSynth and soundfont gives the same bytes.

    Args:
        duet: What is to be heard.
        soundfont: A General MIDI soundfont; by default see `find`.
        span: Only what begins between two ticks.
        most_seconds: What begins later is left out, and what still sounds then is ended.
        show: Is told from time to time how much has been rendered, from 0 to 1.

    Raises:
        MissingExtraError, OptionError: see `find`.
        OutputError: FluidSynth failed.
    """
    mixed = mix(*stems(duet, soundfont=soundfont, span=span, most_seconds=most_seconds, show=show))
    return _wav_file(_finished(mixed))


def lasts(data: bytes) -> float:
    """How many seconds of sound there are in a file of `wav`."""
    return len(data) / 4 / RATE


def stems(
    duet: Duet,
    *,
    soundfont: str | os.PathLike[str] | None = None,
    span: tuple[int, int] | None = None,
    most_seconds: float = MOST_SECONDS,
    show: Callable[[float], None] = lambda share: None,
) -> tuple[Sound, Sound]:
    """Guitars and drums as FluidSynth renders them, not balanced; see `wav`."""
    synthesiser = find(soundfont)
    songs = [_timed(duet.song, parts, span, most_seconds) for parts in (duet.guitars, (duet.drums,))]
    guitars, drums = _render(synthesiser, songs, show)
    return guitars, drums


# What is missing, and where it may be


_PACKAGES: Mapping[str, str] = MappingProxyType(
    {
        "apt-get": "sudo apt install fluidsynth fluid-soundfont-gm",
        "dnf": "sudo dnf install fluidsynth fluid-soundfont-gm",
        "pacman": "sudo pacman -S fluidsynth soundfont-fluid",
        "zypper": "sudo zypper install fluidsynth fluid-soundfont-gm",
    }
)
_A_SOUNDFONT = "a General MIDI soundfont such as FluidR3_GM.sf2 or GeneralUser GS in {}"


def how_to_get() -> str:
    """How FluidSynth and a soundfont come onto this machine, in some words."""
    if sys.platform == "darwin":
        return f"brew install fluid-synth, and put {_A_SOUNDFONT.format('~/Library/Audio/Sounds/Banks')}"
    if sys.platform == "win32":
        return f"choco install fluidsynth, and put {_A_SOUNDFONT.format('C:/soundfonts')}"
    for manager, command in _PACKAGES.items():
        if shutil.which(manager):
            return command
    return f"install fluidsynth, and put {_A_SOUNDFONT.format('~/.local/share/soundfonts')}"


_BEST = ("default", "fluidr3", "generaluser", "ms basic", "musescore", "timgm")  # the start of names, best first
_MOST_FILES = 200  # that are looked at in a folder


def _soundfonts() -> Iterator[Path]:
    """Files that may be soundfonts in the places where they lie, those known to be General MIDI first."""
    found: list[Path] = []
    for folder in _folders():
        try:
            inside = sorted(folder.iterdir())[:_MOST_FILES]
        except OSError:
            continue
        found += [path for path in inside if path.suffix.lower() in (".sf2", ".sf3")]
    rank = {name: place for place, name in enumerate(_BEST)}
    yield from sorted(
        found, key=lambda path: next((rank[name] for name in _BEST if path.name.lower().startswith(name)), len(rank))
    )


def _folders() -> list[Path]:
    try:
        home = Path.home()
    except RuntimeError:  # whoever runs this has none
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
    """Where MuseScore keeps its own: it is what many have, and of General MIDI."""
    return [Path(top, folder.format(f"MuseScore {number}"), "sound") for number in (4, 3)]


_DRUM_BANK = 128
_GUITARS = range(24, 32)
_MOST_PRESETS = 1 << 20  # bytes


def _trouble(path: Path) -> str | None:
    """What is wrong with a soundfont, or None.

    Its list of presets is read (SoundFont 2.04, section 7.2): FluidSynth itself says nothing of a file that it cannot
    read, and takes another.
    """
    if not path.is_file():
        return "there is no such file"
    try:
        with path.open("rb") as file:
            presets = _presets(file)
    except OSError as error:
        return f"it cannot be read ({error.strerror})"
    if presets is None:
        return "it is no soundfont"
    if not any(bank == _DRUM_BANK for bank, _ in presets):
        return "it has no drums"
    if not any(bank == 0 and program in _GUITARS for bank, program in presets):
        return "it has no guitars"
    return None


def _presets(file: BinaryIO) -> set[tuple[int, int]] | None:
    """The presets of a soundfont, (bank, program); None if it is no soundfont."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        return None
    while len(chunk := file.read(12)) == 12:
        size = int.from_bytes(chunk[4:8], "little")
        if chunk[:4] == b"LIST" and chunk[8:] == b"pdta":
            kind, size = file.read(4), int.from_bytes(file.read(4), "little")
            records = file.read(min(size, _MOST_PRESETS)) if kind == b"phdr" else b""
            table = np.frombuffer(records[: len(records) // 38 * 38], np.uint8).reshape(-1, 38)[:-1]  # the last ends it
            words = np.ascontiguousarray(table[:, 20:24]).view("<u2")
            return {(int(bank), int(program)) for program, bank in words}
        file.seek(size + size % 2 - 4, os.SEEK_CUR)
    return None


# From ticks to a MIDI file whose tick is a millisecond


def _timed(song: Song, parts: Sequence[Part], span: tuple[int, int] | None, most_seconds: float) -> Song:
    """The parts in a song whose tick is a millisecond. It lasts until they have rung out.

    FluidSynth counts ticks anew from each change of tempo, in whole ticks: a song that breathes would come apart. In
    this song the tempo never changes.
    """
    first, last = span or (0, song.end + 1)
    begin = _milliseconds(song, np.array([first]))[0]
    stop = round(most_seconds * 1000)
    timed = []
    for part in parts:
        onset, end = _milliseconds(song, part.onset) - begin, _milliseconds(song, part.onset + part.duration) - begin
        kept = (part.onset >= first) & (part.onset < last) & (onset < stop)
        onset, end = onset[kept], np.minimum(end[kept], stop)
        length = np.maximum(end - onset, 1)
        timed.append(
            Part.of_columns(
                onset, length, part.pitch[kept], part.velocity[kept], program=part.program, is_drums=part.is_drums
            )
        )
    end = max((part.end for part in timed), default=0) + round(_TAIL * 1000)
    # The tempo event at the end keeps FluidSynth playing until then.
    second = 1_000_000
    return Song(1000, tuple(part for part in timed if len(part)), (Tempo(0, second), Tempo(end, second)), length=end)


def _milliseconds(song: Song, ticks: IntArray) -> IntArray:
    """`Song.seconds` of many ticks."""
    tempos = [DEFAULT_TEMPO, *song.tempos]
    starts = np.array([tempo.tick for tempo in tempos])
    lengths = np.array([tempo.microseconds for tempo in tempos])
    elapsed = np.concatenate([[0], np.cumsum(np.diff(starts) * lengths[:-1])])
    place = np.searchsorted(starts, ticks, side="right") - 1
    microseconds = (elapsed[place] + (ticks - starts[place]) * lengths[place]) / song.ticks_per_quarter
    rounded: IntArray = np.rint(microseconds / 1000).astype(np.int64)
    return rounded


# FluidSynth


_SETTINGS = (
    "synth.dynamic-sample-loading=1",  # only the instruments that are played
    "synth.cpu-cores=1",
    "synth.midi-bank-select=gs",
    "synth.chorus.active=0",
    "synth.reverb.active=1",
    "synth.reverb.room-size=0.4",
    "synth.reverb.damp=0.3",
    "synth.reverb.width=0.8",
    "synth.reverb.level=0.5",
    f"synth.gain={_GAIN}",
    f"synth.sample-rate={RATE}",
    "audio.file.type=wav",
    "audio.file.format=float",
)
_PATIENCE = 60.0  # seconds to render nothing; as many more as it lasts


def _render(synthesiser: Synthesiser, songs: Sequence[Song], show: Callable[[float], None]) -> list[Sound]:
    """Each song as sound, all at once; silence for a song without notes."""
    with tempfile.TemporaryDirectory(prefix="seq2drum-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        (folder / "settings").touch()  # instead of the user's own
        running: list[_Running] = []
        try:
            for number, song in enumerate(songs):
                if song.parts:
                    running.append(_start(synthesiser, song, folder, str(number)))
            _wait(running, show)
        finally:
            for one in running:
                one.process.kill()
                one.process.wait()
        rendered = {one.name: _read(one) for one in running}
    return [rendered.get(str(number), np.zeros((0, 2), np.float32)) for number in range(len(songs))]


class _Running(NamedTuple):
    """A FluidSynth at work on a song of so many seconds, in a folder: NAME.mid to NAME.wav, complaints to NAME.log."""

    process: subprocess.Popen[bytes]
    folder: Path
    name: str
    seconds: float

    @property
    def size(self) -> int:
        """How many bytes are there."""
        try:
            return (self.folder / f"{self.name}.wav").stat().st_size
        except OSError:
            return 0

    @property
    def expected(self) -> float:
        """How many bytes there should be in the end."""
        return self.seconds * RATE * 8

    def failed(self, how: str) -> OutputError:
        log = (self.folder / f"{self.name}.log").read_text(errors="replace").strip().splitlines()
        words = f" (it says: {log[-1][:200]})" if log else ""
        return OutputError(f"no sound could be made: FluidSynth {how}{words}; 2.0 or newer is wanted")


def _start(synthesiser: Synthesiser, song: Song, folder: Path, name: str) -> _Running:
    (folder / f"{name}.mid").write_bytes(midi.serialise(song))
    settings = [word for setting in _SETTINGS for word in ("-o", setting)]
    # Names without a folder: on Windows FluidSynth may not know every letter of the folder's.
    command = [synthesiser.program, "-n", "-i", "-q", "-f", "settings", *settings, "-F", f"{name}.wav"]
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, str(synthesiser.soundfont), f"{name}.mid"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for this program, which ends that one
        )
    return _Running(process, folder, name, song.end / 1000)


def _wait(running: Sequence[_Running], show: Callable[[float], None]) -> None:
    """Wait until all are done, and no longer than is sensible, in time and in bytes."""
    begun = time.monotonic()
    expected = sum(one.expected for one in running)
    while any(one.process.poll() is None for one in running):
        for one in running:
            if time.monotonic() - begun > _PATIENCE + one.seconds:
                raise one.failed(f"was not done after {_PATIENCE + one.seconds:.0f} seconds")
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
                # Read in place: of ten minutes there is no second copy.
                samples = np.fromfile(path, "<f4", min(size, most) // 8 * 2, offset=file.tell())
                return samples[: len(samples) // 2 * 2].reshape(-1, 2)
            body = file.read(size + size % 2)
            if chunk[:4] == b"fmt ":
                kind = int.from_bytes(body[:2], "little")
    raise one.failed("wrote a WAV file without sound")


# Loudness


def loudness(sound: Sound, rate: int = RATE) -> float:
    """Integrated loudness in LUFS, by Recommendation ITU-R BS.1770-4 (2015), annex 1; minus infinity for silence.

    Sound is weighted as the ear weights it, and measured in blocks of 400 ms that overlap by three quarters. What is
    below -70 LUFS, and then what is 10 LU below the mean of the rest, does not count: rests make nothing softer.
    """
    hops = _energies(sound, rate)
    blocks = np.convolve(hops, np.full(4, 0.25), "valid")
    for gate in (lambda mean: -70.0, lambda mean: mean - 10.0):
        blocks = blocks[blocks > _energy(gate(_level(blocks)))]
    return _level(blocks)


def _level(blocks: NDArray[np.float64]) -> float:
    mean = float(blocks.mean()) if len(blocks) else 0.0
    return -0.691 + 10 * math.log10(mean) if mean > 0 else -math.inf


def _energy(level: float) -> float:
    return 0.0 if level == -math.inf else float(10 ** ((level + 0.691) / 10))


def _energies(sound: Sound, rate: int) -> NDArray[np.float64]:
    """The mean square of each tenth of a second after weighting, both channels added; four at the least."""
    taps = _weighting(rate)
    hop = rate // 10
    size = 1 << 16
    chunk = (size - len(taps)) // hop * hop
    response = np.fft.rfft(taps, size)[:, None]
    count = max(-(-len(sound) // hop), 4)
    energies = np.zeros(count)
    for start in range(0, count * hop, chunk):
        lead = min(start, len(taps))  # what was before still sounds in the filter
        piece = np.fft.rfft(sound[start - lead : start + chunk], size, axis=0)
        heard = np.fft.irfft(piece * response, size, axis=0)[lead : lead + chunk]
        means = (heard**2).sum(axis=1).reshape(-1, hop).mean(axis=1)
        first = start // hop
        energies[first : first + len(means)] = means[: count - first]
    return energies


@cache
def _weighting(rate: int) -> NDArray[np.float64]:
    """The impulse response of the standard's two filters (K-weighting); beyond it is nothing to be heard.

    The standard gives coefficients for 48,000 frames a second. The analogue filters that they come from are those of
    B. De Man, "Evaluation of implementations of the EBU R128 loudness measurement", AES 145 (2018), table 1.
    """
    impulse = [1.0] + [0.0] * 8191
    for filtered in filters(rate):
        impulse = list(_biquad(impulse, *filtered))
    return np.array(impulse)


Biquad = tuple[tuple[float, float, float], tuple[float, float]]
"""Coefficients of a filter of second order: b0, b1, b2, and a1, a2, with a0 = 1."""


def filters(rate: int) -> tuple[Biquad, Biquad]:
    """The standard's filters for a rate: the shelf that stands for the head, and the high pass."""
    k, q = math.tan(math.pi * 1681.974450955533 / rate), 0.7071752369554196
    high = 10 ** (3.999843853973347 / 20)
    middle = high**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf = (
        ((high + middle * k / q + k * k) / a0, 2 * (k * k - high) / a0, (high - middle * k / q + k * k) / a0),
        (2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0),
    )
    k, q = math.tan(math.pi * 38.13547087602444 / rate), 0.5003270373238773
    a0 = 1 + k / q + k * k
    return shelf, ((1.0, -2.0, 1.0), (2 * (k * k - 1) / a0, (1 - k / q + k * k) / a0))


def _biquad(samples: Iterable[float], b: tuple[float, float, float], a: tuple[float, float]) -> Iterator[float]:
    first = second = 0.0  # transposed direct form II
    for x in samples:
        y = b[0] * x + first
        first, second = b[1] * x - a[0] * y + second, b[2] * x - a[1] * y
        yield y


# Balance


_MOST_LIFT = 12.0  # dB that one side is raised over the other: brushes stay softer than a strummed guitar
_MOST_SQUEEZE = 9.0  # dB that the tallest peak may be lowered; what would need more stays softer
_LOOK = RATE // 100  # frames over which the limiter comes and goes


def lift(guitars: Sound, drums: Sound) -> float:
    """How much the drums are to be raised, in dB, to be as loud as the guitars (`DRUMS_OVER_GUITAR`).

    Soundfonts do not agree how loud drums are: those of FluidR3 are 7 LU below its guitars (median of 24 songs), and
    from song to song it is anything between 1 LU above and 18 below. Measured loudness makes up for that, up to 12 dB.
    """
    wanted = loudness(guitars) + DRUMS_OVER_GUITAR - loudness(drums)
    return min(max(wanted, -_MOST_LIFT), _MOST_LIFT) if math.isfinite(wanted) else 0.0


def mix(guitars: Sound, drums: Sound) -> Sound:
    """Guitars and drums as one, balanced by `lift`, and together as loud as `LOUDNESS`.

    Peaks may be above full scale: see `limited`.
    """
    raised = lift(guitars, drums)
    mixed = np.zeros((max(len(guitars), len(drums)), 2), np.float32)
    mixed[: len(drums)] = drums
    mixed *= _factor(raised)
    mixed[: len(guitars)] += guitars
    level, peak = loudness(mixed), _peak(mixed)
    if math.isfinite(level) and peak > 0:
        mixed *= min(_factor(LOUDNESS - level), _factor(CEILING + _MOST_SQUEEZE) / peak)
    return mixed


def _factor(decibels: float) -> float:
    return float(10 ** (decibels / 20))


def _peak(sound: Sound) -> float:
    return float(max(sound.max(initial=0), -sound.min(initial=0)))


def limited(sound: Sound, ceiling: float = CEILING) -> NDArray[np.int16]:
    """The sound in 16 bits, no sample above the ceiling (dB below full scale).

    Where a peak would be, all is turned down smoothly, from a hundredth of a second before it to as long after.
    """
    most = np.float32(_factor(ceiling))
    out = np.empty(sound.shape, np.int16)
    chunk = 1 << 18
    for start in range(0, len(sound), chunk):
        here = sound[start : start + chunk]
        first, last = start - _LOOK + 1, start + len(here) + _LOOK - 1
        around = sound[max(first, 0) : last]
        needed = most / np.maximum(np.abs(around).max(axis=1), most)  # the gain that each frame needs
        if needed.min() < 1:
            edges = (max(-first, 0), max(last - len(sound), 0))
            lowest = _least(np.pad(needed, edges, constant_values=1), _LOOK)
            total = np.cumsum(np.concatenate([[0.0], lowest]))
            gain = (total[_LOOK:] - total[:-_LOOK]) / _LOOK  # of as many frames as are here
            here = here * gain[:, None].astype(np.float32)
        out[start : start + chunk] = np.rint(np.clip(here, -most, most) * np.float32(32767))
    return out


def _least(values: Sound, width: int) -> Sound:
    """The least of each so many neighbours: width - 1 fewer values."""
    done = 1
    while 2 * done <= width:
        values = np.minimum(values[:-done], values[done:])
        done *= 2
    rest = width - done
    return np.minimum(values[: len(values) - rest], values[rest:])


# The file


def _finished(sound: Sound) -> NDArray[np.int16]:
    """Sound that ends where it has rung out, softly, with no sample above the ceiling."""
    heard = np.flatnonzero(np.abs(sound).max(axis=1, initial=0) > _SILENCE)
    frames = int(heard[-1]) + 1 if len(heard) else 0
    fade = min(round(_FADE * RATE), len(sound))
    sound = sound[: frames + fade]
    sound[len(sound) - fade :] *= np.linspace(1, 0, fade, dtype=np.float32)[:, None]
    return limited(sound)


def _wav_file(samples: NDArray[np.int16]) -> bytes:
    data = np.ascontiguousarray(samples, "<i2").tobytes()
    form = struct.pack("<HHIIHH", 1, 2, RATE, RATE * 4, 4, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", len(form)) + form
    return b"".join([head, b"data", struct.pack("<I", len(data)), data])
