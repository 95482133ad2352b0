import { ConnectionAttempt } from './connection-attempt.js';
import { ReconnectWait } from './reconnect-wait.js';

/** The current step of a Connection: an attempt, the wait before the next one, or nothing. */
export class CurrentStep {
  #attempt = null;
  #wait = null;

  /** Opens a connection with the options of ConnectionAttempt. Returns how it ended. */
  async connect(options) {
    const attempt = (this.#attempt = new ConnectionAttempt(options));
    const end = await attempt.run();
    if (this.#attempt === attempt) this.#attempt = null;
    return end;
  }

  async wait(ms, probe) {
    const wait = (this.#wait = new ReconnectWait(ms, probe));
    await wait.over;
    if (this.#wait === wait) this.#wait = null;
  }

  /** Milliseconds until the wait is over; Infinity if there is none or if it has no limit. */
  get remaining() {
    return this.#wait?.remaining ?? Infinity;
  }

  /** Gives up an attempt that has been silent for too long. */
  check() {
    this.#attempt?.check();
  }

  giveUp(reason) {
    this.#attempt?.giveUp(reason);
  }

  endWait() {
    this.#wait?.end();
  }

  end(reason) {
    this.giveUp(reason);
    this.endWait();
  }
}
