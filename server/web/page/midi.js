/** The browser's MIDI ports: notes in, timed drums out. */

/** @typedef {{pitch: number, velocity: number}} Struck a note begins, or ends with the velocity 0 */

const DRUMS = 9; // the channel, from 0
const SHORT = 60; // milliseconds: length of a drum note

/**
 * The note of a message, of any channel but the drums'; null if there is none.
 * @param {ArrayLike<number>} bytes
 * @returns {Struck | null}
 */
export function noteOf(bytes) {
  const [status, pitch, velocity] = [bytes[0], bytes[1], bytes[2]];
  const what = status & 0xf0;
  if (bytes.length < 3 || (what !== 0x90 && what !== 0x80) || (status & 0x0f) === DRUMS || pitch > 127 || velocity > 127) return null;
  return { pitch, velocity: what === 0x90 ? velocity : 0 };
}

/** Whether this browser has MIDI ports for pages. */
export const hasMidi = () => typeof globalThis.navigator?.requestMIDIAccess === "function";

/** The MIDI ports of the machine. */
export class Ports {
  #access;
  /** Called when a port has come or gone. */
  changed = () => {};

  /** @param {MIDIAccess} access */
  constructor(access) {
    this.#access = access;
    access.onstatechange = () => this.changed();
  }

  /** Ask for the ports; the browser asks the user. Rejects if refused. */
  static async ask() {
    return new Ports(await navigator.requestMIDIAccess({ sysex: false }));
  }

  /** The inputs: ids and names. */
  get inputs() {
    return named(this.#access.inputs);
  }

  /** The outputs: ids and names. */
  get outputs() {
    return named(this.#access.outputs);
  }

  /**
   * Listen to one input; "" for none.
   * @param {string} id
   * @param {(note: Struck, at: number) => void} hear called with each note and its time, as `performance.now` counts
   */
  listen(id, hear) {
    for (const input of this.#access.inputs.values()) {
      input.onmidimessage =
        input.id !== id
          ? null
          : ({ data, timeStamp }) => {
              const note = data && noteOf(data);
              if (note) hear(note, timeStamp);
            };
    }
  }

  /**
   * Send a drum note to an output.
   * @param {string} id
   * @param {number} note
   * @param {number} velocity
   * @param {number} at as `performance.now` counts
   */
  strike(id, note, velocity, at) {
    const output = this.#access.outputs.get(id);
    if (output?.state !== "connected") return;
    output.send([0x90 | DRUMS, note, velocity], at);
    output.send([0x80 | DRUMS, note, 0], at + SHORT);
  }

  /** Silence an output. @param {string} id */
  hush(id) {
    const output = /** @type {MIDIOutput & {clear?: () => void} | undefined} */ (this.#access.outputs.get(id));
    if (output?.state !== "connected") return;
    output.clear?.();
    output.send([0xb0 | DRUMS, 123, 0]);
  }
}

/** @param {ReadonlyMap<string, MIDIPort>} ports */
const named = (ports) => [...ports.values()].filter(({ state }) => state === "connected").map(({ id, name }) => ({ id, name: name || id }));
