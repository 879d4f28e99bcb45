"""The server as it is started: a process of its own, with its workers and the shipped model."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

import seq2drum
from seq2drum import Drummer, Options
from seq2drum.formats.midi import midi
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc import accompaniment_pb2_grpc as rpc
from server.service import NAME
from tests.players import strummed
from tests.servers import ROOT, Process, process, run_server

SERVING, NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING
SMALL = ("--port", "0", "--engines", "1", "--screens", "1")
posix = pytest.mark.skipif(os.name != "posix", reason="another process can be asked to stop by a signal on POSIX only")


@contextlib.contextmanager
def client(port: int) -> Iterator[Any]:
    """A stub, and the channel it is on."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield rpc.AccompanimentServiceStub(channel), channel


def health(channel: Any, service: str = "") -> int:
    stub: Any = health_pb2_grpc.HealthStub(channel)
    status: int = stub.Check(health_pb2.HealthCheckRequest(service=service)).status
    return status


def reason(error: grpc.RpcError) -> str:
    metadata: Any = error.trailing_metadata()
    return str(dict(metadata)["grpc-status-details-bin"])


def said(server: Process) -> list[str]:
    """What a server said for people, in a log of JSON."""
    lines = [json.loads(line) for line in server.printed().splitlines()]
    return [line["message"] for line in lines if line["event"] == "said"]


def figures(server: Process) -> str:
    """The address of a server's figures."""
    return "\n".join(said(server)).split("figures at ")[1].split()[0]


@pytest.fixture(scope="module")
def song() -> bytes:
    return midi.serialise(strummed(24))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Process, int]]:
    """A server that is ready, for the tests that leave it running, and its port."""
    with process(tmp_path_factory.mktemp("server"), *SMALL, "--metrics-port", "0") as running:
        port = running.port()
        running.wait("ready in")
        yield running, port


# --- a server that runs -----------------------------------------------------------------------------------------------


def test_the_drums_are_byte_for_byte_those_of_the_core_by_either_method(
    server: tuple[Process, int], song: bytes
) -> None:
    expected = Drummer.load().accompany(song, Options(seed=5)).to_bytes()
    with client(server[1]) as (stub, _):
        config = pb.GenerationConfig(seed=5)
        unary = stub.GenerateDrums(pb.GenerateDrumsRequest(midi=song, config=config), timeout=60)
        sent = [pb.StreamGenerateDrumsRequest(config=pb.StreamConfig(config=config, send_bar_events=True))]
        sent += [pb.StreamGenerateDrumsRequest(midi_chunk=song[at : at + 100]) for at in range(0, len(song), 100)]
        pieces = list(stub.StreamGenerateDrums(iter(sent), timeout=60))
    assert unary.takes[0].midi == expected
    assert b"".join(piece.file_chunk.data for piece in pieces) == expected
    assert [piece.bar_events.bar for piece in pieces if piece.HasField("bar_events")] == list(range(1, 25))


def test_it_prints_its_address_in_one_line_and_writes_it_to_a_file_for_its_owner(server: tuple[Process, int]) -> None:
    running, port = server
    (line,) = [line for line in said(running) if "ready in" in line]
    assert line.startswith(f"seq2drum-server: listening on 127.0.0.1:{port}, models: default, live, ready in ")
    state = json.loads(running.state.read_text())
    started = psutil.Process(running.process.pid).create_time()
    assert abs(state.pop("started") - started) < 2
    address, pid = f"127.0.0.1:{port}", running.process.pid
    assert state == {"address": address, "port": port, "pid": pid, "version": seq2drum.__version__}
    if os.name == "posix":
        assert stat.S_IMODE(running.state.stat().st_mode) == 0o600


def test_health_is_answered_for_the_server_and_for_the_service(server: tuple[Process, int]) -> None:
    with client(server[1]) as (_, channel):
        assert health(channel) == health(channel, NAME) == SERVING
        with pytest.raises(grpc.RpcError) as error:
            health(channel, "seq2drum.v2.Other")
        assert error.value.code() == grpc.StatusCode.NOT_FOUND


def test_figures_are_on_a_page_on_loopback(server: tuple[Process, int], song: bytes) -> None:
    with client(server[1]) as (stub, _):
        stub.GenerateDrums(pb.GenerateDrumsRequest(midi=song), timeout=60)
    address = figures(server[0])
    page = urllib.request.urlopen(address, timeout=10).read().decode()
    for name in (
        'seq2drum_calls_total{method="GenerateDrums",reason="",status="OK"}',
        'seq2drum_stage_seconds_bucket{le="0.005",stage="queue"}',
        "seq2drum_batch_size_count",
        "seq2drum_waiting 0.0",
        "seq2drum_playing 0.0",
        "seq2drum_bars_total",
        'seq2drum_model_info{id="default",sha256="',
        'seq2drum_worker_restarts_total{kind="player"} 0.0',
        "seq2drum_expired_in_queue_total 0.0",
    ):
        assert name in page, name


