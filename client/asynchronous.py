"""`AsyncRemoteDrummer`: the verbs of `RemoteDrummer` as coroutines and asynchronous iterators."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

import grpc
import grpc.aio

from client import connection, messages, sessions
from client.connection import Attempts, Connection
from client.errors import DeadlineExceeded, ServerUnavailable
from client.messages import Answered, OnProgress, RemoteBar, RemoteFile, RemoteTake, Reply, Source
from client.sessions import BeatRequests, RemoteBeat, RemoteBeatBar, RemoteBrief, RemoteJamBar
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc.accompaniment_pb2_grpc import AccompanimentServiceStub

EOF = grpc.aio.EOF  # type: ignore[attr-defined]  # missing in the stubs


class AsyncRemoteDrummer:
    """A drummer on a server, for one event loop. Close it, or use it in `async with`.

    Arguments, verbs and errors are those of `RemoteDrummer`. Cancelling a task that waits for a call cancels the call.
    """

    def __init__(
        self,
        address: str | Sequence[str] = connection.DEFAULT_ADDRESS,
        *,
        token: str | None = None,
        ca: str | os.PathLike[str] | None = None,
        certificate: str | os.PathLike[str] | None = None,
        key: str | os.PathLike[str] | None = None,
        tls: bool = False,
        deadline: float = connection.DEADLINE_SECONDS,
    ) -> None:
        self.connection = Connection(connection.normalize_address(address), token, ca, certificate, key, tls, deadline)
        self._credentials = self.connection.credentials() if self.connection.secure else None
        self._opened: grpc.aio.Channel | None = None

    async def accompany(
        self, song: Source, options: Any = None, *, on_progress: OnProgress | None = None, **changes: Any
    ) -> RemoteTake:
        """Return drums for a song, see `RemoteDrummer.accompany`."""
        return (await self.takes(song, options, 1, on_progress=on_progress, **changes))[0]

    async def takes(
        self,
        song: Source,
        options: Any = None,
        count: int = 1,
        *,
        drums: Source | None = None,
        on_progress: OnProgress | None = None,
        **changes: Any,
    ) -> list[RemoteTake]:
        """Return several takes, the best first; see `RemoteDrummer.takes`."""
        midi = messages.song_bytes(song)
        own = b"" if drums is None else messages.drum_bytes(drums)
        config = messages.config(messages.options_of(options, changes), count)
        if on_progress is None and len(midi) + len(own) <= messages.LARGE_BYTES:
            return messages.takes_of(await self._ask(self._stub.GenerateDrums, messages.request(midi, config, own)))
        async with self._stream(midi, config, own, bars=False) as stream:
            return await stream.rest(on_progress)

    def stream(self, song: Source, options: Any = None, **changes: Any) -> AsyncRemoteStream:
        """Stream the same take, bar by bar as it is made: `async for bar in drummer.stream(song)`.

        Raises:
            InputError, OptionError: a file cannot be read, or a number does not fit into a message. Errors of the
                server are raised with the first bar.
        """
        config = messages.config(messages.options_of(options, changes))
        return self._stream(messages.song_bytes(song), config, bars=True)

    async def analyze(self, song: Source, track: str | None = None) -> pb.AnalyzeGuitarResponse:
        """Return the server's analysis of a song, which plays nothing."""
        request = pb.AnalyzeGuitarRequest(midi=messages.song_bytes(song), track="" if track is None else str(track))
        response: pb.AnalyzeGuitarResponse = await self._ask(self._stub.AnalyzeGuitar, request)
        return response

    async def render(
        self, song: Source, drums: Source, form: str = "picture", options: Any = None, **changes: Any
    ) -> RemoteFile:
        """Return a song and its drums as a file of another kind, see `RemoteDrummer.render`."""
        request = messages.render_request(song, drums, form, messages.options_of(options, changes))
        pieces = messages.RenderedPieces()
        call = self._stub.Render(request, timeout=self.connection.deadline, metadata=self.connection.metadata)
        try:
            async for piece in call:
                pieces.add(piece)
        except grpc.RpcError as error:
            raise self.connection.fault(error) from error
        finally:
            call.cancel()
        return pieces.file()

    async def compose(
        self, brief: Any = None, *, guitar: Source | None = None, options: Any = None, **changes: Any
    ) -> RemoteBeat:
        """Return a beat without a guitar, see `RemoteDrummer.compose`."""
        wanted = None if options is None else messages.options_of(options, {})
        return (await self._beats(sessions.compose_request(sessions.brief_of(brief, changes), 1, guitar, wanted)))[0]

    async def beats(self, brief: Any = None, count: int = 1, **changes: Any) -> list[RemoteBeat]:
        """Return several beats, with consecutive seeds; as `compose`."""
        return await self._beats(sessions.compose_request(sessions.brief_of(brief, changes), count))

    def stream_compose(self, brief: Any = None, **changes: Any) -> AsyncRemoteBeatStream:
        """Open an endless beat, see `RemoteDrummer.stream_compose`."""
        call = self._stub.StreamCompose(timeout=self.connection.deadline, metadata=self.connection.metadata)
        return AsyncRemoteBeatStream(call, self.connection, sessions.brief_of(brief, changes))

    def jam(
        self, options: Any = None, *, bpm: float = 120.0, metre: str = "4/4", program: int = 24, **changes: Any
    ) -> AsyncRemoteJam:
        """Open a jam, see `RemoteDrummer.jam`."""
        request = sessions.opening_request(messages.options_of(options, changes), bpm, metre, program)
        call = self._stub.Jam(timeout=sessions.JAM_SECONDS, metadata=self.connection.metadata)
        return AsyncRemoteJam(call, self.connection, request)

    async def teach(self, songs: Iterable[Source], name: str = "") -> pb.TaughtDrummer:
        """Return what the server understands of songs, and the drummer that it made; see `RemoteDrummer.teach`."""
        requests = messages.lesson(songs, name)
        seconds, metadata = self.connection.deadline, self.connection.metadata
        call: Any = self._stub.TeachDrummer(iter(requests), timeout=seconds, metadata=metadata)
        taught = pb.TaughtDrummer()
        try:
            async for reply in call:
                taught = reply.taught
        except grpc.RpcError as error:
            raise self.connection.fault(error) from error
        finally:
            call.cancel()
        return taught

    async def rename_drummer(self, model: str, name: str) -> pb.ModelInfo:
        """Give a taught drummer another name; return it."""
        request = pb.RenameDrummerRequest(model=model, name=name)
        info: pb.ModelInfo = (await self._ask(self._stub.RenameDrummer, request)).model
        return info

    async def remove_drummer(self, model: str) -> None:
        """Remove a taught drummer."""
        await self._ask(self._stub.RemoveDrummer, pb.RemoveDrummerRequest(model=model))

    async def models(self) -> list[pb.ModelInfo]:
        """Return the models that play to a guitar, the default first."""
        return list((await self._ask(self._stub.ListModels, pb.ListModelsRequest())).models)

    async def generators(self) -> list[pb.GeneratorInfo]:
        """Return the generators of beats, the default first."""
        return list((await self._ask(self._stub.ListGenerators, pb.ListGeneratorsRequest())).generators)

    async def grooves(self, song: Source | None = None, options: Any = None, **changes: Any) -> list[pb.GrooveInfo]:
        """Return the named grooves: all, or up to ten that fit a song, the safest first.

        options, changes: for the song's drums, as for `accompany`.
        """
        request = messages.grooves_request(song, messages.options_of(options, changes))
        return list((await self._ask(self._stub.ListGrooves, request)).grooves)

    async def drum_maps(self) -> list[pb.DrumMapInfo]:
        """Return the drum maps."""
        return list((await self._ask(self._stub.ListDrumMaps, pb.ListDrumMapsRequest())).maps)

    async def server_info(self) -> pb.GetServerInfoResponse:
        """Return the server's version, its limits, and the kind of credentials that it needs."""
        response: pb.GetServerInfoResponse = await self._ask(self._stub.GetServerInfo, pb.GetServerInfoRequest())
        return response

    async def is_ready(self) -> bool:
        """Return whether the server reports that it serves; see `RemoteDrummer.is_ready`."""
        method = self._channel.unary_unary(connection.HEALTH_METHOD, bytes, bytes)
        seconds = min(connection.HEALTH_SECONDS, self.connection.deadline)
        return connection.is_serving(await self._ask(method, b"", seconds))

    async def wait_until_ready(self, seconds: float) -> None:
        """Wait until the server serves; see `RemoteDrummer.wait_until_ready`."""
        until = time.monotonic() + seconds
        while not await self._answers():
            if time.monotonic() >= until:
                raise ServerUnavailable(connection.not_ready(self.connection.address, seconds))
            await asyncio.sleep(connection.POLL_SECONDS)

    async def close(self) -> None:
        """Cancel active calls, and close the connection."""
        if self._opened is not None:
            await self._opened.close(None)

    async def __aenter__(self) -> AsyncRemoteDrummer:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def _channel(self) -> grpc.aio.Channel:
        if self._opened is None:  # lazily: it belongs to the running loop
            options = self.connection.channel_options
            if self._credentials is None:
                self._opened = grpc.aio.insecure_channel(self.connection.target, options)
            else:
                self._opened = grpc.aio.secure_channel(self.connection.target, self._credentials, options)
        return self._opened

    @property
    def _stub(self) -> Any:
        return AccompanimentServiceStub(self._channel)

    async def _beats(self, request: pb.ComposeRequest) -> list[RemoteBeat]:
        return sessions.beats_of(await self._ask(self._stub.Compose, request))

    async def _answers(self) -> bool:
        try:
            return await self.is_ready()
        except (ServerUnavailable, DeadlineExceeded):
            return False

    def _stream(self, midi: bytes, config: pb.GenerationConfig, drums: bytes = b"", *, bars: bool) -> AsyncRemoteStream:
        def call(seconds: float) -> Any:
            return self._stub.StreamGenerateDrums(timeout=seconds, metadata=self.connection.metadata)

        def pieces() -> Iterator[pb.StreamGenerateDrumsRequest]:
            return messages.pieces(midi, config, drums, bars=bars)

        return AsyncRemoteStream(call, pieces, self.connection, Reply(config.takes))

    async def _ask(self, method: Any, request: Any, seconds: float | None = None) -> Any:
        seconds = seconds or self.connection.deadline
        call: Awaitable[Any] = method(request, timeout=seconds, metadata=self.connection.metadata)
        try:
            return await call
        except grpc.RpcError as error:
            raise self.connection.fault(error, seconds) from error


