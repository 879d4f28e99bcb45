/** The keys of the view of a song. */

/**
 * @param {KeyboardEvent} event
 * @param {import("./session.js").Session} session
 * @param {() => void} toggle play or stop
 */
export function keyPressed(event, session, toggle) {
  const target = /** @type {HTMLElement} */ (event.target);
  const typing = target.matches("input:not([type=range], [type=checkbox]), textarea");
  const command = event.ctrlKey || event.metaKey;
  if (command && !typing && event.key.toLowerCase() === "z") {
    event.preventDefault();
    if (event.shiftKey) session.redo();
    else session.undo();
  } else if (command && !typing && event.key.toLowerCase() === "y") {
    event.preventDefault();
    session.redo();
  } else if (!command && !event.altKey && /^[1-9]$/.test(event.key) && !typing && !target.matches("select, input[type=number]")) {
    session.choose(Number(event.key) - 1);
  } else if (event.key === " " && !command && !typing && !target.matches("button, select, summary, input[type=checkbox], [role=tab]")) {
    event.preventDefault();
    toggle();
  }
}
