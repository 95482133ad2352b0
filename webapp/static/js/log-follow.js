import { markDays } from './log-days.js';

/**
 * <log-follow data-src="/tasks/x/log?part=rows" data-events="/api/tasks/x/events" data-window="200" data-limit="2000">
 *   <div data-log-scroll tabindex="0"><div>
 *     <a id="log-older" data-volatile href="?before=1324"
 *        hx-get="/tasks/x/log?before=1324" hx-target="#log-rows" hx-swap="afterbegin">…</a>
 *     <ol id="log-rows"><li id="e1324">…</li> … </ol>
 *   </div></div>
 * </log-follow>
 *
 * Keeps the log at its newest line unless the reader scrolled away, pressed "Follow", asked for older rows, or came for
 * one line (`#e1400`); a line that is not among the rows is brought with its neighbours from data-src.
 *
 * data-window 200   rows kept while following; those that scroll away are dropped, as on a fresh page
 * data-limit 2000   rows kept while not following; then nothing more is added, and "N new" fetches the newest window from
 *                   data-src
 *
 * The scroller may be `flex-direction: column-reverse`, which shows the newest line before any script runs. It needs
 * `overflow-anchor: none`: the place of the reader is kept here.
 */
class LogFollow extends HTMLElement {
  #following = true;
  #held = false; // the reader asked for a stop: reaching the end does not undo it
  #unseen = 0;
  #full = false; // rows are missing at the end
  #fetched = null; // fragment of the rows that came while the newest window was being fetched
  #shift = null; // how to place the scroller after the swap that runs
  #first = 0; // the seq of the first row of the log, 0 while it is not known
  #buttons;
  #listening;

