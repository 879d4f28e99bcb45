"""A beat streamed to a player while it is made, bar by bar, with keys that change the next bars.

Each bar is rendered by itself, with the tail of the one before added. A key takes effect about two bars later: that
much is made ahead, so that the sound never waits.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from seq2drum.console.terminal import say
from seq2drum.errors import MissingExtraError, OutputError
from seq2drum.music.choices import BOOK, GENRES, LEARNT, LEAST_BPM, MOST_BPM
from seq2drum.play.generators.composer import Brief

if TYPE_CHECKING:
    from seq2drum.lattice.patterns import Pattern
    from seq2drum.music.notes import Part
    from seq2drum.play.generators.composer import Composer
    from seq2drum.show.loudness import Sound

RATE = 44_100
STREAMERS = (
    ("pw-cat", "--playback", "--raw", "--format=s16", f"--rate={RATE}", "--channels=2", "-"),
    ("paplay", "--raw", "--format=s16le", f"--rate={RATE}", "--channels=2"),
    ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-c", "2", "-r", str(RATE)),
    ("ffplay", "-nodisp", "-loglevel", "error", "-f", "s16le", "-ar", str(RATE), "-i", "-"),
)
"""Programs that play a stream of 16-bit stereo samples, the best first."""

KEYS = "keys: + - tempo, g G genre, v V variability, f fill, c something else, q stop"
_TEMPO, _VARIABILITY = 5, 0.05  # steps of a key
_LOUDEST = 0.7  # of the first bar
_MOST = 32_767


class Desk:
    """The current settings, as changed by keys. genres: those that a key chooses among."""

    def __init__(self, brief: Brief, genres: tuple[str, ...] = GENRES) -> None:
        self.genres = genres
        self.brief, self.fill, self.changes, self.stopped = replace(brief, change=()), False, 0, False

    def press(self, key: str) -> None:
        """Handle a key; an unknown one changes nothing."""
        asked = self.brief
        if key in "+-=":
            bpm = asked.bpm + (-_TEMPO if key == "-" else _TEMPO)
            self.brief = replace(asked, bpm=min(max(bpm, LEAST_BPM), MOST_BPM))
        elif key in "gG":
            names = ("", *self.genres)
            at = names.index(next(iter(asked.genres), ""))
            self.brief = replace(asked, genre=names[(at + (1 if key == "g" else -1)) % len(names)] or None)
        elif key in "vV":
            more = asked.variability + (_VARIABILITY if key == "v" else -_VARIABILITY)
            self.brief = replace(asked, variability=round(min(max(more, 0.0), 1.0), 2))
        elif key == "f":
            self.fill = True
        elif key == "c":
            self.changes += 1
        elif key in "q\x03":
            self.stopped = True

    def words(self) -> str:
        """The settings in words."""
        genre = ", ".join(self.brief.genres) or "any genre"
        return f"{genre}, {self.brief.bpm:g} bpm, variability {self.brief.variability:g}"


def run(composer: Composer, brief: Brief, seed: int, primed: Pattern | None, soundfont: str | None) -> int:
    """Make bars and play them until stopped; returns the exit code."""
    from seq2drum.show import fluidsynth

    synthesiser, command = fluidsynth.find(soundfont), streamer()
    desk = Desk(brief, GENRES if composer.model == BOOK else LEARNT)
    sounds = bars_of_sound(
        composer, desk, seed, primed, lambda song: fluidsynth.render(synthesiser, [song], lambda share: None)[0]
    )
    say(f"{desk.words()}; {KEYS if sys.stdin.isatty() else 'Ctrl-C stops'}")
    with keyboard() as pressed:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        except OSError as error:
            raise OutputError(f"the sound could not be played ({error.strerror}); write a file with -o") from None
        try:
            _pour(sounds, process, desk, pressed)
        finally:
            process.kill()
            process.wait()
    return 0


def _pour(sounds: Iterator[bytes], process: subprocess.Popen[bytes], desk: Desk, pressed: Callable[[], str]) -> None:
    if process.stdin is None:
        return
    for sound in sounds:
        try:
            process.stdin.write(sound)
            process.stdin.flush()
        except OSError as error:
            raise OutputError("the sound ended: is there a sound device? Write a file with -o instead") from error
        for key in pressed():
            desk.press(key)
            say(desk.words())
        if desk.stopped:
            return


def bars_of_sound(
    composer: Composer, desk: Desk, seed: int, primed: Pattern | None, render: Callable[[Any], Sound]
) -> Iterator[bytes]:
    """The samples of each bar by the settings of a `Desk`, with the tail of the bar before added."""
    import numpy as np

    from seq2drum.show import fluidsynth

    gain, ringing, count = 0.0, np.zeros((0, 2), dtype=np.float32), 0
    changes, made = 0, composer.parts(lambda: _now(desk), seed, primed)
    while True:
        if desk.changes != changes:
            changes = desk.changes
            made = composer.parts(lambda: _now(desk), seed + changes)
        bpm = desk.brief.bpm
        bar = next(made)
        desk.fill = False
        song = _song(bar, bpm)
        sound = render(fluidsynth.timed(song, song.parts, None, 60.0))
        length = round(4 * 60 / bpm * RATE)
        whole = np.zeros((max(len(sound), len(ringing), length), 2), dtype=np.float32)
        whole[: len(sound)] += sound
        whole[: len(ringing)] += ringing
        loudest = float(np.abs(whole).max(initial=0.0))
        gain = gain or (_LOUDEST / loudest if loudest else 0.0)
        ringing, count = whole[length:], count + 1
        yield (np.clip(whole[:length] * gain, -1, 1) * _MOST).astype("<i2").tobytes()


class _Fill(Brief):
    """A brief in which every bar is a fill."""

    def is_fill(self, bar: int) -> bool:
        return True


def _now(desk: Desk) -> Brief:
    """The brief of the next bar: a fill if one was requested."""
    initial = {field.name: getattr(desk.brief, field.name) for field in fields(Brief)}
    return _Fill(**initial) if desk.fill else desk.brief


def _song(bar: Part, bpm: float) -> Any:
    from seq2drum.lattice.patterns import song_of_part
    from seq2drum.music.notes import Tempo

    return song_of_part(bar, 1, (Tempo(0, round(60e6 / bpm)),))


def streamer() -> list[str]:
    """The command that plays samples as they come.

    Raises:
        MissingExtraError: there is none.
    """
    for name, *flags in STREAMERS:
        if path := shutil.which(name):
            return [path, *flags]
    names = ", ".join(name for name, *_ in STREAMERS)
    raise MissingExtraError(f"nothing here plays sound as it is made: none of {names} was found; write a file with -o")


@contextmanager
def keyboard() -> Iterator[Callable[[], str]]:
    """A function that returns the keys pressed since its last call; none without a terminal."""
    if not sys.stdin.isatty():
        yield lambda: ""
        return
    if sys.platform == "win32":
        import msvcrt

        yield lambda: "".join(iter(lambda: msvcrt.getwch() if msvcrt.kbhit() else "", ""))
        return
    import select
    import termios
    import tty

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)

    def pressed() -> str:
        keys = ""
        while select.select([number], [], [], 0)[0] and (data := os.read(number, 1)):
            keys += data.decode("ascii", "replace")
        return keys

    try:
        tty.setcbreak(number)
        yield pressed
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)
