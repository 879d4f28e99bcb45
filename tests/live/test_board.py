"""What a person reads of a jam while it goes on."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.play.decode import engine
from seq2drum.play.decode.engine import Engine
from seq2drum.play.jam import loop
from seq2drum.play.jam.ports import Shown
from seq2drum.play.jam.signs import FILL
from seq2drum.play.jam.songtime import Clocked
from seq2drum.play.options import Options
from seq2drum.show import console
from tests.live.stage import Stage, key
from tests.players import save_player


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine.load(save_player(tmp_path_factory.mktemp("player"), "transformer"))


def test_the_line_tells_the_bar_the_plan_and_what_was_shown(player: Engine) -> None:
    stage = Stage(player, Options(groove="rock-hat-plain", fills=0.0), count_in=1)
    stage.run(1.0)
    assert loop.status(stage.jamming.view(1.0)) == "count-in | 120 bpm | next: A plain rock, hat, kick 1 3"
    stage.run(4.6, [(4.5, Shown(FILL))])
    shown = loop.status(stage.jamming.view(stage.now))
    assert shown == "bar 2, beat 2 | A plain rock, hat, kick 1 3 | 120 bpm | shown: fill"
    stage.run(5.9)
    assert loop.status(stage.jamming.view(stage.now)).endswith("| 120 bpm | next: A fill")


def test_a_bar_is_told_in_a_line_with_what_was_heard(player: Engine) -> None:
    stage = Stage(player, Options(groove="rock-hat-plain", fills=0.0))
    stage.run(2.1, [(0.5, key(52, 90)), (1.0, key(52, 0)), (1.0, key(55, 90))])
    told = loop.line(stage.jamming.view(stage.now))
    assert told == "bar 2: A plain rock, hat, kick 1 3, 120 bpm; heard E3 G3"


def test_a_jam_that_waits_for_a_clock_says_so(player: Engine) -> None:
    stage = Stage(player, time=Clocked(120, 4.0))
    assert loop.status(stage.jamming.view(0.0)) == loop.WAITING


def test_the_picture_has_the_last_bars_and_the_next_with_the_guitar_that_was_heard(player: Engine) -> None:
    stage = Stage(player)
    stage.run(5.9, [(4.5, key(52, 90)), (5.0, key(52, 0))])
    bars = stage.jamming.bars(1)
    assert [bar.number for bar in bars] == [1, 2, 3]
    duet = loop.duet(bars, stage.jamming.guitar(bars[0].bar.start), 120, 480, "gm")
    assert len(duet.song.bars()) == 3
    assert duet.guitars[0].onset.tolist() == pytest.approx([2400], abs=1)
    assert set(np.unique((duet.drums.onset + 120) // 1920)) == {0, 1, 2}  # a hit may come a little before its barline
    assert "Guitar" in console.picture(duet)
