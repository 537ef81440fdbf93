// Migration: who still needs which format, and what can be switched off. Past some fifty peers, groups and a box to find one.
import { h, fill, icon } from './dom.js';
import { page, firstRun, commands, sparkline } from './frame.js';
import { when, num, compact, plural, absolute } from './text.js';
import { svc, label, copyButton } from './chips.js';
import { folded } from './fold.js';
import { trial } from './trial.js';
import * as api from './api.js';

const GROUPS = [
  ['true', 'check', 'ok', 'Safe'],
  ['soon', 'alert', 'warn', 'Wait'],
  ['false', 'x', '', 'Not yet'],
];
const FEW = 6,
  ROOMY = 50,
  FIRST_CARDS = 6,
  DAY_MS = 864e5;

function card(v, [, mark, cls, word], heading) {
  return h(
    'article.verdict-card',
    { class: cls },
    h('div.row', h('span.tag', { class: cls }, icon(mark), word), h('span.end.fmt', label(v.format))),
    h(heading, v.sentence),
    h('p.mid', v.why),
    h('p.lost', h('span.dim', 'Would be lost: '), v.lost?.length ? v.lost.join('; ') : 'nothing'),
    v.change
      ? h('div.row.change', h('code.mono', v.change), copyButton(v.change, 'Copy the setting', 'Copied the setting'))
      : null,
  );
}
/** none: said to speak it, but never did lately; fading: ever less, or not for a day. */
function stateOf(c) {
  if (!c.count) return 'gone';
  const sum = days => days.reduce((a, b) => a + b, 0),
    days = c.days ?? [];
  return Date.now() - c.last > DAY_MS || sum(days.slice(-3)) < sum(days.slice(0, 3)) * 0.35 ? 'fading' : 'used';
}
function cell(c, format, days) {
  if (!c)
    return h(
      'td.never',
      { 'data-label': label(format) },
      h('span.dim', h('span', { 'aria-hidden': 'true' }, '·'), h('span.sr', 'never')),
    );
  return h(
    'td',
    { 'data-label': label(format), class: stateOf(c) },
    h(
      'div.mcell',
      { title: `${num(c.count)} in ${days} days${c.first ? ', first ' + absolute(c.first) : ''}` },
      h('div', h('b', c.count ? compact(c.count) : 'none'), h('span.dim', 'last ', when(c.last, ' ago'))),
      c.days?.length ? sparkline(c.days, { w: 84, ht: 22 }) : null,
    ),
  );
}

