/** Positions in the picture of a song, in quarters and pixels: pure functions. */

import { clamp } from "./basics.js";
import { barAt } from "./schedule.js";

/** @typedef {import("./schedule.js").Bar} Bar */

/** Rows from the lowest up, as in the project's pictures; percussion on top, in the order of the kit. */
export const ORDER = [
  "kick", "pedal hat", "snare", "side stick", "low tom", "mid tom", "high tom", "closed hat", "open hat", "ride", "bell", "crash",
  "clap", "tambourine", "cowbell", "shaker", "cabasa", "mute conga", "high conga", "low conga", "high bongo", "low bongo", "block", "triangle",
]; // prettier-ignore
const ALWAYS = new Set(["kick", "snare", "low tom", "mid tom", "high tom", "closed hat", "open hat", "ride", "crash"]);
const CYMBALS = new Set(["pedal hat", "closed hat", "open hat", "ride", "bell", "crash", "tambourine", "triangle"]);
/** @type {Record<string, string>} */
const FAMILIES = {
  kick: "kick", snare: "snare", "side stick": "snare", clap: "snare", "low tom": "tom", "mid tom": "tom", "high tom": "tom",
  "closed hat": "hat", "open hat": "hat", "pedal hat": "hat", ride: "cymbal", bell: "cymbal", crash: "cymbal",
}; // prettier-ignore

const EARLY = 0.04; // of a beat

/** Grids that clicks snap to, in places a quarter. */
export const GRIDS = /** @type {const} */ ([2, 3, 4, 6, 8]);

/** @param {string} piece */
export const isCymbal = (piece) => CYMBALS.has(piece);

/**
 * The family of a piece, which gives its colour.
 *
 * @param {string} piece
 */
export const family = (piece) => FAMILIES[piece] ?? "other";

/**
 * The rows of a picture from the top: the usual drum set, and other pieces that are played.
 *
 * @param {Iterable<string>} struck names of pieces
 * @param {boolean} all whether every piece of the kit gets a row
 * @returns {string[]}
 */
export function rowsOf(struck, all = false) {
  const used = new Set(struck);
  const known = ORDER.filter((piece) => all || ALWAYS.has(piece) || used.has(piece));
  const unknown = [...used].filter((piece) => !ORDER.includes(piece));
  return [...known, ...unknown].reverse();
}

/**
 * The left edge of the grid cell in which a quarter lies.
 *
 * @param {Bar} bar
 * @param {number} quarter
 * @param {number} grid places a quarter
 */
export function cellAt(bar, quarter, grid) {
  const most = Math.max(0, Math.ceil(bar.quarters * grid - 1e-6) - 1);
  const cell = clamp(Math.floor((quarter - bar.quarter) * grid + 1e-6), 0, most);
  return bar.quarter + cell / grid;
}

/**
 * The grid on which most hits lie: in triplets 3 or 6 places a quarter, else 4.
 *
 * @param {readonly {quarter: number}[]} hits
 * @param {Bar[]} bars
 */
export function gridOf(hits, bars) {
  const off = hits
    .slice(0, 2000)
    .map(({ quarter }) => quarter - (barAt(bars, quarter + 0.05)?.quarter ?? 0))
    .filter((place) => Math.abs(place - Math.round(place)) > 0.1);
  /** @param {number} grid */
  const miss = (grid) => off.reduce((sum, place) => sum + Math.abs(place - Math.round(place * grid) / grid), 0);
  return off.length && miss(3) < miss(4) && miss(6) < 0.8 * miss(4) ? 3 : 4;
}

/**
 * A position as musicians say it: bar, beat, and hundredths of the beat. A slightly early one counts as on its beat.
 *
 * @param {Bar[]} bars
 * @param {number} quarter
 * @returns {{bar: number, beat: number, part: number}} part: hundredths of a beat, 0 to 99
 */
export function spoken(bars, quarter) {
  const bar = barAt(bars, quarter + EARLY);
  if (!bar) return { bar: 1, beat: 1, part: 0 };
  const beats = Math.max(0, ((quarter - bar.quarter) * bar.beats) / bar.quarters);
  const place = Math.ceil(beats) - beats < EARLY ? Math.ceil(beats) : beats;
  return { bar: bar.number, beat: Math.floor(place) + 1, part: Math.floor((place % 1) * 100 + 0.5) % 100 };
}
