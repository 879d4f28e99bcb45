"""Guitar Pro 6 to 8: what is read of files that were written by hand."""

from __future__ import annotations

import io
import time
import zipfile
from typing import Any

import pytest

pytest.importorskip("defusedxml", reason="defusedxml is not installed: pip install 'seq2drum[guitarpro]'")

from seq2drum.errors import NotationError
from seq2drum.formats.opening import open_song
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Marker, Song
from tests.gpif_files import bcfs, bcfz, drum, gp, gpif, xbeat, xtrack

EIGHTHS = [xbeat((0, fret)) for fret in range(8)]


def read(text: bytes) -> Song:
    return open_song(gp(text)).song


def onsets(read: Song, part: int = 0) -> list[float]:
    return [note.onset / read.ticks_per_quarter for note in read.parts[part]]


def pitches(read: Song) -> list[int]:
    return read.parts[0].pitch.tolist()


FAR: Any = "9" * 4000  # written where a number is wanted


def whole(fret: int) -> list[Any]:
    return [xbeat((0, fret), value="Whole")]


@pytest.mark.parametrize("packed", [gp, bcfs, bcfz])
def test_a_riff_is_read_from_all_versions(packed, tmp_path) -> None:
    text = gpif(xtrack([EIGHTHS, EIGHTHS], name="Lead", program=30), tempos=[(0, 0.0, "96 2"), (1, 0.5, "48 3")])
    path = tmp_path / "song.gp"
    path.write_bytes(packed(text))
    found = open_song(path).song
    assert onsets(found) == [number / 2 for number in range(16)]
    assert pitches(found) == [40 + number % 8 for number in range(16)]
    assert (found.parts[0].name, found.parts[0].program) == ("Lead", 30)
    assert [(tempo.tick / found.ticks_per_quarter, round(tempo.bpm)) for tempo in found.tempos] == [(0, 96), (6, 72)]


def test_pitches_are_those_of_the_tuning_at_the_capo() -> None:
    found = read(gpif(xtrack([[xbeat((0, 0), (5, 3))]], tuning=(38, 45, 50, 55, 59, 64), capo=2)))
    assert pitches(found) == [40, 69]


def test_repeats_endings_and_jumps_are_played_out() -> None:
    measures = {
        0: '<Repeat start="true" end="false" count="0"/>',
        1: '<AlternateEndings>1 2</AlternateEndings><Repeat start="false" end="true" count="3"/>',
        2: "<AlternateEndings>3</AlternateEndings>",
    }
    assert pitches(read(gpif(xtrack([whole(n) for n in range(4)]), measures=measures))) == [40, 41, 40, 41, 40, 42, 43]
    measures = {
        1: "<Directions><Target>Segno</Target></Directions>",
        2: "<Directions><Jump>DaCoda</Jump></Directions>",
        3: "<Directions><Jump>DaSegnoAlCoda</Jump></Directions>",
        4: "<Directions><Target>Coda</Target></Directions>",
    }
    found = read(gpif(xtrack([whole(n) for n in range(6)]), measures=measures))
    assert pitches(found) == [40, 41, 42, 43, 41, 42, 44, 45]
    measures = {
        1: "<Directions><Target>Fine</Target></Directions>",
        2: "<Directions><Jump>DaCapoAlFine</Jump></Directions>",
    }
    assert pitches(read(gpif(xtrack([whole(n) for n in range(4)]), measures=measures))) == [40, 41, 42, 40, 41]


def test_a_pickup_is_a_short_first_bar() -> None:
    found = read(gpif(xtrack([EIGHTHS[:3], EIGHTHS]), master="<Anacrusis/>"))
    assert [bar.length / found.ticks_per_quarter for bar in found.bars()] == [1.5, 4]
    assert onsets(found)[3] == 1.5


@pytest.mark.parametrize(("feel", "share"), [("Triplet8th", 2 / 3), ("Dotted8th", 3 / 4), ("Scottish8th", 1 / 4)])
def test_triplet_feel_is_swing(feel, share) -> None:
    found = read(gpif(xtrack([EIGHTHS]), measures={0: f"<TripletFeel>{feel}</TripletFeel>"}))
    assert onsets(found) == pytest.approx([quarter + place for quarter in range(4) for place in (0, share)])


