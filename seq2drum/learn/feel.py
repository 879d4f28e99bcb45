"""How the feel of human drummers is learnt from the Groove MIDI Dataset, and what of accents from a corpus.

    recordings -> hits on the lattice -> a network for each hit's velocity and moment -> how its errors hang together

The data set's own split is kept: the network learns from train, is stopped and has its shares measured on validation,
and never sees test. J. Gillick, A. Roberts, J. Engel, D. Eck, D. Bamman, Learning to Groove with Inverse Sequence
Transformations, ICML 2019. CC BY 4.0.
"""

from __future__ import annotations

import csv
import json
import logging
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.prepared import Prepared
from seq2drum.errors import CorpusError
from seq2drum.formats import midi
from seq2drum.lattice.form import Form, clock_of, form_of, written_lattice
from seq2drum.lattice.grid import OFFSET_UNITS, Grid, encode
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray, Part
from seq2drum.play.feel import (
    ABOUT,
    FORMAT,
    GRAPH,
    MIXTURE,
    MOMENT,
    SET,
    Expected,
    Feel,
    Shares,
    edges,
    guitar_accents,
    input_size,
    inputs,
    mixture_share,
)

INFO, CARD = "info.csv", "card.md"
BARS = 16  # of a window that is learnt from
BATCH = 16  # windows
RATE = 2e-3
UNKNOWN = 0.3  # of the windows whose style is hidden
FEWEST = 4  # recordings that make a style
# The rim of the drummers' third tom, which is another instrument in General MIDI.
_PADS = {58: 43}

_SOFTEST = 0.002  # of the hits: softer ones are the pads' mistakes
_FAR_BARS = 4  # apart, two bars have only the song in common
_TRUST = 200  # hits of a voice that weigh as much as what is known of all voices
_MOST_HITS = 1500  # of a recording that are compared in pairs

Array = NDArray[np.float64]
_INDEPENDENT = Shares(0, 0, 0, 0, 0, voice=np.zeros(SET), habit=np.zeros(SET), spread=np.ones(SET))


class Recording(NamedTuple):
    """One recording of a drummer: its hits on the lattice, voices of the drum set."""

    name: str
    style: str
    split: str
    form: Form
    hits: Grid

    @property
    def moments(self) -> Array:
        """(N,): how many milliseconds after its place each hit was struck."""
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
    found = []
    for name, style, split in wanted:
        song = midi.read(folder / name)
        lattice = written_lattice(song)
        rows_of = np.concatenate([part.rows for part in song.parts if part.is_drums])
        for pad, note in _PADS.items():
            rows_of[rows_of[:, 2] == pad, 2] = note
        hits = encode(Part.of(rows_of, is_drums=True), lattice, FULL)
        found.append(Recording(name, style, split, form_of(song, lattice), hits.select(hits.key < SET)))
    return found


# --- the network -----------------------------------------------------------------------------------------------------


