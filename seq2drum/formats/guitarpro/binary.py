"""Guitar Pro 3 to 5 -> Song, and a song -> Guitar Pro 5, by PyGuitarPro, which is imported on use, and only here.

PyGuitarPro trusts all counts in a file. The readers here extend its readers and bound the counts (`_bounded`).
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from seq2drum.errors import MissingExtraError, NotationError, OutputError
from seq2drum.formats import foreign
from seq2drum.formats.guitarpro.fretting import Cell, fretted, length_of, tuning
from seq2drum.formats.guitarpro.performed import song_of
from seq2drum.formats.guitarpro.tab import (
    Articulation,
    Beat,
    Feel,
    Measure,
    Tab,
    TabNote,
    TempoMark,
    Track,
    general_midi,
    velocity_of,
)
from seq2drum.music import metres
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Bar, Part, Song
from seq2drum.music.theory import part_name

_VERSIONS = {
    "FICHIER GUITAR PRO v3.00": ("gp3", (3, 0, 0)),
    "FICHIER GUITAR PRO v4.00": ("gp4", (4, 0, 0)),
    "FICHIER GUITAR PRO v4.06": ("gp4", (4, 0, 6)),
    "FICHIER GUITAR PRO L4.06": ("gp4", (4, 0, 6)),
    "FICHIER GUITAR PRO v5.00": ("gp5", (5, 0, 0)),
    "FICHIER GUITAR PRO v5.10": ("gp5", (5, 1, 0)),
}
"""The first bytes of a file after a length byte: PyGuitarPro's module for it, and the version."""


def read_guitarpro(data: bytes) -> Song:
    """The song of a file's bytes in Guitar Pro 3, 4 or 5 (.gp3, .gp4, .gp5), as `performed.song_of` plays it.

    Bends, slides and harmonics are ignored: a note has the pitch of its fret.

    Raises:
        NotationError: another kind of file, damaged, or beyond TAB_LIMITS.
        MissingExtraError: PyGuitarPro is not installed.
    """
    parsed = _parsed(data)
    try:
        tab = _tab(parsed)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        TypeError,
        ValueError,
    ) as error:  # values that occur in no version
        problem = f"{type(error).__name__}: {str(error)[:80]}"
        raise NotationError(f"the tab contradicts itself ({problem}); save it again in Guitar Pro") from error
    return song_of(tab)


# --- PyGuitarPro ------------------------------------------------------------------------------------------------------


def _parsed(data: bytes) -> Any:
    """PyGuitarPro's song."""
    name = data[1 : 1 + data[0]].decode("latin-1") if data else ""
    if name not in _VERSIONS:
        raise NotationError(
            f"this is not a file of Guitar Pro 3 to 5: it begins with {foreign.beginning(data)};"
            " save it as .gp5 in Guitar Pro"
        )
    module, version = _VERSIONS[name]
    if len(data) > TAB_LIMITS.binary_bytes:
        raise NotationError(f"the tab has {len(data):,} bytes; at most {TAB_LIMITS.binary_bytes:,} are read")
    reader = _bounded(module)(io.BytesIO(data), "latin-1", name, version)
    reader.data.seek(31)
    try:
        return _spelt(reader.readSong())
    except (NotationError, MemoryError):
        raise
    except Exception as error:  # PyGuitarPro has no common error; it fails on damaged files in a dozen ways
        if isinstance(error.__cause__, NotationError):  # PyGuitarPro has wrapped one of ours
            raise error.__cause__ from None
        message = " ".join(str(error).split())[:200]
        raise NotationError(
            f"PyGuitarPro cannot read this tab ({type(error).__name__}: {message}); open it in Guitar Pro or TuxGuitar"
            " and save it again"
        ) from error


def _spelt(song: Any) -> Any:
    """A song whose names were read byte for byte, decoded."""
    markers = [header.marker for header in song.measureHeaders if header.marker is not None]
    names = [track.name for track in song.tracks] + [marker.title for marker in markers]
    text = b" ".join(name.encode("latin-1") for name in names)
    page = min(_PAGES, key=lambda page: _strange_words(text, page))
    for track in song.tracks:
        track.name = track.name.encode("latin-1").decode(page, "replace")
    for marker in markers:
        marker.title = marker.title.encode("latin-1").decode(page, "replace")
    return song


