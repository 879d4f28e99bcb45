"""The same pairs through torchtext's BucketIterator: equal to our own batches, array by array."""

from __future__ import annotations

import importlib.util
import random
import sys
import types
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from seq2drum.data.batches import batches
from seq2drum.data.batches import torchtext as torchtext_adapter
from seq2drum.data.batches.batches import PAST, Batch, Data, Window, collate, flatten, windows
from seq2drum.data.batches.draws import draw
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import MissingExtraError
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.grid import Lattice, encode
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Metre, Part, Song

SIZE = 4


@pytest.fixture(autouse=True)
def installed(request: pytest.FixtureRequest) -> None:
    there = all(importlib.util.find_spec(name) for name in ("torch", "torchtext"))
    if not there and "missing" not in request.node.name:
        pytest.skip("needs torchtext 0.6: pip install 'seq2drum[torchtext]'")


@pytest.fixture(scope="module")
def data() -> Data:
    songs = []
    for number, metre in enumerate([(4, 4), (3, 4), (7, 8), (4, 4)]):
        rng = np.random.default_rng(number)
        length, bars = 1920 * metre[0] // metre[1], 30 + 7 * number
        rows = np.stack(
            [
                rng.integers(0, bars * length - 99, 500),
                np.full(500, 99),
                rng.choice([36, 38, 42, 49], 500),
                rng.integers(1, 128, 500),
            ],
            axis=1,
        )
        parts = Part.of(rows, program=27), Part.of(rows[::2], is_drums=True)
        song = Song(480, parts, metres=(Metre(0, *metre),), length=bars * length)
        lattice = Lattice(song.bars(), 480)
        songs.append(
            Prepared(
                str(number),
                "",
                "",
                "",
                "train",
                SongGrid.of(song, [0], lattice).guitar_grid,
                encode(parts[1], lattice, FULL),
            )
        )
    return flatten(songs)


def assert_equal(one: Batch, other: Batch) -> None:
    for name in Batch._fields:
        left, right = getattr(one, name), getattr(other, name)
        assert_array_equal(left, right, err_msg=name)
        assert left.dtype == right.dtype


def seen(iterator: Any) -> list[list[Window]]:
    return [list(batch.window) for batch in iterator]


@pytest.mark.parametrize("train", [True, False], ids=["training", "measuring"])
def test_a_batch_has_the_arrays_of_our_own_for_the_same_windows(data: Data, train: bool) -> None:
    ours = np.random.default_rng(5)
    options: dict[str, Any] = {"blanked": 0.3, "transpose": True} if train else {}
    iterator = torchtext_adapter.bucket_iterator(data, windows(data), size=SIZE, seed=5, train=train, **options)
    count = 0
    for batch in iterator:
        assert_equal(batch.pair, collate(data, batch.window, draw(ours, len(batch.window)), **options))
        count += 1
    assert count == len(iterator) > 5


@pytest.mark.parametrize("train", [True, False], ids=["training", "measuring"])
def test_padding_lengths_and_masks_say_the_same_as_ours(data: Data, train: bool) -> None:
    for batch in torchtext_adapter.bucket_iterator(data, windows(data), size=SIZE, train=train):
        steps, lengths = batch.steps
        in_pair = batch.pair.in_pair
        assert lengths.tolist() == in_pair.sum(axis=1).tolist()
        assert_array_equal(steps.numpy() > 0, in_pair)
        inside = slice(PAST, PAST + in_pair.shape[1])
        assert_array_equal(steps.numpy(), batch.pair.steps[:, inside] * in_pair)


@pytest.mark.parametrize("train", [True, False], ids=["training", "measuring"])
def test_an_epoch_has_every_pair_once(data: Data, train: bool) -> None:
    iterator = torchtext_adapter.bucket_iterator(data, windows(data), size=SIZE, train=train)
    for _ in range(3):
        groups = seen(iterator)
        assert sorted(window for batch in groups for window in batch) == sorted(windows(data))
        assert all(len(batch) <= SIZE for batch in groups)


def test_when_measuring_the_batches_are_ours_in_our_order(data: Data) -> None:
    pairs = windows(data)
    assert len(pairs) < 64 * SIZE  # all in one pool of ours
    iterator = torchtext_adapter.bucket_iterator(data, pairs, size=SIZE, train=False)
    assert seen(iterator) == list(batches.bucketed(data, pairs, None, size=SIZE))


def test_training_batches_hold_pairs_of_like_length_as_ours_do(data: Data) -> None:
    pairs = windows(data)

    def lengths(groups: list[list[Window]]) -> list[list[tuple[int, int]]]:
        steps = data.steps
        return sorted(
            sorted((int(steps[data.first_bar[p.song] + p.first]), p.stop - p.first) for p in batch) for batch in groups
        )

    theirs = seen(torchtext_adapter.bucket_iterator(data, pairs, size=SIZE))
    ours = list(batches.bucketed(data, pairs, np.random.default_rng(0), size=SIZE))
    assert lengths(theirs) == lengths(ours)


def test_one_seed_gives_one_order_whatever_the_global_generator_does(data: Data) -> None:
    orders = list[Any]()
    for seed in (1, 1, 2):
        random.seed(seed * 17 + len(orders))
        state = random.getstate()
        orders.append(seen(torchtext_adapter.bucket_iterator(data, windows(data), size=SIZE, seed=seed)))
        assert random.getstate() == state
    assert orders[0] == orders[1] != orders[2]


def test_epochs_are_shuffled_anew(data: Data) -> None:
    iterator = torchtext_adapter.bucket_iterator(data, windows(data), size=SIZE)
    assert seen(iterator) != seen(iterator)


def test_the_data_set_is_one_of_torchtext_and_can_be_split(data: Data) -> None:
    from torchtext.data import Dataset

    whole = torchtext_adapter.dataset(data, windows(data))
    assert isinstance(whole, Dataset)
    assert [example.window for example in whole] == windows(data)
    one, other = whole.split(0.5, random_state=random.Random(1).getstate())
    assert sorted(example.window for part in (one, other) for example in part) == sorted(windows(data))


@pytest.fixture
def without_torchtext(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchtext", None)


def test_a_missing_torchtext_names_the_extra(data: Data, without_torchtext: None) -> None:
    with pytest.raises(MissingExtraError, match=r"pip install 'seq2drum\[torchtext\]'"):
        torchtext_adapter.bucket_iterator(data, windows(data), size=SIZE)
    with pytest.raises(MissingExtraError, match=r"pip install 'seq2drum\[torchtext\]'"):
        torchtext_adapter.dataset(data, windows(data))


def test_a_torchtext_of_another_version_counts_as_missing(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    later = types.ModuleType("torchtext")
    later.data = types.ModuleType("torchtext.data")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torchtext", later)
    with pytest.raises(MissingExtraError, match=r"no BucketIterator, wanted 0\.6"):
        torchtext_adapter.dataset(data, [])
