"""A jam in a real browser: a guitar at a MIDI port that tests stand in for, or in a file, and a drummer."""

from __future__ import annotations

from pathlib import Path

import pytest

from seq2drum.formats.midi import midi
from tests.conftest import ROOT
from tests.web.browser import Page
from tests.web.conftest import PAGE
from tests.web.test_access import violations
from tests.web.test_song import ready

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PAGE / "jam.js").exists(), reason="the page has no jam yet"),
]

SONG = ROOT / "examples" / "rock_riff.mid"
# Ports as the browser has them: an input that tests play, and an output that keeps what it is sent.
PORTS = """
const input = { id: "in", name: "My guitar", state: "connected", onmidimessage: null };
const output = { id: "out", name: "My drums", state: "connected", sent: [],
  send(bytes, at) { this.sent.push([[...bytes], at ?? null]); }, clear() {} };
const access = { inputs: new Map([["in", input]]), outputs: new Map([["out", output]]), onstatechange: null };
window.ports = { input, output, access };
navigator.requestMIDIAccess = async () => access;
"""
NOTE = (
    "for (const data of [[0x90, 40, 100], [0x80, 40, 0]])"
    " ports.input.onmidimessage({ data: new Uint8Array(data), timeStamp: performance.now() });"
)


@pytest.fixture
def jam(page: Page) -> Page:
    """The page at the jam, with ports, at a tempo at which nobody waits for long."""
    ready(page)
    page.run(PORTS)
    page.touch("#to-jam")
    page.until("!document.querySelector('#jam').hidden && document.querySelector('#jam-play')")
    chosen(page, "#jam-bpm", "240")
    chosen(page, "#jam-count", "0")
    return page


def chosen(page: Page, selector: str, value: str) -> None:
    page.run(
        "const field = document.querySelector(given[0]); field.value = given[1];"
        "field.dispatchEvent(new Event('change', { bubbles: true }));",
        selector,
        value,
    )


def test_a_drummer_plays_along_with_a_guitar_at_a_port_and_both_are_kept(jam: Page, tmp_path: Path) -> None:
    assert jam.run("return document.querySelector('#jam-play').disabled;")  # nobody plays yet
    jam.touch("#jam-find")
    jam.until("document.querySelector('#jam-in').value === 'in'")
    jam.touch("#jam-play")
    jam.until("seq2drum.jam.jamming.bars.length > 1")
    jam.run(NOTE)
    jam.says("E2", "This bar", "part A")
    jam.touch("#jam-fill")
    jam.until("seq2drum.jam.jamming.bars.some((bar) => bar.fill)")
    jam.touch("#jam-section")
    jam.until("seq2drum.jam.jamming.bars.some((bar) => bar.section !== 'A')")
    jam.touch("#jam-stop")
    jam.until("!seq2drum.jam.jamming.playing")
    name, data = jam.downloaded(lambda: jam.touch("#jam-save"))
    song = midi.parse(data)
    guitar, drums = song.parts
    assert (name, guitar.pitch.tolist(), drums.is_drums) == ("jam.mid", [40], True)
    assert len(drums) > 4 and round(song.tempo_map[0].bpm) == 240
    assert any("/api/Jam" in address for address in jam.requests())
    assert jam.complaints() == []


def test_drums_go_out_at_a_port_with_their_times_and_the_page_is_silent(jam: Page) -> None:
    jam.touch("#jam-find")
    jam.until("document.querySelector('#jam-out').options.length === 2")
    chosen(jam, "#jam-out", "out")
    jam.touch("#jam-play")
    jam.until("ports.output.sent.some(([[status], at]) => status === 0x99 && at > 0)")
    jam.run("ports.output.state = 'disconnected'; ports.access.onstatechange();")
    jam.says("The MIDI port is gone")
    assert jam.run("return seq2drum.jam.jamming.playing;")
    jam.touch("#jam-play")
    jam.until("!seq2drum.jam.jamming.playing")


def test_a_file_plays_the_guitar_where_the_browser_has_no_ports(blank: Page) -> None:
    script = {"source": "delete Navigator.prototype.requestMIDIAccess;"}
    told = blank.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", script)
    try:
        blank.open(blank.address + "&view=jam")
        ready(blank)
        blank.says("This browser gives pages no MIDI ports", "A file as the guitarist")
        blank.find("#jam-file").send_keys(str(SONG))
        blank.until("!document.querySelector('#jam-play').disabled")
        blank.touch("#jam-play")
        blank.until("seq2drum.jam.jamming.bars.length > 1 && seq2drum.jam.jamming.told.length > 4")
        blank.press("e")
        blank.until("seq2drum.jam.jamming.bars.at(-1).last")
        blank.until("!seq2drum.jam.jamming.playing")
        assert blank.complaints() == []
    finally:
        blank.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", told)


def test_the_tempo_of_a_file_is_shown_and_another_one_holds(jam: Page) -> None:
    jam.find("#jam-file").send_keys(str(SONG))
    jam.until("!document.querySelector('#jam-play').disabled")
    tempo, metre = jam.run("return [document.querySelector('#jam-bpm').value, document.querySelector('#jam-metre')];")
    assert tempo == str(round(midi.parse(SONG.read_bytes()).tempo_map[0].bpm)) != "240"
    assert metre.get_property("disabled")
    chosen(jam, "#jam-bpm", "200")
    jam.press("p")
    jam.until("seq2drum.jam.jamming.playing")
    assert [round(bpm) for bpm in jam.run("return seq2drum.jam.jamming.record.tempos.map(({ bpm }) => bpm);")] == [200]
    jam.press("p")
    jam.until("!seq2drum.jam.jamming.playing")


def test_ports_that_the_browser_refuses_are_told_in_a_sentence(jam: Page) -> None:
    jam.run("navigator.requestMIDIAccess = async () => { throw new DOMException('no', 'NotAllowedError'); };")
    jam.touch("#jam-find")
    jam.says("Allow MIDI in the settings of this page")


def test_axe_finds_nothing_wrong_with_the_jam_and_it_speaks_german(jam: Page) -> None:
    jam.touch("#jam-find")
    jam.until("document.querySelector('#jam-in').value === 'in'")
    assert violations(jam) == []
    chosen(jam, "#language", "de")
    jam.says("Dieser Takt", "Nächster Takt", "Gehört")
    assert "view=jam" in jam.run("return location.hash;")


def test_a_browser_that_forbids_to_remember_shows_the_page(blank: Page) -> None:
    forbid = (
        "Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('no', 'SecurityError'); } });"
    )
    told = blank.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": forbid})
    try:
        blank.open()
        ready(blank)
        chosen(blank, "#language", "de")
        chosen(blank, "#theme", "dark")
        blank.says("Mit Gitarre")
    finally:
        blank.driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", told)
