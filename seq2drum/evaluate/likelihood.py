"""The likelihood of real drums under a model: nats a bar of the hits, given the true past.

With the true guitar, with another song's, and the rank of the true one among twenty: for a model that ignores the
guitar all guitars are equally likely. For a model that reads grooves also with the groove of the section, with a
similar one, and with another song's. Needs torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from seq2drum.data.batches import batches
from seq2drum.data.batches.batches import PAST, Batch, Data, Window
from seq2drum.data.batches.draws import HIDDEN, Draws, Given, draw
from seq2drum.data.corpus.excerpts import TEMPO_BAND
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.evaluate.evaluation import GUITARS
from seq2drum.judge.measures import BoolArray, Vector
from seq2drum.lattice.conditions import columns_for
from seq2drum.models import checkpoint
from seq2drum.models.base import Family, tensors
from seq2drum.music.kit import KITS
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.folder import find

LIKELIHOOD_WINDOWS, RANK_WINDOWS = 1200, 300  # windows of eight bars, drawn from all
GROOVES = ("true", "near", "foreign")  # the section's own; one with an F1 of 0.7 to 0.95 to it; another song's
_BATCH = 24  # windows computed in one pass


# --- the one likelihood -----------------------------------------------------------------------------------------------


def step_nats(model: Family, batch: Batch) -> Tensor:
    """(n, N, S): the negative log-likelihood of the hits of each step of a batch of tensors; 0 beyond a bar's end."""
    _, count, size = batch.offset.shape[:3]
    hits = torch.as_tensor(batch.drums)[:, PAST : PAST + count]
    steps, in_pair = torch.as_tensor(batch.steps), torch.as_tensor(batch.in_pair)
    valid = torch.arange(size, device=hits.device) < steps[:, PAST : PAST + count, None]
    nats = binary_cross_entropy_with_logits(model.hit_logits(batch).float(), hits, reduction="none").sum(-1)
    return nats * (valid & in_pair[..., None])


def window_nats(
    model: Family,
    data: Data,
    windows: Sequence[Window],
    listen_to: Sequence[Window],
    numbers: Sequence[int],
    grooves: Given = HIDDEN,
) -> Vector:
    """(n,): nats a bar of each of some windows, given the guitars of others.

    numbers: the seeds for the draws of far bars, so that a window looks back at the same bars with every guitar.
    grooves: whether to give the model grooves.
    """
    drawn = [draw(np.random.default_rng([0, number]), 1) for number in numbers]
    draws = Draws(*(np.concatenate(columns) for columns in zip(*drawn, strict=True)))
    batch = tensors(batches.collate(data, windows, draws, listen_to=listen_to, grooves=grooves))
    batch = batch._replace(conditions=batch.conditions[..., columns_for(model.config.asked)])
    with torch.inference_mode():
        nats: Vector = (step_nats(model, batch).sum((1, 2)) / batch.in_pair.sum(1)).numpy().astype(np.float64)
    return nats


