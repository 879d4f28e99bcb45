"""The panel of generators: how good beats without a guitar are.

Each generator makes eight bars for the genre and the tempo of windows of real drummers, which they are compared with.
The windows come from performances that no generator has learnt from.

The strong critic is the main figure. It learns from thousands of windows that the generator has made for the genres
and tempos of training windows, and judges unseen ones: the area under its curve is 0.5 for a drummer and 1.0 for a
machine. A critic that learns from the few unseen bars flatters generators. Its floor is the player `Another`: a real
window of another performance of the same genre and tempo.

Letters of shapes: n windows or bars, B bars, S places, V voices, F numbers that a critic sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.drums.beats import SIDES, Beats, read
from seq2drum.errors import CorpusError
from seq2drum.evaluate import report
from seq2drum.evaluate.likelihood import one_thread
from seq2drum.judge.measures import auc, divergence, pearson
from seq2drum.lattice.form import FloatArray
from seq2drum.lattice.patterns import Velocities
from seq2drum.music.brief import BRIEF
from seq2drum.music.choices import LEARNT
from seq2drum.music.kit import HANDS, NINE
from seq2drum.music.notes import IntArray
from seq2drum.play.generators.composer import Brief, Composer, Generator
from seq2drum.play.generators.drawing import BY_HAND
from seq2drum.show.page import Table

BARS = 8  # of a window
LAGS = (1, 2, 4)  # bars apart that the critic of windows compares
SLOW, FAST = 70, 160  # bpm

_HOP = 4  # bars from one unseen window to the next
_NEAR = 32  # windows of a genre with a similar tempo
_TRIED = 200  # windows requested at a slow and a fast tempo
_COPIED = 2  # most hits by which a near copy differs
_CHUNK = 500  # bars compared with all others in one pass

Figures = Mapping[str, float]


class Windows(NamedTuple):
    """Some windows of real drummers: velocity (n, B, S, V), genre (n,) into LEARNT or -1, bpm, performance (n,)."""

    velocity: Velocities
    genre: IntArray
    bpm: NDArray[np.float64]
    performance: IntArray

    def select(self, which: IntArray) -> Windows:
        """Some of them."""
        return Windows(self.velocity[which], self.genre[which], self.bpm[which], self.performance[which])


class World(NamedTuple):
    """The data that generators are judged by: training windows of critics, unseen ones, and all training bars.

    namer: a classifier of a bar's genre, see `fitted`.
    """

    train: Windows
    unseen: Windows
    learnt: Velocities
    namer: nn.Module


class Player(Protocol):
    """A function from the number of a window of `of` to a made window (B, S, V)."""

    def __call__(self, of: Windows, number: int, seed: int) -> Velocities: ...


class Composing:
    """A generator as a player. variability: None for the default. bpm: None for the tempo of the window."""

    def __init__(self, generator: Generator, variability: float | None = None, bpm: float | None = None) -> None:
        self.generator, self.bpm = generator, bpm
        self.variability = BRIEF["variability"].default if variability is None else variability

    def __call__(self, of: Windows, number: int, seed: int) -> Velocities:
        genre = int(of.genre[number])
        bpm = float(of.bpm[number]) if self.bpm is None else self.bpm
        brief = Brief(LEARNT[genre] if genre >= 0 else None, bpm, BARS, self.variability)
        return np.stack(list(islice(self.generator.bars(lambda: brief, seed), BARS)))


class Another:
    """The floor: a real window of a training performance of the same genre and nearly the same tempo."""

    def __init__(self, train: Windows) -> None:
        self.train = train

    def __call__(self, of: Windows, number: int, seed: int) -> Velocities:
        train, own = self.train, of.performance[number]
        others = np.flatnonzero((train.genre == of.genre[number]) & (train.performance != own))
        if not len(others):
            others = np.flatnonzero(train.performance != own)
        apart = np.abs(np.log(train.bpm[others] / of.bpm[number]))
        near = others[np.argsort(apart, kind="stable")[:_NEAR]]
        chosen: Velocities = train.velocity[np.random.default_rng([seed, 31]).choice(near)]
        return chosen


# --- data --------------------------------------------------------------------------------------------------


def world_of(beats: Beats, sides: tuple[str, ...] = SIDES[1:], windows: int = 3000, seed: int = 0) -> World:
    """The data that generators of a grid are judged by. sides: of the unseen windows. windows: for training critics.

    Raises:
        CorpusError: there are too few bars.
    """
    rng = np.random.default_rng([seed, 1])
    train = beats.select(beats.side == 0)
    first = train.windows(BARS)
    unseen = beats.select(np.isin(beats.side, [SIDES.index(side) for side in sides]))
    held = unseen.windows(BARS, _HOP)
    if min(len(first), len(held)) < BARS:
        raise CorpusError("there are too few bars on the train side or the others to judge generators by; add files")
    namer = fitted(bars_seen(train.velocity, loud=True), train.genre + 1, seed, classes=len(LEARNT) + 1)
    chosen = np.sort(rng.permutation(first)[:windows])
    return World(_windows(train, chosen), _windows(unseen, held), train.velocity, namer)


def _windows(beats: Beats, first: IntArray) -> Windows:
    rows = first[:, None] + np.arange(BARS)
    return Windows(beats.velocity[rows], beats.genre[first], beats.bpm[first], beats.performance[first])


# --- the panel --------------------------------------------------------------------------------------------------------


def figures(player: Player, world: World, seed: int = 0) -> Figures:
    """The panel of a player, by name. Names that end in "real" are of the unseen windows themselves."""
    train, unseen = world.train, world.unseen
    made = windows_of(player, unseen, seed)
    taught = windows_of(player, train, seed + 1)
    found: dict[str, float] = {
        **habits(made),
        **{f"{name} real": value for name, value in habits(unseen.velocity).items()},
    }
    found |= differences(made, unseen.velocity)
    some, real = one_bar(made), one_bar(unseen.velocity)
    for name, bars in (("", some), (" real", real)):
        nearest = nearest_of(bars, world.learnt)
        found[f"copies{name}"] = float((nearest == 0).mean())
        found[f"copies within {_COPIED}{name}"] = float((nearest <= _COPIED).mean())
        found |= {f"{what}{name}": value for what, value in obeyed(bars, unseen.genre, world.namer).items()}
        found[f"one drop in reggae{name}"] = one_drops(bars[unseen.genre == LEARNT.index("reggae")])
        bpm, hits = unseen.bpm, (bars > 0).sum(axis=(1, 2))
        sums = len(bpm), bpm.sum(), hits.sum(), bpm @ bpm, hits @ hits, bpm @ hits
        found[f"tempo and hits{name}"] = pearson(np.array(sums, dtype=np.float64))
    found["strong AUC, a bar"] = strong_auc(one_bar(train.velocity, 2), one_bar(taught, 2), real, some, bars_seen, seed)
    found["strong AUC, eight bars"] = strong_auc(train.velocity, taught, unseen.velocity, made, windows_seen, seed)
    return MappingProxyType(found)


def effect_of_tempo(generator: Generator, world: World, seed: int = 0) -> Figures:
    """Hits a bar of a generator at a slow and at a fast tempo, for the same genres and seeds."""
    few = world.unseen.select(np.linspace(0, len(world.unseen.bpm) - 1, _TRIED).astype(np.int64))
    return {
        f"hits at {bpm} bpm": habits(windows_of(Composing(generator, bpm=bpm), few, seed))["hits"]
        for bpm in (SLOW, FAST)
    }


def windows_of(player: Player, windows: Windows, seed: int) -> Velocities:
    """(n, B, S, V): a player's window for each of some windows."""
    return np.stack([player(windows, number, 100_000 * seed + number) for number in range(len(windows.bpm))])


