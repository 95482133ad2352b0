import { pause } from './delay.js';

/**
 * The wait before the next attempt. It is over after `ms`, after `end()`, or when `probe` returns true.
 *
 * probe(signal)   optional, async; called at random intervals, so that pages do not probe in step. A rejection counts as false
 */
export class ReconnectWait {
  #ended = new AbortController();

  constructor(ms, probe) {
    const { signal } = this.#ended;
    this.until = Date.now() + ms;
    this.over = pause(ms, signal).then(() => this.end());
    if (probe) succeeds(probe, Math.max(MIN_PROBE_GAP_MS, ms / 40), signal).then(() => this.end());
  }

  get remaining() {
    return this.until - Date.now();
  }

  end() {
    this.#ended.abort();
  }
}

const MIN_PROBE_GAP_MS = 400;

async function succeeds(probe, gap, signal) {
  do await pause(gap * (1 + Math.random()), signal);
  while (!signal.aborted && !(await probe(signal).catch(() => false)));
}
