import { pause } from './delay.js';

/**
 * Limits the open streams to four for all pages of this browser. On HTTP/1.1 a browser opens six connections to a server:
 * with a stream in each of seven windows, the next click would wait for ever. HTTP/2 has no such limit.
 *
 *     open: (link) => inTurn(link, (turn) => this.#read(turn))
 *
 * A page needs one of four seats to read. If another page waits for a seat, this page gives its seat up one second after
 * its stream is open, or after five seconds if it does not open. For the Connection all turns are one connection: the
 * page continues from its cursor, a second or two late. A page that gets no seat for six seconds reads for one turn
 * without one, because the pages in the seats may hang. Seats are Web Locks: the browser releases those of a page that is
 * closed or crashes. Where there are no Web Locks (plain HTTP from another machine) there is no limit.
 */
const SEATS = [1, 2, 3, 4].map((number) => `signalbox:stream:${number}`);
const TURN = 1000;
const LONGEST_CONNECT = 5000;
const PATIENCE = 3000; // after that another seat may have a shorter queue
const LONGEST_WAIT = 2 * PATIENCE;

export async function inTurn(link, read) {
  if (!navigator.locks || manyConnections()) return read(link);
  let opened = false;
  for (;;) {
    const seat = await sit(link.signal);
    const turn = new AbortController();
    const signal = AbortSignal.any([link.signal, turn.signal]);
    const yieldAfter = (ms) => wanted(seat, ms, signal).then(() => turn.abort('yield'));
    const onOpened = () => {
      yieldAfter(TURN);
      if (opened) return link.alive();
      opened = true;
      link.opened();
    };
    yieldAfter(LONGEST_CONNECT);
    const mine = Object.assign(Object.create(link), { signal, opened: onOpened });
    try {
      const end = await read(mine);
      if (!turn.signal.aborted) return end;
    } catch (error) {
      if (!turn.signal.aborted) throw error;
    } finally {
      link.retry = mine.retry;
      turn.abort();
      seat.leave();
    }
    link.signal.throwIfAborted();
  }
}

/** Waits for a seat: {name, leave()}; `name` is null if none became free in time. Throws when `signal` aborts. */
async function sit(signal) {
  const until = performance.now() + LONGEST_WAIT;
  while (performance.now() < until) {
    const name = await leastCrowded();
    const leave = await hold(name, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)])).catch(() => null);
    if (leave) return { name, leave };
    signal.throwIfAborted();
  }
  return { name: null, leave() {} };
}

function hold(name, signal) {
  return new Promise((sat, refused) => {
    navigator.locks.request(name, { signal }, () => new Promise(sat)).catch(refused);
  });
}

/** The seat with the fewest pages in it and waiting for it; a random one of them if there are several. */
async function leastCrowded() {
  const { held, pending } = await navigator.locks.query();
  const crowd = (name) => [...held, ...pending].filter((lock) => lock.name === name).length;
  const seats = SEATS.map((name) => ({ name, crowd: crowd(name) + Math.random() / 2 }));
  return seats.sort((a, b) => a.crowd - b.crowd)[0].name;
}

/** Resolves when another page waits for the seat; it looks every `ms`. Without a seat it resolves after `ms`. */
async function wanted({ name }, ms, signal) {
  do await pause(ms, signal);
  while (!signal.aborted && name && !(await navigator.locks.query()).pending.some((lock) => lock.name === name));
}

function manyConnections() {
  const [page] = performance.getEntriesByType('navigation');
  return /^h[23]/.test(page?.nextHopProtocol ?? '');
}
