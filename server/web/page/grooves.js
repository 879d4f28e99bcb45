/** Grooves to choose from, as cards: each with its beat, heard under this guitar while the pointer rests on it. */

import { wait } from "./basics.js";
import { drawing, typical } from "./cards.js";
import { fill, h } from "./dom.js";
import { grooveName, searched } from "./groove_names.js";
import { t } from "./words.js";

/** @typedef {import("./schedule.js").Hit} Hit */
/** @typedef {import("./schedule.js").Bar} Bar */
/** @typedef {Record<string, any>} Groove as ListGrooves has it */
/** @typedef {import("./spans.js").Span} Span */
/**
 * @typedef {object} Stand What they are tried with.
 * @property {import("./session.js").Session} session
 * @property {import("./sound.js").Sound} sound
 * @property {typeof import("./api.js").audition} audition
 * @property {() => Span | null} span the bars that are chosen
 * @property {(hits: readonly Hit[] | null) => void} heard hits in place of those of the take; null: those again
 */

const MOST = 12; // cards
const REST = 220; // milliseconds that a pointer rests on a card before it is heard
const WAIT = 150; // after a letter, before the cards are drawn
const BARS = 8; // that are tried
const PAUSE = 150; // milliseconds between two looks whether the drummer is idle

export class Grooves {
  /** @type {readonly Groove[]} */
  #fitting = [];
  /** @type {readonly Groove[]} */
  #others = [];
  #chosen = "";
  #own = "";
  /** The cards by their grooves; drawn once a song. @type {Map<string, HTMLButtonElement>} */
  #cards = new Map();
  #typed = 0;
  #rests = 0;
  #turn = 0; // of the drawing
  #looks = "";
  #deeds;

