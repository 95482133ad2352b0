/**
 * Which rows of a log are open, and their details: the facts and the payload of an event, which load when a person opens its
 * row. Rows are named by their id and the address of their event, so that they stay open when a frame replaces them, or when
 * they leave the page and come back. An event may have a second row in a drawer.
 *
 * The link `.turn` of a row has the state as `aria-expanded`, from which the styles follow. Without scripts it has none, and
 * leads to the page of the event.
 */
const opened = new Set(); // by a person, with details
const closed = new Set(); // by a person, while all rows are open
const details = new Map(); // name to a promise of the element

export function toggleRow(row) {
  const name = nameOf(turnOf(row));
  if (!isOpen(name)) openRow(row);
  else {
    opened.delete(name);
    closed.add(name);
    showRow(turnOf(row));
  }
}

export function openRow(row) {
  const name = nameOf(turnOf(row));
  opened.add(name);
  closed.delete(name);
  showRow(turnOf(row));
}

/** Forgets what a person has opened and closed, because all rows are opened or closed. */
export function forgetRows() {
  opened.clear();
  closed.clear();
}

export function showRows() {
  for (const turn of document.querySelectorAll('.row > .turn')) showRow(turn);
}

function showRow(turn) {
  const name = nameOf(turn);
  const open = String(isOpen(name));
  if (turn.getAttribute('aria-expanded') !== open) turn.setAttribute('aria-expanded', open);
  const shown = turn.parentElement.querySelector(':scope > .opened');
  if (!opened.has(name)) shown?.remove();
  else if (!shown) add(turn);
}

async function add(turn) {
  const name = nameOf(turn);
  if (!details.has(name)) details.set(name, load(name, turn.href));
  const element = await details.get(name);
  const row = turn.parentElement;
  if (!opened.has(name) || !turn.isConnected || row.querySelector(':scope > .opened')) return;
  keepPlace(row, () => row.append(element));
  htmx.process(element); // It ignores an element that is not in the page.
}

async function load(name, href) {
  try {
    const response = await fetch(href.replace('/payload?', '/details?'), { cache: 'no-store' });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const template = document.createElement('template');
    template.innerHTML = await response.text();
    return template.content.firstElementChild;
  } catch {
    details.delete(name); // the next time it may load
    const note = document.createElement('p');
    note.className = 'opened';
    note.dataset.volatile = '';
    note.textContent = 'The details did not load. Close the row and open it again.';
    return note;
  }
}

/** Runs `change`, which changes the height of rows, and scrolls so that `row` stays where it is. */
export function keepPlace(row, change) {
  const scroller = row?.closest('[data-log-scroll]');
  const top = row?.getBoundingClientRect().top;
  change();
  if (scroller) scroller.scrollTop += row.getBoundingClientRect().top - top;
}

function isOpen(name) {
  return opened.has(name) || (document.body.classList.contains('rows-expand') && !closed.has(name));
}

function nameOf(turn) {
  return `${turn.parentElement.id} ${turn.href}`;
}

function turnOf(row) {
  return row.querySelector(':scope > .turn');
}
