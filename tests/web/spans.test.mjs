// Wishes for some bars, as texts.
import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, valuesOf, wishesOf } from "../../server/web/page/address.js";
import { placedOf, textOf, valueIn, withValue } from "../../server/web/page/spans.js";

const FORM = [
  { name: "Verse", firstBar: 1, lastBar: 8 },
  { name: "Chorus", firstBar: 9, lastBar: 16 },
  { name: "Verse", firstBar: 17, lastBar: 24 },
];
const span = (firstBar, lastBar) => ({ firstBar, lastBar });

test("a text of places is read by bars, names mean all sections of that name, and it is written back", () => {
  assert.equal(textOf(placedOf("verse=0.9, 9-16=0.2,12=1", FORM)), "1-8=0.9,17-24=0.9,9-16=0.2,12-12=1");
  assert.equal(textOf(placedOf("chorus,20", FORM)), "9-16,20-20");
  assert.equal(textOf(placedOf("all", FORM)), "1-8,9-16,17-24");
  assert.deepEqual(placedOf(undefined), []);
});

test("some bars have a value if all of them have it; the later place wins", () => {
  const placed = placedOf("1-16=0.9,9-12=0.2");
  assert.equal(valueIn(placed, span(1, 8)), "0.9");
  assert.equal(valueIn(placed, span(9, 12)), "0.2");
  assert.equal(valueIn(placed, span(8, 9)), undefined);
  assert.equal(valueIn(placed, span(17, 20)), undefined);
});

test("another value in some bars leaves it in all others, and none takes it away there alone", () => {
  const placed = placedOf("chorus=0.9", FORM);
  assert.equal(textOf(withValue(placed, span(11, 12), "0.1")), "9-10=0.9,11-12=0.1,13-16=0.9");
  assert.equal(textOf(withValue(placed, span(11, 12), undefined)), "9-10=0.9,13-16=0.9");
  assert.equal(textOf(withValue(placedOf("1-16=a,9-12=b"), span(1, 4), "c")), "1-4=c,5-8=a,9-12=b,13-16=a");
  assert.equal(textOf(withValue(placedOf("9-16"), span(9, 16), undefined)), "");
});

test("grooves, fills and pieces that are left out go to the server as the contract has them, and into an address", () => {
  const wishes = { groove_places: "9-16=one-drop", fill_at: "8-8,16-16", no_fills_in: "24-24", without: "crash,ride" };
  assert.deepEqual(wishesOf(valuesOf(wishes)), wishes);
  assert.deepEqual(configOf(wishes), {
    explain: true,
    groove: [{ section: "9-16", name: "one-drop" }],
    fill_at: [8, 16],
    no_fills_in: [{ firstBar: 24, lastBar: 24 }],
    without: ["crash", "ride"],
  });
});
