"""The client: what it gets of a server is what `Drummer` plays, and errors have the messages that they have here.

Most servers here are stand-ins that do what a test wants; the last part asks the real one.
"""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from client import (
    AsyncRemoteDrummer,
    DeadlineExceeded,
    RemoteDrummer,
    RemoteOptions,
    ServerBusy,
    ServerFault,
    ServerUnavailable,
    Unauthenticated,
    cli,
    connection,
    discovery,
    errors,
    messages,
)
from client.options import song_parser
from seq2drum.console import shared
from seq2drum.errors import (
    InputError,
    LimitError,
    MidiError,
    ModelError,
    OptionError,
    OutputError,
    Seq2DrumError,
    UnknownModelError,
)
from seq2drum.formats.midi import midi
from seq2drum.music import song_plan
from seq2drum.music.choices import MOST_TAKES
from seq2drum.music.explanation import SectionGroove
from seq2drum.music.file_options import TIMING
from seq2drum.music.song_plan import PlannedSection
from seq2drum.play.drummer import Drummer
from seq2drum.play.grooves.book import Book
from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb
from server import convert, statuses
from tests.conftest import ROOT
from tests.fake_server import Playing, Scripted, refuse, response_of, serving, stall
from tests.players import strummed
from tests.servers import gone

Code = grpc.StatusCode
Run = Callable[..., tuple[int, str, str]]
SONG = midi.serialise(strummed())
PLANNED = PlannedSection(1, 8, "A", 1, "closed hat", 1.2, 1.0, "rock-hat")
NOWHERE = "127.0.0.1:1"  # a port on which nothing listens


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


@pytest.fixture(scope="module")
def playing(drummer: Drummer) -> Playing:
    return Playing(drummer)


@pytest.fixture(scope="module")
def address(playing: Playing) -> Iterator[str]:
    with serving(playing) as where:
        yield where


pytestmark = pytest.mark.usefixtures("alone")


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "my song.mid"
    path.write_bytes(SONG)
    return path


