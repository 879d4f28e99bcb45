/** The first page: a place to drop a song, an example, and earlier songs. */

import { check, fill, h, named, sign } from "./dom.js";
import { language, t } from "./words.js";

export class Welcome {
  /**
   * @param {Record<string, any>} info of the server: `readers`, the kinds of songs that it can read, and `missingReaders`,
   *   those that it cannot until more is installed. Any file may be dropped; the server judges it
   * @param {{file: (file: File) => void, example: () => void, open: (id: string) => void, forget: (id: string) => void}} deeds
   */
  constructor({ readers, missingReaders }, deeds) {
    this.deeds = deeds;
    const input = h("input", {
      type: "file", id: "file", class: "hidden-input", accept: readers.flatMap((/** @type {Record<string, any>} */ { suffixes }) => suffixes).join(),
      onchange: () => {
        const [file] = input.files ?? [];
        input.value = ""; // so that the same file can be chosen again
        if (file) deeds.file(file);
      },
    }); // prettier-ignore
    this.input = input;
    this.songs = h("section", { class: "songs", hidden: true });
    this.shared = h("p", { class: "notice", hidden: true });
    this.root = h(
      "section",
      { class: "welcome" },
      h("h1", {}, t("song.title")),
      h("p", { class: "lead" }, t("song.lead")),
      this.shared,
      h(
        "div",
        { id: "drop", class: "drop" },
        sign("note"),
        h("p", { class: "drop-title" }, t("song.drop")),
        h(
          "div",
          { class: "row" },
          h("label", { class: "button primary big" }, t("song.choose"), input),
          h("button", { id: "example", class: "button big", onclick: deeds.example }, t("song.example")),
        ),
      ),
      h("h2", { class: "kinds-title" }, t("song.kinds")),
      h("ul", { class: "kinds" }, ...readers.map((/** @type {Record<string, any>} */ { kind, suffixes }) => h("li", {}, h("strong", {}, t(`song.kind.${kind}`)), h("span", { class: "meaning" }, suffixes.join(" "))))),
      ...toInstall(missingReaders),
      h("p", { class: "meaning" }, t("song.private")),
      this.songs,
    );
  }

  /** @param {readonly {id: string, name: string, changed: number}[]} songs */
  list(songs) {
    this.songs.hidden = !songs.length;
    const date = new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "short" });
    fill(
      this.songs,
      h("h2", {}, t("song.earlier")),
      h(
        "ul",
        {},
        ...songs.map(({ id, name, changed }) =>
          h(
            "li",
            {},
            h("button", { class: "link", onclick: () => this.deeds.open(id) }, h("strong", {}, name), h("span", { class: "meaning" }, date.format(changed))),
            h("button", { class: "button quiet", ...named(t("song.forget", { name })), onclick: () => this.deeds.forget(id) }, "×"),
          ),
        ),
      ),
    );
  }

  /** Say which song an address is for. @param {string} name */
  meant(name) {
    this.shared.hidden = !name;
    this.shared.textContent = name ? t("song.meant", { name }) : "";
  }
}

/** What to install for other kinds of files. @param {readonly Record<string, any>[]} missing of the server */
export const toInstall = (missing) => missing.map(({ kind, install }) => h("p", { class: "notice" }, t(`song.missing.${kind}`), " ", h("code", {}, install)));

/**
 * Ask which parts of a file are the guitar.
 *
 * @param {readonly {number: number, name: string, notes: number}[]} parts
 * @param {AbortSignal} signal withdraws the question
 * @returns {Promise<string | null>} their numbers, such as "2,3"; null if none
 */
export function askForParts(parts, signal) {
  return new Promise((resolve) => {
    const answer = (/** @type {string | null} */ numbers) => {
      dialog.remove();
      resolve(numbers);
    };
    const boxes = parts.map(({ number }) => h("input", { type: "checkbox", value: String(number), onchange: () => (play.disabled = !chosen().length) }));
    const chosen = () => boxes.filter((box) => box.checked).map((box) => box.value);
    const choices = parts.map(({ number, name, notes }, index) =>
      check(boxes[index], t("song.part", { number, name: name || t("song.nameless"), notes })),
    );
    const play = h("button", { class: "button primary", type: "submit", disabled: true }, t("song.which.play"));
    const all = h("button", { class: "button", onclick: () => answer(parts.map(({ number }) => number).join()) }, t("song.which.all", { count: parts.length }));
    const dialog = h(
      "dialog",
      { class: "asking", "aria-labelledby": "asking", onclose: () => answer(null) },
      h("h2", { id: "asking" }, t("song.which")),
      h("p", { class: "meaning" }, t("song.which.what")),
      h(
        "form",
        { onsubmit: (/** @type {Event} */ event) => (event.preventDefault(), answer(chosen().join())) },
        h("div", { class: "choices" }, ...choices),
        h("div", { class: "row" }, parts.length > 1 && all, play, h("button", { class: "button quiet", onclick: () => answer(null) }, t("song.which.none"))),
      ),
    );
    signal.addEventListener("abort", () => answer(null), { once: true });
    document.body.append(dialog);
    dialog.showModal();
  });
}
