"""A corpus to shards, in stages of tasks that can run anywhere, any number at a time, and again after a kill.

    read    (parts)    read, pack and fingerprint the songs of each part, or leave them out for a reason
    order   (one)      leave out exact copies; number the others in the order of their digests
    alike   (bands)    find pairs of songs that share bars, by MinHash, band by band
    choose  (one)      leave out near copies, name groups, assign songs to shards in the order of their digests
    write   (shards)   write each shard
    finish  (one)      write the index and the account; remove intermediate files

A stage is a function of the folder, a task's number and the number of tasks. Task t of n does items t, t + n, ... of
its stage, so the contents of a file depend on the corpus alone. Files are written atomically, and existing ones are not
made again. Only `order` and `choose` keep data of every song in memory: some 0.8 kB each.
"""

from __future__ import annotations

import json
import shutil
import sys
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from subprocess import CalledProcessError
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
from datatrove.utils.logging import logger
from numpy.typing import NDArray

from seq2drum.data.corpus.build import Account, Reader
from seq2drum.data.corpus.cache import Packed, save_index, save_packed, shards_of
from seq2drum.data.corpus.copies import (
    BANDS,
    EXACT_COPY,
    HASHES,
    NEAR_COPY,
    Alike,
    Candidate,
    Said,
    alike_in_band,
    judged,
    merged,
)
from seq2drum.data.corpus.corpora import Item, Licences, source_of
from seq2drum.data.corpus.parts import Files, Part, RowGroup, digest, parts_of
from seq2drum.data.corpus.prepared import split_of
from seq2drum.data.corpus.reading import digests_of, manifests_of, read_manifests
from seq2drum.errors import CorpusError, MissingExtraError, OptionError, OutputError
from seq2drum.system import files
from seq2drum.system.workers import results_of

SHARD_SONGS = 2048
INDEX, ACCOUNT, WORK = "index.json", "account.json", "work"
_PLAN, _READ, _BANDS, _SHARDS, _SONGS, _PRINTS = "plan.json", "read", "bands", "shards", "songs.npy", "prints.npy"
_VERSION = 1  # of the files between stages


# --- the plan ---------------------------------------------------------------------------------------------------------


class Plan(NamedTuple):
    """The parts of a corpus to prepare, its manifests, and the allowed licences."""

    digest: str
    manifests: tuple[Path, ...]
    licences: Licences
    parts: list[Part]


