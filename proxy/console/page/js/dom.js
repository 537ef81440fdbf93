// Elements and icons. Text enters the page as text nodes only: headers are written by strangers, so there is no innerHTML.

const NS = 'http://www.w3.org/2000/svg';

const blanks = new Map();
/** An empty element for `tag.class#id`, cloned from one made before: rows are made often. */
function blank(tag) {
  let el = blanks.get(tag);
  if (!el) {
    const [name, ...marks] = tag.split(/(?=[.#])/);
    el = /^(svg|path|rect)$/.test(name) ? document.createElementNS(NS, name) : document.createElement(name);
    for (const m of marks) m[0] === '.' ? el.classList.add(m.slice(1)) : (el.id = m.slice(1));
    blanks.set(tag, el);
  }
  return el.cloneNode(false);
}
/** h('a.link#x', {href, onclick, style: {width: '3px'}}, ...children): strings become text, null and false nothing. */
export function h(tag, props, ...kids) {
  const el = blank(tag);
  if (props && (typeof props !== 'object' || props instanceof Node || Array.isArray(props))) {
    kids.unshift(props);
    props = null;
  }
  for (const [k, v] of Object.entries(props ?? {})) {
    if (k.startsWith('aria-') && typeof v === 'boolean') {
      el.setAttribute(k, String(v));
      continue;
    }
    if (v == null || v === false) continue;
    if (k.startsWith('on')) el.addEventListener(k.slice(2), v);
    else if (k === 'style') for (const [p, x] of Object.entries(v)) el.style.setProperty(p, x);
    else if (k === 'class') el.classList.add(...v.split(' ').filter(Boolean));
    else if (k === 'value' || k === 'disabled' || k === 'checked') el[k] = v;
    else el.setAttribute(k, v === true ? '' : v);
  }
  add(el, kids);
  return el;
}
function add(el, kids) {
  for (const kid of kids.flat(Infinity)) if (kid != null && kid !== false) el.append(kid);
}
export function fill(el, ...kids) {
  el.replaceChildren();
  add(el, kids);
  return el;
}

const PATHS = {
  live: 'M2 8h3l2-5 3 10 2-5h2',
  traces: 'M2 4h7M5 8h9M4 12h5',
  sessions: 'M8 8a2.6 2.6 0 1 0 0-5.2A2.6 2.6 0 0 0 8 8ZM3 13.5c.6-2.4 2.5-3.6 5-3.6s4.4 1.2 5 3.6',
  doctor:
    'M8 13.5C4 10.8 2 8.7 2 6.2 2 4.4 3.4 3 5.1 3 6.3 3 7.4 3.7 8 4.7 8.6 3.7 9.7 3 10.9 3 12.6 3 14 4.4 14 6.2c0 2.5-2 4.6-6 7.3Z',
  migration: 'M2 5h9M8.5 2.5 11 5 8.5 7.5M14 11H5M7.5 8.5 5 11l2.5 2.5',
  explain: 'M3 3.5h10v7H7.5L5 13v-2.5H3zM6 6h4M6 8h2.5',
  settings:
    'M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 6.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4ZM6 13.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10ZM10.7 10.7 14 14',
  pause: 'M5.5 3v10M10.5 3v10',
  play: 'M5 3l8 5-8 5z',
  x: 'M4 4l8 8M12 4l-8 8',
  back: 'M9.5 3.5 5 8l4.5 4.5',
  right: 'M6 3.5 10.5 8 6 12.5',
  down: 'M3.5 6 8 10.5 12.5 6',
  check: 'M3 8.5 6.5 12 13 4.5',
  alert: 'M8 2 14.5 13.5h-13zM8 6.5v3M8 11.7v.1',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6ZM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7',
  download: 'M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11',
  upload: 'M8 10.5v-8M4.5 6 8 2.5 11.5 6M2.5 13.5h11',
  link: 'M6.5 9.5l3-3M7 4.5 8.5 3a3.1 3.1 0 0 1 4.5 4.5L11.5 9M9 11.5 7.5 13A3.1 3.1 0 0 1 3 8.5L4.5 7',
  dash: 'M4 8h8',
  again: 'M13 8a5 5 0 1 1-1.5-3.6L13.5 6.2M13.5 2.5v3.7H9.8',
  compare: 'M5.5 2.5v11M10.5 2.5v11M2 5.5h3.5M2 9h3.5M10.5 7H14M10.5 10.5H14',
  lock: 'M4 7.5h8v6H4zM5.5 7.5V5a2.5 2.5 0 0 1 5 0v2.5',
};
const icons = new Map();
export function icon(name, cls = '') {
  const key = name + cls;
  if (!icons.has(key))
    icons.set(
      key,
      h('svg.ic', { viewBox: '0 0 16 16', 'aria-hidden': 'true', class: cls }, h('path', { d: PATHS[name] })),
    );
  return icons.get(key).cloneNode(true);
}
