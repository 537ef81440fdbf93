// The panel beside Live: the headers of the selected request. It opens at once and fills when the answer comes.
import { h, fill, icon } from './dom.js';
import { summary } from './request.js';
import { UNREADABLE } from './chips.js';
import * as api from './api.js';

export class Peek {
  constructor(close) {
    this.close = close;
    this.el = h('aside.peek', { 'aria-label': 'Headers of the selected request', hidden: true });
  }
  get isOpen() {
    return !this.el.hidden;
  }
  #head(id, row) {
    return h(
      'header',
      h('span.strong.cut', row ? `${row.method} ${row.target || UNREADABLE}`.trim() : '…'),
      h(
        'a.btn.ghost.end',
        { href: '#/requests/' + encodeURIComponent(id) },
        'Open',
        h('kbd', { 'aria-hidden': 'true' }, '↵'),
      ),
      h('button.btn.icon.ghost', { type: 'button', 'aria-label': 'Close', onclick: this.close }, icon('x')),
    );
  }
  /** `row`: what the list knows of it. null closes. */
  async show(id, row) {
    this.id = id;
    this.el.hidden = !id;
    if (!id) return;
    fill(this.el, this.#head(id, row));
    const r = await api.request(id);
    if (this.id !== id) return;
    fill(
      this.el,
      this.#head(id, r ?? row),
      r ? summary(r) : h('p.summary.mid', 'The console no longer keeps this request.'),
    );
    this.el.scrollTop = 0;
  }
}
