/**
 * <time-scrubber><form action="/tasks/x"><input type="range" name="at"><output></output><button>Go</button></form></time-scrubber>
 *
 * Shows the position of the slider while it moves, and submits the form when it is released. It hides the button.
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
