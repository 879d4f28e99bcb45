"""Drums as a picture that can be painted (PNG to song and back), and drum text to song.

`lattice.patterns` defines the picture. Painted pictures are read in colour, grey, black and white, with a palette, a
transparent ground (read as white) or soft edges: a pixel darker than mid grey is a hit.
"""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from seq2drum.errors import NotationError
from seq2drum.formats import foreign
from seq2drum.lattice.patterns import (
    BARS,
    COLUMNS,
    NOTES,
    ROWS,
    WIDTH,
    Picture,
    is_upside_down,
    part_of,
    part_of_picture,
    pattern_of_text,
    song_of_part,
)
from seq2drum.music.notes import Song

UPSIDE_DOWN = (
    "the kick is in the top row of this picture, as in the pictures of GANs-Drum-Pattern-Generator, and so the rows"
    f" were read from {NOTES[0]} on top to {NOTES[-1]}"
)
_WHITE, _DARK = 255, 128
_DEEP = 257  # 16-bit levels for each 8-bit level


def read_drum_picture(data: bytes) -> Song:
    """The drums that are painted in a PNG file, eight bars of 4/4 at MIDI's usual tempo.

    A picture with its kick in the top row is read upside down, with a remark.

    Raises:
        NotationError: not a PNG file, damaged, of another size, or empty.
    """
    if (kind := foreign.recognised(data)) is not None and kind is not foreign.PICTURE:
        raise NotationError(f"this is {kind.what}, wanted a PNG picture")
    picture = _grey(data) < _DARK
    if not picture.any():
        raise NotationError("nothing is painted in this picture; wanted black hits on white")
    if picture.all():
        raise NotationError("all of this picture is dark; wanted black hits on white")
    if is_upside_down(picture):
        return replace(song_of_part(part_of_picture(picture[::-1]), BARS), remarks=(UPSIDE_DOWN,))
    return song_of_part(part_of_picture(picture), BARS)


def write_drum_picture(picture: Picture) -> bytes:
    """A picture as PNG, black hits on white, a pixel each."""
    buffer = io.BytesIO()
    Image.fromarray(np.where(picture, 0, _WHITE).astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def _grey(data: bytes) -> NDArray[np.floating]:
    """(ROWS, WIDTH): the brightness of each pixel, 0..255. The size is checked before anything is unpacked."""
    if data[12:16] == b"IHDR" and (size := struct.unpack(">II", data[16:24].ljust(8, b"\0"))) != (WIDTH, ROWS):
        raise NotationError(
            f"the picture has {size[0]} x {size[1]} pixels, wanted {WIDTH} x {ROWS}: {BARS} bars of {COLUMNS} columns,"
            f" a row for each note from {NOTES[-1]} on top to {NOTES[0]}. A picture of notes on paper cannot be read"
        )
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            warnings.simplefilter("ignore")  # about chunks that are not read
            if image.mode.startswith("I"):  # 16 bits of grey
                return np.asarray(image, dtype=np.float64) / _DEEP
            ground = Image.new("RGBA", image.size, (_WHITE,) * 4)
            ground.alpha_composite(image.convert("RGBA"))
            return np.asarray(ground.convert("L"), dtype=np.float64)
    except (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error):  # Pillow's errors for damaged files
        raise NotationError("this is not a whole PNG picture; save it again as PNG") from None


def read_drum_text(data: bytes) -> Song:
    """The drums of a text, at MIDI's usual tempo; the song is as long as its bars.

    Raises:
        NotationError: malformed drum text; the message has the line and the column.
    """
    if (kind := foreign.recognised(data)) is not None and kind is not foreign.DRUM_TEXT:
        raise NotationError(f"this is {kind.what}, not drum text; {kind.advice}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotationError(f"this is not text: byte {error.start} is not UTF-8; wanted drum text") from None
    pattern = pattern_of_text(text)
    return song_of_part(part_of(pattern), pattern.bars)
