/** The line "Is this right?": tempo, metre, bars and guitar of the file, each with its corrections, of one action each. */

import { beatsOf } from "./address.js";
import { clamp } from "./basics.js";
import { check, fill, h, menu, named, options } from "./dom.js";
import { secondsAt } from "./schedule.js";
import { because, t } from "./words.js";

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./session.js").Analysis} Analysis */
/** @typedef {import("./address.js").Wishes} Wishes */
/** @typedef {import("./address.js").Beats} Beats */

const METRES = ["4/4", "3/4", "6/8", "12/8", "2/4", "5/4", "7/8", "9/8"];
const NARROW = "(max-width: 560px)"; // as in style.css: there a click on the facts opens the corrections
const SCALES = [0.5, 1, 2];
const TAPS = 4; // the fewest that tell a tempo
const PAUSE = 1500; // milliseconds without a tap, after which the tempo is taken
const ALIKE = 0.06; // by how much a tapped tempo may be off
const DRIFTS = 0.03; // share of the tempo

/**
 * The tempo of taps, by the median of their distances; null if they are too few.
 *
 * @param {readonly number[]} times in milliseconds
 */
export function tapped(times) {
  if (times.length < TAPS) return null;
  const apart = times.slice(1).map((time, index) => time - times[index]).sort((one, other) => one - other); // prettier-ignore
  return 60_000 / apart[apart.length >> 1];
}

/**
 * What a tapped tempo says of the beats: nothing if it is that of the file, another scale if it is twice or half of it,
 * else itself.
 *
 * @param {number} bpm tapped
 * @param {number} now the tempo on the whole
 * @param {Beats} beats what is said so far
 * @returns {Beats}
 */
export function saidByTaps(bpm, now, beats) {
  const scale = SCALES.find((one) => Math.abs(bpm / (now * one) - 1) < ALIKE);
  const whole = (beats.beat_scale ?? 1) * (scale ?? NaN);
  if (scale === 1) return beats;
  if (SCALES.includes(whole)) return { ...beats, beat_scale: whole === 1 ? undefined : whole };
  return { ...beats, bpm: Math.round(clamp(bpm, 30, 300)), beat_scale: undefined, follow: undefined };
}

/** The tempo of a song on the whole, and whether it drifts. @param {Analysis["timeline"]} timeline */
export function tempoOf({ tempos, quarters, seconds }) {
  const bpm = seconds ? (60 * quarters) / seconds : (tempos[0]?.bpm ?? 120);
  return { bpm, drifts: tempos.some((tempo) => Math.abs(tempo.bpm / bpm - 1) > DRIFTS) };
}

/**
 * The second at which a bar begins if barlines are moved.
 *
 * @param {Pick<Analysis, "bars" | "timeline">} analysis
 * @param {number} beats by which they are moved
 */
export function movedDownbeat({ bars, timeline }, beats) {
  const whole = bars.find((bar, index) => index > 0 || bar.quarters >= (bars[1]?.quarters ?? 0)) ?? bars[0];
  const quarter = whole.quarter + (beats * whole.quarters) / whole.beats;
  return secondsAt([...timeline.tempos], quarter < 0 ? quarter + whole.quarters : quarter);
}

export class Right {
  #session;
  #place;
  /** @type {number[]} */
  #taps = [];
  #timer = 0;
  /** @type {{analysis?: Analysis, wishes?: Wishes}} */
  #shown = {};

