import { root } from './root-path.js';

/** Whether the server answers: a cheap request, repeated while a page waits to reconnect. */
export async function serverAnswers(signal) {
  const response = await fetch(`${root}/sse/health`, {
    cache: 'no-store',
    signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]),
  });
  return response.status < 500;
}
