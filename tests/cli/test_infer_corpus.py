"""Real songs, and the odd, extreme and broken files, through the command line."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from seq2drum import cli
from seq2drum.formats.midi import midi
from seq2drum.music.limits import Limits
from seq2drum.play import drummer
from seq2drum.play.checkpoint.folder import available
from seq2drum.play.drummer import Drummer
from tests.conftest import CORPUS, corpus_files, some
from tests.players import faults, save_player

TORTURE = corpus_files("torture")
REAL = [*corpus_files("sample"), *corpus_files("black_metal"), *CORPUS.glob("*.mid")]
MANY = 500  # bars. A bar takes one to two milliseconds, so an hour of music cannot be played to within a second
SLACK = 3.0  # how many times slower than the machine on which one second suffices another may be
ANY = Limits(file_bytes=1 << 24, events=1 << 20)  # a model of random weights plays more hits than a trained one

pytestmark = pytest.mark.skipif(not TORTURE, reason="needs the corpus of real music in ../shared/corpus")


def mostly_slow(paths: Sequence[Path]) -> list[Any]:
    """Parameters: every third of the files, and the others as slow ones."""
    return [pytest.param(path, marks=pytest.mark.slow) if n % 3 else path for n, path in enumerate(paths)]


@pytest.fixture(scope="module")
def player(tmp_path_factory: pytest.TempPathFactory) -> Drummer:
    return Drummer.load(save_player(tmp_path_factory.mktemp("player")))


@pytest.fixture(autouse=True)
def loaded_once(player: Drummer, monkeypatch: pytest.MonkeyPatch) -> None:
    """`--mode infer` for each song, with the model loaded once."""
    monkeypatch.setattr(drummer.Drummer, "load", staticmethod(lambda *_, **__: player))


@pytest.mark.slow
@pytest.mark.parametrize("path", TORTURE, ids=lambda path: path.stem[-40:])
def test_every_odd_file_gives_a_take_or_one_line_within_seconds(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = path.read_bytes()
    target = tmp_path / "drums.mid"
    begun = time.process_time()
    code = cli.main(["--mode", "infer", str(path), "-o", str(target)])
    seconds = time.process_time() - begun
    out, err = capsys.readouterr()
    assert path.read_bytes() == data
    if code == 0:
        assert not err or (err.count("\n") == 1 and "was it played without a click?" in err)  # some of them were
        song, drums = midi.parse(data), midi.read(target, limits=ANY)
        assert sum(map(len, drums.parts)) > 0
        assert all(faults(part, song) == [] for part in drums.parts)
        assert (drums.ticks_per_quarter, drums.tempos, drums.metres) == (
            song.ticks_per_quarter,
            song.tempos,
            song.metres,
        )
        assert seconds < SLACK * (1.0 if len(song.bars()) < MANY else 8.0)
    else:
        assert code == 2
        assert out == ""
        assert not target.exists()
        assert err.startswith("seq2drum: ")
        assert err.count("\n") == 1
        assert len(err) > len("seq2drum: ") + len(str(path)) + 20
        assert seconds < SLACK


@pytest.mark.parametrize("path", mostly_slow(some(REAL, 2)), ids=lambda path: path.stem[-40:])
def test_real_songs_get_drums(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "drums.mid"
    assert cli.main(["--mode", "infer", str(path), "-o", str(target)]) == 0, capsys.readouterr().err
    song, drums = midi.read(path), midi.read(target, limits=ANY)
    (part,) = drums.parts
    assert faults(part, song) == []
    assert (drums.ticks_per_quarter, drums.tempos, drums.metres) == (song.ticks_per_quarter, song.tempos, song.metres)
    assert drums.end == song.end


@pytest.mark.skipif("default" not in available(), reason="needs the default model in seq2drum/checkpoints")
@pytest.mark.parametrize("path", mostly_slow(some(REAL, 3)), ids=lambda path: path.stem[-40:])
def test_the_shipped_model_plays_to_real_songs(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    take = Drummer.load().accompany(path)
    assert faults(take.part, take.song) == []
    assert len(take.part) > 2 * len(take.song.bars())
