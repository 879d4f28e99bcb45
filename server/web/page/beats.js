/** The beat view: a beat machine to play, edit and download. */

import { parts } from "./address.js";
import { addressOf, briefOf, briefPanel, wishesOf } from "./brief.js";
import { drawing } from "./cards.js";
import { check, coloured, fill, h, isCommand, menu, plays, press, sign } from "./dom.js";
import { offer } from "./downloads.js";
import { GridView } from "./grid.js";
import { Machine, Supply } from "./machine.js";
import { GRIDS, QUARTERS, VOICES, barOf, cell, hitsOf } from "./patterns.js";
import { Sound } from "./sound.js";
import { t } from "./words.js";
import { looped, midiOf, wavOf } from "./writing.js";

/** @import {Wishes} from "./brief.js" */
/** @import {App} from "./main.js" */
/** @import {Grid} from "./patterns.js" */
/** @typedef {{wishes: Wishes, machine: Machine, sound: Sound, muted: Set<string>, alone: Set<string>, metronome: boolean, volume: number, take: number, gone: AbortController}} Kept survives a change of language */

const TAKES = [1, 2, 4, 8];

/** @param {App} app @returns {Kept} */
function begun(app) {
  const { view, values } = parts(location.hash);
  const wishes = wishesOf(view === "beats" ? values : {}, app.info.generators);
  const sound = new Sound();
  const supply = new Supply((first) => app.api.stream(first));
  const machine = new Machine(sound, supply, () => briefOf(wishes), app.fail);
  return { wishes, machine, sound, muted: new Set(), alone: new Set(), metronome: false, volume: 0.9, take: 4, gone: new AbortController() };
}

export class Beats {
  #app;
  /** @type {Kept} */
  #kept;
  #frame = 0;
  #shown = false;
  #grid;
  #play = h("button", { id: "beats-play", class: "button play", onclick: () => this.#toggle() });
  #hold = h("button", { id: "beats-hold", class: "button", title: t("beats.hold.how"), onclick: () => this.#keep(!this.#machine.hold) }, sign("lock"), t("beats.hold"));
  #parts = h("div", { class: "row chips", role: "group", "aria-label": t("beats.groove.parts") });
  #place = h("output", { class: "place", "aria-label": t("song.place") });
  #strip = h("div", { class: "beat-strip", role: "group", "aria-label": t("beats.bars") });
  #status = h("p", { class: "roll-status", role: "status" });
  #free = h("button", { class: "button quiet", title: t("beats.free.how"), onclick: () => this.#machine.free() }, t("beats.free"));
  /** @type {{index: number, grid: Grid}[]} */
  #drawn = [];

