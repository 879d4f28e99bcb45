// @ts-check
// The methods of the contract as functions, with plain values in and out.

/**
 * @typedef {{tick: number, quarter: number, bar: number, piece: string, velocity: number}} Hit
 *   One stroke; `bar` from 1, `quarter` from the start of the song.
 * @typedef {{number: number, quarter: number, quarters: number, beats: number}} Bar
 * @typedef {{quarter: number, quarters: number, pitch: number, velocity: number}} GuitarNote
 * @typedef {{quarter: number, bpm: number}} Tempo
 * @typedef {{quarter: number, numerator: number, denominator: number}} Meter
 * @typedef {{bars: number, quarters: number, seconds: number, ticksPerQuarter: number, tempos: Tempo[], meters: Meter[]}} Timeline
 * @typedef {{number: number, name: string, program: number, isDrums: boolean, notes: number}} Track
 * @typedef {{name: string, firstBar: number, lastBar: number}} Section
 * @typedef {{tracks: number[], reason: string}} GuitarChoice
 * @typedef {{strikes: number, misses: number, byMs: number, isFree: boolean}} Fit
 *   How well the guitar fits the beats; `isFree`: it was played without a click.
 * @typedef {{timeline: Timeline, guitar: GuitarChoice, tracks: Track[], estimatedMs: number, bars: Bar[],
 *   notes: GuitarNote[], sections: Section[], song: Uint8Array | null, fit: Fit | null}} Analysis
 *   `song`: the file as MIDI, if it came as another kind or is on other beats.
 * @typedef {{firstBar: number, lastBar: number, text: string, pieces?: {what: string, values: Record<string, string>}[]}} Explanation
 *   `text` is in English; `pieces` are those of the text, by name.
 * @typedef {{midi: Uint8Array, seed: string, score: number | null, stats: Object<string, number>, hits: Hit[],
 *   explanations: Explanation[],
 *   grooves: {section: string, name: string, title: string}[],
 *   swaps: {piece: string, instead: string, hits: number}[],
 *   plan: import("./plan.js").PlannedSection[]}} Take
 * @typedef {{takes: Take[], timeline: Timeline, guitar: GuitarChoice, timing: Object<string, number>,
 *   effectiveConfig: Object<string, any>, requestId: string}} Summary
 * @typedef {{take: number, seed: string, bar: number, hits: Hit[]}} PlayedBar
 * @typedef {{number: number, bpm: number, hits: Hit[]}} BeatBar  Quarters and ticks of its hits count from the barline.
 * @typedef {Blob | Uint8Array<ArrayBuffer> | ArrayBuffer} FileLike
 * @typedef {Object<string, any>} Json
 */

import { wait } from "./basics.js";
import { fromBase64, joined, toBase64, withBase64 } from "./bytes.js";
import { hitOf, keepKits, piecesOf } from "./kit.js";
import { received, receivedAside } from "./rendering.js";
import { ask, messages, post, Refused, unreachable } from "./wire.js";

export { fromBase64, toBase64 } from "./bytes.js";
export { jam, models, removeDrummer, renameDrummer, stream, teach } from "./lines.js";
export { holdTab, Refused, watchServer } from "./wire.js";

const STARTING_SECONDS = 120;
const MOST_TITLE = 100;
const SOUND = new Set(["wav", "stems", "flac"]); // formats of many mebibytes

// --- the server ------------------------------------------------------------------------------------------------------

/**
 * The server's information and lists. Waits while it starts.
 * @returns {Promise<{info: Json, models: Json, maps: Json[], generators: Json, grooves: Json[]}>}
 */
export async function server() {
  const end = performance.now() + 1000 * STARTING_SECONDS;
  for (;;) {
    try {
      const menus = ["GetServerInfo", "ListModels", "ListDrumMaps", "ListGenerators", "ListGrooves"];
      const [info, models, maps, generators, grooves] = await Promise.all(menus.map((name) => ask(name)));
      keepKits(maps);
      return { info, models, maps: maps.maps, generators, grooves: grooves.grooves };
    } catch (error) {
      if (!(error instanceof Refused) || error.reason !== "NOT_READY" || performance.now() > end) throw error;
      await wait(500);
    }
  }
}

