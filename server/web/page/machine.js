/**
 * The beat machine without its view: the current bar, the next ones, and the clicked cells.
 *
 * Bars follow each other on the time of the engine, four quarters each, and are made a little before they are heard. A
 * change of the brief holds from the next bar on: bars that were made before it and are not yet due are dropped.
 */

import { clamp } from "./basics.js";
import { QUARTERS, barOf, cell, empty, gridOf, hitsOf, pinned, regridded, struck } from "./patterns.js";

/** @import {Grid, Pins} from "./patterns.js" */
/** @import {Sound} from "./sound.js" */
/** @import {BeatBar} from "./api.js" */
/** @typedef {ReturnType<typeof import("./api.js").stream>} Stream */
/** @typedef {Record<string, any>} Brief */

const BASE = 120; // quarters a minute; the engine scales it
const EVERY = 150; // milliseconds between two checks
const SOON = 0.4; // seconds; bars due by then stay
const HIDDEN = 2.6; // seconds further ahead on a hidden page
const KEPT = 8; // played bars that are kept
const AGAIN = 2000; // milliseconds after a failed request

/** Plays bar after bar. `changed` is called when the current bar or its content changes. */
export class Machine {
  #sound;
  #supply;
  #brief;
  #failed;
  /** Called when the view has to change. */
  changed = () => {};
  /** Whether the current bar loops. */
  hold = false;
  /** The clicked cells, which stay. @type {Pins} */
  pins = new Map();
  /** @type {Grid[]} */
  #bars = [];
  #first = 0; // the index of the first of them
  #wish = 0; // counts the changes of the brief
  #fill = false; // whether the next bar is a fill
  /** @type {Promise<void> | null} */
  #feeding = null;
  #rests = 0; // no request before this time
  #timer = 0;
  #shown = -1;

  /**
   * @param {Sound} sound
   * @param {Supply} supply
   * @param {() => Brief & {bpm: number, places: number}} brief the current brief
   * @param {(error: unknown) => void} failed
   */
  constructor(sound, supply, brief, failed) {
    this.#sound = sound;
    this.#supply = supply;
    this.#brief = brief;
    this.#failed = failed;
    sound.set({ tempos: [{ quarter: 0, bpm: BASE }], guitar: null });
    this.tempo();
  }

  /** Whether it plays. */
  get playing() {
    return this.#sound.playing;
  }

