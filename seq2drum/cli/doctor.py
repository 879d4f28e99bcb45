"""Mode doctor: what is here of all that the drummer can use, and the command that brings what is missing."""

from __future__ import annotations

import argparse
import contextlib
import json
import platform
import re
import shutil
import socket
import subprocess
import sys
import tomllib
import webbrowser
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Literal, NamedTuple

from seq2drum import __version__
from seq2drum.console.terminal import standard_output
from seq2drum.errors import Seq2DrumError
from seq2drum.system import packages, places

PORTS = {50051: "the service", 50052: "the page"}
"""The usual ports, and what serves there."""
EXTRAS = {
    "page": "the page in the browser",
    "guitarpro": "tabs of Guitar Pro",
    "audio": "recordings",
    "score": "scores as pictures",
    "live": "a jam through MIDI ports",
    "server": "the service for other programs",
    "client": "asking a service, and watching a folder",
    "mcp": "tools for an assistant",
    "train": "training",
    "corpus": "songs in Parquet",
    "sign": "signed checkpoints",
}
"""The extras, and what each brings."""
_NETWORK = "pip install --no-deps basic-pitch==0.4.0"
_SECONDS = 10.0  # for a program to say its version

State = Literal["ok", "missing", "wrong", "note"]


class Check(NamedTuple):
    """A thing that was looked for.

    state: ok; missing, which leaves something out; wrong, which has to be mended; or note, which just tells. mend: the
    command or the step that brings it, "" if nothing is to be done.
    """

    group: str
    name: str
    state: State
    found: str
    mend: str = ""


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add --json."""
    parser.usage = "%(prog)s [--json]"
    parser.description = (
        "Looks for all that the drummer can use, and says what is missing, with the command that brings it on this "
        "system. Changes nothing, and asks nobody on the network. The exit code is 2 if something has to be mended."
    )
    parser.epilog = """examples:
  seq2drum --mode doctor
  seq2drum --mode doctor --json"""
    parser.add_argument("--json", action="store_true", help="print one JSON list")


def run(options: argparse.Namespace) -> int:
    """Look, and print; returns the exit code."""
    found: list[Check] = []
    with standard_output():
        for check in checks():
            if not options.json:
                if not found or found[-1].group != check.group:
                    print(f"{check.group}:", flush=True)
                print(_line(check), flush=True)
            found.append(check)
        if options.json:
            print(json.dumps([check._asdict() for check in found], indent=1), flush=True)
        else:
            print(_sum(found), flush=True)
    return 2 if any(check.state == "wrong" for check in found) else 0


def _line(check: Check) -> str:
    text = f"  {check.state:8} {check.name:12} {check.found}"
    return f"{text}\n{'':24}{check.mend}" if check.mend else text


def _sum(found: list[Check]) -> str:
    wrong, missing = ([check.name for check in found if check.state == state] for state in ("wrong", "missing"))
    if wrong:
        return f"\nto be mended: {', '.join(wrong)}"
    if missing:
        return f"\nthe drummer plays; not here, if you want it: {', '.join(missing)}"
    return "\nall is here"


def checks() -> Iterator[Check]:
    """All checks, in order; the slow ones last."""
    yield from _installation()
    yield from _extras()
    yield from sound()
    yield from _connections()
    yield from _gpu()


# --- the drummer ------------------------------------------------------------------------------------------------------


def _installation() -> Iterator[Check]:
    group = "the drummer"
    where = f"{platform.python_implementation()} {platform.python_version()} in {sys.prefix}"
    yield Check(group, "seq2drum", "note", f"{__version__}, {where}, on {_system()}")
    for name, needed in required("").items():
        try:
            metadata.version(name)
        except metadata.PackageNotFoundError:
            yield Check(group, name, "wrong", f"{needed} is not installed", packages.install_package(needed))
    try:
        from seq2drum.play.checkpoint import folder, runtime
        from seq2drum.play.generators import composer
        from seq2drum.play.grooves import ranker

        names = folder.available()
        for name in names:
            folder.verify(folder.find(name))
        folder.verify(ranker.SHIPPED, ranker.FILES)
        version = runtime.runtime().__version__
    except ImportError as error:
        yield Check(group, "player", "wrong", f"{error}", packages.install_package("onnxruntime"))
    except Seq2DrumError as error:
        yield Check(group, "models", "wrong", f"{error}", "install seq2drum again")
    else:
        yield Check(group, "models", "ok", f"{', '.join(names)}, unchanged; ONNX Runtime {version}")
        if lacking := composer.lacking():
            mend = packages.install_companion(composer.PACKAGE)
            yield Check(group, "generators", "missing", f"of learnt beats: without {', '.join(lacking)}", mend)
        else:
            yield Check(group, "generators", "ok", "of learnt beats, and of audio loops")


def _system() -> str:
    with contextlib.suppress(OSError):
        return platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    return f"{platform.system()} {platform.release()}"


# --- extras -----------------------------------------------------------------------------------------------------------


def _extras() -> Iterator[Check]:
    group = "extras"
    for extra, brings in EXTRAS.items():
        needed = required(extra)
        lacking = [name for name in needed if _version(name) is None]
        mend = packages.install_extra(extra)
        if extra == "audio" and _version("basic-pitch") is None:
            lacking = [*lacking, "basic-pitch"]
            mend = f"{mend} && {_NETWORK}" if len(lacking) > 1 else _NETWORK
        if lacking:
            yield Check(group, extra, "missing", f"{brings}: without {', '.join(lacking)}", mend)
        else:
            yield Check(group, extra, "ok", brings)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def required(extra: str) -> dict[str, str]:
    """The packages of an extra, or those without one (""): requirement by name, those of extras in it included."""
    found: dict[str, str] = {}
    for text in _requirements(extra):
        name, own, rest = _parts(text)
        if name == "seq2drum":
            for other in own.split(","):
                found |= required(other.strip())
        else:
            found[name] = f"{name}{rest}"
    return found


def _parts(requirement: str) -> tuple[str, str, str]:
    """Return a requirement as (name, its extras, its versions)."""
    matched = re.match(r"\s*([\w.-]+)\s*(?:\[([^\]]*)\])?\s*([^;]*)", requirement)
    assert matched is not None
    name, own, rest = matched.groups()
    return name, own or "", rest.strip()


def _requirements(extra: str) -> list[str]:
    """The requirements of an extra, as the installed package or the copy's pyproject.toml states them."""
    project = Path(__file__).parents[2] / "pyproject.toml"
    if project.is_file():
        stated = tomllib.loads(project.read_text(encoding="utf-8"))["project"]
        return list(stated["optional-dependencies"][extra] if extra else stated["dependencies"])
    marks = [text.partition(";") for text in metadata.requires("seq2drum") or []]
    wanted = f'extra == "{extra}"' if extra else ""
    return [text for text, _, mark in marks if mark.replace("'", '"').strip() == wanted]


