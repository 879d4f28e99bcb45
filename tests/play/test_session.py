"""A take in a session: count-in, click, a track for each group of pieces, sections as markers; and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from seq2drum import Drummer, Options
from seq2drum.errors import OptionError
from seq2drum.formats.midi import events, midi
from seq2drum.music import drum_maps
from seq2drum.music.choices import PIECES
from seq2drum.music.limits import DEFAULT_LIMITS
from seq2drum.music.notes import Marker, Metre, Note, Part, Song
from seq2drum.play.session import GROUPS, Session, split
from seq2drum.play.take import VERSION, Take, as_json
from tests.conftest import ROOT
from tests.players import save_player, strummed

# --- A take in a session: count-in, click, a track for each group of pieces, sections as markers ----------------------

ALL = Session(count_in=2, click=True, split=True)


@pytest.fixture(scope="module")
def drummer(tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    return Drummer.load(save_player(tmp_path_factory.mktemp("player")))


@pytest.fixture(scope="module")
def take(drummer: Drummer) -> Take:
    return drummer.accompany(midi.serialise(strummed()))


def rows(parts: Sequence[Part]) -> list[tuple[int, ...]]:
    return sorted(tuple(row) for part in parts for row in part.rows.tolist())


@pytest.mark.parametrize("name", ["gm", "addictive-drums-2"])
def test_the_tracks_of_a_take_that_is_split_have_its_hits_and_no_others(name: str) -> None:
    kit = Part.of([Note(at * 10, 5, pitch, 90) for at, pitch in enumerate((36, 38, 37, 42, 46, 49, 51, 45, 39, 54))])
    drum_map = drum_maps.load(name)
    part = drum_map.apply(replace(kit, is_drums=True))
    parts = split(part, drum_map)
    assert rows(parts) == rows([part])
    assert all(one.is_drums for one in parts)
    if name == "gm":
        assert {one.name: len(one) for one in parts} == dict(zip(GROUPS, (1, 2, 2, 1, 2, 2), strict=True))


def test_a_take_is_written_as_it_was_where_nothing_is_asked_for(take: Take) -> None:
    assert take.to_bytes(session=Session()) == take.to_bytes() == midi.serialise(take.drum_song)


def test_a_count_in_moves_song_and_drums_alike_and_plays_sticks_before(take: Take) -> None:
    plain = midi.parse(take.to_bytes(with_guitar=True))
    for source in (take.source, None):
        song = midi.parse(replace(take, source=source).to_bytes(with_guitar=True, session=Session(count_in=2)))
        shift = song.bars()[2].start
        assert len(song.bars()) == len(plain.bars()) + 2
        assert [bar.length for bar in song.bars()[2:]] == [bar.length for bar in plain.bars()]
        assert song.seconds(song.bars()[2].start) == pytest.approx(2 * (plain.seconds(plain.bars()[1].start)))
        for before, after in zip(plain.parts, song.parts, strict=True):
            behind = after.onset >= shift
            assert np.array_equal(after.onset[behind] - shift, before.onset)
            assert after.pitch[~behind].tolist() == ([37] * 8 if after.is_drums else [])
        assert song.markers[0] == Marker(0, "Count-in")
        assert [(one.tick - shift, one.text) for one in song.markers[1:]] == [tuple(one[:2]) for one in take.markers]


def test_a_click_is_a_track_of_its_own_on_a_channel_that_the_song_does_not_use(take: Take) -> None:
    data = take.to_bytes(with_guitar=True, session=Session(click=True))
    song = midi.parse(data)
    plain = midi.parse(take.to_bytes(with_guitar=True))
    assert song.parts[:-1] == plain.parts
    assert (song.parts[-1].name, song.parts[-1].is_drums, len(song.parts[-1])) == ("Click", False, 4 * len(song.bars()))
    assert data.count(b"\xc0") == 0 or song.parts[0].program == plain.parts[0].program


def test_everything_together_is_one_file_for_a_session(take: Take) -> None:
    song = midi.parse(take.to_bytes(session=ALL))
    names = [part.name for part in song.parts]
    assert names[-1] == "Click"
    assert set(names[:-1]) <= set(GROUPS)
    assert sum(len(part) for part in song.parts if part.is_drums) == len(take.part) + 8


def test_a_pickup_keeps_its_length_in_a_file_with_a_count_in(drummer: Drummer) -> None:
    played = strummed()
    song = replace(played, metres=(Metre(0, 1, 4), Metre(480, 4, 4)))
    data = drummer.accompany(midi.serialise(song)).to_bytes(with_guitar=True, session=Session(count_in=1))
    assert [bar.length for bar in midi.parse(data).bars()][:3] == [1920, 480, 1920]


def test_a_tail_holds_the_cymbals_of_the_last_bar_and_moves_nothing(take: Take) -> None:
    last = take.song.bars()[-1].start
    crash = Part.of([Note(last, 60, 49, 100), Note(0, 60, 49, 100), Note(last, 60, 36, 100)], is_drums=True)
    crashing = replace(take, part=replace(crash, name="Drums"))
    for with_guitar in (False, True):
        song = midi.parse(crashing.to_bytes(with_guitar=with_guitar, session=Session(tail=True)))
        notes = [(note.onset, note.pitch, note.duration) for note in song.parts[-1]]
        assert [note[:2] for note in notes] == [(0, 49), (last, 36), (last, 49)]
        assert notes[0][2] == notes[1][2] == 60
        assert song.seconds(last + notes[2][2]) - song.seconds(last) == pytest.approx(4, abs=0.01)
        assert song.end == last + notes[2][2]


@pytest.mark.parametrize("bars", [-1, 9])
def test_a_count_in_of_too_many_bars_is_refused(bars: int) -> None:
    with pytest.raises(OptionError, match="wanted 0 to 8"):
        Session(count_in=bars)


# --- sections ---------------------------------------------------------------------------------------------------------


def markers(data: bytes) -> list[tuple[int, str]]:
    return [(one.tick, one.text) for one in midi.parse(data).markers]


def test_found_sections_are_written_as_markers_beside_what_the_file_says(drummer: Drummer) -> None:
    song = replace(strummed(), markers=(Marker(480, "Copyright me"),))
    take = drummer.accompany(midi.serialise(song))
    found = [(one.tick, one.text) for one in take.sections]
    assert found[0] == (0, "A")
    for data in (take.to_bytes(), take.to_bytes(with_guitar=True)):
        assert markers(data) == sorted([*found, (480, "Copyright me")])


def test_the_files_own_sections_are_written_as_they_were(drummer: Drummer) -> None:
    own = (Marker(0, "Verse 1"), Marker(4 * 1920, "Chorus"))
    take = drummer.accompany(midi.serialise(replace(strummed(), markers=own)))
    assert [one.text for one in take.sections] == ["verse", "chorus"]
    for data in (take.to_bytes(), take.to_bytes(with_guitar=True)):
        assert markers(data) == [(one.tick, one.text) for one in own]


def test_sections_by_hand_win_over_the_files_own_and_name_the_grooves(drummer: Drummer) -> None:
    data = midi.serialise(replace(strummed(), markers=(Marker(0, "Verse 1"), Marker(4 * 1920, "Chorus"))))
    asked = Options(
        sections="hard bit 1-2, chorus 3-8", groove={"chorus": "one drop", "hard bit": "straight rock, hat"}
    )
    take = drummer.accompany(data, asked)
    assert [groove.section for groove in take.grooves] == ["hard bit", "chorus"]
    for written in (take.to_bytes(), take.to_bytes(with_guitar=True)):
        assert markers(written) == [(0, "hard bit"), (2 * 1920, "chorus")]


def test_sections_beyond_the_song_are_refused(drummer: Drummer) -> None:
    with pytest.raises(OptionError, match="the section 'verse' ends in bar 99, but the song has 8"):
        drummer.accompany(strummed(), Options(sections="verse 5-99"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("verse", "not a name and bars"),
        ("1-4", "not a name and bars"),
        ("verse 4-1", "FIRST:LAST"),
        ("verse 0-1", "FIRST:LAST"),
        ("a 1-4, b 4-8", "begins in bar 4, and 'a' ends in bar 4"),
    ],
)
def test_sections_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Options(sections=text)


@pytest.mark.parametrize("with_guitar", [False, True])
def test_the_tracks_of_a_split_take_may_have_a_channel_each(drummer: Drummer, *, with_guitar: bool) -> None:
    take = drummer.accompany(midi.serialise(strummed()))
    plain, apart = (
        midi.parse(take.to_bytes(with_guitar=with_guitar, session=Session(split=True, click=True, channels=channels)))
        for channels in (False, True)
    )
    drums = [part for part in plain.parts if part.is_drums]
    assert len(drums) > 2 and [part.name for part in apart.parts] == [part.name for part in plain.parts]
    assert not any(part.is_drums for part in apart.parts)
    for part, own in zip(plain.parts, apart.parts, strict=True):
        assert (part.rows == own.rows).all()
    data = take.to_bytes(with_guitar=with_guitar, session=Session(split=True, click=True, channels=True))
    used = [events.channels([track.events]) for track in events.read_tracks(data, DEFAULT_LIMITS)[1]]
    used = [channels for channels in used if channels]
    assert all(len(channels) == 1 for channels in used)
    assert len(set.union(*used) - {9}) == len(used) == len(apart.parts)
    with pytest.raises(OptionError, match="channels are for the tracks of a split take; add --split"):
        Session(channels=True)


def test_the_command_line_writes_a_session(tmp_path: Path, drummer: Drummer) -> None:
    from seq2drum import cli

    song, model = tmp_path / "a.mid", save_player(tmp_path / "player")
    song.write_bytes(midi.serialise(strummed()))
    words = [
        "--count-in",
        "2",
        "--click",
        "--split",
        "--sections",
        "intro 1-4, verse 5-8",
        "--rpp",
        str(tmp_path / "a.rpp"),
    ]
    assert cli.main([str(song), "--model", str(model), *words]) == 0
    written: Song = midi.read(tmp_path / "a.drums.mid")
    assert [one.text for one in written.markers] == ["Count-in", "intro", "verse"]
    project = (tmp_path / "a.rpp").read_text()
    for name in (*(part.name for part in written.parts), "MARKER 2"):
        assert name in project


@pytest.mark.slow
def test_scores_tabs_and_pictures_have_the_count_in(tmp_path: Path, drummer: Drummer) -> None:
    from seq2drum import cli

    song, model = tmp_path / "a.mid", save_player(tmp_path / "player")
    song.write_bytes(midi.serialise(strummed()))
    names = ["plain.musicxml", "plain.svg", "a.musicxml", "a.svg"]
    plain, plain_picture, score, picture = (str(tmp_path / name) for name in names)
    common = [str(song), "--model", str(model), "--force"]
    assert cli.main([*common, "--score", plain, "--picture", plain_picture]) == 0
    assert cli.main([*common, "--count-in", "2", "--score", score, "--picture", picture]) == 0
    before, after = ((tmp_path / name).read_text() for name in ("plain.musicxml", "a.musicxml"))
    assert after.count("<measure ") == before.count("<measure ") + 2
    assert (tmp_path / "a.svg").stat().st_size > (tmp_path / "plain.svg").stat().st_size
    tab = str(tmp_path / "a.txt")
    assert cli.main([*common, "--count-in", "2", "--score", tab]) == 0
    assert "bar 1\nSD|@---@---@---@---|@---@---@---@---|\n" in Path(tab).read_text()


def test_a_take_behind_its_count_in_is_the_take_moved(take: Take) -> None:
    behind = take.behind(2)
    shift = behind.song.bars()[2].start
    assert behind.part.onset[8:].tolist() == (take.part.onset + shift).tolist()
    assert [marker.tick - shift for marker in behind.sections] == [marker.tick for marker in take.sections]
    assert take.behind(0) is take


def test_sections_with_names_are_told_one_by_one(drummer: Drummer) -> None:
    asked = Options(sections="intro 1-2, verse 3-8", groove="one drop")
    told = [str(one) for one in drummer.accompany(midi.serialise(strummed()), asked).explain()]
    assert any(one.startswith("bars 1-2: section intro on the groove ") for one in told)
    assert any(one.startswith("bars 3-8: section verse on the groove ") for one in told)


# --- A take as JSON: its shape is that of the schema, and its hits are the take's -------------------------------------


def test_the_json_of_a_take_has_its_hits_in_their_bars_and_the_shape_of_the_schema(tmp_path: Path) -> None:
    take = Drummer.load(save_player(tmp_path)).accompany(strummed(), Options(drum_map="addictive-drums-2"))
    held = json.loads(as_json(take))
    bars = held["bars"]
    hits = [hit for bar in bars for hit in bar["hits"]]
    assert [(hit["tick"], hit["note"], hit["velocity"]) for hit in hits] == [
        (note.onset, note.pitch, note.velocity) for note in take.part
    ]
    assert all(bar["tick"] <= hit["tick"] < bar["tick"] + bar["length"] for bar in bars[:-1] for hit in bar["hits"])
    assert hits[-1]["seconds"] == pytest.approx(take.song.seconds(hits[-1]["tick"]), abs=1e-6)
    assert {hit["piece"] for hit in hits} <= set(PIECES)
    assert bars[0]["section"] == take.sections[0].text
    assert held["tempos"] == [{"tick": tempo.tick, "bpm": round(tempo.bpm, 6)} for tempo in take.song.tempo_map]
    schema = json.loads((ROOT / "docs" / "take.schema.json").read_text(encoding="utf-8"))
    assert schema["properties"]["version"]["const"] == VERSION
    jsonschema = pytest.importorskip("jsonschema", reason="needs jsonschema, which comes with Jupyter")
    jsonschema.validate(held, schema)
