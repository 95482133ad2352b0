import { decoded } from './decoded.js';

/**
 * <a data-drawer="checkpoint-c1" href="/tasks/x/checkpoints/c1">: opens the content of the linked page in a drawer beside
 * this page, where the stream of the linked page keeps it up to date. `#checkpoint-c1` in the address opens it again.
 * Escape, "Close" or a click outside closes it, and the focus returns to the link.
 */
export async function open(link) {
  const page = await load(link.href);
  if (!page) return location.assign(link.href);
  const drawer = document.createElement('dialog');
  drawer.className = 'drawer';
  drawer.dataset.volatile = '';
  const content = document.createElement('div');
  drawer.append(closeForm(), content);
  document.querySelector('.drawer')?.remove();
  document.body.append(drawer);
  const text = page.querySelector('main').innerHTML;
  await htmx.swap({ text, sourceElement: content, target: content, swap: 'innerHTML settle:0' });
  const heading = drawer.querySelector('h1');
  heading.id ||= 'drawer-title';
  drawer.setAttribute('aria-labelledby', heading.id);
  const stream = page.querySelector('live-stream');
  if (stream) {
    stream.id = 'drawer-live';
    stream.dataset.src = new URL(stream.dataset.src, link.href);
    drawer.append(stream);
  }
  // The page shows only the state of its own stream.
  drawer.addEventListener('live:state', (event) => event.stopPropagation());
  drawer.addEventListener('click', (event) => event.target === drawer && drawer.close());
  drawer.addEventListener('close', () => {
    drawer.remove();
    setHash('');
  });
  drawer.showModal();
  setHash(`#${link.dataset.drawer}`);
}

/** Opens the drawer that the address names, if this page has a link for it. */
export function openNamed() {
  const name = decoded(location.hash.slice(1));
  const link = name && document.querySelector(`a[data-drawer="${CSS.escape(name)}"]`);
  if (link) open(link);
}

async function load(address) {
  try {
    const response = await fetch(address, { cache: 'no-store' });
    return response.ok && new DOMParser().parseFromString(await response.text(), 'text/html');
  } catch {
    return null;
  }
}

function closeForm() {
  const form = document.createElement('form');
  form.method = 'dialog';
  form.className = 'drawer__close';
  const button = document.createElement('button');
  button.textContent = 'Close';
  form.append(button);
  return form;
}

function setHash(hash) {
  history.replaceState(history.state, '', location.pathname + location.search + hash);
}
