"""Rules that a drummer of a style keeps, and signs by which a style is recognised.

A rule says of each bar whether it is kept, or of the whole take how well; a take is judged by all rules of its style.
A sign holds in a share of the bars; drums obey a style if each of its signs does. Bars are those of the pattern: fills
and the bar in which the guitar ends are left out.

Letters of shapes: B bars, S steps of the longest bar, V voices of the full kit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import drums_of, fills
from seq2drum.lattice.features import GuitarGrid, SongGrid
from seq2drum.lattice.form import MAX_STEPS
from seq2drum.lattice.grid import PLACES, STEPS_PER_QUARTER, TWELFTHS, encode
from seq2drum.lattice.grooves.grooves import likeness
from seq2drum.lattice.sections import sections
from seq2drum.music.kit import FULL
from seq2drum.music.metres import groups
from seq2drum.music.notes import Part, Song

Bools = NDArray[np.bool_]
Voices = tuple[str, ...]

KICK: Voices = ("kick",)
SNARE: Voices = ("snare", "side stick")
RIDE: Voices = ("ride", "bell")
HAT: Voices = ("closed hat", "open hat", "pedal hat")
TIME: Voices = (*RIDE, *HAT)
SHAKEN: Voices = (*TIME, "shaker", "cabasa", "triangle")
CRASH: Voices = ("crash",)
FINAL: Voices = (*CRASH, *RIDE, *SNARE, "open hat", "low tom", "mid tom", "high tom")  # what a last hit is struck on
HANDS: Voices = tuple(voice.name for voice in FULL.voices if voice.limb == "percussion")

SKIP = 2 / 3  # of a quarter: the second eighth of a swung one
LOUD = 50  # velocity from which a snare is a backbeat, not a ghost note
GHOST = 0.65  # of the median velocity of the snare on the backbeat, below which a snare is a ghost note
ALIKE = 0.7  # likeness of a bar to its section's typical one, from which the groove is held
FEW_CRASHES = 0.25  # a bar


# --- a take, bar by bar -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class TakeGrid:
    """A take bar by bar. velocity (B, S, V): in the full kit; S is at least MAX_STEPS, zero beyond a bar's end."""

    guitar_grid: GuitarGrid
    velocity: NDArray[np.int64]
    is_fill: Bools

    @staticmethod
    def of(part: Part, song: Song, guitar: Sequence[int]) -> TakeGrid:
        """Return a drum part beside the guitar."""
        song_grid = SongGrid.of(song, guitar)
        hits, form = encode(part, song_grid.lattice, FULL), song_grid.form
        velocity = form.by_bar(drums_of(hits, form, FULL).velocity)
        velocity = np.pad(velocity, ((0, 0), (0, max(MAX_STEPS - velocity.shape[1], 0)), (0, 0)))
        return TakeGrid(song_grid.guitar_grid, velocity, fills(drums_of(hits, form)))

    @cached_property
    def bars(self) -> Bools:
        """(B,): the bars of the pattern: where the guitar plays, without fills and the bar in which it ends."""
        first, _ = self.guitar_grid.sounding
        counted = ~self.is_fill
        counted[:first] = False
        counted[int(self.guitar_grid.form.bar_of(self.guitar_grid.guitar.step.max(keepdims=True))[0]) :] = False
        return counted

    def struck(self, voices: Voices, least: int = 1) -> Bools:
        """(B, S): where any of the voices is struck, at a velocity of at least so much."""
        columns = [FULL.names.index(name) for name in voices]
        struck: Bools = np.any(self.velocity[:, :, columns] >= least, axis=2)
        return struck

    def count(self, voices: Voices, places: Sequence[float], least: int = 1) -> NDArray[np.int64]:
        """(B,): at how many places, in quarters from the barline, any of the voices is struck."""
        found: NDArray[np.int64] = self.struck(voices, least)[:, [step_of(place) for place in places]].sum(axis=1)
        return found

    def on(self, voices: Voices, *places: float, least: int = 1) -> Bools:
        """(B,): whether any of the voices is struck at each of the places."""
        return self.count(voices, places, least) == len(places)

    @cached_property
    def quarters(self) -> int:
        """Quarters of a bar, as the first bar has them, rounded up."""
        return int(np.ceil(self.guitar_grid.form.quarters[0]))

    @cached_property
    def eighths(self) -> list[float]:
        """The places of the eighths of a bar."""
        return [eighth / 2 for eighth in range(round(self.guitar_grid.form.quarters[0] * 2))]

    @cached_property
    def heads(self) -> list[float]:
        """The places at which the accent groups of the metre begin: of 7/8, 0, 1 and 2 quarters."""
        form = self.guitar_grid.form
        metre = int(form.numerator[0]), int(form.denominator[0])
        return [float(place) * 4 / metre[1] for place in np.cumsum([0, *groups(*metre)[:-1]])]


