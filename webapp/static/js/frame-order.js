import { framePosition } from './frame-position.js';
import { fetchLostFrames } from './lost-frames.js';
import { PageCursor } from './page-cursor.js';
import { reloadAfterReset } from './reset-reload.js';
import { steady } from './steady-controls.js';

/**
 * Applies the frames of a page's streams once and in order. A frame that the page already has is dropped. Before a frame
 * that starts after the page's cursor, the missing frames are fetched.
 *
 * element       the <live-stream>
 * onAdvance()   the cursor has moved, or a gap has opened
 */
export class FrameOrder {
  cursor;
  #element;
  #onAdvance;

  constructor(element, onAdvance) {
    this.cursor = new PageCursor(Number(element.dataset.seq));
    this.#element = element;
    this.#onAdvance = onAdvance;
  }

  /** Called before hx-sse applies a message. hx-sse waits for the promise given to `waitUntil`. */
  before(event, link) {
    const { message } = event.detail;
    link.alive();
    if (message.event === 'heartbeat') this.#takeHeartbeat(event, link);
    else if (!message.event) this.#checkFrame(event, link);
  }

  /** Called after hx-sse applied a message. If the server ended the stream, returns the end for a Connection. */
  after({ event, data }, link) {
    if (!event) this.#advance(framePosition(data), link);
    else if (event === 'reconnect') return { farewell: true, message: 'the server asked to reconnect' };
    else if (event === 'reset') return reloadAfterReset();
  }

  #takeHeartbeat({ detail: { message, waitUntil } }, link) {
    const facts = JSON.parse(message.data);
    this.#element.dispatchEvent(new CustomEvent('live:facts', { bubbles: true, detail: facts }));
    this.cursor.noteLatest(facts.latest_seq);
    // latest_seq is the newest seq that this stream has sent, so a page below it has lost a frame.
    if (facts.latest_seq > this.cursor.seq) waitUntil(this.#recover(facts.latest_seq, link));
  }

  #checkFrame(event, link) {
    const { detail } = event;
    const { from, to, latest } = framePosition(detail.message.data);
    const { cursor } = this;
    cursor.noteLatest(latest);
    const redrawn = from === to && to === cursor.seq; // the page changed without an event, for example by the clock
    if (to <= cursor.seq && !redrawn) event.preventDefault();
    else if (from > cursor.seq) {
      detail.waitUntil(this.#recover(from, link).then(() => (detail.cancelled = to <= cursor.seq)));
    } else detail.waitUntil(steady().then(() => (detail.cancelled ||= link.signal.aborted)));
  }

  async #recover(end, link) {
    this.cursor.openGap(end);
    this.#onAdvance();
    await fetchLostFrames({
      dataset: this.#element.dataset,
      cursor: this.cursor,
      end,
      link,
      show: async (text, position) => {
        await htmx.swap({ text, sourceElement: this.#element, swap: 'none' });
        this.#advance(position, link);
      },
    });
  }

  #advance(position, link) {
    this.cursor.advance(position);
    link.progress();
    this.#onAdvance();
  }
}
