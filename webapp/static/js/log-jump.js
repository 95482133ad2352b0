import { aimedSeq } from './log-rows.js';
import { withParams } from './with-params.js';

/**
 * "Next failure" on a live page: asks the API for the first failure after the line that the address names, and goes there.
 * Without a script the link leads to a page of the log, which also says if there is no failure.
 */
export async function nextFailure(link, events) {
  const after = aimedSeq();
  const page = new URL(link.href);
  page.searchParams.set('failure_after', after);
  try {
    const response = await fetch(withParams(events, { failed: 1, limit: 1, since_seq: after }), { cache: 'no-store' });
    const [failure] = response.ok ? (await response.json()).events : [];
    if (failure) location.hash = `e${failure.seq}`;
    else location.assign(page);
  } catch {
    location.assign(page);
  }
}
