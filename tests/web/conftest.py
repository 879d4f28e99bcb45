"""What tests of the page share: Node and its packages, a server with the page, and a browser without a network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

FOLDER = Path(__file__).parent
PAGE = ROOT / "server" / "web" / "page"
Node = Callable[..., subprocess.CompletedProcess[str]]


def modules(package: str) -> Path:
    """The folder of Node's packages; the test is skipped where this one is not in it."""
    found = Path(os.environ.get("SEQ2DRUM_NODE_MODULES") or FOLDER / "node_modules").resolve()
    if not (found / package).is_dir():
        pytest.skip(f"needs {package}: npm install in tests/web, or SEQ2DRUM_NODE_MODULES=.../node_modules")
    return found


@pytest.fixture(scope="session")
def node() -> Node:
    """Runs Node in the project's folder; the test is skipped where there is none of version 20 or later."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs Node")
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < 20:
        pytest.skip(f"needs Node 20 or later, found {version.strip()}")

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        given = [program, *map(str, words)]
        return subprocess.run(given, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)

    return run
