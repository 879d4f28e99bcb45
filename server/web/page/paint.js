/** Paints the visible part of a song's picture on a canvas: guitar above, drums below, as the project's pictures. */

import { clamp } from "./basics.js";
import { family, isCymbal } from "./places.js";
import { before, endOf } from "./schedule.js";
import { t } from "./words.js";

/** @typedef {import("./schedule.js").Bar} Bar */
/** @typedef {import("./schedule.js").Hit} Hit */
/** @typedef {import("./schedule.js").Note} Note */
/**
 * @typedef {object} Picture What is shown.
 * @property {Bar[]} bars
 * @property {readonly {firstBar: number, lastBar: number, name: string}[]} sections
 * @property {Note[]} guitar in order
 * @property {readonly Hit[]} hits in order
 * @property {ReadonlySet<Hit>} clicked edited hits, which stay when bars are played again
 * @property {ReadonlyMap<number, "fill" | "break">} signs by the number of the bar
 * @property {ReadonlySet<number>} locks numbers of bars
 * @property {number} made bars with drums
 * @property {readonly string[]} rows pieces from the top
 * @property {ReadonlySet<string>} silent muted pieces
 * @property {number} grid places a quarter
 */
/**
 * @typedef {object} View
 * @property {number} left the quarter at the left edge
 * @property {number} scale pixels a quarter
 * @property {number} width pixels
 * @property {{row: number, quarter: number} | null} cursor the cell with the keyboard focus
 * @property {{hit: Hit, velocity: number} | null} dragged
 */

/** Heights in pixels, for a window of usual height; see `fitted`. */
export const SIZE = { head: 42, section: 19, guitar: 72, gap: 6, row: 24, foot: 20, letters: 12 };
const SIZES = [
  [1700, 58, 330, 72, 32, 21], // a window of this height or more: row, guitar, head, section, letters
  [1350, 42, 250, 54, 24, 15],
  [1100, 34, 180, 50, 23, 14],
  [780, 24, 72, 42, 19, 12],
  [0, 24, 66, 42, 19, 12],
];
const [LEAST_ROW, USUAL_ROWS] = [24, 9];
const [LEAST_GUITAR, GUITAR] = [48, 72];
/** Pixels before the first barline, for early hits. */
export const LEAD = 10;
const LEAST_CELL = 7; // narrower cells are not drawn
const LEAST_HIT = 15; // pixels a quarter: with less, rows show how much is played in each bar, not each hit
const FULL_BAR = 16; // hits
const COLOURS = ["paper", "raised", "ink", "soft", "line", "faint", "accent", "guitar", "fill", "fill-word", "lock", "hit-kick", "hit-snare", "hit-hat", "hit-cymbal", "hit-tom", "hit-other"];

/**
 * Set the heights to fit the window: more rows than usual share the height of the usual ones, as far as they can be read,
 * and then that of the guitar.
 *
 * @param {{innerHeight: number, innerWidth: number}} window
 * @param {number} rows
 */
export function fitted({ innerHeight, innerWidth }, rows) {
  const [, usual, wanted, head, section, letters] = /** @type {number[]} */ (SIZES.find(([least]) => innerHeight >= least));
  const row = clamp(Math.floor((usual * USUAL_ROWS) / rows), LEAST_ROW, usual);
  const most = Math.min(wanted, Math.max(GUITAR, innerWidth / 7)); // a narrow window has more above it
  const guitar = clamp(USUAL_ROWS * usual + most - rows * row, LEAST_GUITAR, most);
  Object.assign(SIZE, { row, guitar, head, section, letters, foot: section });
}

/** The height of a picture. @param {Pick<Picture, "rows">} picture */
export const tall = ({ rows }) => topOf(rows.length) + SIZE.foot;

/** The upper edge of a row. @param {number} row */
export const topOf = (row) => SIZE.head + SIZE.guitar + SIZE.gap + row * SIZE.row;

/**
 * The colours of the page's theme.
 *
 * @param {Element} element
 * @returns {Record<string, string>}
 */
export function colours(element) {
  const probe = document.createElement("i");
  element.append(probe);
  const found = COLOURS.map((name) => {
    probe.style.color = `var(--${name})`;
    return [name, getComputedStyle(probe).color];
  });
  probe.remove();
  return Object.fromEntries(found);
}

/**
 * What draws on a canvas, as dense as the screen is.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {number} width in pixels of the page
 * @param {number} height
 */
