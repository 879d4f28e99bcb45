"""Learning to accompany from shards as a script, for torchrun: `shards.py INDEX FOLDER BATCH [KILLED]`.

With KILLED, the last process ends itself, as if killed, before that step of the first start; each step is saved.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from seq2drum.data.batches.streaming import Layout, StreamedSongs
from seq2drum.data.corpus.cache import shards_of
from seq2drum.learn import accompaniment
from seq2drum.learn.accompaniment import Accompaniment, Recipe
from seq2drum.learn.run import loop, runs
from seq2drum.learn.run.task import Progress
from seq2drum.models import checkpoint

SIZES = {"hidden": 24, "reader": 8, "mixed": 16, "bar": 12, "played": 10, "heads": 2, "dropout": 0.0}


class Unplayed(Accompaniment):
    """Learns to accompany, and saves no graphs: to trace them takes longer than a few steps, and nothing plays them."""

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        checkpoint.save(self.model, folder, {"kit": self.recipe.kit, **about}, graphs=False)


def main(index: str, folder: str, batch: str, killed: str = "") -> None:
    torch.set_num_threads(1)
    recipe = Recipe(model="attention", epochs=2, batch=int(batch), sizes=SIZES, device="cpu", precision="32", drawn=0.0)
    accompaniment.MICRO_BATCH = 300  # so that batches are learnt from in several parts
    songs = StreamedSongs(shards_of(Path(index)), Layout(altered=recipe.altered), size=3)
    last = int(os.environ.get("RANK", "0")) == int(os.environ.get("WORLD_SIZE", "1")) - 1
    first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    if killed:
        loop.SECONDS_BETWEEN_VALIDATIONS = loop.SECONDS_BETWEEN_SAVES = 0.0
        loop.STEPS_BETWEEN_LOOKS = 1

    def show(share: float, progress: Progress) -> None:
        if killed and last and first and progress.step == int(killed):
            os.kill(os.getpid(), signal.SIGKILL)

    again = runs.begun_again(Path(folder))
    sys.stdout.write(f"begins, resuming: {again}\n")
    sys.stdout.flush()
    task = Unplayed(songs, None, recipe)
    for module in task.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0  # each process draws its own
    loop.train(task, Path(folder), resume=again, show=show)


if __name__ == "__main__":
    main(*sys.argv[1:])