def plan(folder: Path, data: Sequence[str | Path], manifest: Path | None, licences: Licences) -> Plan:
    """Write the plan of a preparation into its folder, or check that the folder has the same plan.

    Raises:
        CorpusError: nothing to read, or the folder has another plan.
        MissingExtraError: a table wants pyarrow, which is not installed.
    """
    parts = parts_of(data)
    manifests = tuple(path.resolve() for path in manifests_of(manifest, [source_of(word).path for word in data]))
    read_manifests(manifests)
    name = digest(parts, str(_VERSION), *digests_of(manifests), *licences.names)
    made = Plan(name, manifests, licences, parts)
    path = folder / WORK / _PLAN
    if path.exists():
        if (found := read_plan(folder)).digest != made.digest:
            raise CorpusError(
                f"{str(folder)!r} has the shards of other data or other licences; name another folder with --data-out,"
                " or remove it"
            )
        return found
    if (folder / INDEX).exists() or any(folder.glob("shard-*")):
        raise CorpusError(f"{str(folder)!r} has shards already; name another folder with --data-out")
    rows = [[_KINDS.index(type(part)), *part] for part in parts]
    text = json.dumps([made.digest, [str(one) for one in manifests], licences.names, rows], ensure_ascii=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_file(path, text.encode(), overwrite=True)
    return made


_KINDS: tuple[type[Files], type[RowGroup]] = (Files, RowGroup)


def read_plan(folder: Path) -> Plan:
    """The plan of a folder.

    Raises:
        CorpusError: the plan is missing or damaged.
    """
    with _between(folder, folder / WORK / _PLAN) as path:
        name, manifests, licences, rows = json.loads(path.read_bytes())
        parts: list[Part] = []
        for kind, *fields in rows:
            if _KINDS[kind] is Files:
                place, tag, items = fields
                parts.append(Files(place, tag, tuple(Item(*item) for item in items)))
            else:
                parts.append(RowGroup(*fields))
        return Plan(name, tuple(map(Path, manifests)), Licences(licences), parts)


@contextmanager
def _between(folder: Path, path: Path) -> Iterator[Path]:
    """Yield an intermediate file; a missing or damaged one raises a CorpusError of one sentence."""
    try:
        yield path
    except (OSError, EOFError, ValueError, LookupError, TypeError, zlib.error) as error:
        what = getattr(error, "strerror", None) or error
        raise CorpusError(
            f"{str(path)!r} is gone or damaged ({what}); remove the folder {str(folder)!r} and prepare again"
        ) from None


# --- results of a part ------------------------------------------------------------------------------------------------

_HEAD = np.dtype(np.int64)


class PartRead:
    """The songs of a part in a memory-mapped file, whose fingerprints and blobs are read in place.

        songs n, length of the header | offsets of blobs (n + 1) | different bars (n) | minhash values (n, HASHES)
        | header: compressed JSON, reasons and a row a song | blobs

    Numbers have 8 bytes. Rows are in the order of songs in the part.
    """

    def __init__(self, path: Path) -> None:
        self._data = np.memmap(path, np.uint8, mode="r")
        count, length = (int(value) for value in self._data[:16].view(_HEAD))
        self._offsets = self._data[16:][: 8 * (count + 1)].view(_HEAD)
        at = 16 + 8 * (count + 1)
        self.distinct = self._data[at:][: 8 * count].view(_HEAD)
        at += 8 * count
        self.prints = self._data[at:][: 8 * HASHES * count].view(np.uint64).reshape(count, HASHES)
        at += 8 * HASHES * count
        self._header = self._data[at : at + length]
        self._blobs = at + length
        if len(self._data) != (size := self._blobs + int(self._offsets[-1])):
            raise ValueError(f"it has {len(self._data)} bytes, wanted {size}")

    def header(self) -> tuple[dict[str, int], list[Said]]:
        """Numbers of songs left out by reason, and metadata of the others."""
        left_out, rows = json.loads(zlib.decompress(self._header.tobytes()))
        for row in rows:  # interned: thousands of songs share them
            row[2:6] = map(sys.intern, row[2:6])
        return left_out, [Said(*row) for row in rows]

    def blob(self, row: int) -> bytes:
        """The packed arrays of a song."""
        first, stop = self._offsets[row : row + 2].tolist()
        return self._data[self._blobs + first : self._blobs + stop].tobytes()

    @staticmethod
    def packed(found: Sequence[Candidate | str]) -> bytes:
        """The bytes of the file for the candidates and reasons of a part."""
        songs = [one for one in found if not isinstance(one, str)]
        reasons = Counter(one for one in found if isinstance(one, str))
        header = zlib.compress(json.dumps([reasons, [song.said for song in songs]]).encode())
        offsets = np.cumsum([0, *(len(song.packed) for song in songs)], dtype=_HEAD)
        numbers = [
            np.array([len(songs), len(header)], _HEAD),
            offsets,
            np.array([song.fingerprint.distinct for song in songs], _HEAD),
            np.array([song.fingerprint.values for song in songs], np.uint64),
        ]
        return b"".join([*(array.tobytes() for array in numbers), header, *(song.packed for song in songs)])


# --- the stages -------------------------------------------------------------------------------------------------------


def read(folder: Path, task: int, tasks: int) -> None:
    """Read the parts of a task."""
    made = read_plan(folder)
    reader = Reader(made.manifests, made.licences)
    for number in range(task, len(made.parts), tasks):
        path = _part(folder, number)
        if not path.exists():
            _keep(path, PartRead.packed(reader(made.parts[number])))


def order(folder: Path, task: int = 0, tasks: int = 1) -> None:
    """Number the songs by digest, of exact copies the first by path only; gather fingerprints."""
    # 1. (part, row) of each song, in the order of digests.
    parts = range(len(read_plan(folder).parts))
    found = [
        (row.sha256, row.path, number, place)
        for number in parts
        for place, row in enumerate(_header_of(folder, number)[1])
    ]
    found.sort()
    kept = [one for place, one in enumerate(found) if not place or found[place - 1][0] != one[0]]
    songs = np.array([one[2:] for one in kept], dtype=np.int64).reshape(len(kept), 2)
    del found, kept
    # 2. Fingerprints, written part by part.
    with files.writing(folder / WORK / _PRINTS, overwrite=True) as temporary:
        shape = (max(len(songs), 1), HASHES + 1)  # the last column: how many different bars
        gathered = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.uint64, shape=shape)
        by_part = np.argsort(songs[:, 0], kind="stable")
        edges = np.searchsorted(songs[by_part, 0], np.arange(len(parts) + 1))
        for number in parts:
            part, places = _read_part(folder, number), by_part[edges[number] : edges[number + 1]]
            gathered[places, :HASHES] = part.prints[songs[places, 1]]
            gathered[places, HASHES] = part.distinct[songs[places, 1]]
        gathered.flush()
        del gathered
    _keep(folder / WORK / _SONGS, _array(songs))


