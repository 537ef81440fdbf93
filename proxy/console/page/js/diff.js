// The header sets of one exchange side by side, by group, each group with its reason; the fields of a context in colour.
import { h, fill } from './dom.js';
import { headerLine, FIELD } from './chips.js';

const SIGN = {
  kept: ['=', 'kept'],
  rewritten: ['→', 'rewritten'],
  removed: ['×', 'removed'],
  merged: ['×', 'merged and removed'],
  added: ['+', 'added'],
};

/** Chips of the fields; pointing at one, there or in a header, dims all the others in `scope`. */
export function legend(scope, fields) {
  const focus = f => {
    f ? scope.setAttribute('data-only', f) : scope.removeAttribute('data-only');
  };
  let held = null;
  scope.addEventListener('pointerover', e => focus(e.target.closest('[data-f]')?.dataset.f ?? held));
  scope.addEventListener('pointerleave', () => focus(held));
  const el = h(
    'div.legend',
    { role: 'group', 'aria-label': 'Fields' },
    fields.map(f =>
      h(
        'button',
        {
          type: 'button',
          'data-f': f,
          'aria-pressed': 'false',
          onclick: e => {
            held = held === f ? null : f;
            for (const b of el.children) b.setAttribute('aria-pressed', b.dataset.f === held);
            focus(held);
            e.stopPropagation();
          },
        },
        FIELD[f],
      ),
    ),
  );
  return el;
}
const fieldsOf = groups =>
  Object.keys(FIELD).filter(f => groups.some(g => [...g.ins, ...g.outs].some(x => x.parts?.some(p => p.field === f))));

function group({ verdict, title, why, ins, outs }) {
  const [sign, word] = SIGN[verdict] ?? ['·', verdict];
  const side = (which, lines) =>
    h('div.side.' + which, lines.length ? lines.map(headerLine) : h('span.dim.nil', 'nothing'));
  return h(
    'div.grp',
    { 'data-verdict': verdict },
    h(
      'p.reason',
      h('span.sign', { role: 'img', 'aria-label': word, title: word }, sign),
      h('span', h('b', title), why.length ? '. ' + why.join(' ') : ''),
    ),
    side('in', ins),
    side('out', outs),
  );
}
export function diff(r) {
  const el = h('section.diff', { 'aria-label': 'Headers in and out' });
  if (!r.groups?.length) return el;
  return fill(
    el,
    legend(el, fieldsOf(r.groups)),
    h(
      'div.diff-head',
      h('div', h('span.strong', 'Came in'), h('span.dim', ` from ${r.from}`)),
      h('div', h('span.strong', 'Went out'), h('span.dim', ` to ${r.to}`)),
    ),
    r.groups.map(group),
  );
}
