"""The option --drum-map: a sampler's notes, or a list of all known maps."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from seq2drum.console import shared
from seq2drum.console.terminal import standard_output
from seq2drum.music.explanation import origin

LIST = "list"


def add_drum_map(to: shared.Container, **other: Any) -> None:
    """Add --drum-map. other: differences to `CHOICES`."""
    shared.add_choice(to, "drum_map", action=_MapOrList, **other)


class _MapOrList(argparse.Action):
    """An action that stores the name of a drum map; at the word "list" it prints all maps, and exits.

    Of each map it prints the name, the sampler, and the source of the notes.

    Raises:
        StandardOutputError: standard output is closed.
    """

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        if values == LIST:
            from seq2drum.music import drum_maps

            with standard_output():
                for name in drum_maps.names():
                    drum_map = drum_maps.load(name)
                    print(f"{name}: {drum_map.about}\n  {origin(drum_map.source, drum_map.tried)}", flush=True)
            parser.exit()
        setattr(namespace, self.dest, values)
