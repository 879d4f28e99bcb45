"""Checkpoints that a stranger made: refused by name, whatever is in their files; and who vouched for them."""

from __future__ import annotations

import json
import math
import os
import shutil
import stat
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum.cli import signing as command
from seq2drum.errors import CheckpointError, InputError, OutputError, UnknownModelError
from seq2drum.play.arrange.arranger import Arranger
from seq2drum.play.checkpoint import signing
from seq2drum.play.checkpoint.folder import CONFIG, MOST_SUMS, SUMS, WEIGHTS, digests
from seq2drum.play.checkpoint.runtime import MOST_FILE, MOST_JSON, check_graph, places, read_bytes, read_json
from seq2drum.play.decode import engine
from seq2drum.play.drummer import Drummer
from seq2drum.play.feel.feel import ABOUT, Feel
from seq2drum.play.generators.composer import Composer
from seq2drum.play.generators.loops import LoopMaker
from seq2drum.play.grooves.ranker import Ranker
from server import lifecycle, player
from server.settings import Settings
from tests.conftest import ROOT, some

SHIPPED = ROOT / "seq2drum" / "checkpoints"
LOADERS: dict[str, Callable[[Path], Any]] = {
    "default": engine.load,
    "feel": Feel.load,
    "ranker": Ranker.load,
    "arranger": Arranger.load,
    "loop": LoopMaker.load,
    **dict.fromkeys(("step", "words", "bar", "phrase"), lambda folder: Composer.load(str(folder))),
}
KIND = pytest.mark.parametrize("kind", LOADERS)
DEEP = "[" * 100_000


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[str], Path]:
    """A copy of a shipped checkpoint, without its digests: as if it were made anew."""

    def copy(kind: str) -> Path:
        folder = tmp_path / kind
        shutil.copytree(SHIPPED / kind, folder)
        (folder / SUMS).unlink()
        return folder

    return copy


