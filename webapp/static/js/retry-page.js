/**
 * <retry-page seconds="5"><output></output> <a href="">Try now</a></retry-page>
 *
 * Loads the page again when its address answers. It asks after `seconds`, then with growing waits of up to 10 s, and at
 * once when the browser is online again. It never loads an error page of the browser, because it asks before it loads.
 */
class RetryPage extends HTMLElement {
  #wait = Math.min(Number(this.getAttribute('seconds')) || 1, LONGEST_WAIT);
  #shown = this.querySelector('output');

  connectedCallback() {
    addEventListener('online', () => this.#ask());
    this.#sleep();
  }

  #sleep() {
    // A random part, so that all pages do not ask at the same moment.
    this.#next = Date.now() + this.#wait * 1000 * (1 + Math.random() / 4);
    this.#wait = Math.min(this.#wait * 1.5 + 1, LONGEST_WAIT);
    this.#tick();
  }

  #tick() {
    const left = Math.ceil((this.#next - Date.now()) / 1000);
    if (left <= 0) return this.#ask();
    this.#shown.value = `The next try is in ${left} s.`;
    this.#timer = setTimeout(() => this.#tick(), 500);
  }

  async #ask() {
    clearTimeout(this.#timer);
    this.#shown.value = 'Trying …';
    if (await answers(location.href)) location.reload();
    else this.#sleep();
  }

  #next = 0;
  #timer = 0;
}

const LONGEST_WAIT = 10;

async function answers(address) {
  try {
    const signal = AbortSignal.timeout(10_000);
    const response = await fetch(address, { cache: 'no-store', headers: { Accept: 'text/html' }, signal });
    return response.status < 500;
  } catch {
    return false;
  }
}

customElements.define('retry-page', RetryPage);