export function brushOf(canvas, width, height) {
  const dense = devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * dense), Math.round(height * dense)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const to = canvas.getContext("2d");
  to?.setTransform(dense, 0, 0, dense, 0, 0);
  return to;
}

/** How many bars lie between two whose numbers have room. @param {number} wide a bar, in pixels @param {number} room for a number */
export const everyBar = (wide, room) => [1, 2, 4, 8, 16, 32].find((count) => count * wide >= room) ?? 64;

/**
 * @param {CanvasRenderingContext2D} to
 * @param {Picture} picture
 * @param {View} view
 * @param {Record<string, string>} colour
 */
export function paint(to, picture, view, colour) {
  const height = tall(picture);
  to.clearRect(0, 0, view.width, height);
  to.font = `${SIZE.letters}px ${getComputedStyle(document.body).fontFamily}`;
  const x = (/** @type {number} */ quarter) => LEAD + (quarter - view.left) * view.scale;
  const right = view.left + (view.width - LEAD) / view.scale;
  const first = Math.max(0, before(picture.bars, view.left - LEAD / view.scale, (bar) => bar.quarter + bar.quarters));
  const seen = [];
  for (let index = first; index < picture.bars.length && picture.bars[index].quarter < right; index++) seen.push(picture.bars[index]);
  const brush = { to, picture, view, colour, x, right, height };
  for (const bar of seen) ground(brush, bar);
  for (const bar of seen) lines(brush, bar);
  rules(brush);
  for (const bar of seen) heads(brush, bar);
  sectionNames(brush);
  guitar(brush);
  if (view.scale < LEAST_HIT) density(brush);
  else hits(brush);
  cursor(brush);
}

/**
 * @typedef {object} Brush
 * @property {CanvasRenderingContext2D} to
 * @property {Picture} picture
 * @property {View} view
 * @property {Record<string, string>} colour
 * @property {(quarter: number) => number} x
 * @property {number} right the quarter at the right edge
 * @property {number} height
 */

/** @param {Brush} brush @param {Bar} bar */
function ground({ to, picture, colour, x, height }, bar) {
  const [left, right] = [x(bar.quarter), x(bar.quarter + bar.quarters)];
  const [drums, bottom] = [topOf(0), topOf(picture.rows.length)];
  if (picture.locks.has(bar.number)) {
    to.fillStyle = colour.lock;
    to.globalAlpha = 0.13;
    to.fillRect(left, SIZE.section, right - left, height - SIZE.section);
    to.globalAlpha = 1;
  }
  const word = picture.signs.get(bar.number);
  if (word) {
    to.fillStyle = colour.fill;
    to.fillRect(left, drums, right - left, bottom - drums);
    to.fillStyle = colour["fill-word"];
    to.textBaseline = "middle";
    if (right - left > 24) to.fillText(t(`said.${word}`), left + 4, height - SIZE.foot / 2, right - left - 6);
  }
  if (bar.number > picture.made) {
    to.fillStyle = colour.faint;
    to.fillRect(left, drums, right - left, bottom - drums);
  }
}

/** @param {Brush} brush @param {Bar} bar */
function lines({ to, picture, view, colour, x, height }, bar) {
  const [top, drums, bottom] = [SIZE.head, topOf(picture.rows.length), height - SIZE.foot];
  const rule = (/** @type {number} */ quarter, /** @type {string} */ name, /** @type {number} */ wide, from = top, until = bottom) => {
    to.fillStyle = colour[name];
    to.fillRect(Math.round(x(quarter)), from, wide, until - from);
  };
  const beat = bar.quarters / bar.beats;
  if (view.scale / picture.grid >= LEAST_CELL) {
    for (let cell = 1; cell < bar.quarters * picture.grid - 1e-6; cell++) rule(bar.quarter + cell / picture.grid, "faint", 1, topOf(0), drums);
  }
  if (view.scale * beat >= LEAST_CELL) {
    for (let at = 1; at < bar.beats; at++) rule(bar.quarter + at * beat, "line", 1, top, drums);
  }
  const begins = picture.sections.some((section) => section.firstBar === bar.number);
  rule(bar.quarter, begins ? "ink" : "soft", begins ? 2 : 1, SIZE.section);
  if (bar.number === picture.bars.length) rule(bar.quarter + bar.quarters, "ink", 2, SIZE.section);
}

