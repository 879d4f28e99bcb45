"""A model that plays, and the calls that are played by it: which of their takes have room, and which move in a round.

Takes that do not fit are played in turn. In a round every caller moves as many takes as the one who has fewest, and of
a caller's calls every one as many as the one that has fewest; and a call with much more before it than another moves in
every second round. So a short song beside many long ones takes less than twice its time alone, and the long ones lose
little.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property

from seq2drum.play.choose import Grooves
from seq2drum.play.decode.ensemble import Ended, Ensemble
from seq2drum.play.drummer import Drummer
from seq2drum.play.listen import Guitar
from seq2drum.play.take import DrumBar
from seq2drum.rpc import accompaniment_pb2 as pb

MOST_BARS = 8192
"""The bars of all takes that are played at once; a take keeps some 50 KiB for each of its bars."""
FEW_BARS = 256
"""A call whose takes have no more bars than these plays one of them even if there is no room. One whose takes have more
begins no second one beside other calls: it takes a while to hear so long a song."""
MUCH = 4
"""How many times as many bars before it as another's make a call one that moves in every second round."""

Key = tuple[int, int]  # job and take


@dataclass
class Call:
    """A call that is played: its takes in the making, and what its frames need.

    seated: the takes that are played now, those that moved longest ago first. seconds: of a processor, so far.
    """

    job: int
    caller: str
    model: str
    request: pb.GenerateDrumsRequest
    wants_bars: bool
    guitar: Guitar
    takes: list[Grooves]
    bars: list[list[DrumBar]]
    begun: float
    first_bar: float | None = None
    last_progress: float = 0.0
    seated: deque[int] = field(default_factory=deque)
    begun_takes: int = 0
    ended: int = 0
    beside: int = 1
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Bars that are made."""
        return sum(len(bars) for bars in self.bars)

    @cached_property
    def bars_a_take(self) -> int:
        """Bars of a take."""
        return len(self.guitar.song.bars())

    @property
    def total(self) -> int:
        """Bars to be made."""
        return len(self.takes) * self.bars_a_take

    def moved(self, count: int) -> Iterator[Key]:
        """The next `count` takes that move."""
        for _ in range(count):
            yield self.job, self.seated[0]
            self.seated.rotate(-1)


class Stage:
    """A model, and the calls that are played by it now.

    shares: whether a step for several calls gives each what it would get alone. Where not, one call plays at a time.
    """

    def __init__(self, drummer: Drummer, info: pb.ModelInfo, shares: bool, aside: Executor | None = None) -> None:
        self.drummer, self.info, self.shares = drummer, info, shares
        self.calls: dict[int, Call] = {}
        self._waiting: deque[Call] = deque()
        self._ensemble = Ensemble[Key, DrumBar](drummer.engine, aside or ThreadPoolExecutor(1, "encode"))
        self._seated = 0  # bars of the takes that are played
        self._rounds = 0
        self._changed = False

    @property
    def busy(self) -> bool:
        """Whether there is anything to play."""
        return bool(self.calls or self._waiting)

    def let_in(self, call: Call) -> None:
        """Take in a call."""
        self._waiting.append(call)
        self._changed = True

    def leave(self, job: int) -> None:
        """Play no more of a call, if it is here."""
        self._waiting = deque(call for call in self._waiting if call.job != job)
        if call := self.calls.get(job):
            self.drop(call)

    def drop(self, call: Call) -> None:
        """Play no more of a call."""
        del self.calls[call.job]
        for take in call.seated:
            self._ensemble.leave((call.job, take))
            self._seated -= call.bars_a_take
        call.seated.clear()
        self._changed = True

    def advance(self, keys: Sequence[Key]) -> list[tuple[Call, int, DrumBar | Ended]]:
        """Play one step of some takes; what was made, by call and take."""
        began = time.process_time()
        made = [(self.calls[job], take, item) for (job, take), item in self._ensemble.advance(keys)] if keys else []
        if keys:
            spent = (time.process_time() - began) / len(keys)
            for job, _ in keys:
                self.calls[job].seconds += spent
        for call, take, item in made:
            if isinstance(item, Ended) and take in call.seated:
                call.seated.remove(take)
                self._seated -= call.bars_a_take
                self._changed = True
        return made

    def _seat(self) -> None:
        """Let in calls that wait, and let those of their takes play for which there is room."""
        while self._waiting and (self.shares or not self.calls):
            new = self._waiting.popleft()
            self.calls[new.job] = new
            for other in self.calls.values():
                other.beside = max(other.beside, len(self.calls))
        while (call := self._next()) is not None:
            take = call.begun_takes
            call.begun_takes += 1
            call.seated.append(take)
            self._seated += call.bars_a_take
            self._ensemble.join((call.job, take), self.drummer.bars(call.guitar, call.takes[take]))

    def _next(self) -> Call | None:
        """The call of which one more take plays: of those for which there is room the one that plays fewest."""
        wanting = [call for call in self.calls.values() if call.begun_takes < len(call.takes) and self._fits(call)]
        return min(wanting, key=lambda call: len(call.seated), default=None)

    def _fits(self, call: Call) -> bool:
        bars = call.bars_a_take
        if bars > FEW_BARS and call.seated and len(self.calls) > 1:
            return False
        return not self._seated or self._seated + bars <= MOST_BARS or (not call.seated and bars <= FEW_BARS)

    def moving(self) -> list[Key]:
        """The takes that move in the next round."""
        if self._changed:
            self._changed = False
            self._seat()
        self._rounds += 1
        if len(self.calls) == 1:
            return [(call.job, take) for call in self.calls.values() for take in call.seated]
        by_caller: dict[str, list[Call]] = {}
        least = min((call.total - call.done for call in self.calls.values() if call.seated), default=0)
        for call in self.calls.values():
            has_much = call.total - call.done > max(MUCH * least, FEW_BARS)
            if call.seated and not (has_much and self._rounds % 2):
                by_caller.setdefault(call.caller, []).append(call)
        share = min((len(calls) * _fewest(calls) for calls in by_caller.values()), default=0)
        keys: list[Key] = []
        for calls in by_caller.values():
            each, more = divmod(share, len(calls))
            for index, call in enumerate(calls):
                keys += call.moved(each + ((index + self._rounds) % len(calls) < more))
        return keys


def _fewest(calls: list[Call]) -> int:
    """The fewest takes that a call of these plays."""
    return min(len(call.seated) for call in calls)
