"""A sidecar that has outlived its app ends, and readiness sees it before that. As a process, in a network of its own
where the system allows one."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys

import pytest
from lab.process import SidecarProcess

ALONE = ("--set", "outbound.listen=off", "--inbound", "127.0.0.1:0", "--admin", "127.0.0.1:0")


def test_it_ends_when_its_app_has_gone() -> None:
    """With a failure, so that any restart policy brings it back."""
    with socket.create_server(("127.0.0.1", 0)) as app:
        url = f"http://127.0.0.1:{app.getsockname()[1]}"
        sidecar = SidecarProcess(*ALONE, "--app", url, "--set", "inbound.exit_with_app_s=0.2")
        with sidecar:
            assert sidecar.get("/readyz?app=1", "admin")[0] == 200
            app.close()
            sidecar.await_line(r"the sidecar has outlived its app and ends lost=\"its app\" after_s=0.2")
            assert sidecar.wait() == 1


def test_readiness_sees_that_the_app_has_gone() -> None:
    app = socket.create_server(("127.0.0.1", 0))
    with app, SidecarProcess(*ALONE, "--app", f"http://127.0.0.1:{app.getsockname()[1]}") as sidecar:
        assert sidecar.get("/readyz?app=1", "admin")[0] == 200
        app.close()
        assert sidecar.get("/readyz?app=1", "admin") == (503, "the app accepts no connections\n")
        assert sidecar.get("/readyz", "admin")[0] == 200
        assert sidecar.end() == 0


NETWORK = "ip link set lo up && ip link add e9 type bridge && ip link set e9 up"
IN_A_NETWORK = ("unshare", "--net", "sh", "-c", f'{NETWORK}; exec "$@"', "sh")


def _has_namespaces() -> bool:
    if any(shutil.which(tool) is None for tool in ("unshare", "nsenter", "ip")):
        return False
    return subprocess.run([*IN_A_NETWORK[:4], NETWORK], capture_output=True).returncode == 0


@pytest.mark.skipif(not _has_namespaces(), reason="no network namespaces here, or no bridges in them")
def test_it_ends_when_its_network_has_gone() -> None:
    """As Docker leaves it when the container that made the network is started anew: loopback alone is left."""
    settings = ("--set", "inbound.exit_with_app_s=0.2")
    with SidecarProcess(*ALONE, *settings, prefix=IN_A_NETWORK) as sidecar:
        inside = ["nsenter", "--net", "--target", str(sidecar.process.pid)]
        port = str(sidecar.addresses["admin"].port)
        health = [sys.executable, "-P", "-m", "proxy", "health", "--admin", f"127.0.0.1:{port}"]
        subprocess.run([*inside, *health], check=True, capture_output=True)  # it has looked around by now
        subprocess.run([*inside, "ip", "link", "delete", "e9"], check=True)
        sidecar.await_line(r'the sidecar has outlived its app and ends lost="its network"')
        assert sidecar.wait() == 1
