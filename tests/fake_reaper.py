"""A REAPER without windows and sound: as much of its project and its script functions as client/reaper uses.

Functions are named, and take and give what they do, as REAPER's documentation has it; anything else a script calls is
an error, as it would be in a REAPER without extensions. So is a name of information that it does not document, or that
it lets a script read but not write (https://www.reaper.fm/sdk/reascript/reascripthelp.html, REAPER 7). The model is
strict where a script could go wrong unseen: what changes the project outside an undo block, waits for a program, or
gives a note a place between two ticks is noted down in `faults`.

Fixed item lanes behave as others have measured in REAPER 7.80 (narration-utils on GitHub, docs/research/
reaper-spike-s7-fixed-lanes.md): a new item comes on lane 0, an item on a higher lane makes more lanes, all lanes play
until one plays alone, and a project in which lanes were turned on and not counted has one lane more when it is opened
again. The same notes and ReaClaw's say that a take made by AddTakeToMediaItem accepts no notes.

Time is seconds, quarters that are counted through (`_abs`), and REAPER's other quarters, in which a bar that is cut
short counts in full. In what unit the start offset of a MIDI take is kept is not documented: `offset_unit` chooses.
"""

from __future__ import annotations

import base64
import contextlib
import math
import re
import shlex
import subprocess
import time
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import count, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import lupa.lua54
import rpp

from tests.conftest import ROOT

SCRIPT = ROOT / "client" / "reaper" / "seq2drum.lua"
TICKS = 960
_SHARED = r"[A-Z]|defer$|atexit$|genGuid$|time_precise$|file_exists$"  # what a script sees of a Reaper


class Marker(NamedTuple):
    """A tempo marker at a quarter; metre: (numerator, denominator) if it sets one; ramp: gradual to the next one."""

    quarter: float
    bpm: float
    metre: tuple[int, int] | None = None
    ramp: bool = False


class Measure(NamedTuple):
    """A bar in quarters that are counted through; full: its length if it were not cut short."""

    first: float
    last: float
    numerator: int
    denominator: int
    full: float


class Clock:
    """The tempo and metre map, worked out by integration, and not as the script works it out."""

    def __init__(self, markers: list[Marker]) -> None:
        self.markers = markers
        self._known: list[Measure] = []
        self._coming = self.measures()
        self.times = [0.0]
        for before, after in pairwise(markers):
            mean = (before.bpm + after.bpm) / 2 if before.ramp else before.bpm
            self.times.append(self.times[-1] + (after.quarter - before.quarter) * 60 / mean)

    def _gain(self, index: int) -> float:
        """How much faster it gets a second, in BPM."""
        if not self.markers[index].ramp or index + 1 == len(self.markers):
            return 0.0
        return (self.markers[index + 1].bpm - self.markers[index].bpm) / (self.times[index + 1] - self.times[index])

    def quarter(self, seconds: float) -> float:
        index = max(bisect_right(self.times, seconds) - 1, 0)
        marker, gone = self.markers[index], seconds - self.times[index]
        return marker.quarter + (marker.bpm * gone + self._gain(index) * gone * gone / 2) / 60

    def seconds(self, quarter: float) -> float:
        index = max(bisect_right([marker.quarter for marker in self.markers], quarter) - 1, 0)
        marker, gain, ahead = self.markers[index], self._gain(index), (quarter - self.markers[index].quarter) * 60
        if not gain:
            return self.times[index] + ahead / marker.bpm
        # The root is taken so that nothing cancels: a quarter may lie just behind the marker.
        return self.times[index] + 2 * ahead / (marker.bpm + math.sqrt(marker.bpm**2 + 2 * gain * ahead))

    def measures(self) -> Iterator[Measure]:
        """All bars, without end."""
        changes = [marker for marker in self.markers if marker.metre]
        for change, following in zip(changes, [*changes[1:], None], strict=True):
            numerator, denominator = change.metre or (4, 4)
            full, here = 4 * numerator / denominator, change.quarter
            while following is None or here < following.quarter - 1e-9:
                last = here + full if following is None else min(here + full, following.quarter)
                yield Measure(here, last, numerator, denominator, full)
                here = last

    def measure(self, number: int) -> Measure:
        while len(self._known) <= number:
            self._known.append(next(self._coming))
        return self._known[number]

    def number(self, quarter: float) -> int:
        return next(number for number in count() if quarter < self.measure(number).last)

    def counted(self, quarter: float) -> float:
        """REAPER's other quarters: each bar before counts in full."""
        total = 0.0
        for bar in self.measures():
            if quarter < bar.last:
                return total + quarter - bar.first
            total += bar.full
        raise AssertionError

    def uncounted(self, counted: float) -> float:
        for bar in self.measures():
            if counted < bar.full:
                return bar.first + counted
            counted -= bar.full
        raise AssertionError


