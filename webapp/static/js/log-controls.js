import { seqOf } from './log-rows.js';

/**
 * The controls of a log: the buttons "Follow" and "12 new", and the links to older and newer rows.
 *
 * element               the <log-follow>, which gets the buttons and may contain #log-older and #log-newer
 * onFollow, onNewest    the buttons were pressed
 */
export class LogControls {
  #element;
  #bar = document.createElement('div');
  #follow;
  #newest;

  constructor(element, { onFollow, onNewest }) {
    this.#element = element;
    this.#bar.className = 'log-follow__bar';
    this.#bar.dataset.volatile = '';
    this.#follow = button('follow', 'Follow', onFollow);
    this.#follow.dataset.key = 'f';
    this.#newest = button('new', '', onNewest);
    this.#bar.append(this.#follow, this.#newest);
    element.prepend(this.#bar);
  }

  remove() {
    this.#bar.remove();
  }

  /**
   * following   whether the log stays at its newest line
   * unseen      how many rows were added while it does not
   * incomplete  whether rows are missing at the end
   * first       the seq of the first row of the whole log, 0 if unknown
   */
  show({ following, unseen, incomplete, first }) {
    this.#follow.setAttribute('aria-pressed', String(following));
    this.#newest.hidden = !unseen && !incomplete;
    this.#newest.textContent = unseen ? `${unseen} new` : 'Newest';
    const { rows } = this.#element;
    const newer = this.#element.querySelector('#log-newer');
    if (newer) {
      newer.hidden = !incomplete;
      newer.href = newer.href.replace(/after=\d+/, `after=${seqOf(rows.lastElementChild)}`);
    }
    const older = this.#element.querySelector('#log-older');
    if (!older) return;
    const oldest = seqOf(rows.firstElementChild);
    older.hidden = oldest <= Math.max(1, first);
    for (const name of ['href', 'hx-get']) {
      older.setAttribute(name, older.getAttribute(name).replace(/before=\d+/, `before=${oldest}`));
    }
  }
}

function button(name, text, press) {
  const made = document.createElement('button');
  made.type = 'button';
  made.className = `log-follow__${name}`;
  made.textContent = text;
  made.addEventListener('click', press);
  return made;
}
