/**
 * The colour theme: light, dark, or that of the system. A classic script in <head>, so that the first paint has its colours.
 *
 * <html data-theme="light|dark">, without the attribute for auto; kept in localStorage.
 * <theme-switch data-volatile></theme-switch>   a button that switches between auto, light and dark
 */
(() => {
  const choices = ['auto', 'light', 'dark'];

  function chosen() {
    try {
      return choices.find((choice) => choice === localStorage.getItem('theme')) ?? 'auto';
    } catch {
      return 'auto'; // storage is disabled
    }
  }

  function apply(choice) {
    if (choice === 'auto') delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = choice;
    for (const element of document.querySelectorAll('theme-switch')) element.show?.(choice);
  }

  class ThemeSwitch extends HTMLElement {
    constructor() {
      super();
      this.addEventListener('click', () => this.#next());
    }

    connectedCallback() {
      this.button = document.createElement('button');
      this.button.type = 'button';
      this.replaceChildren(this.button);
      this.show(chosen());
    }

    show(choice) {
      this.dataset.choice = choice;
      const name = choice === 'auto' ? 'system' : choice;
      this.button.innerHTML = `<span class="theme-word">Theme: </span>${name}`;
      this.button.setAttribute('aria-label', `Theme: ${name}`);
    }

    #next() {
      const choice = choices[(choices.indexOf(this.dataset.choice) + 1) % choices.length];
      try {
        localStorage.setItem('theme', choice);
      } catch {
        // the choice is valid for this page only
      }
      apply(choice);
    }
  }

  apply(chosen());
  customElements.define('theme-switch', ThemeSwitch);
  addEventListener('storage', (event) => event.key === 'theme' && apply(chosen()));
})();
