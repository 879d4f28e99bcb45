/**
 * The one-shots of the folder sounds/: fetched once, decoded once.
 */

/** @typedef {{file: string, peak: number, velocity: number}} Layer how hard a piece is struck in it */
/** @typedef {{file: string, peak: number, pitch: number}} Pitched */
/** @typedef {{drums: Record<string, Layer[]>, guitars: Record<string, Pitched[]>}} Manifest */
/** @typedef {{buffer: AudioBuffer, begins: number, gain: number}} Shot `begins`: seconds of silence before the sound */

const FOLDER = new URL("sounds/", import.meta.url);
const AUDIBLE = 0.05; // of its peak: where a sound begins
const BEFORE = 0.0005; // seconds that are kept before that

/** A sound of the page that did not come; the message is the name of its file. */
export class SoundMissing extends Error {
  /** @param {string} file */
  constructor(file) {
    super(file);
    this.reason = "SOUND_MISSING";
  }
}

/** The sounds that were loaded: of drums by piece and velocity, of guitars by kind and pitch. */
export class Samples {
  /** @type {Promise<Manifest> | null} */
  #manifest = null;
  /** @type {Map<string, Promise<void>>} */
  #loading = new Map();
  /** @type {Map<string, (Shot & {velocity: number})[]>} */
  #drums = new Map();
  /** @type {Map<string, (Shot & {pitch: number})[]>} */
  #guitars = new Map();

  /**
   * Load "drums", or a kind of guitar: "steel", "clean" or "distorted".
   * @param {BaseAudioContext} context
   * @param {string} name
   */
  load(context, name) {
    const begun = this.#loading.get(name) ?? this.#load(context, name);
    this.#loading.set(name, begun);
    begun.catch(() => this.#loading.delete(name)); // so that it can be tried again
    return begun;
  }

  /**
   * The one-shot of a piece at a velocity, and how loud it is to be played.
   * @param {string} piece
   * @param {number} velocity 1 to 127
   * @returns {Shot | null} null where there is no such piece, or it is not loaded
   */
  drum(piece, velocity) {
    const layers = this.#drums.get(piece);
    if (!layers) return null;
    const layer = layers.find((one) => velocity <= one.velocity) ?? layers[layers.length - 1];
    return { ...layer, gain: layer.gain * (velocity / layer.velocity) ** 2 };
  }

  /**
   * The sample of a guitar that is nearest to a pitch, and how much faster it is to be played.
   * @param {string} kind
   * @param {number} pitch
   * @param {number} velocity 1 to 127
   * @returns {Shot & {rate: number} | null}
   */
  guitar(kind, pitch, velocity) {
    const samples = this.#guitars.get(kind);
    if (!samples) return null;
    const near = samples.reduce((best, one) => (Math.abs(one.pitch - pitch) < Math.abs(best.pitch - pitch) ? one : best));
    return { ...near, gain: near.gain * (velocity / 127) ** 1.5, rate: 2 ** ((pitch - near.pitch) / 12) };
  }

  /**
   * @param {BaseAudioContext} context
   * @param {string} name
   */
  async #load(context, name) {
    this.#manifest ??= fetched("sounds.json").then((answer) => answer.json());
    const manifest = await this.#manifest.catch((error) => {
      this.#manifest = null;
      throw error;
    });
    if (name === "drums") {
      const pieces = Object.entries(manifest.drums);
      const all = await Promise.all(pieces.map(([, layers]) => shots(context, layers)));
      pieces.forEach(([piece], index) => this.#drums.set(piece, all[index]));
    } else {
      this.#guitars.set(name, await shots(context, manifest.guitars[name] ?? []));
    }
  }
}

/**
 * @template {{file: string, peak: number}} T
 * @param {BaseAudioContext} context
 * @param {T[]} list
 * @returns {Promise<(T & Shot)[]>}
 */
function shots(context, list) {
  return Promise.all(
    list.map(async (one) => {
      const answer = await fetched(one.file);
      const buffer = await context.decodeAudioData(await answer.arrayBuffer()).catch(() => {
        throw new SoundMissing(one.file);
      });
      return { ...one, buffer, ...measured(buffer, one.peak) };
    }),
  );
}

/** @param {string} file */
async function fetched(file) {
  const answer = await fetch(new URL(file, FOLDER)).catch(() => null);
  if (!answer?.ok) throw new SoundMissing(file);
  return answer;
}

/**
 * Where a sound begins, which coders of MP3 move, and what makes its peak what it is to be.
 * @param {AudioBuffer} buffer
 * @param {number} peak
 */
function measured(buffer, peak) {
  const samples = buffer.getChannelData(0);
  let highest = 1e-9;
  for (const sample of samples) highest = Math.max(highest, Math.abs(sample));
  const heard = samples.findIndex((sample) => Math.abs(sample) >= AUDIBLE * highest);
  return { begins: Math.max(0, heard / buffer.sampleRate - BEFORE), gain: peak / highest };
}
