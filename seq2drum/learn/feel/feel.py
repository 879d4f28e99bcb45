"""The task of the feel: velocities and timing of human drummers, from the Groove MIDI Dataset.

    recordings -> hits on the lattice -> a network for each hit's velocity and moment -> correlations of its errors

The data set's own split is kept: the network learns from train, is validated and has its shares measured on validation,
and never sees test.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.corpus.prepared import Prepared
from seq2drum.lattice.form import clock_of
from seq2drum.learn.feel.recordings import (
    INDEPENDENT,
    Array,
    Recording,
    accents,
    normal_numbers,
    recordings,
    shares,
    shares_as_json,
)
from seq2drum.learn.run import loop, task
from seq2drum.learn.run.runs import BEST
from seq2drum.learn.run.task import Logger, Progress, Scalars, StepContext, StepResult, Task
from seq2drum.models.base import Graph, Shape, write_graph
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.folder import seal
from seq2drum.play.feel.feel import (
    ABOUT,
    FILES,
    FORMAT,
    GRAPH,
    KIND,
    MIXTURE,
    MOMENT,
    SET,
    Feel,
    edges,
    input_size,
    inputs,
)


class Network(nn.Module):
    """A bidirectional GRU over each bar, a GRU over bars, and a second bidirectional GRU given the bars before."""

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
        # A bar read backwards begins with its own last step, not with the padding; turning twice restores the order.
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
    """(N,): the share of each mixture (N, MIXTURE) below a value (N,)."""
    below = torch.sigmoid((value[:, None] - mixture[:, 1:3]) / mixture[:, 3:])
    return (1 - mixture[:, 0]) * below[:, 0] + mixture[:, 0] * below[:, 1]


def velocity_nats(mixture: Tensor, velocity: Tensor) -> Tensor:
    """(N,): nats of velocities 1-127; the tails belong to the softest and the hardest."""
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


def export(network: Network, path: Path, size: int) -> None:
    """Write the network as a graph for ONNX Runtime, its weights inside."""
    felt: Shape = ("n", "B", "S", SET, MIXTURE)
    graph = Graph(
        network.eval(),
        {"rows": ("n", "B", "S", size), "steps": ("n", "B"), "state": ("n", network.memory)},
        {"velocity": felt, "moment": felt, "left": ("n", network.memory)},
    )
    example = torch.zeros(1, 3, 24, size), torch.tensor([[24, 18, 24]]), torch.zeros(1, network.memory)
    with torch.no_grad():
        write_graph(graph, example, path, fold=True)


CARD = "card.md"
BARS = 16  # of a window
BATCH = 16  # windows
UNKNOWN = 0.3  # of the windows whose style is hidden
FEWEST = 4  # least number of recordings of a style
_SOFTEST = 0.002  # quantile of velocity: softer hits are errors of the pads
_SOURCE = "Groove MIDI Dataset 1.0.0, J. Gillick, A. Roberts, J. Engel, D. Eck, D. Bamman 2019; CC BY 4.0"
_NETWORK = "network"  # name of the task's one model and its optimiser
_VELOCITY, _MOMENT, _BOTH = "velocity_nats_per_hit", "moment_nats_per_hit", "nats_per_hit"


@dataclass(frozen=True)
class Recipe(task.Recipe):
    """The recipe of a feel."""

    rate: float = 2e-3
    device: str = "cpu"
    precision: str = "32"
    weight_decay: float = 3e-2


class Place(NamedTuple):
    """Bars [first, stop) of a recording; known: whether its style is shown."""

    recording: int
    first: int
    stop: int
    known: bool = True


# --- windows of recordings --------------------------------------------------------------------------------------------


class _Window(NamedTuple):
    """Bars of a recording as arrays: rows, steps, and for each hit its bar, place, voice and targets."""

    rows: NDArray[np.float32]
    steps: IntArray
    at: IntArray  # (N, 3)
    struck: Array  # (N, 4): velocity, moment, low, high


def _places(index: int, recording: Recording, rng: np.random.Generator | None) -> list[Place]:
    """All bars of a recording in windows; with a generator from a random offset."""
    count = len(recording.form.steps)
    begin = -int(rng.integers(BARS)) if rng is not None and count > BARS else 0
    spans = [(max(first, 0), min(first + BARS, count)) for first in range(begin, count, BARS)]
    return [Place(index, first, stop) for first, stop in spans if stop > first]


def _hits(side: Sequence[Recording], places: Sequence[Place]) -> int:
    """The number of hits in some places."""
    count = 0
    for place in places:
        recording = side[place.recording]
        first, stop = recording.form.first[[place.first, place.stop]]
        count += int(np.sum((recording.hits.step >= first) & (recording.hits.step < stop)))
    return count


def _window(side: Sequence[Recording], place: Place, styles: Sequence[str]) -> _Window:
    recording, first, stop = side[place.recording], place.first, place.stop
    form, hits = recording.form, recording.hits
    bar = form.bar_of(hits.step)
    inside = (bar >= first) & (bar < stop)
    piece = form.between(first, stop)
    step = hits.step[inside] - form.first[first]
    style = styles.index(recording.style) if place.known and recording.style in styles else -1
    rows = inputs(step, hits.key[inside], piece, clock_of(piece), len(styles), style)
    at = np.stack([bar[inside] - first, step - piece.first[bar[inside] - first], hits.key[inside]], axis=1)
    low, high = edges(hits.step, form)
    timing = np.stack([recording.moments, low, high], axis=1)[inside] / MOMENT
    return _Window(rows, piece.steps, at, np.concatenate([hits.velocity[inside][:, None], timing], axis=1))


def _nats(network: Any, memory: int, windows: Sequence[_Window], device: torch.device | str) -> tuple[Tensor, Tensor]:
    """(N,) nats of velocity and of moment of all hits of some windows. memory: size of the network's state."""
    bars = max(len(window.steps) for window in windows)
    places = max(window.rows.shape[1] for window in windows)
    rows = np.zeros((len(windows), bars, places, windows[0].rows.shape[2]), dtype=np.float32)
    steps = np.ones((len(windows), bars), dtype=np.int64)
    for index, window in enumerate(windows):
        rows[index, : len(window.steps), : window.rows.shape[1]] = window.rows
        steps[index, : len(window.steps)] = window.steps
    at = np.concatenate([np.insert(window.at, 0, index, axis=1) for index, window in enumerate(windows)])
    struck = torch.from_numpy(np.concatenate([window.struck for window in windows]).astype(np.float32)).to(device)
    silence = torch.zeros(len(windows), memory, device=device)
    velocity, moment, _ = network(torch.from_numpy(rows).to(device), torch.from_numpy(steps).to(device), silence)
    here = tuple(torch.from_numpy(at).T)
    return velocity_nats(velocity[here], struck[:, 0]), moment_nats(moment[here], *struck[:, 1:].T)


