"""Every family in the table, by the same laws."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from seq2drum.data.batches import batches
from seq2drum.data.batches.batches import Data, Window
from seq2drum.data.batches.draws import Given, draw
from seq2drum.errors import CheckpointError, UnknownModelError
from seq2drum.lattice.conditions import CONDITIONS, Controls, of_controls
from seq2drum.lattice.features import features
from seq2drum.models import base, checkpoint
from seq2drum.models.base import Graph, engine_of, tensors
from seq2drum.models.families import DEFAULT_FAMILY, FAMILIES, family
from seq2drum.models.layers import hit_nats
from seq2drum.music.choices import STYLES
from seq2drum.music.kit import FULL, KITS
from seq2drum.play.checkpoint.folder import CONFIG, DEFAULT, SUMS, WEIGHTS, find, read_config, verify
from seq2drum.play.decode import engine
from seq2drum.play.decode.memory import GrooveRows, Memory
from seq2drum.play.decode.sampling import Sampling
from seq2drum.play.drummer import play_grid as play
from tests.conftest import ROOT
from tests.made import made_song
from tests.players import SIZES

# Each family, for what takes long of each: the default at once, the others with the slow tests.
ONE_FAST = [pytest.param(name, marks=() if name == DEFAULT_FAMILY else pytest.mark.slow) for name in FAMILIES]


@pytest.fixture(scope="module")
def data() -> Data:
    return batches.flatten([made_song(seed) for seed in range(6)])


def tiny(name: str, voices: int = len(FULL), **sizes: int) -> Any:
    torch.manual_seed(0)
    kind: Any = family(name)
    model = kind(kind.config_type(voices=voices, dropout=0.0, **SIZES.get(name, {}), **sizes))
    with torch.no_grad():  # an untrained order of voices is zero, which would hide a transposed one
        model.heads.order.normal_(0, 0.3)
    return model.eval()


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_thirty_steps_on_one_batch_lower_its_loss(name: str, data: Data) -> None:
    model = tiny(name).train()
    pairs = [window for window in batches.windows(data) if window.song < 2]
    batch = tensors(batches.collate(data, pairs, draw(np.random.default_rng(0), len(pairs)), blanked=0.3))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    nats = []
    for _ in range(30):
        losses = model.losses(batch)
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        nats.append(float(losses["nats"].detach() / losses["bars"]))
    assert np.isfinite(nats).all()
    assert nats[-1] < 0.7 * nats[0]


@pytest.mark.parametrize("name", ONE_FAST)
def test_the_loss_does_not_depend_on_padding(name: str, data: Data) -> None:
    model = tiny(name)
    pairs = [Window(0, 0, 3), Window(1, 5, 8), Window(2, 10, 14), Window(3, 2, 10)]
    draws = draw(np.random.default_rng(1), len(pairs))
    with torch.no_grad():
        together = float(model.losses(tensors(batches.collate(data, pairs, draws)))["nats"])
        alone = sum(
            float(model.losses(tensors(batches.collate(data, [pair], draws.part(index, len(pairs)))))["nats"])
            for index, pair in enumerate(pairs)
        )
    assert together == pytest.approx(alone, rel=1e-4)


@pytest.mark.parametrize("name", ONE_FAST)
def test_the_logits_of_the_hits_have_the_likelihood_that_the_loss_has_wherever_bars_differ_in_length(name: str) -> None:
    data = batches.flatten([made_song(seed) for seed in range(4)])
    model = tiny(name)
    pairs = [Window(0, 0, 3), Window(1, 5, 8), Window(2, 0, 14), Window(3, 2, 10)]
    batch = tensors(batches.collate(data, pairs, draw(np.random.default_rng(1), len(pairs))))
    inside = slice(batches.PAST, batches.PAST + batch.offset.shape[1])
    steps = batch.steps[:, inside]
    assert len(set(steps[2].tolist())) > 1
    valid = (torch.arange(batch.offset.shape[2]) < steps[..., None]) & batch.in_pair[..., None]
    with torch.no_grad():
        logits, nats = model.hit_logits(batch), float(model.losses(batch)["nats"])
    assert logits.shape == batch.offset.shape
    assert float(hit_nats(logits, batch.drums[:, inside], valid)) == pytest.approx(nats, rel=1e-5)


@pytest.mark.parametrize("given", [0.0, 1.0], ids=["on its grooves", "without grooves"])
@pytest.mark.parametrize("name", ONE_FAST)
def test_playing_bar_after_bar_has_the_likelihood_that_training_computes(name: str, given: float, data: Data) -> None:
    """The loop's way through the graphs, forced along the true drums, against the batched loss over the same bars."""
    model = tiny(name)
    stop = 8 if model.unit == "pair" else 14
    window = Window(2, 0, stop)
    with torch.no_grad():
        arrays = batches.collate(data, [window], draw(np.random.default_rng(0), 1), grooves=Given(hidden=given))
        trained = float(model.losses(tensors(arrays))["nats"])
    player = engine_of(model, "full")
    guitar_grid = made_song(2).guitar_grid
    form, memory = guitar_grid.form, Memory.of(guitar_grid.form, len(FULL))
    held = np.where(arrays.grooved[0] > 0, 0, -1)
    grooves = GrooveRows((arrays.groove[0] > 0).astype(np.float32), arrays.groove[0], held)
    assert (held >= 0).any() == (given == 0)
    first = data.first_step[data.first_bar[2]] + form.first
    known = player.resolve(player.encode(features(guitar_grid), form, of_controls(Controls(), 14), 0, stop, grooves))
    if "key" in known:
        memory.recognise(0, known["key"])
    state, previous, nats = player.silence[None], np.zeros((1, len(FULL)), dtype=np.float32), 0.0
    for bar in range(stop):
        here = {name: rows[bar : bar + 1] for name, rows in known.items()}
        opened = player.resolve(player.open_bar(here, memory.before(bar), state, first=bar == 0))
        velocity = data.velocity[first[bar] : first[bar + 1]].astype(np.float32) / 127
        hits = (velocity > 0).astype(np.float32)
        before, count = np.concatenate([previous, hits[:-1]])[None], len(hits)
        logits, _, state = player.resolve(
            player.decode_bar(opened.inputs[:, :count], opened.step_context[:, :count], before, opened.state)
        )
        logits, previous = logits[0] + hits @ player.voice_order.T, hits[-1:]
        nats += float(np.sum(np.logaddexp(0, logits) - hits * logits))
        memory.keep(bar, hits[None], velocity[None].astype(np.float32))
    assert nats == pytest.approx(trained, rel=1e-4)


