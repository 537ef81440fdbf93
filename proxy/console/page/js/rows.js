// The rows of Live: those that are shown and those that wait. Bounded; pure: no DOM, no network.

export const MOST_ROWS = 20000;

/** Newest first outside, oldest first inside: new ones are pushed. */
export class Rows {
  constructor() {
    this.clear();
  }
  clear() {
    this.shown = [];
    this.waiting = [];
    this.seen = new Map();
  }
  get length() {
    return this.shown.length;
  }
  at(i) {
    return this.shown[this.shown.length - 1 - i];
  }
  indexOf(id) {
    const i = this.shown.findLastIndex(r => r.id === id);
    return i < 0 ? -1 : this.shown.length - 1 - i;
  }
  /** Replaces all by the server's rows, newest first. */
  replace(items) {
    this.clear();
    for (const r of items.toReversed()) this.put(r, false);
  }
  older(items) {
    const fresh = items.filter(r => !this.seen.has(r.id)).toReversed();
    for (const r of fresh) this.seen.set(r.id, r);
    this.shown = [...fresh, ...this.shown];
  }
  /** A row that is known is replaced where it is: a report says more than a span did. */
  put(row, wait) {
    const known = this.seen.get(row.id),
      list = wait ? this.waiting : this.shown;
    this.seen.set(row.id, row);
    if (!known) {
      list.push(row);
      return this.#trim();
    }
    for (const l of [this.shown, this.waiting]) {
      const i = l.lastIndexOf(known);
      if (i >= 0) l[i] = row;
    }
  }
  release() {
    for (const r of this.waiting) this.shown.push(r);
    this.waiting = [];
    this.#trim();
  }
  #trim() {
    for (const l of [this.shown, this.waiting])
      if (l.length > MOST_ROWS) for (const r of l.splice(0, l.length - MOST_ROWS)) this.seen.delete(r.id);
  }
}
