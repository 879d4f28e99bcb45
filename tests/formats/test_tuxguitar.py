"""Tabs of TuxGuitar: what is heard of all versions, the order of measures, and files that are damaged or hostile."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest

from seq2drum.errors import NotationError, Seq2DrumError
from seq2drum.formats.opening import open_song
from seq2drum.formats.tuxguitar.reading import read_tuxguitar
from seq2drum.formats.tuxguitar.written import Head, order
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Marker, Song
from tests.conftest import LONG
from tests.mutants import mutant, reworded
from tests.tuxguitar_files import beat, content, head, old, packed, riff, track

Write = Callable[[Sequence[dict[str, Any]], Sequence[dict[str, Any]]], bytes]
VERSIONS: dict[str, Write] = {
    "2": lambda heads, tracks: packed(content(heads, tracks)),
    **{f"1.{minor}": functools.partial(old, minor=minor) for minor in (5, 3, 2, 1, 0)},
}
every_version = pytest.mark.parametrize("version", VERSIONS)


def heard(song: Song, at: int = 0) -> list[tuple[Fraction, Fraction, int]]:
    """Onset and length in quarters, and pitch, of the notes of a part."""
    ticks = song.ticks_per_quarter
    return [(Fraction(note.onset, ticks), Fraction(note.duration, ticks), note.pitch) for note in song.parts[at]]


@every_version
def test_tracks_have_names_programs_tunings_and_kits(version: str) -> None:
    guitar = track([beat((6, 3), (5, 5), length=4), beat(length=4), beat((1, 0), length=2)], offset=2)
    bass = track([beat((4, 0), length=1)], name="Bass", program=33, tuning=(43, 38, 33, 28))
    kit = track([beat((6, 36), (1, 42), length=2), beat((5, 38), length=2)], name="Kit", tuning=(0,) * 6, is_drums=True)
    song = open_song(VERSIONS[version]([head()], [guitar, bass, kit])).song
    named = [(part.name, part.program, part.is_drums) for part in song.parts]
    assert named == [("Guitar", 29, False), ("Bass", 33, False), ("Kit", 29, True)]
    assert heard(song) == [(0, 1, 45), (0, 1, 52), (2, 2, 66)]
    assert [part.pitch.tolist() for part in song.parts[1:]] == [[28], [36, 42, 38]]


@every_version
def test_dots_and_tuplets_have_their_lengths_and_ties_go_on(version: str) -> None:
    first = [beat((6, 0), length=4, dots=1), *[beat((6, 1), enters=3)] * 3, beat((6, 2), length=4, dots=1)]
    song = open_song(VERSIONS[version]([head()] * 2, [track(first, [beat((6, 2), length=1, tied=True)])])).song
    third = Fraction(1, 3)
    at = Fraction(3, 2)
    assert heard(song) == [
        (0, at, 40),
        *((at + third * number, third, 41) for number in range(3)),
        (Fraction(5, 2), Fraction(11, 2), 42),
    ]


@pytest.mark.parametrize("version", list(VERSIONS)[:-1])
def test_a_second_voice_is_heard_beside_the_first(version: str) -> None:
    both = track([beat((1, 0), length=2), beat((1, 2), length=2)], second=[[beat((6, 0), length=4)] * 4])
    song = open_song(VERSIONS[version]([head()], [both])).song
    assert [(int(onset), pitch) for onset, _, pitch in heard(song)] == [
        (0, 40), (0, 64), (1, 40), (2, 40), (2, 66), (3, 40)
    ]  # fmt: skip


@every_version
def test_effects_change_loudness_and_length(version: str) -> None:
    plain = beat((6, 0), length=4)
    bar = [plain, plain._replace(effects=("palmMute",)), plain._replace(effects=("hammer", "accentuatedNote")), plain]
    song = open_song(VERSIONS[version]([head()], [track(bar)])).song
    assert song.parts[0].velocity.tolist() == [95, 79, 111, 79]
    rapid = track([plain._replace(tremolo=16), beat((6, 5), length=2, dots=1, grace=3)])
    song = open_song(VERSIONS[version]([head()], [rapid])).song
    early = Fraction(7, 8)
    assert [(onset, pitch) for onset, _, pitch in heard(song)] == [
        (0, 40), (Fraction(1, 4), 40), (Fraction(1, 2), 40), (Fraction(3, 4), 40), (early, 43), (1, 45)
    ]  # fmt: skip


@every_version
def test_tempos_metres_sections_and_swing_are_those_of_the_measures(version: str) -> None:
    heads = [head(bpm=90, section="Verse", feel=1), head(7, 8, 150)]
    bars = [beat((6, 0)), beat((6, 0))] * 4, [beat((6, 0), length=4)]
    song = open_song(VERSIONS[version](heads, [track(*bars)])).song
    ticks = song.ticks_per_quarter
    assert [Fraction(bar.length, ticks) for bar in song.bars()] == [4, Fraction(7, 2)]
    assert [(tempo.tick // ticks, round(tempo.bpm)) for tempo in song.tempos] == [(0, 90), (4, 150)]
    assert song.markers == (Marker(0, "Verse", True),)
    assert heard(song)[1][0] == Fraction(2, 3)


@every_version
def test_repeats_and_endings_are_played_out(version: str) -> None:
    heads = [head(), head(opens=True), head(repeats=1, endings=(1,)), head(endings=(2,)), head()]
    bars = [[beat((6, number), length=1)] for number in range(5)]
    song = open_song(VERSIONS[version](heads, [track(*bars)])).song
    assert (song.parts[0].pitch - 40).tolist() == [0, 1, 2, 1, 3, 4]


def form(count: int, **signs: dict[str, Any]) -> list[int]:
    """The order of measures, counted from 1. signs: by "mN"."""
    return [at + 1 for at in order([Head(4, 4, 120, **signs.get(f"m{at}", {})) for at in range(1, count + 1)])]


def test_the_order_is_tuxguitars() -> None:
    assert form(3, m2={"repeats": 2}) == [1, 2, 1, 2, 1, 2, 3]
    assert form(4, m2={"opens": True}, m3={"repeats": 1}, m4={"repeats": 1}) == [1, 2, 3, 2, 3, 4]
    three: dict[str, dict[str, Any]] = {
        "m1": {"opens": True},
        "m2": {"endings": 5, "repeats": 1},
        "m3": {"endings": 2, "repeats": 1},
    }
    assert form(4, **three) == [1, 2, 1, 3, 1, 2, 1, 4]


def test_a_form_that_nobody_writes_is_finished_or_refused_soon() -> None:
    began = time.process_time()
    for heads in (
        [Head(4, 4, 120, opens=True, repeats=9999)] * TAB_LIMITS.measures,
        [Head(4, 4, 120, repeats=9999, endings=255)] * TAB_LIMITS.measures,
        [Head(4, 4, 120, endings=128)] * (TAB_LIMITS.measures - 1) + [Head(4, 4, 120, repeats=9999)],
    ):
        try:
            assert len(order(heads)) <= TAB_LIMITS.played
        except NotationError as error:
            assert "write fewer repeats" in str(error)
    assert time.process_time() - began < 3


# --- files that are damaged or hostile --------------------------------------------------------------------------------


XML = content(*riff(2))
OLD = old(*riff(2))
MANY = "".join(f'<a b="{at * 7919 % 10007 * 65537}"/>' for at in range(101_000)).encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"MThd", "not a tab of TuxGuitar: it begins with 'MThd'"),
        (OLD.replace("1.5".encode("utf-16-be"), "0.9".encode("utf-16-be")), "- 0.9', and TuxGuitar 1.0 to 1.5 and 2"),
        (OLD[:300], "in the middle of its music"),
        (OLD + bytes(TAB_LIMITS.binary_bytes), "bytes; at most"),
        (packed(XML.replace(b"TuxGuitarFile", b"Song")), "root is <Song>"),
        (packed(XML[:-60]), "damaged"),
        (packed(XML.replace(b'string="6"', b'string="7"')), "on string 7 of 6"),
        (packed(XML.replace(b'value="8"', b'value="0"')), "lasts 1/0"),
        (packed(XML.replace(b'numerator="4"', b'numerator="99"')), "99/4"),
        (packed(XML.replace(b"<tempo>120", b"<tempo>9999")), "9999 BPM"),
        (packed(b'<!DOCTYPE x [<!ENTITY a "a">]>' + XML[38:]), "XML entities"),
        (packed(b"<TuxGuitarFile/>"), "0 measures"),
        (packed(XML.replace(b"<tempo>", b"<a/>" * 101_000 + b"<tempo>")), "200 times its size"),
        (packed(XML.replace(b"<tempo>", MANY + b"<tempo>", 1)), "100,000 in a measure"),
        (packed(b"<TuxGuitarFile>" + b" " * 10_000_000), "200 times its size"),
        (packed(XML).replace(b"content.xml", b"contents.xm"), "no content.xml"),
    ],
)  # fmt: skip
def test_what_is_no_tab_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(NotationError, match=words.replace("(", r"\(")):
        read_tuxguitar(data)


def test_damaged_tabs_are_songs_or_one_line_soon() -> None:
    heads = [head(opens=True, section="A", feel=1), head(7, 8, repeats=1, endings=(1, 2)), head(bpm=90)]
    lead = [beat((1, 3), (2, 0), tremolo=16), beat((6, 5), grace=3, length=4, effects=("letRing",)), beat(enters=3)]
    song = heads, [track(lead, lead, lead, second=[lead]), track(lead, lead, lead, is_drums=True, tuning=(0,) * 6)]
    chance, text = random.Random(11), content(*song)
    files = [packed(text), *(old(*song, minor) for minor in (5, 3, 2, 1, 0))]
    songs = 0
    for number in range(5_000 if LONG else 300):
        data = chance.choice(files) if number % 3 else packed((mutant, reworded)[number % 2](text, chance))
        data = mutant(data, chance) if number % 3 else data
        began = time.process_time()
        try:
            read = read_tuxguitar(data)
        except Seq2DrumError as error:
            assert "\n" not in str(error)
            assert 20 < len(str(error)) < 500
        else:
            songs += 1
            assert all(0 <= pitch <= 127 for part in read.parts for pitch in part.pitch.tolist())
        assert time.process_time() - began < 0.5
    assert songs > 30
