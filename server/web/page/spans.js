/** Wishes for some bars, as the texts that the contract has for them: read, and changed. Pure functions. */

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

/** What is left of some values without the bars of a span. @param {readonly Placed[]} placed @param {Span} span @returns {Placed[]} */
function cut(placed, { firstBar, lastBar }) {
  return placed.flatMap((one) => {
    const [before, after] = [{ ...one, lastBar: Math.min(one.lastBar, firstBar - 1) }, { ...one, firstBar: Math.max(one.firstBar, lastBar + 1) }];
    return [before, after].filter((left) => left.firstBar <= left.lastBar);
  });
}
