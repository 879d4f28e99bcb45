/** The view "My drummers": drop songs, see what was understood, make a drummer of them; and the drummers that are there. */

import { MEBIBYTE } from "./basics.js";
import { fill, h, named, sign } from "./dom.js";
import { Lesson } from "./lesson.js";
import { toInstall } from "./welcome.js";
import { heard as said, t } from "./words.js";

/** @typedef {import("./main.js").App} App */
/** @typedef {import("./drummers.js").Drummer} Drummer */
/** @typedef {import("./lesson.js").Song} Song */

const FEW = 3; // songs, below which a drummer hardly differs from the usual one
const ENOUGH = 12;
const TICK = 250; // milliseconds between two looks at the clock
const SHOWN = 2; // seconds left, below which nothing is said of them
const MOST_NAME = 60;
const MOST_FILES = 2000; // of a folder

export class TeachView {
  #app;
  #lesson = /** @type {Lesson} */ (/** @type {unknown} */ (null));
  #gone = new AbortController();
  #timer = 0;
  #ready = /** @type {string | null} */ (null); // the id of the drummer that was made last
  #list = h("ul", { id: "lesson-songs", class: "lesson-songs" });
  #told = h("p", { class: "roll-status", role: "status" });
  #few = h("p", { class: "notice", hidden: true });
  #progress = h("div", { class: "progress idle" });
  #name = h("input", { id: "drummer-name", type: "text", maxLength: MOST_NAME, autocomplete: "off", oninput: () => this.#typed(), onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Enter" && void this.#make() });
  #button = h("button", { id: "make-drummer", class: "button primary", onclick: () => void this.#make() }, t("teach.make"));
  #stop = h("button", { id: "stop-lesson", class: "button", onclick: () => this.#lesson.stop() }, t("teach.stop"));
  #done = h("section", { class: "notice lesson-done", role: "status", hidden: true });
  #drummers = h("section", { class: "songs", hidden: true });

