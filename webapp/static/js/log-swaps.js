import { renewRows } from './log-columns.js';
import { dropUpTo, keepNewest, seqOf } from './log-rows.js';

/**
 * Decides which rows a swap adds to a log, and keeps the scroll position of the reader.
 *
 * element   the <log-follow>, with `rows` and its limits data-window and data-limit
 * state     its FollowState
 * scroller  its LogScroller
 * loading   its LogWindow
 */
export class LogSwaps {
  #element;
  #log;
  #place = null; // where to scroll after the swap: ['fromEnd' or 'fromStart', pixels]

  constructor(element, { state, scroller, loading }) {
    this.#element = element;
    this.#log = { state, scroller, loading };
  }

  before({ target, detail: { tasks } }) {
    const { state, scroller } = this.#log;
    for (const task of tasks.filter((task) => task.target === this.#element.rows)) {
      const { style } = task.swapSpec;
      if (style === 'beforeend') this.#appends(task.fragment);
      else if (style === 'afterbegin') this.#prepends(task.fragment);
      else if (target.localName === 'live-stream' && !state.following) {
        state.incomplete = true; // the new window would replace the rows that the reader is looking at
        task.swapSpec.style = 'none';
      }
      const edge = state.following || style === 'afterbegin' ? 'fromEnd' : 'fromStart';
      this.#place = [edge, state.following ? 0 : scroller[edge]];
    }
  }

  /** Returns whether the swap was one of this log. */
  after() {
    if (!this.#place) return false;
    const { state, scroller } = this.#log;
    const [edge, pixels] = this.#place;
    this.#place = null;
    if (state.following) this.trim();
    renewRows(this.#element.rows);
    scroller[edge] = pixels;
    return true;
  }

  /** Drops the rows that a fresh page would not have. */
  trim() {
    keepNewest(this.#windowSize, this.#element.rows);
  }

  /** Keeps only those rows in the fragment that the swap should add. */
  #appends(fragment) {
    const { state, loading } = this.#log;
    dropUpTo(seqOf(this.#element.rows.lastElementChild), fragment);
    const count = fragment.childElementCount;
    if (!state.following) state.unseen += count;
    loading.collect(fragment);
    const limit = Number(this.#element.dataset.limit ?? 2000);
    state.incomplete ||= !state.following && this.#element.rows.childElementCount + count > limit;
    if (state.incomplete) fragment.replaceChildren();
  }

  /** Handles older rows that the reader has loaded. Fewer rows than a window are the first rows of the log. */
  #prepends(fragment) {
    const { state } = this.#log;
    state.hold();
    if (fragment.childElementCount >= this.#windowSize) return;
    state.first = seqOf(fragment.firstElementChild) || seqOf(this.#element.rows.firstElementChild);
  }

  get #windowSize() {
    return Number(this.#element.dataset.window ?? 200);
  }
}
