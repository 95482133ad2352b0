import { Connection } from './connection.js';
import { isEventStream, refusal } from './refusal.js';
import { root } from './root-path.js';
import { SseParser } from './sse-parser.js';

/**
 * Follows the events of one task, from any page. `onEvent` gets every seq once and in order, whatever the network does.
 *
 *     const service = new EventStreamService('build-7', {onEvent: (event) => console.log(event.seq, event.event_type)});
 *     service.start();
 *
 * since_seq 0                the first event wanted is the one after it
 * batch_size 10, flush_interval 0.5
 *                            how many events, and for how many seconds, the server may collect for one write
 * reconnectDelay 1000, reconnectBackoff 2, maxReconnectDelay 30000, maxReconnectAttempts Infinity, autoReconnect true
 *                            waits in ms: 1, 2, 4, 8, 16, 30, 30 … s. The server's `retry:` and `Retry-After` lengthen them
 * watchdogTimeout 35000      ms without a byte (keepalives count) after which the connection is given up
 * connectTimeout 10000       ms until the response must begin
 * gapDetection true          fetch missing events as JSON before later ones are delivered
 * baseUrl ''                 origin and path prefix of the Signalbox; '' is the origin of the page, with the prefix that
 *                            this module was loaded from
 * identity                   the `identity` of the task. If its id is used again by another task, the state becomes `error`
 * token                      the caller's token, sent as `Authorization: Bearer …`
 * headers {}, credentials 'same-origin'
 *                            of each request
 * persistKey                 localStorage key, one for each task, under which the position survives a reload of the page
 * fetch                      used instead of the page's fetch, for example to simulate failures
 *
 * onEvent(event)             once for each seq, in order
 * onStateChange(state, {attempt, delay, message})
 *                            state is `disconnected`, `connecting`, `connected`, `reconnecting` or `error`; while waiting to
 *                            reconnect, delay is the wait in ms. `error` is final: a 4xx response, or too many attempts
 * onReconnect({reconnects, since_seq})
 *                            the stream is open again and continues after since_seq
 * onError(error)             each lost or refused connection; error.status is the HTTP status, if there was one
 * onReset()                  the server has another log than before, for example after a restore. The position is 0 again,
 *                            and all events are delivered from the start, unless the callback calls stop()
 *
 * start() starts, or resumes after stop(). After stop() and its change of state no callback is called.
 */
export class EventStreamService {
  #taskId;
  #options;
  #connection;
  #cursor;
  #gapEnd = 0; // the last missing seq, 0 while there is no gap
  #stats = { eventsReceived: 0, gapsDetected: 0, gapsRecovered: 0 };

