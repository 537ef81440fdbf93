// Doctor: who breaks a trace, with proof. The ill come first; past some twenty services the healthy are folded away.
import { h, fill, icon } from './dom.js';
import { page, firstRun, commands } from './frame.js';
import { when, num, pct, ago, plural } from './text.js';
import { svc, hop, copyButton } from './chips.js';
import { folded } from './fold.js';
import * as api from './api.js';

const MARK = {
  ok: ['check', 'ok', 'fine'],
  warn: ['alert', 'warn', 'sometimes'],
  fail: ['x', 'err', 'broken'],
  unseen: ['dash', 'dim', 'not seen'],
};
const WEIGHT = { fail: 3, warn: 2, ok: 1, unseen: 0 };
const ROOMY = 20,
  FIRST_FINDINGS = 12;

const worst = s => Math.max(0, ...Object.values(s.checks).map(c => WEIGHT[c.state] ?? 0));
const isIll = s => worst(s) > 1;

function checkCell(service, [key, title]) {
  const c = service.checks[key] ?? { state: 'unseen', bad: 0, of: 0 },
    [mark, cls, word] = MARK[c.state] ?? MARK.unseen;
  const said = c.state === 'unseen' || !c.of ? word : c.bad ? `${num(c.bad)} of ${num(c.of)} not` : `all ${num(c.of)}`;
  return h(
    'td',
    { 'data-label': title },
    h(
      'span.check',
      { class: cls, title: `${title}: ${said}` },
      icon(mark),
      h('span', c.state === 'unseen' || !c.of ? 'not seen' : c.bad ? pct(c.bad, c.of) : 'all'),
      h('span.sr', `, ${word}`),
    ),
  );
}
const proof = r =>
  h(
    'a.proof',
    { href: '#/requests/' + encodeURIComponent(r.id) },
    h('span.method', r.method),
    h('span.cut', r.target),
    h('span.dim', `${r.from} → ${r.to}`),
    hop(r.in, r.out),
    h('span.dim', when(r.at, ' ago')),
  );

function finding(f) {
  const isBroken = f.severity === 'fail',
    fact = (name, ...what) => (what.some(Boolean) ? [h('dt', name), h('dd', ...what)] : null);
  return h(
    'article.finding',
    h(
      'div.f-mark',
      { class: isBroken ? 'err' : 'warn' },
      icon(isBroken ? 'x' : 'alert'),
      h('span.sr', isBroken ? 'broken' : 'sometimes'),
    ),
    h(
      'div.grow',
      h('h2', f.sentence),
      h(
        'p.mid',
        h('b', pct(f.bad, f.of)),
        ` of ${plural(f.of, f.counted.slice(0, -1))}`,
        f.bad === f.of ? '' : ` (${num(f.bad)})`,
        f.last ? [', last ', when(f.last, ' ago')] : '',
        f.first ? [', first ', when(f.first, ' ago')] : '',
        '.',
      ),
      h(
        'dl.f-more',
        f.breaks
          ? [
              h('dt', 'Breaks'),
              h('dd.proofs', h('span', f.breaks.sentence), f.breaks.request ? proof(f.breaks.request) : null),
            ]
          : null,
        fact('Meanwhile', f.saved),
        fact('Cure', f.fix),
        f.change
          ? [
              h('dt', 'Set'),
              h(
                'dd',
                h(
                  'span.row.change',
                  h('code.mono', f.change),
                  copyButton(f.change, 'Copy the setting', 'Copied the setting'),
                ),
              ),
            ]
          : null,
        f.proof?.length ? [h('dt', 'Proof'), h('dd.proofs', f.proof.map(proof))] : null,
      ),
    ),
  );
}

export async function doctor(root, { params, set }) {
  const d = await api.doctor(),
    memory = {};
  if (!d.services.length) {
    page(
      root,
      'Doctor',
      {},
      firstRun(
        'Nobody to examine yet',
        d.sentence ||
          'The doctor compares what goes into an app with what comes out of it. It needs sidecars that report both sides:',
        commands.sidecar,
        'console.report.endpoint is the setting that counts.',
      ),
    );
    return {};
  }
  const services = d.services.toSorted((a, b) => worst(b) - worst(a)),
    findings = h('div.findings'),
    body = h('tbody');
  let only = params.get('service'),
    text = '';
  const row = s =>
    h(
      'tr',
      { onclick: () => pick(only === s.name ? null : s.name), class: s.name === only ? 'on' : '' },
      h(
        'th',
        { scope: 'row' },
        h('button', { type: 'button', 'aria-pressed': s.name === only, 'aria-label': `Only ${s.name}` }, svc(s.name)),
        h('div.runtime', { title: s.runtime }, s.sentence),
      ),
      h('td.num.mid', { 'data-label': 'Calls' }, num(s.calls)),
      d.checks.map(c => checkCell(s, c)),
    );
  const rest = (n, open) =>
    h(
      'tr',
      h(
        'td.rest',
        { colspan: d.checks.length + 2 },
        h('button.btn', { type: 'button', onclick: open }, `Show ${plural(n, 'service')} more`),
      ),
    );
  function drawTable() {
    const list = services.filter(s => s.name.toLowerCase().includes(text));
    const first = list.length > ROOMY && !text ? Math.max(5, Math.min(ROOMY, list.filter(isIll).length)) : Infinity;
    folded(body, list, first, row, rest, memory, 'services');
    if (!list.length)
      fill(body, h('tr', h('td.dim', { colspan: d.checks.length + 2 }, 'No service has this in its name.')));
  }
  function pick(name) {
    only = name;
    set({ service: name });
    drawTable();
    const list = d.findings.filter(f => !name || f.service === name);
    if (list.length)
      folded(
        findings,
        list,
        FIRST_FINDINGS,
        finding,
        (n, open) => h('button.btn', { type: 'button', onclick: open }, `Show ${plural(n, 'finding')} more`),
        memory,
        'findings',
      );
    else
      fill(
        findings,
        name
          ? h('p.note.ok', icon('check'), d.services.find(s => s.name === name)?.sentence ?? 'This service was not seen.')
          : null,
      );
  }
  const find = h('input', {
    type: 'search',
    placeholder: 'Find a service',
    'aria-label': 'Find a service',
    oninput: () => {
      text = find.value.trim().toLowerCase();
      drawTable();
    },
  });
  const hours = d.window?.from ? `last ${ago(d.window.from, d.window.to)}, ` : '';
  page(
    root,
    'Doctor',
    { sub: d.window ? `${hours}${plural(d.window.requests, 'call')}` : null },
    h(
      'div.scroll',
      { tabindex: '-1' },
      h(
        'div.column',
        h('p.lead', d.sentence),
        services.length > ROOMY ? h('label.field.find', icon('search'), find) : null,
        h(
          'div.card.scroll-x',
          { tabindex: '0', role: 'region', 'aria-label': 'Checks by service' },
          h(
            'table.checks',
            h('caption.sr', 'Checks by service'),
            h(
              'thead',
              h(
                'tr',
                h('th', { scope: 'col' }, 'Service'),
                h('th.num', { scope: 'col' }, 'Calls'),
                d.checks.map(([, title, what]) => h('th', { scope: 'col', title: what }, title)),
              ),
            ),
            body,
          ),
        ),
        findings,
      ),
    ),
  );
  pick(only);
  return { keys: { '/': () => find.focus(), Escape: () => pick(null) }, update: p => pick(p.get('service')) };
}
