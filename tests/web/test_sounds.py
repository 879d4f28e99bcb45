import json
import shutil
from pathlib import Path

import pytest

from seq2drum.music.kit import FULL
from server.web import make_sounds

LISTED = json.loads((make_sounds.FOLDER / make_sounds.LIST).read_text(encoding="utf-8"))


def test_every_piece_of_the_kit_and_every_guitar_has_its_sounds():
    assert tuple(LISTED["drums"]) == FULL.names
    assert {name: [one["pitch"] for one in notes] for name, notes in LISTED["guitars"].items()} == {
        name: list(make_sounds.PITCHES) for name in make_sounds.GUITARS
    }


def test_the_list_and_the_folder_have_the_same_files_and_the_notice_of_the_soundfont_is_there():
    listed = {one["file"] for kind in LISTED.values() for sounds in kind.values() for one in sounds}
    files = {path.name for path in make_sounds.FOLDER.iterdir()}
    assert files == listed | {make_sounds.LIST, "NOTICE.md"}
    notice = (make_sounds.FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    assert "Frank Wen" in notice and "Permission is hereby granted" in notice


def test_the_sounds_take_no_more_bytes_than_were_meant():
    def size(kind: str) -> int:
        files = [one["file"] for sounds in LISTED[kind].values() for one in sounds]
        return sum((make_sounds.FOLDER / name).stat().st_size for name in files)

    assert size("drums") <= 140_000 and size("guitars") <= 484_000


@pytest.mark.slow
def test_the_command_renders_the_sounds_that_are_there(tmp_path: Path):
    if not (shutil.which("fluidsynth") and shutil.which("lame") and make_sounds.SOUNDFONT.is_file()):
        pytest.skip("needs FluidSynth, LAME and FluidR3_GM.sf2")
    make_sounds.write(make_sounds.SOUNDFONT, tmp_path)
    assert json.loads((tmp_path / make_sounds.LIST).read_text(encoding="utf-8")) == LISTED
    for path in tmp_path.glob("*.mp3"):  # another version of LAME writes other bytes, but about as many
        assert path.stat().st_size == pytest.approx((make_sounds.FOLDER / path.name).stat().st_size, rel=0.1)
