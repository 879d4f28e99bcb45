"""Names of sections in a song's markers."""

from __future__ import annotations

import pytest

from seq2drum.formats.midi import midi
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import lattice_of, marks_of, name_of
from seq2drum.lattice.sections import START, Section, sections
from seq2drum.music.notes import Marker, Note, Part, Song

BAR = 4 * 480


def song(*markers: tuple[float, str], first: int = 0, bars: int = 24) -> Song:
    """A guitar that plays the same eighths from a bar on, and markers at bars."""
    notes = [Note(tick, 200, 40, 90) for tick in range(first * BAR, bars * BAR, 240)]
    named = tuple(Marker(round(bar * BAR), text) for bar, text in markers)
    return Song(480, (Part.of(notes, program=27, name="Gtr"),), length=bars * BAR, markers=named)


def found(given: Song) -> tuple[Section, ...]:
    return sections(SongGrid.of(given, [0]).guitar_grid)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Verse 1", "verse"),
        ("2nd Verse", "verse"),
        ("VERSES", "verse"),
        ("Pre-Chorus 2", "pre-chorus"),
        ("PreChorus", "pre-chorus"),
        ("Final chorus (double)", "chorus"),
        ("Guitar solo", "solo"),
        ("Introduction", "intro"),
        ("[Bridge]", "bridge"),
        ("B", "B"),
        ("A2", "A"),
        ("heavy riff 3", "riff"),
        ("Clean 1", "clean"),
        ("  ", ""),
        ("12", ""),
        ("Arranged by somebody, all rights reserved", ""),
    ],
)
def test_a_marker_is_called_by_its_section(text: str, name: str) -> None:
    assert name_of(text) == name


def test_sections_begin_where_the_file_says_and_have_its_names() -> None:
    given = song((0, "Intro"), (4, "Verse 1"), (12, "Chorus"), (16, "Verse 2"))
    assert found(given) == (Section(0, "intro"), Section(4, "verse"), Section(12, "chorus"), Section(16, "verse"))


def test_they_are_the_same_after_the_file_was_written_and_read() -> None:
    given = song((0, "Intro"), (4, "Refrain é"), (12, "Solo"))
    assert found(midi.parse(midi.serialise(given))) == found(given)


def test_a_marker_is_of_the_nearest_barline() -> None:
    assert marks_of(song((3.9, "Verse"), (12.2, "Chorus")).markers, lattice_of(song())) == (
        (4, "verse"),
        (12, "chorus"),
    )


@pytest.mark.parametrize(
    "markers",
    [
        [(0, "Moonlight in Vermont")],
        [(0, "MANHATTAN......"), (20, "thanks for listening")],
        [(0, "Verse")],
        [(4, "Verse 1"), (4, "Verse 1a")],
    ],
)
def test_markers_that_are_a_title_or_a_remark_name_no_sections(markers: list[tuple[float, str]]) -> None:
    assert found(song(*markers)) == found(song())


def test_what_comes_before_the_first_marker_is_a_section_of_its_own_unless_it_is_short() -> None:
    assert found(song((8, "Verse"), (16, "Chorus")))[0] == Section(0, START)
    assert found(song((2, "Verse"), (16, "Chorus")))[0] == Section(0, "verse")
    assert found(song((2, "Verse"), (16, "Chorus"), first=2))[0] == Section(2, "verse")


def test_a_section_that_is_cut_out_of_a_song_keeps_its_name() -> None:
    guitar_grid = SongGrid.of(song((0, "Intro"), (4, "Verse"), (12, "Chorus")), [0]).guitar_grid
    assert sections(guitar_grid.between(8, 16)) == (Section(0, "verse"), Section(4, "chorus"))


def test_a_marker_in_the_letters_of_one_country_is_read() -> None:
    data = midi.serialise(song((0, "Refr~o"), (8, "Verse")))
    read = midi.parse(data.replace(b"Refr~o", "Refrão".encode("latin-1")))
    assert read.markers[0].text == "Refrão"


def test_of_very_many_markers_the_first_are_read() -> None:
    many = song(*((at / 500, f"riff {at}") for at in range(1500)))
    assert len(midi.parse(midi.serialise(many)).markers) == midi.MOST_MARKERS


def test_markers_that_say_so_are_sections_whatever_they_are_called() -> None:
    lattice = lattice_of(Song(480, (), length=8 * 1920))
    sure = (Marker(0, "Part 1", True), Marker(4 * 1920, "The loud bit", True))
    assert marks_of(sure, lattice) == ((0, "part"), (4, "the loud bit"))
    assert marks_of([marker._replace(is_section=False) for marker in sure], lattice) == ()


def test_the_markers_of_a_count_in_name_no_section() -> None:
    lattice = lattice_of(Song(480, (), length=8 * 1920))
    markers = (Marker(0, "Count-in"), Marker(1920, "Bar 1"), Marker(3840, "Verse"), Marker(5760, "Chorus"))
    assert marks_of(markers, lattice) == ((2, "verse"), (3, "chorus"))
