/** Take it away: a take as files, with count-in and click as chosen, clicked or dragged out, and what to do in a DAW. */

import { check, h, menu, sign } from "./dom.js";
import { sounding } from "./edits.js";
import { t } from "./words.js";

/** @typedef {import("./edits.js").Take} Take */

const SOUND = new Set(["wav", "flac", "stems"]); // formats that contain the recording itself
const SLOW = new Set([...SOUND, "picture"]);
/** @typedef {typeof FORMATS[number]} Format */
const FORMATS = /** @type {const} */ ([
  "midi", "midi_with_guitar", "wav", "flac", "stems", "musicxml", "tab", "guitar_pro", "picture", "rpp", "dawproject",
]); // prettier-ignore
/** The kinds of files that a server must be able to read for it to write a format. */
const NEEDS = /** @type {Readonly<Record<string, string>>} */ ({ flac: "recording", guitar_pro: "tab" });
const DAWS = ["live", "logic", "reaper", "cubase", "bitwig", "fl"];
const COUNTS = [0, 1, 2, 4];

/**
 * @typedef {object} Wanted What to download.
 * @property {File} file of the guitar
 * @property {File} song what was played to
 * @property {Take} take
 * @property {Record<string, unknown>} config
 */
/** @typedef {{drums: string, countIn: number, click: boolean}} How the map of the drums' notes, bars before the song, and whether there is a click */
/** @typedef {{blob: Blob, name: string}} Made */

/** Whether a file can be dragged out of the page into a folder or a DAW. */
const isDraggedOut = () => {
  const { userAgentData } = /** @type {{userAgentData?: {brands: {brand: string}[]}}} */ (navigator);
  return Boolean(userAgentData?.brands.some(({ brand }) => brand === "Chromium"));
};

export class Downloads {
  /** Files are made one after another: the last waits for all before it. @type {Promise<unknown>} */
  #turn = Promise.resolve();
  /** Pending downloads. @type {{format: Format, how: string, take: Take}[]} */
  #due = [];
  /** Files to be dragged, by their buttons. @type {Map<HTMLElement, {take: Take, how: string, url: string, made: Made}>} */
  #ready = new Map();

