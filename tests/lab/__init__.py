"""The lab: everything that starts a sidecar in a test, and the raw peers around it. Use nothing else.

A test of the wire is plain blocking code: one line per event, in the order of events on the wire:

    def test_the_app_sees_the_host_of_the_client(wire: Wire) -> None:
        client = wire.client()                                     # a raw connection to the inbound listener
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        app = wire.accept()                                        # the connection that the sidecar makes to the app
        assert app.request().head.value("host") == b"a"            # read by a strict reader (`messages`)
        app.reply(b"hello")
        assert client.response().body == b"hello"

Fixtures (`fixtures`; imported by conftest.py of tests/wire, tests/interop and tests/proxy):
- `wire`: a sidecar with default settings in front of a scripted app; `wired(settings)`: the same with settings;
- `start(settings)`: any sidecar (outbound, several listeners); `upstream`: a scripted server to put behind it;
- `SidecarProcess(*arguments)` (`process`): a process, for signals, exit codes, logs, memory, reload from a file.
Settings have the shape of config/sidecar.yaml, so durations may be small: `{"timeouts": {"idle_s": 0.2}}`.

How to wait. `WAIT_S` bounds every wait on a socket. Never sleep instead of waiting for an event:
- `sidecar.settle()` returns once the sidecar's loop has handled whatever was already in its sockets; then
  `client.is_silent()` and `upstream.has_caller()` can say "nothing came";
- `sidecar.until(lambda: ...)` waits for state without bytes: `sidecar.metrics`, access records (`sidecar.records`);
- `sidecar.standstill()` stops the loop during a block: the sidecar then sees all its events at once;
- `sidecar.call(f)` and `sidecar.begin(coroutine)` run in the sidecar's own thread.
Look at a data-plane object by its `repr` or its public properties only.

Where a test goes: a test with sockets goes into tests/wire, by topic.
One without goes into tests/proxy or tests/ops_lib, with the same
path as its module, and a fake transport if needed (`transports`).
"""
