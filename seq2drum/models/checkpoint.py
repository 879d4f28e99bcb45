"""A checkpoint is a folder: `config.json`, `weights.safetensors`, the graphs that play (`*.onnx`), and a model card.

`SHA256SUMS` has the digests of the files that playing reads.

A checkpoint whose graphs an earlier version wrote is written again, with the same weights, by

    python -m seq2drum.models.checkpoint FOLDER

The weights are stored once: the graphs refer to them by their place in the safetensors file. Nothing is pickled.
This half of the checkpoint needs torch; players read the folder with `seq2drum.play.decode.engine`.
"""

from __future__ import annotations

import argparse
import copy
import json
import struct
import sys
import tempfile
from collections.abc import Container, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import onnx
import torch
from onnx import TensorProto
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from seq2drum.errors import CheckpointError, ModelError
from seq2drum.models.base import Config, Family, write_graph
from seq2drum.models.families import FAMILIES, family
from seq2drum.music.shown import visible
from seq2drum.play.checkpoint.band import TUNED, is_drummer, read_band
from seq2drum.play.checkpoint.folder import CONFIG, FORMAT, KIND, WEIGHTS, find, read_config, seal
from seq2drum.play.checkpoint.runtime import runtime

CARD = "card.md"
_ROWS = 200  # the most sources in a card, because each song may state another licence


def save(model: Family, folder: Path, about: dict[str, Any], *, graphs: bool = True) -> None:
    """Write a checkpoint folder. `about` goes into `config.json` beside the model's family and numbers.

    With `graphs=False` the folder can be trained on but not played; `export` adds the graphs later.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = next(name for name, place in FAMILIES.items() if place == f"{type(model).__module__}:{type(model).__name__}")
    weights = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    # Needed to play, but not parameters: the order of voices, and the state before a song.
    weights["voice_order"] = model.voice_order().detach().cpu().contiguous()
    weights["silence"] = model.silence().detach().cpu().contiguous()
    config = {
        "kind": KIND,
        "format": FORMAT,
        "family": name,
        "unit": model.unit,
        "state": model.state_size,
        "config": model.config.as_dict(),
        **about,
    }
    for stale in folder.glob("*.onnx"):
        stale.unlink()
    save_file(weights, folder / WEIGHTS)
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    # safetensors writes for the owner alone: give this file the mode of the others.
    (folder / WEIGHTS).chmod((folder / CONFIG).stat().st_mode)
    (folder / CARD).write_text(card(config, sum(value.numel() for value in model.parameters())), encoding="utf-8")
    if graphs:
        export(model, folder)
    else:
        seal(folder)


def load(folder: Path, device: torch.device | str = "cpu") -> tuple[Family, dict[str, Any]]:
    """The model of a checkpoint folder, and its `config.json`; of a band's drummer, those of its model, tuned as it is.

    Raises:
        CheckpointError: the folder is not a checkpoint, is damaged, or has another format.
    """
    band, base = read_band(folder) if is_drummer(folder) else (None, folder)
    about = read_config(base)
    try:
        kind = family(about["family"])
        model = kind(kind.config_type(**_completed(kind.config_type, about["config"])))
        weights = load_file(base / WEIGHTS, device=str(device))
        if band is not None and band.is_tuned:
            weights |= load_file(folder / TUNED, device=str(device))
        for derived in ("voice_order", "silence"):
            weights.pop(derived, None)
        model.load_state_dict(weights)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        raise CheckpointError(f"{str(folder)!r} is not a usable checkpoint: {error}") from None
    return model.to(device), about


def _completed(config: type[Config], sizes: Mapping[str, Any]) -> dict[str, Any]:
    """The sizes of a model with those that it was trained without: it hears no band."""
    heard = {"band": 0} if "band" in {item.name for item in fields(config)} else {}
    return {**heard, **sizes}


def export(model: Family, folder: Path) -> None:
    """Write the graphs that play beside the weights they refer to."""
    model = copy.deepcopy(model).cpu().eval()  # the original may be in training
    with torch.no_grad():
        for name, graph in model.graphs().items():
            # torch would also fold weights, which must stay as they are in their file.
            path = folder / f"{name}.onnx"
            write_graph(graph, graph.example(), path, fold=False)
            path.write_bytes(_on_weights(_optimised(onnx.load(path)), folder / WEIGHTS).SerializeToString())
    seal(folder)


def describe(folder: Path, config: Mapping[str, Any], card: str, files: Sequence[str]) -> None:
    """Write the description of a checkpoint beside its graphs: config.json, the card, the digests of files."""
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    (folder / CARD).write_text(card, encoding="utf-8")
    seal(folder, files)


def with_figures(folder: Path, measured: Mapping[str, str]) -> dict[str, Any]:
    """A checkpoint's config with measured figures, by name."""
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    return {**config, "figures": {**config.get("figures", {}), **measured}}


