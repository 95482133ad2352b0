import { timeOfDay } from './time-format.js';

/**
 * Shows the newest events as rows, and checks that each seq came once and in order.
 *
 *     const list = new EventList({rows, template, path, since: 40, limit: 100});
 *     list.add(event, {recovered: false});
 *     list.order   // "#41 to #97, each once and in order"
 */
export class EventList {
  #options;
  #expected;
  #broken = '';
  #pending = [];

  constructor(options) {
    this.#options = { limit: 100, ...options };
    this.#expected = options.since + 1;
  }

  add(event, { recovered }) {
    if (event.seq !== this.#expected) this.#broken ||= `#${event.seq} came instead of #${this.#expected}`;
    this.#expected = event.seq + 1;
    // A hidden tab paints nothing: drop the events that would scroll out of the list at the next paint.
    if (this.#pending.length === this.#options.limit) this.#pending.shift();
    if (this.#pending.push([event, recovered]) === 1) requestAnimationFrame(() => this.#paint());
  }

  get order() {
    const { since } = this.#options;
    if (this.#broken) return `broken: ${this.#broken}`;
    if (this.#expected === since + 1) return 'no event yet';
    return `#${since + 1} to #${this.#expected - 1}, each once and in order`;
  }

  #paint() {
    const { rows, limit } = this.#options;
    rows.prepend(...this.#pending.reverse().map(([event, recovered]) => this.#row(event, recovered)));
    this.#pending = [];
    while (rows.childElementCount > limit) rows.lastElementChild.remove();
  }

  #row({ seq, created_at, event_type, phase, payload }, recovered) {
    const { template, path } = this.#options;
    const row = template.content.cloneNode(true).querySelector('tr');
    const [number, time, type, inPhase, said] = row.cells;
    row.id = `e${seq}`;
    row.classList.toggle('demo-row--recovered', recovered);
    number.firstChild.href = `${path}/log?around=${seq}#e${seq}`;
    number.firstChild.textContent = `#${seq}`;
    time.firstChild.dateTime = created_at;
    time.firstChild.textContent = timeOfDay(new Date(created_at));
    type.textContent = event_type;
    inPhase.textContent = phase ?? '';
    said.textContent = payload.message ?? payload.work_item_id ?? payload.checkpoint_id ?? '';
    if (recovered) said.append(tag('recovered'));
    return row;
  }
}

function tag(text) {
  const made = document.createElement('span');
  made.className = 'demo-tag';
  made.textContent = text;
  return made;
}
