/** Bars of a song: wishes for some of them, as the texts that the contract has for them, and its sections as the user names them. Pure functions. */

import { clamp } from "./basics.js";

/** @typedef {{firstBar: number, lastBar: number}} Span */
/** @typedef {import("./api.js").Section} Section */
/** @typedef {Span & {value: string}} Placed A value of some bars; "" where the bars alone are the wish. */

/** @param {Span} span */
export const placeOf = ({ firstBar, lastBar }) => `${firstBar}-${lastBar}`;

/** @param {Span} one @param {Span} other */
export const isSame = (one, other) => one.firstBar === other.firstBar && one.lastBar === other.lastBar;

/** The numbers of all bars. @param {readonly Span[]} spans */
export const barsIn = (spans) => spans.flatMap(({ firstBar, lastBar }) => Array.from({ length: lastBar - firstBar + 1 }, (_, index) => firstBar + index));

/** @param {Span} one @param {number} bar */
export const has = ({ firstBar, lastBar }, bar) => firstBar <= bar && bar <= lastBar;

/**
 * The bars and values of a text such as "chorus=0.9,9-16=0.2", the later ones over those before them.
 *
 * @param {string | undefined} text
 * @param {readonly Section[]} [sections] that its names mean
 * @returns {Placed[]}
 */
export function placedOf(text, sections = []) {
  const items = (text ?? "").split(",").filter((item) => item.trim());
  return items.flatMap((item) => {
    const [place, value = ""] = item.split("=").map((part) => part.trim());
    const bars = /^(\d+)(?:\s*[-:]\s*(\d+))?$/.exec(place);
    if (bars) return [{ firstBar: Number(bars[1]), lastBar: Number(bars[2] ?? bars[1]), value }];
    const named = sections.filter(({ name }) => place === "all" || name.toLowerCase() === place.toLowerCase());
    return named.map(({ firstBar, lastBar }) => ({ firstBar, lastBar, value }));
  });
}

/** @param {readonly Placed[]} placed */
export const textOf = (placed) => placed.map(({ value, ...span }) => placeOf(span) + (value && `=${value}`)).join(",");

/**
 * The value of all bars of a span; undefined if they have none, or not the same.
 *
 * @param {readonly Placed[]} placed
 * @param {Span} span
 */
export function valueIn(placed, { firstBar, lastBar }) {
  const at = (/** @type {number} */ bar) => placed.findLast((one) => has(one, bar))?.value;
  const first = at(firstBar);
  for (let bar = firstBar + 1; bar <= lastBar; bar++) if (at(bar) !== first) return undefined;
  return first;
}

/**
 * The same values, but another one in a span; undefined: none.
 *
 * @param {readonly Placed[]} placed
 * @param {Span} span
 * @param {string | undefined} value
 * @returns {Placed[]} in order of their bars, none over another
 */
export function withValue(placed, span, value) {
  /** @type {Placed[]} */
  let flat = [];
  for (const one of placed) flat = [...cut(flat, one), one];
  const others = cut(flat, span);
  return (value === undefined ? others : [...others, { ...span, value }]).sort((one, other) => one.firstBar - other.firstBar);
}

/**
 * What is left of some spans, or of values of theirs, without the bars of another.
 *
 * @template {Span} S
 * @param {readonly S[]} spans
 * @param {Span} span
 * @returns {S[]}
 */
const cut = (spans, { firstBar, lastBar }) =>
  spans.flatMap((one) => [{ ...one, lastBar: Math.min(one.lastBar, firstBar - 1) }, { ...one, firstBar: Math.max(one.firstBar, lastBar + 1) }].filter((left) => left.firstBar <= left.lastBar));

/** Spans without some bars, such as locked ones. @param {readonly Span[]} spans @param {readonly number[]} bars @returns {readonly Span[]} */
export const without = (spans, bars) => bars.reduce((left, bar) => cut(left, { firstBar: bar, lastBar: bar }), spans);

// --- sections --------------------------------------------------------------------------------------------------------

/**
 * Sections as the option `sections` has them, such as "verse 1-8, chorus 9-16".
 *
 * @param {readonly Section[]} sections
 */
export const sectionsText = (sections) => sections.map(({ name, firstBar, lastBar }) => `${name} ${firstBar}-${lastBar}`).join(", ");

/** A name without the signs that end one in an option. @param {string} name */
const plain = (name) => name.replace(/[,=]/g, " ").replace(/\s+/g, " ").trim();

/**
 * Rename sections: all of this name, which are played alike, or one of them.
 *
 * @param {readonly Section[]} sections
 * @param {number} index
 * @param {string} name
 * @param {boolean} [all]
 * @returns {readonly Section[]} the same ones if the name is empty
 */
export function renamed(sections, index, name, all = true) {
  const to = plain(name);
  if (!to) return sections;
  return sections.map((section, at) => (at === index || (all && section.name === sections[index].name) ? { ...section, name: to } : section));
}

/**
 * Split the section that a bar is in; the bar begins the second half, which gets a name of its own.
 *
 * @param {readonly Section[]} sections
 * @param {number} bar
 * @returns {readonly Section[]} the same ones if a section begins there
 */
export function split(sections, bar) {
  return sections.flatMap((section) => {
    const { name, firstBar, lastBar } = section;
    if (bar <= firstBar || bar > lastBar) return [section];
    const others = new Set(sections.map((one) => one.name));
    let number = 2;
    while (others.has(`${name} ${number}`)) number++;
    return [{ name, firstBar, lastBar: bar - 1 }, { name: `${name} ${number}`, firstBar: bar, lastBar }];
  });
}

/**
 * Join a section with the next one, which loses its name.
 *
 * @param {readonly Section[]} sections
 * @param {number} index
 * @returns {readonly Section[]} the same ones if it is the last
 */
export function joined(sections, index) {
  const [one, next] = [sections[index], sections[index + 1]];
  if (!one || !next) return sections;
  return sections.flatMap((section, at) => (at === index ? [{ ...one, lastBar: next.lastBar }] : at === index + 1 ? [] : [section]));
}

/**
 * Let a section begin with another bar; the one before it ends there. No section loses its last bar.
 *
 * @param {readonly Section[]} sections
 * @param {number} index from 1
 * @param {number} bar
 * @returns {readonly Section[]}
 */
export function moved(sections, index, bar) {
  const [before, one] = [sections[index - 1], sections[index]];
  if (!before || !one) return sections;
  const firstBar = clamp(bar, before.firstBar + 1, one.lastBar);
  return sections.map((section, at) => (at === index - 1 ? { ...before, lastBar: firstBar - 1 } : at === index ? { ...one, firstBar } : section));
}

/**
 * Whether two lists have the same borders, and the same sections alike: then no bar is played otherwise.
 *
 * @param {readonly Section[]} one
 * @param {readonly Section[]} other
 */
export function isSameForm(one, other) {
  const alike = (/** @type {readonly Section[]} */ all) => all.map(({ name }) => all.findIndex((section) => section.name === name)).join();
  return one.length === other.length && one.every(({ firstBar }, at) => firstBar === other[at].firstBar) && alike(one) === alike(other);
}
