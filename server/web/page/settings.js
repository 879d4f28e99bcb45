/** Settings of the page's look in the browser's storage. Without storage the page works, but forgets them. */

/** @param {string} key @returns {string | null} */
export function remembered(key) {
  try {
    return globalThis.localStorage?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

/** @param {string} key @param {string | null} value null: nothing */
export function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // kept until the page is closed
  }
}
