import { refusal } from './refusal.js';

/**
 * One stream, read and swapped into the page by hx-sse. Returns how it ended, for a Connection.
 *
 * host             the element below which the stream gets an element of its own
 * link             of Connection
 * onBefore(event)  called before hx-sse applies a message; event.detail is {message, waitUntil(promise), cancelled}
 * onAfter(message) called after a message was applied. If it returns an end, the stream is closed
 */
export async function readHxStream(url, { host, link, onBefore, onAfter }) {
  let end = { message: 'the stream ended', lost: true };
  const over = new AbortController();
  // Each stream has its own element: htmx queues the requests of one element, and the previous request may hang.
  const source = host.appendChild(document.createElement('span'));
  source.dataset.volatile = '';
  const on = (type, take) => source.addEventListener(type, take, { signal: over.signal });
  const close = () => source.dispatchEvent(new Event('htmx:abort'));
  link.signal.addEventListener('abort', close, { signal: over.signal });

  // Only a response that is not an event stream gets here. Its body must not reach the page.
  on('htmx:before:response', (event) => {
    event.preventDefault();
    const { request, response } = event.detail.ctx;
    // htmx counts the request as finished, so `close` would not stop a body that never ends.
    link.signal.addEventListener('abort', () => request.abort(), { signal: over.signal });
    end = refusal(response.raw);
  });
  on('htmx:sse:after:connection', ({ detail }) => {
    detail.connection.config.reconnectDelay = null; // from now on only a `retry:` of the server sets it
    link.opened();
  });
  on('htmx:sse:before:message', onBefore);
  on('htmx:sse:after:message', ({ detail: { connection, message } }) => {
    link.retry = connection.config.reconnectDelay;
    const last = onAfter(message);
    if (!last) return;
    end = last;
    close();
  });
  const onError = ({ detail: { error } }) => {
    end.message = error.name === 'TypeError' ? 'the server is not reachable' : error.message;
  };
  on('htmx:error', onError);
  on('htmx:sse:error', onError);

  try {
    await htmx.ajax('GET', url, { source, swap: 'none', timeout: 0 });
    return await end;
  } finally {
    over.abort();
    source.remove();
  }
}
