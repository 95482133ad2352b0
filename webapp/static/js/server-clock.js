const skew = clockSkew();

/** The time on the server's clock, in ms since the epoch. */
export function serverNow() {
  return Date.now() + skew;
}

/**
 * Milliseconds by which the server's clock is ahead of the viewer's. `<meta name="server-time">` has the time at which the
 * server rendered the response. A difference of up to 2 s counts as none, because the response may have taken that long.
 * A response from the browser's cache tells nothing.
 */
function clockSkew() {
  const wrote = Date.parse(document.querySelector('meta[name="server-time"]')?.content);
  const [page] = performance.getEntriesByType('navigation');
  const skew = wrote - (performance.timeOrigin + (page?.responseStart ?? NaN));
  return Math.abs(skew) > 2000 && page?.transferSize !== 0 ? skew : 0;
}
