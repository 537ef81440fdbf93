// The health of one sidecar: vital signs, upstreams with their pools, listeners, exporters, reloads. What it does not report is left out.
import { h, icon } from './dom.js';
import { sparkline } from './frame.js';
import { when, num, compact, ms, ago, pct } from './text.js';
import { label } from './chips.js';

export const known = v => v !== undefined && v !== null;

function meter(value, most) {
  if (!most) return null;
  const share = value / most;
  return h(
    'div.meter',
    {
      class: share > 0.95 ? 'err' : share > 0.75 ? 'warn' : '',
      role: 'img',
      'aria-label': `${num(value)} of ${num(most)}`,
    },
    h('i', { style: { width: Math.min(100, share * 100) + '%' } }),
  );
}
function table(title, heads, rows) {
  return rows?.length
    ? h(
        'section.card.scroll-x',
        { tabindex: '0', 'aria-label': title },
        h('header', h('h2', title)),
        h(
          'table',
          h(
            'thead',
            h(
              'tr',
              heads.map(([t, cls]) => h('th', { scope: 'col', class: cls ?? '' }, t)),
            ),
          ),
          h('tbody', rows),
        ),
      )
    : null;
}
const name = (title, more) => h('th', { scope: 'row' }, h('b', title), more ? h('div.dim.mono.was', more) : null);
const number = (v, cls = 'mid') => h('td.num', { class: cls }, known(v) ? num(v) : '–');

export function vitals(s) {
  const fact = (title, value, more, cls) =>
    known(value)
      ? h('div.fact', h('dt', title), h('dd', { class: cls ?? '' }, value), h('dd.more.dim', more ?? '\u00a0'))
      : null;
  const read = s.reloads?.find(r => r.ok);
  return h(
    'dl.vitals',
    known(s.ready)
      ? fact(
          'State',
          s.ready ? 'ready' : 'not ready',
          s.started ? ['up ', ago(s.started)] : null,
          s.ready ? 'ok' : 'err',
        )
      : null,
    known(s.generation)
      ? fact('Settings', `generation ${s.generation}`, read ? ['read ', when(read.at, ' ago')] : null)
      : null,
    known(s.requests_per_s)
      ? h(
          'div.fact.wide',
          h('dt', 'Requests'),
          h('dd', `${s.requests_per_s} /s`),
          h('dd.more', s.rps?.length ? sparkline(s.rps, { w: 180, ht: 22 }) : '\u00a0'),
        )
      : null,
    known(s.p50_ms) ? fact('Answers', '≤ ' + ms(s.p50_ms), known(s.p99_ms) ? `p99 ≤ ${ms(s.p99_ms)}` : null) : null,
    known(s.overhead_us) ? fact('Our share', `${s.overhead_us} µs`, 'CPU a request') : null,
    known(s.rss_mb)
      ? fact('Process', `${s.rss_mb} MB`, [
          known(s.cpu_percent) ? `${s.cpu_percent} % of a core` : '',
          known(s.fds) ? `, ${num(s.fds)} files` : '',
        ])
      : null,
  );
}
export const upstreams = s =>
  table(
    'Upstreams',
    [
      ['Name'],
      ['Sent as'],
      ['Open, most', 'w-bar'],
      ['Queue', 'num'],
      ['Reused', 'num'],
      ['p99', 'num'],
      ['Failed', 'num'],
    ],
    s.upstreams?.map(u =>
      h(
        'tr',
        name(u.name, u.target),
        h(
          'td',
          h(
            'span.row.wrap.tight',
            u.inject?.length ? u.inject.map(f => h('span.fmt', label(f))) : h('span.dim', 'as set'),
          ),
        ),
        h(
          'td',
          h('span', known(u.open) ? `${num(u.open)}${u.max ? ' / ' + num(u.max) : ''}` : '–'),
          meter(u.open, u.max),
        ),
        number(u.queued, u.queued ? 'warn' : 'mid'),
        h('td.num.mid', known(u.reused) ? pct(u.reused, 1) : '–'),
        h('td.num.mid', known(u.p99_ms) ? '≤ ' + ms(u.p99_ms) : '–'),
        h(
          'td.num',
          { class: u.failures ? 'err' : 'mid', title: u.why ?? '' },
          known(u.failures) ? num(u.failures) : '–',
        ),
      ),
    ),
  );
