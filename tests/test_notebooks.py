"""The notebooks run, are made of their scripts, and keep only the outputs of tagged cells."""

from __future__ import annotations

import ast
import base64
import getpass
import importlib.util
import io
import json
import os
import re
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

NOTEBOOKS = ROOT / "notebooks"
SECONDS = 400  # for a notebook on a slow and busy core; half a minute is what is aimed at
NAMED = {"_replace", "_fields", "_asdict"}  # public methods of named tuples, despite the underscore
IMPORTS = {"seq2drum", "client", "numpy", "torch", "matplotlib", "IPython"} | sys.stdlib_module_names
SHORT = {"SEQ2DRUM_BATCHES": "200"}  # what a notebook trains a model on, in place of minutes


def _module(name: str) -> Any:
    spec = importlib.util.spec_from_file_location(name, NOTEBOOKS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


sync = _module("sync")
SCRIPTS = [pytest.param(path, id=path.stem) for path in sync.scripts()]


def _kept(script: Path) -> list[dict[str, Any]]:
    notebook = json.loads(script.with_suffix(".ipynb").read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell.get("outputs")]


def test_there_are_notebooks_and_each_is_a_pair() -> None:
    assert SCRIPTS
    assert {path.stem for path in sync.scripts()} == {path.stem for path in NOTEBOOKS.glob("*.ipynb")}
    table = (NOTEBOOKS / "README.md").read_text(encoding="utf-8")
    assert [path.stem for path in sync.scripts() if f"| `{path.stem}` |" not in table] == []


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS)
def test_a_notebook_runs_in_time_and_is_made_of_its_script(script: Path) -> None:
    if "torchtext" in script.read_text(encoding="utf-8"):
        pytest.importorskip("torchtext", reason="needs torchtext 0.6: pip install 'seq2drum[torchtext]'")
    before = script.with_suffix(".ipynb").read_bytes()
    checked(script.stem)
    assert script.with_suffix(".ipynb").read_bytes() == before


