"""What reads tabs and recordings: whether it is there, and the command that brings it. None of it is imported here."""

from __future__ import annotations

import importlib.metadata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

GET_GUITARPRO = "pip install 'seq2drum[guitarpro]'"
GET_AUDIO = "pip install 'seq2drum[audio]'"
GET_NETWORK = "pip install --no-deps basic-pitch==0.4.0"
"""Without --no-deps it would bring TensorFlow, for which there is no wheel for Python 3.12; so no extra can name it."""


def network() -> Path | None:
    """The network that hears the notes of a recording, a file of the package basic-pitch; None if it is not there."""
    try:
        found = importlib.metadata.files("basic-pitch") or []
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(path.locate())) for path in found if path.name == "nmp.onnx"), None)


@cache
def missing() -> dict[str, str]:
    """The kinds of files that cannot be read here, "tab" and "recording", each with the command that changes it."""
    tab = [] if find_spec("guitarpro") and find_spec("defusedxml") else [GET_GUITARPRO]
    recording = [] if find_spec("soundfile") and find_spec("soxr") else [GET_AUDIO]
    recording += [] if network() else [GET_NETWORK]
    return {kind: " && ".join(commands) for kind, commands in (("tab", tab), ("recording", recording)) if commands}
