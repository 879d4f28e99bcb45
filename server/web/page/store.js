/**
 * Songs are saved in this browser (IndexedDB), and nowhere else.
 *
 * Two tabs may have one song open: saving over another tab's changes makes a copy.
 */

import { kept } from "./work.js";

/** @typedef {import("./work.js").Kept} Kept */
/** @typedef {import("./work.js").Work} Work */

const NAME = "seq2drum";
const VERSION = 1;
const SONGS = "songs";

export class Store {
  /** @type {Promise<IDBDatabase> | null} */
  #open = null;
  /** By song: the revision that this tab has read or written. @type {Map<string, number>} */
  #known = new Map();

  /**
   * Save a song.
   *
   * @param {Work} work
   * @returns {Promise<{id: string, copied: boolean}>} the name under which it is kept: another one where another tab
   *   has changed it
   */
  async keep(work) {
    const base = await this.#database();
    const transaction = base.transaction(SONGS, "readwrite");
    const songs = transaction.objectStore(SONGS);
    /** @type {Kept | undefined} */
    const there = await result(songs.get(work.id));
    const copied = there !== undefined && there.revision !== this.#known.get(work.id);
    const id = copied ? `${work.id.split("+")[0]}+${Date.now().toString(36)}` : work.id;
    const revision = (copied ? 0 : (there?.revision ?? 0)) + 1;
    songs.put(kept({ ...work, id }, revision, Date.now()));
    await finished(transaction);
    this.#known.set(id, revision);
    return { id, copied };
  }

  /**
   * @param {string} id
   * @returns {Promise<Kept | undefined>}
   */
  async find(id) {
    const base = await this.#database();
    /** @type {Kept | undefined} */
    const found = await result(base.transaction(SONGS).objectStore(SONGS).get(id));
    if (found) this.#known.set(id, found.revision);
    return found;
  }

  /**
   * All songs, the last changed first, without their bytes and takes.
   *
   * @returns {Promise<{id: string, name: string, changed: number}[]>}
   */
  async list() {
    const base = await this.#database();
    /** @type {Kept[]} */
    const all = await result(base.transaction(SONGS).objectStore(SONGS).getAll());
    return all.map(({ id, name, changed }) => ({ id, name, changed })).sort((one, other) => other.changed - one.changed);
  }

  /** @param {string} id */
  async forget(id) {
    const base = await this.#database();
    const transaction = base.transaction(SONGS, "readwrite");
    transaction.objectStore(SONGS).delete(id);
    await finished(transaction);
    this.#known.delete(id);
  }

  /** @returns {Promise<IDBDatabase>} */
  #database() {
    if (!this.#open) {
      const request = indexedDB.open(NAME, VERSION);
      request.onupgradeneeded = () => request.result.createObjectStore(SONGS, { keyPath: "id" });
      this.#open = result(request);
      this.#open.catch(() => (this.#open = null)); // it may succeed later
    }
    return this.#open;
  }
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onerror = transaction.onabort = () => reject(transaction.error);
  });
}
