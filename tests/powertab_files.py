"""Tabs of Power Tab for tests, written by hand: of version 2, which is packed JSON, and of 1.7, lists of objects."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

STANDARD = (64, 59, 55, 50, 45, 40)  # the strings of a guitar, from the highest
_POSITION = {"Dotted": 0x1, "Rest": 0x4, "Marcato": 0x400, "TremoloPicking": 0x1000, "PalmMuting": 0x2000,
             "Acciaccatura": 0x10000, "LetRing": 0x80000}  # fmt: skip
_POSITION_BITS = {"Dotted": 0, "Rest": 2, "Marcato": 10, "TremoloPicking": 12, "PalmMuting": 13, "Acciaccatura": 15,
                  "LetRing": 18}  # fmt: skip
_NOTE = {"Tied": 0x1, "Muted": 0x2, "HammerOnOrPullOff": 0x8, "GhostNote": 0x80}
_NOTE_BITS = {"Tied": 0, "Muted": 1, "HammerOnOrPullOff": 2, "GhostNote": 6}


class Position(NamedTuple):
    """Notes as (string from 1, fret) at a place. flags: Power Tab's words, of the position and of all of its notes."""

    at: int
    notes: tuple[tuple[int, int], ...] = ()
    length: int = 8
    flags: tuple[str, ...] = ()
    triplet: bool = False
    bars: int = 0


def position(at: int, *notes: tuple[int, int], flags: str = "", **more: Any) -> Position:
    """A position; no notes is a rest."""
    words = (*flags.split(), *(() if notes else ("Rest",)))
    return Position(at, notes, flags=words, **more)


def barline(at: int, metre: tuple[int, int] = (4, 4), **more: Any) -> dict[str, Any]:
    """A barline. more: opens; count, how often the passage that ends there is played; section."""
    return {"at": at, "metre": metre} | {"opens": False, "count": 0, "section": ""} | more


def system(*staves: Sequence[Position], **more: Any) -> dict[str, Any]:
    """A system: the first voice of each staff.

    more: second, the second voice of the first staff; barlines but for that at the end; count, of the end; endings as
    (position, passes); directions as (position, number); tempos as (position, beats a minute, unit, feel); players as
    (position, staff, numbers).
    """
    named = {
        "second": (),
        "barlines": [barline(0)],
        "count": 0,
        "endings": (),
        "directions": (),
        "tempos": (),
        "players": (),
    }
    return {"staves": staves} | named | more


def guitar(name: str = "Guitar", program: int = 29, tuning: Sequence[int] = STANDARD, capo: int = 0) -> dict[str, Any]:
    return {"name": name, "program": program, "tuning": tuning, "capo": capo}