@pytest.mark.parametrize("name", ONE_FAST)
@pytest.mark.parametrize("kit", KITS)
def test_onnx_runtime_and_torch_play_the_same_take(name: str, kit: str, tmp_path: Path) -> None:
    model = tiny(name, len(KITS[kit]))
    with torch.no_grad():
        model.heads.hits.bias += 3  # an untrained model hardly ever plays
    checkpoint.save(model, tmp_path, {"kit": kit, "max_notes": 150})
    guitar_grid = made_song(3).guitar_grid
    players, sampling = (engine_of(model, kit), engine.load(tmp_path)), Sampling(seed=5, temperature=1.0)
    takes = [[bar.hits for bar in play(player, guitar_grid, sampling)] for player in players]
    assert sum(len(hits.step) for hits in takes[0]) > 20
    for eager, runtime in zip(*takes, strict=True):
        assert [column.tolist() for column in eager[:2]] == [column.tolist() for column in runtime[:2]]
        assert np.abs(eager.velocity - runtime.velocity).max(initial=0) <= 1
        assert np.abs(eager.offset - runtime.offset).max(initial=0) <= 1


def test_a_groove_changes_what_is_expected_and_nothing_does_where_none_is_given(data: Data) -> None:
    """The pointer, the memory's slot and the sketch see a groove only where `grooved` says that there is one."""
    model, windows = tiny("attention"), batches.windows(data)
    draws = draw(np.random.default_rng(0), len(windows))
    with torch.no_grad():
        hidden = batches.collate(data, windows, draws)
        given = batches.collate(data, windows, draws, grooves=Given(hidden=0))
        assert (given.grooved == given.in_pair).all() and given.groove.any() and not hidden.grooved.any()
        at, expected = given.groove > 0, model.hit_logits(tensors(given)) - model.hit_logits(tensors(hidden))
        struck, left_out = float(expected[torch.from_numpy(at)].mean()), float(expected[torch.from_numpy(~at)].mean())
        assert struck > 1 and left_out < 0
        sketches = [float(model.losses(tensors(batch))["sketch"]) for batch in (hidden, given)]
    assert abs(sketches[0] - sketches[1]) > 1


