/**
 * The beat machine without its buttons: which bar is heard, which come next, what of them was clicked.
 *
 * Bars lie one behind the other on the time of the engine, four quarters each, and are made a little before they are
 * heard. A wish holds from the next bar on: bars that were made for another wish and are not yet due are thrown away.
 */

import { QUARTERS, barOf, cell, empty, gridOf, hitsOf, pinned, regridded, struck } from "./patterns.js";

/** @import {Grid, Pins} from "./patterns.js" */
/** @import {Sound} from "./sound.js" */
/** @import {Brief, Supply} from "./supply.js" */

const BASE = 120; // quarters a minute, which the engine makes faster or slower
const EVERY = 150; // milliseconds between two looks at what is due
const SOON = 0.4; // seconds; what is due by then is left as it is
const HIDDEN = 2.6; // seconds that the engine is further ahead on a hidden page
const KEPT = 8; // bars that were played
const AGAIN = 2000; // milliseconds, after the server did not give a bar

/** Plays bar after bar. `changed` is called when another bar is heard or a bar has changed. */
export class Machine {
  #sound;
  #supply;
  #brief;
  #failed;
  /** Told when what is to be seen has changed. */
  changed = () => {};
  /** Whether the bar that is heard is played again and again. */
  hold = false;
  /** What was clicked, and stays. @type {Pins} */
  pins = new Map();
  /** @type {Grid[]} */
  #bars = [];
  #first = 0; // the index of the first of them
  #wish = 0; // grows with each change of what is wanted
  #fill = false; // whether the next bar is one
  /** @type {Promise<void> | null} */
  #feeding = null;
  #rests = 0; // until when the server is left alone
  #timer = 0;
  #shown = -1;

  /**
   * @param {Sound} sound
   * @param {Supply} supply
   * @param {() => Brief & {bpm: number, places: number}} brief what is wanted now
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

  /** The index of the bar that is heard, from 0. */
  get index() {
    const index = Math.floor(this.#sound.position / QUARTERS + 1e-6);
    return Math.min(Math.max(index, this.#first), Math.max(this.#first + this.#bars.length - 1, 0));
  }

  /** The bar that is heard. */
  get grid() {
    return this.#bars[this.index - this.#first] ?? empty(this.#brief().places);
  }

  /** The bars up to the one that is heard, with their indices, the latest last. */
  get played() {
    const bars = this.#bars.slice(0, this.index - this.#first + 1);
    return bars.map((grid, at) => ({ grid, index: this.#first + at })).slice(-KEPT);
  }

  /** Where in the bar the sound is, in quarters. */
  get moment() {
    return this.#sound.position - this.index * QUARTERS;
  }

  /** Have a bar to show, before anything is played. */
  async prepare() {
    if (!this.#bars.length) await this.#feed();
  }

  /** Play from the bar that is shown on. */
  async start() {
    await this.prepare();
    if (!this.#bars.length) this.#bars.push(empty(this.#brief().places)); // no server: an empty bar to click into
    this.#give();
    await this.#sound.play(this.index * QUARTERS);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#look(), EVERY);
    this.#look();
  }

  /** Stop, and stand in the bar that was heard. */
  stop() {
    clearInterval(this.#timer);
    const index = this.index;
    this.#sound.stop();
    void this.#sound.seek(index * QUARTERS);
    this.changed();
  }

  /** The tempo is another one: at once. */
  tempo() {
    this.#sound.tempo(this.#brief().bpm / BASE);
  }

  /** Something else is wanted. @param {boolean} [fill] whether the next bar is to be one */
  wish(fill = false) {
    if (fill) [this.#fill, this.hold] = [true, false];
    this.#wish++;
    this.#rests = 0;
    this.#drop();
    if (this.playing) this.#look();
    else void this.#renew();
  }

  /** @param {boolean} on whether the bar is played again and again */
  keep(on) {
    this.hold = on;
    this.#wish++;
    this.#drop();
    this.#look();
    this.changed();
  }

  /**
   * A cell of the bar that is heard gets a velocity, 0 for none, which stays in the bars that come.
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

  /** What was clicked does not stay in the bars that come. */
  free() {
    this.pins.clear();
    this.wish();
    this.changed();
  }

  /** An empty bar, again and again: to be clicked full. */
  clear() {
    this.pins.clear();
    this.#put(empty(this.#brief().places));
  }

  /** A bar that was played is played again and again. @param {number} index */
  bringBack(index) {
    const grid = this.#bars[index - this.#first];
    if (grid) this.#put(grid);
  }

  /** Bars have another number of places. */
  regrid() {
    const { places } = this.#brief();
    this.#bars = this.#bars.map((bar) => regridded(bar, places));
    this.wish();
    this.#give();
  }

  /** The last so many bars that were heard. @param {number} count @returns {Grid[]} */
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

  /** Another first bar, while nothing is heard. */
  async #renew() {
    const fill = this.#fill;
    const bars = this.#bars;
    this.#bars = bars.slice(0, -1);
    await this.#feed();
    if (this.#bars.length < bars.length) this.#bars = bars; // it did not come
    if (!this.playing) this.#fill = fill; // a fill is not to be looked at, but to be heard
    this.changed();
  }

  /** Throw away the bars that come, but for one that is due. */
  #drop() {
    if (!this.playing) return;
    const due = this.#secondsUntil(this.index + 1) < this.#ahead();
    this.#bars.length = Math.min(this.#bars.length, this.index - this.#first + (due ? 2 : 1));
    this.#give();
  }

  /** Heed the clock: another bar may be heard, and more are wanted. */
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

  /** Whether another bar is to be made: one more than will be due in a second. */
  #wants() {
    if (!this.#bars.length) return true;
    if (!this.playing || Date.now() < this.#rests) return false;
    return this.#secondsUntil(this.#first + this.#bars.length) < 1 + this.#ahead() + this.#barSeconds();
  }

  /** Make the bars that are wanted. Whoever asks meanwhile waits for the same. */
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
        if (wish !== this.#wish) continue; // it was made for another wish
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

  /** Up to how many seconds from now the engine may have scheduled already. */
  #ahead() {
    return SOON + (document.hidden ? HIDDEN : 0);
  }
}
