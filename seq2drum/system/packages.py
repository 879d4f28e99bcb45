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
    wanted = f"[{','.join(extras)}]"
    if is_passing():  # which begins anew each time, and knows only what it is told
        return f"uvx --from {_quoted(f'{_source()}{wanted}')} seq2drum"
    return install_package(f"seq2drum{wanted}")


def install_package(requirement: str, *flags: str) -> str:
    """The command that installs a package into this environment of Python."""
    wanted = " ".join([_quoted(requirement), *flags])
    if is_passing():
        return f"uvx --from {_quoted(_source())} --with {wanted} seq2drum"
    if "pipx" in Path(sys.prefix).parts:
        return f"pipx runpip seq2drum install {wanted}"
    if importlib.util.find_spec("pip") is None:
        return f"uv pip install --python {_quoted(sys.executable)} {wanted}"
    return f"pip install {wanted}"


def install_companion(name: str) -> str:
    """The command that installs a package that is released with this one, from beside this one's file or folder."""
    source = Path(_source())
    files = source.parent.glob(f"{name.replace('-', '_')}-*.whl") if source.suffix == ".whl" else ()
    folder = source / "packages" / name.removeprefix("seq2drum-")
    return install_package(str(next(iter(files), folder if folder.is_dir() else name)))


def _source() -> str:
    """The file or folder that this package was installed from, or its name if it came from an index."""
    import json  # here, as only `uvx` wants it
    from importlib import metadata
    from urllib.parse import urlsplit
    from urllib.request import url2pathname

    try:
        told = json.loads(metadata.distribution("seq2drum").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, OSError, ValueError):
        return "seq2drum"
    url = urlsplit(str(told.get("url", "")))
    path = Path(url2pathname(url.path))
    return str(path) if url.scheme == "file" and path.exists() else "seq2drum"


def _quoted(text: str) -> str:
    """A text as one word of a shell."""
    return f'"{text}"' if sys.platform == "win32" else shlex.quote(text)
