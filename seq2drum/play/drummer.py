"""The verb everyone calls: `Drummer.load().accompany("song.mid").save("drums.mid")`."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seq2drum import files
from seq2drum.errors import OptionError
from seq2drum.formats import midi
from seq2drum.lattice.grid import Grid, Lattice
from seq2drum.lattice.grid import decode as to_notes
from seq2drum.lattice.listening import Heard
from seq2drum.music import drum_maps, theory
from seq2drum.music.choices import MOST_TAKES
from seq2drum.music.kit import Kit
from seq2drum.music.limbs import Limbs
from seq2drum.music.limits import DEFAULT_LIMITS, SCORE_SUFFIXES, Limits
from seq2drum.music.notes import IntArray, Part, Song
from seq2drum.music.shown import Shown
from seq2drum.music.theory import GuitarChoice
from seq2drum.play import decoding, engine, feel
from seq2drum.play.bar import Sampling
from seq2drum.play.decoding import OPENING_TRIES
from seq2drum.play.engine import Ask, AskingStream
from seq2drum.play.ensemble import Ensemble
from seq2drum.play.folder import DEFAULT
from seq2drum.play.kept import kept_of, playable
from seq2drum.play.options import Options
from seq2drum.play.take import TRACK_NAME, DrumBar, Sheet, Take, ranked

AT_ONCE = 16  # takes of a song that are played together; more would gain little


@dataclass(frozen=True)
class Drummer(Shown):
    """A loaded model, ready to play to any number of songs."""

    engine: engine.Engine

    @staticmethod
    def load(model: str | os.PathLike[str] = DEFAULT, *, threads: int = 1) -> Drummer:
        """Load a model by name, or from a folder that training made.

        Raises:
            UnknownModelError, CheckpointError: there is no such model, or it is damaged.
        """
        return Drummer(engine.load(str(model), threads=threads))

    def sheet(
        self,
        song: Song | bytes | str | os.PathLike[str],
        options: Options | None = None,
        *,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Sheet:
        """Read a song and what is wanted, and get ready to play: for whoever lets several be played at once.

        Raises:
            InputError: as `accompany`.
        """
        options = options or Options()
        song, source = _opened(song, limits)
        return Sheet(song, _guitar(song, options), options, source)

    def accompany(self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None) -> Take:
        """Play drums to a song: a `Song`, the bytes of a MIDI file, or the path of a MIDI or MusicXML file.

        Raises:
            InputError: the song cannot be read or has no guitar. The message says what to do.
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
        self, song: Song | bytes | str | os.PathLike[str], options: Options | None = None, count: int = 1
    ) -> list[Take]:
        """Several takes, the best first.

        The first of them is `accompany`'s; the others have seeds that are made from its seed, and are in their options.
        The score is a take's mean hit F1 with the others: the best is the one of least risk under the model (S. Kumar,
        W. Byrne, Minimum Bayes-risk decoding, 2004). With two takes both have the same.

        Raises:
            InputError, OptionError: as `accompany`; count is not 1 to MOST_TAKES.
        """
        options = options or Options()
        if not 1 <= count <= MOST_TAKES:
            raise OptionError(f"{count} takes are asked for, wanted 1 to {MOST_TAKES}")
        sheets = self.sheet(song, options).variants(count)
        bars: list[list[DrumBar]] = [[] for _ in sheets]
        for begin in range(0, count, AT_ONCE):
            ensemble = Ensemble[int, DrumBar](self.engine)
            for index in range(begin, min(begin + AT_ONCE, count)):
                ensemble.join(index, self.playing(sheets[index]))
            for index, bar in ensemble.run():
                bars[index].append(bar)
        return ranked([sheet.take(played) for sheet, played in zip(sheets, bars, strict=True)])

    def playing(self, sheet: Sheet) -> AskingStream[DrumBar]:
        """The take's bars, what stays of the song's own drums and what is played. Asks the engine, see `engine`.

        Raises:
            OptionError: something of the song's own drums should stay, but there are none, or there is no such bar.
        """
        song, options = sheet.song, sheet.options
        kit, bars = self.engine.kit, song.bars()
        listening = sheet.listen()
        lattice, heard = listening.lattice, listening.heard
        drum_map = drum_maps.load(options.drum_map)
        kept = kept_of(song, lattice, options, drum_map, kit)
        first, stop = _sounding(song, lattice)
        tries = OPENING_TRIES if options.temperature else 1  # the most likely take is one
        sampling = Sampling(options.seed, options.temperature, options.top_p, tries)
        controls, given = options.controls, kept.given
        played = decoding.playing(self.engine, heard, sampling, controls=controls, first=first, stop=stop, given=given)
        touch, limbs = _Touch(options, heard, kit), Limbs(kit)
        struck = {tick: list(voices) for tick, voices in kept.struck.items()}
        rows: list[IntArray] = []
        for index, here in enumerate(lattice.bars):
            if index < kept.stop:
                item, answer = next(played), None
                while isinstance(item, Ask):
                    answer = yield item
                    item = played.send(answer)
                grid = touch.strike(index, item.hits)
            if kept.first <= index < kept.stop:
                if index == kept.first:
                    grid = grid.select((grid.step > 0) | ~np.isin(grid.key, list(kept.downbeat)))
                part = to_notes(grid.shift(lattice.first[index]), lattice, kit)
                found = part.rows[part.onset < kept.high]
                found[:, 0] = np.maximum(found[:, 0], kept.low)
                found = playable(found, kit.voice_of[found[:, 2]], limbs, struck)
                found[:, 1] = np.minimum(found[:, 1], song.end - found[:, 0])
                rows.append(drum_map.apply(Part.of(found, is_drums=True)).rows)
            bar = bars[here.index]
            if here.end == bar.end:
                until = bar.end if bar.index + 1 < len(bars) else math.inf
                rows.append(kept.rows[(kept.rows[:, 0] >= bar.start) & (kept.rows[:, 0] < until)])
                yield DrumBar(bar, Part.of(np.concatenate(rows), name=TRACK_NAME, is_drums=True))
                rows = []


