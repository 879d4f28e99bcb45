"""What tests of the page share: Node and its packages, a server with the page, and a browser without a network."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.servers import Process, process
from tests.web.browser import Page, chromium, waited

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


class Site:
    """A server with the page. address: the page's, with the token that lets in."""

    def __init__(self, server: Process) -> None:
        self.server = server
        self.port = server.port()
        server.wait("ready in")
        self.address = str(waited(lambda: json.loads(server.state.read_text())["page"], "the address of the page"))

    @property
    def token(self) -> str:
        """What lets in."""
        return self.address.rpartition("token=")[2]

    @property
    def origin(self) -> str:
        """The address without what is behind it."""
        return self.address.partition("/#")[0]


@contextlib.contextmanager
def site(folder: Path, *options: str, port: int = 0, token: str = "let-this-browser-in") -> Iterator[Site]:
    """A server with the page, as a process of its own."""
    pytest.importorskip("starlette", reason="needs the extra page: pip install 'seq2drum[page]'")
    folder.mkdir(exist_ok=True)
    words = ["--port", "0", "--web-port", str(port), "--engines", "1", *options]
    with process(folder, *words, environ={"SEQ2DRUM_TOKEN": token}) as server:
        yield Site(server)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with the page that all tests share."""
    with site(tmp_path_factory.mktemp("site")) as one:
        yield one


@pytest.fixture(scope="session")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser puts what it downloads."""
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="session")
def driver(downloads: Path) -> Iterator[Any]:
    """A browser that tests share; each has a tab of its own."""
    with chromium(downloads) as opened:
        yield opened


@pytest.fixture
def blank(driver: Any, downloads: Path, served: Site) -> Iterator[Page]:
    """The page, not opened yet, in a tab of its own; the browser knows nothing of it."""
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    page = Page(driver, served.address, downloads)
    page.forget()
    page.requests(), page.complaints()  # those of others
    yield page
    for handle in driver.window_handles:
        if handle != first:
            driver.switch_to.window(handle)
            driver.close()
    driver.switch_to.window(first)


@pytest.fixture
def page(blank: Page) -> Page:
    """The page, open."""
    return blank.open()
