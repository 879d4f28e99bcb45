"""A critic: a small classifier that hears the guitar and distinguishes made drums from real ones.

It is trained from scratch for every player that is judged, from several seeds, and never trained against. Songs are
divided by group into folds; each fold is scored by a critic that was trained on the others, so no song is scored by a
critic that has seen it. The area under its curve is 0.5 for a drummer and 1.0 for a machine.

Its input is four bars: the hits of nine voices, their differences to the bar before, the guitar's onsets, loudness
and register, and the metre; with `hear="all"` also the velocity and offset of each hit. It has neither the tempo, nor
the rest of the song, nor pieces outside the nine voices.

Letters of shapes: n windows, Q quarters of the longest bar, F numbers of a quarter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, linear, pad

from seq2drum.errors import CorpusError
from seq2drum.evaluate.likelihood import one_thread
from seq2drum.judge.intervals import CRITICS, Scores, told
from seq2drum.judge.measures import Vector, hits_by_bar
from seq2drum.lattice.conditions import Drums
from seq2drum.lattice.features import GUITAR, GuitarGrid, features
from seq2drum.lattice.form import CLOCK, MAX_STEPS, FloatArray, Form
from seq2drum.lattice.grid import STEPS_PER_QUARTER
from seq2drum.models.layers import cpu_has_bf16
from seq2drum.music.notes import IntArray

BARS = 4  # of a window
LEAST_HITS = 8  # real hits in a window: fewer are a rest or an ending
MOST_WINDOWS = 16  # of a song, spread over it: a long song is not more real than a short one
FOLDS = 5
DROPOUT = 0.3
# The critic's input at each step beside the drums.
_OF_GUITAR = GUITAR.pick("onsets", "loudness", "sounding", "lowest", "highest", "played")
_OF_CLOCK = CLOCK.pick("weight", "group_start")
WIDTHS = (4, MAX_STEPS // STEPS_PER_QUARTER)  # quarters that bars are padded to; longer bars are cut

Hear = Literal["hits", "all"]


class CriticResult(NamedTuple):
    """The result of the critics over windows of songs; see `Told`."""

    auc: float
    low: float
    high: float
    apart: float
    windows: int
    songs: int


@dataclass(frozen=True, eq=False)
class _Windows:
    """Windows of one width. heard (n, 2, BARS, Q, F): of real drums, of made ones; exists (n, BARS, Q); song (n,)."""

    guitar_grid: Tensor
    exists: Tensor
    song: IntArray

    def select(self, which: NDArray[np.bool_]) -> _Windows:
        chosen = torch.from_numpy(which)
        return _Windows(self.guitar_grid[chosen], self.exists[chosen], self.song[which])


def critic_auc(
    real: Sequence[tuple[GuitarGrid, Drums]],
    made: Sequence[Drums],
    *,
    groups: Sequence[str],
    seed: int,
    critics: int = CRITICS,
    hear: Hear = "hits",
    epochs: int = 12,
    resamples: int = 1000,
) -> CriticResult:
    """The AUC of critics that distinguish made from real drums of the same, unseen songs.

    real: guitar and real drums of each song. made: drums for each, in the same kit of nine and over the same bars.
    groups: the group of each song; songs of one group are never on two sides, and are drawn together for the interval.
    critics: the number trained, from `seed` on: one seed moves the area by 0.05, so the mean of several is reported.

    Raises:
        CorpusError: fewer than three groups with a window of four bars that has enough real hits.
    """
    # 1. Windows, and their groups.
    windows = [some for width in WIDTHS if (some := _windows(real, made, width, hear, _computed())) is not None]
    names = sorted({groups[song] for some in windows for song in some.song.tolist()})
    if len(names) < 3:
        raise CorpusError(
            f"the critic found {len(names)} groups of songs with {BARS} bars of at least {LEAST_HITS} drum hits; "
            "it wants 3 or more, to learn from some, to stop by others and to judge the rest; give it more songs"
        )
    number = {name: i for i, name in enumerate(names)}
    group_of = np.array([number.get(name, -1) for name in groups])
    # 2. The scores of each critic. One thread: the sums are the same everywhere.
    with one_thread():
        scores = [_scored(windows, group_of, len(names), one, epochs) for one in range(seed, seed + critics)]
    # 3. The mean of their areas, and its interval over groups.
    result = told(scores, len(names), np.random.default_rng([seed, 1]), resamples)
    count = len({int(song) for some in windows for song in some.song})
    return CriticResult(*result, len(scores[0].group), count)


def _scored(windows: Sequence[_Windows], group_of: IntArray, groups: int, seed: int, epochs: int) -> Scores:
    """The scores of all windows, those of each fold by a critic that was trained on the other folds."""
    folds = np.array_split(np.random.default_rng([seed, 0]).permutation(groups), min(FOLDS, groups))
    judged = []
    for index, fold in enumerate(folds):
        others = np.concatenate([other for other in folds if other is not fold])
        inner, outer = np.split(others, [max(len(others) // 8, 1)])
        sides = [[w.select(np.isin(group_of[w.song], side)) for w in windows] for side in (outer, inner, fold)]
        net = _trained(sides[0], sides[1], seed=seed * FOLDS + index, epochs=epochs)
        judged.append((*_ranks(net, sides[2]), group_of[np.concatenate([w.song for w in sides[2]])]))
    return Scores(*(np.concatenate(column) for column in zip(*judged, strict=True)))


def _ranks(net: _Critic, fold: Sequence[_Windows]) -> tuple[Vector, Vector]:
    """The ranks of the scores of a fold's real and made windows among all of the fold, 0 to 1.

    Critics of different folds do not share a scale; ranks do.
    """
    scores = [np.concatenate(column) for column in zip(*(_scores(net, windows) for windows in fold), strict=True)]
    ranks = np.unique(np.concatenate(scores), return_inverse=True)[1] / (2 * len(scores[0]))
    real, made = np.split(ranks, 2)
    return real, made


def _windows(
    real: Sequence[tuple[GuitarGrid, Drums]], made: Sequence[Drums], width: int, hear: Hear, kind: torch.dtype
) -> _Windows | None:
    """The windows of all songs whose longest bar fits into `width` quarters, but not into the width before."""
    narrower = max((other for other in WIDTHS if other < width), default=0)
    windows: list[_Windows] = []
    for song, ((guitar_grid, drums), other) in enumerate(zip(real, made, strict=True)):
        form = guitar_grid.form
        starts = _starts(drums)
        quarters = np.minimum(-(-form.steps // STEPS_PER_QUARTER), WIDTHS[-1])
        longest = quarters[starts[:, None] + np.arange(BARS)].max(axis=1, initial=0)
        bars = starts[(longest > narrower) & (longest <= width)][:, None] + np.arange(BARS)
        if not len(bars):
            continue
        steps, inside = _steps(form, bars, width)
        known = features(guitar_grid)
        context = np.concatenate([known.guitar[:, _OF_GUITAR], known.clock[:, _OF_CLOCK]], axis=1)
        around = np.where(inside[..., None], context[steps], np.float32(0))
        both = np.stack([_heard(one, steps, inside, around, hear) for one in (drums, other)], axis=1)
        exists = torch.from_numpy(inside[..., ::STEPS_PER_QUARTER].copy())
        windows.append(_Windows(torch.from_numpy(both).to(kind), exists, np.full(len(bars), song)))
    if not windows:
        return None
    return _Windows(
        torch.cat([w.guitar_grid for w in windows]),
        torch.cat([w.exists for w in windows]),
        np.concatenate([w.song for w in windows]),
    )


def _starts(real: Drums) -> IntArray:
    """The first bars of windows side by side with enough real hits; at most MOST_WINDOWS, evenly spread."""
    form = real.form
    hits = np.concatenate([[0], np.cumsum(hits_by_bar(real))])
    starts: IntArray = np.arange(0, len(form.steps) - BARS + 1, BARS)
    starts = starts[hits[starts + BARS] - hits[starts] >= LEAST_HITS]
    if len(starts) > MOST_WINDOWS:
        starts = starts[np.linspace(0, len(starts) - 1, MOST_WINDOWS).round().astype(int)]
    return starts


def _steps(form: Form, bars: IntArray, width: int) -> tuple[IntArray, NDArray[np.bool_]]:
    """(n, BARS, steps of the width): the step at each place of some bars (n, BARS), and whether there is one."""
    place = np.arange(width * STEPS_PER_QUARTER)
    inside = place < form.steps[bars][..., None]
    return np.where(inside, form.first[bars][..., None] + place, 0), inside


def _heard(drums: Drums, steps: IntArray, inside: NDArray[np.bool_], around: FloatArray, hear: Hear) -> FloatArray:
    """(n, BARS, Q, F): the critic's input for some windows, a row for each quarter."""
    velocity = np.where(inside[..., None], drums.velocity[steps], 0)
    hits = (velocity > 0).astype(np.float32)
    changed = np.zeros_like(hits)
    changed[:, 1:] = np.abs(hits[:, 1:] - hits[:, :-1])
    columns: list[NDArray[np.floating]] = [hits, changed, around]
    if hear == "all":
        columns += [velocity / 127, np.where(hits > 0, drums.offset[steps], 0) * 2]
    table: FloatArray = np.concatenate(columns, axis=-1, dtype=np.float32)
    return table.reshape(*table.shape[:2], -1, STEPS_PER_QUARTER * table.shape[-1])


