import { Connection, refusal } from './connection.js';
import { inTurn } from './in-turn.js';
import { root } from './root.js';
import { steady } from './steady.js';

/**
 * <live-stream id="live" data-src="/tasks/x/stream?epoch=…" data-frame="/tasks/x/frame?epoch=…"
 *              data-events="/api/tasks/x/events" data-seq="1523" data-heartbeat="15"></live-stream>
 *
 * Keeps the page at the newest event. hx-sse reads the stream and swaps the frames; this element opens each stream
 * itself, so that a first connect that fails, a reconnect and a return from the background are one thing, and it guards
 * the order.
 *
 * data-src, data-frame   HTML frames after `since`, as a stream and as one answer; data-events: the same events as JSON.
 *                        Without the latter two a lost frame is had by another connect from the cursor
 * data-seq               the seq that the page was rendered at: the first cursor
 * data-heartbeat 15      seconds between the server's heartbeats; silence of twice that and 5 s more is a lost connection
 *
 * `[data-shown]` on the page says what it shows of that which no seq tells of; the stream is asked with it as `shown`.
 *
 * data-awake             the stream stays open while the page is hidden
 *
 * A frame is a message without a name. It begins with `<hx-frame data-from="1400" data-to="1423" data-latest="1423">
 * </hx-frame>`: the cursor that it builds on, the cursor after it, the newest seq. What is at or below the cursor is
 * dropped, but for a frame from the cursor to itself; if it builds on a later cursor, what is between is fetched and
 * shown first. Messages with a name:
 * `heartbeat` {"latest_seq", "permissions_open"}, `reconnect`, `reset`.
 *
 * Fires, bubbling, `live:facts` with what a heartbeat says as its detail, and `live:state`, detail {state, attempt, delay,
 * message, cursor, latest, since, stats}: the states of Connection; `since` is when the page ceased to be up to date, as a
 * Date, or null while it is.
 */
class LiveStream extends HTMLElement {
  #connection;
  #cursor = 0;
  #latest = 0;
  #gapEnd = 0;
  #since = null;
  #info = {};
  #stats = { eventsReceived: 0, gapsDetected: 0, gapsRecovered: 0 };

  connectedCallback() {
    this.#cursor = this.#latest = Number(this.dataset.seq);
    this.#connection = new Connection({
      open: (link) => inTurn(link, (turn) => this.#open(turn)),
      onState: (state, info) => this.#onState(state, info),
      watchdogTimeout: (2 * this.#heartbeat + 5) * 1000,
      pauseHidden: () => !('awake' in this.dataset),
      probe,
    });
    this.#connection.start();
  }

  disconnectedCallback() {
    this.#connection.stop();
  }

  retryNow() {
    this.#connection.retryNow();
  }

  async #open(link) {
    link.signal.throwIfAborted();
    let end = { message: 'the stream ended', lost: true };
    const over = new AbortController();
    // An element for each stream: htmx lets one request of an element wait for the one before, and that may hang.
    const source = this.appendChild(document.createElement('span'));
    source.dataset.volatile = '';
    const on = (type, take) => source.addEventListener(type, take, { signal: over.signal });
    const close = () => source.dispatchEvent(new Event('htmx:abort'));
    link.signal.addEventListener('abort', close, { signal: over.signal });

