"""Messages of songs and rendered files as plain values, independent of the transport.

A song goes out as one message or as several, and a reply comes back as one or as several; both have the same content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from client.errors import ServerFault
from seq2drum.errors import InputError, OptionError
from seq2drum.formats import foreign
from seq2drum.music import song_plan
from seq2drum.music.choices import AUTO, WHOLE, check_bars, check_number, placed_text, values_of
from seq2drum.music.explanation import Explanation, Piece, SectionGroove, Swap
from seq2drum.music.file_options import SESSION, TIMING, BaseSession, BaseTiming
from seq2drum.music.limits import OPENED_SUFFIXES
from seq2drum.music.options import OPTIONS, PLACE_FIELDS, PLACED, BaseOptions, check, check_value, placed
from seq2drum.music.song_plan import PlannedSection, SongPlan
from seq2drum.play.asked import One, by_section, reference
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.system import files

Source = bytes | str | os.PathLike[str]
OnProgress = Callable[[int, int], object]
"""Called with the number of bars made and the number of all bars."""

MOST_BYTES = 64 << 20  # of a file that is read at all; the server has other limits
CHUNK_BYTES = 32 << 10  # half of a server's default limit
MOST_SONG_NAME = 200  # characters that a server takes
LARGE_BYTES = 256 << 10  # a larger file goes out in chunks: a server can refuse it before it has all of it


@dataclass(frozen=True, slots=True)
class RemoteOptions(BaseTiming, BaseSession, BaseOptions):
    """The options of a take, as in `seq2drum.Options`; None leaves an option to the server and its model.

    `seq2drum.music.options` has the fields, their meanings and defaults, those of `play.session.Session` and of the
    beats of a file too. The server checks values, by the same rules.

    groove: by name, or a file with drums whose bytes are sent; no `Groove`. drum_map: the id of one of the server's
    maps; no file. model: the id of one of the server's models; "" is its default. with_guitar: return the whole file
    with these drums in place of its own, not the drums alone. explain: `RemoteTake.explain` explains the take bar by
    bar. plan: how the drums build the song, in place of what the drummer draws, such as `RemoteTake.plan` of a take to
    this song, changed or not; `render` draws it.
    """

    model: str = ""
    with_guitar: bool = False
    explain: bool = False
    plan: SongPlan = ()


class RemoteHit(NamedTuple):
    """One note of the drums: its tick and quarter in the song, its length in ticks, note and velocity as in MIDI."""

    tick: int
    quarter: float
    length: int
    note: int
    velocity: int


@dataclass(frozen=True)
class RemoteBar:
    """One bar of a take as it is made: its number from 1, and its hits in order.

    A hit on the downbeat may begin just before the barline. take: its index in the order of generation, from 0. seed:
    reproduces that take. plan: that of the sections that begin in it.
    """

    number: int
    hits: tuple[RemoteHit, ...]
    take: int
    seed: int
    plan: SongPlan = ()


@dataclass(frozen=True)
class RemoteTake:
    """A finished drum part. Its messages are those of the contract, which documents them.

    midi: the file. seed: reproduces it. score: the expected F1, 0 to 1, of its hits with what a drummer would play,
    None for a single take. options: with the server's defaults filled in. grooves: of each section. swaps: hits of
    pieces that the drum map lacks. plan: how each section is built; () from a server older than plans.
    """

    midi: bytes
    seed: int
    score: float | None
    stats: pb.DrumStats
    timeline: pb.TimelineInfo
    guitar: pb.GuitarChoice
    options: pb.GenerationConfig
    model: pb.ModelInfo
    timing: pb.Timing
    request_id: str
    explanations: tuple[Explanation, ...] = ()
    grooves: tuple[SectionGroove, ...] = ()
    swaps: tuple[Swap, ...] = ()
    plan: SongPlan = ()

    def to_bytes(self) -> bytes:
        """Return the take as a MIDI file."""
        return self.midi

    def explain(self) -> tuple[Explanation, ...]:
        """Return the explanations, bar by bar.

        Raises:
            OptionError: they were not requested.
        """
        if not self.options.explain:
            raise OptionError("the request of this take has no explanations; set explain=True")
        return self.explanations

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = True) -> RemoteTake:
        """Write the take to a MIDI file, whole or not at all.

        Raises:
            OutputError: it cannot be written; an existing file is unchanged.
        """
        files.write_file(path, self.midi, overwrite=overwrite)
        return self


def options_of(given: Any, changes: dict[str, Any]) -> RemoteOptions:
    """Return the options of a call: an object that has fields of `RemoteOptions`, or None, and keywords, which win."""
    if given is None:
        return RemoteOptions(**changes)
    if isinstance(given, RemoteOptions):
        known = given
    else:
        names = [field.name for field in fields(RemoteOptions) if hasattr(given, field.name)]
        if "seed" not in names:  # other values share a name, such as a text its `split`
            raise TypeError(f"options are {type(given).__name__}, wanted RemoteOptions or seq2drum.Options")
        known = RemoteOptions(**{name: getattr(given, name) for name in names})
    return replace(known, **changes)


def song_bytes(song: Source) -> bytes:
    """Return the bytes of a song: the given ones, or a file's.

    Raises:
        InputError: the file cannot be read, or is of a kind that cannot be parsed.
    """
    if isinstance(song, bytes):
        return song
    read = files.read_file if Path(song).suffix.lower() in OPENED_SUFFIXES else foreign.read_file
    return read(song, MOST_BYTES)


def drum_bytes(song: Source) -> bytes:
    """Return the bytes of a song with drums, as `song_bytes`.

    Raises:
        InputError: likewise, or it is a recording.
    """
    data = song_bytes(song)
    if foreign.is_recording(data):
        raise InputError(foreign.NO_DRUMS_HEARD)
    return data


def config(options: RemoteOptions, takes: int = 1) -> pb.GenerationConfig:
    """Return the configuration for options. Files of grooves and of the song to play like are read.

    Raises:
        OptionError: a number does not fit into a message, there are more takes than any player makes, a groove is
            neither a name nor a file, or the plan has impossible values. The server checks all else.
        InputError: a file cannot be read.
    """
    if options.seed is not None and not 0 <= options.seed < 1 << 64:
        raise OptionError(f"the seed is {options.seed}, wanted 0 or more, and less than 2^64 for a server")
    if not 0 <= options.prime < 1 << 32:
        raise OptionError(f"prime is {options.prime}, wanted a number of bars")
    check("takes", takes)
    check_number(SESSION["count_in"], options.count_in, "the count-in")
    message = pb.GenerationConfig(model=options.model, takes=takes)
    for name in ("with_guitar", "explain", *SESSION):
        setattr(message, name, getattr(options, name))
    for name, one in TIMING.items():
        if (value := getattr(options, name)) != one.default:
            _set(message, one.field or name, value)
    for name, one in OPTIONS.items():
        value = getattr(options, name)
        if name in PLACED:
            value = placed(name, value)
            check_value(name, value)
            if name in PLACE_FIELDS:
                value, places = values_of(value).get(WHOLE), {**values_of(value), WHOLE: None}
                setattr(message, PLACE_FIELDS[name], placed_text({key: one for key, one in places.items() if key}))
            else:
                value = placed_text(value)
        if value is not None and not (name == "style" and value == AUTO):
            _set(message, one.field or name, _sendable(name, value))
    song_plan.check(options.plan)
    message.plan.extend(map(_planned, options.plan))
    return message


def _sendable(name: str, value: Any) -> Any:
    """Return the value of an option for its field of the contract.

    Raises:
        OptionError, InputError: as `config`.
    """
    if name == "groove":
        return [_groove(*item) for item in by_section(value).items()]
    if name == "like":
        return drum_bytes(value)
    if name == "track":
        return str(value)
    if name == "fill_at":
        return [_bars((bar, bar), "bars of fill_at are").first_bar for bar in value]
    if name == "enter":
        check(name, value)
        return _bars((value, value), "bars to enter in are").first_bar
    if OPTIONS[name].kind is tuple:
        title = OPTIONS[name].title
        return [_bars(bars, title) for bars in value] if OPTIONS[name].many else _bars(value)
    return value


def _set(message: pb.GenerationConfig, field: str, value: Any) -> None:
    """Set a field: a value, a message, or several of either."""
    if isinstance(value, pb.BarRange):
        getattr(message, field).CopyFrom(value)
    elif isinstance(value, list | tuple):
        getattr(message, field).extend(value)
    else:
        setattr(message, field, value)


def _bars(bars: tuple[int, int], title: str = "the bars are") -> pb.BarRange:
    """Return a first and a last bar as a message."""
    check_bars(bars, title)
    if bars[1] >= 1 << 32:
        raise OptionError(f"{title} {bars[0]}:{bars[1]}, wanted numbers less than 2^32")
    return pb.BarRange(first_bar=bars[0], last_bar=bars[1])


def _groove(section: str, groove: One) -> pb.GrooveChoice:
    """Return the groove of a section as a message: the name, or the bytes of the file."""
    if not isinstance(groove, str):
        raise OptionError("a server takes a groove by name or as a file, not as a value; give one of these")
    wanted = reference(groove)
    bars = None if wanted.bars is None else _bars(wanted.bars, "the groove's bars are")
    if wanted.is_file:
        return pb.GrooveChoice(section=section, midi=drum_bytes(wanted.name), bars=bars)
    return pb.GrooveChoice(section=section, name=wanted.name)


def _planned(row: PlannedSection) -> pb.PlannedSection:
    """Return a section of a plan as a message; None is unset."""
    _bars(row[:2], "the bars of a planned section are")
    return pb.PlannedSection(**song_plan.fields_of(row))


def _section(row: pb.PlannedSection) -> PlannedSection:
    return song_plan.of_fields({field.name: value for field, value in row.ListFields()})


def request(midi: bytes, wanted: pb.GenerationConfig, drums: bytes = b"") -> pb.GenerateDrumsRequest:
    """Return the request for a song in one message. drums: a file whose drums replace the song's own."""
    return pb.GenerateDrumsRequest(midi=midi, config=wanted, drums=drums)


