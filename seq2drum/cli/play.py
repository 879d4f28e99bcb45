"""Mode play: guitar and drums through the loudspeakers, or into a WAV file."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.cli import duets, exports, paths, shared
from seq2drum.cli.terminal import bar, say, standard_output
from seq2drum.errors import MissingExtraError, OptionError, OutputError

if TYPE_CHECKING:
    from seq2drum.music.duet import Duet

PLAYERS = (
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("mpv", "--no-video", "--really-quiet"),
)
"""Programs that play a WAV file, each with its flags, the best first."""

_NOTICE = 0.05  # seconds until the end of a player is noticed
_AT_ONCE = 2.0  # seconds: a player that fails sooner has played nothing, and the next is tried
_ELSE = "write a file instead with -o FILE.wav"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what is heard, and where."""
    parser.usage = "%(prog)s SONG [DRUMS] [options]"
    parser.description = "Plays guitar and drums through the loudspeakers, or into a file. Needs FluidSynth."
    parser.epilog = """examples:
  seq2drum --mode play song.drums.mid
  seq2drum --mode play song.mid other_drums.mid --bars 9:16 -o song.wav"""
    duets.add_options(parser)
    shared.add_output(parser, "a file, .wav (default: the loudspeakers)", metavar="FILE")
    exports.add_soundfont(parser)
    shared.add_force(parser)


def run(options: argparse.Namespace) -> int:
    """Render and play, or write; returns the exit code."""
    from seq2drum.show import sound

    if options.output is None:
        players = _players()
    elif options.output != "-":
        if Path(options.output).suffix.lower() != ".wav":
            raise OptionError(f"--mode play writes .wav, and {Path(options.output).name!r} ends otherwise")
        paths.check_target(options.output, paths.identities(options.files), overwrite=options.force)
    sound.check(options.soundfont)
    duet = duets.read(options)
    span = _span(duet, options.bars)
    exports.tell_if_cut(duet, span)
    data = _rendered(duet, span, options.soundfont)
    if options.output is not None:
        paths.write(data, options.output, overwrite=options.force)
        if options.output != "-":
            with standard_output():
                print(f"{options.output}: {exports.clock(sound.lasts(data))} of sound", flush=True)
        return 0
    _play(data, players)
    return 0


def _span(duet: Duet, bars: tuple[int, int] | None) -> tuple[int, int] | None:
    """The ticks of some bars, counted from 1."""
    if bars is None:
        return None
    first, last = bars
    count = len(duet.song.bars())
    if not 1 <= first <= last <= count:
        raise OptionError(f"--bars is {first}:{last}, and the song has bars 1 to {count}")
    return duet.song.bars()[first - 1].start, duet.song.bars()[last - 1].end


def _rendered(duet: Duet, span: tuple[int, int] | None, soundfont: str | None) -> bytes:
    from seq2drum.show import sound

    done = 0.0
    with bar(1, "rendering") as advance:

        def show(share: float) -> None:
            nonlocal done
            advance(share - done, "")
            done = share

        return sound.wav(duet, soundfont=soundfont, span=span, show=show)


# --- loudspeakers -----------------------------------------------------------------------------------------------------


def _players() -> list[list[str]]:
    """The commands that can play here, the best first; none on Windows, which plays by itself.

    Raises:
        MissingExtraError: there is none.
    """
    if sys.platform == "win32":
        return []
    players = [[path, *flags] for name, *flags in PLAYERS if (path := shutil.which(name))]
    if not players:
        names = ", ".join(name for name, *_ in PLAYERS)
        raise MissingExtraError(f"nothing here plays sound: none of {names} was found; install one, or {_ELSE}")
    return players


def _play(data: bytes, players: Sequence[Sequence[str]]) -> None:
    """Play until the end, or until Ctrl-C.

    Raises:
        OutputError: no player could.
    """
    from seq2drum.show import sound

    seconds = sound.lasts(data)
    with tempfile.TemporaryDirectory(prefix="seq2drum-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "seq2drum.wav"
        file.write_bytes(data)
        say(f"playing {exports.clock(seconds)}; Ctrl-C stops")
        if sys.platform == "win32":
            _play_on_windows(file, seconds)
            return
        complaints = []
        for player in players:
            begun = time.monotonic()
            complaint = _run([*player, str(file)], seconds)
            if complaint is None:
                return
            complaints.append(f"{Path(player[0]).name}: {complaint}")
            if time.monotonic() - begun > _AT_ONCE:
                break
    raise OutputError(f"the sound could not be played ({'; '.join(complaints)}); {_ELSE}")


def _run(command: Sequence[str], seconds: float) -> str | None:
    """Run a player until it ends; what it complains of, if it fails."""
    with tempfile.TemporaryFile() as log:
        try:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log)
        except OSError as error:
            return error.strerror
        try:
            with bar(seconds, "playing") as advance:
                for passed in _ticking():
                    advance(passed, "")
                    if process.poll() is not None:
                        break
        finally:
            process.kill()
            process.wait()
        log.seek(0)
        words = log.read(1 << 16).decode(errors="replace").strip().splitlines()
        return None if process.returncode == 0 else (words or [f"code {process.returncode}"])[-1][:200]


def _ticking() -> Iterator[float]:
    """The seconds that have passed since the last time this was asked."""
    before = time.monotonic()
    while True:
        time.sleep(_NOTICE)
        now = time.monotonic()
        yield now - before
        before = now


def _play_on_windows(file: Path, seconds: float) -> None:
    if sys.platform == "win32":  # as it is: mypy knows by this that there is such a module
        import winsound

        try:
            # Not until it has ended: that would not heed Ctrl-C.
            winsound.PlaySound(str(file), winsound.SND_FILENAME | winsound.SND_ASYNC)
            with bar(seconds, "playing") as advance:
                for passed in _ticking():
                    advance(passed, "")
                    seconds -= passed
                    if seconds <= 0:
                        return
        except RuntimeError as error:
            raise OutputError(f"the sound could not be played ({error}); {_ELSE}") from None
        finally:
            winsound.PlaySound(None, 0)
