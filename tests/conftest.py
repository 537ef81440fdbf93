"""What counts as slow: `make test-quick` leaves it out, `make test` runs it."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# Laws are about values, not about how fast a machine makes them: the first text in a fresh checkout takes a second.
settings.register_profile("values", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("values"), max_examples=10)  # make test-quick
settings.load_profile("values")

HERE = Path(__file__).parent
# Other languages, real servers, processes, random load, laws: what a change to one module rarely breaks alone.
SLOW = (
    "bench",
    "compiled",
    "config",
    "config/test_commands.py",
    "config/test_systemd.py",
    "cross_language",
    "examples",
    "fuzz",
    "http2",
    "interop",
    "kubernetes",
    "mutation/test_mutants.py",
    "ops_lib/capture/test_frameworks.py",
    "ops_lib/decorator/test_depth.py",
    "ops_lib/decorator/test_pickling.py",
    "ops_lib/decorator/test_typing.py",
    "ops_lib/export/test_stopping.py",
    "ops_lib/integrations/test_client_spans.py",
    "ops_lib/integrations/test_default_ports.py",
    "ops_lib/integrations/test_grpc.py",
    "ops_lib/integrations/test_outgoing.py",
    "ops_lib/integrations/test_servers.py",
    "ops_lib/propagation/test_baggage_laws.py",
    "ops_lib/propagation/test_laws.py",
    "ops_lib/test_configuration.py",
    "ops_lib/test_configuration_otlp.py",
    "ops_lib/test_public.py",
    "ops_lib/test_testing.py",
    "ops_lib/test_wrong_environment.py",
    "page",
    "proxy/admin/test_connection.py",
    "proxy/cli/test_commands.py",
    "proxy/cli/test_run.py",
    "proxy/cli/test_wait.py",
    "proxy/cli/test_words.py",
    "proxy/console/forward/test_forwarder.py",
    "proxy/console/query/test_migration.py",
    "proxy/console/server/test_grpc.py",
    "proxy/console/server/test_grpc_edges.py",
    "proxy/console/server/test_strange_questions.py",
    "proxy/console/store/test_writer.py",
    "proxy/console/test_reports.py",
    "proxy/console/test_strange_records.py",
    "proxy/demo/test_command.py",
    "proxy/http1/test_turns.py",
    "proxy/http2/engine/test_reader.py",
    "proxy/http2/engine/test_said_faults.py",
    "proxy/kubernetes/injection/test_stream.py",
    "proxy/kubernetes/test_manifests.py",
    "proxy/lifecycle/test_console_process.py",
    "proxy/lifecycle/test_lifecycle.py",
    "proxy/lifecycle/test_orders.py",
    "proxy/settings/test_proofs.py",
    "proxy/telemetry/otlp/test_exporter.py",
    "proxy/telemetry/otlp/test_sender.py",
    "proxy/telemetry/otlp/test_span.py",
    "proxy/telemetry/report/test_channel.py",
    "proxy/test_app.py",
    "proxy/test_app_reload.py",
    "proxy/test_control.py",
    "proxy/test_few_files.py",
    "proxy/test_remembered.py",
    "proxy/test_shadow.py",
    "proxy/test_translate_fast.py",
    "proxy/transport/test_connector.py",
    "proxy/transport/test_deadlines.py",
    "proxy/transport/test_resolve.py",
    "test_added_format.py",
    "test_chosen_numbers.py",
    "test_command.py",
    "test_makefile.py",
    "test_readme.py",
    "wire/test_access_records.py",
    "wire/test_addresses.py",
    "wire/test_app_evidence.py",
    "wire/test_bodies.py",
    "wire/test_carry_over.py",
    "wire/test_clients_that_leave.py",
    "wire/test_config_map.py",
    "wire/test_destinations.py",
    "wire/test_drain.py",
    "wire/test_egress.py",
    "wire/test_endings.py",
    "wire/test_exit_with_app.py",
    "wire/test_export.py",
    "wire/test_gauges.py",
    "wire/test_http_durations.py",
    "wire/test_idle_memory.py",
    "wire/test_last_requests.py",
    "wire/test_lenient.py",
    "wire/test_limits.py",
    "wire/test_linking.py",
    "wire/test_listen_tls.py",
    "wire/test_long_exchanges.py",
    "wire/test_metrics.py",
    "wire/test_mirror.py",
    "wire/test_names.py",
    "wire/test_pipelining.py",
    "wire/test_reload_and_drain.py",
    "wire/test_reports.py",
    "wire/test_requests_refused.py",
    "wire/test_restart.py",
    "wire/test_retries.py",
    "wire/test_sampling.py",
    "wire/test_service_manager.py",
    "wire/test_several_addresses.py",
    "wire/test_slow_clients.py",
    "wire/test_slow_peers.py",
    "wire/test_spans.py",
    "wire/test_takeover.py",
    "wire/test_timeouts.py",
    "wire/test_upgrade.py",
)


# Of slow rooms, those that are not.
QUICK = (
    "http2/test_messages.py",
    "http2/test_settings.py",
    "http2/test_spec.py",
)

SLOW_PLACES = frozenset(HERE / place for place in SLOW)
QUICK_FILES = frozenset(HERE / place for place in QUICK)


@cache  # thousands of tests are in hundreds of files
def is_slow(path: Path) -> bool:
    """A file, or a whole folder."""
    if path in QUICK_FILES or any(path in file.parents for file in QUICK_FILES):
        return False
    return path in SLOW_PLACES or not SLOW_PLACES.isdisjoint(path.parents)


def pytest_sessionstart(session: pytest.Session) -> None:
    """What is shown of the log of a test that fails has the fields, such as the fault of an upstream."""
    from proxy.telemetry.log import TextFormatter

    session.config.pluginmanager.getplugin("logging-plugin").report_handler.setFormatter(TextFormatter())


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The quick run does not even import the slow places."""
    if config.option.markexpr == "not slow" and is_slow(collection_path):
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        # Byte by byte, too: the same message has been sent whole. Hostile texts are big.
        is_big = "bytewise" in item.name or "hostile" in item.name
        if is_big or is_slow(item.path):
            item.add_marker(pytest.mark.slow)
