"""A recording of a guitar becomes a `Song` in time with it: its notes, on beats that are given or tracked."""

from __future__ import annotations

import io
import os
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seq2drum.errors import MissingExtraError, RecordingError
from seq2drum.formats import foreign
from seq2drum.formats.audio import transcription
from seq2drum.lattice.beats.performance import Beats, Performance, Timing
from seq2drum.lattice.beats.placing import placed
from seq2drum.lattice.beats.pulse import Found, beats_of
from seq2drum.music.limits import RECORDING_LIMITS, RecordingLimits
from seq2drum.music.notes import Song

Samples = NDArray[np.float32]

LOUDEST = 1000.0
"""The largest magnitude of a sample, with full scale 1: float files exceed it a little, damaged ones by far."""
_STANDARD_ERROR = 2
_ONE_AT_A_TIME = threading.Lock()
_SAYS_NOTHING = (
    "Unspecified internal error",
    "File does not exist",
)  # misleading: they speak of a file on a disk, but bytes are decoded
_OF_MPG123 = re.compile(rb"\s*$|Note: |Warning: |.*libmpg123")


def mono(data: bytes, rate: int, *, limits: RecordingLimits = RECORDING_LIMITS) -> Samples:
    """The sound of a file as the mean of its channels, (frames,), at a given rate.

    Raises:
        RecordingError: not a sound file, damaged, silent, or beyond `limits`.
        MissingExtraError: the decoder is not installed.
    """
    return _resampled(data, rate, 1, limits)[:, 0]


def stereo(data: bytes, rate: int, *, limits: RecordingLimits = RECORDING_LIMITS) -> Samples:
    """The sound of a file, (frames, 2): a mono file on both sides, the first two of several channels.

    Raises:
        RecordingError, MissingExtraError: as `mono`.
    """
    return _resampled(data, rate, 2, limits)


def _resampled(data: bytes, rate: int, channels: int, limits: RecordingLimits) -> Samples:
    soundfile, soxr = _libraries()
    try:
        with _quiet(), soundfile.SoundFile(_Bytes(data)) as file:
            _check(file, limits)
            stream = soxr.ResampleStream(file.samplerate, rate, channels, dtype="float32")
            blocks = [stream.resample_chunk(_mixed(block, channels)) for block in _blocks(file, limits)]
            blocks.append(stream.resample_chunk(np.zeros((0, channels), np.float32), last=True))
    except soundfile.SoundFileRuntimeError as error:
        reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
        if reason.startswith(_SAYS_NOTHING):
            reason = "no sound in it can be decoded"
        raise RecordingError(f"this sound file cannot be read ({reason}); export it again as WAV") from error
    sound = np.concatenate([block.reshape(-1, channels) for block in blocks])
    if not len(sound):
        raise RecordingError("the sound file has no sound; wanted a recording of a guitar")
    return sound


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep libmpg123's own messages about damage out of the standard error of the process.

    Whatever else is written there meanwhile follows after decoding. One thread decodes at a time.
    """
    with _ONE_AT_A_TIME, ExitStack() as stack:
        try:
            log = stack.enter_context(tempfile.TemporaryFile())
            standard_error = stack.enter_context(os.fdopen(os.dup(_STANDARD_ERROR), "wb"))
        except OSError:  # no standard error, or no space for a copy of it
            yield
            return
        os.dup2(log.fileno(), _STANDARD_ERROR)
        try:
            yield
        finally:
            os.dup2(standard_error.fileno(), _STANDARD_ERROR)
            log.seek(0)
            standard_error.writelines(line for line in log if not _OF_MPG123.match(line))


class _Bytes(io.BytesIO):
    """Bytes that clamp seeks before the start to the start, as damaged files make libsndfile do."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except ValueError:
            return super().seek(0)


def _check(file: Any, limits: RecordingLimits) -> None:
    if not limits.slowest_rate <= file.samplerate <= limits.fastest_rate:
        raise RecordingError(
            f"the recording has {file.samplerate} samples a second; {limits.slowest_rate} to {limits.fastest_rate} are"
            " read: export it at 44100"
        )
    if file.channels > limits.channels:
        raise RecordingError(
            f"the recording has {file.channels} channels, at most {limits.channels} are read: export the guitar alone"
        )


def _blocks(file: Any, limits: RecordingLimits) -> Iterator[Samples]:
    """The samples of a file second by second, (frames, channels), all finite."""
    frames = 0
    # Not `file.blocks`: of an MP3 that is cut off it gives memory that was never written to.
    while len(block := file.read(file.samplerate, dtype="float32", always_2d=True)):
        if not (np.abs(block) <= LOUDEST).all():  # false for NaN as well
            raise RecordingError(
                f"the recording has samples in second {frames // file.samplerate + 1} that are not numbers or are"
                f" {LOUDEST:g} times beyond full scale; export it again"
            )
        frames += len(block)
        if frames > limits.seconds * file.samplerate:
            raise RecordingError(
                f"the recording lasts longer than {limits.seconds / 60:g} minutes, the most that is read; cut it"
            )
        yield block


def _mixed(block: Samples, channels: int) -> Samples:
    """A block of any number of channels, mixed to one or two."""
    if channels == 1:
        mean: Samples = block.mean(axis=1, keepdims=True, dtype=np.float32)
        return mean
    return np.ascontiguousarray(np.repeat(block, 2, axis=1) if block.shape[1] == 1 else block[:, :2])


def check_library() -> None:
    """Refuse what `flac` would refuse.

    Raises:
        MissingExtraError: the library of sound files is not installed.
    """
    _libraries()


def flac(wav: bytes) -> bytes:
    """Return a WAV file of 16 bits as FLAC, without loss.

    Raises:
        MissingExtraError: the library of sound files is not installed.
    """
    soundfile, _ = _libraries()
    samples, rate = soundfile.read(io.BytesIO(wav), dtype="int16")
    data = io.BytesIO()
    soundfile.write(data, samples, rate, format="FLAC", subtype="PCM_16")
    return data.getvalue()


def _libraries() -> tuple[Any, Any]:
    try:
        import soundfile
        import soxr
    except (ImportError, OSError) as error:  # OSError: soundfile without its library
        raise MissingExtraError(f"recordings and FLAC need soundfile and soxr ({error}): {foreign.GET_AUDIO}") from None
    return soundfile, soxr


ANY = placed(
    Performance.of(np.zeros(1), np.full(1, 0.1), np.full(1, 40), np.ones(1), 1.0), Beats.steady(120, 0.0, (4, 4))
)
"""A recording of one note: it has the parts that every recording has."""


def read(data: bytes, timing: Timing | None = None) -> tuple[Song, Found]:
    """The song of a recording, and its beats as found; tick 0 is the recording's 0:00.

    data: the bytes of a WAV, FLAC, Ogg, MP3 or AIFF file. timing: given facts about its beats.

    Raises:
        RecordingError: unreadable, beyond `RECORDING_LIMITS`, or without audible notes.
        MissingExtraError: a package is missing.
    """
    performance = heard(data)
    found = beats_of(performance, timing or Timing())
    return placed(performance, found.beats), found


def heard(data: bytes) -> Performance:
    """The notes of a recording in seconds.

    Raises:
        RecordingError, MissingExtraError: as `read`.
    """
    performance = transcription.transcribed(mono(data, transcription.RATE))
    if not len(performance):
        raise RecordingError("found no notes in the recording; wanted a guitar, loud enough and nearly alone")
    return performance
