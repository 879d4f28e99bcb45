/** Requests for drums: whole takes, or the ranges of unlocked bars. Knows nothing of the page. */

import { configOf, configOfTake } from "./address.js";
import { free, replaced, sounding } from "./edits.js";

/** @typedef {import("./edits.js").Take} Take */
/** @typedef {import("./edits.js").Hit} Hit */
/** @typedef {import("./address.js").Wishes} Wishes */
/** @typedef {typeof import("./api.js")} Api */
/** @typedef {Awaited<ReturnType<Api["analyze"]>>} Analysis */
/** @typedef {{signal: AbortSignal, onTake: (take: Pick<Take, "played" | "midi">) => void}} Ways onTake: called after each bar */

const MOST_PARTS = 64;

/** Whether a file is a recording, which takes long to analyse. @param {File} file */
export const isRecording = (file) => /\.(wav|flac|ogg|mp3|aiff?)$/i.test(file.name);

/** A random seed. */
export const anySeed = () => String(1 + (crypto.getRandomValues(new Uint32Array(1))[0] % 999_999));

/**
 * The file of a take as heard: the server's bytes, as long as nothing was edited.
 *
 * @param {Pick<Api, "render">} api
 * @param {File} file of the guitar
 * @param {Take} take
 * @param {Wishes} wishes
 */
export async function midiOf(api, file, take, wishes) {
  if (take.midi && !take.edits.length) return take.midi;
  const { blob } = await api.render(file, { hits: [...sounding(take.played, take.edits)] }, asked(wishes), "midi");
  return new Uint8Array(await blob.arrayBuffer());
}

/**
 * The options that say how drums are written to a file.
 *
 * @param {Wishes} wishes
 */
export const asked = ({ track }) => (track ? { track } : {});

/**
 * Play the unlocked bars of a take again, range after range, each with the drums so far.
 *
 * @param {Pick<Api, "play" | "render">} api
 * @param {File} file
 * @param {Take} take
 * @param {number} bars how many the song has
 * @param {Wishes} wishes with the new seed
 * @param {Ways} ways
 * @returns {Promise<Pick<Take, "played" | "midi" | "explanations" | "grooves" | "plan">>}
 */
export async function anew(api, file, take, bars, wishes, { signal, onTake }) {
  let now = take;
  for (const range of free(bars, take.locks)) {
    const drums = await midiOf(api, file, now, wishes);
    const summary = await api.play(file, { ...configOf(wishes), takes: 1, bars: range }, {
      drums,
      signal,
      onBar: ({ bar, hits }) => {
        if (bar < range.firstBar || bar > range.lastBar) return;
        now = { ...now, midi: null, played: replaced(now.played, bar, hits) };
        onTake({ midi: null, played: now.played });
      },
    }); // prettier-ignore
    const [made] = summary.takes;
    now = { ...now, midi: made.midi, explanations: made.explanations, grooves: made.grooves, plan: made.plan };
  }
  const { played, midi, explanations, grooves, plan } = now;
  return { played, midi, explanations, grooves, plan };
}

/**
 * Play a take with other options, on its grooves and its seed.
 *
 * @param {Pick<Api, "play">} api
 * @param {File} file
 * @param {Take} take
 * @param {Wishes} wishes
 * @param {Ways} ways
 * @returns {Promise<Pick<Take, "played" | "midi" | "explanations" | "grooves" | "plan">>}
 */
export async function again(api, file, take, wishes, { signal, onTake }) {
  let { played } = take;
  const summary = await api.play(file, configOfTake(wishes, take), {
    signal,
    onBar: ({ bar, hits }) => {
      played = replaced(played, bar, hits);
      onTake({ midi: null, played });
    },
  });
  const [{ midi, explanations, grooves, plan }] = summary.takes;
  return { played, midi, explanations, grooves, plan };
}

/**
 * The parts of a file that may be a guitar. A server lists them once a part with notes is named, so try the parts.
 *
 * @param {Pick<Api, "analyze">} api
 * @param {File} file
 * @param {AbortSignal} signal
 */
export async function partsOf(api, file, signal) {
  for (let number = 1; number <= MOST_PARTS && !signal.aborted; number++) {
    const analysis = await api.analyze(file, { track: String(number), signal }).catch(() => null);
    if (analysis) return analysis.tracks.filter((part) => !part.isDrums && part.notes > 0);
  }
  return [];
}

/**
 * The analysis of a file; asks the user if it is unclear which parts are the guitar.
 *
 * @param {Pick<Api, "analyze">} api
 * @param {File} file
 * @param {Wishes} wishes
 * @param {{signal: AbortSignal, choose: (parts: Analysis["tracks"], signal: AbortSignal) => Promise<string | null>}} ways
 * @returns {Promise<{wishes: Wishes, analysis: Analysis}>}
 */
export async function understood(api, file, wishes, ways) {
  const { signal, choose } = ways;
  try {
    return { wishes, analysis: await api.analyze(file, { ...asked(wishes), signal }) };
  } catch (error) {
    const { reason } = /** @type {{reason?: string}} */ (error);
    if (reason === "PART_NOT_FOUND" && wishes.track) return understood(api, file, { ...wishes, track: undefined }, ways);
    const parts = reason === "NO_GUITAR" ? await partsOf(api, file, signal) : [];
    const track = parts.length && !signal.aborted ? await choose(parts, signal) : null;
    if (track === null) throw error;
    const chosen = { ...wishes, track };
    return { wishes: chosen, analysis: await api.analyze(file, { ...asked(chosen), signal }) };
  }
}