@pytest.mark.parametrize("name", [name for name in FAMILIES if family(name).unit == "song"])
def test_a_model_from_which_the_future_is_hidden_expects_the_same_whatever_comes(name: str) -> None:
    model, song, stop = tiny(name), made_song(2), 6
    begin = int(song.guitar_grid.form.first[stop - 1])
    ended = replace(
        song,
        guitar_grid=replace(
            song.guitar_grid, guitar=song.guitar_grid.guitar.select(song.guitar_grid.guitar.step < begin)
        ),
    )
    expected = []
    for one in (song, ended):
        data = batches.flatten([one], foreseen=False)
        arrays = batches.collate(data, [Window(0, 0, stop + 2)], draw(np.random.default_rng(0), 1), future_hidden=1.0)
        with torch.no_grad():
            expected.append(model.hit_logits(tensors(arrays))[:, :stop])
    assert torch.equal(*expected)
    with torch.no_grad():
        seen = model.hit_logits(tensors(arrays._replace(expected_guitar=arrays.expected_guitar[:, :0])))[:, :stop]
    assert not torch.allclose(seen, expected[0], atol=1e-3)


@pytest.mark.parametrize("name", [name for name in FAMILIES if family(name).unit == "song"])
def test_a_pair_beside_one_whose_future_is_hidden_expects_what_it_expects_alone(name: str, data: Data) -> None:
    model = tiny(name)
    unforeseen, pair = batches.flatten([made_song(seed) for seed in range(6)], foreseen=False), Window(2, 1, 7)
    draws = draw(np.random.default_rng(0), 2)._replace(future=np.array([0.9, 0.1]))
    both = tensors(batches.collate(unforeseen, [pair, pair], draws, future_hidden=0.5))
    alone = tensors(batches.collate(data, [pair], draws.part(0, 2)))
    with torch.no_grad():
        assert torch.allclose(model.hit_logits(both)[:1], model.hit_logits(alone), atol=1e-4)


def test_pairs_whose_drums_are_drawn_learn_from_what_they_drew_and_are_measured_on_the_real_ones(data: Data) -> None:
    model, windows = tiny("attention"), batches.windows(data)
    draws = draw(np.random.default_rng(0), len(windows))
    drawn = tensors(batches.collate(data, windows, draws, drawn=1.0))
    own = tensors(batches.collate(data, windows, draws))
    torch.manual_seed(0)
    played = model.played(drawn)
    assert model.played(own) is None
    assert played is not None and played.shape == drawn.offset.shape
    inside = slice(batches.PAST, batches.PAST + played.shape[1])
    assert not torch.equal(played, drawn.drums[:, inside])
    assert not played[torch.arange(played.shape[2]) >= drawn.steps[:, inside, None]].any()
    with torch.no_grad():
        assert float(model.losses(drawn)["hits"]) == float(model.losses(own)["hits"])
        assert float(model.losses(drawn)["nats"]) != float(model.losses(own)["nats"])


