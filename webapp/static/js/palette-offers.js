import { root } from './root-path.js';
import { serverNow } from './server-clock.js';
import { ago } from './time-format.js';

/**
 * The offers of the command palette: {label, kind, run()}. `offersHere` finds the event with this number, the elements
 * with a key on this page, and the phases of the task.
 */
export function offersHere(text) {
  const matches = ({ label }) => label.toLowerCase().includes(text.toLowerCase());
  return [...eventOf(text), ...[...commands(), ...phases()].filter(matches)];
}

function commands() {
  return [...document.querySelectorAll('[data-key]')].map((element) => ({
    label: element.dataset.keyLabel ?? element.getAttribute('aria-label') ?? element.textContent.trim(),
    kind: element.dataset.key,
    run: () => (element.matches('input, textarea, select') ? element.focus() : element.click()),
  }));
}

function phases() {
  return [...document.querySelectorAll('[data-phase]')].map(({ dataset: { phase } }) => ({
    label: phase,
    kind: 'phase, in the log',
    run: () => location.assign(`${taskPath()}/log?phase=${encodeURIComponent(phase)}`),
  }));
}

function eventOf(text) {
  const seq = /^#?([1-9]\d*)$/.exec(text)?.[1];
  const run = () => location.assign(`${taskPath()}/events/${seq}`);
  return seq && taskPath() ? [{ label: `#${seq}`, kind: 'event', run }] : [];
}

/** The tasks with `text` in their title, id or kind. */
export async function tasksNamed(text) {
  const response = await fetch(`${root}/api/tasks?limit=8&q=${encodeURIComponent(text)}`).catch(() => null);
  const tasks = response?.ok ? (await response.json()).tasks : [];
  return tasks.map(({ task_id, title, status, created_at }) => ({
    label: title || task_id,
    kind: `${status} · ${ago((serverNow() - Date.parse(created_at)) / 1000)} · ${task_id}`,
    run: () => location.assign(`${root}/tasks/${task_id}`),
  }));
}

/** The address of the task of this page, if it has one. */
function taskPath() {
  const path = location.pathname.slice(root.length);
  const task = location.pathname.startsWith(root) && /^\/tasks\/[^/]+/.exec(path)?.[0];
  return task ? root + task : undefined;
}
