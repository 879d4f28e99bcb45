// Work on a song, with a server and a store that the tests control.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Session } from "../../server/web/page/session.js";

const FILE = new File([new Uint8Array([77, 84])], "riff.mid");
const hit = (bar, seed, piece = "snare") => ({ tick: bar * 1920, quarter: 4 * (bar - 1) + Number(seed) / 1e7, bar, piece, velocity: 100 });
const bars = (count) => Array.from({ length: count }, (_, index) => ({ number: index + 1, quarter: 4 * index, quarters: 4, beats: 4 }));

/** A server that plays one hit a bar, which tells its seed. */
class FakeApi {
  calls = [];
  rendered = [];
  refusal = null;
  hold = null;
  async analyze(_file, config = {}) {
    if (this.refusal) throw this.refusal;
    this.calls.push(["analyze", config.track]);
    return { bars: bars(4), timeline: { meters: [], tempos: [] }, guitar: { tracks: [1] }, tracks: [], notes: [], sections: [], ...this.heard?.(config) };
  }
  async play(_file, config, { drums, onBar }) {
    this.calls.push(["play", config, drums]);
    const { firstBar = 1, lastBar = 4 } = config.bars ?? {};
    const seeds = Array.from({ length: config.takes ?? 1 }, (_, take) => String(Number(config.seed ?? 0) + take));
    for (let bar = firstBar; bar <= lastBar; bar++) {
      if (this.refusal) throw this.refusal;
      if (this.hold) await this.hold;
      seeds.forEach((seed, take) => onBar({ take, seed, bar, hits: [hit(bar, seed)] }));
    }
    const takes = seeds.map((seed) => ({ seed, score: 1, midi: new Uint8Array([Number(seed)]), explanations: [], grooves: [], plan: [{ firstBar: 1, lastBar: 4, name: seed }] }));
    return { takes: takes.reverse() }; // the best first
  }
  async render(_file, given) {
    this.rendered.push(given.hits);
    return { blob: new Blob([new Uint8Array([9])]), name: "drums.mid" };
  }
}

function made(wishes = { takes: 2, seed: "5" }) {
  const api = new FakeApi();
  const kept = new Map();
  const told = { failed: [], begun: 0, opened: [], copied: 0 };
  const store = {
    keep: async (work) => (kept.set(work.id, structuredClone({ ...work, doc: work.history.now })), { id: work.id, copied: false }),
    find: async (id) => kept.get(id),
  };
  const session = new Session(api, store, {
    changed() {},
    opened: (how) => told.opened.push(how),
    begun: () => told.begun++,
    failed: (error) => told.failed.push(error),
    copied: () => told.copied++,
  });
  session.meant(wishes);
  return { api, session, told, kept };
}

const moment = (milliseconds) =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
const until = async (what) => {
  for (let turn = 0; turn < 5000 && !what(); turn++) await moment(1);
  assert.ok(what(), String(what));
};
const seedsHeard = (session) => session.take.played.map(({ quarter, bar }) => Math.round((quarter - 4 * (bar - 1)) * 1e7));

test("a file is understood, played and told of with its first bar; the best take is the one that is heard", async () => {
  const { session, told } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  assert.deepEqual(told.opened, ["new"]);
  assert.equal(told.begun, 1);
  assert.deepEqual(session.doc.takes.map((take) => take.seed), ["6", "5"]);
  assert.equal(session.take.seed, "6");
  assert.equal(session.canUndo, false);
});

test("bars that are locked stay byte by byte, and the others are played range after range to what is there", async () => {
  const { session, api } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.edit((take) => ({ ...take, locks: [2] }));
  await session.anew({ ...session.doc.wishes, seed: "9" });
  assert.deepEqual(seedsHeard(session), [9, 6, 9, 9]);
  const [first, second] = api.calls.filter(([what, config]) => what === "play" && config.bars);
  assert.deepEqual(first[1].bars, { firstBar: 1, lastBar: 1 });
  assert.deepEqual([...first[2]], [6]); // the bytes of the take
  assert.deepEqual([...second[2]], [9]); // those of the first range
  assert.equal(api.rendered.length, 0);
  session.undo();
  assert.deepEqual(seedsHeard(session), [6, 6, 6, 6]);
  session.redo();
  assert.deepEqual(seedsHeard(session), [9, 6, 9, 9]);
});

