/** A song in work as a plain value: its takes, its options, and its saved form. */

import { amended, begun } from "./edits.js";

/** @typedef {import("./edits.js").Take} Take */
/** @typedef {import("./edits.js").Hit} Hit */
/** @typedef {import("./address.js").Wishes} Wishes */
/** @typedef {Awaited<ReturnType<typeof import("./api.js").analyze>>} Analysis */
/** @typedef {{wishes: Wishes, takes: readonly Take[], chosen: number}} Doc The part that undo covers. */
/**
 * @typedef {object} Work
 * @property {string} id
 * @property {string} name of the file
 * @property {Uint8Array} bytes of the file
 * @property {Analysis} analysis its analysis
 * @property {Uint8Array | null} [base] the file as MIDI on its own beats, if it came as another kind
 * @property {import("./edits.js").History<Doc>} history
 * @property {number} position the position of the sound, in quarters
 */
/** @typedef {{id: string, name: string, bytes: Uint8Array, analysis: Analysis, base?: Uint8Array | null, doc: Doc, position: number, revision: number, changed: number}} Kept */

/** @param {Wishes} wishes @returns {Doc} */
export const emptyDoc = (wishes) => ({ wishes, takes: [], chosen: 0 });

/** @param {string} seed @param {Partial<Take>} [others] @returns {Take} */
export const emptyTake = (seed, { played = [], edits = [] } = {}) => ({
  seed, score: null, played, edits, locks: [], midi: null, explanations: [], grooves: [],
}); // prettier-ignore

/** The chosen take. @param {Doc} doc @returns {Take | undefined} */
export const chosenTake = (doc) => doc.takes[doc.chosen];

/**
 * @param {Doc} doc
 * @param {number} index
 * @param {Take} take
 * @returns {Doc}
 */
export const withTake = (doc, index, take) => ({ ...doc, takes: doc.takes.map((one, at) => (at === index ? take : one)) });

/**
 * The takes in the order of a summary, the best first, which is chosen. Only one that was chosen by hand, clicked into or
 * locked while they were made stays the chosen one.
 *
 * @param {Doc} doc its takes in the order in which they were made
 * @param {readonly {seed: string, score: number | null, midi: Uint8Array, explanations: Take["explanations"], grooves: Take["grooves"], plan?: Take["plan"]}[]} made
 * @returns {Doc}
 */
export function ranked(doc, made) {
  const takes = made.map(({ seed, score, midi, explanations, grooves, plan }) => {
    const own = doc.takes.find((take) => take.seed === seed) ?? emptyTake(seed);
    return { ...own, isFree: seed === (doc.wishes.seed ?? "0"), score, midi, explanations, grooves, plan };
  });
  const heard = chosenTake(doc);
  const touched = doc.chosen > 0 || heard?.edits.length || heard?.locks.length;
  return { ...doc, takes, chosen: touched ? Math.max(0, takes.findIndex((take) => take.seed === heard?.seed)) : 0 };
}

/** @param {Work} work @param {number} revision @param {number} changed milliseconds since 1970 @returns {Kept} */
export function kept({ id, name, bytes, analysis, base, history, position }, revision, changed) {
  return { id, name, bytes, analysis, base, doc: history.now, position, revision, changed };
}

/** @param {Kept} found @returns {Work} */
export function opened({ id, name, bytes, analysis, base, doc, position }) {
  return { id, name, bytes, analysis, base, history: begun(doc), position };
}

/** @param {Work} work @param {Doc} doc @returns {Work} */
export const amendedWork = (work, doc) => ({ ...work, history: amended(work.history, doc) });

/** Whether a take is complete. @param {Take | undefined} take */
export const finished = (take) => Boolean(take?.midi);

/**
 * The id of some bytes: equal bytes have equal ids.
 *
 * @param {Uint8Array<ArrayBuffer>} bytes
 */
export async function nameOf(bytes) {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest.slice(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
