from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from seq2drum.data.drums.loops import LEAD, LEVELS, SHOT
from seq2drum.errors import MissingExtraError, OptionError
from seq2drum.show import fluidsynth, sound


def synthesiser() -> fluidsynth.Synthesiser:
    try:
        return sound.find()
    except MissingExtraError as missing:
        pytest.skip(str(missing))


@pytest.mark.slow
def test_each_piece_of_a_kit_sounds_at_once_and_louder_the_harder_it_is_struck() -> None:
    found = synthesiser()
    kits = sound.kits_of(found)
    shots = sound.one_shots(found, list(kits)[:1])
    assert shots.shape == (1, 9, len(LEVELS), SHOT)
    peaks = np.abs(shots).max(axis=-1)
    assert (np.diff(peaks, axis=-1) > 0).all()
    begins = (np.abs(shots) > 0.02 * peaks[..., None]).argmax(axis=-1)
    assert (begins <= LEAD).all()


def test_what_is_no_soundfont_is_refused(tmp_path: Path) -> None:
    synthesiser()
    other = tmp_path / "kit.sf2"
    other.write_bytes(b"RIFF....WAVE")
    with pytest.raises(OptionError, match="no soundfont"):
        sound.find(other)
