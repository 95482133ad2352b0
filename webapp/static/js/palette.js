import { root } from './root.js';
/**
 * The command palette: type a part of what you want, Enter does it. It offers what has a key on this page, the phases of
 * the task, the event of a number, and tasks by title, id or kind. Ctrl-K or Cmd-K opens it, Escape closes it.
 */
export function open() {
  if (document.querySelector('dialog[open]')) return;
  const dialog = document.createElement('dialog');
  dialog.className = 'palette';
  dialog.setAttribute('aria-label', 'Command palette');
  dialog.innerHTML = `<input role="combobox" aria-label="What do you want?" aria-expanded="true" aria-autocomplete="list"
    aria-controls="palette-list" autocomplete="off" spellcheck="false" placeholder="A task, an event’s number, a command">
    <ul id="palette-list" role="listbox" aria-label="Commands"></ul>`;
  const [input, list] = dialog.children;
  let [offered, at] = [[], 0];

  function show(offers, chosen = 0) {
    offered = offers;
    list.replaceChildren(...offers.map(option));
    mark(chosen);
  }

  function option({ label, kind }, number) {
    const item = document.createElement('li');
    item.id = `palette-${number}`;
    item.role = 'option';
    const what = document.createElement('span');
    what.className = 'quiet';
    what.textContent = kind;
    item.append(label, ' ', what);
    item.addEventListener('click', () => take(number));
    return item;
  }

  function mark(number) {
    at = Math.max(0, Math.min(number, offered.length - 1));
    [...list.children].forEach((item, index) => item.setAttribute('aria-selected', String(index === at)));
    input.setAttribute('aria-activedescendant', offered.length ? `palette-${at}` : '');
    list.children[at]?.scrollIntoView({ block: 'nearest' });
  }

  function take(number) {
    dialog.close();
    offered[number]?.run();
  }

  async function typed() {
    const text = input.value.trim();
    const named = ({ label }) => label.toLowerCase().includes(text.toLowerCase());
    const here = [...event(text), ...[...commands(), ...phases()].filter(named)];
    show(here);
    const tasks = text ? await found(text) : [];
    if (input.value.trim() === text && tasks.length) show([...here, ...tasks], at);
  }

  input.addEventListener('input', typed);
  input.addEventListener('keydown', (pressed) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[pressed.key];
    if (step) mark(at + step);
    else if (pressed.key === 'Enter') take(at);
    else return;
    pressed.preventDefault();
  });
  dialog.addEventListener('click', ({ target }) => target === dialog && dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  typed();
}

function commands() {
  return [...document.querySelectorAll('[data-key]')].map((element) => ({
    label: element.dataset.keyLabel ?? element.getAttribute('aria-label') ?? element.textContent.trim(),
    kind: element.dataset.key,
    run: () => (element.matches('input, textarea, select') ? element.focus() : element.click()),
  }));
}

function phases() {
  return [...document.querySelectorAll('.station-name')].map(({ textContent }) => ({
    label: textContent,
    kind: 'phase, in the log',
    run: () => location.assign(`${task()}/log?phase=${encodeURIComponent(textContent)}`),
  }));
}

function event(text) {
  const seq = /^#?([1-9]\d*)$/.exec(text)?.[1];
  const run = () => location.assign(`${task()}/events/${seq}`);
  return seq && task() ? [{ label: `#${seq}`, kind: 'event', run }] : [];
}

async function found(text) {
  const answer = await fetch(`${root}/api/tasks?limit=8&q=${encodeURIComponent(text)}`).catch(() => null);
  const tasks = answer?.ok ? (await answer.json()).tasks : [];
  return tasks.map(({ task_id, title, status }) => ({
    label: title || task_id,
    kind: `task, ${status}`,
    run: () => location.assign(`${root}/tasks/${task_id}`),
  }));
}

function task() {
  const path = location.pathname.slice(root.length);
  const found = location.pathname.startsWith(root) && /^\/tasks\/[^/]+/.exec(path)?.[0];
  return found ? root + found : undefined;
}
