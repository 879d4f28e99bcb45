"""Take it away: files with count-in and click, dragged out, and of long songs, in Chromium."""

from __future__ import annotations

import io
import shutil
import wave
import zipfile
from pathlib import Path

import pytest

from bench import service
from seq2drum.formats.midi import midi
from tests.conftest import ROOT
from tests.web.browser import Page, waited
from tests.web.conftest import PAGE

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (PAGE / "downloads.js").exists(), reason="the page has no downloads"),
]

WALTZ = ROOT / "examples" / "waltz.mid"
THERE = "window.seq2drum?.song?.session"
DONE = f"{THERE}?.work?.name === given[0] && {THERE}.take?.midi && !{THERE}.busy && true"
MINUTES = 10
LONG = 400.0  # seconds that ten minutes of sound may take to be made and to come


def played(page: Page, path: Path, seconds: float = 90.0) -> None:
    """Open a file, one take of which is made, and wait for all its drums."""
    page.until(f"{THERE} && true")
    page.run(f"{THERE}.meant({{ takes: 1 }});")
    page.find("#file").send_keys(str(path))
    page.until(DONE, path.name, seconds=seconds)
    page.touch("#download")


def asked(page: Page, count: int, *, click: bool) -> None:
    """Choose a count-in and a click."""
    page.run(
        "const count = document.querySelector('#save-count'), click = document.querySelector('#save-click');"
        "count.value = given[0]; click.checked = given[1];",
        str(count),
        click,
    )


def saved(page: Page, form: str) -> tuple[str, bytes]:
    """A file of that format, as it is downloaded."""
    return page.downloaded(lambda: page.run("document.querySelector(`[data-format=${given[0]}]`).click();", form))


def test_files_have_the_count_in_and_the_click_that_are_chosen(page: Page) -> None:
    played(page, WALTZ)
    plain = midi.parse(saved(page, "midi")[1])
    asked(page, 2, click=True)
    name, data = saved(page, "midi")
    counted = midi.parse(data)
    bar = plain.bars()[0].length
    assert name == "waltz.drums.mid" and counted.end == plain.end + 2 * bar
    assert [part.name for part in counted.parts if not part.is_drums] == ["Click"]
    assert sum(int((part.onset < 2 * bar).sum()) for part in counted.parts if part.is_drums) == 6  # sticks
    for form, begins in (("tab", b"waltz"), ("guitar_pro", b"\x18FICHIER GUITAR PRO")):
        assert saved(page, form)[1].startswith(begins), form
    assert page.complaints() == []


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="needs FluidSynth")
def test_sound_comes_as_flac_without_loss(page: Page) -> None:
    import soundfile

    played(page, WALTZ)
    name, data = saved(page, "flac")
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    assert name == "waltz.flac" and data[:4] == b"fLaC"
    with wave.open(io.BytesIO(saved(page, "wav")[1])) as sound:
        assert (rate, samples.tobytes()) == (sound.getframerate(), sound.readframes(sound.getnframes()))


def test_a_file_that_one_points_at_can_be_dragged_out(page: Page) -> None:
    played(page, WALTZ)
    page.run("document.querySelector('[data-format=midi]').dispatchEvent(new PointerEvent('pointerenter'));")
    page.until("document.querySelector('[data-format=midi]').draggable")
    told = page.run(
        "const dataTransfer = new DataTransfer();"
        "document.querySelector('[data-format=midi]').dispatchEvent(new DragEvent('dragstart', { dataTransfer }));"
        "return dataTransfer.getData('DownloadURL');"
    )
    media, name, address = told.split(":", 2)
    assert (media, name) == ("audio/midi", "waltz.drums.mid")

    def download() -> None:
        page.run("Object.assign(document.createElement('a'), { href: given[0], download: '' }).click();", address)

    assert page.downloaded(download)[1] == bytes(page.run(f"return [...{THERE}.take.midi];"))


@pytest.mark.skipif(shutil.which("fluidsynth") is None, reason="needs FluidSynth")
def test_stems_of_ten_minutes_come_with_count_in_and_click_while_the_page_goes_on(page: Page, tmp_path: Path) -> None:
    song = tmp_path / "long.mid"
    song.write_bytes(service.song("funk", 262))  # at 104 quarters a minute
    played(page, song, LONG)
    assert page.run(f"return {THERE}.analysis.timeline.seconds;") >= 60 * MINUTES
    asked(page, 1, click=True)
    page.run("document.querySelector('[data-format=stems]').click();")
    page.says("The download starts by itself", selector="#messages")
    page.run(
        "window.longest = 0; let last = performance.now();"
        "setInterval(() => { const now = performance.now();"
        " window.longest = Math.max(window.longest, now - last); last = now; }, 20);"
    )
    path = page.downloads / "long.stems.zip"
    waited(path.exists, "the stems", LONG)
    try:
        with zipfile.ZipFile(path) as archive:
            assert {"guitar.wav", "click.wav", "kick.wav", "snare.wav", "mix.wav"} <= {*archive.namelist()}
            with archive.open("mix.wav") as file, wave.open(file) as sound:
                assert sound.getnframes() / sound.getframerate() > 60 * MINUTES
    finally:
        path.unlink()
    assert page.run("return window.longest;") < 2000  # it never stood still
    assert page.complaints() == []
