"""The players of an evaluation: models, baselines, the real drummer, and copies of known bars.

    (song, take) -> hits of the full kit over the whole song

Each is a value that can be pickled, so that it can go to another process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache, partial
from typing import Any, Literal

import numpy as np

from seq2drum.data.corpus.excerpts import duet_of
from seq2drum.data.corpus.prepared import Prepared
from seq2drum.judge import baselines
from seq2drum.judge.measures import f1, judged_bars
from seq2drum.lattice.conditions import drums_of
from seq2drum.lattice.features import GuitarGrid
from seq2drum.lattice.grid import Grid, to_full
from seq2drum.lattice.grooves.grooves import Groove, typical
from seq2drum.lattice.sections import Section, sections
from seq2drum.music.choices import WHOLE
from seq2drum.music.kit import Kit, to_kit
from seq2drum.play.arrange.arrange import make_plan
from seq2drum.play.decode import engine
from seq2drum.play.decode.decoding import take_of
from seq2drum.play.decode.plan import Plan
from seq2drum.play.drummer import play_grid
from seq2drum.play.grooves import choosing
from seq2drum.play.jam.guitarist import jammed_bars
from seq2drum.play.options import Options, of_band
from seq2drum.system.workers import results_of


@dataclass(frozen=True)
class Player:
    """A player: hits whose keys are voices of the full kit, over the whole song.

    kind: "real", "model" or "baseline". sees_real: it reads the real drums. takes: the number of distinct ones. play:
    (song, take) to hits. play_on: (song, bars, take) to hits, given the real drums of those bars. model and way: the
    model, and its mode of playing. swapped: also play it to another song's guitar. Players go to other processes, so
    both functions must be picklable.
    """

    name: str
    meaning: str
    kind: str
    play: Callable[[Prepared, int], Grid]
    sees_real: bool = False
    takes: int = 1
    play_on: Callable[[Prepared, range, int], Grid] | None = None
    model: str = ""
    way: str = ""
    swapped: bool = True

    def ready(self) -> None:
        """Load the model, if any, so that loading is not counted as playing."""
        if self.model:
            _engine(self.model)


Way = Literal["plain", "default", "daring", "given", "jam"]
WAYS: tuple[Way, ...] = ("plain", "default", "daring", "given", "jam")
DARING = 0.5  # as drummers choose their grooves
DARING_TAKES = 2  # enough to compare two takes of a song
JAMS = 2  # likewise


def model_players(
    name: str, *, seed: int = 0, takes: int = 5, title: str = "", ways: Sequence[Way] = ("plain", "default")
) -> list[Player]:
    """The rows of a model by its modes of playing; no default takes if `takes` is 0.

    "given" plays on the song's own grooves, at temperature 0 and freely: the part left open by a known groove. "jam"
    plays along with the guitar without its future.

    Raises:
        UnknownModelError, CheckpointError: no such model, or a damaged one.
    """
    title = title or name
    whose = f"{title}, kit {_engine(name).kit.name}"  # a damaged model is refused here, and not in a worker

    def row(way: str, meaning: str, player: _ModelPlayer) -> Player:
        plays = Player(f"{title}, {way}", f"{whose}: {meaning}", "model", player.play, model=name, way=way)
        if player.grooves:
            return replace(plays, sees_real=True, swapped=False)
        return replace(plays, play_on=player.play_on)

    rows = list[Player]()
    if "plain" in ways:
        rows.append(row("plain", "its most likely take", _ModelPlayer(name, seed, temperature=0.0)))
    if "default" in ways and takes:
        rows.append(replace(row("default", "as without any option", _ModelPlayer(name, seed)), takes=takes))
    if "daring" in ways:
        meaning = "grooves chosen as drummers choose them"
        daring = row(f"--daring {DARING}", meaning, _ModelPlayer(name, seed, daring=DARING))
        rows.append(replace(daring, takes=min(max(takes, 1), DARING_TAKES), swapped=False, play_on=None))
    if "jam" in ways and takes:
        jam = Player(f"{title}, jam", f"{whose}: plays along, bar by bar", "model", partial(_jammed, name, seed))
        rows.append(replace(jam, takes=min(takes, JAMS), model=name, way="jam", swapped=False))
    if "given" in ways:
        known = {"song": ("given", "the song's typical bar"), "sections": ("sections", "its sections' typical bars")}
        for grooves, (given, own) in known.items():
            for how, temperature in (("plain", 0.0), ("sampled", 1.0)):
                player = _ModelPlayer(name, seed, temperature, grooves=grooves)
                rows.append(row(f"{given}, {how}", f"on {own}, which it is given, {how}", player))
    return rows


def baseline_players(training: Sequence[Prepared], *, seed: int = 0) -> list[Player]:
    """The baselines as players; one take each, as only one of them varies."""
    return [
        Player(row.name, row.meaning, "baseline", row.play, row.sees_real, swapped=False)
        for row in baselines.baselines(training, seed=seed)
    ]


def groove_players() -> list[Player]:
    """The value of the choice of grooves alone: those of the default take, and the best of those offered."""
    return [
        Player(
            "chosen grooves",
            "the grooves that the default take is played on, looped",
            "baseline",
            chosen_grooves,
            swapped=False,
        ),
        Player(
            "best groove on offer",
            "of the grooves that are offered for the song the one nearest to its drums, looped",
            "baseline",
            best_offered,
            sees_real=True,
            swapped=False,
        ),
    ]


REAL = "real drums"
COPY = "copy those bars"


def real_player() -> Player:
    """The real drummer, for the figures that have a meaning for real drums."""
    return Player(REAL, "the song's own drums", "real", _real, sees_real=True, swapped=False)


def copy_player() -> Player:
    """The baseline of continuations: the known bars, repeated."""
    meaning = "the known bars, repeated to the end"
    return Player(COPY, meaning, "baseline", baselines.silent, play_on=_copy_on, swapped=False)


def shuffled_player(seed: int = 0) -> Player:
    """The song's own bars in random order: right bar by bar, wrong in form."""
    play = partial(_shuffled, seed)
    return Player(
        "shuffled bars", "the song's own bars in random order", "baseline", play, sees_real=True, swapped=False
    )


