"""From flags and environment to `Settings`: which of the two wins, how a text becomes a value, where files are."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from seq2drum.errors import OptionError
from seq2drum.music.limits import Limits
from server import tokens
from server.settings import LIMITS, Settings, named, table, variable


def read(given: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Settings from flags and environment; flags win.

    given: texts by the name of the setting, as the flags had them (`True` or a count for flags without a value);
        `models` a list of "ID=DIR"; `token_file` the path of a file with the token.

    Raises:
        OptionError: a value is wrong; the message is one line.
    """
    values: dict[str, Any] = {}
    types = {item.name: str(item.type) for item in dataclasses.fields(Settings)}
    for name in table():
        text = _text(name, given, environ)
        if text is not None:
            values[name] = _value(name, types[name], text)
    limits = {}
    for name, limit in LIMITS.items():
        text = _text(name, given, environ)
        if text is not None:
            limits[limit.name] = _value(name, str(limit.type), text)
    values["limits"] = Limits(**limits)
    models = given.get("models") or _split(environ.get(variable("models"), ""))
    if models:
        values["models"] = _models(models)
    values |= _tokens(given, environ)
    path = values.get("state_file") or str(default_state_file(environ))
    values["state_file"] = "" if path == "none" else path
    return Settings(**values)


def default_state_file(environ: Mapping[str, str]) -> Path:
    """The state file in this system's folder for such files: %LOCALAPPDATA%, $XDG_STATE_HOME, or ~/.local/state."""
    if sys.platform == "win32":
        folder = environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    else:
        folder = environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(folder) / "seq2drum" / "server.json"


def _text(name: str, given: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    """What was given, by flag or else by variable; None if nothing was. An empty variable is none at all."""
    if given.get(name) is not None:
        return given[name]
    return environ.get(variable(name)) or None


def _value(name: str, kind: str, text: Any) -> Any:
    if not isinstance(text, str):
        return text
    reader, wanted = _READERS[kind.removesuffix(" | None")]
    try:
        return reader(text.strip())
    except ValueError:
        raise OptionError(f"{named(name)} is {text!r}, wanted {wanted}") from None


def _switch(text: str) -> bool:
    if text.lower() not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
        raise ValueError(text)
    return text.lower() in ("1", "true", "yes", "on")


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_READERS: Mapping[str, tuple[Callable[[str], Any], str]] = MappingProxyType(
    {
        "str": (str, "text"),
        "int": (int, "a whole number"),
        "float": (_number, "a number"),
        "bool": (_switch, "1 or 0"),
    }
)


def _split(text: str) -> list[str]:
    return [item for item in text.split(os.pathsep) if item]


def _models(texts: list[str]) -> dict[str, str]:
    """Model folders by id, from texts such as "mine=runs/mine"."""
    models: dict[str, str] = {}
    for item in texts:
        name, equals, folder = item.partition("=")
        if not equals or not folder:
            raise OptionError(f"--model ({variable('models')}) is {item!r}, wanted ID=DIR, such as mine=runs/mine")
        if name in models:
            raise OptionError(f"--model ({variable('models')}) names {name!r} twice, wanted each id once")
        models[name] = folder
    return models


def _tokens(given: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings of tokens: those of the file, or else the one of the variable."""
    path = _text("token_file", given, environ)
    if path is None:
        return {"token": environ.get(variable("token"), "")}
    try:
        found = tokens.read(str(path))
    except OptionError as error:
        raise OptionError(f"{named('token_file')} is wrong: {error}") from error
    only = found[0].secret if found[0].name == "" else ""
    return {"token": only, "tokens": () if only else found, "token_file": str(path)}
