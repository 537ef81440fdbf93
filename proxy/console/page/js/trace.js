// One trace as a waterfall. All of the reader's state is in the hash: span, find, root.
import { h, fill, icon } from './dom.js';
import { page, backTo, empty } from './frame.js';
import { when, ms, num, plural } from './text.js';
import { tag, idChip, svc, copy, short } from './chips.js';
import { Windowed } from './windowed.js';
import { tree, under, criticalPath, origins as originsOf, extent } from './tree.js';
import { Timescale } from './timescale.js';
import { Minimap } from './minimap.js';
import { splitter } from './splitter.js';
import { spanRow } from './waterfall.js';
import { details } from './span.js';
import * as api from './api.js';

const ROW = 28;
const textOf = s => JSON.stringify([s.name, s.service, s.id, s.status, s.attrs, s.events, s.logs]).toLowerCase();

function gone(root, id) {
  page(
    root,
    'Trace',
    { crumbs: backTo('#/traces', 'Traces') },
    empty(
      'This trace is not here',
      `${short(id)} has left the store, was not sampled, or went to another console.`,
      h('a.btn', { href: '#/live?q=' + encodeURIComponent('trace:' + id) }, 'Look for its requests'),
    ),
  );
  return {};
}
const toggle = (name, key, title, pressed, onclick) =>
  h('button.btn', { type: 'button', 'aria-pressed': pressed, title: `${title} (${key})`, onclick }, name);