def check() -> None:
    """Raise a MissingExtraError if PyGuitarPro is not installed."""
    try:
        import guitarpro  # noqa: F401
    except ImportError:
        raise MissingExtraError(f"files of Guitar Pro 3 to 5 need PyGuitarPro: {foreign.GET_GUITARPRO}") from None


def _bounded(module: str) -> Any:
    """PyGuitarPro's reader of a version, with bounded counts of measures, tracks and beats, and fast ties."""
    check()
    from guitarpro import gp3, gp4, gp5, models

    base: Any = {"gp3": gp3.GP3File, "gp4": gp4.GP4File, "gp5": gp5.GP5File}[module]

    class Bounded(base):  # type: ignore[misc]
        beats = notes = 0
        encoding = "latin-1"  # a byte is a letter, see `_spelt`

        def readByteSizeString(self, count: int) -> str:
            size = self.readU8()
            return str(self.data.read(max(count, 0))[:size].decode("latin-1"))

        def readMeasureHeaders(self, song: Any, count: int, *rest: Any) -> None:
            _check_count(count, TAB_LIMITS.measures, "measures")
            super().readMeasureHeaders(song, count, *rest)

        def readTracks(self, song: Any, count: int, channels: Any) -> None:
            _check_count(count, TAB_LIMITS.tracks, "tracks")
            _check_count(count * len(song.measureHeaders), TAB_LIMITS.bars, "measures in all tracks together")
            self.held: dict[tuple[int, int, int], int] = {}
            super().readTracks(song, count, channels)

        def readVoice(self, start: Any, voice: Any) -> None:
            at = self.data.tell()
            count = self.readI32()
            _check_count(count, TAB_LIMITS.voice, "beats of a voice in a measure")
            self.beats += count
            _check_count(self.beats, TAB_LIMITS.beats, "beats")
            self.data.seek(at)
            super().readVoice(start, voice)

        def readNotes(self, track: Any, beat: Any, duration: Any, effect: Any = None) -> None:
            super().readNotes(track, beat, duration, effect)
            self.notes += len(beat.notes) + sum(note.effect.grace is not None for note in beat.notes)
            _check_count(self.notes, TAB_LIMITS.notes, "notes")
            for note in beat.notes:
                self.held[track.number, self._currentVoiceNumber, note.string] = note.value

        def readGrace(self) -> Any:
            # In this order in all versions; PyGuitarPro's readers of 3 and 4 take the third byte for the fourth.
            fret, velocity, transition, _ = (self.readU8() for _ in range(4))
            flags = self.readU8() if module == "gp5" else 0
            is_dead = fret == 255 or bool(flags & 1)
            kind = models.GraceEffectTransition(transition if transition <= 3 else 0)
            return models.GraceEffect(32, fret % 255, is_dead, bool(flags & 2), kind, self.unpackVelocity(velocity))

        def getTiedNoteValue(self, note: Any) -> int:
            return self.held.get((self._currentTrack.number, self._currentVoiceNumber, note.string), -1)

    return Bounded


def _check_count(count: int, most: int, what: str) -> None:
    if not 0 <= count <= most:
        raise NotationError(f"the tab says that it has {count:,} {what}; wanted at most {most:,}: is it damaged?")


# --- PyGuitarPro's song as a tab --------------------------------------------------------------------------------------


def _tab(song: Any) -> Tab:
    measures = tuple(_measure(header) for header in song.measureHeaders)
    tracks = tuple(_track(track) for track in song.tracks)
    marks = {(mark.measure, mark.place): mark for track in song.tracks for mark in _tempo_marks(track)}
    first = TempoMark(0, Fraction(0), float(song.tempo))
    return Tab(measures, tracks, tuple(({(0, Fraction(0)): first} | marks).values()))


