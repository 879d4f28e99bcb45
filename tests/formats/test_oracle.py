"""music21's low-level reader as a second opinion on ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench import oracle
from seq2drum.formats.midi import midi
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

SONG = Song(
    480,
    (Part.of([Note(0, 480, 60, 64), Note(480, 0, 60, 64)]), Part.of([Note(240, 10, 36, 100)], is_drums=True)),
    (Tempo(0, 400_000),),
    (Metre(0, 7, 8),),
    960,
)


@pytest.mark.slow
def test_both_readers_agree_on_every_sample_song(sample: list[Path]) -> None:
    pytest.importorskip("music21")
    for path in sample:
        assert oracle.compare(path.read_bytes()) == [oracle.AGREE], path.name


def test_both_readers_agree_on_what_we_write() -> None:
    pytest.importorskip("music21")
    assert oracle.compare(midi.serialise(SONG)) == [oracle.AGREE]


def test_the_oracle_sees_a_wrong_note_a_wrong_tempo_and_a_wrong_metre() -> None:
    right = oracle.ours(SONG)
    assert oracle.reasons(right, right) == []
    wrong = oracle.Heard(96, right.notes[1:], (), ((0, 3, 4),))
    assert [reason.split(":")[0] for reason in oracle.reasons(wrong, right)] == [
        "ticks per quarter",
        "notes",
        "tempos",
        "metres",
    ]
