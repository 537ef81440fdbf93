"""What the webhook counts, and how that is shown. Plain numbers, rendered when somebody asks."""

from __future__ import annotations

from proxy.kubernetes.webhook.admission import RESULTS, Result
from proxy.telemetry.exposition import Family, Sample


class Counts:
    """Since the start."""

    def __init__(self) -> None:
        self.pods: dict[Result, int] = dict.fromkeys(RESULTS, 0)
        self.refused = 0  # requests that were not an AdmissionReview
        self.errors = 0  # calls of the API server that failed
        self.missed: int | None = None  # None: not known yet
        self.expires_s = 0.0  # of the server's certificate, since the epoch; 0: none yet

    def families(self) -> list[Family]:
        """As they are now."""
        made = [
            Family(
                "ops_sidecar_webhook_pods_total",
                "counter",
                "Pods that the API server has asked about, by what was done.",
                [Sample((("result", result),), count) for result, count in self.pods.items()],
            ),
            Family(
                "ops_sidecar_webhook_refused_total",
                "counter",
                "Requests that were not an AdmissionReview of version 1.",
                [Sample((), self.refused)],
            ),
            Family(
                "ops_sidecar_webhook_api_errors_total",
                "counter",
                "Calls of the API server that have failed.",
                [Sample((), self.errors)],
            ),
        ]
        if self.missed is not None:
            text = "Pods that have asked for a sidecar, or whose namespace has, and have none."
            made.append(Family("ops_sidecar_webhook_pods_missed", "gauge", text, [Sample((), self.missed)]))
        if self.expires_s:
            text = "When the webhook's certificate ends, in seconds since the epoch."
            name = "ops_sidecar_webhook_certificate_expiry_timestamp_seconds"
            made.append(Family(name, "gauge", text, [Sample((), self.expires_s)]))
        return made
