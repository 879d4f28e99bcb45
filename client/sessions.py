"""Messages of Compose and Jam as plain values; `messages` has those of songs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from client import messages
from client.errors import ServerFault
from client.messages import RemoteHit, RemoteOptions, RemoteTake, Source
from seq2drum.errors import OptionError
from seq2drum.music.brief import BRIEF, BaseBrief, check_brief, weights_of
from seq2drum.music.explanation import SectionGroove
from seq2drum.music.options import check
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.system import files

# --- beats ------------------------------------------------------------------------------------------------------------


_NUMBERS = ("bpm", "bars", "variability", "fill", "temperature", "grid")


@dataclass(frozen=True, slots=True)
class RemoteBrief(BaseBrief):
    """The options of a beat, those of `seq2drum.Brief`.

    model: the id of one of the server's generators; "" is its default.
    """

    seed: int = BRIEF["seed"].default
    model: str = ""

    def __post_init__(self) -> None:
        self.settle()


@dataclass(frozen=True)
class RemoteBeat:
    """A finished beat. Its messages are those of the contract, which documents them.

    midi: the file. seed, brief: make it again; the brief has its defaults filled in. drums: the take played to the
    guitar, if there was one.
    """

    midi: bytes
    seed: int
    stats: pb.DrumStats
    timeline: pb.TimelineInfo
    brief: pb.Brief
    generator: pb.GeneratorInfo
    timing: pb.Timing
    request_id: str
    drums: RemoteTake | None = None

    def to_bytes(self) -> bytes:
        """Return the beat as a MIDI file."""
        return self.midi

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the beat to a MIDI file, whole or not at all.

        Raises:
            OutputError: it cannot be written; an existing file is unchanged.
        """
        files.write_file(path, self.midi, overwrite=overwrite)
        return Path(path)


@dataclass(frozen=True)
class RemoteBeatBar:
    """One bar of an endless beat: its number from 1, its hits, and its tempo.

    The ticks and quarters of hits are counted from the barline; a quarter has 480 ticks.
    """

    number: int
    hits: tuple[RemoteHit, ...]
    bpm: float


class BeatRequests:
    """The requests of an endless beat. owed: bars that are still to come."""

    def __init__(self, brief: RemoteBrief) -> None:
        self._brief, self._begun, self.owed = brief, False, 0

    def request(self, count: int, changes: dict[str, Any]) -> pb.StreamComposeRequest:
        """Return the next request. changes: of the brief.

        Raises:
            OptionError: as `brief_message`, or the number of bars is wrong.
        """
        if not 1 <= count < 1 << 32:
            raise OptionError(f"{count} bars are requested, wanted 1 or more")
        brief = replace(self._brief, **changes)
        request = pb.StreamComposeRequest(bars=count)
        if changes or not self._begun:
            request.brief.CopyFrom(brief_message(brief))
        self._brief, self._begun = brief, True
        self.owed += count
        return request

    def bar(self, piece: pb.StreamComposeResponse | None) -> RemoteBeatBar:
        """Return the bar of a reply. piece: None if the server has ended.

        Raises:
            ServerFault: the server has ended.
        """
        if piece is None:
            raise ServerFault("the server ended the beat before all bars had come")
        self.owed -= 1
        return RemoteBeatBar(piece.bar, messages.hits_of(piece.hits), piece.bpm)


def brief_of(given: Any, changes: dict[str, Any]) -> RemoteBrief:
    """Return the brief of a call: an object that has fields of `RemoteBrief`, or None, and keywords, which win."""
    if given is None:
        return RemoteBrief(**changes)
    if isinstance(given, RemoteBrief):
        known = given
    else:
        names = [field.name for field in fields(RemoteBrief) if hasattr(given, field.name)]
        if "variability" not in names:
            raise TypeError(f"the brief is {type(given).__name__}, wanted RemoteBrief or seq2drum.Brief")
        known = RemoteBrief(**{name: getattr(given, name) for name in names})
    return replace(known, **changes)


def brief_message(brief: RemoteBrief, takes: int = 1) -> pb.Brief:
    """Return the brief as a message.

    Raises:
        OptionError: a number does not fit into a message, there are more takes than any player makes, or the genre
            has a wrong form. The server checks all else.
    """
    check_brief("seed", brief.seed)
    check("takes", takes)
    for name in ("bars", "fill", "grid"):
        _check_whole(name, getattr(brief, name))
    for bar in brief.change:
        _check_whole("a bar of change", bar)
    given = {name: value for name in _NUMBERS if (value := getattr(brief, name)) is not None}
    weights = weights_of(brief.genre) if isinstance(brief.genre, str) else brief.genre or {}
    genres = [pb.GenreShare(name=name, weight=weight) for name, weight in weights.items()]
    return pb.Brief(
        **given,
        model=brief.model,
        genres=genres,
        change=brief.change,
        meter=brief.metre,
        form=brief.form or "",
        seed=brief.seed,
        takes=takes,
    )


