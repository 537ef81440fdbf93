// The filter box of all lists: the text, what is wrong with it, how many are left, the keys of the language on focus.
import { h, icon } from './dom.js';
import { compile, KEYS } from './filter.js';

/** `onchange(filter, text)` is called on each change and by `apply`. `quick`: filters that one click puts in and out. */
export function filterBox(text, onchange, quick = []) {
  const input = h('input', {
    type: 'search',
    value: text,
    placeholder: 'Filter: format:b3 status:5xx host:orders dur:>200ms',
    'aria-label': 'Filter',
    spellcheck: 'false',
    autocomplete: 'off',
    oninput: () => apply(),
  });
  const count = h('span.dim.count', { 'aria-live': 'polite' }),
    wrong = h('p.wrong', { role: 'alert' });
  const box = h('label.field', icon('search'), input, count, h('kbd', { 'aria-hidden': 'true' }, '/'));
  const tip = ([key, { about, example }]) =>
    h(
      'button',
      {
        type: 'button',
        tabindex: '-1',
        onmousedown: e => {
          e.preventDefault();
          input.value = `${input.value.trim()} ${example}`.trim();
          apply();
          input.focus();
        },
      },
      h('code', example),
      h('span.dim', about || key),
    );
  const tips = h(
    'div.tips',
    { role: 'group', 'aria-label': 'Filter keys' },
    Object.entries(KEYS).map(tip),
    h('p.dim', 'Words search everywhere. “-” in front is not, a comma is or.'),
  );
  const buttons = quick.map(q => h('button.tag', { type: 'button', onclick: () => toggle(q) }, q));
  const el = h(
    'div.filter',
    box,
    tips,
    wrong,
    quick.length ? h('div.quick', { role: 'group', 'aria-label': 'Quick filters' }, buttons) : null,
  );
  const terms = () => input.value.split(/\s+/).filter(Boolean);
  function toggle(q) {
    const now = terms();
    input.value = (now.includes(q) ? now.filter(t => t !== q) : [...now, q]).join(' ');
    apply();
  }
  function mistake(error) {
    wrong.textContent = error ?? '';
    box.classList.toggle('bad', !!error);
  }
  function apply() {
    const filter = compile(input.value),
      now = terms();
    mistake(filter.error);
    tips.classList.toggle('quiet', !!filter.error || !/(^|\s)$/.test(input.value)); // no list of keys over the rows while a word is typed
    for (const [i, button] of buttons.entries()) button.setAttribute('aria-pressed', now.includes(quick[i]));
    onchange(filter, input.value.trim());
  }
  return {
    el,
    input,
    apply,
    mistake,
    count: said => {
      count.textContent = said;
    },
    focus: () => input.focus(),
    set: value => {
      if (value !== input.value) {
        input.value = value;
        apply();
      }
    },
  };
}

/** Calls `work` once no further call came for `ms`. */
export function settled(work, ms = 180) {
  let timer;
  const later = (...args) => {
    clearTimeout(timer);
    timer = setTimeout(work, ms, ...args);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}
