"""The worker that makes files of guitar and drums, see `rendering`: started when it is first asked for one."""

from __future__ import annotations

import asyncio
import dataclasses

from server.readers import Screens
from server.settings import Settings
from server.statuses import Refusal
from server.workers import RETRY_SECONDS, StartError


class Renders:
    """Reads as the others do, with more time and memory, and makes files. It is one process, apart from theirs."""

    def __init__(self, settings: Settings) -> None:
        seconds, mebibytes = settings.render_seconds, settings.render_mebibytes
        self._settings = dataclasses.replace(settings, screens=1, screen_seconds=seconds, screen_mebibytes=mebibytes)
        self._screens: Screens | None = None
        self._starting: asyncio.Future[None] | None = None

    async def render(self, request_bytes: bytes, seconds: float) -> list[bytes]:
        """The pieces of the file that a RenderRequest asks for, within that many seconds.

        Raises:
            StatusError, Refusal: as `Screens.render`.
        """
        if self._screens is None or self._starting is None:
            self._screens = Screens()
            self._starting = asyncio.ensure_future(self._screens.start(self._settings))
        try:
            await asyncio.shield(self._starting)
        except StartError:
            self._screens = None  # the next call tries again
            text = "the process that makes files could not be started; try again"
            raise Refusal("WORKER_DIED", text, retry_seconds=RETRY_SECONDS) from None
        return await self._screens.render(request_bytes, seconds)

    async def stop(self) -> None:
        """End the process, if there is one."""
        if self._screens is not None and self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
            await self._screens.stop()
