"""Base of tasks in which a generator of drums learns against a critic: Wasserstein GANs with a gradient penalty.

    a step: the critic learns from some batches, then the generator from one; a running mean of the generator is kept

I. Gulrajani and others, Improved training of Wasserstein GANs (2017); conditions enter the critic as in T. Miyato,
M. Koyama, cGANs with projection discriminator (2018). The critic also learns, from real drums alone, to classify genre,
tempo and fills, which teaches the generator to obey (A. Odena and others, Conditional image synthesis with auxiliary
classifier GANs, 2017).

A checkpoint has the running mean of the generator's weights (T. Karras and others, Progressive growing of GANs, 2018),
with logits shifted until every place and voice is hit as often as in the training bars.

Letters of shapes: n items of a batch, S places, V voices.
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from seq2drum.data.drums.beats import SIDES, Beats
from seq2drum.learn.generators import generating
from seq2drum.learn.run.task import Logger, Progress, Scalars, StepContext, StepResult, Task
from seq2drum.music.choices import LEARNT
from seq2drum.music.kit import HANDS
from seq2drum.music.notes import IntArray
from seq2drum.play.generators.drawing import BY_HAND

SOFTNESS = 0.7  # temperature of the soft hits of gradients
GROUP = 8  # rows that the spread is taken over
_SLOPE = 0.2
_QUIETEST = 1 / 127


def leaky(x: Tensor) -> Tensor:
    """The activation function of these nets."""
    return functional.leaky_relu(x, _SLOPE)


class Residual(nn.Module):
    """A residual block of two layers, (..., H) -> (..., H).

    Generators normalise their rows; critics do not, because the gradient penalty of a row must not depend on others.
    """

    def __init__(self, hidden: int, *, normed: bool) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden) if normed else nn.Identity()
        self.first, self.second = nn.Linear(hidden, hidden), nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        inner: Tensor = x + self.second(leaky(self.first(leaky(self.norm(x)))))
        return inner


def drums_of(velocity: Tensor) -> Tensor:
    """Velocities (..., V) 0..1 as hits and velocities (..., 2V)."""
    return torch.cat([(velocity > 0).to(velocity), velocity], dim=-1)


def velocity_of(drums: Tensor) -> Tensor:
    """Drums of `drums_of` as velocities."""
    hits, velocity = drums.chunk(2, dim=-1)
    return (hits > 0.5) * velocity.clamp(_QUIETEST, 1)


def struck(logits: Tensor, velocity: Tensor, noise: Tensor) -> Tensor:
    """Drums sampled with logistic noise: a hit where logit + noise > 0; all (..., V) -> (..., 2V).

    Each hit has the probability of its logit; of more than two hits that want a hand the likeliest two stay. Gradients
    are those of a soft step (C. J. Maddison, A. Mnih, Y. W. Teh, The concrete distribution, 2017; Y. Bengio
    and others, Estimating or propagating gradients through stochastic neurons, 2013).
    """
    likely = logits + noise
    soft = torch.sigmoid(likely / SOFTNESS)
    hits = ((likely > 0) & within_reach(likely)).to(soft) + soft - soft.detach()
    return torch.cat([hits, velocity * hits], dim=-1)


def within_reach(likely: Tensor) -> Tensor:
    """(..., V): mask that keeps the likeliest two of the voices that want a hand, and all others."""
    foot = ~torch.tensor(BY_HAND, device=likely.device)
    second = likely.detach().masked_fill(foot, -torch.inf).topk(HANDS, dim=-1).values[..., -1:]
    return (likely >= second) | foot


def logistic(normal: Tensor) -> Tensor:
    """Standard normal numbers mapped to standard logistic ones by their quantiles."""
    return torch.special.log_ndtr(normal) - torch.special.log_ndtr(-normal)


def spread(rows: Tensor) -> Tensor:
    """(n, H) -> (n, 1): minibatch deviation of each GROUP of rows, which exposes a generator that repeats itself.

    T. Karras and others, Progressive growing of GANs (2018). Rows that do not fill groups form one.
    """
    size = GROUP if len(rows) % GROUP == 0 else len(rows)
    groups = rows.view(-1, size, rows.shape[1])
    deviation = (groups.var(dim=1, unbiased=False) + 1e-6).sqrt().mean(dim=1)
    return deviation.repeat_interleave(size)[:, None]


GENERATOR, CRITIC, MEAN = "generator", "critic", "mean"

_MOST = 1e6  # norm of gradients above which they are clipped
_JITTER = 0.03  # added to training velocities
_COOLING = 0.3  # last share of a run, with falling rates
_ROUNDS, _CALIBRATED, _LEAST_SHARE, _PULL, _FARTHEST = 8, 1000, 2e-4, 0.8, 1.5  # of calibration


@dataclass(frozen=True)
class Recipe(generating.Recipe):
    """The recipe of a generator and its critic.

    batch: items. critic_batches: batches of the critic for each of the generator. penalty: weight of the gradient
    penalty. obey: weight of the auxiliary classifier. hidden_genres: share of items without a genre. decay: of the
    running mean.
    """

    rate: float = 2e-4
    batch: int = 64
    critic_batches: int = 3
    penalty: float = 10.0
    obey: float = 0.3
    hidden_genres: float = 0.1
    decay: float = 0.999


class Batch(NamedTuple):
    """Real drums: velocity (n, ..., S, V), and the request of each, (n, ..., WISHES)."""

    velocity: NDArray[np.float32]
    wishes: NDArray[np.float32]


Net = TypeVar("Net", bound=nn.Module)


class Adversarial(Task[IntArray, Batch], Generic[Net]):
    """A generator trained against a critic. Subclasses define the data and the sampling.

    say: called with a line at each validation.
    """

    criterion = "the last is the best"  # none: no cheap figure of a GAN falls as it improves

    recipe: Recipe

    def __init__(
        self, beats: Beats, recipe: Recipe, say: Callable[[str], None], generator: Net, critic: nn.Module
    ) -> None:
        self.beats, self.recipe, self.say = beats, recipe, say
        self.sides = {side: beats.select(beats.side == number) for number, side in enumerate(SIDES)}
        self.generator, self.critic, self.mean = generator, critic, copy.deepcopy(generator)
        self.mean.requires_grad_(False)
        self.models = {GENERATOR: generator, CRITIC: critic, MEAN: self.mean}
        self.optimizers = {
            name: torch.optim.Adam(self.models[name].parameters(), lr=recipe.rate, betas=(0.5, 0.9))
            for name in (GENERATOR, CRITIC)
        }

    # --- defined by subclasses ----------------------------------------------------------------------------------------

    @abstractmethod
    def items(self, side: str) -> IntArray:
        """All items of a side."""

    @abstractmethod
    def real(self, side: str, items: IntArray, rng: np.random.Generator) -> Batch:
        """The real drums of some items of a side."""

    @abstractmethod
    def draw(self, net: Any, wishes: Tensor) -> Tensor:
        """Drums (n, ..., S, 2V) that a generator samples for wishes (n, ..., WISHES)."""

    # --- steps --------------------------------------------------------------------------------------------------------

    def prepare(self, item: IntArray, epoch: int, index: int, *, rank: int, processes: int) -> Batch:
        rng = np.random.default_rng([self.recipe.seed, 2, epoch, index])
        return self.told(self.real(SIDES[0], item[rank::processes], rng), rng)

    def told(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """The batch with a share of genres hidden, and velocities jittered."""
        velocity, wishes = batch.velocity, batch.wishes.copy()
        wishes[rng.random(len(wishes)) < self.recipe.hidden_genres, ..., : len(LEARNT)] = 0
        other = velocity + _JITTER * rng.standard_normal(velocity.shape, dtype=np.float32)
        return Batch(np.where(velocity > 0, other.clip(0.01, 1), 0).astype(np.float32), wishes)

    def step(self, batch: Batch, context: StepContext) -> StepResult:
        velocity, wishes = (torch.from_numpy(array).to(context.device) for array in batch)
        parts = self.recipe.critic_batches + 1
        batches = list(zip(drums_of(velocity).chunk(parts), wishes.chunk(parts), strict=True))
        for real, wished in batches[:-1]:
            apart = self.learn_critic(real, wished, context)
        fooled = self.learn_generator(batches[-1][1], context)
        seen = int(context.total(torch.tensor(float(len(velocity)), device=context.device)))
        return StepResult(seen, {"apart": apart, "fooled": fooled})

    def learn_critic(self, real: Tensor, wishes: Tensor, context: StepContext) -> float:
        """One step of the critic; returns its mean score of real drums less that of made ones."""
        critic = context.models[CRITIC]
        with torch.no_grad():
            made = self.draw(self.generator, wishes)
        share = torch.rand(len(real), *(1,) * (real.dim() - 1), device=real.device)
        between = (share * real + (1 - share) * made).requires_grad_()
        slope = torch.autograd.grad(critic(between, wishes)[0].sum(), between, create_graph=True)[0]
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        (score, named), score_made = critic(real, wishes), critic(made, wishes)[0]
        apart = score.mean() - score_made.mean()
        context.update(CRITIC, self.recipe.penalty * penalty - apart + misnamed(named, wishes), most=_MOST)
        return float(apart.detach())

    def learn_generator(self, wishes: Tensor, context: StepContext) -> float:
        """One step of the generator and of its running mean; returns the score of the made drums."""
        score, named = self.critic(self.draw(context.models[GENERATOR], wishes), wishes)
        context.update(GENERATOR, self.recipe.obey * misnamed(named, wishes) - score.mean(), most=_MOST)
        decay = min(self.recipe.decay, 1 - 1 / (context.progress.step / 10 + 2))
        with torch.no_grad():
            for mean, now in zip(self.mean.parameters(), self.generator.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        return float(score.mean().detach())

    def rate(self, optimizer: str, step: int, share: float) -> float:
        return self.recipe.rate * max(min((1 - share) / _COOLING, 1.0), 0.05)

    # --- made drums ---------------------------------------------------------------------------------------------------

    def usual(self, side: str, rng: np.random.Generator) -> IntArray:
        """Random items of a side, without weights."""
        items = self.items(side)
        return items[rng.permutation(len(items))[:_CALIBRATED]]

    @torch.no_grad()
    def calibrated(self) -> Any:
        """A copy of the running mean, calibrated to the hit rates of the training drums by place and voice."""
        net: Any = copy.deepcopy(self.mean).cpu().eval()
        rng = np.random.default_rng([self.recipe.seed, 3])
        batch = self.real(SIDES[0], self.usual(SIDES[0], rng), rng)
        wishes = torch.from_numpy(batch.wishes)

        def logits(velocity: Tensor) -> Tensor:
            struck = (velocity > 0).float().flatten(0, -3).mean(dim=0)
            return torch.logit(struck.clamp(_LEAST_SHARE, 1 - _LEAST_SHARE))

        wanted = logits(torch.from_numpy(batch.velocity))
        with torch.random.fork_rng(devices=[]):
            for number in range(_ROUNDS):
                torch.manual_seed(1000 * self.recipe.seed + number)
                have = logits(velocity_of(self.draw(net, wishes)))
                net.bias += _PULL * (wanted - have).clamp(-_FARTHEST, _FARTHEST)
        return net

    @torch.no_grad()
    def validate(self) -> Scalars:
        """Marginals of drums made for unseen wishes beside the real ones, before calibration."""
        rng = np.random.default_rng([self.recipe.seed, 4])
        items = self.usual(SIDES[1], rng)
        if not len(items):
            return {}
        batch = self.real(SIDES[1], items, rng)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.recipe.seed)
            made = velocity_of(self.draw(copy.deepcopy(self.mean).cpu().eval(), torch.from_numpy(batch.wishes)))
        hits, real = (np.asarray(drums > 0).reshape(-1, *drums.shape[-2:]) for drums in (made, batch.velocity))
        return {
            "hits_a_bar": float(hits.sum() / len(hits)),
            "hits_a_bar_real": float(real.sum() / len(real)),
            "wrong_shares": float(np.abs(hits.mean(axis=0) - real.mean(axis=0)).mean()),
        }

    def show(self, progress: Progress, logger: Logger | None, *, last: bool) -> None:
        generating.show(self, progress, logger, self.say)

    def save(self, folder: Path, about: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.export(self.calibrated(), folder, about)

    @abstractmethod
    def export(self, net: Any, folder: Path, about: Mapping[str, Any]) -> None:
        """Write the checkpoint for `play.generators`."""


def misnamed(named: Tensor, wishes: Tensor) -> Tensor:
    """The auxiliary classifier's loss: predicted (n, WISHES) against true wishes (n, ..., WISHES) of any bar."""
    wanted = wishes if wishes.dim() == 2 else wishes.amax(dim=1)
    genres = len(LEARNT)
    genre = functional.cross_entropy(named[:, :genres], wanted[:, :genres])
    tempo = functional.mse_loss(named[:, genres], wanted[:, genres])
    return genre + tempo + functional.binary_cross_entropy_with_logits(named[:, -1], wanted[:, -1])


def weights_of(beats: Beats, fills: float) -> NDArray[np.float64]:
    """(n,): sampling weights of bars, summing to 1: more for rare genres, `fills` times as much for fills."""
    count = np.bincount(beats.genre + 1, minlength=len(LEARNT) + 1)
    weight = np.where(beats.fill, fills, 1.0) / np.sqrt(count[beats.genre + 1])
    return np.asarray(weight / weight.sum())
