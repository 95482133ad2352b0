/**
 * What somebody is about to press stays where it is: `steady()` resolves when no pointer is down, none has just moved over
 * a control, and no finger has touched the page in the last second, as the next tap follows the one before. Frames wait for
 * it, so that a row or a button does not slide away under the hand. Nobody waits for longer than it takes to press something.
 *
 * Of a finger that was not there no page can know what it is coming for. So a button that does something
 * (`form[method=post] button`) takes no tap for a moment after a frame has brought it or moved it: the tap was meant for
 * what was there before.
 */
const CONTROLS = 'a, button, input, label, select, summary, textarea';
const DEEDS = 'form[method="post"] button';
const SETTLED = 300;
const LONGEST_AIM = 1000;
const LONGEST_PRESS = 10_000;
const JUST_MOVED = 400;
let pressed = false;
let tapAt = null; // when the last press began, if it was a finger's
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
  return new Map([...document.querySelectorAll(DEEDS)].map((deed) => [deed, place(deed.getBoundingClientRect())]));
}

function compare() {
  for (const [deed, place] of look()) if (places.get(deed) !== place) movedAt.set(deed, performance.now());
}

function refuse(event) {
  const moved = movedAt.get(event.target.closest?.(DEEDS));
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
