/** The transport: play, stop and position at the foot of a song, with an overview of the whole song. */

import { h, sign } from "./dom.js";
import { colours } from "./paint.js";
import { spoken } from "./places.js";
import { secondsAt } from "./schedule.js";
import { t } from "./words.js";

/** @typedef {import("./paint.js").Picture} Picture */
/** @typedef {import("./schedule.js").Tempo} Tempo */
/** @typedef {import("./sound.js").Sound} Sound */

const NARROW = "(max-width: 560px)"; // as in style.css: there the loop and the tempo are in the mixer
const GROUPS = /** @type {const} */ (["drums", "guitar", "metronome"]);

export class Transport {
  /** @type {Picture | null} */
  #picture = null;
  /** @type {Tempo[]} */
  #tempos = [];
  #end = 0;
  #held = false;
  #own = false; // whether the bars of the loop were typed

  /**
   * @param {Sound} sound
   * @param {{toggle: () => void, seek: (quarter: number) => void}} deeds
   */
  constructor(sound, deeds) {
    this.sound = sound;
    this.button = h("button", { id: "play", class: "button play", type: "button", "aria-pressed": "false", onclick: deeds.toggle });
    this.place = h("output", { class: "place", "aria-label": t("song.place") });
    this.range = h("input", {
      type: "range", id: "position", min: "0", step: "0.5", "aria-label": t("song.position"),
      oninput: () => ((this.#held = true), this.#tell(Number(this.range.value))),
      onchange: () => ((this.#held = false), deeds.seek(Number(this.range.value))),
    }); // prettier-ignore
    this.loop = h("input", { type: "checkbox", id: "loop", onchange: () => (this.#around(), this.#heed()) });
    this.first = this.#bar("loop-first", "1", t("song.loop.first"));
    this.last = this.#bar("loop-last", "4", t("song.loop.last"));
    this.looped = h("div", { class: "loop" }, h("label", { class: "check" }, this.loop, sign("loop"), t("song.loop")), this.first, h("span", { "aria-hidden": "true" }, "–"), this.last);
    this.map = h("canvas", { class: "overview", "aria-hidden": "true" });
    const back = h("button", { class: "button quiet", type: "button", title: t("song.start"), "aria-label": t("song.start"), onclick: () => deeds.seek(0) }, sign("start"));
    const tempo = this.#tempo();
    this.mixer = h("div", { class: "menu-body" }, ...this.#levels());
    this.row = h("div", { class: "row" }, h("details", { class: "menu up" }, h("summary", { class: "button quiet" }, sign("note"), t("song.mixer")), this.mixer));
    this.root = h(
      "div",
      { class: "transport", role: "group", "aria-label": t("song.transport") },
      h("div", { class: "row" }, back, this.button, this.place),
      h("div", { class: "overall" }, this.map, this.range),
      this.row,
    );
    const narrow = matchMedia(NARROW);
    const place = () => (narrow.matches ? this.mixer : this.row).prepend(this.looped, tempo);
    narrow.addEventListener("change", place);
    place();
    this.playing(false);
    new ResizeObserver(() => this.#draw()).observe(this.map);
  }

  /** @param {Picture} picture @param {Tempo[]} tempos */
  show(picture, tempos) {
    const last = picture.bars.at(-1);
    [this.#picture, this.#tempos, this.#end] = [picture, tempos, last ? last.quarter + last.quarters : 0];
    this.range.max = String(this.#end);
    for (const input of [this.first, this.last]) input.max = String(picture.bars.length);
    if (Number(this.last.value) > picture.bars.length) this.last.value = String(picture.bars.length);
    this.#draw();
  }

  /** @param {boolean} playing */
  playing(playing) {
    if (this.button.getAttribute("aria-pressed") === String(playing) && this.button.childNodes.length) return;
    this.button.replaceChildren(sign(playing ? "stop" : "play"), h("span", {}, t(playing ? "song.stop" : "song.play")));
    this.button.setAttribute("aria-pressed", String(playing));
  }

  /** @param {number} quarter */
  at(quarter) {
    if (this.#held) return;
    this.range.value = String(quarter);
    this.#tell(quarter);
  }

  /** The theme has changed. */
  renew() {
    this.#draw();
  }

  /** @param {number} quarter */
  #tell(quarter) {
    const { bar, beat } = spoken(this.#picture?.bars ?? [], quarter);
    const seconds = Math.floor(secondsAt(this.#tempos, quarter));
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const text = `${bar}.${beat}  ${time}`;
    if (this.place.textContent !== text) this.place.textContent = text;
    this.range.setAttribute("aria-valuetext", t("song.at", { bar, beat }));
  }

  #draw() {
    const picture = this.#picture;
    const { clientWidth: width, clientHeight: height } = this.map;
    const to = this.map.getContext("2d");
    if (!picture || !to || !width || !this.#end) return;
    const dense = devicePixelRatio || 1;
    [this.map.width, this.map.height] = [Math.round(width * dense), Math.round(height * dense)];
    to.scale(dense, dense);
    const colour = colours(this.root);
    const x = (/** @type {number} */ quarter) => (quarter / this.#end) * width;
    to.fillStyle = colour.ink;
    for (const [index, { firstBar, lastBar }] of picture.sections.entries()) {
      const [begin, end] = [picture.bars[firstBar - 1], picture.bars[lastBar - 1]];
      if (!begin || !end) continue;
      to.globalAlpha = index % 2 ? 0.1 : 0.2;
      to.fillRect(x(begin.quarter), 0, x(end.quarter + end.quarters) - x(begin.quarter), height);
    }
    const counts = new Map();
    for (const hit of picture.hits) counts.set(hit.bar, (counts.get(hit.bar) ?? 0) + hit.velocity);
    const most = Math.max(1, ...counts.values());
    for (const bar of picture.bars) {
      const wide = Math.max(1, x(bar.quarters) - 1);
      const tall = ((counts.get(bar.number) ?? 0) / most) * (height - 6);
      to.globalAlpha = picture.signs.has(bar.number) ? 0.9 : 0.45;
      to.fillStyle = picture.locks.has(bar.number) ? colour.lock : colour.ink;
      to.fillRect(x(bar.quarter), height - tall, wide, tall);
    }
    to.globalAlpha = 1;
  }

  /** @param {string} id @param {string} value @param {string} label */
  #bar(id, value, label) {
    return h("input", { type: "number", id, min: "1", value, "aria-label": label, onchange: () => ((this.#own = true), this.#heed()) });
  }

  /** The default loop: the current section, or else four bars. */
  #around() {
    if (!this.loop.checked || !this.#picture || this.#own) return;
    const bar = spoken(this.#picture.bars, this.sound.position).bar;
    const section = this.#picture.sections.find(({ firstBar, lastBar }) => firstBar <= bar && bar <= lastBar);
    const long = !section || section.lastBar - section.firstBar >= 16;
    this.first.value = String(long ? bar : section.firstBar);
    this.last.value = String(Math.min(long ? bar + 3 : section.lastBar, this.#picture.bars.length));
  }

  /** Apply the loop. */
  #heed() {
    const bars = this.#picture?.bars ?? [];
    const [first, last] = [this.first, this.last].map((input) => Math.min(bars.length, Math.max(1, Number(input.value) || 1)));
    const [from, to] = [bars[Math.min(first, last) - 1], bars[Math.max(first, last) - 1]];
    if (!from || !to || !this.loop.checked) this.sound.loop(null);
    else this.sound.loop(from.quarter, to.quarter + to.quarters);
  }

  #tempo() {
    const output = h("output", { htmlFor: "tempo" }, "100 %");
    const range = h("input", {
      type: "range", id: "tempo", min: "50", max: "150", step: "5", value: "100",
      oninput: () => {
        output.textContent = `${range.value} %`;
        this.sound.tempo(Number(range.value) / 100);
      },
    }); // prettier-ignore
    return h("div", { class: "slider" }, h("label", { htmlFor: "tempo" }, t("song.tempo")), range, output);
  }

  /** @returns {HTMLElement[]} */
  #levels() {
    const levels = GROUPS.map((group) => {
      const range = h("input", {
        type: "range", id: `level-${group}`, min: "0", max: "1.5", step: "0.05", value: "1",
        oninput: () => this.sound.level(group, Number(range.value)),
      }); // prettier-ignore
      return h("div", { class: "slider" }, h("label", { htmlFor: `level-${group}` }, t(`song.level.${group}`)), range);
    });
    const metronome = h("input", { type: "checkbox", id: "metronome", onchange: () => this.sound.metronome(metronome.checked) });
    const count = h("input", { type: "checkbox", id: "count-in", onchange: () => this.sound.countIn(count.checked ? 1 : 0) });
    return [
      ...levels,
      h("label", { class: "check" }, metronome, t("song.metronome")),
      h("label", { class: "check" }, count, t("song.count")),
      h("p", { class: "meaning" }, t("song.mixer.what")),
    ];
  }
}
