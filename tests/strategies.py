"""Hypothesis strategies for the words: notes, parts and songs of any metre, tempo map and ticks per quarter."""

from __future__ import annotations

from itertools import groupby
from typing import Any

from hypothesis import strategies as st

from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo

TICKS_PER_QUARTER = st.one_of(st.sampled_from([1, 24, 96, 192, 480, 960, 1024, 9600, 32767]), st.integers(1, 32767))

NUMERATORS = st.one_of(st.sampled_from([2, 3, 4, 5, 6, 7, 9, 12]), st.integers(1, 64))
DENOMINATORS = st.sampled_from([1, 2, 4, 8, 16, 32, 64])

# Names as files have them: any text that UTF-8 can hold. NUL is left in: some programs pad with it.
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def notes(last_tick: int = 20_000) -> st.SearchStrategy[Note]:
    """Notes that begin and end by `last_tick`; some have no length."""
    return st.builds(
        lambda ends, pitch, velocity: Note(min(ends), max(ends) - min(ends), pitch, velocity),
        st.tuples(st.integers(0, last_tick), st.integers(0, last_tick)),
        st.integers(0, 127),
        st.integers(1, 127),
    )


def parts(last_tick: int = 20_000, *, min_notes: int = 1, max_notes: int = 40) -> st.SearchStrategy[Part]:
    """Parts that a MIDI file can hold: of two notes of one pitch, the one that begins first ends first."""
    return st.builds(
        lambda notes, program, name, drums: Part.of(_in_turn(notes), program=program, name=name, is_drums=drums),
        st.lists(notes(last_tick), min_size=min_notes, max_size=max_notes),
        st.integers(0, 127),
        NAMES,
        st.booleans(),
    )


def _in_turn(notes: list[Note]) -> list[Note]:
    """The same notes with the ends of each pitch dealt out again so that first on is first off."""
    turned = []
    for _, group in groupby(sorted(notes, key=lambda note: (note.pitch, note.onset)), key=lambda note: note.pitch):
        same = list(group)
        ends = sorted(note.onset + note.duration for note in same)
        turned += [note._replace(duration=end - note.onset) for note, end in zip(same, ends, strict=True)]
    return turned


def tempos(last_tick: int = 20_000) -> st.SearchStrategy[tuple[Tempo, ...]]:
    """Tempo maps within the limits, often with several events at one tick."""
    tempo = st.builds(Tempo, _ticks(last_tick), st.integers(60_000, 15_000_000))
    return st.lists(tempo, max_size=30).map(lambda events: tuple(sorted(events, key=lambda event: event.tick)))


def metres(last_tick: int = 20_000) -> st.SearchStrategy[tuple[Metre, ...]]:
    """Metre maps: changes in mid-song, off the barline, several at one tick, and songs that begin without one."""
    metre = st.builds(Metre, _ticks(last_tick), NUMERATORS, DENOMINATORS)
    return st.lists(metre, max_size=30).map(lambda events: tuple(sorted(events, key=lambda event: event.tick)))


def markers(last_tick: int = 20_000) -> st.SearchStrategy[tuple[Marker, ...]]:
    """Markers: names of sections and any other text, at most one at a tick."""
    text = st.one_of(
        st.sampled_from(["Verse 1", "2nd Chorus", "B", "(c) me"]), NAMES.filter(lambda text: text not in ("", "|"))
    )
    table = st.dictionaries(_ticks(last_tick), text, max_size=8)
    return table.map(lambda found: tuple(Marker(tick, found[tick]) for tick in sorted(found)))


def _ticks(last_tick: int) -> st.SearchStrategy[int]:
    return st.one_of(st.sampled_from([0, last_tick // 2]), st.integers(0, last_tick))


@st.composite
def songs(draw: st.DrawFn, *, max_parts: int = 20, max_notes: int = 40, min_notes: int = 1) -> Song:
    """Songs of up to `max_parts` parts (more than the 15 pitched channels of MIDI), whose length is their last tick.

    At most 400 quarters long, so that every drawn song is within the limits.
    """
    ticks_per_quarter = draw(TICKS_PER_QUARTER)
    last = min(400 * ticks_per_quarter, 1_000_000)
    chosen = draw(st.lists(parts(last, min_notes=min_notes, max_notes=max_notes), max_size=max_parts))
    tempo_map, metre_map = draw(tempos(last)), draw(metres(last))
    silence = draw(st.sampled_from([0, 0, 1, ticks_per_quarter]))
    named = draw(markers(last))
    events: list[Any] = [*tempo_map, *metre_map, *named]
    end = max([part.end for part in chosen] + [event.tick for event in events] + [0])
    return Song(ticks_per_quarter, tuple(chosen), tempo_map, metre_map, end + silence, named)