def test_ties_dots_tuplets_and_rests_are_counted() -> None:
    bar = [
        xbeat((0, 0), value="Quarter", dots=1),
        xbeat((0, 0), note='<Tie origin="false" destination="true"/>'),
        *[xbeat((0, 1), tuplet=(3, 2)) for _ in range(3)],
        xbeat(value="Quarter"),
    ]
    found = read(gpif(xtrack([bar])))
    assert onsets(found) == pytest.approx([0, 2, 2 + 1 / 3, 2 + 2 / 3])
    assert found.parts[0].duration[0] == 2 * found.ticks_per_quarter


def test_notes_are_as_loud_as_they_are_struck() -> None:
    bar = [
        xbeat((0, 0), more="<Dynamic>P</Dynamic>"),
        xbeat((0, 0)),
        xbeat((0, 0), properties=["Muted"]),
        xbeat((0, 0), properties=["PalmMuted"]),
        xbeat((0, 0), note="<AntiAccent>Normal</AntiAccent>"),
        xbeat((0, 0), properties=["HopoDestination"]),
        xbeat((0, 0), note="<Accent>8</Accent>"),
        xbeat((0, 0), note="<Accent>4</Accent>"),
    ]
    assert read(gpif(xtrack([bar]))).parts[0].velocity.tolist() == [47, 95, 63, 79, 79, 79, 111, 127]


def test_graces_come_before_the_beat_or_delay_it() -> None:
    def grace(fret: int, where: str) -> Any:
        return xbeat((0, fret), value="32nd", more=f"<Dynamic>F</Dynamic><GraceNotes>{where}</GraceNotes>")

    def half(fret: int) -> Any:
        return xbeat((0, fret), value="Half")

    def heard(*bar: Any) -> list[tuple[float, int]]:
        song = open_song(gp(gpif(xtrack([bar])))).song
        return [(note.onset / song.ticks_per_quarter, note.pitch) for note in song.parts[0]]

    two = heard(half(0), grace(3, "BeforeBeat"), grace(4, "BeforeBeat"), half(5))
    assert two == [(0, 40), (1.875, 43), (1.9375, 44), (2, 45)]
    assert heard(half(0), grace(3, "OnBeat"), half(5)) == [(0, 40), (2, 43), (2.125, 45)]


def test_sections_are_markers() -> None:
    measures = {
        0: "<Section><Letter>A</Letter><Text>Verse</Text></Section>",
        1: "<Section><Letter/><Text>Chorus</Text></Section>",
    }
    found = read(gpif(xtrack([whole(0), whole(1)]), measures=measures))
    assert found.markers == (Marker(0, "A Verse", True), Marker(4 * found.ticks_per_quarter, "Chorus", True))


def test_a_drum_track_has_the_notes_that_its_articulations_mean() -> None:
    kit = xtrack([[drum(0, 2), drum(2), drum(1, 2), drum(3)] * 2], is_drums=True, tuning=(0,) * 6, name="Drums")
    found = read(gpif(xtrack([EIGHTHS]), kit))
    assert found.parts[1].is_drums
    assert found.parts[1].pitch.tolist() == [36, 42, 42, 38, 42, 46] * 2


def test_a_measure_that_repeats_the_one_before_is_played_as_it() -> None:
    text = gpif(xtrack([EIGHTHS, []])).replace(
        b'<Bar id="1"><Voices>', b'<Bar id="1"><SimileMark>Simple</SimileMark><Voices>'
    )
    assert pitches(read(text)) == [40 + fret for fret in range(8)] * 2


def test_a_tempo_that_changes_evenly_changes_each_quarter() -> None:
    text = gpif(xtrack([EIGHTHS, EIGHTHS]), tempos=[(0, 0.0, "100 2"), (1, 0.0, "140 2")])
    found = read(text.replace(b"<Linear>false</Linear><Bar>0<", b"<Linear>true</Linear><Bar>0<"))
    assert [round(tempo.bpm) for tempo in found.tempos] == [100, 110, 120, 130, 140]


