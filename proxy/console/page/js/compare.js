// Two traces side by side: spans with the same way of service and name are one row; what differs is told.
import { h, fill, icon } from './dom.js';
import { page, backTo, empty } from './frame.js';
import { ms, when, num, plural } from './text.js';
import { hop, short, serviceColour, serviceShape } from './chips.js';
import { Windowed } from './windowed.js';
import { merged } from './tree.js';
import * as api from './api.js';

const ROW = 32,
  TELLING = 0.1,
  MOST_INDENT = 12; // a duration tells from a tenth on

const formats = x => `${x?.in ?? ''}>${x?.out ?? ''}`;
function differences({ a, b }) {
  if (!a || !b) return [a ? 'only in A' : 'only in B'];
  return [
    a.count !== b.count && 'count',
    a.errors !== b.errors && 'errors',
    formats(a) !== formats(b) && 'format',
    Math.abs(a.ms - b.ms) > TELLING * Math.max(a.ms, b.ms) && 'time',
  ].filter(Boolean);
}
function side(x) {
  if (!x) return h('span.dim', '–');
  return [
    h('span', ms(x.ms)),
    x.count > 1 ? h('span.dim', ` ×${num(x.count)}`) : null,
    x.errors ? h('span.err', ' ', icon('alert'), h('span.sr', plural(x.errors, 'error'))) : null,
  ];
}
const hops = ({ a, b }) => {
  const [x, y] = [a?.in && hop(a.in, a.out), b?.in && hop(b.in, b.out)];
  return formats(a) === formats(b) || !x || !y ? x || y : [x, h('span.dim', 'then'), y];
};
function rowOf(r, most) {
  const delta = (r.b?.ms ?? 0) - (r.a?.ms ?? 0),
    isSlower = delta > 0,
    cell = (cls, ...kids) => h('span', { role: 'cell', class: cls }, ...kids);
  return h(
    'div.crow',
    { role: 'row', class: !r.a || !r.b ? 'single' : '' },
    h(
      'span.c-name',
      { role: 'rowheader', title: `${r.service} ${r.name}`, style: { '--d': Math.min(r.depth, MOST_INDENT) } },
      h(
        'span.svc',
        { class: serviceShape(r.service), style: { '--c': serviceColour(r.service) } },
        h('span.cut', h('b', r.service + ' '), r.name),
      ),
    ),
    cell('c-hop', hops(r)),
    cell('num', side(r.a)),
    cell('num', side(r.b)),
    cell(
      'c-delta',
      h(
        'span.track',
        delta !== 0 &&
          h('i', { class: isSlower ? 'slower' : 'faster', style: { width: (Math.abs(delta) / most) * 50 + '%' } }),
      ),
      h('span.num', delta ? `${isSlower ? '+' : '−'}${ms(Math.abs(delta))}` : '='),
    ),
    cell(
      'c-what',
      r.differs.map(d =>
        h('span.tag', { class: d.startsWith('only') || d === 'errors' || d === 'format' ? 'warn' : '' }, d),
      ),
    ),
  );
}
const head = (name, t) =>
  h(
    'div.card.pad.c-head',
    h(
      'div.pad',
      h(
        'div.row',
        h('span.step', name),
        h('a.link.mono', { href: '#/traces/' + t.id }, short(t.id)),
        h('span.strong', ms(t.ms)),
        h('span.mid', when(t.start, ' ago')),
      ),
      h('p.cut', h('b', t.root?.service), ' ', t.root?.name),
      h('p.dim', `${plural(t.spans.length, 'span')}, ${plural(t.errors, 'error')}`),
    ),
  );

export async function compare(root, { id, params, set }) {
  const [one, two] = id.split('..'),
    [a, b] = await Promise.all([api.trace(one), two ? api.trace(two) : null]);
  if (!a?.spans?.length || !b?.spans?.length) {
    page(
      root,
      'Compare',
      { crumbs: backTo('#/traces', 'Traces') },
      empty(
        'One of the two traces is not here',
        `${short(a?.spans?.length ? (two ?? '') : one)} has left the store, or never came.`,
        h('a.btn', { href: '#/traces' }, 'Search the traces'),
      ),
    );
    return {};
  }
  const all = merged(a.spans, b.spans).map(r => ({ ...r, differs: differences(r) })),
    telling = all.filter(r => r.differs.length);
  const most = Math.max(0.001, ...all.map(r => Math.abs((r.b?.ms ?? 0) - (r.a?.ms ?? 0))));
  let only = params.get('only') === '1',
    rows = all;
  const onlyBtn = h(
    'button.btn',
    {
      type: 'button',
      'aria-pressed': only,
      onclick: () => {
        only = !only;
        draw();
      },
    },
    'Only what differs',
  );
  const body = h(
    'div.scroll.ctable',
    { role: 'table', 'aria-label': 'Spans of both traces', tabindex: '0' },
    h(
      'div',
      { role: 'rowgroup', class: 'head-group' },
      h(
        'div.crow.c-top',
        { role: 'row' },
        [
          ['Span'],
          ['Format', 'c-hop'],
          ['A', 'num'],
          ['B', 'num'],
          ['B against A', 'c-delta'],
          ['Differs', 'c-what'],
        ].map(([t, cls]) => h('span', { role: 'columnheader', class: cls ?? '' }, t)),
      ),
    ),
  );
  page(
    root,
    'Compare',
    {
      crumbs: backTo('#/traces/' + a.id, 'Trace'),
      actions: [
        onlyBtn,
        h('a.btn', { href: `#/compare/${two}..${one}`, title: 'A for B' }, icon('migration'), h('span', 'Swap')),
      ],
    },
    h('div.toolbar.c-heads', head('A', a), head('B', b)),
    h(
      'p.toolbar.mid',
      telling.length
        ? `${num(telling.length)} of ${plural(all.length, 'kind')} of span differ.`
        : 'Both traces have the same spans, formats and errors, and took about as long.',
    ),
    body,
  );
  const list = new Windowed(body, { rowHeight: () => ROW, key: i => rows[i], render: i => rowOf(rows[i], most) });
  function draw() {
    onlyBtn.setAttribute('aria-pressed', only);
    set({ only: only ? '1' : null });
    rows = only ? telling : all;
    body.setAttribute('aria-rowcount', rows.length + 1);
    list.set(rows.length, false);
  }
  draw();
  return {
    keys: {
      x: () => onlyBtn.click(),
      Escape: () => {
        location.hash = '#/traces/' + a.id;
      },
    },
    unmount: () => list.end(),
  };
}
