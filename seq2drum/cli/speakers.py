"""Sound through the loudspeakers of this machine, by an installed player."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from seq2drum.console.terminal import bar, say
from seq2drum.errors import MissingExtraError, OutputError

if TYPE_CHECKING:
    from seq2drum.music.duet import Duet
    from seq2drum.show.kits import Sounds

PLAYERS = (
    ("pw-play",),
    ("paplay",),
    ("aplay", "-q"),
    ("afplay",),
    ("ffplay", "-nodisp", "-autoexit", "-loglevel", "error"),
    ("mpv", "--no-video", "--really-quiet"),
)
"""Programs that play a WAV file, each with its flags, the best first."""

_NOTICE = 0.05  # seconds between two checks whether a player has ended
_HEARD = 1.0  # seconds: a player that ends sooner, and before half of the sound, has played nothing
FAILED_WITHIN = 2.0  # seconds: a player that fails sooner has played nothing, and the next is tried
_ELSE = "write a file instead with -o FILE.wav"


def rendered(duet: Duet, sounds: Sounds, span: tuple[int, int] | None = None) -> bytes:
    """A duet as the bytes of a WAV file, with a progress bar. span: its ticks; all if None."""
    from seq2drum.show import sound

    done = 0.0
    with bar(1, "rendering") as advance:

        def show(share: float) -> None:
            nonlocal done
            advance(share - done, "")
            done = share

        return sound.wav(duet, sounds=sounds, span=span, show=show)


def players() -> list[list[str]]:
    """The commands that can play here, the best first; empty on Windows, which plays by itself.

    Raises:
        MissingExtraError: there is none.
    """
    if sys.platform == "win32":
        return []
    found = [[path, *flags] for name, *flags in PLAYERS if (path := shutil.which(name))]
    if not found:
        names = ", ".join(name for name, *_ in PLAYERS)
        raise MissingExtraError(f"nothing here plays sound: none of {names} was found; install one, or {_ELSE}")
    return found


def play(data: bytes, programs: Sequence[Sequence[str]]) -> None:
    """Play the bytes of a WAV file until the end, or until Ctrl-C. programs: from `players`.

    Raises:
        OutputError: every player failed.
    """
    from seq2drum.show import sound

    seconds = sound.lasts(data)
    with tempfile.TemporaryDirectory(prefix="seq2drum-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "seq2drum.wav"
        file.write_bytes(data)
        say(f"playing {sound.clock(seconds)}; Ctrl-C stops")
        if sys.platform == "win32":
            _play_on_windows(file, seconds)
            return
        complaints = []
        for player in programs:
            begun = time.monotonic()
            complaint = _run([*player, str(file)], seconds)
            if complaint is None:
                return
            complaints.append(f"{Path(player[0]).name}: {complaint}")
            if time.monotonic() - begun > FAILED_WITHIN:
                break
    raise OutputError(f"the sound could not be played ({'; '.join(complaints)}); {_ELSE}")


def _run(command: Sequence[str], seconds: float) -> str | None:
    """Run a player until it ends; returns its complaint if it fails."""
    begun = time.monotonic()
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
        if process.returncode == 0:
            played = time.monotonic() - begun >= min(seconds / 2, _HEARD)
            return None if played else "it ended immediately; is there a sound device?"
        return (words or [f"code {process.returncode}"])[-1][:200]


def _ticking() -> Iterator[float]:
    """The seconds since the last call."""
    before = time.monotonic()
    while True:
        time.sleep(_NOTICE)
        now = time.monotonic()
        yield now - before
        before = now


def _play_on_windows(file: Path, seconds: float) -> None:
    if sys.platform == "win32":  # spelt out: mypy knows by this that the module exists
        import winsound

        try:
            # Not until it has ended: that would ignore Ctrl-C.
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
