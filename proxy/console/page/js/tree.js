// Spans as a tree, the critical path, where errors began. Pure: no DOM, no network.

const endOf = s => s.start + s.ms;

/**
 * Rows in tree order: {span, depth, kids}. Spans without a parent, or with one that is not here, stand at the top, by start.
 * Spans whose parents go round in a circle are shown once, at the top.
 */
export function tree(spans) {
  const byId = new Map(spans.map(s => [s.id, s])),
    kids = new Map(),
    roots = [];
  for (const s of spans) {
    const parent = s.parent && s.parent !== s.id ? byId.get(s.parent) : null;
    if (!parent) roots.push(s);
    else if (kids.has(parent.id)) kids.get(parent.id).push(s);
    else kids.set(parent.id, [s]);
  }
  const byStart = (a, b) => a.start - b.start;
  for (const list of kids.values()) list.sort(byStart);
  const rows = [],
    done = new Set();
  function walk(root) {
    const stack = [[root, 0]];
    while (stack.length) {
      const [span, depth] = stack.pop(),
        mine = kids.get(span.id) ?? [];
      if (done.has(span)) continue;
      done.add(span);
      rows.push({ span, depth, kids: mine.length });
      for (let i = mine.length - 1; i >= 0; i--) stack.push([mine[i], depth + 1]);
    }
  }
  roots.sort(byStart).forEach(walk);
  for (const s of spans)
    if (!done.has(s)) {
      roots.push(s);
      walk(s);
    }
  return { rows, kids, roots, byId };
}
/** The rows of one span and all below it, their depth counted from it. */
export function under(rows, id) {
  const i = rows.findIndex(r => r.span.id === id),
    depth = rows[i].depth;
  let end = i + 1;
  while (end < rows.length && rows[end].depth > depth) end++;
  return rows.slice(i, end).map(r => ({ ...r, depth: r.depth - depth }));
}
/** What `root` waits for: from its end back, always the child that ended last. -> Map(span id -> [[from, to]]). */
export function criticalPath(root, kids) {
  const path = new Map(),
    todo = [[root, endOf(root)]],
    done = new Set();
  const mark = (id, from, to) => {
    if (to > from) path.has(id) ? path.get(id).push([from, to]) : path.set(id, [[from, to]]);
  };
  while (todo.length) {
    const [s, until] = todo.pop();
    if (done.has(s)) continue;
    done.add(s);
    let t = until;
    for (const c of [...(kids.get(s.id) ?? [])].sort((a, b) => endOf(b) - endOf(a))) {
      if (endOf(c) > t + 1e-6 || c.start < s.start) continue;
      mark(s.id, endOf(c), t);
      todo.push([c, endOf(c)]);
      t = c.start;
    }
    mark(s.id, s.start, t);
  }
  return path;
}
/** Failed spans without a failed child: where errors began. -> Set(span id). */
export function origins(rows, kids) {
  const failed = s => s.status === 'error';
  return new Set(rows.filter(r => failed(r.span) && !(kids.get(r.span.id) ?? []).some(failed)).map(r => r.span.id));
}
/** Where the spans of `rows` begin and end. */
export function extent(rows) {
  let from = Infinity,
    to = -Infinity;
  for (const { span } of rows) {
    from = Math.min(from, span.start);
    to = Math.max(to, endOf(span));
  }
  return [from, Math.max(to, from + 0.001)];
}

/**
 * Two traces as one tree: spans with the same way of (service, name) from the top are one row.
 * -> [{depth, service, name, a, b}] with a, b = {count, ms, errors, in, out} or null.
 */
export function merged(a, b) {
  const top = { kids: new Map() };
  for (const [which, spans] of [
    ['a', a],
    ['b', b],
  ]) {
    const path = [];
    for (const { span, depth } of tree(spans).rows) {
      const parent = depth ? path[depth - 1] : top,
        key = `${span.service}\n${span.name}`;
      let node = parent.kids.get(key);
      if (!node)
        parent.kids.set(key, (node = { service: span.service, name: span.name, a: null, b: null, kids: new Map() }));
      const sum = (node[which] ??= { count: 0, ms: 0, errors: 0, in: span.in, out: span.out });
      sum.count++;
      sum.ms += span.ms;
      sum.errors += span.status === 'error';
      path[depth] = node;
    }
  }
  const rows = [];
  (function walk(node, depth) {
    for (const kid of node.kids.values()) {
      rows.push({ ...kid, depth });
      walk(kid, depth + 1);
    }
  })(top, 0);
  return rows;
}
