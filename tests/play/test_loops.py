from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import CheckpointError, OptionError
from seq2drum.lattice.patterns import SLICE, SLICES
from seq2drum.play.checkpoint.runtime import LoadedGraph
from seq2drum.play.generators.composer import Brief
from seq2drum.play.generators.loops import RATE, LoopMaker, joined, letters_of


def answering(arrays: dict[str, np.ndarray]) -> list[np.ndarray]:
    """A net that makes tones of its noise: as long as noise, kit and wish are the same, so is the bar."""
    cycles = 1 + np.abs(arrays["noise"]).sum(axis=1) * 3 + 20 * arrays["kit"].argmax(axis=1) + 7 * arrays["wish"][:, -1]
    tones = np.sin(cycles[:, None] * np.linspace(0, 2 * np.pi, SLICES * SLICE)[None])
    return [2 * tones.reshape(-1, SLICES, SLICE).astype(np.float32)]


MAKER = LoopMaker(LoadedGraph(frozenset(), ("slices",), answering), 4, ("wood", "tin"), (60.0, 200.0))


def bars(sound: np.ndarray, count: int) -> np.ndarray:
    return sound.reshape(count, -1)[:, 300:-300]  # without the joints


@pytest.mark.parametrize(("form", "same"), [("AAAA", "0000"), ("AAAB", "0001"), ("AABB", "0011"), ("abab", "0101")])
def test_bars_follow_each_other_as_the_form_says(form: str, same: str) -> None:
    made = bars(MAKER.make(Brief(bars=8, bpm=120), 3, form=form).sound, 8)
    for one in range(8):
        for other in range(8):
            assert (made[one] == made[other]).all() == (same[one % 4] == same[other % 4])


def test_at_no_variability_all_bars_are_the_same_and_b_is_nearer_to_a_the_less_there_is() -> None:
    same = bars(MAKER.make(Brief(bars=4, bpm=120, variability=0), 3, form="ABAB").sound, 4)
    assert (same == same[0]).all()


@pytest.mark.parametrize("bpm", [20, 61.7, 117.1875, 120, 400])
def test_a_loop_lasts_as_long_as_its_bars_and_does_not_clip(bpm: float) -> None:
    loop = MAKER.make(Brief(bars=4, bpm=bpm), 1)
    assert abs(len(loop.sound) / RATE - 4 * 240 / bpm) < 4 / RATE
    assert np.abs(loop.sound).max() <= 0.9 and loop.sound.dtype == np.float32


def test_the_same_seed_gives_the_same_samples_and_another_one_others() -> None:
    first, again, other = (MAKER.make(Brief(bars=2), seed).sound for seed in (5, 5, 6))
    assert (first == again).all() and (first != other).any()


def test_fills_and_changes_are_other_bars_of_the_same_letter() -> None:
    plain = bars(MAKER.make(Brief(bars=4), 1, form="AAAA", kit="tin").sound, 4)
    filled = bars(MAKER.make(Brief(bars=4, fill=4), 1, form="AAAA", kit="tin").sound, 4)
    changed = bars(MAKER.make(Brief(bars=4, change=(3,)), 1, form="AAAA", kit="tin").sound, 4)
    assert (filled[3] != filled[2]).any() and (filled[0] == filled[2]).all()
    assert (changed[1] != changed[2]).any() and (changed[2] == changed[3]).all()
    assert (plain == plain[0]).all()


def test_what_cannot_be_made_is_refused_in_a_line() -> None:
    for form in ("", "AXA", "A" * 17):
        with pytest.raises(OptionError, match="AAAB"):
            letters_of(form)
    with pytest.raises(OptionError, match="wood, tin"):
        MAKER.make(kit="glass")
    with pytest.raises(OptionError, match="4/4"):
        MAKER.make(Brief(metre="7/8"))
    with pytest.raises(OptionError, match="600"):
        MAKER.make(Brief(bars=1024, bpm=20))


def test_a_bar_ends_as_what_leads_into_the_next_one() -> None:
    first, second = np.zeros(1000, np.float32), np.ones(1000, np.float32)
    sound = joined([first, second])
    assert not sound[:700].any() and sound[999] == 1 and sound[1000] == 1 and sound[-1] == 0


def test_a_folder_that_is_no_maker_of_loops_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"kind": "ranker", "format": 1}')
    with pytest.raises(CheckpointError, match="holds no maker"):
        LoopMaker.load(tmp_path)
