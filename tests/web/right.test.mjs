// What taps and barlines say of a file's beats.
import assert from "node:assert/strict";
import { test } from "node:test";
import { movedDownbeat, saidByTaps, tapped, tempoOf } from "../../server/web/page/right.js";

test("four taps tell a tempo, by the median of their distances", () => {
  assert.equal(tapped([0, 500, 1000]), null);
  assert.equal(tapped([0, 500, 1000, 1900, 2400, 2900]), 120);
});

test("taps at the tempo say nothing, at its double the scale, and elsewhere the tempo", () => {
  assert.deepEqual(saidByTaps(118, 120, {}), {});
  assert.deepEqual(saidByTaps(236, 120, {}), { beat_scale: 2 });
  assert.deepEqual(saidByTaps(61, 120, { meter: "3/4" }), { meter: "3/4", beat_scale: 0.5 });
  assert.deepEqual(saidByTaps(61, 120, { beat_scale: 2 }), { beat_scale: undefined });
  assert.deepEqual(saidByTaps(91.4, 120, { beat_scale: 2, follow: true }), { bpm: 91, beat_scale: undefined, follow: undefined });
  assert.deepEqual(saidByTaps(240, 120, { beat_scale: 2 }), { bpm: 240, beat_scale: undefined, follow: undefined });
});

test("a song's tempo is that on the whole, and it drifts where one of its tempos is another", () => {
  assert.deepEqual(tempoOf({ tempos: [{ quarter: 0, bpm: 120 }], quarters: 8, seconds: 4 }), { bpm: 120, drifts: false });
  assert.equal(tempoOf({ tempos: [{ quarter: 0, bpm: 110 }, { quarter: 4, bpm: 130 }], quarters: 8, seconds: 4 }).drifts, true);
});

test("barlines move by beats, and never before the start", () => {
  const timeline = { tempos: [{ quarter: 0, bpm: 60 }] };
  const bars = (...quarters) => quarters.map((length, index) => ({ number: index + 1, quarter: quarters.slice(0, index).reduce((sum, one) => sum + one, 0), quarters: length, beats: length === 3 ? 6 : 4 }));
  assert.equal(movedDownbeat({ bars: bars(4, 4), timeline }, 1), 1);
  assert.equal(movedDownbeat({ bars: bars(4, 4), timeline }, -1), 3);
  assert.equal(movedDownbeat({ bars: bars(1, 4, 4), timeline }, 1), 2);
  assert.equal(movedDownbeat({ bars: bars(1, 4, 4), timeline }, -1), 0);
  assert.equal(movedDownbeat({ bars: bars(3, 3), timeline }, 1), 0.5);
  assert.equal(movedDownbeat({ bars: bars(4), timeline }, 1), 1);
});
