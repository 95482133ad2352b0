/**
 * Keeps one connection alive: opens it, watches it, waits, opens it again. The state machine below both
 * EventStreamService and <live-stream>.
 *
 *     new Connection({open, onState, onFailure, …}).start()
 *
 * open(link)            async; reads one connection until it ends. It calls `link.opened()` when the stream stands,
 *                       `link.alive()` at each sign of life, `link.progress()` when something new came, sets
 *                       `link.retry` to what the server asked for (ms), gives up when `link.signal` aborts, and
 *                       returns how it ended: {message, wait?: ms, fatal?: bool, farewell?: bool, lost?: bool,
 *                       status?: int}. A throw is a lost connection. One that has not returned 2 s after the abort
 *                       is left behind.
 * onState(state, info)  `disconnected`, `connecting`, `connected`, `reconnecting`, `error`; info is {attempt, delay,
 *                       message}: failed attempts in a row, ms until the next one (0 while it runs), why.
 * onFailure(end)        each lost or refused connection.
 * reconnectDelay 1000, reconnectBackoff 2, maxReconnectDelay 30000, maxReconnectAttempts Infinity,
 * autoReconnect true    waits of 1, 2, 4, 8, 16, 30, 30 … s; `wait` and `link.retry` lengthen them, never shorten.
 * watchdogTimeout 35000, connectTimeout 10000
 *                       ms without a sign of life after which a connection counts as lost.
 * pauseHidden () => false
 *                       whether to let go of the connection while the page is hidden.
 * probe                 async (signal) => bool; asked again and again in a wait after a lost connection; true ends it.
 *
 * `offline` is believed at once; `online`, a page shown again and `retryNow()` end a wait. A page in the back/forward
 * cache holds no connection. `stop()` is final: nothing happens after it until `start()`.
 */
export class Connection {
  state = 'disconnected';
  errors = 0;
  reconnects = 0;
  aliveAt = Date.now(); // wall clock, because it runs on while the machine sleeps
  #options;
  #life = null; // AbortController from start() to stop()
  #link = null; // {abort, check} of the connection that is open or being opened
  #wait = null; // {end, until} of the pause before the next one
  #away = false;
  #stood = false;

  constructor(options) {
    this.#options = { ...defaults, ...options };
  }

