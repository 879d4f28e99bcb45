"""Calls that a worker answers piece by piece: in a round one piece of each, so that none waits for another's end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from server.frames import Frame


class Rounds:
    """The calls under way. say: sends a frame. fail: tells why a job failed."""

    def __init__(self, say: Callable[[Frame], None], fail: Callable[[int, Exception], None]) -> None:
        self._say, self._fail = say, fail
        self._calls: dict[int, Iterator[Frame | None]] = {}

    @property
    def busy(self) -> bool:
        """Whether there is anything to be made."""
        return bool(self._calls)

    def begin(self, job: int, frames: Iterator[Frame | None]) -> None:
        """Take a call in. frames: what is said after each piece, if anything, and at last "done"."""
        self._calls[job] = frames

    def leave(self, job: int) -> None:
        """Make no more of a call, if it is here."""
        self._calls.pop(job, None)

    def advance(self) -> None:
        """Make one piece of each call."""
        for job, call in list(self._calls.items()):
            try:
                frame = next(call)
            except Exception as error:
                self.leave(job)
                self._fail(job, error)
                continue
            if frame is not None:
                if frame.head["what"] == "done":
                    self.leave(job)
                self._say(frame)
