"""TuxGuitar 1.0 to 1.5 -> what is written: a stream of bytes, the highest of a number first, letters of two bytes."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from seq2drum.errors import NotationError
from seq2drum.formats.guitarpro.tab import Articulation
from seq2drum.formats.tuxguitar.written import (
    LOUDNESS,
    WAY_OUT,
    Counter,
    Grace,
    Head,
    Voice,
    WrittenNote,
    WrittenTrack,
    check_counts,
    duration,
    line,
)
from seq2drum.music.limits import TAB_LIMITS

_VERSIONS = {f"TuxGuitar File Format - 1.{minor}": minor for minor in (0, 1, 2, 3, 5)}
_DRUM_BANK, _DRUM_CHANNEL = 128, 9
_LOWEST_OFFSET = -24  # the capo that is written as 0
_VOICES = 2
_MOST_IN_MEASURE = 4 * TAB_LIMITS.voice  # beats


def read(data: bytes) -> tuple[list[Head], list[WrittenTrack]]:
    """The measures and tracks of a file's bytes.

    Raises:
        NotationError: another version, damaged, or beyond TAB_LIMITS.
    """
    if len(data) > TAB_LIMITS.binary_bytes:
        raise NotationError(f"the tab has {len(data):,} bytes; at most {TAB_LIMITS.binary_bytes:,} are read")
    stream = _Stream(data)
    name = stream.text(stream.byte())
    if name not in _VERSIONS:
        raise NotationError(
            f"the tab says that it is {name[:40]!r}, and TuxGuitar 1.0 to 1.5 and 2 are read; {WAY_OUT}"
        )
    return _Reader(stream, _VERSIONS[name]).read()


class _Stream:
    """Bytes that are read one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            NotationError: there are not so many.
        """
        if not 0 <= count <= len(self._data) - self._at:
            raise NotationError(f"the tab ends after {len(self._data):,} bytes, in the middle of its music; {WAY_OUT}")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        """A number from 0 to 255."""
        return self.take(1)[0]

    def signed(self) -> int:
        """A number from -128 to 127."""
        return int.from_bytes(self.take(1), "big", signed=True)

    def short(self) -> int:
        """A number of two bytes, with a sign."""
        return int.from_bytes(self.take(2), "big", signed=True)

    def text(self, letters: int) -> str:
        """A text of so many letters."""
        return self.take(2 * letters).decode("utf-16-be", "replace")

    def named(self) -> str:
        """A text of at most 255 letters."""
        return self.text(self.byte())

    def long_text(self) -> str:
        """A text whose length has four bytes."""
        return self.text(int.from_bytes(self.take(4), "big"))


class _Channel(NamedTuple):
    program: int
    is_drums: bool


class _Reader:
    """Reads a file of a version, the number behind 1."""

    def __init__(self, stream: _Stream, version: int) -> None:
        self._stream, self._version = stream, version
        self._counter = Counter()
        self._channels: dict[int, _Channel] = {}

    def read(self) -> tuple[list[Head], list[WrittenTrack]]:
        """The measures and tracks."""
        stream = self._stream
        for _ in range(8 if self._version >= 2 else 4):  # title, artist and others
            stream.named()
        if self._version >= 2:
            stream.long_text()
        if self._version >= 3:
            for _ in range(stream.byte()):
                self._channel()
        count = stream.short()
        check_counts(count, 1)
        heads: list[Head] = []
        for _ in range(count):
            heads.append(self._head(heads[-1] if heads else Head(4, 4, 120.0)))
        tracks = stream.byte()
        check_counts(count, tracks)
        return heads, [self._track(heads) for _ in range(tracks)]

    def _channel(self) -> None:
        """Store a channel of 1.3 and later."""
        stream = self._stream
        number, bank, program = stream.short(), stream.byte(), stream.byte()
        stream.take(6)
        stream.named()
        for _ in range(max(stream.short(), 0)):
            stream.named()
            stream.long_text()
        self._channels[number] = _Channel(program, bank == _DRUM_BANK)

    def _old_channel(self) -> _Channel:
        """The channel of a track before 1.3."""
        if self._version == 0:
            self._stream.byte()
        number, _, program = self._stream.take(3)
        self._stream.take(6)
        return _Channel(program, number == _DRUM_CHANNEL)

    def _head(self, before: Head) -> Head:
        stream, flags = self._stream, self._stream.byte()
        head = before._replace(opens=bool(flags & 4), repeats=0, endings=0, section="")
        if flags & 1:
            numerator = stream.signed()
            head = head._replace(numerator=numerator, denominator=self._value()[0])
        if flags & 2:
            head = head._replace(bpm=float(stream.short()))
        if flags & 8:
            head = head._replace(repeats=max(stream.short(), 0))
        if flags & 16:
            head = head._replace(endings=stream.byte())
        if flags & 32:
            head = head._replace(section=line(stream.named()))
            stream.take(3)
        return head._replace(feel=stream.byte()) if flags & 64 else head

    def _track(self, heads: list[Head]) -> WrittenTrack:
        stream, flags = self._stream, self._stream.byte()
        name = line(stream.named())
        channel = self._channels.get(stream.short(), _Channel(0, False)) if self._version >= 3 else self._old_channel()
        bars = [self._measure() for _ in heads]
        strings = [stream.signed() for _ in range(stream.byte())]
        offset = _LOWEST_OFFSET + stream.signed()
        stream.take(3)
        if flags & (1 if self._version == 0 else 4):  # lyrics
            stream.short()
            stream.long_text()
        return WrittenTrack(name, channel.program, channel.is_drums, [string + offset for string in strings], bars)

    def _measure(self) -> list[Voice]:
        stream, flags = self._stream, self._stream.byte()
        voices = [Voice() for _ in range(_VOICES)]
        states = [_State() for _ in range(_VOICES)]
        start, goes_on, count = Fraction(0), True, 0
        while goes_on:
            count += 1
            if count > _MOST_IN_MEASURE:
                raise NotationError(f"a measure has more than {_MOST_IN_MEASURE:,} beats; wanted fewer")
            start = min((state.at for state in states if state.at > start), default=start)
            beat = stream.byte()
            goes_on = bool(beat & 1)
            if self._version == 0:
                self._voice(states[0], voices[0], start, bool(beat & 2), bool(beat & 4))
                has_chord, has_text = beat & 8, beat & 16
            else:
                for number, (state, voice) in enumerate(zip(states, voices, strict=True)):
                    if beat & 16 << 2 * number:
                        if beat & 32 << 2 * number:
                            state.flags = stream.byte()
                        self._voice(state, voice, start, bool(state.flags & 2), bool(state.flags & 1))
                if beat & 2:  # a stroke
                    stream.take(2)
                has_chord, has_text = beat & 4, beat & 8
            if has_chord:
                strings = stream.byte()
                stream.named()
                stream.take(1 + strings)
            if has_text:
                stream.named()
        for flag in (1, 2):  # clef and key
            if flags & flag:
                stream.byte()
        return voices

    def _voice(self, state: _State, voice: Voice, start: Fraction, has_length: bool, has_notes: bool) -> None:
        """Read the beat of a voice."""
        if has_length:
            state.length = self._value()[1]
        notes = self._notes(state) if has_notes else ()
        self._counter.add(len(notes))
        voice.beats.append((start, state.length, notes))
        state.at += state.length

    def _value(self) -> tuple[int, Fraction]:
        """A length: its value, such as 8, and what it is in quarters."""
        flags = self._stream.byte()
        value = self._stream.byte()
        enters, times = (self._stream.byte(), self._stream.byte()) if flags & 4 else (1, 1)
        return value, duration(value, 2 if flags & 2 else flags & 1, enters, times)

    def _notes(self, state: _State) -> tuple[WrittenNote, ...]:
        stream, notes, goes_on = self._stream, list[WrittenNote](), True
        while goes_on:
            flags = stream.byte()
            fret, string = stream.signed(), stream.byte()
            if flags & 8:
                state.velocity = stream.byte()
            note = WrittenNote(fret, string, state.velocity, bool(flags & 2))
            notes.append(self._effect(note) if flags & 4 else note)
            goes_on = bool(flags & 1)
        return tuple(notes)

    def _effect(self, note: WrittenNote) -> WrittenNote:
        """A note with its effects."""
        stream = self._stream
        flags = int.from_bytes(stream.take(3), "big")
        for flag in (0x1, 0x2):  # bend, tremolo bar: positions and values
            if flags & flag:
                stream.take(2 * stream.byte())
        if flags & 0x4 and stream.byte() != 1:  # a harmonic that is not natural
            stream.byte()
        if flags & 0x8:
            kind, fret, _, velocity, _ = stream.take(5)
            note = note._replace(grace=Grace(fret, velocity, bool(kind & 1), bool(kind & 2)))
        if flags & 0x10:  # a trill
            stream.take(2)
        if flags & 0x20:
            note = note._replace(tremolo=duration(stream.byte(), 0, 1, 1))
        articulation = Articulation(
            is_dead=bool(flags & 0x80),
            is_palm_muted=bool(flags & 0x2000),
            is_ghost=bool(flags & 0x400),
            accent=2 if flags & 0x1000 else 1 if flags & 0x800 else 0,
        )
        rings = self._version >= 2 and bool(flags & 0x80000)
        return note._replace(articulation=articulation, hammers=bool(flags & 0x200), rings=rings)


class _State:
    """A voice while its measure is read: where it is, and what its next beat takes from that before."""

    def __init__(self) -> None:
        self.at, self.length, self.velocity, self.flags = Fraction(0), Fraction(1), LOUDNESS, 0
