/** The view of a song: its name and guitar, the takes, the picture with explanations, and the options. */

import { drawing, typical } from "./cards.js";
import { check, fill, h, menu, named, sign } from "./dom.js";
import { grooveName } from "./groove_names.js";
import { signs } from "./edits.js";
import { GRIDS } from "./places.js";
import { Right } from "./right.js";
import { barAt } from "./schedule.js";
import { has } from "./spans.js";
import { said, t } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./edits.js").Take} Take */
/**
 * @typedef {object} Parts The parts of the view.
 * @property {import("./roll.js").Roll} roll
 * @property {import("./transport.js").Transport} transport
 * @property {import("./downloads.js").Downloads} downloads
 * @property {import("./asking.js").Asking} asking
 * @property {import("./drummers.js").DrummerMenu} drummer
 */
/**
 * @typedef {object} Deeds
 * @property {() => void} leave
 * @property {() => void} changed the picture's display options have changed
 * @property {(quarter: number) => void} seek
 * @property {() => number} place the position of the sound, in quarters
 */

const HIGH = 1100; // pixels: window height with room for all explanations

export class Stage {
  /** Places a quarter; 0: from the hits. */
  grid = 0;
  /** Whether every piece has a row. */
  all = false;
  #session;
  #parts;
  #seek;
  #told = "";
  /** @type {readonly string[]} */
  #looks = [];

