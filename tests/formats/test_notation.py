"""MusicXML in and out: what is read is exact, what could harm is refused, and what is written is read again."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
import zipfile
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2drum.errors import InputError, NotationError
from seq2drum.formats.notation.reading import read_musicxml
from seq2drum.formats.score.musicxml import write_score
from seq2drum.formats.score.score import SIGNS
from seq2drum.music.kit import FULL
from seq2drum.music.limits import SCORE_LIMITS
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo, merge_parts
from seq2drum.music.theory import guitar_parts

ROOT = Path(__file__).parents[2]
pytest.importorskip("music21")

# Scores written by hand ----------------------------------------------------------------------------------------------

DOCTYPE = (
    '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
    '"http://www.musicxml.org/dtds/partwise.dtd">'
)


def tone(pitch: str, duration: int, *more: str, chord: bool = False) -> str:
    """A note of 12ths of a quarter; C#4 is written as C+4."""
    alter = f"<alter>{'+' in pitch:d}</alter>" if "+" in pitch else ""
    return (
        f"<note>{'<chord/>' * chord}<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
        f"<duration>{duration}</duration>{''.join(more)}</note>"
    )


def rest(duration: int) -> str:
    return f"<note><rest/><duration>{duration}</duration></note>"


def attributes(metre: str = "4/4", *more: str) -> str:
    beats, unit = metre.split("/")
    return (
        f"<attributes><divisions>12</divisions><time><beats>{beats}</beats><beat-type>{unit}</beat-type></time>"
        f"{''.join(more)}</attributes>"
    )


def part_of(*measures: str, number: str = "P1") -> str:
    inner = "".join(
        measure if measure.startswith("<measure") else f'<measure number="{index}">{measure}</measure>'
        for index, measure in enumerate(measures, start=1)
    )
    return f'<part id="{number}">{inner}</part>'


GUITAR = '<score-part id="P1"><part-name>Gitarre</part-name></score-part>'
BASS = '<score-part id="P2"><part-name>Bass</part-name></score-part>'


def score(*parts: str, listed: str = GUITAR) -> bytes:
    inner = f"<part-list>{listed}</part-list>{''.join(parts)}"
    return f'<?xml version="1.0"?>{DOCTYPE}<score-partwise version="4.0">{inner}</score-partwise>'.encode()


def packed(data: bytes, name: str = "score.xml", container: str | None = None) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        if container is not None:
            archive.writestr("META-INF/container.xml", container)
        archive.writestr(name, data)
    return file.getvalue()


def quarters(song: Song, part: int = 0) -> list[tuple[Fraction, Fraction, int]]:
    """(onset, duration, pitch) of a part's notes, in quarters."""
    ticks = song.ticks_per_quarter
    return [(Fraction(note.onset, ticks), Fraction(note.duration, ticks), note.pitch) for note in song.parts[part]]


def bar_quarters(song: Song) -> list[tuple[Fraction, int, int]]:
    return [(Fraction(bar.length, song.ticks_per_quarter), bar.numerator, bar.denominator) for bar in song.bars()]


PLAIN = score(part_of(attributes() + tone("E3", 12) + tone("G3", 24) + rest(12)))

# Reading -------------------------------------------------------------------------------------------------------------


def test_notes_name_and_bars_are_read() -> None:
    song = read_musicxml(PLAIN)
    assert quarters(song) == [(0, 1, 52), (1, 2, 55)]
    assert bar_quarters(song) == [(4, 4, 4)]
    assert song.parts[0].name == "Gitarre" and not song.parts[0].is_drums
    assert guitar_parts(song).parts == (0,)


def test_a_path_and_a_packed_file_give_the_same_song(tmp_path: Path) -> None:
    (tmp_path / "a.musicxml").write_bytes(PLAIN)
    (tmp_path / "a.mxl").write_bytes(packed(PLAIN))
    container = '<container><rootfiles><rootfile full-path="inner/b.musicxml"/></rootfiles></container>'
    songs = [
        read_musicxml(PLAIN),
        read_musicxml(tmp_path / "a.musicxml"),
        read_musicxml(str(tmp_path / "a.mxl")),
        read_musicxml(packed(PLAIN, "inner/b.musicxml", container)),
    ]
    assert all(song == songs[0] for song in songs)


@pytest.mark.parametrize("encoding", ["UTF-16", "ISO-8859-1"])
def test_a_score_in_another_encoding_is_read(encoding: str) -> None:
    text = PLAIN.decode().replace("Gitarre", "Grüne Gitarre").replace("?>", f' encoding="{encoding}"?>', 1)
    song = read_musicxml(text.encode(encoding))
    assert song.parts[0].name == "Grüne Gitarre"
    assert quarters(song) == quarters(read_musicxml(PLAIN))


def test_a_score_that_says_utf_16_and_is_utf_8_is_read() -> None:
    text = PLAIN.decode().replace("Gitarre", "Grüne Gitarre").replace("?>", " encoding='UTF-16'?>", 1)
    for data in (text.encode(), b"\xef\xbb\xbf" + text.encode()):
        assert read_musicxml(data).parts[0].name == "Grüne Gitarre"
        assert quarters(read_musicxml(data)) == quarters(read_musicxml(PLAIN))


def timewise(data: bytes) -> bytes:
    """A score with all parts of a measure together."""
    root = ET.fromstring(data)
    parts = root.findall("part")
    for part in parts:
        root.remove(part)
    root.tag = "score-timewise"
    for measures in zip(*parts, strict=True):
        measure = ET.SubElement(root, "measure", measures[0].attrib)
        for part, own in zip(parts, measures, strict=True):
            ET.SubElement(measure, "part", part.attrib).extend(own)
    return ET.tostring(root)


