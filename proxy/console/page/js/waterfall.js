// The waterfall: which spans are shown, which is selected, which part of the time is in view. It knows no address and no drawer.
import { h, fill } from './dom.js';
import { plural } from './text.js';
import { Windowed } from './windowed.js';
import { tree, under, criticalPath, origins, extent } from './tree.js';
import { Timescale } from './timescale.js';
import { Minimap } from './minimap.js';
import { splitter } from './splitter.js';
import { spanRow } from './spanrow.js';

const ROW_PX = 28;
const textOf = s => JSON.stringify([s.name, s.service, s.id, s.status, s.attrs, s.events, s.logs]).toLowerCase();

export class Waterfall {
  /** `on` = {pick(span id or null, isOpen), root(span id or null), allSpans()}: the reader's acts, and when a span hides behind "hops only". */
  constructor(spans, on) {
    this.on = on;
    this.all = tree(spans);
    this.byId = new Map(this.all.rows.map(r => [r.span.id, r]));
    this.errors = this.all.rows.filter(r => r.span.status === 'error');
    this.longest = this.all.roots.reduce((a, b) => (b.start + b.ms > a.start + a.ms ? b : a));
    this.rows = this.seen = this.all.rows;
    this.found = [];
    this.text = '';
    this.top = null;
    this.isHopsOnly = false;
    this.scale = new Timescale(...extent(this.rows));
    this.look = {
      scale: this.scale,
      folded: new Set(),
      finds: new Set(),
      origins: origins(this.all.rows, this.all.kids),
      path: new Map(),
      sel: null,
      onfold: id => this.fold(id),
      pick: id => this.pick(id),
    };
    this.map = new Minimap(this.scale, (a, b) => this.zoom(a, b));
    this.note = h('div.root-note', { hidden: true });
    this.axis = h('div');
    this.grid = h(
      'div.wf#spans',
      { role: 'treegrid', 'aria-label': 'Spans', tabindex: '0' },
      h('div.axis', { 'aria-hidden': 'true' }, h('span.dim', 'Span'), this.axis),
    );
    this.el = h('div.trace-main');
    this.el.append(this.map.el, this.note, this.grid, splitter(this.el, this.grid));
    this.grid.addEventListener('wheel', e => this.#pinch(e), { passive: false });
  }
  /** Once `el` is in the page. */
  begin() {
    this.list = new Windowed(this.grid, {
      rowHeight: () => ROW_PX,
      key: i => this.seen[i].span.id,
      render: i => spanRow(this.seen[i], this.look),
    });
    this.reroot(null);
  }
  end() {
    this.map.end();
    this.list.end();
  }
  get sel() {
    return this.look.sel;
  }
  span(id) {
    return this.byId.get(id)?.span;
  }
  hasKids(id) {
    return this.byId.get(id).kids > 0;
  }
  indexOf(id) {
    return this.seen.findIndex(r => r.span.id === id);
  }
  /** A span by its id, or by the request that it stands for. */
  lookUp(id) {
    return this.span(id) ?? this.all.rows.find(r => r.span.request === id)?.span;
  }

  // -- which rows

  #order() {
    this.seen = [];
    let skip = Infinity;
    for (const r of this.rows) {
      if (r.depth > skip) continue;
      skip = this.look.folded.has(r.span.id) ? r.depth : Infinity;
      if (!this.isHopsOnly || r.span.in || r.span.missing || r === this.rows[0]) this.seen.push(r);
    }
    this.grid.setAttribute('aria-rowcount', this.seen.length + 1);
    this.list.set(this.seen.length, false);
  }
  fold(id, on = !this.look.folded.has(id)) {
    on ? this.look.folded.add(id) : this.look.folded.delete(id);
    this.#order();
  }
  hopsOnly(on) {
    this.isHopsOnly = on;
    this.#order();
  }
  criticalPath(on) {
    this.grid.classList.toggle('no-crit', !on);
  }
  /** Only one span and what is below it; null: the whole trace. */
  reroot(id) {
    this.top = id && this.span(id) ? id : null;
    this.rows = this.top ? under(this.all.rows, this.top) : this.all.rows;
    this.look.path = criticalPath(this.top ? this.span(this.top) : this.longest, this.all.kids);
    this.scale.fit(...extent(this.rows));
    this.note.hidden = !this.top;
    if (this.top)
      fill(
        this.note,
        h(
          'span.cut.grow',
          'Only ',
          h('b', this.span(this.top).name),
          ` and below: ${plural(this.rows.length, 'span')}`,
        ),
        h('button.btn', { type: 'button', onclick: () => this.reroot(null) }, 'Whole trace'),
      );
    this.#order();
    this.find(this.text);
    this.scale.drawAxis(this.axis, this.grid);
    this.on.root(this.top);
  }
  /** Marks the spans that have `text` in them and returns their number. */
  find(text) {
    this.text = text;
    const q = text.trim().toLowerCase();
    this.found = q ? this.rows.filter(r => (this.byId.get(r.span.id).text ??= textOf(r.span)).includes(q)) : [];
    this.look.finds = new Set(this.found);
    this.list.redraw();
    this.map.show(this.rows, this.look.finds, this.look.origins);
    return this.found.length;
  }

