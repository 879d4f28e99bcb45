"""The form of a song and the panel of its parts: at most three actions for a wish, and no other bar changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from seq2drum.formats.midi import midi
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.conftest import ROOT
from tests.web.browser import Page, waited
from tests.web.test_song import DONE, STATE, THERE, hits_of, played

pytestmark = pytest.mark.slow

SONG = ROOT / "examples" / "rock_riff.mid"  # A, B, A, B, of eight bars each
BARS = 32
SETTLED = f"!{THERE}.busy && {THERE}.settled && {THERE}.take.midi && true"


@pytest.fixture
def song(page: Page) -> Page:
    """The page with a song whose takes are ready."""
    played(page, SONG)
    return page


def block(page: Page, index: int) -> None:
    """Choose a part of the form: one action."""
    page.touch(f".form-blocks .block:nth-of-type({index + 1})")


def bars_dragged(page: Page, first: int, last: int) -> None:
    """Choose bars below the form, by a click or a drag: one action."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder

    points = page.run(
        STATE + "const canvas = document.querySelector('.form-bars'); canvas.scrollIntoView({ block: 'center' });"
        "await new Promise(requestAnimationFrame);"
        "const box = canvas.getBoundingClientRect(), { bars } = session.analysis, last = bars.at(-1);"
        "return given.map((bar) => [Math.round(box.x + box.width * (bars[bar - 1].quarter + bars[bar - 1].quarters / 2)"
        " / (last.quarter + last.quarters)), Math.round(box.y + 8)]);",
        first,
        last,
    )
    actions = ActionBuilder(page.driver)
    actions.pointer_action.move_to_location(*points[0]).pointer_down()
    if first != last:
        actions.pointer_action.move_to_location(*points[1])
    actions.pointer_action.pointer_up()
    actions.perform()


def by_bar(hits: list[dict[str, Any]]) -> dict[int, list[tuple[int, str, int]]]:
    bars: dict[int, list[tuple[int, str, int]]] = {bar: [] for bar in range(1, BARS + 1)}
    for hit in hits:
        bars[hit["bar"]].append((hit["tick"], hit["piece"], hit["velocity"]))
    return {bar: sorted(those) for bar, those in bars.items()}


def changed(page: Page, before: list[dict[str, Any]], within: range) -> dict[int, list[tuple[int, str, int]]]:
    """Wait for other bars than before; no others may have changed than these. Returns the bars as they are now."""
    waited(lambda: hits_of(page) != before, "other bars")
    page.until(SETTLED)
    was, now = by_bar(before), by_bar(hits_of(page))
    assert {bar for bar in was if was[bar] != now[bar]} <= set(within)
    assert any(was[bar] != now[bar] for bar in within)
    return now


def count(bars: dict[int, list[tuple[int, str, int]]], within: range, piece: str = "") -> int:
    return sum(piece in ("", name) for bar in within for _, name, _ in bars[bar])


def test_half_time_in_a_verse_is_two_actions(song):
    before = hits_of(song)
    block(song, 0)
    song.touch("#half-time")
    now = changed(song, before, range(1, 9))
    assert count(now, range(1, 9), "snare") < count(by_bar(before), range(1, 9), "snare")
    song.says("half-time", selector=".form-blocks .block")
    song.touch("#half-time")  # and back
    waited(lambda: by_bar(hits_of(song)) == by_bar(before), "the bars of before")


def test_a_tambourine_in_the_chorus_is_two_actions_and_all_drums_stay(song):
    before = hits_of(song)
    block(song, 1)
    select = (
        "const menu = document.querySelector('#percussion'); menu.value = given[0];"
        "menu.dispatchEvent(new Event('change'));"
    )
    song.run(select, "tambourine")
    now = changed(song, before, range(9, 17))
    assert count(now, range(9, 17), "tambourine") >= 8
    drums = {bar: [hit for hit in hits if hit[1] != "tambourine"] for bar, hits in now.items()}
    assert drums == by_bar(before)
    assert count(now, range(1, 9), "tambourine") == 0
    song.run(select, "")
    waited(lambda: by_bar(hits_of(song)) == by_bar(before), "the bars of before")