# --- the task ---------------------------------------------------------------------------------------------------------


class FeelTask(Task[list[Place], list[_Window]]):
    """The task of learning how hits are struck, validated on the validation side.

    say: called with a line at each validation.
    """

    unit = "hits"
    criterion = _BOTH

    recipe: Recipe

    def __init__(self, sides: Mapping[str, Sequence[Recording]], recipe: Recipe, say: Callable[[str], None]) -> None:
        self.sides, self.recipe, self.say = sides, recipe, say
        names = [one.style for one in sides["train"]]
        self.styles = sorted({name for name in names if names.count(name) >= FEWEST})
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.network = Network(input_size(len(self.styles)))
        weights = self.network.parameters()
        self.models = {_NETWORK: self.network}
        self.optimizers = {_NETWORK: torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.weight_decay)}

    def epoch(self, number: int, processes: int) -> list[list[Place]]:
        """All bars once, in shuffled windows from random offsets, a share of the styles hidden."""
        rng = np.random.default_rng([self.recipe.seed, 1, number])
        side = self.sides["train"]
        places = [place for index, one in enumerate(side) for place in _places(index, one, rng)]
        known = rng.random(len(places)) >= UNKNOWN
        mixed = [places[index]._replace(known=bool(known[index])) for index in rng.permutation(len(places)).tolist()]
        size = BATCH * processes
        items = [mixed[begin : begin + size] for begin in range(0, len(mixed), size)]
        return [item for item in items if all(_hits(side, item[rank::processes]) for rank in range(processes))]

    def prepare(self, item: list[Place], epoch: int, index: int, *, rank: int, processes: int) -> list[_Window]:
        return [_window(self.sides["train"], place, self.styles) for place in item[rank::processes]]

    def step(self, batch: list[_Window], context: StepContext) -> StepResult:
        velocity, moment = _nats(context.models[_NETWORK], self.network.memory, batch, context.device)
        here = torch.tensor(float(len(velocity)), device=context.device)
        hits = context.total(here)
        context.update(_NETWORK, (velocity.mean() + moment.mean()) * (here * context.processes / hits))
        loud, late = float(velocity.detach().mean()), float(moment.detach().mean())
        return StepResult(int(hits), {_BOTH: loud + late, _VELOCITY: loud, _MOMENT: late})

    def rate(self, optimizer: str, step: int, share: float) -> float:
        return self.recipe.rate * max(0.5 * (1 + math.cos(math.pi * min(share, 1))), 0.01)

    @torch.no_grad()
    def validate(self) -> Scalars:
        """Nats a hit of velocity and of moment."""
        side = self.sides["validation"]
        places = [place for index, one in enumerate(side) for place in _places(index, one, None)]
        device = next(self.network.parameters()).device
        self.network.eval()
        sums, count = np.zeros(2), 0
        for begin in range(0, len(places), BATCH):
            some = places[begin : begin + BATCH]
            if _hits(side, some):
                windows = [_window(side, place, self.styles) for place in some]
                nats = _nats(self.network, self.network.memory, windows, device)
                sums += [float(kind.sum()) for kind in nats]
                count += len(nats[0])
        loud, late = (sums / max(count, 1)).tolist()
        return {_BOTH: loud + late, _VELOCITY: loud, _MOMENT: late}

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        self.say(self.status(progress))

    def status(self, progress: Progress) -> str:
        line = f"epoch {progress.epoch}, {progress.seen} hits, {progress.seconds:.0f} s"
        if _BOTH in progress.validation:
            loud, late = progress.validation[_VELOCITY], progress.validation[_MOMENT]
            line += f"; unseen {loud:.3f} + {late:.3f} nats a hit"
        return line

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write a feel with independent errors."""
        folder.mkdir(parents=True, exist_ok=True)
        export(self.network, folder / GRAPH, input_size(len(self.styles)))
        validation = about["progress"]["validation"]
        velocities = np.concatenate([one.hits.velocity for one in self.sides["train"]])
        _write(
            {
                "kind": KIND,
                "format": FORMAT,
                "kit": FULL.name,
                "inputs": input_size(len(self.styles)),
                "styles": self.styles,
                "state": self.network.memory,
                "softest": int(np.quantile(velocities, _SOFTEST)),
                "parameters": sum(value.numel() for value in self.network.parameters()),
                "seed": self.recipe.seed,
                "minutes": round(about["progress"]["seconds"] / 60, 2),
                "data": {
                    split: {"recordings": len(side), "hits": sum(len(one.hits.step) for one in side)}
                    for split, side in self.sides.items()
                },
                "source": _SOURCE,
                "validation": {
                    "velocity": round(validation.get(_VELOCITY, 0.0), 4),
                    "moment": round(validation.get(_MOMENT, 0.0), 4),
                },
                "accent": {voice.name: 0.0 for voice in FULL.voices[:SET]},
                "shares": dict.fromkeys(("velocity", "moment"), shares_as_json(INDEPENDENT)),
                "torch": torch.__version__,
            },
            folder,
        )


def train(
    groove: Path,
    out: Path,
    recipe: Recipe,
    *,
    resume: bool = False,
    corpus: Sequence[Prepared] = (),
    say: Callable[[str], None] = lambda line: None,
) -> Feel:
    """Train on the Groove MIDI Dataset; leave the best network, with its shares, as a folder for `Feel.load`.

    Its subfolder `run` has the run. corpus: songs with guitars, whose training part measures the guitar's accents, if
    given. say: called with a line at each validation.

    Raises:
        CorpusError: the folder is not the Groove MIDI Dataset.
        CheckpointError, OptionError, OutputError: as `loop.train`.
    """
    every = recordings(groove)
    sides = {split: [one for one in every if one.split == split] for split in ("train", "validation")}
    trained = loop.train(FeelTask(sides, recipe, say), out / "run", resume=resume)
    best = trained.folder / BEST
    about = json.loads((best / ABOUT).read_text(encoding="utf-8"))
    numbers = normal_numbers(Feel.load(best), sides["validation"])
    about["shares"] = {name: shares_as_json(shares([one[row] for one in numbers], sides["validation"]))
                       for row, name in enumerate(("velocity", "moment"))}  # fmt: skip
    if corpus:
        about["accent"] = accents([song for song in corpus if song.split == "train"])
    shutil.copyfile(best / GRAPH, out / GRAPH)
    _write(about, out)
    return Feel.load(out)


# --- the folder -------------------------------------------------------------------------------------------------------


def _write(about: dict[str, Any], out: Path) -> None:
    (out / ABOUT).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    (out / CARD).write_text(card(about), encoding="utf-8")
    seal(out, FILES)


def add_figures(out: Path, figures: Sequence[tuple[str, str]]) -> None:
    """Add measured figures, by name, to the folder of a feel."""
    about = json.loads((out / ABOUT).read_text(encoding="utf-8"))
    about["figures"] = dict(figures)
    _write(about, out)


def card(about: dict[str, Any]) -> str:
    """The model card of a feel, from its `feel.json`."""
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
