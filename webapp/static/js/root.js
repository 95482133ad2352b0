/**
 * The path below which the server lives that this module came from: '' or a prefix such as '/signalbox'. It is '' too for
 * a copy of the module that some other server gives out.
 */
const { origin, pathname } = new URL(import.meta.url);

export const root = (origin === location.origin && /^(.*)\/static\/js\/[^/]+$/.exec(pathname)?.[1]) || '';
