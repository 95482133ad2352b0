/**
 * One connection of a Connection, from its opening to its end, under a watchdog.
 *
 *     const end = await new ConnectionAttempt({ open, connectTimeout, watchdogTimeout, onOpened, onAlive }).run();
 *
 * `run()` never rejects. It returns what `open` returned (see connection-options.js) or the reason of `giveUp(reason)`,
 * and `proven`: whether the connection worked, so that the next wait is the shortest again.
 */
export class ConnectionAttempt {
  #abort = new AbortController();
  #heardAt = Date.now(); // wall clock, because it keeps running while the machine sleeps
  #openedAt = Infinity;
  #progressed = false;
  #silenceLimit;
  #options;

  constructor(options) {
    this.#options = options;
    this.#silenceLimit = options.connectTimeout;
  }

  /** Ends the attempt: 'stop', 'resume', 'offline' or 'silent'. Only the first reason counts. */
  giveUp(reason) {
    this.#abort.abort(reason);
  }

  /** Gives up if the connection has been silent for too long. */
  check() {
    if (Date.now() - this.#heardAt > this.#silenceLimit) this.giveUp('silent');
  }

  async run() {
    const { signal } = this.#abort;
    const link = this.#link();
    const watchdog = setInterval(() => this.check(), Math.min(1000, this.#options.watchdogTimeout / 4));
    let end;
    try {
      end = await Promise.race([this.#options.open(link), afterGrace(signal)]);
    } catch (error) {
      end = { message: error?.message ?? String(error), lost: true };
    }
    if (signal.aborted) end = endings[signal.reason](this.#silenceLimit);
    clearInterval(watchdog);
    this.giveUp('ended');
    const proven = this.#progressed || Date.now() - this.#openedAt > PROVEN_AFTER;
    return { ...end, wait: end.wait ?? link.retry, proven };
  }

  #link() {
    const { signal } = this.#abort;
    const alive = () => this.#options.onAlive((this.#heardAt = Date.now()));
    const opened = () => {
      if (signal.aborted) return;
      alive();
      this.#openedAt = this.#heardAt;
      this.#silenceLimit = this.#options.watchdogTimeout;
      this.#options.onOpened();
    };
    const begins = () => void (this.#heardAt = Date.now());
    return { signal, retry: null, begins, alive, opened, progress: () => void (this.#progressed = true) };
  }
}

const PROVEN_AFTER = 5000;
const GRACE = 2000;

/** How an attempt ended, by the reason for which the page gave it up. */
const endings = {
  stop: () => ({}),
  resume: () => ({ resume: true }),
  offline: () => ({ message: 'offline', offline: true, lost: true }),
  silent: (limit) => ({ message: `no data for ${limit / 1000} s`, lost: true }),
};

/** Resolves some time after the abort, because a `fetch` that ignores its signal must not block the page. */
function afterGrace(signal) {
  return new Promise((resolve) => signal.addEventListener('abort', () => setTimeout(resolve, GRACE)));
}
