/** What a guitarist calls a groove: its title without counts, in the language of the page. */

import { language } from "./words.js";

/** Parts of titles that a drawing tells better. */
const COUNTS = /^(kick (?!on)[\d&e a+let rip]*|busy kick.*|no kick.*|snare [\d&e a+let rip]*|open( hat)? [\d&e a+let rip]*|.*\(\d+\))$/;
const MOST_PARTS = 3;

/** Whole parts of titles, and then words in them: English, German. @type {readonly (readonly [RegExp, string, string])[]} */
const WORDS = [
  [/^backbeat$/, "backbeat", "Backbeat"],
  [/^no backbeat$/, "no backbeat", "ohne Backbeat"],
  [/^swing$/, "swing", "Swing"],
  [/^shuffle$/, "shuffle", "Shuffle"],
  [/^waltz$/, "waltz", "Walzer"],
  [/^jazz waltz$/, "jazz waltz", "Jazzwalzer"],
  [/^toms?$/, "toms", "Toms"],
  [/^(16th|quarter|sparse|broken) (open hat|foot hat|hat|ride bell|ride|crash|shaker|tambourine|cowbell)$/, "$2, $1", "$2, $1"],
  [/^open hat offbeats$/, "open hi-hat on the offbeats", "offene Hi-Hat auf den Offbeats"],
  [/^hat, open hat offbeats$/, "open hi-hat on the offbeats", "offene Hi-Hat auf den Offbeats"],
  [/^kick and snare by turns$/, "kick and snare by turns", "Bassdrum und Snare im Wechsel"],
  [/^snare before every head$/, "snare leads into each group", "Snare vor jeder Gruppe"],
  [/^snare on the last group$/, "snare on the last group", "Snare auf der letzten Gruppe"],
  [/^snare on every beat$/, "snare on every beat", "Snare auf jedem Schlag"],
  [/^often open$/, "often open", "oft offen"],
  [/^no cymbal$/, "no cymbal", "ohne Becken"],
  [/\bopen hat\b/, "open hi-hat", "offene Hi-Hat"],
  [/\bfoot hat\b/, "hi-hat with the foot", "getretene Hi-Hat"],
  [/(?<!hi-|Hi-)\bhat\b/, "hi-hat", "Hi-Hat"],
  [/\bride bell\b/, "bell of the ride", "Ride-Glocke"],
  [/\bride\b(?!-)/, "ride", "Ride"],
  [/\bcrash\b/, "crash", "Crash"],
  [/\bside stick\b/, "side stick", "Sidestick"],
  [/\bclap\b/, "clap", "Clap"],
  [/\bghost notes\b/, "ghost notes", "Ghostnotes"],
  [/\bwith brushes\b/, "with brushes", "mit Besen"],
  [/\bkick on every beat\b/, "kick on every beat", "Bassdrum auf jedem Schlag"],
  [/\bhalf-time\b/, "half-time", "Half-Time"],
  [/\bdouble-time\b/, "double-time", "Double-Time"],
  [/\b16th\b/, "sixteenths", "Sechzehntel"],
  [/\bquarter(s?)\b/, "quarters", "Viertel"],
  [/\bsparse\b/, "sparse", "sparsam"],
  [/\btambourine\b/, "tambourine", "Tamburin"],
  [/\bsnare\b(?! on| leads)/, "snare", "Snare"],
  [/\bslow\b/, "slow", "langsame"],
  [/\bsoft\b/, "soft", "leise"],
  [/\bloud\b/, "loud", "laute"],
  [/\bin two bars\b/, "in two bars", "in zwei Takten"],
  [/\bin two\b/, "in two", "in zwei"],
];

/**
 * The plain name of a groove: "half-time, bell of the ride" for "half-time, ride bell, kick 1 3&".
 *
 * @param {string} title
 */
export function grooveName(title) {
  const parts = title.split(", ").filter((part) => !COUNTS.test(part));
  const plain = (parts.length ? parts : [title.split(", ")[0]]).slice(0, MOST_PARTS).map((part) => {
    let text = part;
    for (const [word, english, german] of WORDS) text = text.replace(word, language() === "de" ? german : english);
    return text;
  });
  const text = plain.join(", ").replaceAll(/([Hh]i)-([Hh]at)/g, "$1\u2011$2"); // no line ends in it
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/**
 * The grooves that all words of a text are of: of their titles, names and styles, in either language.
 *
 * @template {Record<string, any>} G
 * @param {readonly G[]} grooves
 * @param {string} text
 * @returns {G[]} those whose plain names begin with the text first
 */
export function searched(grooves, text) {
  const words = text.toLowerCase().split(/[\s,]+/).filter(Boolean); // prettier-ignore
  const told = (/** @type {G} */ { name, title, style }) => `${grooveName(title).replaceAll("\u2011", "-")} ${title} ${name.replaceAll("-", " ")} ${name} ${style ?? ""}`.toLowerCase();
  const found = grooves.filter((groove) => words.every((word) => told(groove).includes(word)));
  const rank = (/** @type {G} */ groove) => Number(!grooveName(groove.title).toLowerCase().startsWith(text.toLowerCase()));
  return found.sort((one, other) => rank(one) - rank(other));
}
