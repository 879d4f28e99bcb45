/** The options of the beat machine: their panel, their address and their brief for the server. */

import { clamp } from "./basics.js";
import { check, coloured, ends, field, h, menu, press } from "./dom.js";
import { GRIDS } from "./patterns.js";
import { t } from "./words.js";

/** @typedef {Record<string, any>} Json */
/** @typedef {{genres: string[], bpm: number, family: string, variability: number, temperature: number, every: number, places: number, seed: number}} Wishes `every`: bars from fill to fill, 0: no fills */
/** @typedef {(wishes: Partial<Wishes>) => void} Wish */

const BPM = { least: 40, most: 240 };
const TAME = 0.5; // a temperature that gives beats plain enough to play to
const FAMILIES = ["book", "step", "words", "bar", "phrase", "loop"];
const BOOK = "book"; // knows all genres
const UNLEARNT = new Set(["trap", "metal", "blues", "country", "punk", "ballad", "house", "drumandbass"]);
const FILLS = [0, 2, 4, 8, 16];

/**
 * The brief for the server, with the number of places in a bar, which is not part of the request.
 * @param {Wishes} wishes
 */
export function briefOf({ family, genres, bpm, variability, temperature, every, places, seed }) {
  const known = family === BOOK ? genres : genres.filter((name) => !UNLEARNT.has(name));
  return { model: family, genres: known.map((name) => ({ name })), bpm, variability, temperature, fill: every || undefined, places, seed };
}

/**
 * The values of an address; see `wishesOf`.
 * @param {Wishes} wishes
 * @returns {Record<string, string>}
 */
export function addressOf({ genres, bpm, family, variability, temperature, every, places, seed }) {
  return { genres: genres.join(","), bpm: `${bpm}`, family, variability: `${variability}`, temperature: `${temperature}`, fill: `${every}`, grid: `${places}`, seed: `${seed}` };
}

/**
 * The options in an address, with defaults.
 * @param {Record<string, string>} values
 * @param {Record<string, any>} generators
 * @returns {Wishes}
 */
export function wishesOf(values, generators) {
  const number = (/** @type {string} */ name, /** @type {number} */ usual, /** @type {number} */ least, /** @type {number} */ most) => {
    const value = values[name] ? Number(values[name]) : NaN;
    return value >= least && value <= most ? value : usual;
  };
  const of = (/** @type {number[]} */ all, /** @type {string} */ name, /** @type {number} */ usual) => {
    const value = number(name, usual, 0, 64);
    return all.includes(value) ? value : usual;
  };
  const families = generators.generators.map((/** @type {{id: string}} */ one) => one.id);
  const genres = (values.genres ?? "rock").split(",").filter((name) => generators.genres.includes(name));
  return {
    genres,
    bpm: Math.round(number("bpm", 110, BPM.least, BPM.most)),
    family: families.includes(values.family) ? values.family : generators.defaultGenerator,
    variability: number("variability", 0.2, 0, 1),
    temperature: number("temperature", TAME, 0, 2),
    every: of(FILLS, "fill", 4),
    places: of(GRIDS, "grid", 24),
    seed: Math.floor(number("seed", crypto.getRandomValues(new Uint32Array(1))[0], 0, 2 ** 32)),
  };
}

/**
 * The panel. wish: called with what has changed.
 * @param {Json} generators
 * @param {Wishes} wishes which the owner keeps up to date
 * @param {Wish} wish
 */
export function briefPanel(generators, wishes, wish) {
  const tempi = tempo(wishes, wish);
  return h(
    "section",
    { class: "panel wishes", "aria-label": t("beats.panel") },
    tempi.field,
    genrePanel(generators, wishes, wish, tempi.show),
    family(generators, wishes, wish),
    level(wishes, wish, "variability", "beats.variability", 1),
    level(wishes, wish, "temperature", "wish.temperature", 2),
    every(wishes, wish),
  );
}