  /** @param {{choose: (groove: Groove | null) => void, own: (beat: import("./address.js").Beat) => void, audition: Audition}} deeds own: bars of a file */
  constructor(deeds) {
    this.#deeds = deeds;
    this.search = h("input", {
      type: "search", id: "groove-search", placeholder: t("grooves.search"), "aria-label": t("grooves.search"), maxLength: 60,
      oninput: () => (clearTimeout(this.#typed), (this.#typed = Number(setTimeout(() => this.#list(), WAIT)))),
    }); // prettier-ignore
    this.cards = h("div", { class: "cards", role: "group", "aria-label": t("wish.groove") });
    this.file = h("input", { type: "file", id: "groove-file", class: "hidden-input", onchange: () => void this.#take() });
    this.from = h("span", {}, t("grooves.file"));
    this.none = h("p", { class: "meaning", hidden: true }, t("grooves.none"));
    this.root = h("section", { class: "grooves" }, h("div", { class: "grooves-head" }, h("h2", {}, t("wish.groove")), this.search), this.cards, this.none,
      h("label", { class: "button quiet groove-file" }, this.file, this.from)); // prettier-ignore
  }

  /** The bars that the search names, as in "like bars 5 to 8 of". @returns {import("./spans.js").Span | undefined} */
  get #bars() {
    const [, first, last = first] = /(\d+)(?:\s*(?:-|–|to|bis)\s*(\d+))?/.exec(/\b(?:bars?|takte?n?)\b.*/i.exec(this.search.value)?.[0] ?? "") ?? [];
    return first ? { firstBar: Number(first), lastBar: Number(last) } : undefined;
  }

  async #take() {
    const [file] = this.file.files ?? [];
    if (!file) return;
    const bars = this.#bars;
    this.file.value = "";
    this.#deeds.own({ title: bars ? t("grooves.bars", { first: bars.firstBar, last: bars.lastBar, name: file.name }) : file.name, midi: new Uint8Array(await file.arrayBuffer()), bars });
    this.search.value = "";
    this.#list();
  }

  /** Another song. @param {readonly Groove[]} fitting those that fit it best @param {readonly Groove[]} others in its metre */
  offer(fitting, others) {
    [this.#fitting, this.#others] = [fitting, others];
    this.#cards.clear();
    this.#list();
  }

  /** @param {string} chosen the name of a groove, "" if the drummer decides @param {string} own the title of a beat of one's own */
  show(chosen, own) {
    if (chosen === this.#chosen && own === this.#own) return;
    [this.#chosen, this.#own] = [chosen, own];
    this.#list();
  }

  #list() {
    const text = this.search.value.trim();
    const bars = this.#bars;
    this.from.textContent = bars ? t("grooves.bars", { first: bars.firstBar, last: bars.lastBar, name: t("grooves.some") }) : t("grooves.file");
    const known = new Set(this.#fitting.map(({ name }) => name));
    const others = this.#others.filter(({ name }) => !known.has(name));
    const chosen = [...this.#fitting, ...others].filter(({ name }) => name === this.#chosen);
    const all = [...chosen, ...this.#fitting, ...others];
    const names = all.map(({ title }) => grooveName(title));
    const list = (text ? searched([...this.#fitting, ...others], text) : all.filter((_, at) => names.indexOf(names[at]) === at)).slice(0, MOST);
    const looks = `${list.map(({ name }) => name)} ${this.#chosen} ${this.#own} ${this.#cards.size}`;
    this.none.hidden = list.length > 0 || bars !== undefined;
    if (looks === this.#looks) return;
    const decide = this.#card("", t("wish.decides"), () => this.#deeds.choose(null));
    const own = this.#own ? [this.#card("own", this.#own, () => {})] : [];
    const cards = list.map((groove) => this.#known(groove));
    const focused = this.cards.contains(document.activeElement) ? /** @type {HTMLElement} */ (document.activeElement) : null;
    fill(this.cards, ...(text ? [] : [decide]), ...own, ...cards);
    focused?.focus();
    for (const card of this.cards.children) card.setAttribute("aria-pressed", String(card.getAttribute("data-groove") === (this.#own ? "own" : this.#chosen)));
    this.#looks = `${list.map(({ name }) => name)} ${this.#chosen} ${this.#own} ${this.#cards.size}`;
    void this.#draw(list);
  }

  /** @param {Groove} groove */
  #known(groove) {
    const known = this.#cards.get(groove.name);
    if (known) return known;
    const card = this.#card(groove.name, grooveName(groove.title), () => this.#deeds.choose(groove));
    card.title = groove.title;
    const leave = () => (clearTimeout(this.#rests), this.#deeds.audition.end());
    const rest = () => (clearTimeout(this.#rests), (this.#rests = Number(setTimeout(() => this.#deeds.audition.hear(groove.name), REST))));
    card.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && rest());
    card.addEventListener("pointerleave", leave);
    card.addEventListener("focus", () => card.matches(":focus-visible") && rest());
    card.addEventListener("blur", leave);
    card.addEventListener("click", leave);
    this.#cards.set(groove.name, card);
    return card;
  }

  /** @param {string} name @param {string} title @param {() => void} onclick */
  #card(name, title, onclick) {
    const card = h("button", { class: "card", "aria-pressed": "false", onclick }, h("span", { class: "card-beat" }), h("span", { class: "card-name" }, title));
    card.dataset.groove = name;
    return card;
  }

  /** Draw their beats, one after the other, as long as they are those in sight. @param {readonly Groove[]} list */
  async #draw(list) {
    const turn = ++this.#turn;
    for (const { name } of list) {
      const place = this.#cards.get(name)?.firstElementChild;
      if (!place || place.childElementCount || !this.root.checkVisibility()) continue;
      await this.#deeds.audition.idle();
      if (turn !== this.#turn) return;
      const heard = await this.#deeds.audition.hits(name).catch(() => null);
      if (turn !== this.#turn) return;
      if (!heard) continue;
      const { hits, bar } = typical(heard.hits, heard.bars);
      fill(place, drawing(hits, bar));
    }
  }

  /** The panel has come into sight. */
  drawn() {
    if (this.#turn) this.#looks = "";
    this.#list();
  }
}

/** Grooves on trial: a few bars of the song on another groove, round and round, until the pointer moves on. */
export class Audition {
  #stand;
  #call = new AbortController();
  /** What went on before the first of several trials. @type {{playing: boolean, position: number} | null} */
  #before = null;

  /** @param {Stand} stand */
  constructor(stand) {
    this.#stand = stand;
  }

  /** The bars that are tried: the first of those chosen, or, where no guitar plays, from its first note on. @returns {Span} */
  #excerpt() {
    const { bars = [], notes = [] } = this.#stand.session.analysis ?? {};
    const chosen = this.#stand.span() ?? { firstBar: 1, lastBar: 0 };
    const tried = { firstBar: chosen.firstBar, lastBar: Math.min(chosen.firstBar + BARS - 1, chosen.lastBar) };
    const [begin, last] = [bars[tried.firstBar - 1], bars[tried.lastBar - 1]];
    if (begin && last && notes.some(({ quarter }) => begin.quarter <= quarter && quarter < last.quarter + last.quarters)) return tried;
    const firstBar = bars.findLast(({ quarter }) => quarter <= (notes[0]?.quarter ?? 0) + 0.1)?.number ?? 1;
    return { firstBar, lastBar: Math.min(firstBar + BARS - 1, bars.length) };
  }

  /** @param {string} name of a groove @returns {Promise<{hits: readonly Hit[], bars: readonly import("./schedule.js").Bar[]}>} */
  async hits(name) {
    const { song, analysis, take, doc } = this.#stand.session;
    if (!song || !analysis) throw new Error("no song");
    const { track, model } = doc.wishes;
    const config = { groove: [{ name }], seed: take?.seed ?? "0", ...(track ? { track } : {}), ...(model ? { model } : {}) };
    return { hits: await this.#stand.audition(song, analysis.bars, this.#excerpt(), config), bars: analysis.bars };
  }

  /** Wait until the drummer has nothing else to do. */
  async idle() {
    const { session } = this.#stand;
    do {
      await wait(PAUSE);
    } while (session.busy || !session.settled);
  }

  /** @param {string} name */
  async hear(name) {
    const { sound, heard } = this.#stand;
    this.#call.abort();
    const { signal } = (this.#call = new AbortController());
    const found = await this.hits(name).catch(() => null);
    if (!found || signal.aborted) return;
    const { firstBar, lastBar } = this.#excerpt();
    const [begin, last] = [found.bars[firstBar - 1], found.bars[lastBar - 1]];
    const goesOn = this.#before !== null;
    this.#before ??= { playing: sound.playing, position: sound.position };
    heard(found.hits);
    sound.loop(begin.quarter, last.quarter + last.quarters);
    if (!goesOn) await sound.play(begin.quarter);
  }

  /** Hear the take again, as before. */
  end() {
    const before = this.#before;
    this.#call.abort();
    this.#before = null;
    if (!before) return;
    const { sound, heard } = this.#stand;
    sound.loop(null);
    heard(null);
    if (!before.playing) sound.stop();
    void sound.seek(before.position);
  }
}