  start() {
    if (this.#life) return;
    this.#life = new AbortController();
    this.#listen(this.#life.signal);
    this.#keep(this.#life.signal);
  }

  stop() {
    if (this.#life) this.#finish('disconnected');
  }

  retryNow() {
    if (this.#life) this.#wait?.end();
    else this.start();
  }

  async #keep(life) {
    const { maxReconnectAttempts, autoReconnect, onFailure } = this.#options;
    let attempt = 0;
    while (!life.aborted) {
      if (this.#paused) {
        this.#announce('disconnected', { message: 'paused in the background' });
        await this.#sleep(Infinity);
        continue;
      }
      this.#announce(this.#stood || attempt ? 'reconnecting' : 'connecting', { attempt });
      const end = await this.#connect(life);
      if (life.aborted) return;
      if (end.proven) attempt = 0;
      if (end.resume) continue;

      const { message } = end;
      if (!end.farewell && !end.offline) {
        this.errors += 1;
        onFailure(end);
        if (life.aborted) return;
      }
      if (end.fatal) return this.#finish('error', message);
      if (!autoReconnect) return this.#finish('disconnected', message);
      // A farewell right after a connect would loop without a pause: it counts as an attempt.
      const asked = end.farewell && (end.proven || end.wait > 0);
      if (!asked && ++attempt > maxReconnectAttempts) return this.#finish('error', `gave up: ${message}`);
      const delay = Math.max(asked ? 0 : this.#backoff(attempt), end.wait ?? 0);
      if (delay === 0) continue;
      this.#announce('reconnecting', { attempt, delay, message });
      await this.#sleep(delay, end.lost && this.#options.probe);
    }
  }

  async #connect(life) {
    const { open, watchdogTimeout, connectTimeout } = this.#options;
    const abort = new AbortController();
    let heard = Date.now();
    let limit = connectTimeout;
    let openedAt = Infinity;
    let progress = false;
    const link = {
      signal: abort.signal,
      retry: null,
      alive: () => void (heard = this.aliveAt = Date.now()),
      progress: () => void (progress = true),
      opened: () => {
        if (abort.signal.aborted) return;
        link.alive();
        openedAt = heard;
        limit = watchdogTimeout;
        this.#announce('connected');
      },
    };
    const check = () => Date.now() - heard > limit && abort.abort('silent');
    const watchdog = setInterval(check, Math.min(1000, watchdogTimeout / 4));
    life.addEventListener('abort', () => abort.abort('stop'), { signal: abort.signal });
    const mine = (this.#link = { abort, check });

    let end;
    try {
      end = await Promise.race([open(link), leftBehind(abort.signal)]);
    } catch (error) {
      end = { message: error?.message ?? String(error), lost: true };
    }
    if (abort.signal.aborted) end = endings[abort.signal.reason](limit);
    clearInterval(watchdog);
    abort.abort('ended');
    if (this.#link === mine) this.#link = null;
    return { ...end, wait: end.wait ?? link.retry, proven: progress || Date.now() - openedAt > 5000 };
  }

  #backoff(attempt) {
    const { reconnectDelay, reconnectBackoff, maxReconnectDelay } = this.#options;
    return Math.min(reconnectDelay * reconnectBackoff ** (attempt - 1), maxReconnectDelay);
  }

  /** Resolves after `ms`, or when `#wait.end()` is called, or when the probe gets through. */
  async #sleep(ms, probe) {
    const over = new AbortController();
    const wait = (this.#wait = { end: () => over.abort(), until: Date.now() + ms });
    if (probe) knock(probe, Math.max(400, ms / 40), over.signal).then(wait.end);
    await pause(ms, over.signal);
    over.abort();
    if (this.#wait === wait) this.#wait = null;
  }

  get #paused() {
    return this.#away || (this.#options.pauseHidden() && document.hidden);
  }

  #listen(signal) {
    const on = (target, type, handler) => target.addEventListener(type, handler, { signal });
    const nudge = () => {
      this.#link?.abort.abort('resume');
      this.#wait?.end();
    };
    const resume = () => {
      this.#link?.check();
      if (this.state !== 'connected') nudge();
    };
    on(window, 'focus', () => this.#link?.check());
    on(window, 'online', resume);
    on(window, 'offline', () => {
      this.#link?.abort.abort('offline');
      const delay = this.#wait ? this.#wait.until - Date.now() : Infinity;
      if (delay < Infinity) this.#announce('reconnecting', { delay, message: 'offline' });
    });
    on(window, 'pagehide', () => {
      this.#away = true;
      nudge();
    });
    on(window, 'pageshow', () => {
      if (this.#away) this.#wait?.end();
      this.#away = false;
    });
    on(document, 'visibilitychange', () => {
      if (!document.hidden) resume();
      else if (this.#options.pauseHidden()) nudge();
    });
  }

  #finish(state, message = '') {
    const life = this.#life;
    this.#life = null;
    life.abort();
    this.#wait?.end();
    this.#announce(state, { message });
  }

  #announce(state, info) {
    if (state === 'connected' && this.#stood) this.reconnects += 1;
    this.#stood ||= state === 'connected';
    this.state = state;
    this.#options.onState(state, { attempt: 0, delay: 0, message: '', ...info });
  }
}

export function isEventStream(response) {
  return response.ok && (response.headers.get('Content-Type') ?? '').includes('text/event-stream');
}

/**
 * The end, for a Connection, of an answer that is no event stream: {status, fatal, message, wait, lost}. `fatal` is a
 * 4xx that a retry would only repeat; `wait` is what Retry-After asks for, in ms, or null; `lost` is a gateway's word
 * that there is no server behind it. Reads the answer's JSON error.
 */
export async function refusal(response) {
  const { status, headers } = response;
  const wait = retryAfter(headers.get('Retry-After'));
  return {
    status,
    fatal: status >= 400 && status < 500 && ![408, 425, 429].includes(status),
    message: (await told(response)) || meanings[status] || `unexpected answer ${status}`,
    wait,
    lost: !wait && [502, 503, 504].includes(status),
  };
}

const GRACE = 2000;

const defaults = {
  reconnectDelay: 1000,
  reconnectBackoff: 2,
  maxReconnectDelay: 30000,
  maxReconnectAttempts: Infinity,
  autoReconnect: true,
  watchdogTimeout: 35000,
  connectTimeout: 10000,
  pauseHidden: () => false,
  probe: null,
  onState() {},
  onFailure() {},
};

/** How a connection ended that this page itself gave up, by the reason of the abort. */
const endings = {
  stop: () => ({}),
  resume: () => ({ resume: true }),
  offline: () => ({ message: 'offline', offline: true, lost: true }),
  silent: (limit) => ({ message: `no sign of life for ${limit / 1000} s`, lost: true }),
};

/** Resolves a while after the abort: a `fetch` that ignores its signal must not keep the page waiting for ever. */
function leftBehind(signal) {
  return new Promise((resolve) => signal.addEventListener('abort', () => setTimeout(resolve, GRACE)));
}

function pause(ms, signal) {
  return new Promise((resolve) => {
    if (ms < Infinity) setTimeout(resolve, ms);
    signal.addEventListener('abort', resolve);
  });
}

/** Asks every `gap` ms to twice that, not in step with other pages, until the answer is true. */
async function knock(probe, gap, signal) {
  do await pause(gap * (1 + Math.random()), signal);
  while (!signal.aborted && !(await probe(signal).catch(() => false)));
}

async function told(response) {
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
