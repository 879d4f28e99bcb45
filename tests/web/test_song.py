"""The view with a guitar, used in a real browser as a guitarist uses it: dropped, heard, changed, kept, taken away."""

from __future__ import annotations

import io
import wave
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from seq2drum.formats import foreign
from seq2drum.formats.midi import midi
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.show import draw
from tests.conftest import ROOT, corpus_files
from tests.web.browser import Page, waited
from tests.web.conftest import PAGE, Site, site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PAGE / "song.js").exists(), reason="the page has no view of a song yet"),
]

SONG = ROOT / "examples" / "funk.mid"
OTHER = ROOT / "examples" / "waltz.mid"
TAKES = 3  # that the page asks for where nothing is said
STATE = "const { app, song } = window.seq2drum, { session } = song; "
HOME, END, ENTER, PAGE_DOWN = "\ue011", "\ue010", "\ue007", "\ue00f"
THERE = "window.seq2drum?.song?.session"
DONE = f"{THERE}?.work?.name === given[0] && {THERE}.take?.midi && !{THERE}.busy && true"


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


def ready(page: Page) -> None:
    """The page has begun."""
    page.until(f"{THERE} && true")


def choose(page: Page, path: Path) -> None:
    """Open a file by the control for files."""
    ready(page)
    page.find("#file").send_keys(str(path))


def played(page: Page, path: Path) -> None:
    """Open a file and wait for all its drums."""
    choose(page, path)
    page.until(DONE, path.name)


def play(page: Page) -> None:
    """Let it be heard; it may have begun by itself."""
    if not page.run("return seq2drum.app.sound.playing;"):
        page.touch("#play")
    page.until("seq2drum.app.sound.playing")


def take_of(page: Page) -> bytes:
    return bytes(page.run(STATE + "return [...session.take.midi];"))


def hits_of(page: Page) -> list[dict[str, Any]]:
    """What the sound was given: the hits as they stand after all clicks."""
    edits = "const { sounding } = await import('/edits.js'); "
    hits: list[dict[str, Any]] = page.run(STATE + edits + "return sounding(session.take.played, session.take.edits);")
    return hits


def kept(page: Page) -> None:
    """Wait until the browser has kept the one edit that there is."""
    page.until(
        "(await (async () => { const { Store } = await import('/store.js');"
        f" const {{ doc }} = (await new Store().find({THERE}.work.id)) ?? {{ doc: null }};"
        " return doc?.takes[doc.chosen]?.edits.length === 1; })())"
    )


def roll(page: Page, *keys: str) -> None:
    """Press keys with the focus on the picture."""
    page.run("document.querySelector('.roll-scroll').focus();")
    page.press(*keys)


# --- dropped ----------------------------------------------------------------------------------------------------------


def test_a_dropped_file_gets_the_drums_that_infer_plays(page, drummer):
    ready(page)
    page.drop("#drop", SONG)
    page.until(DONE, SONG.name)
    page.says("funk.mid", "24 bars")
    made = drummer.takes(SONG.read_bytes(), Options(), TAKES)
    takes = page.run(STATE + "return session.doc.takes.map((take) => [...take.midi]);")
    assert [bytes(take) for take in takes] == [take.to_bytes() for take in made]  # the best first
    assert take_of(page) == made[0].to_bytes()  # the best one is what sounds
    assert page.run("return document.querySelector('#takes [aria-selected=true]').dataset.take;") == "1"
    assert page.complaints() == []


def test_a_file_is_chosen_by_its_control_and_the_guitar_with_another(page):
    riff = ROOT / "examples" / "rock_riff.mid"
    played(page, riff)
    assert page.run("return document.querySelectorAll('.right .choices input').length") > 1
    before = page.run(STATE + "return session.analysis.notes.length;")
    page.touch("#guitar")
    page.touch(".right .choices input[value='1']")  # which leaves the second
    page.until(f"{THERE}.analysis.notes.length !== given[0]", before)
    page.until(DONE, riff.name)
    assert page.run(STATE + "return [session.doc.wishes.track, session.analysis.guitar.tracks];") == ["2", [2]]


