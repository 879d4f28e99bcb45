"""Sixteen short guitar pieces in sixteen styles, beside the examples: nothing was tuned by them.

    python examples/other_pieces.py FOLDER

writes them. Each is two parts of a simple accompaniment and a last chord that is held.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from seq2drum.formats.midi import midi
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

TICKS = 480  # a quarter
HALF = 16  # bars of a part


class Stroke(NamedTuple):
    """Strings struck together: when and how long, in quarters; the pitches; how loud."""

    at: float
    lasts: float
    pitches: tuple[int, ...]
    velocity: int


Bar = list[Stroke]
Pattern = Callable[[int], Bar]
"""The bar of an accompaniment on a root."""


def major(root: int) -> tuple[int, ...]:
    """Return a major triad with its root doubled."""
    return root, root + 7, root + 12, root + 16


def minor(root: int) -> tuple[int, ...]:
    """Return a minor triad with its root doubled."""
    return root, root + 7, root + 12, root + 15


def seventh(root: int) -> tuple[int, ...]:
    """Return a minor seventh chord."""
    return *minor(root), root + 22


def power(root: int) -> tuple[int, ...]:
    """Return a power chord."""
    return root, root + 7, root + 12


def strummed(chord: Callable[[int], tuple[int, ...]], *strokes: tuple[float, float, int]) -> Pattern:
    """The same chord at each of some places, each with how long it lasts and how loud it is."""
    return lambda root: [Stroke(at, lasts, chord(root), velocity) for at, lasts, velocity in strokes]


def bass_and(chord: Callable[[int], tuple[int, ...]], bass: Sequence[float], chords: Sequence[float]) -> Pattern:
    """The root at some places, and the chord above it at others."""

    def bar(root: int) -> Bar:
        low = [Stroke(at, 0.9, (root,), 92) for at in bass]
        return sorted(low + [Stroke(at, 0.4, chord(root + 12), 74) for at in chords])

    return bar


def chugged(accents: Sequence[float], others: Sequence[float], lasts: float = 0.45) -> Pattern:
    """Power chords at some places, the muted root at others."""

    def bar(root: int) -> Bar:
        loud = [Stroke(at, lasts, power(root), 110) for at in accents]
        return sorted(loud + [Stroke(at, 0.2, (root,), 92) for at in others])

    return bar


def boogie(root: int) -> Bar:
    """The root with its fifth, then its sixth, in shuffled eighths."""
    tops = [7 if beat % 2 == 0 else 9 for beat in range(4)]
    strokes = [(Stroke(beat, 0.6, (root, root + top), 100), top) for beat, top in enumerate(tops)]
    return sorted([one for one, _ in strokes] + [Stroke(one.at + 2 / 3, 0.3, one.pitches, 80) for one, _ in strokes])


def picked(root: int) -> Bar:
    """A broken chord in eighths."""
    chord = major(root)
    return [Stroke(eighth / 2, 0.6, (chord[min(eighth, 6 - eighth) % 4],), 84 - eighth) for eighth in range(8)]


class Style(NamedTuple):
    """How a piece is made: tempo, program, metre, and of each part the accompaniment and its roots, again and again."""

    bpm: float
    program: int
    first: Pattern
    roots: tuple[int, ...]
    second: Pattern
    others: tuple[int, ...]
    chord: Callable[[int], tuple[int, ...]] = major
    metre: tuple[int, int] = (4, 4)


def _styles() -> dict[str, Style]:
    # 1. Accompaniments that come more than once.
    skank = strummed(major, (1, 0.25, 100), (3, 0.25, 100))
    scratched = strummed(minor, *((at / 4, 0.12, 100 if at % 4 == 2 else 60) for at in range(16) if at % 4 != 1))
    eighths = chugged([at / 2 for at in range(8)], ())
    held = chugged((0, 2), (), 1.9)
    swing = strummed(seventh, (0, 0.9, 80), (1, 0.6, 95), (5 / 3, 0.3, 70), (2, 0.9, 80), (3, 0.6, 95))
    bossa = bass_and(seventh, (0, 2), (1, 1.5, 2.5, 3.5))
    gallop = chugged((0, 1, 2, 3), [beat + part for beat in range(4) for part in (0.5, 0.75)])
    funk = strummed(
        seventh,
        *((at, 0.15, 110 if at in (0, 1.5, 2.75, 3.5) else 72) for at in (0, 0.75, 1.25, 1.5, 2.25, 2.75, 3.25, 3.5)),
    )
    pop = strummed(major, (0, 0.9, 95), (1, 0.4, 70), (1.5, 0.4, 80), (2.5, 0.4, 80), (3, 0.4, 75), (3.5, 0.4, 70))
    country = bass_and(major, (0, 2), (1, 1.5, 3, 3.5))
    # 2. The pieces.
    return {
        "reggae": Style(76, 27, skank, (57, 62, 57, 64), skank, (60, 55)),
        "country": Style(168, 25, country, (43, 43, 48, 43, 43, 43, 50, 50), country, (48, 48, 43, 43, 50, 50)),
        "disco": Style(118, 27, scratched, (57, 57, 55, 55, 53, 53, 52, 52), scratched, (50, 55, 48, 53), minor),
        "punk": Style(186, 30, eighths, (45, 50, 52, 50), eighths, (48, 43, 45, 45), power),
        "pop": Style(104, 25, pop, (48, 55, 57, 53), pop, (53, 55, 48, 57)),
        "half_time": Style(140, 30, chugged((0, 2), (1.5, 3.5), 1.4), (38, 38, 41, 36), held, (38, 41, 43, 36), power),
        "swing_minor": Style(188, 26, swing, (50, 55, 48, 53, 58, 52, 57, 50), swing, (55, 48, 50, 57), minor),
        "bossa_minor": Style(140, 24, bossa, (45, 45, 50, 50, 52, 52, 45, 45), bossa, (50, 43, 48, 52), minor),
        "shuffle_e": Style(132, 29, boogie, (40, 40, 40, 40, 45, 45, 40, 40), boogie, (47, 45, 40, 47)),
        "gallop_d": Style(160, 30, gallop, (38, 38, 41, 43), held, (46, 48, 41, 43), power),
        "funk_d": Style(98, 28, funk, (50,), funk, (55,), seventh),
        "rock_a": Style(
            124, 29, chugged((0, 1.5, 2.5), (0.5, 1, 3, 3.5)), (45, 45, 43, 40), eighths, (48, 43, 50, 45), power
        ),
        "waltz_c": Style(
            126,
            24,
            bass_and(major, (0,), (1, 2)),
            (48, 48, 43, 43),
            bass_and(major, (0,), (1, 2)),
            (53, 48),
            major,
            (3, 4),
        ),
        "seven_eight_d": Style(
            150,
            30,
            chugged((0, 1, 2), (0.5, 1.5, 2.5, 3)),
            (38, 38, 41, 36),
            chugged((0, 1, 2), (3,), 0.9),
            (43, 41),
            power,
            (7, 8),
        ),
        "five_four_a": Style(
            120,
            27,
            strummed(minor, (0, 0.9, 100), (1.5, 0.4, 80), (3, 0.9, 100), (4, 0.9, 90)),
            (45, 45, 41, 43),
            strummed(minor, (0, 2.9, 95), (3, 1.9, 95)),
            (50, 48),
            minor,
            (5, 4),
        ),
        "ballad_four": Style(66, 25, picked, (48, 55, 57, 53), picked, (53, 55, 48, 48)),
    }


def pieces() -> Iterator[tuple[str, Song]]:
    """The pieces by name."""
    for name, style in _styles().items():
        yield name, _song(style)


def _song(style: Style) -> Song:
    numerator, denominator = style.metre
    length = 4 * TICKS * numerator // denominator
    parts = ((style.first, style.roots), (style.second, style.others))
    bars = [pattern(roots[bar % len(roots)]) for pattern, roots in parts for bar in range(HALF)]
    bars[-1] = [Stroke(0, length / TICKS, style.chord(style.roots[0]), 100)]
    notes = [
        Note(round(bar * length + stroke.at * TICKS), max(round(stroke.lasts * TICKS), 1), pitch, stroke.velocity)
        for bar, strokes in enumerate(bars)
        for stroke in strokes
        for pitch in stroke.pitches
    ]
    guitar = Part.of(sorted(notes, key=lambda note: (note.onset, note.pitch)), program=style.program, name="Guitar")
    tempo = Tempo(0, round(60_000_000 / style.bpm))
    return Song(TICKS, (guitar,), (tempo,), (Metre(0, numerator, denominator),), len(bars) * length)


def main(folder: Path) -> None:
    """Write the pieces into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, song in pieces():
        (folder / f"{name}.mid").write_bytes(midi.serialise(song))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
