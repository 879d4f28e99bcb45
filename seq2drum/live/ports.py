"""MIDI ports by name: what comes in goes to a function, and what goes out is a function.

A kind of port is a `Port` made of two hooks, one that sends and one that says whether the port is still there; in a
test both are plain functions. The ports of the system are those of RtMidi (rtmidi2, extra `live`), imported here alone.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seq2drum.errors import MissingExtraError, PortError

VIRTUAL = "virtual"  # in place of a name: a new port, to which another program can connect
CLIENT = "seq2drum"
_LEAVING = 0.05  # seconds that what was sent last has to leave: JACK sends it in a thread of its own
_NONE_HERE = "this system has no MIDI ports"


def _nothing() -> None:
    pass


def _yes() -> bool:
    return True


@dataclass(frozen=True)
class Port:
    """A port that is open. send: takes a message. is_there: whether the system still has it."""

    name: str
    send: Callable[[bytes], None] = lambda message: None
    is_there: Callable[[], bool] = _yes
    close: Callable[[], None] = _nothing


def names() -> tuple[list[str], list[str]]:
    """The ports that can be listened to, and those that can be played through.

    Raises:
        MissingExtraError: rtmidi2 is not installed.
        PortError: the system has no MIDI.
    """
    rtmidi, api = _system()
    with _captured():
        return list(rtmidi.MidiIn(CLIENT, api=api).ports), list(rtmidi.MidiOut(CLIENT, api).ports)


def open_input(name: str, heard: Callable[[bytes], None]) -> Port:
    """Listen to the port of a name, or a part of it; `heard` is called in a thread of the system's.

    Raises:
        MissingExtraError: rtmidi2 is not installed.
        PortError: there is no such port, or it cannot be opened.
    """
    rtmidi, api = _system()
    with _opening(name), _captured():
        device = rtmidi.MidiIn(CLIENT, api=api)
        device.ignore_types(True, False, True)  # the clock is not ignored
        device.callback = lambda message, seconds: heard(bytes(message))
        return _opened(device, name, "guitar", send=lambda message: None)


def open_output(name: str) -> Port:
    """Play through the port of a name, or a part of it; through one port only one jam plays at a time.

    Raises:
        MissingExtraError: rtmidi2 is not installed.
        PortError: there is no such port, it cannot be opened, or another jam plays through it.
    """
    rtmidi, api = _system()
    with _opening(name), _captured():
        device = rtmidi.MidiOut(CLIENT, api)
        raw = device.send_raw
        return _opened(device, name, "drums", send=lambda message: raw(*message), alone=True)


def chosen(name: str, there: Sequence[str]) -> int:
    """Which of some ports has a name, or alone has it as a part of its own; capitals do not matter.

    Raises:
        PortError: none has, or several have.
    """
    if name in there:
        return there.index(name)
    found = [at for at, one in enumerate(there) if name.casefold() in one.casefold()]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(there[at] for at in found) if found else ", ".join(there)
    if found:
        raise PortError(f"{name!r} is a part of several ports' names: {listed}; give more of the one that is meant")
    raise PortError(f"there is no MIDI port {name!r}; {f'there are {listed}' if there else 'there is none at all'}")


# --- RtMidi -----------------------------------------------------------------------------------------------------------


def _opened(device: Any, name: str, own: str, send: Callable[[bytes], None], *, alone: bool = False) -> Port:
    if name == VIRTUAL:
        if sys.platform == "win32":
            raise PortError("Windows has no virtual ports; make one with loopMIDI, and give its name")
        lock = _reserved(f"{CLIENT} {own}") if alone else None
        device.open_virtual_port(own)
        return Port(f"{CLIENT} {own}", send, close=lambda: _close(device, lock))
    there = list(device.ports)
    at = chosen(name, there)
    full = there[at]
    lock = _reserved(full) if alone else None
    device.open_port(at)

    def is_there() -> bool:
        try:
            return full in device.ports
        except Exception:
            return False

    return Port(full, send, is_there, lambda: _close(device, lock))


def _close(device: Any, lock: int | None) -> None:
    time.sleep(_LEAVING)
    with suppress(Exception):
        device.callback = None
    with suppress(Exception):
        device.close_port()
    if lock is not None:
        os.close(lock)


def _system() -> tuple[Any, int]:
    """The module of RtMidi, and the first of the system's kinds of MIDI that is there.

    Raises:
        MissingExtraError: rtmidi2 is not installed.
        PortError: the system has no MIDI.
    """
    try:
        import rtmidi2
    except ImportError:
        raise MissingExtraError("rtmidi2 is not installed: pip install 'seq2drum[live]'") from None
    for api in (rtmidi2.API_UNSPECIFIED, rtmidi2.API_UNIX_JACK):
        with suppress(Exception), _captured() as said:
            rtmidi2.MidiIn(CLIENT, api=api)
            if b"not running" not in said():
                return rtmidi2, api
    advice = "the ALSA sequencer (modprobe snd-seq) or a JACK server is wanted" if sys.platform == "linux" else ""
    raise PortError("; ".join(filter(None, [_NONE_HERE, advice, "a file can play the guitar with --in SONG --fast"])))


@contextmanager
def _opening(name: str) -> Iterator[None]:
    """Around whatever opens a port. What RtMidi complains of is an error of the port."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        raise PortError(f"the MIDI port {name!r} cannot be opened ({str(error).strip()}); is it in use?") from None


@contextmanager
def _captured() -> Iterator[Callable[[], bytes]]:
    """What libraries in C write to standard error, which would otherwise stand between the program's own lines."""
    with tempfile.TemporaryFile() as file:
        try:
            before = os.dup(2)
        except OSError:  # there is no standard error
            yield lambda: b""
            return

        def said() -> bytes:
            return os.pread(file.fileno(), 1 << 16, 0) if hasattr(os, "pread") else b""

        try:
            os.dup2(file.fileno(), 2)
            yield said
        finally:
            os.dup2(before, 2)
            os.close(before)


def _reserved(name: str) -> int | None:
    """Keep a port for this jam until what is returned is closed, or the process ends.

    Raises:
        PortError: another jam has it.
    """
    if sys.platform == "win32":  # which opens a port once
        return None
    import fcntl

    owner = os.getuid()
    mark = hashlib.sha256(name.encode()).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"{CLIENT}-{owner}-{mark}.lock"
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise PortError(f"another jam plays through {name!r}; end it, or name another port") from None
    return lock
