CREATE TABLE traces (
    key INTEGER PRIMARY KEY,
    trace BLOB NOT NULL UNIQUE,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    spans INTEGER NOT NULL,
    items INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    root_at INTEGER,
    root_service TEXT NOT NULL,
    root_name TEXT NOT NULL,
    title TEXT NOT NULL,
    caller TEXT,
    session TEXT,
    services TEXT NOT NULL,
    names TEXT NOT NULL,
    formats TEXT NOT NULL,
    notes TEXT NOT NULL,
    words TEXT NOT NULL
);
CREATE INDEX traces_started ON traces (started, key);
CREATE INDEX traces_session ON traces (session, started) WHERE session IS NOT NULL;
CREATE TABLE spans (id INTEGER PRIMARY KEY, resource INTEGER NOT NULL, scope TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE logs (id INTEGER PRIMARY KEY, resource INTEGER NOT NULL, scope TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE resources (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    service TEXT NOT NULL,
    body BLOB NOT NULL,
    last_key INTEGER NOT NULL
);
CREATE TABLE counted (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE requests (
    id INTEGER PRIMARY KEY,
    rid TEXT NOT NULL UNIQUE,
    at INTEGER NOT NULL,
    sidecar TEXT NOT NULL,
    leg TEXT NOT NULL,
    source TEXT NOT NULL,
    target_service TEXT NOT NULL,
    method TEXT NOT NULL,
    target TEXT NOT NULL,
    status INTEGER,
    fault TEXT,
    ms REAL NOT NULL,
    formats_in TEXT NOT NULL,
    formats_out TEXT NOT NULL,
    winner TEXT,
    trace BLOB,
    span BLOB,
    sampling TEXT,
    short INTEGER NOT NULL,
    session TEXT,
    notes TEXT NOT NULL,
    probe INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    words TEXT NOT NULL,
    detail BLOB
);
CREATE INDEX requests_at ON requests (at, id);
CREATE INDEX requests_trace ON requests (trace, at) WHERE trace IS NOT NULL;
CREATE INDEX requests_session ON requests (session, at) WHERE session IS NOT NULL;
CREATE TABLE sidecars (
    instance TEXT PRIMARY KEY,
    service TEXT NOT NULL,
    name TEXT NOT NULL,
    host TEXT NOT NULL,
    version TEXT NOT NULL,
    newer INTEGER NOT NULL,
    place TEXT NOT NULL DEFAULT '',
    via TEXT NOT NULL DEFAULT '',
    since INTEGER NOT NULL DEFAULT 0,
    seen INTEGER NOT NULL,
    number INTEGER NOT NULL DEFAULT 0,
    interval_ms INTEGER NOT NULL DEFAULT 10000,
    ended INTEGER NOT NULL DEFAULT 0,
    exchanges TEXT NOT NULL DEFAULT '{}',
    plan TEXT,
    settings TEXT,
    health TEXT,
    health_at INTEGER NOT NULL DEFAULT 0,
    earlier TEXT,
    earlier_at INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX sidecars_service ON sidecars (service, seen);
CREATE TABLE reporting (service TEXT PRIMARY KEY, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE gaps (
    id INTEGER PRIMARY KEY,
    service TEXT NOT NULL,
    instance TEXT NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    why TEXT NOT NULL
);
CREATE TABLE report_clock (id INTEGER PRIMARY KEY CHECK (id = 1), created INTEGER NOT NULL, heard INTEGER NOT NULL);
CREATE TABLE count_totals (
    instance TEXT NOT NULL, key TEXT NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (instance, key)
) WITHOUT ROWID;
CREATE TABLE format_days (
    service TEXT NOT NULL,
    day INTEGER NOT NULL,
    leg TEXT NOT NULL,
    kind TEXT NOT NULL,
    peer TEXT NOT NULL,
    upstream TEXT NOT NULL,
    host TEXT NOT NULL,
    read TEXT NOT NULL,
    written TEXT NOT NULL,
    count INTEGER NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (service, day, leg, kind, peer, upstream, host, read, written)
) WITHOUT ROWID;
CREATE TABLE call_hours (
    service TEXT NOT NULL, hour INTEGER NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL,
    first INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (service, hour, name)
) WITHOUT ROWID;
CREATE TABLE proofs (
    service TEXT NOT NULL, finding TEXT NOT NULL, at INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (service, finding)
) WITHOUT ROWID;
