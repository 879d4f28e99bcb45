"""Mode generate: beats without a guitar, as MIDI files and in the other requested formats."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from seq2drum.cli import exports
from seq2drum.console import maps, paths, shared
from seq2drum.console.terminal import bar, standard_output
from seq2drum.deliver.export import EXPORTS
from seq2drum.errors import InputError, OptionError
from seq2drum.music.brief import BRIEF
from seq2drum.music.choices import GENERATORS
from seq2drum.music.options import check
from seq2drum.system import files

if TYPE_CHECKING:
    from seq2drum.lattice.patterns import Pattern
    from seq2drum.music.notes import Part, Song
    from seq2drum.play.generators.composer import Beat, Brief
    from seq2drum.play.generators.loops import Loop


_OF_MIDI = ("text", "score", "rpp", "dawproject", "picture", "split", "play", "prime")
"""Options of `cli.generate` that do not apply without hits."""


def make_loops(options: argparse.Namespace, folder: Path, bpm: float | None = None) -> int:
    """Make loops; returns the exit code. folder: of the maker's checkpoint. bpm: of a continued file."""
    from seq2drum.play.generators.loops import FORM, LoopMaker, letters_of
    from seq2drum.show import bus
    from seq2drum.show.loudness import mono_wav, stereo_wav

    # 1. Refuse impossible options before anything is made.
    check("takes", options.takes, "--takes")
    for name in _OF_MIDI:
        if getattr(options, name):
            raise OptionError(
                f"--{name} wants hits, and {options.model} makes sound; leave it out, or take another model"
            )
    form = FORM if options.form is None else options.form
    letters_of(form)
    options.form = None  # the letters of a loop are not the sections of a beat
    brief = brief_of(options, bpm)
    targets = paths.numbered(_target(options, brief, form), options.takes)
    for target in targets:
        paths.check_target(target, set(), overwrite=options.force)
    # 2. Make them.
    maker = LoopMaker.load(folder)
    with bar(options.takes, "making") as advance:
        for take, target in enumerate(targets):
            begun = time.perf_counter()
            loop = maker.make(brief, options.seed + take, form=form, kit=options.kit)
            data = mono_wav(loop.sound) if options.dry else stereo_wav(bus.wide(loop.sound))
            paths.write(data, target, overwrite=options.force)
            advance(1, f"take {take + 1}")
            _tell_loops(loop, target, time.perf_counter() - begun, options)
    return 0


