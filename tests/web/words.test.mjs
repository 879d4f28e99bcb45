// Sentences of the server are said in the language of the page.
import assert from "node:assert/strict";
import { test } from "node:test";
import { because, said, setLanguage } from "../../server/web/page/words.js";

const REASONS = {
  "General MIDI guitar program": "Gitarrenklang nach General MIDI",
  "named 'Lead Guitar'": "heißt 'Lead Guitar'",
  "the only pitched part": "die einzige Spur mit Tonhöhen",
  "a hex pickup, 6 strings": "ein Hex-Pickup mit 6 Saiten",
  chosen: "von dir gewählt",
  "a reason of a newer server": "a reason of a newer server",
};

test("the reason why a part is the guitar is said in the language of the page", () => {
  for (const [english, german] of Object.entries(REASONS)) {
    setLanguage("en");
    assert.equal(because(english), english);
    setLanguage("de");
    assert.equal(because(english), german);
  }
});

test("pieces of the kit that play instead of others are named in the language of the page", () => {
  const explanation = { text: "ride instead of closed hat, as requested", pieces: [{ what: "instead", values: { piece: "closed hat", other: "ride" } }] };
  setLanguage("en");
  assert.equal(said(explanation), explanation.text);
  setLanguage("de");
  assert.equal(said(explanation), "Ride statt Hi-Hat zu, wie gewünscht");
});
