/** What a jam looks like: a light for the beat, the kit, this bar and the next one, and what was heard of the guitar. */

import { drawing } from "./cards.js";
import { fill, h } from "./dom.js";
import { Drumkit } from "./drumkit.js";
import { grooveName } from "./groove_names.js";
import { heardOf } from "./record.js";
import { before } from "./schedule.js";
import { t } from "./words.js";

/** @import {Jamming} from "./jamming.js" */
/** @import {JamBar} from "./record.js" */
/** @import {Note} from "./schedule.js" */

const FADES = 600; // milliseconds in which the level falls
const BACK = 3; // bars whose hits may still light

export class Board {
  #kit = new Drumkit(null);
  #lights = h("div", { class: "beat-lights", "aria-hidden": "true" });
  #place = h("output", { class: "place", "aria-label": t("song.place") });
  #now = card("jam.now");
  #next = card("jam.next");
  #heard = h("p", { class: "jam-heard" });
  #level = h("span", {});
  #at = 0; // the position of the last frame

  constructor() {
    const heard = h("section", { class: "panel jam-card" }, h("h2", {}, t("jam.heard")), h("div", { id: "jam-level", class: "jam-level", "aria-hidden": "true" }, this.#level), this.#heard);
    const beat = h("div", { class: "jam-beat" }, this.#lights, this.#place);
    this.root = h("div", { class: "jam-board" }, h("div", { class: "jam-seen" }, beat, this.#kit.root), this.#next.root, this.#now.root, heard);
  }

  /** Bars or notes have changed. @param {Jamming} jamming */
  show(jamming) {
    const { playing, index, bars, told } = jamming;
    this.#now.show(bars[index], t(playing && index < 0 ? "jam.counting" : "jam.nothing"));
    this.#next.show(playing ? bars[index + 1] : undefined, t(playing ? "jam.undecided" : "jam.nothing"), playing ? bars[index] : undefined);
    this.#heard.textContent = heardOf(told) || t("jam.nothing");
    this.#place.textContent = index < 0 ? "" : t("song.bar", { bar: index + 1 });
    const none = /** @type {ReadonlySet<string>} */ (new Set());
    this.#kit.show(bars.slice(-BACK).flatMap(({ hits }) => hits), { muted: none, solo: none, without: none, instead: new Map() }); // prettier-ignore
    if (!playing) this.#light(-1, this.#lights.childElementCount || 4);
  }

  /** A frame of a running jam. @param {Jamming} jamming @param {readonly Note[]} notes of a file as the guitarist, in order */
  at(jamming, notes) {
    const { now } = jamming;
    const { beat, beats } = jamming.beat;
    this.#light(beat, beats);
    this.#kit.at(now, true);
    const [from, to] = [this.#at, now].map((quarter) => before(notes, quarter));
    for (const { velocity } of notes.slice(from, to)) this.struck(velocity);
    this.#at = now;
  }

  /** Move the level: a note was played. @param {number} velocity */
  struck(velocity) {
    this.#level.animate([{ transform: `scaleX(${velocity / 127})` }, { transform: "scaleX(0)" }], { duration: FADES, easing: "ease-out" });
    this.#level.dataset.last = `${velocity}`;
  }

  /** @param {number} beat -1: none @param {number} beats */
  #light(beat, beats) {
    if (this.#lights.childElementCount !== beats) fill(this.#lights, ...Array.from({ length: beats }, () => h("span", {})));
    for (const [at, light] of [...this.#lights.children].entries()) light.classList.toggle("on", at === beat);
  }
}

/** A bar as a drawing, and in words. @param {string} key of its heading */
function card(key) {
  const beat = h("div", { class: "jam-drawing" });
  const words = h("p", { class: "jam-bar" });
  /** @type {JamBar | undefined} */
  let shown;
  return {
    root: h("section", { class: "panel jam-card" }, h("h2", {}, t(key)), beat, words),
    /** @param {JamBar | undefined} bar @param {string} otherwise @param {JamBar} [likely] drawn faintly in place of none */
    show(bar, otherwise, likely) {
      words.textContent = bar ? said(bar) : otherwise;
      beat.classList.toggle("likely", !bar);
      const drawn = bar ?? likely;
      if (drawn !== shown || !beat.childElementCount) fill(beat, drawing(drawn?.hits ?? [], drawn));
      shown = drawn;
    },
  };
}

/** A bar in words. @param {JamBar} bar */
function said({ number, section, last, fill: isFill, again, groove }) {
  const what = last ? t("jam.bar.last") : isFill ? t("jam.bar.fill") : again ? t("jam.bar.again") : grooveName(groove);
  return t("jam.bar", { bar: number, section, what });
}
