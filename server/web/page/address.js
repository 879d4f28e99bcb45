/** The fragment of the address: a view and its options. Pure functions. */

import { OPTIONS } from "./options.js";

/**
 * Options of the drummer, who decides the missing ones. `seed` is digits, `groove` a name of the book, `beat` a
 * groove of another kind, which no address can hold, and `track` the guitar, by number or name.
 *
 * @typedef {import("./options.js").Values & {track?: string, beat?: {title: string, midi: Uint8Array}}} Wishes
 */

/** The numbers and their ranges. @type {Record<string, readonly [number, number]>} */
export const LEVELS = Object.fromEntries(OPTIONS.flatMap(({ name, range }) => (range ? [[name, range]] : [])));
const WORDS = [...OPTIONS.filter(({ kind }) => kind === "text").map(({ name }) => name), "track"];
const PLACES = OPTIONS.filter(({ kind }) => kind === "places").map(({ name }) => name);
const MOST_WORD = 64;
/** The longest text of places, in characters. */
export const MOST_PLACES = 400;

/**
 * @param {string} fragment with or without "#"
 * @returns {{view: string, values: Record<string, string>}}
 */
export function parts(fragment) {
  const { view, ...values } = Object.fromEntries(new URLSearchParams(fragment.replace(/^#/, "")));
  return { view: view || "song", values };
}

/**
 * @param {string} view
 * @param {Record<string, string>} values
 */
export const fragment = (view, values) => `#${new URLSearchParams({ view, ...values })}`;

/**
 * The options in an address; invalid ones are ignored, as their author cannot correct them.
 *
 * @param {Record<string, string>} values
 * @returns {Wishes}
 */
export function wishesOf(values) {
  /** @type {Record<string, string | number>} */
  const wishes = {};
  for (const [name, [least, most]] of Object.entries(LEVELS)) {
    const value = Number(values[name] || NaN);
    if (value >= least && value <= most) wishes[name] = value;
  }
  for (const [names, most] of /** @type {const} */ ([[WORDS, MOST_WORD], [PLACES, MOST_PLACES]])) {
    for (const name of names) if (values[name] && values[name].length <= most) wishes[name] = values[name];
  } // prettier-ignore
  if (/^\d{1,19}$/.test(values.seed ?? "")) wishes.seed = values.seed;
  const takes = Number(values.takes);
  if (Number.isInteger(takes) && takes >= 1 && takes <= 8) wishes.takes = takes;
  return wishes;
}

/**
 * Options as the values of an address.
 *
 * @param {Wishes} wishes
 * @returns {Record<string, string>}
 */
export function valuesOf(wishes) {
  const held = [...Object.keys(LEVELS), ...WORDS, ...PLACES, "seed", "takes"];
  const all = Object.entries(wishes).filter(([name, value]) => held.includes(name) && value !== undefined && value !== "");
  return Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
}

/**
 * Options as a configuration of the contract.
 *
 * @param {Wishes} wishes
 * @returns {Record<string, unknown>}
 */
export function configOf(wishes) {
  const { groove, beat, takes, time, time_places: timePlaces, ...others } = wishes;
  /** @type {Record<string, unknown>} */
  const config = { ...others, explain: true };
  if (beat) config.groove = [{ midi: beat.midi }];
  else if (groove) config.groove = [{ name: groove }];
  if (time || timePlaces) config.time = [time, timePlaces].filter(Boolean).join(","); // the contract has one text
  if (takes) config.takes = takes;
  return config;
}

/**
 * Whether changed options need other takes; otherwise the chosen take is changed.
 *
 * @param {Wishes} before
 * @param {Wishes} now
 */
export function isOfAllTakes(before, now) {
  /** @type {(keyof Wishes)[]} */
  const names = [...OPTIONS.filter(({ isChoosing }) => isChoosing).map(({ name }) => name), "beat", "track"];
  return names.some((name) => before[name] !== now[name]);
}

/**
 * The configuration of one of several takes: with its seed, and on its own grooves unless one
 * is wished for.
 *
 * @param {Wishes} wishes
 * @param {{seed: string, grooves: readonly {section: string, name: string}[]}} take
 * @returns {Record<string, unknown>}
 */
export function configOfTake(wishes, { seed, grooves }) {
  /** @type {Record<string, unknown>} */
  const config = { ...configOf(wishes), seed, takes: 1 };
  if (config.groove || !grooves.length) return config;
  // With given grooves the bars are plain, unless the temperature is set.
  return { ...config, groove: grooves.map(({ section, name }) => ({ section, name })), temperature: wishes.temperature ?? 1 };
}
