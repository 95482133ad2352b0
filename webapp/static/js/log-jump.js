/**
 * "Next failure" on a live page: asks the API for the first failure after the line that is aimed at, and aims at that.
 * The link itself leads to the same place by a page of its own, and says there if there is none.
 */
export async function nextFailure(link, events) {
  const after = Number(/^#e(\d+)$/.exec(location.hash)?.[1] ?? 0);
  const page = new URL(link.href);
  page.searchParams.set('failure_after', after);
  try {
    const response = await fetch(`${events}?failed=1&limit=1&since_seq=${after}`, { cache: 'no-store' });
    const [failure] = response.ok ? (await response.json()).events : [];
    if (failure) location.hash = `e${failure.seq}`;
    else location.assign(page);
  } catch {
    location.assign(page);
  }
}
