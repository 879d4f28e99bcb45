/** Drawings of beats, on the cards of takes and of grooves: cymbals above, snare and toms, kick below. */

import { clamp } from "./basics.js";
import { made } from "./dom.js";
import { family } from "./places.js";

/** @typedef {import("./schedule.js").Hit} Hit */
/** @typedef {import("./schedule.js").Bar} Bar */
/** @typedef {Pick<Hit, "quarter" | "piece" | "velocity">} Stroke */

const [WIDE, HIGH] = [128, 36];
/** By the family of a piece: the middle of its row, and its height. @type {Record<string, readonly [number, number]>} */
const ROWS = { hat: [6, 6], cymbal: [6, 9], other: [6, 6], snare: [18, 9], tom: [18, 6], kick: [30, 10] };
const PLACES = 24; // to a bar: hits of a pattern that are nearer than that are in one place

/**
 * A bar of drums as a drawing.
 *
 * @param {readonly Stroke[]} hits of the bar
 * @param {Bar | undefined} bar
 */
export function drawing(hits, bar) {
  const svg = made("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "beat", "aria-hidden": "true", preserveAspectRatio: "none" });
  if (!bar) return svg;
  for (let beat = 0; beat < bar.beats; beat++) svg.append(made("rect", { class: "beat-line", x: (beat / bar.beats) * WIDE, y: 0, width: 0.6, height: HIGH }));
  for (const { quarter, piece, velocity } of hits) {
    const [middle, high] = ROWS[family(piece)] ?? ROWS.other;
    const share = clamp((quarter - bar.quarter) / bar.quarters, 0, 0.97);
    const tall = high * (0.45 + (0.55 * velocity) / 127);
    svg.append(made("rect", { class: `hit-${family(piece)}`, x: (share * WIDE + 0.8).toFixed(1), y: (middle - tall / 2).toFixed(1), width: 4.4, height: tall.toFixed(1), rx: 1.4, opacity: (0.35 + (0.65 * velocity) / 127).toFixed(2) }));
  }
  return svg;
}

/**
 * The bar that is played most often, and its hits.
 *
 * @param {readonly Hit[]} hits in order
 * @param {readonly Bar[]} bars
 * @returns {{bar: Bar | undefined, hits: readonly Hit[]}}
 */
export function typical(hits, bars) {
  /** @type {Map<number, Hit[]>} */
  const byBar = new Map();
  for (const hit of hits) byBar.set(hit.bar, [...(byBar.get(hit.bar) ?? []), hit]);
  /** @type {Map<string, number[]>} */
  const patterns = new Map();
  for (const [number, own] of byBar) {
    const { quarter, quarters } = bars[number - 1] ?? { quarter: 0, quarters: 4 }; // none while a song is brought to other beats
    const pattern = own.map((hit) => `${hit.piece} ${Math.round(((hit.quarter - quarter) / quarters) * PLACES)}`).sort().join(); // prettier-ignore
    patterns.set(pattern, [...(patterns.get(pattern) ?? []), number]);
  }
  const most = [...patterns.values()].sort((one, other) => other.length - one.length)[0];
  return most ? { bar: bars[most[0] - 1], hits: byBar.get(most[0]) ?? [] } : { bar: undefined, hits: [] };
}
