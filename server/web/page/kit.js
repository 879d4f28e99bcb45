// @ts-check
// The pieces of the kit by the notes of a sampler, and hits in the form of the page.

import { ask } from "./wire.js";

/** @import {Hit, Json} from "./api.js" */

/**
 * @param {Json} hit
 * @param {number} bar
 * @param {Map<number, string>} pieces
 * @returns {Hit}
 */
export function hitOf(hit, bar, pieces) {
  const piece = pieces.get(hit.note) ?? "kick";
  return { tick: Number(hit.tick), quarter: hit.quarter, bar, piece, velocity: hit.velocity };
}

/** @type {Map<string, Map<number, string>> | null} */
let kits = null;

/**
 * The piece of the kit on each note of a drum map.
 * @param {string} map
 */
export async function piecesOf(map) {
  if (!kits) kits = kitsOf(await ask("ListDrumMaps"));
  return kits.get(map) ?? /** @type {Map<number, string>} */ (kits.get("gm"));
}

/**
 * @param {Json} told
 * @returns {Map<string, Map<number, string>>}
 */
const kitsOf = (told) => new Map(told.maps.map((/** @type {Json} */ each) => [each.id, byNote(each.pieces)]));

/** @param {{piece: string, notes: number[]}[]} pieces */
function byNote(pieces) {
  /** @type {Map<number, string>} */
  const found = new Map();
  // The first note of a piece is its own; further notes may be shared with other pieces.
  for (const { piece, notes } of pieces) if (notes.length && !found.has(notes[0])) found.set(notes[0], piece);
  for (const { piece, notes } of pieces) for (const note of notes) if (!found.has(note)) found.set(note, piece);
  return found;
}

/**
 * Cache the drum maps of a reply.
 * @param {Json} told
 */
export function keepKits(told) {
  kits = kitsOf(told);
}
