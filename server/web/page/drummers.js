/** The drummers of the server: its own, and those of bands; and the menu in which one is chosen. */

import { fill, h, menu, options } from "./dom.js";
import { placedOf } from "./spans.js";
import { t } from "./words.js";

/** @import {Json} from "./api.js" */
/** @typedef {{name: string, songs: string[], grooves: number, taught: boolean}} Band */
/** @typedef {{id: string, live: boolean, band: Band | null}} Drummer */
/** @typedef {{folder: string, maxSongs: number, maxBytes: number}} Teaching */

/** Tells of a change by an event. */
export class Drummers extends EventTarget {
  #api;

  /** @param {Pick<typeof import("./api.js"), "models" | "renameDrummer" | "removeDrummer">} api @param {Json} listed */
  constructor(api, listed) {
    super();
    this.#api = api;
    this.#listed = listed;
  }

  #listed;

  /** How it is taught; null: it cannot be. @returns {Teaching | null} */
  get teaching() {
    const { teaching } = this.#listed;
    return teaching ? { ...teaching, maxBytes: Number(teaching.maxBytes) } : null;
  }

  /** All that can be chosen beside the default: for a jam, those that can play along. @param {boolean} live @returns {Drummer[]} */
  others(live) {
    const { models, defaultModel } = this.#listed;
    const own = models.find((/** @type {Drummer} */ model) => model.live && !model.band)?.id;
    return models.filter((/** @type {Drummer} */ { id, live: jams, band }) => (band ? !live || jams : live ? jams && id !== own : !jams && id !== defaultModel));
  }

  /** Those that were taught here. */
  get taught() {
    return this.others(false).filter(({ band }) => band?.taught);
  }

  /** @param {string} id */
  nameOf(id) {
    return this.#listed.models.find((/** @type {Drummer} */ model) => model.id === id)?.band?.name ?? id;
  }

  /** @param {string} id */
  has(id) {
    return this.#listed.models.some((/** @type {Drummer} */ model) => model.id === id);
  }

  /** Look again. */
  async refresh() {
    this.#listed = await this.#api.models();
    this.dispatchEvent(new Event("change"));
  }

  /** @param {string} id @param {string} name */
  async rename(id, name) {
    await this.#api.renameDrummer(id, name);
    await this.refresh();
  }

  /** @param {string} id */
  async remove(id) {
    await this.#api.removeDrummer(id);
    await this.refresh();
  }
}

/**
 * Wishes for another drummer, without grooves that only the drummer of a band knows by name.
 *
 * @param {import("./address.js").Wishes} wishes
 * @param {string | undefined} model undefined: the usual one
 * @param {readonly Json[]} grooves that all know
 * @returns {import("./address.js").Wishes}
 */
export function playedBy(wishes, model, grooves) {
  const known = new Set(grooves.map(({ name }) => name));
  const { groove, groove_places: places, ...others } = wishes;
  const isKnown = placedOf(places).every(({ value }) => known.has(value ?? ""));
  return { ...others, ...(groove && known.has(groove) ? { groove } : {}), ...(places && isKnown ? { groove_places: places } : {}), model };
}

const TEACH = "teach…"; // no id of a model

/** A menu of drummers, with a way to teach another. It hides where there is nothing to choose. */
export class DrummerMenu {
  #drummers;
  #live;
  #value = "";

  /**
   * @param {string} id of the menu
   * @param {Drummers} drummers
   * @param {{live?: boolean, teach: () => void, chosen: (id: string | undefined) => void, signal: AbortSignal}} how
   */
  constructor(id, drummers, { live = false, teach, chosen, signal }) {
    this.#drummers = drummers;
    this.#live = live;
    this.select = menu(id, [], "", (value) => {
      this.select.value = this.#value;
      if (value === TEACH) teach();
      else chosen(value || undefined);
    });
    this.root = h("label", { class: "drummer" }, h("span", {}, t("drummer.label")), this.select);
    drummers.addEventListener("change", () => this.#fill(), { signal });
    this.#fill();
  }

  /** @param {string | undefined} id of the chosen one */
  show(id = "") {
    if (id === this.#value) return;
    this.#value = id;
    this.#fill();
  }

  #fill() {
    const { teaching } = this.#drummers;
    const others = this.#drummers.others(this.#live);
    const gone = this.#value && !others.some(({ id }) => id === this.#value);
    const words = [["", t("drummer.usual")], ...others.map(({ id, band }) => [id, band?.name ?? id])];
    if (gone) words.push([this.#value, t("drummer.gone", { name: this.#value })]);
    if (teaching) words.push([TEACH, t("drummer.teach")]);
    fill(this.select, ...options(/** @type {[string, string][]} */ (words)));
    this.select.value = this.#value;
    this.root.hidden = !teaching && !others.length;
  }
}
