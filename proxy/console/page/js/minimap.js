// The whole trace in small: one lane a depth, so that it stays a picture with thousands of spans; drag to zoom.
import { h } from './dom.js';
import { serviceColour } from './chips.js';

const LANES = 12,
  MARGIN = 3;

function ink(value) {
  const probe = (ink.probe ??= document.body.appendChild(h('i', { hidden: true })));
  probe.style.color = value;
  return getComputedStyle(probe).color;
}

export class Minimap {
  /** `onzoom(from, to)` with instants in ms. */
  constructor(scale, onzoom) {
    this.scale = scale;
    this.canvas = h('canvas.minimap', { 'aria-hidden': 'true' });
    this.lens = h('div.lens');
    this.el = h('div.map', { title: 'Drag to zoom, double-click for all' }, this.canvas, this.lens);
    this.el.addEventListener('dblclick', () => onzoom(scale.from, scale.to));
    this.el.addEventListener('pointerdown', e => this.#drag(e, onzoom));
    this.redraw = () => this.draw();
    this.observer = new ResizeObserver(this.redraw);
    this.observer.observe(this.canvas);
    addEventListener('themechange', this.redraw);
  }
  #drag(e, onzoom) {
    const box = this.canvas.getBoundingClientRect(),
      { scale } = this;
    const at = ev => scale.from + ((ev.clientX - box.left) / box.width) * scale.total,
      from = at(e);
    const move = ev => {
      const to = at(ev);
      if (Math.abs(to - from) > scale.total / 200) onzoom(Math.min(from, to), Math.max(from, to));
    };
    const done = () => {
      removeEventListener('pointermove', move);
      removeEventListener('pointerup', done);
    };
    addEventListener('pointermove', move);
    addEventListener('pointerup', done);
    e.preventDefault();
  }
  /** `rows`, those that are found, and where errors began. */
  show(rows, finds, origins) {
    Object.assign(this, { rows, finds, origins });
    this.draw();
  }
  draw() {
    const { canvas, rows, finds, origins, scale } = this,
      W = canvas.clientWidth,
      H = canvas.clientHeight;
    if (!rows || !W) return;
    const dpr = devicePixelRatio || 1,
      g = canvas.getContext('2d');
    canvas.width = W * dpr;
    canvas.height = H * dpr;
    g.scale(dpr, dpr);
    let deepest = 0;
    for (const r of rows) deepest = Math.max(deepest, r.depth);
    const lanes = Math.min(LANES, deepest + 1),
      lane = (H - 2 * MARGIN) / lanes,
      colours = new Map();
    const colourOf = name => colours.get(name) ?? (colours.set(name, ink(serviceColour(name))), colours.get(name));
    const bar = (r, colour, least) => {
      const s = r.span,
        y = MARGIN + Math.min(r.depth, LANES - 1) * lane;
      g.fillStyle = colour;
      g.fillRect(
        ((s.start - scale.from) / scale.total) * W,
        y,
        Math.max(least, (s.ms / scale.total) * W),
        Math.max(1.5, lane - (lane > 3 ? 1 : 0)),
      );
    };
    g.globalAlpha = finds.size ? 0.22 : 0.85;
    for (const r of rows) bar(r, colourOf(r.span.service), 1);
    g.globalAlpha = 1;
    const bad = ink('var(--err)'),
      hit = ink('var(--accent)');
    for (const r of rows)
      if (finds.has(r)) bar(r, hit, 2);
      else if (!finds.size && origins.has(r.span.id)) bar(r, bad, 2.5);
    this.drawLens();
  }
  drawLens() {
    const { scale, lens } = this;
    lens.hidden = scale.isWhole;
    lens.style.left = ((scale.a - scale.from) / scale.total) * 100 + '%';
    lens.style.width = (scale.width / scale.total) * 100 + '%';
  }
  end() {
    this.observer.disconnect();
    removeEventListener('themechange', this.redraw);
  }
}
