"""Mode grooves: the drummer's grooves listed, drawn, played, and written as MIDI."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seq2drum.cli import duets, exports, speakers
from seq2drum.console import maps, paths, shared
from seq2drum.console.terminal import can_say, has_colours, say, standard_output, width
from seq2drum.errors import OptionError
from seq2drum.music import choices
from seq2drum.music.choices import STYLES
from seq2drum.music.options import check_word

if TYPE_CHECKING:
    from seq2drum.lattice.grooves.grooves import Groove
    from seq2drum.music.duet import Duet
    from seq2drum.music.notes import Song
    from seq2drum.play.grooves.book import Book

LOOP = 4  # bars of a groove written and played
OFFERED = 10  # grooves offered for a song
_NAME = 30  # columns of a name in the list
_ONE = "name one, as --mode grooves lists them"


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the selection of grooves, and the outputs."""
    parser.usage = "%(prog)s [SONG|WORDS|NAME|FILE:BAR|FILE:A-B] [options]"
    parser.description = (
        f"Lists the grooves that the drummer knows: all, the {OFFERED} that fit a song best, those with some words in "
        "their names, those of a style or a metre. Draws, plays or writes one: of the list, or of a file's drums."
    )
    parser.epilog = """examples:
  seq2drum --mode grooves song.mid
  seq2drum --mode grooves --style latin
  seq2drum --mode grooves half-time
  seq2drum --mode grooves bossa-side-stick -o bossa.mid
  seq2drum --mode grooves song.mid:9-10"""
    parser.add_argument("files", nargs="*", metavar="SONG", help="a song, words to look for, or one groove")
    parser.add_argument("--style", metavar="NAME", help=f"only grooves of a style: {', '.join(STYLES)}")
    parser.add_argument("--metre", metavar="N/M", type=_metre, help="only grooves of a metre; one groove, fitted to it")
    shared.add_output(parser, f"write {LOOP} bars of one groove, .mid; - is standard output", metavar="FILE")
    parser.add_argument("--play", action="store_true", help="play one groove through the loudspeakers")
    parser.add_argument("--wav", metavar="FILE", help="also write one groove as sound (needs FluidSynth)")
    exports.add_soundfont(parser)
    shared.add_choice(parser, "track")
    maps.add_drum_map(parser)
    shared.add_json(parser)
    shared.add_force(parser)


def run(options: argparse.Namespace) -> int:
    """List, draw, play or write; returns the exit code."""
    from seq2drum.play.grooves.book import Book

    check_word("style", options.style)
    words = " ".join(options.files).strip()
    song = _song(words, options)
    one = None if song is not None else _meant(words, options)
    if one is not None:
        return _show(one if options.metre is None else one.fitted(*options.metre), options)
    if options.output or options.play or options.wav:
        raise OptionError(f"-o, --play and --wav are for one groove; {_ONE}")
    if song is not None:
        return _list(_offered(song, options), options)
    return _list([(groove, None) for groove in _found(Book.load(), words, options)], options)


def _metre(text: str) -> tuple[int, int]:
    """N/M as two numbers."""
    try:
        return choices.metre_of(text)
    except OptionError:
        raise argparse.ArgumentTypeError(f"wanted a metre such as 7/8, found {text!r}") from None


# --- which ------------------------------------------------------------------------------------------------------------


def _song(words: str, options: argparse.Namespace) -> Song | None:
    """The song to find grooves for, if the words name one with more than drums; else None."""
    from seq2drum.play import asked

    is_song = words == "-"
    if not is_song and words:
        named = asked.reference(words)
        is_song = named.is_file and named.bars is None
    song = duets.song_of(words, options.mode) if is_song else None
    return song if song is None or any(len(part) for part in song.parts if not part.is_drums) else None


def _meant(words: str, options: argparse.Namespace) -> Groove | None:
    """The one groove that words or a file name; None without one."""
    from seq2drum.music import drum_maps
    from seq2drum.play import asked
    from seq2drum.play.grooves.book import Book, read_groove

    if words and (asked.reference(words).is_file or words in Book.load()):
        return read_groove(words, drum_map=drum_maps.load(options.drum_map))
    return None


def _found(book: Book, words: str, options: argparse.Namespace) -> Sequence[Groove]:
    """The grooves of a metre and a style whose titles contain all words.

    Raises:
        OptionError: there is none.
    """
    every = tuple(book) if options.metre is None else book.of_metre(*options.metre)
    wanted = re.findall(r"[^\W_]+", words.casefold())
    found = [
        groove
        for groove in every
        if (options.style is None or groove.style == options.style)
        and all(word in f"{groove.name} {groove.title} {groove.style}".casefold() for word in wanted)
    ]
    if found:
        return found
    if words and options.style is None and options.metre is None:
        return [book[words]]  # raises an error that lists near names
    limits = [words and f"with {words!r}", options.style, options.metre and "in {}/{}".format(*options.metre)]
    raise OptionError(f"there is no groove {' '.join(filter(None, limits))}; --mode grooves lists all")


