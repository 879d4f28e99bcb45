// @ts-check
// A drummer who plays along, over a WebSocket: notes of a guitar go out, bars of drums come back.

import { hitOf, piecesOf } from "./kit.js";
import { ask, refused, Refused, socketOf } from "./wire.js";

/** @import {Json} from "./api.js" */
/** @import {JamBar} from "./record.js" */

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
    if (!why && !answered) await ask("GetServerInfo").catch((error) => (why = error)); // a WebSocket gives no reason
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
