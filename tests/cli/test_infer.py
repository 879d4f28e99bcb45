"""Mode infer: beats that are given or found, and recordings, with the commands of the docs."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from seq2drum.cli import infer
from seq2drum.errors import MissingExtraError
from seq2drum.formats.audio import recording
from seq2drum.formats.midi import midi
from seq2drum.lattice.beats import placing
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from seq2drum.show import fluidsynth, loudness
from tests.commands import called
from tests.conftest import ROOT
from tests.recordings import as_file, needs_audio, riff


@pytest.fixture
def free() -> Song:
    """A guitar that was played without a click: no strike is where the grid has a place."""
    rng = np.random.default_rng(0)
    at = np.cumsum(rng.integers(150, 420, 200)).tolist()
    guitar = Part.of([Note(int(tick), 100, 52, 90) for tick in at], program=25)
    return Song(480, (guitar,), (Tempo(0, 500_000),), (Metre(0, 4, 4),), 32 * 1920)


@pytest.mark.parametrize(
    ("given", "advice", "other"),
    [
        (infer.Given("riff.mid"), "--follow detects its beats", "put it right"),
        (infer.Given("riff.mid", found=True), "--beat-scale 2 or 0.5 put it right", "--follow"),
        (infer.Given("riff.wav", b"RIFF", found=True), "--beat-scale 2 or 0.5 put it right", "--follow"),
    ],
)
def test_to_follow_is_advised_only_where_no_beats_were_looked_for(
    free: Song, given: infer.Given, advice: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert placing.missed(free, [0]).is_free
    take: Any = SimpleNamespace(song=free, guitar=SimpleNamespace(parts=[0]))
    infer.warn("riff", take, given)
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert advice in said
    assert other not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--style", "rokc"), "did you mean rock?"),
        (("--groove", "no such groove"), "there is no groove 'no such groove'"),
        (("--groove", "verse=no such groove"), "there is no groove 'no such groove'"),
        (("--groove", "none.mid:5-8"), "none.mid does not exist"),
        (("--like", "none.mid"), "none.mid does not exist"),
        (("--track", "2"), "--track '2' fits no part; a recording has one, 1 'Guitar'"),
        (("--track", "bass"), "--track 'bass' fits no part; a recording has one, 1 'Guitar'"),
    ],
)
def test_a_mistyped_name_is_refused_before_a_recording_is_listened_to(
    words: tuple[str, str],
    said: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "heard", lambda data: pytest.fail("it was listened to"))
    monkeypatch.chdir(tmp_path)
    Path("riff.wav").write_bytes(b"RIFF\x24\0\0\0WAVEfmt ")
    code, out, err = called(["riff.wav", *words], capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_which_groove_of_a_family_was_taken_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song = str(ROOT / "examples" / "rock_riff.mid")
    code, _, err = called([song, "-o", str(tmp_path / "o.mid"), "--groove", "A=half-time,B=rock-ride"], capsys)
    assert code == 0
    assert f"{song}: 'half-time' is half-time-rock-hat here, of " in err
    assert "'rock-ride'" not in err


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_a_plan_is_written_and_given_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    song, plan = str(ROOT / "examples" / "rock_riff.mid"), tmp_path / "plan.json"
    one, other, changed = (tmp_path / f"{name}.mid" for name in ("one", "other", "changed"))
    seeded = [song, "--seed", "1"]
    assert called([*seeded, "-o", str(one), "--plan-out", str(plan)], capsys)[0] == 0
    assert called([*seeded, "-o", str(other), "--plan", str(plan)], capsys)[0] == 0
    assert one.read_bytes() == other.read_bytes()
    # An existing plan stays, unless forced.
    written = plan.read_bytes()
    code, _, err = called([*seeded, "--style", "jazz", "-o", str(changed), "--plan-out", str(plan)], capsys)
    assert code == 2 and "exists already" in err and plan.read_bytes() == written
    assert not changed.exists()
    plan.write_bytes(written.replace(b'"closed hat"', b'"crash"'))
    assert called([*seeded, "-o", str(changed), "--plan", str(plan)], capsys)[0] == 0
    assert changed.read_bytes() != one.read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("examples/jazz_swing.mid", "--plan", "{plan}"), "the plan has 4 sections, but the song has 2"),
        (("examples/rock_riff.mid", "--plan", "{plan}", "--arrange", "off"), "the plan builds the song"),
        (
            ("examples/rock_riff.mid", "examples/funk.mid", "--plan", "{plan}"),
            "--plan is for one song, but there are 2",
        ),
        (("examples/rock_riff.mid", "--plan", "none.json"), "none.json does not exist; give the path of a plan"),
        (("examples/rock_riff.mid", "--plan-out", "plan.txt"), "--plan-out writes .json"),
        (("examples/rock_riff.mid", "examples/funk.mid", "--plan-out", "p.json"), "--plan-out names one file"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused(
    words: tuple[str, ...], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tmp_path / "plan.json"
    song = str(ROOT / "examples" / "rock_riff.mid")
    assert called([song, "--seed", "1", "-o", str(tmp_path / "o.mid"), "--plan-out", str(plan)], capsys)[0] == 0
    (tmp_path / "out").mkdir()
    given = [str(ROOT / word) if word.startswith("examples/") else word.format(plan=plan) for word in words]
    code, _, err = called([*given, "-o", f"{tmp_path / 'out'}/"], capsys)
    assert code == 2 and said in err
    assert not list((tmp_path / "out").iterdir())


# --- recordings on the command line: the commands of the docs, and three minutes of a distorted, noisy gu -------------


@pytest.fixture
def audio() -> None:
    needs_audio()


COMMAND = re.compile(r"seq2drum --mode infer riff\.wav[^\n`]*")
SECONDS = 180


def commands() -> list[str]:
    """The commands of the docs that play to a recording, each once."""
    texts = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").rglob("*.md"))]
    return sorted({command.strip() for text in texts for command in COMMAND.findall(text)})


@pytest.mark.usefixtures("audio")
@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_docs_makes_drums_that_last_as_long_as_the_recording(
    command, tmp_path, monkeypatch, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("riff.wav").write_bytes(as_file(riff(0.52 + 0.25 * np.arange(48), 13.0)))
    code, _, err = called(shlex.split(command)[1:], capsys)
    assert code == 0, err
    drums = midi.read("riff.drums.mid")
    assert [part.is_drums for part in drums.parts] == [True]
    assert drums.seconds(int(drums.parts[0].onset[-1])) > 8
    assert drums.seconds(drums.end) == pytest.approx(13, abs=0.1)
    if "--bpm" in command:
        assert drums.tempos[-1].bpm == pytest.approx(120, abs=0.01)


def three_minutes() -> tuple[np.ndarray, np.ndarray]:
    """(three minutes of the shuffle on a distorted guitar with noise, (frames, 2); the seconds of its quarters)."""
    song = midi.read(ROOT / "examples" / "blues_shuffle.mid")
    try:
        synthesiser = fluidsynth.find()
    except MissingExtraError as error:
        pytest.skip(str(error))
    guitar = [replace(part, program=30) for part in song.parts if not part.is_drums]
    lasts = song.seconds(song.bars()[-1].start)
    (once,) = fluidsynth.render(synthesiser, [fluidsynth.timed(song, guitar, None, lasts)], lambda share: None)
    frames = round(lasts * loudness.RATE)
    sound = np.tile(once[:frames] / np.abs(once).max(), (SECONDS * loudness.RATE // frames + 1, 1))
    sound = 0.7 * np.tanh(4 * sound[: SECONDS * loudness.RATE])
    quarter = song.seconds(song.ticks_per_quarter)
    return sound + np.random.default_rng(0).normal(0, 0.005, sound.shape), np.arange(0, SECONDS, quarter)


@pytest.mark.usefixtures("audio")
@pytest.mark.slow
def test_drums_lie_on_the_beats_of_three_minutes_of_a_distorted_and_noisy_guitar(tmp_path, capsys) -> None:
    sound, quarters = three_minutes()
    (tmp_path / "riff.wav").write_bytes(as_file(sound, loudness.RATE))
    folder = tmp_path / "stems"
    code, _, err = called([str(tmp_path / "riff.wav"), "--stems", str(folder)], capsys)
    assert code == 0, err
    drums = midi.read(tmp_path / "riff.drums.mid")
    # 1. What is written on a quarter sounds on one.
    bars = np.array([bar.start for bar in drums.bars()])
    onset = drums.parts[0].onset
    beat = (onset - bars[np.searchsorted(bars, onset, side="right") - 1]) / drums.ticks_per_quarter
    on = np.array([drums.seconds(int(tick)) for tick in onset[np.abs(beat - np.rint(beat)) < 0.1]])
    assert len(on) > 0.8 * len(quarters)
    off = np.abs(on[:, None] - quarters).min(axis=1)
    assert np.median(off) < 0.02
    assert np.percentile(off, 95) < 0.05
    # 2. The guitar among the stems is the recording, and they add up.
    import soundfile

    stems = {path.stem: soundfile.read(path)[0] for path in folder.iterdir()}
    guitar, mix = stems["guitar"], stems.pop("mix")
    assert np.abs(sum(stems.values()) - mix).max() < 1e-4  # each is rounded to 16 bits
    heard = slice(0, 170 * loudness.RATE)
    assert np.corrcoef(guitar[heard, 0], sound[heard, 0])[0, 1] > 0.99
