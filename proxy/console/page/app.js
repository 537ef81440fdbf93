// The shell: routes in the hash, navigation, theme, what is said when the server is away or wants a token.
// A view is `mount(main, route)` -> {keys, update?, unmount?}, or a promise of it. route = {view, id, params, set}.
import { h, fill, icon } from './js/dom.js';
import { failed, learn } from './js/frame.js';
import { knowServices, toast } from './js/chips.js';
import { plural } from './js/text.js';
import * as api from './js/api.js';
import { listen, byKeyboard } from './js/keys.js';
import { askForToken } from './js/login.js';
import { live } from './js/live.js';
import { request } from './js/request.js';
import { traces } from './js/traces.js';
import { trace } from './js/trace.js';
import { compare } from './js/compare.js';
import { doctor } from './js/doctor.js';
import { migration } from './js/migration.js';
import { explain } from './js/explain.js';
import { sessions, session } from './js/sessions.js';
import { settings } from './js/settings.js';

const NAV = [
  ['live', 'Live', 'l'],
  ['traces', 'Traces', 't'],
  ['sessions', 'Sessions', 's'],
  null,
  ['doctor', 'Doctor', 'd'],
  ['migration', 'Migration', 'm'],
  ['explain', 'Explain', 'e'],
  null,
  ['settings', 'Settings', ','],
];
/** name -> [the view without an id, the view with one, the entry of the navigation that it belongs to] */
const VIEWS = {
  live: [live, live],
  requests: [live, request, 'live'],
  traces: [traces, trace],
  compare: [traces, compare, 'traces'],
  sessions: [sessions, session],
  doctor: [doctor, doctor],
  migration: [migration, migration],
  explain: [explain, explain],
  settings: [settings, settings],
};
const SELF_EVERY_MS = 15000;
const main = document.getElementById('main'),
  nav = document.getElementById('nav'),
  away = document.getElementById('away');
let current = {},
  shown = null,
  turn = 0;

function parse() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?'),
    [view, ...rest] = path.split('/');
  return {
    view: Object.hasOwn(VIEWS, view) ? view : 'live',
    id: rest.length ? decodeURIComponent(rest.join('/')) : null,
    params: new URLSearchParams(query),
  };
}
/** Puts values into the hash without leaving the view; null takes one out. */
function set(values) {
  const { view, id, params } = parse();
  for (const [key, value] of Object.entries(values))
    value == null || value === '' || value === false ? params.delete(key) : params.set(key, value);
  const query = params.toString();
  history.replaceState(
    null,
    '',
    `#/${view}${id === null ? '' : '/' + encodeURIComponent(id)}${query ? '?' + query : ''}`,
  );
}
/** Each view has a room of its own: one that is left before it has its answer draws nowhere, and changes no address. */
function roomOf(mine) {
  const room = h('div.view');
  room.enter = () => {
    if (mine !== turn) throw new Left();
    if (!room.isConnected) main.replaceChildren(room);
  };
  return room;
}
class Left extends Error {}
async function go() {
  const route = parse(),
    key = `${route.view}/${route.id ?? ''}`;
  if (key === shown && current.update) return current.update(route.params);
  const mine = ++turn;
  current.unmount?.();
  current = {};
  shown = key;
  const [bare, withId, owner = route.view] = VIEWS[route.view];
  for (const a of nav.querySelectorAll('a[data-view]'))
    a.dataset.view === owner ? a.setAttribute('aria-current', 'page') : a.removeAttribute('aria-current');
  main.dataset.view = route.view;
  try {
    const next = await (route.id === null ? bare : withId)(roomOf(mine), {
      ...route,
      set: values => mine === turn && set(values),
      reload: () => {
        if (mine !== turn) return;
        shown = null;
        go();
      },
    });
    if (mine !== turn) return next?.unmount?.();
    current = next ?? {};
  } catch (e) {
    if (mine !== turn || e instanceof Left) return;
    if (!(e instanceof api.ApiError)) console.error(String(e.stack ?? e)); // a fault of the page itself
    shown = null;
    fill(main, failed(e, go));
  }
  if (byKeyboard()) main.querySelector('h1')?.focus({ preventScroll: true });
}