def _measure(header: Any) -> Measure:
    feels = {1: Feel(Fraction(1, 2), Fraction(2, 3)), 2: Feel(Fraction(1, 4), Fraction(2, 3))}
    numerator, denominator = header.timeSignature.numerator, header.timeSignature.denominator.value
    if denominator < 1:
        raise NotationError(f"measure {header.number} is in {numerator}/{denominator}, and no bar has that length")
    return Measure(
        numerator,
        denominator,
        Fraction(4 * numerator, denominator),
        opens=header.isRepeatOpen,
        repeats=max(header.repeatClose, 0),
        endings=frozenset(number + 1 for number in range(8) if header.repeatAlternative >> number & 1),
        section=" ".join(header.marker.title.split()) if header.marker else "",
        feel=feels.get(header.tripletFeel.value),
        sign=_sign(header.direction),
        jump=_sign(header.fromDirection),
    )


def _sign(direction: Any) -> str:
    return "".join(direction.name.split()).lower() if direction else ""


def _track(track: Any) -> Track:
    program = track.channel.instrument if track.channel is not None else 0
    tuning = {string.number: string.value + track.offset for string in track.strings}
    bars = tuple(
        tuple(tuple(_beats(voice, None if track.isPercussionTrack else tuning)) for voice in measure.voices)
        for measure in track.measures
    )
    name = " ".join(track.name.split())
    return Track(name, program if 0 <= program <= 127 else 0, bool(track.isPercussionTrack), bars)


def _beats(voice: Any, tuning: dict[int, int] | None) -> Iterator[Beat]:
    """The beats of a voice that have a length. tuning: the pitch of each string at the capo; None for drums."""
    slurred: set[int] = set()  # strings on which the next note is hammered on or pulled off
    for beat in voice.beats:
        if beat.status.name == "empty":
            continue
        notes = [note for note in beat.notes if note.type.name != "rest"] if beat.status.name == "normal" else []
        played = tuple(_note(note, tuning, note.string in slurred) for note in notes)
        graced = [note for note in notes if note.effect.grace]
        graces = (tuple(_grace(note, tuning) for note in graced),) if graced else ()
        is_on_beat = any(note.effect.grace.isOnBeat for note in graced)
        yield Beat(_quarters(beat.duration), played, graces, is_on_beat)
        slurred = {note.string for note in notes if note.effect.hammer}


def _quarters(duration: Any) -> Fraction:
    if not 1 <= duration.value <= 128:
        raise NotationError(f"a beat lasts a {duration.value}th of a whole note; wanted 1 to 128")
    length = Fraction(4, duration.value) * (Fraction(3, 2) if duration.isDotted else 1)
    return length * Fraction(duration.tuplet.times, duration.tuplet.enters)


def _note(note: Any, tuning: dict[int, int] | None, is_slurred: bool) -> TabNote:
    effect, kind = note.effect, note.type.name
    is_hammered = effect.grace is not None and effect.grace.transition.name == "hammer"
    articulation = Articulation(
        is_dead=kind == "dead",
        is_palm_muted=effect.palmMute,
        is_ghost=effect.ghostNote,
        is_slurred=(is_slurred or is_hammered) and tuning is not None,
        accent=2 * effect.heavyAccentuatedNote or effect.accentuatedNote,
    )
    pitch = _pitch(note.string, note.value, tuning)
    return TabNote(
        pitch,
        pitch if tuning is None else note.string,
        _velocity(note.velocity, articulation),
        is_tied=kind == "tie",
        rings=effect.letRing and not (articulation.is_dead or articulation.is_palm_muted),
        tremolo=_tremolo(effect.tremoloPicking),
    )


def _tremolo(picking: Any) -> Fraction:
    """The time between the strokes of a tremolo; 0 without one, or with an unknown kind."""
    if picking is None or picking.duration.value is None:
        return Fraction(0)
    return _quarters(picking.duration)


def _grace(note: Any, tuning: dict[int, int] | None) -> TabNote:
    """The note that precedes a note on its string."""
    grace = note.effect.grace
    pitch = _pitch(note.string, max(grace.fret, 0), tuning)
    string = pitch if tuning is None else note.string
    return TabNote(pitch, string, _velocity(grace.velocity, Articulation(is_dead=grace.isDead)))


