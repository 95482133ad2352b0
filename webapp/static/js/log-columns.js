import { markDays } from './log-days.js';

/**
 * `<i class="log-columns one-phase" data-volatile hidden></i>` before a list of rows has the names of the columns that have
 * the same text in all rows, and the styles hide them. The server writes it; this module renews it when rows were added or
 * dropped.
 */
export function markColumns(list) {
  const mark = list.previousElementSibling;
  if (!mark?.matches('.log-columns')) return;
  for (const name of ['phase', 'actor']) mark.classList.toggle(`one-${name}`, isConstant(list, name));
}

function isConstant(list, name) {
  const cells = list.getElementsByClassName(name);
  const first = cells[0]?.textContent;
  return [...cells].every((cell) => cell.textContent === first);
}

/** Renews everything that depends on the neighbours of a row. Call it after every change of the rows. */
export function renewRows(list) {
  markDays(list);
  markColumns(list);
  list.dispatchEvent(new Event('log:rows', { bubbles: true }));
}
