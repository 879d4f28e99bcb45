"""What is asked for, made definite for a song: grooves are looked up or read, and what a song to play like tells is in.

Nothing in options that are `settled` names a file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace

from seq2drum.errors import InputError, OptionError
from seq2drum.formats.opening import open_drums
from seq2drum.lattice.grooves import Groove
from seq2drum.lattice.sections import Section
from seq2drum.music import drum_maps
from seq2drum.music.choices import sections_of
from seq2drum.music.kit import FULL
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import Marker, Song
from seq2drum.play import choosing
from seq2drum.play.asked import WHOLE, by_letter, by_section
from seq2drum.play.book import read_groove, read_grooves
from seq2drum.play.kept import grooves_of, kept_of
from seq2drum.play.like import Wishes, wishes_of
from seq2drum.play.options import Options
from seq2drum.play.take import Sheet

LEVELS = ("intensity", "complexity", "fills", "humanize", "swing")


def check(options: Options) -> None:
    """Refuse what no song makes possible, before a song is read or listened to.

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


def settled(sheet: Sheet, limits: Limits = DEFAULT_LIMITS) -> Sheet:
    """The sheet with each groove of its options as a `Groove`, by the letter of its section, and without `like`.

    What was asked for wins over the song's own drums that stay, and these over what the song to play like tells.

    Raises:
        OptionError: there is no such groove, section or bar, or nothing of the song's own drums that could stay.
        InputError: the song to play like cannot be read.
    """
    options = sheet.options
    if options.sections is not None:
        sheet = replace(sheet, song=_with_sections(sheet.song, options.sections))
    _check_bars(options, sheet.song)
    if options.groove is not None:
        letters = tuple(dict.fromkeys(section.letter for section in sheet.sections))
        grooves = by_letter(by_section(options.groove), letters)
        options = replace(options, groove={letter: _read(one, sheet, letter) for letter, one in grooves.items()})
    elif options.prime or options.bars:
        options = _stays(sheet)
    if options.like is not None:
        options = _like(options, wishes_of(_song(options.like, limits)), sheet.sections)
    return sheet if options is sheet.options else replace(sheet, options=options)


def _with_sections(song: Song, asked: str) -> Song:
    """The song with markers of the sections that are asked for, in place of its own.

    Raises:
        OptionError: the song has not so many bars.
    """
    bars, sections = song.bars(), sections_of(asked)
    name, _, last = sections[-1]
    if last > len(bars):
        raise OptionError(f"the section {name!r} ends in bar {last}, but the song has {len(bars)}")
    return replace(song, markers=tuple(Marker(bars[first - 1].start, name, True) for name, first, _ in sections))


def _stays(sheet: Sheet) -> Options:
    """The options with the grooves of the song's own drums that stay.

    What goes on from the first bars is as plain as with any groove that is given: so it has the most in common with the
    drums that were there (notebooks/LOG.md, 2026-11-22). Bars that are played anew are to be others with each seed.
    """
    options, listening = sheet.options, sheet.listen()
    kept = kept_of(sheet.song, listening.lattice, options, drum_maps.load(options.drum_map), FULL)
    grooves = grooves_of(kept, listening.form, sheet.sections)
    if not grooves:
        return options
    anew = options.bars is not None and options.like is None
    return replace(options, groove=grooves, temperature=options.freedom if anew else options.temperature)


def _read(groove: str | Groove, sheet: Sheet, letter: str) -> Groove:
    """A groove that is asked for in a section; of a family the one that is likeliest there."""
    if not isinstance(groove, str):
        return groove
    meant = read_grooves(groove)
    if len(meant) == 1:
        return meant[0]
    return choosing.likeliest(sheet.listen().heard, sheet.sections, sheet.options, letter, meant)


def _like(options: Options, wishes: Wishes, passages: Sequence[Section]) -> Options:
    """The options with what a song tells, where nothing was asked for."""
    told = {name: getattr(wishes, name) for name in LEVELS if getattr(options, name) is None}
    if options.groove is None:
        told["groove"] = _in_turn(wishes.grooves, tuple(dict.fromkeys(passage.letter for passage in passages)))
    return replace(options, like=None, **told)


def _in_turn(grooves: Mapping[str, Groove], letters: Sequence[str]) -> dict[str, Groove]:
    """The grooves of another song's sections for this song's: that of the same letter or name, or of the same turn."""
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


def _check_bars(options: Options, song: Song) -> None:
    """Refuse bars that the song does not have."""
    if not (options.fill_at or options.no_fills_in):
        return
    bars = len(song.bars())
    for bar in options.fill_at:
        if bar > bars:
            raise OptionError(f"a fill is asked for in bar {bar}, but the song has {bars}")
    for first, last in options.no_fills_in:
        if first > bars:
            raise OptionError(f"no fills are asked for in bars {first}-{last}, but the song has {bars}")
