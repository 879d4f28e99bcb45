"""Mode page: a server of its own, the page's address, and its end."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from seq2drum.cli import main
from tests.conftest import ROOT

pytest.importorskip("uvicorn", reason="the page needs seq2drum[page]")


def test_a_missing_package_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "starlette" else find(name))
    assert main(["--mode", "page"]) == 2
    assert capsys.readouterr().err == "seq2drum: starlette is not installed: pip install 'seq2drum[page]'\n"


@pytest.mark.parametrize("port", ["-1", "65536", "web"])
def test_a_port_that_is_none_is_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--mode", "page", "--port", port]) == 2
    assert "--port" in capsys.readouterr().err


@pytest.fixture
def started(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`seq2drum --mode page --no-browser` on any free port."""
    command = [sys.executable, "-m", "seq2drum", "--mode", "page", "--port", "0", "--no-browser"]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOME": str(tmp_path)},
    ) as process:
        try:
            yield process
        finally:
            for one in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
                one.kill()
            process.kill()


@pytest.mark.slow
def test_it_prints_the_address_serves_the_page_and_ends_with_ctrl_c(started: subprocess.Popen[str]) -> None:
    assert started.stdout and started.stderr
    address, _, token = started.stdout.readline().strip().partition("#token=")
    assert address.startswith("http://127.0.0.1:") and len(token) > 30
    with urllib.request.urlopen(address, timeout=60) as page:
        assert b"<html" in page.read()
    call = urllib.request.Request(f"{address}api/GetServerInfo", b"{}\n", {"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(call, timeout=60) as reply:
        assert b"maxTakes" in reply.read()
    # No process has the token among its words: all users of a machine see those.
    below = psutil.Process(started.pid).children(recursive=True)
    assert below and not any(token in word for one in below for word in one.cmdline())
    # A second one on this port.
    port = address.rpartition(":")[2].strip("/")
    command = [sys.executable, "-m", "seq2drum", "--mode", "page", "--port", port, "--no-browser"]
    second = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert second.returncode == 2 and not second.stdout
    assert f"port {port} of 127.0.0.1 is in use" in second.stderr and "--port 0" in second.stderr
    assert len(second.stderr.splitlines()) == 1
    # Its end.
    started.send_signal(signal.SIGINT)
    assert started.wait(60) == 130 and started.stderr.read() == "seq2drum: stopped\n"
    psutil.wait_procs(below, 30)
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below)
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(address, timeout=60)


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_its_server_ends_with_it_whoever_ends_it(started: subprocess.Popen[str], name: str) -> None:
    assert started.stdout and started.stdout.readline()
    below = psutil.Process(started.pid).children(recursive=True)
    started.send_signal(getattr(signal, name))
    assert started.wait(60) == 130
    psutil.wait_procs(below, 30)
    assert below and not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in below)


@pytest.mark.slow
def test_a_server_that_ends_ends_the_command_with_a_sentence(started: subprocess.Popen[str]) -> None:
    assert started.stdout and started.stderr
    started.stdout.readline()
    psutil.Process(started.pid).children()[0].kill()
    assert started.wait(60) == 2
    assert started.stderr.read().startswith("seq2drum: the page's server has ended with code")


@pytest.mark.slow
def test_it_opens_the_browser_at_the_address_with_the_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = []

    def open_browser(address: str) -> bool:
        opened.append(address)
        with socket.create_connection(("127.0.0.1", int(address.partition("#")[0].rpartition(":")[2].strip("/"))), 10):
            raise KeyboardInterrupt

    monkeypatch.setattr(webbrowser, "open", open_browser)
    assert main(["--mode", "page", "--port", "0"]) == 130
    assert "/#token=" in opened[0] and "token" not in capsys.readouterr().out


@pytest.mark.slow
def test_a_server_without_a_page_loads_nothing_that_the_page_needs() -> None:
    code = "import sys; from server import cli, lifecycle; print({'starlette', 'uvicorn'} & set(sys.modules))"
    done: Any = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
