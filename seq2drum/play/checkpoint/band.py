"""A band's own drummer: what `seq2drum.learn.adapt` learnt of a band's songs, in a small folder beside a model.

    config.json   the songs' names, their grooves, the band's ways, and the digest of the model that it rests on
    tuned.safetensors   tensors that take the place of the model's own, if its playing was tuned
    card.md, SHA256SUMS

It plays through that model, the base, so it is useless without it, and refuses another version of it.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open

from seq2drum.errors import CheckpointError, OptionError, UnknownModelError
from seq2drum.lattice.grooves.grooves import Groove, of_json
from seq2drum.music.shown import Shown
from seq2drum.play.checkpoint.folder import CONFIG, SUMS, find, upgraded, verify
from seq2drum.play.checkpoint.runtime import UNUSABLE, check_file, read_bytes, read_json

KIND = "drummer"
FORMAT = 1
TUNED = "tuned.safetensors"
FILES = (CONFIG, TUNED)
MOST_GROOVES = 4096
_LIKELY: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"waits": (-9.0, 9.0), "level": (0.0, 4.0), "loudness": (0.0, 4.0), "changes": (0.0, 4.0), "crashes": (0.0, 4.0)}
)


class Learnt(NamedTuple):
    """A groove of a band. song: its number in `Band.titles`. share: of that song's bars that are played on it."""

    groove: Groove
    song: int
    share: float


@dataclass(frozen=True)
class Ways(Shown):
    """How a band's drummer builds songs, against what drummers do; the defaults change nothing.

    waits: logits that resting in a part gains. level, loudness: factors of the predicted differences between sections.
    changes: factor of the chance of a second cymbal. cymbals: how often each was the second one, in songs. crashes:
    factor of their shares. fills, humanize: values of these options where the request has none, or None.
    """

    waits: float = 0.0
    level: float = 1.0
    loudness: float = 1.0
    changes: float = 1.0
    cymbals: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    crashes: float = 1.0
    fills: float | None = None
    humanize: float | None = None

    @property
    def levels(self) -> dict[str, float | None]:
        """Values of options where the request has none."""
        return {"fills": self.fills, "humanize": self.humanize}


USUAL = Ways()


@dataclass(frozen=True, eq=False)
class Band(Shown):
    """What was learnt of a band. titles: of its songs. prior: how many songs the drummer's own taste counts as."""

    name: str
    titles: tuple[str, ...]
    grooves: tuple[Learnt, ...] = field(repr=False)
    prior: float
    ways: Ways = field(repr=False)
    is_tuned: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, Learnt]:
        """Its grooves by their names, which are unique."""
        return MappingProxyType({each.groove.name: each for each in self.grooves})

    @property
    def trust(self) -> float:
        """How much of what is chosen follows other drummers, 0..1: less with each song."""
        return self.prior / (self.prior + len(self.titles))


def ways_of(band: Band | None) -> Ways:
    """Return the ways of a band's drummer; the usual ones of any other."""
    return USUAL if band is None else band.ways


def is_drummer(folder: Path) -> bool:
    """Return whether a checkpoint's folder holds a band's drummer."""
    try:
        about = read_json(folder / CONFIG)
    except (OSError, ValueError):
        return False
    return isinstance(about, dict) and about.get("kind") == KIND


def is_checked(folder: Path) -> bool:
    """Check the digests of a model or of a band's drummer; return False for a folder without any.

    Raises:
        CheckpointError: a file has changed.
    """
    return verify(folder, FILES) if is_drummer(folder) else verify(folder)


