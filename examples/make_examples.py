"""Write the example pieces: guitar alone into examples/, guitar and drums into examples/training/.

Every note here was composed for this project. A bar of guitar is text: lines that sound together are parted by `|`,
and each line's tokens share the bar evenly.

    .       silence                         A2+E3   two notes at once (E2 is the low string)
    -       the note before goes on         Am9     a chord of the table VOICINGS
    >E2     loud                            E2*     short: a palm mute or a stab
    'E2     soft

A bar of drums is one line of a groove book: the groove's name, then each voice with its pattern, whose characters share
the bar evenly: X loud, x plain, o light, g a ghost note. The same script always writes the same bytes.

    python examples/make_examples.py [FOLDER]

Without a folder, the song that comes with the package (`--mode demo`) is written, too.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from random import Random

from seq2drum.formats import midi
from seq2drum.music import kit
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo

TICKS = 480  # per quarter
STRUM = 7  # ticks from one string to the next
NYLON, STEEL, JAZZ, CLEAN, MUTED, OVERDRIVE, DISTORTION = 24, 25, 26, 27, 28, 29, 30

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


# --- from text to notes ------------------------------------------------------------------------------------------


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


# --- the pieces --------------------------------------------------------------------------------------------------


def blues_shuffle() -> Piece:
    """Two choruses of a blues in A: a boogie, then stabs and answers."""

    def boogie(root: str) -> str:
        low = pitch(root)
        mark = (">", "", ">", "", ">", "", ">", "")
        return " ".join(
            f"{m}{root}+{name_of(low + up)}" for m, up in zip(mark, (7, 7, 9, 9, 10, 10, 9, 9), strict=True)
        )

    a, d, e = boogie("A2"), boogie("D3"), boogie("E2")
    answer = ">A2+E3 A2+E3 >A2+F#3 A2+F#3 G3 A3 C4 >C#4"
    reply = ">A2+E3 A2+E3 C4 >A3 G3 E3 G3 A3"
    turn = ">A3+E4 . >G3+E4 . >F#3+E4 >F3+E4 >E7 -"
    first = [a, a, a, answer, d, d, a, reply, e, d, a, turn]
    stab = ">A7* . . >A7* . . G3 A3"
    climb = ">D9* . . >D9* . . C4 D4"
    last = ">A7 - - - - - - -"
    second = [
        stab,
        "C4 C#4 E4 >A4 - G4 E4 C#4",
        stab,
        "A4 - G4 E4 >C#4 A3 G3 A3",
        climb,
        "C4 D4 F4 >A4 - F4 D4 C4",
        stab,
        reply,
        ">E7* . . >E7* . . G#3 B3",
        ">D9* . . >D9* . . F#3 A3",
        turn,
        last,
    ]
    grooves = groove_book("""
        a    | kick x.....x..... | snare ...X.....X.. | closed hat x.ox.ox.ox.o
        b    | kick x....ox..... | snare ..gX.g..gX.g | closed hat x.ox.ox.ox.o
        Fs   | kick x.....x..... | snare ...X..xooxox | closed hat x.ox.o......
        Ft   | kick x..x..x..x.. | snare ...X.oXox... | high tom .........x.. | low tom ..........xX
        R    | kick x.....x....o | snare ...X.g..gX.g | ride x.ox.ox.ox.o | pedal hat ...x.....x..
        end  | kick X........... | crash X........... | snare X...........
    """)
    return Piece(
        "blues_shuffle",
        116,
        (4, 4),
        (Guitar("Electric Guitar", CLEAN, first + second),),
        grooves,
        "a a a b a a a Fs b b a Ft R R R R R R R Fs R R Ft end",
        Fraction(2, 3),
        9,
    )


def bossa_nova() -> Piece:
    """Thumb and fingers: a bass of root and fifth under a two-bar syncopation."""
    chords = [
        "Dm9:D3:A2",
        "Dm9:D3:A2",
        "G13:G2:D3",
        "G13:G2:D3",
        "Cmaj9:C3:G2",
        "Am7:A2:E3",
        "Bm7b5:B2:F3",
        "E7b9:E2:B2",
        "Am9:A2:E3",
        "Am9:A2:E3",
        "D9:D3:A2",
        "D9:D3:A2",
        "Dm9:D3:A2",
        "G13:G2:D3",
        "Cmaj9:C3:G2",
        "A7b9:A2:E3",
    ]

    def comp(index: int, chord: str) -> str:
        name, root, fifth = chord.split(":")
        upper = f"{name} . {name}* . . >{name} . {name}" if index % 2 == 0 else f"- {name}* . {name} - . >{name}* ."
        if index % 2:
            upper = upper.replace("-", ".", 1)
        return f"{root} - - '{root} {fifth} - - '{fifth} | {upper}"

    bars = [comp(i, chord) for i, chord in enumerate(chords * 2)]
    bars[-1] = "C3 - - - G2 - - - | >Cmaj9 - - - - - - -"
    grooves = groove_book("""
        a    | kick x..ox..o | pedal hat ..x...x. | side stick x..x..x. | shaker xoxoxoxo | closed hat xoxoxoxo
        b    | kick x..ox..o | pedal hat ..x...x. | side stick ..x..x.. | shaker xoxoxoxo | closed hat xoxoxoxo
        Ra   | kick x..ox..o | pedal hat ..x...x. | side stick x..x..x. | shaker xoxoxoxo | ride xoxxxoxx
        Rb   | kick x..ox..o | pedal hat ..x...x. | side stick ..x..x.. | shaker xoxoxoxo | ride xoxxxoxx
        F    | kick x..ox..o | side stick ..x..... | high tom ....xo.. | low tom ......xx | closed hat xoxo....
        end  | kick x....... | ride x....... | side stick x.......
    """)
    form = "a b a b a b a F a b a b a b a F Ra Rb Ra Rb Ra Rb Ra F Ra Rb Ra Rb Ra Rb F end"
    return Piece("bossa_nova", 132, (4, 4), (Guitar("Nylon Guitar", NYLON, bars),), grooves, form, layback=2, crash="o")


def rock_riff() -> Piece:
    """Verse and chorus twice; a lead guitar joins the choruses."""
    riff = ["E2* E2* >Epow - E2* >Gpow - >Apow", "E2* E2* >Epow - >Dpow - >Bpow -"]
    end_riff = "E2* E2* >Epow - >Gpow >Apow >Bpow >Dpow"
    verse = [*riff, *riff, *riff, riff[0], end_riff]
    drive = [
        ">Cpow Cpow Cpow Cpow Cpow Cpow >Cpow Cpow",
        ">Gpow Gpow Gpow Gpow Gpow Gpow >Gpow Gpow",
        ">Dpow Dpow Dpow Dpow Dpow Dpow >Dpow Dpow",
    ]
    chorus = [*drive, ">Apow Apow Apow Apow >Apow - >Bpow -", *drive, ">Apow - - >Apow - - >Bpow -"]
    rhythm = verse + chorus + verse + chorus[:-1] + [">Epow - - - - - - -"]
    rest = [". . . . . . . ."]
    song = [
        "E4 - - D4 C4 - D4 -",
        "B3 - - - - - D4 E4",
        "F#4 - - E4 D4 - E4 -",
        "C#4 - - - E4 - F#4 -",
        "G4 - - F#4 E4 - D4 -",
        "D4 - B3 - D4 - G4 -",
        "A4 - - G4 F#4 - E4 -",
    ]
    lead = rest * 8 + [*song, "E4 - - - - - F#4 -"] + rest * 8 + [*song, ">E4+B4 - - - - - - -"]
    grooves = groove_book("""
        v    | kick X.....x.x....... | snare ....X.......X... | closed hat X.x.X.x.X.x.X.x.
        w    | kick X.....x.x.x....o | snare ....X..g.g..X... | closed hat X.x.X.x.X.x.X...
             | open hat ..............x.
        C    | kick X..x..x.X.x...x. | snare ....X.......X... | ride X.x.X.x.X.x.X.x.
        D    | kick X..x..x.X.x...x. | snare ....X.......X..x | open hat X...X...X...X...
        Fa   | kick X.....x.x...x... | snare ....X...xxX.xx.. | mid tom ..............X.
             | low tom ...............X | closed hat X.x.X.x.........
        Fb   | kick X.......x...x... | snare XoxX............ | high tom ....XoXo........
             | mid tom ........XoXo.... | low tom ............XXXX
        end  | kick X............... | crash X............... | snare X...............
    """)
    form = "v w v w v w v Fa C C C C D D D Fb v w v Fa v w v Fb C C C Fa D D Fb end"
    guitars = (Guitar("Rhythm Guitar", DISTORTION, rhythm), Guitar("Lead Guitar", OVERDRIVE, lead))
    return Piece("rock_riff", 132, (4, 4), guitars, grooves, form, layback=5)


def waltz() -> Piece:
    """A song form in G: bass, two light chords, a melody above."""
    harmony = {
        "G": ("G2", "D3+G3+B3"),
        "Em": ("E2", "E3+G3+B3"),
        "Am": ("A2", "E3+A3+C4"),
        "D": ("D3", "F#3+A3+C4"),
        "C": ("C3", "G3+C4+E4"),
        "Cm": ("C3", "G3+C4+D#4"),
        "E": ("E2", "G#3+B3+D4"),
    }

    def bar(chord: str, tune: str) -> str:
        bass, upper = harmony[chord]
        return f"{bass} - - - - - | . . '{upper}* . '{upper}* . | {tune}"

    tune = ["D5 - - - B4 -", "G4 - - - A4 B4", "C5 - - - E5 -", "D5 - C5 - A4 -", "B4 - - - D5 -", "E5 - - - B4 -"]
    first = [bar(c, t) for c, t in zip(["G", "Em", "Am", "D", "G", "Em"], tune, strict=True)]
    open_end = [bar("Am", "C5 - B4 - A4 -"), bar("D", "D5 - - - - -")]
    closed = [bar("Am", "C5 - A4 - F#4 -"), bar("G", "G4 - - - - -")]
    middle = [
        bar(c, t)
        for c, t in zip(
            ["C", "Cm", "G", "E", "Am", "D", "G", "D"],
            [
                "E5 - - - D5 -",
                "D#5 - - - C5 -",
                "D5 - B4 - G4 -",
                "G#4 - - - B4 -",
                "C5 - - - B4 A4",
                "F#4 - A4 - C5 -",
                "B4 - - - G4 -",
                "A4 - F#4 - D4 -",
            ],
            strict=True,
        )
    ]
    last = "G2 - - - - - | >G - - - - - | G4 - - - - -"
    bars = first + open_end + first + closed + middle + first + [closed[0], last]
    grooves = groove_book("""
        a    | kick x........... | side stick ....o...o... | closed hat x...o...o...
        b    | kick x.........o. | side stick ....o...x... | closed hat x...o...o.o.
        R    | kick x........... | snare ....g...o... | ride x...x.o.x... | pedal hat ....x...x...
        S    | kick x.......o... | snare ....o...o.g. | ride x...x.o.x.o. | pedal hat ....x...x...
        F    | kick x........... | snare ....x.o..... | high tom ........x... | low tom ..........x.
        end  | kick x........... | ride x...........
    """)
    form = "a a a b a a a F a b a b a b a F R R R S R R R F R S R S R S F end"
    return Piece("waltz", 148, (3, 4), (Guitar("Classical Guitar", NYLON, bars),), grooves, form, layback=3, crash="o")


def seven_eight() -> Piece:
    """A riff of two, two and three eighths in E minor, and a part that lets the chords ring."""
    one = ">E2 E2* G2 . >A2 A2* B2 . >D3 - B2 A2 G2 ."
    two = ">E2 E2* G2 . >A2 A2* B2 . >E3 - D3 B2 A2 G2"
    ring = [
        ">Cpow - - - >Dpow - - - >E3+B3 - - - Dpow -",
        ">Cpow - - - >Dpow - - - >Gpow - - - Bpow -",
        ">Apow - - - >Bpow - - - >Cpow - - - Dpow -",
        ">Apow - - - >Bpow - - - >Epow - E2* E2* E2* .",
    ]
    bars = [one, one, one, two] * 2 + ring * 2 + [one, two] * 3 + [one, ">Epow - - - - - - - - - - - - -"]
    grooves = groove_book("""
        a    | kick X...x...x.x... | snare ..X...X.....X. | closed hat X.x.X.x.X.x.x.
        b    | kick X..xx...x.x..o | snare ..X...Xg..g.X. | closed hat X.x.X.x.X.x.x.
        R    | kick X...x...X.x... | snare ......X.....X. | ride X.x.X.x.X.x.x.
        Fa   | kick X...x...x..... | snare ..X...X.xxxx.. | low tom ............XX | closed hat X.x.X.x.......
        Fb   | kick X...x...x..... | snare XoXo.......... | high tom ....XoXo...... | mid tom ........XxX...
             | low tom ...........xXX
        end  | kick X............. | crash X.............
    """)
    form = "a a a b a a a Fa R R R Fa R R R Fb a b a Fa a b Fb end"
    return Piece("seven_eight", 138, (7, 8), (Guitar("Overdriven Guitar", OVERDRIVE, bars),), grooves, form, layback=3)


def ballad() -> Piece:
    """A slow six-eight: one broken chord a bar, the melody on its highest string."""
    shapes = {
        "C": "C3 G3 C4 . C4 G3",
        "G/B": "B2 G3 D4 . D4 G3",
        "Am": "A2 E3 A3 . A3 E3",
        "F": "F2 C3 A3 . A3 C3",
        "Dm": "D3 A3 D4 . D4 A3",
        "G": "G2 D3 B3 . B3 D3",
        "E": "E2 B2 G#3 . G#3 B2",
        "Em": "E2 B2 G3 . G3 B2",
    }

    def bar(chord: str, top: str) -> str:
        return f"{shapes[chord]} | . . . >{top} - -"

    def verse(tops: str) -> list[str]:
        return [bar(c, t) for c, t in zip(["C", "G/B", "Am", "F", "C", "G/B", "F", "G"], tops.split(), strict=True)]

    chorus = [
        bar(c, t)
        for c, t in zip(
            ["F", "G", "Em", "Am", "Dm", "G", "C", "C"], ["A4", "B4", "G4", "C5", "F4", "D4", "E4", "G4"], strict=True
        )
    ]
    strummed = [f"{name} - - >{name} - {name}" for name in ("C", "G", "Am", "Am", "C", "G")]
    bars = verse("E4 D4 C4 A4 E4 D4 C4 D4") + chorus + strummed + [bar("F", "C4"), ">C - - - - -"]
    grooves = groove_book("""
        a    | kick x........... | side stick ......x..... | closed hat x.o.o.x.o.o.
        b    | kick x....o....o. | side stick ......x..... | closed hat x.o.o.x.o.o.
        R    | kick X...x.....x. | snare ......X....g | ride x.o.o.x.o.o.
        S    | kick X...x...o.x. | snare .....gX..g.. | ride x.o.o.x.o.o.
        Fa   | kick x........... | snare ......x.o.xx | closed hat x.o.o.......
        Fb   | kick X.....x..... | snare ......X.x... | high tom ..........x. | low tom ...........X
             | ride x.o.o.......
        end  | kick x........... | crash o...........
    """)
    form = "a a a b a a b Fa R R R S R S R Fb S S R Fa S Fb R end"
    return Piece("ballad", 84, (6, 8), (Guitar("Steel Guitar", STEEL, bars),), grooves, form, layback=10, crash="x")


def five_four() -> Piece:
    """A swung vamp of three and two beats in E minor, with a bridge that walks down."""
    vamp = "E2 - - - - B2 A2 - B2 - | . . >Em9 - . >Em9* >Am7 - Bm7* ."
    push = "E2 - - - - B2 A2 - B2 D3 | . >Em9* . . >Em9 - >Am7 - >Bm7* ."
    bridge = [
        "C3 - - - - G2 B2 - - - | . . >Cmaj7 - . >Cmaj7* >Bm7 - - .",
        "A2 - - - - E3 G2 - - - | . . >Am7 - . >Am7* >G - - .",
        "F2 - - - - C3 E2 - - - | . . >Fmaj7 - . >Fmaj7* >Em7 - - .",
        "B2 - - - - F#3 B2 - D#3 - | . . >B7 - . >B7* >B7 - B7* .",
    ]
    bars = (
        [vamp, vamp, vamp, push] * 2
        + bridge * 2
        + [vamp, push] * 3
        + [push, ">Em9 - - - - - - - - - | E2 - - - - - - - - -"]
    )
    grooves = groove_book("""
        a    | kick x........x..... | snare ........g...... | ride x..x.ox..x..x.o | pedal hat ...x.....x..x..
        b    | kick x....o...x..... | side stick ......x.....x.. | ride x..x.ox..x..x.o
             | pedal hat ...x.....x..x..
        R    | kick x.....o..x....o | snare ..g..o......x.. | ride x..x.ox..x.ox.o | pedal hat ...x.....x..x..
        Fa   | kick x........x..... | snare .....ox.oxoox.. | ride x..x.o......... | pedal hat ...x.....x..x..
        Fb   | kick x........x..... | snare ...x.x......... | high tom ......xox...... | low tom .........xxoX.x
             | pedal hat ...x.....x..x..
        end  | kick x.............. | crash o.............. | ride x..............
    """)
    form = "a a a b a b a Fa R R R b R R R Fb a b R Fa b R Fb end"
    return Piece("five_four", 164, (5, 4), (Guitar("Jazz Guitar", JAZZ, bars),), grooves, form, Fraction(2, 3), 4, "o")


def jazz_swing() -> Piece:
    """A thirty-two bar song in F, A A B A: four to the bar, then the comping opens up."""
    a_part = "Fmaj7/Dm7 Gm7/C9 Fmaj7/Dm7 Gm7/C9 Cm7/F7 Bbmaj7/Cm6 Fmaj7/C9 {}"
    bridge = ["Cm7/Cm7", "F7/F7", "Bbmaj7/Bbmaj7", "Bbmaj7/Bbmaj7", "Dm7/Dm7", "G7/G7", "Gm7/Gm7", "C9/C9"]

    def four(chords: str) -> str:
        one, two = chords.split("/")
        return f"'{one} . {one}* . '{two} . {two}* ."

    def charleston(chords: str) -> str:
        one, two = chords.split("/")
        return f">{one} - . {one}* . . . >{two}"

    def late(chords: str) -> str:
        one, two = chords.split("/")
        return f". >{one}* . {one} - . >{two}* ."

    first = [four(c) for c in a_part.format("Fmaj7/C9").split()]
    second = [(charleston, late)[i % 2](c) for i, c in enumerate(a_part.format("Fmaj7/F7").split())]
    middle = [(late, charleston, charleston, four)[i % 4](c) for i, c in enumerate(bridge)]
    third = [(charleston, four)[i % 2](c) for i, c in enumerate(a_part.format("Fmaj7/Fmaj7").split())]
    third[-2:] = [". >Fmaj7* . >C9* . . . >Fmaj7", "- - - - - - - -".replace("-", ">Fmaj7", 1)]
    bars = first + second + middle + third
    grooves = groove_book("""
        a    | kick o..o..o..o.. | ride x..x.ox..x.o | pedal hat ...x.....x..
        b    | kick o..o..o..o.. | snare .....g...... | ride x..x.ox..x.o | pedal hat ...x.....x..
        c    | kick o....xo..... | snare ........o... | ride x..x.ox..x.o | pedal hat ...x.....x..
        d    | kick o..........x | side stick .........x.. | ride x..x.ox..x.o | pedal hat ...x.....x..
        e    | kick o.......x... | snare ..g..o.....o | ride x..x.ox.ox.o | pedal hat ...x.....x..
        Fa   | kick o.....x..... | snare ..o..x.oxoox | ride x..x........ | pedal hat ...x.....x..
        Fb   | kick x.....x..... | snare xox.x....... | high tom ......xo.... | low tom ........xxoX
             | pedal hat ...x.....x..
        end  | kick X........... | crash x........... | snare x...........
    """)
    form = "a a a b a a b Fa c e c e c e d Fa d c e c d c e Fb e c e d e c Fb end"
    return Piece("jazz_swing", 168, (4, 4), (Guitar("Jazz Guitar", JAZZ, bars),), grooves, form, Fraction(2, 3), 3, "o")


def funk() -> Piece:
    """Scratched sixteenths on E9, a single-note line, and a bridge on the fourth."""
    scratch = ">E9* . 'mute* 'mute* . >E9* 'mute* . 'mute* 'mute* >E9* . 'mute* >E9* . 'mute*"
    answer = ">E9* . 'mute* 'mute* . >E9* 'mute* . 'mute* . E3* G3* . >A3* B3* D4*"
    line = "E3* . E3* G3* . A3* . >B3* . 'mute* D4* . >B3* A3* G3* ."
    up = [bar.replace("E9", "A7").replace("E3*", "A3*") for bar in (scratch, scratch)]
    bridge = [
        *up,
        scratch,
        answer,
        *up,
        ">B7* . 'mute* >B7* . 'mute* >B7* . >A7* . 'mute* >A7* . 'mute* >A7* .",
        answer,
    ]
    bars = (
        [scratch, scratch, scratch, answer] * 2
        + bridge
        + [line, answer] * 3
        + [line, ">E9 - - - . . . . >E9* . . . . . . ."]
    )
    grooves = groove_book("""
        a    | kick X..x..x...x..x.. | snare ....X..g.g..X..g | closed hat XoxoXoxoXoxoXoxo
        b    | kick X..x..x..x....x. | snare .g..X..g.gg.X.g. | closed hat XoxoXox.XoxoXoxo
             | open hat .......x........
        R    | kick X.x....x..x..x.. | snare ....X..g.g..X... | ride X.x.X.x.X.x.X.x.
        S    | kick X.x....x..xx.... | snare .g..X..g.g..X..x | ride X.x.X.x.X.x.X.x.
        Fa   | kick X..x..x...x..... | snare ....X..g.xxoXxoX | closed hat XoxoXoxo........
        Fb   | kick X..x..x.x...x... | snare ....X.xx........ | high tom ........Xx......
             | mid tom ..........Xx.... | low tom ............X.XX | closed hat Xoxo............
        end  | kick X.......X....... | crash X............... | open hat ........X.......
    """)
    form = "a a a b a b a Fa R S R Fa R S R Fb a b a Fa b a Fb end"
    return Piece("funk", 104, (4, 4), (Guitar("Clean Guitar", CLEAN, bars),), grooves, form, layback=7)


def metal_gallop() -> Piece:
    """A galloping riff, a chorus of tremolo, and a half-time breakdown."""
    gallop = ">E2* . E2* E2* E2* . E2* E2* >Gpow - Fpow - >E2* . E2* E2*"
    chrome = ">E2* . E2* E2* E2* . E2* E2* >Cpow - Bpow - >A#2+F3 - >Apow -"
    tremolo = [
        " ".join([f">{chord}", *[chord] * 7, f">{then}", *[then] * 7])
        for chord, then in (("E4", "G4"), ("C5", "B4"), ("A4", "C5"), ("B4", "D#5"))
    ]
    under = [
        f">{chord} - - - - - - - >{then} - - - - - - -"
        for chord, then in (("Epow", "Gpow"), ("Cpow", "Bpow"), ("Apow", "Cpow"), ("Bpow", "Bpow"))
    ]
    heavy = [">Epow - - - . . >Fpow - - - . . E2* E2* >Gpow -", ">Epow - - - . . >Fpow - - - . . >A#2+F3 - - -"]
    rhythm = (
        [gallop, gallop, gallop, chrome] * 2
        + under * 2
        + heavy * 4
        + [gallop, chrome] * 3
        + [chrome, ">Epow" + " -" * 15]
    )
    rest = [" ".join("." * 16)]
    lead = rest * 8 + tremolo * 2 + rest * 16
    grooves = groove_book("""
        g    | kick X.xxX.xxX.xxX.xx | snare ....X.......X... | closed hat X...X...X...X...
        h    | kick X.xxX.xxX.X.X.X. | snare ....X.......X... | open hat X...X...X...X...
        D    | kick XxxxXxxxXxxxXxxx | snare ....X.......X... | ride X.x.X.x.X.x.X.x.
        E    | kick XxxxXxxxXxxxXxxx | snare ....X.......X... | bell X...X...X...X...
        b    | kick X.....X.....xxX. | snare ........X....... | crash X...X...X...X...
        c    | kick X.....X.....X... | snare ........X....... | open hat X...X...X...X...
        Fa   | kick X.xxX.xxX...X... | snare ....X...XxxxXxxx | closed hat X...X...........
        Fb   | kick XxxxXxxxXxxxXxxx | snare XxxX............ | high tom ....XxxX........
             | mid tom ........XxxX.... | low tom ............XxXX
        end  | kick X............... | crash X............... | snare X...............
    """)
    form = "g g g h g g g Fa D D D D E E E Fb b c b c b c b Fa g h g Fa g h Fb end"
    guitars = (Guitar("Rhythm Guitar", DISTORTION, rhythm), Guitar("Lead Guitar", DISTORTION, lead))
    return Piece("metal_gallop", 172, (4, 4), guitars, grooves, form, layback=0)


PIECES = (
    blues_shuffle(),
    bossa_nova(),
    rock_riff(),
    waltz(),
    seven_eight(),
    ballad(),
    five_four(),
    jazz_swing(),
    funk(),
    metal_gallop(),
)
TO_RIDE = {"closed hat": "ride"}
TO_HAT = {"ride": "closed hat"}
SECOND = {
    "blues_shuffle": Version("2", 2, 1.12, ((12, 24), (0, 12)), TO_HAT, OVERDRIVE),
    "bossa_nova": Version("2", -2, 0.92, ((16, 31), (0, 16), (31, 32)), {"shaker": "cabasa"}),
    "rock_riff": Version("2", -2, 1.08, ((8, 16), (0, 24), (24, 32)), TO_HAT, OVERDRIVE),
    "waltz": Version("2", 3, 1.15, ((16, 24), (0, 16), (24, 32)), TO_RIDE, STEEL),
    "seven_eight": Version("2", 3, 0.9, ((8, 16), (0, 8), (16, 24)), TO_HAT, DISTORTION),
    "ballad": Version("2", 2, 1.1, ((0, 8), (16, 22), (8, 16), (22, 24)), {"side stick": "snare"}, NYLON),
    "five_four": Version("2", -3, 1.06, ((8, 16), (0, 8), (16, 24)), None, CLEAN),
    "jazz_swing": Version("2", 5, 0.82, ((0, 24), (8, 16), (24, 32)), {"snare": "side stick"}),
    "funk": Version("2", 3, 0.94, ((16, 23), (0, 16), (23, 24)), TO_RIDE, MUTED),
    "metal_gallop": Version("2", -2, 0.94, ((16, 24), (0, 16), (24, 32)), {"ride": "open hat", "bell": "ride"}),
}


def songs() -> dict[str, Song]:
    """Every example by its path inside the folder."""
    guitar_alone = {f"{piece.name}.mid": song_of(piece) for piece in PIECES}
    first = {f"training/{piece.name}_1.mid": song_of(piece, Version("1", 0, 1.0)) for piece in PIECES}
    second = {f"training/{piece.name}_2.mid": song_of(piece, SECOND[piece.name]) for piece in PIECES}
    return guitar_alone | first | second


def main(folder: Path) -> None:
    """Write them all into `folder`."""
    (folder / "training").mkdir(parents=True, exist_ok=True)
    for name, song in songs().items():
        (folder / name).write_bytes(midi.serialise(song))
        print(f"{folder / name}: {len(song.bars())} bars, {sum(map(len, song.parts))} notes")


def ship(package: Path) -> None:
    """Write the song that comes with the package."""
    name = "blues_shuffle.mid"
    (package / "songs").mkdir(exist_ok=True)
    (package / "songs" / name).write_bytes(midi.serialise(songs()[name]))
    print(package / "songs" / name)


if __name__ == "__main__":
    here = Path(__file__).parent
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else here)
    if len(sys.argv) == 1:
        ship(here.parent / "seq2drum")
