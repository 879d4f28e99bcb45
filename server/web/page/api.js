// @ts-check
// What the page asks its server: each method of the contract as a function, with plain values in and out.

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
 * @typedef {{timeline: Timeline, guitar: GuitarChoice, tracks: Track[], estimatedMs: number, bars: Bar[],
 *   notes: GuitarNote[], sections: Section[], song: Uint8Array | null}} Analysis
 *   `song`: the file as MIDI, if it is of another kind.
 * @typedef {{midi: Uint8Array, seed: string, score: number | null, stats: Object<string, number>, hits: Hit[],
 *   explanations: {firstBar: number, lastBar: number, text: string}[],
 *   grooves: {section: string, name: string, title: string}[],
 *   swaps: {piece: string, instead: string, hits: number}[]}} Take
 * @typedef {{takes: Take[], timeline: Timeline, guitar: GuitarChoice, timing: Object<string, number>,
 *   effectiveConfig: Object<string, any>, requestId: string}} Summary
 * @typedef {{take: number, seed: string, bar: number, hits: Hit[]}} PlayedBar
 * @typedef {{number: number, bpm: number, hits: Hit[]}} BeatBar  Hits have their quarters and ticks from the barline.
 * @typedef {Blob | Uint8Array<ArrayBuffer> | ArrayBuffer} FileLike
 * @typedef {Object<string, any>} Json
 */

const KEY = "seq2drum.token";
const PROTOCOL = "seq2drum.v1";
const TICKS_OF_A_BEAT = 480;
const STARTING_SECONDS = 120;

