"""Jams, as the process that answers calls sees them: what is told is gathered, and handed on where a bar is due."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol

from seq2drum.rpc import accompaniment_pb2 as pb
from server.admission import Admission
from server.callers import Room
from server.frames import Frame
from server.guards import Call, parse
from server.metrics import Metrics
from server.statuses import Refusal

A_PLAYER = 32
"""Jams for each process that plays. One keeps some 4 MiB, and takes 16 ms of a processor for a bar: at 120 quarters a
minute in 4/4 so many take a quarter of a core."""
MOST_TOLD = 1000
"""Notes of a message, and signs."""
MOST_A_QUARTER = 500
"""Notes and signs of a quarter; what is more is left out. The drummer hears 48 notes of it."""
FARTHEST = 256.0
"""Quarters that a message may lead further than the one before."""
SILENT_SECONDS = 300.0
"""After so long without a note or a sign a jam is ended."""
SECONDS_A_QUARTER = 0.004
"""About what the drums for a quarter take of a processor."""

_NO_TURN = ("QUEUE_FULL", "QUEUE_TIMEOUT")


class Jammers(Protocol):
    """Who plays: `server.pools.Players`."""

    def jam(self) -> AbstractAsyncContextManager[Callable[[bytes], AsyncGenerator[Frame, None]]]: ...


class Told:
    """What a guitarist has told and the drummer has not yet heard.

    until: up to which quarter all is told. last: when there was a note or a sign.
    """

    def __init__(self, now: float) -> None:
        self.until, self.last = -math.inf, now
        self._handed = 0.0
        self._waiting, self._counts = pb.JamRequest(), Counter[int]()

    @property
    def ahead(self) -> float:
        """How many quarters what waits leads on."""
        return max(self.until - self._handed, 0.0)

    def add(self, request: pb.JamRequest, now: float) -> None:
        """Take in what a message tells. What comes late counts as told now.

        Raises:
            Refusal: INVALID_OPTION with the field; JAM_SILENT.
        """
        # 1. It makes sense.
        told: list[pb.JamNote | pb.JamSign] = [*request.notes, *request.signs]
        for name, count in (("notes", len(request.notes)), ("signs", len(request.signs))):
            if count > MOST_TOLD:
                raise _wrong(name, f"a message has {count:,} {name}, at most {MOST_TOLD:,} are read; send several")
        if not all(math.isfinite(one.quarter) for one in told):
            raise _wrong("notes", "where a note or a sign is is no number, wanted quarters from the first barline on")
        if any(note.pitch > 127 or note.velocity > 127 for note in request.notes):
            raise _wrong("notes", "a note has a pitch or a velocity above 127, wanted 0 to 127")
        latest = max((one.quarter for one in told), default=-math.inf)
        until = max(request.until if request.HasField("until") else latest, self.until)
        if math.isnan(request.until) or until > max(self.until, 0.0) + FARTHEST:
            raise _wrong("until", f"all is told up to quarter {until:g}, wanted {FARTHEST:g} more than before at most")
        if latest > until:
            text = f"a note or a sign is at quarter {latest:g}, and all is told up to {until:g}; tell it later"
            raise _wrong("until", text)
        # 2. Somebody plays.
        self.last = now if told else self.last
        if now - self.last > SILENT_SECONDS:
            text = f"there was no note and no sign for {SILENT_SECONDS:g} s, so the jam is over; begin another"
            raise Refusal("JAM_SILENT", text)
        # 3. It waits.
        for one in told:
            one.quarter = max(one.quarter, self.until)
        self._waiting.notes.extend(note for note in request.notes if self._has_room(note.quarter))
        self._waiting.signs.extend(sign for sign in request.signs if self._has_room(sign.quarter))
        if request.HasField("config"):
            self._waiting.config.CopyFrom(request.config)
        self.until = until

    def _has_room(self, place: float) -> bool:
        """Whether another note or sign in a quarter is not too much."""
        quarter = math.floor(place)
        self._counts[quarter] += 1
        return self._counts[quarter] <= MOST_A_QUARTER

    def hand_on(self) -> bytes:
        """What waits, as a JamRequest."""
        waiting, self._waiting = self._waiting, pb.JamRequest()
        if math.isfinite(self.until):
            waiting.until = self._handed = self.until
            now = math.floor(self.until)
            self._counts = Counter({quarter: count for quarter, count in self._counts.items() if quarter >= now})
        return waiting.SerializeToString()


class Jams:
    """The way of what a guitarist tells to the drums, over those who play."""

    def __init__(
        self,
        players: Jammers,
        admission: Admission,
        metrics: Metrics,
        processes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._players, self._admission, self._metrics, self._clock = players, admission, metrics, clock
        self.streams = Room(A_PLAYER * processes, "jams are played")

    async def stream(self, call: Call) -> None:
        """A jam. Where a bar is due, what was told takes a turn; if there is none, it does with the next message."""
        told, point = Told(self._clock()), -math.inf
        with self.streams.place(call.caller):
            async with self._players.jam() as more:
                request = self._first(call, await call.read(upload=False))
                while point < math.inf:
                    told.add(request, self._clock())
                    if told.until >= point:
                        try:
                            point = await self._turn(call, told, more)
                        except Refusal as refusal:
                            if refusal.reason not in _NO_TURN or point == -math.inf:
                                raise
                    if point == math.inf or (data := await call.read(upload=False)) is None:
                        break
                    request = parse(pb.JamRequest, data)
                    if request.HasField("config"):
                        raise Refusal("WRONG_MESSAGE_ORDER", "a second config came, wanted one in the first message")
        await call.confirm()
        self._metrics.takes.inc()

    def _first(self, call: Call, data: bytes | None) -> pb.JamRequest:
        """The first message, with the name of the call."""
        request = parse(pb.JamRequest, data)
        if not request.HasField("config"):
            raise Refusal("WRONG_MESSAGE_ORDER", "the first message has no config, wanted one that says what is played")
        call.name(request.config.request_id)
        request.config.request_id = call.id
        self._metrics.played.inc()
        call.facts["bars"] = 0
        return request

    async def _turn(self, call: Call, told: Told, more: Callable[[bytes], AsyncGenerator[Frame, None]]) -> float:
        """Hand on what was told and send what comes of it; returns where the next bar is due, infinity if none is."""
        point = math.inf
        with self._admission.enter(call.caller, call.deadline) as place:
            place.price(told.ahead * SECONDS_A_QUARTER)
            await place.turn()
            async with aclosing(more(told.hand_on())) as frames:
                async for frame in frames:
                    what = frame.head["what"]
                    if what in ("begun", "bar"):
                        await call.write(frame.body)
                        call.facts["bars"] += what == "bar"
                        self._metrics.bars.inc(what == "bar")
                    elif what == "done" and frame.head["point"] is not None:
                        point = frame.head["point"]
        return point


def _wrong(field: str, message: str) -> Refusal:
    return Refusal("INVALID_OPTION", message, field=field)
