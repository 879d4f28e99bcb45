// The songs to learn from: which are sent, what is told of them, and how long it takes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { playedBy } from "../../server/web/page/drummers.js";
import { Lesson } from "../../server/web/page/lesson.js";
import { Refused } from "../../server/web/page/wire.js";
import { heard, setLanguage } from "../../server/web/page/words.js";

const LIMITS = { maxSongs: 4, maxBytes: 100, maxSongBytes: 50 };
const song = (name, size = 10) => ({ name, file: new File(["x".repeat(size)], name, { lastModified: 1 }) });
const told = (songs, left = []) => songs.map(({ name }, index) => ({ number: index + 1, title: name, understood: !left.includes(name), remark: left.includes(name) ? "no notes" : "", bars: 8 }));

/** An api that hears every song, and finds copies at last. */
function school(copies = []) {
  const asked = [];
  const teach = async (songs, name, { onHeard }) => {
    asked.push({ names: songs.map((one) => one.name), name });
    for (const one of told(songs)) onHeard(one);
    return { songs: told(songs, copies), model: name ? { id: "us" } : null };
  };
  return { asked, api: { teach } };
}

test("songs are heard as they are added, each once, and copies are told at last", async () => {
  const { asked, api } = school(["c"]);
  const lesson = new Lesson(api, LIMITS);
  await lesson.add([song("a"), song("b")]);
  await lesson.add([song("b"), song("c")]);
  assert.deepEqual(asked.map(({ names }) => names.join("")), ["ab", "abc"]); // prettier-ignore
  assert.deepEqual(lesson.songs.map((one) => [one.name, one.heard.understood]), [["a", true], ["b", true], ["c", false]]); // prettier-ignore
  await lesson.remove(lesson.songs[0]);
  assert.deepEqual(asked.at(-1).names, ["b", "c"]);
  lesson.name = " Us ";
  assert.equal((await lesson.make()).id, "us");
  assert.equal(asked.at(-1).name, "Us");
});

test("a song that is too large is told and not sent, and there are no more songs and bytes than a drummer takes", async () => {
  const { asked, api } = school();
  const lesson = new Lesson(api, LIMITS);
  await lesson.add([song("large", 51), song("a"), song("b")]);
  assert.deepEqual(asked.at(-1).names, ["a", "b"]);
  assert.match(lesson.songs[0].heard.remark, /^larger than 0 MiB$/);
  assert.deepEqual(lesson.understood.map(({ name }) => name), ["a", "b"]); // prettier-ignore
  await lesson.add([song("c"), song("d")]);
  assert.equal(lesson.limit, "songs");
  assert.deepEqual(asked.at(-1).names, ["a", "b", "c"]);
  lesson.clear();
  await lesson.add([song("a", 50), song("b", 50), song("c", 1)]);
  assert.equal(lesson.limit, "bytes");
  assert.deepEqual(asked.at(-1).names, ["a", "b"]);
  await lesson.add([]);
  assert.equal(lesson.limit, "none");
});

test("its progress grows with each song, and tells the time left once two are heard", async () => {
  const seen = [];
  const teach = async (songs, _, { onHeard }) => {
    for (const one of told(songs)) {
      await new Promise((resolve) => {
        setTimeout(resolve, 5);
      });
      onHeard(one);
      seen.push(lesson.progress(performance.now()));
    }
    seen.push(lesson.progress(performance.now() + 1e6));
    return { songs: told(songs), model: null };
  };
  const lesson = new Lesson({ teach }, LIMITS);
  await lesson.add([song("a"), song("b"), song("c")]);
  const shares = seen.map(({ share }) => share);
  assert.deepEqual(shares, [...shares].sort((one, other) => one - other)); // prettier-ignore
  assert.equal(seen[0].seconds, null);
  assert.ok(seen[1].seconds > 0 && shares.at(-1) < 1);
});

test("another song stops what goes on, and a refusal is for the page to tell", async () => {
  let calls = 0;
  const teach = (songs, _, { signal }) =>
    new Promise((resolve, reject) => {
      if (calls++) resolve({ songs: told(songs), model: null });
      else signal.addEventListener("abort", () => reject(new Refused("CANCELLED", "stopped")));
    });
  const lesson = new Lesson({ teach }, LIMITS);
  const first = lesson.add([song("a")]);
  await lesson.add([song("b")]);
  await first;
  assert.equal(lesson.busy, false);
  const refusing = new Lesson({ teach: () => Promise.reject(new Refused("NO_SONGS", "none")) }, LIMITS);
  await assert.rejects(refusing.add([song("a")]), { reason: "NO_SONGS" });
  assert.equal(refusing.busy, false);
});

test("another drummer does not get the grooves that only a band's knows by name", () => {
  const book = [{ name: "one-drop" }];
  assert.deepEqual(playedBy({ groove: "one-drop", groove_places: "1-4=one-drop", takes: 3 }, "us", book), { groove: "one-drop", groove_places: "1-4=one-drop", takes: 3, model: "us" });
  assert.deepEqual(playedBy({ groove: "cold-gin", groove_places: "1-4=cold-gin", model: "us" }, undefined, book), { model: undefined });
});

test("a remark of the server is said in the language of the page", () => {
  setLanguage("de");
  assert.equal(heard("a copy of Cold Gin"), "eine Kopie von Cold Gin");
  assert.equal(heard("a remark of a newer server"), "a remark of a newer server");
  setLanguage("en");
});
