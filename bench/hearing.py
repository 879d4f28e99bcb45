"""How well recordings are heard: `python bench/hearing.py [--soundfont FILE]`.

Each example is rendered by FluidSynth in three ways: clean (General MIDI program 27), distorted (program 30), driven
(the clean one through tanh at a gain of 20, with noise 46 dB below full scale). Of each: the F-measure of onsets by
mir_eval (50 ms; strikes, that is notes within 40 ms of each other as one), and how far the quarters that are found are
from those of the file, in milliseconds, with librosa's beats beside them. Then the examples, as MIDI, with a tempo that
drifts by known maps: how far the beats that --follow finds are from the true ones.
"""

from __future__ import annotations

import argparse
import io
import sys
import wave
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from bench.machine import machine
from seq2drum.formats.audio import recording
from seq2drum.formats.midi import midi
from seq2drum.lattice.beats import placing
from seq2drum.lattice.beats.performance import Beats, Timing, first_of_each
from seq2drum.lattice.beats.pulse import Found, beats_of
from seq2drum.music.notes import Song
from seq2drum.show import fluidsynth
from seq2drum.show.loudness import RATE

KINDS = ("clean", "distorted", "driven")
NOISE = 0.005

Warp = Callable[[np.ndarray], np.ndarray]
WARPS: dict[str, Warp] = {
    "sways by 3 % in 20 s": lambda t: t + 0.03 * 20 / 6.283 * np.sin(6.283 * t / 20),
    "sways by 6 % in 20 s and 3 % in 7 s": lambda t: (
        t + 0.06 * 20 / 6.283 * np.sin(6.283 * t / 20) + 0.03 * 7 / 6.283 * np.sin(6.283 * t / 7)
    ),
    "hurries by 8 % in a minute": lambda t: t - 0.04 * t * t / 60,
}


def rendered(song: Song, synthesiser: fluidsynth.Synthesiser) -> dict[str, np.ndarray]:
    songs = []
    for program in (27, 30):
        parts = [replace(part, program=program) for part in song.parts if not part.is_drums]
        songs.append(fluidsynth.timed(song, parts, None, 600.0))
    clean, distorted = (0.7 * one / np.abs(one).max() for one in fluidsynth.render(synthesiser, songs, lambda _: None))
    driven = 0.7 * np.tanh(20 * clean) + np.random.default_rng(0).normal(0, NOISE, clean.shape)
    return {"clean": clean, "distorted": distorted, "driven": driven}


def as_wav(sound: np.ndarray) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(np.rint(np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return made.getvalue()


def off(found: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Milliseconds from each found beat to the nearest true one."""
    inside = found[(found > truth[0] - 0.1) & (found < truth[-1] + 0.1)]
    return 1000 * np.abs(inside[:, None] - truth).min(axis=1)


def quarters(beats: Beats, seconds: float) -> np.ndarray:
    first, last = np.ceil(beats.place(np.array([0.0, seconds])))
    return beats.at(np.arange(first, last))


def told(found: Found) -> str:
    return f"{found.bpm:.1f}, {found.beats.metre[0]}/{found.beats.metre[1]}, {found.beats.downbeat:.2f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--soundfont", metavar="FILE", help="a General MIDI soundfont (default: what is found)")
    synthesiser = fluidsynth.find(parser.parse_args().soundfont)
    import librosa
    import mir_eval

    examples = {path.stem: midi.read(path) for path in sorted((ROOT / "examples").glob("*.mid"))}
    print(f"{machine()}; {synthesiser.soundfont.name}\n")
    print(
        "| example | sound | onset F1 | tempo, metre, downbeat | quarters: median, worst (ms) | librosa: BPM, median |"
    )
    print("|---|---|---|---|---|---|")
    scores: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for name, song in examples.items():
        guitar = [index for index, part in enumerate(song.parts) if not part.is_drums]
        onsets = placing.performed(song, guitar).onset
        strikes = onsets[first_of_each(onsets, 0.04)]
        truth = np.array([song.seconds(tick) for tick in range(0, song.end, song.ticks_per_quarter)])
        for kind, sound in rendered(song, synthesiser).items():
            heard = recording.heard(as_wav(sound))
            score = mir_eval.onset.f_measure(strikes, heard.strikes[0])[0]
            scores[kind].append(score)
            found = beats_of(heard, Timing())
            away = off(quarters(found.beats, truth[-1]), truth)
            mono = librosa.resample(sound.mean(axis=1), orig_sr=RATE, target_sr=22_050)
            tempo, beats = librosa.beat.beat_track(y=mono, sr=22_050, units="time")
            peer = f"{float(np.atleast_1d(tempo)[0]):.1f}, {np.median(off(beats, truth)):.0f}"
            print(
                f"| {name} | {kind} | {score:.2f} | {told(found)} | {np.median(away):.0f}, {away.max():.0f} | {peer} |"
            )
    print(
        "\n"
        + ", ".join(f"{kind}: mean onset F1 {np.mean(one):.3f}, least {min(one):.2f}" for kind, one in scores.items())
    )
    print("\n| example | tempo | what is found | quarters: median, 95 of 100, worst (ms) |\n|---|---|---|---|")
    for name, song in examples.items():
        guitar = [index for index, part in enumerate(song.parts) if not part.is_drums]
        played = placing.performed(song, guitar)
        truth = np.array([song.seconds(tick) for tick in range(0, song.end, song.ticks_per_quarter)])
        for words, warp in WARPS.items():
            seconds = float(warp(np.array([played.seconds]))[0])
            taken = replace(played, onset=warp(played.onset), end=warp(played.end), seconds=seconds)
            found = beats_of(taken, Timing())
            away = off(quarters(found.beats, seconds), warp(truth))
            print(
                f"| {name} | {words} | {told(found)} |"
                f" {np.median(away):.0f}, {np.percentile(away, 95):.0f}, {away.max():.0f} |"
            )


if __name__ == "__main__":
    main()
