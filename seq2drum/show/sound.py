"""A duet as sound, rendered by FluidSynth: guitars with a General MIDI soundfont, drums on a kit, if there is one.

Guitars and drums are rendered apart, the drums go over their bus, both are brought to equal loudness, and mixed into a
WAV file; loudspeakers are not used here.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from seq2drum.data.drums.loops import LEAD, LEVELS, SHOT, Shots
from seq2drum.errors import OptionError
from seq2drum.lattice.patterns import RATE as SHOT_RATE
from seq2drum.lattice.patterns import resampled
from seq2drum.music.duet import Duet
from seq2drum.music.kit import NINE
from seq2drum.music.notes import Part, Song, Tempo
from seq2drum.show import bus, fluidsynth, kits, loudness
from seq2drum.show.fluidsynth import Job
from seq2drum.show.kits import Sounds
from seq2drum.show.loudness import CEILING, RATE, Sound, factor, limited, peak, wav_file

MOST_SECONDS = 900.0
"""Longer songs are cut here, as long as a recording may be: 159 MB of WAV. Stems take up to 3.6 GB to make."""
LOUDNESS = -14.0
"""The loudness of the mix in LUFS, that of music where it is streamed."""
DRUMS_OVER_GUITAR = 0.0
"""The loudness of the drums relative to the guitars, in LU."""

_FADE = 0.3  # seconds, at the very end
_SILENCE = 10 ** (-66 / 20)  # amplitude below which a sound has ended


def check(sounds: Sounds | None = None) -> None:
    """Refuse what `wav` would refuse without a synthesiser; see `fluidsynth.find` and `kits.find`."""
    sounds = sounds or Sounds()
    fluidsynth.find(sounds.soundfont)
    kits.find(sounds)


def seconds(duet: Duet, span: tuple[int, int] | None = None) -> float:
    """Seconds until the last note of a duet ends: of all notes, or of those that begin in a span of ticks."""
    first, last = span or (0, duet.song.end + 1)
    ends = [
        int((part.onset + part.duration)[(part.onset >= first) & (part.onset < last)].max(initial=first))
        for part in (*duet.guitars, duet.drums)
    ]
    return duet.song.seconds(max(ends)) - duet.song.seconds(first)


def clock(seconds: float) -> str:
    """Minutes and seconds, as players show them."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def wav(
    duet: Duet,
    *,
    sounds: Sounds | None = None,
    span: tuple[int, int] | None = None,
    beside: Sequence[Part] = (),
    recording: Sound | None = None,
    most_seconds: float = MOST_SECONDS,
    show: Callable[[float], None] = lambda share: None,
) -> bytes:
    """A WAV file, 16 bits, stereo: guitars and drums by the song's tempo map, until they have rung out.

    The same duet with the same FluidSynth and soundfont gives the same bytes.

    Args:
        duet: Guitars and drums.
        sounds: What sound is made with; by default what is found.
        span: The range of ticks in which notes begin.
        beside: Sounds with the drums, and as loud: a click.
        recording: Replaces the guitars, from the song's start on.
        most_seconds: Notes that begin later are left out, and those that still sound then are cut.
        show: Called from time to time with the share rendered so far, from 0 to 1.

    Raises:
        MissingExtraError, OptionError: see `fluidsynth.find`.
        OutputError: FluidSynth failed.
    """
    if recording is not None:
        duet = duet._replace(guitars=())
    guitars, drums = stems(duet, sounds=sounds, span=span, beside=beside, most_seconds=most_seconds, show=show)
    if recording is not None:
        return wav_file(_finished(over(recording[: round(most_seconds * RATE)], drums)))
    return wav_file(_finished(mix(guitars, drums)))


def lasts(data: bytes) -> float:
    """The seconds of sound in a file of `wav`."""
    return len(data) / 4 / RATE


