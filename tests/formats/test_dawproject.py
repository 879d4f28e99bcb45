"""DAWprojects: valid by the format's schema, read back as they were written, and read as other DAWs write them."""

from __future__ import annotations

import io
import random
import zipfile
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from seq2drum import Drummer
from seq2drum.errors import NotationError, Seq2DrumError
from seq2drum.formats.dawproject.writing import DRUM_TRACK, write_dawproject
from seq2drum.formats.midi import midi
from seq2drum.formats.opening import open_song
from seq2drum.music.limits import PROJECT_LIMITS
from seq2drum.music.notes import Marker, Metre, Note, Part, Song, Tempo
from tests.commands import called
from tests.conftest import LONG, ROOT
from tests.mutants import mutant, reworded
from tests.players import save_player, strummed
from tests.strategies import parts, songs

Run = Callable[..., tuple[int, str, str]]
SCHEMA = ROOT.parent / "shared" / "reference" / "dawproject"
DRUMS = Part.of([Note(at, 60, 36 + at % 7, 90) for at in range(0, 14_000, 240)], name="Drums", is_drums=True)


def files_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(text: str | bytes, **others: bytes) -> bytes:
    """A file with this project in it."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("project.xml", text)
        for name, content in others.items():
            archive.writestr(name, content)
    return data.getvalue()


# --- what is written --------------------------------------------------------------------------------------------------


ORDER = {
    "Project": ("Application", "Transport", "Structure", "Arrangement", "Scenes"),
    "Arrangement": ("Lanes", "Markers", "TempoAutomation", "TimeSignatureAutomation"),
    "Channel": ("Devices", "Mute", "Pan", "Sends", "Volume"),
    "Transport": ("Tempo", "TimeSignature"),
}
"""The children of elements whose children have an order."""


def check_structure(data: bytes) -> ET.Element:
    """Check what a schema cannot, and its main rules again: order, ids, references, numbers."""
    root = ET.fromstring(files_of(data)["project.xml"])
    assert (root.tag, root.get("version")) == ("Project", "1.0")
    ids = [each.get("id") for each in root.iter() if each.get("id")]
    assert len(ids) == len(set(ids))
    for each in root.iter():
        for name in ("track", "destination", "parameter"):
            assert each.get(name, ids[0]) in ids
        for name in ("time", "duration", "value"):
            if each.get(name) not in (None, "true", "false"):
                assert float(each.get(name, "")) >= 0 and "e" not in each.get(name, "")
        if wanted := ORDER.get(each.tag):
            places = [wanted.index(child.tag) for child in each]
            assert places == sorted(set(places))
    for tag in ("TempoAutomation", "TimeSignatureAutomation"):
        (points,) = root.iter(tag)
        assert points[0].tag == "Target"
        times = [float(point.get("time", "")) for point in points[1:]]
        assert times == sorted(set(times)) and times[0] == 0
    tracks = [track.get("id") for track in root.iterfind("Structure/Track")]
    lanes = [lane.get("track") for lane in root.iterfind("Arrangement/Lanes/Lanes")]
    assert lanes == tracks[:-1]  # the last is the master
    return root


def in_quarters(song: Song) -> tuple[Any, ...]:
    """What a song holds, in quarters: whatever its clock is."""

    def at(tick: int) -> Fraction:
        return Fraction(tick, song.ticks_per_quarter)

    end = at(song.end)
    held = [
        (
            (part.name, part.program, part.is_drums, part.is_xg),
            [(at(note.onset), at(note.duration), note.pitch, note.velocity) for note in part],
            [(at(tick), value) for tick, value in part.pedal.tolist()],
        )
        for part in song.parts
    ]
    return (
        held,
        [(at(tempo.tick), tempo.microseconds) for tempo in song.tempo_map if at(tempo.tick) <= end],
        [(at(bar.start), at(bar.length)) for bar in song.bars()],
        [(at(marker.tick), marker.text) for marker in song.markers if at(marker.tick) <= end],
        end,
    )


def agrees(song: Song, takes: list[Part]) -> Song:
    """Write a song and its drums, check the file, and hold what is read back against them."""
    data = write_dawproject(song, takes, "A song")
    check_structure(data)
    back = open_song(data).song
    pitched = [
        replace(part, name=" ".join(part.name.split())) for part in song.parts if not part.is_drums and len(part)
    ]
    names = [DRUM_TRACK, *(f"{DRUM_TRACK} {number}" for number in range(2, len(takes) + 1))]
    drums = [replace(take, name=name) for take, name in zip(takes, names, strict=True) if len(take)]
    ends = [tick for part in (*pitched, *drums) for tick in (part.end, int(part.onset[-1]) + 1)]
    given = replace(song, parts=(*pitched, *drums), length=max(song.end, 1, *ends))
    assert in_quarters(back) == in_quarters(given)
    return back


def plainly_named(song: Song) -> Song:
    """The song with names and markers that a file holds as they are, a finer clock, and metres on whole ticks."""
    scale = max(1, 96 // song.ticks_per_quarter)
    return Song(
        song.ticks_per_quarter * scale,
        tuple(
            Part.of(part.rows * [scale, scale, 1, 1], program=part.program, name=f"part {at}", is_drums=part.is_drums)
            for at, part in enumerate(song.parts)
        ),
        tuple(tempo._replace(tick=tempo.tick * scale) for tempo in song.tempos),
        (),
        song.length * scale,
        tuple(Marker(marker.tick * scale, f"marker {at}") for at, marker in enumerate(song.markers)),
    )


@settings(deadline=None, max_examples=25)
@given(songs(max_parts=4, max_notes=12), st.lists(parts(5_000, max_notes=10), min_size=1, max_size=3))
@example(Song(960), [DRUMS])
def test_a_project_holds_the_notes_and_tempos_of_any_song(song: Song, found: list[Part]) -> None:
    agrees(plainly_named(song), [replace(part, is_drums=True) for part in found])


METRES = (
    (Metre(0, 7, 8),),
    (Metre(0, 4, 4), Metre(1920 * 2, 7, 8), Metre(1920 * 2 + 1680, 6, 8)),
    (Metre(0, 1, 4), Metre(480, 4, 4)),
    (Metre(0, 4, 4), Metre(480, 4, 4)),
    (Metre(0, 4, 4), Metre(1920 * 3 + 840, 3, 4), Metre(1920 * 3 + 840 + 1440, 4, 4)),
)


@pytest.mark.parametrize("metres", METRES)
def test_bars_are_where_they_were_in_odd_metres_with_pickups_and_cut_bars(metres: tuple[Metre, ...]) -> None:
    song = strummed(6, metres, tempos=(Tempo(0, 500_000), Tempo(700, 612_345), Tempo(4000, 333_333)))
    agrees(replace(song, markers=(Marker(0, "Intro"), Marker(1920, "Verse"))), [DRUMS])


def test_a_cut_bar_has_the_metre_of_its_length_and_others_their_own() -> None:
    song = strummed(4, (Metre(0, 4, 4), Metre(480, 4, 4), Metre(480 + 1920, 7, 8)))
    back = open_song(write_dawproject(song, [DRUMS])).song
    assert [metre[1:] for metre in back.metre_map] == [(1, 4), (4, 4), (7, 8)]


@pytest.mark.parametrize("ticks_per_quarter", [96, 120, 220, 384, 480, 960, 1024, 25_000])
def test_the_clock_comes_back_or_a_multiple_of_it(ticks_per_quarter: int) -> None:
    notes = [Note(tick, 1, 40, 90) for tick in range(0, 4 * ticks_per_quarter, 7)]
    song = Song(ticks_per_quarter, (Part.of(notes, name="Guitar", program=27),), length=4 * ticks_per_quarter)
    assert agrees(song, [DRUMS]).ticks_per_quarter % ticks_per_quarter == 0


def test_the_program_a_kit_and_the_pedal_of_the_hats_come_back() -> None:
    hats = replace(DRUMS, program=40, is_xg=True, pedal=np.array([[0, 90], [240, 0]]))
    agrees(replace(strummed(), parts=(replace(strummed().parts[0], program=30),)), [hats])


def test_takes_after_the_first_are_muted_and_what_is_beside_them_has_its_tracks() -> None:
    click = Part.of([Note(0, 60, 76, 90)], program=115, name="Click")
    data = write_dawproject(strummed(), [DRUMS, DRUMS], "x", {"Kick": [DRUMS], "Click": [click]})
    root = check_structure(data)
    muted = {track.get("name"): track.find("Channel/Mute").get("value") for track in root.iterfind("Structure/Track")}
    assert muted == {
        "Guitar": "false",
        DRUM_TRACK: "false",
        f"{DRUM_TRACK} 2": "true",
        "Kick": "false",
        "Click": "false",
        "Master": "false",
    }


@pytest.mark.parametrize("name", ["<&\"'>", "a\x00b\ud800\uffff", "Zoë \u30ae\u30bf\u30fc", "x" * 5000, "  "])
def test_any_name_can_be_written_and_read(name: str) -> None:
    song = replace(strummed(), parts=(replace(strummed().parts[0], name=name),), markers=(Marker(0, name + "!"),))
    data = write_dawproject(song, [DRUMS], name)
    check_structure(data)
    ET.fromstring(files_of(data)["metadata.xml"])
    assert len(open_song(data).song.parts) == 2


def test_the_same_music_gives_the_same_bytes() -> None:
    assert write_dawproject(strummed(), [DRUMS]) == write_dawproject(strummed(), [DRUMS])


def test_what_is_written_is_valid_by_the_schema_of_the_format() -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed: pip install lxml")
    if not SCHEMA.is_dir():
        pytest.skip("needs the schema of DAWproject in ../shared/reference/dawproject")
    hats = replace(DRUMS, pedal=np.array([[0, 90]]))
    song = strummed(6, METRES[1], tempos=(Tempo(0, 500_000), Tempo(700, 612_345)))
    for given_song in (song, replace(song, markers=(Marker(0, "Intro"),)), Song(480)):
        held = files_of(write_dawproject(given_song, [hats, DRUMS], "<a>", {"Kick": [DRUMS]}))
        for name, schema in (("project.xml", "Project.xsd"), ("metadata.xml", "MetaData.xsd")):
            etree.XMLSchema(etree.parse(SCHEMA / schema)).assertValid(etree.fromstring(held[name]))


def test_real_songs_come_back_as_they_were(sample: list[Path]) -> None:
    for path in sample:
        song = midi.read(path)
        drums = next((part for part in song.parts if part.is_drums), DRUMS)
        names = [replace(part, name=f"{at}") for at, part in enumerate(song.parts) if not part.is_drums]
        agrees(replace(song, parts=tuple(names), markers=()), [drums])


# --- what other programs write ----------------------------------------------------------------------------------------


def written(
    lanes: str,
    *,
    tracks: str = '<Track id="t" name="Lead Guitar" contentType="notes"/>',
    automation: str = "",
    transport: str = '<Tempo unit="bpm" value="120" id="bpm"/><TimeSignature numerator="4" denominator="4" id="ts"/>',
) -> str:
    """The XML of a project with these parts."""
    return (
        f'<?xml version="1.0" encoding="UTF-8"?><Project version="1.0"><Application name="X" version="1"/>'
        f"<Transport>{transport}</Transport><Structure>{tracks}</Structure>"
        f'<Arrangement><Lanes timeUnit="beats">{lanes}</Lanes>{automation}</Arrangement></Project>'
    )


def project(lanes: str, **others: str) -> Song:
    """The song of a project with these parts."""
    return open_song(packed(written(lanes, **others))).song


def lane(content: str, track: str = "t", unit: str = "") -> str:
    return f'<Lanes track="{track}"{unit}><Clips>{content}</Clips></Lanes>'


def note(
    time: float | str, key: int = 64, duration: float = 0.25, channel: int = 0, vel: str = 'vel="0.787402"'
) -> str:
    return f'<Note time="{time}" duration="{duration}" channel="{channel}" key="{key}" {vel}/>'


FOUR = "<Notes>" + "".join(note(f"{at / 3:.6f}", 60 + at) for at in range(4)) + "</Notes>"


def heard(song: Song, part: int = 0) -> list[tuple[float, int]]:
    return [(round(one.onset / song.ticks_per_quarter, 3), one.pitch) for one in song.parts[part]]


def test_triplets_of_six_decimals_fall_on_ticks() -> None:
    song = project(lane(f'<Clip time="4.0" duration="4.0">{FOUR}</Clip>'))
    assert song.ticks_per_quarter == 480
    assert song.parts[0].onset.tolist() == [1920, 2080, 2240, 2400]
    assert (song.parts[0].name, song.parts[0].velocity.tolist()) == ("Lead Guitar", [100] * 4)
    assert song.length == 8 * 480


def test_a_clip_plays_what_lies_in_it_from_its_start_and_cuts_the_last_note() -> None:
    notes = "<Notes>" + note(0, 60, 1) + note(1, 61, 1) + note(2, 62, 5) + note(9, 63) + "</Notes>"
    song = project(lane(f'<Clip time="8" duration="2" playStart="1">{notes}</Clip>'))
    assert heard(song) == [(8, 61), (9, 62)]
    assert song.parts[0].duration.tolist() == [480, 480]


def test_a_loop_is_played_out_from_where_the_clip_starts() -> None:
    notes = "<Notes>" + "".join(note(at, 60 + at) for at in range(4)) + "</Notes>"
    clip = f'<Clip time="0" duration="7" playStart="1" loopStart="2" loopEnd="4">{notes}</Clip>'
    assert heard(project(lane(clip))) == [(0, 61), (1, 62), (2, 63), (3, 62), (4, 63), (5, 62), (6, 63)]


def test_clips_in_clips_lanes_in_clips_and_references_are_followed() -> None:
    inner = f'<Clip time="1" duration="1"><Lanes><Notes id="n">{note(0, 60)}</Notes></Lanes></Clip>'
    clips = f'<Clip time="4" duration="4"><Clips>{inner}</Clips></Clip><Clip time="12" duration="4" reference="n"/>'
    assert heard(project(lane(clips))) == [(5, 60), (12, 60)]


# Clips in a clip, at 60 and, from quarter 8 on, 120 BPM. The outer one lies at 8, lasts 10, begins in its content at 3
# and loops from 1 to 5.
NESTED = f"""<Clip time="8" duration="10" contentTimeUnit="beats" playStart="3" loopStart="1" loopEnd="5"><Clips>
  <Clip time="0" duration="2"><Notes>{note(0, 40, 1)}{note(1.5, 41, 2)}</Notes></Clip>
  <Clip time="2" duration="2" playStart="4" enable="1"><Notes>{note(4, 42)}{note(5, 43)}{note(6, 44)}</Notes></Clip>
  <Clip time="4" duration="4" contentTimeUnit="seconds" playStart="0.25" playStop="0.75"><Lanes>
    <Notes>{note(0.25, 45)}{note(0.5, 46, 9)}{note(0.75, 47)}</Notes></Lanes></Clip>
  <Clip time="1" duration="4" enable="0"><Notes>{note(0, 99)}</Notes></Clip>
