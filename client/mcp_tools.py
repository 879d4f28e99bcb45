"""The tools for an assistant: their descriptions, and their work with a server and the open folders.

Files are reached by path, only under the folders named at the start. A path is relative to one of the
folders, or absolute and inside one. Neither `..` nor a link is followed, so a path leads where it says. Another process
of the same user that changes these folders at the same moment is trusted: it is the user's own machine.
"""

from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from client import listing, sessions
from client.asynchronous import AsyncRemoteDrummer
from client.listing import Line
from client.mcp_schema import FORM, OPTIONS, Schema, schema, values
from client.messages import MOST_BYTES, RemoteOptions, RemoteTake
from seq2drum.console import paths
from seq2drum.errors import InputError, LimitError, OptionError, OutputError
from seq2drum.music.brief import BRIEF
from seq2drum.music.choices import STYLES
from seq2drum.music.limits import MIDI_SUFFIXES, OPENED_SUFFIXES, PICTURE_SUFFIXES, SONG_SUFFIXES
from seq2drum.music.options import check
from seq2drum.music.song_plan import is_drawn
from seq2drum.play.asked import by_section, reference
from seq2drum.rpc import accompaniment_pb2 as pb
from seq2drum.system import files

# --- the open folders -------------------------------------------------------------------------------------------------


MOST_LISTED = 200
_MOST_SEEN = 20_000  # directory entries that a list examines
_MOST_LETTERS = 1024
_SHOWN_LETTERS = 80


