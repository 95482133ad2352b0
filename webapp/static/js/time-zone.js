import { decoded } from './decoded.js';
import { root } from './root-path.js';

/**
 * The viewer's time zone: the one that the viewer selected on the help page, else that of the browser. The cookie tells it
 * to the server, as `Europe/Berlin` if it was selected, else as `auto:Europe/Berlin`; see webapp/views/time_zones.py.
 */
const stored = decoded(/(?:^|; )signalbox_zone=([^;]*)/.exec(document.cookie)?.[1] ?? '');
const selected = stored.startsWith('auto:') ? '' : stored;
const format = formatIn(selected || undefined);
export const zone = selected || format.resolvedOptions().timeZone;

if (!selected && stored !== `auto:${zone}`) {
  const secure = location.protocol === 'https:' ? '; Secure' : '';
  document.cookie = `signalbox_zone=auto:${zone}; Path=${root || '/'}; Max-Age=31536000; SameSite=Lax${secure}`;
}

const offsets = new Map(); // quarter of an hour to milliseconds ahead of UTC; zones change their offset at whole quarters

/**
 * A time as ISO text in the viewer's zone: "2026-11-21T15:02:07.123". A time that is not of the years 1 to 9999 there stays
 * in UTC.
 */
export function local(date) {
  return new Date(date.getTime() + offsetAt(date)).toISOString().slice(0, 23);
}

/** The zone's difference from UTC: "UTC", "GMT+1", "GMT+5:45". */
export function offsetName(date) {
  const minutes = Math.trunc(offsetAt(date) / 60_000);
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return minutes ? `GMT${minutes < 0 ? '-' : '+'}${hours}${rest ? `:${String(rest).padStart(2, '0')}` : ''}` : 'UTC';
}

function offsetAt(date) {
  const quarter = Math.floor(date.getTime() / 900_000);
  if (!offsets.has(quarter)) {
    if (offsets.size > 5000) offsets.clear();
    const part = Object.fromEntries(format.formatToParts(date).map(({ type, value }) => [type, value]));
    // Unlike Date.UTC, `setUTCFullYear` does not take the years 0 to 99 for those from 1900 on.
    const shown = new Date(0);
    shown.setUTCFullYear(part.era === 'BC' ? 1 - part.year : part.year, part.month - 1, part.day);
    const year = shown.getUTCFullYear();
    shown.setUTCHours(part.hour, part.minute, part.second);
    offsets.set(quarter, year >= 1 && year <= 9999 ? shown - Math.floor(date.getTime() / 1000) * 1000 : 0);
  }
  return offsets.get(quarter);
}

function formatIn(timeZone) {
  const units = ['year', 'month', 'day', 'hour', 'minute', 'second'];
  const parts = Object.fromEntries(units.map((unit) => [unit, 'numeric']));
  try {
    return new Intl.DateTimeFormat('en-US', { ...parts, era: 'short', hourCycle: 'h23', timeZone });
  } catch {
    return formatIn(undefined); // a zone that this browser does not know
  }
}
