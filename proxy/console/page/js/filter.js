// The filter language: `format:b3 status:5xx host:orders dur:>200ms -is:probe refund`. Pure: no DOM, no network.
// Blanks join terms, a comma inside a value is "or", a leading - is "not", a bare word looks everywhere.
// The server has the same language; tests/vectors/filter/rows.jsonl holds for both.

const UNIT = { us: 0.001, ms: 1, s: 1000, m: 60000 };
const TERM = /(?:[^\s"]|"[^"]*")+/g;
const ALIAS = { w3c: 'tracecontext', multi: 'b3multi' };

const has = (list, value) => list.some(x => x != null && String(x).toLowerCase().includes(value));
const isTrace = row => row.root !== undefined;
const isSession = row => row.via !== undefined;
const services = row => (row.services ?? []).map(s => s.name ?? s);
const isFailed = row => row.errors > 0 || row.status === null || row.status >= 500;

function hasFormat(list, value) {
  return (list.length ? list : ['none']).includes(ALIAS[value] ?? value);
}
/** A duration with its comparison, in milliseconds, or null. Without a sign it is "at least". */
function duration(value) {
  const m = /^([<>]=?)?([0-9]+(?:\.[0-9]+)?)(us|ms|s|m)?$/.exec(value);
  return m && { sign: m[1] ?? '>=', ms: m[2] * UNIT[m[3] ?? 'ms'] };
}
function lasts(row, value) {
  const { sign, ms } = duration(value);
  return { '<': row.ms < ms, '<=': row.ms <= ms, '>': row.ms > ms, '>=': row.ms >= ms }[sign];
}
function hasStatus(row, value) {
  if (value === 'error') return isFailed(row);
  if (value === 'ok') return !isFailed(row);
  if (value === 'cut') return row.status === null;
  const code = row.status == null ? '' : String(row.status);
  return code.length === 3 && [...value].every((digit, i) => digit === 'x' || digit === code[i]);
}
const STATES = {
  error: isFailed,
  traced: row => isTrace(row) || !!row.trace,
  untraced: row => !isTrace(row) && !row.trace,
  changed: row => (row.in ?? []).join() !== (row.out ?? []).join(),
  probe: row => !!row.probe,
};

/** key -> {about, example, test(row, value), wrong?(value)} */
export const KEYS = {
  format: {
    about: 'read or written',
    example: 'format:b3',
    test: (r, v) => hasFormat([...(r.in ?? []), ...(r.out ?? []), ...(r.formats ?? [])], v),
  },
  in: { about: 'format that came in', example: 'in:jaeger', test: (r, v) => hasFormat(r.in ?? r.formats ?? [], v) },
  out: { about: 'format that went out', example: 'out:w3c', test: (r, v) => hasFormat(r.out ?? r.formats ?? [], v) },
  host: { about: 'from or to', example: 'host:orders', test: (r, v) => has([r.from, r.to, ...services(r)], v) },
  from: { about: 'who called', example: 'from:shop', test: (r, v) => has([r.from], v) },
  to: { about: 'who was called', example: 'to:billing', test: (r, v) => has([r.to], v) },
  service: { about: 'taking part', example: 'service:books', test: (r, v) => has([r.from, r.to, ...services(r)], v) },
  status: {
    about: 'code, class, ok, error, cut',
    example: 'status:5xx',
    test: hasStatus,
    wrong: v =>
      /^([0-9x]{3}|error|ok|cut)$/.test(v) ? null : `“${v}” is not a status. Try status:5xx or status:error.`,
  },
  dur: {
    about: 'duration',
    example: 'dur:>200ms',
    test: lasts,
    wrong: v => (duration(v) ? null : `“${v}” is not a duration. Try dur:>200ms.`),
  },
  method: { about: 'method', example: 'method:post', test: (r, v) => has([r.method], v) },
  path: { about: 'path', example: 'path:/orders', test: (r, v) => has([r.target], v) },
  session: {
    about: 'session id',
    example: 'session:ann',
    test: (r, v) => has([r.session, isSession(r) ? r.id : null], v),
  },
  trace: { about: 'trace id', example: 'trace:4bf9', test: (r, v) => has([r.trace, isTrace(r) ? r.id : null], v) },
  is: {
    about: 'error, conflict, retry, bare, linked, changed, untraced …',
    example: 'is:conflict',
    test: (r, v) => (STATES[v] ? STATES[v](r) : (r.notes ?? []).includes(v)),
  },
};
const words = r => [
  r.id,
  r.method,
  r.target,
  r.from,
  r.to,
  r.trace,
  r.session,
  r.title,
  r.root?.name,
  r.fault,
  ...(r.notes ?? []),
  ...services(r),
];

/** text -> {match(row), error, empty}. A term that is wrong is told in `error` and left out; the others still filter. */
export function compile(text) {
  const terms = [],
    errors = [];
  for (const raw of text.toLowerCase().match(TERM) ?? []) {
    const not = raw[0] === '-' && raw.length > 1,
      body = (not ? raw.slice(1) : raw).replaceAll('"', '');
    const [, name, rest] = /^([a-z]+):(.*)$/.exec(body) ?? [];
    if (name === undefined) {
      if (body) terms.push(r => has(words(r), body) !== not);
      continue;
    }
    const key = Object.hasOwn(KEYS, name) ? KEYS[name] : null;
    if (!key) {
      errors.push(`There is no key “${name}”. Known: ${Object.keys(KEYS).join(', ')}.`);
      continue;
    }
    const values = rest.split(',').filter(Boolean),
      wrong = values.map(v => key.wrong?.(v)).find(Boolean);
    if (wrong) errors.push(wrong);
    else if (values.length) terms.push(r => values.some(v => key.test(r, v)) !== not);
  }
  return { match: r => terms.every(t => t(r)), error: errors[0] ?? null, empty: !terms.length };
}
