"""Recordings: their notes, and the song that lies on them."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.errors import RecordingError
from seq2drum.formats.audio import recording, transcription
from seq2drum.formats.opening import open_song
from seq2drum.lattice.beats.performance import Timing
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
        (np.zeros(RATE), RATE, "no notes were heard"),
        (np.zeros(0), RATE, "no sound"),
        (np.full(RATE, np.nan), RATE, "second 1 that are no numbers"),
        (np.zeros((100, 9)), RATE, "9 channels, at most 8"),
        (np.zeros(100), 4_000, "4000 samples a second"),
        (np.zeros((901 * 8_000, 1), np.int8), 8_000, "longer than 15 minutes"),
    ],
)
def test_what_is_no_recording_of_a_guitar_is_refused_in_one_line(sound, rate, message) -> None:
    with pytest.raises(RecordingError, match=message) as error:
        recording.read(as_file(sound.astype(np.float32), rate, subtype="FLOAT"))
    assert "\n" not in str(error.value)
