/**
 * Clicks on the rows of a log: on the text of a row, or on its own links and buttons. Other controls in a row work as usual,
 * and so does selecting text. The module for rows loads when a page has rows, at the latest with the first click.
 */
const CONTROLS = 'a, button, summary, input, select, textarea, label, .opened';
const OWN = '.turn, .more-lines, .fold';
let clickedOnce = null; // the row whose text was just clicked

async function click(event) {
  const row = event.target.closest?.('.rows > .row');
  if (!row || event.defaultPrevented || event.button || event.ctrlKey || event.metaKey || event.altKey) return;
  const control = event.target.closest(CONTROLS);
  if (control ? !control.matches(OWN) : isSelecting(event, row)) return;
  if (!row.querySelector(':scope > .turn')) return;
  event.preventDefault();
  (await import('./rows.js')).press(row, control);
}

/** The second click of a double click takes the first one back, so that selecting a word changes nothing. */
function isSelecting({ detail, shiftKey }, row) {
  const selects = shiftKey || (detail === 2 ? row !== clickedOnce : !getSelection().isCollapsed);
  clickedOnce = detail === 1 && !selects ? row : null;
  return selects;
}

function load() {
  if (document.querySelector('.rows .turn, .log-reading')) import('./rows.js');
}

document.addEventListener('click', click);
document.addEventListener('htmx:after:swap', load);
load();
