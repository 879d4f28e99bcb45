/** Grooves on trial: a few bars of the song on another groove, round and round, until the pointer moves on. */

import { wait } from "./basics.js";

/** @typedef {import("./schedule.js").Hit} Hit */
/** @typedef {import("./spans.js").Span} Span */
/**
 * @typedef {object} Stand What they are tried with.
 * @property {import("./session.js").Session} session
 * @property {import("./sound.js").Sound} sound
 * @property {typeof import("./api.js").audition} audition
 * @property {() => Span | null} span the bars that are chosen
 * @property {(hits: readonly Hit[] | null) => void} heard hits in place of those of the take; null: those again
 */

const BARS = 8;
const PAUSE = 150; // milliseconds

export class Audition {
  #stand;
  #call = new AbortController();
  /** What went on before the first of several trials. @type {{playing: boolean, position: number} | null} */
  #before = null;

  /** @param {Stand} stand */
  constructor(stand) {
    this.#stand = stand;
  }

  /** The bars that are tried: the first of those chosen, or, where no guitar plays, from its first note on. @returns {Span} */
  #excerpt() {
    const { bars = [], notes = [] } = this.#stand.session.analysis ?? {};
    const chosen = this.#stand.span() ?? { firstBar: 1, lastBar: 0 };
    const tried = { firstBar: chosen.firstBar, lastBar: Math.min(chosen.firstBar + BARS - 1, chosen.lastBar) };
    const [begin, last] = [bars[tried.firstBar - 1], bars[tried.lastBar - 1]];
    if (begin && last && notes.some(({ quarter }) => begin.quarter <= quarter && quarter < last.quarter + last.quarters)) return tried;
    const firstBar = bars.findLast(({ quarter }) => quarter <= (notes[0]?.quarter ?? 0) + 0.1)?.number ?? 1;
    return { firstBar, lastBar: Math.min(firstBar + BARS - 1, bars.length) };
  }

  /** @param {string} name of a groove @returns {Promise<{hits: readonly Hit[], bars: readonly import("./schedule.js").Bar[]}>} */
  async hits(name) {
    const { song, analysis, take, doc } = this.#stand.session;
    if (!song || !analysis) throw new Error("no song");
    const { track, model } = doc.wishes;
    const config = { groove: [{ name }], seed: take?.seed ?? "0", ...(track ? { track } : {}), ...(model ? { model } : {}) };
    return { hits: await this.#stand.audition(song, analysis.bars, this.#excerpt(), config), bars: analysis.bars };
  }

  /** Wait until the drummer has nothing else to do. */
  async idle() {
    const { session } = this.#stand;
    do {
      await wait(PAUSE);
    } while (session.busy || !session.settled);
  }

  /** @param {string} name */
  async hear(name) {
    const { sound, heard } = this.#stand;
    this.#call.abort();
    const { signal } = (this.#call = new AbortController());
    const found = await this.hits(name).catch(() => null);
    if (!found || signal.aborted) return;
    const { firstBar, lastBar } = this.#excerpt();
    const [begin, last] = [found.bars[firstBar - 1], found.bars[lastBar - 1]];
    const goesOn = this.#before !== null;
    this.#before ??= { playing: sound.playing, position: sound.position };
    heard(found.hits);
    sound.loop(begin.quarter, last.quarter + last.quarters);
    if (!goesOn) await sound.play(begin.quarter);
  }

  /** Hear the take again, as before. */
  end() {
    const before = this.#before;
    this.#call.abort();
    this.#before = null;
    if (!before) return;
    const { sound, heard } = this.#stand;
    sound.loop(null);
    heard(null);
    if (!before.playing) sound.stop();
    void sound.seek(before.position);
  }
}
