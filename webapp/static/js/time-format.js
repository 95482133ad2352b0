import { local, offsetName } from './time-zone.js';

/** Times and durations in words, in the viewer's zone. */

const relative = new Intl.RelativeTimeFormat([], { style: 'short' });
const units = [
  [86400, 'day'],
  [3600, 'hour'],
  [60, 'minute'],
  [1, 'second'],
];

/** "2026-11-26 13:02:07.123 UTC, 2026-11-26 14:02:07 GMT+1" */
export function wholeTime(date) {
  const [utc, here, name] = [date.toISOString(), local(date), offsetName(date)];
  const text = `${utc.slice(0, 10)} ${utc.slice(11, 23)} UTC`;
  return name === 'UTC' ? text : `${text}, ${here.slice(0, 10)} ${here.slice(11, 19)} ${name}`;
}

/** "14:02:07.123", or "14:02:07" without milliseconds */
export function timeOfDay(date, { milliseconds = true } = {}) {
  return local(date).slice(11, milliseconds ? 23 : 19);
}

/** "11-26 14:02:07" */
export function shortTime(date) {
  const text = local(date);
  return `${text.slice(5, 10)} ${text.slice(11, 19)}`;
}

const CLOCK = /(\d{4}-)?(\d\d-\d\d )?\d\d:\d\d:\d\d(\.\d{3})?/;

/** The text with its time replaced by `date`, in the same form: with a date and milliseconds only if it had them. */
export function inForm(text, date) {
  return text.replace(CLOCK, (_, year, day, milliseconds) => {
    const here = local(date);
    const before = year ? `${here.slice(0, 10)} ` : day ? `${here.slice(5, 10)} ` : '';
    return before + here.slice(11, milliseconds ? 23 : 19);
  });
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

function padded(number) {
  return String(number).padStart(2, '0');
}
