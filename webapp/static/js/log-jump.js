import { aimedSeq } from './log-rows.js';

/**
 * "Next failure" and "Previous failure" on a live page: goes to the failure after or before the line that the address names.
 * The link leads to a page of the log around this failure, or to one that says that there is none. The server's redirect to
 * it has the seq, so that a failure is shown on this page. `data-jump` names the parameter of the link.
 */
export async function jump(link) {
  const page = new URL(link.href);
  page.searchParams.set(link.dataset.jump, aimedSeq());
  const { ok, url } = await fetch(page, { method: 'HEAD', cache: 'no-store' }).catch(() => ({ ok: false }));
  const found = ok ? new URL(url).searchParams : page.searchParams;
  if (found.has(link.dataset.jump)) location.assign(page);
  else location.hash = `e${found.get('around')}`;
}
