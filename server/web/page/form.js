/** The form of a song: its sections as blocks over all of it, the bars below them, and where the sound is. */

import { clamp } from "./basics.js";
import { fill, follow, h, sign } from "./dom.js";
import { grooveName } from "./groove_names.js";
import { brushOf, colours, everyBar } from "./paint.js";
import { fullness, spansOf } from "./plan.js";
import { barAt, endOf } from "./schedule.js";
import { has, isSame } from "./spans.js";
import { t } from "./words.js";

/** @typedef {import("./paint.js").Picture} Picture */
/** @typedef {import("./spans.js").Section} Section */
/** @typedef {import("./spans.js").Span} Span */
/**
 * @typedef {Section & {groove: string, plan?: import("./plan.js").PlannedSection, isOut: boolean, isHalf: boolean, isWished: boolean}} Block
 * @typedef {object} Deeds
 * @property {(span: Span | null) => void} choose a block, or none any more
 * @property {(span: Span) => void} drag bars: they are chosen, and looped
 * @property {(firstBar: number, bar: number) => void} move the border before the section with this first bar
 */

const LEAST_WIDE = 46; // pixels a section has in the mean; with more sections the strip scrolls
const LEAST_SHORT = 24; // pixels of the shortest section, to be hit by a finger,
const MOST_SCROLL = 760; // unless the strip would be wider than this
const DRAG = 5; // pixels of movement that turn a click into a drag
const HIGH = 30; // pixels of the bars below the blocks

export class Form {
  /** @type {Picture | null} */
  #picture = null;
  /** @type {readonly Block[]} */
  #blocks = [];
  /** @type {Span | null} */
  #chosen = null;
  #end = 1; // quarters
  #looks = "";
  #now = 0;
  #deeds;

