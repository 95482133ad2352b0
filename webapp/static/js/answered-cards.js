/**
 * <answered-cards data-volatile></answered-cards>
 *
 * Keeps the outcome of each permission request that leaves the page: who answered it, when, with which value and reason.
 * It stays until it is dismissed, also when this tab loads the page again. `.permission[data-page]` names the page of a
 * request.
 */
const MAX_CARDS = 5;

class AnsweredCards extends HTMLElement {
  #open = new Set();
  #cards = new Map(); // page to its card
  #listening;

  connectedCallback() {
    this.setAttribute('aria-live', 'polite');
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener('htmx:before:swap', () => (this.#open = openRequests()), { signal });
    document.addEventListener('htmx:after:swap', () => this.#compare(), { signal });
    for (const page of this.#kept) this.#show(page);
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  #compare() {
    const now = openRequests();
    const gone = [...this.#open].filter((page) => !now.has(page));
    this.#open = now;
    for (const page of now) this.#remove(page); // it is open again
    for (const page of gone.slice(-MAX_CARDS)) this.#show(page);
  }

  async #show(page) {
    const card = await outcomeOf(page);
    if (!card || openRequests().has(page)) return;
    this.#remove(page);
    this.#cards.set(page, card);
    this.#kept = [...this.#kept.filter((other) => other !== page), page].slice(-MAX_CARDS);
    const dismiss = Object.assign(document.createElement('button'), { type: 'button', textContent: 'Dismiss' });
    dismiss.addEventListener('click', () => this.#remove(page));
    card.append(dismiss);
    this.prepend(card);
    while (this.children.length > MAX_CARDS) this.lastElementChild.remove();
  }

  #remove(page) {
    if (!this.#cards.has(page)) return;
    this.#cards.get(page).remove();
    this.#cards.delete(page);
    this.#kept = this.#kept.filter((other) => other !== page);
  }

  get #kept() {
    return JSON.parse(sessionStorage.getItem(this.#key) ?? '[]');
  }

  set #kept(pages) {
    sessionStorage.setItem(this.#key, JSON.stringify(pages));
  }

  get #key() {
    return `answered ${location.pathname}`;
  }
}

function openRequests() {
  return new Set([...document.querySelectorAll('.permission[data-page]')].map((card) => card.dataset.page));
}

/** Returns the closed card of a request without its arguments, or null if it is open or gone. */
async function outcomeOf(page) {
  const response = await fetch(page, { headers: { Accept: 'text/html' } }).catch(() => null);
  if (!response?.ok) return null;
  const whole = new DOMParser().parseFromString(await response.text(), 'text/html');
  const found = whole.querySelector('.permission--closed');
  if (!found) return null;
  const card = document.createElement('article');
  card.className = 'answered-card';
  if (document.querySelector('.inbox')) card.append(whole.querySelector('h1 a'));
  card.append(...found.querySelectorAll(':scope > :is(.permission-title, .permission-outcome, .permission-value, .changes)'));
  return card;
}

customElements.define('answered-cards', AnsweredCards);
