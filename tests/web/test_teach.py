"""Teaching on the page: songs are dropped, told apart, made a drummer, who plays at once; kept, renamed and removed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seq2drum.data.corpus.reading import MIN_BARS
from seq2drum.formats.midi import midi
from seq2drum.learn.adapt import songs
from server.teaching import UNREAD
from tests.conftest import ROOT
from tests.web.browser import Page
from tests.web.conftest import Site, site
from tests.web.test_access import coloured, violations
from tests.web.test_words import HOLE, WORDS

TRAINING = ROOT / "examples" / "training"
BAND = [TRAINING / f"{name}.mid" for name in ("funk_1", "funk_2", "rock_riff_1")]
GUITAR = ROOT / "examples" / "funk.mid"
HEARD = "!seq2drum.teach.lesson.busy && seq2drum.teach.lesson.songs.length === given[0]"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("data") / "drummers"


@pytest.fixture(scope="module")
def teachable(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp("teachable"), "--drummers", str(place)) as one:
        yield one


@pytest.fixture
def lesson(blank: Page, teachable: Site, place: Path) -> Iterator[Page]:
    """The page at the view of drummers, of which there are none."""
    page = Page(blank.driver, teachable.address, blank.downloads).open()
    page.forget()
    yield opened(page)
    shutil.rmtree(place, ignore_errors=True)


def opened(page: Page) -> Page:
    page.open()
    page.until("Boolean(window.seq2drum?.teach)")
    page.click("My drummers")
    return page


def typed(page: Page, name: str, text: str) -> None:
    """Type into a control in place of what is there."""
    control = page.control(name)
    control.clear()
    control.send_keys(text)


def taught(page: Page, name: str) -> None:
    """A drummer of the three songs."""
    page.drop("#drop-songs", *BAND)
    page.until(HEARD, 3)
    typed(page, "Name", name)
    page.click("Make this drummer")
    page.says(f"{name} is ready")


def test_songs_are_told_apart_and_the_drummer_plays_to_the_next_song_at_once(
    lesson: Page, place: Path, tmp_path: Path
) -> None:
    # 1. Which are understood, and why not.
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    shutil.copy(BAND[0], tmp_path / "the_same.mid")
    shutil.copy(GUITAR, tmp_path / "guitar_alone.mid")
    lesson.drop("#drop-songs", *BAND, *sorted(tmp_path.glob("*.mid")))
    lesson.until(HEARD, 6)
    told = lesson.says("3 of 6 songs understood", "a copy of funk 1", "not a readable song", "no drums")
    assert "never leave this computer" in lesson.text("#teach") and str(place) in lesson.text("#teach"), told
    # 2. A song is left out and comes back.
    lesson.click("Leave out broken")
    lesson.until(HEARD, 5)
    # 3. The drummer.
    typed(lesson, "Name", "The Crows")
    lesson.click("Make this drummer")
    lesson.says("The Crows is ready", "from 3 songs")
    assert (place / "the-crows" / "config.json").is_file()
    lesson.click("Play with it", within=".lesson-done")
    lesson.says("The Crows plays to the next song")
    lesson.drop("#drop", GUITAR)
    lesson.until("!seq2drum.song.session.busy && Boolean(seq2drum.song.session.take?.midi)")
    model = "return seq2drum.song.session.doc.wishes.model"
    assert (
        lesson.run(model) == "the-crows"
        and lesson.run("return document.querySelector('#drummer').value") == "the-crows"
    )
    assert "model=the-crows" in lesson.driver.current_url
    first = lesson.run("return seq2drum.song.session.take.grooves.map(({ title }) => title)")
    assert any("funk" in title for title in first)
    # 4. Another one at once, and in the jam.
    lesson.run(
        "const menu = document.querySelector('#drummer'); menu.value = ''; menu.dispatchEvent(new Event('change'));"
    )
    lesson.until(
        "!seq2drum.song.session.busy && seq2drum.song.session.settled && !seq2drum.song.session.doc.wishes.model"
    )
    assert lesson.run("return seq2drum.song.session.take.grooves.map(({ title }) => title)") != first
    assert lesson.run("return [...document.querySelector('#jam-drummer').options].map(({ text }) => text)") == [
        "the usual one", "The Crows", "Teach it my songs …",
    ]  # fmt: skip
    assert lesson.complaints() == [], lesson.requests()


def test_a_drummer_is_renamed_and_removed_and_there_after_the_page_is_loaded_anew(lesson: Page, place: Path) -> None:
    taught(lesson, "Us")
    opened(lesson)
    lesson.says("Your drummers", "Us", "3 songs")
    lesson.click("Rename Us")
    typed(lesson, "New name of Us", "We")
    lesson.click("Keep")
    lesson.says("We", "3 songs", selector="#teach .songs")
    lesson.click("Remove We")
    lesson.says("Remove We for good?")
    lesson.click("No")
    lesson.click("Remove We")
    lesson.click("Remove", within="#teach .songs li")
    lesson.until("seq2drum.app.drummers.taught.length === 0")
    assert list(place.iterdir()) == []


def test_a_name_that_is_there_is_refused_and_the_songs_stay(lesson: Page) -> None:
    taught(lesson, "Us")
    lesson.drop("#drop-songs", *BAND)
    lesson.until(HEARD, 3)
    typed(lesson, "Name", "us")
    lesson.click("Make this drummer")
    lesson.says("There is a drummer 'us' already")
    assert lesson.run("return seq2drum.teach.lesson.songs.length") == 3
    assert lesson.run("return seq2drum.app.drummers.taught.length") == 1


def test_a_song_whose_drummer_is_gone_is_played_by_the_usual_one(lesson: Page) -> None:
    lesson.open(f"{lesson.origin}/#view=song&model=nobody&token={lesson.address.partition('token=')[2]}")
    lesson.until("Boolean(window.seq2drum?.song)")
    lesson.drop("#drop", GUITAR)
    lesson.says("The drummer of this song is not here any more")
    lesson.until("!seq2drum.song.session.busy && Boolean(seq2drum.song.session.take?.midi)")


def test_one_song_is_told_to_say_little_and_the_words_are_in_german_too(lesson: Page) -> None:
    lesson.drop("#drop-songs", BAND[0])
    lesson.until(HEARD, 1)
    lesson.says("One song alone says little")
    lesson.run(
        "const menu = document.querySelector('#language'); menu.value = 'de'; menu.dispatchEvent(new Event('change'));"
    )
    lesson.says("Ein Song allein sagt wenig", "1 von 1 Songs verstanden", "verlassen diesen Rechner nie")
    lesson.drop("#drop-songs", GUITAR)
    lesson.until(HEARD, 2)
    lesson.says("kein Schlagzeug")


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_wrong_and_nothing_needs_scrolling_to_the_side(lesson: Page, theme: str) -> None:
    coloured(lesson, theme)
    screen = {"width": 360, "height": 800, "deviceScaleFactor": 1, "mobile": True}
    lesson.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    wide = "return [document.documentElement.scrollWidth, document.documentElement.clientWidth];"
    seen = [violations(lesson)]
    lesson.drop("#drop-songs", *BAND, GUITAR)
    lesson.until(HEARD, 4)
    seen.append(violations(lesson))
    content, window = lesson.run(wide)
    assert content <= window
    lesson.click("Make this drummer")
    lesson.says("My band is ready")
    lesson.run("for (const details of document.querySelectorAll('#teach details')) details.open = true;")
    seen.append(violations(lesson))
    content, window = lesson.run(wide)
    assert content <= window and seen == [[], [], []]


def test_a_server_that_cannot_be_taught_shows_nothing_of_it(page: Page) -> None:
    page.until("Boolean(window.seq2drum?.teach)")
    assert page.run("return document.querySelector('#to-teach').hidden && seq2drum.song.drummer.root.hidden")
    page.open(f"{page.origin}/#view=teach&token={page.address.partition('token=')[2]}")
    page.until("Boolean(window.seq2drum?.teach)")
    assert page.run("return document.querySelector('#teach').hidden")


def test_the_page_knows_each_remark_on_a_song() -> None:
    song = midi.parse(BAND[0].read_bytes())
    drums = [part for part in song.parts if part.is_drums]
    named = [replace(part, is_drums=False, program=0, name="Drums") for part in drums]
    guitars = [part for part in song.parts if not part.is_drums]
    files: dict[str, Any] = {
        "a": guitars, "b": drums, "c": None, "d": [*guitars, *named], "e": [*guitars, *drums], "f": [*guitars, *drums],
    }  # fmt: skip
    heard = songs.hear_files(
        [
            (f"{name}.mid", b"MThd" if parts is None else midi.serialise(replace(song, parts=tuple(parts))))
            for name, parts in files.items()
        ]
    )
    remarks = {one.remark for one in heard if one.remark} | {
        UNREAD,
        f"guitar and drums play together in fewer than {MIN_BARS} bars",
    }
    known = {key: HOLE.sub(".+", words[0]) for key, words in WORDS.items() if key.startswith("heard.")}
    assert len(remarks) >= 7
    for remark in remarks:
        assert any(re.fullmatch(pattern, remark) for pattern in known.values()), remark