def step_of(quarters: float) -> int:
    """The step of a bar that lies so many quarters from the barline."""
    whole, part = divmod(round(quarters * TWELFTHS), TWELFTHS)
    return whole * STEPS_PER_QUARTER + int(np.argmin(np.abs(PLACES - part)))


# --- rules ------------------------------------------------------------------------------------------------------------


class Rule(NamedTuple):
    """A habit of drummers of a style. keeps: bars (B,) that keep to it, or a number 0 to 1 of the take.

    enough: the share of bars from which the rule is kept altogether.
    """

    name: str
    keeps: Callable[[TakeGrid], Bools | float]
    enough: float = 1.0

    def score(self, take: TakeGrid) -> float:
        """0 to 1."""
        kept = self.keeps(take)
        share = float(kept) if isinstance(kept, float) else float(np.mean(kept[take.bars])) if take.bars.any() else 0.0
        return min(share / self.enough, 1.0)


def backbeat(take: TakeGrid) -> Bools:
    """Snare on 2 and 4."""
    return take.on((*SNARE, "clap"), 1, 3)


def no_backbeat(take: TakeGrid) -> Bools:
    """No snare on 2 and 4, unless it is on every beat: brushes keep time on it."""
    return ~take.on((*SNARE, "clap"), 1, 3, least=LOUD) | take.on(SNARE, 0, 1, 2, 3)


def half_time(take: TakeGrid) -> Bools:
    """Snare on 3, and not on 2 and 4."""
    return take.on(SNARE, 2) & ~take.on(SNARE, 1) & ~take.on(SNARE, 3)


def backbeat_or_half_time(take: TakeGrid) -> Bools:
    """Snare on 2 and 4, or on 3 alone."""
    return backbeat(take) | half_time(take)


def backbeat_or_blast(take: TakeGrid) -> Bools:
    """The same, or the snare on three off-beats or more, as in a skank beat and in a blast beat."""
    return backbeat_or_half_time(take) | (take.count(SNARE, (0.5, 1.5, 2.5, 3.5)) >= 3)


def kick_on_one(take: TakeGrid) -> Bools:
    """Kick on 1."""
    return take.on(KICK, 0)


def kick_on_one_and_three(take: TakeGrid) -> Bools:
    """Kick on 1 and 3."""
    return take.on(KICK, 0, 2)


def four_on_the_floor(take: TakeGrid) -> Bools:
    """Kick on every beat of four."""
    return take.on(KICK, 0, 1, 2, 3)


def eighths(take: TakeGrid) -> Bools:
    """Three of four eighths of the bar, or more, on one of hat, ride or what is shaken."""
    needed = 0.75 * len(take.eighths)
    lines: tuple[Voices, ...] = (RIDE, HAT, ("shaker", "cabasa"))
    return np.max([take.count(line, take.eighths) for line in lines], axis=0) >= needed


def eighths_or_quarters(take: TakeGrid) -> Bools:
    """The same, or every beat on one of hat or ride."""
    beats = range(take.quarters)
    return eighths(take) | take.on(RIDE, *beats) | take.on(HAT, *beats)


