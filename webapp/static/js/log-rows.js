/** The rows of a log: `<li id="e1324">`, in the order of their seqs. */

/** The seq of a row, 0 for none. */
export function seqOf(row) {
  return Number(/^e(\d+)$/.exec(row?.id)?.[1] ?? 0);
}

/** The seq of the row that the address names (`#e1400`), 0 for none. */
export function aimedSeq() {
  return Number(/^#e([1-9]\d*)$/.exec(location.hash)?.[1] ?? 0);
}

/** Removes the rows up to `seq` from a list or fragment. */
export function dropUpTo(seq, rows) {
  for (const row of [...rows.children]) if (seqOf(row) <= seq) remove(row);
}

/** Removes the oldest rows of a list until `count` are left. */
export function keepNewest(count, rows) {
  while (rows.childElementCount > count) remove(rows.firstElementChild);
}

/** Also removes the white space after the row, so that the list reads as the server renders it. */
function remove(row) {
  if (row.nextSibling?.nodeType === Node.TEXT_NODE) row.nextSibling.remove();
  row.remove();
}
