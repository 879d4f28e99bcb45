"""A real server in a separate process, for measurements and tests: started, watched, read and ended.

It knows how a server starts and what it prints for its operator, and nothing of its calls.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil
from prometheus_client.parser import text_string_to_metric_families

from bench.machine import environment

SERVER = ("-m", "server")
START_SECONDS = 60.0  # that a start may take on a busy machine
HEALTH = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"  # a HealthCheckResponse that says so
POLL_SECONDS = 0.01
FIGURES = re.compile(r"http://127\.0\.0\.1:\d+/metrics")


@dataclass
class Served:
    """A server that runs. folder: where it has its state file, its log and its temporary files."""

    process: subprocess.Popen[bytes]
    folder: Path
    state: dict[str, Any]
    started: float
    serving_after: float = 0.0

    @property
    def address(self) -> str:
        """The address where it answers."""
        return f"127.0.0.1:{self.state['port']}"

    @property
    def log(self) -> str:
        """All that it has said."""
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines of its log of one kind."""
        entries = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in entries if line.get("event") == event]

    def health(self, service: str = "", seconds: float = 2.0) -> str:
        """Return its health: SERVING, NOT_SERVING, or the status that it answered with."""
        request = bytes([10, len(service)]) + service.encode() if service else b""
        with grpc.insecure_channel(self.address, [("grpc.enable_http_proxy", 0)]) as channel:
            try:
                reply = channel.unary_unary(HEALTH, bytes, bytes)(request, timeout=seconds)
            except grpc.RpcError as error:
                return str(error.code().name)
        return "SERVING" if reply == SERVING else "NOT_SERVING"

    def wait(self, health: str = "SERVING", seconds: float = START_SECONDS) -> float:
        """Wait until its health is so; returns how many seconds that took."""
        begun = time.perf_counter()
        while (answer := self.health()) != health:
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended with {self.process.returncode}:\n{self.log}")
            if time.perf_counter() - begun > seconds:
                raise RuntimeError(f"the server's health is {answer} after {seconds:g} s, wanted {health}:\n{self.log}")
            time.sleep(POLL_SECONDS)
        return time.perf_counter() - begun

    def figures(self) -> dict[tuple[str, ...], float]:
        """Its figures for Prometheus: by name and the values of their labels, in the order of the labels' names."""
        place = FIGURES.search(self.log)
        if place is None:
            raise RuntimeError(f"the server has not said where its figures are:\n{self.log}")
        with urllib.request.urlopen(place[0], timeout=10) as page:
            families = text_string_to_metric_families(page.read().decode())
            return {
                (sample.name.removeprefix("seq2drum_"), *(sample.labels[name] for name in sorted(sample.labels))): (
                    sample.value
                )
                for family in families
                for sample in family.samples
            }

    def total(self, name: str, *labels: str) -> float:
        """A figure, summed over all labels of which the given ones are among the values."""
        return sum(value for key, value in self.figures().items() if key[0] == name and set(labels) <= set(key[1:]))

    def tree(self) -> list[psutil.Process]:
        """Its process and all below it."""
        front = psutil.Process(self.process.pid)
        return [front, *front.children(recursive=True)]

    def workers(self, kind: str) -> list[psutil.Process]:
        """Its workers that live: "parser" or "player"."""
        processes = []
        for process in self.tree()[1:]:
            try:
                if f"server.{kind}" in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                    processes.append(process)
            except psutil.NoSuchProcess:
                continue
        return processes

    def memory(self) -> int:
        """Bytes of all its processes that are in memory."""
        return sum(process.memory_info().rss for process in self.tree())

    def end(self, seconds: float = 40.0) -> int:
        """Stop it, and wait until it ends; return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill its process and all below it, without a chance to end by themselves."""
        if self.process.poll() is None:
            for process in reversed(self.tree()):
                process.kill()
        self.process.wait()


def begin(folder: Path, *flags: str, program: Sequence[str] = SERVER, environ: dict[str, str] | None = None) -> Served:
    """Start a server on a free port and wait until it is there; not until it is ready."""
    (folder / "tmp").mkdir()
    state = folder / "server.json"
    known = ["--port", "0", "--metrics-port", "0", "--log-format", "json", "--state-file", str(state)]
    whole = environment(TMPDIR=str(folder / "tmp"), OMP_NUM_THREADS="1")
    clean = {name: value for name, value in whole.items() if not name.startswith("SEQ2DRUM_")} | (environ or {})
    begun = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *program, *known, *flags],
            cwd=folder,
            env=clean,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    served = Served(process, folder, {}, begun)
    try:
        while not served.state:
            if process.poll() is not None:
                raise RuntimeError(f"the server ended with {process.returncode}:\n{served.log}")
            if time.perf_counter() - begun > START_SECONDS:
                raise RuntimeError(f"the server has not said where it is:\n{served.log}")
            if state.exists():
                served.state = json.loads(state.read_text(encoding="utf-8"))
            else:
                time.sleep(POLL_SECONDS)
    except BaseException:
        served.kill()
        raise
    return served


@contextmanager
def serving(*flags: str, program: Sequence[str] = SERVER, environ: dict[str, str] | None = None) -> Iterator[Served]:
    """A server that is ready, until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="seq2drum-") as folder:
        served = begin(Path(folder), *flags, program=program, environ=environ)
        try:
            served.wait()
            served.serving_after = time.perf_counter() - served.started
            yield served
        finally:
            served.kill()
