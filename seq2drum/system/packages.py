"""The commands that install things on this system: with its package manager, or into this environment of Python."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

MANAGERS: Mapping[str, str] = MappingProxyType(
    {
        "apt-get": "sudo apt install",
        "dnf": "sudo dnf install",
        "pacman": "sudo pacman -S",
        "zypper": "sudo zypper install",
        "brew": "brew install",
        "winget": "winget install",
        "choco": "choco install",
    }
)
"""The commands of package managers, by the program that shows that one is here."""
NAMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "fluidsynth": {
            **dict.fromkeys(("apt-get", "dnf", "pacman", "zypper", "choco"), "fluidsynth"),
            "brew": "fluid-synth",
            "winget": "FluidSynth.FluidSynth",
        },
        "soundfont": {
            **dict.fromkeys(("apt-get", "dnf", "zypper"), "fluid-soundfont-gm"),
            "pacman": "soundfont-fluid",
        },
        "player": {
            "apt-get": "alsa-utils",
            "dnf": "alsa-utils",
            "pacman": "alsa-utils",
            "zypper": "alsa-utils",
            "brew": "mpv",
        },
    }
)
"""What can be installed, and its name for each manager that has it: a synthesiser, General MIDI, a player of WAV."""


def manager() -> str | None:
    """The package manager of this system; None without a known one."""
    fitting = {"darwin": ("brew",), "win32": ("winget", "choco")}.get(sys.platform, tuple(MANAGERS)[:5])
    return next((name for name in fitting if shutil.which(name)), None)


def install(*things: str) -> str | None:
    """The command that installs some of NAMES; None if the manager of this system is unknown or lacks one of them."""
    name = manager()
    if name is None or any(name not in NAMES[thing] for thing in things):
        return None
    return " ".join([MANAGERS[name], *(NAMES[thing][name] for thing in things)])


def is_passing() -> bool:
    """Return whether this environment is one of `uvx` or `pipx run`, which may be gone tomorrow."""
    parts = Path(sys.prefix).parts
    return "archive-v0" in parts or "builds-v0" in parts or (".cache" in parts and "pipx" in parts)


def install_extra(*extras: str) -> str:
    """The command that adds optional packages of seq2drum to this environment of Python."""
    wanted = f"seq2drum[{','.join(extras)}]"
    return f"uvx --from {_quoted(wanted)} seq2drum" if is_passing() else install_package(wanted)


def install_package(requirement: str, *flags: str) -> str:
    """The command that installs a package into this environment of Python."""
    wanted = " ".join([_quoted(requirement), *flags])
    if "pipx" in Path(sys.prefix).parts:
        return f"pipx runpip seq2drum install {wanted}"
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install --python {_quoted(sys.executable)} {wanted}"
    return f"pip install {wanted}"


def _quoted(text: str) -> str:
    """A text as one word of a shell."""
    return f'"{text}"' if sys.platform == "win32" else shlex.quote(text)
