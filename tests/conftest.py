"""What counts as slow: `make test-quick` leaves it out, `make test` runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Laws are about values, not about how fast a machine makes them: the first text in a fresh checkout takes a second.
settings.register_profile("values", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("values")

HERE = Path(__file__).parent
# Other languages, real servers, processes, random load, laws: what a change to one module rarely breaks alone.
SLOW = (
    "bench",
    "compiled",
    "cross_language",
    "examples",
    "fuzz",
    "interop",
    "ops_lib/decorator/test_depth.py",
    "ops_lib/decorator/test_typing.py",
    "ops_lib/export/test_stopping.py",
    "ops_lib/propagation/test_baggage_laws.py",
    "ops_lib/propagation/test_laws.py",
    "ops_lib/test_configuration.py",
    "proxy/cli/test_run.py",
    "proxy/demo/test_command.py",
    "proxy/test_app.py",
    "proxy/test_remembered.py",
    "test_added_format.py",
    "test_makefile.py",
    "test_readme.py",
    "wire/test_exit_with_app.py",
    "wire/test_last_requests.py",
    "wire/test_names.py",
    "wire/test_reload_and_drain.py",
    "wire/test_takeover.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    slow = [HERE / place for place in SLOW]
    for item in items:
        # Byte by byte, too: the same message has been sent whole.
        if "bytewise" in item.name or any(item.path.is_relative_to(place) for place in slow):
            item.add_marker(pytest.mark.slow)
