"""The page for everyone: by keyboard alone, for readers of the screen, in light and dark, on a narrow screen."""

from __future__ import annotations

from typing import Any

import pytest

from tests.conftest import ROOT
from tests.web.browser import Page
from tests.web.conftest import PAGE, modules
from tests.web.test_song import DONE, STATE, THERE, played, ready

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PAGE / "song.js").exists(), reason="the page has no view of a song yet"),
]

SONG = ROOT / "examples" / "funk.mid"
TAB, ENTER, DOWN, RIGHT, HOME, CONTROL = "\ue004", "\ue007", "\ue015", "\ue014", "\ue011", "\ue009"


def violations(page: Page) -> list[Any]:
    """What axe finds wrong: the rule, and the elements."""
    axe = (modules("axe-core") / "axe-core" / "axe.min.js").read_text(encoding="utf-8")
    page.driver.execute_script(axe)
    found: list[Any] = page.run(
        "for (const animation of document.getAnimations()) animation.cancel();"
        "const told = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa',"
        " 'best-practice'] });"
        "return told.violations.map((one) => [one.id, one.nodes.slice(0, 5).map((node) =>"
        " [node.target.join(' '), node.any[0]?.message ?? node.failureSummary])]);"
    )
    return found


def coloured(page: Page, theme: str) -> None:
    page.driver.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": theme}]}
    )


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_page_before_and_with_a_song(page, theme):
    coloured(page, theme)
    ready(page)
    assert violations(page) == []
    played(page, SONG)
    assert violations(page) == []
    page.run("for (const details of document.querySelectorAll('details')) details.open = true;")
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wrong_with_the_beat_machine(page, theme):
    coloured(page, theme)
    ready(page)
    page.touch("#to-beats")
    page.until("!document.querySelector('#beats').hidden && document.querySelector('#beats').innerText.length > 100")
    assert violations(page) == []
    page.run("for (const details of document.querySelectorAll('details')) details.open = true;")
    assert violations(page) == []


@pytest.mark.parametrize("width", [360, 768, 1280, 3840])
def test_nothing_needs_scrolling_to_the_side(page, width):
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700},
    )
    wide = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth];"
    ready(page)
    seen = [page.run(wide)]
    played(page, SONG)
    seen.append(page.run(wide))
    page.touch("#to-beats")
    page.until("!document.querySelector('#beats').hidden")
    seen.append(page.run(wide))
    assert all(content <= window for content, window in seen), seen


def test_all_of_it_goes_by_keyboard(page):
    """From the first Tab to an edit that is undone; nothing is clicked."""
    ready(page)
    page.run("document.body.focus();")
    for _ in range(40):
        page.press(TAB)
        if page.run("return document.activeElement.id") == "example":
            break
    assert page.run("return document.activeElement.id") == "example"
    page.press(ENTER)
    page.until(f"{THERE}?.take?.midi && !{THERE}.busy && true")
    for _ in range(60):
        page.press(TAB)
        if page.run("return document.activeElement.getAttribute('role')") == "application":
            break
    page.press(HOME, DOWN, RIGHT, ENTER)
    page.until(f"{THERE}.take.edits.length === 1")
    before = page.run("return document.querySelector('.roll-status').textContent;")
    assert len(before) > 5
    from selenium.webdriver import ActionChains

    ActionChains(page.driver).key_down(CONTROL).send_keys("z").key_up(CONTROL).perform()
    page.until(f"{THERE}.take.edits.length === 0")
    playing = page.run("return seq2drum.app.sound.playing;")  # it may have begun by itself
    for now in (not playing, playing):
        page.press(" ")
        page.until("seq2drum.app.sound.playing === given[0]", now)


def test_where_the_focus_is_can_be_seen(page):
    played(page, SONG)
    page.run("document.body.focus();")
    hidden = []
    for _ in range(60):
        page.press(TAB)
        seen = page.run(
            "const element = document.activeElement, style = getComputedStyle(element);"
            "const box = element.getBoundingClientRect();"
            "return [element.id || element.className || element.tagName, box.width > 0 && box.height > 0,"
            " style.outlineStyle !== 'none' || style.boxShadow !== 'none' || element.matches('.hidden-input')];"
        )
        if seen[0] != "BODY" and not all(seen[1:]):
            hidden.append(seen)
    assert hidden == []


def test_every_control_has_a_name(page):
    played(page, SONG)
    nameless = page.run(
        "const controls = document.querySelectorAll('button, select, input, summary, [role=tab], [role=application]');"
        "return [...controls].filter((one) => one.checkVisibility() && !(one.getAttribute('aria-label')"
        " || one.innerText?.trim() || one.labels?.length)).map((one) => one.outerHTML.slice(0, 200));"
    )
    assert nameless == []


def test_the_page_speaks_german_where_it_is_asked_to(page):
    played(page, SONG)
    page.run(
        "const language = document.querySelector('#language'); language.value = 'de';"
        "language.dispatchEvent(new Event('change', { bubbles: true }));"
    )
    page.until("document.documentElement.lang === 'de'")
    page.says("Anderer Song", "Takte")
    page.until(DONE, SONG.name)  # the song is still there
    assert page.run(STATE + "return session.take.midi.length > 0;")
    missing = page.run("return document.body.innerText.match(/\\b[a-z]+\\.[a-z]+\\.?[a-z]*\\b/g) ?? [];")
    assert [one for one in missing if one.startswith(("song.", "wish.", "take.", "roll.", "save.", "beats."))] == []
