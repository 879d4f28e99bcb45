"""Shards of a corpus: the same on any number of tasks and when taken up again, and every song is accounted for."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pytest

from seq2drum.data.corpus import build, cache, parts, stages
from seq2drum.data.corpus.copies import BANDS
from seq2drum.data.corpus.corpora import ANY, Licences
from seq2drum.data.corpus.stages import STAGES
from seq2drum.errors import CorpusError
from seq2drum.formats.midi import midi
from seq2drum.system import files
from tests.commands import called
from tests.conftest import ROOT

TRAINING = ROOT / "examples" / "training"


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five songs, with exact and near copies, another arrangement, and files that hold no song."""
    folder = tmp_path_factory.mktemp("corpus") / "songs"
    folder.mkdir()
    for path in sorted(TRAINING.glob("*.mid"))[:4]:
        shutil.copy(path, folder)
    rock = midi.read(TRAINING / "rock_riff_1.mid")
    (folder / "copy.mid").write_bytes(next(folder.glob("blues*")).read_bytes())
    higher = tuple(part if part.is_drums else replace(part, pitch=part.pitch + 1) for part in rock.parts)
    for name, song in (("zz rock.mid", rock), ("aa up.mid", replace(rock, parts=higher))):
        (folder / name).write_bytes(midi.serialise(song))
    (folder / "broken.mid").write_bytes(b"MThd")
    (folder / "no drums.mid").write_bytes((ROOT / "examples" / "funk.mid").read_bytes())
    return folder


@pytest.fixture(scope="module", autouse=True)
def small() -> Iterator[None]:
    """Parts of two files, and shards of two songs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts, "FILES_PER_PART", 2)
        patch.setattr(stages, "SHARD_SONGS", 2)
        yield


def prepared(folder: Path, data: Sequence[Path], tasks: int, licences: Licences = ANY) -> Path:
    """Shards that are made here, one task of a stage after the other, the last first."""
    stages.plan(folder, data, None, licences)
    for stage in STAGES:
        count = min(tasks, stage.most or tasks)
        for task in reversed(range(count)):
            stage.run(folder, task, count)
    return folder


def bytes_in(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


@pytest.fixture(scope="module")
def made(small: None, songs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shards of the songs, made by one task."""
    return prepared(tmp_path_factory.mktemp("made"), [songs], 1)


def test_shards_hold_the_songs_that_one_cache_holds_in_the_order_of_their_digests(songs: Path, made: Path) -> None:
    wanted, account = build.prepare([songs])
    found = cache.load(made / stages.INDEX)
    key = [(song.sha256, song.path, song.group, song.split, song.origin, song.licence) for song in found]
    assert key == sorted((song.sha256, song.path, song.group, song.split, song.origin, song.licence) for song in wanted)
    assert stages.account_of(made) == account
    assert {"an exact copy of another file", "a near copy of another song"} <= set(account.left_out)
    assert [sum(shard.sides.values()) for shard in cache.shards_of(made / stages.INDEX)] == [2, 2, 1]


def test_the_account_adds_up(songs: Path, made: Path) -> None:
    account = stages.account_of(made)
    assert account.files == len(list(songs.iterdir())) == account.songs + account.left_out.total()


@pytest.mark.parametrize("tasks", [3, pytest.param(8, marks=pytest.mark.slow)])
def test_any_number_of_tasks_in_any_order_makes_the_same_bytes(
    songs: Path, made: Path, tmp_path: Path, tasks: int
) -> None:
    assert bytes_in(prepared(tmp_path / "shards", [songs], tasks)) == bytes_in(made)


def test_what_was_between_is_removed_and_the_plan_stays(made: Path) -> None:
    assert sorted(path.name for path in (made / stages.WORK).iterdir()) == ["account.json", "plan.json"]


