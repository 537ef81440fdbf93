// Request: one exchange. What happened to its headers and why, the hops of its trace, what was understood, where its time went.
import { h, icon } from './dom.js';
import { page, backTo, empty } from './frame.js';
import { when, ms, absolute, plural } from './text.js';
import { hop, tag, idChip, statusClass, headerLine, lineOf, svc, copy, FIELD, UNREADABLE } from './chips.js';
import { diff } from './diff.js';
import * as api from './api.js';

const ADDRESS = /^[0-9a-f.:[\]]+$/; // a caller that its sidecar knows by no name
const PHASES = [
  ['queue', 'waiting for a connection', 'q'],
  ['connect', 'connecting', 'c'],
  ['head', 'waiting for the response', 'h'],
  ['body', 'body', 'b'],
];

const YOUNG_MS = 10_000, // a sidecar's span and its report come apart
  AGAIN_MS = 1_000;

const status = r => h('span', { class: 'strong ' + statusClass(r.status) }, r.status ?? 'cut');
/** A response of the sidecar's own; the sentence names the fault, this says more of it. */
const warning = r =>
  r.fault && (r.fault_detail || !r.sentence.includes(r.fault))
    ? h(
        'p.note.err',
        icon('alert'),
        h(
          'span',
          h('b', r.fault),
          r.status ? `: the sidecar answered ${r.status} itself.` : '',
          r.fault_detail ? ` ${r.fault_detail}` : '',
        ),
      )
    : null;
const linked = r =>
  r.link || r.request_of
    ? h(
        'p.note',
        icon('link'),
        h(
          'span',
          r.link ? r.link + ' ' : '',
          r.request_of
            ? h(
                'a.link',
                { href: '#/requests/' + encodeURIComponent(r.request_of) },
                'The request that the app served when it made this call',
              )
            : null,
        ),
      )
    : null;

/** What Live's panel and a span's drawer show of a request. */
export function summary(r) {
  return h(
    'div.summary',
    h(
      'div.row.wrap.facts',
      status(r),
      h('span.mid', ms(r.ms)),
      svc(r.from),
      h('span.dim', '→'),
      svc(r.to),
      hop(r.in, r.out),
    ),
    h('p.verdict', r.sentence),
    warning(r),
    linked(r),
    diff(r),
  );
}
function understood({ record: x, session }) {
  if (!x) return null;
  const field = name => h('span', { 'data-f': name }, FIELD[name]);
  const rows = [
    [field('trace'), idChip(x.trace, { full: true, href: '#/traces/' + x.trace, what: 'trace id', shown: true })],
    [field('span'), idChip(x.span, { full: true, what: 'span id', shown: true })],
    [field('decision'), (x.sampling ?? 'none') + (x.made ? ' · ids made up' : '')],
    ['width', x.short ? '64 bit, padded' : '128 bit'],
    x.parent && ['parent', x.parent],
    [field('state'), x.state || h('span.dim', 'none')],
    [
      field('session'),
      session
        ? idChip(session, {
            full: true,
            href: '#/sessions/' + encodeURIComponent(session),
            what: 'session id',
            shown: true,
          })
        : h('span.dim', 'none'),
    ],
  ].filter(Boolean);
  return h(
    'section.card',
    h('header', h('h2', 'What was understood')),
    h(
      'dl.pairs',
      rows.map(([k, v]) => [h('dt', k), h('dd.mono', v)]),
    ),
  );
}
function timing({ timing: t, ms: total }) {
  const parts = PHASES.map(([key, name, mark]) => [name, t?.[key], mark]).filter(p => p[1]);
  if (!parts.length) return null;
  return h(
    'section.card',
    h('header', h('h2', 'Time'), h('span.dim.end', ms(total))),
    h(
      'div.pad',
      h(
        'div.phases',
        parts.map(([name, v, mark]) => h('i', { class: mark, title: `${name}: ${ms(v)}`, style: { 'flex-grow': v } })),
      ),
      h(
        'dl.pairs.bare',
        parts.map(([name, v, mark]) => [h('dt', h('i.dot', { class: mark }), name), h('dd.num', ms(v))]),
      ),
    ),
  );
}
function others(r) {
  const list = (title, items, open) =>
    items?.length
      ? h(
          'details',
          { open },
          h('summary', h('span', title), h('span.dim', items.length)),
          h('div.plain', items.map(headerLine)),
        )
      : null;
  const lists = [
    list('Passed untouched', r.passed, false),
    list('Added by the sidecar', r.added, true),
    list(
      'Removed: hop by hop',
      r.removed?.map(name => ({ name, value: '' })),
      false,
    ),
    list('Response', r.response, true),
  ];
  return lists.some(Boolean) ? h('section.card.others', h('header', h('h2', 'Other headers')), lists) : null;
}
/**
 * The way of the trace, hop by hop, with the format spoken on each. A call that both its sidecars saw (out of one, into the other)
 * has both between its two ends.
 */
