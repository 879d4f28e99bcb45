"""Drum maps: a sampler's notes, the way back, and what is said of a map that makes no sense."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum.errors import OptionError
from seq2drum.formats.midi import midi
from seq2drum.music import drum_maps
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Note, Part, Song

PIECES = Part.of(
    [Note(10 * at, 5, int(note), 100 - at) for at, note in enumerate(FULL.note_of)], name="Kit", is_drums=True
)
SAMPLERS = tuple(name for name in drum_maps.names() if name != "gm")


def own(tmp_path: Path, notes: object) -> drum_maps.DrumMap:
    path = tmp_path / "mine.json"
    path.write_text(notes if isinstance(notes, str) else json.dumps(notes), encoding="utf-8")
    return drum_maps.load(path)


def hits(*rows: tuple[int, int, int]) -> Part:
    """(tick, pitch, velocity)."""
    return Part.of([Note(tick, 5, pitch, velocity) for tick, pitch, velocity in rows], is_drums=True)


def test_general_midi_is_the_first_map_and_changes_nothing() -> None:
    assert drum_maps.names()[0] == "gm"
    every = hits(*((10 * note, note, 64) for note in range(128)))
    assert drum_maps.load("gm").apply(every) == every
    assert drum_maps.load("gm").read(every) == every


def test_a_samplers_notes_are_those_its_maker_publishes() -> None:
    kick_snare_hat_crash_ride = hits((0, 36, 90), (1, 38, 90), (2, 42, 90), (3, 49, 90), (4, 51, 90), (5, 37, 90))
    moved = drum_maps.load("addictive-drums-2").apply(kick_snare_hat_crash_ride)
    assert moved.pitch.tolist() == [36, 38, 49, 77, 60, 42]
    toms = hits((0, 43, 90), (1, 47, 90), (2, 50, 90))
    assert drum_maps.load("avl-drumkits").apply(toms).pitch.tolist() == [41, 45, 47]


@pytest.mark.parametrize("name", SAMPLERS)
def test_only_pitches_change_and_a_piece_that_is_not_there_goes_to_the_nearest_or_is_left_out(name: str) -> None:
    drum_map = drum_maps.load(name)
    swaps = {swap.piece: swap.instead for swap in drum_map.swaps(PIECES)}
    assert set(swaps) == {piece for piece, notes in zip(FULL.names, drum_map.notes, strict=True) if not notes}
    moved = drum_map.apply(PIECES)
    kept = PIECES.rows[[swaps.get(piece, piece) != "" for piece in FULL.names]]
    assert np.array_equal(moved.rows[:, [0, 1, 3]], kept[:, [0, 1, 3]])
    players = [player for piece in FULL.names if (player := swaps.get(piece, piece))]
    assert moved.pitch.tolist() == [drum_map.notes[FULL.names.index(player)][0] for player in players]
    assert (moved.name, moved.is_drums) == ("Kit", True)


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_is_written_with_a_map_is_read_with_it_as_the_same_pieces_or_the_nearest_named(name: str) -> None:
    drum_map = drum_maps.load(name)
    swaps = {swap.piece: swap.instead for swap in drum_map.swaps(PIECES)}
    read = drum_map.read(drum_map.apply(PIECES))
    pieces = [FULL.names[voice] for voice in FULL.voice_of[read.pitch]]
    wanted = [player for piece in FULL.names if (player := swaps.get(piece, piece))]
    if name == "gs-analog":  # which has a second closed hat where the pedal's is
        wanted[wanted.index("pedal hat")] = "closed hat"
    assert pieces == wanted


@pytest.mark.slow
def test_real_drums_written_and_read_with_a_map_have_the_same_pieces_at_the_same_ticks(sample: list[Path]) -> None:
    kept = 0
    for path in sample:
        for part in drum_maps.drum_parts(midi.read(path)):
            standard = replace(part, program=0, is_xg=False)
            voices = FULL.voice_of[standard.pitch]
            for name in drum_maps.names():
                drum_map = drum_maps.load(name)
                instead = {swap.piece: swap.instead for swap in drum_map.swaps(standard)}
                if name == "gs-analog":  # see above
                    instead["pedal hat"] = "closed hat"
                wanted = [instead.get(FULL.names[voice], FULL.names[voice]) if voice >= 0 else "" for voice in voices]
                written = midi.parse(midi.serialise(Song(480, (drum_map.apply(standard),))))
                pieces = {
                    (tick, FULL.names[voice])
                    for read in map(drum_map.read, written.parts)
                    for tick, voice in zip(read.onset.tolist(), FULL.voice_of[read.pitch].tolist(), strict=True)
                    if voice >= 0
                }
                assert pieces == {pair for pair in zip(standard.onset.tolist(), wanted, strict=True) if pair[1]}
                kept += len(pieces)
    assert kept > 10_000


def test_a_piece_that_a_kit_lacks_goes_to_its_family_alone() -> None:
    part = hits((0, 37, 90), (1, 53, 90), (2, 53, 80), (3, 56, 90), (4, 69, 90))
    nitro = drum_maps.load("alesis-nitro")
    assert nitro.apply(part).pitch.tolist() == [38, 51, 51]
    assert nitro.swaps(part) == (
        ("side stick", "snare", 1),
        ("bell", "ride", 2),
        ("cowbell", "", 1),
        ("cabasa", "", 1),
    )
    assert drum_maps.load("logic-drum-kit-designer").swaps(part) == (("cabasa", "shaker", 1),)


CHOKES = {
    "ezdrummer-2": {50, 54, 56, 58},
    "ezdrummer-3": {50, 54, 56, 58},
    "superior-drummer-3": {50, 54, 56, 58, 83, 94, 95, 106, 107, 118},
    "ssd5": {27, 30, 32, 49, 54, 56, 58},
    "mt-power-drumkit-2": {58, 83},
    "bfd3": {75, 78, 80, 82, 85, 87},
    "studio-drummer": {22, 23, 24},
    "abbey-road-60s": {22, 23, 24},
    "logic-drum-kit-designer": {28, 29},
    "ggd-p4-halpern": {53, 55, 57},
    "ggd-invasion": {53, 55, 57, 59},
    "ggd-modern-massive": {59, 62, 72, 83},
    "addictive-drums-2": {63, 78, 80, 82, 87, 90, 92, 94},
}


@pytest.mark.parametrize("name", CHOKES)
def test_no_piece_is_written_as_a_choke_or_a_muted_cymbal_nor_read_from_one(name: str) -> None:
    drum_map = drum_maps.load(name)
    assert not CHOKES[name].intersection(drum_map.apply(PIECES).pitch.tolist())
    chokes = hits(*((10 * at, note, 90) for at, note in enumerate(sorted(CHOKES[name]))))
    assert set(drum_map.voices(chokes).tolist()) == {-1}


@pytest.mark.parametrize("name", SAMPLERS)
def test_no_two_voices_of_a_sampler_share_a_note(name: str) -> None:
    own = [set(notes) for notes in drum_maps.load(name).notes]
    shared = [a & b for at, a in enumerate(own) for b in own[:at] if a & b]
    assert shared == ([{44}] if name == "gs-analog" else [])


def test_a_samplers_other_strokes_are_read_as_the_same_voice() -> None:
    read = drum_maps.load("addictive-drums-2").read(hits((0, 37, 90), (1, 54, 90), (2, 81, 90)))
    assert read.pitch.tolist() == [38, 46, 49]


TABLES = Path(drum_maps.__file__).parent / "tables" / "drum_maps"
EVIDENCE = ("the maker's document", "General MIDI", "two collections agree", "three collections agree", "a collection")


@pytest.mark.parametrize("path", sorted(TABLES.glob("*.json")), ids=lambda path: path.stem)
def test_every_map_says_whom_it_is_for_where_its_notes_come_from_and_whether_it_was_tried(path: Path) -> None:
    held = json.loads(path.read_text(encoding="utf-8"))
    drum_map = drum_maps.load(path.stem)
    is_kit = path.stem.startswith(("gs-", "xg-"))
    assert list(held) == [
        *("for", "source", "tried"),
        *(["programs", "xg"] if is_kit else []),
        *(["pedal"] if drum_map.pedal else []),
        "notes",
    ]
    assert (drum_map.about, drum_map.source, drum_map.tried) == (held["for"], held["source"], path.stem == "gm")
    assert drum_map.about and drum_map.source.startswith((*EVIDENCE, "the maker's documents", "as EZdrummer 2"))
    assert all(notes is None or (notes and isinstance(notes, list)) for notes in held["notes"].values())
    if not is_kit and path.stem != "gm":
        assert list(held["notes"]) == list(FULL.names)
        assert all(held["notes"][piece] for piece in ("kick", "snare", "crash", "ride", "open hat", "closed hat"))


def test_the_page_of_drum_maps_has_a_row_for_each_with_its_notes_its_source_and_whether_it_was_tried() -> None:
    page = (Path(__file__).parents[2] / "docs" / "guitarists" / "drum-maps.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    assert [row[0].strip("`") for row in rows] == list(drum_maps.names())
    for row in rows:
        drum_map = drum_maps.load(row[0].strip("`"))
        pairs = [
            (voice.name, notes)
            for voice, notes in zip(FULL.voices, drum_map.notes, strict=True)
            if not drum_map.programs or notes != voice.notes
        ]
        notes = ", ".join(f"{piece} {own[0]}" for piece, own in pairs if own)
        lacks = ", ".join(piece for piece, own in pairs if not own)
        notes += f"; no {lacks}" if drum_map.programs and lacks else ""
        programs = [", ".join(map(str, drum_map.programs))] if drum_map.programs else []
        tried = "yes" if drum_map.tried else "no"
        assert row[1:] == [drum_map.about, *programs, notes, drum_map.source, tried]


def test_a_program_is_one_kit_of_each_standard() -> None:
    for start in ("gs-", "xg-"):
        programs = [p for name in drum_maps.names() if name.startswith(start) for p in drum_maps.load(name).programs]
        assert len(set(programs)) == len(programs) > 0


# --- the hi-hat's pedal -----------------------------------------------------------------------------------------------


def with_pedal(part: Part, *positions: tuple[int, int]) -> Part:
    return replace(part, pedal=np.array(positions, dtype=np.int64).reshape(-1, 2))


@pytest.mark.parametrize(
    ("name", "closed", "opened"), [("roland-td", 90, 0), ("yamaha-dtx502", 127, 0), ("yamaha-dtxplorer", 127, 0)]
)
def test_a_module_gets_the_pedal_with_each_hit_of_a_hat(name: str, closed: int, opened: int) -> None:
    part = hits((0, 42, 90), (10, 46, 90), (20, 44, 90), (20, 36, 90), (30, 38, 90), (40, 42, 90))
    written = drum_maps.load(name).apply(part)
    assert written.pedal.tolist() == [[0, closed], [10, opened], [20, closed], [40, closed]]
    assert drum_maps.load(name).read(written) == part


@pytest.mark.parametrize(
    ("name", "note"), [("superior-drummer-3", 8), ("ezdrummer-3", 19), ("ezdrummer-2", 20), ("studio-drummer", 46)]
)
def test_a_hat_that_the_pedal_steers_is_read_by_the_pedal(name: str, note: int) -> None:
    drum_map = drum_maps.load(name)
    part = hits((0, note, 90), (10, note, 90), (20, note, 90), (25, note, 90), (30, 38, 90))
    assert drum_map.read(part).pitch.tolist() == [46, 46, 46, 46, 38], "a pedal that never moves is up"
    pedalled = with_pedal(part, (5, 127), (20, 30), (22, 100), (29, 0))
    assert drum_map.read(pedalled) == hits((0, 46, 90), (10, 42, 90), (20, 46, 90), (25, 42, 90), (30, 38, 90))
    assert drum_map.voices(pedalled).tolist() == [FULL.voice_of[pitch] for pitch in (46, 42, 46, 42, 38)]


def test_notes_that_the_pedal_does_not_steer_are_what_they_are() -> None:
    part = with_pedal(hits((0, 46, 90), (10, 42, 90)), (0, 127), (10, 0))
    for name in ("superior-drummer-3", "roland-td"):
        assert drum_maps.load(name).read(part).pitch.tolist() == [46, 42]
    assert drum_maps.load("gm").read(part) == part


# --- files of one's own -----------------------------------------------------------------------------------------------


def test_a_map_of_the_package_may_be_copied_and_changed(tmp_path: Path) -> None:
    held = json.loads((TABLES / "roland-td.json").read_text(encoding="utf-8"))
    held["pedal"]["closed"] = 127
    held["notes"]["clap"] = [39]
    mine = own(tmp_path, held)
    assert mine.apply(hits((0, 42, 90), (10, 39, 90))) == with_pedal(hits((0, 42, 90), (10, 39, 90)), (0, 127))
    assert (mine.about, mine.tried) == (held["for"], False)


def test_a_file_of_ones_own_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    drum_map = own(tmp_path, {"kick": 24, "closed hat": [60, 61], "clap": None})
    part = hits((0, 36, 90), (10, 35, 90), (20, 40, 90), (30, 42, 90), (40, 39, 90), (50, 27, 90))
    assert drum_map.apply(part).pitch.tolist() == [24, 24, 40, 60, 27]
    assert drum_map.read(hits((0, 24, 90), (10, 61, 90), (20, 40, 90), (30, 27, 90))).pitch.tolist() == [36, 42, 40, 27]


def test_of_two_hits_on_one_note_at_one_tick_the_louder_stays(tmp_path: Path) -> None:
    drum_map = own(tmp_path, {"low tom": 45, "mid tom": 45})
    part = hits((0, 43, 60), (0, 47, 80), (10, 43, 70), (10, 47, 50), (20, 43, 1))
    assert drum_map.apply(part) == hits((0, 45, 80), (10, 45, 70), (20, 45, 1))


def test_a_note_that_voices_share_is_read_as_the_first_of_them(tmp_path: Path) -> None:
    assert own(tmp_path, {"low tom": 45, "mid tom": 45}).read(hits((0, 45, 60))).pitch.tolist() == [43]


def test_what_a_voice_is_written_as_goes_before_what_another_is_read_as(tmp_path: Path) -> None:
    drum_map = own(tmp_path, {"kick": [24, 26], "snare": 26})
    assert drum_map.read(drum_map.apply(hits((0, 36, 9), (1, 38, 9)))).pitch.tolist() == [36, 38]


def test_an_empty_part_stays_empty() -> None:
    empty = Part.of([], is_drums=True)
    for name in drum_maps.names():
        assert len(drum_maps.load(name).apply(empty)) == 0
        assert drum_maps.load(name).read(empty) == empty


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a JSON file"),
        ("[36]", "should be a table"),
        ('{"kik": 36}', "'kik'; did you mean kick?"),
        ('{"xylophone": 36}', "there are kick, snare"),
        ('{"kick": 128}', "128 for 'kick'"),
        ('{"kick": -1}', "0 to 127"),
        ('{"kick": "36"}', "\"36\" for 'kick'"),
        ('{"kick": true}', "true for 'kick'"),
        ('{"kick": [36, 3.5]}', "3.5 for 'kick'"),
        ("[" * 100_000, "not a JSON file"),
        ('{"notes": {"kik": 36}}', "did you mean kick?"),
        ('{"notes": {}, "sauce": "mine"}', "a field 'sauce'; there are for, source"),
        ('{"notes": {}, "for": 3}', "3 for 'for', wanted a text"),
        ('{"notes": {}, "programs": 3}', "3 for 'programs', wanted a list"),
        ('{"notes": {}, "programs": [128]}', "128 for 'programs'"),
        ('{"notes": {}, "pedal": {"closed": 127}}', "has closed; there are closed, open, steers, sent"),
        ('{"notes": {}, "pedal": {"closed": 127, "open": null}}', "null for 'open'"),
        ('{"notes": {}, "pedal": {"closed": 1, "open": 2, "up": 3}}', "there are closed, open"),
        ('{"notes": []}', "names a voice 'notes'"),
    ],
)
def test_a_file_that_is_not_a_drum_map_is_refused(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(OptionError) as error:
        own(tmp_path, content)
    assert message in str(error.value)
    assert "mine.json" in str(error.value)


def test_an_unknown_map_is_refused_with_the_names_of_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"no drum map 'bfd'; did you mean bfd3\? .*FILE\.json"):
        drum_maps.load("bfd")
    with pytest.raises(OptionError, match=r"no drum map 'q'; there are gm, abbey-road-60s, .*FILE\.json"):
        drum_maps.load("q")
    with pytest.raises(OptionError, match=r"the drum map: .*none\.json does not exist"):
        drum_maps.load(tmp_path / "none.json")
    (tmp_path / "large.json").write_bytes(b" " * (1 << 20) + b"{}")
    with pytest.raises(OptionError, match="larger than 1048576 bytes"):
        drum_maps.load(tmp_path / "large.json")
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(OptionError, match="not a JSON file"):
        drum_maps.load(tmp_path / "bytes.json")


def drums(*pitches: int, program: int = 0, is_xg: bool = False) -> Part:
    notes = [Note(10 * at, 5, pitch, 90) for at, pitch in enumerate(pitches)]
    return Part.of(notes, program=program, is_drums=True, is_xg=is_xg)


@pytest.mark.parametrize(
    ("program", "is_xg", "written", "meant"),
    [
        (40, False, (38, 39, 40, 42), (38, 38, 38, 42)),  # tap, slap and swirl
        (40, True, (39, 31, 27), (39, 38, 38)),
        (0, True, (28, 34, 26, 31), (38, 38, 38, 31)),
        (48, False, (27, 28, 29, 30, 38, 57, 39), (42, 44, 46, 51, 38, 49, 76)),
        (25, False, (44, 42, 36), (42, 42, 36)),
    ],
)
def test_the_program_of_drums_says_what_their_notes_are(
    program: int, is_xg: bool, written: tuple[int, ...], meant: tuple[int, ...]
) -> None:
    read = drum_maps.load("gm").read(drums(*written, program=program, is_xg=is_xg))
    voices = [FULL.names[voice] for voice in FULL.voice_of[read.pitch]]
    assert voices == [FULL.names[voice] for voice in FULL.voice_of[list(meant)]]
    assert drum_maps.load("gm").read(read) == read


def test_timpani_are_no_pieces_of_the_kit() -> None:
    timpani = drums(36, 41, 42, 49, 53, program=48)
    assert drum_maps.load("gm").voices(timpani).tolist() == [0, -1, -1, -1, -1]
    read = drum_maps.load("gm").read(timpani)
    assert (read.pitch.tolist(), read.program) == ([36], 0)


def test_a_program_that_is_no_kit_of_the_table_is_the_standard_kit() -> None:
    every = drums(*range(128), program=8)
    assert drum_maps.load("gm").read(every) == every


def test_brushes_have_no_clap_to_be_written_on() -> None:
    written = drum_maps.load("gm").apply(drums(36, 38, 39, 42, program=drum_maps.BRUSHES))
    assert (written.pitch.tolist(), written.program) == ([36, 38, 42], drum_maps.BRUSHES)


KITS = tuple(name for name in drum_maps.names() if drum_maps.load(name).programs)


@pytest.mark.parametrize("name", KITS)
def test_a_kit_by_program_is_written_and_read_by_its_name_and_by_its_program(name: str) -> None:
    kit = drum_maps.load(name)
    for program in kit.programs:
        part = drums(*FULL.note_of, program=program, is_xg=kit.is_xg)
        written = drum_maps.load("gm").apply(part)
        assert (written.program, written.is_xg) == (program, kit.is_xg)
        assert np.array_equal(written.rows, kit.apply(drums(*FULL.note_of)).rows)
        assert np.array_equal(drum_maps.load("gm").read(written).rows, kit.read(written).rows)
    asked = kit.apply(drums(36, 38))
    assert (asked.program, asked.is_xg) == (kit.programs[0], kit.is_xg) == kit.kit_to_play(song())


def song(*parts: Part) -> Song:
    return Song(480, parts, length=1920)


def test_new_drums_are_played_on_the_songs_own_kit_where_it_is_a_drum_set() -> None:
    gm = drum_maps.load("gm")
    assert gm.kit_to_play(song()) == (0, False)
    assert gm.kit_to_play(song(drums(36, 38, program=16), drums(36, program=40))) == (16, False)
    assert gm.kit_to_play(song(drums(36, 38, program=48))) == gm.kit_to_play(song(drums(36, program=1))) == (0, False)
    assert gm.kit_to_play(song(drums(36, 38, program=48)), stays=True) == (48, False)
    assert gm.kit_to_play(song(drums(36, 38, program=16)), brushes=True) == (40, False)
    assert drum_maps.load("addictive-drums-2").kit_to_play(song(drums(36, program=40)), brushes=True) == (0, False)
