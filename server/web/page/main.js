/** The entry point: the frame, the three views, the address, and messages to the user. */

import * as api from "./api.js";
import { fragment, parts } from "./address.js";
import { Beats } from "./beats.js";
import { fill, h, menu } from "./dom.js";
import { Drummers } from "./drummers.js";
import { JamView } from "./jam.js";
import { remember, remembered } from "./settings.js";
import { SongView } from "./song.js";
import { Sound } from "./sound.js";
import { TeachView } from "./teach.js";
import { LANGUAGES, language, setLanguage, t } from "./words.js";

/**
 * @typedef {object} App Shared by the views.
 * @property {typeof api} api
 * @property {Sound} sound
 * @property {Awaited<ReturnType<typeof api.server>>} info
 * @property {(text: string, how?: {kind?: "note" | "error" | "work"}) => () => void} say show a sentence, "" clears
 *   all. A note disappears by itself, a message about work stays; the result removes the sentence
 * @property {(error: unknown) => void} fail show what went wrong, and what to do
 * @property {(view: View) => void} goTo
 * @property {() => void} setAddress rebuild the address from the shown view
 * @property {Drummers} drummers
 * @property {(model: string) => void} playWith go to the song, with this drummer
 * @property {(beat: import("./address.js").Beat, part?: string) => void} useAsGroove part: for all parts of this name of the open song
 * @property {() => readonly string[]} parts the names of the parts of the open song
 */
/** @typedef {"song" | "beats" | "jam" | "teach"} View */

const THEME = "seq2drum.theme";
const NOTE_LASTS = 8000; // milliseconds
const VIEWS = /** @type {const} */ (["song", "beats", "jam", "teach"]);

const messages = element("messages");
const main = element("main");
/** @type {View} */
let view = "song";
/** @type {{song: SongView, beats: Beats, jam: JamView, teach: TeachView} | null} */
let views = null;
/** @type {App} */
let app;

/** @param {string} id */
function element(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

// --- messages ------------------------------------------------------------------------------------------------------

/** @type {App["say"]} */
function say(text, { kind = "note" } = {}) {
  if (!text) {
    messages.replaceChildren();
    return () => {};
  }
  for (const other of [...messages.children]) if (other.getAttribute("data-text") === text) other.remove();
  const close = h("button", { class: "reset", "aria-label": t("frame.close"), onclick: () => box.remove() }, "×");
  const box = h("div", { class: `message ${kind}`, "data-text": text }, h("p", {}, text), close);
  messages.append(box);
  while (messages.children.length > 3) messages.firstElementChild?.remove();
  if (kind === "note") setTimeout(() => box.remove(), NOTE_LASTS);
  return () => box.remove();
}

/** Show the server's sentence, or the page's own for errors that a guitarist can mend. @param {unknown} error */
function fail(error) {
  const { reason, message, retrySeconds } = /** @type {{reason?: string, message?: string, retrySeconds?: number | null}} */ (error);
  if (reason === "CANCELLED") return;
  if (reason === "UNREACHABLE") gone(true);
  else if (reason?.startsWith("CREDENTIALS")) say(t("frame.token"), { kind: "error" });
  else if (reason === "NO_AUDIO") say(t("frame.noAudio"), { kind: "error" });
  else if (reason === "SOUND_MISSING") say(t("frame.noSound", { file: message ?? "" }), { kind: "error" });
  else if (reason) say(retrySeconds && !/try again/.test(message ?? "") ? t("frame.retry", { message: message ?? "", seconds: Math.ceil(retrySeconds) }) : sentence(message ?? reason), { kind: "error" });
  else {
    say(t("frame.fault", { message: message ?? String(error) }), { kind: "error" });
  }
}

/** Capitalise and add a full stop. @param {string} text */
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");

/** @param {boolean} away whether the server does not answer */
function gone(away) {
  const banner = element("gone");
  if (banner.hidden === !away) return;
  banner.hidden = !away;
  banner.textContent = away ? t("frame.gone") : "";
  if (!away) {
    say(t("frame.back"));
    views?.song.back();
  }
}

// --- the views -----------------------------------------------------------------------------------------------------

/** @param {View} name */
function goTo(name) {
  if (!views) return;
  if (name !== view) {
    views[view].hidden();
    app.sound.stop();
    app.sound.loop(null);
    view = name;
  }
  for (const each of VIEWS) {
    element(each).hidden = each !== view;
    element(`to-${each}`).setAttribute("aria-current", each === view ? "page" : "false");
  }
  views[view].shown();
  setAddress();
}

function setAddress() {
  if (!views) return;
  const wanted = fragment(view, views[view].address());
  if (wanted !== location.hash) history.replaceState(history.state, "", wanted);
}

/** All views, in the language of the page. */
function mount() {
  const earlier = views;
  frame();
  views = null; // no address from half a page
  views = {
    song: new SongView(element("song"), app, earlier?.song),
    beats: new Beats(element("beats"), app, earlier?.beats),
    jam: new JamView(element("jam"), app, earlier?.jam),
    teach: new TeachView(element("teach"), app, earlier?.teach),
  };
  goTo(view);
}

// --- the frame -----------------------------------------------------------------------------------------------------

function frame() {
  document.documentElement.lang = language();
  for (const name of VIEWS) {
    const button = element(`to-${name}`);
    button.textContent = t(`frame.${name}`);
    button.onclick = () => goTo(name);
  }
  element("skip").textContent = t("frame.skip");
  element("skip").onclick = () => main.focus();
  element("views").setAttribute("aria-label", t("frame.views"));
  const themes = ["auto", "light", "dark"].map((name) => /** @type {const} */ ([name, t(`frame.theme.${name}`)]));
  const theme = menu("theme", themes, remembered(THEME) ?? "auto", setTheme, { "aria-label": t("frame.theme") });
  const tongue = menu("language", Object.entries(LANGUAGES), language(), (code) => (setLanguage(code), mount()), { "aria-label": t("frame.language") });
  for (const option of tongue.options) option.lang = option.value;
  fill(element("settings"), tongue, theme);
}

/** @param {string} name */
function setTheme(name) {
  remember(THEME, name === "auto" ? null : name);
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  renew();
}

/** The colours have changed. */
const renew = () => views?.song.renew();

/** Close menus by a click outside and by Escape. */
function closeMenus() {
  const open = () => /** @type {NodeListOf<HTMLDetailsElement>} */ (document.querySelectorAll("details.menu[open]"));
  addEventListener("pointerdown", (event) => {
    for (const menu of open()) if (!menu.contains(/** @type {Node} */ (event.target))) menu.open = false;
  });
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const menu of open()) {
      menu.open = false;
      menu.querySelector("summary")?.focus();
    }
  });
}

