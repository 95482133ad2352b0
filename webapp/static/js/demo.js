/** The demo page: EventStreamService and ConnectionStatus on a network that the visitor can break with a button. */
import { ConnectionStatus } from './ConnectionStatus.js';
import { EventList } from './demo-events.js';
import { Faults } from './demo-faults.js';
import { Strip } from './demo-strip.js';
import { EventStreamService } from './EventStreamService.js';
import { timeOfDay } from './time-format.js';

const OFFLINE_MS = 5000;
const DROPPED = 3;
const LOG_LINES = 200;

const find = (id) => document.getElementById(id);
const { task, path, seq } = find('demo').dataset;
const since = Number(seq);
const log = find('demo-log');

const faults = new Faults(note);
const strip = new Strip(find('demo-strip'));
const list = new EventList({ rows: find('demo-rows'), template: find('demo-row'), path, since });
const status = new ConnectionStatus({
  container: '#demo-status',
  showStats: false,
  onRetry: () => service.retryNow(),
});
const service = new EventStreamService(task, {
  since_seq: since,
  fetch: faults.fetch,
  onEvent,
  onStateChange,
  onReconnect: ({ reconnects, since_seq }) => note(`reconnect ${reconnects}: goes on after #${since_seq}`),
  onError: ({ message }) => note(message),
  onReset: () => location.reload(),
});

function onEvent(event) {
  const recovered = faults.dropped.has(event.seq);
  list.add(event, { recovered });
  strip.count({ recovered });
  if (recovered) note(`recovered #${event.seq} as JSON`);
}

function onStateChange(state, { attempt, delay, message }) {
  strip.connected = state === 'connected';
  status.setState(state, { reconnectAttempt: attempt, reconnectDelay: delay, message });
  note([state, message, attempt && `attempt ${attempt}`, delay && `in ${delay / 1000} s`].filter(Boolean).join(', '));
}

function note(text) {
  const line = document.createElement('li');
  line.textContent = `${timeOfDay(new Date())} ${text}`;
  log.prepend(line);
  if (log.childElementCount > LOG_LINES) log.lastElementChild.remove();
}

function figures() {
  const shown = { ...service.getStats(), order: list.order };
  for (const figure of document.querySelectorAll('[data-figure]')) {
    const text = String(shown[figure.dataset.figure]);
    if (figure.textContent !== text) figure.textContent = text;
  }
}

find('demo-offline').addEventListener('click', ({ currentTarget: button }) => {
  note(`offline for ${OFFLINE_MS / 1000} s: streams are cut, connections refused`);
  faults.goOffline(OFFLINE_MS);
  button.setAttribute('aria-pressed', 'true');
  setTimeout(() => {
    button.setAttribute('aria-pressed', 'false');
    note('the network is back: the service finds out at its next attempt');
  }, OFFLINE_MS);
});
find('demo-drop').addEventListener('click', () => {
  faults.dropNext(DROPPED);
  note(`the next ${DROPPED} events of the stream will be dropped`);
});

for (const part of document.querySelectorAll('.demo-live, .demo-debug')) part.hidden = false;
setInterval(figures, 200);
service.start();