test("what was clicked goes to the server as hits, and stays when bars are played anew", async () => {
  const { session, api } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.edit((take) => ({ ...take, edits: [hit(3, "5", "crash")], locks: [1] }));
  await session.anew();
  assert.equal(api.rendered[0].filter((one) => one.piece === "crash").length, 1);
  assert.deepEqual(session.take.edits.map((one) => one.piece), ["crash"]);
});

test("wishes that come one after another are one step, and are played once", async () => {
  const { session, api } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.wish({ ...session.doc.wishes, intensity: 0.2 });
  session.wish({ ...session.doc.wishes, intensity: 0.9 });
  await until(() => api.calls.length === 3 && !session.busy);
  assert.equal(api.calls[2][1].intensity, 0.9);
  session.undo();
  assert.equal(session.doc.wishes.intensity, undefined);
  assert.equal(session.canUndo, false);
});

test("a wish acts on the take that is chosen, on its groove and its seed, and the other takes stay", async () => {
  const { session, api } = made();
  const plain = api.play.bind(api);
  api.play = async (...given) => {
    const { takes } = await plain(...given);
    return { takes: takes.map((take) => ({ ...take, grooves: [{ section: "A", name: `beat-${take.seed}`, title: "" }] })) };
  };
  await session.open(FILE);
  await until(() => session.take?.midi);
  const [best] = session.doc.takes;
  session.choose(1);
  session.wish({ ...session.doc.wishes, intensity: 0.2 });
  await until(() => api.calls.length === 3 && !session.busy);
  assert.deepEqual(api.calls[2][1], { intensity: 0.2, explain: true, seed: "5", takes: 1 }); // it was made without given grooves
  assert.equal(session.doc.chosen, 1);
  assert.equal(session.take.seed, "5");
  assert.deepEqual(seedsHeard(session), [5, 5, 5, 5]);
  assert.equal(session.doc.takes[0], best);
  session.wish({ ...session.doc.wishes, groove: "one-drop" });
  await until(() => api.calls.length === 4 && !session.busy);
  assert.equal(api.calls[3][1].takes, 2); // another groove is for all takes
  assert.deepEqual(api.calls[3][1].groove, [{ name: "one-drop" }]);
  session.choose(1);
  session.wish({ ...session.doc.wishes, swing: 1 });
  await until(() => api.calls.length === 5 && !session.busy);
  assert.deepEqual(api.calls[4][1].groove, [{ name: "one-drop" }]);
  assert.equal(api.calls[4][1].temperature, undefined);
});

test("a take that was made on other grooves is played on them again, and its song is built", async () => {
  const { session, api } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.edit((take) => ({ ...take, grooves: [{ section: "A", name: "beat", title: "" }] }));
  session.wish({ ...session.doc.wishes, intensity: 0.2, groove_places: "3-4=one-drop" });
  await until(() => api.calls.length === 3 && !session.busy);
  const groove = [{ section: "A", name: "beat" }, { section: "3-4", name: "one-drop" }];
  assert.deepEqual(api.calls[2][1], { intensity: 0.2, explain: true, seed: "6", takes: 1, groove, temperature: 1, arrange: "on" });
});

test("a wish for some bars changes no others, even if they are not those that the options alone make", async () => {
  const { session, api } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  await session.anew({ ...session.doc.wishes, seed: "77" }, false, [{ firstBar: 2, lastBar: 2 }]);
  assert.deepEqual(seedsHeard(session), [6, 77, 6, 6]);
  session.edit((take) => ({ ...take, locks: [4] }));
  const { play } = api;
  api.play = (file, config, how) => play.call(api, file, { ...config, seed: "88" }, how);
  session.wish({ ...session.doc.wishes, half_time: "3-3" }, [{ firstBar: 3, lastBar: 3 }]);
  session.wish({ ...session.doc.wishes, half_time: "3-4" }, [{ firstBar: 4, lastBar: 4 }]); // is locked
  await until(() => api.rendered.length === 1 && !session.busy);
  assert.deepEqual(seedsHeard(session), [6, 77, 88, 6]);
  assert.deepEqual(session.take.midi, new Uint8Array([9])); // of its hits
  session.undo();
  assert.deepEqual(seedsHeard(session), [6, 77, 6, 6]);
});

