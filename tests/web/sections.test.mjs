// Sections as the user names them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameForm, joined, moved, renamed, sectionsText, split } from "../../server/web/page/spans.js";

const FORM = [
  { name: "A", firstBar: 1, lastBar: 8 },
  { name: "B", firstBar: 9, lastBar: 12 },
  { name: "A", firstBar: 13, lastBar: 20 },
];

test("a name is that of all sections that are alike, or of one, and keeps no sign that ends it", () => {
  assert.equal(sectionsText(renamed(FORM, 0, "Verse")), "Verse 1-8, B 9-12, Verse 13-20");
  assert.equal(sectionsText(renamed(FORM, 2, "Outro", false)), "A 1-8, B 9-12, Outro 13-20");
  assert.equal(renamed(FORM, 1, " loud,  the=second ")[1].name, "loud the second");
  assert.equal(renamed(FORM, 1, " , "), FORM);
});

test("a section is split where a bar begins it, and joined with the next", () => {
  const two = split(FORM, 5);
  assert.equal(sectionsText(two), "A 1-4, A 2 5-8, B 9-12, A 13-20");
  assert.equal(sectionsText(split(two, 17)), "A 1-4, A 2 5-8, B 9-12, A 13-16, A 3 17-20");
  assert.deepEqual(joined(two, 0), FORM);
  assert.deepEqual(split(FORM, 9), FORM);
  assert.equal(joined(FORM, 2), FORM);
});

test("a border moves as far as a bar is left on each side", () => {
  assert.equal(sectionsText(moved(FORM, 1, 7)), "A 1-6, B 7-12, A 13-20");
  assert.equal(sectionsText(moved(FORM, 1, -3)), "A 1-1, B 2-12, A 13-20");
  assert.equal(sectionsText(moved(FORM, 1, 40)), "A 1-11, B 12-12, A 13-20");
  assert.equal(moved(FORM, 0, 5), FORM);
});

test("other names are the same form, other borders and other likenesses are not", () => {
  assert.ok(isSameForm(FORM, renamed(FORM, 0, "Verse")));
  assert.ok(!isSameForm(FORM, renamed(FORM, 2, "Outro", false)));
  assert.ok(!isSameForm(FORM, moved(FORM, 1, 7)));
  assert.ok(!isSameForm(FORM, split(FORM, 5)));
});
