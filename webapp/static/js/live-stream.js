import { Connection } from './connection.js';
import { FrameOrder } from './frame-order.js';
import { readHxStream } from './hx-stream.js';
import { withStreamLimit } from './stream-limit.js';
import { serverAnswers } from './server-probe.js';
import { withParams } from './with-params.js';

/**
 * <live-stream id="live" data-src="/tasks/x/stream?epoch=…" data-frame="/tasks/x/frame?epoch=…"
 *              data-events="/api/tasks/x/events?identity=…" data-seq="1523" data-heartbeat="15"></live-stream>
 *
 * Keeps the page at the newest event. This element opens every stream itself, so that the first connect, a reconnect and
 * a return from the background take the same path. docs/streams.md describes the messages.
 *
 * data-src, data-frame   HTML frames after `since`, as a stream and as a single response
 * data-events            the same events as JSON. Without it and data-frame a lost frame is fetched by another connect
 * data-seq               the seq that the page was rendered at: the first cursor
 * data-heartbeat 15      seconds between the server's heartbeats; the connection is lost after twice that plus 5 s
 * data-awake             keep the stream open while the page is hidden
 *
 * Fires two bubbling events. `live:facts` has the content of a heartbeat as its detail. `live:state` has {state, attempt,
 * delay, message} of Connection, {cursor, latest, stats} of PageCursor, and `since`: the Date from which the page is out of
 * date, or null.
 */
class LiveStream extends HTMLElement {
  #connection;
  #order;
  #staleSince = null;
  #info = {};

  connectedCallback() {
    this.#order = new FrameOrder(this, () => this.#publish());
    this.#connection = new Connection({
      open: (link) => withStreamLimit(link, (turn) => this.#read(turn)),
      onState: (state, info) => this.#onState(state, info),
      watchdogTimeout: (2 * this.#heartbeat + 5) * 1000,
      pauseHidden: () => !('awake' in this.dataset),
      probe: serverAnswers,
    });
    this.#connection.start();
  }

  disconnectedCallback() {
    this.#connection.stop();
  }

  retryNow() {
    this.#connection.retryNow();
  }

  async #read(link) {
    link.signal.throwIfAborted();
    return readHxStream(withParams(this.dataset.src, { since: this.#order.cursor.seq, ...shown() }), {
      host: this,
      link,
      onBefore: (event) => this.#order.before(event, link),
      onAfter: (message) => this.#order.after(message, link),
    });
  }

  #onState(state, info) {
    // The page is stale since the last byte, not since the watchdog noticed the silence.
    const silent = Date.now() - this.#connection.aliveAt > this.#heartbeat * 1000;
    if (state === 'connected') this.#staleSince = null;
    else if (state !== 'connecting') this.#staleSince ??= new Date(silent ? this.#connection.aliveAt : Date.now());
    this.#info = { state, ...info };
    this.#publish();
  }

  #publish() {
    const { reconnects, errors } = this.#connection;
    const { seq: cursor, latest, stats } = this.#order.cursor;
    const detail = { ...this.#info, cursor, latest, since: this.#staleSince, stats: { ...stats, reconnects, errors } };
    this.dispatchEvent(new CustomEvent('live:state', { bubbles: true, detail }));
  }

  get #heartbeat() {
    return Number(this.dataset.heartbeat ?? 15);
  }
}

/** `[data-shown]` names the state without a seq that the page shows, such as "archived". */
function shown() {
  const value = document.querySelector('[data-shown]')?.dataset.shown;
  return value ? { shown: value } : {};
}

customElements.define('live-stream', LiveStream);
