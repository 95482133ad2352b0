/**
 * Keeps controls in place while somebody is about to press one. `steady()` resolves when no pointer is down, no pointer has
 * just moved over a control, and no finger has touched the page in the last second, because taps come in series. Frames
 * wait for it, so that a row or button does not move under the pointer. The wait is limited to the time that a press takes.
 *
 * A page does not see a finger before it touches. So a button that posts a form ignores taps for a moment after a frame
 * added or moved it: the tap was meant for the content that was there before.
 */
const CONTROLS = 'a, button, input, label, select, summary, textarea';
const ACTIONS = 'form[method="post"] button';
const SETTLED = 300;
const LONGEST_AIM = 1000;
const LONGEST_PRESS = 10_000;
const JUST_MOVED = 400;
let pressed = false;
let tapAt = null; // when the last press began; null if it was not a finger
let holdUntil = -Infinity;
let places = new Map();
const movedAt = new WeakMap();

export async function steady() {
  const since = performance.now();
  while (wanted(performance.now() - since)) await new Promise((done) => setTimeout(done, 50));
}

function wanted(waited) {
  if (pressed) return waited < LONGEST_PRESS;
  return performance.now() < holdUntil && waited < LONGEST_AIM;
}

function hold(time) {
  holdUntil = Math.max(holdUntil, performance.now() + time);
}

function press(event) {
  pressed = event.type === 'pointerdown' && event.isPrimary;
  if (pressed) tapAt = event.pointerType === 'touch' ? performance.now() : null;
  aim(event);
}

function aim({ target }) {
  if (target.closest?.(CONTROLS)) hold(SETTLED);
}

function look() {
  const place = ({ x, y }) => `${Math.round(x)} ${Math.round(y)}`;
  return new Map([...document.querySelectorAll(ACTIONS)].map((button) => [button, place(button.getBoundingClientRect())]));
}

function compare() {
  for (const [button, place] of look()) if (places.get(button) !== place) movedAt.set(button, performance.now());
}

function refuse(event) {
  const moved = movedAt.get(event.target.closest?.(ACTIONS));
  if (moved === undefined || tapAt === null || !event.detail || tapAt - moved > JUST_MOVED) return;
  event.preventDefault();
  event.stopPropagation();
}

const early = { capture: true, passive: true };
for (const type of ['pointerdown', 'pointerup', 'pointercancel']) addEventListener(type, press, early);
for (const type of ['touchstart', 'touchmove', 'touchend']) addEventListener(type, () => hold(LONGEST_AIM), early);
addEventListener('pointermove', aim, early);
addEventListener('blur', () => (pressed = false));
addEventListener('dragend', () => (pressed = false), true);
if (navigator.maxTouchPoints) {
  addEventListener('htmx:before:swap', () => (places = look()));
  addEventListener('htmx:after:swap', compare);
  addEventListener('click', refuse, true);
}
