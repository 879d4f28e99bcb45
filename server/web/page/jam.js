/** The jam view: who plays the guitar, the options, and large buttons for signs; its board shows what is played. */

import { parts } from "./address.js";
import { clamp } from "./basics.js";
import { field, fill, h, isCommand, menu, options, plays, sign } from "./dom.js";
import { offer } from "./downloads.js";
import { DrummerMenu } from "./drummers.js";
import { Board } from "./jam_board.js";
import { faster, Jamming } from "./jamming.js";
import { hasMidi, Ports } from "./midi.js";
import { jamFile } from "./record.js";
import { guitarOf, Sound } from "./sound.js";
import { t } from "./words.js";

/** @import {App} from "./main.js" */
/** @import {Due, Guitarist} from "./jamming.js" */
/** @import {Struck} from "./midi.js" */
/** @typedef {{bpm: number, metre: string, style: string, countIn: number, model: string}} Wishes */
/** @typedef {"fill" | "section" | "softer" | "louder" | "stop"} Deed */
/** @typedef {{wishes: Wishes, intensity: number, sound: Sound, jamming: Jamming, ports: Ports | null, refused: boolean, input: string, output: string, file: {name: string, guitarist: Guitarist, bpm: number} | null, view: JamView | null, gone: AbortController}} Kept survives a change of language */

const METRES = ["4/4", "3/4", "6/8", "12/8", "5/4", "7/8", "2/4"];
const BPM = { least: 30, most: 300, usual: 110 };
const COUNTS = [0, 1, 2];
const FILE = "file"; // in place of the id of an input
const DEEDS = /** @type {const} */ (["fill", "section", "softer", "louder", "stop"]);
const KEYS = /** @type {Record<string, Deed>} */ ({ f: "fill", n: "section", "-": "softer", "+": "louder", "=": "louder", e: "stop" });
const INTENSITY = { usual: 0.5, step: 0.15 };

/** @param {App} app @returns {Kept} */
function begun(app) {
  const { view, values } = parts(location.hash);
  const sound = new Sound();
  /** @type {Kept} */
  const found = {
    wishes: wishesOf(view === "jam" ? values : {}), intensity: INTENSITY.usual, sound, ports: null, refused: false, input: FILE, output: "", file: null, view: null, gone: new AbortController(),
    jamming: new Jamming(sound, app.api.jam, {
      changed: () => found.view?.show(),
      failed: app.fail,
      drums: (due) => strike(found, due),
    }),
  }; // prettier-ignore
  return found;
}

/** @param {Record<string, string>} values of an address @returns {Wishes} */
function wishesOf({ bpm = "", metre = "", style = "", count = "", model = "" }) {
  return {
    bpm: Number(bpm) >= BPM.least && Number(bpm) <= BPM.most ? Math.round(Number(bpm)) : BPM.usual,
    metre: METRES.includes(metre) ? metre : METRES[0],
    style: style.length <= 64 ? style : "",
    countIn: COUNTS.includes(Number(count || 1)) ? Number(count || 1) : 1,
    model: model.length <= 64 ? model : "",
  };
}

/** Send drums to the MIDI port, if one is chosen. @param {Kept} found @param {Due[]} due */
function strike({ ports, output }, due) {
  for (const { note, velocity, at } of due) if (output) ports?.strike(output, note, velocity, at);
}

export class JamView {
  #app;
  /** @type {Kept} */
  #kept;
  #shown = false;
  #play = h("button", { id: "jam-play", class: "button play", "aria-describedby": "jam-why", onclick: () => this.#toggle() });
  #input = h("select", { id: "jam-in", "aria-describedby": "jam-in-about", onchange: () => this.#listen(this.#input.value) });
  #output = h("select", { id: "jam-out", onchange: () => this.#send(this.#output.value) });
  #find = h("button", { id: "jam-find", class: "button", onclick: () => this.#ask() }, t("jam.find"));
  #about = h("p", { class: "meaning", id: "jam-in-about" });
  #file = h("input", { type: "file", id: "jam-file", class: "hidden-input", onchange: () => void this.#open() });
  #bpm = h("input", { type: "number", id: "jam-bpm", min: `${BPM.least}`, max: `${BPM.most}`, step: "1" });
  #metre = h("select", { id: "jam-metre" });
  #drummer;
  #board = new Board();
  #stage;
  #frame = 0;
  /** The sign that was given last, and how many bars were decided then. @type {{what: Deed, bars: number} | null} */
  #given = null;
  #why = h("p", { id: "jam-why", class: "jam-why" });
  #status = h("p", { class: "roll-status", role: "status" });
  #save = h("button", { id: "jam-save", class: "button", title: t("jam.save.how"), onclick: () => this.#download() }, sign("save"), t("jam.save"));
  #signs = DEEDS.map((what) => h("button", { id: `jam-${what}`, class: "button", title: t(`jam.${what}.how`), onclick: () => this.#show(what) }, t(`jam.${what}`)));

