"""Odd, extreme and broken files from parsers' own tests and from the wild."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from seq2drum.errors import Seq2DrumError
from seq2drum.formats.midi import midi
from seq2drum.music.notes import Note, Part
from tests.conftest import corpus_files

FILES = corpus_files("torture")

pytestmark = pytest.mark.skipif(not FILES, reason="needs the corpus of real music in ../shared/corpus")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem[-40:])
def test_every_file_is_read_or_refused_with_a_named_error_within_seconds(path: Path) -> None:
    data = path.read_bytes()
    before = time.process_time()
    try:
        song = midi.parse(data)
    except Seq2DrumError as error:
        assert len(str(error)) > 20
        assert "\n" not in str(error)
    else:
        assert song.bars()[-1].end >= song.end
        assert midi.parse(midi.serialise(song)) == song
        drums = Part.of([Note(0, 1, 36, 100)], name="Drums", is_drums=True)
        with_drums = midi.parse(midi.with_drums(data, drums))
        # Whatever is on channel 10 of a file for Yamaha XG is on one of its kits.
        assert [replace(part, is_xg=False) for part in with_drums.parts if part.is_drums] == [drums]
        assert [part for part in with_drums.parts if not part.is_drums] == [
            part for part in song.parts if not part.is_drums
        ]
    assert time.process_time() - before < 3.0  # a tenth of that where it was measured
    assert path.read_bytes() == data


def test_most_of_them_are_read() -> None:
    read = 0
    for path in FILES:
        try:
            midi.read(path)
        except Seq2DrumError:
            continue
        read += 1
    assert read >= 237
