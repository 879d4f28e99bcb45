"""DAWproject -> Song: the notes, tempos, metres and markers of a project's arrangement. `writing` is the way back.

Clips may begin inside their content, repeat a part of it, lie inside one another, refer to the content of another, and
count in seconds instead of quarters. Recordings, plug-ins, the mixer and the clips of a launcher are not read.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import NamedTuple
from xml.parsers import expat

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import NotationError
from seq2drum.formats.archives import Packed, archive_of, member
from seq2drum.formats.dawproject.writing import PROGRAM, XG
from seq2drum.formats.midi.events import DRUM_CHANNEL, PEDAL
from seq2drum.music import theory
from seq2drum.music.limits import MOST_TICKS_PER_QUARTER, PROJECT_LIMITS, Limits
from seq2drum.music.notes import NO_PEDAL, IntArray, Marker, Metre, Part, Song, Tempo, in_order

_PACKED = Packed(
    "project",
    "save it again",
    "save a copy without what is not needed",
    PROJECT_LIMITS.text_bytes,
    PROJECT_LIMITS.packing,
)
_NAME = "project.xml"
_READ = frozenset(
    "Project Transport Tempo TimeSignature Structure Track Channel Devices Device BuiltinDevice Vst2Plugin Vst3Plugin"  # noqa: SIM905
    " ClapPlugin AuPlugin Arrangement Lanes Clips Clip Notes Note Points Target RealPoint IntegerPoint Markers Marker"
    " TempoAutomation TimeSignatureAutomation TimeSignaturePoint".split()
)
"""The elements that are read; all others are skipped, with what is in them."""
_LONGEST_NAME = 1000  # letters of a track or a marker; longer names are cut
_PROGRAM = re.compile(re.escape(PROGRAM).replace(r"\{\}", r"(\d{1,3})"))
_DRUM_WORDS = frozenset(
    ("drum", "drums", "drumkit", "drumset", "kit", "percussion", "schlagzeug", "perkussion", "batterie", "bateria")
)
_SOFT_VELOCITY = 100 / 127  # of a note that states none
_MOST_SEEN = 10  # times the notes that are heard
_MOST_PLACES, _MOST_CLOCKS = 500, 50  # by which a clock is looked for, and that are tried for all places
_MOST_TIME = 1e6  # quarters or seconds
_MINUTE, _MICROSECONDS = 60.0, 60_000_000
FloatArray = NDArray[np.float64]


def read_dawproject(data: bytes, limits: Limits) -> Song:
    """The song of a file's bytes: a part for each track and channel with notes.

    Drums are notes on channel 10, and all notes of a track that is named as drums or has a drum machine. The clock is
    the coarsest from 480 ticks a quarter on that every time falls on, up to the sixth decimal; if none does, the times
    are rounded to 1/960 of a quarter. A tempo that changes gradually takes a step each quarter.

    Raises:
        NotationError: not a DAWproject, damaged, without notes, or beyond `limits` or PROJECT_LIMITS.
    """
    project = _Project.of(_text_of(data))
    clock = _Clock.of(project, limits)
    arranged = _Arranged(project, clock, limits)
    arranged.gather()
    return arranged.song()


def _text_of(data: bytes) -> bytes:
    with archive_of(data, _PACKED) as archive:
        found = next((info for info in archive.infolist() if info.filename == _NAME), None)
        if found is None:
            raise NotationError(f"the zip file has no {_NAME} in it; wanted a DAWproject as a DAW exports it")
        return member(archive, found, _PACKED)


# --- the XML ----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Element:
    """An element; notes: the rows (time, duration, channel, pitch, velocity) of one that holds notes."""

    tag: str
    attributes: dict[str, str]
    children: list[_Element] = field(default_factory=list)
    notes: list[tuple[float, float, float, float, float]] = field(default_factory=list)

    def find(self, tag: str) -> _Element:
        """The first child of a tag; without one, an empty element."""
        return next((child for child in self.children if child.tag == tag), _Element(tag, {}))

    def number(self, name: str, default: float | None = None) -> float:
        """A number among the attributes.

        Raises:
            NotationError: it is missing without a default, no number, or too large.
        """
        text = self.attributes.get(name)
        if text is None and default is not None:
            return default
        try:
            value = float(text or "")
        except ValueError:
            value = math.nan
        if not abs(value) <= _MOST_TIME:
            raise NotationError(
                f"the {name} of a {self.tag} is {(text or '')[:20]!r}; wanted a number up to {_MOST_TIME:,.0f}"
            )
        return value

    def named(self) -> str:
        """The name, in one line."""
        return " ".join(self.attributes.get("name", "")[:_LONGEST_NAME].split())


class _Project(NamedTuple):
    """A project's elements: the root, and those with an id."""

    root: _Element
    by_id: dict[str, _Element]

    @staticmethod
    def of(text: bytes) -> _Project:
        """The elements of a project's text.

        Raises:
            NotationError: not XML, another kind of it, or beyond PROJECT_LIMITS.
        """
        builder, parser = _Builder(), expat.ParserCreate()
        parser.StartDoctypeDeclHandler = builder.doctype
        parser.StartElementHandler = builder.start
        parser.EndElementHandler = builder.end
        try:
            parser.Parse(text, True)
        except (expat.ExpatError, ValueError, LookupError) as error:
            raise NotationError(f"the project is damaged ({str(error)[:80]}); save it again in the DAW") from error
        return _Project(builder.root, builder.by_id)


