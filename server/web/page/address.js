/** The fragment of the address: a view and its options. Pure functions. */

import { OPTIONS } from "./options.js";

/**
 * Options of the drummer, who decides the missing ones. `seed` is digits, `groove` a name of the book, `beat` a
 * groove of another kind, which no address can hold, and `track` the guitar, by number or name. `sections` are those
 * that the user names, such as "verse 1-8, chorus 9-16". `beats` is what is said of the file's own.
 *
 * @typedef {import("./options.js").Values & Beats & {track?: string, sections?: string, beat?: {title: string, midi: Uint8Array}}} Wishes
 */
/**
 * What is said of a file's beats. Unset: what the file says; `follow` unset: only where it was played without a click.
 *
 * @typedef {{bpm?: number, meter?: string, first_downbeat?: number, follow?: boolean, beat_scale?: number}} Beats
 */

/** The numbers and their ranges. @type {Record<string, readonly [number, number]>} */
export const LEVELS = Object.fromEntries(OPTIONS.flatMap(({ name, range }) => (range ? [[name, range]] : [])));
const WORDS = [...OPTIONS.filter(({ kind }) => kind === "text").map(({ name }) => name), "track", "meter"];
const PLACES = [...OPTIONS.filter(({ kind }) => kind === "places").map(({ name }) => name), "sections"];
/** The numbers that are said of beats, and their ranges. @type {Record<string, readonly [number, number]>} */
const BEAT_NUMBERS = { bpm: [30, 300], first_downbeat: [0, 3600], beat_scale: [0.5, 2] };
const BEATS = /** @type {const} */ (["bpm", "meter", "first_downbeat", "follow", "beat_scale"]);
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
  /** @type {Record<string, string | number | boolean>} */
  const wishes = {};
  for (const [name, [least, most]] of Object.entries({ ...LEVELS, ...BEAT_NUMBERS })) {
    const value = Number(values[name] || NaN);
    if (value >= least && value <= most) wishes[name] = value;
  }
  for (const [names, most] of /** @type {const} */ ([[WORDS, MOST_WORD], [PLACES, MOST_PLACES]])) {
    for (const name of names) if (values[name] && values[name].length <= most) wishes[name] = values[name];
  } // prettier-ignore
  if (values.follow === "true" || values.follow === "false") wishes.follow = values.follow === "true";
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
  const held = [...Object.keys(LEVELS), ...WORDS, ...PLACES, ...BEATS, "seed", "takes"];
  const all = Object.entries(wishes).filter(([name, value]) => held.includes(name) && value !== undefined && value !== "");
  return Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
}

/** What is said of the beats, alone. @param {Wishes} wishes @returns {Beats} */
export const beatsOf = (wishes) => Object.fromEntries(BEATS.filter((name) => wishes[name] !== undefined).map((name) => [name, wishes[name]]));

/** Whether two wishes say the same of the beats. @param {Wishes} one @param {Wishes} other */
export const isOnSameBeats = (one, other) => BEATS.every((name) => one[name] === other[name]);

/** Whether a song has to be listened to again. @param {Wishes} before @param {Wishes} now */
export const isHeardAnew = (before, now) => !isOnSameBeats(before, now) || before.track !== now.track || before.sections !== now.sections;

/**
 * Options as a configuration of the contract, without those of the beats: a song is played to as it was brought to them.
 *
 * @param {Wishes} wishes
 * @returns {Record<string, unknown>}
 */
export function configOf(wishes) {
  const { groove, beat, takes, time, time_places: timePlaces, ...others } = wishes;
  /** @type {Record<string, unknown>} */
  const config = { ...others, explain: true };
  for (const name of BEATS) delete config[name];
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
