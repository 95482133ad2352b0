/**
 * Reports a run to a Signalbox server, from Node 18 or later and from browsers. One file without dependencies: copy it.
 *
 *   import { openTask } from './signalbox.js';
 *
 *   const task = openTask({ url: 'http://127.0.0.1:8000', title: 'Nightly sync' });
 *   await task.phase('copying', async (phase) => {
 *     for (const name of names) await phase.workItem(name, 'copy', async (item) => item.log(`copied ${name}`));
 *   });
 *   await task.end();
 *
 * No call waits for the server except `askPermission`, `flush` and `end`, and none throws because of it. Events wait in
 * a bounded queue, are sent in groups, and are sent again with the same keys until the server has them.
 */

const MAX_QUEUE = 10_000;
const MAX_BATCH = 200;
const LINGER_MS = 50;
const FIRST_PAUSE_MS = 250;
const MAX_PAUSE_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
const HEARTBEAT_MS = 10_000;
const KEEPALIVE_BYTES = 60_000; // browsers allow 64 KiB for requests that outlive their page
const MAX_TEXT = 20_000;

/**
 * Open a task, and return its run. `url` is the server, `token` its token. The task gets a new id unless `taskId` names
 * one. `title`, `kind`, `project`, `tags`, `links` and `metadata` describe a new task.
 */
export function openTask(options) {
  return new Run(options);
}

/** The queue of a run, and the requests that empty it. */
class Sender {
  constructor({ url, token, taskId, maxQueue = MAX_QUEUE, fetch: request }, description) {
    this.url = url.replace(/\/+$/, '');
    this.taskId = taskId ?? newId();
    this.identity = null;
    this.dropped = this.refused = 0;
    this._token = token;
    this._fetch = request ?? globalThis.fetch.bind(globalThis);
    this._maxQueue = maxQueue;
    this._description = description;
    this._created = false;
    this._prefix = newId();
    this._count = 0;
    this._queue = [];
    this._reported = 0;
    this._pause = 0;
    this._sending = null;
    this._wakers = new Set();
  }

  add(event) {
    if (this._queue.length >= this._maxQueue) {
      const line = this._queue.findIndex((waiting) => waiting.event_type === 'log');
      this._queue.splice(Math.max(line, 0), 1);
      this.dropped += 1;
    }
    this._queue.push({ key: `${this._prefix}-${this._count++}`, occurred_at: new Date().toISOString(), ...event });
    this._sending ??= this._sendAll();
  }

  /** Wait until the queue is empty, for at most `timeout` ms. Return whether it is. */
  async flush(timeout = 5000) {
    const late = sleep(timeout);
    this._wake();
    while (this._queue.length && !late.over) {
      await Promise.race([this._sending, late.promise]);
    }
    late.cancel();
    return this._queue.length === 0;
  }

  /** Send what waits in one request that outlives the page. It need not arrive, and is sent again if the page stays. */
  sendBeforeLeaving() {
    let body = '[';
    for (const event of this._queue) {
      const text = JSON.stringify(event);
      if (body.length + text.length > KEEPALIVE_BYTES) break;
      body += (body.length > 1 ? ',' : '') + text;
    }
    if (body.length > 1) {
      this._fetch(this._address('/events'), { ...this._options('POST', `${body}]`), keepalive: true }).catch(() => {});
    }
  }

  async request(method, path, body, timeout = REQUEST_TIMEOUT_MS) {
    const options = this._options(method, body === undefined ? undefined : JSON.stringify(body));
    const response = await this._fetch(this.url + path, { ...options, signal: AbortSignal.timeout(timeout) });
    const text = await response.text();
    if (response.ok) return text ? JSON.parse(text) : null;
    const wait = Number(response.headers.get('Retry-After')) * 1000 || 0;
    throw Object.assign(new Error(`${response.status} ${text.slice(0, 300)}`), { status: response.status, wait });
  }

  _options(method, body) {
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    if (this._token) headers.Authorization = `Bearer ${this._token}`;
    return { method, headers, body };
  }

  _address(path) {
    const identity = this.identity ? `?identity=${this.identity}` : '';
    return `${this.url}/api/tasks/${this.taskId}${path}${identity}`;
  }

  async _sendAll() {
    await this._rest(LINGER_MS);
    while (this._queue.length) {
      try {
        if (!this._created) await this._create();
        await this._sendBatch();
        this._pause = 0;
      } catch (error) {
        this._pause = Math.min(Math.max(2 * this._pause, FIRST_PAUSE_MS), MAX_PAUSE_MS);
        await this._rest(Math.max(this._pause, error.wait ?? 0));
      }
    }
    this._sending = null;
  }

  async _create() {
    const task = await this.request('POST', '/api/tasks', { task_id: this.taskId, ...this._description });
    this.identity = task.identity || null;
    this._created = true;
  }

