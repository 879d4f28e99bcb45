/** The songs that a drummer is to learn from: which there are, what was understood of them, and how long it takes. */

import { MEBIBYTE } from "./basics.js";
import { Refused } from "./wire.js";

/** @typedef {import("./lines.js").Heard} Heard */
/** @typedef {{name: string, file: File, heard: Heard | null}} Song heard: null: not yet */
/** @typedef {Pick<typeof import("./api.js"), "teach">} Api */
/** @typedef {{maxSongs: number, maxBytes: number, maxSongBytes: number}} Limits */

const MOST_NAME = 200;
const UNSENT = 0; // in place of a song's number
const PASSES = 2; // over all songs: each by itself, then all together

/** Tells of a change by an event. */
export class Lesson extends EventTarget {
  /** @type {readonly Song[]} */
  songs = [];
  /** The name of the drummer, as it is typed. */
  name = "";
  /** What was left out before the server saw it. @type {"songs" | "bytes" | "none" | null} */
  limit = null;
  #api;
  #limits;
  /** @type {AbortController | null} */
  #call = null;
  #begun = 0; // when the first song was heard: the server may have had to start something before
  #last = 0; // when the last one was
  #count = 0; // songs that were sent
  #done = 0;
  #makes = false;

  /** @param {Api} api @param {Limits} limits */
  constructor(api, limits) {
    super();
    this.#api = api;
    this.#limits = limits;
  }

  get busy() {
    return this.#call !== null;
  }

  /** Whether a drummer is being made, rather than songs heard. */
  get makes() {
    return this.#makes;
  }

  get understood() {
    return this.songs.filter(({ heard }) => heard?.understood);
  }

  /**
   * How far it is, 0 to 1, and the seconds left, once they can be told.
   *
   * @param {number} now in milliseconds
   * @returns {{share: number, seconds: number | null, done: number}}
   */
  progress(now) {
    const count = Math.max(1, this.#count);
    const each = (this.#last - this.#begun) / 1000 / Math.max(1, this.#done - 1); // seconds
    const before = this.#done < count ? this.#done : count + Math.min((now - this.#last) / 1000 / Math.max(each, 0.01), 0.95 * count);
    return { share: before / count / PASSES, seconds: this.#done > 1 ? each * (PASSES * count - before) : null, done: this.#done };
  }

  /**
   * More songs; those that are there already are not added again.
   *
   * @param {readonly {name: string, file: File}[]} files
   * @returns {Promise<void>} resolves once they were heard
   */
  async add(files) {
    const known = new Set(this.songs.map(keyOf));
    const fresh = files.map(({ name, file }) => ({ name: name.slice(-MOST_NAME), file, heard: this.#tooLarge(file) })).filter((song) => !known.has(keyOf(song)) && known.add(keyOf(song)));
    const all = [...this.songs, ...fresh];
    const kept = all.slice(0, this.#limits.maxSongs);
    this.limit = !files.length ? "none" : kept.length < all.length ? "songs" : null;
    while (sent(kept).reduce((sum, { file }) => sum + file.size, 0) > this.#limits.maxBytes) {
      kept.pop();
      this.limit = "bytes";
    }
    this.songs = kept;
    await this.hear();
  }

  /** @param {Song} song */
  async remove(song) {
    this.songs = this.songs.filter((one) => one !== song);
    this.limit = null;
    await this.hear();
  }

  /** Without songs again. */
  clear() {
    this.stop();
    [this.songs, this.name, this.limit] = [[], "", null];
    this.#changed();
  }

  stop() {
    this.#call?.abort();
  }

  /** Find out which songs are understood. */
  async hear() {
    if (sent(this.songs).length) await this.#run("");
    else this.#changed();
  }

  /** Make the drummer. @returns {Promise<import("./api.js").Json>} the model */
  async make() {
    return /** @type {import("./api.js").Json} */ ((await this.#run(this.name.trim()))?.model);
  }

  /** @param {string} name */
  async #run(name) {
    this.stop();
    const call = (this.#call = new AbortController());
    const songs = name ? [...this.understood] : sent(this.songs);
    [this.#count, this.#done, this.#makes] = [songs.length, 0, Boolean(name)];
    this.#changed();
    const tell = (/** @type {Heard} */ heard) => {
      const song = songs[heard.number - 1];
      this.songs = this.songs.map((one) => (one === song ? (songs[heard.number - 1] = { ...one, heard }) : one));
    };
    try {
      const taught = await this.#api.teach(songs, name, {
        signal: call.signal,
        onHeard: (heard) => {
          if (this.#call !== call) return;
          if (!name) tell(heard);
          this.#last = performance.now();
          if (!this.#done++) this.#begun = this.#last;
          this.#changed();
        },
      });
      if (this.#call === call) taught.songs.forEach(tell);
      return taught;
    } catch (error) {
      if (error instanceof Refused && error.reason === "CANCELLED") return null;
      throw error;
    } finally {
      if (this.#call === call) {
        this.#call = null;
        this.#changed();
      }
    }
  }

  /** @param {File} file @returns {Heard | null} */
  #tooLarge({ name, size }) {
    if (size <= this.#limits.maxSongBytes) return null;
    return { number: UNSENT, title: name, understood: false, remark: `larger than ${Math.floor(this.#limits.maxSongBytes / MEBIBYTE)} MiB`, bars: 0 };
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {{name: string, file: File}} song */
const keyOf = ({ name, file }) => `${name} ${file.size} ${file.lastModified}`;

/** Those that the server gets to see. @param {readonly Song[]} songs */
const sent = (songs) => songs.filter(({ heard }) => heard?.number !== UNSENT);
