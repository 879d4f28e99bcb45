"""Tabs of Power Tab: what is heard of both versions, and files that are damaged or hostile."""

from __future__ import annotations

import functools
import gzip
import json
import random
import time
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import pytest

from seq2drum.errors import NotationError, Seq2DrumError
from seq2drum.formats.opening import open_song
from seq2drum.formats.powertab.reading import read_powertab
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Marker, Song
from tests.conftest import LONG
from tests.mutants import mutant
from tests.powertab_files import as_json, barline, guitar, position, pt2, ptb, riff, system

VERSIONS: dict[str, Callable[..., bytes]] = {"1.7": ptb, "2": pt2, "2 in words": functools.partial(pt2, words=True)}
every_version = pytest.mark.parametrize("version", VERSIONS)


def heard(song: Song, at: int = 0) -> list[tuple[Fraction, Fraction, int]]:
    """Onset and length in quarters, and pitch, of the notes of a part."""
    ticks = song.ticks_per_quarter
    return [(Fraction(note.onset, ticks), Fraction(note.duration, ticks), note.pitch) for note in song.parts[at]]


@every_version
def test_guitars_have_names_programs_tunings_and_capos(version: str) -> None:
    staff = [position(0, (6, 3), (5, 5), length=4), position(1, length=4), position(2, (1, 0), length=2)]
    bass = [position(0, (4, 0), length=1)]
    guitars = [guitar(capo=2), guitar("Bass", 33, (43, 38, 33, 28))]
    both = system(staff, bass, players=[(0, 0, [0]), (0, 1, [1])])
    song = open_song(VERSIONS[version]([both], guitars)).song
    assert [(part.name, part.program, part.is_drums) for part in song.parts] == [
        ("Guitar", 29, False),
        ("Bass", 33, False),
    ]
    assert heard(song) == [(0, 1, 45), (0, 1, 52), (2, 2, 66)]
    assert heard(song, 1) == [(0, 4, 28)]


@every_version
def test_dots_triplets_ties_and_voices_have_their_lengths(version: str) -> None:
    thirds = [position(1 + number, (6, 1), triplet=True) for number in range(3)]
    first = [position(0, (6, 0), length=4, flags="Dotted"), *thirds, position(4, (6, 2), length=4, flags="Dotted")]
    tied = [position(0, (6, 2), length=1, flags="Tied")]
    second = [position(0, (1, 0), length=2), position(4, (1, 2), length=2)]
    song = open_song(VERSIONS[version]([system(first, second=second), system(tied)], [guitar()])).song
    third, at = Fraction(1, 3), Fraction(3, 2)
    low = [note for note in heard(song) if note[2] < 60]
    assert low == [
        (0, at, 40),
        *((at + third * number, third, 41) for number in range(3)),
        (Fraction(5, 2), Fraction(11, 2), 42),
    ]
    assert [note for note in heard(song) if note[2] >= 60] == [(0, 2, 64), (2, 2, 66)]


@every_version
def test_effects_change_loudness_and_length(version: str) -> None:
    words = ("", "PalmMuting", "HammerOnOrPullOff Marcato", "")
    bar = [position(at, (6, 0), length=4, flags=flags) for at, flags in enumerate(words)]
    rapid = [
        position(0, (6, 0), length=4, flags="TremoloPicking"),
        position(1, (6, 3), flags="Acciaccatura"),
        position(2, (6, 5), length=2, flags="Dotted"),
    ]
    song = open_song(VERSIONS[version]([system(bar), system(rapid)], [guitar()])).song
    assert song.parts[0].velocity[:4].tolist() == [95, 79, 111, 79]
    strokes = [4 + Fraction(number, 8) for number in range(8)]
    assert [(onset, pitch) for onset, _, pitch in heard(song)[4:]] == [
        *((stroke, 40) for stroke in strokes),
        (strokes[7], 43),
        (5, 45),
    ]


