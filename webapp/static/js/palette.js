import { offersHere, tasksNamed } from './palette-offers.js';

/** The command palette: type a part of a name and press Enter. Ctrl-K or Cmd-K opens it, Escape closes it. */
export function open() {
  if (document.querySelector('dialog[open]')) return;
  const dialog = document.createElement('dialog');
  dialog.className = 'palette';
  dialog.setAttribute('aria-label', 'Command palette');
  dialog.innerHTML = `<input role="combobox" aria-label="Task, event number or command" aria-expanded="true" aria-autocomplete="list"
    aria-controls="palette-list" autocomplete="off" spellcheck="false" placeholder="Task, event number or command">
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
    const note = document.createElement('span');
    note.className = 'quiet';
    note.textContent = kind;
    item.append(label, ' ', note);
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
    const here = offersHere(text);
    show(here);
    const tasks = text ? await tasksNamed(text) : [];
    if (input.value.trim() === text && tasks.length) show([...here, ...tasks], at);
  }

  input.addEventListener('input', typed);
  input.addEventListener('keydown', (pressed) => {
    if (pressed.isComposing) return; // Enter and the arrows choose among the words that an input method offers
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
