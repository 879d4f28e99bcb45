"""Which grooves a take is played on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from seq2drum.lattice.grooves import Groove
from seq2drum.lattice.listening import Heard
from seq2drum.lattice.sections import Section
from seq2drum.play.asked import WHOLE
from seq2drum.play.options import Options

BySection = Mapping[str, Groove]
"""Grooves by the letters of their sections."""


def chosen(heard: Heard, sections: Sequence[Section], options: Options) -> BySection:
    """The grooves that options name, by section; options are settled, so that grooves are values."""
    named: Mapping[str, str | Groove] = options.groove if isinstance(options.groove, Mapping) else {}
    letters = dict.fromkeys(section.letter for section in sections)
    grooves = [(letter, named.get(letter, named.get(WHOLE))) for letter in letters]
    return {letter: groove for letter, groove in grooves if not isinstance(groove, str) and groove is not None}
