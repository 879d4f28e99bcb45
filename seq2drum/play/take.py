"""A finished drum part: its origin, its bars, and the ranking of several takes of a song."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from seq2drum.formats.midi import midi
from seq2drum.lattice.explain import explain
from seq2drum.lattice.features import SongGrid
from seq2drum.lattice.grid import encode
from seq2drum.lattice.sections import sections
from seq2drum.music import drum_maps
from seq2drum.music.choices import NO_PERCUSSION
from seq2drum.music.duet import Duet
from seq2drum.music.explanation import Explanation, Piece, SectionGroove, Swap, explained, piece
from seq2drum.music.kit import FULL
from seq2drum.music.notes import Bar, Marker, Part, Song
from seq2drum.music.shown import Shown
from seq2drum.music.song_plan import CYMBALS, PlannedSection, SongPlan
from seq2drum.music.theory import GuitarChoice
from seq2drum.play.grooves import choosing
from seq2drum.play.listen import Guitar
from seq2drum.play.options import Options
from seq2drum.play.session import PLAIN, Delivery, Session, delivered, split
from seq2drum.system import files

TRACK_NAME = "Drums"


@dataclass(frozen=True)
class DrumBar(Shown):
    """One bar of a take as it is made: the bar, and its hits as notes in ticks of the song.

    Its hits use the notes of `Options.drum_map`; its program is the kit. A hit on the downbeat may begin just before
    the barline. swaps: hits of pieces that this kit lacks. plan: that of the sections that begin in it.
    """

    bar: Bar
    part: Part
    swaps: tuple[Swap, ...] = ()
    plan: SongPlan = ()


@dataclass(frozen=True)
class Take(Shown):
    """A finished drum part.

    song: the song played to. part: the drums, on the notes of `options.drum_map`. guitar: the guitar parts, and the
    reason for the choice. source: the bytes of the song's MIDI file, if it has one. score: the rank score of
    `Drummer.takes`. grooves: the groove of each section, in the order of the song. sections: the start of each section,
    and its name. named: whether the song's markers name the sections. swaps: hits of pieces that the drum map lacks, by
    piece. plan: how each section is built; () where no drummer planned any.
    """

    song: Song
    part: Part
    guitar: GuitarChoice
    options: Options
    source: bytes | None = None
    score: float | None = None
    grooves: tuple[SectionGroove, ...] = ()
    sections: tuple[Marker, ...] = ()
    named: bool = False
    swaps: tuple[Swap, ...] = ()
    plan: SongPlan = ()

    @property
    def standard_part(self) -> Part:
        """The drums on the notes of General MIDI."""
        return drum_maps.load(self.options.drum_map).read(self.part)

    @property
    def duet(self) -> Duet:
        """The guitar and these drums, for pictures, sound and scores."""
        return Duet(self.song, tuple(self.song.parts[index] for index in self.guitar.parts), self.standard_part)

    @property
    def drum_song(self) -> Song:
        """The drums alone, with the song's ticks per quarter, tempo map, metre map, length and `markers`."""
        return replace(self.song, parts=(self.part,), length=self.song.end, markers=self.markers)

    @property
    def markers(self) -> tuple[Marker, ...]:
        """The markers of the file: its own, and the found sections where it names none."""
        return self.song.markers if self.named else tuple(sorted({*self.song.markers, *self.sections}))

    def delivered(self, session: Session) -> Delivery:
        """The song and these drums as a session delivers them."""
        song = replace(self.song, markers=self.markers)
        return delivered(song, self.part, drum_maps.load(self.options.drum_map), session)

    def behind(self, count_in: int) -> Take:
        """The take behind a count-in of some bars; for 0, itself."""
        if not count_in:
            return self
        given = self.delivered(Session(count_in))
        moved = tuple(marker._replace(tick=marker.tick + given.shift) for marker in self.sections)
        plan = tuple(row.behind(count_in) for row in self.plan)
        return replace(self, song=given.song, part=given.drums[0], source=None, sections=moved, plan=plan)

    def audible(self, session: Session) -> tuple[Duet, tuple[Part, ...]]:
        """The duet behind the count-in, and the click, if there is one."""
        given = self.delivered(replace(session, split=False, channels=False))
        drums = drum_maps.load(self.options.drum_map).read(given.drums[0])
        return Duet(given.song, tuple(given.song.parts[index] for index in self.guitar.parts), drums), given.click

    def audible_tracks(self, session: Session) -> tuple[Song, tuple[Part, ...], dict[str, tuple[Part, ...]]]:
        """The song behind the count-in, the guitars, and the tracks of the drums and the click, by lower-case name."""
        duet, click = self.audible(session)
        parts = (*split(duet.drums, drum_maps.load(drum_maps.GM)), *click)
        return duet.song, duet.guitars, {part.name.lower(): (part,) for part in parts}

    def to_bytes(self, *, with_guitar: bool = False, session: Session = PLAIN) -> bytes:
        """The take as a MIDI file. With the guitar, the original file with these drums in place of its own."""
        given = self.delivered(session)
        drums = (
            [replace(part, is_drums=False, is_xg=False) for part in given.drums] if session.channels else given.drums
        )
        tracks = (*drums, *given.click)
        if not with_guitar:
            return midi.serialise(replace(given.song, parts=tracks, length=given.song.end))
        if self.source is not None:
            by_hand = any(marker.is_section for marker in self.song.markers)
            said = given.song.markers if given.shift or by_hand or self.markers != self.song.markers else None
            return midi.with_drums(self.source, *tracks, delay=given.shift, metres=given.metres, markers=said)
        pitched = (part for part in given.song.parts if not part.is_drums)
        return midi.serialise(replace(given.song, parts=(*pitched, *tracks), length=given.song.end))

    def explain(self) -> tuple[Explanation, ...]:
        """Return the explanations of the take, bar by bar, with the guitar that each follows; see `explain`."""
        song_grid = SongGrid.of(self.song, self.guitar.parts)
        hits = encode(self.standard_part, song_grid.lattice, FULL)
        form, beside = song_grid.form, list[tuple[int, int, Piece]]()
        if self.options.percussion != NO_PERCUSSION:
            from seq2drum.play.grooves.percussion import drummers_own, passages  # most takes have none

            beside += [(first, last, piece(f"beside.{name}")) for name, first, last in passages(hits, form)]
            hits = drummers_own(hits)
        heard_by = Guitar(self.song, self.guitar)
        others = heard_by.others(self.options.instead)
        for name, other in dict.fromkeys(pair for those in others for pair in those.items()):
            struck = np.unique(form.bar_of(hits.step[hits.key == FULL.places[other]])).tolist()
            bars = [bar for bar in struck if others[bar].get(name) == other]
            if bars and name != other:
                beside.append((bars[0], bars[-1], piece("instead", piece=name, other=other)))
        begun = dict(zip(song_grid.numbers.tolist(), others, strict=True))
        plan = [_told(row, begun.get(row.enters or row.first, {})) for row in self.plan]
        titles = {groove.section: groove.title for groove in self.grooves}
        out = heard_by.out(self.options.out, self.options.enter)
        guitar, numbers = song_grid.guitar_grid, song_grid.numbers
        also = [explained(int(numbers[first]), int(numbers[last]), said) for first, last, said in beside]
        told = (*also, *explain(hits, guitar, numbers=numbers, grooves=titles, out=out, plan=plan))
        told = tuple(sorted(told, key=lambda each: each.first))
        heard = choosing.heard(guitar, sections(guitar), self.options)
        if heard is None:
            return told
        first, stop = guitar.sounding
        said = [piece("heard", style=heard.style, share=f"{heard.share:.2f}".removeprefix("0"))]
        said += [piece(f"heard.{heard.figure}")] if heard.figure else []
        return explained(int(numbers[first]), int(numbers[stop - 1]), *said), *told

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        with_guitar: bool = False,
        session: Session = PLAIN,
        overwrite: bool = True,
    ) -> Take:
        """Write the take to a MIDI file, whole or not at all.

        Raises:
            OutputError: it cannot be written; an existing file is unchanged.
        """
        files.write_file(path, self.to_bytes(with_guitar=with_guitar, session=session), overwrite=overwrite)
        return self


