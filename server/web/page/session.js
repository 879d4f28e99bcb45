/**
 * Work on a song: open, play, edit, undo, save. It knows the server and the store, and nothing of looks or sound.
 */

import { configOf, isHeardAnew, isOfAllTakes, isOnSameBeats } from "./address.js";
import { again, anew, anySeed, fileOf, heardAnew, regrooved, understood } from "./drumming.js";
import * as edits from "./edits.js";
import { barsIn, isSameForm, without } from "./spans.js";
import * as works from "./work.js";

/** @typedef {import("./address.js").Wishes} Wishes */
/** @typedef {import("./work.js").Work} Work */
/** @typedef {import("./work.js").Doc} Doc */
/** @typedef {import("./edits.js").Take} Take */
/** @typedef {import("./edits.js").Hit} Hit */
/** @typedef {import("./drumming.js").Api} Api */
/** @typedef {import("./spans.js").Span} Span */
/** @typedef {Awaited<ReturnType<Api["analyze"]>>} Analysis */
/**
 * @typedef {object} Ears Callbacks.
 * @property {() => void} changed the view has to update
 * @property {(how: "new" | "kept" | "again") => void} opened a song is there: one without drums, one that was worked on
 *   before, or the same with another guitar
 * @property {() => void} begun the first bar of the first take of a song has come
 * @property {(error: unknown) => void} failed
 * @property {() => void} unkept the browser does not keep the work
 * @property {(parts: Analysis["tracks"], signal: AbortSignal) => Promise<string | null>} choose which parts are the guitar,
 *   where that is not plain: their numbers, such as "2,3"; null: none of them, or another file is opened meanwhile
 * @property {() => void} copied another tab has the song, too, and this one goes on with a copy
 */

export const USUAL_TAKES = 3;
const WAIT_WISH = 500; // milliseconds from the last change of an option to playing
const WAIT_PLACE = 20; // of one for some bars
const WAIT_KEEP = 400;

export class Session {
  /** @type {Work | null} */
  work = null;
  /** The opened file. @type {File | null} */
  file = null;
  /** The file that the drummer plays to: the opened one, or its conversion to MIDI. @type {File | null} */
  song = null;
  /** The options while there is no song. @type {Wishes} */
  #before = { takes: USUAL_TAKES };
  #meant = false; // whether they come from an address
  #take = 0; // the take that the address means, from 1
  /** @type {AbortController | null} */
  #call = null;
  #partial = false; // the chosen take is incomplete
  #ofAll = false; // whether a pending change needs other takes
  /** The bars that a pending change is about; null: all; undefined: nothing is pending. @type {Set<number> | null | undefined} */
  #within;
  #made = 0;
  /** @type {(() => void) | null} */
  #again = null;
  #timers = { wish: 0, keep: 0 };
  /** @type {Promise<unknown>} */
  #keeping = Promise.resolve();
  #opening = new AbortController();
  #listening = new AbortController();

  /**
   * @param {Api} api
   * @param {Pick<import("./store.js").Store, "keep" | "find">} store
   * @param {Ears} ears
   */
  constructor(api, store, ears) {
    this.api = api;
    this.store = store;
    this.ears = ears;
  }

