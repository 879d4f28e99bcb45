"""What this machine computes: SHA-256 of plain computations with the libraries that playing, training and drawing use.

The kernels of another processor, or another version of a library, may give other digests; then what the program makes
may differ, too, and says nothing about the program. `same.py` and `tests/test_bytes.py` call this as a program.
"""

from __future__ import annotations

import argparse
import hashlib
import io
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path


def playing_probe(checkout: Path) -> str:
    """The shipped model's graphs on fixed inputs, one thread, and NumPy's functions."""
    import numpy as np
    import onnxruntime

    rng, known = np.random.default_rng(0), hashlib.sha256()
    for path in sorted((checkout / "seq2drum").rglob("checkpoints/default/*.onnx")):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        for size in (1, 2, 5):
            # Bars, songs, bars remembered, steps, and hits of the bar before.
            lengths = {"B": size + 3, "n": size, "M": size + 8, "S": 8 * size, "K": size + 6}
            arrays = {}
            for given in session.get_inputs():
                shape = [side if isinstance(side, int) else lengths[side] for side in given.shape]
                whole = "int" in given.type
                arrays[given.name] = np.ones(shape, np.int64) if whole else 1 + rng.random(shape, np.float32)
            for answer in session.run(None, arrays):
                known.update(np.ascontiguousarray(answer).tobytes())
    for kind in (np.float32, np.float64):
        values = rng.random((37, 129)).astype(kind) + kind(0.01)
        for function in (np.exp, np.log, np.tanh, np.sqrt, np.cumsum, np.sum, np.mean, np.std, np.sin):
            known.update(np.asarray(function(values)).tobytes())
        known.update((values @ values.T).tobytes())
        known.update((values**1.7).tobytes())
    return known.hexdigest()


def training_probe(checkout: Path) -> str:
    """A few steps of a small network of the usual layers in torch, one thread."""
    import torch
    from torch import nn

    torch.manual_seed(0)
    torch.set_num_threads(1)
    reader, norm, head = nn.LSTM(40, 96, batch_first=True), nn.LayerNorm(96), nn.Linear(96, 24)
    attention = nn.MultiheadAttention(96, 4, batch_first=True)
    cell, drop = nn.LSTMCell(96, 96), nn.Dropout(0.2)
    network = nn.ModuleList([reader, norm, head, attention, cell])
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    for _ in range(3):
        read, _ = reader(torch.randn(5, 19, 40))
        state, _ = cell(drop(read[:, -1]))
        mixed, _ = attention(read, read, read)
        thought = nn.functional.gelu(norm(mixed + state[:, None]))
        logits = head(thought)
        loss = nn.functional.binary_cross_entropy_with_logits(logits, torch.rand(5, 19, 24).round())
        loss = loss + logits.softmax(-1).logsumexp(-1).mean() + torch.tanh(thought).square().mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
    known = hashlib.sha256()
    for value in network.parameters():
        known.update(value.detach().numpy().tobytes())
    return known.hexdigest()


def drawing_probe(checkout: Path) -> str:
    """A small figure, and the versions of the libraries that draw."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(2, 1))
    axes.bar([1, 2, 3], [3, 1, 2])
    axes.set_title("Tempo 104")
    data = io.BytesIO()
    figure.savefig(data, format="png", metadata={"Software": None})
    versions = [version(name) for name in ("matplotlib", "verovio")]
    return hashlib.sha256(data.getvalue() + repr(versions).encode()).hexdigest()


PROBES: Mapping[str, Callable[[Path], str]] = {
    "playing": playing_probe,
    "training": training_probe,
    "drawing": drawing_probe,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--probe", required=True, choices=PROBES)
    for flag in ("--checkout", "--answer"):
        parser.add_argument(flag, required=True, type=Path)
    options = parser.parse_args()
    options.answer.write_text(PROBES[options.probe](options.checkout), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
