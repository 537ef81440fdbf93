"""Packages from npm that tests need: installed once, by the hashes of a lock file, beside that file (not in git)."""

from __future__ import annotations

import fcntl
import hashlib
import shutil
import subprocess
from pathlib import Path

OLDEST_NODE = 18
_INSTALL = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1", "--fetch-timeout=20000"]


def reason_it_is_missing(folder: Path) -> str | None:
    """Install the packages of `folder`'s package-lock.json; returns why that could not be, or None."""
    command = shutil.which("node")
    if command is None or shutil.which("npm") is None:
        return "node or npm is not installed"
    version = subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < OLDEST_NODE:
        return f"node {OLDEST_NODE} or newer is needed, not {version.strip()}"
    wanted = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()
    with (folder / ".lock").open("w") as lock:  # the workers of a parallel run install once
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "node_modules" / ".ops-lock"
        if not stamp.exists() or stamp.read_text() != wanted:
            installed = subprocess.run(_INSTALL, cwd=folder, capture_output=True, text=True, check=False)
            if installed.returncode != 0:
                return f"npm ci failed: {installed.stderr.strip()[-300:]}"
            stamp.write_text(wanted)
    return None
