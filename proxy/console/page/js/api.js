// The one place that asks the server. Answers are JSON under api/v1, relative to the page, so that a path prefix works.
// What fails is an ApiError that carries the server's own words. Events on `connection`: 'signedout', 'state' (online or not).

const BASE = new URL('api/v1/', document.baseURI);
const PATIENCE_MS = 20000;
const RETRY_MS = [1000, 2000, 4000, 8000, 15000];

export const connection = Object.assign(new EventTarget(), { online: true });
function say(online) {
  if (connection.online === online) return;
  connection.online = online;
  connection.dispatchEvent(new Event('state'));
}

export class ApiError extends Error {
  constructor(status, { title, detail } = {}) {
    super(detail || title || `The server answered ${status}.`);
    Object.assign(this, { status, title: title || 'This could not be answered' });
  }
}

export function urlOf(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [key, value] of Object.entries(query)) if (value != null && value !== '') url.searchParams.set(key, value);
  return url;
}
async function ask(path, { query, body, signal } = {}) {
  const patience = AbortSignal.timeout(PATIENCE_MS);
  const options = {
    signal: signal ? AbortSignal.any([signal, patience]) : patience,
    headers: { accept: 'application/json' },
  };
  if (body !== undefined)
    Object.assign(options, {
      method: 'POST',
      body,
      headers: { ...options.headers, 'content-type': 'application/json' },
    });
  let response;
  try {
    response = await fetch(urlOf(path, query), options);
  } catch (e) {
    if (signal?.aborted) throw e;
    say(false);
    throw new ApiError(0, {
      title: 'The console does not answer',
      detail: 'It may be restarting. This page tries again by itself.',
    });
  }
  say(true);
  if (response.status === 401 && path !== 'login') connection.dispatchEvent(new Event('signedout'));
  if (!response.ok) throw new ApiError(response.status, await response.json().catch(() => ({})));
  return response.status === 204 ? null : response.json();
}
const id = text => encodeURIComponent(text);
/** null where the server says that there is no such thing. */
const orNull = answer =>
  answer.catch(e => {
    if (e.status === 404 || e.status === 400) return null;
    throw e;
  });

export const self = () => ask('self');
export const login = token => ask('login', { body: JSON.stringify({ token }) });
export const requests = (query, signal) => ask('requests', { query, signal });
export const request = rid => orNull(ask('requests/' + id(rid)));
export const traces = (query, signal) => ask('traces', { query, signal });
export const trace = tid => orNull(ask('traces/' + id(tid)));
export const otlpOf = tid => urlOf('traces/' + id(tid), { format: 'otlp' }).href;
export const upload = text => ask('traces', { body: text });
export const doctor = () => ask('doctor');
export const migration = () => ask('migration');
export const explain = (text, signal) => ask('explain', { body: JSON.stringify({ text }), signal });
export const sessions = (query, signal) => ask('sessions', { query, signal });
export const session = sid => orNull(ask('sessions/' + id(sid)));
export const settings = () => ask('settings');
export const health = () => ask('health');

/**
 * The live stream. `on` = {row(row), lost(missed), state(isOpen, isFirst)}. Returns a function that ends it.
 * A stream that breaks is opened again, later and later; `state` tells each change.
 */
export function stream(on) {
  let source,
    timer,
    tries = 0,
    opened = 0,
    ended = false;
  function open() {
    source = new EventSource(urlOf('stream'));
    source.addEventListener('open', () => {
      tries = 0;
      say(true);
      on.state(true, opened++ === 0);
    });
    source.addEventListener('row', e => on.row(JSON.parse(e.data)));
    source.addEventListener('lost', e => on.lost(JSON.parse(e.data).missed));
    source.addEventListener('error', () => {
      source.close();
      if (ended) return;
      on.state(false, opened === 0);
      timer = setTimeout(open, RETRY_MS[Math.min(tries++, RETRY_MS.length - 1)]);
    });
  }
  open();
  return () => {
    ended = true;
    clearTimeout(timer);
    source.close();
  };
}
