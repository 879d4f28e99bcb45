/**
 * The sound engine: plays a song by the audio clock, and renders it.
 *
 * A run is a stretch of the song that is played without a jump, at one tempo. Events are scheduled a moment ahead, in
 * small steps, so that changes are soon heard and nodes are soon released.
 */

import { Band } from "./band.js";
import { Desk, WARM, groupOf, measured, shifted } from "./graph.js";
import { Samples } from "./samples.js";
import { counted, endOf, events, quarterAt, secondsAt } from "./schedule.js";
import { Recording } from "./stretch.js";

/** @import {Mix} from "./graph.js" */
/** @import {Bar, Hit, Note, Song, Tempo} from "./schedule.js" */
/** @typedef {{at: number, from: number, factor: number}} Run start time, start quarter, tempo factor */

const EVERY = 40; // milliseconds between two steps
const AHEAD = 0.2; // seconds scheduled ahead by default
const AHEAD_HIDDEN = 2.5; // timers of a hidden page fire once a second
const LEAD = 0.06; // seconds from `play` to the first sound
const TAIL = 2.5; // seconds of ringing after the last bar
const SLICE = 4; // seconds scheduled per step when rendering

/** Shared by all engines of a page. @type {{context: AudioContext | null, samples: Samples}} */
const page = { context: null, samples: new Samples() };

/** The browser has no Web Audio. */
export class NoAudio extends Error {
  constructor() {
    super("this browser has no Web Audio");
    this.reason = "NO_AUDIO";
  }
}

/**
 * The kind of guitar for a General MIDI program.
 * @param {number} program
 * @returns {"steel" | "clean" | "distorted"}
 */
export function guitarOf(program) {
  if (program === 29 || program === 30 || program === 31) return "distorted";
  return program >= 26 && program <= 28 ? "clean" : "steel";
}

/**
 * Plays a song. Events: "play", "stop" and "end", the last when the song has reached its end.
 */
export class Sound extends EventTarget {
  /** @type {AudioContext | null} */
  #context;
  /** @type {Desk | null} */
  #desk = null;
  /** @type {Band | null} */
  #band = null;
  #samples = page.samples;
  /** @type {Promise<{delay: number, makeup: number}> | null} */
  #limiter = null;
  #limits = { delay: 0, makeup: 1 };
  /** @type {Song} */
  #song = { bars: [], tempos: [], hits: [], notes: [], metronome: false };
  /** @type {Recording | null} */
  #recording = null;
  #kind = "steel";
  /** @type {{from: number, to: number} | null} */
  #loop = null;
  #factor = 1;
  #wanted = 1; // the factor to come, once the recording is stretched
  #countIn = 0;
  /** @type {Map<string, number>} */
  #levels = new Map();
  /** @type {Set<string>} */
  #muted = new Set();
  /** @type {Set<string>} */
  #alone = new Set();
  /** @type {Run[]} */
  #runs = [];
  #edge = { at: 0, quarter: 0 }; // everything before it is scheduled
  #ahead = AHEAD; // seconds scheduled ahead
  #rest = 0; // the position while stopped
  #timer = 0;