  /** The index of the current bar, from 0. */
  get index() {
    const index = Math.floor(this.#sound.position / QUARTERS + 1e-6);
    return clamp(index, this.#first, Math.max(this.#first + this.#bars.length - 1, 0));
  }

  /** The current bar. */
  get grid() {
    return this.#bars[this.index - this.#first] ?? empty(this.#brief().places);
  }

  /** The bars up to the current one, with their indices. */
  get played() {
    const bars = this.#bars.slice(0, this.index - this.#first + 1);
    return bars.map((grid, at) => ({ grid, index: this.#first + at })).slice(-KEPT);
  }

  /** The position in the bar, in quarters. */
  get moment() {
    return this.#sound.position - this.index * QUARTERS;
  }

  /** Get a first bar to show. */
  async prepare() {
    if (!this.#bars.length) await this.#feed();
  }

  /** Play from the shown bar on. */
  async start() {
    await this.prepare();
    if (!this.#bars.length) this.#bars.push(empty(this.#brief().places)); // no server: an empty bar to edit
    this.#give();
    await this.#sound.play(this.index * QUARTERS);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), EVERY);
    this.#look();
  }

  /** Stop, and stay in the current bar. */
  stop() {
    clearInterval(this.#timer);
    const index = this.index;
    this.#sound.stop();
    void this.#sound.seek(index * QUARTERS);
    this.changed();
  }

  /** Change the tempo immediately. */
  tempo() {
    this.#sound.tempo(this.#brief().bpm / BASE);
  }

  /** The brief has changed. @param {boolean} [fill] whether the next bar is to be a fill */
  wish(fill = false) {
    if (fill) [this.#fill, this.hold] = [true, false];
    this.#wish++;
    this.#rests = 0;
    this.#drop();
    if (this.playing) this.#look();
    else void this.#renew();
  }

  /** @param {boolean} on whether the bar loops */
  keep(on) {
    this.hold = on;
    this.#wish++;
    this.#drop();
    this.#look();
    this.changed();
  }

  /**
   * Set the velocity of a cell of the current bar, 0 for none; it stays in the bars that come.
   * @param {number} row
   * @param {number} place
   * @param {number} velocity
   */
  strike(row, place, velocity) {
    const grid = struck(this.grid, row, place, velocity);
    this.pins.set(cell(row, place, grid[0].length), grid[row][place]);
    const from = this.index - this.#first;
    this.#bars = this.#bars.map((bar, at) => (at < from ? bar : at === from ? grid : pinned(bar, this.pins)));
    if (!this.#bars.length) this.#bars = [grid];
    this.#give();
  }

  /** Release all clicked cells. */
  free() {
    this.pins.clear();
    this.wish();
    this.changed();
  }

  /** Loop an empty bar, to click into. */
  clear() {
    this.pins.clear();
    this.#put(empty(this.#brief().places));
  }

  /** Loop a played bar. @param {number} index */
  bringBack(index) {
    const grid = this.#bars[index - this.#first];
    if (grid) this.#put(grid);
  }

  /** Change the number of places in a bar. */
  regrid() {
    const { places } = this.#brief();
    this.#bars = this.#bars.map((bar) => regridded(bar, places));
    this.wish();
    this.#give();
  }

  /** The last played bars. @param {number} count @returns {Grid[]} */
  last(count) {
    return this.played.slice(-count).map(({ grid }) => grid);
  }

  // --- what comes ----------------------------------------------------------------------------------------------------

  /** @param {Grid} grid */
  #put(grid) {
    const at = this.index - this.#first;
    this.hold = true;
    this.#wish++;
    this.#bars = [...this.#bars.slice(0, at), grid];
    this.#give();
    this.#look();
  }

  /** Get another first bar, while nothing plays. */
  async #renew() {
    const fill = this.#fill;
    const bars = this.#bars;
    this.#bars = bars.slice(0, -1);
    await this.#feed();
    if (this.#bars.length < bars.length) this.#bars = bars; // the request failed
    if (!this.playing) this.#fill = fill; // the first bar is never a fill
    this.changed();
  }

  /** Drop the coming bars, except one that is due. */
  #drop() {
    if (!this.playing) return;
    const due = this.#secondsUntil(this.index + 1) < this.#ahead();
    this.#bars.length = Math.min(this.#bars.length, this.index - this.#first + (due ? 2 : 1));
    this.#give();
  }

  /** One step of the clock: update the current bar, and request more. */
  #look() {
    if (!this.playing) return;
    if (this.#secondsUntil(this.#first + this.#bars.length) < this.#ahead()) this.#add(this.#bars[this.#bars.length - 1]);
    const old = this.index - this.#first - KEPT;
    if (old > 0) {
      this.#bars.splice(0, old);
      this.#first += old;
    }
    if (this.#shown !== this.index) {
      this.#shown = this.index;
      this.changed();
    }
    void this.#feed();
  }

  /** Whether another bar is needed: one more than will be due in a second. */
  #wants() {
    if (!this.#bars.length) return true;
    if (!this.playing || Date.now() < this.#rests) return false;
    return this.#secondsUntil(this.#first + this.#bars.length) < 1 + this.#ahead() + this.#barSeconds();
  }

  /** Make the bars that are needed. Concurrent calls wait for the same. */
  #feed() {
    this.#feeding ??= this.#made().finally(() => (this.#feeding = null));
    return this.#feeding;
  }

  async #made() {
    try {
      while (this.#wants()) {
        if (this.hold && this.#bars.length) {
          this.#add(this.#bars[this.#bars.length - 1]);
          continue;
        }
        const wish = this.#wish;
        const { places, ...brief } = this.#brief();
        const made = await this.#supply.next(brief, this.#fill);
        if (wish !== this.#wish) continue; // it was made for another brief
        this.#fill = false;
        this.#add(pinned(gridOf(made.hits, places), this.pins));
      }
    } catch (error) {
      this.#rests = Date.now() + AGAIN;
      this.#failed(error);
    }
  }

  /** @param {Grid} grid */
  #add(grid) {
    this.#bars.push(grid);
    this.#give();
  }

  #give() {
    const bars = this.#bars.map((_, at) => barOf(this.#first + at));
    this.#sound.set({ bars, hits: this.#bars.flatMap((grid, at) => hitsOf(grid, this.#first + at)) });
    this.changed();
  }

  #barSeconds() {
    return (QUARTERS * 60) / this.#brief().bpm;
  }

  /** @param {number} index of a bar */
  #secondsUntil(index) {
    return ((index * QUARTERS - this.#sound.position) * 60) / this.#brief().bpm;
  }

  /** The seconds from now that the engine may have scheduled already. */
  #ahead() {
    return SOON + (document.hidden ? HIDDEN : 0);
  }
}

// --- where bars come from ---------------------------------------------------------------------------------------------

const MOST = 1000; // bars of a stream; a few less than the server's limit
const PATIENCE = 25_000; // milliseconds without a request after which the server may have ended the stream

/** Supplies the next bar. Starts another stream if the current one cannot change as needed. */
export class Supply {
  #open;
  /** @type {Stream | null} */
  #stream = null;
  #which = ""; // what a stream cannot change
  #asked = 0;
  #last = 0;

  /** @param {(brief: Brief) => Stream} open */
  constructor(open) {
    this.#open = open;
  }

  /**
   * The next bar.
   * @param {Brief} brief the brief, with its `seed`
   * @param {boolean} [fill] whether to play a fill, whatever the brief says
   * @returns {Promise<BeatBar>}
   */
  async next(brief, fill = false) {
    const now = Date.now();
    const which = `${brief.model} ${brief.seed}`;
    if (this.#asked >= MOST || now - this.#last > PATIENCE || which !== this.#which) this.close();
    if (fill && !this.#asked) await this.next(brief); // the first bar of a stream is never a fill
    [this.#last, this.#which] = [now, which];
    const number = ++this.#asked;
    const wanted = { ...brief, seed: String(brief.seed), fill: fill ? number : brief.fill }; // the bar of that number is a fill
    try {
      this.#stream ??= this.#open(wanted);
      const [bar] = await this.#stream.more(1, wanted);
      return bar;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Close the stream, if there is one. */
  close() {
    this.#stream?.close();
    this.#stream = null;
    this.#asked = 0;
  }
}
