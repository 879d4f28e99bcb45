"""The task of learning which groove a section of guitar wants: the ranker, from songs with guitar and drums.

    songs -> sections with their typical grooves -> two nets -> guitar.onnx, groove.onnx

    python -m seq2drum.learn.grooves.ranker --cache FILE -o runs/ranker

Two losses are combined. Contrastive learning finds a section's own groove among those of a batch, and a groove's own
section (A. van den Oord, Y. Li, O. Vinyals, Representation learning with contrastive predictive coding, 2018). The
other finds, in the book of the training songs, the grooves most like the section's own, with popularity as a prior.

Letters of shapes: N sections of a side, n of a batch, m grooves of the book.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.corpus.prepared import Prepared, sources
from seq2drum.errors import CorpusError
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.grooves.grooves import GROOVE, groove_features, hits_of
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.section_features import BASS, SECTION, Metre
from seq2drum.learn.grooves.book import Example, Found, book_of, examples
from seq2drum.learn.run import command, loop, task
from seq2drum.learn.run.runs import BEST
from seq2drum.learn.run.task import Logger, Progress, Scalars, StepContext, StepResult, Task
from seq2drum.models.base import Graph, write_graph
from seq2drum.models.checkpoint import data_lines, describe, with_figures
from seq2drum.music.notes import IntArray
from seq2drum.play.grooves.ranker import FILES, FORMAT, KIND, TAUGHT, Fit, Shelf

# --- sections and the book --------------------------------------------------------------------------------------------


OTHERS = 99  # other sections among which the own groove is searched
OFFERED = 10  # grooves
NATS = "nats_per_section"


class Batch(NamedTuple):
    """A batch of sections.

    heard (n, SECTION.size), seen (n, GROOVE.size): guitar and groove. uncounted (n, n): mask of grooves that are not
    negatives, being of the same group of songs or of another metre. aim (n, m): target distribution over the book;
    foreign (n, m): mask of its grooves of another metre. weight (n,).
    """

    heard: FloatArray
    seen: FloatArray
    uncounted: NDArray[np.bool_]
    aim: FloatArray
    foreign: NDArray[np.bool_]
    weight: FloatArray


class Book(NamedTuple):
    """The grooves (m,) that several training songs have, as arrays; see `Batch`."""

    found: tuple[Found, ...]
    seen: FloatArray
    popularity: FloatArray
    metre: IntArray


class Side:
    """The sections of one side of the split as arrays over all of them; see `Batch`."""

    def __init__(self, sections: Sequence[Example], book: Book, metres: Mapping[Metre, int], near: float) -> None:
        grooves = [one.groove for one in sections]
        self.sections = tuple(sections)
        self.heard = np.stack([one.heard for one in sections])
        self.seen = groove_features(grooves).astype(np.float16)
        self.group = np.unique([one.group for one in sections], return_inverse=True)[1]
        self.song = np.unique([one.song for one in sections], return_inverse=True)[1]
        self.metre = np.array([metres.get((groove.numerator, groove.denominator), -1) for groove in grooves])
        # The weight of a song grows with the root of its number of sections.
        weight = np.bincount(self.group)[self.group] ** -0.5
        self.weight = (weight / weight.mean()).astype(np.float32)
        # The similarity of each groove to those of the book in its metre: (N, m).
        hits = hits_of([one.groove for one in book.found], MAX_STEPS)
        alike = np.concatenate(
            [likeness(hits_of(grooves[at : at + 1024], MAX_STEPS), hits) for at in range(0, len(grooves), 1024)]
        )
        self.alike = np.where(self.metre[:, None] == book.metre, alike, 0).astype(np.float16)
        self.near = near

    def batch(self, rows: IntArray, book: Book, without_bass: NDArray[np.bool_]) -> Batch:
        """A batch of sections; without_bass (n,): mask of hidden basses."""
        heard = self.heard[rows].astype(np.float32)
        heard[without_bass, BASS] = 0
        group, metre = self.group[rows], self.metre[rows]
        uncounted = (group[:, None] == group) | (metre[:, None] != metre)
        np.fill_diagonal(uncounted, False)
        alike = self.alike[rows].astype(np.float32)
        aim = np.exp((alike - alike.max(axis=1, keepdims=True)) / self.near) * (alike > 0)
        aim /= np.maximum(aim.sum(axis=1, keepdims=True), 1e-9)
        foreign = metre[:, None] != book.metre
        return Batch(heard, self.seen[rows].astype(np.float32), uncounted, aim, foreign, self.weight[rows])


def sides_of(
    songs: Sequence[Prepared], near: float, say: Callable[[str], None] = lambda line: None
) -> tuple[dict[str, Side], Book]:
    """The train and validation sides of a corpus, and the book of the training songs. near: see `ranker.Recipe`.

    Raises:
        CorpusError: a side has no section with guitar and drums, or no groove is played in several songs.
    """
    held = {side: examples([song for song in songs if song.split == side]) for side in ("train", "validation")}
    for side, sections in held.items():
        if not sections:
            raise CorpusError(f"the {side} side has no section in which guitar and drums play; prepare more songs")
    found, left = book_of(held["train"])
    say(str(left))
    if not found:
        raise CorpusError("no groove is played in several groups of songs; prepare more songs")
    in_train = dict.fromkeys((one.groove.numerator, one.groove.denominator) for one in held["train"])
    metres = {metre: at for at, metre in enumerate(in_train)}
    book = Book(
        tuple(found),
        groove_features([one.groove for one in found]),
        np.array([one.groups for one in found], dtype=np.float32),
        np.array([metres[one.groove.numerator, one.groove.denominator] for one in found]),
    )
    return {side: Side(sections, book, metres, near) for side, sections in held.items()}, book


# --- figures ----------------------------------------------------------------------------------------------------------


def figures(side: Side, book: Book, among: FloatArray, inside: FloatArray) -> dict[str, float]:
    """Figures of a ranking: means over the songs of a side, each the mean of its sections.

    among (N, N): fit of the side's grooves to its sections. inside (N, m): fit of the book's, with popularity.
    nats_per_section: of the book's groove most like the section's own. first_of_100: how often the own groove fits
    better than those of 99 sections of other songs in its metre. F1 with the own groove: of the safest groove, of a
    drawn one (expected), and of the best of OFFERED.
    """
    alike = side.alike.astype(np.float64)
    values: dict[str, NDArray[np.float64]] = {name: np.full(len(alike), np.nan) for name in FIGURES}
    for metre in np.unique(book.metre).tolist():
        here, own = np.flatnonzero(book.metre == metre), np.flatnonzero(side.metre == metre)
        shelf = Shelf(
            tuple(book.found[at].groove for at in here),
            book.popularity[here].astype(float),
            book.seen[here],
            np.zeros(len(here)),
        )
        for row in own.tolist():
            fit, f1 = Fit.of(shelf, inside[row, here].astype(np.float64)), alike[row, here]
            values[NATS][row] = -np.log(max(fit.shares[f1.argmax()], 1e-12))
            values["f1_safest"][row] = f1[fit.safest()]
            values["f1_drawn"][row] = fit.shares @ f1
            values["f1_best_of_ten"][row] = f1[list(fit.best(OFFERED))].max()
    rng = np.random.default_rng(0)
    for row in range(len(alike)):
        able = np.flatnonzero((side.metre == side.metre[row]) & (side.song != side.song[row]))
        others = rng.permutation(able)[:OTHERS]
        if len(others) == OTHERS:
            values["first_of_100"][row] = float(among[row, row] > among[row, others].max())
    weight = 1 / np.bincount(side.song)[side.song]
    return {name: _mean(one, weight) for name, one in values.items()}


FIGURES = (NATS, "f1_safest", "f1_drawn", "f1_best_of_ten", "first_of_100")


def _mean(values: NDArray[np.float64], weight: NDArray[np.float64]) -> float:
    known = np.isfinite(values)
    return float(np.average(values[known], weights=weight[known])) if known.any() else float("nan")


# --- the nets ---------------------------------------------------------------------------------------------------------


_WARMTH = 1.5  # initial log scale of a cosine
_FARTHEST = 5.0  # standard deviations at which features are clipped


@dataclass(frozen=True)
class Config:
    """Sizes of a ranker, and dropout of its inputs and of the hidden layer."""

    guitar_hidden: int = 384
    groove_hidden: int = 256
    point: int = 96
    guitar_dropout: tuple[float, float] = (0.2, 0.3)
    groove_dropout: tuple[float, float] = (0.1, 0.1)

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Ranker(nn.Module):
    """Both nets. mean, spread (SECTION.size,): of the features of training sections."""

    mean: Tensor
    spread: Tensor

    def __init__(self, config: Config, mean: Tensor, spread: Tensor) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

        def net(size: int, hidden: int, dropout: tuple[float, float]) -> nn.Module:
            layers = nn.Linear(size, hidden), nn.ReLU(), nn.Dropout(dropout[1]), nn.Linear(hidden, config.point)
            return nn.Sequential(nn.Dropout(dropout[0]), *layers)

        self.guitar = net(SECTION.size, config.guitar_hidden, config.guitar_dropout)
        self.groove = net(GROOVE.size, config.groove_hidden, config.groove_dropout)
        self.warmth = nn.Parameter(torch.tensor(_WARMTH))

    def heard(self, rows: Tensor) -> Tensor:
        """Sections (n, SECTION.size) -> points (n, E), all of one learnt length."""
        known = ((rows - self.mean) / self.spread).clamp(-_FARTHEST, _FARTHEST)
        has_bass = rows[:, SECTION["has_bass"]]  # no bass is not the same as a bass that never plays
        known = torch.cat([known[:, : BASS.start], known[:, BASS.start : BASS.stop - 1] * has_bass, has_bass], dim=1)
        return functional.normalize(self.guitar(known), dim=-1) * self.warmth.exp()

    def seen(self, rows: Tensor) -> Tensor:
        """Grooves (m, GROOVE.size) -> their points (m, E), of length 1."""
        return functional.normalize(self.groove(rows), dim=-1)

    def forward(self, heard: Tensor, seen: Tensor) -> Tensor:
        """(n, m): how well grooves (m, GROOVE.size) fit sections (n, SECTION.size)."""
        return self.heard(heard) @ self.seen(seen).T


class _Net(nn.Module):
    """One of the two nets, as a graph."""

    def __init__(self, ranker: Ranker, side: str) -> None:
        super().__init__()
        self.ranker, self.side = ranker, side

    def forward(self, rows: Tensor) -> Tensor:
        return self.ranker.heard(rows) if self.side == "guitar" else self.ranker.seen(rows)


def export(ranker: Ranker, folder: Path) -> None:
    """Write both nets as graphs for ONNX Runtime, `guitar.onnx` and `groove.onnx`, their weights inside.

    Each takes "rows" (n, size) and gives "points" (n, E).
    """
    for side, size in (("guitar", SECTION.size), ("groove", GROOVE.size)):
        graph = Graph(_Net(ranker, side).eval(), {"rows": ("n", size)}, {"points": ("n", ranker.config.point)})
        with torch.no_grad():
            write_graph(graph, graph.example(), folder / f"{side}.onnx", fold=True)


_NETS = "ranker"  # name of the task's one model and its optimiser
_OWN, _BOOK = "own_nats", "book_nats"
_LEAST_SPREAD = 0.05  # floor of the spread, so that nearly constant features are not blown up
_HIDDEN = -1e9  # logit of masked entries


@dataclass(frozen=True)
class Recipe(task.Recipe):
    """The recipe of a ranker.

    batch: sections. without_bass: share of sections whose bass is hidden. near: temperature of the target distribution
    over the book, in units of F1.
    """

    epochs: int = 8
    rate: float = 1e-3
    device: str = "cpu"
    precision: str = "32"
    batch: int = 384
    weight_decay: float = 0.1
    without_bass: float = 0.5
    near: float = 0.02
    net: Config = field(default_factory=Config)


# --- the task ---------------------------------------------------------------------------------------------------------


class RankerTask(Task[IntArray, Batch]):
    """The task of learning which grooves are played to which sections.

    say: called with a line at each validation. data: sources of the songs, for the checkpoint.
    """

    unit = "sections"
    criterion = NATS

    recipe: Recipe

    def __init__(
        self,
        sides: Mapping[str, Side],
        book: Book,
        recipe: Recipe,
        say: Callable[[str], None],
        data: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.sides, self.book, self.recipe, self.say, self.data = sides, book, recipe, say, list(data)
        mean, spread = _usual(sides["train"].heard)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.ranker = Ranker(recipe.net, torch.from_numpy(mean), torch.from_numpy(spread))
        self.models = {_NETS: self.ranker}
        weights = self.ranker.parameters()
        self.optimizers = {_NETS: torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.weight_decay)}

    def epoch(self, number: int, processes: int) -> list[IntArray]:
        """All sections once, in random order; an incomplete last batch is dropped."""
        rng = np.random.default_rng([self.recipe.seed, 1, number])
        order = rng.permutation(len(self.sides["train"].sections))
        size = self.recipe.batch * processes
        return [order[at : at + size] for at in range(0, max(len(order) - size, 0) + 1, size)]

    def prepare(self, item: IntArray, epoch: int, index: int, *, rank: int, processes: int) -> Batch:
        rng = np.random.default_rng([self.recipe.seed, 2, epoch, index])
        hidden = rng.random(len(item)) < self.recipe.without_bass
        return self.sides["train"].batch(item[rank::processes], self.book, hidden[rank::processes])

    def step(self, batch: Batch, context: StepContext) -> StepResult:
        own, book = self.nats(context.models[_NETS], batch, context.device)
        weight = torch.from_numpy(batch.weight).to(context.device)
        own_nats, book_nats = (own * weight).mean(), (book * weight).mean()
        context.update(_NETS, own_nats + book_nats)
        sections = int(context.total(torch.tensor(float(len(own)), device=context.device)))
        return StepResult(sections, {_OWN: float(own_nats.detach()), _BOOK: float(book_nats.detach())})

    def nats(self, ranker: Any, batch: Batch, device: Any) -> tuple[Tensor, Tensor]:
        """(n,) each: nats of the own groove and section among those of the batch; of the book's similar grooves."""
        given = [torch.from_numpy(array).to(device) for array in (*batch[:5], self.book.seen, self.book.popularity)]
        heard, seen, uncounted, aim, foreign, grooves, popularity = given
        fits = ranker(heard, torch.cat([seen, grooves]))
        among, inside = fits[:, : len(seen)].masked_fill(uncounted, _HIDDEN), fits[:, len(seen) :]
        here = torch.arange(len(seen), device=device)
        own = sum(functional.cross_entropy(one, here, reduction="none") for one in (among, among.T)) / 2
        inside = (inside + popularity.log()).masked_fill(foreign, _HIDDEN)
        book = -(aim * torch.log_softmax(inside, dim=1)).sum(dim=1)
        return torch.as_tensor(own), book

    @torch.no_grad()
    def validate(self) -> Scalars:
        """Figures of the validation side with and without bass, all songs with one weight; see `figures`."""
        self.ranker.eval()
        device = next(self.ranker.parameters()).device
        side, scalars = self.sides["validation"], dict[str, float]()
        for name, hide in (("", False), ("_without_bass", True)):
            rows = np.arange(len(side.sections))
            batch = side.batch(rows, self.book, np.full(len(rows), hide))
            heard, seen, grooves = (
                torch.from_numpy(array).to(device) for array in (batch.heard, batch.seen, self.book.seen)
            )
            fits = self.ranker(heard, torch.cat([seen, grooves])).cpu().numpy()
            among, inside = fits[:, : len(rows)], fits[:, len(rows) :] + np.log(self.book.popularity)
            scalars |= {key + name: value for key, value in figures(side, self.book, among, inside).items()}
        scalars[NATS] = (scalars[NATS] + scalars.pop(f"{NATS}_without_bass")) / 2
        return scalars

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        self.say(self.status(progress))

    def status(self, progress: Progress) -> str:
        line = f"epoch {progress.epoch}, {progress.seen} sections, {progress.seconds:.0f} s"
        if NATS in progress.validation:
            line += "; unseen: " + ", ".join(f"{name} {value:.4g}" for name, value in progress.validation.items())
        return line

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the checkpoint that `play.grooves.ranker` loads."""
        folder.mkdir(parents=True, exist_ok=True)
        export(self.ranker, folder)
        metres = Counter(one.groove.metre for one in self.sides["train"].sections)
        config = {
            "kind": KIND,
            "format": FORMAT,
            "inputs": {"guitar": SECTION.size, "groove": GROOVE.size},
            "metres": dict(metres.most_common()),
            "parameters": sum(value.numel() for value in self.ranker.parameters()),
            "sections": {name: len(side.sections) for name, side in self.sides.items()},
            "songs": {name: int(side.song.max()) + 1 for name, side in self.sides.items()},
            "book": len(self.book.found),
            "data": self.data,
            **about,
        }
        write(config, folder)


def _usual(heard: NDArray[np.floating]) -> tuple[FloatArray, FloatArray]:
    """(SECTION.size,) each: mean and spread of the features; of the bass, over sections that have one."""
    rows = heard.astype(np.float32)
    mean, spread = rows.mean(axis=0), rows.std(axis=0)
    basses = rows[rows[:, SECTION.at("has_bass")] > 0][:, BASS]
    if len(basses):
        mean[BASS], spread[BASS] = basses.mean(axis=0), basses.std(axis=0)
    return mean, spread + np.float32(_LEAST_SPREAD)


# --- the folder -------------------------------------------------------------------------------------------------------


def write(config: Mapping[str, Any], folder: Path) -> None:
    """Write the description of a checkpoint: config.json, the card, the digests."""
    describe(folder, config, card(config), FILES)


def add_figures(folder: Path, measured: Mapping[str, str]) -> None:
    """Add measured figures, by name, to the folder of a ranker."""
    write(with_figures(folder, measured), folder)


def card(config: Mapping[str, Any]) -> str:
    """The model card of a ranker, from its `config.json`."""
    songs, sections = config["songs"], config["sections"]
    recipe, progress = config.get("recipe", {}), config.get("progress", {})
    lines = [
        "# Model card: ranker",
        "",
        "It says how well grooves fit a section of guitar (and of bass, where there is one). `config.json` beside this",
        "page has every number. It is no model that plays: `--model` does not list it.",
        "",
        "| what | value |",
        "|---|---|",
        f"| parameters | {config['parameters']:,} |",
        *(f"| {side} | {songs[side]:,} songs, {sections[side]:,} sections |" for side in songs),
        f"| sections by metre | {', '.join(f'{count:,} in {metre}' for metre, count in config['metres'].items())} |",
        f"| seed, minutes | {recipe.get('seed')}, {progress.get('seconds', 0) / 60:.1f} |",
        *(f"| validation: {name} | {value:.4g} |" for name, value in progress.get("validation", {}).items()),
        *(f"| {name} | {value} |" for name, value in config.get("figures", {}).items()),
        "",
        "Validation figures are means over songs. `first_of_100`: how often a section's own groove is found among",
        f"{OTHERS} of other songs. `f1_...`: the F1 (nine voices) of a groove of the book with the typical bar of the",
        "section's own drums: of the safest, a drawn one, and the best of ten on offer. Figures with an interval are",
        "those of `seq2drum.learn.grooves.judging`, the idioms of the package among the grooves: F1 with the typical",
        "bar and with all bars of the section's own drums.",
        "",
        "## Use and limits",
        "",
        "A guitar says little about which of many grooves a song wants: what it is sure of is what most songs do. Rare",
        f"metres and styles were hardly learnt: grooves of metres with fewer than {TAUGHT} sections are ranked by",
        "their popularity and tempo alone.",
    ]  # fmt: skip
    return "\n".join([*lines, *data_lines(config)]) + "\n"


# --- the command ------------------------------------------------------------------------------------------------------


def train(
    songs: Sequence[Prepared],
    out: Path,
    recipe: Recipe,
    *,
    resume: bool = False,
    say: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train on songs, and leave a run in a folder; returns the checkpoint of the least validation nats.

    Raises:
        CorpusError: there is too little to learn from.
        CheckpointError, OptionError, OutputError: as `loop.train`.
    """
    sides, book = sides_of(songs, recipe.near, say)
    trained = loop.train(RankerTask(sides, book, recipe, say, sources(songs)), out, resume=resume)
    return trained.folder / BEST


def main(arguments: Sequence[str] | None = None) -> int:
    """Train a ranker on a prepared corpus."""
    return command.main("seq2drum.learn.grooves.ranker", "Train a ranker of grooves.", Recipe, train, arguments)


if __name__ == "__main__":
    raise SystemExit(main())
