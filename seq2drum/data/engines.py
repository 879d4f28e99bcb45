"""Who runs the stages: datatrove, on this machine, on Slurm or on Ray. The only place that knows it.

Tasks that were done are known by datatrove's marks under `work/logs`, and by the files that they have written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import CalledProcessError
from types import MappingProxyType
from typing import Any

from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
from datatrove.utils.logging import logger

from seq2drum.data.stages import STAGES, WORK, Stage
from seq2drum.errors import CorpusError, MissingExtraError, OptionError, OutputError
from seq2drum.workers import results_of


@dataclass(frozen=True)
class Step:
    """A stage as a step of a datatrove pipeline: no documents come in, and none go out."""

    stage: Stage
    folder: Path

    def __call__(self, data: object = None, rank: int = 0, world_size: int = 1) -> None:
        self.stage.run(self.folder, rank, world_size)


@dataclass(frozen=True)
class Run:
    """What is run: where, in how many tasks a stage, how many of them at a time, and what else the engine is told."""

    folder: Path
    tasks: int
    workers: int
    options: Mapping[str, Any]

    def tasks_of(self, stage: Stage) -> int:
        """How many tasks a stage has."""
        return min(self.tasks, stage.most or self.tasks)

    def keywords(self, stage: Stage) -> dict[str, Any]:
        """What all of datatrove's executors are told of a stage."""
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
    """Run all stages on this machine, one after the other. begun: is told of each as it begins.

    Raises:
        CorpusError: a process ended before its task was done, and what stages raise.
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
    """Run one task, in a process that may be another one. It says nothing: errors are raised.

    datatrove's own processes are not used: it waits for ever for the task of one that was killed.
    """
    logger.disable("datatrove")
    executor._run_for_rank(task)


def slurm(run: Run, begun: Callable[[Stage], None]) -> None:
    """Hand all stages to Slurm, each to begin when the one before is done; returns at once.

    Raises:
        OptionError: there is no Slurm here, or it refuses.
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
        raise OptionError(f"{error.cmd[0]} refused the job (exit code {error.returncode}): see what it said") from None


def ray(run: Run, begun: Callable[[Stage], None]) -> None:
    """Run all stages on a Ray cluster, that of RAY_ADDRESS or one on this machine.

    Raises:
        CorpusError: a stage was not done.
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