def _target(options: argparse.Namespace, brief: Brief, form: str) -> str:
    """The file of the first loop.

    Raises:
        OptionError: not a WAV file's name, or the folder cannot be made.
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


def _tell_loops(loop: Loop, target: str, seconds: float, options: argparse.Namespace) -> None:
    if target == "-":
        return
    brief = loop.brief
    name = files.named(target)
    line = f"{name}: {brief.bars} bars, {loop.form}, kit {loop.kit}, in {seconds:.1f} s; loop, seed {loop.seed}"
    if options.json:
        facts = {
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
        line = json.dumps(facts)
    with standard_output():
        print(line, flush=True)


class Extra(NamedTuple):
    """Another file of a beat, beside its MIDI file: its suffix, the help text, and its bytes."""

    suffix: str
    help: str
    make: Callable[[Beat, argparse.Namespace], bytes]


def _picture(beat: Beat, options: argparse.Namespace) -> bytes:
    from seq2drum.formats.drum_picture import write_drum_picture
    from seq2drum.lattice import patterns
    from seq2drum.show import draw

    if beat.model == "phrase" and beat.pattern.bars <= patterns.BARS:  # the model's own picture, which can be read back
        return write_drum_picture(next(patterns.pictures_of(beat.pattern)))
    return draw.picture(beat.duet, "png", title=_title(beat))


def _text(beat: Beat, options: argparse.Namespace) -> bytes:
    from seq2drum.lattice.patterns import text_of

    return text_of(beat.pattern).encode()


def _score(beat: Beat, options: argparse.Namespace) -> bytes:
    from seq2drum.formats.score import musicxml

    return musicxml.write_score(beat.song, beat.duet.drums, _title(beat))


def _wav(beat: Beat, options: argparse.Namespace) -> bytes:
    from seq2drum.show import sound

    return sound.wav(beat.duet, sounds=exports.sounds(options))


def _rpp(beat: Beat, options: argparse.Namespace) -> bytes:
    from seq2drum.formats import rpp

    return rpp.write_rpp(*_tracks(beat, options))


def _dawproject(beat: Beat, options: argparse.Namespace) -> bytes:
    from seq2drum.formats.dawproject import writing

    return writing.write_dawproject(*_tracks(beat, options))


def _tracks(beat: Beat, options: argparse.Namespace) -> tuple[Song, list[Part], str, dict[str, list[Part]]]:
    """What a project holds: the song without parts, its drums, the title, and the tracks of split drums."""
    drums = _drums(beat, options)
    beside = {part.name: [part] for part in drums} if options.split else {}
    return replace(beat.song, parts=()), [] if options.split else drums, _title(beat), beside


EXTRAS: Mapping[str, Extra] = MappingProxyType(
    {
        "picture": Extra(".png", "its grid as a picture", _picture),
        "text": Extra(".txt", "its drum text", _text),
        "wav": Extra(".wav", "its sound (needs FluidSynth)", _wav),
        "score": Extra(".musicxml", "a score", _score),
        "rpp": Extra(".rpp", "a REAPER project", _rpp),
        "dawproject": Extra(".dawproject", "a DAWproject", _dawproject),
    }
)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the generator, its settings, and the outputs."""
    parser.usage = "%(prog)s [--genre NAME] [--bpm B] [options]"
    parser.description = "Makes beats without a guitar. Each can be the --groove of a song. With --model loop, audio."
    parser.epilog = """examples:
  seq2drum --mode generate --genre funk --bpm 110
  seq2drum --mode generate --genre funk:2,jazz:1 --takes 5 --wav -o beats/
  seq2drum --mode generate --genre rock --play"""
    what = parser.add_argument_group("what to make")
    what.add_argument(
        "--model",
        default=GENERATORS[0],
        metavar="NAME|DIR",
        help=f"{', '.join(GENERATORS)}, or the folder of a training run (default: {GENERATORS[0]})",
    )
    for name in BRIEF:
        shared.add_choice(what, name, table=BRIEF)
    what.add_argument("--takes", type=int, default=1, metavar="N", help="how many beats (default: 1)")
    for alias, meant, kind in (("--weights", "model", str), ("--track-nums", "takes", int)):
        same = f"the same as --{meant}"
        what.add_argument(alias, dest=meant, type=kind, default=argparse.SUPPRESS, metavar="X", help=same)
    what.add_argument("--prime", metavar="FILE", help="continue from the last bars of a file's drums, in 4/4")
    output = parser.add_argument_group("output")
    shared.add_output(output, "where to write (default: a name made from the brief, here)", metavar="FILE|DIR")
    for name, extra in EXTRAS.items():
        output.add_argument(f"--{name}", action="store_true", help=f"also write {extra.help}, {extra.suffix}")
    output.add_argument("--play", action="store_true", help="make and play bars until you stop; keys change the beat")
    output.add_argument(
        "--split", action="store_true", help="write one track each for kick, snare, hats, toms and cymbals"
    )
    exports.add_soundfont(output, kit="; of audio loops, one of theirs, such as 808")
    maps.add_drum_map(output)
    shared.add_json(output)
    shared.add_force(output)