def test_a_second_server_on_the_port_names_the_first_and_what_to_do(server: tuple[Process, int]) -> None:
    running, port = server
    state = {"SEQ2DRUM_STATE_FILE": str(running.state)}
    for host in ("127.0.0.1", "localhost", "0.0.0.0"):
        second = run_server(["--port", str(port), "--host", host, "--insecure", "--insecure"], state)
        assert second.returncode == 2 and second.stdout == ""
        (line,) = second.stderr.splitlines()
        assert f":{port} is in use by the seq2drum server with process id {running.process.pid};" in line
        assert line.endswith("--port 0")
    assert json.loads(running.state.read_text())["pid"] == running.process.pid  # the second one leaves it alone
    with client(port) as (_, channel):
        assert health(channel) == SERVING


@posix
def test_a_player_that_is_killed_shows_in_health_and_is_replaced(server: tuple[Process, int], song: bytes) -> None:
    running, port = server
    with client(port) as (stub, channel):
        watching: Any = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert next(watching).status == SERVING
        (player,) = running.players()
        player.kill()
        assert next(watching).status == NOT_SERVING
        assert next(watching).status == SERVING
        watching.cancel()
        stub.GenerateDrums(pb.GenerateDrumsRequest(midi=song), timeout=60)
    address = figures(running)
    page = urllib.request.urlopen(address, timeout=10).read().decode()
    assert 'seq2drum_worker_restarts_total{kind="player"} 1.0' in page


def test_the_process_that_answers_calls_imports_no_music_and_no_models() -> None:
    code = "import sys, server.cli, server.lifecycle; print(*{name.partition('.')[0] for name in sys.modules})"
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    assert not {"numpy", "symusic", "onnxruntime", "torch", "music21"} & set(result.stdout.split())
    assert "grpc" in result.stdout.split()


# --- starts that fail -------------------------------------------------------------------------------------------------


def taken_port() -> tuple[socket.socket, int]:
    line = socket.socket()
    line.bind(("127.0.0.1", 0))
    line.listen()
    return line, line.getsockname()[1]


def test_a_port_that_another_program_has_is_refused_in_one_line() -> None:
    line, port = taken_port()
    with line:
        result = run_server(["--port", str(port)])
        assert result.returncode == 2
        assert result.stderr == (
            f"seq2drum-server: 127.0.0.1:{port} is in use by another program; "
            "stop it, or choose any free port: --port 0\n"
        )
        result = run_server(["--port", "0", "--metrics-port", str(port)])
        assert result.returncode == 2 and result.stderr.count("\n") == 1 and f"port {port}" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "99999"], "--port (SEQ2DRUM_PORT) is 99,999"),
        (["--host", "0.0.0.0"], "--insecure twice"),
        (["--host", "0.0.0.0", "--insecure"], "--insecure twice"),
        (["--host", "192.0.2.1", "--insecure", "--insecure", "--port", "0"], "cannot be listened on"),
        (["--bad"], "--help lists all options"),
        (["--port", "0", "--model", "mine=/nowhere"], "there is no model '/nowhere'"),
    ],
)
def test_a_start_that_cannot_be_ends_with_2_and_one_line(arguments: list[str], words: str) -> None:
    result = run_server(arguments)
    assert result.returncode == 2, result.stderr
    lines = [line for line in result.stderr.splitlines() if not line.startswith("{")]
    assert len(lines) == 1 and lines[0].startswith("seq2drum-server: ") and words in lines[0]


def test_environment_variables_set_what_flags_set() -> None:
    result = run_server([], {"SEQ2DRUM_HOST": "0.0.0.0"})
    assert result.returncode == 2 and "--host (SEQ2DRUM_HOST) is '0.0.0.0'" in result.stderr


# --- the end ----------------------------------------------------------------------------------------------------------