class _Builder:
    """Builds the elements that are read, as the parser comes upon them."""

    def __init__(self) -> None:
        self.root = _Element("", {})
        self.by_id: dict[str, _Element] = {}
        self._path = [self.root]
        self._count = self._kept = 0  # elements, and those that are kept
        self._skipped = 0  # the depth in one that is not read

    def doctype(self, *_: object) -> None:
        raise NotationError("the project declares its own XML entities or types, which no project needs")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > PROJECT_LIMITS.elements or len(self._path) + self._skipped > PROJECT_LIMITS.depth:
            raise _too_many()
        above = self._path[-1]
        if self._skipped or above.tag == "Note" or (tag not in _READ and len(self._path) > 1):
            self._skipped += 1
            return
        element = _Element(tag, attributes)
        if len(self._path) == 1:
            if tag != "Project":
                raise NotationError(f"the project's root is <{tag[:40]}>; wanted <Project>")
            self.root = element
        elif tag == "Note":
            above.notes.append(_row(element))
        elif tag == "Target" and above.tag == "Points" and not _is_pedal(attributes):
            self._path.pop()
            self._skipped = 2  # the rest of the points
            return
        else:
            above.children.append(element)
        self._kept += tag != "Note"
        if self._kept > PROJECT_LIMITS.items:
            raise _too_many()
        if name := attributes.get("id"):
            self.by_id[name] = element
        self._path.append(element)

    def end(self, tag: str) -> None:
        if self._skipped:
            self._skipped -= 1
        else:
            self._path.pop()


def _too_many() -> NotationError:
    limits = PROJECT_LIMITS
    return NotationError(
        f"the project has more than {limits.elements:,} XML elements, {limits.items:,} tracks, clips and points or"
        f" {limits.depth} elements in one another; save a copy with the guitar's track alone"
    )


def _row(note: _Element) -> tuple[float, float, float, float, float]:
    """The time, duration, channel, pitch and velocity of a note."""
    number = note.number
    return number("time"), number("duration"), number("channel", 0), number("key"), number("vel", _SOFT_VELOCITY)


def _is_pedal(target: dict[str, str]) -> bool:
    return target.get("expression") == "channelController" and target.get("controller") == str(PEDAL)


# --- time -------------------------------------------------------------------------------------------------------------


