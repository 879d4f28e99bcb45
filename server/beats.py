"""Beats without a guitar, as the process that answers calls sees them: a brief is checked, given its turn, and made."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, aclosing
from typing import Protocol

from seq2drum.music.choices import MOST_BARS
from seq2drum.rpc import accompaniment_pb2 as pb
from server.admission import Admission
from server.callers import Room
from server.frames import Frame
from server.guards import Call, parse
from server.metrics import Metrics
from server.statuses import Refusal

SECONDS_A_BAR = 0.01
"""About what a bar of a beat without an end takes of a processor."""


class Checking(Protocol):
    """Who checks briefs: `server.readers.Screens`."""

    async def look_at_brief(self, request: bytes, seconds: float, *, caller: str) -> bytes: ...


class Making(Protocol):
    """Who makes beats: `server.pools.Players`."""

    async def compose(self, request: bytes) -> bytes: ...
    def beat(self) -> AbstractAsyncContextManager[Callable[[bytes], AsyncGenerator[Frame, None]]]: ...


class Beats:
    """The way of a brief to its beats, over those who check and make."""

    def __init__(
        self,
        screens: Checking,
        players: Making,
        admission: Admission,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._screens, self._players = screens, players
        self._admission, self._metrics, self._clock = admission, metrics, clock
        self.streams = Room(admission.most_waiting + admission.most_playing, "beats without an end are made")

    async def composed(self, call: Call, data: bytes) -> pb.ComposeResponse:
        """The beats of a ComposeRequest. Its guitar is not looked at."""
        with self._admission.enter(call.caller, call.deadline) as place:
            # 1. The brief makes sense, and there is time enough.
            began = self._clock()
            looked = await self._screens.look_at_brief(data, call.left(), caller=call.caller.key)
            checked = pb.AnalyzeGuitarResponse.FromString(looked)
            parse_ms = self._since(began)
            place.price(checked.estimated_ms / 1000)
            # 2. Its turn.
            began = self._clock()
            await place.turn()
            queue_ms = self._since(began)
            self._metrics.played.inc()
            # 3. They are made.
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
        """A beat without an end: each message of the caller takes a turn, and gets its bars."""
        made = 0
        with self.streams.place(call.caller):
            async with self._players.beat() as more:
                while (data := await call.read(upload=False)) is not None:
                    request = parse(pb.StreamComposeRequest, data)
                    if not made:
                        call.name(request.request_id)
                    _check_bars(request.bars, made)
                    with self._admission.enter(call.caller, call.deadline) as place:
                        place.price(request.bars * SECONDS_A_BAR)
                        await place.turn()
                        async with aclosing(more(data)) as frames:
                            async for frame in frames:
                                if frame.head["what"] == "bar":
                                    await call.write(frame.body)
                    made += request.bars
                    call.facts["bars"] = made
                    self._metrics.bars.inc(request.bars)
        await call.confirm()
        if not made:
            raise Refusal("WRONG_MESSAGE_ORDER", "the stream ended without a message, wanted one that asks for bars")
        self._metrics.played.inc()
        self._metrics.takes.inc()

    def _since(self, began: float) -> float:
        return round(1000 * (self._clock() - began), 3)


def _check_bars(bars: int, made: int) -> None:
    """Check how many bars a message asks for where so many are made."""
    if not 1 <= bars <= MOST_BARS - made:
        left = f"wanted 1 to {MOST_BARS - made}" if made < MOST_BARS else "and there is none left of a stream's"
        raise Refusal("INVALID_OPTION", f"{bars} bars are asked for behind {made}, {left}", field="bars")