  /**
   * @param {HTMLElement} root
   * @param {App} app
   * @param {Beats} [earlier] the same view in another language
   */
  constructor(root, app, earlier) {
    this.#app = app;
    const found = (this.#kept = earlier ? earlier.#kept : begun(app));
    found.gone.abort();
    found.gone = new AbortController();
    this.#grid = new GridView({
      strike: (row, place, velocity) => this.#strike(row, place, velocity),
      hear: (piece) => this.#hear(piece, 100),
      mute: (piece) => this.#mix(found.muted, piece, (on) => found.sound.mute(piece, on)),
      solo: (piece) => this.#mix(found.alone, piece, (on) => found.sound.solo(piece, on)),
    });
    const panel = briefPanel(app.info.generators, found.wishes, (wishes) => this.#wish(wishes));
    const stage = h("div", { class: "stage" }, this.#head(), h("div", { class: "work" }, this.#desk(), panel), this.#transport());
    const { signal } = found.gone;
    signal.addEventListener("abort", () => cancelAnimationFrame(this.#frame));
    document.addEventListener("keydown", (event) => this.#key(event), { signal });
    fill(root, stage);
    found.machine.changed = () => this.#show();
    for (const name of ["play", "stop", "end"]) found.sound.addEventListener(name, () => this.#playing(), { signal });
    this.#playing();
  }

  get #machine() {
    return this.#kept.machine;
  }

  /** The sound of the machine, for tests and meters. */
  get sound() {
    return this.#kept.sound;
  }

  shown() {
    this.#shown = true;
    const parts = this.#app.parts().map((name) => h("button", { class: "chip", "data-part": name, title: t("beats.groove.part", { part: name }), onclick: () => this.#use(name) }, name));
    fill(this.#parts, parts.length > 0 && t("beats.groove.parts"), ...parts);
    this.#show();
    void this.#machine.prepare().then(() => this.#show());
    this.#tick();
  }

  hidden() {
    this.#shown = false;
    cancelAnimationFrame(this.#frame);
    if (this.#machine.playing) this.#machine.stop();
  }

  address() {
    return addressOf(this.#kept.wishes);
  }

  // --- actions -------------------------------------------------------------------------------------------------------

  async #toggle() {
    if (this.#machine.playing) this.#machine.stop();
    else await this.#machine.start().catch(this.#app.fail);
  }

  /**
   * @param {number} row
   * @param {number} place
   * @param {number} velocity
   */
  #strike(row, place, velocity) {
    this.#machine.strike(row, place, velocity);
    if (velocity && !this.#machine.playing) this.#hear(VOICES[row][0], velocity);
  }

  /** @param {string} piece @param {number} velocity */
  #hear(piece, velocity) {
    void this.#kept.sound.strike(piece, velocity).catch(this.#app.fail);
  }

  /** @param {Set<string>} names @param {string} piece @param {(on: boolean) => void} tell */
  #mix(names, piece, tell) {
    if (!names.delete(piece)) names.add(piece);
    tell(names.has(piece));
    this.#show();
  }

  /** @param {Partial<Wishes>} wishes */
  #wish(wishes) {
    Object.assign(this.#kept.wishes, wishes);
    if ("places" in wishes) this.#machine.regrid();
    else if ("bpm" in wishes) this.#machine.tempo();
    else this.#machine.wish();
    this.#app.setAddress();
  }

  /** @param {"fill" | "change"} what */
  #ask(what) {
    if (what === "change") {
      this.#machine.hold = false;
      this.#wish({ seed: this.#kept.wishes.seed + 1 });
    } else this.#machine.wish(true);
    this.#status.textContent = t(`beats.${what}.how`);
    this.#show();
  }

  /** @param {boolean} on */
  #keep(on) {
    this.#machine.keep(on);
    this.#status.textContent = on ? t("beats.hold.how") : "";
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const own = event.key === " " ? "button, select, summary, [role=gridcell], input:not([type=range])" : "input:not([type=range], [type=checkbox], [type=radio]), select";
    if (!this.#shown || isCommand(event) || /** @type {HTMLElement} */ (event.target).matches(own)) return;
    const deeds = /** @type {Record<string, () => unknown>} */ ({
      f: () => this.#ask("fill"),
      c: () => this.#ask("change"),
      k: () => this.#keep(!this.#machine.hold),
      p: () => this.#toggle(),
      " ": () => this.#toggle(),
    });
    const deed = deeds[event.key.toLowerCase()];
    if (!deed) return;
    event.preventDefault();
    void deed();
  }

  // --- exports -------------------------------------------------------------------------------------------------------

  #name() {
    const { genres, bpm } = this.#kept.wishes;
    return [...genres, bpm].join("-");
  }

  #bytes() {
    return midiOf(this.#machine.last(this.#kept.take), this.#kept.wishes.bpm);
  }

  async #wav() {
    const bars = this.#machine.last(this.#kept.take);
    const { bpm } = this.#kept.wishes;
    const sound = new Sound();
    sound.set({ bars: bars.map((_, index) => barOf(index)), tempos: [{ quarter: 0, bpm }], hits: bars.flatMap(hitsOf), guitar: null });
    const made = await sound.render();
    const frames = Math.round((bars.length * QUARTERS * 60 * made.sampleRate) / bpm);
    const channels = [0, 1].map((side) => looped(made.getChannelData(side), frames));
    offer(new Blob([wavOf(channels, made.sampleRate)], { type: "audio/wav" }), `${this.#name()}.wav`);
  }

  /** @param {string} [part] of the open song; default: all of it */
  #use(part) {
    this.#machine.stop();
    this.#app.useAsGroove({ title: t("beats.groove.title", { bpm: this.#kept.wishes.bpm }), midi: this.#bytes() }, part);
    this.#app.say(part === undefined ? t("beats.groove.done") : t("beats.groove.part.done", { part }));
  }

  // --- view ----------------------------------------------------------------------------------------------------------

  #playing() {
    const { playing } = this.#machine;
    plays(this.#play, playing, t(playing ? "song.stop" : "song.play"));
  }

  #show() {
    const { grid, pins, hold, index, played } = this.#machine;
    const places = grid[0].length;
    this.#grid.show(grid, (row, place) => pins.has(cell(row, place, places)));
    this.#grid.mixed(this.#kept.muted, this.#kept.alone);
    press(this.#hold, hold);
    this.#free.disabled = !pins.size;
    this.#place.textContent = t("song.bar", { bar: index + 1 });
    this.#draw(played);
  }

  #tick() {
    this.#frame = requestAnimationFrame(() => this.#tick());
    this.#grid.at(this.#machine.playing ? this.#machine.moment : null);
  }

  /** The bars that were played, small. @param {{index: number, grid: Grid}[]} played */
  #draw(played) {
    if (played.length === this.#drawn.length && played.every(({ grid }, at) => grid === this.#drawn[at].grid)) return;
    this.#drawn = played;
    const small = played.map(({ grid, index }) => {
      const name = t("beats.bar", { bar: index + 1 });
      return h("button", { class: "beat-bar", title: name, "aria-label": name, onclick: () => this.#machine.bringBack(index) }, drawing(hitsOf(grid, 0), barOf(0)));
    });
    fill(this.#strip, ...small);
  }

  // --- elements ------------------------------------------------------------------------------------------------------

  #head() {
    return h("div", { class: "songbar" }, h("div", { class: "song-title" }, h("h1", {}, t("frame.beats")), h("p", { class: "meaning" }, t("beats.lead"))));
  }

  #desk() {
    const under = h(
      "div",
      { class: "row under" },
      this.#places(),
      h("span", { class: "gap" }),
      this.#free,
      h("button", { class: "button quiet", onclick: () => this.#machine.clear() }, t("beats.clear")),
    );
    return h("div", { class: "desk" }, this.#grid.root, under, h("p", { class: "meaning", id: "beats-keys" }, t("beats.keys")), this.#status, this.#strip, this.#away());
  }

  #transport() {
    const deed = (/** @type {"fill" | "change"} */ what, /** @type {"dice" | "note"} */ picture) =>
      h("button", { class: "button", title: t(`beats.${what}.how`), onclick: () => this.#ask(what) }, sign(picture), t(`beats.${what}`));
    const { sound, metronome, volume } = this.#kept;
    const click = h("input", { type: "checkbox", checked: metronome, onchange: () => sound.metronome((this.#kept.metronome = click.checked)) });
    const loud = h("input", { type: "range", id: "beats-volume", min: "0", max: "1", step: "0.01", value: String(volume) });
    const set = () => {
      this.#kept.volume = Number(loud.value);
      coloured(loud);
      sound.level("master", this.#kept.volume);
    };
    loud.addEventListener("input", set);
    set();
    return h(
      "div",
      { class: "transport beats-bar", role: "group", "aria-label": t("song.transport") },
      h("div", { class: "row" }, this.#play, deed("fill", "note"), deed("change", "dice"), this.#hold),
      this.#place,
      h("span", { class: "gap" }),
      check(click, t("song.metronome")),
      h("div", { class: "slider beat-volume" }, h("label", { htmlFor: "beats-volume" }, t("beats.volume")), loud),
    );
  }

  #places() {
    const words = GRIDS.map((places) => /** @type {const} */ ([places, t(`beats.grid.${places}`)]));
    return h("label", { class: "inline" }, t("beats.grid"), menu("beats-grid", words, this.#kept.wishes.places, (places) => this.#wish({ places: Number(places) })));
  }

  #away() {
    const words = TAKES.map((bars) => /** @type {const} */ ([bars, bars > 1 ? t("beats.take.n", { bars }) : t("beats.take.1")]));
    const save = (/** @type {"midi" | "wav"} */ what, /** @type {() => unknown} */ deed) =>
      h("button", { id: `beats-${what}`, class: "button", title: t(`beats.${what}.how`), onclick: deed }, sign("save"), t(`beats.${what}`));
    return h(
      "div",
      { class: "row away" },
      h("label", { class: "inline" }, t("beats.take"), menu("beats-take", words, this.#kept.take, (bars) => (this.#kept.take = Number(bars)))),
      save("midi", () => offer(new Blob([this.#bytes()], { type: "audio/midi" }), `${this.#name()}.mid`)),
      save("wav", () => this.#wav().catch(this.#app.fail)),
      h("button", { id: "beats-groove", class: "button primary", onclick: () => this.#use() }, sign("note"), t("beats.groove")),
      this.#parts,
    );
  }
}
