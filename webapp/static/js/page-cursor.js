/** How far a page has read a log: its cursor, the newest seq that it has heard of, and the gap that it is filling. */
export class PageCursor {
  stats = { eventsReceived: 0, gapsDetected: 0, gapsRecovered: 0 };
  #gapEnd = 0; // 0 while there is no gap

  constructor(seq) {
    this.seq = this.latest = seq;
  }

  hear(latest) {
    this.latest = Math.max(this.latest, latest);
  }

  /** The events up to `end` were lost. */
  openGap(end) {
    if (!this.#gapEnd) this.stats.gapsDetected += 1;
    this.#gapEnd = end;
  }

  /** The frame with this position is on the page. */
  advance({ to, latest }) {
    this.stats.eventsReceived += to - this.seq;
    this.seq = to;
    this.hear(latest);
    if (this.#gapEnd && to >= this.#gapEnd) {
      this.stats.gapsRecovered += 1;
      this.#gapEnd = 0;
    }
  }
}
