/**
 * Draws the last minute as a strip of bars: the events of each half second, how many of them were recovered, and the times
 * without a connection. The number of bars does not depend on the number of events.
 *
 *     const strip = new Strip(svg);
 *     strip.count({recovered: false});
 *     strip.connected = false;
 */
const COLUMNS = 120;
const STEP_MS = 500;
const HEIGHT = 40;

export class Strip {
  connected = false;
  #columns = Array.from({ length: COLUMNS }, () => ({ came: 0, recovered: 0, away: false }));
  #bars;

  constructor(svg) {
    this.#bars = this.#columns.map((_, x) => ['away', 'came', 'recovered'].map((kind) => bar(svg, kind, x)));
    setInterval(() => this.#step(), STEP_MS);
  }

  count({ recovered }) {
    const now = this.#columns.at(-1);
    now.came += 1;
    if (recovered) now.recovered += 1;
  }

  #step() {
    this.#columns.at(-1).away ||= !this.connected;
    this.#draw();
    this.#columns.shift();
    this.#columns.push({ came: 0, recovered: 0, away: !this.connected });
  }

  #draw() {
    const most = Math.max(4, ...this.#columns.map(({ came }) => came));
    this.#columns.forEach(({ came, recovered, away }, x) => {
      [away ? HEIGHT : 0, (came / most) * HEIGHT, (recovered / most) * HEIGHT].forEach((height, kind) => {
        this.#bars[x][kind].setAttribute('y', HEIGHT - height);
        this.#bars[x][kind].setAttribute('height', height);
      });
    });
  }
}

function bar(svg, kind, x) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', 'rect');
  const size = { class: `demo-bar demo-bar--${kind}`, x, y: HEIGHT, width: kind === 'away' ? 1 : 0.8, height: 0 };
  for (const [name, value] of Object.entries(size)) made.setAttribute(name, value);
  svg.append(made);
  return made;
}
