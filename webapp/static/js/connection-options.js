/**
 * The options of Connection and their defaults. Times are in milliseconds.
 *
 * open(link)            required; async; reads one connection until it ends. It calls `link.opened()` when the stream is
 *                       open, `link.alive()` at each sign of life and `link.progress()` when something new arrived. It
 *                       sets `link.retry` to the wait that the server asked for, stops when `link.signal` aborts, and
 *                       returns how the connection ended: {message, wait?: ms, fatal?: bool, farewell?: bool,
 *                       lost?: bool, status?: int}. An exception means a lost connection
 * onState(state, info)  `disconnected`, `connecting`, `connected`, `reconnecting` or `error`. info is {attempt, delay,
 *                       message}: failed attempts in a row, ms until the next attempt (0 while it runs), the reason
 * onFailure(end)        called for each lost or refused connection
 * reconnectDelay, reconnectBackoff, maxReconnectDelay
 *                       the waits are 1, 2, 4, 8, 16, 30, 30 … s. `wait` and `link.retry` can only lengthen them
 * watchdogTimeout       how long an open connection may be silent before it counts as lost
 * connectTimeout        the same until the connection is open
 * pauseHidden()         whether to close the connection while the page is hidden
 * probe(signal)         async; called repeatedly during the wait after a lost connection. True ends the wait
 */
export const defaults = {
  reconnectDelay: 1000,
  reconnectBackoff: 2,
  maxReconnectDelay: 30000,
  maxReconnectAttempts: Infinity,
  autoReconnect: true,
  watchdogTimeout: 35000,
  connectTimeout: 10000,
  pauseHidden: () => false,
  probe: null,
  onState() {},
  onFailure() {},
};
