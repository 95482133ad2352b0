/**
 * <retry-page seconds="5"><span></span> <a href="">Try now</a></retry-page>
 *
 * Loads the page again when the server answers at its address. It asks after `seconds`, then with growing waits of up to
 * 10 s, and at once when the browser is online again. It asks before it loads, so that the browser shows no error page of
 * its own.
 */
class RetryPage extends HTMLElement {
  #wait = Math.min(Number(this.getAttribute('seconds')) || 1, MAX_WAIT_S);
  #shown = this.querySelector('span');
  #next = 0;
  #timer = 0;
  #asking = false;

  connectedCallback() {
    addEventListener('online', () => this.#ask());
    this.#sleep();
  }

  #sleep() {
    // A random part, so that all pages do not ask at the same moment.
    this.#next = Date.now() + this.#wait * 1000 * (1 + Math.random() / 4);
    this.#wait = Math.min(this.#wait * 1.5 + 1, MAX_WAIT_S);
    this.#tick();
  }

  #tick() {
    const left = Math.ceil((this.#next - Date.now()) / 1000);
    if (left <= 0) return this.#ask();
    this.#shown.textContent = `Next attempt in ${left} s.`;
    this.#timer = setTimeout(() => this.#tick(), 500);
  }

  async #ask() {
    if (this.#asking) return;
    this.#asking = true;
    clearTimeout(this.#timer);
    this.#shown.textContent = 'Trying…';
    if (await answers(location.href)) return location.reload();
    this.#asking = false;
    this.#sleep();
  }
}

const MAX_WAIT_S = 10;
const UNAVAILABLE = [502, 503, 504];

async function answers(address) {
  try {
    const signal = AbortSignal.timeout(10_000);
    const response = await fetch(address, { cache: 'no-store', headers: { Accept: 'text/html' }, signal });
    return !UNAVAILABLE.includes(response.status);
  } catch {
    return false;
  }
}

customElements.define('retry-page', RetryPage);