def riff(bars: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """So many bars of eighths on a guitar: the systems, of a bar each, and the guitar."""
    return [system([position(fret, (6, fret)) for fret in range(8)])] * bars, [guitar()]


# --- version 2 --------------------------------------------------------------------------------------------------------


def pt2(systems: Sequence[dict[str, Any]], guitars: Sequence[dict[str, Any]], words: bool = False) -> bytes:
    """A packed file of version 2. words: choices are stored as words, as since version 10 of the format."""
    return gzip.compress(json.dumps(as_json(systems, guitars, words)).encode(), mtime=0)


def as_json(
    systems: Sequence[dict[str, Any]], guitars: Sequence[dict[str, Any]], words: bool = False
) -> dict[str, Any]:
    """The JSON of a file of version 2."""
    score = {
        "score_info": {},
        "systems": [_system(each, words) for each in systems],
        "players": [
            {"description": each["name"], "tuning": {"notes": list(each["tuning"]), "capo": each["capo"]}}
            for each in guitars
        ],
        "instruments": [{"description": "", "midi_preset": each["program"]} for each in guitars],
    }
    return {"version": 11 if words else 3, "score": score}


def _system(each: dict[str, Any], words: bool) -> dict[str, Any]:
    last = max([position.at for staff in each["staves"] for position in staff], default=0) + 1
    barlines = [*each["barlines"], barline(last, count=each["count"])]
    second = {0: each["second"]}
    return {
        "barlines": [_barline(one, words) for one in barlines],
        "staves": [
            {"voices": {"0": _voice(staff, words), "1": _voice(second.get(number, ()), words)}}
            for number, staff in enumerate(each["staves"])
        ],
        "alternate_endings": [{"position": at, "numbers": list(passes)} for at, passes in each["endings"]],
        "directions": [{"position": at, "symbols": [{"symbol_type": kind}]} for at, kind in each["directions"]],
        "tempo_markers": [
            {"position": at, "marker_type": 1, "beat_type": unit, "bpm": bpm, "triplet_feel": feel}
            for at, bpm, unit, feel in each["tempos"]
        ],
        "player_changes": [
            {"position": at, "active_players": {str(staff): [{"player": one, "instrument": one} for one in numbers]}}
            for at, staff, numbers in each["players"]
        ],
    }


def _barline(one: dict[str, Any], words: bool) -> dict[str, Any]:
    kind = 3 if one["opens"] else 4 if one["count"] else 0
    names = {0: "SingleBar", 3: "RepeatStart", 4: "RepeatEnd"}
    return {
        "position": one["at"],
        "bar_type": names[kind] if words else kind,
        "num_repeats": one["count"],
        "time_signature": {"num_beats": one["metre"][0], "beat_value": one["metre"][1]},
        "rehearsal_sign": {"letters": "A", "description": one["section"]} if one["section"] else None,
    }


def _switched(flags: Sequence[str], bits: dict[str, int], words: bool) -> str | list[str]:
    if words:
        return [flag for flag in flags if flag in bits]
    return f"{sum(1 << bits[flag] for flag in flags if flag in bits):020b}"


def _voice(positions: Sequence[Position], words: bool) -> dict[str, Any]:
    names = {1: "WholeNote", 2: "HalfNote", 4: "QuarterNote", 8: "EighthNote", 16: "SixteenthNote"}
    return {
        "positions": [
            {
                "position": one.at,
                "duration": names[one.length] if words else one.length,
                "properties": _switched(one.flags, _POSITION_BITS, words),
                "multibar_rest": one.bars,
                "notes": [
                    {"string": string - 1, "fret": fret, "properties": _switched(one.flags, _NOTE_BITS, words)}
                    for string, fret in one.notes
                ],
            }
            for one in positions
        ],
        "irregular_groupings": [
            {"position": one.at, "length": 1, "notes_played": 3, "notes_played_over": 2}
            for one in positions
            if one.triplet
        ],
    }


# --- version 1.7 ------------------------------------------------------------------------------------------------------


def ptb(systems: Sequence[dict[str, Any]], guitars: Sequence[dict[str, Any]], *bass: Sequence[dict[str, Any]]) -> bytes:
    """A file of version 1.7. bass: the systems and the guitars of the second score."""
    header = b"ptab" + _number(4, 2) + bytes([0, 0]) + _text("A song") + _text("A band") + bytes([0, 0]) + _text("LP")
    header += _number(1999, 2) + bytes([0, 0]) + _text("") * 9
    return header + _score(systems, guitars) + _score(*(bass or ([], [])))


def _number(number: int, count: int) -> bytes:
    return number.to_bytes(count, "little")


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode("latin-1")


def _items(items: Sequence[Any], write: Callable[[Any], bytes]) -> bytes:
    """A list: the first item has the name of its class before it, the others a word that refers to it."""
    named = b"\xff\xff" + _number(1, 2) + _number(5, 2) + b"CItem"
    tags = [named, *[b"\x01\x80"] * len(items)]
    return _number(len(items), 2) + b"".join(tag + write(item) for tag, item in zip(tags, items, strict=False))


def _score(systems: Sequence[dict[str, Any]], guitars: Sequence[dict[str, Any]]) -> bytes:
    numbered = list(enumerate(systems))
    players = [(number, *each) for number, one in numbered for each in one["players"]]
    tempos = [(number, *each) for number, one in numbered for each in one["tempos"]]
    endings = [(number, *each) for number, one in numbered for each in one["endings"]]
    out = _items(list(enumerate(guitars)), _guitar)
    out += _items([0], lambda _: bytes(7) + bytes([6]) + bytes(6))  # a diagram of a chord
    out += _items([0], lambda _: _text("Words") + bytes(17) + _text("Arial") + bytes(15))
    out += _items(players, _players)
    out += _items(tempos, _tempo)
    out += _items([0], lambda _: bytes(6))  # dynamics
    out += _items(endings, _ending)
    return out + _items(systems, _old_system)


def _guitar(numbered: tuple[int, dict[str, Any]]) -> bytes:
    number, each = numbered
    sound = bytes([each["program"], 104, 64, 0, 0, 0, 0, each["capo"]])
    tuning = _text("Standard") + bytes([0, len(each["tuning"]), *each["tuning"]])
    return bytes([number]) + _text(each["name"]) + sound + tuning


def _players(each: tuple[int, int, int, Sequence[int]]) -> bytes:
    number, at, staff, playing = each
    return _number(number, 2) + bytes([staff, at, 0, sum(1 << one for one in playing)])


def _tempo(each: tuple[int, int, int, int, int]) -> bytes:
    number, at, bpm, unit, feel = each
    return _number(number, 2) + bytes([at]) + _number(bpm, 2) + _number(feel | unit << 7 | 1 << 11, 2) + _text("")


def _ending(each: tuple[int, int, Sequence[int]]) -> bytes:
    number, at, passes = each
    return _number(number, 2) + bytes([at]) + _number(sum(1 << one - 1 for one in passes) << 16, 4)


def _old_system(each: dict[str, Any]) -> bytes:
    first, *others = each["barlines"]
    end = 4 << 5 | each["count"] if each["count"] else 0
    out = bytes(16) + bytes([end, 20, 9, 9, 0]) + _old_barline(first)
    out += _items(each["directions"], lambda one: bytes([one[0], 1]) + _number(one[1] << 8, 2))
    out += _items([0], lambda _: bytes(7)) + _items([], bytes)  # a name of a chord, no rhythm slashes
    second = {0: each["second"]}
    both = [(staff, second.get(number, ())) for number, staff in enumerate(each["staves"])]
    out += _items(both, lambda voices: bytes(5) + b"".join(_items(voice, _old_position) for voice in voices))
    return out + _items(others, _old_barline)


def _old_barline(one: dict[str, Any]) -> bytes:
    kind = 3 << 5 if one["opens"] else (4 << 5 | one["count"]) if one["count"] else 0
    metre = (one["metre"][0] - 1) << 3 | one["metre"][1].bit_length() - 1
    sign = (b"A" if one["section"] else b"\x7f") + _text(one["section"])
    return bytes([one["at"], kind, 0]) + _number(metre << 24, 4) + bytes([4]) + sign


def _old_position(one: Position) -> bytes:
    flags = sum(_POSITION[flag] for flag in one.flags if flag in _POSITION) | one.length << 24
    flags |= 0x200000 if one.triplet else 0
    group = 2 << 3 | 1 if one.triplet else 0
    symbols = bytes([1]) + _number(one.bars, 2) + b"\0j" if one.bars else bytes([0])
    note_flags = sum(_NOTE[flag] for flag in one.flags if flag in _NOTE)
    notes = _items(
        one.notes, lambda note: bytes([(note[0] - 1) << 5 | note[1]]) + _number(note_flags, 2) + bytes([1]) + b"\0\0\0e"
    )
    return bytes([one.at, group, 0]) + _number(flags, 4) + symbols + notes
