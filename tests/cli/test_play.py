"""Playing through loudspeakers, with programs that stand in for players, and with silence for sound."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from seq2drum.cli import main, speakers
from seq2drum.formats.midi import midi
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Note, Part, Song
from seq2drum.show import fluidsynth, sound

ROOT = Path(__file__).parents[2]
SONG = ROOT / "examples" / "training" / "waltz_1.mid"
WAV = b"RIFF" + bytes(44_140)  # a quarter of a second

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs that stand in for players are shell scripts")


def program(folder: Path, name: str, script: str) -> None:
    """Put a program there that stands in for a player."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """The only folder on the path, empty."""
    folder = tmp_path / "programs"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


class Asked:
    """A synthesiser that records the calls it gets."""

    duet: Duet
    given: dict[str, object]

    def wav(self, duet: Duet, **given: object) -> bytes:
        self.duet, self.given = duet, given
        return WAV


@pytest.fixture
def asked(monkeypatch) -> Asked:
    asked = Asked()
    monkeypatch.setattr(sound, "wav", asked.wav)
    monkeypatch.setattr(sound, "check", lambda soundfont: None)
    return asked


def plays(*words: object) -> int:
    return main(["--mode", "play", *map(str, words)])


# --- through the loudspeakers -----------------------------------------------------------------------------------------


def test_the_first_installed_player_gets_the_sound(path, asked, tmp_path, capsys):
    program(path, "aplay", f'cp "$2" {tmp_path}/heard; echo "$1" > {tmp_path}/flag; sleep 0.2')
    program(path, "mpv", "exit 1")
    assert plays(SONG) == 0
    assert (tmp_path / "heard").read_bytes() == WAV
    assert (tmp_path / "flag").read_text() == "-q\n"
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "playing 0:00; Ctrl-C stops\n")
    assert asked.duet.guitars and len(asked.duet.drums)


def test_if_a_player_cannot_start_the_next_one_plays(path, asked, tmp_path):
    program(path, "pw-play", "echo no server >&2; exit 1")
    program(path, "aplay", f"touch {tmp_path}/played; sleep 0.2")
    assert plays(SONG) == 0
    assert (tmp_path / "played").exists()


def test_if_no_player_can_start_one_line_says_so(path, asked, capsys):
    program(path, "pw-play", "echo hello >&2; echo no server >&2; exit 1")
    program(path, "aplay", "exit 7")
    assert plays(SONG) == 2
    assert capsys.readouterr().err.splitlines()[1:] == [
        "seq2drum: the sound could not be played (pw-play: no server; aplay: code 7);"
        " write a file instead with -o FILE.wav"
    ]


def test_a_player_that_ends_at_once_has_played_nothing(path, asked, capsys):
    program(path, "aplay", "exit 0")
    assert plays(SONG) == 2
    assert "aplay: it ended immediately; is there a sound device?" in capsys.readouterr().err


def test_if_a_player_fails_midway_no_other_starts_from_the_beginning(path, asked, tmp_path, monkeypatch):
    monkeypatch.setattr(speakers, "FAILED_WITHIN", 0.1)
    program(path, "pw-play", "sleep 0.3; exit 1")
    program(path, "aplay", f"touch {tmp_path}/played; sleep 0.2")
    assert plays(SONG) == 2
    assert not (tmp_path / "played").exists()


def test_a_missing_player_is_reported_before_anything_is_rendered(path, asked, capsys):
    assert plays(SONG) == 2
    assert "none of pw-play, paplay, aplay, afplay" in (err := capsys.readouterr().err)
    assert "-o FILE.wav" in err
    assert err.count("\n") == 1
    assert not hasattr(asked, "duet")


def test_a_missing_song_is_reported_before_a_missing_player(path, asked, capsys):
    assert plays("no.mid") == 2
    assert "no.mid does not exist" in capsys.readouterr().err


def test_without_fluidsynth_the_message_says_how_to_install_it(path, monkeypatch, capsys):
    program(path, "aplay", "exit 0")
    assert plays(SONG) == 2
    assert "sound needs FluidSynth" in capsys.readouterr().err


def test_the_temporary_sound_file_is_removed(path, asked, tmp_path, monkeypatch):
    program(path, "aplay", f'echo "$2" > {tmp_path}/name; sleep 0.2')
    assert plays(SONG) == 0
    assert not Path((tmp_path / "name").read_text().strip()).exists()


def test_ctrl_c_stops_at_once(path, tmp_path):
    program(path, "aplay", f"echo $$ > {tmp_path}/pid; exec sleep 60")
    script = (
        "from seq2drum.show import sound; sound.check = lambda font: None;"
        "sound.wav = lambda duet, **given: bytes(10**7);"
        f"from seq2drum.cli import main; raise SystemExit(main(['--mode', 'play', {str(SONG)!r}]))"
    )
    running = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip():
            break
        time.sleep(0.1)
    begun = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=30)
    assert running.returncode == 130
    assert time.monotonic() - begun < 10
    assert err.splitlines()[-1] == "seq2drum: stopped"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_no_shell_interprets_the_file_name(path, asked, tmp_path):
    program(path, "aplay", "sleep 0.2")
    odd = tmp_path / f"$(touch {tmp_path.name}).mid"
    shutil.copy(SONG, odd)
    assert plays(odd) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([odd.name, "programs"])


def test_on_windows_winsound_plays_and_is_stopped(path, asked, monkeypatch):
    calls: list[tuple[object, int]] = []

    class Winsound:
        SND_FILENAME, SND_ASYNC = 0x20000, 1

        @staticmethod
        def PlaySound(sound: str | None, flags: int) -> None:
            calls.append((sound and Path(sound).read_bytes(), flags))
            if sound and broken:
                raise RuntimeError("no device")

    broken = False
    monkeypatch.setitem(sys.modules, "winsound", Winsound)
    monkeypatch.setattr(sys, "platform", "win32")
    assert plays(SONG) == 0
    assert calls == [(WAV, 0x20001), (None, 0)]
    broken = True
    assert plays(SONG) == 2


# --- into a file ------------------------------------------------------------------------------------------------------


def test_o_writes_a_file_without_a_player(path, asked, tmp_path, capsys):
    out = tmp_path / "a.wav"
    assert plays(SONG, "-o", out) == 0
    assert out.read_bytes() == WAV
    assert capsys.readouterr().out == f"{out}: 0:00 of sound\n"
    assert plays(SONG, "-o", out) == 2
    assert "--force" in capsys.readouterr().err
    assert plays(SONG, "-o", out, "--force") == 0


@pytest.mark.parametrize("name", ["a.mp3", "a", "a.mid"])
def test_an_output_that_is_not_wav_is_refused(path, asked, tmp_path, capsys, name):
    assert plays(SONG, "-o", tmp_path / name) == 2
    assert f"--mode play writes .wav, and {name!r} ends otherwise" in capsys.readouterr().err


def test_the_song_itself_is_not_overwritten(path, asked, tmp_path, capsys):
    song = tmp_path / "song.wav"  # the name does not matter
    shutil.copy(SONG, song)
    assert plays(song, "-o", song, "--force") == 2
    assert "would be written over" in capsys.readouterr().err
    assert song.read_bytes() == SONG.read_bytes()


def test_standard_output_gets_the_sound_and_nothing_else(path, asked, capfdbinary):
    assert plays(SONG, "-o", "-") == 0
    assert capfdbinary.readouterr().out == WAV


# --- what is played ---------------------------------------------------------------------------------------------------


def test_bars_are_counted_from_one(path, asked, tmp_path, capsys):
    bars = midi.read(SONG).bars()
    assert plays(SONG, "-o", tmp_path / "a.wav", "--bars", "3:4") == 0
    assert asked.given["span"] == (bars[2].start, bars[3].end)
    for wrong in ("0:3", "4:3", f"1:{len(bars) + 1}"):
        assert plays(SONG, "-o", tmp_path / "b.wav", "--bars", wrong) == 2
        assert f"the song has bars 1 to {len(bars)}" in capsys.readouterr().err


def test_drums_of_another_file_are_heard_with_the_guitar(path, asked, tmp_path):
    drums = Part.of([Note(0, 10, 36, 100), Note(480, 10, 38, 100)], is_drums=True)
    (tmp_path / "drums.mid").write_bytes(midi.serialise(Song(480, (drums,))))
    assert plays(ROOT / "examples" / "waltz.mid", tmp_path / "drums.mid", "-o", tmp_path / "a.wav") == 0
    assert len(asked.duet.drums) == 2
    assert asked.duet.guitars


def test_the_soundfont_option_is_used(path, asked, tmp_path):
    assert plays(SONG, "-o", tmp_path / "a.wav", "--soundfont", "some.sf2") == 0
    assert asked.given["sounds"].soundfont == "some.sf2"


def test_a_line_says_that_a_long_song_is_cut(path, asked, tmp_path, capsys):
    long = Part.of([Note(480 * i, 100, 60, 90) for i in range(2100)], program=25)
    (tmp_path / "long.mid").write_bytes(midi.serialise(Song(480, (long,))))
    assert plays(tmp_path / "long.mid", "-o", tmp_path / "a.wav") == 0
    assert "it lasts 17:29; the first 15:00 of it can be heard" in capsys.readouterr().err
    assert plays(tmp_path / "long.mid", "-o", tmp_path / "b.wav", "--bars", "1:8") == 0
    assert "can be heard" not in capsys.readouterr().err


@pytest.mark.parametrize("words", [["nothing.mid"], [], ["."], [str(SONG), "--seed", "3"], [str(SONG), "--explain"]])
def test_invalid_options_are_refused(path, asked, tmp_path, capsys, words):
    assert plays(*words, "-o", tmp_path / "a.wav") == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.glob("*.wav")) == []


def test_what_is_played_is_what_was_rendered(soundfont, tmp_path, monkeypatch):
    """With a real synthesiser: what the player is given is what was rendered."""
    synthesiser = fluidsynth.find(soundfont)
    folder = tmp_path / "programs"
    program(folder, "aplay", f'cp "$2" {tmp_path}/heard; sleep 1.1')
    (folder / "fluidsynth").symlink_to(synthesiser.program)
    monkeypatch.setenv("PATH", str(folder))
    assert plays(SONG, "--bars", "1:2", "--soundfont", soundfont) == 0
    data = (tmp_path / "heard").read_bytes()
    assert data[:4] == b"RIFF"
    assert np.frombuffer(data[44:], "<i2").any()