class _Clock:
    """The tempo map: quarters to seconds and back. starts: the quarter of each tempo; bpm: quarters a minute."""

    def __init__(self, changes: Sequence[tuple[float, float]]) -> None:
        self.changes = changes
        self._quarters = [quarter for quarter, _ in changes]
        self._seconds = [0.0]
        for (begun, bpm), (ended, _) in pairwise(changes):
            self._seconds.append(self._seconds[-1] + (ended - begun) * _MINUTE / bpm)

    @staticmethod
    def of(project: _Project, limits: Limits) -> _Clock:
        """The tempos of a project: those of its automation, else that of its transport.

        Raises:
            NotationError: too many of them, or one that is too slow or too fast.
        """
        first = project.root.find("Transport").find("Tempo").number("value", 120.0)
        automation = project.root.find("Arrangement").find("TempoAutomation")
        points = [point for point in automation.children if point.tag == "RealPoint"]
        if automation.attributes.get("unit", "bpm") != "bpm":
            points = []
        by_time = sorted(
            ((point.number("time"), point.number("value"), point) for point in points), key=lambda at: at[0]
        )
        for bpm in (first, *(value for _, value, _ in by_time)):
            if not limits.slowest <= bpm <= limits.fastest:
                raise NotationError(
                    f"a tempo is {bpm:g} quarters a minute; wanted {limits.slowest:g} to {limits.fastest:g}"
                )
        in_seconds = automation.attributes.get("timeUnit") == "seconds"
        changes, quarter, before, last = {0.0: first}, 0.0, 0.0, first
        gradual = False
        for time, bpm, point in by_time:
            span = max(time, 0.0) - before
            reached = quarter + (span * (last + bpm if gradual else 2 * last) / 2 / _MINUTE if in_seconds else span)
            if gradual and bpm != last:
                _check_count(len(changes) + reached - quarter, limits)
                for step in range(1, math.ceil(reached - quarter)):
                    changes[quarter + step] = last + (bpm - last) * step / (reached - quarter)
            changes[reached] = bpm
            quarter, before, last = reached, max(time, 0.0), bpm
            gradual = point.attributes.get("interpolation") == "linear"
            _check_count(len(changes), limits)
        return _Clock([*changes.items()])

    def seconds(self, quarter: float) -> float:
        """The time of a quarter."""
        at = max(bisect_right(self._quarters, quarter) - 1, 0)
        return self._seconds[at] + (quarter - self._quarters[at]) * _MINUTE / self.changes[at][1]

    def quarters(self, seconds: float) -> float:
        """The quarter at a time."""
        at = max(bisect_right(self._seconds, seconds) - 1, 0)
        return self._quarters[at] + (seconds - self._seconds[at]) * self.changes[at][1] / _MINUTE


def _check_count(count: float, limits: Limits) -> None:
    if count > limits.tempos:
        raise NotationError(f"the project has more than {limits.tempos:,} changes of tempo; wanted at most that")


