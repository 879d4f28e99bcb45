"""MIDI ports by name: input calls a function, output is a function.

A `Port` has two hooks, one that sends and one that says whether the port still exists; tests use plain functions. The
ports of the system are those of RtMidi (rtmidi2, extra `live`), which only this file imports.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from seq2drum.errors import MissingExtraError, PortError
from seq2drum.play.jam.signs import FILL, INTENSITY, SECTION, STOP, TEMPO

VIRTUAL = "virtual"  # in place of a name: a new port to which other programs can connect
CLIENT = "seq2drum"
_LEAVING = 0.05  # seconds for the last message to leave: JACK sends it in another thread
_NONE_HERE = "this system has no MIDI ports"


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Port:
    """An open port. send: takes a message. is_there: whether the system still has it."""

    name: str
    send: Callable[[bytes], None] = lambda message: None
    is_there: Callable[[], bool] = lambda: True
    close: Callable[[], None] = _nothing


def names() -> tuple[list[str], list[str]]:
    """The input ports and the output ports.

    Raises:
        MissingExtraError: rtmidi2 is not installed.
        PortError: the system has no MIDI.
    """
    rtmidi, api = _system()
    with _captured():
        return list(rtmidi.MidiIn(CLIENT, api=api).ports), list(rtmidi.MidiOut(CLIENT, api).ports)


def open_input(name: str, heard: Callable[[bytes], None]) -> Port:
    """Listen to the port of a name, or of part of one; `heard` is called in a thread of the system.

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
    """Play through the port of a name, or of part of one; each port serves one jam at a time.

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
    """Return the port with a name, or the only one whose name contains it, ignoring case.

    Raises:
        PortError: no port or several ports match.
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
    """The module of RtMidi, and the first available MIDI API of the system.

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
    advice = "the ALSA sequencer (modprobe snd-seq) or a JACK server is needed" if sys.platform == "linux" else ""
    raise PortError("; ".join(filter(None, [_NONE_HERE, advice, "a file can play the guitar with --in SONG --fast"])))


@contextmanager
def _opening(name: str) -> Iterator[None]:
    """A context for opening a port: errors of RtMidi become errors of the port."""
    try:
        yield
    except (RuntimeError, ValueError, OSError) as error:
        raise PortError(f"the MIDI port {name!r} cannot be opened ({str(error).strip()}); is it in use?") from None


@contextmanager
def _captured() -> Iterator[Callable[[], bytes]]:
    """Capture what C libraries write to standard error, which would break the program's lines."""
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
    """Lock a port for this jam until the returned lock is closed, or the process ends.

    Raises:
        PortError: another jam has it.
    """
    if sys.platform == "win32":  # another jam cannot lock it
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


NOTE_OFF, NOTE_ON, CONTROL, PROGRAM = 0x80, 0x90, 0xB0, 0xC0
POSITION, CLOCK, START, CONTINUE, HALT = 0xF2, 0xF8, 0xFA, 0xFB, 0xFC
CLOCKS = 24  # messages of the MIDI clock in a quarter
POSITIONS = 4  # song positions in a quarter: sixteenths
DRUM_CHANNEL = 9
FOOT_PEDAL = 4  # the controller of the hi-hat's pedal
ALL_SOUND_OFF, ALL_NOTES_OFF = 120, 123  # controllers
_DOWN = 64  # a switch is down from this value of its controller on

TICK, BEGIN, RESUME, PAUSE = bytes([CLOCK]), bytes([START]), bytes([CONTINUE]), bytes([HALT])


class Key(NamedTuple):
    """A note begins; with velocity 0 it ends."""

    pitch: int
    velocity: int


class Switch(NamedTuple):
    """A controller changes to a value, 0-127."""

    controller: int
    value: int

    @property
    def is_down(self) -> bool:
        """Return True if this means a foot switch is down."""
        return self.value >= _DOWN


class Transport(NamedTuple):
    """A clock message: its status, and for POSITION the quarter."""

    status: int
    quarter: float = 0.0


Message: TypeAlias = Key | Switch | Transport | None