  /**
   * @param {HTMLElement} root
   * @param {App} app
   * @param {JamView} [earlier] the same view in another language
   */
  constructor(root, app, earlier) {
    this.#app = app;
    const found = (this.#kept = earlier ? earlier.#kept : begun(app));
    found.gone.abort();
    found.gone = new AbortController();
    found.view = this;
    this.#drummer = new DrummerMenu("jam-drummer", app.drummers, {
      live: true,
      teach: () => app.goTo("teach"),
      chosen: (model = "") => {
        found.wishes.model = model;
        this.#drummer.show(model);
        app.setAddress();
      },
      signal: found.gone.signal,
    });
    this.#drummer.show(found.wishes.model);
    const desk = h("div", { class: "desk" }, this.#board.root, this.#status, h("p", { class: "meaning jam-keys" }, t("jam.keys")));
    this.#stage = h("div", { class: "stage jam" }, this.#head(), h("div", { class: "work" }, desk, this.#panel()), this.#foot());
    fill(root, this.#stage);
    const { signal } = found.gone;
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    for (const name of ["play", "stop", "end"]) found.sound.addEventListener(name, () => this.show(), { signal });
    this.#menus();
    this.show();
  }

  /** The sound of the jam, for tests and meters. */
  get sound() {
    return this.#kept.sound;
  }

  /** The jam, for tests. */
  get jamming() {
    return this.#kept.jamming;
  }

  shown() {
    this.#shown = true;
    this.show();
  }

  hidden() {
    this.#shown = false;
    if (this.jamming.playing) this.#stop();
  }

  address() {
    const { bpm, metre, style, countIn, model } = this.#kept.wishes;
    return { bpm: `${bpm}`, metre, count: `${countIn}`, ...(style ? { style } : {}), ...(model ? { model } : {}) };
  }

  /** Draw the present state. */
  show() {
    const { playing, index, bars } = this.jamming;
    const why = playing ? "" : this.#obstacle();
    plays(this.#play, playing, t(playing ? "jam.halt" : "jam.start"));
    this.#play.disabled = Boolean(why);
    this.#why.textContent = why && t(why);
    this.#why.hidden = !why;
    this.#stage.classList.toggle("playing", playing);
    const { intensity } = this.#kept;
    const given = playing && this.#given?.bars === bars.length ? this.#given.what : null;
    for (const [at, what] of DEEDS.entries()) {
      this.#signs[at].disabled = !playing || (what === "softer" && intensity <= 0) || (what === "louder" && intensity >= 1);
      this.#signs[at].classList.toggle("asked", what === given);
    }
    this.#save.disabled = playing || !bars.length;
    this.#board.show(this.jamming);
    const coming = playing ? bars[index + 1] : undefined;
    const wish = given ? t(`jam.${given}.how`, { level: Math.round(100 * intensity) }) : "";
    const sentence = coming?.last ? t("jam.says.last") : coming?.fill ? t("jam.says.fill") : bars[index] && coming && coming.section !== bars[index].section ? t("jam.says.section", { section: coming.section }) : wish;
    if (this.#status.textContent !== sentence) this.#status.textContent = sentence;
    if (playing && !this.#frame) this.#tick();
  }

  /** Move what moves, as long as a jam runs in sight. */
  #tick() {
    const { jamming, input, file } = this.#kept;
    this.#frame = this.#shown && jamming.playing && this.#kept.view === this ? requestAnimationFrame(() => this.#tick()) : 0;
    if (this.#frame) this.#board.at(jamming, (input === FILE && file?.guitarist.notes) || []);
  }

  /** Why a jam cannot start, as the key of a sentence; "" if it can. */
  #obstacle() {
    const { ports, input, file, refused } = this.#kept;
    if (!this.#model) return "jam.why.model";
    if (typeof AudioContext === "undefined") return "jam.why.sound";
    if (input !== FILE || file) return "";
    if (!hasMidi()) return isSecureContext ? "jam.in.without" : "jam.why.insecure";
    if (!ports) return refused ? "jam.refused" : "jam.why.ask";
    return ports.inputs.length ? "jam.why.choose" : "jam.none";
  }

  /** The model that plays along; undefined if the server has none. */
  get #model() {
    return this.#app.info.models.models.find((/** @type {{live: boolean}} */ model) => model.live);
  }

  // --- actions -------------------------------------------------------------------------------------------------------

  async #toggle() {
    if (this.jamming.playing) this.#stop();
    else {
      const { wishes, input, file, sound, output } = this.#kept;
      sound.mute("drums", Boolean(output));
      this.#kept.intensity = INTENSITY.usual;
      const seed = crypto.getRandomValues(new Uint32Array(1))[0];
      const guitarist = input === FILE && file ? { ...file.guitarist, tempos: faster(file.guitarist.tempos, wishes.bpm / file.bpm) } : null;
      await this.jamming.start({ ...wishes, seed, guitarist }).catch(this.#app.fail);
    }
    this.show();
  }

  #stop() {
    this.jamming.stop();
    const { ports, output } = this.#kept;
    if (output) ports?.hush(output);
  }

  /** @param {Deed} what */
  #show(what) {
    if (what === "softer" || what === "louder") {
      const wanted = this.#kept.intensity + (what === "louder" ? INTENSITY.step : -INTENSITY.step);
      const intensity = (this.#kept.intensity = clamp(wanted, 0, 1));
      this.jamming.show({ intensity });
    } else this.jamming.show(what === "fill" ? { fill: true } : what === "stop" ? { stop: true } : { section: "" });
    this.#given = { what, bars: this.jamming.bars.length };
    this.show();
  }

  async #ask() {
    try {
      const ports = await Ports.ask();
      this.#kept.ports = ports;
      ports.changed = () => this.#kept.view?.changed();
      const [first] = ports.inputs;
      this.#menus();
      this.#kept.refused = false;
      if (first) this.#listen((this.#input.value = first.id));
    } catch {
      this.#kept.refused = true;
    }
    this.show();
  }

  /** A MIDI port has come or gone. */
  changed() {
    const { ports, input, output } = this.#kept;
    const there = (/** @type {{id: string}[] | undefined} */ list, /** @type {string} */ id) => list?.some((one) => one.id === id);
    const lost = (input !== FILE && !there(ports?.inputs, input)) || (output && !there(ports?.outputs, output));
    if (lost) this.#app.say(t("jam.lost"), { kind: "error" });
    if (input !== FILE && !lost) ports?.listen(input, this.#hear);
    this.#menus();
    this.show();
  }

  /** A note at the chosen port. @param {Struck} note @param {number} at */
  #hear = (note, at) => {
    if (note.velocity) this.#kept.view?.heard(note.velocity);
    this.jamming.hear(note, at);
  };

  /** Move the level. @param {number} velocity */
  heard(velocity) {
    this.#board.struck(velocity);
  }

  /** @param {string} input */
  #listen(input) {
    this.#kept.input = input;
    this.#kept.ports?.listen(input === FILE ? "" : input, this.#hear);
    this.#menus();
    this.show();
  }

