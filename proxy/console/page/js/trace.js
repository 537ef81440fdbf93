// One trace as a waterfall. All of the reader's state is in the hash: span, find, root.
import { h, fill, icon } from './dom.js';
import { page, backTo, empty } from './frame.js';
import { when, ms, num, plural } from './text.js';
import { tag, idChip, svc, copy, short } from './chips.js';
import { Waterfall } from './waterfall.js';
import { details } from './span.js';
import * as api from './api.js';

const MOST_SERVICES = 8;
const YOUNG_MS = 20_000, // spans come from many exporters, and OpenTelemetry's wait for 5 s
  AGAIN_MS = 2_000,
  MOST_AGAIN = 1_000; // spans of a trace that is asked for again
const reported = t => t.spans.filter(s => !s.missing).length;

function gone(root, id) {
  page(
    root,
    'Trace',
    { crumbs: backTo('#/traces', 'Traces') },
    empty(
      'This trace is not here',
      `${short(id)} has left the store, was not sampled, or went to another console.`,
      h('a.btn', { href: '#/live?q=' + encodeURIComponent('trace:' + id) }, 'Look for its requests'),
    ),
  );
  return {};
}
function toggle(name, title, pressed, act) {
  const button = h(
    'button.btn',
    {
      type: 'button',
      'aria-pressed': pressed,
      title,
      onclick: () => {
        const on = button.getAttribute('aria-pressed') !== 'true';
        button.setAttribute('aria-pressed', on);
        act(on);
      },
    },
    name,
  );
  return button;
}
const facts = t =>
  h(
    'div.row.wrap.facts',
    idChip(t.id, { what: 'trace id', shown: true }),
    h('span.strong', ms(t.ms)),
    h('span.mid', when(t.start, ' ago')),
    h('span.mid', plural(reported(t), 'span')),
    t.truncated ? h('span.warn', `${num(t.truncated)} more not shown`) : null,
    t.session
      ? idChip(t.session, { href: '#/sessions/' + encodeURIComponent(t.session), what: 'session id', shown: true })
      : null,
    t.notes.map(tag),
  );
function services(t) {
  const list = [...t.services].sort((a, b) => b.spans - a.spans),
    rest = list.slice(MOST_SERVICES);
  return h(
    'span.row.wrap.svcs',
    list.slice(0, MOST_SERVICES).map(s => svc(s.name, h('span.dim', num(s.spans)))),
    rest.length ? h('span.dim', { title: rest.map(s => s.name).join(', ') }, `and ${rest.length} more`) : null,
  );
}