// --- a song ----------------------------------------------------------------------------------------------------------

/**
 * The analysis of a file; plays nothing.
 * @param {FileLike} file
 * @param {Json} [config] what is said of the guitar, the sections and the beats
 * @param {AbortSignal} [signal]
 * @returns {Promise<Analysis>}
 */
export async function analyze(file, config = {}, signal = undefined) {
  const told = await ask("AnalyzeGuitar", { config, withMusic: true }, file, signal);
  return {
    timeline: told.timeline,
    guitar: told.guitar,
    tracks: told.tracks,
    estimatedMs: told.estimatedMs,
    bars: told.bars.length ? told.bars : barsOf(told.timeline),
    notes: told.notes,
    sections: told.sections,
    song: told.song ? fromBase64(told.song) : null,
    fit: told.fit ?? null,
  };
}

/**
 * Drums for a file.
 * @param {FileLike} file
 * @param {Json} config a GenerationConfig; bytes in it are Uint8Arrays
 * @param {{drums?: Uint8Array | null, onAccepted?: (accepted: {queuePosition: number, timeline: Timeline, bars: Bar[],
 *   guitar: GuitarChoice, requestId: string}) => void, onProgress?: (done: number, total: number) => void,
 *   onBar?: (bar: PlayedBar) => void, signal?: AbortSignal}} [how]
 *   drums: a MIDI file whose drums replace the file's own, for `bars` and `primeBars`
 * @returns {Promise<Summary>}
 */
export async function play(file, config, { drums = null, onAccepted, onProgress, onBar, signal } = {}) {
  const pieces = await piecesOf(config.drumMap || "gm");
  const request = { config: withBase64(config), sendBarEvents: true, ...(drums ? { drums: toBase64(drums) } : {}) };
  const reply = await post("StreamGenerateDrums", request, file, signal);
  /** @type {Map<string, Hit[]>} */
  const hits = new Map();
  /** @type {Map<number, Uint8Array[]>} */
  const chunks = new Map();
  for await (const message of messages(reply)) {
    if (message.accepted) onAccepted?.({ ...message.accepted, bars: barsOf(message.accepted.timeline) });
    if (message.progress) onProgress?.(message.progress.barsDone, message.progress.barsTotal);
    if (message.barEvents) {
      const bar = playedBar(message.barEvents, pieces);
      hits.set(bar.seed, [...(hits.get(bar.seed) ?? []), ...bar.hits]);
      onBar?.(bar);
    }
    if (message.fileChunk) {
      const { take, data } = message.fileChunk;
      chunks.set(take, [...(chunks.get(take) ?? []), fromBase64(data)]);
    }
    if (message.summary) return summaryOf(message.summary, hits, chunks);
  }
  throw unreachable(null);
}

/**
 * Guitar and drums as a file of another kind, named after the guitar's file.
 * @param {FileLike | null} file null: drums alone, which then are MIDI
 * @param {{midi: Uint8Array} | {hits: Hit[]}} drums
 * @param {Json} config
 * @param {"midi" | "midi_with_guitar" | "wav" | "stems" | "musicxml" | "picture" | "rpp" | "dawproject" | "flac" | "tab" | "guitar_pro"} format
 * @returns {Promise<import("./rendering.js").Rendered>}
 */
export async function render(file, drums, config, format) {
  const title = file instanceof File ? titleOf(file.name) : "";
  const given = "midi" in drums ? { drums: toBase64(drums.midi) } : { hits: { hits: drums.hits.map(plainHit) } };
  const request = { ...given, title, config: withBase64(config), format: "RENDER_FORMAT_" + format.toUpperCase() };
  return SOUND.has(format) ? receivedAside(request, file) : received(request, file);
}

