/**
 * A jam without its view: a guitar at a MIDI port or in a file, a drummer who plays along, and what both have played.
 *
 * The song runs on the time of the sound engine. A bar of drums is requested when it is decided, half a quarter before
 * it begins; if it is not there when it has to be scheduled, the bar before is repeated.
 */

import { again, extended, pointOf, toldOf } from "./record.js";

/** @import {Bar, Note, Tempo} from "./schedule.js" */
/** @import {JamBar, Told} from "./record.js" */
/** @import {Sound} from "./sound.js" */
/** @typedef {Record<string, any>} Json */
/** @typedef {{quarter: number, numerator: number, denominator: number}} Meter */
/** @typedef {ReturnType<typeof import("./lines.js").jam>} Line */
/** @typedef {{tempos: Tempo[], meters: Meter[], bars: Bar[], notes: Note[], program: number, kind: string}} Guitarist a file as guitarist */
/** @typedef {{bpm: number, metre: string, style: string, countIn: number, model?: string, seed: number, guitarist: Guitarist | null}} Wishes */
/** @typedef {{note: number, velocity: number, at: number}} Due a drum for a MIDI port, `at` as `performance.now` counts */

const EVERY = 20; // milliseconds between two checks
const AHEAD = 0.08; // seconds scheduled ahead: a bar may come shortly before it begins
const ASKED = 0.12; // seconds for a bar to be decided and to arrive
const LATE = 0.03; // seconds before its scheduling at which a bar has to be there
const EARLY = 0.05; // quarters by which the first hit of a bar may come before its barline
const LAID = 4; // bars laid out ahead
const NYLON = 24;

/**
 * The tempos of a file that is played faster, or slower.
 *
 * @param {readonly Tempo[]} tempos
 * @param {number} factor
 * @returns {Tempo[]}
 */
export const faster = (tempos, factor) => tempos.map(({ quarter, bpm }) => ({ quarter, bpm: bpm * factor }));

/** Plays a jam. */
export class Jamming {
  #sound;
  #open;
  #tellers;
  /** @type {Line | null} */
  #line = null;
  /** @type {Bar[]} */
  #layout = [];
  /** @type {Tempo[]} */
  #tempos = [];
  /** @type {Meter[]} */
  #meters = [];
  /** @type {Told[]} of a file: notes not yet sent */
  #coming = [];
  #program = NYLON;
  #nod = Infinity; // where the guitarist of a file signals the end
  #isEndless = true;
  #asked = -Infinity; // the quarter up to which all was sent
  #shown = -1;
  #scheduled = 0; // the quarter up to which the engine has played
  #timer = 0;
  /** The bars that were decided, in order. @type {JamBar[]} */
  bars = [];
  /** What the guitar has played. @type {Told[]} */
  told = [];

  /**
   * @param {Sound} sound
   * @param {typeof import("./lines.js").jam} open
   * @param {{changed: () => void, failed: (error: unknown) => void, drums: (due: Due[]) => void}} tellers changed: the current bar,
   *   the decided bars or the notes have changed; drums: hits for a MIDI port
   */
  constructor(sound, open, tellers) {
    this.#sound = sound;
    this.#open = open;
    this.#tellers = tellers;
    sound.ahead(AHEAD);
    sound.addEventListener("end", () => {
      this.#scheduled = Infinity;
      this.stop();
    });
  }

  /** Whether a jam is running. */
  get playing() {
    return this.#timer !== 0;
  }

  /** The current position, in quarters; below 0 during the count-in. */
  get now() {
    const { waits, position } = this.#sound;
    return waits ? position - waits * this.#speed(0) : position;
  }

