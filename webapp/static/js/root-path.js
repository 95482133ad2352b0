/**
 * The path prefix of the server that this module was loaded from: '' or for example '/signalbox'. It is also '' for a copy
 * of the module on another server.
 */
const { origin, pathname } = new URL(import.meta.url);

export const root = (origin === location.origin && /^(.*)\/static\/js\/[^/]+$/.exec(pathname)?.[1]) || '';
