"""The beat machine in a real browser: played, changed while it runs, clicked into, taken away, used for a song."""

from __future__ import annotations

import io
import wave

import pytest

from seq2drum.formats.midi import midi
from tests.conftest import ROOT
from tests.web.browser import Page, waited
from tests.web.conftest import PAGE
from tests.web.test_song import DONE, STATE, THERE, hits_of, played, ready

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PAGE / "machine.js").exists(), reason="the page has no beat machine yet"),
]

SONG = ROOT / "examples" / "funk.mid"
LOUD = (
    "(() => { const { tap } = seq2drum.beats.sound; const data = new Float32Array(tap?.fftSize ?? 1);"
    " tap?.getFloatTimeDomainData(data); return Math.max(...data.map(Math.abs)); })()"
)


@pytest.fixture
def beats(page: Page) -> Page:
    """The page at the beat machine, with a bar to show."""
    ready(page)
    page.touch("#to-beats")
    page.until("!document.querySelector('#beats').hidden && document.querySelector('#beats-play')")
    return page


def test_every_key_that_the_guide_names_does_something(beats):
    beats.press("p")
    beats.until("seq2drum.beats.sound.playing")
    beats.press("k")
    beats.until("document.querySelector('#beats-hold').getAttribute('aria-pressed') === 'true'")
    said = beats.text("#beats .roll-status")
    beats.press("f")
    beats.until("document.querySelector('#beats .roll-status').innerText !== given[0]", said)
    beats.press("c")
    beats.until("document.querySelector('#beats-hold').getAttribute('aria-pressed') === 'false'")
    beats.press("p")
    beats.until("!seq2drum.beats.sound.playing")


def take_bars(page: Page, bars: int) -> None:
    page.run(
        "const take = document.querySelector('#beats-take'); take.value = given[0];"
        "take.dispatchEvent(new Event('change', { bubbles: true }));",
        str(bars),
    )


def test_a_beat_is_heard_bar_after_bar_and_not_clipped(beats):
    beats.touch("#beats-play")
    beats.until("seq2drum.beats.sound.playing")
    beats.until(f"{LOUD} > 0.01")
    beats.until("document.querySelectorAll('.beat-bar').length > 1")
    assert beats.run(f"return {LOUD};") <= 1.0
    assert any("/api/StreamCompose" in address for address in beats.requests())
    beats.touch("#beats-play")
    beats.until("!seq2drum.beats.sound.playing")
    assert beats.complaints() == []


def test_wishes_hold_while_it_runs(beats):
    beats.touch("#beats-play")
    beats.until("seq2drum.beats.sound.playing")
    beats.run(
        "const bpm = document.querySelector('#beats-bpm'); bpm.value = '200';"
        "bpm.dispatchEvent(new Event('change', { bubbles: true }));"
        "const family = document.querySelector('#beats-family'); family.value = 'words';"
        "family.dispatchEvent(new Event('change', { bubbles: true }));"
    )
    beats.until("location.hash.includes('bpm=200') && location.hash.includes('family=words')")
    seen = beats.run("return document.querySelector('.beat-bar:last-child')?.getAttribute('aria-label') ?? '';")
    beats.click("Fill", "#beats")
    beats.click("Something else", "#beats")
    beats.until("document.querySelector('.beat-bar:last-child')?.getAttribute('aria-label') !== given[0]", seen)
    beats.until(f"{LOUD} > 0.005")
    assert beats.text("#messages") == ""


@pytest.mark.parametrize("places", [16, 24, 32])
def test_the_grid_has_as_many_places_as_are_asked_for(beats, places):
    beats.run(
        "const grid = document.querySelector('#beats-grid'); grid.value = given[0];"
        "grid.dispatchEvent(new Event('change', { bubbles: true }));",
        str(places),
    )
    beats.until("location.hash.includes('grid=' + given[0])", str(places))


def test_a_beat_is_taken_away_as_midi_and_as_sound(beats):
    beats.touch("#beats-play")
    beats.until("document.querySelectorAll('.beat-bar').length > 1")
    beats.touch("#beats-play")
    beats.until("!seq2drum.beats.sound.playing")
    take_bars(beats, 1)
    name, data = beats.downloaded(lambda: beats.touch("#beats-midi"))
    assert name.endswith(".mid")
    song = midi.parse(data)
    (drums,) = [part for part in song.parts if part.is_drums]
    assert len(drums) > 0
    assert len(song.bars()) == 1
    name, data = beats.downloaded(lambda: beats.touch("#beats-wav"))
    with wave.open(io.BytesIO(data)) as sound:
        seconds = sound.getnframes() / sound.getframerate()
        bpm = beats.run("return Number(document.querySelector('#beats-bpm').value);")
        assert seconds == pytest.approx(4 * 60 / bpm, abs=0.01)


def test_a_beat_is_the_groove_of_a_song(beats):
    played_before = beats.run("return location.hash;")
    assert "view=beats" in played_before
    beats.touch("#beats-play")
    beats.until("document.querySelectorAll('.beat-bar').length > 1")
    beats.touch("#beats-groove")
    beats.until("!document.querySelector('#song').hidden")
    played(beats, SONG)
    assert beats.run(STATE + "return session.doc.wishes.beat.midi.length > 50;")
    beats.until(DONE, SONG.name)
    assert beats.run(f"return {THERE}.take.grooves.length;") > 0


def test_a_beat_is_the_groove_of_a_part_by_one_click_and_no_other_bar_changes(beats):
    beats.touch("#to-song")
    played(beats, ROOT / "examples" / "rock_riff.mid")
    before = hits_of(beats)
    beats.touch("#to-beats")
    beats.touch("#beats-play")
    beats.until("document.querySelectorAll('.beat-bar').length > 1")
    beats.touch("[data-part=B]")
    beats.until("!document.querySelector('#song').hidden")
    beats.until(f"{THERE}.doc.wishes.groove_places === '9-16=own-1,25-32=own-1'")
    waited(lambda: hits_of(beats) != before, "other bars")
    beats.until(f"!{THERE}.busy && {THERE}.settled && {THERE}.take.midi && true")
    outside = {*range(1, 9), *range(17, 25)}
    now = hits_of(beats)
    differ = {hit["bar"] for hit in [*before, *now] if (hit in before) != (hit in now)}
    assert differ and not differ & outside


def test_a_server_that_stops_leaves_the_machine_standing(beats):
    """Without a server there is an empty bar to click into, and a sentence; nothing breaks."""
    beats.run("window.fetch = async () => { throw new TypeError('gone'); };")
    beats.run("window.WebSocket = class { constructor() { setTimeout(() => this.onclose?.({}), 10); } close() {} };")
    beats.touch("#beats-play")
    beats.until("seq2drum.beats.sound.playing || document.querySelector('#gone').innerText.length > 20")
    assert [one for one in beats.complaints() if "Uncaught" in one] == []
