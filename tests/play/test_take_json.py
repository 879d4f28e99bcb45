"""A take as JSON: its shape is that of the schema, and its hits are the take's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seq2drum import Drummer, Options
from seq2drum.music.choices import PIECES
from seq2drum.play.take import VERSION, as_json
from tests.conftest import ROOT
from tests.players import save_player, strummed


def test_the_json_of_a_take_has_its_hits_in_their_bars_and_the_shape_of_the_schema(tmp_path: Path) -> None:
    take = Drummer.load(save_player(tmp_path)).accompany(strummed(), Options(drum_map="addictive-drums-2"))
    held = json.loads(as_json(take))
    bars = held["bars"]
    hits = [hit for bar in bars for hit in bar["hits"]]
    assert [(hit["tick"], hit["note"], hit["velocity"]) for hit in hits] == [
        (note.onset, note.pitch, note.velocity) for note in take.part
    ]
    assert all(bar["tick"] <= hit["tick"] < bar["tick"] + bar["length"] for bar in bars[:-1] for hit in bar["hits"])
    assert hits[-1]["seconds"] == pytest.approx(take.song.seconds(hits[-1]["tick"]), abs=1e-6)
    assert {hit["piece"] for hit in hits} <= set(PIECES)
    assert bars[0]["section"] == take.sections[0].text
    assert held["tempos"] == [{"tick": tempo.tick, "bpm": round(tempo.bpm, 6)} for tempo in take.song.tempo_map]
    schema = json.loads((ROOT / "docs" / "take.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"]["version"]["const"] == VERSION
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema, which comes with Jupyter")
    jsonschema.validate(held, schema)