class AsyncRemoteStream(Answered, AsyncIterator[RemoteBar]):
    """The bars of a take as they are made. Closing it, also by leaving `async with`, cancels the call.

    call, pieces: call the server, given the seconds until the deadline; retried as in `RemoteStream`.
    """

    def __init__(
        self,
        call: Callable[[float], Any],
        pieces: Callable[[], Iterator[pb.StreamGenerateDrumsRequest]],
        connection: Connection,
        reply: Reply,
    ) -> None:
        self._ask, self._pieces, self._connection, self._reply = call, pieces, connection, reply
        self._attempts = Attempts(connection.deadline)
        self._begin(connection.deadline)

    async def rest(self, on_progress: OnProgress | None = None) -> list[RemoteTake]:
        """Skip the remaining bars; return the takes."""
        shown = (0, 0)
        while True:
            if on_progress and shown != self._reply.progress:
                shown = self._reply.progress
                on_progress(*shown)
            if self._reply.ended:
                return self._reply.takes()
            await self._receive()

    async def aclose(self) -> None:
        """Cancel the call, unless it is done."""
        self._reply.ended = True
        self._sending.cancel()
        self._call.cancel()

    async def __anext__(self) -> RemoteBar:
        while not self._reply.ended:
            if bar := await self._receive():
                return bar
        raise StopAsyncIteration

    async def __aenter__(self) -> AsyncRemoteStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def _begin(self, seconds: float) -> None:
        self._call = self._ask(seconds)
        self._end = _End(self._call)
        self._sending = asyncio.create_task(self._send(self._call))

    async def _send(self, call: Any) -> None:
        # Not left to gRPC, which cancels the call if the server ends it before all is sent.
        with suppress(grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError):  # reading raises the reason
            for piece in self._pieces():
                await call.write(piece)
            await call.done_writing()

    async def _receive(self) -> RemoteBar | None:
        try:
            piece = await self._call.read()
        except grpc.RpcError as error:
            await self._again(await self._end.error(error))
            return None
        return self._reply.add(None if piece is EOF else piece)

    async def _again(self, error: grpc.RpcError) -> None:
        """Retry the call, which ended with an error.

        Raises:
            Seq2DrumError: a retry makes no sense.
        """
        seconds = self._attempts.wait(error, self._connection.fault(error))
        self._sending.cancel()
        await asyncio.sleep(seconds)
        if not self._reply.ended:  # otherwise closed meanwhile
            self._reply.begin_again()
            self._begin(self._attempts.left)


