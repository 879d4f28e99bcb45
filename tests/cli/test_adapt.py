"""Mode adapt: what is told of the files, and that nothing that was there is lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from seq2drum.formats.midi import midi
from tests.commands import called
from tests.conftest import ROOT

TRAINING = ROOT / "examples" / "training"
SONG = str(ROOT / "examples" / "funk.mid")


def band_of(folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        shutil.copy(TRAINING / f"{name}.mid", folder)
    return folder


def test_a_drummer_is_made_and_plays_and_replaces_nothing_without_force(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    songs, out = band_of(tmp_path / "songs", "funk_1", "funk_2", "rock_riff_1"), tmp_path / "drummer"
    (songs / "broken.mid").write_bytes(b"MThd")
    code, _, err = called(["adapt", "--data", str(songs), "--out", str(out)], capsys)
    assert code == 0, err
    assert "broken: left out: not a readable song" in err and "understood: 3 of 4 files" in err
    before = (out / "config.json").read_bytes()
    code, _, err = called(["infer", SONG, "--model", str(out), "-o", str(tmp_path / "take.mid")], capsys)
    assert code == 0 and midi.parse((tmp_path / "take.mid").read_bytes()).parts[0].is_drums
    code, _, err = called(["adapt", "--data", str(songs), "--out", str(out)], capsys)
    assert code == 2 and "holds a drummer already; --force replaces it" in err
    code, _, err = called(["adapt", "--data", str(songs), "--out", str(out), "--name", "Us", "--force"], capsys)
    assert code == 0 and (out / "config.json").read_bytes() != before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_one_song_makes_a_drummer_that_is_told_to_know_little(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    songs = band_of(tmp_path / "songs", "funk_1")
    code, _, err = called(["adapt", "--data", str(songs), "--out", str(tmp_path / "out")], capsys)
    assert code == 0 and "one song alone says little" in err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "x"], "--mode adapt wants --data MYBAND"),
        (["--data", "nowhere", "--out", "x"], "there is no file or folder 'nowhere'"),
        (["--data", "songs", "--out", "x", "--minutes", "-1"], "--minutes is -1"),
        (["--data", "songs", "--out", "x", "--seed", "-1"], "the seed is -1"),
        (["--data", "songs", "--out", "songs"], "holds other files; name a new folder"),
        (["--data", "songs", "--out", "songs/funk_1.mid"], "is a file; name a folder"),
        (["--data", "guitars", "--out", "x"], "none of 1 files has guitar and drums"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    band_of(tmp_path / "songs", "funk_1")
    (tmp_path / "guitars").mkdir()
    shutil.copy(SONG, tmp_path / "guitars")
    monkeypatch.chdir(tmp_path)
    code, _, err = called(["adapt", *words], capsys)
    assert code == 2 and said in err, err
    assert not (tmp_path / "x").exists()


HIDING = """
import sys
from importlib.machinery import PathFinder
class Hiding(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] == "torch" else PathFinder.find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Hiding
from seq2drum.cli import program
sys.exit(program())
"""


def test_grooves_and_ways_are_learnt_without_torch_and_tuning_says_how_to_get_it(tmp_path: Path) -> None:
    songs, out = band_of(tmp_path / "songs", "funk_1", "funk_2", "rock_riff_1"), tmp_path / "out"
    words = [sys.executable, "-c", HIDING, "--mode", "adapt", "--data", str(songs), "--out", str(out)]
    tuned = subprocess.run([*words, "--minutes", "1"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert tuned.returncode == 2 and "pip install 'seq2drum[train]', or leave out --minutes" in tuned.stderr, tuned
    assert "Traceback" not in tuned.stderr and not out.exists()
    plain = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, check=False)
    assert plain.returncode == 0 and (out / "config.json").is_file(), plain.stderr
