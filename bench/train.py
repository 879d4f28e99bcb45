"""How fast the families train, beside a plain torch encoder-decoder in the same run.

    python bench/train.py CACHE [--seconds 60] [--threads 2]

The peer is what one would write first: `nn.LSTM` of 256 to read and `nn.LSTM` of 256 to play, eight bars of 24 steps,
random numbers, float32, AdamW, no data to gather. Ours includes gathering, context, memory, velocity and offset.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from seq2drum.data import batches
from seq2drum.data.cache import load
from seq2drum.learn.accompaniment import Accompaniment, Recipe
from seq2drum.learn.loop import train
from seq2drum.models.families import FAMILIES, family


def peer(seconds: float, pairs: int = 48, steps: int = 192) -> float:
    """Bars a second of a plain sequence-to-sequence LSTM."""
    reader, player, out = nn.LSTM(20, 256, batch_first=True), nn.LSTM(24, 256, batch_first=True), nn.Linear(256, 24)
    optimizer = torch.optim.AdamW([*reader.parameters(), *player.parameters(), *out.parameters()])
    guitar, drums = torch.rand(pairs, steps, 20), (torch.rand(pairs, steps, 24) < 0.03).float()
    done, begun = 0, 0.0
    for step in range(10**9):
        if step == 3:
            begun = time.monotonic()
        if step > 3 and time.monotonic() - begun > seconds:
            break
        _, state = reader(guitar)
        y, _ = player(nn.functional.pad(drums[:, :-1], (0, 0, 1, 0)), state)
        loss = nn.functional.binary_cross_entropy_with_logits(out(y), drums)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done += step >= 3
    return done * pairs * steps / 24 / (time.monotonic() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cache", type=Path, help="what --mode prepare made")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    songs = [song for song in load(options.cache) if song.split == "train"][::4]
    data = batches.flatten(songs)
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {options.threads} threads, {device}, torch {torch.__version__}"
    )
    plain = peer(options.seconds / 4)
    print(f"{'plain torch LSTM, float32':28} {plain:8.0f} bars/s   1.00")
    for name in FAMILIES:
        with tempfile.TemporaryDirectory() as folder:
            recipe = Recipe(model=name, rate=family(name).rate, minutes=options.seconds / 60)
            trained = train(Accompaniment(data, None, recipe), Path(folder))
        rate = trained.progress.seen / trained.progress.seconds
        print(f"{name:28} {rate:8.0f} bars/s   {rate / plain:.2f}")


if __name__ == "__main__":
    main()
