"""Sound: in time, balanced, never clipped; stems, recordings and one-shots."""

from __future__ import annotations

import io
import math
import os
import stat
import sys
import tempfile
import time
import tracemalloc
import wave
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from seq2drum import cli
from seq2drum.cli import main
from seq2drum.data.drums.loops import LEAD, LEVELS, SHOT
from seq2drum.errors import MissingExtraError, OptionError, OutputError
from seq2drum.formats.midi import midi
from seq2drum.music import duet
from seq2drum.music.duet import Duet
from seq2drum.music.notes import Note, Part, Song, Tempo
from seq2drum.show import bus, fluidsynth, kits, loudness, sound
from seq2drum.show.kits import Sounds
from seq2drum.show.loudness import CEILING, RATE, factor, limited
from tests import players
from tests.players import save_player

EXAMPLES = Path(__file__).parents[2] / "examples"
HIGHEST = 10 ** (CEILING / 20)
POSIX = pytest.mark.skipif(os.name != "posix", reason="the programs that stand in for FluidSynth are shell scripts")


def heard(data: bytes) -> np.ndarray:
    """(frames, 2), full scale at 1, of a WAV file, as Python's own reader has it."""
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, 44_100)
        frames = file.readframes(file.getnframes())
    assert len(data) == 44 + len(frames)
    return np.frombuffer(frames, "<i2").reshape(-1, 2).astype(np.float32) / 32768


def duet_of(guitar: list[Note], drums: list[Note], *tempos: Tempo, ticks: int = 480) -> Duet:
    parts = (Part.of(guitar, program=25),) if guitar else ()
    song = Song(ticks, parts, tuple(tempos), (), max([0, *(note.onset + note.duration for note in [*guitar, *drums])]))
    return Duet(song, parts, Part.of(drums, is_drums=True))


def strummed(quarters: int, *tempos: Tempo) -> Duet:
    """A guitar in quarters over kick and snare."""
    guitar = [Note(480 * i, 400, 52 + i % 5, 90) for i in range(quarters)]
    drums = [Note(480 * i, 60, (36, 38)[i % 2], 100) for i in range(quarters)]
    return duet_of(guitar, drums, *tempos)


def onsets(samples: np.ndarray, share: float = 0.2) -> np.ndarray:
    """Seconds at which a sound begins after at least 100 ms without one."""
    loud = np.flatnonzero(np.abs(samples).max(axis=1) > share * np.abs(samples).max())
    return loud[np.diff(loud, prepend=-44_100) > 4_410] / 44_100


# --- balance ----------------------------------------------------------------------------------------------------------


def made(level: float, seconds: float = 2.0) -> np.ndarray:
    noise = np.random.default_rng(3).normal(size=(round(44_100 * seconds), 2)).astype(np.float32) / np.float32(10)
    louder: Any = np.float32(10 ** ((level - loudness.integrated(noise)) / 20))
    return noise * louder


def tone(level: float, hertz: float, seconds: float = 2.0) -> np.ndarray:
    wave = np.sin(2 * np.pi * hertz * np.arange(round(44_100 * seconds)) / 44_100)
    both = np.stack([wave, wave], axis=1).astype(np.float32) / np.float32(10)
    louder: Any = np.float32(10 ** ((level - loudness.integrated(both)) / 20))
    return both * louder


def strength(samples: np.ndarray, hertz: float) -> float:
    """The strength of a tone in a sound."""
    at = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / 44_100)
    return abs(samples[:, 0] @ at)


@pytest.mark.parametrize(("guitars", "drums"), [(-20, -30), (-30, -20), (-40, -40)])
def test_guitar_and_drums_come_out_equally_loud_and_together_as_loud_as_is_promised(guitars, drums):
    mixed = sound.mix(tone(guitars, 1000), tone(drums, 3000))
    alone = strength(tone(-20, 1000), 1000) / strength(tone(-20, 3000), 3000)
    assert 20 * math.log10(strength(mixed, 1000) / strength(mixed, 3000) / alone) == pytest.approx(0, abs=0.05)
    assert loudness.integrated(mixed) == pytest.approx(sound.LOUDNESS, abs=0.05)


def test_brushes_stay_softer_than_a_strummed_guitar():
    mixed = sound.mix(tone(-20, 1000), tone(-40, 3000))
    alone = strength(tone(-20, 1000), 1000) / strength(tone(-20, 3000), 3000)
    assert 20 * math.log10(strength(mixed, 1000) / strength(mixed, 3000) / alone) == pytest.approx(8, abs=0.05)


def test_one_of_them_alone_is_as_loud_as_both():
    nothing = np.zeros((0, 2), np.float32)
    assert loudness.integrated(sound.mix(made(-35), nothing)) == pytest.approx(sound.LOUDNESS, abs=0.01)
    assert loudness.integrated(sound.mix(nothing, made(-35))) == pytest.approx(sound.LOUDNESS, abs=0.01)
    assert sound.mix(nothing, nothing).shape == (0, 2)
    assert not sound.mix(nothing, np.zeros((44_100, 2), np.float32)).any()


