import { note, refusalOf } from './form-note.js';

/**
 * Sends every `<form method="post">` with fetch, so that a form that cannot be sent stays as it is and says why. "Send
 * again" sends the same content with the same idempotency key: an act whose response was lost happens once.
 *
 * The server names the next page. A form with `data-live` stays, because the stream shows what changed. A form with a DOM
 * id is replaced by that form of the response, which has the problems beside its fields. Frames do not change a form with
 * `data-unsent`.
 */
const TIMEOUT_MS = 30_000;
const DOUBLE_TAP_MS = 2000;
const sending = new WeakSet();
const sent = new WeakMap(); // by form: {body, key}

addEventListener('submit', (event) => {
  const { target: form, submitter } = event;
  if (event.defaultPrevented || form.method !== 'post') return;
  event.preventDefault();
  send(form, submitter);
});

async function send(form, submitter) {
  if (sending.has(form)) return;
  sending.add(form);
  note(form, '');
  try {
    await settle(form, submitter, await post(form, submitter));
  } catch (error) {
    note(form, `Not sent: ${reasonOf(error)}.`, () => send(form, submitter));
  }
  sending.delete(form);
}

async function post(form, submitter) {
  const data = new FormData(form, submitter);
  const body = form.enctype === 'multipart/form-data' ? data : new URLSearchParams(data);
  if (sent.get(form)?.body !== String(body)) sent.set(form, { body: String(body), key: randomKey() });
  if (!navigator.onLine) throw new TypeError();
  return fetch(form.getAttribute('action') ?? location.href, {
    method: 'POST',
    body,
    headers: { Accept: 'text/html', 'HX-Request': 'true', 'Idempotency-Key': sent.get(form).key },
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
}

async function settle(form, submitter, response) {
  const page = new DOMParser().parseFromString(await response.text(), 'text/html');
  const corrected = form.id && page.getElementById(form.id);
  if (corrected) return replace(form, corrected);
  if (response.status >= 400) {
    const again = response.status >= 500 || [401, 408, 429].includes(response.status);
    return note(form, refusalOf(page), again && (() => send(form, submitter)), response.status === 401);
  }
  const next = response.headers.get('HX-Location');
  if (!next) return show(page);
  if (form.matches('[data-live]') && document.querySelector('live-stream')) return stay(form);
  sent.delete(form);
  const { pathname, search } = new URL(next, location.href);
  return pathname + search === location.pathname + location.search ? location.reload() : location.assign(next);
}

function stay(form) {
  setTimeout(() => sent.delete(form), DOUBLE_TAP_MS);
  form.reset();
  form.closest('details')?.removeAttribute('open');
}

function replace(form, corrected) {
  corrected.dataset.unsent = '';
  form.replaceWith(corrected);
  corrected.querySelector('[aria-invalid], .answer-problem')?.closest('.answer-field, form').scrollIntoView({ block: 'nearest' });
  corrected.querySelector('[aria-invalid]')?.focus();
}

/** Shows a page that the server returned instead of naming one. Back and reload load what the address names. */
function show(page) {
  history.pushState(null, '', location.href);
  addEventListener('popstate', () => location.reload(), { once: true });
  document.title = page.title;
  const loaded = new Set(Array.from(document.scripts, ({ src }) => src));
  const modules = Array.from(page.scripts, ({ src }) => src).filter((src) => !loaded.has(src));
  document.body.replaceWith(page.body);
  scrollTo(0, 0);
  document.querySelector('main')?.focus();
  for (const module of modules) import(module);
}

function reasonOf(error) {
  if (!navigator.onLine) return 'you are offline';
  return error.name === 'TimeoutError' ? 'the server did not answer in time' : 'the server cannot be reached';
}

/** Unlike crypto.randomUUID, this also works on a page without TLS. */
function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
