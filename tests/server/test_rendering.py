"""Files of guitar and drums that the service makes: the bytes of the command line, also of drums that were edited."""

from __future__ import annotations

import asyncio
import io
import sys
import zipfile
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import psutil
import pytest

import server.parser_pool
from seq2drum.errors import InputError
from seq2drum.formats.midi import midi
from seq2drum.formats.opening import open_song
from seq2drum.formats.score import musicxml
from seq2drum.music import drum_maps
from seq2drum.music.duet import redrummed
from seq2drum.music.kit import FULL
from seq2drum.music.limits import DEFAULT_LIMITS
from seq2drum.music.notes import Metre, Note, Part, Song
from seq2drum.music.song_plan import PlannedSection
from seq2drum.music.theory import choose_parts
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options
from seq2drum.play.session import Session
from seq2drum.play.take import TRACK_NAME, Take
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.show import draw, fluidsynth, sound
from server import convert, parser, rendering, requests
from server.ipc import Frame
from server.parser_pool import RenderPool
from server.statuses import Refusal, StatusError
from tests.conftest import ROOT
from tests.servers import settings, until

GUITAR = Part.of([Note(240 * at, 240, 40 + at % 12, 80) for at in range(64)], program=27, name="Guitar")
SONG = Song(480, (GUITAR,), length=8 * 1920)
HITS = [(480 * at, "kick" if at % 2 == 0 else "snare", 100) for at in range(32)]


def struck(hits: list[tuple[int, str, int]] = HITS) -> Part:
    notes = [Note(tick, 60, int(FULL.note_of[FULL.names.index(piece)]), velocity) for tick, piece, velocity in hits]
    return Part.of(notes, name=TRACK_NAME, is_drums=True)


def take(song: Song = SONG, drum_map: str = "gm") -> Take:
    part = drum_maps.load(drum_map).apply(struck())
    return Take(song, part, choose_parts(song, None), Options(drum_map=drum_map), midi.serialise(song))


def rendered(format: pb.RenderFormat.ValueType, **given: Any) -> bytes:
    request = pb.RenderRequest(**{"midi": midi.serialise(SONG), "format": format, **given})
    return rendering.render(request.SerializeToString(), DEFAULT_LIMITS, 2000)


def placed(hits: list[tuple[int, str, int]] = HITS) -> pb.PlacedHits:
    return pb.PlacedHits(hits=[pb.PlacedHit(tick=tick, piece=piece, velocity=how) for tick, piece, how in hits])


def refused(field: str, **given: Any) -> str:
    with pytest.raises(Refusal) as refusal:
        rendered(given.pop("format", pb.RENDER_FORMAT_MIDI), **given)
    assert refusal.value.field == field
    return str(refusal.value)


@pytest.mark.parametrize("drum_map", drum_maps.names()[:2])
@pytest.mark.parametrize("session", [Session(), Session(2, True, True, True)])
def test_the_drums_of_a_take_are_written_as_the_take_writes_them(drum_map: str, session: Session) -> None:
    one = take(drum_map=drum_map)
    wanted = pb.GenerationConfig(
        drum_map=drum_map,
        count_in=session.count_in,
        click=session.click,
        split=session.split,
        tail=session.tail,
        seed=7,
        temperature=0.3,
    )
    given = {"drums": one.to_bytes(), "config": wanted}
    named = replace(one, sections=Guitar(SONG, one.guitar).markers)
    assert midi.parse(rendered(pb.RENDER_FORMAT_MIDI, **given)).parts == midi.parse(one.to_bytes(session=session)).parts
    assert rendered(pb.RENDER_FORMAT_MIDI, **given) == named.to_bytes(session=session)
    both = rendered(pb.RENDER_FORMAT_MIDI_WITH_GUITAR, **given)
    assert both == named.to_bytes(with_guitar=True, session=session)


def test_hits_by_their_pieces_become_the_notes_of_the_sampler() -> None:
    for name in ("gm", *drum_maps.names()[-3:]):
        drum_map = drum_maps.load(name)
        data = rendered(pb.RENDER_FORMAT_MIDI, hits=placed(), config=pb.GenerationConfig(drum_map=name))
        (part,) = midi.parse(data).parts
        assert part.onset.tolist() == struck().onset.tolist()
        assert part.pitch.tolist() == drum_map.apply(struck()).pitch.tolist()


