"""What a worker does for Compose: beats are made bar by bar, in turn with all else that it plays.

It makes one bar of each call whenever it is asked, so that nobody waits for the end of a long beat.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from itertools import islice

from seq2drum.music.limits import Limits
from seq2drum.play.generators.composer import Brief, Composer
from seq2drum.rpc import accompaniment_pb2 as pb
from server import briefs, convert
from server.frames import Frame

PROGRESS_SECONDS = 0.1  # between two messages about a call's progress


class _Endless:
    """A beat without an end: what is asked for now, and its bars; `number` are made."""

    def __init__(self, composer: Composer, brief: Brief, seed: int) -> None:
        self.brief, self.number = brief, 0
        self.bars = composer.stream(lambda: self.brief, seed)


class Composing:
    """The beats that a worker makes. composers: by their ids, the default first. limits, most_takes: of a call."""

    def __init__(self, composers: Mapping[str, Composer], limits: Limits, most_takes: int) -> None:
        self._composers, self._limits, self._most_takes = composers, limits, most_takes
        self._infos = {info.id: info for info in briefs.generators().generators}
        self._endless: dict[int, _Endless] = {}

    def forget(self, beat: int) -> None:
        """End a beat without an end, if it is here."""
        self._endless.pop(beat, None)

    def made(self, job: int, body: bytes) -> Iterator[Frame | None]:
        """What is said of a ComposeRequest after each bar, if anything, and at last "done" with a ComposeResponse."""
        request = pb.ComposeRequest.FromString(body)
        # 1. What is wanted, and of whom.
        asked = request.brief
        model = convert.model_of(asked, tuple(self._composers), next(iter(self._composers), ""), "brief")
        composer, brief = self._composers[model], briefs.brief_of(asked, self._limits)
        takes = convert.takes_of(asked, self._most_takes, "brief")
        # 2. Bar by bar.
        begun = said = time.perf_counter()
        first_bar, done, beats = 0.0, 0, list[pb.Beat]()
        for seed in range(asked.seed, asked.seed + takes):
            bars = []
            for bar in islice(composer.stream(_always(brief), seed), brief.bars):
                bars.append(bar)
                done += 1
                now = time.perf_counter()
                first_bar = first_bar or now - begun
                if now - said > PROGRESS_SECONDS:
                    said = now
                    yield Frame({"what": "progress", "job": job, "done": done, "total": takes * brief.bars})
                else:
                    yield None
            beats.append(briefs.beat(composer.beat(bars, brief, seed)))
            yield None
        # 3. The reply.
        took = 1000 * (time.perf_counter() - begun)
        reply = pb.ComposeResponse(
            beats=beats,
            timeline=briefs.timeline(brief),
            timing=pb.Timing(first_bar_ms=1000 * first_bar, generate_ms=took, batch_size=1),
            generator=self._infos[model],
            effective_brief=briefs.effective(asked, brief, model),
        )
        yield Frame({"what": "done", "job": job}, reply.SerializeToString())

    def more(self, job: int, beat: int, body: bytes) -> Iterator[Frame | None]:
        """The bars of a beat without an end that a StreamComposeRequest asks for, and "done". The first begins it."""
        request = pb.StreamComposeRequest.FromString(body)
        running = self._endless.get(beat)
        if running is None:
            asked = request.brief
            model = convert.model_of(asked, tuple(self._composers), next(iter(self._composers), ""), "brief")
            brief = briefs.endless(asked, self._limits)
            running = self._endless[beat] = _Endless(self._composers[model], brief, asked.seed)
        elif request.HasField("brief"):
            running.brief = briefs.endless(request.brief, self._limits)
        for _ in range(request.bars):
            made = next(running.bars)
            running.number += 1
            piece = briefs.bar(running.number, made, running.brief)
            yield Frame({"what": "bar", "job": job}, piece.SerializeToString())
        yield Frame({"what": "done", "job": job})


def _always(brief: Brief) -> Callable[[], Brief]:
    return lambda: brief