@pytest.mark.parametrize(("unit", "quarters"), [(1, 0.5), (2, 1), (3, 1.5), (4, 2), (5, 3), (9, 1)])
def test_a_tempo_counts_eighths_quarters_or_halves_dotted_or_not(unit, quarters) -> None:
    found = read(gpif(xtrack([EIGHTHS]), tempos=[(0, 0.0, f"80 {unit}")]))
    assert [tempo.bpm for tempo in found.tempos] == pytest.approx([80 * quarters], abs=0.001)


def test_a_negative_fret_sounds_as_the_note_that_the_file_says_beside_it() -> None:
    midi = '<Property name="Midi"><Number>23</Number></Property>'
    low = gpif(xtrack([[xbeat((0, -17), value="Half"), xbeat((0, 0), value="Half")]], name="Lead"))
    at = low.index(b"<Fret>-17</Fret></Property>") + len(b"<Fret>-17</Fret></Property>")
    assert pitches(read(low[:at] + midi.encode() + low[at:])) == [23, 40]
    found = read(low)
    assert pitches(found) == [40]
    assert found.remarks == ("notes beyond MIDI's range: 1 left out, the first (pitch -12) in measure 1 of 'Lead'",)


def test_what_is_beyond_the_end_of_a_measure_is_left_out_and_said() -> None:
    found = read(gpif(xtrack([EIGHTHS + whole(9), EIGHTHS], name="Lead")))
    assert onsets(found) == [number / 2 for number in range(16)]
    assert found.remarks == (
        "notes beyond the end of their measure: 1 cut or left out, the first in measure 1 of 'Lead'",
    )


# --- files that are damaged, and files made to harm -------------------------------------------------------------------

BOMB = b'<?xml version="1.0"?><!DOCTYPE GPIF [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><GPIF>&b;</GPIF>'


def large_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Content/score.gpif", b"<GPIF>" + b" " * (TAB_LIMITS.score_bytes + 1))
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (gp(BOMB), "declares its own XML entities"),
        (large_zip(), "grows beyond"),
        (gp(b"<GPIF>" + b"<a>" * 100), "elements"),
        (gp(b"<GPIF><MasterBars></GPIF>"), "damaged"),
        (gp(b"<html/>"), "its root is <html>"),
        (gp(b"<GPIF/>"), "no measures"),
        (gp(gpif(xtrack([EIGHTHS]), measures={0: "<Time>4/0</Time>"})), "no bar has that length"),
        (gp(gpif(xtrack([EIGHTHS]), tempos=[(0, 0.0, "nan 2"), (0, 0.5, "1e9 2")])), "wanted 10 to 400"),
        (gp(gpif(xtrack([EIGHTHS])).replace(b'<Beat id="3"', b'<Beat id="x"')), "contradicts itself"),
        (b"BCFZ" + (1 << 31).to_bytes(4, "little"), "grows beyond"),
        (b"BCFZ" + (1000).to_bytes(4, "little") + b"\xff" * 50, "repeats bytes before its start"),
        (b"BCFZ" + (1000).to_bytes(4, "little") + bytes(50_000), "never ends"),
        (bcfs(b"<GPIF/>", name="other.xml"), "no score.gpif"),
        (bcfs(gpif(xtrack([EIGHTHS])))[: 2 * 0x1000 + 100], "cut off"),
    ],
)
def test_what_is_no_tab_is_told_in_one_line(data, message) -> None:
    with pytest.raises(NotationError, match=message) as caught:
        open_song(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (gpif(xtrack([EIGHTHS], capo="9" * 4000)), r"all 8 notes are beyond MIDI's range, .*\(pitch 1000000040\)"),
        (gpif(xtrack([[xbeat((0, FAR))]])), r"beyond MIDI's range"),
        (gpif(xtrack([EIGHTHS], tuning=(-500,) * 6)), r"beyond MIDI's range, .*\(pitch -500\)"),
        (gpif(xtrack([[xbeat((30, 1))]], tuning=range(30, 60))), r"beyond MIDI's range"),
        (gpif(xtrack([EIGHTHS]), measures={0: f"<Time>{'9' * 4000}/{'8' * 4000}</Time>"}), "no bar has that length"),
        (gpif(xtrack([EIGHTHS]), tempos=[(0, 0.0, "0 2")]), "the tempo in measure 1 is 0 BPM"),
        (gpif(xtrack([EIGHTHS]), tempos=[(0, 0.0, "1e308 5")]), "the tempo in measure 1 is inf BPM"),
        (gpif(xtrack([[]] * 5001)), "5,001 measures; at most 5,000"),
        (gpif(xtrack([EIGHTHS])).replace(b"<Staves>", b"<Staves>" + b"<Staff/>" * 256), "257 staves; at most 256"),
        (
            gpif(xtrack([[]] * 500)).replace(b"<Staves>", b"<Staves>" + b"<Staff/>" * 200),
            "100,500 measures in all staves",
        ),
    ],
)
def test_numbers_that_no_tab_has_are_told_in_one_short_line(text, message) -> None:
    with pytest.raises(NotationError, match=message) as caught:
        read(text)
    assert len(str(caught.value)) < 200


