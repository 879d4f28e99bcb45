/** The options of the form. Made by `python proto/options.py` of seq2drum/music/options.py. */

/**
 * @typedef {object} Values
 * @property {string} [style]
 * @property {string} [groove]
 * @property {string} [percussion]
 * @property {number} [intensity]
 * @property {number} [complexity]
 * @property {number} [daring]
 * @property {number} [fills]
 * @property {number} [humanize]
 * @property {number} [swing]
 * @property {string} [arrange]
 * @property {string} [ending]
 * @property {string} [pieces]
 * @property {string} [time]
 * @property {string} [seed]
 * @property {number} [takes]
 * @property {number} [temperature]
 * @property {string} [intensity_places]
 * @property {string} [complexity_places]
 * @property {string} [fills_places]
 * @property {string} [time_places]
 * @property {string} [percussion_places]
 * @property {string} [half_time]
 * @property {string} [out]
 * @property {string} [enter]
 */

/**
 * @typedef {object} Option
 * @property {keyof Values} name
 * @property {"number" | "text" | "whole" | "places"} kind places: a text of sections and bars
 * @property {readonly [number, number]} [range] of a number, its ends
 * @property {readonly string[]} [words] of a text that is one of a few words
 * @property {boolean} [isInPanel] whether the panel of a part has a control of its own for it
 * @property {boolean} [isChoosing] whether a change affects all takes, not only the chosen one
 */

/** In the order in which they are shown. @type {readonly Option[]} */
export const OPTIONS = [
  { name: "style", kind: "text", isChoosing: true },
  { name: "groove", kind: "text", isInPanel: true, isChoosing: true },
  { name: "percussion", kind: "text", words: ["auto", "tambourine", "shaker", "clap", "cowbell", "congas", "bongos", "block", "triangle"], isInPanel: true },
  { name: "intensity", kind: "number", range: [0, 1], isInPanel: true },
  { name: "complexity", kind: "number", range: [0, 1], isInPanel: true },
  { name: "daring", kind: "number", range: [0, 1], isChoosing: true },
  { name: "fills", kind: "number", range: [0, 1] },
  { name: "humanize", kind: "number", range: [0, 1] },
  { name: "swing", kind: "number", range: [0, 1] },
  { name: "arrange", kind: "text", words: ["auto", "on", "off"] },
  { name: "ending", kind: "text", words: ["auto", "ring", "choke", "ritard", "none"] },
  { name: "pieces", kind: "text", words: ["kit", "all"] },
  { name: "time", kind: "text", words: ["hat", "ride", "open"], isInPanel: true },
  { name: "seed", kind: "whole", isChoosing: true },
  { name: "takes", kind: "whole", isChoosing: true },
  { name: "temperature", kind: "number", range: [0, 2] },
  { name: "intensity_places", kind: "places", isInPanel: true },
  { name: "complexity_places", kind: "places", isInPanel: true },
  { name: "fills_places", kind: "places", isInPanel: true },
  { name: "time_places", kind: "places", isInPanel: true },
  { name: "percussion_places", kind: "places", isInPanel: true },
  { name: "half_time", kind: "places", isInPanel: true },
  { name: "out", kind: "places", isInPanel: true },
  { name: "enter", kind: "places" },
];
