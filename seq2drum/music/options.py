"""The options of a take: one table that makes `Options`, command lines, clients, the page, REAPER and the docs.

`python proto/options.py` generates its forms in other languages. CONTRIBUTING.md, "Add an option", has the steps. The
options of a beat are in `brief`.

Only the standard library and the errors are imported, so that programs that never read a note can use the table.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from seq2drum.errors import OptionError
from seq2drum.music.choices import (
    ALL,
    ARRANGING,
    AUTO,
    CHOKE,
    ENDINGS,
    FAMILIES,
    INSTRUMENTS,
    KIT,
    MOST_TAKES,
    NO_ENDING,
    NO_PERCUSSION,
    OFF,
    ON,
    OPEN,
    OTHER_STYLES,
    PERCUSSION,
    PIECES,
    RING,
    RITARD,
    STYLES,
    TIMES,
    WHOLE,
    Choice,
    Dialog,
    Form,
    Level,
    check_bars,
    check_number,
    choice,
    instead,
    level,
    placed_of,
    range_of,
    table_of,
)

if TYPE_CHECKING:  # a type alone: nothing of that room is known here
    from seq2drum.play.asked import Grooves

WHAT, TAKE, GROOVE = "what to play", "which take", "the groove"
FILLS, OF_THE_KIT, FEEL = "fills and the end", "pieces of the kit", "feel"
STAYS, OUTPUT = "which of the file's own drums stay", "output"
SECTIONS = (WHAT, GROOVE, FILLS, OF_THE_KIT, FEEL, TAKE, STAYS, OUTPUT)
"""The sections of options, in the order in which they are shown."""

_FITS = Dialog("as it fits")
_AS_MUSIC = "; half of all music is below 0.5"


@dataclass(frozen=True)
class BaseOptions:
    """The options of a take: `seq2drum.Options` checks them, and the client's `RemoteOptions` sends them.

    A new option is a new field at the end. CONTRIBUTING.md, "Add an option", has the other steps.
    """

    __slots__ = ()

    seed: int = choice(
        int,
        "N",
        "another number, another take; the same number and options, the same take",
        section=TAKE,
        default=0,
        least=0,
        wanted="0 or more",
        title="the seed",
        label=("Seed", "Seed"),
        jam=True,
        form=Form(
            (
                "another number, another take; the same number and options, the same take",
                "andere Zahl, anderer Take; gleiche Zahl und gleiche Optionen, gleicher Take",
            ),
            is_rare=True,
            is_choosing=True,
        ),
        dialog=Dialog("a new one each time", most=(1 << 32) - 1),
    )
    temperature: float | None = choice(
        float,
        "T",
        "0 the plainest take, 1 as free as real music, 2 wild",
        section=TAKE,
        unset="1; with a groove, plain bars and free fills",
        least=0,
        most=2,
        wanted="0 (the most likely take) to 2 (wild)",
        title="the temperature",
        label=("Freedom", "Freiheit"),
        jam=True,
        form=Form(
            ("1 is as free as real music", "1 ist so frei wie echte Musik"),
            ends=(("the plainest take", "ganz schlicht"), ("wild", "wild")),
            is_rare=True,
        ),
    )
    top_p: float = choice(
        float,
        "P",
        "draw only from the likeliest share of outcomes; lower is tamer",
        section=TAKE,
        default=0.99,
        least=math.nextafter(0.5, 1),
        most=1,
        wanted="more than 0.5 and at most 1",
        title="top-p",
        jam=True,
    )
    track: str | None = choice(
        str,
        "N|NAME",
        "the guitar, by number from 1 or by name, several parts as `1,3,5-8`",
        section=WHAT,
        unset="the part that looks like a guitar",
        many=True,
        jam=True,
    )
    style: str | None = choice(
        str,
        "NAME",
        f"{', '.join(f'`{style}`' for style in STYLES)}, or `{AUTO}`",
        section=WHAT,
        unset=AUTO,
        words=STYLES,
        label=("Style", "Stil"),
        jam=True,
        form=Form(
            (
                "for example jazz: a ride cymbal in swung eighths",
                "zum Beispiel Jazz: Ride-Becken in geswingten Achteln",
            ),
            is_choosing=True,
        ),
        dialog=Dialog(AUTO, is_value=True),
    )
    intensity: Level = level(
        f"how busy and how loud{_AS_MUSIC}; in places `chorus=0.9,9-16=0.2`",
        section=WHAT,
        is_placed=True,
        label=("Intensity", "Intensität"),
        jam=True,
        form=Form(is_in_panel=True),
        dialog=_FITS,
    )
    complexity: Level = level(
        f"how far kick, snare and toms lean against the beat{_AS_MUSIC}; also in places",
        section=WHAT,
        is_placed=True,
        label=("Complexity", "Komplexität"),
        jam=True,
        form=Form(is_in_panel=True),
        dialog=_FITS,
    )
    fills: Level = level(
        "how often the pattern breaks: 0 the fewest, 0.5 as often as drummers do, 1 twice as often; also in places",
        section=FILLS,
        is_placed=True,
        label=("Fills", "Fills"),
        jam=True,
        form=Form(
            (
                "how often the pattern breaks; 0.5 is as often as drummers do",
                "wie oft das Pattern unterbrochen wird; 0.5 ist so oft wie bei echten Drummern",
            ),
            ends=(("the fewest", "so wenige wie möglich"), ("twice as often", "doppelt so oft")),
        ),
        dialog=_FITS,
    )
    humanize: float | None = level(
        "velocity and timing of human drummers: 0 stiff, 1 as human as they are",
        section=FEEL,
        label=("Human feel", "Human Feel"),
        jam=True,
        form=Form(
            ("loudness and timing of human drummers", "Dynamik und Timing wie bei echten Drummern"),
            ends=(("like a machine", "wie eine Maschine"), ("like a human", "wie ein Mensch")),
        ),
    )
    swing: float | None = level(
        "where the second eighth of a beat falls: 0 half way, 1 at two thirds",
        section=FEEL,
        label=("Swing", "Swing"),
        jam=True,
        form=Form(
            ("where the second eighth of a beat falls", "wo das zweite Achtel einer Zählzeit liegt"),
            ends=(
                ("half way: straight", "auf der Hälfte: gerade"),
                ("two thirds: shuffle", "auf zwei Dritteln: Shuffle"),
            ),
        ),
        dialog=_FITS,
    )
    prime: int = choice(
        int,
        "BARS",
        "keep the file's own drums up to the end of their first BARS bars, and play on from there",
        section=STAYS,
        default=0,
        least=0,
        wanted="a number of bars",
        field="prime_bars",
    )
    bars: tuple[int, int] | None = choice(
        tuple,
        "A:B",
        "play only these bars, counted from 1, and keep the file's own drums elsewhere; also `A-B`",
        section=STAYS,
    )
    drum_map: str = choice(
        str,
        "NAME|FILE",
        "the notes of your sampler: a drum map, or a JSON file of your own; `list` shows all maps",
        section=OUTPUT,
        default="gm",
        label=("Drum map", ""),
        jam=True,
        dialog=Dialog(
            "gm",
            is_value=True,
            about="where your drum plug-in has its pieces, such as `superior-drummer-3`; `?` shows all",
        ),
    )
    groove: Grooves | None = choice(
        str,
        "NAME|FILE",
        "the beat to play on: a name from `--mode grooves` or part of one, a file with drums, or some of its bars as"
        " `FILE:5` or `FILE:5-8`; for sections `verse=NAME,chorus=FILE`",
        section=GROOVE,
        unset="one that fits",
        label=("Groove", "Groove"),
        jam=True,
        form=Form(is_in_panel=True, is_choosing=True),
        dialog=Dialog(
            "one that fits",
            about="a beat by its name, such as `half-time rock, ride`; `file` asks for a file of drums; `selected`"
            " takes the drums that you selected beside the guitar",
            others="a name or file or selected",
        ),
    )
    like: bytes | str | os.PathLike[str] | None = choice(
        str,
        "SONG",
        "play as the drums of this file do: their grooves, levels, fills and feel",
        section=GROOVE,
    )
    daring: float = level(
        "how to choose a groove if you give none: 0 the safest, 0.5 as drummers choose, 1 wilder",
        section=GROOVE,
        default=0.0,
        label=("Daring", "Risikofreude"),
        form=Form(
            (
                "how the drummer picks a groove if you choose none",
                "wie der Drummer den Groove auswählt, wenn du keinen vorgibst",
            ),
            ends=(("the safest", "der sicherste"), ("wilder", "wilder")),
            is_choosing=True,
        ),
        dialog=Dialog("the safest groove"),
    )
    ending: str = choice(
        str,
        "NAME",
        f"how the last chord ends: {', '.join(f'`{word}`' for word in ENDINGS[1:])}, or `{AUTO}`",
        section=FILLS,
        default=AUTO,
        words=ENDINGS,
        label=("Ending", "Schluss"),
        jam=True,
        form=Form(
            ("what the drummer does on your last chord", "was der Drummer auf deinem letzten Akkord macht"),
            words={
                AUTO: ("as your last chord does", "wie dein letzter Akkord"),
                RING: ("ring: kick and crash, then silence", "ausklingen: Bassdrum und Crash, dann Stille"),
                CHOKE: ("choke: short and tight", "abstoppen: kurz und trocken"),
                RITARD: ("ritard: thin out, swell, ring", "ritardando: ausdünnen, anschwellen, ausklingen"),
                NO_ENDING: ("none: play on, as a loop does", "keiner: weiterspielen wie ein Loop"),
            },
            is_rare=True,
        ),
        dialog=Dialog(AUTO, is_value=True),
    )
    fill_at: tuple[int, ...] = choice(
        int,
        "BARS",
        "play fills in these bars, such as `8,16`",
        section=FILLS,
        default=(),
        least=1,
        wanted="numbers of bars from 1",
        title="a bar of fill_at",
        many=True,
    )
    no_fills_in: tuple[tuple[int, int], ...] = choice(
        tuple,
        "BARS",
        "play no fills in these bars, such as `1-4,9-12`",
        section=FILLS,
        default=(),
        title="bars of no_fills_in are",
        many=True,
    )
    pieces: str | None = choice(
        str,
        "NAME",
        f"`{KIT}`: no hand percussion, or `{ALL}`",
        section=OF_THE_KIT,
        unset=f"{KIT}, unless the groove or the style has percussion",
        words=(KIT, ALL),
        title="set of pieces",
        label=("Pieces", "Instrumente"),
        jam=True,
        form=Form(
            ("with or without hand percussion", "mit oder ohne Percussion"),
            words={
                KIT: ("drum set only", "nur Drumset"),
                ALL: ("with hand percussion", "mit Percussion"),
            },
            is_rare=True,
        ),
    )
    time: str | Mapping[str, str] = choice(
        str,
        "NAME",
        f"the piece that keeps time: {', '.join(f'`{word}`' for word in TIMES)}; in places `chorus=ride`",
        section=OF_THE_KIT,
        is_placed=True,
        default=AUTO,
        words=TIMES,
        title="piece to keep time on",
        label=("Time on", "Time auf"),
        jam=True,
        form=Form(
            words={"hat": ("hi-hat", "Hi-Hat"), "ride": ("ride", "Ride"), OPEN: ("open hat", "offen")},
            is_in_panel=True,
            is_rare=True,
        ),
    )
    without: tuple[str, ...] = choice(
        str,
        "PIECES",
        f"never play these: pieces such as `crash,clap`, or {', '.join(f'`{name}`' for name in FAMILIES)}",
        section=OF_THE_KIT,
        default=(),
        words=(*PIECES, *FAMILIES),
        title="piece",
        many=True,
        jam=True,
    )
    sections: str | None = choice(
        str,
        "NAMES",
        'the sections by name and bars, such as `"intro 1-4, verse 5-20"`',
        section=WHAT,
        unset="the file's markers, or detected",
        many=True,
    )
    arrange: str = choice(
        str,
        "NAME",
        "build the song: wait with the band, fuller and sparser sections, a second cymbal; `on`, `off`, or"
        f" `{AUTO}`: on unless a groove is given",
        section=WHAT,
        default=AUTO,
        words=ARRANGING,
        title="way to arrange",
        label=("Arrange", "Arrangement"),
        form=Form(
            (
                "wait with the band, play sections fuller or sparser, change the cymbal",
                "mit der Band warten, Teile voller oder sparsamer spielen, das Becken wechseln",
            ),
            words={
                AUTO: ("unless a groove is chosen", "außer wenn ein Groove gewählt ist"),
                ON: ("build the song", "den Song aufbauen"),
                OFF: ("the same throughout", "durchgehend gleich"),
            },
            is_rare=True,
        ),
    )
    out: str | None = choice(
        str,
        "PLACES",
        "no drums in these sections and bars, such as `intro,1-8`; all other bars stay as they are",
        section=WHAT,
        many=True,
        label=("No drums in", "Ohne Schlagzeug"),
        dialog=Dialog("nowhere"),
    )
    enter: int | None = choice(
        int,
        "BAR",
        "the drums come in with this bar, and then play on: no bar before it, and no waiting after it",
        section=WHAT,
        unset="with you, or as arranged",
        least=1,
        wanted="a number of a bar from 1",
        title="the bar to enter in",
        label=("Drums enter in bar", "Schlagzeug setzt ein in Takt"),
        dialog=Dialog("with you or as arranged", most=9999),
    )
    half_time: str | None = choice(
        str,
        "PLACES",
        f"play in half time: sections and bars such as `chorus,9-16`, or `{ALL}`; all other bars stay as they are",
        section=WHAT,
        many=True,
        label=("Half time", "Half-Time"),
        dialog=Dialog("nowhere"),
    )
    percussion: str | Mapping[str, str] = choice(
        str,
        "NAME",
        "a percussionist beside the drummer, whose own hits stay as they are:"
        f" {', '.join(f'`{word}`' for word in INSTRUMENTS)}, or `{AUTO}`: one that fits, in the fuller sections;"
        " in places `chorus=tambourine`",
        section=OF_THE_KIT,
        is_placed=True,
        default=NO_PERCUSSION,
        words=PERCUSSION,
        title="percussion",
        label=("Percussion", "Percussion"),
        form=Form(
            words={AUTO: ("one that fits, in fuller parts", "passend, in volleren Teilen"), **INSTRUMENTS},
            is_in_panel=True,
        ),
    )
    instead: str | None = choice(
        str,
        "PIECES",
        "other pieces play in place of some, such as `closed hat=ride,snare=side stick`; all other hits stay; "
        "in places `chorus=snare=side stick`",
        section=OF_THE_KIT,
        many=True,
        label=("Other pieces", "Andere Instrumente"),
    )


OPTIONS = table_of(BaseOptions)
"""The options of a take, each by the name that it has as a field."""

PLACED = tuple(name for name, one in OPTIONS.items() if one.is_placed)
PLACE_FIELDS = MappingProxyType({name: f"{name}_places" for name in PLACED if not OPTIONS[name].words})
"""The options that can have other values in places; and the fields of the contract for levels in places."""

CHOICES = MappingProxyType(
    {
        **OPTIONS,
        "takes": Choice(
            int,
            "N",
            "make N takes, the best first: `SONG.drums.1.mid`, `SONG.drums.2.mid` and so on",
            TAKE,
            1,
            least=1,
            most=MOST_TAKES,
            wanted=f"1 to {MOST_TAKES}",
            label=("Takes", "Takes"),
            form=Form(
                (
                    "how many the drummer plays; each takes its time",
                    "wie viele der Drummer spielt; jeder braucht seine Zeit",
                ),
                is_rare=True,
                is_choosing=True,
            ),
            dialog=Dialog(
                "1", True, "1 to 8, the best first; `3 lanes`: each on [a lane](#get-another-take)", 8, "3 lanes"
            ),
        ),
    }
)
"""The options of a take, and `takes`: how many of them are made."""


def names_in(section: str, *, jam: bool = False) -> tuple[str, ...]:
    """The names of the options of a section; jam: of those that hold for a jam."""
    return tuple(name for name, one in CHOICES.items() if one.section == section and (one.jam or not jam))


def placed(name: str, value: Any) -> Any:
    """Return the value of an option that can differ by place, as `choices.placed_of` reads it from a text.

    Raises:
        OptionError: a value in the text is not a number.
    """
    try:
        return placed_of(OPTIONS[name], value) if isinstance(value, str) else value
    except ValueError:
        raise OptionError(f"{name} is {value[:60]!r}, wanted {OPTIONS[name].wanted}, also for places") from None


def check_value(name: str, value: Any) -> None:
    """Refuse a value of an option that is out of its range or none of its words; other kinds of values pass.

    Raises:
        OptionError: it is one.
    """
    one = OPTIONS[name]
    if one.is_placed and isinstance(value, Mapping):
        for place, its in value.items():
            if place != WHOLE and (not place.strip() or "," in place or "=" in place):
                raise OptionError(f"{name} is requested in {place[:40]!r}, wanted a section, or bars such as 9-16")
            range_of(place)
            if one.words:
                check_word(name, its)
            else:
                title = name if place == WHOLE else f"{name} in {place[:40]!r}"
                check_number(one._replace(default=0.0), its, title)  # None is no value
        return
    for single in value if one.many and isinstance(value, tuple) else (value,):
        if one.words:
            check_word(name, single)
        elif one.kind is tuple and single is not None:
            check_bars(single, *([one.title] if one.title else []))
        elif one.kind in (int, float):
            check(name, single)


def check(name: str, value: float | None, title: str = "") -> None:
    """Refuse a number that is out of its range. title: its name in the message, if not that of the table.

    None passes only if the default is None.

    Raises:
        OptionError: it is out of its range.
    """
    one = CHOICES[name]
    check_number(one, value, title or one.title or name)


def check_word(name: str, word: str | None) -> None:
    """Refuse a word that is not one of the choices. None passes if it is the default.

    Raises:
        OptionError: it is not one of them.
    """
    one = CHOICES[name]
    if word not in one.words and not (word is None and one.default is None):
        there = instead(word or "", one.words, OTHER_STYLES if one.words is STYLES else {})
        raise OptionError(f"there is no {one.title or name} {word!r}; {there}")


def pieces_of(names: Sequence[str]) -> frozenset[str]:
    """The pieces of the kit for some names of pieces and families.

    Raises:
        OptionError: there is no such name.
    """
    for name in names:
        check_word("without", name)
    return frozenset(piece for name in names for piece in FAMILIES.get(name, (name,)))


def replaced_by(text: str) -> dict[str, dict[str, str]]:
    """The pieces that play in place of others, by place, of a text such as "closed hat=ride,chorus=toms=cowbell".

    Each is {piece: the one that plays}; those without a place are under `WHOLE`.

    Raises:
        OptionError: a piece is unknown, or has two others in one place.
    """
    found: dict[str, dict[str, str]] = {WHOLE: {}}
    for pair in text.split(","):
        words = [word.strip() for word in pair.split("=")]
        if len(words) not in (2, 3) or not all(words):
            raise OptionError(f"instead is {pair.strip()[:40]!r}, wanted two pieces such as closed hat=ride")
        *where, name, other = words
        check_word("without", name)
        if other not in PIECES:
            raise OptionError(f"there is no piece {other[:40]!r} to play instead of {name}; {instead(other, PIECES)}")
        there = found.setdefault(where[0] if where else WHOLE, {})
        for piece in FAMILIES.get(name, (name,)):
            if there.setdefault(piece, other) != other:
                raise OptionError(f"{piece} is to be played by {there[piece]} and by {other}; leave one of them out")
    return found
