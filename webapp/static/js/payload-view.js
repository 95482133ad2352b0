/** Remembers the view that a reader chose in a payload viewer, and opens later viewers in it. */
const KEY = 'payload-view';

document.addEventListener('click', ({ target }) => {
  const view = target.closest?.('.viewer-views a')?.dataset.view;
  if (!view) return;
  try {
    localStorage.setItem(KEY, view);
  } catch {
    // Storage is disabled.
  }
});

document.addEventListener('htmx:config:request', ({ detail: { ctx } }) => {
  const [path, query] = String(ctx.request.action).split('?');
  const given = new URLSearchParams(query);
  if (!path.endsWith('/payload') || given.get('part') !== 'payload' || given.has('view')) return;
  try {
    const view = localStorage.getItem(KEY);
    if (view) ctx.request.action += `&view=${encodeURIComponent(view)}`;
  } catch {
    // Storage is disabled.
  }
});
