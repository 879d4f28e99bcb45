/** The transport: play, stop, position, loop and levels at the foot of a song. */

import { clamp } from "./basics.js";
import { check, h, named, plays, sign } from "./dom.js";
import { spoken } from "./places.js";
import { endOf, secondsAt } from "./schedule.js";
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

  /**
   * @param {Sound} sound
   * @param {{toggle: () => void, seek: (quarter: number) => void, loop: (span: {firstBar: number, lastBar: number}) => void}} deeds
   *   loop: bars were typed for the loop
   */
  constructor(sound, deeds) {
    this.sound = sound;
    this.deeds = deeds;
    this.button = h("button", { id: "play", class: "button play", "aria-pressed": "false", onclick: deeds.toggle });
    this.place = h("output", { class: "place", "aria-label": t("song.place") });
    this.range = h("input", {
      type: "range", id: "position", min: "0", step: "0.5", "aria-label": t("song.position"),
      oninput: () => ((this.#held = true), this.#tell(Number(this.range.value))),
      onchange: () => ((this.#held = false), deeds.seek(Number(this.range.value))),
    }); // prettier-ignore
    this.loop = h("input", { type: "checkbox", id: "loop", onchange: () => this.heed() });
    this.first = this.#bar("loop-first", "1", t("song.loop.first"));
    this.last = this.#bar("loop-last", "4", t("song.loop.last"));
    this.looped = h("div", { class: "loop" }, check(this.loop, sign("loop"), t("song.loop")), this.first, h("span", { "aria-hidden": "true" }, "–"), this.last);
    const back = h("button", { class: "button quiet", ...named(t("song.start")), onclick: () => deeds.seek(0) }, sign("start"));
    const tempo = this.#tempo();
    this.mixer = h("div", { class: "menu-body" }, ...this.#levels());
    this.row = h("div", { class: "row" }, h("details", { class: "menu up" }, h("summary", { class: "button quiet" }, sign("note"), t("song.mixer")), this.mixer));
    this.root = h(
      "div",
      { class: "transport", role: "group", "aria-label": t("song.transport") },
      h("div", { class: "row" }, back, this.button, this.place),
      h("div", { class: "overall" }, this.range),
      this.row,
    );
    const narrow = matchMedia(NARROW);
    const place = () => (narrow.matches ? this.mixer : this.row).prepend(this.looped, tempo);
    narrow.addEventListener("change", place);
    place();
    this.playing(false);
  }

  /** @param {Picture} picture @param {Tempo[]} tempos */
  show(picture, tempos) {
    [this.#picture, this.#tempos, this.#end] = [picture, tempos, endOf(picture.bars)];
    this.range.max = String(this.#end);
    for (const input of [this.first, this.last]) input.max = String(picture.bars.length);
    if (Number(this.last.value) > picture.bars.length) this.last.value = String(picture.bars.length);
  }

  /** @param {boolean} playing */
  playing(playing) {
    if (this.button.getAttribute("aria-pressed") === String(playing) && this.button.childNodes.length) return;
    plays(this.button, playing, t(playing ? "song.stop" : "song.play"));
  }

  /** @param {number} quarter */
  at(quarter) {
    if (this.#held) return;
    this.range.value = String(quarter);
    this.#tell(quarter);
  }

  /** @param {number} quarter */
  #tell(quarter) {
    const { bar, beat } = spoken(this.#picture?.bars ?? [], quarter);
    const seconds = Math.floor(secondsAt(this.#tempos, quarter));
    const time = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
    const text = `${bar}.${beat}  ${time}`;
    if (this.place.textContent !== text) this.place.textContent = text;
    this.range.setAttribute("aria-valuetext", t("song.at", { bar, beat }));
    this.range.style.setProperty("--share", `${(100 * quarter) / Math.max(1, this.#end)}%`);
  }

  /** @param {string} id @param {string} value @param {string} label */
  #bar(id, value, label) {
    const typed = () => {
      const [first, last] = this.#looped();
      this.deeds.loop({ firstBar: first.number, lastBar: last.number });
      this.heed();
    };
    return h("input", { type: "number", id, min: "1", value, "aria-label": label, onchange: typed });
  }

  /** The first and the last bar of the loop. */
  #looped() {
    const bars = this.#picture?.bars ?? [];
    const numbers = [this.first, this.last].map((input) => clamp(Number(input.value) || 1, 1, bars.length));
    return [bars[Math.min(...numbers) - 1], bars[Math.max(...numbers) - 1]];
  }

  /** Let these bars be those of the loop. @param {{firstBar: number, lastBar: number}} span @param {boolean} [on] */
  span({ firstBar, lastBar }, on = this.loop.checked) {
    this.first.value = String(firstBar);
    this.last.value = String(lastBar);
    this.loop.checked = on;
    this.heed();
  }

  /** Apply the loop. */
  heed() {
    const [from, to] = this.#looped();
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
      check(metronome, t("song.metronome")),
      check(count, t("song.count")),
      h("p", { class: "meaning" }, t("song.mixer.what")),
    ];
  }
}
