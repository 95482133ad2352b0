import { ConnectionStatus } from './ConnectionStatus.js';
import { counted } from './open-permissions.js';
import { timeOfDay } from './time-format.js';

/**
 * <live-status data-volatile></live-status>
 *
 * Shows whether the page is up to date: the state of the connection, and "Live · #1523", "Catching up · 1400 → 1523",
 * "Stale since 14:02:07" or "Offline since …". Style sheets and clocks read the same from `<html data-live>`: `connecting`, `live`,
 * `catching-up`, `stale`, `offline` or `error`. The title and icon of the tab follow `<… id="page-meta" data-title
 * data-icon>`, which the stream keeps up to date.
 */
class LiveStatus extends HTMLElement {
  #status;
  #position = document.createElement('span');
  #listening;

  connectedCallback() {
    const box = document.createElement('span');
    this.#position.className = 'live-status__position';
    this.replaceChildren(box, ' ', this.#position);
    this.#status = new ConnectionStatus({
      container: box,
      compact: true,
      onRetry: () => document.querySelector('live-stream').retryNow(),
    });
    this.#listening = new AbortController();
    const { signal } = this.#listening;
    document.addEventListener('live:state', ({ detail }) => this.#show(detail), { signal });
    document.addEventListener('htmx:after:swap', updateTab, { signal });
  }

  disconnectedCallback() {
    this.#listening.abort();
    this.#status.destroy();
  }

  #show(live) {
    const { state, attempt, delay, message, stats } = live;
    const liveState = liveStateOf(live);
    this.#status.setState(state, { reconnectAttempt: attempt, reconnectDelay: delay, message });
    this.#status.setStats(stats);
    const text = describe(liveState, live);
    if (this.#position.textContent !== text) this.#position.textContent = text;
    this.title = message;
    if (document.documentElement.dataset.live !== liveState) {
      document.documentElement.dataset.live = liveState;
      updateTab();
    }
  }
}

function liveStateOf({ state, message, cursor, latest, since }) {
  if (state === 'error') return 'error';
  if (state === 'connected') return cursor < latest ? 'catching-up' : 'live';
  if (message === 'offline' || (since && !navigator.onLine)) return 'offline';
  return since ? 'stale' : 'connecting';
}

function describe(liveState, { message, cursor, latest, since }) {
  const time = since && timeOfDay(since, { milliseconds: false });
  return {
    live: `Live · #${cursor}`,
    'catching-up': `Catching up · ${cursor} → ${latest}`,
    connecting: `As of #${cursor}`,
    stale: `Stale since ${time}`,
    offline: `Offline since ${time}`,
    error: `Stale since ${time}: ${message}`,
  }[liveState];
}

function updateTab() {
  const meta = document.getElementById('page-meta');
  if (!meta) return;
  const { title, icon } = meta.dataset;
  const liveState = document.documentElement.dataset.live;
  document.title = counted(['stale', 'offline', 'error'].includes(liveState) ? `(${liveState}) ${title}` : title);
  const link = document.querySelector('link[rel="icon"]');
  if (icon && link && link.getAttribute('href') !== icon) link.href = icon;
}

customElements.define('live-status', LiveStatus);
