"""Choice of grooves: the requested ones, or those that fit the guitar, the safest first or drawn by a seed.

The `ranker` scores how well each groove of the book fits each section. The choice is coherent: one groove leads, that
of the whole song, and each section has one that fits it and resembles the leading one.

Letters of shapes: n grooves of one metre.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from seq2drum.lattice.conditions import bars_of, drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import OFFSET_UNITS, STEPS_PER_QUARTER, Grid, median
from seq2drum.lattice.grooves.figures import FIGURES, figures_of
from seq2drum.lattice.grooves.grooves import MOST_BARS, Groove, hits_of
from seq2drum.lattice.grooves.grooves import features_likeness as likeness
from seq2drum.lattice.grooves.styles import (
    has_hand_percussion,
    has_signs,
    idiom_of,
    is_extreme,
    is_of,
    keeps_time,
    swings,
)
from seq2drum.lattice.grooves.titles import kind_of
from seq2drum.lattice.grooves.variation import timekeeper
from seq2drum.lattice.sections import Section, spans_of
from seq2drum.music.choices import WHOLE
from seq2drum.music.kit import FULL
from seq2drum.music.notes import IntArray
from seq2drum.play.decode.plan import Plan
from seq2drum.play.grooves.book import ODD, Book
from seq2drum.play.grooves.ranker import Fit, Ranker, Shares, Shelf
from seq2drum.play.options import Options

if TYPE_CHECKING:
    from seq2drum.play.checkpoint.band import Band

BySection = Mapping[str, Groove]
"""Grooves by the letters of their sections."""

OFFERED = 10  # different grooves offered for a song
IN_STYLE = 4  # of them, those of the likeliest style
LIKE_LEADING = 4.0  # nats that a groove gains in a section by its F1 with the leading one
LIKE = 0.45  # F1 of another groove in a jam with the current one, at least
CHANGE = 0.03  # F1 by which another groove in a jam must beat the current one
# A section's own groove: its F1 with the leading one, and how much louder or softer it may be; what it gains by being
# played elsewhere in the song; the weight of how differently the guitar calls for it; and the bounds of what all that
# must come to, between which a song draws. Then .35 to .55 of the letters change, at the F1 of a song on one groove;
# drummers change .59 (235 songs).
OWN_LIKE, OWN_UNLIKE, OWN_LOUDER = 0.6, 0.95, 12.0
AGAIN = 0.01
DIFFERENT = 0.1
OWN_LEAST, OWN_MOST = -0.007, 0.004
OWN_BARS = 4  # that a letter has at least
GROUPED = frozenset(metre for metre, _ in ODD)  # metres of which other grooves may group the beats otherwise
AS_DRUMMERS = 0.5  # the daring that draws grooves as often as drummers play them
UNLIKELY = 1e-5  # share of the likeliest groove's probability from which a groove may be the safest
IDIOMS = (
    "latin",
    "jazz",
    "shuffle",
    "dance",
    "funk",
    "reggae",
    "metal",
)  # styles whose drummers play grooves that no other style has
OPENING_WEIGHT = 0.85  # weight, in nats, of a few bars of guitar for the first groove; the rest is the tempo's
REPLACING_F1 = 0.5  # F1 that a groove must be expected to have to replace another during a jam
FAMILIAR_F1 = 0.02  # F1 that a groove gains by being one that every drummer knows, or of the drummer's own band
PRICE_WEIGHT = 0.5  # of prices, where a song is heard: at 1 its grooves are as varied as drummers', at 0 the safest
UNUSUAL = 0.25  # logarithm of the ratio of hits a bar to what drummers would play, from which a price hides no groove
CLEAR = 0.04  # F1 by which an extreme groove must beat all others
OFF_GRID = 0.22  # of the gap between steps: the mean distance of notes; by chance it is 0.25
FAR, FAR_IDIOM = 0.5, 0.25  # octaves between a tempo and those of a groove or an idiom, from which it is hardly played
UNHEARD = 1e-9  # share of its probability that an extreme groove keeps where the guitar is off the grid
# The share of grooves with sixteenths on the cymbal from which one of these is the safest, up to a tempo and beyond it:
# they are played in .42 of the songs that get one so, in .35 without, at the same F1 (595 songs).
FAST = 108.0  # quarters a minute
SIXTEENTHS, FAST_SIXTEENTHS = 0.25, 0.5
SIXTEENTHS_A_QUARTER = 3  # strokes, at least
SECTION_WEIGHT = 0.5  # weight of a section's own fit; the rest is the song's
PLAIN_STYLES = frozenset({"rock", "pop", "dance", "funk"})
PLAIN = ("backbeat", "four on the floor", "half-time", "double-time")  # first words of kinds
OTHER_IN_SECTION = 1.5  # nats
OTHER_STYLE = 1e-9  # share of its probability that a groove of another than the requested style keeps
_BACKBEATS = [FULL.places["snare"], FULL.places["clap"]]
TIMES = 3  # strokes a bar on a cymbal that keeps time
_HATS, _RIDES, _OTHERS = (
    [FULL.places[name] for name in names]
    for names in (("closed hat", "open hat"), ("ride", "bell"), ("crash", "shaker", "cabasa", "tambourine"))
)
_TAG = 0x6200  # in the seeds of these draws only


def make_ready() -> None:
    """Load the ranker, the groove book and the grooves in 4/4, so that the first song need not wait."""
    shelf = Ranker.load().shelf(Book.load(), 4, 4)
    _ = _kinds(shelf), shelf.alike


def chosen(guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options, take: int = 0) -> BySection:
    """The groove of each section. options: resolved, so that the grooves in them are values.

    take: the index of the take. The first has the safest groove, or one drawn at the requested daring; the others have
    other fitting grooves, and dare more.
    """
    letters = dict.fromkeys(section.letter for section in sections)
    given = {letter: groove for letter in letters if (groove := asked(options, letter)) is not None}
    bars = _bars_of(sections, len(guitar_grid.form.steps))
    if len(given) == len(bars):
        return given
    bpm = None if options.style is not None else median(guitar_grid.form.bpm)
    return {**_fitting(_fits(guitar_grid, sections, options), bars, options, take, bpm), **given}


def unheard(metre: tuple[int, int], bpm: float, options: Options) -> Groove:
    """The groove to begin with before anything was heard: the safest at a tempo, given the request."""
    shelf = Ranker.load().shelf(Book.of(options.band), *metre)
    fit = Fit.of(shelf, shelf.prior(bpm) + _of_style(shelf.grooves, options.style))
    return fit.grooves[safest_of(fit)]


def groove_to_keep(
    guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options, letter: str, playing: Groove
) -> Groove:
    """The groove of a section that began unheard, from its first bars and the tempo; see `better`."""
    fit = _heard_of(guitar_grid, sections, options, letter)
    if fit is None:
        return playing
    blind = fit.shelf.prior(float(guitar_grid.form.bpm[-1])) + _of_style(fit.grooves, options.style)
    with np.errstate(divide="ignore"):
        both = Fit.of(fit.shelf, OPENING_WEIGHT * np.log(fit.shares) + (1 - OPENING_WEIGHT) * blind)
    return _surest(both, safest_of(both), playing)


def better(
    guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options, letter: str, playing: Groove
) -> Groove:
    """The groove of a section from its bars so far: the current one, unless another is sure.

    A few bars of guitar alone mostly say no more than the drums played to them.
    """
    fit = _heard_of(guitar_grid, sections, options, letter)
    if fit is None:
        return playing
    return _surest(fit, safest_of(fit, fit.grooves.index(playing) if playing in fit.grooves else None), playing)


def _surest(fit: Fit, safest: int, playing: Groove) -> Groove:
    """The safest groove, or the current one if the safest does not reach REPLACING_F1."""
    likely, _ = _in_style(fit)
    return playing if fit.shelf.alike[safest] @ likely.shares < REPLACING_F1 else fit.grooves[safest]


def is_of_kind(groove: Groove, other: Groove) -> bool:
    """Return True if two grooves are of one kind: both or neither swing, both or neither have an idiom."""
    return _kind(groove) == _kind(other)


def _heard_of(guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options, letter: str) -> Fit | None:
    """Return how likely drummers play each groove to a section; None if no groove is in its metre."""
    fits = _fits(guitar_grid, sections, options)
    if letter not in fits:
        return None
    fit, song = fits[letter], _of_song(fits, _bars_of(sections, len(guitar_grid.form.steps)))
    return (
        Fit(fit.shelf, SECTION_WEIGHT * fit.shares + (1 - SECTION_WEIGHT) * song.shares)
        if fit.shelf is song.shelf
        else fit
    )


def another(guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options, playing: Groove) -> Groove:
    """The safest other groove of the kind and style of the current one; the current one if there is none."""
    fits = _fits(guitar_grid, sections, options)
    if not fits:
        return playing
    song = _of_song(fits, _bars_of(sections, len(guitar_grid.form.steps)))
    expected, _ = expected_of(song)
    like = [
        one.name != playing.name and one.style == playing.style and _kind(one) == _kind(playing) for one in song.grooves
    ]
    return song.grooves[_best(np.where(like, expected, -1), song.grooves)] if any(like) else playing


def likeliest(
    guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options, letter: str, family: Sequence[Groove]
) -> Groove:
    """The safest of some grooves for a section, or with `WHOLE` for the song; preferably one that every drummer knows.

    If none is in the right metre, the first of them.
    """
    fits, names = _fits(guitar_grid, sections, options), {groove.name for groove in family}
    if not fits:
        return family[0]
    fit = fits.get(letter) or _of_song(fits, _bars_of(sections, len(guitar_grid.form.steps)))
    among = np.array([groove.name in names for groove in fit.grooves])
    known = among & (fit.shelf.popularity == 0)
    expected = np.where(known if known.any() else among, expected_of(fit)[0], -1)
    return fit.grooves[int(np.argmax(expected))] if among.any() else family[0]


def offered(guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options) -> list[tuple[Groove, float]]:
    """Up to OFFERED different grooves that fit a song, the chosen one first, each with its expected F1.

    The F1 is that of its hits with what a drummer would play.
    """
    fits = _fits(guitar_grid, sections, options)
    if not fits:
        return []
    song = _of_song(fits, _bars_of(sections, len(guitar_grid.form.steps)))
    expected = song.shelf.alike @ song.shares
    bpm = None if options.style is not None else median(guitar_grid.form.bpm)
    return [(song.grooves[place], float(expected[place])) for place in _offers(song, bpm)]


def worths(
    takes: Sequence[Grid], guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options
) -> list[float]:
    """The expected F1, 0..1, of the bars of takes with what a drummer of the likeliest style would play.

    takes: hits of the full kit. In a section with a requested groove, it is the F1 with that groove. Only bars in which
    the guitar sounds count, in metres with grooves; 0 if there are none.
    """
    form = guitar_grid.form
    plan = Plan.of_sections(len(form.steps), sections)
    fits, rolls = _fits(guitar_grid, sections, options), [bars_of(drums_of(hits, form)) for hits in takes]
    expected: list[list[Shares]] = [[] for _ in takes]
    for letter in dict.fromkeys(plan.letter):
        given = asked(options, letter)
        if given is None and letter not in fits:
            continue
        grooves = (given,) if given is not None else fits[letter].grooves
        shares = np.ones(1) if given is not None else _in_style(fits[letter])[0].shares
        steps = grooves[0].steps
        patterns = hits_of(grooves, steps)
        here = np.array([each == letter for each in plan.letter]) & (form.steps == steps)
        here[: guitar_grid.sounding[0]], here[guitar_grid.sounding[1] :] = False, False
        for turn in range(MOST_BARS):
            bars = here & (plan.number % MOST_BARS == turn)
            for roll, of_take in zip(rolls, expected, strict=True):
                of_take.append(likeness(roll[bars, :steps], patterns[:, turn]) @ shares)
    return [float(np.mean(bars)) if len(bars := np.concatenate([[], *of_take])) else 0.0 for of_take in expected]


def asked(options: Options, letter: str) -> Groove | None:
    """Return the groove requested for a section."""
    given: Mapping[str, str | Groove] = options.groove if isinstance(options.groove, Mapping) else {}
    groove = given.get(letter, given.get(WHOLE))
    return None if isinstance(groove, str) else groove


def _bars_of(sections: Sequence[Section], bars: int) -> Counter[str]:
    """Return the number of bars of all sections of each letter, in a song of this many bars."""
    count = Counter[str]()
    for first, stop, letter in spans_of(sections, bars):
        count[letter] += stop - first
    return count


class Heard(NamedTuple):
    """A style that a guitar sounds like: its share among all, and the commonest figure that names it, or ""."""

    style: str
    share: float
    figure: str


def heard(guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options) -> Heard | None:
    """Return the style that a song sounds like; None if the request says it, or no groove is in its metres."""
    is_asked = options.style is not None or options.groove is not None or options.like is not None
    song = None if is_asked else fit_of_song(guitar_grid, sections, options)
    if song is None:
        return None
    style, (by_style, _) = style_of(song), by_style_of(song)
    bars, count = _bars_of(sections, len(guitar_grid.form.steps)), Counter[str]()
    for letter, figures in figures_of(guitar_grid, sections).items():
        for name, share in figures.items():
            count[name] += round(share * bars[letter]) if FIGURES[name].style == style else 0
    figure = max(count, key=count.__getitem__, default="")
    return Heard(style, by_style[style] / sum(by_style.values()), figure if count[figure] else "")


def fit_of_song(guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options) -> Fit | None:
    """Return how likely drummers play each groove to a song; None if no groove is in its metres."""
    fits = _fits(guitar_grid, sections, options)
    return _of_song(fits, _bars_of(sections, len(guitar_grid.form.steps))) if fits else None


# --- by fit -----------------------------------------------------------------------------------------------------------


def _fits(guitar_grid: GuitarGrid, sections: Sequence[Section], options: Options) -> dict[str, Fit]:
    """Return how likely drummers play each groove to each section, given the request."""
    # Notes anywhere between steps, as without a click, look denser than they are.
    offset, fits = guitar_grid.guitar.offset, {}
    bpm = median(guitar_grid.form.bpm)
    is_off_the_grid = len(offset) > 0 and float(np.abs(offset).mean()) > OFF_GRID * OFFSET_UNITS
    for letter, fit in _figured(
        guitar_grid, tuple(sections), options.band, has_style=options.style is not None
    ).items():
        with np.errstate(divide="ignore"):
            nats = np.log(fit.shares)
        if options.style is not None:
            nats = nats + _of_style(fit.grooves, options.style)
        elif is_off_the_grid:
            nats = nats + np.where([is_extreme(groove) for groove in fit.grooves], np.log(UNHEARD), 0.0)
        far = np.where(fit.shelf.popularity > 0, FAR, FAR_IDIOM)
        nats = nats + np.where(fit.shelf.beyond(bpm) > far, np.log(UNHEARD), 0.0)
        fits[letter] = Fit.of(fit.shelf, nats)
    return fits


@lru_cache(maxsize=4)  # songs: each wish asks again
def _figured(
    guitar_grid: GuitarGrid, sections: tuple[Section, ...], band: Band | None, *, has_style: bool
) -> dict[str, Fit]:
    """Return the fit to each section, with its figures unless a style is requested."""
    figures = {} if has_style else figures_of(guitar_grid, sections)
    fits = Ranker.load().fit(guitar_grid, sections, Book.of(band))
    return {letter: _with_figures(fit, figures.get(letter, {})) for letter, fit in fits.items()}


def _with_figures(fit: Fit, heard: Mapping[str, float]) -> Fit:
    """Return the fit to a section in which figures are heard, by their names.

    The styles of these gain. To the figure of a style drummers play the grooves that every drummer of the style knows.
    """
    kinds, shares = _kinds(fit.shelf), fit.shares
    for name, share in heard.items():
        figure = FIGURES[name]
        of_style = np.array([figure.style == idiom for idiom in kinds.names])[kinds.idiom]
        known = shares * of_style * ((fit.shelf.popularity == 0) | fit.shelf.own)
        if known.any():
            moved = known * (shares[of_style].sum() / known.sum())
            shares = np.where(of_style, np.exp(figure.nats * share) * ((1 - share) * shares + share * moved), shares)
    return fit if shares is fit.shares else Fit(fit.shelf, shares / shares.sum())


def _of_song(fits: Mapping[str, Fit], bars: Mapping[str, int]) -> Fit:
    """The mean of the fits over the bars, of the sections in the most common metre."""
    shelves = Counter[int]()
    for letter, fit in fits.items():
        shelves[id(fit.shelf)] += bars[letter]
    most, _ = shelves.most_common(1)[0]
    alike = {letter: fit for letter, fit in fits.items() if id(fit.shelf) == most}
    shares = sum(fit.shares * bars[letter] for letter, fit in alike.items())
    return Fit(next(iter(alike.values())).shelf, np.asarray(shares) / shelves[most])


def _fitting(
    fits: Mapping[str, Fit], bars: Mapping[str, int], options: Options, take: int, bpm: float | None
) -> dict[str, Groove]:
    """A groove for each section. bpm: as in `expected_of`."""
    if not fits:
        return {}
    # 1. Choose the leading groove.
    song, rng = _of_song(fits, bars), np.random.default_rng([options.seed, _TAG])
    offers = _offers(song, bpm) if take else [safest_of(song, price=PRICE_WEIGHT, bpm=bpm)]
    if options.daring or take >= len(offers):
        leading = _drawn(song, options.daring or AS_DRUMMERS, rng)
    else:
        leading = offers[take]
    # 2. Choose for each section one that fits it and resembles the leading one; the longest sections first.
    grooves, style, longest, used = dict[str, Groove](), style_of(song), "", set[int]()
    lead = song.grooves[leading]
    # Other takes keep to their own leading grooves: with those of their sections they would be more alike.
    is_one = take > 0 or not options.arranges or (lead.numerator, lead.denominator) in GROUPED
    key = [options.seed, _TAG, take, sum(bars.values())]
    draw = float(np.random.default_rng(key).random()) if options.sampling.temperature else 0.5
    least = OWN_LEAST + draw * (OWN_MOST - OWN_LEAST)
    for letter in sorted(fits, key=lambda letter: (-bars[letter], letter)):
        fit = fits[letter]
        if fit.shelf is not song.shelf:
            safest = safest_of(fit, price=PRICE_WEIGHT, bpm=bpm)
            place = _drawn(fit, options.daring, rng) if options.daring else safest
        elif options.daring:
            with np.errstate(divide="ignore"):
                nats = np.log(SECTION_WEIGHT * fit.shares + (1 - SECTION_WEIGHT) * song.shares)
            nats = nats + LIKE_LEADING * fit.shelf.likeness[leading]
            place = _drawn(Fit.of(fit.shelf, nats), options.daring, rng)
        elif not longest or bars[letter] < OWN_BARS or is_one:
            longest, place = longest or letter, leading
        else:
            place = _own(fit, fits[longest], leading, used, least, style, bpm)
            used.add(place)
        grooves[letter] = fit.grooves[place]
    return grooves


def _own(
    fit: Fit, longest: Fit, leading: int, used: Collection[int], least: float, style: str | None, bpm: float | None
) -> int:
    """The groove of a section: one of its own that resembles the leading one, or that.

    longest: the fit to the longest section. used: grooves that other sections have. least: what speaks for another
    groove must come to that, see OWN_LEAST. style, bpm: as in `expected_of`.
    """
    expected, able = expected_of(fit, PRICE_WEIGHT, style, bpm)
    kinds, alike = _kinds(fit.shelf), fit.shelf.likeness[leading]
    able = able & (alike >= OWN_LIKE) & (alike < OWN_UNLIKE) & (kinds.idiom == kinds.idiom[leading])
    again = np.zeros(len(able))
    again[list(used)] = AGAIN
    least -= DIFFERENT * 0.5 * float(np.abs(fit.shares - longest.shares).sum())
    able &= expected - expected[leading] >= least
    lead, order = fit.grooves[leading], np.argsort(-(expected + again), kind="stable")
    return next((int(place) for place in order if able[place] and _is_beside(fit.grooves[place], lead)), leading)


def _is_beside(groove: Groove, lead: Groove) -> bool:
    """Return whether a groove can be that of another section: not extreme, on the same cymbal, about as loud."""
    return (
        not is_extreme(groove)
        and timekeeper(groove) == timekeeper(lead)
        and abs(groove.velocity - lead.velocity) <= OWN_LOUDER
    )


def safest_of(
    fit: Fit,
    leading: int | None = None,
    price: float = 0.0,
    bpm: float | None = None,
) -> int:
    """The groove with the highest expected F1 with what a drummer would play.

    Among about equally safe grooves, it prefers one that every drummer knows, and takes an extreme one only if it beats
    all others by CLEAR. leading: the groove to stay with, unless one LIKE it is better by CHANGE. price, bpm: as in
    `expected_of`.
    """
    expected, able = expected_of(fit, price, bpm=bpm)
    expected = np.where(able, expected, -1)
    safest = _best(expected, fit.grooves)
    if leading is None:
        return safest
    is_like = fit.shelf.likeness[safest, leading] >= LIKE
    return safest if is_like and expected[safest] - expected[leading] > CHANGE else leading


def _best(expected: Shares, grooves: Sequence[Groove]) -> int:
    """The index of the groove with the highest value; an extreme one must beat all that are not by CLEAR."""
    near = np.flatnonzero(expected > expected.max() - CLEAR).tolist()
    calm = [place for place in near if not is_extreme(grooves[place])]
    return max(calm or near, key=lambda place: float(expected[place]))


def expected_of(
    fit: Fit, price: float = 0.0, style: str | None = None, bpm: float | None = None
) -> tuple[Shares, NDArray[np.bool_]]:
    """(n,): the F1 with what a drummer of the style would play, plus a bonus for known grooves; and those allowed.

    price: how much of its price each groove loses. style: that of the song, see `_in_style`. bpm: the tempo, beyond
    which sixteenths must be likely; None for a song whose style is requested.
    """
    likely, able = _in_style(fit, style)
    kinds = _kinds(fit.shelf)
    known = FAMILIAR_F1 * ((fit.shelf.popularity == 0) | fit.shelf.own)
    # Not `@`: BLAS would share it among threads, which then wait actively for longer than a take's arithmetic lasts.
    expected = np.einsum("ij,j->i", likely.shelf.alike, likely.shares) + known
    if bpm is not None and likely.shares @ kinds.sixteenths < (SIXTEENTHS if bpm <= FAST else FAST_SIXTEENTHS):
        slower = able & (~kinds.sixteenths | fit.shelf.own)
        able = slower if slower.any() else able
    if price:  # what is chosen for variety is of the idiom of the safest, and as full as what drummers would play
        safest = int(np.argmax(np.where(able, expected, -1)))
        usual = able & (np.abs(kinds.fullness - kinds.fullness @ likely.shares) <= UNUSUAL)
        if kinds.names[kinds.idiom[safest]] in IDIOMS:
            usual &= kinds.idiom == kinds.idiom[safest]
        able = usual if usual.any() else able
    return expected - price * fit.shelf.prices, able


def _offers(song: Fit, bpm: float | None) -> list[int]:
    """Up to OFFERED distinct grooves: the safest, then others of the likeliest style, then of any.

    bpm: as in `expected_of`.
    """
    likely, able = _in_style(song)
    in_style = [place for place in likely.best(OFFERED) if able[place]]
    safest = safest_of(song, price=PRICE_WEIGHT, bpm=bpm)
    return list(dict.fromkeys([safest, *in_style[:IN_STYLE], *song.best(2 * OFFERED)]))[:OFFERED]


def style_of(fit: Fit) -> str:
    """Return the style that drummers would play, each less its price."""
    worth = _worth_of(fit.shelf, by_style_of(fit)[0])
    return max(worth, key=worth.__getitem__)


def _worth_of(shelf: Shelf, by_style: Mapping[str, float]) -> dict[str, float]:
    """Return the logarithm of the share of each style, less its price."""
    prices = shelf.style_prices
    return {name: float(np.log(max(share, UNHEARD))) - prices.get(name, 0.0) for name, share in by_style.items()}


def _in_style(fit: Fit, style: str | None = None) -> tuple[Fit, NDArray[np.bool_]]:
    """Return the fit to drummers of the likeliest style, and (n,) the allowed grooves.

    A mean of two kinds would be neither. So only the likelier kind of swung and straight grooves stays, and if the
    likeliest style is one of IDIOMS, its own grooves. Allowed are those without hand percussion, if any, except in
    Latin music. style: that of the song, which a section leaves only for one that is likelier by OTHER_IN_SECTION.
    """
    kinds, shares, (by_style, kind) = _kinds(fit.shelf), fit.shares, by_style_of(fit)
    worth = _worth_of(fit.shelf, by_style)
    own = max(worth, key=worth.__getitem__)
    if style not in worth or worth[own] - worth[style] >= OTHER_IN_SECTION:
        style = own
    if style in IDIOMS:
        kind &= kinds.idiom == kinds.names.index(style)
    able = kind & (kinds.on_kit | (style == "latin"))
    if style not in IDIOMS:  # a rock song gets no tango, and no groove without time
        able &= kinds.keeps & ~np.isin(kinds.idiom, [at for at, name in enumerate(kinds.names) if name in IDIOMS])
    able = kinds.genuine(able) | (able & fit.shelf.own)  # what a band plays is its own business
    return Fit(fit.shelf, np.where(kind, shares, 0.0) / shares[kind].sum()), able if able.any() else kind


def by_style_of(fit: Fit) -> tuple[dict[str, float], NDArray[np.bool_]]:
    """Return the share of each style, by the idioms of the grooves, and (n,) the grooves that count.

    These are of the likelier kind of swung and straight ones, and not unlikely.
    """
    kinds, shares = _kinds(fit.shelf), fit.shares
    kind = (kinds.swung == (shares[kinds.swung].sum() > 0.5)) & (shares > UNLIKELY * shares.max())
    by_idiom = np.bincount(kinds.idiom, np.where(kind, shares, 0.0), minlength=len(kinds.names))
    return dict(zip(kinds.names, by_idiom.tolist(), strict=True)), kind


@dataclass(frozen=True, eq=False)
class _Kinds:
    """Kinds of the grooves on a shelf, all (n,). idiom: the index of a name.

    on_kit: without hand percussion. keeps: they keep time. sixteenths: on the cymbal. fullness: the logarithm of hits a
    bar. names: those of idioms, in order of occurrence; "" for none.
    """

    grooves: tuple[Groove, ...]
    swung: NDArray[np.bool_]
    idiom: IntArray
    on_kit: NDArray[np.bool_]
    keeps: NDArray[np.bool_]
    sixteenths: NDArray[np.bool_]
    fullness: Shares
    names: list[str]

    @staticmethod
    def of(grooves: tuple[Groove, ...]) -> _Kinds:
        """The kinds of some grooves."""
        idioms = [idiom_of(groove) or "" for groove in grooves]
        names = list(dict.fromkeys(idioms))
        return _Kinds(
            grooves,
            np.array([swings(groove) for groove in grooves]),
            np.array([names.index(idiom) for idiom in idioms]),
            np.array([not has_hand_percussion(groove) for groove in grooves]),
            np.array([keeps_time(groove) for groove in grooves]),
            np.array([_has_sixteenths(groove) for groove in grooves]),
            np.log([max(sum(len(bar.step) for bar in groove.bars), 1) / len(groove.bars) for groove in grooves]),
            names,
        )

    def genuine(self, among: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """(n,): those of some grooves (n,) that `_is_genuine`."""
        idioms = (self.names[at] for at in self.idiom[among].tolist())
        some = (groove for groove, is_one in zip(self.grooves, among.tolist(), strict=True) if is_one)
        found = among.copy()
        found[among] = [_is_genuine(groove, idiom) for groove, idiom in zip(some, idioms, strict=True)]
        return found


def _has_sixteenths(groove: Groove) -> bool:
    """Return whether a groove has about a stroke on hat or ride for each sixteenth of a bar."""
    keys = [bar.key.tolist() for bar in groove.bars]
    strokes = max(sum(map(own.count, voices)) for own in keys for voices in (_HATS, _RIDES))
    return bool(strokes >= SIXTEENTHS_A_QUARTER * groove.steps / STEPS_PER_QUARTER)


@cache
def _kinds(shelf: Shelf) -> _Kinds:
    return _Kinds.of(shelf.grooves)


@cache
def _is_genuine(groove: Groove, idiom: str) -> bool:
    """Return whether a groove has all signs of its idiom, and does not keep time on hat and ride at once.

    In PLAIN_STYLES, it is of one of the PLAIN kinds, too, with one piece on all beats; in dance, the backbeat is on the
    snare or a clap.
    """
    keys = [bar.key.tolist() for bar in groove.bars]
    strokes = [[sum(map(own.count, voices)) for voices in (_HATS, _RIDES, _OTHERS)] for own in keys]
    if max(min(hat, ride) for hat, ride, _ in strokes) >= TIMES:
        return False
    if not idiom or (groove.numerator, groove.denominator) != (4, 4):
        return True
    if idiom == "dance" and not (all(set(own).intersection(_BACKBEATS) for own in keys) and has_signs(groove, "rock")):
        return False
    if idiom not in PLAIN_STYLES:
        return has_signs(groove, idiom)
    if min(map(max, strokes)) <= TIMES or not has_signs(groove, idiom):
        return False
    kind = kind_of(groove.bars, 4, 4)
    return kind.startswith(PLAIN) and "no backbeat" not in kind


def _drawn(fit: Fit, daring: float, rng: np.random.Generator) -> int:
    """A groove by a draw: at a daring of 0.5 as often as drummers play it; less daring favours likely ones."""
    with np.errstate(divide="ignore"):
        power = Fit.of(fit.shelf, np.log(fit.shares) * AS_DRUMMERS / daring).shares
    return int(rng.choice(len(power), p=power))


# --- as it is requested -----------------------------------------------------------------------------------------------


def _of_style(grooves: Sequence[Groove], style: str | None) -> Shares:
    """(n,): the nats that grooves of another than the requested style lose."""
    if style is None:
        return np.zeros(len(grooves))
    return np.where([is_of(groove, style) for groove in grooves], 0.0, np.log(OTHER_STYLE))


def _kind(groove: Groove) -> tuple[str | None, bool, bool]:
    """The idiom of a groove, if it is one of IDIOMS; whether it swings; and whether it keeps time."""
    idiom = idiom_of(groove)
    return idiom if idiom in IDIOMS else None, swings(groove), keeps_time(groove)