  /** @param {string} output */
  #send(output) {
    if (this.#kept.output) this.#kept.ports?.hush(this.#kept.output);
    this.#kept.output = output;
    this.sound.mute("drums", Boolean(output));
  }

  /** Use a file as the guitarist. */
  async #open() {
    const file = this.#file.files?.[0];
    if (!file) return;
    try {
      const { timeline, bars, notes, tracks, guitar } = await this.#app.api.analyze(file);
      const program = tracks.find(({ number }) => number === guitar.tracks[0])?.program ?? 24;
      const guitarist = { tempos: timeline.tempos, meters: timeline.meters, bars, notes, program, kind: guitarOf(program) };
      const bpm = within(timeline.tempos[0].bpm);
      this.#kept.file = { name: file.name, guitarist, bpm };
      this.#bpm.value = String((this.#kept.wishes.bpm = bpm));
      this.#app.setAddress();
      this.#listen(FILE);
    } catch (error) {
      this.#app.fail(error);
    }
  }

  #download() {
    offer(new Blob([jamFile(this.jamming.record)], { type: "audio/midi" }), "jam.mid");
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const target = /** @type {HTMLElement} */ (event.target);
    if (!this.#shown || isCommand(event) || target.matches("input, select")) return;
    const key = event.key.toLowerCase();
    const deed = this.jamming.playing ? KEYS[key] : undefined;
    if (!deed && key !== "p") return;
    event.preventDefault();
    if (!deed) void this.#toggle();
    else if (!this.#signs[DEEDS.indexOf(deed)].disabled) this.#show(deed);
  }

  // --- elements ------------------------------------------------------------------------------------------------------

  #menus() {
    const { ports, input, output, file } = this.#kept;
    const words = (/** @type {{id: string, name: string}[] | undefined} */ list) => (list ?? []).map(({ id, name }) => /** @type {const} */ ([id, name]));
    fill(this.#input, ...options([...words(ports?.inputs), [FILE, file?.name ?? t("jam.file")]]));
    fill(this.#output, ...options([["", t("jam.page")], ...words(ports?.outputs)]));
    this.#input.value = input;
    this.#output.value = output;
    if (!this.#input.value) this.#input.value = this.#kept.input = FILE;
    if (output && !this.#output.value) this.#output.value = this.#kept.output = "";
    this.#about.textContent = hasMidi() ? t(ports ? "jam.in.how" : "jam.in.ask") : "";
    this.#find.hidden = !hasMidi();
    const own = input === FILE ? file?.guitarist.meters[0] : undefined;
    const metres = own ? [`${own.numerator}/${own.denominator}`] : METRES;
    fill(this.#metre, ...options(metres.map((metre) => [metre, metre])));
    this.#metre.disabled = Boolean(own);
    if (!own) this.#metre.value = this.#kept.wishes.metre;
  }

  #head() {
    return h("div", { class: "songbar" }, h("div", { class: "song-title" }, h("h1", {}, t("frame.jam")), h("p", { class: "meaning" }, t("jam.lead"))), this.#save);
  }

  #panel() {
    const { wishes } = this.#kept;
    const wish = (/** @type {Partial<Wishes>} */ changes) => (Object.assign(wishes, changes), this.#app.setAddress());
    const bpm = this.#bpm;
    bpm.value = `${wishes.bpm}`;
    bpm.addEventListener("change", () => {
      bpm.value = String(within(Number(bpm.value)));
      wish({ bpm: Number(bpm.value) });
    });
    this.#metre.addEventListener("change", () => wish({ metre: this.#metre.value }));
    const styles = /** @type {[string, string][]} */ ([["", t("jam.style.any")], ...(this.#model?.styles ?? []).map((/** @type {string} */ name) => [name, name])]);
    const counts = COUNTS.map((count) => /** @type {const} */ ([count, t(`jam.count.${count}`)]));
    return h(
      "section",
      { class: "panel wishes", "aria-label": t("jam.panel") },
      h("div", { class: "field" }, this.#drummer.root),
      field(t("right.guitar"), this.#input, this.#about, this.#find, h("label", { class: "button" }, t("jam.in.file"), this.#file)),
      field(t("jam.out"), this.#output),
      field(t("right.tempo"), bpm),
      field(t("right.metre"), this.#metre),
      field(t("wish.style"), menu("jam-style", styles, wishes.style, (style) => wish({ style }))),
      field(t("jam.count"), menu("jam-count", counts, wishes.countIn, (count) => wish({ countIn: Number(count) }))),
      h("p", { class: "meaning" }, t("jam.file.how")),
    );
  }

  #foot() {
    return h("div", { class: "transport jam-foot", role: "group", "aria-label": t("song.transport") }, this.#why, h("div", { class: "jam-pads" }, this.#play, ...this.#signs));
  }
}

/** Clamp a tempo to its range. @param {number} bpm */
const within = (bpm) => clamp(Math.round(bpm) || BPM.usual, BPM.least, BPM.most);
