// The part of a trace's time that is in view, and where an instant lies in it. Pure but for the axis that it draws.
import { h, fill } from './dom.js';

const CLOSEST = 2000; // times that one can zoom in

export class Timescale {
  constructor(from, to) {
    this.fit(from, to);
  }
  /** The whole: [from, to], in ms after the trace's start. */
  fit(from, to) {
    Object.assign(this, { from, to, a: from, b: to });
  }
  get total() {
    return this.to - this.from;
  }
  get width() {
    return this.b - this.a;
  }
  get isWhole() {
    return this.width >= this.total - 1e-9;
  }
  zoom(a, b) {
    const width = Math.max(this.total / CLOSEST, Math.min(this.total, b - a));
    this.a = Math.max(this.from, Math.min(this.to - width, a));
    this.b = this.a + width;
  }
  /** In per cent of what is in view. */
  x(t) {
    return ((t - this.a) / this.width) * 100;
  }
  /** Where [from, to] lies, cut at the edges; null when it is outside. */
  place(from, to) {
    const left = Math.max(0, this.x(from)),
      right = Math.min(100, this.x(to));
    return right < 0 || left > 100 ? null : { left: left + '%', width: Math.max(0.15, right - left) + '%' };
  }
  drawAxis(axis, grid) {
    const rough = this.width / 5,
      power = 10 ** Math.floor(Math.log10(rough)),
      ticks = [];
    const step = [1, 2, 5, 10].map(k => k * power).find(s => s >= rough);
    const first = Math.ceil((this.a - this.from) / step - 1e-9) * step + this.from;
    for (let t = first; t <= this.b + 1e-9; t += step) ticks.push(t);
    grid.style.setProperty('--grid', (step / this.width) * 100 + '%');
    grid.style.setProperty('--grid-0', this.x(ticks[0] ?? this.a) + '%');
    const [unit, name] =
      step >= 1000 ? [1000, ' s'] : step < 0.001 ? [1e-6, ' ns'] : step < 1 ? [0.001, ' µs'] : [1, ' ms'];
    fill(
      axis,
      ticks
        .filter(t => this.x(t) < 92)
        .map(t => {
          const v = +((t - this.from) / unit).toFixed(2);
          return h('span', { style: { left: this.x(t) + '%' } }, v ? v + name : '0');
        }),
    );
  }
}