@pytest.mark.slow
def test_a_picture_and_a_score_are_those_of_the_duet() -> None:
    config = pb.GenerationConfig()
    drums = take().to_bytes()
    picture = rendered(pb.RENDER_FORMAT_PICTURE, drums=drums, config=config, title="Riff")
    assert picture == draw.picture(take().duet, "png", title="Riff")
    score = rendered(pb.RENDER_FORMAT_MUSICXML, drums=drums, title="Riff")
    assert score == musicxml.write_score(SONG, take().standard_part, "Riff")
    assert rendered(pb.RENDER_FORMAT_RPP, drums=drums).startswith(b"<REAPER_PROJECT")
    project = open_song(rendered(pb.RENDER_FORMAT_DAWPROJECT, drums=drums, title="Riff")).song
    assert [part.is_drums for part in project.parts] == [False, True]


@pytest.mark.slow
def test_the_plan_is_drawn_under_the_picture_behind_the_count_in_and_is_no_longer_than_the_song() -> None:
    row = PlannedSection(1, 8, "A", 3, "ride", 1.2, 1.0)
    one = replace(take(), plan=(row,))
    for count_in in (0, 2):
        config = pb.GenerationConfig(plan=[convert.planned_section(row)], count_in=count_in)
        made = rendered(pb.RENDER_FORMAT_PICTURE, drums=one.to_bytes(), config=config, title="blues")
        counted = one.behind(count_in)
        assert made == draw.picture(counted.duet, "png", title="blues", plan=counted.plan)
        assert made != draw.picture(counted.duet, "png", title="blues")
    config = pb.GenerationConfig(plan=[convert.planned_section(row._replace(last=9))])
    said = refused("config.plan", drums=one.to_bytes(), config=config)
    assert said == "the plan ends in bar 9, but the song has 8; give the plan of this song"


def test_sound_is_that_of_the_duet_and_stems_are_in_a_zip_file() -> None:
    try:
        fluidsynth.find()
    except Exception as error:
        pytest.skip(str(error))
    drums = take().to_bytes()
    assert rendered(pb.RENDER_FORMAT_WAV, drums=drums) == sound.wav(take().duet)
    with zipfile.ZipFile(io.BytesIO(rendered(pb.RENDER_FORMAT_STEMS, drums=drums))) as archive:
        assert sorted(archive.namelist()) == ["guitar.wav", "kick.wav", "mix.wav", "snare.wav"]
        sums = {name: np.frombuffer(archive.read(name)[44:], "<i2") for name in archive.namelist()}
    apart = sum(one.astype(np.int64) for name, one in sums.items() if name != "mix.wav")
    assert np.abs(apart - sums["mix.wav"]).max() <= 4  # each is rounded by itself


def test_drums_alone_are_a_file_and_a_beat_gets_the_hits_that_were_clicked() -> None:
    beat = midi.serialise(Song(480, (struck(),), length=8 * 1920))
    alone = midi.parse(rendered(pb.RENDER_FORMAT_MIDI, midi=b"", drums=beat))
    assert alone.parts[0].rows.tolist() == struck().rows.tolist() and len(alone.bars()) == 8
    clicked = midi.parse(rendered(pb.RENDER_FORMAT_MIDI, midi=beat, hits=placed(HITS[:3])))
    assert clicked.parts[0].onset.tolist() == [0, 480, 960] and len(clicked.bars()) == 8


