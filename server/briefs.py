"""Between the messages of Compose and the values of the core, both ways.

For the workers, as `convert`: ids are looked up in tables, never used as paths.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from seq2drum.errors import LimitError, OptionError
from seq2drum.lattice.patterns import TICKS, Pattern, Velocities, part_of
from seq2drum.music import choices
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.play.checkpoint.folder import CONFIG, SUMS
from seq2drum.play.generators import composer
from seq2drum.play.generators.composer import Beat, Brief
from seq2drum.rpc import accompaniment_pb2 as pb
from server import convert
from server.convert import MOST_WORD
from server.statuses import Refusal

MOST_CHANGES = choices.MOST_BARS
"""The most bars of a brief in which something else begins."""

_FIELDS: Mapping[str, str] = {"genre": "genres", "metre": "meter"}
"""Fields of a brief that the contract calls otherwise."""
_MS_A_BAR = 10.0  # milliseconds on one core of a small server; measured, and right within a factor of two


def brief_of(message: pb.Brief, limits: Limits = DEFAULT_LIMITS) -> Brief:
    """The core's brief for a message. What is unset has the core's own defaults.

    limits: of a file that is read, which hold for one that is made, too.

    Raises:
        Refusal: INVALID_OPTION with the field.
    """
    # 1. The fields that are set.
    names = ("bpm", "bars", "variability", "fill", "temperature", "grid")
    given: dict[str, Any] = {field.name: value for field, value in message.ListFields() if field.name in names}
    if message.meter:
        given["metre"] = message.meter
    if len(message.change) > MOST_CHANGES:
        text = f"change has {len(message.change)} values, at most {MOST_CHANGES} are read"
        raise Refusal("INVALID_OPTION", text, field="brief.change")
    if message.change:
        given["change"] = tuple(message.change)
    if message.genres:
        given["genre"] = _genres(message)
    # 2. One by one, so that the field can be named. Bars of change are held against the number of bars.
    for name, value in given.items():
        with_bars = {"bars": given["bars"]} if name == "change" and "bars" in given else {}
        _check(name, lambda one={name: value, **with_bars}: Brief(**one))
    _check("seed", lambda: choices.check_brief("seed", message.seed))
    brief = Brief(**given)
    _check("bars", lambda: _check_length(brief, limits))
    return brief


def endless(message: pb.Brief, limits: Limits = DEFAULT_LIMITS) -> Brief:
    """The core's brief for a beat without an end, which is as long as any may be, in 4/4 and on any grid.

    Raises:
        Refusal: as `brief_of`.
    """
    asked = pb.Brief()
    asked.CopyFrom(message)
    asked.bars = choices.MOST_BARS
    for name in ("grid", "meter"):
        asked.ClearField(name)
    return brief_of(asked, limits)


def _check(name: str, work: Any) -> None:
    """Do what may refuse a value, and name the field if it does."""
    try:
        work()
    except (OptionError, LimitError) as error:
        raise Refusal("INVALID_OPTION", str(error), field=f"brief.{_FIELDS.get(name, name)}") from None


def _genres(message: pb.Brief) -> Mapping[str, float]:
    weights: dict[str, float] = {}
    for share in message.genres:
        name = share.name.strip().lower()
        if name in weights:
            text = f"the genre {name[:MOST_WORD]} is named twice; name it once"
            raise Refusal("INVALID_OPTION", text, field="brief.genres")
        weights[name] = share.weight if share.HasField("weight") else 1.0
        _check("genre", lambda name=name: choices.shares_of({name: 1.0}))  # there is such a one
    return weights


def _check_length(brief: Brief, limits: Limits) -> None:
    numerator, denominator = choices.metre_of(brief.metre)
    if numerator > limits.numerator or denominator > limits.denominator:
        raise LimitError(
            f"the metre is {brief.metre}, at most {limits.numerator} beats of 1/{limits.denominator} are made"
        )
    quarters = brief.bars * 4 * numerator / denominator
    if quarters > limits.quarters:
        raise LimitError(
            f"the beat has {quarters:g} quarters, at most {limits.quarters:,} are made; ask for fewer bars"
        )


def timeline(brief: Brief) -> pb.TimelineInfo:
    """The bars, the tempo and the metre of a beat."""
    numerator, denominator = choices.metre_of(brief.metre)
    quarters = brief.bars * 4 * numerator / denominator
    return pb.TimelineInfo(
        bars=brief.bars,
        quarters=quarters,
        seconds=quarters * 60 / brief.bpm,
        ticks_per_quarter=TICKS,
        tempos=[pb.TempoChange(quarter=0, bpm=brief.bpm)],
        meters=[pb.MeterChange(quarter=0, numerator=numerator, denominator=denominator)],
    )


def estimated_ms(brief: Brief, takes: int) -> float:
    """About how long some beats last on an idle server, in milliseconds."""
    return _MS_A_BAR * brief.bars * takes


def effective(message: pb.Brief, brief: Brief, model: str) -> pb.Brief:
    """The message with its defaults filled in. brief: what `brief_of` made of it."""
    filled = pb.Brief()
    filled.CopyFrom(message)
    filled.model, filled.meter, filled.takes = model, brief.metre, message.takes or 1
    filled.seed = message.seed
    for name in ("bpm", "bars", "variability", "temperature", "grid"):
        setattr(filled, name, getattr(brief, name))
    return filled


def beat(made: Beat) -> pb.Beat:
    """A beat, its file and its figures."""
    data, song = made.to_bytes(), made.song
    return pb.Beat(
        midi=data,
        sha256=hashlib.sha256(data).digest(),
        seed=made.seed,
        stats=convert.stats(song.parts[0].velocity if song.parts else (), made.brief.bars),
    )


def bar(number: int, made: Velocities, brief: Brief) -> pb.StreamComposeResponse:
    """A bar of a beat as it is made; number from 1."""
    part = part_of(Pattern(made[None]))
    return pb.StreamComposeResponse(bar=number, hits=convert.hits(part, TICKS), bpm=brief.bpm)


def generators() -> pb.ListGeneratorsResponse:
    """The generators that come with the package, the default first."""
    infos = [_info(name) for name in composer.available()]
    return pb.ListGeneratorsResponse(
        generators=infos, default_generator=infos[0].id if infos else "", genres=choices.GENRES
    )


def _info(name: str) -> pb.GeneratorInfo:
    folder = composer.find(name)
    about = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    parameters = about.get("parameters")
    description = f"a generator of the kind {name}" + (f", {parameters:,} parameters" if parameters else "")
    digest = hashlib.sha256((folder / SUMS).read_bytes()).digest()
    return pb.GeneratorInfo(id=name, sha256=digest, description=description, license=str(about.get("licence", "")))
