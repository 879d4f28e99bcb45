"""Prices of grooves: what each must lose so that over many songs it is chosen as often as drummers play it.

    python -m seq2drum.learn.grooves.prices --cache FILE --write

The groove that has most in common with what drummers would play to a guitar is nearly always one of a few that have
something in common with everything. A price a groove, the same for all songs, makes the choice as varied as drummers'
are: the coupling of songs and grooves with the highest expected F1 among those whose grooves are as frequent as
drummers'. Source of the algorithm: M. Cuturi, Sinkhorn distances: lightspeed computation of optimal transport (2013).

Letters of shapes: N songs, n grooves.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import Seq2DrumError
from seq2drum.lattice.sections import sections
from seq2drum.learn.grooves.ranker import write
from seq2drum.play.checkpoint.folder import CONFIG
from seq2drum.play.checkpoint.runtime import read_json
from seq2drum.play.grooves.book import Book
from seq2drum.play.grooves.choosing import PRICE_WEIGHT, expected_of, fit_of_song
from seq2drum.play.grooves.ranker import SHIPPED, Ranker, Shares
from seq2drum.play.options import Options

METRE = (4, 4)  # the one metre of which there are songs enough
SOFTNESS = 0.01  # F1 within which a song is shared among grooves
ROUNDS = 200
STEP = 0.9  # of the exact correction in each round
RAREST = 1e-7  # share that a groove has at least
HIGHEST, LOWEST = 0.5, -0.3  # prices
SONGS = 1600


def prices_of(expected: Shares, wanted: Shares, rounds: int = ROUNDS) -> Shares:
    """Return the price (n,) of each groove. expected (N, n): F1. wanted (n,): how often each is to be chosen."""
    prices, wanted = np.zeros(expected.shape[1]), np.maximum(wanted, RAREST)
    for _ in range(rounds):
        logits = (expected - prices) / SOFTNESS
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        chosen = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
        prices += STEP * SOFTNESS * np.log(np.maximum(chosen, 1e-12) / wanted)
        prices = prices.clip(LOWEST, HIGHEST)
    return prices


def effective(counts: NDArray[Any]) -> float:
    """Return the effective number of classes: the exponential of the entropy of their counts."""
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def fit_of(song: Prepared) -> tuple[Shares, Shares] | None:
    """Return how likely drummers play each groove to a song, and the F1 expected of each, both (n,); None elsewhere."""
    fit = fit_of_song(song.guitar_grid, sections(song.guitar_grid), Options())
    if fit is None or fit.shelf is not Ranker.load().shelf(Book.load(), *METRE):
        return None
    expected, able = expected_of(fit)
    return fit.shares, np.where(able, expected, -1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compute the prices of the shipped ranker's grooves."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, metavar="FILE")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
    parser.add_argument("--write", action="store_true", help="write the prices into the ranker's folder")
    options = parser.parse_args(arguments)
    try:
        songs = load(options.cache)
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    sides = {side: [song for song in songs if song.split == side] for side in ("train", "validation")}
    order = np.random.default_rng(0).permutation(len(sides["train"]))[:SONGS]
    sides["train"] = [sides["train"][at] for at in order]
    tables = {}
    with ProcessPoolExecutor(options.workers) as pool:
        for side, some in sides.items():
            fits = [fit for fit in pool.map(fit_of, some, chunksize=20) if fit is not None]
            tables[side] = tuple(np.stack(rows) for rows in zip(*fits, strict=True))
    shares, expected = tables["train"]
    prices = prices_of(expected, shares.mean(axis=0))
    _, unseen = tables["validation"]
    for weight in sorted({0.0, 0.5, PRICE_WEIGHT, 1.0}):
        chosen = (unseen - weight * prices).argmax(axis=1)
        f1 = unseen[np.arange(len(unseen)), chosen].mean()
        many = effective(np.bincount(chosen, minlength=len(prices)))
        print(f"| {weight:g} | expected F1 {f1:.3f} | {many:.0f} effective grooves of {len(unseen)} unseen songs |")
    if options.write:
        config: dict[str, Any] = read_json(SHIPPED / CONFIG)
        grooves = Ranker.load().shelf(Book.load(), *METRE).grooves
        held = {groove.name: round(float(price), 3) for groove, price in zip(grooves, prices, strict=True)}
        write(config | {"prices": {f"{METRE[0]}/{METRE[1]}": held}}, SHIPPED)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
