// Numbers, durations and times as text. One ticker keeps every "how long ago" in the page true.
import { h } from './dom.js';

const NUMBER = new Intl.NumberFormat('en');
export const num = n => NUMBER.format(n);
export const compact = n =>
  n < 1e4
    ? num(n)
    : n < 1e6
      ? (n / 1e3).toFixed(n < 1e5 ? 1 : 0) + ' k'
      : n < 1e9
        ? (n / 1e6).toFixed(1) + ' M'
        : (n / 1e9).toFixed(1) + ' G';
export function ms(value) {
  if (value == null) return '–';
  if (value === 0) return '0 ms';
  if (value < 1) return value.toFixed(2) + ' ms';
  if (value < 100) return value.toFixed(1) + ' ms';
  if (value < 1000) return value.toFixed(0) + ' ms';
  if (value < 6e4) return (value / 1000).toFixed(2) + ' s';
  return value < 36e5 ? (value / 6e4).toFixed(1) + ' min' : (value / 36e5).toFixed(1) + ' h';
}
export function pct(part, whole) {
  const p = whole ? (100 * part) / whole : 0;
  const digits = p === 0 || p === 100 ? 0 : p < 0.1 ? 3 : p < 10 ? 1 : p > 99 ? 2 : 0;
  return +p.toFixed(digits) + ' %';
}
export const plural = (n, one, many = one + 's') => `${num(n)} ${n === 1 ? one : many}`;

export function ago(t, now = Date.now()) {
  const s = Math.max(0, (now - t) / 1000);
  if (s < 1.5) return 'now';
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m`;
  return s < 86400 ? `${Math.floor(s / 3600)} h` : `${Math.floor(s / 86400)} d`;
}
const two = n => String(n).padStart(2, '0');
export function clock(t) {
  const d = new Date(t);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, '0')}`;
}
export function absolute(t) {
  const d = new Date(t);
  return `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(t)}`;
}

const since = (t, suffix) => {
  const text = ago(t);
  return text === 'now' ? text : text + suffix;
};
/** How long ago `t` was, the instant on hover. */
export const when = (t, suffix = '') =>
  t == null
    ? h('span.dim', '–')
    : h(
        'time',
        { datetime: new Date(t).toISOString(), title: absolute(t), 'data-t': t, 'data-s': suffix },
        since(t, suffix),
      );
setInterval(() => {
  for (const el of document.querySelectorAll('time[data-t]')) {
    const text = since(+el.dataset.t, el.dataset.s);
    if (el.textContent !== text) el.textContent = text;
  }
}, 1000);
