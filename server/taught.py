"""The drummers that a server was taught, in a folder: each is looked for when it is asked for.

So they need no start of the server, and several servers, or a user with a file manager, may share the folder.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from seq2drum.errors import CheckpointError, ModelError, UnknownModelError
from seq2drum.play.checkpoint.band import Band, is_drummer, read_band
from seq2drum.play.checkpoint.folder import CONFIG, MOST_SUMS, SUMS, find
from seq2drum.play.checkpoint.runtime import read_bytes, read_json
from server.settings import MODEL_ID

MOST_KEPT = 16
"""The most drummers that a worker keeps in memory; each takes some 100 KiB."""


def folder_of(place: str, model: str) -> Path | None:
    """Return the folder of a taught drummer; None if there is none of this id. place: of all of them; "": nowhere."""
    if not place or not MODEL_ID.fullmatch(model) or model.startswith("."):
        return None
    folder = Path(place) / model
    return folder if is_drummer(folder) else None


def drummers_in(place: str) -> dict[str, str]:
    """Return the names of taught drummers by their ids, in the order of their names."""
    try:
        found = [path for path in Path(place).iterdir() if folder_of(place, path.name)] if place else []
    except OSError:
        return {}
    names = {path.name: str(read_json(path / CONFIG).get("name", path.name)) for path in found}
    return dict(sorted(names.items(), key=lambda item: (item[1].casefold(), item[0])))


class Taught(NamedTuple):
    """A taught drummer. base: the id of the served model that it plays through."""

    band: Band
    base: str


class TaughtDrummers:
    """The taught drummers of a player. place: their folder; "": there are none. bases: served models by their folders.

    A drummer with a tuned network is not one of them: it is a model of its own, to be named at the start.
    """

    def __init__(self, place: str, bases: Mapping[Path, str]) -> None:
        self._place, self._bases = place, dict(bases)

    def ids(self) -> list[str]:
        """Return the ids of all that can play, by their names."""
        found = []
        for model in drummers_in(self._place):
            try:
                self.find(model)
            except ModelError:  # damaged, or of a model that is gone
                continue
            found.append(model)
        return found

    def find(self, model: str) -> Taught:
        """Return a drummer.

        Raises:
            UnknownModelError: there is none of this id, or its model is not served.
            CheckpointError: it is damaged.
        """
        if (folder := folder_of(self._place, model)) is None:
            raise UnknownModelError(f"there is no model {model!r}")
        band, base = _read(folder, _mark(folder))
        if band.is_tuned:
            raise UnknownModelError(f"the drummer in {str(folder)!r} is tuned; name it at the start: --model ID=DIR")
        if (name := self._bases.get(base.resolve())) is None:
            raise UnknownModelError(f"the drummer in {str(folder)!r} plays through {base.name!r}, which is not served")
        return Taught(band, name)


def bases_of(models: Mapping[str, str]) -> dict[Path, str]:
    """Return the ids of models by their folders. models: folders or names of shipped ones, by their ids."""
    return {find(folder).resolve(): name for name, folder in reversed(list(models.items()))}


def band_of(model: str, models: Mapping[str, str], place: str) -> Band | None:
    """Return what a drummer learnt of its band; None for any other model.

    models: those of the start, folders or names by ids. place: the folder of taught drummers.

    Raises:
        UnknownModelError, CheckpointError: it is damaged, or its model is not here.
    """
    folder = find(models[model]) if model in models else folder_of(place, model)
    return _read(folder, _mark(folder))[0] if folder is not None and is_drummer(folder) else None


def _mark(folder: Path) -> bytes:
    """Return what differs if a drummer has changed."""
    try:
        return read_bytes(folder / SUMS, MOST_SUMS)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(folder)!r} has no {SUMS} to know it by: {error}") from None


@lru_cache(MOST_KEPT)
def _read(folder: Path, mark: bytes) -> tuple[Band, Path]:  # noqa: ARG001
    """Return `read_band` of a folder; each drummer is read once, until it has changed."""
    return read_band(folder)
