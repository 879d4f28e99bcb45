"""Mode jam: what is written of a jam with a file as the guitarist, and what is said of what makes no sense."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from seq2drum.formats.midi import midi
from seq2drum.music.notes import Note, Part, Song
from tests.commands import called
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
        (["--in", riff, "--fast", "--prime", "2"], "no use for --prime"),
        (["--in", riff, "--fast", "--bpm", "90"], "--bpm is for a jam in time"),
        (["--in", riff, "--fast", "--clock-in"], "--clock-in is for a jam in time"),
        (["--in", riff, "--fast", "-o", riff, "--force"], "would be written over"),
    ):
        code, out, err = run(*words)
        assert (code, out) == (2, "")
        assert said in err
        assert err.count("\n") == 1
    assert not riff.with_name("riff.jam.mid").exists()