def test_a_file_that_is_dropped_while_another_plays_takes_its_place(page):
    played(page, SONG)
    play(page)
    page.until("seq2drum.app.sound.playing && seq2drum.app.sound.position > 0.5")
    page.drop("main", OTHER)
    page.until(DONE, OTHER.name)
    page.says("waltz.mid")
    assert page.complaints() == []


def test_several_parts_are_the_guitar_where_none_is_plainly_and_a_second_drop_takes_the_question_back(page, tmp_path):
    odd = tmp_path / "odd.mid"
    odd.write_bytes(without_names(ROOT / "examples" / "rock_riff.mid"))
    choose(page, odd)
    page.says("Which parts are the guitar?", selector="dialog")
    page.drop("dialog", OTHER)
    page.until(DONE, OTHER.name)
    assert page.driver.find_elements("css selector", "dialog") == []
    choose(page, odd)
    page.find("dialog input")
    assert page.find("dialog .primary").get_property("disabled")
    for box in page.driver.find_elements("css selector", "dialog input"):
        box.click()
    page.click("Play to them")
    page.until(DONE, odd.name)
    assert page.run(STATE + "return [session.doc.wishes.track, session.analysis.guitar.tracks];") == ["1,2", [1, 2]]
    page.says("guitar: 1 and others, 2 parts")


def without_names(path: Path) -> bytes:
    """A song whose parts have no names, all with the sound of a piano."""
    song = midi.parse(path.read_bytes())
    parts = tuple(replace(part, name="", program=0) for part in song.parts if not part.is_drums)
    return midi.serialise(replace(song, parts=parts))


def test_a_broken_file_leaves_the_song_that_is_open(page, tmp_path):
    played(page, SONG)
    broken = tmp_path / "broken.mid"
    broken.write_bytes(b"MThd and nothing of weight")
    choose(page, broken)
    page.until("document.querySelector('#messages').innerText.length > 30 && true")
    assert page.run(STATE + "return session.work.name;") == SONG.name


TORTURE = corpus_files("torture")


