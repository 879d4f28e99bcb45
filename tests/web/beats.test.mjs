import assert from "node:assert/strict";
import { test } from "node:test";

import { Machine, Supply } from "../../server/web/page/machine.js";
import { GRIDS, cell, empty, gridOf, hitsOf, pinned, placeAt, quartersOf, regridded, struck } from "../../server/web/page/patterns.js";
import { looped, midiOf, wavOf } from "../../server/web/page/writing.js";

const KICK = 8;
const SNARE = 7;

/** A server that gives bars with a kick at each quarter, and keeps what was asked. */
function server() {
  const asked = [];
  const opened = [];
  let closed = 0;
  const open = (first) => {
    opened.push(first);
    return {
      more: async (bars, brief) => {
        asked.push(brief);
        return [{ number: asked.length, bpm: 110, hits: [0, 1, 2, 3].map((quarter) => ({ quarter, piece: "kick", velocity: 90 })) }];
      },
      close: () => closed++,
    };
  };
  return { asked, opened, open, closed: () => closed };
}

/** An engine that stands still where it is told. */
class Engine {
  position = 0;
  playing = false;
  song = {};
  set(song) {
    Object.assign(this.song, song);
  }
  tempo(factor) {
    this.factor = factor;
  }
  async play(from) {
    this.position = from;
    this.playing = true;
  }
  async seek(quarter) {
    this.position = quarter;
  }
  stop() {
    this.playing = false;
  }
}

function machine(wishes = {}) {
  globalThis.document = { hidden: false };
  const there = server();
  const engine = new Engine();
  const failures = [];
  const brief = { bpm: 120, places: 16, fill: 4, ...wishes };
  const made = new Machine(engine, new Supply(there.open), () => ({ ...brief }), (error) => failures.push(error));
  return { there, engine, failures, brief, made };
}

const settled = () =>
  new Promise((resolve) => {
    setTimeout(resolve, 20);
  });

test("a grid of any size comes back from its hits", () => {
  for (const places of GRIDS) {
    const full = empty(places).map((cells, row) => cells.map((_, place) => (row + place) % 3 && 1 + ((row * 31 + place * 7) % 127)));
    assert.deepEqual(gridOf(hitsOf(full, 0), places), full);
    assert.deepEqual(gridOf(hitsOf(full, 5).map((hit) => ({ ...hit, quarter: hit.quarter - 20 })), places), full);
    quartersOf(places).forEach((quarter, place) => assert.equal(placeAt(places, quarter), place));
  }
});

test("of several hits in a place the loudest stays, and what is no voice is left out", () => {
  const grid = gridOf([{ quarter: 0.02, piece: "kick", velocity: 30 }, { quarter: 0, piece: "kick", velocity: 80 }, { quarter: 0, piece: "kazoo", velocity: 9 }, { quarter: 1, piece: "side stick", velocity: 60 }], 16);
  assert.equal(grid[SNARE][4], 60); // the piece that stands for it
  assert.equal(grid[KICK][0], 80);
  assert.equal(grid.flat().filter(Boolean).length, 2);
});

test("what was clicked is found again on another grid that has its place", () => {
  const pins = new Map([[cell(SNARE, 4, 16), 100], [cell(KICK, 0, 16), 0]]);
  const grid = pinned(struck(empty(24), KICK, 0, 90), pins);
  assert.deepEqual([grid[SNARE][6], grid[KICK][0]], [100, 0]);
  assert.equal(regridded(grid, 32)[SNARE][8], 100);
});

test("a fill is asked for by the number of the bar in its stream, and is never the first", async () => {
  const there = server();
  const supply = new Supply(there.open);
  await supply.next({ seed: 7, fill: 4 });
  await supply.next({ seed: 7, fill: 4 });
  await supply.next({ seed: 7, fill: 4 }, true);
  await supply.next({ seed: 7 });
  assert.deepEqual(there.asked.map(({ fill }) => fill), [4, 4, 3, undefined]);
  supply.close();
  await supply.next({ seed: 7 }, true);
  assert.deepEqual(there.asked.slice(4).map(({ fill }) => fill), [undefined, 2]);
});

