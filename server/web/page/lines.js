// @ts-check
// Calls with messages both ways, over WebSockets: an endless beat, a drummer who plays along, and one who is taught.

import { toBase64 } from "./bytes.js";
import { hitOf, piecesOf } from "./kit.js";
import { ask, refused, Refused, socketOf, whyClosed } from "./wire.js";

/** @import {BeatBar, Json} from "./api.js" */
/** @import {JamBar} from "./record.js" */

// --- an endless beat: bars are requested as they are needed ----------------------------------------------------------

const TICKS_OF_A_BEAT = 480;

/**
 * An endless beat: each `more` requests so many bars, and may change the brief from the next bar on.
 * @param {Json} brief
 * @returns {{more: (bars: number, changes?: Json) => Promise<BeatBar[]>, close: () => void}}
 */
export function stream(brief) {
  let wishes = { ...brief };
  /** @type {Promise<Line> | null} */
  let line = null;
  let made = 0; // bars of connections that have ended
  let asked = Promise.resolve(/** @type {BeatBar[]} */ ([]));
  let opened = 0;

  /** @param {number} bars @param {Json} changes @returns {Promise<BeatBar[]>} */
  async function next(bars, changes) {
    const pieces = await piecesOf("gm");
    const changed = Object.keys(changes).length > 0;
    wishes = { ...wishes, ...changes };
    let current = line ? await line.catch(() => null) : null;
    if (!current || current.closed || current.made + bars > MOST_BARS) {
      // The server ends an idle beat and a very long one: a new one continues, with the next seed.
      if (current) made += current.made;
      current?.close();
      line = openLine();
      current = await line;
      current.first = { ...wishes, seed: String(BigInt(wishes.seed ?? 0) + BigInt(opened++)) };
    }
    const given = current.made ? (changed ? { brief: wishes } : {}) : { brief: current.first };
    const told = await current.ask({ ...given, bars }, bars);
    return told.map((bar) => beatBar(bar, made, pieces));
  }

  return {
    more(bars, changes = {}) {
      asked = asked.catch(() => []).then(() => next(bars, changes));
      return asked;
    },
    close() {
      line?.then((open) => open.close()).catch(() => {});
      line = null;
    },
  };
}

const MOST_BARS = 1024;

/**
 * @typedef {{made: number, closed: boolean, first: Json, close: () => void, ask: (request: Json, bars: number) => Promise<Json[]>}} Line
 */

/** @returns {Promise<Line>} */
function openLine() {
  const socket = socketOf("StreamCompose");
  /** @type {{bars: number, told: Json[], resolve: (bars: Json[]) => void, reject: (error: Error) => void} | null} */
  let waiting = null;
  /** @type {Line} */
  const line = {
    made: 0,
    closed: false,
    first: {},
    close: () => socket.close(),
    ask: (request, bars) =>
      new Promise((resolve, reject) => {
        waiting = { bars, told: [], resolve, reject };
        socket.send(JSON.stringify(request));
      }),
  };
  return new Promise((resolve, reject) => {
    /** @type {Error | null} */
    let why = null;
    socket.onopen = () => resolve(line);
    socket.onmessage = ({ data }) => {
      const told = JSON.parse(data);
      if (told.error) {
        why = refused(told.error);
      } else if (waiting) {
        line.made++;
        if (waiting.told.push(told) === waiting.bars) {
          const { told: all, resolve: give } = waiting;
          waiting = null;
          give(all);
        }
      }
    };
    socket.onclose = async () => {
      line.closed = true;
      if (!line.made) why ??= await whyClosed();
      const error = why ?? new Refused("CANCELLED", "the beat has ended");
      reject(error);
      waiting?.reject(error);
    };
  });
}

/**
 * @param {Json} told
 * @param {number} before the number of bars made before
 * @param {Map<number, string>} pieces
 * @returns {BeatBar}
 */
function beatBar(told, before, pieces) {
  const number = told.bar + before;
  const hits = told.hits.map((/** @type {Json} */ hit) =>
    hitOf({ ...hit, quarter: Number(hit.tick) / TICKS_OF_A_BEAT }, number, pieces),
  );
  return { number, bpm: told.bpm, hits };
}

// --- a drummer who plays along: notes of a guitar go out, bars of drums come back ------------------------------------

/**
 * A jam. Notes wait until the connection is open.
 * @param {Json} config a JamConfig
 * @param {{bar: (bar: JamBar) => void, end: (error: unknown) => void}} tell end: called with null if the drummer has ended it
 * @returns {{tell: (told: Json) => void, close: () => void}}
 */