@pytest.mark.skipif(not TORTURE, reason="needs the corpus of real music in ../shared/corpus")
def test_fifty_odd_and_broken_files_are_opened_or_refused_in_a_sentence(page):
    ready(page)
    for path in TORTURE[:: max(len(TORTURE) // 50, 1)]:
        page.run("document.querySelectorAll('#messages button').forEach((button) => button.click());")
        choose(page, path)
        said = "document.querySelector('#messages').innerText.trim()"
        opened = f"({THERE}.work?.name === given[0] && {THERE}.doc.takes.length > 0)"
        none = "document.querySelector('dialog .quiet')?.click()"  # where it asks which part is the guitar
        page.until(f"({none}, {opened} || {said}.length > 25) && true", path.name)
        text = page.text("#messages")
        assert "went wrong" not in text and "undefined" not in text, (path, text)


def test_what_is_said_of_bars_is_said_in_german_on_the_german_page(page):
    ready(page)
    page.run("const { setLanguage } = await import('/words.js'); setLanguage('de');")
    page.open()
    played(page, SONG)
    page.says("auf dem Groove", selector=".words")
    said = page.run("return document.querySelector('.all-words').textContent;")
    assert "so viele Schläge wie im Mittel" in said and "Crash auf der Eins" in said
    assert not set(said.split()) & {"the", "with", "where", "guitar", "bar", "bars", "after", "before", "nearly"}


def test_the_first_screen_says_what_cannot_be_read_and_the_command_that_changes_it(page):
    ready(page)
    assert page.run("return document.querySelectorAll('.welcome .notice:not([hidden])').length;") == len(
        foreign.missing()
    )
    listed, offered = page.run(
        "return [document.querySelector('.kinds').textContent, document.querySelector('#file').accept.split(',')];"
    )
    assert offered == [suffix for suffixes in foreign.readable().values() for suffix in suffixes]
    assert all(suffix in listed for suffix in offered)
    page.run(
        "const { Welcome } = await import('/welcome.js');"
        "const missingReaders = given[0].map(([kind, install]) => ({ kind, install }));"
        "const { root } = new Welcome({ readers: [{ kind: 'midi', suffixes: ['.mid'] }], missingReaders }, {});"
        "document.querySelector('.welcome').replaceWith(root);",
        [["tab", foreign.GET_GUITARPRO], ["recording", foreign.GET_NETWORK]],
    )
    page.says("To open Guitar Pro tabs", foreign.GET_GUITARPRO, selector=".welcome")
    page.says("To open recordings", foreign.GET_NETWORK, selector=".welcome")
    assert page.text(".kinds").split() == ["MIDI", ".mid"]


def test_a_file_that_is_too_large_is_refused_in_a_sentence(page, tmp_path):
    ready(page)
    huge, large = tmp_path / "huge.wav", tmp_path / "large.mid"
    with huge.open("wb") as file:
        file.truncate(65 << 20)
    large.write_bytes(b"MThd" + bytes(40 << 20))
    choose(page, huge)
    page.says("huge.wav has 65 MiB; the limit is 64 MiB", selector="#messages")
    choose(page, large)
    page.says("wanted at most", selector="#messages")
    assert not page.run("return document.querySelector('#gone').innerText;")


# --- heard ------------------------------------------------------------------------------------------------------------


def test_what_is_heard_is_neither_silent_nor_clipped_and_the_hits_are_in_time(page):
    played(page, SONG)
    told = page.run(
        STATE
        + """
        const { sounding } = await import('/edits.js');
        const hits = sounding(session.take.played, session.take.edits);
        const whole = await app.sound.render();
        let peak = 0, sum = 0;
        for (let channel = 0; channel < whole.numberOfChannels; channel++)
          for (const sample of whole.getChannelData(channel)) {
            peak = Math.max(peak, Math.abs(sample)); sum += sample * sample;
          }
        app.sound.solo('snare');
        const alone = await app.sound.render(), data = alone.getChannelData(0), rate = alone.sampleRate;
        app.sound.solo('snare', false);
        const { secondsAt } = await import('/schedule.js');
        const places = hits.filter((hit) => hit.piece === 'snare' && hit.velocity > 70)
          .map((hit) => secondsAt(session.analysis.timeline.tempos, hit.quarter));
        const apart = places.filter((at, index) => at - (places[index - 1] ?? -1) > 0.4);
        const late = apart.map((at) => {
          const [from, to] = [Math.max(0, Math.round((at - 0.04) * rate)), Math.round((at + 0.06) * rate)];
          let most = 0;
          for (let one = from; one < to; one++) most = Math.max(most, Math.abs(data[one]));
          for (let one = from; one < to; one++) if (Math.abs(data[one]) > 0.15 * most) return one / rate - at;
          return null;
        });
        return { peak, rms: Math.sqrt(sum / whole.length / whole.numberOfChannels), late, seconds: whole.duration };
        """
    )
    assert 0.1 < told["peak"] <= 1.0
    assert told["rms"] > 0.01
    assert len(told["late"]) > 5
    assert [late for late in told["late"] if late is None or abs(late) > 0.005] == []


def test_play_is_heard_and_stop_is_silence(page):
    played(page, SONG)
    play(page)
    page.until(
        "(() => { const { tap } = seq2drum.app.sound; const data = new Float32Array(tap?.fftSize ?? 1);"
        " tap?.getFloatTimeDomainData(data); return Math.max(...data.map(Math.abs)) > 0.01; })()"
    )
    assert page.run("return seq2drum.app.sound.playing")
    page.touch("#play")
    page.until("!seq2drum.app.sound.playing")


def test_the_first_bar_is_heard_while_others_are_still_made(page):
    """A dropped song begins by itself where the user has touched the page before."""
    ready(page)
    page.touch("main")
    page.drop("#drop", SONG)
    page.until("seq2drum.app.sound.playing")
    page.until(DONE, SONG.name)


# --- changed ----------------------------------------------------------------------------------------------------------


def test_hits_are_clicked_in_dragged_louder_and_out_and_undone(page):
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    played(page, SONG)
    page.run("seq2drum.app.sound.stop(); await seq2drum.app.sound.seek(0);")
    before = hits_of(page)
    x, y = page.run(
        "document.querySelector('#roll').scrollIntoView({ block: 'center' });"
        "await new Promise(requestAnimationFrame);"
        "const canvas = document.querySelector('#roll').getBoundingClientRect();"
        "const row = document.querySelector('[data-key=\"hear high tom\"]').getBoundingClientRect();"
        "return [Math.round(canvas.x + 0.6 * canvas.width), Math.round(row.y + row.height / 2)];"
    )

    def pointer(up: int = 0) -> None:
        actions = ActionBuilder(page.driver)
        finger = actions.pointer_action
        finger.move_to_location(x, y).pointer_down()
        if up:
            finger.move_to_location(x, y - up // 2).move_to_location(x, y - up)
        finger.pointer_up()
        actions.perform()

    def added() -> list[dict[str, Any]]:
        return [hit for hit in hits_of(page) if hit not in before]

    pointer()
    page.until(f"{THERE}.take.edits.length === 1")
    (hit,) = added()
    assert hit["piece"] == "high tom"
    pointer(up=20)
    page.until(f"{THERE}.take.edits.some((edit) => JSON.stringify(edit).includes(given[0]))", str(hit["velocity"] + 20))
    assert [one["velocity"] for one in added()] == [hit["velocity"] + 20]
    pointer()
    page.until(f"{THERE}.take.edits.length === 0")
    for expected in (1, 1, 0):
        page.touch("#undo")
        waited(partial(lambda count: len(added()) == count, expected), "a step back")
    assert hits_of(page) == before
    page.touch("#redo")
    waited(lambda: added() == [hit], "a step again")


def test_locked_bars_stay_and_the_others_are_played_anew(page):
    played(page, SONG)
    before = hits_of(page)
    roll(page, HOME, "l", PAGE_DOWN, PAGE_DOWN, PAGE_DOWN, "L")
    page.until(f"{THERE}.take.locks.length === 4")
    page.touch("#anew")
    page.until(f"!{THERE}.busy && {THERE}.take.midi && true")
    after = hits_of(page)
    locked = lambda hits: sorted(  # noqa: E731
        (hit["tick"], hit["piece"], hit["velocity"]) for hit in hits if hit["bar"] in (1, 2, 3, 4)
    )
    assert locked(after) == locked(before)
    assert after != before
    page.click("Undo")
    page.until(f"!{THERE}.busy")
    assert hits_of(page) == before


def test_a_wish_is_played_and_what_was_clicked_stays(page):
    played(page, SONG)
    roll(page, HOME, ENTER)
    page.until(f"{THERE}.take.edits.length === 1")
    edit, before = page.run(STATE + "return session.take.edits[0];"), hits_of(page)
    page.run(
        "const slider = document.querySelector('#intensity'); slider.value = '0.9';"
        "for (const kind of ['input', 'change']) slider.dispatchEvent(new Event(kind, { bubbles: true }));"
    )
    waited(lambda: len(hits_of(page)) != len(before), "other hits")
    page.until(f"{THERE}.doc.wishes.intensity === 0.9 && !{THERE}.busy && {THERE}.take.midi && true")
    assert page.run(STATE + "return session.take.edits[0];") == edit


def test_work_survives_a_reload(page):
    played(page, SONG)
    roll(page, HOME, ENTER)
    page.until(f"{THERE}.take.edits.length === 1")
    before = hits_of(page)
    kept(page)
    page.driver.refresh()
    page.until(DONE, SONG.name)
    assert hits_of(page) == before


# --- taken away -------------------------------------------------------------------------------------------------------


def download(page: Page, form: str) -> tuple[str, bytes]:
    page.until("document.querySelectorAll('#messages button').forEach((button) => button.click()) ?? true")

    def act() -> None:
        if not page.run("return document.querySelector('#download').closest('details').open"):
            page.touch("#download")
        page.touch(f"[data-format={form}]")

    return page.downloaded(act)


def test_midi_that_is_downloaded_has_the_bytes_of_infer(page, drummer):
    played(page, SONG)
    made = drummer.takes(SONG, Options(), TAKES)[0]
    assert download(page, "midi") == ("funk.drums.mid", made.to_bytes())
    name, data = download(page, "midi_with_guitar")
    assert name.endswith(".mid")
    assert data == made.to_bytes(with_guitar=True)


@pytest.mark.parametrize("form", ["wav", "stems", "musicxml", "picture", "rpp", "dawproject"])
def test_every_other_format_is_what_it_says(page, form):
    played(page, OTHER)
    name, data = download(page, form)
    assert name.startswith("waltz.")
    if form == "wav":
        with wave.open(io.BytesIO(data)) as sound:
            assert sound.getnframes() > sound.getframerate() * 10
    elif form == "stems":
        assert all(one.endswith(".wav") for one in zipfile.ZipFile(io.BytesIO(data)).namelist())
    else:
        begins = {"musicxml": b"<?xml", "picture": b"\x89PNG", "rpp": b"<REAPER_PROJECT", "dawproject": b"PK"}
        assert data.startswith(begins[form])


def test_the_form_tells_how_the_song_is_built_and_the_plan_is_in_the_picture_that_is_downloaded(page, drummer):
    riff = ROOT / "examples" / "rock_riff.mid"
    played(page, riff)
    take = drummer.takes(riff, Options(), TAKES)[0]
    titles = page.run("return [...document.querySelectorAll('.block')].map((block) => block.title);")
    assert titles == [
        f"Section {row.name}, bars {row.first}–{row.last}: {row.level:.2f} times the song's hits, on the hi-hat"
        for row in take.plan
    ]
    for row in take.plan:
        assert any(f"{row.level:.2f} times" in one.text and one.first == row.first for one in take.explain())
    assert download(page, "picture")[1] == draw.picture(take.duet, "png", title="rock_riff", plan=take.plan)
    # The plan stays with what the browser keeps.
    page.open()
    page.until(DONE, riff.name)
    assert page.run("return [...document.querySelectorAll('.block')].map((block) => block.title);") == titles
    assert page.complaints() == []


def test_quick_downloads_come_one_after_another_and_what_is_said_of_them_goes(page):
    played(page, OTHER)
    page.touch("#download")
    for form in ("wav", "musicxml", "picture"):
        page.run("document.querySelector(`[data-format=${given[0]}]`).click();", form)
    page.says("The download starts by itself", selector="#messages")
    waited(
        lambda: len([one for one in page.downloads.iterdir() if one.suffix in (".wav", ".musicxml", ".png")]) == 3,
        "3 files",
    )
    page.until("document.querySelectorAll('[data-format][aria-busy=true]').length === 0")
    assert page.text("#messages") == ""
    for path in page.downloads.iterdir():
        path.unlink()


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_name_of_a_take_or_a_piece_is_cut(page, width, language):
    ready(page)
    page.run("const { setLanguage } = await import('/words.js'); setLanguage(given[0]);", language)
    page.open()
    page.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    )
    try:
        played(page, SONG)
        page.run("document.querySelector('#all-pieces').click();")
        names = ".tab strong, .tab .meaning, .roll-name .piece, .song-name, .card-name"
        cut = "return [...document.querySelectorAll(given[0])].filter((one) => one.scrollWidth > one.clientWidth + 1)"
        assert page.run(cut + ".map((one) => one.innerText);", names) == []
        assert page.run("return document.documentElement.scrollWidth <= innerWidth;")
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_clicked_hits_are_in_what_is_downloaded(page):
    played(page, SONG)
    roll(page, HOME, ENTER)
    page.until(f"{THERE}.take.edits.length === 1")
    _, data = download(page, "midi")
    (drums,) = [part for part in midi.parse(data).parts if part.is_drums]
    assert len(drums) == len(hits_of(page))


def test_an_address_is_shared_with_whoever_has_the_file(page, drummer):
    played(page, SONG)
    page.run(STATE + "session.wish({ ...session.doc.wishes, seed: '7', style: 'rock' });")
    page.until(f"{THERE}.doc.takes.some((take) => take.seed === '7') && !{THERE}.busy && {THERE}.take.midi && true")
    mine, place = take_of(page), page.run(STATE + "return session.doc.chosen;")
    shared = page.until("location.hash.includes('seed=7') && location.href")
    assert "token" not in shared
    page.forget()
    page.run("sessionStorage.removeItem('seq2drum.song');")
    token = page.address.rpartition("token=")[2]
    page.open(f"{shared}&token={token}")
    ready(page)
    page.says("funk.mid")
    played(page, SONG)
    assert take_of(page) == mine
    assert mine == drummer.takes(SONG, Options(seed=7, style="rock"), TAKES)[place].to_bytes()


# --- what can go wrong ------------------------------------------------------------------------------------------------


def test_nothing_is_asked_of_anyone_but_the_own_server(page, served):
    played(page, SONG)
    play(page)
    page.until("seq2drum.app.sound.position > 1")
    download(page, "midi_with_guitar")
    asked = page.requests()
    assert len(asked) > 20
    own = (served.origin, served.origin.replace("http", "ws"), "about:", "blob:", "data:")
    assert [address for address in asked if not address.startswith(own)] == []


@pytest.mark.parametrize("behind", ["#token=wrong", ""])
def test_a_wrong_or_missing_token_gets_a_sentence_with_what_to_do(blank, served, behind):
    blank.open(f"{served.origin}/{behind}")
    blank.says("Open the address that seq2drum printed")


def test_a_server_that_stops_is_told_and_work_goes_on_when_it_is_back(blank, tmp_path):
    with site(tmp_path / "first") as first:
        blank.address = first.address
        played(blank.open(), SONG)
    blank.until("!document.querySelector('#gone').hidden")
    blank.says("does not answer", selector="#gone")
    roll(blank, HOME, ENTER)
    blank.until(f"{THERE}.take.edits.length === 1")
    with site(tmp_path / "second", port=int(first.origin.rpartition(":")[2])):
        blank.until("document.querySelector('#gone').hidden")
        blank.touch("#others")
        blank.until(f"!{THERE}.busy && {THERE}.doc.wishes.seed && {THERE}.take.midi && true")


def test_two_tabs_on_one_song_keep_both(page):
    played(page, SONG)
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    played(page.open(), SONG)
    roll(page, HOME, ENTER)
    page.until(f"{THERE}.take.edits.length === 1")
    kept(page)
    theirs, second = hits_of(page), page.driver.current_window_handle
    page.driver.switch_to.window(first)
    roll(page, END, ENTER)
    page.says("Both versions are safe", selector="#messages")
    mine = hits_of(page)
    page.driver.switch_to.window(second)
    assert hits_of(page) == theirs != mine


def test_a_browser_without_room_says_so_and_goes_on(page):
    ready(page)
    page.driver.execute_cdp_cmd("Storage.overrideQuotaForOrigin", {"origin": page.origin, "quotaSize": 1})
    try:
        played(page, SONG)
        page.says("no room", selector="#messages")
        assert hits_of(page)
    finally:
        page.driver.execute_cdp_cmd("Storage.overrideQuotaForOrigin", {"origin": page.origin})


def test_a_browser_without_sound_says_so_and_all_else_works(blank, drummer):
    script = (
        "delete globalThis.AudioContext; delete globalThis.webkitAudioContext; delete globalThis.OfflineAudioContext;"
    )
    blank.driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
    played(blank.open(), SONG)
    blank.touch("#play")
    blank.says("cannot play sound", selector="#messages")
    assert take_of(blank) == drummer.takes(SONG, Options(), TAKES)[0].to_bytes()


def test_the_shared_server_still_serves(served: Site, page: Page):
    """None of the above has brought it down."""
    ready(page)
    assert served.server.process.poll() is None
