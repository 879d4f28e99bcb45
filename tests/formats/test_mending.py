"""What symusic reads wrongly is put right. Whole files are tried in `test_midi` and `test_mutants`."""

from __future__ import annotations

import pytest

from seq2drum.formats.midi import midi
from seq2drum.formats.midi.events import END_OF_TRACK, Track

NOTE_ON, NOTE_OFF = b"\x00\x99\x24\x50", b"\x60\x24\x00"
NAMED = b"\x00\xff\x03\x04caf\xe9" + b"\x00\xff\x06\x80\x02\xe9t" + b"\x00\xf0\x03\x01\x02\xf7" + NOTE_ON
TEMPO = b"\x81\x00\xff\x51\x03\xff\x03\x01"  # with bytes that look like a name


@pytest.mark.parametrize("between", [b"", b"\x00\xf0\x02\x01\x02", b"\x00\xf7\x02\x90\x40", b"\x00\xff\x2f\x01\x00"])
def test_names_are_mended_alike_whether_their_track_is_walked_through_or_not(between: bytes) -> None:
    track = Track(1, 22, NAMED + NOTE_OFF + TEMPO + between + NAMED + b"\x00" + END_OF_TRACK)
    mended = midi.with_plain_text(track)
    assert mended == midi.mended(track) != track
    assert mended.events.count("café".encode()) == (1 if between.startswith(b"\x00\xff") else 2)
