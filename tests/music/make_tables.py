"""Ask music21, once, what the package must know without it, and write the answers to seq2drum/music/tables.

    python tests/music/make_tables.py

`tests/music/test_metres.py` and `tests/music/test_theory.py` ask again and compare.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from functools import cache
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from seq2drum.music.theory import words

TABLES = Path(__file__).resolve().parents[2] / "seq2drum" / "music" / "tables"
NUMERATORS = range(1, 65)
DENOMINATORS = (1, 2, 4, 8, 16, 32, 64)

# --- metres -----------------------------------------------------------------------------------------------------------

# Where the usual reading of drummers is not music21's: Take Five, and the tresillo.
SPOKEN_GROUPS = {(5, 2): (3, 2), (5, 4): (3, 2), (8, 8): (3, 3, 2)}


def metre_groups(numerator: int, denominator: int) -> tuple[int, ...]:
    """Accent groups in units of the denominator. The first rule that fits holds.

    1. 5/4 and 5/2 are 3+2, 8/8 is 3+3+2, whatever music21 says (2+3 and one group of 8).
    2. Up to four units, and multiples of three: music21's beats (4/4 four of 1, 3/8 one of 3, 6/4 3+3, 12/8 four of 3).
    3. Sixteenths and shorter that fill whole quarters: the quarters (16/16 is 4+4+4+4); music21 has one group of 16.
    4. Odd numbers: music21's beaming where it has groups of 2 and 3 (5/8 2+3, 7/8 2+2+3); where it has none, the same
       pattern continued (11/8 2+2+2+2+3).
    5. Other even numbers: twice the half (10/8 is 2+3+2+3); music21 has one group, or only single units.
    """
    if (numerator, denominator) in SPOKEN_GROUPS:
        return SPOKEN_GROUPS[numerator, denominator]
    if numerator <= 4 or numerator % 3 == 0:
        return _music21_groups(numerator, denominator)[0]
    quarter = denominator // 4
    if denominator >= 16 and numerator % quarter == 0:
        return (quarter,) * (numerator // quarter)
    if numerator % 2:
        beamed = _music21_groups(numerator, denominator)[1]
        return beamed if set(beamed) == {2, 3} else (2,) * (numerator // 2 - 1) + (3,)
    return metre_groups(numerator // 2, denominator) * 2


def metre_weights(numerator: int, denominator: int) -> tuple[float, ...]:
    """One accent per unit of the denominator: music21's, if they agree with its groups; else by the groups.

    music21's are taken when the downbeat alone has 1 and no unit inside a group is as strong as the weakest beginning
    of one, and, above three single beats, they differ (7/8 has 1 and then six times 1/2 there; 16/16 has 1 twice).
    By the groups: 1 for the downbeat, 1/2 for the other beginnings, 1/4 inside; where all groups are of one unit
    (16/4), every fourth counts as a beginning.
    """
    sizes = metre_groups(numerator, denominator)
    firsts = {sum(sizes[:index]) for index in range(len(sizes))}
    own = _music21_weights(numerator, denominator)
    inside = [weight for unit, weight in enumerate(own) if unit not in firsts]
    clear = own[0] == 1 and max(own[1:], default=0) < 1 and max(inside, default=0) < min(own[first] for first in firsts)
    varied = numerator <= 3 or len(set(own[1:])) > 1
    if clear and varied:
        return own
    if set(sizes) == {1}:
        firsts = set(range(0, numerator, 4))
    return tuple(1.0 if unit == 0 else 0.5 if unit in firsts else 0.25 for unit in range(numerator))


@cache
def _music21_groups(numerator: int, denominator: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(beats, beamed groups) of music21's time signature, in units of the denominator."""
    from music21 import meter

    signature = meter.TimeSignature(f"{numerator}/{denominator}")
    beats, beams = (
        tuple(part.numerator * denominator // part.denominator for part in sequence)
        for sequence in (signature.beatSequence, signature.beamSequence)
    )
    assert sum(beats) == sum(beams) == numerator
    return beats, beams


@cache
def _music21_weights(numerator: int, denominator: int) -> tuple[float, ...]:
    from music21 import meter

    signature = meter.TimeSignature(f"{numerator}/{denominator}")
    return tuple(
        float(signature.getAccentWeight(unit * 4 / denominator, permitMeterModulus=True)) for unit in range(numerator)
    )


def metre_lines(numerators: range = NUMERATORS) -> list[str]:
    """Rows "numerator denominators groups weights": groups as runs (2*2+3), a weight as the power of 1/2 it is."""
    lines = []
    for numerator in numerators:
        rows: dict[tuple[str, str], list[int]] = {}
        for denominator in DENOMINATORS:
            runs = "+".join(
                f"{size}*{times}" if (times := len(list(run))) > 1 else str(size)
                for size, run in groupby(metre_groups(numerator, denominator))
            )
            weights = metre_weights(numerator, denominator)
            halvings = "".join(str(next(k for k in range(10) if 0.5**k == weight)) for weight in weights)
            rows.setdefault((runs, halvings), []).append(denominator)
        for (runs, halvings), denominators in rows.items():
            lines.append(f"{numerator} {','.join(map(str, denominators))} {runs} {halvings}")
    return lines


# --- chord roots ------------------------------------------------------------------------------------------------------


def rotate(mask: int, semitones: int) -> int:
    """The 12-bit set of pitch classes, transposed up by 0 to 11 semitones."""
    return (mask << semitones | mask >> (12 - semitones)) & 4095


def canonical(mask: int) -> tuple[int, int]:
    """(lowest transposition of the set, semitones up from there to the set)."""
    return min((rotate(mask, (12 - up) % 12), up) for up in range(12))


@cache
def _root_of_canonical(mask: int) -> int:
    """The root that music21 gives to most of the twelve transpositions of a set, relative to this one.

    music21 finds roots by stacking thirds of note names, and a number has no name: the spelling it chooses can
    move the root when all notes go up a semitone. The vote gives every transposition of a chord
    the same root; of equals, the lowest.
    """
    from music21 import chord

    votes: Counter[int] = Counter()
    for up in range(12):
        turned = rotate(mask, up)
        named = chord.Chord([60 + pitch for pitch in range(12) if turned >> pitch & 1])
        votes[(named.root().pitchClass - up) % 12] += 1
    return max(votes, key=lambda root: (votes[root], -root))


def chord_root(mask: int) -> int:
    """The root, 0 to 11, of a set of pitch classes (bit 0 is C); -1 for the empty set."""
    if mask == 0:
        return -1
    lowest, up = canonical(mask)
    return (_root_of_canonical(lowest) + up) % 12


def chord_lines() -> list[str]:
    """The roots of the sets 0 to 4095, 64 a line, in base 12 (a is 10, b is 11); "-" for the empty set."""
    digits = "0123456789ab-"
    text = "".join(digits[chord_root(mask)] for mask in range(4096))
    return [text[start : start + 64] for start in range(0, 4096, 64)]


# --- instruments ------------------------------------------------------------------------------------------------------

# Words for the guitar in languages that music21 has no table for, plurals, and what names of MIDI tracks are cut to.
MORE_GUITAR_WORDS = """
guitars gitarren guitares guitarras chitarre gtr gtrs gtar guit gt gts egtr agtr egitarre
violão violões gitaar gitaren gitarr gitarrer gitara gitary gitar gitarer kytara kytary kitara kitarat
chitară chitare guitaren guitarer gitarra гитара гитары гітара китара κιθάρα κιθάρες ギター 吉他 기타
"""
MORE_BASS_WORDS = "bass bajo baixo basso basse basses bas bassi bassguitar bassgitarre бас μπασο ベース 贝斯 베이스"
MORE_VOICE_WORDS = """
vocal vocals vocalist vocales vocali vocaux vox bgv bgvs voices voci vozes voces singer singers gesang stimmen sang zang
choir choirs coro вокал голос φωνή ボーカル 人声 보컬
"""
GUITARS = {"AcousticGuitar", "ElectricGuitar", "Guitar"}
VOICES = {"Vocalist", "Soprano"}
BASSES = {"AcousticBass", "ElectricBass", "FretlessBass", "Contrabass"}


def program_lines() -> list[str]:
    """The names of the General MIDI programs 0 to 127."""
    from music21 import instrument

    names = [instrument.instrumentFromMidiProgram(program).instrumentName for program in range(128)]
    return [{"StringInstrument": "Strings", "Sampler": "Synthesizer"}.get(name, name) for name in names]


def words_for(instruments: set[str], more: str) -> list[str]:
    """The words that alone name one of these instruments, in any language of music21.

    From a language's table, the names of one word, and of those with a hyphen (E-Gitarre) the last part; from the
    table of abbreviations, the last word (E gtr): the words before it are adjectives that basses have as well.
    """
    from music21.languageExcerpts import instrumentLookup

    chosen = set(words(more))
    for table, classes in vars(instrumentLookup).items():
        if table.endswith("ToClassName") and table not in ("allToClassName", "pitchFullNameToName"):
            for name, instrument in classes.items():
                if instrument in instruments and (" " not in name or table == "abbreviationToClassName"):
                    chosen.update(words(name)[-1:])
    return sorted(word for word in chosen if len(word) > 1)


TABLE_MAKERS = {
    "metres.txt": (metre_lines, "numerator denominators groups weights (the powers of 1/2)"),
    "chord_roots.txt": (chord_lines, "the roots of the pitch class sets 0 to 4095, 64 a line"),
    "programs.txt": (program_lines, "the General MIDI programs 0 to 127"),
    "guitar_words.txt": (lambda: words_for(GUITARS, MORE_GUITAR_WORDS), "words that name a guitar"),
    "bass_words.txt": (lambda: words_for(BASSES, MORE_BASS_WORDS), "words that name a bass"),
    "voice_words.txt": (lambda: words_for(VOICES, MORE_VOICE_WORDS), "words that name a singer"),
}


def table_text(name: str) -> str:
    """What the file of this name should hold."""
    lines, title = TABLE_MAKERS[name]
    return "\n".join([f"# {title}; made by tests/music/make_tables.py", *lines()]) + "\n"


def main() -> None:
    """Write all tables; takes half a minute."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    TABLES.mkdir(exist_ok=True)
    for name in TABLE_MAKERS:
        (TABLES / name).write_text(table_text(name), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