@pytest.fixture
def run(address: str, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command line: exit code, standard output, standard error."""

    def run(*arguments: object, server: str | None = address) -> tuple[int, str, str]:
        words = [*map(str, arguments), *(["--server", server] if server else [])]
        code = cli.main(words)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def program(*arguments: object, **keywords: Any) -> subprocess.CompletedProcess[bytes]:
    """The command line as its own process."""
    words = [sys.executable, "-m", "client", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, timeout=120, check=False, cwd=ROOT, **keywords)


def refused(result: tuple[int, str, str], code: int, *phrases: str) -> str:
    """This exit code, and one line that contains each phrase."""
    exit_code, out, err = result
    assert (exit_code, out) == (code, ""), err
    assert err.startswith("seq2drum: ")
    assert err.count("\n") == 1
    for phrase in phrases:
        assert phrase in err
    return err


def asked(address: str, verb: Callable[[AsyncRemoteDrummer], Any], **keywords: Any) -> Any:
    """What a coroutine of the asynchronous drummer returns."""

    async def ask() -> Any:
        async with AsyncRemoteDrummer(address, **keywords) as remote:
            return await verb(remote)

    return asyncio.run(ask())


# --- the verbs --------------------------------------------------------------------------------------------------------


def test_a_remote_take_is_the_take_of_drummer_in_one_message_or_in_several(drummer: Drummer, address: str) -> None:
    take = drummer.accompany(SONG, Options(seed=4, style="rock"))
    progress: list[tuple[int, int]] = []
    with RemoteDrummer(address) as remote:
        whole = remote.accompany(SONG, seed=4, style="rock", explain=True)
        parts = remote.accompany(SONG, seed=4, style="rock", on_progress=lambda *bars: progress.append(bars))
    assert whole.midi == parts.midi == whole.to_bytes() == take.to_bytes()
    assert (whole.seed, whole.score, whole.stats.hits, whole.timeline.bars) == (4, None, len(take.part), 8)
    assert list(whole.guitar.tracks) == [index + 1 for index in take.guitar.parts]
    assert [str(said) for said in whole.explain()] == [str(said) for said in take.explain()]
    assert progress == [(0, 8), (8, 8)]


def test_a_remote_take_says_which_pieces_the_kit_of_the_drum_map_lacks(drummer: Drummer, address: str) -> None:
    take = drummer.accompany(SONG, Options(style="latin", drum_map="alesis-nitro"))
    with RemoteDrummer(address) as remote:
        assert remote.accompany(SONG, style="latin", drum_map="alesis-nitro").swaps == take.swaps != ()


def test_the_async_drummer_has_the_same_methods(drummer: Drummer, address: str) -> None:
    take = drummer.accompany(SONG, Options(seed=4))
    progress: list[tuple[int, int]] = []

    async def verb(remote: AsyncRemoteDrummer) -> tuple[Any, ...]:
        await remote.wait_until_ready(10)
        bars = remote.stream(SONG, seed=4)
        numbers = [bar.number async for bar in bars]
        return (
            await remote.accompany(SONG, seed=4),
            await remote.accompany(SONG, seed=4, on_progress=lambda *bars: progress.append(bars)),
            await remote.takes(SONG, count=2),
            (numbers, bars.take, bars.timeline.bars, list(bars.guitar.tracks)),
            await remote.analyze(SONG),
            [model.id for model in await remote.models()],
            [info.id for info in await remote.drum_maps()],
            [info.name for info in await remote.grooves()],
            (await remote.server_info()).api_versions,
            await remote.is_ready(),
        )

    whole, parts, takes, streamed, understood, models, maps, grooves, versions, ready = asked(address, verb)
    assert whole.midi == parts.midi == streamed[1].midi == take.to_bytes()
    assert progress == [(0, 8), (8, 8)]
    assert [take.midi for take in takes] == [take.to_bytes() for take in drummer.takes(SONG, count=2)]
    assert streamed[0] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert streamed[2:] == (8, [1])
    assert understood.tracks[0].name == "Guitar"
    assert (models, maps, grooves, list(versions), ready) == (["default"], ["gm"], ["one-drop"], ["v1"], True)
    names = {name for name in vars(RemoteDrummer) if not name.startswith("_")}
    assert names == {name for name in vars(AsyncRemoteDrummer) if not name.startswith("_")}


def test_a_stream_gives_the_bars_of_drummer_and_then_the_take(drummer: Drummer, address: str) -> None:
    with RemoteDrummer(address) as remote, remote.stream(SONG) as stream:
        assert (stream.timeline.bars, list(stream.guitar.tracks)) == (8, [1])
        with pytest.raises(ServerFault, match="no take"):
            _ = stream.take
        for bar, made in zip(stream, drummer.stream(SONG), strict=True):
            assert (bar.number, bar.take, bar.seed) == (made.bar.index + 1, 0, 0)
            hits = [(hit.tick, hit.length, hit.note, hit.velocity) for hit in bar.hits]
            assert hits == [(note.onset, note.duration, note.pitch, note.velocity) for note in made.part]
            assert all(hit.quarter == hit.tick / 480 for hit in bar.hits)
        assert stream.take.midi == drummer.accompany(SONG).to_bytes()
        assert list(stream) == []


def test_takes_come_best_first_with_their_seeds_and_scores(drummer: Drummer, address: str) -> None:
    takes = drummer.takes(SONG, Options(seed=2), 3)
    with RemoteDrummer(address) as remote:
        for on_progress in (None, lambda *_: None):
            received = remote.takes(SONG, seed=2, count=3, on_progress=on_progress)
            assert [take.midi for take in received] == [take.to_bytes() for take in takes]
            assert [(take.seed, take.score) for take in received] == [(take.options.seed, take.score) for take in takes]


def test_a_song_may_be_a_path_and_a_take_is_saved_whole_or_not_at_all(address: str, song: Path, tmp_path: Path) -> None:
    with RemoteDrummer(address) as remote:
        take = remote.accompany(song, with_guitar=True)
        assert take.save(tmp_path / "drums.mid") is take
        assert remote.accompany(str(song), with_guitar=True).midi == (tmp_path / "drums.mid").read_bytes()
        with pytest.raises(OutputError, match="exists already"):
            take.save(tmp_path / "drums.mid", overwrite=False)
        with pytest.raises(InputError, match=r"nothing\.mid does not exist"):
            remote.accompany(tmp_path / "nothing.mid")
        (tmp_path / "song.flp").write_bytes(b"FLhd")
        with pytest.raises(MidiError, match="FL Studio"):
            remote.accompany(tmp_path / "song.flp")
    assert [part.name for part in midi.parse(take.midi).parts] == ["Guitar", "Drums"]
    with pytest.raises(OptionError, match="explain=True"):
        take.explain()


def test_analyze_models_drum_maps_and_server_info_ask_the_server(address: str, playing: Playing) -> None:
    with RemoteDrummer(address) as remote:
        assert remote.analyze(SONG, track="2").timeline.bars == 8
        assert playing.requests[-1].track == "2"
        assert [list(model.styles) for model in remote.models()] == [["jazz", "rock"]]
        assert remote.drum_maps()[0].pieces[0].piece == "kick"
        assert remote.grooves()[0].title == "one drop"
        assert remote.grooves(SONG, style="rock")[0].expected_f1 == pytest.approx(0.51234)
        assert (playing.requests[-1].midi, playing.requests[-1].config.style) == (SONG, "rock")
        assert remote.server_info().version


def test_grooves_go_out_by_name_or_as_the_bytes_of_their_file(tmp_path: Path) -> None:
    (tmp_path / "beat.mid").write_bytes(b"MThd of a beat")
    (tmp_path / "band.mid").write_bytes(b"MThd of a band")
    asked = {"verse": "one drop, hat", "chorus": f"{tmp_path}/beat.mid:5-8", "": str(tmp_path / "beat.mid")}
    message = messages.config(RemoteOptions(groove=asked, like=tmp_path / "band.mid"))
    assert message.like == b"MThd of a band"
    assert list(message.groove) == [
        pb.GrooveChoice(section="verse", name="one drop, hat"),
        pb.GrooveChoice(section="chorus", midi=b"MThd of a beat", bars=pb.BarRange(first_bar=5, last_bar=8)),
        pb.GrooveChoice(midi=b"MThd of a beat"),
    ]
    with pytest.raises(InputError, match="none"):
        messages.config(RemoteOptions(groove="none.mid"))
    (tmp_path / "band.wav").write_bytes(b"RIFF\0\0\0\0WAVEfmt ")
    for recorded in (RemoteOptions(groove=f"{tmp_path}/band.wav:3"), RemoteOptions(like=tmp_path / "band.wav")):
        with pytest.raises(InputError, match="a recording, whose drums cannot be read"):
            messages.config(recorded)
    with pytest.raises(OptionError, match="by name or as a file, not as a value"):
        messages.config(RemoteOptions(groove=Book.load()["one drop"]))
    cases: list[dict[str, Any]] = [
        {"fill_at": (0,)},
        {"enter": 0},
        {"enter": 1 << 32},
        {"no_fills_in": ((1, 1 << 32),)},
        {"groove": "beat.mid:0"},
    ]
    for wrong in cases:
        with pytest.raises(OptionError):
            messages.config(RemoteOptions(**wrong))


def test_a_take_says_what_it_was_played_on(drummer: Drummer) -> None:
    response = response_of(drummer.takes(SONG, Options(), 1), pb.GenerationConfig())
    del response.takes[0].grooves[:]
    response.takes[0].grooves.add(section="A", name="one-drop", title="one drop")
    (take,) = messages.takes_of(response)
    assert take.grooves == (SectionGroove("A", "one-drop", "one drop"),)


def test_remote_options_are_those_of_drummer_with_the_same_defaults() -> None:
    here = {field.name: field.default for field in fields(Options)}
    there = {field.name: field.default for field in fields(RemoteOptions)}
    assert {name: there.get(name, "missing") for name in here} == here
    others = {"model", "with_guitar", "explain", "plan", "count_in", "click", "split", "tail", "channels"}
    assert set(there) - set(here) == others | TIMING.keys()


def test_a_plan_goes_out_and_comes_back_in_one_message_or_bar_by_bar(drummer: Drummer, address: str) -> None:
    take = drummer.accompany(SONG, Options(seed=4))
    changed = (take.plan[0]._replace(level=1.5, cymbal="crash", loudness=1.25), *take.plan[1:])
    wanted = drummer.accompany(SONG, Options(seed=4), plan=changed)
    with RemoteDrummer(address) as remote:
        assert remote.accompany(SONG, seed=4).plan == take.plan
        for on_progress in (None, print):
            made = remote.accompany(SONG, seed=4, plan=changed, on_progress=on_progress)
            assert made.midi == wanted.to_bytes() != take.to_bytes() and made.plan == wanted.plan
        with remote.stream(SONG, seed=4, plan=changed) as stream:
            assert tuple(row for bar in stream for row in bar.plan) == wanted.plan == stream.take.plan
        with pytest.raises(OptionError, match="the plan has 2 sections, but the song has 1"):
            remote.accompany(SONG, plan=(*take.plan, PLANNED._replace(first=9, last=9, enters=9)))


def test_a_section_without_drums_or_a_cymbal_is_sent_as_that() -> None:
    rows = (PLANNED._replace(enters=None), PLANNED._replace(cymbal=None, groove=None))
    config = messages.config(RemoteOptions(plan=rows))
    assert not config.plan[0].HasField("enters") and convert.plan_of(config) == rows


def test_a_server_older_than_plans_is_told_from_one_that_used_the_plan(drummer: Drummer) -> None:
    """An older server passes an unknown field on in `effective_config`, and sends no plan."""
    response = response_of([drummer.accompany(SONG)], messages.config(RemoteOptions(plan=(PLANNED,))))
    assert messages.takes_of(response)[0].plan
    del response.takes[0].plan[:]
    with pytest.raises(ServerFault, match="the server is older than plans and has not used this one"):
        messages.takes_of(response)
    del response.effective_config.plan[:]
    assert messages.takes_of(response)[0].plan == ()


def test_every_option_arrives_and_options_of_drummer_are_taken_too(address: str, playing: Playing) -> None:
    controls: dict[str, Any] = {"intensity": 0.25, "complexity": 0.5, "fills": 0.0, "humanize": 0.75, "swing": 1.0}
    wanted = Options(seed=3, temperature=0.5, top_p=0.75, track="1", style="jazz", **controls)
    with RemoteDrummer(address) as remote:
        remote.accompany(SONG, wanted, with_guitar=True, model="default")
        config = playing.requests[-1].config
        assert (config.seed, config.temperature, config.top_p, config.track, config.style) == (
            3,
            0.5,
            0.75,
            "1",
            "jazz",
        )
        assert {name: getattr(config, name) for name in controls} == controls
        assert (config.drum_map, config.model, config.with_guitar, config.takes) == ("gm", "default", True, 1)
        remote.accompany(SONG, RemoteOptions(seed=None, temperature=None), style="auto")
        config = playing.requests[-1].config
        assert not any(config.HasField(name) for name in ("seed", "temperature", "bars", *controls))
        assert config.style == ""
    wishes = Options(
        daring=0.5,
        ending="ring",
        fill_at=(8, 16),
        no_fills_in=((1, 4), (9, 12)),
        pieces="kit",
        time="hat",
        without=("crash", "toms"),
        out="intro,1-8",
        enter=9,
        groove="one drop",
        like=b"MThd",
    )
    message = messages.config(messages.options_of(wishes, {}))
    assert convert.options_of(message) == replace(wishes, groove={"": Book.load()["one drop"]})
    message = messages.config(RemoteOptions(prime=3))
    assert (message.prime_bars, message.HasField("bars")) == (3, False)
    message = messages.config(messages.options_of(Options(bars=(2, 5)), {}))
    assert (message.bars.first_bar, message.bars.last_bar) == (2, 5)


@pytest.mark.parametrize(
    ("asked_for", "message"),
    [
        ({"seed": -1}, "the seed is -1, wanted 0 or more"),
        ({"seed": 1 << 64}, "wanted 0 or more, and less than"),
        ({"prime": -1}, "prime is -1, wanted a number of bars"),
        ({"bars": (0, 3)}, "the bars are 0:3, wanted FIRST:LAST, counted from 1"),
        ({"bars": (5, 3)}, "the bars are 5:3"),
        ({"plan": (PLANNED._replace(first=-1),)}, "the plan of bars -1-8 (A) has impossible bars, wanted A-B"),
        ({"plan": (PLANNED._replace(last=1 << 32),)}, "wanted numbers less than 2^32"),
        ({"plan": (PLANNED._replace(level=float("nan")),)}, "has level nan, wanted 0.25 to 4"),
        ({"plan": (PLANNED,) * 2001}, "the plan has 2001 sections, wanted at most 2000"),
    ],
)
def test_numbers_that_no_message_can_hold_are_refused_before_sending_as_drummer_refuses_them(
    asked_for: dict[str, Any], message: str
) -> None:
    with RemoteDrummer(NOWHERE) as remote, pytest.raises(OptionError, match=re.escape(message)):
        remote.accompany(SONG, **asked_for)
    with pytest.raises(TypeError, match="wanted RemoteOptions"):
        messages.options_of("loud", {})
    with pytest.raises(TypeError, match="loudness"):
        messages.options_of(None, {"loudness": 3})


@pytest.mark.parametrize("words", [[], ["compose", "--genre", "rock"]], ids=["song", "beat"])
def test_more_takes_than_any_player_makes_are_refused_before_anything_is_done(
    run: Run, song: Path, tmp_path: Path, words: list[str]
) -> None:
    what: list[Any] = words or [song]
    code, _, err = run(*what, "--takes", MOST_TAKES + 1, "-o", tmp_path / "a.mid", server=NOWHERE)
    assert (code, err.count("\n")) == (2, 1)
    assert "wanted 1 to 1000" in err


def test_a_large_song_goes_out_in_chunks_that_every_server_takes(drummer: Drummer) -> None:
    servicer, large = Playing(drummer), SONG + bytes(300_000)  # what is behind the last chunk of a file is passed over
    with serving(servicer) as where, RemoteDrummer(where) as remote:
        remote.accompany(SONG)
        assert servicer.streams == 0
        with suppress(MidiError):  # here it only matters how it was sent
            remote.accompany(large)
        assert servicer.streams == 1
        assert servicer.requests[-1].midi == large
    sent = list(messages.pieces(large, messages.config(RemoteOptions()), bars=False))
    assert max(len(piece.midi_chunk) for piece in sent) <= 64 << 10


# --- what goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "wanted"),
    [(b"no music", {}), (SONG[:60], {}), (SONG, {"style": "polka"}), (SONG, {"track": "9"}), (SONG, {"bars": (1, 99)})],
    ids=["not MIDI", "cut off", "style", "track", "bars"],
)
def test_the_errors_are_those_of_drummer_word_for_word(
    drummer: Drummer, address: str, data: bytes, wanted: dict[str, Any]
) -> None:
    with pytest.raises(Seq2DrumError) as here:
        drummer.accompany(data, Options(**wanted))
    with RemoteDrummer(address) as remote:
        verbs = [
            lambda: remote.accompany(data, **wanted),
            lambda: remote.accompany(data, **wanted, on_progress=print),
            lambda: remote.stream(data, **wanted),  # it raises at once, not with the first bar
            lambda: asked(address, lambda other: other.accompany(data, **wanted)),
        ]
        for verb in verbs:
            with pytest.raises(Seq2DrumError) as there:
                verb()
            assert str(there.value) == str(here.value)
            assert isinstance(here.value, type(there.value))


def test_every_reason_of_the_server_has_an_error_class_and_reasons_of_the_core_have_those_of_the_core() -> None:
    assert set(errors.REASONS) == set(statuses.REASONS)
    for kind, row in statuses.ERROR_STATUSES.items():
        reason = next(part for part in row if isinstance(part, str))
        if not issubclass(errors.REASONS[reason], errors.ServerError):
            assert issubclass(kind, errors.REASONS[reason]), (kind, reason)


def ended(code: Code, message: str, reason: str = "", **details: Any) -> Callable[[int, Any], Any]:
    return lambda attempt, context: refuse(context, code, message, reason, **details)


def failure(do: Callable[[int, Any], Any], *, ways: int = 3, **keywords: Any) -> Seq2DrumError:
    """The error of a call that a server ends so: equal for one message and for several, and for both drummers."""
    raised = []
    servicer = Scripted(do)
    with serving(servicer) as where:
        with RemoteDrummer(where, **keywords) as remote:
            for on_progress in (None, print):
                with pytest.raises(Seq2DrumError) as one:
                    remote.accompany(SONG, on_progress=on_progress)
                raised.append(one.value)
        with pytest.raises(Seq2DrumError) as one:
            asked(where, lambda other: other.accompany(SONG, on_progress=print), **keywords)
        raised.append(one.value)
    assert len({(type(error), str(error)) for error in raised}) == 1, raised
    return raised[0]


def test_a_busy_server_says_when_to_retry_and_is_not_called_again() -> None:
    servicer = Scripted(ended(Code.RESOURCE_EXHAUSTED, "32 calls wait already", "QUEUE_FULL", retry=1.5))
    with serving(servicer) as where, RemoteDrummer(where) as remote, pytest.raises(ServerBusy) as error:
        remote.accompany(SONG)
    assert (str(error.value), error.value.reason, error.value.retry_seconds) == (
        "32 calls wait already",
        "QUEUE_FULL",
        1.5,
    )
    assert servicer.attempts == 1


def test_a_call_is_retried_where_the_server_was_unavailable(drummer: Drummer) -> None:
    def do(attempt: int, context: Any) -> Any:
        if attempt < 4:
            refuse(context, Code.UNAVAILABLE, "the player died", "WORKER_DIED", retry=0.1)
        return Playing(drummer).play(SONG, messages.config(RemoteOptions()), context)

    for ask in (
        lambda where: RemoteDrummer(where).accompany(SONG),
        lambda where: asked(where, lambda r: r.accompany(SONG)),
    ):
        servicer = Scripted(do)
        with serving(servicer) as where:
            assert ask(where).midi == drummer.accompany(SONG).to_bytes()
        assert servicer.attempts == 4


def test_a_stream_whose_worker_dies_is_tried_again_and_gives_each_bar_once(drummer: Drummer) -> None:
    pieces = accepted(drummer)
    bars = [piece.bar_events.bar for piece in pieces if piece.WhichOneof("piece") == "bar_events"]

    def do(attempt: int, context: Any) -> Any:
        yield from pieces[: (0, 4, 2, len(pieces))[attempt - 1]]
        if attempt < 4:
            reason = "NOT_READY" if attempt == 1 else "WORKER_DIED"
            refuse(context, Code.UNAVAILABLE, "try again", reason, retry=0.05)

    async def verb(other: AsyncRemoteDrummer) -> tuple[list[int], bytes]:
        async with other.stream(SONG) as stream:
            return [bar.number async for bar in stream], (await stream.rest())[0].midi

    given = []
    for ways in range(2):
        servicer = Scripted(do)
        with serving(servicer) as where:
            if ways:
                given.append(asked(where, verb))
            else:
                with RemoteDrummer(where) as remote, remote.stream(SONG) as stream:
                    given.append(([bar.number for bar in stream], stream.rest()[0].midi))
        assert servicer.attempts == 4
    assert given == [(bars, drummer.accompany(SONG).to_bytes())] * 2


@pytest.mark.parametrize(("reason", "attempts"), [("WORKER_DIED", 3), ("NOT_READY", 4), ("", 4)])
def test_a_stream_is_tried_again_for_a_while_and_then_fails_as_it_did_at_first(reason: str, attempts: int) -> None:
    servicer = Scripted(lambda attempt, context: refuse(context, Code.UNAVAILABLE, f"no {attempt}", reason, retry=0.01))
    with serving(servicer) as where, RemoteDrummer(where) as remote, pytest.raises(ServerUnavailable, match="no 1"):
        remote.stream(SONG)
    assert servicer.attempts == attempts


def test_a_stream_is_not_tried_again_for_a_fault_that_would_be_the_same_nor_beyond_its_deadline() -> None:
    def do(attempt: int, context: Any) -> Any:
        if attempt == 1:
            refuse(context, Code.UNAVAILABLE, "later", "NOT_READY", retry=0.01)
        refuse(context, Code.INVALID_ARGUMENT, "temperature", "INVALID_OPTION")

    servicer = Scripted(do)
    with serving(servicer) as where, RemoteDrummer(where) as remote, pytest.raises(OptionError, match="temperature"):
        remote.stream(SONG)
    assert servicer.attempts == 2
    servicer = Scripted(ended(Code.UNAVAILABLE, "later", "NOT_READY", retry=5))
    with (
        serving(servicer) as where,
        RemoteDrummer(where, deadline=2) as remote,
        pytest.raises(ServerUnavailable, match="later"),
    ):
        remote.stream(SONG)
    assert servicer.attempts == 1


def test_a_call_is_tried_at_most_four_times() -> None:
    servicer = Scripted(ended(Code.UNAVAILABLE, "the server is stopping", "SHUTTING_DOWN", retry=1))
    with serving(servicer) as where, RemoteDrummer(where) as remote, pytest.raises(ServerUnavailable) as error:
        remote.accompany(SONG)
    assert (str(error.value), error.value.retry_seconds) == ("the server is stopping", 1)
    assert servicer.attempts == 4


def test_a_fault_of_the_server_has_the_error_id_of_its_log() -> None:
    error = failure(ended(Code.INTERNAL, "the server failed; its log has more", "INTERNAL_ERROR", error_id="0af3"))
    assert isinstance(error, ServerFault)
    assert (str(error), error.error_id) == ("the server failed; its log has more", "0af3")


def test_a_damaged_model_is_an_error_of_the_server_and_an_unknown_model_one_of_the_caller() -> None:
    error = failure(ended(Code.INTERNAL, "the model is damaged", "MODEL_UNUSABLE"))
    assert type(error) is ModelError
    assert errors.exit_code(error) == 4
    error = failure(ended(Code.NOT_FOUND, "there is no model 'x'", "UNKNOWN_MODEL"))
    assert type(error) is UnknownModelError
    assert errors.exit_code(error) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        (Code.UNAVAILABLE, ServerUnavailable, "closed the connection too early (what it said); try again"),
        (Code.UNIMPLEMENTED, ServerFault, "is not a seq2drum server, or has another version"),
        (Code.RESOURCE_EXHAUSTED, ServerBusy, "refused the call as too large"),
        (Code.PERMISSION_DENIED, Unauthenticated, "refused this client"),
        (Code.UNKNOWN, ServerFault, "failed (UNKNOWN: what it said)"),
    ],
)
def test_a_status_without_a_reason_gets_a_message_of_the_client(code: Code, kind: type, message: str) -> None:
    error = failure(ended(code, "what it said"))
    assert type(error) is kind
    assert message in str(error)


def test_a_status_whose_details_contradict_its_code_is_read_by_its_code() -> None:
    class Strange(grpc.RpcError):
        def code(self) -> Code:
            return Code.UNAVAILABLE

        def details(self) -> str:
            return "gone"

        def trailing_metadata(self) -> Any:
            return [("grpc-status-details-bin", b"\x08\x03")]

    assert isinstance(errors.from_call(Strange(), "x:1", 1), ServerUnavailable)


def test_without_a_server_the_error_names_the_address_and_how_to_start_one() -> None:
    for keywords in ({}, {"on_progress": print}):
        with RemoteDrummer(NOWHERE) as remote, pytest.raises(ServerUnavailable) as error:
            remote.accompany(SONG, **keywords)
        assert str(error.value).startswith(f"no server answers at {NOWHERE}; start one with python -m server")
    with RemoteDrummer(NOWHERE) as remote, pytest.raises(ServerUnavailable, match=r"not ready within 0\.2 seconds"):
        remote.wait_until_ready(0.2)


def test_a_server_that_dies_during_a_call_raises_an_error() -> None:
    started = threading.Event()

    def do(attempt: int, context: Any) -> Any:
        started.set()
        stall(context)

    with serving(Scripted(do)) as where:
        remote = RemoteDrummer(where)
        failures: list[Exception] = []

        def ask() -> None:
            try:
                remote.accompany(SONG, on_progress=print)
            except Seq2DrumError as error:
                failures.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        assert started.wait(10)
    asking.join(10)
    remote.close()
    assert [type(error) for error in failures] == [ServerUnavailable]


def test_every_call_has_a_deadline_and_fails_when_it_passes() -> None:
    left: list[float] = []

    def do(attempt: int, context: Any) -> Any:
        left.append(context.time_remaining())
        stall(context)

    error = failure(do, deadline=0.3)
    assert type(error) is DeadlineExceeded
    assert "was not done within 0.3 seconds" in str(error)
    assert all(0 < seconds < 0.4 for seconds in left)
    assert RemoteDrummer(NOWHERE).connection.deadline == 120
    for seconds in (0, -1, float("inf"), float("nan")):
        with pytest.raises(OptionError, match="wanted more than 0"):
            RemoteDrummer(NOWHERE, deadline=seconds)


def accepted(drummer: Drummer) -> Any:
    """The first two pieces of a reply."""
    pieces = [pb.StreamGenerateDrumsRequest(config=pb.StreamConfig(send_bar_events=True))]
    pieces.append(pb.StreamGenerateDrumsRequest(midi_chunk=SONG))

    class Context:
        def invocation_metadata(self) -> tuple[()]:
            return ()

    return list(Playing(drummer).StreamGenerateDrums(iter(pieces), Context()))


def test_closing_a_stream_cancels_the_call(drummer: Drummer) -> None:
    pieces = accepted(drummer)[:2]

    def do(attempt: int, context: Any) -> Any:
        yield from pieces
        stall(context)

    servicer = Scripted(do)
    with serving(servicer) as where, RemoteDrummer(where) as remote:
        stream = remote.stream(SONG)
        assert next(stream).number == 1
        stream.close()
        assert servicer.cancelled.wait(10)
        assert list(stream) == []

    async def verb(other: AsyncRemoteDrummer) -> None:
        async with other.stream(SONG) as bars:
            async for bar in bars:
                assert bar.number == 1
                break

    servicer = Scripted(do)
    with serving(servicer) as where:
        asked(where, verb)
        assert servicer.cancelled.wait(10)


def test_cancelling_a_task_cancels_its_call() -> None:
    started = threading.Event()

    def do(attempt: int, context: Any) -> Any:
        started.set()
        stall(context)

    async def verb(other: AsyncRemoteDrummer, **keywords: Any) -> None:
        task = asyncio.create_task(other.accompany(SONG, **keywords))
        while not started.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    given: list[dict[str, Any]] = [{}, {"on_progress": print}]
    for keywords in given:
        started.clear()
        servicer = Scripted(do)
        with serving(servicer) as where:
            asked(where, partial(verb, **keywords))
            assert servicer.cancelled.wait(10)


def test_an_error_before_all_was_sent_keeps_its_message() -> None:
    # gRPC's asyncio client loses them in about half of the calls; see `asynchronous`.
    class Early(Scripted):
        def StreamGenerateDrums(self, pieces: Iterator[Any], context: Any) -> Any:
            next(pieces)
            refuse(context, Code.INVALID_ARGUMENT, "too large", "MIDI_TOO_LARGE")
            yield

    async def verb(other: AsyncRemoteDrummer) -> list[str]:
        messages = []
        for _ in range(20):
            with pytest.raises(LimitError) as error:
                await other.accompany(bytes(1_000_000))
            messages.append(str(error.value))
        return messages

    with serving(Early(lambda attempt, context: None)) as where:
        assert set(asked(where, verb)) == {"too large"}
        with RemoteDrummer(where) as remote, pytest.raises(LimitError, match="too large"):
            remote.accompany(bytes(1_000_000))


def test_a_damaged_or_truncated_reply_raises_a_server_fault(drummer: Drummer) -> None:
    whole = accepted(drummer)
    damaged = [piece for piece in whole if piece.WhichOneof("piece") != "file_chunk"]
    for pieces, message in ((damaged, "came back damaged"), (whole[:-1], "ended too soon"), ([], "ended too soon")):
        servicer = Scripted(partial(lambda found, attempt, context: found, pieces))
        with serving(servicer) as where:
            with RemoteDrummer(where) as remote, pytest.raises(ServerFault, match=message):
                remote.accompany(SONG, on_progress=print)
            with pytest.raises(ServerFault, match=message):
                asked(where, lambda other: other.accompany(SONG, on_progress=print))
    with pytest.raises(ServerFault, match="holds no take"):
        messages.takes_of(pb.GenerateDrumsResponse())


def test_is_ready_asks_the_health_of_the_server(playing: Playing) -> None:
    with serving(playing, ready=False) as where, RemoteDrummer(where) as remote:
        assert not remote.is_ready()
        with pytest.raises(ServerUnavailable, match="not ready within"):
            remote.wait_until_ready(0.15)
        with pytest.raises(ServerUnavailable, match="not ready within"):
            asked(where, lambda other: other.wait_until_ready(0.15))


# --- the way there ----------------------------------------------------------------------------------------------------


def test_a_token_goes_with_every_call_and_without_tls_only_to_loopback(address: str, playing: Playing) -> None:
    with RemoteDrummer(address, token="s3cret") as remote:
        for ask in (lambda: remote.accompany(SONG), lambda: remote.accompany(SONG, on_progress=print)):
            ask()
            assert playing.metadata[-1]["authorization"] == "Bearer s3cret"
        assert "s3cret" not in repr(remote.connection)
    for host in ("drums.example:50051", "192.168.1.4", "[2001:db8::1]:4", "localhost.example:1"):
        with pytest.raises(OptionError, match="for all to read"):
            RemoteDrummer(host, token="s3cret")
        RemoteDrummer(host, token="s3cret", tls=True).close()
        RemoteDrummer(host).close()
    for host in ("localhost", "127.0.0.1:4", "[::1]:4", "unix:/tmp/socket"):
        RemoteDrummer(host, token="s3cret").close()
    for token in ("", "two words", "caf\u00e9", "line\n"):
        with pytest.raises(OptionError, match="token is empty or has characters"):
            RemoteDrummer(token=token)


def test_a_wrong_token_raises_an_error() -> None:
    error = failure(ended(Code.UNAUTHENTICATED, "the token is not the right one", "CREDENTIALS_WRONG"))
    assert type(error) is Unauthenticated
    assert str(error) == "the token is not the right one"


@pytest.mark.parametrize("address", ["", "a b:1", "host:0", "host:65536", "host:http", "http://host:1", "::1", "unix:"])
def test_an_invalid_address_is_refused(address: str) -> None:
    with pytest.raises(OptionError, match="wanted HOST:PORT"):
        RemoteDrummer(address)


def test_an_address_without_a_port_gets_the_default_port() -> None:
    assert connection.normalize_address("studio") == "studio:50051"
    assert connection.normalize_address("[::1]") == "[::1]:50051"


def test_only_calls_in_one_message_are_tried_again_and_only_where_nothing_was_done() -> None:
    config: Any = connection.SERVICE_CONFIG
    (entry,) = config["methodConfig"]
    assert entry["retryPolicy"]["retryableStatusCodes"] == ["UNAVAILABLE", "CANCELLED"]
    service = pb.DESCRIPTOR.services_by_name["AccompanimentService"]
    assert {name["service"] for name in entry["name"]} == {service.full_name}
    streams = {method.name for method in service.methods if method.client_streaming}
    assert streams == {"StreamGenerateDrums", "StreamCompose", "Jam", "TeachDrummer"}
    assert {name["method"] for name in entry["name"]} == {method.name for method in service.methods} - streams


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An authority, a server's and a client's certificate with their keys, and another authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    folder, now = tmp_path_factory.mktemp("certificates"), datetime.datetime.now(datetime.UTC)
    made: dict[str, Any] = {}

    def make(name: str, issuer: str) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        by, signer = made.get(issuer, (subject, key))
        built = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(by)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=name == issuer, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .sign(signer, hashes.SHA256())
        )
        made[name] = subject, key
        (folder / f"{name}.pem").write_bytes(built.public_bytes(serialization.Encoding.PEM))
        form = serialization.PrivateFormat.PKCS8
        text = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        (folder / f"{name}.key").write_bytes(text)

    for name, issuer in (("ca", "ca"), ("server", "ca"), ("client", "ca"), ("other", "other")):
        make(name, issuer)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.slow
def test_tls_is_used_where_an_authority_is_given_and_both_sides_are_checked(
    playing: Playing, certificates: dict[str, Path]
) -> None:
    pem = {name: path.read_bytes() for name, path in certificates.items()}
    ca, pair = certificates["ca.pem"], [(pem["server.key"], pem["server.pem"])]
    mine: dict[str, Any] = {"certificate": certificates["client.pem"], "key": certificates["client.key"]}
    with serving(playing, credentials=grpc.ssl_server_credentials(pair)) as where:
        with RemoteDrummer(where, ca=ca, token="s3cret") as remote:
            assert remote.accompany(SONG).midi
        assert asked(where, lambda other: other.accompany(SONG), ca=ca).midi
        other = RemoteDrummer(where, ca=certificates["other.pem"])
        with other as remote, pytest.raises(ServerUnavailable, match="trusted"):
            remote.accompany(SONG)
        with RemoteDrummer(where) as remote, pytest.raises(ServerUnavailable, match="does it need TLS"):
            remote.accompany(SONG)
    mutual = grpc.ssl_server_credentials(pair, pem["ca.pem"], require_client_auth=True)
    with serving(playing, credentials=mutual) as where:
        with RemoteDrummer(where, ca=ca, **mine) as remote:
            assert remote.accompany(SONG).midi
        with RemoteDrummer(where, ca=ca) as remote, pytest.raises(ServerUnavailable):
            remote.accompany(SONG)
    with pytest.raises(OptionError, match="belong together"):
        RemoteDrummer(ca=ca, key=mine["key"])
    with pytest.raises(InputError, match=r"nothing\.pem cannot be read"):
        RemoteDrummer(ca="nothing.pem")


def test_importing_the_client_imports_neither_numpy_nor_a_model_nor_a_midi_reader() -> None:
    script = (
        "import sys, client, client.cli, client.watch, client.discovery, client.status_file\n"
        "client.RemoteDrummer('localhost:1').close(), client.AsyncRemoteDrummer\n"
        "heavy = {'numpy', 'torch', 'music21', 'onnxruntime', 'symusic', 'rich', 'server', "
        "'seq2drum.formats.midi.midi'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout == "[]\n"
    done = subprocess.run(
        [sys.executable, "-c", "import sys, client; print('grpc' in sys.modules)"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert done.stdout == "False\n"


def test_every_name_of_the_package_is_there() -> None:
    import client

    assert all(getattr(client, name).__name__ == name for name in client.__all__)
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = client.nothing_like_it


# --- the command line -------------------------------------------------------------------------------------------------


def test_a_song_gets_the_drums_beside_it_that_infer_writes(run: Run, drummer: Drummer, song: Path) -> None:
    code, out, err = run(song)
    target = song.with_name("my song.drums.mid")
    assert (code, err) == (0, "")
    assert target.read_bytes() == drummer.accompany(SONG).to_bytes()
    assert re.fullmatch(
        rf"{re.escape(str(target))}: 8 bars, \d+ hits in \d+\.\d s, listening to part 1 \(.+\); groove: .+\n", out
    ), out


def test_the_lines_about_takes_are_those_of_infer(run: Run, song: Path, tmp_path: Path) -> None:
    from seq2drum import cli as core

    code, out, _ = run(song, "--takes", 2, "--explain", "-o", tmp_path / "a.mid")
    assert code == 0
    printed_first = re.sub(r"in \d+\.\d s", "", out)
    stream = TextIOWrapper(BytesIO())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", stream)
        assert (
            core.main(["--mode", "infer", str(song), "--takes", "2", "--explain", "-o", str(tmp_path / "b.mid")]) == 0
        )
        stream.seek(0)
    assert re.sub(r"in \d+\.\d s", "", stream.read()).replace("b.", "a.") == printed_first
    assert (tmp_path / "a.2.mid").read_bytes() == (tmp_path / "b.2.mid").read_bytes()


def test_the_client_has_every_option_of_infer(run: Run, playing: Playing, song: Path) -> None:
    from seq2drum import cli as core

    words: Any = {"temperature": 0.5, "top_p": 0.75, "track": 1, "drum_map": "gm", "model": "default"}
    words |= {"intensity": 0.25, "complexity": 0.5, "fills": 0, "humanize": 0.75, "swing": 1}
    session = ("--count-in", 1, "--click", "--split", "--tail", "--sections", "verse 1-8")
    flags = [word for name, value in words.items() for word in ("--" + name.replace("_", "-"), value)]
    code, _, err = run(song, *flags, "--style", "jazz", "--seed", 7, "--with-guitar", *session)
    assert (code, err) == (0, "")
    config = playing.requests[-1].config
    assert (config.count_in, config.click, config.split, config.tail) == (1, True, True, True)
    assert config.sections == "verse 1-8"
    assert {name: getattr(config, name) for name in words} == words | {"track": "1"}
    assert (config.style, config.seed, config.with_guitar) == ("jazz", 7, True)
    words = ["--groove", "one drop", "--daring", "0.5", "--ending", "ring", "--fill-at", "8,16", "--no-fills-in", "1-4"]
    words += ["--pieces", "all", "--time", "ride", "--without", "crash,clap", "--like", "song.mid"]
    chosen = shared.chosen(song_parser().parse(["x", *words]))
    assert chosen == shared.chosen(core.parser_of("infer").parse(["x", *words]))
    options = song_parser().parse(["x", "--bars", "9:16"])
    assert cli.remote_options(options).bars == (9, 16)
    assert cli.remote_options(song_parser().parse(["x", "--prime", "4", "--bars", "3"])).prime == 4


def test_a_plan_is_written_changed_and_given_back_as_by_infer(
    run: Run, drummer: Drummer, song: Path, tmp_path: Path
) -> None:
    plan, again = tmp_path / "plan.json", tmp_path / "again.mid"
    assert run(song, "--seed", 4, "-o", tmp_path / "a.mid", "--plan-out", plan)[0] == 0
    take = drummer.accompany(SONG, Options(seed=4))
    assert plan.read_bytes() == song_plan.as_json(take.plan)
    plan.write_bytes(song_plan.as_json([row._replace(enters=3) for row in take.plan]))
    assert run(song, "--plan", plan, "-o", tmp_path / "b.mid", "--status-file", tmp_path / "status")[0] == 0
    status = json.loads((tmp_path / "status").read_text())
    assert status["plans"] == [[[1, "A: no drums"], [3, f"A: {take.plan[0].words}"]]]
    plan.write_bytes(song_plan.as_json([row._replace(level=1.5) for row in take.plan]))
    assert run(song, "--seed", 4, "-o", again, "--plan", plan)[0] == 0
    wanted = drummer.accompany(SONG, Options(seed=4), plan=song_plan.read(plan))
    assert again.read_bytes() == wanted.to_bytes() != take.to_bytes()


def test_a_plan_of_several_songs_or_with_another_ending_is_refused(run: Run, song: Path, tmp_path: Path) -> None:
    other, plan = tmp_path / "other.mid", tmp_path / "plan.json"
    other.write_bytes(SONG)
    plan.write_bytes(song_plan.as_json([PLANNED]))
    refused(run(song, other, "--plan", plan), 2, "--plan is for one song, but there are 2")
    refused(run(song, other, "--plan-out", tmp_path / "p.json"), 2, "--plan-out names one file, but there are 2")
    refused(run(song, "--plan-out", "-"), 2, "--plan-out writes .json")
    refused(run(song, "--plan-out", plan), 2, "exists already")
    refused(run(song, "--plan", tmp_path / "none.json"), 2, "does not exist; give the path of a plan")
    assert not list(tmp_path.glob("*.drums.mid"))


def test_a_plan_that_an_older_server_cannot_send_is_missed_but_the_drums_are_written(
    drummer: Drummer, song: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    response = response_of([drummer.accompany(SONG)], pb.GenerationConfig())
    del response.takes[0].plan[:]
    with serving(Scripted(lambda attempt, context: response)) as address:
        code = cli.main([str(song), "--server", address, "--plan-out", str(tmp_path / "plan.json")])
    assert code == 4 and "no --plan-out: the server is older than plans" in capsys.readouterr().err
    assert song.with_name("my song.drums.mid").exists() and not (tmp_path / "plan.json").exists()


def test_a_folder_goes_to_a_folder_and_a_bad_song_does_not_stop_the_others(run: Run, tmp_path: Path) -> None:
    folder, out = tmp_path / "songs", tmp_path / "drums"
    folder.mkdir()
    for name in ("a.mid", "c.MIDI"):
        (folder / name).write_bytes(SONG)
    (folder / "b.mid").write_bytes(b"no music")
    (folder / "a.drums.mid").write_bytes(b"is passed over")
    code, printed, err = run(folder, "-o", out)
    assert code == 2
    assert sorted(path.name for path in out.iterdir()) == ["a.drums.mid", "c.drums.mid"]
    assert err == f"seq2drum: {folder / 'b.mid'}: this is not a MIDI file: it begins with 'no m', not with 'MThd'\n"
    assert printed.count("\n") == 2


def test_songs_of_a_folder_are_sent_several_at_once_and_told_in_the_order_of_their_names(
    run: Run, tmp_path: Path, drummer: Drummer
) -> None:
    folder, names = tmp_path / "songs", "abcde"
    folder.mkdir()
    for name in names:
        (folder / f"{name}.mid").write_bytes(SONG)
    together = threading.Barrier(4, timeout=30)

    class Waiting(Playing):
        """Answers the first four songs when all of them are there, and the first last of all."""

        done = threading.Event()

        def GenerateDrums(self, request: Any, context: Any) -> Any:
            reply = super().GenerateDrums(request, context)
            if (place := len(self.requests)) <= 4:
                together.wait()
            if place == 1:
                assert self.done.wait(30)
            if place == 5:
                self.done.set()
            return reply

        def GetServerInfo(self, request: Any, context: Any) -> Any:
            return pb.GetServerInfoResponse(limits=pb.Limits(max_playing=4))

    with serving(Waiting(drummer)) as where:
        code, printed, err = run(folder, "-o", tmp_path / "drums", server=where)
    assert (code, err) == (0, "")
    targets = [line.partition(":")[0] for line in printed.splitlines()]
    assert targets == [str(tmp_path / "drums" / f"{name}.drums.mid") for name in names]


def test_json_prints_one_line_per_take(run: Run, song: Path, tmp_path: Path) -> None:
    code, out, _ = run(song, "--json", "--takes", 2, "--explain", "-o", tmp_path / "d.mid")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [line["output"] for line in lines] == [str(tmp_path / "d.1.mid"), str(tmp_path / "d.2.mid")]
    keys = {
        "input",
        "output",
        "bars",
        "hits",
        "seed",
        "seconds",
        "guitar",
        "why",
        "take",
        "grooves",
        "score",
        "explain",
        "model",
        "request",
    }
    assert all(set(line) == keys for line in lines)
    assert lines[0]["explain"][0].keys() == {"first", "last", "text"}


def test_existing_files_are_overwritten_only_with_force(run: Run, song: Path, tmp_path: Path) -> None:
    target = tmp_path / "drums.mid"
    target.write_bytes(b"precious")
    refused(run(song, "-o", target), 2, "exists already", "--force")
    assert target.read_bytes() == b"precious"
    assert run(song, "-o", target, "--force")[0] == 0
    assert target.read_bytes() != b"precious"
    refused(run(song, "-o", song, "--force"), 2, "would be written over")
    assert song.read_bytes() == SONG
    refused(run(song, "-o", tmp_path / "none" / "x.mid"), 2, "does not exist")
    assert not list(tmp_path.glob(".*"))


def test_a_dash_reads_standard_input_and_writes_standard_output(address: str, drummer: Drummer) -> None:
    done = program("-", "--server", address, "--explain", input=SONG)
    assert (done.returncode, done.stdout) == (0, drummer.accompany(SONG).to_bytes())
    assert b"bar" in done.stderr
    done = program("-", "--server", address, input=b"no music")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"seq2drum: standard input: this is not a MIDI file")


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        ([], "wanted a song"),
        (["nothing.mid"], "nothing.mid does not exist; give the path of a MIDI file"),
        (["x.mid", "--bars", "a"], "wanted A:B such as 9:16"),
        (["x.mid", "--bars", "5:2"], "the bars are 5:2"),
        (["x.mid", "--takes", "0"], "takes is 0, wanted 1 to 1000"),
        (["x.mid", "--seed", "-1"], "the seed is -1"),
        (["x.mid", "--loud"], "unrecognized arguments: --loud"),
        (["x.mid", "--timeout", "0"], "wanted more than 0"),
        (["x.mid", "y.mid", "-o", "-"], "cannot all go to standard output"),
        (["x.mid", "--info"], "leave out one of them"),
        (["x.mid", "--token-file", "nothing"], "nothing does not exist"),
        (["x.mid", "--tls-key", "k"], "belong together"),
        (["watch", "nowhere", "out"], "there is no folder 'nowhere'"),
        (["watch", "nowhere"], "required: OUT"),
        (["watch", ".", "out", "--settle", "-1"], "--settle is -1.0"),
    ],
)
def test_an_invalid_option_is_reported_in_one_line(
    run: Run, words: list[str], phrase: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(run(*words), 2, phrase)
    assert not (tmp_path / "x.drums.mid").exists()


def test_models_drum_maps_and_server_are_listed_in_lines_and_in_json(run: Run, song: Path) -> None:
    code, out, _ = run("--list-models")
    assert (code, out) == (0, "default: a small one\n  styles: jazz, rock\n")
    assert json.loads(run("--list-models", "--json")[1])["styles"] == ["jazz", "rock"]
    assert run("--list-grooves")[1] == "one-drop: one drop (4/4, reggae, 60-90 a minute)\n"
    groove = {"groove": "one-drop", "title": "one drop", "metre": "4/4", "style": "reggae", "tempo": [60, 90]}
    assert json.loads(run("--list-grooves", "--json")[1]) == groove
    assert run(song, "--list-grooves")[1] == "one-drop: one drop (4/4, reggae, 60-90 a minute, expected F1 0.51)\n"
    assert json.loads(run(song, "--list-grooves", "--json")[1]) == groove | {"expected_f1": 0.5123}
    assert run(song, song, "--list-grooves")[0] == 2
    assert run("--list-drum-maps")[1] == "gm: General MIDI\n  kick 36 35\n  RP-003; tried in synthesisers\n"
    drum_map = {
        "drum_map": "gm",
        "for": "General MIDI",
        "source": "RP-003",
        "tried": True,
        "pieces": {"kick": [36, 35]},
    }
    assert json.loads(run("--list-drum-maps", "--json")[1]) == drum_map
    code, out, _ = run("--info")
    assert code == 0
    assert "contract v1, lets in everyone" in out
    assert "max_midi_bytes" in json.loads(run("--info", "--json")[1])["limits"]


def test_the_exit_code_says_whose_fault_it_was(run: Run, song: Path, tmp_path: Path) -> None:
    refused(run(song, server=NOWHERE), 3, "no server answers", "python -m server")
    for do, code, phrase in (
        (ended(Code.RESOURCE_EXHAUSTED, "32 calls wait", "QUEUE_FULL", retry=1), 3, "32 calls wait"),
        (ended(Code.DEADLINE_EXCEEDED, "no time is left", "DEADLINE_PASSED"), 3, "no time"),
        (ended(Code.INTERNAL, "the server failed", "INTERNAL_ERROR", error_id="1"), 4, "the server failed"),
        (ended(Code.UNAUTHENTICATED, "the token is wrong", "CREDENTIALS_WRONG"), 2, "the token is wrong"),
        (ended(Code.INVALID_ARGUMENT, "it is damaged", "INVALID_MIDI"), 2, "it is damaged"),
    ):
        with serving(Scripted(do)) as where:
            refused(run(song, server=where), code, phrase)
    assert [path.name for path in tmp_path.iterdir()] == [song.name]


def test_a_missing_server_is_reported_once_and_not_for_every_song(run: Run, song: Path) -> None:
    other = song.with_name("other.mid")
    other.write_bytes(SONG)
    refused(run(song, other, server=NOWHERE), 3, "no server answers")


def test_a_token_comes_from_a_file_or_the_environment(
    run: Run, playing: Playing, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SEQ2DRUM_TOKEN", "from-there")
    assert run(song, "--force")[0] == 0
    assert playing.metadata[-1]["authorization"] == "Bearer from-there"
    (tmp_path / "token").write_text("from-file\n")
    assert run(song, "--force", "--token-file", tmp_path / "token")[0] == 0
    assert playing.metadata[-1]["authorization"] == "Bearer from-file"
    refused(run(song, "--force", server="studio.example"), 2, "for all to read")
    (tmp_path / "token").write_bytes(b"\xff")
    refused(run(song, "--force", "--token-file", tmp_path / "token"), 2, "holds no token")


def test_ctrl_c_cancels_the_call_and_exits_with_130(song: Path) -> None:
    started = threading.Event()

    def do(attempt: int, context: Any) -> Any:
        started.set()
        stall(context)

    servicer = Scripted(do)
    with serving(servicer) as where:
        words = [sys.executable, "-m", "client", str(song), "--server", where]
        with subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as process:
            try:
                assert started.wait(30)
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()
        assert (process.returncode, out, err) == (130, b"", b"seq2drum: stopped\n")
        assert servicer.cancelled.wait(10)
    assert [path.name for path in song.parent.iterdir()] == [song.name]


def test_a_server_that_dies_is_reported_in_one_line_and_no_file_is_left(song: Path) -> None:
    started = threading.Event()

    def do(attempt: int, context: Any) -> Any:
        started.set()
        stall(context)

    status = song.with_name("status")
    with serving(Scripted(do)) as where:
        words = [sys.executable, "-m", "client", str(song), "--server", where, "--status-file", str(status)]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
        try:
            assert started.wait(30)
        except BaseException:
            process.kill()
            raise
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (3, b"")
    assert re.fullmatch(rb"seq2drum: .*the server at \S+ closed the connection too early .*; try again\n", err), err
    assert json.loads(status.read_text())["code"] == 3
    assert sorted(path.name for path in song.parent.iterdir()) == [song.name, "status"]


def test_help_names_the_exit_codes_and_does_not_import_grpc() -> None:
    script = "import sys\nfrom client import cli\ncli.main(['--help'])\nprint('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "False"
    for word in ("--server", "--start-server", "--status-file", "  130  stopped", "  3    no server", "watch"):
        assert word in done.stdout
    assert program("watch", "--help").returncode == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["song.mid"], "grpc is not installed: pip install 'seq2drum[client]'"),
        (["--status"], "grpc is not installed: pip install 'seq2drum[client]'"),
        (["watch", "in", "out"], "grpc is not installed: pip install 'seq2drum[client]'"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_without_grpc_one_line_names_the_extra(words: list[str], message: str) -> None:
    script = f"import sys\nsys.modules['grpc'] = None\nfrom client import cli\nsys.exit(cli.main({words}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("absent.mid 2>&-", 2),
        (f"- -o - --server {NOWHERE} <&-", 3),
        (f"examples/waltz.mid -o - --server {NOWHERE} >&- 2>&-", 3),
    ],
)
def test_closed_standard_streams_are_no_failure_of_the_program(words: str, code: int) -> None:
    command = f"{sys.executable} -m client {words}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == code
    assert b"Traceback" not in done.stderr


def test_a_song_goes_to_a_standard_output_that_is_closed(address: str) -> None:
    command = f"{sys.executable} -m client examples/waltz.mid -o - --server {address} >&-"
    done = subprocess.run(["bash", "-c", command], capture_output=True, cwd=ROOT, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_closed_pipe_ends_the_program_without_a_message(address: str) -> None:
    command = f"{sys.executable} -m client - --server {address} | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], input=SONG, capture_output=True, cwd=ROOT, timeout=60, check=True)
    assert done.stderr == b""


# --- for programs -----------------------------------------------------------------------------------------------------


def watched_states(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Every line that the status file will hold: each takes its place whole."""
    lines: list[dict[str, Any]] = []
    replace = Path.replace

    def note(self: Path, target: Path) -> Path:
        placed = replace(self, target)
        if placed.name == "status":
            lines.append(json.loads(placed.read_text()))
        return placed

    monkeypatch.setattr(Path, "replace", note)
    return lines


def test_the_status_file_has_each_state_in_order_and_the_files_written(
    run: Run, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = watched_states(monkeypatch)
    code, _, err = run(song, "--takes", 2, "--status-file", tmp_path / "status")
    assert (code, err) == (0, "")
    assert [line["state"] for line in lines] == ["starting", "sending", "waiting", "playing", "done"]
    assert lines[0] == {
        "state": "starting",
        "bars_done": 0,
        "bars_total": 0,
        "message": "",
        "outputs": [],
        "seeds": [],
        "grooves": [],
        "plans": [],
        "code": None,
    }
    assert [(line["bars_done"], line["bars_total"]) for line in lines[2:]] == [(0, 16), (16, 16), (16, 16)]
    outputs = [str(tmp_path / f"my song.drums.{number}.mid") for number in (1, 2)]
    assert (lines[-1]["outputs"], lines[-1]["code"], len(lines[-1]["seeds"])) == (outputs, 0, 2)
    assert len(lines[-1]["grooves"]) == 2 and all(lines[-1]["grooves"])
    assert lines[-1]["plans"] == [[], []]  # the song has one section
    assert (tmp_path / "status").read_text().count("\n") == 1
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize(
    ("words", "code", "phrase"),
    [
        (["{song}", "--style", "polka"], 2, "there is no style 'polka'"),
        (["{song}", "--loud"], 2, "unrecognized arguments"),
        (["nothing.mid"], 2, "does not exist"),
        (["{song}", "--server", NOWHERE], 3, "no server answers"),
    ],
)
def test_the_status_file_has_the_exit_code_and_message_of_a_failure(
    run: Run, song: Path, tmp_path: Path, words: list[str], code: int, phrase: str
) -> None:
    words = [word.format(song=song) for word in words]
    result = run("--status-file", tmp_path / "status", *words, **({"server": None} if "--server" in words else {}))
    assert result[0] == code
    line = json.loads((tmp_path / "status").read_text())
    assert (line["state"], line["code"], line["outputs"]) == ("failed", code, [])
    assert phrase in line["message"]
    assert "\n" not in line["message"]


def test_a_status_file_that_cannot_be_written_is_refused_before_anything_is_sent(
    run: Run, song: Path, tmp_path: Path
) -> None:
    refused(run(song, "--status-file", tmp_path / "none" / "status"), 2, "name another file for the status")


def test_creating_the_cancel_file_cancels_the_call(run: Run, song: Path, tmp_path: Path) -> None:
    cancel, status = tmp_path / "cancel", tmp_path / "status"

    def do(attempt: int, context: Any) -> Any:
        cancel.touch()
        stall(context)

    servicer = Scripted(do)
    with serving(servicer) as where:
        result = run(song, "--cancel-file", cancel, "--status-file", status, server=where)
        assert servicer.cancelled.wait(10)
    refused(result, 130, "stopped")
    line = json.loads(status.read_text())
    assert (line["state"], line["code"], line["message"]) == ("failed", 130, "stopped")
    assert not song.with_name("my song.drums.mid").exists()


def test_status_says_in_one_line_whether_a_server_answers(run: Run, address: str, playing: Playing) -> None:
    code, out, _ = run("--status")
    status = json.loads(out)
    assert (code, status["serving"], status["address"]) == (0, True, address)
    code, out, _ = run("--status", server=NOWHERE)
    status = json.loads(out)
    assert (code, status["serving"], status["address"]) == (3, False, NOWHERE)
    assert "no server answers" in status["message"]
    with serving(playing, ready=False) as where:
        assert run("--status", server=where)[0] == 3


def note(address: str, token: str | None = None) -> Path:
    """Write the state file that this process would write were it the server; returns its path."""
    path = discovery.state_file()
    path.parent.mkdir(parents=True, exist_ok=True)
    port, started = int(address.rpartition(":")[2]), psutil.Process().create_time()
    line = {"address": address, "port": port, "pid": os.getpid(), "started": started}
    path.write_text(json.dumps(line | ({"token": token} if token else {})))
    path.chmod(0o600)
    return path


def test_the_address_is_the_one_given_else_that_of_the_state_file_else_the_default(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert discovery.find(None) == discovery.Location("localhost:50051")
    path = note(address, "its-token")
    assert discovery.find(None) == discovery.Location(address, "its-token")
    assert discovery.find("studio") == discovery.Location("studio:50051", named=True)
    monkeypatch.setenv("SEQ2DRUM_SERVER", "garage:4")
    assert discovery.find(None) == discovery.Location("garage:4", named=True)
    assert discovery.find("studio") == discovery.Location("studio:50051", named=True)
    monkeypatch.delenv("SEQ2DRUM_SERVER")
    for text in ("", "{", "[]", "null", '{"address": 4}', '{"address": "drums.example:1"}', '{"address": "a b"}'):
        path.write_text(text)
        assert discovery.find(None) == discovery.Location("localhost:50051")
    note(NOWHERE)  # of a server that was killed
    assert discovery.find(None) == discovery.Location("localhost:50051")


def test_a_note_of_a_server_that_is_gone_is_nothing_whoever_has_its_port_now(address: str) -> None:
    path = note(address, "its-token")
    written = json.loads(path.read_text())
    assert discovery.find(None) == discovery.Location(address, "its-token")
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for change in ({"pid": gone.pid}, {"started": written["started"] - 60}, {"started": None}, {"pid": -1}, {"pid": 1}):
        path.write_text(json.dumps(written | change))
        assert discovery.find(None) == discovery.Location("localhost:50051"), change
    path.write_text(json.dumps({name: value for name, value in written.items() if name != "started"}))
    assert discovery.find(None) == discovery.Location("localhost:50051")


@pytest.mark.skipif(os.name != "posix", reason="owners and modes of files are of POSIX")
def test_a_note_that_others_may_have_written_is_nothing(address: str) -> None:
    path = note(address, "its-token")
    path.chmod(0o622)
    assert discovery.find(None) == discovery.Location("localhost:50051")
    path.chmod(0o600)
    assert discovery.find(None) == discovery.Location(address, "its-token")
    for process, file, mode, mine in (
        (7, 7, 0o100600, True),
        (7, 7, 0o100644, True),
        (7, 7, 0o100664, False),
        (7, 7, 0o120600, False),  # no plain file
        (0, 0, 0o100644, True),  # the administrator's servers are anybody's
        (8, 8, 0o100600, False),
        (7, 8, 0o100600, False),
        (8, 7, 0o100600, False),
        (0, 7, 0o100600, False),
    ):
        assert discovery.is_own(process, file, mode, user=7) is mine, (process, file, oct(mode))


def test_a_state_file_that_the_environment_names_is_read(
    run: Run, address: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    usual = discovery.state_file()
    monkeypatch.setenv("SEQ2DRUM_STATE_FILE", str(tmp_path / "elsewhere" / "it.json"))
    assert note(address) == tmp_path / "elsewhere" / "it.json"
    code, out, _ = run("--status", server=None)
    assert (code, json.loads(out)["address"]) == (0, address)
    for nowhere in ("none", ""):
        monkeypatch.setenv("SEQ2DRUM_STATE_FILE", nowhere)
        assert discovery.state_file() == usual


def test_the_token_of_a_server_that_runs_here_is_used(run: Run, address: str, playing: Playing, song: Path) -> None:
    note(address, "its-token")
    assert run(song, server=None)[0] == 0
    assert playing.metadata[-1]["authorization"] == "Bearer its-token"


STAND_IN = """
import json, os, psutil, sys, time
sys.path.insert(0, {root!r})
from tests.fake_server import Playing, serving
from client import discovery
from seq2drum import Drummer
print("words:", *sys.argv[1:], file=sys.stderr, flush=True)
port = int(sys.argv[sys.argv.index("--port") + 1])
with serving(Playing(Drummer.load()), port=port) as where:
    path = discovery.state_file()
    started = psutil.Process().create_time()
    path.write_text(json.dumps({{"address": where, "port": 1, "pid": os.getpid(), "started": started}}))
    path.chmod(0o600)
    until = time.monotonic() + 60
    while path.exists() and time.monotonic() < until:
        time.sleep(0.05)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What --start-server starts is a stand-in, which ends when its state file is removed; gives that file."""
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(root=str(ROOT)))
    monkeypatch.setattr(discovery, "COMMAND", (sys.executable, str(script)))
    yield discovery.state_file()
    pid = json.loads(discovery.state_file().read_text())["pid"] if discovery.state_file().exists() else None
    discovery.state_file().unlink(missing_ok=True)
    if pid is not None:
        gone(pid)


def test_a_server_is_started_if_none_answers_and_only_then(
    run: Run, song: Path, stand_in: Path, drummer: Drummer
) -> None:
    code, _, err = run(song, "--start-server", server=None)
    assert (code, err) == (0, "")
    assert song.with_name("my song.drums.mid").read_bytes() == drummer.accompany(SONG).to_bytes()
    assert f"words: --port 0 --idle-exit 900 --state-file {stand_in}" in stand_in.with_name("server.log").read_text()
    first = json.loads(stand_in.read_text())["pid"]
    code, out, _ = run("--status", "--start-server", server=None)
    assert (code, json.loads(out)["serving"]) == (0, True)
    assert json.loads(stand_in.read_text())["pid"] == first


def test_a_server_that_ends_first_leaves_no_zombie(run: Run, stand_in: Path) -> None:
    assert run("--status", "--start-server", server=None)[0] == 0
    pid = json.loads(stand_in.read_text())["pid"]
    stand_in.unlink()
    gone(pid)


def test_a_server_that_cannot_be_started_says_why(
    run: Run, song: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "broken.py"
    script.write_text("import sys; sys.exit('the model is damaged')")
    monkeypatch.setattr(discovery, "COMMAND", (sys.executable, str(script)))
    refused(run(song, "--start-server", server=None), 3, "could not be started: the model is damaged")
    monkeypatch.setattr(discovery, "COMMAND", (str(tmp_path / "nothing"),))
    refused(run(song, "--start-server", server=None), 3, "could not be started (No such file")
    refused(run(song, "--start-server", server="studio.example:1"), 2, "not this machine's to start")
