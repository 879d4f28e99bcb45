"""Stand-ins for what FL Studio and Ableton Live give to scripts: as much of their modules as ours use, as documented.

FL Studio: https://il-group.github.io/FL-Studio-API-Stubs/piano_roll_scripting. Live: the Live Object Model, and what
scripts of others call (AbletonOSC). Like the programs, they refuse what these refuse.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import util
from pathlib import Path
from typing import Any

from tests.conftest import ROOT

FL_SCRIPT = ROOT / "client" / "fl_studio" / "seq2drum.pyscript"
LIVE_SCRIPT = ROOT / "client" / "ableton" / "Seq2Drum"


# --- FL Studio --------------------------------------------------------------------------------------------------------


@dataclass
class FlNote:
    number: int = 60
    time: int = 0
    length: int = 0
    velocity: float = 0.8
    muted: bool = False
    slide: bool = False


@dataclass
class FlMarker:
    time: int = 0
    name: str = ""
    mode: int = 0
    tsnum: int = 0
    tsden: int = 0


@dataclass
class Score:
    """A piano roll."""

    PPQ: int = 96
    tsnum: int = 4
    tsden: int = 4
    notes: list[FlNote] = field(default_factory=list)
    markers: list[FlMarker] = field(default_factory=list)

    @property
    def noteCount(self) -> int:
        return len(self.notes)

    @property
    def markerCount(self) -> int:
        return len(self.markers)

    def getNote(self, index: int) -> FlNote:
        return self.notes[index]

    def getMarker(self, index: int) -> FlMarker:
        return self.markers[index]

    def addNote(self, note: FlNote) -> None:
        assert isinstance(note.number, int) and isinstance(note.time, int) and isinstance(note.length, int)
        assert 0 <= note.velocity <= 1
        self.notes.append(note)

    def clearNotes(self, all: bool = False) -> None:
        self.notes.clear()


class ScriptDialog:
    """A dialog: its inputs by name, with the values that a test sets."""

    def __init__(self, title: str, description: str) -> None:
        self.values: dict[str, Any] = {}

    def AddInputKnob(self, name: str, value: float, least: float, most: float, hint: str = "") -> None:
        assert least <= value <= most
        self.values[name] = value

    def AddInputKnobInt(self, name: str, value: int, least: int, most: int, hint: str = "") -> None:
        assert least <= value <= most
        self.values[name] = value

    def AddInputCombo(self, name: str, options: list[str], value: int, hint: str = "") -> None:
        assert 0 <= value < len(options)
        self.values[name] = value

    def AddInputCheckbox(self, name: str, value: bool, hint: str = "") -> None:
        self.values[name] = value

    def GetInputValue(self, name: str) -> Any:
        return self.values[name]


class FlStudio:
    """FL Studio with a piano roll in front, and the script in it. said: the messages."""

    def __init__(self, score: Score) -> None:
        self.score, self.said = score, list[str]()
        self.script: dict[str, Any] = {}

    def run(self, waited: Callable[[float], None] | None = None, **values: Any) -> None:
        """Run the script with values in its dialog. waited: called when it sleeps."""
        module = types.ModuleType("flpianoroll")
        utils = types.SimpleNamespace(ShowMessage=self.said.append)
        vars(module).update(score=self.score, Note=FlNote, Marker=FlMarker, ScriptDialog=ScriptDialog, Utils=utils)
        with _modules({"flpianoroll": module}):
            self.script = {"__name__": "script"}
            exec(compile(FL_SCRIPT.read_text(encoding="utf-8"), str(FL_SCRIPT), "exec"), self.script)
            if waited:
                self.script["time"] = types.SimpleNamespace(time=self.script["time"].time, sleep=waited)
            form = self.script["createDialog"]()
            form.values.update(values)
            self.script["apply"](form)


# --- Ableton Live -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LiveNote:
    pitch: int
    start_time: float
    duration: float
    velocity: float = 100.0
    mute: bool = False


@dataclass(eq=False)
class Clip:
    name: str
    canonical_parent: Any
    notes: list[LiveNote] = field(default_factory=list)
    length: float = 16.0
    is_midi_clip: bool = True
    is_arrangement_clip: bool = False
    looping: bool = True
    loop_start: float = 0.0
    start_time: float = 0.0
    signature_numerator: int = 4
    signature_denominator: int = 4

    @property
    def loop_end(self) -> float:
        return self.loop_start + self.length

    start_marker = property(lambda self: self.loop_start)
    end_marker = property(lambda self: self.loop_end)

    def get_notes_extended(self, pitch: int, pitches: int, start: float, span: float) -> tuple[LiveNote, ...]:
        assert (pitch, pitches) == (0, 128)
        return tuple(note for note in self.notes if start <= note.start_time < start + span)

    def add_new_notes(self, notes: tuple[LiveNote, ...]) -> None:
        assert isinstance(notes, tuple)
        assert all(0 <= note.pitch <= 127 and note.duration > 0 and 1 <= note.velocity <= 127 for note in notes)
        self.notes += notes


@dataclass(eq=False)
class Slot:
    canonical_parent: Any
    clip: Clip | None = None

    @property
    def has_clip(self) -> bool:
        return self.clip is not None

    def create_clip(self, length: float) -> None:
        assert self.clip is None and length > 0
        self.clip = Clip("", self, length=length)


@dataclass(eq=False)
class Track:
    name: str
    clip_slots: list[Slot] = field(default_factory=list)
    arrangement_clips: list[Clip] = field(default_factory=list)

    def create_midi_clip(self, start: float, length: float) -> Clip:
        clip = Clip("", self, length=length, is_arrangement_clip=True, start_time=start)
        self.arrangement_clips.append(clip)
        return clip


class Song:
    """A set. Its tracks come as tuples, as Live's vectors that only Live changes."""

    def __init__(self, *names: str, scenes: int = 2, tempo: float = 120.0) -> None:
        self.tempo, self._scenes = tempo, scenes
        self._tracks = list[Track]()
        for name in names:
            self.create_midi_track(len(self._tracks))
            self._tracks[-1].name = name
        self.view = types.SimpleNamespace(detail_clip=None, selected_track=self._tracks[0])

    @property
    def tracks(self) -> tuple[Track, ...]:
        return tuple(self._tracks)

    def create_midi_track(self, index: int) -> None:
        track = Track(f"{index + 1}-MIDI")
        track.clip_slots = [Slot(track) for _ in range(self._scenes)]
        self._tracks.insert(index, track)

    def create_scene(self, index: int) -> None:
        assert index == -1
        self._scenes += 1
        for track in self._tracks:
            track.clip_slots.append(Slot(track))


