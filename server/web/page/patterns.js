/**
 * Bars of a beat as grids, and back: pure functions. A grid has a row for each of the nine voices, and in it the
 * velocity at each place of the bar, 0 where nothing is struck. Bars are in 4/4.
 */

import { clamp } from "./basics.js";

/** @import {Bar, Hit} from "./schedule.js" */
/** @typedef {number[][]} Grid */
/** @typedef {Map<string, number>} Pins velocities by `cell`: clicked cells, which stay */

/** The voices of a grid, from the top. Each is the piece of that name, on its General MIDI note. */
export const VOICES = /** @type {const} */ ([
  ["crash", 49],
  ["ride", 51],
  ["open hat", 46],
  ["closed hat", 42],
  ["high tom", 50],
  ["mid tom", 47],
  ["low tom", 43],
  ["snare", 38],
  ["kick", 36],
]);
export const GRIDS = [16, 24, 32];
export const QUARTERS = 4;
export const TICKS = 480;
const ROWS = new Map(VOICES.map(([name], row) => [/** @type {string} */ (name), row]));
// Pieces without a row, and those that stand for them; as `composer.STAND_INS`.
const STAND_INS = /** @type {Record<string, string>} */ ({
  "side stick": "snare",
  clap: "snare",
  bell: "ride",
  cowbell: "ride",
  block: "ride",
  "pedal hat": "closed hat",
  shaker: "closed hat",
  cabasa: "closed hat",
  tambourine: "closed hat",
  triangle: "closed hat",
  "high conga": "high tom",
  "high bongo": "high tom",
  "mute conga": "mid tom",
  "low bongo": "mid tom",
  "low conga": "low tom",
});
const LOUDEST = 127;
const TRIPLETS_AND_SIXTEENTHS = [0, 1 / 4, 1 / 3, 1 / 2, 2 / 3, 3 / 4]; // the places of a quarter of 24

/**
 * The position of each place of a bar, in quarters.
 * @param {number} places 16, 24 or 32
 */
export function quartersOf(places) {
  return Array.from({ length: places }, (_, place) =>
    places === 24 ? Math.floor(place / 6) + TRIPLETS_AND_SIXTEENTHS[place % 6] : (place * QUARTERS) / places,
  );
}

/**
 * The place nearest to a position in a bar; the earlier of two.
 * @param {number} places
 * @param {number} quarter
 */
export function placeAt(places, quarter) {
  const all = quartersOf(places);
  return all.reduce((best, at, place) => (Math.abs(at - quarter) < Math.abs(all[best] - quarter) - 1e-9 ? place : best), 0);
}

/** @param {number} places @returns {Grid} */
export function empty(places) {
  return VOICES.map(() => Array(places).fill(0));
}

/**
 * The grid of a bar's hits, whose quarters are counted from its barline. Of several hits in one place the loudest stays;
 * pieces without a row are struck on the nearest one.
 * @param {{quarter: number, piece: string, velocity: number}[]} hits
 * @param {number} places
 */
export function gridOf(hits, places) {
  const grid = empty(places);
  for (const { quarter, piece, velocity } of hits) {
    const row = ROWS.get(STAND_INS[piece] ?? piece);
    if (row === undefined) continue;
    const place = placeAt(places, quarter);
    grid[row][place] = Math.max(grid[row][place], velocity);
  }
  return grid;
}

/**
 * The hits of a grid as bar `index` of a beat, counted from 0.
 * @param {Grid} grid
 * @param {number} index
 * @returns {Hit[]}
 */
export function hitsOf(grid, index) {
  const quarters = quartersOf(grid[0].length);
  return quarters.flatMap((at, place) =>
    VOICES.flatMap(([piece], row) => {
      const velocity = grid[row][place];
      const quarter = index * QUARTERS + at;
      return velocity ? [{ tick: Math.round(quarter * TICKS), quarter, bar: index + 1, piece, velocity }] : [];
    }),
  );
}

/**
 * The same bar with more or fewer places.
 * @param {Grid} grid
 * @param {number} places
 */
export function regridded(grid, places) {
  return grid[0].length === places ? grid : gridOf(hitsOf(grid, 0), places);
}

/**
 * The name of a cell among pins.
 * @param {number} row
 * @param {number} place
 * @param {number} places
 */
export function cell(row, place, places) {
  return `${row} ${Math.round(quartersOf(places)[place] * TICKS)}`;
}

/**
 * A bar with the clicked cells applied, where its grid has such a place.
 * @param {Grid} grid
 * @param {Pins} pins
 * @returns {Grid}
 */
export function pinned(grid, pins) {
  const places = grid[0].length;
  return grid.map((row, voice) => row.map((velocity, place) => pins.get(cell(voice, place, places)) ?? velocity));
}

/**
 * A bar with another velocity in one cell.
 * @param {Grid} grid
 * @param {number} row
 * @param {number} place
 * @param {number} velocity
 * @returns {Grid}
 */
export function struck(grid, row, place, velocity) {
  const kept = clamp(Math.round(velocity), 0, LOUDEST);
  return grid.map((cells, voice) => (voice === row ? cells.map((old, at) => (at === place ? kept : old)) : cells));
}

/** @param {number} index from 0 @returns {Bar} */
export function barOf(index) {
  return { number: index + 1, quarter: index * QUARTERS, quarters: QUARTERS, beats: QUARTERS };
}
