/** What has to do with no music: numbers within bounds, pauses. */

/** @param {number} value @param {number} least @param {number} most */
export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** @param {number} milliseconds @returns {Promise<void>} */
export const wait = (milliseconds) =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });

export const MEBIBYTE = 1 << 20;
