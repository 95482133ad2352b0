/**
 * <time-scrubber><form action="/tasks/x"><input type="range" name="at"><output></output><button>Go</button></form></time-scrubber>
 *
 * Says where the slider stands while it moves, and goes there when it is let go: the button is not needed then.
 */
class TimeScrubber extends HTMLElement {
  connectedCallback() {
    const [form, slider, aim, button] = ['form', 'input', 'output', 'button'].map((tag) => this.querySelector(tag));
    button.hidden = true;
    slider.addEventListener('input', () => (aim.value = `#${slider.value}`));
    slider.addEventListener('change', () => form.requestSubmit());
  }
}

customElements.define('time-scrubber', TimeScrubber);
