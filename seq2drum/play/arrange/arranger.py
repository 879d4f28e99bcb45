"""The arranger: how a drummer builds a song, part by part: at rest or not, how full, how loud.

    guitar and bass -> parts -> what is heard in each -> a small network -> the outlook -> the drawn plan

A part is a section, or a piece of one: where the bass enters a section late, the section is cut there, since drummers
often enter with the bass. What drummers do in a part depends on what they did before, so the outlook has each part
after each STATE; a plan is drawn part by part. `seq2drum.learn.arranger` trains the network; playing it needs numpy
alone.

Letters of shapes: n parts, s STATES, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.columns import Columns
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import FloatArray, Form
from seq2drum.lattice.grid import LENGTH_UNITS, Grid, distinct
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.folder import read_dense

Numbers = NDArray[np.float64]

SHIPPED = Path(__file__).parents[2] / "checkpoints" / "arranger"
KIND = "arranger"
FARTHEST = 4.0  # standard deviations at which features are clipped

LATE = 2  # bars after the first of a section from which its bass is late
LEADS = 0.75  # of a bar, from which a bass that enters leads into the next
LONGEST = 4.0  # quarters that a note's length counts

UNSURE = 0.3  # probability below which drums that have not entered do not wait
SURE = 0.5  # the same of drums that have: a hole in a song is worse than none
SILENT_BARS = 1e-6  # bars that a part without drums counts as

# Features of a part. Those of an instrument are against the mean of the song, but for rests, steps and density.
_INSTRUMENT = (
    "strokes",  # logarithm of the ratio of strokes a bar
    "notes",  # the same of notes
    "velocity",  # 0..1
    "pitch",  # octaves
    "length",  # quarters
    "rests",  # share of bars in which nothing begins
    "spread",  # standard deviation of strokes a bar against the song's mean
    "strokes_step",  # strokes less those of the part before
    "rests_step",
    "density",  # logarithm of the song's strokes a bar
)
_FORM = (
    "first",
    "last",
    "place",  # 0..1
    "bars",  # logarithms of bars, of the song's parts, of its bars
    "parts",
    "song_bars",
    "returns",  # earlier sections of its letter
    "sections",  # all sections of its letter
    "share",  # of the song that its letter has
    "is_later",  # the piece of a section from the bass on
    "has_bass",
)
_STATE = ("rested", "played")  # the drums rest in the part before; they played in some part before
FEATURES = Columns(
    **{f"guitar_{name}": 1 for name in _INSTRUMENT},
    **{f"bass_{name}": 1 for name in _INSTRUMENT},
    **dict.fromkeys((*_FORM, *_STATE), 1),
)
INPUTS = (*FEATURES.widths,)
STATES = ((1, 0), (1, 1), (0, 1))  # values of _STATE: before the drums enter, at rest again, playing
WAITING, RESTING, PLAYING = range(3)


class Part(NamedTuple):
    """Bars [first, stop) of the section with a number. is_later: the section's bass enters here, after `LATE` bars."""

    first: int
    stop: int
    section: int
    is_later: bool = False


class Outlook(NamedTuple):
    """What drummers do in parts after each of STATES, (s, n) each.

    silent: the probability that they rest. level: the logarithm of their hits a bar against the song's. loudness: the
    mean velocity of these, 0..1, less the song's.
    """

    silent: Numbers
    level: Numbers
    loudness: Numbers

    def chances(self, parts: Sequence[Part]) -> Numbers:
        """(sections,): the probability that the drums rest in all parts of each section, whatever they did before."""
        state, chances = np.eye(len(STATES))[WAITING], np.ones(parts[-1].section + 1)
        for number, part in enumerate(parts):
            rests = state * self.silent[:, number]
            silent = rests[[WAITING, RESTING]] + (0, rests[PLAYING])
            chances[part.section] = rests[: PLAYING if part.is_later else None].sum()
            state = np.array([*silent, 1 - silent.sum()])
        return chances

    def silence(self, parts: Sequence[Part], rng: np.random.Generator | None) -> NDArray[np.bool_]:
        """Return the parts (n,) in which the drums rest, drawn one by one; the likeliest without rng.

        A piece from the bass on is silent only if the whole section is.
        """
        draws = np.full(len(parts), 0.5) if rng is None else rng.random(len(parts))
        silent, state = np.zeros(len(parts), dtype=np.bool_), WAITING
        for number, (part, draw) in enumerate(zip(parts, draws.tolist(), strict=True)):
            rests = draw < self.silent[state, number] >= (UNSURE if state == WAITING else SURE)
            silent[number] = rests and (not part.is_later or silent[number - 1])
            state = PLAYING if not silent[number] else WAITING if state == WAITING else RESTING
        return silent

    def played(self, parts: Sequence[Part], silent: NDArray[np.bool_]) -> Numbers:
        """Return the level and the loudness of each section, (2, sections): the mean of its parts with drums, by bars.

        silent (n,): the parts in which the drums rest.
        """
        rested, played = states_before(silent)
        state = np.where(~rested, PLAYING, np.where(played, RESTING, WAITING))
        bars = np.array([part.stop - part.first for part in parts]) * ~silent + SILENT_BARS
        section, here = [part.section for part in parts], (state, np.arange(len(parts)))
        sums = [np.bincount(section, bars * values[here]) for values in (self.level, self.loudness)]
        means: Numbers = np.stack(sums) / np.bincount(section, bars)
        return means