function way(r) {
  const items = [],
    hops = r.hops ?? [];
  const stop = (name, isBad) => h('li.stop', { class: isBad ? 'bad' : '' }, svc(name));
  const leg = x =>
    h(
      'li.leg',
      h(
        'a',
        {
          href: '#/requests/' + encodeURIComponent(x.id),
          'aria-current': x.id === r.id ? 'true' : null,
          title: `${x.method} ${x.target}, ${ms(x.ms)}, seen by ${x.sidecar}’s sidecar`,
        },
        hop(x.in, x.out),
      ),
    );
  for (const [i, x] of hops.entries()) {
    const before = hops[i - 1],
      isSameCall =
        before?.leg === 'out' &&
        x.leg === 'in' &&
        before.to === x.to &&
        (before.from === x.from || ADDRESS.test(x.from));
    if (isSameCall) {
      items.splice(-1, 1, leg(x));
    } else if (before?.to !== x.from)
      items.push(before ? h('li.break', { 'aria-label': 'and' }) : null, stop(x.from), leg(x));
    else items.push(leg(x));
    items.push(stop(x.to, statusClass(x.status) === 'err'));
  }
  return items.length ? h('ol.way', { 'aria-label': 'Hops of this trace' }, items) : null;
}
const cameIn = r => (r.groups ?? []).flatMap(g => g.ins);
const quoted = text => `'${text.replaceAll("'", `'\\''`)}'`;
function curl(r) {
  const method = r.method === 'GET' ? [] : ['-X', r.method];
  return [
    'curl',
    ...method,
    ...cameIn(r).flatMap(x => ['-H', quoted(lineOf(x))]),
    quoted(`http://${r.to}${r.target}`),
  ].join(' ');
}

export async function request(root, { id, reload }) {
  const r = await api.request(id);
  if (!r) {
    page(
      root,
      'Request',
      { crumbs: backTo('#/live', 'Live') },
      empty(
        'No such request',
        'The console no longer keeps it, or never saw it. Its trace may still be there.',
        h('a.btn', { href: '#/traces' }, 'Search the traces'),
      ),
    );
    return {};
  }
  const to = rid => {
    if (rid) location.hash = '#/requests/' + encodeURIComponent(rid);
  };
  const headers = cameIn(r).map(lineOf).join('\n');
  page(
    root,
    h('span.req-title', h('span.method', r.method), ' ', r.target || UNREADABLE),
    {
      crumbs: backTo('#/live', 'Live'),
      actions: headers
        ? [
            h(
              'button.btn',
              { type: 'button', title: 'Copy as a curl command', onclick: () => copy(curl(r), 'Copied as curl') },
              icon('copy'),
              h('span', 'curl'),
            ),
            h('a.btn', { href: '#/explain?h=' + encodeURIComponent(headers) }, icon('explain'), h('span', 'Explain')),
          ]
        : [],
    },
    h(
      'div.scroll',
      { tabindex: '-1' },
      h(
        'div.request',
        h(
          'div.row.wrap.facts.big',
          status(r),
          h('span', ms(r.ms)),
          h('span.mid', when(r.at, ' ago')),
          h('span.dim', absolute(r.at)),
          h('span.mid', `seen by ${r.sidecar}’s sidecar, ${r.leg === 'in' ? 'inbound' : 'outbound'}`),
          r.retries ? h('span.warn', plural(r.retries, 'retry', 'retries')) : null,
          r.notes.map(tag),
          r.trace
            ? h('a.btn.end', { href: `#/traces/${r.trace}?span=${encodeURIComponent(r.id)}` }, icon('traces'), 'Trace')
            : null,
        ),
        way(r),
        h('p.verdict', r.sentence),
        warning(r),
        linked(r),
        r.lost?.length && !r.sentence.includes('Lost')
          ? h('p.note.warn', icon('alert'), `Lost on the way: ${r.lost.join('; ')}.`)
          : null,
        diff(r),
        h('div.cards', understood(r), timing(r), others(r)),
      ),
    ),
  );
  let again = null;
  /** The report is shown when it comes. */
  function lookAgain() {
    if (r.headers || Math.abs(Date.now() - r.at) > YOUNG_MS) return;
    again = setTimeout(async () => {
      const now = await api.request(id).catch(() => null);
      if (again === null) return; // it has been left
      if (now?.headers) reload();
      else lookAgain();
    }, AGAIN_MS);
  }
  lookAgain();
  return {
    unmount: () => {
      clearTimeout(again);
      again = null;
    },
    keys: {
      j: () => to(r.older),
      k: () => to(r.newer),
      Escape: () => (history.length > 1 ? history.back() : (location.hash = '#/live')),
      y: () => r.trace && copy(r.trace, 'Copied trace id'),
    },
  };
}
