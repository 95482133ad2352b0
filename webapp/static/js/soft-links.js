/**
 * <a data-soft href="…"> and <form data-soft>: shows another address of the same page without loading it anew, so that the
 * scroll position and the stream's place in the page stay. Every other click is left to the browser.
 */
document.addEventListener('click', (event) => {
  const link = event.target.closest?.('a[data-soft]');
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  if (event.defaultPrevented) return;
  event.preventDefault();
  // In an SVG, `href` is an object.
  visit(new URL(link.getAttribute('href'), location.href));
});

document.addEventListener('submit', (event) => {
  if (!event.target.matches('form[data-soft]')) return;
  event.preventDefault();
  const address = new URL(event.target.action);
  const fields = [...new FormData(event.target)].filter(([, value]) => value);
  address.search = new URLSearchParams(fields);
  visit(address);
});

addEventListener('popstate', async () => {
  if ((await show(location.href)) === FAILED) location.reload();
});

/** Shows an address of this page, and adds it to the history. */
export async function visit(address) {
  const outcome = await show(address);
  if (outcome === SHOWN) history.pushState(null, '', address);
  else if (outcome === FAILED) location.assign(address);
}

const [SHOWN, FAILED, OVERTAKEN] = ['shown', 'failed', 'overtaken'];
let newest = 0;

/** Shows an address, unless it cannot be loaded or another one was chosen meanwhile. */
async function show(address) {
  const turn = ++newest;
  const page = await load(address);
  if (turn !== newest) return OVERTAKEN;
  if (!page) return FAILED;
  const [main, stream] = [document.querySelector('main'), document.querySelector('live-stream')];
  // The stream of the earlier address must not change the new content.
  stream?.remove();
  const text = page.querySelector('main').innerHTML;
  await htmx.swap({ text, sourceElement: main, target: main, swap: 'innerMorph settle:0' });
  const next = page.querySelector('live-stream');
  if (next) main.after(document.importNode(next, true));
  return SHOWN;
}

/** Returns the page at an address, or null if the server does not answer with one. */
async function load(address) {
  try {
    const response = await fetch(address, { cache: 'no-store' });
    return response.ok ? new DOMParser().parseFromString(await response.text(), 'text/html') : null;
  } catch {
    return null;
  }
}
