"""Pieces as texts, and the notes that they stand for.

A bar of guitar is text: lines that sound together are parted by `|`, and each line's tokens share the bar evenly.

    .       silence                         A2+E3   two notes at once (E2 is the low string)
    -       the note before goes on         Am9     a chord of the table VOICINGS
    >E2     loud                            E2*     short: a palm mute or a stab
    'E2     soft

A bar of drums is one line of a groove book: the groove's name, then each voice with its pattern, whose characters share
the bar evenly: X loud, x plain, o light, g a ghost note.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random

from seq2drum.music import kit
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

TICKS = 480  # per quarter
STRUM = 7  # ticks from one string to the next

Groove = Mapping[str, str]
Bars = Sequence[str]


def groove_book(text: str) -> Mapping[str, Groove]:
    """Read grooves from text: `name | voice pattern | voice pattern`; a line without a name goes on with the last."""
    book: dict[str, dict[str, str]] = {}
    name = ""
    for line in filter(str.strip, text.splitlines()):
        head, *voices = line.split("|")
        name = head.strip() or name
        groove = book.setdefault(name, {})
        for voice in voices:
            piece, pattern = voice.strip().rsplit(" ", 1)
            groove[piece] = pattern
    return book


@dataclass(frozen=True)
class Guitar:
    """One guitar part: its name, General MIDI program, and one text a bar."""

    name: str
    program: int
    bars: Bars


@dataclass(frozen=True)
class Piece:
    """A piece: its guitars, and the drums that a drummer would play to them (`form` names one groove a bar).

    `layback` is in ticks: how far behind the beat the snare lies. `swing`: where in a quarter its second eighth falls.
    `crash` is how hard the crashes are that open a section.
    """

    name: str
    bpm: float
    metre: tuple[int, int]
    guitars: tuple[Guitar, ...]
    grooves: Mapping[str, Groove]
    form: str
    swing: Fraction = Fraction(1, 2)
    layback: int = 4
    crash: str = "X"


@dataclass(frozen=True)
class Version:
    """A piece played again: in another key and tempo, its bars in another order, other voices in the drums."""

    suffix: str
    transpose: int
    tempo: float
    order: tuple[tuple[int, int], ...] = ()
    swaps: Mapping[str, str] | None = None
    program: int | None = None


VOICINGS = {
    "A7": "A2+G3+C#4+E4",
    "A7b9": "G3+C#4+E4+A#4",
    "Am": "A2+E3+A3+C4+E4",
    "Am7": "G3+C4+E4+G4",
    "Am9": "G3+B3+C4+E4",
    "Bbmaj7": "A#2+A3+D4+F4",
    "Bm7": "B2+A3+D4+F#4",
    "Bm7b5": "A3+D4+F4+B4",
    "B7": "B2+A3+D#4+F#4",
    "C": "C3+G3+C4+E4",
    "C9": "C3+E3+A#3+D4",
    "Cm6": "C3+A3+D#4+G4",
    "Cm7": "C3+A#3+D#4+G4",
    "Cmaj7": "C3+B3+E4+G4",
    "Cmaj9": "E3+B3+D4+G4",
    "D7": "D3+C4+F#4+A4",
    "D9": "D3+F#3+C4+E4",
    "Dm7": "D3+C4+F4+A4",
    "Dm9": "F3+C4+E4+A4",
    "E7": "E2+D3+G#3+B3+E4",
    "E7b9": "G#3+D4+F4+B4",
    "E9": "E3+G#3+D4+F#4",
    "Em7": "E2+G3+D4+E4",
    "Em9": "E3+G3+D4+F#4",
    "F7": "F2+D#3+A3+C4",
    "Fmaj7": "F2+E3+A3+C4",
    "G": "G2+D3+G3+B3",
    "G7": "G2+F3+B3+D4",
    "G13": "F3+B3+E4+A4",
    "Gm7": "G2+F3+A#3+D4",
    "Apow": "A2+E3+A3",
    "Bpow": "B2+F#3+B3",
    "Cpow": "C3+G3+C4",
    "Dpow": "D3+A3+D4",
    "Epow": "E2+B2+E3",
    "Fpow": "F2+C3+F3",
    "Gpow": "G2+D3+G3",
    "mute": "E3+A3+D4",  # damped strings, for scratching
}


def pitch(name: str) -> int:
    """The MIDI number of a note name: E2 is 40, the low string."""
    octave = int(name[-1])
    return 12 * (octave + 1) + "C C#D D#E F F#G G#A A#B ".index(name[:-1].ljust(2)) // 2


def name_of(number: int) -> str:
    """The way back from `pitch`."""
    return "C C#D D#E F F#G G#A A#B "[number % 12 * 2 :][:2].strip() + str(number // 12 - 1)


# --- from text to notes -----------------------------------------------------------------------------------------------


def guitar_bar(text: str, start: int, length: int, swing: Fraction, draw: Random) -> list[Note]:
    """The notes of one bar of guitar that begins at tick `start` and lasts `length` ticks."""
    notes = []
    for line in text.split("|"):
        tokens = line.split()
        step = Fraction(length, len(tokens))
        swung = step * 2 % TICKS == 0
        at = [round(start + (swing_place(step * i, swing) if swung else step * i)) for i in range(len(tokens) + 1)]
        for i, token in enumerate(tokens):
            if token in ".-":
                continue
            last = i + 1
            while last < len(tokens) and tokens[last] == "-":
                last += 1
            notes += strum(token, at[i], at[last] - at[i], i * step % TICKS == 0, draw)
    return notes


def swing_place(place: Fraction, swing: Fraction) -> Fraction:
    """Move the second half of each quarter: a place in ticks from the barline, straight to swung."""
    quarters, rest = divmod(place, TICKS)
    half = Fraction(TICKS, 2)
    late = TICKS * swing
    moved = rest / half * late if rest < half else late + (rest - half) / half * (TICKS - late)
    return quarters * TICKS + moved


def strum(token: str, onset: int, length: int, on_beat: bool, draw: Random) -> list[Note]:
    """One token's notes: chords are strummed from the low string on the beat, from the high string off it."""
    loudness = {">": 104, "'": 58}.get(token[0], 82) + (4 if on_beat else 0)
    name = token.strip(">'*")
    pitches = [pitch(one) for one in VOICINGS.get(name, name).split("+")]
    if not on_beat:
        pitches.reverse()
    sounding = min(length, TICKS // 5) if token.endswith("*") else max(length - TICKS // 24, TICKS // 10)
    onset = max(0, onset + draw.randint(-4, 4))
    return [
        Note(onset + string * STRUM, sounding - string * STRUM // 2, tone, loudness + draw.randint(-7, 7) - 2 * string)
        for string, tone in enumerate(pitches)
    ]


def untangled(notes: Sequence[Note]) -> list[Note]:
    """A note ends where the next of its pitch begins, and of two at once one stays."""
    out: list[Note] = []
    following: dict[int, int] = {}
    for note in sorted(notes, reverse=True):
        until = following.get(note.pitch, note.onset + note.duration) - note.onset
        if until > TICKS // 12:
            out.append(note._replace(duration=min(note.duration, until)))
            following[note.pitch] = note.onset
    return out


LOUDNESS = {"X": 1.0, "x": 0.82, "o": 0.58, "g": 0.33}
VOICE_LOUDNESS = {
    "kick": 110,
    "snare": 116,
    "side stick": 96,
    "closed hat": 96,
    "ride": 98,
    "pedal hat": 78,
    "shaker": 80,
}
NOTE_OF = {voice.name: voice.notes[0] for voice in kit.FULL.voices}


def drum_bar(groove: Groove, start: int, length: int, layback: int, draw: Random) -> list[Note]:
    """The hits of one bar of drums."""
    hits = []
    for voice, text in groove.items():
        late = layback if voice in ("snare", "side stick") else 0
        for i, mark in enumerate(text):
            if mark == ".":
                continue
            onset = max(0, start + length * i // len(text) + late + draw.randint(-4, 4))
            loudness = round(VOICE_LOUDNESS.get(voice, 108) * LOUDNESS[mark]) + draw.randint(-5, 5)
            hits.append(Note(onset, TICKS // 8, NOTE_OF[voice], loudness))
    return hits


def after_fill(groove: Groove, crash: str) -> Groove:
    """The same groove with crash and kick on its first beat, in place of the hat or ride there."""
    rest = {voice: "." + text[1:] if "hat" in voice or voice == "ride" else text for voice, text in groove.items()}
    kick = groove["kick"]
    return {**rest, "kick": "X" + kick[1:], "crash": crash + "." * (len(kick) - 1)}


def drum_part(piece: Piece, names: Sequence[str], swaps: Mapping[str, str], bar: int) -> Part:
    """The drums of a piece whose bars last `bar` ticks. Grooves named F... are fills; capitals are the louder sections.

    The bar after a fill, and the first of a louder section, open with a crash.
    """
    draw = Random(f"{piece.name} drums {len(names)}")
    hits: list[Note] = []
    for index, name in enumerate(names):
        groove = piece.grooves[name]
        before = names[index - 1] if index else name
        if not name.startswith(("F", "end")) and (before.startswith("F") or name[0].isupper() > before[0].isupper()):
            groove = after_fill(groove, piece.crash)
        if not name.startswith("F"):
            groove = {swaps.get(voice, voice): text for voice, text in groove.items()}
        hits += drum_bar(groove, index * bar, bar, piece.layback, draw)
    return Part.of(hits, name="Drums", is_drums=True)


def song_of(piece: Piece, version: Version | None = None) -> Song:
    """The piece as a Song: the guitars alone, or one version of it with its drums."""
    numerator, denominator = piece.metre
    bar = 4 * TICKS * numerator // denominator
    names = piece.form.split()
    count = len(names)
    order = [i for a, b in (version.order if version and version.order else ((0, count),)) for i in range(a, b)]
    parts = []
    for guitar in piece.guitars:
        if len(guitar.bars) != count:
            raise ValueError(f"{piece.name}: {guitar.name} has {len(guitar.bars)} bars, the form has {count}")
        draw = Random(f"{piece.name} {guitar.name}")
        shift = version.transpose if version else 0
        notes = [
            note._replace(pitch=note.pitch + shift)
            for place, index in enumerate(order)
            for note in guitar_bar(guitar.bars[index], place * bar, bar, piece.swing, draw)
        ]
        program = guitar.program if version is None or version.program is None else version.program
        parts.append(Part.of(untangled(notes), program=program, name=guitar.name))
    if version:
        parts.append(drum_part(piece, [names[index] for index in order], version.swaps or {}, bar))
    bpm = piece.bpm * (version.tempo if version else 1)
    return Song(
        ticks_per_quarter=TICKS,
        parts=tuple(parts),
        tempos=(Tempo(0, round(60_000_000 / bpm)),),
        metres=(Metre(0, numerator, denominator),),
        length=len(order) * bar,
    )
