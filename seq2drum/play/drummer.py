"""The drummer: `Drummer.load().accompany("song.mid").save("drums.mid")`.

A take is made in five steps, a file each: `listen` to the song, `choose` the grooves, `arrange` fills, crashes and the
ending, `play` the bars (`decode.decoding`), `write` them as notes.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.formats.opening import Opened
from seq2drum.lattice.conditions import Controls
from seq2drum.lattice.features import GuitarGrid, features
from seq2drum.lattice.grid import Grid
from seq2drum.lattice.sections import sections
from seq2drum.music import drum_maps, song_plan
from seq2drum.music.choices import MOST_TAKES, NO_PERCUSSION
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import Song
from seq2drum.music.shown import Shown
from seq2drum.music.song_plan import SongPlan
from seq2drum.play.arrange.arrange import arrange
from seq2drum.play.arrange.arranger import Arranger
from seq2drum.play.arrange.fills import add_fills, version_of
from seq2drum.play.arrange.repeats import Repeater, with_changes
from seq2drum.play.arrange.sections import numbered_spans
from seq2drum.play.checkpoint.folder import DEFAULT
from seq2drum.play.choose import Grooves, choose, variants
from seq2drum.play.decode import engine
from seq2drum.play.decode.decoding import PlayedBar, play
from seq2drum.play.decode.engine import ComputationStream, Engine, guided
from seq2drum.play.decode.plan import Arrangement, Plan, decoded_bars
from seq2drum.play.decode.sampling import Sampling
from seq2drum.play.grooves import choosing
from seq2drum.play.kept import kept_of
from seq2drum.play.listen import Guitar, listen
from seq2drum.play.options import Options, of_band
from seq2drum.play.take import DrumBar, Take, ranked
from seq2drum.play.wishes import resolve_options
from seq2drum.play.write import take_of, write


@dataclass(frozen=True)
class Drummer(Shown):
    """A loaded model, ready to play to any number of songs."""

    engine: Engine

    @staticmethod
    def load(model: str | os.PathLike[str] = DEFAULT, *, threads: int = 1) -> Drummer:
        """Load a model, by name or from the folder of a training run, the groove book and the arranger.

        Raises:
            UnknownModelError, CheckpointError: there is no such model, or it is damaged.
        """
        loaded = engine.load(str(model), threads=threads)
        choosing.make_ready()
        Arranger.load()
        Repeater.load()
        return Drummer(loaded)

    def accompany(
        self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None, *, plan: SongPlan = ()
    ) -> Take:
        """Play drums to a song: a `Song`, or a file of any kind that `formats.opening` knows, its path or its bytes.

        plan: where the drums enter, how full and loud each section is and on which cymbal, in place of what the drummer
        draws, such as `Take.plan` of a take to this song, changed or not. Its grooves are not read.

        Raises:
            InputError: the song cannot be read or has no guitar. The message says what to do.
            OptionError: there is no such groove, section or bar, or the plan is of another song.
        """
        guitar, options = self.listen(song, options)
        grooves = planned(guitar, choose(guitar, options), plan)
        return take_of(guitar, grooves, self.engine.run(self.bars(guitar, grooves)))

    def stream(
        self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None, *, plan: SongPlan = ()
    ) -> Iterator[DrumBar]:
        """Yield the bars of the same take as they are made. To cancel, stop iterating.

        Raises:
            InputError: as `accompany`, raised by the call, not with the first bar.
        """
        guitar, options = self.listen(song, options)
        return self.engine.run(self.bars(guitar, planned(guitar, choose(guitar, options), plan)))

    def takes(
        self,
        song: Song | Opened | bytes | str | os.PathLike[str],
        options: Options | None = None,
        count: int = 1,
        *,
        drums: Song | None = None,
        plan: SongPlan = (),
    ) -> list[Take]:
        """Return several takes, the best first.

        One of them is `accompany`'s. The others have seeds derived from its seed (their options have them), and other
        fitting grooves unless one is requested. The score is the expected agreement with what drummers would play to
        this guitar, see `take.ranked`. drums: as in `listen`. plan: of
        all takes, as in `accompany`.

        Raises:
            InputError, OptionError: as `accompany`; count is not 1 to MOST_TAKES.
        """
        if not 1 <= count <= MOST_TAKES:
            raise OptionError(f"{count} takes are requested, wanted 1 to {MOST_TAKES}")
        guitar, options = self.listen(song, options, drums=drums)
        chosen = [planned(guitar, choose(guitar, own), plan) for own in variants(guitar, options, count)]
        # One by one: in batches they would take as long, since joining their memories costs what sharing passes gains.
        played = ((own, list(self.engine.run(self.bars(guitar, own)))) for own in chosen)
        return ranked([take_of(guitar, own, bars) for own, bars in played], options)

    def listen(
        self,
        song: Song | Opened | bytes | str | os.PathLike[str],
        options: Options | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        drums: Song | None = None,
    ) -> tuple[Guitar, Options]:
        """The guitar of a song, and its resolved options: the inputs of `bars`, so that callers can batch songs.

        drums: a file whose drums replace the song's own as those to keep.

        Raises:
            InputError, OptionError: as `accompany`.
        """
        options = of_band(options or Options(), self.engine.band)
        guitar = listen(song, options.track, sections=options.sections, drums=drums, limits=limits)
        return guitar, resolve_options(guitar, options, limits)

    def bars(self, guitar: Guitar, grooves: Grooves) -> ComputationStream[DrumBar]:
        """The bars of a take. The stream yields graph calls for the engine to run, see `engine`.

        Raises:
            OptionError: the options keep drums of the song, and it has none or lacks the bar.
        """
        options, song_grid = grooves.options, guitar.song_grid
        drum_map, out = drum_maps.load(options.drum_map), guitar.out(options.out, options.enter)
        kept = kept_of(guitar.song, song_grid.lattice, options, drum_map, self.engine.kit, out)
        model = guided(self.engine, grooves.without.controls)
        arrangement = yield from arrange(model, guitar, grooves, kept)
        played = play(model, song_grid.guitar_grid, guitar.features, arrangement)
        beside = None
        if options.percussion != NO_PERCUSSION:
            from seq2drum.play.arrange.percussion import beside_drums  # most takes have none

            beside = beside_drums(guitar, grooves, arrangement.sections)
        yield from write(guitar, grooves, kept, played, self.engine.kit, arrangement.sections, beside)


def planned(guitar: Guitar, grooves: Grooves, plan: SongPlan) -> Grooves:
    """Return the grooves with a given plan, for `arrange`.

    Raises:
        OptionError: the plan is of another song, has impossible values, or builds a song that is not to be built.
    """
    if not plan:
        return grooves
    numbers, options = guitar.song_grid.numbers, grooves.options
    song_plan.check(plan)
    song_plan.check_fit(plan, numbered_spans(guitar.song_grid.guitar_grid, guitar.sections, numbers))
    out = set(numbers[guitar.out(options.out, options.enter)].tolist())
    others = [row for row in plan if row.name not in grooves.named]
    is_plain = all(row.is_even and row.without(out) == row._replace(enters=row.first).without(out) for row in others)
    if not grooves.without.arranges and not is_plain:
        raise OptionError(
            "the plan builds the song, but a groove is requested, or arrange is off; choose arrange on"
            " (--arrange on), or leave the plan out"
        )
    return replace(grooves, plan=plan)


def stream_grid(
    engine: Engine,
    guitar_grid: GuitarGrid,
    sampling: Sampling,
    *,
    plan: Plan | None = None,
    controls: Controls | None = None,
    first: int = 0,
    stop: int | None = None,
    given: Mapping[int, Grid] | None = None,
) -> ComputationStream[PlayedBar]:
    """Play to a guitar without a song.

    plan: sections and grooves, to which fills and crashes are added; by default the guitar's sections without grooves.
    For the other arguments, see `Arrangement`.
    """
    form, controls, given = guitar_grid.form, controls or Controls(), given or {}
    count, read, model = len(form.steps), features(guitar_grid), guided(engine, controls)
    plan = plan or Plan.of_sections(count, sections(guitar_grid))
    plan = yield from add_fills(model, read, form, plan, controls.fills, sampling)
    stop = count if stop is None else stop
    decoded, idle = decoded_bars(
        first, stop, given, np.zeros(count, dtype=np.bool_) if plan.silent is None else plan.silent
    )
    if model.hears_changes:
        plan = with_changes(plan, guitar_grid, decoded, sampling)
    take = version_of(plan, decoded, sampling, sampling, controls)
    yield from play(model, guitar_grid, read, Arrangement(take, (), first, stop, given, idle))


def play_grid(engine: Engine, guitar_grid: GuitarGrid, sampling: Sampling, **more: Any) -> Iterator[PlayedBar]:
    """The bars of `stream_grid` as a list."""
    return engine.run(stream_grid(engine, guitar_grid, sampling, **more))