def one_bar(windows: Velocities, count: int = 1) -> Velocities:
    """(n * count, S, V): some bars of each window, from the first on in turn."""
    rows = np.arange(len(windows))
    step = BARS // count
    return np.concatenate([windows[rows, (3 * rows + number * step) % BARS] for number in range(count)])


def habits(windows: Velocities) -> dict[str, float]:
    """The statistics of windows (n, B, S, V) by themselves."""
    hits = windows > 0
    bars = hits.reshape(-1, *hits.shape[2:])
    one = one_bar(windows) > 0
    found = {
        "hits": float(bars.sum(axis=(1, 2)).mean()),
        "spread of hits": float(one.sum(axis=(1, 2)).std()),
        "empty": float((~bars.any(axis=(1, 2))).mean()),
        "distinct": len(np.unique(one.reshape(len(one), -1), axis=0)) / len(one),
        # The closed hat can be a foot's.
        "three hands": float((bars[:, :, BY_HAND].sum(axis=2) > HANDS).any(axis=1).mean()),
    }
    return found | {f"likeness {lag} apart": _likeness(hits, lag) for lag in (1, 4)}


def _likeness(hits: NDArray[np.bool_], lag: int) -> float:
    """The mean F1 of bars at a distance."""
    here, later = hits[:, lag:], hits[:, :-lag]
    total = here.sum(axis=(2, 3)) + later.sum(axis=(2, 3))
    return float((2 * (here & later).sum(axis=(2, 3))[total > 0] / total[total > 0]).mean())


