/**
 * The band turns events into audio sources on the desk, and releases them at their end.
 */

/** @import {Desk} from "./graph.js" */
/** @import {Samples} from "./samples.js" */
/** @import {Event} from "./schedule.js" */
/** @typedef {{source: AudioScheduledSourceNode, gain: GainNode}} Voice */
/** @typedef {"hit" | "hat" | "note" | "click" | "recording"} Kind "hat" is an open hi-hat */

const HATS = ["open hat", "closed hat", "pedal hat"];
const CHOKE = 0.02; // seconds: fade of an open hi-hat when it is closed, and of everything that is stopped
const RELEASE = 0.05; // seconds: release of a guitar note
const BRIGHT = 95; // from this velocity on a hit has its full brightness
const UNLIKE = 0.006; // pitch variation between hits of a piece: no drummer hits the same spot twice

/** The players in an audio context, on a desk. */
export class Band {
  #context;
  #desk;
  #samples;
  /** @type {Map<Kind, Set<Voice>>} */
  #voices = new Map();

  /**
   * @param {BaseAudioContext} context
   * @param {Desk} desk
   * @param {Samples} samples
   */
  constructor(context, desk, samples) {
    this.#context = context;
    this.#desk = desk;
    this.#samples = samples;
  }

  /**
   * Play an event at a time of the context. factor: the tempo, relative to the written one.
   * @param {Event} event
   * @param {number} at
   * @param {number} factor
   * @param {string} guitar which guitar plays notes
   */
  play(event, at, factor, guitar) {
    if (event.what === "hit") this.hit(event.piece, event.velocity, at, event.quarter);
    else if (event.what === "click") this.click(event.accent, at);
    else this.note(guitar, event.pitch, event.velocity, at, event.seconds / factor);
  }

  /**
   * @param {string} piece
   * @param {number} velocity
   * @param {number} at
   * @param {number} quarter
   */
  hit(piece, velocity, at, quarter = 0) {
    if (HATS.includes(piece)) this.end("hat", at);
    const shot = this.#samples.drum(piece, velocity);
    if (!shot) return;
    const playbackRate = 1 + UNLIKE * Math.sin(quarter * 997);
    const source = new AudioBufferSourceNode(this.#context, { buffer: shot.buffer, playbackRate });
    this.#start(piece === "open hat" ? "hat" : "hit", piece, source, shot.gain, this.#duller(velocity));
    source.start(this.#soonest(at), shot.begins);
  }

  /**
   * @param {string} guitar
   * @param {number} pitch
   * @param {number} velocity
   * @param {number} at
   * @param {number} seconds
   */
  note(guitar, pitch, velocity, at, seconds) {
    const shot = this.#samples.guitar(guitar, pitch, velocity);
    if (!shot) return;
    const source = new AudioBufferSourceNode(this.#context, { buffer: shot.buffer, playbackRate: shot.rate });
    const gain = this.#start("note", "guitar", source, shot.gain);
    source.start(this.#soonest(at), shot.begins);
    gain.setTargetAtTime(0, at + seconds, RELEASE / 3);
    source.stop(at + seconds + 2 * RELEASE);
  }

  /**
   * @param {boolean} accent
   * @param {number} at
   */
  click(accent, at) {
    const source = new OscillatorNode(this.#context, { type: "triangle", frequency: accent ? 1760 : 1175 });
    const gain = this.#start("click", "metronome", source, 0);
    gain.setValueAtTime(accent ? 0.7 : 0.45, at);
    gain.setTargetAtTime(0, at + 0.004, 0.012);
    source.start(at);
    source.stop(at + 0.12);
  }

  /**
   * Play a recording, and stop the one before.
   * @param {AudioBuffer} buffer
   * @param {number} at
   * @param {number} offset seconds skipped at its beginning
   * @param {number} rate how much faster it runs
   */
  recording(buffer, at, offset, rate) {
    this.end("recording", at);
    if (offset >= buffer.duration) return;
    const source = new AudioBufferSourceNode(this.#context, { buffer, playbackRate: rate });
    this.#start("recording", "guitar", source, 1);
    source.start(this.#soonest(at), Math.max(0, offset));
  }

  /**
   * Stop all voices of a kind.
   * @param {Kind} kind
   * @param {number} at
   */
  end(kind, at) {
    for (const { source, gain } of this.#voices.get(kind) ?? []) {
      gain.gain.setTargetAtTime(0, at, CHOKE / 2);
      source.stop(at + 4 * CHOKE);
    }
    this.#voices.delete(kind);
  }

  /** Stop everything that sounds or is scheduled. */
  hush() {
    for (const kind of [...this.#voices.keys()]) this.end(kind, this.#context.currentTime);
  }

  /**
   * @param {Kind} kind
   * @param {string} channel
   * @param {AudioScheduledSourceNode} source
   * @param {number} loudness
   * @param {AudioNode | null} [through]
   */
  #start(kind, channel, source, loudness, through = null) {
    const gain = new GainNode(this.#context, { gain: loudness });
    (through ? source.connect(through) : source).connect(gain).connect(this.#desk.channel(channel));
    const voice = { source, gain };
    const voices = this.#voices.get(kind) ?? new Set();
    this.#voices.set(kind, voices.add(voice));
    source.onended = () => {
      gain.disconnect();
      voices.delete(voice);
    };
    return gain.gain;
  }

  /**
   * A low-pass for soft hits, which are duller: the one-shots have one velocity only.
   * @param {number} velocity
   */
  #duller(velocity) {
    if (velocity >= BRIGHT) return null;
    return new BiquadFilterNode(this.#context, { type: "lowpass", Q: 0.5, frequency: 18_000 * (velocity / BRIGHT) ** 0.8 });
  }

  /** @param {number} at */
  #soonest(at) {
    return Math.max(at, this.#context.currentTime);
  }
}