def _computed() -> torch.dtype:
    """The number format of training: bfloat16 where the processor multiplies it, four times as fast.

    Weights, their gradients' sums and the scores are float32 all the same.
    """
    return torch.bfloat16 if cpu_has_bf16() else torch.float32


Drop = Callable[[Tensor], Tensor]
"""A function that drops some numbers at random."""


def _dropped(rng: np.random.Generator, x: Tensor) -> Tensor:
    """Dropout: torch draws such numbers four times as slowly as NumPy."""
    kept = rng.random(tuple(x.shape), dtype=np.float32) >= DROPOUT
    return x * torch.from_numpy(kept).to(x.dtype).mul_(1 / (1 - DROPOUT))


def _product(layer: nn.Linear, x: Tensor) -> Tensor:
    """A layer computed in the format of its input."""
    return linear(x, layer.weight.to(x.dtype), layer.bias.to(x.dtype))


class _Critic(nn.Module):
    """A net over quarters, then quarters in their bar, then bars in their window. A high logit means made."""

    def __init__(self, size: int, width: int = 64) -> None:
        super().__init__()
        self.quarter = nn.Linear(size, width)
        self.bar = nn.Linear(3 * width, width)  # a quarter and those beside it: convolutions took four times as long
        self.window = nn.Linear(BARS * 2 * width, width)
        self.verdict = nn.Linear(width, 1)

    def forward(self, guitar_grid: Tensor, exists: Tensor, drop: Drop = lambda x: x) -> Tensor:
        """From (n, BARS, Q, F) and (n, BARS, Q) to (n,)."""
        count, bars, quarters, _ = guitar_grid.shape
        mask = exists.to(guitar_grid.dtype).reshape(count * bars, quarters, 1)
        inner = torch.relu(_product(self.quarter, guitar_grid)).reshape(count * bars, quarters, -1) * mask
        around = pad(inner, (0, 0, 1, 1))
        beside = torch.cat([around[:, :-2], inner, around[:, 2:]], dim=2)
        inner = (inner + torch.relu(_product(self.bar, beside))) * mask  # never below zero, so 0 is as silence
        mean = inner.sum(dim=1) / mask.sum(dim=1).clamp(min=1)
        pooled = torch.cat([mean, inner.amax(dim=1)], dim=1).reshape(count, -1)
        last = torch.relu(_product(self.window, drop(pooled)))
        verdict: Tensor = self.verdict(drop(last).float())
        return verdict[:, 0]


