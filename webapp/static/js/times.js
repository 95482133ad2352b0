/**
 * Times in the viewer's zone, and clocks that tick, all on one timer that rests in hidden tabs.
 *
 * <time data-volatile datetime="2026-11-21T14:02:07.123Z">14:02:07.123</time>: the time of day, local;
 * with data-seconds without its milliseconds
 * <relative-time data-volatile datetime="…">2026-11-21 14:02:07 UTC</relative-time>: "3 min ago"
 * <due-time data-volatile datetime="…">at about 2026-11-21 14:02:07 UTC</due-time>: "in about 40 s", "due 3 s ago"
 * <running-clock data-volatile since="…">4 m 12 s</running-clock>: ticks; stands still while the page is stale, and then
 * carries `data-stopped`
 *
 * Each has the whole local time in its title. What a swap brings is dressed before it is in the page, so nothing flickers.
 * `<meta name="server-time" content="…">`, the server's clock when it wrote the page, corrects a wrong clock of the viewer.
 */
const STOPPED = ['stale', 'offline', 'error'];
const skew = clockSkew();
let stopped = document.querySelector('[data-as-of]') !== null; // a page of the past: its clocks show what they showed

function dress(root) {
  for (const node of root.querySelectorAll('time[data-volatile][datetime]')) dressTime(node);
  tick(root);
}

function tick(root) {
  const now = Date.now() + skew;
  for (const node of root.querySelectorAll('relative-time')) dressRelative(node, now);
  for (const node of root.querySelectorAll('due-time')) dressDue(node, now);
  for (const node of root.querySelectorAll('running-clock')) {
    node.toggleAttribute('data-stopped', stopped);
    if (!stopped) dressClock(node, now);
  }
}

function dressTime(node) {
  const date = new Date(node.dateTime);
  if (isNaN(date)) return;
  const [h, m, s] = [date.getHours(), date.getMinutes(), date.getSeconds()].map(two);
  const fraction = 'seconds' in node.dataset ? '' : `.${String(date.getMilliseconds()).padStart(3, '0')}`;
  write(node, `${h}:${m}:${s}${fraction}`);
  node.title = absolute.format(date);
}

function dressRelative(node, now) {
  const date = new Date(node.getAttribute('datetime'));
  if (isNaN(date)) return;
  const seconds = Math.max(0, (now - date) / 1000);
  const [size, unit] = units.find(([size]) => seconds >= size) ?? units.at(-1);
  write(node, seconds < 1 ? 'now' : relative.format(-Math.floor(seconds / size), unit));
  node.title = absolute.format(date);
}

function dressDue(node, now) {
  const date = new Date(node.getAttribute('datetime'));
  if (isNaN(date)) return;
  const ahead = (date - now) / 1000;
  write(node, ahead >= 0 ? `in about ${duration(ahead)}` : `due ${duration(-ahead)} ago`);
  node.title = absolute.format(date);
}

function dressClock(node, now) {
  const date = new Date(node.getAttribute('since'));
  if (isNaN(date)) return;
  write(node, duration((now - date) / 1000));
  node.title = `since ${absolute.format(date)}`;
}

/** 7 → "7 s", 252 → "4 m 12 s", 7384 → "2 h 3 m", 200000 → "2 d 7 h" */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${two(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${two(Math.floor(s / 60) % 60)} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

const absolute = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'long' });
const relative = new Intl.RelativeTimeFormat([], { style: 'short' });
const units = [
  [86400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

function two(number) {
  return String(number).padStart(2, '0');
}

function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Milliseconds by which the server's clock is ahead; less than the answer may have been under way counts as none. */
function clockSkew() {
  const wrote = Date.parse(document.querySelector('meta[name="server-time"]')?.content);
  const [page] = performance.getEntriesByType('navigation');
  const skew = wrote - (performance.timeOrigin + (page?.responseStart ?? NaN));
  return Math.abs(skew) > 2000 ? skew : 0;
}

document.addEventListener('htmx:before:swap', ({ detail }) => detail.tasks.forEach(({ fragment }) => dress(fragment)));
document.addEventListener('live:state', () => {
  if (stopped === STOPPED.includes(document.documentElement.dataset.live)) return;
  stopped = !stopped;
  tick(document);
});
document.addEventListener('visibilitychange', () => tick(document));
setInterval(() => document.hidden || tick(document), 1000);
dress(document);