def sixteenths(take: TakeGrid) -> Bools:
    """Two or more hits of any piece of the kit between the eighths."""
    places = [beat + part for beat in range(take.quarters) for part in (0.25, 0.75)]
    return take.count((*KICK, *SNARE, *TIME), places) >= 2


def ghost_notes(take: TakeGrid) -> Bools:
    """A snare that is much softer than the backbeat."""
    velocity = take.velocity[:, :, FULL.names.index("snare")]
    loud = velocity[:, [step_of(1), step_of(3)]]
    limit = GHOST * float(np.median(loud[loud > 0])) if (loud > 0).any() else 0.0
    return np.any((velocity > 0) & (velocity < limit), axis=1)


def swung(take: TakeGrid) -> Bools:
    """No hit on a straight eighth or sixteenth."""
    places = [beat + part for beat in range(take.quarters) for part in (0.25, 0.5, 0.75)]
    return take.count(FULL.names, places) == 0


def ride_with_skip_note(take: TakeGrid) -> Bools:
    """Ride or hat, or a snare with brushes, on all beats but one or more, and a skip note before one of the beats."""
    beats, skips = range(take.quarters), [beat + SKIP for beat in range(take.quarters)]
    lines: tuple[Voices, ...] = (RIDE, HAT, SNARE)
    return np.any([(take.count(one, beats) >= len(beats) - 1) & (take.count(one, skips) >= 1) for one in lines], axis=0)


def on_the_ride(take: TakeGrid) -> Bools:
    """More ride than hat by hand, or neither: brushes keep time on the snare."""
    ride, hat = (take.struck(voices).sum(axis=1) for voices in (RIDE, ("closed hat", "open hat")))
    return (ride > hat) | ((ride == 0) & (hat == 0) & (take.struck(SNARE).sum(axis=1) >= take.quarters))


def shuffled_time(take: TakeGrid) -> Bools:
    """Hat or ride on three beats of four, with two skip notes or more."""
    beats, skips = range(take.quarters), [beat + SKIP for beat in range(take.quarters)]
    return (take.count(TIME, beats) >= len(beats) - 1) & (take.count(TIME, skips) >= 2)


def no_crash_on_the_backbeat(take: TakeGrid) -> Bools:
    """No crash on 2 and 4."""
    return take.count(CRASH, (1, 3)) == 0


def no_hand_percussion(take: TakeGrid) -> Bools:
    """No hand percussion."""
    return ~np.any(take.struck(HANDS), axis=1)


def no_claps(take: TakeGrid) -> Bools:
    """No clap."""
    return ~np.any(take.struck(("clap",)), axis=1)


def six_kicks(take: TakeGrid) -> Bools:
    """Six kicks or more."""
    many: Bools = take.struck(KICK).sum(axis=1) >= 6
    return many


def heads(take: TakeGrid) -> Bools:
    """Kick on 1, and kick, snare or tom wherever another accent group begins."""
    pulse: Voices = (*KICK, *SNARE, "low tom", "mid tom", "high tom")
    return kick_on_one(take) & take.on(pulse, *take.heads[1:])


def no_snare_on_one(take: TakeGrid) -> Bools:
    """No snare on 1, unless it is on every beat: brushes keep time on it."""
    return ~take.on(SNARE, 0, least=LOUD) | take.on(SNARE, *range(take.quarters))


def lifted(take: TakeGrid) -> Bools:
    """Snare, hat or ride on 2 or 3 of three: the light beats of a waltz."""
    return take.count((*SNARE, *TIME), (1, 2)) >= 1


def light_beats(take: TakeGrid) -> Bools:
    """No kick on both light beats of three: the weight is on 1."""
    return take.count(KICK, (1, 2)) < 2


def snare_on_the_second_half(take: TakeGrid) -> Bools:
    """Return the bars with a snare on the second of two accent groups, as in 6/8; on 2 and 4 in a bar of four."""
    return backbeat(take) if take.quarters == 4 else take.on(SNARE, take.heads[-1])


