/** The view without a guitar. */

import { fill, h } from "./dom.js";
import { t } from "./words.js";

/**
 * @param {HTMLElement} root
 * @param {import("./main.js").App} _app
 */
export function mountBeats(root, _app) {
  fill(root, h("p", {}, t("frame.beats")));
  return { shown() {}, hidden() {}, address: () => /** @type {Record<string, string>} */ ({}) };
}
