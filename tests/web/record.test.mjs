import assert from "node:assert/strict";
import { test } from "node:test";

import { noteOf } from "../../server/web/page/midi.js";
import { again, extended, heardOf, jamFile, notesOf, pointOf, toldOf } from "../../server/web/page/record.js";

const HIT = { quarter: 4.5, note: 38, velocity: 90, piece: "snare" };
const BAR = { number: 2, quarter: 4, quarters: 4, beats: 4, section: "A", groove: "rock", fill: true, last: false, hits: [HIT] };

test("notes of MIDI messages are heard, and all else is passed over", () => {
  assert.deepEqual(noteOf([0x90, 52, 90]), { pitch: 52, velocity: 90 });
  assert.deepEqual(noteOf([0x93, 52, 0]), { pitch: 52, velocity: 0 });
  assert.deepEqual(noteOf([0x80, 52, 64]), { pitch: 52, velocity: 0 });
  for (const bytes of [[0xb0, 7, 100], [0x99, 36, 100], [0xfe], [], [0x90, 52], [0x90, 200, 90]]) assert.equal(noteOf(bytes), null);
});

test("bars are laid out one behind the other, and decided half a quarter before they begin", () => {
  const layout = extended(extended([], { numerator: 7, denominator: 8 }, 1), { numerator: 7, denominator: 8 }, 2);
  assert.deepEqual(layout.map(({ number, quarter, quarters, beats }) => [number, quarter, quarters, beats]), [[1, 0, 3.5, 7], [2, 3.5, 3.5, 7], [3, 7, 3.5, 7]]);
  assert.equal(pointOf(layout, 1), 3);
  assert.equal(pointOf(layout, 9), Infinity);
});

test("a bar that is late is the one before once more, and no fill", () => {
  const once = again(BAR, { number: 3, quarter: 8, quarters: 3, beats: 3 });
  assert.deepEqual([once.number, once.quarter, once.hits[0].quarter, once.fill, once.again], [3, 8, 8.5, false, true]);
  assert.equal(again(BAR, { number: 3, quarter: 8, quarters: 0.25, beats: 1 }).hits.length, 0);
});

test("what a guitar has told comes back as notes", () => {
  const notes = [{ quarter: 0, quarters: 1, pitch: 40, velocity: 90 }, { quarter: 1, quarters: 0.5, pitch: 40, velocity: 80 }];
  const told = toldOf(notes);
  assert.deepEqual(told.map(({ quarter, velocity }) => [quarter, velocity]), [[0, 90], [1, 0], [1, 80], [1.5, 0]]);
  assert.deepEqual(notesOf(told, 2), notes);
  assert.equal(notesOf([told[0]], 100)[0].quarters, 8); // nobody ended it
  assert.equal(heardOf(told), "E2 E2");
});

test("a jam is written as guitar and drums", () => {
  const told = toldOf([{ quarter: 0, quarters: 1, pitch: 40, velocity: 90 }]);
  const bytes = jamFile({ told, bars: [BAR], tempos: [{ quarter: 0, bpm: 120 }], meters: [{ quarter: 0, numerator: 4, denominator: 4 }], program: 27 });
  const text = String.fromCharCode(...bytes);
  assert.ok(text.startsWith("MThd\0\0\0\u0006\0\u0001\0\u0003"));
  assert.equal(text.split("MTrk").length, 4);
  assert.ok(text.includes("Guitar") && text.includes("Drums") && text.includes("\u0099\u0026\u005a"));
});
