"""Choose: the groove of each section, by the request and what fits the guitar; and the wishes for places."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.grooves.variation import halved
from seq2drum.music import choices
from seq2drum.music.choices import ALL, WHOLE
from seq2drum.music.options import OPTIONS
from seq2drum.music.song_plan import SongPlan
from seq2drum.play.decode.plan import BoolArray
from seq2drum.play.grooves import choosing
from seq2drum.play.grooves.choosing import BySection
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options

GROOVE, HALF_TIME = "groove", "half_time"
BESIDE = "percussion"  # played beside the drums, whose bars stay as they are
NAMED = {GROOVE, "time"}  # options by which a section has another groove, or another cymbal


@dataclass(frozen=True, eq=False)
class Placed:
    """Some bars (B,) with wishes of their own: what is requested there, and on which grooves, by section."""

    bars: BoolArray
    options: Options
    grooves: BySection


@dataclass(frozen=True)
class Grooves:
    """The grooves of a take, by the letters of their sections, and its wishes for places.

    A wish changes the bars of its place alone. So the take is arranged first without such wishes, then with them.

    options: the request, resolved. without: the same without the wishes: the ending, the entry, and all that is
    requested for places. everywhere: the grooves without the wishes. placed: the wishes for places; where several have
    a bar, the last one has all that is requested there. named: the grooves of sections that have their own, or a cymbal
    of their own, by such wishes in all their bars. plan: a plan that is given in place of the drummer's own.
    """

    options: Options
    without: Options
    everywhere: BySection
    placed: tuple[Placed, ...] = ()
    named: BySection = field(default_factory=dict)
    plan: SongPlan = ()

    @property
    def by_section(self) -> BySection:
        """The groove of each section."""
        return {**self.everywhere, **self.named}

    @property
    def played(self) -> list[Groove]:
        """All grooves in use."""
        return list((self.everywhere if self.everywhere.keys() - self.named else self.named).values())


def choose(guitar: Guitar, options: Options) -> Grooves:
    """Choose the groove of each section. options: resolved, see `wishes.resolve_options`.

    Raises:
        OptionError: half time is requested where there is no groove, or in a metre of one beat.
    """
    # 1. What is requested of the whole song, and the wishes: each has an option, its value, and the bars of its place.
    requested = {name: values for name, values in options.in_places.items() if name != BESIDE}
    if isinstance(options.groove, Mapping):
        requested[GROOVE] = options.groove
    if options.half_time is not None:
        requested[HALF_TIME] = dict.fromkeys(options.half_time.split(","), ALL)
    wishes, whole, sounding = list[tuple[str, Any, BoolArray]](), dict[str, Any](), range(*guitar.sounding)
    for name, by_place in requested.items():
        values = {WHOLE: OPTIONS[name].default} | {place: _value(name, value) for place, value in by_place.items()}
        base = values.pop(WHOLE)
        own = [(name, value, guitar.bars_in(place)) for place, value in values.items()]
        heard = [next((value for _, value, bars in own[::-1] if bars[bar]), base) for bar in sounding]
        is_one = all(value == heard[0] for value in heard)  # in all bars, so it is that of the song
        whole[name] = heard[0] if is_one else base
        wishes += [] if is_one else own
    without = options
    if requested or options.ending != choices.AUTO or options.enter is not None:
        without = replace(options, ending=choices.AUTO, enter=None, **whole)
    grid = guitar.song_grid.guitar_grid
    everywhere = choosing.chosen(grid, guitar.sections, without)
    if without.half_time is not None:
        everywhere = _in_half_time(everywhere, guitar.letters, guitar.letters)
    if not wishes:
        return Grooves(options, without, everywhere)
    # 2. The bars of each combination of wishes: all that have it, alone or with others.
    placed, named, letters = list[Placed](), dict[str, Groove](), np.array(guitar.letters)
    found = set[tuple[int, ...]]()
    for bar in sounding:  # the last wish for each option
        found.add(tuple(sorted({name: at for at, (name, _, bars) in enumerate(wishes) if bars[bar]}.values())))
    for combination in sorted(found - {()}, key=lambda each: (len(each), each)):
        changes = {name: value for name, value, _ in (wishes[at] for at in combination)}
        bars = np.logical_and.reduce([wishes[at][2] for at in combination])
        there, request = letters[bars].tolist(), replace(options, enter=None, **{**whole, **changes})
        # 3. Its grooves.
        grooves: BySection = dict(everywhere)
        if GROOVE in changes and changes[GROOVE] is not None:
            grooves = {**grooves, **dict.fromkeys(there, changes[GROOVE][WHOLE])}
        if HALF_TIME in changes:
            grooves = _in_half_time(grooves, guitar.letters, there)
        if changes.keys() & NAMED:
            inside = slice(*guitar.sounding)
            all_in = {letter for letter in grooves if bars[inside][letters[inside] == letter].all()}
            named |= {letter: grooves[letter] for letter in all_in & set(there)}
        is_same = grooves == everywhere and request.sampling == without.sampling
        if not (is_same and changes.keys() == {GROOVE} and len(combination) == 1):  # else it plays so anyway
            placed.append(Placed(bars, request, grooves))
    return Grooves(options, without, everywhere, tuple(placed), named)


def _value(name: str, value: Any) -> Any:
    """Return the value of an option for a place as one of the whole song."""
    return {WHOLE: value} if name == GROOVE and value is not None else value


def _in_half_time(grooves: BySection, letters: Sequence[str], there: Iterable[str]) -> BySection:
    """Return grooves by section, with those of some letters in half time. letters: of all bars.

    A section without a groove, as where the guitar rests, gets that of most bars.
    """
    usual = [letter for letter, _ in Counter(letters).most_common() if letter in grooves]
    if not usual:
        raise OptionError(
            "half time is requested, and the drummer has no groove in the song's metre; name one (groove)"
        )
    return {**grooves, **{letter: halved(grooves.get(letter, grooves[usual[0]])) for letter in dict.fromkeys(there)}}


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
            own = replace(own, groove=grooves or None, temperature=own.freedom, arrange=arrange)
        varied.append(own)
    return varied
