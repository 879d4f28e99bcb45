import assert from "node:assert/strict";
import { test } from "node:test";

import { stretching } from "../../server/web/page/stretch.js";

const RATE = 44100;

/** All that a generator gives at last. */
function whole(steps) {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

const tone = Float32Array.from({ length: 2 * RATE }, (_, at) => 0.5 * Math.sin((2 * Math.PI * 220 * at) / RATE));

test("a tone that is played slower or faster lasts longer or shorter, and has the same pitch and loudness", () => {
  for (const factor of [0.5, 0.75, 1.25, 2]) {
    const [made] = whole(stretching([tone], factor));
    assert.equal(made.length, Math.ceil(tone.length / factor));
    const middle = made.subarray(4096, made.length - 8192);
    const rises = middle.filter((sample, at) => at && middle[at - 1] < 0 && sample >= 0).length;
    assert.ok(Math.abs((rises * RATE) / middle.length - 220) < 3, `${factor}: ${(rises * RATE) / middle.length} Hz`);
    const loud = Math.sqrt(middle.reduce((sum, sample) => sum + sample * sample, 0) / middle.length);
    assert.ok(Math.abs(loud - 0.5 / Math.SQRT2) < 0.03, `${factor}: ${loud}`);
  }
});

test("a stroke stays where the tempo puts it, within 15 ms", () => {
  const strokes = new Float32Array(2 * RATE);
  for (let at = 0; at < 4; at++) strokes.set(tone.subarray(0, 2000), Math.round((0.25 + 0.4 * at) * RATE));
  const [made] = whole(stretching([strokes], 0.8));
  for (let at = 0; at < 4; at++) {
    const due = Math.round(((0.25 + 0.4 * at) / 0.8) * RATE);
    const first = made.findIndex((sample, index) => index > due - 4000 && Math.abs(sample) > 0.1);
    assert.ok(Math.abs(first - due) < 0.015 * RATE, `${at}: ${(1000 * (first - due)) / RATE} ms`);
  }
});

test("both channels are cut at the same places", () => {
  const [left, right] = whole(stretching([tone, tone.map((sample) => -sample)], 0.7));
  assert.ok(left.every((sample, at) => sample === -right[at]));
});
