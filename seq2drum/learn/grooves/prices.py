"""Prices of grooves and styles: what each must lose so that over many songs it is chosen as often as drummers play it.

    python -m seq2drum.learn.grooves.prices --cache FILE --write

The groove that has most in common with what drummers would play to a guitar is nearly always one of a few that have
something in common with everything. A price a groove, the same for all songs, makes the choice as varied as drummers'
are: the coupling of songs and grooves with the highest expected F1 among those whose grooves are as frequent as
drummers'. Source of the algorithm: M. Cuturi, Sinkhorn distances: lightspeed computation of optimal transport (2013).
A style is chosen before its grooves, and has a price likewise.

Letters of shapes: N songs, n grooves or styles.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
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
from seq2drum.play.grooves.choosing import PRICE_WEIGHT, UNHEARD, by_style_of, expected_of, fit_of_song
from seq2drum.play.grooves.ranker import SHIPPED, Fit, Ranker, Shares, Shelf
from seq2drum.play.options import Options

METRE = (4, 4)  # the one metre of which there are songs enough
SOFTNESS = 0.01  # F1 within which a song is shared among grooves
STYLE_SOFTNESS = 0.15  # nats within which it is shared among styles
ROUNDS = 200
STEP = 0.9  # of the exact correction in each round
RAREST = 1e-7  # share that a groove has at least
HIGHEST, LOWEST = 0.5, -0.3  # prices of grooves
STYLE_HIGHEST, STYLE_LOWEST = 3.0, -3.0  # prices of styles, in nats
SONGS = 1600


def prices_of(
    values: Shares,
    wanted: Shares,
    rounds: int = ROUNDS,
    *,
    softness: float = SOFTNESS,
    bounds: tuple[float, float] = (LOWEST, HIGHEST),
) -> Shares:
    """Return the price (n,) of each groove or style.

    values (N, n): the F1 of grooves, or the nats of styles. wanted (n,): how often each is to be chosen. softness: the
    difference of values within which a song is shared.
    """
    prices, wanted = np.zeros(values.shape[1]), np.maximum(wanted, RAREST)
    for _ in range(rounds):
        logits = (values - prices) / softness
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        chosen = (shares / shares.sum(axis=1, keepdims=True)).mean(axis=0)
        prices += STEP * softness * np.log(np.maximum(chosen, 1e-12) / wanted)
        prices = prices.clip(*bounds)
    return prices


def effective(counts: NDArray[Any]) -> float:
    """Return the effective number of classes: the exponential of the entropy of their counts."""
    shares = counts[counts > 0] / counts.sum()
    return float(np.exp(-(shares * np.log(shares)).sum()))


def fit_of(song: Prepared) -> Shares | None:
    """Return how likely drummers play each groove (n,) to a song; None in other metres."""
    fit = fit_of_song(song.guitar_grid, sections(song.guitar_grid), Options())
    return None if fit is None or fit.shelf is not shelf_of() else fit.shares


def shelf_of() -> Shelf:
    """Return the grooves that have prices."""
    return Ranker.load().shelf(Book.load(), *METRE)


def style_prices_of(shares: Shares) -> dict[str, float]:
    """Return the price of each style, by its name. shares (N, n): of grooves."""
    found = [by_style_of(Fit(shelf_of(), row))[0] for row in shares]
    table = np.array([list(row.values()) for row in found])
    table /= table.sum(axis=1, keepdims=True)
    nats = np.log(np.maximum(table, UNHEARD))
    prices = prices_of(nats, table.mean(axis=0), softness=STYLE_SOFTNESS, bounds=(STYLE_LOWEST, STYLE_HIGHEST))
    return {name: round(float(price), 3) for name, price in zip(found[0], prices, strict=True)}


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
    heard = {}
    with ProcessPoolExecutor(options.workers) as pool:
        for side, some in sides.items():
            heard[side] = np.stack([shares for shares in pool.map(fit_of, some, chunksize=20) if shares is not None])
    # 1. Styles, then the grooves within them.
    style_prices = style_prices_of(heard["train"])
    print("| style | price |\n|---|---|")
    print("\n".join(f"| {name} | {price:+.2f} |" for name, price in style_prices.items()))
    shelf = replace(shelf_of(), style_prices=style_prices)
    tables = {side: np.stack([_expected(shelf, row) for row in shares]) for side, shares in heard.items()}
    prices = prices_of(tables["train"], heard["train"].mean(axis=0))
    # 2. What they change on unseen songs.
    unseen = tables["validation"]
    for weight in sorted({0.0, 0.5, PRICE_WEIGHT, 1.0}):
        chosen = (unseen - weight * prices).argmax(axis=1)
        f1 = unseen[np.arange(len(unseen)), chosen].mean()
        many = effective(np.bincount(chosen, minlength=len(prices)))
        print(f"| {weight:g} | expected F1 {f1:.3f} | {many:.0f} effective grooves of {len(unseen)} unseen songs |")
    if options.write:
        config: dict[str, Any] = read_json(SHIPPED / CONFIG)
        held = {groove.name: round(float(price), 3) for groove, price in zip(shelf.grooves, prices, strict=True)}
        metre = f"{METRE[0]}/{METRE[1]}"
        write(config | {"prices": {metre: held}, "style_prices": {metre: style_prices}}, SHIPPED)
    return 0


def _expected(shelf: Shelf, shares: Shares) -> Shares:
    """Return the F1 (n,) that is expected of each groove; -1 for those that are not allowed."""
    expected, able = expected_of(Fit(shelf, shares))
    return np.where(able, expected, -1)


if __name__ == "__main__":
    raise SystemExit(main())