def test_a_timewise_score_is_the_song_that_it_is_partwise() -> None:
    listed = GUITAR + BASS
    data = score(
        part_of(
            f'<measure number="0" implicit="yes">{attributes() + tone("E3", 12)}</measure>',
            tone("A3", 48),
            attributes("3/4") + tone("B3", 36),
        ),
        part_of(
            f'<measure number="0" implicit="yes">{attributes() + tone("E2", 12)}</measure>',
            tone("A2", 24) + rest(24),
            attributes("3/4") + rest(12) + tone("B2", 24),
            number="P2",
        ),
        listed=listed,
    )
    song = read_musicxml(data)
    assert len(song.bars()) == 3 and [len(part) for part in song.parts] == [3, 3]
    assert read_musicxml(timewise(data)) == song
    assert read_musicxml(packed(timewise(data))) == song


def test_a_timewise_score_without_a_part_in_a_measure_is_silent_there() -> None:
    listed = GUITAR + BASS
    whole = attributes() + tone("E3", 48)
    measures = (("P1", "P2"), ("P1",), ("P1", "P2"))
    inner = "".join(
        f"<measure>{''.join(f'<part id={name!r}>{whole}</part>' for name in names)}</measure>" for names in measures
    )
    song = read_musicxml(f"<score-timewise><part-list>{listed}</part-list>{inner}</score-timewise>".encode())
    assert [[onset for onset, _, _ in quarters(song, part)] for part in (0, 1)] == [[0, 4, 8], [0, 8]]


def test_durations_without_divisions_count_quarters_or_as_those_of_the_other_parts() -> None:
    def bare(number: str, *durations: int) -> str:
        metre = attributes().replace("<divisions>12</divisions>", "")
        return part_of(metre + "".join(tone("E3", duration) for duration in durations), number=number)

    assert quarters(read_musicxml(score(bare("P1", 1, 2, 1)))) == [(0, 1, 52), (1, 2, 52), (3, 1, 52)]
    listed = GUITAR + BASS
    song = read_musicxml(score(bare("P1", 12, 36), part_of(attributes() + tone("E2", 48), number="P2"), listed=listed))
    assert quarters(song) == [(0, 1, 52), (1, 3, 52)]
    late = part_of(attributes().replace("<divisions>12</divisions>", "") + tone("E3", 48), attributes() + rest(48))
    assert quarters(read_musicxml(score(late))) == [(0, 4, 52)]


def test_a_tied_note_is_one_note() -> None:
    start, both, stop = '<tie type="start"/>', '<tie type="stop"/><tie type="start"/>', '<tie type="stop"/>'
    song = read_musicxml(
        score(
            part_of(
                attributes() + rest(36) + tone("E3", 12, start) + "",
                tone("E3", 48, both),
                tone("E3", 12, stop) + tone("E3", 12) + rest(24),
            )
        )
    )
    assert quarters(song) == [(3, 6, 52), (9, 1, 52)]


def test_in_a_chord_only_the_tied_tone_is_held() -> None:
    song = read_musicxml(
        score(
            part_of(
                attributes()
                + tone("E3", 24, '<tie type="start"/>')
                + tone("G3", 24, chord=True)
                + tone("E3", 24, '<tie type="stop"/>')
                + tone("G3", 24, chord=True)
            )
        )
    )
    assert quarters(song) == [(0, 4, 52), (0, 2, 55), (2, 2, 55)]


def test_triplets_and_quintuplets_are_exact() -> None:
    def tuplet(actual: int, normal: int) -> str:
        ratio = f"<actual-notes>{actual}</actual-notes><normal-notes>{normal}</normal-notes>"
        return f"<time-modification>{ratio}</time-modification>"

    divided = attributes().replace("<divisions>12", "<divisions>105")
    kinds = "".join(tone("C4", 35, tuplet(3, 2)) for _ in range(3)) + "".join(
        tone("D4", 21, tuplet(5, 4)) for _ in range(5)
    )
    kinds += "".join(tone("E4", 15, tuplet(7, 4)) for _ in range(7)) + rest(105)
    song = read_musicxml(score(part_of(divided + kinds)))
    wanted = (
        [Fraction(n, 3) for n in range(3)]
        + [1 + Fraction(n, 5) for n in range(5)]
        + [2 + Fraction(n, 7) for n in range(7)]
    )
    assert [onset for onset, _, _ in quarters(song)] == wanted
    assert song.ticks_per_quarter % 480 == 0 and song.ticks_per_quarter <= 32767


def test_a_pickup_is_a_short_bar_and_the_next_barline_follows_it() -> None:
    song = read_musicxml(
        score(
            part_of(
                f'<measure number="0" implicit="yes">{attributes() + tone("E3", 12)}</measure>',
                tone("A3", 48),
                tone("B3", 48),
            )
        )
    )
    assert bar_quarters(song) == [(1, 4, 4), (4, 4, 4), (4, 4, 4)]
    assert [onset for onset, _, _ in quarters(song)] == [0, 1, 5]


def test_every_measure_is_one_bar_through_changes_of_metre() -> None:
    song = read_musicxml(
        score(
            part_of(
                attributes("7/8") + tone("E3", 42),
                tone("E3", 42),
                attributes("3/4") + tone("E3", 36),
                attributes("4/4") + tone("E3", 48),
                tone("E3", 48),
            )
        )
    )
    assert bar_quarters(song) == [(Fraction(7, 2), 7, 8), (Fraction(7, 2), 7, 8), (3, 3, 4), (4, 4, 4), (4, 4, 4)]


