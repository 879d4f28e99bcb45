"""Listen: a song becomes a `Guitar`, whose bars, grid, sections and features are computed once, on first use."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from seq2drum.errors import InputError, OptionError
from seq2drum.formats.opening import Opened, open_song
from seq2drum.lattice.features import Features, SongGrid, features
from seq2drum.lattice.gestures import rests
from seq2drum.lattice.grid import Grid, encode
from seq2drum.lattice.sections import Section, sections
from seq2drum.music import theory
from seq2drum.music.choices import WHOLE, places_of, range_of, sections_of
from seq2drum.music.duet import redrummed
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import Marker, Song, merge_parts
from seq2drum.music.options import replaced_by
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.decode.plan import BoolArray, Plan

MOST_BARS = 10_000


@dataclass(frozen=True)
class Guitar:
    """A song and its guitar parts. source: the bytes of the song's MIDI file, if it has one."""

    song: Song
    choice: GuitarChoice
    source: bytes | None = None

    @cached_property
    def song_grid(self) -> SongGrid:
        """The lattice of the song and the guitar on it.

        Raises:
            InputError: the song has more than MOST_BARS bars.
        """
        if (count := len(self.song.bars())) > MOST_BARS:
            raise InputError(f"the song has {count} bars, at most {MOST_BARS} are played; is its metre right?")
        return SongGrid.of(self.song, self.choice.parts)

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """The sections of the guitar."""
        return sections(self.song_grid.guitar_grid)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The sections as markers of the song: their first ticks and their names."""
        begins = self.song_grid.lattice.bars
        return tuple(Marker(begins[bar].start, letter) for bar, letter in self.sections)

    @property
    def is_named(self) -> bool:
        """True if the song's own markers name the sections."""
        return bool(self.song_grid.guitar_grid.marks)

    @cached_property
    def features(self) -> Features:
        """The guitar as a model reads it."""
        return features(self.song_grid.guitar_grid)

    @cached_property
    def resting(self) -> BoolArray:
        """(B,): the bars without notes except drums."""
        return rests(self.song, self.song_grid.lattice)

    @property
    def sounding(self) -> tuple[int, int]:
        """The bars [first, stop) from the first note to the last."""
        bars = np.flatnonzero(~self.resting)
        return int(bars[0]), int(bars[-1]) + 1

    def out(self, places: str | None, enter: int | None) -> BoolArray:
        """Return the bars (B,) without drums by request: those in some places, and those before the entry.

        places: see `places_of`; sections by their letters. enter: the number of the bar in the song.
        """
        out: BoolArray = self.song_grid.numbers < (enter or 0)
        for place in () if places is None else places_of(places):
            out |= self.bars_in(place)
        return out

    def others(self, instead: str | None) -> list[dict[str, str]]:
        """Return {piece: the one that plays in its place} of each bar (B,). instead: with sections by their letters."""
        found = [dict[str, str]() for _ in self.song_grid.numbers]
        for place, others in ({} if instead is None else replaced_by(instead)).items():
            for bar in range(len(found)) if place == WHOLE else np.flatnonzero(self.bars_in(place)):
                found[bar] |= others
        return found

    def bars_in(self, place: str | tuple[int, int]) -> BoolArray:
        """Return the bars (B,) of a place: a section by its letter, or those from a first to a last number in the song.

        Numbers may be a text, such as "9-16".
        """
        numbers = self.song_grid.numbers
        place = (range_of(place) or place) if isinstance(place, str) else place
        if isinstance(place, str):
            inside: BoolArray = np.array(self.letters) == place
        else:
            inside = (place[0] <= numbers) & (numbers <= place[1])
        return inside

    @property
    def letters(self) -> tuple[str, ...]:
        """The letter of each bar's section."""
        return Plan.of_sections(len(self.song_grid.numbers), self.sections).letter

    @property
    def everything(self) -> Grid:
        """All notes but drums on the lattice."""
        parts = [part for part in self.song.parts if not part.is_drums and len(part)]  # the guitar at least
        return encode(merge_parts(parts), self.song_grid.lattice)


def listen(
    song: Song | Opened | bytes | str | os.PathLike[str],
    track: str | None = None,
    *,
    sections: str | None = None,
    drums: Song | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Guitar:
    """Read a song and find its guitar.

    Args:
        song: A song, opened or not, or a file of any kind that `formats.opening` knows, its path or its bytes.
        track: The guitar parts; by default those that look like one.
        sections: Sections by name, in place of the file's markers, as in `Options.sections`.
        drums: A file whose drums replace the song's own.
        limits: The limits of a file.

    Raises:
        InputError: the song cannot be read or has no guitar. The message says what to do.
        OptionError: there is no such track, or a section is longer than the song.
    """
    if not isinstance(song, Opened):
        song = Opened(song, None) if isinstance(song, Song) else open_song(song, limits=limits)
    song, source = song
    if drums is not None:
        song = redrummed(song, drums)
    choice = theory.choose_parts(song, track)
    return Guitar(song if sections is None else with_sections(song, sections), choice, source)


def with_sections(song: Song, named: str) -> Song:
    """The song with named sections as its markers.

    Raises:
        OptionError: the song has fewer bars.
    """
    bars, passages = song.bars(), sections_of(named)
    name, _, last = passages[-1]
    if last > len(bars):
        raise OptionError(f"the section {name!r} ends in bar {last}, but the song has {len(bars)}")
    return replace(song, markers=tuple(Marker(bars[first - 1].start, name, True) for name, first, _ in passages))