class AsyncRemoteBeatStream:
    """An endless beat, see `RemoteBeatStream`. Leaving `async with` ends it."""

    def __init__(self, call: Any, connection: Connection, brief: RemoteBrief) -> None:
        self._call, self._connection, self._beat = call, connection, BeatRequests(brief)
        self._end = _End(call)

    async def bars(self, count: int, **changes: Any) -> AsyncIterator[RemoteBeatBar]:
        """Yield this many more bars as they are made; see `RemoteBeatStream.bars`."""
        while self._beat.owed:
            await self._receive()
        request = self._beat.request(count, changes)
        with suppress(grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError):  # reading raises the reason
            await self._call.write(request)
        for _ in range(count):
            yield await self._receive()

    async def aclose(self) -> None:
        """End the beat."""
        self._call.cancel()

    async def __aenter__(self) -> AsyncRemoteBeatStream:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _receive(self) -> RemoteBeatBar:
        try:
            piece = await self._call.read()
        except grpc.RpcError as error:
            raise self._connection.fault(await self._end.error(error)) from error
        return self._beat.bar(None if piece is EOF else piece)


class AsyncRemoteJam:
    """A drummer that plays along, see `RemoteJam`. Leaving `async with` ends it."""

    def __init__(self, call: Any, connection: Connection, opening: pb.JamRequest) -> None:
        self._call, self._connection = call, connection
        self._opening: pb.JamRequest | None = opening
        self._end = _End(call)

    async def hear(self, notes: Iterable[Sequence[float]] = (), until: float | None = None) -> None:
        """Send the guitar's notes, see `RemoteJam.hear`."""
        await self._tell(sessions.notes_request(notes, until))

    async def show(self, sign: str, quarter: float, value: float | str | None = None) -> None:
        """Send a sign, see `RemoteJam.show`."""
        await self._tell(sessions.sign_request(sign, quarter, value))

    async def end(self) -> None:
        """End the input: the bars that follow from it still come."""
        await self._tell()
        with suppress(grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError):
            await self._call.done_writing()

    async def aclose(self) -> None:
        """End the jam immediately."""
        self._call.cancel()

    async def __aiter__(self) -> AsyncIterator[RemoteJamBar]:
        """Yield the bars as they are decided; see `RemoteJam`."""
        try:
            await self._tell()
            while (piece := await self._call.read()) is not EOF:
                if piece.HasField("bar"):
                    yield sessions.jam_bar_of(piece.bar)
        except grpc.RpcError as error:
            raise self._connection.fault(await self._end.error(error), sessions.JAM_SECONDS) from error

    async def __aenter__(self) -> AsyncRemoteJam:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _tell(self, *requests: pb.JamRequest) -> None:
        opening, self._opening = self._opening, None
        with suppress(grpc.RpcError, grpc.aio.BaseError, asyncio.InvalidStateError):  # reading raises the reason
            for request in (*([opening] if opening else []), *requests):
                await self._call.write(request)


class _End:
    """The status with which the server ended a call.

    If a message could not be sent because the call had ended, gRPC replaces the status by another error, before or
    after (github.com/grpc/grpc/issues/36066). So every status is recorded as it comes.
    """

    _MASK = (grpc.StatusCode.INTERNAL, "Internal error from Core")
    _SECONDS = 1.0  # by which the true status may come later

    def __init__(self, call: Any) -> None:
        self._refusal: asyncio.Future[grpc.RpcError] = asyncio.get_running_loop().create_future()
        call.add_done_callback(self._look)

    async def error(self, raised: Any) -> grpc.RpcError:
        """Return the true error in place of the raised one."""
        if (raised.code(), raised.details()) == self._MASK:
            with suppress(TimeoutError):
                return await asyncio.wait_for(asyncio.shield(self._refusal), self._SECONDS)
        error: grpc.RpcError = raised
        return error

    def _look(self, call: Any) -> None:
        code, details = _now(call.code()), _now(call.details())
        if (code, details) != self._MASK and not self._refusal.done():
            metadata = _now(call.trailing_metadata())
            self._refusal.set_result(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, details, ""))


def _now(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Return the result of a coroutine that has nothing to wait for."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return done.value
    coroutine.close()
    return None
