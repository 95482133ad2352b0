const MAX_TIMER_MS = 2 ** 31 - 1; // setTimeout fires at once for a longer time

/** Resolves after `ms`, or as soon as `signal` aborts. With Infinity it resolves only when `signal` aborts. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = ms < Infinity ? setTimeout(resolve, Math.min(ms, MAX_TIMER_MS)) : 0;
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
