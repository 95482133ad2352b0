/**
 * <open-permissions hidden><span class="count">0</span> open</open-permissions>
 *
 * Shows how many permission requests are open in all tasks, in the navigation and before the title of the tab. The
 * heartbeats of the page's stream bring the number. Fires `permissions:more`, bubbling, detail {count}, when it grows.
 */
class OpenPermissions extends HTMLElement {
  #listening;

  connectedCallback() {
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener('live:facts', ({ detail }) => this.#show(detail.permissions_open), { signal });
  }

  disconnectedCallback() {
    this.#listening.abort();
  }

  get count() {
    return this.hidden ? 0 : Number(this.firstElementChild.textContent);
  }

  #show(count) {
    const before = this.count;
    if (count === undefined || count === before) return;
    this.firstElementChild.textContent = count;
    this.hidden = count === 0;
    document.title = counted(document.title.replace(/^\(\d+\) /, ''));
    if (count > before) this.dispatchEvent(new CustomEvent('permissions:more', { bubbles: true, detail: { count } }));
  }
}

/** A title with the count before it. */
export function counted(title) {
  const count = document.querySelector('open-permissions')?.count;
  return count ? `(${count}) ${title}` : title;
}

customElements.define('open-permissions', OpenPermissions);
