"""What the webhook counts, as Prometheus reads it."""

from __future__ import annotations

from proxy.kubernetes.webhook.counts import Counts
from proxy.telemetry.exposition import page


def test_the_page() -> None:
    """What is not known yet is left out."""
    counts = Counts()
    before = page(counts.families())
    assert "missed" not in before
    assert "certificate" not in before
    counts.pods["injected"] = 1
    counts.refused, counts.errors, counts.missed, counts.expires_s = 2, 3, 0, 1_800_000_000.0
    assert page(counts.families()).splitlines() == [
        "# HELP ops_sidecar_webhook_pods_total Pods that the API server has asked about, by what was done.",
        "# TYPE ops_sidecar_webhook_pods_total counter",
        *(f'ops_sidecar_webhook_pods_total{{result="{result}"}} {count}' for result, count in counts.pods.items()),
        "# HELP ops_sidecar_webhook_refused_total Requests that were not an AdmissionReview of version 1.",
        "# TYPE ops_sidecar_webhook_refused_total counter",
        "ops_sidecar_webhook_refused_total 2",
        "# HELP ops_sidecar_webhook_api_errors_total Calls of the API server that have failed.",
        "# TYPE ops_sidecar_webhook_api_errors_total counter",
        "ops_sidecar_webhook_api_errors_total 3",
        "# HELP ops_sidecar_webhook_pods_missed "
        "Pods that have asked for a sidecar, or whose namespace has, and have none.",
        "# TYPE ops_sidecar_webhook_pods_missed gauge",
        "ops_sidecar_webhook_pods_missed 0",
        "# HELP ops_sidecar_webhook_certificate_expiry_timestamp_seconds "
        "When the webhook's certificate ends, in seconds since the epoch.",
        "# TYPE ops_sidecar_webhook_certificate_expiry_timestamp_seconds gauge",
        "ops_sidecar_webhook_certificate_expiry_timestamp_seconds 1800000000.0",
    ]
