// Names of grooves as guitarists say them, the search among them, and the bar that is drawn.
import assert from "node:assert/strict";
import { test } from "node:test";
import { typical } from "../../server/web/page/cards.js";
import { grooveName, searched } from "../../server/web/page/groove_names.js";
import { setLanguage } from "../../server/web/page/words.js";

const plain = (title) => grooveName(title).replaceAll("\u2011", "-");

test("a name has no counts, which the drawing tells, and says the pieces in full", () => {
  assert.equal(plain("shuffle, hat, side stick, kick 1 2let 3 3let 4let"), "Shuffle, hi-hat, side stick");
  assert.equal(plain("half-time, ride bell, kick 1 3&"), "Half-time, bell of the ride");
  assert.equal(plain("backbeat, quarter open hat, crash, kick 1 3& 4&"), "Backbeat, open hi-hat, quarters, crash");
  assert.equal(plain("pop, four on the floor"), "Pop, four on the floor");
  assert.equal(plain("backbeat, ride (2)"), "Backbeat");
  setLanguage("de");
  assert.equal(plain("half-time, 16th hat, ghost notes"), "Half-Time, Hi-Hat, Sechzehntel, Ghostnotes");
  assert.equal(plain("swing with brushes"), "Swing mit Besen");
  setLanguage("en");
});

test("a search finds by the words of either language, by style and by name, those that begin so first", () => {
  const book = [{ name: "swing-brushes", title: "swing with brushes", style: "jazz" }, { name: "one-drop", title: "one drop, hat", style: "reggae" }, { name: "x", title: "brushes, hat", style: "" }];
  assert.deepEqual(searched(book, "brushes").map(({ name }) => name), ["x", "swing-brushes"]);
  assert.deepEqual(searched(book, "reggae hi-hat").map(({ name }) => name), ["one-drop"]);
  setLanguage("de");
  assert.deepEqual(searched(book, "Besen").map(({ name }) => name), ["swing-brushes"]);
  setLanguage("en");
  assert.deepEqual(searched(book, "tango"), []);
});

test("the typical bar is the one that comes most often, wherever a hit leans", () => {
  const bars = [0, 4, 8].map((quarter, index) => ({ number: index + 1, quarter, quarters: 4, beats: 4 }));
  const hit = (bar, quarter, piece = "kick") => ({ tick: 0, bar, quarter, piece, velocity: 90 });
  const hits = [hit(1, 0), hit(1, 1), hit(2, 4), hit(2, 5.02), hit(3, 8), hit(3, 11, "snare")];
  assert.equal(typical(hits, bars).bar.number, 1);
  assert.deepEqual(typical([], bars), { bar: undefined, hits: [] });
});
