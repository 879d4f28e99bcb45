"""Guitar parts, drum parts, and the roots of chords."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from seq2drum.errors import NoGuitarError, NoNotesError, PartNotFoundError
from seq2drum.music import theory
from seq2drum.music.notes import Note, Part, Song
from seq2drum.music.theory import (
    GuitarChoice,
    bass_parts,
    choose_parts,
    chord_root,
    chord_roots,
    describe_parts,
    drum_parts,
    guitar_parts,
)
from tests.conftest import long_run

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT.parent / "shared" / "corpus" / "sample"
NOTES = [Note(0, 240, 60, 80), Note(240, 240, 64, 80)]


def part(name: str = "", program: int = 0, *, drums: bool = False, notes: list[Note] = NOTES) -> Part:
    return Part.of(notes, program=program, name=name, is_drums=drums)


def song(*parts: Part) -> Song:
    return Song(480, parts)


# Which part is the guitar --------------------------------------------------------------------------------------------


def test_all_parts_with_a_guitar_program_and_notes_are_the_guitar() -> None:
    pieces = song(
        part("Piano"), part("a", 24), part("b", 31, notes=[]), part("c", 30), part("d", 32), part("e", 25, drums=True)
    )
    assert guitar_parts(pieces) == GuitarChoice((1, 3), "General MIDI guitar program")


def test_the_bass_is_every_part_of_a_bass_program_with_notes() -> None:
    pieces = song(
        part("Bass", 0), part("a", 31), part("b", 32), part("c", 39), part("d", 40), part("e", 33, drums=True),
        part("f", 34, notes=[]),
    )  # fmt: skip
    assert bass_parts(pieces) == (2, 3)


def test_a_program_outranks_a_name() -> None:
    assert guitar_parts(song(part("Guitar", 0), part("Lead", 29))).parts == (1,)


@pytest.mark.parametrize(
    "name",
    [
        "Guitar", "GUITAR 1", "Lead Guitar", "LeadGuitar", "guitar2", "Guitars", "Rhythm gtr.", "E Gtr", "El. Guit",
        "Gitarre", "E-Gitarre", "Stromgitarre", "Akustikgitarre", "Gitarren",
        "Guitare électrique", "Guitares", "Chitarra", "chitarra acustica", "Chitarre",
        "Guitarra", "GUITARRA ACÚSTICA", "guitarra ele\u0301trica", "Violão", "violao", "Gitaar 2",
        "Gitarr", "Gitara", "Kytara", "Kitara",
        "Chitară", "Гитара", "Электрогитара и гитара", "Κιθάρα", "ギター", "吉他", "기타",
    ],
)  # fmt: skip
def test_a_name_says_guitar_in_many_languages(name: str) -> None:
    choice = guitar_parts(song(part("Piano"), part(name), part("Voice")))
    assert choice.parts == (1,)
    assert choice.reason.startswith("named '")


@pytest.mark.parametrize(
    "name",
    [
        "Bass guitar", "Guitar (Bass)", "Bassgitarre", "Guitare basse", "chitarra basso", "Guitarra baixo",
        "BassGuitar", "Guitarron", "Guitarrón", "Sitar", "Git gud", "Elektrische Orgel", "Acoustic", "acustica",
        "e", "Contrabass", "Viola", "Bajo guitarra",
        "Guiro", "", "12",
    ],
)  # fmt: skip
def test_a_false_friend_is_no_guitar(name: str) -> None:
    with pytest.raises(NoGuitarError):
        guitar_parts(song(part("Piano"), part(name), part("Voice")))


@pytest.mark.parametrize(
    "name",
    [
        "Backup Vocals", "Lead Vox 1", "VOCALS: Ann", "Voice", "Bg. Vocals 2", "BackingVocals", "Gesang", "2. Stimme",
        "Voix", "Canto", "Voz", "Вокал", "ボーカル",
    ],
)  # fmt: skip
def test_a_singer_with_a_guitar_s_program_is_no_guitar_where_another_part_is(name: str) -> None:
    assert guitar_parts(song(part(name, 27), part("Strummed", 25))).parts == (1,)
    assert guitar_parts(song(part(name, 27), part("Guitar", 0))).parts == (1,)
    assert guitar_parts(song(part(name, 27), part("Piano", 0))).parts == (0,)
    assert guitar_parts(song(part(name, 27), part("Silent", 25, notes=[]))).parts == (0,)


@pytest.mark.parametrize("name", ["Melody", "Lead", "Guitar, 1st voice", "Vocal guitar", "Chorus Gt", "Invocation"])
def test_what_may_be_a_guitar_s_part_is_one_by_its_program(name: str) -> None:
    assert guitar_parts(song(part(name, 27), part("Strummed", 25))).parts == (0, 1)


@pytest.mark.parametrize("program", [32, 33, 39, 120])
def test_a_bass_or_a_noise_is_no_guitar_by_its_name(program: int) -> None:
    assert not theory.is_named_guitar(part("Guitar", program))
    assert theory.is_named_guitar(part("Guitar", 0))


def test_the_only_pitched_part_is_the_guitar() -> None:
    pieces = song(part("Kit", drums=True), part("Strings", 48), part("Piano", notes=[]))
    assert guitar_parts(pieces) == GuitarChoice((1,), "the only pitched part")


def test_without_a_guitar_the_message_lists_the_parts_and_the_way_out() -> None:
    with pytest.raises(NoGuitarError) as caught:
        guitar_parts(song(part("Kit", drums=True), part("Keys", 4), part("", 56, notes=NOTES[:1])))
    message = str(caught.value)
    assert "--track" in message and "\n" not in message
    assert (
        "1 'Kit', drums, 2 notes; 2 'Keys', Electric Piano (program 4), 2 notes, C4 to E4; "
        "3, Trumpet (program 56), 1 note, C4" in message
    )


def test_a_long_list_of_parts_is_cut_in_the_message_only() -> None:
    pieces = song(*(part(f"Keys {number}") for number in range(40)))
    with pytest.raises(NoGuitarError, match="and 24 more"):
        guitar_parts(pieces)
    assert len(describe_parts(pieces)) == 40


def test_a_name_cannot_disturb_the_terminal() -> None:
    (line,) = describe_parts(song(part("a\x1b[2J\nb" + "c" * 100)))
    assert "\x1b" not in line and "\n" not in line and len(line) < 90


def test_drums_alone_have_their_own_message() -> None:
    with pytest.raises(NoGuitarError, match="all notes are drums"):
        guitar_parts(song(part("Kit", drums=True), part("Guitar", 24, notes=[])))


@pytest.mark.parametrize("parts", [(), (part("Guitar", 24, notes=[]), part("Kit", drums=True, notes=[]))])
def test_a_song_without_notes_is_refused(parts: tuple[Part, ...]) -> None:
    with pytest.raises(NoNotesError, match="no notes"):
        guitar_parts(song(*parts))


@pytest.mark.parametrize("empty", [part("x", 27, notes=[]), part("Gitarre", 0, notes=[])])
def test_an_empty_guitar_is_not_replaced_by_another_instrument(empty: Part) -> None:
    with pytest.raises(NoNotesError, match=r"the guitar \(2\) has no notes.*--track"):
        guitar_parts(song(part("Piano"), empty))


def test_drum_parts_are_those_on_the_drum_channel() -> None:
    assert drum_parts(song(part("Drums"), part("a", drums=True), part("b", 118), part("c", drums=True, notes=[]))) == (
        1,
        3,
    )


# Choosing by hand ----------------------------------------------------------------------------------------------------

BAND = song(
    part("Lead Guitar", 27), part("Guitar", 25), part("Piano"), part("Kit", drums=True), part("Silence", notes=[])
)


@pytest.mark.parametrize(
    ("wanted", "indices"),
    [
        ("1", (0,)), (" 3 ", (2,)), ("lead", (0,)), ("PIA", (2,)), ("guitar", (1,)), ("Lead Guitar", (0,)),
        ("3,1", (0, 2)), ("1-3", (0, 1, 2)), ("1, 2-3", (0, 1, 2)), ("2-5", (1, 2)), ("guita", (0, 1)),
        ("a", (0, 1, 2)), ("lead,3", (0, 2)), ("1,1,lead", (0,)),
    ],
)  # fmt: skip
def test_parts_are_chosen_by_numbers_ranges_and_pieces_of_names(wanted: str, indices: tuple[int, ...]) -> None:
    assert choose_parts(BAND, wanted) == GuitarChoice(indices, "chosen")


def test_a_name_with_a_comma_in_it_is_a_name() -> None:
    assert choose_parts(song(part("Piano"), part("Gtr, left"), part("Gtr, right")), "gtr, right").parts == (2,)


@pytest.mark.parametrize(
    "wanted",
    ["0", "6", "-1", "9" * 5000, "banjo", "", "  ", "4", "kit", "²", "1,banjo", "1,,2", "3-6", "3-1", "1-", "kit,4"],
)
def test_a_part_that_is_not_there_or_is_drums_is_refused_with_the_list(wanted: str) -> None:
    with pytest.raises(PartNotFoundError, match=r"1 'Lead Guitar'.*5 'Silence'"):
        choose_parts(BAND, wanted)


def test_of_several_wishes_the_one_that_fits_nothing_is_named() -> None:
    with pytest.raises(PartNotFoundError, match=r"--track '1,banjo': 'banjo' fits no part"):
        choose_parts(BAND, "1,banjo")


# A hex pickup --------------------------------------------------------------------------------------------------------

OPEN = (64, 59, 55, 50, 45, 40)


def strings(count: int = 6, *, length: int = 230, name: str = "Take 1") -> list[Part]:
    """The open strings of a guitar, the highest first, each struck eight times."""
    return [part(name, notes=[Note(at * 240, length, pitch, 80) for at in range(8)]) for pitch in OPEN[:count]]


def frets(*places: tuple[int, ...], name: str = "Take 1") -> list[Part]:
    """Strings, the highest first, each with a note on each of its frets."""
    return [
        part(name, notes=[Note(at * 240, 230, pitch + fret, 80) for at, fret in enumerate(string)])
        for pitch, string in zip(OPEN, places, strict=False)
    ]


@pytest.mark.parametrize("count", [5, 6])
def test_channels_of_one_name_with_a_string_each_are_one_guitar(count: int) -> None:
    pieces = song(part("Kit", drums=True), *strings(count), part("Bass", 33))
    assert guitar_parts(pieces) == GuitarChoice(tuple(range(1, count + 1)), f"a hex pickup, {count} strings")


def test_strings_may_be_numbered_and_go_from_low_to_high() -> None:
    named = [replace(string, name=f"String {number}") for number, string in enumerate(strings()[::-1], 1)]
    assert guitar_parts(song(*named)).parts == tuple(range(6))


@pytest.mark.parametrize(
    "names",
    [
        ("e", "B", "G", "D", "A", "E"),
        ("High E", "B", "G", "D", "A", "Low E"),
        ("E4", "B3", "G3", "D3", "A2", "E2"),
        ("1st string", "2nd string", "3rd string", "4th string", "5th string", "6th string"),
        ("Fishman (E)", "Fishman (B)", "Fishman (G)", "Fishman (D)", "Fishman (A)", "Fishman (E)"),
        ("E-Saite hoch", "H-Saite", "G-Saite", "D-Saite", "A-Saite", "E-Saite tief"),
    ],
)
def test_strings_may_have_the_names_of_strings(names: tuple[str, ...]) -> None:
    named = [replace(string, name=name) for string, name in zip(strings(), names, strict=True)]
    assert guitar_parts(song(part("Bass", 33), *named)).parts == tuple(range(1, 7))


def test_strings_may_cross_as_a_lick_high_on_the_low_ones_does() -> None:
    lick = frets((0, 1), (0, 3), (0, 2), (9, 12, 14), (0, 2), (3, 5))
    for guitar in (lick, lick[::-1]):
        assert guitar_parts(song(part("Bass", 33), *guitar)).parts == tuple(range(1, 7))
    with pytest.raises(NoGuitarError):
        guitar_parts(song(part("Bass", 33), *(replace(one, program=61) for one in lick)))


@pytest.mark.parametrize("name", ["GR-55", "GK-3", "Hexaphonic", "VG-99 take 2", "TriplePlay", "SY-1000"])
def test_the_channels_of_what_is_named_as_a_pickup_are_one_guitar_whatever_they_play(name: str) -> None:
    power_chords = frets((), (), (), (7, 9), (7, 9), (5, 7), name=name)[3:]
    muddled = [*strings(length=480, name=name)[3:], *strings(length=480, name=name)[:3]]
    for guitar in (power_chords, muddled):
        choice = guitar_parts(song(part("Piano"), *guitar, part("Bass", 33)))
        assert choice == GuitarChoice(tuple(range(1, len(guitar) + 1)), f"a hex pickup, {len(guitar)} strings")


@pytest.mark.parametrize("name", ["GM 1", "SY77", "Gr. 1", "Group", "Sextet"])
def test_what_is_named_like_no_pickup_is_not_taken_for_one_by_its_name(name: str) -> None:
    with pytest.raises(NoGuitarError):
        guitar_parts(song(*strings(length=480, name=name)))


@pytest.mark.parametrize(
    "others",
    [
        strings(4),
        [*strings(), *strings()[:2]],
        [
            replace(one, name=("Flute", "Oboe", "Viola", "Cello", "Harp", "Horn")[at])
            for at, one in enumerate(strings())
        ],
        [replace(one, program=at) for at, one in enumerate(strings())],
        strings(length=480),
        [*strings()[3:], *strings()[:3]],
        [part("GK", notes=[Note(0, 240, pitch - 20, 80)]) for pitch in OPEN],
    ],
    ids=["four", "eight", "names", "programs", "chords", "order", "too low"],
)
def test_what_is_no_set_of_strings_is_no_guitar(others: list[Part]) -> None:
    with pytest.raises(NoGuitarError):
        guitar_parts(song(*others))


def test_choosing_a_part_without_notes_says_so() -> None:
    with pytest.raises(NoNotesError, match="--track 'silence' has no notes"):
        choose_parts(BAND, "silence")


# Chord roots ---------------------------------------------------------------------------------------------------------


def mask(*pitch_classes: int) -> int:
    return sum(1 << pitch % 12 for pitch in set(pitch_classes))


@pytest.mark.parametrize(
    ("shape", "root"),
    [
        ((0,), 0), ((0, 7), 0), ((0, 5), 5), ((0, 4, 7), 0), ((0, 3, 7), 0), ((0, 3, 6), 0),
        ((0, 4, 7, 10), 0), ((0, 3, 7, 10), 0),
        ((0, 4, 7, 11), 0), ((0, 2, 4, 7, 10), 0), ((0, 3, 6, 10), 0),
        ((0, 4, 10), 0), ((0, 3, 10), 0), ((0, 4), 0), ((0, 3), 0),
    ],
)  # fmt: skip
def test_a_chord_has_the_same_root_in_all_twelve_keys(shape: tuple[int, ...], root: int) -> None:
    for up in range(12):
        assert chord_root(mask(*(pitch + up for pitch in shape))) == (root + up) % 12


def test_the_root_of_every_set_is_one_of_its_notes_and_the_empty_set_has_none() -> None:
    assert chord_root(0) == -1
    assert all(pitch_classes >> chord_root(pitch_classes) & 1 for pitch_classes in range(1, 4096))


def test_roots_of_an_array_are_the_roots_of_its_elements() -> None:
    masks = np.array([[0, mask(0, 4, 7)], [mask(2, 5, 9), 4095]], dtype=np.int32)
    assert chord_roots(masks).tolist() == [[-1, 0], [2, chord_root(4095)]]


# The tables ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["programs.txt", "guitar_words.txt", "bass_words.txt", "voice_words.txt"])
def test_the_names_are_what_music21_says_today(maker: dict[str, Any], name: str) -> None:
    assert (ROOT / "seq2drum" / "music" / "tables" / name).read_text(encoding="utf-8") == maker["table_text"](name)


@pytest.mark.slow
def test_a_sample_of_the_roots_is_what_music21_says_today(maker: dict[str, Any]) -> None:
    for pitch_classes in random.Random(21).sample(range(4096), 40):
        assert chord_root(pitch_classes) == maker["chord_root"](pitch_classes)


@long_run
@pytest.mark.slow
def test_all_roots_are_what_music21_says_today(maker: dict[str, Any]) -> None:
    text = (ROOT / "seq2drum" / "music" / "tables" / "chord_roots.txt").read_text(encoding="utf-8")
    assert text == maker["table_text"]("chord_roots.txt")


def test_music21_agrees_which_programs_are_guitars() -> None:
    instrument = pytest.importorskip("music21.instrument")
    basses = (instrument.AcousticBass, instrument.ElectricBass, instrument.FretlessBass)
    for program in range(128):
        sound = instrument.instrumentFromMidiProgram(program)
        is_guitar = isinstance(sound, instrument.Guitar) and not isinstance(sound, basses)
        assert (program in theory.GUITAR_PROGRAMS) == is_guitar


def test_the_theory_works_without_importing_music21() -> None:
    code = (
        "import sys; from seq2drum.music.theory import *; from seq2drum.music.notes import *;"
        "guitar_parts(Song(480, (Part.of([Note(0, 1, 60, 80)], name='Gitarre'), Part.of([Note(0, 1, 60, 80)]))));"
        "chord_root(145); sys.exit('music21' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


# Real files ----------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the shared corpus is not beside the repository")
def test_every_sample_file_has_a_guitar_by_its_program() -> None:
    midi = pytest.importorskip("seq2drum.formats.midi.midi")
    files = sorted(SAMPLES.rglob("*.mid"))
    assert files
    for file in files:
        read = midi.read(file)
        choice = guitar_parts(read)
        assert choice.reason == "General MIDI guitar program", file.name
        for index in choice.parts:
            assert choose_parts(read, str(index + 1)).parts == (index,)
