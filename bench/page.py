"""Time to the first sound of the page in a browser, its bytes, requests and memory.

A real server with the page, and Chromium without a network. Measured are

    first sound  from the drop of a file of 128 bars until the master is not silent, four songs, the slowest; the bound
                 is 2 seconds
    wishes       from the click of half-time for a part in the middle of such a song until the sound has its first other
                 bar; the bound is 1 second
    bytes        of all files of the page without its sounds, as they lie there and as they are sent; of its sounds
    requests     of a session: a song played, downloaded, the beat machine; and how many went beyond this machine
    violations   what axe-core finds in both views, light and dark (needs its package, see tests/web/package.json)
    memory       of the page's values and of the browser's processes while a song is played round and round, minute by
                 minute; the bound is a tenth more after the last than after the first

With --pictures, nothing is measured: the screenshots of docs/guitarists/page.md are made. With
--components, those of docs/developers/page-components.md: each part of the page in its states, light and dark.
"""

from __future__ import annotations

import argparse
import io
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench.harness import Row, figure
from bench.machine import ROOT
from bench.service import song
from server.web.server import as_sent
from tests.web.browser import Page, chromium, waited
from tests.web.conftest import PAGE, site

SONGS = ("funk", "rock_riff", "blues_shuffle", "jazz_swing")
BARS = 128
SIZES = {"wide": (1440, 900), "tablet": (820, 1180), "phone": (390, 844)}
COLOURS = 256  # of a picture
SESSION = "window.seq2drum?.song?.session"
DONE = f"{SESSION}?.work?.name === given[0] && {SESSION}.take?.midi && !{SESSION}.busy && true"
LISTEN = """
window.heardAt = null; window.droppedAt = null;
addEventListener("drop", () => (window.droppedAt = performance.now()), { capture: true, once: true });
const data = new Float32Array(256);
const timer = setInterval(() => {
  const { tap } = seq2drum.app.sound;
  if (window.droppedAt === null || !tap || !seq2drum.app.sound.playing) return;
  tap.getFloatTimeDomainData(data);
  if (!data.some((sample) => Math.abs(sample) > 0.003)) return;
  window.heardAt = performance.now() - window.droppedAt;
  clearInterval(timer);
}, 4);
"""


@contextmanager
def opened(*flags: str) -> Iterator[Page]:
    """The page in a browser, with its server."""
    with tempfile.TemporaryDirectory() as place:
        folder, downloads = Path(place) / "server", Path(place) / "downloads"
        downloads.mkdir()
        with site(folder, "--drummers", str(folder / "drummers")) as served, chromium(downloads, *flags) as driver:
            page = Page(driver, served.address, downloads).open()
            page.until(f"{SESSION} && true")
            yield page


def first_sounds(page: Page, folder: Path) -> Iterator[tuple[str, float]]:
    """Name and seconds from a drop to the first sound."""
    page.touch("main")  # who drops a file has touched the page
    for name in SONGS:
        path = folder / f"{name}.mid"
        path.write_bytes(song(name, BARS))
        page.run(LISTEN)
        page.drop("main", path)
        yield name, page.until("window.heardAt") / 1000
        page.until(DONE, path.name)
        page.run("seq2drum.app.sound.stop();")


def wished(page: Page) -> float:
    """Return the seconds from a wish for a part in the middle of the song until its first other bar is heard."""
    seconds: float = page.run(
        "const blocks = document.querySelectorAll('.block'), { session } = seq2drum.song;"
        "const block = blocks[blocks.length >> 1], bar = Number(block.dataset.first); block.click();"
        "const told = () => JSON.stringify(session.take.played.filter((hit) => hit.bar === bar + 1));"
        "const before = told(), begun = performance.now(); document.querySelector('#half-time').click();"
        "while (told() === before) await new Promise((done) => setTimeout(done, 4));"
        "const seconds = (performance.now() - begun) / 1000; document.querySelector('#panel-close').click();"
        "seq2drum.app.sound.stop(); return seconds;"
    )
    page.until(f"!{SESSION}.busy && {SESSION}.take.midi && true")
    return seconds


def sizes() -> dict[str, int]:
    """Bytes of the page's files."""
    files = [path for path in PAGE.rglob("*") if path.is_file() and "sounds" not in path.relative_to(PAGE).parts]
    sounds = [path for path in PAGE.rglob("sounds/*") if path.is_file()]
    return {
        "as they lie": sum(path.stat().st_size for path in files),
        "as sent": sum(len(as_sent(path.read_bytes(), path.suffix)) for path in files),
        "sounds": sum(path.stat().st_size for path in sounds),
    }


def requests(page: Page) -> tuple[int, int]:
    """Return the number of requests that a session makes, and how many of them go beyond this machine."""
    page.until("document.querySelectorAll('#messages button').forEach((button) => button.click()) ?? true")
    page.touch("#download")
    page.downloaded(lambda: page.touch("[data-format=midi_with_guitar]"))
    page.touch("#to-beats")
    page.touch("#beats-play")
    page.until("document.querySelectorAll('.beat-bar').length > 2")
    page.touch("#beats-play")
    page.touch("#to-song")
    asked = page.requests()
    own = (page.origin, page.origin.replace("http", "ws", 1), "about:", "blob:", "data:")
    return len(asked), sum(not address.startswith(own) for address in asked)


