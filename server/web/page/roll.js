/** The picture of a song: it scrolls with the sound; clicks add and remove hits, and lock bars in its head. */

import { clamp } from "./basics.js";
import { follow, h, isCommand, named } from "./dom.js";
import { LEAD, SIZE, brushOf, colours, fitted, paint, tall, topOf } from "./paint.js";
import { cellAt, spoken } from "./places.js";
import { barAt, endOf } from "./schedule.js";
import { USUAL } from "./edits.js";
import { t } from "./words.js";

/** @typedef {import("./paint.js").Picture} Picture */
/** @typedef {import("./schedule.js").Bar} Bar */
/** @typedef {import("./schedule.js").Hit} Hit */
/**
 * @typedef {object} Deeds Callbacks of the picture.
 * @property {(place: Hit) => void} toggle add or remove a hit
 * @property {(hit: Hit, velocity: number) => void} strike change the velocity of a hit
 * @property {(first: number, last: number) => void} lock lock bars, or unlock them if the last one is locked
 * @property {(quarter: number) => void} seek continue the sound from there
 * @property {(piece: string, velocity: number) => void} hear a piece is struck once
 * @property {(what: string) => void} mute of a piece, or "guitar"
 * @property {(what: string) => void} solo likewise
 */

const SCALES = [6, 9, 14, 20, 30, 44, 64, 96, 140];
const USUAL_SCALE = innerWidth > 3000 ? 7 : innerWidth > 1800 ? 6 : 5;
const REACH = 9; // pixels around a hit that count as the hit
const DRAG = 4; // pixels of vertical movement that turn a click into a drag
const AHEAD = 0.3; // share of the width at which the playhead stays
const LOUDER = 8; // a step of the keyboard

export class Roll {
  #deeds;
  /** @type {Picture} */
  #picture = { bars: [], sections: [], guitar: [], hits: [], clicked: new Set(), signs: new Map(), locks: new Set(), made: 0, rows: [], silent: new Set(), grid: 4 };
  #ticks = 480;
  #scale = SCALES[USUAL_SCALE];
  #waits = false;
  #follows = true;
  #moved = 0;
  #playing = false;
  #place = 0;
  #lastLock = 0;
  /** @type {import("./paint.js").View["cursor"]} */
  #cursor = null;
  /** @type {import("./paint.js").View["dragged"]} */
  #dragged = null;
  /** @type {Record<string, string>} */
  #colour = {};

  /** @param {Deeds} deeds */
  constructor(deeds) {
    this.#deeds = deeds;
    this.canvas = h("canvas", { id: "roll", "aria-hidden": "true" });
    this.space = h("div", { class: "roll-space" });
    this.now = h("div", { class: "roll-now" });
    this.scroll = h(
      "div",
      { class: "roll-scroll", tabIndex: 0, role: "application", "aria-label": t("roll.label"), "aria-describedby": "roll-keys" },
      this.canvas,
      this.now,
      this.space,
    );
    this.names = h("div", { class: "roll-names" });
    this.status = h("p", { class: "roll-status", role: "status", "aria-live": "polite" });
    this.root = h("div", { class: "roll" }, this.names, this.scroll);
    this.#listen();
  }