  /** @param {AudioContext} [context] */
  constructor(context) {
    super();
    this.#context = context ?? null;
    globalThis.document?.addEventListener("visibilitychange", () => this.#step());
  }

  /** Whether this browser has Web Audio. */
  static get possible() {
    return "AudioContext" in globalThis && "OfflineAudioContext" in globalThis;
  }

  /**
   * Load sounds: "drums", "steel", "clean" or "distorted". Each is loaded once. Rejects with `NoAudio` or `SoundMissing`.
   * @param {...string} names
   */
  async load(...names) {
    const context = this.#ready();
    this.#limiter ??= measured(context.sampleRate);
    this.#limits = await this.#limiter;
    this.#live();
    await Promise.all(names.map((name) => this.#samples.load(context, name)));
  }

  /**
   * Set the song, also while it plays. Omitted fields stay.
   *
   * guitar: notes, or a recording, which begins with the song. kind: which guitar plays the notes, see `guitarOf`.
   * @param {{bars?: Bar[], tempos?: Tempo[], hits?: Hit[], guitar?: Note[] | AudioBuffer | null, kind?: string}} song
   */
  set({ bars, tempos, hits, guitar, kind }) {
    const song = this.#song;
    const place = this.position;
    if (guitar !== undefined) {
      this.#recording = guitar && !Array.isArray(guitar) ? new Recording(guitar) : null;
      if (this.#recording) void this.tempo(this.#wanted);
      song.notes = Array.isArray(guitar) ? ordered(guitar) : [];
    }
    if (kind) this.#kind = kind;
    if (bars) song.bars = bars;
    if (hits) song.hits = ordered(hits);
    if (tempos) {
      song.tempos = tempos;
      if (this.playing) this.#leap(this.#edge.quarter);
      else this.#rest = place;
    }
  }

  /**
   * Add hits as they are made, and bars if the song grows.
   * @param {Hit[]} hits
   * @param {Bar[]} [bars]
   */
  append(hits, bars = []) {
    this.#song.hits = ordered([...this.#song.hits, ...hits]);
    this.#song.bars = [...this.#song.bars, ...bars];
  }

  /** Whether it plays. */
  get playing() {
    return this.#runs.length > 0;
  }

  /**
   * Play from a position, by default the current one.
   * @param {number} [from] quarters
   */
  async play(from = this.position) {
    const context = this.#ready();
    await Promise.all([context.resume(), this.load("drums", ...this.#guitars())]);
    this.#halt();
    this.#band?.hush();
    const start = from < endOf(this.#song.bars) ? from : (this.#loop?.from ?? 0);
    const before = counted(this.#song, start, this.#countIn);
    const at = Math.max(context.currentTime + LEAD, WARM);
    for (const click of before.clicks) this.#live().click(click.accent, at + click.at / this.#factor);
    this.#edge = { at: at + before.seconds / this.#factor, quarter: start };
    this.#leap(start);
    this.#timer = setInterval(() => this.#step(), EVERY);
    this.#step();
    this.dispatchEvent(new Event("play"));
  }

  /** Stop at the current position. */
  stop() {
    if (!this.playing) return;
    this.#rest = this.position;
    this.#halt();
    this.#band?.hush();
    this.dispatchEvent(new Event("stop"));
  }

  /**
   * Move to another position, and continue from there if it plays.
   * @param {number} quarter
   */
  async seek(quarter) {
    if (this.playing) await this.play(quarter);
    else this.#rest = quarter;
  }

  /** The current position, in quarters; during the count-in, where the song will begin. */
  get position() {
    const context = this.#context;
    const first = this.#runs[0];
    if (!context || !first) return this.#rest;
    const now = this.#heard(context);
    const run = this.#runs.findLast((one) => one.at <= now) ?? first;
    return quarterAt(this.#song.tempos, this.#secondsAt(run.from) + Math.max(0, now - run.at) * run.factor);
  }

  /** Seconds until the first bar, during the count-in. */
  get waits() {
    const first = this.#runs[0];
    return this.#context && first ? Math.max(0, first.at - this.#heard(this.#context)) : 0;
  }

  /** The position up to which everything is scheduled: changes before it are not heard. */
  get scheduled() {
    return this.playing ? this.#edge.quarter : this.#rest;
  }

  /** @param {number} seconds that are scheduled ahead: less where changes come late, as much as the page may be busy */
  ahead(seconds) {
    this.#ahead = seconds;
  }

  /**
   * Loop between two positions, at once if the end is past; null: no loop.
   * @param {number | null} from
   * @param {number} [to]
   */
  loop(from, to) {
    this.#loop = from === null || to === undefined || to <= from ? null : { from, to };
    if (this.#loop && this.playing && this.position >= this.#loop.to) void this.play(this.#loop.from);
  }

  /**
   * Set the tempo factor. A recording keeps its pitch, and takes a moment.
   * @param {number} factor
   */
  async tempo(factor) {
    if (!(factor > 0)) return;
    this.#wanted = factor;
    const recording = this.#recording;
    const wanted = () => this.#wanted === factor && this.#recording === recording;
    if (recording) await recording.make(factor, wanted);
    if (!wanted()) return;
    this.#factor = factor;
    if (this.playing) this.#leap(this.#edge.quarter);
  }

  /**
   * Set the level of "master", "drums", "guitar" or "metronome": 0 is silence, 1 unchanged.
   * @param {"master" | "drums" | "guitar" | "metronome"} group
   * @param {number} value
   */
  level(group, value) {
    this.#levels.set(group, value);
    this.#desk?.move();
  }

  /**
   * Mute or unmute a piece of the kit, "drums" or "guitar".
   * @param {string} name
   * @param {boolean} [on]
   */
  mute(name, on = true) {
    this.#toggle(this.#muted, name, on);
  }

  /**
   * Solo a piece of the kit, "drums" or "guitar".
   * @param {string} name
   * @param {boolean} [on]
   */
  solo(name, on = true) {
    this.#toggle(this.#alone, name, on);
  }

  /** @param {boolean} on whether each beat clicks */
  metronome(on) {
    this.#song.metronome = on;
  }

  /** @param {number} bars length of the count-in */
  countIn(bars) {
    this.#countIn = bars;
  }

  /**
   * Play a piece now, such as for a click.
   * @param {string} piece
   * @param {number} [velocity]
   */
  async strike(piece, velocity = 100) {
    const context = this.#ready();
    await Promise.all([context.resume(), this.load("drums")]);
    this.#live().hit(piece, velocity, context.currentTime);
  }

  /** The output after the limiter; null before the first sound. */
  get tap() {
    return this.#desk?.tap ?? null;
  }

  /**
   * Render the song with the present mix, at its tempo, without count-in and loop.
   * @param {{from?: number, to?: number}} [span] quarters
   * @returns {Promise<AudioBuffer>}
   */
  async render({ from = 0, to = endOf(this.#song.bars) } = {}) {
    await this.load("drums", ...this.#guitars());
    const rate = this.#ready().sampleRate;
    const lasts = (this.#secondsAt(to) - this.#secondsAt(from)) / this.#factor;
    const before = WARM + this.#limits.delay;
    const length = Math.ceil((before + lasts + TAIL) * rate);
    const context = new OfflineAudioContext(2, length, rate);
    const band = new Band(context, new Desk(context, this.#limits.makeup, this.#mix), this.#samples);
    const run = { at: WARM, from, factor: this.#factor };
    /** @param {number} seconds */
    const placeAt = (seconds) => quarterAt(this.#song.tempos, this.#secondsAt(from) + seconds * run.factor);
    /** @param {number} begin seconds */
    const slice = (begin) => {
      const end = begin + SLICE < lasts ? placeAt(begin + SLICE) : to;
      this.#schedule(band, run, begin ? placeAt(begin) : from, end);
    };
    this.#record(band, run);
    band.end("recording", WARM + lasts);
    slice(0);
    for (let begin = SLICE; begin < lasts; begin += SLICE) {
      if ("suspend" in context) context.suspend(begin - 1).then(() => (slice(begin), context.resume()));
      else slice(begin);
    }
    return shifted(context, await context.startRendering(), Math.round(before * rate));
  }

  // --- scheduling ----------------------------------------------------------------------------------------------------

  /** Schedule the next moment. */
  #step() {
    const context = this.#context;
    if (!context || !this.playing) return;
    const until = context.currentTime + (globalThis.document?.hidden ? AHEAD_HIDDEN : this.#ahead);
    while (this.#edge.at < until) {
      const run = this.#runs[this.#runs.length - 1];
      const begin = this.#edge.quarter;
      const end = this.#loop && begin < this.#loop.to ? this.#loop.to : endOf(this.#song.bars);
      const seconds = this.#secondsAt(run.from) + (until - run.at) * run.factor;
      const to = Math.max(begin, Math.min(end, quarterAt(this.#song.tempos, seconds)));
      this.#schedule(this.#live(), run, begin, to);
      this.#edge = { quarter: to, at: this.#timeOf(run, to) };
      if (to < end || !this.#loop) break;
      this.#leap(this.#loop.from);
    }
    const heard = this.#edge.at + this.#limits.delay;
    if (this.#edge.quarter >= endOf(this.#song.bars) && context.currentTime > heard) this.#finish();
    const late = this.#runs.findLastIndex((run) => run.at < context.currentTime - 1);
    if (late > 0) this.#runs.splice(0, late);
  }

  /** The song has ended: let it ring. */
  #finish() {
    this.#rest = 0;
    this.#halt();
    this.dispatchEvent(new Event("end"));
  }

  /**
   * Continue from another position, or at another tempo, where the schedule ends.
   * @param {number} quarter
   */
  #leap(quarter) {
    const run = { at: this.#edge.at, from: quarter, factor: this.#factor };
    this.#edge = { at: run.at, quarter };
    this.#runs.push(run);
    this.#record(this.#live(), run);
  }

  /**
   * @param {Band} band
   * @param {Run} run
   * @param {number} from
   * @param {number} to
   */
  #schedule(band, run, from, to) {
    const begin = this.#timeOf(run, from);
    for (const event of events(this.#song, from, to)) {
      band.play(event, begin + event.at / run.factor, run.factor, this.#kind);
    }
  }

  /**
   * @param {Band} band
   * @param {Run} run
   */
  #record(band, run) {
    if (!this.#recording) return;
    const { buffer, rate } = this.#recording.at(run.factor);
    band.recording(buffer, run.at, (this.#secondsAt(run.from) * rate) / run.factor, rate);
  }

  /** The required kind of guitar, if any. */
  #guitars() {
    return this.#song.notes.length ? [this.#kind] : [];
  }

  #halt() {
    globalThis.clearInterval(this.#timer);
    this.#runs = [];
  }

  // --- foundations ---------------------------------------------------------------------------------------------------

  /** @returns {AudioContext} */
  #ready() {
    if (!Sound.possible) throw new NoAudio();
    this.#context ??= page.context ??= new AudioContext({ latencyHint: "interactive" });
    return this.#context;
  }

  /** The live band. Its sounds must be loaded. */
  #live() {
    this.#desk ??= new Desk(this.#ready(), this.#limits.makeup, this.#mix);
    this.#band ??= new Band(this.#ready(), this.#desk, this.#samples);
    return this.#band;
  }

  /** @type {Mix} */
  #mix = {
    level: (group) => this.#levels.get(group) ?? 1,
    heard: (name) => {
      const within = (/** @type {Set<string>} */ names) => names.has(name) || names.has(groupOf(name));
      if (name === "metronome") return true;
      return this.#alone.size ? within(this.#alone) : !within(this.#muted);
    },
  };

  /**
   * @param {Set<string>} names
   * @param {string} name
   * @param {boolean} on
   */
  #toggle(names, name, on) {
    if (on) names.add(name);
    else names.delete(name);
    this.#desk?.move();
  }

  /** @param {number} quarter */
  #secondsAt(quarter) {
    return secondsAt(this.#song.tempos, quarter);
  }

  /** The time that is heard now, on the clock of the context. @param {AudioContext} context */
  #heard(context) {
    return context.currentTime - this.#limits.delay - (context.outputLatency || context.baseLatency || 0);
  }

  /** The time of a position of a run, on the clock of the context. @param {Run} run @param {number} quarter */
  #timeOf(run, quarter) {
    return run.at + (this.#secondsAt(quarter) - this.#secondsAt(run.from)) / run.factor;
  }
}

/** @template {{quarter: number}} T @param {T[]} list */
const ordered = (list) => [...list].sort((one, other) => one.quarter - other.quarter);
