/** What is asked of a take, and where: the form of the song, the panel of its parts, grooves on trial, and the kit. */

import { withOwn } from "./address.js";
import { Drumkit } from "./drumkit.js";
import { Form } from "./form.js";
import { Audition } from "./grooves.js";
import { Panel } from "./panel.js";
import { blocksOf, filledUp } from "./plan.js";
import { barAt } from "./schedule.js";
import { isSame, joined, moved, renamed, sectionsText, split } from "./spans.js";
import { t } from "./words.js";

/** @typedef {import("./spans.js").Span} Span */
/** @typedef {import("./spans.js").Section} Section */
/**
 * @typedef {object} View The parts of the view that it moves.
 * @property {import("./session.js").Session} session
 * @property {import("./transport.js").Transport} transport
 * @property {import("./roll.js").Roll} roll
 * @property {import("./wishes.js").WishPanel} wishes
 */
/**
 * @typedef {object} Deeds
 * @property {(how: "mute" | "solo", pieces: readonly string[], on: boolean) => void} mix
 * @property {(hits: readonly import("./edits.js").Hit[] | null) => void} heard hits in place of those of the take
 * @property {(on: boolean) => void} opened the panel, where it comes from below
 * @property {() => void} changed
 * @property {(error: unknown) => void} fail
 */

/** The piece that plays in place of each; in places the key is "chorus=snare". @param {import("./address.js").Wishes} wishes */
const othersOf = ({ instead = "" }) => new Map([...instead.matchAll(/([^,]+)=([^,=]+)/g)].map(([, piece, other]) => [piece, other]));

export class Asking {
  /** The bars that the panel is about; null: the whole song. @type {Span | null} */
  #span = null;
  /** The titles of the book's grooves by their names. @type {Map<string, string>} */
  #titles;
  #view;
  #sound;
  #deeds;

