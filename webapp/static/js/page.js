/**
 * The entry point of every page: <script type="module" src="…/page.js">, after htmx and hx-sse.
 *
 * Each module works with the elements that it finds. Modules add content to `<main>` only in elements with
 * `data-volatile`, so that a live page equals a fresh one. The order matters: modules that listen to the stream come before
 * live-stream.js.
 */
import './live-status.js';
import './open-permissions.js';
import './times.js';
import './log-days.js';
import './log-follow.js';
import './row-clicks.js';
import './row-selection.js';
import './copy-button.js';
import './forms.js';
import './live-stream.js';

htmx.registerExtension('keep-open', {
  /** A morph keeps what the reader opened or closed. */
  htmx_before_morph_attr: (element, { attrName }) => attrName !== 'open' || !element.matches('details, dialog'),

  /**
   * A morph leaves a form alone that says why it was not sent.
   *
   * A morph adds new attributes at the end. Remove the attributes that follow them in the new markup first, so that they
   * are added again after them and the order is that of a fresh page.
   */
  htmx_before_morph_node: (element, { newNode }) => {
    if (isOpenViewer(element, newNode) || element.matches?.('form[data-unsent]')) return false;
    const wanted = newNode.getAttributeNames();
    const kept = element.getAttributeNames().filter((name) => wanted.includes(name));
    const first = kept.findIndex((name, at) => name !== wanted[at]);
    if (first < 0) return;
    for (const name of kept.slice(first)) if (name !== 'open') element.removeAttribute(name);
  },
});

/** A morph keeps a payload viewer as the reader left it. A payload never changes. */
function isOpenViewer(element, newNode) {
  return element.matches('.viewer') && element.dataset.viewer === newNode.dataset?.viewer;
}

/** The first paint does not need the keyboard module: it loads with the first key. */
document.addEventListener('keydown', async (event) => (await import('./shortcuts.js')).press(event), { once: true });

/** The command palette loads when it is first opened. */
document.addEventListener('keydown', async (event) => {
  if (event.key.toLowerCase() !== 'k' || event.ctrlKey === event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  (await import('./palette.js')).open();
});

/** The jump to a failure loads with its first use. */
document.addEventListener('click', async (event) => {
  const link = event.target.closest?.('a[data-jump]');
  if (!link || event.defaultPrevented || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  (await import('./log-jump.js')).jump(link);
});

/** The drawer loads with the first link that opens one. */
document.addEventListener('click', async (event) => {
  const link = event.target.closest?.('a[data-drawer]');
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  (await import('./drawer.js')).open(link);
});
if (location.hash.startsWith('#checkpoint-')) import('./drawer.js').then(({ openNamed }) => openNamed());