  /**
   * Show a song.
   *
   * @param {Picture} picture
   * @param {number} ticks a quarter has
   * @param {ReadonlySet<string>} solo the solo pieces
   */
  show(picture, ticks, solo) {
    const rows = picture.rows.join() !== this.#picture.rows.join();
    const sounds = rows || picture.silent !== this.#picture.silent;
    this.#picture = picture;
    this.#ticks = ticks;
    if (sounds) this.#nameRows(solo);
    if (this.#cursor) this.#cursor.row = Math.min(this.#cursor.row, picture.rows.length - 1);
    this.#sized();
  }

  /** The theme or the size of the window has changed. */
  renew() {
    this.#colour = {};
    this.#sized();
  }

  /**
   * Set the position of the sound.
   *
   * @param {number} quarter
   * @param {boolean} playing
   */
  at(quarter, playing) {
    if (playing && !this.#playing) this.#follows = true;
    const moved = quarter !== this.#place;
    [this.#place, this.#playing] = [quarter, playing];
    this.now.style.transform = `translateX(${LEAD + quarter * this.#scale}px)`;
    if (playing && moved && this.#follows && !this.#dragged) this.#follow(quarter);
  }

  /** Scroll to a position. @param {number} quarter */
  reveal(quarter) {
    const [left, right] = [this.#left, this.#left + this.scroll.clientWidth / this.#scale];
    if (quarter < left || quarter > right - 1) this.#scrollTo(quarter * this.#scale - AHEAD * this.scroll.clientWidth);
  }

  /** Zoom in or out. @param {1 | -1} step */
  zoom(step) {
    const index = SCALES.indexOf(this.#scale) + step;
    if (index < 0 || index >= SCALES.length) return;
    const middle = this.#left + this.scroll.clientWidth / 2 / this.#scale;
    this.#scale = SCALES[index];
    this.#sized();
    this.#scrollTo(middle * this.#scale - this.scroll.clientWidth / 2);
    this.at(this.#place, false);
  }

  get #left() {
    return this.scroll.scrollLeft / this.#scale;
  }

  /** @param {number} quarter */
  #follow(quarter) {
    const width = this.scroll.clientWidth;
    const wanted = quarter * this.#scale - AHEAD * width;
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const seen = quarter * this.#scale - this.scroll.scrollLeft;
    if (still && seen > 0 && seen < 0.9 * width) return; // a page at a time
    this.#scrollTo(wanted);
  }

  /** @param {number} pixels */
  #scrollTo(pixels) {
    this.#moved = clamp(pixels, 0, this.scroll.scrollWidth - this.scroll.clientWidth);
    this.scroll.scrollLeft = this.#moved;
  }

  #sized() {
    fitted(window, Math.max(1, this.#picture.rows.length));
    for (const name of /** @type {const} */ (["row", "guitar", "head"])) this.root.style.setProperty(`--${name}-high`, `${SIZE[name]}px`);
    const height = tall(this.#picture);
    this.space.style.width = `${endOf(this.#picture.bars) * this.#scale + LEAD + 24}px`;
    this.scroll.style.height = `${height + 14}px`;
    this.now.style.top = `${SIZE.section}px`;
    this.now.style.height = `${height - SIZE.foot - SIZE.section}px`;
    this.#soon();
  }

  #soon() {
    if (this.#waits) return;
    this.#waits = true;
    requestAnimationFrame(() => {
      this.#waits = false;
      this.#draw();
    });
  }

  #draw() {
    const [width, height] = [this.scroll.clientWidth, tall(this.#picture)];
    if (!width) return;
    [this.canvas.style.width, this.canvas.style.height] = [`${width}px`, `${height}px`];
    if (!this.#colour.ink) this.#colour = colours(this.root);
    const to = brushOf(this.canvas, width, height);
    if (!to) return;
    paint(to, this.#picture, { left: this.#left, scale: this.#scale, width, cursor: document.activeElement === this.scroll ? this.#cursor : null, dragged: this.#dragged }, this.#colour);
  }

  // --- names of rows ---------------------------------------------------------------------------------------------

  /** @param {ReadonlySet<string>} solo */
  #nameRows(solo) {
    const { rows, silent } = this.#picture;
    const focused = document.activeElement instanceof HTMLElement && this.names.contains(document.activeElement) ? document.activeElement.dataset.key : "";
    /** @param {string} what @param {string} name @param {HTMLElement} label */
    const row = (what, name, label) =>
      h(
        "div",
        { class: "roll-name" },
        label,
        toggle("M", t("roll.mute", { piece: name }), silent.has(what) && !solo.size, `mute ${what}`, () => this.#deeds.mute(what)),
        toggle("S", t("roll.solo", { piece: name }), solo.has(what), `solo ${what}`, () => this.#deeds.solo(what)),
      );
    const guitar = row("guitar", t("roll.guitar"), h("span", { class: "piece" }, t("roll.guitar")));
    guitar.classList.add("roll-guitar");
    const pieces = rows.map((piece) => {
      const name = pieceName(piece);
      const hear = h("button", { class: "piece", title: t("roll.hear", { piece: name }), onclick: () => this.#deeds.hear(piece, USUAL) }, name);
      hear.dataset.key = `hear ${piece}`;
      return row(piece, name, hear);
    });
    this.names.replaceChildren(h("div", { class: "roll-head" }, t("roll.bars")), guitar, ...pieces);
    if (focused) /** @type {HTMLElement | undefined} */ ([...this.names.querySelectorAll("button")].find((one) => one.dataset.key === focused))?.focus();
  }

  // --- pointer ---------------------------------------------------------------------------------------------------

  #listen() {
    this.scroll.addEventListener("scroll", () => {
      if (Math.abs(this.scroll.scrollLeft - this.#moved) > 2) this.#follows = false; // by hand
      this.#soon();
    });
    this.scroll.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    this.scroll.addEventListener("keydown", (event) => this.#key(event));
    for (const name of ["focus", "blur"]) this.scroll.addEventListener(name, () => this.#soon());
    this.canvas.addEventListener("pointerdown", (event) => this.#press(event));
    this.canvas.addEventListener("pointermove", (event) => this.#hover(event));
    this.canvas.addEventListener("pointerleave", () => (this.status.textContent = ""));
    new ResizeObserver(() => this.#sized()).observe(this.scroll);
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.zoom(event.deltaY < 0 ? 1 : -1);
  }

  /** The target under a pointer. @param {PointerEvent} event */
  #under(event) {
    const box = this.canvas.getBoundingClientRect();
    const [x, y] = [event.clientX - box.left, event.clientY - box.top];
    const quarter = this.#left + (x - LEAD) / this.#scale;
    const bar = barAt(this.#picture.bars, quarter);
    const cell = this.#cellAt(quarter);
    const row = Math.floor((y - topOf(0)) / SIZE.row);
    const piece = y >= topOf(0) ? this.#picture.rows[row] : undefined;
    return { quarter, bar, cell, piece, hit: piece ? this.#hitAt(piece, quarter) : undefined, head: y < SIZE.head };
  }

  /** The nearest grid position, and its bar. @param {number} quarter */
  #cellAt(quarter) {
    const { bars, grid } = this.#picture;
    const bar = /** @type {Bar} */ (barAt(bars, quarter + 0.5 / grid));
    return { bar, quarter: bar && cellAt(bar, quarter + 0.5 / grid, grid) };
  }

  /** @param {string} piece @param {number} quarter @param {number} [reach] quarters */
  #hitAt(piece, quarter, reach = REACH / this.#scale) {
    let nearest;
    for (const hit of this.#picture.hits) {
      if (hit.piece !== piece || Math.abs(hit.quarter - quarter) > reach) continue;
      if (!nearest || Math.abs(hit.quarter - quarter) < Math.abs(nearest.quarter - quarter)) nearest = hit;
    }
    return nearest;
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    if (this.#dragged) return;
    const { bar, piece, hit, cell, head } = this.#under(event);
    this.canvas.style.cursor = head || piece ? "pointer" : "text";
    if (head && bar) this.status.textContent = t(this.#picture.locks.has(bar.number) ? "roll.free" : "roll.lock", { bar: bar.number });
    else if (piece && bar) this.#tell(piece, hit ? hit.quarter : cell.quarter, hit);
    else this.status.textContent = bar ? t("roll.from", { bar: bar.number }) : "";
  }

  /** @param {PointerEvent} event */
  #press(event) {
    if (event.button !== 0) return;
    const { hit, piece, bar, cell, quarter, head } = this.#under(event);
    const [x, y] = [event.clientX, event.clientY];
    let velocity = hit?.velocity ?? 0;
    const move = (/** @type {PointerEvent} */ now) => {
      if (!hit || (!this.#dragged && Math.abs(now.clientY - y) < DRAG)) return;
      velocity = clamp(Math.round(hit.velocity + y - now.clientY), 1, 127);
      this.#dragged = { hit, velocity };
      this.#soon();
    };
    const up = (/** @type {PointerEvent} */ now) => {
      const dragged = this.#dragged;
      this.#dragged = null;
      if (dragged) {
        this.#deeds.strike(dragged.hit, velocity);
        this.#deeds.hear(dragged.hit.piece, velocity);
      } else if (Math.abs(now.clientX - x) < REACH && Math.abs(now.clientY - y) < REACH && bar) {
        if (head) this.#lock(bar.number, event.shiftKey);
        else if (piece) this.#toggle(piece, cell, hit);
        else this.#deeds.seek(Math.max(0, quarter));
      }
    };
    follow(this.canvas, event, move, up, () => ((this.#dragged = null), this.#soon()));
  }

  /** @param {string} piece @param {{bar: Bar, quarter: number}} cell @param {Hit | undefined} hit */
  #toggle(piece, { bar, quarter }, hit) {
    if (!hit) this.#deeds.hear(piece, USUAL);
    this.#deeds.toggle(hit ?? { tick: Math.round(quarter * this.#ticks), quarter, bar: bar.number, piece, velocity: USUAL });
  }

  /** @param {number} bar @param {boolean} range from the last locked bar */
  #lock(bar, range) {
    this.#deeds.lock(range && this.#lastLock ? this.#lastLock : bar, bar);
    this.#lastLock = bar;
  }

  // --- keyboard --------------------------------------------------------------------------------------------------

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (isCommand(event) || !this.#picture.bars.length) return;
    const { rows, bars, grid } = this.#picture;
    const at = this.#cursor ?? { row: rows.length - 1, quarter: barAt(bars, this.#place)?.quarter ?? 0 };
    const bar = /** @type {Bar} */ (barAt(bars, at.quarter));
    const hit = this.#hitAt(rows[at.row], at.quarter, 0.5 / grid);
    /** @type {Record<string, () => void>} */
    const deeds = {
      ArrowUp: () => (at.row = Math.max(0, at.row - 1)),
      ArrowDown: () => (at.row = Math.min(rows.length - 1, at.row + 1)),
      ArrowLeft: () => (at.quarter = this.#stepped(bar, at.quarter, -1)),
      ArrowRight: () => (at.quarter = this.#stepped(bar, at.quarter, 1)),
      PageUp: () => (at.quarter = bars[Math.max(0, bar.number - 2)].quarter),
      PageDown: () => (at.quarter = bars[Math.min(bars.length - 1, bar.number)].quarter),
      Home: () => (at.quarter = bars[0].quarter),
      End: () => (at.quarter = bars[bars.length - 1].quarter),
      Enter: () => this.#toggle(rows[at.row], { bar, quarter: at.quarter }, hit),
      "+": () => hit && this.#deeds.strike(hit, hit.velocity + LOUDER),
      "-": () => hit && this.#deeds.strike(hit, hit.velocity - LOUDER),
      l: () => this.#lock(bar.number, false),
      L: () => this.#lock(bar.number, true),
      p: () => this.#deeds.seek(at.quarter),
    };
    const deed = deeds[event.key];
    if (!deed) return;
    this.#cursor = at;
    event.preventDefault();
    event.stopPropagation();
    deed();
    this.reveal(at.quarter);
    this.#soon();
    const lockedNow = event.key.toLowerCase() === "l";
    if (lockedNow) this.status.textContent = t(this.#picture.locks.has(bar.number) ? "roll.locked" : "roll.unlocked", { bar: bar.number });
    else this.#tell(rows[at.row], at.quarter, this.#hitAt(rows[at.row], at.quarter, 0.5 / grid));
  }

  /** The next or the previous cell. @param {Bar} bar @param {number} quarter @param {1 | -1} step */
  #stepped(bar, quarter, step) {
    const { bars, grid } = this.#picture;
    const next = cellAt(bar, quarter, grid) + step / grid;
    if (next < bar.quarter - 1e-6) {
      const earlier = bars[bar.number - 2];
      return earlier ? cellAt(earlier, earlier.quarter + earlier.quarters, grid) : bar.quarter;
    }
    if (next > bar.quarter + bar.quarters - 1e-6) return bars[bar.number]?.quarter ?? quarter;
    return next;
  }

  /** @param {string} piece @param {number} quarter @param {Hit | undefined} hit */
  #tell(piece, quarter, hit) {
    const { bar, beat, part } = spoken(this.#picture.bars, quarter);
    const place = part ? `${beat}.${String(part).padStart(2, "0")}` : String(beat);
    this.status.textContent = t(hit ? "roll.hit" : "roll.place", { piece: pieceName(piece), bar, beat: place, velocity: hit?.velocity ?? 0 });
  }
}

/** The name of a piece in the language of the page. @param {string} piece */
const pieceName = (piece) => t(`piece.${piece}`);

/**
 * @param {string} letter
 * @param {string} label
 * @param {boolean} pressed
 * @param {string} key
 * @param {() => void} deed
 */
function toggle(letter, label, pressed, key, deed) {
  const made = h("button", { class: "tiny", ...named(label), "aria-pressed": String(pressed), onclick: deed }, letter);
  made.dataset.key = key;
  return made;
}
