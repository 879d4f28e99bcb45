"""Notation in plain text, ABC and Humdrum: what is read of it, and what is refused."""

from __future__ import annotations

import random
import time

import pytest

from seq2drum.errors import NotationError, Seq2DrumError
from seq2drum.formats.opening import open_song
from seq2drum.music.limits import SCORE_LIMITS
from seq2drum.music.notes import Part
from tests.mutants import mutant

ABC = b"""X:1
T:A riff
M:4/4
L:1/8
Q:1/4=132
K:Em
|: E,2 G,A, B,2 [EB]2 |1 (3EFG A2 B4 :|2 e8- | e8 |]

X:2
T:Another
M:3/4
K:C
C3|
"""
KERN = b"""!!!OTL: A riff
**kern\t**kern
*M3/4\t*M3/4
*MM120\t*MM120
=1001\t=1001
2EE\t4e
.\t8g
.\t8a
4AA\t4b
=1002\t=1002
2.EE\t2.e
==\t==
*-\t*-
"""


def tune(bars: bytes) -> bytes:
    return b"X:1\nM:1/4\nL:1/4\nK:C\n" + bars + b"\n"


def heard(part: Part, ticks: int) -> list[tuple[float, int]]:
    return [(note.onset / ticks, note.pitch) for note in part]


def test_a_tune_in_abc_is_read_with_its_repeats() -> None:
    song = open_song(ABC).song
    (part,) = song.parts
    first = [(0, 52), (1, 55), (1.5, 57), (2, 59), (3, 64), (3, 71)]
    second = [(4, 64), (pytest.approx(4 + 1 / 3), 66), (pytest.approx(4 + 2 / 3), 67), (5, 69), (6, 71)]
    again = [(onset + 8, pitch) for onset, pitch in first]
    assert heard(part, song.ticks_per_quarter) == [*first, *second, *again, (12, 76)]
    assert part.duration[-1] == 8 * song.ticks_per_quarter
    assert round(song.tempos[0].bpm) == 132
    assert [bar.length // song.ticks_per_quarter for bar in song.bars()] == [4] * 5


def pitches(data: bytes) -> list[int]:
    return [note.pitch for note in open_song(data).song.parts[0]]


def test_a_repeat_without_its_beginning_is_played_from_the_end_of_the_last_one() -> None:
    assert pitches(tune(b"C|D:|E|F:|G|")) == [60, 62, 60, 62, 64, 65, 64, 65, 67]


def test_repeats_within_repeats_are_played_within_them() -> None:
    assert pitches(tune(b"|:C|D|:E|F:|G:|A|")) == [60, 62, 64, 65, 64, 65, 67] * 2 + [69]


def test_chord_symbols_and_slurs_change_nothing() -> None:
    assert open_song(tune(b'"Am"C/>(D/|E/)"D7 (no 3rd)"F/|(3C/D/E/|')) == open_song(tune(b"C/>D/|E/F/|(3C/D/E/|"))


def test_a_piece_in_humdrum_has_a_part_for_each_spine(tmp_path) -> None:
    path = tmp_path / "riff.krn"
    path.write_bytes(KERN)
    song = open_song(path).song
    found = sorted(heard(part, song.ticks_per_quarter) for part in song.parts)
    assert found == [[(0, 40), (2, 45), (3, 40)], [(0, 64), (1, 67), (1.5, 69), (2, 71), (3, 64)]]
    assert [(bar.numerator, bar.denominator) for bar in song.bars()] == [(3, 4), (3, 4)]
    assert round(song.tempos[0].bpm) == 120


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ABC.replace(b"M:4/4", b"M:99999999/4"), "beyond the limit of 64/64"),
        (KERN.replace(b"*M3/4", b"*M3/1000", 1), "beyond the limit of 64/64"),
        (ABC.replace(b"E,2", b"E,99999"), "the number 99999"),
        (KERN.replace(b"2EE", b"99999EE"), "the number 99999"),
        (ABC.replace(b"E,2", b"E,\0"), "is not text"),
        (ABC + b"C" * SCORE_LIMITS.text_bytes, "more than 65,536 bytes"),
        (ABC + b"C8|" * 401, "some 4.. bars"),
        (
            tune(b"|:C|D" * 12 + b":|C" * 12 + b"|"),
            "the score has more than 10,000 measures",
        ),
        (tune(b"[" + b"C" * 129 + b"]|C|"), "129 notes in a chord"),
        (tune(b"{" + b"C" * 600 + b"}C|C|"), "more than 512 notes and signs"),
        (tune(b"C65|C|"), "longer than 64 quarters"),
        (tune(b"CC|" * 65), "65 bars that are longer than their metre"),
        (tune(b"C|C|" + b"C1::" * 401 + b"C|"), "40. bars"),
        (tune(b"C|" * 10 + b"".join(b"\nV:%d\nC|C|" % voice for voice in range(60))), "720 bars"),
        (tune(b"".join(b"\nV:%d\nC|C|" % voice for voice in range(65))), "65 voices"),
        (tune(b"C|C|\n" + b"K:C\n" * 250), "254 fields"),
        (KERN.replace(b"2EE", b"2EE" + b" 2E" * 128), "129 notes in a chord"),
        (KERN.replace(b"**kern\t", b"**kern\t" * 64, 1), "65 spines"),
        (b"X:1\nT:Nothing\nK:C\n", "no measures|cannot read|no parts"),
    ],
)
def test_what_is_no_music_is_told_in_one_line(data, message) -> None:
    with pytest.raises(NotationError, match=message) as caught:
        open_song(data)
    assert "\n" not in str(caught.value)


def try_all(count: int, seed: int) -> int:
    """Open damaged files; returns how many were songs."""
    chance, songs = random.Random(seed), 0
    for number in range(count):
        data = mutant((ABC, KERN)[number % 2], chance)
        before = time.process_time()
        try:
            open_song(data)
            songs += 1
        except Seq2DrumError as error:
            assert "\n" not in str(error)
        assert time.process_time() - before < 5
    return songs


def test_each_damaged_text_is_a_song_or_one_line() -> None:
    assert try_all(20, 1) > 2


@pytest.mark.slow
def test_each_of_many_damaged_texts_is_a_song_or_one_line() -> None:
    assert try_all(400, 2) > 40
