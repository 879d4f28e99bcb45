/**
 * Bars of a beat without an end, as the server makes them: asked for one after the other, with what is wanted by then.
 */

/** @import {BeatBar} from "./api.js" */
/** @typedef {ReturnType<typeof import("./api.js").stream>} Stream */
/** @typedef {Record<string, any>} Brief */

const MOST = 1000; // bars of a stream; a little less than the server makes
const PATIENCE = 10_000; // milliseconds without a bar, after which the server may have ended the stream

/** What gives the next bar. It begins another stream, with another seed, where one has come to its end. */
export class Supply {
  #open;
  /** @type {Stream | null} */
  #stream = null;
  #asked = 0;
  #last = 0;
  #seed;
  #streams = 0;
  #model = ""; // of the stream; it cannot change
  /** @type {number[]} */
  #changes = [];

  /**
   * @param {(brief: Brief) => Stream} open
   * @param {number} seed of the first stream
   */
  constructor(open, seed) {
    this.#open = open;
    this.#seed = seed;
  }

  /**
   * The next bar.
   * @param {Brief} brief what is wanted; `fill` and `change` are counted from the beginning of the stream
   * @param {{fill?: boolean, change?: boolean}} [how] whether it is a fill, or begins something else
   * @returns {Promise<BeatBar>}
   */
  async next(brief, { fill = false, change = false } = {}) {
    const now = Date.now();
    if (this.#asked >= MOST || now - this.#last > PATIENCE || brief.model !== this.#model) this.close();
    this.#last = now;
    this.#model = brief.model;
    const number = ++this.#asked;
    if (change && number > 1) this.#changes.push(number);
    const wanted = { ...brief, change: this.#changes, fill: fill && number > 1 ? number : brief.fill };
    try {
      this.#stream ??= this.#open({ ...wanted, seed: String(this.#seed + this.#streams++) });
      const [bar] = await this.#stream.more(1, wanted);
      return bar;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Let go of the stream, if there is one. */
  close() {
    this.#stream?.close();
    this.#stream = null;
    this.#asked = 0;
    this.#changes = [];
  }
}
