"""config/systemd: the units are valid, hardened, and say what the sidecar's settings say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from lab.peers import Upstream
from lab.process import SidecarProcess

from proxy.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "config" / "systemd"
SERVICE, NEXT, SOCKET = "systemd/ops-sidecar.service", "systemd/ops-sidecar@.service", "systemd/ops-sidecar.socket"
MOST_EXPOSED = 20  # of 100; systemd calls up to 20 "OK"
INSTALLED = "/opt/ops-sidecar/bin/ops-sidecar"


def lines(unit: str) -> list[str]:
    """What a unit sets, in order."""
    text = (ROOT / "config" / unit).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def values(unit: str, key: str) -> list[str]:
    return [line.partition("=")[2] for line in lines(unit) if line.startswith(f"{key}=")]


def environment() -> dict[str, str]:
    """What the unit sets."""
    return dict(pair.split("=", 1) for line in values(SERVICE, "Environment") for pair in line.split())


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The units, with a command that is installed here."""
    folder = tmp_path_factory.mktemp("units")
    command = folder / "ops-sidecar"
    command.symlink_to(sys.executable)
    for unit in (SERVICE, NEXT, SOCKET):
        text = (ROOT / "config" / unit).read_text(encoding="utf-8").replace(INSTALLED, str(command))
        (folder / Path(unit).name).write_text(text, encoding="utf-8")
    return folder


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze")


@needs_systemd
def test_systemd_finds_no_fault(units: Path) -> None:
    names = ["ops-sidecar.service", "ops-sidecar@next.service", "ops-sidecar.socket"]
    command = ["systemd-analyze", "verify", "--man=no", *(str(units / name) for name in names)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@needs_systemd
def test_little_is_exposed(units: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=yes", f"--threshold={MOST_EXPOSED}", "--no-pager"]
    done = subprocess.run(
        [*command, str(units / "ops-sidecar.service")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout


def test_the_next_instance_is_like_the_first() -> None:
    """But for its name, and that nothing starts it by itself."""
    install = lines(SERVICE).index("[Install]")
    mine = [line.replace(" (%i)", "").replace("-%i", "") for line in lines(NEXT)]
    assert mine == lines(SERVICE)[:install]


def test_the_sockets_are_where_the_settings_listen() -> None:
    """Otherwise the sidecar refuses to start with the shipped settings."""
    settings = Settings()
    listens = [str(address) for address in (*settings.inbound.listen, *settings.outbound.listen)]
    assert values(SOCKET, "ListenStream") == listens


def test_a_stop_has_time_to_drain() -> None:
    drain = Settings().drain
    (stop,) = values(SERVICE, "TimeoutStopSec")
    assert int(stop) > drain.timeout_s + drain.grace_s


def test_the_environment_is_valid_settings() -> None:
    environ = {**environment(), "OPS_SIDECAR_CONFIG": str(ROOT / "config" / "sidecar.yaml")}
    command = [sys.executable, "-m", "proxy", "check"]
    done = subprocess.run(
        command, env={**os.environ, **environ}, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


DENY_WRITE_EXECUTE = """if True:
    import ctypes, os, sys
    if ctypes.CDLL(None, use_errno=True).prctl(65, 1, 0, 0, 0):  # PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN
        sys.exit(77)
    os.execv(sys.argv[1], sys.argv[1:])"""


def test_it_runs_where_no_memory_is_writable_and_executable(upstream: Upstream) -> None:
    """MemoryDenyWriteExecute=: neither uvloop nor ctypes needs such memory. Python's JIT does: the unit has it off."""
    probe = [sys.executable, "-c", DENY_WRITE_EXECUTE, "/bin/true"]
    if subprocess.run(probe, check=False).returncode == 77:
        pytest.skip("this kernel has no PR_SET_MDWE")
    arguments = ("--inbound", "127.0.0.1:0", "--app", upstream.url, "--outbound", "off", "--admin", "127.0.0.1:0")
    python = {name: value for name, value in environment().items() if name.startswith("PYTHON")}
    deny = (sys.executable, "-c", DENY_WRITE_EXECUTE)
    with SidecarProcess(*arguments, prefix=deny, environ=python) as sidecar:
        client = sidecar.client()
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        upstream.answer(b"served")
        assert client.response().body == b"served"
        client.close()
        assert sidecar.get("/metrics", "admin")[0] == 200
        assert sidecar.end() == 0
