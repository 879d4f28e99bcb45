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


WITHOUT = "delete Navigator.prototype.requestMIDIAccess; delete navigator.requestMIDIAccess;"
FORBIDDEN = "navigator.requestMIDIAccess = async () => { throw new DOMException('no', 'NotAllowedError'); };"


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
    jam.run(FORBIDDEN)
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


def test_the_kit_the_beat_and_the_level_move_and_the_next_bar_is_drawn(jam: Page) -> None:
    jam.touch("#jam-find")
    jam.until("document.querySelector('#jam-in').value === 'in'")
    jam.run(NOTE)  # the level moves before anything is started
    jam.until("document.querySelector('#jam-level span').dataset.last === '100'")
    jam.run(
        "window.lit = new Set(); window.struck = new Set();"
        "const animate = Element.prototype.animate; Element.prototype.animate = function (...given) {"
        " const drum = this.closest('[data-drum]'); if (drum) struck.add(drum.dataset.drum);"
        " return animate.apply(this, given); };"
        "const look = () => { [...document.querySelectorAll('.beat-lights span')].forEach((light, at) =>"
        " light.classList.contains('on') && lit.add(at)); requestAnimationFrame(look); }; look();"
    )
    jam.touch("#jam-play")
    jam.until("lit.size === 4 && struck.has('kick') && struck.has('snare')")
    jam.until("document.querySelectorAll('.jam-drawing .beat rect[class^=hit-]').length > 4")
    jam.touch("#jam-play")
    jam.until("!seq2drum.jam.jamming.playing && !document.querySelector('.beat-lights .on')")


def test_softer_and_louder_are_heard_and_end_at_the_edges(jam: Page) -> None:
    jam.touch("#jam-find")
    jam.until("document.querySelector('#jam-in').value === 'in'")
    jam.touch("#jam-play")
    jam.until("seq2drum.jam.jamming.bars.length > 1")
    jam.run("for (let press = 0; press < 4; press++) document.querySelector('#jam-louder').click();")
    assert jam.find("#jam-louder").get_property("disabled")
    louder = jam.run("return seq2drum.jam.jamming.bars.length;")
    jam.until("seq2drum.jam.jamming.bars.length > given[0] + 3", louder)
    jam.press("-", "-", "-", "-", "-", "-", "-")
    jam.until("document.querySelector('#jam-softer').disabled")
    softer = jam.run("return seq2drum.jam.jamming.bars.length;")
    jam.until("seq2drum.jam.jamming.bars.length > given[0] + 3", softer)
    loud, soft = jam.run(
        "const mean = (bars) => { const all = bars.flatMap(({ hits }) => hits.map(({ velocity }) => velocity));"
        " return all.reduce((sum, one) => sum + one, 0) / all.length; };"
        "const { bars } = seq2drum.jam.jamming;"
        "return [mean(bars.slice(given[0] + 1, given[1])), mean(bars.slice(given[1] + 1))];",
        louder,
        softer,
    )
    assert loud > soft + 10
    jam.touch("#jam-play")


@pytest.mark.parametrize(
    ("why", "says"),
    [
        (WITHOUT, "gives pages no MIDI ports"),
        (FORBIDDEN, "Allow MIDI"),
        ("ports.access.inputs = new Map();", "No MIDI input found"),
        ("for (const model of seq2drum.app.info.models.models) model.live = false;", "no drummer who plays along"),
        ("window.AudioContext = undefined;", "cannot play sound"),
        ("", "Press Find MIDI ports"),
    ],
)
def test_where_a_jam_cannot_start_the_page_says_why(jam: Page, why: str, says: str) -> None:
    jam.run(why + "seq2drum.jam.show();")
    if why == FORBIDDEN or "inputs" in why:
        jam.touch("#jam-find")
    jam.says(says, selector="#jam-why")
    assert jam.find("#jam-play").get_property("disabled")
    assert jam.find("#jam-play").get_attribute("aria-describedby") == "jam-why"


def test_a_jam_whose_server_is_gone_before_the_first_bar_ends(jam: Page) -> None:
    jam.run(
        "const Real = WebSocket;window.WebSocket = class extends Real { constructor() { super('ws://127.0.0.1:9'); } };"
    )
    jam.run(
        "await seq2drum.jam.jamming.start(given[0]);",
        {"bpm": 240, "metre": "4/4", "style": "", "countIn": 1, "seed": 1, "guitarist": None},
    )
    jam.until("!seq2drum.jam.jamming.playing && !seq2drum.jam.sound.playing")
    assert jam.run("return seq2drum.jam.jamming.bars.length;") == 0


def test_fingers_hit_the_buttons_of_a_jam_on_a_phone(jam: Page) -> None:
    screen = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": True}
    jam.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    try:
        boxes = jam.run(
            "return [...document.querySelectorAll('.jam-pads button')].map((one) => one.getBoundingClientRect())"
            ".map(({ left, right, top, bottom }) => [left, right, top, bottom]);"
        )
        assert len(boxes) == 6
        for left, right, top, bottom in boxes:
            assert left >= 0 and right <= 390 and bottom <= 844 and right - left >= 100 and bottom - top >= 56
        assert jam.run("return document.documentElement.scrollWidth;") <= 390
    finally:
        jam.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
