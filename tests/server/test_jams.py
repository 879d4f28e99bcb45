"""Jams over the wire: what is gathered before it is heard, what a drummer makes of it, and what is refused."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seq2drum.music.limits import DEFAULT_LIMITS
from seq2drum.music.notes import Metre, Song, Tempo
from seq2drum.play.decode import engine
from seq2drum.play.decode.engine import Engine
from seq2drum.play.jam.guitarist import jammed, strikes
from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb
from server import sessions
from server.jamming import JamRunner
from server.sessions import MOST_PER_QUARTER, SILENT_SECONDS, JamInbox
from server.settings import Settings
from server.statuses import Refusal, reason_of
from tests.players import save_player, strummed
from tests.servers import END, Served, field, refused_stream, served, until
from tests.servers import settings as set_up

BARS = 5
FIRST = pb.JamRequest(config=pb.JamConfig())


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return engine.load(save_player(tmp_path_factory.mktemp("player"), "transformer"))


def jamming(player: Engine) -> JamRunner:
    infos = [pb.ModelInfo(id="default"), pb.ModelInfo(id="live", live=True)]
    return JamRunner({"live": player}, infos, DEFAULT_LIMITS)


def note(quarter: float, pitch: int = 52, velocity: int = 90) -> pb.JamNote:
    return pb.JamNote(quarter=quarter, pitch=pitch, velocity=velocity)


def notes_of(song: Song) -> list[pb.JamNote]:
    return [note(*strike) for strike in strikes(song.parts, song.ticks_per_quarter)]


def heard(player: Engine, requests: Sequence[pb.JamRequest]) -> list[pb.JamResponse]:
    """All that comes of some messages, gathered as the front gathers them."""
    worker, told, point, answers = jamming(player), JamInbox(0.0), -math.inf, list[pb.JamResponse]()
    for request in requests:
        told.add(request, 0.0)
        if told.until < point:
            continue
        for frame in worker.advance(1, 7, told.take()):
            assert frame is not None
            if frame.head["what"] == "done":
                point = math.inf if frame.head["point"] is None else frame.head["point"]
            else:
                answers.append(pb.JamResponse.FromString(frame.body))
    return answers


def against(body: Callable[[Served], Awaitable[None]], chosen: Settings | None = None) -> None:
    async def run() -> None:
        async with served(chosen) as server:
            await body(server)

    asyncio.run(run())


# --- the same, whatever the pieces ------------------------------------------------------------------------------------


@settings(max_examples=8)
@given(st.lists(st.floats(-0.75, 4.0 * BARS - 2), max_size=10), st.booleans())
def test_a_jam_is_the_same_whatever_the_pieces_in_which_it_is_told(
    player: Engine, cuts: list[float], marks: bool
) -> None:
    song, config = strummed(BARS), pb.JamConfig(config=pb.GenerationConfig(seed=3))
    notes, signs = notes_of(song), [pb.JamSign(quarter=9.0, fill=True), pb.JamSign(quarter=13.5, intensity=0.9)]
    whole = heard(player, [pb.JamRequest(config=config, notes=notes, signs=signs, until=4.0 * BARS)])
    pieces, begin = [pb.JamRequest(config=config)], -1.0
    for end in [*sorted(cuts), 4.0 * BARS]:
        own: list[Any] = [[one for one in some if begin <= one.quarter < end] for some in (notes, signs)]
        last = end == 4.0 * BARS
        pieces.append(pb.JamRequest(notes=own[0], signs=own[1], until=end if marks or last else None))
        begin = end
    pieces[-1].notes.extend(one for one in notes if one.quarter >= 4.0 * BARS)
    pieces[-1].until = 4.0 * BARS + 1
    whole = heard(player, [pb.JamRequest(config=config, notes=notes, signs=signs, until=4.0 * BARS + 1)])
    assert heard(player, pieces) == whole
    assert [answer.bar.bar for answer in whole[1:]] == list(range(1, BARS + 2))


def test_a_jam_is_that_of_the_command_line_with_the_same_guitar(player: Engine) -> None:
    song = strummed(BARS, [Metre(0, 3, 4)])
    song = Song(song.ticks_per_quarter, song.parts, (Tempo(0, 400_000),), song.metres, song.length)
    take = jammed(player, song, Options(seed=5, style="rock"))
    quarter, last = song.ticks_per_quarter, take.song.bars()[-1]
    request = pb.JamRequest(
        config=pb.JamConfig(
            config=pb.GenerationConfig(seed=5, style="rock"),
            tempos=[pb.TempoChange(quarter=0, bpm=150)],
            meters=[pb.MeterChange(quarter=0, numerator=3, denominator=4)],
            program=song.parts[0].program,
        ),
        notes=notes_of(song),
        signs=[pb.JamSign(quarter=(last.start - last.length) / quarter, stop=True)],
        until=max(last.start, song.end) / quarter,
    )
    begun, *bars = heard(player, [request])
    hits = [(hit.tick, hit.length_ticks, hit.note, hit.velocity) for bar in bars for hit in bar.bar.hits]
    assert sorted(hits) == sorted(tuple(row) for row in take.part)
    assert begun.begun.model.id == "live" and begun.begun.effective_config.seed == 5
    assert bars[-1].bar.last and bars[0].bar.bpm == pytest.approx(150)


def test_a_bar_says_where_it_is_and_when_it_was_decided(player: Engine) -> None:
    request = pb.JamRequest(config=pb.JamConfig(config=pb.GenerationConfig(count_in=2)), until=-0.5)
    begun, bar = heard(player, [request])
    assert [hit.quarter for hit in begun.begun.count_in] == [-8.0 + beat for beat in range(8)]
    assert (bar.bar.bar, bar.bar.quarter, bar.bar.quarters, bar.bar.beats, bar.bar.decided) == (1, 0, 4, 4, -0.5)
    assert bar.bar.hits and bar.bar.section == "A" and bar.bar.groove.section == "A" and bar.bar.groove.title


@pytest.mark.parametrize(
    ("config", "field", "said"),
    [
        ({"config": {"model": "default"}}, "config.model", "cannot play along; wanted live"),
        ({"config": {"model": "none"}}, "config.model", "no model 'none'"),
        ({"config": {"takes": 2}}, "config.takes", "does not apply to a jam"),
        ({"config": {"prime_bars": 2}}, "config.prime_bars", "does not apply to a jam"),
        ({"config": {"groove": [{"midi": b"MThd"}]}}, "config.groove", "grooves by name"),
        ({"config": {"count_in": 9}}, "config.count_in", "count-in is 9, wanted 0 to 8 bars"),
        ({"config": {"intensity": 2}}, "config.intensity", "intensity"),
        ({"tempos": [{"quarter": 0, "bpm": 1e9}]}, "config.tempos", "the tempo is"),
        ({"tempos": [{"quarter": math.nan, "bpm": 100}]}, "config.tempos", "not in order"),
        ({"meters": [{"quarter": 0, "numerator": 4, "denominator": 5}]}, "config.meters", "4/5"),
        ({"meters": [{"quarter": 4, "numerator": 3, "denominator": 4}] * 2000}, "config.meters", "2000 meters"),
        ({"ticks_per_quarter": 1}, "config.ticks_per_quarter", "wanted 24"),
        ({"program": 128}, "config.program", "wanted 0 to 127"),
    ],
)
def test_what_makes_no_sense_in_a_jam_is_refused_with_its_field(
    player: Engine, config: dict[str, Any], field: str, said: str
) -> None:
    with pytest.raises(Refusal, match=said) as refused:
        heard(player, [pb.JamRequest(config=pb.JamConfig(**config))])
    assert refused.value.field == field


@pytest.mark.parametrize(
    ("sign", "said"),
    [({}, "is empty"), ({"bpm": 1000}, "tempo"), ({"intensity": -1}, "intensity"), ({"section": "A" * 65}, "65")],
)
def test_a_sign_that_makes_no_sense_is_refused(player: Engine, sign: dict[str, Any], said: str) -> None:
    with pytest.raises(Refusal, match=said):
        heard(player, [pb.JamRequest(config=pb.JamConfig(), signs=[pb.JamSign(quarter=1, **sign)])])


def test_a_server_without_a_model_that_plays_along_says_so() -> None:
    worker = JamRunner({}, [pb.ModelInfo(id="default")], DEFAULT_LIMITS)
    with pytest.raises(Refusal, match="serve one that can, such as live=live"):
        next(worker.advance(1, 1, FIRST.SerializeToString()))


# --- what is told -----------------------------------------------------------------------------------------------------


def test_a_late_note_is_told_as_of_now_and_a_flood_is_cut_off() -> None:
    told = JamInbox(0.0)
    told.add(pb.JamRequest(notes=[note(1.0)], until=3.0), 0.0)
    told.add(pb.JamRequest(notes=[note(2.0), note(3.5)]), 0.0)
    handed = pb.JamRequest.FromString(told.take())
    assert [one.quarter for one in handed.notes] == [1.0, 3.0, 3.5] and handed.until == 3.5
    for _ in range(3):
        told.add(pb.JamRequest(notes=[note(4.0)] * (MOST_PER_QUARTER - 1)), 0.0)
    assert len(pb.JamRequest.FromString(told.take()).notes) == MOST_PER_QUARTER


@pytest.mark.parametrize(
    ("request_", "at"),
    [
        (pb.JamRequest(notes=[note(0.0)] * 1001), "notes"),
        (pb.JamRequest(notes=[note(math.nan)]), "notes"),
        (pb.JamRequest(notes=[note(0, pitch=128)]), "notes"),
        (pb.JamRequest(signs=[pb.JamSign(quarter=math.inf, fill=True)]), "notes"),
        (pb.JamRequest(until=257.0), "until"),
        (pb.JamRequest(until=math.nan), "until"),
        (pb.JamRequest(notes=[note(5.0)], until=4.0), "until"),
    ],
)
def test_what_cannot_be_told_is_refused(request_: pb.JamRequest, at: str) -> None:
    with pytest.raises(Refusal) as refused:
        JamInbox(0.0).add(request_, 0.0)
    assert (refused.value.reason, refused.value.field) == ("INVALID_OPTION", at)


def test_a_jam_in_which_nobody_plays_is_ended() -> None:
    told = JamInbox(0.0)
    told.add(pb.JamRequest(notes=[note(0.0)], until=0.0), 10.0)
    told.add(pb.JamRequest(until=100.0), 10.0 + SILENT_SECONDS)
    with pytest.raises(Refusal, match="300 s") as refused:
        told.add(pb.JamRequest(until=200.0), 10.1 + SILENT_SECONDS)
    assert refused.value.reason == "JAM_SILENT"


# --- by gRPC ----------------------------------------------------------------------------------------------------------


def test_bars_come_as_they_are_due_and_the_stream_ends_with_the_last() -> None:
    async def body(server: Served) -> None:
        call = server.stub.Jam()
        await call.write(pb.JamRequest(config=pb.JamConfig(request_id="mine"), until=-0.5))
        assert (await call.read()).begun.request_id == "mine"
        assert (await call.read()).bar.bar == 1
        for quarter in (1.0, 2.0, 3.5):
            await call.write(pb.JamRequest(notes=[note(quarter)]))
        assert (await call.read()).bar.bar == 2
        assert [len(asked.notes) for asked in server.players.told] == [0, 3]
        await until(lambda: not server.front.admission.playing)  # who waits for the caller has no turn
        await call.write(pb.JamRequest(signs=[pb.JamSign(quarter=4, stop=True)], until=7.5))
        assert (await call.read()).bar.last
        assert await call.read() is END
        await until(server.over)
        assert server.metrics.value("bars_total") == 3

    against(body)


@pytest.mark.parametrize(
    ("sent", "reason", "at"),
    [
        ([], "WRONG_MESSAGE_ORDER", None),
        ([pb.JamRequest(until=1.0)], "WRONG_MESSAGE_ORDER", None),
        ([FIRST, FIRST], "WRONG_MESSAGE_ORDER", None),
        ([pb.JamRequest(config=pb.JamConfig(request_id="a b"))], "INVALID_REQUEST_ID", "request_id"),
        ([FIRST, pb.JamRequest(until=1e9)], "INVALID_OPTION", "until"),
    ],
)
def test_a_jam_has_its_bounds(sent: list[Any], reason: str, at: str | None) -> None:
    async def body(server: Served) -> None:
        status = await refused_stream(server, sent, "Jam")
        assert reason_of(status) == reason and (at is None or field(status) == at)

    against(body)


def test_who_tells_nothing_more_is_sent_away_and_who_leaves_is_forgotten() -> None:
    async def body(server: Served) -> None:
        call = server.stub.Jam()
        await call.write(FIRST)
        await call.read()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await call.read()
        assert error.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED and "for 0.5 s" in str(error.value.details())
        await until(server.over)
        call = server.stub.Jam()
        await call.write(FIRST)
        await call.read()
        call.cancel()
        await until(lambda: not server.players.jams)
        await until(server.over)

    against(body, set_up(idle_seconds=0.5))


def test_there_is_room_for_so_many_jams_and_none_for_one_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "JAMS_PER_PLAYER", 1)

    async def body(server: Served) -> None:
        call = server.stub.Jam()
        await call.write(FIRST)
        await call.read()
        assert reason_of(await refused_stream(server, [FIRST], "Jam")) == "QUEUE_FULL"
        await call.done_writing()
        await until(server.over)
        call = server.stub.Jam()
        await call.write(FIRST)
        assert (await call.read()).begun.request_id
        call.cancel()

    against(body, set_up(engines=1))


def test_a_bar_that_finds_no_turn_comes_with_the_next_message() -> None:
    async def body(server: Served) -> None:
        call = server.stub.Jam()
        await call.write(FIRST)
        await call.read()
        server.players.go.clear()
        waits = asyncio.ensure_future(server.generate())
        await until(lambda: server.front.admission.playing == 1)
        await call.write(pb.JamRequest(until=0.0))
        await until(lambda: server.front.admission.waiting == 1)
        await until(lambda: server.front.admission.waiting == 0)  # for as long as it may
        server.players.go.set()
        await waits
        await call.write(pb.JamRequest(until=0.1))
        assert (await call.read()).bar.bar == 1
        call.cancel()

    against(body, set_up(playing=1, queue_seconds=1.0))


def test_models_of_the_package_say_whether_they_play_along() -> None:
    from seq2drum.play.checkpoint.folder import find
    from server.convert import model_info

    assert [model_info(name, Path(find(name))).live for name in ("default", "live")] == [False, True]
