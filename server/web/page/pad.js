/** A pad: two values at once, one across and one up. Its two sliders are for keys and for readers of the screen. */

import { follow, h } from "./dom.js";

/**
 * @typedef {object} Axis
 * @property {string} id
 * @property {string} name
 * @property {string} least the word at its low end
 * @property {string} most
 */

const STEP = 0.05;
const [X, Y] = [0, 1];

export class Pad {
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