/** Why the server did not do what was asked. */
export class Refused extends Error {
  /**
   * @param {string} reason one of the reasons of docs/service.md, or UNREACHABLE
   * @param {string} message a sentence
   * @param {string | null} field of the request, if one is to be mended
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

const pages = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("seq2drum");
let token = takeToken();
if (pages) {
  // A server that was started anew has a new token: the page that it opens tells the older ones.
  pages.onmessage = (event) => {
    if (typeof event.data?.token === "string") keepToken(event.data.token);
  };
}

/** The token behind the # of the address, which goes out of the address at once; else the one that was kept. */
function takeToken() {
  if (typeof location === "undefined") return "";
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

/** @param {string} found */
function keepToken(found) {
  token = found;
  sessionStorage.setItem(KEY, found);
}

// --- asking ----------------------------------------------------------------------------------------------------------

/**
 * One call: the reply, of which a stream has many messages.
 * @param {string} method
 * @param {Json} request
 * @param {FileLike | null} file
 * @param {AbortSignal} [signal]
 */
async function post(method, request, file = null, signal = undefined) {
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
 * @param {string} method
 * @param {Json} [request]
 * @param {FileLike | null} [file]
 * @param {AbortSignal} [signal]
 * @returns {Promise<Json>}
 */
async function ask(method, request = {}, file = null, signal = undefined) {
  const reply = await post(method, request, file, signal);
  try {
    return await reply.json();
  } catch (error) {
    throw unreachable(error);
  }
}

/**
 * The messages of a stream of events.
 * @param {Response} reply
 */
async function* messages(reply) {
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
function refused(told, status = 0) {
  const message = told.message || `the server answered with ${status}`;
  return new Refused(told.reason || "INTERNAL_ERROR", message, told.field ?? null, told.retry_seconds ?? null);
}

/** @param {unknown} error */
function unreachable(error) {
  if (error instanceof DOMException && error.name === "AbortError") return new Refused("CANCELLED", "stopped");
  lost();
  return new Refused("UNREACHABLE", "the server does not answer; is it still running?", null, 1);
}

// --- the server ------------------------------------------------------------------------------------------------------

/**
 * What the server is and has. Waits while it starts.
 * @returns {Promise<{info: Json, models: Json, maps: Json[], generators: Json, grooves: Json[]}>}
 */
export async function server() {
  const end = performance.now() + 1000 * STARTING_SECONDS;
  for (;;) {
    try {
      const menus = ["GetServerInfo", "ListModels", "ListDrumMaps", "ListGenerators", "ListGrooves"];
      const [info, models, maps, generators, grooves] = await Promise.all(menus.map((name) => ask(name)));
      return { info, models, maps: maps.maps, generators, grooves: grooves.grooves };
    } catch (error) {
      if (!(error instanceof Refused) || error.reason !== "NOT_READY" || performance.now() > end) throw error;
      await wait(500);
    }
  }
}

/** @type {Set<(there: boolean) => void>} */
const watchers = new Set();
let there = true;

/**
 * Be told when the server goes away (false), and when it is back (true).
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

// --- a song ----------------------------------------------------------------------------------------------------------

/**
 * What is in a file, before any drums are made.
 * @param {FileLike} file
 * @param {{track?: string, signal?: AbortSignal}} [how] track: a number from 1 or a piece of a name
 * @returns {Promise<Analysis>}
 */
export async function analyze(file, { track = "", signal } = {}) {
  const told = await ask("AnalyzeGuitar", { track, withMusic: true }, file, signal);
  return {
    timeline: told.timeline,
    guitar: told.guitar,
    tracks: told.tracks,
    estimatedMs: told.estimatedMs,
    bars: told.bars.length ? told.bars : barsOf(told.timeline),
    notes: told.notes,
    sections: told.sections,
    song: told.song ? fromBase64(told.song) : null,
  };
}

/**
 * Drums for a file.
 * @param {FileLike} file
 * @param {Json} config a GenerationConfig; bytes in it are Uint8Arrays
 * @param {{drums?: Uint8Array | null, onAccepted?: (accepted: {queuePosition: number, timeline: Timeline, bars: Bar[],
 *   guitar: GuitarChoice, requestId: string}) => void, onProgress?: (done: number, total: number) => void,
 *   onBar?: (bar: PlayedBar) => void, signal?: AbortSignal}} [how]
 *   drums: a MIDI file whose drums stand in place of the file's own, for `bars` and `primeBars`
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
 * Guitar and drums as a file of another kind. Its name is made of the file's.
 * @param {FileLike | null} file none for drums alone, which then are MIDI
 * @param {{midi: Uint8Array} | {hits: Hit[]}} drums
 * @param {Json} config
 * @param {"midi" | "midi_with_guitar" | "wav" | "stems" | "musicxml" | "picture" | "rpp"} format
 * @returns {Promise<{blob: Blob, name: string}>}
 */
export async function render(file, drums, config, format) {
  const title = file instanceof File ? file.name.replace(/\.[^.]*$/, "").slice(0, 100) : "";
  const given = "midi" in drums ? { drums: toBase64(drums.midi) } : { hits: { hits: drums.hits.map(plainHit) } };
  const request = { ...given, title, config: withBase64(config), format: "RENDER_FORMAT_" + format.toUpperCase() };
  const reply = await post("Render", request, file);
  let about = { name: "drums", mediaType: "application/octet-stream" };
  const parts = [];
  for await (const message of messages(reply)) {
    if (message.file) about = message.file;
    if (message.chunk) parts.push(fromBase64(message.chunk));
  }
  return { blob: new Blob(parts, { type: about.mediaType }), name: about.name };
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
 * @param {Json} hit
 * @param {number} bar
 * @param {Map<number, string>} pieces
 * @returns {Hit}
 */
function hitOf(hit, bar, pieces) {
  const piece = pieces.get(hit.note) ?? "kick";
  return { tick: Number(hit.tick), quarter: hit.quarter, bar, piece, velocity: hit.velocity };
}

/** @type {Map<string, Map<number, string>> | null} */
let kits = null;

/**
 * The piece of the kit on each note of a drum map.
 * @param {string} map
 */
async function piecesOf(map) {
  if (!kits) {
    const told = await ask("ListDrumMaps");
    kits = new Map(told.maps.map((/** @type {Json} */ each) => [each.id, byNote(each.pieces)]));
  }
  return kits.get(map) ?? /** @type {Map<number, string>} */ (kits.get("gm"));
}

/** @param {{piece: string, notes: number[]}[]} pieces */
function byNote(pieces) {
  /** @type {Map<number, string>} */
  const found = new Map();
  // The first note of a piece is written; what others read, too, does not count for it.
  for (const { piece, notes } of pieces) if (notes.length && !found.has(notes[0])) found.set(notes[0], piece);
  for (const { piece, notes } of pieces) for (const note of notes) if (!found.has(note)) found.set(note, piece);
  return found;
}

/**
 * The bars of a timeline.
 * @param {Timeline} timeline
 * @returns {Bar[]}
 */
export function barsOf({ bars, quarters, meters }) {
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

// --- a beat ----------------------------------------------------------------------------------------------------------

/**
 * Beats without a guitar.
 * @param {Json} brief a Brief
 * @param {{count?: number, guitar?: FileLike | null, config?: Json, signal?: AbortSignal}} [how]
 *   guitar: a file that the beat is played to at once, as `accompaniment`
 * @returns {Promise<{beats: {midi: Uint8Array, seed: string, stats: Json}[], timeline: Timeline, effectiveBrief: Json,
 *   accompaniment: Summary | null}>}
 */
export async function compose(brief, { count = 1, guitar = null, config = {}, signal } = {}) {
  const told = await ask("Compose", { brief: { ...brief, takes: count }, config: withBase64(config) }, guitar, signal);
  const withBytes = (/** @type {Json} */ made) => ({ ...made, midi: fromBase64(made.midi) });
  const played = told.accompaniment;
  return /** @type {any} */ ({
    ...told,
    beats: told.beats.map(withBytes),
    accompaniment: played ? { ...played, takes: played.takes.map(withBytes) } : null,
  });
}

/**
 * A beat without an end: each `more` asks for so many bars, and may change the brief from the next bar on.
 * @param {Json} brief
 * @returns {{more: (bars: number, changes?: Json) => Promise<BeatBar[]>, close: () => void}}
 */
export function stream(brief) {
  let wishes = { ...brief };
  /** @type {Promise<Line> | null} */
  let line = null;
  let made = 0; // bars of the lines that have ended
  let asked = Promise.resolve(/** @type {BeatBar[]} */ ([]));
  let opened = 0;

  /** @param {number} bars @param {Json} changes @returns {Promise<BeatBar[]>} */
  async function next(bars, changes) {
    const pieces = await piecesOf("gm");
    const changed = Object.keys(changes).length > 0;
    wishes = { ...wishes, ...changes };
    let current = line ? await line.catch(() => null) : null;
    if (!current || current.closed || current.made + bars > MOST_BARS) {
      // The server ends a beat that nobody asks on, and one that is long: another goes on, with the next seed.
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
  const address = new URL("/api/StreamCompose", location.href);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  const shown = "bearer." + toBase64(new TextEncoder().encode(token)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const socket = new WebSocket(address, [PROTOCOL, shown]);
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
      if (!why && !line.made) await ask("GetServerInfo").catch((error) => (why = error)); // a WebSocket does not say why
      const error = why ?? new Refused("CANCELLED", "the beat has ended");
      reject(error);
      waiting?.reject(error);
    };
  });
}

/**
 * @param {Json} told
 * @param {number} before bars that were made before
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

// --- bytes -----------------------------------------------------------------------------------------------------------

/** @param {string} text @returns {Uint8Array<ArrayBuffer>} */
export function fromBase64(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
}

/** @param {Uint8Array} bytes @returns {string} */
export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/**
 * A value with its bytes as texts.
 * @param {any} value
 * @returns {any}
 */
function withBase64(value) {
  if (value instanceof Uint8Array) return toBase64(value);
  if (Array.isArray(value)) return value.map(withBase64);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, withBase64(each)]));
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {number} milliseconds */
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
