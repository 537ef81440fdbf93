// What all views share: chips of formats, notes, services and ids, header lines, the toast.
import { h, icon } from './dom.js';

const LABELS = { tracecontext: 'W3C', b3: 'B3', b3multi: 'B3 multi', jaeger: 'Jaeger', none: 'none' };
/** A format as people say it; one that this page does not know is shown by its own name. */
export const label = format => LABELS[format] ?? format;
export const FIELD = {
  trace: 'trace id',
  span: 'span id',
  decision: 'decision',
  state: 'tracestate',
  session: 'session',
  baggage: 'baggage',
};

const joined = formats => (formats?.length ? formats.map(label).join(' + ') : 'none');
/** Format in -> out. One quiet chip where nothing changed. */
export function hop(ins, outs) {
  const a = joined(ins),
    b = joined(outs),
    same = a === b;
  const chip = (text, mark) => h('span.fmt', { class: `${text === 'none' ? 'none' : ''} ${mark}` }, text);
  return h(
    'span.hop',
    { title: same ? `${a}, unchanged` : `${a} in, ${b} out` },
    same
      ? chip(a, '')
      : [
          chip(a, ''),
          h('span.arr', { 'aria-hidden': 'true' }, '→'),
          h('span.sr', ' to '),
          chip(b, b === 'none' ? '' : 'changed'),
        ],
  );
}

/** Stands for the method and path of a request that was refused before it was understood. */
export const UNREADABLE = 'a request that cannot be read';
const TROUBLE = new Set(['conflict', 'malformed', 're-minted', 'flipped', 'gap', 'retry', 'error', 'refused']);
export const tag = note => h('span.tag', { class: TROUBLE.has(note) ? 'warn' : '' }, note);
export const statusClass = s => (s == null || s >= 500 ? 'err' : s >= 400 ? 'warn' : '');

const COLOURS = 8,
  SHAPES = 4;
const marks = new Map();
/** Gives each service its mark once, in the order that the server tells, so that it is the same in every view. */
export function knowServices(names) {
  for (const name of names) markOf(name);
}
function markOf(name) {
  if (!marks.has(name)) marks.set(name, marks.size);
  return marks.get(name);
}
export const serviceColour = name => `var(--s-${markOf(name) % COLOURS})`;
/** Shapes differ where colours come round again, and between colours that a colour-blind reader may take for each other. */
export const serviceShape = name => {
  const n = markOf(name);
  return `s${(n + Math.floor(n / COLOURS)) % SHAPES}`;
};
export const svc = (name, ...extra) =>
  h('span.svc', { class: serviceShape(name), style: { '--c': serviceColour(name) } }, h('span.cut', name), extra);

/** The first characters of an id that tell it apart. */
export function short(id) {
  if (/^0{16}[0-9a-f]{16}$/.test(id)) return id.slice(16, 24);
  return id.length > 14 && /^[0-9a-f]+$/.test(id) ? id.slice(0, 8) : id;
}
export function idChip(id, { href, what = 'id', full = false, shown = false } = {}) {
  if (!id) return h('span.dim', '–');
  const text = full ? id : short(id);
  const copyIt = e => {
    e.stopPropagation();
    copy(id, `Copied ${what}`);
  };
  return h(
    'span.id',
    { class: shown ? 'shown' : '', title: id },
    href ? h('a', { href }, text) : h('span', text),
    h('button', { type: 'button', 'aria-label': `Copy ${what} ${id}`, onclick: copyIt }, icon('copy')),
  );
}

const part = p =>
  p.field ? h('span', { 'data-f': p.field, title: FIELD[p.field] ?? p.field }, p.text) : h('span.dim', p.text);
/** One header: {name, parts} or {name, value, masked}. */
export function headerLine({ name, parts, value, masked }) {
  return h(
    'div.hl',
    h('span.hn', name),
    h(
      'span.hv',
      parts ? parts.map(part) : masked ? [icon('lock'), h('span.dim', value || 'stays at the sidecar')] : value,
    ),
  );
}
export const lineOf = header =>
  `${header.name}: ${header.parts ? header.parts.map(p => p.text).join('') : header.value}`;

let toastTimer;
export function toast(text) {
  const el = document.getElementById('toast');
  el.textContent = text;
  el.classList.add('on');
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => el.classList.remove('on'), 2400);
}
export function copy(text, said = 'Copied') {
  const refused = () => toast('The browser did not allow copying');
  navigator.clipboard ? navigator.clipboard.writeText(text).then(() => toast(said), refused) : refused();
}
export const copyButton = (text, what, said) =>
  h(
    'button.btn.icon.ghost',
    { type: 'button', 'aria-label': what, title: what, onclick: () => copy(text, said) },
    icon('copy'),
  );
