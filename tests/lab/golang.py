"""Programs in Go that tests need: built with Debian's libraries, which golang-google-grpc-dev installs as sources."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

GOPATH = Path("/usr/share/gocode")
_GRPC = GOPATH / "src" / "google.golang.org" / "grpc"


def reason_it_is_missing() -> str | None:
    """Why no program can be built; None if one can."""
    if shutil.which("go") is None:
        return "go is not installed"
    if not _GRPC.is_dir():
        return f"there is no {_GRPC} (golang-google-grpc-dev)"
    return None


def build(source: Path, program: Path) -> None:
    """`source`, one file, as `program`. Go's own cache makes it quick from the second time on."""
    environ = {**os.environ, "GO111MODULE": "off", "GOPATH": str(GOPATH), "GOFLAGS": "", "CGO_ENABLED": "0"}
    if "HOME" not in environ:
        environ.setdefault("GOCACHE", str(program.parent / "cache"))
    command = ["go", "build", "-o", str(program), str(source)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