@dataclass(eq=False)
class Take:
    """A MIDI take. notes: {ppq, end ppq, channel, pitch, velocity, muted} as lists; length: of the source, quarters.

    texts: {ppq, text} of its text events.
    """

    item: Item
    notes: list[list[Any]] = field(default_factory=list)
    length: float = 0.0
    ticks: int = TICKS
    midi: bool = True
    name: str = ""
    offset: float = 0.0
    rate: float = 1.0
    guid: str = field(default_factory=lambda: f"{{{uuid.uuid4()}}}")
    is_sorted: bool = True
    texts: list[tuple[int, str]] = field(default_factory=list)


@dataclass(eq=False)
class Item:
    track: Track
    position: float
    length: float
    takes: list[Take] = field(default_factory=list)
    active: int = 0
    loops: bool = True
    muted: bool = False
    selected: bool = False
    lane: int = 0
    ext: dict[str, str] = field(default_factory=dict)
    guid: str = field(default_factory=lambda: f"{{{uuid.uuid4()}}}")

    @property
    def end(self) -> float:
        return self.position + self.length

    @property
    def take(self) -> Take:
        return self.takes[self.active]


@dataclass(eq=False)
class Track:
    name: str = ""
    items: list[Item] = field(default_factory=list)
    depth: int = 0
    selected: bool = False
    ext: dict[str, str] = field(default_factory=dict)
    lanes: int = 0
    """Fixed item lanes; 0: the track has none."""
    playing: set[int] = field(default_factory=set)
    counted: bool = True
    drawn: bool = True
    note_names: dict[tuple[int, int], str] = field(default_factory=dict)
    guid: str = field(default_factory=lambda: f"{{{uuid.uuid4()}}}")


class Quit(Exception):
    """The test's time is up."""


