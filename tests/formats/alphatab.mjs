// What alphaTab plays of tabs: node alphatab.mjs MODULES FILE ... prints a JSON list: of each file its `tempos`,
// [tick, quarters a minute], and its `tracks`, of each its notes: [tick, length, pitch, velocity]; 960 ticks a quarter.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const { importer, midi, Settings } = await import(
  pathToFileURL(createRequire(`${modules}/`).resolve("@coderline/alphatab")).href
);
const played = files.map((file) => {
  const settings = new Settings();
  const score = importer.ScoreLoader.loadScoreFromBytes(new Uint8Array(readFileSync(file)), settings);
  const tracks = score.tracks.map(() => []);
  const addNote = (track, start, length, key, velocity) => tracks[track].push([start, length, key, velocity]);
  const tempos = [];
  const addTempo = (tick, tempo) => tempos.push([tick, tempo]);
  const handler = new Proxy({ addNote, addTempo }, { get: (own, name) => own[name] ?? (() => {}) });
  new midi.MidiFileGenerator(score, settings, handler).generate();
  return { tempos, tracks };
});
process.stdout.write(JSON.stringify(played));