def _pitch(string: int, fret: int, tuning: dict[int, int] | None) -> int:
    return general_midi(fret) if tuning is None else tuning[string] + fret


def _velocity(velocity: int, articulation: Articulation) -> int:
    """Guitar Pro's velocity as played."""
    return velocity_of((velocity - velocity_of(0)) // 16, louder=articulation.louder)


def _tempo_marks(track: Any) -> Iterator[TempoMark]:
    for index, measure in enumerate(track.measures):
        for voice in measure.voices:
            at = Fraction(0)
            for beat in voice.beats:
                change = beat.effect.mixTableChange
                if change is not None and change.tempo is not None:
                    yield TempoMark(index, at, float(change.tempo.value))
                at += _quarters(beat.duration) if beat.status.name != "empty" else 0


# --- a song as PyGuitarPro's ------------------------------------------------------------------------------------------


def write_guitarpro(song: Song, drums: Part, title: str = "Drums") -> bytes:
    """A file of Guitar Pro 5.1: the pitched parts of a song on strings, and `drums` in place of its own.

    Notation follows `fretting`: on the grid, with repeats written out. The first track has the tempos, rounded to whole
    numbers: a note or rest is divided where one changes within it.

    Raises:
        OutputError: more parts or bars than such a file holds, or a bar too long for it.
        MissingExtraError: PyGuitarPro is not installed.
    """
    check()
    import guitarpro
    from guitarpro import models

    # 1. Measures.
    pitched = [(part_name(part, at), part) for at, part in enumerate(song.parts, 1) if not part.is_drums and len(part)]
    parts = [*pitched, (drums.name or "Drums", drums)]
    bars = song.bars()
    if len(parts) > _MOST_TRACKS or len(bars) > TAB_LIMITS.measures:
        raise OutputError(
            f"the song has {len(parts)} parts and {len(bars):,} bars; Guitar Pro 5 holds {_MOST_TRACKS} and"
            f" {TAB_LIMITS.measures:,}: leave some out"
        )
    ticks = song.ticks_per_quarter
    page = _page_for([title, *(name for name, _ in parts), *(marker.text for marker in song.markers)])
    made = models.Song(
        title=_plain(title, page)[:200], tracks=[], measureHeaders=[], tempo=max(1, round(song.tempo_map[0].bpm))
    )
    for bar in bars:
        made.measureHeaders.append(_header(models, song, bar, page))
    # 2. Tracks.
    for number, (name, part) in enumerate(parts, start=1):
        strings = (0,) * 6 if part.is_drums else tuning(part)
        track = models.Track(made, number, name=_plain(name, page)[:40], isPercussionTrack=part.is_drums)
        track.strings = [models.GuitarString(string, pitch) for string, pitch in enumerate(strings, start=1)]
        channel = _DRUM_CHANNEL if part.is_drums else _CHANNELS[number - 1]
        track.channel = models.MidiChannel(channel, channel + (not part.is_drums), part.program)
        changes = _tempo_changes(song) if number == 1 else ()
        for measure, cells in zip(track.measures, fretted(part, bars, ticks, changes), strict=True):
            measure.voices[0].beats.extend(_gp_beat(models, measure.voices[0], cell) for cell in cells)
        made.tracks.append(track)
    file = io.BytesIO()
    guitarpro.write(made, file, version=(5, 1, 0), encoding=page)
    return file.getvalue()


_DRUM_CHANNEL = 9
_MOST_TRACKS = 29  # of 64 channels, two for each, without the drum channels of the four ports
_CHANNELS = [channel for channel in range(0, 64, 2) if channel % 16 != _DRUM_CHANNEL - 1]
"""The first of the two channels of each pitched track."""


def _header(models: Any, song: Song, bar: Bar, page: str) -> Any:
    length = length_of(bar, song.ticks_per_quarter)
    metre = bar.numerator, bar.denominator
    if length != Fraction(4 * metre[0], metre[1]):  # a cut bar needs a separate metre
        whole = length / 4
        denominator = max(whole.denominator, 4)
        metre = int(whole * denominator), denominator
    if metre[0] not in metres.NUMERATORS:
        raise OutputError(
            f"bar {bar.index + 1} is {metre[0]}/{metre[1]} long; Guitar Pro holds up to {metres.NUMERATORS[-1]}:"
            " divide the bar, or leave out --gp"
        )
    header = models.MeasureHeader(number=bar.index + 1)
    header.timeSignature = models.TimeSignature(metre[0], models.Duration(metre[1]))
    names = [marker.text for marker in song.markers if bar.start <= marker.tick < bar.end]
    header.marker = models.Marker(_plain(names[-1], page)[:200]) if names else None
    return header


def _tempo_changes(song: Song) -> list[tuple[int, int]]:
    """(tick, whole quarters a minute) of the tempo changes that remain after rounding."""
    tempos = [(tempo.tick, max(1, round(tempo.bpm))) for tempo in song.tempo_map]
    return [here for before, here in pairwise(tempos) if before[1] != here[1]]


def _plain(text: str, page: str) -> str:
    """A text in the letters that a code page has."""
    return text.encode(page, "replace").decode(page)


def _gp_beat(models: Any, voice: Any, cell: Cell) -> Any:
    tuplet = models.Tuplet(3, 2) if cell.is_triplet else models.Tuplet()
    status = models.BeatStatus.normal if cell.notes else models.BeatStatus.rest
    beat = models.Beat(voice, duration=models.Duration(cell.value, cell.is_dotted, tuplet), status=status)
    if cell.bpm is not None:
        beat.effect.mixTableChange = models.MixTableChange(tempo=models.MixTableItem(cell.bpm))
    for note in cell.notes:
        kind = models.NoteType.tie if note.is_tied else models.NoteType.normal
        velocity = velocity_of(max(0, min(7, round((note.velocity - velocity_of(0)) / 16))))
        beat.notes.append(models.Note(beat, note.fret, velocity, note.string, type=kind))
    return beat


# --- code pages of names ----------------------------------------------------------------------------------------------
# A file does not state the code page of its names. A word in the wrong one shows: Cyrillic read as Western letters has
# words of accents alone ("Äîðîæêà"), Western letters read as Cyrillic are beside plain ones in one word ("Fьr").

_PAGES = ("utf-8", "cp1252", "cp1251", "cp932", "gbk")
"""Candidates, UTF-8, Western, Cyrillic and Asian ones; the first of several that fit equally wins."""
_SINGLE_BYTE = ("cp1252", "cp1251")
_WORD = re.compile(r"[^\W\d_]+")
_CHINESE_OR_JAPANESE = frozenset({"CJK", "HIRAGANA", "KATAKANA"})


def _page_for(names: Sequence[str]) -> str:
    """A page of one byte a letter to write names in: one with all their letters, else the Western one."""
    text = "".join(names)
    return next((page for page in _SINGLE_BYTE if text.encode(page, "replace").decode(page) == text), _SINGLE_BYTE[0])


def _strange_words(text: bytes, page: str) -> int:
    """The number of words that look wrong in a page; more than possible for text outside the page."""
    try:
        words = _WORD.findall(text.decode(page))
    except UnicodeDecodeError:
        return len(text) + 1
    return sum(not (word.isascii() or _is_word(word)) for word in words)


def _is_word(word: str) -> bool:
    """Return whether the letters of a word beyond ASCII are of one script, as in real words."""
    scripts = {re.split("[ -]", unicodedata.name(letter, ""))[0] for letter in word}
    if scripts == {"LATIN"}:
        return len(word) == 1 or any(letter.isascii() for letter in word)
    if scripts == {"CYRILLIC"}:
        return word.isupper() or word[1:].islower() or len(word) == 1
    return bool(scripts & _CHINESE_OR_JAPANESE) and scripts <= _CHINESE_OR_JAPANESE | {"LATIN"}
