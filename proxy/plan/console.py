"""Values of a plan: a console. Text and numbers only, so that a sidecar can hand them to the process of its console."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

MEMORY_BYTES: Final = 256 * 1024 * 1024
FILE_BYTES: Final = 2 * 1024 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ForwardPlan:
    """Where all that is received goes as well. Without `url`: nowhere."""

    url: str = ""
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    queue_bytes: int = 64 * 1024 * 1024
    timeout_s: float = 10.0
    give_up_s: float = 300.0
    ca_file: str | None = None
    verify: bool = True
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class ConsolePlan:
    """A console. Addresses are as in the settings; empty: does not listen there."""

    listen: str = ""
    otlp: str = ""
    token: str = field(default="auto", repr=False)  # auto, off, or the token
    otlp_token: str = field(default="", repr=False)
    hosts: tuple[str, ...] = ()
    cors_origins: tuple[str, ...] = ()
    store: str = ""  # empty: in memory
    store_bytes: int = MEMORY_BYTES
    max_age_s: float = 0.0
    forward: ForwardPlan = ForwardPlan()
    log_level: str = "info"
    log_format: Literal["text", "json"] = "text"


def to_json(plan: ConsolePlan) -> str:
    """The plan as one line."""
    return json.dumps(asdict(plan))


def from_json(text: str) -> ConsolePlan:
    """The plan of such a line."""
    said: dict[str, Any] = json.loads(text)
    said["forward"] = ForwardPlan(**said["forward"])
    said["hosts"], said["cors_origins"] = tuple(said["hosts"]), tuple(said["cors_origins"])
    return ConsolePlan(**said)