def grooves_request(song: Source | None, options: RemoteOptions) -> pb.ListGroovesRequest:
    """Return the request for all grooves, or for those that fit a song."""
    if song is None:
        return pb.ListGroovesRequest()
    return pb.ListGroovesRequest(midi=song_bytes(song), config=config(options))


def pieces(
    midi: bytes, wanted: pb.GenerationConfig, drums: bytes = b"", *, bars: bool
) -> Iterator[pb.StreamGenerateDrumsRequest]:
    """Yield the same request in several messages. bars: whether to send each bar as it is made."""
    yield pb.StreamGenerateDrumsRequest(config=pb.StreamConfig(config=wanted, send_bar_events=bars, drums=drums))
    for start in range(0, len(midi), CHUNK_BYTES):
        yield pb.StreamGenerateDrumsRequest(midi_chunk=midi[start : start + CHUNK_BYTES])


def lesson(songs: Iterable[Source], name: str) -> list[pb.TeachDrummerRequest]:
    """Return the messages that teach a drummer a band's songs. Songs in bytes are called by their turn."""
    found = list[pb.TeachDrummerRequest]()
    for number, song in enumerate(songs, 1):
        data, called = song_bytes(song), f"song {number}" if isinstance(song, bytes) else Path(song).name
        found.append(pb.TeachDrummerRequest(song=pb.BandSong(name=called[-MOST_SONG_NAME:], data=data[:CHUNK_BYTES])))
        rest = range(CHUNK_BYTES, len(data), CHUNK_BYTES)
        found += [pb.TeachDrummerRequest(chunk=data[at : at + CHUNK_BYTES]) for at in rest]
    return [*found, pb.TeachDrummerRequest(teach=pb.TeachConfig(name=name))]