@pytest.mark.slow
def test_a_sketch_and_a_plan_of_fills_are_learnt_from_the_guitar_alone(data: Data) -> None:
    """The sketch's loss falls, and does not see the drums: with other drums before, it says the same."""
    model = tiny("attention")
    window = Window(2, 6, 10)
    batch = batches.collate(data, [window], draw(np.random.default_rng(0), 1))
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    sketches = []
    for _ in range(30):
        losses = model.losses(tensors(batch))
        optimizer.zero_grad()
        losses["loss"].backward()
        optimizer.step()
        sketches.append((float(losses["sketch"].detach()), float(losses["fill"].detach())))
    assert sketches[-1][0] < 0.8 * sketches[0][0] and sketches[-1][1] < sketches[0][1]
    with torch.no_grad():
        before, after = (
            model.eval().losses(tensors(batch._replace(keep=keep))) for keep in (batch.keep, 0 * batch.keep)
        )
    assert float(before["sketch"]) == float(after["sketch"]) and float(before["nats"]) != float(after["nats"])


def test_a_graph_that_gives_one_tensor_gives_it_whole_in_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny("lstm")
    same = Graph(torch.nn.Identity(), {"state": ("n", 3)}, {"opened": ("n", 3)})
    monkeypatch.setattr(model, "graphs", lambda: {"bar": same})
    state = np.arange(6, dtype=np.float32).reshape(2, 3)
    assert engine_of(model, "full").graphs["bar"].run({"state": state})[0].tolist() == state.tolist()


@pytest.mark.parametrize("name", ONE_FAST)
def test_a_checkpoint_comes_back_with_the_same_weights_and_is_mostly_weights(name: str, tmp_path: Path) -> None:
    model = tiny(name)
    checkpoint.save(model, tmp_path, {"kit": "full", "max_notes": 150})
    again, about = checkpoint.load(tmp_path)
    assert about["family"] == name
    for key, value in model.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    graphs = sum(path.stat().st_size for path in tmp_path.glob("*.onnx"))
    assert graphs < 120_000  # they refer to the weights, they do not hold them


def test_what_neither_an_input_nor_a_weight_changes_is_computed_when_a_checkpoint_is_saved(tmp_path: Path) -> None:
    checkpoint.save(tiny("attention"), tmp_path, {"kit": "full", "max_notes": 150})
    for path in tmp_path.glob("*.onnx"):
        graph = onnx.load(path, load_external_data=False).graph
        known = {tensor.name for tensor in graph.initializer if not tensor.external_data}
        assert [node.name for node in graph.node if known.issuperset(node.input)] == []


def test_what_the_runtime_joins_is_joined_when_a_checkpoint_is_saved(tmp_path: Path) -> None:
    checkpoint.save(tiny("transformer"), tmp_path, {"kit": "full", "max_notes": 150})
    kinds = {
        path.stem: Counter(node.op_type for node in onnx.load(path, load_external_data=False).graph.node)
        for path in tmp_path.glob("*.onnx")
    }
    assert kinds["feel"]["FusedMatMul"] == 2 and kinds["feel"]["MatMul"] == 0
    assert kinds["decode_bar"]["SkipLayerNormalization"] == 1
    assert sum(of_graph["FusedConv"] for of_graph in kinds.values()) > 0


def test_a_checkpoint_says_on_a_card_what_it_was_trained_on(tmp_path: Path) -> None:
    data = [{"folder": "jazz", "origin": "the attic; CC0", "train": 7, "validation": 1, "test": 2}]
    about = {"kit": "full", "max_notes": 150, "data": data, "command": "seq2drum --mode train", "recipe": {"seed": 3}}
    about["progress"] = {"bars": 9, "validation": {"nats_per_bar": 6.4, "nats_per_bar_given_the_groove": 4.8}}
    checkpoint.save(tiny("lstm"), tmp_path, about)
    card = (tmp_path / "card.md").read_text()
    for words in ("`lstm`", "| jazz | the attic; CC0 | 7 | 1 | 2 |", "`seq2drum --mode train`", "| seed | 3 |"):
        assert words in card
    for words in ("| nats a bar, unseen songs | 6.40 |", "| given the groove of the section | 4.80 |"):
        assert words in card


