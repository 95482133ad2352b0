/**
 * The one entry of every page: <script type="module" src="…/page.js">, after htmx and hx-sse.
 *
 * A module touches only what it finds. None of them adds anything to `<main>` outside of elements with `data-volatile`,
 * so that a page that has lived equals a fresh one. The order counts: who listens to the stream comes before it.
 */
import './live-status.js';
import './open-permissions.js';
import './times.js';
import './log-days.js';
import './log-follow.js';
import './row-selection.js';
import './live-stream.js';

htmx.registerExtension('keep-open', {
  /** What the reader opened or closed stays so when a frame morphs it. */
  htmx_before_morph_attr: (element, { attrName }) => attrName !== 'open' || !element.matches('details, dialog'),

  /** A morph puts new attributes last; those behind them in the markup give way first, so live and fresh read alike. */
  htmx_before_morph_node: (element, { newNode }) => {
    const wanted = newNode.getAttributeNames();
    const kept = element.getAttributeNames().filter((name) => wanted.includes(name));
    const first = kept.findIndex((name, at) => name !== wanted[at]);
    if (first < 0) return;
    for (const name of kept.slice(first)) if (name !== 'open') element.removeAttribute(name);
  },
});

/** The keyboard is not needed for the first paint: it loads with the first key. */
document.addEventListener('keydown', async (event) => (await import('./shortcuts.js')).press(event), { once: true });

/** The command palette loads with its first call. */
document.addEventListener('keydown', async (event) => {
  if (event.key.toLowerCase() !== 'k' || event.ctrlKey === event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  (await import('./palette.js')).open();
});

/** The jump to the next failure loads with its first use. */
document.addEventListener('click', async (event) => {
  const link = event.target.closest?.('a[data-next-failure]');
  const { events } = document.querySelector('log-follow')?.dataset ?? {};
  if (!link || !events || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  (await import('./log-jump.js')).nextFailure(link, events);
});

/** So does a drawer with the first link that opens one. */
document.addEventListener('click', async (event) => {
  const link = event.target.closest?.('a[data-drawer]');
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  (await import('./drawer.js')).open(link);
});
if (location.hash.startsWith('#checkpoint-')) import('./drawer.js').then(({ openNamed }) => openNamed());