def takes_of(response: pb.GenerateDrumsResponse, midis: Sequence[bytes] | None = None) -> list[RemoteTake]:
    """Return the takes of a reply, the best first. midis: their files, if the reply does not contain them.

    Raises:
        ServerFault: there are none, or a file is damaged.
    """
    if not response.takes:
        raise ServerFault("the server's reply holds no take")
    takes = []
    for index, take in enumerate(response.takes):
        midi = take.midi if midis is None else midis[index]
        if hashlib.sha256(midi).digest() != take.sha256:
            raise ServerFault("a file came back damaged from the server; try again")
        if response.effective_config.plan and not take.plan:
            raise ServerFault(
                "the server is older than plans and has not used this one; update it, or leave out the plan"
            )
        takes.append(
            RemoteTake(
                midi=midi,
                seed=take.seed,
                score=take.score if take.HasField("score") else None,
                stats=take.stats,
                timeline=response.timeline,
                guitar=response.guitar,
                options=response.effective_config,
                model=response.model,
                timing=response.timing,
                request_id=response.request_id,
                explanations=tuple(map(_explanation, take.explanations)),
                grooves=tuple(SectionGroove(one.section, one.name, one.title) for one in take.grooves),
                swaps=tuple(Swap(one.piece, one.instead, one.hits) for one in take.swaps),
                plan=tuple(map(_section, take.plan)),
            )
        )
    return takes


def _explanation(said: pb.Explanation) -> Explanation:
    pieces = tuple(Piece(one.what, dict(one.values)) for one in said.pieces)
    return Explanation(said.first_bar, said.last_bar, said.text, pieces)