  /** The number of the current bar, from 0; -1 before the first. */
  get index() {
    const { now } = this;
    return now < 0 ? -1 : Math.max(this.#layout.findLastIndex(({ quarter }) => quarter <= now + 1e-6), 0);
  }

  /** The beat of the bar that is played or counted in, from 0, and how many it has. */
  get beat() {
    const bar = this.#layout[Math.max(this.index, 0)];
    const beats = bar?.beats ?? 4;
    const beat = bar ? Math.floor(((this.now - bar.quarter) / bar.quarters) * beats + 1e-6) : 0;
    return { beat: ((beat % beats) + beats) % beats, beats };
  }

  /** What was played, as a file. */
  get record() {
    const heard = this.bars.filter(({ quarter }) => quarter < this.#scheduled);
    return { told: this.told, bars: heard, tempos: this.#tempos, meters: this.#meters, program: this.#program };
  }

  /** Start. @param {Wishes} wishes */
  async start({ bpm, metre, style, countIn, model, seed, guitarist }) {
    this.stop();
    const [numerator, denominator] = metre.split("/").map(Number);
    this.#tempos = guitarist?.tempos ?? [{ quarter: 0, bpm }];
    this.#meters = guitarist?.meters ?? [{ quarter: 0, numerator, denominator }];
    this.#program = guitarist?.program ?? NYLON;
    this.#layout = guitarist ? guitarist.bars : extended([], this.#meters[0], LAID);
    this.#coming = guitarist ? toldOf(guitarist.notes) : [];
    [this.bars, this.told, this.#asked, this.#shown, this.#nod] = [[], [], -Infinity, -1, Infinity];
    [this.#isEndless, this.#scheduled] = [!guitarist, 0];
    if (guitarist) this.#end(guitarist.notes);
    const config = { config: { style, seed: String(seed), ...(model ? { model } : {}) }, tempos: this.#tempos, meters: this.#meters, program: this.#program };
    const line = this.#open(config, { bar: (bar) => line === this.#line && this.#take(bar), end: (error) => line === this.#line && this.#ended(error) });
    this.#line = line;
    this.#sound.set({ bars: this.#layout, tempos: this.#tempos, hits: [], guitar: guitarist?.notes ?? null, kind: guitarist?.kind });
    this.#sound.countIn(countIn);
    await this.#sound.play(0).catch((error) => {
      this.stop();
      throw error;
    });
    if (!this.#line) this.#sound.stop(); // it has failed meanwhile
    if (this.#line !== line) return;
    this.#timer = globalThis.setInterval(() => this.#look(), EVERY);
    this.#look();
  }

  /** Stop immediately. The recording can still be saved. */
  stop() {
    globalThis.clearInterval(this.#timer);
    this.#timer = 0;
    this.#line?.close();
    this.#line = null;
    if (this.#sound.playing) this.#sound.stop();
    this.#tellers.changed();
  }

  /**
   * A note that was played.
   * @param {{pitch: number, velocity: number}} note
   * @param {number} at as `performance.now` counts
   */
  hear({ pitch, velocity }, at) {
    if (!this.playing) return;
    const now = this.now - (Math.max(performance.now() - at, 0) / 1000) * this.#speed(this.now);
    if (now < -EARLY * 8) return; // before the first bar
    this.#tell([{ quarter: Math.max(now, 0), pitch, velocity }]);
  }

  /** Give a sign. @param {{fill: true} | {section: string} | {stop: true} | {intensity: number}} sign as JamSign has it */
  show(sign) {
    const quarter = Math.max(this.now, 0);
    this.#line?.tell({ signs: [{ quarter, ...sign }], until: Math.max(quarter, this.#asked) });
  }

  // --- what comes ----------------------------------------------------------------------------------------------------

  /** Where the drums end: with the last note of a file if it begins a bar, or on the barline after it. @param {readonly Note[]} notes */
  #end(notes) {
    const last = notes.reduce((latest, { quarter }) => Math.max(latest, quarter), 0);
    const bars = this.#layout.filter(({ quarter }) => quarter <= last);
    const { quarter, quarters, beats } = bars[bars.length - 1];
    if (last - quarter >= 1) bars.push({ number: bars.length + 1, quarter: quarter + quarters, quarters, beats });
    this.#layout = bars;
    const end = bars[bars.length - 1];
    this.#nod = end.quarter - end.quarters;
  }

  /** @param {Told[]} notes */
  #tell(notes) {
    if (!notes.length) return;
    this.told.push(...notes);
    this.#line?.tell({ notes });
    this.#tellers.changed();
  }

  /** One step of the clock. */
  #look() {
    if (!this.playing) return;
    this.#scheduled = this.#sound.scheduled;
    const [now, made] = [this.now, this.bars.length];
    const next = this.#layout[made];
    const ended = this.bars[made - 1]?.last;
    if (next && !ended) {
      // 1. Request the next bar when it is decided, or earlier if time is short.
      const point = pointOf(this.#layout, made);
      const room = (ASKED + LATE) * this.#speed(next.quarter);
      if (point > this.#asked && (now >= point || this.#sound.scheduled >= next.quarter - room)) this.#ask(point);
      // 2. Or repeat the bar before.
      const due = this.#sound.scheduled + LATE * this.#speed(next.quarter) >= next.quarter - EARLY;
      if (made && due) this.#put(again(this.bars[made - 1], next));
    }
    // 3. Lay out more bars, until the drummer ends.
    if (this.#isEndless && !ended && this.#layout.length - this.bars.length < LAID / 2) this.#lay();
    if (this.#shown !== this.index) {
      this.#shown = this.index;
      this.#tellers.changed();
    }
  }

  /** Send all notes up to a place. @param {number} point */
  #ask(point) {
    this.#asked = point;
    const told = this.#coming.findIndex(({ quarter }) => quarter > point);
    this.#tell(this.#coming.splice(0, told < 0 ? this.#coming.length : told));
    if (point > this.#nod) {
      this.#line?.tell({ signs: [{ quarter: this.#nod, stop: true }] });
      this.#nod = Infinity;
    }
    this.#line?.tell({ until: point });
  }

  /** A bar has come; if it was replaced already, it is not played. @param {JamBar} bar */
  #take(bar) {
    if (bar.number === this.bars.length + 1) this.#put(bar);
    else if (bar.last) this.stop();
  }

  /** @param {JamBar} bar */
  #put(bar) {
    this.bars.push(bar);
    const at = this.bars.length - 1;
    this.#sound.append(bar.hits.map((hit) => ({ ...hit, tick: 0, bar: bar.number })));
    if (bar.last) this.#sound.set({ bars: (this.#layout = this.#layout.slice(0, at + 1)) });
    const from = performance.now();
    const now = this.now;
    this.#tellers.drums(bar.hits.map(({ quarter, note, velocity }) => ({ note, velocity, at: from + ((quarter - now) / this.#speed(quarter)) * 1000 })));
    this.#tellers.changed();
  }

  #lay() {
    this.#layout = extended(this.#layout, this.#meters[0], LAID);
    this.#sound.set({ bars: this.#layout });
  }

  /** The connection is closed, or the drummer has played the last bar. @param {unknown} error */
  #ended(error) {
    this.#line = null;
    if (error) this.#tellers.failed(error);
    if (error && !this.bars.length) this.stop(); // there is no bar to repeat
  }

  /** Quarters per second at a place. @param {number} quarter */
  #speed(quarter) {
    return (this.#tempos.findLast((tempo) => tempo.quarter <= Math.max(quarter, 0)) ?? this.#tempos[0]).bpm / 60;
  }
}
