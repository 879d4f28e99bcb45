"""A MusicXML score as a picture, engraved by verovio."""

from __future__ import annotations

from seq2drum.errors import MissingExtraError


def check() -> None:
    """Raises MissingExtraError if verovio is not installed."""
    try:
        import verovio  # noqa: F401
    except ImportError:
        raise MissingExtraError("a score as a picture needs verovio: pip install 'seq2drum[score]'") from None
