/**
 * Bars of an endless beat: requested one after the other, each with the current brief.
 */

/** @import {BeatBar} from "./api.js" */
/** @typedef {ReturnType<typeof import("./api.js").stream>} Stream */
/** @typedef {Record<string, any>} Brief */

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
