"""`RemoteDrummer`: the verbs of `Drummer`, done by a server. `asynchronous` has the same for asyncio."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from queue import SimpleQueue
from typing import Any

import grpc

from client import connection, messages, rendered, sessions
from client.connection import Attempts, Connection
from client.errors import DeadlineExceeded, ServerUnavailable
from client.messages import Answered, OnProgress, RemoteBar, RemoteTake, Reply, Source
from client.rendered import RemoteFile
from client.sessions import BeatRequests, RemoteBeat, RemoteBeatBar, RemoteBrief, RemoteJamBar
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.rpc.accompaniment_pb2_grpc import AccompanimentServiceStub


class RemoteDrummer:
    """A drummer behind an address; may be used from several threads. Close it, or use it in a `with` statement.

    address: HOST:PORT, or unix:PATH; several, as a list or with commas, or dns:///NAME:PORT, are servers that serve the
    same: calls go round those that say they serve, and away from one that stops. With TLS the certificates of several
    have the name of the first. token: sent with every call; without TLS to this machine only. ca, certificate,
    key: PEM files; any of them, or tls, asks for TLS. deadline: seconds that a call may take.

    What fails raises the errors of `Drummer` where a song or an option is at fault, else a `ServerError`. Calls are
    tried again for a moment where the server was not there, streams too, and not for any other fault; a beat without an
    end and a jam are not.

    Raises:
        OptionError, InputError: an address that is none, a token that would be sent in the open, a missing file.
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
        self, song: Source, options: Any = None, *, on_progress: OnProgress | None = None, **asked: Any
    ) -> RemoteTake:
        """Drums for a song: the bytes of a MIDI file, or its path.

        options: `RemoteOptions`, `seq2drum.Options`, or keywords that win over them. on_progress: is told how many bars
        are made and how many there will be; (0, N) once the song was understood.

        Raises:
            InputError, OptionError: the song or an option is at fault.
            ModelError, ServerError: the server has no such model; or something is the matter with it.
        """
        return self.takes(song, options, 1, on_progress=on_progress, **asked)[0]

    def takes(
        self,
        song: Source,
        options: Any = None,
        count: int = 1,
        *,
        drums: Source | None = None,
        on_progress: OnProgress | None = None,
        **asked: Any,
    ) -> list[RemoteTake]:
        """Several takes, the best first; as `accompany`.

        drums: a file whose drums stand in place of the song's own, for `bars` and `prime`.
        """
        midi = messages.song_bytes(song)
        own = b"" if drums is None else messages.drum_bytes(drums)
        config = messages.config(messages.options_of(options, asked), count)
        if on_progress is None and len(midi) + len(own) <= messages.LARGE_BYTES:
            return messages.takes_of(self._ask(self._stub.GenerateDrums, messages.request(midi, config, own)))
        with self._stream(midi, config, own, bars=False) as stream:
            return stream.rest(on_progress)

    def stream(self, song: Source, options: Any = None, **asked: Any) -> RemoteStream:
        """The same take, bar by bar as it is made. To cancel, close it; after the last bar it has the take.

        Raises:
            InputError, OptionError, ModelError, ServerError: as `accompany`, at once and not with the first bar.
        """
        config = messages.config(messages.options_of(options, asked))
        return self._stream(messages.song_bytes(song), config, bars=True)

    def analyze(self, song: Source, track: str | None = None) -> pb.AnalyzeGuitarResponse:
        """What the server understands of a song, before any time is spent on playing."""
        request = pb.AnalyzeGuitarRequest(midi=messages.song_bytes(song), track="" if track is None else str(track))
        response: pb.AnalyzeGuitarResponse = self._ask(self._stub.AnalyzeGuitar, request)
        return response

    def render(
        self, song: Source, drums: Source, form: str = "picture", options: Any = None, **asked: Any
    ) -> RemoteFile:
        """A song and its drums as a file of another kind: a picture, a score, sound, see `rendered.FORMATS`.

        drums: a file with them, on the notes of `drum_map`. options, asked: of them hold `track`, `drum_map`,
        `count_in`, `click`, `split` and `tail`.

        Raises:
            InputError, OptionError: a file, the format or an option is at fault.
            ServerError: something is the matter with the server.
        """
        request = rendered.request(song, drums, form, messages.options_of(options, asked))
        pieces = rendered.Pieces()
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
        self, brief: Any = None, *, guitar: Source | None = None, options: Any = None, **asked: Any
    ) -> RemoteBeat:
        """A beat without a guitar, as `Composer.compose` makes it.

        brief: `RemoteBrief`, `seq2drum.Brief`, or keywords that win over it. guitar: a song to which the beat is played
        at once, see `RemoteBeat.drums`; options: what is wanted of these drums, as for `accompany`.

        Raises:
            InputError, OptionError: the brief, the song or an option is at fault.
            ModelError, ServerError: the server has no such generator; or something is the matter with it.
        """
        wanted = None if options is None else messages.options_of(options, {})
        return self._beats(sessions.compose_request(sessions.brief_of(brief, asked), 1, guitar, wanted))[0]

    def beats(self, brief: Any = None, count: int = 1, **asked: Any) -> list[RemoteBeat]:
        """Several beats, with seeds that follow each other; as `compose`."""
        return self._beats(sessions.compose_request(sessions.brief_of(brief, asked), count))

    def stream_compose(self, brief: Any = None, **asked: Any) -> RemoteBeatStream:
        """A beat without an end, bar by bar, with new wishes while it runs; close it, or use it in a `with` statement.

        brief: as for `compose`; `bars`, `grid` and `metre` do not count. What fails is raised with the bars.
        """
        return RemoteBeatStream(self._stub.StreamCompose, self.connection, sessions.brief_of(brief, asked))

    def jam(
        self, options: Any = None, *, bpm: float = 120.0, metre: str = "4/4", program: int = 24, **asked: Any
    ) -> RemoteJam:
        """A drummer who plays along with a guitar that is told as it is played; use it in a `with` statement.

        options, asked: as for `accompany`, but for what is about a whole song. bpm: quarters a minute. program: the
        General MIDI program of the guitar. What fails is raised with the bars.

        Raises:
            OptionError: the metre or the program is none.
        """
        request = sessions.opening_request(messages.options_of(options, asked), bpm, metre, program)
        return RemoteJam(self._stub.Jam, self.connection, request)

    def models(self) -> list[pb.ModelInfo]:
        """The models that can be asked for to play to a guitar, the default first."""
        return list(self._ask(self._stub.ListModels, pb.ListModelsRequest()).models)

    def generators(self) -> list[pb.GeneratorInfo]:
        """The generators that can be asked for beats, the default first."""
        return list(self._ask(self._stub.ListGenerators, pb.ListGeneratorsRequest()).generators)

    def grooves(self, song: Source | None = None, options: Any = None, **asked: Any) -> list[pb.GrooveInfo]:
        """The grooves that can be asked for by name: all, or up to ten that fit a song, the safest first.

        options, asked: what is wanted of the song's drums, as for `accompany`.
        """
        request = messages.grooves_request(song, messages.options_of(options, asked))
        return list(self._ask(self._stub.ListGrooves, request).grooves)

    def drum_maps(self) -> list[pb.DrumMapInfo]:
        """The drum maps that can be asked for."""
        return list(self._ask(self._stub.ListDrumMaps, pb.ListDrumMapsRequest()).maps)

    def server_info(self) -> pb.GetServerInfoResponse:
        """The server's version and limits, and what it takes to be let in."""
        response: pb.GetServerInfoResponse = self._ask(self._stub.GetServerInfo, pb.GetServerInfoRequest())
        return response

    def is_ready(self) -> bool:
        """Whether the server says of itself that it serves.

        Raises:
            ServerError: it does not answer, or not in time.
        """
        method = self._channel.unary_unary(connection.HEALTH_METHOD, bytes, bytes)
        return connection.is_serving(self._ask(method, b"", min(connection.HEALTH_SECONDS, self.connection.deadline)))

    def wait_until_ready(self, seconds: float) -> None:
        """Wait until the server serves.

        Raises:
            ServerUnavailable: it did not within so many seconds.
        """
        until = time.monotonic() + seconds
        while not self._answers():
            if time.monotonic() >= until:
                raise ServerUnavailable(connection.not_ready(self.connection.address, seconds))
            time.sleep(connection.POLL_SECONDS)

    def close(self) -> None:
        """End what is under way, and the connection."""
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
            call.cancel()  # whatever ended the waiting, such as Ctrl-C; what is done is past it


