/** Times and durations in words, in the viewer's zone. */

const absolute = new Intl.DateTimeFormat([], { dateStyle: 'medium', timeStyle: 'long' });
const relative = new Intl.RelativeTimeFormat([], { style: 'short' });
const units = [
  [86400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

/** "26 Nov 2026, 14:02:07 GMT+1" */
export function wholeTime(date) {
  return absolute.format(date);
}

/** "14:02:07.123", or "14:02:07" without milliseconds */
export function timeOfDay(date, { milliseconds = true } = {}) {
  const [h, m, s] = [date.getHours(), date.getMinutes(), date.getSeconds()].map((number) => padded(number));
  return `${h}:${m}:${s}${milliseconds ? `.${padded(date.getMilliseconds(), 3)}` : ''}`;
}

/** "11-26 14:02:07" */
export function shortTime(date) {
  return `${padded(date.getMonth() + 1)}-${padded(date.getDate())} ${timeOfDay(date, { milliseconds: false })}`;
}

/** 200 → "3 min ago", below 1 → "now" */
export function ago(seconds) {
  const elapsed = Math.max(0, seconds);
  const [size, unit] = units.find(([size]) => elapsed >= size) ?? units.at(-1);
  return elapsed < 1 ? 'now' : relative.format(-Math.floor(elapsed / size), unit);
}

/** 40 → "in about 40 s", -3 → "3 s overdue" */
export function due(seconds) {
  return seconds >= 0 ? `in about ${duration(seconds)}` : `${duration(-seconds)} overdue`;
}

/** 7 → "7 s", 252 → "4 m 12 s", 7384 → "2 h 3 m", 200000 → "2 d 7 h" */
export function duration(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${padded(s % 60)} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${padded(Math.floor(s / 60) % 60)} m`;
  return `${Math.floor(s / 86400)} d ${Math.floor(s / 3600) % 24} h`;
}

function padded(number, width = 2) {
  return String(number).padStart(width, '0');
}