export async function migration(root, { params, set }) {
  const m = await api.migration(),
    memory = {};
  if (!m.cells.length) {
    page(
      root,
      'Migration',
      {},
      firstRun(
        'Nothing counted yet',
        m.sentence || 'This view counts which peer speaks which format, from what sidecars report here:',
        commands.sidecar,
        'Keep the counts over restarts with ops-sidecar console --store FILE.',
      ),
    );
    return {};
  }
  let role = params.get('role') === 'gets' ? 'gets' : 'sends',
    text = params.get('q') ?? '';
  const matrix = h('div.card.scroll-x', { tabindex: '0', role: 'region', 'aria-label': 'Requests by peer and format' }),
    verdicts = h('div.stack');
  const seg = h(
    'div.seg',
    { role: 'group', 'aria-label': 'Direction' },
    [
      ['sends', 'What they send'],
      ['gets', 'What they are sent'],
    ].map(([k, t]) =>
      h(
        'button',
        {
          type: 'button',
          'data-k': k,
          onclick: () => {
            role = k;
            draw();
          },
        },
        t,
      ),
    ),
  );
  const find = h('input', {
    type: 'search',
    value: text,
    placeholder: 'Find a peer or format',
    'aria-label': 'Find a peer or format',
    oninput: () => {
      text = find.value;
      draw();
    },
  });
  const fits = x => `${x.peer} ${x.format} ${label(x.format)}`.toLowerCase().includes(text.trim().toLowerCase());
  function drawVerdicts() {
    const list = m.verdicts.filter(fits),
      few = list.length <= FEW;
    const grouped = GROUPS.map(g => [g, list.filter(v => String(v.safe) === g[0])]).filter(([, vs]) => vs.length);
    if (few) {
      fill(
        verdicts,
        list.length
          ? h(
              'div.verdicts',
              grouped.flatMap(([g, vs]) => vs.map(v => card(v, g, 'h2'))),
            )
          : null,
      );
      return;
    }
    fill(
      verdicts,
      grouped.map(([g, vs]) =>
        h(
          'section.stack',
          h('h2', `${g[3]} `, h('span.dim', num(vs.length))),
          folded(
            h('div.verdicts'),
            vs,
            FIRST_CARDS,
            v => card(v, g, 'h3'),
            (n, open) => h('button.btn.rest', { type: 'button', onclick: open }, `Show ${num(n)} more`),
            memory,
            g[0],
          ),
        ),
      ),
    );
  }
  function drawMatrix() {
    const byPeer = new Map(),
      cells = m.cells.filter(c => c.role === role);
    for (const c of cells) byPeer.has(c.peer) ? byPeer.get(c.peer).push(c) : byPeer.set(c.peer, [c]);
    const columns = m.formats.filter(f => cells.some(c => c.format === f));
    /** Peers that still speak something old first: they are what the reader came for. */
    const isDone = ([, list]) => list.every(c => c.format === 'tracecontext' || !c.count);
    const peers = [...byPeer].filter(([, list]) => list.some(fits)).sort((a, b) => isDone(a) - isDone(b));
    const first =
      peers.length > ROOMY && !text.trim()
        ? Math.max(10, Math.min(ROOMY, peers.filter(p => !isDone(p)).length))
        : Infinity;
    const row = ([peer, list]) =>
      h(
        'tr',
        h('th', { scope: 'row' }, svc(peer)),
        columns.map(f =>
          cell(
            list.find(c => c.format === f),
            f,
            m.window_days,
          ),
        ),
      );
    const rest = (n, open) =>
      h(
        'tr',
        h(
          'td.rest',
          { colspan: columns.length + 1 },
          h('button.btn', { type: 'button', onclick: open }, `Show ${plural(n, 'peer')} more`),
        ),
      );
    fill(
      matrix,
      h(
        'table.matrix',
        h('caption.sr', 'Requests by peer and format'),
        h(
          'thead',
          h(
            'tr',
            h('th', { scope: 'col' }, role === 'sends' ? 'Caller' : 'Upstream'),
            columns.map(f => h('th', { scope: 'col' }, label(f))),
          ),
        ),
        peers.length
          ? folded(h('tbody'), peers, first, row, rest, memory, role)
          : h('tbody', h('tr', h('td.dim', 'No peer fits.'))),
      ),
    );
  }
  function draw() {
    set({ role: role === 'gets' ? role : null, q: text.trim() });
    for (const b of seg.children) b.setAttribute('aria-pressed', b.dataset.k === role);
    drawVerdicts();
    drawMatrix();
  }
  page(
    root,
    'Migration',
    { sub: `${plural(m.window_days, 'day')}, ${compact(m.requests)} requests` },
    h(
      'div.scroll',
      { tabindex: '-1' },
      h(
        'div.column',
        h('p.lead', m.sentence),
        m.gap ? h('p.note.warn', icon('alert'), m.gap) : null,
        m.verdicts.length > FEW || m.cells.length > ROOMY ? h('label.field.find', icon('search'), find) : null,
        verdicts,
        m.shadow?.length
          ? h(
              'section.stack',
              h('h2', 'What other settings would change ', h('span.dim', num(m.shadow.length))),
              h('div.verdicts', m.shadow.map(trial)),
            )
          : null,
        h('div.row.wrap', h('h2', 'Who speaks what'), seg, h('span.dim.end', 'one bar a day')),
        matrix,
      ),
    ),
  );
  draw();
  return {
    keys: { '/': () => find.focus() },
    update: p => {
      role = p.get('role') === 'gets' ? 'gets' : 'sends';
      draw();
    },
  };
}