def test_a_peak_that_needs_too_much_limiting_lowers_the_whole_song():
    click = np.zeros((88_200, 2), np.float32)
    click[44_100] = 0.5
    mixed = sound.mix(np.zeros((0, 2), np.float32), click)
    assert loudness.integrated(mixed) < sound.LOUDNESS - 3
    assert mixed.max() == pytest.approx(10 ** (8 / 20), rel=1e-5)


# --- time -------------------------------------------------------------------------------------------------------------


def test_milliseconds_are_those_of_the_song():
    rng = np.random.default_rng(6)
    places = np.sort(rng.integers(0, 50_000, 40))
    places[5] = places[4]  # of several at one tick the last holds
    for tempos in ([], [Tempo(0, 400_000)], [Tempo(int(at), int(rng.integers(60_000, 15_000_000))) for at in places]):
        song = Song(96, tempos=tuple(tempos))
        ticks = np.sort(rng.integers(0, 60_000, 500))
        expected = [song.seconds(int(tick)) * 1000 for tick in ticks]
        np.testing.assert_allclose(fluidsynth.milliseconds(song, ticks), expected, atol=0.51)


def test_a_click_after_changes_of_tempo_lies_where_the_song_says(soundfont):
    tempos = [Tempo(480 * i, 300_000 + 7_001 * (i * 37 % 60)) for i in range(60)]  # a tempo that changes all the time
    ticks = [0, 480 * 7 + 100, 480 * 31, 480 * 59 + 333]
    clicks = duet_of([], [Note(tick, 30, 76, 120) for tick in ticks], *tempos)  # a wood block has no attack
    heard_at = onsets(heard(sound.wav(clicks, sounds=Sounds(soundfont))))
    expected = [clicks.song.seconds(tick) for tick in ticks]
    assert expected[-1] > 25
    assert heard_at == pytest.approx(expected, abs=0.015)


def test_guitar_and_drums_sound_together(soundfont):
    both = duet_of([Note(960, 480, 64, 110)], [Note(960, 60, 76, 110)])
    (guitar,) = onsets(heard(sound.wav(both._replace(drums=Part.of([], is_drums=True)), sounds=Sounds(soundfont))))
    (drums,) = onsets(heard(sound.wav(both._replace(guitars=()), sounds=Sounds(soundfont))))
    assert guitar == pytest.approx(1, abs=0.015)
    assert drums == pytest.approx(1, abs=0.015)


def test_a_span_begins_at_its_first_tick_and_has_only_its_own_notes(soundfont):
    clicks = duet_of([], [Note(480 * i, 30, 76, 120) for i in range(20)], Tempo(0, 500_000), Tempo(480 * 8, 400_000))
    cut = heard(sound.wav(clicks, sounds=Sounds(soundfont), span=(480 * 6, 480 * 10)))
    assert onsets(cut) == pytest.approx([0, 0.5, 1.0, 1.4], abs=0.015)
    assert sound.seconds(clicks, (480 * 6, 480 * 10)) == pytest.approx(1.4 + 30 / 480 * 0.4)
    assert sound.seconds(clicks) == pytest.approx(clicks.song.seconds(480 * 19 + 30))


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_same_music_gives_the_same_bytes(soundfont):
    piece = duet.of_songs([midi.read(EXAMPLES / "training" / "bossa_nova_1.mid")])
    first = sound.wav(piece, sounds=Sounds(soundfont), most_seconds=5)
    assert sound.wav(piece, sounds=Sounds(soundfont), most_seconds=5) == first


@pytest.mark.parametrize("name", ["five_four_1", "metal_gallop_2"])
def test_an_example_is_as_loud_as_promised_and_does_not_clip(soundfont, name):
    piece = duet.of_songs([midi.read(EXAMPLES / "training" / f"{name}.mid")])
    span = (0, piece.song.bars()[8].end)
    samples = heard(sound.wav(piece, sounds=Sounds(soundfont), span=span))
    assert np.abs(samples).max() <= HIGHEST + 1e-4
    assert loudness.integrated(samples) == pytest.approx(sound.LOUDNESS, abs=0.8)
    assert 0 <= len(samples) / 44_100 - sound.seconds(piece, span) < 7  # until the last notes have died away


def test_the_end_is_silent_and_not_cut_off(soundfont):
    crash = duet_of([], [Note(0, 60, 49, 127)])
    samples = heard(sound.wav(crash, sounds=Sounds(soundfont)))
    assert 1.5 < len(samples) / 44_100 < 7
    assert np.abs(samples[-100:]).max() < 1e-3
    assert np.abs(np.diff(samples[-20_000:], axis=0)).max() < 0.01


