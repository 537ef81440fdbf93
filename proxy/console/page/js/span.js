// A span's drawer: what it says of itself, its logs, its links, and the headers that its sidecar saw.
import { h, icon } from './dom.js';
import { ms } from './text.js';
import { svc, idChip, short, hop } from './chips.js';
import { diff } from './diff.js';

const SEVERE = /^(error|fatal)/i,
  WARNING = /^warn/i;
const pairs = o =>
  h(
    'dl.pairs',
    Object.entries(o).map(([k, v]) => [
      h('dt.mono', k),
      h('dd.mono', typeof v === 'object' ? JSON.stringify(v) : String(v)),
    ]),
  );
const part = (title, n, ...body) => h('section', h('h3', title, n != null && h('span.dim', ` ${n}`)), ...body);

const link = l =>
  h(
    'p.note',
    icon('link'),
    h(
      'span.grow',
      l.why ?? 'Linked',
      h('br'),
      h('a.link.mono', { href: `#/traces/${l.trace}${l.span ? '?span=' + l.span : ''}` }, short(l.trace)),
      h('span.dim', ' other trace'),
    ),
  );
const event = e =>
  h('li', h('span.dim.num', '+' + ms(e.at)), h('div.grow', h('span.strong', e.name), pairs(e.attrs ?? {})));
const log = s => l =>
  h(
    'li',
    h('span.dim.num', '+' + ms(Math.max(0, l.at - s.start))),
    h(
      'div.grow',
      h(
        'span.tag',
        { class: SEVERE.test(l.severity) ? 'err' : WARNING.test(l.severity) ? 'warn' : '' },
        l.severity || 'log',
      ),
      ' ',
      h('span.log-body', String(l.body ?? '')),
      pairs(l.attrs ?? {}),
    ),
  );

/** `request`: what the sidecar saw of this span's exchange, or null. `acts`: {close, root, isRoot}. */
export function details(s, request, acts) {
  const attrs = s.attrs ?? {},
    events = s.events ?? [],
    logs = s.logs ?? [];
  return [
    h(
      'header',
      svc(s.service),
      h(
        'span.end.row',
        acts.root &&
          h(
            'button.btn',
            { type: 'button', title: 'Show only this span and what is below it (s)', onclick: acts.root },
            acts.isRoot ? 'Whole trace' : 'As root',
          ),
        h('button.btn.icon.ghost', { type: 'button', 'aria-label': 'Close', onclick: acts.close }, icon('x')),
      ),
    ),
    h('h2', s.outside ? 'A caller outside' : s.missing ? 'A span that was never reported' : s.name),
    h(
      'div.row.wrap.facts',
      h('span.strong', s.missing ? '≈ ' + ms(s.ms) : ms(s.ms)),
      h('span.mid', `at +${ms(s.start)}`),
      h('span.mid', s.kind),
      s.status === 'error' ? h('span.tag.err', 'error') : null,
      s.in ? hop(s.in, s.out) : null,
      idChip(s.id, { what: 'span id', shown: true }),
    ),
    s.missing
      ? h(
          s.outside ? 'p.note' : 'p.note.warn',
          icon(s.outside ? 'link' : 'alert'),
          s.sentence ?? `Spans name this id as their parent, but nobody sent it. It is as long as its children.`,
        )
      : null,
    s.message ? h('p.note.err', icon('alert'), s.message) : null,
    (s.links ?? []).map(link),
    logs.length ? part('Logs', logs.length, h('ul.events', logs.map(log(s)))) : null,
    events.length ? part('Events', events.length, h('ul.events', events.map(event))) : null,
    Object.keys(attrs).length ? part('Attributes', Object.keys(attrs).length, pairs(attrs)) : null,
    request
      ? part(
          'Headers',
          null,
          h('a.link', { href: '#/requests/' + encodeURIComponent(request.id) }, 'Open the request'),
          h('p.mid', request.sentence),
          request.link ? h('p.note', icon('link'), request.link) : null,
          diff(request),
        )
      : null,
    s.scope ? h('p.dim', 'Made by ', h('span.mono', s.scope)) : null,
  ].filter(x => x !== null);
}
