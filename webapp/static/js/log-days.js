/**
 * Marks the first row of each day in the viewer's zone: `<span class="day" data-volatile data-day="2026-11-24">Tuesday 24
 * November 2026</span>` at the beginning of the row. Frames have the days in UTC. This module replaces their marks, so that
 * they fit the local times. The marks are renewed after every change of the rows.
 */
import { local } from './time-zone.js';

const options = { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' };
const names = new Intl.DateTimeFormat('en-GB', options);
const days = new Map(); // quarter of an hour of a timestamp to [day, name]; zones differ from UTC by whole quarters

export function markDays(list) {
  let before = '';
  for (const row of list.children) {
    const { dateTime, dataset } = row.querySelector(':scope > time') ?? {};
    const time = dataset?.appended ?? dateTime;
    if (!time) continue;
    const [day, name] = dayOf(time);
    const mark = row.firstElementChild.className === 'day' ? row.firstElementChild : null;
    if (day === before) mark?.remove();
    else if (!mark) row.prepend(made(day, name));
    else if (mark.dataset.day !== day || mark.textContent !== name) mark.replaceWith(made(day, name));
    before = day;
  }
}

function made(day, name) {
  const mark = document.createElement('span');
  mark.className = 'day';
  mark.dataset.volatile = '';
  mark.dataset.day = day;
  mark.textContent = name;
  return mark;
}

function dayOf(time) {
  const quarter = time.slice(0, 14) + Math.floor(Number(time.slice(14, 16)) / 15);
  if (!days.has(quarter)) {
    const date = new Date(time);
    if (isNaN(date)) return [time.slice(0, 10), time.slice(0, 10)];
    const day = local(date).slice(0, 10);
    if (days.size > 5000) days.clear();
    days.set(quarter, [day, nameOf(new Date(day))]);
  }
  return days.get(quarter);
}

function nameOf(date) {
  const parts = Object.fromEntries(names.formatToParts(date).map(({ type, value }) => [type, value]));
  return `${parts.weekday} ${parts.day} ${parts.month} ${parts.year}`;
}

function markAll() {
  for (const list of document.querySelectorAll('ol.rows')) markDays(list);
}

document.addEventListener('htmx:after:swap', markAll);
markAll();