def test_a_tab_with_thirty_strings_is_read() -> None:
    assert pitches(read(gpif(xtrack([[xbeat((29, 1), value="Whole")]], tuning=range(30, 60))))) == [60]


def test_tempos_that_repeats_multiply_are_refused() -> None:
    again = {0: '<Repeat start="true" end="true" count="2000"/>'}
    tempos = [(0, place / 10, f"{100 + place} 2") for place in range(10)]
    with pytest.raises(NotationError, match="more than 10,000 changes of tempo"):
        read(gpif(xtrack([whole(0)]), measures=again, tempos=tempos))


def test_voices_and_names_without_end_are_cut() -> None:
    text = gpif(
        xtrack([whole(0)] * 300, name="N" * 5000), measures={0: f"<Section><Text>{'x ' * 5000}</Text></Section>"}
    )
    text = text.replace(b"<Voices>0 -1 -1 -1<", b"<Voices>" + b"0 " * 20_000 + b"<")
    began = time.process_time()
    song = read(text)
    assert len(song.parts[0]) == 4 + 299
    assert (len(song.parts[0].name), len(song.markers[0].text)) == (1000, 999)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(("method", "number"), [(zipfile.ZIP_BZIP2, 12), (zipfile.ZIP_LZMA, 14)])
def test_what_python_unpacks_all_at_once_is_not_unpacked(method, number) -> None:
    with pytest.raises(NotationError, match=f"packed by method {number} of zip files; wanted 0 or 8"):
        open_song(gp(gpif(xtrack([EIGHTHS])), method))


def test_a_zip_file_of_too_many_files_is_refused() -> None:
    with pytest.raises(NotationError, match="more than 10,000 files in it"):
        open_song(gp(b"PK\x01\x02" * 10_001, zipfile.ZIP_STORED))


def test_a_measure_that_repeats_another_which_does_is_played_as_the_first() -> None:
    text = gpif(xtrack([whole(fret) for fret in range(4)]))
    for bar, mark in ((1, "Simple"), (2, "SecondOfDouble"), (3, "Simple")):
        text = text.replace(
            b'<Bar id="%d"><Voices>' % bar, b'<Bar id="%d"><SimileMark>%s</SimileMark><Voices>' % (bar, mark.encode())
        )
    assert pitches(read(text)) == [40, 40, 40, 40]


def test_tables_that_refer_to_one_voice_again_and_again_are_refused() -> None:
    text = gpif(xtrack([EIGHTHS * 60, *[[]] * 300]))
    for voice in range(1, 301):
        text = text.replace(b"<Voices>%d -1 -1 -1</Voices>" % voice, b"<Voices>0 0 0 0</Voices>")
    with pytest.raises(NotationError, match="more than 100,000 beats"):
        read(text)


@pytest.mark.parametrize(
    ("inside", "message"),
    [
        pytest.param(b"<Notes>" + b"<Note/>" * 700_000 + b"</Notes>", "600,000 items", marks=pytest.mark.slow),
        (b"<Notes><Note>" + b"<a/>" * 200_000 + b"</Note></Notes>", "100,000 in one item"),
        (b'<Beats><Beat id="0"><Notes>' + b"0 " * 100_000 + b"</Notes></Beat></Beats>", "65,536 letters"),
    ],
)
def test_more_than_a_tab_has_is_refused_before_it_is_all_read(inside, message) -> None:
    with pytest.raises(NotationError, match=message):
        open_song(gp(b"<GPIF>" + inside + b"</GPIF>", zipfile.ZIP_STORED))
