// Settings: what each sidecar that reports does, and who set that; js/health.js tells whether it is well.
import { h, fill, icon } from './dom.js';
import { page, firstRun, commands } from './frame.js';
import { when, num, plural } from './text.js';
import { copyButton } from './chips.js';
import { known, vitals, upstreams, listeners, exporters, reloads, consoleCard } from './health.js';
import * as api from './api.js';

const isChanged = x => x.source !== 'default';
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
  const [{ sidecars, sentence }, health] = await Promise.all([api.settings(), api.health()]);
  const here = consoleCard(health.console, health.sentence);
  if (!sidecars.length) {
    page(
      root,
      'Settings',
      {},
      h(
        'div.scroll',
        { tabindex: '-1' },
        h(
          'div.column',
          firstRun(
            'No sidecar has reported yet',
            'Each sidecar that reports to this console shows its settings, listeners, pools, exporters and reloads here:',
            commands.sidecar,
          ),
          here,
        ),
      ),
    );
    return {};
  }
  let own = params.get('all') !== '1',
    text = params.get('q') ?? '',
    which = params.get('sidecar');
  const nameOf = s => `${s.service}/${s.instance ?? ''}`,
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
    sidecars.map(s => h('option', { value: nameOf(s) }, s.instance ? `${s.service} · ${s.instance}` : s.service)),
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
        here,
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