def checked(name: str, **more: str) -> None:
    command = [sys.executable, str(NOTEBOOKS / "sync.py"), "--check", name, "--seconds", str(SECONDS)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": "", **SHORT, **more}
    done = subprocess.run(
        command, timeout=SECONDS, capture_output=True, text=True, check=False, env=environment, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]


@pytest.mark.slow
def test_what_is_claimed_of_jazz_holds_for_real_jazz(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip("torchtext", reason="needs torchtext 0.6: pip install 'seq2drum[torchtext]'")
    packed = corpus / "jazz.tar.xz"
    if not packed.is_file():
        pytest.skip("needs the jazz of the corpus")
    with tarfile.open(packed) as archive:
        songs = [member for member in archive.getmembers() if member.name.endswith(".mid")]
        archive.extractall(tmp_path, songs[:32], filter="data")
    checked("from_jazz_to_drums", SEQ2DRUM_JAZZ=str(tmp_path), SEQ2DRUM_BATCHES="200")


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_notebook_has_the_cells_of_its_script(script: Path) -> None:
    import nbformat

    written = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    assert sync.same_cells(sync.read(script), written), f"run python notebooks/sync.py {script.stem}"


@pytest.mark.parametrize("script", SCRIPTS)
def test_outputs_are_kept_of_tagged_cells_only_and_are_small(script: Path) -> None:
    for cell in _kept(script):
        assert "keep-output" in cell["metadata"]["tags"]
        assert all(output["output_type"] in ("display_data", "execute_result", "stream") for output in cell["outputs"])
    assert len(script.with_suffix(".ipynb").read_bytes()) <= sync.MOST_BYTES


@pytest.mark.parametrize("script", SCRIPTS)
def test_kept_outputs_contain_nothing_of_the_machine_they_were_made_on(script: Path) -> None:
    kept = json.dumps(_kept(script))
    words = {str(ROOT), str(Path.home()), str(Path(sys.prefix))} - {"/"}
    assert [word for word in words if word in kept] == []
    assert not re.search(r"/(home|Users|tmp|work|root)/|[A-Z]:\\\\Users|0x[0-9a-f]{8}|Warning:", kept)
    assert f"{getpass.getuser()}@" not in kept


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_notebook_uses_what_anyone_may_use_and_defines_no_model(script: Path) -> None:
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            assert name.split(".")[0] in IMPORTS, f"{script.name} imports {name}"
            assert not any(word.startswith("_") for word in name.split(".")), f"{script.name} imports {name}"
        assert not isinstance(node, ast.ClassDef), f"{script.name} defines {getattr(node, 'name', '')}"
        if isinstance(node, ast.Attribute):
            assert not node.attr.startswith("_") or node.attr in NAMED, f"{script.name} reaches for {node.attr}"


def test_notebooks_with_different_cells_are_unequal() -> None:
    one = sync.read(sync.scripts()[0])
    other = sync.read(sync.scripts()[0])
    assert sync.same_cells(one, other)
    other.cells[-1].source += "\n1"
    assert not sync.same_cells(one, other)


def test_stripping_leaves_tagged_outputs_without_numbers_warnings_and_names_of_objects() -> None:
    import nbformat

    data = {"text/html": "<b>fact</b>", "text/plain": "<Figure at 0x7f00>"}
    outputs = [
        nbformat.v4.new_output("stream", name="stderr", text="UserWarning: hot"),
        nbformat.v4.new_output("execute_result", data=data, execution_count=3),
    ]
    cells = [nbformat.v4.new_code_cell("1", outputs=outputs, execution_count=3) for _ in range(2)]
    cells[1].metadata["tags"] = ["keep-output"]
    notebook = nbformat.v4.new_notebook(cells=cells)
    sync.strip(notebook)
    assert cells[0].outputs == []
    assert [output.data for output in cells[1].outputs] == [{"text/html": "<b>fact</b>"}]
    assert {cell.execution_count for cell in cells} == {None}
    assert cells[1].outputs[0].execution_count is None


def test_outputs_printed_one_after_another_are_kept_as_one() -> None:
    import nbformat

    pieces = [nbformat.v4.new_output("stream", name="stdout", text=f"{line}\n") for line in "ab"]
    shown = nbformat.v4.new_output("display_data", data={"text/html": "<b>fact</b>"})
    last = nbformat.v4.new_output("stream", name="stdout", text="c")
    cell = nbformat.v4.new_code_cell("1", outputs=[*pieces, shown, last], metadata={"tags": ["keep-output"]})
    sync.strip(nbformat.v4.new_notebook(cells=[cell]))
    assert [output.get("text") for output in cell.outputs] == ["a\nb\n", None, "c"]


def test_pictures_that_are_kept_are_made_smaller_and_stay_as_they_look() -> None:
    import nbformat
    from PIL import Image

    def opened(coded: str) -> Any:
        return Image.open(io.BytesIO(base64.b64decode(coded))).convert("RGB")

    picture = Image.linear_gradient("L").convert("RGB")
    out = io.BytesIO()
    picture.save(out, "PNG")
    coded = base64.b64encode(out.getvalue()).decode()
    page = f'<p>before</p><img src="data:image/png;base64,{coded}"><p>after</p>'
    outputs = [nbformat.v4.new_output("display_data", data={"image/png": coded, "text/html": page})]
    cell = nbformat.v4.new_code_cell("1", outputs=outputs, metadata={"tags": ["keep-output"]})
    sync.strip(nbformat.v4.new_notebook(cells=[cell]))
    kept = cell.outputs[0].data
    assert opened(kept["image/png"]).size == picture.size
    assert len(opened(kept["image/png"]).getcolors()) <= sync.COLOURS
    assert kept["text/html"] == page.replace(coded, kept["image/png"])
    one: Any = opened(kept["image/png"]).getpixel((9, 128))
    other: Any = picture.getpixel((9, 128))
    assert abs(one[0] - other[0]) < 8
