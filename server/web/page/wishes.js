/** What else can be asked of the whole song: the options that the panel has no better control for, each with its explanation. */

import { LEVELS } from "./address.js";
import { coloured, ends, field, h, menu, sign } from "./dom.js";
import { OPTIONS } from "./options.js";
import { t } from "./words.js";

/** @typedef {import("./address.js").Wishes} Wishes */

const STEP = 0.05;

export class WishPanel {
  /** @type {Wishes} */
  #wishes = {};
  /** @type {Map<string, (value: string | number | undefined) => void>} */
  #fields = new Map();
  #changed;

  /**
   * @param {readonly string[]} styles
   * @param {number} mostTakes
   * @param {(wishes: Wishes, name: string) => void} changed
   */
  constructor(styles, mostTakes, changed) {
    this.#changed = changed;
    /** Those that are no slider and no menu of their own words. @type {Record<string, () => HTMLElement>} */
    const special = {
      style: () => this.#menu("style", styles, (name) => name),
      seed: () => this.#number("seed"),
      enter: () => this.#number("enter"),
      takes: () => this.#takes(mostTakes),
    };
    const field = (/** @type {import("./options.js").Option} */ { name, words }) =>
      special[name]?.() ?? (words ? this.#menu(name, words, (word) => t(`wish.${name}.${word}`)) : this.#level(name));
    const shown = OPTIONS.filter(({ isInPanel }) => !isInPanel);
    this.root = h(
      "details",
      { class: "more" },
      h("summary", {}, t("wish.more")),
      h("div", { class: "wishes" }, ...shown.map(field)),
    );
  }

  /** Show the options. @param {Wishes} wishes */
  show(wishes) {
    this.#wishes = wishes;
    for (const [name, field] of this.#fields) field(/** @type {Record<string, string | number>} */ (/** @type {unknown} */ (wishes))[name]);
  }

  /** @param {string} name @param {string | number | undefined} value */
  #set(name, value) {
    const next = { ...this.#wishes, [name]: value };
    if (value === undefined) delete (/** @type {Record<string, unknown>} */ (next)[name]);
    this.#wishes = next;
    this.#changed(next, name);
  }

  /** @param {string} name @param {readonly string[]} words @param {(word: string) => string} label */
  #menu(name, words, label) {
    const all = words.map((word) => /** @type {const} */ ([word, label(word)]));
    const select = menu(name, [["", t("wish.decides")], ...all], "", (word) => this.#set(name, word || undefined), { "aria-describedby": `${name}-what` });
    this.#fields.set(name, (value) => (select.value = String(value ?? "")));
    return field(t(`wish.${name}`), select, what(name));
  }

  /** @param {string} name */
  #level(name) {
    const [least, most] = LEVELS[name];
    const output = h("output", { htmlFor: name });
    const field = h("div", { class: "field level" });
    const range = h("input", {
      type: "range", id: name, min: String(least), max: String(most), step: String(STEP), "aria-describedby": `${name}-what`,
      oninput: () => tell(Number(range.value)),
      onchange: () => this.#set(name, Number(range.value)),
    }); // prettier-ignore
    const reset = h(
      "button",
      {
        class: "reset", title: t("wish.let"), "aria-label": `${t(`wish.${name}`)}: ${t("wish.let")}`,
        onclick: () => (tell(undefined), this.#set(name, undefined), range.focus()),
      },
      "×",
    ); // prettier-ignore
    const tell = (/** @type {number | undefined} */ value) => {
      field.classList.toggle("decides", value === undefined);
      output.textContent = value === undefined ? t("wish.decides") : value.toFixed(2).replace(/0$/, "");
      reset.hidden = value === undefined;
      if (value === undefined) range.value = String((least + most) / 2);
      range.setAttribute("aria-valuetext", output.textContent ?? "");
      coloured(range);
    };
    this.#fields.set(name, (value) => {
      if (value !== undefined) range.value = String(value);
      tell(value === undefined ? undefined : Number(value));
    });
    field.append(
      h("div", { class: "field-top" }, h("label", { htmlFor: name }, t(`wish.${name}`)), output, reset),
      range,
      ends(t(`wish.${name}.least`), t(`wish.${name}.most`)),
      what(name),
    );
    return field;
  }

  /** A whole number. @param {"enter" | "seed"} name */
  #number(name) {
    const input = h("input", {
      id: name, inputMode: "numeric", pattern: "[0-9]*", maxLength: 19, placeholder: name === "seed" ? "0" : "1", "aria-describedby": `${name}-what`,
      onchange: () => this.#set(name, /^\d+$/.test(input.value) ? input.value : undefined),
    }); // prettier-ignore
    this.#fields.set(name, (value) => (input.value = String(value ?? "")));
    return field(name === "seed" ? h("span", {}, sign("dice"), t("wish.seed")) : t(`wish.${name}`), input, what(name));
  }

  /** @param {number} most */
  #takes(most) {
    const words = Array.from({ length: most }, (_, index) => /** @type {const} */ ([index + 1, `${index + 1}`]));
    const select = menu("takes-wanted", words, 1, (takes) => this.#set("takes", Number(takes)));
    this.#fields.set("takes", (value) => (select.value = String(value ?? 1)));
    return field(t("wish.takes"), select, what("takes"));
  }
}

/** What an option means. @param {string} name */
const what = (name) => h("p", { class: "meaning", id: `${name}-what` }, t(`wish.${name}.what`));
