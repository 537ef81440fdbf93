"""What the sidecar's own spans, and the durations in its metrics, say of a request."""

from __future__ import annotations

from proxy.settings.kinds import PathTemplates
from proxy.settings.sections.section import Section


class SpanSettings(Section):
    """What is said of a request, beside what the conventions require."""

    routes: PathTemplates = ()  # the first that fits a path is its route
    query: bool = False
