"""`RemoteDrummer`: the verbs of `Drummer`, done by a server. `asynchronous` has the same for asyncio."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

import grpc

from client import connection, messages, sessions
from client.connection import Attempts, Connection
from client.errors import DeadlineExceeded, ServerUnavailable
from client.messages import Answered, OnProgress, RemoteBar, RemoteFile, RemoteTake, Reply, Source
from client.sessions import BeatRequests, RemoteBeat, RemoteBeatBar, RemoteBrief, RemoteJamBar
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc.accompaniment_pb2_grpc import AccompanimentServiceStub


class RemoteDrummer:
    """A drummer on a server; may be used from several threads. Close it, or use it in `with`.

    address: HOST:PORT or unix:PATH. Several, as a list or with commas, or dns:///NAME:PORT, are equal servers: calls
    are distributed over those that report SERVING; with TLS, their certificates have the name of the first. token: sent
    with every call; without TLS to this machine only. ca, certificate, key: PEM files; any of them, or tls, turns TLS
    on. deadline: seconds that a call may take.

    A wrong song or option raises the errors of `Drummer`, everything else a `ServerError`. Calls and streams are
    retried for a moment, only if they did not reach the server; endless beats and jams are not.

    Raises:
        OptionError, InputError: the address is wrong, the token would be sent unencrypted, or a file is missing.
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
        options = self.connection.channel_options
        if self.connection.secure:
            self._channel = grpc.secure_channel(self.connection.target, self.connection.credentials(), options)
        else:
            self._channel = grpc.insecure_channel(self.connection.target, options)
        self._stub = AccompanimentServiceStub(self._channel)

    def accompany(
        self, song: Source, options: Any = None, *, on_progress: OnProgress | None = None, **changes: Any
    ) -> RemoteTake:
        """Return drums for a song: the bytes of a MIDI file, or its path.

        options: `RemoteOptions`, `seq2drum.Options`, or keywords, which win. on_progress: called with the number of
        bars made and the number of all bars; (0, N) once the song has been parsed.

        Raises:
            InputError, OptionError: the song or an option is wrong.
            ModelError, ServerError: the server has no such model, or it failed.
        """
        return self.takes(song, options, 1, on_progress=on_progress, **changes)[0]

    def takes(
        self,
        song: Source,
        options: Any = None,
        count: int = 1,
        *,
        drums: Source | None = None,
        on_progress: OnProgress | None = None,
        **changes: Any,
    ) -> list[RemoteTake]:
        """Return several takes, the best first; as `accompany`.

        drums: a file whose drums replace the song's own, for `bars` and `prime`.
        """
        midi = messages.song_bytes(song)
        own = b"" if drums is None else messages.drum_bytes(drums)
        config = messages.config(messages.options_of(options, changes), count)
        if on_progress is None and len(midi) + len(own) <= messages.LARGE_BYTES:
            return messages.takes_of(self._ask(self._stub.GenerateDrums, messages.request(midi, config, own)))
        with self._stream(midi, config, own, bars=False) as stream:
            return stream.rest(on_progress)

    def stream(self, song: Source, options: Any = None, **changes: Any) -> RemoteStream:
        """Stream the same take, bar by bar as it is made.

        Closing it cancels the call; after the last bar it has the take.

        Raises:
            InputError, OptionError, ModelError, ServerError: as `accompany`, raised by the call, not with the first
                bar.
        """
        config = messages.config(messages.options_of(options, changes))
        return self._stream(messages.song_bytes(song), config, bars=True)

    def analyze(self, song: Source, track: str | None = None) -> pb.AnalyzeGuitarResponse:
        """Return the server's analysis of a song, which plays nothing."""
        request = pb.AnalyzeGuitarRequest(midi=messages.song_bytes(song), track="" if track is None else str(track))
        response: pb.AnalyzeGuitarResponse = self._ask(self._stub.AnalyzeGuitar, request)
        return response

    def render(
        self, song: Source, drums: Source, form: str = "picture", options: Any = None, **changes: Any
    ) -> RemoteFile:
        """Return a song and its drums as a file of another kind, one of `messages.RENDER_FORMATS`.

        drums: a file with them, on the notes of `drum_map`. Only the options `track`, `drum_map`, `count_in`,
        `click`, `split`, `tail` and `plan` matter.

        Raises:
            InputError, OptionError: a file, the format or an option is wrong.
            ServerError: the server failed.
        """
        request = messages.render_request(song, drums, form, messages.options_of(options, changes))
        pieces = messages.RenderedPieces()
        call: Any = self._stub.Render(request, timeout=self.connection.deadline, metadata=self.connection.metadata)
        try:
            for piece in call:
                pieces.add(piece)
        except grpc.RpcError as error:
            raise self.connection.fault(error) from error
        finally:
            call.cancel()
        return pieces.file()

    def compose(
        self, brief: Any = None, *, guitar: Source | None = None, options: Any = None, **changes: Any
    ) -> RemoteBeat:
        """Return a beat without a guitar, as `Composer.compose`.

        brief: `RemoteBrief`, `seq2drum.Brief`, or keywords, which win. guitar: a song to which the beat is played, see
        `RemoteBeat.drums`; options: for these drums, as for `accompany`.

        Raises:
            InputError, OptionError: the brief, the song or an option is wrong.
            ModelError, ServerError: the server has no such generator, or it failed.
        """
        wanted = None if options is None else messages.options_of(options, {})
        return self._beats(sessions.compose_request(sessions.brief_of(brief, changes), 1, guitar, wanted))[0]

    def beats(self, brief: Any = None, count: int = 1, **changes: Any) -> list[RemoteBeat]:
        """Return several beats, with consecutive seeds; as `compose`."""
        return self._beats(sessions.compose_request(sessions.brief_of(brief, changes), count))

    def stream_compose(self, brief: Any = None, **changes: Any) -> RemoteBeatStream:
        """Open an endless beat, bar by bar, whose brief may change while it runs; close it, or use it in `with`.

        brief: as for `compose`; `bars`, `grid` and `metre` are ignored. Errors are raised with the bars.
        """
        return RemoteBeatStream(self._stub.StreamCompose, self.connection, sessions.brief_of(brief, changes))

    def jam(
        self, options: Any = None, *, bpm: float = 120.0, metre: str = "4/4", program: int = 24, **changes: Any
    ) -> RemoteJam:
        """Open a jam: a drummer plays along with a guitar whose notes are sent as it plays. Use it in `with`.

        options, changes: as for `accompany`, except those about a whole song. bpm: quarters a minute. program: the
        General MIDI program of the guitar. Errors are raised with the bars.

        Raises:
            OptionError: the metre or the program is wrong.
        """
        request = sessions.opening_request(messages.options_of(options, changes), bpm, metre, program)
        return RemoteJam(self._stub.Jam, self.connection, request)

    def teach(self, songs: Iterable[Source], name: str = "") -> pb.TaughtDrummer:
        """Return what the server understands of a band's songs and, with a name, the drummer that it made of them.

        songs: each with a guitar and drums. The drummer is one of `models` from then on.

        Raises:
            InputError: a song cannot be read, or a drummer is wanted and none of them was understood.
            Unauthenticated: the server cannot be taught.
            ServerError: it does not answer, or not in time.
        """
        requests = messages.lesson(songs, name)
        seconds, metadata = self.connection.deadline, self.connection.metadata
        call: Any = self._stub.TeachDrummer(iter(requests), timeout=seconds, metadata=metadata)
        try:
            *_, last = call
        except grpc.RpcError as error:
            raise self.connection.fault(error) from error
        finally:
            call.cancel()
        taught: pb.TaughtDrummer = last.taught
        return taught

    def rename_drummer(self, model: str, name: str) -> pb.ModelInfo:
        """Give a taught drummer another name; return it."""
        request = pb.RenameDrummerRequest(model=model, name=name)
        info: pb.ModelInfo = self._ask(self._stub.RenameDrummer, request).model
        return info

    def remove_drummer(self, model: str) -> None:
        """Remove a taught drummer."""
        self._ask(self._stub.RemoveDrummer, pb.RemoveDrummerRequest(model=model))

    def models(self) -> list[pb.ModelInfo]:
        """Return the models that play to a guitar, the default first."""
        return list(self._ask(self._stub.ListModels, pb.ListModelsRequest()).models)

    def generators(self) -> list[pb.GeneratorInfo]:
        """Return the generators of beats, the default first."""
        return list(self._ask(self._stub.ListGenerators, pb.ListGeneratorsRequest()).generators)

    def grooves(self, song: Source | None = None, options: Any = None, **changes: Any) -> list[pb.GrooveInfo]:
        """Return the named grooves: all, or up to ten that fit a song, the safest first.

        options, changes: for the song's drums, as for `accompany`.
        """
        request = messages.grooves_request(song, messages.options_of(options, changes))
        return list(self._ask(self._stub.ListGrooves, request).grooves)

    def drum_maps(self) -> list[pb.DrumMapInfo]:
        """Return the drum maps."""
        return list(self._ask(self._stub.ListDrumMaps, pb.ListDrumMapsRequest()).maps)

    def server_info(self) -> pb.GetServerInfoResponse:
        """Return the server's version, its limits, and the kind of credentials that it needs."""
        response: pb.GetServerInfoResponse = self._ask(self._stub.GetServerInfo, pb.GetServerInfoRequest())
        return response

    def is_ready(self) -> bool:
        """Return whether the server reports that it serves.

        Raises:
            ServerError: it does not answer, or not in time.
        """
        method = self._channel.unary_unary(connection.HEALTH_METHOD, bytes, bytes)
        return connection.is_serving(self._ask(method, b"", min(connection.HEALTH_SECONDS, self.connection.deadline)))

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until the server serves.

        Raises:
            ServerUnavailable: it did not within the given seconds.
        """
        until = time.monotonic() + seconds
        while not self._answers():
            if time.monotonic() >= until:
                raise ServerUnavailable(connection.not_ready(self.connection.address, seconds))
            time.sleep(connection.POLL_SECONDS)

    def close(self) -> None:
        """Cancel active calls, and close the connection."""
        self._channel.close()

    def __enter__(self) -> RemoteDrummer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _beats(self, request: pb.ComposeRequest) -> list[RemoteBeat]:
        return sessions.beats_of(self._ask(self._stub.Compose, request))

    def _answers(self) -> bool:
        try:
            return self.is_ready()
        except (ServerUnavailable, DeadlineExceeded):
            return False

    def _stream(self, midi: bytes, config: pb.GenerationConfig, drums: bytes = b"", *, bars: bool) -> RemoteStream:
        def call(seconds: float) -> Any:
            pieces = messages.pieces(midi, config, drums, bars=bars)
            return self._stub.StreamGenerateDrums(pieces, timeout=seconds, metadata=self.connection.metadata)

        return RemoteStream(call, self.connection, Reply(config.takes))

    def _ask(self, method: Any, request: Any, seconds: float | None = None) -> Any:
        seconds = seconds or self.connection.deadline
        call = method.future(request, timeout=seconds, metadata=self.connection.metadata)
        try:
            return call.result()
        except grpc.RpcError as error:
            raise self.connection.fault(error, seconds) from error
        finally:
            call.cancel()  # also when waiting was interrupted, such as by Ctrl-C


class RemoteBeatStream:
    """An endless beat. Closing it, also by leaving `with`, ends it."""

    def __init__(self, method: Any, connection: Connection, brief: RemoteBrief) -> None:
        self._beat, self._connection = BeatRequests(brief), connection
        self._requests: SimpleQueue[pb.StreamComposeRequest | None] = SimpleQueue()
        requests = iter(self._requests.get, None)
        self._call = method(requests, timeout=connection.deadline, metadata=connection.metadata)

    def bars(self, count: int, **changes: Any) -> Iterator[RemoteBeatBar]:
        """Yield this many more bars as they are made. changes: of the brief from here on.

        Earlier requested bars that the caller did not take are skipped.

        Raises:
            OptionError, ModelError, ServerError: as `RemoteDrummer.compose`; or the beat has reached its limit of bars.
        """
        while self._beat.owed:
            self._receive()
        self._requests.put(self._beat.request(count, changes))
        for _ in range(count):
            yield self._receive()

    def close(self) -> None:
        """End the beat."""
        self._requests.put(None)
        self._call.cancel()

    def __enter__(self) -> RemoteBeatStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> RemoteBeatBar:
        try:
            return self._beat.bar(next(self._call, None))
        except grpc.RpcError as error:
            raise self._connection.fault(error) from error


class RemoteJam:
    """A drummer that plays along. One thread may send notes while another takes the bars. Closing it ends it."""

    def __init__(self, method: Any, connection: Connection, opening: pb.JamRequest) -> None:
        self._connection = connection
        self._requests: SimpleQueue[pb.JamRequest | None] = SimpleQueue()
        self._requests.put(opening)
        requests = iter(self._requests.get, None)
        self._call = method(requests, timeout=sessions.JAM_SECONDS, metadata=connection.metadata)

    def hear(self, notes: Iterable[Sequence[float]] = (), until: float | None = None) -> None:
        """Send the guitar's notes as `RemoteNote`, and the quarter up to which they are complete.

        Raises:
            OptionError: a note is wrong.
        """
        self._requests.put(sessions.notes_request(notes, until))

    def show(self, sign: str, quarter: float, value: float | str | None = None) -> None:
        """Send a sign: "fill", "section" with a letter or None, "stop", "intensity" or "bpm" with a number.

        Raises:
            OptionError: there is no such sign.
        """
        self._requests.put(sessions.sign_request(sign, quarter, value))

    def end(self) -> None:
        """End the input: the bars that follow from it still come."""
        self._requests.put(None)

    def close(self) -> None:
        """End the jam immediately."""
        self._requests.put(None)
        self._call.cancel()

    def __iter__(self) -> Iterator[RemoteJamBar]:
        """Yield the bars as they are decided.

        Raises:
            OptionError, ModelError, ServerError: an option is wrong, or the server has ended the jam.
        """
        try:
            for piece in self._call:
                if piece.HasField("bar"):
                    yield sessions.jam_bar_of(piece.bar)
        except grpc.RpcError as error:
            raise self._connection.fault(error, sessions.JAM_SECONDS) from error

    def __enter__(self) -> RemoteJam:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RemoteStream(Answered, Iterator[RemoteBar]):
    """The bars of a take as they are made. Closing it, also by leaving `with`, cancels the call.

    call: calls the server, given the seconds until the deadline. If the call did not reach the server, or the server
    lost its player, the call is retried, see `connection.Attempts`, and the bars continue where they stopped.
    """

    def __init__(self, call: Callable[[float], Any], connection: Connection, reply: Reply) -> None:
        self._attempts = Attempts(connection.deadline)
        self._ask, self._connection, self._reply = call, connection, reply
        self._call = call(connection.deadline)
        try:
            while not (reply.accepted or reply.ended):
                self._receive()
        except BaseException:
            self._call.cancel()
            raise

    def rest(self, on_progress: OnProgress | None = None) -> list[RemoteTake]:
        """Skip the remaining bars; return the takes."""
        shown = (0, 0)
        while True:
            if on_progress and shown != self._reply.progress:
                shown = self._reply.progress
                on_progress(*shown)
            if self._reply.ended:
                return self._reply.takes()
            self._receive()

    def close(self) -> None:
        """Cancel the call, unless it is done."""
        self._reply.ended = True
        self._call.cancel()

    def __next__(self) -> RemoteBar:
        while not self._reply.ended:
            if bar := self._receive():
                return bar
        raise StopIteration

    def __enter__(self) -> RemoteStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> RemoteBar | None:
        try:
            piece = next(self._call, None)
        except grpc.RpcError as error:
            if not self._reply.ended:  # otherwise closed by another thread
                self._again(error)
            return None
        return self._reply.add(piece)

    def _again(self, error: grpc.RpcError) -> None:
        """Retry the call, which ended with an error.

        Raises:
            Seq2DrumError: a retry makes no sense.
        """
        time.sleep(self._attempts.wait(error, self._connection.fault(error)))
        self._reply.begin_again()
        self._call = self._ask(self._attempts.left)
        if self._reply.ended:  # closed by another thread meanwhile
            self._call.cancel()
