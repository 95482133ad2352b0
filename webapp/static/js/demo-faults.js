/**
 * A fetch that simulates a bad network, for EventStreamService's option `fetch`.
 *
 *     const faults = new Faults((text) => console.log(text));
 *     new EventStreamService(task, {fetch: faults.fetch});
 *
 * goOffline(ms)   cuts every open stream and refuses every connection for `ms`
 * dropNext(n)     removes the next n events from the stream before the parser gets them
 * dropped         the seqs of the removed events
 */
export class Faults {
  dropped = new Set();
  #note;
  #offlineUntil = 0;
  #toDrop = 0;
  #cuts = new Set();

  constructor(note) {
    this.#note = note;
  }

  get offline() {
    return Date.now() < this.#offlineUntil;
  }

  goOffline(ms) {
    this.#offlineUntil = Date.now() + ms;
    for (const cut of this.#cuts) cut();
  }

  dropNext(count) {
    this.#toDrop += count;
  }

  fetch = async (url, options) => {
    this.#check();
    const response = await fetch(url, options);
    this.#check();
    if (!response.headers.get('Content-Type')?.includes('text/event-stream')) return response;
    const { status, headers } = response;
    return new Response(this.#through(response.body.getReader()), { status, headers });
  };

  #check() {
    if (this.offline) throw new TypeError('no network (simulated)');
  }

  #through(reader) {
    const [decoder, encoder] = [new TextDecoder(), new TextEncoder()];
    let rest = '';
    let cut;
    const forget = () => this.#cuts.delete(cut);
    return new ReadableStream({
      start: (controller) => {
        cut = () => {
          forget();
          controller.error(new TypeError('the network went away (simulated)'));
          reader.cancel().catch(() => {});
        };
        this.#cuts.add(cut);
      },
      pull: async (controller) => {
        // A pull that enqueues nothing is not called again, so read until there is a message to pass on.
        for (let passed = ''; !passed; ) {
          const { done, value } = await reader.read();
          if (!this.#cuts.has(cut)) return;
          if (done) return void (forget(), controller.close());
          const blocks = (rest + decoder.decode(value, { stream: true })).split('\n\n');
          rest = blocks.pop();
          passed = blocks.filter((block) => !this.#drops(block)).map((block) => `${block}\n\n`).join('');
          if (passed) controller.enqueue(encoder.encode(passed));
        }
      },
      cancel: (reason) => {
        forget();
        return reader.cancel(reason);
      },
    });
  }

  #drops(block) {
    const seq = /^id: (\d+)$/m.exec(block)?.[1];
    if (!seq || !this.#toDrop) return false;
    this.#toDrop -= 1;
    this.dropped.add(Number(seq));
    this.#note(`dropped #${seq} on its way`);
    return true;
  }
}