def violations(page: Page) -> int | None:
    """Return the violations that axe-core finds in both views, light and dark; None without its package."""
    modules = Path(os.environ.get("SEQ2DRUM_NODE_MODULES") or ROOT / "tests" / "web" / "node_modules")
    axe = modules / "axe-core" / "axe.min.js"
    if not axe.is_file():
        return None
    page.driver.execute_script(axe.read_text(encoding="utf-8"))
    found = 0
    for theme in ("light", "dark"):
        given = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", given)
        for view in ("#to-beats", "#to-song"):
            page.touch(view)
            page.run("for (const animation of document.getAnimations()) animation.cancel();")
            found += page.run("return (await axe.run(document)).violations.length;")
    return found


def memory(page: Page) -> tuple[float, float]:
    """MB of the page's values after a collection, and of all processes of the browser."""
    import psutil

    page.driver.execute_cdp_cmd("HeapProfiler.collectGarbage", {})
    used = page.driver.execute_cdp_cmd("Runtime.getHeapUsage", {})["usedSize"]
    processes = psutil.Process(page.driver.service.process.pid).children(recursive=True)
    return used / 1e6, sum(process.memory_info().rss for process in processes if process.is_running()) / 1e6


def _is_over(end: float) -> bool:
    return time.monotonic() > end


def minutes_of_playing(page: Page, name: str, minutes: float) -> Iterator[tuple[float, float, float]]:
    """Minutes, and `memory`, while a song plays round and round."""
    page.run("const { app } = seq2drum; app.sound.loop(0, 128); app.sound.tempo(1.5); await app.sound.play(0);")
    begun = time.monotonic()
    for minute in range(1, max(int(minutes), 1) + 1):
        end = begun + 60 * minute if minutes >= 1 else begun + 60 * minutes
        waited(partial(_is_over, end), "a minute", 120)
        assert page.run("return seq2drum.app.sound.playing;"), f"{name} does not play any more"
        yield minute, *memory(page)
    page.run("seq2drum.app.sound.stop();")


def pictures(folder: Path) -> Iterator[str]:
    """Make the screenshots of the page's page, as small as they can be."""
    with opened("--hide-scrollbars") as page:
        page.find("#file").send_keys(str(ROOT / "examples" / "rock_riff.mid"))
        page.until(DONE, "rock_riff.mid")
        page.run("document.querySelectorAll('#messages button').forEach((button) => button.click());")
        page.run("seq2drum.song.session.edit((take) => ({ ...take, locks: [8] }));")
        for name in SIZES:
            _sized(page, name)
            page.run("document.querySelector('#panel-close').click(); scrollTo(0, 0);")
            page.run(CHOSEN, 2)
            yield shown(page, folder / f"page-{name}.png", name)
        page.touch("#to-beats")
        page.touch("#beats-play")
        page.until("document.querySelectorAll('.beat-bar').length > 5")
        page.touch("#beats-play")
        yield shown(page, folder / "page-beats.png", "wide")
        page.touch("#to-jam")
        for size in ("wide", "phone"):
            _sized(page, size)
            page.run(JAM)
            yield shown(page, folder / f"page-jam-{size}.png", size)
            page.touch("#jam-play")
        page.touch("#to-teach")
        page.drop(
            "#drop-songs", *sorted((ROOT / "examples" / "training").glob("[frw]*.mid")), ROOT / "examples" / "funk.mid"
        )
        page.until("seq2drum.teach.lesson.songs.length > 0 && !seq2drum.teach.lesson.busy")
        page.run(USUAL_FOLDER)
        yield shown(page, folder / "page-teach.png", "wide")


USUAL_FOLDER = """
const told = document.querySelector("#teach > section > .meaning"), { folder } = seq2drum.app.drummers.teaching;
told.textContent = told.textContent.replace(folder, "/home/you/.local/share/seq2drum/drummers");
"""


CHOSEN = """
document.querySelectorAll('.block')[given[0] - 1].click();
for (let at = 0; at < 100 && document.querySelectorAll('.card .beat').length < 8; at++)
  await new Promise((done) => setTimeout(done, 50));
seq2drum.app.sound.stop(); await seq2drum.app.sound.seek(29.5); seq2drum.song.roll.reveal(29.5);
document.activeElement.blur();
"""
JAM = """
const wait = () => new Promise((done) => setTimeout(done, 20)), input = document.querySelector("#jam-file");
const data = new DataTransfer(), play = document.querySelector("#jam-play");
data.items.add(new File([await (await fetch("example.mid")).blob()], "example.mid"));
input.files = data.files; input.dispatchEvent(new Event("change"));
while (play.disabled) await wait();
play.click();
const { jamming } = seq2drum.jam;
while (jamming.bars.length < 2 || jamming.now < 6.1 || jamming.bars[jamming.index].again) await wait();
"""


def _sized(page: Page, size: str) -> None:
    width, height = SIZES[size]
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == "phone"}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