class Calling:
    """A call in a thread of its own, once the server plays it."""

    def __init__(self, port: int, song: bytes) -> None:
        self.began, self.reply, self.error = threading.Event(), pb.GenerateDrumsResponse(), ""
        self._thread = threading.Thread(target=self._run, args=(port, song))
        self._thread.start()
        assert self.began.wait(60)

    def _run(self, port: int, song: bytes) -> None:
        config = pb.StreamConfig(send_bar_events=True, config=pb.GenerationConfig(takes=2))
        sent = [pb.StreamGenerateDrumsRequest(config=config)]
        sent += [pb.StreamGenerateDrumsRequest(midi_chunk=song[at : at + 50_000]) for at in range(0, len(song), 50_000)]
        try:
            with client(port) as (stub, _):
                for piece in stub.StreamGenerateDrums(iter(sent), timeout=120):
                    if piece.HasField("bar_events"):
                        self.began.set()
                    if piece.HasField("summary"):
                        self.reply = piece.summary
        except grpc.RpcError as error:
            self.error = error.code().name + str(error.trailing_metadata())
        finally:
            self.began.set()

    def end(self) -> None:
        self._thread.join(120)


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_when_asked_to_stop_it_finishes_running_calls_and_refuses_new_ones(number: int, tmp_path: Path) -> None:
    long = midi.serialise(strummed(150))
    with process(tmp_path, *SMALL, "--grace-seconds", "300") as running:
        port = running.port()
        running.wait("ready in")
        with client(port) as (stub, channel):
            call = Calling(port, long)
            assert health(channel) == SERVING
            running.signal(number)
            running.wait("stopping")
            assert health(channel) == NOT_SERVING
            with pytest.raises(grpc.RpcError) as error:
                stub.GenerateDrums(pb.GenerateDrumsRequest(midi=long), timeout=60)
            assert error.value.code() == grpc.StatusCode.UNAVAILABLE and "SHUTTING_DOWN" in reason(error.value)
        call.end()
        assert not call.error and len(call.reply.takes) == 2
        assert running.end() == 0
        assert not running.state.exists()
        assert "Traceback" not in running.printed()


@pytest.mark.slow
@posix
def test_a_second_signal_ends_it_at_once_and_no_worker_outlives_it(tmp_path: Path) -> None:
    long = midi.serialise(strummed(1500))
    with process(tmp_path, *SMALL, "--grace-seconds", "600") as running:
        port = running.port()
        running.wait("ready in")
        call = Calling(port, long)
        workers = psutil.Process(running.process.pid).children(recursive=True)
        assert len(workers) == 2
        running.signal()
        running.wait("stopping")
        running.signal()
        assert running.end(30) == 0
        call.end()
        assert call.error.startswith("UNAVAILABLE") and "SHUTTING_DOWN" in call.error
        assert not psutil.wait_procs(workers, timeout=10)[1]
        assert "Traceback" not in running.printed()


@pytest.mark.slow
@posix
def test_the_workers_of_a_server_that_is_killed_end(tmp_path: Path) -> None:
    with process(tmp_path, *SMALL) as running:
        running.wait("ready in")
        workers = psutil.Process(running.process.pid).children(recursive=True)
        running.process.kill()
        assert not psutil.wait_procs(workers, timeout=20)[1]


@posix
@pytest.mark.parametrize(
    "flags", [(), pytest.param(("--hold-until-ready", "--drain-delay", "3600"), marks=pytest.mark.slow)]
)
def test_it_can_be_stopped_before_it_is_ready(flags: tuple[str, ...], tmp_path: Path) -> None:
    with process(tmp_path, *SMALL, *flags) as running:
        running.port()
        running.signal()
        assert running.end(30) == 0
        assert not running.state.exists() and "Traceback" not in running.printed()


@pytest.mark.slow
def test_calls_that_come_while_it_starts_wait_for_it_if_that_is_set(tmp_path: Path, song: bytes) -> None:
    with process(tmp_path, *SMALL, "--hold-until-ready") as running, client(running.port()) as (stub, _):
        assert stub.GenerateDrums(pb.GenerateDrumsRequest(midi=song), timeout=120).takes


@pytest.mark.slow
def test_a_server_without_calls_ends_by_itself_if_that_is_set(tmp_path: Path) -> None:
    with process(tmp_path, *SMALL, "--idle-exit", "0.5") as running:
        assert running.end(60) == 0
        assert "stopped" in running.printed() and not running.state.exists()


@pytest.mark.slow
def test_an_open_call_keeps_a_server_that_would_end_by_itself(tmp_path: Path) -> None:
    with process(tmp_path, *SMALL, "--idle-exit", "1") as running, client(running.port()) as (stub, _):
        running.wait("ready in")
        done = threading.Event()

        def slow() -> Iterator[Any]:
            yield pb.StreamGenerateDrumsRequest(config=pb.StreamConfig())
            done.wait(60)

        call = stub.StreamGenerateDrums(slow(), timeout=60)
        time.sleep(3)
        assert running.process.poll() is None
        done.set()
        with pytest.raises(grpc.RpcError) as error:
            list(call)
        assert error.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        assert running.end(60) == 0
