"""The contract from another language: the client in Node gets from a server what `Drummer` plays."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from tests.conftest import ROOT
from tests.fake_server import Playing, real_server, serving

FOLDER = ROOT / "examples" / "node"
SONG = ROOT / "examples" / "five_four.mid"
Node = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


@pytest.fixture(scope="module")
def node() -> Node:
    """Runs the example; the test is skipped where that cannot be."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("needs node")
    modules = Path(os.environ.get("SEQ2DRUM_NODE_MODULES") or FOLDER / "node_modules").resolve()
    if not (modules / "@grpc" / "grpc-js").is_dir():
        pytest.skip("needs its packages: npm install in examples/node, or SEQ2DRUM_NODE_MODULES=.../node_modules")

    def run(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        names = {"SEQ2DRUM_NODE_MODULES": str(modules), **environment}
        return subprocess.run(
            [program, str(FOLDER / "drums.mjs"), *map(str, words)],
            env={**os.environ, **names},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture(scope="module")
def address(node: Node, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with real_server(tmp_path_factory.mktemp("server")) as where:
        yield where


def test_a_node_client_gets_the_drums_of_drummer_and_each_bar(
    node: Node, address: str, drummer: Drummer, tmp_path: Path
) -> None:
    done = node(SONG, tmp_path / "drums.mid", address, SEED="18446744073709551615")
    assert (done.returncode, done.stderr) == (0, "")
    take = drummer.accompany(SONG, Options(seed=(1 << 64) - 1))
    assert (tmp_path / "drums.mid").read_bytes() == take.to_bytes()
    lines = done.stdout.splitlines()
    hits = [f"bar {bar.bar.index + 1}: {len(bar.part)} hits" for bar in drummer.stream(SONG, take.options)]
    assert lines[0].startswith(f"{len(hits)} bars, listening to ")
    assert lines[1:-1] == hits
    assert lines[-1].endswith(f"drums.mid: {len(take.part)} hits, seed 18446744073709551615, model default")
    assert [path.name for path in tmp_path.iterdir()] == ["drums.mid"]


def test_a_node_client_gets_the_error_messages_of_drummer(node: Node, address: str, tmp_path: Path) -> None:
    (tmp_path / "bad.mid").write_bytes(b"no music")
    done = node(tmp_path / "bad.mid", tmp_path / "drums.mid", address)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("bad.mid: this is not a MIDI file: it begins with 'no m', not with 'MThd'\n")
    assert not (tmp_path / "drums.mid").exists()
    assert node().returncode == 2


def test_a_node_client_sends_its_token(node: Node, drummer: Drummer, tmp_path: Path) -> None:
    servicer = Playing(drummer)
    with serving(servicer) as where:
        assert node(SONG, tmp_path / "drums.mid", where, SEQ2DRUM_TOKEN="s3cret").returncode == 0
    assert servicer.metadata[-1]["authorization"] == "Bearer s3cret"
