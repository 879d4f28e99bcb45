"""A newcomer's way: one command, from the built wheel to the first sound of the page.

The wheel is built, or named with --wheel. Then a browser is opened, and in an empty home and cache one of

    uvx   uvx --from 'WHEEL[page]' seq2drum page
    pip   a new environment, pip install 'WHEEL[page]', seq2drum page

until it opens the page in the browser; there, a click on "Try an example". Measured are

    install and open   from the command until the browser is asked for the page; that includes what the package index
                       takes, unless --again repeats the command with what the first one left
    page shown         from there until the page can be used
    first sound        from the click until the master is not silent

The address is taken from the browser that the system would open; the page's port is any free one.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.harness import Row, figure
from bench.machine import ROOT
from bench.page import LISTEN
from tests.web.browser import Page, chromium, waited

WAYS = ("uvx", "pip")
SECONDS = 600.0  # for the command to open the page: an index can be far away
_PAGE = ("page", "--port", "0")


def built(folder: Path) -> Path:
    """The wheel of these sources, built into a folder."""
    words = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(words, check=True)
    return next(folder.glob("*.whl"))


def environment(home: Path) -> dict[str, str]:
    """That of somebody new: an empty home and cache, and a browser that writes down the address it is given."""
    browser = home / "browser.sh"
    browser.write_text(
        f'#!/bin/sh\nprintf %s "$1" > "{home}/address.new" && mv "{home}/address.new" "{home}/address"\n'
    )
    browser.chmod(0o755)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL", "SEQ2DRUM"))}
    own = {"HOME": home, "XDG_CACHE_HOME": home / "cache", "XDG_STATE_HOME": home / "state", "BROWSER": browser}
    return kept | {name: str(path) for name, path in own.items()} | {"UV_CACHE_DIR": str(home / "uv")}


def commands(way: str, wheel: Path, home: Path) -> list[list[str]]:
    """The words of a way's commands, one after the other; the last one serves the page."""
    wanted = f"{wheel}[page]"
    if way == "uvx":
        program = shutil.which("uvx") or str(Path(sys.executable).with_name("uvx"))
        return [[program, "--quiet", "--python", sys.executable, "--from", wanted, "seq2drum", *_PAGE]]
    programs = home / "venv" / "bin"
    return [[str(programs / "pip"), "install", "--quiet", wanted], [str(programs / "seq2drum"), *_PAGE]]


@contextmanager
def served(words: Sequence[Sequence[str]], home: Path, given: Mapping[str, str]) -> Iterator[str]:
    """Run commands until the browser is asked for a page; gives its address, and ends the last command."""
    *before, last = words
    for command in before:
        subprocess.run(command, cwd=home, env=given, check=True)
    server = subprocess.Popen(last, cwd=home, env=given, stdout=subprocess.DEVNULL)
    address = home / "address"
    try:

        def opened() -> bool:
            if server.poll() is not None:
                raise RuntimeError(f"{' '.join(last)} ended with {server.returncode}")
            return address.exists()

        waited(opened, "the page is opened", SECONDS)
        yield address.read_text()
        address.unlink()
    finally:
        server.terminate()
        server.wait()


def measure(way: str, wheel: Path, again: bool) -> Iterator[Row]:
    """The figures of a way, and with `again` those of a second time."""
    with tempfile.TemporaryDirectory() as place, chromium(Path(place)) as driver:
        home = Path(place) / "home"
        home.mkdir()
        given = environment(home)
        for which in (way, f"{way}, again")[: 1 + again]:
            begun = time.monotonic()
            if way == "pip" and not (home / "venv").exists():
                venv.create(home / "venv", with_pip=True)
            words = commands(way, wheel, home)
            with served(words if which == way else words[-1:], home, given) as address:
                asked = time.monotonic()
                page = Page(driver, address, Path(place)).open()
                page.until("document.querySelector('#example') && true")
                shown = time.monotonic()
                page.run(LISTEN)
                page.run("window.droppedAt = performance.now(); document.querySelector('#example').click();")
                heard = page.until("window.heardAt") / 1000
                page.run("seq2drum.app.sound.stop();")
                page.forget()
            yield figure(f"{which}: install and open", asked - begun, "s")
            yield figure(f"{which}: page shown", shown - asked, "s")
            yield figure(f"{which}: first sound", heard, "s")
            yield figure(f"{which}: in all", shown - begun + heard, "s")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wheel", type=Path, metavar="FILE", help="the wheel (default: one is built)")
    parser.add_argument("--way", nargs="+", choices=WAYS, default=WAYS, help="default: both")
    parser.add_argument("--again", action="store_true", help="a second time, with what the first one left")


def run(options: argparse.Namespace) -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        wheel = (options.wheel or built(Path(folder))).resolve()
        yield figure("the wheel", wheel.stat().st_size / 1e6, "MB", most=25)
        for way in options.way:
            yield from measure(way, wheel, options.again)
