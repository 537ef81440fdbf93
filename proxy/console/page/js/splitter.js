// The line between the names and the bars of a waterfall: drag it, or move it with the arrow keys. Its place is kept.
import { h } from './dom.js';

const AFTER = 60; // px behind the bars, for their durations (css/trace.css)
const LEAST = 15,
  MOST = 75,
  FIRST = 40,
  STEP = 2,
  KEY = 'name-width';

/** Sets --share on `room`, from 0 to 1. `scroller` has the rows. */
export function splitter(room, scroller) {
  const stored = localStorage.getItem(KEY);
  let share = stored === null ? FIRST : Math.max(LEAST, Math.min(MOST, +stored || FIRST));
  const el = h('div.splitter', {
    role: 'separator',
    tabindex: '0',
    'aria-orientation': 'vertical',
    'aria-label': 'Width of the names',
    'aria-valuemin': LEAST,
    'aria-valuemax': MOST,
    'aria-controls': scroller.id,
    title: 'Drag to widen the names, double-click to reset',
  });
  function put(to, keep = true) {
    share = Math.max(LEAST, Math.min(MOST, to));
    room.style.setProperty('--share', share / 100);
    el.setAttribute('aria-valuenow', Math.round(share));
    if (keep) localStorage.setItem(KEY, share.toFixed(1));
  }
  el.addEventListener('pointerdown', e => {
    const box = room.getBoundingClientRect();
    const move = ev => put(((ev.clientX - box.left) / (scroller.clientWidth - AFTER)) * 100);
    el.setPointerCapture(e.pointerId);
    el.addEventListener('pointermove', move);
    el.addEventListener('pointerup', () => el.removeEventListener('pointermove', move), { once: true });
    e.preventDefault();
  });
  el.addEventListener('dblclick', () => put(FIRST));
  el.addEventListener('keydown', e => {
    const to = { ArrowLeft: share - STEP, ArrowRight: share + STEP, Home: LEAST, End: MOST }[e.key];
    if (to === undefined) return;
    e.preventDefault();
    put(to);
  });
  const observer = new ResizeObserver(() =>
    room.style.setProperty('--gutter', scroller.offsetWidth - scroller.clientWidth + 'px'),
  );
  observer.observe(scroller);
  put(share, false);
  return el;
}