test("another generator or seed is another stream, and nothing else is", async () => {
  const there = server();
  const supply = new Supply(there.open);
  await supply.next({ seed: 7, bpm: 100 });
  await supply.next({ seed: 7, bpm: 200 });
  await supply.next({ seed: 8, bpm: 200 });
  await supply.next({ seed: 8, model: "words" });
  assert.deepEqual(there.opened.map(({ seed, model }) => [seed, model]), [["7", undefined], ["8", undefined], ["8", "words"]]);
  assert.equal(there.closed(), 2);
});

test("bars come before they are due, and not many of them", async () => {
  const { there, engine, made } = machine();
  await made.start();
  await settled();
  assert.equal(there.asked.length, 2);
  engine.position = 4.1;
  made.wish();
  await settled();
  assert.equal(made.index, 1);
  assert.ok(engine.song.bars.length === 3);
  made.stop();
});

test("whoever presses play while the first bar is made hears that bar", async () => {
  const { engine, made } = machine();
  void made.prepare();
  await made.start();
  assert.ok(engine.song.hits.length > 0);
  assert.equal(engine.song.bars[0].number, 1);
  assert.ok(engine.song.hits.some(({ bar }) => bar === 1));
  made.stop();
});

test("a click changes the bar that is heard and stays in the bars that come, until it is let go", async () => {
  const { engine, made } = machine();
  await made.start();
  await settled();
  made.strike(SNARE, 4, 100);
  const snares = () => engine.song.hits.filter(({ piece }) => piece === "snare").map(({ bar }) => bar);
  assert.deepEqual(snares(), engine.song.bars.map(({ number }) => number));
  made.free();
  await settled();
  assert.deepEqual(snares(), [1]);
  made.stop();
});

test("a bar that is kept is played again and again, and the server is asked for none", async () => {
  const { there, engine, made } = machine();
  await made.start();
  await settled();
  made.strike(KICK, 2, 50);
  made.keep(true);
  const before = there.asked.length;
  engine.position = 4.2;
  made.wish();
  await settled();
  assert.equal(there.asked.length, before);
  assert.equal(made.grid[KICK][2], 50);
  made.stop();
});

test("a server that is away is told once at a time, and the bar goes on", async () => {
  const { engine, failures, made } = machine();
  await made.start();
  await settled();
  made.stop();
  const lost = new Machine(engine, new Supply(() => ({ more: () => Promise.reject(new Error("away")), close() {} })), () => ({ bpm: 120, places: 16 }), (error) => failures.push(error));
  await lost.start();
  await settled();
  assert.ok(failures.length >= 1 && failures.length <= 2);
  assert.ok(engine.song.bars.length >= 1);
  lost.stop();
});

test("a beat is a MIDI file as long as its bars", () => {
  const bytes = midiOf([struck(empty(16), KICK, 0, 100), struck(empty(16), SNARE, 15, 127)], 120);
  const text = Buffer.from(bytes).toString("latin1");
  assert.equal(text.slice(0, 4), "MThd");
  assert.equal(new DataView(bytes.buffer).getUint32(18), bytes.length - 22);
  assert.deepEqual([...bytes.slice(22, 29)], [0, 0xff, 0x51, 3, 0x07, 0xa1, 0x20]);
  assert.equal(bytes.filter((byte) => byte === 0x99).length, 2);
  assert.deepEqual([...bytes.slice(-3)], [0xff, 0x2f, 0]);
});

test("a WAV file has its samples, and what is beyond full scale is cut", () => {
  const data = new DataView(wavOf([Float32Array.of(0, 2), Float32Array.of(-0.5, -3)], 48000).buffer);
  assert.equal(data.byteLength, 44 + 8);
  assert.deepEqual([44, 46, 48, 50].map((at) => data.getInt16(at, true)), [0, -16383, 32767, -32767]);
  assert.equal(data.getUint32(24, true), 48000);
});

test("what rings behind the end of a loop is heard at its beginning", () => {
  assert.deepEqual([...looped(Float32Array.of(1, 2, 3, 0.5, 0.25), 3)], [1.5, 2.25, 3]);
});
