const LONGEST_TIMER = 2 ** 31 - 1; // setTimeout fires at once for more

/** Resolves after `ms`, or as soon as `signal` aborts. Infinity means: only when `signal` aborts. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = ms < Infinity ? setTimeout(resolve, Math.min(ms, LONGEST_TIMER)) : 0;
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
