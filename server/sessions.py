"""Methods whose calls keep a worker: beats and jams."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol

from seq2drum.music.choices import MOST_BARS
from seq2drum.rpc import accompaniment_pb2 as pb
from server.admission import Admission, ConcurrencyLimit
from server.calls import Call, parse_message
from server.ipc import Frame
from server.metrics import Metrics
from server.statuses import Refusal

# --- beats ------------------------------------------------------------------------------------------------------------


SECONDS_A_BAR = 0.01
"""Processor time for a bar of an endless beat, roughly."""


class BriefChecker(Protocol):
    """Checks briefs: `server.parser_pool.ParserPool`."""

    async def check_brief(self, request: bytes, seconds: float, *, caller: str) -> bytes: ...


class BeatPlayers(Protocol):
    """Make beats: `server.player_pool.PlayerPool`."""

    async def compose(self, request: bytes) -> bytes: ...
    def beat_session(self) -> AbstractAsyncContextManager[Callable[[bytes], AsyncGenerator[Frame, None]]]: ...


class BeatMethods:
    """Compose and StreamCompose, over parsers and players."""

    def __init__(
        self,
        parsers: BriefChecker,
        players: BeatPlayers,
        admission: Admission,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._parsers, self._players = parsers, players
        self._admission, self._metrics, self._clock = admission, metrics, clock
        self.streams = ConcurrencyLimit(admission.most_waiting + admission.most_playing, "endless beats are being made")

    async def compose(self, call: Call, data: bytes) -> pb.ComposeResponse:
        """Return the beats of a ComposeRequest. Its guitar is ignored here."""
        with self._admission.enter(call.caller, call.deadline) as place:
            # 1. Check the brief, and that there is enough time.
            began = self._clock()
            looked = await self._parsers.check_brief(data, call.left(), caller=call.caller.key)
            checked = pb.AnalyzeGuitarResponse.FromString(looked)
            parse_ms = self._since(began)
            place.set_cost(checked.estimated_ms / 1000)
            # 2. Wait for the turn.
            began = self._clock()
            await place.turn()
            queue_ms = self._since(began)
            self._metrics.played.inc()
            # 3. Make the beats.
            reply = pb.ComposeResponse.FromString(await self._players.compose(data))
        timing = reply.timing
        timing.parse_ms, timing.queue_ms, timing.total_ms = parse_ms, queue_ms, self._since(call.arrived)
        reply.request_id = call.id
        bars = reply.timeline.bars * len(reply.beats)
        call.facts |= {"parse_ms": parse_ms, "queue_ms": queue_ms, "beats": len(reply.beats), "bars": bars}
        call.facts["generate_ms"] = round(timing.generate_ms, 1)
        stages = ("queue", "parse", "first_bar", "generate", "total")
        self._metrics.time({stage: getattr(timing, f"{stage}_ms") for stage in stages})
        self._metrics.bars.inc(bars)
        self._metrics.takes.inc(len(reply.beats))
        return reply

    async def stream(self, call: Call) -> None:
        """Stream an endless beat: each message of the caller takes a turn and gets its bars."""
        made = 0
        with self.streams.slot(call.caller):
            async with self._players.beat_session() as more:
                while (data := await call.read(upload=False)) is not None:
                    request = parse_message(pb.StreamComposeRequest, data)
                    if not made:
                        call.set_id(request.request_id)
                    _check_bars(request.bars, made)
                    with self._admission.enter(call.caller, call.deadline) as place:
                        place.set_cost(request.bars * SECONDS_A_BAR)
                        await place.turn()
                        async with aclosing(more(data)) as frames:
                            async for frame in frames:
                                if frame.head["what"] == "bar":
                                    await call.write(frame.body)
                    made += request.bars
                    call.facts["bars"] = made
                    self._metrics.bars.inc(request.bars)
        await call.send_id()
        if not made:
            raise Refusal("WRONG_MESSAGE_ORDER", "the stream ended without a message, wanted one that requests bars")
        self._metrics.played.inc()
        self._metrics.takes.inc()

    def _since(self, began: float) -> float:
        return round(1000 * (self._clock() - began), 3)


def _check_bars(bars: int, made: int) -> None:
    """Check the number of requested bars, given the number made so far."""
    if not 1 <= bars <= MOST_BARS - made:
        left = f"wanted 1 to {MOST_BARS - made}" if made < MOST_BARS else "and the stream has no more"
        raise Refusal("INVALID_OPTION", f"{bars} bars are requested after {made}, {left}", field="bars")


# --- jams -------------------------------------------------------------------------------------------------------------


JAMS_PER_PLAYER = 32
"""The most jams for each player process.

