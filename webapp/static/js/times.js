import { serverNow } from './server-clock.js';
import { ago, due, duration, inForm, shortTime, timeOfDay, wholeTime } from './time-format.js';
import { local, zone } from './time-zone.js';

/**
 * Times in the viewer's zone, and clocks that tick. One timer serves all of them; it does nothing in a hidden tab.
 *
 * <time data-volatile datetime="2026-11-21T14:02:07.123Z">14:02:07.123</time>
 *     the same form of text in the viewer's zone: a time of day with milliseconds, or "2026-11-21 14:02:07"
 * <time data-volatile datetime="…" data-appended="2026-11-22T08:00:00.000Z">11-21 14:02:07</time>
 *     an event that happened before its append: with the date if that is another, "2025-11-21" if the year is another,
 *     and with both times in the title
 * <relative-time data-volatile datetime="…">2026-11-21 14:02:07</relative-time>
 *     "3 min ago"
 * <due-time data-volatile datetime="…">at about 2026-11-21 14:02:07</due-time>
 *     "in about 40 s", "3 s overdue"
 * <running-clock data-volatile since="…">4 m 12 s</running-clock>
 *     the duration since then. It stands still, with `data-stopped`, while the page is out of date
 *
 * <span data-zone></span>
 *     the name of the zone
 * <input type="hidden" name="zone" value="UTC"> <input type="datetime-local" data-at="…" value="…">
 *     the fields of a form for a time
 *
 * The title of each is the whole time, in UTC and in the zone. A swap's content is formatted before it is in the page, so nothing flickers.
 */
const OUT_OF_DATE = ['stale', 'offline', 'error'];
let stopped = document.querySelector('[data-as-of]') !== null; // clocks do not run on a page as of an earlier event

function format(root) {
  for (const node of root.querySelectorAll('time[datetime], option[data-datetime]')) {
    const { appended, datetime } = node.dataset;
    if (appended) writeLate(node, new Date(appended));
    else write(node, datetime ?? node.dateTime, (date) => inForm(node.textContent, date));
  }
  for (const node of root.querySelectorAll('[data-zone]')) node.textContent = zone;
  for (const field of root.querySelectorAll('input[name="zone"]')) field.value = zone;
  for (const field of root.querySelectorAll('input[data-at]')) {
    field.setAttribute('value', local(new Date(field.dataset.at)).slice(0, 19));
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
  const [happened, then] = [local(new Date(node.dateTime)), local(appended)];
  const otherDay = happened.slice(0, 4) === then.slice(0, 4) ? shortTime : (date) => local(date).slice(0, 10);
  write(node, node.dateTime, happened.slice(0, 10) === then.slice(0, 10) ? timeOfDay : otherDay);
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
