/**
 * Edits of a take, locked bars, and undo: pure functions between plain values.
 *
 * A take keeps the drummer's hits and the edits apart: when bars are played again, the edits stay.
 */

import { clamp } from "./basics.js";

/** @typedef {import("./schedule.js").Hit} Hit */
/** @typedef {Hit} Edit A hit of this velocity, or none at this place (velocity 0). */
/**
 * @typedef {object} Take
 * @property {string} seed
 * @property {number | null} score the F1, 0 to 1, that its hits are expected to have with what a drummer would play
 * @property {readonly Hit[]} played what the drummer played, in order
 * @property {readonly Edit[]} edits
 * @property {readonly number[]} locks numbers of the bars that stay when the others are played again, in order
 * @property {Uint8Array | null} midi the file of `played`; null while it is being played
 * @property {readonly import("./api.js").Explanation[]} explanations
 * @property {readonly {section: string, name: string, title: string}[]} grooves
 * @property {boolean} [isFree] whether the drummer chose its grooves by its seed alone
 * @property {readonly import("./plan.js").PlannedSection[]} [plan] how its sections are built; none in older saved work
 */

/** Quarters: a click refers to a hit of the same piece that is nearer than this, half a step of the finest triplets. */
const NEAR = 1 / 12;
/** Velocity of a new hit on a piece that is not played elsewhere. */
export const USUAL = 96;
const MOST_STEPS_BACK = 200;

/** @param {Hit} one @param {Hit} other */
const near = (one, other) => one.piece === other.piece && Math.abs(one.quarter - other.quarter) < NEAR;

/** @param {Hit} one @param {Hit} other */
const inOrder = (one, other) => one.quarter - other.quarter || (one.piece < other.piece ? -1 : 1);

/**
 * The hits as heard: the played ones with the edits applied.
 *
 * @param {readonly Hit[]} played
 * @param {readonly Edit[]} edits
 * @returns {readonly Hit[]} in order
 */
export function sounding(played, edits) {
  if (!edits.length) return played;
  /** @type {Map<string, Edit[]>} */
  const of = new Map();
  for (const edit of edits) of.set(edit.piece, [...(of.get(edit.piece) ?? []), edit]);
  const left = played.filter((hit) => !of.get(hit.piece)?.some((edit) => near(edit, hit)));
  return [...left, ...edits.filter((edit) => edit.velocity > 0)].sort(inOrder);
}

/**
 * Toggle a place: remove the hit there or add one; a second click undoes the first.
 *
 * @param {Take} take
 * @param {Hit} place the place, with the velocity of a new hit
 * @returns {Take}
 */
export function toggled(take, place) {
  const others = take.edits.filter((edit) => !near(edit, place));
  const clicked = take.edits.find((edit) => near(edit, place));
  const played = take.played.find((hit) => near(hit, place));
  const heard = clicked ? clicked.velocity > 0 : played !== undefined;
  if (heard && played) return { ...take, edits: [...others, { ...played, velocity: 0 }] };
  if (heard || (clicked && played)) return { ...take, edits: others };
  return { ...take, edits: [...others, place] };
}

/**
 * Change the velocity of a hit.
 *
 * @param {Take} take
 * @param {Hit} hit
 * @param {number} velocity clamped to 1 to 127
 * @returns {Take}
 */
export function struck(take, hit, velocity) {
  const wanted = clamp(Math.round(velocity), 1, 127);
  const edits = take.edits.filter((edit) => !near(edit, hit));
  const played = take.played.find((one) => near(one, hit));
  if (played?.velocity === wanted && played.tick === hit.tick) return { ...take, edits };
  return { ...take, edits: [...edits, { ...hit, velocity: wanted }] };
}

/**
 * Replace the hits of a bar.
 *
 * @param {readonly Hit[]} played
 * @param {number} bar
 * @param {readonly Hit[]} hits
 * @returns {readonly Hit[]}
 */
export function replaced(played, bar, hits) {
  let first = played.length;
  while (first > 0 && played[first - 1].bar >= bar) first--;
  if (first === played.length) return [...played, ...hits]; // bars come in their order
  return [...played.filter((hit) => hit.bar !== bar), ...hits].sort(inOrder);
}

/**
 * Lock or unlock bars.
 *
 * @param {readonly number[]} locks
 * @param {number} first
 * @param {number} last either may be the smaller
 * @param {boolean} locked
 * @returns {readonly number[]} in order
 */
export function withLocks(locks, first, last, locked) {
  const [low, high] = first < last ? [first, last] : [last, first];
  const others = locks.filter((bar) => bar < low || bar > high);
  const those = locked ? Array.from({ length: high - low + 1 }, (_, index) => low + index) : [];
  return [...others, ...those].sort((one, other) => one - other);
}

/**
 * The bars with a fill or a break.
 *
 * @param {Take["explanations"]} explanations
 * @returns {Map<number, "fill" | "break">}
 */
export function signs(explanations) {
  /** @type {Map<number, "fill" | "break">} */
  const found = new Map();
  for (const { firstBar, lastBar, text } of explanations) {
    const word = /^(fill|break)\b/.exec(text)?.[1];
    if (word && firstBar === lastBar) found.set(firstBar, /** @type {"fill" | "break"} */ (word));
  }
  return found;
}

// --- undo ------------------------------------------------------------------------------------------------------------

/**
 * Undo history: states before and after `now`.
 *
 * @template T
 * @typedef {{past: readonly T[], now: T, future: readonly T[]}} History
 */

/**
 * @template T
 * @param {T} now
 * @returns {History<T>}
 */
export const begun = (now) => ({ past: [], now, future: [] });

/**
 * Add a step that can be undone.
 *
 * @template T
 * @param {History<T>} history
 * @param {T} next
 * @returns {History<T>}
 */
export const done = (history, next) => ({ past: [...history.past, history.now].slice(-MOST_STEPS_BACK), now: next, future: [] });

/**
 * Change the present state without a step, such as for a bar that comes in.
 *
 * @template T
 * @param {History<T>} history
 * @param {T} now
 * @returns {History<T>}
 */
export const amended = (history, now) => ({ ...history, now });

/**
 * @template T
 * @param {History<T>} history
 * @returns {History<T>}
 */
export function undone(history) {
  const before = history.past.at(-1);
  return before === undefined ? history : { past: history.past.slice(0, -1), now: before, future: [history.now, ...history.future] };
}

/**
 * @template T
 * @param {History<T>} history
 * @returns {History<T>}
 */
export function redone(history) {
  const next = history.future[0];
  return next === undefined ? history : { past: [...history.past, history.now], now: next, future: history.future.slice(1) };
}