class RemoteBeatStream:
    """A beat without an end. Closing it, also by leaving a `with` statement, ends it."""

    def __init__(self, method: Any, connection: Connection, brief: RemoteBrief) -> None:
        self._beat, self._connection = BeatRequests(brief), connection
        self._requests: SimpleQueue[pb.StreamComposeRequest | None] = SimpleQueue()
        requests = iter(self._requests.get, None)
        self._call = method(requests, timeout=connection.deadline, metadata=connection.metadata)

    def bars(self, count: int, **asked: Any) -> Iterator[RemoteBeatBar]:
        """So many more bars, as they are made. asked: what changes in the brief from here on.

        Bars that were asked for before and not taken are passed over.

        Raises:
            OptionError, ModelError, ServerError: as `RemoteDrummer.compose`; or there have been as many as may be.
        """
        while self._beat.owed:
            self._receive()
        self._requests.put(self._beat.request(count, asked))
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
    """A drummer who plays along: told in one thread, its bars may be taken in another. Closing it ends it."""

    def __init__(self, method: Any, connection: Connection, opening: pb.JamRequest) -> None:
        self._connection = connection
        self._requests: SimpleQueue[pb.JamRequest | None] = SimpleQueue()
        self._requests.put(opening)
        requests = iter(self._requests.get, None)
        self._call = method(requests, timeout=sessions.JAM_SECONDS, metadata=connection.metadata)

    def hear(self, notes: Iterable[Sequence[float]] = (), until: float | None = None) -> None:
        """Tell what the guitar does: its notes as `RemoteNote` has them, and up to which quarter all is told.

        Raises:
            OptionError: a note is none.
        """
        self._requests.put(sessions.notes_request(notes, until))

    def show(self, sign: str, quarter: float, value: float | str | None = None) -> None:
        """Give a sign: "fill", "section" with a letter or none, "stop", "intensity" or "bpm" with a number.

        Raises:
            OptionError: there is no such sign.
        """
        self._requests.put(sessions.sign_request(sign, quarter, value))

    def end(self) -> None:
        """Tell nothing more: the bars that what was told decides still come."""
        self._requests.put(None)

    def close(self) -> None:
        """End the jam at once."""
        self._requests.put(None)
        self._call.cancel()

    def __iter__(self) -> Iterator[RemoteJamBar]:
        """The bars, as they are decided.

        Raises:
            OptionError, ModelError, ServerError: something cannot be asked for; or the server has ended the jam.
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
    """The bars of a take as they are made. Closing it, also by leaving a `with` statement, cancels the call.

    call: asks the server, with so many seconds until the deadline. It is made again where the server was not there or
    has lost its player, see `attempts`: the bars go on where they ceased.
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
        """Pass over the bars that are still to come; returns the takes."""
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
            if not self._reply.ended:  # else closed by another thread
                self._again(error)
            return None
        return self._reply.add(piece)

    def _again(self, error: grpc.RpcError) -> None:
        """Make the call again that ended with an error.

        Raises:
            Seq2DrumError: what is the matter, where that makes no sense.
        """
        time.sleep(self._attempts.wait(error, self._connection.fault(error)))
        self._reply.begin_again()
        self._call = self._ask(self._attempts.left)
        if self._reply.ended:  # closed by another thread meanwhile
            self._call.cancel()