@pytest.mark.parametrize("name", ONE_FAST)
def test_a_model_trained_before_a_style_was_added_is_played_without_it_and_one_of_a_later_version_refused(
    name: str, tmp_path: Path
) -> None:
    about = {"kit": "full", "max_notes": 150}
    checkpoint.save(tiny(name, asked=CONDITIONS.size - 1), tmp_path / "before", about)
    checkpoint.save(tiny(name, asked=CONDITIONS.size + 1), tmp_path / "later", about)
    before, guitar_grid = engine.load(tmp_path / "before"), made_song(3).guitar_grid
    heard = features(guitar_grid)

    def encoded(style: str | None) -> list[list[float]]:
        asked = of_controls(Controls(style=style, intensity=0.5), len(guitar_grid.form.steps))
        arrays = before.resolve(before.encode(heard, guitar_grid.form, asked, 0, 2))
        return [array.ravel().tolist() for array in arrays.values()]

    assert encoded(STYLES[-1]) == encoded(None) != encoded(STYLES[-2])
    with pytest.raises(CheckpointError, match=f"has {CONDITIONS.size + 1} conditions, where this version has"):
        engine.load(tmp_path / "later")


def test_an_unknown_family_is_named_beside_the_known_ones() -> None:
    with pytest.raises(UnknownModelError, match=f"no model family 'gan'; there are {', '.join(FAMILIES)}"):
        family("gan")


def test_a_file_that_was_changed_after_the_checkpoint_was_made_is_refused_by_name(tmp_path: Path) -> None:
    checkpoint.save(tiny("lstm"), tmp_path, {"kit": "full", "max_notes": 150})
    assert verify(tmp_path)
    weights = tmp_path / WEIGHTS
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1  # one bit of one weight
    weights.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"weights\.safetensors.*SHA-256"):
        engine.load(tmp_path)
    (tmp_path / SUMS).unlink()  # as checkpoints were before
    assert not verify(tmp_path)
    assert engine.load(tmp_path)
    (tmp_path / SUMS).write_text("nothing of the kind\n")
    with pytest.raises(CheckpointError, match="SHA"):
        engine.load(tmp_path)


def test_the_shipped_model_has_the_digests_of_its_checkpoint() -> None:
    assert verify(find(DEFAULT))


