"""What the page understood of a file, and how many actions put it right, in Chromium."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.formats.midi import midi
from seq2drum.lattice.beats import placing
from seq2drum.music.notes import Note, Part, Song, Tempo
from tests.conftest import ROOT
from tests.formats.test_timed import without_a_click
from tests.web.browser import Page
from tests.web.conftest import PAGE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PAGE / "right.js").exists(), reason="the page has no such line"),
]

FUNK = ROOT / "examples" / "funk.mid"
THERE = "window.seq2drum?.song?.session"
DONE = f"{THERE}?.work?.name === given[0] && {THERE}.take?.midi && !{THERE}.busy && true"
FACTS = "document.querySelector('.right-facts').textContent"


def opened(page: Page, path: Path) -> None:
    """Open a file; nothing is waited for."""
    page.until(f"{THERE} && true")
    page.find("#file").send_keys(str(path))


def played(page: Page, path: Path) -> None:
    """Open a file and wait for all its drums."""
    opened(page, path)
    page.until(DONE, path.name)


def strings(names: str) -> Song:
    """A riff on the strings of a guitar, each with its own part, beside a bass."""
    rng = np.random.default_rng(1)
    parts = [
        Part.of(
            [Note(240 * eighth, 220, pitch + int(rng.integers(5)), 90) for eighth in range(64)], name=name, program=4
        )
        for name, pitch in zip(names.split(","), (64, 59, 55, 50, 45, 40), strict=True)
    ]
    return Song(480, tuple(parts), (Tempo(0, 500_000),), (), 8 * 1920)


def test_six_strings_are_one_guitar_without_an_action_or_by_one(page: Page, tmp_path: Path) -> None:
    known, odd = tmp_path / "strings.mid", tmp_path / "odd.mid"
    known.write_bytes(midi.serialise(strings("e,B,G,D,A,E")))
    odd.write_bytes(midi.serialise(strings("Anna,Bert,Carl,Dora,Emil,Fritz")))
    played(page, known)
    assert page.run(f"return {THERE}.analysis.guitar.tracks;") == [1, 2, 3, 4, 5, 6]
    opened(page, odd)
    page.says("Which parts are the guitar?", selector="dialog")
    page.click("All 6 together")  # the one action
    page.until(DONE, odd.name)
    assert page.run(f"return {THERE}.analysis.guitar.tracks;") == [1, 2, 3, 4, 5, 6]


def test_a_file_without_a_click_is_followed_by_itself_and_no_more_if_one_says_so(page: Page, tmp_path: Path) -> None:
    free = tmp_path / "free.mid"
    free.write_bytes(without_a_click(midi.parse(FUNK.read_bytes())))
    played(page, free)
    assert page.run("return document.querySelector('#follow').checked;")
    page.says("Played without a click: following you")
    song = bytes(page.run(f"return [...new Uint8Array(await {THERE}.song.arrayBuffer())];"))
    assert not placing.missed(midi.parse(song), [0]).is_free  # the drums are where the guitar is
    bars = page.run(f"return {THERE}.analysis.bars.length;")
    page.touch("#follow")
    page.until(f"{THERE}.doc.wishes.follow === false && {THERE}.take?.midi && !{THERE}.busy")
    assert page.run(f"return {THERE}.analysis.timeline.tempos.length;") == 1
    assert abs(page.run(f"return {THERE}.analysis.bars.length;") - bars) <= 2
    assert page.complaints() == []


def test_a_tempo_counted_half_a_metre_and_a_wrong_one_are_put_right_by_one_action_each(page: Page) -> None:
    played(page, FUNK)
    assert page.run(f"return {FACTS};") == "104 BPM, 4/4, 24 bars, guitar: Clean Guitar"
    page.touch("#tempo-double")
    page.until(f"{FACTS}.startsWith('208 BPM, 4/4, 48 bars')")
    page.until(f"{THERE}.take?.midi && !{THERE}.busy && seq2drum.app.sound.playing")  # it plays again at once
    assert page.run(f"return {THERE}.take.played.at(-1).bar;") == 48
    page.run(
        "const metre = document.querySelector('#metre'); metre.value = '3/4'; metre.dispatchEvent(new Event('change'));"
    )
    page.until(f"{FACTS}.startsWith('208 BPM, 3/4, 64 bars')")
    page.touch("#one-later")
    page.until(f"{FACTS}.startsWith('208 BPM, 3/4, 65 bars')")
    page.until(f"{THERE}.take?.midi && !{THERE}.busy")  # what is said until then is one step
    assert page.run(f"return {THERE}.analysis.bars.slice(0, 2).map((bar) => bar.quarters);") == [1, 3]
    page.touch("#as-in-file")
    page.until(f"{FACTS}.startsWith('104 BPM, 4/4, 24 bars')")
    page.until(f"{THERE}.take?.midi && !{THERE}.busy")
    page.touch("#undo")  # what was said is undone as any wish is
    page.until(f"{FACTS}.startsWith('208 BPM, 3/4, 65 bars')")
    assert page.complaints() == []


def test_on_a_phone_the_corrections_open_by_the_line_and_the_form_is_in_sight(page: Page) -> None:
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        played(page, ROOT / "examples" / "rock_riff.mid")
        page.run("scrollTo(0, 0);")
        ends = (
            "return ['.songbar', '.form'].map((each) => document.querySelector(each).getBoundingClientRect().bottom);"
        )
        head, form = page.run(ends)
        assert head < 200 and form < 844 / 2
        assert not page.run("return document.querySelector('#tempo-double').checkVisibility();")
        page.touch(".right-facts")
        page.until("document.querySelector('#tempo-double').checkVisibility()")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_the_kit_is_whole_above_the_transport_on_a_laptop(page: Page) -> None:
    screen = {"width": 1440, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        played(page, ROOT / "examples" / "rock_riff.mid")
        kit, foot = page.run(
            "return [document.querySelector('#song .kit').getBoundingClientRect().bottom,"
            " document.querySelector('#song .transport').getBoundingClientRect().top];"
        )
        assert kit <= foot
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