export const listeners = s =>
  table(
    'Listeners',
    [['Name'], ['Goes to'], ['Open', 'num'], ['Since start', 'num']],
    s.listeners?.map(l =>
      h('tr', name(l.name, l.address), h('td.mono.mid', l.to ?? '–'), number(l.open, ''), number(l.total)),
    ),
  );
export const exporters = s =>
  table(
    'Exporters',
    [['To'], ['Queue', 'w-bar'], ['Sent', 'num'], ['Dropped', 'num']],
    s.exporters?.map(x =>
      h(
        'tr',
        h(
          'th',
          { scope: 'row' },
          h('span', { class: x.state === 'ok' ? '' : 'warn' }, x.name),
          x.note && h('div.dim.was', x.note),
        ),
        h(
          'td',
          known(x.queued) ? `${compact(x.queued)}${x.limit ? ' / ' + compact(x.limit) : ''}` : '–',
          meter(x.queued, x.limit),
        ),
        h('td.num.mid', known(x.sent) ? compact(x.sent) : '–'),
        h(
          'td.num',
          { class: x.dropped && x.state !== 'ok' ? 'warn' : 'mid' },
          known(x.dropped) ? compact(x.dropped) : '–',
        ),
      ),
    ),
  );
export const reloads = s =>
  s.reloads?.length
    ? h(
        'section.card',
        h('header', h('h2', 'Reloads')),
        h(
          'ol.reloads',
          s.reloads.map(r =>
            h(
              'li',
              h(
                'span',
                { class: r.ok ? 'ok' : 'err' },
                icon(r.ok ? 'check' : 'x'),
                h('span.sr', r.ok ? 'taken' : 'refused'),
              ),
              h('span.dim.num', when(r.at, ' ago')),
              h('span.mid', r.by),
              h('span.grow', r.ok && known(r.generation) ? h('b', `generation ${r.generation} `) : null, r.message),
            ),
          ),
        ),
      )
    : null;

const sum = counts => Object.values(counts ?? {}).reduce((a, b) => a + b, 0);
const listed = counts =>
  Object.entries(counts ?? {})
    .map(([name, n]) => `${name} ${num(n)}`)
    .join(', ');
/** The console itself: what it keeps, what came, what it had to refuse. */
export function consoleCard(c, sentence) {
  const { store, received } = c,
    lost = { ...c.refused, ...c.rejected, ...c.lost },
    megabytes = n => `${compact(Math.round((n / 1048576) * 10) / 10)} MiB`;
  const fact = (title, value, more, cls) =>
    h('div.fact', h('dt', title), h('dd', { class: cls ?? '' }, value), h('dd.more.dim', more || '\u00a0'));
  return h(
    'section.card',
    h('header', h('h2', 'This console'), h('span.dim', `version ${c.version}, up ${ago(c.started)}`)),
    h('p.pad.mid', sentence),
    h(
      'dl.vitals.inside',
      fact('Kept', megabytes(store.bytes), [
        `of ${megabytes(store.limit_bytes)} in ${store.path ?? 'memory'}`,
        meter(store.bytes, store.limit_bytes),
      ]),
      fact(
        'Traces',
        compact(store.traces),
        `${compact(store.spans)} spans, oldest ${store.oldest ? ago(store.oldest) : '–'}`,
      ),
      fact('Requests', compact(store.requests), 'as sidecars saw them'),
      fact('Received', compact(sum(received)), listed(received)),
      fact('Not taken', compact(sum(lost)), listed(lost), sum(lost) ? 'warn' : ''),
      c.forward
        ? fact('Forwarded', compact(c.forward.sent), c.forward.url, sum(c.forward.dropped) ? 'warn' : '')
        : null,
    ),
  );
}
