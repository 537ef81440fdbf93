// The keyboard: which key does what, and the page of help that says so.
import { h, fill, icon } from './dom.js';

const LEADER_MS = 1200;
const KEYS = [
  [
    'Everywhere',
    [
      ['g then l t s d m e ,', 'go to a view'],
      ['/', 'filter, or find in a trace'],
      ['?', 'these keys'],
      ['shift T', 'light or dark'],
      ['esc', 'close, clear, go back'],
    ],
  ],
  [
    'Lists',
    [
      ['j k', 'next, previous'],
      ['enter', 'open'],
      ['r', 'ask again'],
      ['space', 'peek at the headers (Live)'],
      ['p', 'pause, resume (Live)'],
      ['.', 'show the new ones (Live)'],
    ],
  ],
  [
    'A trace',
    [
      ['e  shift E', 'next, previous error'],
      ['n  shift N', 'next, previous find'],
      ['h l', 'fold, unfold'],
      ['+  -  0', 'zoom in, out, all'],
      ['c', 'critical path'],
      ['x', 'hops only'],
      ['s', 'this span as the root, and back'],
      ['y', 'copy the trace id'],
    ],
  ],
];
const help = document.getElementById('help');
let leader = 0,
  keyboard = false;

/** Whether the reader's last act was a key: then a new view takes the focus. */
export const byKeyboard = () => keyboard;

function showHelp() {
  const key = k => (k === 'then' ? ' then ' : h('kbd', k));
  fill(
    help,
    h(
      'div.row',
      h('h2#help-title', 'Keys'),
      h('button.btn.icon.ghost.end', { type: 'button', 'aria-label': 'Close', onclick: () => help.close() }, icon('x')),
    ),
    h(
      'div.keymap',
      KEYS.map(([title, keys]) =>
        h(
          'section',
          h('h3', title),
          h(
            'dl',
            keys.map(([k, what]) => [h('dt', k.split(' ').filter(Boolean).map(key)), h('dd', what)]),
          ),
        ),
      ),
    ),
  );
  help.showModal();
}

/** `nav`: [[view, name, key]]; `keys()`: those of the view that is shown. */
export function listen({ nav, keys, toggleTheme }) {
  addEventListener(
    'pointerdown',
    () => {
      keyboard = false;
    },
    true,
  );
  addEventListener('keydown', e => {
    keyboard = true;
    if (e.ctrlKey || e.metaKey || e.altKey || help.open) return;
    if (e.target.closest('input, textarea, select')) {
      if (e.key === 'Escape') e.target.blur();
      return;
    }
    if ((e.key === 'Enter' || e.key === ' ') && e.target.closest('button, a, summary, [role=separator]')) return;
    if (e.target.closest('[role=separator]') && e.key.startsWith('Arrow')) return;
    const view = Date.now() - leader < LEADER_MS && nav.find(n => n && n[2] === e.key)?.[0];
    leader = 0;
    if (view) {
      e.preventDefault();
      location.hash = '#/' + view;
      return;
    }
    if (e.key === 'g') {
      leader = Date.now();
      return;
    }
    if (e.key === '?') {
      e.preventDefault();
      showHelp();
      return;
    }
    if (e.key === 'T') {
      toggleTheme();
      return;
    }
    const act = keys()?.[{ ArrowDown: 'j', ArrowUp: 'k', ' ': 'Space' }[e.key] ?? e.key];
    if (act) {
      e.preventDefault();
      act(e);
    }
  });
}