// -- theme

function theme(next) {
  if (next) localStorage.setItem('theme', next);
  document.documentElement.style.colorScheme = localStorage.getItem('theme') ?? '';
  dispatchEvent(new Event('themechange'));
}
const systemDark = matchMedia('(prefers-color-scheme: dark)');
const toggleTheme = () =>
  theme((localStorage.getItem('theme') ?? (systemDark.matches ? 'dark' : 'light')) === 'dark' ? 'light' : 'dark');
systemDark.addEventListener('change', () => theme());

// -- navigation

function drawNav() {
  const entry = ([view, name, key], apart) =>
    h(
      'li',
      { class: apart ? 'apart' : '' },
      h(
        'a',
        { href: '#/' + view, 'data-view': view, title: `${name} (g ${key})` },
        icon(view),
        h('span', name),
        h('b.badge', { hidden: true }),
      ),
    );
  fill(
    nav,
    h(
      'a.brand',
      { href: '#/live', title: 'ops-sidecar' },
      h('svg.logo', { viewBox: '0 0 16 16', 'aria-hidden': 'true' }, h('path', { d: 'M2 4h7M5 8h9M3 12h6' })),
      h('span', 'ops-sidecar'),
    ),
    h(
      'ul',
      NAV.map((n, i) => n && entry(n, NAV[i - 1] === null)),
    ),
    h(
      'div.who',
      h('span.pulse#pulse', { title: 'connected' }),
      h('div.cut', h('div.strong.cut#who-name', '…'), h('div.dim.cut#who-sub', '\u00a0')),
      h(
        'button.btn.icon.ghost',
        {
          type: 'button',
          title: 'Light or dark (shift T)',
          'aria-label': 'Switch between light and dark',
          onclick: toggleTheme,
        },
        icon('sun'),
      ),
    ),
  );
}
async function drawSelf() {
  const self = await api.self();
  knowServices(self.services);
  learn(self);
  document.getElementById('who-name').textContent = self.service ?? 'console';
  document.getElementById('who-sub').textContent = `${plural(self.services.length, 'service')}`;
}
async function drawBadge() {
  const { findings } = await api.doctor(),
    badge = nav.querySelector('[data-view=doctor] .badge');
  badge.hidden = !findings.length;
  fill(badge, findings.length || '', h('span.sr', findings.length === 1 ? ' finding' : ' findings'));
}
/** What the navigation tells stays true; a console that was away is noticed here, too. */
async function refresh() {
  try {
    await drawSelf();
    await drawBadge();
  } catch {
    /* `connection` has said so */
  }
}
api.connection.addEventListener('state', () => {
  const { online } = api.connection,
    pulse = document.getElementById('pulse');
  pulse?.classList.toggle('off', !online);
  if (pulse) pulse.title = online ? 'connected' : 'not connected';
  away.hidden = online;
  if (online && shown === null) go();
});

// -- start

let signingIn = false;
async function signIn() {
  if (signingIn) return;
  signingIn = true;
  current.unmount?.();
  current = {};
  shown = null;
  turn++;
  await askForToken(main);
  signingIn = false;
  start();
}
async function start() {
  drawNav();
  try {
    await drawSelf();
  } catch (e) {
    if (e.status !== 401) fill(main, failed(e, start));
    return;
  }
  drawBadge().catch(() => {});
  go();
}
api.connection.addEventListener('signedout', signIn);
document.querySelector('.skip').addEventListener('click', e => {
  e.preventDefault();
  main.focus();
}); // the hash is the route
addEventListener('hashchange', () => {
  if (!signingIn) go();
});
addEventListener('unhandledrejection', e => {
  if (e.reason?.status !== 401 && e.reason?.name !== 'AbortError') toast(String(e.reason?.message ?? e.reason));
});
listen({ nav: NAV, keys: () => current.keys, toggleTheme });
setInterval(() => {
  if (!document.hidden && !signingIn) refresh();
}, SELF_EVERY_MS);
theme();
start();