def test_long_songs_are_cut(soundfont):
    samples = heard(sound.wav(strummed(200), sounds=Sounds(soundfont), most_seconds=3))
    assert 3 < len(samples) / 44_100 < 10
    assert onsets(samples).max() < 3
    slow = strummed(30, Tempo(0, 15_000_000))  # four a minute
    assert sound.seconds(slow) > 400
    assert len(heard(sound.wav(slow, sounds=Sounds(soundfont), most_seconds=3))) / 44_100 < 10


def test_the_shortest_song_and_a_song_without_notes_give_a_file(soundfont):
    assert len(heard(sound.wav(duet_of([], []), sounds=Sounds(soundfont)))) == 0
    assert (
        len(heard(sound.wav(duet_of([Note(0, 0, 60, 1)], []), sounds=Sounds(soundfont)))) > 0
    )  # no length, least velocity
    assert len(heard(sound.wav(duet_of([Note(0, 9, 0, 127), Note(0, 9, 127, 127)], []), sounds=Sounds(soundfont)))) > 0


def test_several_guitars_have_their_own_programs(soundfont):
    notes = [Note(0, 960, 55, 100)]
    parts = [Part.of(notes, program=program) for program in (24, 30)]
    drums = Part.of([], is_drums=True)
    song = Song(480, tuple(parts), length=960)
    rendered = [
        sound.wav(Duet(song, tuple(some), drums), sounds=Sounds(soundfont)) for some in (parts, parts[:1], parts[1:])
    ]
    assert len(set(rendered)) == 3


@pytest.mark.parametrize("index", [0, 40, 80])
def test_a_real_song_is_rendered(sample, soundfont, index):
    song = midi.read(sample[index % len(sample)])
    samples = heard(sound.wav(duet.of_songs([song]), sounds=Sounds(soundfont), most_seconds=12))
    assert np.abs(samples).max() <= HIGHEST + 1e-4
    assert loudness.integrated(samples) == pytest.approx(sound.LOUDNESS, abs=3)


