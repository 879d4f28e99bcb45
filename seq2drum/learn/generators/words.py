"""The task of the words generator: a language model of drum text, from bars of drums.

    bars -> drum text -> streams of words, side by side -> step.onnx

    python -m seq2drum.learn.generators.words --data groove/ -o runs/words --minutes 10

The performances of an epoch are concatenated into streams, and the state of the net is carried from step to step, as in
playing. A share of performances is combined from lines of others (`data.drums.loops`), and a share of the genres is
hidden.

Letters of shapes: n streams, T words of a step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.drums import loops
from seq2drum.data.drums.beats import SIDES, Beats
from seq2drum.errors import CorpusError
from seq2drum.lattice import patterns as text
from seq2drum.lattice.patterns import COUNT, ORDER
from seq2drum.learn.generators import generating
from seq2drum.learn.generators.generating import wishes_of
from seq2drum.learn.run.task import Logger, Progress, Scalars, StepContext, StepResult, Task
from seq2drum.models.base import Graph, write_graph
from seq2drum.music.choices import LEARNT
from seq2drum.music.notes import IntArray
from seq2drum.play.generators.composer import WISHES
from seq2drum.play.generators.words import FORMAT, KIND, PLACES

BAR, START = COUNT, COUNT + 1
"""The numbers of the word BAR, and of the start symbol, which is never drawn."""

_LAYERS = 2


@dataclass(frozen=True)
class Config:
    """Sizes of a word's inputs and of the layers."""

    wishes: int
    places: int = 24
    embedding: int = 48
    hidden: int = 128
    dropout: float = 0.2

    def as_dict(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


class Words(nn.Module):
    """A net that predicts word after word."""

    bits: Tensor

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        size, hidden = config.embedding, config.hidden
        self.word = nn.Embedding(START + 1, size)
        self.struck = nn.Linear(len(ORDER), size)
        self.struck_a_bar_back = nn.Linear(len(ORDER), size, bias=False)
        self.count = nn.Embedding(config.places + 1, size)
        self.wish = nn.Linear(config.wishes, size)
        self.lstm = nn.LSTM(size, hidden, _LAYERS, batch_first=True, dropout=config.dropout)
        self.dropout = nn.Dropout(config.dropout)
        self.next = nn.Linear(hidden, BAR + 1)
        ids = torch.arange(START + 1)[:, None]
        self.register_buffer("bits", ((ids >> torch.arange(len(ORDER))) & 1).float() * (ids < COUNT), persistent=False)

    def forward(
        self, word: Tensor, back: Tensor, count: Tensor, wish: Tensor, state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits (n, T, BAR + 1) of the next word, and the state.

        word, back, count (n, T): the word before, the word a bar before the next one, and how many words the bar has.
        wish (n, T, wishes). state: two of (layers, n, H).
        """
        heard = self.word(word) + self.struck(self.bits[word]) + self.struck_a_bar_back(self.bits[back])
        hidden, state = self.lstm(heard + self.count(count) + self.wish(wish), state)
        return self.next(self.dropout(hidden)), state


class _Draw(nn.Module):
    """One word as a graph; the state of both layers lies in one row."""

    def __init__(self, words: Words) -> None:
        super().__init__()
        self.words = words

    def forward(self, word: Tensor, back: Tensor, count: Tensor, wish: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        parts = state.reshape(-1, 2 * _LAYERS, self.words.config.hidden).transpose(0, 1).contiguous()
        logits, stepped = self.words(
            word[:, None], back[:, None], count[:, None], wish[:, None], (parts[:_LAYERS], parts[_LAYERS:])
        )
        return logits[:, 0], torch.cat(stepped).transpose(0, 1).flatten(1)


def export(words: Words, folder: Path) -> None:
    """Write the graph `step.onnx`, its weights inside.

    word, back, count (n,), wish (n, wishes) and state (n, 4H) -> logits (n, BAR + 1), stepped (n, 4H).
    """
    config = words.config
    state = 2 * _LAYERS * config.hidden
    graph = Graph(
        _Draw(words).eval(),
        {"word": ("n",), "back": ("n",), "count": ("n",), "wish": ("n", config.wishes), "state": ("n", state)},
        {"logits": ("n", BAR + 1), "stepped": ("n", state)},
    )
    whole = ("word", "back", "count")
    given = zip(graph.inputs, graph.example(), strict=True)
    example = tuple(value.long() if name in whole else value for name, value in given)
    with torch.no_grad():
        write_graph(graph, example, folder / "step.onnx", fold=True)


NATS, IN_PLACE = "nats_per_bar", "bars_in_place"
WORDS = PLACES + 1  # of a bar, BAR among them
_NET = "words"
_BARS = 8  # of a step
_FREE_STREAMS, _FREE_BARS = 32, 4  # drawn to check the place of BAR
_VALIDATED = 16  # streams
_UNCOUNTED = -100


@dataclass(frozen=True)
class Recipe(generating.Recipe):
    """The recipe of a words generator.

    batch: streams. hidden_genres: share of steps of a stream without a genre. combined: number of performances combined
    from lines of others, relative to the real ones.
    """

    rate: float = 3e-3
    batch: int = 32
    weight_decay: float = 0.01
    hidden_genres: float = 0.15
    combined: float = 0.33


class Stream(NamedTuple):
    """Consecutive words, (...,) each: the inputs, wishes (..., WISHES), and the next word."""

    word: IntArray
    back: IntArray
    counted: IntArray
    wish: NDArray[np.float32]
    aim: IntArray


class Batch(NamedTuple):
    """The words (n, T) of a step, and whether they are the first of their epoch."""

    words: Stream
    first: bool


# --- streams ----------------------------------------------------------------------------------------------------------


def stream_of(beats: Beats) -> Stream:
    """The bars of a performance as words."""
    bars = len(beats.number)
    ids = text.ids_of(beats.velocity)
    aim = np.concatenate([ids, np.full((bars, 1), BAR)], axis=1).ravel()
    heard = np.concatenate([ids, np.zeros((bars, 1), dtype=np.int64)], axis=1).ravel()
    request = wishes_of(beats.genre[:1], beats.bpm[:1], beats.fill[:1])
    return Stream(
        np.concatenate([[START], aim[:-1]]),
        np.concatenate([np.zeros(WORDS, dtype=np.int64), heard[:-WORDS]]),
        np.tile(np.arange(WORDS), bars),
        np.repeat(request, len(aim), axis=0),
        aim,
    )


def side_by_side(streams: Sequence[Stream], rows: int) -> Stream:
    """Streams concatenated into `rows` of one length, (rows, length); the remainder is dropped."""
    every: Any = (np.concatenate(column) for column in zip(*streams, strict=True))
    joined = Stream(*every)
    rows = min(rows, len(joined.word))
    length = len(joined.word) // rows
    columns: Any = (column[: rows * length].reshape(rows, length, *column.shape[1:]) for column in joined)
    return Stream(*columns)


def part(words: Stream, where: Any) -> Stream:
    """The stream indexed by words of each row, or by rows."""
    columns: Any = (column[where] for column in words)
    return Stream(*columns)


def performances(beats: Beats) -> list[Beats]:
    """The bars of each performance."""
    ends = np.flatnonzero(np.diff(beats.performance)) + 1
    return [beats.select(rows) for rows in np.split(np.arange(len(beats.number)), ends) if len(rows)]


def usual_velocities(beats: Beats) -> list[list[float]]:
    """(places, 9): mean velocity by place and voice, shrunk to the voice's mean where hits are few."""
    struck = beats.velocity > 0
    count, total = struck.sum(axis=0), beats.velocity.sum(axis=0)
    mean = total.sum(axis=0) / np.maximum(count.sum(axis=0), 1)
    mean = np.where(count.sum(axis=0) > 0, mean, text.VELOCITY / 127)
    table = (total + mean * 8) / (count + 8)
    return [[round(float(value), 4) for value in row] for row in table]


# --- the task ---------------------------------------------------------------------------------------------------------


class WordsTask(Task[int, Batch]):
    """The task of predicting the next word in performances, validated on those of the validation side.

    say: called with a line at each validation.
    """

    unit = "bars"
    criterion = NATS

    recipe: Recipe

    def __init__(self, beats: Beats, recipe: Recipe, say: Callable[[str], None]) -> None:
        self.recipe, self.say, self.beats = recipe, say, beats
        train, held = (beats.select(beats.side == SIDES.index(side)) for side in ("train", "validation"))
        self.train, self.usual = train, usual_velocities(train)
        self.own = [stream_of(one) for one in performances(loops.whole(train))]
        self.performances = len(np.unique(train.performance))
        self.held = [stream_of(one) for one in performances(held)]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.net = Words(Config(WISHES, PLACES))
        self.models = {_NET: self.net}
        weights = self.net.parameters()
        self.optimizers = {_NET: torch.optim.AdamW(weights, lr=recipe.rate, weight_decay=recipe.weight_decay)}
        self.carried: tuple[Tensor, Tensor] | None = None
        self.words = self.streams(0, 1)

    def epoch(self, number: int, processes: int) -> range:
        """All performances once, in random order, and some combined from their lines."""
        self.words = self.streams(number, processes)
        return range(-(-self.words.word.shape[1] // (_BARS * WORDS)))

    def streams(self, epoch: int, processes: int) -> Stream:
        """The words of an epoch.

        Raises:
            CorpusError: no drums to learn from.
        """
        rng = np.random.default_rng([self.recipe.seed, 1, epoch])
        made = loops.combined(self.train, round(self.recipe.combined * self.performances), rng).beats
        streams = [*self.own, *(stream_of(one) for one in performances(made))]
        if not streams:
            raise CorpusError("there are no drums to learn from; wanted bars in 4/4 of several pieces of the kit")
        order = rng.permutation(len(streams))
        return side_by_side([streams[index] for index in order], self.recipe.batch * processes)

    def prepare(self, item: int, epoch: int, index: int, *, rank: int, processes: int) -> Batch:
        rng = np.random.default_rng([self.recipe.seed, 2, epoch, index])
        inside = slice(item * _BARS * WORDS, (item + 1) * _BARS * WORDS)
        words = part(self.words, np.s_[:, inside])
        request = words.wish.copy()
        request[rng.random(len(request)) < self.recipe.hidden_genres, :, : len(LEARNT)] = 0
        return Batch(part(words._replace(wish=request), np.s_[rank::processes]), item == 0)

    def step(self, batch: Batch, context: StepContext) -> StepResult:
        state = None if batch.first else self.carried
        nats, state = self.nats(context.models[_NET], batch.words, context.device, state)
        self.carried = state[0].detach(), state[1].detach()
        context.update(_NET, nats)
        bars = context.total(torch.tensor(float((batch.words.aim == BAR).sum()), device=context.device))
        return StepResult(int(bars), {NATS: float(nats.detach()) * WORDS})

    def nats(self, net: Any, words: Stream, device: Any, state: Any = None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Mean nats a word, and the state after the last."""
        word, back, count, request, aim = (torch.from_numpy(np.ascontiguousarray(one)).to(device) for one in words)
        logits, state = net(word, back, count, request, state)
        return functional.cross_entropy(logits.flatten(0, 1), aim.flatten()), state

    @torch.no_grad()
    def validate(self) -> Scalars:
        """Nats a bar of unseen performances, and how often BAR is drawn in its place."""
        self.net.eval()
        device = next(self.net.parameters()).device
        scalars = {IN_PLACE: bars_in_place(self.net, self.train, self.recipe.seed)}
        if not self.held:
            return scalars
        words = side_by_side(self.held, _VALIDATED)
        state, nats, length = None, 0.0, words.word.shape[1]
        for start in range(0, length, _BARS * WORDS):
            some = part(words, np.s_[:, start : start + _BARS * WORDS])
            mean, state = self.nats(self.net, some, device, state)
            nats += float(mean) * some.word.shape[1]
        return {NATS: nats / length * WORDS, **scalars}

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        generating.show(self, progress, logger, self.say)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the checkpoint that `play.generators.words` loads."""
        folder.mkdir(parents=True, exist_ok=True)
        export(self.net, folder)
        config = {
            "config": self.net.config.as_dict(),
            "velocity": self.usual,
            "parameters": generating.parameters(self.net),
        }
        generating.write(folder, KIND, FORMAT, ("step.onnx",), self.beats, {**config, **about})

    def state(self) -> Mapping[str, Any]:
        return {"carried": None if self.carried is None else [part.tolist() for part in self.carried]}

    def restore(self, state: Mapping[str, Any]) -> None:
        kept, device = state["carried"], next(self.net.parameters()).device
        self.carried = None if kept is None else (torch.tensor(kept[0]).to(device), torch.tensor(kept[1]).to(device))


@torch.no_grad()
def bars_in_place(net: Words, beats: Beats, seed: int) -> float:
    """The share of words BAR that end a bar of the right length in streams drawn by the net alone.

    Streams have the wishes of bars of `beats`.
    """
    generator = torch.Generator().manual_seed(seed)
    rows = np.random.default_rng([seed, 3]).integers(len(beats.number), size=_FREE_STREAMS)
    request = [stream_of(beats.select(rows[at : at + 1])).wish[0] for at in range(_FREE_STREAMS)]
    wishes = torch.from_numpy(np.stack(request))[:, None]
    every = torch.arange(_FREE_STREAMS)
    word, length = torch.full((_FREE_STREAMS,), START), torch.zeros(_FREE_STREAMS, dtype=torch.long)
    before, here = (torch.zeros(_FREE_STREAMS, WORDS, dtype=torch.long) for _ in range(2))
    state, right, bars = None, 0, 0
    for _ in range(_FREE_BARS * WORDS):
        count = length.clamp(max=PLACES)
        back = before[every, count]
        logits, state = net(word[:, None], back[:, None], count[:, None], wishes, state)
        word = torch.multinomial(torch.softmax(logits[:, 0], -1), 1, generator=generator)[:, 0]
        ends = word == BAR
        right, bars = right + int((ends & (length == PLACES)).sum()), bars + int(ends.sum())
        here[every, count] = torch.where(ends, 0, word)
        before = torch.where(ends[:, None], here, before)
        length = torch.where(ends, 0, length + 1)
    return right / max(bars, 1)


if __name__ == "__main__":
    raise SystemExit(generating.main("words"))