@pytest.mark.parametrize("damage", ["config.json", "weights.safetensors", "decode_bar.onnx", "format"])
def test_a_damaged_checkpoint_is_refused_with_the_name_of_the_damaged_file(damage: str, tmp_path: Path) -> None:
    checkpoint.save(tiny("lstm"), tmp_path, {"kit": "full", "max_notes": 150})
    if damage == "format":
        config = tmp_path / "config.json"
        config.write_text(config.read_text().replace('"format": 6', '"format": 99'))
    else:
        path = tmp_path / damage
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError):
        engine.load(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("older", engine.OLDER_GRAPHS)
def test_a_checkpoint_of_the_format_before_kinds_is_refused_with_the_command_after_which_it_plays_the_same(
    older: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    about = {"kit": "full", "max_notes": 150, "recipe": {"seed": 3}}
    about["progress"] = {"bars": 7, "training": {"nats_per_bar": 5.0}, "validation": {"nats_per_bar": 6.0}}
    model = tiny("attention", groove=False)
    with torch.no_grad():
        model.heads.hits.bias += 3
    checkpoint.save(model, tmp_path, about)
    guitar_grid = made_song(3).guitar_grid

    def hits() -> list[list[int]]:
        return [bar.hits.step.tolist() for bar in play(engine.load(tmp_path), guitar_grid, Sampling(seed=5))]

    before, now = hits(), read_config(tmp_path)
    # As it was: no kind, no grooves, a plan instead of a recipe, flat progress, a graph of single steps.
    old = {name: value for name, value in now.items() if name not in ("kind", "recipe")} | {"format": 2}
    old |= {"plan": {"seed": 3}, "progress": {"bars": 7, "nats": 5.0, "validation": 6.0}}
    old["config"] = {name: size for name, size in old["config"].items() if name != "groove"}
    (tmp_path / CONFIG).write_text(json.dumps(old))
    (tmp_path / "decode_bar.onnx").rename(tmp_path / older)
    (tmp_path / SUMS).unlink()
    upgraded = read_config(tmp_path)
    assert upgraded == now and next(iter(upgraded)) == "kind"
    with pytest.raises(CheckpointError, match=r"graphs again with python -m seq2drum\.models\.checkpoint") as refused:
        hits()
    monkeypatch.setattr(sys, "argv", str(refused.value).rpartition(" -m ")[2].split())
    assert checkpoint.main() == 0
    assert str(tmp_path) in capsys.readouterr().out
    assert verify(tmp_path) and not (tmp_path / older).exists()
    assert hits() == before and any(before)
    assert checkpoint.load(tmp_path)[0].state_dict().keys() == model.state_dict().keys()


def test_a_folder_that_is_no_checkpoint_is_not_written_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["checkpoint", str(tmp_path)])
    assert checkpoint.main() == 2
    assert "there is no model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "generator"}, "it is of the kind 'generator', wanted 'accompanist'"),
        ({"kind": "generator", "format": 2}, "it is of the kind 'generator', wanted 'accompanist'"),
        ({"format": 7}, "it is of the format 7, wanted 6"),
        ({"format": 1}, "it is of the format 1, wanted 6; train it again"),
        ({"format": None}, "it is of the format None, wanted 6"),
    ],
)
def test_a_checkpoint_of_another_kind_or_format_is_refused(
    changes: dict[str, Any], message: str, tmp_path: Path
) -> None:
    checkpoint.save(tiny("lstm"), tmp_path, {"kit": "full", "max_notes": 150})
    about = json.loads((tmp_path / CONFIG).read_text())
    (tmp_path / CONFIG).write_text(json.dumps(about | changes))
    for load in (engine.load, checkpoint.load):
        with pytest.raises(CheckpointError, match=message):
            load(tmp_path)


def test_a_memory_of_the_same_guitar_bar_can_be_found_however_far_back() -> None:
    """The weights of attention reach every earlier bar of the song, not only those of the pair."""
    model = tiny("attention")
    queries, keys = torch.randn(1, 1, 2 * 16), torch.randn(1, 90, 2 * 16)
    keys[0, 3] = queries[0, 0] * 20
    weights = model.weights(queries, keys, torch.arange(90, 0, -1)[None, None], torch.zeros(1, 1))
    assert weights.shape == (1, 2, 1, 1 + 90)  # the groove comes first
    assert int(weights[0, 0, 0].argmax()) == 1 + 3


def test_the_contributors_table_of_graphs_has_the_inputs_and_outputs_that_the_families_have() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert [name for name in re.findall(r"`base\.(\w+)`", text) if not hasattr(base, name)] == []
    table = re.search(r"\n( *\| graph \|.*?)\n\n", text, flags=re.DOTALL).group(1)
    rows = [_names(line) for line in table.splitlines()[2:]]
    takes, gives = ({graph: set(cells[at]) for (graph, *_), *cells in rows} for at in (0, 1))
    used: dict[str, set[str]] = {graph: set() for graph in takes}
    for name in FAMILIES:
        graphs = tiny(name).graphs()
        encoded = set(graphs["encode"].outputs)
        for graph, one in graphs.items():
            used[graph] |= set(one.inputs) | set(one.outputs)
            assert set(one.inputs) - (encoded if graph == "bar" else set()) <= takes[graph], (name, graph)
            assert graph == "encode" or set(one.outputs) <= gives[graph], (name, graph)
    beside = {graph: (takes[graph] | gives[graph]) - used[graph] for graph in used}
    assert {graph: names for graph, names in beside.items() if names} == {
        "encode": {"bar"},  # whose inputs it gives
        "bar": {"encode", "feel"},  # whose outputs it takes, and which takes of its own
    }


def _names(line: str) -> list[list[str]]:
    """The code of each cell of a row, but for functions of `base`."""
    return [re.findall(r"`(\w+)`", cell) for cell in line.strip().strip("|").split("|")]
