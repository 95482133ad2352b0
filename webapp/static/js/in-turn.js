import { pause } from './pause.js';

/**
 * Four streams at a time for all pages of this browser. On HTTP/1.1 a browser opens six connections to a server: with a
 * stream in each of seven windows the next click would wait for ever. HTTP/2 has no such limit.
 *
 *     open: (link) => inTurn(link, (turn) => this.#open(turn))
 *
 * Reads within a seat. When another page waits for one, this page gives its seat up a second after its stream stands, or
 * after five seconds if it does not. To the Connection all turns are one connection: the page goes on from its cursor, a
 * second or two late. A page that gets no seat for six seconds reads for one turn without one, as the pages in the seats
 * may hang. Seats are Web Locks, which a closed or crashed page lets go of by itself; where there are none (plain HTTP
 * from another machine) every page reads as it likes.
 */
const SEATS = [1, 2, 3, 4].map((number) => `signalbox:stream:${number}`);
const TURN = 1000;
const LONGEST_CONNECT = 5000;
const PATIENCE = 3000; // then another seat may be the better choice
const LONGEST_WAIT = 2 * PATIENCE;

export async function inTurn(link, read) {
  if (!navigator.locks || manyConnections()) return read(link);
  let stands = false;
  for (;;) {
    const seat = await sit(link.signal);
    const turn = new AbortController();
    const signal = AbortSignal.any([link.signal, turn.signal]);
    const yieldAfter = (ms) => wanted(seat, ms, signal).then(() => turn.abort('yield'));
    const opened = () => {
      yieldAfter(TURN);
      if (stands) return link.alive();
      stands = true;
      link.opened();
    };
    yieldAfter(LONGEST_CONNECT);
    const mine = Object.assign(Object.create(link), { signal, opened });
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

/** Resolves when this page may read: {name, leave()}, where `name` is null if no seat was free. Throws when `signal` aborts. */
async function sit(signal) {
  const until = performance.now() + LONGEST_WAIT;
  while (performance.now() < until) {
    const name = await calmest();
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

/** The seat with the fewest pages on it and in line for it; any of them if there are several. */
async function calmest() {
  const { held, pending } = await navigator.locks.query();
  const crowd = (name) => [...held, ...pending].filter((lock) => lock.name === name).length;
  const seats = SEATS.map((name) => ({ name, crowd: crowd(name) + Math.random() / 2 }));
  return seats.sort((a, b) => a.crowd - b.crowd)[0].name;
}

/** Asks every `ms` whether another page waits for the seat, until one does. A page without a seat is always waited for. */
async function wanted({ name }, ms, signal) {
  do await pause(ms, signal);
  while (!signal.aborted && name && !(await navigator.locks.query()).pending.some((lock) => lock.name === name));
}

function manyConnections() {
  const [page] = performance.getEntriesByType('navigation');
  return /^h[23]/.test(page?.nextHopProtocol ?? '');
}
