"""Drums as tablature in letters."""

from __future__ import annotations

from seq2drum.lattice.grooves.tabs import drum_tab
from seq2drum.music.notes import Marker, Note, Part, Song, Tempo


def tab(hits: list[tuple[int, int, int]], bars: int = 1, **about: object) -> list[str]:
    part = Part.of([Note(tick, 30, pitch, velocity) for tick, pitch, velocity in hits], is_drums=True)
    song = Song(480, (part,), (Tempo(0, 500_000),), length=1920 * bars)
    return drum_tab(song, part, "Song", **about).splitlines()  # type: ignore[arg-type]


ROCK = [(at, 42, 80) for at in range(0, 1920, 240)] + [(0, 36, 90), (480, 38, 120), (960, 36, 90), (1440, 38, 30)]


def test_sixteenths_have_a_column_each_and_a_line_says_how_they_are_counted() -> None:
    lines = tab(ROCK)
    assert lines[:2] == ["Song", "120 BPM, 4/4"]
    assert lines[-4:] == [
        "HH|x-x-x-x-x-x-x-x-|",
        "SD|----O-------g---|",
        "BD|o-------o-------|",
        "   1e+a2e+a3e+a4e+a",
    ]


def test_a_shuffle_is_counted_in_triplets() -> None:
    lines = tab([(0, 51, 80), (320, 51, 80), (480, 51, 80), (800, 53, 80)])
    assert lines[-2:] == ["RD|x-xx-b------|", "   1+a2+a3+a4+a"]


def test_lines_are_as_wide_as_a_page_and_sections_begin_a_new_one() -> None:
    hits = [(tick + 1920 * bar, pitch, velocity) for bar in range(8) for tick, pitch, velocity in ROCK]
    lines = tab(hits, 8, sections=(Marker(0, "Intro"), Marker(1920 * 2, "Verse")))
    assert max(map(len, lines[4:])) <= 80
    assert [line for line in lines if line.startswith(("[", "bar"))] == [
        "[Intro]",
        "bar 1",
        "[Verse]",
        "bar 3",
        "bar 7",
    ]


def test_percussion_has_a_line_of_its_own() -> None:
    assert tab([(0, 54, 80), (960, 39, 80)])[-2] == "Pc|x-------x-------|"


def test_silence_is_a_line_of_counts() -> None:
    assert tab([])[-1] == "   1e+a2e+a3e+a4e+a"
