import { serverNow } from './server-clock.js';
import { ago, due, duration, shortTime, timeOfDay, wholeTime } from './time-format.js';

/**
 * Times in the viewer's zone, and clocks that tick. One timer serves all of them; it does nothing in a hidden tab.
 *
 * <time data-volatile datetime="2026-11-21T14:02:07.123Z">14:02:07.123</time>
 *     the local time of day; with data-seconds without milliseconds
 * <time data-volatile datetime="…" data-appended="2026-11-22T08:00:00.000Z">11-21 14:02:07</time>
 *     an event that happened before its append: with the date if that is another, and with both times in the title
 * <relative-time data-volatile datetime="…">2026-11-21 14:02:07 UTC</relative-time>
 *     "3 min ago"
 * <due-time data-volatile datetime="…">at about 2026-11-21 14:02:07 UTC</due-time>
 *     "in about 40 s", "3 s overdue"
 * <running-clock data-volatile since="…">4 m 12 s</running-clock>
 *     the duration since then. It stands still, with `data-stopped`, while the page is out of date
 *
 * The title of each is the whole local time. A swap's content is formatted before it is in the page, so nothing flickers.
 */
const OUT_OF_DATE = ['stale', 'offline', 'error'];
let stopped = document.querySelector('[data-as-of]') !== null; // clocks do not run on a page as of an earlier event

function format(root) {
  for (const node of root.querySelectorAll('time[data-volatile][datetime]')) {
    const { seconds, appended } = node.dataset;
    if (appended) writeLate(node, new Date(appended));
    else write(node, node.dateTime, (date) => timeOfDay(date, { milliseconds: seconds === undefined }));
  }
  tick(root);
}

function tick(root) {
  const now = serverNow();
  for (const node of root.querySelectorAll('relative-time')) {
    write(node, node.getAttribute('datetime'), (date) => ago((now - date) / 1000));
  }
  for (const node of root.querySelectorAll('due-time')) {
    write(node, node.getAttribute('datetime'), (date) => due((date - now) / 1000));
  }
  for (const node of root.querySelectorAll('running-clock')) {
    node.toggleAttribute('data-stopped', stopped);
    if (!stopped) write(node, node.getAttribute('since'), (date) => duration((now - date) / 1000), 'since ');
  }
}

function writeLate(node, appended) {
  const sameDay = new Date(node.dateTime).toDateString() === appended.toDateString();
  write(node, node.dateTime, sameDay ? timeOfDay : shortTime);
  node.title += `, appended ${wholeTime(appended)}`;
}

function write(node, timestamp, textOf, before = '') {
  const date = new Date(timestamp);
  if (isNaN(date)) return;
  const text = textOf(date);
  if (node.textContent !== text) node.textContent = text;
  node.title = before + wholeTime(date);
}

document.addEventListener('htmx:before:swap', ({ detail }) => detail.tasks.forEach(({ fragment }) => format(fragment)));
document.addEventListener('live:state', () => {
  if (stopped === OUT_OF_DATE.includes(document.documentElement.dataset.live)) return;
  stopped = !stopped;
  tick(document);
});
document.addEventListener('visibilitychange', () => tick(document));
setInterval(() => document.hidden || tick(document), 1000);
format(document);
