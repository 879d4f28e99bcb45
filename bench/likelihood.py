"""How well models expect what real drummers play: nats a bar on songs of groups they were never trained on.

    python bench/likelihood.py CACHE MODEL [MODEL ...] [--split test] [--metre 4/4 | --metre any]

Hits only, given the true past, over windows of eight bars with at least 12 hits and 8 guitar steps, of songs that never
leave the metre. "another's guitar" is the same with the guitar of another song's window; a model that does not listen
shows no difference. The intervals are 95 %, by resampling songs. Models of kits of different size cannot be compared.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from seq2drum.data.batches import batches
from seq2drum.data.batches.batches import Data, Window
from seq2drum.data.corpus.cache import load
from seq2drum.data.corpus.prepared import SPLITS
from seq2drum.evaluate.likelihood import window_nats
from seq2drum.judge.intervals import over_songs
from seq2drum.judge.measures import Vector
from seq2drum.models import checkpoint
from seq2drum.models.base import Family
from seq2drum.music.kit import KITS
from seq2drum.music.notes import IntArray
from seq2drum.play.checkpoint.folder import find


def by_window(model: Family, data: Data, windows: Sequence[Window], listen_to: Sequence[Window]) -> Vector:
    """Nats a bar of each window, heard to the guitars of others."""
    each = zip(windows, listen_to, range(len(windows)), strict=True)
    nats = [window_nats(model, data, [window], [guitar], [number]) for window, guitar, number in each]
    return np.concatenate([np.zeros(0), *nats])


def interval(values: Vector, song: IntArray) -> str:
    """Mean over windows with its 95 % interval, songs resampled."""
    if not len(values):
        return "-"
    mean, low, high = over_songs(values, song, np.random.default_rng(0), 2000)
    return f"{mean:6.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="what --mode prepare made")
    parser.add_argument("models", nargs="+", help="checkpoint folders, or names of shipped models")
    parser.add_argument("--split", default="test", choices=SPLITS)
    parser.add_argument("--metre", default="4/4", help="such as 3/4, or any")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))
    metre = None if options.metre == "any" else tuple(int(part) for part in options.metre.split("/"))
    songs = [song for song in load(options.cache) if song.split == options.split]
    print(f"{platform.machine()}, torch {torch.__version__}; {options.split} songs in {options.metre}")
    print(
        f"{'model':20} {'kit':5} {'tag':8} {'songs':>5} {'windows':>7}  {'nats a bar':23}  {'another guitar':23}  gain"
    )
    for name in options.models:
        model, about = checkpoint.load(find(name))
        model.eval()
        data = batches.flatten(songs, KITS[about["kit"]])
        windows = batches.blocks(data, metre=metre)
        right = by_window(model, data, windows, windows)
        wrong = by_window(model, data, windows, batches.swapped(data, windows, np.random.default_rng(1)))
        song = np.array([window.song for window in windows])
        tags = np.array([data.tags[index] for index in song])
        for tag in ("all", *sorted(set(tags.tolist()))):
            here = np.ones(len(tags), dtype=bool) if tag == "all" else tags == tag
            shown = [interval(values[here], song[here]) for values in (right, wrong, wrong - right)]
            title = Path(name).name if tag == "all" else ""
            print(f"{title:20} {about['kit']:5} {tag:8} {len(set(song[here])):5} {here.sum():7}  {'  '.join(shown)}")


if __name__ == "__main__":
    main()
