"""Teaching over the wire: songs are heard, a drummer is made and plays; none is lost, and nothing else is written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from client import AsyncRemoteDrummer, RemoteDrummer
from seq2drum import Drummer, Options
from seq2drum.errors import CheckpointError, InputError, OptionError, UnknownModelError
from seq2drum.music.limits import DEFAULT_LIMITS
from seq2drum.play.checkpoint.folder import CONFIG
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc import accompaniment_pb2_grpc as rpc
from server import convert, learning, parser, taught, teaching
from server.ipc import Frame
from server.parser import RequestRules, answer
from server.settings import Settings
from server.statuses import Refusal, StatusError, reason_of
from server.taught import TaughtDrummers, bases_of
from tests.conftest import ROOT
from tests.servers import Served, field, process, refused, refused_stream, served
from tests.servers import settings as set_up

TRAINING = ROOT / "examples" / "training"
BAND = ("funk_1", "funk_2", "rock_riff_1")
SONG = (ROOT / "examples" / "funk.mid").read_bytes()
DEFAULT = pb.ModelInfo(id="default", description="a drummer")


def song(name: str, file: str = "") -> pb.BandSong:
    return pb.BandSong(name=file or f"{name}.mid", data=(TRAINING / f"{name}.mid").read_bytes())


class Learner:
    """Learns in this process as a worker would, and lists as a player would."""

    def __init__(self, chosen: Settings) -> None:
        self.rules = RequestRules(chosen.limits, 2000, 8, tuple(chosen.models), "default", chosen.drummers)
        self.late: set[bytes] = set()

    async def learn(self, what: str, body: bytes, seconds: float, most: float | None = None) -> bytes:
        if what == "hear" and any(mark in body for mark in self.late):
            raise Refusal("MIDI_TOO_COMPLEX", "it took too long", field="midi")
        frame = await asyncio.to_thread(answer, Frame({"what": what, "job": 1}, body), self.rules)
        if frame.head["what"] == "failed":
            raise StatusError(frame_status(frame))
        return frame.body

    async def listed(self) -> bytes:
        drummers = TaughtDrummers(self.rules.drummers, bases_of({"default": "default"}))
        infos = [convert.taught_info(name, drummers.find(name).band, DEFAULT, is_live=True) for name in drummers.ids()]
        return pb.ListModelsResponse(models=[DEFAULT, *infos], default_model="default").SerializeToString()


def frame_status(frame: Frame) -> Any:
    from google.rpc import status_pb2

    return status_pb2.Status.FromString(frame.body)


def against(body: Callable[[Served, Learner], Awaitable[None]], place: str, **given: Any) -> None:
    async def run() -> None:
        chosen = set_up(drummers=place, **given)
        async with served(chosen) as server:
            learner: Any = Learner(chosen)
            server.parsers.learn = learner.learn  # type: ignore[method-assign]
            server.players.listed = learner.listed  # type: ignore[method-assign]
            await body(server, learner)

    asyncio.run(run())


@pytest.fixture
def place(tmp_path: Path) -> str:
    return str(tmp_path / "data" / "drummers")


def pieces(songs: Sequence[pb.BandSong], name: str = "", chunk: int = 0) -> Iterator[pb.TeachDrummerRequest]:
    """The messages of a call. chunk: bytes of each piece of a song; 0: whole ones."""
    for one in songs:
        first = one.data[:chunk] if chunk else one.data
        yield pb.TeachDrummerRequest(song=pb.BandSong(name=one.name, data=first))
        for at in range(chunk, len(one.data), chunk) if chunk else ():
            yield pb.TeachDrummerRequest(chunk=one.data[at : at + chunk])
    yield pb.TeachDrummerRequest(teach=pb.TeachConfig(name=name))


async def taught_by(
    server: Served, songs: Sequence[pb.BandSong], name: str = "", chunk: int = 0
) -> tuple[list[pb.HeardSong], pb.TaughtDrummer]:
    """What a server tells of songs one by one, and of all of them."""
    answers = [answer async for answer in server.stub.TeachDrummer(pieces(songs, name, chunk))]
    assert [one.WhichOneof("event") for one in answers] == ["heard"] * len(songs) + ["taught"]
    return [one.heard for one in answers[:-1]], answers[-1].taught


def folders(place: str) -> list[str]:
    return sorted(path.name for path in Path(place).iterdir()) if Path(place).exists() else []


# --- songs ------------------------------------------------------------------------------------------------------------


def test_each_song_is_told_by_itself_and_copies_when_all_are_there_and_nothing_is_written(place: str) -> None:
    async def body(server: Served, learner: Learner) -> None:
        songs = [
            song("funk_1"),
            song("funk_1", "again/funk_1.mid"),
            pb.BandSong(name="b.mid", data=b"MThd"),
            song("waltz_1"),
        ]
        heard, reply = await taught_by(server, songs, chunk=1000)
        assert [one.number for one in heard] == [one.number for one in reply.songs] == [1, 2, 3, 4]
        assert [one.understood for one in heard] == [True, True, False, True]
        assert [one.understood for one in reply.songs] == [True, False, False, True]
        assert reply.songs[1].remark == "a copy of funk 1" and "not a readable song" in reply.songs[2].remark
        assert reply.songs[0].bars == heard[0].bars > 4 and reply.songs[2].bars == 0
        assert not reply.HasField("model") and folders(place) == []

    against(body, place)


def test_a_drummer_is_made_and_listed_and_has_the_bytes_of_chunks_and_whole_songs(place: str) -> None:
    async def body(server: Served, learner: Learner) -> None:
        _, reply = await taught_by(server, [song(name) for name in BAND], "  Die Krähen ")
        _, other = await taught_by(server, [song(name) for name in BAND], "The Others", chunk=777)
        assert reply.model.id == "die-kr-hen" and reply.model.band.name == "Die Krähen"
        assert list(reply.model.band.songs) == ["funk 1", "funk 2", "rock riff 1"] and reply.model.band.taught
        assert reply.model.band.grooves == other.model.band.grooves > 3
        listed = await server.stub.ListModels(pb.ListModelsRequest())
        assert [model.id for model in listed.models] == ["default", "die-kr-hen", "the-others"]
        assert listed.teaching.folder == place and listed.teaching.max_songs == teaching.MOST_SONGS
        assert folders(place) == ["die-kr-hen", "the-others"]

    against(body, place)


def test_a_song_that_cannot_be_read_in_time_costs_no_other_one(place: str) -> None:
    async def body(server: Served, learner: Learner) -> None:
        learner.late.add(b"slow.mid")
        heard, reply = await taught_by(server, [song("funk_1", "slow.mid"), song("funk_2"), song("rock_riff_1")], "Us")
        assert [one.understood for one in heard] == [one.understood for one in reply.songs] == [False, True, True]
        assert "too long to read" in reply.songs[0].remark and list(reply.model.band.songs) == ["funk 2", "rock riff 1"]

    against(body, place)


@pytest.mark.parametrize(
    ("messages", "reason", "said"),
    [
        ([], "WRONG_MESSAGE_ORDER", "ended without `teach`"),
        ([pb.TeachDrummerRequest()], "WRONG_MESSAGE_ORDER", "a message is empty"),
        ([pb.TeachDrummerRequest(chunk=b"x")], "WRONG_MESSAGE_ORDER", "wanted a song before its chunks"),
        (pieces([]), "NO_SONGS", "there are no songs"),
        (pieces([pb.BandSong(name="x" * 201, data=b"x")]), "INVALID_OPTION", "wanted at most 200"),
        (pieces([song("funk_1")], "x" * 61), "INVALID_OPTION", "wanted at most 60"),
        (pieces([song("funk_1")], "a\nb"), "INVALID_OPTION", "in one line"),
        (pieces([pb.BandSong(name="a.mid", data=SONG)], "Us"), "NO_SONGS", "a: no drums"),
        (pieces([pb.BandSong(name="a.mid", data=b"x" * (1 << 20))]), "MIDI_TOO_LARGE", ""),
        (pieces([pb.BandSong(name="a.mid", data=b"x" * 70_000)], chunk=69_000), "CHUNK_TOO_LARGE", ""),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence_and_writes_nothing(
    place: str, messages: Any, reason: str, said: str
) -> None:
    messages = list(messages)
    if reason == "MIDI_TOO_LARGE":
        messages.insert(1, pb.TeachDrummerRequest(chunk=b"x"))
    if reason == "CHUNK_TOO_LARGE":
        messages.insert(1, pb.TeachDrummerRequest(chunk=b"x" * 66_000))

    async def body(server: Served, learner: Learner) -> None:
        status = await refused_stream(server, iter(messages), "TeachDrummer")
        assert reason_of(status) == reason and said in status.message, status.message
        assert folders(place) == []

    against(body, place)


def test_there_is_a_limit_on_how_many_songs_and_bytes_a_drummer_is_taught(
    place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teaching, "MOST_SONGS", 2)
    monkeypatch.setattr(teaching, "MOST_BYTES", 30_000)

    async def body(server: Served, learner: Learner) -> None:
        status = await refused_stream(server, pieces([song("funk_1")] * 3), "TeachDrummer")
        assert "more than 2 songs" in status.message
        status = await refused_stream(
            server, pieces([pb.BandSong(name="a.mid", data=b"x" * 29_999), song("funk_1")]), "TeachDrummer"
        )
        assert reason_of(status) == "MIDI_TOO_LARGE" and "together, wanted at most 30,000" in status.message

    against(body, place)


# --- drummers that are there ------------------------------------------------------------------------------------------


def test_no_drummer_takes_the_place_of_another(place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body(server: Served, learner: Learner) -> None:
        await taught_by(server, [song(name) for name in BAND], "Us")
        before = (Path(place) / "us" / CONFIG).read_bytes()
        status = await refused_stream(server, pieces([song("waltz_1")], "uS"), "TeachDrummer")
        assert reason_of(status) == "INVALID_OPTION" and field(status) == "name" and "already" in status.message
        _, reply = await taught_by(server, [song("waltz_1")], "Us!")
        assert reply.model.id == "us-2"  # another name of the same letters
        _, reply = await taught_by(server, [song("waltz_1")], "Default")
        assert reply.model.id == "default-2"
        monkeypatch.setattr(teaching, "MOST_DRUMMERS", 3)
        status = await refused_stream(server, pieces([song("waltz_1")], "one more"), "TeachDrummer")
        assert reason_of(status) == "DRUMMER_NOT_KEPT" and "remove one" in status.message
        assert (Path(place) / "us" / CONFIG).read_bytes() == before
        assert folders(place) == ["default-2", "us", "us-2"]

    against(body, place)


def test_a_drummer_gets_another_name_and_keeps_its_id_and_all_it_knows(place: str) -> None:
    async def body(server: Served, learner: Learner) -> None:
        _, made = await taught_by(server, [song(name) for name in BAND], "Us")
        await taught_by(server, [song("waltz_1")], "Them")
        reply = await server.stub.RenameDrummer(pb.RenameDrummerRequest(model="us", name="The Crows"))
        assert reply.model.id == "us" and reply.model.band.name == "The Crows"
        assert reply.model.band.songs == made.model.band.songs and reply.model.band.grooves == made.model.band.grooves
        assert "# Model card: the drummer of The Crows" in (Path(place) / "us" / "card.md").read_text()
        for name, said in (("them", "already"), ("", "is empty"), ("x" * 61, "at most 60")):
            status = await refused(server.stub.RenameDrummer(pb.RenameDrummerRequest(model="us", name=name)))
            assert reason_of(status) == "INVALID_OPTION" and said in status.message
        reply = await server.stub.RenameDrummer(pb.RenameDrummerRequest(model="us", name="THE CROWS"))
        assert reply.model.band.name == "THE CROWS"

    against(body, place)


def test_only_a_taught_drummer_can_be_removed_and_nothing_beside_it(place: str) -> None:
    async def body(server: Served, learner: Learner) -> None:
        await taught_by(server, [song(name) for name in BAND], "Us")
        (Path(place) / "notes").mkdir()
        (Path(place) / "notes" / CONFIG).write_text("{}")
        (Path(place).parent / "outside").mkdir()
        for wanted in ("default", "notes", "..", "../outside", "", ".", "us/../us", "nobody", "\0"):
            for method, request in (
                (server.stub.RemoveDrummer, pb.RemoveDrummerRequest(model=wanted)),
                (server.stub.RenameDrummer, pb.RenameDrummerRequest(model=wanted, name="x")),
            ):
                status = await refused(method(request))
                assert reason_of(status) == "UNKNOWN_MODEL" and "there are us" in status.message
        assert folders(place) == ["notes", "us"]
        await server.stub.RemoveDrummer(pb.RemoveDrummerRequest(model="us"))
        assert folders(place) == ["notes"]
        listed = await server.stub.ListModels(pb.ListModelsRequest())
        assert [model.id for model in listed.models] == ["default"]

    against(body, place)


def test_a_folder_that_cannot_be_written_is_told_and_the_songs_are_told_all_the_same(tmp_path: Path) -> None:
    place = tmp_path / "file"
    place.write_text("not a folder")

    async def body(server: Served, learner: Learner) -> None:
        heard, _ = await taught_by(server, [song("funk_1")])
        assert heard[0].understood
        status = await refused_stream(server, pieces([song("funk_1")], "Us"), "TeachDrummer")
        assert reason_of(status) == "DRUMMER_NOT_KEPT" and "cannot be written" in status.message
        assert place.read_text() == "not a folder"

    against(body, str(place))


def test_a_server_without_a_folder_for_drummers_cannot_be_taught() -> None:
    async def body(server: Served, learner: Learner) -> None:
        statuses = [
            await refused_stream(server, pieces([song("funk_1")], "Us"), "TeachDrummer"),
            await refused(server.stub.RenameDrummer(pb.RenameDrummerRequest(model="us", name="x"))),
            await refused(server.stub.RemoveDrummer(pb.RemoveDrummerRequest(model="us"))),
        ]
        for status in statuses:
            assert reason_of(status) == "TEACHING_OFF" and "--drummers FOLDER" in status.message
        assert not (await server.stub.ListModels(pb.ListModelsRequest())).HasField("teaching")

    against(body, "")


def test_a_stranger_without_the_token_teaches_nothing(place: str) -> None:
    async def body(server: Served, learner: Learner) -> None:
        status = await refused_stream(server, pieces([song("funk_1")], "Us"), "TeachDrummer")
        assert reason_of(status) == "CREDENTIALS_MISSING" and folders(place) == []

    against(body, place, token="a-token-of-this-test")


def test_models_that_must_be_signed_and_drummers_of_callers_exclude_each_other(place: str) -> None:
    with pytest.raises(Exception, match="exclude each other"):
        set_up(drummers=place, trust="key.pem")


def test_both_clients_teach_rename_and_remove_a_drummer(place: str, tmp_path: Path) -> None:
    files = [TRAINING / f"{name}.mid" for name in BAND]
    (tmp_path / "broken.mid").write_bytes(b"MThd")

    async def body(server: Served, learner: Learner) -> None:
        def one() -> None:
            with RemoteDrummer(server.front.address) as remote:
                told = remote.teach([*files, SONG])
                assert [one.understood for one in told.songs] == [True, True, True, False]
                assert told.songs[3].title == "song 4" and not told.HasField("model")
                assert remote.teach(files, "Us").model.id == "us"
                assert remote.rename_drummer("us", "We").band.name == "We"
                with pytest.raises(OptionError, match="already"):
                    remote.teach(files, "we")
                with pytest.raises(InputError, match="none of 1 songs"):
                    remote.teach([tmp_path / "broken.mid"], "Them")
                with pytest.raises(InputError, match="nowhere"):
                    remote.teach([tmp_path / "nowhere.mid"])

        await asyncio.to_thread(one)
        async with AsyncRemoteDrummer(server.front.address) as remote:
            assert (await remote.teach(files, "Others")).model.band.taught
            assert (await remote.rename_drummer("others", "They")).band.name == "They"
            await remote.remove_drummer("us")
            with pytest.raises(UnknownModelError):
                await remote.remove_drummer("us")
            assert [model.id for model in await remote.models()] == ["default", "others"]

    against(body, place)


# --- the drummers of a player -----------------------------------------------------------------------------------------


def made(place: str, name: str = "Us") -> None:
    learning.teach(teaching.packed(name, [song(one) for one in BAND]), place, ())


def test_a_drummer_is_found_anew_when_it_has_changed_and_left_out_when_it_is_damaged(place: str) -> None:
    made(place)
    drummers = TaughtDrummers(place, bases_of({"mine": "default", "live": "live"}))
    first = drummers.find("us")
    assert first.base == "mine" and drummers.find("us").band is first.band and drummers.ids() == ["us"]
    learning.rename(pb.RenameDrummerRequest(model="us", name="We").SerializeToString(), place)
    assert drummers.find("us").band.name == "We"
    made(place, "Them")
    config = Path(place) / "them" / CONFIG
    config.write_text(config.read_text().replace('"prior": 8.0', '"prior": 9.0'))
    with pytest.raises(CheckpointError):
        drummers.find("them")
    assert drummers.ids() == ["us"]


def test_a_drummer_whose_model_is_not_served_is_not_listed(place: str) -> None:
    made(place)
    drummers = TaughtDrummers(place, bases_of({"live": "live"}))
    assert drummers.ids() == []
    with pytest.raises(UnknownModelError, match="which is not served"):
        drummers.find("us")


def test_a_request_is_checked_with_the_grooves_of_its_drummer(place: str) -> None:
    made(place)
    (groove, *_) = taught.band_of("us", {}, place).grooves
    config = pb.GenerationConfig(model="us", groove=[pb.GrooveChoice(name=groove.groove.name)])
    body = pb.GenerateDrumsRequest(midi=SONG, config=config).SerializeToString()
    rules = RequestRules(DEFAULT_LIMITS, 2000, 8, ("default",), "default", place)
    assert parser.analyze(body, rules).timeline.bars > 4
    config.model = "mine"
    served_so = replace(rules, drummers="", models=("mine",), folders={"mine": str(Path(place) / "us")})
    body = pb.GenerateDrumsRequest(midi=SONG, config=config).SerializeToString()
    assert parser.analyze(body, served_so).timeline.bars > 4
    config.model = "default"
    body = pb.GenerateDrumsRequest(midi=SONG, config=config).SerializeToString()
    with pytest.raises(Refusal, match="there is no groove"):
        parser.analyze(body, rules)


# --- the whole --------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_taught_drummer_plays_the_bytes_of_the_command_line_jams_and_is_there_after_a_restart(tmp_path: Path) -> None:
    place = tmp_path / "drummers"
    small = ("--port", "0", "--engines", "1", "--screens", "1", "--drummers", str(place))
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    with process(tmp_path / "one", *small) as server, grpc.insecure_channel(f"127.0.0.1:{server.port()}") as channel:
        server.wait("ready in")
        stub: Any = rpc.AccompanimentServiceStub(channel)
        *_, last = stub.TeachDrummer(pieces([song(name) for name in BAND], "Us"))
        assert last.taught.model.live
        config = pb.GenerationConfig(model="us", seed=3)
        take = stub.GenerateDrums(pb.GenerateDrumsRequest(midi=SONG, config=config))
        own = Drummer.load(place / "us").accompany(SONG, Options(seed=3))
        assert take.takes[0].midi == own.to_bytes() and take.model.band.name == "Us"
        usual = stub.GenerateDrums(pb.GenerateDrumsRequest(midi=SONG, config=pb.GenerationConfig(seed=3)))
        assert usual.takes[0].midi != take.takes[0].midi and not usual.model.HasField("band")
        fitting = stub.ListGrooves(pb.ListGroovesRequest(midi=SONG, config=config)).grooves
        assert any("funk" in groove.title for groove in fitting)
        begun = next(iter(stub.Jam(iter([pb.JamRequest(config=pb.JamConfig(config=config), until=0)]))))
        assert begun.begun.model.id == "us"
        with pytest.raises(grpc.RpcError, match="there is no model 'them'"):
            stub.GenerateDrums(pb.GenerateDrumsRequest(midi=SONG, config=pb.GenerationConfig(model="them")))
    with process(tmp_path / "two", *small) as server, grpc.insecure_channel(f"127.0.0.1:{server.port()}") as channel:
        server.wait("ready in")
        stub = rpc.AccompanimentServiceStub(channel)
        listed = stub.ListModels(pb.ListModelsRequest())
        assert [model.id for model in listed.models] == ["default", "live", "us"]
        assert stub.GenerateDrums(pb.GenerateDrumsRequest(midi=SONG, config=config)).takes[0].midi == take.takes[0].midi
        stub.RemoveDrummer(pb.RemoveDrummerRequest(model="us"))
        with pytest.raises(grpc.RpcError, match="there is no model 'us'"):
            stub.GenerateDrums(pb.GenerateDrumsRequest(midi=SONG, config=config))
