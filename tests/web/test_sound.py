"""What the page lets one hear, in a real browser: where hits fall, how loud it becomes, and that it is heard at all."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from seq2drum.music.kit import FULL
from server.web import make_sounds
from tests.web.browser import Page

pytestmark = pytest.mark.slow

SOUND = """
const { Sound } = await import("/sound.js");
const bars = (count) => Array.from({ length: count }, (_, index) =>
  ({ number: index + 1, quarter: 4 * index, quarters: 4, beats: 4 }));
const hit = (quarter, piece, velocity = 110) =>
  ({ tick: Math.round(quarter * 480), quarter, bar: 1 + Math.floor(quarter / 4), piece, velocity });
const mono = (buffer) => {
  const sum = new Float32Array(buffer.length);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const data = buffer.getChannelData(channel);
    for (let at = 0; at < data.length; at++) sum[at] += data[at] / buffer.numberOfChannels;
  }
  return sum;
};
const peak = (buffer) => {
  let most = 0;
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    for (const sample of buffer.getChannelData(channel)) most = Math.max(most, Math.abs(sample));
  }
  return most;
};
const rms = (data, from, to) => {
  let sum = 0;
  for (let at = from; at < to; at++) sum += data[at] * data[at];
  return Math.sqrt(sum / Math.max(1, to - from));
};
// The first sample near a place that is as loud as some share of the loudest there: where a stroke begins.
const onset = (data, rate, seconds, share = 0.1) => {
  const [from, to] = [Math.max(0, Math.round((seconds - 0.05) * rate)), Math.round((seconds + 0.1) * rate)];
  let most = 0;
  for (let at = from; at < to; at++) most = Math.max(most, Math.abs(data[at]));
  for (let at = from; at < to; at++) if (Math.abs(data[at]) > share * most) return at / rate - seconds;
  return null;
};
"""


@pytest.fixture
def heard(page: Page) -> Page:
    if not page.run("return (await fetch('/sound.js', { method: 'HEAD' })).ok"):
        pytest.skip("the page has no sound yet")
    return page


def test_hits_are_heard_where_they_should_be_within_5_ms(heard):
    """Also behind a change of tempo, and at another speed of playing."""
    late = heard.run(
        SOUND
        + """
        const sound = new Sound(); const found = [];
        const places = [0, 1, 2.5, 4, 5, 6, 7.5, 8.25, 10, 11];
        const seconds = (quarter) => (Math.min(quarter, 6) * 60) / 100 + (Math.max(0, quarter - 6) * 60) / 140;
        for (const piece of ['kick', 'snare', 'closed hat', 'crash', 'low tom', 'ride'])
        for (const factor of [1, 1.25]) {
          sound.set({ bars: bars(3), tempos: [{ quarter: 0, bpm: 100 }, { quarter: 6, bpm: 140 }], guitar: null,
            hits: places.map((quarter) => hit(quarter, piece)) });
          sound.tempo(factor); const buffer = await sound.render(); const data = mono(buffer);
          for (const quarter of places)
            found.push([piece, factor, quarter, onset(data, buffer.sampleRate, seconds(quarter) / factor)]);
        } return found;"""
    )
    rings = {"crash", "ride", "low tom"}  # what rings on covers the beginning of the next
    checked = [one for one in late if one[0] not in rings or one[2] == 0]
    assert len(checked) > 60
    assert [one for one in checked if one[3] is None or abs(one[3]) > 0.005] == []


def test_guitar_notes_are_heard_where_they_should_be(heard):
    late = heard.run(
        SOUND
        + """
        const sound = new Sound(), found = [];
        for (const kind of ['steel', 'clean', 'distorted']) {
          sound.set({ bars: bars(2), tempos: [{ quarter: 0, bpm: 60 }], hits: [], kind,
            guitar: [0, 2, 4, 6].map((quarter) => ({ quarter, quarters: 0.5, pitch: 52, velocity: 100 })) });
          const buffer = await sound.render(), data = mono(buffer);
          for (const quarter of [0, 2, 4, 6]) found.push(onset(data, buffer.sampleRate, quarter, 0.04));
        } return found;"""
    )
    assert len(late) == 12
    assert all(one is not None and abs(one) <= 0.01 for one in late), late  # a string has no click, it swells


def test_the_loudest_song_is_neither_silent_nor_clipped(heard):
    peak, level = heard.run(
        SOUND
        + """
        const sound = new Sound(); const hits = [];
        for (let at = 0; at < 16; at += 0.5)
        for (const piece of ['kick', 'snare', 'crash', 'ride', 'open hat', 'low tom'])
          hits.push(hit(at, piece, 127));
        const guitar = [40, 45, 50, 55, 59, 64].flatMap((pitch) =>
          Array.from({ length: 16 }, (_, at) => ({ quarter: at, quarters: 1, pitch, velocity: 127 })));
        sound.set({ bars: bars(4), tempos: [{ quarter: 0, bpm: 180 }], hits, guitar, kind: 'distorted' });
        for (const group of ['drums', 'guitar']) sound.level(group, 1.5);
        const buffer = await sound.render(); return [peak(buffer), rms(mono(buffer), 0, buffer.length)];"""
    )
    assert 0.3 < peak <= 1.0
    assert level > 0.05


def test_a_mute_a_solo_and_a_level_are_heard(heard):
    levels = heard.run(
        SOUND
        + """
        const sound = new Sound();
        sound.set({ bars: bars(1), tempos: [{ quarter: 0, bpm: 120 }], guitar: null,
          hits: [hit(0, 'kick'), hit(1, 'snare')] });
        const two = async () => { const buffer = await sound.render({ from: 0, to: 4 }), data = mono(buffer);
          const rate = buffer.sampleRate; return [rms(data, 0, 0.4 * rate), rms(data, 0.5 * rate, 0.9 * rate)]; };
        const told = [await two()]; sound.mute('snare'); told.push(await two()); sound.mute('snare', false);
        sound.solo('snare'); told.push(await two()); sound.solo('snare', false);
        sound.level('drums', 0); told.push(await two()); return told;"""
    )
    (kick, snare), without_snare, alone, silent = levels
    assert kick > 0.01 and snare > 0.01
    assert without_snare[1] < 0.1 * snare and without_snare[0] > 0.5 * kick
    assert alone[0] < 0.1 * kick and alone[1] > 0.5 * snare
    assert max(silent) < 1e-4


def test_what_plays_is_heard_behind_the_limiter_from_the_first_bar_on(heard):
    """More hits come while it plays, as from a server."""
    told = heard.run(
        SOUND
        + """
        const sound = new Sound(); await sound.load('drums');
        const row = (from) => Array.from({ length: 8 }, (_, index) =>
          hit(from + index / 2, index % 2 ? 'snare' : 'kick'));
        sound.set({ bars: bars(8), tempos: [{ quarter: 0, bpm: 240 }], hits: row(0), guitar: null });
        await sound.play(0); const data = new Float32Array(sound.tap.fftSize); let most = 0, bar = 1, later = 0;
        while (sound.position < 12) { if (bar < 8 && sound.position > 4 * bar - 3) sound.append(row(4 * bar++));
          sound.tap.getFloatTimeDomainData(data); const now = data.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
          most = Math.max(most, now); if (sound.position > 6) later = Math.max(later, now);
          await new Promise((resolve) => setTimeout(resolve, 10)); }
        sound.stop(); return { most, later, playing: sound.playing };"""
    )
    assert 0.01 < told["most"] <= 1.0
    assert told["later"] > 0.01
    assert told["playing"] is False


def test_a_loop_goes_round_and_a_song_comes_to_its_end(heard):
    told = heard.run(
        SOUND
        + """
        const sound = new Sound();
        sound.set({ bars: bars(3), tempos: [{ quarter: 0, bpm: 400 }], hits: [hit(0, 'kick')], guitar: null });
        sound.loop(4, 8); await sound.play(4); let before = 4, rounds = 0, most = 0;
        while (rounds < 3) { const now = sound.position; if (now < before - 1) rounds++;
          before = now; most = Math.max(most, now);
          await new Promise((resolve) => setTimeout(resolve, 5)); }
        sound.loop(null); const ended = new Promise((resolve) => sound.addEventListener('end', resolve));
        await ended; return { most, rest: sound.position, playing: sound.playing };"""
    )
    assert 7 < told["most"] <= 8.01
    assert told == {**told, "rest": 0, "playing": False}


# --- the sounds that are served ---------------------------------------------------------------------------------------


LISTED = json.loads((make_sounds.FOLDER / make_sounds.LIST).read_text(encoding="utf-8"))


def test_every_piece_of_the_kit_and_every_guitar_has_its_sounds():
    assert tuple(LISTED["drums"]) == FULL.names
    assert {name: [one["pitch"] for one in notes] for name, notes in LISTED["guitars"].items()} == {
        name: list(make_sounds.PITCHES) for name in make_sounds.GUITARS
    }


def test_the_list_and_the_folder_have_the_same_files_and_the_notice_of_the_soundfont_is_there():
    listed = {one["file"] for kind in LISTED.values() for sounds in kind.values() for one in sounds}
    files = {path.name for path in make_sounds.FOLDER.iterdir()}
    assert files == listed | {make_sounds.LIST, "NOTICE.md"}
    notice = (make_sounds.FOLDER / "NOTICE.md").read_text(encoding="utf-8")
    assert "Frank Wen" in notice and "Permission is hereby granted" in notice


def test_the_sounds_take_no_more_bytes_than_were_meant():
    def size(kind: str) -> int:
        files = [one["file"] for sounds in LISTED[kind].values() for one in sounds]
        return sum((make_sounds.FOLDER / name).stat().st_size for name in files)

    assert size("drums") <= 140_000 and size("guitars") <= 484_000


@pytest.mark.slow
def test_the_command_renders_the_sounds_that_are_there(tmp_path: Path):
    if not (shutil.which("fluidsynth") and shutil.which("lame") and make_sounds.SOUNDFONT.is_file()):
        pytest.skip("needs FluidSynth, LAME and FluidR3_GM.sf2")
    make_sounds.write(make_sounds.SOUNDFONT, tmp_path)
    assert json.loads((tmp_path / make_sounds.LIST).read_text(encoding="utf-8")) == LISTED
    for path in tmp_path.glob("*.mp3"):  # another version of LAME writes other bytes, but about as many
        assert path.stat().st_size == pytest.approx((make_sounds.FOLDER / path.name).stat().st_size, rel=0.1)
