"""The Groove MIDI Dataset: recordings of human drummers, their hits on the lattice.

J. Gillick, A. Roberts, J. Engel, D. Eck, D. Bamman, Learning to Groove with Inverse Sequence Transformations (ICML
2019). CC BY 4.0.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.formats.midi import midi
from seq2drum.lattice.form import Form, form_of, written_lattice
from seq2drum.lattice.grid import OFFSET_UNITS, Grid, encode
from seq2drum.music import drum_maps
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray, Part
from seq2drum.play.feel.feel import MOMENT, SET, Expected, Feel, Shares, edges, guitar_accents, mixture_share

INFO = "info.csv"
# The rim of the drummers' third tom, which is another instrument in General MIDI.
_PADS = {58: 43}

Array = NDArray[np.float64]


class Recording(NamedTuple):
    """One recording of a drummer: its hits on the lattice, voices of the drum set."""

    name: str
    style: str
    split: str
    form: Form
    hits: Grid

    @property
    def moments(self) -> Array:
        """(N,): milliseconds from a hit's place to its time."""
        low, high = edges(self.hits.step, self.form)
        late = np.clip(self.hits.offset / OFFSET_UNITS, -0.5, 0.5)
        moments: Array = np.clip(2 * late * np.where(late < 0, -low, high), low, high)
        return moments


def recordings(folder: Path) -> list[Recording]:
    """The recordings of the Groove MIDI Dataset, in the order of its `info.csv`.

    Raises:
        CorpusError: the folder is not the data set.
    """
    try:
        with (folder / INFO).open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        wanted = [(row["midi_filename"], row["style"].split("/")[0], row["split"]) for row in rows]
    except (OSError, KeyError) as error:
        raise CorpusError(f"{str(folder)!r} is not the Groove MIDI Dataset: no usable {INFO} ({error})") from None
    every = []
    for name, style, split in wanted:
        song = midi.read(folder / name)
        lattice = written_lattice(song)
        rows_of = np.concatenate([part.rows for part in drum_maps.drum_parts(song)])
        for pad, note in _PADS.items():
            rows_of[rows_of[:, 2] == pad, 2] = note
        hits = encode(Part.of(rows_of, is_drums=True), lattice, FULL)
        every.append(Recording(name, style, split, form_of(song, lattice), hits.select(hits.key < SET)))
    return every


_FAR_BARS = 4  # apart, two bars share only the song
_TRUST = 200  # hits of a voice with the weight of the mean of all voices
_MOST_HITS = 1500  # of a recording compared in pairs
INDEPENDENT = Shares(0, 0, 0, 0, 0, voice=np.zeros(SET), habit=np.zeros(SET), spread=np.ones(SET))


def normal_numbers(feel: Feel, side: Sequence[Recording]) -> list[Array]:
    """For each recording (2, N): the normal numbers that would have drawn its velocities and moments."""
    rng = np.random.default_rng(0)
    numbers = []
    for one in side:
        style = feel.styles.index(one.style) if one.style in feel.styles else -1
        expected = feel.expect(one.hits.step, one.hits.key, one.form, style)
        numbers.append(_normal(np.stack(shares_below(expected, one.hits.velocity, one.moments / MOMENT, rng))))
    return numbers


