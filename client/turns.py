"""Several songs at one server: as many at once as it plays, in their order, and again where it says when.

gRPC tries a call again by itself, for a moment. Whoever has a folder of songs waits longer for a server that is there
and has no place, or is just starting a player anew; but not for one that no longer answers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import suppress
from typing import TypeVar

from client.asynchronous import AsyncRemoteDrummer
from client.errors import ServerBusy, ServerError, ServerUnavailable

MOST_AT_ONCE = 32
"""Calls that a server takes on one connection."""
_Item = TypeVar("_Item")
_Done = TypeVar("_Done")


async def places(drummer: AsyncRemoteDrummer) -> int:
    """How many songs to send at once: as many as the server plays; 1 if it does not say."""
    with suppress(ServerError):
        return max(1, min((await drummer.server_info()).limits.max_playing, MOST_AT_ONCE))
    return 1


async def again(call: Callable[[], Awaitable[_Done]], seconds: float) -> _Done:
    """What a call returns, which is made again when the server says so, for so many seconds.

    A call that killed worker after worker, so that gRPC gave it up, is not made again.

    Raises:
        ServerUnavailable, ServerBusy: the server did not say when, or the time is over; and all that the call raises.
    """
    until = time.monotonic() + seconds
    while True:
        try:
            return await call()
        except (ServerUnavailable, ServerBusy) as error:
            wait = error.retry_seconds
            if wait is None or kills(error) or time.monotonic() + wait > until:
                raise
        await asyncio.sleep(wait)


def kills(error: Exception) -> bool:
    """Whether the song seems to be what kills the server's workers: gRPC tried it on one after another."""
    return isinstance(error, ServerError) and error.reason == "WORKER_DIED"


async def in_turn(
    items: Iterable[_Item], most: int, do: Callable[[_Item], Awaitable[_Done]]
) -> AsyncGenerator[_Done, None]:
    """Do something with each item, at most so many at once and begun in their order; gives what came of them in it.

    Raises:
        Exception: what `do` raised for the item whose turn it is; the others are cancelled.
    """
    gate = asyncio.Semaphore(most)

    async def one(item: _Item) -> _Done:
        async with gate:
            return await do(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        for task in tasks:
            yield await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