test("bars that are played anew alone leave the others, and locked ones among them", async () => {
  const { session } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.edit((take) => ({ ...take, locks: [3] }));
  await session.anew({ ...session.doc.wishes, seed: "50" }, false, [{ firstBar: 2, lastBar: 4 }]);
  assert.deepEqual(seedsHeard(session), [6, 50, 6, 50]);
});

test("bars without drums are silent, and not asked for, where others are locked", async () => {
  const { session, api } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.edit((take) => ({ ...take, locks: [3] }));
  const asked = api.calls.length;
  session.wish({ ...session.doc.wishes, out: "1-2" });
  await until(() => api.calls.length === asked + 1 && !session.busy);
  assert.deepEqual(session.take.played.map(({ bar }) => bar), [3, 4]);
  assert.deepEqual(api.calls.at(-1)[1].bars, { firstBar: 4, lastBar: 4 });
});

test("a take that is refused leaves everything as it was, and says why", async () => {
  const { session, api, told } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  const before = session.doc;
  api.refusal = Object.assign(new Error("no"), { reason: "INVALID_OPTION" });
  await session.play({ ...session.doc.wishes, style: "polka" });
  assert.equal(session.doc, before);
  assert.equal(session.canRedo, false);
  assert.equal(told.failed.length, 1);
});

test("a server that was away is asked again once it is back", async () => {
  const { session, api } = made();
  api.refusal = Object.assign(new Error("gone"), { reason: "UNREACHABLE" });
  await session.open(FILE);
  assert.equal(session.work, null);
  api.refusal = null;
  session.back();
  await until(() => session.take?.midi);
});

test("a file that is not understood leaves the song that is open alone", async () => {
  const { session, api, told } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  const { work } = session;
  api.refusal = Object.assign(new Error("no MIDI"), { reason: "INVALID_MIDI" });
  await session.open(new File(["x"], "broken.mid"));
  assert.equal(session.work, work);
  assert.equal(told.failed[0].message, "no MIDI");
});

test("undoing while bars come in goes back to the take before, and no late bar spoils it", async () => {
  const { session, api } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  let go = () => {};
  api.hold = new Promise((resolve) => {
    go = resolve;
  });
  session.others();
  session.undo();
  go();
  await moment(20);
  assert.deepEqual(seedsHeard(session), [6, 6, 6, 6]);
  assert.equal(session.busy, false);
});

test("the same file is gone on with where it was left", async () => {
  const { session, kept, api } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.edit((take) => ({ ...take, locks: [4] }));
  await until(() => [...kept.values()][0]?.doc.takes[0]?.locks.length);
  session.close();
  const played = api.calls.length;
  await session.open(FILE);
  assert.deepEqual(session.take.locks, [4]);
  assert.equal(api.calls.length, played + 1); // understood, and not played
});

test("where no part is plainly the guitar it is asked, and the parts that were chosen are played to", async () => {
  const { session, api, told } = made();
  const plain = api.analyze.bind(api);
  api.analyze = async (file, how = {}) => {
    if (how.track === undefined) throw Object.assign(new Error("which?"), { reason: "NO_GUITAR" });
    if (how.track === "1") throw Object.assign(new Error("drums"), { reason: "PART_NOT_FOUND" });
    return { ...(await plain(file, how)), tracks: [{ number: 1, isDrums: true, notes: 9 }, { number: 2, isDrums: false, notes: 9 }, { number: 3, isDrums: false, notes: 5 }] };
  };
  session.ears.choose = async (parts) => (assert.deepEqual(parts.map((part) => part.number), [2, 3]), "2,3");
  await session.open(FILE);
  await until(() => session.take?.midi);
  assert.equal(session.doc.wishes.track, "2,3");
  session.close();
  session.ears.choose = async () => null;
  await session.open(new File(["other"], "other.mid"));
  assert.equal(told.failed.at(-1).message, "which?");
});

