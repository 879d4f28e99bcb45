"""One-bar audio loops to learn from: bars of drums mixed from one-shots, or cut from sound files.

A one-shot is the sound of one hit. `show.sound` renders those of a kit once. Bars of drums are mixed from them here,
on the frames of `lattice.patterns`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import split_of
from seq2drum.data.corpus.reading import name_of
from seq2drum.data.drums.beats import INFO, SIDES, Beats, told_by
from seq2drum.errors import CorpusError, InputError, RecordingError
from seq2drum.formats.audio import recording
from seq2drum.lattice.patterns import (
    FRAMES,
    QUARTERS,
    RATE,
    SLICE,
    SLICES,
    TICKS,
    Samples,
    Velocities,
    respaced,
    spacing,
    ticks_of,
)
from seq2drum.music.choices import LEARNT, LEAST_BPM, MOST_BPM
from seq2drum.music.kit import NINE
from seq2drum.music.limits import RECORDING_LIMITS, RECORDING_SUFFIXES
from seq2drum.music.notes import IntArray
from seq2drum.system.files import read_file

LEVELS = (45, 85, 120)
"""Velocities that one-shots are rendered at."""
SHOT = RATE
"""The length of a one-shot in frames."""
LEAD = 8
"""Silent frames before a one-shot."""
PEAK = 0.8
"""Of a loop."""

Shots = NDArray[np.float32]
"""The one-shots of some kits, (kits, 9, levels, SHOT)."""


class Loops(NamedTuple):
    """One-bar loops, one row each.

    sound (n, FRAMES), its peak at PEAK. kit (n,): index in `kits`. genre (n,): index in LEARNT, -1 for any. bpm (n,):
    original tempo. fill (n,): whether it is a fill. side (n,): index in SIDES. kits: their names.
    """

    sound: NDArray[np.float16]
    kit: IntArray
    genre: IntArray
    bpm: NDArray[np.float64]
    fill: NDArray[np.bool_]
    side: IntArray
    kits: tuple[str, ...]

    def select(self, which: NDArray[np.bool_] | IntArray) -> Loops:
        """Some of the loops."""
        columns: Any = (column[which] for column in self[:-1])
        return Loops(*columns, self.kits)  # type: ignore[call-arg]

    def of_side(self, side: str) -> Loops:
        """The loops of a side."""
        return self.select(self.side == SIDES.index(side))


# --- bars mixed of one-shots ------------------------------------------------------------------------------------------


_LEAST_HITS = 5  # of a bar
_LOUDER = 1.2  # exponent of the velocity ratio by which a hit is louder than its one-shot
_CLOSED, _OPEN = NINE.voice_of[[42, 46]]


def mixed(velocity: NDArray[np.float32], shots: Shots) -> Samples:
    """(FRAMES,): a bar (places, 9) played on the one-shots of a kit (9, levels, SHOT), not levelled.

    The tail after the bar wraps to its start, as in a repeated loop. The next closed hi-hat, in this bar or the next,
    ends an open one.
    """
    places = ticks_of(len(velocity)) * FRAMES / (QUARTERS * TICKS)
    onset = np.rint(places).astype(np.int64)
    closed = onset[velocity[:, _CLOSED] > 0]
    sound = np.zeros(FRAMES + SHOT, dtype=np.float32)
    for place, voice in np.argwhere(velocity > 0):
        struck = float(velocity[place, voice]) * 127
        level = int(np.argmin(np.abs(np.log(np.array(LEVELS) / struck))))
        lasts = SHOT
        if voice == _OPEN and len(closed):
            until = (closed - onset[place] - 1) % FRAMES + 1
            lasts = min(SHOT, int(until.min()))
        sound[onset[place] : onset[place] + lasts] += shots[voice, level, :lasts] * (struck / LEVELS[level]) ** _LOUDER
    sound[:SHOT] += sound[FRAMES:]
    return sound[:FRAMES]


def loops_of(beats: Beats, shots: Shots, kits: Sequence[str], seed: int = 0) -> Loops:
    """A loop for each bar of 5 hits or more, on a random kit.

    Raises:
        CorpusError: there is no such bar.
    """
    chosen = beats.select(np.count_nonzero(beats.velocity, axis=(1, 2)) >= _LEAST_HITS)
    if not len(chosen.velocity):
        raise CorpusError(f"no bar of these drums has {_LEAST_HITS} hits; wanted bars to make loops of")
    kit = np.random.default_rng([seed, 6]).integers(len(kits), size=len(chosen.velocity))
    sound = np.empty((len(kit), FRAMES), dtype=np.float16)
    for row, (velocity, one) in enumerate(zip(chosen.velocity, kit, strict=True)):
        sound[row] = levelled(mixed(velocity, shots[one]))
    return Loops(sound, kit, chosen.genre, chosen.bpm, chosen.fill, chosen.side, tuple(kits))


def levelled(sound: Samples) -> Samples:
    """The sound scaled to a peak of PEAK; silence stays silence."""
    highest = float(np.abs(sound).max(initial=0))
    return sound * np.float32(PEAK / highest) if highest else sound


# --- loops cut out of sound files -------------------------------------------------------------------------------------


_USUAL_BARS = (1, 2, 4, 8, 16)  # of a loop without a tempo in its name
_USUAL_BPM = 117.0
_SILENT = 1e-3  # peak below which sound is silence
_NEAR = 64  # frames compared before and after an onset
_STEP = 8  # frames
_BPM_IN_NAME = re.compile(r"(?<![\d.])(\d{2,3}(?:\.\d+)?)[\s_-]*bpm|bpm[\s_-]*(\d{2,3}(?:\.\d+)?)", re.IGNORECASE)


def read_loops(folders: Sequence[Path], say: Callable[[str], None] = lambda line: None) -> Loops:
    """The bars of all sound files under some folders, a kit to each folder.

    A file's name may say its tempo ("124bpm") and its genre; without a tempo it has 1, 2, 4, 8 or 16 bars, whichever
    makes its tempo most usual. Unusable files are left out, and `say` gets the reason.

    Raises:
        CorpusError: there is no folder, no sound file in it, or none that can be used.
        MissingExtraError: the reader of sound files is not installed.
    """
    found = [(place, path) for place, folder in enumerate(folders) for path in _sound_files(folder)]
    rows, faults = list[tuple[Samples, NDArray[np.float64]]](), list[str]()
    for place, path in found:
        name = name_of(path, folders)
        try:
            data = read_file(path, RECORDING_LIMITS.file_bytes, "sound file")
            bars, bpm = bars_of(recording.mono(data, RATE), tempo_in(path.stem))
        except InputError as fault:
            faults.append(f"{path} is left out: {fault}")
            say(faults[-1])
            continue
        genre, fill = told_by(name)
        known = LEARNT.index(genre) if genre else -1
        about = np.tile([place, known, bpm, fill, SIDES.index(split_of(name))], (len(bars), 1))
        rows.append((bars, about))
    if not rows:
        raise CorpusError(
            faults[0] if len(faults) == 1 else f"none of {len(faults)} sound files can be used: {faults[0]}"
        )
    sound = np.concatenate([bars for bars, _ in rows]).astype(np.float16)
    about = np.concatenate([known for _, known in rows])
    kit, genre_of, fill_of, side = about[:, [0, 1, 3, 4]].astype(np.int64).T
    kits = tuple(folder.resolve().name for folder in folders)
    return Loops(sound, kit, genre_of, about[:, 2], fill_of.astype(bool), side, kits)


def has_sound(folder: Path) -> bool:
    """True if a folder holds loops as sound files, and is not a data set of MIDI files with recordings."""
    return not (folder / INFO).is_file() and any(
        path.suffix.lower() in RECORDING_SUFFIXES for path in folder.rglob("*")
    )


def _sound_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise CorpusError(f"there is no folder {str(folder)!r}; wanted a folder of loops as sound files")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in RECORDING_SUFFIXES and path.is_file())
    if not paths:
        raise CorpusError(f"no sound file in {str(folder)!r}; wanted files ending in {', '.join(RECORDING_SUFFIXES)}")
    return paths


def tempo_in(name: str) -> float | None:
    """The tempo in a name, in quarters a minute; None without a possible one."""
    match = _BPM_IN_NAME.search(name)
    bpm = float(match[1] or match[2]) if match else 0.0
    return bpm if LEAST_BPM <= bpm <= MOST_BPM else None


def bars_of(sound: Samples, bpm: float | None = None) -> tuple[Samples, float]:
    """The bars of a recorded loop (frames,) at RATE as loops (n, FRAMES), and its tempo: guessed, if not given.

    The loop is shifted by half a sixteenth at most, so that its onsets fall on sixteenths. Silent bars are left out.

    Raises:
        RecordingError: the loop is silent, or shorter than a bar.
    """
    seconds = len(sound) / RATE
    if float(np.abs(sound).max(initial=0)) < _SILENT:
        raise RecordingError("it is silent; wanted a drum loop")
    if bpm is None:
        guesses = 240 * np.array(_USUAL_BARS) / seconds
        bpm = float(guesses[np.abs(np.log(guesses / _USUAL_BPM)).argmin()])
    sixteenth = RATE * 15 / bpm
    count = int(len(sound) / (SLICES * sixteenth) + 0.05)
    if not count or not LEAST_BPM <= bpm <= MOST_BPM:
        raise RecordingError(
            f"it lasts {seconds:.2f} seconds, and a bar at {bpm:.0f} lasts {240 / bpm:.2f}; wanted a bar"
        )
    start = np.rint(np.arange(count * SLICES) * sixteenth).astype(np.int64)
    frames = start[:, None] + np.arange(spacing(bpm)) + _first(sound, start, sixteenth)
    slices = sound[frames % len(sound)].reshape(count, SLICES, -1)
    bars = respaced(slices, SLICE)
    audible = np.abs(bars).max(axis=1) >= _SILENT
    return np.stack([levelled(bar) for bar in bars[audible]]), bpm


def _first(sound: Samples, start: IntArray, sixteenth: float) -> int:
    """The offset in frames at which most onsets lie LEAD frames after the starts of slices."""
    power = np.concatenate([sound[-_NEAR:], sound, sound[:_NEAR]]).astype(np.float64) ** 2
    total = np.concatenate([[0.0], np.cumsum(power)])
    held = np.log(total[_NEAR:] - total[:-_NEAR] + _SILENT)  # of the frames from each on
    onset = np.maximum(held[_NEAR:] - held[:-_NEAR], 0)[: len(sound)]
    most, best = int(sixteenth / 2), 0
    for step, reach in ((_STEP, most), (1, _STEP)):
        shifts = np.arange(max(best - reach, -most), min(best + reach, most) + 1, step)
        sums = onset[(start[:, None] + shifts) % len(onset)].sum(axis=0)
        highest = shifts[sums == sums.max()]
        best = int(highest[np.abs(highest).argmin()])
    return best - LEAD


LINES = MappingProxyType(
    {
        "kick": ("kick",),
        "snare": ("snare", "low tom", "mid tom", "high tom"),
        "hats": ("closed hat", "open hat", "ride", "crash"),
    }
)
"""The lines of a loop: each has the hits of these voices."""

_ONE_TEMPO = 0.03  # largest relative difference of the tempos of two loops of one tempo
_TRIES = 4  # draws for each wanted loop
_VOICES = {line: NINE.voices_named(names) for line, names in LINES.items()}


class Combined(NamedTuple):
    """The bars of new loops, all on the train side; the numbers of loops tried, and of copies among them."""

    beats: Beats
    tried: int
    copies: int

    @property
    def loops(self) -> int:
        """The number of new loops."""
        return len(self.beats.names)


def combined(beats: Beats, count: int, rng: np.random.Generator) -> Combined:
    """Combine the loops of the train side that are not fills into at most so many new ones."""
    rows = np.flatnonzero((beats.side == SIDES.index("train")) & ~beats.fill)
    loops = [beats.select(rows[beats.performance[rows] == one]) for one in np.unique(beats.performance[rows])]
    having = {
        line: np.flatnonzero([(loop.velocity[:, :, voices] > 0).any() for loop in loops])
        for line, voices in _VOICES.items()
    }
    known = {_hits(loop.velocity) for loop in loops}
    made: list[Beats] = []
    tried = copies = 0
    while loops and tried < _TRIES * count and len(made) < count:
        tried += 1
        first = loops[int(rng.integers(len(loops)))]
        lines = {line: _fitting(first, loops, having[line], rng) for line in LINES}
        velocity = _put_together(lines)
        hits = _hits(velocity)
        if hits in known:
            copies += 1
            continue
        known.add(hits)
        made.append(_loop(first, velocity, f"combined/{len(made) + 1}"))
    none = beats.select(np.zeros(0, dtype=np.int64))._replace(names=())
    return Combined(joined(none, *made), tried, copies)


def whole(beats: Beats) -> Beats:
    """The bars of loops with more than one line; the others serve to be combined."""
    lines = np.stack([(beats.velocity[:, :, voices] > 0).any(axis=(1, 2)) for voices in _VOICES.values()], axis=1)
    having = np.zeros((len(beats.names), len(LINES)), dtype=bool)
    np.logical_or.at(having, beats.performance, lines)
    return beats.select(having.sum(axis=1)[beats.performance] > 1)


def joined(*many: Beats) -> Beats:
    """Concatenated beats."""
    before = np.cumsum([0, *(len(one.names) for one in many)]).tolist()
    moved = [one._replace(performance=one.performance + by) for one, by in zip(many, before, strict=False)]
    columns: Any = [np.concatenate(column) for column in zip(*(one[:-1] for one in moved), strict=True)]
    names: Any = tuple(name for one in many for name in one.names)
    return Beats(*columns, names)  # type: ignore[call-arg]


def _fitting(first: Beats, loops: Sequence[Beats], having: IntArray, rng: np.random.Generator) -> Beats | None:
    """A loop whose line fits the first one, or None."""
    fit = [
        index
        for index in having.tolist()
        if abs(loops[index].bpm[0] / first.bpm[0] - 1) <= _ONE_TEMPO and loops[index].genre[0] == first.genre[0]
    ]
    return loops[fit[int(rng.integers(len(fit)))]] if fit else None


def _put_together(lines: dict[str, Beats | None]) -> Velocities:
    """The lines of several loops together, as long as the shortest loop."""
    there = {line: loop.velocity for line, loop in lines.items() if loop is not None}
    bars = min(len(velocity) for velocity in there.values())
    out = np.zeros_like(next(iter(there.values()))[:bars])
    for line, velocity in there.items():
        out[:, :, _VOICES[line]] = velocity[:bars, :, _VOICES[line]]
    return out


def _loop(first: Beats, velocity: Velocities, name: str) -> Beats:
    """Bars as a loop with the tempo and genre of the first."""
    rows = np.zeros(len(velocity), dtype=np.int64)
    made = first.select(rows)
    return made._replace(velocity=velocity, performance=rows, number=np.arange(len(rows)), names=(name,))


def _hits(velocity: Velocities) -> bytes:
    return np.packbits(velocity > 0).tobytes() + len(velocity).to_bytes(4, "big")
