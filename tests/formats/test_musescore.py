"""Scores of MuseScore: what is heard of them, the order of their measures, and files that are damaged or hostile."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import time as clock
from fractions import Fraction
from pathlib import Path

import pytest

from seq2drum.errors import NotationError, Seq2DrumError
from seq2drum.formats.midi import midi
from seq2drum.formats.musescore.form import Jump, Signs, Volta, order
from seq2drum.formats.musescore.reading import read_musescore
from seq2drum.formats.opening import open_song
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Marker, Metre, Song
from tests.conftest import LONG
from tests.musescore_files import STYLE, chord, measure, mscx, mscz, part, riff, tempo, tie, time, volta, volta_end
from tests.mutants import mutant, reworded


def heard(song: Song, at: int = 0) -> list[tuple[Fraction, Fraction, int]]:
    """Onset and length in quarters, and pitch, of the notes of a part."""
    ticks = song.ticks_per_quarter
    return [(Fraction(note.onset, ticks), Fraction(note.duration, ticks), note.pitch) for note in song.parts[at]]


def onsets(song: Song) -> list[float]:
    return [float(onset) for onset, _, _ in heard(song)]


def played(*measures: str, **more: str) -> Song:
    """The song of a guitar with these measures."""
    return open_song(mscx(part(measures), **more)).song


# --- what is heard ----------------------------------------------------------------------------------------------------


def test_parts_have_names_programs_and_kits_and_chords_their_lengths() -> None:
    guitar = part([measure([chord(52, 59), chord(kind="eighth"), chord(40, kind="half", dots=1)])], program=30)
    drums = part([measure([chord(36), chord(38), chord(36, 42), chord(38)])], name="Kit", is_drums=True)
    song = open_song(mscz(mscx(guitar, drums))).song
    assert [(each.name, each.program, each.is_drums) for each in song.parts] == [
        ("Guitar", 30, False),
        ("Kit", 29, True),
    ]
    half = Fraction(1, 2)
    assert heard(song) == [(0, 1, 52), (0, 1, 59), (3 * half, 5 * half, 40)]
    assert song.parts[1].pitch.tolist() == [36, 38, 36, 42, 38]
    assert song.remarks == (
        "notes beyond the end of their measure: 1 cut or left out, the first in measure 1 of 'Guitar'",
    )


def test_tuplets_in_tuplets_fall_on_ticks() -> None:
    three = "<Tuplet><normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet>"
    eighths = [chord(60, kind="eighth")] * 2
    inner = [three, *[chord(61, kind="16th")] * 3, "<endTuplet/>"]
    song = played(measure([three, *eighths, *inner, "<endTuplet/>", chord(62, kind="half", dots=1)]))
    third = Fraction(1, 3)
    assert [onset for onset, _, _ in heard(song)] == [0, third, 2 * third, 7 * third / 3, 8 * third / 3, 1]


def test_a_tied_note_is_one_note_across_the_barline_and_in_another_voice() -> None:
    first = measure([chord(kind="half"), chord(52, kind="half", note=tie(forward=True))])
    second = measure([chord(52, note=tie(forward=False)), chord(52), chord(kind="half")])
    assert heard(played(first, second)) == [(2, 3, 52), (5, 1, 52)]
    other = measure([chord(kind="whole")], [chord(52, note=tie(forward=False)), chord(53)])
    assert heard(played(first, other)) == [(2, 2, 52), (5, 1, 53)]


def test_notes_that_are_not_played_are_not_heard_and_hidden_ones_are() -> None:
    bar = [chord(60, note="<play>0</play>"), chord(61, note="<visible>0</visible>"), chord(62, kind="half")]
    assert heard(played(measure(bar))) == [(1, 1, 61), (2, 2, 62)]


def test_short_graces_are_short_and_a_long_one_takes_half_of_its_note() -> None:
    short, long = (chord(59, kind="eighth", more=f"<{kind}/>") for kind in ("acciaccatura", "appoggiatura"))
    song = played(measure([short, chord(60), long, chord(60, kind="half"), chord()]))
    grace = Fraction(1, 16)
    assert heard(song) == [(0, grace, 59), (grace, 1 - grace, 60), (1, 1, 59), (2, 1, 60)]


def test_a_tremolo_is_struck_again_and_again() -> None:
    song = played(
        measure([chord(52, more="<Tremolo><subtype>r16</subtype></Tremolo>"), chord(53, kind="half", dots=1)])
    )
    assert onsets(song) == [0, 0.25, 0.5, 0.75, 1]


def test_an_ottava_shifts_what_lies_below_it() -> None:
    line = (
        '<Spanner type="Ottava"><Ottava><subtype>8va</subtype></Ottava><next><location><fractions>1/2</fractions>'
        "</location></next></Spanner>"
    )
    song = played(measure([line, *[chord(60)] * 4]))
    assert [pitch for _, _, pitch in heard(song)] == [72, 72, 60, 60]


def test_loudness_is_that_of_the_last_dynamic_or_the_notes_own() -> None:
    dynamic = "<Dynamic><subtype>{}</subtype>{}</Dynamic>"
    own = "<velocity>20</velocity><veloType>user</veloType>"
    bar = [chord(60), dynamic.format("p", ""), chord(60), dynamic.format("f", "<velocity>99</velocity>"), chord(60)]
    assert played(measure([*bar, chord(60, note=own)])).parts[0].velocity.tolist() == [80, 49, 99, 20]


@pytest.mark.parametrize("place", ["score", "style file", "text"])
def test_eighths_swing_and_shorter_notes_do_not(place: str) -> None:
    swing = '<StaffText><swing unit="eighth" ratio="60"/></StaffText>' if place == "text" else ""
    eighths, sixteenths = [chord(60, kind="eighth")] * 2, [chord(61, kind="16th")] * 4
    bar = measure([swing, *eighths, *sixteenths, *eighths, chord(60)])
    style = STYLE.format("eighth")
    text = mscx(part([bar]), style=style if place == "score" else "")
    song = open_song(mscz(text, **({"score_style.mss": style.encode()} if place == "style file" else {}))).song
    assert onsets(song) == [0, 0.6, 1, 1.25, 1.5, 1.75, 2, 2.6, 3]


def test_tempos_metres_pickups_and_sections_are_those_of_the_score() -> None:
    mark = "<RehearsalMark><text><b>Verse</b> 1</text></RehearsalMark>"
    song = played(
        measure([time(3, 4), tempo(90), chord(60)], length="1/4"),
        measure([mark, chord(60), tempo(120.5), chord(60, kind="half")]),
        measure([time(7, 8), chord(60, kind="half", dots=2)]),
    )
    ticks = song.ticks_per_quarter
    assert [Fraction(bar.length, ticks) for bar in song.bars()] == [1, 3, Fraction(7, 2)]
    assert [(tempo.tick / ticks, round(tempo.bpm, 1)) for tempo in song.tempos] == [(0, 90), (2, 120.5)]
    assert song.markers == (Marker(ticks, "Verse 1", True),)
    assert Metre(4 * ticks, 7, 8) in song.metres


def test_a_staff_of_tablature_beside_its_notes_is_heard_once() -> None:
    bars = [measure([chord(52), chord(55), chord(57, kind="half")])]
    assert len(open_song(mscx(part(bars, bars))).song.parts[0]) == 3


def test_a_measure_that_repeats_another_sounds_like_it() -> None:
    like = measure(["<RepeatMeasure><durationType>measure</durationType></RepeatMeasure>"])
    assert onsets(played(measure([chord(60), chord(62, kind="half", dots=1)]), like)) == [0, 1, 4, 5]


def test_a_score_of_musescore_2_has_its_voices_ties_tuplets_and_endings() -> None:
    tuplet = '<Tuplet id="1"><normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet>'
    thirds = [chord(60, kind="eighth", more="<Tuplet>1</Tuplet>")] * 3
    tied = chord(62, kind="half", note='<Tie id="5"/>'), chord(62, note='<endSpanner id="5"/>')
    bass = chord(40, kind="whole", more="<track>1</track>")
    ending = '<Volta id="{0}"><endHook>1</endHook><endings>{0}</endings></Volta><endSpanner id="{0}"/>'
    rest = [chord(64), chord(65), chord(kind="quarter")]
    measures = [
        f"<Measure>{tuplet}{''.join(thirds)}{chord(61)}{tied[0]}<tick>0</tick>{bass}</Measure>",
        f"<Measure>{ending.format(1)}<endRepeat>2</endRepeat>{tied[1]}{''.join(rest)}</Measure>",
        f"<Measure>{ending.format(2)}{chord(67, kind='whole')}</Measure>",
    ]
    song = played(*measures, version="2.06")
    assert len(song.bars()) == 4
    assert [(float(at), float(length)) for at, length, pitch in heard(song) if pitch == 62] == [(2, 3), (10, 2)]
    assert [float(at) for at, _, pitch in heard(song) if pitch in (40, 67)] == [0, 8, 12]


# --- the order of measures --------------------------------------------------------------------------------------------


def jump(to: str = "start", until: str = "end", go_on: str = "", *, repeats: bool = False) -> Jump:
    return Jump(to, until, go_on, repeats)


def form(count: int, voltas: dict[tuple[int, int], str] | None = None, /, **signs: Signs) -> list[int]:
    """The order of measures, counted from 1. voltas: the passes by first and last measure. signs: by "mN"."""
    measures = [signs.get(f"m{number}", Signs()) for number in range(1, count + 1)]
    given = [
        Volta(first - 1, last, frozenset(map(int, passes.split(","))))
        for (first, last), passes in (voltas or {}).items()
    ]
    return [at + 1 for at in order(measures, given)]


def marked(label: str, **more: object) -> Signs:
    return Signs(labels=frozenset([label]), **more)  # type: ignore[arg-type]


def test_repeats_go_back_to_the_last_opening_sign_or_the_start() -> None:
    assert form(3, m2=Signs(count=2)) == [1, 2, 1, 2, 3]
    assert form(4, m2=Signs(opens=True), m3=Signs(count=3)) == [1, 2, 3, 2, 3, 2, 3, 4]
    assert form(2, m1=Signs(ends_section=True), m2=Signs(count=2)) == [1, 2, 2]


def test_endings_are_played_on_their_passes() -> None:
    assert form(4, {(2, 2): "1", (3, 3): "2"}, m2=Signs(count=2)) == [1, 2, 1, 3, 4]
    passes = {(2, 2): "1,3", (3, 3): "2,4"}
    assert form(4, passes, m2=Signs(count=3), m3=Signs(count=2)) == [1, 2, 1, 3, 1, 2, 1, 3, 4]


def test_jumps_are_made_on_the_last_pass_and_end_at_fine_or_go_on_at_the_coda() -> None:
    assert form(4, m2=marked("fine"), m4=Signs(jump=jump(until="fine"))) == [1, 2, 3, 4, 1, 2]
    coda = {"m2": marked("segno"), "m3": marked("coda"), "m4": Signs(jump=jump("segno", "coda", "codab"))}
    assert form(5, m5=marked("codab"), **coda) == [1, 2, 3, 4, 2, 3, 5]
    again = {"m2": Signs(opens=True, count=2), "m3": Signs(jump=jump())}
    assert form(3, **again) == [1, 2, 2, 3, 1, 2, 3]
    again["m3"] = Signs(jump=jump(repeats=True))
    assert form(3, **again) == [1, 2, 2, 3, 1, 2, 2, 3]


def test_a_jump_to_nowhere_is_none() -> None:
    assert form(3, m2=Signs(jump=jump("segno"))) == [1, 2, 3]


def test_a_form_that_nobody_writes_is_finished_or_refused_soon() -> None:
    most = TAB_LIMITS.measures
    passes = frozenset(range(1, 64))
    forms = [
        ([Signs(opens=True, count=64)] * most, [Volta(0, most, passes)]),
        ([marked("segno", jump=jump("segno", repeats=True), count=2) for _ in range(most)], []),
        ([Signs(count=64)] * most, [Volta(at, most, frozenset([64]), True) for at in range(200)]),
    ]
    for measures, voltas in forms:
        began = clock.process_time()
        try:
            assert len(order(measures, voltas)) <= TAB_LIMITS.played
        except NotationError as error:
            assert "write fewer repeats" in str(error)
        assert clock.process_time() - began < 3


# --- files that are damaged or hostile --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (riff(1).replace(b"3.01", b"1.14"), "format 1.14"),
        (riff(1).replace(b"museScore", b"museum"), "root is <museum>"),
        (riff(1)[:-40], "damaged"),
        (riff(1).replace(b"quarter", b"x").replace(b"eighth", b"moment"), "length 'moment'"),
        (riff(1).replace(b"<Measure>", b'<Measure len="0/4">'), "no length"),
        (riff(1).replace(b"<Measure>", b'<Measure len="x">'), "wanted one such as 3/8"),
        (riff(1).replace(b"<voice>", b"<voice>" + time(99, 4).encode()), "99/4"),
        (b'<!DOCTYPE museScore [<!ENTITY a "aa">]>' + riff(1)[38:], "XML entities"),
        (riff(1)[38:].decode().encode("utf-16-le"), "UTF-8"),
        (b"<museScore version='3.0'>" + b"<a>" * 100, "in one another"),
        (b"<museScore version='3.0'><Score/></museScore>", "the score has no measures"),
        (riff(1).replace(b"<pitch>", b"<pitch>1"), "is the score damaged"),
        (mscx(part([measure([time(64, 1), chord(60)])] * 90)), "the score is 23040 quarters long"),
        (mscx(part([measure([tempo(5), chord(60)])])), "5 BPM"),
        (mscz(b"<museScore version='3.0'>" + b" " * 10_000_000), "200 times its size"),
    ],
)  # fmt: skip
def test_what_is_no_score_is_refused_in_words(data: bytes, words: str) -> None:
    with pytest.raises(NotationError, match=words) as caught:
        read_musescore(data)
    assert not re.search(r"\btabs?\b", str(caught.value))


def test_damaged_scores_are_songs_or_one_line_soon() -> None:
    volta_bar = measure([volta("1"), tempo(100), *[chord(60)] * 4], signs="<startRepeat/><endRepeat>2</endRepeat>")
    three = "<Tuplet><normalNotes>2</normalNotes><actualNotes>3</actualNotes></Tuplet>"
    rich = measure([time(7, 8), three, *[chord(60, kind="eighth", note=tie(forward=True))] * 3, "<endTuplet/>"])
    text = mscx(
        part([volta_bar, rich, measure([chord(61, more="<acciaccatura/>"), chord(60)], length="1/4")]),
        part([measure([chord(36)] * 4)] * 3, is_drums=True),
        style=STYLE.format("eighth"),
    )
    chance, whole = random.Random(7), mscz(text)
    songs = 0
    for number in range(5_000 if LONG else 250):
        data = mutant(whole, chance) if number % 5 == 0 else (mutant, reworded)[number % 2](text, chance)
        began = clock.process_time()
        try:
            song = open_song(data if number % 5 == 0 else mscz(data)).song
        except Seq2DrumError as error:
            assert "\n" not in str(error)
            assert 20 < len(str(error)) < 500
        else:
            songs += 1
            assert all(0 <= pitch <= 127 for each in song.parts for pitch in each.pitch.tolist())
        assert clock.process_time() - began < 0.5
    assert songs > 30


# --- MuseScore itself -------------------------------------------------------------------------------------------------


def made(seed: int) -> bytes:
    """A score by chance: rhythms, ties, endings, pickups, metres, two voices and a kit."""
    chance = random.Random(seed)
    lengths = {"half": 8, "quarter": 4, "eighth": 2, "16th": 1}

    def bar(sixteenths: int, pitches: range) -> list[str]:
        out = []
        while sixteenths:
            kind = chance.choice([kind for kind, size in lengths.items() if size <= sixteenths])
            sixteenths -= lengths[kind]
            out.append(chord(*chance.sample(pitches, chance.choice((0, 1, 1, 2))), kind=kind))
        return out

    numerator = chance.choice((3, 4, 5))
    lead, kit = (
        [measure([time(numerator, 4), tempo(chance.randint(60, 200)), *bar(4, range(50, 70))], length="1/4")],
        [],
    )
    kit.append(measure([time(numerator, 4), chord()], length="1/4"))
    signs = {1: "<startRepeat/>", 2: "<endRepeat>2</endRepeat>"}
    for number in range(1, 6):
        ending = {2: volta("1"), 3: volta_end() + volta("2"), 4: volta_end()}.get(number, "")
        lead.append(
            measure(
                [ending, *bar(4 * numerator, range(50, 70))],
                bar(4 * numerator, range(30, 45)),
                signs=signs.get(number, ""),
            )
        )
        kit.append(measure(bar(4 * numerator, range(35, 52)), signs=signs.get(number, "")))
    return mscx(part(lead), part(kit, name="Drumset", program=0, is_drums=True))


@pytest.mark.slow
def test_what_is_heard_of_a_score_is_what_musescore_plays(tmp_path: Path) -> None:
    program = next((found for name in ("mscore3", "musescore3") if (found := shutil.which(name))), None)
    if program is None:
        pytest.skip("needs MuseScore 3: apt-get install musescore3")
    count = 0
    for seed in range(5):
        file, target = tmp_path / f"{seed}.mscx", tmp_path / f"{seed}.mid"
        file.write_bytes(made(seed))
        command = [program, "-o", str(target), str(file)]
        subprocess.run(
            command, env={**os.environ, "QT_QPA_PLATFORM": "offscreen"}, capture_output=True, check=True, timeout=120
        )
        ours, theirs = open_song(file).song, midi.read(target)
        for is_drums in (False, True):
            tables = [
                {
                    (note.onset / song.ticks_per_quarter, note.pitch)
                    for each in song.parts
                    if each.is_drums == is_drums
                    for note in each
                }
                for song in (ours, theirs)
            ]
            assert tables[0] == tables[1], seed
            count += len(tables[0])
        assert [(bar.numerator, bar.length / ours.ticks_per_quarter) for bar in ours.bars()][1:] == [
            (bar.numerator, bar.length / theirs.ticks_per_quarter) for bar in theirs.bars()
        ][1:]
    assert count > 200
