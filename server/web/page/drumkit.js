/** A drawing of the kit: its pieces light when they are struck; a click on one mutes it, plays it alone, or leaves it out. */

import { fill, h, made } from "./dom.js";
import { family } from "./places.js";
import { before } from "./schedule.js";
import { t } from "./words.js";

/** @typedef {import("./cards.js").Stroke} Stroke */
/**
 * @typedef {object} Deeds
 * @property {(piece: string, velocity: number) => void} hear
 * @property {(pieces: readonly string[], on: boolean) => void} mute
 * @property {(pieces: readonly string[], on: boolean) => void} solo
 * @property {(pieces: readonly string[], on: boolean) => void} leaveOut never play them
 * @property {(pieces: readonly string[], other: string) => void} replace play another piece in their place; "": none
 */
/** @typedef {{muted: ReadonlySet<string>, solo: ReadonlySet<string>, without: ReadonlySet<string>, instead: ReadonlyMap<string, string>}} State */
/** @typedef {{name: string, pieces: readonly string[], x: number, y: number, w: number, h: number}} Drum pieces: of the kit that are played on it */

/** From the back to the front, as the audience sees it. @type {readonly Drum[]} */
const DRUMS = [
  { name: "crash", pieces: ["crash"], x: 262, y: 34, w: 43, h: 12 },
  { name: "ride", pieces: ["ride", "bell"], x: 48, y: 44, w: 46, h: 13 },
  { name: "high tom", pieces: ["high tom"], x: 196, y: 58, w: 27, h: 15 },
  { name: "mid tom", pieces: ["mid tom"], x: 132, y: 58, w: 29, h: 16 },
  { name: "kick", pieces: ["kick"], x: 164, y: 118, w: 42, h: 42 },
  { name: "low tom", pieces: ["low tom"], x: 82, y: 106, w: 36, h: 21 },
  { name: "snare", pieces: ["snare", "side stick", "clap"], x: 244, y: 104, w: 33, h: 15 },
  { name: "closed hat", pieces: ["closed hat", "open hat", "pedal hat"], x: 300, y: 82, w: 30, h: 9 },
];
/** What may play in place of a drum. */
const OTHERS = [...DRUMS.map(({ name }) => name), "side stick", "open hat", "bell", "clap", "cowbell", "tambourine", "shaker", "block"];
/** Those of a drum's pieces that another piece can play: not the stick on its rim, nor the foot. @param {Drum} drum */
const byHand = ({ name, pieces }) => (name === "snare" ? [name] : pieces.filter((piece) => piece !== "pedal hat"));
const [WIDE, HIGH] = [336, 168];
const FADES = 260; // milliseconds
const USUAL = 96;

export class Drumkit {
  #deeds;
  /** @type {Map<string, SVGElement>} */
  #lights = new Map();
  /** @type {Map<string, Element>} */
  #drums = new Map();
  /** @type {readonly Stroke[]} */
  #hits = [];
  #at = 0;
  /** @type {Drum | null} */
  #open = null;
  /** @type {State} */
  #state = { muted: new Set(), solo: new Set(), without: new Set(), instead: new Map() };