@every_version
def test_tempos_metres_sections_and_swing_are_those_of_the_bars(version: str) -> None:
    first = system(
        [position(at, (6, 0)) for at in range(8)],
        barlines=[barline(0, section="Verse")],
        tempos=[(0, 45, 0, 1)],  # halves
    )
    second = system([position(0, (6, 0), length=4)], barlines=[barline(0, (7, 8))], tempos=[(0, 150, 2, 3)])
    song = open_song(VERSIONS[version]([first, second], [guitar()])).song
    ticks = song.ticks_per_quarter
    assert [Fraction(bar.length, ticks) for bar in song.bars()] == [4, Fraction(7, 2)]
    assert [(tempo.tick // ticks, round(tempo.bpm)) for tempo in song.tempos] == [(0, 90), (4, 150)]
    assert song.markers == (Marker(0, "Verse", True),)
    assert heard(song)[1][0] == Fraction(2, 3)


@every_version
def test_repeats_endings_and_jumps_are_played_out(version: str) -> None:
    bars = [position(number, (6, number), length=1) for number in range(5)]
    lines = [barline(0), barline(1, opens=True), barline(2), barline(3, count=2), barline(4)]
    form = system(bars, barlines=lines, endings=[(2, [1]), (3, [2])])
    song = open_song(VERSIONS[version]([form], [guitar()])).song
    assert (song.parts[0].pitch - 40).tolist() == [0, 1, 2, 1, 3, 4]
    fine = system(bars[:3], barlines=[lines[0], barline(1), barline(2)], directions=[(1, 4), (2, 16)])
    song = open_song(VERSIONS[version]([fine], [guitar()])).song
    assert (song.parts[0].pitch - 40).tolist() == [0, 1, 2, 0, 1]


@every_version
def test_a_bar_without_anything_between_repeat_signs_is_none(version: str) -> None:
    bars = [position(0, (6, 0), length=1), position(3, (6, 3), length=1)]
    lines = [barline(0, opens=True), barline(1, count=2), barline(2, opens=True)]
    song = open_song(VERSIONS[version]([system(bars, barlines=lines, count=2)], [guitar()])).song
    assert (song.parts[0].pitch - 40).tolist() == [0, 0, 3, 3]


@every_version
def test_a_rest_of_many_bars_is_so_many(version: str) -> None:
    bars = [position(0, (6, 0), length=1), position(1, length=1, bars=3), position(2, (6, 1), length=1)]
    lines = [barline(0), barline(1), barline(2)]
    song = open_song(VERSIONS[version]([system(bars, barlines=lines)], [guitar()])).song
    assert len(song.bars()) == 5
    assert heard(song) == [(0, 4, 40), (16, 4, 41)]


@every_version
def test_a_staff_is_heard_on_the_guitars_that_play_it(version: str) -> None:
    bars = [position(number, (6, number), length=1) for number in range(3)]
    lines = [barline(0), barline(1), barline(2)]
    one = system(bars, barlines=lines, players=[(0, 0, [0]), (1, 0, [1]), (2, 0, [0, 1])])
    song = open_song(VERSIONS[version]([one], [guitar("A"), guitar("B")])).song
    assert [[note.pitch - 40 for note in part] for part in song.parts] == [[0, 2], [1, 2]]


def test_the_scores_of_guitar_and_bass_sound_together() -> None:
    systems, guitars = riff(2)
    bass = system([position(0, (4, 3), length=1)]), [guitar("Bass", 33, (43, 38, 33, 28))]
    song = read_powertab(ptb(systems, guitars, [bass[0]] * 2, bass[1]))
    assert [part.name for part in song.parts] == ["Guitar", "Bass"]
    assert heard(song, 1) == [(0, 4, 31), (4, 4, 31)]


# --- files that are damaged or hostile --------------------------------------------------------------------------------


OLD, NEW = ptb(*riff(2)), as_json(*riff(2))


def changed(**more: Any) -> bytes:
    """A file of version 2 in which the first position has other values."""
    copy = json.loads(json.dumps(NEW))
    copy["score"]["systems"][0]["staves"][0]["voices"]["0"]["positions"][0] |= more
    return json.dumps(copy).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"MThd", "not a tab of Power Tab: it begins with 'MThd'"),
        (OLD.replace(b"ptab\4", b"ptab\2"), "version 2 of Power Tab's format; 4 is read"),
        (OLD[:-30], "in the middle of its music"),
        (OLD + bytes(TAB_LIMITS.binary_bytes), "bytes; at most"),
        (b"{}", "has no score in it"),
        (b'{"score":{}}', "no measures"),
        (b'{"score":', "damaged"),
        (b'{"score":' + b"[" * 100_000, "damaged"),
        (gzip.compress(b'{"score":{}}')[:-12], "middle of its music"),
        (b"\x1f\x8bnothing", "packed tab is damaged"),
        (gzip.compress(b" " * (17 * 2**20)), "grows beyond"),
        (changed(duration=3), "lasts 1/3"),
        (changed(notes=[{"string": 6, "fret": 1}]), "on string 7 of 6"),
        (changed(notes=[], multibar_rest=999_999), "more than 5,000 bars"),
    ],
)  # fmt: skip
def test_what_is_no_tab_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(NotationError, match=words.replace("(", r"\(")):
        read_powertab(data)