export async function trace(root, { id, params, set }) {
  const t = await api.trace(id);
  if (!t?.spans?.length) return gone(root, id);
  const all = tree(t.spans),
    byId = new Map(all.rows.map(r => [r.span.id, r]));
  const errors = all.rows.filter(r => r.span.status === 'error'),
    longest = all.roots.reduce((a, b) => (b.start + b.ms > a.start + a.ms ? b : a));
  const scale = new Timescale(...extent(all.rows)),
    spanOf = s => byId.get(s)?.span;
  const look = {
    scale,
    folded: new Set(),
    finds: new Set(),
    origins: originsOf(all.rows, all.kids),
    path: new Map(),
    sel: null,
    onfold: k => fold(k),
    pick: k => pick(k),
  };
  let rows = all.rows,
    seen = rows,
    hopsOnly = false,
    found = [],
    text = params.get('find') ?? '',
    top = null;

  const find = h('input', {
    type: 'search',
    value: text,
    placeholder: 'Find: name, service, attribute, log',
    'aria-label': 'Find in trace',
    spellcheck: 'false',
    oninput: () => {
      text = find.value;
      search();
      if (found[0]) pick(found[0].span.id, false);
    },
  });
  const count = h('span.dim.count', { 'aria-live': 'polite' });
  const critBtn = toggle('Critical path', 'c', 'What the total waits for', true, () => {
    critBtn.setAttribute('aria-pressed', !grid.classList.toggle('no-crit'));
  });
  const hopsBtn = toggle('Hops only', 'x', 'Only the calls between services', false, () => {
    hopsOnly = !hopsOnly;
    hopsBtn.setAttribute('aria-pressed', hopsOnly);
    order();
  });
  const errBtn = h(
    'button.btn',
    { type: 'button', disabled: !errors.length, title: 'Next error (e)', onclick: () => jump(errors, 1) },
    icon('alert'),
    h('span', plural(errors.length, 'error')),
    h('kbd', { 'aria-hidden': 'true' }, 'e'),
  );
  const rootNote = h('div.root-note', { hidden: true });
  const map = new Minimap(scale, (a, b) => zoom(a, b));
  const axis = h('div'),
    grid = h(
      'div.wf#spans',
      { role: 'treegrid', 'aria-label': 'Spans', tabindex: '0' },
      h('div.axis', { 'aria-hidden': 'true' }, h('span.dim', 'Span'), axis),
    );
  const drawer = h('aside.drawer', { 'aria-label': 'Span', hidden: true }),
    room = h('div.trace-main');
  room.append(map.el, rootNote, grid, splitter(room, grid));
  const services = [...t.services].sort((a, b) => b.spans - a.spans);
  page(
    root,
    h('span', h('b', t.root?.service), ' ', t.root?.name),
    {
      crumbs: backTo('#/traces', 'Traces'),
      actions: [
        h(
          'a.btn',
          { href: '#/traces?compare=' + t.id, title: 'Compare with another trace' },
          icon('compare'),
          h('span', 'Compare'),
        ),
        h(
          'a.btn',
          { href: api.otlpOf(t.id), download: `trace-${short(t.id)}.json`, title: 'Download as OTLP/JSON' },
          icon('download'),
          h('span', 'JSON'),
        ),
      ],
    },
    h(
      'div.toolbar.trace-bar',
      h(
        'div.row.wrap.facts',
        idChip(t.id, { what: 'trace id', shown: true }),
        h('span.strong', ms(t.ms)),
        h('span.mid', when(t.start, ' ago')),
        h('span.mid', plural(t.spans.length, 'span')),
        t.truncated ? h('span.warn', `${num(t.truncated)} more not shown`) : null,
        t.session
          ? idChip(t.session, { href: '#/sessions/' + encodeURIComponent(t.session), what: 'session id', shown: true })
          : null,
        t.notes.map(tag),
      ),
      t.sentence ? h('p.verdict', t.sentence) : null,
      h(
        'div.row.wrap',
        h('label.field.find', icon('search'), find, count, h('kbd', { 'aria-hidden': 'true' }, '/')),
        errBtn,
        critBtn,
        hopsBtn,
        h(
          'span.row.wrap.svcs',
          services.slice(0, 8).map(s => svc(s.name, h('span.dim', num(s.spans)))),
          services.length > 8
            ? h(
                'span.dim',
                {
                  title: services
                    .slice(8)
                    .map(s => s.name)
                    .join(', '),
                },
                `and ${services.length - 8} more`,
              )
            : null,
        ),
      ),
    ),
    h('div.trace', room, drawer),
  );
  const list = new Windowed(grid, {
    rowHeight: () => ROW,
    key: i => seen[i].span.id,
    render: i => spanRow(seen[i], look),
  });

  /** Which rows are shown: those of the root in force, not folded away, hops only. */
  function order() {
    seen = [];
    let skip = Infinity;
    for (const r of rows) {
      if (r.depth > skip) continue;
      skip = look.folded.has(r.span.id) ? r.depth : Infinity;
      if (!hopsOnly || r.span.in || r.span.missing || r === rows[0]) seen.push(r);
    }
    grid.setAttribute('aria-rowcount', seen.length + 1);
    list.set(seen.length, false);
  }
  const indexOf = k => seen.findIndex(r => r.span.id === k);
  function reroot(k) {
    top = k && spanOf(k) ? k : null;
    set({ root: top });
    rows = top ? under(all.rows, top) : all.rows;
    look.path = criticalPath(top ? spanOf(top) : longest, all.kids);
    scale.fit(...extent(rows));
    rootNote.hidden = !top;
    if (top)
      fill(
        rootNote,
        h('span.cut.grow', 'Only ', h('b', spanOf(top).name), ` and below: ${plural(rows.length, 'span')}`),
        h('button.btn', { type: 'button', onclick: () => reroot(null) }, 'Whole trace'),
      );
    order();
    search();
    redraw();
  }
  function fold(k, on = !look.folded.has(k)) {
    on ? look.folded.add(k) : look.folded.delete(k);
    order();
  }
  function search() {
    const q = text.trim().toLowerCase();
    set({ find: q });
    found = q ? rows.filter(r => (byId.get(r.span.id).text ??= textOf(r.span)).includes(q)) : [];
    look.finds = new Set(found);
    count.textContent = q ? num(found.length) : '';
    list.redraw();
    map.show(rows, look.finds, look.origins);
  }
  function jump(among, d) {
    if (!among.length) return;
    const i = among.findIndex(r => r.span.id === look.sel);
    pick(among[(i + d + among.length) % among.length].span.id);
  }
  /** Makes a span visible wherever it is: outside the root, under a fold, no hop. */
  function uncover(k) {
    if (top && !rows.some(r => r.span.id === k)) reroot(null);
    if (indexOf(k) >= 0) return;
    if (hopsOnly && !spanOf(k).in) hopsBtn.click();
    const above = new Set();
    for (let p = spanOf(k).parent; p && !above.has(p); p = spanOf(p)?.parent) {
      above.add(p);
      look.folded.delete(p);
    }
    order();
  }
  function pick(k, isOpen = true) {
    look.sel = k;
    set({ span: k });
    for (const el of grid.querySelectorAll('[aria-selected=true]')) el.setAttribute('aria-selected', 'false');
    if (!k) {
      drawer.hidden = true;
      grid.removeAttribute('aria-activedescendant');
      return;
    }
    uncover(k);
    const s = spanOf(k);
    if (s.start > scale.b || s.start + s.ms < scale.a) zoom(s.start - scale.width * 0.3, s.start + scale.width * 0.7);
    list.show(indexOf(k));
    list.element(indexOf(k))?.setAttribute('aria-selected', 'true');
    grid.setAttribute('aria-activedescendant', 'span-' + k);
    if (isOpen) open(s);
  }
  async function open(s) {
    const request = s.request ? await api.request(s.request).catch(() => null) : null;
    if (look.sel !== s.id) return;
    drawer.hidden = false;
    fill(
      drawer,
      details(s, request, {
        close: () => pick(null),
        isRoot: top === s.id,
        root: byId.get(s.id).kids ? () => asRoot(s.id) : null,
      }),
    );
    drawer.scrollTop = 0;
  }
  const asRoot = k => {
    reroot(top === k ? null : k);
    pick(k);
  };
  function redraw() {
    list.redraw();
    scale.drawAxis(axis, grid);
    map.drawLens();
  }
  function zoom(a, b) {
    scale.zoom(a, b);
    redraw();
  }
  function zoomBy(factor, around) {
    const s = look.sel && spanOf(look.sel),
      m = around ?? (s ? s.start + s.ms / 2 : (scale.a + scale.b) / 2),
      w = (scale.width * factor) / 2;
    zoom(m - w, m + w);
  }
  const pan = share => zoom(scale.a + scale.width * share, scale.b + scale.width * share);
  grid.addEventListener(
    'wheel',
    e => {
      // a pinch on a trackpad comes as this
      if (!e.ctrlKey) return;
      e.preventDefault();
      const box = axis.getBoundingClientRect(),
        at = scale.a + ((e.clientX - box.left) / box.width) * scale.width,
        factor = e.deltaY > 0 ? 1.25 : 0.8;
      zoom(at - (at - scale.a) * factor, at + (scale.b - at) * factor);
    },
    { passive: false },
  );

  const step = d => {
    const r = seen[Math.max(0, Math.min(seen.length - 1, indexOf(look.sel) + d))];
    if (r) pick(r.span.id);
  };
  function follow(p) {
    if (p.get('root') !== top) reroot(p.get('root'));
    const want = p.get('span'),
      r = want && (byId.get(want) ?? all.rows.find(x => x.span.request === want));
    if (r && r.span.id !== look.sel) pick(r.span.id);
  }
  reroot(params.get('root'));
  follow(params);
  const withSel = act => () => {
    if (look.sel) act(look.sel);
  };
  return {
    keys: {
      j: () => step(1),
      k: () => step(-1),
      h: withSel(k => fold(k, true)),
      l: withSel(k => fold(k, false)),
      Enter: withSel(k => pick(k)),
      s: withSel(asRoot),
      e: () => jump(errors, 1),
      E: () => jump(errors, -1),
      n: () => jump(found, 1),
      N: () => jump(found, -1),
      '/': () => find.focus(),
      '+': () => zoomBy(0.5),
      '=': () => zoomBy(0.5),
      '-': () => zoomBy(2),
      0: () => zoom(scale.from, scale.to),
      ArrowLeft: () => pan(-0.25),
      ArrowRight: () => pan(0.25),
      c: () => critBtn.click(),
      x: () => hopsBtn.click(),
      y: () => copy(t.id, 'Copied trace id'),
      Escape: () => {
        look.sel ? pick(null) : top ? reroot(null) : (location.hash = '#/traces');
      },
    },
    update: follow,
    unmount: () => {
      map.end();
      list.end();
    },
  };
}
