/**
 * The one-shots of the folder sounds/: fetched once, decoded once.
 */

/** @typedef {{file: string, peak: number, velocity: number}} Layer the velocity of the recorded hit */
/** @typedef {{file: string, peak: number, pitch: number}} Pitched */
/** @typedef {{drums: Record<string, Layer[]>, guitars: Record<string, Pitched[]>}} Manifest */
/** @typedef {{buffer: AudioBuffer, begins: number, gain: number}} Shot `begins`: seconds of silence before the sound */

const FOLDER = new URL("sounds/", import.meta.url);
const AUDIBLE = 0.05; // of its peak: the beginning of a sound
const BEFORE = 0.0005; // seconds kept before it

/** A sound that failed to load; the message is the name of its file. */
export class SoundMissing extends Error {
  /** @param {string} file */
  constructor(file) {
    super(file);
    this.reason = "SOUND_MISSING";
  }
}

/** The loaded sounds: drums by piece and velocity, guitars by kind and pitch. */
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
    begun.catch(() => this.#loading.delete(name)); // so that it can be retried
    return begun;
  }

  /**
   * The one-shot of a piece at a velocity, with its gain.
   * @param {string} piece
   * @param {number} velocity 1 to 127
   * @returns {Shot | null} null for an unknown piece, or one that is not loaded
   */
  drum(piece, velocity) {
    const layers = this.#drums.get(piece);
    if (!layers) return null;
    const layer = layers.find((one) => velocity <= one.velocity) ?? layers[layers.length - 1];
    return { ...layer, gain: layer.gain * (velocity / layer.velocity) ** 2 };
  }

  /**
   * The guitar sample nearest to a pitch, with its playback rate.
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
 * The beginning of a sound, which MP3 encoders shift, and the gain for its peak.
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

/** The sound of a recording; null if this browser cannot play it. @param {Blob} file */
export async function decoded(file) {
  const decoder = new OfflineAudioContext(2, 1, 44100);
  return decoder.decodeAudioData(await file.arrayBuffer()).catch(() => null);
}