def sparse(take: TakeGrid) -> Bools:
    """At most four hits a quarter."""
    few: Bools = (take.velocity > 0).sum(axis=(1, 2)) <= 4 * take.guitar_grid.form.quarters
    return few


def weight_on_three(take: TakeGrid) -> Bools:
    """Kick on 3, with the side stick or the snare or without."""
    return take.on(KICK, 2)


def off_beats(take: TakeGrid) -> Bools:
    """Hat on three off-beats of four, or more."""
    return take.count(HAT, (0.5, 1.5, 2.5, 3.5)) >= 3


def train(take: TakeGrid) -> Bools:
    """A train beat: eight strokes on the snare or more. Or two to the bar, with the backbeat."""
    strokes: Bools = take.struck(SNARE).sum(axis=1) >= 8
    return strokes | backbeat(take)


def steady_beats(take: TakeGrid) -> Bools:
    """Hat, ride or crash on three beats of four, or more."""
    return take.count((*TIME, *CRASH), range(take.quarters)) >= 0.75 * take.quarters


# Rules of every style.


def timekeeper(take: TakeGrid) -> Bools:
    """Hat, ride or what is shaken, twice a bar at least; or six strokes on snare and toms, as in a train beat."""
    drums = take.struck((*SNARE, "low tom", "mid tom", "high tom")).sum(axis=1)
    return (take.struck((*SHAKEN, *CRASH)).sum(axis=1) >= 2) | (drums >= 6)


def few_crashes(take: TakeGrid) -> float:
    """1 up to FEW_CRASHES a bar, from there in proportion to what is too much."""
    return min(1.0, FEW_CRASHES / max(crashes(take), FEW_CRASHES))


def crashes(take: TakeGrid) -> float:
    """Crashes a bar, over the bars in which the guitar sounds."""
    first, stop = take.guitar_grid.sounding
    return float(take.struck(CRASH).sum()) / max(stop - first, 1)


def clear_beginning(take: TakeGrid) -> float:
    """Kick or crash on the one of the first bar; or, where that bar is a pickup, of the second after a fill."""
    first, _ = take.guitar_grid.sounding
    ones = take.on(KICK, 0) | take.on(CRASH, 0)
    pickup = int((take.velocity[first] > 0).any(axis=1).sum()) >= 3 and bool(ones[first + 1 : first + 2].any())
    return float(ones[first] or pickup)


def ending(take: TakeGrid) -> float:
    """A hit with the guitar in its last bar, on more than kick and closed hat; after its last note cymbals at most.

    Once the guitar is silent, nothing is struck.
    """
    # 1. Where the guitar begins its last notes, and what is struck there and behind.
    form, guitar = take.guitar_grid.form, take.guitar_grid.guitar
    last = guitar.step.max(keepdims=True)
    bar, place, stop = int(form.bar_of(last)[0]), int(form.place_of(last)[0]), take.guitar_grid.sounding[1]
    final, others = take.struck(FINAL), take.struck(tuple(name for name in FULL.names if name not in (*RIDE, *CRASH)))
    onsets = form.notes_between(guitar, bar, bar + 1).step.tolist()
    # 2. What makes an ending of it.
    with_guitar = any(final[bar, max(step - 1, 0) : step + 2].any() for step in onsets)
    goes_on = others[bar, place + 2 :].any() or others[bar + 1 :].any() or take.struck(FULL.names)[stop:].any()
    return float(with_guitar and not goes_on)


def groove_held(take: TakeGrid) -> Bools:
    """The bar is like its section's typical one, or that of its turn: grooves have one bar or two.

    Typical is the bar that is most like all others.
    """
    begins = {section.bar: section.letter for section in sections(take.guitar_grid)}
    letter, letters = "", []
    for bar in range(len(take.velocity)):
        letter = begins.get(bar, letter)
        letters.append(letter)
    alike = likeness((take.velocity > 0).reshape(len(letters), -1).astype(np.float32))
    held, turn = np.zeros(len(letters), dtype=bool), np.arange(len(letters)) % 2
    for name in set(letters):
        own = (np.array(letters) == name) & take.bars
        for some in (own, own & (turn == 0), own & (turn == 1)):
            bars = np.flatnonzero(some)
            if len(bars):
                typical = bars[np.argmax(alike[np.ix_(bars, bars)].sum(axis=1))]
                held[bars] |= alike[typical, bars] >= ALIKE
    return held