def _shuffled(seed: int, song: Prepared, take: int) -> Grid:
    form, rng = song.guitar_grid.form, np.random.default_rng([seed, take, 5])
    source = np.arange(len(form.steps))
    for steps in np.unique(form.steps):
        bars = np.flatnonzero(form.steps == steps)
        source[bars] = rng.permutation(bars)
    pieces = zip(source.tolist(), form.first.tolist(), strict=False)
    return Grid.join([form.notes_between(song.drums, bar, bar + 1).shift(first) for bar, first in pieces])


def _real(song: Prepared, take: int) -> Grid:
    return song.drums


def _copy_on(song: Prepared, bars: range, take: int) -> Grid:
    form = song.guitar_grid.form
    known = [form.notes_between(song.drums, bar, bar + 1) for bar in bars]
    first = form.first
    pieces = []
    for target in range(bars.start, len(form.steps)):
        own = known[(target - bars.start) % len(known)]
        fits = own.select(own.step < form.steps[target])
        pieces.append(fits.shift(first[target]))
    return Grid.join(pieces)


@cache
def _engine(name: str) -> engine.Engine:
    """A model, loaded once a process."""
    return engine.load(name)


@dataclass(frozen=True)
class _ModelPlayer:
    """A model in one mode of playing, which goes to other processes by its name.

    seed: of take 0, the next have the next. grooves: the song's own that it is given, of the "song" or "sections".
    """

    name: str
    seed: int
    temperature: float | None = None
    daring: float = 0.0
    grooves: str = ""

    def play(self, song: Prepared, take: int) -> Grid:
        return self._played(song, take, {})

    def play_on(self, song: Prepared, bars: range, take: int) -> Grid:
        kit, given = to_kit(_engine(self.name).kit), {}
        for bar in bars:
            known = song.guitar_grid.form.notes_between(song.drums, bar, bar + 1)
            voice = kit[known.key]
            given[bar] = known.select(voice >= 0)._replace(key=voice[voice >= 0])
        return self._played(song, take, given)

    def _played(self, song: Prepared, take: int, given: Mapping[int, Grid]) -> Grid:
        wishes: dict[str, Any] = {"seed": self.seed + take, "temperature": self.temperature, "daring": self.daring}
        if self.grooves and len(song.drums.step):
            wishes["groove"] = of_song(song, by_section=self.grooves == "sections")
        return play_heard(_engine(self.name), song.guitar_grid, given=given, **wishes)


def _jammed(name: str, seed: int, song: Prepared, take: int) -> Grid:
    """The drums of a jam with the song's guitar as a listener hears them, until the song's last bar."""
    player, form = _engine(name), song.guitar_grid.form
    if not len(song.guitar_grid.guitar.step):
        return baselines.silent(song, take)
    duet = duet_of(song.guitar_grid, Grid.join([]))
    whole = replace(duet.song, parts=duet.guitars)
    bars = jammed_bars(player, whole, Options(seed=seed + take, track="1")).bars
    return to_full(Grid.join([bar.hits.shift(form.first[bar.number]) for bar in bars[: len(form.steps)]]), player.kit)


def play_heard(
    player: engine.Engine, guitar_grid: GuitarGrid, *, given: Mapping[int, Grid] | None = None, **wishes: Any
) -> Grid:
    """A whole take with a drummer's default options; the only place where a model plays.

    given: known bars, their steps counted from the barline and their keys voices of the engine's kit; the take is based
    on their typical bars. wishes: fields of `Options`, with grooves as values. Returns hits whose keys are voices of
    the full kit.
    """
    form, options = guitar_grid.form, of_band(Options(**wishes), player.band).with_ways()
    first, stop = guitar_grid.sounding
    if given:
        first, stop = min(first, *given), max(stop, max(given) + 1)
        known = to_full(Grid.join(given[bar].shift(form.first[bar]) for bar in sorted(given)), player.kit)
        if options.groove is None and len(known.step):
            options = replace(options, groove={WHOLE: typical(known, form)}, temperature=options.freedom)
    inputs = {"plan": plan_of(guitar_grid, options, player.kit), "controls": options.controls, "given": given}
    return take_of(play_grid(player, guitar_grid, options.sampling, first=first, stop=stop, **inputs), form, player.kit)


