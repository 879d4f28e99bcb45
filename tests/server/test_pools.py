"""Those who look after workers: calls get their answers, dead workers are replaced, and nothing is left behind."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import psutil
import pytest

from seq2drum import Drummer
from seq2drum.rpc import accompaniment_pb2 as pb
from server import ipc, parser_pool, player_pool, statuses, workers
from server.ipc import Frame
from server.parser_pool import ParserPool
from server.player_pool import PlayerPool
from server.settings import Settings
from server.statuses import Refusal, StatusError
from server.workers import StartError, Worker

ROOT = Path(__file__).parents[2]
FAKE = (sys.executable, "-P", str(Path(__file__).parents[1].joinpath("fake_worker.py")))
LONG = 60.0  # seconds within which anything has happened, on the slowest machine
posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


def run(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a test, and see that it leaves neither a task nor a process."""

    async def whole() -> None:
        async with asyncio.timeout(2 * LONG):
            await test()
        assert asyncio.all_tasks() == {asyncio.current_task()}, "a task is left"

    before = psutil.Process().children(recursive=True)
    asyncio.run(whole())
    left = [child for child in psutil.Process().children(recursive=True) if child not in before]
    assert not left, "a process is left, alive or unburied"


@contextlib.asynccontextmanager
async def parsers(*words: str, command: tuple[str, ...] = FAKE, **changed: Any) -> AsyncIterator[ParserPool]:
    pool = ParserPool(command=(*command, *words))
    await pool.start(Settings(**{"screens": 1, "screen_seconds": LONG, **changed}))
    try:
        yield pool
    finally:
        await pool.stop()


@contextlib.asynccontextmanager
async def players(
    *words: str, command: tuple[str, ...] = FAKE, pool: PlayerPool | None = None, **changed: Any
) -> AsyncIterator[PlayerPool]:
    pool = pool or PlayerPool(command=(*command, *words))
    await pool.start(Settings(**{"engines": 1, **changed}))
    try:
        yield pool
    finally:
        await pool.stop()


async def until(happened: Callable[[], bool]) -> None:
    async with asyncio.timeout(LONG):
        while not happened():
            await asyncio.sleep(0.005)


async def refused(answer: Awaitable[object]) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        await answer
    return refusal.value


async def played(pool: PlayerPool, body: bytes) -> list[Frame]:
    async with contextlib.aclosing(pool.play(body, bars=True)) as call:
        return [frame async for frame in call]


def worker_of(answer: bytes) -> int:
    return int(answer.partition(b":")[0])


# --- reading ----------------------------------------------------------------------------------------------------------


def test_files_are_read_and_refused_by_the_real_worker() -> None:
    async def test() -> None:
        async with parsers(command=parser_pool.PARSER_COMMAND) as pool:
            music = (ROOT / "examples" / "waltz.mid").read_bytes()
            answer = await pool.analyze(pb.GenerateDrumsRequest(midi=music).SerializeToString(), LONG)
            assert pb.AnalyzeGuitarResponse.FromString(answer).timeline.bars == 32
            with pytest.raises(StatusError) as refusal:
                await pool.analyze(pb.GenerateDrumsRequest(midi=b"<html>").SerializeToString(), LONG)
            assert statuses.reason_of(refusal.value.status) == "INVALID_MIDI"
            assert "this is a page of the web" in refusal.value.status.message

    run(test)


def test_many_files_at_once_share_few_workers() -> None:
    async def test() -> None:
        async with parsers(screens=2) as pool:
            files = [b"%d" % number for number in range(50)]
            answers = await asyncio.gather(*(pool.analyze(file, LONG) for file in files))
            assert [answer.partition(b":")[2] for answer in answers] == files
            assert {worker_of(answer) for answer in answers} == set(pool.pids)

    run(test)


def test_a_large_file_goes_there_and_back() -> None:
    async def test() -> None:
        async with parsers() as pool:
            file = os.urandom(3 << 20)
            assert (await pool.analyze(file, LONG)).endswith(b":" + file)

    run(test)


