"""One signal's way to its collector, for one plan: a buffer that the event loop fills, and a thread that sends.

May know the plan's value of the export, the buffer and the sender. The event loop calls all of it; nothing waits.
"""

from __future__ import annotations

from typing import Final

from proxy.plan.export import Endpoint, ExportPlan
from proxy.plan.report import ReportPlan
from proxy.telemetry.otlp.buffer import SpanBuffer
from proxy.telemetry.otlp.request import export_request, resource, scope
from proxy.telemetry.otlp.sender import Sender

SCOPE: Final = "ops-sidecar"


class Pipeline:
    """Sends entries (spans, metrics, or log records) to one endpoint."""

    def __init__(
        self,
        plan: ExportPlan | ReportPlan,
        endpoint: Endpoint,
        version: str,
        *,
        batch: int,
        limit: int = 0,
        made_by: str = SCOPE,
        what: str = "spans",
    ) -> None:
        """`batch`: entries of one request; `limit`: entries that may wait, 0 for as many as the plan's bytes hold.

        `made_by`: the scope's name; `what`: how messages call the entries.
        """
        described = resource(
            {
                **dict(plan.resource),
                "telemetry.sdk.name": "ops-sidecar",
                "telemetry.sdk.language": "python",
                "telemetry.sdk.version": version,
            }
        )
        maker = scope(made_by, version)
        self.plan = plan
        self.buffer = SpanBuffer(limit_bytes=plan.queue_bytes, batch_spans=batch, limit_spans=limit)
        self.sender = Sender(
            endpoint,
            self.buffer,
            encode=lambda entries: export_request(described, maker, entries),
            user_agent=f"ops-sidecar/{version}",
            give_up_s=plan.give_up_s,
            what=what,
        )
        self.sender.start()

    def __repr__(self) -> str:
        return f"<Pipeline {self.buffer!r} {self.sender!r}>"

    def stop(self) -> None:
        """Send everything within the plan's `flush_s`, and accept no more."""
        self.buffer.flush()
        self.sender.stop(self.plan.flush_s)


class Former:
    """Pipelines that were told to stop, some of which may still run."""

    def __init__(self) -> None:
        self.pipelines: list[Pipeline] = []

    def add(self, pipeline: Pipeline) -> None:
        """Stop it, and remember it until it has ended."""
        pipeline.stop()
        self.pipelines.append(pipeline)

    def ended(self) -> list[Pipeline]:
        """The pipelines that have ended since the last call; they are forgotten now."""
        for pipeline in self.pipelines:
            pipeline.sender.on_tick()
        over = [pipeline for pipeline in self.pipelines if pipeline.sender.wait_stopped(0.0)]
        self.pipelines = [pipeline for pipeline in self.pipelines if pipeline not in over]
        return over
