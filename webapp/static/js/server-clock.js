const skew = clockSkew();

/** The time by the server's clock, in ms since the epoch. */
export function serverNow() {
  return Date.now() + skew;
}

/**
 * Milliseconds by which the server's clock is ahead of the viewer's. `<meta name="server-time">` has the server's clock at
 * the time of the answer. Up to 2 s count as none, because the answer may have taken that long to arrive.
 */
function clockSkew() {
  const wrote = Date.parse(document.querySelector('meta[name="server-time"]')?.content);
  const [page] = performance.getEntriesByType('navigation');
  const skew = wrote - (performance.timeOrigin + (page?.responseStart ?? NaN));
  return Math.abs(skew) > 2000 ? skew : 0;
}
