"""JSON schemas of the tools' arguments, made from the tables of options, and the values of sent arguments."""

from __future__ import annotations

import argparse
import difflib
import math
from collections.abc import Mapping
from typing import Any

from seq2drum.console import shared
from seq2drum.errors import OptionError
from seq2drum.music import song_plan
from seq2drum.music.brief import BRIEF
from seq2drum.music.choices import Choice
from seq2drum.music.file_options import SESSION
from seq2drum.music.options import CHOICES
from seq2drum.music.song_plan import CYMBALS

Schema = dict[str, Any]

_SONG = "a song: a path under the open folders, as list_songs gives it"
_OTHERS: dict[str, Schema] = {
    "song": {"type": "string", "description": _SONG},
    "drums": {"type": "string", "description": "a file with drums, of the same bars: a path under the open folders"},
    "guitar": {"type": "string", "description": f"{_SONG}; the beat is played to its guitar, too"},
    "output": {"type": "string", "description": "where to write, a path under the open folders (default: see above)"},
    "overwrite": {"type": "boolean", "description": "replace a file that exists; ask the user first (default: false)"},
    "model": {"type": "string", "description": "an id that list_choices gives (default: the server's first)"},
    "with_guitar": {
        "type": "boolean",
        "description": "write the whole song, with these drums instead of its own (default: false, the drums alone)",
    },
    "plan": {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "first": {"type": "integer", "description": "its first bar, from 1; not to be changed"},
                "last": {"type": "integer", "description": "its last bar; not to be changed"},
                "name": {"type": "string", "description": "its letter or name; not to be changed"},
                "enters": {"type": ["integer", "null"], "description": "the bar the drums come in with; null: none"},
                "cymbal": {"enum": [*CYMBALS, None], "description": "the piece that keeps time"},
                "level": {"type": "number", "description": "its hits against the mean of the song, 0.25 to 4"},
                "loudness": {"type": "number", "description": "the factor of its velocities, 0.5 to 1.5"},
                "groove": {"type": ["string", "null"], "description": "its groove, not read: the option groove is"},
            },
            "required": ["first", "last", "name", "enters", "cymbal", "level", "loudness", "groove"],
        },
        "description": "how the drums build the song, section by section: the plan of a take of make_drums, changed or "
        "not, with the same song and seed (default: the drummer decides)",
    },
}
_HELP = {
    "groove": "the beat to play on: a name that list_choices gives, a file with drums under the open folders, or bars "
    "of one as FILE:5 or FILE:5-8; of sections verse=NAME,chorus=FILE (default: one that fits)",
    "like": "play as the drums of this file do, a path under the open folders",
    "drum_map": "the notes of a sampler, an id that list_choices gives (default: gm)",
}
FORM = ("model", "with_guitar", *SESSION)
OPTIONS = tuple(name for name in CHOICES if name not in ("takes", "prime", "bars"))
_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string", tuple: "string"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
}


def schema(*names: str, brief: bool = False, required: tuple[str, ...] = ()) -> Schema:
    """Return the JSON schema of an object with these options. brief: names in both tables mean those of a beat."""
    table = BRIEF if brief else CHOICES
    properties = {
        name: _OTHERS.get(name) or _of_choice(name, (table if name in table else CHOICES)[name]) for name in names
    }
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def values(given: Mapping[str, Any], wanted: Schema, *, brief: bool = False) -> dict[str, Any]:
    """Return the sent arguments as the fields of `RemoteOptions` or `RemoteBrief`. wanted: their schema.

    The server checks the ranges of numbers, as always.

    Raises:
        OptionError: an argument is missing, unknown, or of another kind.
    """
    known = wanted["properties"]
    for name in given:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
            raise OptionError(f"there is no option {name[:40]!r}; {hint}")
    for name in wanted["required"]:
        if given.get(name) is None:
            raise OptionError(f"{name} is missing; wanted {known[name]['description']}")
    table = BRIEF if brief else CHOICES
    return {
        name: _other(name, value)
        if name in _OTHERS
        else _chosen(name, (table if name in table else CHOICES)[name], value)
        for name, value in given.items()
        if value is not None
    }


def _of_choice(name: str, choice: Choice) -> Schema:
    """Return the schema of one option."""
    one: Schema = {"type": _KINDS[choice.kind]}
    if choice.is_placed and choice.kind is not str:
        one = {"type": [_KINDS[choice.kind], "string"]}  # of places
    if choice.words and not choice.is_placed and name != "genre":  # a mix of genres has weights, too
        one["enum"] = list(choice.words)
    if choice.kind in (int, float):
        one |= {"minimum": choice.least} if math.isfinite(choice.least) else {}
        one |= {"maximum": choice.most} if math.isfinite(choice.most) else {}
    about = {"description": _HELP.get(name, choice.help)}
    if choice.many and (choice.words or choice.kind is not str):
        return {"type": "array", "items": one} | about
    return one | about


_OTHERS |= {name: _of_choice(name, one) for name, one in SESSION.items()}


def _chosen(name: str, choice: Choice, given: Any) -> Any:
    """Return the value of an option, by the function that reads it on a command line."""
    parts = given if isinstance(given, list) else [given]
    if all(isinstance(part, (str, int, float)) and not isinstance(part, bool) for part in parts):
        try:
            return shared.reader(choice)(",".join(map(str, parts)))
        except (ValueError, argparse.ArgumentTypeError):
            pass
    raise OptionError(f"{name} is {str(given)[:60]!r}, wanted {choice.metavar}: {_HELP.get(name, choice.help)}")


def _other(name: str, given: Any) -> Any:
    kind = _OTHERS[name]["type"]
    if not isinstance(given, _TYPES[kind]) or (kind != "boolean" and isinstance(given, bool)):
        article = "an" if kind[0] in "ai" else "a"
        raise OptionError(f"{name} is {str(given)[:60]!r}, wanted {article} {kind}: {_OTHERS[name]['description']}")
    return song_plan.of_rows(given) if isinstance(given, list) else given