def differences(made: Velocities, real: Velocities) -> dict[str, float]:
    """Jensen-Shannon divergences in bits of the shares of voices, of places, and of both together."""
    one, other = ((windows > 0).sum(axis=(0, 1)).astype(np.float64) for windows in (made, real))
    return {
        "JSD of voices": divergence(one.sum(axis=0), other.sum(axis=0)),
        "JSD of places": divergence(one.sum(axis=1), other.sum(axis=1)),
        "JSD of both": divergence(one.ravel(), other.ravel()),
    }


def nearest_of(bars: Velocities, learnt: Velocities) -> IntArray:
    """(n,): the number of hits in which each bar differs from the most similar training bar."""
    rows, others = ((one > 0).reshape(len(one), -1).astype(np.float32) for one in (bars, learnt))
    count, least = others.sum(axis=1), []
    for at in range(0, len(rows), _CHUNK):
        some = rows[at : at + _CHUNK]
        least.append((some.sum(axis=1)[:, None] + count - 2 * some @ others.T).min(axis=1))
    return np.asarray(np.rint(np.concatenate(least)), dtype=np.int64)


def obeyed(bars: Velocities, genre: IntArray, namer: nn.Module) -> dict[str, float]:
    """The share of bars classified as the requested genre: of all with a request, and by genre.

    The mean hides much: rare genres are hardly obeyed while common ones are obeyed more than by drummers.
    """
    right = asked(namer, bars_seen(bars, loud=True)).argmax(dim=1).numpy() - 1 == genre
    shares = {"genre obeyed": float(right[genre >= 0].mean())}
    return shares | {
        f"genre obeyed, {LEARNT[one]}": float(right[genre == one].mean()) for one in sorted({*genre.tolist()} - {-1})
    }


