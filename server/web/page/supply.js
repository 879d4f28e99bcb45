/**
 * Bars of a beat without an end, as the server makes them: asked for one after the other, with what is wanted by then.
 */

/** @import {BeatBar} from "./api.js" */
/** @typedef {ReturnType<typeof import("./api.js").stream>} Stream */
/** @typedef {Record<string, any>} Brief */

const MOST = 1000; // bars of a stream; a little less than the server makes
const PATIENCE = 25_000; // milliseconds without a bar, after which the server may have ended the stream

/** What gives the next bar. It begins another stream where a stream cannot give what is wanted. */
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
   * @param {Brief} brief what is wanted, `seed` among it
   * @param {boolean} [fill] whether it is a fill, whatever the brief says
   * @returns {Promise<BeatBar>}
   */
  async next(brief, fill = false) {
    const now = Date.now();
    const which = `${brief.model} ${brief.seed}`;
    if (this.#asked >= MOST || now - this.#last > PATIENCE || which !== this.#which) this.close();
    if (fill && !this.#asked) await this.next(brief); // the first bar of a stream is none
    [this.#last, this.#which] = [now, which];
    const number = ++this.#asked;
    const wanted = { ...brief, seed: String(brief.seed), fill: fill ? number : brief.fill }; // the bar of its own number is one
    try {
      this.#stream ??= this.#open(wanted);
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
  }
}