def test_fluidsynth_settings_of_the_user_are_ignored(soundfont, tmp_path, monkeypatch):
    piece = strummed(4)
    before = sound.wav(piece, sounds=Sounds(soundfont))
    (tmp_path / ".fluidsynth").write_text("set synth.gain 0.0\nquit\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert sound.wav(piece, sounds=Sounds(soundfont)) == before


def test_rendering_reports_its_progress(soundfont):
    shares: list[float] = []
    sound.wav(strummed(20), sounds=Sounds(soundfont), show=shares.append)
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= shares[-1] <= 1


# --- what is there, and what is not -----------------------------------------------------------------------------------


def made_soundfont(path: Path, *presets: tuple[int, int]) -> Path:
    """The frame of a soundfont, as far as its list of presets goes. presets: (bank, program)."""
    rows = [b"name".ljust(20, b"\0") + bytes([program, 0, bank, 0]) + bytes(14) for bank, program in [*presets, (0, 0)]]
    phdr = b"".join(rows)
    pdta = b"pdta" + b"phdr" + len(phdr).to_bytes(4, "little") + phdr
    sdta = b"sdta" + b"smpl" + (3).to_bytes(4, "little") + b"abc\0"
    lists = b"".join(b"LIST" + len(body).to_bytes(4, "little") + body for body in (b"INFO", sdta, pdta))
    path.write_bytes(b"RIFF" + (len(lists) + 4).to_bytes(4, "little") + b"sfbk" + lists)
    return path


GUITAR, KIT, PIANO = (0, 25), (128, 0), (0, 0)


@pytest.fixture
def program(tmp_path, monkeypatch) -> Path:
    """A path on which there is a fluidsynth and nothing else; it fails."""
    return stand_in(tmp_path, monkeypatch, "echo first >&2; echo it is broken >&2; exit 3")


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> Path:
    folder = tmp_path / "programs"
    folder.mkdir(exist_ok=True)
    path = folder / ("fluidsynth" if os.name == "posix" else "fluidsynth.exe")
    path.write_text(f"#!/bin/sh\nPATH=/usr/bin:/bin\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(folder))
    return path


def test_the_soundfont_that_is_named_goes_before_that_of_the_environment(program, tmp_path, monkeypatch):
    one, other = (made_soundfont(tmp_path / name, GUITAR, KIT) for name in ("one.sf2", "other.sf3"))
    monkeypatch.setenv(fluidsynth.VARIABLE, str(one))
    assert fluidsynth.find().soundfont == one
    assert fluidsynth.find(other).soundfont == other
    assert fluidsynth.find(str(other)) == (str(program), other)


@pytest.mark.parametrize(
    ("presets", "trouble"), [([GUITAR, PIANO], "no drums"), ([KIT, PIANO, (1, 25)], "no guitars"), ([], "no drums")]
)
def test_a_soundfont_without_drums_or_guitars_is_refused(program, tmp_path, presets, trouble):
    with pytest.raises(OptionError, match=trouble):
        sound.check(Sounds(made_soundfont(tmp_path / "some.sf2", *presets)))


def test_a_file_that_is_not_a_soundfont_is_refused(program, tmp_path, monkeypatch):
    whole = made_soundfont(tmp_path / "whole.sf2", GUITAR, KIT).read_bytes()
    bad = tmp_path / "bad.sf2"
    for data in (
        b"",
        b"RIFF",
        b"MThd" * 100,
        b"RIFF0000WAVE" + whole[12:],
        *(whole[:n] for n in range(8, len(whole), 9)),
    ):
        bad.write_bytes(data)
        with pytest.raises(OptionError, match=r"it is not a soundfont|it has no|cannot be read") as caught:
            sound.check(Sounds(bad))
        assert "--soundfont" in str(caught.value)
    with pytest.raises(OptionError, match="there is no such file"):
        sound.check(Sounds(tmp_path / "none.sf2"))
    with pytest.raises(OptionError, match="there is no such file"):
        sound.check(Sounds(tmp_path))
    monkeypatch.setenv(fluidsynth.VARIABLE, str(bad))
    with pytest.raises(OptionError, match=fluidsynth.VARIABLE):
        sound.check()


def test_of_several_installed_soundfonts_the_best_is_used(program, tmp_path, monkeypatch):
    monkeypatch.delenv(fluidsynth.VARIABLE, raising=False)
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
    monkeypatch.setattr(fluidsynth, "folders", lambda: [first, tmp_path / "none", second])
    made_soundfont(first / "a_piano.sf2", PIANO)
    made_soundfont(first / "unknown.sf2", GUITAR, KIT)
    (first / "default.sf2").write_bytes(b"junk")
    assert fluidsynth.find().soundfont == first / "unknown.sf2"
    made_soundfont(second / "TimGM6mb.sf2", GUITAR, KIT)
    assert fluidsynth.find().soundfont == second / "TimGM6mb.sf2"
    made_soundfont(second / "FluidR3_GM.SF2", GUITAR, KIT)
    assert fluidsynth.find().soundfont == second / "FluidR3_GM.SF2"


def test_without_a_soundfont_the_error_says_how_to_install_one(program, monkeypatch, tmp_path):
    monkeypatch.delenv(fluidsynth.VARIABLE, raising=False)
    monkeypatch.setattr(fluidsynth, "folders", lambda: [tmp_path])
    with pytest.raises(MissingExtraError, match="none was found") as caught:
        sound.check()
    for word in ("fluidsynth", "soundfont", "--soundfont", fluidsynth.VARIABLE):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("platform", "manager", "advice"),
    [
        ("linux", "apt-get", "sudo apt install fluidsynth fluid-soundfont-gm"),
        ("linux", "dnf", "sudo dnf install fluidsynth fluid-soundfont-gm"),
        ("linux", "pacman", "sudo pacman -S fluidsynth soundfont-fluid"),
        ("linux", "zypper", "sudo zypper install fluidsynth fluid-soundfont-gm"),
        ("linux", None, "install fluidsynth"),
        ("darwin", None, "brew install fluid-synth"),
        ("win32", None, "winget install FluidSynth.FluidSynth"),
        ("win32", "winget", "winget install FluidSynth.FluidSynth"),
        ("win32", "choco", "choco install fluidsynth"),
    ],
)
def test_without_fluidsynth_the_error_says_how_to_install_it_on_this_platform(monkeypatch, platform, manager, advice):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if name == manager else None)
    for asked in (sound.check, lambda: sound.wav(strummed(2))):
        with pytest.raises(MissingExtraError, match="FluidSynth") as caught:
            asked()
        assert advice in str(caught.value)
        assert "soundfont" in str(caught.value)


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_soundfonts_are_searched_for_on_every_platform(monkeypatch, platform):
    monkeypatch.setattr(sys, "platform", platform)
    assert len({str(folder) for folder in fluidsynth.folders()}) >= 4