def shares_below(
    expected: Expected, velocity: IntArray, moment: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """(N,) each: the predicted share below each velocity and moment, drawn from the range of a velocity."""
    below = np.where(velocity <= 1, 0, mixture_share(expected.velocity, (velocity - 0.5) / 127))
    above = np.where(velocity >= 127, 1, mixture_share(expected.velocity, (velocity + 0.5) / 127))
    low, high, here = (mixture_share(expected.moment, value) for value in (expected.low, expected.high, moment))
    return below + rng.random(len(below)) * (above - below), (here - low) / np.maximum(high - low, 1e-9)


def _normal(share: Array) -> Array:
    """Quantiles of the standard normal distribution at these shares."""
    numbers: Array = torch.special.ndtri(torch.from_numpy(np.clip(share, 1e-4, 1 - 1e-4))).numpy()
    return numbers


def shares(numbers: Sequence[Array], side: Sequence[Recording]) -> Shares:
    """Variance components of the numbers (N,) of each recording, from mean products of pairs of hits.

    Pairs far apart in a song share the song; pairs of one voice also the voice, at one place of the bar the place, and
    with both the habit; pairs of one bar share the bar, and of one step the step. Recordings are weighted by hits.
    The spread is that of each voice's numbers.
    """
    sums: defaultdict[tuple[str, int], float] = defaultdict(float)
    weights: defaultdict[tuple[str, int], float] = defaultdict(float)
    for number, one in zip(numbers, side, strict=True):
        here = slice(0, _MOST_HITS)
        number, step, voice = number[here], one.hits.step[here], one.hits.key[here]
        bar = one.form.bar_of(step)
        place = step - one.form.first[bar]
        product = np.outer(number, number)
        apart = np.abs(bar[:, None] - bar)
        other_voice, other_place = voice[:, None] != voice, place[:, None] != place
        far = apart >= _FAR_BARS
        kinds = {
            ("song", -1): far & other_voice & other_place,
            ("place", -1): far & other_voice & ~other_place,
            ("bar", -1): (apart == 0) & other_voice & other_place,
            ("next", -1): (apart == 1) & other_voice & other_place,
            ("step", -1): (apart == 0) & other_voice & ~other_place,
        }
        for which in np.unique(voice).tolist():
            alike = far & ~other_voice & (voice == which)
            kinds["voice", which] = alike & other_place
            kinds["habit", which] = alike & ~other_place
        for kind, pairs in kinds.items():
            if pairs.any():
                weight = len(number) if kind[1] < 0 else int(np.sum(voice == kind[1]))
                sums[kind] += weight * float(product[pairs].mean())
                weights[kind] += weight
    voices = np.concatenate([one.hits.key for one in side])
    squares = np.bincount(voices, np.concatenate(numbers) ** 2, minlength=SET)
    spread = np.sqrt((squares + _TRUST) / (np.bincount(voices, minlength=SET) + _TRUST))
    return _divided(sums, weights, spread)


def _divided(sums: Mapping[tuple[str, int], float], weights: Mapping[tuple[str, int], float], spread: Array) -> Shares:
    """Shares from weighted sums of products; rare voices are shrunk to the mean of all."""

    def mean(kind: str) -> float:
        return sums.get((kind, -1), 0.0) / max(weights.get((kind, -1), 0.0), 1.0)

    def of_voices(kind: str, less: Array) -> Array:
        total = np.array([sums.get((kind, voice), 0.0) for voice in range(SET)])
        weight = np.array([weights.get((kind, voice), 0.0) for voice in range(SET)])
        all_voices = total.sum() / max(weight.sum(), 1)
        parts: Array = np.maximum((total + _TRUST * all_voices) / (weight + _TRUST) - less, 0.0)
        return parts

    song = max(mean("song"), 0.0)
    place = max(mean("place") - song, 0.0)
    bar = max(mean("bar") - song, 0.0)
    step = max(mean("step") - song - place - bar, 0.0)
    drift = float(np.clip((mean("next") - song) / max(bar, 1e-9), 0, 0.98))
    voice = of_voices("voice", np.full(SET, song))
    habit = of_voices("habit", song + place + voice)
    # A hit's own variance is small, but never zero.
    fits = np.minimum(1.0, (0.95 - song - place - bar - step) / np.maximum(voice + habit, 1e-9))
    return Shares(song, place, bar, step, drift, voice * fits, habit * fits, spread)


def shares_as_json(measured: Shares) -> dict[str, Any]:
    """Shares as JSON, for a feel's folder."""
    return {name: np.round(value, 4).tolist() for name, value in measured._asdict().items()}


def accents(songs: Sequence[Prepared]) -> dict[str, float]:
    """The slope of each voice's loudness over the guitar's at that step, both in standard deviations.

    The slope is measured within song, voice and place of the bar, in songs whose drums and guitars have at least 20
    velocities.
    """
    products, squares = np.zeros(SET), np.zeros(SET)
    for song in songs:
        hits = song.drums.select(song.drums.key < SET)
        if min(len(np.unique(hits.velocity)), len(np.unique(song.guitar_grid.guitar.velocity))) < 20:
            continue
        loudness = guitar_accents(song.guitar_grid)[hits.step]
        form = song.guitar_grid.form
        place = form.place_of(hits.step)
        spread = np.array([np.std(hits.velocity[hits.key == voice]) if (hits.key == voice).any() else 0
                           for voice in range(SET)])  # fmt: skip
        varied = (loudness != 0) & (spread[hits.key] >= 4)
        if not varied.any():
            continue
        x, y = loudness[varied], (hits.velocity / np.maximum(spread[hits.key], 1))[varied]
        _, group = np.unique(hits.key[varied] * 4096 + place[varied], return_inverse=True)
        size = np.bincount(group)
        x = x - (np.bincount(group, x) / size)[group]
        y = y - (np.bincount(group, y) / size)[group]
        weight = 1 / np.sqrt(len(x))  # a long song does not count as many
        products += weight * np.bincount(hits.key[varied], x * y, minlength=SET)
        squares += weight * np.bincount(hits.key[varied], x * x, minlength=SET)
    pooled = products.sum() / max(squares.sum(), 1e-9)
    # A voice with little evidence gets the accents of the others.
    trust = squares.sum() / SET / 4
    slopes = (products + trust * pooled) / np.maximum(squares + trust, 1e-9)
    return {voice.name: round(float(slope), 4) for voice, slope in zip(FULL.voices[:SET], slopes, strict=True)}