def _trained(
    outer: Sequence[_Windows], inner: Sequence[_Windows], *, seed: int, epochs: int, patience: int = 3
) -> _Critic:
    """A critic trained on one side, and stopped where it is best on the other."""
    rng, noise = np.random.default_rng([seed, 2]), np.random.default_rng([seed, 6])
    with torch.random.fork_rng(devices=[]):  # weights draw from torch's own state, which is put back
        torch.manual_seed(seed)
        net = _Critic(outer[0].guitar_grid.shape[-1])
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2, fused=True)
    best, kept, since = float("inf"), net.state_dict(), 0
    for _ in range(epochs):
        for windows, rows in _batches(outer, rng):
            loss = _loss(net, windows, rows, partial(_dropped, noise))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            held = [(len(w.song), float(_loss(net, w, np.arange(len(w.song))))) for w in inner if len(w.song)]
        loss_here = sum(n * value for n, value in held) / max(sum(n for n, _ in held), 1)
        since += 1
        if loss_here < best:
            best, since = loss_here, 0
            kept = {name: value.clone() for name, value in net.state_dict().items()}
        if since >= patience:
            break
    net.load_state_dict(kept)
    return net


def _batches(
    windows: Sequence[_Windows], rng: np.random.Generator, size: int = 64
) -> Iterator[tuple[_Windows, IntArray]]:
    """All windows once, in random order, those of one width together."""
    batches = []
    for some in windows:
        order = rng.permutation(len(some.song))
        batches += [(some, order[at : at + size]) for at in range(0, len(order), size)]
    for index in rng.permutation(len(batches)).tolist():
        yield batches[index]


def _loss(net: _Critic, windows: _Windows, rows: IntArray, drop: Drop = lambda x: x) -> Tensor:
    """Cross entropy of some windows, as many made as real."""
    which = torch.from_numpy(rows)
    exists = windows.exists[which].repeat_interleave(2, dim=0)
    wanted = torch.tensor([0.0, 1.0]).repeat(len(rows))
    return binary_cross_entropy_with_logits(net(windows.guitar_grid[which].flatten(0, 1), exists, drop), wanted)


def _scores(net: _Critic, windows: _Windows) -> tuple[FloatArray, FloatArray]:
    """(n,), (n,): the critic's scores of real and of made windows, in equal batches, so that a copy scores the same."""
    sides: list[FloatArray] = []
    for side in range(2):
        scores = [np.zeros(0, dtype=np.float32)]
        with torch.no_grad():
            for at in range(0, len(windows.song), 256):
                here = slice(at, at + 256)
                scores.append(net(windows.guitar_grid[here, side].float(), windows.exists[here]).numpy())
        sides.append(np.concatenate(scores))
    return sides[0], sides[1]
