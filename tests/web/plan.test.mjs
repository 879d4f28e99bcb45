// The blocks of a form: how tall they are, what is played and what is asked for in each.
import assert from "node:assert/strict";
import { test } from "node:test";
import { blocksOf, filledUp, fullness, sectionAt, spansOf } from "../../server/web/page/plan.js";

const PLAIN = { firstBar: 1, lastBar: 8, name: "A", enters: 1, cymbal: "closed hat", level: 1, loudness: 1 };

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

test("a block has its groove, by a wish for its bars before the one of the plan, and what is asked for in it", () => {
  const form = [{ name: "Verse", firstBar: 1, lastBar: 8 }, { name: "Chorus", firstBar: 9, lastBar: 16 }];
  const plan = [{ ...PLAIN, groove: "rock-hat" }, { ...PLAIN, firstBar: 9, lastBar: 16, enters: 9, groove: "rock-hat" }];
  const wishes = { groove_places: "9-16=one-drop", half_time: "chorus", out: "3-4" };
  const [verse, chorus] = blocksOf(form, plan, wishes, (name) => name.toUpperCase());
  assert.deepEqual([verse.groove, verse.isHalf, verse.isOut, verse.isWished], ["ROCK-HAT", false, false, true]);
  assert.deepEqual([chorus.groove, chorus.isHalf, chorus.isOut, chorus.isWished], ["ONE-DROP", true, false, true]);
  assert.equal(blocksOf(form, [], {}, (name) => name)[0].isWished, false);
});

test("bars without a section have one of their own", () => {
  const form = [{ name: "A", firstBar: 5, lastBar: 8 }, { name: "B", firstBar: 11, lastBar: 12 }];
  assert.deepEqual(filledUp(form, 14, "-").map(({ name, firstBar, lastBar }) => [name, firstBar, lastBar]), [["-", 1, 4], ["A", 5, 8], ["-", 9, 10], ["B", 11, 12], ["-", 13, 14]]);
  assert.deepEqual(filledUp(form.slice(0, 1), 8, "-").length, 2);
});
