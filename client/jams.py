"""What is said to a server in a jam and what it says, as plain values; as `messages` for songs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from client import messages
from client.messages import RemoteHit, RemoteOptions
from seq2drum.errors import OptionError
from seq2drum.music.explanation import SectionGroove
from seq2drum.rpc import accompaniment_pb2 as pb

SECONDS = 4 * 3600.0
"""How long a jam may last."""


class RemoteNote(NamedTuple):
    """A note of the guitar begins: when, in quarters from the first barline; pitch; velocity, 0 where it ends."""

    quarter: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class RemoteJamBar:
    """One bar of a jam, as it is decided: its number from 1, where it begins and how long it is, in quarters, its hits.

    decided: the quarter from which on nothing changes it. section: the letter of its passage. groove: what it is played
    on, if on anything. fill, last: whether it is one.
    """

    number: int
    quarter: float
    quarters: float
    bpm: float
    decided: float
    hits: tuple[RemoteHit, ...]
    section: str
    groove: SectionGroove | None
    fill: bool
    last: bool


def opening(options: RemoteOptions, bpm: float, metre: str, program: int) -> pb.JamRequest:
    """The first message.

    Raises:
        OptionError, InputError: as `messages.config`, or the metre is none. All else is for the server to judge.
    """
    over, _, under = metre.partition("/")
    if not (over.isascii() and over.isdigit() and under.isascii() and under.isdigit() and len(metre) < 12):
        raise OptionError(f"the metre is {metre!r}, wanted one such as 4/4")
    if not 0 <= program < 128:
        raise OptionError(f"the program is {program}, wanted 0 to 127")
    config = messages.config(options)
    config.ClearField("takes")
    jam = pb.JamConfig(config=config, program=program)
    jam.tempos.add(quarter=0.0, bpm=bpm)
    jam.meters.add(quarter=0.0, numerator=int(over), denominator=int(under))
    return pb.JamRequest(config=jam)


def told(notes: Iterable[Sequence[float]], until: float | None) -> pb.JamRequest:
    """Notes of the guitar, as `RemoteNote` has them, and up to where all is told.

    Raises:
        OptionError: a note is none.
    """
    request = pb.JamRequest(until=until)
    for note in notes:
        quarter, pitch, velocity = note
        if not (pitch in range(128) and velocity in range(128)):
            raise OptionError(f"a note is {tuple(note)}, wanted its quarter, and pitch and velocity of 0 to 127")
        request.notes.add(quarter=quarter, pitch=int(pitch), velocity=int(velocity))
    return request


def shown(sign: str, quarter: float, value: float | str | None) -> pb.JamRequest:
    """A sign: "fill", "section" with a letter or None, "stop", "intensity" or "bpm" with a number.

    Raises:
        OptionError: there is no such sign, or the value is none of it.
    """
    fields: dict[str, Any] = {"fill": True, "stop": True, "section": value or "", "intensity": value, "bpm": value}
    if sign not in fields:
        raise OptionError(f"there is no sign {sign!r}; wanted one of {', '.join(fields)}")
    wanted, name = (str, "letter") if sign == "section" else (int | float, "number")
    if not isinstance(fields[sign], wanted):
        raise OptionError(f"the sign {sign!r} comes with {value!r}, wanted a {name}")
    return pb.JamRequest(signs=[pb.JamSign(quarter=quarter, **{sign: fields[sign]})])


def bar_of(bar: pb.JamBar) -> RemoteJamBar:
    """The bar of a message."""
    groove = bar.groove if bar.HasField("groove") else None
    return RemoteJamBar(
        bar.bar,
        bar.quarter,
        bar.quarters,
        bar.bpm,
        bar.decided,
        messages.hits_of(bar.hits),
        bar.section,
        None if groove is None else SectionGroove(groove.section, groove.name, groove.title),
        bar.fill,
        bar.last,
    )