def card(config: Mapping[str, Any], parameters: int) -> str:
    """The model card, from its `config.json`."""
    recipe, progress, machine = (config.get(name, {}) for name in ("recipe", "progress", "machine"))
    validation = progress.get("validation", {})
    lines = [
        f"# Model card: {config['family']}, kit {config.get('kit', '?')}",
        "",
        "It plays drums to a guitar part. It was made by seq2drum; `config.json` beside this page has every number.",
        "",
        "| what | value |",
        "|---|---|",
        f"| family and size | `{config['family']}`, {parameters:,} parameters |",
    ]
    facts = {
        "command": config.get("command") and f"`{config['command']}`",
        "licences": config.get("licences") and f"only songs under these: {config['licences']}",
        "begins with": recipe.get("start") and f"the weights of `{recipe['start']}`, see its card, too",
        "seed": recipe.get("seed"),
        "trained on": machine
        and f"{machine.get('device')}, {machine.get('name')}, {machine.get('processes')} process(es)",
        "time": progress and f"{progress.get('seconds', 0) / 3600:.2f} hours, {progress.get('bars', 0):,} bars",
        "nats a bar, unseen songs": _rounded(validation.get("nats_per_bar")),
        "with another song's guitar": _rounded(validation.get("nats_per_bar_swapped_guitar")),
        "given the groove of the section": _rounded(validation.get("nats_per_bar_given_the_groove")),
        "torch": config.get("torch"),
    }
    lines += [f"| {name} | {_cell(value)} |" for name, value in facts.items() if value not in (None, "", {})]
    if figures := config.get("figures"):
        lines += ["", "## Figures", "", "| what | value | how |", "|---|---|---|"]
        lines += [f"| {row['what']} | {row['value']} | {row['how']} |" for row in figures]
    if notes := config.get("notes"):
        lines += ["", "## Use and limits", "", *notes]
    return "\n".join([*lines, *data_lines(config)]) + "\n"


def data_lines(config: Mapping[str, Any]) -> list[str]:
    """The lines of a card about the songs of its "data", see `prepared.counted`; none without any."""
    data = config.get("data")
    if not data:
        return []
    columns = list(data[0])
    lines = ["", "## Data", "", "Songs by folder and origin (source; licence as far as anyone states one).", ""]
    lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    lines += ["| " + " | ".join(map(_cell, _told(row).values())) + " |" for row in data[:_ROWS]]
    if len(data) > _ROWS:
        lines += ["", f"{len(data) - _ROWS} more rows are in `{CONFIG}`."]
    return [*lines, "", "A model inherits what doubt there is about the licences of the music it was trained on."]


def _told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the data, see `prepared.counted`, with "not stated" in place of empty values."""
    return {name: "not stated" if value == "" else value for name, value in row.items()}


def _cell(value: object) -> str:
    """A value escaped for a table's cell, because licences are foreign text."""
    return " ".join(visible(str(value)).split()).replace("|", "\\|")


def _rounded(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


class _Stored(NamedTuple):
    """A tensor in a file: its shape, and its bytes [begin, end)."""

    shape: list[int]
    begin: int
    end: int


def _stored(file: BinaryIO) -> dict[str, _Stored]:
    """The place of each tensor of a safetensors file: an eight-byte size, a JSON header of that size, the bytes.

    Graphs refer to these offsets, which the safetensors package does not expose.
    """
    (size,) = struct.unpack("<Q", file.read(8))
    header = json.loads(file.read(size))
    places = {}
    for name, entry in header.items():
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            places[name] = _Stored(entry["shape"], 8 + size + begin, 8 + size + end)
    return places


def _optimised(model: onnx.ModelProto) -> onnx.ModelProto:
    """A model as ONNX Runtime simplifies it: constants folded, operators joined. Weights but vectors stay as they are.

    At each start that would take as long as all else. First, matrices are also named as inputs, so that they are not
    constant for the runtime. Then those that are multiplied transposed are joined with that, in place of a second copy:
    later, since what else is joined is found by plain products.
    """
    matrices = [tensor for tensor in model.graph.initializer if len(tensor.dims) > 1]
    return _rewritten(_rewritten(model, "MatmulTransposeFusion", matrices), "ConstantFolding")


def _rewritten(model: onnx.ModelProto, without: str, inputs: Sequence[TensorProto] = ()) -> onnx.ModelProto:
    """A model as ONNX Runtime rewrites it for any processor, without one of its rules. inputs: weights to keep."""
    given = list(model.graph.input)
    for tensor in inputs:
        model.graph.input.append(onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims))
    ort = runtime()
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.log_severity_level = 4  # it warns for each such weight
    with tempfile.TemporaryDirectory() as temporary:
        options.optimized_model_filepath = str(Path(temporary) / "rewritten.onnx")
        ort.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"], disabled_optimizers=[without]
        )
        rewritten = onnx.load(options.optimized_model_filepath)
    del rewritten.graph.input[:]
    rewritten.graph.input.extend(given)
    rewritten.graph.initializer.sort(key=lambda tensor: tensor.name)  # its order varies from run to run
    used = {node.domain for node in rewritten.graph.node}
    kinds = [kind for kind in rewritten.opset_import if kind.domain in used]
    del rewritten.opset_import[:]
    rewritten.opset_import.extend(kinds)
    return rewritten


def _on_weights(model: onnx.ModelProto, weights: Path) -> onnx.ModelProto:
    """The model, changed in place, with weights that refer to the safetensors file."""
    with weights.open("rb") as file:
        places = _stored(file)
    for tensor in model.graph.initializer:
        name = _parameter(tensor.name, places)
        if name is None:
            continue
        _, begin, end = places[name]
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", weights.name), ("offset", begin), ("length", end - begin)):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, str(value)
    return model


def _parameter(name: str, known: Container[str]) -> str | None:
    """The model's name of a graph's weight, without the prefixes of the graph's module."""
    return next((own for own in (name.removeprefix("model."), name) if own in known), None)


def main() -> int:
    """Write checkpoints again; return the exit code."""
    parser = argparse.ArgumentParser(description="Write the graphs and the card of checkpoints again.")
    parser.add_argument("folders", nargs="+", metavar="NAME|DIR", help="models, or folders that --mode train made")
    try:
        for name in parser.parse_args().folders:
            folder = find(name)
            model, about = load(folder)
            save(model, folder, about)
            sys.stdout.write(f"{folder}: written again\n")
    except ModelError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
