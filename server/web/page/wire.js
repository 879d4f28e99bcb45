// @ts-check
// Calls to the server: the token, a call, a stream of events, and whether the server is reachable.

import { wait } from "./basics.js";
import { toBase64 } from "./bytes.js";

/** @import {FileLike, Json} from "./api.js" */

const PROTOCOL = "seq2drum.v1";
const KEY = "seq2drum.token";

/** A failed call. */
export class Refused extends Error {
  /**
   * @param {string} reason one of the reasons of docs/service.md, or UNREACHABLE
   * @param {string} message a sentence
   * @param {string | null} field the wrong field of the request, if there is one
   * @param {number | null} retrySeconds when to try again, if that helps
   */
  constructor(reason, message, field = null, retrySeconds = null) {
    super(message);
    this.name = "Refused";
    this.reason = reason;
    this.field = field;
    this.retrySeconds = retrySeconds;
  }
}

// --- the token -------------------------------------------------------------------------------------------------------

const pages = typeof document === "undefined" ? null : new BroadcastChannel("seq2drum");
export let token = takeToken();
if (pages) {
  // A restarted server has a new token: the page that it opens informs the older ones.
  pages.onmessage = (event) => {
    if (typeof event.data?.token === "string") keepToken(event.data.token);
  };
}

/** The token after the # of the address, from which it is removed immediately; else the stored one. */
function takeToken() {
  if (typeof document === "undefined") return ""; // in a worker, or in Node
  const given = new URLSearchParams(location.hash.slice(1));
  const found = given.get("token");
  if (!found) return sessionStorage.getItem(KEY) ?? "";
  given.delete("token");
  const rest = given.toString();
  history.replaceState(history.state, "", location.pathname + location.search + (rest ? "#" + rest : ""));
  sessionStorage.setItem(KEY, found);
  pages?.postMessage({ token: found });
  return found;
}

/** Use a token in a worker, which knows no address of a page. @param {string} given */
export function useToken(given) {
  token = given;
}

/** @param {string} found */
function keepToken(found) {
  token = found;
  sessionStorage.setItem(KEY, found);
}

// --- asking ----------------------------------------------------------------------------------------------------------

/**
 * Make a call and return the response, which may be a stream of messages.
 * @param {string} method
 * @param {Json} request
 * @param {FileLike | null} file
 * @param {AbortSignal} [signal]
 */
export async function post(method, request, file = null, signal = undefined) {
  let reply;
  try {
    reply = await fetch("/api/" + method, {
      method: "POST",
      headers: { authorization: "Bearer " + token },
      body: new Blob([JSON.stringify(request), "\n", ...(file ? [file] : [])]),
      cache: "no-store",
      signal,
    });
  } catch (error) {
    throw unreachable(error);
  }
  if (!reply.ok) throw refused(await reply.json().catch(() => ({})), reply.status);
  heard();
  return reply;
}

/**
 * Open a WebSocket for a method with messages both ways, or for the tab.
 * @param {string} method
 */
export function socketOf(method) {
  const address = new URL(method === "tab" ? "/tab" : "/api/" + method, location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const shown = "bearer." + toBase64(new TextEncoder().encode(token)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  return new WebSocket(address, [PROTOCOL, shown]);
}

/**
 * Hold a WebSocket as long as this tab is open: a server may end with its last tab. While the server is watched, one
 * that breaks is opened again.
 * @param {number} [pause] before the next attempt, in milliseconds
 */
export function holdTab(pause = 1000) {
  const socket = socketOf("tab");
  socket.onopen = () => (pause = 1000);
  socket.onclose = async () => {
    for (;;) {
      await wait(pause);
      if (there) break;
    }
    holdTab(Math.min(2 * pause, 60_000));
  };
}

/**
 * @param {string} method
 * @param {Json} [request]
 * @param {FileLike | null} [file]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Json>}
 */
export async function ask(method, request = {}, file = null, signal = undefined) {
  const reply = await post(method, request, file, signal);
  try {
    return await reply.json();
  } catch (error) {
    throw unreachable(error);
  }
}

/** Why a WebSocket was closed that had told nothing: it gives no reason. @returns {Promise<Error | null>} null: none is known */
export const whyClosed = () => ask("GetServerInfo").then(() => null, (error) => error); // prettier-ignore

/**
 * The messages of a stream of events.
 * @param {Response} reply
 */
export async function* messages(reply) {
  const reader = /** @type {ReadableStream<Uint8Array<ArrayBuffer>>} */ (reply.body).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      text += value;
      const events = text.split("\n\n");
      text = /** @type {string} */ (events.pop());
      for (const event of events) {
        const lines = event.split("\n");
        const told = JSON.parse(lines.filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n"));
        if (lines.includes("event: error")) throw refused(told);
        yield /** @type {Json} */ (told);
      }
    }
  } catch (error) {
    throw error instanceof Refused ? error : unreachable(error);
  } finally {
    reader.cancel().catch(() => {});
  }
}

/**
 * @param {Json} told
 * @param {number} [status]
 */
export function refused(told, status = 0) {
  const message = told.message || `the server answered with ${status}`;
  // A server that gets a wrong token closes the connection before it has read the file, and its answer is lost.
  const reason = told.reason || (status === 401 ? "CREDENTIALS_WRONG" : "INTERNAL_ERROR");
  return new Refused(reason, message, told.field ?? null, told.retry_seconds ?? null);
}

/** @param {unknown} error */
export function unreachable(error) {
  if (error instanceof DOMException && error.name === "AbortError") return new Refused("CANCELLED", "stopped");
  lost();
  return new Refused("UNREACHABLE", "the server does not answer; is it still running?", null, 1);
}

// --- reachability ----------------------------------------------------------------------------------------------------

/** @type {Set<(there: boolean) => void>} */
const watchers = new Set();
let there = true;

/**
 * Call back when the server goes away (false), and when it is back (true).
 * @param {(there: boolean) => void} onChange
 * @returns {() => void} ends it
 */
export function watchServer(onChange) {
  watchers.add(onChange);
  if (watchers.size === 1) look();
  return () => watchers.delete(onChange);
}

async function look() {
  while (watchers.size) {
    try {
      await fetch("/index.html", { method: "HEAD", cache: "no-store" });
      heard();
    } catch {
      lost();
    }
    await wait(there ? 5000 : 1000);
  }
}

function heard() {
  if (!there) {
    there = true;
    for (const tell of watchers) tell(true);
  }
}

function lost() {
  if (there) {
    there = false;
    for (const tell of watchers) tell(false);
  }
}
