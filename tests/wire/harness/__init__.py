"""The peers and the sidecar that the wire tests are made of: raw clients, scripted upstreams, sidecars under test.

Tests are plain blocking code, one line an event, in the order in which things happen on the wire. The sidecar under
test runs its
own uvloop loop in a thread (or in a process of its own), so it is free to answer at any moment. Rules:
- loopback and port 0 only; every wait is bounded by `WAIT_S`;
- no sleep stands for an event: `Sidecar.settle()` returns once the sidecar's loop has handled whatever was already in
its sockets;
- peers send exactly the bytes that they are told to, and keep every byte that they got.
"""