  /** @returns {Doc} */
  get doc() {
    return this.work?.history.now ?? works.emptyDoc(this.#before);
  }
  /** The analysis of the file. @returns {Analysis | null} */
  get analysis() {
    return this.work?.analysis ?? null;
  }
  get take() {
    return works.chosenTake(this.doc);
  }
  /** Whether the takes match the options. */
  get settled() {
    return !this.#partial;
  }
  get busy() {
    return this.#call !== null;
  }
  /** The number of bars of the chosen take. */
  get made() {
    return this.#made;
  }
  get canUndo() {
    return Boolean(this.work?.history.past.length);
  }
  get canRedo() {
    return Boolean(this.work?.history.future.length);
  }
  // --- opening -------------------------------------------------------------------------------------------------------

  /**
   * Options from an address: for the next song, or for the open one.
   * @param {Wishes} wishes
   * @param {number} [take] the take that is meant, from 1
   */
  meant(wishes, take = 0) {
    this.#take = take;
    const all = { takes: USUAL_TAKES, ...wishes };
    this.#meant = Object.keys(wishes).length > 0;
    if (this.work && this.#meant) this.wish(all);
    else this.#before = all;
  }

  /**
   * Open a file, and play to it unless it has takes. The open song stays until the file has been analysed.
   * @param {File} file
   */
  async open(file) {
    const signal = this.#turn();
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      const id = await works.nameOf(bytes);
      const found = await this.store.find(id).catch(() => undefined);
      const { wishes, analysis, base } = await understood(this.api, file, this.#meant || !found ? this.#before : found.doc.wishes, { signal, choose: this.ears.choose });
      if (signal.aborted) return;
      const fresh = { id, bytes, history: edits.begun(works.emptyDoc(wishes)), position: 0 };
      this.#adopt({ ...(found ? works.opened(found) : fresh), name: file.name, analysis, base }, file);
      if (this.#meant && found) this.wish(wishes);
      this.#meant = false;
    } catch (error) {
      if (!signal.aborted) this.#fail(error, () => this.open(file));
    }
  }

  /** Cancel the opening of another file. */
  #turn() {
    this.#opening.abort();
    this.#opening = new AbortController();
    return this.#opening.signal;
  }

  /**
   * Open a saved song.
   * @param {string} id
   * @returns {Promise<boolean>} whether it exists
   */
  async resume(id) {
    const signal = this.#turn();
    const found = await this.store.find(id);
    if (!found || signal.aborted) return found !== undefined;
    this.#adopt(works.opened(found), fileOf(found.bytes, found.name));
    return true;
  }

  /** Leave the song. */
  close() {
    this.#turn();
    this.#abort();
    this.keepSoon(0);
    [this.work, this.file, this.song] = [null, null, null];
    this.#made = 0;
    this.#before = { takes: USUAL_TAKES };
    this.ears.changed();
  }

  /** @param {Work} work @param {File} file */
  #adopt(work, file) {
    const { analysis } = work;
    this.#abort();
    this.keepSoon(0); // the song that was open
    [this.work, this.file] = [work, file];
    this.song = analysis.song ? fileOf(analysis.song, file.name) : file;
    const first = !works.finished(this.take);
    this.#partial = first;
    this.#made = first ? 0 : analysis.bars.length;
    this.ears.opened(first ? "new" : "kept");
    this.ears.changed();
    if (first) void this.play(this.doc.wishes);
  }

  // --- playing -------------------------------------------------------------------------------------------------------

  /**
   * An option has changed: play the unlocked bars again, a moment later; on other beats, all takes.
   * @param {Wishes} wishes
   * @param {readonly Span[]} [spans] the bars that it is about: no others change
   */
  wish(wishes, spans) {
    clearTimeout(this.#timers.wish);
    if (!this.work) return;
    const before = this.doc.wishes;
    const isListening = isHeardAnew(before, wishes);
    const sameBeats = isOnSameBeats(before, wishes);
    const isOfSections = isListening && sameBeats && before.track === wishes.track;
    this.#ofAll ||= isOfAllTakes(before, wishes);
    const isWhole = !spans || this.#within === null || (this.#within === undefined && this.#partial);
    this.#within = isWhole ? null : new Set([...(this.#within ?? []), ...barsIn(spans)]);
    if (sameBeats) this.#step({ ...this.doc, wishes });
    else this.#step(works.emptyDoc({ ...wishes, sections: wishes.sections === before.sections ? undefined : wishes.sections }));
    this.#partial = true; // changes until then are the same undo step
    this.ears.changed();
    const play = () => {
      const [{ take, doc }, ofAll, within] = [this, this.#ofAll, this.#within];
      this.#ofAll = false;
      if (take?.locks.length && !within) return this.anew(doc.wishes, true);
      if (ofAll || !(take?.midi ?? take?.grooves.length)) return this.play(doc.wishes, true);
      const may = within && new Set([...within].filter((bar) => !take.locks.includes(bar)));
      return this.#remade(doc.wishes, true, (file, ways) => again(this.api, file, take, doc.wishes, ways, may));
    };
    if (!isListening) this.#timers.wish = Number(setTimeout(play, spans ? WAIT_PLACE : WAIT_WISH));
    else void this.#listenAnew(isOfSections).then((how) => void (how === "other" && play()));
  }

  /** Other takes, with a random seed. */
  others() {
    void this.play({ ...this.doc.wishes, seed: anySeed() });
  }

  /**
   * Play whole takes. The edits stay in the chosen take.
   * @param {Wishes} wishes
   * @param {boolean} [stepped] whether it has an undo step already
   */
  async play(wishes, stepped = false) {
    const earlier = this.take;
    const known = this.doc.takes.length > 0;
    await this.#playing({ ...this.doc, wishes }, stepped, async (file, signal) => {
      let begun = false;
      const summary = await this.api.play(file, configOf(wishes), {
        signal,
        onBar: ({ take, bar, hits, seed }) => {
          if (signal.aborted) return; // pending work
          const takes = begun ? [...this.doc.takes] : [];
          // Takes are played concurrently: the second may begin before the first.
          while (takes.length <= take) {
            const old = takes.length === 0 ? earlier : undefined;
            takes.push(works.emptyTake(seed, { played: old?.played, edits: old?.edits }));
          }
          const now = takes[take];
          takes[take] = { ...now, seed, played: edits.replaced(now.played, bar, hits) };
          if (take === 0) this.#made = known ? (this.analysis?.bars.length ?? 0) : bar;
          this.#amend({ wishes, takes, chosen: begun ? this.doc.chosen : 0 });
          if (!known && !begun) this.ears.begun();
          begun = true;
        },
      });
      const made = works.ranked(this.doc, summary.takes);
      const chosen = made.takes[this.#take - 1] ? this.#take - 1 : made.chosen;
      this.#take = 0;
      return { ...made, chosen };
    });
  }

  /**
   * Play the unlocked bars again.
   * @param {Wishes} [wishes] default: the same with another seed
   * @param {boolean} [stepped] as of `play`
   * @param {readonly Span[]} [spans] only of these bars
   */
  async anew(wishes = { ...this.doc.wishes, seed: anySeed() }, stepped = false, spans = [{ firstBar: 1, lastBar: this.analysis?.bars.length ?? 0 }]) {
    const { take } = this;
    const ranges = take ? without(spans, take.locks) : [];
    if (!take || !ranges.length) return;
    const held = { ...this.doc.wishes, ...wishes, seed: this.doc.wishes.seed };
    await this.#remade(held, stepped, (file, ways) => anew(this.api, file, take, ranges, wishes, ways));
  }

  /**
   * Replace the chosen take.
   * @param {Wishes} wishes
   * @param {boolean} stepped
   * @param {(file: File, ways: import("./drumming.js").Ways) => Promise<Partial<Take>>} make
   */
  async #remade(wishes, stepped, make) {
    const { chosen } = this.doc;
    // Edits made while bars come in are in the take by then.
    const joined = (/** @type {Partial<Take>} */ made) => works.withTake(this.doc, chosen, { ...this.doc.takes[chosen], ...made });
    await this.#playing({ ...this.doc, wishes }, stepped, async (file, signal) => {
      const onTake = (/** @type {Partial<Take>} */ now) => signal.aborted || this.#amend(joined(now));
      return joined(await make(file, { signal, onTake }));
    });
  }

  /**
   * @param {Doc} start
   * @param {boolean} stepped
   * @param {(file: File, signal: AbortSignal) => Promise<Doc>} make
   */
  async #playing(start, stepped, make) {
    const { work, song } = this;
    if (!work || !song) return;
    this.#abort();
    if (stepped) this.#amend(start);
    else this.#step(start);
    const call = (this.#call = new AbortController());
    this.#partial = true;
    this.ears.changed();
    try {
      const made = await make(song, call.signal);
      if (call.signal.aborted) return;
      this.#partial = false;
      this.#made = this.analysis?.bars.length ?? 0;
      this.#call = null;
      this.#within = undefined;
      this.#amend(made);
      this.keepSoon();
    } catch (error) {
      if (call.signal.aborted) return;
      [this.#call, this.#within] = [null, undefined];
      if (this.work && this.canUndo) this.work = { ...this.work, history: { ...edits.undone(this.work.history), future: [] } };
      this.#partial = !works.finished(this.take);
      this.#fail(error, () => void this.#playing(start, false, make));
    }
  }

  /** The server is back. */
  back() {
    this.#again?.();
  }

  /** @param {unknown} error @param {() => void} again */
  #fail(error, again) {
    const gone = /** @type {{reason?: string}} */ (error).reason === "UNREACHABLE";
    this.#again = gone ? again : null;
    this.ears.failed(error);
    this.ears.changed();
  }

  #abort() {
    clearTimeout(this.#timers.wish);
    this.#listening.abort();
    this.#call?.abort();
    this.#call = null;
    this.#again = null;
  }

  /** Listen again, and say what bars follow from it. @param {boolean} [isOfSections] only sections were named @returns {Promise<"other" | "same" | "failed">} */
  async #listenAnew(isOfSections = false) {
    const { file, work } = this;
    if (!file || !work) return "failed";
    this.#abort();
    const { signal } = (this.#listening = new AbortController());
    try {
      const { analysis, song } = await heardAnew(this.api, work, file, this.doc.wishes, signal);
      if (signal.aborted || this.work?.id !== work.id) return "failed";
      const [before, now] = [work.analysis.sections, analysis.sections];
      const isSame = isOfSections && works.finished(this.take) && isSameForm(before, now);
      if (isSame) this.#partial = false;
      [this.song, this.work] = [song, { ...this.work, analysis }];
      if (isOfSections) this.#amend({ ...this.doc, takes: regrooved(this.doc.takes, before, now) });
      this.ears.opened("again");
      this.ears.changed();
      if (isSame) this.keepSoon();
      return isSame ? "same" : "other";
    } catch (error) {
      if (signal.aborted) return "failed";
      this.undo();
      this.#fail(error, () => undefined);
      return "failed";
    }
  }

  // --- clicking ------------------------------------------------------------------------------------------------------

  /** Edit the chosen take, with an undo step. @param {(take: Take) => Take} deed */
  edit(deed) {
    const take = this.take;
    if (!take || !this.work) return;
    this.#step(works.withTake(this.doc, this.doc.chosen, deed(take)));
    this.ears.changed();
    this.keepSoon();
  }

  /** @param {number} index of a take */
  choose(index) {
    if (index === this.doc.chosen || !this.doc.takes[index]) return;
    this.#amend({ ...this.doc, chosen: index });
    this.keepSoon();
  }

  undo() {
    this.#walk(edits.undone);
  }
  redo() {
    this.#walk(edits.redone);
  }

  /** @param {typeof edits.undone<Doc>} way */
  #walk(way) {
    if (!this.work) return;
    const before = this.doc.wishes;
    this.#abort();
    this.#within = undefined;
    this.work = { ...this.work, history: way(this.work.history) };
    this.#partial = !works.finished(this.take);
    if (isHeardAnew(before, this.doc.wishes)) void this.#listenAnew(); // which tells the view, once there are the bars
    else this.ears.changed();
    this.keepSoon();
  }

  /** @param {Doc} next */
  #step(next) {
    if (!this.work) return;
    const history = this.#partial ? edits.amended(this.work.history, next) : edits.done(this.work.history, next);
    this.work = { ...this.work, history };
  }

  /** @param {Doc} now */
  #amend(now) {
    if (this.work) this.work = works.amendedWork(this.work, now);
    this.ears.changed();
  }

  // --- keeping -------------------------------------------------------------------------------------------------------

  /** @param {number} position of the sound, in quarters */
  stand(position) {
    if (!this.work || this.work.position === position) return;
    this.work = { ...this.work, position };
    this.keepSoon();
  }

  /** Save the song in the browser, after a delay. @param {number} [milliseconds] */
  keepSoon(milliseconds = WAIT_KEEP) {
    clearTimeout(this.#timers.keep);
    if (!this.work || this.busy) return;
    const keep = () => {
      const { work } = this;
      this.#keeping = this.#keeping.then(() => work && this.#keep(work));
    };
    if (!milliseconds) keep();
    else this.#timers.keep = Number(setTimeout(keep, milliseconds));
  }

  /** @param {Work} work */
  async #keep(work) {
    if (!works.finished(works.chosenTake(work.history.now))) return;
    try {
      const { id, copied } = await this.store.keep(work);
      if (this.work?.id === work.id) this.work = { ...this.work, id };
      if (copied) this.ears.copied();
    } catch {
      this.ears.unkept();
    }
  }
}
