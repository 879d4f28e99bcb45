"""Workers: the same results in the same order for any number of them, and an error in one is raised here."""

from __future__ import annotations

import os
import signal
import time
from functools import partial

import pytest

from seq2drum.errors import CorpusError
from seq2drum.system.workers import results_of


def scaled(factor: int, number: int) -> tuple[int, str | None]:
    time.sleep(0.02 * (number % 3))  # so that later tasks are done before earlier ones
    return factor * number, os.environ.get("OMP_NUM_THREADS")


def inverse(number: int) -> float:
    return 1 / number


class Interrupted:
    """What is interrupted while a worker is given it."""

    def __reduce__(self) -> tuple[object, ...]:
        return _interrupted, (os.getpid(),)

    def __call__(self, number: int) -> int:
        return number


def _interrupted(starter: int) -> Interrupted:
    if os.getpid() != starter:
        os.kill(os.getpid(), signal.SIGINT)
    return Interrupted()


def leave(number: int) -> int:
    os._exit(3)


@pytest.mark.parametrize("workers", [1, 3])
def test_results_come_in_the_order_of_the_tasks(workers: int) -> None:
    results = list(results_of(partial(scaled, 7), range(8), workers))
    assert [value for value, _ in results] == [7 * number for number in range(8)]


def test_each_worker_computes_with_one_thread_and_this_process_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert {threads for _, threads in results_of(partial(scaled, 1), range(2), 2)} == {"1"}
    assert os.environ["OMP_NUM_THREADS"] == "5"


def test_no_task_is_no_result() -> None:
    assert list(results_of(inverse, [], 4)) == []


def test_what_a_worker_raises_is_raised_here_and_says_where() -> None:
    results = results_of(inverse, [1, 2, 0, 4], 2)
    assert [next(results), next(results)] == [1, 0.5]
    with pytest.raises(ZeroDivisionError) as raised:
        next(results)
    assert "in inverse" in "".join(raised.value.__notes__)


def test_a_worker_that_dies_is_said() -> None:
    with pytest.raises(CorpusError, match="ended before its job was done"):
        list(results_of(leave, [1, 2], 2))


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="this system has no signals that wait")
def test_a_worker_that_is_interrupted_while_it_starts_says_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CorpusError, match="ended before its job was done"):
        list(results_of(Interrupted(), [1, 2], 2))
    assert capfd.readouterr().err == ""
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
