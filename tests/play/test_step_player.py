from __future__ import annotations

import itertools
import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import CheckpointError, UnknownModelError
from seq2drum.play.generators.composer import WISHES, Brief, Composer
from seq2drum.play.generators.drawing import guided
from seq2drum.play.generators.step import GUIDANCE, MOST, REMEMBERED, BarMemory, newness, sameness, within_reach

SHIPPED = Path(__file__).parents[2] / "seq2drum" / "checkpoints" / "step"


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer.load("step")


def _bars(composer: Composer, seed: int = 0, **asked: object) -> np.ndarray:
    return composer.compose(Brief(**asked), seed).pattern.velocity  # type: ignore[arg-type]


def test_the_same_brief_and_seed_give_the_same_beat_and_another_seed_another(composer) -> None:
    first, again = (_bars(composer, 3, genre="funk", bars=3) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.shape == (3, 24, 9) and (first > 0).sum() > 3
    assert first.tobytes() != _bars(composer, 4, genre="funk", bars=3).tobytes()


def test_a_longer_beat_begins_as_the_shorter_one_does(composer) -> None:
    assert _bars(composer, bars=4)[:2].tobytes() == _bars(composer, bars=2).tobytes()


def test_without_variability_a_bar_comes_again_and_again_around_its_fills(composer) -> None:
    bars = _bars(composer, 1, genre="rock", bars=8, variability=0.0, fill=4)
    assert len({bars[bar].tobytes() for bar in (0, 1, 2, 4, 5, 6)}) == 1
    assert bars[3].tobytes() != bars[0].tobytes()


def test_the_more_variability_the_less_bars_are_alike(composer) -> None:
    changed = []
    for variability in (0.0, 0.1, 0.2, 1.0):
        hits = [_bars(composer, seed, bars=4, variability=variability) > 0 for seed in range(2)]
        changed.append(np.mean([(one[1:] != one[:-1]).sum() for one in hits]))
    assert changed[0] == 0 and changed == sorted(set(changed))
    assert [round(sameness(value), 1) for value in (0.0, 0.2, 1.0)] == [1, 0.1, 0]
    assert [newness(value) for value in (0.0, 0.2, 1.0)] == [0, 0, 1]


def test_something_else_begins_where_a_change_is_asked_for(composer) -> None:
    bars = _bars(composer, 2, bars=6, variability=0.0, change=(4,))
    assert bars[0].tobytes() == bars[2].tobytes() != bars[3].tobytes() == bars[5].tobytes()


def test_at_temperature_zero_seeds_do_not_matter(composer) -> None:
    asked = {"genre": "rock", "bars": 2, "temperature": 0.0}
    assert _bars(composer, 0, **asked).tobytes() == _bars(composer, 1, **asked).tobytes()


def test_a_stream_takes_new_wishes_before_each_bar(composer) -> None:
    asked = iter([Brief(genre="rock"), Brief(genre="jazz:1,funk:1"), Brief(bpm=200), Brief(genre="latin")])
    bars = list(islice(composer.stream(lambda: next(asked)), 4))
    assert [bar.shape for bar in bars] == [(24, 9)] * 4
    assert bars[0].tobytes() == _bars(composer, genre="rock", bars=1)[0].tobytes()


def test_velocities_are_whole_multiples_of_a_127th(composer) -> None:
    struck = _bars(composer, bars=2) * 127
    assert np.abs(struck - np.rint(struck)).max() < 1e-4 and struck.max() <= 127.001


def test_the_weights_of_wishes_are_one_together() -> None:
    told, weights = guided(Brief(genre="funk:3,jazz:1", bpm=160), 2.0, fill=True)
    assert told.shape == (3, WISHES) and weights[:, 0].tolist() == [1.5, 0.5, -1.0]
    assert (told[:, -2:] == [1.0, 1.0]).all()
    assert guided(Brief(genre="funk"), 1.0, fill=False)[1].tolist() == [[1.0]]
    assert guided(Brief(), GUIDANCE, fill=False)[1].tolist() == [[1.0]]


def test_of_more_than_two_hands_the_loudest_two_are_left() -> None:
    struck = np.array([0.9, 0.5, 0.0, 0.0, 0.3, 0.0, 0.4, 0.0, 0.2], dtype=np.float32)
    assert within_reach(struck).tolist() == np.float32([0.9, 0.5, 0, 0, 0, 0, 0.4, 0, 0.2]).tolist()
    assert within_reach(np.zeros(9, dtype=np.float32)).sum() == 0


def test_the_groove_goes_on_until_a_fill_begins(composer) -> None:
    class Late:
        """A kick on one, and of fills a tom on four alone."""

        places = 24

        def bars(self, brief, seed):
            for number in itertools.count():
                bar = np.zeros((24, 9), dtype=np.float32)
                bar[(18, 3) if brief().is_fill(number) else (0, 0)] = 1
                yield bar

    hits = Composer("late", Late()).compose(Brief(bars=4, fill=2)).pattern.velocity > 0
    assert hits[:, 0, 0].all()
    assert hits[:, 18, 3].tolist() == [False, True, False, True]


def test_fills_are_not_remembered() -> None:
    memory = BarMemory(2, 24)
    bar = np.zeros((2, 24, 9), dtype=np.float32)
    bar[:, 0, 0] = 1
    memory.keep(bar, [False, True])
    assert memory.known.tolist() == [1, 0]
    assert memory.heard().shape == (2, 24, REMEMBERED)
    assert memory.heard()[0, 0, 0] == 1 and memory.heard()[1, 0, 0] == 0
    for _ in range(2 * MOST):
        memory.keep(bar, [False, False])
    assert memory.known.tolist() == [MOST, MOST]


def test_a_checkpoint_that_is_damaged_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="wanted one of step"):
        Composer.load("nobody")
    folder = tmp_path / "run" / "best"
    shutil.copytree(SHIPPED, folder)
    assert Composer.load(str(tmp_path / "run")).model == "step"
    about = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**about, "seed": 1}))
    with pytest.raises(CheckpointError, match="SHA-256"):
        Composer.load(str(folder))
    (folder / "config.json").write_text(json.dumps({**about, "kind": "accompanist"}))
    with pytest.raises(CheckpointError, match="of the kind 'accompanist'"):
        Composer.load(str(folder))
