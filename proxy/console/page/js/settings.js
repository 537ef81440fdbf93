// Settings: of each sidecar that reports: is it well, what does it do, and who set that.
import { h, fill, icon } from './dom.js';
import { page, firstRun, sparkline } from './frame.js';
import { when, num, compact, ms, ago, pct, plural } from './text.js';
import { copyButton, label } from './chips.js';
import * as api from './api.js';

const isChanged = x => x.source !== 'default';
const known = v => v !== undefined && v !== null;

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

function vitals(s) {
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
    known(s.p50_ms) ? fact('Answers', ms(s.p50_ms), known(s.p99_ms) ? `p99 ${ms(s.p99_ms)}` : null) : null,
    known(s.overhead_us) ? fact('Our share', `${s.overhead_us} µs`, 'CPU a request') : null,
    known(s.rss_mb)
      ? fact('Process', `${s.rss_mb} MB`, [
          known(s.cpu_percent) ? `${s.cpu_percent} % of a core` : '',
          known(s.fds) ? `, ${num(s.fds)} files` : '',
        ])
      : null,
  );
}
const upstreams = s =>
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
        h('td.num.mid', ms(u.p99_ms)),
        h(
          'td.num',
          { class: u.failures ? 'err' : 'mid', title: u.why ?? '' },
          known(u.failures) ? num(u.failures) : '–',
        ),
      ),
    ),
  );
const listeners = s =>
  table(
    'Listeners',
    [['Name'], ['Goes to'], ['Open', 'num'], ['Since start', 'num']],
    s.listeners?.map(l =>
      h('tr', name(l.name, l.address), h('td.mono.mid', l.to ?? '–'), number(l.open, ''), number(l.total)),
    ),
  );
const exporters = s =>
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
const reloads = s =>
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

const settingRow = x =>
  h(
    'tr',
    h('th.mono', { scope: 'row' }, x.key),
    h(
      'td.mono',
      String(x.value),
      isChanged(x) && known(x.default) && x.default !== '-' ? h('div.dim.was', `default ${x.default}`) : null,
    ),
    h(
      'td',
      h('span.tag', { class: isChanged(x) ? '' : 'quiet' }, x.source),
      x.where ? h('div.dim.mono.was', x.where) : null,
    ),
    h('td.num', copyButton(`--set '${x.key}=${x.value}'`, `Copy ${x.key} as --set`, 'Copied as --set')),
  );

export async function settings(root, { params, set }) {
  const { sidecars, sentence } = await api.settings();
  if (!sidecars.length) {
    page(
      root,
      'Settings',
      {},
      firstRun(
        'No sidecar has reported yet',
        sentence ||
          'Each sidecar that reports to this console shows its settings, listeners, pools, exporters and reloads here:',
        'console.report: ' + (root.dataset.receives || 'http://127.0.0.1:4318'),
      ),
    );
    return {};
  }
  let own = params.get('all') !== '1',
    text = params.get('q') ?? '',
    which = params.get('sidecar');
  const nameOf = s => s.instance ?? s.service,
    chosen = () => sidecars.find(s => nameOf(s) === which) ?? sidecars[0];
  const picker = h(
    'select',
    {
      'aria-label': 'Sidecar',
      onchange: () => {
        which = picker.value;
        draw();
      },
    },
    sidecars.map(s =>
      h('option', { value: nameOf(s) }, s.service === nameOf(s) ? s.service : `${s.service} · ${nameOf(s)}`),
    ),
  );
  const body = h('tbody'),
    count = h('span.dim'),
    top = h('div.stack.wide'),
    bottom = h('div');
  const find = h('input', {
    type: 'search',
    value: text,
    placeholder: 'Find a key or value',
    'aria-label': 'Find a setting',
    oninput: () => {
      text = find.value;
      drawList();
    },
  });
  const seg = h(
    'div.seg',
    { role: 'group', 'aria-label': 'Which settings' },
    [
      ['Changed', true],
      ['All', false],
    ].map(([t, v]) =>
      h(
        'button',
        {
          type: 'button',
          'data-v': String(v),
          onclick: () => {
            own = v;
            drawList();
          },
        },
        t,
      ),
    ),
  );
  function drawList() {
    set({ all: own ? null : '1', q: text, sidecar: which });
    for (const b of seg.children) b.setAttribute('aria-pressed', String(own) === b.dataset.v);
    const list = chosen().settings ?? [],
      rows = list.filter(
        x => (!own || isChanged(x)) && `${x.key} ${x.value} ${x.source}`.toLowerCase().includes(text.toLowerCase()),
      );
    count.textContent = `${num(list.filter(isChanged).length)} of ${num(list.length)} changed`;
    fill(
      body,
      rows.length
        ? rows.map(settingRow)
        : h('tr', h('td.dim', { colspan: 4 }, text || !own ? 'No setting fits.' : 'Every setting has its default.')),
    );
  }
  function draw() {
    const s = chosen(),
      health = s.health ?? {},
      last = health.reloads?.[0];
    if (which) picker.value = which;
    fill(
      top,
      last && !last.ok
        ? h(
            'p.note.err',
            icon('alert'),
            h('span', h('b', 'The last reload was refused'), ' ', when(last.at, ' ago'), '. ', last.message),
          )
        : null,
      s.silent ? h('p.note.warn', icon('alert'), s.silent) : null,
      vitals(health),
      h('div.two', upstreams(health), h('div.stack', listeners(health), exporters(health))),
    );
    fill(bottom, reloads(health));
    drawList();
  }
  page(
    root,
    'Settings & health',
    {
      sub: [`version ${chosen().version ?? '?'}`, chosen().at ? [', reported ', when(chosen().at, ' ago')] : ''],
      actions: sidecars.length > 1 ? [h('span.dim', plural(sidecars.length, 'sidecar')), picker] : [],
    },
    h(
      'div.scroll',
      { tabindex: '-1' },
      h(
        'div.column',
        sentence ? h('p.lead', sentence) : null,
        top,
        h(
          'section.card',
          h(
            'header',
            h('h2', 'Effective settings'),
            count,
            h('span.end.row', h('label.field.find', icon('search'), find), seg),
          ),
          h(
            'div.scroll-x',
            { tabindex: '0', role: 'region', 'aria-label': 'Effective settings' },
            h(
              'table.settings',
              h(
                'thead',
                h(
                  'tr',
                  ['Key', 'Value', 'Set by'].map(t => h('th', { scope: 'col' }, t)),
                  h('th', { scope: 'col' }, h('span.sr', 'Copy')),
                ),
              ),
              body,
            ),
          ),
        ),
        bottom,
      ),
    ),
  );
  draw();
  return {
    keys: { '/': () => find.focus() },
    update: p => {
      which = p.get('sidecar');
      draw();
    },
  };
}
