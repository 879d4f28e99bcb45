// Drums for a guitar MIDI file, from a server, in a language that has none of this project's code: all that this script
// knows of it is the contract in proto/.
//
//   npm install
//   node drums.mjs song.mid drums.mid [host:port]
//
// The server is started with `python -m server`. If it wants a token, give it in the environment as SEQ2DRUM_TOKEN.

import { createHash } from "node:crypto";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

// Packages of this folder, or of another one that is named: ES modules do not look into NODE_PATH.
const elsewhere = process.env.SEQ2DRUM_NODE_MODULES;
const require = createRequire(elsewhere ? `${elsewhere}/` : import.meta.url);
const grpc = require("@grpc/grpc-js");
const { loadSync } = require("@grpc/proto-loader");

const [input, output, address = "localhost:50051"] = process.argv.slice(2);
if (!input || !output) {
  console.error("usage: node drums.mjs song.mid drums.mid [host:port]");
  process.exit(2);
}

// The contract is read as it stands; nothing is generated. Numbers of 64 bits come as text: JavaScript's are too small.
const proto = fileURLToPath(new URL("../../proto", import.meta.url));
const options = { includeDirs: [proto], keepCase: true, longs: String, enums: String, oneofs: true, defaults: true };
const contract = grpc.loadPackageDefinition(loadSync("seq2drum/v1/accompaniment.proto", options));
const Service = contract.seq2drum.v1.AccompanimentService;

const midi = readFileSync(input);
const client = new Service(address, grpc.credentials.createInsecure());
const metadata = new grpc.Metadata();
if (process.env.SEQ2DRUM_TOKEN) {
  metadata.set("authorization", `Bearer ${process.env.SEQ2DRUM_TOKEN}`);
}

// A call always has a deadline: whoever waits for ever learns nothing.
const call = client.StreamGenerateDrums(metadata, { deadline: Date.now() + 120_000 });

const chunks = []; // of the drum file, in order
let summary;

call.on("data", (message) => {
  switch (message.piece) {
    case "accepted":
      console.log(`${message.accepted.timeline.bars} bars, listening to ${message.accepted.guitar.reason}`);
      break;
    case "bar_events":
      console.log(`bar ${message.bar_events.bar}: ${message.bar_events.hits.length} hits`);
      break;
    case "file_chunk":
      chunks.push(message.file_chunk.data);
      break;
    case "summary":
      summary = message.summary;
      break;
    // "progress" is for those who do not want the bars; what a later server may say besides is passed over.
  }
});

// Whatever goes wrong comes here, with words for people: a file that is no MIDI file, a server that is away or busy.
call.on("error", (error) => {
  console.error(`${input}: ${error.details}`);
  process.exitCode = 1;
  client.close();
});

call.on("end", () => {
  if (!summary) {
    return; // an error comes, or came
  }
  const drums = Buffer.concat(chunks);
  const [take] = summary.takes;
  if (!createHash("sha256").update(drums).digest().equals(take.sha256)) {
    console.error("the file came back damaged; try again");
    process.exitCode = 1;
  } else {
    writeFileSync(`${output}.part`, drums); // whole or not at all
    renameSync(`${output}.part`, output);
    console.log(`${output}: ${take.stats.hits} hits, seed ${take.seed}, model ${summary.model.id}`);
  }
  client.close();
});

// First what is wanted, then the file in pieces, then the end. Fields that are left out keep the server's defaults.
const seed = process.env.SEED ? { seed: process.env.SEED } : {};
call.write({ config: { config: { ...seed }, send_bar_events: true } });
const size = 32 * 1024; // at most Limits.max_chunk_bytes of GetServerInfo
for (let start = 0; start < midi.length; start += size) {
  call.write({ midi_chunk: midi.subarray(start, start + size) });
}
call.end();
