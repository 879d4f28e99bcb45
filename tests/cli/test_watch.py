"""Mode watch: drums for exported songs, by a server that is started here, and again when it has gone."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from seq2drum import Drummer
from seq2drum.formats.midi import midi
from tests.commands import called
from tests.conftest import ROOT
from tests.players import strummed

SONG = midi.serialise(strummed())


def test_a_missing_package_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "grpc" else find(name))
    code, out, err = called(["--mode", "watch", ".", "drums"], capsys)
    assert (code, out, err) == (2, "", "seq2drum: grpc is not installed: pip install 'seq2drum[server]'\n")


def test_folders_that_are_none_are_refused_before_a_server_is_started(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for words, said in (
        (["nowhere", "drums"], "there is no folder 'nowhere' to watch; make it first"),
        ([str(tmp_path)], "the following arguments are required: OUT"),
        ([str(tmp_path), "drums", "--settle", "-1"], "--settle is -1.0, wanted a number of seconds"),
        ([str(tmp_path), "drums", "--server", "here"], "unrecognized arguments: --server"),
    ):
        code, out, err = called(["--mode", "watch", *words], capsys)
        assert (code, out) == (2, "") and said in err


@pytest.fixture
def watching(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """`seq2drum watch exported drums` in a state folder of its own; its server ends with the test."""
    (tmp_path / "exported").mkdir()
    state = tmp_path / "state.json"
    command = [sys.executable, "-m", "seq2drum", "watch", "exported", "drums", "--settle", "0.1", "--takes", "2"]
    environment = {**os.environ, "SEQ2DRUM_STATE_FILE": str(state), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            if state.exists():
                server_of(tmp_path).terminate()


def server_of(folder: Path) -> psutil.Process:
    return psutil.Process(json.loads((folder / "state.json").read_text())["pid"])


def drums_of(name: str, folder: Path, process: subprocess.Popen[str]) -> bytes:
    path, until = folder / "drums" / f"{name}.drums.1.mid", time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.05)
    return path.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_song_gets_its_drums_also_when_the_server_has_gone_meanwhile(
    watching: subprocess.Popen[str], tmp_path: Path
) -> None:
    wanted = Drummer.load().takes(SONG, count=2)[0].to_bytes()
    (tmp_path / "exported" / "a.mid").write_bytes(SONG)
    assert drums_of("a", tmp_path, watching) == wanted
    first = server_of(tmp_path)
    first.terminate()
    until = time.monotonic() + 60
    while first.is_running() and first.status() != psutil.STATUS_ZOMBIE:  # the watch is its parent
        assert time.monotonic() < until
        time.sleep(0.05)
    (tmp_path / "exported" / "b.mid").write_bytes(SONG)
    assert drums_of("b", tmp_path, watching) == wanted
    assert server_of(tmp_path) != first
    watching.send_signal(signal.SIGINT)
    out, err = watching.communicate(timeout=60)
    assert watching.returncode == 0
    assert len(out.splitlines()) == 4
    assert err == "watching exported; drums go to drums; Ctrl-C ends it\nseq2drum: stopped\n"
