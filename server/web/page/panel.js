/** What one asks of a section, of some bars, or of the whole song: how full and loud, on what, which groove, a fill, no drums. */

import { withOwn } from "./address.js";
import { fill, follow, h, menu, named, press, sign } from "./dom.js";
import { Grooves } from "./grooves.js";
import { OPTIONS } from "./options.js";
import { isSame, placedOf, textOf, valueIn, withValue } from "./spans.js";
import { t } from "./words.js";

/** @typedef {import("./address.js").Wishes} Wishes */
/** @typedef {import("./spans.js").Span} Span */
/** @typedef {import("./spans.js").Section} Section */
/** @typedef {import("./grooves.js").Groove} Groove */
/**
 * @typedef {object} Deeds
 * @property {(wishes: Wishes, spans?: readonly Span[]) => void} wish spans: the bars that it is about
 * @property {(spans: readonly Span[]) => void} again play these bars again
 * @property {(name: string) => void} rename
 * @property {() => void} split at the bar that sounds
 * @property {() => void} join with the next section
 * @property {() => void} close
 * @property {import("./grooves.js").Audition} audition
 */
/** @typedef {{wishes: Wishes, span: Span | null, sections: readonly Section[], bars: number, isBusy: boolean}} Shown */

const FLAG = ""; // the value of a place whose bars alone are the wish
/** The wish for the whole song, and that for places. */
const PLACED = /** @type {const} */ ({ intensity: "intensity_places", complexity: "complexity_places", time: "time_places", percussion: "percussion_places", groove: "groove_places" });

/** @param {keyof import("./options.js").Values} of an option */
function wordsOf(of) {
  return OPTIONS.find(({ name }) => name === of)?.words ?? [];
}

/** What can be chosen for percussion: as usual, none, or an instrument. */
const PERCUSSION = ["", "none", ...wordsOf("percussion")];

export class Panel {
  /** @type {Shown} */
  #now = { wishes: {}, span: null, sections: [], bars: 1, isBusy: false };
  #every = false; // whether a wish is for all sections of the name
  #deeds;