def read_band(folder: Path) -> tuple[Band, Path]:
    """Return a band's drummer, and the folder of the model that it rests on.

    Raises:
        CheckpointError: the folder is damaged, or made for another version of its model.
        UnknownModelError: its model is not here.
    """
    try:
        about = upgraded(read_json(folder / CONFIG), KIND, FORMAT, {})
        titles = tuple(str(song["name"]) for song in about["songs"])
        rows = about["grooves"]
        if not titles or len(rows) > MOST_GROOVES:
            raise ValueError(f"it has {len(titles)} songs and {len(rows)} grooves")
        grooves = tuple(Learnt(of_json(row), int(row["song"]), float(row["share"])) for row in rows)
        if not all(0 <= each.song < len(titles) and 0 < each.share <= 1 for each in grooves):
            raise ValueError("a groove is of no song")
        if len({each.groove.name for each in grooves}) < len(grooves):
            raise ValueError("two grooves have one name")
        prior, is_tuned = float(about["prior"]), bool(about["is_tuned"])
        if not 0 < prior < 1e6:
            raise ValueError(f"its prior is {prior}")
        band = Band(str(about["name"]), titles, grooves, prior, _ways(about["ways"]), is_tuned)
        model, wanted = str(about["base"]["model"]), str(about["base"]["sha256"])
    except (*UNUSABLE, OptionError) as error:
        raise CheckpointError(f"{str(folder)!r} is not a usable drummer: {error}") from None
    verify(folder, FILES)
    return band, _base(folder, model, wanted)


def _ways(about: Mapping[str, Any]) -> Ways:
    """Return the ways of a config; ValueError for one that no adapting gives."""
    cymbals = {str(name): float(count) for name, count in about["cymbals"].items()}
    factors: dict[str, Any] = {name: _within(name, about[name], *_LIKELY[name]) for name in _LIKELY}
    fills, humanize = (
        None if about[name] is None else _within(name, about[name], 0.0, 1.0) for name in ("fills", "humanize")
    )
    if not all(0 <= count < 1e6 for count in cymbals.values()):
        raise ValueError("a cymbal's count is impossible")
    return Ways(**factors, cymbals=MappingProxyType(cymbals), fills=fills, humanize=humanize)


def _within(name: str, value: Any, least: float, most: float) -> float:
    if not least <= float(value) <= most:
        raise ValueError(f"{name} is {value}, wanted {least:g} to {most:g}")
    return float(value)


def _base(folder: Path, model: str, wanted: str) -> Path:
    """Return the folder of a drummer's model, if it is the one that the drummer was made with."""
    try:
        base = find(model)
    except UnknownModelError:
        raise UnknownModelError(
            f"the drummer in {str(folder)!r} plays through the model {model!r}, which is not here; put it there again,"
            " or make the drummer anew: seq2drum adapt"
        ) from None
    found = digest_of(base)
    if found != wanted:
        raise CheckpointError(
            f"the drummer in {str(folder)!r} was made for another version of the model {model!r} (its digest begins"
            f" with {wanted[:8]}, this one's with {found[:8]}); make the drummer anew from the band's songs: seq2drum"
            " adapt"
        )
    return base


def tuned_weights(folder: Path, weights: bytes) -> bytes:
    """Return the bytes of the model's safetensors file with a drummer's tuned tensors in place of its own.

    weights: the file of the model.

    Raises:
        CheckpointError: the tuned tensors are damaged, or fit no tensor of the model.
    """
    path = folder / TUNED
    try:
        check_file(path)
        with safe_open(path, framework="numpy") as file:
            tuned = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        (size,) = struct.unpack("<Q", weights[:8])
        places = json.loads(weights[8 : 8 + size])
        patched = bytearray(weights)
        for name, tensor in tuned.items():
            shape, (begin, end) = tuple(places[name]["shape"]), places[name]["data_offsets"]
            if tensor.shape != shape or tensor.dtype != np.float32 or not np.isfinite(tensor).all():
                raise ValueError(
                    f"{name} has {tensor.dtype} numbers of shape {tensor.shape}, wanted float32 of {shape}"
                )
            patched[8 + size + begin : 8 + size + end] = tensor.tobytes()
    except (*UNUSABLE, SafetensorError, struct.error) as error:
        raise CheckpointError(f"{str(path)!r} cannot be used: {error}") from None
    return bytes(patched)


def digest_of(folder: Path) -> str:
    """Return the SHA-256 of a checkpoint's digests, in hex, which names its version.

    Raises:
        CheckpointError: it has none.
    """
    try:
        return hashlib.sha256(read_bytes(folder / SUMS)).hexdigest()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{str(folder)!r} has no {SUMS} to know it by: {error}") from None
