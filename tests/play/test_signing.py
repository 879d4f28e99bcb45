"""Signatures of checkpoints: who vouched for the digests, and what is refused."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from seq2drum.cli import signing as command
from seq2drum.errors import CheckpointError, InputError, OutputError
from seq2drum.play.checkpoint import signing
from seq2drum.play.checkpoint.folder import SUMS
from server import lifecycle, player
from server.settings import Settings
from tests.conftest import ROOT

pytest.importorskip("cryptography", reason="signs: pip install 'seq2drum[sign]'")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "run" / "best"
    shutil.copytree(ROOT / "seq2drum" / "checkpoints" / "step", place)
    return place


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    """Two private keys."""
    for name in ("mine", "other"):
        signing.make_key(tmp_path / name)
    return tmp_path / "mine", tmp_path / "other"


def public(key: Path) -> Path:
    return key.with_name(f"{key.name}.pub")


def test_a_signature_names_the_key_and_holds_for_no_other_digests(folder: Path, keys: tuple[Path, Path]) -> None:
    mine, other = keys
    with pytest.raises(CheckpointError, match="is not signed"):
        signing.check(folder, [public(mine)])
    signing.sign(folder, mine)
    assert signing.check(folder, [public(other), public(mine)]) == public(mine)
    with pytest.raises(CheckpointError, match="by none of the trusted keys"):
        signing.check(folder, [public(other)])
    (folder / SUMS).write_text((folder / SUMS).read_text() + "\n")
    with pytest.raises(CheckpointError, match="or was changed since"):
        signing.check(folder, [public(mine)])
    for damaged in (b"", b"\xff", b"AAAA", b"=" * 9):
        (folder / signing.SIGNATURE).write_bytes(damaged)
        with pytest.raises(CheckpointError, match="by none of the trusted keys"):
            signing.check(folder, [public(mine)])


def test_a_private_key_is_for_its_owner_and_never_written_over(keys: tuple[Path, Path]) -> None:
    assert stat.S_IMODE(keys[0].stat().st_mode) & 0o077 == 0
    with pytest.raises(OutputError, match="cannot be written"):
        signing.make_key(keys[0])


def test_what_is_no_key_is_refused_by_name(folder: Path, keys: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "odd").write_bytes(b"no key")
    for key in (tmp_path / "odd", public(keys[0]), tmp_path / "nowhere"):
        with pytest.raises(InputError, match="wanted a private key"):
            signing.sign(folder, key)
    for key in (tmp_path / "odd", keys[0]):
        with pytest.raises(InputError, match="wanted a public key"):
            signing.check(folder, [key])


def test_the_command_makes_a_key_signs_and_checks(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, run = str(tmp_path / "team"), str(folder.parent)
    assert command.main(["key", key]) == 0
    assert command.main(["check", run, f"{key}.pub"]) == 2
    assert command.main(["sign", run, key]) == 0
    assert command.main(["check", run, f"{key}.pub"]) == 0
    capsys.readouterr()
    with (folder / "step.onnx").open("ab") as file:
        file.write(b"x")
    assert command.main(["check", run, f"{key}.pub"]) == 2
    assert "its SHA-256 differs" in capsys.readouterr().err
    assert command.main(["burn"]) == command.main([]) == command.main(["sign", run]) == 2
    assert command.main(["sign", str(tmp_path / "nothing"), key]) == 2


def test_a_server_that_trusts_a_key_takes_models_that_it_signed_and_shipped_ones(
    tmp_path: Path, keys: tuple[Path, Path]
) -> None:
    folder = tmp_path / "mine-model"
    shutil.copytree(ROOT / "seq2drum" / "checkpoints" / "default", folder)
    key = str(public(keys[0]))
    player.check_signed("default", key)
    player.check_signed(str(folder), "")
    with pytest.raises(CheckpointError, match="is not signed"):
        player.check_signed(str(folder), key)
    chosen = Settings(models={"mine": str(folder), "default": "default"})
    assert lifecycle.unsigned_models(chosen) == ["mine"]
    signing.sign(folder, keys[0])
    player.check_signed(str(folder), key)
    assert lifecycle.unsigned_models(chosen) == []
    with pytest.raises(CheckpointError, match="none of the trusted"):
        player.check_signed(str(folder), str(public(keys[1])))


def test_both_sides_call_the_signature_the_same() -> None:
    assert lifecycle.SIGNATURE == signing.SIGNATURE