</Clips></Clip>"""
NESTED_TEMPO = (
    '<TempoAutomation unit="bpm" timeUnit="beats"><Target parameter="bpm"/>'
    '<RealPoint time="0" value="60"/><RealPoint time="8" value="120"/></TempoAutomation>'
)


def test_nested_clips_are_valid_by_the_schema_of_the_format() -> None:
    etree = pytest.importorskip("lxml.etree", reason="lxml is not installed: pip install lxml")
    if not SCHEMA.is_dir():
        pytest.skip("needs the schema of DAWproject in ../shared/reference/dawproject")
    text = written(lane(NESTED), automation=NESTED_TEMPO)
    etree.XMLSchema(etree.parse(SCHEMA / "Project.xsd")).assertValid(etree.fromstring(text.encode()))


def test_clips_in_clips_start_stop_and_loop_in_their_own_units() -> None:
    song = project(lane(NESTED), automation=NESTED_TEMPO)
    first = [(8, 43), (9, 45), (9.5, 46)]  # content from 3 to 5
    again = [(10.5, 41), (11, 42), (12, 43), (13, 45), (13.5, 46)]  # from 1 to 5
    third = [(14.5, 41), (15, 42), (16, 43), (17, 45), (17.5, 46)]
    assert heard(song) == first + again + third
    lengths = {pitch: duration / 480 for _, duration, pitch, _ in song.parts[0]}
    assert lengths == {41: 0.5, 42: 0.25, 43: 0.25, 45: 0.5, 46: 0.5}  # cut by the clip, or by where it stops
    # In a lane of seconds the outer clip lies at 8 seconds, and its content is the same.
    clip = NESTED.replace('time="8" duration="10"', 'time="8" duration="5"')
    assert heard(project(lane(clip, unit=' timeUnit="seconds"'), automation=NESTED_TEMPO)) == first + again + third


def test_what_is_long_gone_of_a_loop_is_not_gone_through() -> None:
    inner = f'<Clip time="0" duration="999999" loopEnd="0.001"><Notes>{note(0, duration=0.0005)}</Notes></Clip>'
    song = project(lane(f'<Clip time="0" duration="0.01" playStart="900000"><Clips>{inner}</Clips></Clip>'))
    assert 9 <= len(song.parts[0]) <= 11


class Clip(NamedTuple):
    """A clip, with all times in quarters. unit: of its content; "" for that around it."""

    time: Fraction
    duration: Fraction | None
    play: Fraction
    stop: Fraction | None
    loop: tuple[Fraction, Fraction] | None
    unit: str
    content: list[Any]  # clips, or notes (time, pitch)

    def written(self, unit: str) -> str:
        def text(time: Fraction, unit: str) -> str:
            return f"{float(time / (2 if unit == 'seconds' else 1)):g}"  # 120 quarters a minute

        own = self.unit or unit
        words = f'time="{text(self.time, unit)}" playStart="{text(self.play, own)}"'
        words += f' duration="{text(self.duration, unit)}"' if self.duration is not None else ""
        words += f' playStop="{text(self.stop, own)}"' if self.stop is not None else ""
        words += f' loopStart="{text(self.loop[0], own)}" loopEnd="{text(self.loop[1], own)}"' if self.loop else ""
        words += f' contentTimeUnit="{self.unit}"' if self.unit else ""
        if self.content and isinstance(self.content[0], Clip):
            return f"<Clip {words}><Clips>{''.join(each.written(own) for each in self.content)}</Clips></Clip>"
        notes = "".join(note(text(time, own), pitch, 0.01) for time, pitch in self.content)
        return f"<Clip {words}><Notes>{notes}</Notes></Clip>"


def begin_at(content: list[Any], time: Fraction) -> list[int]:
    """The pitches that begin at a time of a content, worked out by following the time inwards, clip by clip."""
    if not (content and isinstance(content[0], Clip)):
        return [pitch for at, pitch in content if at == time]
    found = []
    for clip in content:
        whole = clip.duration if clip.duration is not None else None if clip.stop is None else clip.stop - clip.play
        inside = clip.play + time - clip.time
        if time < clip.time or (whole is not None and time >= clip.time + whole):
            continue
        if clip.loop and whole is not None and clip.loop[1] > max(clip.loop[0], clip.play):
            first, last = clip.loop
            inside = inside if inside < last else first + (inside - last) % (last - first)
        elif clip.stop is not None and inside >= clip.stop:
            continue
        found += begin_at(clip.content, inside)
    return found


PLACES = st.integers(0, 16).map(lambda at: Fraction(at, 4))
NOTES = st.lists(st.tuples(PLACES, st.integers(40, 50)), min_size=1, max_size=4)


def clips_around(content: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[list[Any]]:
    clip = st.builds(
        Clip,
        *(PLACES, st.none() | PLACES, PLACES, st.none() | PLACES, st.none() | st.tuples(PLACES, PLACES)),
        *(st.sampled_from(("", "beats", "seconds")), content),
    )
    return st.lists(clip, min_size=1, max_size=3)


@given(st.recursive(NOTES, clips_around, max_leaves=6).filter(lambda content: isinstance(content[0], Clip)))
@settings(max_examples=60, deadline=None)
def test_clips_nested_anyhow_play_what_following_the_time_inwards_finds(clips: list[Clip]) -> None:
    times = [Fraction(at, 4) for at in range(4 * 40)]
    expected = sorted((float(time), pitch) for time in times for pitch in begin_at(clips, time))
    lanes = lane("".join(clip.written("beats") for clip in clips))
    if expected:
        assert sorted(heard(project(lanes))) == expected
    else:
        with pytest.raises(NotationError, match="no notes"):
            project(lanes)


def test_a_clip_that_is_switched_off_is_not_heard() -> None:
    clips = f'<Clip time="0" duration="4">{FOUR}</Clip><Clip time="4" duration="4" enable="false">{FOUR}</Clip>'
    assert len(project(lane(clips)).parts[0]) == 4


def test_a_clip_without_a_length_plays_to_its_stop() -> None:
    notes = f"<Notes>{note(0, 60)}{note(1, 61)}{note(3, 63)}</Notes>"
    song = project(lane(f'<Clip time="4" playStart="1" playStop="3">{notes}</Clip>'))
    assert heard(song) == [(4, 61)]


TEMPO = (
    '<TempoAutomation unit="bpm" timeUnit="beats"><Target parameter="bpm"/>'
    '<RealPoint time="0" value="60"/><RealPoint time="4" value="120"/></TempoAutomation>'
)


def test_seconds_are_counted_by_the_tempos() -> None:
    clip = f'<Clip time="3" duration="5" contentTimeUnit="seconds"><Notes>{note(0)}{note(2, 65)}</Notes></Clip>'
    song = project(lane(clip, unit=' timeUnit="seconds"'), automation=TEMPO)
    assert heard(song) == [(3, 64), (6, 65)]  # four quarters of a second, then of half a second each
    inside = f'<Clip time="3" duration="9" contentTimeUnit="seconds"><Notes>{note(0)}{note(2, 65)}</Notes></Clip>'
    assert heard(project(lane(inside), automation=TEMPO)) == [(3, 64), (6, 65)]
    beats = f'<Clip time="3" duration="5" contentTimeUnit="beats"><Notes>{note(0)}{note(2, 65)}</Notes></Clip>'
    assert heard(project(lane(beats, unit=' timeUnit="seconds"'), automation=TEMPO)) == [(3, 64), (5, 65)]


def test_a_gradual_tempo_takes_a_step_each_quarter() -> None:
    automation = TEMPO.replace('value="60"', 'value="60" interpolation="linear"')
    song = project(lane(f'<Clip time="0" duration="8">{FOUR}</Clip>'), automation=automation)
    assert [(tempo.tick // 480, round(tempo.bpm)) for tempo in song.tempos] == [
        (0, 60),
        (1, 75),
        (2, 90),
        (3, 105),
        (4, 120),
    ]


def test_metres_and_markers_are_those_of_the_arrangement() -> None:
    automation = (
        '<Markers><Marker time="3.5" name="Chorus"/><Marker time="0" name="Verse"/><Marker time="1"/></Markers>'
        "<TimeSignatureAutomation><Target/>"
        '<TimeSignaturePoint time="3.5" numerator="4" denominator="4"/></TimeSignatureAutomation>'
    )
    transport = '<TimeSignature numerator="7" denominator="8"/>'
    song = project(lane(f'<Clip time="0" duration="8">{FOUR}</Clip>'), automation=automation, transport=transport)
    assert song.metres == (Metre(0, 7, 8), Metre(1680, 4, 4))
    assert song.markers == (Marker(0, "Verse"), Marker(1680, "Chorus"))
    assert song.tempos == (Tempo(0, 500_000),)


@pytest.mark.parametrize(
    ("track", "channel", "is_drums"),
    [
        ('<Track id="t" name="Lead"/>', 9, True),
        ('<Track id="t" name="My Drums"/>', 0, True),
        ('<Track id="t" name="Beat"><Channel><Devices>'
         '<BuiltinDevice deviceName="Drum Machine" deviceRole="instrument"/></Devices></Channel></Track>', 0, True),
        ('<Track id="t" name="Guitar in Drums"/>', 0, False),
        ('<Track id="g" name="Group"><Track id="t" name="Bass"/></Track>', 0, False),
    ],
)  # fmt: skip
def test_drums_are_known_by_channel_name_or_instrument(track: str, channel: int, is_drums: bool) -> None:
    notes = f"<Notes>{note(0, 36, channel=channel)}</Notes>"
    song = project(lane(f'<Clip time="0" duration="4">{notes}</Clip>'), tracks=track)
    assert [part.is_drums for part in song.parts] == [is_drums]


def test_tracks_are_parts_in_the_order_of_the_project_and_a_channel_is_a_part() -> None:
    two = f'<Clip time="0" duration="4"><Notes>{note(0, 40)}{note(1, 36, channel=9)}</Notes></Clip>'
    one = f'<Clip time="0" duration="4"><Notes>{note(0, 50)}</Notes></Clip>'
    tracks = '<Track id="a" name="Guitar"/><Track id="b" name="Bass"/><Track id="c" name="Empty"/>'
    song = project(lane(two, "b") + lane(one, "a") + lane(one, "lost"), tracks=tracks)
    assert [(part.name, part.is_drums) for part in song.parts] == [
        ("Guitar", False),
        ("Bass", False),
        ("Bass", True),
        ("", False),
    ]


def test_notes_beyond_midi_are_left_out_with_a_remark_and_recordings_without() -> None:
    audio = '<Clip time="0" duration="4"><Warps contentTimeUnit="seconds"><Audio/></Warps></Clip>'
    notes = f"<Notes>{note(0, 40)}{note(1, 200)}</Notes>"
    song = project(lane(f'{audio}<Clip time="0" duration="4">{notes}</Clip>'))
    assert heard(song) == [(0, 40)]
    assert song.remarks == ("1 notes beyond MIDI's range were left out",)


def clip(content: str, **more: object) -> str:
    attributes = "".join(f' {name}="{value}"' for name, value in ({"time": 0, "duration": 4} | more).items())
    return lane(f"<Clip{attributes}>{content}</Clip>")


LOOP = '<Clip time="0" duration="100000" loopStart="0" loopEnd="0.001">'


@pytest.mark.parametrize(
    ("lanes", "automation", "words"),
    [
        ("", "", "no notes in its arrangement"),
        (clip(FOUR, time="nan"), "", "the time of a Clip is 'nan'; wanted a number"),
        (clip(FOUR, time="1e300"), "", "the time of a Clip is '1e300'"),
        (clip(f"<Notes>{note('x')}</Notes>"), "", "the time of a Note is 'x'"),
        (clip(FOUR, duration=900_000), "", "lasts 900,000 quarters; at most"),
        (clip('<Notes id="n"/>') + clip("", reference="n"), "", "no notes"),
        (clip('<Clips id="c"><Clip time="0" reference="c"/></Clips>'), "", "contains itself"),
        (lane(f"{LOOP}{FOUR}</Clip>"), "", "clips with their loops"),
        (clip(FOUR), TEMPO.replace('"60"', '"0"'), "a tempo is 0 quarters a minute"),
        (clip(FOUR), TEMPO.replace('"60"', '"6e5"'), "a tempo is 600000 quarters a minute"),
        (clip(FOUR), TEMPO.replace('value="60"', 'value="60" interpolation="linear"').replace('"4"', '"900000"'),
         "changes of tempo"),
        (clip(FOUR), '<TimeSignatureAutomation><TimeSignaturePoint time="0" numerator="4.5" denominator="4"/>'
         "</TimeSignatureAutomation>", "a metre is 4.5/4"),
        (clip(FOUR), '<TimeSignatureAutomation><TimeSignaturePoint time="0" numerator="3" denominator="5"/>'
         "</TimeSignatureAutomation>", "a metre is 3/5"),
        ("<Lanes>" * 70 + "</Lanes>" * 70, "", "in one another"),
    ],
)  # fmt: skip
def test_what_contradicts_itself_is_refused_in_words(lanes: str, automation: str, words: str) -> None:
    with pytest.raises(NotationError, match=words.replace("(", r"\(")):
        project(lanes, automation=automation)


BOMB = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]><Project version="&b;"/>'


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (packed(BOMB), "declares its own XML entities"),
        (packed("<Project>"), "is damaged"),
        (packed("<Song/>"), "wanted <Project>"),
        (packed('<?xml version="1.0" encoding="klingon"?><Project/>'), "is damaged"),
        (packed(b"<Project>" + b" " * (PROJECT_LIMITS.text_bytes // 8)), "200 times its size"),
        (packed("<Project>" + "".join(f'<a n="{at * 7919}"/>' for at in range(PROJECT_LIMITS.elements))), "elements,"),
        (packed("<Project>" + "".join(f'<Track n="{at}"/>' for at in range(PROJECT_LIMITS.items))), "and points"),
    ],
)  # fmt: skip
def test_bombs_are_refused_before_they_go_off(data: bytes, words: str) -> None:
    with pytest.raises(NotationError, match=words):
        open_song(data)


def test_a_zip_without_a_project_is_none(tmp_path: Path) -> None:
    path, data = tmp_path / "song.dawproject", io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("readme.txt", "hello")
    path.write_bytes(data.getvalue())
    with pytest.raises(NotationError, match=r"no project\.xml in it; wanted a DAWproject"):
        open_song(path)


def test_damaged_projects_are_songs_or_one_line() -> None:
    text = files_of(write_dawproject(strummed(6, METRES[1]), [replace(DRUMS, pedal=np.array([[0, 9]]))]))["project.xml"]
    loops = clip(FOUR, duration=64, playStart=1, loopStart=0, loopEnd=4, contentTimeUnit="seconds")
    other = f"<Project><Arrangement><Lanes>{loops}{clip(FOUR, time=9)}</Lanes>{TEMPO}</Arrangement></Project>".encode()
    chance, whole = random.Random(5), packed(text)
    for number in range(5_000 if LONG else 300):
        given_text = (text, other)[number % 2]
        damage = mutant if chance.random() < 0.3 else reworded
        data = mutant(whole, chance) if number % 7 == 0 else packed(damage(given_text, chance))
        try:
            song = open_song(data).song
        except Seq2DrumError as error:
            assert "\n" not in str(error)
        else:
            assert all(part.pitch.max(initial=0) <= 127 for part in song.parts)


# --- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"))


@pytest.fixture
def run(player: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def run(*arguments: object) -> tuple[int, str, str]:
        return called(["--mode", "infer", *map(str, arguments), "--model", str(player)], capsys)

    return run


def test_a_project_is_written_beside_the_drums_and_played_to_again(run: Run, player: Path, tmp_path: Path) -> None:
    song, target = tmp_path / "a.mid", tmp_path / "a.dawproject"
    song.write_bytes(midi.serialise(strummed(metres=(Metre(0, 7, 8),), ticks_per_quarter=960)))
    assert run(song, "--dawproject", target)[0] == 0
    take = Drummer.load(player).accompany(song)
    assert target.read_bytes() == write_dawproject(replace(take.song, markers=take.markers), [take.part], "a")
    assert run(target, "-o", tmp_path / "again.mid")[0] == 0
    again, drums = midi.read(tmp_path / "again.mid"), midi.read(song.with_name("a.drums.mid"))
    assert [bar.length / 960 for bar in drums.bars()] == [bar.length / again.ticks_per_quarter for bar in again.bars()]


def test_a_split_take_with_a_count_in_and_a_click_has_a_track_for_each(run: Run, tmp_path: Path) -> None:
    song, target = tmp_path / "a.mid", tmp_path / "a.dawproject"
    song.write_bytes(midi.serialise(strummed()))
    assert run(song, "--count-in", 1, "--click", "--split", "--dawproject", target)[0] == 0
    back = open_song(target).song
    names = [part.name for part in back.parts]
    assert names[0] == "Guitar" and names[-1] == "Click" and "Snare" in names
    assert back.markers[0].text == "Count-in"
    assert back.parts[0].onset[0] == 4 * back.ticks_per_quarter
