/** The song view: drop a file, get drums for it, and see, hear, edit and download them. */

import { valuesOf, wishesOf } from "./address.js";
import { Asking } from "./asking.js";
import { MEBIBYTE, wait } from "./basics.js";
import { fill } from "./dom.js";
import { Downloads } from "./downloads.js";
import { DrummerMenu, playedBy } from "./drummers.js";
import { asked, isRecording } from "./drumming.js";
import * as edits from "./edits.js";
import { keyPressed } from "./keys.js";
import { gridOf, rowsOf } from "./places.js";
import { Roll } from "./roll.js";
import { decoded } from "./samples.js";
import { Session } from "./session.js";
import { guitarOf } from "./sound.js";
import { placedOf } from "./spans.js";
import { Stage } from "./stage.js";
import { Store } from "./store.js";
import { Transport } from "./transport.js";
import { askForParts, Welcome } from "./welcome.js";
import { WishPanel } from "./wishes.js";
import { t } from "./words.js";

/** @typedef {import("./main.js").App} App */
/** @typedef {import("./edits.js").Take} Take */
/** @typedef {import("./edits.js").Hit} Hit */

const HERE = "seq2drum.song"; // of sessionStorage: the song that this tab has open; below, its position
const AT = "seq2drum.position";
const EXAMPLE = "example.mid";
const CLICK_WANTED = 900; // milliseconds after which the browser must be waiting for a click
const SEEN = 30; // milliseconds between two updates while bars come in
const SOUND_EVERY = 120; // milliseconds between two updates of the sound

export class SongView {
  #app;
  #store = new Store();
  #gone = new AbortController();
  /** @type {Set<string>} */
  #muted = new Set();
  /** @type {Set<string>} */
  #solo = new Set();
  #silent = /** @type {ReadonlySet<string>} */ (new Set());
  #shown = false;
  #frame = 0;
  /** The values of the address while there is no song. @type {Record<string, string>} */
  #asked = {};
  #soon = 0; // the timer of the next update
  #warned = false; // that nothing is kept
  #given = 0; // the last update of the sound
  /** @type {{take: Take | undefined, hits: readonly Hit[], signs: Map<number, "fill" | "break">}} */
  #heard = { take: undefined, hits: [], signs: new Map() };
  #trial = /** @type {readonly Hit[] | null} */ (null); // the hits of a groove that is tried