def _told(row: PlannedSection, others: Mapping[str, str]) -> PlannedSection:
    """A section of a plan on the cymbal that plays in place of its own."""
    cymbal = None if row.cymbal is None else others.get(row.cymbal, row.cymbal)
    return row._replace(cymbal=cymbal if cymbal in CYMBALS else None)


def ranked(takes: Sequence[Take], request: Options) -> list[Take]:
    """Takes of one song with their scores, the best first; a single take has no score. request: the resolved options.

    The score is the expected agreement with what a drummer would play, see `choosing.worths`: it is low for too many
    crashes or a lost groove.
    """
    if len(takes) == 1:
        return list(takes)
    song_grid = SongGrid.of(takes[0].song, takes[0].guitar.parts)
    passages = sections(song_grid.guitar_grid)
    hits = [encode(take.standard_part, song_grid.lattice, FULL) for take in takes]
    if request.percussion != NO_PERCUSSION:
        from seq2drum.play.grooves.percussion import drummers_own

        hits = [drummers_own(each) for each in hits]
    scores = choosing.worths(hits, song_grid.guitar_grid, passages, request)
    scored = [replace(take, score=score) for take, score in zip(takes, scores, strict=True)]
    return sorted(scored, key=lambda take: -(take.score or 0))


VERSION = 1
"""The version of the format. It rises when a field goes away or changes its meaning."""


def as_json(take: Take) -> bytes:
    """The take as JSON, in ticks and seconds of the song; each hit is in the bar of its onset."""
    song, part = take.song, take.part
    voices = drum_maps.load(take.options.drum_map).voices(part).tolist()
    sections = {marker.tick: marker.text for marker in take.sections}
    hits = [
        {
            "piece": FULL.names[voice] if voice >= 0 else None,
            "note": note.pitch,
            "tick": note.onset,
            "seconds": round(song.seconds(note.onset), 6),
            "velocity": note.velocity,
        }
        for note, voice in zip(part, voices, strict=True)
    ]
    bars, at = [], 0
    for bar in song.bars():
        end = at
        last = bar.index + 1 == len(song.bars())
        while end < len(hits) and (last or part.onset[end] < bar.end):
            end += 1
        bars.append(
            {
                "number": bar.index + 1,
                "tick": bar.start,
                "length": bar.length,
                "seconds": round(song.seconds(bar.start), 6),
                "metre": [bar.numerator, bar.denominator],
                "section": sections.get(bar.start),
                "hits": hits[at:end],
            }
        )
        at = end
    held = {
        "format": "seq2drum take",
        "version": VERSION,
        "seed": take.options.seed,
        "drum_map": take.options.drum_map,
        "ticks_per_quarter": song.ticks_per_quarter,
        "tempos": [{"tick": tempo.tick, "bpm": round(tempo.bpm, 6)} for tempo in song.tempo_map],
        "grooves": [groove._asdict() for groove in take.grooves],
        "bars": bars,
    }
    return (json.dumps(held, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")
