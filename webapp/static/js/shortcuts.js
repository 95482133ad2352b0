/**
 * Keyboard shortcuts. `[data-key="g t"]` is a key or a sequence of keys that clicks this link or button, or focuses this
 * field. `?` lists them by `data-key-label`, `aria-label` or text. `j` and `k` move the focus from row to row, in the log or
 * in `[data-rows]`.
 */
const fixed = [
  ['j', 'Next row'],
  ['k', 'Previous row'],
  ['?', 'Keyboard shortcuts'],
  ['Ctrl+K', 'Command palette'],
];
let typed = '';
let forget;

export function press(event) {
  const { key, target } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || key.length > 1) return;
  if (document.querySelector('dialog[open]') || target.closest('input, textarea, select, [contenteditable]')) {
    return;
  }
  const keys = `${typed} ${key}`.trim();
  clearTimeout(forget);
  forget = setTimeout(() => (typed = ''), 1000);
  typed = [...document.querySelectorAll('[data-key]')].some((one) => one.dataset.key.startsWith(`${keys} `)) ? keys : '';

  const named = document.querySelector(`[data-key="${CSS.escape(keys)}"]`);
  if (named?.matches('input, textarea, select')) named.focus();
  else if (named) named.click();
  else if (keys === '?') help();
  else if (keys === 'j' || keys === 'k') step(keys === 'j' ? 1 : -1);
  else return;
  event.preventDefault();
}

function step(by) {
  const rows = [...document.querySelectorAll('#log-rows > *, [data-rows] > *')].filter((row) => row.checkVisibility());
  const at = rows.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? rows.at(by > 0 ? 0 : -1) : rows[at + by];
  next?.querySelector('a')?.focus();
}

function help() {
  const named = [...document.querySelectorAll('[data-key]')].map((one) => [one.dataset.key, label(one)]);
  const list = make('dl', 'shortcuts__keys');
  for (const [keys, text] of [...named, ...fixed]) {
    const row = make('div', 'shortcuts__row');
    const term = make('dt', 'shortcuts__key');
    term.append(...keys.split(' ').map((key) => make('kbd', '', key)));
    row.append(term, make('dd', 'shortcuts__text', text));
    list.append(row);
  }
  const form = make('form', 'shortcuts__close');
  form.method = 'dialog';
  form.append(make('button', '', 'Close'));
  const sheet = make('dialog', 'shortcuts');
  sheet.setAttribute('aria-label', 'Keyboard shortcuts');
  sheet.append(make('h2', 'shortcuts__title', 'Keyboard'), list, form);
  sheet.addEventListener('close', () => sheet.remove());
  document.body.append(sheet);
  sheet.showModal();
}

function label(element) {
  return element.dataset.keyLabel ?? element.getAttribute('aria-label') ?? element.textContent.trim();
}

function make(tag, className, text = '') {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

document.addEventListener('keydown', press);
