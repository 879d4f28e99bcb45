"""Drum text and pictures of drums as files: read like any song, refused in one clear line."""

from __future__ import annotations

import io
import random
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seq2drum.errors import InputError, NotationError, Seq2DrumError
from seq2drum.formats import foreign
from seq2drum.formats.drum_picture import write_drum_picture
from seq2drum.formats.opening import kind_of, open_song
from seq2drum.lattice.patterns import ROWS, WIDTH, picture_of
from seq2drum.music.notes import Note, Part
from tests.mutants import mutant

TEXT = (" ".join(["0b100000000", "0b001000000"] * 8) + " BAR\n") * 2
PICTURE = np.random.default_rng(1).random((ROWS, WIDTH)) < 0.1


def painted(mode: str, picture: np.ndarray = PICTURE) -> bytes:
    """A picture as a program for painting saves it."""
    grey = Image.fromarray(np.where(picture, 0, 255).astype(np.uint8))
    if mode == "LA":  # black on nothing
        grey.putalpha(Image.fromarray((picture * 255).astype(np.uint8)))
        grey.paste(0, (0, 0, *grey.size))
        grey.putalpha(Image.fromarray((picture * 255).astype(np.uint8)))
    elif mode == "RGBA":
        made = Image.new("RGBA", grey.size, (0, 0, 0, 0))
        made.paste((20, 30, 60, 255), mask=Image.fromarray((picture * 255).astype(np.uint8)))
        grey = made
    elif mode == "I;16":
        grey = Image.fromarray(np.where(picture, 0, 65535).astype(np.uint16))
    elif mode == "soft":
        grey = grey.point(lambda value: value or 100).convert("RGB")
    else:
        grey = grey.convert(mode)
    return saved(grey)


def saved(image: Image.Image, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()


def test_drum_text_is_known_by_its_first_word_and_read(tmp_path: Path) -> None:
    for data in (TEXT.encode(), b"\xef\xbb\xbf\n\n " + TEXT.encode()):
        song = open_song(data).song
        assert (song.length, len(song.bars())) == (2 * 1920, 2)
        assert [(part.is_drums, len(part)) for part in song.parts] == [(True, 32)]
    path = tmp_path / "beat.drums"
    path.write_bytes(TEXT.encode())
    assert open_song(path).song == song


def test_a_text_of_rests_is_a_song_without_parts() -> None:
    assert open_song(b" ".join([b"0b000000000"] * 16)).song.parts == ()


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "LA", "I;16", "soft"])
def test_what_people_paint_is_read(mode: str) -> None:
    song = open_song(painted(mode)).song
    assert np.array_equal(picture_of(song.parts[0]), PICTURE)
    assert len(song.bars()) == 8


def test_a_picture_that_was_written_is_read() -> None:
    data = write_drum_picture(PICTURE)
    assert kind_of(data).name == "PNG picture of drums"
    assert np.array_equal(picture_of(open_song(data).song.parts[0]), PICTURE)
    with Image.open(io.BytesIO(data)) as image:
        assert (image.size, image.getextrema()) == ((256, 25), (0, 255))


def beat(*notes: int) -> np.ndarray:
    """A picture with the first of some notes on each quarter, the second between them, and so on."""
    rows = [Note(at * 480 + place * 120, 60, note, 90) for at in range(32) for place, note in enumerate(notes)]
    return picture_of(Part.of(rows, is_drums=True))


@pytest.mark.parametrize("notes", [(36, 42, 38, 42), (42, 38), (36, 49, 57), (36, 60), (41, 43, 45)])
def test_a_picture_whose_kick_is_the_top_row_is_read_as_the_same_drums_and_it_is_said(notes: tuple[int, ...]) -> None:
    ours = open_song(write_drum_picture(beat(*notes))).song
    assert ours.remarks == ()
    assert np.array_equal(picture_of(ours.parts[0]), beat(*notes))
    theirs = open_song(write_drum_picture(beat(*notes)[::-1])).song
    if {36, 38}.isdisjoint(notes) or 60 in notes:  # nothing tells which way up it is
        assert theirs.remarks == ()
        return
    assert theirs.parts == ours.parts
    assert theirs.remarks == (
        "the kick is in the top row of this picture, as in the pictures of GANs-Drum-Pattern-Generator, and so the rows"
        " were read from 36 on top to 60",
    )


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (painted("L")[:20], "not a whole PNG picture|has .* pixels"),
        (painted("L", np.zeros((ROWS, WIDTH), bool)), "nothing is painted"),
        (painted("L", np.ones((ROWS, WIDTH), bool)), "all of this picture is dark"),
        (saved(Image.new("L", (WIDTH, 24))), "has 256 x 24 pixels, wanted 256 x 25"),
        (saved(Image.new("L", (1, 1))), "has 1 x 1 pixels"),
        (painted("L")[:16] + b"\0\1\0\0\0\1\0\0" + painted("L")[24:], "has 65536 x 65536 pixels"),
        (b"0b" + b"\xff" * 9, "byte 2 is not UTF-8"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / ("drawn.png" if data.startswith(b"\x89") else "beat.txt")
    path.write_bytes(data)
    with pytest.raises(NotationError, match=said) as caught:
        open_song(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("tab.txt", b"e|--3--2--|\nB|--------|", "this is tablature in letters"),
        ("notes.txt", b"Dear friend", "line 1, column 1: 'Dear' is not a word of drum text"),
        ("drawn.png", saved(Image.new("L", (WIDTH, ROWS)), "JPEG"), r"this is a picture \(JPEG\)"),
    ],
)
def test_a_file_of_such_a_name_that_is_another_is_told_by_name(
    name: str, data: bytes, said: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(InputError, match=said):
        open_song(tmp_path / name)


def test_damaged_files_are_a_song_or_one_clear_line() -> None:
    chance, files = random.Random(5), [painted(mode) for mode in ("P", "RGBA", "1")] + [TEXT.encode()]
    for number in range(400):
        data = mutant(files[number % 4], chance)
        if foreign.recognised(data) in (foreign.PICTURE, foreign.DRUM_TEXT):
            try:
                open_song(data)
            except Seq2DrumError as error:
                assert "\n" not in str(error)