/** The tempo: its field, and a function that shows another one. @param {Wishes} wishes @param {Wish} wish */
function tempo(wishes, wish) {
  const { bpm } = wishes;
  const about = { min: String(BPM.least), max: String(BPM.most), step: "1", value: String(bpm) };
  const range = h("input", { type: "range", "aria-label": t("right.tempo"), ...about });
  const number = h("input", { type: "number", id: "beats-bpm", ...about });
  const set = (/** @type {HTMLInputElement} */ from) => {
    const value = clamp(Math.round(Number(from.value)) || bpm, BPM.least, BPM.most);
    number.value = range.value = String(value);
    coloured(range);
    if (value !== wishes.bpm) wish({ bpm: value });
  };
  range.addEventListener("input", () => set(range));
  number.addEventListener("change", () => set(number));
  set(range);
  const show = (/** @type {number} */ value) => {
    range.value = String(value);
    set(range);
  };
  return { show, field: h("div", { class: "field" }, h("div", { class: "field-top" }, h("label", { htmlFor: "beats-bpm" }, t("right.tempo")), number, h("span", { class: "meaning" }, "bpm")), range) };
}

/** @param {Json} generators @param {Wishes} wishes @param {Wish} wish @param {(bpm: number) => void} setTempo */
function genrePanel(generators, wishes, wish, setTempo) {
  const mix = h("input", { type: "checkbox", id: "beats-mix", checked: wishes.genres.length > 1 });
  const chips = generators.genres.map((/** @type {string} */ name, /** @type {number} */ place) => {
    const chip = h("button", { class: "chip", "aria-pressed": String(wishes.genres.includes(name)) }, t(`genre.${name}`));
    chip.addEventListener("click", () => {
      const { genres } = wishes;
      const others = mix.checked ? genres.filter((one) => one !== name) : [];
      const now = genres.includes(name) ? others : [...others, name];
      chips.forEach((/** @type {HTMLElement} */ one, /** @type {number} */ at) => press(one, now.includes(generators.genres[at])));
      wish({ genres: now });
      if (now.length === 1 && now[0] === name && generators.genreBpm) setTempo(generators.genreBpm[place]);
    });
    return chip;
  });
  return h(
    "div",
    { class: "field", role: "group", "aria-labelledby": "beats-genres" },
    h("h2", { id: "beats-genres" }, t("beats.genres")),
    h("div", { class: "chips" }, ...chips),
    check(mix, t("beats.mix")),
    h("p", { class: "meaning" }, t("beats.genres.how")),
  );
}

/** @param {Json} generators @param {Wishes} wishes @param {Wish} wish */
function family(generators, wishes, wish) {
  const there = new Set(generators.generators.map((/** @type {{id: string}} */ one) => one.id));
  const about = h("p", { class: "meaning", id: "beats-family-about" });
  const tell = (/** @type {string} */ name) => (about.textContent = t(`family.${name}.about`));
  const words = FAMILIES.map((name) => /** @type {const} */ ([name, t(`family.${name}`)]));
  const select = menu("beats-family", words, wishes.family, (name) => (tell(name), wish({ family: name })), { "aria-describedby": "beats-family-about" });
  for (const option of select.options) option.disabled = !there.has(option.value);
  tell(wishes.family);
  const loop = there.has("loop") ? null : h("p", { class: "meaning" }, `${t("family.loop")}: ${t("family.loop.about")}`);
  return field(t("drummer.label"), select, about, loop);
}

/**
 * A slider.
 * @param {Wishes} wishes
 * @param {Wish} wish
 * @param {"variability" | "temperature"} name
 * @param {string} words the key of its words
 * @param {number} most
 */
function level(wishes, wish, name, words, most) {
  const id = `beats-${name}`;
  const range = h("input", { type: "range", id, min: "0", max: String(most), step: "0.05", value: String(wishes[name]) });
  const shown = h("output", { htmlFor: id });
  const tell = () => {
    shown.textContent = Number(range.value).toFixed(2);
    coloured(range);
  };
  range.addEventListener("input", tell);
  range.addEventListener("change", () => wish({ [name]: Number(range.value) }));
  tell();
  return h(
    "div",
    { class: "field" },
    h("div", { class: "field-top" }, h("label", { htmlFor: id }, t(words)), shown),
    range,
    ends(t(`${words}.least`), t(`${words}.most`)),
  );
}

/** @param {Wishes} wishes @param {Wish} wish */
function every(wishes, wish) {
  const words = FILLS.map((bars) => /** @type {const} */ ([bars, bars ? t("beats.every.n", { bars }) : t("beats.every.0")]));
  return field(t("wish.fills"), menu("beats-every", words, wishes.every, (bars) => wish({ every: Number(bars) })));
}
