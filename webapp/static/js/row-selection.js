/**
 * <select-all data-volatile></select-all>, in the head of a table whose rows begin with `.pick` checkboxes: a checkbox for
 * all rows. A click with Shift selects every row since the last click. `[data-chosen]` shows how many are selected.
 */
class SelectAll extends HTMLElement {
  #listening;
  #all;
  #last;

  connectedCallback() {
    this.#all = document.createElement('input');
    this.#all.type = 'checkbox';
    this.#all.setAttribute('aria-label', 'Select all tasks on this page');
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    this.#all.addEventListener('change', () => this.#set(this.#boxes, this.#all.checked), { signal });
    this.#table.addEventListener('click', (event) => this.#click(event), { signal });
    this.#table.addEventListener('change', () => this.#count(), { signal });
    document.addEventListener('htmx:after:swap', () => this.#count(), { signal });
    this.#count();
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  get #table() {
    return this.closest('table');
  }

  get #boxes() {
    return [...this.#table.querySelectorAll('tbody .pick input')];
  }

  #click({ target, shiftKey }) {
    const boxes = this.#boxes;
    const at = boxes.indexOf(target);
    if (at < 0) return;
    const from = shiftKey ? boxes.findIndex((box) => box.value === this.#last) : -1;
    if (from >= 0) this.#set(boxes.slice(Math.min(from, at), Math.max(from, at) + 1), target.checked);
    this.#last = target.value;
  }

  #set(boxes, checked) {
    for (const box of boxes) box.checked = checked;
    this.#count();
  }

  #count() {
    if (!this.contains(this.#all)) this.replaceChildren(this.#all); // a morph removes elements that the server did not render
    const boxes = this.#boxes;
    const chosen = boxes.filter((box) => box.checked).length;
    this.#all.checked = chosen > 0 && chosen === boxes.length;
    this.#all.indeterminate = chosen > 0 && chosen < boxes.length;
    for (const button of document.querySelectorAll('button[data-least]')) {
      button.disabled = chosen < button.dataset.least || chosen > button.dataset.most;
    }
    for (const place of document.querySelectorAll('[data-chosen]')) place.textContent = `${chosen} selected`;
  }
}

customElements.define('select-all', SelectAll);
