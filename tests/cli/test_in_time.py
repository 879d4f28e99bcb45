"""Mode jam in time, with a stand-in for the system's MIDI."""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from seq2drum.formats.midi import midi
from tests.commands import called
from tests.live.fake_rtmidi import stand_in
from tests.players import save_player, strummed

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def rtmidi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return stand_in(monkeypatch, tmp_path)


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"))


@pytest.fixture
def run(
    player: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    def run(*arguments: object) -> tuple[int, str, str]:
        return called(["--mode", "jam", *map(str, arguments), "--model", str(player)], capsys)

    monkeypatch.chdir(tmp_path)
    yield run
    assert signal.getsignal(signal.SIGINT) != signal.SIG_DFL


@pytest.fixture
def riff(tmp_path: Path) -> Path:
    path = tmp_path / "riff.mid"
    path.write_bytes(midi.serialise(strummed(3)))
    return path


def test_ports_are_listed(run: Run, rtmidi: Any) -> None:
    assert run("--ports") == (0, "--in 'Guitar 20:0'\n--in 'Drums 24:0'\n--out 'Guitar 20:0'\n--out 'Drums 24:0'\n", "")


@pytest.mark.slow
def test_a_file_is_played_in_time_and_what_was_heard_is_written(run: Run, rtmidi: Any, riff: Path) -> None:
    code, out, err = run("--in", riff, "--out", "drums", "--bpm", 300, "--record", "jam.mid", "--json")
    assert code == 0
    assert json.loads(out)["output"] == "jam.mid"
    assert "the drums go to Drums 24:0" in err
    assert [line.split(":")[0] for line in err.splitlines()[2:]][:2] == ["bar 1", "bar 2"]
    song = midi.read("jam.mid")
    assert [part.is_drums for part in song.parts] == [False, True]
    assert sum(message[0] == 0x99 for message in rtmidi.sent) == len(song.parts[1])
    assert rtmidi.sent[-1] == bytes([0xB9, 120, 0])


@pytest.mark.slow
def test_a_guitar_at_a_port_is_played_along_with_until_ctrl_c(run: Run, rtmidi: Any, tmp_path: Path) -> None:
    def strum() -> None:
        while not rtmidi.sent:
            time.sleep(0.01)
        guitar = rtmidi.inputs[-1].callback
        for number in range(16):
            guitar([0x90, 52 + number % 3, 90], 0.0)
            time.sleep(0.1)
            guitar([0x80, 52 + number % 3, 0], 0.0)
        signal.raise_signal(signal.SIGINT)

    # Of the stand-in the last that listens is the guitar's.
    playing = threading.Thread(target=strum)
    playing.start()
    code, out, _ = run("--in", "guitar", "--out", "drums", "--bpm", 240, "--count-in", 1)
    playing.join()
    assert code == 0
    (made,) = tmp_path.glob("jam-*.mid")
    assert out.startswith(f"{made.name}: ")
    guitar, drums = midi.read(made).parts
    assert len(guitar) and len(drums)


@pytest.mark.slow
def test_a_port_that_vanishes_is_told_and_what_was_heard_is_kept(
    run: Run, rtmidi: Any, riff: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2drum.play.jam.loop.WATCHED", 0.05)
    threading.Timer(3.0, rtmidi.there.clear).start()
    long = riff.with_name("long.mid")
    long.write_bytes(midi.serialise(strummed(200)))
    code, _, err = run("--in", long, "--out", "drums", "--bpm", 240, "--record", "jam.mid", "--count-in", 0)
    assert code == 2
    assert err.splitlines()[-1] == "seq2drum: the MIDI port 'Drums 24:0' has gone; the jam has ended"
    assert Path("jam.mid").exists()


def test_what_makes_no_sense_is_said_in_one_line(run: Run, rtmidi: Any, riff: Path) -> None:
    for words, said in (
        (["--in", "bass", "--out", "drums"], "no MIDI port 'bass'"),
        (["--in", "guitar", "--out", "bass"], "no MIDI port 'bass'"),
        (["--in", "guitar"], "wants a port for the drums"),
        (["--in", "guitar", "--out", "drums", "--bpm", 900], "--bpm is 900"),
        (["--in", "guitar", "--out", "drums", "--metre", "9"], "wanted a metre"),
        (["--in", riff, "--out", "drums", "--metre", "3/4"], "the file has its own"),
        (["--in", riff, "--out", "drums", "--clock-in"], "sends no clock"),
        (["--in", "guitar", "--out", "drums", "--clock-in", "--follow"], "--clock-in leads"),
        (["--in", "guitar", "--out", "drums", "--signs", "3:fill"], "--signs are for a file"),
        (["--in", "guitar", "--out", "drums", "--pedals", "64:fill"], "wanted such as cc64:fill"),
        (["--in", "guitar", "--out", "drums", "--pedals", "cc64:dance"], "wanted such as cc64:fill"),
        (["--in", "guitar", "--out", "drums", "--osc", "here"], "HOST:PORT"),
        (["--in", "guitar", "--out", "drums", "--latency", "9000"], "--latency is 9000"),
        (["--in", "guitar", "--out", "drums", "--record", "none/jam.mid"], "does not exist"),
        (["--in", "guitar", "--out", "drums", "--record", riff], "exists already"),
        (["--in", "guitar", "--out", "drums", "--record", "jam.wav"], "ends otherwise"),
        (["--in", "guitar", "--fast"], "guitar"),
    ):
        code, out, err = run(*words)
        assert (code, out) == (2, ""), words
        assert said in err
        assert err.count("\n") == 1
    assert not rtmidi.sent


@pytest.mark.slow
def test_a_model_without_the_live_form_is_told_in_one_line(
    rtmidi: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = save_player(tmp_path / "lstm", "lstm")
    words = ["--mode", "jam", "--in", "guitar", "--out", "drums", "--no-record", "--model", str(model)]
    code, out, err = called(words, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "cannot play along; wanted one such as live" in err


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows opens a port once by itself")
def test_a_second_jam_on_the_same_port_is_told_in_one_line(run: Run, rtmidi: Any, riff: Path) -> None:
    from seq2drum.play.jam import ports

    first = ports.open_output("drums")
    code, out, err = run("--in", riff, "--out", "drums")
    first.close()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "another jam plays through 'Drums 24:0'" in err


def test_a_system_without_midi_is_told_in_one_line(run: Run, rtmidi: Any) -> None:
    rtmidi.there = None
    code, out, err = run("--in", "guitar", "--out", "drums")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no MIDI ports" in err
    assert "rtmidi2" in sys.modules