  /** @param {Deeds} deeds @param {HTMLElement} more what else can be asked of the whole song */
  constructor(deeds, more) {
    this.#deeds = deeds;
    this.pad = new Pad(
      [
        { id: "complexity", name: t("wish.complexity"), least: t("panel.simple"), most: t("panel.busy") },
        { id: "intensity", name: t("wish.intensity"), least: t("panel.soft"), most: t("panel.loud") },
      ],
      (values) => this.#numbers(values),
    );
    this.name = h("input", { id: "section-name", class: "section-name", maxLength: 40, "aria-label": t("panel.name"), onchange: () => deeds.rename(this.name.value) });
    this.title = h("h2", { class: "panel-title" });
    this.facts = h("p", { class: "meaning" });
    this.time = choice("time", t("wish.time"), [["", t("panel.fits")], ...wordsOf("time").map((word) => /** @type {const} */ ([word, t(`wish.time.${word}`)]))], (value) => this.#set("time", value || undefined)); // prettier-ignore
    this.percussion = menu("percussion", PERCUSSION.map((word) => [word, word && t(word === "none" ? "panel.none" : `wish.percussion.${word}`)]), "", (word) => this.#set("percussion", word || undefined)); // prettier-ignore
    this.fill = choice("fill-before", t("panel.fill"), [["", t("panel.fits")], ["fill", t("panel.fill.yes")], ["plain", t("panel.fill.no")]], (value) => this.#fill(value)); // prettier-ignore
    this.scope = choice("scope", t("panel.scope"), [["", t("panel.this")], ["every", ""]], (value) => ((this.#every = value === "every"), this.show(this.#now))); // prettier-ignore
    this.half = toggle("half-time", t("panel.half"), () => this.#flag("half_time"));
    this.out = toggle("drums-out", t("panel.out"), () => this.#flag("out"));
    this.grooves = new Grooves({ choose: (groove) => this.#set("groove", groove?.name), own: (beat) => this.#own(beat), audition: deeds.audition });
    this.again = h("button", { id: "again", class: "button wide", onclick: () => deeds.again(this.#spans()) }, sign("dice"), t("panel.again"));
    this.shape = h("div", { class: "row" },
      h("button", { id: "split", class: "button quiet", onclick: deeds.split }, t("panel.split")),
      h("button", { id: "join", class: "button quiet", onclick: deeds.join }, t("panel.join"))); // prettier-ignore
    this.more = more;
    const close = h("button", { id: "panel-close", class: "button quiet", ...named(t("panel.close")), onclick: deeds.close }, sign("close"));
    this.root = h(
      "aside",
      { class: "panel side", "aria-label": t("panel.label") },
      h("header", { class: "panel-head" }, h("div", { class: "panel-name" }, this.title, this.name, this.facts), close),
      this.scope.root,
      this.pad.root,
      this.time.root,
      h("div", { class: "choice" }, h("label", { htmlFor: "percussion" }, t("wish.percussion")), this.percussion),
      this.fill.root,
      h("div", { class: "pair" }, this.half, this.out),
      this.again,
      this.grooves.root,
      this.shape,
      this.more,
    ); // prettier-ignore
  }

  /** @param {Shown} now */
  show(now) {
    if (now.span?.firstBar !== this.#now.span?.firstBar) this.#every = false;
    this.#now = now;
    const { wishes, span, sections, bars, isBusy } = now;
    const section = span && sections.find((one) => isSame(one, span));
    const alike = section ? sections.filter(({ name }) => name === section.name).length : 0;
    this.title.hidden = Boolean(section);
    this.name.hidden = !section;
    this.title.textContent = span ? barsOf(span) : t("panel.whole");
    if (section && document.activeElement !== this.name) this.name.value = section.name;
    this.facts.textContent = section ? barsOf(section) : t(span ? "panel.only" : "panel.all");
    this.scope.root.hidden = alike < 2;
    this.scope.name("every", t("panel.every", { name: section?.name ?? "", count: alike }));
    this.scope.show(this.#every ? "every" : "");
    const number = (/** @type {"intensity" | "complexity"} */ name) => {
      const placed = span && this.#value(PLACED[name]);
      return span ? (placed === undefined || placed === null ? undefined : Number(placed)) : wishes[name];
    };
    this.pad.show([number("complexity"), number("intensity")]);
    this.time.show(String((span ? this.#value("time_places") : wishes.time) ?? ""));
    const [usual, none] = /** @type {HTMLOptionElement[]} */ ([...this.percussion.options]);
    usual.textContent = t(span ? "panel.song" : "panel.none");
    none.hidden = !span; // for the whole song, that is usual
    this.percussion.value = String((span ? this.#value("percussion_places") : wishes.percussion) ?? "");
    this.fill.root.hidden = !span;
    if (span) this.fill.show(this.#fillNow());
    press(this.half, span ? this.#value("half_time") !== undefined : wishes.half_time === "all");
    press(this.out, Boolean(span) && this.#value("out") !== undefined);
    this.out.hidden = !span;
    this.again.hidden = !span;
    this.again.disabled = isBusy || (span !== null && this.#value("out") !== undefined);
    this.root.classList.toggle("whole", !span);
    this.shape.hidden = !section;
    /** @type {HTMLButtonElement} */ (this.shape.lastElementChild).disabled = !section || section.lastBar >= bars;
    const groove = String((span ? this.#value("groove_places") : wishes.groove) ?? "");
    this.grooves.show(groove, (span ? wishes.own?.[groove]?.title : wishes.beat?.title) ?? "");
    this.more.hidden = Boolean(span);
  }

  /** The bars that a wish is about. @returns {Span[]} */
  #spans() {
    const { span, sections, bars } = this.#now;
    if (!span) return [{ firstBar: 1, lastBar: bars }];
    const section = sections.find((one) => isSame(one, span));
    return section && this.#every ? sections.filter(({ name }) => name === section.name) : [span];
  }

  /** @param {keyof Wishes} name @param {Span} [span] */
  #value(name, span = /** @type {Span} */ (this.#now.span)) {
    return valueIn(placedOf(/** @type {string | undefined} */ (this.#now.wishes[name]), this.#now.sections), span);
  }

  /** The text of a wish with another value in some bars. @param {keyof Wishes} name @param {readonly Span[]} spans @param {string | undefined} value */
  #text(name, spans, value) {
    let placed = placedOf(/** @type {string | undefined} */ (this.#now.wishes[name]), this.#now.sections);
    for (const span of spans) placed = withValue(placed, span, value);
    return textOf(placed) || undefined;
  }

  /** @param {Record<string, string | number | undefined>} changes of wishes @param {readonly Span[]} [spans] */
  #wish(changes, spans) {
    const wishes = /** @type {Record<string, unknown>} */ ({ ...this.#now.wishes, ...changes });
    for (const name of Object.keys(wishes)) if (wishes[name] === undefined) delete wishes[name];
    this.#deeds.wish(wishes, spans);
  }

  /** @param {keyof typeof PLACED} name @param {string | number | undefined} value */
  #set(name, value) {
    const spans = this.#spans();
    if (this.#now.span) this.#wish({ [PLACED[name]]: this.#text(PLACED[name], spans, value === undefined ? undefined : String(value)) }, spans);
    else this.#wish({ [name]: value, ...(name === "groove" ? { beat: undefined } : {}) });
  }

  /** A groove out of a file. @param {import("./address.js").Beat} beat */
  #own(beat) {
    const { wishes, span, sections } = this.#now;
    if (!span) return this.#deeds.wish({ ...wishes, beat, groove: undefined });
    const spans = this.#spans();
    return this.#deeds.wish(withOwn(wishes, beat, spans, sections), spans);
  }

  /** @param {Record<string, number>} values */
  #numbers(values) {
    const spans = this.#spans();
    if (!this.#now.span) return this.#wish(values);
    const texts = Object.entries(values).map(([name, value]) => {
      const placed = PLACED[/** @type {"intensity" | "complexity"} */ (name)];
      return [placed, this.#text(placed, spans, value === 0.5 ? undefined : String(value))];
    });
    return this.#wish(Object.fromEntries(texts), spans);
  }

  /** @param {"half_time" | "out"} name */
  #flag(name) {
    const spans = this.#spans();
    if (!this.#now.span) return this.#wish({ [name]: this.#now.wishes[name] === "all" ? undefined : "all" });
    return this.#wish({ [name]: this.#text(name, spans, this.#value(name) === undefined ? FLAG : undefined) }, spans);
  }

  /** Whether a fill is asked for in the last bar, or none. */
  #fillNow() {
    const { lastBar } = /** @type {Span} */ (this.#now.span);
    const last = { firstBar: lastBar, lastBar };
    if (this.#value("fill_at", last) !== undefined) return "fill";
    return this.#value("no_fills_in", last) === undefined ? "" : "plain";
  }

  /** @param {string} value */
  #fill(value) {
    const ends = this.#spans().map(({ lastBar }) => ({ firstBar: lastBar, lastBar }));
    const changes = { fill_at: this.#text("fill_at", ends, value === "fill" ? FLAG : undefined), no_fills_in: this.#text("no_fills_in", ends, value === "plain" ? FLAG : undefined) };
    // The crash after a fill comes and goes with it.
    this.#wish(changes, ends.map(({ lastBar }) => ({ firstBar: lastBar, lastBar: Math.min(this.#now.bars, lastBar + 1) }))); // prettier-ignore
  }
}

/** @param {Span} span */
const barsOf = ({ firstBar, lastBar }) => t(firstBar === lastBar ? "panel.bar" : "panel.bars", { first: firstBar, last: lastBar });

/** @param {string} id @param {string} name @param {() => void} onclick */
const toggle = (id, name, onclick) => h("button", { id, class: "button toggle", "aria-pressed": "false", onclick }, name);

/**
 * One of a few words.
 *
 * @param {string} id
 * @param {string} name
 * @param {readonly (readonly [string, string])[]} words values and their names
 * @param {(value: string) => void} changed
 */
function choice(id, name, words, changed) {
  const radios = words.map(([value]) => h("input", { type: "radio", class: "hidden-input", name: id, id: `${id}-${value || "auto"}`, value, onchange: () => changed(value) }));
  const labels = words.map(([, label], index) => h("label", {}, radios[index], h("span", {}, label)));
  const root = h("fieldset", { class: "choice" }, h("legend", {}, name), h("div", { class: "segments" }, ...labels));
  return {
    root,
    /** @param {string} value */
    show: (value) => radios.forEach((radio) => (radio.checked = radio.value === value)),
    /** @param {string} value @param {string} text */
    name: (value, text) => fill(/** @type {Element} */ (labels[words.findIndex(([one]) => one === value)].lastElementChild), text),
  };
}

// --- the pad ---------------------------------------------------------------------------------------------------------

/**
 * @typedef {object} Axis
 * @property {string} id
 * @property {string} name
 * @property {string} least the word at its low end
 * @property {string} most
 */

const STEP = 0.05;
const [X, Y] = [0, 1];

/** Two values at once, one across and one up. Its two sliders are for keys and for readers of the screen. */
class Pad {
  #axes;
  #changed;
  /** @type {HTMLInputElement[]} */
  #ranges;
  #dot = h("span", { class: "pad-dot" });

  /**
   * @param {readonly [Axis, Axis]} axes across, up; each from 0 to 1
   * @param {(values: Record<string, number>) => void} changed by the ids of the axes that have changed
   */
  constructor(axes, changed) {
    this.#axes = axes;
    this.#changed = changed;
    this.#ranges = axes.map(({ id, name }, at) =>
      h("input", { type: "range", id, class: "hidden-input", min: "0", max: "1", step: String(STEP), "aria-label": name, oninput: () => this.#draw(), onchange: () => this.#tell([at]) }),
    );
    const [across, up] = axes;
    const word = (/** @type {string} */ where, /** @type {string} */ text) => h("span", { class: `pad-word pad-${where}`, "aria-hidden": "true" }, text);
    this.root = h("div", { class: "pad", onpointerdown: (/** @type {PointerEvent} */ event) => this.#press(event) },
      word("low", up.least), word("high", up.most), word("left", across.least), word("right", across.most), this.#dot, ...this.#ranges); // prettier-ignore
  }

  /** @param {readonly (number | undefined)[]} values undefined: left to the drummer */
  show(values) {
    values.forEach((value, at) => {
      this.#ranges[at].value = String(value ?? 0.5);
    });
    this.root.classList.toggle("decides", values.every((value) => value === undefined));
    this.#draw();
  }

  #draw() {
    const [x, y] = this.#ranges.map((range) => Number(range.value));
    this.#dot.style.left = `${x * 100}%`;
    this.#dot.style.bottom = `${y * 100}%`;
    this.#ranges.forEach((range, at) => {
      const { least, most } = this.#axes[at];
      const value = Number(range.value);
      range.setAttribute("aria-valuetext", value === 0.5 ? "0.5" : `${value} ${value < 0.5 ? least : most}`);
    });
  }

  /** @param {readonly number[]} which axes */
  #tell(which) {
    this.#changed(Object.fromEntries(which.map((at) => [this.#axes[at].id, Number(this.#ranges[at].value)])));
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button) return;
    event.preventDefault();
    const before = this.#ranges.map((range) => range.value);
    const box = this.root.getBoundingClientRect();
    const set = (/** @type {PointerEvent} */ { clientX, clientY }) => {
      const shares = [(clientX - box.left) / box.width, (box.bottom - clientY) / box.height];
      shares.forEach((share, at) => {
        this.#ranges[at].value = String(share);
      });
      this.root.classList.remove("decides");
      this.#draw();
    };
    set(event);
    follow(this.root, event, set, () => this.#tell([X, Y].filter((at) => this.#ranges[at].value !== before[at])));
  }
}