class _Touch:
    """How the hits of a take are struck, where that is not left to the model: bar after bar, the given ones too."""

    def __init__(self, options: Options, heard: Heard, kit: Kit) -> None:
        self.form, self.swing, self.performance = heard.form, options.swing, None
        if options.humanize is None:
            return
        learnt = feel.Feel.load()
        style = options.style if options.style in {*learnt.styles, *feel.STYLE_NAMES} else None
        amount, seed = options.humanize, options.seed
        self.performance = feel.Performance(
            learnt, heard.form, kit=kit, amount=amount, seed=seed, style=style, heard=heard
        )

    def strike(self, bar: int, hits: Grid) -> Grid:
        """The hits of the next bar as they are struck."""
        if self.performance is not None:
            # How loud a bar is stays the model's affair, which was told the intensity; how the hits share it is human.
            felt = self.performance.play(hits)
            louder = np.rint(np.mean(hits.velocity) - np.mean(felt.velocity)) if len(hits.velocity) else 0
            hits = felt._replace(velocity=np.clip(felt.velocity + louder, 1, 127).astype(np.int64))
        if self.swing is not None:
            hits = feel.swing(hits, self.form.between(bar, bar + 1), self.swing)
        return hits


def _opened(song: Song | bytes | str | os.PathLike[str], limits: Limits) -> tuple[Song, bytes | None]:
    if isinstance(song, Song):
        return song, None
    if isinstance(song, bytes):
        return midi.parse(song, limits=limits), song
    path = Path(song)
    if path.suffix.lower() in SCORE_SUFFIXES:
        from seq2drum.formats import notation  # music21: only where it is used

        return notation.read_musicxml(path), None
    data = files.read_file(path, limits.file_bytes)
    return midi.parse(data, limits=limits), data


def _guitar(song: Song, options: Options) -> GuitarChoice:
    return theory.guitar_parts(song) if options.track is None else theory.choose_part(song, options.track)


def _sounding(song: Song, lattice: Lattice) -> tuple[int, int]:
    """The bars from the first to the last in which anything but drums sounds: there is nothing to play to outside."""
    pitched = [part for part in song.parts if not part.is_drums and len(part)]
    starts = np.array([bar.start for bar in lattice.bars])
    begin = min(int(part.onset.min()) for part in pitched)
    end = max(max(part.end, int(part.onset.max()) + 1) for part in pitched)  # a note without length sounds, too
    first = int(np.searchsorted(starts, begin, side="right")) - 1
    return first, int(np.searchsorted(starts, end, side="left"))
