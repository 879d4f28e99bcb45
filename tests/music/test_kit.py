"""The kit: one piece for every General MIDI drum note, one note for every piece, and a drummer's limbs."""

from __future__ import annotations

import numpy as np
import pytest

from seq2drum.music.kit import FULL, HAND, KITS, NINE, ONE_FOOT, TWO_FEET, VOICES, Kit, Limbs, Strokes, feet_for

GENERAL_MIDI = range(35, 82)  # the notes that General MIDI gives to drums


def test_every_general_midi_drum_note_belongs_to_exactly_one_voice() -> None:
    for note in GENERAL_MIDI:
        assert sum(note in voice.notes for voice in VOICES) == 1, note
        assert note in VOICES[FULL.voice_of[note]].notes


@pytest.mark.parametrize("kit", KITS.values(), ids=KITS)
def test_no_note_belongs_to_two_voices(kit: Kit) -> None:
    notes = [note for voice in kit.voices for note in voice.notes]
    assert len(notes) == len(set(notes))
    assert sorted(notes) == np.flatnonzero(kit.voice_of >= 0).tolist()


@pytest.mark.parametrize("kit", KITS.values(), ids=KITS)
def test_a_voice_is_written_as_one_note_which_is_read_as_the_same_voice(kit: Kit) -> None:
    assert kit.note_of.shape == (len(kit),)
    assert len(set(kit.note_of.tolist())) == len(kit)
    assert set(kit.note_of.tolist()) <= set(GENERAL_MIDI)  # every synthesiser has it
    assert kit.voice_of[kit.note_of].tolist() == list(range(len(kit)))


@pytest.mark.parametrize("kit", KITS.values(), ids=KITS)
def test_voices_have_names_of_their_own(kit: Kit) -> None:
    assert len({voice.name for voice in kit.voices}) == len(kit)


def test_notes_that_are_no_drums_have_no_voice() -> None:
    assert FULL.voice_of.shape == (128,)
    assert FULL.voice_of[[0, 24, 88, 127]].tolist() == [-1, -1, -1, -1]


def test_the_nine_voices_are_those_the_literature_counts() -> None:
    names = {"kick", "snare", "closed hat", "open hat", "low tom", "mid tom", "high tom", "crash", "ride"}
    assert {voice.name for voice in NINE.voices} == names


def test_every_limbed_voice_is_in_the_nine_and_percussion_is_not() -> None:
    for index, voice in enumerate(FULL.voices):
        merged = NINE.voice_of[FULL.note_of[index]]
        if voice.limb == "percussion":
            assert merged == -1
        else:
            assert NINE.voices[merged].name == voice.nine
            # All notes of a voice move together, so that both views agree on what is the same.
            assert set(NINE.voice_of[list(voice.notes)].tolist()) == {merged}


def test_the_nine_are_written_as_the_note_of_the_voice_they_are_named_after() -> None:
    by_name = {voice.name: voice for voice in FULL.voices}
    for voice in NINE.voices:
        assert voice.notes[0] == by_name[voice.name].notes[0]


def test_the_usual_notes_are_what_drummers_expect() -> None:
    def name(note: int) -> str:
        return FULL.voices[FULL.voice_of[note]].name

    usual = {35: "kick", 36: "kick", 37: "side stick", 38: "snare", 42: "closed hat", 44: "pedal hat", 46: "open hat"}
    usual |= {49: "crash", 51: "ride", 53: "bell", 56: "cowbell", 41: "low tom", 47: "mid tom", 50: "high tom"}
    assert {note: name(note) for note in usual} == usual


# --- how soon one drummer's limbs can strike again --------------------------------------------------------------------


KICK, SNARE, HAT, PEDAL = (FULL.places[name] for name in ("kick", "snare", "closed hat", "pedal hat"))


@pytest.mark.parametrize(("feet", "least"), [(1, ONE_FOOT), (2, TWO_FEET)])
def test_a_kick_waits_for_its_foot_and_the_other_foot_for_nothing(feet: int, least: float) -> None:
    strokes = Strokes(Limbs(FULL), feet)
    strokes.strike(KICK, 1.0)
    assert strokes.wait(KICK, 1.0 + least / 4) == pytest.approx(3 * least / 4)
    assert strokes.wait(KICK, 1.0 + least) == strokes.wait(PEDAL, 1.0) == strokes.wait(SNARE, 1.0) == 0


def test_two_hands_roll_twice_as_fast_as_one() -> None:
    strokes = Strokes(Limbs(FULL))
    for stroke in range(20):
        assert not strokes.wait(SNARE, stroke * HAND / 2)
        strokes.strike(SNARE, stroke * HAND / 2)
    assert strokes.wait(SNARE, 19.5 * HAND / 2) == pytest.approx(HAND / 4)
    strokes.strike(HAT, 2.0)
    assert not strokes.wait(SNARE, 2.01)
    strokes.strike(SNARE, 2.01)
    assert strokes.wait(HAT, 2.02) == pytest.approx(HAND - 0.02)


def test_a_copy_goes_on_by_itself() -> None:
    strokes = Strokes(Limbs(FULL))
    other = strokes.copy()
    other.strike(KICK, 1.0)
    other.strike(SNARE, 1.0)
    other.strike(SNARE, 1.0)
    assert strokes.wait(KICK, 1.0) == strokes.wait(SNARE, 1.0) == 0 < min(other.wait(KICK, 1.0), other.wait(SNARE, 1.0))


def test_double_kicks_take_two_feet_and_a_kick_before_the_beat_takes_one() -> None:
    assert feet_for([]) == feet_for([0.0, 0.125, 0.5]) == 1
    assert feet_for([0.0, 0.125, 0.25]) == feet_for([0.0, 0.07]) == 2


@pytest.mark.parametrize("feet", [1, 2])
def test_a_voice_is_struck_where_it_need_not_wait_and_then_its_limb_is_taken(feet: int) -> None:
    rng = np.random.default_rng(7)
    one, other = (Strokes(Limbs(FULL), feet) for _ in range(2))
    moments = np.cumsum(rng.choice([0.0, 0.02, 0.05, 0.1], 400)).tolist()
    struck = 0
    for voice, moment in zip(rng.integers(0, len(FULL), 400).tolist(), moments, strict=True):
        is_free = not other.wait(voice, moment)
        assert one.try_strike(voice, moment) == is_free
        if is_free:
            other.strike(voice, moment)
            struck += 1
    assert 40 < struck < 400