  /** @param {Deeds | null} deeds null: the kit is only to be seen */
  constructor(deeds) {
    this.#deeds = deeds;
    const svg = made("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "kit", role: deeds ? "group" : "img", "aria-label": t("kit.label") });
    for (const drum of DRUMS) svg.append(this.#drum(drum));
    this.menu = h("div", { class: "kit-menu", hidden: true });
    this.root = h("section", { class: "drumkit", "aria-label": t("kit.label") }, svg, this.menu);
  }

  /** @param {readonly Stroke[]} hits in order @param {State} state */
  show(hits, state) {
    this.#hits = hits;
    this.#state = state;
    const { muted, solo, without, instead } = state;
    for (const drum of DRUMS) {
      const off = this.#is(drum, without) ? "without" : (solo.size ? !this.#is(drum, solo) : this.#is(drum, muted)) ? "silent" : "";
      const element = this.#drums.get(drum.name);
      element?.setAttribute("class", `drum ${off}`);
      if (this.#deeds) element?.setAttribute("aria-label", t(`piece.${drum.name}`) + (off ? `: ${t(`kit.${off}`)}` : instead.has(drum.name) ? `: ${t("kit.by", { piece: t(`piece.${instead.get(drum.name)}`) })}` : ""));
    }
    this.#tell();
  }

  /** Light what was struck since the last call. @param {number} quarter @param {boolean} playing */
  at(quarter, playing) {
    const from = this.#at;
    this.#at = quarter;
    if (!playing || quarter <= from || quarter - from > 1) return;
    for (let index = before(this.#hits, from); index < this.#hits.length && this.#hits[index].quarter < quarter; index++) {
      const { piece, velocity } = this.#hits[index];
      this.#lights.get(piece)?.animate([{ opacity: 0.25 + (0.75 * velocity) / 127 }, { opacity: 0 }], FADES);
    }
  }

  /** @param {Drum} drum @param {ReadonlySet<string>} among */
  #is = ({ pieces }, among) => pieces.every((piece) => among.has(piece));

  /** @param {Drum} drum */
  #drum(drum) {
    const { name, pieces, x, y, w, h: high } = drum;
    const group = made("g", { class: "drum", "data-drum": name });
    const shell = { cx: x, cy: y, rx: w, ry: high };
    const isTom = family(name) === "tom" || name === "snare";
    if (isTom) group.append(made("path", { class: "shell", d: `M${x - w} ${y}v${high}a${w} ${high} 0 0 0 ${2 * w} 0v${-high}z` }));
    else if (name !== "kick") group.append(made("path", { class: "stand", d: `M${x} ${y}V${HIGH}` }));
    const light = made("ellipse", { class: `light hit-${family(name)}`, ...shell, opacity: 0 });
    group.append(made("ellipse", { class: "skin", ...shell }), light, made("ellipse", { class: "rim", ...shell }));
    for (const piece of pieces) this.#lights.set(piece, light);
    this.#drums.set(name, group);
    const deeds = this.#deeds;
    if (!deeds) return group;
    for (const [attribute, value] of Object.entries({ role: "button", tabindex: "0", "aria-label": t(`piece.${name}`), "aria-expanded": "false" })) group.setAttribute(attribute, value);
    const open = () => {
      deeds.hear(pieces[0], USUAL);
      this.#open = this.#open === drum ? null : drum;
      this.#tell();
      if (this.#open) this.menu.scrollIntoView({ block: "nearest" });
    };
    group.addEventListener("click", open);
    group.addEventListener("keydown", (event) => {
      const { key } = /** @type {KeyboardEvent} */ (event);
      if (key !== "Enter" && key !== " ") return;
      event.preventDefault();
      event.stopPropagation();
      open();
    });
    return group;
  }

  /** What can be done with the drum that was clicked. */
  #tell() {
    const [drum, deeds] = [this.#open, this.#deeds];
    if (!deeds) return;
    for (const { name } of DRUMS) this.#drums.get(name)?.setAttribute("aria-expanded", String(name === drum?.name));
    this.menu.hidden = !drum;
    if (!drum) return;
    const focused = /** @type {HTMLElement | null} */ (this.menu.contains(document.activeElement) ? document.activeElement : null)?.dataset.deed;
    const button = (/** @type {"mute" | "solo" | "leaveOut"} */ deed, /** @type {ReadonlySet<string>} */ among) => {
      const on = this.#is(drum, among);
      const made = h("button", { class: "button toggle", "aria-pressed": String(on), onclick: () => deeds[deed](drum.pieces, !on) }, t(`kit.${deed}`));
      made.dataset.deed = deed;
      return made;
    };
    const { muted, solo, without, instead } = this.#state;
    const buttons = [button("solo", solo), button("mute", muted), button("leaveOut", without)];
    const options = OTHERS.filter((piece) => !drum.pieces.includes(piece) && !without.has(piece)).map((piece) => h("option", { value: piece }, t(`piece.${piece}`)));
    const other = h("select", { id: "kit-instead", onchange: () => deeds.replace(byHand(drum), other.value) }, h("option", { value: "" }, t("kit.itself")), ...options);
    other.dataset.deed = "replace";
    other.value = instead.get(drum.name) ?? "";
    fill(this.menu, h("strong", {}, t(`piece.${drum.name}`)), ...buttons, h("label", {}, t("kit.instead"), " ", other));
    if (focused === "replace") other.focus();
    buttons.find((one) => one.dataset.deed === focused)?.focus();
  }
}
