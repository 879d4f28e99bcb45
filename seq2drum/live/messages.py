"""MIDI messages as they come through a port, and what of them a drummer who plays along heeds.

The numbers are those of the MIDI 1.0 specification.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

from seq2drum.play.signs import FILL, SECTION, STOP

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
    """A note begins, or with the velocity 0 ends."""

    pitch: int
    velocity: int


class Switch(NamedTuple):
    """A controller goes to a value, 0-127."""

    controller: int
    value: int

    @property
    def is_down(self) -> bool:
        """Whether a foot switch that sends this is down."""
        return self.value >= _DOWN


class Transport(NamedTuple):
    """A message of the clock: its status, and of POSITION the quarter."""

    status: int
    quarter: float = 0.0


Message: TypeAlias = Key | Switch | Transport | None


def read(message: bytes) -> Message:
    """What a message says; None if it is nothing that is heeded here, or no message."""
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
        if status & 0x0F == DRUM_CHANNEL:  # the drums themselves, on their way back
            return None
        return Key(data[0], data[1] if kind == NOTE_ON else 0)
    return Switch(data[0], data[1]) if kind == CONTROL else None


def note_on(pitch: int, velocity: int) -> bytes:
    """A hit on the drum channel."""
    return bytes([NOTE_ON | DRUM_CHANNEL, pitch, velocity])


def note_off(pitch: int) -> bytes:
    """Its end."""
    return bytes([NOTE_OFF | DRUM_CHANNEL, pitch, 0])


def control(controller: int, value: int) -> bytes:
    """A controller of the drum channel."""
    return bytes([CONTROL | DRUM_CHANNEL, controller, value])


def program(number: int) -> bytes:
    """A kit for the drum channel."""
    return bytes([PROGRAM | DRUM_CHANNEL, number])


# --- signs ----------------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """A sign as it comes from outside, without its moment."""

    what: str
    value: float | str | None = None


Came: TypeAlias = tuple[float, bytes | Shown]
"""What came, and when: a MIDI message, or a sign."""


CC, NOTE = "cc", "note"
PEDALS: Mapping[tuple[str, int], str] = MappingProxyType({(CC, 64): FILL, (CC, 66): SECTION, (CC, 67): STOP})
"""What the pedals of a keyboard show the drummer: sustain, sostenuto and soft."""


class Feet:
    """The foot switches of a guitarist: which controller or note stands for which sign."""

    def __init__(self, pedals: Mapping[tuple[str, int], str] = PEDALS) -> None:
        self._pedals, self._down = dict(pedals), set[int]()

    def sign(self, message: Message) -> str | None:
        """The sign that a message stands for: that of a controller once, when it goes down."""
        if isinstance(message, Key):
            return self._pedals.get((NOTE, message.pitch)) if message.velocity else None
        if not isinstance(message, Switch) or (CC, message.controller) not in self._pedals:
            return None
        was_down = message.controller in self._down
        (self._down.add if message.is_down else self._down.discard)(message.controller)
        return self._pedals[CC, message.controller] if message.is_down and not was_down else None

    def is_pedal(self, key: Key) -> bool:
        """Whether a note is no note of the guitar but a foot switch."""
        return (NOTE, key.pitch) in self._pedals
