"""The example pieces, composed for this project: the guitars, grooves and form of each, as texts (see `texts`).

`PIECES` are the ten, `SECOND` says for each how it is played again in `training/`. `UNSEEN` are in `training/` alone:
what was learnt from the others is measured by them.
"""

from __future__ import annotations

from fractions import Fraction

from texts import Guitar, Piece, Version, groove_book, name_of, pitch

NYLON, STEEL, JAZZ, CLEAN, MUTED, OVERDRIVE, DISTORTION = 24, 25, 26, 27, 28, 29, 30  # General MIDI programs


def blues_shuffle() -> Piece:
    """Two choruses of a blues in A: a boogie, then stabs and answers."""

    def boogie(root: str) -> str:
        low = pitch(root)
        mark = (">", "", ">", "", ">", "", ">", "")
        return " ".join(
            f"{m}{root}+{name_of(low + up)}" for m, up in zip(mark, (7, 7, 9, 9, 10, 10, 9, 9), strict=True)
        )

    # 1. The first chorus of the guitar: a boogie on three roots.
    a, d, e = boogie("A2"), boogie("D3"), boogie("E2")
    answer = ">A2+E3 A2+E3 >A2+F#3 A2+F#3 G3 A3 C4 >C#4"
    reply = ">A2+E3 A2+E3 C4 >A3 G3 E3 G3 A3"
    turn = ">A3+E4 . >G3+E4 . >F#3+E4 >F3+E4 >E7 -"
    first = [a, a, a, answer, d, d, a, reply, e, d, a, turn]
    # 2. The second chorus: stabs and answers.
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
    # 3. The drums.
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
    # 1. A bar: the bass and the chords of its harmony, and its tune.
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

    # 2. The guitar: A A B A, with an open end and a closed one.
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
    # 3. The drums.
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


def reggae_skank() -> Piece:
    """Chops on the off-beats over a bubbling bass line; then sixteenths between them, and a bridge on the fourth."""
    chops = {
        "Am": "A2 - - A2* - C3 D3 E3 | . Am* . Am* . Am* . Am*",
        "Dm": "D3 - - D3* - F3 E3 D3 | . Dm7* . Dm7* . Dm7* . Dm7*",
        "G": "G2 - - G2* - B2 D3 B2 | . G* . G* . G* . G*",
        "C": "C3 - - C3* - E3 G3 E3 | . C* . C* . C* . C*",
        "F": "F2 - - F2* - A2 C3 A2 | . Fmaj7* . Fmaj7* . Fmaj7* . >Fmaj7*",
        "E": "E2 - - E2* - G#2 B2 D3 | . E7* . E7* . >E7* . E7*",
    }
    double = {name: bars.split("|")[1].replace("*", "* 'mute*").replace(".", ". .") for name, bars in chops.items()}
    verse = [chops[name] for name in ("Am", "Am", "Dm", "Dm", "G", "G", "C", "E")]
    bridge = [f"{chops[name].split('|')[0]} | {double[name]}" for name in ("F", "F", "C", "C", "Dm", "Dm", "E", "E")]
    bars = verse + bridge + verse[:-1] + [">Am9 - - - - - - - | A2 - - - - - - -"]
    grooves = groove_book("""
        i    | kick X.......X....... | side stick ........X....... | closed hat ..o.x.o.x.o.x.o.
             | crash x...............
        a    | kick ........X....... | side stick ........X....... | closed hat x.o.x.o.x.o.x.o.
        b    | kick ........X.....o. | side stick ........X....g.. | closed hat x.o.x.oox.o.x...
             | open hat ..............x.
        R    | kick X...X...X...X... | snare ........X..g..g. | closed hat X.x.X.x.X.x.X.x.
        S    | kick X...X...X...X..x | snare ....g...X....... | ride X.x.X.x.X.x.X.x.
        Fa   | kick ........X....... | snare ........X.x.xxX. | high tom ..........x..... | closed hat x.o.x.o.........
             | low tom ...............X
        Fb   | kick X.......X....... | snare XooxX........... | high tom .....oxX........ | mid tom ........XoX.....
             | low tom ...........oXxXX
        end  | kick X............... | crash X............... | side stick X...............
    """)
    form = "i a a b a a b Fa R R S S R R S Fb a b a a b a b end"
    return Piece("reggae_skank", 144, (4, 4), (Guitar("Clean Guitar", CLEAN, bars),), grooves, form, layback=6)


def folk_pop() -> Piece:
    """A strummed verse that lets its chords ring, and a chorus in full eighths with a pushed change."""

    def strummed(chord: str) -> str:
        return f"{chord} - . '{chord} >{chord} - '{chord} {chord}"

    def pushed(chord: str, then: str) -> str:
        return f">{chord} {chord} '{chord} {chord} >{chord} '{chord} {chord} >{then}"

    picked = [
        "G2 D3 G3 B3 D4 B3 G3 D3",
        "E2 B2 E3 G3 B3 G3 E3 B2",
        "C3 G3 C4 E4 G4 E4 C4 G3",
        "D3 A3 D4 F#4 A4 F#4 D4 A3",
    ]
    chords = ("G", "Em7", "C", "D7")
    verse = [strummed(name) for name in chords] * 2
    turns = (*chords[1:], chords[0])
    chorus = [pushed(name, then) for name, then in zip(chords, turns, strict=True)] * 2
    bars = picked + verse + chorus + verse[:4] + chorus + [picked[0], picked[2], picked[3], ">G - - - - - - -"]
    grooves = groove_book("""
        i    | kick x.......x....... | pedal hat ....x.......x...
        a    | kick X.....x...x..... | side stick ....X.......X... | closed hat x.o.x.o.x.o.x.o.
        b    | kick X.....x...x...x. | snare ....X..g....X... | closed hat x.o.x.o.x.o.x.o.
        C    | kick X.....xxX.....x. | snare ....X.......X... | ride X.x.X.x.X.x.X.x.
        D    | kick X..x..x.X..x..x. | snare ....X..g.g..X..g | ride X.x.X.x.X.x.X.x.
        Fa   | kick X.....x.X....... | snare ....X...o.xxXxxX | closed hat x.o.x.o.........
        Fb   | kick X.......X....... | snare ....X.XX........ | high tom ........Xx......
             | mid tom ..........Xx.... | low tom ............XxXX | closed hat x.o.............
        end  | kick X............... | crash X............... | snare X...............
    """)
    form = "i i i Fa a a a b a a b Fb C C C D C C D Fa a b b Fb C C D D C D D Fb b b Fa end"
    return Piece("folk_pop", 110, (4, 4), (Guitar("Steel Guitar", STEEL, bars),), grooves, form, layback=6)


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
UNSEEN = (reggae_skank(), folk_pop())
"""Whose files are on the validation side of the split, which is by their digests: the tempos were chosen for that."""
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
