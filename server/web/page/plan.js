/** How the drums build a song, section by section: what the strip under its picture shows. Pure functions. */

/**
 * @typedef {object} PlannedSection A section of a plan, as in the contract.
 * @property {number} firstBar
 * @property {number} lastBar
 * @property {string} name
 * @property {number} [enters] the bar that the drums come in with; none if they play nothing of the section
 * @property {string} cymbal that keeps time; "" if none does
 * @property {number} level ratio of its hits to the mean of the song
 * @property {number} loudness factor of its velocities
 */

const STEEP = 0.9; // share of the strip's height for each e-fold of hits, from its half

/** Whether sections differ, or the drums wait in some: only then there is something to show. @param {readonly PlannedSection[]} plan */
export const isBuilt = (plan) =>
  plan.some(({ firstBar, enters, cymbal, level, loudness }) => enters !== firstBar || level !== 1 || loudness !== 1 || cymbal !== plan[0].cymbal);

/** The share of the strip's height that a section takes: the fuller, the taller. @param {number} level */
export const fullness = (level) => Math.min(1, Math.max(0.1, 0.5 + STEEP * Math.log(level)));

/** The section of a bar. @param {readonly PlannedSection[]} plan @param {number} bar */
export const sectionAt = (plan, bar) => plan.find(({ firstBar, lastBar }) => firstBar <= bar && bar <= lastBar);

/** The bars in which the drums play of a section, and those before in which they wait. @param {PlannedSection} section */
export function spansOf({ firstBar, lastBar, enters = lastBar + 1 }) {
  return { waits: enters > firstBar ? [firstBar, enters - 1] : null, plays: enters <= lastBar ? [enters, lastBar] : null };
}