def alike(folder: Path, task: int, tasks: int) -> None:
    """Find similar pairs of songs in the bands of a task."""
    count = len(_numbers(folder, _SONGS))
    gathered = _numbers(folder, _PRINTS)[:count]
    for band in range(task, BANDS, tasks):
        path = folder / WORK / _BANDS / f"{band:02d}.npy"
        if not path.exists():
            pairs, shares = alike_in_band(gathered[:, :HASHES], gathered[:, HASHES].astype(np.int64), band)
            _keep(path, _array(np.concatenate([pairs, shares[:, None]], axis=1)))


def choose(folder: Path, task: int = 0, tasks: int = 1) -> None:
    """Leave out near copies, name the groups, and assign songs to shards."""
    # 1. Count the songs that were read and left out.
    account = Account()
    headers: list[list[Said]] = []
    for number in range(len(read_plan(folder).parts)):
        left_out, rows = _header_of(folder, number)
        account.left_out.update(left_out)
        account.files += sum(left_out.values()) + len(rows)
        headers.append(rows)
    songs = _numbers(folder, _SONGS).tolist()
    account.left_out[EXACT_COPY] += sum(map(len, headers)) - len(songs)
    # 2. Near copies and groups.
    rows = [headers[number][place] for number, place in songs]
    bands = (_numbers(folder, f"{_BANDS}/{number:02d}.npy") for number in range(BANDS))
    pairs = merged(Alike(band[:, :2].astype(np.int64), band[:, 2]) for band in bands)
    copies, names = judged([row.sha256 for row in rows], [row.group for row in rows], pairs)
    account.left_out[NEAR_COPY] += int(copies.sum())
    account.left_out = +account.left_out
    # 3. Shards.
    kept = np.flatnonzero(~copies).tolist()
    account.songs = len(kept)
    account.notes_outside_kit = sum(rows[index].outside_kit for index in kept)
    account.drum_notes = sum(rows[index].drum_notes for index in kept)
    for number, first in enumerate(range(0, len(kept), SHARD_SONGS)):
        chosen = [(*songs[index], names[index], *rows[index]) for index in kept[first : first + SHARD_SONGS]]
        _keep(folder / WORK / _SHARDS / f"{number:05d}.json", json.dumps(chosen).encode())
    if not kept:
        raise CorpusError("no song could be used:\n" + "\n".join(account.lines()))
    _keep(folder / WORK / ACCOUNT, json.dumps(vars(account), indent=2).encode())