/** @type {App["useAsGroove"]} */
function useAsGroove(beat, part) {
  goTo("song");
  if (part === undefined) views?.song.useAsGroove(beat);
  else views?.song.asking.own(beat, part);
}

/** Open a file that is dropped anywhere on the page. */
function takeDrops() {
  let depth = 0;
  const over = (/** @type {number} */ step) => document.body.classList.toggle("dropping", (depth = Math.max(0, depth + step)) > 0);
  const files = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => files(event) && over(1));
  addEventListener("dragleave", (event) => files(event) && over(-1));
  addEventListener("dragover", (event) => files(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    over(-depth);
    if (view === "teach" && event.dataTransfer) {
      void views?.teach.drop(event.dataTransfer).catch(fail);
      return;
    }
    const [file, ...others] = event.dataTransfer?.files ?? [];
    if (!file) return;
    if (others.length) say(t("frame.one", { name: file.name }));
    goTo("song");
    void views?.song.open(file);
  });
}

/** @returns {Promise<App["info"]>} once the server answers */
async function answered() {
  for (;;) {
    try {
      return await api.server();
    } catch (error) {
      fail(error);
      await new Promise((resolve) => {
        addEventListener("focus", resolve, { once: true });
        setTimeout(resolve, 3000);
      });
    }
  }
}

/** @param {string} name of an address */
const viewOf = (name) => VIEWS.find((one) => one === name && !element(`to-${one}`).hidden) ?? "song";

async function start() {
  setTheme(remembered(THEME) ?? "auto");
  frame();
  api.watchServer((there) => gone(!there));
  const info = await answered();
  api.holdTab();
  say("");
  const drummers = new Drummers(api, info.models);
  element("to-teach").hidden = !drummers.teaching;
  const playWith = (/** @type {string} */ model) => (goTo("song"), views?.song.playWith(model));
  app = { api, sound: new Sound(), info, say, fail, goTo, setAddress, drummers, playWith, useAsGroove, parts: () => views?.song.asking.names ?? [] };
  void app.sound.load("drums").catch(fail); // so that nobody waits for it
  const first = parts(location.hash);
  view = viewOf(first.view);
  const values = view === "song" ? first.values : {};
  mount();
  takeDrops();
  closeMenus();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", renew);
  addEventListener("hashchange", () => {
    const now = parts(location.hash);
    goTo(viewOf(now.view));
    if (view === "song") views?.song.moved(now.values);
  });
  Object.assign(window, { seq2drum: { app, get song() { return views?.song; }, get beats() { return views?.beats; }, get jam() { return views?.jam; }, get teach() { return views?.teach; } } }); // prettier-ignore
  await views?.song.start(values);
}

void start();
