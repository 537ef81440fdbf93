// A list of any length of which only the rows in sight are in the page.
import { h } from './dom.js';

const SPARE = 6; // rows kept above and below what is in sight
const NEAR_END = 30; // rows before the end at which `onEnd` is called

export class Windowed {
  /**
   * `rowHeight(width)` in px; `render(i)` makes a row; `key(i)` tells when an old element can be kept;
   * `onEnd()` is called when the reader nears the end; `role` is that of the element that holds the rows.
   */
  constructor(scroller, { rowHeight, render, key, onEnd, role = 'rowgroup' }) {
    Object.assign(this, {
      scroller,
      height: rowHeight(scroller.clientWidth),
      render,
      key,
      onEnd,
      count: 0,
      live: new Map(),
    });
    this.space = h('div.win', { role });
    scroller.append(this.space);
    scroller.addEventListener('scroll', () => this.paint(), { passive: true });
    this.observer = new ResizeObserver(() => this.#resize(rowHeight(scroller.clientWidth)));
    this.observer.observe(scroller);
  }
  get top() {
    return this.scroller.scrollTop - this.space.offsetTop;
  }
  get atTop() {
    return this.scroller.scrollTop <= 4;
  }
  #resize(height) {
    if (height !== this.height) {
      const first = this.top / this.height;
      this.height = height;
      this.set(this.count, false);
      this.scroller.scrollTop = first > 0 ? this.space.offsetTop + first * height : 0;
    }
    this.paint();
  }
  /** `keep`: rows with the same key stay as they are. */
  set(count, keep = true) {
    this.count = count;
    this.space.style.height = count * this.height + 'px';
    if (!keep) {
      this.live.forEach(el => el.remove());
      this.live.clear();
    }
    this.paint();
  }
  redraw() {
    this.set(this.count, false);
  }
  paint() {
    const { top, height, scroller } = this;
    const from = Math.max(0, Math.floor(top / height) - SPARE);
    const to = Math.min(this.count, Math.ceil((top + scroller.clientHeight) / height) + SPARE);
    const next = new Map(),
      fresh = document.createDocumentFragment();
    for (let i = from; i < to; i++) {
      const key = this.key(i);
      let el = this.live.get(key);
      if (el) this.live.delete(key);
      else {
        el = this.render(i);
        fresh.append(el);
      }
      const y = i * height;
      if (el.y !== y) {
        el.y = y;
        el.style.transform = `translateY(${y}px)`;
        el.style.height = height + 'px';
        el.setAttribute(el.role === 'row' ? 'aria-rowindex' : 'aria-posinset', i + (el.role === 'row' ? 2 : 1));
        if (el.role !== 'row') el.setAttribute('aria-setsize', this.count);
      }
      next.set(key, el);
    }
    this.live.forEach(el => el.remove());
    this.space.append(fresh);
    this.live = next;
    if (this.onEnd && this.count && to > this.count - NEAR_END) this.onEnd();
  }
  element(i) {
    return this.live.get(this.key(i));
  }
  show(i) {
    const { scroller, height } = this,
      head = this.space.offsetTop,
      y = head + i * height;
    if (y - head < scroller.scrollTop) scroller.scrollTop = y - head;
    else if (y + height > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = y + height - scroller.clientHeight;
    this.paint();
  }
  end() {
    this.observer.disconnect();
  }
}