  /** @param {HTMLElement} root @param {App} app @param {TeachView} [earlier] the same view in another language */
  constructor(root, app, earlier) {
    this.#app = app;
    if (earlier) {
      earlier.hidden();
      earlier.#gone.abort();
    }
    const { signal } = this.#gone;
    const { teaching } = app.drummers;
    const { limits: { maxMidiBytes }, readers, missingReaders } = app.info.info; // prettier-ignore
    const limits = { maxSongs: teaching?.maxSongs ?? 0, maxBytes: teaching?.maxBytes ?? 0, maxSongBytes: Number(maxMidiBytes) };
    this.#lesson = earlier ? earlier.#lesson : new Lesson(app.api, limits);
    const songs = (/** @type {Record<string, any>} */ { kind }) => kind !== "recording";
    this.#suffixes = /** @type {string[]} */ (readers.filter(songs).flatMap((/** @type {Record<string, any>} */ { suffixes }) => suffixes));
    const files = (/** @type {boolean} */ isFolder) => {
      const input = h("input", {
        type: "file", id: isFolder ? "lesson-folder" : "lesson-files", class: "hidden-input", multiple: true, webkitdirectory: isFolder,
        onchange: () => {
          const chosen = [...(input.files ?? [])];
          input.value = "";
          void this.#add(isFolder ? this.#ofFolder(chosen) : chosen.map(songOf));
        },
      }); // prettier-ignore
      return input;
    };
    this.#panel = h(
      "section",
      { class: "panel lesson", hidden: true, "aria-label": t("teach.songs") },
      this.#told, this.#progress, this.#few,
      h("div", { class: "row" }, h("label", { class: "inline lesson-name" }, h("span", {}, t("teach.name")), this.#name), this.#button, this.#stop,
        h("button", { class: "button quiet", onclick: () => this.#lesson.clear() }, t("teach.clear"))),
      this.#list,
    ); // prettier-ignore
    fill(
      root,
      (this.#page = h(
        "section",
        { class: "welcome teach" },
        h("h1", {}, t("teach.title")),
        h("p", { class: "lead" }, t("teach.lead")),
        h(
          "div",
          { id: "drop-songs", class: "drop" },
          sign("note"),
          h("p", { class: "drop-title" }, t("teach.drop")),
          h("p", { class: "meaning" }, t("teach.kinds", { few: FEW, enough: ENOUGH })),
          h("div", { class: "row" }, h("label", { class: "button primary big" }, t("teach.files"), files(false)), h("label", { class: "button big" }, t("teach.folder"), files(true))),
        ),
        ...toInstall(missingReaders.filter(songs)),
        h("p", { class: "meaning" }, t("teach.private", { folder: teaching?.folder ?? "" })),
        this.#done,
        this.#panel,
        this.#drummers,
      )),
    );
    this.#lesson.addEventListener("change", () => this.show(), { signal });
    app.drummers.addEventListener("change", () => this.#listed(), { signal });
    this.#name.value = this.#lesson.name;
    this.show();
    this.#listed();
  }

  #panel;
  #page;
  #suffixes;

  /** The lesson, for tests. */
  get lesson() {
    return this.#lesson;
  }

  shown() {
    this.#tick();
    void this.#app.drummers.refresh().catch(this.#app.fail);
  }

  hidden() {
    clearInterval(this.#timer);
  }

  address() {
    return {};
  }

  /** Songs that were dropped on the page. @param {DataTransfer} data */
  async drop(data) {
    const entries = [...data.items].map((item) => item.webkitGetAsEntry?.() ?? null);
    const files = [...data.files]; // gone once this function has waited
    const folders = entries.filter((entry) => entry?.isDirectory);
    const plain = files.filter((_, index) => !entries[index]?.isDirectory);
    const found = [...plain.map(songOf)];
    for (const folder of folders) found.push(...this.#ofFolder(await inside(/** @type {FileSystemDirectoryEntry} */ (folder))));
    await this.#add(found, folders.length === 1 && !plain.length ? folders[0]?.name : undefined);
  }

  /** The songs of a folder; its other files are none of them. @param {readonly File[]} files */
  #ofFolder(files) {
    return files.filter(({ name }) => this.#suffixes.some((suffix) => name.toLowerCase().endsWith(suffix))).map(songOf);
  }

  /** @param {readonly {name: string, file: File}[]} files @param {string} [folder] */
  async #add(files, folder) {
    this.#done.hidden = true;
    const [path = ""] = files.map(({ file }) => file.webkitRelativePath.split("/")[0]);
    if (!this.#lesson.name) this.#typed(this.#free(plainName(folder ?? path) || t("teach.usual")));
    await this.#lesson.add(files).catch(this.#app.fail);
  }

  /** A name that no drummer has. @param {string} name */
  #free(name) {
    const taken = new Set(this.#app.drummers.taught.map(({ band }) => band?.name.toLowerCase()));
    let [free, number] = [name, 2];
    while (taken.has(free.toLowerCase())) free = `${name} ${number++}`;
    return free;
  }

  /** @param {string} [name] */
  #typed(name) {
    if (name !== undefined) this.#name.value = name;
    this.#lesson.name = this.#name.value;
    this.show();
  }

  async #make() {
    if (this.#button.disabled) return;
    const { name } = this.#lesson;
    try {
      const model = await this.#lesson.make();
      if (!model) return;
      this.#ready = model.id;
      await this.#app.drummers.refresh();
      const { songs, grooves } = model.band;
      fill(this.#done, h("p", {}, t("teach.done", { name: name.trim(), songs: songs.length, grooves })), h("button", { class: "button primary", onclick: () => this.#app.playWith(model.id) }, t("teach.play")));
      this.#done.hidden = false;
      this.#lesson.clear();
      this.#name.value = "";
      this.#done.scrollIntoView({ block: "nearest" });
    } catch (error) {
      this.#app.fail(error);
    }
  }

  // --- what is shown -------------------------------------------------------------------------------------------------

  show() {
    const { songs, busy, makes, understood, limit } = this.#lesson;
    this.#panel.hidden = !songs.length && limit !== "none";
    this.#page.classList.toggle("begun", songs.length > 0);
    fill(this.#list, ...songs.map((song) => this.#row(song)));
    this.#stop.hidden = !busy;
    this.#name.disabled = makes && busy;
    this.#button.hidden = busy;
    this.#button.disabled = !understood.length || !this.#lesson.name.trim();
    this.#few.hidden = busy || !understood.length || understood.length >= FEW;
    this.#few.textContent = t(understood.length === 1 ? "teach.one" : "teach.few", { songs: understood.length, few: FEW });
    this.#tick();
  }

  /** @param {Song} song */
  #row(song) {
    const { name, heard } = song;
    const how = !heard ? "waits" : heard.understood ? "known" : "left";
    const about = !heard ? "" : heard.understood ? [t("teach.bars", { bars: heard.bars }), heard.remark && said(heard.remark)].filter(Boolean).join("; ") : said(heard.remark);
    const title = heard?.title || name;
    return h(
      "li",
      { class: how },
      h("span", { class: "lesson-sign", role: "img", "aria-label": t(`teach.${how}`) }, { waits: "·", known: "✓", left: "–" }[how]),
      h("strong", { title: name }, title),
      h("span", { class: "meaning" }, about),
      h("button", { class: "reset", ...named(t("teach.out", { name: title })), onclick: () => void this.#lesson.remove(song).catch(this.#app.fail) }, "×"),
    );
  }

  /** What is told of the time, and again in a moment. */
  #tick() {
    clearInterval(this.#timer);
    const { busy } = this.#lesson;
    const text = busy ? this.#going() : this.#result();
    if (this.#told.textContent !== text) this.#told.textContent = text;
    this.#progress.classList.toggle("idle", !busy);
    if (busy) this.#timer = Number(setInterval(() => this.#tick(), TICK));
  }

  #going() {
    const { songs, makes } = this.#lesson;
    const { share, seconds, done } = this.#lesson.progress(performance.now());
    this.#progress.style.setProperty("--share", `${100 * share}%`);
    const what = t(makes ? "teach.making" : "teach.hearing", { done, songs: songs.length });
    return seconds !== null && seconds >= SHOWN ? `${what} ${t("teach.time", { seconds: Math.ceil(seconds) })}` : what;
  }

  #result() {
    const { songs, understood, limit } = this.#lesson;
    const { teaching } = this.#app.drummers;
    if (limit === "none") return t("teach.none");
    if (!songs.length) return "";
    const text = t("teach.understood", { songs: songs.length, understood: understood.length });
    if (limit === "songs") return `${text} ${t("teach.many", { most: teaching?.maxSongs ?? 0 })}`;
    return limit ? `${text} ${t("teach.large", { most: Math.floor((teaching?.maxBytes ?? 0) / MEBIBYTE) })}` : text;
  }

  /** The drummers that are there. */
  #listed() {
    const { taught } = this.#app.drummers;
    this.#drummers.hidden = !taught.length;
    if (taught.every(({ id }) => id !== this.#ready)) this.#done.hidden = true;
    fill(this.#drummers, h("h2", {}, t("teach.there")), h("ul", {}, ...taught.map((drummer) => this.#drummer(drummer))));
  }

  /** @param {Drummer} drummer */
  #drummer({ id, band }) {
    const { name = id, songs = [], grooves = 0 } = band ?? {};
    const { drummers, fail } = this.#app;
    const rename = () => {
      const input = h("input", { type: "text", value: name, maxLength: MOST_NAME, "aria-label": t("teach.newName", { name }), onkeydown: (/** @type {KeyboardEvent} */ event) => event.key === "Escape" && this.#listed() });
      const form = h("form", { class: "row", onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        if (input.value.trim() === name) this.#listed();
        else void drummers.rename(id, input.value.trim()).catch(fail);
      } }, input, h("button", { class: "button primary", type: "submit" }, t("teach.keep"))); // prettier-ignore
      fill(row, form);
      input.select();
      input.focus();
    };
    const remove = () =>
      fill(row, h("span", { class: "gap" }, t("teach.sure", { name })),
        h("button", { class: "button", onclick: () => void drummers.remove(id).catch(fail) }, t("teach.remove")),
        h("button", { class: "button quiet", onclick: () => this.#listed() }, t("teach.no"))); // prettier-ignore
    const row = h(
      "li",
      { "data-drummer": id },
      h("details", { class: "gap" }, h("summary", {}, h("strong", {}, name), " ", h("span", { class: "meaning" }, t("teach.knows", { songs: songs.length, grooves }))), h("p", { class: "meaning" }, songs.join(" · "))),
      h("button", { class: "button", onclick: () => this.#app.playWith(id) }, t("teach.play")),
      h("button", { class: "button quiet", "aria-label": t("teach.renameWho", { name }), onclick: rename }, t("teach.rename")),
      h("button", { class: "button quiet", "aria-label": t("teach.removeWho", { name }), onclick: remove }, t("teach.remove")),
    );
    return row;
  }
}

/** @param {File} file */
const songOf = (file) => ({ name: file.webkitRelativePath || file.name, file });

/** A folder's name as that of a drummer. @param {string} folder */
const plainName = (folder) => folder.replace(/[_\s]+/g, " ").trim().slice(0, MOST_NAME); // prettier-ignore

/** All files of a dropped folder. @param {FileSystemDirectoryEntry} folder @returns {Promise<File[]>} */
async function inside(folder) {
  const [found, open] = [/** @type {File[]} */ ([]), [folder]];
  for (let next = open.pop(); next && found.length < MOST_FILES; next = open.pop()) {
    const reader = next.createReader();
    for (;;) {
      const entries = await new Promise((/** @type {(entries: FileSystemEntry[]) => void} */ resolve) => {
        reader.readEntries(resolve, () => resolve([])); // a folder that cannot be read has none
      });
      if (!entries.length) break;
      for (const entry of entries) {
        if (entry.isDirectory) open.push(/** @type {FileSystemDirectoryEntry} */ (entry));
        else {
          const file = await new Promise((/** @type {(file: File | null) => void} */ resolve) => {
            /** @type {FileSystemFileEntry} */ (entry).file(resolve, () => resolve(null));
          });
          if (file) found.push(file);
        }
      }
    }
  }
  return found;
}
