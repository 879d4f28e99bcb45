"""The contract: well formed, fresh in Python, and never broken for those who call by an older one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from seq2drum.play.options import Options
from seq2drum.rpc import accompaniment_pb2 as pb

ROOT = Path(__file__).parents[2]
RELEASED = ROOT / "proto" / "v1.binpb"
SOURCE = Path("proto/seq2drum/v1/accompaniment.proto")


def buf(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    beside = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    program = shutil.which("buf", path=beside) or "buf"
    return subprocess.run([program, *arguments], cwd=folder, capture_output=True, text=True, timeout=60)


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """A copy of the contract, to be changed."""
    shutil.copy(ROOT / "buf.yaml", tmp_path)
    (tmp_path / SOURCE).parent.mkdir(parents=True)
    shutil.copy(ROOT / SOURCE, tmp_path / SOURCE)
    return tmp_path


def test_the_contract_is_in_the_standard_form_and_every_piece_of_it_is_described() -> None:
    done = buf("lint")
    assert done.returncode == 0, done.stdout
    assert buf("format", "--diff", "--exit-code").stdout == ""


def test_the_linter_finds_a_field_without_a_comment(changed: Path) -> None:
    path = changed / SOURCE
    path.write_text(path.read_text().replace("  // Length in quarters.\n", ""))
    assert "quarters" in buf("lint", folder=changed).stdout


@pytest.mark.parametrize("path", [os.environ.get("PATH", os.defpath), os.defpath], ids=["as here", "not activated"])
def test_the_python_of_the_contract_is_fresh(path: str) -> None:
    """The plugins of protoc are found beside Python, too, where PATH has no programs of an environment."""
    command = [sys.executable, "proto/generate.py", "--check"]
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr


def test_the_contract_breaks_nothing_that_was_released() -> None:
    done = buf("breaking", "--against", str(RELEASED))
    assert done.returncode == 0, done.stdout


def test_the_linter_finds_a_field_number_that_changes(changed: Path) -> None:
    path = changed / SOURCE
    path.write_text(path.read_text().replace("double quarters = 2;", "double quarters = 22;"))
    assert "quarters" in buf("breaking", "--against", str(RELEASED), folder=changed).stdout


def test_messages_of_the_released_contract_are_read() -> None:
    """Messages made by the frozen contract are read by today's, and the other way round."""
    pool = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(RELEASED.read_bytes())
    for file in files.file:
        pool.Add(file)
    old: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("seq2drum.v1.GenerateDrumsRequest"))
    request = old(midi=b"MThd", request_id="old")
    request.config.seed, request.config.style = 7, "jazz"
    read = pb.GenerateDrumsRequest.FromString(request.SerializeToString())
    assert (read.midi, read.request_id, read.config.seed, read.config.style) == (b"MThd", "old", 7, "jazz")
    reply = pb.GenerateDrumsResponse(takes=[pb.DrumTake(midi=b"x", seed=7)])
    old_reply: Any = message_factory.GetMessageClass(pool.FindMessageTypeByName("seq2drum.v1.GenerateDrumsResponse"))
    assert old_reply.FromString(reply.SerializeToString()).takes[0].seed == 7
    # A field that an older server does not know stays in what it sends back.
    plan = [pb.PlannedSection(first_bar=1, last_bar=8)]
    passed = old.FromString(pb.GenerateDrumsRequest(config=pb.GenerationConfig(plan=plan)).SerializeToString())
    answer = old_reply()
    answer.effective_config.CopyFrom(passed.config)
    assert list(pb.GenerateDrumsResponse.FromString(answer.SerializeToString()).effective_config.plan) == plan


def test_the_contract_has_all_that_a_musician_can_ask_for() -> None:
    fields = {field.name for field in pb.GenerationConfig.DESCRIPTOR.fields}
    renamed = {"prime": "prime_bars"}
    assert {renamed.get(name, name) for name in Options.__dataclass_fields__} <= fields


def test_no_message_asks_for_a_path_an_address_or_a_class() -> None:
    messages = pb.DESCRIPTOR.message_types_by_name
    for name in messages:
        if name.endswith(("Request", "Config")):
            fields = {field.name for field in messages[name].fields}
            assert not {field for field in fields if any(word in field for word in ("path", "url", "uri", "class"))}