  /** @param {Session} session @param {Parts} parts @param {Deeds} deeds */
  constructor(session, parts, deeds) {
    this.#session = session;
    this.#parts = parts;
    this.#seek = deeds.seek;
    const { roll, transport, downloads, asking, drummer } = parts;
    const { form, panel, kit } = asking;
    this.name = h("h1", { class: "song-name" });
    this.right = new Right(session, deeds.place);
    this.takes = h("div", { id: "takes", class: "tabs", role: "tablist", "aria-label": t("take.list"), onkeydown: (/** @type {KeyboardEvent} */ event) => this.#tabKey(event) });
    this.others = button("others", () => session.others(), sign("dice"), t("take.others"));
    this.anew = button("anew", () => void session.anew(), sign("lock"), t("take.anew"));
    this.undo = small("undo", t("song.undo"), () => session.undo(), sign("undo"));
    this.redo = small("redo", t("song.redo"), () => session.redo(), sign("undo"));
    this.redo.classList.add("mirrored");
    this.words = h("p", { class: "words" });
    this.allWords = h("ol", { class: "all-words" });
    this.progress = h("div", { class: "progress" });
    const ask = button("ask", () => this.opened(true), sign("sliders"), t("panel.label"));
    const grids = GRIDS.map((count) => /** @type {const} */ ([count, t(`roll.grid.${count}`)]));
    const grid = menu("grid", [[0, t("roll.grid.auto")], ...grids], 0, (count) => ((this.grid = Number(count)), deeds.changed()));
    const rows = h("input", { type: "checkbox", id: "all-pieces", onchange: () => ((this.all = rows.checked), deeds.changed()) });
    this.root = h(
      "section",
      { class: "stage", hidden: true },
      h("header", { class: "songbar" },
        h("div", { class: "song-title" }, this.name),
        this.right.root,
        h("div", { class: "row" }, drummer.root, button("leave", deeds.leave, t("song.leave")), downloads.root)),
      h("div", { class: "work" },
        h("section", { class: "desk", "aria-label": t("roll.label") },
          h("div", { class: "row takes" }, this.takes, h("div", { class: "row" }, this.others, this.anew, this.undo, this.redo, ask)),
          form.root,
          h("div", { id: "take-panel", role: "tabpanel", "aria-label": t("take.panel") }, this.progress, roll.root),
          h("div", { class: "below" }, kit.root,
            h("div", { class: "told" },
              h("div", { class: "row under" }, roll.status, h("span", { class: "gap" }),
                h("label", { class: "inline" }, t("roll.grid"), grid), check(rows, t("roll.all")),
                h("span", { class: "row zoom" }, small("out", t("roll.out"), () => roll.zoom(-1), "−"), small("in", t("roll.in"), () => roll.zoom(1), "+"))),
              this.words,
              h("details", { class: "more", open: innerHeight > HIGH }, h("summary", {}, t("song.words")), this.allWords),
              h("details", { class: "more" }, h("summary", {}, t("roll.help")), h("p", { class: "meaning", id: "roll-keys" }, t("roll.keys")))))),
        panel.root),
      transport.root,
    ); // prettier-ignore
  }

  /** Show the analysis of the file. @param {string} name */
  open(name) {
    this.name.textContent = name;
    this.right.show();
  }

  /** Whether the panel is open where it comes from below. @param {boolean} on */
  opened(on) {
    this.#parts.asking.panel.root.classList.toggle("open", on);
    if (!on) return;
    const { panel, form } = this.#parts.asking;
    panel.grooves.drawn();
    if (getComputedStyle(panel.root).position === "fixed") form.root.scrollIntoView({ block: "start" });
  }

  /** @param {import("./paint.js").Picture} picture @param {ReadonlySet<string>} solo soloed pieces */
  show(picture, solo) {
    const { analysis, take, busy, made, canUndo, canRedo } = this.#session;
    if (!analysis) return;
    const { timeline, bars } = analysis;
    this.#parts.roll.show(picture, timeline.ticksPerQuarter, solo);
    this.#parts.transport.show(picture, timeline.tempos);
    this.right.show();
    this.#tabs();
    this.undo.disabled = !canUndo;
    this.redo.disabled = !canRedo;
    this.others.disabled = !take;
    this.anew.hidden = !take?.locks.length;
    this.anew.disabled = busy || take?.locks.length === bars.length;
    this.progress.classList.toggle("idle", !busy);
    this.progress.style.setProperty("--share", `${(100 * made) / Math.max(1, bars.length)}%`);
  }

  #tabs() {
    const { doc, analysis } = this.#session;
    const looks = [String(doc.chosen), ...doc.takes.map(({ seed, edits, locks, midi, played }) => `${seed} ${edits.length} ${locks.length} ${midi ? played.length : "…"}`)];
    if (looks.join("\n") === this.#looks.join("\n")) return;
    this.#looks = looks;
    const tabs = doc.takes.map((take, index) => {
      const { seed, edits, locks, grooves, midi, explanations } = take;
      const on = index === doc.chosen;
      const [first] = grooves;
      const fills = [...signs(explanations).values()].filter((sign) => sign === "fill").length;
      const told = midi ? t(fills === 1 ? "take.fill" : "take.fills", { fills }) : t("take.making");
      const { hits, bar } = typical(midi ? take.played : [], analysis?.bars ?? []);
      const made = h(
        "button",
        {
          class: "tab", role: "tab", "aria-selected": String(on), tabIndex: on ? 0 : -1, "aria-controls": "take-panel",
          title: `${[...new Set(grooves.map(({ title }) => title))].join("; ")} (${t("take.seed", { seed })})`, onclick: () => this.#session.choose(index),
        },
        h("span", { class: "tab-beat" }, drawing(hits, bar)),
        h("span", { class: "tab-name" }, h("strong", {}, t("take.name", { number: index + 1 }) + (edits.length ? " *" : "")), " ", locks.length > 0 && sign("lock"), h("span", { class: "meaning" }, told)),
        h("span", { class: "meaning" }, midi && first ? grooveName(first.title) : ""),
      ); // prettier-ignore
      made.dataset.take = String(index + 1);
      return made;
    });
    const focused = this.takes.contains(document.activeElement);
    fill(this.takes, ...tabs);
    if (focused) tabs[doc.chosen]?.focus();
  }

  /** @param {KeyboardEvent} event */
  #tabKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    const { doc } = this.#session;
    if (!step) return;
    event.preventDefault();
    this.#session.choose((doc.chosen + step + doc.takes.length) % doc.takes.length);
  }

  /** All explanations of the take, each with a link to its bars. */
  tellAll() {
    const { take, analysis } = this.#session;
    const told = (take?.explanations ?? []).map((explanation) => {
      const { firstBar, lastBar } = explanation;
      const bars = firstBar === lastBar ? t("song.bar", { bar: firstBar }) : t("song.bars", { first: firstBar, last: lastBar });
      const go = () => {
        const quarter = analysis?.bars[firstBar - 1]?.quarter ?? 0;
        this.#seek(quarter);
        this.#parts.roll.reveal(quarter);
      };
      return h("li", {}, h("button", { class: "link", onclick: go }, bars), ` ${said(explanation)}`);
    });
    fill(this.allWords, ...told);
    this.#told = "";
  }

  /** The explanation of the current bar. @param {number} quarter */
  tell(quarter) {
    const { take, analysis } = this.#session;
    const bar = barAt(analysis?.bars ?? [], quarter)?.number ?? 1;
    const here = (take?.explanations ?? []).filter((one) => has(one, bar));
    const text = here.length ? t("song.word", { bar, text: here.map(said).join("; ") }) : "";
    if (text !== this.#told) this.words.textContent = this.#told = text;
  }
}

/** @param {string} id @param {() => void} onclick @param {...(Node | string)} children */
const button = (id, onclick, ...children) => h("button", { id, class: "button", onclick }, ...children);

/** A button with an icon alone. @param {string} id @param {string} label @param {() => void} onclick @param {Node | string} child */
const small = (id, label, onclick, child) => h("button", { id, class: "button quiet", ...named(label), onclick }, child);
