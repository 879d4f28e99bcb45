"""Drum text to a song: `lattice.words` says what the text means."""

from __future__ import annotations

from seq2drum.errors import NotationError
from seq2drum.formats import foreign
from seq2drum.lattice.patterns import part_of, song_of_part
from seq2drum.lattice.words import pattern_of_text
from seq2drum.music.notes import Song


def read_drum_text(data: bytes) -> Song:
    """The drums of a text, at MIDI's usual tempo; the song is as long as its bars.

    Raises:
        NotationError: it is no drum text; the line and the column.
    """
    if (kind := foreign.recognised(data)) is not None and kind is not foreign.DRUM_TEXT:
        raise NotationError(f"this is {kind.what}, and no drum text; {kind.advice}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotationError(f"this is no text: byte {error.start} is none of UTF-8; wanted drum text") from None
    pattern = pattern_of_text(text)
    return song_of_part(part_of(pattern), pattern.bars)
