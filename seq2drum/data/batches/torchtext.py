"""The pairs of a corpus through torchtext 0.6: its Dataset, and its BucketIterator over it.

    for batch in bucket_iterator(data, batches.windows(data), size=32, seed=1):
        batch.pair     the arrays of `seq2drum.data.batches.batches.collate`, as a `seq2drum.data.batches.batches.Batch`
        batch.window   the windows they were gathered from
        batch.steps    (n, N) steps of each bar of the pairs, padded with zeros, and (n,) how many bars each pair has

torchtext is no longer developed: 0.6 is the last version that is pure Python and loads with today's torch. The project
itself uses `seq2drum.data.batches.batches`; a test holds the two equal.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np

from seq2drum.data.batches.batches import Batch, Data, Window, collate
from seq2drum.data.batches.draws import draw
from seq2drum.errors import MissingExtraError


def _torchtext() -> Any:
    """torchtext's data module, loaded on demand.

    Raises:
        MissingExtraError: torchtext is not installed, or its version has no BucketIterator.
    """
    try:
        from torchtext import data
    except (ImportError, OSError) as missing:  # versions with a native library fail to load it: an OSError
        raise MissingExtraError(f"this needs torchtext 0.6 ({missing}): pip install 'seq2drum[torchtext]'") from None
    if not hasattr(data, "BucketIterator"):
        raise MissingExtraError("this torchtext has no BucketIterator, wanted 0.6: pip install 'seq2drum[torchtext]'")
    return data


def dataset(
    data: Data, pairs: Sequence[Window], *, seed: int = 0, blanked: float = 0.0, transpose: bool = False
) -> Any:
    """A `torchtext.data.Dataset` with an example a pair, sorted by its longest bar and its number of bars.

    The random numbers of a batch come from (seed, batches made so far), so iterating again sees other ones.
    `blanked` and `transpose` are those of `seq2drum.data.batches.batches.collate`.

    Raises:
        MissingExtraError: torchtext 0.6 is not installed.
    """
    text = _torchtext()
    rng = np.random.default_rng(seed)

    def gathered(windows: list[Window]) -> Batch:
        return collate(data, windows, draw(rng, len(windows)), blanked=blanked, transpose=transpose)

    fields = [
        ("window", text.RawField()),
        ("pair", text.RawField(postprocessing=gathered)),
        (
            "steps",
            text.Field(use_vocab=False, pad_token=0, batch_first=True, include_lengths=True, tokenize=list),
        ),
    ]
    examples = [text.Example.fromlist([pair, pair, _steps(data, pair)], fields) for pair in pairs]
    made = text.Dataset(examples, fields)
    made.sort_key = _length
    return made


def bucket_iterator(
    data: Data,
    pairs: Sequence[Window],
    *,
    size: int,
    seed: int = 0,
    train: bool = True,
    blanked: float = 0.0,
    transpose: bool = False,
) -> Any:
    """A `torchtext.data.BucketIterator`: each iteration is an epoch, in batches of up to `size` pairs of like length.

    For training each epoch is shuffled, from `seed` alone; otherwise the order is that of the lengths, as
    `seq2drum.data.batches.batches.bucketed` gives it without a generator.

    Raises:
        MissingExtraError: torchtext 0.6 is not installed.
    """
    text = _torchtext()
    examples = dataset(data, pairs, seed=seed, blanked=blanked, transpose=transpose)
    # Its pools are sorted only if `sort_within_batch` is set; the order in a batch is then from long to short.
    iterator = text.BucketIterator(
        examples, batch_size=size, train=train, shuffle=train, sort=not train, sort_within_batch=train
    )
    if train:
        # torchtext shuffles with Python's global generator unless it gets a separate state.
        iterator.random_shuffler = type(iterator.random_shuffler)(random.Random(seed).getstate())
    return iterator


def _steps(data: Data, pair: Window) -> list[int]:
    """(bars,): steps of each bar of a pair."""
    first = int(data.first_bar[pair.song])
    steps: list[int] = data.steps[first + pair.first : first + pair.stop].tolist()
    return steps


def _length(example: Any) -> tuple[int, int]:
    """The sort key of a pair: steps of the longest bar, then bars; the order of `batches.bucketed`."""
    return max(example.steps), len(example.steps)