def rules_of(*keeps: Callable[[TakeGrid], Bools | float]) -> tuple[Rule, ...]:
    """Rules called by their functions."""
    return tuple(Rule(keep.__name__.replace("_", " "), keep, ENOUGH.get(keep, 1.0)) for keep in keeps)


ENOUGH: Mapping[Callable[[TakeGrid], Bools | float], float] = MappingProxyType(
    {
        ghost_notes: 0.5,
        sixteenths: 0.75,
        six_kicks: 0.65,
        groove_held: 0.8,
        timekeeper: 0.9,
        on_the_ride: 0.75,
        train: 0.8,
        backbeat: 0.9,
        backbeat_or_half_time: 0.9,
        backbeat_or_blast: 0.9,
        kick_on_one: 0.9,
        kick_on_one_and_three: 0.8,
        heads: 0.8,
        lifted: 0.9,
        ride_with_skip_note: 0.8,
        shuffled_time: 0.8,
        eighths: 0.8,
        eighths_or_quarters: 0.8,
        steady_beats: 0.8,
        snare_on_the_second_half: 0.8,
        swung: 0.9,
        weight_on_three: 0.8,
        half_time: 0.8,
        four_on_the_floor: 0.8,
        off_beats: 0.8,
        sparse: 0.9,
    }
)
"""The share of bars from which a rule is kept altogether: drummers vary, too. All others want every bar."""

COMMON = ("few crashes", "clear beginning", "ending", "groove held", "timekeeper")
ALL = rules_of(few_crashes, clear_beginning, ending, groove_held, timekeeper)
NO_METAL = rules_of(clear_beginning, ending, groove_held, timekeeper)  # where crashes may be as many as there are

RULES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "bossa": rules_of(no_backbeat, kick_on_one_and_three, eighths, no_claps) + ALL,
        "swing": rules_of(ride_with_skip_note, on_the_ride, swung, no_backbeat, no_crash_on_the_backbeat)
        + rules_of(no_hand_percussion)
        + ALL,
        "shuffle": rules_of(shuffled_time, swung, backbeat_or_half_time, kick_on_one, no_hand_percussion) + ALL,
        "rock": rules_of(backbeat_or_half_time, kick_on_one, eighths_or_quarters, no_hand_percussion) + ALL,
        "pop": rules_of(backbeat_or_half_time, kick_on_one, steady_beats) + ALL,
        "punk": rules_of(backbeat_or_blast, kick_on_one, steady_beats, no_hand_percussion) + ALL,
        "funk": rules_of(kick_on_one, backbeat, sixteenths, ghost_notes) + ALL,
        "gallop": rules_of(six_kicks, backbeat_or_blast, kick_on_one, steady_beats, no_hand_percussion) + NO_METAL,
        "seven_eight": rules_of(heads, eighths, no_snare_on_one, no_hand_percussion) + ALL,
        "five_four": rules_of(heads, no_snare_on_one, no_hand_percussion) + ALL,
        "waltz": rules_of(kick_on_one, no_snare_on_one, lifted, light_beats, no_hand_percussion) + ALL,
        "ballad": rules_of(sparse, kick_on_one, snare_on_the_second_half, no_hand_percussion) + ALL,
        "reggae": rules_of(weight_on_three, no_backbeat) + ALL,
        "country": rules_of(train, kick_on_one_and_three, no_hand_percussion) + ALL,
        "disco": rules_of(four_on_the_floor, backbeat, off_beats) + ALL,
        "half_time": rules_of(half_time, kick_on_one, steady_beats) + ALL,
    }
)
"""The rules of each style; a piece has that of the longest of these names, or of NAMES, which its own name holds."""

