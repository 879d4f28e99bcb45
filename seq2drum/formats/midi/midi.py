"""Bytes to `Song` and back.

symusic reads and writes the notes, and only here. Its missing checks come before it (`events.read_tracks`) or after
it; where it is silently wrong (escape events, the order of many events at one tick, names that are not UTF-8), the
bytes are mended first.

A `Song` has what symusic gives: one part for every track, channel and program in it that has notes (parts without
notes are left out); all tempo and metre events, in the order of the file; the first MOST_MARKERS markers that have a
text; a note-on without its note-off is left out. Overlapping notes of one pitch and channel are paired first on,
first off. Drum parts keep the program of their kit, and all of a file are of Yamaha XG or none. `Song.length` is the
last tick of anything that symusic keeps, or the end of the longest track if that is later by more than the one tick
which many programs add.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader, find_spec, module_from_spec
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import LimitError, MidiError
from seq2drum.formats import foreign
from seq2drum.formats.midi import events
from seq2drum.formats.midi import events as moving
from seq2drum.formats.midi.events import (
    END_OF_TRACK,
    MARKING,
    METRE,
    NAME,
    TEMPO,
    Event,
    Track,
    damage,
    walk,
    with_length,
)
from seq2drum.music.limits import DEFAULT_LIMITS, LAST_TICK, Limits
from seq2drum.music.notes import DEFAULT_TEMPO, NO_PEDAL, IntArray, Marker, Metre, Part, Song, Tempo, in_order
from seq2drum.system import files

_LONGEST_NAME = 1000  # characters of a track's name, or of a marker; longer ones are cut

_NUMBER = rb"[\x80-\xff]{0,3}[\x00-\x7f]"  # of variable length, as a delta time
_USUAL_EVENTS = (
    # Channel events: each status byte with its data bytes, and behind it more of the same length, with a status byte or
    # in running status. Tempos.
    b"(?:%(number)b[\x80-\xbf\xe0-\xef][\x00-\x7f][\x00-\x7f]"
    b"(?:%(number)b[\x80-\xbf\xe0-\xef]?[\x00-\x7f][\x00-\x7f])*+"
    b"|%(number)b[\xc0-\xdf][\x00-\x7f](?:%(number)b[\x00-\x7f])*+"
    b"|[\x80-\xfe]{0,3}[\x00-\x7f]\xff\x51\x03[\x00-\xff]{3})*+" % {b"number": _NUMBER}
)
_UP_TO_OTHER = re.compile(_USUAL_EVENTS)
_OTHER = re.compile(_USUAL_EVENTS + b"(%(number)b)(\xff[\x00-\x7f]|\xf0)(%(number)b)" % {b"number": _NUMBER})
_ODD_META = re.compile(rb"\xff(?:\x51(?!\x03)|\x58(?!\x04))")
_LONG_NAME = re.compile(rb"\xff\x03(?:[\x88-\xff]|[\x80-\xff]{2})")  # of 1,024 bytes or more
_ODD = re.compile(rb"\xff(?:\x51(?!\x03)|\x58(?!\x04)|\x03(?:[\x88-\xff]|[\x80-\xff]{2}))")  # one of these two
_TEXT = re.compile(rb"\xff[\x03\x06].", re.DOTALL)  # with the first byte of its length


class _UnclearError(Exception):
    """Signs that a track may hold events which symusic reads wrongly without an error."""


def mended_where_needed(file: bytes, tracks: list[Track]) -> list[Track]:
    """The tracks of a file, mended if `_needs_mending`: the bytes of most files rule it out.

    Raises:
        MidiError: see `mended`.
    """
    if _ODD.search(file):
        return [mended(track) if _needs_mending(track.events) else track for track in tracks]
    if b"\xf7" not in file:
        return tracks
    return [mended(track) if b"\xf7" in track.events and _is_unclear(track.events) else track for track in tracks]


def _needs_mending(events: bytes) -> bool:
    """Return whether symusic may silently misread a track with these events.

    An escape event (F7), a system exclusive event that goes on later, and running status behind one make symusic lose
    its place; a tempo or metre event of the wrong length makes it read beyond. Few tracks have the bytes for that, and
    of those most have them as lengths or delta times: so the first pass looks for the bytes, the second for the events.
    A very long name is read rightly, but once for each of the track's parts: a small file could fill all memory with
    it.
    """
    if _LONG_NAME.search(events):
        return True
    return (b"\xf7" in events or bool(_ODD_META.search(events))) and _is_unclear(events)


def _is_unclear(events: bytes) -> bool:
    """Return whether symusic may misread one of a track's events."""
    try:
        for _ in _others(events):
            pass
    except _UnclearError:
        return True
    return False


