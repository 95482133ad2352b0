import { FollowState } from './follow-state.js';
import { renewRows } from './log-columns.js';
import { LogControls } from './log-controls.js';
import { aimedSeq, seqOf } from './log-rows.js';
import { LogScroller } from './log-scroller.js';
import { LogSwaps } from './log-swaps.js';
import { LogWindow } from './log-window.js';

/**
 * <log-follow data-src="/tasks/x/log?part=rows" data-events="/api/tasks/x/events" data-window="200" data-limit="2000">
 *   <div data-log-scroll><div><a id="log-older">…</a> <ol id="log-rows"><li id="e1324">…</li> … </ol></div></div>
 * </log-follow>
 *
 * Keeps the log at its newest line until the reader scrolls away, presses "Follow", loads older rows, or opens a link to
 * one line (`#e1400`). A line that is not among the rows is loaded with its neighbours from data-src.
 *
 * data-window 200   rows kept while following, as many as on a fresh page
 * data-limit 2000   rows kept while not following; after that no more are added, and "12 new" loads the newest window
 */
class LogFollow extends HTMLElement {
  #state = new FollowState();
  #window = new LogWindow(this, this.#state);
  #scroller;
  #controls;
  #swaps;
  #listening;

  connectedCallback() {
    this.#scroller = new LogScroller(this.querySelector('[data-log-scroll]'));
    this.#swaps = new LogSwaps(this, { state: this.#state, scroller: this.#scroller, loading: this.#window });
    const toggle = () => (this.#state.following ? this.#hold() : this.#follow());
    this.#controls = new LogControls(this, { onFollow: toggle, onNewest: () => this.#follow() });
    if (this.querySelector('#log-older')?.hidden) this.#state.first = seqOf(this.rows.firstElementChild);
    this.#listen();
    if (aimedSeq()) this.#aim();
    else this.#scroller.toEnd();
    this.#show();
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#controls.remove();
  }

  get rows() {
    return this.querySelector('#log-rows');
  }

  #listen() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener('htmx:before:swap', (event) => this.#swaps.before(event), { signal });
    document.addEventListener('htmx:after:swap', () => this.#swaps.after() && this.#show(), { signal });
    window.addEventListener('hashchange', () => this.#aim(), { signal });
    const onResize = () => this.#state.following && this.#scroller.toEnd();
    this.#scroller.listen({ signal, onScroll: () => this.#scrolled(), onResize });
  }

  #hold() {
    this.#state.hold();
    this.#show();
  }

  async #follow() {
    if (this.#state.incomplete && !(await this.#window.loadNewest())) return;
    this.#state.follow();
    this.#swaps.trim();
    renewRows(this.rows);
    this.#scroller.toEnd();
    this.#show();
  }

  /** Stops following and shows the line that the address names; loads it if it is not among the rows. */
  async #aim() {
    const seq = aimedSeq();
    if (!seq) return;
    this.#hold();
    if (document.getElementById(`e${seq}`) || !(await this.#window.loadAround(seq))) return;
    this.#show();
    location.replace(location.hash); // the line exists now, so this makes it the target
  }

  #scrolled() {
    const { following, held } = this.#state;
    const { atEnd } = this.#scroller;
    if (atEnd && !following && !held) this.#follow();
    else if (!atEnd && following) {
      this.#state.following = false;
      this.#show();
    }
  }

  #show() {
    this.#controls.show(this.#state);
  }
}

customElements.define('log-follow', LogFollow);
