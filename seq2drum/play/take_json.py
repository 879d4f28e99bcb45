"""A take as JSON for other programs: bars, and the hits in them. Its shape is stable: see `docs/take.schema.json`."""

from __future__ import annotations

import json

from seq2drum.music import drum_maps
from seq2drum.music.kit import FULL
from seq2drum.play.take import Take

VERSION = 1
"""Of the shape: a later one has another number only if something in it went away or means another thing."""


def as_json(take: Take) -> bytes:
    """The take as the text of a JSON file, in ticks and seconds of the song; a hit is in the bar in which it falls."""
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