export function jam(config, { bar, end }) {
  const socket = socketOf("Jam");
  /** @type {string[]} */
  const waiting = [JSON.stringify({ config })];
  /** @type {unknown} */
  let why = null;
  let answered = false;
  let pieces = Promise.resolve(/** @type {Map<number, string>} */ (new Map()));
  socket.onopen = () => {
    pieces = piecesOf("gm");
    for (const text of waiting.splice(0)) socket.send(text);
  };
  socket.onmessage = async ({ data }) => {
    const told = JSON.parse(data);
    answered = true;
    if (told.error) why = refused(told.error);
    const known = await pieces;
    if (told.bar) bar(barOf(told.bar, known));
  };
  socket.onclose = async ({ code }) => {
    if (!answered) why ??= await whyClosed();
    if (!why && code !== 1000) why = new Refused("UNREACHABLE", "the line to the drummer was cut");
    await pieces.catch(() => null);
    end(why);
  };
  return {
    tell(told) {
      const text = JSON.stringify(told);
      if (socket.readyState === WebSocket.CONNECTING) waiting.push(text);
      else if (socket.readyState === WebSocket.OPEN) socket.send(text);
    },
    close: () => socket.close(),
  };
}

/**
 * @param {Json} told
 * @param {Map<number, string>} pieces
 * @returns {JamBar}
 */
function barOf({ bar, quarter, quarters, beats, section, groove, fill, last, hits }, pieces) {
  const struck = hits.map((/** @type {Json} */ hit) => ({ ...hitOf(hit, bar, pieces), note: hit.note }));
  return { number: bar, quarter, quarters, beats, section, groove: groove?.title ?? "", fill, last, hits: struck };
}

// --- drummers of bands: songs go out, what was understood comes back, and a drummer ----------------------------------

/**
 * @typedef {{number: number, title: string, understood: boolean, remark: string, bars: number}} Heard
 * @typedef {{songs: Heard[], model: Json | null}} Taught
 */

const CHUNK = 30_000; // bytes, which are 40,000 in base64

/**
 * Make a drummer of songs, or only find out which of them are understood.
 * @param {readonly {name: string, file: Blob}[]} songs
 * @param {string} name of the drummer; "": make none
 * @param {{onHeard?: (heard: Heard) => void, signal?: AbortSignal}} [how]
 * @returns {Promise<Taught>}
 */
export function teach(songs, name, { onHeard, signal } = {}) {
  let resolve = (/** @type {Taught} */ _) => {};
  let reject = (/** @type {unknown} */ _) => {};
  const promise = new Promise((/** @type {(taught: Taught) => void} */ done, failed) => {
    [resolve, reject] = [done, failed];
  });
  const socket = socketOf("TeachDrummer");
  const stopped = () => (reject(new Refused("CANCELLED", "stopped")), socket.close());
  signal?.addEventListener("abort", stopped);
  const send = (/** @type {Json} */ piece) => socket.readyState === WebSocket.OPEN && socket.send(JSON.stringify(piece));
  socket.onopen = async () => {
    for (const song of songs) {
      const bytes = new Uint8Array(await song.file.arrayBuffer());
      send({ song: { name: song.name, data: toBase64(bytes.subarray(0, CHUNK)) } });
      for (let at = CHUNK; at < bytes.length; at += CHUNK) send({ chunk: toBase64(bytes.subarray(at, at + CHUNK)) });
    }
    send({ teach: { name } });
  };
  let answered = false;
  socket.onmessage = ({ data }) => {
    const told = JSON.parse(data);
    answered = true;
    if (told.error) reject(refused(told.error));
    if (told.heard) onHeard?.(told.heard);
    if (told.taught) resolve({ songs: told.taught.songs, model: told.taught.model ?? null });
  };
  socket.onclose = async () => {
    signal?.removeEventListener("abort", stopped);
    reject((answered ? null : await whyClosed()) ?? new Refused("UNREACHABLE", "the line to the drummer was cut"));
  };
  return promise;
}

/** All models, the default first, and how the server is taught. @returns {Promise<Json>} */
export const models = () => ask("ListModels");

/** @param {string} model its id @param {string} name */
export const renameDrummer = (model, name) => ask("RenameDrummer", { model, name });

/** @param {string} model its id */
export const removeDrummer = (model) => ask("RemoveDrummer", { model });
