// A list that the server searches: a box for the filter, rows in sight alone, more as one scrolls, and what is said where there are none.
import { h, fill } from './dom.js';
import { empty, failed, searching } from './frame.js';
import { num } from './text.js';
import { Windowed } from './windowed.js';
import { filterBox, settled } from './filterbox.js';
import { Pages } from './pages.js';

export class SearchList {
  /**
   * `ask`: a page of the API; `q` and `set`: the filter in the address; `row(item)`: an element, whose first child takes the focus;
   * `one` and `many`: what a row is; `first`: what a first run shows; `onPage(answer, isFirst)` may say that the rows there have to be
   * drawn anew, by true.
   */
  constructor({ ask, q, set, quick, label, row, rowHeight, one, many, first, onPage = () => false, scrollerClass = '' }) {
    Object.assign(this, { words: { one, many, first }, selected: -1, failure: null, isLoaded: false });
    this.none = h('div');
    this.scroller = h('div.scroll', { tabindex: '-1', class: scrollerClass }, this.none);
    this.pages = new Pages(
      ask,
      (answer, isFirst) => {
        this.isLoaded = true;
        this.failure = null;
        if (answer.error) this.box.mistake(answer.error);
        if (isFirst) {
          this.scroller.scrollTop = 0;
          this.selected = -1;
        }
        const isAnew = onPage(answer, isFirst);
        this.list.set(this.pages.items.length, !isFirst && !isAnew);
        this.#after();
      },
      100,
    );
    this.later = settled(text => this.load(text));
    this.box = filterBox(
      q,
      (f, text) => {
        set({ q: text });
        this.later(text);
      },
      quick,
    );
    this.list = new Windowed(this.scroller, {
      role: 'list',
      rowHeight,
      key: i => this.pages.items[i],
      render: i => row(this.pages.items[i]),
      onEnd: () => this.pages.more(),
    });
    this.list.space.setAttribute('aria-label', label);
  }
  load(text = this.pages.q) {
    return this.pages.load(text).catch(e => {
      if (e.name !== 'AbortError') {
        this.failure = e;
        this.#after();
      }
    });
  }
  /** The first page; afterwards only what is typed asks again. */
  async begin() {
    await this.load(this.box.input.value.trim());
    this.box.apply();
    this.later.cancel();
  }
  #after() {
    const [count, more] = this.pages.known,
      { one, many } = this.words;
    this.box.count(this.isLoaded ? `${num(count)}${more} ${count === 1 && !more ? one : many}` : '');
    this.none.hidden = this.pages.items.length > 0 && !this.failure;
    if (!this.none.hidden) fill(this.none, this.#nothing());
  }
  #nothing() {
    const { one, first } = this.words;
    if (this.failure) return failed(this.failure, () => this.load());
    if (!this.isLoaded) return null;
    if (this.pages.next) return searching(this.pages);
    if (!this.pages.q) return first();
    const clear = h('button.btn', { type: 'button', onclick: () => this.box.set('') }, 'Clear the filter');
    return empty(`No such ${one}`, `No ${one} that the console keeps fits this filter.`, clear);
  }
  #step(d) {
    if (!this.pages.items.length) return;
    this.selected = Math.max(0, Math.min(this.pages.items.length - 1, this.selected + d));
    this.list.show(this.selected);
    this.list.element(this.selected)?.firstChild.focus({ preventScroll: true });
  }
  /** What a view gives the shell. */
  get view() {
    return {
      keys: { j: () => this.#step(1), k: () => this.#step(-1), r: () => this.load(), '/': this.box.focus },
      update: p => this.box.set(p.get('q') ?? ''),
      unmount: () => {
        this.later.cancel();
        this.pages.end();
        this.list.end();
      },
    };
  }
}