@pytest.mark.parametrize("graph", ["plan", "encode", "bar", "feel"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_model_that_does_not_come_to_numbers_is_refused(graph: str, value: float) -> None:
    model = engine.load("default")
    astray = model.graphs[graph]

    def run(arrays: dict[str, Any]) -> list[Any]:
        first, *others = astray.run(arrays)
        return [np.full_like(first, value), *others]

    drummer = Drummer(replace(model, graphs={**model.graphs, graph: astray._replace(run=run)}))
    with pytest.raises(CheckpointError, match=r"the model 'default' does not come to numbers: .* a lower --rate"):
        drummer.accompany(ROOT / "examples" / "funk.mid")


def about_of(folder: Path) -> Path:
    return folder / (ABOUT if folder.name == "feel" else CONFIG)


def test_json_is_read_up_to_a_size_and_a_depth(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text('{"a": [1]}')
    assert read_json(path) == {"a": [1]}
    for data, wanted in (
        (DEEP.encode(), "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b" " * (MOST_JSON + 1), "more than"),
        (b"\xff", "utf-8"),
        (b"{", "delimiter|property name|Expecting"),
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=wanted):
            read_json(path)


@KIND
def test_a_checkpoint_that_is_nested_too_deeply_is_refused_by_name(kind: str, copied: Callable[[str], Path]) -> None:
    folder = copied(kind)
    about = about_of(folder)
    text = about.read_text().rstrip().removesuffix("}")
    for config in (DEEP, f'{text}, "more": {DEEP}', '{"kind": ' * 100_000):
        about.write_text(config)
        with pytest.raises(CheckpointError, match="nested too deeply"):
            LOADERS[kind](folder)


@pytest.mark.parametrize("header", [DEEP, '{"a":' * 100_000, '{"__metadata__": ' + DEEP, "{}", "[]", "\xff"])
def test_weights_with_an_odd_header_are_refused_by_name(header: str, copied: Callable[[str], Path]) -> None:
    folder = copied("default")
    data = header.encode("latin-1")
    (folder / WEIGHTS).write_bytes(struct.pack("<Q", len(data)) + data)
    with pytest.raises(CheckpointError):
        engine.load(folder)


def odd(value: Any) -> Iterator[Any]:
    """The value with one thing in it at a time that should not be there."""
    strange = (None, -1, 1e999, "x", [], {}, [[[]]], 10**30, True)
    yield from (one for one in strange if one != value)
    if isinstance(value, dict):
        for name in value:
            yield {other: held for other, held in value.items() if other != name}
            yield from ({**value, name: one} for one in odd(value[name]))
    elif isinstance(value, list) and value:
        yield from ([one, *value[1:]] for one in odd(value[0]))


@pytest.mark.slow
@KIND
def test_a_checkpoint_that_says_odd_things_of_itself_is_refused_or_taken(
    kind: str, copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copied(kind)
    about = about_of(folder)
    changes = list(odd(json.loads(about.read_text())))
    monkeypatch.setattr(engine, "session", _unread)
    for module in ("feel.feel", "grooves.ranker", "generators.loops", "generators.drawing"):
        monkeypatch.setattr(f"seq2drum.play.{module}.session", _unread)
    refused = 0
    for change in some(changes, max(1, len(changes) // 400)):
        about.write_text(json.dumps(change))
        try:
            LOADERS[kind](folder)
        except CheckpointError:
            refused += 1
    assert refused


def _unread(*_: Any, **__: Any) -> Any:
    raise CheckpointError("as far as the graphs it was understood")


# --- graphs -----------------------------------------------------------------------------------------------------------


def test_the_shipped_graphs_have_their_weights_where_the_digests_are() -> None:
    found = {path: places(path.read_bytes()) for path in SHIPPED.glob("*/*.onnx")}
    assert {path.parent.name for path, names in found.items() if names} == {"default", "live"}
    assert {name for names in found.values() for name in names} == {WEIGHTS}


def test_weights_outside_a_graph_are_found_wherever_onnx_may_have_them() -> None:
    onnx = pytest.importorskip("onnx", reason="makes the graphs")

    def tensor(name: str) -> Any:
        made = onnx.TensorProto(name=name, dims=[1], data_type=1, data_location=onnx.TensorProto.EXTERNAL)
        for key, value in (("offset", "0"), ("location", name), ("length", "4")):
            made.external_data.add(key=key, value=value)
        return made

    sparse = onnx.SparseTensorProto(values=tensor("sparse values"), indices=tensor("sparse indices"))
    inner = onnx.GraphProto(name="inner", initializer=[tensor("in a branch")])
    attributes = [
        onnx.AttributeProto(name="t", t=tensor("attribute")),
        onnx.AttributeProto(name="ts", tensors=[tensor("attributes")]),
        onnx.AttributeProto(name="g", g=inner),
        onnx.AttributeProto(name="gs", graphs=[onnx.GraphProto(initializer=[tensor("in branches")])]),
        onnx.AttributeProto(name="s", sparse_tensor=sparse, sparse_tensors=[sparse], floats=[1.0] * 9, i=1 << 60),
    ]
    function = onnx.FunctionProto(
        node=[onnx.NodeProto(attribute=[onnx.AttributeProto(name="t", t=tensor("in a function"))])],
        attribute_proto=[onnx.AttributeProto(name="d", t=tensor("default"))],
    )
    model = onnx.ModelProto(
        graph=onnx.GraphProto(
            node=[onnx.NodeProto(attribute=attributes)], initializer=[tensor("../plain")], sparse_initializer=[sparse]
        ),
        functions=[function],
        training_info=[onnx.TrainingInfoProto(algorithm=onnx.GraphProto(initializer=[tensor("/training")]))],
    )
    data = model.SerializeToString()
    assert places(data) == {
        *("sparse values", "sparse indices", "in a branch", "attribute", "attributes", "in branches"),
        *("in a function", "default", "../plain", "/training"),
    }
    for cut in range(1, len(data), 7):  # cut off anywhere, it is refused or says less
        try:
            assert places(data[:cut]) <= places(data)
        except ValueError as error:
            assert str(error)


@pytest.mark.parametrize("place", ["extra.bin", "../extra.bin", "sub/../extra.bin", "{outside}", "config.json"])
@pytest.mark.parametrize("graph", ["default/encode", "step/step"])
def test_a_graph_that_wants_weights_from_any_other_file_is_refused(
    place: str, graph: str, copied: Callable[[str], Path]
) -> None:
    onnx = pytest.importorskip("onnx", reason="makes the graphs")
    kind, _, stem = graph.partition("/")
    folder, graph = copied(kind), f"{stem}.onnx"
    (folder / "sub").mkdir()
    name = place.format(outside=folder.parent / "extra.bin")
    model = onnx.load(str(folder / graph), load_external_data=False)
    tensor = max(model.graph.initializer, key=lambda one: len(one.raw_data) or len(one.external_data))
    data = tensor.raw_data or bytes(4 * 1_000_000)
    for file in (folder / "extra.bin", folder.parent / "extra.bin"):
        file.write_bytes(data)
    tensor.ClearField("raw_data")
    tensor.ClearField("external_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value=name)
    (folder / graph).write_bytes(model.SerializeToString())
    (folder / SUMS).write_text("".join(f"{sums}  {file}\n" for file, sums in digests(folder, _files(kind)).items()))
    with pytest.raises(CheckpointError, match="it wants weights from"):
        LOADERS[kind](folder)


def _files(kind: str) -> list[str]:
    return sorted(path.name for path in (SHIPPED / kind).iterdir() if path.name not in (SUMS, "card.md"))


def test_a_feel_whose_files_changed_is_refused(copied: Callable[[str], Path]) -> None:
    folder = copied("feel")
    shutil.copy(SHIPPED / "feel" / SUMS, folder)
    assert Feel.load(folder)
    with (folder / "feel.json").open("a") as file:
        file.write("\n")
    with pytest.raises(CheckpointError, match="its SHA-256 differs"):
        LOADERS["feel"](folder)


def _operator(name: str, *constants: Any, **attributes: Any) -> list[Any]:
    """The nodes of a graph that asks one operator, of constants of whole numbers."""
    import onnx

    made = [
        onnx.helper.make_node("Constant", [], [f"c{at}"], value=onnx.helper.make_tensor(f"t{at}", 7, shape, values))
        for at, (shape, values) in enumerate(constants)
    ]
    return [*made, onnx.helper.make_node(name, [f"c{at}" for at in range(len(constants))], ["out"], **attributes)]


def _loop() -> list[Any]:
    import onnx

    value = onnx.helper.make_tensor_value_info
    body = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["go"], ["on"])],
        "body",
        [value("turn", 7, []), value("go", 9, [])],
        [value("on", 9, [])],
    )
    return _operator("Loop", ([], [1 << 62]), body=body)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        (_loop, r"it has a loop \(Loop\)"),
        (lambda: _operator("ConstantOfShape", ([2], [200_000, 200_000])), "a tensor of 40,000,000,000 numbers"),
        (lambda: _operator("Expand", ([], [1]), ([1], [40 << 30])), "a tensor of 42,949,672,960 numbers"),
        (lambda: _operator("Range", ([], [0]), ([], [40 << 30]), ([], [1])), "a tensor of 42,949,672,960 numbers"),
        (lambda: _operator("RandomNormal", shape=[400_000, 100_000]), "a tensor of 40,000,000,000 numbers"),
        (lambda: _operator("Identity", domain="com.example"), "of 'com.example', which is not a standard domain"),
        (lambda: _operator("Inverse", domain="com.microsoft"), "of 'com.microsoft', which is not a standard domain"),
    ],
)
def test_a_graph_that_asks_for_what_no_network_needs_is_refused_before_it_is_made(
    nodes: Callable[[], list[Any]], message: str, copied: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx = pytest.importorskip("onnx", reason="makes the graphs")
    folder = copied("step")
    graph = onnx.helper.make_graph(nodes(), "graph", [], [onnx.helper.make_tensor_value_info("out", 1, None)])
    (folder / "step.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    monkeypatch.setattr("seq2drum.play.checkpoint.runtime.runtime", lambda: pytest.fail("it is given to the runtime"))
    with pytest.raises(CheckpointError, match=rf"step\.onnx' cannot be used: .*{message}"):
        LOADERS["step"](folder)


def test_a_graph_that_declares_a_large_tensor_or_operators_of_its_own_is_refused() -> None:
    onnx = pytest.importorskip("onnx", reason="makes the graphs")
    large = onnx.TensorProto(name="w", dims=[200_000, 200_000], data_type=1)
    declared = onnx.helper.make_tensor_value_info("x", 1, [200_000, "batch", 200_000])
    for graph in (onnx.GraphProto(initializer=[large]), onnx.GraphProto(value_info=[declared])):
        with pytest.raises(ValueError, match="a tensor of 40,000,000,000 numbers"):
            check_graph(onnx.ModelProto(graph=graph).SerializeToString())
    inner = onnx.GraphProto(node=[onnx.NodeProto(op_type="Scan")])
    for _ in range(3):
        branch = onnx.AttributeProto(name="then_branch", g=inner)
        inner = onnx.GraphProto(node=[onnx.NodeProto(op_type="If", attribute=[branch])])
    with pytest.raises(ValueError, match="Scan"):
        check_graph(onnx.ModelProto(graph=inner).SerializeToString())
    with pytest.raises(ValueError, match="custom operators"):
        check_graph(onnx.ModelProto(functions=[onnx.FunctionProto(name="f")]).SerializeToString())


# --- what is no file --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes in folders here")
@pytest.mark.parametrize("name", [CONFIG, SUMS, WEIGHTS, "encode.onnx"])
@pytest.mark.parametrize("kind", ["link", "pipe"])
def test_a_link_or_a_pipe_in_a_checkpoint_is_not_opened(name: str, kind: str, copied: Callable[[str], Path]) -> None:
    folder = copied("default")
    shutil.copy(SHIPPED / "default" / SUMS, folder)
    if name != SUMS and name != CONFIG:
        (folder / SUMS).unlink()  # else its digests would be looked at first
    (folder / name).unlink()
    if kind == "link":
        (folder / name).symlink_to(SHIPPED / "default" / name)
    else:
        os.mkfifo(folder / name)
    with pytest.raises((CheckpointError, UnknownModelError), match=r"is a link|is not a plain file|there is no model"):
        engine.load(folder)


@pytest.mark.parametrize(("name", "most"), [(SUMS, MOST_SUMS), ("encode.onnx", MOST_FILE), (WEIGHTS, MOST_FILE)])
def test_a_file_of_a_checkpoint_is_read_up_to_a_size(name: str, most: int, copied: Callable[[str], Path]) -> None:
    folder = copied("default")
    with (folder / name).open("wb") as file:
        file.truncate(160 << 30)  # takes no place on the disk
    with pytest.raises(CheckpointError, match=rf"has more than {most:,} bytes"):
        engine.load(folder)


def test_a_small_file_of_a_checkpoint_takes_little_memory_to_read(tmp_path: Path) -> None:
    (path := tmp_path / "small").write_bytes(b"small")
    tracemalloc.start()
    try:
        assert read_bytes(path) == b"small"
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_the_digests_that_are_signed_are_read_up_to_a_size(tmp_path: Path) -> None:
    with (tmp_path / SUMS).open("wb") as file:
        file.truncate(160 << 30)
    with pytest.raises(CheckpointError, match=rf"has more than {MOST_SUMS:,} bytes"):
        signing.listed(tmp_path)


# --- signatures: who vouched for the digests, and what is refused -----------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pytest.importorskip("cryptography", reason="signs: pip install 'seq2drum[sign]'")
    place = tmp_path / "run" / "best"
    shutil.copytree(ROOT / "seq2drum" / "checkpoints" / "step", place)
    return place


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """Two private keys."""
    pytest.importorskip("cryptography", reason="signs: pip install 'seq2drum[sign]'")
    for name in ("mine", "other"):
        signing.make_key(tmp_path / name)
    return tmp_path / "mine", tmp_path / "other"


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def test_a_signature_names_the_key_and_holds_for_no_other_digests(folder: Path, keys: tuple[Path, Path]) -> None:
    mine, other = keys
    with pytest.raises(CheckpointError, match="is not signed"):
        signing.check(folder, [public(mine)])
    signing.sign(folder, mine)
    assert signing.check(folder, [public(other), public(mine)]) == public(mine)
    with pytest.raises(CheckpointError, match="by none of the trusted keys"):
        signing.check(folder, [public(other)])
    (folder / SUMS).write_text((folder / SUMS).read_text() + "\n")
    with pytest.raises(CheckpointError, match="or was changed since"):
        signing.check(folder, [public(mine)])
    for damaged in (b"", b"\xff", b"AAAA", b"=" * 9):
        (folder / signing.SIGNATURE).write_bytes(damaged)
        with pytest.raises(CheckpointError, match="by none of the trusted keys"):
            signing.check(folder, [public(mine)])


def test_a_private_key_is_for_its_owner_and_never_written_over(keys: tuple[Path, Path]) -> None:
    assert stat.S_IMODE(keys[0].stat().st_mode) & 0o077 == 0
    with pytest.raises(OutputError, match="cannot be written"):
        signing.make_key(keys[0])


def test_what_is_no_key_is_refused_by_name(folder: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(b"no key")
    for key in (tmp_path / "odd", public(keys[0]), tmp_path / "nowhere"):
        with pytest.raises(InputError, match="wanted a private key"):
            signing.sign(folder, key)
    for key in (tmp_path / "odd", keys[0]):
        with pytest.raises(InputError, match="wanted a public key"):
            signing.check(folder, [key])


def test_the_command_makes_a_key_signs_and_checks(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, run = str(tmp_path / "team"), str(folder.parent)
    assert command.main(["key", key]) == 0
    assert command.main(["check", run, f"{key}.pub"]) == 2
    assert command.main(["sign", run, key]) == 0
    assert command.main(["check", run, f"{key}.pub"]) == 0
    capsys.readouterr()
    with (folder / "step.onnx").open("ab") as file:
        file.write(b"x")
    assert command.main(["check", run, f"{key}.pub"]) == 2
    assert "its SHA-256 differs" in capsys.readouterr().err
    assert command.main(["burn"]) == command.main([]) == command.main(["sign", run]) == 2
    assert command.main(["sign", str(tmp_path / "nothing"), key]) == 2


def test_a_server_that_trusts_a_key_takes_models_that_it_signed_and_shipped_ones(
    tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    folder = tmp_path / "mine-model"
    shutil.copytree(ROOT / "seq2drum" / "checkpoints" / "default", folder)
    key = str(public(keys[0]))
    player.check_signed("default", key)
    player.check_signed(str(folder), "")
    with pytest.raises(CheckpointError, match="is not signed"):
        player.check_signed(str(folder), key)
    chosen = Settings(models={"mine": str(folder), "default": "default"})
    assert lifecycle.unsigned_models(chosen) == ["mine"]
    signing.sign(folder, keys[0])
    player.check_signed(str(folder), key)
    assert lifecycle.unsigned_models(chosen) == []
    with pytest.raises(CheckpointError, match="none of the trusted"):
        player.check_signed(str(folder), str(public(keys[1])))


def test_both_sides_call_the_signature_the_same() -> None:
    assert lifecycle.SIGNATURE == signing.SIGNATURE
