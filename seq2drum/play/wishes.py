"""Options resolved for a song: named grooves are loaded, and levels taken from a song to play like.

A resolved option names no file.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seq2drum.errors import InputError, NoGuitarError, NoNotesError, OptionError
from seq2drum.formats.opening import open_drums
from seq2drum.lattice.conditions import measure
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.form import Form, form_of, lattice_of
from seq2drum.lattice.grid import STEPS_PER_QUARTER, Grid, encode
from seq2drum.lattice.grooves.grooves import Groove, typical
from seq2drum.lattice.sections import bars_of, sections
from seq2drum.music import drum_maps, theory
from seq2drum.music.choices import ALL, WHOLE, places_of, range_of
from seq2drum.music.kit import FULL
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import Song, merge_parts
from seq2drum.music.options import replaced_by
from seq2drum.music.shown import Shown
from seq2drum.play.asked import by_section, lettered, letters_of
from seq2drum.play.feel.feel import moments
from seq2drum.play.feel.humanise import swing_of
from seq2drum.play.grooves import choosing
from seq2drum.play.grooves.book import Book, read_groove, read_grooves
from seq2drum.play.kept import grooves_of, kept_of
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options

# Means of 700 training songs and of 310 recordings of drummers: notebooks/LOG.md, 2026-11-22.
FILLS_A_BAR = 0.082  # share of fills among the bars of real drums, as `drums.fills` counts them
HUMAN_MS = 13.4  # mean distance of drummers' hits from their usual place, in milliseconds


@dataclass(frozen=True)
class Wishes(Shown):
    """Levels and grooves of a song's drums, by the names of `Options`; levels 0 to 1, None where unknown.

    grooves: by the letters of its guitar's sections; under `WHOLE`, that of all bars.
    """

    grooves: dict[str, Groove]
    intensity: float
    complexity: float
    fills: float
    humanize: float
    swing: float | None


def wishes_of(song: Song) -> Wishes:
    """Return the levels and grooves of a song's drums.

    Sections are those of its guitar; without a guitar, there are none.

    Raises:
        OptionError: it has no drums.
    """
    lattice = lattice_of(song)
    grid, form = encode(merge_parts(drum_maps.drum_parts(song)), lattice, FULL), form_of(song, lattice)
    if not len(grid.step):
        raise OptionError(f"the song to play like: {theory.no_drums(song)}")
    played = np.zeros(len(form.steps), dtype=bool)
    played[form.bar_of(grid.step)] = True
    grooves = {WHOLE: typical(grid, form)}
    for letter, bars in _passages(song, len(form.steps)).items():
        if played[bars].any():
            grooves[letter] = typical(grid, form, bars)
    measured = measure(grid, form)
    breaks = measured.fill.sum() / played.sum()  # how often the pattern breaks
    return Wishes(
        grooves,
        intensity=float(measured.intensity[played].mean()),
        complexity=float(measured.complexity[played].mean()),
        fills=float(np.clip(breaks / FILLS_A_BAR / 2, 0, 1)),  # 0.5 is the average; 1 twice as often and more
        humanize=humanity(grid, form),
        swing=swing_of(grid, form),
    )


def _passages(song: Song, bars: int) -> dict[str, list[int]]:
    """The bars of each letter of the guitar's sections, in the order in which they first come."""
    try:
        guitar = theory.guitar_parts(song).parts
    except (NoGuitarError, NoNotesError):
        return {}
    return bars_of(sections(SongGrid.of(song, guitar).guitar_grid), bars)


def humanity(grid: Grid, form: Form) -> float:
    """Return how human the timing is: 0 for equal moments, 1 for the spread of human drummers, more beyond it.

    A constant swing or lag does not count: the measure is the mean distance of hits from the median of their voice at
    their place in the quarter.
    """
    milliseconds = moments(grid, form)
    name = form.place_of(grid.step) % STEPS_PER_QUARTER * len(FULL) + grid.key
    away = np.zeros(len(name))
    for one in np.unique(name):
        own = name == one
        away[own] = np.abs(milliseconds[own] - np.median(milliseconds[own]))
    return float(np.clip(away.mean() / HUMAN_MS, 0, 1))


LEVELS = ("intensity", "complexity", "fills", "humanize", "swing")


def check(options: Options) -> None:
    """Refuse options that fit no song, before a song is read.

    Raises:
        OptionError: there is no such groove.
        InputError: the song to play like cannot be read.
    """
    if options.groove is not None:
        for groove in by_section(options.groove).values():
            if isinstance(groove, str):
                read_groove(groove)
    if options.like is not None:
        _song(options.like, DEFAULT_LIMITS)


