const INTERVAL = 10_000;
let planned;

/**
 * Reloads the page, because the server has another log than the one that it shows; at most once in 10 s, however often the
 * log is replaced. A page plans one reload, also if more resets arrive before it. Returns the end of the stream, for a
 * Connection.
 */
export function reloadAfterReset() {
  if (planned) return planned;
  const next = Number(sessionStorage.getItem('live:reset')) + INTERVAL;
  const wait = Math.max(0, Math.min(next - Date.now(), INTERVAL));
  sessionStorage.setItem('live:reset', String(Date.now() + wait));
  setTimeout(() => location.reload(), wait);
  const soon = wait ? `loading the page again in ${Math.ceil(wait / 1000)} s` : 'reloading';
  planned = { fatal: true, message: `the log was replaced on the server: ${soon}` };
  return planned;
}
