"""For every key, the test that shows its effect: not that it is read, but what it does to an exchange, a connection, a
line of the log. A new key has to name its own.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from proxy.settings.problems import all_keys

TESTS = Path(__file__).parents[2]
_LAYERED = "propagation|limits|clients|timeouts|pool|forwarding|sampling|spans"
_SECTION = re.compile(rf"(?:inbound|outbound|upstreams\.N)\.(?=(?:{_LAYERED})\.)")

# Sections that may stand in several places are proved once; that a listener's and an upstream's are laid over them:
LAID_OVER = "proxy/plan/test_compile.py::test_narrow_is_laid_over_wide_key_by_key"

OTLP = "proxy/telemetry/otlp"
POD, STREAM = (f"proxy/kubernetes/injection/test_{name}.py" for name in ("pod", "stream"))

PROOFS = {
    "propagation.extract": "wire/test_trace.py::test_inbound",
    "propagation.inject": "wire/test_trace.py::test_outbound_translates_too",
    "propagation.mode": "wire/test_trace.py::test_participate",
    "propagation.session.inject": "wire/test_trace.py::test_inbound",
    "propagation.session.extract": "wire/test_trace.py::test_inbound",
    "propagation.session.bridge": "wire/test_trace.py::test_inbound",
    "propagation.baggage": "wire/test_trace.py::test_inbound",
    "propagation.on_defer": "wire/test_trace.py::test_inbound",
    "propagation.grpc_unsampled": "wire/test_grpc_trace_bin.py::test_not_sampled_is_no_decision_by_setting",
    "propagation.lossless": "wire/test_trace.py::test_inbound",
    "propagation.carry_over": "wire/test_carry_over.py::test_it_can_be_switched_off",
    "propagation.clear": "wire/test_families.py::test_a_cleared_family_goes_in_any_spelling",
    "propagation.response_header": "wire/test_spans.py::test_the_caller_is_told_its_trace",
    "inbound.listen": "wire/test_addresses.py::test_ipv6",
    "inbound.listen_tls.cert_file": "wire/test_listen_tls.py::test_requests_over_tls",
    "inbound.listen_tls.key_file": "wire/test_listen_tls.py::test_requests_over_tls",
    "inbound.listen_tls.client_ca_file": "wire/test_listen_tls.py::test_client_certificates",
    "inbound.listen_tls.client_certificates": "wire/test_listen_tls.py::test_client_certificates",
    "inbound.app": "wire/test_addresses.py::test_unix_socket_app",
    "inbound.host": "wire/test_targets.py::test_host_of_the_app",
    "inbound.exit_with_app_s": "wire/test_exit_with_app.py::test_it_ends_when_its_app_has_gone",
    "inbound.tls.ca_file": "wire/test_addresses.py::test_https_app",
    "inbound.tls.verify": "wire/test_addresses.py::test_https_app",
    "inbound.tls.server_name": "wire/test_addresses.py::test_https_app",
    "outbound.listen": "wire/test_targets.py::test_way_1_http_proxy",
    "outbound.connect": "wire/test_connect.py::test_refused_where_off",
    "outbound.deny": "wire/test_destinations.py::test_addresses_of_the_settings",
    "outbound.allow": "wire/test_destinations.py::test_names_of_the_settings",
    "upstreams.N.name": "wire/test_metrics.py::test_requests_by_listener_upstream_and_class",
    "upstreams.N.match": "wire/test_targets.py::test_most_specific_wins",
    "upstreams.N.target": "wire/test_targets.py::test_way_2_host_routing",
    "upstreams.N.listen": "wire/test_targets.py::test_way_3_dedicated_listener",
    "inbound.lenient": "wire/test_lenient.py::test_what_is_forgiven_by_name",
    "upstreams.N.lenient": "wire/test_lenient.py::test_an_upstream_is_forgiven_what_another_is_not",
    "upstreams.N.host": "wire/test_targets.py::test_host_on_a_listener_of_its_own",
    "upstreams.N.tls.ca_file": "wire/test_addresses.py::test_https",
    "upstreams.N.tls.verify": "wire/test_addresses.py::test_https_verification_off",
    "upstreams.N.tls.server_name": "wire/test_addresses.py::test_https_server_name",
    "admin.listen": "proxy/test_app.py::test_it_says_where_it_listens_translates_counts_logs_and_ends",
    "admin.hosts": "proxy/test_app.py::test_the_admin_listener_answers_for_the_names_of_the_settings",
    "limits.request_line_bytes": "wire/test_limits.py::test_target_too_long",
    "limits.header_bytes": "wire/test_limits.py::test_head_too_large",
    "limits.refused_methods": "wire/test_forwarding_fields.py::test_methods_that_are_refused",
    "limits.header_count": "wire/test_limits.py::test_too_many_fields",
    "limits.body_bytes": "wire/test_limits.py::test_body_too_large_by_length",
    "limits.gather_bytes": "wire/test_slow_clients.py::test_small_content_is_gathered_first",
    "limits.connections": "wire/test_limits.py::test_too_many_connections",
    "limits.buffer_bytes": "wire/test_slow_peers.py::test_a_reload_changes_how_much_is_held_for_a_client",
    "clients.half_close": "wire/test_clients_that_leave.py::test_a_half_close_may_be_served",
    "clients.send_bytes_per_s": "wire/test_slow_clients.py::test_a_body_that_trickles_is_refused",
    "clients.read_bytes_per_s": "wire/test_slow_clients.py::test_an_answer_that_is_taken_too_slowly_is_cut",
    "clients.max_connections": "wire/test_client_bounds.py::test_connections_of_one_address",
    "clients.max_exchanges": "wire/test_client_bounds.py::test_requests_of_one_address",
    "clients.proxies": "wire/test_client_bounds.py::test_a_proxy_is_not_bounded",
    "timeouts.header_read_s": "wire/test_timeouts.py::test_slow_head",
    "timeouts.body_read_s": "wire/test_timeouts.py::test_slow_body",
    "timeouts.idle_s": "wire/test_timeouts.py::test_silence_before_a_request_is_no_error",
    "timeouts.connect_s": "wire/test_timeouts.py::test_connect_timeout",
    "timeouts.response_head_s": "wire/test_timeouts.py::test_response_head_timeout",
    "timeouts.response_body_s": "wire/test_timeouts.py::test_response_body_timeout",
    "timeouts.tcp_keepalive_s": "wire/test_keepalive.py::test_both_sides",
    "timeouts.tunnel_idle_s": "wire/test_timeouts.py::test_tunnel_idle_timeout",
    "timeouts.queue_s": "wire/test_timeouts.py::test_queue_timeout",
    "pool.max_connections": "wire/test_pool.py::test_never_more_than_allowed",
    "pool.max_idle": "wire/test_pool.py::test_few_idle_ones_are_kept",
    "pool.idle_s": "wire/test_pool.py::test_idle_ones_are_closed",
    "pool.max_queue": "wire/test_limits.py::test_queue_full",
    "pool.dns_refresh_s": "wire/test_names.py::test_a_name_moves",
    "drain.grace_s": "wire/test_drain.py::test_grace_takes_leave",
    "linking.headers": "wire/test_linking.py::test_each_method_can_be_switched_off",
    "linking.process": "wire/test_linking.py::test_each_method_can_be_switched_off",
    "linking.single": "wire/test_linking.py::test_each_method_can_be_switched_off",
    "in_flight.max_requests": "wire/test_carry_over.py::test_it_is_bounded_in_requests_and_bytes",
    "in_flight.max_bytes": "wire/test_carry_over.py::test_it_is_bounded_in_requests_and_bytes",
    "in_flight.max_age_s": "wire/test_carry_over.py::test_it_is_bounded_in_age",
    "drain.timeout_s": "wire/test_reload_and_drain.py::test_drain_has_an_end",
    "drain.outbound_linger_s": "wire/test_drain.py::test_an_app_that_stops_slowly_keeps_its_way_out",
    "forwarding.via": "wire/test_forwarding_fields.py::test_both_may_be_off",
    "forwarding.x_forwarded": "wire/test_forwarding_fields.py::test_both_may_be_off",
    "forwarding.details": "wire/test_requests_refused.py::test_what_failed_can_be_kept_from_outsiders",
    "service.name": "wire/test_spans.py::test_the_resource_is_the_service",
    "service.attributes": "wire/test_spans.py::test_the_resource_is_the_service",
    "export.endpoint": "wire/test_spans.py::test_an_inbound_exchange_is_a_server_span",
    "export.traces_endpoint": "wire/test_spans.py::test_requests_to_the_collector_are_as_set",
    "export.metrics_endpoint": "proxy/test_app.py::test_metrics_are_exported",
    "export.traces": "wire/test_spans.py::test_traces_can_be_switched_off",
    "export.metrics": "proxy/test_app.py::test_metrics_are_exported",
    "export.protocol": "proxy/settings/test_otel_variables.py::test_a_wrong_value_is_named_with_its_variable",
    "export.headers": "wire/test_spans.py::test_requests_to_the_collector_are_as_set",
    "export.compression": "wire/test_spans.py::test_requests_to_the_collector_are_as_set",
    "export.timeout_s": f"{OTLP}/test_sender.py::test_a_collector_that_drips_its_answer_is_ended_by_the_tick",
    "export.tls.ca_file": "wire/test_spans.py::test_a_collector_over_tls",
    "export.tls.verify": "wire/test_spans.py::test_a_collector_over_tls",
    "export.tls.cert_file": "wire/test_spans.py::test_a_collector_over_tls",
    "export.tls.key_file": "wire/test_spans.py::test_a_collector_over_tls",
    "export.batch_spans": "wire/test_spans.py::test_spans_leave_in_batches",
    "export.delay_s": "wire/test_spans.py::test_spans_leave_in_batches",
    "export.queue_bytes": f"{OTLP}/test_buffer.py::test_what_does_not_fit_is_dropped_and_counted_and_room_comes_back",
    "export.queue_spans": f"{OTLP}/test_exporter.py::test_no_room_is_counted_with_its_reason",
    "export.give_up_s": f"{OTLP}/test_sender.py::test_a_batch_is_given_up_after_five_minutes_without_a_collector",
    "export.flush_s": f"{OTLP}/test_exporter.py::test_a_dead_collector_holds_up_no_end_and_is_counted",
    "export.metrics_interval_s": f"{OTLP}/test_exporter.py::test_metrics_leave_at_their_interval_and_at_the_end",
    "sampling.root": "wire/test_spans.py::test_a_ratio_of_traces",
    "sampling.per_second": "wire/test_spans.py::test_a_limit_of_traces_per_second",
    "spans.routes": "wire/test_http_durations.py::test_an_inbound_exchange",
    "spans.query": "wire/test_http_durations.py::test_the_query_is_told_where_the_settings_say_so",
    "sampling.parent_based": "wire/test_spans.py::test_a_callers_decision_can_be_passed_over",
    "inbound.tls.cert_file": "wire/test_addresses.py::test_a_client_certificate",
    "inbound.tls.key_file": "wire/test_addresses.py::test_a_client_certificate",
    "upstreams.N.tls.cert_file": "wire/test_addresses.py::test_a_client_certificate",
    "upstreams.N.tls.key_file": "wire/test_addresses.py::test_a_client_certificate",
    "trust.N.name": "wire/test_trust.py::test_the_first_rule_that_is_about_the_peer_counts",
    "trust.N.listener": "wire/test_trust.py::test_a_rule_is_about_one_listener",
    "trust.N.peers": "wire/test_trust.py::test_the_first_rule_that_is_about_the_peer_counts",
    "trust.N.names": "proxy/participation/test_trust.py::test_the_first_rule_that_is_about_a_peer_counts",
    "trust.N.ids": "wire/test_trust.py::test_a_restart_is_a_new_trace_with_the_incoming_one_as_a_link",
    "trust.N.decision": "wire/test_trust.py::test_a_decision_is_refused_apart",
    "trust.N.baggage": "wire/test_trust.py::test_baggage_is_refused_apart",
    "trust.N.session": "wire/test_trust.py::test_a_session_is_refused_apart_under_all_its_names",
    "egress.trace": "wire/test_egress.py::test_each_has_a_list_of_its_own",
    "egress.session": "wire/test_egress.py::test_each_has_a_list_of_its_own",
    "egress.baggage": "wire/test_egress.py::test_each_has_a_list_of_its_own",
    "log.level": "proxy/test_app.py::test_a_changed_file_counts_for_new_requests_and_a_bad_one_for_none",
    "log.format": "proxy/test_app.py::test_the_log_can_be_json",
    "log.access": "proxy/test_app.py::test_it_says_where_it_listens_translates_counts_logs_and_ends",
    "log.queue_lines": "proxy/test_app.py::test_an_access_log_that_nobody_reads_drops_lines_beyond_its_queue",
    "admin.public_listen": "proxy/test_app.py::test_the_public_listener_has_health_and_metrics_alone",
    "kubernetes.image": f"{POD}::test_image_and_pull_policy",
    "kubernetes.pull_policy": f"{POD}::test_image_and_pull_policy",
    "kubernetes.mode": f"{POD}::test_a_plain_sidecar_is_a_container_beside_the_apps",
    "kubernetes.inbound": f"{STREAM}::test_with_redirection_services_stay",
    "kubernetes.outbound": f"{POD}::test_rules_are_set_by_an_init_container_that_alone_may_change_the_network",
    "kubernetes.redirect_ports": f"{POD}::test_which_ports_are_redirected",
    "kubernetes.ip_family": f"{STREAM}::test_one_family_otherwise_unless_the_settings_say_so",
    "kubernetes.health_port": f"{POD}::test_the_port_for_health",
    "kubernetes.config_map": f"{POD}::test_a_config_map_is_mounted_as_a_folder",
    "kubernetes.run_as_user": f"{POD}::test_resources_and_user_come_from_the_settings",
    "kubernetes.cpu_request": f"{POD}::test_resources_and_user_come_from_the_settings",
    "kubernetes.memory_request": f"{POD}::test_resources_and_user_come_from_the_settings",
    "kubernetes.cpu_limit": f"{POD}::test_resources_and_user_come_from_the_settings",
    "kubernetes.memory_limit": f"{POD}::test_resources_and_user_come_from_the_settings",
    "restart.reuse_port": "wire/test_restart.py::test_a_rolling_restart_under_load_fails_no_request",
    "reload.watch": "proxy/test_app.py::test_an_emptied_file_is_no_reload",
    "reload.interval_s": "proxy/test_app.py::test_a_changed_file_counts_for_new_requests_and_a_bad_one_for_none",
}


def test_every_key_has_its_proof() -> None:
    assert {_SECTION.sub("", key) for key in all_keys()} == set(PROOFS)


@pytest.mark.parametrize("proof", sorted({LAID_OVER, *PROOFS.values()}))
def test_the_proof_is_there(proof: str) -> None:
    file, _, name = proof.partition("::")
    found = ast.walk(ast.parse((TESTS / file).read_text(encoding="utf-8")))
    assert name in {node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
