import assert from "node:assert/strict";
import { test } from "node:test";

import { barAt, counted, endOf, events, quarterAt, secondsAt } from "../../server/web/page/schedule.js";

const TEMPOS = [{ quarter: 0, bpm: 120 }, { quarter: 4, bpm: 60 }, { quarter: 6.5, bpm: 93.7 }];
const BARS = [
  { number: 1, quarter: 0, quarters: 4, beats: 4 },
  { number: 2, quarter: 4, quarters: 3.5, beats: 7 },
];
const HITS = [0, 0.5, 3.99, 4, 7].map((quarter) => ({ tick: 0, quarter, bar: 1, piece: "kick", velocity: 100 }));
const SONG = { bars: BARS, tempos: TEMPOS, hits: HITS, notes: [{ quarter: 3, quarters: 2, pitch: 40, velocity: 90 }], metronome: false };

test("seconds follow the tempo map, and places come back from them", () => {
  assert.equal(secondsAt(TEMPOS, 4), 2);
  assert.equal(secondsAt(TEMPOS, 6), 4);
  assert.equal(secondsAt([], 2), 1);
  for (const quarter of [-1, 0, 0.1, 4, 5, 6.5, 100]) {
    assert.ok(Math.abs(quarterAt(TEMPOS, secondsAt(TEMPOS, quarter)) - quarter) < 1e-9);
  }
});

test("spans that touch have every event once, and in order", () => {
  const whole = events(SONG, 0, 7.5);
  const pieces = [[0, 3], [3, 4], [4, 4], [4, 7.5]].flatMap(([from, to]) => events(SONG, from, to));
  assert.equal(whole.length, 6);
  assert.deepEqual(pieces.map(({ quarter, what }) => [quarter, what]), whole.map(({ quarter, what }) => [quarter, what]));
  assert.deepEqual(whole.map(({ at }) => at), whole.map(({ at }) => at).sort((one, other) => one - other));
});

test("times of a span count from its beginning, and a note lasts by the tempos that it lies in", () => {
  const [note, hit] = events(SONG, 3, 4);
  assert.deepEqual([note.what, note.at, note.seconds], ["note", 0, 1.5]);
  assert.ok(Math.abs(hit.at - 0.495) < 1e-9);
});

test("the metronome clicks on each beat and stresses the first", () => {
  const clicks = events({ ...SONG, hits: [], notes: [], metronome: true }, 0, 7.5);
  assert.equal(clicks.length, 4 + 7);
  assert.deepEqual(clicks.filter(({ accent }) => accent).map(({ quarter }) => quarter), [0, 4]);
});

test("bars are counted in as the bar is in which the song begins", () => {
  const { seconds, clicks } = counted(SONG, 4, 1);
  assert.equal(clicks.length, 7);
  assert.equal(seconds, 3.5);
  assert.equal(counted(SONG, 0, 0).seconds, 0);
});

test("bars are found by their places, the last one behind the end, too", () => {
  assert.equal(endOf(BARS), 7.5);
  assert.equal(endOf([]), 0);
  assert.deepEqual([-1, 0, 3.9, 4, 99].map((quarter) => barAt(BARS, quarter).number), [1, 1, 1, 2, 2]);
});
