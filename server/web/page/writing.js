/**
 * Files that the page writes itself: a beat as MIDI, sound as WAV. Pure functions to bytes.
 */

import { clamp } from "./basics.js";
import { QUARTERS, TICKS, VOICES, hitsOf } from "./patterns.js";

/** @import {Grid} from "./patterns.js" */

const DRUMS = 9; // the channel, from 0
const LENGTH = 1 / 8; // quarters, of a hit: a 32nd
const NOTES = new Map(VOICES.map(([name, note]) => [/** @type {string} */ (name), /** @type {number} */ (note)]));

/**
 * Bars as a Standard MIDI File of format 0 on the drum channel, as long as its bars: its end joins its start.
 * @param {Grid[]} bars
 * @param {number} bpm
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function midiOf(bars, bpm) {
  const hits = bars.flatMap(hitsOf).map(({ quarter, piece, velocity }) => ({ quarter, quarters: LENGTH, note: NOTES.get(piece) ?? 0, velocity }));
  return midi(0, [[tempo(0, bpm), metre(0, 4, 4), ...struck(DRUMS, hits)]], bars.length * QUARTERS * TICKS);
}

/**
 * @typedef {{quarter: number, quarters: number, note: number, velocity: number}} Played
 * @typedef {{name: string, channel: number, program?: number, notes: Played[]}} Track
 */

/**
 * Tracks as a Standard MIDI File of format 1, of which the first has the tempos and metres.
 * @param {Track[]} tracks
 * @param {{quarter: number, bpm: number}[]} tempos
 * @param {{quarter: number, numerator: number, denominator: number}[]} meters
 * @param {number} end in quarters
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function fileOf(tracks, tempos, meters, end) {
  const timeline = [
    ...meters.map(({ quarter, numerator, denominator }) => metre(quarter, numerator, denominator)),
    ...tempos.map(({ quarter, bpm }) => tempo(quarter, bpm)),
  ];
  const written = tracks.map(({ name, channel, program, notes }) => {
    const text = letters(name);
    const first = [{ tick: 0, bytes: [0xff, 0x03, text.length, ...text] }, ...(program === undefined ? [] : [{ tick: 0, bytes: [0xc0 | channel, program] }])];
    return [...first, ...struck(channel, notes)];
  });
  const all = [timeline.sort((one, other) => one.tick - other.tick), ...written];
  return midi(1, all, Math.max(ticks(end), ...all.flat().map(({ tick }) => tick)));
}

/** @param {number} quarter */
const ticks = (quarter) => Math.round(quarter * TICKS);

/** @param {number} quarter @param {number} bpm */
const tempo = (quarter, bpm) => ({ tick: ticks(quarter), bytes: [0xff, 0x51, 3, ...bigEndian(Math.round(60e6 / bpm), 3)] });

/** @param {number} quarter @param {number} numerator @param {number} denominator */
const metre = (quarter, numerator, denominator) => ({ tick: ticks(quarter), bytes: [0xff, 0x58, 4, numerator, Math.log2(denominator), 24, 8] });

/** Notes as sorted events of a channel. @param {number} channel @param {readonly Played[]} notes */
function struck(channel, notes) {
  const events = notes.flatMap(({ quarter, quarters, note, velocity }) => [
    { tick: ticks(quarter), bytes: [0x90 | channel, note, velocity] },
    { tick: Math.max(ticks(quarter + quarters), ticks(quarter) + 1), bytes: [0x80 | channel, note, 0] },
  ]);
  return events.sort((one, other) => one.tick - other.tick || one.bytes[0] - other.bytes[0]);
}

/** @param {0 | 1} format @param {{tick: number, bytes: number[]}[][]} tracks @param {number} end in ticks */
function midi(format, tracks, end) {
  const head = [...letters("MThd"), ...bigEndian(6, 4), ...[format, tracks.length, TICKS].flatMap((value) => bigEndian(value, 2))];
  return new Uint8Array([...head, ...tracks.flatMap((events) => chunk(events, end))]);
}

/**
 * Sorted events as a track.
 * @param {{tick: number, bytes: number[]}[]} events
 * @param {number} end
 */
function chunk(events, end) {
  const track = [];
  let now = 0;
  for (const { tick, bytes } of [...events, { tick: end, bytes: [0xff, 0x2f, 0] }]) {
    track.push(...variable(tick - now), ...bytes);
    now = tick;
  }
  return [...letters("MTrk"), ...bigEndian(track.length, 4), ...track];
}

/**
 * Channels of samples from -1 to 1 as a WAV file of 16 bits; clipped beyond.
 * @param {Float32Array[]} channels
 * @param {number} rate
 * @returns {Uint8Array<ArrayBuffer>}
 */
export function wavOf(channels, rate) {
  const frame = 2 * channels.length;
  const size = channels[0].length * frame;
  const data = new DataView(new ArrayBuffer(44 + size));
  const text = (/** @type {number} */ at, /** @type {string} */ word) =>
    letters(word).forEach((letter, index) => data.setUint8(at + index, letter));
  text(0, "RIFF");
  data.setUint32(4, 36 + size, true);
  text(8, "WAVEfmt ");
  data.setUint32(16, 16, true);
  data.setUint16(20, 1, true);
  data.setUint16(22, channels.length, true);
  data.setUint32(24, rate, true);
  data.setUint32(28, rate * frame, true);
  data.setUint16(32, frame, true);
  data.setUint16(34, 16, true);
  text(36, "data");
  data.setUint32(40, size, true);
  channels.forEach((samples, channel) =>
    samples.forEach((sample, index) => {
      const cut = clamp(sample, -1, 1);
      data.setInt16(44 + index * frame + 2 * channel, Math.round(cut * 32767), true);
    }),
  );
  return new Uint8Array(data.buffer);
}

/**
 * A sound as a loop of some frames: its ringing wraps round to its beginning.
 * @param {Float32Array} samples
 * @param {number} frames
 */
export function looped(samples, frames) {
  const loop = samples.slice(0, frames);
  samples.subarray(frames).forEach((sample, index) => (loop[index % frames] += sample));
  return loop;
}

/** @param {string} word */
const letters = (word) => [...word].map((letter) => letter.charCodeAt(0));

/**
 * @param {number} value
 * @param {number} bytes
 */
function bigEndian(value, bytes) {
  return Array.from({ length: bytes }, (_, index) => (value >>> (8 * (bytes - 1 - index))) & 0xff);
}

/** @param {number} value */
function variable(value) {
  const bytes = [value & 0x7f];
  for (let rest = value >>> 7; rest; rest >>>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}
