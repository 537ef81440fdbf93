"""Envoy before and behind a sidecar, with every kind of call. Skipped by name where the system has none."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from lab import envoy
from lab.rpc import Service, make_every_call
from lab.sidecar import Sidecar

Start = Callable[..., Sidecar]

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" and envoy.program() is None, reason="there is no Envoy for this system"
)


def test_envoy_before_the_sidecar(start: Start, service: Service, tmp_path: Path) -> None:
    sidecar = start({"inbound": {"app": service.url}})
    with envoy.in_front_of(sidecar.addresses["inbound"].port, tmp_path) as target:
        make_every_call(target, service)


def test_envoy_behind_the_sidecar(start: Start, service: Service, tmp_path: Path) -> None:
    with envoy.in_front_of(service.port, tmp_path) as target:
        sidecar = start({"inbound": {"app": f"http://{target}"}})
        make_every_call(f"127.0.0.1:{sidecar.addresses['inbound'].port}", service)