def stems(
    duet: Duet,
    *,
    sounds: Sounds | None = None,
    span: tuple[int, int] | None = None,
    beside: Sequence[Part] = (),
    most_seconds: float = MOST_SECONDS,
    show: Callable[[float], None] = lambda share: None,
) -> tuple[Sound, Sound]:
    """Guitars, and drums with their bus, not balanced; see `wav`."""
    groups, sounds = (duet.guitars, (duet.drums, *beside)), sounds or Sounds()
    guitars, drums = _rendered(duet.song, groups, (False, True), sounds, span, most_seconds, show)
    return guitars, drums if sounds.dry else bus.bussed([drums])[0]


def _rendered(
    song: Song,
    groups: Sequence[Sequence[Part]],
    on_kit: Sequence[bool],
    sounds: Sounds,
    span: tuple[int, int] | None,
    most_seconds: float,
    show: Callable[[float], None] = lambda share: None,
) -> list[Sound]:
    """Groups of parts of a song, each as one sound. on_kit: whether its drums are played on the kit."""
    synthesiser, kit = fluidsynth.find(sounds.soundfont), kits.find(sounds)
    jobs, owners, played = list[Job](), list[int](), list[Sound]()
    done: list[list[Sound]] = [[] for _ in groups]

    def timed(parts: Sequence[Part]) -> Song:
        return fluidsynth.timed(song, parts, span, most_seconds)

    # 1. Each group with the General MIDI soundfont, and what is on the kit by itself.
    for number, (parts, is_on_kit) in enumerate(zip(groups, on_kit, strict=True)):
        rest = list[Part]()
        for part in parts:
            if not (is_on_kit and kit is not None and part.is_drums):
                rest.append(part)
                continue
            own, lacking = kits.divided(part, kit)
            rest.append(lacking)
            if kit.is_sfz:
                done[number].append(kits.render_sfz(kit, timed((own,))))
            else:
                jobs.append(Job(synthesiser._replace(soundfont=kit.path), timed((own,)), dry=True))
                owners.append(number)
        jobs.append(Job(synthesiser, timed(rest), dry=is_on_kit or sounds.dry))
        owners.append(number)
    # 2. Rendered together, and what belongs together added up.
    played = fluidsynth.render_jobs(jobs, show)
    for number, heard in zip(owners, played, strict=True):
        done[number].append(heard)
    return [each[0] if len(each) == 1 else _sum(each) for each in done]


# --- balance ----------------------------------------------------------------------------------------------------------


_MOST_LIFT = 12.0  # most dB by which one side is raised over the other: brushes stay softer than a strummed guitar
_MOST_SQUEEZE = 9.0  # most dB by which the tallest peak is lowered; a mix that needs more stays softer


def lift(guitars: Sound, drums: Sound) -> float:
    """The gain of the drums, in dB, that makes them as loud as the guitars (`DRUMS_OVER_GUITAR`).

    Soundfonts differ in the loudness of drums: those of FluidR3 are 7 LU below its guitars (median of 24 songs), and
    from song to song it is anything between 1 LU above and 18 below. Measured loudness makes up for that, up to 12 dB.
    """
    wanted = loudness.integrated(guitars) + DRUMS_OVER_GUITAR - loudness.integrated(drums)
    return min(max(wanted, -_MOST_LIFT), _MOST_LIFT) if math.isfinite(wanted) else 0.0


def mix(guitars: Sound, drums: Sound) -> Sound:
    """Guitars and drums as one, balanced by `lift`, and together as loud as `LOUDNESS`.

    Peaks can exceed full scale: see `loudness.limited`.
    """
    mixed = balanced(guitars, drums)
    mixed *= np.float32(level(mixed))
    return mixed


def over(recording: Sound, drums: Sound) -> Sound:
    """A recording and drums as one: the drums as loud as the recording, and both together no louder than it was.

    Drums are raised by at most `lift`. Peaks can exceed full scale: see `loudness.limited`.
    """
    mixed = balanced(recording, drums)
    mixed *= np.float32(level_over(recording, mixed))
    return mixed


