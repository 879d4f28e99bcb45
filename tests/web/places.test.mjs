// Where things lie in the picture, and what an address holds.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, fragment, parts, valuesOf, wishesOf } from "../../server/web/page/address.js";
import { cellAt, gridOf, rowsOf, spoken } from "../../server/web/page/places.js";
import { before } from "../../server/web/page/schedule.js";

const BARS = [
  { number: 1, quarter: 0, quarters: 4, beats: 4 },
  { number: 2, quarter: 4, quarters: 3.5, beats: 7 },
  { number: 3, quarter: 7.5, quarters: 4, beats: 4 },
];

test("a click goes to the cell it is in, and to the last one at the end of a bar", () => {
  assert.equal(cellAt(BARS[0], 1.3, 4), 1.25);
  assert.equal(cellAt(BARS[0], 1.3, 3), 1);
  assert.equal(cellAt(BARS[0], 9, 4), 3.75);
  assert.equal(cellAt(BARS[1], 7.49, 4), 4 + 3.25);
  assert.equal(cellAt(BARS[1], 3, 4), 4);
});

test("places are told in bars and beats of their own metre", () => {
  assert.deepEqual(spoken(BARS, 2.5), { bar: 1, beat: 3, part: 50 });
  assert.deepEqual(spoken(BARS, 5), { bar: 2, beat: 3, part: 0 });
  assert.deepEqual(spoken(BARS, 7.5), { bar: 3, beat: 1, part: 0 });
  assert.deepEqual(spoken([], 3), { bar: 1, beat: 1, part: 0 });
});

test("the grid follows the hits: triplets where they lie in thirds", () => {
  const at = (...quarters) => quarters.map((quarter) => ({ quarter }));
  assert.equal(gridOf(at(0, 0.5, 1, 1.25), BARS), 4);
  assert.equal(gridOf(at(0, 0.67, 1, 1.33, 1.66), BARS), 3);
  assert.equal(gridOf([], BARS), 4);
});

test("rows are the usual set from the top, and whatever else is struck", () => {
  assert.deepEqual(rowsOf([]), ["crash", "ride", "open hat", "closed hat", "high tom", "mid tom", "low tom", "snare", "kick"]);
  assert.ok(rowsOf(["bell", "odd"]).includes("bell"));
  assert.equal(rowsOf(["odd"])[0], "odd");
  assert.equal(rowsOf([], true).length, 24);
});

test("items before a place are counted as a plain loop counts them", () => {
  const items = [0, 1, 1, 2, 5];
  for (const place of [-1, 0, 0.5, 1, 2, 5, 6]) {
    assert.equal(before(items, place, (item) => item), items.filter((item) => item < place).length);
  }
});

test("an address holds wishes and gives them back", () => {
  const wishes = { style: "funk", intensity: 0.7, swing: 0, seed: "12345678901234567890".slice(0, 19), takes: 3, groove: "half-time rock, ride" };
  const { view, values } = parts(fragment("song", { song: "a riff & more.mid", ...valuesOf(wishes) }));
  assert.equal(view, "song");
  assert.equal(values.song, "a riff & more.mid");
  assert.deepEqual(wishesOf(values), wishes);
});

test("wishes for places are a text in the address and in the request", () => {
  const wishes = { intensity: 0.5, intensity_places: "chorus=0.9,9-16=0.2", half_time: "all", out: "intro", enter: "9" };
  const { values } = parts(fragment("song", valuesOf(wishes)));
  assert.deepEqual(wishesOf(values), wishes);
  assert.deepEqual(configOf(wishes), { ...wishes, explain: true });
  assert.equal(configOf({ time: "hat", time_places: "chorus=ride" }).time, "hat,chorus=ride");
  assert.deepEqual(configOf({ time_places: "chorus=ride" }), { time: "chorus=ride", explain: true });
  assert.equal(configOf({ percussion: "shaker", percussion_places: "9-16=none" }).percussion, "shaker,9-16=none");
  assert.deepEqual(wishesOf({ out: "1".repeat(2001) }), {});
  assert.equal(wishesOf({ out: "1".repeat(2000) }).out?.length, 2000);
});

test("what makes no sense in an address is passed over", () => {
  assert.deepEqual(wishesOf({ intensity: "7", swing: "", fills: "x", seed: "-1", takes: "99", style: "a".repeat(65), other: "1" }), {});
  assert.deepEqual(parts(""), { view: "song", values: {} });
});

test("the empty wish is left to the drummer, and a groove of one's own goes as its file", () => {
  assert.deepEqual(configOf({ intensity: undefined, takes: 2 }), { intensity: undefined, explain: true, takes: 2 });
  const midi = new Uint8Array([1]);
  assert.deepEqual(configOf({ groove: "x", beat: { title: "mine", midi } }).groove, [{ midi }]);
  assert.deepEqual(configOf({ groove: "x" }).groove, [{ name: "x" }]);
});