# --- of a model in a folder, over songs -------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Nats a bar of windows of eight bars: with the own guitar, and another's; (n,) each, and the songs they are of.

    given: with the own guitar and a groove, (n,) each, by GROOVES; NaN where a window has none such, and empty of a
    model that hears none. ranked (m, GUITARS): of some of the windows, with the own guitar in column 0; and the songs
    of those.
    """

    own: Vector
    other: Vector
    song: IntArray
    given: Mapping[str, Vector]
    ranked: Vector
    ranked_song: IntArray


def likelihood(name: str, songs: Sequence[Prepared], *, seed: int = 0) -> Likelihood:
    """The likelihood of the real drums under a model, given the true past: with the true guitar and with others.

    The windows are eight bars of one length in which both sides really play.

    Raises:
        UnknownModelError, CheckpointError: no such model, or a damaged one.
    """
    model, about = checkpoint.load(find(name))
    model.eval()
    data = batches.flatten(songs, KITS[about["kit"]])
    rng = np.random.default_rng([seed, 3])
    # 1. Windows, and for each another song's guitar and nineteen to rank it among, if available.
    blocks = batches.blocks(data)
    windows = [blocks[index] for index in np.sort(rng.permutation(len(blocks))[:LIKELIHOOD_WINDOWS]).tolist()]
    swaps = [(index, int(able[0])) for index, able in enumerate(_guitars(songs, windows)) if len(able)]
    every = _guitars(songs, windows, band=np.inf)
    ranks: list[tuple[int, IntArray]] = []
    for index in rng.permutation(len(windows)).tolist():
        if len(every[index]) >= GUITARS - 1 and len(ranks) < RANK_WINDOWS:
            ranks.append((index, every[index][: GUITARS - 1]))
    # 2. The nats of all pairs (window, window whose guitar is given).
    jobs = [(index, index) for index, _ in swaps] + swaps
    jobs += [(index, other) for index, some in ranks for other in (index, *some.tolist())]
    nats = _nats_of(model, data, windows, jobs)
    # 3. Sorted by their use.
    own, other = nats[: len(swaps)], nats[len(swaps) : 2 * len(swaps)]
    ranked = nats[2 * len(swaps) :].reshape(len(ranks), GUITARS)
    song, of_ranked = (np.array([windows[row[0]].song for row in rows], dtype=np.int64) for rows in (swaps, ranks))
    given = _given_grooves(model, data, windows, swaps) if model.hears_grooves and swaps else {}
    return Likelihood(own, other, song, given, ranked, of_ranked)


def _given_grooves(
    model: Family, data: Data, windows: Sequence[Window], swaps: Sequence[tuple[int, int]]
) -> dict[str, Vector]:
    """(swaps,) by GROOVES: nats a bar of windows that are given the grooves of their sections, near ones, and others'.

    swaps: (window, window of another song whose groove it is given). NaN where a bar of a window has no such groove.
    """
    own, other = (_bars_of(data, [windows[pair[side]] for pair in swaps]) for side in (0, 1))
    true, foreign = data.grooves.of_bar[own], data.grooves.of_bar[other]
    near = np.where(true >= 0, data.grooves.near[true, 0], -1)
    nats = {}
    for name, which in zip(GROOVES, (true, near, foreign), strict=True):
        of_bar = data.grooves.of_bar.copy()
        of_bar[own] = which
        changed = replace(data, grooves=replace(data.grooves, of_bar=of_bar))
        known: BoolArray = np.all(which >= 0, axis=1)
        jobs = [(index, index) for (index, _), has in zip(swaps, known.tolist(), strict=True) if has]
        nats[name] = np.full(len(swaps), np.nan)
        nats[name][known] = _nats_of(model, changed, windows, jobs, Given(hidden=0.0))
    return nats


def _bars_of(data: Data, windows: Sequence[Window]) -> IntArray:
    """(windows, bars): the bars of some windows of one length, counted over all songs."""
    return np.array([data.first_bar[window.song] + np.arange(window.first, window.stop) for window in windows])


def _nats_of(
    model: Family,
    data: Data,
    windows: Sequence[Window],
    jobs: Sequence[tuple[int, int]],
    grooves: Given = HIDDEN,
) -> Vector:
    """(jobs,): nats a bar of each (window, window whose guitar is given), in batches of windows of equal steps."""
    steps = [int(data.steps[data.first_bar[windows[index].song] + windows[index].first]) for index, _ in jobs]
    nats = np.zeros(len(jobs))
    with one_thread():
        for some in _runs(np.argsort(steps, kind="stable").tolist(), steps):
            pairs, context_pairs = ([windows[jobs[job][side]] for job in some] for side in (0, 1))
            nats[some] = window_nats(model, data, pairs, context_pairs, [jobs[job][0] for job in some], grooves)
    return nats


@contextmanager
def one_thread() -> Iterator[None]:
    """A context in which torch computes in one thread, so that its sums are the same everywhere.

    On a busy machine two threads that wait for each other at every layer were fifty times slower than one.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _runs(order: Sequence[int], steps: Sequence[int]) -> Iterator[list[int]]:
    """An order of jobs in pieces of at most _BATCH, each of windows with the same number of steps."""
    at = 0
    while at < len(order):
        stop = at + 1
        while stop < min(at + _BATCH, len(order)) and steps[order[stop]] == steps[order[at]]:
            stop += 1
        yield list(order[at:stop])
        at = stop


def _guitars(songs: Sequence[Prepared], windows: Sequence[Window], band: float = TEMPO_BAND) -> list[IntArray]:
    """The candidate guitars of each window: other groups, songs, same metre and tempo band, one a song, shuffled."""
    groups = {group: number for number, group in enumerate(dict.fromkeys(song.group for song in songs))}
    song = np.array([window.song for window in windows], dtype=np.int64)
    group = np.array([groups[songs[index].group] for index in song.tolist()], dtype=np.int64)
    forms = [songs[window.song].guitar_grid.form for window in windows]
    rows = [
        (form.numerator[w.first], form.denominator[w.first], form.steps[w.first], form.bpm[w.first])
        for form, w in zip(forms, windows, strict=True)
    ]
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    bpm = np.log(table[:, 3])
    guitars = []
    for index in range(len(windows)):
        able = (table[:, :3] == table[index, :3]).all(axis=1) & (group != group[index])
        able &= np.abs(bpm - bpm[index]) <= np.log(band)
        mixed = np.random.default_rng([4, index]).permutation(np.flatnonzero(able))
        guitars.append(mixed[np.sort(np.unique(song[mixed], return_index=True)[1])])
    return guitars
