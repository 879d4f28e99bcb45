"""A guitarist's session on the page with songs of their own: whether each step works, and its looks.

A real server with the page, and Chromium without a network. With each song, as one who uses the page does it: drop it,
listen, ask a part for half-time, a busier one for another, a fill, a groove out of the search, play some bars again,
lock one, compare takes, leave a piece out, take a step back, download, make a beat and give it to a part, jam with it.
Between the steps the song is listened to, so that all of it takes the given minutes. A step that does not come, or a
complaint of the browser, ends it with an error.

With --pictures, four views of each song are kept at four widths, light and dark, as one sheet for each song and width.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from bench.harness import BenchError, Row, figure
from bench.page import DONE, SESSION, opened
from tests.web.browser import Page, waited

WIDTHS = {390: 844, 820: 1180, 1440: 900, 2560: 1440}
SETTLED = f"!{SESSION}.busy && {SESSION}.settled && {SESSION}.take.midi && true"
BLOCK = "document.querySelectorAll('.block')[given[0] % document.querySelectorAll('.block').length]"
BUSIER = """
const pad = document.querySelector(".pad"), box = pad.getBoundingClientRect();
const at = { clientX: box.right - 12, clientY: box.top + 30, pointerId: 1, bubbles: true };
pad.setPointerCapture = () => {};
for (const kind of ["pointerdown", "pointerup"]) pad.dispatchEvent(new PointerEvent(kind, at));
"""
JAM = """
const data = new DataTransfer(), input = document.querySelector("#jam-file");
data.items.add(seq2drum.song.session.song);
input.files = data.files; input.dispatchEvent(new Event("change"));
while (document.querySelector("#jam-play").disabled) await new Promise((done) => setTimeout(done, 20));
document.querySelector("#jam-play").click();
"""


def _click(page: Page, selector: str) -> None:
    page.run("document.querySelector(given[0]).click();", selector)


def _part(page: Page, number: int) -> None:
    page.run(f"const block = {BLOCK}; if (block.getAttribute('aria-pressed') !== 'true') block.click();", number)


def _groove(page: Page) -> None:
    page.run("const one = document.querySelector('#groove-search'); one.value = 'half-time';"
             "one.dispatchEvent(new Event('input'));")  # fmt: skip
    page.until("document.querySelector('.card:first-child')?.dataset.groove")
    _click(page, ".card:first-child")


def _beat(page: Page) -> None:
    _click(page, "#to-beats")
    _click(page, "#beats-play")
    page.until("document.querySelectorAll('.beat-bar').length > 2")
    page.run("document.querySelector('.chips [data-part]').click();")


def _jam(page: Page) -> None:
    _click(page, "#to-jam")
    page.run(JAM)
    page.until("seq2drum.jam.jamming.bars.length > 2")
    for what in ("fill", "louder", "softer", "section"):
        _click(page, f"#jam-{what}")
    page.until("seq2drum.jam.jamming.bars.length > 5")


def _half_time(page: Page) -> None:
    _part(page, 1)
    _click(page, "#half-time")


def _busier(page: Page) -> None:
    _part(page, 2)
    page.run(BUSIER)


def _no_crash(page: Page) -> None:
    page.run("document.querySelector('[data-drum=crash]').dispatchEvent(new MouseEvent('click'));")
    _click(page, "[data-deed=leaveOut]")


def _leave(page: Page) -> None:
    for button in ("#jam-play", "#to-song", "#leave"):
        _click(page, button)


LOCK = f"{SESSION}.edit((take) => ({{ ...take, locks: [4] }}));"
BACK = f"!document.querySelector('#song').hidden && {SETTLED}"
Step = tuple[str, str, Callable[[Page], object], str]
STEPS: tuple[Step, ...] = (  # in words; the view that is kept, "" for none; what is done; what then holds
    ("half-time in the second part", "", _half_time, SETTLED),
    ("the third part busier", "", _busier, SETTLED),
    ("a fill before the next part", "", lambda page: _click(page, "#fill-before-fill"), SETTLED),
    ("a groove out of the search", "part", _groove, SETTLED),
    ("time on the open hi-hat", "", lambda page: _click(page, "#time-open"), SETTLED),
    ("these bars again", "", lambda page: _click(page, "#again"), SETTLED),
    ("a locked bar", "", lambda page: page.run(LOCK), SETTLED),
    ("another take", "", lambda page: page.press("2"), f"{SESSION}.doc.chosen === 1"),
    ("no crash", "", _no_crash, SETTLED),
    ("a step back", "song", lambda page: _click(page, "#undo"), SETTLED),
    ("a beat for a part", "", _beat, BACK),
    ("a jam", "jam", _jam, "true"),
    ("the next song", "", _leave, f"!{SESSION}.work"),
)


def sitting(page: Page, song: Path, pause: float, keep: Callable[[str], None]) -> Iterator[tuple[str, float]]:
    """Yield each step of a session with a song and the seconds until it was done. pause: of listening, in seconds."""

    def done(name: str, view: str, act: Callable[[], object], holds: str, *given: Any) -> tuple[str, float]:
        begun = time.perf_counter()
        act()
        page.until(holds, *given)
        seconds = time.perf_counter() - begun
        if found := page.complaints():
            raise BenchError(f"{song.name}, {name}: the browser complains: {found[0][:300]}")
        if errors := page.run(
            "return [...document.querySelectorAll('.message.error p')].map((one) => one.textContent);"
        ):
            raise BenchError(f"{song.name}, {name}: the page says: {errors[0]}")
        if view:
            keep(view)
        end = time.monotonic() + pause
        waited(lambda: time.monotonic() > end, "a pause", pause + 10)
        return name, seconds

    yield done("dropped", "song new", lambda: page.find("#file").send_keys(str(song)), DONE, song.name)
    for name, view, act, holds in STEPS:
        yield done(name, view, partial(act, page), holds)


def kept(page: Page, folder: Path, song: Path, view: str) -> None:
    """Keep a view at each width, light and dark, on the sheet of its song and width."""
    from PIL import Image

    for width, height in WIDTHS.items():
        screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        for theme in ("light", "dark"):
            media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
            page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
            page.run("for (let at = 0; at < 14; at++) await new Promise(requestAnimationFrame);")
            shot = Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB")
            path = folder / f"{song.stem}-{width}.png"
            sheet = Image.open(path) if path.is_file() else None
            whole = Image.new("RGB", ((sheet.width if sheet else 0) + width, height))
            if sheet:
                whole.paste(sheet, (0, 0))
            whole.paste(shot, (whole.width - width, 0))
            whole.save(path)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("songs", type=Path, nargs="+", metavar="SONG")
    parser.add_argument("--minutes", type=float, default=10, help="of the whole session, at least (default: 10)")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="keep what it looks like there")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    pause = 60 * options.minutes / len(options.songs) / (len(STEPS) + 1)
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    with opened("--hide-scrollbars") as page:
        for song in options.songs:
            keep = partial(kept, page, options.pictures, song) if options.pictures else lambda _: None
            for name, seconds in sitting(page, song.resolve(), pause, keep):
                yield figure(f"{song.stem[:24]}, {name}", seconds, "s")
