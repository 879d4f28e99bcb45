"""The command line: options and printing, nothing else.

A mode is a module here and a line in `MODES`. The module has

    add_options(parser)   adds the options of the mode, and describes its use
    run(options)          does it, and returns the exit code

Exit codes: 0 all done; 2 bad options or input, each in one line; 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import argparse
import atexit
import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import MappingProxyType

from seq2drum import __version__
from seq2drum.console import arguments, shared
from seq2drum.console.arguments import Parser
from seq2drum.console.terminal import (
    StandardOutputError,
    close_standard_output,
    open_closed_streams,
    say,
    say_any_letters,
)
from seq2drum.errors import MissingExtraError, OptionError, Seq2DrumError
from seq2drum.music import choices

MODES = MappingProxyType(
    {
        "demo": ("seq2drum.cli.demo", "see and hear an example"),
        "infer": ("seq2drum.cli.infer", "make drums for your guitar files"),
        "jam": ("seq2drum.cli.jam", "play along with a guitar as it is played"),
        "show": ("seq2drum.cli.show", "see guitar and drums, here or as a picture"),
        "play": ("seq2drum.cli.play", "hear guitar and drums"),
        "grooves": ("seq2drum.cli.grooves", "see and hear the drummer's grooves"),
        "generate": ("seq2drum.cli.generate", "make beats without a guitar"),
        "humanize": ("seq2drum.cli.humanize", "give stiff drums the feel of a drummer"),
        "page": ("seq2drum.cli.page", "open a page in the browser; so does seq2drum alone"),
        "watch": ("seq2drum.cli.watch", "make drums for files as a DAW exports them"),
        "shortcut": ("seq2drum.cli.shortcut", "put an icon that opens the page into the menu"),
        "doctor": ("seq2drum.cli.doctor", "see what is missing, and how to get it"),
        "pack": ("seq2drum.cli.pack", "pack the files of a corpus into one"),
        "prepare": ("seq2drum.cli.prepare", "read your own songs, to train on them"),
        "adapt": ("seq2drum.cli.adapt", "make the drummer of your own band"),
        "train": ("seq2drum.cli.train", "train a drummer on your own songs"),
        "eval": ("seq2drum.cli.evaluate", "measure how good drums are"),
    }
)
"""The module of each mode, and a line about it."""

_OTHER_WORDS = {
    **dict.fromkeys(("beat", "beats", "compose", "loop", "loops"), "generate"),
    **dict.fromkeys(("drum", "drums", "accompany", "make"), "infer"),
    **dict.fromkeys(("listen", "hear", "sound"), "play"),
    **dict.fromkeys(("see", "view", "draw", "picture"), "show"),
    **dict.fromkeys(("live", "along"), "jam"),
    **dict.fromkeys(("web", "browser", "gui", "serve"), "page"),
    **dict.fromkeys(("icon", "launcher", "desktop"), "shortcut"),
    **dict.fromkeys(("check", "diagnose", "health"), "doctor"),
    **dict.fromkeys(("learn", "fit"), "train"),
    **dict.fromkeys(("band", "teach", "personalise", "personalize"), "adapt"),
    **dict.fromkeys(("test", "measure", "judge"), "eval"),
}
"""Other words for a mode."""

_HELP = """usage: seq2drum [MODE | --mode MODE] [SONG ...] [-o FILE|DIR] [options]
A drummer for your guitar: a guitar MIDI file goes in, drums come out.

modes (a SONG alone means infer):
{modes}
seq2drum --mode infer --help lists the options of infer; so with each mode.
--version is the version, --print-completion for shells, --print-manual for man.
example: seq2drum song.mid --style rock
"""
"""The first help: no longer than a screen of 24 lines."""


_GC_THRESHOLD = 100_000  # allocations before the first garbage collection: more than a short run makes
_LEARNING = ("train", "eval")  # with torch, which in some builds shares BLAS and its threads with NumPy


def program() -> int:
    """Run the command line as a process that ends with it; returns the exit code.

    A short run keeps most of its objects to its end, so the garbage collector runs seldom, and the process ends without
    freeing each object once Python's own exit handlers are done, see `_leave`.

    NumPy multiplies with one thread in modes that do not learn: the matrices are so small that other threads would only
    wait, at the price of a core.
    """
    gc.set_threshold(_GC_THRESHOLD)
    if mode_of(sys.argv[1:])[0] not in _LEARNING:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy is imported, which is later
    code = main()
    atexit.register(_leave, code, atexit._ncallbacks())
    return code


def _leave(code: int, others: int) -> None:
    """End the process once its threads have ended: flush the streams, and run the other exit handlers.

    Registered last, it is called first of all exit handlers, and runs the others itself. others: their number. If more
    were registered since, Python exits in the usual way.
    """
    if atexit._ncallbacks() > others + 1:
        return
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):  # Python says so at its own end
        return
    atexit.unregister(_leave)
    atexit._run_exitfuncs()
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def main(words: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. words: by default those of the process."""
    open_closed_streams()
    say_any_letters()
    try:
        return _run(sys.argv[1:] if words is None else words)
    except StandardOutputError as error:
        close_standard_output(error)
        return 2
    except Seq2DrumError as error:
        say(f"seq2drum: {error}")
        return 2
    except PermissionError as error:  # a name in an unreadable folder
        say(f"seq2drum: {error.filename} cannot be used ({error.strerror}); name what you may read and write")
        return 2
    except KeyboardInterrupt:
        say("seq2drum: stopped")
        return 130


