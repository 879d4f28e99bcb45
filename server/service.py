"""The methods of the contract: a request is read, parsed, given its turn, played and answered.

`_played` is the one path from a file to its drums. The unary call sends its last message, the stream all of them.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import ExitStack, aclosing
from typing import Any, Protocol

from google.protobuf.message import Message

from seq2drum.formats import foreign
from seq2drum.rpc import accompaniment_pb2 as pb
from server import requests
from server.admission import Admission, ConcurrencyLimit
from server.calls import Call, Handler, parse_message
from server.ipc import Frame
from server.metrics import Metrics
from server.requests import HEAD_BYTES, SizeLimits, Upload, is_recording, server_info
from server.sessions import BeatMethods, BeatPlayers, BriefChecker, JamMethod, JamPlayers
from server.settings import Settings
from server.statuses import Refusal, StatusError, with_field
from server.teaching import TeachMethods

NAME = "seq2drum.v1.AccompanimentService"
OPEN_TO_ALL = frozenset({"GetServerInfo"})
"""The methods that need no credentials."""
FILE_CHUNK = 64 << 10
"""The largest chunk of a file in a reply."""
MOST_RENDERS = 4
"""The most calls that render and send files concurrently: each may hold hundreds of mebibytes."""


class Parsers(BriefChecker, Protocol):
    """Parser processes: `server.parser_pool.ParserPool`."""

    async def analyze(
        self,
        request: bytes,
        seconds: float,
        *,
        recording: bool = False,
        notation: bool = False,
        music: bool = False,
        caller: str,
    ) -> bytes: ...
    async def convert(self, file: bytes, seconds: float, *, notation: bool = False, caller: str) -> bytes: ...


class Players(BeatPlayers, JamPlayers, Protocol):
    """Player processes: `server.player_pool.PlayerPool`."""

    @property
    def ready(self) -> bool: ...
    @property
    def models(self) -> bytes: ...
    @property
    def maps(self) -> bytes: ...
    @property
    def grooves(self) -> bytes: ...
    @property
    def generators(self) -> bytes: ...
    async def fitting_grooves(self, request: bytes) -> bytes: ...
    async def listed(self) -> bytes: ...
    def play(self, request: bytes, *, bars: bool, caller: str) -> AsyncGenerator[Frame, None]: ...


class Renderers(Protocol):
    """A process that renders and learns: `server.parser_pool.RenderPool`."""

    async def learn(self, what: str, body: bytes, seconds: float, most: float | None = None) -> bytes: ...
    async def render(self, request: bytes, seconds: float) -> list[bytes]: ...


class Service:
    """All methods of the contract, over parsers, players and a renderer."""

    def __init__(
        self,
        settings: Settings,
        parsers: Parsers,
        players: Players,
        renders: Renderers,
        admission: Admission,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings, self._parsers, self._players = settings, parsers, players
        self._renders = renders
        self._admission, self._metrics, self._clock = admission, metrics, clock
        self.sizes = SizeLimits(settings)
        self.beats = BeatMethods(parsers, players, admission, metrics, clock)
        self.jams = JamMethod(players, admission, metrics, settings.engines, clock)
        self.teaching = TeachMethods(settings, renders, players)
        self.uploads = ConcurrencyLimit(settings.uploads, "files are arriving")
        self.open_calls = ConcurrencyLimit(settings.uploads, "calls without credentials are answered")
        self.large_uploads = ConcurrencyLimit(settings.recordings, "recordings are arriving")
        self.recordings = ConcurrencyLimit(settings.recordings, "recordings are being read")
        self._rendering = ConcurrencyLimit(MOST_RENDERS, "files are being rendered")
        self._parsing = ConcurrencyLimit(admission.most_waiting + admission.most_playing, "files are being analysed")

    def methods(self) -> dict[str, Handler]:
        """Return the methods by their names in the contract."""
        return {
            "GenerateDrums": self.generate,
            "StreamGenerateDrums": self.stream,
            "AnalyzeGuitar": self.analyze,
            "Compose": self.compose,
            "StreamCompose": self.beats.stream,
            "Jam": self.jams.stream,
            "Render": self.render,
            "ListModels": self.list_models,
            "ListGenerators": self.list_generators,
            "ListGrooves": self.list_grooves,
            "ListDrumMaps": self.list_drum_maps,
            "TeachDrummer": self.teaching.teach,
            "RenameDrummer": self.teaching.rename,
            "RemoveDrummer": self.teaching.remove,
            "GetServerInfo": self.server_info,
        }

    async def generate(self, call: Call) -> None:
        """Play drums for a file, and send them in one message."""
        self._admission.check_capacity(call.caller)
        request, data = await self._one(call, pb.GenerateDrumsRequest)
        call.set_id(request.request_id)
        self.sizes.check(request.midi)
        self.sizes.check_config(request.config)
        self.sizes.check_drums(request.drums)
        song = request.midi[:HEAD_BYTES]
        async with aclosing(self._played(call, data, song, request.config, bars=False)) as pieces:
            async for piece in pieces:
                if isinstance(piece, pb.GenerateDrumsResponse):
                    await call.write(piece)

    async def stream(self, call: Call) -> None:
        """Play drums for a file that arrives in chunks, and send messages as they are made."""
        with self.uploads.slot(call.caller):
            opening, data, song = await self._upload(call)
        pieces = self._played(call, data, song, opening.config, bars=opening.send_bar_events)
        del data  # free a recording as soon as it is read
        async with aclosing(pieces):
            async for piece in pieces:
                if isinstance(piece, pb.GenerateDrumsResponse):
                    for part in _parts(piece):
                        await call.write(part)
                else:
                    await call.write(piece)

    async def analyze(self, call: Call) -> None:
        """Send the analysis of a file: bars, tempos, tracks, and which of them is the guitar."""
        request, _ = await self._one(call, pb.AnalyzeGuitarRequest)
        call.set_id(request.request_id)
        self.sizes.check(request.midi)
        self.sizes.check_config(request.config)
        request.config.track = request.track or request.config.track
        asked = pb.GenerateDrumsRequest(midi=request.midi, config=request.config)
        try:
            with self._parsing.slot(call.caller):
                data = asked.SerializeToString()
                analysis = await self._analyze(call, data, request.midi, music=request.with_music)
        except StatusError as error:  # the name of the field in this method's request
            raise StatusError(with_field(error.status, "config.track", "track")) from None
        self._metrics.time({"parse": call.facts["parse_ms"]})
        analysis.request_id = call.id
        analysis.estimated_ms *= self._admission.slowdown
        await call.write(analysis)

    async def render(self, call: Call) -> None:
        """Send guitar and drums as a file of another kind."""
        request, data = await self._one(call, pb.RenderRequest)
        call.set_id(request.request_id)
        if request.midi:
            self.sizes.check(request.midi)
        self.sizes.check_drums(request.drums)
        file = requests.render_target(request)
        with self._rendering.slot(call.caller):
            began = self._clock()
            pieces = await self._renders.render(data, call.left())
            size = sum(map(len, pieces))
            call.facts |= {"format": file.format, "render_ms": self._since(began)}
            about = pb.RenderedFile(name=file.name, media_type=file.media_type, size=size, request_id=call.id)
            await call.write(pb.RenderResponse(file=about))
            while pieces:  # freed as soon as it is sent: there may be hundreds of mebibytes
                piece = pieces.pop(0)
                for at in range(0, len(piece), FILE_CHUNK):
                    await call.write(pb.RenderResponse(chunk=piece[at : at + FILE_CHUNK]))

    async def compose(self, call: Call) -> None:
        """Make beats, of which one may be played to a guitar."""
        request, data = await self._one(call, pb.ComposeRequest)
        call.set_id(request.request_id)
        if not self._players.ready:
            raise _not_ready()
        if not request.midi:
            await call.write(await self.beats.compose(call, data))
            return
        guitar = await self._guitar(call, request)
        reply = await self.beats.compose(call, data)
        guitar.config.groove.add(midi=reply.beats[0].midi)
        request_bytes, song = guitar.SerializeToString(), guitar.midi[:HEAD_BYTES]
        async with aclosing(self._played(call, request_bytes, song, guitar.config, bars=False)) as pieces:
            async for piece in pieces:
                if isinstance(piece, pb.GenerateDrumsResponse):
                    reply.accompaniment.CopyFrom(piece)
        await call.write(reply)

    async def _guitar(self, call: Call, request: pb.ComposeRequest) -> pb.GenerateDrumsRequest:
        """Return the request for drums to a guitar, without the beat, after checking the rest of it."""
        self.sizes.check(request.midi)
        self.sizes.check_config(request.config)
        if request.brief.takes > 1:
            text = f"{request.brief.takes} beats are requested, wanted 1, which is played to the guitar"
            raise Refusal("INVALID_OPTION", text, field="brief.takes")
        if any(not groove.section for groove in request.config.groove):
            text = "a groove for the whole song and a beat to play it on are requested; leave out one of them"
            raise Refusal("INVALID_OPTION", text, field="config.groove")
        request_bytes = pb.GenerateDrumsRequest(midi=request.midi, config=request.config).SerializeToString()
        with self._parsing.slot(call.caller):
            request_bytes = await self._with_midi_files(call, request_bytes, request.config)
            analysis = await self._analyze(call, request_bytes, request.midi)
        return pb.GenerateDrumsRequest.FromString(_as_midi(request_bytes, analysis))

    async def list_generators(self, call: Call) -> None:
        """Send the generators."""
        await self._one(call, pb.ListGeneratorsRequest)
        await call.write(self._known(self._players.generators))

    async def list_models(self, call: Call) -> None:
        """Send the models."""
        await self._one(call, pb.ListModelsRequest)
        models = self._known(self._players.models)
        await call.write(await self.teaching.models() if self._settings.drummers else models)

    async def list_grooves(self, call: Call) -> None:
        """Send all grooves, or those that fit a song."""
        request, _ = await self._one(call, pb.ListGroovesRequest)
        call.set_id(request.request_id)
        if not request.midi:
            await call.write(self._known(self._players.grooves))
            return
        if not self._players.ready:
            raise _not_ready()
        self.sizes.check(request.midi)
        self.sizes.check_config(request.config)
        request_bytes = pb.GenerateDrumsRequest(midi=request.midi, config=request.config).SerializeToString()
        with self._parsing.slot(call.caller):
            request_bytes = await self._with_midi_files(call, request_bytes, request.config)
            analysis = await self._analyze(call, request_bytes, request.midi)
            await call.write(await self._players.fitting_grooves(_as_midi(request_bytes, analysis)))

    async def list_drum_maps(self, call: Call) -> None:
        """Send the drum maps."""
        await self._one(call, pb.ListDrumMapsRequest)
        await call.write(self._known(self._players.maps))

    async def server_info(self, call: Call) -> None:
        """Send versions and limits."""
        # Read nothing: a caller without credentials could keep the call waiting.
        with self.open_calls.slot(call.caller):
            await call.write(server_info(self._settings))

    async def _one(self, call: Call, kind: type[Any]) -> tuple[Any, bytes]:
        """Return the one message of a call, and its bytes."""
        with self.uploads.slot(call.caller):
            data = await call.read()
            message = parse_message(kind, data)
            if await call.read() is not None:
                text = f"the call has a second message, wanted one {kind.DESCRIPTOR.name} and then the end"
                raise Refusal("WRONG_MESSAGE_ORDER", text)
        return message, data or b""

    async def _upload(self, call: Call) -> tuple[pb.StreamConfig, bytes, bytes]:
        """Return a stream's config; a GenerateDrumsRequest of it and its chunks; the first bytes of the file.

        A few concurrent recordings may be larger than a MIDI file.

        Raises:
            Refusal: at the first message that is wrong or too large; nothing is read after it.
        """
        first = parse_message(pb.StreamGenerateDrumsRequest, await call.read())
        if first.WhichOneof("piece") != "config":
            raise Refusal(
                "WRONG_MESSAGE_ORDER", "the first message of the stream has no config, wanted config, then chunks"
            )
        call.set_id(first.config.request_id)
        self.sizes.check_config(first.config.config)
        self.sizes.check_drums(first.config.drums)
        with ExitStack() as held:
            file = await self._chunks(call, held)
            self.sizes.check(file)
            song = bytes(file[:HEAD_BYTES])
            request = pb.GenerateDrumsRequest(midi=bytes(file), config=first.config.config, request_id=call.id)
            request.drums = first.config.drums
            file.clear()  # free it: the message has a copy
            return first.config, request.SerializeToString(), song

    async def _chunks(self, call: Call, held: ExitStack) -> bytearray:
        """Return the file in the chunks of a stream. held: keeps the place of a large one."""
        upload = Upload(self.sizes, self.large_uploads.slot(call.caller), held)
        while (data := await call.read()) is not None:
            message = parse_message(pb.StreamGenerateDrumsRequest, data)
            if message.WhichOneof("piece") != "midi_chunk":
                piece = "a second config" if message.WhichOneof("piece") else "an empty message"
                raise Refusal("WRONG_MESSAGE_ORDER", f"the stream has {piece}, wanted one config, then chunks")
            if len(message.midi_chunk) > self._settings.max_chunk_bytes:
                size, most = len(message.midi_chunk), self._settings.max_chunk_bytes
                raise Refusal(
                    "CHUNK_TOO_LARGE",
                    f"a chunk has {size:,} bytes, wanted at most {most:,}; send smaller ones",
                    field="midi_chunk",
                )
            upload.add(message.midi_chunk)
        await call.send_id()
        return upload.file

    def _known(self, data: bytes) -> bytes:
        """Return the lists of the players from their start: models, grooves or drum maps.

        Raises:
            Refusal: NOT_READY.
        """
        if not data:
            raise _not_ready()
        return data

    async def _analyze(self, call: Call, data: bytes, song: bytes, *, music: bool = False) -> pb.AnalyzeGuitarResponse:
        """Return the analysis of a request's song. song: its first bytes at least. music: whether to add its notes."""
        began = self._clock()
        if is_recording(song):
            with self.recordings.slot(call.caller):
                analysed = await self._parsers.analyze(
                    data, call.left(), recording=True, music=music, caller=call.caller.key
                )
        else:
            notation, caller = foreign.is_notation(song), call.caller.key
            analysed = await self._parsers.analyze(data, call.left(), notation=notation, music=music, caller=caller)
        analysis = pb.AnalyzeGuitarResponse.FromString(analysed)
        call.facts["parse_ms"] = self._since(began)
        call.facts["bars"] = analysis.timeline.bars
        return analysis

    async def _played(
        self, call: Call, data: bytes, song: bytes, config: pb.GenerationConfig, *, bars: bool
    ) -> AsyncGenerator[pb.StreamGenerateDrumsResponse | pb.GenerateDrumsResponse | bytes, None]:
        """Yield the messages of a stream as they come (bars as bytes), and last the reply.

        data: a GenerateDrumsRequest. song: the first bytes of its file.
        """
        if not self._players.ready:
            raise _not_ready()
        with self._admission.enter(call.caller, call.deadline) as place:
            # 1. Parse the files, and check that there is enough time.
            data = await self._with_midi_files(call, data, config)
            analysis = await self._analyze(call, data, song)
            data = _as_midi(data, analysis)
            place.set_cost(max(config.takes, 1) * analysis.estimated_ms / 1000)
            yield pb.StreamGenerateDrumsResponse(
                accepted=pb.Accepted(
                    queue_position=place.position,
                    timeline=analysis.timeline,
                    guitar=analysis.guitar,
                    request_id=call.id,
                )
            )
            # 2. Wait for the turn.
            began = self._clock()
            await place.turn()
            call.facts["queue_ms"] = self._since(began)
            self._metrics.played.inc()
            # 3. Play.
            reply, made = None, analysis.timeline.bars * max(config.takes, 1)
            async with aclosing(self._players.play(data, bars=bars, caller=call.caller.key)) as frames:
                async for frame in frames:
                    what = frame.head["what"]
                    if what == "progress":
                        made = frame.head["total"]
                        progress = pb.Progress(bars_done=frame.head["done"], bars_total=made)
                        yield pb.StreamGenerateDrumsResponse(progress=progress)
                    elif what == "bar":
                        yield frame.body
                    elif what == "done":
                        reply = pb.GenerateDrumsResponse.FromString(frame.body)
                        place.done(frame.head.get("seconds", 0.0))
            if reply is None:
                raise RuntimeError("a player ended without a reply")
        yield self._finished(call, reply, made)

    async def _with_midi_files(self, call: Call, data: bytes, config: pb.GenerationConfig) -> bytes:
        """Return the request with all files of its configuration as MIDI; parsers convert the others."""
        if all(foreign.is_midi(file) for file in (config.like, *(groove.midi for groove in config.groove))):
            return data
        request = pb.GenerateDrumsRequest.FromString(data)
        request.config.like = await self._midi_of(call, config.like, "config.like")
        for groove in request.config.groove:
            if groove.WhichOneof("source") == "midi":
                groove.midi = await self._midi_of(call, groove.midi, "config.groove")
        return request.SerializeToString()

    async def _midi_of(self, call: Call, file: bytes, field: str) -> bytes:
        try:
            if foreign.is_midi(file):
                return file
            notation, caller = foreign.is_notation(file), call.caller.key
            return await self._parsers.convert(file, call.left(), notation=notation, caller=caller)
        except StatusError as error:  # the name of the field in this request
            raise StatusError(with_field(error.status, "midi", field)) from None

    def _finished(self, call: Call, reply: pb.GenerateDrumsResponse, bars: int) -> pb.GenerateDrumsResponse:
        """Fill in the fields that only this process knows, and count the call."""
        timing = reply.timing
        timing.queue_ms, timing.parse_ms = call.facts["queue_ms"], call.facts["parse_ms"]
        timing.total_ms = self._since(call.arrived)
        reply.request_id = call.id
        call.facts |= {
            "bars": bars,
            "takes": len(reply.takes),
            "first_bar_ms": round(timing.first_bar_ms, 1),
            "generate_ms": round(timing.generate_ms, 1),
            "batch_size": timing.batch_size,
        }
        stages = ("queue", "parse", "first_bar", "generate", "total")
        self._metrics.time({stage: getattr(timing, f"{stage}_ms") for stage in stages})
        self._metrics.together.observe(timing.batch_size)
        self._metrics.bars.inc(bars)
        self._metrics.takes.inc(len(reply.takes))
        return reply

    def _since(self, began: float) -> float:
        return round(1000 * (self._clock() - began), 3)


def _parts(reply: pb.GenerateDrumsResponse) -> Iterator[Message]:
    """Yield the messages in which a stream sends a reply: the files in chunks, then the rest."""
    for index, take in enumerate(reply.takes):
        for at in range(0, len(take.midi), FILE_CHUNK):
            chunk = pb.FileChunk(take=index, data=take.midi[at : at + FILE_CHUNK])
            yield pb.StreamGenerateDrumsResponse(file_chunk=chunk)
    for take in reply.takes:
        take.ClearField("midi")
    yield pb.StreamGenerateDrumsResponse(summary=reply)


def _as_midi(data: bytes, analysis: pb.AnalyzeGuitarResponse) -> bytes:
    """Return a GenerateDrumsRequest with the file that a parser wrote of its song, if it did."""
    if not analysis.song:
        return data
    request = pb.GenerateDrumsRequest.FromString(data)
    request.midi = analysis.song
    if request.config.HasField("excerpt"):  # whose first parts are the guitar
        request.config.track = f"1-{len(analysis.guitar.tracks)}"
    return request.SerializeToString()


def _not_ready() -> Refusal:
    return Refusal("NOT_READY", "the server is not ready to play yet; try again in 1 s", retry_seconds=1.0)
