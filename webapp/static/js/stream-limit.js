import { pause } from './delay.js';

/**
 * Limits all pages of this browser to four open streams. On HTTP/1.1 a browser opens at most six connections to a server,
 * so streams in six tabs would block every other request. HTTP/2 has no such limit.
 *
 *     open: (link) => withStreamLimit(link, (turn) => this.#read(turn))
 *
 * A page reads while it holds one of four slots. If another page waits for the slot, this page releases it one second
 * after its stream has opened, or after five seconds if it does not open, and waits for its next turn. To the Connection
 * all turns are one connection: the page continues from its cursor, a second or two late. A page that gets no slot for six
 * seconds reads for one turn without a slot, because the pages that hold the slots may hang. Slots are Web Locks, which
 * the browser releases when a page is closed or crashes. Without Web Locks (plain HTTP from another machine) there is no
 * limit.
 */
const SLOTS = [1, 2, 3, 4].map((number) => `signalbox:stream:${number}`);
const TURN_MS = 1000;
const MAX_CONNECT_MS = 5000;
const QUEUE_MS = 3000; // after that, another slot may have a shorter queue
const MAX_WAIT_MS = 2 * QUEUE_MS;

export async function withStreamLimit(link, read) {
  if (!navigator.locks || manyConnections()) return read(link);
  let began = false;
  let opened = false;
  for (;;) {
    const slot = await acquireSlot(link.signal);
    if (!began) link.begins(); // The wait for the first slot is no silence of the server.
    began = true;
    const turn = new AbortController();
    const signal = AbortSignal.any([link.signal, turn.signal]);
    const yieldAfter = (ms) => isWanted(slot, ms, signal).then(() => turn.abort('yield'));
    const onOpened = () => {
      yieldAfter(TURN_MS);
      if (opened) return link.alive();
      opened = true;
      link.opened();
    };
    yieldAfter(MAX_CONNECT_MS);
    const turnLink = Object.assign(Object.create(link), { signal, opened: onOpened });
    try {
      const end = await read(turnLink);
      if (!turn.signal.aborted) return end;
    } catch (error) {
      if (!turn.signal.aborted) throw error;
    } finally {
      link.retry = turnLink.retry;
      turn.abort();
      slot.release();
    }
    link.signal.throwIfAborted();
  }
}

/** Waits for a slot: {name, release()}; `name` is null if none became free in time. Throws when `signal` aborts. */
async function acquireSlot(signal) {
  const until = performance.now() + MAX_WAIT_MS;
  while (performance.now() < until) {
    const name = await shortestQueue();
    const release = await hold(name, AbortSignal.any([signal, AbortSignal.timeout(QUEUE_MS)])).catch(() => null);
    if (release) return { name, release };
    signal.throwIfAborted();
  }
  return { name: null, release() {} };
}

function hold(name, signal) {
  return new Promise((acquired, refused) => {
    navigator.locks.request(name, { signal }, () => new Promise(acquired)).catch(refused);
  });
}

/** The slot that the fewest pages hold or wait for; a random one of these if there are several. */
async function shortestQueue() {
  const { held, pending } = await navigator.locks.query();
  const pages = (name) => [...held, ...pending].filter((lock) => lock.name === name).length;
  const queues = SLOTS.map((name) => ({ name, length: pages(name) + Math.random() / 2 }));
  return queues.sort((a, b) => a.length - b.length)[0].name;
}

/** Resolves when another page waits for the slot, checked every `ms`. Without a slot it resolves after `ms`. */
async function isWanted({ name }, ms, signal) {
  do await pause(ms, signal);
  while (!signal.aborted && name && !(await navigator.locks.query()).pending.some((lock) => lock.name === name));
}

function manyConnections() {
  const [page] = performance.getEntriesByType('navigation');
  return /^h[23]/.test(page?.nextHopProtocol ?? '');
}
