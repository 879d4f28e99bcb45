"""What is said of the beats of a file that was played without a click, or whose beats were found."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from seq2drum.cli import infer
from seq2drum.formats.audio import recording
from seq2drum.lattice.beats import placing
from seq2drum.music.notes import Metre, Note, Part, Song, Tempo
from tests.commands import called
from tests.conftest import ROOT


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
        (infer.Given("riff.mid"), "--follow finds its beats", "put it right"),
        (infer.Given("riff.mid", found=True), "--beat-scale 2 or 0.5 put it right", "--follow"),
        (infer.Given("riff.wav", b"RIFF", found=True), "--beat-scale 2 or 0.5 put it right", "--follow"),
    ],
)
def test_to_follow_is_advised_only_where_no_beats_were_looked_for(
    free: Song, given: infer.Given, advice: str, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert placing.missed(free, [0]).is_free
    infer.warn("riff", SimpleNamespace(song=free, guitar=SimpleNamespace(parts=[0])), given)
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
