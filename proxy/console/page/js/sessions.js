// Sessions: which there are, and what one of them did, trace by trace, over time.
import { h } from './dom.js';
import { page, backTo, empty, firstRun } from './frame.js';
import { when, ms, plural, clock, absolute } from './text.js';
import { svc, tag, serviceColour } from './chips.js';
import { SearchList } from './searchlist.js';
import * as api from './api.js';

const LEAST_MS = 30e3,
  QUIET_MS = 5000,
  FEW = 3;

/** Traces on one time line: [{trace, start, ms, errors, title?}]; as wide as they were long, at least a dot. `tall`: with links. */
function lane(marks, tall) {
  if (!marks.length) return h('div.lane');
  const from = Math.min(...marks.map(m => m.start)),
    to = Math.max(...marks.map(m => m.start + m.ms)),
    width = Math.max(LEAST_MS, to - from);
  const mark = m =>
    h(tall ? 'a.mark' : 'span.mark', {
      class: m.errors ? 'bad' : '',
      href: tall ? '#/traces/' + m.trace : null,
      'aria-label': tall ? `${m.title ?? 'Trace'}, ${clock(m.start).slice(0, 8)}` : null,
      title: `${m.title ?? ''} ${ms(m.ms)}, ${clock(m.start)}`.trim(),
      style: { left: ((m.start - from) / width) * 96 + '%', width: `max(10px, ${(m.ms / width) * 96}%)` },
    });
  return h(
    'div.lane',
    { class: tall ? 'tall' : '', 'aria-hidden': tall ? null : 'true' },
    marks.map(mark),
    tall && [h('span.lane-a.dim', clock(from).slice(0, 8)), h('span.lane-b.dim', clock(from + width).slice(0, 8))],
  );
}
const rowOf = s =>
  h(
    'div',
    { role: 'listitem' },
    h(
      'a.srow',
      { href: '#/sessions/' + encodeURIComponent(s.id) },
      h('span.mono.strong.cut', { title: s.id }, s.id),
      h('span.mid', plural(s.traces, 'trace')),
      h('span.mid.hide-s', plural(s.requests, 'request')),
      h('span', { class: s.errors ? 'err' : 'dim' }, plural(s.errors, 'error')),
      lane(s.marks ?? []),
      h(
        'span.row.svcs.hide-m',
        s.services.slice(0, FEW).map(n => svc(n)),
        s.services.length > FEW ? h('span.dim', `+${s.services.length - FEW}`) : null,
      ),
      h('span.dim.num', when(s.last, ' ago')),
    ),
  );

export async function sessions(root, { params, set }) {
  const found = new SearchList({
    ask: api.sessions,
    q: params.get('q') ?? '',
    set,
    quick: ['status:error'],
    label: 'Sessions, latest first',
    row: rowOf,
    rowHeight: () => 46,
    one: 'session',
    many: 'sessions',
    first: () =>
      firstRun(
        'No session yet',
        'A session is what one user or agent does over several traces. Requests carry it in a header; try one:',
        "curl -H 'X-Mirascope-Session-Id: demo-1' http://127.0.0.1:9080/",
        'In Python: with ops.session("demo-1"): …',
      ),
  });
  page(root, 'Sessions', {}, h('div.toolbar', found.box.el), found.scroller);
  await found.begin();
  return found.view;
}

function chapter(t, before) {
  const quiet = before ? t.start - (before.start + before.ms) : 0;
  return [
    quiet > QUIET_MS && h('li.gap.dim', `${ms(quiet)} of quiet`),
    h(
      'li',
      h(
        'a',
        { href: '#/traces/' + t.id },
        h('span.t-mark', {
          class: t.errors ? 'err' : 'ok',
          role: 'img',
          'aria-label': t.errors ? plural(t.errors, 'error') : 'no error',
        }),
        h('time.dim.mono', { title: absolute(t.start) }, clock(t.start).slice(0, 8)),
        h('span.cut.grow', h('b', t.title === t.root?.name ? t.root.service : t.title), h('span.mid', ' ' + (t.root?.name ?? ''))),
        h('span.tags', t.notes.slice(0, 2).map(tag)),
        h(
          'span.story-svcs',
          { 'aria-hidden': 'true' },
          t.services.map(x =>
            h('i', {
              title: `${x.name}: ${plural(x.spans, 'span')}`,
              style: { '--c': serviceColour(x.name), 'flex-grow': x.spans },
            }),
          ),
        ),
        h('span.num', ms(t.ms)),
      ),
    ),
  ];
}
export async function session(root, { id }) {
  const s = await api.session(id),
    crumbs = backTo('#/sessions', 'Sessions');
  if (!s) {
    page(
      root,
      'Session',
      { crumbs },
      empty(
        'No such session',
        'The console keeps no request of it.',
        h('a.btn', { href: '#/sessions' }, 'All sessions'),
      ),
    );
    return {};
  }
  const traces = s.traces.toSorted((a, b) => a.start - b.start),
    marks = traces.map(t => ({
      trace: t.id,
      start: t.start,
      ms: t.ms,
      errors: t.errors,
      title: t.title || t.root?.name,
    }));
  page(
    root,
    h('span.mono', s.id),
    { crumbs, actions: [h('a.btn', { href: '#/live?q=' + encodeURIComponent('session:' + s.id) }, 'Its requests')] },
    h(
      'div.scroll',
      { tabindex: '-1' },
      h(
        'div.column',
        h(
          'div.row.wrap.facts.big',
          h('span.strong', plural(s.traces.length, 'trace')),
          h('span', plural(s.requests, 'request')),
          h('span', { class: s.errors ? 'err' : 'mid' }, plural(s.errors, 'error')),
          h('span.mid', 'over ', ms(s.last - s.first)),
          s.via ? h('span.mid', 'came as ', h('span.mono', s.via)) : null,
        ),
        s.sentence ? h('p.verdict', s.sentence) : null,
        h('div.card.pad', h('div.pad', lane(marks, true))),
        h(
          'ol.story',
          traces.map((t, i) => chapter(t, traces[i - 1])),
        ),
      ),
    ),
  );
  return {
    keys: {
      Escape: () => {
        location.hash = '#/sessions';
      },
    },
  };
}
