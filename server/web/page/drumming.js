/** Requests for drums: whole takes, or the ranges of unlocked bars. Knows nothing of the page. */

import { beatsOf, configOf, configOfTake } from "./address.js";
import { replaced, sounding } from "./edits.js";
import { has, isSameForm, placedOf, valueIn } from "./spans.js";

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
 * The options that say what is heard in a song: its guitar, and its sections as the user names them.
 *
 * @param {Wishes} wishes
 */
export const asked = ({ track, sections }) => ({ ...(track ? { track } : {}), ...(sections ? { sections } : {}) });

/**
 * Play bars of a take again, range after range, each with the drums so far.
 *
 * @param {Pick<Api, "play" | "render">} api
 * @param {File} file
 * @param {Take} take
 * @param {readonly import("./spans.js").Span[]} ranges
 * @param {Wishes} wishes with the new seed
 * @param {Ways} ways
 * @returns {Promise<Pick<Take, "played" | "midi" | "explanations" | "grooves" | "plan">>}
 */
export async function anew(api, file, take, ranges, wishes, { signal, onTake }) {
  let now = take;
  for (const range of ranges) {
    if (valueIn(placedOf(wishes.out), range) !== undefined) {
      // No drums in all of it: nothing is left to play.
      now = { ...now, midi: null, played: now.played.filter(({ bar }) => !has(range, bar)) };
      continue;
    }
    const drums = await midiOf(api, file, now, wishes);
    const summary = await api.play(file, { ...configOf(wishes), takes: 1, bars: range }, {
      drums,
      signal,
      onBar: ({ bar, hits }) => {
        if (!has(range, bar)) return;
        now = { ...now, midi: null, played: replaced(now.played, bar, hits) };
        onTake({ midi: null, played: now.played });
      },
    }); // prettier-ignore
    const [made] = summary.takes;
    now = { ...now, midi: made.midi, explanations: made.explanations, grooves: made.grooves, plan: made.plan };
  }
  const { played, explanations, grooves, plan } = now;
  return { played, midi: now.midi ?? (await midiOf(api, file, { ...now, edits: [] }, wishes)), explanations, grooves, plan };
}

/**
 * Play a take with other options, on its grooves and its seed.
 *
 * @param {Pick<Api, "play" | "render">} api
 * @param {File} file
 * @param {Take} take
 * @param {Wishes} wishes
 * @param {Ways} ways
 * @param {ReadonlySet<number> | null} [within] the bars that may change; all others keep their hits. Default: all
 * @returns {Promise<Pick<Take, "played" | "midi" | "explanations" | "grooves" | "plan">>}
 */
export async function again(api, file, take, wishes, { signal, onTake }, within = null) {
  let { played } = take;
  let strays = false; // whether a bar that stays is another one by these options alone, such as one played anew before
  const summary = await api.play(file, configOfTake(wishes, take), {
    signal,
    onBar: ({ bar, hits }) => {
      if (within && !within.has(bar)) {
        strays ||= soundOf(hits) !== soundOf(played.filter((hit) => hit.bar === bar));
        return;
      }
      played = replaced(played, bar, hits);
      onTake({ midi: null, played });
    },
  });
  const [{ midi, explanations, grooves, plan }] = summary.takes;
  const whole = strays ? await midiOf(api, file, { ...take, midi: null, edits: [], played }, wishes) : midi;
  return { played, midi: whole, explanations, grooves: within ? take.grooves : grooves, plan };
}

/** @param {readonly Hit[]} hits */
const soundOf = (hits) => hits.map(({ quarter, piece, velocity }) => `${quarter} ${piece} ${velocity}`).sort().join(); // prettier-ignore

/**
 * The parts of a file that may be a guitar. A server lists them once a part with notes is named, so try the parts.
 *
 * @param {Pick<Api, "analyze">} api
 * @param {File} file
 * @param {AbortSignal} signal
 */
export async function partsOf(api, file, signal) {
  for (let number = 1; number <= MOST_PARTS && !signal.aborted; number++) {
    const analysis = await api.analyze(file, { track: String(number) }, signal).catch(() => null);
    if (analysis) return analysis.tracks.filter((part) => !part.isDrums && part.notes > 0);
  }
  return [];
}