STATES: tuple[tuple[str, str, str], ...] = (  # name, selector, what is done before; each goes on from the one above it
    ("takes", ".takes", "seq2drum.song.session.edit((take) => ({ ...take, locks: [8] }));"),
    ("form", ".form", ""),
    ("form-asked", ".form", f"await (async (...given) => {{ {CHOSEN} }})(2);"),
    ("panel", ".side", ""),
    ("kit", ".drumkit", "document.querySelector('[data-drum=ride]').dispatchEvent(new MouseEvent('click'));"),
    ("picture-far", ".roll", "for (let at = 0; at < 4; at++) seq2drum.song.roll.zoom(-1);"),
    ("transport", ".transport", ""),
    (
        "messages",
        "#messages",
        "seq2drum.app.say('A note goes by itself.'); seq2drum.app.say('Work is going on.', { kind: 'work' });"
        "seq2drum.app.say('An error says what to do.', { kind: 'error' });",
    ),
    ("jam", ".jam-board", f"document.querySelector('#to-jam').click(); {JAM}"),
)
WISHES = "{ half_time: '25-32', out: '1-8', fill_at: '16-16' }"


def components(folder: Path) -> Iterator[str]:
    """Make a picture of each part of the page, light above dark."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    with opened("--hide-scrollbars") as page:
        _sized(page, "wide")
        page.find("#file").send_keys(str(ROOT / "examples" / "rock_riff.mid"))
        page.until(DONE, "rock_riff.mid")
        page.run("document.querySelectorAll('#messages button').forEach((button) => button.click());")
        for name, selector, script in STATES:
            if name == "form-asked":
                page.run(
                    f"const {{ session }} = seq2drum.song; session.wish({{ ...session.doc.wishes, ...{WISHES} }});"
                )
                page.until(f"!{SESSION}.busy && {SESSION}.settled")
            page.run(script + "await new Promise((done) => setTimeout(done, 300));")
            both = []
            for theme in ("light", "dark"):
                media = {"features": [{"name": "prefers-color-scheme", "value": theme}]}
                page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
                page.run("for (let at = 0; at < 3; at++) await new Promise(requestAnimationFrame);")
                both.append(Image.open(io.BytesIO(page.find(selector).screenshot_as_png)).convert("RGB"))
            width, height = both[0].size
            beside = width < 500
            whole = Image.new("RGB", (2 * width, height) if beside else (width, 2 * height))
            for at, one in enumerate(both):
                whole.paste(one, (at * width, 0) if beside else (0, at * height))
            path = folder / f"page-{name}.png"
            whole.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
            yield f"{path}: {whole.width} x {whole.height}, {path.stat().st_size} bytes"


def shown(page: Page, path: Path, size: str) -> str:
    """Make one screenshot; return its size in words."""
    from PIL import Image

    _sized(page, size)
    page.run(
        "const frames = async () => { for (let at = 0; at < 3; at++) await new Promise(requestAnimationFrame); };"
        "scrollTo(0, 0); await frames();"
        "if (given[0]) document.querySelector('.form').scrollIntoView(); await frames();",
        size == "phone",
    )
    seen = Image.open(io.BytesIO(page.driver.get_screenshot_as_png())).convert("RGB")
    seen.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    return f"{path}: {seen.width} x {seen.height}, {path.stat().st_size} bytes"


def measure(parts: Sequence[str], minutes: float) -> Iterator[str | Row]:
    """Measure some parts."""
    with opened() as page, tempfile.TemporaryDirectory() as place:
        if "bytes" in parts:
            yield from (figure(f"bytes, {what}", size) for what, size in sizes().items())
        if set(parts) == {"bytes"}:
            return
        for name, seconds in first_sounds(page, Path(place)):
            yield figure(f"first sound of {BARS} bars, {name}", seconds, "s", most=2)
            if "wishes" in parts:
                yield figure(f"a wish for a part heard, {name}", wished(page), "s", most=1)
        if "requests" in parts:
            count, beyond = requests(page)
            yield figure("requests", count)
            yield figure("requests beyond this machine", beyond, most=0)
        if "violations" in parts:
            found = violations(page)
            yield "axe-core is not installed" if found is None else figure("violations", found, most=0)
        if "memory" in parts:
            for minute, values, processes in minutes_of_playing(page, SONGS[-1], minutes):
                yield figure(f"values after minute {minute}", values, "MB")
                yield figure(f"processes after minute {minute}", processes, "MB")


PARTS = ("first sound", "wishes", "bytes", "requests", "violations", "memory")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--minutes", type=float, default=10, help="of playing (default: 10)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART")
    parser.add_argument(
        "--pictures", type=Path, metavar="FOLDER", help="make the screenshots of the documentation there"
    )
    parser.add_argument("--components", type=Path, metavar="FOLDER", help="make those of each part of the page there")


def run(options: argparse.Namespace) -> Iterator[str | Row]:
    if options.pictures or options.components:
        yield from pictures(options.pictures) if options.pictures else ()
        yield from components(options.components) if options.components else ()
    else:
        yield from measure(options.only, options.minutes)
