/**
 * Scheduling: pure functions from a song to timed events, without a browser.
 *
 * Positions are quarters from the song's start, times are seconds. Knows nothing of samples, loops or the clock.
 */

/** @typedef {{tick: number, quarter: number, bar: number, piece: string, velocity: number}} Hit */
/** @typedef {{number: number, quarter: number, quarters: number, beats: number}} Bar */
/** @typedef {{quarter: number, quarters: number, pitch: number, velocity: number}} Note */
/** @typedef {{quarter: number, bpm: number}} Tempo */
/**
 * A song as it is played; hits and notes in order of their quarters.
 * @typedef {{bars: Bar[], tempos: Tempo[], hits: Hit[], notes: Note[], metronome: boolean}} Song
 */
/**
 * One sound: `at` seconds after the requested position.
 * @typedef {{at: number, quarter: number, what: "hit", piece: string, velocity: number}
 *   | {at: number, quarter: number, what: "note", pitch: number, velocity: number, seconds: number}
 *   | {at: number, quarter: number, what: "click", accent: boolean}} Event
 */

const ANY_TEMPO = 120;

/**
 * Seconds from the song's start to a position. A position before the start has a negative time.
 * @param {Tempo[]} tempos
 * @param {number} quarter
 */
export function secondsAt(tempos, quarter) {
  let seconds = 0;
  let from = 0;
  let bpm = tempos[0]?.bpm ?? ANY_TEMPO;
  for (const change of tempos) {
    if (change.quarter >= quarter) break;
    seconds += ((change.quarter - from) * 60) / bpm;
    from = change.quarter;
    bpm = change.bpm;
  }
  return seconds + ((quarter - from) * 60) / bpm;
}

/**
 * The position of a song after some seconds: the inverse of `secondsAt`.
 * @param {Tempo[]} tempos
 * @param {number} seconds
 */
export function quarterAt(tempos, seconds) {
  let begun = 0;
  let from = 0;
  let bpm = tempos[0]?.bpm ?? ANY_TEMPO;
  for (const change of tempos) {
    const until = begun + ((change.quarter - from) * 60) / bpm;
    if (until >= seconds) break;
    begun = until;
    from = change.quarter;
    bpm = change.bpm;
  }
  return from + ((seconds - begun) * bpm) / 60;
}

/**
 * The end of the last bar, in quarters.
 * @param {readonly {quarter: number, quarters: number}[]} bars
 */
export function endOf(bars) {
  const last = bars.at(-1);
  return last ? last.quarter + last.quarters : 0;
}

/**
 * The bar at a position, or the nearest one; undefined if there is none.
 * @param {Bar[]} bars
 * @param {number} quarter
 */
export function barAt(bars, quarter) {
  return bars[Math.max(0, before(bars, quarter + 1e-9) - 1)];
}

/**
 * The events from `from` up to but not including `to`, in order.
 * @param {Song} song
 * @param {number} from
 * @param {number} to
 * @returns {Event[]}
 */
export function events(song, from, to) {
  const begin = secondsAt(song.tempos, from);
  const at = (/** @type {number} */ quarter) => secondsAt(song.tempos, quarter) - begin;
  /** @type {Event[]} */
  const found = [];
  for (const { quarter, piece, velocity } of between(song.hits, from, to)) {
    found.push({ at: at(quarter), quarter, what: "hit", piece, velocity });
  }
  for (const { quarter, quarters, pitch, velocity } of between(song.notes, from, to)) {
    const begins = at(quarter);
    found.push({ at: begins, quarter, what: "note", pitch, velocity, seconds: at(quarter + quarters) - begins });
  }
  for (const click of song.metronome ? clicks(song.bars, from, to) : []) {
    found.push({ at: at(click.quarter), quarter: click.quarter, what: "click", accent: click.accent });
  }
  return found.sort((one, other) => one.at - other.at);
}

/**
 * The clicks of a count-in before a position: so many bars, each like the bar at that position.
 * @param {Song} song
 * @param {number} from
 * @param {number} bars
 * @returns {{seconds: number, clicks: {at: number, accent: boolean}[]}}
 */
export function counted(song, from, bars) {
  const bar = barAt(song.bars, from) ?? { quarter: 0, quarters: 4, beats: 4 };
  const beat = secondsAt(song.tempos, from + bar.quarters / bar.beats) - secondsAt(song.tempos, from);
  const count = bars * bar.beats;
  const struck = Array.from({ length: count }, (_, index) => ({ at: index * beat, accent: index % bar.beats === 0 }));
  return { seconds: count * beat, clicks: struck };
}

/**
 * @param {Bar[]} bars
 * @param {number} from
 * @param {number} to
 */
function clicks(bars, from, to) {
  const found = [];
  for (let index = Math.max(0, before(bars, from) - 1); index < bars.length && bars[index].quarter < to; index++) {
    const { quarter, quarters, beats } = bars[index];
    for (let beat = 0; beat < beats; beat++) {
      const place = quarter + (beat * quarters) / beats;
      if (place >= from && place < to) found.push({ quarter: place, accent: beat === 0 });
    }
  }
  return found;
}

/**
 * The items of a sorted list from `from` up to but not including `to`.
 * @template {{quarter: number}} T
 * @param {T[]} list
 * @param {number} from
 * @param {number} to
 * @returns {T[]}
 */
function between(list, from, to) {
  return list.slice(before(list, from), before(list, to));
}

/**
 * The number of items of a sorted list before a position.
 * @template {{quarter: number}} T
 * @param {readonly T[]} items
 * @param {number} place
 * @param {(item: T) => number} [of] the position of an item
 */
export function before(items, place, of = ({ quarter }) => quarter) {
  let low = 0;
  let high = items.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (of(items[middle]) < place) low = middle + 1;
    else high = middle;
  }
  return low;
}
