"""The verb everyone calls: `Drummer.load().accompany("song.mid").save("drums.mid")`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from seq2drum.errors import OptionError
from seq2drum.formats.opening import open_song
from seq2drum.lattice.gestures import rests, stopped
from seq2drum.lattice.grid import encode
from seq2drum.lattice.grooves.grooves import Groove
from seq2drum.lattice.phrases import merge
from seq2drum.music import drum_maps, theory
from seq2drum.music.choices import MOST_TAKES
from seq2drum.music.duet import redrummed
from seq2drum.music.explanation import Swap
from seq2drum.music.limits import DEFAULT_LIMITS, Limits
from seq2drum.music.notes import NO_PEDAL, IntArray, Part, Song, in_order
from seq2drum.music.shown import Shown
from seq2drum.play import take
from seq2drum.play.arranging import arranged
from seq2drum.play.checkpoint.folder import DEFAULT
from seq2drum.play.decode import decoding, engine
from seq2drum.play.decode.decoding import Wish
from seq2drum.play.decode.engine import Ahead, AskingStream, Engine, next_of
from seq2drum.play.decode.ensemble import Ensemble
from seq2drum.play.feel.humanise import Touch
from seq2drum.play.grooves import choosing
from seq2drum.play.kept import Joint, kept_of
from seq2drum.play.options import Options
from seq2drum.play.take import TRACK_NAME, DrumBar, Sheet, Take, ranked
from seq2drum.play.wishes import settled

AT_ONCE = 16  # takes of a song that are played together; more would gain little


@dataclass(frozen=True)
class Drummer(Shown):
    """A loaded model, ready to play to any number of songs."""

    engine: Engine

    @staticmethod
    def load(model: str | os.PathLike[str] = DEFAULT, *, threads: int = 1) -> Drummer:
        """Load a model by name, or from a folder that training made.

        Raises:
            UnknownModelError, CheckpointError: there is no such model, or it is damaged.
        """
        return Drummer.of(Ahead(lambda: engine.load(str(model), threads=threads)))

    @staticmethod
    def of(model: Ahead[Engine]) -> Drummer:
        """A drummer with a model that is being loaded. Meanwhile the grooves are read that most songs are played on.

        Raises:
            UnknownModelError, CheckpointError: as `load`.
        """
        choosing.make_ready()
        return Drummer(model.value())

    def sheet(
        self,
        song: Song | bytes | str | os.PathLike[str],
        options: Options | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
        drums: Song | None = None,
    ) -> Sheet:
        """Read a song and what is wanted, ready to be played: for playing several at once.

        drums: has the drums that stand in place of the song's own, where some of these are to stay.

        Raises:
            InputError, OptionError: as `accompany`.
        """
        options = options or Options()
        song, source = (song, None) if isinstance(song, Song) else open_song(song, limits=limits)
        if drums is not None:
            song = redrummed(song, drums)
        return settled(Sheet(song, theory.choose_parts(song, options.track), options, source), limits)

    def accompany(self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None) -> Take:
        """Play drums to a song: a `Song`, or a file of any kind that `formats.opening` knows, its path or its bytes.

        Raises:
            InputError: the song cannot be read or has no guitar. The message says what to do.
            OptionError: there is no such groove, section or bar.
        """
        sheet = self.sheet(song, options)
        return sheet.take(self.engine.run(self.playing(sheet)))

    def stream(self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None) -> Iterator[DrumBar]:
        """The same take, bar by bar as it is made. To cancel, stop asking.

        Raises:
            InputError: as `accompany`, at once and not with the first bar.
        """
        return self.engine.run(self.playing(self.sheet(song, options)))

    def takes(
        self,
        song: Song | bytes | str | os.PathLike[str],
        options: Options | None = None,
        count: int = 1,
        *,
        drums: Song | None = None,
    ) -> list[Take]:
        """Several takes, the best first.

        One of them is `accompany`'s; the others have seeds that are made from its seed, and are in their options, and
        are played on other grooves that fit, unless one is asked for. The score says how much a take has in common with
        what drummers would play to this guitar, see `take.ranked`. drums: as `sheet` has it.

        Raises:
            InputError, OptionError: as `accompany`; count is not 1 to MOST_TAKES.
        """
        options = options or Options()
        if not 1 <= count <= MOST_TAKES:
            raise OptionError(f"{count} takes are asked for, wanted 1 to {MOST_TAKES}")
        sheets = self.sheet(song, options, drums=drums).variants(count)
        bars: list[list[DrumBar]] = [[] for _ in sheets]
        for begin in range(0, count, AT_ONCE):
            ensemble = Ensemble[int, DrumBar](self.engine)
            for index in range(begin, min(begin + AT_ONCE, count)):
                ensemble.join(index, self.playing(sheets[index]))
            for index, bar in ensemble.run():
                bars[index].append(bar)
        takes = [sheet.take(played) for sheet, played in zip(sheets, bars, strict=True)]
        return ranked(takes, sheets[0].options)

    def playing(self, sheet: Sheet) -> AskingStream[DrumBar]:
        """The bars of a take: what stays of the song's own drums and what is played. It asks the engine, see `engine`.

        Raises:
            OptionError: something of the song's own drums should stay, but there are none, or there is no such bar.
        """
        # 1. Listen to the guitar, and see what of the song's own drums stays.
        song, options, kit = sheet.song, sheet.options, self.engine.kit
        listening = sheet.listen()
        lattice, heard = listening.lattice, listening.heard
        drum_map = drum_maps.load(options.drum_map)
        kept = kept_of(song, lattice, options, drum_map, kit)
        # 2. Ask for the bars in which anything sounds.
        resting = rests(song, lattice)
        sounding = np.flatnonzero(~resting)
        first, stop = int(sounding[0]), int(sounding[-1]) + 1
        without, controls, given = sheet.unplaced, options.controls, kept.given
        notes, numbers = encode(_sounding(song), lattice), listening.numbers
        arrange = partial(arranged, heard, sheet.sections, kit=kit, notes=notes, numbers=numbers)
        grooves, placed, wishes = sheet.unplaced_grooves, dict[str, Groove](), list[Wish]()
        if without is not options:
            placed = take.grooves(options, sheet.sections)
            wishes = take.wishes(options, without, placed, grooves, heard.form, arrange)
        still = stopped(resting)
        played = decoding.playing(
            self.engine,
            heard,
            without.sampling,
            plan=arrange(grooves, without),
            controls=controls,
            first=first,
            stop=stop,
            given=given,
            stopped=still,
            wishes=wishes,
        )
        played_on = (grooves if grooves.keys() - placed else placed).values()
        brushes = all("brush" in groove.title for groove in played_on) and bool(played_on)
        program, is_xg = drum_map.kit_to_play(song, brushes=brushes, stays=bool(options.prime or options.bars))
        touch, joint = Touch(options, heard, kit), Joint(kept, lattice, kit, song)
        bars, parts, pedal, swaps = song.bars(), list[Part](), list[IntArray](), list[Swap]()
        for index, piece in enumerate(lattice.bars):
            # 3. Strike each as it comes, and write what does not stay as it is. Nothing is asked of the bars after it.
            if index < kept.stop:
                _, hits, unwished = yield from next_of(played)
                own_joint = joint
                if unwished is None:
                    struck = touch.strike(index, hits)
                else:
                    own_joint = joint.aside()
                    struck, plain = touch.strike_both(index, hits, unwished)
                    joint.fitted(index, plain, program, is_xg=is_xg)  # what comes next goes on from it
                if kept.first <= index:
                    fitted = own_joint.fitted(index, struck, program, is_xg=is_xg)
                    written = drum_map.apply(fitted)
                    parts.append(written)
                    pedal.append(written.pedal)
                    swaps += drum_map.swaps(fitted) if len(fitted) else ()
            # 4. A bar is complete with its last piece; a long one has several on the lattice.
            bar = bars[piece.index]
            if piece.end == bar.end:
                is_last = bar.index + 1 == len(bars)
                own = kept.within(bar, last=is_last)
                pedal.append(kept.pedal_within(bar, last=is_last))
                if len(parts) == 1 and not len(own):
                    part = replace(parts[0], program=program, name=TRACK_NAME, is_xg=is_xg, pedal=NO_PEDAL)
                else:
                    rows = np.concatenate([own, *(part.rows for part in parts)])
                    part = Part.of(rows, program=program, name=TRACK_NAME, is_drums=True, is_xg=is_xg)
                positions = in_order(pedal)
                yield DrumBar(bar, replace(part, pedal=positions) if len(positions) else part, tuple(swaps))
                parts, pedal, swaps = [], [], []


def _sounding(song: Song) -> Part:
    """Everything but drums, as one part; the guitar at least."""
    return merge([part for part in song.parts if not part.is_drums and len(part)])
