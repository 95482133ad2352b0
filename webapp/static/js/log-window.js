import { renewRows } from './log-columns.js';
import { dropUpTo, seqOf } from './log-rows.js';

/**
 * Loads windows of a log into its list: the newest rows, or those around one row.
 *
 * element   the <log-follow>: `data-src` is the address, `rows` the list
 * state     its FollowState
 */
export class LogWindow {
  #element;
  #state;
  #buffered = null; // the rows that the stream delivers while a window loads

  constructor(element, state) {
    this.#element = element;
    this.#state = state;
  }

  /** Collects rows from the stream that the window being loaded may lack. */
  collect(fragment) {
    this.#buffered?.append(...fragment.childNodes);
  }

  loadNewest() {
    return this.#load('', (rows) => {
      dropUpTo(seqOf(rows.lastElementChild), this.#buffered);
      rows.append(this.#buffered);
      this.#state.incomplete = false;
    });
  }

  loadAround(seq) {
    return this.#load(`&around=${seq}`, () => (this.#state.incomplete = true));
  }

  /** Returns whether the window was loaded. `complete` runs in the same task, before the stream can add a row. */
  async #load(params, complete) {
    if (this.#buffered) return false;
    this.#buffered = document.createDocumentFragment();
    const element = this.#element;
    try {
      const response = await fetch(element.dataset.src + params, { cache: 'no-store' });
      if (!response.ok) return false;
      const text = await response.text();
      await htmx.swap({ text, sourceElement: element, target: element.rows, swap: 'innerHTML settle:0' });
      complete(element.rows);
      renewRows(element.rows);
      htmx.process(element.rows);
      return true;
    } catch {
      return false; // the button that asked for the window is still there
    } finally {
      const buffered = this.#buffered;
      this.#buffered = null;
      if (!this.#state.incomplete && buffered.firstElementChild) this.#append(buffered);
    }
  }

  /** Adds the rows that arrived while a window was loaded in vain. */
  #append(buffered) {
    const { rows } = this.#element;
    dropUpTo(seqOf(rows.lastElementChild), buffered);
    rows.append(buffered);
    renewRows(rows);
    htmx.process(rows);
  }
}
