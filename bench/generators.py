"""How good the generators of beats are, beside each other and beside real bars: a table in Markdown.

    python bench/generators.py --data groove/                                  # the shipped ones, for final figures
    python bench/generators.py --data groove/ --model runs/bar --quick         # fewer windows, of the validation side

What the figures are, `seq2drum/judge/beats.py` says. Figures of the unseen bars themselves are in brackets.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from seq2drum.data.beats import SIDES
from seq2drum.errors import Seq2DrumError
from seq2drum.judge import beats
from seq2drum.play import composer

QUICK = 750  # windows that a critic learns from


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the panel."""
    parser = argparse.ArgumentParser(prog="python bench/generators.py", description="The panel of generators.")
    parser.add_argument("--data", type=Path, nargs="+", required=True, metavar="DIR", help="folders of drum files")
    parser.add_argument("--model", nargs="+", default=composer.available(), metavar="NAME", help="or folders")
    parser.add_argument("--quick", action="store_true", help="few windows, and those of the validation side")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    options = parser.parse_args(arguments)
    few = {"sides": SIDES[1:2], "windows": QUICK} if options.quick else {}

    def say(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    try:
        print(beats.table(beats.judged(options.model, options.data, seed=options.seed, say=say, **few)))
    except Seq2DrumError as fault:
        print(fault, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
