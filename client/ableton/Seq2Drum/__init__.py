"""seq2drum for Ableton Live, as a control surface: drums for the selected clip. Live imports this."""

from .script import Seq2Drum


def create_instance(c_instance):
    """Return the control surface. Live calls this."""
    return Seq2Drum(c_instance)