  /** @param {View} view @param {import("./main.js").App} app @param {Deeds} deeds */
  constructor(view, app, deeds) {
    this.#view = view;
    this.#sound = app.sound;
    this.#deeds = deeds;
    this.#titles = new Map(app.info.grooves.map(({ name, title }) => [name, title]));
    const { session, transport } = view;
    const heard = (/** @type {readonly import("./edits.js").Hit[] | null} */ hits) => (deeds.heard(hits), hits || transport.heed());
    this.form = new Form({
      choose: (span) => this.#choose(span),
      drag: (span) => this.#choose(span, true),
      move: (firstBar, bar) => this.#shape((sections) => moved(sections, sections.findIndex((one) => one.firstBar === firstBar), bar)),
    });
    this.kit = new Drumkit({
      hear: (piece, velocity) => void app.sound.strike(piece, velocity).catch(deeds.fail),
      mute: (pieces, on) => deeds.mix("mute", pieces, on),
      solo: (pieces, on) => deeds.mix("solo", pieces, on),
      leaveOut: (pieces, on) => this.#leaveOut(pieces, on),
      replace: (pieces, other) => this.#replace(pieces, other),
    });
    this.panel = new Panel(
      {
        wish: (wishes, spans) => session.wish(wishes, spans),
        again: (spans) => void session.anew(undefined, false, spans),
        rename: (name) => this.#shape((sections, index) => renamed(sections, index, name)),
        split: () => this.#shape((sections) => split(sections, barAt(session.analysis?.bars ?? [], app.sound.position)?.number ?? 1)),
        join: () => this.#shape((sections, index) => joined(sections, index)),
        close: () => this.#choose(null),
        audition: new Audition({ session, sound: app.sound, audition: app.api.audition, span: () => this.#span, heard }),
      },
      view.wishes.root,
    );
  }

  /** The names of the parts of the open song. */
  get names() {
    return this.#view.session.work ? [...new Set(this.#sections().map(({ name }) => name))] : [];
  }

  /** A groove of one's own for all parts of a name. @param {import("./address.js").Beat} beat @param {string} name */
  own(beat, name) {
    const sections = this.#sections();
    const spans = sections.filter((section) => section.name === name);
    this.#view.session.wish(withOwn(this.#view.session.doc.wishes, beat, spans, sections), spans);
  }

  /** Another song. */
  begin() {
    this.#span = null;
    this.#deeds.heard(null);
  }

  /** @param {import("./paint.js").Picture} picture @param {ReadonlySet<string>} muted @param {ReadonlySet<string>} solo */
  show(picture, muted, solo) {
    const { analysis, take, doc, busy } = this.#view.session;
    if (!analysis) return;
    const { wishes } = doc;
    const sections = this.#sections();
    const bars = analysis.bars.length;
    const blocks = filledUp(sections, bars, t("form.rest"));
    this.form.show(picture, blocksOf(blocks, take?.plan ?? [], wishes, (name) => wishes.own?.[name]?.title ?? take?.grooves.find((one) => one.name === name)?.title ?? this.#titles.get(name) ?? name), this.#span);
    this.#view.wishes.show(wishes);
    this.panel.show({ wishes, span: this.#span, sections, bars, isBusy: busy });
    this.kit.show(picture.hits, { muted, solo, without: new Set((wishes.without ?? "").split(",")), instead: othersOf(wishes) });
  }

  /** @param {number} quarter @param {boolean} playing */
  at(quarter, playing) {
    this.form.at(quarter, playing);
    this.kit.at(quarter, playing);
  }

  /** Ask of these bars next. @param {Span} span */
  about(span) {
    this.#span = span;
    this.#deeds.changed();
  }

  /** Some bars, of which something is asked next, and which sound; or the whole song. @param {Span | null} span @param {boolean} [loops] */
  #choose(span, loops) {
    const { session, transport, roll } = this.#view;
    this.#span = span;
    if (span) {
      const quarter = session.analysis?.bars[span.firstBar - 1]?.quarter ?? 0;
      transport.span(span, loops);
      roll.reveal(quarter);
      void this.#sound.play(quarter).catch(this.#deeds.fail);
    } else if (transport.loop.checked) transport.loop.click();
    this.#deeds.opened(span !== null);
    this.#deeds.changed();
  }

  /** Those that are heard, with the names as they were typed. @returns {readonly Section[]} */
  #sections() {
    const { analysis, doc } = this.#view.session;
    const { sections = [], bars = [] } = analysis ?? {};
    const typed = (doc.wishes.sections ?? "").split(",").map((piece) => piece.trim().replace(/\s+\d+-\d+$/, ""));
    const named = sections.map((section, index) => (typed[index]?.toLowerCase() === section.name.toLowerCase() ? { ...section, name: typed[index] } : section));
    return named.length ? named : [{ name: t("form.song"), firstBar: 1, lastBar: bars.length }];
  }

  /** Other sections. @param {(sections: readonly Section[], index: number) => readonly Section[]} deed index: of the chosen one */
  #shape(deed) {
    const { session } = this.#view;
    const before = this.#sections();
    const index = before.findIndex((one) => this.#span && isSame(one, this.#span));
    const sections = deed(before, index);
    if (sectionsText(sections) === sectionsText(before)) return;
    const now = sections[index];
    if (now) this.#span = { firstBar: now.firstBar, lastBar: now.lastBar };
    session.wish({ ...session.doc.wishes, sections: sectionsText(sections) });
  }

  /** @param {readonly string[]} pieces @param {boolean} on whether they are never played */
  #leaveOut(pieces, on) {
    const { session } = this.#view;
    const { without: before = "", ...wishes } = session.doc.wishes;
    const without = new Set(before.split(",").filter(Boolean));
    for (const piece of pieces) without[on ? "add" : "delete"](piece);
    session.wish(without.size ? { ...wishes, without: [...without].join(",") } : wishes);
  }

  /** @param {readonly string[]} pieces @param {string} other that plays in their place; "": none */
  #replace(pieces, other) {
    const { session } = this.#view;
    const { instead, ...wishes } = session.doc.wishes;
    const others = othersOf({ instead });
    for (const piece of pieces) {
      if (other) others.set(piece, other);
      else others.delete(piece);
    }
    session.wish(others.size ? { ...wishes, instead: [...others].map((pair) => pair.join("=")).join(",") } : wishes);
  }
}
