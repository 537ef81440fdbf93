"""The tables, and how an older file becomes a present one. PURE.

Times are Unix nanoseconds. A list is text with a blank around each item, such as ` b3 jaeger `; an empty one is ``.
A span's or log's id is its trace's key, shifted, plus a number: so a trace lies together, and leaves by one range.
"""

from __future__ import annotations

from typing import Final

from proxy.console.store.reports import TABLES as REPORTS

VERSION: Final = 2
APPLICATION_ID: Final = 0x4F505343  # "OPSC": tells a file of ours from any other SQLite file
SHIFT: Final = 20  # bits of the number within a trace
MOST_IN_TRACE: Final = 1 << 17  # spans and logs of one trace

_TRACES: Final = """
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
"""

_REQUESTS: Final = """
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
"""

TABLES: Final = _TRACES + _REQUESTS + REPORTS

# From the version before to the one in the key: statements that change an older file.
MIGRATIONS: Final[dict[int, str]] = {
    2: "ALTER TABLE sidecars ADD COLUMN shadow TEXT; ALTER TABLE sidecars ADD COLUMN rates TEXT;",
}