def write(folder: Path, task: int, tasks: int) -> None:
    """Write the shards of a task."""
    for place in sorted((folder / WORK / _SHARDS).glob("*.json"))[task::tasks]:
        path = folder / f"shard-{place.stem}.s2d"
        if not path.exists():
            save_packed(list(_of_shard(folder, place)), path)


def _of_shard(folder: Path, place: Path) -> Iterator[Packed]:
    with _between(folder, place):
        chosen = json.loads(place.read_bytes())
        parts = {number: _read_part(folder, number) for number in {one[0] for one in chosen}}
    for number, row, group, *fields in chosen:
        said = Said(*fields)
        where = said.path, said.sha256, said.tag, group, split_of(group), said.origin, said.licence
        yield Packed(*where, said.bars, parts[number].blob(row))


def finish(folder: Path, task: int = 0, tasks: int = 1) -> None:
    """Write the index and the account, and remove intermediate files.

    Raises:
        CorpusError: the account does not add up, or a shard is damaged.
    """
    shards = [shard for path in sorted(folder.glob("shard-*.s2d")) for shard in shards_of(path)]
    account = account_of(folder / WORK)
    held = sum(sum(shard.sides.values()) for shard in shards)
    if not account.files - account.left_out.total() == account.songs == held:
        raise CorpusError(
            f"{account.files} files are not {held} songs in shards and {account.left_out.total()} left out; remove"
            f" {str(folder)!r} and prepare again"
        )
    files.write_file(folder / ACCOUNT, (folder / WORK / ACCOUNT).read_bytes(), overwrite=True)
    save_index(shards, folder / INDEX)
    clear(folder)


def clear(folder: Path) -> None:
    """Remove intermediate files, and those that a killed task left half written; plan and logs stay."""
    for name in (_READ, _BANDS, _SHARDS):
        shutil.rmtree(folder / WORK / name, ignore_errors=True)
    for name in (_SONGS, _PRINTS):
        (folder / WORK / name).unlink(missing_ok=True)
    for path in (*folder.glob(".*.part"), *(folder / WORK).glob(".*.part")):
        path.unlink(missing_ok=True)


def check(folder: Path) -> None:
    """Check that the shards of an index are those that were written.

    Raises:
        CorpusError: a shard is missing, cut off, or another one.
    """
    try:
        sound = all(shards_of(shard.path) == [shard] for shard in shards_of(folder / INDEX))
    except CorpusError:
        sound = False
    if not sound:
        raise CorpusError(
            f"{str(folder)!r} is incomplete: a shard is missing or damaged; remove the folder and prepare again"
        )


def account_of(folder: Path) -> Account:
    """The account of a folder."""
    with _between(folder, folder / ACCOUNT) as path:
        told: dict[str, Any] = json.loads(path.read_bytes())
        return Account(**{**told, "left_out": Counter(told["left_out"])})


class Stage(NamedTuple):
    """A stage, and its largest number of tasks, if it has a limit."""

    name: str
    run: Callable[[Path, int, int], None]
    most: int | None = None


STAGES = (
    Stage("read", read),
    Stage("order", order, 1),
    Stage("alike", alike, BANDS),
    Stage("choose", choose, 1),
    Stage("write", write),
    Stage("finish", finish, 1),
)


# --- files ------------------------------------------------------------------------------------------------------------


def _part(folder: Path, number: int) -> Path:
    return folder / WORK / _READ / f"{number:06d}"


def _read_part(folder: Path, number: int) -> PartRead:
    with _between(folder, _part(folder, number)) as path:
        return PartRead(path)


def _header_of(folder: Path, number: int) -> tuple[dict[str, int], list[Said]]:
    with _between(folder, _part(folder, number)) as path:
        return PartRead(path).header()


def _numbers(folder: Path, name: str) -> NDArray[Any]:
    """An array that a stage has written, memory-mapped."""
    with _between(folder, folder / WORK / name) as path:
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return found


