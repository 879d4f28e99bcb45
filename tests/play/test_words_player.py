"""The words generator, played: what a brief asks for, and what its bars have in common."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import CheckpointError
from seq2drum.lattice import patterns
from seq2drum.lattice.patterns import Pattern
from seq2drum.music.kit import HANDS
from seq2drum.play.generators.composer import Brief, Composer
from seq2drum.play.generators.drawing import BY_HAND
from seq2drum.play.generators.words import WordsPlayer

SHIPPED = Path(__file__).parents[2] / "seq2drum" / "checkpoints" / "words"


@pytest.fixture(scope="module")
def composer() -> Composer:
    return Composer.load("words")


def _bars(composer: Composer, seed: int = 0, **asked: object) -> np.ndarray:
    return composer.compose(Brief(**asked), seed).pattern.velocity  # type: ignore[arg-type]


def test_the_same_brief_and_seed_give_the_same_text_and_another_seed_another(composer) -> None:
    first, again, other = (
        patterns.text_of(composer.compose(Brief(genre="funk", bars=3), seed).pattern) for seed in (3, 3, 4)
    )
    assert first == again != other
    assert first.count("BAR") == 3


def test_a_longer_beat_begins_as_the_shorter_one_does(composer) -> None:
    assert _bars(composer, bars=4)[:2].tobytes() == _bars(composer, bars=2).tobytes()


def test_without_variability_a_bar_comes_again_and_again_around_its_fills(composer) -> None:
    bars = _bars(composer, 1, genre="rock", bars=8, variability=0.0, fill=4)
    assert len({bars[bar].tobytes() for bar in (0, 1, 2, 4, 5, 6)}) == 1
    assert bars[3].tobytes() != bars[0].tobytes()


def test_the_more_variability_the_less_bars_are_alike(composer) -> None:
    changed = []
    for variability in (0.0, 0.05, 0.2, 1.0):
        hits = [_bars(composer, seed, bars=4, variability=variability) > 0 for seed in range(6)]
        changed.append(np.mean([(one[1:] != one[:-1]).sum() for one in hits]))
    assert changed[0] == 0 and changed == sorted(set(changed))


def test_something_else_begins_where_a_change_is_asked_for(composer) -> None:
    bars = _bars(composer, 2, bars=6, variability=0.0, change=(4,))
    assert bars[0].tobytes() == bars[2].tobytes() != bars[3].tobytes() == bars[5].tobytes()


def test_at_temperature_zero_seeds_do_not_matter(composer) -> None:
    asked = {"genre": "rock", "bars": 2, "temperature": 0.0}
    assert _bars(composer, 0, **asked).tobytes() == _bars(composer, 1, **asked).tobytes()


def test_a_stream_takes_new_wishes_before_each_bar_and_genres_are_mixed(composer) -> None:
    asked = iter([Brief(genre="rock"), Brief(genre="jazz:1,funk:1"), Brief(bpm=200), Brief(genre="latin")])
    bars = list(islice(composer.stream(lambda: next(asked)), 4))
    assert [bar.shape for bar in bars] == [(24, 9)] * 4
    assert bars[0].tobytes() == _bars(composer, genre="rock", bars=1)[0].tobytes()


def test_it_goes_on_from_what_it_is_primed_with(composer) -> None:
    primed = np.zeros((2, 24, 9), dtype=np.float32)
    primed[:, ::3, 3] = 0.7
    given = Pattern(primed)
    after = [composer.compose(Brief(bars=1), seed, primed=given).pattern.velocity.tobytes() for seed in range(4)]
    assert after != [_bars(composer, seed, bars=1).tobytes() for seed in range(4)]


def test_two_hands_can_play_it_however_wild_it_is(composer) -> None:
    hits = _bars(composer, bars=24, variability=1.0, temperature=2.0) > 0
    assert hits[..., BY_HAND].sum(axis=-1).max() == HANDS


def test_hits_have_the_usual_velocity_of_their_place(composer) -> None:
    bars = _bars(composer, bars=4)
    struck = bars > 0
    assert struck.any()
    usual = np.broadcast_to(composer.generator.usual, bars.shape)  # type: ignore[attr-defined]
    assert np.array_equal(bars[struck], usual[struck])


def test_a_checkpoint_that_is_damaged_or_of_another_kind_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run" / "best"
    shutil.copytree(SHIPPED, folder)
    assert Composer.load(str(tmp_path / "run")).model == "words"
    about = json.loads((folder / "config.json").read_text())
    for wrong, said in (
        ({"seed": 1}, "SHA-256"),
        ({"kind": "step"}, "."),
        ({"velocity": [[0.5] * 9] * 23}, "its velocities are none"),
        ({"config": {**about["config"], "places": 16}}, "on 16 places"),
    ):
        (folder / "config.json").write_text(json.dumps({**about, **wrong}))
        with pytest.raises(CheckpointError, match=said):
            WordsPlayer.load(folder)


def test_the_shipped_one_is_small_and_says_whose_music_it_learnt_from() -> None:
    assert sum(file.stat().st_size for file in SHIPPED.iterdir()) < 1_500_000
    card = (SHIPPED / "card.md").read_text()
    assert "Groove MIDI Dataset" in card and "CC BY 4.0" in card