def test_tempo_marks_are_read_in_quarters() -> None:
    def mark(unit: str, number: int) -> str:
        metronome = f"<metronome>{unit}<per-minute>{number}</per-minute></metronome>"
        return f"<direction><direction-type>{metronome}</direction-type></direction>"

    dotted = "<beat-unit>quarter</beat-unit><beat-unit-dot/>"
    song = read_musicxml(
        score(
            part_of(
                attributes()
                + mark("<beat-unit>quarter</beat-unit>", 90)
                + tone("E3", 24)
                + mark(dotted, 80)
                + tone("E3", 24),
                '<direction><direction-type><words>faster</words></direction-type><sound tempo="150"/></direction>'
                + tone("E3", 48),
            )
        )
    )
    ticks = song.ticks_per_quarter
    assert song.tempos == (Tempo(0, 666667), Tempo(2 * ticks, 500000), Tempo(4 * ticks, 400000))


def test_repeats_are_played_out_with_their_endings() -> None:
    start = '<barline location="left"><repeat direction="forward"/></barline>'
    one = '<barline location="left"><ending number="1" type="start"/></barline>'
    stop = '<barline location="right"><ending number="1" type="stop"/><repeat direction="backward"/></barline>'
    two = '<barline location="left"><ending number="2" type="start"/></barline>'
    end = '<barline location="right"><ending number="2" type="stop"/></barline>'
    song = read_musicxml(
        score(part_of(attributes() + start + tone("C4", 48), one + tone("D4", 48) + stop, two + tone("E4", 48) + end))
    )
    assert [pitch for _, _, pitch in quarters(song)] == [60, 62, 60, 64]
    assert [onset for onset, _, _ in quarters(song)] == [0, 4, 8, 12]
    assert len(song.bars()) == 4


def test_jumps_that_stand_in_one_part_hold_for_all() -> None:
    def said(words: str) -> str:
        return f"<direction><direction-type><words>{words}</words></direction-type></direction>"

    guitar = part_of(
        attributes() + tone("C4", 48), said("Fine") + tone("D4", 48), said("D.C. al Fine") + tone("E4", 48)
    )
    bass = part_of(attributes() + tone("C3", 48), tone("D3", 48), tone("E3", 48), number="P2")
    song = read_musicxml(
        score(guitar, bass, listed=GUITAR + '<score-part id="P2"><part-name>Bass</part-name></score-part>')
    )
    assert [[pitch for _, _, pitch in quarters(song, part)] for part in (0, 1)] == [
        [60, 62, 64, 60, 62],
        [48, 50, 52, 48, 50],
    ]
    assert len(song.bars()) == 5


