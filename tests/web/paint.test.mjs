// The rows of the picture fit the window, however many there are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { SIZE, fitted, tall } from "../../server/web/page/paint.js";

const rows = (count) => ({ rows: Array.from({ length: count }, (_, index) => `${index}`) });

test("a few more rows than usual leave the picture as tall as it is, and all can be hit by a finger", () => {
  for (const height of [1180, 1440, 2160]) {
    fitted({ innerHeight: height, innerWidth: 1440 }, 9);
    const usual = tall(rows(9));
    const { guitar } = SIZE;
    for (const count of [10, 11, 12]) {
      fitted({ innerHeight: height, innerWidth: 1440 }, count);
      assert.ok(tall(rows(count)) <= usual, `${height} ${count}`);
      assert.ok(SIZE.row >= 24 && SIZE.guitar >= 48 && SIZE.guitar <= guitar);
    }
  }
});

test("many rows are never lower than a finger is wide", () => {
  for (const height of [600, 900, 1180]) {
    fitted({ innerHeight: height, innerWidth: 1440 }, 26);
    assert.deepEqual([SIZE.row, SIZE.guitar], [24, 48]);
  }
});
