/** How the drums build a song, section by section: what the form shows. Pure functions. */

import { clamp } from "./basics.js";
import { has, placedOf, valueIn } from "./spans.js";

/**
 * @typedef {object} PlannedSection A section of a plan, as in the contract.
 * @property {number} firstBar
 * @property {number} lastBar
 * @property {string} name
 * @property {number} [enters] the bar that the drums come in with; none if they play nothing of the section
 * @property {string} cymbal that keeps time; "" if none does
 * @property {number} level ratio of its hits to the mean of the song
 * @property {number} loudness factor of its velocities
 * @property {string} [groove] its name
 */

/** The wishes that have places. */
const WISHED = /** @type {const} */ (["intensity_places", "complexity_places", "fills_places", "time_places", "percussion_places", "groove_places", "half_time", "out", "fill_at", "no_fills_in"]);
const STEEP = 0.9; // share of a block's height for each e-fold of hits, from its half

/** The share of a block's height that a section takes: the fuller, the taller. @param {number} level */
export const fullness = (level) => clamp(0.5 + STEEP * Math.log(level), 0.1, 1);

/** The section of a bar. @param {readonly PlannedSection[]} plan @param {number} bar */
export const sectionAt = (plan, bar) => plan.find((section) => has(section, bar));

/** The bars in which the drums play of a section, and those before in which they wait. @param {PlannedSection} section */
export function spansOf({ firstBar, lastBar, enters = lastBar + 1 }) {
  return { waits: enters > firstBar ? [firstBar, enters - 1] : null, plays: enters <= lastBar ? [enters, lastBar] : null };
}

/**
 * The blocks of a form: each section with what is played and asked for there.
 *
 * @param {readonly import("./api.js").Section[]} sections
 * @param {readonly PlannedSection[]} plan
 * @param {import("./address.js").Wishes} wishes
 * @param {(name: string) => string} titleOf the title of a groove of the book
 * @returns {import("./form.js").Block[]}
 */
export function blocksOf(sections, plan, wishes, titleOf) {
  const placed = (/** @type {string | undefined} */ text) => placedOf(text, sections);
  const all = WISHED.map((name) => placed(wishes[name]));
  return sections.map((section) => {
    const row = sectionAt(plan, section.firstBar);
    const groove = valueIn(placed(wishes.groove_places), section) ?? wishes.groove ?? row?.groove ?? "";
    return {
      ...section,
      plan: row && row.lastBar === section.lastBar ? row : undefined,
      groove: wishes.beat && !groove ? wishes.beat.title : titleOf(groove),
      isOut: valueIn(placed(wishes.out), section) !== undefined,
      isHalf: valueIn(placed(wishes.half_time), section) !== undefined,
      isWished: all.some((those) => those.some(({ firstBar, lastBar }) => firstBar <= section.lastBar && lastBar >= section.firstBar)),
    };
  });
}

/**
 * The same sections, and one of this name wherever none is, as before the guitar begins.
 *
 * @param {readonly import("./api.js").Section[]} sections
 * @param {number} bars of the song
 * @param {string} name
 */
export function filledUp(sections, bars, name) {
  const filled = [];
  let next = 1;
  for (const section of [...sections, { name: "", firstBar: bars + 1, lastBar: bars + 1 }]) {
    if (section.firstBar > next) filled.push({ name, firstBar: next, lastBar: section.firstBar - 1 });
    if (section.firstBar <= bars) filled.push(section);
    next = section.lastBar + 1;
  }
  return filled;
}
