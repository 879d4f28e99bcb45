"""A generator of two numbers and a critic of them, each with an optimiser of its own: a small task for the loop.

    python tests/learn/gan.py FOLDER ITEMS

trains it, with so many items a process and step; by torchrun in several processes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.learn.run import loop, task
from seq2drum.learn.run.task import History, Logger, Progress, Scalars, StepContext, StepResult, Task

CENTRE, SPREAD = np.array([2.0, -1.0], dtype=np.float32), 0.2


@dataclass(frozen=True)
class Recipe(task.Recipe):
    """items: points a process sees at once. dropout: share of the critic's units, drawn by torch in the step."""

    items: int = 16
    dropout: float = 0.0


class TwoNumbers(Task[NDArray[np.float32], Tensor]):
    """Real points lie around (2, -1); the critic learns to tell them from made ones, the generator to pass for real.

    An item is (items, 4): points, and the noise that as many are made from.
    """

    unit = "points"
    criterion = "distance"

    recipe: Recipe

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.generator = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 2))
            self.critic = nn.Sequential(
                nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Dropout(recipe.dropout), nn.Linear(16, 1)
            )
        self.models = {"generator": self.generator, "critic": self.critic}
        self.optimizers = {
            "generator": torch.optim.Adam(self.generator.parameters(), recipe.rate, betas=(0.5, 0.9)),
            "critic": torch.optim.SGD(self.critic.parameters(), recipe.rate, momentum=0.5),
        }
        self.shown: list[int] = []

    def epoch(self, number: int, processes: int) -> list[NDArray[np.float32]]:
        rng = np.random.default_rng([self.recipe.seed, number])
        items = rng.standard_normal((8, self.recipe.items * processes, 4)).astype(np.float32)
        items[..., :2] = CENTRE + SPREAD * items[..., :2]
        return list(items)

    def prepare(self, item: NDArray[np.float32], epoch: int, index: int, *, rank: int, processes: int) -> Tensor:
        return torch.from_numpy(item[rank::processes].copy())

    def step(self, batch: Tensor, context: StepContext) -> StepResult:
        real, noise = batch.to(context.device).chunk(2, 1)
        made = self.generator(noise).detach()
        scores = context.models["critic"](torch.cat([real, made]))[:, 0]
        wanted = torch.cat([torch.ones(len(real)), torch.zeros(len(made))]).to(scores)
        critic_loss = functional.binary_cross_entropy_with_logits(scores, wanted)
        context.update("critic", critic_loss)
        fooled = self.critic(context.models["generator"](noise))[:, 0]
        generator_loss = functional.softplus(-fooled).mean()
        context.update("generator", generator_loss)
        points = int(context.total(torch.tensor(float(len(real)))))
        return StepResult(points, {"critic": float(critic_loss.detach()), "generator": float(generator_loss.detach())})

    def rate(self, optimizer: str, step: int, share: float) -> float:
        return self.recipe.rate * {"generator": 1.0, "critic": 2.0}[optimizer]

    @torch.no_grad()
    def validate(self) -> Scalars:
        noise = torch.randn(256, 2, generator=torch.Generator().manual_seed(1))
        made = self.generator(noise).mean(0).numpy()
        return {"distance": float(np.linalg.norm(made - CENTRE))}

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        self.shown.append(progress.step)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.tolist() for name, value in self.generator.state_dict().items()}
        (folder / "generator.json").write_text(json.dumps({"weights": weights, "about": about}))

    def page(self, place: str, about: Mapping[str, Any], history: History, *, stopped: bool) -> str:
        return f"<p>{about['progress']['points']} points{', stopped' * stopped}</p>"

    def state(self) -> Mapping[str, Any]:
        return {"shown": self.shown}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.shown = list(state["shown"])


if __name__ == "__main__":
    recipe = Recipe(items=int(sys.argv[2]), steps=20, rate=0.02, device="cpu", precision="32")
    loop.train(TwoNumbers(recipe), Path(sys.argv[1]))
