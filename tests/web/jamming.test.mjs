import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Jamming } from "../../server/web/page/jamming.js";

const WISHES = { bpm: 120, metre: "4/4", style: "rock", countIn: 0, seed: 3, guitarist: null };
const HIT = { tick: 0, quarter: 0, bar: 1, note: 36, velocity: 90, piece: "kick" };

/** An engine without sound, whose clock the test turns. */
class Engine extends EventTarget {
  song = { bars: [], hits: [] };
  place = 0;
  playing = false;
  waits = 0;
  ahead() {}
  countIn() {}
  mute() {}
  set(song) {
    Object.assign(this.song, song);
  }
  append(hits) {
    this.song.hits = [...this.song.hits, ...hits];
  }
  async play() {
    this.playing = true;
  }
  stop() {
    this.playing = false;
  }
  get position() {
    return this.place;
  }
  get scheduled() {
    return this.place + 0.16;
  }
}

/** A jam at a server that gives what the test says. */
function begun() {
  const engine = new Engine();
  const line = { told: [], closed: false, bar: null, end: null, config: null };
  const due = [];
  const open = (config, tellers) => {
    Object.assign(line, tellers, { config });
    return { tell: (told) => line.told.push(told), close: () => (line.closed = true) };
  };
  const failed = [];
  const jamming = new Jamming(engine, open, { changed: () => {}, failed: (error) => failed.push(error), drums: (some) => due.push(...some) });
  const to = (place) => {
    engine.place = place;
    mock.timers.tick(20);
  };
  const give = (number, more = {}) => {
    const quarter = 4 * (number - 1);
    line.bar({ number, quarter, quarters: 4, beats: 4, section: "A", groove: "rock", fill: false, last: false, hits: [{ ...HIT, quarter }], ...more });
  };
  return { engine, line, jamming, due, failed, to, give };
}

const asked = (line) => line.told.map(({ until }) => until).filter((until) => until !== undefined);

beforeEach(() => mock.timers.enable({ apis: ["setInterval"] }));
afterEach(() => mock.timers.reset());

test("each bar is asked for where it is decided, and played where it belongs", async () => {
  const { engine, line, jamming, due, to, give } = begun();
  await jamming.start(WISHES);
  assert.deepEqual(line.config.tempos, [{ quarter: 0, bpm: 120 }]);
  assert.deepEqual(asked(line), [-0.5]);
  give(1);
  to(1);
  assert.deepEqual(asked(line), [-0.5]);
  to(3.5);
  assert.deepEqual(asked(line), [-0.5, 3.5]);
  give(2, { fill: true });
  assert.deepEqual(engine.song.hits.map(({ quarter }) => quarter), [0, 4]);
  assert.equal(due.length, 2);
  assert.equal(jamming.bars[1].fill, true);
  jamming.stop();
  assert.ok(line.closed && !engine.playing);
});

test("a bar that is late is played again, and what comes after it is not heard twice", async () => {
  const { engine, jamming, to, give } = begun();
  await jamming.start(WISHES);
  give(1);
  to(3.5);
  to(3.9);
  assert.deepEqual(jamming.bars.map(({ number, again }) => [number, Boolean(again)]), [[1, false], [2, true]]);
  give(2);
  assert.equal(jamming.bars.length, 2);
  assert.deepEqual(engine.song.hits.map(({ quarter }) => quarter), [0, 4]);
  to(7.5);
  give(3);
  assert.equal(jamming.bars.length, 3);
});

test("there are always bars to go on in, until the last", async () => {
  const { engine, line, jamming, to, give } = begun();
  await jamming.start(WISHES);
  for (let number = 1; number <= 9; number++) {
    give(number);
    to(4 * number - 0.5);
    assert.ok(engine.song.bars.length > number);
  }
  jamming.show({ stop: true });
  assert.ok(line.told.some(({ signs }) => signs?.[0].stop));
  give(10, { last: true });
  assert.equal(engine.song.bars.length, 10);
  assert.equal(jamming.record.bars.length, 9); // the last has not begun
  engine.dispatchEvent(new Event("end"));
  assert.equal(jamming.playing, false);
  assert.equal(jamming.record.bars.length, 10);
});

test("a note is heard where it was played, and not before the first bar", async () => {
  const { engine, line, jamming, to } = begun();
  await jamming.start(WISHES);
  engine.waits = 1;
  jamming.hear({ pitch: 40, velocity: 90 }, performance.now());
  assert.equal(jamming.told.length, 0);
  engine.waits = 0;
  to(2);
  jamming.hear({ pitch: 40, velocity: 90 }, performance.now() - 100);
  assert.ok(Math.abs(jamming.told[0].quarter - 1.8) < 0.05);
  assert.equal(line.told.at(-1).notes[0].pitch, 40);
});

test("a file tells its notes as they come, and nods before its end", async () => {
  const { line, jamming, to, give } = begun();
  const bars = [0, 4, 8].map((quarter, at) => ({ number: at + 1, quarter, quarters: 4, beats: 4 }));
  const notes = [0, 4, 8].map((quarter) => ({ quarter, quarters: 1, pitch: 40, velocity: 90 }));
  const guitarist = { tempos: [{ quarter: 0, bpm: 120 }], meters: [{ quarter: 0, numerator: 4, denominator: 4 }], bars, notes, program: 27, kind: "clean" };
  await jamming.start({ ...WISHES, guitarist });
  give(1);
  to(3.5);
  assert.deepEqual(jamming.told.map(({ quarter }) => quarter), [0, 1]);
  give(2);
  to(7.5);
  assert.deepEqual(line.told.find(({ signs }) => signs).signs, [{ quarter: 4, stop: true }]);
  assert.deepEqual(jamming.told.map(({ quarter }) => quarter), [0, 1, 4, 5]);
});

test("a line that is cut is told, and the drummer plays on as before", async () => {
  const { line, jamming, to, give, failed } = begun();
  await jamming.start(WISHES);
  give(1);
  line.end(new Error("cut"));
  assert.equal(failed.length, 1);
  to(3.9);
  assert.equal(jamming.bars.at(-1).again, true);
});