def test_with_an_empty_path_no_fluidsynth_is_found(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("PATH", str(tmp_path))
    song, out = str(EXAMPLES / "waltz.mid"), tmp_path / "drums.mid"
    assert main(["--mode", "infer", song, "-o", str(out), "--wav", str(tmp_path / "a.wav")]) == 2
    assert "sound needs FluidSynth" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []  # it is refused before anything is played


# --- a FluidSynth that misbehaves -------------------------------------------------------------------------------------


@pytest.fixture
def no_traces(tmp_path, monkeypatch):
    """Nothing may be left among temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.iterdir()) == []


# Two processes run at once, one per stem: when either has ended, what the other wrote must be complete.
BOTH = "cp $$ $$.copy; mv $$ 0.wav; mv $$.copy 1.wav"


@POSIX
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo first >&2; echo it is broken >&2; exit 3", r"ended with code 3 \(it says: it is broken\)"),
        ("exit 0", "wrote nothing"),
        (f"printf RIFFxxxxWAVE > $$; {BOTH}", "without sound"),
        (f"printf 'RIFFxxxxWAVEdata\\4\\0\\0\\0abcd' > $$; {BOTH}", "not of floats"),
        ("yes > 0.wav", "does not end"),
        ("sleep 60", "was not done after"),
    ],
)
def test_a_fluidsynth_that_fails_is_stopped_and_its_fault_is_named(tmp_path, monkeypatch, no_traces, script, message):
    stand_in(tmp_path, monkeypatch, script)
    monkeypatch.setattr(fluidsynth, "PATIENCE", 1.0 if "sleep" in script else 60.0)
    monkeypatch.setattr(fluidsynth, "TAIL", 0.1)
    font = made_soundfont(tmp_path / "font.sf2", GUITAR, KIT)
    begun = time.monotonic()
    with pytest.raises(OutputError, match=message):
        sound.wav(strummed(1), sounds=Sounds(font))
    assert time.monotonic() - begun < 15


@pytest.mark.slow
@POSIX
def test_what_a_script_in_the_place_of_fluidsynth_has_started_ends_with_it(tmp_path, monkeypatch, no_traces):
    stand_in(tmp_path, monkeypatch, f"sleep 60 & echo $! > {tmp_path}/$$.child; wait")
    monkeypatch.setattr(fluidsynth, "PATIENCE", 1.0)
    with pytest.raises(OutputError, match="was not done after"):
        sound.wav(strummed(1), sounds=Sounds(made_soundfont(tmp_path / "font.sf2", GUITAR, KIT)))
    children = [int(path.read_text()) for path in tmp_path.glob("*.child")]
    assert len(children) == 2
    deadline = time.monotonic() + 10
    while any(map(is_alive, children)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_alive, children))


def is_alive(process: int) -> bool:
    """True for a process that has not ended; a zombie has."""
    try:
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@POSIX
def test_the_output_of_a_fluidsynth_with_16_bits_only_is_read(tmp_path, monkeypatch, no_traces):
    samples = np.rint(8_000 * np.sin(np.arange(44_100) / 10)).astype("<i2")
    (tmp_path / "raw").write_bytes(np.stack([samples, samples], axis=1).tobytes())
    stand_in(tmp_path, monkeypatch, f"cat {tmp_path}/raw > 0.wav; cat {tmp_path}/raw > 1.wav")
    out = heard(sound.wav(strummed(1), sounds=Sounds(made_soundfont(tmp_path / "font.sf2", GUITAR, KIT), dry=True)))
    assert loudness.integrated(out) == pytest.approx(sound.LOUDNESS, abs=1)
    assert np.corrcoef(out[:30_000, 0], samples[:30_000])[0, 1] > 0.999


@POSIX
def test_fluidsynth_reads_the_files_written_for_it_and_no_shell_is_used(tmp_path, monkeypatch, no_traces):
    stand_in(tmp_path, monkeypatch, f'cp *.mid {tmp_path}; printf "%s\\n" "$@" >> {tmp_path}/words; exit 1')
    font = made_soundfont(tmp_path / "a b; $(echo c).sf2", GUITAR, KIT)
    song = Song(96, (Part.of([Note(96, 48, 60, 90)], program=27, name="secret; rm"),), (Tempo(0, 250_000),))
    with pytest.raises(OutputError):
        sound.wav(Duet(song, song.parts, Part.of([Note(0, 10, 36, 80)], is_drums=True)), sounds=Sounds(font))
    words = (tmp_path / "words").read_text().splitlines()
    assert str(font) in words
    guitar = midi.read(tmp_path / "0.mid")
    assert guitar.parts == (Part.of([Note(250, 125, 60, 90)], program=27),)
    assert {tempo.microseconds for tempo in guitar.tempos} == {1_000_000}
    assert midi.read(tmp_path / "1.mid").parts[0].is_drums
    assert b"secret" not in (tmp_path / "0.mid").read_bytes()


# --- from the command line --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_infer_writes_sound_with_the_soundfont_that_is_named(soundfont, tmp_path, capsys):
    song, out = str(EXAMPLES / "waltz.mid"), tmp_path / "a.wav"
    given = ["--mode", "infer", song, "-o", str(tmp_path / "drums.mid"), "--wav", str(out), "--soundfont"]
    assert main([*given, str(EXAMPLES / "waltz.mid")]) == 2
    assert "it is not a soundfont" in capsys.readouterr().err
    assert main([*given, str(soundfont)]) == 0
    assert loudness.integrated(heard(out.read_bytes())) == pytest.approx(sound.LOUDNESS, abs=1)


# --- stems of a duet: what they are, and that they add up -------------------------------------------------------------


def drums(name: str, pitch: int) -> Part:
    return Part.of([Note(at, 60, pitch, 127) for at in range(0, 1920, 240)], name=name, is_drums=True)


def heard_stems(data: bytes) -> np.ndarray:
    """(frames, 2), full scale at 1, of a WAV file of 16 bits."""
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, loudness.RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32767


def test_stems_add_up_to_the_mix_to_a_millionth_and_nothing_is_clipped(soundfont: Path) -> None:
    guitar = Part.of([Note(at, 400, 52, 100) for at in range(0, 1920, 480)], program=30)
    song = Song(480, (guitar,), length=1920)
    others = {"kick": (drums("Kick", 36),), "snare": (drums("Snare", 38),)}
    made = sound.rendered_stems(song, (guitar,), others, sounds=Sounds(soundfont))
    mix = made.pop("mix")
    assert list(made) == ["guitar", "kick", "snare"]
    total = np.sum([one.astype(np.float64) for one in made.values()], axis=0)
    assert np.abs(total - mix).max() < 1e-6
    assert all(np.abs(one).max() > 0.01 for one in made.values())
    assert np.abs(mix).max() <= loudness.factor(loudness.CEILING) + 1e-6


def test_the_guitar_among_the_stems_of_a_recording_is_the_recording(soundfont: Path) -> None:
    song = Song(480, (), length=1920)
    hum = 0.05 * np.sin(np.arange(3 * loudness.RATE) / 30)
    recording = np.stack([hum, 0.5 * hum], axis=1).astype(np.float32)
    made = sound.rendered_stems(song, (), {"kick": (drums("Kick", 36),)}, sounds=Sounds(soundfont), recording=recording)
    mix = made.pop("mix")
    assert list(made) == ["guitar", "kick"]
    total = np.sum([one.astype(np.float64) for one in made.values()], axis=0)
    assert np.abs(total - mix).max() < 1e-6
    kick = fluidsynth.timed(song, (drums("Kick", 36),), None, sound.MOST_SECONDS)
    alone = bus.bussed(fluidsynth.render(fluidsynth.find(soundfont), [kick], lambda share: None, dry=True))
    over = sound.over(recording, alone[0])
    quiet = slice(0, 2 * loudness.RATE)  # before the end fades
    assert np.abs(mix[quiet] - over[quiet]).max() < 1e-6
    level = made["guitar"][quiet].std() / recording[quiet].std()
    assert 0.3 < level <= 1
    assert np.abs(made["guitar"][quiet] - level * recording[quiet]).max() < 1e-5


def test_the_gains_of_the_limiter_are_those_that_it_uses() -> None:
    loud = np.random.default_rng(0).normal(0, 0.5, (50_000, 2)).astype(np.float32)
    most = loudness.factor(loudness.CEILING)
    used = np.clip(loud * loudness.gains(loud)[:, None], -most, most)
    assert np.abs(loudness.limited(loud) / 32767 - used).max() < 2e-5


def test_stems_need_little_more_memory_than_they_have_samples(soundfont: Path) -> None:
    """So ten minutes of them, 1.7 GB, are made within the memory that a server allows for a file."""
    names = ("kick", "snare", "hats", "toms", "cymbals", "percussion")
    notes = [Note(at, 60, 38, 100) for at in range(0, 30 * 960, 480)]
    drummed = {name: (Part.of(notes, name=name, is_drums=True),) for name in names}
    guitar = Part.of([Note(at, 400, 52, 100) for at in range(0, 30 * 960, 480)], program=30)
    tracemalloc.start()
    try:
        made = sound.rendered_stems(Song(480, (guitar,), length=30 * 960), (guitar,), drummed, sounds=Sounds(soundfont))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    one = max(sound.nbytes for sound in made.values())
    assert len(made) == 8 and most < 12 * one


def test_no_stem_is_above_full_scale_where_the_mix_is_not(soundfont: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that take each other out are louder than what is left of them."""
    loud = np.tile(np.array([[1.5, 1.5], [-1.5, -1.5]], dtype=np.float32), (loudness.RATE, 1))
    parts = {name: (drums(name, 38),) for name in ("kick", "snare")}
    monkeypatch.setattr(fluidsynth, "render", lambda *given: [loud.copy(), -0.97 * loud])
    made = sound.rendered_stems(Song(480, (), length=1920), (), parts, sounds=Sounds(soundfont))
    assert all(loudness.peak(one) <= 1 for one in made.values())
    assert np.abs(made["kick"] + made["snare"] - made["mix"]).max() < 1e-6


@pytest.mark.slow
def test_the_command_line_writes_stems_and_overwrites_none(
    soundfont: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song, model, folder = tmp_path / "a.mid", save_player(tmp_path / "player"), tmp_path / "stems"
    song.write_bytes(midi.serialise(players.strummed()))
    words = [str(song), "--model", str(model), "--click", "--stems", str(folder), "--soundfont", str(soundfont)]
    assert cli.main(words) == 0
    made = {path.stem: heard_stems(path.read_bytes()) for path in folder.iterdir()}
    assert {"guitar", "click", "mix"} < made.keys()
    mix = made.pop("mix")
    assert np.abs(np.sum(list(made.values()), axis=0) - mix).max() < (len(made) + 1) / 65534  # each is rounded
    (tmp_path / "a.drums.mid").unlink()
    assert cli.main(words) == 2
    assert "no --stems: " in capsys.readouterr().err


# --- A recording with drums: how loud both are, and that nothing is clipped -------------------------------------------


def noise(level: float, seconds: float = 2.0) -> np.ndarray:
    return (level * np.random.default_rng(0).standard_normal((round(seconds * RATE), 2))).astype(np.float32)


@pytest.mark.parametrize("recorded", [0.001, 0.05, 0.3, 0.9])
@pytest.mark.parametrize("drummed", [0.01, 0.5])
def test_a_recording_with_drums_is_no_louder_than_it_was_and_is_not_clipped(recorded, drummed) -> None:
    recording = noise(recorded)
    mixed = sound.over(recording, noise(drummed, 3.0))
    assert loudness.integrated(mixed) <= loudness.integrated(recording) + 0.05
    assert np.abs(limited(mixed)).max() <= round(factor(CEILING) * 32767)


def test_drums_are_as_loud_as_the_recording() -> None:
    recording, drums = noise(0.1), noise(0.2)
    assert sound.lift(recording, drums) == pytest.approx(-6.0, abs=0.1)
    mixed = sound.over(recording, np.zeros_like(drums))
    assert np.array_equal(mixed, recording)


# --- one shots --------------------------------------------------------------------------------------------------------


def synthesiser() -> fluidsynth.Synthesiser:
    try:
        return sound.find()
    except MissingExtraError as missing:
        pytest.skip(str(missing))


@pytest.mark.slow
def test_each_piece_of_a_kit_sounds_at_once_and_louder_the_harder_it_is_struck() -> None:
    found = synthesiser()
    kits = sound.kits_of(found)
    shots = sound.one_shots(found, list(kits)[:1])
    assert shots.shape == (1, 9, len(LEVELS), SHOT)
    peaks = np.abs(shots).max(axis=-1)
    assert (np.diff(peaks, axis=-1) > 0).all()
    begins = (np.abs(shots) > 0.02 * peaks[..., None]).argmax(axis=-1)
    assert (begins <= LEAD).all()


def test_what_is_no_soundfont_is_refused(tmp_path: Path) -> None:
    synthesiser()
    other = tmp_path / "kit.sf2"
    other.write_bytes(b"RIFF....WAVE")
    with pytest.raises(OptionError, match="not a soundfont"):
        sound.find(other)


# --- kits and the bus -------------------------------------------------------------------------------------------------


def test_a_kit_is_found_by_its_name_or_file_and_not_where_a_soundfont_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(kits.VARIABLE, raising=False)
    monkeypatch.delenv(fluidsynth.VARIABLE, raising=False)
    monkeypatch.setattr(fluidsynth, "folders", lambda: [tmp_path])
    monkeypatch.setattr(kits, "_LV2", tmp_path / "none")
    assert kits.find(Sounds()) is None
    pearl = made_soundfont(tmp_path / "Black_Pearl_4_LV2.sf2", (0, 0))
    other = made_soundfont(tmp_path / "mine.sf2", KIT)
    found = kits.find(Sounds())
    assert found is not None and (found.name, found.path, found.drum_map) == ("black-pearl", pearl, kits.AVL)
    assert kits.find(Sounds(kit="Black Pearl")) == found and kits.find(Sounds(kit="gm")) is None
    assert kits.find(Sounds(other)) is None and kits.find(Sounds(other, "black-pearl")) == found
    mine = kits.find(Sounds(kit=str(other)))
    assert mine is not None and (mine.name, mine.drum_map, mine.preset[0]) == ("mine", "gm", fluidsynth.DRUM_BANK)
    monkeypatch.setenv(kits.VARIABLE, "black-pearl")
    assert kits.find(Sounds(other)) == found


@pytest.mark.parametrize(
    ("kit", "said"),
    [
        ("nobody", "there is no kit 'nobody' here; there are gm"),
        ("nix.sf2", "there is no such file"),
        ("nix.sfz", "there is no such file"),
        (__file__, "there is no kit"),
    ],
)
def test_a_kit_that_is_none_is_refused(kit: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fluidsynth, "folders", lambda: [tmp_path])
    monkeypatch.setattr(kits, "_LV2", tmp_path / "none")
    with pytest.raises(OptionError, match=said):
        kits.find(Sounds(kit=kit))
    (tmp_path / "no.sf2").write_bytes(b"no")
    with pytest.raises(OptionError, match="it is not a soundfont"):
        kits.find(Sounds(kit=str(tmp_path / "no.sf2")))


def test_drums_are_divided_between_a_kit_and_what_it_lacks() -> None:
    kit = kits.Kit("black-pearl", Path("x.sf2"), kits.AVL)
    drums = Part.of([Note(0, 9, 36, 90), Note(0, 9, 50, 90), Note(480, 9, 63, 90)], is_drums=True)
    own, lacking = kits.divided(drums, kit)
    assert own.pitch.tolist() == [36, 47] and not own.is_drums  # the kit's high tom, on a channel of its preset
    assert lacking.pitch.tolist() == [63] and lacking.is_drums


@POSIX
def test_an_sfz_kit_is_played_by_sfizz_render(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools, kit = tmp_path / "bin", tmp_path / "kit.sfz"
    tools.mkdir()
    kit.write_text("<region> sample=none.wav")
    monkeypatch.setenv("PATH", str(tools))
    with pytest.raises(MissingExtraError, match="install sfizz"):
        kits.find(Sounds(kit=str(kit)))
    (tmp_path / "tone.wav").write_bytes(loudness.stereo_wav(np.full((100, 2), 0.5, np.float32)))
    script = (
        f"#!/bin/sh\nwhile [ $# -gt 0 ]; do [ $1 = --wav ] && out=$2; shift; done\n/bin/cp '{tmp_path}/tone.wav' $out\n"
    )
    (tools / "sfizz_render").write_text(script)
    (tools / "sfizz_render").chmod(0o755)
    found = kits.find(Sounds(kit=str(kit)))
    assert found is not None and found.is_sfz
    song = Song(1000, (Part.of([Note(0, 9, 36, 90)], is_drums=True),), length=1000)
    assert kits.render_sfz(found, song)[:, 0].tolist() == pytest.approx([0.5] * 100, abs=1e-4)
    (tools / "sfizz_render").write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    with pytest.raises(OutputError, match="broken"):
        kits.render_sfz(found, song)


def struck(strokes: int = 8, seed: int = 0) -> np.ndarray:
    """Two seconds of decaying noise, louder and softer strokes."""
    rng, out = np.random.default_rng(seed), np.zeros((2 * RATE, 2), np.float32)
    for number in range(strokes):
        first = number * len(out) // strokes
        length = len(out) // strokes
        decay = np.exp(-np.arange(length) / (0.03 * RATE))[:, None]
        out[first : first + length] = (0.2 + 0.6 * (number % 2)) * decay * rng.standard_normal((length, 2))
    return out / np.abs(out).max()


def test_the_bus_is_linear_but_for_one_gain_so_stems_add_up() -> None:
    one, other = struck(8, 1), struck(4, 2)[:RATE]
    together = one.copy()
    together[: len(other)] += other
    stems = bus.bussed([one.copy(), other.copy()])
    whole = bus.bussed([together])[0]
    whole[: len(stems[1])] -= stems[1]
    assert np.abs(whole - stems[0]).max() < 1e-4
    assert [len(stem) for stem in stems] == [len(one), len(other)]


def test_the_bus_holds_peaks_adds_air_and_a_room_that_dies_away() -> None:
    dry = struck()
    (wet,) = bus.bussed([dry])
    crest = [20 * np.log10(np.abs(sound).max() / np.sqrt((sound**2).mean())) for sound in (dry, wet)]
    assert crest[0] - 8 < crest[1] < crest[0] - 1
    assert 20 * np.log10(bus.gain_of(dry).min()) >= -bus.MOST_REDUCED - 0.01 and bus.gain_of(dry).max() <= 1
    click = np.zeros((RATE, 2), np.float32)
    click[0] = 1
    heard = bus.in_room(click)
    energy = (heard**2).sum(axis=1)
    assert energy[int(0.02 * RATE) : int(0.1 * RATE)].sum() > 100 * energy[int(0.4 * RATE) :].sum()
    assert -22 < 10 * np.log10(energy[200:].sum() / energy[:200].sum()) < -12
    assert np.abs(heard[500:, 0] - heard[500:, 1]).max() > 0
    spectrum = np.abs(np.fft.rfft(heard[:200, 0], 4096))
    assert 20 * np.log10(spectrum[1500] / spectrum[100]) == pytest.approx(bus.AIR, abs=1)


def test_a_loop_in_the_room_is_stereo_as_loud_and_still_a_loop() -> None:
    loop = struck()[:, 0]
    made = bus.wide(loop)
    assert made.shape == (len(loop), 2) and np.abs(made).max() == pytest.approx(np.abs(loop).max())
    assert np.abs(made[:, 0] - made[:, 1]).max() > 0.001
    assert np.allclose(bus.wide(np.roll(loop, 5000)), np.roll(made, 5000, axis=0), atol=1e-4)


def test_silence_and_no_sound_come_out_of_the_bus_as_they_went_in() -> None:
    assert bus.bussed([]) == []
    for frames in (0, 10, 3000):
        (heard,) = bus.bussed([np.zeros((frames, 2), np.float32)])
        assert heard.shape == (frames, 2) and not heard.any()


def test_dry_drums_have_no_room_and_both_are_as_loud(soundfont: Path) -> None:
    beat = strummed(8)._replace(guitars=())
    dry, wet = (heard(sound.wav(beat, sounds=Sounds(soundfont, dry=flag))) for flag in (True, False))
    assert not np.array_equal(dry[: len(wet)], wet[: len(dry)])
    loud = [loudness.integrated(one) for one in (dry, wet)]
    assert loud[1] >= loud[0] - 0.5 and loud[1] <= sound.LOUDNESS + 0.5