def run(options: argparse.Namespace) -> int:
    """Make beats, or stream one; returns the exit code."""
    from seq2drum.cli import live_beat
    from seq2drum.music import drum_maps
    from seq2drum.play.generators.composer import Composer
    from seq2drum.play.generators.loops import folder_of

    # 1. Refuse impossible options before anything is made.
    check("takes", options.takes, "--takes")
    check("seed", options.seed, "--seed")
    primed, bpm = _primed(options)
    if folder := folder_of(options.model):
        return make_loops(options, folder, bpm)
    brief = brief_of(options, bpm)
    drum_maps.load(options.drum_map)
    if options.text and brief.metre != BRIEF["metre"].default:
        raise OptionError("--text has bars in 4/4; leave out --text or --metre")
    if options.play:
        return live_beat.run(Composer.load(options.model), brief, options.seed, primed, options.soundfont)
    if options.wav:
        EXPORTS["wav"].check(".wav", exports.sounds(options))
    targets = paths.numbered(paths.beat(options.output, brief.genres, brief.bpm), options.takes)
    wanted = {name: extra for name, extra in EXTRAS.items() if getattr(options, name)}
    inputs = paths.identities([options.prime] if options.prime else [])
    if wanted and "-" in targets:
        raise OptionError("standard output has no room for other files; name a file with -o")
    for target in targets:
        for name in (target, *(_beside(target, extra) for extra in wanted.values())):
            paths.check_target(name, inputs, overwrite=options.force)
    # 2. Make them.
    composer = Composer.load(options.model)
    with bar(options.takes * brief.length, "making") as advance:
        for take, target in enumerate(targets):
            begun = time.perf_counter()
            beat = composer.compose(
                brief, options.seed + take, primed=primed, show=lambda number: advance(1, f"bar {number + 1}")
            )
            _write(beat, target, wanted, options)
            _tell(beat, target, wanted, time.perf_counter() - begun, options)
    return 0


def brief_of(options: argparse.Namespace, bpm: float | None = None) -> Brief:
    """The brief of the options. bpm: of a continued file.

    Raises:
        OptionError: a value is out of its range.
    """
    from seq2drum.play.generators.composer import Brief

    requested = {name: getattr(options, name) for name in BRIEF if name != "seed"}
    if requested["bpm"] is None:
        requested["bpm"] = bpm
    return Brief(**requested)


def _primed(options: argparse.Namespace) -> tuple[Pattern | None, float | None]:
    """The bars to continue, and their tempo.

    Raises:
        InputError: the file cannot be read.
        OptionError: it has no drums, or is not in 4/4.
    """
    from seq2drum.formats.opening import open_drums
    from seq2drum.play.generators.composer import primer

    if options.prime is None:
        return None, None
    try:
        song = open_drums(paths.read(options.prime)).song
        return primer(song), song.tempo_at(song.end).bpm
    except (InputError, OptionError) as error:
        raise type(error)(f"--prime {paths.about(options.prime, error)}") from None


# --- files ------------------------------------------------------------------------------------------------------------


def _beside(target: str, extra: Extra) -> str:
    return str(Path(target).with_suffix(extra.suffix))


def _drums(beat: Beat, options: argparse.Namespace) -> list[Part]:
    """The drums as delivered: on the notes of the drum map, in one track or several."""
    from seq2drum.music import drum_maps
    from seq2drum.play import session

    drum_map = drum_maps.load(options.drum_map)
    given = session.delivered(
        beat.song, drum_map.apply(beat.duet.drums), drum_map, session.Session(split=options.split)
    )
    return list(given.drums)


def _write(beat: Beat, target: str, wanted: Mapping[str, Extra], options: argparse.Namespace) -> None:
    from seq2drum.formats.midi import midi
    from seq2drum.system import files

    song = replace(beat.song, parts=tuple(part for part in _drums(beat, options) if len(part)))
    paths.write(midi.serialise(song), target, overwrite=options.force)
    for extra in wanted.values():
        files.write_file(_beside(target, extra), extra.make(beat, options), overwrite=options.force)


def _tell(beat: Beat, target: str, wanted: Mapping[str, Extra], seconds: float, options: argparse.Namespace) -> None:
    if target == "-":
        return
    also = [_beside(target, extra) for extra in wanted.values()]
    hits = len(beat.duet.drums)
    name = files.named(target)
    line = f"{name}: {beat.brief.length} bars, {hits} hits in {seconds:.1f} s; {beat.model}, seed {beat.seed}"
    if also:
        line += f"; {', '.join(also)}"
    if options.json:
        facts = {
            "output": target,
            "also": also,
            "model": beat.model,
            "seed": beat.seed,
            "genres": dict(beat.brief.genres),
            "bpm": beat.brief.bpm,
            "bars": beat.brief.length,
            "hits": hits,
            "seconds": round(seconds, 3),
        }
        line = json.dumps(facts)
    with standard_output():
        print(line, flush=True)


def _title(beat: Beat) -> str:
    return f"{', '.join(beat.brief.genres) or 'any genre'}, {beat.brief.bpm:g} bpm: {beat.model}, seed {beat.seed}"