/**
 * A file as it is understood.
 *
 * @typedef {object} Understood
 * @property {Wishes} wishes
 * @property {Analysis} analysis its `song` is what the drummer plays to, if that is not the file
 * @property {Uint8Array | null} base the file as MIDI on its own beats, if it came as another kind
 */

/** @typedef {{signal: AbortSignal, choose: (parts: Analysis["tracks"], signal: AbortSignal) => Promise<string | null>}} Asking */

/**
 * The analysis of a file; asks the user if it is unclear which parts are the guitar. A file that was played without a
 * click is followed, unless the wishes say something of its beats.
 *
 * @param {Pick<Api, "analyze">} api
 * @param {File} file
 * @param {Wishes} wishes
 * @param {Asking} ways
 * @returns {Promise<Understood>}
 */
export async function understood(api, file, wishes, ways) {
  const first = await found(api, file, wishes, ways);
  const base = first.analysis.song;
  const said = first.wishes;
  const isSaid = Object.keys(beatsOf(said)).length > 0;
  const isFree = !isSaid && !isRecording(file) && first.analysis.fit?.isFree;
  if (!isSaid && !isFree) return { ...first, base };
  const followed = isSaid ? said : { ...said, follow: true };
  const analysis = await heard(api, base ? fileOf(base, file.name) : file, followed, ways.signal);
  if (isFree && analysis.fit?.isFree) return { ...first, base }; // nor does it fit the beats that were found
  return { wishes: followed, analysis, base };
}

/** @param {Pick<Api, "analyze">} api @param {File} base @param {Wishes} wishes @param {AbortSignal} [signal] */
const heard = (api, base, wishes, signal) => api.analyze(base, { ...asked(wishes), ...beatsOf(wishes) }, signal);

/**
 * The analysis of a song in work by other wishes, and what the drummer then plays to.
 *
 * @param {Pick<Api, "analyze">} api
 * @param {import("./work.js").Work} work
 * @param {File} file the opened one
 * @param {Wishes} wishes
 * @param {AbortSignal} signal
 * @returns {Promise<{analysis: Analysis, song: File}>}
 */
export async function heardAnew(api, { base, name }, file, wishes, signal) {
  const analysis = await heard(api, base ? fileOf(base, name) : file, wishes, signal);
  const song = analysis.song ?? base ?? null;
  return { analysis: { ...analysis, song }, song: song ? fileOf(song, name) : file };
}

/** @param {Uint8Array} bytes @param {string} name */
export const fileOf = (bytes, name) => new File([/** @type {BlobPart} */ (bytes)], name);

/**
 * The analysis on the beats of the file.
 *
 * @param {Pick<Api, "analyze">} api
 * @param {File} file
 * @param {Wishes} wishes
 * @param {Asking} ways
 * @returns {Promise<{wishes: Wishes, analysis: Analysis}>}
 */
async function found(api, file, wishes, ways) {
  const { signal, choose } = ways;
  const own = asked(wishes);
  if (Object.keys(beatsOf(wishes)).length) delete own.sections; // they count bars on other beats
  try {
    return { wishes, analysis: await api.analyze(file, own, signal) };
  } catch (error) {
    const { reason } = /** @type {{reason?: string}} */ (error);
    if (reason === "PART_NOT_FOUND" && wishes.track) return found(api, file, { ...wishes, track: undefined }, ways);
    const parts = reason === "NO_GUITAR" ? await partsOf(api, file, signal) : [];
    const track = parts.length && !signal.aborted ? await choose(parts, signal) : null;
    if (track === null) throw error;
    return found(api, file, { ...wishes, track }, ways);
  }
}

/**
 * Takes with their grooves by the names of other sections: each is that of the bar with which a section begins.
 *
 * @param {readonly Take[]} takes
 * @param {Analysis["sections"]} before
 * @param {Analysis["sections"]} now
 * @returns {readonly Take[]}
 */
export function regrooved(takes, before, now) {
  const names = new Map(); // of before, by those of now
  const isSame = isSameForm(before, now);
  for (const { name, firstBar } of now) {
    const own = before.find((section) => has(section, firstBar));
    if (own && !names.has(name)) names.set(name, own.name);
  }
  return takes.map((take) => ({
    ...take,
    isFree: take.isFree && isSame, // with other borders its grooves have to be given
    grooves: [...names].flatMap(([name, former]) => take.grooves.filter(({ section }) => section === former).slice(0, 1).map((groove) => ({ ...groove, section: name }))),
  })); // prettier-ignore
}