  constructor(taskId, options = {}) {
    this.#taskId = taskId;
    this.#options = { ...defaults, ...options };
    this.#cursor = Math.max(this.#options.since_seq, this.#stored());
    this.#connection = new Connection({
      ...options,
      open: (link) => this.#read(link),
      onState: (state, info) => this.#onState(state, info),
      onFailure: ({ message, status }) => this.#call('onError', Object.assign(new Error(message), { status })),
    });
  }

  start() {
    this.#connection.start();
  }

  stop() {
    this.#connection.stop();
  }

  /** Ends a wait, or starts again after `error`. */
  retryNow() {
    this.#connection.retryNow();
  }

  get state() {
    return this.#connection.state;
  }

  /** The seq of the last delivered event. */
  get lastSeq() {
    return this.#cursor;
  }

  getStats() {
    const { eventsReceived, gapsDetected, gapsRecovered } = this.#stats;
    const { reconnects, errors } = this.#connection;
    return { eventsReceived, reconnects, errors, gapsDetected, gapsRecovered };
  }

  async #read(link) {
    const { batch_size, flush_interval } = this.#options;
    // The position goes into the address: a Last-Event-ID header would need a preflight on every cross-origin connect.
    const response = await this.#get('sse', { since_seq: this.#cursor, batch_size, flush_interval }, link);
    if (!isEventStream(response)) return refusal(response);
    link.opened();
    const reader = response.body.getReader();
    const parser = new SseParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return { message: 'the stream ended', lost: true };
      link.alive();
      const end = await this.#takeAll(parser.push(value), link).finally(() => this.#persist());
      if (end) return end;
    }
  }

  async #takeAll(messages, link) {
    for (const { event, data, retry } of messages) {
      link.signal.throwIfAborted();
      link.retry = retry ?? link.retry;
      if (event === 'reset') this.#reset();
      if (event === 'reset' || event === 'reconnect') return { farewell: true, message: `asked to ${event}` };
      if (data && (!event || event === 'message')) await this.#take(JSON.parse(data), link);
    }
  }

  async #take(event, link) {
    if (event.seq > this.#cursor + 1 && this.#options.gapDetection) await this.#recover(event.seq - 1, link);
    this.#deliver(event, link);
  }

  async #recover(gapEnd, link) {
    if (!this.#gapEnd) this.#stats.gapsDetected += 1;
    this.#gapEnd = gapEnd;
    while (this.#cursor < gapEnd) {
      const response = await this.#get('api', { since_seq: this.#cursor, limit: 1000 }, link);
      if (!response.ok) throw new Error((await refusal(response)).message);
      const { events } = await response.json();
      link.alive();
      if (!events.length) throw new Error(`the server does not have the events after ${this.#cursor} yet`);
      if (events[0].seq > this.#cursor + 1) this.#skip(events[0].seq - 1);
      for (const event of events) this.#deliver(event, link);
    }
  }

  /** Skips events that the server no longer has, instead of waiting for them. */
  #skip(seq) {
    this.#call('onError', new Error(`the server has no events ${this.#cursor + 1} to ${seq}`));
    this.#gapEnd = 0;
    this.#cursor = seq;
  }

  #deliver(event, link) {
    link.signal.throwIfAborted();
    if (event.seq <= this.#cursor) return;
    this.#cursor = event.seq;
    this.#stats.eventsReceived += 1;
    if (this.#gapEnd && this.#cursor >= this.#gapEnd) {
      this.#stats.gapsRecovered += 1;
      this.#gapEnd = 0;
    }
    link.progress();
    this.#call('onEvent', event);
  }

  #reset() {
    this.#cursor = this.#gapEnd = 0;
    this.#call('onReset');
  }

  #get(kind, params, link) {
    const { baseUrl, identity, token, credentials, fetch } = this.#options;
    const headers = { ...(token && { Authorization: `Bearer ${token}` }), ...this.#options.headers };
    const path = `${kind}/tasks/${encodeURIComponent(this.#taskId)}/events`;
    const url = `${(baseUrl || root).replace(/\/$/, '')}/${path}?${new URLSearchParams({ ...params, ...(identity && { identity }) })}`;
    return fetch(url, { headers, credentials, cache: 'no-store', signal: link.signal });
  }

  #onState(state, info) {
    this.#call('onStateChange', state, info);
    const { reconnects } = this.#connection;
    if (state === 'connected' && reconnects) this.#call('onReconnect', { reconnects, since_seq: this.#cursor });
  }

  /** A callback that throws is reported as an uncaught error and changes nothing here. */
  #call(name, ...args) {
    try {
      this.#options[name]?.(...args);
    } catch (error) {
      reportError(error);
    }
  }

  #stored() {
    const { persistKey } = this.#options;
    try {
      return (persistKey && Number(localStorage.getItem(persistKey))) || 0;
    } catch {
      return 0; // storage is switched off
    }
  }

  #persist() {
    const { persistKey } = this.#options;
    try {
      if (persistKey) localStorage.setItem(persistKey, String(this.#cursor));
    } catch {
      // storage is full or switched off: a reload then starts from since_seq
    }
  }
}

const defaults = {
  since_seq: 0,
  batch_size: 10,
  flush_interval: 0.5,
  gapDetection: true,
  baseUrl: '',
  identity: null,
  token: null,
  headers: {},
  credentials: 'same-origin',
  persistKey: null,
  fetch: (...args) => globalThis.fetch(...args),
};

export default EventStreamService;
