"""The generators that make whole bars at once, as they are played."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import CheckpointError
from seq2drum.play.generators import drawing
from seq2drum.play.generators.composer import Brief, Composer, wish
from seq2drum.play.generators.phrase import sameness

WHOLE = ("bar", "phrase")


@pytest.fixture(scope="module", params=WHOLE)
def composer(request: pytest.FixtureRequest) -> Composer:
    return Composer.load(request.param)


def _bars(composer: Composer, seed: int = 0, **asked: object) -> np.ndarray:
    brief = Brief(**asked)  # type: ignore[arg-type]
    return np.stack(list(islice(composer.stream(lambda: brief, seed), brief.bars)))


def test_the_same_brief_and_seed_give_the_same_beat_and_another_seed_another(composer: Composer) -> None:
    first, again = (_bars(composer, 3, genre="funk", bars=3) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.shape == (3, composer.generator.places, 9) and (first > 0).sum() > 9
    assert first.tobytes() != _bars(composer, 4, genre="funk", bars=3).tobytes()
    struck = first[first > 0] * 127
    assert np.abs(struck - np.rint(struck)).max() < 1e-4 and struck.min() >= 1 and struck.max() <= 127.001


def test_a_longer_beat_begins_as_the_shorter_one_does(composer: Composer) -> None:
    assert _bars(composer, bars=10)[:9].tobytes() == _bars(composer, bars=9).tobytes()


def test_the_more_variability_the_less_passages_are_alike(composer: Composer) -> None:
    changed = []
    for variability in (0.0, 0.2, 1.0):
        hits = [_bars(composer, seed, bars=9, variability=variability) > 0 for seed in range(6)]
        changed.append(np.mean([(one[8] != one[0]).sum() for one in hits]))
    assert changed[0] == 0 and changed == sorted(set(changed))


def test_something_else_begins_where_a_change_is_asked_for(composer: Composer) -> None:
    bars = _bars(composer, 2, bars=6, variability=0.0, change=(4,))
    plain = _bars(composer, 2, bars=6, variability=0.0)
    assert bars[:3].tobytes() == plain[:3].tobytes() and bars[3].tobytes() != plain[3].tobytes()
    assert bars[3].tobytes() != bars[0].tobytes()


def test_fills_have_more_toms_than_other_bars(composer: Composer) -> None:
    toms = np.zeros(2)
    for seed in range(30):
        bars = _bars(composer, seed, genre="rock", bars=4, fill=4) > 0
        toms += [bars[3, :, 3:6].sum(), bars[:3, :, 3:6].sum() / 3]
    assert toms[0] > 1.5 * toms[1]


def test_a_drummer_has_two_hands(composer: Composer) -> None:
    bars = _bars(composer, 5, bars=64, variability=1.0, temperature=2.0) > 0
    assert bars[:, :, drawing.BY_HAND].sum(axis=2).max() == 2


def test_at_temperature_zero_what_is_open_is_not_drawn(composer: Composer) -> None:
    cold, warm = (_bars(composer, 0, bars=8, temperature=temperature) > 0 for temperature in (0.0, 1.5))
    assert cold.sum() > 0 and (cold != warm).any()


def test_a_stream_takes_new_wishes_before_each_bar(composer: Composer) -> None:
    asked = iter([Brief(genre="rock"), Brief(genre="jazz:1,funk:1"), Brief(bpm=200)])
    bars = list(islice(composer.stream(lambda: next(asked)), 3))
    assert bars[0].tobytes() == _bars(composer, genre="rock", bars=1)[0].tobytes()
    assert bars[1].tobytes() != _bars(composer, genre="rock", bars=2)[1].tobytes()


def test_genres_are_mixed_by_their_weights() -> None:
    told = drawing.wished(Brief(genre="funk:3,jazz:1", bpm=160), fill=True)
    funk, jazz = (wish(name, 160, fill=True) for name in ("funk", "jazz"))
    assert told == pytest.approx(0.75 * funk + 0.25 * jazz)
    assert drawing.wished(Brief(), fill=False) == pytest.approx(wish(None, 110, fill=False))


def test_noise_is_where_it_was_in_its_distribution() -> None:
    normal = drawing.normals([1, 2], 20_000)
    assert drawing.below(np.array([-1.0, 0.0, 1.0])) == pytest.approx([0.1587, 0.5, 0.8413], abs=1e-4)
    assert (drawing.logistic(normal) > 1).mean() == pytest.approx(1 / (1 + np.e), abs=0.01)
    other = drawing.shared(0.36, normal, drawing.normals([3], 20_000))
    assert np.corrcoef(other, normal)[0, 1] == pytest.approx(0.6, abs=0.02) and other.std() == pytest.approx(
        1, abs=0.02
    )


def test_the_default_variability_is_what_was_learnt() -> None:
    learnt = np.array([0.1, 0.9])
    assert [sameness(learnt, value).tolist() for value in (0.0, 0.2, 1.0)] == [
        [1, 1],
        pytest.approx([0.1, 0.9]),
        [0, 0],
    ]


def test_a_checkpoint_that_is_damaged_or_of_other_sizes_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "bar"
    shutil.copytree(Path(drawing.__file__).parents[2] / "checkpoints" / "bar", folder)
    about = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**about, "seed": 1}))
    with pytest.raises(CheckpointError, match="SHA-256"):
        Composer.load(str(folder))
    (folder / "config.json").write_text(json.dumps({**about, "config": {**about["config"], "places": 7}}))
    with pytest.raises(CheckpointError, match="its places is 7, wanted 24"):
        Composer.load(str(folder))
