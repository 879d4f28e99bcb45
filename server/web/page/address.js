/** The fragment of the address: a view and its options. Pure functions. */

import { OPTIONS } from "./options.js";
import { placedOf, placeOf, textOf, withValue } from "./spans.js";

/**
 * Options of the drummer, who decides the missing ones. `seed` is digits, `groove` a name of the book, `beat` a
 * groove of another kind, which no address can hold, `track` the guitar, by number or name,
 * and `model` the drummer. `sections` are those
 * that the user names, such as "verse 1-8, chorus 9-16". `beats` is what is said of the file's own. Texts of places are
 * `groove_places` "9-16=one-drop", `fill_at` and `no_fills_in` bars; `without` and `instead` have pieces.
 *
 * @typedef {Partial<Record<typeof MORE_PLACES[number], string>>} Placing
 * @typedef {import("./options.js").Values & Beats & Placing & {track?: string, model?: string, sections?: string, beat?: Beat, own?: Record<string, Beat>}} Wishes
 * @typedef {{title: string, midi: Uint8Array, bars?: import("./spans.js").Span}} Beat a groove that is not in the book: bars of a file; `own` has those of places, by the names that `groove_places` gives them
 */
/**
 * What is said of a file's beats. Unset: what the file says; `follow` unset: only where it was played without a click.
 *
 * @typedef {{bpm?: number, meter?: string, first_downbeat?: number, follow?: boolean, beat_scale?: number}} Beats
 */

/** The numbers and their ranges. @type {Record<string, readonly [number, number]>} */
export const LEVELS = Object.fromEntries(OPTIONS.flatMap(({ name, range }) => (range ? [[name, range]] : [])));
const WORDS = [...OPTIONS.filter(({ kind }) => kind === "text").map(({ name }) => name), "track", "meter", "model"];
const MORE_PLACES = /** @type {const} */ (["groove_places", "fill_at", "no_fills_in", "without", "instead"]);
const PLACES = [...OPTIONS.filter(({ kind }) => kind === "places").map(({ name }) => name), ...MORE_PLACES, "sections"];
/** The numbers that are said of beats, and their ranges. @type {Record<string, readonly [number, number]>} */
const BEAT_NUMBERS = { bpm: [30, 300], first_downbeat: [0, 3600], beat_scale: [0.5, 2] };
const BEATS = /** @type {const} */ (["bpm", "meter", "first_downbeat", "follow", "beat_scale"]);
const MOST_WORD = 64;
/** The longest text of places, in characters. */
export const MOST_PLACES = 2000;

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
  const values = Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
  const { groove_places: places, ...others } = values;
  const booked = places && textOf(placedOf(places).filter(({ value }) => !wishes.own?.[value]));
  return booked ? { ...others, groove_places: booked } : others;
}

/**
 * Wishes with a groove of one's own in some bars.
 *
 * @param {Wishes} wishes
 * @param {Beat} beat
 * @param {readonly import("./spans.js").Span[]} spans
 * @param {readonly import("./spans.js").Section[]} sections that the places of the wishes name
 * @returns {Wishes}
 */
export function withOwn(wishes, beat, spans, sections) {
  const name = `own-${Object.keys(wishes.own ?? {}).length + 1}`;
  const placed = spans.reduce((those, span) => withValue(those, span, name), placedOf(wishes.groove_places, sections));
  return { ...wishes, own: { ...wishes.own, [name]: beat }, groove_places: textOf(placed) };
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
  const { groove, beat, own, takes, time, time_places: timePlaces, percussion, percussion_places: percussionPlaces, groove_places: grooves, fill_at: fills, no_fills_in: plain, without, ...others } = wishes;
  /** @type {Record<string, unknown>} */
  const config = { ...others, explain: true };
  for (const name of BEATS) delete config[name];
  const given = (/** @type {Beat} */ { midi, bars }) => ({ midi, ...(bars ? { bars } : {}) });
  const whole = beat ? [given(beat)] : groove ? [{ name: groove }] : [];
  const placed = placedOf(grooves).map(({ value, ...span }) => ({ section: placeOf(span), ...(own?.[value] ? given(own[value]) : { name: value }) }));
  if (whole.length || placed.length) config.groove = [...whole, ...placed];
  if (fills) config.fill_at = placedOf(fills).map(({ firstBar }) => firstBar);
  if (plain) config.no_fills_in = placedOf(plain).map(({ firstBar, lastBar }) => ({ firstBar, lastBar }));
  if (without) config.without = without.split(",");
  if (time || timePlaces) config.time = [time, timePlaces].filter(Boolean).join(","); // the contract has one text
  if (percussion || percussionPlaces) config.percussion = [percussion, percussionPlaces].filter(Boolean).join(",");
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
  const names = [...OPTIONS.filter(({ isChoosing }) => isChoosing).map(({ name }) => name), "beat", "track", "model"];
  return names.some((name) => before[name] !== now[name]);
}

/**
 * The configuration of one of several takes: with its seed, and on its own grooves unless one is wished for, or it was
 * made without given ones.
 *
 * @param {Wishes} wishes
 * @param {{seed: string, isFree?: boolean, grooves: readonly {section: string, name: string}[]}} take
 * @returns {Record<string, unknown>}
 */
export function configOfTake(wishes, { seed, isFree, grooves }) {
  /** @type {Record<string, unknown>} */
  const config = { ...configOf(wishes), seed, takes: 1 };
  if (wishes.groove || wishes.beat || isFree || !grooves.length) return config;
  // With given grooves the bars are plain and the song is not built, unless both are asked for.
  const placed = /** @type {object[]} */ (config.groove ?? []);
  const { temperature = 1, arrange = "on" } = wishes;
  return { ...config, groove: [...grooves.map(({ section, name }) => ({ section, name })), ...placed], temperature, arrange };
}
