"""Values in a notebook: a few facts, a table, a picture of the first bars.

    value._repr_html_() -> music.shown.as_html(value) -> html(value), here

`seq2drum/__init__.py` registers `html` as the renderer of all values.

From values to self-contained HTML. Texts from files, such as the name of a track, are escaped. It plays nothing and
computes no figures; all facts are counted in the value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Sized
from dataclasses import MISSING, fields, is_dataclass
from functools import singledispatch
from typing import Any, NamedTuple

import numpy as np

from seq2drum.data.corpus.build import Account
from seq2drum.data.corpus.excerpts import duet_of
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.errors import Seq2DrumError
from seq2drum.evaluate import report
from seq2drum.evaluate.evaluation import HEADLINE, Evaluation
from seq2drum.lattice.conditions import Drums
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.form import CHANGING, Form
from seq2drum.lattice.grid import LENGTH_UNITS, OFFSET_UNITS, Grid
from seq2drum.lattice.grooves.grooves import Groove, looped
from seq2drum.lattice.phrases import Cut, Pair, Phrase
from seq2drum.music import duet, explanation, theory
from seq2drum.music.drum_maps import DrumMap
from seq2drum.music.duet import Duet
from seq2drum.music.kit import FULL, KITS, Kit, to_kit
from seq2drum.music.notes import Bar, IntArray, Metre, Part, Song
from seq2drum.music.options import OPTIONS
from seq2drum.music.shown import one_line
from seq2drum.music.song_plan import SongPlan
from seq2drum.play.drummer import Drummer
from seq2drum.play.generators.composer import Beat
from seq2drum.play.grooves.book import Book
from seq2drum.play.options import Options, in_words
from seq2drum.play.take import DrumBar, Take
from seq2drum.show import draw, page
from seq2drum.show.page import Table

BARS = 16  # of a picture; the number of the others is stated
ROWS = 12  # of a table of notes
NAME = 60  # letters shown of a name
_NO_TEMPO = "in the picture its bars begin at 1, and the tempo is MIDI's own: it has none"


class Facts(NamedTuple):
    """Facts in a row, the heading first and bold."""

    facts: Sequence[str]
    heading: str = ""
    kind: str = "facts"


class Details(NamedTuple):
    """A table that opens by a click on its name."""

    name: str
    table: Table
    kind: str = "details"


class Picture(NamedTuple):
    """A PNG picture, and its description."""

    data: bytes
    about: str
    kind: str = "picture"


Piece = Facts | Table | Details | Picture
"""A value is shown as a list of these; the template `value.html` turns them into HTML."""


def html(value: object) -> str:
    """The HTML of a value in a notebook.

    Raises:
        TypeError: a value of an unknown kind.
    """
    return page.render("value.html", pieces=pieces(value), png=page.png)


@singledispatch
def pieces(value: object) -> list[Piece]:
    """The pieces shown of a value, by the function registered below for its type; of another dataclass its fields."""
    if not is_dataclass(value) or isinstance(value, type):
        raise TypeError(f"a {type(value).__name__} has no picture; print it")
    return [Facts([], type(value).__name__), *_fields(value)]


# --- pieces -----------------------------------------------------------------------------------------------------------


def _picture(what: Duet, about: str, plan: SongPlan = ()) -> list[Piece]:
    """The first bars as a picture, and the number of the others; a sentence without anything to draw."""
    count = len(what.song.bars())
    last = min(count, BARS)
    try:
        data = draw.picture(what, "png", last_bar=last, plan=plan)
    except Seq2DrumError as error:
        return [Facts([f"no picture: {error}"])]
    rest = [Facts([f"bars 1 to {last} of {count} are shown"])] if last < count else []
    return [Picture(data, about), *rest]


def _table(head: Sequence[str], body: Sequence[Sequence[str]], *, words: bool = False) -> list[Piece]:
    """A table, if it has rows."""
    return [Table(head, body, words)] if body else []


def _columns(columns: Mapping[str, IntArray], what: str) -> list[Piece]:
    """Columns of equal length by their heads: the first ROWS rows, and the number of the others."""
    rows = [
        [str(value) for value in row] for row in zip(*(each[:ROWS].tolist() for each in columns.values()), strict=True)
    ]
    more = len(next(iter(columns.values()))) - ROWS
    return [*_table(list(columns), rows), *_more(more, what)]


def _more(count: int, what: str) -> list[Piece]:
    return [Facts([f"and {_count(count, what)} more"])] if count > 0 else []


def _fields(value: Any, head: str = "field", words: Callable[[str, Any], str] | None = None) -> list[Piece]:
    """The fields of a dataclass with their values, and which of them differ from their defaults.

    words: from a field's name and value to text.
    """
    rows = []
    for field in fields(value):
        held = getattr(value, field.name)
        changed = field.default is not MISSING and held != field.default
        shown = words(field.name, held) if words else _in_words(held)
        rows.append([field.name, shown, "asked for" if changed else ""])
    return _table([head, "value", ""], rows, words=True)


def _in_words(value: Any) -> str:
    """Any value in a few letters: numbers and names whole, of all else the kind and the number."""
    if isinstance(value, float):
        return f"{value:g}"
    if value is None or isinstance(value, str | int):
        return _name(str(value))
    if isinstance(value, Mapping):
        return _name(", ".join(f"{name}: {_in_words(one)}" for name, one in value.items())) or "none"
    if isinstance(value, Groove):
        return _name(value.name)
    size = f" of {len(value):,}" if isinstance(value, Sized) else ""
    return f"{type(value).__name__}{size}"


def _count(number: int, what: str, several: str = "") -> str:
    return f"{number:,} {what if number == 1 else several or what + 's'}"


def _name(words: str) -> str:
    """A name on one line, shortened."""
    return one_line(words, NAME)


def _seconds(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02} minutes"


def _runs(values: Sequence[str]) -> str:
    """The values of the bars in runs: each value once, with its first bar."""
    changes = [(index, value) for index, value in enumerate(values) if not index or value != values[index - 1]]
    words = [value if not index else f"{value} from bar {index + 1}" for index, value in changes[:6]]
    return ", ".join(words) + (f" and {len(changes) - 6} more" if len(changes) > 6 else "")


def _metres(bars: Sequence[Bar]) -> str:
    return _runs([f"{bar.numerator}/{bar.denominator}" for bar in bars])


def _tempos(song: Song) -> str:
    """The tempo, or the lowest and highest in effect in the song."""
    tempos = sorted({round(song.tempo_at(bar.start).bpm) for bar in song.bars()})
    return f"♩={tempos[0]}" if len(tempos) == 1 else f"♩={tempos[0]} to {tempos[-1]}"


def _range(values: IntArray) -> str:
    if not len(values):
        return ""
    low, high = int(values.min()), int(values.max())
    return f"{low}" if low == high else f"{low} to {high}"


def _sound(part: Part) -> str:
    return "drums" if part.is_drums else theory.program_name(part.program)


def _compass(part: Part) -> str:
    """The lowest and the highest pitch of a part, or its pieces of the kit."""
    if not len(part):
        return ""
    if part.is_drums:
        return ", ".join(_pieces(part))
    low, high = theory.pitch_name(int(part.pitch.min())), theory.pitch_name(int(part.pitch.max()))
    return low if low == high else f"{low} to {high}"


def _pieces(part: Part) -> dict[str, int]:
    """The hits of each piece of the kit, the commonest first."""
    counts = Counter(
        FULL.voices[voice].name if voice >= 0 else "no piece of the kit" for voice in FULL.voice_of[part.pitch].tolist()
    )
    return dict(counts.most_common())


def _asked(options: Options) -> list[str]:
    """The options that differ from their defaults."""
    plain = Options()
    given = [field.name for field in fields(options) if getattr(options, field.name) != getattr(plain, field.name)]
    return [
        f"seed {options.seed}",
        *(f"{name} {_name(in_words(name, getattr(options, name)))}" for name in given if name != "seed"),
    ]


# --- music ------------------------------------------------------------------------------------------------------------


@pieces.register
def _song(song: Song) -> list[Piece]:
    bars = song.bars()
    facts = [
        _count(len(bars), "bar"),
        _seconds(song.seconds(song.end)),
        _metres(bars),
        _tempos(song),
        f"{song.ticks_per_quarter} ticks a quarter",
    ]
    head = ["", "name", "sound", "notes", "compass", "velocity"]
    rows = [
        [str(number), _name(part.name), _sound(part), f"{len(part):,}", _compass(part), _range(part.velocity)]
        for number, part in enumerate(song.parts, start=1)
    ]
    try:
        picture = _picture(duet.of_songs([song]), "the guitar and the drums of the song")
    except Seq2DrumError as error:
        picture = [Facts([f"no picture: {error}"])]
    return [Facts(facts, "Song"), *_table(head, rows), *picture]


@pieces.register
def _part(part: Part) -> list[Piece]:
    facts = [_name(part.name), _sound(part), _count(len(part), "note"), _compass(part)]
    columns = {
        "onset in ticks": part.onset,
        "duration": part.duration,
        "pitch": part.pitch,
        "velocity": part.velocity,
    }
    return [Facts(list(filter(None, facts)), "Part"), *_columns(columns, "note")]


@pieces.register
def _duet(what: Duet) -> list[Piece]:
    names = [_name(part.name) or "guitar" for part in what.guitars]
    facts = [", ".join(names) or "no guitar", _count(len(what.drums), "hit"), _metres(what.song.bars())]
    return [Facts([*facts, _tempos(what.song)], "Duet"), *_picture(what, "guitar and drums")]


@pieces.register
def _take(take: Take) -> list[Piece]:
    song, played = take.song, take.duet
    facts = [
        _count(len(take.part), "hit"),
        _count(len(song.bars()), "bar"),
        _seconds(song.seconds(song.end)),
        *_asked(take.options),
        *([f"score {take.score:.3f}"] if take.score is not None else []),
        *([f"played on {explanation.in_words(take.grooves)}"] if take.grooves else []),
    ]
    guitars = ", ".join(_name(part.name) or "without a name" for part in played.guitars)
    explained = [
        [f"{one.first}" if one.first == one.last else f"{one.first}-{one.last}", one.text] for one in take.explain()
    ]
    return [
        Facts(facts, "Take"),
        Facts([f"it listened to: {guitars} ({_name(take.guitar.reason)})"]),
        *_picture(played, "guitar and drums of the take", take.plan),
        *([Details("Section by section", _plan(take.plan))] if take.plan else []),
        *([Details("Bar by bar", Table(["bars", "what"], explained, words=True))] if explained else []),
    ]


def _plan(plan: SongPlan) -> Table:
    rows = [
        [
            f"{row.first}-{row.last}",
            _name(row.name),
            "never" if row.enters is None else f"bar {row.enters}",
            row.cymbal or "none",
            f"{row.level:.2f}",
            f"{row.loudness:.2f}",
            _name(row.groove or "none"),
        ]
        for row in plan
    ]
    head = ["bars", "section", "drums from", "time on", "hits against the mean", "loudness", "groove"]
    return Table(head, rows, words=True)


@pieces.register
def _drum_bar(played: DrumBar) -> list[Piece]:
    struck = ", ".join(f"{name} {count}" for name, count in _pieces(played.part).items())
    bar = played.bar
    return [Facts([f"{bar.numerator}/{bar.denominator}", struck or "silence"], f"Bar {bar.index + 1}")]


@pieces.register
def _options(options: Options) -> list[Piece]:
    return _fields(options, "option", _option_in_words)


def _option_in_words(name: str, value: Any) -> str:
    one = OPTIONS[name]
    if value is None:
        return "left to the model" if one.default is None and one.form is not None else ""
    return _name(in_words(name, value))


@pieces.register
def _drummer(drummer: Drummer) -> list[Piece]:
    engine = drummer.engine
    facts = [f"kit {engine.kit.name}: {len(engine.kit)} pieces", f"hears a {engine.unit} at a time"]
    return [Facts([*facts, "graphs " + ", ".join(engine.graphs)], f"Drummer {_name(engine.name)}")]


@pieces.register
def _kit(kit: Kit) -> list[Piece]:
    rows = [[voice.name, voice.limb, ", ".join(map(str, voice.notes))] for voice in kit.voices]
    head = ["piece", "limb", "notes read as it, the first is written"]
    return [Facts([_count(len(kit), "piece")], f"Kit {kit.name}"), *_table(head, rows, words=True)]


@pieces.register
def _drum_map(mapped: DrumMap) -> list[Piece]:
    rows = [
        [voice.name, str(voice.notes[0]), ", ".join(map(str, notes)) or "none"]
        for voice, notes in zip(FULL.voices, mapped.notes, strict=True)
    ]
    return [
        Facts(["the first of several is written"], f"Drum map {_name(mapped.name)}"),
        *_table(["piece", "General MIDI", "here"], rows, words=True),
    ]


# --- data -------------------------------------------------------------------------------------------------------------


@pieces.register
def _phrase(phrase: Phrase) -> list[Piece]:
    guitars, drums = ((), phrase.part) if phrase.part.is_drums else ((phrase.part,), _NO_DRUMS)
    facts = [_bars_named(phrase), _count(len(phrase.part), "note"), _sound(phrase.part), _NO_TEMPO]
    return [Facts(facts, "Phrase"), *_picture(_from_bars(phrase, guitars, drums), "a phrase")]


@pieces.register
def _pair(pair: Pair) -> list[Piece]:
    facts = [
        _bars_named(pair.guitar),
        f"guitar: {_count(len(pair.guitar.part), 'note')}",
        f"drums: {_count(len(pair.drums.part), 'note')}",
        _NO_TEMPO,
    ]
    both = _from_bars(pair.guitar, (pair.guitar.part,), pair.drums.part)
    return [Facts(facts, "Pair"), *_picture(both, "a guitar phrase and the drums of the same bars")]


_NO_DRUMS = Part.of([], is_drums=True)


def _bars_named(phrase: Phrase) -> str:
    first, last = phrase.bars[0].index + 1, phrase.bars[-1].index + 1
    return f"bar {first}" if first == last else f"bars {first} to {last}"


def _from_bars(phrase: Phrase, guitars: Sequence[Part], drums: Part) -> Duet:
    """The phrase's bars as a separate song, from tick 0, at MIDI's default tempo, as a phrase has none."""
    start = phrase.bars[0].start
    metres = tuple(Metre(bar.start - start, bar.numerator, bar.denominator) for bar in phrase.bars)
    song = Song(phrase.ticks_per_quarter, (), (), metres, phrase.bars[-1].end - start)
    return Duet(song, tuple(_earlier(part, start) for part in guitars), _earlier(drums, start))


def _earlier(part: Part, ticks: int) -> Part:
    rows = part.rows.copy()
    rows[:, 0] = np.maximum(rows[:, 0] - ticks, 0)  # an early downbeat
    return Part.of(rows, program=part.program, name=part.name, is_drums=part.is_drums)


@pieces.register
def _cut(cut: Cut) -> list[Piece]:
    rows = [[reason, str(count)] for reason, count in cut.left_out.most_common()]
    inside = sum(stop - first for first, stop in cut.ranges)
    facts = [_count(len(cut.ranges), "pair"), _count(inside, "bar")]
    return [Facts(facts, "Cut"), *_table(["bars in no pair, because", "bars"], rows)]


@pieces.register
def _grid(grid: Grid) -> list[Piece]:
    head = ["step", "key", "velocity", f"offset (of {OFFSET_UNITS})", f"length (of {LENGTH_UNITS} a quarter)"]
    columns = dict(zip(head, grid, strict=True))
    return [Facts([_count(len(grid.step), "note")], "Grid"), *_columns(columns, "note")]


@pieces.register
def _heard(guitar_grid: GuitarGrid) -> list[Piece]:
    facts = [
        _count(len(guitar_grid.guitar.step), "guitar note"),
        _count(guitar_grid.parts, "part"),
        *_form_facts(guitar_grid.form),
    ]
    return [Facts(facts, "Guitar"), *_picture(duet_of(guitar_grid, Grid.join([])), "the guitar as the model sees it")]


def _form_facts(form: Form) -> list[str]:
    slow, fast = round(float(form.bpm.min())), round(float(form.bpm.max()))
    return [
        _count(len(form.steps), "bar"),
        form.metre if form.metre != CHANGING else "changing metres",
        f"♩={slow}" if slow == fast else f"♩={slow} to {fast}",
    ]


@pieces.register
def _drums(drums: Drums) -> list[Piece]:
    """The arrays as hits again, on the kit with as many voices."""
    step, voice = np.nonzero(drums.velocity)
    kit = next((kit for kit in KITS.values() if len(kit) == drums.velocity.shape[1]), None)
    facts = [_count(len(step), "hit"), *_form_facts(drums.form)]
    if kit is None:
        return [Facts(facts, "Drums")]
    offset = np.rint(drums.offset[step, voice] * OFFSET_UNITS).astype(np.int64)
    grid = Grid(step, to_kit(FULL, kit)[voice], drums.velocity[step, voice], offset, np.full_like(step, 1))
    silent = GuitarGrid(drums.form, Grid.join([]), np.zeros(9, dtype=np.int64), 0)
    return [Facts([*facts, f"kit {kit.name}"], "Drums"), *_picture(duet_of(silent, grid), "drums")]


@pieces.register
def _groove(groove: Groove) -> list[Piece]:
    song = looped(groove, len(groove.bars))
    drums = song.parts[0] if song.parts else _NO_DRUMS
    facts = [groove.name, *_groove_facts(groove)]
    return [Facts(facts, _name(groove.title)), *_picture(Duet(song, (), drums), "the bars of the groove")]


def _groove_facts(groove: Groove) -> list[str]:
    slow, fast = groove.tempo
    return [groove.metre, groove.style or "any style", f"♩={slow:g}" if slow == fast else f"♩={slow:g} to {fast:g}"]


@pieces.register
def _beat(beat: Beat) -> list[Piece]:
    facts = [beat.brief.in_words(), _count(len(beat.duet.drums), "hit"), f"made by {beat.model}", f"seed {beat.seed}"]
    return [Facts(facts, "Beat"), *_picture(beat.duet, "the bars of the beat")]


@pieces.register
def _book(book: Book) -> list[Piece]:
    rows = [[groove.name, _name(groove.title), *_groove_facts(groove)] for groove in book]
    table = _table(["name", "title", "metre", "style", "tempo"], rows[:ROWS], words=True)
    return [Facts([_count(len(book), "groove")], "Groove book"), *table, *_more(len(book) - ROWS, "groove")]


@pieces.register
def _prepared(song: Prepared) -> list[Piece]:
    facts = [
        *_form_facts(song.guitar_grid.form),
        f"guitar: {_count(len(song.guitar_grid.guitar.step), 'note')}",
        f"drums: {_count(len(song.drums.step), 'hit')}",
        f"folder {_name(song.tag)}",
        f"split {song.split}",
        *([f"origin: {_name(song.origin)}"] if song.origin else []),
    ]
    return [
        Facts(facts, _name(song.path)),
        *_picture(duet_of(song.guitar_grid, song.drums), "the guitar and the drums of training"),
    ]


@pieces.register
def _account(account: Account) -> list[Piece]:
    share = account.notes_outside_kit / max(account.drum_notes, 1)
    facts = [_count(account.files, "file"), f"{_count(account.songs, 'song')} used"]
    facts.append(f"{share:.2%} of {account.drum_notes:,} drum notes are not in the kit")
    rows = [[reason, str(count)] for reason, count in account.left_out.most_common()]
    return [Facts(facts, "Account"), *_table(["left out, because", "files"], rows, words=True)]


@pieces.register
def _evaluation(evaluation: Evaluation) -> list[Piece]:
    there = {name for row in evaluation.free for name in row.figures}
    names = [name for name in HEADLINE if name in there]
    panel = [report.table(evaluation.free, names, interval="half")] if evaluation.free else []
    facts = [Facts([fact]) for fact in report.facts(evaluation)]
    notes = [Facts(evaluation.notes)] if evaluation.notes else []
    return [*facts, *panel, *report.measure_tables(evaluation), *notes]
