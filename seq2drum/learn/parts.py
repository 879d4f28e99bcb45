"""The parts of a batch, learnt from one after another or beside one another, each in a thread of its own.

Torch shares each operation out among its threads and waits for the last of them at its end. In a model as small as ours
that gains little: two threads took 0.8 of the time of one. Parts that have a thread each wait for each other once a
step. Either way the same numbers are drawn and the same sums made, in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from seq2drum.models.layers import drawing_from

Loss = Callable[[], Tensor]
Gradients = Sequence[Tensor | None]


def summed(
    losses: Sequence[Loss], weights: Sequence[Tensor], backward: Callable[[Loss, int], None], threads: int
) -> None:
    """Sum the gradients of the losses of parts, in so many threads; see `one_by_one` and `side_by_side`."""
    if len(losses) == 1:
        backward(losses[0], 0)
    elif threads == 1:
        one_by_one(losses, backward)
    else:
        side_by_side(losses, weights, threads)


def one_by_one(losses: Sequence[Loss], backward: Callable[[Loss, int], None]) -> None:
    """Let `backward` compute each loss and add its gradients, told how many losses are left after it."""
    for left, loss, seed in zip(range(len(losses) - 1, -1, -1), losses, _seeds(len(losses)), strict=True):
        torch.manual_seed(seed)
        backward(loss, left)


def side_by_side(losses: Sequence[Loss], weights: Sequence[Tensor], threads: int) -> None:
    """The same on a CPU in so many threads: adds the gradients of all losses to those of the weights.

    A loss draws its random numbers with `layers.uniform` only: the threads share torch's own generator.
    """
    workers = min(threads, len(losses))

    def gradients(loss: Loss, seed: int) -> Gradients:
        with drawing_from(torch.Generator().manual_seed(seed)):
            made: Gradients = torch.autograd.grad(loss(), weights, allow_unused=True)
            return made

    torch.set_num_threads(max(threads // workers, 1))  # what a thread that begins takes for its own operations
    try:
        with ThreadPoolExecutor(workers) as pool:
            for part in pool.map(gradients, losses, _seeds(len(losses))):
                _add(weights, part)
    finally:
        torch.set_num_threads(threads)


def _seeds(count: int) -> list[int]:
    """A seed for each part, made of that of the step."""
    step = torch.initial_seed()
    return [(step + part) % 2**63 for part in range(count)]


def _add(weights: Sequence[Tensor], gradients: Gradients) -> None:
    for weight, gradient in zip(weights, gradients, strict=True):
        if gradient is None:
            continue
        if weight.grad is None:
            weight.grad = gradient
        else:
            weight.grad += gradient
