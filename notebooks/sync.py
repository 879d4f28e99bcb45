"""Make the notebooks (.ipynb) from their scripts (.py), by running them: python notebooks/sync.py [NAME ...].

A notebook is written as a script in jupytext's percent format, and that is what is edited. The pair beside it is made
from it. Its outputs are kept only of cells tagged `keep-output`, where a picture teaches. --check writes nothing: it
runs the script, and fails if the notebook beside it has other cells.
"""

from __future__ import annotations

import argparse
import base64
import io
import os
import re
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
KEEP = "keep-output"
SECONDS = 120  # that a notebook may take
COLOURS = 48  # of a picture that is kept
MOST_BYTES = 300_000  # of a notebook: the repository is not a gallery
METADATA = {
    "jupytext": {"formats": "ipynb,py:percent"},
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def scripts() -> list[Path]:
    """The scripts of all notebooks."""
    return sorted(path for path in FOLDER.glob("*.py") if path != Path(__file__).resolve())


def read(script: Path) -> Any:
    """The script as a notebook without outputs. Its cells are named by their number, so that it is always the same."""
    import jupytext

    notebook = jupytext.read(script)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"
    notebook.metadata = dict(METADATA)
    return notebook


def same_cells(one: Any, other: Any) -> bool:
    """Whether two notebooks have the same cells; their outputs do not matter."""
    return _cells(one) == _cells(other)


def _cells(notebook: Any) -> list[tuple[str, str, list[str]]]:
    return [(cell.cell_type, cell.source, sorted(cell.metadata.get("tags", []))) for cell in notebook.cells]


def run(notebook: Any, seconds: int = SECONDS) -> None:
    """Run a notebook's cells, in a Python of its own that lies in this folder; what comes out is put into it.

    Raises:
        nbclient.exceptions.CellExecutionError, CellTimeoutError: a cell failed, or took too long.
    """
    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as empty:  # nobody's start-up files, and no history left behind
        os.environ.update(IPYTHONDIR=empty, JUPYTER_CONFIG_DIR=empty, JUPYTER_RUNTIME_DIR=empty)
        client = NotebookClient(notebook, timeout=seconds, kernel_name="python3", record_timing=False)
        client.extra_arguments = ["--IPKernelApp.log_level=40"]  # errors; it warns of how it talks to itself
        client.execute(cwd=str(FOLDER), env={**os.environ, "PYDEVD_DISABLE_FILE_VALIDATION": "1"})


def strip(notebook: Any) -> None:
    """Leave what teaches: no outputs but those of tagged cells, and of those neither warnings nor names of objects."""
    notebook.metadata = dict(METADATA)  # the machine's versions are nobody's concern
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        cell.execution_count = None
        kept = cell.outputs if KEEP in cell.metadata.get("tags", []) else []
        cell.outputs = _joined([_plain(output) for output in kept if output.get("name") != "stderr"])


def _joined(outputs: list[Any]) -> list[Any]:
    """Outputs in which what is printed in one go is one: it comes in as many pieces as the machine was slow."""
    joined: list[Any] = []
    for output in outputs:
        if joined and output.output_type == joined[-1].output_type == "stream":
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def _plain(output: Any) -> Any:
    if "data" in output:
        if "image/png" in output.data:
            output.data["image/png"] = _small(output.data["image/png"])
        if "text/html" in output.data:
            output.data["text/html"] = re.sub(
                r"(?<=data:image/png;base64,)[\w+/=]+", lambda found: _small(found[0]), output.data["text/html"]
            )
        if len(output.data) > 1:
            output.data.pop("text/plain", None)  # what is shown where pictures cannot be
        output.metadata = {}
    if "execution_count" in output:
        output.execution_count = None
    return output


def _small(coded: str) -> str:
    """A PNG in base64 with as few colours as its drawing needs: a third of its size."""
    from PIL import Image

    picture = Image.open(io.BytesIO(base64.b64decode(coded))).convert("RGB")
    out = io.BytesIO()
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode("ascii")


def text(notebook: Any) -> str:
    """The notebook as a file."""
    import nbformat

    written: str = nbformat.writes(notebook, version=4)
    return re.sub(r"\n*$", "\n", written)


def main() -> int:
    """Run the scripts that are named, all if none is, and write or check their notebooks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="notebooks, without .py; all by default")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a notebook's cells are not these")
    parser.add_argument(
        "--seconds", type=int, default=SECONDS, metavar="N", help="the most a cell may take (%(default)s)"
    )
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of the libraries that run notebooks
    import nbformat

    for script in scripts():
        if options.names and script.stem not in options.names:
            continue
        pair = script.with_suffix(".ipynb")
        notebook = read(script)
        if options.check and not (pair.exists() and same_cells(notebook, nbformat.read(pair, as_version=4))):
            print(f"{pair.name} is not made of {script.name} as it is: run python notebooks/sync.py {script.stem}")
            return 1
        print(f"{script.name} ...", flush=True)
        run(notebook, options.seconds)
        if options.check:
            continue
        strip(notebook)
        written = text(notebook)
        if len(written.encode()) > MOST_BYTES:
            print(f"{pair.name} would have {len(written.encode()):,} bytes, wanted {MOST_BYTES:,}: keep fewer outputs")
            return 1
        pair.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
