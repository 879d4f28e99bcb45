// @ts-check
// Drummers of bands: songs go out over a WebSocket, what was understood comes back, and a drummer.

import { toBase64 } from "./bytes.js";
import { ask, refused, Refused, socketOf } from "./wire.js";

/** @import {Json} from "./api.js" */
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
    if (!answered) await ask("GetServerInfo").catch(reject); // a WebSocket gives no reason
    reject(new Refused("UNREACHABLE", "the line to the drummer was cut"));
  };
  return promise;
}

/** All models, the default first, and how the server is taught. @returns {Promise<Json>} */
export const models = () => ask("ListModels");

/** @param {string} model its id @param {string} name */
export const renameDrummer = (model, name) => ask("RenameDrummer", { model, name });

/** @param {string} model its id */
export const removeDrummer = (model) => ask("RemoveDrummer", { model });
