"""What the page promises to read is installed with it, or it is said what is missing."""

from __future__ import annotations

import importlib.metadata
import tomllib
from importlib.machinery import ModuleSpec

import pytest

from seq2drum.formats import foreign
from tests.conftest import ROOT


def test_the_extra_of_the_page_brings_what_reads_tabs_and_recordings() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (own,) = [one for one in extra["page"] if one.startswith("seq2drum[")]
    brought = own.removeprefix("seq2drum[").removesuffix("]").split(",")
    assert {"server", "guitarpro", "audio"} <= set(brought)
    locked = (ROOT / "requirements" / "server.txt").read_text()
    assert all(f"\n{name}==" in locked for name in ("pyguitarpro", "defusedxml", "soundfile", "soxr"))


@pytest.mark.parametrize(
    ("there", "network", "missing"),
    [
        ({"guitarpro", "defusedxml", "soundfile", "soxr"}, True, {}),
        ({"guitarpro", "defusedxml", "soundfile", "soxr"}, False, {"recording": foreign.GET_NETWORK}),
        ({"guitarpro", "soundfile", "soxr"}, True, {"tab": foreign.GET_GUITARPRO}),
        (set(), False, {"tab": foreign.GET_GUITARPRO, "recording": f"{foreign.GET_AUDIO} && {foreign.GET_NETWORK}"}),
    ],
)
def test_what_cannot_be_read_is_told_with_the_command_that_changes_it(
    there: set[str], network: bool, missing: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(foreign, "find_spec", lambda name: ModuleSpec(name, None) if name in there else None)
    monkeypatch.setattr(foreign, "network", lambda: ROOT if network else None)
    assert foreign.missing.__wrapped__() == missing


def test_without_basic_pitch_there_is_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_found(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "files", not_found)
    assert foreign.network() is None
