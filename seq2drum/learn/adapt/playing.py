"""Tuning how a drummer plays: the vectors of a model learn from a band's songs, until a left-out song says stop.

Vectors are biases, norms and distances, after E. Ben Zaken, S. Ravfogel, Y. Goldberg, BitFit (2022). Additions of low
rank to the matrices (LoRA) gained no more: notebooks/LOG.md, 2026-11-25. What is tuned has to be in the graphs that
play as it is in the weights, so tensors that were folded when the graphs were made stay as they are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from seq2drum.data.batches import batches
from seq2drum.data.batches.draws import Given, draw
from seq2drum.data.batches.streaming import Layout
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.learn.accompaniment import validation_nats
from seq2drum.learn.adapt.band import Tuned
from seq2drum.learn.run.devices import use_threads
from seq2drum.models import checkpoint
from seq2drum.models.base import Family, tensors
from seq2drum.music.kit import KITS
from seq2drum.play.checkpoint.folder import DEFAULT, WEIGHTS, find

LEAST_SONGS = 3
RATE = 2e-3
PAIRS = 8  # of a batch
STEPS = 40  # between two looks at the left-out song
PATIENCE = 4  # looks without a gain, after which it ends
WINDOWS = 24  # of the left-out song, at most
LEAST_GAIN = 0.01  # nats a bar, below which nothing is kept
GROOVE_HIDDEN, GROOVE_NEAR, BAND_HIDDEN = 0.2, 0.2, 0.5  # shares of pairs, see `accompaniment.Recipe`
WARM = 20  # steps in which the rate rises


def tune(
    songs: Sequence[Prepared],
    minutes: float,
    *,
    seed: int = 0,
    threads: int = 0,
    base: str = DEFAULT,
    show: Callable[[float, str], None] = lambda amount, text: None,
) -> Tuned | None:
    """Return tensors that make a band's left-out song likelier, given its grooves; None if none do.

    The song with the median number of bars is left out; the others are learnt from. minutes: the most time. show:
    called with the share of the time since the last call, and a line.

    Raises:
        CheckpointError, UnknownModelError: the model is not here.
    """
    use_threads(threads)
    folder, begun = find(base), time.monotonic()
    model, about = checkpoint.load(folder)
    model.requires_grad_(False)
    torch.manual_seed(seed)
    own = parameters_of(model, folder)
    layout = Layout(KITS[about["kit"]], 0.0, True, seed)
    order = sorted(songs, key=lambda song: (len(song.guitar_grid.form.steps), song.sha256))
    left_out = order[len(order) // 2]
    training = layout.materialise([song for song in songs if song is not left_out])
    validation = layout.materialise([left_out])
    windows = batches.blocks(validation) or batches.windows(validation, max_notes=about["max_notes"])
    windows = [windows[at] for at in np.linspace(0, len(windows) - 1, min(WINDOWS, len(windows))).astype(int)]

    def look() -> float:
        return validation_nats(model, validation, windows)[2]

    first = best = look()
    kept, worse, step, shown = snapshot(own), 0, 0, 0.0
    optimizer = torch.optim.AdamW(list(own.values()), lr=RATE, weight_decay=0.0)
    for batch in _batches(training, about["max_notes"], seed):
        share = (time.monotonic() - begun) / (60 * minutes)
        show(share - shown, f"nats a bar of the left-out song: {first:.2f}, best {best:.2f}")
        shown = share
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARM) * max(1 - share, 0.05)
        torch.manual_seed(seed + step)
        model.train()
        optimizer.zero_grad()
        model(tensors(batch))["loss"].backward()
        nn.utils.clip_grad_norm_(list(own.values()), 1.0)
        optimizer.step()
        step += 1
        if step % STEPS == 0 or share >= 1:
            now = look()
            if now < best - LEAST_GAIN / 4:
                best, kept, worse = now, snapshot(own), 0
            else:
                worse += 1
        if share >= 1 or worse >= PATIENCE:
            break
    if first - best < LEAST_GAIN:
        return None
    told = {"numbers": sum(each.size for each in kept.values()), "steps": step}
    return Tuned(kept, (first, best), {**told, "seconds": round(time.monotonic() - begun, 1)})


def parameters_of(model: Family, folder: Path) -> dict[str, nn.Parameter]:
    """Return the vectors of a model that may be tuned, by name; these require gradients.

    folder: of the checkpoint whose graphs play.
    """
    able = held_apart(folder)
    found = {
        name: value
        for name, value in model.named_parameters()
        if name in able and (value.ndim == 1 or name.endswith("distance"))
    }
    for value in found.values():
        value.requires_grad_(True)
    return found


def held_apart(folder: Path) -> frozenset[str]:
    """Return the names of the weights that every graph of a checkpoint reads from the weights' file, if it needs them.

    A graph that reads a layer's matrix from there and not its vector has folded the vector into something else.
    """
    graphs = [_held(path) for path in sorted(folder.glob("*.onnx"))]
    every = frozenset[str]().union(*graphs)
    return frozenset(
        name for name in every if all(name in held or _layer(name) not in map(_layer, held) for held in graphs)
    )


def _held(path: Path) -> frozenset[str]:
    """Return the names of the weights that a graph reads from the weights' file."""
    graph = onnx.load(path, load_external_data=False).graph
    apart = (
        tensor.name.removeprefix("model.")
        for tensor in graph.initializer
        if any(entry.key == "location" and entry.value == WEIGHTS for entry in tensor.external_data)
    )
    return frozenset(apart)


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def snapshot(own: Mapping[str, Tensor]) -> dict[str, NDArray[np.float32]]:
    """Return copies of tensors as arrays."""
    return {name: value.detach().cpu().numpy().astype(np.float32).copy() for name, value in own.items()}


def _batches(data: batches.Data, max_notes: int, seed: int) -> Any:
    """Yield batches of pairs, epoch after epoch, without end."""
    epoch = 0
    while True:
        rng = np.random.default_rng([seed, 1, epoch])
        for index, item in enumerate(batches.epoch(data, rng, size=PAIRS, max_notes=max_notes)):
            draws = draw(np.random.default_rng([seed, 2, epoch, index]), len(item))
            yield batches.collate(
                data,
                item,
                draws,
                transpose=True,
                ask=True,
                grooves=Given(GROOVE_HIDDEN, GROOVE_NEAR),
                band_hidden=BAND_HIDDEN,
            )
        epoch += 1
