"""The folders of this system for what a program leaves behind."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path


def state_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The project's folder for states: in %LOCALAPPDATA%, $XDG_STATE_HOME or ~/.local/state, by the system."""
    if sys.platform == "win32":
        base = environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    else:
        base = environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "seq2drum"


def drummers_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of the drummers that the page is taught: in %LOCALAPPDATA%, $XDG_DATA_HOME or ~/.local/share."""
    if sys.platform == "win32":
        return state_folder(environ) / "drummers"
    return data_folder(environ) / "seq2drum" / "drummers"


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of what a user has installed: $XDG_DATA_HOME or ~/.local/share. Linux alone has it."""
    return Path(environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