def test_a_tab_that_nobody_writes_is_read_or_refused_soon() -> None:
    crowd = [position(at % 200, (6, 0), length=64) for at in range(20_000)]
    crowded = system(
        crowd, barlines=[barline(at) for at in range(200)], players=[(at, 0, [0]) for at in range(200)] * 20
    )
    began = time.process_time()
    for tab in (pt2([crowded], [guitar()]), pt2([system(*[[]] * 900, barlines=[barline(0)] * 900)], [guitar()])):
        try:
            assert read_powertab(tab).parts
        except NotationError as error:
            assert "wanted" in str(error) or "at most" in str(error)
    assert time.process_time() - began < 5


def distorted(item: Any, chance: random.Random) -> Any:
    """JSON in which values are replaced by others, or by nonsense."""
    nonsense = [-1, 0, 10**9, 10**30, 1e308, "", "x" * 3000, None, True, [], {}, [[]], "11111111111111111111"]
    if chance.random() < 0.01:
        return chance.choice(nonsense)
    if isinstance(item, dict):
        return {name: distorted(value, chance) for name, value in item.items()}
    return [distorted(value, chance) for value in item] if isinstance(item, list) else item


def test_damaged_tabs_are_songs_or_one_line_soon() -> None:
    bar = [position(0, (6, 0), (5, 2), flags="TremoloPicking"), position(1, (6, 1), triplet=True), position(2, bars=2)]
    lines = [barline(0, opens=True, section="A"), barline(2, (7, 8), count=2)]
    rich = system(
        bar, bar, second=bar, barlines=lines, count=3, endings=[(0, [1, 2])], directions=[(0, 2), (2, 9)],
        tempos=[(0, 90, 3, 1)], players=[(0, 0, [0]), (2, 1, [0, 1])],
    )  # fmt: skip
    song = [rich, rich, *riff(1)[0]], [guitar(), guitar("Other")]
    chance, old, new = random.Random(13), ptb(*song, *song), as_json(*song)
    songs = 0
    for number in range(5_000 if LONG else 300):
        if number % 2:
            data = mutant(old, chance)
        else:
            data = json.dumps(distorted(new, chance)).encode()
            data = gzip.compress(data) if chance.random() < 0.5 else mutant(data, chance)
        began = time.process_time()
        try:
            read = read_powertab(data)
        except Seq2DrumError as error:
            assert "\n" not in str(error)
            assert 20 < len(str(error)) < 500
        else:
            songs += 1
            assert all(0 <= pitch <= 127 for part in read.parts for pitch in part.pitch.tolist())
        assert time.process_time() - began < 0.5
    assert songs > 30
