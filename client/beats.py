"""What is said to a server of beats without a guitar and what it says, as plain values; as `messages` for songs."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from client import messages
from client.errors import ServerFault
from client.messages import RemoteHit, RemoteOptions, RemoteTake, Source
from seq2drum.errors import OptionError
from seq2drum.music import choices
from seq2drum.music.choices import BRIEF
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.system import files

_NUMBERS = ("bpm", "bars", "variability", "fill", "temperature", "grid")


@dataclass(frozen=True, slots=True)
class RemoteBrief:
    """What a musician can ask for of a beat: the names and defaults are those of `seq2drum.Brief`.

    seed: which beat. model: the id of one of the server's generators; "" is its default.
    """

    genre: str | Mapping[str, float] | None = None
    bpm: float = BRIEF["bpm"].default
    bars: int = BRIEF["bars"].default
    variability: float = BRIEF["variability"].default
    fill: int | None = None
    change: Sequence[int] = BRIEF["change"].default
    temperature: float = BRIEF["temperature"].default
    grid: int = BRIEF["grid"].default
    metre: str = BRIEF["metre"].default
    seed: int = BRIEF["seed"].default
    model: str = ""


@dataclass(frozen=True)
class RemoteBeat:
    """A finished beat. The messages in it are those of the contract, and say there what they hold.

    midi: the file. seed: makes it again, with the brief, which is as it held. drums: what is played to the guitar, if
    there was one.
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
        """The beat as a MIDI file."""
        return self.midi

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the beat to a MIDI file, whole or not at all.

        Raises:
            OutputError: it cannot be written; what was there is untouched.
        """
        files.write_file(path, self.midi, overwrite=overwrite)
        return Path(path)


@dataclass(frozen=True)
class RemoteBeatBar:
    """One bar of a beat without an end: its number from 1, its hits, and the tempo that it was made for.

    The ticks and quarters of hits are counted from the barline; a quarter has 480 ticks.
    """

    number: int
    hits: tuple[RemoteHit, ...]
    bpm: float


class Asking:
    """What is asked of a beat without an end, message after message. owed: bars that are still to come."""

    def __init__(self, brief: RemoteBrief) -> None:
        self._brief, self._begun, self.owed = brief, False, 0

    def more(self, count: int, asked: dict[str, Any]) -> pb.StreamComposeRequest:
        """The next message. asked: what changes in the brief.

        Raises:
            OptionError: as `message`, or the number of bars is none.
        """
        if not 1 <= count < 1 << 32:
            raise OptionError(f"{count} bars are asked for, wanted 1 or more")
        brief = replace(self._brief, **asked)
        request = pb.StreamComposeRequest(bars=count)
        if asked or not self._begun:
            request.brief.CopyFrom(message(brief))
        self._brief, self._begun = brief, True
        self.owed += count
        return request

    def take(self, piece: pb.StreamComposeResponse | None) -> RemoteBeatBar:
        """The bar of a reply. piece: None where the server has ended.

        Raises:
            ServerFault: it has.
        """
        if piece is None:
            raise ServerFault("the server ended the beat before all bars had come")
        self.owed -= 1
        return RemoteBeatBar(piece.bar, messages.hits_of(piece.hits), piece.bpm)


def brief_of(given: Any, asked: dict[str, Any]) -> RemoteBrief:
    """The brief of a call: an object that has fields of `RemoteBrief`, or None, and keywords that win over it."""
    if given is None:
        return RemoteBrief(**asked)
    if isinstance(given, RemoteBrief):
        known = given
    else:
        names = [field.name for field in fields(RemoteBrief) if hasattr(given, field.name)]
        if "variability" not in names:
            raise TypeError(f"the brief is {type(given).__name__}, wanted RemoteBrief or seq2drum.Brief")
        known = RemoteBrief(**{name: getattr(given, name) for name in names})
    return replace(known, **asked)


def message(brief: RemoteBrief, takes: int = 1) -> pb.Brief:
    """What is asked for, as a message.

    Raises:
        OptionError: a number is one that no message can hold, takes are more than any player makes, or the genre is no
            text of genres. All else is for the server to judge.
    """
    choices.check_brief("seed", brief.seed)
    choices.check("takes", takes)
    for name in ("bars", "fill", "grid"):
        _check_whole(name, getattr(brief, name))
    for bar in brief.change:
        _check_whole("a bar of change", bar)
    given = {name: value for name in _NUMBERS if (value := getattr(brief, name)) is not None}
    weights = choices.weights_of(brief.genre) if isinstance(brief.genre, str) else brief.genre or {}
    genres = [pb.GenreShare(name=name, weight=weight) for name, weight in weights.items()]
    return pb.Brief(
        **given,
        model=brief.model,
        genres=genres,
        change=brief.change,
        meter=brief.metre,
        seed=brief.seed,
        takes=takes,
    )


def _check_whole(name: str, value: int | None) -> None:
    if value is not None and not 0 <= value < 1 << 32:
        raise OptionError(f"{name} is {value}, wanted 0 or more, and less than 2^32")


def request(
    brief: RemoteBrief, takes: int = 1, guitar: Source | None = None, options: RemoteOptions | None = None
) -> pb.ComposeRequest:
    """Asks for beats, and for one to be played to a guitar.

    Raises:
        OptionError, InputError: as `message` and `messages.config`; or there are options and no guitar.
    """
    asked = pb.ComposeRequest(brief=message(brief, takes))
    if guitar is not None:
        asked.midi = messages.song_bytes(guitar)
        asked.config.CopyFrom(messages.config(options or RemoteOptions()))
    elif options is not None:
        raise OptionError("options are for the drums to a guitar, and there is none; give guitar=FILE")
    return asked


def beats_of(response: pb.ComposeResponse) -> list[RemoteBeat]:
    """The beats of a reply.

    Raises:
        ServerFault: there are none, or a file is not the one that was sent.
    """
    if not response.beats:
        raise ServerFault("the server's reply holds no beat")
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
