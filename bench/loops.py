"""How good the makers of audio loops are, beside real loops of drummers that they have not learnt from.

    python bench/loops.py --data groove/ --kit FluidR3_GM.sf2               # validation side
    python bench/loops.py --data groove/ --kit FluidR3_GM.sf2 --split test  # the other one, for final figures
    python bench/loops.py --data DIR --model runs/loop --write              # puts the figures into the checkpoint

The same as `--mode eval --model loop`, with a soundfont of one's own and a place for the figures; see
`learn.generators.looping`. Needs FluidSynth, if the folder holds MIDI.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import machine
from seq2drum.errors import Seq2DrumError
from seq2drum.learn.generators.looping import COUNT, add_figures, figures, lines
from seq2drum.learn.generators.loops import read
from seq2drum.play.generators.loops import SHIPPED, LoopMaker


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
    begun = time.process_time()
    measured = figures(maker, loops, options.split, count=options.count, seed=options.seed)
    print("\n".join(lines(measured)))
    print(f"{options.split}; {time.process_time() - begun:.0f} s of processor time")
    print(machine())
    if options.write:
        add_figures(options.model, {f"{options.split}: {name}": f"{value:.4g}" for name, value in measured.items()})
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
