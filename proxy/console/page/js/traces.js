// Traces: a list to search, by the server; the histogram is of all that match.
import { h, fill, icon } from './dom.js';
import { page, firstRun, commands } from './frame.js';
import { when, ms, num, plural } from './text.js';
import { tag, svc, toast, short } from './chips.js';
import { SearchList } from './searchlist.js';
import * as api from './api.js';

const QUICK = ['status:error', 'is:conflict', 'is:gap', 'format:b3', 'dur:>200ms'];
const LEAST_BINS = 6;
const edge = v => (v >= 1000 ? +(v / 1000).toFixed(1) + ' s' : v + ' ms');

/** Traces by duration; `pick(bin)` when one clicks a column. */
function histogram(all, pick) {
  const first = Math.max(0, Math.min(all.findIndex(b => b.count) - 1, all.length - LEAST_BINS));
  const bins = all.slice(first, Math.max(all.findLastIndex(b => b.count) + 2, first + LEAST_BINS));
  const max = Math.max(1, ...bins.map(b => b.count));
  const share = n => ({ height: (n / max) * 100 + '%' });
  return h(
    'div.histo',
    { role: 'group', 'aria-label': 'Traces by duration' },
    bins.map(b =>
      h(
        'button',
        {
          type: 'button',
          disabled: !b.count,
          title: `${edge(b.lo)} to ${edge(b.hi)}: ${plural(b.count, 'trace')}, ${num(b.errors)} with errors`,
          'aria-label': `${edge(b.lo)} to ${edge(b.hi)}: ${plural(b.count, 'trace')}`,
          onclick: () => pick(b),
        },
        h('span.col', h('i.bad', { style: share(b.errors) }), h('i', { style: share(b.count - b.errors) })),
        h('span.tick', { 'aria-hidden': 'true' }, edge(b.lo)),
      ),
    ),
  );
}
function rowOf(t, max, href) {
  return h(
    'div',
    { role: 'listitem' },
    h(
      'a.trow',
      { href },
      h('span.t-mark', {
        role: 'img',
        'aria-label': t.errors ? plural(t.errors, 'error') : 'no error',
        class: t.errors ? 'err' : 'ok',
      }),
      h('span.t-name', h('span.cut', h('b', t.root?.service), ' ', t.root?.name), h('span.dim.cut.t-title', t.title === t.root?.name ? (t.from ? 'from ' + t.from : '') : t.title)),
      h(
        'span.t-svcs',
        t.services.slice(0, 6).map(s => svc(s.name, h('span.dim', num(s.spans)))),
        t.services.length > 6 ? h('span.dim', `+${t.services.length - 6}`) : null,
      ),
      h('span.t-tags', t.notes.slice(0, 2).map(tag)),
      h('span.t-sess.mono.dim.cut', t.session ?? ''),
      h(
        'span.t-dur',
        h('span', ms(t.ms)),
        h(
          'span.bar',
          h('i', { class: t.errors ? 'err' : '', style: { width: Math.max(1.5, (t.ms / max) * 100) + '%' } }),
        ),
      ),
      h('span.t-when.dim.num', when(t.start, ' ago')),
    ),
  );
}
async function uploadFrom(input) {
  try {
    const { traces } = await api.upload(await input.files[0].text());
    toast(`Read ${plural(traces.length, 'trace')}`);
    location.hash = traces.length === 1 ? '#/traces/' + traces[0] : '#/traces';
  } catch (e) {
    toast(e.message);
  }
  input.value = '';
}

export async function traces(root, { params, set }) {
  const other = params.get('compare'); // a trace that waits for the one to compare it with
  let max = 1;
  const histo = h('div.histo-room');
  const href = t => (other ? `#/compare/${other}..${t.id}` : '#/traces/' + t.id);
  const found = new SearchList({
    ask: api.traces,
    q: params.get('q') ?? '',
    set,
    quick: QUICK,
    label: 'Traces, newest first',
    row: t => rowOf(t, max, href(t)),
    rowHeight: width => (width < 640 ? 58 : 46),
    scrollerClass: 'tlist',
    one: 'trace',
    many: 'traces',
    first: () =>
      firstRun(
        'No trace yet',
        'Traces appear here as soon as a service or a sidecar sends its spans to this console (OTLP over HTTP). Set where it runs:',
        commands.otlp,
        'A trace in a file opens with Upload.',
      ),
    onPage: (answer, isFirst) => {
      const was = max;
      max = Math.max(1, ...found.pages.items.map(t => t.ms));
      if (isFirst) fill(histo, answer.histogram?.length ? histogram(answer.histogram, pickBin) : null);
      return was !== max;
    },
  });
  const pickBin = b =>
    found.box.set(`${found.box.input.value.replace(/\s*dur:\S+/g, '')} dur:>=${b.lo}ms dur:<${b.hi}ms`.trim());
  const file = h('input', {
    type: 'file',
    accept: '.json,application/json',
    hidden: true,
    'aria-label': 'Trace as OTLP/JSON',
    onchange: () => uploadFrom(file),
  });
  page(
    root,
    'Traces',
    {
      actions: [
        file,
        h(
          'button.btn',
          { type: 'button', title: 'Ask again (r)', onclick: () => found.load() },
          icon('again'),
          h('span', 'Refresh'),
        ),
        h(
          'button.btn',
          { type: 'button', title: 'Open a trace from an OTLP/JSON file', onclick: () => file.click() },
          icon('upload'),
          h('span', 'Upload'),
        ),
      ],
    },
    other
      ? h(
          'p.note.banner',
          icon('compare'),
          h('span.grow', 'Choose the trace to compare ', h('b.mono', short(other)), ' with.'),
          h('a.link', { href: '#/traces/' + other }, 'Back to it'),
        )
      : null,
    h('div.toolbar.split', found.box.el, histo),
    found.scroller,
  );
  await found.begin();
  return found.view;
}
