// Live: every exchange as it passes. The place is never lost: new rows wait while the reader is elsewhere than at the top.
import { h, fill, icon } from './dom.js';
import { page, empty, firstRun, failed, searching } from './frame.js';
import { num } from './text.js';
import { Windowed } from './windowed.js';
import { filterBox, settled } from './filterbox.js';
import { Pages } from './pages.js';
import { Rows, MOST_ROWS } from './rows.js';
import { compile } from './filter.js';
import { rowOf, COLUMNS } from './liverow.js';
import { Peek } from './peek.js';
import * as api from './api.js';

const QUICK = ['status:error', 'is:conflict', 'is:changed', 'format:b3', 'dur:>200ms', 'is:retry', 'is:untraced'];
const FIRST = "curl -H 'b3: 80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1-1' http://127.0.0.1:9080/";

export async function live(root, { params, set }) {
  const rows = new Rows();
  let paused = false,
    probes = params.get('probes') === '1',
    filter = compile(''),
    sel = params.get('peek'),
    ended = false,
    isOpen = true;
  let arrived = [],
    frame = 0,
    isGap = false,
    failure = null,
    isLoaded = false;
  const wanted = r => (probes || !r.probe) && filter.match(r);
  const asked = text => (probes ? text : `${text} -is:probe`.trim());

  const pauseBtn = h(
    'button.btn',
    { type: 'button', 'aria-pressed': 'false', onclick: () => pause() },
    icon('pause'),
    h('span', 'Pause'),
  );
  const probeBtn = h(
    'button.btn',
    {
      type: 'button',
      'aria-pressed': probes,
      title: 'Show health probes and scrapes, too',
      onclick: () => {
        probes = !probes;
        probeBtn.setAttribute('aria-pressed', probes);
        set({ probes: probes ? '1' : null });
        box.apply();
      },
    },
    'Probes',
  );
  const pill = h('button.pill', { type: 'button', hidden: true, onclick: () => release() });
  const state = h('span.state', { role: 'status' }, h('i'), h('span', 'watching'));
  const none = h('div.live-none', { hidden: true });
  const head = h(
    'div.lrow.lhead',
    { role: 'row', 'aria-rowindex': 1 },
    COLUMNS.map((t, i) => h('span.c' + i, { role: 'columnheader' }, t)),
  );
  const grid = h(
    'div.live-grid',
    { role: 'grid', 'aria-label': 'Requests, newest first', tabindex: '0', 'aria-colcount': COLUMNS.length },
    h('div', { role: 'rowgroup', class: 'head-group' }, head),
  );
  const panel = new Peek(() => pick(null));

  const pages = new Pages(api.requests, (answer, isFirst) => {
    isLoaded = true;
    failure = null;
    if (answer.error) box.mistake(answer.error);
    if (isFirst) {
      rows.replace(answer.items);
      isGap = false;
      list.set(rows.length, false);
    } else {
      rows.older(answer.items);
      list.set(rows.length);
    }
    after();
  });
  const load = text =>
    pages.load(text).catch(e => {
      if (e.name === 'AbortError' || ended) return;
      failure = e;
      after();
    });
  const ask = settled(load);
  const box = filterBox(
    params.get('q') ?? '',
    (f, text) => {
      filter = f;
      set({ q: text });
      rows.waiting = rows.waiting.filter(wanted);
      rows.shown = rows.shown.filter(wanted); // at once what is here; the server's answer follows
      list?.set(rows.length, false);
      after();
      list ? ask(asked(text)) : null;
    },
    QUICK,
  );
  let list = null;
  page(
    root,
    'Live',
    { sub: state, actions: [probeBtn, pauseBtn] },
    h('div.toolbar', box.el),
    h('div.live', h('div.live-main', pill, grid, none), panel.el),
  );
  grid.addEventListener('pointerover', e => {
    // the other requests of the trace under the pointer
    const trace = e.target.closest('.lrow')?.dataset.trace;
    for (const el of grid.querySelectorAll('.win > *'))
      el.classList.toggle('kin', !!trace && el.dataset.trace === trace);
  });
  list = new Windowed(grid, {
    rowHeight: width => (width < 620 ? 58 : 32),
    key: i => rows.at(i),
    onEnd: () => rows.length < MOST_ROWS && pages.more(),
    render: i => {
      const r = rows.at(i);
      return rowOf(r, { isSelected: r.id === sel, pick: () => pick(r.id, true), open: () => open(r.id) });
    },
  });

  function why() {
    if (failure) return failed(failure, () => load(pages.q));
    if (!isLoaded) return null;
    if (pages.next) return searching(pages);
    if (box.input.value.trim())
      return empty(
        'Nothing matches',
        'No request that the console keeps fits this filter. It still watches for new ones.',
        h('button.btn', { type: 'button', onclick: () => box.set('') }, 'Clear the filter'),
      );
    return firstRun(
      'No request yet',
      'Requests appear here as they pass a sidecar that reports to this console. Send the first one, in a format of your choice:',
      FIRST,
      'A sidecar reports here when console.report.endpoint names this console; its spans alone come by OTEL_EXPORTER_OTLP_ENDPOINT.',
    );
  }
  function after() {
    none.hidden = rows.length > 0;
    if (!none.hidden) fill(none, why());
    grid.setAttribute('aria-rowcount', rows.length + 1);
    const [count, more] = pages.known;
    box.count(isLoaded ? num(Math.max(count, rows.length)) + more : '');
    pill.hidden = !rows.waiting.length && !isGap;
    pill.textContent = isGap ? 'New requests: show' : `${num(rows.waiting.length)} new`;
    const at = sel && rows.indexOf(sel) >= 0;
    at ? grid.setAttribute('aria-activedescendant', 'row-' + sel) : grid.removeAttribute('aria-activedescendant');
  }
  function tell() {
    state.classList.toggle('off', paused);
    state.classList.toggle('lost', !isOpen);
    state.lastChild.textContent = !isOpen ? 'connection lost, trying again' : paused ? 'paused' : 'watching';
  }
  const isAway = () => paused || sel || !list.atTop;

  // -- the stream: rows of one frame are put in at once
  function arrive(row) {
    arrived.push(row);
    frame ||= requestAnimationFrame(() => {
      frame = 0;
      const away = isAway();
      for (const r of arrived)
        if (wanted(r)) {
          rows.put(r, away);
          if (pages.total !== null) pages.total++;
        }
      arrived = [];
      list.set(rows.length);
      after();
    });
  }
  /** The newest rows once more, after the stream was away: what was missed is put in, or, when it is too much, offered. */
  async function catchUp() {
    if (ended || !isLoaded) return load(pages.q);
    const { items } = await api.requests({ q: pages.q, limit: pages.limit });
    const isJoined = items.some(r => rows.seen.has(r.id)) || !rows.length;
    if (isJoined) for (const r of items.toReversed()) arrive(r);
    else if (isAway()) {
      isGap = true;
      after();
    } else load(pages.q);
  }
  const quietly = work => work.catch(() => {});
  const stop = api.stream({
    row: arrive,
    lost: () => quietly(catchUp()),
    state: (now, isFirst) => {
      isOpen = now;
      tell();
      if (now && !isFirst) quietly(catchUp());
    },
  });

  function release() {
    if (isGap) {
      load(pages.q);
      grid.scrollTop = 0;
      return;
    }
    rows.release();
    list.set(rows.length);
    grid.scrollTop = 0;
    after();
  }
  function pause() {
    paused = !paused;
    pauseBtn.setAttribute('aria-pressed', paused);
    fill(pauseBtn, icon(paused ? 'play' : 'pause'), h('span', paused ? 'Resume' : 'Pause'));
    tell();
    if (!paused && !sel) release();
  }
  const mark = on => root.querySelector(`#row-${CSS.escape(sel ?? '-')}`)?.setAttribute('aria-selected', String(on));
  async function pick(id, look = panel.isOpen) {
    mark(false);
    sel = id;
    mark(true);
    after();
    set({ peek: look ? id : null });
    await panel.show(look ? id : null, rows.seen.get(id));
  }
  const stepTo = i => {
    const r = rows.at(Math.max(0, Math.min(rows.length - 1, i)));
    if (r) {
      pick(r.id);
      list.show(rows.indexOf(r.id));
    }
  };
  const step = d => stepTo(sel ? rows.indexOf(sel) + d : 0);
  const open = id => {
    location.hash = '#/requests/' + encodeURIComponent(id);
  };

  box.apply();
  ask.cancel();
  const peeked = sel ? pick(sel, true) : null; // it takes its room from the beginning
  await load(asked(box.input.value.trim()));
  await peeked;
  if (rows.indexOf(sel) >= 0) list.show(rows.indexOf(sel));
  return {
    keys: {
      j: () => step(1),
      k: () => step(-1),
      G: () => stepTo(Infinity),
      Enter: () => sel && open(sel),
      Space: () => (sel ? pick(sel, !panel.isOpen) : step(0)),
      p: pause,
      '.': release,
      r: () => load(pages.q),
      '/': box.focus,
      Escape: () => pick(null),
    },
    update: p => {
      box.set(p.get('q') ?? '');
      if (p.get('peek') !== (panel.isOpen ? sel : null)) pick(p.get('peek'), true);
    },
    unmount: () => {
      ended = true;
      stop();
      ask.cancel();
      pages.end();
      cancelAnimationFrame(frame);
      list.end();
    },
  };
}
