/** What the browser remembers of how the page looks. One that forbids it remembers nothing, and the page goes on. */

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
    // it holds until the page is closed
  }
}