@pytest.mark.parametrize(
    ("field", "given", "words"),
    [
        ("drums", {}, "there are no drums"),
        ("drums", {"drums": b"MThd"}, "the drums: "),
        ("drums", {"drums": midi.serialise(SONG)}, "none on the drum channel"),
        ("hits", {"hits": placed([(0, "gong", 9)])}, "there is no piece 'gong'; there are kick"),
        ("hits", {"hits": placed([(0, "kick", 0)])}, "a velocity is 0, wanted 1 to 127"),
        ("hits", {"hits": placed([(15360, "kick", 9)])}, "at tick 15,360, wanted below 15,360"),
        ("hits", {"hits": placed([(0, "kick", 9)] * 50_001)}, "50,001 hits, wanted at most 50,000"),
        ("midi", {"midi": b"", "hits": placed()}, "neither a guitar nor a file with drums"),
        ("format", {"format": pb.RENDER_FORMAT_UNSPECIFIED, "hits": placed()}, "the format is missing"),
        ("config.count_in", {"hits": placed(), "config": pb.GenerationConfig(count_in=9)}, "count-in"),
    ],
)
def test_what_cannot_be_made_is_refused_with_the_field(field: str, given: dict[str, Any], words: str) -> None:
    assert words in refused(field, **given)


@pytest.mark.parametrize("format", pb.RenderFormat.values()[1:])
def test_every_format_can_be_made_if_there_are_drums(format: pb.RenderFormat.ValueType) -> None:
    assert "there are no drums" in refused("drums", format=format)


def test_sound_that_is_too_long_is_refused_before_it_is_made() -> None:
    song = replace(SONG, length=3000 * 960)
    hits = placed([(0, "kick", 99), (2999 * 960, "kick", 99)])
    words = refused("format", midi=midi.serialise(song), hits=hits, format=pb.RENDER_FORMAT_WAV)
    assert "at most 15:00" in words or "FluidSynth" in words


def test_a_file_is_named_after_its_title_and_its_format() -> None:
    for title, name in (
        ("My riff", "My riff.wav"),
        ("", "drums.wav"),
        ("../../etc/x", "_.._etc_x.wav"),
        ("Ö\n", "Ö_.wav"),
    ):
        assert requests.render_target(pb.RenderRequest(format=pb.RENDER_FORMAT_WAV, title=title)).name == name
    assert requests.render_target(pb.RenderRequest(format=pb.RENDER_FORMAT_MIDI)).name == "drums.mid"
    assert requests.render_target(pb.RenderRequest(format=pb.RENDER_FORMAT_MIDI, title="Riff")).name == "Riff.drums.mid"
    every = {requests.render_target(pb.RenderRequest(format=value)).name for value in pb.RenderFormat.values()[1:]}
    assert len(every) == len(pb.RenderFormat.values()) - 1
    with pytest.raises(Refusal, match="wanted at most 100"):
        requests.render_target(pb.RenderRequest(format=pb.RENDER_FORMAT_WAV, title="x" * 101))


def test_a_worker_answers_for_a_file_as_it_does_for_reading() -> None:
    rules = parser.RequestRules(DEFAULT_LIMITS, 2000, 8, ("default",), "default")
    request = pb.RenderRequest(midi=midi.serialise(SONG), hits=placed(), format=pb.RENDER_FORMAT_MIDI)
    good = parser.answer(Frame({"what": "render", "job": 1}, request.SerializeToString()), rules)
    assert good.head["what"] == "done" and good.body.startswith(b"MThd")
    bad = parser.answer(Frame({"what": "render", "job": 2}, b"\xff"), rules)
    assert bad.head["what"] == "failed"


@pytest.mark.slow
def test_the_process_that_makes_files_starts_when_it_is_asked_and_another_takes_its_place() -> None:
    request = pb.RenderRequest(midi=midi.serialise(SONG), hits=placed(), format=pb.RENDER_FORMAT_MIDI)

    async def body() -> None:
        before = set(psutil.Process().children())
        renders = RenderPool(settings())
        started = lambda: [one for one in psutil.Process().children() if one not in before]  # noqa: E731
        try:
            assert not started()
            made = await renders.render(request.SerializeToString(), 60)
            assert made[0].startswith(b"MThd")
            (worker,) = started()
            worker.kill()
            await until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
            assert await renders.render(request.SerializeToString(), 60) == made
            with pytest.raises(StatusError):
                await renders.render(pb.RenderRequest().SerializeToString(), 60)
        finally:
            await renders.stop()
        assert not started()

    asyncio.run(body())