def one_drops(bars: Velocities) -> float:
    """The share of bars (n, S, V) with a kick on the third quarter and none on the first; 0 without bars."""
    kick = bars[:, :, NINE.names.index("kick")] > 0
    return float((kick[:, bars.shape[1] // 2] & ~kick[:, 0]).mean()) if len(bars) else 0.0


# --- critics ----------------------------------------------------------------------------------------------------------


def bars_seen(bars: Velocities, *, loud: bool = False) -> FloatArray:
    """(n, S, V) -> (n, F): the hits of a bar and the number of each voice; optionally the velocities as well."""
    hits = (bars > 0).astype(np.float32)
    seen = [hits.reshape(len(bars), -1), hits.sum(axis=1) / 4]
    return np.concatenate([*seen, bars.reshape(len(bars), -1)] if loud else seen, axis=1, dtype=np.float32)


def windows_seen(windows: Velocities) -> FloatArray:
    """(n, B, S, V) -> (n, F): hits, counts of each voice, and the differences of each voice at some distances."""
    hits = (windows > 0).astype(np.float32)
    apart = [np.abs(hits[:, lag:] - hits[:, :-lag]).sum(axis=2).mean(axis=1) / 3 for lag in LAGS]
    counts = hits.sum(axis=(1, 2)) / 32
    return np.concatenate([hits.reshape(len(hits), -1), *apart, counts], axis=1, dtype=np.float32)


def strong_auc(
    real: Velocities,
    made: Velocities,
    unseen_real: Velocities,
    unseen_made: Velocities,
    seen: Callable[[Velocities], FloatArray],
    seed: int,
) -> float:
    """The AUC on unseen windows of a critic that has learnt real from made drums."""
    rows = np.concatenate([seen(real), seen(made)])
    wanted = np.repeat([0, 1], [len(real), len(made)])
    critic = fitted(rows, wanted, seed, classes=2)
    scores = [(told := asked(critic, seen(drums)))[:, 1] - told[:, 0] for drums in (unseen_real, unseen_made)]
    return auc(scores[0].numpy(), scores[1].numpy())


def fitted(rows: FloatArray, wanted: IntArray, seed: int, classes: int, epochs: int = 8) -> nn.Module:
    """A net that classifies rows (n, F), classes (n,), from the epoch with the best score on held-back rows."""
    size = rows.shape[1]
    with torch.random.fork_rng(devices=[]), one_thread():
        torch.manual_seed(seed)
        net = nn.Sequential(
            *(nn.Linear(size, 256), nn.ReLU(), nn.Dropout(0.4), nn.Linear(256, 128), nn.ReLU(), nn.Dropout(0.4)),
            nn.Linear(128, classes),
        )
        optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=2e-2)
        order = torch.randperm(len(rows))
        given, right = torch.from_numpy(rows), torch.from_numpy(np.asarray(wanted, dtype=np.int64))
        back, learnt = order[: len(rows) // 7], order[len(rows) // 7 :]
        best, kept = float("inf"), net.state_dict()
        for _ in range(epochs):
            net.train()
            for batch in learnt[torch.randperm(len(learnt))].split(128):
                optimizer.zero_grad()
                functional.cross_entropy(net(given[batch]), right[batch]).backward()
                optimizer.step()
            net.eval()
            with torch.no_grad():
                loss = float(functional.cross_entropy(net(given[back]), right[back]))
            if loss < best:
                best, kept = loss, {name: value.clone() for name, value in net.state_dict().items()}
    net.load_state_dict(kept)
    return net.eval()


@torch.no_grad()
def asked(net: nn.Module, rows: FloatArray) -> Tensor:
    """(n, classes): the logits of a net for rows."""
    answer: Tensor = net(torch.from_numpy(rows))
    return answer


# --- several generators -----------------------------------------------------------------------------------------------


def judged(
    models: Sequence[str],
    folders: Sequence[Path],
    sides: tuple[str, ...] = SIDES[1:],
    windows: int = 3000,
    seed: int = 0,
    say: Callable[[str], None] = lambda line: None,
) -> Mapping[str, Figures]:
    """The panels of generators by name, each on its own grid, with the floor after the first one of a grid.

    models: names or folders of checkpoints. say: receives a line before each panel.

    Raises:
        UnknownModelError, CheckpointError: no such generator, or a damaged one.
        CorpusError: there are too few bars.
    """
    composers = {name: Composer.load(name) for name in models}
    worlds: dict[int, World] = {}
    panels: dict[str, Figures] = {}
    for name, composer in composers.items():
        generator = composer.generator
        if generator.places not in worlds:
            say(f"the bars on {generator.places} places")
            worlds[generator.places] = world_of(read(folders, generator.places), sides, windows, seed)
            world = worlds[generator.places]
            panels[f"real bars, {generator.places} places"] = figures(Another(world.train), world, seed)
        say(name)
        world = worlds[generator.places]
        panels[name] = {**figures(Composing(generator), world, seed), **effect_of_tempo(generator, world, seed)}
    return panels


def table(panels: Mapping[str, Figures]) -> str:
    """Panels side by side as a table in Markdown; some figures with those of the unseen bars in brackets."""
    names = [name for name in dict.fromkeys(name for panel in panels.values() for name in panel) if "real" not in name]

    def cell(panel: Figures, name: str) -> str:
        real = panel.get(f"{name} real")
        return f"{panel[name]:.3f}" + ("" if real is None else f" ({real:.3f})") if name in panel else ""

    rows = [[name, *(cell(panel, name) for panel in panels.values())] for name in names]
    return "\n".join(report.piped(Table(["", *panels], rows)))
