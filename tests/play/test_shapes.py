"""The shapes of what an engine takes and returns, and of what a memory remembers, for every family."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.lattice import conditions
from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.features import SongGrid, features
from seq2drum.models.families import FAMILIES
from seq2drum.play.decode import engine
from seq2drum.play.decode.memory import GrooveRows, Memory
from tests.players import save_player, strummed
from tests.shapes import Shape, check_shapes

MEMORY_SHAPES: dict[str, Shape] = {
    "keys": ("n", "M", "K"),
    "distance": ("n", "M"),
    "past": ("n", "M", "S", "V"),
    "past_velocity": ("n", "M", "S", "V"),
}
BAR_SHAPES: dict[str, Shape] = {
    "inputs": ("n", "S", "I"),
    "step_context": ("n", "S", "H"),
    "echo": ("n", "S", "E"),
    "state": ("n", "Z"),
}
DECODED_SHAPES: dict[str, Shape] = {"logits": ("n", "S", "V"), "hidden": ("n", "S", "D"), "state": ("n", "Z")}
FELT_SHAPES: dict[str, Shape] = {
    name: ("n", "S", "V") for name in ("velocity", "velocity_scale", "offset", "offset_scale")
}


@pytest.mark.parametrize("family", FAMILIES)
def test_an_engine_and_its_memory_keep_their_shapes_from_graph_to_graph(family: str, tmp_path: Path) -> None:
    player = engine.load(save_player(tmp_path, family))
    guitar = SongGrid.of(strummed(6), [0]).guitar_grid
    form, voices, bars = guitar.form, len(player.kit), len(guitar.form.steps)
    asked = conditions.of_controls(Controls(), bars)
    encoded = player.resolve(
        player.encode(features(guitar), form, asked, 0, bars, grooves=GrooveRows.none(form, player.kit))
    )
    assert {len(rows) for rows in encoded.values()} == {bars}
    memory = Memory.of(form, voices, heard=player.hears_grooves)
    if "key" in encoded:
        memory.recognise(0, encoded["key"])
    state = player.silence[None]
    for bar in range(3):
        remembered = memory.before(bar)
        check_shapes(remembered, MEMORY_SHAPES, n=1, S=24, V=voices)
        own = {name: rows[[bar]] for name, rows in encoded.items()}
        opened = player.resolve(player.open_bar(own, remembered, state, first=bar == 0))
        arrays = {name: rows for name, rows in opened._asdict().items() if rows is not None}
        table = {name: shape for name, shape in BAR_SHAPES.items() if name != "echo" or opened.echo is not None}
        sizes = check_shapes(arrays, table, n=1, S=24, Z=state.shape[1])
        previous = np.zeros((1, 24, voices), dtype=np.float32)
        decoded = player.resolve(player.decode_bar(opened.inputs, opened.step_context, previous, opened.state))
        sizes = check_shapes(dict(zip(DECODED_SHAPES, decoded, strict=True)), DECODED_SHAPES, V=voices, **sizes)
        hits = (decoded[0] > 0).astype(np.float32)
        felt = player.resolve(player.feel(decoded[1], hits, opened.echo))
        check_shapes(felt, FELT_SHAPES, **sizes)
        memory.keep(bar, hits, hits)
        state = decoded[2]


def test_a_wrong_shape_is_named_with_the_wanted_one() -> None:
    arrays = {"hits": np.zeros((2, 24, 9)), "steps": np.zeros(3)}
    table: dict[str, Shape] = {"hits": ("n", "S", 9), "steps": ("n",)}
    with pytest.raises(AssertionError, match=r"steps is \(3,\), wanted \('n',\) with \{'n': 2, 'S': 24\}"):
        check_shapes(arrays, table)
    with pytest.raises(AssertionError, match="no shape, or no array, of"):
        check_shapes({"hits": arrays["hits"]}, table)
