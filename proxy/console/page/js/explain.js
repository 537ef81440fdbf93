// Explain: paste headers or a curl command; see what each format says, who wins, and what would go out to each upstream.
import { h, fill, icon } from './dom.js';
import { page } from './frame.js';
import { plural } from './text.js';
import { headerLine, label, copy, FIELD } from './chips.js';
import { legend } from './diff.js';
import { settled } from './filterbox.js';
import * as api from './api.js';

const SAMPLES = [
  [
    'Two traces',
    'traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\ntracestate: congo=t61rcWkgMzE\nb3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1\nX-Mirascope-Session-Id: sess_ann-7f3k',
  ],
  [
    'DEBUG, 64 bit',
    "curl https://shop.internal/checkout \\\n  -H 'X-B3-TraceId: 64fe8b2a57d3eff7' \\\n  -H 'X-B3-SpanId: e457b5a2e4d86bd1' \\\n  -H 'X-B3-Flags: 1' \\\n  -H 'baggage: tenant=acme,tier=gold'",
  ],
  ['Only a decision', 'b3: 0'],
  ['No decision', 'X-B3-TraceId: 80f198ee56343ba864fe8b2a57d3eff7\nX-B3-SpanId: e457b5a2e4d86bd1'],
  [
    'Broken',
    'traceparent: 00-00000000000000000000000000000000-00f067aa0ba902b7-01\nuber-trace-id: 5b2f1c9a7e334d10:9ac01b6f4e2d7788:0:1\nuberctx-tenant: acme',
  ],
];
const field = (name, value) => (value == null ? h('span.dim', '–') : h('span', { 'data-f': name }, value));
const step = (n, text) => h('h2', h('i.step', n), text);

function says(e) {
  const row = s => {
    const x = s.record,
      cell = (name, cls, ...kids) => h('td', { 'data-label': name, class: cls }, ...kids),
      isWinner = s.format === e.winner;
    return h(
      'tr',
      { class: isWinner ? 'wins' : s.absent ? 'absent' : '' },
      h('th', { scope: 'row' }, label(s.format)),
      cell('Trace id', 'mono', field('trace', x && (x.short ? x.trace.slice(16) : x.trace))),
      cell('Span id', 'mono', field('span', x?.span)),
      cell('Decision', '', field('decision', x?.sampling ?? s.decision)),
      cell(
        'Verdict',
        isWinner ? 'ok strong' : s.malformed || s.conflict || s.verdict?.startsWith('conflict') ? 'warn' : 'mid',
        s.verdict,
      ),
    );
  };
  return h(
    'section',
    step('1', 'What each format says'),
    h(
      'div.card.scroll-x',
      { tabindex: '0', role: 'region', 'aria-label': 'What each format says' },
      h(
        'table.says',
        h('caption.sr', 'What each format says'),
        h(
          'thead',
          h(
            'tr',
            ['Format', 'Trace id', 'Span id', 'Decision', 'Verdict'].map(t => h('th', { scope: 'col' }, t)),
          ),
        ),
        h('tbody', e.says.map(row)),
      ),
    ),
  );
}
function wins(e) {
  const r = e.record,
    rows = r && [
      ['trace', r.trace],
      ['span', r.span],
      ['decision', `${r.sampling ?? 'none'}${r.short ? ', 64 bit' : ''}`],
      ['state', r.state || '–'],
      ['session', e.session ?? '–'],
    ];
  return h(
    'section',
    step('2', 'Who wins, and why'),
    h('p.lead', e.sentence),
    h(
      'ul.whys',
      e.groups.map(g => h('li', { 'data-verdict': g.verdict }, h('b', g.title + '. '), g.why.join(' '))),
    ),
    rows &&
      h(
        'dl.pairs.inline',
        rows.map(([k, v]) => [h('dt', FIELD[k]), h('dd.mono', field(k, v))]),
      ),
  );
}
function goesOut(e) {
  const article = u =>
    h(
      'article',
      h(
        'div.out-to',
        h('b', u.name),
        u.sidecar ? h('span.dim', `from ${u.sidecar}`) : null,
        h(
          'span.row.wrap.tight',
          u.egress ? h('span.tag', icon('lock'), 'egress') : (u.inject ?? []).map(f => h('span.fmt', label(f))),
        ),
      ),
      h(
        'div.lines',
        u.headers.length
          ? u.headers.map(headerLine)
          : h('span.dim', u.egress ? 'Not on the egress list: nothing leaves.' : 'nothing'),
        u.lost?.length ? h('p.lost.warn', icon('alert'), `Cannot be said: ${u.lost.join('; ')}`) : null,
      ),
    );
  return h(
    'section',
    step('3', 'What goes out'),
    e.to.length
      ? h('div.card.outs', e.to.map(article))
      : h(
          'p.note',
          'No sidecar has reported its upstreams yet, so there is nobody to write to. ',
          h('code.mono', 'console.report.endpoint'),
          ' on a sidecar changes that.',
        ),
  );
}

export async function explain(root, { params, set }) {
  let pending = new AbortController(),
    ended = false;
  const area = h('textarea.mono', {
    spellcheck: 'false',
    rows: '9',
    'aria-label': 'Headers or a curl command',
    placeholder: 'traceparent: 00-…\nb3: …\n\nor  curl -H …',
    value: params.get('h') ?? SAMPLES[0][1],
    oninput: () => later(),
  });
  const out = h('div.explain-out'),
    read = h('p.dim', { role: 'status' }),
    wrong = h('p.warn', { role: 'alert' });
  const sample = ([name, text]) =>
    h(
      'button.tag',
      {
        type: 'button',
        onclick: () => {
          area.value = text;
          run();
        },
      },
      name,
    );
  page(
    root,
    'Explain',
    { sub: 'nothing is sent on' },
    h(
      'div.scroll',
      { tabindex: '-1' },
      h(
        'div.explain',
        h(
          'section.explain-in',
          h('div.row.wrap.samples', SAMPLES.map(sample)),
          area,
          read,
          wrong,
          h(
            'button.btn',
            {
              type: 'button',
              onclick: () => {
                set({ h: area.value });
                copy(location.href, 'Copied a link to this');
              },
            },
            icon('link'),
            'Copy link',
          ),
        ),
        out,
      ),
    ),
  );
  async function run() {
    pending.abort();
    const mine = (pending = new AbortController());
    try {
      const e = await api.explain(area.value, mine.signal);
      if (mine !== pending || ended) return;
      set({ h: area.value });
      read.textContent = e.read
        ? `${plural(e.read, 'header')} read`
        : 'No header found yet. Write one a line: name: value';
      wrong.textContent = e.error ?? '';
      fill(out, legend(out, Object.keys(FIELD)), says(e), wins(e), goesOut(e));
    } catch (e) {
      if (mine === pending && !ended && e.name !== 'AbortError') wrong.textContent = e.message;
    }
  }
  const later = settled(run);
  await run();
  return {
    keys: { '/': () => area.focus() },
    unmount: () => {
      ended = true;
      later.cancel();
      pending.abort();
    },
    update: p => {
      const text = p.get('h');
      if (text !== null && text !== area.value) {
        area.value = text;
        run();
      }
    },
  };
}
