"""The watched folder: a song is played to once its file is complete, drums appear complete, no song is played twice."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest

from client import RemoteOptions, RemoteTake, ServerBusy, ServerUnavailable, Unauthenticated, cli, messages, watch
from client.watch import FolderWatch, Ledger, Stamp
from seq2drum.errors import InputError, MidiError, OptionError, OutputError
from seq2drum.formats.midi import midi
from seq2drum.music import song_plan
from seq2drum.music.limits import MIDI_SUFFIXES
from seq2drum.play.drummer import Drummer
from seq2drum.play.options import Options
from seq2drum.system import files
from tests import servers
from tests.conftest import ROOT
from tests.fake_server import Playing, Scripted, real_server, refuse, response_of, serving
from tests.players import strummed

SONG = midi.serialise(strummed())
OTHER = midi.serialise(strummed(4))


@pytest.fixture(scope="module")
def drummer() -> Drummer:
    return Drummer.load()


@pytest.fixture(scope="module")
def address(drummer: Drummer) -> Iterator[str]:
    with serving(Playing(drummer)) as where:
        yield where


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "songs"
    path.mkdir()
    return path


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "drums"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# --- what is whole and what is done -----------------------------------------------------------------------------------


def test_a_file_is_played_to_once_it_has_stayed_the_same_for_a_while_and_only_once() -> None:
    ledger = Ledger(1.0, {})
    assert ledger.see({"a": Stamp(10, 1)}, 0.0) == []
    assert ledger.see({"a": Stamp(20, 1)}, 0.9) == []  # it grows
    assert ledger.see({"a": Stamp(20, 2)}, 1.8) == []  # or is written anew
    assert ledger.see({"a": Stamp(20, 2)}, 2.7) == []
    assert ledger.see({"a": Stamp(20, 2)}, 2.85) == ["a"]
    assert ledger.see({"a": Stamp(20, 2)}, 2.9) == ["a"]  # until it is done
    assert not ledger.is_done
    ledger.finish("a", Stamp(20, 2))
    assert ledger.see({"a": Stamp(20, 2)}, 9.0) == []
    assert ledger.is_done


def test_a_file_that_changes_or_comes_again_is_played_to_again() -> None:
    ledger = Ledger(1.0, {"a": Stamp(10, 1)})
    assert ledger.see({"a": Stamp(10, 1)}, 0.0) == []
    assert ledger.is_done
    assert ledger.see({"a": Stamp(10, 7)}, 1.0) == []
    assert not ledger.is_done
    assert ledger.see({"a": Stamp(10, 7)}, 2.0) == ["a"]
    ledger.finish("a", Stamp(10, 7))
    assert ledger.see({}, 3.0) == []
    assert ledger.see({"a": Stamp(10, 1)}, 4.0) == []
    assert ledger.see({"a": Stamp(10, 1)}, 5.0) == ["a"]


def test_a_file_that_changes_while_it_is_played_to_is_played_to_again() -> None:
    ledger = Ledger(0.0, {})
    assert ledger.see({"a": Stamp(10, 1), "b": Stamp(1, 1)}, 0.0) == ["a", "b"]
    ledger.finish("a", Stamp(10, 1))
    assert ledger.see({"a": Stamp(11, 1), "b": Stamp(1, 1)}, 1.0) == ["a", "b"]


# --- the folder -------------------------------------------------------------------------------------------------------


class Stage:
    """A watch over two folders with a player that a test directs; the songs played, drums written and lines printed."""

    def __init__(self, drummer: Drummer, folder: Path, output: Path) -> None:
        self.drummer, self.folder, self.output = drummer, folder, output
        self.played: list[bytes] = []
        self.own: list[Mapping[str, Any]] = []
        self.written: list[str] = []
        self.lines: list[str] = []
        self.failures: list[Exception] = []
        self.takes = self.at_once = 1

    async def play(self, data: bytes, own: Mapping[str, Any]) -> Sequence[RemoteTake]:
        self.played.append(data)
        self.own.append(own)
        if self.failures:
            raise self.failures.pop(0)
        config = messages.config(RemoteOptions(), self.takes)
        return messages.takes_of(response_of(self.drummer.takes(data, Options(), self.takes), config))

    def watch(self, *, once: bool = False) -> FolderWatch:
        def report(take: RemoteTake, source: str, target: str, seconds: float) -> None:
            self.written.append(Path(target).name)

        async def places() -> int:
            return self.at_once

        said = self.lines.append
        return FolderWatch(self.folder, self.output, self.play, self.takes, report, said, 0.05, once, places)

    def once(self) -> int:
        return asyncio.run(self.watch(once=True).run())

    def until(self, *steps: Callable[[], object] | Callable[[], Awaitable[object]], seconds: float = 20) -> None:
        """Watch until each step in turn has come true, and then stop."""

        async def go() -> None:
            watching = asyncio.create_task(self.watch().run())
            try:
                end = time.monotonic() + seconds
                for step in steps:
                    while not step():
                        assert not watching.done(), watching.exception()
                        assert time.monotonic() < end, (step, self.lines, names(self.output))
                        await asyncio.sleep(0.01)
            finally:
                watching.cancel()
                await asyncio.gather(watching, return_exceptions=True)

        asyncio.run(go())


@pytest.fixture
def stage(drummer: Drummer, folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> Stage:
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "RETRY_SECONDS", (0.02, 0.1))
    return Stage(drummer, folder, output)


def put(path: Path, data: bytes = SONG, *, seconds: float = 0) -> bool:
    """Write a file, as if so many seconds later than now."""
    path.write_bytes(data)
    now = time.time() + seconds
    os.utime(path, (now, now))
    return True


def test_existing_songs_are_played_to_once_and_their_drums_are_those_of_drummer(stage: Stage, drummer: Drummer) -> None:
    for name in ("a.mid", "b.MIDI", "c.kar"):
        put(stage.folder / name)
    for name in ("notes.txt", ".hidden.mid", "~copy.mid", "a.drums.mid", "a.drums.2.mid", "a.human.mid", "d.mid.part"):
        put(stage.folder / name)
    (stage.folder / "folder.mid").mkdir()
    assert stage.once() == 0
    assert names(stage.output) == ["a.drums.mid", "b.drums.mid", "c.drums.mid"]
    assert (stage.output / "b.drums.mid").read_bytes() == drummer.accompany(SONG).to_bytes()
    assert (stage.written, len(stage.played), stage.lines) == (names(stage.output), 3, [])
    assert stage.once() == 0
    assert len(stage.played) == 3


def test_drums_that_are_missing_or_older_than_their_song_are_made(stage: Stage) -> None:
    for name in ("missing", "older", "newer"):
        put(stage.folder / f"{name}.mid")
    stage.output.mkdir()
    put(stage.output / "older.drums.mid", b"old", seconds=-100)
    put(stage.output / "newer.drums.mid", b"mine", seconds=100)
    assert stage.once() == 0
    assert stage.written == ["missing.drums.mid", "older.drums.mid"]
    assert (stage.output / "newer.drums.mid").read_bytes() == b"mine"


def test_input_and_output_may_be_one_folder_and_generated_drums_are_never_played_to(stage: Stage) -> None:
    stage.output, stage.takes = stage.folder, 2
    put(stage.folder / "a.mid")
    assert stage.once() == 0
    assert names(stage.folder) == ["a.drums.1.mid", "a.drums.2.mid", "a.mid"]
    stage.until(lambda: put(stage.folder / "b.mid"), lambda: len(stage.written) == 4)
    assert stage.once() == 0
    assert len(stage.played) == 2


def test_songs_that_appear_or_change_while_watching_are_played_to(stage: Stage, drummer: Drummer) -> None:
    target = stage.output / "a.drums.mid"
    stage.until(
        lambda: stage.output.is_dir(),
        lambda: put(stage.folder / "a.mid", seconds=-1000),  # a copy may be older than the folder
        lambda: len(stage.written) == 1,
        lambda: target.read_bytes() == drummer.accompany(SONG).to_bytes(),
        lambda: put(stage.folder / "a.mid", OTHER, seconds=-900),
        lambda: len(stage.written) == 2,
        lambda: target.read_bytes() == drummer.accompany(OTHER).to_bytes(),
    )
    assert len(stage.played) == 2


def test_a_file_that_is_still_being_written_is_waited_for(stage: Stage, drummer: Drummer) -> None:
    path, sent = stage.folder / "a.mid", 0
    stop = threading.Event()

    def write() -> None:
        nonlocal sent
        with path.open("wb") as file:
            while sent < len(SONG) and not stop.is_set():
                file.write(SONG[sent : sent + 40])
                file.flush()
                sent += 40
                time.sleep(0.005)

    writing = threading.Thread(target=write)
    writing.start()
    try:
        stage.until(lambda: stage.written)
    finally:
        stop.set()
        writing.join()
    assert stage.played == [SONG]
    assert (stage.output / "a.drums.mid").read_bytes() == drummer.accompany(SONG).to_bytes()


def test_a_file_rewritten_while_it_is_read_is_played_to_only_when_complete(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = files.read_file

    def meanwhile(path: Path, most: int) -> bytes:
        data = read(path, most)
        if data == OTHER:
            put(path, SONG)
        return data

    monkeypatch.setattr(files, "read_file", meanwhile)
    put(stage.folder / "a.mid", OTHER)
    assert stage.once() == 0
    assert stage.played == [SONG]


def test_drums_appear_complete_under_a_name_that_no_watch_takes_for_a_song(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()
    fsync = os.fsync

    def look(file: int) -> None:
        seen.update(names(stage.output))
        fsync(file)

    monkeypatch.setattr(os, "fsync", look)
    put(stage.folder / "a.mid")
    assert stage.once() == 0
    (name,) = seen
    assert name.startswith(".")
    assert Path(name).suffix not in MIDI_SUFFIXES
    assert names(stage.output) == ["a.drums.mid"]


def test_a_song_that_cannot_be_played_to_gets_a_note_until_it_can(stage: Stage) -> None:
    error = stage.output / "a.mid.error.txt"
    put(stage.folder / "a.mid")
    put(stage.folder / "b.mid")
    stage.failures = [MidiError("the file ends in the middle of a track")]
    stage.until(
        lambda: stage.written == ["b.drums.mid"],
        lambda: put(stage.folder / "c.mid"),
        lambda: len(stage.written) == 2,
        lambda: error.exists() and error.read_text().startswith("a.mid: the file ends in the middle of a track\n"),
        lambda: put(stage.folder / "a.mid", OTHER),
        lambda: len(stage.written) == 3,
    )
    assert stage.played == [SONG, SONG, SONG, OTHER]  # not again before it changed
    assert stage.lines == ["a.mid: the file ends in the middle of a track"]
    assert names(stage.output) == ["a.drums.mid", "b.drums.mid", "c.drums.mid"]


def test_a_file_that_nobody_reads_gets_a_note_that_says_what_it_is(stage: Stage) -> None:
    put(stage.folder / "riff.mid")
    put(stage.folder / "riff.flp", b"FLhd")
    put(stage.folder / "notes.dat", b"nobody knows")
    put(stage.folder / "scan.pdf", b"%PDF-1.7")
    assert stage.once() == 2
    assert names(stage.output) == ["riff.drums.mid", "riff.flp.error.txt", "scan.pdf.error.txt"]
    assert "a project of FL Studio" in (stage.output / "riff.flp.error.txt").read_text()
    assert (stage.played, len(stage.lines)) == ([SONG], 2)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights here")
def test_a_link_out_of_the_folder_is_neither_sent_nor_are_its_bytes_told(stage: Stage, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"FLhd: mine alone")
    for name in ("away.mid", "away.flp", "away.txt"):
        (stage.folder / name).symlink_to(secret)
    put(stage.folder / "real.mid")
    (stage.folder / "again.mid").symlink_to("real.mid")  # one that stays inside is a song
    assert stage.once() == 2
    assert stage.played == [SONG, SONG]
    assert names(stage.output) == ["again.drums.mid", "away.mid.error.txt", "real.drums.mid"]
    assert "a link out of the folder" in (stage.output / "away.mid.error.txt").read_text()


def test_a_score_is_sent_as_it_is(stage: Stage) -> None:
    put(stage.folder / "song.musicxml", SONG)
    assert stage.once() == 0
    assert (stage.played, names(stage.output)) == ([SONG], ["song.drums.mid"])


def test_once_gives_the_exit_code_of_the_worst_song(stage: Stage) -> None:
    put(stage.folder / "a.mid")
    put(stage.folder / "b.mid")
    stage.failures = [MidiError("it is damaged")]
    assert stage.once() == 2
    assert names(stage.output) == ["a.mid.error.txt", "b.drums.mid"]


def test_two_songs_of_one_name_get_drums_named_apart_the_same_every_time(stage: Stage) -> None:
    put(stage.folder / "a.kar")
    put(stage.folder / "a.mid", OTHER)
    assert stage.once() == 0
    assert names(stage.output) == ["a.kar.drums.mid", "a.mid.drums.mid"]
    assert stage.played == [SONG, OTHER]
    assert stage.once() == 0
    assert stage.played == [SONG, OTHER]  # they are known to be done


def test_drums_stay_when_a_song_of_the_same_name_appears(stage: Stage) -> None:
    put(stage.folder / "a.kar")
    assert stage.once() == 0
    made = (stage.output / "a.drums.mid").read_bytes()
    stage.until(lambda: put(stage.folder / "a.mid", OTHER), lambda: (stage.output / "a.mid.drums.mid").exists())
    assert (stage.output / "a.drums.mid").read_bytes() == made


@pytest.mark.parametrize("failure", [ServerUnavailable("no server answers"), ServerBusy("full", retry_seconds=0.03)])
def test_an_absent_or_busy_server_is_waited_for_and_one_line_says_so(stage: Stage, failure: Exception) -> None:
    put(stage.folder / "a.mid")
    stage.failures = [failure] * 4
    stage.until(lambda: stage.written == ["a.drums.mid"])
    assert len(stage.played) == 5
    assert stage.lines == [f"{failure}; waiting", "going on"]
    assert names(stage.output) == ["a.drums.mid"]
    stage.failures = [failure]
    put(stage.folder / "b.mid")
    with pytest.raises(type(failure)):
        stage.once()


def test_a_server_that_refuses_the_token_ends_the_watch(stage: Stage) -> None:
    put(stage.folder / "a.mid")
    stage.failures = [Unauthenticated("wrong token")]
    with pytest.raises(Unauthenticated):
        asyncio.run(stage.watch().run())


def test_a_full_disk_is_waited_for_and_earlier_files_stay(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    stage.output.mkdir()
    put(stage.output / "a.drums.mid", b"old", seconds=-100)
    put(stage.folder / "a.mid")
    full, fsync = [OSError(28, "No space left on device")] * 2, os.fsync

    def fail(file: int) -> None:
        if full:
            assert (stage.output / "a.drums.mid").read_bytes() == b"old"
            raise full.pop()
        fsync(file)

    monkeypatch.setattr(os, "fsync", fail)
    stage.until(lambda: stage.written == ["a.drums.mid"])
    assert names(stage.output) == ["a.drums.mid"]
    assert "No space left on device" in stage.lines[0]
    assert stage.lines[1:] == ["going on"]


def test_a_refused_song_whose_name_is_no_text_does_not_end_the_watch(stage: Stage) -> None:
    odd = os.fsdecode(b"a\xff.mid")
    try:
        put(stage.folder / odd)
    except OSError:
        pytest.skip("this file system takes only names that are text")
    put(stage.folder / "b.mid")
    stage.failures = [MidiError("it is damaged")]
    assert stage.once() == 2
    assert names(stage.output) == [f"{odd}.error.txt", "b.drums.mid"]
    assert (stage.output / f"{odd}.error.txt").read_text().startswith("a\\udcff.mid: it is damaged\n")


def test_a_name_that_leaves_no_room_for_that_of_its_drums_is_refused_and_the_others_go_on(stage: Stage) -> None:
    put(stage.folder / ("a" * 250 + ".mid"))
    put(stage.folder / "b.mid")
    assert stage.once() == 2
    assert names(stage.output) == ["b.drums.mid"]
    assert len(stage.lines) == 1 and "could not be written (File name too long)" in stage.lines[0]


def test_drums_that_cannot_be_written_do_not_stop_later_songs(stage: Stage) -> None:
    (stage.output / "a.drums.mid").mkdir(parents=True)
    for name in ("a", "b", "c"):
        put(stage.folder / f"{name}.mid")
    stage.until(
        lambda: stage.written == ["b.drums.mid", "c.drums.mid"],
        lambda: len(stage.played) >= 5,  # it is tried again, and what is the matter is said once
        lambda: not (stage.output / "a.drums.mid").rmdir(),
        lambda: stage.written[2:] == ["a.drums.mid"],
    )
    assert stage.lines == [f"a.mid: {stage.output / 'a.drums.mid'} is a folder; name a file in it; waiting", "going on"]


def test_once_says_which_drums_cannot_be_written_and_makes_the_others(stage: Stage) -> None:
    (stage.output / "a.drums.mid").mkdir(parents=True)
    put(stage.folder / "a.mid")
    put(stage.folder / "b.mid")
    assert stage.once() == 2
    assert names(stage.output) == ["a.drums.mid", "a.mid.error.txt", "b.drums.mid"]


def test_as_many_songs_as_the_server_plays_are_sent_at_once_in_the_order_of_their_names(stage: Stage) -> None:
    songs = [midi.serialise(strummed(bars)) for bars in (1, 2, 3, 4, 5)]
    for name, data in zip("abcde", songs, strict=True):
        put(stage.folder / f"{name}.mid", data)
    play, inside, most, full = stage.play, 0, 0, asyncio.Event()

    async def slow(data: bytes, own: Mapping[str, Any]) -> Sequence[RemoteTake]:
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        takes = await play(data, own)
        if inside == 3:
            full.set()
        await asyncio.wait_for(full.wait(), 20)
        inside -= 1
        return takes

    stage.play, stage.at_once = slow, 3  # type: ignore[method-assign]
    assert stage.once() == 0
    assert (most, stage.played, stage.written) == (3, songs, [f"{name}.drums.mid" for name in "abcde"])


def test_a_song_that_the_server_puts_off_does_not_stand_in_the_way_of_others(stage: Stage) -> None:
    put(stage.folder / "a.mid", OTHER)
    put(stage.folder / "b.mid")
    play = stage.play

    async def deadly(data: bytes, own: Mapping[str, Any]) -> Sequence[RemoteTake]:
        if data == OTHER:
            raise ServerUnavailable("no player is ready", reason="NOT_READY", retry_seconds=0.01)
        return await play(data, own)

    stage.play = deadly  # type: ignore[method-assign]
    stage.until(lambda: stage.written == ["b.drums.mid"])


def test_a_song_that_kills_player_after_player_gets_a_note(stage: Stage) -> None:
    put(stage.folder / "a.mid")
    put(stage.folder / "b.mid")
    stage.failures = [ServerUnavailable("the process died", reason="WORKER_DIED", retry_seconds=0.5)]
    assert stage.once() == 3
    assert names(stage.output) == ["a.mid.error.txt", "b.drums.mid"]


def test_a_folder_that_disappears_is_waited_for(stage: Stage) -> None:
    away = stage.folder.with_name("away")
    stage.until(
        lambda: stage.output.is_dir(),
        lambda: stage.folder.rename(away),
        lambda: stage.lines,
        lambda: away.rename(stage.folder),
        lambda: put(stage.folder / "a.mid"),
        lambda: stage.written,
    )
    assert stage.lines[0] == f"the folder {stage.folder} cannot be read; waiting for it"


def test_folders_that_cannot_be_used_are_refused(stage: Stage) -> None:
    put(stage.output, b"a file")
    with pytest.raises(OptionError, match="is a file"):
        stage.once()
    stage.output = stage.output / "below"
    with pytest.raises(OutputError, match="cannot be made"):
        stage.once()
    stage.folder = stage.folder / "nothing"
    with pytest.raises(InputError, match="there is no folder"):
        stage.once()


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_plays_with_the_options_given(
    address: str, drummer: Drummer, folder: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "a.mid")
    put(folder / "b.mid", b"no music")
    words = ["watch", str(folder), str(output), "--server", address, "--once", "--settle", "0.05"]
    assert cli.main([*words, "--style", "rock", "--seed", "3", "--with-guitar", "--takes", "2"]) == 2
    out, err = capsys.readouterr()
    takes = drummer.takes(SONG, Options(style="rock", seed=3), 2)
    for number, take in enumerate(takes, 1):
        assert (output / f"a.drums.{number}.mid").read_bytes() == take.to_bytes(with_guitar=True)
    assert out.startswith(f"{output / 'a.drums.1.mid'}: 8 bars")
    assert err == "seq2drum: b.mid: this is not a MIDI file: it begins with 'no m', not with 'MThd'\n"
    assert (output / "b.mid.error.txt").exists()


def test_the_command_plays_on_a_plan_and_refuses_a_song_that_it_does_not_fit(
    address: str, drummer: Drummer, folder: Path, output: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "a.mid")
    plan = tmp_path / "plan.json"
    rows = [row._replace(enters=3) for row in drummer.accompany(SONG).plan]
    plan.write_bytes(song_plan.as_json(rows))
    words = ["watch", str(folder), str(output), "--server", address, "--once", "--settle", "0.05", "--plan", str(plan)]
    assert cli.main(words) == 0
    wanted = drummer.accompany(SONG, plan=song_plan.read(plan)).to_bytes()
    assert (output / "a.drums.mid").read_bytes() == wanted != drummer.accompany(SONG).to_bytes()
    plan.write_bytes(song_plan.as_json([row._replace(last=7) for row in rows]))
    put(folder / "b.mid")
    assert cli.main(words) == 2
    assert "the plan has bars 1-7" in (output / "b.mid.error.txt").read_text()
    capsys.readouterr()
    assert cli.main([*words[:-1], str(tmp_path / "none.json")]) == 2
    assert "none.json does not exist; give the path of a plan" in capsys.readouterr().err


def test_a_song_may_have_its_own_options_beside_it(
    address: str, drummer: Drummer, folder: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = {
        "a.mid": '{"style": "jazz", "seed": 7, "groove": null}',
        "b.mid": '{"styl": "jazz"}',
        "c.mid": "[1]",
        "d.mid": '{"groove": "other.mid"}',
        "e.mid": '{"intensity": 7}',
        "f.mid": "[" * 60_000,
    }
    for name, text in own.items():
        put(folder / f"{name}.json", text.encode())
        put(folder / name)
    words = ["watch", str(folder), str(output), "--server", address, "--once", "--settle", "0.05", "--style", "rock"]
    assert cli.main(words) == 2
    assert (output / "a.drums.mid").read_bytes() == drummer.accompany(SONG, Options(style="jazz", seed=7)).to_bytes()
    for name, said in (
        ("b", "there is no option 'styl'; did you mean style?"),
        ("c", "c.mid.json holds no options; wanted a JSON object"),
        ("d", "the groove is a file, 'other.mid'; wanted the name of a groove"),
        ("e", "intensity"),
        ("f", "f.mid.json holds no options"),
    ):
        assert said in (output / f"{name}.mid.error.txt").read_text()
    assert len(names(output)) == 6
    capsys.readouterr()


def test_once_without_a_server_is_reported_and_writes_nothing(
    folder: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "a.mid")
    words = ["watch", str(folder), str(output), "--server", "127.0.0.1:1", "--once", "--settle", "0"]
    assert cli.main(words) == 3
    assert capsys.readouterr().err.startswith("seq2drum: no server answers at 127.0.0.1:1")
    assert names(output) == []


def test_a_wrong_token_ends_the_command_with_one_line(
    folder: Path, output: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    put(folder / "a.mid")

    def do(attempt: int, context: Any) -> None:
        refuse(context, grpc.StatusCode.UNAUTHENTICATED, "the token is not the right one", "CREDENTIALS_WRONG")

    with serving(Scripted(do)) as where:
        assert cli.main(["watch", str(folder), str(output), "--server", where, "--settle", "0"]) == 2
    assert capsys.readouterr().err == "seq2drum: the token is not the right one\n"


@pytest.fixture
def watching(folder: Path, output: Path, tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(where: str) -> subprocess.Popen[str]:
        words = [
            sys.executable,
            "-m",
            "client",
            "watch",
            str(folder),
            str(output),
            "--server",
            where,
            "--settle",
            "0.1",
        ]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen([*words, "--settle", "0.1"], cwd=ROOT, **pipes))  # type: ignore[call-overload]
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(path: Path, process: subprocess.Popen[str], seconds: float = 30) -> None:
    until = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.slow
def test_the_command_outlives_its_server_and_ctrl_c_ends_it(
    watching: Callable[[str], subprocess.Popen[str]], drummer: Drummer, folder: Path, output: Path
) -> None:
    with serving(Playing(drummer)) as where:
        process = watching(where)
        put(folder / "a.mid")
        wait_for(output / "a.drums.mid", process)
    put(folder / "b.mid")
    assert "waiting" in process.stderr.readline()
    with serving(Playing(drummer), port=int(where.rpartition(":")[2])):
        wait_for(output / "b.drums.mid", process)
        assert (output / "b.drums.mid").read_bytes() == drummer.accompany(SONG).to_bytes()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0
    assert [line.partition(":")[0] for line in out.splitlines()] == [
        str(output / f"{name}.drums.mid") for name in ("a", "b")
    ]
    assert err.splitlines() == ["seq2drum: going on", "seq2drum: stopped"]


@pytest.mark.slow
def test_a_real_song_through_the_real_server(
    watching: Callable[[str], subprocess.Popen[str]], drummer: Drummer, folder: Path, output: Path, tmp_path: Path
) -> None:
    song = ROOT / "examples" / "seven_eight.mid"
    with real_server(tmp_path) as where:
        process = watching(where)
        put(folder / "song.mid", song.read_bytes()[:500])  # half of it: the server calls it damaged
        wait_for(output / "song.mid.error.txt", process)
        put(folder / "song.mid", song.read_bytes())
        wait_for(output / "song.drums.mid", process)
        assert (output / "song.drums.mid").read_bytes() == drummer.accompany(song).to_bytes()
        until = time.monotonic() + 10
        while (output / "song.mid.error.txt").exists() and time.monotonic() < until:
            time.sleep(0.02)
        assert names(output) == ["song.drums.mid"]


@pytest.mark.slow
@pytest.mark.parametrize("engines", [1, 2])
def test_a_folder_of_songs_is_done_though_a_player_is_killed_in_the_middle(
    engines: int, folder: Path, output: Path, tmp_path: Path
) -> None:
    for number in range(120):
        put(folder / f"{number:03}.mid")
    words = ["watch", str(folder), str(output), "--once", "--settle", "0", "--seed", "3", "--server"]
    with servers.process(tmp_path, "--port", "0", "--engines", str(engines), "--screens", "1") as server:
        port = server.port()
        server.wait("ready in")
        watching = subprocess.Popen(
            [sys.executable, "-m", "client", *words, f"127.0.0.1:{port}"], cwd=ROOT, stdout=subprocess.PIPE
        )
        done = 20
        while "WORKER_DIED" not in server.printed():
            assert watching.poll() is None
            if output.is_dir() and len(names(output)) >= done:  # one that has taken no call dies untold: then another
                server.players()[0].kill()
                done = len(names(output)) + 15
            time.sleep(0.01)
        printed, _ = watching.communicate(timeout=180)
        assert watching.returncode == 0
        assert names(output) == [f"{number:03}.drums.mid" for number in range(120)]
        assert len({path.read_bytes() for path in output.iterdir()}) == 1
        assert len(printed.splitlines()) == 120