NAMES: Mapping[str, str] = MappingProxyType(
    {"jazz": "swing", "blues": "shuffle", "metal": "gallop", "one_drop": "reggae", "halftime": "half_time"}
)


def style_named(title: str) -> str | None:
    """Return the style of `RULES` that the title of a piece names, or None."""
    plain = title.lower().replace("-", "_").replace(" ", "_")
    known = [word for word in (*RULES, *NAMES) if word in plain]
    word = max(known, key=len, default=None)
    return NAMES.get(word, word) if word else None


# --- signs of a style -------------------------------------------------------------------------------------------------


def side_stick_or_hands(take: TakeGrid) -> Bools:
    """Two strokes a bar or more on side stick and hand percussion."""
    many: Bools = take.struck(("side stick", *HANDS)).sum(axis=1) >= 2
    return many


def one_drop(take: TakeGrid) -> Bools:
    """The weight on 3: snare or side stick there, or a kick there and none on 1."""
    return take.on(SNARE, 2, least=LOUD) | (take.on(KICK, 2, least=LOUD) & ~take.on(KICK, 0, least=LOUD))


def four_kicks(take: TakeGrid) -> Bools:
    """Kick on every beat, and not feathered as in swing."""
    return take.on(KICK, 0, 1, 2, 3, least=LOUD)


def off_the_eighths(take: TakeGrid) -> Bools:
    """Kick or snare on a sixteenth between the eighths."""
    places = [beat + part for beat in range(take.quarters) for part in (0.25, 0.75)]
    return take.count((*KICK, *SNARE), places) >= 1


def swung_time(take: TakeGrid) -> Bools:
    """Hat or ride with a skip note, and no straight eighth on either."""
    skips, eighths = ([beat + part for beat in range(take.quarters)] for part in (SKIP, 0.5))
    return (take.count(TIME, skips) >= 1) & (take.count(TIME, eighths) <= 1)


def straight(take: TakeGrid) -> Bools:
    """Time that is not swung."""
    return ~swung_time(take)


def no_loud_backbeat(take: TakeGrid) -> Bools:
    """Not both 2 and 4 on a loud snare or a clap."""
    return ~take.on(("snare", "clap"), 1, 3, least=LOUD)


def moderate(take: TakeGrid) -> Bools:
    """Five kicks a bar at most."""
    few: Bools = take.struck(KICK).sum(axis=1) <= 5
    return few


def five_kicks(take: TakeGrid) -> Bools:
    """Five loud kicks or more."""
    many: Bools = take.struck(KICK, least=LOUD).sum(axis=1) >= 5
    return many


HALF, MOST = 0.5, 0.6  # shares of the bars
SIGNS: Mapping[str, tuple[tuple[Callable[[TakeGrid], Bools], float], ...]] = MappingProxyType(
    {
        "jazz": ((swung_time, HALF), (on_the_ride, HALF)),
        "shuffle": ((swung_time, HALF), (backbeat_or_half_time, HALF)),
        "latin": ((side_stick_or_hands, HALF), (no_loud_backbeat, HALF)),
        "metal": ((five_kicks, HALF),),
        "dance": ((four_kicks, MOST), (straight, HALF)),
        "reggae": ((one_drop, MOST), (no_loud_backbeat, MOST)),
        "funk": ((off_the_eighths, HALF), (straight, HALF)),
        "pop": ((backbeat_or_half_time, HALF), (moderate, HALF), (straight, HALF)),
        "rock": ((backbeat_or_half_time, HALF), (straight, HALF)),
    }
)
"""The signs of each style, and the share of bars in which each is wanted at least."""


def obeys(style: str, take: TakeGrid) -> bool:
    """Return whether drums have all signs of a style of `music.choices.STYLES`."""
    bars = take.bars & (take.velocity > 0).any(axis=(1, 2))
    return bool(bars.any()) and all(np.mean(sign(take)[bars]) >= share for sign, share in SIGNS[style])