  /**
   * @param {typeof import("./api.js")} api
   * @param {(quietly?: boolean) => Wanted | null} wanted null while the take is being played, which is said unless quietly
   * @param {Pick<import("./main.js").App, "say" | "fail">} tell
   * @param {readonly Record<string, any>[]} maps of drums
   * @param {readonly {kind: string}[]} missing kinds of files that the server cannot read
   */
  constructor(api, wanted, tell, maps, missing) {
    this.api = api;
    this.wanted = wanted;
    this.tell = tell;
    this.map = menu("drum-map", maps.map(({ id, about }) => [id, about ? `${id}: ${about}` : id]), maps[0]?.id ?? "", () => {});
    this.count = menu("save-count", COUNTS.map((bars) => [bars, t(`save.count.${bars}`)]), 0, () => {});
    this.click = h("input", { type: "checkbox", id: "save-click" });
    const there = FORMATS.filter((format) => !missing.some(({ kind }) => kind === NEEDS[format]));
    this.root = h(
      "details",
      { class: "menu" },
      h("summary", { class: "button primary", id: "download" }, sign("save"), t("save.open")),
      h(
        "div",
        { class: "menu-body" },
        h("label", { class: "field" }, h("span", {}, t("save.map")), this.map, h("span", { class: "meaning" }, t("save.map.what"))),
        h("div", { class: "field save-session" }, h("label", { class: "inline" }, t("save.count"), this.count), check(this.click, t("save.click"))),
        ...there.map((format) => this.#item(format)),
        h("details", { class: "more" }, h("summary", {}, t("save.daws")), h("dl", { class: "daws" }, ...DAWS.flatMap((daw) => [h("dt", {}, t(`save.daw.${daw}`)), h("dd", { class: "meaning" }, t(`save.daw.${daw}.what`))]))),
      ),
    ); // prettier-ignore
  }

  /** @param {Format} format */
  #item(format) {
    const made = h(
      "button",
      { class: "menu-item", onclick: () => this.#save(format, made) },
      h("strong", {}, t(`save.${format}`)),
      h("span", { class: "meaning" }, t(`save.${format}.what`)),
    );
    made.dataset.format = format;
    if (!isDraggedOut() || SLOW.has(format)) return made;
    made.title = t("save.drag");
    let away = true; // a menu that scrolls passes below the pointer: only the file that it rests on is made
    const rest = () => {
      away = false;
      this.#turn = this.#turn.then(() => (away ? undefined : this.#prepare(format, made)));
    };
    for (const name of ["pointerenter", "focus"]) made.addEventListener(name, rest);
    for (const name of ["pointerleave", "blur"]) made.addEventListener(name, () => (away = true));
    made.addEventListener("dragstart", (event) => this.#drag(event, made));
    return made;
  }

  /** @returns {How} */
  get #how() {
    return { drums: this.map.value || "gm", countIn: Number(this.count.value), click: this.click.checked };
  }

  // --- clicked -------------------------------------------------------------------------------------------------------

  /** Start a download, unless it is already pending. @param {Format} format @param {HTMLButtonElement} button */
  #save(format, button) {
    const wanted = this.wanted();
    const how = this.#how;
    const key = JSON.stringify(how);
    if (!wanted || this.#due.some((one) => one.format === format && one.how === key && one.take === wanted.take)) return;
    const due = { format, how: key, take: wanted.take };
    this.#due.push(due);
    button.ariaBusy = "true";
    this.#turn = this.#turn.then(async () => {
      const done = SLOW.has(format) ? this.tell.say(t("save.making"), { kind: "work" }) : () => {};
      await this.#made(format, wanted, how).then(({ blob, name }) => offer(blob, name), (error) => this.tell.fail(error));
      done();
      this.#due = this.#due.filter((one) => one !== due);
      button.ariaBusy = String(this.#due.some((one) => one.format === format));
    });
  }

  /** @param {Format} format @param {Wanted} wanted @param {How} how @returns {Promise<Made>} */
  async #made(format, { file, song, take, config }, { drums, countIn, click }) {
    const isPlain = drums === "gm" && !take.edits.length; // a file is on the notes of its map
    if (format === "midi" && isPlain && take.midi && !countIn && !click) {
      return { blob: new Blob([/** @type {BlobPart} */ (take.midi)], { type: "audio/midi" }), name: `${stem(file.name)}.drums.mid` };
    }
    const what = isPlain && take.midi ? { midi: take.midi } : { hits: [...sounding(take.played, take.edits)] };
    const drawn = format === "picture" && take.plan ? { plan: take.plan } : {};
    return this.api.render(SOUND.has(format) ? file : song, what, { ...config, ...drawn, drumMap: drums, countIn, click }, format);
  }

  // --- dragged -------------------------------------------------------------------------------------------------------

  /** Make a file as soon as somebody points at it: when it is dragged, it must be there. @param {Format} format @param {HTMLButtonElement} button */
  async #prepare(format, button) {
    const [wanted, how] = [this.wanted(true), JSON.stringify(this.#how)];
    const known = this.#ready.get(button);
    if (!wanted || (known?.take === wanted.take && known.how === how)) return;
    button.draggable = false;
    const made = await this.#made(format, wanted, this.#how).catch(() => null); // a click says what is wrong
    if (!made) return;
    if (known) URL.revokeObjectURL(known.url);
    this.#ready.set(button, { take: wanted.take, how, url: URL.createObjectURL(made.blob), made });
    button.draggable = true;
  }

  /** @param {DragEvent} event @param {HTMLButtonElement} button */
  #drag(event, button) {
    const ready = this.#ready.get(button);
    if (!ready || !event.dataTransfer) return;
    const { url, made } = ready;
    event.dataTransfer.setData("DownloadURL", `${made.blob.type}:${made.name.replaceAll(":", "_")}:${url}`);
    event.dataTransfer.effectAllowed = "copy";
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
