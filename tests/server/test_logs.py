"""The log: nobody waits for its reader, every line of JSON is JSON, and no text in it steers a terminal."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from seq2drum.music.shown import visible
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc import accompaniment_pb2_grpc as rpc
from server import logs
from tests.servers import ROOT, process

FULL = Path("/dev/full")


@pytest.fixture(autouse=True)
def _root() -> Iterator[None]:
    """The handlers of logging, as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    logging.captureWarnings(False)
    root.handlers[:] = handlers
    root.setLevel(level)


def read(file: int, stream: logs.NonBlockingStream) -> list[str]:
    """All that comes until nothing more is to be written."""
    os.set_blocking(file, False)
    data, end = b"", time.monotonic() + 20
    while time.monotonic() < end:
        is_written = stream.close(0.05)
        with contextlib.suppress(BlockingIOError):
            while part := os.read(file, 1 << 16):
                data += part
        if is_written:
            break
    return data.decode().splitlines()


def test_nobody_waits_for_a_reader_that_stalls_and_what_was_dropped_is_counted_and_told() -> None:
    out, into = os.pipe()
    os.set_blocking(into, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(into, b"\n" * 512)  # it takes no more
    os.set_blocking(into, True)
    stream = logs.NonBlockingStream(into, 100, logs.log_dropped)
    logs.set_up("json", stream)
    for number in range(5000):
        logs.log("call", number=number)
    assert stream.dropped == logs.dropped_lines() > 0
    assert not stream.close(0)
    taken = [*read(out, stream), *read(out, stream)]  # what is told of the loss comes behind the lines
    assert stream.close(20)
    lines = [json.loads(line) for line in taken if line]
    calls = [line["number"] for line in lines if line["event"] == "call"]
    told = sum(line["lines"] for line in lines if line["event"] == "lines of the log were dropped")
    assert calls == sorted(calls) and len(calls) + told == 5000 and told == stream.dropped
    os.close(out)
    os.close(into)


@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
def test_a_full_disk_ends_nothing() -> None:
    with FULL.open("wb") as full:
        stream = logs.NonBlockingStream(full.fileno(), lost=logs.log_dropped)
        logs.set_up("json", stream)
        logs.log("call")
        stream.close(10)
        assert stream.dropped == 1


def test_what_a_worker_says_is_an_event_whatever_it_is() -> None:
    stream = io.StringIO()
    logs.set_up("json", stream)
    logs.relay('{"time": "x", "level": "error", "event": "a fault", "error_id": "7"}')
    for line in ("[W:onnxruntime] something", '"text"', "[]", '{"event": "no level"}', '{"event": 1, "level": "loud"}'):
        logs.relay(line)
    first, *others = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert (first["event"], first["level"], first["error_id"]) == ("a fault", "error", "7")
    assert {(line["event"], line["level"]) for line in others} == {("a worker said", "warning")}
    assert others[0]["line"] == "[W:onnxruntime] something"


def test_a_line_for_people_is_an_event_where_the_log_is_json() -> None:
    for style, shown in (("text", "listening\\x1b[2J"), ("json", "listening\x1b[2J")):
        stream = io.StringIO()
        logs.set_up(style, stream)
        logs.say("listening\x1b[2J")
        line = stream.getvalue().removesuffix("\n")
        assert (json.loads(line)["message"] if style == "json" else line) == shown


def test_what_would_steer_a_terminal_is_escaped_and_all_else_is_as_it_is() -> None:
    assert visible("\x1b]0;title\x07\x9b2J\r\x7f\u202e") == "\\x1b]0;title\\x07\\x9b2J\\r\\x7f\\u202e"
    assert visible("Gitarre 1: Übung\n\tfür ギター") == "Gitarre 1: Übung\n\tfür ギター"


@pytest.mark.skipif(os.name != "posix", reason="such names are of POSIX")
@pytest.mark.parametrize("program", ["client", "seq2drum"])
def test_escape_codes_in_the_name_of_a_file_do_not_reach_the_terminal(program: str, tmp_path: Path) -> None:
    name = "\x1b]0;owned\x07.mid"
    (tmp_path / name).write_bytes(b"no music")
    words = [tmp_path / name, "--server", "127.0.0.1:1"] if program == "client" else [tmp_path / name]
    ended = subprocess.run(
        [sys.executable, "-m", program, *words], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert ended.returncode and "\x1b" not in ended.stderr + ended.stdout


# --- the whole --------------------------------------------------------------------------------------------------------


def ask(port: int, count: int) -> None:
    """Call the server so often, for nothing that takes time."""
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        stub: Any = rpc.AccompanimentServiceStub(channel)
        for _ in range(count):
            stub.GetServerInfo(pb.GetServerInfoRequest(), timeout=10)


@pytest.mark.slow
@pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("where", ["stalls", "is full"])
def test_a_server_whose_log_nobody_takes_answers_and_ends(where: str, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "server",
        "--port",
        "0",
        "--engines",
        "1",
        "--screens",
        "1",
        "--state-file",
        "none",
    ]
    with FULL.open("wb") as full:
        errors: Any = full if where == "is full" else subprocess.PIPE
        server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True)
        try:
            assert server.stdout
            ask(int(server.stdout.readline()), 3000)  # more than a pipe holds
            server.terminate()
            assert server.wait(60) == 0
        finally:
            server.kill()
            server.communicate()


@pytest.mark.slow
def test_every_line_of_a_server_is_json(tmp_path: Path) -> None:
    with process(tmp_path, "--port", "0", "--engines", "1", "--metrics-port", "0", "--log-format", "json") as server:
        ask(server.port(), 3)
        server.wait("ready in")
        server.process.terminate()
        assert server.end() == 0
        lines = [json.loads(line) for line in server.printed().splitlines()]
    events = [line["event"] for line in lines]
    assert events.count("call") == 3 and {"ready", "said", "stopping", "stopped"} <= set(events)


@pytest.mark.slow
def test_a_start_that_fails_is_told_in_one_line_of_json_where_that_was_promised(tmp_path: Path) -> None:
    words = ["--model", f"mine={tmp_path}", "--state-file", "none", "--port", "0", "--log-format", "json"]
    ended = subprocess.run([sys.executable, "-m", "server", *words], cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 2
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert "cannot be served" in lines[-1]["message"]