class _ControlSurface:
    def __init__(self, c_instance: Song) -> None:
        self._song, self.said = c_instance, list[str]()

    def song(self) -> Song:
        return self._song

    def show_message(self, text: str) -> None:
        self.said.append(text)

    def update_display(self) -> None:
        pass


@contextmanager
def live(song: Song) -> Iterator[Any]:
    """The control surface in Live with a set. `update_display` is Live's tick."""
    live_module, framework = types.ModuleType("Live"), types.ModuleType("_Framework")
    surface = types.ModuleType("_Framework.ControlSurface")
    vars(live_module)["Clip"] = types.SimpleNamespace(MidiNoteSpecification=LiveNote)
    vars(surface)["ControlSurface"] = _ControlSurface
    with _modules({"Live": live_module, "_Framework": framework, "_Framework.ControlSurface": surface}):
        spec = util.spec_from_file_location(
            "Seq2Drum", LIVE_SCRIPT / "__init__.py", submodule_search_locations=[str(LIVE_SCRIPT)]
        )
        assert spec and spec.loader
        package = util.module_from_spec(spec)
        sys.modules["Seq2Drum"] = package
        spec.loader.exec_module(package)
        yield package.create_instance(song)


@contextmanager
def _modules(modules: dict[str, types.ModuleType]) -> Iterator[None]:
    """Modules that can be imported inside, and nothing that they brought along afterwards."""
    before = dict(sys.modules)
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in set(sys.modules) - set(before):
            if name.partition(".")[0] in ("Seq2Drum", "Live", "_Framework", "flpianoroll"):
                del sys.modules[name]


def folder_of(home: Path) -> Path:
    """The folder that both scripts use in a home."""
    return home / "seq2drum-daw"
