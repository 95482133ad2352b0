/** Whether a response is an event stream. */

export function isEventStream(response) {
  return response.ok && (response.headers.get('Content-Type') ?? '').includes('text/event-stream');
}

/**
 * Returns how a connection ends that got this response: {status, fatal, message, wait, lost}.
 *
 * fatal     a 4xx that a retry would only repeat
 * message   the error of a JSON body, or a text for the status
 * wait      the Retry-After header in ms, or null
 * lost      a gateway responded because it cannot reach the server
 */
export async function refusal(response) {
  const { status, headers } = response;
  const wait = retryAfter(headers.get('Retry-After'));
  return {
    status,
    fatal: status >= 400 && status < 500 && ![408, 425, 429].includes(status),
    message: (await errorMessage(response)) || meanings[status] || `unexpected response ${status}`,
    wait,
    lost: !wait && [502, 503, 504].includes(status),
  };
}

async function errorMessage(response) {
  if (response.headers.get('Content-Type')?.includes('json')) {
    return (await response.json().catch(() => null))?.error?.message;
  }
  await response.body?.cancel();
}

function retryAfter(value) {
  if (!value) return null;
  const ms = /^\d+$/.test(value) ? value * 1000 : Date.parse(value) - Date.now();
  return ms > 0 ? ms : null;
}

const meanings = {
  400: 'the server did not accept the request',
  401: 'logged out',
  403: 'not allowed',
  404: 'unknown task',
  429: 'too many requests',
  502: 'the server is not reachable',
  503: 'the server is busy',
  504: 'the server does not answer',
};
