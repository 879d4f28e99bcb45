"""Tables with named columns, as wide as the shipped model expects, and order statistics equal to numpy's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import seq2drum
from seq2drum.lattice.columns import Columns
from seq2drum.lattice.features import BARS, GUITAR, SUMMARY
from seq2drum.lattice.form import CLOCK

TABLE = Columns(weight=1, places=3, tempo=1)


def test_sizes_and_numbers_of_columns_follow_from_the_widths() -> None:
    assert TABLE.size == 5
    assert TABLE["places"] == slice(1, 4)
    assert TABLE.at("tempo") == 4
    assert TABLE.pick("tempo", "places") == (4, 1, 2, 3)
    assert TABLE.without("places") == (0, 4)
    assert TABLE.span("weight", "places") == slice(0, 4)


def test_a_column_has_a_number_only_where_it_is_one() -> None:
    with pytest.raises(ValueError, match="3 columns"):
        TABLE.at("places")


def test_a_table_is_written_by_name_in_any_order() -> None:
    places = np.array([[1, 0, 0], [0, 0, 1]])
    table = TABLE.table(2, {"tempo": [0.5, -0.5], "places": places, "weight": [True, False]})
    assert table.tolist() == [[1, 1, 0, 0, 0.5], [0, 0, 0, 1, -0.5]]
    assert table.dtype == np.float32
    assert TABLE.row({"places": places[1], "weight": 2, "tempo": 0}).tolist() == [2, 0, 0, 1, 0]


@pytest.mark.parametrize(
    "values",
    [
        {"weight": [0, 0], "places": np.zeros((2, 3))},
        {"weight": [0, 0], "places": np.zeros((2, 3)), "tempo": [0, 0], "colour": [0, 0]},
        {"weight": [0, 0], "places": np.zeros((2, 2)), "tempo": [0, 0]},
        {"weight": [0, 0], "places": np.zeros(2), "tempo": [0, 0]},
        {"weight": 0, "places": np.zeros((2, 3)), "tempo": [0, 0]},
        {"weight": [0, 0, 0], "places": np.zeros((2, 3)), "tempo": [0, 0]},
    ],
    ids=["missing", "unknown", "narrow", "flat", "number", "long"],
)
def test_a_table_with_other_names_or_shapes_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="wanted"):
        TABLE.table(2, values)


def test_the_features_have_the_sizes_that_the_shipped_models_were_trained_on() -> None:
    folder = Path(seq2drum.__file__).parent / "checkpoints"
    configs = [json.loads(path.read_text()).get("config", {}) for path in folder.glob("*/config.json")]
    sizes = [
        {name: config[name] for name in ("guitar", "clock", "bars", "summary")}
        for config in configs
        if "guitar" in config
    ]
    assert len(sizes) == 2  # the default, and the one that plays along
    for found in sizes:
        assert found == {"guitar": GUITAR.size, "clock": CLOCK.size, "bars": BARS.size, "summary": SUMMARY.size}
