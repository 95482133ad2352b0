/**
 * Parses server-sent events from bytes that arrive in pieces of any size (WHATWG HTML, "Parsing an event stream").
 *
 *     const parser = new SseParser();
 *     for (const {event, data, id, retry} of parser.push(bytes)) …
 *
 * `event` is '' for an unnamed message; `data` has its lines joined by LF; `id` is the last id seen on the stream;
 * `retry` is in milliseconds, or null. Unlike an EventSource it also yields blocks without data, so that a bare
 * `event:` or `retry:` is seen. A block that the stream's end cuts off is not yielded.
 */
export class SseParser {
  #decoder = new TextDecoder(); // drops a leading BOM
  #partial = '';
  #afterCR = false;
  #id = '';
  #block = emptyBlock();

  push(bytes) {
    let text = this.#decoder.decode(bytes, { stream: true });
    if (!text) return [];
    if (this.#afterCR && text[0] === '\n') text = text.slice(1); // a CRLF that two chunks split is one line end
    this.#afterCR = text === '' ? false : text.endsWith('\r');
    const lines = text.split(/\r\n|\r|\n/);
    lines[0] = this.#partial + lines[0];
    this.#partial = lines.pop();
    return lines.map((line) => this.#take(line)).filter(Boolean);
  }

  #take(line) {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return null;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + (line[colon + 1] === ' ' ? 2 : 1));
    const block = this.#block;
    if (field === 'data') block.data.push(value);
    else if (field === 'event') block.event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
    else if (field === 'retry' && /^\d+$/.test(value)) block.retry = Number(value);
    return null;
  }

  #dispatch() {
    const { event, data, retry } = this.#block;
    this.#block = emptyBlock();
    if (!data.length && !event && retry === null) return null;
    return { event, data: data.join('\n'), id: this.#id, retry };
  }
}

function emptyBlock() {
  return { event: '', data: [], retry: null };
}
