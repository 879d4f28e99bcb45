"""What tests of the client share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No server of this machine is found, and none that the environment names."""
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "state"))
    for name in ("SEQ2DRUM_SERVER", "SEQ2DRUM_STATE_FILE", "SEQ2DRUM_TOKEN"):
        monkeypatch.delenv(name, raising=False)