def balanced(guitars: Sound, drums: Sound) -> Sound:
    """Guitars, and drums brought to them by `lift`, as one."""
    mixed = np.zeros((max(len(guitars), len(drums)), 2), np.float32)
    mixed[: len(drums)] = drums
    mixed *= np.float32(factor(lift(guitars, drums)))
    mixed[: len(guitars)] += guitars
    return mixed


def level(mixed: Sound) -> float:
    """The factor that makes a mix as loud as `LOUDNESS`, or less if its peaks are too high for that."""
    loud, highest = loudness.integrated(mixed), peak(mixed)
    if not (math.isfinite(loud) and highest > 0):
        return 1.0
    return min(factor(LOUDNESS - loud), factor(CEILING + _MOST_SQUEEZE) / highest)


def level_over(recording: Sound, mixed: Sound) -> float:
    """The factor that makes a mix with a recording no louder than the recording."""
    wanted, loud = loudness.integrated(recording), loudness.integrated(mixed)
    return factor(wanted - loud) if math.isfinite(wanted) and loud > wanted else 1.0


# --- the end ----------------------------------------------------------------------------------------------------------


def ending(sound: Sound) -> NDArray[np.float32]:
    """(frames,): the gain of each frame that fades a sound out where it has rung out."""
    audible = np.flatnonzero(np.abs(sound).max(axis=1, initial=0) > _SILENCE)
    frames = int(audible[-1]) + 1 if len(audible) else 0
    fade = min(round(_FADE * RATE), len(sound))
    shape = np.ones(min(frames + fade, len(sound)), np.float32)
    shape[len(shape) - fade :] = np.linspace(1, 0, fade, dtype=np.float32)
    return shape


def _finished(sound: Sound) -> NDArray[np.int16]:
    """Sound cut where it has rung out, with a fade, and no sample above the ceiling."""
    shape = ending(sound)
    sound = sound[: len(shape)]
    sound *= shape[:, None]
    return limited(sound)


GUITAR, MIX = "guitar", "mix"


def rendered_stems(
    song: Song,
    guitars: Sequence[Part],
    others: Mapping[str, Sequence[Part]],
    *,
    sounds: Sounds | None = None,
    recording: Sound | None = None,
) -> dict[str, Sound]:
    """Each stem by its name, and the mix: all of one length, none above full scale, and the stems add up to the mix.

    song: has the tempos. guitars: sound together. others: the drums, and sounds beside them, by name. recording:
    replaces the guitars, from the song's start on; the mix is then that of `over`.

    Raises:
        MissingExtraError, OptionError: see `fluidsynth.find`.
        OutputError: FluidSynth failed.
    """
    # 1. Each of them by itself.
    groups = dict(others) if recording is not None or not guitars else {GUITAR: guitars, **others}
    on_kit, sounds = [name != GUITAR for name in groups], sounds or Sounds()
    rendered = dict(
        zip(groups, _rendered(song, list(groups.values()), on_kit, sounds, None, MOST_SECONDS), strict=True)
    )
    if not sounds.dry:
        names = [name for name in groups if name != GUITAR]
        rendered |= zip(names, bus.bussed([rendered.pop(name) for name in names]), strict=True)
    if recording is not None:
        rendered = {GUITAR: recording[: round(MOST_SECONDS * RATE)].astype(np.float32), **rendered}  # a copy
    # 2. The balance of guitar and drums, and their loudness together.
    guitar = rendered.get(GUITAR, np.zeros((0, 2), np.float32))
    drums = _sum([one for name, one in rendered.items() if name != GUITAR])
    mixed = balanced(guitar, drums)
    guitar_level = level(mixed) if recording is None else level_over(guitar, mixed)
    raised = guitar_level * factor(lift(guitar, drums))
    del guitar, drums, mixed
    for name, one in rendered.items():
        one *= np.float32(guitar_level if name == GUITAR else raised)
    # 3. The end, and the peaks: those of a stem can be higher than those of the mix.
    mixed = _sum(list(rendered.values()))
    shape = ending(mixed)
    peaks = np.abs(mixed[: len(shape)])
    del mixed
    for one in rendered.values():
        np.maximum(peaks[: len(one)], np.abs(one[: len(peaks)]), out=peaks[: len(one)])
    peaks *= shape[:, None]
    shape *= loudness.gains(peaks)
    del peaks
    for name, one in rendered.items():
        one = one[: len(shape)]
        one *= shape[: len(one), None]
        rendered[name] = np.pad(one, ((0, len(shape) - len(one)), (0, 0)))  # silence up to the same end
    return {**rendered, MIX: _sum(list(rendered.values()))}


