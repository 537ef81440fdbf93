"""Explain: what pasted headers say, and what each sidecar that reports its plan would make of them."""

from __future__ import annotations

from typing import Any

from proxy.console.query.plans import upstreams
from proxy.console.store.reader import Reader
from proxy.explain.pasted import explain_pasted


def explain(reader: Reader, text: str, now_ns: int) -> dict[str, Any]:
    """`text`: headers one per line, a transcript such as curl -v prints, or a curl command."""
    return explain_pasted(text, upstreams(reader, now_ns))
