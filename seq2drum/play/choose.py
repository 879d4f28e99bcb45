"""Choose: the groove of each section, by the request and what fits the guitar."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music import choices
from seq2drum.music.song_plan import SongPlan
from seq2drum.play.asked import WHOLE
from seq2drum.play.grooves import choosing
from seq2drum.play.grooves.choosing import BySection
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options


@dataclass(frozen=True)
class Grooves:
    """The grooves of a take, by the letters of their sections.

    A groove requested for one section changes the bars of that section alone. So the take is arranged
    first without such wishes, then with them.

    options: the request, resolved. without: the same without the wishes: the ending, the entry, and the
    grooves of single sections. everywhere: the grooves without the wishes. placed: the grooves that they name. plan: a
    plan that is given in place of the drummer's own.
    """

    options: Options
    without: Options
    everywhere: BySection
    placed: BySection
    plan: SongPlan = ()

    @property
    def by_section(self) -> BySection:
        """The groove of each section."""
        return {**self.everywhere, **self.placed}

    @property
    def played(self) -> list[Groove]:
        """All grooves in use."""
        return list((self.everywhere if self.everywhere.keys() - self.placed else self.placed).values())


def choose(guitar: Guitar, options: Options) -> Grooves:
    """Choose the groove of each section. options: resolved, see `wishes.resolve_options`."""
    has_places = isinstance(options.groove, Mapping) or options.ending != choices.AUTO or options.enter
    without, placed = options, dict[str, Groove]()
    if has_places:
        requested = options.groove if isinstance(options.groove, Mapping) else {}
        asked = {letter: groove for letter, groove in requested.items() if isinstance(groove, Groove)}
        whole = _whole(asked, guitar.sections)
        letters = dict.fromkeys(section.letter for section in guitar.sections)
        placed = {letter: asked[letter] for letter in letters if letter in asked and asked[letter] != whole}
        without = replace(options, groove=None if whole is None else {WHOLE: whole}, ending=choices.AUTO, enter=None)
    return Grooves(options, without, choosing.chosen(guitar.song_grid.guitar_grid, guitar.sections, without), placed)


def variants(guitar: Guitar, options: Options, count: int) -> list[Options]:
    """The options of several takes; the first are those given.

    The others have seeds derived from the given one, and other fitting grooves unless the request names some.
    """
    varied = [options]
    for number in range(1, count):
        own = replace(options, seed=int(np.random.SeedSequence([options.seed, number]).generate_state(1)[0]))
        if own.groove is None:
            grooves = choosing.chosen(guitar.song_grid.guitar_grid, guitar.sections, own, number)
            arrange = choices.ON if own.arranges else own.arrange
            own = replace(own, groove=dict(grooves), temperature=own.freedom, arrange=arrange)
        varied.append(own)
    return varied


def _whole(requested: Mapping[str, Groove], sections: Sequence[Section]) -> Groove | None:
    """Return the groove of the whole song: the requested one, or that of all its sections, if they share one."""
    if WHOLE in requested:
        return requested[WHOLE]
    grooves = [requested.get(section.letter) for section in sections]
    return grooves[0] if all(groove == grooves[0] for groove in grooves) else None
