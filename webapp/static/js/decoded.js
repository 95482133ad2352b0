/** Decodes a percent-encoded text. One that is not valid, from an address or a cookie that somebody wrote, stays as it is. */
export function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
