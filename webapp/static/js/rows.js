import { foldsChanged, headsLines, reveal, showFolds, toggleFold } from './log-folds.js';
import { forgetRows, keepPlace, openRow, showRows, toggleRow } from './row-details.js';

/**
 * The rows of a log: a click on the text of a row opens and closes it, and so do its links `.turn` and `.more-lines`; a click
 * on a line that begins a group folds the group. The row that the address names (`#e1400`) opens. The buttons of
 * `.log-reading` wrap long lines, open all rows and fold all groups; the server keeps that in a cookie.
 */
let aimed = '';

/** A click in a row: on its text, or on `control`, one of its own links and buttons. Then Enter does the same again. */
export function press(row, control) {
  if (!control) row.querySelector(':scope > .turn').focus({ preventScroll: true });
  const folds = control ? control.matches('.fold') : headsLines(row);
  keepPlace(row, () => {
    if (folds) toggleFold(row);
    else toggleRow(row);
    if (folds) showFolds(row.parentElement);
  });
}

function choose(event) {
  const form = event.target.closest?.('.log-reading');
  const { name, value } = event.submitter ?? {};
  if (!form || !name) return;
  event.preventDefault();
  const first = [...document.querySelectorAll('.log-scroll .row')].find(isInView);
  keepPlace(first, () => {
    document.body.classList.toggle(`rows-${name}`, value === '1');
    if (name === 'expand') forgetRows();
    if (name === 'fold') foldsChanged();
    show();
  });
  for (const button of document.querySelectorAll(`.log-reading [name="${name}"]`)) {
    button.value = value === '1' ? '0' : '1';
    button.setAttribute('aria-pressed', String(value === '1'));
  }
  const body = new URLSearchParams({ [name]: value });
  fetch(form.action, { method: 'POST', body, redirect: 'manual', keepalive: true }).catch(() => {});
}

function isInView(row) {
  const { top, bottom } = row.closest('.log-scroll').getBoundingClientRect();
  const place = row.getBoundingClientRect();
  return place.height > 0 && place.top >= top && place.top < bottom;
}

function aim() {
  const row = document.getElementById(location.hash.slice(1));
  if (location.hash === aimed || !row?.matches('.rows > .row')) return;
  aimed = location.hash;
  openRow(row);
  const hidden = !row.checkVisibility();
  reveal(row);
  showFolds(row.parentElement);
  if (hidden) row.scrollIntoView({ block: 'center' });
}

function show() {
  for (const list of document.querySelectorAll('ol.rows')) showFolds(list);
  aim();
  showRows();
}

document.addEventListener('submit', choose);
document.addEventListener('htmx:after:swap', show);
document.addEventListener('log:rows', show);
addEventListener('hashchange', () => {
  aimed = '';
  show();
});
show();