def _run(words: Sequence[str]) -> int:
    mode, others = mode_of(words or _alone())
    if mode is None and not _names_a_song(others):
        return _without_mode(others)
    mode = "infer" if mode is None else mode
    if not mode or mode.startswith("-"):
        raise OptionError(f"--mode wants one of {', '.join(MODES)}; seq2drum --help says what each does")
    if mode not in MODES:
        raise OptionError(f"there is no --mode {mode!r}; {choices.instead(mode, tuple(MODES), _OTHER_WORDS)}")
    options = options_of(mode, others)
    code: int = import_module(MODES[mode][0]).run(options)
    return code


def mode_of(words: Sequence[str]) -> tuple[str | None, list[str]]:
    """Return the mode and the other words, as `arguments.split_mode`; `infer` as the first word is `--mode infer`.

    It is the mode also where a file has that name, so that a command means the same in every folder: `./infer` is the
    file.
    """
    return arguments.split_mode(["--mode", *words] if words and words[0] in MODES else words)


class _First(Parser):
    """The options that need no mode. Its help is not a list of options."""

    def __init__(self) -> None:
        super().__init__(prog="seq2drum", description="A SONG alone is played to, as with infer.")
        shared.add_program(self)
        shared.add_songs(self, "MIDI files")
        self.add_argument("--mode", choices=tuple(MODES), help="what to do")

    def format_help(self) -> str:
        return _HELP.format(modes="\n".join(f"  {name:9} {what}" for name, (_, what) in MODES.items()))


def _names_a_song(words: Sequence[str]) -> bool:
    """Return whether words without a mode name a song to play to: not options alone, and no --help and the like.

    Raises:
        OptionError: the first is nearly the name of a mode.
    """
    plain = [word for word in words if not word.startswith("-") or word == "-"]
    early = {"--help", "-h", "--version", "--print-completion", "--print-manual", "--mod", "--mo"}.intersection(
        arguments.names_of(words)
    )
    if not plain or early:
        return False
    first = plain[0]
    meant = [_OTHER_WORDS[first]] if first in _OTHER_WORDS else choices.near(first, MODES, most=1, cutoff=0.75)
    if meant and words[0] == first and not Path(first).exists():
        raise OptionError(f"there is no mode and no song {first!r}; did you mean {meant[0]}?")
    return True


def _alone() -> Sequence[str]:
    """The words that seq2drum alone stands for: those of the page.

    Raises:
        MissingExtraError: the page is not installed.
    """
    from seq2drum.cli import page  # here: what takes a song knows no page
    from seq2drum.system import packages

    if page.missing():
        raise MissingExtraError(
            f"seq2drum alone opens its page in the browser, which is not installed: {packages.install_extra('page')};"
            " without it, seq2drum demo shows what it does, seq2drum SONG.mid makes drums, seq2drum --help lists all"
        )
    return ("page",)


def _without_mode(words: Sequence[str]) -> int:
    first = _First()
    options, _ = first.parse_known(words)  # --help and --version end the program
    if options.mode is not None:  # by a short form, which can stand for --model with a mode
        raise OptionError(f"--mode takes whole names; did you mean --mode {options.mode}?")
    if not (options.print_completion or options.print_manual):
        first.error(
            "say what to do: seq2drum alone opens the page, seq2drum --mode demo shows what it does, "
            "seq2drum SONG.mid makes drums"
        )
    parsers = {mode: parser_of(mode) for mode in MODES}
    if options.print_manual:
        from seq2drum.console import manual

        told = {mode: (about, parsers[mode]) for mode, (_, about) in MODES.items()}
        manual.show("seq2drum", "a drummer for your guitar", first, told)
    else:
        arguments.show(options.print_completion, "seq2drum", first, parsers)
    return 0


def parser_of(mode: str) -> Parser:
    """The options of a mode."""
    parser = Parser(prog=f"seq2drum --mode {mode}")
    parser.add_argument("--version", action="version", version=f"seq2drum {__version__}", help=argparse.SUPPRESS)
    parser.set_defaults(mode=mode)
    import_module(MODES[mode][0]).add_options(parser)
    return parser


def options_of(mode: str, words: Sequence[str]) -> argparse.Namespace:
    """The options in the words after a mode.

    Raises:
        OptionError: an unknown option of this mode, or an impossible value.
    """
    parser = parser_of(mode)
    strange = [name for name in arguments.names_of(words) if name not in parser.option_names]
    if strange:  # first of all: the name of another mode's option can be a short form of one of this mode's
        _refuse_foreign(mode, strange)
    options, unknown = parser.parse_known(words)
    if unknown and not unknown[0].startswith("-"):
        modes = " or ".join(other for other in MODES if _takes_songs(other))
        raise OptionError(f"--mode {mode} does not take a song; did you mean --mode {modes}?")
    parser.refuse(unknown)
    return options


def _refuse_foreign(mode: str, names: Sequence[str]) -> None:
    """Refuse options of other modes; one message covers those that share their modes.

    names: those that the mode does not have. Possible short forms of its own options are not refused.
    """
    known = {other: parser_of(other).option_names for other in MODES}
    every = frozenset[str]().union(*known.values())
    foreign = []
    for name in names:
        meant = [name]
        if name not in every:  # the options that a short form can stand for
            meant = [option for option in every if name.startswith("--") and option.startswith(name)]
        if len(meant) == 1 and meant[0] not in known[mode]:
            foreign += meant
    if not foreign:
        return
    owners = {name: [other for other in MODES if name in known[other]] for name in foreign}
    first = owners[foreign[0]]
    refused = ", ".join(name for name, modes in owners.items() if modes == first)
    advice = f"did you mean --mode {' or '.join(first)}?"
    if "--data" in refused and _takes_songs(mode):
        advice = "name the songs themselves"
    raise OptionError(f"--mode {mode} does not take {refused}; {advice}")


def _takes_songs(mode: str) -> bool:
    return any(action.dest == "files" for action in parser_of(mode).actions)