test("a file that is dropped while another is asked about takes the question back, and is played to", async () => {
  const { session, api, told } = made();
  const plain = api.analyze.bind(api);
  api.analyze = async (file, how = {}) => {
    if (file.name === "odd.mid" && !how.track) throw Object.assign(new Error("which?"), { reason: "NO_GUITAR" });
    return { ...(await plain(file, how)), tracks: [{ number: 1, isDrums: false, notes: 9 }] };
  };
  let asked = 0;
  session.ears.choose = (_parts, signal) => {
    asked++;
    return new Promise((resolve) => {
      signal.addEventListener("abort", () => resolve(null));
    });
  };
  const first = session.open(new File(["odd"], "odd.mid"));
  await until(() => asked);
  await session.open(FILE);
  await first;
  await until(() => session.take?.midi);
  assert.equal(session.work.name, "riff.mid");
  assert.deepEqual(told.failed, []);
});

test("a take that was chosen or clicked into while it was made stays the chosen one, wherever it is ranked", async () => {
  for (const touch of [(session) => session.choose(1), (session) => session.edit((take) => ({ ...take, edits: [hit(2, "7", "crash")] }))]) {
    const { session, api } = made();
    let go = () => {};
    api.play = async (file, config, how) => {
      [0, 1].forEach((take) => how.onBar({ take, seed: String(5 + take), bar: 1, hits: [hit(1, "5")] }));
      await new Promise((resolve) => {
        go = resolve;
      });
      const all = await FakeApi.prototype.play.call(api, file, config, how);
      return { takes: api.ranks.map((seed) => all.takes.find((take) => take.seed === seed)) };
    };
    await session.open(FILE);
    await until(() => session.doc.takes.length === 2);
    touch(session);
    const { seed } = session.take;
    api.ranks = seed === "5" ? ["6", "5"] : ["5", "6"];
    go();
    await until(() => session.take?.midi);
    assert.equal(session.take.seed, seed);
    assert.equal(session.doc.chosen, 1);
  }
});

test("a take has the plan that its bars were played by, also when they are played again", async () => {
  const { session } = made();
  await session.open(FILE);
  await until(() => session.take?.midi);
  assert.deepEqual(session.doc.takes.map((take) => take.plan[0].name), ["6", "5"]);
  session.wish({ ...session.doc.wishes, intensity: 0.2 });
  assert.equal(session.take.plan[0].name, "6");
  await until(() => !session.busy && session.take.plan[0].name === session.take.seed);
  session.edit((take) => ({ ...take, locks: [2] }));
  await session.anew({ ...session.doc.wishes, seed: "9" });
  assert.equal(session.take.plan[0].name, "9");
  session.undo();
  assert.equal(session.take.plan[0].name, "6");
});

test("what is clicked and locked while bars come in stays", async () => {
  const { session, api } = made();
  let go = () => {};
  const held = () => {
    api.hold = new Promise((resolve) => {
      go = resolve;
    });
  };
  await session.open(FILE);
  await until(() => session.take?.midi);
  for (const deed of [() => session.others(), () => session.anew()]) {
    const played = session.take.played;
    held();
    api.play = async (file, config, how) => {
      how.onBar({ take: 0, seed: config.seed, bar: 1, hits: [hit(1, config.seed)] });
      await api.hold;
      return FakeApi.prototype.play.call(api, file, config, how);
    };
    deed();
    await until(() => session.take.played !== played);
    session.edit((take) => ({ ...take, edits: [...take.edits, hit(2, "7", "crash")], locks: [2] }));
    go();
    await until(() => !session.busy);
    assert.deepEqual(session.take.locks, [2]);
    assert.equal(session.take.edits.at(-1).piece, "crash");
  }
});