def _ticks_per_quarter(times: FloatArray) -> int:
    """The coarsest clock from 480 ticks a quarter on that some times in quarters fall on; 960 if there is none.

    Exactly, or else up to the sixth decimal, the last that some DAWs write.
    """
    places = np.unique(np.round(times % 1.0, 9))
    few = places[:: len(places) // _MOST_PLACES + 1]
    for tolerance in (1e-9, 6e-7):
        clocks = np.arange(480, MOST_TICKS_PER_QUARTER + 1, dtype=np.float64)
        for place in few:
            clocks = clocks[_fits(place, clocks, tolerance)]
        for clock in clocks[:_MOST_CLOCKS].tolist():
            if _fits(places, clock, tolerance).all():
                return int(clock)
    return 960


def _fits(places: FloatArray, clocks: FloatArray | float, tolerance: float) -> NDArray[np.bool_]:
    """Return whether places in quarters fall on ticks of clocks: of one clock each, or each of one."""
    ticks = places * clocks
    fits: NDArray[np.bool_] = np.abs(ticks - np.rint(ticks)) <= clocks * tolerance
    return fits


# --- the arrangement --------------------------------------------------------------------------------------------------


class _Place(NamedTuple):
    """A timeline's place in the song.

    track: the id of its track. base: what its zero is, in quarters of the song or, in_seconds, in seconds. start, stop:
    the quarters of the song in which it is heard.
    """

    track: str
    base: float
    in_seconds: bool
    start: float
    stop: float

    def quarter(self, time: float, clock: _Clock) -> float:
        """The quarter of the song at a time of the timeline."""
        return clock.quarters(self.base + time) if self.in_seconds else self.base + time

    def time(self, quarter: float, clock: _Clock) -> float:
        """The time of the timeline at a quarter of the song."""
        return (clock.seconds(quarter) if self.in_seconds else quarter) - self.base

    def counted(self, unit: str | None, clock: _Clock) -> _Place:
        """The same place, counted in a unit; None keeps its own."""
        if unit is None or (unit == "seconds") == self.in_seconds:
            return self
        base = clock.quarters(self.base) if self.in_seconds else clock.seconds(self.base)
        return self._replace(base=base, in_seconds=not self.in_seconds)


class _Arranged:
    """Gathers the notes of an arrangement, track by track.

    Times are quarters of the song: of notes in arrays (n, 5) as the rows of `_Element.notes`, of pedals in arrays
    (n, 2) with values from 0 to 1.
    """

    def __init__(self, project: _Project, clock: _Clock, limits: Limits) -> None:
        self._project, self._clock, self._limits = project, clock, limits
        self._arrangement = project.root.find("Arrangement")
        self._notes: dict[str, list[FloatArray]] = {}
        self._pedal: dict[str, list[FloatArray]] = {}
        self._arrays: dict[int, FloatArray] = {}  # the notes of a timeline, by its identity
        self._end = 0.0
        self._visits = self._count = self._seen = 0

    def gather(self) -> None:
        """Go through all timelines.

        Raises:
            NotationError: beyond the limits.
        """
        in_seconds = self._arrangement.find("Lanes").attributes.get("timeUnit") == "seconds"
        self._timeline(self._arrangement.find("Lanes"), _Place("", 0.0, in_seconds, 0.0, math.inf), 0)

    def _timeline(self, timeline: _Element, place: _Place, depth: int) -> None:
        self._visits += 1
        if depth > PROJECT_LIMITS.depth:
            raise NotationError("a clip of the project contains itself; save it again in the DAW")
        if self._visits > PROJECT_LIMITS.clips:
            raise NotationError(
                f"the project has more than {PROJECT_LIMITS.clips:,} clips with their loops played out; save a copy"
                " with the guitar's track alone"
            )
        track = timeline.attributes.get("track", place.track)
        place = place._replace(track=track).counted(timeline.attributes.get("timeUnit"), self._clock)
        if timeline.tag == "Notes":
            self._add_notes(timeline, place)
        elif timeline.tag == "Points":
            self._add_pedal(timeline, place)
        elif timeline.tag == "Lanes":
            for child in timeline.children:
                self._timeline(child, place, depth + 1)
        elif timeline.tag == "Clips":
            for clip in timeline.children:
                if clip.tag == "Clip" and clip.attributes.get("enable") not in ("false", "0"):
                    self._clip(clip, place, depth + 1)

    def _clip(self, clip: _Element, place: _Place, depth: int) -> None:
        """Go through what a clip plays, in as many passes as it is looped."""
        # 1. The content, and where the clip lies.
        content = clip.children[:1] or [self._project.by_id.get(clip.attributes.get("reference", ""), clip)]
        if content[0].tag not in ("Notes", "Lanes", "Clips", "Points"):
            return
        clock, time = self._clock, clip.number("time")
        start = place.quarter(time, clock)
        own = place._replace(base=place.base + time).counted(clip.attributes.get("contentTimeUnit"), clock)
        play, loop = clip.number("playStart", 0.0), clip.number("loopStart", 0.0)
        loop_end = clip.number("loopEnd", -1.0)
        if "duration" in clip.attributes:
            stop = place.quarter(time + clip.number("duration"), clock)
        elif "playStop" in clip.attributes:
            stop = own.quarter(clip.number("playStop") - play, clock)
        else:
            stop = math.inf
        # 2. One pass, or passes from the start to the loop's end, and then over the loop.
        loops = loop_end > max(loop, play) and stop < math.inf
        if not loops and "playStop" in clip.attributes:
            stop = min(stop, own.quarter(clip.number("playStop") - play, clock))
        heard = max(start, place.start), min(stop, place.stop)
        number = 0
        if loops:  # passes that are over before anything is heard
            gone = own.time(heard[0], clock) - (loop_end - play)
            number = max(0, math.floor(gone / (loop_end - loop)))
        while heard[0] < heard[1]:
            at, first = (loop_end - play + (number - 1) * (loop_end - loop), loop) if number else (0.0, play)
            begun = own.quarter(at, clock)  # of the pass: where it begins in the clip; first: in the content
            ended = own.quarter(at + loop_end - first, clock) if loops else math.inf
            window = max(heard[0], begun), min(heard[1], ended)
            if window[0] < window[1]:
                inner = own._replace(base=own.base + at - first, start=window[0], stop=window[1])
                self._timeline(content[0], inner, depth)
            if not loops or ended >= heard[1] or ended <= begun:
                return
            number += 1

    def _add_notes(self, timeline: _Element, place: _Place) -> None:
        if not timeline.notes:
            return
        self._seen += len(timeline.notes)
        rows = self._arrays.setdefault(id(timeline), np.array(timeline.notes)).copy()
        ends = self._quarters(rows[:, 0] + np.maximum(rows[:, 1], 0.0), place)
        rows[:, 0] = self._quarters(rows[:, 0], place)
        heard = (rows[:, 0] >= place.start - 1e-9) & (rows[:, 0] < place.stop)
        rows[:, 1] = np.minimum(ends, place.stop) - rows[:, 0]
        rows = rows[heard]
        self._count += len(rows)
        if self._count > PROJECT_LIMITS.notes or self._seen > _MOST_SEEN * PROJECT_LIMITS.notes:
            raise NotationError(
                f"the project has more than {PROJECT_LIMITS.notes:,} notes with its loops; wanted at most that"
            )
        if len(rows):
            self._notes.setdefault(place.track, []).append(rows)
            self._end = max(self._end, place.stop if place.stop < math.inf else 0.0)

    def _add_pedal(self, timeline: _Element, place: _Place) -> None:
        points = [point for point in timeline.children if point.tag in ("RealPoint", "IntegerPoint")]
        if not points:
            return
        scale = 1.0 if points[0].tag == "RealPoint" else 1 / 127
        rows = np.array([(point.number("time"), scale * point.number("value")) for point in points])
        rows[:, 0] = self._quarters(rows[:, 0], place)
        rows = rows[(rows[:, 0] >= place.start - 1e-9) & (rows[:, 0] <= place.stop)]
        self._pedal.setdefault(place.track, []).append(rows)

    def _quarters(self, times: FloatArray, place: _Place) -> FloatArray:
        if not place.in_seconds:
            return times + place.base
        return np.array([place.quarter(time, self._clock) for time in times.tolist()])

    # --- the song ---

    def song(self) -> Song:
        """The song of all that was gathered.

        Raises:
            NotationError: no notes, or beyond the limits.
        """
        # 1. Everything that has a time.
        if len(self._notes) > self._limits.tracks:
            raise NotationError(
                f"the project has {len(self._notes):,} tracks with notes; at most {self._limits.tracks} are read"
            )
        if not self._notes:
            raise NotationError(
                "the project has no notes in its arrangement; drag the guitar's clips from the launcher into the"
                " arrangement, or export MIDI if it is a recording"
            )
        rows = np.concatenate([part for parts in self._notes.values() for part in parts])
        end = max(self._end, float((rows[:, 0] + rows[:, 1]).max()))
        if end > self._limits.quarters or self._clock.seconds(end) > self._limits.seconds:
            raise NotationError(
                f"the project lasts {end:,.0f} quarters; at most {self._limits.quarters:,} and"
                f" {self._limits.seconds:,.0f} seconds are read"
            )
        metres, markers = self._metres(end), self._markers(end)
        tempos = [(quarter, bpm) for quarter, bpm in self._clock.changes if quarter <= end]
        # 2. The clock.
        places = [0.0, end, *(at for at, _ in tempos), *(at for at, _, _ in metres), *(at for at, _ in markers)]
        ticks = _ticks_per_quarter(np.concatenate([rows[:, 0], rows[:, 1], places]))
        # 3. The parts.
        parts, remarks = list[Part](), list[str]()
        left_out = 0
        for track in self._tracks():
            own, lost = self._parts(track, ticks)
            parts, left_out = [*parts, *own], left_out + lost
        if left_out:
            remarks.append(f"{left_out:,} notes beyond MIDI's range were left out")
        return Song(
            ticks,
            tuple(parts),
            tuple(Tempo(round(at * ticks), round(_MICROSECONDS / bpm)) for at, bpm in tempos),
            tuple(Metre(round(at * ticks), *signature) for at, *signature in metres),
            round(end * ticks),
            tuple(Marker(round(at * ticks), text) for at, text in markers),
            tuple(remarks),
        )

    def _tracks(self) -> list[_Element]:
        """The tracks with notes, in the project's order; those that it does not list come last."""
        listed = [each for each in _walk(self._project.root.find("Structure")) if each.tag == "Track"]
        known = {each.attributes.get("id", "") for each in listed}
        listed += [_Element("Track", {"id": name}) for name in self._notes if name not in known]
        return [each for each in listed if each.attributes.get("id", "") in self._notes]

    def _parts(self, track: _Element, ticks: int) -> tuple[list[Part], int]:
        """The parts of a track, a channel each, and the number of notes that MIDI cannot hold."""
        name, comment = track.attributes.get("id", ""), track.attributes.get("comment", "")
        rows = np.concatenate(self._notes.pop(name))
        pitch = np.rint(rows[:, 3])
        kept = (pitch >= 0) & (pitch <= 127)
        notes = np.stack(
            [
                np.rint(rows[:, 0] * ticks),
                np.maximum(np.rint(rows[:, 1] * ticks), 0),
                pitch,
                np.clip(np.rint(rows[:, 4] * 127), 1, 127),
            ],
            axis=1,
        )[kept].astype(np.int64)
        channels = np.clip(rows[kept, 2], 0, 15).astype(np.int64)
        found = _PROGRAM.search(comment)
        program = min(max(int(found[1]) - 1, 0), 127) if found else 0
        all_drums = found is None and _is_named_drums(track)
        channels = np.full_like(channels, DRUM_CHANNEL) if all_drums else channels
        parts = []
        for channel in np.unique(channels).tolist():
            is_drums = channel == DRUM_CHANNEL
            own = Part.of(
                notes[channels == channel],
                program=program if is_drums or found else 0,
                name=track.named(),
                is_drums=is_drums,
                is_xg=is_drums and XG in comment,
            )
            parts.append(replace(own, pedal=self._positions(name, ticks)) if is_drums else own)
        return parts, int(np.count_nonzero(~kept))

    def _positions(self, track: str, ticks: int) -> IntArray:
        """The positions of a track's pedal."""
        rows = [
            np.rint(rows * [ticks, 127]).astype(np.int64).clip(0, [2**40, 127]) for rows in self._pedal.get(track, ())
        ]
        return in_order(rows) if rows else NO_PEDAL

    def _metres(self, end: float) -> list[tuple[float, int, int]]:
        """The metres: the quarter, the numerator and the denominator of each."""
        automation, limits = self._arrangement.find("TimeSignatureAutomation"), self._limits
        points = [point for point in automation.children if point.tag == "TimeSignaturePoint"]
        if len(points) > limits.metres:
            raise NotationError(f"the project has {len(points):,} changes of metre; at most {limits.metres:,} are read")
        first = self._project.root.find("Transport").find("TimeSignature")
        metres = {0.0: (first.number("numerator", 4), first.number("denominator", 4))}
        for point in sorted(points, key=lambda point: point.number("time")):
            at = max(self._at(point, automation), 0.0)
            metres[at] = point.number("numerator"), point.number("denominator")
        for numerator, denominator in metres.values():
            most = limits.numerator, limits.denominator
            if not (
                numerator in range(1, most[0] + 1) and denominator in (1, 2, 4, 8, 16, 32, 64)[: most[1].bit_length()]
            ):
                raise NotationError(
                    f"a metre is {numerator:g}/{denominator:g}; wanted up to {most[0]} over 1, 2, 4 to {most[1]}"
                )
        return [(at, int(above), int(below)) for at, (above, below) in metres.items() if at <= end]

    def _markers(self, end: float) -> list[tuple[float, str]]:
        given = self._arrangement.find("Markers")
        markers = [(max(self._at(each, given), 0.0), each.named()) for each in given.children if each.tag == "Marker"]
        named = sorted((at, text) for at, text in markers if text and at <= end)
        return named[: PROJECT_LIMITS.markers]

    def _at(self, point: _Element, timeline: _Element) -> float:
        """The quarter of a point."""
        time = point.number("time")
        return self._clock.quarters(time) if timeline.attributes.get("timeUnit") == "seconds" else time


def _walk(element: _Element) -> Iterator[_Element]:
    """All elements inside one, in order."""
    for child in element.children:
        yield child
        yield from _walk(child)


def _is_named_drums(track: _Element) -> bool:
    """Return whether a track, or an instrument on it, is named as drums and not as a guitar or a bass."""
    devices = [each.attributes.get("deviceName", "") for each in _walk(track.find("Channel"))]
    named = Part.of([], name=track.named())
    words = {word for text in (named.name, *devices) for word in theory.words(text[:_LONGEST_NAME])}
    return not _DRUM_WORDS.isdisjoint(words) and not theory.is_named_guitar(named)
