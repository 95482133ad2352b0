import { visit } from './soft-links.js';

/**
 * Zooms the waterfall by dragging over the axis or the bars. `data-pieces` of `.falls` has positions on the axis with their
 * seconds, "0:0 40.1:3.2 100:60"; positions between are linear.
 */
const START_PX = 5;
let drag = null;

document.addEventListener('pointerdown', (event) => {
  const falls = event.target.closest?.('.falls');
  const axis = falls?.querySelector('.fall-axis').getBoundingClientRect();
  const onAxis = event.target.closest?.('.fall-axis');
  // A finger on a bar scrolls the page.
  if (!axis || event.button || event.clientX < axis.left || event.clientX > axis.right) return;
  if (event.target.closest('.fall-facts') || (event.pointerType === 'touch' && !onAxis)) return;
  drag = { falls, axis, from: event.clientX, to: event.clientX, band: null };
});

document.addEventListener('pointermove', (event) => {
  if (!drag) return;
  drag.to = Math.min(Math.max(event.clientX, drag.axis.left), drag.axis.right);
  if (!drag.band && Math.abs(drag.to - drag.from) < START_PX) return;
  drag.band ??= band(drag);
  const [left, right] = [drag.from, drag.to].sort((one, other) => one - other);
  drag.band.style.left = `${left - drag.falls.getBoundingClientRect().left}px`;
  drag.band.style.width = `${right - left}px`;
});

document.addEventListener('pointerup', () => {
  const { band: drawn, falls, axis, from, to } = drag ?? {};
  drag = null;
  if (!drawn) return;
  drawn.remove();
  // The click that ends the drag opens nothing.
  addEventListener('click', stop, { capture: true, once: true });
  setTimeout(() => removeEventListener('click', stop, { capture: true }));
  const share = (x) => (100 * (x - axis.left)) / axis.width;
  const [start, end] = [secondAt(falls, share(from)), secondAt(falls, share(to))].sort((one, other) => one - other);
  if (end - start > 1e-6) visit(zoomed(start, end));
});

document.addEventListener('pointercancel', cancel);
document.addEventListener('keydown', ({ key }) => key === 'Escape' && cancel());
document.addEventListener('dragstart', (event) => event.target.closest?.('.falls') && event.preventDefault());

function cancel() {
  drag?.band?.remove();
  drag = null;
}

function stop(event) {
  event.preventDefault();
  event.stopPropagation();
}

function band({ falls }) {
  const made = document.createElement('div');
  made.className = 'fall-zoom';
  made.dataset.volatile = '';
  falls.append(made);
  return made;
}

function secondAt(falls, left) {
  const pieces = falls.dataset.pieces.trim().split(' ').map((pair) => pair.split(':').map(Number));
  const next = Math.max(1, pieces.findIndex(([position]) => position >= left));
  const [[left0, second0], [left1, second1]] = [pieces[next - 1], pieces[next]];
  return left1 > left0 ? second0 + ((left - left0) * (second1 - second0)) / (left1 - left0) : second0;
}

function zoomed(start, end) {
  const address = new URL(location.href);
  address.searchParams.set('from', start.toFixed(6));
  address.searchParams.set('to', end.toFixed(6));
  address.searchParams.delete('row');
  address.hash = '';
  return address;
}
