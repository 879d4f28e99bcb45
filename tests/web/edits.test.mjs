// What was clicked stays, what is locked stays, and there is a way back.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as edits from "../../server/web/page/edits.js";
import { without } from "../../server/web/page/spans.js";
import { emptyTake } from "../../server/web/page/work.js";

const hit = (quarter, piece = "snare", velocity = 100) => ({ tick: quarter * 480, quarter, bar: 1 + Math.floor(quarter / 4), piece, velocity });
const take = (...played) => emptyTake("0", { played });
const heard = (of) => edits.sounding(of.played, of.edits);

test("a click on an empty place puts a hit there, and a second click leaves no trace", () => {
  const once = edits.toggled(take(hit(1)), hit(2, "snare", 96));
  assert.deepEqual(heard(once), [hit(1), hit(2, "snare", 96)]);
  assert.deepEqual(edits.toggled(once, hit(2)).edits, []);
});

test("a click on a hit takes it out, and a second click brings the same hit back", () => {
  const played = take(hit(1.02, "snare", 71), hit(1.02, "kick"));
  const out = edits.toggled(played, hit(1.02));
  assert.deepEqual(heard(out), [hit(1.02, "kick")]);
  assert.deepEqual(heard(edits.toggled(out, hit(1))), played.played);
});

test("a hit that is dragged keeps its place, and its loudness stays within MIDI's", () => {
  const played = take(hit(1.02));
  assert.deepEqual(heard(edits.struck(played, hit(1.02), 40)), [hit(1.02, "snare", 40)]);
  assert.deepEqual(heard(edits.struck(played, hit(1.02), 900)), [hit(1.02, "snare", 127)]);
  assert.deepEqual(heard(edits.struck(played, hit(1.02), -5)), [hit(1.02, "snare", 1)]);
  assert.deepEqual(edits.struck(edits.struck(played, hit(1.02), 40), hit(1.02, "snare", 40), 100).edits, []);
});

test("what was clicked stays when a bar is played anew", () => {
  let one = take(hit(0), hit(1), hit(4));
  one = edits.toggled(edits.toggled(edits.struck(one, hit(4), 30), hit(1)), hit(2, "crash", 96));
  const anew = { ...one, played: edits.replaced(edits.replaced(one.played, 1, [hit(0.5), hit(1.01)]), 2, [hit(5)]) };
  assert.deepEqual(heard(anew), [hit(0.5), hit(2, "crash", 96), hit(4, "snare", 30), hit(5)]);
});

test("bars that come in replace their own hits and no others, in any order", () => {
  const played = [hit(0), hit(3.9), hit(4), hit(8)];
  assert.deepEqual(edits.replaced(played, 2, [hit(5)]), [hit(0), hit(3.9), hit(5), hit(8)]);
  assert.deepEqual(edits.replaced(played, 4, [hit(12)]).at(-1), hit(12));
  const early = { ...hit(3.98), bar: 2 };
  assert.deepEqual(edits.replaced(played, 2, [early]), [hit(0), hit(3.9), early, hit(8)]);
});

test("locks are given and taken by ranges from either end, and what is free comes as ranges", () => {
  const locks = edits.withLocks([2], 6, 4, true);
  assert.deepEqual(locks, [2, 4, 5, 6]);
  assert.deepEqual(without([{ firstBar: 1, lastBar: 8 }], locks), [{ firstBar: 1, lastBar: 1 }, { firstBar: 3, lastBar: 3 }, { firstBar: 7, lastBar: 8 }]);
  assert.deepEqual(without([{ firstBar: 1, lastBar: 3 }], edits.withLocks([], 1, 3, true)), []);
  assert.deepEqual(edits.withLocks(locks, 5, 5, false), [2, 4, 6]);
});

test("fills and breaks are read off what is said of single bars", () => {
  const said = [
    { firstBar: 1, lastBar: 8, text: "as bars 9-16" },
    { firstBar: 8, lastBar: 8, text: "fill with toms before bar 9" },
    { firstBar: 12, lastBar: 12, text: "break" },
    { firstBar: 13, lastBar: 13, text: "crash on the downbeat after the fill" },
  ];
  assert.deepEqual([...edits.signs(said)], [[8, "fill"], [12, "break"]]);
});

test("undo and redo walk back and forth, a new step forgets what was undone, and a change is no step", () => {
  const two = edits.done(edits.done(edits.begun("a"), "b"), "c");
  assert.equal(edits.undone(edits.undone(two)).now, "a");
  assert.equal(edits.undone(edits.undone(edits.undone(two))).now, "a");
  assert.equal(edits.redone(edits.undone(two)).now, "c");
  assert.deepEqual(edits.done(edits.undone(two), "d").future, []);
  assert.equal(edits.undone(edits.amended(two, "e")).now, "b");
});

test("any clicks can be undone one by one, and done again", () => {
  let history = edits.begun(take(hit(0), hit(1), hit(2)));
  const states = [history.now];
  for (let step = 0; step < 60; step++) {
    const place = hit((step * 7) % 12 / 4, step % 3 ? "snare" : "kick", 90);
    history = edits.done(history, step % 4 ? edits.toggled(history.now, place) : edits.struck(history.now, place, 20 + step));
    states.push(history.now);
  }
  for (const state of states.toReversed().slice(1)) assert.deepEqual((history = edits.undone(history)).now, state);
  for (const state of states.slice(1)) assert.deepEqual((history = edits.redone(history)).now, state);
});