  /** @param {Deeds} deeds */
  constructor(deeds) {
    this.#deeds = deeds;
    this.blocks = h("div", { class: "form-blocks" });
    this.bars = h("canvas", { class: "form-bars", "aria-hidden": "true" });
    this.now = h("div", { class: "form-now" });
    this.mark = h("div", { class: "form-mark", hidden: true });
    this.inner = h("div", { class: "form-inner" }, this.blocks, this.bars, this.mark, this.now);
    this.root = h("section", { class: "form", "aria-label": t("form.label") }, this.inner);
    this.bars.addEventListener("pointerdown", (event) => this.#press(event));
    new ResizeObserver(() => this.draw()).observe(this.bars);
  }

  /** @param {Picture} picture @param {readonly Block[]} blocks @param {Span | null} chosen */
  show(picture, blocks, chosen) {
    [this.#picture, this.#blocks, this.#chosen, this.#end] = [picture, blocks, chosen, endOf(picture.bars) || 1];
    const shortest = Math.min(...blocks.map(({ firstBar, lastBar }) => lastBar - firstBar + 1));
    this.inner.style.minWidth = `${Math.max(blocks.length * LEAST_WIDE, Math.min(MOST_SCROLL, (LEAST_SHORT * picture.bars.length) / shortest))}px`;
    const looks = JSON.stringify([blocks, chosen, picture.bars.length, [...picture.signs]]);
    if (looks !== this.#looks) this.#build();
    this.#looks = looks;
    this.draw();
  }

  /** @param {number} quarter @param {boolean} playing */
  at(quarter, playing) {
    this.root.classList.toggle("playing", playing);
    if (quarter === this.#now) return;
    this.#now = quarter;
    this.now.style.left = `${this.#share(quarter)}%`;
    this.#light();
    const { scrollWidth, clientWidth, scrollLeft } = this.root;
    const x = (quarter / this.#end) * scrollWidth;
    if (playing && scrollWidth > clientWidth && (x < scrollLeft || x > scrollLeft + clientWidth - 40)) this.root.scrollLeft = x - 40;
  }

  /** @param {number} quarter */
  #share(quarter) {
    return (100 * quarter) / this.#end;
  }

  /** From and to in per cent. @param {Span} span */
  #edges({ firstBar, lastBar }) {
    const bars = this.#picture?.bars ?? [];
    const [begin, end] = [bars[firstBar - 1], bars[lastBar - 1]];
    return begin && end ? [this.#share(begin.quarter), this.#share(end.quarter + end.quarters)] : [0, 0];
  }

  #build() {
    const focused = this.blocks.contains(document.activeElement) ? document.activeElement?.getAttribute("data-first") : null;
    const built = this.#blocks.flatMap((block, index) => {
      const button = this.#block(block);
      const [left] = this.#edges(block);
      this.#place(button, block);
      button.classList.toggle("late", left > 50); // a whole name has room to the left
      if (!index) return [button];
      const border = h("span", { class: "form-border", title: t("form.border"), onpointerdown: (/** @type {PointerEvent} */ event) => this.#move(event, block.firstBar) });
      border.style.left = `${left}%`;
      return [button, border];
    });
    fill(this.blocks, ...built);
    this.#light();
    if (focused) /** @type {HTMLElement | null} */ (this.blocks.querySelector(`[data-first="${focused}"]`))?.focus();
    const { firstBar, lastBar } = this.#chosen ?? { firstBar: 0, lastBar: 0 };
    this.mark.hidden = !this.#chosen || this.#blocks.some((block) => isSame(block, { firstBar, lastBar }));
    if (this.mark.hidden || !this.#chosen) return;
    this.#place(this.mark, this.#chosen);
  }

  /** Tell the block that sounds, which shows its whole name while it plays. */
  #light() {
    const bar = barAt(this.#picture?.bars ?? [], this.#now)?.number ?? 0;
    const now = this.#blockOf(bar);
    if (now?.classList.contains("now")) return;
    this.blocks.querySelector(".now")?.classList.remove("now");
    now?.classList.add("now");
  }

  /** @param {HTMLElement} element @param {Span} span */
  #place({ style }, span) {
    const [left, right] = this.#edges(span);
    [style.left, style.width] = [`${left}%`, `calc(${right - left}% - 2px)`];
  }

  /** @param {Block} block */
  #block(block) {
    const { firstBar, lastBar, name, groove, plan, isOut, isHalf, isWished } = block;
    const isOn = this.#chosen !== null && isSame(block, this.#chosen);
    const { plays } = plan ? spansOf(plan) : { plays: [firstBar, lastBar] };
    const silent = isOut || !plays;
    const ends = this.#picture?.signs.get(lastBar);
    const more = [t("song.bars", { first: firstBar, last: lastBar }), ends && t(`form.${ends}`)].filter(Boolean);
    const button = h(
      "button",
      {
        class: `block${silent ? " silent" : ""}`, "aria-pressed": String(isOn), title: plan ? told(plan) : more.join(", "),
        onclick: () => this.#deeds.choose(isOn ? null : { firstBar, lastBar }),
      },
      h("span", { class: "block-name" }, name, isWished && h("span", { class: "block-wished", "aria-hidden": "true" }, " ●")),
      h("span", { class: "block-groove" }, silent ? t("form.out") : (isHalf ? `${t("form.half")}: ` : "") + grooveName(groove || "")),
      h("span", { class: "unseen" }, more.join(", ")),
      ends && sign("fill"),
    ); // prettier-ignore
    button.dataset.first = String(firstBar);
    button.style.setProperty("--energy", `${Math.round(100 * (silent ? 0 : fullness((plan?.level ?? 1) * (plan?.loudness ?? 1))))}%`);
    return button;
  }

  // --- pointer -------------------------------------------------------------------------------------------------------

  /** The number of the bar under a pointer. @param {PointerEvent} event */
  #barAt(event) {
    const box = this.inner.getBoundingClientRect();
    const bars = this.#picture?.bars ?? [];
    return barAt(bars, clamp(((event.clientX - box.left) / box.width) * this.#end, 0, this.#end - 0.01))?.number ?? 1;
  }

  /** The block of a bar. @param {number} bar @returns {HTMLElement | null} */
  #blockOf(bar) {
    const block = this.#blocks.find((one) => has(one, bar));
    return block ? this.blocks.querySelector(`[data-first="${block.firstBar}"]`) : null;
  }

  /** A click takes one bar, a drag several. @param {PointerEvent} event */
  #press(event) {
    if (event.button) return;
    const from = this.#barAt(event);
    const spanTo = (/** @type {PointerEvent} */ now) => ({ firstBar: Math.min(from, this.#barAt(now)), lastBar: Math.max(from, this.#barAt(now)) });
    follow(this.bars, event, (now) => {
      this.mark.hidden = false;
      this.#place(this.mark, spanTo(now));
    }, (now) => this.#deeds.drag(spanTo(now)), () => this.#build()); // prettier-ignore
  }

  /** @param {PointerEvent} event @param {number} firstBar of the section after the border */
  #move(event, firstBar) {
    if (event.button) return;
    const border = /** @type {HTMLElement} */ (event.currentTarget);
    const begun = event.clientX;
    let bar = 0;
    const move = (/** @type {PointerEvent} */ now) => {
      if (Math.abs(now.clientX - begun) < DRAG) return;
      bar = this.#barAt(now);
      border.style.left = `${this.#edges({ firstBar: bar, lastBar: bar })[0]}%`;
    };
    const up = (/** @type {PointerEvent} */ now) => (bar ? this.#deeds.move(firstBar, bar) : this.#blockOf(this.#barAt(now))?.click());
    follow(border, event, move, up, () => this.#build());
  }

  // --- bars ----------------------------------------------------------------------------------------------------------

  /** Each bar as tall as it is full; fills and breaks marked, locked bars coloured. */
  draw() {
    const picture = this.#picture;
    const width = this.bars.clientWidth;
    const to = brushOf(this.bars, width, HIGH);
    if (!picture || !to || !width) return;
    to.clearRect(0, 0, width, HIGH);
    const colour = colours(this.root);
    const x = (/** @type {number} */ quarter) => (quarter / this.#end) * width;
    const counts = new Map();
    for (const hit of picture.hits) counts.set(hit.bar, (counts.get(hit.bar) ?? 0) + hit.velocity);
    const most = Math.max(1, ...counts.values());
    const tall = HIGH - 12;
    to.font = `10px ${getComputedStyle(document.body).fontFamily}`;
    const every = everyBar(x(picture.bars[0]?.quarters ?? 4), 34);
    for (const bar of picture.bars) {
      const [left, wide] = [x(bar.quarter), Math.max(1, x(bar.quarters) - 1)];
      const high = ((counts.get(bar.number) ?? 0) / most) * tall;
      const chosen = this.#chosen && has(this.#chosen, bar.number);
      to.fillStyle = picture.locks.has(bar.number) ? colour.lock : picture.signs.has(bar.number) ? colour["fill-word"] : chosen ? colour.accent : colour.soft;
      to.globalAlpha = chosen || picture.locks.has(bar.number) || picture.signs.has(bar.number) ? 1 : 0.55;
      to.fillRect(left, tall - high, wide, Math.max(1, high));
      to.globalAlpha = 1;
      to.fillStyle = colour.soft;
      const name = String(bar.number);
      if ((bar.number - 1) % every === 0 && left + to.measureText(name).width <= width) to.fillText(name, left, HIGH - 1);
    }
  }
}

/** A section of the plan in words. @param {import("./plan.js").PlannedSection} section */
function told({ name, firstBar, lastBar, enters, cymbal, level }) {
  const place = { section: name, first: firstBar, last: lastBar };
  if (!enters) return t("roll.plan.silent", place);
  const plays = t("roll.plan.plays", { ...place, level: level.toFixed(2) });
  return plays + (cymbal ? t(`said.on.${cymbal}`) : "") + (enters > firstBar ? t("roll.plan.enters", { bar: enters }) : "");
}
