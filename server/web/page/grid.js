/**
 * The grid of a bar: cells that are clicked, dragged and reached by keys. Knows nothing of sound.
 */

import { clamp } from "./basics.js";
import { h, isCommand, named, press } from "./dom.js";
import { VOICES, placeAt } from "./patterns.js";
import { family } from "./places.js";
import { t } from "./words.js";

/** @import {Grid} from "./patterns.js" */
/**
 * @typedef {object} Deeds Callbacks of the grid.
 * @property {(row: number, place: number, velocity: number) => void} strike a cell gets a velocity, 0 for none
 * @property {(piece: string) => void} hear
 * @property {(piece: string) => void} mute
 * @property {(piece: string) => void} solo
 */

const USUAL = 100;
const STEP = 12; // of velocity, by a key
const DRAG = 5; // pixels, before a click is a drag
const MOVES = /** @type {Record<string, [number, number]>} */ ({
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
});

/** A grid in an element. */
export class GridView {
  #deeds;
  /** @type {HTMLElement[][]} */
  #cells = [];
  /** @type {Grid} */
  #grid = [];
  #at = { row: VOICES.length - 1, place: 0 };
  #now = h("div", { class: "beat-now", "aria-hidden": "true", hidden: true });
  #table = h("div", { class: "beat-table", role: "grid" });
  #place = -1; // that is heard
  #buttons = new Map();
  /** @type {{row: number, place: number, y: number, from: number, moved: boolean} | null} */
  #drag = null;
  root = h("div", { class: "beat-scroll" }, this.#table);

  /** @param {Deeds} deeds */
  constructor(deeds) {
    this.#deeds = deeds;
    this.#table.addEventListener("keydown", (event) => this.#key(event));
    this.#table.addEventListener("pointerdown", (event) => this.#down(event));
    this.#table.addEventListener("pointermove", (event) => this.#move(event));
    this.#table.addEventListener("pointerup", () => this.#up());
    this.#table.addEventListener("pointercancel", () => (this.#drag = null));
  }

  /**
   * Show a bar. pins: whether a cell is pinned by a click.
   * @param {Grid} grid
   * @param {(row: number, place: number) => boolean} pins
   */
  show(grid, pins) {
    if (grid[0].length !== this.#grid[0]?.length) this.#build(grid[0].length);
    grid.forEach((cells, row) =>
      cells.forEach((velocity, place) => {
        const cell = this.#cells[row][place];
        if (this.#grid[row]?.[place] !== velocity || !cell.hasAttribute("aria-label")) this.#draw(row, place, velocity);
        cell.classList.toggle("pinned", pins(row, place));
      }),
    );
    this.#grid = grid;
  }

  /**
   * Show the position in the bar, in quarters; null for none.
   * @param {number | null} quarter
   */
  at(quarter) {
    this.#now.hidden = quarter === null;
    if (quarter === null) return;
    const place = placeAt(this.#grid[0].length, Math.max(0, quarter - 0.06));
    const column = `${place + 2} / ${place + 3}`;
    if (place === this.#place) return;
    this.#place = place;
    this.#now.style.gridColumn = column;
    if (this.root.scrollWidth > this.root.clientWidth && !this.#drag) this.#follow(place);
  }

  /**
   * Show muted and soloed pieces.
   * @param {Set<string>} muted
   * @param {Set<string>} alone
   */
  mixed(muted, alone) {
    for (const [piece, [mute, solo]] of this.#buttons) {
      press(mute, muted.has(piece));
      press(solo, alone.has(piece));
    }
  }

  /** @param {number} places */
  #build(places) {
    this.#grid = [];
    this.#place = -1;
    this.#at = { row: this.#at.row, place: Math.min(this.#at.place, places - 1) };
    this.#table.style.setProperty("--places", String(places));
    this.#table.setAttribute("aria-label", t("beats.table", { places }));
    this.#cells = VOICES.map((_, row) =>
      Array.from({ length: places }, (_, place) =>
        h("div", {
          class: `cell hit-${family(VOICES[row][0])}${(place * 4) % places ? "" : " first"}${Math.floor((place * 4) / places) % 2 ? " odd" : ""}`,
          role: "gridcell",
          tabIndex: row === this.#at.row && place === this.#at.place ? 0 : -1,
          "data-row": row,
          "data-place": place,
        }),
      ),
    );
    const rows = VOICES.map(([piece], row) => h("div", { class: "beat-row", role: "row" }, this.#name(piece), ...this.#cells[row]));
    this.#table.replaceChildren(...rows, h("div", { class: "beat-row over", role: "presentation" }, this.#now));
  }

  /** @param {string} piece */
  #name(piece) {
    const name = t(`piece.${piece}`);
    const button = (/** @type {"mute" | "solo"} */ what, /** @type {string} */ letter) =>
      h("button", { class: "tiny", "aria-pressed": "false", ...named(t(`roll.${what}`, { piece: name })), onclick: () => this.#deeds[what](piece) }, letter);
    const [mute, solo] = [button("mute", "M"), button("solo", "S")];
    this.#buttons.set(piece, [mute, solo]);
    const hear = h("button", { class: "piece", title: t("roll.hear", { piece: name }), onclick: () => this.#deeds.hear(piece) }, name);
    return h("div", { class: "beat-name", role: "rowheader" }, hear, mute, solo);
  }

  /**
   * @param {number} row
   * @param {number} place
   * @param {number} velocity
   */
  #draw(row, place, velocity) {
    const cell = this.#cells[row][place];
    const each = this.#cells[row].length / 4;
    const values = { piece: t(`piece.${VOICES[row][0]}`), beat: Math.floor(place / each) + 1, place: (place % each) + 1, velocity };
    cell.setAttribute("aria-label", t(velocity ? "beats.cell.hit" : "beats.cell", values));
    cell.setAttribute("aria-selected", String(velocity > 0));
    cell.style.setProperty("--loud", String(Math.round((velocity / 127) * 100)));
  }

  /** @param {number} place */
  #follow(place) {
    const cell = this.#cells[0][place];
    const names = cell.parentElement?.firstElementChild?.clientWidth ?? 0;
    const left = cell.offsetLeft - names;
    const { scrollLeft, clientWidth } = this.root;
    if (left < scrollLeft || cell.offsetLeft + cell.clientWidth > scrollLeft + clientWidth) this.root.scrollLeft = left;
  }

  // --- keys and pointer ----------------------------------------------------------------------------------------------

  /** @param {Event} event @returns {{row: number, place: number} | null} */
  #cellOf(event) {
    const cell = /** @type {HTMLElement} */ (event.target).closest?.("[role=gridcell]");
    if (!(cell instanceof HTMLElement)) return null;
    return { row: Number(cell.dataset.row), place: Number(cell.dataset.place) };
  }

  /** @param {{row: number, place: number}} to */
  #stand(to) {
    this.#cells[this.#at.row][this.#at.place].tabIndex = -1;
    this.#at = to;
    this.#cells[to.row][to.place].tabIndex = 0;
    this.#cells[to.row][to.place].focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const cell = this.#cellOf(event);
    if (!cell || isCommand(event)) return;
    const places = this.#grid[0].length;
    const velocity = this.#grid[cell.row][cell.place];
    const move = MOVES[event.key];
    if (move) {
      const row = clamp(cell.row + move[0], 0, VOICES.length - 1);
      this.#stand({ row, place: clamp(cell.place + move[1], 0, places - 1) });
    } else if (event.key === "Home" || event.key === "End") this.#stand({ row: cell.row, place: event.key === "Home" ? 0 : places - 1 });
    else if (event.key === " " || event.key === "Enter") this.#deeds.strike(cell.row, cell.place, velocity ? 0 : USUAL);
    else if ("+-=−".includes(event.key)) {
      const louder = event.key === "+" || event.key === "=" ? STEP : -STEP;
      if (velocity) this.#deeds.strike(cell.row, cell.place, clamp(velocity + louder, 1, 127));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const cell = this.#cellOf(event);
    if (!cell || event.button) return;
    this.#stand(cell);
    this.#drag = { ...cell, y: event.clientY, from: this.#grid[cell.row][cell.place], moved: false };
    event.preventDefault();
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const drag = this.#drag;
    if (!drag) return;
    const up = drag.y - event.clientY;
    drag.moved ||= Math.abs(up) > DRAG;
    if (drag.moved && drag.from) this.#deeds.strike(drag.row, drag.place, clamp(drag.from + up * 1.5, 1, 127));
  }

  #up() {
    const drag = this.#drag;
    this.#drag = null;
    if (drag && !(drag.moved && drag.from)) this.#deeds.strike(drag.row, drag.place, drag.from ? 0 : USUAL);
  }
}
