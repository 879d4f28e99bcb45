/** The songs that a drummer is to learn from: which there are, what was understood of them, and how long it takes. */

import { Refused } from "./wire.js";

/** @typedef {import("./teaching.js").Heard} Heard */
/** @typedef {{name: string, file: File, heard: Heard | null}} Song heard: null: not yet */
/** @typedef {Pick<typeof import("./api.js"), "teach">} Api */
/** @typedef {{maxSongs: number, maxBytes: number, maxSongBytes: number}} Limits */

const MOST_NAME = 200;
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
  #begun = 0;
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
    const count = Math.max(1, this.songs.length);
    const spent = (now - this.#begun) / 1000;
    if (this.#done < count || !this.#pass) {
      const share = this.#done / count / PASSES;
      return { share, seconds: this.#done ? (spent * (1 - share)) / share : null, done: this.#done };
    }
    const second = Math.min((now - this.#pass) / 1000 / Math.max(0.1, (this.#pass - this.#begun) / 1000), 0.98);
    return { share: (1 + second) / PASSES, seconds: ((this.#pass - this.#begun) / 1000) * (1 - second), done: count };
  }

  #pass = 0; // when the first pass was over

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
    const songs = sent(this.songs);
    [this.#begun, this.#done, this.#pass, this.#makes] = [performance.now(), 0, 0, Boolean(name)];
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
          this.#done++;
          if (this.#done === songs.length) this.#pass = performance.now();
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
    return { number: 0, title: name, understood: false, remark: "too large", bars: 0 };
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {{name: string, file: File}} song */
const keyOf = ({ name, file }) => `${name} ${file.size} ${file.lastModified}`;

/** Those that the server gets to see. @param {readonly Song[]} songs */
const sent = (songs) => songs.filter(({ heard }) => heard?.remark !== "too large");