  async _sendBatch() {
    this._reportDropped();
    const batch = this._queue.slice(0, MAX_BATCH);
    try {
      await this._append(batch);
    } catch (error) {
      if (!isFinal(error)) throw error;
      // One event was refused, so none is stored. Send each alone.
      for (const event of batch) {
        try {
          await this._append([event]);
        } catch (failure) {
          if (!isFinal(failure)) throw failure;
          this.refused += 1;
          this._remove([event]);
        }
      }
    }
  }

  async _append(events) {
    await this.request('POST', this._address('/events').slice(this.url.length), events);
    this._remove(events);
  }

  _remove(events) {
    const sent = new Set(events);
    this._queue = this._queue.filter((event) => !sent.has(event));
  }

  _reportDropped() {
    const dropped = this.dropped - this._reported;
    if (!dropped) return;
    this._reported = this.dropped;
    const message = `${dropped} events were dropped, because too many were waiting to be sent`;
    this._queue.unshift({ event_type: 'log', key: newId(), payload: { message, level: 'warning', dropped } });
  }

  async _rest(ms) {
    // A program that ends without `end` must not wait for a server that is away.
    const pause = sleep(ms, ms === LINGER_MS);
    this._wakers.add(pause.cancel);
    await pause.promise;
    this._wakers.delete(pause.cancel);
  }

  _wake() {
    for (const wake of this._wakers) wake();
  }
}

/** A run, a phase, a work item or a tool call: the calls that report something about it. */
class Scope {
  constructor(run, spanId, phase, parent) {
    Object.assign(this, { run, spanId, phaseName: phase, parent });
  }

  log(message, { level, ...fields } = {}) {
    this._emit('log', { message: String(message).slice(0, MAX_TEXT), level, ...fields });
  }

  status(message) {
    this._emit('status', { status: 'running', message });
  }

  /** Open a phase. With `work`, a function, it is closed when the function returns or throws; its value is returned. */
  phase(name, work) {
    const phase = new Step(this.run, newId(), name, this.spanId, ['phase_enter', 'phase_exit', 'phase_exit'], {});
    return phase._run(work);
  }

  /** Open a work item, with or without `work` as in `phase`. */
  workItem(name, type = 'step', work) {
    const names = { work_item_id: name, work_type: type };
    const types = ['work_item_start', 'work_item_complete', 'work_item_failed'];
    return new Step(this.run, newId(), this.phaseName, this.spanId, types, names)._run(work);
  }

  /** Open a tool call, with or without `work` as in `phase`. */
  tool(name, args, work) {
    const types = ['tool_status', 'tool_result', 'tool_result'];
    const tool = new Step(this.run, newId(), this.phaseName, this.spanId, types, { tool_name: name });
    return tool._run(work, { arguments: args, status: 'running' });
  }

  /**
   * Ask a person for permission, and wait for the answer. Returns `{state, by, reason, value}`: the state is
   * `approved`, `denied`, `expired` after `timeout` seconds, `cancelled`, or `cleared`. The token needs the right to read.
   */
  async askPermission(toolName, args, { reason, timeout, choices, responseSchema, editable } = {}) {
    const request = newId();
    const expires = timeout === undefined ? undefined : new Date(Date.now() + timeout * 1000);
    this._emit('permission_request', {
      request_id: request, tool_name: toolName, arguments: args, reason, choices, editable,
      response_schema: responseSchema, expires_at: expires?.toISOString(),
    });
    const answer = await this.run._answerTo(request, expires);
    if (answer.state === 'expired') this._emit('permission_cleared', { request_id: request, cause: 'expired' });
    return answer;
  }

  _emit(type, payload, more = {}) {
    const place = { span_id: this.spanId, parent_span_id: this.parent, phase: this.phaseName, ...more };
    this.run._send(type, payload, place);
  }
}

class Step extends Scope {
  constructor(run, spanId, phase, parent, types, names) {
    super(run, spanId, phase, parent);
    this._types = types;
    this._names = names;
    this._open = false;
  }

  progress(current, total) {
    const type = this._types[0] === 'work_item_start' ? 'work_item_progress' : 'progress_update';
    this._emit(type, { ...this._names, progress: progressOf(current, total) });
  }

  /** Close the step. `fields` are added to its last event. */
  complete(fields = {}) {
    this._close(this._types[1], { ...(this._types[1] === 'tool_result' ? { status: 'done' } : {}), ...fields });
  }

  /** Close the step with an error. */
  fail(error) {
    this._close(this._types[2], errorOf(error));
  }

  _close(type, fields) {
    if (this._open) this._emit(type, { ...this._names, ...fields });
    this._open = false;
  }

  _run(work, fields = {}) {
    this._open = true;
    this._emit(this._types[0], { ...this._names, ...fields });
    return work ? this._around(work) : this;
  }

