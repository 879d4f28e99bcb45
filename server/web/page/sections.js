/** Sections as the user names them: renamed, split, joined, with other borders. Pure functions between plain values. */

/** @typedef {import("./api.js").Section} Section */

/**
 * Sections as the option `sections` has them, such as "verse 1-8, chorus 9-16".
 *
 * @param {readonly Section[]} sections
 */
export const textOf = (sections) => sections.map(({ name, firstBar, lastBar }) => `${name} ${firstBar}-${lastBar}`).join(", ");

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
  const firstBar = Math.min(Math.max(bar, before.firstBar + 1), one.lastBar);
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
