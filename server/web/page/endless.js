// @ts-check
// An endless beat, over a WebSocket: bars are requested as they are needed.

import { hitOf, piecesOf } from "./kit.js";
import { ask, refused, Refused, socketOf } from "./wire.js";

/** @import {BeatBar, Json} from "./api.js" */

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
    /** @type {Refused | null} */
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
      if (!why && !line.made) await ask("GetServerInfo").catch((error) => (why = error)); // a WebSocket gives no reason
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