def test_a_busier_chorus_is_two_actions_and_may_be_every_one(song):
    before = hits_of(song)
    block(song, 1)
    song.run(
        "const pad = document.querySelector('.pad'), box = pad.getBoundingClientRect();"
        "const at = { clientX: box.right - 12, clientY: box.top + 12, pointerId: 1, bubbles: true };"
        "pad.setPointerCapture = () => {};"
        "for (const kind of ['pointerdown', 'pointerup']) pad.dispatchEvent(new PointerEvent(kind, at));"
    )
    now = changed(song, before, range(9, 17))
    assert count(now, range(9, 17)) > count(by_bar(before), range(9, 17))
    assert song.run(STATE + "return Object.keys(session.doc.wishes).filter((name) => name.endsWith('places'));") == [
        "complexity_places",
        "intensity_places",
    ]
    song.find("#scope-every + span").click()
    song.touch("#drums-out")
    song.until(f"{THERE}.doc.wishes.out === '9-16,25-32'")


def test_a_fill_in_bar_8_is_two_actions(song):
    before = hits_of(song)
    bars_dragged(song, 8, 8)
    song.find("#fill-before-fill + span").click()
    changed(song, before, range(8, 10))
    assert song.run(STATE + "return session.doc.wishes.fill_at;") == "8-8"
    assert "ends with a fill" in song.run("return document.querySelector('.block').textContent;")


def test_brushes_are_three_actions(song):
    before = hits_of(song)
    block(song, 2)
    song.find("#groove-search").send_keys("brushes")
    song.until("document.querySelector('.card:first-child')?.textContent.includes('brushes')")
    song.touch(".card:first-child")
    changed(song, before, range(17, 25))
    song.says("brushes", selector=".form-blocks .block:nth-of-type(3)")


def test_drums_out_in_the_intro_is_two_actions(song):
    before = hits_of(song)
    block(song, 0)
    song.touch("#drums-out")
    now = changed(song, before, range(1, 10))
    assert count(now, range(1, 9)) == 0
    song.says("no drums", selector=".form-blocks .block")


def test_bars_9_to_12_are_played_again_and_nothing_else_by_two_actions(song):
    before = hits_of(song)
    bars_dragged(song, 9, 12)
    song.touch("#again")
    changed(song, before, range(9, 13))
    song.touch("#undo")
    waited(lambda: by_bar(hits_of(song)) == by_bar(before), "the bars of before")


def test_a_part_gets_a_name_is_split_and_joined_and_no_bar_changes_by_its_name(song):
    before = hits_of(song)
    block(song, 1)
    song.run(
        "const name = document.querySelector('#section-name'); name.value = 'Chorus';"
        "name.dispatchEvent(new Event('change', { bubbles: true }));"
    )
    song.says("Chorus", selector=".form-blocks")
    song.until(SETTLED)
    assert by_bar(hits_of(song)) == by_bar(before)
    song.run("seq2drum.app.sound.stop(); await seq2drum.app.sound.seek(48.5);")  # bar 13
    song.touch("#split")
    song.until("document.querySelectorAll('.block').length === 5")
    song.touch("#join")
    song.until("document.querySelectorAll('.block').length === 4")
    song.says("Chorus", selector=".form-blocks")


def test_a_long_name_is_whole_while_its_part_is_chosen_or_sounds_and_its_neighbours_take_the_clicks(song):
    song.run("document.querySelector('.form').style.width = '240px';")
    block(song, 1)
    song.run(
        "const name = document.querySelector('#section-name'); name.value = 'Under an oak tree';"
        "name.dispatchEvent(new Event('change', { bubbles: true }));"
    )
    song.says("Under an oak tree", selector=".form-blocks")
    seen = (
        "const blocks = [...document.querySelectorAll('.block')], name = blocks[1].querySelector('.block-name');"
        "const { right, top } = name.getBoundingClientRect();"
        "return [name.scrollWidth <= name.clientWidth, right > blocks[1].getBoundingClientRect().right,"
        "document.elementFromPoint(right - 4, top + 4).closest('.block') !== blocks[1]];"
    )
    song.run("seq2drum.app.sound.stop(); await seq2drum.app.sound.seek(0);")
    waited(lambda: song.run(seen) == [True, True, True], "the whole name of the chosen part")
    block(song, 1)  # not chosen any more: it sounds from there
    song.run("seq2drum.app.sound.stop(); await seq2drum.app.sound.seek(0);")
    waited(lambda: song.run(seen)[:2] == [False, False], "its place alone")
    song.run("await seq2drum.app.sound.play(40);")
    waited(lambda: song.run(seen) == [True, True, True], "the whole name of the part that sounds")


