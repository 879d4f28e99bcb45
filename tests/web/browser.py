"""A browser without a network, and the page in it as one who uses it sees and hears it.

Whatever is waited for is a state of the page, never a time: the machine may be busy.
"""

from __future__ import annotations

import base64
import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

SECONDS = 90.0  # that a state may take to come; a tenth of that where it was measured
_T = TypeVar("_T")
_FLAGS = (
    "--headless=new",
    "--window-size=1280,900",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-sync",
    "--force-color-profile=srgb",
    "--autoplay-policy=no-user-gesture-required",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
)


@contextmanager
def chromium(downloads: Path, *flags: str, language: str = "en") -> Iterator[Any]:
    """Chromium by way of Selenium; the test is skipped where either is missing."""
    selenium = pytest.importorskip("selenium.webdriver", reason="needs selenium: pip install selenium")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("needs chromium and chromedriver: apt install chromium chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = program
    for flag in (*_FLAGS, f"--lang={language}", *flags):
        options.add_argument(flag)
    options.add_experimental_option("prefs", {"intl.accept_languages": language})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    opened = selenium.Chrome(service=selenium.ChromeService(driver), options=options)
    try:
        opened.set_script_timeout(SECONDS)
        opened.set_page_load_timeout(SECONDS)
        allow = {"behavior": "allow", "downloadPath": str(downloads), "eventsEnabled": True}
        opened.execute_cdp_cmd("Browser.setDownloadBehavior", allow)
        yield opened
    finally:
        opened.quit()


class Page:
    """The page in a tab of its own, at an address that lets it in."""

    def __init__(self, driver: Any, address: str, downloads: Path) -> None:
        self.driver, self.address, self.downloads = driver, address, downloads
        self.origin = address.partition("#")[0].rstrip("/")

    # --- what it does -----------------------------------------------------------------------------------------------

    def open(self, address: str | None = None) -> Page:
        """Go to the page, or to another address."""
        self.driver.get("about:blank")  # an address that differs behind its # alone would not be loaded anew
        self.driver.get(address or self.address)
        return self

    def forget(self) -> None:
        """Empty what the browser keeps for the page."""
        self.driver.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": self.origin, "storageTypes": "all"})

    def run(self, script: str, *given: Any) -> Any:
        """What the body of an asynchronous function returns. given: its arguments, as `given[0]` and so on."""
        told = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1], given = [...arguments].slice(0, -1);"
            f"(async () => {{ {script} }})().then((value) => done({{ value }}),"
            " (error) => done({ error: String(error?.stack ?? error), reason: error?.reason ?? null,"
            " message: error?.message ?? String(error) }));",
            *given,
        )
        if "error" in told:
            raise ScriptError(told)
        return told.get("value")

    def until(self, script: str, *given: Any, seconds: float = SECONDS) -> Any:
        """Wait until an expression is true, and return it."""
        return waited(lambda: self.run(f"return ({script});", *given), script, seconds)

    def press(self, *keys: str) -> None:
        """Press keys, one after the other, where the focus is."""
        from selenium.webdriver import ActionChains

        for key in keys:
            ActionChains(self.driver).send_keys(key).perform()

    def drop(self, selector: str, *files: Path) -> None:
        """Drag files from outside onto an element, as the browser tells it to the page, with trusted events."""
        box = self.run(
            "const box = document.querySelector(given[0]).getBoundingClientRect();"
            "return [box.x + box.width / 2, box.y + Math.min(box.height / 2, 40)];",
            selector,
        )
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            event = {"type": kind, "x": box[0], "y": box[1], "data": data}
            self.driver.execute_cdp_cmd("Input.dispatchDragEvent", event)

    # --- what it shows ----------------------------------------------------------------------------------------------

    def find(self, selector: str) -> Any:
        """The first element, once it is there."""
        return waited(lambda: next(iter(self.driver.find_elements("css selector", selector)), None), selector)

    def text(self, selector: str = "body") -> str:
        """What an element says."""
        return str(self.run("return document.querySelector(given[0])?.innerText ?? '';", selector))

    def says(self, *words: str, selector: str = "body", seconds: float = SECONDS) -> str:
        """Wait until the page says all these words somewhere; returns what it says."""
        holds = lambda: (text := self.text(selector)) and all(word in text for word in words) and text  # noqa: E731
        return str(waited(holds, f"{words} in {self.text(selector)[:2000]!r}", seconds))

    def control(self, name: str, within: str = "body") -> Any:
        """The control that a reader of the screen would name so, once it is there."""
        return waited(lambda: self.run(_NAMED, name, within), f"a control named {name!r}")

    def click(self, name: str, within: str = "body") -> None:
        """Press the control of that name."""
        self._press(lambda: self.control(name, within))

    def touch(self, selector: str) -> None:
        """Press the first of these elements."""
        self._press(lambda: self.find(selector))

    def _press(self, found: Callable[[], Any]) -> None:
        """Press what is found in the middle of the window; it may be drawn anew meanwhile."""
        from selenium.common import ElementClickInterceptedException, StaleElementReferenceException

        def pressed() -> bool:
            try:
                self.driver.execute_script("arguments[0].scrollIntoView({ block: 'center' });", element := found())
                element.click()
            except (StaleElementReferenceException, ElementClickInterceptedException):
                return False
            return True

        waited(pressed, "a control that can be pressed")

    def downloaded(self, act: Callable[[], object]) -> tuple[str, bytes]:
        """The name and the bytes of the file that an act makes the browser keep."""
        before = set(self.downloads.iterdir())
        act()

        def whole() -> Path | None:
            new = [path for path in set(self.downloads.iterdir()) - before if path.suffix != ".crdownload"]
            unfinished = list(self.downloads.glob("*.crdownload"))
            return new[0] if len(new) == 1 and not unfinished else None

        path = waited(whole, "a file that is downloaded")
        data = path.read_bytes()
        path.unlink()
        return path.name, data

    # --- what went on -----------------------------------------------------------------------------------------------

    def requests(self) -> list[str]:
        """The addresses that were asked for since the last call."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [one["params"] for one in events if one["method"] == "Network.requestWillBeSent"]
        sockets = [one["params"]["url"] for one in events if one["method"] == "Network.webSocketCreated"]
        return [one["request"]["url"] for one in sent] + sockets

    def complaints(self) -> list[str]:
        """What the browser found wrong since the last call."""
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] == "SEVERE"]

    def picture(self, path: Path) -> None:
        """Keep what is to be seen."""
        path.write_bytes(base64.b64decode(self.driver.get_screenshot_as_base64()))


class ScriptError(Exception):
    """A script in the page failed. reason: of a `Refused`, or None."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(told["error"])
        self.reason: str | None = told["reason"]
        self.said = str(told["message"])


_NAMED = """
const [name, within] = given;
const plain = (text) => text.replace(/\\s+/g, " ").trim();
const labels = (element) => [
  element.getAttribute("aria-label"),
  ...(element.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent),
  ...[...(element.labels ?? [])].map((label) => label.textContent),
  element.innerText, element.value, element.title,
];
const all = document.querySelector(within).querySelectorAll(
  "button, a[href], input, select, textarea, summary, [role], [tabindex]");
const seen = [...all].filter((element) => element.checkVisibility());
const named = (same) => seen.find((element) => labels(element).some((label) => label && same(plain(label))));
return named((label) => label === name) ?? named((label) => label.startsWith(name)) ?? null;
"""


def waited(holds: Callable[[], _T | None], what: str, seconds: float = SECONDS) -> _T:
    """What a question answers, once it answers with something."""
    end = time.monotonic() + seconds
    while True:
        try:
            answer = holds()
        except (ScriptError, LookupError) as error:
            answer, what = None, f"{what} ({error})"
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(f"it did not come: {what[:3000]}")
        time.sleep(0.05)
