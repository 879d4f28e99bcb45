"""Recordings: their notes and songs, and damaged sound files."""

from __future__ import annotations

import os
import tracemalloc
from contextlib import suppress

import numpy as np
import pytest

from seq2drum.errors import RecordingError
from seq2drum.formats.audio import recording, transcription
from seq2drum.formats.opening import open_song
from seq2drum.lattice.beats.performance import Timing
from tests.conftest import LONG
from tests.recordings import RATE, as_file, needs_audio, plucked, riff

needs_audio()
LEAD = 0.3
EIGHTHS = LEAD + np.arange(32) * 0.25
GIVEN = Timing(bpm=120, metre=(4, 4), downbeat=LEAD)


@pytest.fixture(scope="module")
def wav() -> bytes:
    return as_file(riff(EIGHTHS, 9.0))


def test_each_note_of_a_riff_is_heard_where_it_is_played(wav) -> None:
    times, _ = recording.heard(wav).strikes
    nearest = np.abs(times[:, None] - EIGHTHS).min(axis=0)
    assert np.median(nearest) < 0.02
    assert (nearest < 0.05).all()
    assert len(times) <= 34


def test_the_song_begins_where_the_recording_does_and_its_bars_at_the_downbeat_that_is_given(wav) -> None:
    song, _ = recording.read(wav, GIVEN)
    bars = song.bars()
    assert song.seconds(bars[1].start) == pytest.approx(LEAD, abs=1e-4)
    assert [(bar.numerator, bar.denominator) for bar in bars[:3]] == [(1, 8), (4, 4), (4, 4)]
    assert song.seconds(song.length) == pytest.approx(9.0, abs=2e-3)
    assert song.tempo_at(bars[2].start).bpm == pytest.approx(120, abs=0.01)
    quarters = (song.parts[0].onset - bars[1].start) / song.ticks_per_quarter
    assert np.median(np.abs(2 * quarters - np.rint(2 * quarters))) < 0.1


@pytest.mark.parametrize(("kind", "subtype"), [("FLAC", None), ("OGG", "VORBIS"), ("MP3", None), ("WAV", "FLOAT")])
def test_a_recording_is_known_by_its_first_bytes_whatever_it_is_packed_in(kind, subtype, wav) -> None:
    song = open_song(as_file(riff(EIGHTHS[:8], 2.5), kind=kind, subtype=subtype)).song
    assert len(song.parts[0]) > 7


def test_channels_are_mixed_and_rates_are_brought_to_one() -> None:
    sound = np.repeat(plucked([(0.5, 52, 1.0)], 2.0), 2)  # at twice the rate it sounds the same
    both = np.stack([sound, 0 * sound], axis=1)
    heard = recording.heard(as_file(both, 2 * RATE))
    assert heard.onset[0] == pytest.approx(0.5, abs=0.02)
    assert heard.pitch[0] == 52


@pytest.mark.parametrize("frames", range(1, 6))
def test_a_note_that_begins_in_the_last_frames_ends_with_the_recording(frames) -> None:
    shape = (40, 88)
    onset, note = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    onset[-frames, 30] = 0.9
    heard = transcription.picked(transcription.Activations(onset, note, note), np.full(40, 3.0, np.float32), 0.45)
    assert len(heard) == 1
    assert 0 < heard.end[0] <= 0.45


@pytest.mark.parametrize(
    ("sound", "rate", "message"),
    [
        (np.zeros(RATE), RATE, "found no notes"),
        (np.zeros(0), RATE, "no sound"),
        (np.full(RATE, np.nan), RATE, "second 1 that are not numbers"),
        (np.zeros((100, 9)), RATE, "9 channels, at most 8"),
        (np.zeros(100), 4_000, "4000 samples a second"),
        (np.zeros((901 * 8_000, 1), np.int8), 8_000, "longer than 15 minutes"),
    ],
)
def test_what_is_no_recording_of_a_guitar_is_refused_in_one_line(sound, rate, message) -> None:
    with pytest.raises(RecordingError, match=message) as error:
        recording.read(as_file(sound.astype(np.float32), rate, subtype="FLOAT"))
    assert "\n" not in str(error.value)


# --- damaged sound files: samples, or one clear line ------------------------------------------------------------------


