import { framePosition } from './frame-position.js';
import { refusal } from './refusal.js';
import { withParams } from './with-params.js';

/**
 * Fetches the frames after `cursor` up to `end` and calls `show(text, position)` for each. `show` must advance the cursor.
 *
 * dataset   of <live-stream>: `frame` is the address of one frame, `events` that of the events as JSON
 *
 * Throws if a frame cannot be fetched; the page then connects again from its cursor.
 */
export async function fetchLostFrames({ dataset, cursor, end, link, show }) {
  if (!dataset.frame) throw new Error('a frame was lost');
  const lost = await get(withParams(dataset.events, { since_seq: cursor.seq, limit: 1000 }), link);
  if (!(await lost.json()).events.length) throw new Error(NOT_YET);
  while (cursor.seq < end) {
    const text = await (await get(withParams(dataset.frame, { since: cursor.seq }), link)).text();
    link.signal.throwIfAborted();
    const position = framePosition(text);
    if (position.to <= cursor.seq) throw new Error(NOT_YET);
    await show(text, position);
  }
}

const NOT_YET = 'the server does not have the missing events yet';

async function get(url, link) {
  const response = await fetch(url, { cache: 'no-store', signal: link.signal });
  link.alive();
  if (!response.ok) throw new Error((await refusal(response)).message);
  return response;
}