def test_a_preparation_that_broke_off_is_taken_up_with_other_tasks(
    songs: Path, made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, written = tmp_path / "shards", files.write_file
    for allowed in (2, 3, 20, 16):
        left = allowed

        def breaking(path: Path, data: bytes, *, overwrite: bool) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                (path.parent / ".half.part").write_bytes(data[: len(data) // 2])
                raise InterruptedError
            written(path, data, overwrite=overwrite)

        monkeypatch.setattr(files, "write_file", breaking)
        with pytest.raises(InterruptedError):
            prepared(folder, [songs], allowed % 5 + 1)
    monkeypatch.setattr(files, "write_file", written)
    assert bytes_in(prepared(folder, [songs], 3)) == bytes_in(made)


def test_a_folder_with_the_shards_of_something_else_is_refused(songs: Path, made: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="has the shards of other data or other licences; name another folder"):
        stages.plan(made, [TRAINING], None, ANY)
    with pytest.raises(CorpusError, match="has the shards of other data or other licences; name another folder"):
        stages.plan(made, [songs], None, Licences(["clean"]))
    (tmp_path / "index.json").touch()
    with pytest.raises(CorpusError, match="has shards already; name another folder"):
        stages.plan(tmp_path, [songs], None, ANY)


@pytest.mark.parametrize("damage", [None, b"", "half"])
def test_what_is_gone_or_damaged_between_the_stages_is_said_in_a_sentence(
    songs: Path, tmp_path: Path, damage: bytes | str | None
) -> None:
    stages.plan(tmp_path, [songs], None, ANY)
    needed = ("plan.json", "read/000001", "prints.npy", "bands/05.npy", "shards/00000.json")
    for number, name in enumerate(needed):
        path = tmp_path / stages.WORK / name
        whole = path.read_bytes()
        path.unlink()
        if damage is not None:
            path.write_bytes(whole[: len(whole) // 2] if damage == "half" else b"")
        if path.exists() or not name.startswith("shards"):  # which shards there are is known by these
            with pytest.raises(CorpusError, match=rf"{name}' is gone or damaged \(.*\); remove the folder") as caught:
                STAGES[number].run(tmp_path, 0, 1)
            assert "\n" not in str(caught.value)
        path.write_bytes(whole)
        STAGES[number].run(tmp_path, 0, 1)


def test_a_corpus_without_a_song_to_use_says_why(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    (tmp_path / "songs" / "broken.mid").write_bytes(b"MThd")
    with pytest.raises(
        CorpusError, match=r"no song could be used:\n1 files, 0 songs used\n.* 1 left out: not a readable"
    ):
        prepared(tmp_path / "shards", [tmp_path / "songs"], 2)


@pytest.mark.slow
def test_a_shard_that_is_missing_is_found_out_by_the_account(songs: Path, tmp_path: Path) -> None:
    stages.plan(tmp_path, [songs], None, ANY)
    for stage in STAGES[:-1]:
        stage.run(tmp_path, 0, 1)
    (tmp_path / "shard-00001.s2d").unlink()
    with pytest.raises(CorpusError, match="9 files are not 3 songs in shards and 4 left out"):
        stages.finish(tmp_path)


@pytest.mark.parametrize("damage", ["gone", "cut off", "another"])
def test_shards_that_are_not_what_was_prepared_are_not_said_to_be_ready(
    songs: Path, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    pytest.importorskip("datatrove", reason="wants the extra corpus")
    folder = tmp_path / "shards"
    shutil.copytree(made, folder)
    assert say_prepare(songs, folder, capsys)[0] == 0
    shard = folder / "shard-00001.s2d"
    if damage == "gone":
        shard.unlink()
    elif damage == "cut off":
        shard.write_bytes(shard.read_bytes()[:-1])
    else:
        shutil.copy(folder / "shard-00000.s2d", shard)
    code, out, err = say_prepare(songs, folder, capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is incomplete: a shard is missing or damaged; remove the folder" in err


@pytest.mark.slow
def test_bands_are_dealt_to_tasks_once_each(songs: Path, tmp_path: Path) -> None:
    stages.plan(tmp_path, [songs], None, ANY)
    stages.read(tmp_path, 0, 1)
    stages.order(tmp_path)
    found = []
    for task in range(5):
        stages.alike(tmp_path, task, 5)
        found.append(len(list((tmp_path / stages.WORK / "bands").glob("*.npy"))))
    assert found == [7, 14, 20, 26, BANDS]
    pairs = np.load(tmp_path / stages.WORK / "bands" / "00.npy")
    assert len(pairs) and np.all(pairs[:, 2] >= 0.5)


# --- engines ----------------------------------------------------------------------------------------------------------


def say_prepare(songs: Path, folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    return called(["--mode", "prepare", "--data", str(songs), "--data-out", str(folder), *words], capsys)


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (["--cache", "x"], "--cache is one file and --data-out a folder"),
        (["--slurm", "time=1"], "--slurm is for --engine slurm"),
        (["--engine", "slurm"], "--engine slurm wants --slurm partition=VALUE"),
        (["--engine", "slurm", "--slurm", "partition=cpu"], "--engine slurm wants --slurm time=VALUE"),
        (["--engine", "slurm", "--slurm", "room=big"], "wants NAME=VALUE with a name of partition"),
        (["--engine", "slurm", "--slurm", "cpus_per_task=two"], "wanted a whole number"),
        (["--tasks", "0"], "--tasks is 0, wanted 1 or more"),
        (["--engine", "spark"], "there is no 'spark'; there are"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], phrase: str
) -> None:
    code, out, err = say_prepare(songs, tmp_path / "shards", capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1) and phrase in err
    assert not (tmp_path / "shards").exists()


def test_options_of_shards_without_their_folder_and_a_file_for_it_are_refused(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = called(["--mode", "prepare", "--data", str(songs), "--tasks", "2"], capsys)
    assert code == 2 and "--tasks is for shards; name their folder with --data-out DIR" in err
    (tmp_path / "file").touch()
    code, _, err = say_prepare(songs, tmp_path / "file", capsys)
    assert code == 2 and "is a file; name a folder with --data-out" in err


def test_a_folder_that_another_process_prepares_into_is_left_to_it(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("datatrove", reason="wants the extra corpus")
    pytest.importorskip("fcntl", reason="wants locks of files")
    with files.alone(tmp_path):
        code, _, err = say_prepare(songs, tmp_path, capsys)
    assert code == 2 and "shards are being prepared in " in err and "name another folder" in err
    assert not list(tmp_path.iterdir())


def test_a_folder_of_a_file_system_without_locks_is_used_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="wants locks of files")

    def refused(*_: int) -> None:
        raise OSError(errno.EBADF, os.strerror(errno.EBADF))  # as a folder on NFS, which is open for reading alone

    monkeypatch.setattr(fcntl, "flock", refused)
    with files.alone(tmp_path / "shards"):
        (tmp_path / "shards" / "file").touch()
    assert (tmp_path / "shards" / "file").exists()


def test_a_folder_that_could_not_be_prepared_into_is_not_left_behind(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("datatrove", reason="wants the extra corpus")
    (tmp_path / "file").touch()
    for data, folder, phrase in (
        (tmp_path / "gone", tmp_path / "shards", "there is no file or folder"),
        (songs, tmp_path / "file" / "shards", "cannot be used (Not a directory)"),
        (songs, tmp_path / ("x" * 300), "cannot be used (File name too long)"),
    ):
        code, _, err = say_prepare(data, folder, capsys)
        assert (code, err.count("\n")) == (2, 1) and phrase in err
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def _full(*given: object, **named: object) -> None:
    raise OSError(28, "No space left on device", "there/00000")


def test_a_disk_that_is_full_when_a_task_is_marked_as_done_is_said_in_a_sentence(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = pytest.importorskip("datatrove.executor.base", reason="wants the extra corpus")
    monkeypatch.setattr(base.PipelineExecutor, "mark_rank_as_completed", _full)
    code, _, err = say_prepare(songs, tmp_path / "shards", capsys, "--workers", "1")
    assert (code, err.count("\n")) == (2, 1)
    assert "cannot be used (No space left on device: there/00000); see to it and prepare again" in err


def _killed(folder: Path, task: int, tasks: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_task_whose_process_is_killed_ends_the_preparation_in_a_sentence(
    songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engines = pytest.importorskip("seq2drum.data.corpus.stages", reason="wants the extra corpus")
    stages.plan(tmp_path, [songs], None, ANY)
    monkeypatch.setattr(engines, "STAGES", [stages.Stage("read", _killed)])
    with pytest.raises(CorpusError, match="ended before its job was done, most likely for want of memory"):
        engines.local(engines.Run(tmp_path, 2, 2, {}), print)


@pytest.mark.parametrize("option", ["--data", "--data-out", "--cache", "--manifest"])
def test_a_name_that_a_script_has_not_set_is_not_the_folder_that_it_runs_in(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    code, _, err = say_prepare(songs, tmp_path / "shards", capsys, option, "")
    assert code == 2 and f"argument {option}: wanted the name of a file or a folder, found nothing" in err
    assert not list(tmp_path.iterdir())


def test_without_datatrove_the_extra_is_named(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "seq2drum.data.corpus.stages", raising=False)
    for name in [name for name in sys.modules if name.startswith("datatrove")] + ["datatrove"]:
        monkeypatch.setitem(sys.modules, name, None)
    code, _, err = say_prepare(songs, tmp_path / "shards", capsys)
    assert code == 2 and "--data-out needs datatrove" in err and "pip install 'seq2drum[corpus]'" in err


def test_engines_that_are_not_here_are_named(
    songs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datatrove", reason="wants the extra corpus")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "ray", None)
    slurm = ("--engine", "slurm", "--slurm", "partition=cpu", "time=1")
    for words, phrase in (
        (slurm, "wants sbatch, which is not here"),
        (("--engine", "ray"), "needs ray: pip install ray"),
    ):
        code, out, err = say_prepare(songs, tmp_path / "shards", capsys, *words)
        assert (code, out) == (2, "") and phrase in err
    (tmp_path / "sbatch").write_text(f"#!{sys.executable}\nraise SystemExit(3)\n")
    (tmp_path / "sbatch").chmod(0o755)
    code, _, err = say_prepare(songs, tmp_path / "shards", capsys, *slurm)
    assert code == 2 and "sbatch refused the job (exit code 3)" in err


PROGRAM = """
import os, signal, sys
from seq2drum import cli
from seq2drum.data.corpus import parts, stages
parts._FILES, stages.SHARD_SONGS = 2, 2
left = int(sys.argv[1])
def dying(file, fsync=os.fsync):
    global left
    left -= 1
    fsync(file)
    if not left:
        os.kill(os.getpid(), signal.SIGKILL)
os.fsync = dying
sys.exit(cli.main(sys.argv[2:]))
"""


def process(dies_at: int, *words: str | Path, path: str = "") -> tuple[int, str]:
    """--mode prepare as a process of its own: its exit code, and what it says.

    dies_at: it is killed (-9) while it writes its nth file; 0: it is not.
    """
    command = [sys.executable, "-c", PROGRAM, str(dies_at), "--mode", "prepare", *map(str, words)]
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "PATH": path or os.environ["PATH"],
    }
    with TemporaryFile("w+") as said:
        run = subprocess.Popen(command, env=environment, stdout=said, stderr=said, cwd=ROOT, start_new_session=True)
        try:
            code = run.wait(120)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)  # a server of datatrove outlives a process that is killed
        said.seek(0)
        return code, said.read()


@pytest.mark.slow
def test_eight_tasks_of_two_processes_make_the_same_bytes_as_one(songs: Path, made: Path, tmp_path: Path) -> None:
    pytest.importorskip("datatrove", reason="wants the extra corpus")
    for tasks, workers in ((1, 1), (8, 2)):
        folder = tmp_path / str(tasks)
        words = ("--data", songs, "--data-out", folder, "--tasks", str(tasks), "--workers", str(workers))
        code, said = process(0, *words)
        assert code == 0 and said.startswith("9 files, 5 songs used\n"), said
        assert bytes_in(folder) == bytes_in(made)


@pytest.mark.slow
def test_a_preparation_that_is_killed_goes_on_where_it_was(songs: Path, made: Path, tmp_path: Path) -> None:
    pytest.importorskip("datatrove", reason="wants the extra corpus")
    words = ("--data", songs, "--data-out", tmp_path / "shards", "--workers", "1")
    for dies_at, tasks in ((3, 2), (4, 3), (20, 3), (18, 1)):
        code, said = process(dies_at, *words, "--tasks", str(tasks))
        assert code == -signal.SIGKILL, said
        assert not (tmp_path / "shards" / stages.INDEX).exists()
    code, said = process(0, *words, "--tasks", "3")
    assert code == 0, said
    assert bytes_in(tmp_path / "shards") == bytes_in(made)
    assert process(0, *words, "--tasks", "2") == (0, said)


SBATCH = """#!{python}
import os, re, subprocess, sys
script = open(sys.argv[-1]).read()
array = re.search(r"--array=0-(\\d+)", script)
for task in range(int(array[1]) + 1):
    known = {{"SLURM_ARRAY_TASK_ID": str(task), "SLURM_JOB_ID": "7", "SLURM_NODELIST": "here"}}
    subprocess.run(["bash", "-c", script], env=os.environ | known, check=True, stdout=2)
print("Submitted batch job 7")
"""
SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do [[ $1 == -n ]] && shift; shift; done
exec "$@"
"""


@pytest.mark.slow
def test_slurm_is_handed_all_stages_in_their_order(songs: Path, made: Path, tmp_path: Path) -> None:
    pytest.importorskip("datatrove", reason="wants the extra corpus")
    programs = tmp_path / "bin"
    programs.mkdir()
    scripts = {"sbatch": SBATCH.format(python=sys.executable), "srun": SRUN, "scontrol": "#!/bin/sh\necho here\n"}
    for name, text in scripts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    path = os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]])
    words: list[Any] = ["--data", songs, "--data-out", tmp_path / "shards", "--engine", "slurm", "--tasks", "2"]
    code, said = process(0, *words, "--slurm", "partition=cpu", "time=1:00:00", path=path)
    assert code == 0, said
    assert stages.account_of(tmp_path / "shards") == stages.account_of(made)


@pytest.mark.slow
def test_ray_runs_all_stages(songs: Path, made: Path, tmp_path: Path) -> None:
    pytest.importorskip("datatrove", reason="wants the extra corpus")
    pytest.importorskip("ray", reason="wants Ray")
    code, said = process(0, "--data", songs, "--data-out", tmp_path / "ray", "--engine", "ray", "--tasks", "2")
    assert code == 0, said
    assert stages.account_of(tmp_path / "ray") == stages.account_of(made)
