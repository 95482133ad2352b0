/**
 * Keeps controls in place while a person is about to press one. `steady()` resolves when no pointer is down, no pointer has
 * just moved over a control, and no finger has touched the page in the last second, because taps come in series. Frames
 * wait for it, so that a row or button does not move under the pointer. The wait is limited.
 *
 * A page cannot detect a finger before the touch. Therefore a button that posts a form ignores taps for a moment after a
 * frame has added or moved it: such a tap was meant for the earlier content.
 */
const CONTROLS = 'a, button, input, label, select, summary, textarea';
const ACTIONS = 'form[method="post"] button';
const HOVER_MS = 300;
const MAX_AIM_MS = 1000;
const MAX_PRESS_MS = 10_000;
const JUST_MOVED_MS = 400;
let pressed = false;
let tapAt = null; // when the last press began; null if it was not a finger
let holdUntil = -Infinity;
let places = new Map();
const movedAt = new WeakMap();

export async function steady() {
  const since = performance.now();
  while (mustWait(performance.now() - since)) await new Promise((done) => setTimeout(done, 50));
}

function mustWait(waited) {
  if (pressed) return waited < MAX_PRESS_MS;
  return performance.now() < holdUntil && waited < MAX_AIM_MS;
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
  if (target.closest?.(CONTROLS)) hold(HOVER_MS);
}

function buttonPlaces() {
  const place = ({ x, y }) => `${Math.round(x)} ${Math.round(y)}`;
  return new Map([...document.querySelectorAll(ACTIONS)].map((button) => [button, place(button.getBoundingClientRect())]));
}

function recordMoves() {
  for (const [button, place] of buttonPlaces()) if (places.get(button) !== place) movedAt.set(button, performance.now());
}

function ignoreEarlyTap(event) {
  const moved = movedAt.get(event.target.closest?.(ACTIONS));
  if (moved === undefined || tapAt === null || !event.detail || tapAt - moved > JUST_MOVED_MS) return;
  event.preventDefault();
  event.stopPropagation();
}

const early = { capture: true, passive: true };
for (const type of ['pointerdown', 'pointerup', 'pointercancel']) addEventListener(type, press, early);
for (const type of ['touchstart', 'touchmove', 'touchend']) addEventListener(type, () => hold(MAX_AIM_MS), early);
addEventListener('pointermove', aim, early);
addEventListener('blur', () => (pressed = false));
addEventListener('dragend', () => (pressed = false), true);
if (navigator.maxTouchPoints) {
  addEventListener('htmx:before:swap', () => (places = buttonPlaces()));
  addEventListener('htmx:after:swap', recordMoves);
  addEventListener('click', ignoreEarlyTap, true);
}