class Network(nn.Module):
    """A bar is read in both directions, bars one after the other, then each bar again knowing what came before."""

    def __init__(self, size: int, reading: int = 48, memory: int = 64, striking: int = 64) -> None:
        super().__init__()
        self.memory = memory
        self.forward_read = nn.GRU(size, reading, batch_first=True)
        self.backward_read = nn.GRU(size, reading, batch_first=True)
        self.remember = nn.GRU(2 * reading, memory, batch_first=True)
        heard = 2 * reading + memory
        self.forward_strike = nn.GRU(heard, striking, batch_first=True)
        self.backward_strike = nn.GRU(heard, striking, batch_first=True)
        self.forget = nn.Dropout(0.35)
        self.think = nn.Linear(2 * striking + 2 * reading, striking)
        self.say = nn.Linear(striking, SET * 2 * MIXTURE)
        start = torch.zeros(SET, 2, MIXTURE)
        start[:, 0, 1:3] = torch.tensor([0.35, 0.75])
        start[:, 0, 3:] = -2.5
        start[:, 1, 1:3] = torch.tensor([-0.6, 0.2])
        with torch.no_grad():
            self.say.weight.mul_(0.1)
            self.say.bias.copy_(start.flatten())

    def forward(self, rows: Tensor, steps: Tensor, state: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows (n, B, S, ·), steps (n, B), state (n, ·) -> velocity and moment (n, B, S, V, MIXTURE), state (n, ·)."""
        songs, bars, places = rows.shape[0], rows.shape[1], rows.shape[2]
        length = steps.reshape(-1, 1)
        index = torch.arange(places, device=rows.device)[None]
        # A bar read backwards begins with its own last step, not with the padding; turning it twice is turning it back.
        turn = torch.where(index < length, length - 1 - index, index)
        flat = rows.reshape(songs * bars, places, -1)
        onward, _ = self.forward_read(flat)
        back = _turned(self.backward_read(_turned(flat, turn))[0], turn)
        read = torch.cat([onward, back], dim=-1)
        last = (length - 1).clamp(min=0)[:, :, None].expand(-1, -1, onward.shape[-1])
        bar = torch.cat([onward.gather(1, last)[:, 0], back[:, 0]], dim=-1)
        remembered, left = self.remember(bar.reshape(songs, bars, -1), state[None].contiguous())
        known = remembered.reshape(songs * bars, 1, -1).expand(-1, places, -1)
        heard = self.forget(torch.cat([read, known], dim=-1))
        onward, _ = self.forward_strike(heard)
        back = _turned(self.backward_strike(_turned(heard, turn))[0], turn)
        thought = torch.tanh(self.think(self.forget(torch.cat([onward, back, read], dim=-1))))
        said = self.say(thought).reshape(songs, bars, places, SET, 2, MIXTURE)
        share, centre, scale = said[..., :1], said[..., 1:3], said[..., 3:]
        said = torch.cat([torch.sigmoid(share), centre, torch.exp(scale.clamp(-5, 2))], dim=-1)
        return said[..., 0, :], said[..., 1, :], left[0]


def _turned(rows: Tensor, turn: Tensor) -> Tensor:
    return rows.gather(1, turn[:, :, None].expand(-1, -1, rows.shape[-1]))


def _share(mixture: Tensor, value: Tensor) -> Tensor:
    """How much of the mixtures (N, MIXTURE) lies below the values (N,)."""
    below = torch.sigmoid((value[:, None] - mixture[:, 1:3]) / mixture[:, 3:])
    return (1 - mixture[:, 0]) * below[:, 0] + mixture[:, 0] * below[:, 1]


def velocity_nats(mixture: Tensor, velocity: Tensor) -> Tensor:
    """(N,): nats of velocities 1-127. What lies beyond either end is struck as softly or as hard as there is."""
    above = torch.where(velocity >= 127, 1.0, _share(mixture, (velocity + 0.5) / 127))
    below = torch.where(velocity <= 1, 0.0, _share(mixture, (velocity - 0.5) / 127))
    return -torch.log((above - below).clamp(min=1e-7))


def moment_nats(mixture: Tensor, moment: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """(N,): nats of moments between low and high, in units of MOMENT."""
    scaled = (moment[:, None] - mixture[:, 1:3]) / mixture[:, 3:]
    dense = functional.logsigmoid(scaled) + functional.logsigmoid(-scaled) - torch.log(mixture[:, 3:])
    share = torch.stack([1 - mixture[:, 0], mixture[:, 0]], dim=1).clamp(min=1e-6)
    inside = (_share(mixture, high) - _share(mixture, low)).clamp(min=1e-6)
    return torch.log(inside) - torch.logsumexp(dense + torch.log(share), dim=1)


# --- learning --------------------------------------------------------------------------------------------------------


class _Window(NamedTuple):
    """Some bars of a recording as arrays: rows, steps, and of each hit bar, place, voice and what was struck."""

    rows: NDArray[np.float32]
    steps: IntArray
    at: IntArray  # (N, 3)
    struck: Array  # (N, 4): velocity, moment, low, high


def _window(recording: Recording, first: int, stop: int, styles: Sequence[str], known: bool) -> _Window:
    form, hits = recording.form, recording.hits
    bar = form.bar_of(hits.step)
    inside = (bar >= first) & (bar < stop)
    piece = form.between(first, stop)
    step = hits.step[inside] - form.first[first]
    style = styles.index(recording.style) if known and recording.style in styles else -1
    rows = inputs(step, hits.key[inside], piece, clock_of(piece), len(styles), style)
    at = np.stack([bar[inside] - first, step - piece.first[bar[inside] - first], hits.key[inside]], axis=1)
    low, high = edges(hits.step, form)
    timing = np.stack([recording.moments, low, high], axis=1)[inside] / MOMENT
    return _Window(rows, piece.steps, at, np.concatenate([hits.velocity[inside][:, None], timing], axis=1))


def _batches(
    found: Sequence[Recording], styles: Sequence[str], rng: np.random.Generator | None
) -> Iterator[list[_Window]]:
    """All bars once, in windows; with a generator in any order, beginning anywhere, the style at times hidden."""
    places = []
    for index, recording in enumerate(found):
        count = len(recording.form.steps)
        begin = -int(rng.integers(BARS)) if rng is not None and count > BARS else 0
        places += [(index, max(first, 0), min(first + BARS, count)) for first in range(begin, count, BARS)]
    order = range(len(places)) if rng is None else rng.permutation(len(places)).tolist()
    chosen = [places[number] for number in order]
    for begin in range(0, len(chosen), BATCH):
        windows = [
            _window(found[index], first, stop, styles, rng is None or rng.random() >= UNKNOWN)
            for index, first, stop in chosen[begin : begin + BATCH]
            if stop > first
        ]
        if sum(len(window.at) for window in windows):
            yield windows


def _nats(network: Network, windows: Sequence[_Window]) -> tuple[Tensor, Tensor]:
    """(N,) nats of velocity and of moment of all hits of some windows."""
    bars = max(len(window.steps) for window in windows)
    places = max(window.rows.shape[1] for window in windows)
    rows = np.zeros((len(windows), bars, places, windows[0].rows.shape[2]), dtype=np.float32)
    steps = np.ones((len(windows), bars), dtype=np.int64)
    for index, window in enumerate(windows):
        rows[index, : len(window.steps), : window.rows.shape[1]] = window.rows
        steps[index, : len(window.steps)] = window.steps
    at = np.concatenate([np.insert(window.at, 0, index, axis=1) for index, window in enumerate(windows)])
    struck = torch.from_numpy(np.concatenate([window.struck for window in windows]).astype(np.float32))
    silence = torch.zeros(len(windows), network.memory)
    velocity, moment, _ = network(torch.from_numpy(rows), torch.from_numpy(steps), silence)
    here = tuple(torch.from_numpy(at).T)
    return velocity_nats(velocity[here], struck[:, 0]), moment_nats(moment[here], *struck[:, 1:].T)


def _measure(network: Network, found: Sequence[Recording], styles: Sequence[str]) -> tuple[float, float]:
    """Nats a hit of velocity and of moment."""
    network.eval()
    sums, count = np.zeros(2), 0
    with torch.no_grad():
        for windows in _batches(found, styles, None):
            nats = _nats(network, windows)
            sums += [float(kind.sum()) for kind in nats]
            count += len(nats[0])
    return float(sums[0] / max(count, 1)), float(sums[1] / max(count, 1))


def train(
    groove: Path,
    out: Path,
    minutes: float,
    seed: int = 0,
    *,
    corpus: Sequence[Prepared] = (),
    progress: Callable[[str], None] = lambda line: None,
    clock: Callable[[], float] = time.monotonic,
) -> Feel:
    """Learn for some minutes, and leave the best network, with its shares, as a folder that `Feel.load` reads.

    corpus: songs with guitars, from whose training part the share of the guitar's accents is measured; without it
    there is none. progress is told a line for each time through the data. clock tells the seconds; it is asked once
    a step.

    Raises:
        CorpusError: the folder is not the Groove MIDI Dataset.
    """
    found = recordings(groove)
    sides = {split: [one for one in found if one.split == split] for split in ("train", "validation")}
    names = [one.style for one in sides["train"]]
    styles = sorted({name for name in names if names.count(name) >= FEWEST})
    network, history = _learnt(sides, styles, minutes, seed, progress, clock)
    out.mkdir(parents=True, exist_ok=True)
    export(network, out / GRAPH, input_size(len(styles)))
    about: dict[str, Any] = {
        "format": FORMAT,
        "kit": FULL.name,
        "inputs": input_size(len(styles)),
        "styles": styles,
        "state": network.memory,
        "softest": int(np.quantile(np.concatenate([one.hits.velocity for one in sides["train"]]), _SOFTEST)),
        "parameters": sum(value.numel() for value in network.parameters()),
        "seed": seed,
        "minutes": minutes,
        "data": {
            split: {"recordings": len(side), "hits": sum(len(one.hits.step) for one in side)}
            for split, side in sides.items()
        },
        "source": "Groove MIDI Dataset 1.0.0, J. Gillick, A. Roberts, J. Engel, D. Eck, D. Bamman 2019; CC BY 4.0",
        "validation": history,
        "accent": {voice.name: 0.0 for voice in FULL.voices[:SET]},
        "shares": dict.fromkeys(("velocity", "moment"), _as_json(_INDEPENDENT)),
        "torch": torch.__version__,
    }
    _write(about, out)
    numbers = chances(Feel.load(out), sides["validation"])
    about["shares"] = {name: _as_json(shares([one[row] for one in numbers], sides["validation"]))
                       for row, name in enumerate(("velocity", "moment"))}  # fmt: skip
    if corpus:
        about["accent"] = accents([song for song in corpus if song.split == "train"])
    _write(about, out)
    return Feel.load(out)


def _learnt(
    sides: dict[str, list[Recording]],
    styles: Sequence[str],
    minutes: float,
    seed: int,
    progress: Callable[[str], None],
    clock: Callable[[], float],
) -> tuple[Network, dict[str, float]]:
    """The network that was best on the validation side, and its nats a hit."""
    rng = np.random.default_rng([seed, 1])
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = Network(input_size(len(styles)))
        optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=3e-2)
        begun, epoch = clock(), 0
        best, kept = (np.inf, 0.0, 0.0), {name: value.clone() for name, value in network.state_dict().items()}
        while (passed := (clock() - begun) / (60 * minutes)) < 1:
            network.train()
            for windows in _batches(sides["train"], styles, rng):
                passed = (clock() - begun) / (60 * minutes)
                for group in optimiser.param_groups:
                    group["lr"] = RATE * max(0.5 * (1 + np.cos(np.pi * min(passed, 1))), 0.01)
                velocity, moment = _nats(network, windows)
                optimiser.zero_grad()
                (velocity.mean() + moment.mean()).backward()
                nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
                if passed >= 1:
                    break
            measured = _measure(network, sides["validation"], styles)
            epoch += 1
            progress(f"epoch {epoch}, {passed:.0%}: {measured[0]:.3f} + {measured[1]:.3f} nats a hit")
            if sum(measured) < best[0]:
                best = (sum(measured), *measured)
                kept = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(kept)
    return network.eval(), {"velocity": round(best[1], 4), "moment": round(best[2], 4)}


# --- how errors hang together ----------------------------------------------------------------------------------------


def chances(feel: Feel, found: Sequence[Recording]) -> list[Array]:
    """For each recording (2, N): the normal numbers by which its velocities and moments would have been drawn."""
    rng = np.random.default_rng(0)
    numbers = []
    for one in found:
        style = feel.styles.index(one.style) if one.style in feel.styles else -1
        expected = feel.expect(one.hits.step, one.hits.key, one.form, style)
        numbers.append(_normal(np.stack(shares_below(expected, one.hits.velocity, one.moments / MOMENT, rng))))
    return numbers


def shares_below(
    expected: Expected, velocity: IntArray, moment: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """(N,) each: how much was expected below what was struck. A velocity is a range; a point of it is drawn."""
    below = np.where(velocity <= 1, 0, mixture_share(expected.velocity, (velocity - 0.5) / 127))
    above = np.where(velocity >= 127, 1, mixture_share(expected.velocity, (velocity + 0.5) / 127))
    low, high, here = (mixture_share(expected.moment, value) for value in (expected.low, expected.high, moment))
    return below + rng.random(len(below)) * (above - below), (here - low) / np.maximum(high - low, 1e-9)


def _normal(share: Array) -> Array:
    """The numbers below which lie these shares of the standard normal distribution."""
    numbers: Array = torch.special.ndtri(torch.from_numpy(np.clip(share, 1e-4, 1 - 1e-4))).numpy()
    return numbers


def shares(numbers: Sequence[Array], found: Sequence[Recording]) -> Shares:
    """What the numbers (N,) of each recording have in common, by the mean products of pairs of hits.

    Pairs far apart in a song share the song; if they are of one voice, the voice as well, at one place of the bar the
    place, and both together the habit; pairs of one bar share the bar, and of one step the step. Each recording weighs
    as its hits do. The spread is that of each voice's numbers.
    """
    sums: defaultdict[tuple[str, int], float] = defaultdict(float)
    weights: defaultdict[tuple[str, int], float] = defaultdict(float)
    for number, one in zip(numbers, found, strict=True):
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
    voices = np.concatenate([one.hits.key for one in found])
    squares = np.bincount(voices, np.concatenate(numbers) ** 2, minlength=SET)
    spread = np.sqrt((squares + _TRUST) / (np.bincount(voices, minlength=SET) + _TRUST))
    return _divided(sums, weights, spread)


def _divided(sums: Mapping[tuple[str, int], float], weights: Mapping[tuple[str, int], float], spread: Array) -> Shares:
    """Shares from weighted sums of products; a voice that is seldom played has those of all voices."""

    def mean(kind: str) -> float:
        return sums.get((kind, -1), 0.0) / max(weights.get((kind, -1), 0.0), 1.0)

    def of_voices(kind: str, less: Array) -> Array:
        total = np.array([sums.get((kind, voice), 0.0) for voice in range(SET)])
        weight = np.array([weights.get((kind, voice), 0.0) for voice in range(SET)])
        all_voices = total.sum() / max(weight.sum(), 1)
        found: Array = np.maximum((total + _TRUST * all_voices) / (weight + _TRUST) - less, 0.0)
        return found

    song = max(mean("song"), 0.0)
    place = max(mean("place") - song, 0.0)
    bar = max(mean("bar") - song, 0.0)
    step = max(mean("step") - song - place - bar, 0.0)
    drift = float(np.clip((mean("next") - song) / max(bar, 1e-9), 0, 0.98))
    voice = of_voices("voice", np.full(SET, song))
    habit = of_voices("habit", song + place + voice)
    # What is left for a hit alone is measured as little; it is never nothing.
    fits = np.minimum(1.0, (0.95 - song - place - bar - step) / np.maximum(voice + habit, 1e-9))
    return Shares(song, place, bar, step, drift, voice * fits, habit * fits, spread)


def _as_json(found: Shares) -> dict[str, Any]:
    return {name: np.round(value, 4).tolist() for name, value in found._asdict().items()}


def accents(songs: Sequence[Prepared]) -> dict[str, float]:
    """How many standard deviations louder each voice is struck for each that the guitar is louder at that step.

    From songs whose drums and guitars have at least 20 velocities: the slope, within song and voice and place of the
    bar, of the hit's loudness over the guitar's.
    """
    products, squares = np.zeros(SET), np.zeros(SET)
    for song in songs:
        hits = song.drums.select(song.drums.key < SET)
        if min(len(np.unique(hits.velocity)), len(np.unique(song.heard.guitar.velocity))) < 20:
            continue
        loudness = guitar_accents(song.heard)[hits.step]
        form = song.heard.form
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
        weight = 1 / np.sqrt(len(x))  # a long song is not as many songs
        products += weight * np.bincount(hits.key[varied], x * y, minlength=SET)
        squares += weight * np.bincount(hits.key[varied], x * x, minlength=SET)
    pooled = products.sum() / max(squares.sum(), 1e-9)
    # A voice with little evidence is accented as the others are.
    trust = squares.sum() / SET / 4
    slopes = (products + trust * pooled) / np.maximum(squares + trust, 1e-9)
    return {voice.name: round(float(slope), 4) for voice, slope in zip(FULL.voices[:SET], slopes, strict=True)}


# --- the folder ------------------------------------------------------------------------------------------------------


def export(network: Network, path: Path, size: int) -> None:
    """Write the network as a graph for ONNX Runtime, its weights inside."""
    example = torch.zeros(1, 3, 24, size), torch.tensor([[24, 18, 24]]), torch.zeros(1, network.memory)
    axes = {
        "rows": {0: "n", 1: "B", 2: "S"},
        "steps": {0: "n", 1: "B"},
        "state": {0: "n"},
        "velocity": {0: "n", 1: "B", 2: "S"},
        "moment": {0: "n", 1: "B", 2: "S"},
        "left": {0: "n"},
    }
    with warnings.catch_warnings(), torch.no_grad():
        # The exporter traces; it warns of every Python number that it fixes, and of its own age.
        warnings.simplefilter("ignore")
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        torch.onnx.export(
            network.eval(),
            example,
            str(path),
            input_names=["rows", "steps", "state"],
            output_names=["velocity", "moment", "left"],
            dynamic_axes=axes,
            opset_version=18,
            dynamo=False,
        )


def _write(about: dict[str, Any], out: Path) -> None:
    (out / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    (out / CARD).write_text(card(about), encoding="utf-8")


def add_figures(out: Path, figures: Sequence[tuple[str, str]]) -> None:
    """Put what was measured of a feel, names and values, into its folder."""
    about = json.loads((out / ABOUT).read_text(encoding="utf-8"))
    about["figures"] = dict(figures)
    _write(about, out)


def card(about: dict[str, Any]) -> str:
    """What a person should know of a feel before using it, from what its `feel.json` says."""
    data, best = about["data"], about["validation"]
    sides = ", ".join(f"{side}: {of['recordings']} recordings, {of['hits']:,} hits" for side, of in data.items())
    lines = [
        "# Model card: feel",
        "",
        "It says how hard and how exactly a human drummer would strike given hits. `feel.json` beside this page has",
        "every number. It is no model that plays: `--model` does not list it.",
        "",
        "| what | value |",
        "|---|---|",
        f"| parameters | {about['parameters']:,} |",
        f"| learnt from | {about['source']} |",
        f"| data | {sides}; the data set's test side was never seen |",
        f"| seed, minutes on one core, torch | {about['seed']}, {about['minutes']:g}, {about['torch']} |",
        f"| nats a hit, validation | velocity {best['velocity']}, moment {best['moment']} |",
        f"| styles | {', '.join(about['styles'])} |",
        *(f"| {name} | {value} |" for name, value in about.get("figures", {}).items()),
        "",
        "## Use and limits",
        "",
        "The drummers played an electronic kit to a click, nearly all in 4/4; three of them play three quarters of the",
        "hits. They played no hand percussion: it is struck like the piece of the set that has its part in a groove.",
        "They played to no guitar: how much of its accents is shared (`accent` in `feel.json`, standard deviations of",
        "a voice for one of the guitar's) is a slope measured on songs whose drums and guitars are not flat; else 0.",
    ]
    return "\n".join(lines) + "\n"