def _offered(song: Song, options: argparse.Namespace) -> list[tuple[Groove, float]]:
    """The grooves that fit a song best, optionally of one style, each with its fit.

    They are chosen to differ, see `Fit.best`, and are listed by their fit: the expected F1 of a groove's hits with
    those that drummers play to such a guitar.

    Raises:
        OptionError: none of that style in the song's metre.
        InputError: the song has no guitar.
    """
    import numpy as np

    from seq2drum.lattice.features import SongGrid
    from seq2drum.lattice.sections import Section
    from seq2drum.music import theory
    from seq2drum.play.grooves.book import Book
    from seq2drum.play.grooves.ranker import Fit, Ranker

    guitar = theory.choose_parts(song, options.track)
    guitar_grid = SongGrid.of(song, guitar.parts).guitar_grid
    fit = Ranker.load().fit(guitar_grid, [Section(0, "all")], Book.load())["all"]
    metre = fit.grooves[0].metre
    if options.metre is not None and "{}/{}".format(*options.metre) != metre:
        raise OptionError(f"the song is in {metre}; leave out --metre")
    if options.style is not None:
        of_style = np.array([groove.style == options.style for groove in fit.grooves])
        if not of_style.any():
            raise OptionError(f"there is no groove of style {options.style} in {metre}; leave out --style")
        fit = Fit.of(fit.shelf, np.where(of_style, np.log(fit.shares + 1e-12), -np.inf))
    expected = fit.shelf.likeness @ fit.shares
    wanted = [at for at in fit.best(OFFERED) if fit.shares[at] > 0]
    return [(fit.grooves[at], float(expected[at])) for at in sorted(wanted, key=lambda at: -expected[at])]


# --- output -----------------------------------------------------------------------------------------------------------


def _list(grooves: Sequence[tuple[Groove, float | None]], options: argparse.Namespace) -> int:
    """Print grooves, each with its fit if it has one."""
    columns = width() if sys.stdout.isatty() else None
    with standard_output():
        for groove, fit in grooves:
            print(json.dumps(_about(groove, fit)) if options.json else _line(groove, fit)[:columns])
        sys.stdout.flush()
    if not options.json:
        several = "1 groove" if len(grooves) == 1 else f"{len(grooves)} grooves"
        say(f"{several}; --mode grooves NAME draws one, --mode infer SONG --groove NAME plays on it")
    return 0


def _about(groove: Groove, fit: float | None) -> dict[str, Any]:
    about = {"name": groove.name, "title": groove.title, "metre": groove.metre, "style": groove.style}
    return about | {"tempo": list(groove.tempo)} | ({} if fit is None else {"fit": round(fit, 3)})


def _line(groove: Groove, fit: float | None) -> str:
    slow, fast = groove.tempo
    before = "" if fit is None else f"{fit:4.2f}  "
    tempo = f"{slow:3.0f}-{fast:<3.0f}"
    return f"{before}{groove.name:<{_NAME}} {groove.metre:>5}  {groove.style or '':<7} {tempo}  {groove.title}"


def _show(groove: Groove, options: argparse.Namespace) -> int:
    """Draw, write and play one groove, as requested."""
    from seq2drum.formats.midi import midi
    from seq2drum.lattice.grooves.grooves import looped, to_json

    # 1. Check that all of it can be made.
    inputs = paths.identities([word.partition(":")[0] for word in options.files])
    for name in filter(None, (options.output, options.wav)):
        paths.check_target(name, inputs, overwrite=options.force)
    players = _ready(options)
    song = looped(groove, LOOP)
    # 2. Draw it, unless it goes to standard output itself.
    if options.output != "-":
        with standard_output():
            sys.stdout.write(json.dumps(to_json(groove)) + "\n" if options.json else _drawn(groove))
            sys.stdout.flush()
    # 3. Write it and play it.
    if options.output is not None:
        paths.write(midi.serialise(song), options.output, overwrite=options.force)
    if options.wav or options.play:
        data = speakers.rendered(_duet(groove, LOOP), exports.sounds(options))
        if options.wav:
            paths.write(data, options.wav, overwrite=options.force)
        if options.play:
            speakers.play(data, players)
    return 0


def _ready(options: argparse.Namespace) -> list[list[str]]:
    """The players that are needed.

    Raises:
        OptionError: a name with an unsupported suffix.
        MissingExtraError: there is no player.
    """
    for name, flag, suffix in ((options.output, "-o", ".mid"), (options.wav, "--wav", ".wav")):
        if name is not None and not (name == "-" and flag == "-o") and not name.lower().endswith(suffix):
            raise OptionError(f"{flag} of --mode grooves writes {suffix}, and {name!r} ends otherwise")
    if not (options.wav or options.play):
        return []
    from seq2drum.show import sound

    sound.check(exports.sounds(options))
    return speakers.players() if options.play else []


def _duet(groove: Groove, bars: int) -> Duet:
    from seq2drum.lattice.grooves.grooves import looped
    from seq2drum.music.duet import DRUMS, Duet
    from seq2drum.music.notes import Part

    song = looped(groove, bars)
    return Duet(song, (), song.parts[0] if song.parts else Part.of([], name=DRUMS, is_drums=True))


def _drawn(groove: Groove) -> str:
    """The title of a groove, and its bars as a picture in characters."""
    from seq2drum.show import console

    picture = console.picture(_duet(groove, len(groove.bars)), width=width(), colour=has_colours())
    slow, fast = groove.tempo
    facts = [groove.metre, groove.style or "", f"{slow:g} to {fast:g} quarters a minute"]
    text = f"{groove.name}: {groove.title}\n{', '.join(filter(None, facts))}\n\n{picture}"
    return text if can_say(text) else console.ascii_only(text)