export async function trace(root, { id, params, set, reload }) {
  const t = await api.trace(id);
  if (!t?.spans?.length) return gone(root, id);
  const drawer = h('aside.drawer', { 'aria-label': 'Span', hidden: true });
  const waterfall = new Waterfall(t.spans, {
    pick: (span, isOpen) => picked(span, isOpen),
    root: span => set({ root: span }),
    allSpans: () => hopsBtn.click(),
  });
  const { errors } = waterfall;

  const find = h('input', {
    type: 'search',
    value: params.get('find') ?? '',
    placeholder: 'Find: name, service, attribute, log',
    'aria-label': 'Find in trace',
    spellcheck: 'false',
    oninput: () => {
      search();
      if (waterfall.found[0]) waterfall.pick(waterfall.found[0].span.id, false);
    },
  });
  const count = h('span.dim.count', { 'aria-live': 'polite' }),
    key = k => h('kbd', { 'aria-hidden': 'true' }, k);
  const critBtn = toggle('Critical path', 'What the total waits for (c)', true, on => waterfall.criticalPath(on));
  const hopsBtn = toggle('Hops only', 'Only the calls between services (x)', false, on => waterfall.hopsOnly(on));
  const errBtn = h(
    'button.btn',
    { type: 'button', disabled: !errors.length, title: 'Next error (e)', onclick: () => waterfall.jump(errors, 1) },
    icon('alert'),
    h('span', plural(errors.length, 'error')),
    key('e'),
  );
  page(
    root,
    h('span', h('b', t.root?.service), ' ', t.root?.name),
    {
      crumbs: backTo('#/traces', 'Traces'),
      actions: [
        h(
          'a.btn',
          { href: '#/traces?compare=' + t.id, title: 'Compare with another trace' },
          icon('compare'),
          h('span', 'Compare'),
        ),
        h(
          'a.btn',
          { href: api.otlpOf(t.id), download: `trace-${short(t.id)}.json`, title: 'Download as OTLP/JSON' },
          icon('download'),
          h('span', 'JSON'),
        ),
      ],
    },
    h(
      'div.toolbar.trace-bar',
      facts(t),
      t.sentence ? h('p.verdict', t.sentence) : null,
      h(
        'div.row.wrap',
        h('label.field.find', icon('search'), find, count, key('/')),
        errBtn,
        critBtn,
        hopsBtn,
        services(t),
      ),
    ),
    h('div.trace', waterfall.el, drawer),
  );
  waterfall.begin();

  function search() {
    const text = find.value.trim(),
      n = waterfall.find(text);
    set({ find: text });
    count.textContent = text ? num(n) : '';
  }
  async function picked(span, isOpen) {
    set({ span });
    if (!span) drawer.hidden = true;
    if (!span || !isOpen) return;
    const s = waterfall.span(span),
      request = s.request ? await api.request(s.request).catch(() => null) : null;
    if (waterfall.sel !== span) return;
    drawer.hidden = false;
    fill(
      drawer,
      details(s, request, {
        close: () => waterfall.pick(null),
        isRoot: waterfall.top === span,
        root: waterfall.hasKids(span) ? () => asRoot(span) : null,
      }),
    );
    drawer.scrollTop = 0;
  }
  function asRoot(span) {
    waterfall.reroot(waterfall.top === span ? null : span);
    waterfall.pick(span);
  }
  function follow(p) {
    if (p.get('root') !== waterfall.top) waterfall.reroot(p.get('root'));
    const want = p.get('span'),
      s = want && waterfall.lookUp(want);
    if (s && s.id !== waterfall.sel) waterfall.pick(s.id);
  }
  if (find.value) search();
  follow(params);
  let again = null;
  /** What comes late is shown, unless its reader is already at work. */
  function lookAgain() {
    if (Math.abs(Date.now() - t.start - t.ms) > YOUNG_MS || t.spans.length > MOST_AGAIN) return;
    again = setTimeout(async () => {
      const now = await api.trace(id).catch(() => null);
      if (again === null) return; // it has been left
      const isAtWork = waterfall.sel || waterfall.top || find.value || document.activeElement === find;
      if (now?.spans && reported(now) > reported(t) && !isAtWork) reload();
      else lookAgain();
    }, AGAIN_MS);
  }
  lookAgain();
  const withSel = act => () => {
    if (waterfall.sel) act(waterfall.sel);
  };
  function leave() {
    if (waterfall.sel) waterfall.pick(null);
    else if (waterfall.top) waterfall.reroot(null);
    else location.hash = '#/traces';
  }
  return {
    keys: {
      j: () => waterfall.step(1),
      k: () => waterfall.step(-1),
      h: withSel(s => waterfall.fold(s, true)),
      l: withSel(s => waterfall.fold(s, false)),
      Enter: withSel(s => waterfall.pick(s)),
      s: withSel(asRoot),
      e: () => waterfall.jump(errors, 1),
      E: () => waterfall.jump(errors, -1),
      n: () => waterfall.jump(waterfall.found, 1),
      N: () => waterfall.jump(waterfall.found, -1),
      '/': () => find.focus(),
      '+': () => waterfall.zoomBy(0.5),
      '=': () => waterfall.zoomBy(0.5),
      '-': () => waterfall.zoomBy(2),
      0: () => waterfall.zoomOut(),
      ArrowLeft: () => waterfall.pan(-0.25),
      ArrowRight: () => waterfall.pan(0.25),
      c: () => critBtn.click(),
      x: () => hopsBtn.click(),
      y: () => copy(t.id, 'Copied trace id'),
      Escape: leave,
    },
    update: follow,
    unmount: () => {
      clearTimeout(again);
      again = null;
      waterfall.end();
    },
  };
}
