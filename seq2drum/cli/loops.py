"""Mode generate with a maker of audio loops: WAV files in place of MIDI."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum import files
from seq2drum.cli import paths
from seq2drum.cli.terminal import bar, standard_output
from seq2drum.errors import OptionError
from seq2drum.music.choices import check

if TYPE_CHECKING:
    from seq2drum.play.brief import Brief
    from seq2drum.play.loops import Loop

_OF_MIDI = ("text", "score", "rpp", "picture", "split", "play", "prime")
"""Options of `cli.generate` that mean nothing where there are no hits."""


def add_options(to: argparse._ActionsContainer) -> None:
    """Add what only audio loops have."""
    to.add_argument("--form", metavar="FORM", help="of audio loops: AAAA, AAAB, AABB, ABAB or another (default: AAAB)")
    to.add_argument("--kit", metavar="NAME", help="of audio loops: the kit, such as power or 808 (default: any)")


def run(options: argparse.Namespace, brief: Brief, folder: Path) -> int:
    """Make loops; returns the exit code. folder: of the maker's checkpoint."""
    from seq2drum.play.loops import FORM, LoopMaker, letters_of
    from seq2drum.show.samples import mono_wav

    # 1. What makes no sense is refused before anything is made.
    check("takes", options.takes, "--takes")
    for name in _OF_MIDI:
        if getattr(options, name):
            raise OptionError(
                f"--{name} wants hits, and {options.model} makes sound; leave it out, or take another model"
            )
    form = FORM if options.form is None else options.form
    letters_of(form)
    targets = paths.numbered(_target(options, brief, form), options.takes)
    for target in targets:
        paths.check_target(target, set(), overwrite=options.force)
    # 2. Make them.
    maker = LoopMaker.load(folder)
    with bar(options.takes, "making") as advance:
        for take, target in enumerate(targets):
            begun = time.perf_counter()
            loop = maker.make(brief, options.seed + take, form=form, kit=options.kit)
            paths.write(mono_wav(loop.sound), target, overwrite=options.force)
            advance(1, f"take {take + 1}")
            _tell(loop, target, time.perf_counter() - begun, options)
    return 0


def _target(options: argparse.Namespace, brief: Brief, form: str) -> str:
    """Where the first loop goes.

    Raises:
        OptionError: the name is that of no WAV file, or the folder cannot be made.
    """
    name = f"{'-'.join(brief.genres) or 'any'}-{brief.bpm:g}-{form.upper()}.wav"
    output = options.output
    if output is None or output == "-":
        return output or name
    if output.endswith("/") or paths.is_folder(output) or not Path(output).suffix:
        return str(paths.made_folder(output) / name)
    if Path(output).suffix.lower() != ".wav":
        raise OptionError(f"-o names a WAV file or a folder for audio loops, and {Path(output).name!r} is neither")
    return str(output)


def _tell(loop: Loop, target: str, seconds: float, options: argparse.Namespace) -> None:
    if target == "-":
        return
    brief = loop.brief
    name = files.named(target)
    line = f"{name}: {brief.bars} bars, {loop.form}, kit {loop.kit}, in {seconds:.1f} s; loop, seed {loop.seed}"
    if options.json:
        told = {
            "output": target,
            "model": "loop",
            "seed": loop.seed,
            "genres": dict(brief.genres),
            "bpm": brief.bpm,
            "bars": brief.bars,
            "form": loop.form,
            "kit": loop.kit,
            "seconds": round(seconds, 3),
        }
        line = json.dumps(told)
    with standard_output():
        print(line, flush=True)
