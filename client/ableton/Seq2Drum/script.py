"""The control surface: a clip whose name ends in "+drums" gets drums, as a clip on a track beside it.

Rename the guitar's clip, as "Riff +drums" or "Riff +drums style=rock seed=3". The program that plays is another one:
`seq2drum watch` waits in a folder for guitars. docs/guitarists/daw.md says how to set it up.

Live calls `update_display` ten times a second on its main thread, and everything here is done in it, little by little.
There is no thread, since Live's Python freezes with one in some versions, and no waiting; a listener would not do,
since Live lets none change the set. Runs in the Python of Live 11 (3.7) and 12 (3.11).
"""

import json
import re
import time
from pathlib import Path

import Live
from _Framework.ControlSurface import ControlSurface

from .midi_file import read_notes, write_guitar

FOLDER = Path.home() / "seq2drum-daw"
"""The folder that `seq2drum watch` watches."""
TRACK = "Drums (seq2drum)"
TICKS = 960  # of a quarter
SECONDS = 60.0  # until a watch that does not answer is given up
ASKED = re.compile(r"\s*\+drums\b(.*)$", re.IGNORECASE)


class Seq2Drum(ControlSurface):
    """The script, as long as the set is open."""

    def __init__(self, c_instance):
        ControlSurface.__init__(self, c_instance)
        self._waiting = []
        self._takes = {}  # the last seed, by the name of the clip
        self.show_message('seq2drum: end the name of a guitar clip in "+drums" to get drums')

    def update_display(self):
        """Look at the selected clip and for drums that have come. Live calls this ten times a second."""
        ControlSurface.update_display(self)
        try:
            self._look_at(self.song().view.detail_clip)
            for request in list(self._waiting):
                if request.is_over():
                    self._waiting.remove(request)
                    self._take_up(request)
        except Refusal as refusal:
            self.show_message(f"seq2drum: {refusal}")
        except OSError as error:
            self.show_message(f"seq2drum cannot use the folder {FOLDER}: {error}")

    def _look_at(self, clip):
        """Ask for drums if the name of a clip says so."""
        found = ASKED.search(clip.name) if clip is not None else None
        if found is None:
            return
        name = clip.name[: found.start()]
        clip.name = name  # first of all, so that it is not asked for again
        if not clip.is_midi_clip:
            raise Refusal("this clip is audio; convert it to MIDI first (right-click it)")
        seed = self._takes.get(name, 0) + 1
        options = options_of(found.group(1), seed)
        self._takes[name] = int(options["seed"])
        self._waiting.append(Request(clip, name, options, guitar_of(clip, self.song())))
        self.show_message("seq2drum plays to %s ..." % (name or "the clip"))

    def _take_up(self, request):
        """Put drums that have come into the set.

        Raises Refusal if none have come.
        """
        ticks, notes = request.drums()
        track = self._track_beside(request.clip)
        clip = self._new_clip(track, request.clip, request.length)
        clip.name = ", ".join(part for part in (request.name, "seed {}".format(request.options["seed"])) if part)
        clip.add_new_notes(tuple(specification(note, ticks) for note in notes if note[0] < request.length * ticks))
        self.show_message(f"seq2drum: {clip.name} is on the track {TRACK}")

    def _track_beside(self, guitar):
        """Return the track of drums, a new one behind the guitar's if there is none."""
        song = self.song()
        for track in song.tracks:
            if track.name == TRACK:
                return track
        tracks = list(song.tracks)
        own = guitar.canonical_parent  # of a clip of the session its slot, of one of the arrangement its track
        own = own if own in tracks else own.canonical_parent
        song.create_midi_track(tracks.index(own) + 1 if own in tracks else len(tracks))
        track = song.tracks[tracks.index(own) + 1 if own in tracks else len(tracks)]
        track.name = TRACK
        return track

    def _new_clip(self, track, guitar, length):
        """Return a new clip: beside the guitar's, or, in the session, in the next free slot below."""
        if getattr(guitar, "is_arrangement_clip", False) and hasattr(track, "create_midi_clip"):  # Live 12
            return track.create_midi_clip(guitar.start_time, length)
        song = self.song()
        slots = [index for index, slot in enumerate(song.view.selected_track.clip_slots) if slot.clip == guitar]
        index = slots[0] if slots else 0
        while index < len(track.clip_slots) and track.clip_slots[index].has_clip:
            index += 1
        if index == len(track.clip_slots):
            song.create_scene(-1)
        slot = track.clip_slots[index]
        slot.create_clip(length)
        return slot.clip