/**
 * The grooves that fit a song best, the safest first.
 * @param {FileLike} file
 * @param {Json} [config]
 * @returns {Promise<Json[]>}
 */
export async function grooves(file, config = {}) {
  return (await ask("ListGrooves", { config: withBase64(config) }, file)).grooves;
}

/** The auditions of each song, by what was asked. @type {WeakMap<File, Map<string, Promise<Hit[]>>>} */
const auditions = new WeakMap();

/**
 * Drums to a few bars of a song, such as a groove to be tried under this guitar: heard in a tenth of a second, and the
 * second time at once. They neither build the song nor end it.
 * @param {File} song
 * @param {readonly Bar[]} bars of the song
 * @param {{firstBar: number, lastBar: number}} excerpt in which the guitar plays; eight bars are usual
 * @param {Json} config such as `{groove: [{name: "half-time"}], seed: "5", track: "2"}`
 * @param {AbortSignal} [signal]
 * @returns {Promise<Hit[]>} where they are in the song
 */
export function audition(song, bars, excerpt, config, signal) {
  const known = auditions.get(song) ?? new Map();
  auditions.set(song, known);
  const asked = { arrange: "off", ending: "none", ...config, excerpt, takes: 1 };
  const key = JSON.stringify(withBase64(asked));
  if (!known.has(key)) {
    const heard = play(song, asked, { signal }).then(({ takes, timeline }) => {
      const { firstBar } = excerpt;
      const { quarter } = bars[firstBar - 1];
      const moved = (/** @type {Hit} */ hit) => ({
        ...hit, bar: hit.bar + firstBar - 1, quarter: hit.quarter + quarter, tick: hit.tick + Math.round(quarter * timeline.ticksPerQuarter),
      }); // prettier-ignore
      return takes[0].hits.map(moved);
    });
    heard.catch(() => known.delete(key)); // it may succeed later
    known.set(key, heard);
  }
  return known.get(key);
}

/** @param {string} name of a file */
const titleOf = (name) =>
  [...name.replace(/\.[^.]*$/, "")].slice(0, MOST_TITLE).join("").replace(/\p{Surrogate}/gu, "_");

/** @param {Hit} hit */
const plainHit = ({ tick, piece, velocity }) => ({ tick: Math.round(tick), piece, velocity });

/**
 * @param {Json} told
 * @param {Map<string, Hit[]>} hits
 * @param {Map<number, Uint8Array[]>} chunks
 * @returns {Summary}
 */
function summaryOf(told, hits, chunks) {
  const takes = told.takes.map((/** @type {Json} */ take, /** @type {number} */ index) => ({
    ...take,
    score: take.score ?? null,
    midi: joined(chunks.get(index) ?? []),
    hits: hits.get(take.seed) ?? [],
  }));
  return /** @type {Summary} */ (/** @type {unknown} */ ({ ...told, takes }));
}

/**
 * @param {Json} told
 * @param {Map<number, string>} pieces
 * @returns {PlayedBar}
 */
function playedBar(told, pieces) {
  const { take, seed, bar } = told;
  return { take, seed, bar, hits: told.hits.map((/** @type {Json} */ hit) => hitOf(hit, bar, pieces)) };
}

/**
 * The bars of a timeline.
 * @param {Timeline} timeline
 * @returns {Bar[]}
 */
export function barsOf({ bars, meters }) {
  const found = [];
  let [at, index] = [0, 0];
  for (let number = 1; number <= bars; number++) {
    while (index + 1 < meters.length && meters[index + 1].quarter <= at + 1e-9) index++;
    const { numerator, denominator } = meters[index];
    const next = index + 1 < meters.length ? meters[index + 1].quarter : Infinity;
    const length = Math.min((4 * numerator) / denominator, next - at);
    found.push({ number, quarter: at, quarters: length, beats: numerator });
    at += length;
  }
  return found;
}
