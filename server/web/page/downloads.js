/** The download menu of a take. */

import { h, sign } from "./dom.js";
import { sounding } from "./edits.js";
import { t } from "./words.js";

/** @typedef {import("./edits.js").Take} Take */

const SOUND = new Set(["wav", "stems"]); // formats that contain the recording itself
const SLOW = new Set(["wav", "stems", "picture"]);
/** @typedef {typeof FORMATS[number]} Format */
const FORMATS = /** @type {const} */ (["midi", "midi_with_guitar", "wav", "stems", "musicxml", "picture", "rpp", "dawproject"]);

/**
 * @typedef {object} Wanted What to download.
 * @property {File} file of the guitar
 * @property {File} song what was played to
 * @property {Take} take
 * @property {Record<string, unknown>} config
 */

export class Downloads {
  /** Files are made one after another: the last waits for all before it. @type {Promise<void>} */
  #turn = Promise.resolve();
  /** Pending downloads. @type {{format: Format, drums: string, take: Take}[]} */
  #due = [];

  /**
   * @param {typeof import("./api.js")} api
   * @param {() => Wanted | null} wanted null while the take is being played
   * @param {Pick<import("./main.js").App, "say" | "fail">} tell
   * @param {readonly Record<string, any>[]} maps of drums
   */
  constructor(api, wanted, tell, maps) {
    this.api = api;
    this.wanted = wanted;
    this.tell = tell;
    const options = maps.map(({ id, about }) => h("option", { value: id }, about ? `${id}: ${about}` : id));
    this.map = h("select", { id: "drum-map" }, ...options);
    const buttons = FORMATS.map((format) => {
      const made = h(
        "button",
        { class: "menu-item", type: "button", onclick: () => this.#save(format, made) },
        h("strong", {}, t(`save.${format}`)),
        h("span", { class: "meaning" }, t(`save.${format}.what`)),
      );
      made.dataset.format = format;
      return made;
    });
    this.root = h(
      "details",
      { class: "menu" },
      h("summary", { class: "button primary", id: "download" }, sign("save"), t("save.open")),
      h(
        "div",
        { class: "menu-body" },
        h("label", { class: "field" }, h("span", {}, t("save.map")), this.map, h("span", { class: "meaning" }, t("save.map.what"))),
        ...buttons,
      ),
    );
  }

  /** Start a download, unless it is already pending. @param {Format} format @param {HTMLButtonElement} button */
  #save(format, button) {
    const wanted = this.wanted();
    const drums = this.map.value || "gm";
    if (!wanted || this.#due.some((one) => one.format === format && one.drums === drums && one.take === wanted.take)) return;
    const due = { format, drums, take: wanted.take };
    this.#due.push(due);
    button.ariaBusy = "true";
    this.#turn = this.#turn.then(async () => {
      const done = SLOW.has(format) ? this.tell.say(t("save.making"), { kind: "work" }) : () => {};
      await this.#made(format, wanted, drums).catch((error) => this.tell.fail(error));
      done();
      this.#due = this.#due.filter((one) => one !== due);
      button.ariaBusy = String(this.#due.some((one) => one.format === format));
    });
  }

  /** @param {Format} format @param {Wanted} wanted @param {string} drums the map of their notes */
  async #made(format, { file, song, take, config }, drums) {
    if (format === "midi" && drums === "gm" && take.midi && !take.edits.length) {
      offer(new Blob([/** @type {BlobPart} */ (take.midi)], { type: "audio/midi" }), `${stem(file.name)}.drums.mid`);
      return;
    }
    const whole = drums === "gm" && !take.edits.length && take.midi; // a file is on the notes of its map
    const what = whole ? { midi: whole } : { hits: [...sounding(take.played, take.edits)] };
    const drawn = format === "picture" && take.plan ? { plan: take.plan } : {};
    const { blob, name } = await this.api.render(SOUND.has(format) ? file : song, what, { ...config, ...drawn, drumMap: drums }, format);
    offer(blob, name);
  }
}

/** The name of a file without its suffix. @param {string} name */
const stem = (name) => name.replace(/\.[^.]+$/, "") || name;

/** Let the browser save a file. @param {Blob} blob @param {string} name */
export function offer(blob, name) {
  const address = URL.createObjectURL(blob);
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 60_000);
}