def read(message: bytes) -> Message:
    """Return the event of a message; None for other messages, and for invalid bytes."""
    if not message:
        return None
    status, data = message[0], message[1:]
    if status >= 0xF0:
        if status == POSITION and len(data) >= 2:
            return Transport(status, (data[0] & 0x7F | (data[1] & 0x7F) << 7) / POSITIONS)
        return Transport(status) if status in (CLOCK, START, CONTINUE, HALT) else None
    if len(data) < 2 or max(data[:2]) > 0x7F:
        return None
    kind = status & 0xF0
    if kind in (NOTE_ON, NOTE_OFF):
        if status & 0x0F == DRUM_CHANNEL:  # the drums of this program, fed back
            return None
        return Key(data[0], data[1] if kind == NOTE_ON else 0)
    return Switch(data[0], data[1]) if kind == CONTROL else None


def note_on(pitch: int, velocity: int) -> bytes:
    """A hit on the drum channel."""
    return bytes([NOTE_ON | DRUM_CHANNEL, pitch, velocity])


def note_off(pitch: int) -> bytes:
    """The end of that hit."""
    return bytes([NOTE_OFF | DRUM_CHANNEL, pitch, 0])


def control(controller: int, value: int) -> bytes:
    """A controller message on the drum channel."""
    return bytes([CONTROL | DRUM_CHANNEL, controller, value])


def program(number: int) -> bytes:
    """A program change on the drum channel."""
    return bytes([PROGRAM | DRUM_CHANNEL, number])


# --- signs ----------------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """A sign from outside, without its time."""

    what: str
    value: float | str | None = None


Came: TypeAlias = tuple[float, bytes | Shown]
"""An input and its time: a MIDI message, or a sign."""


CC, NOTE = "cc", "note"
PEDALS: Mapping[tuple[str, int], str] = MappingProxyType({(CC, 64): FILL, (CC, 66): SECTION, (CC, 67): STOP})
"""The default signs of a keyboard's pedals: sustain, sostenuto and soft."""


class Feet:
    """The foot switches of a guitarist: the sign for each controller or note."""

    def __init__(self, pedals: Mapping[tuple[str, int], str] = PEDALS) -> None:
        self._pedals, self._down = dict(pedals), set[int]()

    def sign(self, message: Message) -> str | None:
        """The sign of a message; that of a controller once, when it goes down."""
        if isinstance(message, Key):
            return self._pedals.get((NOTE, message.pitch)) if message.velocity else None
        if not isinstance(message, Switch) or (CC, message.controller) not in self._pedals:
            return None
        was_down = message.controller in self._down
        (self._down.add if message.is_down else self._down.discard)(message.controller)
        return self._pedals[CC, message.controller] if message.is_down and not was_down else None

    def is_pedal(self, key: Key) -> bool:
        """Return True if a note is a foot switch, not a note of the guitar."""
        return (NOTE, key.pitch) in self._pedals


LOOPBACK = "127.0.0.1"


def sign_of(address: str, values: tuple[Any, ...]) -> Shown | None:
    """The sign of an OSC message, or None."""
    what, value = address.strip("/").casefold(), values[0] if values else None
    if what in (TEMPO, INTENSITY):
        return Shown(what, float(value) if isinstance(value, int | float) else None)
    if what not in (FILL, SECTION, STOP) or (isinstance(value, int | float) and not value):
        return None
    return Shown(what, value if what == SECTION and isinstance(value, str) and value else None)


@contextmanager
def listening(host: str, port: int, shown: Callable[[Shown], None]) -> Iterator[int]:
    """Call a function, in a separate thread, with each sign that arrives at a UDP port; return the port's number.

    Raises:
        MissingExtraError: python-osc is not installed.
        PortError: the port cannot be opened.
    """
    try:
        from pythonosc.dispatcher import Dispatcher
        from pythonosc.osc_server import BlockingOSCUDPServer
    except ImportError:
        raise MissingExtraError("python-osc is not installed: pip install 'seq2drum[live]'") from None

    def came(address: str, *values: Any) -> None:
        if (sign := sign_of(address, values)) is not None:
            shown(sign)

    class Server(BlockingOSCUDPServer):
        def handle_error(self, request: Any, client_address: Any) -> None:
            """Ignore an invalid message."""

    dispatcher = Dispatcher()
    dispatcher.set_default_handler(came)
    try:
        server = Server((host, port), dispatcher)
    except OSError as error:
        raise PortError(f"OSC cannot be received on {host}:{port} ({error.strerror}); name another port") from None
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="osc", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
