"""How good a maker of audio loops is, beside real loops of drummers that it has not learnt from."""

from __future__ import annotations

import numpy as np

from seq2drum.data.loops import Loops
from seq2drum.errors import CorpusError
from seq2drum.judge.loops import COPIED, Likeness, distance, novelty
from seq2drum.lattice.loops import FRAMES, Samples
from seq2drum.learn.generating import wishes_of
from seq2drum.learn.looping import one_hot
from seq2drum.play.loops import LoopMaker

COUNT = 400
_LEAST = 8  # loops of a side, of which anything can be said


def figures(maker: LoopMaker, loops: Loops, split: str, *, count: int = COUNT, seed: int = 0) -> dict[str, float]:
    """Figures of at most `count` made loops, with the kits and wishes of as many real ones of a side.

    The Frechet distance of their log-mel statistics to the real ones; beside it that of loops learnt from, of one half
    of the real ones to the other, and of white noise. The novelty against every loop learnt from, its median, and the
    share of copies; both of real ones, too.

    Raises:
        CorpusError: the side, or that learnt from, has too few loops, or they are not on as many kits as the maker's.
    """
    if len(loops.kits) != len(maker.kits):
        raise CorpusError(
            f"the loops are on {len(loops.kits)} kits, and the maker has {len(maker.kits)}:"
            f" {', '.join(maker.kits)}; name the folders that it learnt from, a kit each"
        )
    rng = np.random.default_rng([seed, 13])
    learnt, side = loops.of_side("train"), loops.of_side(split)
    if min(len(learnt.kit), len(side.kit)) < _LEAST:
        raise CorpusError(
            f"there are {len(learnt.kit)} loops to learn from and {len(side.kit)} on the {split} side, wanted at least"
            f" {_LEAST} of each; name more with --data"
        )
    real = side.select(rng.permutation(len(side.kit))[:count])
    some = learnt.select(rng.permutation(len(learnt.kit))[:count])
    made = made_by(maker, real, seed)
    likeness = Likeness.of(some.sound)
    wanted, half = likeness.rows(real.sound), len(real.kit) // 2
    noise = 0.1 * rng.standard_normal((half, FRAMES)).astype(np.float32)
    new, held = novelty(made, learnt.sound), novelty(real.sound.astype(np.float32), learnt.sound)
    return {
        "loops": len(made),
        "loops learnt from": len(learnt.kit),
        "Frechet distance": distance(likeness.rows(made), wanted),
        "of loops learnt from": distance(likeness.rows(some.sound), wanted),
        "of real halves": distance(wanted[:half], wanted[half:]),
        "of white noise": distance(likeness.rows(noise), wanted),
        "novelty": float(np.median(new)),
        "novelty of real loops": float(np.median(held)),
        "copies": float((new <= COPIED).mean()),
        "copies among real loops": float((held <= COPIED).mean()),
    }


def made_by(maker: LoopMaker, like: Loops, seed: int) -> Samples:
    """(n, FRAMES): as many loops, with the kits and wishes of real ones."""
    noise = np.random.default_rng([seed, 12]).standard_normal((len(like.kit), maker.noise), np.float32)
    wanted = wishes_of(like.genre, like.bpm, like.fill)
    asked = {"noise": noise, "kit": one_hot(like.kit, len(like.kits)).numpy(), "wish": wanted}
    (slices,) = maker.graph.run(asked)
    return np.asarray(slices.reshape(-1, FRAMES))


def lines(measured: dict[str, float]) -> list[str]:
    """A line for each figure."""
    return [f"{name:24} {value:.4g}" for name, value in measured.items()]
