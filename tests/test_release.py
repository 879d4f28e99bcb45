"""What a release may hold, and what its check says of one that is wrong. CI builds a real one and checks it."""

import importlib.util
import io
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from seq2drum.errors import UnknownModelError
from seq2drum.music.choices import LABORATORIES
from seq2drum.play.generators import composer
from seq2drum.play.generators.composer import Composer
from seq2drum.play.generators.loops import LoopMaker

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LEARNT = tomllib.loads((ROOT / "packages" / "generators" / "pyproject.toml").read_text(encoding="utf-8"))

_spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
release = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(release)

FILES = {"seq2drum/a.py", "seq2drum/checkpoints/step/step.onnx", "server/b.py", "client/py.typed", "docs/index.md"}
LEFT = ("seq2drum/checkpoints/step/step.onnx",)


def made(folder: Path, *, wheel=(), generators=LEFT, archive=()) -> tuple[Path, Path, Path]:
    """A release of FILES, with the files that each should have if not told otherwise."""
    wheel = wheel or ("seq2drum/a.py", "server/b.py", "client/py.typed")
    paths = folder / "seq2drum-1.whl", folder / "seq2drum_generators-1.whl", folder / "seq2drum-1.tar.gz"
    for path, names in zip(paths[:2], (wheel, generators), strict=True):
        with zipfile.ZipFile(path, "w") as opened:
            for name in (*names, "seq2drum-1.dist-info/METADATA"):
                opened.writestr(name, name)
    with tarfile.open(paths[2], "w:gz") as opened:
        for name in (*(archive or FILES), "PKG-INFO"):
            about = tarfile.TarInfo(f"seq2drum-1/{name}")
            about.size = len(name)
            opened.addfile(about, io.BytesIO(name.encode()))
    return paths


def test_a_release_with_each_file_where_it_belongs_has_no_trouble(tmp_path):
    assert release.troubles(FILES | {".gitattributes"}, *made(tmp_path)) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"wheel": ("seq2drum/a.py", "server/b.py")}, "client/py.typed is tracked, and not in"),
        ({"generators": ("x",)}, "x is in seq2drum-1.whl and seq2drum_generators-1.whl, and not tracked"),
        (
            {"wheel": ("seq2drum/a.py", "server/b.py", "client/py.typed", "tests/test_a.py")},
            "tests/test_a.py is in seq2drum-1.whl and seq2drum_generators-1.whl, and not tracked",
        ),
        ({"generators": (*LEFT, "server/b.py")}, "server/b.py is in both wheels"),
        ({"generators": (*LEFT, "server/b.py")}, "server/b.py is code in seq2drum_generators-1.whl"),
        ({"archive": FILES - {"docs/index.md"}}, "docs/index.md is tracked, and not in seq2drum-1.tar.gz"),
        ({"archive": FILES | {"runs/last.ckpt"}}, "runs/last.ckpt is in seq2drum-1.tar.gz, and not tracked"),
    ],
)
def test_a_file_too_many_or_too_few_is_named(tmp_path, changed, said):
    found = release.troubles(FILES, *made(tmp_path, **changed))
    assert [line for line in found if line.startswith(said)]


def test_a_wheel_that_is_too_large_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(release, "MOST_BYTES", 300)
    files = made(tmp_path)
    with files[1].open("ab") as file:
        file.write(bytes(300))
    assert "seq2drum_generators-1.whl has" in release.troubles(FILES, *files)[-1]


def test_the_generators_are_released_with_the_version_that_plays_them():
    version = PROJECT["project"]["version"]
    assert LEARNT["project"]["version"] == version
    assert LEARNT["project"]["dependencies"] == [f"seq2drum=={version}"]
    assert LEARNT["project"]["name"] == composer.PACKAGE
    assert (ROOT / "packages" / "generators" / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


def test_what_one_wheel_leaves_out_the_other_has():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["exclude"]
    there = LEARNT["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert wheel == [f"/seq2drum/checkpoints/{name}" for name in sorted(LABORATORIES)]
    assert list(there.values()) == [name.removeprefix("/") for name in wheel]
    assert list(there) == [f"../..{name}" for name in wheel]


def test_a_generator_that_is_not_installed_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setattr(composer, "_SHIPPED", tmp_path)
    monkeypatch.setattr("seq2drum.play.generators.loops.SHIPPED", tmp_path / "loop")
    assert composer.available() == []
    for load in (lambda: Composer.load("step"), LoopMaker.load):
        with pytest.raises(UnknownModelError, match=r"not installed: .*install .*generators.*leave out --model"):
            load()
