import { defaults } from './connection-options.js';
import { CurrentStep } from './current-step.js';
import { PageLifecycle } from './page-lifecycle.js';
import { ReconnectPolicy } from './reconnect-policy.js';

/**
 * Keeps one connection open: opens it, watches it, waits, and opens it again. EventStreamService and <live-stream> are
 * built on it. connection-options.js describes the options.
 *
 * `online`, a page that is shown again and `retryNow()` end a wait. After `stop()` nothing happens until `start()`.
 */
export class Connection {
  state = 'disconnected';
  errors = 0;
  reconnects = 0;
  aliveAt = Date.now();
  #options;
  #page;
  #step = new CurrentStep();
  #life = null; // AbortController from start() to stop()
  #wasConnected = false;

  constructor(options) {
    const onOpened = () => this.#announce('connected');
    const onAlive = (time) => (this.aliveAt = time);
    this.#options = { ...defaults, ...options, onOpened, onAlive };
    this.#page = new PageLifecycle({
      pauseHidden: this.#options.pauseHidden,
      onCheck: () => this.#step.check(),
      onReturn: () => {
        this.#step.check();
        if (this.state !== 'connected') this.#step.end('resume');
      },
      onOffline: () => this.#goOffline(),
      onSuspend: () => this.#step.end('resume'),
      onRestore: () => this.#step.endWait(),
    });
  }

  start() {
    if (this.#life) return;
    this.#life = new AbortController();
    this.#page.listen(this.#life.signal);
    this.#run(this.#life.signal);
  }

  stop() {
    if (this.#life) this.#finish('disconnected');
  }

  retryNow() {
    if (this.#life) this.#step.endWait();
    else this.start();
  }

  async #run(life) {
    const policy = new ReconnectPolicy(this.#options);
    while (!life.aborted) {
      if (this.#page.suspended) {
        this.#announce('disconnected', { message: 'paused in the background' });
        await this.#step.wait(Infinity);
        continue;
      }
      this.#announce(this.#wasConnected || policy.attempt ? 'reconnecting' : 'connecting', { attempt: policy.attempt });
      const end = await this.#step.connect(this.#options);
      if (life.aborted) return;
      if (!end.farewell && !end.offline && !end.resume) {
        this.errors += 1;
        this.#options.onFailure(end);
        if (life.aborted) return;
      }
      const { finalState, message, delay } = policy.next(end);
      if (finalState) return this.#finish(finalState, message);
      if (delay === 0) continue;
      this.#announce('reconnecting', { attempt: policy.attempt, delay, message });
      await this.#step.wait(delay, end.lost && this.#options.probe);
    }
  }

  #goOffline() {
    this.#step.giveUp('offline');
    const delay = this.#step.remaining;
    if (delay < Infinity) this.#announce('reconnecting', { delay, message: 'offline' });
  }

  #finish(state, message = '') {
    this.#life.abort();
    this.#life = null;
    this.#step.end('stop');
    this.#announce(state, { message });
  }

  #announce(state, info) {
    if (state === 'connected' && this.#wasConnected) this.reconnects += 1;
    this.#wasConnected ||= state === 'connected';
    this.state = state;
    this.#options.onState(state, { attempt: 0, delay: 0, message: '', ...info });
  }
}
