/**
 * What somebody is about to press stays where it is: `steady()` resolves when no pointer is down, and none has just moved
 * over a control. Frames wait for it, so that a row or a button does not slide away under the hand. Nobody waits for
 * longer than it takes to press something.
 */
const CONTROLS = 'a, button, input, label, select, summary, textarea';
const SETTLED = 300;
const LONGEST_AIM = 1000;
const LONGEST_PRESS = 10_000;
let pressed = false;
let aimedAt = -Infinity;

export async function steady() {
  const since = performance.now();
  while (wanted(performance.now() - since)) await new Promise((done) => setTimeout(done, 50));
}

function wanted(waited) {
  if (pressed) return waited < LONGEST_PRESS;
  return performance.now() - aimedAt < SETTLED && waited < LONGEST_AIM;
}

function press(event) {
  pressed = event.type === 'pointerdown' && event.isPrimary;
  aim(event);
}

function aim({ target }) {
  if (target.closest?.(CONTROLS)) aimedAt = performance.now();
}

for (const type of ['pointerdown', 'pointerup', 'pointercancel']) addEventListener(type, press, true);
addEventListener('pointermove', aim, { capture: true, passive: true });
addEventListener('blur', () => (pressed = false));
addEventListener('dragend', () => (pressed = false), true);
