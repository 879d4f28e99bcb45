"""The demo: which files one command writes, and that it never changes files of the user."""

import wave
from pathlib import Path

import pytest

from seq2drum.cli import demo, main
from seq2drum.errors import MissingExtraError
from seq2drum.formats.midi import midi
from seq2drum.play import drummer
from seq2drum.play.drummer import Drummer
from seq2drum.play.take import Take
from seq2drum.show import draw, sound
from tests.conftest import run_script

ROOT = Path(__file__).parents[2]
MIDI = ["guitar.mid", "drums.mid", "song.mid"]
WAV = b"RIFF" + bytes(40)


def demos(*words: object) -> int:
    return main(["--mode", "demo", *map(str, words)])


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def take() -> Take:
    return drummer.Drummer.load().accompany(demo.SONG)


@pytest.fixture
def quick(monkeypatch, take):
    """A drummer that is loaded already, and a synthesiser that renders nothing and so is quick."""

    class Loaded:
        def accompany(self, song: bytes) -> Take:
            assert song == demo.SONG.read_bytes()
            return take

    monkeypatch.setattr(drummer.Drummer, "load", staticmethod(Loaded))
    monkeypatch.setattr(sound, "wav", lambda duet, sounds=None: WAV)


def test_the_song_that_ships_is_the_example(tmp_path):
    assert demo.SONG.read_bytes() == (ROOT / "examples" / "blues_shuffle.mid").read_bytes()
    run_script(ROOT / "examples" / "make_examples.py")["ship"](tmp_path)
    assert (tmp_path / "songs" / demo.SONG.name).read_bytes() == demo.SONG.read_bytes()


def test_the_demo_writes_a_song_a_picture_and_sound_and_prints_their_paths(tmp_path, monkeypatch, capsys):
    try:
        sound.check()
        there = True
    except MissingExtraError:
        there = False
    monkeypatch.chdir(tmp_path)
    assert demos() == 0
    folder = tmp_path / "seq2drum-demo"
    names = [*MIDI, "picture.png", *(["sound.wav"] if there else [])]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "seq2drum-demo:"
    assert [line.split()[0] for line in lines[1:-1]] == names
    assert lines[-1] == "now your own: seq2drum --mode infer YOUR.mid"

    guitar, drums, song = (midi.read(folder / name) for name in MIDI)
    assert (folder / "guitar.mid").read_bytes() == demo.SONG.read_bytes()
    assert all(part.is_drums and len(part) for part in drums.parts)
    assert [part.is_drums for part in song.parts] == [False, True]
    assert song.parts[0] == guitar.parts[0]
    assert song.parts[1].rows.tolist() == drums.parts[0].rows.tolist()
    take = Drummer.load().accompany(demo.SONG)
    picture = draw.picture(take.duet, "png", title=demo.TITLE, plan=take.plan)
    assert (folder / "picture.png").read_bytes() == picture != draw.picture(take.duet, "png", title=demo.TITLE)
    if there:
        with wave.open(str(folder / "sound.wav")) as file:
            assert 49 < file.getnframes() / 44_100 < 58


def test_the_demo_writes_the_take_that_infer_writes(quick, tmp_path, monkeypatch):
    assert demos("-o", tmp_path / "demo") == 0
    monkeypatch.undo()
    assert main(["--mode", "infer", str(demo.SONG), "-o", str(tmp_path / "drums.mid"), "--seed", "0"]) == 0
    assert (tmp_path / "drums.mid").read_bytes() == (tmp_path / "demo" / "drums.mid").read_bytes()


def test_the_demo_can_be_run_again(quick, tmp_path):
    folder = tmp_path / "a" / "new one"
    assert demos("-o", folder) == 0
    before = contents(folder)
    (folder / "my.drums.mid").write_bytes(b"mine")
    (folder / "picture.png").unlink()
    assert demos("-o", folder) == 0
    assert contents(folder) == before | {"my.drums.mid": b"mine"}


def test_drums_that_were_changed_are_overwritten_only_with_force(quick, tmp_path, capsys):
    assert demos("-o", tmp_path) == 0
    before = contents(tmp_path)
    (tmp_path / "drums.mid").write_bytes(b"mine")
    assert demos("-o", tmp_path) == 2
    err = capsys.readouterr().err
    assert "drums.mid is not what the demo writes" in err and "--force" in err
    assert contents(tmp_path) == before | {"drums.mid": b"mine"}
    assert demos("-o", tmp_path, "--force") == 0
    assert contents(tmp_path) == before


def test_an_empty_folder_is_filled(quick, tmp_path):
    assert demos("-o", tmp_path) == 0
    assert sorted(contents(tmp_path)) == sorted([*MIDI, "picture.png", "sound.wav"])


@pytest.mark.parametrize("name", ["letter.txt", "song.mid", "guitar.mid", ".hidden"])
def test_a_folder_with_other_files_is_refused_without_force(quick, tmp_path, capsys, name):
    (tmp_path / name).write_bytes(b"mine")
    assert demos("-o", tmp_path) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert "--force" in printed.err and "-o" in printed.err
    assert printed.out == ""
    assert contents(tmp_path) == {name: b"mine"}
    assert demos("-o", tmp_path, "--force") == 0
    written = contents(tmp_path)
    assert {"guitar.mid", "song.mid", "picture.png"} < written.keys()
    assert (written[name] == b"mine") == (name in ("letter.txt", ".hidden"))


def test_a_file_or_standard_output_is_refused_as_the_folder(quick, tmp_path, capsys):
    file = tmp_path / "file"
    file.write_bytes(b"mine")
    for name in (file, file / "below", "-"):
        assert demos("-o", name) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert contents(tmp_path) == {"file": b"mine"}


def test_without_a_synthesiser_all_else_is_written_and_one_line_says_how_to_install_it(
    quick, tmp_path, monkeypatch, capsys
):
    monkeypatch.undo()
    folder = tmp_path / "demo"
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert demos("-o", folder) == 0
    assert sorted(contents(folder)) == sorted([*MIDI, "picture.png"])
    printed = capsys.readouterr()
    assert printed.err.startswith("no sound.wav: sound needs FluidSynth")
    assert printed.err.count("\n") == 1
    assert printed.out.splitlines()[-1].startswith("now your own")


def test_an_invalid_soundfont_is_refused_before_anything_is_written(quick, tmp_path, monkeypatch, capsys):
    font = tmp_path / "font.sf2"
    font.write_bytes(b"junk")
    monkeypatch.setattr("shutil.which", lambda name: "/bin/false")
    assert demos("-o", tmp_path / "demo", "--soundfont", font) == 2
    assert "it is not a soundfont" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()


def test_the_demo_takes_no_song(tmp_path, capsys):
    assert demos("song.mid", "-o", tmp_path / "demo") == 2
    assert "--mode demo does not take a song" in capsys.readouterr().err
    assert not (tmp_path / "demo").exists()