/** The lines between rows. @param {Brush} brush */
function rules({ to, picture, view, colour, x }) {
  const end = Math.min(view.width, x(endOf(picture.bars)));
  to.fillStyle = colour.line;
  for (let row = 0; row <= picture.rows.length; row++) to.fillRect(0, topOf(row), end, 1);
  to.fillRect(0, SIZE.head, end, 1);
}

/** Numbers of bars, and which are locked. @param {Brush} brush @param {Bar} bar */
function heads({ to, picture, colour, x }, bar) {
  const [left, right] = [x(bar.quarter), x(bar.quarter + bar.quarters)];
  const locked = picture.locks.has(bar.number);
  const middle = SIZE.section + (SIZE.head - SIZE.section) / 2;
  if (locked) {
    to.fillStyle = colour.lock;
    to.fillRect(left + 1, SIZE.section, right - left - 1, SIZE.head - SIZE.section);
  }
  to.textBaseline = "middle";
  to.fillStyle = locked ? colour.raised : colour.ink;
  const every = everyBar(right - left, 28);
  if ((bar.number - 1) % every === 0) to.fillText(String(bar.number), left + 5, middle + 1);
  if (locked && right - left > 40) padlock(to, right - 14, middle);
}

/** @param {CanvasRenderingContext2D} to @param {number} x @param {number} y */
function padlock(to, x, y) {
  to.fillRect(x - 5, y - 1, 10, 7);
  to.strokeStyle = to.fillStyle;
  to.lineWidth = 1.6;
  to.beginPath();
  to.arc(x, y - 2, 3.2, Math.PI, 0);
  to.stroke();
}

/** Names of sections stay at the left edge while one of their bars is visible. @param {Brush} brush */
function sectionNames({ to, picture, view, colour, x, right }) {
  const { bars, sections } = picture;
  const plain = to.font;
  to.textBaseline = "middle";
  for (const { firstBar, lastBar, name } of sections) {
    const [begin, end] = [bars[firstBar - 1], bars[lastBar - 1]];
    if (!begin || !end || begin.quarter > right || x(end.quarter + end.quarters) < 0) continue;
    const stop = x(end.quarter + end.quarters) - 4;
    const left = clamp(x(begin.quarter), 4, stop - 14);
    to.font = `bold ${plain}`;
    const wide = Math.min(to.measureText(name).width + 12, stop - left);
    to.fillStyle = colour.ink;
    to.beginPath();
    to.roundRect(left, 2, Math.max(wide, 10), SIZE.section - 4, 4);
    to.fill();
    to.fillStyle = colour.raised;
    if (wide > 14) to.fillText(name, left + 6, SIZE.section / 2 + 0.5, wide - 8);
    to.font = plain;
    if (left > view.width) break;
  }
}

/** @param {Brush} brush */
function guitar({ to, picture, view, colour, x, right }) {
  const notes = picture.guitar;
  if (!notes.length) return;
  let [low, high, longest] = [127, 0, 0];
  for (const note of notes) {
    low = Math.min(low, note.pitch);
    high = Math.max(high, note.pitch);
    longest = Math.max(longest, note.quarters);
  }
  [low, high] = [low - 1, Math.max(high + 2, low + 12)];
  const step = (SIZE.guitar - 8) / (high - low);
  const thick = clamp(step, 3, SIZE.row / 3);
  to.fillStyle = colour.guitar;
  const begin = before(notes, view.left - longest - 1);
  for (let index = begin; index < notes.length && notes[index].quarter < right; index++) {
    const { quarter, quarters, pitch, velocity } = notes[index];
    const left = x(quarter);
    const wide = Math.max(2.5, quarters * view.scale - 1.5);
    if (left + wide < 0) continue;
    to.globalAlpha = 0.35 + (0.65 * velocity) / 127;
    to.beginPath();
    to.roundRect(left, SIZE.head + SIZE.guitar - 4 - (pitch - low) * step - thick / 2, wide, thick, Math.min(3, thick / 2));
    to.fill();
  }
  to.globalAlpha = 1;
}