def test_an_answer_may_be_larger_than_a_frame() -> None:
    async def test() -> None:
        async with parsers() as pool:
            for tens in (1, ipc.PIECE_BYTES // 10 + 1, ipc.PIECE_BYTES):
                assert b"".join(await pool.render(b"pieces %d" % tens, LONG)) == b"0123456789" * tens

    run(test)


def test_a_file_that_takes_too_long_is_refused_and_its_worker_replaced() -> None:
    async def test() -> None:
        async with parsers(screen_seconds=0.3) as pool:
            before = pool.pids
            refusal = await refused(pool.analyze(b"spin", LONG))
            assert (refusal.reason, refusal.field) == ("MIDI_TOO_COMPLEX", "midi")
            assert "0.3 seconds" in str(refusal)
            assert worker_of(await pool.analyze(b"next", LONG, recording=True)) not in before  # with more time
            assert not psutil.pid_exists(before[0])

    run(test)


def test_who_has_many_files_to_be_read_does_not_keep_another_waiting_for_all_of_them() -> None:
    async def test() -> None:
        async with parsers(screens=1) as pool:
            order: list[str] = []

            async def read(caller: str) -> None:
                await pool.analyze(caller.encode(), LONG, caller=caller)
                order.append(caller)

            async with asyncio.TaskGroup() as group:
                for caller in ("many", "many", "many", "few"):
                    group.create_task(read(caller))
            assert order == ["many", "few", "many", "many"]

    run(test)


def test_a_caller_whose_files_take_long_leaves_a_worker_for_others() -> None:
    async def test() -> None:
        async with parsers(screens=2) as pool:
            slow = [asyncio.create_task(pool.analyze(b"spin", LONG, caller="slow")) for _ in range(3)]
            await asyncio.sleep(0)
            for number in range(5):
                body = b"%d" % number
                assert (await pool.analyze(body, LONG, caller="other")).endswith(body)
            assert not any(task.done() for task in slow)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    run(test)


def test_notation_of_many_callers_leaves_a_worker_for_files_that_are_read_at_once() -> None:
    async def test() -> None:
        async with parsers(screens=2) as pool:
            slow = [
                asyncio.create_task(pool.analyze(b"spin", LONG, notation=True, caller=f"slow {number}"))
                for number in range(3)
            ]
            await asyncio.sleep(0)
            assert (await pool.analyze(b"quick", LONG, caller="other")).endswith(b"quick")
            assert not any(task.done() for task in slow)
            for task in slow:
                task.cancel()
            await asyncio.gather(*slow, return_exceptions=True)

    run(test)


def test_a_caller_gets_its_share_back_when_a_file_was_read_or_its_worker_died() -> None:
    async def test() -> None:
        async with parsers(screens=2) as pool:
            for body in (b"die", b"refuse", b"first", b"second"):
                answer = pool.analyze(body, LONG, notation=True, caller="one")
                if body in (b"die", b"refuse"):
                    with pytest.raises((Refusal, StatusError)):
                        await answer
                else:
                    assert (await answer).endswith(body)

    run(test)


def test_a_worker_that_hangs_does_not_blame_the_file_which_another_reads() -> None:
    async def test() -> None:
        async with parsers(screen_seconds=0.3) as pool:
            (pid,) = pool.pids
            os.kill(pid, signal.SIGSTOP)
            answer = asyncio.create_task(pool.analyze(b"file", LONG))
            assert worker_of(await answer) != pid
            assert not psutil.pid_exists(pid)

    run(test)


def test_a_file_with_which_every_worker_hangs_is_refused_without_blame() -> None:
    async def test() -> None:
        async with parsers(screen_seconds=0.3) as pool:
            refusal = await refused(pool.analyze(b"hang", LONG))
            assert refusal.reason == "WORKER_DIED" and refusal.retry_seconds

    run(test)


@pytest.mark.parametrize("end", [b"die", b"tear", b"nonsense", b"headless"])
def test_a_worker_that_dies_while_reading_fails_the_call_and_is_replaced(end: bytes) -> None:
    async def test() -> None:
        async with parsers() as pool:
            before = pool.pids
            refusal = await refused(pool.analyze(end, LONG))
            assert refusal.reason == "WORKER_DIED" and refusal.retry_seconds
            assert worker_of(await pool.analyze(b"next", LONG)) not in before

    run(test)


@posix
def test_a_worker_that_is_killed_while_reading_fails_the_call_at_once() -> None:
    async def test() -> None:
        async with parsers() as pool:
            call = asyncio.create_task(pool.analyze(b"hang", LONG))
            await asyncio.sleep(0.1)
            (pid,) = pool.pids
            os.kill(pid, signal.SIGKILL)
            assert (await refused(call)).reason == "WORKER_DIED"
            assert worker_of(await pool.analyze(b"next", LONG)) != pid

    run(test)


@posix
def test_a_worker_that_is_killed_while_idle_is_replaced_before_the_next_call() -> None:
    async def test() -> None:
        changes: list[bool] = []
        pool = ParserPool(command=FAKE, changed=lambda: changes.append(pool.ready))
        await pool.start(Settings(screens=1))
        try:
            (pid,) = pool.pids
            os.kill(pid, signal.SIGKILL)
            await until(lambda: bool(pool.pids) and pool.pids != (pid,))
            assert changes == [True, False, True]
            assert worker_of(await pool.analyze(b"next", LONG)) == pool.pids[0]
        finally:
            await pool.stop()
        assert changes == [True, False, True, False]

    run(test)


def test_a_call_without_time_left_is_refused_and_its_file_is_not_read() -> None:
    async def test() -> None:
        async with parsers() as pool:
            (pid,) = pool.pids
            hanging = asyncio.create_task(pool.analyze(b"hang", LONG))
            await asyncio.sleep(0)
            assert (await refused(pool.analyze(b"die", 0.05))).reason == "DEADLINE_PASSED"
            psutil.Process(pid).kill()
            assert (await refused(hanging)).reason == "WORKER_DIED"
            now = worker_of(await pool.analyze(b"next", LONG))
            assert worker_of(await pool.analyze(b"next", LONG)) == now, "the file that kills was not read"

    run(test)


def test_a_call_that_ends_while_its_file_is_read_does_not_cost_the_worker() -> None:
    async def test() -> None:
        async with parsers() as pool:
            (pid,) = pool.pids
            assert (await refused(pool.analyze(b"nap", 0.05))).reason == "DEADLINE_PASSED"
            leaving = asyncio.create_task(pool.analyze(b"nap", LONG))
            await asyncio.sleep(0.6)
            leaving.cancel()
            await asyncio.gather(leaving, return_exceptions=True)
            assert worker_of(await pool.analyze(b"next", LONG)) == pid

    run(test)


def test_a_file_given_to_a_worker_that_dies_at_that_moment_goes_to_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        async with parsers(screens=2) as pool:
            for turns in range(8):  # of the loop, between its death and the file
                await until(lambda: len(pool.pids) == 2)
                files = [b"%d" % number for number in range(2)]
                dying = psutil.Process(pool.pids[0])
                dying.kill()
                with contextlib.suppress(psutil.NoSuchProcess):
                    while dying.status() != psutil.STATUS_ZOMBIE:
                        time.sleep(0.001)
                for _ in range(turns):
                    await asyncio.sleep(0)
                answers = await asyncio.gather(*(pool.analyze(file, LONG) for file in files))
                assert [answer.partition(b":")[2] for answer in answers] == files
                assert dying.pid not in map(worker_of, answers)

    monkeypatch.setattr(workers, "START_WINDOW", 0.0)  # deaths are replaced at once
    run(test)


def test_the_file_of_a_call_that_left_the_queue_is_not_read() -> None:
    async def test() -> None:
        async with parsers() as pool:
            (pid,) = pool.pids
            reading, waiting = (asyncio.create_task(pool.analyze(body, LONG)) for body in (b"nap", b"die"))
            await asyncio.sleep(0)
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
            assert await reading == b"rested"
            assert worker_of(await pool.analyze(b"next", LONG)) == pid

    run(test)


def test_more_files_than_may_wait_are_refused_with_a_time_to_retry() -> None:
    async def test() -> None:
        async with parsers(waiting=1, playing=1, uploads=1) as pool:
            calls = [asyncio.create_task(pool.analyze(b"hang", LONG)) for _ in range(4)]
            await asyncio.sleep(0)
            refusal = await refused(pool.analyze(b"one more", LONG))
            assert refusal.reason == "QUEUE_FULL" and refusal.retry_seconds
            await pool.stop()
            assert [(await refused(call)).reason for call in calls] == ["SHUTTING_DOWN"] * 4

    run(test)


def test_after_the_end_nothing_is_read_or_played() -> None:
    async def test() -> None:
        async with parsers() as pool, players() as band:
            await asyncio.gather(pool.stop(), band.stop())
            await pool.stop()
            assert not pool.ready and not band.ready and not pool.pids
            assert (await refused(pool.analyze(b"x", LONG))).reason == "SHUTTING_DOWN"
            assert (await refused(played(band, b"x"))).reason == "SHUTTING_DOWN"

    run(test)


# --- starting ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ParserPool, PlayerPool])
@pytest.mark.parametrize(
    ("command", "message"),
    [
        ((*FAKE, "broken"), "exit status 7"),
        (("/no/such/program",), "cannot be started"),
        ((sys.executable, "-c", "print('hello' * 99)"), "before it was ready"),
    ],
)
def test_a_worker_that_cannot_be_started_raises_start_error(
    kind: type[ParserPool] | type[PlayerPool], command: tuple[str, ...], message: str
) -> None:
    async def test() -> None:
        pool = kind(command=command)
        with pytest.raises(StartError, match=message):
            await pool.start(Settings(screens=2, engines=2))
        assert not pool.ready

    run(test)


def test_the_status_with_which_a_worker_fails_to_start_is_handed_on() -> None:
    async def test() -> None:
        with pytest.raises(StatusError) as refusal:
            await PlayerPool(command=(*FAKE, "failed")).start(Settings(engines=2))
        assert statuses.reason_of(refusal.value.status) == "MODEL_UNUSABLE"

    run(test)


def test_a_worker_that_never_gets_ready_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        with pytest.raises(StartError, match="not ready after"):
            await ParserPool(command=(*FAKE, "silent")).start(Settings(screens=1))

    monkeypatch.setattr(workers, "READY_SECONDS", 0.3)
    run(test)


def test_a_start_that_is_cancelled_leaves_no_process() -> None:
    async def test() -> None:
        start = asyncio.create_task(PlayerPool(command=(*FAKE, "silent")).start(Settings(engines=2)))
        await asyncio.sleep(0.2)
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start

    run(test)


def test_a_worker_that_does_not_end_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with parsers("stubborn") as pool, players("stubborn") as band:
            await pool.analyze(b"x", LONG)
            assert band.ready

    monkeypatch.setattr(workers, "GRACE_SECONDS", 0.2)
    run(test)


def test_workers_find_this_package_wherever_they_are_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with parsers(command=parser_pool.PARSER_COMMAND) as pool:
            assert pool.ready

    (tmp_path / "server").mkdir()
    (tmp_path / "server" / "__init__.py").write_text("raise SystemExit(9)", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    run(test)


# --- playing ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_songs_are_played_by_the_real_worker_as_the_core_plays_them() -> None:
    async def test() -> None:
        async with players(command=player_pool.PLAYER_COMMAND) as pool:
            listed = pb.ListModelsResponse.FromString(pool.models)
            assert listed.default_model == "default" and [each.id for each in listed.models] == ["default", "live"]
            assert pb.ListDrumMapsResponse.FromString(pool.maps).maps[0].id == "gm"
            music = (ROOT / "examples" / "waltz.mid").read_bytes()
            frames = await played(pool, pb.GenerateDrumsRequest(midi=music).SerializeToString())
            assert sum(frame.head["what"] == "bar" for frame in frames) == 32
            reply = pb.GenerateDrumsResponse.FromString(frames[-1].body)
            assert reply.takes[0].midi == Drummer.load().accompany(music).to_bytes()

    run(test)


def test_a_beat_without_an_end_ends_with_the_worker_that_has_it() -> None:
    async def test() -> None:
        async with players(engines=2) as pool:
            async with pool.beat_session() as more:
                said = [[frame.body async for frame in more(b"x")] for _ in range(3)]
                assert said == 3 * [said[0]] and len(pool.pids) == 2  # always the same of the two
                for body in (b"die", b"x"):
                    with pytest.raises(Refusal) as refusal:
                        async with contextlib.aclosing(more(body)) as frames:
                            [frame async for frame in frames]
                    assert refusal.value.reason == "WORKER_DIED"
            assert pool.playing == 0

    run(test)


def test_calls_at_once_get_each_their_own_frames() -> None:
    async def test() -> None:
        async with players(engines=2) as pool:
            tables = (pool.models, pool.maps, pool.grooves, pool.generators)
            assert tables == (b"models", b"maps", b"grooves", b"generators")
            replies = await asyncio.gather(*(played(pool, b"bars %d" % count) for count in range(30)))
            assert [[frame.body for frame in frames] for frames in replies] == [
                [*(b"%d" % number * 100 for number in range(count)), b"all"] for count in range(30)
            ]
            assert pool.playing == 0

    run(test)


def test_a_call_goes_to_the_player_with_the_fewest() -> None:
    async def test() -> None:
        async with players(engines=3) as pool:
            calls = [pool.play(b"stay", bars=True) for _ in range(6)]
            first = [int((await anext(call)).body) for call in calls]
            assert sorted(first[:3]) == sorted(first[3:]) == sorted(pool.pids)
            await calls[4].aclose()
            await until(lambda: pool.playing == 5)
            again = pool.play(b"stay", bars=True)
            assert int((await anext(again)).body) == first[4]
            for call in (*calls, again):
                await call.aclose()

    run(test)


def test_a_caller_that_reads_slowly_holds_up_nobody() -> None:
    async def test() -> None:
        async with players() as pool:
            slow = pool.play(b"bars 30000", bars=True)
            await anext(slow)
            assert (await played(pool, b"bars 3"))[-1].body == b"all"
            assert len([frame async for frame in slow]) == 30_000

    run(test)


def test_a_call_that_fails_says_why() -> None:
    async def test() -> None:
        async with players() as pool:
            with pytest.raises(StatusError) as refusal:
                await played(pool, b"refuse")
            assert statuses.reason_of(refusal.value.status) == "MIDI_TOO_LARGE"
            assert pool.playing == 0

    run(test)


def test_a_call_that_is_closed_or_cancelled_is_left_by_the_player() -> None:
    async def test() -> None:
        async with players() as pool:
            closed = pool.play(b"stay", bars=True)
            await anext(closed)
            cancelled = asyncio.create_task(played(pool, b"stay"))
            await until(lambda: pool.playing == 2)
            await closed.aclose()
            cancelled.cancel()
            await asyncio.gather(cancelled, return_exceptions=True)
            await until(lambda: pool.playing == 0)
            assert (await played(pool, b"x"))[-1].head["what"] == "done"

    run(test)


def test_a_call_that_ends_by_itself_is_not_cancelled_as_well() -> None:
    async def test() -> None:
        posted: list[Frame] = []
        post = Worker.post

        def note(worker: Worker, frame: Frame) -> None:
            posted.append(frame)
            post(worker, frame)

        async with players() as pool:
            monkeypatch.setattr(Worker, "post", note)
            await played(pool, b"bars 2")
            with pytest.raises(StatusError):
                await played(pool, b"refuse")
            assert [frame.head["what"] for frame in posted] == ["play", "play"]

    with pytest.MonkeyPatch.context() as monkeypatch:
        run(test)


def test_when_a_player_dies_its_calls_fail_and_the_others_go_on() -> None:
    async def test() -> None:
        async with players(engines=2) as pool:
            calls = [pool.play(b"stay", bars=True) for _ in range(4)]
            where = [int((await anext(call)).body) for call in calls]
            assert where[0] == where[2] != where[1] == where[3]
            psutil.Process(where[0]).kill()
            for call in calls[::2]:
                refusal = await refused(anext(call))
                assert refusal.reason == "WORKER_DIED" and refusal.retry_seconds
            assert pool.ready and pool.playing == 2
            await until(lambda: len(pool.pids) == 2 and where[0] not in pool.pids)
            await asyncio.gather(*(played(pool, b"x") for _ in range(4)))
            for call in calls[1::2]:
                await call.aclose()

    run(test)


@posix
def test_a_player_that_hangs_is_killed_and_its_calls_fail(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def test() -> None:
        async with players() as pool:
            (pid,) = pool.pids
            calls = [asyncio.create_task(refused(played(pool, b"hang"))) for _ in range(2)]
            refusals = await asyncio.gather(*calls)
            # The second it never took: that one is left to another, and there is none.
            assert sorted(refusal.reason for refusal in refusals) == ["NOT_READY", "WORKER_DIED"]
            assert all(refusal.retry_seconds for refusal in refusals)
            await until(lambda: pool.ready)
            assert pool.pids != (pid,) and not psutil.pid_exists(pid)
            assert (await played(pool, b"x"))[-1].head["what"] == "done"
        assert "a player hangs: it has 2 calls" in caplog.text

    monkeypatch.setattr(player_pool, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(player_pool, "HANGING_SECONDS", 0.3)
    run(test)


@posix
def test_a_player_that_does_not_give_up_a_call_that_was_left_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with players() as pool:
            (pid,) = pool.pids
            call = asyncio.create_task(played(pool, b"hang"))
            await until(lambda: pool.playing == 1)
            call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            await until(lambda: bool(pool.pids) and pool.pids != (pid,))
            assert pool.playing == 0

    monkeypatch.setattr(player_pool, "SILENT_SECONDS", 0.2)
    monkeypatch.setattr(player_pool, "HANGING_SECONDS", 0.3)
    run(test)


@pytest.mark.slow
def test_a_player_that_is_idle_or_sends_frames_is_not_taken_for_one_that_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def test() -> None:
        async with players() as pool:
            (pid,) = pool.pids
            await asyncio.sleep(1.2)
            staying = pool.play(b"stay", bars=True)
            await anext(staying)
            for _ in range(20):  # longer than one may be silent for
                await played(pool, b"x")
                await asyncio.sleep(0.1)
            assert pool.pids == (pid,) and pool.playing == 1
            await staying.aclose()

    monkeypatch.setattr(player_pool, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(player_pool, "HANGING_SECONDS", 1.0)
    run(test)


def test_while_the_only_player_is_started_anew_calls_are_refused_with_a_time_to_retry() -> None:
    async def test() -> None:
        async with players() as pool:
            assert (await refused(played(pool, b"die"))).reason == "WORKER_DIED"
            refusal = await refused(played(pool, b"x"))
            assert refusal.reason == "NOT_READY" and refusal.retry_seconds
            await until(lambda: pool.ready)
            assert (await played(pool, b"x"))[-1].head["what"] == "done"

    run(test)


@pytest.mark.slow
def test_a_player_that_dies_again_and_again_is_started_later_and_later_but_within_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test() -> None:
        async with players() as pool:
            for _ in range(4):
                await until(lambda: pool.ready)
                assert (await refused(played(pool, b"die"))).reason == "WORKER_DIED"
            await until(lambda: pool.ready)
        assert "the next start waits" in caplog.text

    run(test)
    waits = [workers.wait_after(starts) for starts in range(100)]
    assert waits == sorted(waits) and waits[0] == 0 and max(waits) <= 5
    assert sum(waits[:6]) < 10  # six crashes keep nobody waiting for half a minute


@posix
def test_a_player_that_is_silent_while_it_has_work_gets_no_new_calls_and_health_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes: list[bool] = []

    async def test() -> None:
        pool = PlayerPool(command=FAKE, changed=lambda: changes.append(pool.ready))
        async with players(pool=pool, engines=2):
            started = len(changes)
            stopped, other = pool.pids
            os.kill(stopped, signal.SIGSTOP)
            first = [asyncio.create_task(played(pool, b"x")) for _ in range(2)]  # one for each
            await until(lambda: len(changes) > started)
            assert pool.ready
            calls = await asyncio.gather(*(played(pool, b"x") for _ in range(4)))
            assert {worker_of(frames[-1].body) for frames in calls} == {other}
            os.kill(other, signal.SIGSTOP)
            second = asyncio.create_task(refused(played(pool, b"x")))
            await until(lambda: not pool.ready)
            assert changes[-1] is False
            assert (await refused(played(pool, b"x"))).reason == "NOT_READY"
            for pid in (stopped, other):
                os.kill(pid, signal.SIGCONT)
            await asyncio.gather(*first)
            assert (await second).reason == "NOT_READY"
            await until(lambda: pool.ready)
            assert changes[-1] is True

    monkeypatch.setattr(player_pool, "SILENT_SECONDS", 0.5)
    run(test)


def test_a_call_that_a_player_had_not_taken_when_it_died_is_played_by_another(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async def test() -> None:
        async with players(engines=2) as pool:
            before = pool.pids
            frames = await played(pool, b"untaken")
            assert frames[-1].head["what"] == "done" and worker_of(frames[-1].body) in before

    monkeypatch.setenv("FAKE_WORKER_MARK", str(tmp_path / "mark"))
    run(test)


@posix
def test_a_call_that_a_silent_player_has_not_taken_is_played_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test() -> None:
        async with players(engines=2) as pool:
            stopped, other = pool.pids
            os.kill(stopped, signal.SIGSTOP)
            calls = await asyncio.gather(*(played(pool, b"x") for _ in range(2)))  # one for each
            assert {worker_of(frames[-1].body) for frames in calls} == {other}
            os.kill(stopped, signal.SIGCONT)

    monkeypatch.setattr(player_pool, "SILENT_SECONDS", 0.5)
    run(test)


def test_a_player_that_keeps_too_much_gives_its_place_to_a_fresh_one_and_ends_what_it_has_begun() -> None:
    async def test() -> None:
        async with players() as pool:
            (pid,) = pool.pids
            staying = pool.play(b"stay", bars=True)
            assert int((await anext(staying)).body) == pid
            await played(pool, b"keep %d" % (player_pool.RETIRE_MEBIBYTES - 1))
            assert pool.pids == (pid,)
            await played(pool, b"keep %d" % (player_pool.RETIRE_MEBIBYTES + 1))
            await until(lambda: len(pool.pids) == 2 and pool.ready)
            assert worker_of((await played(pool, b"x"))[-1].body) != pid
            assert psutil.pid_exists(pid)  # it still has a call
            await staying.aclose()
            await until(lambda: pid not in pool.pids)
            assert pool.ready and len(pool.pids) == 1

    run(test)


def test_calls_that_play_when_the_service_stops_fail_with_shutting_down() -> None:
    async def test() -> None:
        async with players() as pool:
            call = pool.play(b"stay", bars=True)
            await anext(call)
            ending = asyncio.create_task(refused(anext(call)))
            await asyncio.sleep(0)
            await pool.stop()
            assert (await ending).reason == "SHUTTING_DOWN"

    run(test)
