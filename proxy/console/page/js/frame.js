// The frame of a view: title bar, empty and first-run states, drawings of a few values.
import { h, fill, icon } from './dom.js';
import { copyButton } from './chips.js';
import { absolute } from './text.js';

/** Title bar and body of a view. It takes the place of the one before; a view that was left meanwhile ends here. */
export function page(root, title, { crumbs, actions = [], sub } = {}, ...body) {
  root.enter?.();
  const h1 = h('h1', { tabindex: '-1' }, title);
  document.title = `${h1.textContent} · ops-sidecar`;
  fill(root, h('header.bar', crumbs, h1, sub && h('span.sub', sub), h('div.row.end', actions)), ...body);
}
export const empty = (title, text, ...more) => h('div.empty', h('h2', title), h('p', text), ...more);
/** Commands for a first run, as GET /api/v1/self words them: {otlp, sidecar, demo}. */
export const commands = {
  otlp: 'OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318',
  sidecar: 'ops-sidecar run',
  demo: 'ops-sidecar demo',
};
export const learn = self => Object.assign(commands, self.first_run);
/** What to do first: a sentence and a command to copy. */
export const firstRun = (title, text, command, after) =>
  empty(
    title,
    text,
    command &&
      h('div.first.row', h('code.mono', command), copyButton(command, 'Copy the command', 'Copied the command')),
    after && h('p.dim', after),
  );
/** What a list without rows says while its search has not come to its end. */
export const searching = pages =>
  empty(
    'Nothing so far',
    pages.searchedTo ? `Searched back to ${absolute(pages.searchedTo)}.` : 'The search goes on.',
    h('button.btn', { type: 'button', onclick: () => pages.searchOn() }, 'Search on'),
  );
export const backTo = (href, text) => h('a.back', { href }, icon('back'), h('span', text));
export const failed = (error, again) =>
  empty(
    error.title ?? 'This view could not be shown',
    error.message,
    h('button.btn', { type: 'button', onclick: again }, 'Try again'),
  );

export function sparkline(values, { w = 120, ht = 24 } = {}) {
  const max = Math.max(...values, 1),
    width = w / values.length;
  return h(
    'svg.spark',
    { viewBox: `0 0 ${w} ${ht}`, width: w, height: ht, 'aria-hidden': 'true', preserveAspectRatio: 'none' },
    values.map((v, i) => {
      const y = v ? Math.max(1.5, (v / max) * (ht - 1)) : 0;
      return h('rect', { x: i * width + 0.5, y: ht - y, width: Math.max(1, width - 1), height: y, rx: 0.5 });
    }),
  );
}