# --- sound ------------------------------------------------------------------------------------------------------------


def sound() -> Iterator[Check]:
    """The checks of what makes and plays sound."""
    from seq2drum.cli import speakers
    from seq2drum.errors import MissingExtraError
    from seq2drum.show import fluidsynth

    group = "sound"
    program = shutil.which("fluidsynth")
    if program is None:
        mend = packages.install("fluidsynth") or fluidsynth.how_to_get()
        yield Check(group, "FluidSynth", "missing", "makes sound files; the page has its own sounds", mend)
    else:
        said = _said(program, "--version")
        version = re.search(r"\d+(?:\.\d+)+", said)
        yield Check(group, "FluidSynth", "ok", f"{version[0] if version else 'unknown version'}, {program}")
    fonts = [path for path in fluidsynth.installed() if fluidsynth.soundfont_trouble(path) is None]
    if fonts:
        more = f"; {len(fonts) - 1} more" if len(fonts) > 1 else ""
        yield Check(group, "soundfont", "ok", f"{fonts[0]}{more}")
        kits = fluidsynth.drum_programs(fonts[0])
        yield Check(group, "kits", "note", f"{len(kits)} in it: programs {', '.join(str(kit + 1) for kit in kits)}")
    else:
        mend = packages.install("soundfont") or f"put {fluidsynth.a_soundfont()}"
        yield Check(group, "soundfont", "missing", f"none in {', '.join(map(str, fluidsynth.folders()))}", mend)
    try:
        players = speakers.players()
    except MissingExtraError as error:
        yield Check(group, "player", "missing", str(error), packages.install("player") or "")
    else:
        names = ", ".join(Path(player[0]).name for player in players) or "that of Windows"
        yield Check(group, "player", "ok", names)


