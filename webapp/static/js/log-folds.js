import { groupsOf } from './log-groups.js';
import { seqOf } from './log-rows.js';

/**
 * Folds groups of rows. The row that stands for a group gets `<button class="fold" data-volatile>12 lines</button>`. A row
 * of a folded group has `data-folded` at its `.turn`, which the styles hide: the rows themselves stay as the server rendered
 * them. A group is open until the reader folds it, or all groups with "Fold groups".
 */
const changed = new Set(); // the keys of the groups that a person has folded or unfolded
const groups = new WeakMap(); // a list to its groups

export function foldsChanged() {
  changed.clear();
}

/** Whether a click on the text of this row folds its group. A row that begins a span opens instead. */
export function headsLines(row) {
  return Boolean(row.querySelector(':scope > .turn[data-group]') && row.querySelector(':scope > .fold'));
}

export function toggleFold(row) {
  const list = row.parentElement;
  const group = groups.get(list)?.find(({ header }) => list.children[header] === row);
  if (group) toggle(group.key);
}

/** Unfolds all groups that have this row. */
export function reveal(row) {
  const list = row.parentElement;
  const at = [...list.children].indexOf(row);
  for (const { key, members } of groups.get(list) ?? []) if (isFolded(key) && members.includes(at)) toggle(key);
}

export function showFolds(list) {
  const turns = [...list.children].map((row) => row.querySelector(':scope > .turn'));
  const found = turns.some((turn) => turn?.dataset.group || turn?.dataset.event === 'opens');
  if (!found && !groups.get(list)?.length) return;
  const rows = turns.map((turn) => ({ ...turn?.dataset, failed: turn?.parentElement.matches('.row--danger') }));
  const all = found ? groupsOf(rows, seqOf(list.firstElementChild) === 1) : [];
  const folded = new Set();
  for (const group of all) {
    group.key = group.span ? `span ${group.span}` : turns[group.header].href;
    if (isFolded(group.key)) for (const at of group.members) folded.add(at);
  }
  groups.set(list, all);
  for (const [at, turn] of turns.entries()) turn?.toggleAttribute('data-folded', folded.has(at));
  const headers = new Map(all.map((group) => [list.children[group.header], group]));
  for (const button of list.querySelectorAll('.fold')) if (!headers.has(button.parentElement)) button.remove();
  for (const [row, group] of headers) showButton(row, group);
}

function showButton(row, { key, count, failed, span }) {
  let button = row.querySelector(':scope > .fold');
  if (!button) {
    button = document.createElement('button');
    button.type = 'button';
    button.className = 'fold';
    button.dataset.volatile = '';
    row.append(button);
  }
  const [noun, folded] = [span ? 'row' : 'line', isFolded(key)];
  const text = `${count} ${noun}${count === 1 ? '' : 's'}${failed ? ', failed' : ''}`;
  if (button.textContent !== text) button.textContent = text;
  button.setAttribute('aria-expanded', String(!folded));
  button.classList.toggle('fold--failed', failed);
}

function toggle(key) {
  if (!changed.delete(key)) changed.add(key);
}

function isFolded(key) {
  return document.body.classList.contains('rows-fold') !== changed.has(key);
}