  /** @param {HTMLElement} root @param {App} app @param {SongView} [earlier] the same view in another language */
  constructor(root, app, earlier) {
    this.#app = app;
    this.session = earlier?.session ?? new Session(app.api, this.#store, this.#ears());
    this.session.ears = this.#ears();
    this.welcome = new Welcome(app.info.info, {
      file: (file) => void this.open(file),
      example: () => void this.#example(),
      open: (id) => void this.session.resume(id),
      forget: (id) => void this.#store.forget(id).then(() => this.#list()),
    });
    this.roll = new Roll({
      toggle: (place) => this.session.edit((take) => edits.toggled(take, place)),
      strike: (hit, velocity) => this.session.edit((take) => edits.struck(take, hit, velocity)),
      lock: (first, last) => this.session.edit((take) => ({ ...take, locks: edits.withLocks(take.locks, first, last, !take.locks.includes(last)) })),
      seek: (quarter) => void this.#seek(quarter),
      hear: (piece, velocity) => void app.sound.strike(piece, velocity).catch((error) => this.#fail(error)),
      mute: (what) => this.#mix("mute", [what]),
      solo: (what) => this.#mix("solo", [what]),
    });
    this.wishes = new WishPanel(app.info.models.models[0]?.styles ?? [], Math.min(8, app.info.info.limits.maxTakes), (wishes) => this.session.wish(wishes));
    this.transport = new Transport(app.sound, { toggle: () => void this.toggle(), seek: (quarter) => void this.#seek(quarter), loop: (span) => this.asking.about(span) });
    this.asking = new Asking(this, app, {
      mix: (how, pieces, on) => this.#mix(how, pieces, on),
      heard: (hits) => ((this.#trial = hits), this.#give(true)),
      opened: (on) => this.stage.opened(on),
      changed: () => this.#refresh(),
      fail: (error) => this.#fail(error),
    });
    this.downloads = new Downloads(app.api, (quietly) => this.#wanted(quietly), app, app.info.maps, app.info.info.missingReaders);
    this.drummer = new DrummerMenu("drummer", app.drummers, { teach: () => app.goTo("teach"), chosen: (model) => this.#playedBy(model), signal: this.#gone.signal });
    this.stage = new Stage(this.session, this, {
      leave: () => this.#leave(),
      changed: () => this.#refresh(),
      seek: (quarter) => void this.#seek(quarter),
      place: () => app.sound.position,
    });
    fill(root, this.welcome.root, this.stage.root);
    const { signal } = this.#gone;
    for (const name of ["play", "stop", "end"]) app.sound.addEventListener(name, () => this.#playing(), { signal });
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    addEventListener("pagehide", () => this.#leaveNow(), { signal });
    document.addEventListener("visibilitychange", () => document.hidden && this.#leaveNow(), { signal });
    if (earlier) this.#remade(earlier);
    this.#refresh();
    void this.#list();
  }

  /** The same song, in another language. @param {SongView} earlier */
  #remade(earlier) {
    earlier.#gone.abort();
    earlier.hidden();
    [this.#muted, this.#solo, this.#store, this.#asked] = [earlier.#muted, earlier.#solo, earlier.#store, earlier.#asked];
    const { work, analysis } = this.session;
    if (!work || !analysis) return;
    this.stage.open(work.name);
    void this.#grooves(true);
    this.#playing();
  }

  // --- for main.js ---------------------------------------------------------------------------------------------------

  /** Open a file. @param {File} file */
  async open(file) {
    this.#app.say("");
    const most = Number(this.#app.info.info.limits.maxRecordingBytes);
    if (file.size > most) {
      this.#app.say(t("song.large", { name: file.name, size: Math.ceil(file.size / MEBIBYTE), most: Math.floor(most / MEBIBYTE) }), { kind: "error" });
      return;
    }
    const heard = isRecording(file) ? this.#app.say(t("song.listening"), { kind: "work" }) : () => {};
    this.stage.root.classList.add("opening");
    this.welcome.root.classList.add("opening");
    await this.session.open(file);
    heard();
    this.stage.root.classList.remove("opening");
    this.welcome.root.classList.remove("opening");
  }

  /** The page has loaded: reopen the song of this tab. @param {Record<string, string>} values of the address */
  async start(values) {
    const id = sessionStorage.getItem(HERE);
    const at = Number(sessionStorage.getItem(AT));
    if (id && (await this.session.resume(id).catch(() => false))) {
      await this.#seek(at);
      this.roll.reveal(at);
    } else this.#mean(values);
  }

  /** The address was edited, or a link was followed. @param {Record<string, string>} values */
  moved(values) {
    this.#mean(values);
  }

  /** @param {Record<string, string>} values of the address */
  #mean(values) {
    this.session.meant(wishesOf(values), Number(values.take) || 0);
    if (this.session.work) return;
    this.#asked = values;
    this.welcome.meant(values.song ?? "");
    this.#app.setAddress();
  }

  /** @param {import("./address.js").Wishes["beat"]} beat */
  useAsGroove(beat) {
    const wishes = { ...this.session.doc.wishes, groove: undefined, beat };
    if (this.session.work) this.session.wish(wishes);
    else this.session.meant(wishes);
  }

  /** @param {string} model the drummer that plays from now on */
  playWith(model) {
    if (!this.session.work) this.#app.say(t("drummer.next", { name: this.#app.drummers.nameOf(model) }));
    this.#playedBy(model);
  }

  /** Choose a drummer. @param {string | undefined} model */
  #playedBy(model) {
    const wishes = playedBy(this.session.doc.wishes, model, this.#app.info.grooves);
    if (this.session.work) this.session.wish(wishes);
    else this.session.meant(wishes);
    void this.#grooves(true); // each drummer has its own
    this.#refresh();
  }

  shown() {
    this.#shown = true;
    this.#give(true);
    this.roll.renew();
    this.#tick();
  }

  hidden() {
    this.#shown = false;
    cancelAnimationFrame(this.#frame);
    this.session.stand(this.#app.sound.position);
  }

  back = () => this.session.back();

  /** The theme or the size of the window has changed. */
  renew() {
    this.roll.renew();
    this.asking.form.draw();
  }

  /** @returns {Record<string, string>} */
  address() {
    const { work, doc, settled } = this.session;
    if (!work) return this.#asked;
    return { song: work.name, ...valuesOf(doc.wishes), ...(doc.chosen && settled ? { take: String(doc.chosen + 1) } : {}) };
  }

  // --- updates from the session --------------------------------------------------------------------------------------

  /** @returns {import("./session.js").Ears} */
  #ears() {
    return {
      changed: () => this.#changed(),
      opened: (how) => this.#opened(how),
      begun: () => void this.#begin(),
      failed: (error) => this.#fail(error),
      unkept: () => this.#unkept(),
      choose: askForParts,
      copied: () => this.#app.say(t("song.copied"), { kind: "note" }),
    };
  }

  /** Update the view: immediately, but less often while bars come in. */
  #changed() {
    if (!this.session.busy) this.#refresh();
    else this.#soon ||= Number(setTimeout(() => this.#refresh(), SEEN));
  }

  #unkept() {
    if (!this.#warned) this.#app.say(t("frame.full"), { kind: "error" });
    this.#warned = true;
  }

  /** @param {"new" | "kept" | "again"} how */
  #opened(how) {
    const { session } = this;
    const { sound } = this.#app;
    const { work, analysis } = session;
    if (!work || !analysis) return;
    if (how !== "again") this.asking.begin();
    if (how !== "again") sound.stop();
    const program = analysis.tracks.find(({ number }) => number === analysis.guitar.tracks[0])?.program ?? 24;
    sound.set({ bars: [...analysis.bars], tempos: analysis.timeline.tempos, hits: [], guitar: analysis.notes, kind: guitarOf(program) });
    this.#give(true);
    void this.#recording();
    void sound.load("drums", guitarOf(program)).catch((error) => this.#fail(error));
    if (how !== "again") void sound.seek(work.position);
    this.roll.reveal(sound.position);
    if (document.activeElement === document.body || this.welcome.root.contains(document.activeElement)) requestAnimationFrame(() => this.transport.button.focus());
    sessionStorage.setItem(HERE, work.id);
    this.stage.open(work.name);
    void this.#grooves(how !== "new");
  }

  /** Play the recording itself. */
  async #recording() {
    const { file } = this.session;
    if (!file || !isRecording(file)) return;
    const buffer = await decoded(file);
    if (!buffer) this.#app.say(t("song.undecodable"), { kind: "note" }); // its notes are played instead
    else if (file === this.session.file) this.#app.sound.set({ guitar: buffer });
  }

  /** List the grooves. @param {boolean} fitting also those that fit, which are requested after the first bar */
  async #grooves(fitting) {
    const { song, analysis, doc } = this.session;
    if (!song || !analysis) return;
    const metre = analysis.timeline.meters[0];
    const others = this.#app.info.grooves.filter((groove) => groove.numerator === metre?.numerator && groove.denominator === metre?.denominator);
    this.asking.panel.grooves.offer([], others);
    const fit = fitting ? await this.#app.api.grooves(song, { ...asked(doc.wishes), model: doc.wishes.model ?? "" }).catch(() => []) : [];
    if (song === this.session.song && doc.wishes.model === this.session.doc.wishes.model) this.asking.panel.grooves.offer(fit, others);
  }

  /** The first bar has come: play immediately, if the browser allows sound before a click. */
  async #begin() {
    this.#give(true);
    void this.#grooves(true);
    if (!this.#shown) return;
    const { sound } = this.#app;
    await Promise.race([sound.play(0), wait(CLICK_WANTED)]).catch((error) => this.#fail(error));
    if (sound.playing || navigator.userActivation?.hasBeenActive) return;
    this.transport.button.classList.add("wanted");
    this.#app.say(t("song.click"));
  }

  /** @param {unknown} error */
  #fail(error) {
    if (/** @type {{reason?: string}} */ (error).reason === "UNKNOWN_MODEL" && this.session.doc.wishes.model) {
      this.#playedBy(undefined);
      this.#app.say(t("drummer.lost"), { kind: "error" });
    } else this.#app.fail(error);
    this.#refresh();
  }

  // --- actions -------------------------------------------------------------------------------------------------------

  async #example() {
    try {
      const answer = await fetch(EXAMPLE);
      if (!answer.ok) throw new Error(answer.statusText);
      await this.open(new File([await answer.blob()], t("song.example.name")));
    } catch {
      this.#app.say(t("frame.gone"), { kind: "error" });
    }
  }

  async toggle() {
    const { sound } = this.#app;
    if (this.transport.button.classList.contains("wanted")) this.#app.say("");
    this.transport.button.classList.remove("wanted");
    if (sound.playing) sound.stop();
    else await sound.play().catch((error) => this.#fail(error));
    this.session.stand(sound.position);
  }

  /** @param {number} quarter */
  async #seek(quarter) {
    await this.#app.sound.seek(quarter);
    this.session.stand(quarter);
  }

  /**
   * Mute pieces or hear them alone.
   *
   * @param {"mute" | "solo"} how
   * @param {readonly string[]} pieces
   * @param {boolean} [on] default: the other way round
   */
  #mix(how, pieces, on) {
    const among = how === "mute" ? this.#muted : this.#solo;
    for (const piece of pieces) {
      if (on ?? !among.has(piece)) among.add(piece);
      else among.delete(piece);
      this.#app.sound[how](piece, among.has(piece));
    }
    this.#refresh();
  }

  /** The page may be closed. */
  #leaveNow() {
    sessionStorage.setItem(AT, String(this.#app.sound.position));
    this.session.stand(this.#app.sound.position);
    this.session.keepSoon(0);
  }

  #playing() {
    this.transport.playing(this.#app.sound.playing);
    if (!this.#app.sound.playing) this.session.stand(this.#app.sound.position);
  }

  #wanted(quietly = false) {
    const { file, song, take, doc, busy } = this.session;
    if (!busy && file && song && take) return { file, song, take, config: asked(doc.wishes) };
    if (!quietly) this.#app.say(t("save.wait"), { kind: "note" });
    return null;
  }

  async #list() {
    this.welcome.list(await this.#store.list().catch(() => []));
  }

  #leave() {
    this.#app.sound.stop();
    sessionStorage.removeItem(HERE);
    this.#asked = {};
    this.session.close();
    void this.#list();
    this.welcome.input.focus();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (this.#shown && this.session.work) keyPressed(event, this.session, () => void this.toggle());
  }

  // --- view -----------------------------------------------------------------------------------------------------------

  #refresh() {
    clearTimeout(this.#soon);
    this.#soon = 0;
    const { work, analysis, take } = this.session;
    this.stage.root.hidden = !work;
    this.welcome.root.hidden = Boolean(work);
    document.title = work ? `${work.name} – seq2drum` : "seq2drum";
    this.#app.setAddress();
    this.drummer.show(this.session.doc.wishes.model);
    if (!work || !analysis) return;
    if (this.#heard.take !== take) {
      const hits = take ? edits.sounding(take.played, take.edits) : [];
      this.#heard = { take, hits, signs: edits.signs(take?.explanations ?? []) };
      this.#give(false);
      this.stage.tellAll();
    }
    const picture = this.#picture();
    this.stage.show(picture, this.#solo);
    this.asking.show(picture, this.#muted, this.#solo);
  }

  /** @returns {import("./paint.js").Picture} */
  #picture() {
    const { analysis, take } = this.session;
    const bars = analysis?.bars ?? [];
    const { hits } = this.#heard;
    const wished = placedOf(this.session.doc.wishes.fill_at).map(({ firstBar }) => /** @type {const} */ ([firstBar, "fill"]));
    const signs = new Map([...this.#heard.signs, ...wished]);
    const silent = [...new Set([...rowsOf([], true), "guitar"])].filter((what) => (this.#solo.size ? !this.#solo.has(what) : this.#muted.has(what)));
    if (silent.join() !== [...this.#silent].join()) this.#silent = new Set(silent);
    return {
      bars, hits, signs,
      clicked: new Set(take?.edits ?? []),
      sections: analysis?.sections ?? [],
      guitar: analysis?.notes ?? [],
      locks: new Set(take?.locks ?? []),
      made: this.session.made,
      rows: rowsOf(hits.map((hit) => hit.piece), this.stage.all),
      silent: this.#silent,
      grid: this.stage.grid || gridOf(hits, bars),
    }; // prettier-ignore
  }

  /** Update the sound, less often while bars come in. @param {boolean} now */
  #give(now) {
    const time = performance.now();
    if (!this.#shown || !this.session.work || (!now && this.session.busy && time - this.#given < SOUND_EVERY)) return;
    this.#given = time;
    this.#app.sound.set({ hits: [...(this.#trial ?? this.#heard.hits)] });
  }

  #tick() {
    this.#frame = requestAnimationFrame(() => {
      if (this.session.work) {
        const quarter = this.#app.sound.position;
        const { playing } = this.#app.sound;
        this.roll.at(quarter, playing);
        this.asking.at(quarter, playing);
        this.transport.at(quarter);
        this.stage.tell(quarter);
      }
      if (this.#shown) this.#tick();
    });
  }
}
