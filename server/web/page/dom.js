/** Short functions that make elements. */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * An element with properties, attributes and children.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, unknown>} [props] `onclick` and the like are listeners; `class`, `data-*`, `aria-*`, `role` and
 *   names without a property are attributes; undefined, null and false set none. A button submits nothing by default.
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const made = document.createElement(tag);
  if (tag === "button") made.setAttribute("type", "button");
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else if (name in made && name !== "list" && name !== "form") Object.assign(made, { [name]: value });
    else if (value !== undefined && value !== null && value !== false) made.setAttribute(name, value === true ? "" : String(value));
  }
  made.append(...present(children));
  return made;
}

/**
 * Replace the children of an element.
 *
 * @param {Element} element
 * @param {...Child} children
 */
export function fill(element, ...children) {
  element.replaceChildren(...present(children));
}

/** An element of a drawing. @param {string} name @param {Record<string, string | number>} attributes */
export function made(name, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

/**
 * An icon in the colour of the text around it, hidden from screen readers.
 *
 * @param {keyof typeof SIGNS} name
 */
export function sign(name) {
  const svg = made("svg", { viewBox: "0 0 24 24", class: "sign", "aria-hidden": "true" });
  svg.append(made("path", { d: SIGNS[name] }));
  return svg;
}

const SIGNS = {
  play: "M7 4v16l13-8z",
  stop: "M6 5h4v14H6zM14 5h4v14h-4z",
  start: "M6 5h2v14H6zM20 5v14L9 12z",
  undo: "M9 4 3 10l6 6v-4h6a3 3 0 0 1 0 6h-4v2h4a5 5 0 0 0 0-10H9z",
  loop: "M7 7h9V4l5 4.5-5 4.500v-3H8v4H6V8a1 1 0 0 1 1-1zM17 17H8v3l-5-4.5 5-4.500v3h8v-4h2v6a1 1 0 0 1-1 1z",
  lock: "M7 10V7a5 5 0 0 1 10 0v3h1a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H6a1 1 0 0 1-1-1v-9a1 1 0 0 1 1-1zM9 10h6V7a3 3 0 0 0-6 0z",
  note: "M9 18a3 3 0 1 1-2-2.830V4l12-2v13a3 3 0 1 1-2-2.830V6.500L9 7.800z",
  save: "M11 3h2v9l3.5-3.5 1.4 1.400L12 15.8 6.1 9.900l1.4-1.400L11 12zM4 18h16v2H4z",
  fill: "M12 4l8 8-8 8-8-8z",
  close: "M6.400 5 5 6.400 10.600 12 5 17.600 6.400 19 12 13.400 17.600 19 19 17.600 13.400 12 19 6.400 17.600 5 12 10.600z",
  sliders: "M5 4h2v8H5zM5 16h2v4H5zM3 12h6v2H3zM11 4h2v3h-2zM11 11h2v9h-2zM9 7h6v2H9zM17 4h2v10h-2zM17 18h2v2h-2zM15 14h6v2h-6z",
  dice: "M5 3h14a2 2 0 0 1 2 2v14a2 2 0 0 1-2 2H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2zM8 6.500A1.5 1.5 0 1 0 8 9.5 1.5 1.5 0 0 0 8 6.500zM16 14.500a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3zM12 10.500a1.5 1.5 0 1 0 0 3 1.5 1.5 0 0 0 0-3z",
};

/** @param {Child[]} children */
function present(children) {
  return /** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined && child !== false));
}

// --- controls --------------------------------------------------------------------------------------------------------

/** What is said of a control that shows no words. @param {string} label */
export const named = (label) => ({ title: label, "aria-label": label });

/** Say whether a button is pressed. @param {HTMLElement} button @param {boolean} on */
export const press = (button, on) => button.setAttribute("aria-pressed", String(on));

/** Show what a button that plays and stops does next. @param {HTMLElement} button @param {boolean} playing @param {string} words */
export function plays(button, playing, words) {
  fill(button, sign(playing ? "stop" : "play"), h("span", {}, words));
  press(button, playing);
}

/**
 * A menu of a few words.
 *
 * @param {string} id
 * @param {readonly (readonly [string | number, string])[]} words values and their names
 * @param {string | number} value the chosen one
 * @param {(value: string) => void} changed
 * @param {Record<string, unknown>} [props]
 */
export function menu(id, words, value, changed, props = {}) {
  const select = h("select", { id, onchange: () => changed(select.value), ...props }, ...options(words));
  select.value = String(value);
  return select;
}

/** @param {readonly (readonly [string | number, string])[]} words */
export const options = (words) => words.map(([value, name]) => h("option", { value: String(value) }, name));

/** A control below its name. @param {Child} name @param {HTMLElement} control @param {...Child} more */
export const field = (name, control, ...more) => h("div", { class: "field" }, h("label", { htmlFor: control.id }, name), control, ...more);

/** A box and its words. @param {HTMLInputElement} box @param {...Child} words */
export const check = (box, ...words) => h("label", { class: "check" }, box, ...words);

/** The words at the ends of a slider. @param {string} least @param {string} most */
export const ends = (least, most) => h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, least), h("span", {}, most));

/** Colour a slider up to its value. @param {HTMLInputElement} range */
export const coloured = ({ style, value, min, max }) => style.setProperty("--share", `${(100 * (Number(value) - Number(min))) / (Number(max) - Number(min))}%`);

// --- keys and pointers -----------------------------------------------------------------------------------------------

/** Whether a key goes to the browser or the system, not to the page. @param {KeyboardEvent} event */
export const isCommand = (event) => event.ctrlKey || event.metaKey || event.altKey;

/**
 * Follow a pointer that is pressed on an element until it is let go.
 *
 * @param {HTMLElement} element
 * @param {PointerEvent} event
 * @param {(event: PointerEvent) => void} move
 * @param {(event: PointerEvent) => void} up
 * @param {(event: PointerEvent) => void} [cancel]
 */
export function follow(element, { pointerId }, move, up, cancel = up) {
  const stop = new AbortController();
  const { signal } = stop;
  element.setPointerCapture(pointerId);
  element.addEventListener("pointermove", move, { signal });
  element.addEventListener("pointerup", (event) => (stop.abort(), up(event)), { signal });
  element.addEventListener("pointercancel", (event) => (stop.abort(), cancel(event)), { signal });
}