def test_marks_tempos_and_metres_are_played_again_with_their_measures() -> None:
    said = "<direction><direction-type><rehearsal>A</rehearsal></direction-type><sound tempo='90'/></direction>"
    again = '<barline location="right"><repeat direction="backward"/></barline>'
    song = read_musicxml(
        score(part_of(attributes() + tone("C4", 48), attributes("3/4") + said + tone("D4", 36) + again))
    )
    ticks = song.ticks_per_quarter
    assert [marker.tick // ticks for marker in song.markers] == [4, 11]
    assert [tempo.tick // ticks for tempo in song.tempos if round(tempo.bpm) == 90] == [4, 11]
    assert [(bar.start // ticks, bar.numerator) for bar in song.bars()] == [(0, 4), (4, 3), (7, 4), (11, 3)]


def test_a_transposing_part_is_read_at_its_sounding_pitch() -> None:
    lower = "<transpose><diatonic>0</diatonic><chromatic>0</chromatic><octave-change>-1</octave-change></transpose>"
    song = read_musicxml(score(part_of(attributes("4/4", lower) + tone("E4", 48))))
    assert [pitch for _, _, pitch in quarters(song)] == [52]


def test_program_and_percussion_are_read() -> None:
    listed = (
        '<score-part id="P1"><part-name>Lead</part-name><score-instrument id="I1"><instrument-name>x</instrument-name>'
        '</score-instrument><midi-instrument id="I1"><midi-channel>1</midi-channel><midi-program>31</midi-program>'
        '</midi-instrument></score-part><score-part id="P2"><part-name>Kit</part-name></score-part>'
    )

    def drum(step: str, octave: int, head: str = "normal") -> str:
        return (
            f"<note><unpitched><display-step>{step}</display-step><display-octave>{octave}</display-octave></unpitched>"
            f"<duration>24</duration><notehead>{head}</notehead></note>"
        )

    clef = "<clef><sign>percussion</sign></clef>"
    kit = part_of(attributes("4/4", clef) + drum("F", 4) + drum("G", 5, "x"), number="P2")
    song = read_musicxml(score(part_of(attributes() + tone("E3", 48)), kit, listed=listed))
    assert [(part.program, part.name, part.is_drums) for part in song.parts] == [(30, "Lead", False), (0, "Kit", True)]
    assert [pitch for _, _, pitch in quarters(song, 1)] == [36, 42]


def test_two_parts_of_one_name_are_two_parts() -> None:
    listed = GUITAR + GUITAR.replace("P1", "P2")
    parts = part_of(attributes() + tone("E3", 48)), part_of(attributes() + tone("E2", 48), number="P2")
    song = read_musicxml(score(*parts, listed=listed))
    assert [(part.name, part.pitch.tolist()) for part in song.parts] == [("Gitarre", [52]), ("Gitarre", [40])]


def test_a_tablature_that_repeats_the_staff_is_not_read_twice() -> None:
    clefs = "<staves>2</staves><clef number='1'><sign>G</sign></clef><clef number='2'><sign>TAB</sign></clef>"
    first, second = "<staff>1</staff>", "<staff>2</staff>"
    back = "<backup><duration>48</duration></backup>"
    song = read_musicxml(
        score(part_of(attributes("4/4", clefs) + tone("E3", 48, first) + back + tone("E3", 48, second)))
    )
    assert [len(part) for part in song.parts] == [1]


def test_grace_notes_and_chord_symbols_are_left_out() -> None:
    grace = "<note><grace/><pitch><step>D</step><octave>4</octave></pitch></note>"
    symbol = "<harmony><root><root-step>C</root-step></root><kind>major</kind></harmony>"
    song = read_musicxml(score(part_of(attributes() + symbol + grace + tone("C4", 48))))
    assert quarters(song) == [(0, 4, 60)]


# What is refused -----------------------------------------------------------------------------------------------------


def one_line(error: pytest.ExceptionInfo[NotationError]) -> bool:
    return "\n" not in str(error.value) and 20 < len(str(error.value)) < 400


BILLION = b'<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><score-partwise>&b;</score-partwise>'
OUTSIDE = b'<!DOCTYPE s [<!ENTITY x SYSTEM "file:///etc/hostname">]><score-partwise>&x;</score-partwise>'
ENDLESS = '<barline><repeat direction="backward" times="9999"/></barline>'
NESTED = "".join(
    f'{tone("E3", 48)}<barline location="{side}"><repeat direction="{way}"/></barline></measure><measure>'
    for side, way in [("left", "forward")] * 12 + [("right", "backward")] * 12
)


def timewise_of(*, measures: int, parts: int, only_first: bool = False) -> bytes:
    """A timewise score of empty measures; only_first: but for the first they lack their parts."""
    full = "<measure>" + "".join(f'<part id="P{number}"/>' for number in range(parts)) + "</measure>"
    rest_of = "<measure/>" if only_first else full
    return f"<score-timewise>{full}{rest_of * (measures - 1)}</score-timewise>".encode()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not MusicXML"),
        (b"MThd\0\0\0\6", "not MusicXML"),
        (b"<html/>", "<html>"),
        (b"<score-timewise/>", "no parts"),
        (b"<score-partwise/>", "no parts"),
        (BILLION, "entities"),
        (OUTSIDE, "entities"),
        (b"<score-partwise>" + b"<a>" * 1000 + b"</a>" * 1000 + b"</score-partwise>", "deep"),
        (b" " * (SCORE_LIMITS.file_bytes + 1), "bytes"),
        (score(part_of(attributes(), *[rest(24)] * 1_300)), "1,300 measures that are shorter"),
        (score(part_of(attributes(), *[rest(48)] * 5_001)), "up to 5,002 measures"),
        (b"PK\3\4 and then nothing", "damaged"),
        (packed(b"text", "a.txt"), "no score"),
        (packed(b" " * 5_000_000), "grows beyond"),
        (packed(BILLION), "entities"),
        (packed(PLAIN, container=BILLION.decode()), "entities"),
        (score(part_of(attributes("65/4") + tone("E3", 48))), "'65' beats"),
        (score(part_of(attributes("99999999/4") + tone("E3", 48))), "beats"),
        (score(part_of(attributes("0/4") + tone("E3", 48))), "beats"),
        (score(part_of(attributes("4/3") + tone("E3", 48))), "4/3|read"),
        (score(part_of(attributes() + '<direction><sound tempo="9999"/></direction>' + tone("E3", 48))), "9999"),
        (score(part_of(attributes() + tone("E3", 48) + ENDLESS)), "repeats"),
        (score(part_of(attributes() + NESTED)), "repeats played out the score has more than 10,000 measures"),
        (score(part_of(attributes() + ENDLESS.replace("repeat", "ending number='1-99999'"))), "ending for pass 99999"),
        (score(part_of(attributes() + tone("E3", 48) + tone("E3", 48, chord=True) * 128)), "chord of more than 128"),
        (score(part_of(attributes() + "<forward><duration>9999999</duration></forward>" + tone("E3", 48))), "quarters"),
        (score(part_of(attributes() + tone("E3", 99999999))), "quarters"),
        (b"<score-partwise><part>" + b"<measure/>" * 50_001 + b"</part></score-partwise>", "50,000 measures"),
        (b"<score-partwise>" + b"<part/>" * 65 + b"</score-partwise>", "64 parts"),
        (timewise_of(measures=1, parts=65), "64 parts"),
        (timewise_of(measures=900, parts=64), "50,000 parts"),
        (timewise_of(measures=50_000, parts=2, only_first=True), "50,000 measures"),
        (score(part_of(attributes() + "<note><pitch/><duration>banana</duration></note>")), "music21 cannot read"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_valid_score_is_refused_in_one_line_and_quickly(data: bytes, words: str) -> None:
    started = time.perf_counter()
    with pytest.raises(NotationError, match=words) as caught:
        read_musicxml(data)
    assert one_line(caught)
    assert time.perf_counter() - started < 3


def test_a_zip_with_a_false_size_is_refused() -> None:
    bomb = bytearray(packed(b"<score-partwise>" + b" " * 5_000_000))
    for at in range(len(bomb) - 30):
        if bomb[at : at + 4] == b"PK\1\2":
            bomb[at + 24 : at + 28] = (100).to_bytes(4, "little")
    with pytest.raises(NotationError) as caught:
        read_musicxml(bytes(bomb))
    assert one_line(caught)


@pytest.mark.filterwarnings("ignore")
def test_a_broken_score_is_read_or_refused_but_nothing_else() -> None:
    random = np.random.default_rng(7)
    outcomes = set()
    for _ in range(150):
        data = bytearray(PLAIN)
        for place in random.integers(len(data) // 3, len(data), 2):
            data[place] = random.integers(32, 127)
        try:
            read_musicxml(bytes(data))
            outcomes.add("read")
        except NotationError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}


# Writing -------------------------------------------------------------------------------------------------------------


def drums(hits: list[tuple[Any, ...]], ticks: int = 480) -> Part:
    """Hits as (quarters, pitch) or (quarters, pitch, velocity)."""
    return Part.of(
        [Note(round(hit[0] * ticks), 30, hit[1], (*hit, 90)[2]) for hit in hits], is_drums=True, name="Drums"
    )


def empty_song(bars: int, numerator: int = 4, denominator: int = 4, ticks: int = 480) -> Song:
    metre = Metre(0, numerator, denominator)
    return Song(ticks, (), (Tempo(0, 500000),), (metre,), bars * 4 * ticks * numerator // denominator)


def hit_set(part: Part, ticks: int) -> set[tuple[Fraction, int, int]]:
    return {(Fraction(note.onset, ticks), note.pitch, note.velocity) for note in part}


@st.composite
def takes(draw: st.DrawFn) -> tuple[Song, Part]:
    """A song of any of the usual metres, and drums on its lattice: in each quarter 16ths or triplets, not both."""
    numerator, denominator = draw(
        st.sampled_from([(4, 4), (3, 4), (5, 4), (2, 2), (6, 8), (7, 8), (12, 8), (5, 8), (8, 8)])
    )
    song = empty_song(draw(st.integers(1, 3)), numerator, denominator)
    notes = st.sampled_from([voice.notes[0] for voice in FULL.voices])
    hits = {}
    for quarter in range(-(-song.length // 480)):
        triplets = denominator <= 4 and draw(st.booleans())
        places = st.sampled_from([0, 160, 320] if triplets else [0, 120, 240, 360])
        for place, note, velocity in draw(st.lists(st.tuples(places, notes, st.integers(1, 127)), max_size=8)):
            if quarter * 480 + place < song.length:
                hits[quarter * 480 + place, note] = velocity
    # A hat is not open and closed at once: the two share a head.
    sounding = {key: velocity for key, velocity in hits.items() if key[1] != 46 or (key[0], 42) not in hits}
    part = Part.of([Note(tick, 30, note, velocity) for (tick, note), velocity in sounding.items()], is_drums=True)
    return song, part


@settings(deadline=None, max_examples=40)
@given(takes())
def test_what_is_written_is_read_again_hit_for_hit_and_bar_for_bar(take: tuple[Song, Part]) -> None:
    song, part = take
    again = read_musicxml(write_score(song, part, "a take"))
    assert hit_set(merge_parts(again.parts), again.ticks_per_quarter) == hit_set(part, 480)
    assert bar_quarters(again) == bar_quarters(song)


@settings(deadline=None, max_examples=40)
@given(takes())
def test_every_voice_of_every_measure_is_exactly_as_long_as_the_bar(take: tuple[Song, Part]) -> None:
    song, part = take
    for staff in ET.fromstring(write_score(song, part, "")).findall("part"):
        for bar, measure in zip(song.bars(), staff.findall("measure"), strict=True):
            lengths: dict[str, int] = {}
            for note in measure.findall("note"):
                if note.find("chord") is None:
                    voice = note.findtext("voice", "")
                    lengths[voice] = lengths.get(voice, 0) + int(note.findtext("duration", ""))
            assert set(lengths.values()) == {bar.length // 10}


@pytest.mark.slow
@settings(deadline=None, max_examples=40)
@given(takes())
def test_beams_and_tuplets_are_opened_and_closed(take: tuple[Song, Part]) -> None:
    root = ET.fromstring(write_score(*take, ""))
    for measure in root.findall("part/measure"):
        opened: dict[tuple[str, str], bool] = {}
        for note in measure.findall("note"):
            voice = note.findtext("voice", "")
            for beam in note.findall("beam"):
                key = voice, beam.get("number", "")
                assert opened.get(key, False) == (beam.text in ("continue", "end")) or "hook" in (beam.text or "")
                opened[key] = beam.text in ("begin", "continue") or (opened.get(key, False) and beam.text != "end")
            for tuplet in note.findall("notations/tuplet"):
                assert opened.get((voice, "tuplet"), False) == (tuplet.get("type") == "stop")
                opened[voice, "tuplet"] = tuplet.get("type") == "start"
        assert not any(opened.values())


def test_every_piece_of_the_kit_has_its_own_sign_and_each_is_read_back() -> None:
    assert set(SIGNS) == {voice.name for voice in FULL.voices}
    assert len(set(SIGNS.values())) == len(SIGNS)
    part = drums([(index, voice.notes[0]) for index, voice in enumerate(FULL.voices)])
    again = read_musicxml(write_score(empty_song(6), part, "kit"))
    assert merge_parts(again.parts).pitch.tolist() == [voice.notes[0] for voice in FULL.voices]
    assert all(staff.is_drums for staff in again.parts)


def heads(data: bytes) -> list[tuple[str, str | None, str, str]]:
    """(place, head, stem, voice) of every note head."""
    return [
        (
            note.findtext("unpitched/display-step", "") + note.findtext("unpitched/display-octave", ""),
            note.findtext("notehead"),
            note.findtext("stem", ""),
            note.findtext("voice", ""),
        )
        for note in ET.fromstring(data).iter("note")
        if note.find("unpitched") is not None
    ]


def test_hands_point_up_and_feet_down_at_the_places_drummers_know() -> None:
    data = write_score(empty_song(2), drums([(0, 36), (0, 42), (1, 38), (2, 51), (3, 44), (4, 49), (5, 43)]), "")
    assert heads(data) == [
        ("G5", "x", "up", "1"), ("C5", None, "up", "1"), ("F5", "x", "up", "1"), ("F4", None, "down", "2"),
        ("D4", "x", "down", "2"),
        ("A5", "x", "up", "1"), ("A4", None, "up", "1"),
    ]  # fmt: skip


def test_each_drum_note_has_an_instrument_so_that_players_sound_right() -> None:
    root = ET.fromstring(write_score(empty_song(1), drums([(0, 36), (1, 40), (2, 57)]), ""))
    sounds = {midi.get("id"): int(midi.findtext("midi-unpitched", "")) - 1 for midi in root.iter("midi-instrument")}
    played = [note.find("instrument") for note in root.iter("note") if note.find("unpitched") is not None]
    assert sorted(sounds[instrument.get("id")] for instrument in played if instrument is not None) == [36, 40, 57]


def test_a_soft_snare_is_a_ghost_note_in_parentheses_and_an_open_hat_has_its_circle() -> None:
    root = ET.fromstring(
        write_score(empty_song(1), drums([(0, 38, 100), (1, 38, 100), (1.5, 38, 30), (2, 46), (3, 42)]), "")
    )
    notes = [note for note in root.iter("note") if note.find("unpitched") is not None]
    assert [note.find("notehead[@parentheses='yes']") is not None for note in notes] == [
        False,
        False,
        True,
        False,
        False,
    ]
    assert [note.find("notations/technical/open-string") is not None for note in notes] == [
        False,
        False,
        False,
        True,
        False,
    ]


def test_hits_off_the_lattice_go_to_the_nearest_place_even_over_the_barline() -> None:
    part = drums([(0.02, 36), (0.98, 38), (1.34, 42), (3.97, 49), (7.99, 36)])
    again = read_musicxml(write_score(empty_song(2), part, ""))
    onsets = [(onset, pitch) for onset, _, pitch in quarters(again)]
    assert onsets == [(0, 36), (1, 38), (Fraction(4, 3), 42), (4, 49), (Fraction(31, 4), 36)]


def test_a_beat_is_written_in_sixteenths_or_triplets_but_never_both() -> None:
    part = drums([(0, 42), (1 / 3, 42), (2 / 3, 42), (0.5, 36), (1, 42), (1.25, 42), (1.75, 42), (1 + 2 / 3, 36)])
    again = read_musicxml(write_score(empty_song(1), part, ""))
    within = {quarter: {onset % 1 for onset, _, _ in quarters(again) if onset // 1 == quarter} for quarter in (0, 1)}
    assert within[0] <= {0, Fraction(1, 3), Fraction(2, 3)}
    assert within[1] <= {0, Fraction(1, 4), Fraction(1, 2), Fraction(3, 4)}


@pytest.mark.parametrize(("kind", "written"), [(Fraction(2, 3), Fraction(2, 3)), (Fraction(3, 4), Fraction(3, 4))])
def test_a_hit_between_triplet_and_sixteenth_goes_with_the_most_of_the_part(kind: Fraction, written: Fraction) -> None:
    clear = [(quarter + float(kind), 51) for quarter in range(6)]
    again = read_musicxml(write_score(empty_song(2), drums([*clear, (6.7, 51), (7.715, 51)]), ""))
    assert {onset % 1 for onset, _, _ in quarters(again)} == {written}


@settings(deadline=None, max_examples=150)
@given(
    st.integers(1, 2000),
    st.lists(st.tuples(st.integers(0, 9000), st.sampled_from([(4, 4), (3, 8), (7, 16), (5, 4), (1, 64)])), max_size=5),
    st.lists(st.tuples(st.integers(0, 9000), st.integers(0, 127)), min_size=1, max_size=12),
)
def test_no_hit_is_lost_and_no_measure_is_broken_whatever_the_song(
    ticks: int, changes: list[tuple[int, tuple[int, int]]], hits: list[tuple[int, int]]
) -> None:
    part = Part.of([Note(tick, 1, pitch, 80) for tick, pitch in hits], is_drums=True)
    metre_events = tuple(sorted(Metre(tick, *metre) for tick, metre in changes))
    song = Song(ticks * 4, (), (), metre_events, max(part.end, 3000))
    root = ET.fromstring(write_score(song, part, ""))
    written = {midi.get("id") for midi in root.iter("midi-instrument")}
    assert written == {note.get("id") for note in root.iter("instrument")}
    signs = {SIGNS[FULL.voices[voice].name] if (voice := FULL.voice_of[pitch]) >= 0 else None for _, pitch in hits}
    assert len({place for place, *_ in heads(ET.tostring(root))}) >= len({sign.place for sign in signs if sign})
    assert {len(staff) for staff in root.findall("part")} == {len(song.bars())}
    for measure in root.findall("part/measure"):
        backups = {int(element.text or "") for element in measure.findall("backup/duration")}
        lengths: dict[str, int] = {}
        for note in measure.findall("note"):
            if note.find("chord") is None:
                voice_name = note.findtext("voice", "")
                lengths[voice_name] = lengths.get(voice_name, 0) + int(note.findtext("duration", ""))
        assert len({*lengths.values(), *backups}) == 1


def test_two_hits_that_share_a_head_are_written_once_as_the_louder() -> None:
    again = read_musicxml(write_score(empty_song(1), drums([(0, 36, 50), (0, 35, 99), (0, 38, 70)]), ""))
    assert sorted(again.parts[0].velocity.tolist()) == [70, 99]


def test_metres_cut_bars_and_tempos_of_the_song_are_in_the_score() -> None:
    song = Song(
        96,
        (),
        (Tempo(0, 500000), Tempo(96 * 9, 600000)),
        (Metre(0, 4, 4), Metre(96, 4, 4), Metre(96 * 5, 7, 8), Metre(96 * 5 + 336, 3, 4)),
        96 * 5 + 336 + 3 * 96,
    )
    data = write_score(song, drums([(0, 36), (1, 36), (9, 36)], 96), "x")
    again = read_musicxml(data)
    assert bar_quarters(again) == bar_quarters(song)
    assert again.tempos == (Tempo(0, 500000), Tempo(9 * again.ticks_per_quarter, 600000))
    printed = [element.text for element in ET.fromstring(data).iter("per-minute")]
    assert printed == ["120", "100"]


def test_tempos_lie_where_they_are_in_their_measures_and_without_offsets() -> None:
    ticks = [0, 960, 1900, 2 * 1920 + 1440, 3 * 1920 - 20]
    song = Song(480, (), tuple(Tempo(tick, 500_000 - 40_000 * at) for at, tick in enumerate(ticks)), (), 4 * 1920)
    data = write_score(song, drums([(0, 36), (2.5, 42), (9, 38)]), "x")
    again = read_musicxml(data)
    places = [Fraction(tempo.tick, again.ticks_per_quarter) for tempo in again.tempos]
    assert places == [0, 2, 4, 11, 12]
    assert hit_set(again.parts[0], again.ticks_per_quarter) == {(0, 36, 90), (Fraction(5, 2), 42, 90), (9, 38, 90)}
    for measure in ET.fromstring(data).iter("measure"):
        assert not [sound for direction in measure.iter("direction") if direction.find("offset") is not None
                    for sound in direction.iter("sound")]  # fmt: skip
        assert measure.find("sound/offset") is None


def test_a_drifting_tempo_is_played_in_full_but_printed_only_when_it_shows() -> None:
    song = Song(480, (), tuple(Tempo(480 * n, 500000 + 500 * n) for n in range(16)), (), 480 * 16)
    data = write_score(song, drums([(0, 36)]), "x")
    assert len(list(ET.fromstring(data).iter("per-minute"))) == 1
    assert len(read_musicxml(data).tempos) == 16


def test_a_metre_in_threes_prints_the_tempo_of_its_beat_and_plays_that_of_the_quarter() -> None:
    song = Song(480, (), (Tempo(0, 714286),), (Metre(0, 6, 8),), 1440)
    data = write_score(song, drums([(0, 36)]), "x")
    root = ET.fromstring(data)
    assert [element.text for element in root.iter("per-minute")] == ["56"]
    assert root.find(".//metronome/beat-unit-dot") is not None
    assert read_musicxml(data).tempos == (Tempo(0, 714286),)


def shuffle(bars: int, middle: int = 0, straight: int = 0) -> Part:
    """Long and short eighths, of the first beats some with the middle triplet, of the next some straight."""
    hits = []
    for quarter in range(bars * 4):
        second = 0.5 if middle <= quarter < middle + straight else 2 / 3
        hits += [(quarter, 51), (quarter + second, 51), *([(quarter + 1 / 3, 38)] if quarter < middle else [])]
    return drums(hits)


def test_a_shuffle_is_written_as_plain_eighths_under_the_word_swing_and_read_as_it_sounds() -> None:
    part = shuffle(4, middle=2)
    data = write_score(empty_song(4), part, "")
    root = ET.fromstring(data)
    assert [element.text for element in root.iter("words")] == ["Swing"]
    assert len(root.findall(".//time-modification")) == 6  # only the two beats of three
    again = read_musicxml(data)
    assert hit_set(again.parts[0], again.ticks_per_quarter) == hit_set(part, 480)


def test_a_swung_score_of_another_program_is_read_as_it_sounds() -> None:
    swing = "<sound><swing><first>3</first><second>1</second><swing-type>eighth</swing-type></swing></sound>"
    eighths = "".join(tone("E3", 6) for _ in range(4)) + "".join(tone("G3", 3) for _ in range(4)) + tone("A3", 12)
    song = read_musicxml(score(part_of(attributes() + f"<direction>{swing}</direction>" + eighths)))
    onsets = [Fraction(note.onset, song.ticks_per_quarter) for note in song.parts[0]]
    assert onsets == [0, Fraction(3, 4), 1, Fraction(7, 4), 2, Fraction(9, 4), Fraction(5, 2), Fraction(11, 4), 3]
    assert [Fraction(note.duration, song.ticks_per_quarter) for note in song.parts[0]][:2] == [
        Fraction(3, 4),
        Fraction(1, 4),
    ]


def test_a_score_of_musescore_that_swings_and_repeats_is_played_so() -> None:
    swing = "<swing><first>60</first><second>40</second><swing-type>eighth</swing-type></swing>"
    words = '<direction-type><words font-weight="bold">Swing</words></direction-type>'
    top = f'<direction placement="above" system="only-top">{words}<sound>{swing}</sound></direction>'
    opening = '<barline location="left"><bar-style>heavy-light</bar-style><repeat direction="forward"/></barline>'
    first = '<barline location="left"><ending number="1" type="start"/></barline>' + tone("G3", 48)
    first += '<barline location="right"><bar-style>light-heavy</bar-style><ending number="1" type="stop"/>'
    first += '<repeat direction="backward"/></barline>'
    second = '<barline location="left"><ending number="2" type="start"/></barline>' + tone("A3", 48)
    second += '<barline location="right"><ending number="2" type="discontinue"/></barline>'
    song = read_musicxml(score(part_of(attributes() + top + opening + tone("E3", 6) * 8, first, second)))
    onsets = [Fraction(note.onset, song.ticks_per_quarter) for note in song.parts[0]]
    swung = [quarter + place for quarter in range(4) for place in (0, Fraction(3, 5))]
    assert onsets == [*swung, 4, *[8 + place for place in swung], 12]
    assert song.parts[0].pitch.tolist() == [52] * 8 + [55] + [52] * 8 + [57]


def test_a_score_that_swings_only_here_and_there_is_read_as_it_is_written() -> None:
    swing = "<direction><sound><swing><first>2</first><second>1</second></swing></sound></direction>"
    measure = tone("E3", 6) * 8
    song = read_musicxml(score(part_of(attributes() + measure, swing + measure)))
    assert song.parts[0].onset.tolist() == list(range(0, 8 * 480, 240))


@pytest.mark.parametrize(
    ("part", "why"),
    [
        (shuffle(4, middle=8), "triplets all along are written out"),
        (shuffle(4, straight=8), "half of it is straight"),
        (Part.of(list(shuffle(4))[:6], is_drums=True), "three beats make no swing"),
    ],
)
def test_what_does_not_swing_throughout_is_written_in_triplets(part: Part, why: str) -> None:
    data = write_score(empty_song(4), part, "")
    assert b"Swing" not in data, why
    again = read_musicxml(data)
    assert hit_set(again.parts[0], again.ticks_per_quarter) == hit_set(part, 480)


def test_a_rest_of_hands_and_feet_is_written_once_in_the_middle() -> None:
    root = ET.fromstring(write_score(empty_song(1), drums([(0, 36), (0, 42), (1, 38)]), ""))
    rests = [note for note in root.iter("note") if note.find("rest") is not None]
    places = [(note.findtext("voice"), note.findtext("rest/display-step"), note.get("print-object")) for note in rests]
    assert places == [("1", "B", None), ("2", "E", None), ("2", "B", "no")]


def test_some_bars_of_a_score_keep_their_numbers_their_tempo_and_their_metre() -> None:
    song = Song(480, (), (Tempo(0, 500000), Tempo(1920, 400000)), (Metre(0, 4, 4), Metre(1920, 3, 4)), 1920 + 3 * 1440)
    part = drums([(0, 36), (4, 38), (7, 38), (10, 49)])
    root = ET.fromstring(write_score(song, part, "", first_bar=2, last_bar=3))
    assert [measure.get("number") for measure in root.iter("measure")] == ["3"]
    assert [element.text for element in root.iter("per-minute")] == ["150"]
    assert [element.text for element in root.iter("beats")] == ["3"]
    assert [element.text for element in root.iter("display-step")] == ["C", "B", "B"]
    assert root.find(".//bar-style") is None
    assert write_score(song, part, "", first_bar=0, last_bar=99) == write_score(song, part, "")


def test_hand_percussion_has_a_staff_of_its_own_and_is_named_where_it_first_appears() -> None:
    part = drums([(0, 70), (0, 56), (1, 70), (4, 70), (5, 61), (6, 38)])
    root = ET.fromstring(write_score(empty_song(2), part, ""))
    assert [element.text for element in root.iter("part-name")] == ["Drums", "Percussion"]
    assert [element.text for element in root.iter("words")] == ["shaker, cowbell", "low bongo"]
    kit, percussion = root.findall("part")
    assert len(list(kit.iter("unpitched"))) == 1
    assert len(list(percussion.iter("unpitched"))) == 5
    assert len(list(root.iter("per-minute"))) == 1


@pytest.mark.parametrize(("note", "name"), [(38, "Drums"), (70, "Percussion"), (20, "Drums")])
def test_a_part_of_one_kind_has_one_staff(note: int, name: str) -> None:
    root = ET.fromstring(write_score(empty_song(1), drums([(0, note)]), ""))
    assert [element.text for element in root.iter("part-name")] == [name]


def test_percussion_swings_with_the_kit_and_is_straight_where_either_plays_sixteenths() -> None:
    hits = [(quarter + place, 51) for quarter in range(15) for place in (0, 2 / 3)]
    part = drums(
        [*hits, *((15 + place, note) for place, note in [(0, 51), (0.5, 51), (0.25, 70), (0.75, 70)]), (3 + 2 / 3, 70)]
    )
    data = write_score(empty_song(4), part, "")
    assert b">Swing<" in data
    again = read_musicxml(data)
    assert hit_set(merge_parts(again.parts), again.ticks_per_quarter) == hit_set(part, 480)


def test_silence_is_whole_bar_rests() -> None:
    root = ET.fromstring(write_score(empty_song(3), drums([]), "nothing"))
    assert len(root.findall("part/measure/note/rest[@measure='yes']")) == 3


def test_any_title_gives_readable_xml_and_the_same_bytes_each_time() -> None:
    title = "A <b> & \x00\x0b'ギター' \ud800"
    first = write_score(empty_song(1), drums([(0, 36)]), title)
    assert ET.fromstring(first).findtext("work/work-title", "").startswith("A <b> & 'ギター'")
    assert first == write_score(empty_song(1), drums([(0, 36)]), title)


@pytest.mark.parametrize(
    "metre", [(1, 1), (4, 2), (9, 4), (3, 8), (4, 8), (11, 8), (7, 16), (16, 16), (5, 32), (13, 64), (64, 64), (64, 1)]
)
def test_odd_metres_are_written_too(metre: tuple[int, int]) -> None:
    song = empty_song(2, *metre, ticks=960)
    part = drums([(quarter / 4, 38) for quarter in range(4 * song.length // 960)], 960)
    root = ET.fromstring(write_score(song, part, ""))
    for bar, measure in zip(song.bars(), root.findall("part/measure"), strict=True):
        assert sum(int(note.findtext("duration", "")) for note in measure.findall("note")) == bar.length // 20


def test_writing_a_score_does_not_import_music21() -> None:
    code = (
        "import sys; from seq2drum.formats.score.musicxml import *; from seq2drum.music.notes import *;"
        "write_score(Song(480, length=1920), Part.of([Note(0, 1, 36, 80)]), 'x'); sys.exit('music21' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_a_score_that_is_not_there_or_is_a_folder_is_refused_in_words(tmp_path):
    with pytest.raises(InputError, match=r"none\.musicxml does not exist"):
        read_musicxml(tmp_path / "none.musicxml")
    with pytest.raises(InputError, match="cannot be read"):
        read_musicxml(tmp_path)


def test_rehearsal_marks_are_markers():
    def bar(mark: str) -> str:
        said = (
            f'<direction placement="above"><direction-type><rehearsal>{mark}</rehearsal></direction-type></direction>'
        )
        return said * bool(mark) + tone("E3", 48)

    song = read_musicxml(score(part_of(attributes() + bar("Verse"), bar(""), bar("B"))))
    assert song.markers == (Marker(0, "Verse", True), Marker(8 * song.ticks_per_quarter, "B", True))