class Reply:
    """Collects the messages of a streamed reply.

    accepted: the analysis of the song, once it has come. progress: bars made and all bars, over all takes. ended:
    nothing more comes.
    """

    def __init__(self, takes: int = 1) -> None:
        self.accepted: pb.Accepted | None = None
        self.progress = (0, 0)
        self.ended = False
        self._asked = takes
        self._given = self._known = 0  # bars returned, and of these, bars that are still to come again
        self._files: dict[int, bytearray] = {}
        self._summary: pb.GenerateDrumsResponse | None = None

    def begin_again(self) -> None:
        """Prepare for the same reply once more. Bars that were returned are not returned again: they are the same."""
        self._known = self._given
        self._files.clear()

    @property
    def understood(self) -> pb.Accepted:
        """The analysis of the song.

        Raises:
            ServerFault: it has not come yet.
        """
        if self.accepted is None:
            raise ServerFault("the server has not yet analysed the song")
        return self.accepted

    def add(self, piece: pb.StreamGenerateDrumsResponse | None) -> RemoteBar | None:
        """Add the next message, or None where the server has ended; return the bar, if it is one."""
        kind = piece.WhichOneof("piece") if piece else None
        if piece is None:
            self.ended = True
        elif kind == "accepted":
            self.accepted = piece.accepted
            self.progress = (0, piece.accepted.timeline.bars * self._asked)
        elif kind == "progress":
            self.progress = (piece.progress.bars_done, piece.progress.bars_total)
        elif kind == "file_chunk":
            self._files.setdefault(piece.file_chunk.take, bytearray()).extend(piece.file_chunk.data)
        elif kind == "summary":
            self._summary = piece.summary
        elif kind == "bar_events" and self._known:
            self._known -= 1
        elif kind == "bar_events":
            self._given += 1
            return _bar(piece.bar_events)
        return None  # a newer server may send kinds that this client does not know

    def takes(self) -> list[RemoteTake]:
        """Return the takes, once all has come.

        Raises:
            ServerFault: something is missing or damaged.
        """
        if self._summary is None:
            raise ServerFault("there is no take: the caller stopped before its last bar, or the server ended too soon")
        return takes_of(
            self._summary, [bytes(self._files.get(index, b"")) for index in range(len(self._summary.takes))]
        )


class Answered:
    """The analysis and the take in a reply, however it travels."""

    _reply: Reply

    @property
    def timeline(self) -> pb.TimelineInfo:
        """Bars, tempos and metres of the song; of an `AsyncRemoteStream` from the first bar on."""
        return self._reply.understood.timeline

    @property
    def guitar(self) -> pb.GuitarChoice:
        """The parts that are the guitar; of an `AsyncRemoteStream` from the first bar on."""
        return self._reply.understood.guitar

    @property
    def take(self) -> RemoteTake:
        """The finished take, after the last bar.

        Raises:
            ServerFault: it has not come yet, or it is damaged.
        """
        return self._reply.takes()[0]


def _bar(events: pb.BarEvents) -> RemoteBar:
    plan = tuple(map(_section, events.plan))
    return RemoteBar(events.bar, hits_of(events.hits), events.take, events.seed, plan)


def hits_of(hits: Iterable[pb.DrumHit]) -> tuple[RemoteHit, ...]:
    """Return the hits of a message, in order."""
    return tuple(RemoteHit(hit.tick, hit.quarter, hit.length_ticks, hit.note, hit.velocity) for hit in hits)


# --- rendered files ---------------------------------------------------------------------------------------------------


_RENDER_PREFIX = "RENDER_FORMAT_"
RENDER_FORMATS = tuple(name.removeprefix(_RENDER_PREFIX).lower() for name in pb.RenderFormat.keys()[1:])
"""The formats of guitar and drums."""


@dataclass(frozen=True)
class RemoteFile:
    """A file that a server rendered. name: without a folder. media_type: such as "image/png". data: its bytes."""

    name: str
    media_type: str
    data: bytes

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the file, whole or not at all.

        Raises:
            OutputError: it cannot be written; an existing file is unchanged.
        """
        files.write_file(path, self.data, overwrite=overwrite)
        return Path(path)


def render_request(song: Source, drums: Source, form: str, options: RemoteOptions) -> pb.RenderRequest:
    """Return the request for a song and drums as a file of another kind.

    Raises:
        OptionError: the format does not exist, or a number does not fit into a message.
        InputError: a file cannot be read.
    """
    if form not in RENDER_FORMATS:
        raise OptionError(f"there is no format {form[:40]!r}; there are {', '.join(RENDER_FORMATS)}")
    return pb.RenderRequest(
        midi=song_bytes(song),
        drums=drum_bytes(drums),
        config=config(options),
        format=pb.RenderFormat.Value(_RENDER_PREFIX + form.upper()),
    )


class RenderedPieces:
    """Collects the pieces of a rendered file."""

    def __init__(self) -> None:
        self._about: pb.RenderedFile | None = None
        self._data = bytearray()

    def add(self, piece: pb.RenderResponse) -> None:
        """Add the next piece."""
        if piece.HasField("file"):
            self._about = piece.file
        self._data += piece.chunk

    def file(self) -> RemoteFile:
        """Return the file, once all pieces have come.

        Raises:
            ServerFault: a piece is missing.
        """
        about = self._about
        if about is None or len(self._data) != about.size:
            raise ServerFault("a file came back damaged from the server; try again")
        return RemoteFile(about.name, about.media_type, bytes(self._data))
