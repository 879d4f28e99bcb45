"""Power Tab -> Song: files of Power Tab Editor 1.7, and of 2, which are packed JSON, as a tab."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from seq2drum.errors import NotationError
from seq2drum.formats.guitarpro.performed import song_of
from seq2drum.formats.powertab import binary
from seq2drum.formats.powertab.written import (
    SYMBOLS,
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
    tab_of,
)
from seq2drum.music.limits import TAB_LIMITS
from seq2drum.music.notes import Song

_MOST_TEXT = 16 * 2**20  # bytes of JSON
_POSITION = (
    "Dotted", "DoubleDotted", "Rest", "Vibrato", "WideVibrato", "ArpeggioUp", "ArpeggioDown", "PickStrokeUp",
    "PickStrokeDown", "Staccato", "Marcato", "Sforzando", "TremoloPicking", "PalmMuting", "Tap", "Acciaccatura",
    "TripletFeelFirst", "TripletFeelSecond", "LetRing", "Fermata",
)  # fmt: skip
_NOTE = (
    "Tied",
    "Muted",
    "HammerOnOrPullOff",
    "HammerOnFromNowhere",
    "PullOffToNowhere",
    "NaturalHarmonic",
    "GhostNote",
)
_VALUES = {
    name: 2**number
    for number, name in enumerate(
        ("WholeNote", "HalfNote", "QuarterNote", "EighthNote", "SixteenthNote", "ThirtySecondNote", "SixtyFourthNote")
    )
}
_BARLINES = ("SingleBar", "DoubleBar", "FreeTimeBar", "RepeatStart", "RepeatEnd", "DoubleBarFine")
_BEATS = ("Half", "HalfDotted", "Quarter", "QuarterDotted", "Eighth", "EighthDotted", "Sixteenth", "SixteenthDotted",
          "ThirtySecond", "ThirtySecondDotted")  # fmt: skip
_MARKERS = ("NotShown", "StandardMarker", "ListessoMarker", "AlterationOfPace")
_FEELS = (
    "NoTripletFeel",
    "TripletFeelEighth",
    "TripletFeelSixteenth",
    "TripletFeelEighthOff",
    "TripletFeelSixteenthOff",
)
_DIRECTIONS = (
    "Coda", "DoubleCoda", "Segno", "SegnoSegno", "Fine", "DaCapo", "DalSegno", "DalSegnoSegno", "ToCoda",
    "ToDoubleCoda", "DaCapoAlCoda", "DaCapoAlDoubleCoda", "DalSegnoAlCoda", "DalSegnoAlDoubleCoda",
    "DalSegnoSegnoAlCoda", "DalSegnoSegnoAlDoubleCoda", "DaCapoAlFine", "DalSegnoAlFine", "DalSegnoSegnoAlFine",
)  # fmt: skip
assert len(_DIRECTIONS) == len(SYMBOLS)


def read_powertab(data: bytes) -> Song:
    """The song of a file's bytes (.ptb, .pt2), as `guitarpro.performed.song_of` plays it.

    Bends, slides and harmonics are ignored: a note has the pitch of its fret. All notes are equally loud, but for
    accents and what is muted or slurred.

    Raises:
        NotationError: another kind of file, damaged, or beyond TAB_LIMITS.
    """
    is_json = data.startswith((b"\x1f\x8b", b"{"))
    return song_of(tab_of([_json_score(_unpacked(data))] if is_json else binary.read(data)))


def _unpacked(data: bytes) -> Any:
    """The JSON of a file."""
    if data.startswith(b"\x1f\x8b"):
        unpacker = zlib.decompressobj(31)
        try:
            text = unpacker.decompress(data, _MOST_TEXT + 1)
        except zlib.error as error:
            raise NotationError(f"the packed tab is damaged ({str(error)[:80]}); {WAY_OUT}") from error
        if not unpacker.eof and len(text) <= _MOST_TEXT:
            raise NotationError(f"the packed tab ends in the middle of its music; {WAY_OUT}")
    else:
        text = data
    if len(text) > _MOST_TEXT:
        raise NotationError(f"the packed tab grows beyond {_MOST_TEXT:,} bytes; {WAY_OUT}")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NotationError(f"the tab is damaged ({str(error)[:80]}); {WAY_OUT}") from error


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json_score(root: Any) -> Score:
    """The score in a file's JSON.

    Raises:
        NotationError: it is not a tab's, or too large.
    """
    score = _of(root, "score")
    if not isinstance(score, dict):
        raise NotationError(f"the file is JSON, but has no score in it; wanted a tab of Power Tab 2 (.pt2): {WAY_OUT}")
    counter = Counter()
    programs = [_whole(_of(each, "midi_preset")) for each in _list(score, "instruments")]
    chosen: dict[int, int] = {}  # the first instrument of each player
    systems = [_system(each, counter, chosen) for each in _list(score, "systems")]
    players = list[Player]()
    for number, each in enumerate(_list(score, "players")):
        counter.add("guitars", TAB_LIMITS.tracks)
        tuning, instrument = _of(each, "tuning"), chosen.get(number, number)
        capo = _whole(_of(tuning, "capo"))
        program = programs[instrument] if 0 <= instrument < len(programs) else 25
        name = _of(each, "description")
        pitches = tuple(_whole(pitch) + capo for pitch in _list(tuning, "notes"))
        players.append(Player(line(name) if isinstance(name, str) else "", program, pitches))
    return Score(systems, players)


def _of(item: Any, name: str) -> Any:
    """A value in an object; None if there is none."""
    return item.get(name) if isinstance(item, dict) else None


def _list(item: Any, name: str) -> list[Any]:
    found = _of(item, name)
    return found if isinstance(found, list) else []


def _whole(value: Any) -> int:
    """A whole number, 0 in place of anything else."""
    return value if isinstance(value, int) and abs(value) < 10**6 else 0


def _choice(value: Any, words: tuple[str, ...]) -> int:
    """The number of a choice, which is stored as a number or, since version 10 of the format, as a word."""
    return words.index(value) if isinstance(value, str) and value in words else _whole(value)


def _switches(value: Any, words: tuple[str, ...]) -> set[str]:
    """What is switched on: bits, the lowest last, or since version 10 a list of words."""
    if isinstance(value, str):
        return (
            set[str]()
            if "1" not in value
            else {word for word, bit in zip(words, reversed(value[-64:]), strict=False) if bit == "1"}
        )
    return {word for word in value if isinstance(word, str)} if isinstance(value, list) else set()


def _system(item: Any, counter: Counter, chosen: dict[int, int]) -> System:
    system = System()
    for each in _list(item, "barlines"):
        counter.add("barlines", 2 * TAB_LIMITS.measures)
        system.barlines.append(_barline(each))
    system.barlines.sort(key=lambda barline: barline.at)
    for each in _list(item, "staves"):
        counter.add("staves", TAB_LIMITS.bars)
        voices = _of(each, "voices")
        both = [_of(voices, "0"), _of(voices, "1")] if isinstance(voices, dict) else _list(each, "voices")[:2]
        system.staves.append([_voice(voice, counter) for voice in both])
    for each in _list(item, "alternate_endings"):
        counter.add("endings", TAB_LIMITS.measures)
        numbers = (_whole(number) for number in _list(each, "numbers")[:64])
        system.endings.append((_at(each), frozenset(number for number in numbers if 0 < number <= 64)))
    for each in _list(item, "directions"):
        for symbol in _list(each, "symbols"):
            counter.add("signs", TAB_LIMITS.measures)
            system.directions.append((_at(each), _choice(_of(symbol, "symbol_type"), _DIRECTIONS) % (1 << 16)))
    for each in _list(item, "tempo_markers"):
        counter.add("tempos", TAB_LIMITS.tempos)
        is_gradual = _choice(_of(each, "marker_type"), _MARKERS) == _MARKERS.index("AlterationOfPace")
        unit = min(max(_choice(_of(each, "beat_type"), _BEATS), 0), len(_BEATS) - 1)
        bpm = 0.0 if is_gradual else binary.quarters(max(_whole(_of(each, "bpm")), 0), unit)
        system.tempos.append((_at(each), bpm, _choice(_of(each, "triplet_feel"), _FEELS)))
    for each in _list(item, "player_changes"):
        counter.add("changes of players", TAB_LIMITS.measures)
        playing: dict[int, tuple[int, ...]] = {}
        for staff, active in (
            (_of(each, "active_players") or {}).items() if isinstance(_of(each, "active_players"), dict) else ()
        ):
            both = list(_players(active)) if staff.isdecimal() and len(staff) < 4 else []
            for player, instrument in both:
                chosen.setdefault(player, instrument)
            if both:
                playing[int(staff)] = tuple(dict.fromkeys(player for player, _ in both))
        system.players.append((_at(each), playing))
    return system


def _players(active: Any) -> Iterator[tuple[int, int]]:
    """The players of a staff, each with its instrument."""
    for each in (active if isinstance(active, list) else [])[: TAB_LIMITS.tracks]:
        yield _whole(_of(each, "player")), _whole(_of(each, "instrument"))


def _at(item: Any) -> int:
    return _whole(_of(item, "position"))


def _barline(item: Any) -> Barline:
    kind, metre, sign = (
        _choice(_of(item, "bar_type"), _BARLINES),
        _of(item, "time_signature"),
        _of(item, "rehearsal_sign"),
    )
    words = (_of(sign, name) for name in ("description", "letters"))
    return Barline(
        _at(item),
        kind == _BARLINES.index("RepeatStart"),
        max(_whole(_of(item, "num_repeats")), 2) if kind == _BARLINES.index("RepeatEnd") else 0,
        _whole(_of(metre, "num_beats")),
        _whole(_of(metre, "beat_value")),
        next((found for word in words if isinstance(word, str) and (found := line(word))), ""),
    )


def _voice(item: Any, counter: Counter) -> list[Position]:
    positions = sorted(
        (_position(each, counter) for each in _list(item, "positions")), key=lambda position: position.at
    )
    for group in _list(item, "irregular_groupings"):
        counter.add("groups", TAB_LIMITS.measures)
        many, instead = _whole(_of(group, "notes_played")), _whole(_of(group, "notes_played_over"))
        if not (0 < many <= 64 and 0 < instead <= 64):
            raise NotationError(f"the tab has a group of {many} notes in the time of {instead}; {WAY_OUT}")
        first = next((number for number, each in enumerate(positions) if each.at >= _at(group)), len(positions))
        for number in range(first, min(first + min(max(_whole(_of(group, "length")), 0), 64), len(positions))):
            lasts = positions[number].length * Fraction(instead, many)
            if max(lasts.numerator, lasts.denominator) > 10**6:
                raise NotationError(f"the tab has a note of {lasts} quarters; no note lasts so long: {WAY_OUT}")
            positions[number] = positions[number]._replace(length=lasts)
    return positions


def _position(item: Any, counter: Counter) -> Position:
    has = _switches(_of(item, "properties"), _POSITION)
    notes = tuple(map(_note, _list(item, "notes")))
    counter.add("beats", TAB_LIMITS.beats)
    counter.add("notes", TAB_LIMITS.notes, len(notes))
    value = _of(item, "duration")
    value = _VALUES.get(value, 0) if isinstance(value, str) else _whole(value)
    return Position(
        _at(item),
        length(value, 2 if "DoubleDotted" in has else int("Dotted" in has)),
        () if "Rest" in has else notes,
        is_grace="Acciaccatura" in has,
        rings="LetRing" in has,
        is_palm_muted="PalmMuting" in has,
        accent=2 if "Sforzando" in has else int("Marcato" in has),
        is_tremolo="TremoloPicking" in has,
        bars=0 if notes else min(max(_whole(_of(item, "multibar_rest")), 0), TAB_LIMITS.measures),
    )


def _note(item: Any) -> WrittenNote:
    has = _switches(_of(item, "properties"), _NOTE)
    return WrittenNote(
        _whole(_of(item, "string")),
        _whole(_of(item, "fret")),
        "Tied" in has,
        "Muted" in has,
        "GhostNote" in has,
        "HammerOnOrPullOff" in has,
    )
