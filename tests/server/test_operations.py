"""What an operator is given is so: image, container, unit and manual name what exists, and nothing calls home."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from client.connection import DEFAULT_PORT
from seq2drum.errors import OptionError
from server import cli, settings
from server.statuses import REASONS
from tests.conftest import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
UNIT_FILE = ROOT / "examples" / "systemd" / "seq2drum.service"
MANUAL = (ROOT / "docs" / "service.md").read_text(encoding="utf-8")

VARIABLES = {settings.variable(name) for name in settings.table()}
VARIABLES |= {settings.variable(name) for name in settings.LIMITS}
VARIABLES |= {settings.variable(name) for name in ("models", "token", "token_file")}
FLAGS = {settings.flag(variable.removeprefix(settings.PREFIX).lower()) for variable in VARIABLES}


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} +(.*)$", DOCKERFILE, flags=re.MULTILINE)


def unit() -> Any:
    class Unit(configparser.RawConfigParser):
        optionxform = staticmethod(str)  # type: ignore[assignment]

    unit = Unit(strict=False, delimiters=("=",), comment_prefixes=("#",))
    text = UNIT_FILE.read_text(encoding="utf-8")
    # A setting that is given several times is a list: number them, for a reader that knows of no such thing.
    lines = [
        f"{line.split('=')[0]}_{n}={line.split('=', 1)[1]}" if line.startswith("Environment=") else line
        for n, line in enumerate(text.splitlines())
    ]
    unit.read_string("\n".join(lines))
    return unit


def environment() -> dict[str, str]:
    service = unit()["Service"]
    return dict(value.split("=", 1) for name, value in service.items() if name.startswith("Environment_"))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML to read compose.yaml")
    settings: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    return settings


# --- what they name ---------------------------------------------------------------------------------------------------


def test_every_setting_that_is_named_exists() -> None:
    for text in (DOCKERFILE, (ROOT / "compose.yaml").read_text(), UNIT_FILE.read_text(), MANUAL):
        named = set(re.findall(r"\bSEQ2DRUM_[A-Z_]+\b", text))
        assert named - VARIABLES == set()


def test_every_extra_script_and_module_that_is_named_exists() -> None:
    for text in (DOCKERFILE, UNIT_FILE.read_text(), MANUAL):
        for extra in re.findall(r"\[([a-z]+)\]'", text):
            assert extra in PROJECT["optional-dependencies"]
        for module in re.findall(r"python3? -m (server|client|seq2drum[.\w]*)", text):
            place = ROOT / module.replace(".", "/")
            assert (place / "__main__.py").is_file() or place.with_suffix(".py").is_file()
    assert unit()["Service"]["ExecStart"].rpartition("/")[2] in PROJECT["scripts"]


def test_what_the_image_is_built_from_is_let_through_to_the_builder() -> None:
    let_through = {
        line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")
    }
    copied = {name for words in instructions("COPY") if "--from" not in words for name in words.split()[:-1]}
    assert copied == let_through
    assert all((ROOT / name).exists() for name in copied)
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= copied


def test_image_and_container_check_health_by_a_command_that_the_client_has(compose: dict[str, Any]) -> None:
    (health,) = instructions("HEALTHCHECK")
    words = json.loads(health[health.index("[") :])
    assert compose["services"]["seq2drum"]["healthcheck"]["test"] == ["CMD", *words]
    help_text = subprocess.run(
        [sys.executable, *words[1:-1], "--help"], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert words[-1] in help_text


def test_the_image_listens_where_its_health_check_asks() -> None:
    in_image = dict(item.split("=", 1) for words in instructions("ENV") for item in words.split())
    assert "SEQ2DRUM_PORT" not in in_image
    shown = [int(port) for words in instructions("EXPOSE") for port in words.split()]
    assert shown == [settings.Settings().port, int(in_image["SEQ2DRUM_WEB_PORT"])] and shown[0] == DEFAULT_PORT


def test_the_image_runs_the_server_as_a_user_without_rights(compose: dict[str, Any]) -> None:
    assert instructions("ENTRYPOINT") == ['["python", "-m", "server"]']
    assert instructions("USER") == ["seq2drum"]
    made = next(command for command in instructions("RUN") if "useradd" in command)
    assert shlex.split(made)[shlex.split(made).index("--uid") + 1] == "10001"
    assert compose["services"]["seq2drum"]["user"] == "10001:10001"


def test_serving_needs_no_torch() -> None:
    extras = PROJECT["optional-dependencies"]
    needed = [*PROJECT["dependencies"], *extras["server"], *extras["client"]]
    assert not [name for name in needed if re.match(r"torch|lightning|onnx\b|seq2drum\[(train|all|dev)", name)]


def locked(name: str) -> dict[str, str]:
    """The packages of a lock with their versions; each has a hash, and there is nothing else in the file."""
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    found = dict[str, str]()
    for entry in text.replace("\\\n", " ").splitlines():
        match = re.fullmatch(r"([a-z0-9-]+)==(\S+)(?: ; [^#]*?)?((?: +--hash=sha256:[0-9a-f]{64})+)", entry)
        assert match, entry
        found[match[1]] = match[2]
    return found


def test_the_locks_have_all_that_playing_serving_and_the_page_need_by_hash() -> None:
    requirements = pytest.importorskip("packaging.requirements", reason="needs packaging")
    extras = PROJECT["optional-dependencies"]
    wanted = [*PROJECT["dependencies"], *extras["client"], *extras["server"], *extras["page"]]
    serving, building = locked("server.txt"), locked("build.txt")
    for text in wanted:
        requirement = requirements.Requirement(text)
        if requirement.name != "seq2drum":
            assert requirement.specifier.contains(serving[requirement.name.lower()]), text
    assert "hatchling" in building and "hatchling" not in serving
    assert not {"torch", "pytest"} & set(serving)
    for words in (text for text in instructions("RUN") if " install " in text or "pip wheel" in text):
        for command in re.findall(r"pip (?:install|wheel) [^&]*", words):
            assert "--require-hashes" in command or "--no-index" in command, command


# --- what they forbid -------------------------------------------------------------------------------------------------


def test_the_container_can_write_nothing_but_its_own_small_places_and_gain_no_rights(compose: dict[str, Any]) -> None:
    service = compose["services"]["seq2drum"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    state = next(value for value in re.findall(r"SEQ2DRUM_STATE_FILE=(\S+)", DOCKERFILE))
    assert {place.split(":")[0] for place in service["tmpfs"]} == {"/tmp", str(Path(state).parent)}
    assert set(service["secrets"]) == set(compose["secrets"])
    assert Path(service["environment"]["SEQ2DRUM_TOKEN_FILE"]).name in service["secrets"]
    assert not {"privileged", "cap_add", "network_mode", "volumes"} & set(service)


def test_what_the_container_and_the_unit_set_is_taken_by_the_server(compose: dict[str, Any], tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("0123456789abcdef")
    in_image = dict(item.split("=", 1) for words in instructions("ENV") for item in words.split())
    for given in (in_image | compose["services"]["seq2drum"]["environment"], environment()):
        chosen = cli.read_settings({}, {**given, "SEQ2DRUM_TOKEN_FILE": str(token)})
        assert chosen.token == "0123456789abcdef"
        assert chosen.state_file == given["SEQ2DRUM_STATE_FILE"]
        assert chosen.port == 50051


def test_the_image_alone_does_not_listen_beyond_loopback_without_credentials() -> None:
    in_image = dict(item.split("=", 1) for words in instructions("ENV") for item in words.split())
    with pytest.raises(OptionError, match="without TLS"):
        cli.read_settings({}, in_image)


def test_the_container_and_the_unit_wait_longer_for_the_end_than_calls_may_take(compose: dict[str, Any]) -> None:
    service = compose["services"]["seq2drum"]
    assert int(service["stop_grace_period"].removesuffix("s")) > int(service["environment"]["SEQ2DRUM_GRACE_SECONDS"])
    assert int(unit()["Service"]["TimeoutStopSec"]) > int(environment()["SEQ2DRUM_GRACE_SECONDS"])


def test_the_unit_runs_without_rights_within_bounds() -> None:
    service = unit()["Service"]
    for name, value in {
        "DynamicUser": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "NoNewPrivileges": "yes",
        "CapabilityBoundingSet": "",
        "PrivateTmp": "yes",
        "KillMode": "mixed",
        "SystemCallFilter": "@system-service",
    }.items():
        assert service[name] == value
    assert service["MemoryMax"]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    program = tmp_path / "seq2drum-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    copy = tmp_path / UNIT_FILE.name
    copy.write_text(re.sub(r"^ExecStart=.*", f"ExecStart={program}", UNIT_FILE.read_text(), flags=re.MULTILINE))
    done = subprocess.run(["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


# --- the manual -------------------------------------------------------------------------------------------------------


def test_the_manual_has_all_reasons_with_their_statuses_and_sentences_and_no_others() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)` \| `?([A-Z_]+)`? \| (.*?) \|$", MANUAL, flags=re.MULTILINE)
    listed = {
        reason: (status, sentence) for reason, status, sentence in rows if reason in REASONS or status in STATUSES
    }
    assert listed == {reason: (code.name, sentence) for reason, (code, sentence) in REASONS.items()}


STATUSES = {code.name for code, _ in REASONS.values()}


def test_the_manual_has_all_settings_in_their_groups_in_the_words_of_the_help_and_no_others() -> None:
    named = set(re.findall(r"^\| `(--[a-z-]+)", MANUAL, flags=re.MULTILINE))
    assert named == (FLAGS - {"--models", "--token"}) | {"--model"}
    for name, setting in settings.table().items():
        row = next(line for line in MANUAL.splitlines() if line.startswith(f"| `{settings.flag(name)}"))
        section = MANUAL[: MANUAL.index(row)].rpartition("\n### ")[2].splitlines()[0]
        assert section.lower() == setting.group, name
        assert row.strip("| ").rpartition(" | ")[2] == setting.help, name


def test_the_manual_has_a_row_for_each_promise_and_names_tests_that_exist() -> None:
    rows = re.findall(r"^\| (R\d+) \| .*? \| (kept|partly|not): (.*) \|$", MANUAL, flags=re.MULTILINE)
    assert [number for number, _, _ in rows] == [f"R{number}" for number in range(1, 23)]
    files = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py")}
    for number, kept, words in rows:
        for name in re.findall(r"`(test_\w+)`", words):
            assert any(f"def {name}(" in text for text in files.values()), (number, name)
        for name in re.findall(r"`(test_\w+\.py)`", words):
            assert name in files, (number, name)
        for name in re.findall(r"`(bench/\w+\.py)`", words):
            assert (ROOT / name).is_file(), (number, name)
        assert kept == "not" or re.search(r"`(test_\w+(\.py)?|bench/\w+\.py)`", words), number


# --- nothing calls home -----------------------------------------------------------------------------------------------


def test_the_doctor_leaves_no_file_in_the_users_folders(tmp_path: Path) -> None:
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")}
    home = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "TMPDIR", "TEMP", "XDG_CACHE_HOME")}
    words = [sys.executable, "-B", "-m", "seq2drum", "doctor"]
    done = subprocess.run(words, cwd=ROOT, env=keep | home, capture_output=True, text=True, timeout=120)
    assert re.search(r"models +default, live, unchanged; ONNX Runtime \d", done.stdout), done.stderr
    assert [path for path in tmp_path.rglob("*") if path.is_file() or "onnxruntime" in path.name] == []


def test_playing_leaves_nothing_in_the_users_folders_and_loads_no_library_with_telemetry(tmp_path: Path) -> None:
    keep = {name: value for name, value in os.environ.items() if name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH")}
    home = {name: str(tmp_path) for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "TMPDIR", "TEMP", "XDG_CACHE_HOME")}
    script = (
        "import os, sys; from seq2drum import Drummer, Options\n"
        "Drummer.load().accompany(sys.argv[1], Options(humanize=0.5)).to_bytes()\n"
        "print(os.environ['ORT_DISABLE_TELEMETRY'])"
    )
    song = str(ROOT / "examples" / "funk.mid")
    done = subprocess.run(
        [sys.executable, "-B", "-c", script, song],
        cwd=ROOT,
        env=keep | home,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.stderr, done.stdout.strip()) == ("", "1")
    assert list(tmp_path.rglob("*")) == []
