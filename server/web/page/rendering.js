// @ts-check
// Rendered files: received here, or in a worker, so that hundreds of mebibytes of sound keep no page waiting.

import { fromBase64 } from "./bytes.js";
import { messages, post, Refused, token, useToken } from "./wire.js";

/** @import {FileLike, Json} from "./api.js" */
/** @typedef {{blob: Blob, name: string}} Rendered */

const PIECE = 16 << 20; // bytes after which what has come is given to the browser, which may keep it on the disk
const IN_WORKER = "s2d-rendering"; // the name of the worker, in which this module receives files

/**
 * The file that a RenderRequest asks for.
 * @param {Json} request
 * @param {FileLike | null} file
 * @returns {Promise<Rendered>}
 */
export async function received(request, file) {
  const reply = await post("Render", request, file);
  let about = { name: "drums", mediaType: "application/octet-stream" };
  let [blob, size] = [new Blob(), 0];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  let parts = [];
  for await (const message of messages(reply)) {
    if (message.file) about = message.file;
    if (!message.chunk) continue;
    const part = fromBase64(message.chunk);
    parts.push(part);
    size += part.length;
    if (size > PIECE) [blob, parts, size] = [new Blob([blob, ...parts]), [], 0];
  }
  return { blob: new Blob([blob, ...parts], { type: about.mediaType }), name: about.name };
}

/**
 * The same by a worker, where there are workers.
 * @param {Json} request
 * @param {FileLike | null} file
 * @returns {Promise<Rendered>}
 */
export function receivedAside(request, file) {
  if (typeof Worker === "undefined") return received(request, file);
  const worker = new Worker(new URL("rendering.js", import.meta.url), { type: "module", name: IN_WORKER });
  const answer = new Promise((resolve, reject) => {
    worker.onmessage = ({ data: { error, ...made } }) => (error ? reject(new Refused(error.reason, error.message, error.field, error.retrySeconds)) : resolve(made));
    worker.onerror = () => reject(new Refused("UNREACHABLE", "the file could not be received"));
  });
  worker.postMessage({ request, file, token });
  return answer.finally(() => worker.terminate());
}

if (typeof document === "undefined" && globalThis.self?.name === IN_WORKER) {
  onmessage = async ({ data: { request, file, token: key } }) => {
    useToken(key);
    try {
      postMessage(await received(request, file));
    } catch (error) {
      const { reason = "UNREACHABLE", message, field, retrySeconds } = /** @type {Refused} */ (error);
      postMessage({ error: { reason, message, field, retrySeconds } });
    }
  };
}
