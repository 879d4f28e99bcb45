"""A drummer for your guitar: `Drummer.load().accompany("song.mid").save("drums.mid")`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from seq2drum.music import shown

__version__ = "0.2.0"
__all__ = ["Beat", "Brief", "Composer", "Drummer", "Groove", "Options", "Seq2DrumError", "Song", "Take", "__version__"]

if TYPE_CHECKING:
    from seq2drum.errors import Seq2DrumError
    from seq2drum.lattice.grooves.grooves import Groove
    from seq2drum.music.notes import Song
    from seq2drum.play.drummer import Drummer
    from seq2drum.play.generators.composer import Beat, Brief, Composer
    from seq2drum.play.options import Options
    from seq2drum.play.take import Take

_HOMES = {
    "Beat": "play.generators.composer",
    "Brief": "play.generators.composer",
    "Composer": "play.generators.composer",
    "Drummer": "play.drummer",
    "Groove": "lattice.grooves.grooves",
    "Options": "play.options",
    "Seq2DrumError": "errors",
    "Song": "music.notes",
    "Take": "play.take",
}


def __getattr__(name: str) -> Any:
    # Imported on use, so that `seq2drum --help` does not wait for numpy.
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"seq2drum.{_HOMES[name]}"), name)


def _as_html(value: object) -> str:
    # Notebook views load on first use: programs that only play never load `display`, nor matplotlib.
    html: str = import_module("seq2drum.deliver.notebook").html(value)
    return html


shown.register(_as_html)
