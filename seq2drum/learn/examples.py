"""The sections of a corpus with the grooves that their drummers played: of these the book and the ranker are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from seq2drum.data.prepared import Prepared
from seq2drum.lattice.conditions import style_of
from seq2drum.lattice.drums import drums_of
from seq2drum.lattice.form import MAX_STEPS, FloatArray
from seq2drum.lattice.grooves import Groove, typical
from seq2drum.lattice.section_features import letters_of, section_features
from seq2drum.lattice.sections import sections
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray

FEWEST = 2  # bars of a section with guitar and drums


class Example(NamedTuple):
    """A section of a song.

    song, group: what is known of the song. letter: the section's. heard (SECTION.size,): its guitar and bass. groove:
    the typical one of its drums, in the metre of most of its bars. bars: of that metre in which the drums play, counted
    in the song. bpm: the median of their tempos. style: what the song's whole drum part is played like.
    """

    song: str
    group: str
    letter: str
    heard: FloatArray
    groove: Groove
    bars: IntArray
    bpm: float
    style: str


def examples(songs: Sequence[Prepared], show: Callable[[int, int], None] = lambda done, total: None) -> list[Example]:
    """The sections of all songs that have no bar longer than MAX_STEPS. show: is told how many songs are done."""
    found = list[Example]()
    for done, song in enumerate(songs, 1):
        if song.heard.form.steps.max() <= MAX_STEPS:
            found += examples_of(song)
        show(done, len(songs))
    return found


def examples_of(song: Prepared) -> Iterator[Example]:
    """The sections of a song in which guitar and drums play in FEWEST bars or more."""
    form, drums = song.heard.form, song.drums
    passages = sections(song.heard)
    letters = letters_of(passages, len(form.steps))
    struck = np.bincount(form.bar_of(drums.step), minlength=len(form.steps)) > 0
    style = style_of(drums_of(drums, form, FULL))
    for letter, (metre, _, heard) in section_features(song.heard, passages).items():
        held = (form.numerator == metre[0]) & (form.denominator == metre[1])
        bars = np.flatnonzero((letters == letter) & struck & held)
        if len(bars) < FEWEST:
            continue
        groove = typical(drums, form, bars)
        bpm = float(np.median(form.bpm[bars]))
        yield Example(song.sha256, song.group, letter, heard.astype(np.float16), groove, bars, bpm, style)
