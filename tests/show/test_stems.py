"""Stems of a duet: what they are, and that they add up."""

from __future__ import annotations

import io
import tracemalloc
import wave
from pathlib import Path

import numpy as np
import pytest

from seq2drum import cli
from seq2drum.formats.midi import midi
from seq2drum.music.notes import Note, Part, Song
from seq2drum.show import fluidsynth, loudness, sound
from seq2drum.show import sound as stems
from tests.players import save_player, strummed


def drums(name: str, pitch: int) -> Part:
    return Part.of([Note(at, 60, pitch, 127) for at in range(0, 1920, 240)], name=name, is_drums=True)


def heard(data: bytes) -> np.ndarray:
    """(frames, 2), full scale at 1, of a WAV file of 16 bits."""
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth(), file.getframerate()) == (2, 2, loudness.RATE)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").reshape(-1, 2) / 32767


def test_stems_add_up_to_the_mix_to_a_millionth_and_nothing_is_clipped(soundfont: Path) -> None:
    guitar = Part.of([Note(at, 400, 52, 100) for at in range(0, 1920, 480)], program=30)
    song = Song(480, (guitar,), length=1920)
    others = {"kick": (drums("Kick", 36),), "snare": (drums("Snare", 38),)}
    made = stems.rendered_stems(song, (guitar,), others, soundfont=soundfont)
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
    made = stems.rendered_stems(song, (), {"kick": (drums("Kick", 36),)}, soundfont=soundfont, recording=recording)
    mix = made.pop("mix")
    assert list(made) == ["guitar", "kick"]
    total = np.sum([one.astype(np.float64) for one in made.values()], axis=0)
    assert np.abs(total - mix).max() < 1e-6
    kick = fluidsynth.timed(song, (drums("Kick", 36),), None, sound.MOST_SECONDS)
    (alone,) = fluidsynth.render(fluidsynth.find(soundfont), [kick], lambda share: None)
    over = sound.over(recording, alone)
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
        made = stems.rendered_stems(Song(480, (guitar,), length=30 * 960), (guitar,), drummed, soundfont=soundfont)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    one = max(sound.nbytes for sound in made.values())
    assert len(made) == 8 and most < 12 * one


def test_no_stem_is_above_full_scale_where_the_mix_is_not(soundfont: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two that take each other out are louder than what is left of them."""
    loud = np.tile(np.float32([[1.5, 1.5], [-1.5, -1.5]]), (loudness.RATE, 1))
    parts = {name: (drums(name, 38),) for name in ("kick", "snare")}
    monkeypatch.setattr(fluidsynth, "render", lambda *given: [loud.copy(), -0.97 * loud])
    made = stems.rendered_stems(Song(480, (), length=1920), (), parts, soundfont=soundfont)
    assert all(loudness.peak(one) <= 1 for one in made.values())
    assert np.abs(made["kick"] + made["snare"] - made["mix"]).max() < 1e-6


@pytest.mark.slow
def test_the_command_line_writes_stems_and_overwrites_none(
    soundfont: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    song, model, folder = tmp_path / "a.mid", save_player(tmp_path / "player"), tmp_path / "stems"
    song.write_bytes(midi.serialise(strummed()))
    words = [str(song), "--model", str(model), "--click", "--stems", str(folder), "--soundfont", str(soundfont)]
    assert cli.main(words) == 0
    made = {path.stem: heard(path.read_bytes()) for path in folder.iterdir()}
    assert {"guitar", "click", "mix"} < made.keys()
    mix = made.pop("mix")
    assert np.abs(np.sum(list(made.values()), axis=0) - mix).max() < (len(made) + 1) / 65534  # each is rounded
    (tmp_path / "a.drums.mid").unlink()
    assert cli.main(words) == 2
    assert "no --stems: " in capsys.readouterr().err
