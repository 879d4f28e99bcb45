/** What the address says behind its "#": which view, and what is wished for in it. Pure functions. */

/**
 * @typedef {object} Wishes What is asked of the drummer. What is not there, the drummer decides.
 * @property {string} [style]
 * @property {number} [intensity]
 * @property {number} [complexity]
 * @property {number} [fills]
 * @property {number} [swing]
 * @property {number} [humanize]
 * @property {number} [daring]
 * @property {string} [groove] a name of the book
 * @property {{title: string, midi: Uint8Array}} [beat] in place of a groove of the book; no address can hold it
 * @property {string} [ending]
 * @property {string} [time]
 * @property {string} [pieces]
 * @property {number} [temperature]
 * @property {string} [track] the guitar, by number or name
 * @property {string} [seed] digits
 * @property {number} [takes]
 */

/** The numbers, and how far each goes. @type {Record<string, [number, number]>} */
export const LEVELS = {
  intensity: [0, 1], complexity: [0, 1], fills: [0, 1], swing: [0, 1], humanize: [0, 1], daring: [0, 1], temperature: [0, 2],
}; // prettier-ignore
const WORDS = ["style", "groove", "ending", "time", "pieces", "track"];
const MOST_WORD = 64;

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
 * The wishes that an address holds; what makes no sense is passed over, as whoever wrote it is not here to mend it.
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
  for (const name of WORDS) {
    if (values[name] && values[name].length <= MOST_WORD) wishes[name] = values[name];
  }
  if (/^\d{1,19}$/.test(values.seed ?? "")) wishes.seed = values.seed;
  const takes = Number(values.takes);
  if (Number.isInteger(takes) && takes >= 1 && takes <= 8) wishes.takes = takes;
  return wishes;
}

/**
 * Wishes as an address holds them.
 *
 * @param {Wishes} wishes
 * @returns {Record<string, string>}
 */
export function valuesOf(wishes) {
  const held = [...Object.keys(LEVELS), ...WORDS, "seed", "takes"];
  const all = Object.entries(wishes).filter(([name, value]) => held.includes(name) && value !== undefined && value !== "");
  return Object.fromEntries(all.map(([name, value]) => [name, String(value)]));
}

/**
 * Wishes as a configuration of the contract.
 *
 * @param {Wishes} wishes
 * @returns {Record<string, unknown>}
 */
export function configOf(wishes) {
  const { groove, beat, takes, ...others } = wishes;
  /** @type {Record<string, unknown>} */
  const config = { ...others, explain: true };
  if (beat) config.groove = [{ midi: beat.midi }];
  else if (groove) config.groove = [{ name: groove }];
  if (takes) config.takes = takes;
  return config;
}

/**
 * Whether other takes answer what has changed in wishes; everything else acts on the take that is chosen.
 *
 * @param {Wishes} before
 * @param {Wishes} now
 */
export function isOfAllTakes(before, now) {
  /** @type {(keyof Wishes)[]} */
  const names = ["style", "groove", "beat", "daring", "seed", "takes", "track"];
  return names.some((name) => before[name] !== now[name]);
}

/**
 * The configuration that makes one of several takes with some wishes: with its seed, and on its own grooves unless one
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
  // Where grooves are asked for bars are plain, unless it is said how free they are.
  return { ...config, groove: grooves.map(({ section, name }) => ({ section, name })), temperature: wishes.temperature ?? 1 };
}
