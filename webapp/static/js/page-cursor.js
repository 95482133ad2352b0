/** The position of a page in a log: its cursor, the newest seq that it knows of, and the gap that it is filling. */
export class PageCursor {
  stats = { eventsReceived: 0, gapsDetected: 0, gapsRecovered: 0 };
  #gapEnd = 0; // 0 while there is no gap

  constructor(seq) {
    this.seq = this.latest = seq;
  }

  noteLatest(latest) {
    this.latest = Math.max(this.latest, latest);
  }

  /** Records that events up to `end` are missing. */
  openGap(end) {
    if (!this.#gapEnd) this.stats.gapsDetected += 1;
    this.#gapEnd = end;
  }

  /** Records that the page shows the frame with this position. */
  advance({ to, latest }) {
    this.stats.eventsReceived += to - this.seq;
    this.seq = to;
    this.noteLatest(latest);
    if (this.#gapEnd && to >= this.#gapEnd) {
      this.stats.gapsRecovered += 1;
      this.#gapEnd = 0;
    }
  }
}
