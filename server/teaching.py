"""The methods that teach: a band's songs arrive and are heard one by one, a drummer is made, renamed or removed.

A server is taught only if its operator names a folder for drummers (`Settings.drummers`). Songs are read in the child
process that renders files, one at a time; what one song does to it is told of that song alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Protocol

from google.protobuf.message import Message

from seq2drum.rpc import accompaniment_pb2 as pb
from server.admission import ConcurrencyLimit
from server.calls import Call, parse_message
from server.settings import Settings
from server.statuses import Refusal, StatusError, reason_of

MOST_SONGS = 100
MOST_BYTES = 32 << 20
"""The most bytes of all songs of a drummer."""
MOST_DRUMMERS = 64
MOST_SONG_NAME, MOST_NAME = 200, 60
"""The longest names of a song and of a drummer, in characters."""
MOST_TAUGHT = 4
"""The most drummers that are being taught concurrently: each call may hold MOST_BYTES."""


UNREAD = "it takes too long to read, or too much memory"


class Learners(Protocol):
    """A process that reads songs and learns from them: `server.parser_pool.RenderPool`."""

    async def learn(self, what: str, body: bytes, seconds: float, most: float | None = None) -> bytes: ...


class Lister(Protocol):
    """What lists the models: `server.player_pool.PlayerPool`."""

    async def listed(self) -> bytes: ...


class TeachMethods:
    """TeachDrummer, RenameDrummer and RemoveDrummer."""

    def __init__(self, settings: Settings, learners: Learners, lister: Lister) -> None:
        self._settings, self._learners, self._lister = settings, learners, lister
        self._teaching = ConcurrencyLimit(MOST_TAUGHT, "drummers are being taught")

    @property
    def about(self) -> pb.Teaching:
        """Where drummers are kept, and the limits."""
        return pb.Teaching(
            folder=self._settings.drummers, max_songs=MOST_SONGS, max_bytes=MOST_BYTES, max_drummers=MOST_DRUMMERS
        )

    async def models(self) -> pb.ListModelsResponse:
        """Return all models, with those that the server was taught."""
        listed = pb.ListModelsResponse.FromString(await self._lister.listed())
        listed.teaching.CopyFrom(self.about)
        return listed

    async def teach(self, call: Call) -> None:
        """Hear the songs that arrive, and make a drummer of them if one is asked for."""
        self._check_open()
        with self._teaching.slot(call.caller):
            songs, heard, name = await self._songs(call)
            # 1. Copies are told by all songs together, without those that cannot be read in time.
            able = [number for number, one in enumerate(heard) if one.remark != UNREAD]
            job = packed(name, [songs[number] for number in able])
            made = pb.TaughtDrummer.FromString(await self._learners.learn("teach", job, call.left()))
            for number, one in zip(able, made.songs, strict=True):
                heard[number].CopyFrom(one)
                heard[number].number = number + 1
            # 2. The drummer, as the players know it.
            reply = pb.TaughtDrummer(songs=heard)
            if made.model.id:
                reply.model.CopyFrom(await self._model(made.model.id))
            call.facts |= {"songs": len(heard), "understood": sum(one.understood for one in heard)}
            await call.write(pb.TeachDrummerResponse(taught=reply))

    async def rename(self, call: Call) -> None:
        """Give a drummer another name."""
        request = pb.RenameDrummerRequest.FromString(await self._one(call, pb.RenameDrummerRequest))
        check_name(request.name)
        if not request.name.strip():
            raise Refusal("INVALID_OPTION", "the new name is empty, wanted a letter or more", field="name")
        await self._learners.learn("rename", request.SerializeToString(), call.left())
        await call.write(pb.RenameDrummerResponse(model=await self._model(request.model)))

    async def remove(self, call: Call) -> None:
        """Remove a drummer."""
        await self._learners.learn("remove", await self._one(call, pb.RemoveDrummerRequest), call.left())
        await call.write(pb.RemoveDrummerResponse())

    def _check_open(self) -> None:
        if not self._settings.drummers:
            raise Refusal(
                "TEACHING_OFF",
                "this server cannot be taught; the page of seq2drum --mode page can, and so can a server whose operator"
                " names a folder for its drummers: --drummers FOLDER",
            )

    async def _one(self, call: Call, kind: type[Message]) -> bytes:
        """Return the bytes of the one message of a call."""
        self._check_open()
        request = parse_message(kind, await call.read())
        if await call.read() is not None:
            raise Refusal("WRONG_MESSAGE_ORDER", f"the call has a second message, wanted one {kind.DESCRIPTOR.name}")
        return request.SerializeToString()

    async def _model(self, wanted: str) -> pb.ModelInfo:
        for model in (await self.models()).models:
            if model.id == wanted:
                return model
        raise Refusal("UNKNOWN_MODEL", f"the drummer {wanted!r} was removed in this moment", field="model")

    async def _songs(self, call: Call) -> tuple[list[pb.BandSong], list[pb.HeardSong], str]:
        """Return the songs of a call, what was understood of each by itself, and the name of the drummer.

        Raises:
            Refusal: at the first message that is wrong or too large.
        """
        songs, heard = list[pb.BandSong](), list[pb.HeardSong]()
        size, data = 0, bytearray()
        while (message := await self._next(call)) is not None:
            piece = message.WhichOneof("piece")
            # 1. The song before is complete.
            if piece != "chunk" and songs and len(heard) < len(songs):
                songs[-1].data = bytes(data)
                heard.append(await self._hear(call, songs[-1], len(songs)))
                await call.write(pb.TeachDrummerResponse(heard=heard[-1]))
            # 2. The next song, more of it, or the end.
            if piece == "teach":
                if not songs:
                    raise Refusal("NO_SONGS", "there are no songs, wanted some with a guitar and drums")
                check_name(message.teach.name)
                return songs, heard, message.teach.name.strip()
            if piece == "song":
                self._check_song(message.song, len(songs))
                songs.append(pb.BandSong(name=message.song.name))
                data, more = bytearray(message.song.data), len(message.song.data)
            elif songs and len(message.chunk) <= self._settings.max_chunk_bytes:
                data += message.chunk
                more = len(message.chunk)
            else:
                self._refuse_chunk(len(message.chunk), bool(songs))
            size += more
            if len(data) > self._settings.limits.file_bytes or size > MOST_BYTES:
                raise self._too_large(songs[-1].name, len(data), size)
        raise Refusal("WRONG_MESSAGE_ORDER", "the stream ended without `teach`, wanted songs, then `teach`")

    async def _next(self, call: Call) -> pb.TeachDrummerRequest | None:
        data = await call.read(upload=False)
        if data is None:
            return None
        message = parse_message(pb.TeachDrummerRequest, data)
        if message.WhichOneof("piece") is None:
            raise Refusal("WRONG_MESSAGE_ORDER", "a message is empty, wanted a song, a chunk, or `teach` at last")
        return message

    def _check_song(self, song: pb.BandSong, before: int) -> None:
        if before == MOST_SONGS:
            text = f"there are more than {MOST_SONGS} songs, wanted at most {MOST_SONGS} for one drummer"
            raise Refusal("INVALID_OPTION", text, field="song")
        if len(song.name) > MOST_SONG_NAME:
            text = f"the name of a song has {len(song.name)} characters, wanted at most {MOST_SONG_NAME}"
            raise Refusal("INVALID_OPTION", text, field="song.name")

    def _refuse_chunk(self, size: int, has_song: bool) -> None:
        if not has_song:
            raise Refusal("WRONG_MESSAGE_ORDER", "the first message is a chunk, wanted a song before its chunks")
        text = f"a chunk has {size:,} bytes, wanted at most {self._settings.max_chunk_bytes:,}; send smaller ones"
        raise Refusal("CHUNK_TOO_LARGE", text, field="chunk")

    def _too_large(self, name: str, size: int, together: int) -> Refusal:
        if size > (most := self._settings.limits.file_bytes):
            text = f"the song {name!r} has {size:,} bytes or more, wanted at most {most:,}"
        else:
            text = f"the songs have {together:,} bytes or more together, wanted at most {MOST_BYTES:,}"
        return Refusal("MIDI_TOO_LARGE", text, field="song")

    async def _hear(self, call: Call, song: pb.BandSong, number: int) -> pb.HeardSong:
        """Return what is understood of a song by itself; nothing of one that takes too long or too much memory."""
        try:
            most = self._settings.screen_seconds
            data = await self._learners.learn("hear", song.SerializeToString(), call.left(), most)
            heard = pb.HeardSong.FromString(data)
        except (Refusal, StatusError) as error:
            reason = error.reason if isinstance(error, Refusal) else reason_of(error.status)
            if reason not in ("MIDI_TOO_COMPLEX", "WORKER_DIED", "INTERNAL_ERROR"):
                raise
            heard = pb.HeardSong(title=song.name, remark=UNREAD)
        heard.number = number
        return heard


def check_name(name: str) -> None:
    """Refuse a name of a drummer that is too long or has no letter that can be seen."""
    if len(name) > MOST_NAME or not name.isprintable():
        text = f"the name has {len(name)} characters or odd ones, wanted at most {MOST_NAME} in one line"
        raise Refusal("INVALID_OPTION", text, field="name")


def packed(name: str, songs: Sequence[pb.BandSong]) -> bytes:
    """Return a job of teaching for `learning.teach`, as JSON."""
    rows = [[song.name, base64.b64encode(song.data).decode()] for song in songs]
    return json.dumps({"name": name, "most": MOST_DRUMMERS, "songs": rows}).encode()
