"""How good the makers of audio loops are, beside real loops of drummers that they have not learnt from.

    python bench/loops.py --data groove/ --kit FluidR3_GM.sf2               # validation side
    python bench/loops.py --data groove/ --kit FluidR3_GM.sf2 --split test  # the other one, for final figures
    python bench/loops.py --data DIR --model runs/loop --write              # puts the figures into the checkpoint

As many loops as there are real ones, with their kits and wishes. Of each set: the Frechet distance of log-mel
statistics to real loops of the side; the novelty against every loop learnt from, its median and the share of copies
(0.1 or less). Real loops of one half of the side are set beside the other half, those of the train side and white noise
beside it. Needs FluidSynth, if the folder holds MIDI.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import machine
from seq2drum.data.loops import Loops
from seq2drum.errors import Seq2DrumError
from seq2drum.judge.loops import COPIED, Likeness, distance, novelty
from seq2drum.lattice.loops import FRAMES, Samples
from seq2drum.learn.looping import add_figures, one_hot, wishes
from seq2drum.learn.loops import read
from seq2drum.play.loops import SHIPPED, LoopMaker

COUNT = 400


def made_by(maker: LoopMaker, like: Loops, seed: int) -> Samples:
    """As many loops, with the kits and wishes of real ones: (n, FRAMES)."""
    noise = np.random.default_rng([seed, 12]).standard_normal((len(like.kit), maker.noise), np.float32)
    asked = {"noise": noise, "kit": one_hot(like.kit, len(like.kits)).numpy(), "wish": wishes(like)}
    (slices,) = maker.graph.run(asked)
    return np.asarray(slices.reshape(-1, FRAMES))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Figures of audio loops.")
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR")
    parser.add_argument("--kit", type=Path, metavar="FILE.sf2")
    parser.add_argument("--model", type=Path, default=SHIPPED, metavar="DIR")
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--count", type=int, default=COUNT, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--write", action="store_true", help="put the figures into the checkpoint")
    options = parser.parse_args(arguments)
    try:
        loops, maker = read(options.data, options.kit, options.seed, print), LoopMaker.load(options.model)
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    # 1. Real loops of the side, and of those learnt from.
    rng = np.random.default_rng([options.seed, 13])
    learnt, side = loops.of_side("train"), loops.of_side(options.split)
    real = side.select(rng.permutation(len(side.kit))[: options.count])
    some = learnt.select(rng.permutation(len(learnt.kit))[: options.count])
    begun = time.process_time()
    made = made_by(maker, real, options.seed)
    each = (time.process_time() - begun) / len(made)
    # 2. The figures.
    likeness = Likeness.of(some.sound)
    wanted, half = likeness.rows(real.sound), len(real.kit) // 2
    noise = 0.1 * rng.standard_normal((half, FRAMES)).astype(np.float32)
    new, held = novelty(made, learnt.sound), novelty(real.sound.astype(np.float32), learnt.sound)
    figures = {
        "Frechet distance": f"{distance(likeness.rows(made), wanted):.0f}",
        "of loops learnt from": f"{distance(likeness.rows(some.sound), wanted):.0f}",
        "of real halves": f"{distance(wanted[:half], wanted[half:]):.0f}",
        "of white noise": f"{distance(likeness.rows(noise), wanted):.0f}",
        "novelty": f"{np.median(new):.3f} (real {np.median(held):.3f})",
        "copies": f"{(new <= COPIED).mean():.1%} (real {(held <= COPIED).mean():.1%})",
    }
    print(f"{len(made)} loops, {options.split}, against {len(learnt.kit)} learnt from; {1000 * each:.1f} ms each")
    print("\n".join(f"{name:24} {value}" for name, value in figures.items()))
    print(machine())
    if options.write:
        add_figures(options.model, {f"{options.split}: {name}": value for name, value in figures.items()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
