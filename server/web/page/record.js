/** The notes and bars of a jam as plain values: pure functions. */

import { clamp } from "./basics.js";
import { endOf } from "./schedule.js";
import { fileOf } from "./writing.js";

/** @import {Bar, Note} from "./schedule.js" */
/** @typedef {{quarter: number, note: number, velocity: number, piece: string}} Strike a hit, with its note in General MIDI */
/** @typedef {{number: number, quarter: number, quarters: number, beats: number, section: string, groove: string, fill: boolean, last: boolean, hits: Strike[], again?: boolean}} JamBar again: the server was late, so the bar before is repeated */
/** @typedef {{quarter: number, pitch: number, velocity: number}} Told a note begins, or ends with the velocity 0 */

const LEAD = 0.5; // quarters before its beginning at which a bar is decided
const LONGEST = 8; // quarters: length of a note without an end
const KEYS = ["C", "C♯", "D", "E♭", "E", "F", "F♯", "G", "A♭", "A", "B♭", "B"];

/**
 * When the bar after so many is decided.
 * @param {Bar[]} layout
 * @param {number} made
 */
export const pointOf = (layout, made) => (layout[made]?.quarter ?? Infinity) - LEAD;

/**
 * The same bar at the next place.
 * @param {JamBar} bar
 * @param {Bar} place
 * @returns {JamBar}
 */
export function again(bar, place) {
  const by = place.quarter - bar.quarter;
  const hits = bar.hits.filter(({ quarter }) => quarter - bar.quarter < place.quarters).map((hit) => ({ ...hit, quarter: hit.quarter + by }));
  return { ...bar, ...place, hits, fill: false, last: false, again: true };
}

/**
 * Lay out more bars of a metre.
 * @param {Bar[]} layout
 * @param {{numerator: number, denominator: number}} metre
 * @param {number} count
 * @returns {Bar[]}
 */
export function extended(layout, { numerator, denominator }, count) {
  const quarters = (4 * numerator) / denominator;
  const end = endOf(layout);
  const more = Array.from({ length: count }, (_, at) => ({ number: layout.length + at + 1, quarter: end + at * quarters, quarters, beats: numerator }));
  return [...layout, ...more];
}

/**
 * Notes as begin and end events.
 * @param {readonly Note[]} notes
 * @returns {Told[]} in order of time; ends come first
 */
export function toldOf(notes) {
  const told = notes.flatMap(({ quarter, quarters, pitch, velocity }) => [
    { quarter, pitch, velocity },
    { quarter: quarter + quarters, pitch, velocity: 0 },
  ]);
  return told.sort((one, other) => one.quarter - other.quarter || Math.sign(one.velocity) - Math.sign(other.velocity));
}

/**
 * Begin and end events as notes with their lengths.
 * @param {readonly Told[]} told in the order of time
 * @param {number} now
 * @returns {Note[]}
 */
export function notesOf(told, now) {
  /** @type {Map<number, Note>} */
  const open = new Map();
  /** @type {Note[]} */
  const notes = [];
  for (const { quarter, pitch, velocity } of told) {
    const before = open.get(pitch);
    if (before) before.quarters = clamp(quarter - before.quarter, 0.01, LONGEST);
    open.delete(pitch);
    if (!velocity) continue;
    const note = { quarter, quarters: clamp(now - quarter, 0.01, LONGEST), pitch, velocity };
    notes.push(note);
    open.set(pitch, note);
  }
  return notes;
}

/**
 * The names of the last notes, such as "E2 B2".
 * @param {readonly Told[]} told
 * @param {number} [count]
 */
export function heardOf(told, count = 6) {
  const begun = told.filter(({ velocity }) => velocity).slice(-count);
  return begun.map(({ pitch }) => `${KEYS[pitch % 12]}${Math.floor(pitch / 12) - 1}`).join(" ");
}

/**
 * A jam as a Standard MIDI File: the guitar and the drums.
 * @param {{told: readonly Told[], bars: readonly JamBar[], tempos: {quarter: number, bpm: number}[], meters: {quarter: number, numerator: number, denominator: number}[], program: number}} jam
 */
export function jamFile({ told, bars, tempos, meters, program }) {
  const end = endOf(bars);
  const guitar = notesOf(told, end).map(({ quarter, quarters, pitch, velocity }) => ({ quarter: Math.max(quarter, 0), quarters, note: pitch, velocity }));
  const drums = bars.flatMap(({ hits }) => hits.map(({ quarter, note, velocity }) => ({ quarter: Math.max(quarter, 0), quarters: 1 / 8, note, velocity })));
  return fileOf([{ name: "Guitar", channel: 0, program, notes: guitar }, { name: "Drums", channel: 9, notes: drums }], tempos, meters, end);
}