    // Only an answer that hx-sse has not taken as a stream comes by here. Its body must not reach the page.
    on('htmx:before:response', (event) => {
      event.preventDefault();
      const { request, response } = event.detail.ctx;
      // To htmx the request is over, so `close` does not reach a body that never ends.
      link.signal.addEventListener('abort', () => request.abort(), { signal: over.signal });
      end = refusal(response.raw);
    });
    on('htmx:sse:after:connection', ({ detail }) => {
      detail.connection.config.reconnectDelay = null; // from now on what a `retry:` of the server sets
      link.opened();
    });
    on('htmx:sse:before:message', (event) => this.#guard(event, link));
    on('htmx:sse:after:message', ({ detail: { connection, message } }) => {
      link.retry = connection.config.reconnectDelay;
      if (!message.event) return this.#advance(readFrame(message.data), link);
      if (message.event === 'reconnect') end = { farewell: true, message: 'the server asked to reconnect' };
      else if (message.event === 'reset') end = reload();
      else return;
      close();
    });
    const note = ({ detail: { error } }) => {
      end.message = error.name === 'TypeError' ? 'the server is not reachable' : error.message;
    };
    on('htmx:error', note);
    on('htmx:sse:error', note);

    try {
      await htmx.ajax('GET', this.#url('src', 'since', shown()), { source, swap: 'none', timeout: 0 });
      return await end;
    } finally {
      over.abort();
      source.remove();
    }
  }

  /** Before a message is taken: drops what the page has, fetches what it lacks. hx-sse waits for it. */
  #guard(event, link) {
    const { message, waitUntil } = event.detail;
    link.alive();
    if (message.event === 'heartbeat') {
      const facts = JSON.parse(message.data);
      this.dispatchEvent(new CustomEvent('live:facts', { bubbles: true, detail: facts }));
      this.#hear(facts.latest_seq);
      // What an earlier stream knew of may still be on its way here; what this one has sent is not.
      if (facts.latest_seq > this.#cursor) waitUntil(this.#recover(facts.latest_seq, link));
    }
    if (message.event) return;
    const { from, to, latest } = readFrame(message.data);
    this.#hear(latest);
    const again = from === to && to === this.#cursor; // the clock alone has changed what is drawn
    if (to <= this.#cursor && !again) event.preventDefault();
    else if (from > this.#cursor) {
      const filled = this.#recover(from, link);
      waitUntil(filled.then(() => (event.detail.cancelled = to <= this.#cursor)));
    } else waitUntil(steady().then(() => (event.detail.cancelled ||= link.signal.aborted)));
  }

  #hear(latest) {
    return (this.#latest = Math.max(this.#latest, latest));
  }

  async #recover(gapEnd, link) {
    if (!this.#gapEnd) this.#stats.gapsDetected += 1;
    this.#gapEnd = gapEnd;
    this.#publish();
    if (!this.dataset.frame) throw new Error('a frame was lost');
    const missing = await this.#get(this.#url('events', 'since_seq', { limit: 1000 }), link);
    if (!(await missing.json()).events.length) throw new Error('the missing events are not to be had yet');
    while (this.#cursor < gapEnd) {
      const text = await (await this.#get(this.#url('frame', 'since'), link)).text();
      link.signal.throwIfAborted();
      const frame = readFrame(text);
      if (frame.to <= this.#cursor) throw new Error('the missing events are not to be had yet');
      await htmx.swap({ text, sourceElement: this, swap: 'none' });
      this.#advance(frame, link);
    }
  }

  #advance({ to, latest }, link) {
    this.#stats.eventsReceived += to - this.#cursor;
    this.#cursor = to;
    this.#hear(latest);
    if (this.#gapEnd && to >= this.#gapEnd) {
      this.#stats.gapsRecovered += 1;
      this.#gapEnd = 0;
    }
    link.progress();
    this.#publish();
  }

  #onState(state, info) {
    // A silence began when the last byte came, not when the watchdog noticed.
    const silent = Date.now() - this.#connection.aliveAt > this.#heartbeat * 1000;
    if (state === 'connected') this.#since = null;
    else if (state !== 'connecting') this.#since ??= new Date(silent ? this.#connection.aliveAt : Date.now());
    this.#info = { state, ...info };
    this.#publish();
  }

  #publish() {
    const { reconnects, errors } = this.#connection;
    const stats = { ...this.#stats, reconnects, errors };
    const detail = { ...this.#info, cursor: this.#cursor, latest: this.#latest, since: this.#since, stats };
    this.dispatchEvent(new CustomEvent('live:state', { bubbles: true, detail }));
  }

  get #heartbeat() {
    return Number(this.dataset.heartbeat ?? 15);
  }

  #url(source, since, params = {}) {
    const url = new URL(this.dataset[source], document.baseURI);
    const query = { [since]: this.#cursor, ...params };
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return url.href;
  }

  async #get(url, link) {
    const response = await fetch(url, { cache: 'no-store', signal: link.signal });
    link.alive();
    if (!response.ok) throw new Error((await refusal(response)).message);
    return response;
  }
}

function shown() {
  const said = document.querySelector('[data-shown]')?.dataset.shown;
  return said ? { shown: said } : {};
}

function readFrame(text) {
  const attributes = /^\s*<hx-frame\b([^>]*)>/.exec(text)?.[1];
  if (!attributes) throw new Error('a frame without its position');
  const number = (name) => Number(new RegExp(`data-${name}="(\\d+)"`).exec(attributes)[1]);
  return { from: number('from'), to: number('to'), latest: number('latest') };
}

/** The page shows another log than the server has. At most one reload in 10 s, however often that is replaced. */
function reload() {
  const next = Number(sessionStorage.getItem('live:reset')) + 10_000;
  const wait = Math.max(0, Math.min(next - Date.now(), 10_000));
  sessionStorage.setItem('live:reset', String(Date.now() + wait));
  setTimeout(() => location.reload(), wait);
  const soon = wait ? `loading the page again in ${Math.ceil(wait / 1000)} s` : 'reloading';
  return { fatal: true, message: `the log was replaced on the server: ${soon}` };
}

async function probe(signal) {
  const response = await fetch(`${root}/sse/health`, {
    cache: 'no-store',
    signal: AbortSignal.any([signal, AbortSignal.timeout(2000)]),
  });
  return response.status < 500;
}

customElements.define('live-stream', LiveStream);