class Reaper:
    """A project, and the table `reaper` of its scripts. Names of table functions begin with a capital, as REAPER's."""

    def __init__(
        self,
        markers: list[Marker] | None = None,
        *,
        offset_unit: str = "tempo",
        first_measure: int = 0,
        speed: float = 1.0,
        has_lanes: bool = True,
    ) -> None:
        self.clock = Clock(markers or [Marker(0, 120, (4, 4))])
        self.offset_unit, self.first_measure, self.speed = offset_unit, first_measure, speed
        self.has_lanes = has_lanes
        """Whether it is REAPER 7."""
        self.tracks: list[Track] = []
        self.marks: list[tuple[bool, float, float, str]] = []
        """Regions and markers: whether it is a region, its first and last quarter, its name."""
        self.time_selection = (0.0, 0.0)
        self.cursor = 3.25
        self.state: dict[tuple[str, str], str] = {}
        self.kept: set[tuple[str, str]] = set()
        self.faults: list[str] = []
        self.boxes: list[str] = []
        self.dialogs: list[tuple[list[str], list[str]]] = []
        self.answers: list[list[str] | None] = []
        self.shown_file: str | None = None
        self.commands: list[list[str]] = []
        self.processes: list[subprocess.Popen[bytes]] = []
        self.windows = False
        self.undo: list[str] = []
        self.undo_depth = self.refresh_depth = 0
        self.queue: list[Any] = []
        self.calls: list[int] = []  # of each defer tick
        self.writes = 0
        self.at_exit: list[Any] = []
        self.keys: Callable[[], int] = lambda: 0
        self.drawn: list[str] = []
        self.window_open = False
        self.gone: set[int] = set()
        self.chunks_fail = False
        self._ids = 0

    # --- a project to begin with

    def add_track(self, name: str, *, depth: int = 0) -> Track:
        self.tracks.append(Track(name, depth=depth))
        return self.tracks[-1]

    def add_item(
        self,
        track: Track,
        first: float,
        last: float,
        notes: list[tuple[float, float, int, int]],
        *,
        rate: float = 1.0,
        offset: float = 0.0,
        source: float | None = None,
        loops: bool = True,
        ticks: int = TICKS,
        selected: bool = True,
    ) -> Item:
        """A MIDI item from quarter to quarter.

        notes: onset and length in quarters of the source, pitch, velocity. offset: quarters of the source before the
        item's start. source: the source's length in quarters.
        """
        position = self.clock.seconds(first)
        item = Item(track, position, self.clock.seconds(last) - position, loops=loops, selected=selected)
        rows = [
            [round(at * ticks), round((at + length) * ticks), 0, pitch, velocity, False]
            for at, length, pitch, velocity in notes
        ]
        take = Take(item, rows, (last - first) * rate if source is None else source, ticks, rate=rate)
        item.takes.append(take)
        take.offset = offset / self._source_quarters(take, 1.0)
        if self.offset_unit == "project":
            take.offset = position - self.clock.seconds(self.clock.quarter(position) - offset)
        track.items.append(item)
        return item

    def _source_quarters(self, take: Take, offset: float) -> float:
        """The quarters of a source that a start offset of so many seconds skips."""
        if self.offset_unit == "project":
            here = take.item.position
            return self.clock.quarter(here) - self.clock.quarter(here - offset) if offset else 0.0
        if self.offset_unit == "fixed":
            return offset * 120 / 60
        here = take.item.position
        return offset * (self.clock.quarter(here + 1e-3) - self.clock.quarter(here)) / 1e-3

    def _quarter_of(self, take: Take, ppq: float) -> float:
        begin = self.clock.quarter(take.item.position)
        return begin + (ppq / take.ticks - self._source_quarters(take, take.offset)) / take.rate

    def _ppq_of(self, take: Take, quarter: float) -> float:
        begin = self.clock.quarter(take.item.position)
        return ((quarter - begin) * take.rate + self._source_quarters(take, take.offset)) * take.ticks

    def texts(self, take: Take) -> list[tuple[float, str]]:
        """The text events of a take, each with its quarter in the project."""
        return [(self._quarter_of(take, ppq), text) for ppq, text in take.texts]

    def quarters(self, take: Take) -> list[tuple[float, float, int, int]]:
        """A take's notes as the project has them: first and last quarter, pitch, velocity."""
        return [
            (self._quarter_of(take, note[0]), self._quarter_of(take, note[1]), note[3], note[4]) for note in take.notes
        ]

    # --- scripts

    def run(self, *, seconds: float = 60.0, until: Callable[[], bool] = lambda: False) -> None:
        """Run the script as an action: the file, then what it defers, until it defers nothing."""
        runtime = self.runtime()
        stop = time.monotonic() + seconds
        runtime.execute(f"dofile({_lua_string(str(SCRIPT))})")
        while self.queue and not until():
            if time.monotonic() > stop:
                raise Quit(f"the script still runs after {seconds} seconds; boxes: {self.boxes}")
            waiting, self.queue = self.queue, []
            for call in waiting:
                before = self.calls_now
                call()
                self.calls.append(self.calls_now - before)
            time.sleep(0.01)
        if self.queue:  # the user ends the script
            self.queue = []
        for call in self.at_exit:
            call()
        self.at_exit = []
        assert (self.undo_depth, self.refresh_depth, self.window_open) == (0, 0, False)

    def runtime(self) -> Any:
        """A Lua with the tables `reaper` and `gfx`, in which programs cannot be waited for."""
        runtime: Any = lupa.lua54.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
        self.calls_now = 0

        def look_up(_: object, name: str) -> Any:
            function = getattr(self, name, None) if re.match(_SHARED, name) else None
            if function is None:
                raise AttributeError(f"a stock REAPER has no function {name}")

            def call(*arguments: Any) -> Any:
                self.calls_now += 1
                return function(*arguments)

            return call

        make = runtime.eval(
            """function(look_up, window)
                 os.execute, io.popen, os.exit = nil, nil, nil
                 reaper = setmetatable({}, {__index = function(_, name)
                   local call = look_up(nil, name)
                   return function(...) return call(...) end
                 end})
                 gfx = {w = 0, h = 0}
                 function gfx.init(name, w, h) gfx.w, gfx.h = w, h; window("init", name) end
                 function gfx.quit() window("quit", "") end
                 function gfx.getchar() return window("getchar", "") end
                 function gfx.set(r, g, b) end
                 function gfx.rect(x, y, w, h) assert(w >= 0 and h >= 0) end
                 function gfx.drawstr(text) window("draw", text) end
                 function gfx.update() end
               end"""
        )
        make(look_up, self._window)
        return runtime

    def library(self) -> Any:
        """The script's own functions, without running it."""
        runtime = self.runtime()
        runtime.execute("SEQ2DRUM_AS_LIBRARY = true")
        return runtime, runtime.eval(f"dofile({_lua_string(str(SCRIPT))})")

    def _window(self, what: str, text: str) -> int | None:
        if what == "getchar":
            return self.keys() if self.window_open else -1
        if what == "draw":
            self.drawn.append(text)
        else:
            self.window_open = what == "init"
        return None

    def close(self) -> None:
        """End what was started."""
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()

    def _changes(self, what: str) -> None:
        self.writes += 1
        if self.undo_depth != 1:
            self.faults.append(f"{what} outside an undo block")

    # --- what scripts may call: state, dialogs, processes

    def GetExtState(self, section: str, key: str) -> str:
        return self.state.get((section, key), "")

    def HasExtState(self, section: str, key: str) -> bool:
        return (section, key) in self.state

    def SetExtState(self, section: str, key: str, value: str, persist: bool) -> None:
        self.state[section, key] = value
        if persist:
            self.kept.add((section, key))

    def DeleteExtState(self, section: str, key: str, persist: bool) -> None:
        self.state.pop((section, key), None)
        if persist:
            self.kept.discard((section, key))

    def ShowMessageBox(self, message: str, title: str, kind: int) -> int:
        self._modal()
        assert (title, kind) == ("seq2drum", 0)
        self.boxes.append(message)
        return 1

    def _modal(self) -> None:
        if self.undo_depth or self.refresh_depth:
            self.faults.append("a dialog while the display stands still")

    def GetUserInputs(self, title: str, count: int, captions: str, values: str) -> tuple[bool, str]:
        self._modal()
        *names, width, separator = captions.split(",")
        assert (len(names), separator) == (count, "separator=\n")
        assert width.startswith("extrawidth=")
        assert count <= 16
        given = values.split("\n")
        self.dialogs.append((names, given))
        answer = self.answers.pop(0) if self.answers else given
        return (False, values) if answer is None else (True, "\n".join(answer))

    def GetUserFileNameForRead(self, name: str, title: str, extension: str) -> tuple[bool, str]:
        self._modal()
        return (False, name) if self.shown_file is None else (True, self.shown_file)

    def ExecProcess(self, command: str, timeout: int) -> str | None:
        if timeout != -2:
            self.faults.append(f"REAPER waits for {command}")
        words = shlex.split(command)
        self.commands.append(words)
        try:
            process = subprocess.Popen(
                words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
        except OSError:
            return None
        self.processes.append(process)
        return "0"

    def GetOS(self) -> str:
        return "Win64" if self.windows else "Other"

    def file_exists(self, path: str) -> bool:
        return Path(path).is_file()

    def RecursiveCreateDirectory(self, path: str, _: int) -> int:
        Path(path).mkdir(parents=True)
        return 1

    def EnumerateFiles(self, path: str, index: int) -> str | None:
        with contextlib.suppress(OSError):
            names = sorted(entry.name for entry in Path(path).iterdir() if entry.is_file())
            if 0 <= index < len(names):
                return names[index]
        return None

    def genGuid(self, _: str) -> str:
        return f"{{{str(uuid.uuid4()).upper()}}}"

    def time_precise(self) -> float:
        return time.monotonic() * self.speed

    def defer(self, call: Any) -> None:
        self.queue.append(call)

    def atexit(self, call: Any) -> None:
        self.at_exit.append(call)

    def EnumProjects(self, index: int) -> tuple[Any, str]:
        assert index == -1
        return self, ""

    def ValidatePtr(self, pointer: Any, kind: str) -> bool:
        return kind == "ReaProject*" and pointer is self and id(self) not in self.gone

    def ValidatePtr2(self, proj: Any, pointer: Any, kind: str) -> bool:
        return proj is self and kind == "MediaTrack*" and pointer in self.tracks

    # --- time

    def TimeMap_timeToQN_abs(self, proj: Any, seconds: float) -> float:
        return self.clock.quarter(seconds)

    def TimeMap_QNToTime_abs(self, proj: Any, quarter: float) -> float:
        return self.clock.seconds(quarter)

    def TimeMap2_timeToQN(self, proj: Any, seconds: float) -> float:
        return self.clock.counted(self.clock.quarter(seconds))

    def TimeMap2_QNToTime(self, proj: Any, counted: float) -> float:
        return self.clock.seconds(self.clock.uncounted(counted))

    def TimeMap2_timeToBeats(self, proj: Any, seconds: float) -> tuple[float, int, int, float, int]:
        quarter = self.clock.quarter(seconds)
        number = self.clock.number(quarter)
        bar = self.clock.measure(number)
        beats = (quarter - bar.first) * bar.denominator / 4
        return (
            beats,
            number + self.first_measure,
            bar.numerator,
            self.clock.counted(quarter) * bar.denominator / 4,
            bar.denominator,
        )

    def TimeMap_GetMeasureInfo(self, proj: Any, number: int) -> tuple[float, float, float, int, int, float]:
        bar = self.clock.measure(number)
        begin = self.clock.counted(bar.first)
        tempo = self.clock.markers[0].bpm
        return self.clock.seconds(bar.first), begin, begin + bar.full, bar.numerator, bar.denominator, tempo

    def CountProjectMarkers(self, proj: Any) -> int:
        return len(self.marks)

    def EnumProjectMarkers3(self, proj: Any, index: int) -> tuple[int, bool, float, float, str, int, int]:
        is_region, first, last, name = self.marks[index]
        return index + 1, is_region, self.clock.seconds(first), self.clock.seconds(last), name, index, 0

    def CountTempoTimeSigMarkers(self, proj: Any) -> int:
        return 0 if len(self.clock.markers) == 1 else len(self.clock.markers)

    def GetTempoTimeSigMarker(self, proj: Any, index: int) -> tuple[bool, float, int, float, float, int, int, bool]:
        marker = self.clock.markers[index]
        number = self.clock.number(marker.quarter)
        beat = marker.quarter - self.clock.measure(number).first
        numerator, denominator = marker.metre or (0, 0)
        return True, self.clock.times[index], number, beat, marker.bpm, numerator, denominator, marker.ramp

    # --- tracks

    def CountTracks(self, proj: Any) -> int:
        return len(self.tracks)

    def GetTrack(self, proj: Any, index: int) -> Track | None:
        return self.tracks[index] if 0 <= index < len(self.tracks) else None

    def CountSelectedTracks(self, proj: Any) -> int:
        return sum(track.selected for track in self.tracks)

    def GetSelectedTrack(self, proj: Any, index: int) -> Track | None:
        return dict(enumerate(track for track in self.tracks if track.selected)).get(index)

    def SetTrackSelected(self, track: Track, selected: bool) -> None:
        track.selected = selected

    def GetTrackGUID(self, track: Track) -> str:
        return track.guid

    def GetMediaTrackInfo_Value(self, track: Track, name: str) -> float:
        held = {
            "IP_TRACKNUMBER": self.tracks.index(track) + 1,
            "I_FOLDERDEPTH": track.depth,
            "I_FREEMODE": 2 if track.lanes else 0,
            "I_NUMFIXEDLANES": max(track.lanes, 1),
        }
        return float(held[name])

    def SetMediaTrackInfo_Value(self, track: Track, name: str, value: float) -> bool:
        self._changes(name)
        if name == "I_FREEMODE":
            assert value == 2, "without lanes all takes sound at once"
            if self.has_lanes and not track.lanes:
                track.lanes, track.playing, track.counted, track.drawn = 1, {0}, False, False
            return self.has_lanes
        assert track.lanes, f"{name} of a track without lanes"
        if name == "I_NUMFIXEDLANES":
            assert value >= track.lanes, "items would lose their lane"
            self._grow(track, int(value))
            track.counted = True
            return True
        found = re.fullmatch(r"C_LANEPLAYS:(\d+)", name)
        assert found and value in (0, 1, 2) and int(found[1]) < track.lanes
        lane = int(found[1])
        if value == 1:
            track.playing = {lane}
        else:
            track.playing = track.playing | {lane} if value else track.playing - {lane}
        return True

    def _grow(self, track: Track, lanes: int) -> None:
        if len(track.playing) == track.lanes:
            track.playing |= set(range(lanes))
        track.lanes = lanes

    def UpdateTimeline(self) -> None:
        for track in self.tracks:
            track.drawn = True

    def sounding(self, track: Track, quarter: float) -> list[Take]:
        """The takes that play at a quarter."""
        now = self.clock.seconds(quarter)
        return [
            item.take
            for item in track.items
            if not item.muted and item.position <= now < item.end and (not track.lanes or item.lane in track.playing)
        ]

    def GetSetMediaTrackInfo_String(self, track: Track, name: str, value: str, write: bool) -> tuple[bool, str]:
        if name == "P_NAME":
            if write:
                self._changes(name)
                track.name = value
            return True, track.name
        return self._extra(track.ext, name, value, write)

    def _extra(self, held: dict[str, str], name: str, value: str, write: bool) -> tuple[bool, str]:
        assert name.startswith("P_EXT:")
        if write:
            self._changes(name)
            held[name] = value
        return name in held, held.get(name, "")

    def InsertTrackAtIndex(self, index: int, defaults: bool) -> None:
        self._changes("InsertTrackAtIndex")
        self.tracks.insert(index, Track())
        for track in self.tracks:
            track.selected = False  # a script cannot count on the selection
        self.tracks[index].selected = True

    def SetTrackMIDINoteNameEx(self, proj: Any, track: Track, pitch: int, channel: int, name: str) -> bool:
        self._changes("SetTrackMIDINoteNameEx")
        assert 0 <= pitch < 128
        track.note_names[channel, pitch] = name
        return True

    # --- items and takes

    @property
    def items(self) -> list[Item]:
        return [item for track in self.tracks for item in track.items]

    def CountSelectedMediaItems(self, proj: Any) -> int:
        return sum(item.selected for item in self.items)

    def GetSelectedMediaItem(self, proj: Any, index: int) -> Item:
        return [item for item in self.items if item.selected][index]

    def SelectAllMediaItems(self, proj: Any, selected: bool) -> None:
        for item in self.items:
            item.selected = selected

    def SetMediaItemSelected(self, item: Item, selected: bool) -> None:
        item.selected = selected

    def CountTrackMediaItems(self, track: Track) -> int:
        return len(track.items)

    def GetTrackMediaItem(self, track: Track, index: int) -> Item:
        return track.items[index]

    def GetMediaItemTrack(self, item: Item) -> Track:
        return item.track

    def GetMediaItemInfo_Value(self, item: Item, name: str) -> float:
        lanes, playing = item.track.lanes, item.track.playing
        held = {
            **{"D_POSITION": item.position, "D_LENGTH": item.length, "B_LOOPSRC": item.loops, "B_MUTE": item.muted},
            "I_FIXEDLANE": item.lane,
            "C_LANEPLAYS": (1 if len(playing) == 1 else 2) if not lanes or item.lane in playing else 0,
        }
        return float(held[name])

    def SetMediaItemInfo_Value(self, item: Item, name: str, value: float) -> bool:
        self._changes(name)
        if name == "I_FIXEDLANE":
            assert item.track.lanes and value == int(value) >= 0
            item.lane = int(value)
            self._grow(item.track, max(item.track.lanes, item.lane + 1))
            return True
        attribute = {"D_POSITION": "position", "D_LENGTH": "length", "B_LOOPSRC": "loops", "B_MUTE": "muted"}[name]
        setattr(item, attribute, bool(value) if name.startswith("B_") else value)
        return True

    def GetSetMediaItemInfo_String(self, item: Item, name: str, value: str, write: bool) -> tuple[bool, str]:
        return self._extra(item.ext, name, value, write)

    def DeleteTrackMediaItem(self, track: Track, item: Item) -> bool:
        self._changes("DeleteTrackMediaItem")
        track.items.remove(item)
        return True

    def UpdateItemInProject(self, item: Item) -> None:
        pass

    def CreateNewMIDIItemInProj(self, track: Track, first: float, last: float, quarters: bool) -> Item:
        self._changes("CreateNewMIDIItemInProj")
        assert not quarters
        assert last > first
        item = Item(track, first, last - first, selected=True)  # whoever had selected another must select it again
        item.takes.append(Take(item, length=self.clock.quarter(last) - self.clock.quarter(first)))
        track.items.append(item)
        track.items.sort(key=lambda item: item.position)
        return item

    def CountTakes(self, item: Item) -> int:
        return len(item.takes)

    def GetTake(self, item: Item, index: int) -> Take | None:
        return item.takes[index] if 0 <= index < len(item.takes) else None

    def GetActiveTake(self, item: Item) -> Take | None:
        return item.take if item.takes else None

    def SetActiveTake(self, take: Take) -> None:
        self._changes("SetActiveTake")
        take.item.active = take.item.takes.index(take)

    def TakeIsMIDI(self, take: Take) -> bool:
        return take.midi

    def GetMediaItemTakeInfo_Value(self, take: Take, name: str) -> float:
        return float({"D_STARTOFFS": take.offset, "D_PLAYRATE": take.rate}[name])

    def SetMediaItemTakeInfo_Value(self, take: Take, name: str, value: float) -> bool:
        self._changes(name)
        assert name == "D_STARTOFFS"
        assert math.isfinite(value)
        if self.offset_unit != "stubborn":
            take.offset = value
        return True

    def GetSetMediaItemTakeInfo_String(self, take: Take, name: str, value: str, write: bool) -> tuple[bool, str]:
        assert name == "P_NAME"
        if write:
            self._changes(name)
            take.name = value
        return True, take.name

    def GetMediaItemTake_Source(self, take: Take) -> Take:
        return take

    def GetMediaSourceLength(self, source: Take) -> tuple[float, bool]:
        return source.length, True

    # --- notes

    def MIDI_CountEvts(self, take: Take) -> tuple[bool, int, int, int]:
        return True, len(take.notes), 0, 0

    def MIDI_GetNote(self, take: Take, index: int) -> tuple[bool, bool, bool, float, float, int, int, int]:
        first, last, channel, pitch, velocity, muted = take.notes[index]
        return True, False, muted, float(first), float(last), channel, pitch, velocity

    def MIDI_GetProjTimeFromPPQPos(self, take: Take, ppq: float) -> float:
        return self.clock.seconds(self._quarter_of(take, ppq))

    def MIDI_GetPPQPosFromProjTime(self, take: Take, seconds: float) -> float:
        return self._ppq_of(take, self.clock.quarter(seconds))

    def MIDI_GetProjQNFromPPQPos(self, take: Take, ppq: float) -> float:
        return self.clock.counted(self._quarter_of(take, ppq))

    def MIDI_GetPPQPosFromProjQN(self, take: Take, counted: float) -> float:
        return self._ppq_of(take, self.clock.uncounted(counted))

    def MIDI_InsertNote(
        self,
        take: Take,
        selected: bool,
        muted: bool,
        first: float,
        last: float,
        channel: int,
        pitch: int,
        velocity: int,
        later: bool = False,
    ) -> bool:
        self._changes("MIDI_InsertNote")
        for value in (channel, pitch, velocity):
            assert isinstance(value, int)
        assert 0 <= channel < 16
        assert 0 <= pitch < 128
        assert 1 <= velocity < 128
        if first != int(first) or last != int(last) or not 0 <= first < last:
            self.faults.append(f"a note from tick {first} to {last}")
            return False
        take.notes.append([int(first), int(last), channel, pitch, velocity, muted])
        take.length = max(take.length, last / take.ticks)
        take.is_sorted = not later
        return True

    def MIDI_InsertTextSysexEvt(
        self, take: Take, selected: bool, muted: bool, ppq: float, kind: int, text: str
    ) -> bool:
        self._changes("MIDI_InsertTextSysexEvt")
        assert kind == 1 and text
        if ppq != int(ppq) or ppq < 0:
            self.faults.append(f"a text at tick {ppq}")
            return False
        take.texts.append((int(ppq), text))
        take.is_sorted = False
        return True

    def MIDI_Sort(self, take: Take) -> None:
        take.notes.sort(key=lambda note: (note[0], note[3]))
        take.is_sorted = True

    # --- the text of an item

    def GetItemStateChunk(self, item: Item, empty: str, undo: bool) -> tuple[bool, str]:
        lines = [
            f"<ITEM\nPOSITION {item.position!r}\nSNAPOFFS 0\nLENGTH {item.length!r}\nLOOP {int(item.loops)}",
            f"ALLTAKES 0\nMUTE {int(item.muted)} 0\nSEL {int(item.selected)}\nIGUID {item.guid}\nIID 1",
        ]
        for index, take in enumerate(item.takes):
            if index:
                lines.append("TAKE SEL" if index == item.active else "TAKE")
            lines.append(f'NAME "{take.name}"')
            lines.append("TAKEVOLPAN 0 1 -1" if index else "VOLPAN 1 0 1 -1")
            lines.append(f"SOFFS {take.offset!r} {self._source_quarters(take, take.offset)!r}")
            lines.append(f"PLAYRATE {take.rate!r} 1 0 -1 0 0.0025\nCHANMODE 0\nGUID {take.guid}")
            lines.append(f"<SOURCE MIDI\nHASDATA 1 {take.ticks} QN\nCCINTERP 32\nPOOLEDEVTS {{{uuid.uuid4()}}}")
            lines.append("<X 0 0 0 0 3\n/wNOYW1l\n>")
            events: list[tuple[int, ...]] = [(note[0], 1, 0x90 | note[2], note[3], note[4]) for note in take.notes]
            events += [(note[1], 0, 0x80 | note[2], note[3], 0) for note in take.notes]
            events.append((round(take.length * take.ticks), 2, 0xB0, 0x7B, 0))
            told = {(tick, -1, number): text for number, (tick, text) in enumerate(take.texts)}
            now = 0
            for tick, order, *message in sorted([*events, *told]):
                if order == -1:
                    data = base64.b64encode(b"\xff\x01" + told[(tick, -1, message[0])].encode()).decode()
                    lines.append(f"<X {tick - now} 0\n{data}\n>")
                else:
                    lines.append(f"E {tick - now} " + " ".join(f"{byte:02x}" for byte in message))
                now = tick
            lines.append(f"GUID {{{uuid.uuid4()}}}\nIGNTEMPO 0 120 4 4\n>")
        return True, "\n".join(lines) + "\n>\n"

    def SetItemStateChunk(self, item: Item, chunk: str, undo: bool) -> bool:
        self._changes("SetItemStateChunk")
        if self.chunks_fail:
            return False
        root: Any = rpp.loads(chunk)
        assert root.tag == "ITEM"
        takes: list[Take] = [Take(item)]
        for line in root:
            take = takes[-1]
            if line == "TAKE" or line[0] == "TAKE":
                takes.append(Take(item))
            elif getattr(line, "tag", "") == "SOURCE":
                self._read_source(take, line)
            elif line[0] == "NAME":
                take.name = line[1]
            elif line[0] == "SOFFS":
                take.offset = float(line[1])
            elif line[0] == "PLAYRATE":
                take.rate = float(line[1])
            elif line[0] == "GUID":
                take.guid = line[1]
            elif line[0] == "POSITION":
                item.position = float(line[1])
            elif line[0] == "LENGTH":
                item.length = float(line[1])
        assert len({take.guid for take in takes}) == len(takes)
        item.takes, item.active = takes, 0
        return True

    def _read_source(self, take: Take, source: Any) -> None:
        take.ticks, tick = int(source.find("HASDATA")[2]), 0
        sounding: dict[int, list[list[Any]]] = {}
        for line in source:
            if getattr(line, "tag", "") == "X" and len(line.attrib) == 2:
                tick += int(line.attrib[0])
                (data,) = line
                take.texts.append((tick, base64.b64decode(data if isinstance(data, str) else data[0])[2:].decode()))
            if getattr(line, "tag", "") or line[0] != "E":
                continue
            _, delta, *message = line
            tick += int(delta)
            status, first, second = (int(byte, 16) for byte in message)
            if status & 0xF0 == 0x90:
                note = [tick, tick, status & 0x0F, first, second, False]
                take.notes.append(note)
                sounding.setdefault(first, []).append(note)
            elif status & 0xF0 == 0x80:
                sounding[first].pop(0)[1] = tick
        take.length = tick / take.ticks
        self.MIDI_Sort(take)

    # --- the display, and undoing

    def GetCursorPositionEx(self, proj: Any) -> float:
        return self.cursor

    def SetEditCurPos2(self, proj: Any, seconds: float, move: bool, seek: bool) -> None:
        assert not (move or seek)
        self.cursor = seconds

    def GetSet_LoopTimeRange2(
        self, proj: Any, write: bool, loop: bool, first: float, last: float, seek: bool
    ) -> tuple[float, float]:
        assert not write
        return self.time_selection

    def PreventUIRefresh(self, change: int) -> None:
        self.refresh_depth += change

    def UpdateArrange(self) -> None:
        pass

    def TrackList_AdjustWindows(self, minor: bool) -> None:
        pass

    def Undo_BeginBlock2(self, proj: Any) -> None:
        self.undo_depth += 1

    def Undo_EndBlock2(self, proj: Any, name: str, flags: int) -> None:
        self.undo_depth -= 1
        assert flags == -1
        for track in self.tracks:
            if not track.counted:
                self.faults.append(f"{track.name} has one lane more when the project is opened again")
            if not track.drawn:
                self.faults.append(f"no UpdateTimeline after a change of lanes of {track.name}")
        self.undo.append(name)


def _lua_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
