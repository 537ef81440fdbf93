"""Settings from a mounted ConfigMap: the kubelet swaps a symbolic link, and the sidecar goes by the new file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from lab.peers import Upstream
from lab.process import SidecarProcess

TRACEPARENT = b"traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n"


class ConfigMap:
    """A volume as the kubelet writes it: a folder for each version, `..data` leads to one, and each file through it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._version = 0
        self.file = folder / "sidecar.yaml"

    def write(self, text: str) -> None:
        """All files change at once, by one rename; the folder of the former version goes."""
        self._version += 1
        version = self._folder / f"..2026_11_29_{self._version}"
        version.mkdir()
        (version / "sidecar.yaml").write_text(text, encoding="utf-8")
        link = self._folder / "..data_tmp"
        link.symlink_to(version.name)
        former = (self._folder / "..data").resolve() if (self._folder / "..data").exists() else None
        link.rename(self._folder / "..data")
        if former is None:
            self.file.symlink_to("..data/sidecar.yaml")
        else:
            (former / "sidecar.yaml").unlink()
            former.rmdir()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    yield server
    server.close()


def settings(upstream: Upstream, format: str) -> str:
    app = f"http://127.0.0.1:{upstream.port}"
    listen = "listen: '127.0.0.1:0'"
    return (
        f"inbound: {{{listen}, app: '{app}', propagation: {{inject: {format}}}}}\n"
        "outbound: {listen: off}\nadmin: {listen: off}\nreload: {interval_s: 0.05}\n...\n"
    )


def test_a_change_takes_effect_without_a_restart_and_without_a_signal(tmp_path: Path, upstream: Upstream) -> None:
    """On the connection that is open, too. A version that is wrong changes nothing."""
    config_map = ConfigMap(tmp_path)
    config_map.write(settings(upstream, "b3"))
    with SidecarProcess(environ={"OPS_SIDECAR_CONFIG": str(config_map.file)}) as sidecar:
        client = sidecar.client()

        def seen() -> set[str]:
            client.send(b"GET / HTTP/1.1\r\nHost: a\r\n" + TRACEPARENT + b"\r\n")
            with upstream.accept() as app:
                names = set(app.answer(b"ok", b"200 OK", b"Connection: close").head.names())
            assert client.response().status == 200
            return names & {"b3", "traceparent", "uber-trace-id"}

        assert seen() == {"b3"}
        config_map.write(settings(upstream, "jaeger"))
        sidecar.await_line("settings reloaded .*inbound.propagation.inject")
        assert seen() == {"uber-trace-id"}
        config_map.write(settings(upstream, "nonsense"))
        sidecar.await_line("settings not reloaded")
        assert seen() == {"uber-trace-id"}
        config_map.write(settings(upstream, "tracecontext"))
        sidecar.await_line("settings reloaded")
        assert seen() == {"traceparent"}
        assert sidecar.end() == 0