def plan_of(guitar_grid: GuitarGrid, options: Options, kit: Kit) -> Plan:
    """The plan for a guitar under some options, with grooves as values."""
    asks_nothing = options == Options(seed=options.seed, temperature=options.temperature)
    grooves = safest(guitar_grid) if asks_nothing else choosing.chosen(guitar_grid, passages(guitar_grid), options)
    return make_plan(guitar_grid, passages(guitar_grid), grooves, options, kit)


# --- grooves of songs -------------------------------------------------------------------------------------------------

_CACHED_SONGS = 4  # cached for all players of an evaluation


@lru_cache(_CACHED_SONGS)
def passages(guitar_grid: GuitarGrid) -> Sequence[Section]:
    """The sections of a guitar."""
    return sections(guitar_grid)


@lru_cache(_CACHED_SONGS)
def safest(guitar_grid: GuitarGrid) -> Mapping[str, Groove]:
    """The default grooves of a guitar, by the letters of its sections."""
    return choosing.chosen(guitar_grid, passages(guitar_grid), Options())


def of_song(song: Prepared, *, by_section: bool = False) -> dict[str, Groove]:
    """The typical bars of a song's drums, or of the drums in each section as well, by its letter.

    Raises:
        OptionError: the drummer never plays.
    """
    form = song.guitar_grid.form
    grooves = {WHOLE: typical(song.drums, form)}
    if by_section:
        letters = np.array(Plan.of_sections(len(form.steps), passages(song.guitar_grid)).letter)
        struck = np.unique(form.bar_of(song.drums.step))
        for letter in dict.fromkeys(letters[struck].tolist()):
            grooves[letter] = typical(song.drums, form, struck[letters[struck] == letter])
    return grooves


def looped(guitar_grid: GuitarGrid, grooves: Mapping[str, Groove]) -> Grid:
    """The grooves of the sections by their letters, or of `WHOLE`, repeated where the guitar sounds."""
    form = guitar_grid.form
    plan = Plan.of_sections(len(form.steps), passages(guitar_grid))
    pieces = []
    for bar in range(*guitar_grid.sounding):
        groove = grooves.get(plan.letter[bar], grooves.get(WHOLE))
        if groove is not None:
            fits = _fitted(groove, int(form.numerator[bar]), int(form.denominator[bar])).bar(int(plan.number[bar]))
            pieces.append(fits.select(fits.step < form.steps[bar]).shift(int(form.first[bar])))
    return Grid.join(pieces)


@cache
def _fitted(groove: Groove, numerator: int, denominator: int) -> Groove:
    return groove.fitted(numerator, denominator)


def chosen_grooves(song: Prepared, take: int) -> Grid:
    """The grooves of the default take, looped."""
    return looped(song.guitar_grid, safest(song.guitar_grid))


def best_offered(song: Prepared, take: int) -> Grid:
    """The offered groove that has most in common with the real drums of a song, looped."""
    form = song.guitar_grid.form
    real = drums_of(song.drums, form)
    counted = np.repeat(judged_bars(real), form.steps)
    hits = real.velocity[counted] > 0

    def in_common(grid: Grid) -> float:
        made = drums_of(grid, form).velocity[counted] > 0
        return f1(float((made & hits).sum()), float(made.sum()), float(hits.sum()))

    offered = choosing.offered(song.guitar_grid, passages(song.guitar_grid), Options())
    takes = [looped(song.guitar_grid, {WHOLE: groove}) for groove, _ in offered]
    return max(takes, key=in_common, default=baselines.silent(song, take))


def count(songs: Sequence[Prepared], workers: int = 1) -> tuple[int, str, int]:
    """The number of grooves that lead the default takes of some songs, the commonest leader, and its songs.

    A groove leads if it has most bars of a song; songs in metres without a known groove are left out.
    """
    leading = Counter(name for name in results_of(_leading, [song.guitar_grid for song in songs], workers) if name)
    (most, times), *_ = leading.most_common(1) or [("none", 0)]
    return len(leading), most, times


def _leading(guitar_grid: GuitarGrid) -> str:
    """The name of the groove that leads the default take to a guitar, or "" if none is known."""
    plan = Plan.of_sections(len(guitar_grid.form.steps), passages(guitar_grid), safest(guitar_grid))
    names = Counter(groove.name for groove in plan.grooves if groove is not None)
    return names.most_common(1)[0][0] if names else ""