  /** @param {Session} session @param {() => number} place the position of the sound, in quarters */
  constructor(session, place) {
    this.#session = session;
    this.#place = place;
    this.facts = h("summary", { class: "right-facts" });
    const scale = (/** @type {number} */ by) => button(`tempo-${by === 2 ? "double" : "half"}`, t(by === 2 ? "right.double" : "right.half"), by === 2 ? "×2" : "×½", () => this.#scale(by));
    this.half = scale(0.5);
    this.double = scale(2);
    this.tap = h("button", { id: "tempo-tap", class: "button", title: t("right.tap.what"), onclick: () => this.#tapped() }, t("right.tap"));
    this.metre = menu("metre", [], "", (meter) => this.#say({ meter }), { "aria-label": t("right.metre") });
    this.earlier = button("one-earlier", t("right.earlier"), "‹", () => this.#move(-1));
    this.later = button("one-later", t("right.later"), "›", () => this.#move(1));
    this.here = h("button", { id: "one-here", class: "button", title: t("right.here.what"), onclick: () => this.#here() }, t("right.here"));
    this.follow = h("input", { type: "checkbox", id: "follow", onchange: () => this.#follow() });
    this.free = check(this.follow, h("span", {}, t("right.free")));
    this.file = h("button", { id: "as-in-file", class: "link", onclick: () => this.#asInFile() }, t("right.file"));
    this.parts = h("div", { class: "choices" });
    this.together = h("button", { id: "all-parts", class: "button", onclick: () => this.#together() });
    this.reason = h("p", { class: "meaning", id: "guitar-why" });
    this.guitar = h("details", { class: "menu right-guitar" }, h("summary", { class: "button", id: "guitar" }, t("right.guitar"), " ▾"), h("div", { class: "menu-body" }, this.reason, this.parts, this.together));
    const corrections = h(
      "div",
      { class: "right-more" },
      h("div", { class: "row", role: "group", "aria-label": t("right.tempo") }, this.half, this.double, this.tap),
      h("div", { class: "row" }, this.metre),
      h("div", { class: "row", role: "group", "aria-label": t("right.one") }, this.earlier, h("span", { "aria-hidden": "true" }, "1"), this.later, this.here),
      this.guitar, this.file,
    ); // prettier-ignore
    const narrow = matchMedia(NARROW);
    const line = h("details", { open: !narrow.matches }, this.facts, corrections);
    narrow.addEventListener("change", () => (line.open = !narrow.matches));
    this.root = h("section", { class: "right", "aria-label": t("right.label") }, line, this.free);
  }

  /** Show what the session has understood. */
  show() {
    const { analysis, doc } = this.#session;
    if (!analysis || (analysis === this.#shown.analysis && doc.wishes === this.#shown.wishes)) return;
    this.#shown = { analysis, wishes: doc.wishes };
    const { timeline, bars, guitar, tracks, fit } = analysis;
    const beats = beatsOf(doc.wishes);
    const { bpm, drifts } = tempoOf(timeline);
    const metre = this.#metre(analysis);
    const parts = tracks.filter((track) => !track.isDrums && track.notes);
    const names = parts.filter(({ number }) => guitar.tracks.includes(number)).map(({ name, number }) => name || `${number}`);
    const shown = names.length > 1 ? t("right.parts", { count: names.length, first: names[0] }) : (names[0] ?? "");
    this.facts.textContent = t(drifts ? "right.facts.drifts" : "right.facts", { tempo: Math.round(bpm), metre, bars: bars.length, guitar: shown });
    this.half.disabled = !SCALES.includes((beats.beat_scale ?? 1) / 2);
    this.double.disabled = !SCALES.includes((beats.beat_scale ?? 1) * 2);
    fill(this.metre, ...options([...new Set([metre, ...METRES])].map((value) => [value, value])));
    this.metre.value = metre;
    this.free.hidden = !fit?.isFree && beats.follow === undefined;
    this.follow.checked = beats.follow === true;
    this.file.hidden = !Object.keys(beats).some((name) => name !== "follow");
    this.reason.textContent = because(guitar.reason);
    fill(this.parts, ...parts.map((part) => this.#part(part, guitar.tracks)));
    this.together.hidden = parts.length < 2 || names.length === parts.length;
    this.together.textContent = t("song.which.all", { count: parts.length });
  }

  /** The metre of the first whole bar. @param {Analysis} analysis */
  #metre({ timeline, bars }) {
    const at = bars.length > 1 && bars[0].quarters < bars[1].quarters ? bars[1].quarter : 0;
    const metre = timeline.meters.filter(({ quarter }) => quarter <= at + 1e-6).at(-1);
    return metre ? `${metre.numerator}/${metre.denominator}` : "4/4";
  }

  /** @param {Analysis["tracks"][number]} part @param {readonly number[]} chosen */
  #part({ number, name, notes }, chosen) {
    const box = h("input", { type: "checkbox", value: String(number), checked: chosen.includes(number), onchange: () => this.#listen() });
    return check(box, t("song.part", { number, name: name || t("song.nameless"), notes }));
  }

  // --- corrections ---------------------------------------------------------------------------------------------------

  /** @param {Beats} beats what is said in addition; undefined takes back */
  #say(beats) {
    this.#session.wish({ ...this.#session.doc.wishes, ...beats });
  }

  /** @param {number} by */
  #scale(by) {
    const whole = (this.#session.doc.wishes.beat_scale ?? 1) * by;
    this.#say({ beat_scale: whole === 1 ? undefined : whole });
  }

  #tapped() {
    clearTimeout(this.#timer);
    this.#taps.push(performance.now());
    const bpm = tapped(this.#taps);
    this.tap.textContent = bpm ? t("right.tapped", { tempo: Math.round(bpm) }) : t("right.tap");
    this.#timer = Number(setTimeout(() => this.#takeTaps(), PAUSE));
  }

  #takeTaps() {
    const bpm = tapped(this.#taps);
    this.#taps = [];
    this.tap.textContent = t("right.tap");
    const { analysis, doc } = this.#session;
    if (bpm && analysis) this.#say(saidByTaps(bpm, tempoOf(analysis.timeline).bpm, beatsOf(doc.wishes)));
  }

  /** Move the barlines. @param {number} beats */
  #move(beats) {
    const { analysis } = this.#session;
    if (analysis) this.#say({ first_downbeat: movedDownbeat(analysis, beats) });
  }

  /** A bar begins at the beat nearest to the position. */
  #here() {
    const { analysis } = this.#session;
    const at = this.#place();
    const bar = analysis?.bars.findLast(({ quarter }) => quarter <= at + 1e-6);
    if (!analysis || !bar) return;
    const beat = bar.quarters / bar.beats;
    const quarter = bar.quarter + Math.round((at - bar.quarter) / beat) * beat;
    this.#say({ first_downbeat: secondsAt([...analysis.timeline.tempos], quarter) });
  }

  #follow() {
    this.#say({ follow: this.follow.checked });
  }

  #asInFile() {
    this.#say({ bpm: undefined, meter: undefined, first_downbeat: undefined, beat_scale: undefined });
  }

  #listen() {
    const boxes = /** @type {NodeListOf<HTMLInputElement>} */ (this.parts.querySelectorAll("input:checked"));
    const track = [...boxes].map((box) => box.value).join();
    if (track) this.#session.wish({ ...this.#session.doc.wishes, track });
    else {
      this.#shown = {}; // somebody has to play
      this.show();
    }
  }

  #together() {
    const all = [...this.parts.querySelectorAll("input")].map((box) => box.value);
    this.guitar.open = false;
    this.#session.wish({ ...this.#session.doc.wishes, track: all.join() });
  }
}

/** @param {string} id @param {string} label @param {string} text @param {() => void} onclick */
const button = (id, label, text, onclick) => h("button", { id, class: "button", ...named(label), onclick }, text);