/** How much each piece plays in each bar: the more, the taller; the louder, the stronger. @param {Brush} brush */
function density({ to, picture, view, colour, x, right }) {
  /** @type {Map<string, {bar: number, row: number, count: number, loud: number}>} */
  const bars = new Map();
  for (let index = before(picture.hits, view.left - 12); index < picture.hits.length && picture.hits[index].quarter < right + 1; index++) {
    const { bar, piece, velocity } = picture.hits[index];
    const row = picture.rows.indexOf(piece);
    if (row < 0) continue;
    const one = bars.get(`${bar} ${row}`) ?? { bar, row, count: 0, loud: 0 };
    bars.set(`${bar} ${row}`, { bar, row, count: one.count + 1, loud: one.loud + velocity });
  }
  for (const { bar, row, count, loud } of bars.values()) {
    const { quarter, quarters } = picture.bars[bar - 1];
    const high = (SIZE.row - 4) * clamp(Math.sqrt(count / FULL_BAR), 0.16, 1);
    const piece = picture.rows[row];
    to.globalAlpha = picture.silent.has(piece) ? 0.15 : 0.3 + (0.7 * loud) / count / 127;
    to.fillStyle = colour[`hit-${family(piece)}`];
    to.beginPath();
    to.roundRect(x(quarter) + 1, topOf(row) + (SIZE.row - high) / 2, Math.max(1.5, quarters * view.scale - 2), high, 2);
    to.fill();
  }
  to.globalAlpha = 1;
}

/** @param {Brush} brush */
function hits({ to, picture, view, colour, x, right }) {
  const begin = before(picture.hits, view.left - 1);
  for (let index = begin; index < picture.hits.length && picture.hits[index].quarter < right + 1; index++) {
    const hit = picture.hits[index];
    const row = picture.rows.indexOf(hit.piece);
    if (row < 0) continue;
    const velocity = view.dragged?.hit === hit ? view.dragged.velocity : hit.velocity;
    const middle = topOf(row) + SIZE.row / 2;
    mark(to, x(hit.quarter), middle, velocity, hit.piece, colour[`hit-${family(hit.piece)}`], picture.silent.has(hit.piece));
    if (picture.clicked.has(hit)) ring(to, x(hit.quarter), middle, colour.ink);
  }
  if (view.dragged) {
    const { hit, velocity } = view.dragged;
    const [left, top] = [x(hit.quarter) + 12, topOf(Math.max(0, picture.rows.indexOf(hit.piece))) - 12];
    to.fillStyle = colour.ink;
    to.beginPath();
    to.roundRect(left, top, 34, 22, 5);
    to.fill();
    to.fillStyle = colour.raised;
    to.textBaseline = "middle";
    to.fillText(String(velocity), left + 7, top + 12);
  }
}

/**
 * A disc for a drum, a cross for a cymbal: the louder, the larger and the less transparent.
 *
 * @param {CanvasRenderingContext2D} to
 * @param {number} x
 * @param {number} y
 * @param {number} velocity
 * @param {string} piece
 * @param {string} colour
 * @param {boolean} silent
 */
function mark(to, x, y, velocity, piece, colour, silent) {
  const share = velocity / 127;
  to.globalAlpha = silent ? 0.15 : 0.25 + 0.75 * share;
  if (isCymbal(piece)) {
    const half = (SIZE.row / 24) * (3 + 4 * share);
    to.strokeStyle = colour;
    to.lineWidth = 2.6;
    to.lineCap = "round";
    to.beginPath();
    to.moveTo(x - half, y - half);
    to.lineTo(x + half, y + half);
    to.moveTo(x - half, y + half);
    to.lineTo(x + half, y - half);
    to.stroke();
  } else {
    to.fillStyle = colour;
    to.beginPath();
    to.arc(x, y, (SIZE.row / 24) * (3.5 + 5.5 * share), 0, 2 * Math.PI);
    to.fill();
  }
  to.globalAlpha = 1;
}

/** A ring around an edited hit. @param {CanvasRenderingContext2D} to @param {number} x @param {number} y @param {string} colour */
function ring(to, x, y, colour) {
  to.strokeStyle = colour;
  to.lineWidth = 1.2;
  to.beginPath();
  to.arc(x, y, SIZE.row / 2 - 2, 0, 2 * Math.PI);
  to.stroke();
}

/** @param {Brush} brush */
function cursor({ to, picture, view, colour, x }) {
  if (!view.cursor) return;
  to.strokeStyle = colour.accent;
  to.lineWidth = 2;
  const wide = Math.max(10, view.scale / picture.grid);
  to.strokeRect(x(view.cursor.quarter) - wide / 2, topOf(view.cursor.row) + 1, wide, SIZE.row - 1);
}
