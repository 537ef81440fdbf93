// A list that the server pages: what is here, what the filter finds, older ones as the reader scrolls.
import { toast } from './chips.js';

const FEW = 30; // fewer than that, and the search goes on by itself
const MOST_ROUNDS = 20; // a search of the server ends after a quarter of a second

/**
 * `ask({q, before, limit}, signal)` -> {items, next, total, error, …}; `on(answer, isFirst)` is called after each page.
 * `items` is newest first. Only the answer to the latest question counts.
 */
export class Pages {
  constructor(ask, on, limit = 200) {
    Object.assign(this, {
      ask,
      on,
      limit,
      items: [],
      next: null,
      total: null,
      q: '',
      busy: false,
      asked: 0,
      rounds: 0,
      searchedTo: null,
    });
  }
  /** A new question: what is here is replaced when its answer comes. */
  async load(q = this.q) {
    this.q = q;
    this.rounds = 0;
    return this.#get(null);
  }
  /** The next page, unless one is on its way. */
  async more() {
    if (this.busy || !this.next) return;
    await this.#get(this.next).catch(e => {
      if (e.name !== 'AbortError') toast(e.message);
    });
  }
  /** Goes on after a search that stopped for its time. */
  searchOn() {
    this.rounds = 0;
    return this.more();
  }
  async #get(before) {
    this.signal?.abort();
    this.signal = new AbortController();
    const mine = ++this.asked;
    this.busy = true;
    try {
      const answer = await this.ask({ q: this.q, before, limit: this.limit }, this.signal.signal);
      if (mine !== this.asked) return;
      this.items = before ? [...this.items, ...answer.items] : answer.items;
      this.next = answer.next;
      this.total = answer.total ?? null;
      this.busy = false;
      this.searchedTo = answer.searched_to ?? null;
      this.on(answer, !before);
      if (this.items.length < FEW && this.next && this.rounds++ < MOST_ROUNDS) this.more();
    } catch (e) {
      if (mine === this.asked) {
        this.busy = false;
        throw e;
      }
    }
  }
  /** How many there are, as far as anybody knows. */
  get known() {
    return this.total !== null ? [this.total, ''] : [this.items.length, this.next ? '+' : ''];
  }
  end() {
    this.asked++;
    this.signal?.abort();
  }
}
