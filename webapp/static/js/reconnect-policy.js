/**
 * Decides after each connection whether to try again, and how long to wait before.
 *
 * attempt   failed attempts in a row
 */
export class ReconnectPolicy {
  attempt = 0;
  #options;

  constructor(options) {
    this.#options = options;
  }

  /** Returns {delay, message} with the delay in ms, or {finalState, message} to give up, after a connection ended. */
  next({ message, resume, fatal, farewell, proven, wait }) {
    const { autoReconnect, maxReconnectAttempts } = this.#options;
    if (proven) this.attempt = 0;
    if (resume) return { delay: 0 };
    if (fatal) return { finalState: 'error', message };
    if (!autoReconnect) return { finalState: 'disconnected', message };
    // A farewell right after a connect counts as a failed attempt; otherwise it would loop without a pause.
    const planned = farewell && (proven || wait > 0);
    if (!planned) this.attempt += 1;
    if (!planned && this.attempt > maxReconnectAttempts) return { finalState: 'error', message: `gave up: ${message}` };
    return { delay: Math.max(planned ? 0 : this.#backoff(), wait ?? 0), message };
  }

  #backoff() {
    const { reconnectDelay, reconnectBackoff, maxReconnectDelay } = this.#options;
    return Math.min(reconnectDelay * reconnectBackoff ** (this.attempt - 1), maxReconnectDelay);
  }
}