def _said(*words: str) -> str:
    """The output of a program; "" if it fails."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, errors="replace", timeout=_SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout + done.stderr


# --- ports and servers ------------------------------------------------------------------------------------------------


def _connections() -> Iterator[Check]:
    from seq2drum.cli import page
    from seq2drum.play.jam import ports

    group = "connections"
    try:
        inputs, outputs = ports.names()
    except Seq2DrumError as error:
        state: State = "note" if _version("rtmidi2") else "missing"
        yield Check(group, "MIDI", state, str(error).partition(":")[0], "" if state == "note" else _live())
    else:
        yield Check(group, "MIDI", "ok" if inputs else "note", f"in: {_named(inputs)}; out: {_named(outputs)}")
    running = {}
    if _version("psutil"):
        folder = places.state_folder()
        running = {path.stem: path for path in sorted(folder.glob("*.json")) if page.runs(path)}
    for port, what in PORTS.items():
        if not _is_taken(port):
            yield Check(group, f"port {port}", "ok", f"free for {what}")
        elif any(str(port) in path.read_text(encoding="utf-8") for path in running.values()):
            yield Check(group, f"port {port}", "ok", f"{what} runs there")
        else:
            mend = "seq2drum --mode page --port 0" if port == page.PORT else "python -m server --port 0"
            yield Check(group, f"port {port}", "note", f"another program has it, so {what} needs another", mend)
    names = {"server": "the service of this machine"}
    found = ", ".join(names.get(name, name) for name in running) or "none"
    yield Check(group, "running", "note", found)
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        yield Check(group, "browser", "missing", "none was found; the page prints its address instead")
    else:
        yield Check(group, "browser", "ok", getattr(browser, "name", "") or "that of the system")


def _live() -> str:
    return packages.install_extra("live")


def _named(names: list[str]) -> str:
    return ", ".join(names) or "none"


def _is_taken(port: int) -> bool:
    with socket.socket() as line:
        line.settimeout(0.5)
        return line.connect_ex(("127.0.0.1", port)) == 0


# --- a GPU ------------------------------------------------------------------------------------------------------------


def _gpu() -> Iterator[Check]:
    group = "training"
    cards = re.findall(r"^GPU \d+: (.*?)(?: \(UUID.*)?$", _said("nvidia-smi", "-L"), flags=re.MULTILINE)
    torch = _version("torch")
    if not cards:
        yield Check(group, "GPU", "note", "no NVIDIA GPU; playing needs none")
    elif torch and "+cpu" in torch:
        mend = packages.install_package("torch==2.13.0", "--index-url https://download.pytorch.org/whl/cu130")
        yield Check(group, "GPU", "missing", f"{', '.join(cards)}, but torch {torch} is the build for CPUs", mend)
    else:
        how = f"torch {torch}" if torch else "which training uses, with the extra train"
        yield Check(group, "GPU", "ok", f"{', '.join(cards)}, {how}")
