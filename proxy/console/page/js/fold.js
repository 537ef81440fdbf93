// A long list that opens with its most telling part and has the rest behind a button.
import { h, fill } from './dom.js';

/** `rest(n)` words the button. The reader who has opened it keeps it open over redraws: the state is `memory[key]`. */
export function folded(el, items, first, draw, rest, memory, key) {
  const isOpen = memory[key] || items.length <= first + 1;
  fill(
    el,
    (isOpen ? items : items.slice(0, first)).map(draw),
    isOpen
      ? null
      : rest(items.length - first, () => {
          memory[key] = true;
          folded(el, items, first, draw, rest, memory, key);
        }),
  );
  return el;
}