def _keep(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_file(path, data, overwrite=True)


def _array(array: NDArray[Any]) -> bytes:
    held = BytesIO()
    np.save(held, array)
    return held.getvalue()


@dataclass(frozen=True)
class Step:
    """A stage as a step of a datatrove pipeline, without documents."""

    stage: Stage
    folder: Path

    def __call__(self, data: object = None, rank: int = 0, world_size: int = 1) -> None:
        self.stage.run(self.folder, rank, world_size)


@dataclass(frozen=True)
class Run:
    """A preparation: its folder, tasks per stage, tasks at a time, and further options of the engine."""

    folder: Path
    tasks: int
    workers: int
    options: Mapping[str, Any]

    def tasks_of(self, stage: Stage) -> int:
        """The number of tasks of a stage."""
        return min(self.tasks, stage.most or self.tasks)

    def keywords(self, stage: Stage) -> dict[str, Any]:
        """Arguments for any of datatrove's executors of a stage."""
        tasks = self.tasks_of(stage)
        logs = self.folder / WORK / "logs" / f"{stage.name}-{tasks}"
        return {
            "pipeline": [Step(stage, self.folder)],
            "tasks": tasks,
            "workers": min(self.workers, tasks),
            "logging_dir": str(logs),
            **self.options,
        }


def local(run: Run, begun: Callable[[Stage], None]) -> None:
    """Run all stages on this machine, one after the other. begun: called with each as it begins.

    Raises:
        CorpusError: a process ended before its task, or a stage failed.
        OutputError: the folder cannot be written.
    """
    for stage in STAGES:
        begun(stage)
        executor = LocalPipelineExecutor(**run.keywords(stage))
        try:
            if todo := executor.get_incomplete_ranks():
                executor.save_executor_as_json()
                for _ in results_of(partial(_run_task, executor), todo, min(run.workers, len(todo))):
                    pass
        except OSError as error:  # of logs and marks of tasks
            what = ": ".join(filter(None, (error.strerror or type(error).__name__, error.filename)))
            raise OutputError(f"{str(run.folder)!r} cannot be used ({what}); see to it and prepare again") from None


def _run_task(executor: LocalPipelineExecutor, task: int) -> None:
    """Run one task, silently; errors are raised. May run in another process.

    datatrove's own processes are not used, because it waits forever for the task of a killed one.
    """
    logger.disable("datatrove")
    executor._run_for_rank(task)


def slurm(run: Run, begun: Callable[[Stage], None]) -> None:
    """Hand all stages to Slurm, each to begin after the one before; return without waiting.

    Raises:
        OptionError: Slurm is missing, or refuses the job.
    """
    last: Any = None
    for stage in STAGES:
        begun(stage)
        last = SlurmPipelineExecutor(job_name=f"seq2drum-{stage.name}", depends=last, **run.keywords(stage))
    try:
        last.run()
    except FileNotFoundError as error:
        raise OptionError(f"--engine slurm wants {error.filename}, which is not here; run it on a login node") from None
    except CalledProcessError as error:
        raise OptionError(f"{error.cmd[0]} refused the job (exit code {error.returncode}): see its output") from None


def ray(run: Run, begun: Callable[[Stage], None]) -> None:
    """Run all stages on a Ray cluster: that of RAY_ADDRESS, or one on this machine.

    Raises:
        CorpusError: a stage did not finish.
        MissingExtraError: Ray is not installed.
    """
    try:
        import ray
        from datatrove.executor.ray import RayPipelineExecutor
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"--engine ray needs {error.name}: pip install ray") from None

    if not ray.is_initialized():
        ray.init(log_to_driver=False)
    logger.disable("datatrove")
    for stage in STAGES:
        begun(stage)
        executor = RayPipelineExecutor(**run.keywords(stage))
        executor.run()
        if executor.get_incomplete_ranks(range(run.tasks_of(stage))):
            raise CorpusError(f"the stage {stage.name} was not done; the logs in {run.folder / WORK / 'logs'} say why")


ENGINES = MappingProxyType({"local": local, "slurm": slurm, "ray": ray})
"""The engines by name."""