class Folders:
    """The folders in which an assistant may read and write files.

    Raises:
        OptionError: a name is not a folder's.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self._named = [Path(name).absolute() for name in names]
        for name, folder in zip(names, self._named, strict=True):
            if not folder.is_dir():
                raise OptionError(f"{name!r} is not a folder; name a folder with your songs")
        self.roots = [folder.resolve() for folder in self._named]

    def source(self, path: str) -> Path:
        """Return the file of a path, to be read.

        Raises:
            InputError, LimitError: it lies elsewhere; is a link, a folder or a device; does not exist, or is too
                large.
        """
        file = self._place(path)
        try:
            status = file.lstat()
        except (OSError, ValueError):
            raise InputError(f"{_shown(path)} does not exist; list_songs lists the songs") from None
        if stat.S_ISDIR(status.st_mode):
            raise InputError(f"{_shown(path)} is a folder; name a file in it")
        if not stat.S_ISREG(status.st_mode):
            raise InputError(f"{_shown(path)} is a device, not a file; name a song")
        if file.suffix.lower() not in OPENED_SUFFIXES:
            raise InputError(
                f"{_shown(path)} is not named as a song; wanted a name that ends in {', '.join(OPENED_SUFFIXES)}"
            )
        if status.st_size > MOST_BYTES:
            raise LimitError(f"{_shown(path)} is larger than {MOST_BYTES} bytes, the most that is read")
        return file

    def targets(self, path: str | Path, count: int, suffixes: Sequence[str], *, overwrite: bool) -> list[Path]:
        """Return the paths of a number of results, numbered if there are several.

        suffixes: allowed endings of the name.

        Raises:
            OutputError, InputError: one lies elsewhere; is a link, a folder or a device; exists and may not be
                replaced; its folder does not exist, or its name ends in something else.
        """
        file = self._place(str(path))
        if file.suffix.lower() not in suffixes:
            raise OutputError(f"{_shown(str(path))} was to be written; wanted a name that ends in {suffixes[0]}")
        targets = [self._place(name) for name in paths.numbered(str(file), count)]
        for target in targets:
            if target.exists() and not overwrite:
                raise OutputError(f"{target} exists already; give another name, or overwrite=true to replace it")
            paths.check_target(str(target), set(), overwrite=True)
        return targets

    def songs(self) -> tuple[list[Path], bool]:
        """Return the songs in the folders, sorted by path, and whether these are all: a long list is cut."""
        found: list[Path] = []
        for seen, file in enumerate(path for root in self.roots for path in _files(root)):
            if len(found) == MOST_LISTED or seen == _MOST_SEEN:
                return sorted(found), False
            if file.suffix.lower() in SONG_SUFFIXES:
                found.append(file)
        return sorted(found), True

    def _place(self, path: str) -> Path:
        """Resolve a path inside one of the folders, without following links.

        Raises:
            InputError: it leads elsewhere.
        """
        if not path or len(path) > _MOST_LETTERS or not path.isprintable():
            raise InputError(
                f"the path {_shown(path)} is not the path of a file; give one such as {self.roots[0]}/song.mid"
            )
        given = Path(path)
        if ".." in given.parts:
            raise InputError(f"{_shown(path)} has '..' in it; give the path without")
        inside = [(root, rest) for root in self.roots if (rest := self._inside(given, root)) is not None]
        if not inside:
            there = ", ".join(map(str, self.roots))
            raise InputError(f"{_shown(path)} lies outside the folders that are open here; these are {there}")
        root, rest = next((pair for pair in inside if os.path.lexists(pair[0] / pair[1])), inside[0])
        place = root
        for part in rest.parts:
            place /= part
            if place.is_symlink():
                raise InputError(f"{_shown(path)} leads over a link, {place}, and none is followed")
        if not place.resolve().is_relative_to(root):  # links that are not symbolic
            raise InputError(f"{_shown(path)} leads out of {root}; only files in that folder are open here")
        return place

    def _inside(self, path: Path, root: Path) -> Path | None:
        """Return a path relative to a folder; None if it is not in it."""
        if not path.is_absolute():
            return None if path.drive or path.root else path
        for folder in (root, self._named[self.roots.index(root)]):
            if path.is_relative_to(folder):
                return path.relative_to(folder)
        return None


def _files(folder: Path) -> Iterator[Path]:
    """Yield all files in a folder and its subfolders, without following links."""
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            path = Path(place, name)
            if not name.startswith(".") and not path.is_symlink():
                yield path


def _shown(path: str) -> str:
    """Return a path for a message."""
    cut = path if len(path) <= _SHOWN_LETTERS else f"{path[:_SHOWN_LETTERS]}..."
    return files.named(cut) or "''"


# --- the tools --------------------------------------------------------------------------------------------------------


Connect = Callable[[], AbstractAsyncContextManager[AsyncRemoteDrummer]]
"""Opens the way to a server."""

_MOST_GROOVES = 60  # in one list; more by style


class Reply(NamedTuple):
    """The answer of a tool: text for the assistant, the same as values, and a picture (PNG), if there is one."""

    text: str
    fields: dict[str, Any]
    picture: bytes = b""


@dataclass(frozen=True)
class Tool:
    """One tool.

    about: its description for the assistant. wanted: the schema of its arguments. do: runs it with these. writes:
    whether it writes files. brief: whether its arguments are those of a beat.
    """

    name: str
    about: str
    wanted: Schema
    do: Callable[[dict[str, Any]], Awaitable[Reply]]
    writes: bool = False
    brief: bool = False


class Tools:
    """The tools over a server and some folders."""

    def __init__(self, folders: Folders, connect: Connect) -> None:
        self._folders, self._connect = folders, connect
        beat = (*BRIEF, "model", "takes", "guitar", "output", "overwrite")
        listed = [
            Tool(
                "list_songs",
                "The songs in the open folders, by path. Begin here if the user has named no file.",
                schema(),
                self._list_songs,
            ),
            Tool(
                "list_choices",
                "Everything with a name: styles, genres, grooves (all, those of a style, or the ten that fit a "
                "song best), drum maps of samplers, models.",
                schema("style", "song"),
                self._list_choices,
            ),
            Tool(
                "look_at_song",
                "Analyses a song without making drums: its parts, the guitar among them and the reason for the choice, "
                "bars, seconds, tempos and metres.",
                schema("song", "track", required=("song",)),
                self._look,
            ),
            Tool(
                "make_drums",
                "Makes a drum part for the guitar in a song and writes it as a MIDI file, by default SONG.drums.mid "
                "beside the song (SONG.drums.1.mid is the best of several takes). Set few options: the drummer "
                "decides the rest by listening. The same song, options and seed give the same drums; another "
                "seed gives another take. To change one thing, keep the seed. The answer has the plan of the song's "
                "sections; to change some of them, give it back changed.",
                schema("song", "output", "overwrite", "takes", "prime", "plan", *OPTIONS, *FORM, required=("song",)),
                self._make,
                writes=True,
            ),
            Tool(
                "redo_bars",
                "Plays some bars again and keeps all other drums: those of the file `drums`, such as one from "
                "make_drums, or else the song's own. Give a seed other than that of the take, and its drum_map. "
                "Writes a MIDI file, by default SONG.drums.mid.",
                schema(
                    "song", "drums", "bars", "plan", "output", "overwrite", *OPTIONS, *FORM, required=("song", "bars")
                ),
                self._make,
                writes=True,
            ),
            Tool(
                "explain",
                "Explains bar by bar what the drums do, and what in the guitar they follow: the drums that make_drums "
                "makes for the same song, options and seed. Writes nothing.",
                schema("song", "prime", "bars", "model", "plan", *OPTIONS, required=("song",)),
                self._explain,
            ),
            Tool(
                "draw",
                "Shows a picture of a song and its drums, bar by bar: the guitar above, the drums below. `drums` "
                "is a file such as one from make_drums, and `plan` that of its answer. With output, also writes a PNG "
                "file.",
                schema("song", "drums", "track", "drum_map", "plan", "output", "overwrite", required=("song", "drums")),
                self._draw,
                writes=True,
            ),
            Tool(
                "compose_beat",
                "Makes a beat without a guitar: a groove that drummers of the genre play, varied as they vary it, at "
                "the genre's usual tempo unless bpm says another. form makes a song of sections. Writes a MIDI file "
                "that loops, by default GENRE-TEMPO.mid in the first folder. With a guitar, also plays the beat to it, "
                "into GENRE-TEMPO.drums.mid. make_drums can use a beat as its groove.",
                schema(*beat, brief=True),
                self._compose,
                writes=True,
                brief=True,
            ),
        ]
        self.by_name = {tool.name: tool for tool in listed}

    async def call(self, name: str, given: Mapping[str, Any]) -> Reply:
        """Run a tool. given: its arguments.

        Raises:
            Seq2DrumError: there is no such tool, or it refuses.
        """
        tool = self.by_name.get(name)
        if tool is None:
            raise OptionError(f"there is no tool {name[:40]!r}; there are {', '.join(self.by_name)}")
        return await tool.do(values(given, tool.wanted, brief=tool.brief))

    async def _list_songs(self, _: dict[str, Any]) -> Reply:
        songs, whole = self._folders.songs()
        shown = [str(song) for song in songs]
        words = "\n".join(shown) or f"no song lies in {', '.join(map(str, self._folders.roots))}"
        return Reply(words + ("" if whole else "\nand more: name a file to use one"), {"songs": shown, "all": whole})

    async def _list_choices(self, wanted: dict[str, Any]) -> Reply:
        song = wanted.pop("song", None)
        file = self._folders.source(song) if song else None
        async with self._connect() as drummer:
            grooves = await drummer.grooves(file, RemoteOptions(**wanted))
            models, generators = await drummer.models(), await drummer.generators()
            maps = await drummer.drum_maps()
        if file is None:
            grooves = [one for one in grooves if wanted.get("style") in (None, one.style)]
        told: dict[str, Iterable[Line]] = {
            "grooves": map(listing.groove, grooves[:_MOST_GROOVES]),
            "models of drummers": map(listing.model, models),
            "models of beats": map(listing.generator, generators),
            "drum maps": (Line(f"{one.id}: {one.about}", {"drum_map": one.id, "for": one.about}) for one in maps),
        }
        lines = {title: list(found) for title, found in told.items()}
        text = [f"styles: {', '.join(STYLES)}", f"genres of beats: {BRIEF['genre'].help}"]
        text += [f"{title}:\n" + "\n".join(line.text for line in found) for title, found in lines.items()]
        if len(grooves) > _MOST_GROOVES:
            text.append(f"and {len(grooves) - _MOST_GROOVES} more grooves; narrow them by a style")
        fields: dict[str, Any] = {title: [line.fields for line in found] for title, found in lines.items()}
        return Reply("\n".join(text), {"styles": list(STYLES), **fields})

    async def _look(self, wanted: dict[str, Any]) -> Reply:
        song = self._folders.source(wanted["song"])
        async with self._connect() as drummer:
            seen = await drummer.analyze(song, wanted.get("track"))
        return _analysis_reply(wanted["song"], seen)

    async def _make(self, wanted: dict[str, Any]) -> Reply:
        source = self._folders.source(wanted.pop("song"))
        output, overwrite = wanted.pop("output", None), wanted.pop("overwrite", False)
        count = wanted.pop("takes", 1)
        check("takes", count)
        name = output or source.with_name(source.stem + paths.OUTPUT_SUFFIX)
        targets = self._folders.targets(name, count, MIDI_SUFFIXES, overwrite=overwrite)
        for target in targets:
            paths.check_target(str(target), paths.identities([str(source)]), overwrite=True)
        takes, seconds = await self._takes(source, wanted, len(targets))
        for take, target in zip(takes, targets, strict=True):
            files.write_file(target, take.midi, overwrite=overwrite)
        return _takes_reply(takes, str(source), list(map(str, targets)), seconds)

    async def _explain(self, wanted: dict[str, Any]) -> Reply:
        source = self._folders.source(wanted.pop("song"))
        takes, seconds = await self._takes(source, wanted | {"explain": True}, 1)
        return _takes_reply(takes, str(source), ["nothing written"], seconds)

    async def _takes(self, source: Path, wanted: dict[str, Any], count: int) -> tuple[list[RemoteTake], float]:
        """Return the takes of a song, and the seconds for each."""
        begun = time.perf_counter()
        drums = self._folders.source(wanted["drums"]) if wanted.get("drums") else None
        requested = {name: value for name, value in wanted.items() if name != "drums"}
        options = RemoteOptions(**requested | self._opened(wanted))
        async with self._connect() as drummer:
            takes = await drummer.takes(source, options, count, drums=drums)
        return takes, (time.perf_counter() - begun) / count

    async def _draw(self, wanted: dict[str, Any]) -> Reply:
        source, drums = (self._folders.source(wanted.pop(name)) for name in ("song", "drums"))
        output, overwrite = wanted.pop("output", None), wanted.pop("overwrite", False)
        targets = self._folders.targets(output, 1, PICTURE_SUFFIXES, overwrite=overwrite) if output else []
        async with self._connect() as drummer:
            made = await drummer.render(source, drums, "picture", **wanted)
        for target in targets:
            made.save(target, overwrite=overwrite)
        written = [str(target) for target in targets]
        text = f"a picture of {source.name} with the drums of {drums.name}" + "".join(f"; {name}" for name in written)
        return Reply(text, {"output": written}, made.data)

    def _opened(self, wanted: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments that are files, as paths in the folders; others are not opened."""
        opened: dict[str, Any] = {}
        if like := wanted.get("like"):
            opened["like"] = self._folders.source(like)
        if groove := wanted.get("groove"):
            opened["groove"] = {section: self._groove(str(one)) for section, one in by_section(groove).items()}
        return opened

    def _groove(self, text: str) -> str:
        wanted = reference(text)
        if not wanted.is_file:
            return text
        bars = "" if wanted.bars is None else ":{}-{}".format(*wanted.bars)
        return f"{self._folders.source(wanted.name)}{bars}"

    async def _compose(self, wanted: dict[str, Any]) -> Reply:
        guitar, output = wanted.pop("guitar", None), wanted.pop("output", None)
        count, overwrite = wanted.pop("takes", 1), wanted.pop("overwrite", False)
        if guitar and count > 1:
            raise OptionError(f"takes is {count}, and one beat is played to a guitar; leave out one of them")
        brief = sessions.RemoteBrief(**wanted)
        genres = [share.name for share in sessions.brief_message(brief, count).genres]
        name = output or self._folders.roots[0] / paths.beat(None, genres, brief.bpm)
        targets = self._folders.targets(name, count, MIDI_SUFFIXES, overwrite=overwrite)
        source = self._folders.source(guitar) if guitar else None
        played = targets[0].with_suffix(paths.OUTPUT_SUFFIX) if source else None
        if source and played:
            self._folders.targets(played, 1, MIDI_SUFFIXES, overwrite=overwrite)
            for target in (targets[0], played):
                paths.check_target(str(target), paths.identities([str(source)]), overwrite=True)
        async with self._connect() as drummer:
            made = [await drummer.compose(brief, guitar=source)] if source else await drummer.beats(brief, count)
        for beat, target in zip(made, targets, strict=True):
            beat.save(target, overwrite=overwrite)
            if beat.drums is not None and played:
                files.write_file(played, beat.drums.midi, overwrite=overwrite)
        drums = str(played) if played else ""
        lines = [listing.beat(beat, str(target), drums) for beat, target in zip(made, targets, strict=True)]
        return Reply("\n".join(line.text for line in lines), {"beats": [line.fields for line in lines]})