class Refusal(Exception):
    """A message for the user."""


class Request:
    """Drums that were asked for. length: of the clip, in quarters."""

    def __init__(self, clip, name, options, guitar):
        self.clip, self.name, self.options = clip, name, options
        self.length = guitar["length"]
        FOLDER.mkdir(exist_ok=True)
        number = int(time.time() * 1000)
        while (FOLDER / f"live-{number}.mid").exists():
            number += 1
        name = f"live-{number}"
        self._drums, self._error = FOLDER / (name + ".drums.mid"), FOLDER / (name + ".mid.error.txt")
        self._until = time.time() + SECONDS
        keep(name + ".mid.json", json.dumps(options).encode())
        keep(name + ".mid", guitar["file"])

    def is_over(self):
        """Return whether drums or a reason have come, or nothing for too long."""
        return self._drums.exists() or self._error.exists() or time.time() > self._until

    def drums(self):
        """Return the ticks of a quarter and the notes of the drums.

        Raises Refusal if there are none.
        """
        if self._drums.exists():
            try:
                return read_notes(self._drums.read_bytes())
            except (ValueError, IndexError):
                raise Refusal("what came back is no drum file; try again") from None
        if self._error.exists():
            raise Refusal(self._error.read_text(encoding="utf-8").partition("\n")[0].partition(": ")[2])
        raise Refusal(f"no answer; start it with: seq2drum watch {FOLDER} {FOLDER}")


def options_of(text, seed):
    """Return the options behind +drums, NAME=VALUE each, by their names at `seq2drum watch`.

    Raises Refusal if one has no value.
    """
    options = {"seed": seed}
    for word in text.split():
        name, sign, value = word.partition("=")
        if not (name and sign and value):
            raise Refusal(f'"{word}" is no option; wanted NAME=VALUE, such as style=rock')
        options[name.replace("-", "_")] = value
    if not str(options["seed"]).isdigit():
        raise Refusal(f'the seed is "{options["seed"]}"; wanted a number')
    return options


def guitar_of(clip, song):
    """Return the music of a clip, from the start of its loop to its end: a MIDI file, and its length in quarters.

    Raises Refusal if there are no notes.
    """
    start, end = (clip.loop_start, clip.loop_end) if clip.looping else (clip.start_marker, clip.end_marker)
    notes = []
    for note in clip.get_notes_extended(0, 128, start, end - start):
        if not note.mute:
            length = min(note.duration, end - note.start_time)
            velocity = min(max(round(note.velocity), 1), 127)
            notes.append((ticks_of(note.start_time - start), max(ticks_of(length), 1), note.pitch, velocity))
    if not notes:
        raise Refusal("there are no notes in this clip")
    metres = [(0, clip.signature_numerator, clip.signature_denominator)]
    file = write_guitar(TICKS, song.tempo, metres, [], sorted(notes), ticks_of(end - start))
    return {"file": file, "length": end - start}


def ticks_of(quarters):
    """Return quarters in ticks."""
    return round(quarters * TICKS)


def specification(note, ticks):
    """Return a note (tick, length, pitch, velocity) for Live."""
    return Live.Clip.MidiNoteSpecification(
        pitch=note[2], start_time=note[0] / ticks, duration=max(note[1], 1) / ticks, velocity=note[3]
    )


def keep(name, data):
    """Write a file of the folder, whole or not at all."""
    beside = FOLDER / ".writing"
    beside.write_bytes(data)
    beside.replace(FOLDER / name)
