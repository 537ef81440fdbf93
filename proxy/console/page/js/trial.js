// What a shadow would change: one card a listener and upstream.
import { h, icon } from './dom.js';
import { num } from './text.js';
import { headerLine } from './chips.js';

/** What a sidecar's trial of other settings would change; each difference opens to its last request. */
export function trial(t) {
  const lines = (title, list) => [
    h('dt', title),
    h('dd', list.length ? h('div.plain', list.map(headerLine)) : h('span.dim', 'nothing')),
  ];
  const difference = d =>
    d.example
      ? h(
          'details',
          h('summary', h('span', d.words), h('span.dim', num(d.count))),
          h(
            'dl.pairs.bare',
            lines('came', d.example.came),
            lines('goes out', d.example.goes),
            lines('would go out', d.example.would_go),
          ),
        )
      : h('p.mid', `${d.words}: ${num(d.count)}`);
  return h(
    'article.verdict-card.trial',
    h(
      'div.row',
      h('span.tag', { class: t.differ ? 'warn' : 'ok' }, icon(t.differ ? 'alert' : 'check'), 'Shadow'),
      h('span.end.dim', `${t.service}, ${t.listener}`),
    ),
    h('h3', t.sentence),
    t.differences.map(difference),
  );
}