One keeps about 4 MiB and takes 16 ms of a processor for a bar: at 120 quarters a minute in 4/4, this many take a
quarter of a core.
"""
MOST_NOTES = 1000
"""The most notes of a message, and the most signs."""
MOST_PER_QUARTER = 500
"""The most notes and signs of a quarter; more are dropped. The drummer hears 48 notes of it."""
MOST_QUARTERS_AHEAD = 256.0
"""The most quarters by which a message may go beyond the one before."""
SILENT_SECONDS = 300.0
"""A jam ends after so long without a note or a sign."""
SECONDS_A_QUARTER = 0.004
"""Processor time for the drums of a quarter, roughly."""

_NO_TURN = ("QUEUE_FULL", "QUEUE_TIMEOUT")


class JamPlayers(Protocol):
    """Play jams: `server.player_pool.PlayerPool`."""

    def jam_session(self) -> AbstractAsyncContextManager[Callable[[bytes], AsyncGenerator[Frame, None]]]: ...


class JamInbox:
    """Notes and signs of the guitarist that the drummer has not yet received.

    until: the quarter up to which they are complete. last: the time of the last note or sign.
    """

    def __init__(self, now: float) -> None:
        self.until, self.last = -math.inf, now
        self._taken_until = 0.0
        self._waiting, self._counts = pb.JamRequest(), Counter[int]()

    @property
    def ahead(self) -> float:
        """The number of quarters that the waiting notes cover."""
        return max(self.until - self._taken_until, 0.0)

    def add(self, request: pb.JamRequest, now: float) -> None:
        """Add the notes and signs of a message. Late ones count as played now.

        Raises:
            Refusal: INVALID_OPTION with the field; JAM_SILENT.
        """
        # 1. Check the values.
        events: list[pb.JamNote | pb.JamSign] = [*request.notes, *request.signs]
        for name, count in (("notes", len(request.notes)), ("signs", len(request.signs))):
            if count > MOST_NOTES:
                raise _invalid(name, f"a message has {count:,} {name}, at most {MOST_NOTES:,} are read; send several")
        if not all(math.isfinite(one.quarter) for one in events):
            raise _invalid(
                "notes", "the place of a note or a sign is not a number, wanted quarters from the first barline on"
            )
        if any(note.pitch > 127 or note.velocity > 127 for note in request.notes):
            raise _invalid("notes", "a note has a pitch or a velocity above 127, wanted 0 to 127")
        latest = max((one.quarter for one in events), default=-math.inf)
        until = max(request.until if request.HasField("until") else latest, self.until)
        if math.isnan(request.until) or until > max(self.until, 0.0) + MOST_QUARTERS_AHEAD:
            raise _invalid(
                "until", f"`until` is quarter {until:g}, wanted at most {MOST_QUARTERS_AHEAD:g} after the one before"
            )
        if latest > until:
            text = f"a note or a sign is at quarter {latest:g}, after `until` at {until:g}; send it later"
            raise _invalid("until", text)
        # 2. Check that somebody plays.
        self.last = now if events else self.last
        if now - self.last > SILENT_SECONDS:
            text = f"there was no note and no sign for {SILENT_SECONDS:g} s, so the jam ended; start another"
            raise Refusal("JAM_SILENT", text)
        # 3. Add them.
        for one in events:
            one.quarter = max(one.quarter, self.until)
        self._waiting.notes.extend(note for note in request.notes if self._has_room(note.quarter))
        self._waiting.signs.extend(sign for sign in request.signs if self._has_room(sign.quarter))
        if request.HasField("config"):
            self._waiting.config.CopyFrom(request.config)
        self.until = until

    def _has_room(self, place: float) -> bool:
        """Count a note or sign of a quarter; return whether the quarter had room for it."""
        quarter = math.floor(place)
        self._counts[quarter] += 1
        return self._counts[quarter] <= MOST_PER_QUARTER

    def take(self) -> bytes:
        """Return the waiting notes and signs as a JamRequest."""
        waiting, self._waiting = self._waiting, pb.JamRequest()
        if math.isfinite(self.until):
            waiting.until = self._taken_until = self.until
            now = math.floor(self.until)
            self._counts = Counter({quarter: count for quarter, count in self._counts.items() if quarter >= now})
        return waiting.SerializeToString()


class JamMethod:
    """Jam, over players."""

    def __init__(
        self,
        players: JamPlayers,
        admission: Admission,
        metrics: Metrics,
        processes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._players, self._admission, self._metrics, self._clock = players, admission, metrics, clock
        self.streams = ConcurrencyLimit(JAMS_PER_PLAYER * processes, "jams are being played")

    async def stream(self, call: Call) -> None:
        """Play a jam. When a bar is due, the inbox takes a turn; if none is free, it waits for the next message."""
        inbox, point = JamInbox(self._clock()), -math.inf
        with self.streams.slot(call.caller):
            async with self._players.jam_session() as more:
                request = self._first(call, await call.read(upload=False))
                while point < math.inf:
                    inbox.add(request, self._clock())
                    if inbox.until >= point:
                        try:
                            point = await self._turn(call, inbox, more)
                        except Refusal as refusal:
                            if refusal.reason not in _NO_TURN or point == -math.inf:
                                raise
                    if point == math.inf or (data := await call.read(upload=False)) is None:
                        break
                    request = parse_message(pb.JamRequest, data)
                    if request.HasField("config"):
                        raise Refusal("WRONG_MESSAGE_ORDER", "a second config came, wanted one in the first message")
        await call.send_id()
        self._metrics.takes.inc()

    def _first(self, call: Call, data: bytes | None) -> pb.JamRequest:
        """Return the first message, with the id of the call."""
        request = parse_message(pb.JamRequest, data)
        if not request.HasField("config"):
            raise Refusal("WRONG_MESSAGE_ORDER", "the first message has no config, wanted a config")
        call.set_id(request.config.request_id)
        request.config.request_id = call.id
        self._metrics.played.inc()
        call.facts["bars"] = 0
        return request

    async def _turn(self, call: Call, inbox: JamInbox, more: Callable[[bytes], AsyncGenerator[Frame, None]]) -> float:
        """Pass the inbox on and send the answers; return when the next bar is decided, infinity for never."""
        point = math.inf
        with self._admission.enter(call.caller, call.deadline) as place:
            place.set_cost(inbox.ahead * SECONDS_A_QUARTER)
            await place.turn()
            async with aclosing(more(inbox.take())) as frames:
                async for frame in frames:
                    what = frame.head["what"]
                    if what in ("begun", "bar"):
                        await call.write(frame.body)
                        call.facts["bars"] += what == "bar"
                        self._metrics.bars.inc(what == "bar")
                    elif what == "done" and frame.head["point"] is not None:
                        point = frame.head["point"]
        return point


def _invalid(field: str, message: str) -> Refusal:
    return Refusal("INVALID_OPTION", message, field=field)