KINDS = (("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", None), ("OGG", "VORBIS"), ("MP3", None), ("AIFF", None))
LENGTHS = (b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f")
MUTANTS = 3_400 if LONG else 40


def mutant(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with some flipped, a part cut out, an end cut off, or a length that lies."""
    damaged = bytearray(data)
    kind = rng.integers(4)
    if kind == 0:
        for at in rng.integers(0, len(damaged), rng.integers(1, 20)):
            damaged[at] = rng.integers(256)
    elif kind == 1:
        first, last = sorted(rng.integers(0, len(damaged), 2).tolist())
        del damaged[first:last]
    elif kind == 2:
        del damaged[int(rng.integers(len(damaged))) :]
    else:
        at = int(rng.integers(0, min(len(damaged) - 4, 200)))
    return bytes(damaged)


@pytest.mark.parametrize(("kind", "subtype"), KINDS)
def test_a_damaged_file_gives_samples_or_one_line(kind, subtype) -> None:
    whole = as_file(plucked([(0.1, 52, 1.0)], 0.5), kind=kind, subtype=subtype)
    rng = np.random.default_rng(14)
    read = 0
    for _ in range(MUTANTS):
        try:
            sound = recording.mono(mutant(whole, rng), RATE)
        except RecordingError as error:
            assert "\n" not in str(error)
        else:
            read += 1
            assert np.isfinite(sound).all()
    assert read or kind in ("FLAC", "OGG")  # those have checksums


def damaged_mp3() -> bytes:
    """With 400 bytes between its frames that are no sound."""
    data = as_file(plucked([(0.1, 52, 1.0)], 2.0), kind="MP3")
    return data[:2000] + bytes(range(200)) * 2 + data[2000:]


def test_the_decoder_of_mp3_says_nothing_on_standard_error(capfd) -> None:
    assert len(recording.mono(damaged_mp3(), RATE))
    for cut in (400, 3000):
        with suppress(RecordingError):
            recording.mono(damaged_mp3()[:cut] + bytes(3000), RATE)
    assert capfd.readouterr().err == ""


def test_what_others_say_on_standard_error_while_mp3_is_decoded_is_kept(capfd, monkeypatch) -> None:
    import soundfile

    read = soundfile.SoundFile.read

    def saying(file, *arguments, **options):
        os.write(2, b"from a thread\n")
        return read(file, *arguments, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", saying)
    recording.mono(damaged_mp3(), RATE)
    os.write(2, b"behind\n")
    assert set(capfd.readouterr().err.splitlines()) == {"from a thread", "behind"}


def test_an_mp3_without_a_frame_is_refused_in_words_about_the_file() -> None:
    with pytest.raises(RecordingError, match="no sound in it can be decoded") as caught:
        recording.mono(as_file(np.zeros(RATE, np.float32), kind="MP3")[:400] + bytes(5000), RATE)
    assert "pipe" not in str(caught.value)


def test_an_mp3_that_is_cut_off_has_the_sound_before_the_cut_and_nothing_else() -> None:
    data = as_file(plucked([(0.1, 52, 1.0)], 4.0), kind="MP3")
    whole, cut = recording.mono(data, RATE), recording.mono(data[: len(data) // 2], RATE)
    assert RATE // 2 < len(cut) < len(whole) // 2
    assert np.array_equal(cut[: RATE // 2], whole[: RATE // 2])


def test_a_header_that_claims_four_gigabytes_costs_no_memory() -> None:
    liar = bytearray(as_file(np.zeros(RATE, np.float32)))
    liar[4:8] = liar[40:44] = b"\xf0\xff\xff\xff"
    tracemalloc.start()
    assert len(recording.mono(bytes(liar), RATE)) == RATE
    assert tracemalloc.get_traced_memory()[1] < 1 << 22
    tracemalloc.stop()


def test_a_file_of_96_channels_is_refused_before_its_samples_are_read() -> None:
    with pytest.raises(RecordingError, match="96 channels, at most 8"):
        recording.mono(as_file(np.zeros((100, 96), np.float32)), RATE)


def test_of_one_channel_both_sides_have_it_and_of_many_the_first_two() -> None:
    left = recording.stereo(as_file(plucked([(0.1, 52, 1.0)], 0.5), subtype="FLOAT"), RATE)
    assert left.shape[1] == 2
    assert np.array_equal(left[:, 0], left[:, 1])
    four = np.arange(4, dtype=np.float32) / 4 * np.ones((RATE, 4), np.float32)
    assert recording.stereo(as_file(four, subtype="FLOAT"), RATE)[RATE // 2] == pytest.approx([0, 0.25], abs=1e-3)
