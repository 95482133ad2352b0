/**
 * The scroll position of a log, in pixels from its newest line (`fromEnd`) or from its oldest (`fromStart`).
 *
 * The scroller may be `flex-direction: column-reverse`, which shows the newest line before any script runs; its scrollTop
 * is then 0 at the end and negative above it. It needs `overflow-anchor: none`, because <log-follow> keeps the position itself.
 */
export class LogScroller {
  #element;

  constructor(element) {
    this.#element = element;
  }

  listen({ signal, onScroll, onResize }) {
    this.#element.addEventListener('scroll', onScroll, { signal, passive: true });
    const resized = new ResizeObserver(onResize);
    resized.observe(this.#element);
    signal.addEventListener('abort', () => resized.disconnect());
  }

  get atEnd() {
    return this.fromEnd < 24;
  }

  toEnd() {
    this.fromEnd = 0;
  }

  get fromEnd() {
    return this.#reversed ? -this.#element.scrollTop : this.#range - this.#element.scrollTop;
  }
  set fromEnd(pixels) {
    this.#element.scrollTo({ top: this.#reversed ? -pixels : this.#range - pixels, behavior: 'instant' });
  }

  get fromStart() {
    return this.#range - this.fromEnd;
  }
  set fromStart(pixels) {
    this.fromEnd = this.#range - pixels;
  }

  get #reversed() {
    return getComputedStyle(this.#element).flexDirection === 'column-reverse';
  }

  get #range() {
    return this.#element.scrollHeight - this.#element.clientHeight;
  }
}
