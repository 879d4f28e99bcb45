"""Who runs the stages: datatrove, on this machine, on Slurm or on Ray. The only place that knows it.

Tasks that were done are known by datatrove's marks under `work/logs`, and by the files that they have written.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import CalledProcessError
from types import MappingProxyType
from typing import Any

from datatrove.executor import LocalPipelineExecutor, SlurmPipelineExecutor
from datatrove.utils.logging import logger

from seq2drum.data.stages import STAGES, WORK, Stage
from seq2drum.errors import CorpusError, MissingExtraError, OptionError


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


class _Quiet(LocalPipelineExecutor):  # type: ignore[misc]  # datatrove has no types
    """Says nothing: errors are raised."""

    def _launch_run_for_rank(self, *given: Any, **named: Any) -> Any:
        logger.disable("datatrove")
        return super()._launch_run_for_rank(*given, **named)


def local(run: Run, begun: Callable[[Stage], None]) -> None:
    """Run all stages on this machine, one after the other. begun: is told of each as it begins."""
    logger.disable("datatrove")
    for stage in STAGES:
        begun(stage)
        _Quiet(**run.keywords(stage), start_method="spawn").run()


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
