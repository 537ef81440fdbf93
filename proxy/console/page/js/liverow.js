// A row of Live.
import { h } from './dom.js';
import { when, ms } from './text.js';
import { hop, tag, idChip, statusClass, UNREADABLE } from './chips.js';

export const COLUMNS = ['Age', 'From → to', 'Request', 'Status', 'Time', 'Format in → out', 'Trace', 'Session'];

const cell = (n, props, ...kids) => h('span.c' + n, { role: 'gridcell', ...props }, ...kids);
export function rowOf(r, { isSelected, pick, open }) {
  return h(
    'div.lrow',
    {
      role: 'row',
      id: 'row-' + r.id,
      'data-trace': r.trace,
      'aria-selected': isSelected,
      class: r.probe ? 'probe' : '',
      onclick: pick,
      ondblclick: open,
    },
    cell(0, { class: 'dim' }, when(r.at)),
    cell(
      1,
      { title: `${r.from} → ${r.to}, seen by ${r.sidecar}’s sidecar` },
      h('span.from.cut', r.from),
      h('span.arr', '→'),
      h('span.to.cut', r.to),
    ),
    cell(
      2,
      {},
      h('span.method', r.method),
      h('span.cut.path', { title: r.target }, r.target || UNREADABLE),
      h(
        'span.tags',
        r.notes
          .filter(n => n !== 'carry-over')
          .slice(0, 2)
          .map(tag),
      ),
    ),
    cell(3, { class: statusClass(r.status), title: r.fault ?? '' }, r.status ?? 'cut'),
    cell(4, { class: r.ms >= 1000 ? 'slow2' : r.ms >= 200 ? 'slow' : '' }, ms(r.ms)),
    cell(5, {}, hop(r.in, r.out)),
    cell(6, {}, idChip(r.trace, { href: '#/traces/' + r.trace, what: 'trace id' })),
    cell(7, {}, idChip(r.session, { href: '#/sessions/' + encodeURIComponent(r.session ?? ''), what: 'session id' })),
  );
}