def _sum(sounds: Sequence[Sound]) -> Sound:
    total = np.zeros((max(map(len, sounds), default=0), 2), np.float32)
    for one in sounds:
        total[: len(one)] += one
    return total


KITS = MappingProxyType({0: "standard", 16: "power", 24: "electronic", 25: "808"})
"""The programs of General MIDI's kits to render, as far as the soundfont has them."""

_APART = 1500  # milliseconds from hit to hit
_BEFORE = 100  # milliseconds before the first one
_AUDIBLE = 0.02  # share of its peak at which a one-shot begins
_SHOT_FADE = 800  # frames at the end of a one-shot


def kits_of(synthesiser: fluidsynth.Synthesiser) -> dict[int, str]:
    """The kits of a soundfont to render, by program: those of KITS that it has, or else its first one.

    Raises:
        OptionError: it has no kit.
    """
    programs = fluidsynth.drum_programs(synthesiser.soundfont)
    if not programs:
        raise OptionError(f"{str(synthesiser.soundfont)!r} has no drums; wanted a soundfont (.sf2) with a drum kit")
    known = {program: name for program, name in KITS.items() if program in programs}
    return known or {programs[0]: synthesiser.soundfont.stem}


def one_shots(synthesiser: fluidsynth.Synthesiser, programs: list[int]) -> Shots:
    """The nine pieces of some kits at the velocities LEVELS: (kits, 9, levels, SHOT), without reverberation."""
    hits = [(note, velocity) for note in NINE.note_of for velocity in LEVELS]
    onset = _BEFORE + _APART * np.arange(len(hits))
    pitch, velocity = np.array(hits).T
    end = _BEFORE + _APART * (len(hits) + 1)
    songs = []
    for program in programs:
        part = Part.of_columns(onset, np.full_like(onset, 100), pitch, velocity, program=program, is_drums=True)
        songs.append(Song(1000, (part,), (Tempo(0, 1_000_000), Tempo(end, 1_000_000)), length=end))
    shots = np.empty((len(programs), len(hits), SHOT), dtype=np.float32)
    for kit, sound in enumerate(fluidsynth.render(synthesiser, songs, lambda share: None, dry=True)):
        for hit in range(len(hits)):
            first = onset[hit] * loudness.RATE // 1000
            shots[kit, hit] = _cut(sound[first : first + _APART * loudness.RATE // 1000].mean(axis=1))
    return shots.reshape(len(programs), len(NINE), len(LEVELS), SHOT)


def _cut(sound: loudness.Sound) -> loudness.Sound:
    """One hit at SHOT_RATE frames a second, from its onset, with a fade at the end; silence stays silence."""
    padded = np.zeros(_APART * loudness.RATE // 1000, dtype=np.float32)
    padded[: len(sound)] = sound
    slow = resampled(padded, _APART * SHOT_RATE // 1000)
    audible = np.flatnonzero(np.abs(slow) > np.abs(slow).max() * _AUDIBLE)
    first = max(int(audible[0]) - LEAD, 0) if len(audible) else 0
    shot = slow[first : first + SHOT].copy()
    shot[-_SHOT_FADE:] *= np.linspace(1, 0, _SHOT_FADE, dtype=np.float32)
    return shot


def find(soundfont: str | os.PathLike[str] | None = None) -> fluidsynth.Synthesiser:
    """FluidSynth and a soundfont for drums alone; see `fluidsynth.find`."""
    return fluidsynth.find(soundfont, guitars=False)
