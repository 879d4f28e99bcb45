// The strip of a plan: what is shown, how tall, and which bars are hatched.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fullness, isBuilt, sectionAt, spansOf } from "../../server/web/page/plan.js";

const PLAIN = { firstBar: 1, lastBar: 8, name: "A", enters: 1, cymbal: "closed hat", level: 1, loudness: 1 };

test("a plan is shown if its sections differ or the drums wait", () => {
  assert.equal(isBuilt([]), false);
  assert.equal(isBuilt([PLAIN, { ...PLAIN, firstBar: 9, lastBar: 16, enters: 9 }]), false);
  for (const change of [{ level: 1.2 }, { loudness: 0.9 }, { enters: 3 }, { enters: undefined }]) assert.equal(isBuilt([{ ...PLAIN, ...change }]), true);
  assert.equal(isBuilt([PLAIN, { ...PLAIN, firstBar: 9, enters: 9, cymbal: "ride" }]), true);
});

test("a fuller section is taller, and none is taller than the strip or too low to be seen", () => {
  assert.equal(fullness(1), 0.5);
  assert.ok(fullness(0.8) < fullness(1) && fullness(1) < fullness(1.3));
  assert.deepEqual([fullness(0.25), fullness(4)], [0.1, 1]);
});

test("the drums wait before the bar that they come in with", () => {
  assert.deepEqual(spansOf(PLAIN), { waits: null, plays: [1, 8] });
  assert.deepEqual(spansOf({ ...PLAIN, enters: 5 }), { waits: [1, 4], plays: [5, 8] });
  const { enters, ...silent } = PLAIN;
  assert.equal(enters, 1);
  assert.deepEqual(spansOf(silent), { waits: [1, 8], plays: null });
});

test("a bar has the section that it is in, or none", () => {
  assert.equal(sectionAt([PLAIN], 8), PLAIN);
  assert.equal(sectionAt([PLAIN], 9), undefined);
});