def test_a_groove_sounds_under_the_guitar_while_the_pointer_rests_on_it(song):
    from selenium.webdriver import ActionChains

    block(song, 1)
    song.until("document.querySelectorAll('.card .beat').length >= 8")
    loud = "seq2drum.app.sound.playing"
    song.until(loud)
    song.run("seq2drum.app.sound.stop();")
    card = song.find(".card:nth-child(4)")
    ActionChains(song.driver).move_to_element(card).perform()
    song.until(loud)
    song.until("seq2drum.app.sound.position < 64 && seq2drum.app.sound.position >= 32")
    ActionChains(song.driver).move_to_element(song.find(".song-name")).perform()
    song.until(f"!({loud})")
    assert song.run(STATE + "return session.doc.wishes.groove_places ?? null;") is None


def test_keys_change_between_takes_and_the_kit_leaves_a_piece_out(song):
    song.press("2")
    song.until(f"{THERE}.doc.chosen === 1")
    song.press("1")
    song.until(f"{THERE}.doc.chosen === 0")
    assert any(hit["piece"] == "crash" for hit in hits_of(song))
    song.run("document.querySelector('[data-drum=crash]').dispatchEvent(new MouseEvent('click', { bubbles: true }));")
    song.touch("[data-deed=leaveOut]")
    waited(lambda: not any(hit["piece"] == "crash" for hit in hits_of(song)), "no crash")
    song.until(SETTLED)
    song.touch("[data-deed=mute]")
    song.until("document.querySelector('[data-deed=mute]').getAttribute('aria-pressed') === 'true'")


def test_another_piece_instead_is_chosen_at_the_kit_heard_and_taken_back(song):
    before = hits_of(song)
    click = "document.querySelector(given[0]).dispatchEvent(new MouseEvent('click', { bubbles: true }));"
    select = (
        "const menu = document.querySelector('#kit-instead'); menu.value = given[0];"
        "menu.dispatchEvent(new Event('change'));"
    )
    song.run(click, "[data-drum='closed hat']")
    assert song.run(
        "const of = (what) => document.querySelector(what).getBoundingClientRect();"
        "return of('.kit-menu').top >= 0 && of('.kit-menu').bottom <= of('.transport').top;"
    )  # in sight, not behind the bar at the foot
    song.run(select, "ride")
    waited(lambda: not any("hat" in hit["piece"] and hit["piece"] != "pedal hat" for hit in hits_of(song)), "no hat")
    song.until(SETTLED)
    rides = sum(hit["piece"] == "ride" for hit in hits_of(song))
    assert rides >= 0.95 * sum(hit["piece"] in ("closed hat", "open hat") for hit in before)
    song.until("location.hash.includes('instead=')")
    label = song.run("return document.querySelector('[data-drum=\"closed hat\"]').getAttribute('aria-label');")
    assert label == "closed hat: ride instead"
    song.run(select, "")
    waited(lambda: by_bar(hits_of(song)) == by_bar(before), "the hits of before")


def test_wishes_for_parts_are_in_the_address_and_are_kept(song):
    block(song, 0)
    song.touch("#half-time")
    song.until(SETTLED)
    song.until("location.hash.includes('half_time=1-8')")
    hits = hits_of(song)
    song.until(
        "(await (async () => { const { Store } = await import('/store.js');"
        f" const found = await new Store().find({THERE}.work.id);"
        " return found?.doc.wishes.half_time === '1-8' && found.doc.takes[0].played.length === given[0]; })())",
        len(hits),
    )
    song.driver.refresh()
    song.until(DONE, SONG.name)
    assert by_bar(hits_of(song)) == by_bar(hits)


def drums_of_toms(path: Path) -> Path:
    """Write eight bars of drums: four of a backbeat, then four of low toms on every quarter."""
    notes = [
        Note(1920 * bar + 480 * beat, 100, 41 if bar >= 4 else 38 if beat % 2 else 36, 100)
        for bar in range(8)
        for beat in range(4)
    ]
    song = Song(480, (Part.of(notes, is_drums=True),), (Tempo(0, 500_000),), (Metre(0, 4, 4),), 8 * 1920)
    path.write_bytes(midi.serialise(song))
    return path


def test_a_part_is_played_like_some_bars_of_a_file(song, tmp_path):
    before = hits_of(song)
    block(song, 0)
    song.find("#groove-search").send_keys("like bars 5 to 8 of")
    song.says("Bars 5 to 8 of a file", selector=".groove-file")
    song.find("#groove-file").send_keys(str(drums_of_toms(tmp_path / "toms.mid")))
    now = changed(song, before, range(1, 10))
    assert count(now, range(1, 9), "low tom") > 16 > count(by_bar(before), range(1, 9), "low tom")
    song.says("Bars 5 to 8 of toms.mid", selector=".form-blocks .block")
    assert "own" not in song.run("return location.hash;")
    song.touch("#undo")
    waited(lambda: by_bar(hits_of(song)) == by_bar(before), "the bars of before")