@pytest.mark.slow
def test_a_process_that_cannot_be_started_is_tried_again_by_the_next_call(monkeypatch: pytest.MonkeyPatch) -> None:
    request = pb.RenderRequest(midi=midi.serialise(SONG), hits=placed(), format=pb.RENDER_FORMAT_MIDI)

    async def body() -> None:
        renders = RenderPool(settings())
        try:
            with monkeypatch.context() as broken:
                dies = (sys.executable, "-c", "raise SystemExit(3)")
                broken.setattr(server.parser_pool, "ParserPool", partial(server.parser_pool.ParserPool, command=dies))
                with pytest.raises(Refusal) as refusal:
                    await renders.render(request.SerializeToString(), 60)
                assert refusal.value.reason == "WORKER_DIED"
            assert (await renders.render(request.SerializeToString(), 60))[0].startswith(b"MThd")
        finally:
            await renders.stop()

    asyncio.run(body())


# --- a song's music, and drums that stay ------------------------------------------------------------------------------


def test_the_notes_bars_and_sections_of_a_song_are_given_where_they_are_asked_for() -> None:
    rules = parser.RequestRules(DEFAULT_LIMITS, 2000, 8, ("default",), "default")
    data = (ROOT / "examples" / "rock_riff.mid").read_bytes()
    song = midi.parse(data)
    body = pb.GenerateDrumsRequest(midi=data).SerializeToString()
    plain = parser.analyze(body, rules)
    assert not plain.notes and not plain.bars and not plain.sections
    music = parser.analyze(body, rules, music=True)
    parts = [song.parts[index] for index in choose_parts(song, None).parts]
    assert len(music.notes) == sum(map(len, parts))
    assert [note.quarter for note in music.notes] == sorted(note.quarter for note in music.notes)
    assert [(bar.number, bar.quarter, bar.quarters, bar.beats) for bar in music.bars] == [
        (at + 1, 4.0 * at, 4.0, 4) for at in range(32)
    ]
    assert [section.name for section in music.sections] == ["A", "B", "A", "B"]
    assert [(section.first_bar, section.last_bar) for section in music.sections] == [
        (1, 8),
        (9, 16),
        (17, 24),
        (25, 32),
    ]


def test_bars_of_other_metres_have_their_own_lengths_and_beats() -> None:
    rules = parser.RequestRules(DEFAULT_LIMITS, 2000, 8, ("default",), "default")
    song = replace(SONG, metres=(Metre(0, 7, 8), Metre(7 * 240, 3, 4)))
    music = parser.analyze(pb.GenerateDrumsRequest(midi=midi.serialise(song)).SerializeToString(), rules, music=True)
    assert [(bar.quarter, bar.quarters, bar.beats) for bar in music.bars][:3] == [(0, 3.5, 7), (3.5, 3, 3), (6.5, 3, 3)]


def test_other_drums_take_the_place_of_a_songs_own_and_its_parts_keep_their_numbers() -> None:
    own = Part.of([Note(0, 60, 49, 90)], name="Old", is_drums=True)
    song = Song(480, (own, GUITAR), length=8 * 1920)
    longer = struck([*HITS, (8 * 1920 + 10, "kick", 90)])
    drums = Song(960, (replace(longer, onset=longer.onset * 2, duration=longer.duration * 2),))
    merged = redrummed(song, drums)
    assert not len(merged.parts[0]) and merged.parts[1] == GUITAR and merged.parts[0].is_drums
    assert merged.parts[2].rows.tolist() == struck().rows.tolist() and merged.end == song.end
    with pytest.raises(InputError, match="wanted notes on the drum channel"):
        redrummed(song, Song(480, (GUITAR,)))


def test_drums_that_cannot_stay_are_refused_by_the_reader() -> None:
    rules = parser.RequestRules(DEFAULT_LIMITS, 2000, 8, ("default",), "default")
    request = pb.GenerateDrumsRequest(midi=midi.serialise(SONG), drums=b"no MIDI")
    request.config.bars.first_bar, request.config.bars.last_bar = 2, 3
    with pytest.raises(Refusal) as refusal:
        parser.analyze(request.SerializeToString(), rules)
    assert refusal.value.field == "drums"
    request.drums = take().to_bytes()
    assert parser.analyze(request.SerializeToString(), rules).timeline.bars == 8