def states_before(silent: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return the values of _STATE for each part, (n,) each: the part before is silent; some part before is not."""
    return np.append(True, silent[:-1]), np.append(False, np.maximum.accumulate(~silent)[:-1])


# --- what is heard ----------------------------------------------------------------------------------------------------


def parts_of(guitar_grid: GuitarGrid, spans: Sequence[tuple[int, int, str]]) -> list[Part]:
    """Return the parts of a song. spans: bars [first, stop) and letter of each section."""
    form, parts = guitar_grid.form, list[Part]()
    played = distinct(guitar_grid.bass.step)
    for number, (first, stop, _) in enumerate(spans):
        step = played[np.searchsorted(played, form.first[first]) :][:1]
        bar = int(form.bar_of(step)[0]) if len(step) else stop
        if bar < stop and form.place_of(step)[0] >= LEADS * form.steps[bar]:
            bar += 1
        if LATE <= bar - first < stop - first:
            parts += Part(first, bar, number), Part(bar, stop, number, is_later=True)
        else:
            parts.append(Part(first, stop, number))
    return parts


def heard(guitar_grid: GuitarGrid, spans: Sequence[tuple[int, int, str]], parts: Sequence[Part]) -> FloatArray:
    """Return the features of each part (n, F); those of the state before it are 0."""
    first = np.array([part.first for part in parts])
    bars = np.diff(first, append=parts[-1].stop)
    letters, length = [letter for *_, letter in spans], [stop - begin for begin, stop, _ in spans]
    section, number = [part.section for part in parts], np.arange(len(parts))
    shares = {name: sum(n for n, own in zip(length, letters, strict=True) if own == name) for name in letters}
    values = {
        **_of_instrument("guitar", guitar_grid.guitar, guitar_grid.form, first, bars),
        **_of_instrument("bass", guitar_grid.bass, guitar_grid.form, first, bars),
        "first": number == 0,
        "last": number == number[-1],
        "place": (first - first[0]) / bars.sum(),
        "bars": np.log(bars),
        "parts": np.full(len(parts), np.log(len(parts))),
        "song_bars": np.full(len(parts), np.log(bars.sum())),
        "returns": [letters[:at].count(letters[at]) for at in section],
        "sections": [letters.count(letters[at]) for at in section],
        "share": [shares[letters[at]] / sum(length) for at in section],
        "is_later": [part.is_later for part in parts],
        "has_bass": np.full(len(parts), len(guitar_grid.bass.step) > 0),
        **dict.fromkeys(_STATE, np.zeros(len(parts))),
    }
    return FEATURES.table(len(parts), values)


def _of_instrument(name: str, grid: Grid, form: Form, first: IntArray, bars: IntArray) -> dict[str, Numbers]:
    """Return the features of an instrument in parts of `bars` (n,) bars from `first` (n,); 0 without any note."""
    if not len(grid.step):
        return {f"{name}_{each}": np.zeros(len(first)) for each in _INSTRUMENT}
    bar, count = form.bar_of(grid.step), len(form.steps)
    strokes = np.bincount(form.bar_of(distinct(grid.step)), minlength=count)
    of_notes = grid.velocity / 127, grid.key / 12, np.minimum(grid.length / LENGTH_UNITS, LONGEST)
    rows = [
        strokes,
        strokes**2,
        strokes == 0,
        *(np.bincount(bar, each, minlength=count) for each in (None, *of_notes)),
    ]
    table = np.stack(rows)[:, first[0] : first[0] + bars.sum()].astype(np.float64)
    sums = np.add.reduceat(table, first - first[0], axis=1)
    (stroke, square, rest, note, *means), whole = sums / bars, table.mean(axis=1)
    ratio, notes = (np.log((own + 0.5) / (whole[at] + 0.5)) for own, at in ((stroke, 0), (note, 3)))
    velocity, pitch, length = (
        np.where(note > 0, own / np.maximum(note, 1e-9) - whole[at] / max(whole[3], 1e-9), 0)
        for at, own in enumerate(means, start=4)
    )
    values = (
        ratio,
        notes,
        velocity,
        pitch,
        length,
        rest,
        np.sqrt(np.maximum(square - stroke**2, 0)) / (whole[0] + 0.5),
        np.diff(ratio, prepend=ratio[0]),
        np.diff(rest, prepend=rest[0]),
        np.full(len(first), np.log(whole[0] + 0.5)),
    )
    return {f"{name}_{each}": value for each, value in zip(_INSTRUMENT, values, strict=True)}


# --- the network ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Arranger:
    """A learnt arranger: a network of one hidden layer. tensors: by `folder.DENSE_TENSORS`."""

    tensors: tuple[FloatArray, ...] = field(repr=False)

    @staticmethod
    def load(path: Path | None = None) -> Arranger:
        """Load the arranger of a folder, by default the shipped one; a folder is read once.

        Raises:
            CheckpointError: the folder is damaged, or of another kind or version.
        """
        return _load((path or SHIPPED).resolve())

    def outlook(self, rows: FloatArray) -> Outlook:
        """Return what drummers do in parts. rows (n, F): see `heard`."""
        mean, spread, weight, bias, out_weight, out_bias = self.tensors
        table = np.tile(rows.astype(np.float64), (len(STATES), 1, 1))  # float32 sums differ from machine to machine
        table[:, :, [FEATURES.at(name) for name in _STATE]] = np.array(STATES)[:, None]
        known = ((table - mean) / spread).clip(-FARTHEST, FARTHEST)
        silent, level, loudness = np.moveaxis(np.maximum(known @ weight.T + bias, 0) @ out_weight.T + out_bias, 2, 0)
        return Outlook(1 / (1 + np.exp(-silent)), level, loudness)


@cache
def _load(folder: Path) -> Arranger:
    return Arranger(read_dense(folder, KIND, "arranger", INPUTS, FEATURES.size, len(Outlook._fields)))