  connectedCallback() {
    this.scroller = this.querySelector('[data-log-scroll]');
    if (this.querySelector('#log-older')?.hidden) this.#first = seqOf(this.rows.firstElementChild);
    this.prepend(this.#bar());
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener('htmx:before:swap', (event) => this.#before(event), { signal });
    document.addEventListener('htmx:after:swap', () => this.#after(), { signal });
    window.addEventListener('hashchange', () => this.#aim(), { signal });
    document.addEventListener('click', (event) => this.#jump(event), { signal });
    this.scroller.addEventListener('scroll', () => this.#scrolled(), { signal, passive: true });
    const resized = new ResizeObserver(() => this.#following && this.#toEnd());
    resized.observe(this.scroller);
    signal.addEventListener('abort', () => resized.disconnect());
    if (this.#aimed) this.#aim();
    else this.#toEnd();
    this.#render();
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#buttons.bar.remove();
  }

  pause() {
    this.#following = false;
    this.#held = true;
    this.#render();
  }

  async follow() {
    if (this.#full && !(await this.#fetch())) return;
    this.#following = true;
    this.#held = false;
    this.#unseen = 0;
    this.#trim();
    markDays(this.rows);
    this.#toEnd();
    this.#render();
  }

  toggle() {
    if (this.#following) this.pause();
    else this.follow();
  }

  #before({ target, detail: { tasks } }) {
    for (const task of tasks.filter((task) => task.target === this.rows)) {
      const { style } = task.swapSpec;
      if (style === 'beforeend') this.#admit(task.fragment);
      else if (style === 'afterbegin') this.#prepend(task.fragment);
      else if (target.localName === 'live-stream' && !this.#following) {
        this.#full = true; // a window that would replace what is being read
        task.swapSpec.style = 'none';
      }
      const edge = this.#following || style === 'afterbegin' ? 'fromEnd' : 'fromStart';
      this.#shift = [edge, this.#following ? 0 : this[edge]];
    }
  }

  /** Leaves in the fragment the rows that are to be added now. */
  #admit(fragment) {
    dropUpTo(seqOf(this.rows.lastElementChild), fragment);
    const count = fragment.childElementCount;
    if (!this.#following) this.#unseen += count;
    this.#fetched?.append(...fragment.childNodes);
    this.#full ||= !this.#following && this.rows.childElementCount + count > Number(this.dataset.limit ?? 2000);
    if (this.#full) fragment.replaceChildren();
  }

  /** Older rows that were asked for: fewer than a window of them are the first rows of the log. */
  #prepend(fragment) {
    this.pause();
    if (fragment.childElementCount >= Number(this.dataset.window ?? 200)) return;
    this.#first = seqOf(fragment.firstElementChild) || seqOf(this.rows.firstElementChild);
  }

  #after() {
    if (!this.#shift) return;
    const [edge, distance] = this.#shift;
    this.#shift = null;
    if (this.#following) this.#trim();
    markDays(this.rows);
    this[edge] = distance;
    this.#render();
  }

  /** Stops at the line that the address names, and brings it here if it is not. */
  async #aim() {
    const seq = this.#aimed;
    if (!seq) return;
    this.pause();
    if (document.getElementById(`e${seq}`) || !(await this.#fetch(`&around=${seq}`))) return;
    this.#render();
    location.replace(location.hash); // now that the line is there, it is the target
  }

  async #jump(event) {
    const link = event.target.closest?.('a[data-next-failure]');
    if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    (await import('./log-jump.js')).nextFailure(link, this.dataset.events);
  }

  /** Whether the rows are the window that was asked for now: the newest, or one amid the log. */
  async #fetch(where = '') {
    if (this.#fetched) return false;
    this.#fetched = document.createDocumentFragment();
    try {
      const response = await fetch(this.dataset.src + where, { cache: 'no-store' });
      if (!response.ok) return false;
      const text = await response.text();
      await htmx.swap({ text, sourceElement: this, target: this.rows, swap: 'innerHTML settle:0' });
      if (!where) {
        dropUpTo(seqOf(this.rows.lastElementChild), this.#fetched);
        this.rows.append(this.#fetched);
      }
      markDays(this.rows);
      htmx.process(this.rows);
      this.#full = where !== '';
      return true;
    } catch {
      return false; // the button stays, to be pressed again
    } finally {
      this.#fetched = null;
    }
  }

  #trim() {
    const excess = this.rows.childElementCount - Number(this.dataset.window ?? 200);
    for (let i = 0; i < excess; i++) remove(this.rows.firstElementChild);
  }

  #scrolled() {
    const atEnd = this.fromEnd < 24;
    if (atEnd && !this.#following && !this.#held) this.follow();
    else if (!atEnd && this.#following) {
      this.#following = false;
      this.#render();
    }
  }

  #render() {
    const { follow, fresh } = this.#buttons;
    follow.setAttribute('aria-pressed', String(this.#following));
    fresh.hidden = !this.#unseen && !this.#full;
    fresh.textContent = this.#unseen ? `${this.#unseen} new` : 'Newest';
    const newer = this.querySelector('#log-newer');
    if (newer) {
      newer.hidden = !this.#full;
      newer.href = newer.href.replace(/after=\d+/, `after=${seqOf(this.rows.lastElementChild)}`);
    }
    const first = seqOf(this.rows.firstElementChild);
    const older = this.querySelector('#log-older');
    if (!older) return;
    older.hidden = first <= Math.max(1, this.#first);
    for (const name of ['href', 'hx-get']) {
      older.setAttribute(name, older.getAttribute(name).replace(/before=\d+/, `before=${first}`));
    }
  }

  #bar() {
    const bar = document.createElement('div');
    bar.className = 'log-follow__bar';
    bar.dataset.volatile = '';
    const button = (name, text, press) => {
      const made = document.createElement('button');
      made.type = 'button';
      made.className = `log-follow__${name}`;
      made.textContent = text;
      made.addEventListener('click', press);
      bar.append(made);
      return made;
    };
    const follow = button('follow', 'Follow', () => this.toggle());
    follow.dataset.key = 'f';
    const fresh = button('new', '', () => this.follow());
    this.#buttons = { bar, follow, fresh };
    return bar;
  }

  get rows() {
    return this.querySelector('#log-rows');
  }

  #toEnd() {
    this.fromEnd = 0;
  }

  get #aimed() {
    return /^#e([1-9]\d*)$/.exec(location.hash)?.[1];
  }

  get #reversed() {
    return getComputedStyle(this.scroller).flexDirection === 'column-reverse';
  }

  get #room() {
    return this.scroller.scrollHeight - this.scroller.clientHeight;
  }

  /** Pixels between the newest line and the lower edge of the scroller, and between the oldest line and its upper edge. */
  get fromEnd() {
    return this.#reversed ? -this.scroller.scrollTop : this.#room - this.scroller.scrollTop;
  }
  set fromEnd(pixels) {
    this.scroller.scrollTo({ top: this.#reversed ? -pixels : this.#room - pixels, behavior: 'instant' });
  }
  get fromStart() {
    return this.#room - this.fromEnd;
  }
  set fromStart(pixels) {
    this.fromEnd = this.#room - pixels;
  }
}

function seqOf(row) {
  return Number(/^e(\d+)$/.exec(row?.id)?.[1] ?? 0);
}

function dropUpTo(seq, fragment) {
  for (const row of [...fragment.children]) if (seqOf(row) <= seq) remove(row);
}

/** With the white space behind it, so that the list keeps the form in which it was rendered. */
function remove(row) {
  if (row.nextSibling?.nodeType === Node.TEXT_NODE) row.nextSibling.remove();
  row.remove();
}

customElements.define('log-follow', LogFollow);
