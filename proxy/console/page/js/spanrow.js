// The rows of a waterfall: a span's name, its hop, its bar, what lies on it.
import { h, icon } from './dom.js';
import { ms } from './text.js';
import { hop, serviceColour, serviceShape } from './chips.js';

const MOST_INDENT = 14;
const piece = (tag, at, style, props) => at && h(tag, { ...props, style: { ...at, ...style } });

function nameCell({ span: s, depth, kids }, { folded, onfold }) {
  const isFolded = folded.has(s.id);
  const fold = e => {
    e.stopPropagation();
    onfold(s.id);
  };
  return h(
    'div.wname',
    {
      role: 'gridcell',
      title: `${s.service} ${s.name}`,
      style: { '--d': Math.min(depth, MOST_INDENT), '--c': serviceColour(s.service) },
    },
    kids
      ? h(
          'button.fold',
          { type: 'button', tabindex: '-1', 'aria-label': isFolded ? 'Unfold' : 'Fold', onclick: fold },
          icon(isFolded ? 'right' : 'down'),
        )
      : h('span.fold'),
    h(
      'span.svc',
      { class: serviceShape(s.service), style: { '--c': serviceColour(s.service) } },
      h(
        'span.cut',
        s.kind === 'server' || s.kind === 'consumer' || s.missing || !depth ? h('b', s.service + ' ') : null,
        s.name,
      ),
    ),
    s.status === 'error' ? icon('alert', 'err') : null,
    s.links?.length ? icon('link', 'warn') : null,
    s.in ? h('span.end', hop(s.in, s.out)) : null,
  );
}
function lineCell({ span: s }, { scale, path }) {
  const from = scale.x(s.start),
    to = scale.x(s.start + s.ms),
    isBefore = to < 0,
    isAfter = from > 100;
  const at = t => scale.place(t, t),
    mark = { width: '2px' };
  return h(
    'div.wline',
    { role: 'gridcell' },
    piece('i.bar', scale.place(s.start, s.start + s.ms), { '--c': serviceColour(s.service) }),
    (path.get(s.id) ?? []).map(([a, b]) => piece('i.crit', scale.place(a, b))),
    (s.events ?? []).map(e => piece('i.ev', at(s.start + e.at), mark, { title: e.name })),
    (s.logs ?? []).map(l =>
      piece('i.log', at(l.at), mark, { title: `${l.severity ?? 'log'}: ${l.body ?? ''}`.slice(0, 200) }),
    ),
    h(
      'span.len',
      {
        class: isBefore || isAfter ? 'away' : '',
        style: isAfter ? { right: 0 } : { left: Math.max(0, Math.min(to, 100)) + '%' },
      },
      isBefore ? '‹ ' : '',
      s.missing ? '≈ ' + ms(s.ms) : ms(s.ms),
      isAfter ? ' ›' : '',
    ),
  );
}
/** `look` = {scale, path, folded, onfold, origins, finds, sel, pick}. */
export function spanRow(r, look) {
  const s = r.span,
    marks = [
      s.status === 'error' && 'bad',
      look.origins.has(s.id) && 'origin',
      s.missing && 'missing',
      look.finds.has(r) && 'found',
    ];
  return h(
    'div.wrow',
    {
      role: 'row',
      id: 'span-' + s.id,
      'aria-level': r.depth + 1,
      'aria-expanded': r.kids ? !look.folded.has(s.id) : null,
      'aria-selected': s.id === look.sel,
      class: marks.filter(Boolean).join(' '),
      onclick: () => look.pick(s.id),
    },
    nameCell(r, look),
    lineCell(r, look),
  );
}
