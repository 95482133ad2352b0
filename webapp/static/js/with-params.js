/** An address with query parameters set: `withParams('/a?b=1', { c: 2 })` returns 'http://…/a?b=1&c=2'. */
export function withParams(address, params) {
  const url = new URL(address, document.baseURI);
  for (const [name, value] of Object.entries(params)) url.searchParams.set(name, value);
  return url.href;
}
