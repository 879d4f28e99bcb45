"""Mode jam: with a file as the guitarist, and in time with a stand-in for the system's MIDI."""

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
from seq2drum.music.notes import Note, Part, Song
from tests.commands import called
from tests.live.fake_rtmidi import stand_in
from tests.players import save_player, strummed

Run = Callable[..., tuple[int, str, str]]
BAR = 1920


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_player(tmp_path_factory.mktemp("player"))


@pytest.fixture
def run(player: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs `--mode jam` with the tiny model: exit code, standard output, standard error."""

    def run(*arguments: object) -> tuple[int, str, str]:
        return called(["--mode", "jam", *map(str, arguments), "--model", str(player)], capsys)

    return run


@pytest.fixture
def riff(tmp_path: Path) -> Path:
    path = tmp_path / "riff.mid"
    path.write_bytes(midi.serialise(strummed(6)))
    return path


@pytest.mark.slow
def test_what_a_listener_would_have_heard_is_written(run: Run, riff: Path) -> None:
    code, out, err = run("--in", riff, "--fast")
    target = riff.with_name("riff.jam.mid")
    assert (code, err) == (0, "")
    assert out.startswith(f"{target}: 7 bars, ")
    heard = midi.read(target)
    (guitar,), (drums,) = ([part for part in heard.parts if part.is_drums is which] for which in (False, True))
    assert guitar.onset.tolist() == (strummed(6).parts[0].onset + BAR).tolist()  # behind a bar of count-in
    assert drums.onset.min() == 0
    assert heard.bars()[-1].start - 60 < drums.onset.max() < heard.bars()[-1].start + 60


@pytest.mark.slow
def test_signs_and_wishes_are_heeded(run: Run, riff: Path, tmp_path: Path) -> None:
    signs = "1:fill,2:section,4:section=A,5:intensity=0.9"
    code, out, _ = run("--in", riff, "--fast", "-o", tmp_path / "a.mid", "--signs", signs, "--count-in", 0, "--json")
    told = json.loads(out)
    assert code == 0
    assert [groove["section"] for groove in told["grooves"]] == ["A", "B"]
    assert run("--in", riff, "--fast", "-o", tmp_path / "b.mid", "--without", "kick", "--ending", "none")[0] == 0
    (drums,) = [part for part in midi.read(tmp_path / "b.mid").parts if part.is_drums]
    assert not {35, 36} & set(drums.pitch.tolist())


@pytest.mark.slow
def test_stems_of_a_jam_are_written_that_are_asked_for(run: Run, riff: Path, tmp_path: Path, soundfont: Path) -> None:
    code, _, err = run("--in", riff, "--fast", "--stems", tmp_path / "stems", "--soundfont", soundfont)
    assert (code, err) == (0, "")
    assert {"guitar.wav", "kick.wav", "snare.wav", "mix.wav"} <= {path.name for path in (tmp_path / "stems").iterdir()}


def test_what_makes_no_sense_is_said_in_one_line(run: Run, riff: Path, tmp_path: Path) -> None:
    drums = tmp_path / "drums.mid"
    drums.write_bytes(midi.serialise(Song(480, (Part.of([Note(0, 60, 36, 90)], is_drums=True),))))
    for words, said in (
        ([], "wants a guitarist"),
        (["--in", riff], "wants a port for the drums"),
        (["--in", tmp_path, "--fast"], "is a folder"),
        (["--in", tmp_path / "none.mid", "--fast"], "none.mid"),
        (["--in", drums, "--fast"], "guitar"),
        (["--in", riff, "--fast", "--signs", "3-fill"], "wanted BAR:SIGN"),
        (["--in", riff, "--fast", "--signs", "99:fill"], "the song has 6"),
        (["--in", riff, "--fast", "--signs", "3:dance"], "no sign 'dance'"),
        (["--in", riff, "--fast", "--signs", "3:tempo=90"], "no sign 'tempo'"),
        (["--in", riff, "--fast", "--signs", "3:intensity=loud"], "wanted a number"),
        (["--in", riff, "--fast", "--signs", "3:intensity=7"], "intensity"),
        (["--in", riff, "--fast", "--groove", "nothing"], "no groove 'nothing'"),
        (["--in", riff, "--fast", "--prime", "2"], "does not take --prime"),
        (["--in", riff, "--fast", "--bpm", "90"], "--bpm is for a jam in time"),
        (["--in", riff, "--fast", "--clock-in"], "--clock-in is for a jam in time"),
        (["--in", riff, "--fast", "-o", riff, "--force"], "would be written over"),
    ):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
    assert not riff.with_name("riff.jam.mid").exists()


# --- mode jam in time, with a stand-in for the system's MIDI ----------------------------------------------------------


@pytest.fixture
def rtmidi(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    return stand_in(monkeypatch, tmp_path)


@pytest.fixture
def live(
    player: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Run]:
    def run(*arguments: object) -> tuple[int, str, str]:
        return called(["--mode", "jam", *map(str, arguments), "--model", str(player)], capsys)

    monkeypatch.chdir(tmp_path)
    yield run
    assert signal.getsignal(signal.SIGINT) != signal.SIG_DFL


@pytest.fixture
def short_riff(tmp_path: Path) -> Path:
    path = tmp_path / "riff.mid"
    path.write_bytes(midi.serialise(strummed(3)))
    return path


def test_ports_are_listed(live: Run, rtmidi: Any) -> None:
    assert live("--ports") == (
        0,
        "--in 'Guitar 20:0'\n--in 'Drums 24:0'\n--out 'Guitar 20:0'\n--out 'Drums 24:0'\n",
        "",
    )


@pytest.mark.slow
def test_a_file_is_played_in_time_and_what_was_heard_is_written(live: Run, rtmidi: Any, short_riff: Path) -> None:
    code, out, err = live("--in", short_riff, "--out", "drums", "--bpm", 300, "--record", "jam.mid", "--json")
    assert code == 0
    assert json.loads(out)["output"] == "jam.mid"
    assert "the drums go to Drums 24:0" in err
    assert [line.split(":")[0] for line in err.splitlines()[2:]][:2] == ["bar 1", "bar 2"]
    song = midi.read("jam.mid")
    assert [part.is_drums for part in song.parts] == [False, True]
    assert sum(message[0] == 0x99 for message in rtmidi.sent) == len(song.parts[1])
    assert rtmidi.sent[-1] == bytes([0xB9, 120, 0])


@pytest.mark.slow
def test_a_guitar_at_a_port_is_played_along_with_until_ctrl_c(live: Run, rtmidi: Any, tmp_path: Path) -> None:
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
    code, out, _ = live("--in", "guitar", "--out", "drums", "--bpm", 240, "--count-in", 1)
    playing.join()
    assert code == 0
    (made,) = tmp_path.glob("jam-*.mid")
    assert out.startswith(f"{made.name}: ")
    guitar, drums = midi.read(made).parts
    assert len(guitar) and len(drums)


@pytest.mark.slow
def test_a_port_that_vanishes_is_told_and_what_was_heard_is_kept(
    live: Run, rtmidi: Any, short_riff: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seq2drum.play.jam.loop.WATCHED", 0.05)
    threading.Timer(3.0, rtmidi.there.clear).start()
    long = short_riff.with_name("long.mid")
    long.write_bytes(midi.serialise(strummed(200)))
    code, _, err = live("--in", long, "--out", "drums", "--bpm", 240, "--record", "jam.mid", "--count-in", 0)
    assert code == 2
    assert err.splitlines()[-1] == "seq2drum: the MIDI port 'Drums 24:0' has gone; the jam has ended"
    assert Path("jam.mid").exists()


def test_what_makes_no_sense_of_a_jam_in_time_is_said_in_one_line(live: Run, rtmidi: Any, short_riff: Path) -> None:
    for words, said in (
        (["--in", "bass", "--out", "drums"], "no MIDI port 'bass'"),
        (["--in", "guitar", "--out", "bass"], "no MIDI port 'bass'"),
        (["--in", "guitar"], "wants a port for the drums"),
        (["--in", "guitar", "--out", "drums", "--bpm", 900], "--bpm is 900"),
        (["--in", "guitar", "--out", "drums", "--metre", "9"], "wanted a metre"),
        (["--in", short_riff, "--out", "drums", "--metre", "3/4"], "the file has its own"),
        (["--in", short_riff, "--out", "drums", "--clock-in"], "sends no clock"),
        (["--in", "guitar", "--out", "drums", "--clock-in", "--follow"], "--clock-in leads"),
        (["--in", "guitar", "--out", "drums", "--signs", "3:fill"], "--signs are for a file"),
        (["--in", "guitar", "--out", "drums", "--pedals", "64:fill"], "wanted such as cc64:fill"),
        (["--in", "guitar", "--out", "drums", "--pedals", "cc64:dance"], "wanted such as cc64:fill"),
        (["--in", "guitar", "--out", "drums", "--osc", "here"], "HOST:PORT"),
        (["--in", "guitar", "--out", "drums", "--latency", "9000"], "--latency is 9000"),
        (["--in", "guitar", "--out", "drums", "--record", "none/jam.mid"], "does not exist"),
        (["--in", "guitar", "--out", "drums", "--record", short_riff], "exists already"),
        (["--in", "guitar", "--out", "drums", "--record", "jam.wav"], "ends otherwise"),
        (["--in", "guitar", "--fast"], "guitar"),
    ):
        code, out, err = live(*words)
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
def test_a_second_jam_on_the_same_port_is_told_in_one_line(live: Run, rtmidi: Any, short_riff: Path) -> None:
    from seq2drum.play.jam import ports

    first = ports.open_output("drums")
    code, out, err = live("--in", short_riff, "--out", "drums")
    first.close()
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "another jam plays through 'Drums 24:0'" in err


def test_a_system_without_midi_is_told_in_one_line(live: Run, rtmidi: Any) -> None:
    rtmidi.there = None
    code, out, err = live("--in", "guitar", "--out", "drums")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no MIDI ports" in err
    assert "rtmidi2" in sys.modules