  // -- which one

  /** Makes a span visible wherever it is: outside the root, under a fold, not a hop. */
  #uncover(id) {
    if (this.top && !this.rows.some(r => r.span.id === id)) this.reroot(null);
    if (this.indexOf(id) >= 0) return;
    if (this.isHopsOnly && !this.span(id).in) this.on.allSpans();
    const above = new Set();
    for (let p = this.span(id).parent; p && !above.has(p); p = this.span(p)?.parent) {
      above.add(p);
      this.look.folded.delete(p);
    }
    this.#order();
  }
  pick(id, isOpen = true) {
    this.look.sel = id;
    for (const el of this.grid.querySelectorAll('[aria-selected=true]')) el.setAttribute('aria-selected', 'false');
    if (id) {
      this.#uncover(id);
      const { start, ms } = this.span(id),
        { scale } = this;
      if (start > scale.b || start + ms < scale.a) this.zoom(start - scale.width * 0.3, start + scale.width * 0.7);
      this.list.show(this.indexOf(id));
      this.list.element(this.indexOf(id))?.setAttribute('aria-selected', 'true');
      this.grid.setAttribute('aria-activedescendant', 'span-' + id);
    } else this.grid.removeAttribute('aria-activedescendant');
    this.on.pick(id, isOpen);
  }
  step(d) {
    const r = this.seen[Math.max(0, Math.min(this.seen.length - 1, this.indexOf(this.sel) + d))];
    if (r) this.pick(r.span.id);
  }
  jump(rows, d) {
    if (!rows.length) return;
    const i = rows.findIndex(r => r.span.id === this.sel);
    this.pick(rows[(i < 0 ? (d > 0 ? 0 : rows.length - 1) : i + d + rows.length) % rows.length].span.id);
  }

  // -- which time

  zoom(a, b) {
    this.scale.zoom(a, b);
    this.list.redraw();
    this.scale.drawAxis(this.axis, this.grid);
    this.map.drawLens();
  }
  zoomBy(factor) {
    const { scale } = this,
      s = this.sel && this.span(this.sel),
      middle = s ? s.start + s.ms / 2 : (scale.a + scale.b) / 2,
      half = (scale.width * factor) / 2;
    this.zoom(middle - half, middle + half);
  }
  zoomOut() {
    this.zoom(this.scale.from, this.scale.to);
  }
  pan(share) {
    const { scale } = this;
    this.zoom(scale.a + scale.width * share, scale.b + scale.width * share);
  }
  /** A pinch on a trackpad comes as a wheel with ctrl. */
  #pinch(e) {
    if (!e.ctrlKey) return;
    e.preventDefault();
    const { scale } = this,
      box = this.axis.getBoundingClientRect(),
      factor = e.deltaY > 0 ? 1.25 : 0.8;
    const at = scale.a + ((e.clientX - box.left) / box.width) * scale.width;
    this.zoom(at - (at - scale.a) * factor, at + (scale.b - at) * factor);
  }
}
