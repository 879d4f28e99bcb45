"""Mode doctor: what is found, what is missing, and the commands that bring it on each system."""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import socket
import sys
import webbrowser
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from seq2drum.cli import doctor
from seq2drum.play.checkpoint import folder
from seq2drum.play.generators import composer
from seq2drum.show import fluidsynth
from seq2drum.system import packages
from tests.commands import called
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without files of servers."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "state"))
    return tmp_path / "state" / "seq2drum"


def found() -> dict[str, doctor.Check]:
    return {check.name: check for check in doctor.checks()}


def without(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Hide installed packages."""
    version = metadata.version

    def look(name: str) -> str:
        if name in names:
            raise metadata.PackageNotFoundError(name)
        return version(name)

    monkeypatch.setattr(metadata, "version", look)


def on(monkeypatch: pytest.MonkeyPatch, platform: str, *programs: str) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}" if name in programs else None)


def test_json_and_text_tell_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = called(["doctor", "--json"], capsys)
    told = json.loads(out)
    assert (code, err) == (0, "")
    assert {"seq2drum", "models", "page", "FluidSynth", "soundfont", "MIDI", "port 50052", "running", "GPU"} <= {
        check["name"] for check in told
    }
    text = called(["doctor"], capsys)[1]
    for check in told:
        assert f"{check['state']:8} {check['name']:12} {check['found']}" in text
        assert check["mend"] in text


def test_every_extra_of_the_project_is_told_of() -> None:
    stated = set(metadata.metadata("seq2drum").get_all("Provides-Extra") or ())
    assert set(doctor.EXTRAS) == stated - {"all", "dev", "audit", "notebooks", "torchtext"}


def test_generators_that_are_not_installed_are_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found()["generators"].state == "ok"
    monkeypatch.setattr(composer, "lacking", lambda: ["bar", "step"])
    check = found()["generators"]
    assert (check.state, check.found) == ("missing", "of learnt beats: without bar, step")
    assert "generators" in check.mend


def test_a_missing_extra_is_told_with_what_it_lacks_and_the_command_that_adds_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without(monkeypatch, "uvicorn", "verovio")
    checks = found()
    assert checks["page"].state == "missing" and "uvicorn" in checks["page"].found
    assert checks["page"].mend.endswith(" 'seq2drum[page]'")
    assert checks["score"].mend.endswith(" 'seq2drum[score]'")
    assert checks["sign"].state == "ok" and not checks["sign"].mend


def test_a_recording_also_needs_the_network_that_no_extra_can_name(monkeypatch: pytest.MonkeyPatch) -> None:
    without(monkeypatch, "basic-pitch")
    assert found()["audio"].mend == "pip install --no-deps basic-pitch==0.4.0"


def test_what_playing_needs_has_to_be_mended_and_makes_the_exit_code_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without(monkeypatch, "symusic")
    code, out, _ = called(["doctor"], capsys)
    assert code == 2
    assert "wrong    symusic" in out and "'symusic>=0.6,<0.7'" in out and "to be mended: symusic" in out


def test_a_changed_model_has_to_be_mended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    damaged = tmp_path / "default"
    damaged.mkdir()
    for path in folder.find("default").iterdir():
        (damaged / path.name).write_bytes(path.read_bytes())
    (damaged / "config.json").write_bytes(b"{}")
    monkeypatch.setattr(folder, "find", lambda name: damaged)
    assert found()["models"].state == "wrong" and "SHA-256" in found()["models"].found


@pytest.mark.parametrize(
    ("platform", "manager", "program", "soundfont"),
    [
        ("linux", "apt-get", "sudo apt install fluidsynth", "sudo apt install fluid-soundfont-gm"),
        ("linux", "dnf", "sudo dnf install fluidsynth", "sudo dnf install fluid-soundfont-gm"),
        ("linux", "pacman", "sudo pacman -S fluidsynth", "sudo pacman -S soundfont-fluid"),
        ("darwin", "brew", "brew install fluid-synth", "put a General MIDI soundfont"),
        ("win32", "winget", "winget install FluidSynth.FluidSynth", "put a General MIDI soundfont"),
    ],
)
def test_what_makes_sound_is_told_with_the_command_of_each_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, platform: str, manager: str, program: str, soundfont: str
) -> None:
    on(monkeypatch, platform, manager)
    monkeypatch.setattr(fluidsynth, "folders", lambda: [tmp_path])
    told = {check.name: check for check in doctor.sound()}
    assert told["FluidSynth"].mend == program
    assert told["soundfont"].mend.startswith(soundfont)


def test_a_port_that_another_program_has_is_told_with_the_way_round_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor, "PORTS", {port: "the page"})
        monkeypatch.setattr("seq2drum.cli.page.PORT", port)
        check = found()[f"port {port}"]
    assert check.state == "note" and check.mend == "seq2drum --mode page --port 0"


def test_a_running_server_is_told_and_a_killed_one_is_not(own_home: Path) -> None:
    own_home.mkdir(parents=True)
    state = own_home / "server.json"
    here = {"address": "127.0.0.1:50051", "pid": os.getpid(), "started": psutil.Process().create_time()}
    state.write_text(json.dumps(here))
    assert found()["running"].found == "the service of this machine"
    state.write_text(json.dumps(here | {"started": 1.0}))
    assert found()["running"].found == "none"
    state.write_text("nonsense")
    assert found()["running"].found == "none"


def test_gpus_are_told_and_a_torch_that_cannot_use_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_said", lambda *words: "GPU 0: NVIDIA H100 (UUID: GPU-1)\n")
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0+cpu")
    assert found()["GPU"].state == "missing" and "NVIDIA H100, but torch 2.13.0+cpu" in found()["GPU"].found
    monkeypatch.setattr(metadata, "version", lambda name: "2.13.0")
    assert found()["GPU"].state == "ok"
    monkeypatch.setattr(doctor, "_said", lambda *words: "")
    assert found()["GPU"].state == "note"


def test_a_machine_without_a_browser_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise webbrowser.Error

    monkeypatch.setattr(webbrowser, "get", none)
    assert found()["browser"].state == "missing"


# --- the commands -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "has_pip", "command"),
    [
        ("/home/me/.venv", True, "pip install 'seq2drum[page]'"),
        ("/home/me/.venv", False, f"uv pip install --python {sys.executable} 'seq2drum[page]'"),
        ("/home/me/.local/share/pipx/venvs/seq2drum", True, "pipx runpip seq2drum install 'seq2drum[page]'"),
    ],
)
def test_an_extra_is_added_to_the_environment_that_runs(
    monkeypatch: pytest.MonkeyPatch, prefix: str, has_pip: bool, command: str
) -> None:
    monkeypatch.setattr(sys, "prefix", prefix)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if has_pip else None)
    assert packages.install_extra("page") == command


@pytest.mark.parametrize("is_there", [True, False])
def test_uvx_which_begins_anew_each_time_is_given_the_file_it_was_started_with(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_there: bool
) -> None:
    wheel = tmp_path / "my files" / "seq2drum-0.2.0-py3-none-any.whl"
    if is_there:
        wheel.parent.mkdir()
        wheel.touch()
    told = json.dumps({"url": wheel.as_uri(), "archive_info": {}})
    monkeypatch.setattr(metadata, "distribution", lambda name: SimpleNamespace(read_text=lambda file: told))
    monkeypatch.setattr(sys, "prefix", "/home/me/.cache/uv/archive-v0/abc")
    source = str(wheel) if is_there else "seq2drum"
    extra, package = shlex.split(packages.install_extra("page")), shlex.split(packages.install_package("this>=1"))
    assert extra == ["uvx", "--from", f"{source}[page]", "seq2drum"]
    assert package == ["uvx", "--from", source, "--with", "this>=1", "seq2drum"]


@pytest.mark.parametrize(
    ("installed", "beside"),
    [("seq2drum-0.2.0-py3-none-any.whl", "seq2drum_generators-0.2.0-py3-none-any.whl"), ("", "packages/generators")],
)
@pytest.mark.parametrize("is_there", [True, False])
def test_what_is_released_with_it_is_installed_from_beside_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, installed: str, beside: str, is_there: bool
) -> None:
    for name in (installed, beside) if is_there else (installed,):
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
    told = json.dumps({"url": (tmp_path / installed).as_uri()})
    monkeypatch.setattr(metadata, "distribution", lambda name: SimpleNamespace(read_text=lambda file: told))
    wanted = str(tmp_path / beside) if is_there else "seq2drum-generators"
    assert shlex.split(packages.install_companion("seq2drum-generators"))[-1] == wanted


def test_a_shell_of_windows_gets_its_own_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    assert packages.install_extra("page").endswith(' "seq2drum[page]"')


def test_no_command_is_made_up_for_an_unknown_manager(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, "linux")
    assert packages.install("fluidsynth") is None
    on(monkeypatch, "darwin", "brew")
    assert packages.install("fluidsynth", "soundfont") is None


def test_an_installation_without_the_projects_files_knows_its_extras_by_its_metadata(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    by_file = doctor.required("page")
    monkeypatch.setattr(doctor, "__file__", str(tmp_path / "seq2drum" / "cli" / "doctor.py"))
    stated = [line for line in metadata.requires("seq2drum") or []]
    monkeypatch.setattr(metadata, "requires", lambda name: stated)
    assert doctor.required("page").keys() == by_file.keys() and (ROOT / "pyproject.toml").is_file()
