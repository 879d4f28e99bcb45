"""Power Tab Editor 1.7 -> what is written: lists of objects, as Microsoft's class library stores them."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

from seq2drum.errors import NotationError
from seq2drum.formats import foreign
from seq2drum.formats.powertab.written import (
    WAY_OUT,
    Barline,
    Counter,
    Player,
    Position,
    Score,
    System,
    WrittenNote,
    length,
    line,
)
from seq2drum.music.limits import TAB_LIMITS

_VERSION = 4  # of 1.7
_END = 1 << 16  # the position of the barline at the end of a system
_PLAYERS = 8  # bits of a staff's guitars
_OPENS, _CLOSES = 3, 4  # kinds of barlines
_SLIDE_LETTERS = 4  # bytes of a symbol
_MULTI_BAR_REST = ord("j")
_NO_LETTER = 0x7F
T = TypeVar("T")


def read(data: bytes) -> list[Score]:
    """The scores of a file's bytes: that of the guitars and that of the bass.

    Raises:
        NotationError: another kind or version, damaged, or beyond TAB_LIMITS.
    """
    if len(data) > TAB_LIMITS.binary_bytes:
        raise NotationError(f"the tab has {len(data):,} bytes; at most {TAB_LIMITS.binary_bytes:,} are read")
    if not data.startswith(b"ptab"):
        raise NotationError(f"this is not a tab of Power Tab: it begins with {foreign.beginning(data)}; {WAY_OUT}")
    reader = _Reader(data)
    if (version := reader.number(2)) != _VERSION:
        raise NotationError(f"the tab has version {version} of Power Tab's format; 4 is read, that of 1.7: {WAY_OUT}")
    reader.skip_header()
    return [reader.score() for _ in range(2)]


class _Reader:
    """Reads a file from behind its first four bytes. The lowest byte of a number comes first."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 4
        self._counter = Counter()

    # --- bytes --------------------------------------------------------------------------------------------------------

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            NotationError: there are not so many.
        """
        if count > len(self._data) - self._at:
            raise NotationError(f"the tab ends after {len(self._data):,} bytes, in the middle of its music; {WAY_OUT}")
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, count: int) -> int:
        """A number of so many bytes, without a sign."""
        return int.from_bytes(self.take(count), "little")

    def text(self) -> str:
        """A text, whose length has one byte, or two or four if that is not enough."""
        count = self.number(1)
        count = self.number(2) if count == 0xFF else count
        count = self.number(4) if count == 0xFFFF else count
        return self.take(count).decode("cp1252", "replace")

    def items(self, read: Callable[[], T]) -> list[T]:
        """A list, each item after a word about its class."""
        count = self.number(2)
        count = self.number(4) if count == 0xFFFF else count
        self._counter.add("items", TAB_LIMITS.items, count)
        out = list[T]()
        for _ in range(count):
            tag = self.number(2)
            if tag == 0x7FFF:
                self.take(4)
            elif tag == 0xFFFF:  # a class that is new, with its name
                self.take(2)
                self.take(self.number(2))
            out.append(read())
        return out

    # --- a file -------------------------------------------------------------------------------------------------------

    def skip_header(self) -> None:
        """Skip title, artist and others."""
        if self.number(1):  # a lesson
            self._texts(2)
            self.take(3)
            self._texts(3)
            return
        self.take(1)
        self._texts(2)
        release = self.number(1)
        if release == 0:
            self.take(1)
        if release in (0, 1, 2):
            self._texts(1)
            self.take((3, 1, 6)[release])
        self._texts(2 if self.number(1) == 0 else 0)
        self._texts(7)

    def _texts(self, count: int) -> None:
        for _ in range(count):
            self.text()

    def score(self) -> Score:
        """A score."""
        players = dict(self.items(self._player))
        self.items(self._skip_diagram)
        self.items(self._skip_text)
        guitars = self.items(self._guitars)
        tempos = self.items(self._tempo)
        self.items(lambda: self.take(6))  # dynamics
        endings = self.items(self._ending)
        systems = self.items(self._system)
        for number, at, players_of in guitars:
            if number < len(systems):
                systems[number].players.append((at, players_of))
        for number, at, bpm, feel in tempos:
            if number < len(systems):
                systems[number].tempos.append((at, bpm, feel))
        for number, at, passes in endings:
            if number < len(systems):
                systems[number].endings.append((at, passes))
        listed = [players.get(number, Player("", 25, ())) for number in range(max(players, default=-1) + 1)]
        return Score(systems, listed)

    def _player(self) -> tuple[int, Player]:
        number = self.number(1)
        name = line(self.text())
        program = self.number(1)
        capo = self.take(7)[6]
        self.text()
        self.take(1)
        return number, Player(name, program, tuple(note + capo for note in self.take(self.number(1))))

    def _skip_diagram(self) -> None:
        self.take(7)
        self.take(self.number(1))

    def _skip_text(self) -> None:
        self.text()
        self.take(17)
        self.text()
        self.take(15)

    def _guitars(self) -> tuple[int, int, dict[int, tuple[int, ...]]]:
        """Which guitars play a staff: system, position, and the guitars by staff."""
        system, staff, at, _, bits = self.number(2), *self.take(4)
        playing = tuple(number for number in range(_PLAYERS) if bits >> number & 1)
        return system, at, {staff: playing} if playing else {}

    def _tempo(self) -> tuple[int, int, float, int]:
        """System, position, quarters a minute (0 if none is stated), feel."""
        system, at, bpm, flags = self.number(2), self.number(1), self.number(2), self.number(2)
        self.text()
        unit, kind = flags >> 7 & 0xF, flags >> 11 & 3
        is_gradual = kind == 3
        return system, at, 0.0 if is_gradual else quarters(bpm, unit), flags & 7

    def _ending(self) -> tuple[int, int, frozenset[int]]:
        system, at, flags = self.number(2), self.number(1), self.number(4) >> 16
        return system, at, frozenset(number + 1 for number in range(8) if flags >> number & 1)

    # --- a system -----------------------------------------------------------------------------------------------------

    def _system(self) -> System:
        self.take(16)  # a rectangle
        end = self.number(1)
        self.take(4)
        first = self._barline()
        system = System()
        system.directions = [each for listed in self.items(self._directions) for each in listed]
        self.items(lambda: self.take(7))  # names of chords
        self.items(lambda: self.take(6))  # rhythm slashes
        system.staves = self.items(self._staff)
        barlines = sorted([first._replace(at=0), *self.items(self._barline)], key=lambda barline: barline.at)
        last = Barline(_END, False, end & 31 if end >> 5 == _CLOSES else 0, 4, 4)
        system.barlines = [*barlines, last]
        return system

    def _barline(self) -> Barline:
        self._counter.add("barlines", TAB_LIMITS.measures)
        at, kind, _ = self.take(3)
        metre = self.number(4) >> 24
        self.take(1)
        letter, words = self.number(1), line(self.text())
        section = words or (chr(letter) if letter != _NO_LETTER and 32 < letter < _NO_LETTER else "")
        count = kind & 31 if kind >> 5 == _CLOSES else 0
        return Barline(at, kind >> 5 == _OPENS, count, (metre >> 3) + 1, 2 ** (metre & 7), section)

    def _directions(self) -> list[tuple[int, int]]:
        at = self.number(1)
        return [(at, self.number(2) >> 8) for _ in range(self.number(1))]

    def _staff(self) -> list[list[Position]]:
        self.take(5)
        return [sorted(self.items(self._position), key=lambda position: position.at) for _ in range(2)]

    def _position(self) -> Position:
        at, group, _ = self.take(3)
        flags = self.number(4)
        bars = 0
        for _ in range(self.number(1)):
            symbol = self.take(_SLIDE_LETTERS)
            if symbol[3] == _MULTI_BAR_REST:
                bars = int.from_bytes(symbol[:2], "little")
        notes = tuple(self.items(self._note))
        self._counter.add("beats", TAB_LIMITS.beats)
        self._counter.add("notes", TAB_LIMITS.notes, len(notes))
        lasts = length(flags >> 24, 2 if flags & 2 else flags & 1)
        if flags & 0xE00000:  # in an irregular group
            lasts *= Fraction((group & 7) + 1, (group >> 3 & 15) + 1)
        return Position(
            at,
            lasts,
            () if flags & 4 else notes,
            is_grace=bool(flags & 0x10000),
            rings=bool(flags & 0x80000),
            is_palm_muted=bool(flags & 0x2000),
            accent=2 if flags & 0x800 else 1 if flags & 0x400 else 0,
            is_tremolo=bool(flags & 0x1000),
            bars=0 if notes else min(bars, TAB_LIMITS.measures),
        )

    def _note(self) -> WrittenNote:
        place, flags = self.number(1), self.number(2)
        self.take(_SLIDE_LETTERS * self.number(1))
        return WrittenNote(
            place >> 5, place & 31, bool(flags & 1), bool(flags & 2), bool(flags & 0x80), bool(flags & 0x18)
        )


def quarters(bpm: int, unit: int) -> float:
    """A tempo in quarters a minute. unit: its beat, counted from the half, each followed by its dotted one."""
    return float(bpm * Fraction(2, 2 ** (unit // 2)) * (Fraction(3, 2) if unit % 2 else 1))
