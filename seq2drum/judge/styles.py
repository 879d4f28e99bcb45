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
TOMS: Voices = ("low tom", "mid tom", "high tom")
FINAL: Voices = (*CRASH, *RIDE, *SNARE, "open hat", *TOMS)  # the pieces of a last hit
HANDS: Voices = tuple(voice.name for voice in FULL.voices if voice.limb == "percussion")

OFF_BEATS = (0.5, 1.5, 2.5, 3.5)
SKIP = 2 / 3  # of a quarter: the second eighth of a swung one
LOUD = 50  # velocity from which a snare is a backbeat, not a ghost note
GHOST = 0.65  # of the median velocity of the snare on the backbeat, below which a snare is a ghost note
ALIKE = 0.7  # likeness of a bar to its section's typical one, from which the groove is held
MOST_CRASHES = 0.25  # a bar; more are too many


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

    def hits(self, voices: Voices, least: int = 1) -> NDArray[np.int64]:
        """(B,): on how many steps any of the voices is struck."""
        found: NDArray[np.int64] = self.struck(voices, least).sum(axis=1)
        return found

    def on(self, voices: Voices, *places: float, least: int = 1) -> Bools:
        """(B,): whether any of the voices is struck at each of the places."""
        return self.count(voices, places, least) == len(places)

    @cached_property
    def quarters(self) -> int:
        """Quarters of a bar, as the first bar has them, rounded up."""
        return int(np.ceil(self.guitar_grid.form.quarters[0]))

    def inside(self, *parts: float) -> list[float]:
        """The places behind each beat of a bar, at these parts of a quarter."""
        return [beat + part for beat in range(self.quarters) for part in parts]

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

    enough: the share of bars from which the rule is kept altogether: drummers vary, too.
    """

    name: str
    meaning: str
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


def half_time(take: TakeGrid) -> Bools:
    """Snare on 3, and not on 2 and 4."""
    return take.on(SNARE, 2) & ~take.on(SNARE, 1) & ~take.on(SNARE, 3)


def backbeat_or_half_time(take: TakeGrid) -> Bools:
    """Snare on 2 and 4, or on 3 alone."""
    return backbeat(take) | half_time(take)


def kick_on_one(take: TakeGrid) -> Bools:
    """Kick on 1."""
    return take.on(KICK, 0)


def eighths(take: TakeGrid) -> Bools:
    """Three of four eighths of the bar, or more, on one of hat, ride or a shaken piece."""
    needed = 0.75 * len(take.eighths)
    lines: tuple[Voices, ...] = (RIDE, HAT, ("shaker", "cabasa"))
    return np.max([take.count(line, take.eighths) for line in lines], axis=0) >= needed


def ghost_notes(take: TakeGrid) -> Bools:
    """A snare that is much softer than the backbeat."""
    velocity = take.velocity[:, :, FULL.names.index("snare")]
    loud = velocity[:, [step_of(1), step_of(3)]]
    limit = GHOST * float(np.median(loud[loud > 0])) if (loud > 0).any() else 0.0
    return np.any((velocity > 0) & (velocity < limit), axis=1)


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
    # 1. The last onsets of the guitar, and the hits there and after them.
    form, guitar = take.guitar_grid.form, take.guitar_grid.guitar
    last = guitar.step.max(keepdims=True)
    bar, place, stop = int(form.bar_of(last)[0]), int(form.place_of(last)[0]), take.guitar_grid.sounding[1]
    final, others = take.struck(FINAL), take.struck(tuple(name for name in FULL.names if name not in (*RIDE, *CRASH)))
    onsets = form.notes_between(guitar, bar, bar + 1).step.tolist()
    # 2. The signs of an ending.
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


# The rules of every style.
FEW_CRASHES = Rule(
    "few crashes",
    f"1 up to {MOST_CRASHES} crashes a bar, beyond, inversely proportional to their number",
    lambda take: min(1.0, MOST_CRASHES / max(crashes(take), MOST_CRASHES)),
)
TIMEKEEPER = Rule(
    "timekeeper",
    "hat, ride or a shaken piece, twice a bar at least; or six strokes on snare and toms, as in a train beat",
    lambda take: (take.hits((*SHAKEN, *CRASH)) >= 2) | (take.hits((*SNARE, *TOMS)) >= 6),
    enough=0.9,
)
CLEAR_BEGINNING = Rule("clear beginning", "kick or crash on the first one, or behind a pickup", clear_beginning)
ENDING = Rule("ending", "a last hit with the guitar, and nothing but cymbals after it", ending)
GROOVE_HELD = Rule("groove held", "the bar is like its section's typical one", groove_held, enough=0.8)

# Snare and clap.
BACKBEAT = Rule("backbeat", "snare on 2 and 4", backbeat, enough=0.9)
BACKBEAT_OR_HALF_TIME = Rule(
    "backbeat or half time", "snare on 2 and 4, or on 3 alone", backbeat_or_half_time, enough=0.9
)
BACKBEAT_OR_BLAST = Rule(
    "backbeat or blast",
    "the same, or the snare on three off-beats or more, as in a skank beat and in a blast beat",
    lambda take: backbeat_or_half_time(take) | (take.count(SNARE, OFF_BEATS) >= 3),
    enough=0.9,
)
NO_BACKBEAT = Rule(
    "no backbeat",
    "no snare on 2 and 4, unless it is on every beat: brushes keep time on it",
    lambda take: ~take.on((*SNARE, "clap"), 1, 3, least=LOUD) | take.on(SNARE, 0, 1, 2, 3),
)
HALF_TIME = Rule("half time", "snare on 3, and not on 2 and 4", half_time, enough=0.8)
NO_SNARE_ON_ONE = Rule(
    "no snare on one",
    "no snare on 1, unless it is on every beat: brushes keep time on it",
    lambda take: ~take.on(SNARE, 0, least=LOUD) | take.on(SNARE, *range(take.quarters)),
)
SNARE_ON_THE_SECOND_HALF = Rule(
    "snare on the second half",
    "snare on the second of two accent groups, as in 6/8; on 2 and 4 in a bar of four",
    lambda take: backbeat(take) if take.quarters == 4 else take.on(SNARE, take.heads[-1]),
    enough=0.8,
)
GHOST_NOTES = Rule("ghost notes", "a snare that is much softer than the backbeat", ghost_notes, enough=0.5)
TRAIN = Rule(
    "train",
    "a train beat: eight strokes on the snare or more; or two to the bar, with the backbeat",
    lambda take: (take.hits(SNARE) >= 8) | backbeat(take),
    enough=0.8,
)
NO_CLAPS = Rule("no claps", "no clap", lambda take: take.hits(("clap",)) == 0)
NO_HAND_PERCUSSION = Rule("no hand percussion", "no hand percussion", lambda take: take.hits(HANDS) == 0)

# Kick.
KICK_ON_ONE = Rule("kick on one", "kick on 1", kick_on_one, enough=0.9)
KICK_ON_ONE_AND_THREE = Rule("kick on one and three", "kick on 1 and 3", lambda take: take.on(KICK, 0, 2), enough=0.8)
FOUR_ON_THE_FLOOR = Rule(
    "four on the floor", "kick on every beat of four", lambda take: take.on(KICK, 0, 1, 2, 3), enough=0.8
)
SIX_KICKS = Rule("six kicks", "six kicks or more", lambda take: take.hits(KICK) >= 6, enough=0.65)
WEIGHT_ON_THREE = Rule(
    "weight on three", "kick on 3, with the snare or without", lambda take: take.on(KICK, 2), enough=0.8
)
LIGHT_BEATS = Rule(
    "light beats",
    "no kick on both light beats of three: the weight is on 1",
    lambda take: take.count(KICK, (1, 2)) < 2,
)
HEADS = Rule(
    "heads",
    "kick on 1, and kick, snare or tom wherever another accent group begins",
    lambda take: kick_on_one(take) & take.on((*KICK, *SNARE, *TOMS), *take.heads[1:]),
    enough=0.8,
)

# Hat, ride and crash.
EIGHTHS = Rule(
    "eighths", "three of four eighths of the bar, or more, on one of hat, ride or shaker", eighths, enough=0.8
)
EIGHTHS_OR_QUARTERS = Rule(
    "eighths or quarters",
    "the same, or every beat on one of hat or ride",
    lambda take: eighths(take) | take.on(RIDE, *range(take.quarters)) | take.on(HAT, *range(take.quarters)),
    enough=0.8,
)
STEADY_BEATS = Rule(
    "steady beats",
    "hat, ride or crash on three beats of four, or more",
    lambda take: take.count((*TIME, *CRASH), range(take.quarters)) >= 0.75 * take.quarters,
    enough=0.8,
)
OFF_BEAT_HATS = Rule(
    "off beats", "hat on three off-beats of four, or more", lambda take: take.count(HAT, OFF_BEATS) >= 3, enough=0.8
)
RIDE_WITH_SKIP_NOTE = Rule(
    "ride with skip note", "ride, hat or brushes on the beats, and a skip note", ride_with_skip_note, enough=0.8
)
ON_THE_RIDE = Rule("on the ride", "more ride than hat by hand, or brushes", on_the_ride, enough=0.75)
SHUFFLED_TIME = Rule("shuffled time", "hat or ride on the beats, and two skip notes", shuffled_time, enough=0.8)
SWUNG = Rule(
    "swung",
    "no hit on a straight eighth or sixteenth",
    lambda take: take.count(FULL.names, take.inside(0.25, 0.5, 0.75)) == 0,
    enough=0.9,
)
SIXTEENTHS = Rule(
    "sixteenths",
    "two or more hits of any piece of the kit between the eighths",
    lambda take: take.count((*KICK, *SNARE, *TIME), take.inside(0.25, 0.75)) >= 2,
    enough=0.75,
)
LIFTED = Rule(
    "lifted",
    "snare, hat or ride on 2 or 3 of three: the light beats of a waltz",
    lambda take: take.count((*SNARE, *TIME), (1, 2)) >= 1,
    enough=0.9,
)
NO_CRASH_ON_THE_BACKBEAT = Rule(
    "no crash on the backbeat", "no crash on 2 and 4", lambda take: take.count(CRASH, (1, 3)) == 0
)
SPARSE = Rule(
    "sparse",
    "at most four hits a quarter",
    lambda take: (take.velocity > 0).sum(axis=(1, 2)) <= 4 * take.guitar_grid.form.quarters,
    enough=0.9,
)

NO_METAL = (CLEAR_BEGINNING, ENDING, GROOVE_HELD, TIMEKEEPER)  # where any number of crashes is fine
ALL = (FEW_CRASHES, *NO_METAL)
COMMON = tuple(rule.name for rule in ALL)

RULES: Mapping[str, tuple[Rule, ...]] = MappingProxyType(
    {
        "bossa": (NO_BACKBEAT, KICK_ON_ONE_AND_THREE, EIGHTHS, NO_CLAPS, *ALL),
        "swing": (
            *(RIDE_WITH_SKIP_NOTE, ON_THE_RIDE, SWUNG, NO_BACKBEAT, NO_CRASH_ON_THE_BACKBEAT, NO_HAND_PERCUSSION),
            *ALL,
        ),
        "shuffle": (SHUFFLED_TIME, SWUNG, BACKBEAT_OR_HALF_TIME, KICK_ON_ONE, NO_HAND_PERCUSSION, *ALL),
        "rock": (BACKBEAT_OR_HALF_TIME, KICK_ON_ONE, EIGHTHS_OR_QUARTERS, NO_HAND_PERCUSSION, *ALL),
        "pop": (BACKBEAT_OR_HALF_TIME, KICK_ON_ONE, STEADY_BEATS, *ALL),
        "punk": (BACKBEAT_OR_BLAST, KICK_ON_ONE, STEADY_BEATS, NO_HAND_PERCUSSION, *ALL),
        "funk": (KICK_ON_ONE, BACKBEAT, SIXTEENTHS, GHOST_NOTES, *ALL),
        "gallop": (SIX_KICKS, BACKBEAT_OR_BLAST, KICK_ON_ONE, STEADY_BEATS, NO_HAND_PERCUSSION, *NO_METAL),
        "seven_eight": (HEADS, EIGHTHS, NO_SNARE_ON_ONE, NO_HAND_PERCUSSION, *ALL),
        "five_four": (HEADS, NO_SNARE_ON_ONE, NO_HAND_PERCUSSION, *ALL),
        "waltz": (KICK_ON_ONE, NO_SNARE_ON_ONE, LIFTED, LIGHT_BEATS, NO_HAND_PERCUSSION, *ALL),
        "ballad": (SPARSE, KICK_ON_ONE, SNARE_ON_THE_SECOND_HALF, NO_HAND_PERCUSSION, *ALL),
        "reggae": (WEIGHT_ON_THREE, NO_BACKBEAT, *ALL),
        "country": (TRAIN, KICK_ON_ONE_AND_THREE, NO_HAND_PERCUSSION, *ALL),
        "disco": (FOUR_ON_THE_FLOOR, BACKBEAT, OFF_BEAT_HATS, *ALL),
        "half_time": (HALF_TIME, KICK_ON_ONE, STEADY_BEATS, *ALL),
    }
)
"""The rules of each style; a piece has that of the longest of these names, or of NAMES, which its own name holds."""

MEANINGS: Mapping[str, str] = MappingProxyType({rule.name: rule.meaning for rules in RULES.values() for rule in rules})
"""What each rule says, by its name."""

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


def swung_time(take: TakeGrid) -> Bools:
    """Hat or ride with a skip note, and no straight eighth on either."""
    skips, eighths = ([beat + part for beat in range(take.quarters)] for part in (SKIP, 0.5))
    return (take.count(TIME, skips) >= 1) & (take.count(TIME, eighths) <= 1)


HALF, MOST = 0.5, 0.6  # shares of the bars
Sign = tuple[Callable[[TakeGrid], Bools], float]

# Two strokes a bar or more on side stick and hand percussion.
SIDE_STICK_OR_HANDS: Sign = (lambda take: take.hits(("side stick", *HANDS)) >= 2, HALF)
# Snare or side stick on 3, or a kick there and none on 1.
ONE_DROP: Sign = (
    lambda take: take.on(SNARE, 2, least=LOUD) | (take.on(KICK, 2, least=LOUD) & ~take.on(KICK, 0, least=LOUD)),
    MOST,
)
# Kick on every beat, and not feathered as in swing.
FOUR_KICKS: Sign = (lambda take: take.on(KICK, 0, 1, 2, 3, least=LOUD), MOST)
# Kick or snare on a sixteenth between the eighths.
OFF_THE_EIGHTHS: Sign = (lambda take: take.count((*KICK, *SNARE), take.inside(0.25, 0.75)) >= 1, HALF)
FIVE_LOUD_KICKS: Sign = (lambda take: take.hits(KICK, least=LOUD) >= 5, HALF)
FIVE_KICKS_AT_MOST: Sign = (lambda take: take.hits(KICK) <= 5, HALF)
SWUNG_TIME: Sign = (swung_time, HALF)
STRAIGHT: Sign = (lambda take: ~swung_time(take), HALF)
SNARE_BACKBEAT: Sign = (backbeat_or_half_time, HALF)


def no_loud_backbeat(take: TakeGrid) -> Bools:
    """Not both 2 and 4 on a loud snare or a clap."""
    return ~take.on(("snare", "clap"), 1, 3, least=LOUD)


SIGNS: Mapping[str, tuple[Sign, ...]] = MappingProxyType(
    {
        "jazz": (SWUNG_TIME, (on_the_ride, HALF)),
        "shuffle": (SWUNG_TIME, SNARE_BACKBEAT),
        "latin": (SIDE_STICK_OR_HANDS, (no_loud_backbeat, HALF)),
        "metal": (FIVE_LOUD_KICKS,),
        "dance": (FOUR_KICKS, STRAIGHT),
        "reggae": (ONE_DROP, (no_loud_backbeat, MOST)),
        "funk": (OFF_THE_EIGHTHS, STRAIGHT),
        "pop": (SNARE_BACKBEAT, FIVE_KICKS_AT_MOST, STRAIGHT),
        "rock": (SNARE_BACKBEAT, STRAIGHT),
    }
)
"""The signs of each style, and the least share of bars in which each must hold."""


def obeys(style: str, take: TakeGrid) -> bool:
    """Return whether drums have all signs of a style of `music.choices.STYLES`."""
    bars = take.bars & (take.velocity > 0).any(axis=(1, 2))
    return bool(bars.any()) and all(np.mean(sign(take)[bars]) >= share for sign, share in SIGNS[style])