def _takes_reply(takes: list[RemoteTake], source: str, targets: list[str], seconds: float) -> Reply:
    """Return the answer for takes, the best first."""
    reports = [listing.take(take, source, target, seconds) for take, target in zip(takes, targets, strict=True)]
    lines = [report.as_text() for report in reports]
    if len(takes) == 1:  # the lines of several takes have it
        lines.append(f"seed {takes[0].seed}")
    plans = [[row._asdict() for row in take.plan] for take in takes]
    lines += [f"plan: {json.dumps(rows)}" for take, rows in zip(takes[:1], plans, strict=False) if is_drawn(take.plan)]
    told = [json.loads(report.as_json()) | {"plan": rows} for report, rows in zip(reports, plans, strict=True)]
    return Reply("\n".join(lines), {"takes": told})


def _analysis_reply(song: str, seen: pb.AnalyzeGuitarResponse) -> Reply:
    """Return the answer for the analysis of a song."""
    line, guitar = seen.timeline, list(seen.guitar.tracks)
    tempos = [{"quarter": change.quarter, "bpm": round(change.bpm, 2)} for change in line.tempos]
    metres = [{"quarter": one.quarter, "metre": f"{one.numerator}/{one.denominator}"} for one in line.meters]
    parts = [
        {
            "number": track.number,
            "name": track.name,
            "program": track.program,
            "drums": track.is_drums,
            "notes": track.notes,
            "guitar": track.number in guitar,
        }
        for track in seen.tracks
    ]
    text = [
        f"{song}: {line.bars} bars, {line.seconds:.0f} seconds, {metres[0]['metre']}, "
        f"{tempos[0]['bpm']:g} quarters a minute{_changes(len(tempos), 'tempo')}{_changes(len(metres), 'metre')}",
        f"the guitar is part {', '.join(map(str, guitar))}: {seen.guitar.reason}",
        *(
            f"part {track.number}: {track.name or 'without a name'}, "
            f"{'drums' if track.is_drums else f'program {track.program}'}, {track.notes} notes"
            for track in seen.tracks
        ),
    ]
    fields = {"bars": line.bars, "seconds": round(line.seconds, 1), "tempos": tempos, "metres": metres}
    return Reply("\n".join(text), {**fields, "parts": parts, "guitar": guitar, "why": seen.guitar.reason})


def _changes(count: int, what: str) -> str:
    return f", {count - 1} change{'s' if count > 2 else ''} of {what}" if count > 1 else ""
