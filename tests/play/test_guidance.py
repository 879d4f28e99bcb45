"""Guidance, on an untrained model: what it computes, not how good it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.lattice.conditions import Controls, of_controls
from seq2drum.lattice.features import SongGrid, features
from seq2drum.models.families import FAMILIES
from seq2drum.play.decode import engine, ensemble
from seq2drum.play.decode.engine import Engine, Guided
from seq2drum.play.decode.memory import Memory
from seq2drum.play.decode.sampling import Sampling
from seq2drum.play.drummer import play_grid as play
from tests.players import save_player, strummed

HEARD = SongGrid.of(strummed(6), [0]).guitar_grid


@pytest.fixture(scope="module", params=list(FAMILIES))
def player(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine.load(save_player(tmp_path_factory.mktemp("model"), request.param))


def takes(player: Engine, controls: Controls) -> list[list[list[int]]]:
    return [[c.tolist() for c in bar.hits] for bar in play(player, HEARD, Sampling(seed=2), controls=controls)]


def test_what_is_taken_apart_comes_together_again() -> None:
    rows = np.arange(24.0).reshape(3, 2, 4)
    assert ensemble._together(ensemble._apart(rows)).tolist() == rows.tolist()
    assert ensemble._apart(rows)[0].tolist() == rows[0, :, :2].tolist()


def test_with_a_weight_of_one_it_is_the_engine_as_it_is(player: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    controls = Controls(style="jazz", intensity=0.9)
    monkeypatch.setattr(ensemble, "GUIDANCE", 1.0)
    guided = takes(player, controls)
    monkeypatch.setattr(ensemble, "Guided", lambda engine, weight: engine)
    assert guided == takes(player, controls)


def test_the_difference_that_a_control_makes_is_taken_several_times(player: Engine) -> None:
    """The first step's logits are those without the control and three times the difference that it makes."""
    form, guitar = HEARD.form, features(HEARD)
    metal, nothing = of_controls(Controls(style="metal"), 6), of_controls(Controls(), 6)
    silence = np.zeros((1, int(form.steps[0]), len(player.kit)), dtype=np.float32)

    def logits(of: Engine | Guided, conditions: np.ndarray) -> np.ndarray:
        encoded = player.resolve(of.encode(guitar, form, conditions, 0, 6))
        memory = Memory.of(form, len(of.kit))
        if "key" in encoded:
            memory.recognise(0, encoded["key"])
        here = {name: rows[:1] for name, rows in encoded.items()}
        opened = player.resolve(of.open_bar(here, memory.before(0), of.silence[None], first=True))
        return player.resolve(of.decode_bar(opened.inputs, opened.step_context, silence, opened.state))[0][:, 0]

    asked_for, plain = logits(player, metal), logits(player, nothing)
    assert np.abs(asked_for - plain).max() > 1e-4
    assert logits(Guided(player, 3.0), metal) == pytest.approx(plain + 3 * (asked_for - plain), abs=1e-4)


def test_fills_alone_need_no_guidance(player: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(engine: Engine, weight: float) -> Guided:
        raise AssertionError("two runs where one will do")

    monkeypatch.setattr(ensemble, "Guided", refused)
    assert takes(player, Controls(fills=0.9))


@pytest.mark.slow
def test_the_shipped_checkpoint_plays_the_style_it_is_asked_for() -> None:
    from seq2drum.lattice.conditions import drums_of, style_of
    from seq2drum.lattice.grid import Lattice, encode
    from seq2drum.music.choices import STYLES
    from seq2drum.music.kit import FULL
    from seq2drum.play.drummer import Drummer
    from seq2drum.play.options import Options

    folder = Path(__file__).parents[2] / "examples"
    drummer, right = Drummer.load(), []
    for name in ("rock_riff", "blues_shuffle", "funk"):
        for style in STYLES:
            if style == "reggae":  # one song in a hundred is
                continue
            take = drummer.accompany(folder / f"{name}.mid", Options(style=style))
            lattice = Lattice(take.song.bars(), take.song.ticks_per_quarter)
            drums = drums_of(
                encode(take.part, lattice, FULL),
                SongGrid.of(take.song, take.guitar.parts, lattice).guitar_grid.form,
                FULL,
            )
            right.append(style_of(drums) == style)
    assert np.mean(right) > 0.6  # one in eight by chance
