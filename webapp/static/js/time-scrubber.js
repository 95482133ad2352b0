/**
 * <time-scrubber><form action="/tasks/x"><input type="range" name="at"><output></output><button>Go</button></form></time-scrubber>
 *
 * Shows the position of the slider while it moves, and submits the form when the pointer releases it, or a moment after the
 * last key. A slider that was moved with keys has the focus again on the next page. `css/past.css` hides the button.
 */
const KEY_WAIT_MS = 600;
const FOCUS = 'time-scrubber has the focus';

class TimeScrubber extends HTMLElement {
  #timer;
  #byKey = false;

  connectedCallback() {
    const [form, slider, aim] = ['form', 'input', 'output'].map((tag) => this.querySelector(tag));
    slider.addEventListener('input', () => (aim.value = `#${slider.value}`));
    slider.addEventListener('keydown', () => (this.#byKey = true));
    slider.addEventListener('pointerdown', () => (this.#byKey = false));
    slider.addEventListener('change', () => {
      clearTimeout(this.#timer);
      if (!this.#byKey) form.requestSubmit();
      else this.#timer = setTimeout(() => form.requestSubmit(), KEY_WAIT_MS);
    });
    form.addEventListener('submit', () => {
      clearTimeout(this.#timer);
      if (this.#byKey) sessionStorage.setItem(FOCUS, form.action);
    });
    // The Back button shows the page as it was left: with the slider at another event.
    addEventListener('pageshow', ({ persisted }) => persisted && form.reset());
    if (sessionStorage.getItem(FOCUS) === form.action) slider.focus({ preventScroll: true });
    sessionStorage.removeItem(FOCUS);
  }

  disconnectedCallback() {
    clearTimeout(this.#timer);
  }
}

customElements.define('time-scrubber', TimeScrubber);