def resolve_options(guitar: Guitar, options: Options, limits: Limits = DEFAULT_LIMITS) -> Options:
    """The options with each groove as a `Groove`, by the letter of its section, and without `like`.

    The request wins over the song's own kept drums, and these over the song to play like.

    Raises:
        OptionError: there is no such groove, section or bar, or the song has no drums to keep.
        InputError: the song to play like cannot be read.
    """
    # 1. The names of sections as letters: one name means one section in all options.
    requested = {} if options.groove is None else by_section(options.groove)
    _check_bars(options, guitar.song, requested)
    letters, placed = tuple(dict.fromkeys(section.letter for section in guitar.sections)), dict[str, Any]()
    names = [*(place for place in requested if range_of(place) is None), *options.sections_named]
    letter_of = letters_of(names, letters) if names else {}
    for name, values in options.in_places.items():
        placed[name] = lettered(values, letter_of, f"values of {name}")
    for name in ("out", "half_time"):
        if (text := getattr(options, name)) == ALL:
            placed[name] = f"1-{len(guitar.song.bars())}"
        elif text is not None:
            places = (letter_of[one] if isinstance(one, str) else f"{one[0]}-{one[1]}" for one in places_of(text))
            placed[name] = ",".join(places)
    if options.instead is not None:
        others = lettered(replaced_by(options.instead), letter_of, "other pieces")
        pairs = [(place, *pair) for place, those in others.items() for pair in those.items()]
        placed["instead"] = ",".join("=".join(filter(None, words)) for words in pairs)
    options = replace(options, **placed) if placed else options
    if options.out is not None or options.enter is not None:
        _check_out(guitar, options)
    # 2. The grooves, and the levels of a song to play like.
    if options.groove is not None:
        grooves = lettered(requested, letter_of)
        options = replace(options, groove={place: _read(one, guitar, options, place) for place, one in grooves.items()})
    elif options.prime or options.bars:
        options = _stays(guitar, options)
    if options.like is not None:
        wishes = wishes_of(_song(options.like, limits))
        filled = {name: getattr(wishes, name) for name in LEVELS if getattr(options, name) is None}
        for name, values in options.in_places.items():  # in all other bars the song is followed
            if name in LEVELS:
                filled[name] = {WHOLE: getattr(wishes, name), **values}
        if options.groove is None:  # its grooves are as full and lean as they do: a level would count that twice
            levels = {"intensity": options.intensity, "complexity": options.complexity}
            filled |= {"groove": _in_turn(wishes.grooves, letters), **levels}
        options = replace(options, like=None, **filled)
    return options.with_ways()


def _stays(guitar: Guitar, options: Options) -> Options:
    """The options with the grooves of the song's own drums that stay.

    Bars that continue from the first bars are as plain as with any given groove, which agrees best with the drums
    before them (notebooks/LOG.md, 2026-11-22). Replayed bars differ with each seed.
    """
    song_grid = guitar.song_grid
    kept = kept_of(guitar.song, song_grid.lattice, options, drum_maps.load(options.drum_map), FULL)
    grooves = grooves_of(kept, song_grid.form, guitar.sections)
    if not grooves:
        return options
    replays = options.bars is not None and options.like is None
    return replace(options, groove=grooves, temperature=options.freedom if replays else options.temperature)


def _read(groove: str | Groove, guitar: Guitar, options: Options, place: str) -> Groove:
    """Return the groove requested for a place; for a family, its likeliest groove in the section there."""
    if not isinstance(groove, str):
        return groove
    meant = read_grooves(groove, book=Book.of(options.band))
    if len(meant) == 1:
        return meant[0]
    letter = place
    if (bars := range_of(place)) is not None:
        letter = guitar.letters[int(guitar.bars_in(bars).argmax())]
    return choosing.likeliest(guitar.song_grid.guitar_grid, guitar.sections, options, letter, meant)


def _in_turn(grooves: Mapping[str, Groove], letters: Sequence[str]) -> dict[str, Groove]:
    """The grooves of another song for this song's sections: by the same letter or name, else by position."""
    others = [letter for letter in grooves if letter != WHOLE]
    found = {WHOLE: grooves[WHOLE]}
    for turn, letter in enumerate(letters):
        if letter in others:
            found[letter] = grooves[letter]
        elif turn < len(others) and others[turn] not in letters:
            found[letter] = grooves[others[turn]]
    return found


def _song(source: bytes | str | os.PathLike[str], limits: Limits) -> Song:
    try:
        return open_drums(source, limits=limits).song
    except InputError as error:
        raise type(error)(f"the song to play like: {error}") from None


def _check_bars(options: Options, song: Song, grooves: Iterable[str]) -> None:
    """Refuse bars that the song lacks. grooves: the places of those requested."""
    bars = len(song.bars())
    if options.enter is not None and options.enter > bars:
        raise OptionError(f"the drums are to enter in bar {options.enter}, but the song has {bars}")
    for bar in options.fill_at:
        if bar > bars:
            raise OptionError(f"a fill is requested in bar {bar}, but the song has {bars}")
    places = {f"{name} is": list(values) for name, values in options.in_places.items()} | {"a groove is": list(grooves)}
    for what, text in (("half time is", options.half_time), ("no drums are", options.out)):
        places[what] = [] if text is None else [place.strip() for place in text.split(",")]
    places["other pieces are"] = [] if options.instead is None else list(replaced_by(options.instead))
    ranges = {what: [range_of(place) for place in those] for what, those in places.items()}
    for what, those in (*ranges.items(), ("no fills are", options.no_fills_in)):
        for each in those:
            if each is not None and each[0] > bars:
                raise OptionError(f"{what} requested in bars {each[0]}-{each[1]}, but the song has {bars}")


def _check_out(guitar: Guitar, options: Options) -> None:
    """Refuse a take without a bar to play, and a fill in a bar without drums."""
    first, stop = guitar.sounding
    numbers, out = guitar.song_grid.numbers[first:stop], guitar.out(options.out, options.enter)
    low, high = options.bars or (int(numbers[0]), int(numbers[-1]))
    if out[first:stop][(low <= numbers) & (numbers <= high)].all():
        raise OptionError("no bar is left to play: the drums are out in all of them; leave some of them in")
    for bar in options.fill_at:
        if out[guitar.song_grid.numbers == bar].all():
            raise OptionError(f"a fill is requested in bar {bar}, and no drums there; leave one of them out")