  async _around(work) {
    try {
      const value = await work(this);
      this.complete();
      return value;
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }
}

class Run extends Scope {
  constructor({ title, kind, project, tags, links, metadata, ...options }) {
    super(null, newId(), undefined, undefined);
    this.run = this;
    this._sender = new Sender(options, { title, kind, project_id: project, tags, links, metadata });
    this._last = Date.now();
    this._emit('runner_spawn', { heartbeat_interval: HEARTBEAT_MS / 1000, ...facts() });
    this._timer = setInterval(() => {
      if (Date.now() - this._last >= HEARTBEAT_MS) this._emit('runner_heartbeat', {});
    }, HEARTBEAT_MS / 4);
    this._timer.unref?.();
    this._leave = () => this._sender.sendBeforeLeaving();
    globalThis.addEventListener?.('pagehide', this._leave);
  }

  get taskId() {
    return this._sender.taskId;
  }

  /** The numbers of events that wait, that were dropped for want of room, and that the server refused. */
  get counts() {
    return { waiting: this._sender._queue.length, dropped: this._sender.dropped, refused: this._sender.refused };
  }

  progress(current, total) {
    this._emit('progress_update', { progress: progressOf(current, total) });
  }

  flush(timeout) {
    return this._sender.flush(timeout);
  }

  /** End the run, failed if there is an `error`, and flush. Returns whether the server has everything. */
  end(error) {
    clearInterval(this._timer);
    globalThis.removeEventListener?.('pagehide', this._leave);
    const failed = error === undefined ? {} : { status: 'failed', ...errorOf(error), traceback: error?.stack };
    this._emit('runner_exit', { exit_code: error === undefined ? 0 : 1, ...failed });
    return this._sender.flush();
  }

  _send(type, payload, place) {
    this._last = Date.now();
    this._sender.add({ event_type: type, payload: defined(payload), ...defined(place) });
  }

  async _answerTo(request, expires) {
    let since = 0;
    let last = 0;
    for (let pause = FIRST_PAUSE_MS; ; ) {
      const left = expires ? expires - Date.now() : Infinity;
      if (left <= 0) return { state: 'expired', by: null, reason: null, value: null };
      try {
        if (await this._sender.flush(Math.min(left, 2000))) {
          const page = `/api/tasks/${this.taskId}/events?since_seq=${since}&limit=1000`;
          const { events } = await this._sender.request('GET', page);
          const answer = events.map((event) => answerIn(event, request)).find(Boolean);
          if (answer) return answer;
          if (events.length) since = events.at(-1).seq;
          if (events.length === 1000) continue;
          if (events.length) last = events.at(-1).event_id;
          const wait = Math.ceil(Math.min(left / 1000, 20));
          const condition = `task=${this.taskId}&until=event&since_event_id=${last}&timeout=${wait}`;
          await this._sender.request('GET', `/api/wait?${condition}`, undefined, 30_000);
        }
        pause = FIRST_PAUSE_MS;
      } catch (error) {
        if (isFinal(error)) throw error;
        pause = Math.min(2 * pause, MAX_PAUSE_MS);
        await sleep(Math.min(Math.max(pause, error.wait ?? 0), left)).promise;
      }
    }
  }
}

/** Return the answer that an event gives to a request. Only the server records acts of people; others only claim them. */
function answerIn({ event_type: type, payload, origin }, request) {
  const said = { by: payload.by ?? null, reason: payload.reason ?? null, value: payload.value ?? null };
  if (type === 'cancel_requested' && origin === 'server') return { state: 'cancelled', ...said };
  if (payload.request_id !== request) return null;
  if (type === 'permission_response' && origin === 'server') {
    return { state: payload.approved === true ? 'approved' : 'denied', ...said };
  }
  if (type === 'permission_cleared') return { state: payload.cause === 'expired' ? 'expired' : 'cleared', ...said };
  return null;
}

/** Whether a request must not be repeated: the server understood and refused it. */
function isFinal(error) {
  return error.status >= 400 && error.status < 500 && ![401, 408, 425, 429].includes(error.status);
}

function errorOf(error) {
  return { error_code: error?.name ?? 'Error', message: String(error?.message ?? error).slice(0, MAX_TEXT) || 'Error' };
}

function progressOf(current, total) {
  return total ? { current, total, percentage: Math.round((1000 * current) / total) / 10 } : { current };
}

function facts() {
  const node = globalThis.process?.versions?.node;
  return node ? { runner_pid: process.pid, node } : { browser: globalThis.navigator?.userAgent };
}

function defined(object) {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined && value !== null));
}

/** A new ULID: 26 characters that sort by time. */
function newId() {
  const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
  let time = Date.now();
  let id = '';
  for (let place = 0; place < 10; place++, time = Math.floor(time / 32)) id = letters[time % 32] + id;
  for (const byte of globalThis.crypto.getRandomValues(new Uint8Array(16))) id += letters[byte % 32];
  return id;
}

function sleep(ms, keepsAlive = true) {
  const state = { over: false };
  state.promise = new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    if (!keepsAlive) timer.unref?.();
    function end() {
      state.over = true;
      clearTimeout(timer);
      resolve();
    }
    state.cancel = end;
  });
  return state;
}
