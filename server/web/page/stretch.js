/**
 * Time stretching of a recording without a change of pitch: frames are overlapped, closer or wider than they were, each
 * where it continues the one before best (WSOLA, Verhelst and Roelands 1993).
 */

import { wait } from "./basics.js";

const FRAME = 2048; // samples
const HOP = FRAME / 2;
const SEARCH = 640; // samples searched on either side of a frame's place
const COARSE = 8; // step of the search, in samples
const AT_ONCE = 400; // frames between two pauses for the page

/** A recording, and its stretched version for another tempo. */
export class Recording {
  #buffer;
  /** @type {{factor: number, buffer: AudioBuffer} | null} */
  #made = null;

  /** @param {AudioBuffer} buffer */
  constructor(buffer) {
    this.#buffer = buffer;
  }

  /**
   * The buffer for a tempo and its playback rate: like a tape, unless `make` has stretched it.
   * @param {number} factor how much faster
   */
  at(factor) {
    return this.#made?.factor === factor ? { buffer: this.#made.buffer, rate: 1 } : { buffer: this.#buffer, rate: factor };
  }

  /**
   * Stretch it for another tempo.
   * @param {number} factor
   * @param {() => boolean} wanted whether it is still wanted
   */
  async make(factor, wanted) {
    if (factor === 1 || this.#made?.factor === factor) return;
    const { numberOfChannels, sampleRate } = this.#buffer;
    const channels = Array.from({ length: numberOfChannels }, (_, channel) => this.#buffer.getChannelData(channel));
    const steps = stretching(channels, factor);
    let step = steps.next();
    while (!step.done) {
      await wait(0);
      if (!wanted()) return;
      step = steps.next();
    }
    const made = step.value;
    const buffer = new AudioBuffer({ numberOfChannels, sampleRate, length: Math.max(1, made[0].length) });
    made.forEach((samples, channel) => buffer.copyToChannel(samples, channel));
    this.#made = { factor, buffer };
  }
}

/**
 * Channels of samples, so many times faster; yields now and then.
 * @param {Float32Array[]} channels
 * @param {number} factor
 * @returns {Generator<void, Float32Array<ArrayBuffer>[]>}
 */
export function* stretching(channels, factor) {
  const length = Math.ceil(channels[0].length / factor);
  const out = channels.map(() => new Float32Array(length + FRAME));
  const window = Float32Array.from({ length: FRAME }, (_, at) => 0.5 - 0.5 * Math.cos((2 * Math.PI * at) / FRAME));
  let place = 0;
  for (let at = 0, frame = 0; at < length; at += HOP, frame++) {
    if (frame) place = nearest(channels[0], Math.round(at * factor), place + HOP);
    channels.forEach((samples, channel) => {
      const to = out[channel];
      const most = Math.min(FRAME, samples.length - place);
      for (let index = 0; index < most; index++) {
        const weight = frame || index >= HOP ? window[index] : 1; // there is nothing before the first frame
        to[at + index] += weight * samples[place + index];
      }
    });
    if (frame % AT_ONCE === AT_ONCE - 1) yield;
  }
  return out.map((samples) => samples.slice(0, length));
}

/**
 * The place near `wanted` whose samples match those at `natural` best.
 * @param {Float32Array} samples
 * @param {number} wanted
 * @param {number} natural
 */
function nearest(samples, wanted, natural) {
  let best = Math.max(0, wanted);
  let most = -Infinity;
  const look = (/** @type {number} */ place) => {
    let like = 0;
    let loud = 1e-9;
    for (let index = 0; index < HOP; index += COARSE) {
      const sample = samples[place + index] ?? 0;
      like += sample * (samples[natural + index] ?? 0);
      loud += sample * sample;
    }
    const share = like / Math.sqrt(loud);
    if (share > most) [most, best] = [share, place];
  };
  for (let place = Math.max(0, wanted - SEARCH); place <= wanted + SEARCH; place += COARSE) look(place);
  const middle = best;
  for (let place = Math.max(0, middle - COARSE + 1); place < middle + COARSE; place++) look(place);
  return best;
}
