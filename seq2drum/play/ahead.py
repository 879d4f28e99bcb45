"""A value that is made in a thread, while whoever will want it does something else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """What a function returns, which begins at once. It is worth it for what leaves the interpreter to others."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._made: list[T] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(make,))
        self._thread.start()

    def _run(self, make: Callable[[], T]) -> None:
        try:
            self._made.append(make())
        except BaseException as error:  # it is raised where the value is asked for
            self._error = error

    def value(self) -> T:
        """The value, as soon as it is made. What the function raised is raised here."""
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._made[0]
