"""Mode page: a server of its own, the page's address, and its end."""

from __future__ import annotations

import base64
import contextlib
import importlib.util
import json
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

from seq2drum.cli import main, page
from seq2drum.errors import OptionError
from tests.conftest import ROOT
from tests.web.browser import waited

pytest.importorskip("uvicorn", reason="the page needs seq2drum[page]")


def test_a_missing_package_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "starlette" else find(name))
    assert main(["--mode", "page"]) == 2
    assert capsys.readouterr().err == "seq2drum: starlette is not installed: pip install 'seq2drum[page]'\n"


def test_seq2drum_alone_opens_the_page_and_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "run", lambda options: 7 if options.mode == "page" and not options.no_browser else 1)
    assert main([]) == 7
    monkeypatch.setattr(page, "missing", lambda: "starlette")
    assert main([]) == 2
    err = capsys.readouterr().err
    assert "pip install 'seq2drum[page]'" in err and "seq2drum demo" in err and err.count("\n") == 1


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
        env={**os.environ, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path), "XDG_DATA_HOME": ""},
    ) as process:
        try:
            yield process
        finally:
            for one in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
                one.kill()
            process.kill()


@pytest.mark.slow
def test_it_can_be_taught_and_keeps_its_drummers_in_a_folder_of_the_user(
    started: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert started.stdout
    address, _, token = started.stdout.readline().strip().partition("#token=")
    call = urllib.request.Request(f"{address}api/ListModels", b"{}\n", {"Authorization": f"Bearer {token}"})

    def listed() -> Any:
        with (
            contextlib.suppress(urllib.error.HTTPError),
            urllib.request.urlopen(call, timeout=60) as reply,
        ):  # it starts
            return json.load(reply)

    folder = waited(listed, "the models")["teaching"]["folder"]
    assert Path(folder).parts[-2:] == ("seq2drum", "drummers") and not Path(folder).exists()
    assert os.name != "posix" or Path(folder) == Path(tmp_path, ".local", "share", "seq2drum", "drummers")


@pytest.mark.slow
def test_it_prints_the_address_serves_the_page_and_ends_with_ctrl_c(started: subprocess.Popen[str]) -> None:
    assert started.stdout and started.stderr
    address, _, token = started.stdout.readline().strip().partition("#token=")
    assert address.startswith("http://127.0.0.1:") and len(token) > 30
    with urllib.request.urlopen(address, timeout=60) as index:
        assert b"<html" in index.read()
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


# --- a launcher -------------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as line:
        return int(line.getsockname()[1])


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a page on a port writes its address."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    return tmp_path / "seq2drum"


@contextlib.contextmanager
def tab(address: str) -> Iterator[socket.socket]:
    """A tab of the page: the WebSocket that it holds."""
    origin, _, token = address.partition("/#token=")
    host = origin.removeprefix("http://")
    shown = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    head = (
        f"GET /tab HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: c2VxMmRydW0gaXMgaGVyZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: seq2drum.v1, bearer.{shown}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", int(host.rpartition(":")[2])), 60) as line:
        line.sendall(head.encode())
        assert line.recv(1 << 16).startswith(b"HTTP/1.1 101")
        yield line


@pytest.mark.slow
def test_the_page_of_a_launcher_opens_once_and_ends_with_its_last_tab(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(page, "_CLOSED_SECONDS", 0.2)
    port = free_port()
    words = ["page", "--until-closed", "--port", str(port)]
    opened: list[str] = []
    held: list[contextlib.ExitStack] = []

    def open_browser(address: str) -> bool:
        opened.append(address)
        if len(opened) == 1:
            held.append(contextlib.ExitStack())
            held[0].enter_context(tab(address))
            assert (state / f"page-{port}.json").stat().st_mode & 0o077 == 0 or os.name != "posix"
            assert main(words) == 0  # a second click opens the page that is there
            held[0].close()
        return True

    monkeypatch.setattr(webbrowser, "open", open_browser)
    assert main(words) == 0
    assert len(opened) == 2 and opened[0] == opened[1] and f":{port}/#token=" in opened[0]
    err = capsys.readouterr().err
    assert "was open already" in err and "closing its last tab ends it" in err and "last tab was closed" in err
    assert not (state / f"page-{port}.json").exists()


def test_the_file_of_a_killed_page_is_not_believed(state: Path) -> None:
    state.mkdir(parents=True)
    place = state / "page-1.json"
    here = {"pid": os.getpid(), "started": psutil.Process().create_time(), "page": "http://127.0.0.1:1/#token=x"}
    place.write_text(json.dumps(here))
    assert page.opened(place) == "http://127.0.0.1:1/#token=x"
    for wrong in ({**here, "started": 1.0}, {**here, "pid": 2**22 + 1}, {}, []):
        place.write_text(json.dumps(wrong))
        assert page.opened(place) is None
    assert page.opened(state / "none.json") is None


def test_a_launcher_shows_what_went_wrong_in_the_browser(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(options: object) -> int:
        raise OptionError("port 1 is <in use>")

    shown: list[str] = []
    monkeypatch.setattr(page, "_serve", serve)
    monkeypatch.setattr(webbrowser, "open", shown.append)
    assert main(["page", "--until-closed"]) == 2
    assert "port 1 is &lt;in use&gt;" in (state / "page.html").read_text() and shown[0].endswith("page.html")
    assert main(["page"]) == 2 and len(shown) == 1