def _check_whole(name: str, value: int | None) -> None:
    if value is not None and not 0 <= value < 1 << 32:
        raise OptionError(f"{name} is {value}, wanted 0 or more, and less than 2^32")


def compose_request(
    brief: RemoteBrief, takes: int = 1, guitar: Source | None = None, options: RemoteOptions | None = None
) -> pb.ComposeRequest:
    """Return the request for beats, of which one may be played to a guitar.

    Raises:
        OptionError, InputError: as `brief_message` and `messages.config`; or there are options and no guitar.
    """
    request = pb.ComposeRequest(brief=brief_message(brief, takes))
    if guitar is not None:
        request.midi = messages.song_bytes(guitar)
        request.config.CopyFrom(messages.config(options or RemoteOptions()))
    elif options is not None:
        raise OptionError("options need a guitar; give guitar=FILE")
    return request


def beats_of(response: pb.ComposeResponse) -> list[RemoteBeat]:
    """Return the beats of a reply.

    Raises:
        ServerFault: there are none, or a file is damaged.
    """
    if not response.beats:
        raise ServerFault("the server's reply has no beat")
    drums = messages.takes_of(response.accompaniment)[0] if response.HasField("accompaniment") else None
    beats = []
    for beat in response.beats:
        if hashlib.sha256(beat.midi).digest() != beat.sha256:
            raise ServerFault("a file came back damaged from the server; try again")
        beats.append(
            RemoteBeat(
                midi=beat.midi,
                seed=beat.seed,
                stats=beat.stats,
                timeline=response.timeline,
                brief=response.effective_brief,
                generator=response.generator,
                timing=response.timing,
                request_id=response.request_id,
                drums=drums,
            )
        )
    return beats


# --- jams -------------------------------------------------------------------------------------------------------------


JAM_SECONDS = 4 * 3600.0
"""The longest duration of a jam."""


class RemoteNote(NamedTuple):
    """A note of the guitar: its time in quarters from the first barline; pitch; velocity, 0 where the note ends."""

    quarter: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class RemoteJamBar:
    """One bar of a jam: its number from 1, its start and length in quarters, its hits.

    decided: the quarter after which nothing changes it. section: its letter. groove: of its section, if it has one.
    fill, last: whether it is a fill, and the last bar.
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


def opening_request(options: RemoteOptions, bpm: float, metre: str, program: int) -> pb.JamRequest:
    """Return the first request of a jam.

    Raises:
        OptionError, InputError: as `messages.config`, or the metre is wrong. The server checks all else.
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


def notes_request(notes: Iterable[Sequence[float]], until: float | None) -> pb.JamRequest:
    """Return notes of the guitar, each as `RemoteNote`, and the quarter up to which these are all.

    Raises:
        OptionError: a note is wrong.
    """
    request = pb.JamRequest(until=until)
    for note in notes:
        quarter, pitch, velocity = note
        if not (pitch in range(128) and velocity in range(128)):
            raise OptionError(f"a note is {tuple(note)}, wanted its quarter, and pitch and velocity of 0 to 127")
        request.notes.add(quarter=quarter, pitch=int(pitch), velocity=int(velocity))
    return request


def sign_request(sign: str, quarter: float, value: float | str | None) -> pb.JamRequest:
    """Return a sign: "fill", "section" with a letter or None, "stop", "intensity" or "bpm" with a number.

    Raises:
        OptionError: there is no such sign, or its value is wrong.
    """
    fields: dict[str, Any] = {"fill": True, "stop": True, "section": value or "", "intensity": value, "bpm": value}
    if sign not in fields:
        raise OptionError(f"there is no sign {sign!r}; wanted one of {', '.join(fields)}")
    wanted, name = (str, "letter") if sign == "section" else (int | float, "number")
    if not isinstance(fields[sign], wanted):
        raise OptionError(f"the sign {sign!r} comes with {value!r}, wanted a {name}")
    return pb.JamRequest(signs=[pb.JamSign(quarter=quarter, **{sign: fields[sign]})])


def jam_bar_of(bar: pb.JamBar) -> RemoteJamBar:
    """Return the bar of a message."""
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
