/**
 * Shows the state of a connection: a mark and a word, a countdown to the next attempt, and statistics on demand.
 *
 *     const status = new ConnectionStatus({container: '#status', onRetry: () => service.retryNow()});
 *     status.setState('reconnecting', {reconnectAttempt: 2, reconnectDelay: 2000});
 *
 * container                  an element or a selector. The constructor replaces its content, destroy() empties it
 * showStats true             offer the statistics
 * showReconnectTimer true    show "Retry in 5 s"
 * compact false              the word and the message for screen readers only
 * onRetry                    called by the "Retry now" button; without it there is no button
 *
 * setState(state, {reconnectAttempt 0, reconnectDelay 0, message ''})
 *                            state as in EventStreamService; the delay in ms, 0 while an attempt runs. Screen readers
 *                            announce a change of the state, but not the countdown
 * setStats(stats)            the result of EventStreamService.getStats()
 * destroy()
 */
export class ConnectionStatus {
  #options;
  #root;
  #parts;
  #figures = {};
  #ticking = 0;

  constructor({ container, ...options }) {
    this.#options = { showStats: true, showReconnectTimer: true, compact: false, onRetry: null, ...options };
    const { showStats, onRetry } = this.#options;
    const live = element('span', 'live', { role: 'status', 'aria-live': 'polite' });
    this.#parts = {
      mark: element('span', 'mark', { 'aria-hidden': 'true' }),
      word: element('span', 'word'),
      message: element('span', 'message', { hidden: '' }),
      timer: element('span', 'timer', { hidden: '' }),
      retry: element('button', 'retry', { type: 'button', hidden: '' }, 'Retry now'),
    };
    const { mark, word, message, timer, retry } = this.#parts;
    live.append(mark, word, ' ', message);
    this.#root = element('div', '');
    this.#root.append(live, ' ', timer, ' ', retry);
    if (showStats) this.#root.append(' ', this.#statistics());
    retry.addEventListener('click', () => onRetry());
    const host = typeof container === 'string' ? document.querySelector(container) : container;
    host.replaceChildren(this.#root);
    this.setState('disconnected');
  }

  setState(state, { reconnectAttempt = 0, reconnectDelay = 0, message = '' } = {}) {
    const { mark, word, message: text, timer, retry } = this.#parts;
    this.#root.className = `connection-status connection-status--${state}`;
    this.#root.classList.toggle('connection-status--compact', this.#options.compact);
    write(mark, marks[state]);
    write(word, words[state]);
    write(text, message);
    text.hidden = !message;
    timer.title = reconnectAttempt ? `attempt ${reconnectAttempt}` : '';
    const waiting = state === 'reconnecting' && reconnectDelay > 0;
    retry.hidden = !this.#options.onRetry || !(waiting || state === 'disconnected' || state === 'error');
    this.#countDown(waiting ? reconnectDelay : 0);
  }

  setStats(stats) {
    for (const [name, figure] of Object.entries(this.#figures)) write(figure, String(stats[name] ?? 0));
  }

  destroy() {
    clearInterval(this.#ticking);
    this.#root.remove();
  }

  #statistics() {
    const stats = element('details', 'stats');
    const list = element('dl', 'figures');
    for (const [name, label] of Object.entries(labels)) {
      const row = element('div', 'figure');
      this.#figures[name] = element('dd', 'value', {}, '0');
      row.append(element('dt', 'label', {}, label), this.#figures[name]);
      list.append(row);
    }
    stats.append(element('summary', 'summary', {}, 'Connection'), list);
    return stats;
  }

  #countDown(delay) {
    const { timer } = this.#parts;
    const due = Date.now() + delay;
    clearInterval(this.#ticking);
    timer.hidden = !delay || !this.#options.showReconnectTimer;
    if (timer.hidden) return write(timer, '');
    const tick = () => {
      const seconds = Math.ceil((due - Date.now()) / 1000);
      write(timer, seconds > 0 ? `Retry in ${seconds} s` : 'Retrying');
      if (seconds <= 0) clearInterval(this.#ticking);
    };
    this.#ticking = setInterval(tick, 250);
    tick();
  }
}

const marks = { disconnected: '○', connecting: '◌', connected: '●', reconnecting: '◐', error: '✕' };

const words = {
  disconnected: 'Disconnected',
  connecting: 'Connecting',
  connected: 'Connected',
  reconnecting: 'Reconnecting',
  error: 'Connection failed',
};

const labels = {
  eventsReceived: 'Events',
  reconnects: 'Reconnects',
  gapsDetected: 'Gaps found',
  gapsRecovered: 'Gaps recovered',
  errors: 'Errors',
};

function element(tag, part, attributes = {}, text = '') {
  const made = document.createElement(tag);
  if (part) made.className = `connection-status__${part}`;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.textContent = text;
  return made;
}

/** Writes the text only when it changes, because some screen readers announce an equal text again. */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export default ConnectionStatus;