def _others(events: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """The meta and system exclusive events of a track, up to its end, optionally without tempos.

    Each with its status and type, and the beginnings of its body, its data and its successor. It counts no ticks, and
    takes a tenth of the time of `walk`.

    Raises:
        _UnclearError: symusic may misread the next event.
    """
    at, stop = 0, len(events)
    while at < stop:
        other = _OTHER.match(events, at)
        if other is None:
            if _UP_TO_OTHER.match(events, at).end() < stop:  # type: ignore[union-attr]  # it always matches, if only nothing
                raise _UnclearError
            return
        kind, length = other.group(2, 3)
        size = 0
        for byte in length:
            size = size << 7 | byte & 0x7F
        begin, at = other.end(), other.end() + size
        if kind + length == END_OF_TRACK:
            return
        is_odd = _ODD_META.search(events, other.start(1), begin)
        if at > stop or is_odd or (events[begin - 2] == 0xF0 and events[at - 1] != 0xF7):
            raise _UnclearError
        yield kind, other.start(2), begin, at


def with_plain_text(track: Track) -> Track:
    """The track, mended where a name or a marker is not UTF-8; unchanged without bytes that look like one.

    Raises:
        MidiError: see `mended`.
    """
    events = track.events
    texts = ((events[match.end() - 1], match.end()) for match in _TEXT.finditer(events))
    if all(size <= 0x7F and _is_utf8(events[at : at + size]) for size, at in texts):
        return track
    pieces: list[bytes] = []
    done = 0
    try:
        for kind, body, begin, end in _others(events):
            if kind == b"\xff\x2f" or (kind == b"\xf0" and not events.endswith(b"\xf7", begin, end)):
                raise _UnclearError
            if kind[-1] in (NAME, MARKING) and (text := _mended_text(events[begin:end])) is not None:
                pieces += [events[done:body], kind + with_length(text)]
                done = end
    except _UnclearError:
        return mended(track)
    return track._replace(events=b"".join([*pieces, events[done:]]))


def mended(track: Track) -> Track:
    """The same track in a form that symusic reads correctly.

    Events other than channel and meta events (escapes, system messages, unfinished system exclusive events) become meta
    events for sequencers, which symusic skips; running status behind a system exclusive event is written out; a name or
    marker that is not UTF-8 is read as Latin-1, and a very long one is cut; a metre event without its two bytes about
    clicks gets them.

    Raises:
        MidiError: the track is damaged, or a tempo or metre event has too few bytes.
    """
    pieces: list[bytes] = []
    done = before = 0
    for event in walk(track):
        new = _mended_event(track, event, before)
        before = event.status
        if new is not None:
            pieces += [track.events[done : event.body], new]
            done = event.end
    return track._replace(events=b"".join([*pieces, track.events[done:]]))


def _mended_event(track: Track, event: Event, before: int) -> bytes | None:
    """The event (without its delta time) mended, or None if it can stay; `before` is the status before it."""
    data = track.events[event.data : event.end]
    if event.status < 0xF0:
        running = event.body == event.data
        return bytes((event.status,)) + data if running and before >= 0xF0 else None
    if event.status == 0xF0 and data.endswith(b"\xf7"):
        return None
    if event.status != 0xFF:
        return b"\xff\x7f" + with_length(data)
    kind = track.events[event.body + 1]
    if kind in (NAME, MARKING) and (text := _mended_text(data)) is not None:
        return bytes((0xFF, kind)) + with_length(text)
    if kind == TEMPO and len(data) != 3:
        raise damage(track, event.body, event.tick, f"a tempo event has {len(data)} bytes; it needs 3")
    if kind == METRE and len(data) < 2:
        raise damage(track, event.body, event.tick, f"a metre event has {len(data)} bytes; it needs 4")
    if kind == METRE and len(data) != 4:
        return b"\xff\x58\x04" + data[:2] + b"\x18\x08"
    return None


def _mended_text(text: bytes) -> bytes | None:
    """A name or a marker mended, or None if it can stay."""
    is_utf8 = _is_utf8(text)
    if is_utf8 and len(text) <= _LONGEST_NAME:
        return None
    return text.decode("utf-8" if is_utf8 else "latin-1")[:_LONGEST_NAME].encode()


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


_PACKAGE, _CORE = "symusic", "symusic.core"


def load() -> Any:
    """The module `symusic.core`.

    Raises:
        ModuleNotFoundError: symusic is not installed.
    """
    spec = None if _PACKAGE in sys.modules else find_spec(_PACKAGE)
    compiled = PathFinder.find_spec(_CORE, spec.submodule_search_locations) if spec else None
    if spec is None or spec.loader is None or compiled is None:  # it is loaded already, or not available
        from symusic import core

        return core
    spec.loader = LazyLoader(spec.loader)
    package = _loaded(spec)
    package.core = _loaded(compiled)  # type: ignore[attr-defined]  # as an import of it does
    return sys.modules[_CORE]


def _loaded(spec: ModuleSpec) -> ModuleType:
    module = module_from_spec(spec)
    sys.modules[spec.name] = module
    assert spec.loader is not None
    spec.loader.exec_module(module)
    return module


SYMUSIC = load()

MOST_MARKERS = 1000  # markers read of a file; later ones are ignored
_CHANNELS = 16
_SORTED = 23  # events of a kind that symusic keeps in order within a tick
_COLUMNS = "time", "duration", "pitch", "velocity"
_XG_ON = bytes((0x43, 0x10, 0x4C, 0x00, 0x00, 0x7E, 0x00, 0xF7))  # system exclusive "XG System On", without its head
_BANK, _XG_KITS = 0, 127  # the controller that selects a bank, and the bank of XG's drum kits
_SYMUSIC_ERRORS = (RuntimeError, ValueError)

Controls = Mapping[str, NDArray[np.integer]]
"""The controllers of a track, as symusic exports them: "time", "number" and "value"."""


def parse(data: bytes, *, limits: Limits = DEFAULT_LIMITS, repair: bool = True) -> Song:
    """The song in the bytes of a MIDI file of format 0 or 1, bare or in a RIFF wrapper (.rmi).

    With `repair`, a data byte above 127 counts as 127, as in most DAWs; without, it is an error.

    Raises:
        LimitError: the file is beyond `limits`.
        MidiError: the bytes are not a MIDI file, are damaged or contradict themselves.
    """
    ticks_per_quarter, tracks = events.read_tracks(data, limits)
    tracks = mended_where_needed(data, tracks)
    score = _score(ticks_per_quarter, tracks, repair)
    parts, markers = _checked_parts(score, limits), _markers(score)
    if "\ufffd" in "".join([*(part.name for part in parts), *(marker.text for marker in markers)]):
        tracks = [with_plain_text(track) for track in tracks]
        score = _score(ticks_per_quarter, tracks, repair)
        parts, markers = _checked_parts(score, limits), _markers(score)
    tempos, metres = _maps(score, tracks)
    _check_maps(tempos, metres, limits)
    _check_events(score, parts, limits, len(data) // events.LEAST_BYTES)
    song = Song(ticks_per_quarter, _parts(data, parts), tempos, metres, score.end(), tuple(markers[:MOST_MARKERS]))
    _check_length(song, limits)
    return song


def read(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS, repair: bool = True) -> Song:
    """The song in a MIDI file; see `parse`.

    Raises:
        InputError: no such file, a folder, or not readable.
        MidiError: see `parse`; the message begins with the path.
    """
    data = foreign.read_file(path, limits.file_bytes)
    try:
        return parse(data, limits=limits, repair=repair)
    except MidiError as error:
        raise type(error)(f"{files.named(path)}: {error}") from error


def serialise(song: Song) -> bytes:
    """The bytes of a MIDI file of format 1: a track for the tempo and metre map, then a track for each part.

    `parse` makes an equal song of them if notes of one pitch in one part end in the order in which they begin (MIDI has
    no way to say otherwise), no part is empty, and `length` is the last tick of anything. The same song gives the same
    bytes. Beyond 15 pitched parts channels are reused, each part keeping its own track and program.

    Raises:
        LimitError: the song ends after the last tick that a MIDI file can hold.
    """
    maps: tuple[Tempo | Metre | Marker, ...] = (*song.tempos, *song.metres, *song.markers)
    end = max([song.end, *(event.tick for event in maps)])
    if end > LAST_TICK:
        raise LimitError(f"the song ends at tick {end}; a MIDI file can hold {LAST_TICK}: use fewer ticks per quarter")
    score: Any = SYMUSIC.ScoreTick(song.ticks_per_quarter)
    for part in song.parts:
        score.tracks.append(_symusic_track(part))
    tracks = [events.map_track(song.tempos, song.metres, song.markers, end)]
    late_end = b"\x01" + END_OF_TRACK  # symusic ends a track a tick after its last event, possibly in a new bar
    for _, _, own in events.split(score.dumps_midi(), 14):
        tracks.append(own[:-4] + b"\x00" + END_OF_TRACK if own.endswith(late_end) else own)
    return events.joined(song.ticks_per_quarter, tracks)


def with_drums(
    data: bytes,
    *parts: Part,
    delay: int = 0,
    metres: Sequence[Metre] = (),
    markers: Sequence[Marker] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> bytes:
    """The original file plus drum parts as last tracks, which replace its own drums.

    Those are channel 10's notes, programs and positions of the hi-hat's pedal.

    Every other event stays byte for byte (controllers, lyrics, system exclusive, the order within a tick); only running
    status is written out. A later track with nothing but channel 10 is left out, and so are chunks other than tracks. A
    file of format 0 becomes format 1.

    Args:
        data: The file.
        parts: Drums and other added parts; pitched ones get a channel that the file does not use.
        delay: Ticks by which the file's own events are moved; the parts stay.
        metres: Added if the file is moved.
        markers: Replace the file's own; None keeps these.
        limits: Of the file.

    Raises:
        LimitError, MidiError: as `parse`, with repair.
    """
    parse(data, limits=limits)
    ticks_per_quarter, tracks = events.read_tracks(data, limits)
    kept = [others for track in tracks if (others := moving.without_drums(track)) is not None]
    if delay:
        kept = [moving.moved(one, delay) for one in kept]
    if markers is not None:
        kept = [moving.without_markers(one) for one in kept]
    if metres or markers:
        last = max([*(one.tick for one in metres), *(one.tick for one in markers or ())])
        kept[0] = moving.merged(kept[0], events.map_track((), metres, markers or (), last))
    end = max(part.end for part in parts)
    _, *added = events.split(serialise(Song(ticks_per_quarter, parts, length=end)), 14)
    if all(part.is_drums for part in parts):
        return events.joined(ticks_per_quarter, [*kept, *(track.events for track in added)])
    taken = moving.channels(kept)
    for track in added:
        kept.append(moving.on_free_channel(track.events, taken))
        taken |= moving.channels(kept[-1:])
    return events.joined(ticks_per_quarter, kept)


# --- reading with symusic ---------------------------------------------------------------------------------------------


def _score(ticks_per_quarter: int, tracks: Sequence[Track], repair: bool) -> Any:
    """symusic's score of the tracks; `score.end()` is the end of the longest one."""
    with contextlib.suppress(*_SYMUSIC_ERRORS):
        return SYMUSIC.ScoreTick.from_midi(events.with_marked_ends(ticks_per_quarter, tracks))
    # symusic refuses the file. Either mending helps, or it finds the damage and its place.
    tracks = [mended(track) for track in tracks]
    if not repair:  # refuse data bytes above 127, which symusic would read as 127
        for track in tracks:
            for event in walk(track):
                own = track.events[event.data : event.end]
                if event.status < 0xF0 and not own.isascii():
                    raise damage(track, event.data, event.tick, f"a data byte is {max(own)}; 127 is the largest")
    try:
        score = SYMUSIC.ScoreTick.from_midi(events.with_marked_ends(ticks_per_quarter, tracks), sanitize_data=repair)
    except _SYMUSIC_ERRORS as error:
        raise MidiError(f"the file is damaged in a way that has no name here (symusic says: {error})") from error
    import logging  # slow to load, and few files are damaged

    log = logging.getLogger(__name__)
    log.info("the file is slightly damaged; what could be read was read, data bytes above 127 as 127")
    return score


def _parts(data: bytes, tracks: Sequence[Any]) -> tuple[Part, ...]:
    """The parts with notes of the tracks that symusic makes of a file with these bytes."""
    controls = [track.controls.numpy() if track.is_drum else None for track in tracks]
    # The drums are on kits of Yamaha XG if the file turns XG on, or selects its bank of kits.
    is_xg = (b"\xf7" in data and _XG_ON in data) or any(
        bool((drums["value"][drums["number"] == _BANK] == _XG_KITS).any())
        for drums in controls
        if drums is not None and _BANK in drums["number"].tobytes()
    )
    # To export one list of notes is cheaper than to export many.
    notes, counts = SYMUSIC.NoteTickList(), []
    for track in tracks:
        counts.append(len(track.notes))
        notes.extend(track.notes)
    exported = notes.numpy()
    columns = Part.columns_of_several(*(exported[name] for name in _COLUMNS), counts=counts)
    return tuple(
        Part(track.program, track.name, False, *own)
        if drums is None
        else Part(track.program, track.name, True, *own, is_xg=is_xg, pedal=_pedal(drums))
        for track, own, drums in zip(tracks, columns, controls, strict=True)
        if len(own.onset)
    )


def _pedal(controls: Controls) -> IntArray:
    """(positions, 2): the ticks and values of the hi-hat's pedal."""
    if events.PEDAL not in controls["number"].tobytes():
        return NO_PEDAL
    is_pedal = controls["number"] == events.PEDAL
    return in_order([np.column_stack([controls["time"][is_pedal], controls["value"][is_pedal]])])


def _maps(score: Any, tracks: Sequence[Track]) -> tuple[tuple[Tempo, ...], tuple[Metre, ...]]:
    """Tempo and metre events; read from the tracks where symusic may have changed their order."""
    tempos, metres = score.tempos, score.time_signatures
    if _many_at_one_tick(tempos) or _many_at_one_tick(metres):
        return events.maps(tracks)
    of_metres = tuple(Metre(event.time, event.numerator, event.denominator) for event in metres)
    if len(tempos) <= _SORTED:
        return tuple(Tempo(event.time, event.mspq) for event in tempos), of_metres
    columns = tempos.numpy()
    return tuple(map(Tempo, columns["time"].tolist(), columns["mspq"].tolist())), of_metres


def _markers(score: Any) -> list[Marker]:
    """The markers of all tracks, except those that stand for the ends of tracks.

    Markers at one tick are sorted by text, since symusic does not keep the file's order of many.
    """
    return sorted(Marker(one.time, text) for one in score.markers if (text := one.text) not in ("", events.END_MARK))


def _many_at_one_tick(of_one_kind: Any) -> bool:
    """Return whether symusic may have mixed up events: its sort is unstable within a tick of many."""
    if len(of_one_kind) <= _SORTED:
        return False
    ticks, *values = of_one_kind.numpy().values()
    together = ticks[1:] == ticks[:-1]
    return any(bool((together & (value[1:] != value[:-1])).any()) for value in values)


# --- limits and contradictions ----------------------------------------------------------------------------------------


def _check_maps(tempos: Sequence[Tempo], metres: Sequence[Metre], limits: Limits) -> None:
    if len(tempos) > limits.tempos:
        raise LimitError(f"the file has {len(tempos)} tempo events; at most {limits.tempos} are read")
    if len(metres) > limits.metres:
        raise LimitError(f"the file has {len(metres)} metre events; at most {limits.metres} are read")
    quarters = [tempo.microseconds for tempo in tempos]
    if quarters and not (_is_read(min(quarters), limits) and _is_read(max(quarters), limits)):
        tempo = next(tempo for tempo in tempos if not _is_read(tempo.microseconds, limits))
        if tempo.microseconds <= 0:
            raise MidiError(f"the tempo at tick {tempo.tick} says that a quarter lasts 0 microseconds")
        raise LimitError(
            f"the tempo at tick {tempo.tick} is {tempo.bpm:.2f} BPM; {limits.slowest:g} to {limits.fastest:g} are read"
        )
    for metre in metres:
        if metre.numerator < 1 or metre.denominator < 1:
            raise MidiError(
                f"the metre at tick {metre.tick} is {metre.numerator}/{metre.denominator or 'beyond 128'}:"
                " no bar has that length"
            )
        if metre.numerator > limits.numerator or metre.denominator > limits.denominator:
            raise LimitError(
                f"the metre at tick {metre.tick} is {metre.numerator}/{metre.denominator};"
                f" at most {limits.numerator}/{limits.denominator} is read"
            )


def _is_read(microseconds: int, limits: Limits) -> bool:
    return microseconds > 0 and limits.slowest <= Tempo(0, microseconds).bpm <= limits.fastest


def _checked_parts(score: Any, limits: Limits) -> list[Any]:
    """The parts, if not too many: a track splits by channel and program, so a few bytes can make a part."""
    if len(score.tracks) > _CHANNELS * limits.tracks:
        raise LimitError(
            f"the tracks of the file hold {len(score.tracks)} parts by channel and program;"
            f" at most {_CHANNELS * limits.tracks} are read, {_CHANNELS} for each of {limits.tracks} tracks"
        )
    return list(score.tracks)


def _check_events(score: Any, parts: Sequence[Any], limits: Limits, most: int) -> None:
    """most: of events that a file of this size can have."""
    if most > limits.events:
        held = [(part.notes, part.controls, part.pitch_bends, part.lyrics) for part in parts]
        if (count := sum(len(events) for kinds in held for events in kinds)) > limits.events:
            raise LimitError(f"the file has {count} events; at most {limits.events} are read")
    if score.start() < 0:
        raise LimitError(f"the file's times run beyond what can be counted (tick {LAST_TICK} is the last)")


def _check_length(song: Song, limits: Limits) -> None:
    quarters = song.length / song.ticks_per_quarter
    if song.length > limits.quarters * song.ticks_per_quarter or song.length > LAST_TICK:
        raise LimitError(
            f"the file ends at tick {song.length}, {quarters:.3f} quarters after its start;"
            f" at most {limits.quarters} quarters and tick {LAST_TICK} are read"
        )
    slowest = max([DEFAULT_TEMPO.microseconds, *(tempo.microseconds for tempo in song.tempos)])
    if quarters * slowest / 1e6 <= limits.seconds:  # not too long even at the slowest tempo
        return
    if (seconds := song.seconds(song.length)) > limits.seconds:
        raise LimitError(
            f"the file lasts {seconds:.3f} seconds, {seconds / 60:.1f} minutes;"
            f" at most {limits.seconds:g} seconds are read"
        )


# --- writing with symusic ---------------------------------------------------------------------------------------------


def _symusic_track(part: Part) -> Any:
    # A lone surrogate, which can come from a file name, has no UTF-8 form.
    track: Any = SYMUSIC.TrackTick(part.name.encode("utf-8", "replace").decode(), part.program, part.is_drums)
    track.notes = SYMUSIC.NoteTickList.from_numpy(
        part.onset.astype(np.int32),
        part.duration.astype(np.int32),
        part.pitch.astype(np.int8),
        part.velocity.astype(np.int8),
    )
    if part.is_xg:
        track.controls.append(SYMUSIC.ControlChangeTick(0, _BANK, _XG_KITS))
    for tick, value in part.pedal.tolist():
        track.controls.append(SYMUSIC.ControlChangeTick(tick, events.PEDAL, value))
    return track
