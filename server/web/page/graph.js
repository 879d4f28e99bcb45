/**
 * The mixing desk: a channel for each piece of the kit and for the guitar, a small room, and a limiter at the end.
 * The same graph plays live and renders files.
 */

/** Panning of each piece, from -1 on the left to 1 on the right, as seen from the audience. */
const PLACES = new Map(
  Object.entries({
    "closed hat": 0.3,
    "open hat": 0.3,
    "pedal hat": 0.3,
    crash: 0.35,
    ride: -0.4,
    bell: -0.4,
    "high tom": 0.2,
    "mid tom": -0.05,
    "low tom": -0.35,
    tambourine: -0.3,
    cowbell: 0.15,
    shaker: 0.4,
    cabasa: 0.4,
    "mute conga": -0.25,
    "high conga": -0.25,
    "low conga": -0.35,
    "high bongo": 0.25,
    "low bongo": 0.35,
    block: -0.15,
    triangle: 0.25,
  }),
);
const ROOM_SECONDS = 0.45;
const ROOM = { drums: 0.16, guitar: 0.1, metronome: 0 };
const GLIDE = 0.012; // seconds: time of a fader move
const SOFT = 0.8; // threshold of the limiter's last stage
const MOST = 0.98;
const REACH = 2; // above it the last stage clips

/** Seconds until a limiter has settled. */
export const WARM = 0.3;

/** @typedef {"drums" | "guitar" | "metronome"} Group */

/**
 * The settings of the desk: levels of groups and "master", and whether a channel is audible.
 * @typedef {{level: (group: string) => number, heard: (name: string) => boolean}} Mix
 */

/** A desk in an audio context; its channels are made on first use. */
export class Desk {
  #context;
  #mix;
  /** @type {Map<string, GainNode>} */
  #channels = new Map();
  /** @type {Map<string, GainNode>} */
  #groups = new Map();
  #master;
  #room;
  /** The output, for meters. */
  tap;

  /**
   * @param {BaseAudioContext} context
   * @param {number} makeup the limiter's gain for soft sound, see `measured`
   * @param {Mix} mix
   */
  constructor(context, makeup, mix) {
    this.#context = context;
    this.#mix = mix;
    this.#master = new GainNode(context, { gain: mix.level("master") });
    this.tap = context.createAnalyser();
    limited(context, this.#master, 1 / makeup).connect(this.tap).connect(context.destination);
    this.#room = new ConvolverNode(context, { buffer: echo(context) });
    this.#room.connect(this.#master);
  }

  /**
   * The input of a channel. name: a piece of the kit, "guitar" or "metronome".
   * @param {string} name
   * @returns {AudioNode}
   */
  channel(name) {
    const known = this.#channels.get(name);
    if (known) return known;
    const fader = new GainNode(this.#context, { gain: Number(this.#mix.heard(name)) });
    const place = new StereoPannerNode(this.#context, { pan: PLACES.get(name) ?? 0 });
    fader.connect(place).connect(this.#group(groupOf(name)));
    this.#channels.set(name, fader);
    return fader;
  }

  /** Move all faders to their levels. */
  move() {
    const now = this.#context.currentTime;
    const move = (/** @type {GainNode} */ node, /** @type {number} */ value) =>
      node.gain.setTargetAtTime(value, now, GLIDE);
    move(this.#master, this.#mix.level("master"));
    for (const [name, group] of this.#groups) move(group, this.#mix.level(name));
    for (const [name, fader] of this.#channels) move(fader, Number(this.#mix.heard(name)));
  }

  /** @param {Group} name */
  #group(name) {
    const known = this.#groups.get(name);
    if (known) return known;
    const group = new GainNode(this.#context, { gain: this.#mix.level(name) });
    group.connect(this.#master);
    if (ROOM[name]) group.connect(new GainNode(this.#context, { gain: ROOM[name] })).connect(this.#room);
    this.#groups.set(name, group);
    return group;
  }
}

/**
 * The group of a channel.
 * @param {string} name
 * @returns {Group}
 */
export function groupOf(name) {
  return name === "guitar" || name === "metronome" ? name : "drums";
}

/**
 * What the limiter does to sound below its threshold: its delay in seconds, and its gain.
 * Both depend on the browser.
 * @param {number} rate
 */
export async function measured(rate) {
  const context = new OfflineAudioContext(1, Math.round((WARM + 0.1) * rate), rate);
  const source = new ConstantSourceNode(context, { offset: 1e-3 });
  source.offset.setValueAtTime(2e-3, WARM);
  limited(context, source, 1).connect(context.destination);
  source.start();
  const samples = (await context.startRendering()).getChannelData(0);
  const level = samples[Math.round(WARM * rate) - 1];
  return { delay: samples.findIndex((sample) => sample > 1.5 * level) / rate - WARM, makeup: level / 1e-3 };
}

/**
 * Add a limiter after a node: a compressor, which is late for the first peak, and a clipping curve.
 * @param {BaseAudioContext} context
 * @param {AudioNode} source
 * @param {number} gain behind the compressor
 */
function limited(context, source, gain) {
  const compressor = new DynamicsCompressorNode(context, {
    threshold: -5,
    knee: 6,
    ratio: 14,
    attack: 0.002,
    release: 0.12,
  });
  const down = new GainNode(context, { gain: gain / REACH });
  const curve = Float32Array.from({ length: 4097 }, (_, index) => rounded((index / 2048 - 1) * REACH));
  return source.connect(compressor).connect(down).connect(new WaveShaperNode(context, { curve }));
}

/** @param {number} sample */
function rounded(sample) {
  const over = Math.abs(sample) - SOFT;
  if (over <= 0) return sample;
  return Math.sign(sample) * (SOFT + (MOST - SOFT) * Math.tanh(over / (MOST - SOFT)));
}

/**
 * The impulse response of a small room: decaying noise, the same each time.
 * @param {BaseAudioContext} context
 */
function echo(context) {
  const length = Math.round(ROOM_SECONDS * context.sampleRate);
  const buffer = context.createBuffer(2, length, context.sampleRate);
  let state = 1;
  for (let side = 0; side < 2; side++) {
    const samples = buffer.getChannelData(side);
    let soft = 0;
    for (let index = 0; index < length; index++) {
      state = (Math.imul(state, 1664525) + 1013904223) | 0;
      soft += 0.5 * (state / 2 ** 31 - soft); // rooms are dull
      samples[index] = soft * Math.exp((-6.9 * index) / length);
    }
  }
  return buffer;
}

/** Cut the first frames of a sound. @param {BaseAudioContext} context @param {AudioBuffer} sound @param {number} frames */
export function shifted(context, sound, frames) {
  const out = context.createBuffer(sound.numberOfChannels, sound.length - frames, sound.sampleRate);
  for (let channel = 0; channel < sound.numberOfChannels; channel++) {
    out.copyToChannel(sound.getChannelData(channel).subarray(frames), channel);
  }
  return out;
}
