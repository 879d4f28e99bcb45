/** All words of the page, in its languages. */

import { remembered, remember } from "./settings.js";
import { OPTION_WORDS } from "./words_options.js";
import { SAID_WORDS } from "./words_said.js";
import { SONG_WORDS } from "./words_song.js";
import { VIEW_WORDS } from "./words_views.js";

/** Languages by their codes. */
export const LANGUAGES = { en: "English", de: "Deutsch" };
/** @typedef {keyof typeof LANGUAGES} Code */

const CODES = /** @type {Code[]} */ (Object.keys(LANGUAGES));
/** @type {Record<string, readonly string[]>} */
const WORDS = { ...SONG_WORDS, ...OPTION_WORDS, ...SAID_WORDS, ...VIEW_WORDS };
const KEY = "seq2drum.language";

/** @type {Code} */
let code = known(remembered(KEY)) ?? known(globalThis.navigator?.language.slice(0, 2)) ?? "en";

/** The language of the page. */
export const language = () => code;

/** @param {string} wanted a code of LANGUAGES */
export function setLanguage(wanted) {
  code = known(wanted) ?? code;
  remember(KEY, code);
}

/**
 * A sentence or label in the language of the page.
 *
 * @param {string} key
 * @param {Record<string, string | number>} [values] what its braces stand for
 */
export function t(key, values = {}) {
  const text = WORDS[key]?.[CODES.indexOf(code)] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

/**
 * The explanation of some bars in the language of the page; in English if the server's version has pieces that this page does not know.
 *
 * @param {{text: string, pieces?: readonly {what: string, values: Record<string, string>}[]}} explanation
 */
export function said({ text, pieces = [] }) {
  const isKnown = pieces.length && pieces.every(({ what }) => `said.${what}` in WORDS);
  return isKnown ? pieces.map(({ what, values }) => t(`said.${what}`, what === "instead" ? inWords(values) : values)).join("") : text;
}

/** Names of pieces of the kit. @param {Record<string, string>} names */
const inWords = (names) => Object.fromEntries(Object.entries(names).map(([key, name]) => [key, t(`piece.${name}`)]));

/**
 * The reason why a part is the guitar, in the language of the page; in English if the page does not know it.
 *
 * @param {string} reason
 */
export const because = (reason) => translated(["why.program", "why.named", "why.only", "why.hex", "why.chosen"], reason);

/**
 * What the server remarks on a song to learn from, in the language of the page; in English if the page does not know it.
 *
 * @param {string} remark
 */
export const heard = (remark) =>
  translated(["heard.noDrums", "heard.noGuitar", "heard.unreadable", "heard.noNotes", "heard.offBars", "heard.short", "heard.longBar", "heard.copy", "heard.named", "heard.slow", "heard.large"], remark);

/** A sentence of the server by the keys that it may have. @param {readonly string[]} keys @param {string} text */
function translated(keys, text) {
  for (const key of keys) {
    const found = new RegExp(`^${WORDS[key][0].replace(/\{(\w+)\}/g, "(?<$1>.+)")}$`).exec(text);
    if (found) return t(key, found.groups);
  }
  return text;
}

/** @param {string | null | undefined} wanted @returns {Code | undefined} */
function known(wanted) {
  return CODES.find((one) => one === wanted);
}
