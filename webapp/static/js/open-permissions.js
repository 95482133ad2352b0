/**
 * <open-permissions hidden><span class="count">0</span> open</open-permissions>
 *
 * Shows the number of open permission requests in the tasks that the reader may see, in the navigation and in the title of
 * the tab. The heartbeats of the page's stream contain it. Fires `permissions:more` with the detail {count} when it grows.
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

/** Returns a title with the count in front of it. */
export function counted(title) {
  const count = document.querySelector('open-permissions')?.count;
  return count ? `(${count}) ${title}` : title;
}

customElements.define('open-permissions', OpenPermissions);