test("an address may mean one of the takes: it is chosen once it is there", async () => {
  const { session } = made();
  session.meant({ takes: 2, seed: "5" }, 2);
  await session.open(FILE);
  await until(() => session.take?.midi);
  assert.equal(session.doc.chosen, 1);
  assert.equal(session.take.seed, "5");
  await session.play(session.doc.wishes);
  assert.equal(session.take.seed, "6"); // the best one
});

// --- what is said of a file --------------------------------------------------------------------------------------------

const ONE = [{ name: "A", firstBar: 1, lastBar: 2 }, { name: "B", firstBar: 3, lastBar: 4 }];

test("a file that was played without a click is followed by itself, and nothing of that is asked", async () => {
  const { session, api } = made();
  api.heard = ({ follow }) => ({ fit: { isFree: !follow }, song: follow ? new Uint8Array([7]) : null });
  await session.open(FILE);
  assert.equal(session.doc.wishes.follow, true);
  assert.equal((await session.song.arrayBuffer()).byteLength, 1);
  await until(() => session.take?.midi);
  assert.ok(api.calls.every(([what, config]) => what !== "play" || !("follow" in config)));
});

test("a file that no beats fit keeps its own, and so does one of which something is said", async () => {
  const { session, api } = made();
  api.heard = () => ({ fit: { isFree: true } });
  await session.open(FILE);
  assert.equal(session.doc.wishes.follow, undefined);
  assert.equal(session.song, FILE);
  const other = made({ takes: 1, follow: false });
  other.api.heard = () => ({ fit: { isFree: true } });
  await other.session.open(FILE);
  assert.equal(other.session.doc.wishes.follow, false);
});

test("on other beats all takes are made anew, to the song on these beats, and undo brings the old ones back", async () => {
  const { session, api, told } = made();
  api.heard = (config) => ({ song: config.beat_scale ? new Uint8Array([1, 2, 3]) : null });
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.edit((take) => ({ ...take, locks: [2] }));
  session.wish({ ...session.doc.wishes, beat_scale: 2 });
  await until(() => session.take?.midi && session.song !== FILE);
  assert.deepEqual(session.take.locks, []);
  assert.deepEqual(told.opened, ["new", "again"]);
  assert.equal(told.begun, 2);
  session.undo();
  await until(() => session.song === FILE);
  assert.deepEqual(session.take.locks, [2]);
});

test("sections that get names only change no bar; other borders do, on the grooves of their bars", async () => {
  const { session, api } = made();
  api.heard = ({ sections }) => ({ sections: sections === "verse 1-2, chorus 3-4" ? [{ ...ONE[0], name: "verse" }, { ...ONE[1], name: "chorus" }] : sections ? [{ name: "verse", firstBar: 1, lastBar: 3 }, { name: "chorus", firstBar: 4, lastBar: 4 }] : ONE });
  await session.open(FILE);
  await until(() => session.take?.midi);
  session.edit((take) => ({ ...take, grooves: [{ section: "A", name: "one", title: "One" }, { section: "B", name: "two", title: "Two" }] }));
  const played = api.calls.length;
  session.wish({ ...session.doc.wishes, sections: "verse 1-2, chorus 3-4" });
  await until(() => session.analysis.sections[0].name === "verse");
  assert.deepEqual(session.take.grooves.map(({ section, name }) => [section, name]), [["verse", "one"], ["chorus", "two"]]);
  assert.equal(session.settled, true);
  assert.equal(api.calls.length, played + 1); // it was listened to, and not played
  session.wish({ ...session.doc.wishes, sections: "verse 1-3, chorus 4-4" });
  await until(() => api.calls.at(-1)[0] === "play");
  assert.deepEqual(api.calls.at(-1)[1].groove, [{ section: "verse", name: "one" }, { section: "chorus", name: "two" }]);
  assert.equal(api.calls.at(-1)[1].sections, "verse 1-3, chorus 4-4");
});
